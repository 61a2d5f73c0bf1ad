"""What the library does to success, as the run goes on."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from matplotlib.figure import FigureBase
from matplotlib.ticker import MaxNLocator

from analysis.figures.base import Log, NoData
from analysis.figures.style import COLOURS, MARKERS, STYLES, WIDE, legend, plain
from culture.effect import contrasts
from culture.records import Arm

NAME: Final = "effect"
TITLE: Final = "The library's effect over time"
CAPTION: Final = (
    "Whether an attempt may read is drawn by lot; these are differences in success between the arms, by "
    "intention to treat, in points, with 95% intervals clustered by problem; a point without one has too "
    "little to tell. Library less none is what having a library does; library less placebo what its "
    "contents do, placebo less none what a longer prompt does."
)
SIZE: Final = WIDE
WINDOWS: Final = 8
"""Most windows that the rounds are cut into."""
SQL: Final = {
    "attempts by arm": """\
SELECT round, problem_id, arm, count(*) AS attempts, count(*) FILTER (correct) AS correct,
    count(*) FILTER (attempt_id IN (SELECT attempt_id FROM reads)) AS read
FROM attempts WHERE verdict <> 'error' GROUP BY ALL ORDER BY ALL"""
}


@dataclass(frozen=True, slots=True)
class Window:
    """A difference in some rounds."""

    first: int
    """The first of the rounds."""
    last: int
    difference: float
    """From -1 to 1."""
    low: float | None
    """Lower end of the 95% interval; None where there is too little to tell."""
    high: float | None
    treated: int
    """Attempts in the treatment arm."""
    controls: int
    """Attempts in the control arm."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """A treatment less a control."""

    treatment: str
    control: str
    whole: Window
    """Over all rounds."""
    windows: list[Window]
    """By windows of as many rounds each, as far as they go, the first first."""


@dataclass(frozen=True, slots=True)
class EffectOverTime:
    """Contrasts that have attempts in both arms."""

    contrasts: list[Contrast]


def data(log: Log) -> EffectOverTime:
    """Raises NoData where there is one arm only."""
    rows = log.execute(SQL["attempts by arm"]).fetchall()
    if not rows:
        raise NoData("Nothing was attempted yet.")
    first, last = rows[0][0], rows[-1][0]
    cuts = np.linspace(first, last + 1, min(WINDOWS, last - first + 1) + 1).round().astype(int).tolist()
    found: dict[tuple[Arm, Arm], list[Window]] = {}
    spans = [(first, last), *((a, b - 1) for a, b in pairwise(cuts))]
    for low, high in spans:
        for e in contrasts(r[1:] for r in rows if low <= r[0] <= high):
            window = Window(low, high, e.difference, e.low, e.high, e.treated, e.controls)
            found.setdefault((e.treatment, e.control), []).append(window)
    if not found:
        arms = ", ".join(sorted({r[2] for r in rows}))
        raise NoData(f"All attempts are in one arm ({arms}), so nothing can be compared with it.")
    # the whole comes first, so a contrast that is in a window is in it
    return EffectOverTime([Contrast(t, c, windows[0], windows[1:]) for (t, c), windows in found.items()])


def draw(data: EffectOverTime, figure: FigureBase) -> None:
    """One panel: a point a window and contrast, side by side, and the whole at the right."""
    axes = figure.subplots()
    spans = sorted({(w.first, w.last) for c in data.contrasts for w in c.windows})
    width = min((b - a + 1 for a, b in spans), default=1)
    for at, c in enumerate(data.contrasts):
        shift = width * 0.14 * (at - (len(data.contrasts) - 1) / 2)
        x = [(w.first + w.last) / 2 + shift for w in c.windows]
        y = np.array([100 * w.difference for w in c.windows])
        below = [np.nan if w.low is None else 100 * (w.difference - w.low) for w in c.windows]
        above = [np.nan if w.high is None else 100 * (w.high - w.difference) for w in c.windows]
        whole = f"{100 * c.whole.difference:+.1f}"
        if c.whole.low is not None and c.whole.high is not None:
            whole += f" [{100 * c.whole.low:+.1f}, {100 * c.whole.high:+.1f}]"
        axes.errorbar(
            x,
            y,
            yerr=[below, above],
            color=COLOURS[at % len(COLOURS)],
            marker=MARKERS[at % len(MARKERS)],
            linestyle=STYLES[at % len(STYLES)],
            markersize=5,
            capsize=3,
            linewidth=1.2,
            label=f"{c.treatment} − {c.control}: {whole} over all rounds",
        )
    axes.axhline(0, color="black", linewidth=1)
    for _, end in spans[:-1]:
        axes.axvline(end + 0.5, color="#cccccc", linewidth=0.6, zorder=0)
    plain(axes)
    axes.grid(axis="x", visible=False)
    axes.set_xlabel("round")
    axes.set_ylabel("difference in success, points")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.22 * (high - low))
    legend(axes, loc="upper left")
