"""A figure for large runs: ability and difficulty as the run measured them, on the scale of the anchors.

``analysis.figures.scale`` calibrates anew from every answer; this reads the measures alone.
"""

from __future__ import annotations

from typing import Final

from matplotlib.figure import FigureBase

from analysis.figures.base import Log, NoData, Point, Series
from analysis.figures.style import WIDE, bars, legend, of_rounds
from analysis.history import START

NAME: Final = "standing"
TITLE: Final = "Ability and difficulty, in logits"
CAPTION: Final = (
    "How able the policies were and how hard the new problems, on the scale that answers to the frozen "
    "anchors fixed by then: where the two are equal, half is solved. 95% intervals."
)
SIZE: Final = WIDE
SQL: Final = {
    "measures": """\
SELECT domain, split_part(name, '/', 1) AS kind, split_part(name, '/', 2) AS policy,
    round, value, low, high, n
FROM measures WHERE value IS NOT NULL
    AND list_contains(['ability', 'ability_before', 'difficulty'], split_part(name, '/', 1))
ORDER BY domain, policy, kind DESC, round"""
}


def data(log: Log) -> list[Series]:
    """A series a domain and policy for ability, and one a domain for difficulty. Raises NoData for none."""
    found: dict[str, list[Point]] = {}
    for domain, kind, policy, at, value, low, high, n in log.execute(SQL["measures"]).fetchall():
        label = f"{domain}: problems" if kind == "difficulty" else f"{domain}: {policy}"
        found.setdefault(label, []).append(
            Point(START if kind == "ability_before" and at == 0 else at, value, low, high, n)
        )
    if not found:
        raise NoData("The anchors have not fixed a scale yet.")
    return [Series(label, sorted(points, key=lambda p: p.round)) for label, points in found.items()]


def draw(data: list[Series], figure: FigureBase) -> None:
    """One panel."""
    axes = figure.subplots()
    for at, series in enumerate(data):
        bars(axes, series, at)
    axes.set_ylabel("logits")
    of_rounds(axes, data)
    legend(axes)
