"""Whether what most models do is taken up more than in proportion: conformist transmission.

Boyd and Richerson 1985 ("Culture and the Evolutionary Process", ch. 7): of two variants the one that a
share p of the models has is taken up with the probability p + D p(1-p)(2p-1). D > 0 is conformity, D < 0
favours what is rare, 0 copies a model drawn at random.

In a log the models are the notes that an attempt was shown, and a variant is a word or run of symbols that
some of them have and some have not; taking it up is to write it. Not everything that is read is taken up,
so a rate c goes before the whole: c (p + D p(1-p)(2p-1)), of which c = 1 is the original. What would have
been written anyway is taken off: the share of control attempts at the same problem in the same round that
wrote it. Why notes agree is not controlled for: what several say may be what the problem needs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.measures.estimate import Estimate, Floats, Log, NothingToMeasure, jackknife, numbered
from culture.terms import split

FEWEST = 3
"""Notes that an attempt was shown: of two every share of models is 0, a half or 1, which say nothing of
D."""

READERS = """
SELECT a.attempt_id, a.problem_id, a.round, a.completion, list(v.body ORDER BY r.rank) AS bodies
FROM attempts a JOIN reads r ON r.attempt_id = a.attempt_id AND r.arm = 'library'
JOIN revisions v USING (revision_id)
WHERE a.verdict <> 'error'
GROUP BY a.attempt_id, a.problem_id, a.round, a.completion HAVING count(*) >= $fewest
ORDER BY a.round, a.attempt_id
"""
CONTROLS = """
SELECT problem_id, round, attempt_id, completion FROM attempts
WHERE arm = 'none' AND verdict <> 'error' ORDER BY round, attempt_id
"""
TURNS = (
    "SELECT attempt_id, string_agg(completion, ' ' ORDER BY turn) FROM actions WHERE NOT lookup GROUP BY 1"
)


@dataclass(frozen=True, slots=True)
class Conformity:
    """How variants are taken up."""

    conformity: Estimate
    """D; n is choices, a reader's about a variant."""
    copying: Estimate
    """c, the rate at which what all but everyone has is taken up, from 0 to 1."""


def bent(p: npt.ArrayLike) -> Floats:
    """p(1-p)(2p-1), what D multiplies, (n,); at most 0.0962."""
    x = np.asarray(p, float)
    return np.asarray(x * (1 - x) * (2 * x - 1))


def adopted(p: npt.ArrayLike, d: float) -> Floats:
    """The probability p' that a variant is taken up which a share p has, (n,): Boyd and Richerson's
    rule."""
    return np.asarray(p, float) + d * bent(p)


def conformity(p: npt.ArrayLike, taken: npt.ArrayLike, clusters: npt.ArrayLike) -> Conformity:
    """D and c by least squares of what was taken up on p and p(1-p)(2p-1); each (choices,).

    ``p`` is the share of models with the variant, ``taken`` whether it was taken up, less what controls
    did. Intervals are by jackknife over ``clusters``, of choices that are not independent. Raises
    NothingToMeasure where the shares do not tell D from c, as with only one share or with two that are 1 in
    all.
    """
    x, y = np.asarray(p, float), np.asarray(taken, float)
    at, size = numbered(clusters) if len(x) else (np.zeros(0, np.int64), 0)
    b = bent(x)
    columns = np.array([x * x, x * b, b * b, x * y, b * y])
    sums = np.array([np.bincount(at, column, minlength=size) for column in columns])

    def both(kept: npt.NDArray[np.int64]) -> tuple[float, float]:
        xx, xb, bb, xy, by = sums @ kept
        determinant = xx * bb - xb * xb
        if determinant <= 1e-9 * max(xx * bb, 1e-12):
            return float("nan"), float("nan")
        return (bb * xy - xb * by) / determinant, (xx * by - xb * xy) / determinant

    copying, _ = both(np.ones(size, np.int64)) if size else (float("nan"), float("nan"))
    if np.isnan(copying) or copying == 0:
        raise NothingToMeasure(
            "expected variants that different shares of the models have, and that are taken up, got none"
        )

    def d(kept: npt.NDArray[np.int64]) -> float:
        c, cd = both(kept)
        return float(cd / c) if c else float("nan")

    return Conformity(
        jackknife(d, size, len(x)), jackknife(lambda kept: float(both(kept)[0]), size, len(x))
    )


def choices(log: Log) -> tuple[list[float], list[float], list[str]]:
    """What readers took up of what they were shown: shares of models, taken less controls, problems; each
    (choices,).

    Of attempts in the arm ``library`` that were shown ``FEWEST`` notes or more and have controls.
    """
    turns = dict(log.execute(TURNS).fetchall())
    controls: defaultdict[tuple[str, int], list[set[str]]] = defaultdict(list)
    for problem, round, attempt, completion in log.execute(CONTROLS).fetchall():
        controls[problem, round].append(_variants(f"{turns.get(attempt, '')} {completion}"))
    found: tuple[list[float], list[float], list[str]] = ([], [], [])
    for attempt, problem, round, completion, bodies in log.execute(READERS, {"fewest": FEWEST}).fetchall():
        others = controls.get((problem, round))
        if not others:
            continue
        wrote = _variants(f"{turns.get(attempt, '')} {completion}")
        having = Counter(variant for body in bodies for variant in _variants(body))
        for variant, models in sorted(having.items()):
            if models < len(bodies):
                anyway = sum(variant in other for other in others) / len(others)
                found[0].append(models / len(bodies))
                found[1].append((variant in wrote) - anyway)
                found[2].append(problem)
    return found


def _variants(text: str) -> set[str]:
    words, runs = split(text)
    return {*words, *runs}


def of_log(log: Log) -> Conformity:
    """Of a run; clusters are problems. Raises NothingToMeasure where nobody was shown so many notes."""
    found = choices(log)
    if not found[0]:
        raise NothingToMeasure(
            f"expected attempts that were shown {FEWEST} notes or more, which differ, and controls at the "
            "same problems, got none; rollout.notes says how many are shown"
        )
    return conformity(*found)
