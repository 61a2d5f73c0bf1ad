"""How much of a text is left after it was passed on: fidelity along transmission chains.

F_k = cos(e_0, e_k) compares the text k steps down a chain with the one that the chain began with, as in
transmission-chain experiments (Bartlett 1932, "Remembering"; Mesoudi and Whiten 2008, Philosophical
Transactions B 363). Where each step loses the same share, F_k = e^(-lambda k), and half is left after
ln 2 / lambda steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize

from analysis.measures.descent import Through, chains
from analysis.measures.embedding import Embedding, drawn, pairwise
from analysis.measures.estimate import Estimate, Floats, Log, NothingToMeasure, jackknife, numbered

STEEPEST = 50.0
"""Largest decay that is looked for, a step: nothing is left after one."""


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Fidelity along the chains of a log."""

    by_step: dict[int, Estimate]
    """Mean cosine with the beginning, from -1 to 1, by steps from it, 1 or more; n is texts."""
    decay: Estimate
    """lambda, a step; n is texts."""
    half_life: Estimate
    """ln 2 / lambda, in steps; infinite where nothing is lost."""
    chains: int
    """Beginnings: the clusters."""


def decay(steps: npt.ArrayLike, cosines: npt.ArrayLike) -> float:
    """The lambda >= 0 for which e^(-lambda k) is nearest to the cosines, in least squares; each (n,).

    Raises NothingToMeasure for no step.
    """
    k, f = np.asarray(steps, np.int64), np.asarray(cosines, float)
    if not len(k) or (k < 1).any():
        raise NothingToMeasure("expected cosines at steps of 1 or more from a beginning, got none")
    return _decay(np.bincount(k), np.bincount(k, f))


def half_life(rate: float) -> float:
    """ln 2 / lambda, in steps; infinite for 0."""
    return float(np.log(2) / rate) if rate > 0 else float("inf")


def _decay(count: npt.ArrayLike, total: npt.ArrayLike) -> float:
    """By how many texts are so many steps away, and the sum of their cosines; each (steps + 1,)."""
    n, s = np.asarray(count, float), np.asarray(total, float)
    k = np.arange(len(n))
    if not n[1:].any():
        return float("nan")

    def loss(rate: float) -> float:
        left = np.exp(-rate * k)
        return float((n * left**2 - 2 * s * left).sum())

    # the loss may have several valleys where steps disagree: the best of a grid leads into the deepest
    grid = np.concatenate([[0.0], np.geomspace(1e-4, STEEPEST, 60)])
    best = int(np.argmin([loss(rate) for rate in grid]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    found = optimize.minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-9})
    return float(min((0.0, float(found.x)), key=loss)) if low == 0 else float(found.x)


def fidelity(steps: npt.ArrayLike, cosines: npt.ArrayLike, beginnings: npt.ArrayLike) -> Fidelity:
    """Of texts, each (n,): steps from the beginning of its chain, cosine with it, and which it is.

    Intervals are by jackknife over beginnings. Raises NothingToMeasure as :func:`decay`.
    """
    k, f = np.asarray(steps, np.int64), np.asarray(cosines, float)
    rate = decay(k, f)
    at, size = numbered(beginnings)
    count, total = np.zeros((size, k.max() + 1)), np.zeros((size, k.max() + 1))
    np.add.at(count, (at, k), 1)
    np.add.at(total, (at, k), f)
    by_step = {}
    for step in sorted(set(k.tolist())):
        some = count[:, step] > 0
        n, s = count[some, step], total[some, step]
        by_step[step] = jackknife(lambda w, n=n, s=s: _ratio(w @ s, w @ n), int(some.sum()), int(n.sum()))  # type: ignore[misc]
    found = jackknife(lambda w: _decay(w @ count, w @ total), size, len(k))
    found = Estimate(rate, None if found.low is None else max(found.low, 0.0), found.high, found.n)
    # the interval of lambda turned over: the slowest decay has the longest half-life
    low = None if found.high is None else half_life(found.high)
    high = None if found.low is None else half_life(found.low)
    return Fidelity(by_step, found, Estimate(half_life(rate), low, high, len(k)), size)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def of_log(log: Log, through: Through, embedding: Embedding) -> Fidelity:
    """Of the chains of a run; of more than ``MOST`` texts as many are drawn.

    Raises NothingToMeasure where no text came of another.
    """
    placed = [p for p in chains(log, through) if p.depth]
    if not placed:
        raise NothingToMeasure(f"expected texts that came of others by {through}, got none in this log")
    placed = [placed[i] for i in drawn(log, f"fidelity/{through}", len(placed))]
    names = list(dict.fromkeys([p.root for p in placed] + [p.text for p in placed]))
    row = {text: i for i, text in enumerate(names)}
    vectors = embedding.vectors([text.body for text in names])
    cosines: Floats = pairwise(
        vectors[[row[p.root] for p in placed]], vectors[[row[p.text] for p in placed]]
    )
    return fidelity([p.depth for p in placed], cosines, [p.root.revision_id for p in placed])
