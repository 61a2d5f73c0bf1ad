"""What came of proposals, round by round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.figure import FigureBase
from matplotlib.ticker import MaxNLocator

from analysis.figures.base import Log, NoData
from analysis.figures.style import WIDE, plain

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
    below = np.zeros(len(data.rounds))
    total = sum(sum(counts) for counts in data.counts.values())
    for label, hatch, colour in OUTCOMES:
        heights = np.array(data.counts[label], float)
        axes.bar(
            data.rounds,
            heights,
            bottom=below,
            width=1.0 if len(data.rounds) > 40 else 0.85,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            linewidth=0,
            label=f"{label} ({heights.sum() / total:.1%})",
        )
        below += heights
    plain(axes)
    axes.set_xlabel("round")
    axes.set_ylabel("proposals")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(0, below.max() * 1.3)
    axes.legend(loc="upper center", ncols=2, fontsize=8.5, frameon=False)
