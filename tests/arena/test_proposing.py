"""What proposers are paid for what is no new problem."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from arena.config import RunConfig
from arena.proposing import pay
from arena.settings import load
from curricula import make_strategy
from tests.analysis.log import problem


@pytest.mark.parametrize(
    ("sets", "duplicate", "invalid"),
    [
        ([], 0.0, -1.0),
        (["curriculum.duplicate_payment=1.0"], 1.0, -1.0),
        (["curriculum.invalid_payment=0.5"], 0.0, 0.5),
    ],
)
def test_payment_of_what_is_not_attempted(sets: list[str], duplicate: float, invalid: float) -> None:
    config = load("tiny", ["curriculum.strategy=uniform", *sets], RunConfig)
    problems = [
        problem(0, 0, 4.0, "duplicate"),
        problem(0, 1, None, "invalid:syntax"),
        problem(0, 2, 4.0, "anchor"),
        replace(problem(0, 3, None, "error:verifier"), failure_source="infrastructure"),
    ]
    play = SimpleNamespace(
        config=config,
        state=SimpleNamespace(strategy=make_strategy(config.curriculum, ["sums"])),
        rows=SimpleNamespace(problems=problems),
    )
    pay(cast("Any", play), [])
    assert [p.payment for p in play.rows.problems] == [duplicate, invalid, 0.0, None]
