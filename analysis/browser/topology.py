"""A figure of who sees whose shelf: agents on a ring, or their organisations where they are many."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from matplotlib.figure import FigureBase

from analysis.figures.base import Log, NoData
from analysis.figures.style import COLOURS, GREY, MARKERS

NAME: Final = "topology"
TITLE: Final = "Who is next to whom"
CAPTION: Final = (
    "Agents by organisation, in colour and shape by what they act as; a line joins those who see each "
    "other's shelves."
)
SIZE: Final = (6.0, 5.6)
MOST: Final = 60
"""Agents that are drawn one by one; of more, the organisations are drawn."""
_NOW = """\
SELECT agent_id, arg_max(roles, round) AS roles, arg_max(organisation, round) AS organisation,
    arg_max(neighbours, round) AS neighbours
FROM agents GROUP BY agent_id HAVING max(retired) IS NULL"""
SQL: Final = {
    "agents": f"{_NOW} ORDER BY organisation, agent_id LIMIT {MOST + 1}",
    "organisations": f"""\
WITH now AS MATERIALIZED ({_NOW}), seen AS (
    SELECT organisation, unnest(neighbours) AS agent_id FROM now
)
SELECT s.organisation, now.organisation AS other, count(*) AS pairs,
    (SELECT count(*) FROM now n WHERE n.organisation = s.organisation) AS agents
FROM seen s JOIN now USING (agent_id) GROUP BY ALL ORDER BY s.organisation, other LIMIT 2000""",
}


@dataclass(frozen=True, slots=True)
class Ring:
    """What is drawn on the ring, and what is joined."""

    nodes: list[tuple[str, str, int]]
    """Name, what it is told by (roles or nothing), and how many agents it stands for."""
    edges: list[tuple[int, int, int]]
    """Places in ``nodes``, and how many pairs of agents; each pair once."""


def data(log: Log) -> Ring:
    """Raises NoData where there is nobody."""
    agents = log.execute(SQL["agents"]).fetchall()
    if not agents:
        raise NoData("Nobody is there.")
    if len(agents) <= MOST:
        place = {row[0]: at for at, row in enumerate(agents)}
        pairs = {
            (min(at, place[name]), max(at, place[name]))
            for at, row in enumerate(agents)
            for name in row[3]
            if name in place and place[name] != at
        }
        return Ring([(row[0], ", ".join(row[1]), 1) for row in agents], [(*p, 1) for p in sorted(pairs)])
    rows = log.execute(SQL["organisations"]).fetchall()
    names = sorted({row[0] for row in rows})[:MOST]
    sizes = {row[0]: row[3] for row in rows}
    counts: dict[tuple[int, int], int] = {}
    for one, other, n, _ in rows:
        if one in names and other in names and one != other:
            ends = sorted((names.index(one), names.index(other)))
            key = (ends[0], ends[1])
            counts[key] = max(n, counts.get(key, 0))
    return Ring([(name, "", sizes[name]) for name in names], [(*k, n) for k, n in sorted(counts.items())])


def draw(data: Ring, figure: FigureBase) -> None:
    """One panel."""
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_aspect("equal")
    turn = 2 * math.pi / max(1, len(data.nodes))
    at = [
        (math.cos(math.pi / 2 - i * turn), math.sin(math.pi / 2 - i * turn)) for i in range(len(data.nodes))
    ]
    most = max((n for *_, n in data.edges), default=1)
    for a, b, n in data.edges:
        width = 0.6 + 2.0 * n / most if most > 1 else 0.8
        axes.plot(*zip(at[a], at[b], strict=True), color=GREY, alpha=0.45, linewidth=width, zorder=1)
    kinds = sorted({kind for _, kind, _ in data.nodes})
    for k, kind in enumerate(kinds):
        mine = [i for i, node in enumerate(data.nodes) if node[1] == kind]
        axes.scatter(
            [at[i][0] for i in mine],
            [at[i][1] for i in mine],
            s=[60 + 12 * min(20, data.nodes[i][2] - 1) for i in mine],
            color=COLOURS[k % len(COLOURS)],
            marker=MARKERS[k % len(MARKERS)],
            zorder=2,
            label=kind or "organisation",
        )
    for (x, y), (name, _, n) in zip(at, data.nodes, strict=True):
        label = name if n == 1 else f"{name} ({n})"
        angle = math.degrees(math.atan2(y, x))
        flip = abs(angle) > 90
        axes.text(
            1.07 * x,
            1.07 * y,
            label[:24],
            rotation=angle + 180 if flip else angle,
            rotation_mode="anchor",
            ha="right" if flip else "left",
            va="center",
            fontsize=8.5 if len(data.nodes) <= 30 else 7,
            parse_math=False,
        )
    axes.set_xlim(-1.5, 1.5)
    axes.set_ylim(-1.45, 1.5)
    axes.legend(loc="upper left", fontsize=8.5, framealpha=0.9)
