"""Which skills presuppose which, from who could do what: a ramp that a teacher may follow.

A skill is a set of problems, such as a cell of the anchors. Of a and b, a is presupposed by b where hardly
anybody solves b who does not solve a, while a is solved without b: the order of skills that ordering theory
reads off a table of successes (Bart and Krus 1973; Airasian and Bart 1973), and knowledge spaces are built
of (Doignon and Falmagne 1985). What nobody ever did says nothing of what could be done: b may need a, or
both something else that comes earlier for a. Versions of one run all learn in one order, so only learners
that learned in different orders (other seeds, sizes, curricula) can tell an order that has to be from one
that happened.

A learner can do a skill where it solves more than ``MASTERY`` of its problems: with k of n right that is so
with the probability m = P(share > MASTERY), share ~ Beta(k + 1/2, n - k + 1/2). It counts m_a m_b as one
that can do both, m_a (1 - m_b) as one that can do a and not b, and so on; sums of these over learners are
the counts of a table of two by two. What is believed of the table is Rubin's Bayesian bootstrap (1981) over
learners, beside half a learner in each place, so that what was never seen is not certain: where learners
can surely do a skill or surely not, that is the posterior under Jeffreys' prior. A learner counts once,
however many problems it was given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TypeAlias, cast

import duckdb
import networkx as nx
import numpy as np
from scipy import stats

from culture.seeds import generator
from curricula.base import Floats
from curricula.irt import LEVEL

Skills: TypeAlias = "nx.DiGraph[str]"
"""Skills by name, each with an edge to those that presuppose it."""
FAR = 0.5
"""Far below: b is there without a less than so many times as often as with a."""
MASTERY = 0.5
"""A share of problems: above it, a skill counts as there."""
LEAST = 8
"""Learners that tried both skills, below which nothing is said; ..."""
VARIED = 3
"""... as where fewer than so many can do one of them, or fewer cannot: there is nothing to compare."""
DRAWS = 20_000
"""Draws from the posterior of a pair of skills; no p-value is below one over so many."""
ERROR_RATE = 0.05
"""Expected share of false ones among the edges found, at most."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one learner's tries at problems of one skill came to."""

    learner: str
    skill: str
    right: int
    tried: int


@dataclass(frozen=True, slots=True)
class Edge:
    """That one skill presupposes another, and how far that is so."""

    before: str
    after: str
    with_: float
    """P(after | before): the share of the learners that can do the one among those that can do the
    other."""
    without: float
    """P(after | not before)."""
    ratio: float
    """The second over the first, the posterior's median: 0 where nobody can do the one without the other, 1
    where they are unrelated."""
    low: float
    """Lower end of the central 95% of the ratio's posterior."""
    high: float
    """Upper end of the same."""
    p: float
    """The probability that the ratio is not below ``far``, or not below that of the other direction:
    the greater of both."""
    q: float
    """``p``, corrected for looking at all ordered pairs (Benjamini and Hochberg 1995)."""
    learners: int


def ramp(outcomes: Iterable[Outcome], *, far: float = FAR, seed: int = 0) -> Skills:
    """The skills, with an edge from each to those that presuppose it and nothing in between does.

    Nodes have ``success``, the mean share of problems solved; edges have ``edge``, an :class:`Edge`. An
    edge a -> b needs two things: that the ratio P(b | not a) / P(b | a) is below ``far``, and that it is
    below that of the other direction; its p-value is the greater of both (Berger 1982), and it is kept at a
    false discovery rate of ``ERROR_RATE``. What two skills have in common is not mistaken for an order: an
    edge a -> b is left out where some other c -> b explains it, that is where among learners that can do c
    the ratio is no longer below ``far``, more probably than not. There is no cycle: where edges would close
    one, the least certain is left out.

    Learners count as independent, which successive versions of a policy are not: pass every so-manieth
    version, or several runs. Skills that fewer than ``LEAST`` learners tried together have no edge. Raises
    ValueError unless 0 < ``far`` <= 1.
    """
    if not 0 < far <= 1:
        raise ValueError(f"expected a ratio above 0 and at most 1, got far = {far}; write 0.5")
    there, skills, success = _table(outcomes)
    graph: Skills = nx.DiGraph()
    for skill, share in zip(skills, success, strict=True):
        graph.add_node(skill, success=share)
    found = [e for e in _edges(there, skills, far, seed) if e.q <= ERROR_RATE]
    for edge in sorted(found, key=lambda e: (e.p, e.ratio, e.before, e.after)):
        others = [e.before for e in found if e.after == edge.after and e.before != edge.before]
        if any(_explained(there, skills, edge, other, far, seed) for other in others):
            continue
        if not nx.has_path(graph, edge.after, edge.before):
            graph.add_edge(edge.before, edge.after, edge=edge)
    kept = nx.transitive_reduction(graph)
    graph.remove_edges_from([pair for pair in list(graph.edges) if not kept.has_edge(*pair)])
    return graph


def order(graph: Skills) -> list[str]:
    """Skills so that each comes after all that it presupposes; of those that are free, the easiest
    first."""
    return list(nx.lexicographical_topological_sort(graph, key=lambda s: (-graph.nodes[s]["success"], s)))


def edges(graph: Skills) -> list[Edge]:
    """Its edges, in the order of :func:`order`."""
    place = {skill: at for at, skill in enumerate(order(graph))}
    found = [cast("Edge", data["edge"]) for _, _, data in graph.edges(data=True)]
    return sorted(found, key=lambda e: (place[e.after], place[e.before]))


def of_cells(logs: Mapping[str, duckdb.DuckDBPyConnection], domain: str) -> list[Outcome]:
    """Cells of a domain's anchors as skills and policy versions of runs, by their names, as learners."""
    return [
        Outcome(f"{run} {version}", cell, right, tried)
        for run, log in logs.items()
        for version, cell, right, tried in log.execute(
            "SELECT policy_version, cell, count(*) FILTER (correct), count(*) FROM evaluations "
            "WHERE domain = ? GROUP BY ALL ORDER BY ALL",
            [domain],
        ).fetchall()
    ]


def of_feature(logs: Mapping[str, duckdb.DuckDBPyConnection], domain: str, feature: str) -> list[Outcome]:
    """Values of a complexity feature of the problems that agents set as skills, such as ``operations 3``.

    By first attempts without notes; policy versions are learners. Problems are of the round, so versions
    are given different ones. A feature that the domain does not have gives no outcomes.
    """
    return [
        Outcome(f"{run} {version}", f"{feature} {value:g}", right, tried)
        for run, log in logs.items()
        for version, value, right, tried in log.execute(
            "SELECT a.policy_version, (p.features ->> $feature)::DOUBLE AS value, "
            "count(*) FILTER (correct), count(*) FROM attempts a JOIN problems p USING (problem_id) "
            "WHERE a.domain = $domain AND arm = 'none' AND NOT replay AND verdict <> 'error' "
            "AND value IS NOT NULL GROUP BY ALL ORDER BY ALL",
            {"domain": domain, "feature": feature},
        ).fetchall()
    ]


def _table(outcomes: Iterable[Outcome]) -> tuple[Floats, list[str], list[float]]:
    """How probable it is that a learner can do a skill, (learners, skills), NaN where it tried nothing; the
    skills' names; and the mean of the shares of problems solved."""
    counts: dict[tuple[str, str], list[int]] = {}
    for o in outcomes:
        if o.tried:
            count = counts.setdefault((o.learner, o.skill), [0, 0])
            count[0] += o.right
            count[1] += o.tried
    learners = {name: at for at, name in enumerate(sorted({learner for learner, _ in counts}))}
    skills = {name: at for at, name in enumerate(sorted({skill for _, skill in counts}))}
    there = np.full((len(learners), len(skills)), np.nan)
    shares: dict[str, list[float]] = {skill: [] for skill in skills}
    for (learner, skill), (right, tried) in counts.items():
        at = learners[learner], skills[skill]
        there[at] = stats.beta.sf(MASTERY, right + 0.5, tried - right + 0.5)
        shares[skill].append(right / tried)
    return there, list(skills), [float(np.mean(x)) for x in shares.values()]


def _edges(there: Floats, skills: list[str], far: float, seed: int) -> list[Edge]:
    """Every ordered pair of skills that enough learners tried and differ in."""
    rng = generator(seed, "ramp")
    weights = rng.standard_exponential((DRAWS, len(there)))
    found: list[Edge] = []
    for i, j in combinations(range(len(skills)), 2):
        both = ~np.isnan(there[:, i]) & ~np.isnan(there[:, j])
        learners = int(both.sum())
        a, b = there[both, i], there[both, j]
        if learners < LEAST or min(x.sum() for x in (a, 1 - a, b, 1 - b)) < VARIED:
            continue
        each = _each(a, b)
        counts = each.sum(axis=0)
        draws = weights[:, both] @ each + rng.standard_gamma(0.5, (DRAWS, 4))
        forward, backward = _ratio(draws), _ratio(draws[:, [0, 2, 1, 3]])
        for before, after, table, here, reverse in (
            (i, j, counts, forward, backward),
            (j, i, counts[[0, 2, 1, 3]], backward, forward),
        ):
            p = max(float((here >= far).mean()), float((here >= reverse).mean()), 1 / DRAWS)
            low, high = np.quantile(here, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
            found.append(
                Edge(
                    skills[before],
                    skills[after],
                    *_shares(table),
                    float(np.median(here)),
                    float(low),
                    float(high),
                    p,
                    1.0,
                    learners,
                )
            )
    if not found:
        return []
    qs = stats.false_discovery_control([e.p for e in found])
    return [replace(e, q=float(q)) for e, q in zip(found, qs, strict=True)]


def _explained(there: Floats, skills: list[str], edge: Edge, other: str, far: float, seed: int) -> bool:
    """Whether an edge is gone among learners that can do another skill which its end presupposes.

    Where hardly any of them lacks the edge's beginning they do not tell, and it stays.
    """
    columns = [skills.index(s) for s in (edge.before, edge.after, other)]
    a, b, c = there[~np.isnan(there[:, columns]).any(axis=1)][:, columns].T
    if ((1 - a) * c).sum() < 1:
        return False
    rng = generator(seed, "ramp", edge.before, edge.after, other)
    draws = rng.standard_exponential((DRAWS, len(a))) @ (_each(a, b) * c[:, None])
    draws += rng.standard_gamma(0.5, (DRAWS, 4))
    return float((_ratio(draws) >= far).mean()) > 0.5


def _each(a: Floats, b: Floats) -> Floats:
    """What each learner counts as: one that can do both, a alone, b alone, neither; (learners, 4)."""
    return np.column_stack([a * b, a * (1 - b), (1 - a) * b, (1 - a) * (1 - b)])


def _ratio(table: Floats) -> Floats:
    """P(b | not a) / P(b | a), (n,), of weights of both, a alone, b alone and neither, (n, 4)."""
    both, first, second, neither = table.T
    return cast("Floats", second / (second + neither) * (both + first) / both)


def _shares(table: Floats) -> tuple[float, float]:
    """P(b | a) and P(b | not a) of counts of both, a alone, b alone and neither; NaN of nothing."""
    both, first, second, neither = (float(x) for x in table)
    with_ = both / (both + first) if both + first else float("nan")
    return with_, second / (second + neither) if second + neither else float("nan")
