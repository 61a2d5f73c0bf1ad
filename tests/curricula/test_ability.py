from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from culture import connect
from curricula import ability, ramp
from curricula.calibration import NotCalibrated
from tests.analysis.log import write_log
from tests.curricula.scaled import ABILITY, CELLS, HARDER, rows


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two runs, the versions of the second a logit abler throughout."""
    place = tmp_path_factory.mktemp("runs")
    return {
        name: write_log(place / name, [rows(at, seed, more) for at in range(3)])
        for seed, (name, more) in enumerate({"small": 0.0, "large": 1.0}.items())
    }


def test_policies_of_several_runs_are_on_one_scale(folders: dict[str, Path]) -> None:
    with connect(folders["small"]) as small, connect(folders["large"]) as large:
        found = ability.standings_of({"small": small, "large": large}, "sums")
        assert ability.evaluated_domains(small) == ["sums"]
    for run, more in (("small", 0.0), ("large", 1.0)):
        versions = found.of(run, "solver")
        assert [(s.version, s.round) for s in versions] == [(0, 0), (1, 0), (2, 1), (3, 2)]
        for s in versions:
            assert abs(s.ability.value - ABILITY[s.version] - more) < 3.5 * s.ability.standard_error
            assert s.ability.answers == 36
    cells = {cell: np.mean([i.difficulty for i in found.scale.items if i.cell == cell]) for cell in CELLS}
    assert cells["1x2"] < cells["2x4"] < cells["4x8"]
    assert len(found.responses.learners) == 8 and found.responses.learners[0] == "large solver@0"


def test_problems_are_placed_beside_who_attempted_them(folders: dict[str, Path]) -> None:
    with connect(folders["small"]) as log:
        found = ability.standings_of(log, "sums")
        run = found.versions[0].run
        placed = ability.difficulties(log, "sums", found.of(run, "solver"))
        assert {a.problem_id[:3] for a in ability.attempted(log, "sums")} == {"p0-", "p1-", "p2-"}
    assert list(placed) == [0, 1, 2]
    for at, population in placed.items():
        solver = found.of(run, "solver")[at].ability.value
        assert len(population.problems) == 300
        assert abs(population.mean - solver - HARDER) < 4 * population.standard_error
    # problems became harder as their solvers became abler, at the same distance
    assert placed[2].mean - placed[0].mean > 1


def test_versions_that_were_not_evaluated_place_nothing(folders: dict[str, Path]) -> None:
    with connect(folders["small"]) as log:
        found = ability.standings_of(log, "sums", errors=False)
        some = [s for s in found.versions if s.version == 1]
        assert list(ability.difficulties(log, "sums", some)) == [1]
        attempts = ability.attempted(log, "sums")
    assert ability.difficulty(attempts, {}) is None
    right = [a for a in attempts if a.right]
    assert ability.difficulty(right, {"solver@0": 0.0}) is None


def test_rows_of_the_log_in_memory_are_the_same(folders: dict[str, Path]) -> None:
    with connect(folders["small"]) as log:
        attempts = ability.attempted(log, "sums")
        answers = ability.evaluated(log, "sums")
    made = [rows(at, 0, 0.0) for at in range(3)]
    assert ability.Attempted.among(a for r in made for a in r.attempts) == attempts
    assert [ability.Evaluated.of(e) for r in made for e in r.evaluations] == answers


def test_without_evaluations_there_is_no_scale(folders: dict[str, Path]) -> None:
    with connect(folders["small"]) as log, pytest.raises(NotCalibrated, match="let a round be evaluated"):
        ability.standings_of(log, "other")


def test_skills_are_read_from_logs(folders: dict[str, Path]) -> None:
    with connect(folders["small"]) as small, connect(folders["large"]) as large:
        logs = {"small": small, "large": large}
        cells = ramp.of_cells(logs, "sums")
        assert sum(o.tried for o in cells) == 8 * 36 and {o.skill for o in cells} == set(CELLS)
        assert cells[0].learner == "small solver@0"
        assert ramp.of_feature(logs, "sums", "unknown") == []
        graph = ramp.ramp(cells)
    assert set(graph.nodes) == set(CELLS) and ramp.order(graph)[0] == "1x2"
