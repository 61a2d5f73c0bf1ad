"""The picture of a run that its folder holds: four figures in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, FigureBase

from analysis.figures import difficulty, frontier, proposals, success
from analysis.figures.base import Figure as Drawing
from analysis.figures.base import NoData
from analysis.figures.rendering import write


def curriculum_picture(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Draw what was asked and what was learned, round by round, as a PNG of 1600 × 1000 pixels.

    Raises ValueError where no round is committed yet. An existing file is replaced only by a whole one.
    """
    name = connection.execute("SELECT name, seed FROM runs").fetchone()
    rounds = connection.execute("SELECT count(*) FROM rounds").fetchone()
    if name is None or rounds is None or not rounds[0]:
        raise ValueError("expected a run with a committed round, got none; draw it after the first round")
    figure = Figure(figsize=(16, 10), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{name[0]}: {rounds[0]} rounds, seed {name[1]}", fontsize=15, parse_math=False)
    panels: Any = figure.subfigures(2, 2)
    _panel(panels[0, 0], difficulty, connection)
    _panel(panels[0, 1], success, connection)
    _panel(panels[1, 0], proposals, connection)
    _panel(panels[1, 1], frontier, connection)
    write(figure, path)


def _panel(part: FigureBase, drawing: Drawing, connection: duckdb.DuckDBPyConnection) -> None:
    """One figure, or the sentence that says why there is none; of the frontier the anchors alone."""
    title = drawing.TITLE
    try:
        data: Any = drawing.data(connection)
        if drawing is frontier:
            title = "Held-out success by anchor cell"
            data = frontier.Frontier([m for m in data.maps if m.of == "anchors"])
            if not data.maps:
                raise NoData("No anchor was answered yet.")
        drawing.draw(data, part)
    except NoData as reason:
        axes = part.subplots()
        axes.text(0.5, 0.5, str(reason), ha="center", wrap=True, transform=axes.transAxes)
        axes.set_axis_off()
    panel: Any = part.axes
    panel[0].set_title(title)
