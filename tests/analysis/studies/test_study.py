"""Studies from their logs: verdicts that are printed and written, and when they are not those agreed on."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import analysis.studies.study as command
from analysis.studies import design
from analysis.studies.base import Look, Prediction, Study
from analysis.studies.outcomes import effect, gained, held_out, less, of, success, valid_and_new
from analysis.studies.study import NAMES, judge, runs_of, seeds_of, shipped
from arena.many import Standing
from arena.run_names import Wrong
from arena.settings import dump
from culture import connect
from run_arena import app
from tests.analysis.log import attempt, round_rows, write_log
from tests.arena.test_many import begun

SMALL = Study(
    name="ratchet",
    claim="Wide is more than narrow.",
    design="Two conditions.",
    preset="tiny",
    settings=("domains=[transforms]",),
    conditions={"wide": ("rollout.notes=2",), "narrow": ("rollout.notes=1",)},
    rounds=3,
    seeds=(7, 8),
    minutes=1,
    predictions=(Prediction("held out, wide", of("wide", held_out), 5.0),),
    looks=(Look("held out: wide less narrow", less("wide", "narrow", held_out)),),
)


def ludus(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["study", *arguments])


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of runs, with the finished ones of ``SMALL`` but for those of its last seed."""
    monkeypatch.setattr(command, "shipped", lambda name: SMALL)
    folder = tmp_path / "study-ratchet"
    folder.mkdir()
    design.keep(folder, SMALL)
    for seed, each in runs_of(SMALL, [7, 8]).items():
        for planned in each.values():
            begun(folder, planned, 2 if seed == 8 else 3)
    return tmp_path


def test_a_verdict_is_printed_and_written(runs: Path) -> None:
    result = ludus("ratchet", "--report-only", "--runs", str(runs))
    assert result.exit_code == 0, result.output
    tree = json.loads((runs / "study-ratchet" / "verdict.json").read_text())
    assert tree["seeds"] == [7]
    assert tree["predictions"][0]["by_seed"] == {"7": 70.0}
    assert tree["verdict"] == tree["predictions"][0]["verdict"] == "too noisy to tell"
    assert tree["predictions"][0]["low"] is None
    assert not tree["preregistered"] and tree["changes"] == ["1 of 2 seeds are not finished"]
    assert "verdict: too noisy to tell" in result.stdout
    assert "not the verdict that was agreed on beforehand: 1 of 2 seeds are not finished" in result.stdout
    assert "held out, wide: +70.0 points, at least 5 would matter" in result.stdout
    listed = ludus("--runs", str(runs))
    assert listed.exit_code == 0
    assert "too noisy to tell (not as agreed beforehand)" in listed.stdout


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study's folder, as if all runs in it were finished and the claim had held."""
    monkeypatch.setattr(command, "standing", lambda folder, run: Standing("finished", 3, 3))
    monkeypatch.setattr(command, "connect", lambda folder: nullcontext())
    monkeypatch.setattr(command, "judged", lambda study, logs: ("held", [], []))
    design.keep(tmp_path, SMALL)
    return tmp_path


@pytest.mark.parametrize(
    ("study", "seeds", "rounds", "changes"),
    [
        (SMALL, None, None, []),
        (SMALL, None, 3, []),
        (SMALL, 1, None, ["1 seeds instead of 2"]),
        (SMALL, None, 9, ["9 rounds instead of 3"]),
        (replace(SMALL, rounds=4), None, None, ["the study was changed after its first run was begun"]),
    ],
)
def test_what_was_agreed_on_is_told(
    study: Study, seeds: int | None, rounds: int | None, changes: list[str], finished: Path
) -> None:
    found = judge(study, finished, runs_of(study, seeds_of(study, seeds), rounds), rounds)
    assert found.verdict == "held" and found.changes == changes
    tree = json.loads(found.json())
    assert tree["preregistered"] is (not changes)
    assert any("not the verdict that was agreed on" in line for line in found.lines()) is bool(changes)


def test_a_run_with_other_settings_is_not_judged(runs: Path) -> None:
    folder = runs / "study-ratchet" / "wide-seed7"
    other = runs_of(replace(SMALL, settings=("domains=[arithmetic]",)), [7])[7]["wide"]
    (folder / "run.yaml").write_text(f"{dump(other.config)}\n")
    result = ludus("ratchet", "--report-only", "--runs", str(runs))
    assert result.exit_code == 2, result.output
    assert "to be the run that is to be played, got one with other settings" in result.stderr


def test_nothing_to_judge(runs: Path) -> None:
    result = ludus("ratchet", "--report-only", "--rounds", "5", "--runs", str(runs))
    assert result.exit_code == 2
    assert "expected a seed of which all runs are finished" in result.stderr


def test_another_seed_follows_the_last() -> None:
    assert seeds_of(SMALL, None) == [7, 8]
    assert seeds_of(SMALL, 1) == [7]
    assert seeds_of(SMALL, 5) == [7, 8, 9, 10, 11]


@pytest.mark.parametrize("name", NAMES)
def test_shipped_studies_can_be_played(name: str) -> None:
    found = shipped(name)
    assert found.name == name and found.predictions and found.minutes <= 30
    assert len(found.seeds) >= 4 and len(set(found.seeds)) == len(found.seeds)
    assert min(found.seeds) > 100  # those below were looked at while presets were chosen
    (runs,) = runs_of(found, [found.seeds[0]]).values()  # raises where a setting is bad
    assert set(runs) == set(found.conditions)
    assert all(p.config.rounds == found.rounds and p.config.cluster.local for p in runs.values())
    text = (Path(__file__).parents[3] / "docs" / "studies.md").read_text()
    assert f"| `{name}` | {found.claim} |" in text
    assert f"| {len(found.conditions) * len(found.seeds)} | {found.minutes:g} |" in text


def test_no_seed_is_in_two_studies() -> None:
    seeds = [seed for name in NAMES for seed in shipped(name).seeds]
    assert len(set(seeds)) == len(seeds)


def test_no_such_study() -> None:
    with pytest.raises(Wrong, match="write 'ratchet' instead"):
        shipped("rachet")


def test_outcomes_by_hand(tmp_path: Path) -> None:
    rounds = [round_rows(at) for at in range(3)]
    rounds[2].attempts.append(attempt(99, "p2-1", "library", False, at=2))
    folder = write_log(tmp_path / "log", rounds)
    with connect(folder) as log:
        logs = {"a": log}
        assert of("a", held_out)(logs) == pytest.approx(70.0)
        # 1 of 10 before, 7 of 10 at the end
        assert of("a", gained)(logs) == pytest.approx(60.0)
        assert less("a", "a", held_out)(logs) == 0.0
        assert success("library", 1)(log) == pytest.approx(50.0)
        assert success("library", 3)(log) == pytest.approx(75.0)
        # library 3 of 4; none in rounds 0 and 2 of three
        assert effect("library", "none")(log) == pytest.approx(75 - 200 / 3)
        assert effect("library", "none", last=1)(log) == pytest.approx(-50.0)
        assert effect("placebo", "none")(log) != effect("placebo", "none")(log)  # NaN: no such arm
        # of four proposals a round one is no problem and one was there before
        assert valid_and_new(-2)(log) == valid_and_new(0, 1)(log) == pytest.approx(50.0)
        assert valid_and_new(-9, 2)(log) == valid_and_new()(log) == pytest.approx(50.0)
