"""How the library grew: notes by kind, and how many are on the shelves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.figure import FigureBase
from matplotlib.ticker import MaxNLocator

from analysis.figures.base import Log, NoData, Point, Series
from analysis.figures.style import COLOURS, HATCHES, WIDE, plain

NAME: Final = "growth"
TITLE: Final = "Growth of the library"
CAPTION: Final = (
    "Notes begun so far, by kind; the line is how many of all are on the shelves: what a shelf had no room "
    "for is archived, what was refuted or did harm is in quarantine. Outlines and talk about notes, which "
    "no search finds, count too. The dotted line counts texts of notes, revisions included."
)
SIZE: Final = WIDE
SHELVED: Final = """\
SELECT round, (state->>'$.library_size')::BIGINT AS notes FROM rounds ORDER BY round"""
"""Notes on the shelves at the end of each round; NULL where an earlier version did not count them."""
SQL: Final = {
    "notes": "SELECT round, kind, count(*) AS notes FROM notes GROUP BY ALL ORDER BY round, kind",
    "on the shelves": SHELVED,
    "texts": """\
SELECT round, count(*) FILTER (outcome IN ('head', 'merged', 'branch')) AS texts,
    count(*) FILTER (outcome = 'archived') AS archived,
    count(*) FILTER (outcome = 'quarantined') AS quarantined,
    coalesce(sum(tokens) FILTER (outcome IN ('head', 'merged', 'branch')), 0)::BIGINT AS tokens
FROM revisions GROUP BY round ORDER BY round""",
}


@dataclass(frozen=True, slots=True)
class Growth:
    """Counts at the end of each round."""

    rounds: list[int]
    begun: dict[str, list[int]]
    """Notes begun so far, by kind."""
    on_shelves: list[int]
    """Notes that are not archived or in quarantine."""
    texts: list[int]
    """Texts of notes written so far."""
    archived: list[int]
    """Times so far that a note was archived."""
    quarantined: list[int]
    """Times so far that a note was put in quarantine."""
    tokens: list[int]
    """Length of all texts so far, in tokens."""

    def series(self) -> list[Series]:
        """Kinds, then what is on the shelves, as lines."""
        counts = {**self.begun, "on the shelves": self.on_shelves}
        return [
            Series(name, [Point(r, float(n)) for r, n in zip(self.rounds, values, strict=True)])
            for name, values in counts.items()
        ]


def data(log: Log) -> Growth:
    """Raises NoData while the library is empty."""
    sight = dict(log.execute(SQL["on the shelves"]).fetchall())
    rounds = list(sight)
    place = {at: k for k, at in enumerate(rounds)}
    begun: dict[str, list[int]] = {}
    for at, kind, n in log.execute(SQL["notes"]).fetchall():
        begun.setdefault(kind, [0] * len(rounds))[place[at]] += n
    if not begun:
        raise NoData("The library has no note yet.")
    columns = [[0] * len(rounds) for _ in range(4)]
    for at, *counts in log.execute(SQL["texts"]).fetchall():
        for column, n in zip(columns, counts, strict=True):
            column[place[at]] = n
    so_far = [np.cumsum(c).tolist() for c in columns]
    order = sorted(begun, key=lambda kind: (-sum(begun[kind]), kind))
    return Growth(
        rounds, {k: np.cumsum(begun[k]).tolist() for k in order}, [sight[r] or 0 for r in rounds], *so_far
    )


def draw(data: Growth, figure: FigureBase) -> None:
    """One panel: kinds stacked, and two lines."""
    axes = figure.subplots()
    below = np.zeros(len(data.rounds))
    for at, (kind, counts) in enumerate(data.begun.items()):
        top = below + np.array(counts, float)
        axes.fill_between(
            data.rounds,
            below,
            top,
            facecolor=COLOURS[at % len(COLOURS)],
            alpha=0.55,
            hatch=HATCHES[at % len(HATCHES)],
            edgecolor="white",
            linewidth=0,
            step="post" if len(data.rounds) < 2 else None,
            label=f"{kind} ({counts[-1]:,})",
        )
        below = top
    axes.plot(data.rounds, data.texts, color="black", linestyle=":", label=f"texts ({data.texts[-1]:,})")
    axes.plot(
        data.rounds,
        data.on_shelves,
        color="black",
        linewidth=2,
        marker="o",
        markersize=4,
        markevery=max(1, len(data.rounds) // 20),
        label=f"on the shelves ({data.on_shelves[-1]:,})",
    )
    plain(axes)
    axes.set_xlabel("round")
    axes.set_ylabel("notes")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="upper left", fontsize=8.5, framealpha=0.9)
