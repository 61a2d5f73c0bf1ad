"""How difficult problems are that agents set, on the scale of the anchors, from attempts of known
abilities.

Difficulty and ability change places: abilities of the policy versions that attempted are known, the
difficulty of a problem is what is believed of it after its attempts. A problem has few, so problems of a
set are taken as draws from a normal population, whose mean and spread are estimated from all of them,
single places summed over; a single problem's place is then its expected value a posteriori, drawn towards
the others'.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from curricula.base import Floats
from curricula.irt import Z, log_likelihoods, probability

NODES = np.linspace(-5.0, 5.0, 81)
"""Difficulties that are summed over, in standard deviations of the population from its mean."""
SPREAD = 1.5
"""Logits: the standard deviation of the population that is expected, ..."""
DOUBT = 0.5
"""... and the standard deviation of its logarithm: what a few problems say of their spread is not believed
whatever it is. Five hundred with two attempts each outweigh it."""


@dataclass(frozen=True, slots=True)
class Tries:
    """What attempts of one ability at one problem came to."""

    problem_id: str
    ability: float
    """In logits."""
    right: int
    tried: int


@dataclass(frozen=True, slots=True)
class Placed:
    """One problem on the scale."""

    difficulty: float
    """b, in logits."""
    standard_error: float
    right: int
    tried: int


@dataclass(frozen=True, slots=True)
class Population:
    """A set of problems on the scale."""

    mean: float
    """Of the difficulties, in logits."""
    standard_error: float
    """Of the mean, in logits."""
    deviation: float
    """Standard deviation of the difficulties, in logits."""
    problems: dict[str, Placed]
    """By id."""
    _difficulties: Floats
    """(nodes,): the places that were summed over."""
    _posterior: Floats
    """(problems, nodes): how probable each is for each problem."""

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% interval of the mean."""
        return self.mean - Z * self.standard_error, self.mean + Z * self.standard_error

    def within(self, ability: float, low: float, high: float) -> Floats:
        """The probability that each problem is solved by ``ability`` with a probability in a band,
        (problems,)."""
        p = probability(ability, self._difficulties)
        return cast("Floats", (self._posterior * ((p >= low) & (p <= high))).sum(axis=1))


def place(tries: Iterable[Tries]) -> Population:
    """Place problems by their attempts; see the module.

    The standard error of the mean takes problems as independent given the abilities, which it takes as
    known. Raises ValueError where nothing was tried, and where all attempts were right or none: then the
    problems are only known to lie below, or above, what was asked of them. Raises ArithmeticError where the
    search for mean and spread does not end.
    """
    by_problem: dict[str, list[tuple[float, int, int]]] = {}
    for t in tries:
        if t.tried:
            by_problem.setdefault(t.problem_id, []).append((t.ability, t.right, t.tried))
    names = sorted(by_problem)
    right, tried = (sum(row[at] for rows in by_problem.values() for row in rows) for at in (1, 2))
    if right in (0, tried):
        what = "no attempt" if not tried else "only right ones" if right else "only wrong ones"
        raise ValueError(f"expected right and wrong attempts, got {what}")
    # problems with the same attempts are placed alike: there are few kinds, however many problems
    kind_of = {name: tuple(sorted(by_problem[name])) for name in names}
    kinds = sorted(set(kind_of.values()))
    at_kind = {kind: i for i, kind in enumerate(kinds)}
    kind = np.array([at_kind[kind_of[name]] for name in names])
    row_kind, ability, k, n = (
        np.array(column, float)
        for column in zip(*((i, *row) for i, rows in enumerate(kinds) for row in rows), strict=True)
    )
    table = _Table(row_kind.astype(np.int64), ability, k, n, np.bincount(kind).astype(float))
    mean = float(np.average(ability, weights=n) - np.log(right / (tried - right)))
    # Nelder and Mead's search uses no linear algebra: the same bits everywhere
    options = {"xatol": 1e-6, "fatol": 1e-8, "maxiter": 2000, "maxfev": 4000}
    start = [mean, math.log(SPREAD)]
    best = optimize.minimize(table.loss, start, method="Nelder-Mead", options=options)
    if not best.success:
        raise ArithmeticError(f"expected a mean and a spread of difficulties, got: {best.message}")
    mean, deviation = float(best.x[0]), math.exp(best.x[1])
    nodes, posterior = table.posterior(mean, deviation)
    places = (posterior * nodes).sum(axis=1)
    errors = np.sqrt((posterior * (nodes - places[:, None]) ** 2).sum(axis=1))
    problems = {
        name: Placed(
            float(places[i]), float(errors[i]), *(sum(row[at] for row in kinds[i]) for at in (1, 2))
        )
        for name, i in zip(names, kind, strict=True)
    }
    error = _error(nodes, posterior, table.problems, mean, deviation)
    return Population(mean, error, deviation, problems, nodes, posterior[kind])


@dataclass(frozen=True, slots=True)
class _Table:
    """Kinds of problems, by what was attempted: a row a kind and an ability."""

    kind: npt.NDArray[np.int64]
    ability: Floats
    right: Floats
    tried: Floats
    problems: Floats
    """(kinds,): how many problems are of each."""

    def loss(self, parameters: Floats) -> float:
        """Minus the log of the posterior density of mean and log spread, but for a constant."""
        mean, log_spread = (float(v) for v in parameters)
        log = self._joint(mean, math.exp(log_spread))[1]
        marginal = special.logsumexp(log, axis=1)
        doubt = ((log_spread - math.log(SPREAD)) / DOUBT) ** 2 / 2
        return doubt - float((self.problems * marginal).sum())

    def posterior(self, mean: float, deviation: float) -> tuple[Floats, Floats]:
        """Difficulties, (nodes,), and how probable each is, (kinds, nodes)."""
        nodes, log = self._joint(mean, deviation)
        w = np.exp(log - log.max(axis=1, keepdims=True))
        return nodes, cast("Floats", w / w.sum(axis=1, keepdims=True))

    def _joint(self, mean: float, deviation: float) -> tuple[Floats, Floats]:
        nodes = mean + deviation * NODES
        yes, no = log_likelihoods(self.ability[:, None], nodes)
        log = np.tile(-0.5 * NODES**2, (len(self.problems), 1))
        np.add.at(log, self.kind, self.right[:, None] * yes + (self.tried - self.right)[:, None] * no)
        return nodes, log


def _error(nodes: Floats, posterior: Floats, problems: Floats, mean: float, deviation: float) -> float:
    """The standard error of the mean, the spread being estimated too: from the observed information, what
    complete data would tell less the covariance of its score given the attempts (Louis 1982). Raises
    ArithmeticError where that tells nothing."""
    z = (nodes - mean) / deviation
    scores = np.array([z / deviation, z**2])  # of the mean and of the log of the spread, but for constants
    expected = np.einsum("jq,sq->js", posterior, scores)
    missing = np.einsum("j,jq,sq,tq->st", problems, posterior, scores, scores)
    missing -= np.einsum("j,js,jt->st", problems, expected, expected)
    total = problems.sum()
    complete = np.array([[total / deviation**2, 0.0], [0.0, 2 * total + DOUBT**-2]])
    (mm, ms), (_, ss) = complete - missing
    determinant = mm * ss - ms**2
    if not (ss > 0 and determinant > 0):
        raise ArithmeticError("expected attempts that tell the mean of difficulties, got a flat likelihood")
    return float(np.sqrt(ss / determinant))
