"""Where the time went, round by round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from matplotlib.figure import FigureBase

from analysis.figures.base import Log, NoData
from analysis.figures.style import COLOURS, GREY, HATCHES, WIDE, stacked

NAME: Final = "phases"
TITLE: Final = "Time by phase"
CAPTION: Final = "Wall time of each round by phase; the first round includes the warm-up, if there is one."
SIZE: Final = WIDE
PHASES: Final = ("request", "propose", "attempt", "judge", "write", "learn", "sleep", "evaluate")
SQL: Final = {
    "seconds": f"""\
SELECT round, {", ".join(f"{phase}_seconds" for phase in PHASES)},
    greatest(0, seconds - ({" + ".join(f"{phase}_seconds" for phase in PHASES)})) AS other_seconds
FROM rounds ORDER BY round"""
}


@dataclass(frozen=True, slots=True)
class PhaseTimes:
    """Seconds of each round."""

    rounds: list[int]
    seconds: dict[str, list[float]]
    """By phase; ``other`` is what is in none of them."""


def data(log: Log) -> PhaseTimes:
    """Raises NoData before the first committed round."""
    rows = log.execute(SQL["seconds"]).fetchall()
    if not rows:
        raise NoData("No round is committed yet.")
    rounds, *columns = (list(column) for column in zip(*rows, strict=True))
    return PhaseTimes(rounds, dict(zip((*PHASES, "other"), columns, strict=True)))


def draw(data: PhaseTimes, figure: FigureBase) -> None:
    """One panel of stacked bars; phases that took no time to speak of are left out of the legend."""
    axes = figure.subplots()
    total = sum(sum(s) for s in data.seconds.values())
    parts = []
    for at, (phase, seconds) in enumerate(data.seconds.items()):
        share = sum(seconds) / total if total else 0.0
        look: dict[str, Any] = {
            "color": GREY if phase == "other" else COLOURS[at % len(COLOURS)],
            "hatch": HATCHES[at % len(HATCHES)],
        }
        if share >= 0.001:
            look["label"] = f"{phase} ({share:.1%})"
        parts.append((seconds, look))
    highest = stacked(axes, data.rounds, parts)
    axes.set_ylabel("seconds")
    axes.set_ylim(0, max(highest * 1.4, 1e-9))
    axes.legend(loc="upper center", ncols=3, fontsize=8, frameon=False)
