"""Where texts drift to as they are passed on: attractors of a property of theirs.

Perez et al. 2024 ("When LLMs Play the Telephone Game: Cumulative Changes and Attractors in Iterated
Cultural Transmissions", arXiv 2407.04503): y_last = a y_0 + b over chains. With abs(a) < 1 there is one
value that is passed on unchanged, the attractor's position b/(1-a), and chains come nearer to it by its
strength 1 - abs(a): 0 keeps what there was, 1 forgets it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.measures.descent import Text, Through, chains
from analysis.measures.diversity import distinct
from analysis.measures.estimate import Estimate, Floats, Log, NothingToMeasure, Whole, jackknife, numbered

PROPERTIES: Mapping[str, tuple[str, Callable[[Text], float]]] = {
    "length": ("tokens", lambda text: float(text.tokens)),
    "distinct words": ("of its words, from 0 to 1", lambda text: distinct([text.body], 1)),
}
"""Properties of a text by name: their unit, and what they are."""


@dataclass(frozen=True, slots=True)
class Attractor:
    """The attractor of one property."""

    slope: Estimate
    """a; n is chains."""
    intercept: float
    """b, in the property's unit."""
    position: Estimate | None
    """In the property's unit; None where abs(a) is 1 or more, and nothing attracts."""
    strength: Estimate | None
    """From 0 to 1; None likewise."""


def line(first: npt.ArrayLike, last: npt.ArrayLike) -> tuple[float, float]:
    """a and b of the least-squares line through (first, last), each (chains,); NaN where first is all
    one."""
    x, y = np.asarray(first, float), np.asarray(last, float)
    return _line(x, y, np.ones(len(x)))


def _line(x: Floats, y: Floats, weight: Floats) -> tuple[float, float]:
    total = weight.sum()
    if not total:
        return float("nan"), float("nan")
    mx, my = (weight @ x) / total, (weight @ y) / total
    spread = weight @ (x - mx) ** 2
    if spread <= 1e-12 * max(1.0, mx * mx):
        return float("nan"), float("nan")
    slope = float(weight @ ((x - mx) * (y - my)) / spread)
    return slope, float(my - slope * mx)


def attractor(first: npt.ArrayLike, last: npt.ArrayLike, beginnings: npt.ArrayLike) -> Attractor:
    """Of chains, each (chains,): the property where they begin, where they end, and the beginning.

    Intervals are by jackknife over beginnings. Raises NothingToMeasure with fewer than three chains, or
    where all begin alike.
    """
    x, y = np.asarray(first, float), np.asarray(last, float)
    slope, intercept = line(x, y) if len(x) else (float("nan"), float("nan"))
    if len(x) < 3 or np.isnan(slope):
        raise NothingToMeasure(f"expected three chains or more that begin differently, got {len(x)}")
    at, size = numbered(beginnings)

    def over(statistic: Callable[[float, float], float]) -> Estimate:
        def value(kept: Whole) -> float:
            return statistic(*_line(x, y, kept[at].astype(float)))

        return jackknife(value, size, len(x))

    found = over(lambda a, _: a)
    if abs(slope) >= 1:
        return Attractor(found, intercept, None, None)
    position = over(lambda a, b: b / (1 - a) if abs(a) < 1 else float("nan"))
    return Attractor(found, intercept, position, over(lambda a, _: 1 - abs(a)))


def of_log(log: Log, through: Through) -> dict[str, Attractor]:
    """By property; those are absent of which nothing can be said, and there is none without chains."""
    ends = [p for p in chains(log, through) if p.last and p.depth]
    found = {}
    for name, (_, of) in PROPERTIES.items():
        try:
            found[name] = attractor(
                [of(p.root) for p in ends], [of(p.text) for p in ends], [p.root.revision_id for p in ends]
            )
        except NothingToMeasure:
            continue
    return found
