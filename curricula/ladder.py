"""The ladder: a scripted teacher that raises the level when the current one is mastered.

It is the classical threshold curriculum, and the baseline for curricula that problems and solvers
make themselves: levels are fixed beforehand and only success moves it, one level a round at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

import numpy as np

from culture.records import Attempt, Json, Problem
from curricula.base import Candidate, Floats, Fresh, Replay, Request, check_state, register
from curricula.buffer import Buffer, by_domain
from curricula.config import CurriculumConfig, LadderConfig
from curricula.sampler import Sampler, apportion


class _Rung:
    """Where one domain stands: a level, and the outcomes at it by round, latest last."""

    def __init__(self, config: LadderConfig) -> None:
        self._config = config
        self.level = 0
        # The level last asked for: payment is for meeting the request, also once the level has moved.
        self.asked = 0
        # Rows of [solved, tried], one a round.
        self.recent: list[list[int]] = []

    def target(self, level: int) -> float:
        """The difficulty of ``level``."""
        c = self._config
        return c.levels[level] if c.levels else c.start * c.factor**level

    def at(self, level: int, difficulty: float) -> bool:
        """Whether a difficulty is within the tolerance of ``level``."""
        ratio, target = 1 + self._config.tolerance, self.target(level)
        return target / ratio <= difficulty <= target * ratio

    def judge(self, solved: int, tried: int) -> None:
        """Count a round at the level, and move where the window is full and the rate says so."""
        c = self._config
        self.recent.append([solved, tried])
        # The fewest latest rounds that fill the window: whole rounds, so order within one is nothing.
        while sum(r[1] for r in self.recent[1:]) >= c.window:
            del self.recent[0]
        total = sum(r[1] for r in self.recent)
        if total < c.window:
            return
        rate = sum(r[0] for r in self.recent) / total
        top = len(c.levels) - 1 if c.levels else None
        if rate >= c.up and self.level != top:
            self._move(1)
        elif rate < c.down and self.level > 0:
            self._move(-1)

    def _move(self, step: int) -> None:
        self.level += step
        self.recent = []


@register
class Ladder:
    """Fresh problems at the current level, and a few replays. Score and payment: 1 at the level, else 0."""

    name: ClassVar[str] = "ladder"

    def __init__(self, config: CurriculumConfig, domains: Sequence[str]) -> None:
        self._config = c = config.ladder
        self._domains = list(domains)
        self._sampler = Sampler(c.sampler.temperature, c.sampler.staleness, c.sampler.top_k)
        self._now = 0
        self._buffers = {d: Buffer(d, c.buffer_size) for d in domains}
        self._rungs = {d: _Rung(c) for d in domains}

    def level(self, domain: str) -> int:
        """The current level, from 0."""
        return self._rungs[domain].level

    def target(self, domain: str) -> float:
        """The current level's difficulty, in the domain's unit."""
        rung = self._rungs[domain]
        return rung.target(rung.level)

    def observe(self, problems: Sequence[Problem], attempts: Sequence[Attempt]) -> None:
        """See :class:`curricula.base.Strategy`. Attempts at the level count, of new and old problems."""
        split = by_domain(self._domains, problems, attempts)
        self._now = max([self._now, *(p.round for p in problems), *(a.round for a in attempts)])
        for domain, (new, tries) in split.items():
            buffer, rung = self._buffers[domain], self._rungs[domain]
            buffer.add(new)
            outcomes = buffer.record(tries)
            at = [o for o in outcomes if rung.at(rung.level, o.difficulty)]
            if at:
                rung.judge(sum(o.solved for o in at), sum(o.tried for o in at))
            buffer.evict(self.score)

    def score(self, candidates: Sequence[Candidate]) -> Floats:
        """1 for a problem at its domain's current level, else 0, shape (n,); never NaN."""
        rungs = self._rungs
        return np.array(
            [rungs[c.domain].at(rungs[c.domain].level, c.difficulty) for c in candidates], float
        )

    def pay(self, candidates: Sequence[Candidate]) -> Floats:
        """1 for a problem at the level that was last asked for, else 0, shape (n,); never NaN."""
        rungs = self._rungs
        return np.array(
            [rungs[c.domain].at(rungs[c.domain].asked, c.difficulty) for c in candidates], float
        )

    def request(self, n: int, rng: np.random.Generator) -> list[Request]:
        """See :class:`curricula.base.Strategy`. Domains get equal shares."""
        found: list[Request] = []
        even = np.full(len(self._domains), 1 / len(self._domains))
        share = self._config.replay_share
        for domain, size in zip(self._domains, apportion(n, even, rng), strict=True):
            self._rungs[domain].asked = self._rungs[domain].level
            _, replay = apportion(size, np.array([1 - share, share]), rng)
            items = self._buffers[domain].items()
            age = self._buffers[domain].ages(self._now)
            chosen = self._sampler.draw_distinct(self.score(items), age, replay, rng)
            found += [Fresh(domain, self.target(domain)) for _ in range(size - len(chosen))]
            found += [Replay(domain, items[i].problem_id) for i in chosen]
        return found

    def state_dict(self) -> Json:
        """See :class:`curricula.base.Strategy`."""
        return {
            "strategy": self.name,
            "now": self._now,
            "domains": {
                d: {
                    **self._buffers[d].state_dict(),
                    "level": self._rungs[d].level,
                    "asked": self._rungs[d].asked,
                    "recent": [list(r) for r in self._rungs[d].recent],
                }
                for d in self._domains
            },
        }

    def load_state_dict(self, state: Json) -> None:
        """See :class:`curricula.base.Strategy`. Raises ValueError for a level that is not configured."""
        by_name = check_state(state, self.name, self._domains)
        levels = self._config.levels
        for d in self._domains:
            if levels and by_name[d]["level"] >= len(levels):
                raise ValueError(
                    f"expected a level below {len(levels)} for {d!r}, got {by_name[d]['level']}; "
                    "resume with the levels that the run was started with"
                )
        self._now = cast("int", state["now"])
        for d in self._domains:
            self._buffers[d].load_state_dict(by_name[d])
            self._rungs[d].level = by_name[d]["level"]
            self._rungs[d].asked = by_name[d]["asked"]
            self._rungs[d].recent = [list(r) for r in by_name[d]["recent"]]
