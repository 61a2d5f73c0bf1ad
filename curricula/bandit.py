"""A bandit over strategies, rewarded by learning progress.

Exp3.S as in Graves et al. 2017 (Automated curriculum learning for neural networks, arXiv 1704.03003),
after Auer et al. 2002. Each round one of the named strategies makes the requests, judges and pays; all
of them observe. A round's progress is the share of its attempts that were solved above what was usual
at their difficulty so far, and is credited to the strategy of the round before, whose problems the
solvers have learned from since. Rewards are progress between its 20th and 80th percentile of late,
scaled to -1 and 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

import numpy as np

from culture.records import Attempt, Json, Problem
from curricula.base import (
    Candidate,
    Floats,
    Request,
    Strategy,
    check_state,
    compared,
    register,
    strategy_class,
)
from curricula.buffer import Buffer, by_domain
from curricula.config import CurriculumConfig
from curricula.frontier import SuccessCurve
from curricula.mixture import frontier_of


def exp3s(weights: Floats, chosen: int, reward: float, chance: float, rate: float, step: int) -> Floats:
    """Log weights (n,) after ``chosen``, which had probability ``chance``, earned ``reward``.

    w_i = log[(1-α)exp(w_i + ηr_i) + α/(N-1) Σ_{j≠i} exp(w_j + ηr_j)], r the importance-weighted reward and
    α = 1/``step``, so that weights of long ago fade.
    """
    gained = weights.copy()
    gained[chosen] += rate * reward / chance
    mass = np.exp(gained - gained.max())
    share = 1 / step
    mixed = (1 - share) * mass + share / (len(weights) - 1) * (mass.sum() - mass)
    return np.asarray(np.log(np.maximum(mixed / mixed.max(), 1e-300)))


def scaled(progress: float, history: Sequence[float]) -> float:
    """Progress, clipped, where the 20th percentile of ``history`` is -1 and the 80th is 1."""
    low, high = np.quantile(np.array(history), [0.2, 0.8])
    if high <= low:
        return 0.0
    return float(np.clip(2 * (progress - low) / (high - low) - 1, -1.0, 1.0))


@register
class Bandit:
    """Each round the strategy that a bandit draws."""

    name: ClassVar[str] = "bandit"

    def __init__(self, config: CurriculumConfig, domains: Sequence[str]) -> None:
        self._config = config.bandit
        self._domains = list(domains)
        self._names = list(config.bandit.strategies)
        self._arms: list[Strategy] = [strategy_class(n)(config, domains) for n in self._names]
        asking = config.asking
        self._now: int | None = None
        self._buffers = {d: Buffer(d, asking.buffer_size) for d in domains}
        self._curves = {d: SuccessCurve.asked(asking) for d in domains}
        self._weights: Floats = np.zeros(len(self._arms))
        self._steps = 0
        self._history: list[float] = []
        # Place and probability of the round's strategy, and of the one whose problems were last observed.
        self._chosen: tuple[int, float] | None = None
        self._credited: tuple[int, float] | None = None

    @property
    def least_attempts(self) -> int:
        """The most that one of its strategies needs."""
        return max(int(getattr(arm, "least_attempts", 1)) for arm in self._arms)

    def probabilities(self) -> dict[str, float]:
        """The probability of each strategy in the next round."""
        mass = np.exp(self._weights - self._weights.max())
        even = self._config.exploration / len(mass)
        drawn = (1 - self._config.exploration) * mass / mass.sum() + even
        return dict(zip(self._names, drawn.tolist(), strict=True))

    @property
    def _current(self) -> Strategy:
        return self._arms[0 if self._chosen is None else self._chosen[0]]

    def request(self, n: int, rng: np.random.Generator) -> list[Request]:
        """See :class:`curricula.base.Strategy`. Draws the strategy of the round; none for no requests."""
        if n == 0:
            return []
        chances = np.array(list(self.probabilities().values()))
        place = int(rng.choice(len(chances), p=chances / chances.sum()))
        self._chosen = (place, float(chances[place]))
        return self._arms[place].request(n, rng)

    def observe(self, problems: Sequence[Problem], attempts: Sequence[Attempt]) -> None:
        """See :class:`curricula.base.Strategy`. Credits the strategy of the round before."""
        split = by_domain(self._domains, problems, attempts)
        for arm in self._arms:
            arm.observe(problems, attempts)
        if not problems and not attempts:
            return
        latest = max([p.round for p in problems] + [a.round for a in attempts])
        passed = 0 if self._now is None else max(latest - self._now, 0)
        self._now = latest if self._now is None else self._now + passed
        above, tried = 0.0, 0
        for domain, (new, tries) in split.items():
            buffer, curve = self._buffers[domain], self._curves[domain]
            buffer.add(new)
            outcomes = buffer.record(tries)
            if curve and outcomes:
                usual = curve.success(np.array([o.difficulty for o in outcomes]))
                above += sum(o.solved - o.tried * u for o, u in zip(outcomes, usual.tolist(), strict=True))
                tried += sum(o.tried for o in outcomes)
            curve.advance(passed)
            curve.add(outcomes)
            buffer.evict(lambda items: np.array([float(c.round) for c in items]))
        if tried:
            self._earn(above / tried)
        self._credited = self._chosen

    def _earn(self, progress: float) -> None:
        self._history = [*self._history, progress][-self._config.history :]
        if self._credited is None:
            return
        self._steps += 1
        place, chance = self._credited
        reward = scaled(progress, self._history)
        self._weights = exp3s(self._weights, place, reward, chance, self._config.rate, self._steps + 1)

    def score(self, candidates: Sequence[Candidate]) -> Floats:
        """The score by the round's strategy, (n,)."""
        return self._current.score(candidates)

    def pay(self, candidates: Sequence[Candidate]) -> Floats:
        """The payment by the round's strategy, (n,)."""
        return self._current.pay(candidates)

    def compared(self, candidate: Candidate) -> bool:
        """What the round's strategy says."""
        return compared(self._current, candidate)

    def frontier(self, domain: str) -> float | None:
        """The frontier as the round's strategy places it; None where it has none."""
        return frontier_of(self._current, domain)

    def state_dict(self) -> Json:
        """See :class:`curricula.base.Strategy`."""
        return {
            "strategy": self.name,
            "now": self._now,
            "weights": self._weights.tolist(),
            "steps": self._steps,
            "history": list(self._history),
            "chosen": None if self._chosen is None else list(self._chosen),
            "credited": None if self._credited is None else list(self._credited),
            "arms": {n: arm.state_dict() for n, arm in zip(self._names, self._arms, strict=True)},
            "domains": {
                d: {**self._buffers[d].state_dict(), **self._curves[d].state_dict()} for d in self._domains
            },
        }

    def load_state_dict(self, state: Json) -> None:
        """See :class:`curricula.base.Strategy`. Raises ValueError for a state of other strategies."""
        by_name = check_state(state, self.name, self._domains)
        kept = cast("dict[str, Any]", state)
        if list(kept["arms"]) != self._names:
            raise ValueError(
                f"expected a state of the strategies {', '.join(self._names)}, got "
                f"{', '.join(kept['arms'])}; resume with those that the run was started with"
            )
        self._now, self._steps = kept["now"], int(kept["steps"])
        self._weights = np.array(kept["weights"], dtype=np.float64)
        self._history = [float(v) for v in kept["history"]]
        chosen, credited = (
            None if kept[key] is None else (int(kept[key][0]), float(kept[key][1]))
            for key in ("chosen", "credited")
        )
        self._chosen, self._credited = chosen, credited
        for n, arm in zip(self._names, self._arms, strict=True):
            arm.load_state_dict(kept["arms"][n])
        for d in self._domains:
            self._buffers[d].load_state_dict(by_name[d])
            self._curves[d].load_state_dict(by_name[d])
