"""Where a domain's problems become too hard: success by difficulty, followed over rounds.

One problem's success rate from 4 attempts is noise; all attempts on problems about as difficult are
not. Attempts are counted in bins of log difficulty, and counts halve every ``half_life`` rounds, so the
curve follows the current policy. The curve is the isotonic regression of the bins (success never rises
with difficulty; pool adjacent violators, Barlow et al. 1972): unlike a logistic curve it is not moved
by solvers that slip on easy problems. Beyond the bins that hold data, success is taken to be 1 at
``reach`` times easier and 0 at ``reach`` times harder: where everything succeeds the frontier moves up,
where everything fails it moves down, without bound either way save ``minimum``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from culture.records import Json
from curricula.base import Floats
from curricula.buffer import Outcome
from curricula.sections import AskingConfig

FORGOTTEN = 0.05
"""Attempts: a bin whose decayed count is below this is dropped."""


def isotonic_decreasing(values: Floats, weights: Floats) -> Floats:
    """The non-increasing sequence (n,) nearest to ``values`` (n,) in weighted squares."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        count = 1
        while blocks and blocks[-1][0] < value:
            before, mass, members = blocks.pop()
            value = (before * mass + value * weight) / (mass + weight)
            weight, count = weight + mass, count + members
        blocks.append((value, weight, count))
    return np.repeat([b[0] for b in blocks], [b[2] for b in blocks])


class SuccessCurve:
    """The probability of success by difficulty in one domain, for the solvers as they now are."""

    def __init__(self, *, bin_width: float, half_life: float, reach: float, minimum: float) -> None:
        """``bin_width`` in natural-log units, ``half_life`` in rounds; ``reach`` and ``minimum`` as in
        :class:`curricula.config.LearnabilityConfig`."""
        self._width = bin_width
        self._half_life = half_life
        self._reach = math.log(reach)
        self._minimum = minimum
        # Bin index -> decayed [solved, tried, sum of log difficulty over attempts].
        self._bins: dict[int, list[float]] = {}
        self._knots: tuple[Floats, Floats] | None = None

    @classmethod
    def asked(cls, asking: AskingConfig) -> Self:
        """The curve of a strategy that asks by ``asking``."""
        return cls(
            bin_width=asking.bin_width,
            half_life=asking.half_life,
            reach=asking.reach,
            minimum=asking.minimum_target,
        )

    def __bool__(self) -> bool:
        return bool(self._bins)

    def advance(self, rounds: int) -> None:
        """Let ``rounds`` rounds pass."""
        keep = 0.5 ** (rounds / self._half_life)
        faded = {i: [keep * v for v in counts] for i, counts in self._bins.items()}
        self._bins = {i: counts for i, counts in faded.items() if counts[1] >= FORGOTTEN}
        self._knots = None

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Count what attempts came to."""
        for o in outcomes:
            x = math.log(max(o.difficulty, self._minimum))
            counts = self._bins.setdefault(math.floor(x / self._width), [0.0, 0.0, 0.0])
            counts[0] += o.solved
            counts[1] += o.tried
            counts[2] += x * o.tried
        self._knots = None

    def _curve(self) -> tuple[Floats, Floats]:
        """Log difficulties, rising, and probabilities, never rising; both (bins + 2,)."""
        if self._knots is None:
            table = np.array([self._bins[i] for i in sorted(self._bins)])
            solved, tried, place = table.T
            x = place / tried
            fit = isotonic_decreasing(solved / tried, tried)
            self._knots = (
                np.concatenate(([x[0] - self._reach], x, [x[-1] + self._reach])),
                np.concatenate(([1.0], fit, [0.0])),
            )
        return self._knots

    def success(self, difficulty: Floats) -> Floats:
        """Probability of success (n,) at each difficulty (n,); NaN before anything was attempted."""
        if not self._bins:
            return np.full(len(difficulty), np.nan)
        x, fit = self._curve()
        return np.asarray(np.interp(np.log(np.maximum(difficulty, self._minimum)), x, fit))

    def counts(self) -> tuple[Floats, Floats, Floats]:
        """Mean log difficulty, decayed attempts solved and made, of each bin from the easiest, all (bins,).

        Raises ValueError before there were any.
        """
        if not self._bins:
            raise ValueError("expected attempts before asking for counts, got none; observe some first")
        solved, tried, places = np.array([self._bins[i] for i in sorted(self._bins)]).T
        return places / tried, solved, tried

    def usual(self) -> float:
        """The geometric mean difficulty of recent attempts, in the domain's unit.

        Raises ValueError before there were any.
        """
        if not self._bins:
            raise ValueError("expected attempts before asking what is usual, got none; observe some first")
        # In order of difficulty: a sum of floats depends on the order, and a state read back is sorted.
        _, tried, places = np.array([self._bins[i] for i in sorted(self._bins)]).sum(axis=0)
        return math.exp(places / tried)

    def crossing(self, probability: float) -> float:
        """The difficulty at which success falls through ``probability``, at least ``minimum``.

        Where the curve is level at ``probability``, the (geometric) middle of that stretch. Raises
        ValueError before anything was attempted.
        """
        if not self._bins:
            raise ValueError("expected attempts before asking for a frontier, got none; observe some first")
        x, fit = self._curve()
        above = int(np.flatnonzero(fit > probability)[-1])
        below = int(np.flatnonzero(fit < probability)[0])
        if below - above > 1:
            at = (x[above + 1] + x[below - 1]) / 2
        else:
            slope = (fit[above] - probability) / (fit[above] - fit[below])
            at = x[above] + slope * (x[below] - x[above])
        return max(math.exp(at), self._minimum)

    def state_dict(self) -> Json:
        """Plain JSON values; one row a bin."""
        rows: list[list[float]] = [[i, *self._bins[i]] for i in sorted(self._bins)]
        return {"bins": rows}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state``."""
        self._bins = {int(row[0]): [float(v) for v in row[1:]] for row in state["bins"]}
        self._knots = None
