"""Learnability: ask for what is solved sometimes (SFL, Rutherford et al. 2024, arXiv 2408.15099).

A problem solved with probability p teaches most where p(1-p) is largest. ``score`` is its unbiased
estimate from the problem's own attempts. Where to look next is decided by better evidence than a few
attempts: ``frontier`` is where :class:`~curricula.frontier.SuccessCurve` crosses ``target_success``; fresh
problems are asked for about ``stretch`` times it; parents and replays are ranked by p̃(1-p̃), in which p̃
joins a problem's attempts with the curve at its difficulty, as a prior worth ``prior_strength`` attempts.
Own evidence fades with ``half_life`` like the curve does, so a problem scored long ago is ranked by where
it stands for today's solvers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, cast

import numpy as np

from culture.records import Attempt, Json, Problem
from curricula.base import Candidate, Floats, Fresh, Mutate, Replay, Request, check_state, register
from curricula.buffer import Buffer, by_domain
from curricula.config import CurriculumConfig
from curricula.frontier import SuccessCurve
from curricula.sampler import Sampler, apportion


def learnability(solved: Floats, tried: Floats) -> Floats:
    """k(n-k)/(n(n-1)) for each problem (n,): unbiased for p(1-p); NaN where n < 2.

    The plug-in p̂(1-p̂) is low by a factor (n-1)/n. At n = 2 and k = 1 the estimate is 1/2.
    """
    enough = tried >= 2
    n = np.where(enough, tried, 2)
    return np.where(enough, solved * (n - solved) / (n * (n - 1)), np.nan)


def _counts(candidates: Sequence[Candidate]) -> tuple[Floats, Floats]:
    size = len(candidates)
    solved = np.fromiter((c.solved for c in candidates), np.float64, size)
    tried = np.fromiter((c.tried for c in candidates), np.float64, size)
    return solved, tried


@register
class Learnability:
    """Fresh problems about the frontier or beyond, variations and replays of the most learnable ones."""

    name: ClassVar[str] = "learnability"

    def __init__(self, config: CurriculumConfig, domains: Sequence[str]) -> None:
        """Raises ValueError where ``start_targets`` names a domain that is not in ``domains``."""
        self._config = c = config.learnability
        self._domains = list(domains)
        if unknown := sorted(set(c.start_targets) - set(domains)):
            raise ValueError(
                f"expected learnability.start_targets for {', '.join(domains)}, got {', '.join(unknown)}; "
                "name domains of the run"
            )
        self._shares = np.array([c.fresh_share, c.mutate_share, c.replay_share])
        self._sampler = Sampler(c.sampler.temperature, c.sampler.staleness, c.sampler.top_k)
        self._now: int | None = None
        self._buffers = {d: Buffer(d, c.buffer_size) for d in domains}
        self._curves = {
            d: SuccessCurve(
                bin_width=c.bin_width, half_life=c.half_life, reach=c.reach, minimum=c.minimum_target
            )
            for d in domains
        }

    def observe(self, problems: Sequence[Problem], attempts: Sequence[Attempt]) -> None:
        """See :class:`curricula.base.Strategy`. Attempts on evicted problems count nowhere."""
        split = by_domain(self._domains, problems, attempts)
        if not problems and not attempts:
            return
        latest = max([p.round for p in problems] + [a.round for a in attempts])
        passed = 0 if self._now is None else max(latest - self._now, 0)
        self._now = latest if self._now is None else self._now + passed
        for domain, (new, tries) in split.items():
            buffer, curve = self._buffers[domain], self._curves[domain]
            buffer.add(new)
            curve.advance(passed)
            curve.add(buffer.record(tries))
            buffer.evict(self._priority)

    def score(self, candidates: Sequence[Candidate]) -> Floats:
        """Unbiased learnability (n,), at most 1/2; NaN with fewer than 2 attempts."""
        return learnability(*_counts(candidates))

    def pay(self, candidates: Sequence[Candidate]) -> Floats:
        """``pay_scale`` × p̃(1-p̃) (n,); NaN with fewer than 2 attempts.

        A few attempts say little about one problem: paid by ``score``, a proposer is taught by luck, and
        never to write what nobody can solve yet but everybody could learn. p̃ shrinks the problem's own
        attempts to what is usual at its difficulty.
        """
        pay = np.full(len(candidates), np.nan)
        known = _counts(candidates)[1] >= 2
        for domain in self._domains:
            at = [i for i, c in enumerate(candidates) if c.domain == domain and known[i]]
            if at:
                pay[at] = self._config.pay_scale * self._priority([candidates[i] for i in at])
        return pay

    def frontier(self, domain: str) -> float:
        """The difficulty at which success is about ``target_success``, in the domain's unit.

        The domain's start target where nothing was attempted, or so long ago that it is forgotten.
        """
        curve = self._curves[domain]
        return curve.crossing(self._config.target_success) if curve else self._config.start(domain)

    def target(self, domain: str) -> float:
        """What fresh targets spread about: ``stretch`` times the frontier, in the domain's unit.

        The start target where nothing was attempted. At least ``minimum_target``, and otherwise at most
        ``overreach`` times what was usual of late: where proposers cannot follow, asking for ever
        more would only ask for what they have never seen.
        """
        curve = self._curves[domain]
        if not curve:
            return self._config.start(domain)
        wanted = min(self._config.stretch * self.frontier(domain), self._config.overreach * curve.usual())
        return max(wanted, self._config.minimum_target)

    def request(self, n: int, rng: np.random.Generator) -> list[Request]:
        """See :class:`curricula.base.Strategy`. Domains get equal shares.

        What the buffer cannot give (it is empty, or has fewer problems than replays are due) is asked
        for fresh.
        """
        found: list[Request] = []
        even = np.full(len(self._domains), 1 / len(self._domains))
        for domain, size in zip(self._domains, apportion(n, even, rng), strict=True):
            found += self._request(domain, size, rng)
        return found

    def _request(self, domain: str, n: int, rng: np.random.Generator) -> list[Request]:
        fresh, mutate, replay = apportion(n, self._shares, rng)
        buffer = self._buffers[domain]
        if not len(buffer):
            return [Fresh(domain, self._config.start(domain)) for _ in range(n)]
        items = buffer.items()
        priority = self._priority(items)
        # Only known scores are drawn by rank before unknown ones; NaN ranks last in the sampler.
        priority[_counts(items)[1] < 2] = np.nan
        age = buffer.ages(self._now or 0)
        parents = self._sampler.draw(priority, age, mutate, rng)
        replays = self._sampler.draw_distinct(priority, age, replay, rng)
        fresh += replay - len(replays)
        logs = math.log(self.target(domain)) + self._config.spread * rng.standard_normal(fresh)
        found: list[Request] = [Fresh(domain, float(t)) for t in np.exp(logs)]
        found += [Mutate(domain, items[i].problem_id) for i in parents]
        found += [Replay(domain, items[i].problem_id) for i in replays]
        return found

    def _priority(self, items: Sequence[Candidate]) -> Floats:
        """p̃(1-p̃) of problems of one domain; see the module. NaN where there is no evidence at all."""
        if not items:
            return np.zeros(0)
        curve = self._curves[items[0].domain]
        now = self._now or 0
        solved, tried = _counts(items)
        age = now - np.fromiter((c.last_round for c in items), np.float64, len(items))
        faded = 0.5 ** (age / self._config.half_life)
        prior = curve.success(np.fromiter((c.difficulty for c in items), np.float64, len(items)))
        strength = self._config.prior_strength
        p = (faded * solved + strength * prior) / (faded * tried + strength)
        return np.asarray(p * (1 - p))

    def state_dict(self) -> Json:
        """See :class:`curricula.base.Strategy`."""
        return {
            "strategy": self.name,
            "now": self._now,
            "domains": {
                d: {**self._buffers[d].state_dict(), **self._curves[d].state_dict()} for d in self._domains
            },
        }

    def load_state_dict(self, state: Json) -> None:
        """See :class:`curricula.base.Strategy`."""
        by_name = check_state(state, self.name, self._domains)
        self._now = cast("int | None", state["now"])
        for d in self._domains:
            self._buffers[d].load_state_dict(by_name[d])
            self._curves[d].load_state_dict(by_name[d])
