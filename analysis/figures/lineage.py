"""Which problem came of which: families of problems by mutation, and their longest line."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from matplotlib.collections import LineCollection
from matplotlib.figure import FigureBase
from matplotlib.ticker import MaxNLocator

from analysis.figures.base import Log, NoData
from analysis.figures.style import GREY, MAP, legend, plain

NAME: Final = "lineage"
TITLE: Final = "Lineage of problems"
CAPTION: Final = (
    "Each line joins a problem to one that was made of it by mutation. The largest families are shown; "
    "the thick line is the longest descent."
)
SIZE: Final = (7.2, 4.3)
FAMILIES: Final = 40
"""Most families whose problems are told one by one."""
MEMBERS: Final = 4_000
"""Most problems that are told one by one."""
SQL: Final = {
    "families": """\
WITH RECURSIVE p AS MATERIALIZED (
    SELECT problem_id, parent_id, round, domain, difficulty, spec FROM problems WHERE status = 'admitted'
), tried AS MATERIALIZED (
    SELECT problem_id, avg(correct::INT) AS solved, count(*) AS attempts
    FROM attempts WHERE verdict <> 'error' GROUP BY problem_id
), descent AS (
    SELECT problem_id, problem_id AS root, 0 AS depth FROM p
    WHERE parent_id IS NULL OR parent_id NOT IN (SELECT problem_id FROM p)
    UNION ALL
    SELECT p.problem_id, d.root, d.depth + 1 FROM p JOIN descent d ON p.parent_id = d.problem_id
)
SELECT root, problem_id, parent_id, depth, round, domain, difficulty, solved, spec
FROM descent JOIN p USING (problem_id) LEFT JOIN tried USING (problem_id)
QUALIFY count(*) OVER (PARTITION BY root) > 1
ORDER BY count(*) OVER (PARTITION BY root) DESC, root, depth, round, problem_id"""
}


@dataclass(frozen=True, slots=True)
class Member:
    """A problem of a family."""

    problem_id: str
    parent_id: str | None
    depth: int
    """Mutations since the first of its family."""
    round: int
    domain: str
    difficulty: float | None
    """In the domain's unit."""
    solved: float | None
    """Share of its attempts that were right; None where it had none."""
    spec: str
    """Untrusted."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """Families of admitted problems that have at least one descent."""

    families: int
    problems: int
    """Of all families."""
    depths: dict[int, int]
    """Problems of all families by depth."""
    members: list[list[Member]]
    """Of the largest families, up to ``FAMILIES`` of them and ``MEMBERS`` problems, parents first."""
    longest: list[Member]
    """The longest descent of all, the first problem first."""


def data(log: Log) -> Lineage:
    """Raises NoData where no problem was made of another."""
    families: dict[str, list[Member]] = {}
    for root, *row in log.execute(SQL["families"]).fetchall():
        families.setdefault(root, []).append(Member(*row))
    if not families:
        raise NoData("No admitted problem was made of another one yet.")
    every = [m for members in families.values() for m in members]
    shown: list[list[Member]] = []
    for members in list(families.values())[:FAMILIES]:
        if shown and sum(map(len, shown)) + len(members) > MEMBERS:
            break
        shown.append(members)
    by_id = {m.problem_id: m for m in every}
    last = max(every, key=lambda m: (m.depth, m.difficulty or 0.0, m.problem_id))
    longest = [last]
    while longest[0].depth:
        longest.insert(0, by_id[str(longest[0].parent_id)])
    depths = dict(sorted(Counter(m.depth for m in every).items()))
    return Lineage(len(families), len(every), depths, shown, longest)


def draw(data: Lineage, figure: FigureBase) -> None:
    """One panel: difficulty by round."""
    axes = figure.subplots()
    segments, points = [], []
    for family in data.members:
        at = {m.problem_id: (m.round, m.difficulty) for m in family if m.difficulty is not None}
        segments += [
            (at[m.parent_id], at[m.problem_id]) for m in family if m.parent_id in at and m.problem_id in at
        ]
        points += [(m.round, m.difficulty, m.depth) for m in family if m.difficulty is not None]
    axes.add_collection(LineCollection(segments, colors=GREY, linewidths=0.5, alpha=0.5))
    if points:
        rounds, difficulty, depth = zip(*points, strict=True)
        drawn = axes.scatter(rounds, difficulty, c=depth, cmap=MAP, s=11, vmin=0, zorder=2)
        bar = axes.figure.colorbar(drawn, ax=axes)
        bar.set_label("mutations since the first")
        bar.locator = _whole()
        bar.update_ticks()
    line = [(m.round, m.difficulty) for m in data.longest if m.difficulty is not None]
    axes.plot(
        [r for r, _ in line],
        [d for _, d in line],
        color="#D55E00",
        linewidth=2.2,
        marker="s",
        markersize=5,
        markeredgecolor="white",
        zorder=3,
        label=f"longest descent: {len(data.longest)} problems",
    )
    plain(axes)
    axes.set_xlabel("round")
    axes.set_ylabel("difficulty (each domain's own unit)")
    axes.xaxis.set_major_locator(_whole())
    legend(axes)


def _whole() -> MaxNLocator:
    return MaxNLocator(integer=True)
