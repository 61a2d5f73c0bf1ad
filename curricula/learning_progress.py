"""Learning progress: a fast less a slow average of success (Kanitscheider et al. 2021, arXiv 2106.14876).

A task is a bin of difficulty. fast moves to each round's share solved, slow moves to fast, both by
``rate``; progress is |f(fast) - f(slow)| with f(p) = p(1-θ)/(p + θ(1-2p)), which counts progress on
hard tasks for more, as in OMNI (Zhang et al. 2023, arXiv 2306.01711, θ = 0.1). Fresh targets are drawn
from bins in proportion to it, a share of them evenly over all difficulties known so far. Forgetting is
progress too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from culture.records import Attempt, Json, Problem
from curricula.base import Candidate, Floats, counted, register
from curricula.config import CurriculumConfig
from curricula.kernels import change
from curricula.selecting import Selecting, counts


@register
class LearningProgress(Selecting):
    """Fresh problems at difficulties where success changes."""

    name: ClassVar[str] = "learning_progress"
    least_attempts: ClassVar[int] = 1

    def __init__(self, config: CurriculumConfig, domains: Sequence[str]) -> None:
        super().__init__(config.asking, domains)
        self._config = config.learning_progress
        # Bin index -> [fast, slow], by domain.
        self._bins: dict[str, dict[int, list[float]]] = {d: {} for d in domains}

    def _bin(self, difficulty: float) -> int:
        least = max(difficulty, self._asking.minimum_target)
        return math.floor(math.log(least) / self._asking.bin_width)

    def progress(self, domain: str, difficulty: float) -> float:
        """|f(fast) - f(slow)| in the bin of a difficulty; 0 where nothing was attempted yet."""
        pair = self._bins[domain].get(self._bin(difficulty))
        return 0.0 if pair is None else float(self._changes([pair])[0])

    def _changes(self, pairs: Sequence[Sequence[float]]) -> Floats:
        fast, slow = np.array(pairs, dtype=np.float64).T
        return change(fast, slow, self._config.theta)

    def score(self, candidates: Sequence[Candidate]) -> Floats:
        """Progress in the bin of each problem (n,), from 0 to 1; NaN without an attempt."""
        found = np.array([self.progress(c.domain, c.difficulty) for c in candidates], dtype=np.float64)
        return np.where(counts(candidates)[1] < 1, np.nan, found)

    def _priority(self, items: Sequence[Candidate]) -> Floats:
        return self.score(items)

    def _learned(self, domain: str, new: Sequence[Problem], tries: Sequence[Attempt]) -> None:
        buffer, totals = self._buffers[domain], dict[int, list[int]]()
        for a in tries:
            if counted(a) and a.problem_id in buffer:
                total = totals.setdefault(self._bin(buffer[a.problem_id].difficulty), [0, 0])
                total[0] += a.correct
                total[1] += 1
        rate = self._config.rate
        for at, (solved, tried) in sorted(totals.items()):
            p = solved / tried
            pair = self._bins[domain].setdefault(at, [p, p])
            pair[0] += rate * (p - pair[0])
            pair[1] += rate * (pair[0] - pair[1])

    def _targets(self, domain: str, n: int, rng: np.random.Generator) -> list[float] | list[None]:
        bins, width = self._bins[domain], self._asking.bin_width
        if not bins:
            return super()._targets(domain, n, rng)
        places = sorted(bins)
        changes = self._changes([bins[i] for i in places])
        total = changes.sum()
        weights = changes / total if total > 0 else np.full(len(places), 1 / len(places))
        within = width * (
            np.array(places)[rng.choice(len(places), size=n, p=weights)] + rng.uniform(size=n)
        )
        margin, least = math.log(self._asking.reach), math.log(self._asking.minimum_target)
        low, high = max(width * places[0] - margin, least), width * (places[-1] + 1) + margin
        evenly = low + (high - low) * rng.uniform(size=n)
        found = np.where(rng.uniform(size=n) < self._config.random_share, evenly, np.maximum(within, least))
        return [float(t) for t in np.exp(found)]

    def _state(self, domain: str) -> Json:
        rows: list[list[float]] = [[i, *self._bins[domain][i]] for i in sorted(self._bins[domain])]
        return {"averages": rows}

    def _load(self, domain: str, state: Mapping[str, Any]) -> None:
        self._bins[domain] = {int(i): [float(fast), float(slow)] for i, fast, slow in state["averages"]}
