"""What changes in a culture because some texts are followed more, and what because followers differ.

Price 1970 ("Selection and Covariance", Nature 227): the mean of a trait changes by

    Cov(w, z)/w_mean + E[w dz]/w_mean,

selection and transmission, with w how many follow a text, z its trait and dz how its followers' differs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.measures.descent import Text, Through, descent, texts
from analysis.measures.estimate import Estimate, Floats, Log, NothingToMeasure, from_left_out

TRAITS: Mapping[str, tuple[str, Callable[[Text], float]]] = {
    "length": ("tokens", lambda text: float(text.tokens)),
    "confirmed": ("share", lambda text: float(text.confirmed)),
}
"""Traits of a text by name: their unit, and what they are."""


@dataclass(frozen=True, slots=True)
class Price:
    """The change of the mean of a trait, in its unit, from texts to what follows them."""

    selection: Estimate
    """Cov(w, z)/w_mean; n is texts that could be followed."""
    transmission: Estimate
    """E[w dz]/w_mean."""
    total: Estimate
    """Their sum: the mean over followers less the mean over those that could be followed."""


def price(trait: npt.ArrayLike, followers: npt.ArrayLike, theirs: npt.ArrayLike) -> Price:
    """Of texts, each (n,): trait z, how many follow w, and the mean trait of those.

    ``theirs`` is not looked at where nobody follows. Intervals are by jackknife over texts. Raises
    NothingToMeasure where nobody follows any, ValueError for followers below 0.
    """
    z, w, after = (np.asarray(x, float) for x in (trait, followers, theirs))
    if (w < 0).any():
        raise ValueError(f"expected 0 followers or more, got {w.min():g}")
    if not w.sum():
        raise NothingToMeasure("expected texts that others follow, got none")
    change = np.where(w > 0, after - z, 0.0)
    parts = np.stack([np.ones_like(w), z, w, w * z, w * change])
    whole = parts.sum(axis=1)
    every = _terms(whole[:, None])[:, 0]
    without = _terms(whole[:, None] - parts)
    found = [from_left_out(float(value), left, len(z)) for value, left in zip(every, without, strict=True)]
    return Price(*found)


def _terms(sums: Floats) -> Floats:
    """Selection, transmission and total, (3, m), by sums (5, m) of 1, z, w, wz and w dz."""
    n, z, w, wz, wdz = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        selection = wz / w - z / n  # E[wz]/E[w] - E[z] is the covariance over the mean
        transmission = wdz / w
    return np.stack([selection, transmission, selection + transmission])


def of_log(log: Log, through: Through) -> dict[str, Price]:
    """By trait. A text that follows several counts as a part of each, so that each counts once.

    Those that could be followed are all texts but those of the last round. Raises NothingToMeasure where
    none is.
    """
    known = texts(log)
    parents: defaultdict[str, list[str]] = defaultdict(list)
    for child, parent in descent(log, through, known):
        parents[child].append(parent)
    last = max((text.round for text in known.values()), default=0)
    there = [name for name, text in known.items() if text.round < last]
    row = {name: i for i, name in enumerate(there)}
    found = {}
    for trait, (_, of) in TRAITS.items():
        followers, sums = np.zeros(len(there)), np.zeros(len(there))
        for child, theirs in parents.items():
            for parent in theirs:
                if parent in row:
                    followers[row[parent]] += 1 / len(theirs)
                    sums[row[parent]] += of(known[child]) / len(theirs)
        after = np.divide(sums, followers, out=np.zeros_like(sums), where=followers > 0)
        found[trait] = price([of(known[name]) for name in there], followers, after)
    return found
