"""Verdicts: what an interval says of a threshold, and several of a claim."""

from __future__ import annotations

import math
from collections.abc import Mapping

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.statistics import Estimate, t_interval
from analysis.studies.base import Log, Look, Prediction, Study, decided, judged, together


@pytest.mark.parametrize(
    ("low", "value", "high", "verdict"),
    [
        (1.0, 4.0, 7.0, "held"),
        (0.1, 2.0, 3.9, "held"),
        (-0.1, 4.0, 8.1, "too noisy to tell"),
        (0.5, 1.5, 2.5, "too noisy to tell"),  # there is something, and it may matter or not
        (0.5, 1.0, 1.5, "did not hold"),  # there is something, too little to matter
        (-3.0, -1.0, 1.0, "did not hold"),
        (-9.0, 0.0, 9.0, "too noisy to tell"),
    ],
)
def test_a_prediction_is_decided_by_its_interval(
    low: float, value: float, high: float, verdict: str
) -> None:
    assert decided(Estimate(value, low, high), 2.0) == verdict


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=8), st.floats(0.1, 10))
def test_no_data_both_hold_and_fail(values: list[float], at_least: float) -> None:
    mirrored = [-v for v in values]
    found = {decided(t_interval(values), at_least), decided(t_interval(mirrored), at_least)}
    assert found != {"held"}


def test_nothing_is_decided_without_an_interval() -> None:
    assert decided(Estimate(9.0, None, None), 2.0) == "too noisy to tell"
    assert decided(Estimate(math.nan, None, None), 2.0) == "too noisy to tell"
    with pytest.raises(ValueError, match="above 0"):
        decided(Estimate(1.0, 0.5, 1.5), 0.0)


def test_a_claim_needs_all_its_predictions() -> None:
    assert together(["held", "held"]) == "held"
    assert together(["held", "too noisy to tell"]) == "too noisy to tell"
    assert together(["too noisy to tell", "did not hold"]) == "did not hold"
    assert together([]) == "too noisy to tell"


def number(logs: Mapping[str, Log]) -> float:
    row = logs["a"].execute("SELECT x FROM t").fetchone()
    assert row is not None
    return float(row[0])


def test_judged() -> None:
    logs = {}
    for seed, x in enumerate((3.0, 4.0, 5.0)):
        log = duckdb.connect()
        log.execute("CREATE TABLE t AS SELECT ? AS x", [x])
        logs[seed] = {"a": log}
    study = Study(
        name="s", claim="c", design="d", preset="tiny", settings=(), conditions={"a": ()}, rounds=2,
        seeds=(0, 1, 2), minutes=1,
        predictions=(Prediction("a", number, 1.0), Prediction("b", lambda logs: 10 * number(logs), 60.0)),
        looks=(Look("l", number), Look("m", lambda logs: math.nan)),
    )  # fmt: skip
    verdict, predicted, looked = judged(study, logs)
    assert verdict == "too noisy to tell"
    assert [found.verdict for found in predicted] == ["held", "too noisy to tell"]
    assert predicted[0].by_seed == {0: 3.0, 1: 4.0, 2: 5.0} and predicted[0].sign_flip_p == 0.25
    assert looked[0].holm_p == pytest.approx(0.0202, abs=1e-3)  # t = 4 / (1 / sqrt 3), two degrees
    assert looked[1].holm_p is not None and math.isnan(looked[1].holm_p)
