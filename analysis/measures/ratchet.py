"""Whether each generation gets further than the one before, and than one lifetime does: the ratchet.

Caldwell and Millen 2008 (Evolution and Human Behavior 29) compare P_g with P_{g-1}, chain by chain; Cook et
al. 2024 ("Artificial Generational Intelligence", arXiv 2406.00392) the last generation with a single
lifetime of equal compute. P_g is success on the frozen anchors, answered without notes, in the last
evaluated round of a generation, so differences are paired by anchor; of several policies the mean counts,
since the same anchors tell nothing new of the next one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from analysis.measures.estimate import Estimate, Log, NothingToMeasure
from culture.wilson import wilson
from curricula.emergence import mean

BIRTHS = """
SELECT born FROM agents GROUP BY born
HAVING born = 0 OR EXISTS (FROM agents a WHERE a.retired = agents.born) ORDER BY born
"""
ANSWERS = """
SELECT round, domain, anchor_id, avg(correct::INT) AS share FROM (
    SELECT e.*, p.policy, row_number() OVER (
        PARTITION BY e.round, e.domain, e.anchor_id, p.policy ORDER BY p.version DESC
    ) AS newest
    FROM evaluations e JOIN policies p USING (policy_version)
) WHERE newest = 1 GROUP BY round, domain, anchor_id ORDER BY round, domain, anchor_id
"""
SPENT = "SELECT coalesce(sum(generated_tokens), 0) + coalesce(sum(trained_tokens), 0) FROM rounds"


@dataclass(frozen=True, slots=True)
class Generation:
    """What the agents of one generation came to."""

    number: int
    """From 0."""
    evaluated: int
    """The round of the answers."""
    right: dict[str, float]
    """By anchor the share of the policies that were right, with one of them 0 or 1."""


@dataclass(frozen=True, slots=True)
class Ratchet:
    """Success of generations, from 0 to 1, and the differences between them; n is anchors."""

    success: dict[int, Estimate]
    """P_g by generation."""
    steps: dict[int, Estimate]
    """P_g - P_{g-1} by g."""


@dataclass(frozen=True, slots=True)
class Against:
    """The last generation of a run less a single lifetime."""

    difference: Estimate
    """P_G - P_single, from -1 to 1; n is anchors."""
    compute: float
    """Tokens generated and trained on, of the run over the single lifetime: 1 is equal compute."""


def paired(one: Mapping[str, float], other: Mapping[str, float]) -> Estimate:
    """Mean difference of success, one less other, over what both were asked, with Student's t interval.

    Raises NothingToMeasure where they have nothing in common.
    """
    common = sorted(one.keys() & other.keys())
    if not common:
        raise NothingToMeasure("expected anchors that both answered, got none")
    found = mean([one[name] - other[name] for name in common])
    return Estimate(found.value, found.low, found.high, found.n)


def generations(log: Log) -> list[Generation]:
    """Those that were evaluated, the first first. One where nobody ever retired."""
    births = [born for (born,) in log.execute(BIRTHS).fetchall()] or [0]
    answers: defaultdict[int, dict[str, float]] = defaultdict(dict)
    for round, domain, anchor, share in log.execute(ANSWERS).fetchall():
        answers[round][f"{domain} {anchor}"] = share
    found = []
    for number, (born, following) in enumerate(zip(births, [*births[1:], None], strict=True)):
        own = [round for round in answers if round >= born and (following is None or round < following)]
        if own:
            found.append(Generation(number, max(own), answers[max(own)]))
    return found


def ratchet(log: Log) -> Ratchet:
    """Of the generations of a run. Raises NothingToMeasure with fewer than two that were evaluated."""
    found = generations(log)
    if len(found) < 2:
        raise NothingToMeasure(
            f"expected two evaluated generations or more, got {len(found)}; population.generations makes "
            "them"
        )
    success = {g.number: _success(list(g.right.values())) for g in found}
    pairs = pairwise(found)
    steps = {b.number: paired(b.right, a.right) for a, b in pairs if b.number == a.number + 1}
    return Ratchet(success, steps)


def _success(shares: list[float]) -> Estimate:
    """The mean over anchors, by Wilson's interval where each is right or wrong and else Student's t."""
    if set(shares) <= {0.0, 1.0}:
        right, n = round(sum(shares)), len(shares)
        return Estimate(right / n, *wilson(right, n), n)
    found = mean(shares)
    return Estimate(found.value, found.low, found.high, found.n)


def against(log: Log, single: Log) -> Against:
    """The last generation of a run against a run in which nobody retires.

    Raises ValueError where somebody did there, NothingToMeasure where one of them was not evaluated.
    """
    one, other = generations(log), generations(single)
    if len(other) > 1 or len(single.execute(BIRTHS).fetchall()) > 1:
        raise ValueError(f"expected a single lifetime, got a run of {len(other)} evaluated generations")
    if not one or not other:
        raise NothingToMeasure("expected both runs to be evaluated, got one that was not")
    spent = [float((log_.execute(SPENT).fetchone() or (0,))[0]) for log_ in (log, single)]
    if not spent[1]:
        raise NothingToMeasure("expected tokens in the single lifetime, got none")
    return Against(paired(one[-1].right, other[-1].right), spent[0] / spent[1])
