"""Measures of a curriculum that emerges, as functions of counts and shares. Each names its source.

What they are applied to, and under which names they are stored, is in ``arena.measuring``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
from scipy import spatial, stats

from culture.records import Attempt, Revisit
from curricula.base import Floats, counted
from curricula.irt import LEVEL

ZONE = (0.2, 0.8)
"""Probabilities of success between which a problem is in the zone: neither out of reach nor mastered."""
NEIGHBOURS = 10
"""Earlier problems that a new one's novelty is measured by."""
WORST = 0.25
"""Share of the cells that count as the worst."""


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over independent observations, with Student's t interval at 95%."""

    value: float
    low: float | None
    """None with one observation, or where none differs from another."""
    high: float | None
    n: int


def mean(values: npt.ArrayLike) -> Mean:
    """Of values, (n,). Raises ValueError for none."""
    x = np.asarray(values, float)
    if not len(x):
        raise ValueError("expected at least one value, got none")
    value = float(x.mean())
    if len(x) < 2 or np.ptp(x) == 0:  # equal values would claim certainty
        return Mean(value, None, None, len(x))
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x)))
    return Mean(value, value - half, value + half, len(x))


def pass_at(k: int, right: npt.ArrayLike, tried: npt.ArrayLike) -> Floats:
    """The probability that one of ``k`` attempts at a problem is right, without bias; each (problems,).

    1 - C(n - c, k) / C(n, k) with n tried and c right (Chen et al. 2021, arXiv 2107.03374, eq. 1). Raises
    ValueError where a problem has fewer than k attempts: there nothing estimates it without bias.
    """
    c, n = np.asarray(right), np.asarray(tried)
    if k < 1 or (n < k).any():
        raise ValueError(
            f"expected at least {k} attempts at each problem and k of 1 or more, got {n.min()}"
        )
    found = np.ones(np.broadcast(c, n).shape)
    for i in range(k):  # the probability that the i-th of k drawn without replacement is wrong as well
        found = found * np.clip((n - c - i) / (n - i), 0, 1)
    return 1 - found


def solved_only_with(
    right_with: npt.ArrayLike,
    tried_with: npt.ArrayLike,
    right_without: npt.ArrayLike,
    tried_without: npt.ArrayLike,
) -> Floats:
    """How probable it is that a problem is solved with help and not without, without bias; each
    (problems,).

    Attempts being independent given the problem, p_with (1 - p_without) is estimated by the product of the
    shares. The mean over problems is the part of the zone of proximal development (Vygotsky 1978) that help
    opens; what is solved without help and not with it tells how much of that chance alone would give.
    """
    return np.asarray(
        np.asarray(right_with)
        / np.asarray(tried_with)
        * (1 - np.asarray(right_without) / np.asarray(tried_without))
    )


def forgetting(matrix: npt.ArrayLike) -> Floats:
    """How much of each task was forgotten, (tasks,); NaN for one that no earlier version was tried on.

    ``matrix`` is R, (versions, tasks), with the success of version i on task j, NaN where it was not tried:
    max over l < T of R[l, j] - R[T, j] with T the last version (Chaudhry et al. 2018, arXiv 1801.10112, eq.
    3). The greatest of several noisy shares is too great, so with few problems a task it is above 0 where
    nothing is forgotten; :func:`backward_transfer` has no such bias.
    """
    r = np.asarray(matrix, float)
    before = r[:-1]
    seen = ~np.isnan(before).all(axis=0) if len(before) else np.zeros(r.shape[1], bool)
    best = np.where(
        seen, np.nanmax(np.where(np.isnan(before), -np.inf, before), axis=0, initial=-np.inf), np.nan
    )
    return np.asarray(best - r[-1])


def backward_transfer(matrix: npt.ArrayLike) -> Floats:
    """What later learning did to each task, (tasks,): R[T, j] less the first R[i, j]; NaN as above.

    ``matrix`` as for :func:`forgetting`. The mean over tasks is BWT (Lopez-Paz and Ranzato 2017, arXiv
    1706.08840, eq. 3), where the first version tried on a task is the one that had just learned it.
    """
    r = np.asarray(matrix, float)
    there = ~np.isnan(r)
    first = np.where(there.any(axis=0), there.argmax(axis=0), 0)
    found = r[-1] - r[first, np.arange(r.shape[1])]
    found[first == len(r) - 1] = np.nan
    return np.asarray(found)


def worst_cells(outcomes: Mapping[str, Sequence[bool]], share: float = WORST) -> list[bool]:
    """Success in the worst cells: the conditional value at risk (Rockafellar and Uryasev 2000) over cells.

    ``outcomes`` are of one version, by cell. Every other outcome ranks the cells; the rest of those of the
    worst ``share`` of the cells (at least one) are returned, since cells that are picked for their failures
    look worse than they are on the same failures. Nothing is, where no cell has two outcomes.
    """
    halves = {cell: (x[::2], x[1::2]) for cell, x in sorted(outcomes.items()) if len(x) > 1}
    ranked = sorted(halves, key=lambda cell: (np.mean(halves[cell][0]), cell))
    worst = ranked[: max(1, round(share * len(ranked)))]
    return [x for cell in worst for x in halves[cell][1]]


def novelty(new: npt.ArrayLike, earlier: npt.ArrayLike, k: int = NEIGHBOURS) -> Floats:
    """The mean distance of each new problem to its ``k`` nearest earlier ones, (new,).

    Problems are their complexity features, (problems, features), compared by log(1 + feature), so that the
    unit is about a factor of e in one of them. The sparseness of novelty search (Lehman and Stanley 2011,
    Evolutionary Computation 19(2), eq. 1), over all earlier problems. Raises ValueError for fewer than
    ``k`` of them.
    """
    x, archive = (np.log1p(np.asarray(v, float)) for v in (new, earlier))
    if len(archive) < k:
        raise ValueError(f"expected at least {k} earlier problems, got {len(archive)}")
    distances, _ = spatial.KDTree(archive).query(x, k=k)
    return np.asarray(np.reshape(distances, (len(x), k)).mean(axis=1))


def frontier(ability: float, difficulty: npt.ArrayLike, place: npt.ArrayLike) -> float | None:
    """The difficulty, in the domain's unit, of what ``ability`` solves half of the time: where b = theta.

    Items of ``difficulty`` (items,), above 0 in the domain's unit, stand at ``place`` (items,) in logits;
    the line between them is least squares of place on log difficulty. None where difficulty does not tell
    places apart, or tells them the wrong way round.
    """
    x, b = np.log(np.asarray(difficulty, float)), np.asarray(place, float)
    if len(x) < 2 or np.ptp(x) == 0:
        return None
    slope = float(((x - x.mean()) * (b - b.mean())).sum() / ((x - x.mean()) ** 2).sum())
    return float(np.exp(x.mean() + (ability - b.mean()) / slope)) if slope > 0 else None


def retained(answers: Iterable[tuple[int, int, str, bool]]) -> Floats:
    """The matrix R of :func:`forgetting`, (versions, tasks), from version, task, problem and whether it was
    right.

    Versions and tasks are in the order of their numbers. Of a task those problems count that the last
    version answered, and of them those that every version that was tried on the task answered, so that a
    column compares like with like.
    """
    rows = list(answers)
    versions, tasks = sorted({v for v, *_ in rows}), sorted({t for _, t, *_ in rows})
    by: dict[tuple[int, int], dict[str, bool]] = {}
    for version, task, problem, right in rows:
        by.setdefault((version, task), {}).setdefault(problem, right)
    matrix = np.full((len(versions), len(tasks)), np.nan)
    for column, task in enumerate(tasks):
        last = by.get((versions[-1], task), {})
        asked = [set(by[v, task]) for v in versions if (v, task) in by]
        common = sorted(set(last).intersection(*asked)) if last else []
        for row, version in enumerate(versions):
            if common and (version, task) in by:
                matrix[row, column] = np.mean([by[version, task][p] for p in common])
    return matrix


def annecs(
    log: duckdb.DuckDBPyConnection,
    domain: str,
    attempts: Sequence[Attempt] = (),
    revisits: Sequence[Revisit] = (),
) -> tuple[int, int]:
    """The accumulated number of novel problems that were beyond the solvers and later solved.

    After Wang et al. 2020 (Enhanced POET, arXiv 2003.08536, section 4). A problem is new by its identity
    (``Domain.identity``). It counts where nobody solved it in the round that set it, and somebody did in a
    later one or when it was revisited. The second number is of those that anybody was given again: of the
    others nothing is known, so the first is a lower bound, and rises with replays and
    ``evaluation.revisits``. ``log`` is of ``culture.connect``; ``attempts`` and ``revisits`` are those of a
    round that it does not have yet.
    """
    tried = [a for a in attempts if a.domain == domain and counted(a)]
    again = [(a.problem_id, a.correct) for a in tried if a.replay]
    again += [(r.problem_id, r.correct) for r in revisits if r.domain == domain]
    first = [a for a in tried if not a.replay]
    row = log.execute(
        """
        WITH beyond AS (
            SELECT problem_id FROM attempts
            WHERE domain = $domain AND NOT replay AND verdict <> 'error'
            GROUP BY problem_id HAVING NOT bool_or(correct)
            UNION ALL SELECT unnest($beyond::VARCHAR[])
        ), again AS (
            SELECT problem_id, correct FROM attempts WHERE replay AND verdict <> 'error'
            UNION ALL SELECT problem_id, correct FROM revisits
            UNION ALL SELECT unnest($again::VARCHAR[]), unnest($correct::BOOLEAN[])
        ), later AS (
            SELECT problem_id, bool_or(correct) AS solved FROM again GROUP BY problem_id
        )
        SELECT count(*) FILTER (solved), count(*) FROM beyond JOIN later USING (problem_id)
        """,
        {
            "domain": domain,
            "beyond": sorted({a.problem_id for a in first} - {a.problem_id for a in first if a.correct}),
            "again": [problem_id for problem_id, _ in again],
            "correct": [correct for _, correct in again],
        },
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])
