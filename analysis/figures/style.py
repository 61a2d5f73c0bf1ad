"""How figures look: colours, markers and line styles that say the same thing twice, and axes in units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.figures.base import Point, Series
from analysis.history import START

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's, which the colour-blind tell apart; line styles and markers say the same again."""
GREY = "#777777"
STYLES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P")
HATCHES = ("", "///", "xxx", "...", "\\\\\\", "++", "oo", "**")
MAP = "cividis"
FEW = 40
"""Rounds up to which they are drawn one by one."""
WIDE = (7.2, 4.3)
"""Width and height of a figure with one panel, in inches."""


def look(at: int) -> dict[str, Any]:
    """Colour, marker and line style of the line number ``at``."""
    return {
        "color": COLOURS[at % len(COLOURS)],
        "marker": MARKERS[at % len(MARKERS)],
        "linestyle": STYLES[at % len(STYLES)],
    }


def every(x: Sequence[object]) -> int:
    """Markers at about twenty points, so that they tell lines apart and do not hide them."""
    return max(1, len(x) // 20)


def line(axes: Axes, series: Series, at: int, *, label: str = "", **options: Any) -> None:
    """A line with markers; a band around it where its points have one."""
    style = look(at) | options
    axes.plot(
        series.rounds,
        series.values,
        markersize=4.5,
        markevery=every(series.points),
        label=label or series.label,
        **style,
    )
    band(axes, series, style["color"])


def band(axes: Axes, series: Series, colour: str, *, label: str = "") -> None:
    """The intervals of a series as a band."""
    ends = [(p.round, p.low, p.high) for p in series.points if p.low is not None and p.high is not None]
    if ends:
        x, low, high = (np.array(column, float) for column in zip(*ends, strict=True))
        axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0, label=label or None)


def bars(axes: Axes, series: Series, at: int, *, label: str = "", **options: Any) -> None:
    """A line whose points have their intervals as bars."""
    axes.errorbar(
        series.rounds,
        series.values,
        yerr=arms(series.points),
        markersize=4.5,
        capsize=3,
        label=label or series.label,
        **(look(at) | options),
    )


def arms(points: Sequence[Point]) -> Any:
    """Lengths below and above of the intervals of points, (2, n); 0 where there is none."""
    below = [p.value - (p.value if p.low is None else p.low) for p in points]
    above = [(p.value if p.high is None else p.high) - p.value for p in points]
    return np.clip(np.array([below, above], float), 0, None)


def plain(axes: Axes) -> None:
    """A grid behind what is drawn, and no box."""
    axes.set_axisbelow(True)
    axes.grid(alpha=0.3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def of_rounds(axes: Axes, series: Sequence[Series]) -> None:
    """The horizontal axis of rounds; what was there before the first is called start."""
    plain(axes)
    axes.set_xlabel("round")
    rounds = [r for s in series for r in s.rounds]
    if START not in rounds:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        return
    last = max(rounds)
    ticks = [
        t
        for t in MaxNLocator(integer=True).tick_values(0, max(1, last))
        if 0 <= t <= last and (last < 15 or t > last / 15)
    ]
    axes.set_xticks([START, *ticks], ["start", *(f"{t:.0f}" for t in ticks)])


def legend(axes: Axes, **options: Any) -> None:
    """A legend where there is something to tell."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(**({"fontsize": 8.5, "framealpha": 0.9} | options))


def stacked(
    axes: Axes, rounds: Sequence[int], parts: Sequence[tuple[Sequence[float], dict[str, Any]]]
) -> float:
    """Heights by rising round on top of each other, each with options of its own; returns the highest pile.

    Beyond ``FEW`` rounds the bars of a part are one outline: as they touch it looks the same, and a bar a
    round and part takes seconds to draw in a long run.
    """
    at = np.asarray(rounds) - rounds[0]
    whole = len(rounds) > FEW
    below = np.zeros(at[-1] + 1 if whole else len(rounds))
    for heights, options in parts:
        top = below.copy()
        top[at if whole else slice(None)] += np.asarray(heights, float)  # 0 in a round that is left out
        look: dict[str, Any] = {"edgecolor": "white", "linewidth": 0} | options
        if whole:
            edges = np.arange(len(top) + 1) + rounds[0] - 0.5
            look["facecolor"] = look.pop("color")
            axes.stairs(top, edges, baseline=below, fill=True, **look)
        else:
            axes.bar(rounds, top - below, bottom=below, width=0.85, **look)
        below = top
    plain(axes)
    axes.set_xlabel("round")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return float(below.max())
