"""Logistic regression with errors that are robust to clusters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from analysis.measures.estimate import Floats, NothingToMeasure, numbered

STEPS = 100
"""Newton steps after which a maximum is taken not to exist."""
SEPARATED = 15.0
"""Logits: a linear predictor further out than that says that the outcome is told without error."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients in logits a unit of their column, and their covariance."""

    coefficients: Floats
    """(columns,)."""
    covariance: Floats
    """(columns, columns), clustered."""
    observations: int
    clusters: int

    @property
    def errors(self) -> Floats:
        """Standard errors, (columns,)."""
        return np.sqrt(np.diag(self.covariance))


def logistic(columns: npt.ArrayLike, outcome: npt.ArrayLike, clusters: npt.ArrayLike) -> Fit:
    """By maximum likelihood; ``columns`` (n, columns) with a constant among them, the others (n,).

    The covariance is H^-1 (G/(G-1) sum_g s_g s_g') H^-1 with H the Hessian and s_g the score of cluster g
    (Liang and Zeger 1986, Biometrika 73; Cameron and Miller 2015, section VII). Raises NothingToMeasure
    where no maximum exists: outcomes all alike, columns that follow from one another, or outcomes that
    the columns separate.
    """
    x, y = np.asarray(columns, float), np.asarray(outcome, float)
    if not len(y) or y.min() == y.max():
        raise NothingToMeasure("expected outcomes of both kinds, got " + ("one kind" if len(y) else "none"))
    if np.linalg.matrix_rank(x) < x.shape[1]:
        raise NothingToMeasure("expected columns that do not follow from one another, got some that do")
    b = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = special.expit(x @ b)
        hessian = (x * (p * (1 - p))[:, None]).T @ x
        score = x.T @ (y - p)
        try:
            step = np.linalg.solve(hessian, score)
        except np.linalg.LinAlgError:
            break
        # of a long step a part: the likelihood falls where Newton overshoots
        b = b + step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-10:
            return Fit(b, _covariance(x, y, b, clusters), len(y), numbered(clusters)[1])
        if np.abs(x @ b).max() > SEPARATED:
            break
    raise NothingToMeasure(
        "expected outcomes that overlap, got ones that the columns tell apart without error"
    )


def _covariance(x: Floats, y: Floats, b: Floats, clusters: npt.ArrayLike) -> Floats:
    at, size = numbered(clusters)
    p = special.expit(x @ b)
    inverse = np.linalg.inv((x * (p * (1 - p))[:, None]).T @ x)
    scores = np.zeros((size, x.shape[1]))
    np.add.at(scores, at, x * (y - p)[:, None])
    factor = size / (size - 1) if size > 1 else float("nan")
    return np.asarray(factor * inverse @ (scores.T @ scores) @ inverse)
