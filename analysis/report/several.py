"""The report of several runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from matplotlib.figure import FigureBase

from analysis.figures import NoData, difficulty, scale, success
from analysis.figures import effect as effect_figure
from analysis.figures.base import Log
from analysis.figures.rendering import DOTS, write
from analysis.report import comparison
from analysis.report.comparison import compared, differing, grouped
from analysis.report.curves import (
    ability_curves,
    difficulty_curves,
    draw_effects,
    draw_panels,
    effect_points,
    held_out_curves,
)
from analysis.report.page import embedded, rendered
from analysis.report.single import Shown, Tell

CURVES = ("held-out", "ability", "effects", "difficulty")
"""The pictures of a comparison, in its order."""


def page_of_runs(logs: Mapping[str, Log], folder: Path, tell: Tell) -> str:
    """The HTML that compares runs, by the names that it calls them by; pictures go into ``folder``.

    Raises ValueError where one of them has no committed round.
    """
    runs = []
    for name, log in logs.items():
        tell(f"run {name}")
        runs.append(compared(name, log))
    groups = grouped(runs)
    queries: dict[str, tuple[Mapping[str, str], Callable[[], Any], Callable[[Any, FigureBase], None]]] = {
        "held-out": (success.SQL, lambda: held_out_curves(groups), draw_panels),
        "ability": (scale.SQL, lambda: ability_curves(groups, logs), draw_panels),
        "effects": (effect_figure.SQL, lambda: effect_points(groups), draw_effects),
        "difficulty": (difficulty.SQL, lambda: difficulty_curves(groups), draw_panels),
    }
    told = {
        "held-out": (
            "Success on held-out anchors",
            "Thin lines are runs, thick ones means over the seeds of a configuration. A lone run has its "
            "own 95% intervals, over anchors.",
        ),
        "ability": (
            "Ability on one scale",
            "Anchors that the runs have in common fix one scale for all of them (item response theory).",
        ),
        "effects": (
            "What the arms differ by",
            "Differences in success by intention to treat, over all rounds. Small markers are runs, with "
            "intervals clustered by problem; large ones means over seeds, with t intervals.",
        ),
        "difficulty": (
            "Difficulty of admitted problems",
            "In each domain's own unit. Harder problems alone are no progress: see the held-out anchors.",
        ),
    }
    drawn = {}
    for name, (sql, data, draw) in queries.items():
        tell(f"picture {name}")
        drawn[name] = _shown(name, *told[name], sql, data, draw, folder / f"{name}.png")
    return rendered(
        "several.html",
        names=[r.name for r in runs],
        groups=groups,
        differing=differing(groups),
        figures=drawn,
        held_out=comparison.held_out(groups),
        effects=comparison.effects(groups),
        difficulty=comparison.difficulty(groups),
        cost=comparison.cost(groups),
    )


def _shown(
    name: str,
    title: str,
    caption: str,
    sql: Mapping[str, str],
    data: Callable[[], Any],
    draw: Callable[[Any, FigureBase], None],
    png: Path,
) -> Shown:
    try:
        found = data()
    except NoData as reason:
        return Shown(name, title, "", sql, nothing=str(reason))
    rows = len(getattr(found, "panels", ())) or max(1, round(len(getattr(found, "points", ())) / 4))
    size = (7.2, 0.7 + 3.4 * rows)
    canvas = Canvas(figsize=size, dpi=DOTS, layout="constrained")
    FigureCanvasAgg(canvas)
    draw(found, canvas)
    write(canvas, png)
    width, height = (round(inches * DOTS) for inches in size)
    return Shown(name, title, caption, sql, embedded(png), width=width, height=height)
