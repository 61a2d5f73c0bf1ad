"""POET: admit what is neither too easy nor too hard, the most novel first.

Wang et al. 2019 (arXiv 1901.01753) and 2020 (Enhanced POET, arXiv 2003.08536). A problem passes the
minimal criterion where low <= p <= high. Of those that pass in a round the most novel are admitted into
a population, from which the oldest leave; variations and replays are of its members, drawn evenly.
Novelty is the mean distance to the nearest neighbours among the round's other problems and those of
earlier rounds: of specs, as POET compared encodings; or of how the policies of solvers rank on a
problem, their shares clipped to the criterion, ranked and centred (PATA-EC).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from culture.records import Attempt, Json, Problem
from curricula.base import Candidate, Floats, register
from curricula.config import CurriculumConfig
from curricula.sampler import Ints, evenly
from curricula.selecting import Remembering, rates
from curricula.similarity import Memory, edit_similarity, nearest_distance


def centred_ranks(shares: Floats, low: float, high: float) -> Floats:
    """Ranks of each problem's shares solved by policy (n, m), clipped to low and high, from -1/2 to 1/2.

    Ties share their mean rank; a policy without attempts (NaN) is in the middle. PATA-EC, Wang et al. 2020.
    """
    clipped = np.clip(shares, low, high)  # NaN is above, below and equal to nothing
    below = (clipped[:, None, :] < clipped[:, :, None]).sum(axis=2)
    above = (clipped[:, None, :] > clipped[:, :, None]).sum(axis=2)
    others = (~np.isnan(shares)).sum(axis=1, keepdims=True) - 1
    return np.where(np.isnan(shares), 0.0, (below - above) / (2 * np.maximum(others, 1)))


@register
class Poet(Remembering):
    """Variations of a population of problems that are new and neither too easy nor too hard."""

    name: ClassVar[str] = "poet"
    fades: ClassVar[bool] = False

    def __init__(self, config: CurriculumConfig, domains: Sequence[str]) -> None:
        super().__init__(config.asking, domains, shares=config.poet)
        self._config = config.poet
        self._by_text = config.poet.novelty == "text"
        self._memories = {d: Memory(config.poet.memory) for d in domains}

    def score(self, candidates: Sequence[Candidate]) -> Floats:
        """Novelty where low <= p <= high, from 0 to 1, else 0, (n,); NaN with fewer than 2 attempts.

        Needs the candidates' texts, or to know who made their attempts.
        """
        p = rates(candidates)
        found = np.where(np.isnan(p), np.nan, 0.0)
        passed = (p >= self._config.low) & (p <= self._config.high)
        for domain in self._domains:
            at = [i for i, c in enumerate(candidates) if c.domain == domain]
            inside = [i for i in at if passed[i]]
            if inside:
                others = [candidates[i] for i in at]
                found[inside] = self._novelty(domain, [candidates[i] for i in inside], others)
        return found

    def _novelty(self, domain: str, candidates: Sequence[Candidate], batch: Sequence[Candidate]) -> Floats:
        """Mean distance to the nearest of ``batch`` and memory, a problem itself left out, (n,)."""
        ids = {c.problem_id for c in batch}
        earlier = self._memories[domain].others(ids)
        everything = [self._described(c) for c in batch] + earlier
        names = np.array([c.problem_id for c in batch] + [""] * len(earlier))
        distance = self._distances([self._described(c) for c in candidates], everything)
        return np.concatenate(
            [
                nearest_distance(row[names != c.problem_id][None, :], self._config.neighbours)
                for c, row in zip(candidates, distance, strict=True)
            ]
        )

    def _described(self, candidate: Candidate) -> Any:
        """What is remembered of a problem: its text, or the share solved by policy."""
        if self._by_text:
            return candidate.text
        totals: dict[str, list[int]] = {}
        for g in candidate.groups:
            total = totals.setdefault(g.policy, [0, 0])
            total[0] += g.solved
            total[1] += g.tried
        return {policy: solved / tried for policy, (solved, tried) in sorted(totals.items())}

    def _distances(self, one: list[Any], other: list[Any]) -> Floats:
        """Distances (n, m), from 0 to 1."""
        if self._by_text:
            return 1 - edit_similarity(one, other)
        policies = sorted({name for shares in (*one, *other) for name in shares})
        a, b = (
            centred_ranks(
                np.array(
                    [[shares.get(p, np.nan) for p in policies] for shares in side], dtype=np.float64
                ).reshape(len(side), len(policies)),
                self._config.low,
                self._config.high,
            )
            for side in (one, other)
        )
        squares = ((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=2)
        return np.asarray(np.sqrt(squares / max(len(policies), 1)))

    def _learned(self, domain: str, new: Sequence[Problem], tries: Sequence[Attempt]) -> None:
        """Admit into the population, which is what the buffer keeps and what has a worth."""
        members, fresh = set(self._worths[domain]), {p.problem_id for p in new}
        attempted = [c for c in self._attempted(domain, new, tries) if c.problem_id in fresh]
        novelty = self.score(attempted)
        best = sorted(
            (-value, c.problem_id)
            for c, value in zip(attempted, novelty.tolist(), strict=True)
            if value > 0
        )
        admitted = {problem_id: -value for value, problem_id in best[: self._config.admitted]}
        self._worths[domain] |= admitted
        kept = [c.problem_id for c in self._buffers[domain] if c.problem_id in members | set(admitted)]
        self._buffers[domain].keep(set(kept[-self._config.population :]))
        self._memories[domain].add((c.problem_id, self._described(c)) for c in attempted)

    def _drawn(
        self, domain: str, items: Sequence[Candidate], mutate: int, replay: int, rng: np.random.Generator
    ) -> tuple[Ints, Ints]:
        return evenly(len(items), mutate, replay, rng)

    def _state(self, domain: str) -> Json:
        return {**super()._state(domain), "memory": self._memories[domain].state_dict()}

    def _load(self, domain: str, state: Mapping[str, Any]) -> None:
        super()._load(domain, state)
        self._memories[domain].load_state_dict(state["memory"])
