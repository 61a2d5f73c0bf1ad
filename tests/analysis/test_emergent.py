from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.emergent import emergence_lines, scale_lines
from culture import connect
from culture.records import Measure, RoundRows
from tests.analysis.log import write_log
from tests.culture.rows import example
from tests.curricula.scaled import ABILITY, HARDER, rows


def measure(at: int, name: str, value: float | None, *, certain: bool = False) -> Measure:
    ends = (None, None) if certain or value is None else (value - 0.1, value + 0.1)
    return replace(
        example(Measure, at, 0), name=name, domain="sums", value=value, low=ends[0], high=ends[1]
    )


def log_of(folder: Path, *, evaluated: bool = True) -> Path:
    made: list[RoundRows] = []
    for at in range(3):
        row = rows(at, 0, 0.0)
        row.measures = [
            measure(at, "zone/solver", 0.2 + 0.1 * at, certain=True),
            measure(at, "zone_library", 0.25),
            measure(at, "backward_transfer/solver", 0.125 * at if at else None),
            measure(at, "surprisal", 1.0),
        ]
        row.revisits = []
        if made:  # two problems that nobody solved at first, one of which is solved now
            tries = made[0].attempts[:600]
            beyond = sorted({a.problem_id for a in tries} - {a.problem_id for a in tries if a.correct})[:2]
            row.attempts += [
                replace(tries[0], attempt_id=f"r{at}{n}", problem_id=name, replay=True, correct=n == 0)
                for n, name in enumerate(beyond)
            ]
        if not evaluated:
            row.evaluations = []
        made.append(row)
    return write_log(folder, made)


def numbers(text: str) -> list[float]:
    return [float(x) for x in re.findall(r"[-+]\d+\.\d+", text)]


def test_where_policies_and_problems_stand(tmp_path: Path) -> None:
    with connect(log_of(tmp_path / "run")) as log:
        (label, able), (other, hard) = scale_lines(log)
    assert (label, other) == ("sums, ability", "sums, problems")
    assert re.fullmatch(
        r"solver: \S+ \[\S+, \S+\] at the start -> \S+ \[\S+, \S+\] in round 2; "
        r"the last fits with infit \d\.\d\d, outfit \d\.\d\d",
        able,
    )
    start, low, high, last, *_ = numbers(able)
    assert low < start < high and low < ABILITY[0] < high and last > start + 2
    first, _, _, gap, *_, later = numbers(hard)
    assert first == pytest.approx(start + gap, abs=0.02)
    assert gap == pytest.approx(HARDER, abs=0.7) and later == pytest.approx(HARDER, abs=0.7)


def test_measures_are_told_from_first_to_last(tmp_path: Path) -> None:
    with connect(log_of(tmp_path / "run")) as log:
        found = dict(emergence_lines(log))
    zone, of = found["sums, in the zone"].split("; ")
    assert zone == "solver: 20.0% in round 0 -> 40.0% in round 2" and of.startswith("of new problems")
    library = found["sums, with the library only"]
    assert library == "25.0% in round 0 -> 25.0% [15.0%, 35.0%] in round 2; of new problems"
    earlier = found["sums, earlier problems"]
    assert earlier.startswith("solver: +12.5% in round 1 -> +25.0% [+15.0%, +35.0%] in round 2; ")
    assert found["sums, solved later"].startswith("1 of the 2 problems that nobody solved at first")
    assert len(found) == 4


def test_nothing_is_told_of_what_is_not_there(tmp_path: Path) -> None:
    with connect(log_of(tmp_path / "run", evaluated=False)) as log:
        assert scale_lines(log) == []
        assert "sums, solved later" not in dict(emergence_lines(log))


def test_a_scale_that_is_not_fixed_is_said_to_be_none(tmp_path: Path) -> None:
    row = rows(0, 0, 0.0)
    row.evaluations = [replace(e, correct=False) for e in row.evaluations]
    with connect(write_log(tmp_path / "run", [row])) as log:
        ((label, text),) = scale_lines(log)
    assert label == "sums, ability" and text.startswith("no scale yet: expected right and wrong answers")
