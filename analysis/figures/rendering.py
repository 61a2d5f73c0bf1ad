"""Figures as PNG files."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from analysis.figures.base import Figure

DOTS: int = 160
"""A PNG's dots an inch."""


def save(figure: Figure, data: Any, path: Path, heading: str = "") -> None:
    """Draw ``data`` of a figure as a PNG. An existing file is replaced only by a whole one."""
    canvas = Canvas(figsize=figure.SIZE, dpi=DOTS, layout="constrained")
    FigureCanvasAgg(canvas)
    figure.draw(data, canvas)
    if heading:
        canvas.suptitle(heading, fontsize=10.5, parse_math=False)
    write(canvas, path)


def write(canvas: Canvas, path: Path) -> None:
    """Write a canvas as a PNG, whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    with warnings.catch_warnings():
        # titles and names may be in any script, and the font has not all of them
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        canvas.savefig(partial, format="png")
    partial.replace(path)
