"""How difficult the problems are that were admitted, in each domain's own unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from matplotlib.figure import FigureBase

from analysis.figures.base import Log, NoData, Point, Series
from analysis.figures.style import WIDE, legend, line, of_rounds
from analysis.history import DIFFICULTIES, difficulties

NAME: Final = "difficulty"
TITLE: Final = "Difficulty of the admitted problems"
CAPTION: Final = (
    "Mean difficulty by round, with the 10th to the 90th percentile as a band. The frontier is the "
    "difficulty at which half is solved, as the curriculum estimates it."
)
SIZE: Final = WIDE
SQL: Final = {
    "difficulty": DIFFICULTIES,
    "frontier": """\
SELECT domain, round, value FROM measures
WHERE name = 'frontier' AND value IS NOT NULL ORDER BY domain, round""",
}


@dataclass(frozen=True, slots=True)
class Difficulties:
    """A series a domain, called by it, in the domain's unit."""

    means: list[Series]
    """With the 10th and the 90th percentile as the ends of a band."""
    frontiers: list[Series]


def data(log: Log) -> Difficulties:
    """Raises NoData before the first problem with a difficulty."""
    means: dict[str, list[Point]] = {}
    for d in difficulties(log):
        means.setdefault(d.domain, []).append(Point(d.round, d.mean, d.low, d.high, d.problems))
    frontiers: dict[str, list[Point]] = {}
    for domain, at, value in log.execute(SQL["frontier"]).fetchall():
        frontiers.setdefault(domain, []).append(Point(at, value))
    if not means and not frontiers:
        raise NoData("No problem with a difficulty was admitted yet.")
    return Difficulties(
        [Series(domain, points) for domain, points in means.items()],
        [Series(domain, points) for domain, points in frontiers.items()],
    )


def draw(data: Difficulties, figure: FigureBase) -> None:
    """One panel."""
    axes = figure.subplots()
    domains = sorted({s.label for s in [*data.means, *data.frontiers]})
    for s in data.means:
        line(
            axes,
            s,
            domains.index(s.label),
            label=f"{s.label}: mean, 10th to 90th percentile",
            linestyle="-",
        )
    for s in data.frontiers:
        line(
            axes,
            s,
            domains.index(s.label),
            label=f"{s.label}: frontier, as the curriculum estimates it",
            linestyle=":",
            linewidth=2.5,
            marker="",
        )
    axes.set_ylim(bottom=0)
    axes.set_ylabel("difficulty (each domain's own unit)")
    of_rounds(axes, [*data.means, *data.frontiers])
    legend(axes)
