"""What came of proposals, round by round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from matplotlib.figure import FigureBase

from analysis.figures.base import Log, NoData
from analysis.figures.style import WIDE, stacked

NAME: Final = "proposals"
TITLE: Final = "What came of the proposals"
CAPTION: Final = (
    "Invalid ones did not parse or execute, duplicates are in the log already; other ones met an anchor, "
    "were too long, or were lost by the infrastructure."
)
SIZE: Final = WIDE
SQL: Final = {
    "proposals": """\
SELECT round, count(*) FILTER (status = 'admitted') AS admitted,
    count(*) FILTER (reason = 'duplicate') AS duplicate,
    count(*) FILTER (reason LIKE 'invalid%') AS invalid,
    count(*) FILTER (status <> 'admitted' AND reason <> 'duplicate' AND reason NOT LIKE 'invalid%') AS other
FROM problems GROUP BY round ORDER BY round"""
}
OUTCOMES = (
    ("admitted", "", "#0072B2"),
    ("duplicate", "///", "#E69F00"),
    ("invalid", "xxx", "#D55E00"),
    ("other", "...", "#999999"),
)
"""What came of proposals, with hatching and colour."""


@dataclass(frozen=True, slots=True)
class Proposals:
    """Counts by round."""

    rounds: list[int]
    counts: dict[str, list[int]]
    """Proposals of each round by what came of them: the words of ``OUTCOMES``."""


def data(log: Log) -> Proposals:
    """Raises NoData before the first proposal."""
    rows = log.execute(SQL["proposals"]).fetchall()
    if not rows:
        raise NoData("Nothing was proposed yet.")
    rounds, *counts = (list(column) for column in zip(*rows, strict=True))
    return Proposals(rounds, dict(zip((name for name, _, _ in OUTCOMES), counts, strict=True)))


def draw(data: Proposals, figure: FigureBase) -> None:
    """One panel of stacked bars."""
    axes = figure.subplots()
    total = sum(sum(counts) for counts in data.counts.values())
    parts = []
    for label, hatch, colour in OUTCOMES:
        counts = data.counts[label]
        told = f"{label} ({sum(counts) / total:.1%})"
        parts.append((counts, {"color": colour, "hatch": hatch, "label": told}))
    highest = stacked(axes, data.rounds, parts)
    axes.set_ylabel("proposals")
    axes.set_ylim(0, highest * 1.3)
    axes.legend(loc="upper center", ncols=2, fontsize=8.5, frameon=False)
