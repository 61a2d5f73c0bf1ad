"""Estimates drawn towards what they have in common, by how little is known of each: empirical Bayes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Shrunken:
    """Effects as a common distribution makes them likely, in the unit of the estimates."""

    mean: float
    """The common mean: what to expect of an effect that nobody has estimated."""
    means: list[float]
    """The posterior mean of each effect."""
    deviations: list[float]
    """The posterior standard deviation of each, given the common mean and variance."""


def shrink(estimates: Sequence[float], errors: Sequence[float]) -> Shrunken:
    """Posterior means and standard deviations of effects that scatter normally about a common mean.

    ``errors``: the standard error of each estimate, above 0. The variance tau^2 between effects is
    DerSimonian and Laird's (1986, "Meta-analysis in clinical trials", Controlled Clinical Trials 7(3));
    given it, mean and effects are those of the normal model (Efron and Morris 1975):
    m_i = mu + tau^2 / (tau^2 + e_i^2) (d_i - mu). With tau^2 = 0, as of a single estimate, all are the
    common mean. Raises ValueError for no estimates at all.
    """
    if not len(estimates):
        raise ValueError("expected an estimate or more, got none")
    d, variance = np.asarray(estimates, float), np.asarray(errors, float) ** 2
    w = 1 / variance
    fixed = (w * d).sum() / w.sum()
    scale = (w * (w.sum() - w)).sum() / w.sum()  # exactly 0 for one, where sum w - sum w^2 / sum w is not
    excess = (w * (d - fixed) ** 2).sum() - (len(d) - 1)
    tau2 = max(0.0, float(excess / scale)) if scale > 0 else 0.0
    weights = 1 / (variance + tau2)
    mu = float((weights * d).sum() / weights.sum())
    kept = tau2 / (tau2 + variance)
    return Shrunken(mu, (mu + kept * (d - mu)).tolist(), np.sqrt(kept * variance).tolist())
