"""Random texts that match a regular expression, to try what a pattern lets a model write."""

from __future__ import annotations

import re._constants as ops
import re._parser as parser
from typing import Any

import numpy as np


def matching(pattern: str, rng: np.random.Generator) -> str:
    """One text that ``pattern`` matches whole; repetitions without an end are at most three longer."""
    return "".join(_text(part, rng) for part in parser.parse(pattern))


def _text(part: tuple[Any, Any], rng: np.random.Generator) -> str:
    kind, value = part
    if kind is ops.LITERAL:
        return chr(value)
    if kind is ops.IN:
        low, high = [], []
        for inner, bounds in value:
            first, last = bounds if inner is ops.RANGE else (bounds, bounds)
            low.append(first)
            high.append(last)
        at = int(rng.integers(len(low)))
        return chr(int(rng.integers(low[at], high[at] + 1)))
    if kind is ops.BRANCH:
        branches = value[1]
        chosen = branches[int(rng.integers(len(branches)))]
    elif kind is ops.SUBPATTERN:
        chosen = value[3]
    elif kind is ops.MAX_REPEAT:
        least, most, inside = value
        most = least + 3 if most is ops.MAXREPEAT else most
        chosen = [p for _ in range(int(rng.integers(least, most + 1))) for p in inside]
    else:
        raise ValueError(f"expected a literal, a set, a choice or a repetition, got {kind}")
    return "".join(_text(inner, rng) for inner in chosen)
