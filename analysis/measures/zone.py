"""How much of the space of problems lies in the zone of proximal development.

A share of problems in the zone is also had by setting one problem over and over. So it is multiplied by how
much of a grid over all of a run's problems those in the zone occupy, as archives of quality-diversity
measure coverage (Mouret and Clune 2015, arXiv 1504.04909). The grid lies in the plane of the first two
principal components of the problems' vectors; of each problem it is known with what probability it is in
the zone (``curricula.placing``), from which the expected share and the expected number of cells follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from scipy import sparse

from analysis.measures.embedding import Embedding, Vectors, drawn
from analysis.measures.estimate import Estimate, Log, NothingToMeasure, Whole, from_left_out, numbered
from culture.seeds import derive
from curricula.ability import attempted, difficulty
from curricula.emergence import ZONE

SIDE = 10
"""Cells along each side of the grid."""
PARTS = 20
"""Parts of the problems that are left out in turn for intervals."""

TEXTS = """
SELECT problem_id, round, spec FROM problems
WHERE domain = $domain AND status = 'admitted' AND spec IS NOT NULL ORDER BY rowid
"""


@dataclass(frozen=True, slots=True)
class Zone:
    """Of some problems."""

    share: Estimate
    """In the zone, from 0 to 1; n is problems."""
    cells: Estimate
    """Of the grid, that problems in the zone occupy, in cells."""
    product: Estimate
    """Share times cells, in cells."""
    grid: int
    """Cells that any problem of the run occupies: as many can be."""


def grid(vectors: Vectors, side: int = SIDE) -> Whole:
    """The cell of each text, (n,), in a grid of ``side`` by ``side`` cells over all of them, without a gap.

    Each side is cut into stretches of equal length from the least to the greatest.
    """
    from sklearn.decomposition import PCA

    if min(vectors.shape) < 3:
        few: Any = vectors
        flat = (few.toarray() if sparse.issparse(few) else few)[:, :2]
    else:
        # arpack takes sparse vectors as they are; where it starts does not matter, but is kept
        flat = PCA(2, svd_solver="arpack", random_state=0).fit_transform(vectors)
    low, high = flat.min(axis=0), flat.max(axis=0)
    reach = np.where(high > low, high - low, 1.0)
    place = np.minimum((side * (flat - low) / reach).astype(np.int64), side - 1)
    return cast("Whole", place @ (side ** np.arange(place.shape[1])))


def occupied(probability: npt.ArrayLike, cells: npt.ArrayLike) -> tuple[float, float]:
    """Expected share of problems in the zone, and expected number of cells that those occupy.

    Of problems, each (n,): the probability q that it is in the zone, and its cell. The mean of q, and the
    sum over cells of 1 - prod (1 - q). Raises NothingToMeasure for none.
    """
    q = np.asarray(probability, float)
    if not len(q):
        raise NothingToMeasure("expected problems that were attempted, got none")
    at, size = numbered(cells)
    missed = np.ones(size)
    np.multiply.at(missed, at, 1 - q)
    return float(q.mean()), float((1 - missed).sum())


def of_log(log: Log, domain: str, embedding: Embedding, rounds: range | None = None) -> Zone:
    """Of the problems of a domain, set in all rounds or in some, for those who attempted them first.

    A problem is in the zone where they solve it with a probability within ``ZONE``. Of more than ``MOST``
    problems as many are drawn. Intervals are by jackknife over ``PARTS`` parts of the problems, which are
    placed anew without each: what a problem's probability is depends on the others. Raises NothingToMeasure
    where all were solved, or none.
    """
    rows = log.execute(TEXTS, {"domain": domain}).fetchall()
    rows = [rows[i] for i in drawn(log, f"zone/{domain}", len(rows))]
    cell = dict(zip((row[0] for row in rows), _cells(embedding, rows), strict=True))
    tries = [a for a in attempted(log, domain) if rounds is None or a.round in rounds]
    tries = [a for a in tries if a.problem_id in cell]
    part = {name: derive(0, "zone", name) % PARTS for name in cell}

    def without(left_out: int | None) -> tuple[int, float, float]:
        some = [a for a in tries if part[a.problem_id] != left_out]
        # beside an ability of 0 a difficulty is the distance from it
        placed = difficulty(some, {a.policy_version: 0.0 for a in some})
        if placed is None:
            return 0, float("nan"), float("nan")
        names = list(placed.problems)
        return len(names), *occupied(placed.within(0.0, *ZONE), [cell[name] for name in names])

    n, share, cells = without(None)
    if not n:
        raise NothingToMeasure(
            "expected problems of which some attempts without notes were right and some wrong, got none"
        )
    left = np.array([without(i)[1:] for i in range(PARTS)])
    return Zone(
        from_left_out(share, left[:, 0], n),
        from_left_out(cells, left[:, 1], n),
        from_left_out(share * cells, left[:, 0] * left[:, 1], n),
        len(set(cell.values())),
    )


def _cells(embedding: Embedding, rows: list[tuple[str, int, str]]) -> list[int]:
    return grid(embedding.vectors([spec for _, _, spec in rows])).tolist() if rows else []
