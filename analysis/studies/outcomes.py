"""Outcomes that studies share: one number out of a run's log, in points, and differences of two runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from analysis.scores import held_out as answers
from analysis.studies.base import Log, Outcome
from culture.effect import culture_effect
from culture.records import Arm

Number = Callable[[Log], float]


def held_out(log: Log) -> float:
    """Share of the held-out anchors solved at the end, without notes."""
    return 100 * answers(log).mean


def gained(log: Log) -> float:
    """Share of the held-out anchors solved at the end less that of the versions before any learning."""
    row = log.execute(
        "SELECT avg(correct::INT) FROM evaluations WHERE policy_version LIKE '%@0'"
    ).fetchone()
    return held_out(log) - _points(row)


def success(arm: Arm, last: int) -> Number:
    """Share of right attempts in an arm in the ``last`` rounds."""

    def number(log: Log) -> float:
        row = log.execute(
            "SELECT avg(correct::INT) FROM attempts WHERE arm = $arm AND verdict <> 'error' "
            "AND round > (SELECT max(round) FROM rounds) - $last",
            {"arm": arm, "last": last},
        ).fetchone()
        return _points(row)

    return number


def effect(treatment: Arm, control: Arm, *, last: int | None = None) -> Number:
    """The difference between two arms by intention to treat, in the ``last`` rounds or all."""

    def number(log: Log) -> float:
        rounds = None
        if last is not None:
            row = log.execute("SELECT max(round) + 1 FROM rounds").fetchone()
            assert row is not None
            rounds = range(max(0, int(row[0]) - last), int(row[0]))
        for found in culture_effect(log, rounds=rounds):
            if (found.treatment, found.control) == (treatment, control):
                return 100 * found.difference
        return math.nan

    return number


def valid_and_new(first: int = 0, end: int | None = None) -> Number:
    """Share of what the proposers' policy wrote that is a problem and was none before.

    In the rounds from ``first`` to before ``end``, as in a slice: negative numbers count from the last
    round, and None is to the end.
    """

    def number(log: Log) -> float:
        total = log.execute("SELECT max(round) + 1 FROM rounds").fetchone()
        assert total is not None
        low, high, _ = slice(first, end).indices(int(total[0]))
        row = log.execute(
            "SELECT avg((answer_key IS NOT NULL AND reason IS DISTINCT FROM 'duplicate')::INT) "
            "FROM problems WHERE origin = 'policy' AND failure_source IS DISTINCT FROM 'infrastructure' "
            "AND round >= ? AND round < ?",
            [low, high],
        ).fetchone()
        return _points(row)

    return number


def of(condition: str, number: Number) -> Outcome:
    """A number of one condition's run."""

    def outcome(logs: Mapping[str, Log]) -> float:
        return number(logs[condition])

    return outcome


def less(one: str, other: str, number: Number) -> Outcome:
    """A number of one condition's run less that of another's with the same seed."""

    def outcome(logs: Mapping[str, Log]) -> float:
        return number(logs[one]) - number(logs[other])

    return outcome


def _points(row: tuple[object, ...] | None) -> float:
    return math.nan if row is None or row[0] is None else 100 * float(str(row[0]))
