"""Who reads whom, and which notes are read and cited, as far as they can be looked at.

The whole networks are in ``culture.graph``; a long run has millions of edges, so what is drawn is chosen in
SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D

from analysis.figures.base import Log, NoData
from analysis.figures.style import COLOURS, GREY, MAP

NAME: Final = "network"
TITLE: Final = "Readers, authors and notes"
CAPTION: Final = (
    "Left: how often attempts of each agent (rows) were shown notes that each author (columns) began. "
    "Right: the notes that were read or cited most (circles, larger where read more) and their readers "
    "(squares); thin lines are reads, arrows citations of a note by a note."
)
SIZE: Final = (10.4, 5.2)
MOST: Final = 30
"""Notes that are shown one by one."""
_NOTES = f"""\
WITH shown AS (
    SELECT note_id, count(DISTINCT attempt_id) AS reads FROM reads GROUP BY note_id
), named AS (
    SELECT c.target_id AS note_id, count(*) AS cited
    FROM citations c JOIN revisions USING (revision_id) WHERE c.target_kind = 'note' GROUP BY c.target_id
)
SELECT note_id, title, author, coalesce(reads, 0) AS reads, coalesce(cited, 0) AS cited,
    count(*) OVER () AS notes, sum(coalesce(cited, 0)) OVER ()::BIGINT AS citations
FROM notes LEFT JOIN shown USING (note_id) LEFT JOIN named USING (note_id)
WHERE reads IS NOT NULL OR cited IS NOT NULL
ORDER BY coalesce(reads, 0) + coalesce(cited, 0) DESC, note_id LIMIT {MOST}"""
SQL: Final = {
    "authors": """\
SELECT r.reader, n.author, count(*) AS reads
FROM (SELECT DISTINCT attempt_id, reader, note_id FROM reads) r JOIN notes n USING (note_id)
GROUP BY ALL ORDER BY ALL""",
    "notes": _NOTES,
    "reads": f"""\
SELECT reader, note_id, count(DISTINCT attempt_id) AS reads
FROM reads WHERE note_id IN (SELECT note_id FROM ({_NOTES})) GROUP BY ALL ORDER BY ALL""",
    "citations": f"""\
WITH chosen AS MATERIALIZED (SELECT note_id FROM ({_NOTES}))
SELECT r.note_id, c.target_id, count(*) AS citations FROM citations c JOIN revisions r USING (revision_id)
WHERE c.target_kind = 'note' AND r.note_id IN (FROM chosen) AND c.target_id IN (FROM chosen)
GROUP BY ALL ORDER BY ALL""",
}


@dataclass(frozen=True, slots=True)
class Node:
    """An agent or a note."""

    id: str
    kind: Literal["agent", "note"]
    label: str
    """A note's title, untrusted; an agent's name."""
    author: str
    """Of a note; empty of an agent."""
    reads: int
    """Attempts that a note was shown to, or that an agent was shown a note in."""
    cited: int
    """Revisions that cite a note."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A reader reads a note, or a note cites one."""

    source: str
    target: str
    kind: Literal["reads", "cites"]
    weight: int
    """Attempts, or revisions that say so."""


@dataclass(frozen=True, slots=True)
class Network:
    """A matrix of readers and authors, and a network of the most read notes."""

    readers: list[str]
    authors: list[str]
    reads: list[list[int]]
    """(readers, authors): attempts that were shown a note, in notes."""
    nodes: list[Node]
    """The notes that were read or cited most, up to ``MOST``, and all agents that read one of these."""
    edges: list[Edge]
    """Between these nodes."""
    notes: int
    """Notes of the library that were read or cited at all."""
    cited: int
    """Citations of notes by notes, over all notes."""


def data(log: Log) -> Network:
    """Raises NoData where no note was read and none cited."""
    most = log.execute(SQL["notes"]).fetchall()
    if not most:
        raise NoData("No note was read by an attempt or cited by a note yet.")
    matrix = {(a, b): n for a, b, n in log.execute(SQL["authors"]).fetchall()}
    readers, authors = sorted({a for a, _ in matrix}), sorted({b for _, b in matrix})
    table = [[matrix.get((a, b), 0) for b in authors] for a in readers]
    edges = [Edge(a, b, "reads", n) for a, b, n in log.execute(SQL["reads"]).fetchall()]
    here = {e.source for e in edges}
    nodes = [
        Node(a, "agent", a, "", sum(row), 0) for a, row in zip(readers, table, strict=True) if a in here
    ]
    nodes += [Node(name, "note", title, author, n, cited) for name, title, author, n, cited, _, _ in most]
    edges += [Edge(a, b, "cites", n) for a, b, n in log.execute(SQL["citations"]).fetchall()]
    *_, notes, cited = most[0]
    return Network(readers, authors, table, nodes, edges, notes, cited)


def draw(data: Network, figure: FigureBase) -> None:
    """Two panels: the matrix, and the network. What has no read has only the network."""
    if data.readers:
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
        _matrix(left, data)
    else:
        right = figure.subplots()
    _network(right, data)


def _matrix(axes: Axes, data: Network) -> None:
    table = np.array(data.reads, float)
    drawn = axes.imshow(table, cmap=MAP, aspect="auto", vmin=0, interpolation="nearest")
    small = max(len(data.readers), len(data.authors)) > 16
    size = 6.5 if small else 8.5
    for place, names in ((axes.set_xticks, data.authors), (axes.set_yticks, data.readers)):
        step = max(1, -(-len(names) // 30))
        place(list(range(0, len(names), step)), [_short(n) for n in names[::step]], fontsize=size)
    axes.tick_params(axis="x", rotation=90)
    axes.set_xlabel("author")
    axes.set_ylabel("reader")
    if table.size <= 200:
        for (row, column), n in np.ndenumerate(table):
            shade = "black" if n > table.max() / 2 else "white"
            axes.text(column, row, f"{n:.0f}", ha="center", va="center", fontsize=7, color=shade)
    axes.figure.colorbar(drawn, ax=axes, orientation="horizontal", pad=0.02).set_label("reads")


def _network(axes: Axes, data: Network) -> None:
    """Readers in a column at the left, notes in one at the right, the most read on top."""
    notes = [n for n in data.nodes if n.kind == "note"]
    agents = [n for n in data.nodes if n.kind == "agent"]
    at = {("agent", n.id): (0.0, (k + 0.5) / len(agents)) for k, n in enumerate(reversed(agents))}
    at |= {("note", n.id): (1.0, (k + 0.5) / len(notes)) for k, n in enumerate(reversed(notes))}
    heaviest = max((e.weight for e in data.edges if e.kind == "reads"), default=1)
    for e in data.edges:
        (x0, y0), (x1, y1) = at["agent" if e.kind == "reads" else "note", e.source], at["note", e.target]
        if e.kind == "reads":
            width = 0.2 + 1.8 * e.weight / heaviest
            axes.plot([x0, x1], [y0, y1], color=GREY, linewidth=width, alpha=0.3, zorder=1)
        else:
            bow = "arc3,rad=0.45" if y1 < y0 else "arc3,rad=-0.45"
            style = {"arrowstyle": "-|>", "color": COLOURS[1], "linestyle": "--", "connectionstyle": bow}
            axes.annotate("", (x1, y1), (x0, y0), arrowprops=style, zorder=2)
    most = max((n.reads for n in notes), default=1) or 1
    for n in data.nodes:
        x, y = at[n.kind, n.id]
        look: dict[str, Any] = {"s": 45, "marker": "s", "color": COLOURS[4], "edgecolor": "black"}
        if n.kind == "note":
            look = {"s": 8 + 60 * n.reads / most, "marker": "o", "color": COLOURS[0], "edgecolor": "white"}
        axes.scatter([x], [y], zorder=3, **look)
        told = _short(n.label) if n.kind == "agent" else f"{n.reads:,}  {_short(n.label or n.id, 22)}"
        axes.annotate(
            told,
            (x, y),
            xytext=(-7 if n.kind == "agent" else 7, 0),
            textcoords="offset points",
            ha="right" if n.kind == "agent" else "left",
            va="center",
            fontsize=7,
            parse_math=False,
        )
    axes.set_axis_off()
    axes.set_xlim(-0.35, 1.75)
    shown = f"{len(notes)} of {data.notes:,} notes that were read or cited"
    known = [
        Line2D([], [], marker="s", color=COLOURS[4], markeredgecolor="black", linestyle="", label="reader"),
        Line2D([], [], marker="o", color=COLOURS[0], linestyle="", label="note and its reads"),
        Line2D([], [], color=GREY, label="reads"),
    ]
    if any(e.kind == "cites" for e in data.edges):
        known.append(Line2D([], [], color=COLOURS[1], linestyle="--", label="cites"))
    elif not data.cited:
        shown += "; no note cites a note"
    axes.legend(
        handles=known, fontsize=8, ncols=4, loc="lower center", bbox_to_anchor=(0.5, -0.08), frameon=False
    )
    axes.set_title(shown, fontsize=9, color="#444444")


def _short(name: str, most: int = 14) -> str:
    name = "".join(c if c.isprintable() else " " for c in name)
    return name if len(name) <= most else name[: most - 1] + "…"
