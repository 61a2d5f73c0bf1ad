from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from arena.console import Board, duration
from arena.round import Progress
from culture.records import Measure, RoundRows
from tests.analysis.log import round_rows
from tests.culture.rows import example


def held_out(at: int, value: float) -> Measure:
    return replace(example(Measure, at, 0), round=at, name="held_out/solver", domain="sums", value=value)


def run(*measures: Measure) -> Any:
    """As much of a Run as a board looks at: 9 rounds, of which none is committed."""
    return SimpleNamespace(
        folder=Path("runs/school"),
        config=SimpleNamespace(rounds=9),
        state=SimpleNamespace(round=-1),
        lake=SimpleNamespace(records=lambda cls, where: list(measures)),
    )


def progress(phase: str, rows: RoundRows) -> Progress:
    state: Any = SimpleNamespace(library_size=7)
    return Progress(0, phase, rows, state, 0, {})


def shown(board_of: Any, *, terminal: bool, rows: RoundRows, phases: list[str]) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=120, color_system=None)
    with Board(board_of, console) as board:
        for phase in phases:
            board(progress(phase, rows))
    return out.getvalue()


def test_elsewhere_a_line_a_round_and_no_phases() -> None:
    rows = round_rows(0)
    # round 0 evaluates the version before it learned, then the one after
    rows.measures += [held_out(0, 0.1), held_out(0, 0.25)]
    text = shown(
        run(), terminal=False, rows=rows, phases=["warm-up of solver, proposer", "request", "committed"]
    )
    warm, line = text.splitlines()
    assert warm == "warming up solver, proposer"
    assert line.startswith(
        "round 1/9: valid 3/4; new 2; admitted 2; difficulty 4.00; solved 50.0%; held out sums 25.0%; "
        "library 7; generated 200, trained 250 tokens/s; elapsed 0:0"
    )
    assert "left about" in line


@pytest.mark.parametrize("phase", ["propose", "committed"])
def test_on_a_terminal_what_is_known_so_far(phase: str) -> None:
    rows = round_rows(0)
    rows.rounds = rows.rounds if phase == "committed" else []
    text = shown(run(held_out(3, 0.5)), terminal=True, rows=rows, phases=["request", phase])
    assert f"round 1/9, {phase}" in text
    assert "4: 3 valid, 2 new, 2 admitted; rejected: duplicate 1, syntax 1" in text
    assert "4.00 (mean of the admitted)" in text
    # of an earlier session, until there is a newer evaluation
    assert "sums 50.0% (round 4)" in text
    assert ("tokens/s" in text) == (phase == "committed")
    assert ("left about" in text) == (phase == "committed")


def test_warm_up_is_shown() -> None:
    text = shown(run(), terminal=True, rows=RoundRows(), phases=["warm-up of solver, proposer"])
    assert "warming up solver, proposer: first weights" in text


def test_duration() -> None:
    assert [duration(s) for s in (0, 59.6, 3723)] == ["0:00", "1:00", "1:02:03"]
