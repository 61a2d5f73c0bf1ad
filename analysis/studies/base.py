"""What a study is: a claim, the runs that test it, and thresholds that were fixed before any was played.

A prediction is about a difference that is one number a seed, in points: an interval over seeds (Student's
t) decides it. It **held** where the interval is above 0 and the mean at least the smallest difference that
would matter; it **did not hold** where the interval is below that difference, so that what there may be is
too little; else it is **too noisy to tell**. A claim held where all its predictions did, and did not where
one did not: asking for all needs no correction for their number (Berger 1982). What a study looks at beside
its claim is corrected after Holm and decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import duckdb

from analysis.statistics import Estimate, holm, paired_t_p, sign_flip_p, t_interval

Log = duckdb.DuckDBPyConnection
Outcome = Callable[[Mapping[str, Log]], float]
"""From the logs of one seed, by condition, to a number in points; NaN where it cannot be told."""
Verdict = Literal["held", "did not hold", "too noisy to tell"]


@dataclass(frozen=True, slots=True)
class Prediction:
    """A difference that the claim says is there."""

    what: str
    """What less what, in words."""
    outcome: Outcome
    at_least: float
    """The smallest difference that would matter, in points, above 0."""


@dataclass(frozen=True, slots=True)
class Look:
    """A number that is reported beside the claim and decides nothing."""

    what: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Study:
    """A claim and how it is tested."""

    name: str
    claim: str
    design: str
    """What is played and compared, in a few sentences."""
    preset: str
    settings: tuple[str, ...]
    """Overrides of all runs, as for ``--set``."""
    conditions: Mapping[str, tuple[str, ...]]
    """Overrides of each condition, by its name."""
    rounds: int
    seeds: tuple[int, ...]
    """Which the settings and thresholds were not chosen on."""
    minutes: float
    """About how long it takes on two idle cores."""
    predictions: tuple[Prediction, ...]
    looks: tuple[Look, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a prediction or a look."""

    what: str
    by_seed: Mapping[int, float]
    """In points."""
    estimate: Estimate
    """Mean over seeds with Student's t, in points."""
    sign_flip_p: float
    at_least: float | None
    """The threshold; None for a look."""
    verdict: Verdict | None
    """None for a look."""
    holm_p: float | None
    """Paired t after Holm over all looks; None for a prediction."""


def decided(estimate: Estimate, at_least: float) -> Verdict:
    """The verdict on one prediction. Raises ValueError where ``at_least`` is not above 0."""
    if not at_least > 0:
        raise ValueError(f"expected a smallest difference above 0, got {at_least}")
    if math.isnan(estimate.value) or estimate.low is None or estimate.high is None:
        return "too noisy to tell"
    if estimate.high < at_least:
        return "did not hold"
    if estimate.low > 0 and estimate.value >= at_least:
        return "held"
    return "too noisy to tell"


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict on a claim by those on its predictions."""
    if "did not hold" in verdicts:
        return "did not hold"
    if verdicts and all(v == "held" for v in verdicts):
        return "held"
    return "too noisy to tell"


def judged(study: Study, logs: Mapping[int, Mapping[str, Log]]) -> tuple[Verdict, list[Found], list[Found]]:
    """The verdict, what came of the predictions and of the looks, from the logs by seed and condition.

    Only seeds of which all conditions are finished belong in ``logs``.
    """
    predicted, looked = [], []
    for prediction in study.predictions:
        values = {seed: prediction.outcome(each) for seed, each in logs.items()}
        estimate = t_interval(list(values.values()))
        verdict = decided(estimate, prediction.at_least)
        p = sign_flip_p(list(values.values()))
        predicted.append(Found(prediction.what, values, estimate, p, prediction.at_least, verdict, None))
    shown = [{seed: look.outcome(each) for seed, each in logs.items()} for look in study.looks]
    corrected = holm([paired_t_p(list(values.values())) for values in shown])
    for look, values, p in zip(study.looks, shown, corrected, strict=True):
        numbers = list(values.values())
        looked.append(Found(look.what, values, t_interval(numbers), sign_flip_p(numbers), None, None, p))
    verdicts = [found.verdict for found in predicted if found.verdict is not None]
    return together(verdicts), predicted, looked
