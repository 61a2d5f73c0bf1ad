"""About how long a run takes on one core, before any of it was played: a rough guess, by its size."""

from __future__ import annotations

from arena.config import RunConfig
from arena.domains import make_domain

_PRESET_PARAMETERS = 12 * 3 * 96**2
"""Of the preset ``spark``, which the figures below are from."""
_ATTEMPT, _TURNS = 0.005, 0.01
"""Seconds of an attempt with all that comes of it, in domains of one step and of several."""
_LARGE = 1.3
"""The same for SmolLM2, in seconds of a core."""
_FLOPS = 25e9
"""Floating-point operations a second that a warm-up came to on a core."""
_ANCHOR = 0.01
"""Seconds of an anchor."""


def rough_seconds(config: RunConfig, *, warm_up: bool = True) -> float:
    """Seconds of a run, with its warm-up or where that was made before: within a factor of three.

    From runs on two idle cores; a machine of others' work takes as much longer as it is busy.
    """
    parameters = max(12 * p.layers * p.width**2 for p in config.policies.values())
    large = config.engine.kind != "spark"
    several = any(not make_domain(name).one_step for name in config.domains)
    scale = 1.0 if large else max(0.3, parameters / _PRESET_PARAMETERS)
    attempts = config.rollout.problems * config.rollout.attempts
    round_seconds = attempts * (_LARGE if large else (_TURNS if several else _ATTEMPT) * scale)
    made = sum(p.base == "spark" for p in config.policies.values())
    before = made * 6 * parameters * config.warm_up.tokens / _FLOPS if warm_up and not large else 0.0
    evaluated = sum(config.evaluated(r) for r in range(config.rounds)) * config.evaluation.per_cell * 16
    return before + config.rounds * round_seconds + evaluated * (_LARGE if large else _ANCHOR)
