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


def rough_seconds(config: RunConfig, rounds: int | None = None) -> float:
    """Seconds of ``rounds``, or all, with the warm-up unless it is in the cache: within a factor of three.

    Measured on two idle cores; a machine of others' work takes as much longer as it is busy.
    """
    rounds = config.rounds if rounds is None else rounds
    parameters = max(12 * p.layers * p.width**2 for p in config.policies.values())
    large = config.engine.kind != "spark"
    several = any(not make_domain(name).one_step for name in config.domains)
    scale = 1.0 if large else max(0.3, parameters / _PRESET_PARAMETERS)
    attempts = config.rollout.problems * config.rollout.attempts
    round_seconds = attempts * (_LARGE if large else (_TURNS if several else _ATTEMPT) * scale)
    made = sum(p.base == "spark" for p in config.policies.values())
    warm_up = 0.0 if large else made * 6 * parameters * config.warm_up.tokens / _FLOPS
    evaluated = sum(config.evaluated(r) for r in range(rounds)) * config.evaluation.per_cell * 16
    return warm_up + rounds * round_seconds + evaluated * (_LARGE if large else _ANCHOR)
