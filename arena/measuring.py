"""Measures of the curriculum that emerges, a round at a time; what they mean is in ``curricula.emergence``.

In evaluated rounds abilities are estimated on the scale as the anchors answered *so far* fix it. With more
answers it is known better, so a run's abilities are compared on the scale of all of them, as ``info`` does
(``curricula.ability.standings_of``). Within a round abilities and difficulties are always on one scale.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

import duckdb
import numpy as np

from culture import connect
from culture.catalog import LakeError
from culture.records import Attempt, Json, Measure, Problem
from culture.wilson import wilson
from curricula import ability, emergence
from curricula.ability import Attempted, Evaluated, Standings
from curricula.base import Floats, counted
from curricula.calibration import NotCalibrated
from curricula.emergence import ZONE, Mean

if TYPE_CHECKING:
    from arena.round import Play

Found = Iterator[tuple[str, Mean]]
"""Names and values of measures."""


def measure(play: Play) -> None:
    """Put the measures of a round among its rows."""
    for domain in play.config.domains:
        attempts = [a for a in play.rows.attempts if a.domain == domain and counted(a) and not a.replay]
        problems = [p for p in play.rows.problems if p.domain == domain and p.status == "admitted"]
        _put(play, domain, _posed(problems, attempts, play.config.rollout.attempts))
    due = play.config.evaluated(play.round)
    for domain in play.state.evaluated:
        answers = list(play.state.answers.get(domain, ()))
        answers += [Evaluated.of(e) for e in play.rows.evaluations if e.domain == domain]
        _put(play, domain, _on_the_scale(play, domain, answers))
        if due:
            _put(play, domain, _held_out(play, domain, answers))
    if not due or not play.round:
        return
    try:
        with connect(play.state.folder) as log:
            for domain in play.config.domains:
                _put(play, domain, _history(play, domain, log))
    except (LakeError, duckdb.Error) as error:
        play.event("infrastructure", "measure_failed", "log", str(error))


def _put(play: Play, domain: str, found: Found) -> None:
    for name, m in found:
        play.rows.measures.append(Measure(play.round, name, domain, m.value, m.low, m.high, m.n))


def _posed(problems: Sequence[Problem], attempts: Sequence[Attempt], most: int) -> Found:
    """What first attempts tell of the problems that the round set; ``most`` attempts were made at each."""
    by_problem: dict[str, list[Attempt]] = {}
    for a in attempts:
        by_problem.setdefault(a.problem_id, []).append(a)
    counts = [(sum(a.correct for a in tries), len(tries)) for tries in by_problem.values()]
    for k in (2**i for i in range(1, most.bit_length())):
        if enough := [c for c in counts if c[1] >= k]:
            right, tried = zip(*enough, strict=True)
            yield f"pass_at/{k}", emergence.mean(emergence.pass_at(k, right, tried))
    both = [
        (*_count(tries, "library"), *_count(tries, "none"))
        for tries in by_problem.values()
        if {"library", "none"} <= {a.arm for a in tries}
    ]
    if both:
        with_, of_with, without, of_without = zip(*both, strict=True)
        found = emergence.solved_only_with(with_, of_with, without, of_without)
        yield "zone_library", emergence.mean(found)
        found = emergence.solved_only_with(without, of_without, with_, of_with)
        yield "zone_reversed", emergence.mean(found)
    solved = {name for name, tries in by_problem.items() if any(a.correct for a in tries)}
    for feature in sorted({f for p in problems for f in p.features}):
        for what, some in (
            ("posed", problems),
            ("solved", [p for p in problems if p.problem_id in solved]),
        ):
            if some:
                yield (
                    f"complexity_{what}/{feature}",
                    emergence.mean([_number(p.features, feature) for p in some]),
                )
    for policy in sorted({_policy(a.policy_version) for a in attempts}):
        mine = Attempted.among(a for a in attempts if _policy(a.policy_version) == policy)
        # the gap needs no anchors: beside an ability of 0 a difficulty is the distance from it
        placed = ability.difficulty(mine, {a.policy_version: 0.0 for a in mine})
        if placed is not None:
            n = len(placed.problems)
            yield f"gap/{policy}", Mean(placed.mean, *placed.interval, n)
            yield f"zone/{policy}", Mean(float(placed.within(0.0, *ZONE).mean()), None, None, n)


def _on_the_scale(play: Play, domain: str, answers: Sequence[Evaluated]) -> Found:
    """Where the versions stand that were evaluated in this round, and the problems that it set.

    Problems can be placed where who attempted them was evaluated.
    """
    now = {e.policy_version for e in play.rows.evaluations if e.domain == domain}
    mine = Attempted.among(a for a in play.rows.attempts if a.domain == domain)
    if not now and {a.policy_version for a in mine}.isdisjoint(e.policy_version for e in answers):
        return
    try:
        known = ability.standings({"": answers}, errors=False)
    except NotCalibrated:
        return  # one version alone, or all answers alike
    for s in known.versions:
        if s.policy_version not in now:
            continue
        a = s.ability
        assert a.value is not None
        current = s.policy_version == play.policies[s.policy].policy_version
        name = "ability" if current else "ability_before"
        yield f"{name}/{s.policy}", Mean(a.value, a.low, a.high, a.answers)
        at, low, high = (_frontier(play, domain, known, x) for x in (a.value, a.low, a.high))
        if current and at is not None:
            yield f"frontier_difficulty/{s.policy}", Mean(at, low, high, a.answers)
    abilities = {s.policy_version: s.ability.value for s in known.versions if s.ability.value is not None}
    placed = ability.difficulty(mine, abilities)
    if placed is not None:
        yield "difficulty", Mean(placed.mean, *placed.interval, len(placed.problems))


def _frontier(play: Play, domain: str, known: Standings, theta: float | None) -> float | None:
    anchors = {a.anchor_id: a for a in play.state.anchors[domain]}
    items = [i for i in known.scale.items if i.bound is None and i.item_id in anchors]
    sizes = [play.state.evaluated[domain].difficulty(anchors[i.item_id].features) for i in items]
    return None if theta is None else emergence.frontier(theta, sizes, [i.difficulty for i in items])


def _held_out(play: Play, domain: str, answers: Sequence[Evaluated]) -> Found:
    """What the current versions do with anchors: in the worst cells, in a domain that they were not taught,
    and what they once could."""
    now = [e for e in play.rows.evaluations if e.domain == domain]
    for policy in sorted({_policy(e.policy_version) for e in now}):
        cells: dict[str, list[bool]] = {}
        for e in now:
            if e.policy_version == play.policies[policy].policy_version:
                cells.setdefault(e.cell, []).append(e.correct)
        if worst := emergence.worst_cells(cells):
            yield f"worst_cells/{policy}", _share(worst)
        outcomes = [x for cell in cells.values() for x in cell]
        if domain not in play.config.domains and outcomes:
            yield f"transfer/{policy}", _share(outcomes)
        mine = [e for e in answers if _policy(e.policy_version) == policy]
        tasks = {name: i for i, name in enumerate(sorted({e.anchor_id for e in mine}))}
        versions = {name: i for i, name in enumerate(dict.fromkeys(e.policy_version for e in mine))}
        rows = [(versions[e.policy_version], tasks[e.anchor_id], "", e.right) for e in mine]
        if lost := _defined(emergence.forgetting(emergence.retained(rows))):
            # an anchor that was solved at some time and is not now counts 1, and no other can
            yield f"forgetting_anchors/{policy}", _share([x > 0 for x in lost])


def _history(play: Play, domain: str, log: duckdb.DuckDBPyConnection) -> Found:
    """What takes the problems of all rounds to tell."""
    solved, again = emergence.annecs(log, domain, play.rows.attempts, play.rows.revisits)
    yield "annecs", Mean(float(solved), None, None, again)
    earlier = [json.loads(f) for (f,) in log.execute(_FEATURES, [domain]).fetchall()]
    new = [p.features for p in play.rows.problems if p.domain == domain and p.status == "admitted"]
    if new and len(earlier) >= emergence.NEIGHBOURS:
        names = sorted(new[0])
        table, archive = ([[_number(f, name) for name in names] for f in some] for some in (new, earlier))
        yield "novelty", emergence.mean(emergence.novelty(table, archive))
    rows = log.execute(_REVISITS, [domain]).fetchall()
    rows += [
        (r.policy_version, r.round, r.posed, r.problem_id, r.correct)
        for r in play.rows.revisits
        if r.domain == domain
    ]
    for policy in sorted({_policy(version) for version, *_ in rows}):
        matrix = emergence.retained(row[1:] for row in rows if _policy(row[0]) == policy)
        posed = sorted({row[2] for row in rows if _policy(row[0]) == policy})
        for round, share in zip(posed, matrix[-1], strict=True):
            if not np.isnan(share):
                n = sum(
                    r.posed == round and _policy(r.policy_version) == policy for r in play.rows.revisits
                )
                yield f"retained/{policy}/{round}", Mean(float(share), None, None, n)
        for name, lost in (
            ("forgetting", emergence.forgetting(matrix)),
            ("backward_transfer", emergence.backward_transfer(matrix)),
        ):
            if values := _defined(lost):
                yield f"{name}/{policy}", emergence.mean(values)


_FEATURES = "SELECT features FROM problems WHERE domain = ? AND status = 'admitted' ORDER BY rowid"
_REVISITS = (
    "SELECT policy_version, round, posed, problem_id, correct FROM revisits WHERE domain = ? ORDER BY rowid"
)


def _share(outcomes: Sequence[bool]) -> Mean:
    right, n = sum(outcomes), len(outcomes)
    return Mean(right / n, *wilson(right, n), n)


def _policy(policy_version: str) -> str:
    return policy_version.partition("@")[0]


def _count(attempts: Sequence[Attempt], arm: str) -> tuple[int, int]:
    """Right ones and all of an arm."""
    mine = [a.correct for a in attempts if a.arm == arm]
    return sum(mine), len(mine)


def _number(features: Json, name: str) -> float:
    return float(cast("float", features[name]))


def _defined(values: Floats) -> list[float]:
    """Without NaN."""
    return [float(v) for v in values if not np.isnan(v)]
