"""Which skills presuppose which, from who could do what: a ramp that a teacher may follow.

A skill is a set of problems, such as a cell of the anchors. Of a and b, a is presupposed by b where hardly
anybody solves b who does not solve a, while a is solved without b: the order of skills that ordering theory
reads off a table of successes (Bart and Krus 1973; Airasian and Bart 1973), and knowledge spaces are built
of (Doignon and Falmagne 1985). What nobody ever did says nothing of what could be done: b may need a, or
both something else that comes earlier for a. Versions of one run all learn in one order, so only learners
that learned in different orders (other seeds, sizes, curricula) can tell an order that has to be from one
that happened.

With p_a the share of a learner's answers to problems of a that are right, it is p_a p_b of a learner that
solves one of each, p_a (1 - p_b) of one that solves a and not b, and so on. Sums of these over learners are
the counts of a table of two by two. What is believed of the table is Rubin's Bayesian bootstrap (1981) over
learners, beside half a learner in each place, so that what was never seen is not certain: where learners
can do all of a skill or nothing, that is the posterior under Jeffreys' prior. A learner counts once,
however many problems it was given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import cast

import duckdb
import networkx as nx
import numpy as np
from scipy import stats

from culture.seeds import generator
from curricula.base import Floats
from curricula.irt import LEVEL

FAR = 0.5
"""Far below: P(b | not a) is less than so many times P(b | a)."""
LEAST = 8
"""Learners that tried both skills, below which nothing is said."""
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
    """P(after | before)."""
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


def ramp(outcomes: Iterable[Outcome], *, far: float = FAR, seed: int = 0) -> nx.DiGraph:
    """The skills, with an edge from each to those that presuppose it and nothing in between does.

    Nodes have ``success``, the mean over learners; edges have ``edge``, an :class:`Edge`. An edge a -> b
    needs two things: that the ratio P(b | not a) / P(b | a) is below ``far``, and that it is below that of
    the other direction; its p-value is the greater of both (Berger 1982), and it is kept at a false
    discovery rate of ``ERROR_RATE``. There is no cycle: where edges would close one, the least certain is
    left out.

    Learners count as independent, which successive versions of a policy are not: pass every so-manieth
    version, or several runs. Skills that fewer than ``LEAST`` learners tried together have no edge. Raises
    ValueError unless 0 < ``far`` <= 1.
    """
    if not 0 < far <= 1:
        raise ValueError(f"expected a ratio above 0 and at most 1, got far = {far}; write 0.5")
    shares, skills = _table(outcomes)
    graph: nx.DiGraph = nx.DiGraph()
    for at, skill in enumerate(skills):
        graph.add_node(skill, success=float(np.nanmean(shares[:, at])))
    for edge in sorted(_edges(shares, skills, far, seed), key=lambda e: (e.p, e.ratio, e.before, e.after)):
        if edge.q <= ERROR_RATE and not nx.has_path(graph, edge.after, edge.before):
            graph.add_edge(edge.before, edge.after, edge=edge)
    kept = nx.transitive_reduction(graph)
    graph.remove_edges_from([pair for pair in list(graph.edges) if not kept.has_edge(*pair)])
    return graph


def order(graph: nx.DiGraph) -> list[str]:
    """Skills so that each comes after all that it presupposes; of those that are free, the easiest
    first."""
    return list(nx.lexicographical_topological_sort(graph, key=lambda s: (-graph.nodes[s]["success"], s)))


def edges(graph: nx.DiGraph) -> list[Edge]:
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


def _table(outcomes: Iterable[Outcome]) -> tuple[Floats, list[str]]:
    """Shares, (learners, skills), NaN where nothing was tried, and the skills' names."""
    counts: dict[tuple[str, str], list[int]] = {}
    for o in outcomes:
        count = counts.setdefault((o.learner, o.skill), [0, 0])
        count[0] += o.right
        count[1] += o.tried
    learners = {name: at for at, name in enumerate(sorted({learner for learner, _ in counts}))}
    skills = {name: at for at, name in enumerate(sorted({skill for _, skill in counts}))}
    shares = np.full((len(learners), len(skills)), np.nan)
    for (learner, skill), (right, tried) in counts.items():
        if tried:
            shares[learners[learner], skills[skill]] = right / tried
    return shares, list(skills)


def _edges(shares: Floats, skills: list[str], far: float, seed: int) -> list[Edge]:
    """Every ordered pair of skills that enough learners tried."""
    rng = generator(seed, "ramp")
    weights = rng.standard_exponential((DRAWS, len(shares)))
    found: list[Edge] = []
    for i, j in combinations(range(len(skills)), 2):
        both = ~np.isnan(shares[:, i]) & ~np.isnan(shares[:, j])
        learners = int(both.sum())
        if learners < LEAST:
            continue
        a, b = shares[both, i], shares[both, j]
        each = np.column_stack([a * b, a * (1 - b), (1 - a) * b, (1 - a) * (1 - b)])
        counts = each.sum(axis=0)
        draws = weights[:, both] @ each + rng.standard_gamma(0.5, (DRAWS, 4))
        forward, backward = _ratio(draws), _ratio(draws[:, [0, 2, 1, 3]])
        for before, after, table, here, there in (
            (i, j, counts, forward, backward),
            (j, i, counts[[0, 2, 1, 3]], backward, forward),
        ):
            p = max(float((here >= far).mean()), float((here >= there).mean()), 1 / DRAWS)
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


def _ratio(table: Floats) -> Floats:
    """P(b | not a) / P(b | a), (n,), of weights of both, a alone, b alone and neither, (n, 4)."""
    both, first, second, neither = table.T
    return cast("Floats", second / (second + neither) * (both + first) / both)


def _shares(table: Floats) -> tuple[float, float]:
    """P(b | a) and P(b | not a) of counts of both, a alone, b alone and neither; NaN of nothing."""
    both, first, second, neither = (float(x) for x in table)
    with_ = both / (both + first) if both + first else float("nan")
    return with_, second / (second + neither) if second + neither else float("nan")
