"""The figures of a run, each by SQL on its log: see :mod:`analysis.figures.base` for what a figure is."""

from __future__ import annotations

from analysis.figures import (
    collapse,
    difficulty,
    effect,
    frontier,
    growth,
    lineage,
    network,
    phases,
    proposals,
    readership,
    scale,
    success,
)
from analysis.figures.base import Figure, Log, NoData, Point, Series

FIGURES: dict[str, Figure] = {
    f.NAME: f
    for f in (
        success,
        scale,
        difficulty,
        frontier,
        proposals,
        collapse,
        lineage,
        effect,
        growth,
        readership,
        network,
        phases,
    )
}
"""All figures by their names, in the order in which a report has them."""

__all__ = ["FIGURES", "Figure", "Log", "NoData", "Point", "Series"]
