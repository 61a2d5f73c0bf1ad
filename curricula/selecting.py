"""What strategies share that keep problems, ask for variations and replays of them, and for fresh ones.

A strategy says what a problem is worth; here is the rest. Problems are kept in a buffer for each domain.
Parents and replays are drawn from it by rank (:mod:`curricula.sampler`), and fresh problems are asked for
about ``stretch`` times the frontier, where :class:`~curricula.frontier.SuccessCurve` crosses
``target_success``. :class:`Remembering` ranks a problem by what it was worth when last attempted.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, cast

import numpy as np

from culture.records import Attempt, Json, Problem
from curricula.base import (
    Candidate,
    Floats,
    Fresh,
    Mutate,
    Replay,
    Request,
    check_state,
    described,
    grouped,
)
from curricula.buffer import Buffer, by_domain
from curricula.frontier import SuccessCurve
from curricula.kernels import share
from curricula.sampler import Ints, Sampler, apportion
from curricula.sections import AskingConfig, SamplerConfig, SharesConfig


def counts(candidates: Sequence[Candidate]) -> tuple[Floats, Floats]:
    """Attempts solved and made at each candidate, both (n,)."""
    size = len(candidates)
    solved = np.fromiter((c.solved for c in candidates), np.float64, size)
    tried = np.fromiter((c.tried for c in candidates), np.float64, size)
    return solved, tried


def rates(candidates: Sequence[Candidate]) -> Floats:
    """Share solved of each candidate (n,); NaN with fewer than 2 attempts."""
    return share(*counts(candidates))


def difficulties(candidates: Sequence[Candidate]) -> Floats:
    """Difficulty of each candidate (n,), in the domain's unit."""
    return np.fromiter((c.difficulty for c in candidates), np.float64, len(candidates))


class Selecting(ABC):
    """Fresh problems about the frontier, variations and replays of those of the highest priority."""

    name: ClassVar[str]
    least_attempts: ClassVar[int] = 2
    """Attempts at a problem without which this strategy knows nothing of it."""

    def __init__(
        self,
        asking: AskingConfig,
        domains: Sequence[str],
        *,
        section: str = "asking",
        shares: SharesConfig | None = None,
        sampler: SamplerConfig | None = None,
    ) -> None:
        """``shares`` and ``sampler`` in the place of those of ``asking``, which stand in ``section``.

        Raises ValueError where ``start_targets`` names a domain that is not in ``domains``.
        """
        self._asking = asking
        self._domains = list(domains)
        if unknown := sorted(set(asking.start_targets) - set(domains)):
            raise ValueError(
                f"expected {section}.start_targets for {', '.join(domains)}, got {', '.join(unknown)}; "
                "name domains of the run"
            )
        parts, drawn = shares or asking, sampler or asking.sampler
        self._shares = np.array([parts.fresh_share, parts.mutate_share, parts.replay_share])
        self._sampler = Sampler(drawn.temperature, drawn.staleness, drawn.top_k)
        self._now: int | None = None
        self._buffers = {d: Buffer(d, asking.buffer_size) for d in domains}
        self._curves = {d: SuccessCurve.asked(asking) for d in domains}

    # -- what a strategy says --------------------------------------------------------------------------
    @abstractmethod
    def score(self, candidates: Sequence[Candidate]) -> Floats:
        """See :class:`curricula.base.Strategy`."""

    @abstractmethod
    def _priority(self, items: Sequence[Candidate]) -> Floats:
        """What kept problems of one domain are worth (n,): the lowest leave first. NaN where unknown."""

    def pay(self, candidates: Sequence[Candidate]) -> Floats:
        """The score: proposers are paid what their problems are worth."""
        return self.score(candidates)

    def _ranking(self, items: Sequence[Candidate]) -> Floats:
        """What parents and replays are ranked by, (n,): the priority."""
        return self._priority(items)

    def _learned(self, domain: str, new: Sequence[Problem], tries: Sequence[Attempt]) -> None:  # noqa: B027
        """Called with each round's problems and attempts of a domain once its buffer has counted them."""

    def _evict(self, domain: str) -> None:
        self._buffers[domain].evict(self._priority)

    def _state(self, domain: str) -> Json:
        """What a strategy keeps of a domain beside buffer and curve, as plain JSON values."""
        return {}

    def _load(self, domain: str, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Take back what ``_state`` gave; called when buffer and curve are loaded."""

    # -- the contract ----------------------------------------------------------------------------------
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
            self._learned(domain, new, tries)
            self._evict(domain)

    def frontier(self, domain: str) -> float:
        """The difficulty at which success is about ``target_success``, in the domain's unit.

        The domain's start target where nothing was attempted, or so long ago that it is forgotten.
        """
        curve = self._curves[domain]
        return curve.crossing(self._asking.target_success) if curve else self._asking.start(domain)

    def target(self, domain: str) -> float:
        """What fresh targets spread about: ``stretch`` times the frontier, in the domain's unit.

        The start target where nothing was attempted. At least ``minimum_target``, and otherwise at most
        ``overreach`` times what was usual of late: where proposers cannot follow, asking for ever
        more would only ask for what they have never seen.
        """
        return self._bounded(domain, self._asking.stretch * self.frontier(domain))

    def _bounded(self, domain: str, wanted: float) -> float:
        curve = self._curves[domain]
        if not curve:
            return self._asking.start(domain)
        return max(min(wanted, self._asking.overreach * curve.usual()), self._asking.minimum_target)

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
        if not len(buffer) and not self._curves[domain]:
            start = self._asking.start(domain) if self._asking.targeted else None
            return [Fresh(domain, start) for _ in range(n)]
        items = buffer.items()
        parents, replays = self._drawn(domain, items, mutate, replay, rng)
        fresh += mutate - len(parents) + replay - len(replays)
        found: list[Request] = [Fresh(domain, t) for t in self._targets(domain, fresh, rng)]
        found += [Mutate(domain, items[i].problem_id) for i in parents]
        found += [Replay(domain, items[i].problem_id) for i in replays]
        return found

    def _drawn(
        self, domain: str, items: Sequence[Candidate], mutate: int, replay: int, rng: np.random.Generator
    ) -> tuple[Ints, Ints]:
        """Places in ``items`` of the parents of variations, and of different problems to replay."""
        ranking, age = self._ranking(items), self._buffers[domain].ages(self._now or 0)
        parents = self._sampler.draw(ranking, age, mutate, rng)
        return parents, self._sampler.draw_distinct(ranking, age, replay, rng)

    def _targets(self, domain: str, n: int, rng: np.random.Generator) -> list[float] | list[None]:
        """Difficulties of ``n`` fresh problems: log-normal about the target."""
        if not self._asking.targeted:
            return [None] * n
        logs = math.log(self.target(domain)) + self._asking.spread * rng.standard_normal(n)
        return [float(t) for t in np.exp(logs)]

    def state_dict(self) -> Json:
        """See :class:`curricula.base.Strategy`."""
        return {
            "strategy": self.name,
            "now": self._now,
            "domains": {
                d: {
                    **self._buffers[d].state_dict(),
                    **self._curves[d].state_dict(),
                    **self._state(d),
                }
                for d in self._domains
            },
        }

    def load_state_dict(self, state: Json) -> None:
        """See :class:`curricula.base.Strategy`."""
        by_name = check_state(state, self.name, self._domains)
        self._now = cast("int | None", state["now"])
        for d in self._domains:
            self._buffers[d].load_state_dict(by_name[d])
            self._curves[d].load_state_dict(by_name[d])
            self._load(d, by_name[d])


class Remembering(Selecting):
    """Priority is what a problem was worth when it was last attempted, and less the longer ago that was.

    What solvers could do then is not what they can do now: worth fades with ``half_life``. Where it does
    not ``fades``, as in Prioritized Level Replay, staleness alone brings problems back.
    """

    fades: ClassVar[bool] = True

    def __init__(
        self,
        asking: AskingConfig,
        domains: Sequence[str],
        *,
        shares: SharesConfig | None = None,
        sampler: SamplerConfig | None = None,
    ) -> None:
        super().__init__(asking, domains, shares=shares, sampler=sampler)
        self._worths: dict[str, dict[str, float]] = {d: {} for d in domains}

    def _worth(self, attempted: Sequence[Candidate]) -> Floats:
        """What is remembered of problems that were just attempted, (n,): the score."""
        return self.score(attempted)

    def _priority(self, items: Sequence[Candidate]) -> Floats:
        worths = np.array(
            [self._worths[c.domain].get(c.problem_id, np.nan) for c in items], dtype=np.float64
        )
        if not self.fades:
            return worths
        age = [(self._now or 0) - c.last_round for c in items]
        return worths * 0.5 ** (np.array(age, dtype=np.float64) / self._asking.half_life)

    def _learned(self, domain: str, new: Sequence[Problem], tries: Sequence[Attempt]) -> None:
        attempted = self._attempted(domain, new, tries)
        for c, worth in zip(attempted, self._worth(attempted).tolist(), strict=True):
            if not math.isnan(worth):
                self._worths[domain][c.problem_id] = worth

    def _attempted(self, domain: str, new: Sequence[Problem], tries: Sequence[Attempt]) -> list[Candidate]:
        """The kept problems that ``tries`` attempted, in order of id, with who attempted them.

        Their counts are the buffer's; their texts are at hand where they are new.
        """
        buffer = self._buffers[domain]
        texts = {p.problem_id: described(p) for p in new}
        return [
            replace(buffer[i], text=texts.get(i, ""), groups=groups)
            for i, groups in sorted(grouped(tries).items())
            if i in buffer
        ]

    def _evict(self, domain: str) -> None:
        super()._evict(domain)
        worths = self._worths[domain]
        # In the buffer's order, which a state has too.
        kept = [c.problem_id for c in self._buffers[domain]]
        self._worths[domain] = {i: worths[i] for i in kept if i in worths}

    def _state(self, domain: str) -> Json:
        return {"worths": dict(self._worths[domain])}

    def _load(self, domain: str, state: Mapping[str, Any]) -> None:
        self._worths[domain] = {i: float(w) for i, w in state["worths"].items()}
