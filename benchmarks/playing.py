"""Intervals over seeds, as text."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.comparison import shown
from analysis.statistics import t_interval


def interval(values: Sequence[float], form: str = ".3f") -> str:
    """Mean and 95% t-interval; the mean alone where there is none."""
    return shown(t_interval(values), form)
