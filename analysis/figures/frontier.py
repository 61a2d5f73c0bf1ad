"""Where the frontier is: success by anchor cell, and by difficulty of the school's own problems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.ticker import PercentFormatter

from analysis.figures.base import Log, NoData
from analysis.figures.style import MAP
from analysis.history import START

NAME: Final = "frontier"
TITLE: Final = "The frontier: success by cell and round"
CAPTION: Final = (
    "Above: held-out anchors by cell, in the order of their domain, roughly the easiest on top, in "
    "evaluated rounds. Below: the school's own "
    "new problems by difficulty, in ten steps of as many attempts each; what is blank was not posed. The "
    "frontier is where dark (none right) turns to bright (all right)."
)
SIZE: Final = (7.2, 7.6)
DECILES: Final = [k / 10 for k in range(11)]
"""Where steps of difficulty begin and end, as shares of a domain's attempts in the whole run."""
CELLS: Final = 48
"""Most rows of a map that are labelled."""
SQL: Final = {
    "anchors by cell": f"""\
SELECT domain, cell,
    CASE WHEN policy_version LIKE '%@0' AND round = 0 THEN {START} ELSE round END AS evaluated,
    count(*) FILTER (correct) AS correct, count(*) AS anchors
FROM evaluations GROUP BY ALL ORDER BY domain, min(rowid)""",
    "new problems by difficulty": f"""\
WITH posed AS (
    SELECT p.domain, a.round, p.difficulty, a.correct
    FROM attempts a JOIN problems p USING (problem_id)
    WHERE NOT a.replay AND a.verdict <> 'error' AND isfinite(p.difficulty)
), cut AS (
    SELECT domain, list_sort(list_distinct(quantile_disc(difficulty, {DECILES}))) AS ends
    FROM posed GROUP BY domain
)
SELECT domain, any_value(ends) AS ends, round,
    len(list_filter(ends[2:-2], lambda e: e < difficulty)) AS step,
    count(*) FILTER (correct) AS correct, count(*) AS attempts
FROM posed JOIN cut USING (domain) GROUP BY domain, round, step ORDER BY domain, round, step""",
}


@dataclass(frozen=True, slots=True)
class Map:
    """Shares right by row and round."""

    domain: str
    of: str
    """``anchors`` or ``new problems``."""
    rows: list[str]
    """Cells in the order in which anchors are answered, or the difficulties that steps end with,
    the least first."""
    rounds: list[int]
    """Columns; ``START`` is before the first round."""
    shares: list[list[float | None]]
    """(rows, rounds), from 0 to 1; None where nothing was answered."""
    counts: list[list[int]]
    """(rows, rounds): answers behind each share."""


@dataclass(frozen=True, slots=True)
class Frontier:
    """A map of the anchors and one of new problems for each domain that has them."""

    maps: list[Map]


def data(log: Log) -> Frontier:
    """Raises NoData before the first evaluation and the first attempt."""
    maps = []
    rows = log.execute(SQL["anchors by cell"]).fetchall()
    for domain in dict.fromkeys(r[0] for r in rows):
        mine = [r[1:] for r in rows if r[0] == domain]
        names = list(dict.fromkeys(r[0] for r in mine))
        maps.append(_map(domain, "anchors", names, [(names.index(r[0]), *r[1:]) for r in mine]))
    rows = log.execute(SQL["new problems by difficulty"]).fetchall()
    for domain in dict.fromkeys(r[0] for r in rows):
        ends = next(r[1] for r in rows if r[0] == domain)
        names = [f"up to {e:.4g}" if k == 0 else f"to {e:.4g}" for k, e in enumerate(ends[1:] or ends)]
        mine = [(r[3], r[2], r[4], r[5]) for r in rows if r[0] == domain]
        maps.append(_map(domain, "new problems", names, mine))
    if not maps:
        raise NoData("No anchor was answered and no problem attempted yet.")
    return Frontier(maps)


def _map(domain: str, of: str, names: list[str], cells: list[tuple[int, int, int, int]]) -> Map:
    rounds = sorted({at for _, at, _, _ in cells})
    right = np.zeros((len(names), len(rounds)), int)
    counts = np.zeros_like(right)
    for row, at, k, n in cells:
        # versions of several policies that were evaluated in one round are taken together
        right[row, rounds.index(at)] += k
        counts[row, rounds.index(at)] += n
    shares = [
        [int(k) / int(n) if n else None for k, n in zip(*row, strict=True)]
        for row in zip(right, counts, strict=True)
    ]
    return Map(domain, of, names, rounds, shares, counts.tolist())


def draw(data: Frontier, figure: FigureBase) -> None:
    """A panel a map, one above the other."""
    panels = figure.subplots(len(data.maps), squeeze=False)[:, 0]
    several = len({m.domain for m in data.maps}) > 1
    for axes, m in zip(panels, data.maps, strict=True):
        draw_map(axes, m, m.domain if several else "")


def draw_map(axes: Axes, m: Map, domain: str = "") -> None:
    """One map, with a bar that tells its colours; ``domain`` is named where there are several."""
    image = np.array([[np.nan if s is None else s for s in row] for row in m.shares], float)
    drawn = axes.imshow(image, aspect="auto", cmap=MAP, vmin=0, vmax=1, interpolation="nearest")
    step = max(1, -(-len(m.rounds) // 20))
    places = range(0, len(m.rounds), step)
    names = ["start" if m.rounds[p] == START else str(m.rounds[p]) for p in places]
    axes.set_xticks(list(places), names)
    if len(m.rows) <= CELLS:
        axes.set_yticks(range(len(m.rows)), m.rows, fontsize=7 if len(m.rows) > 12 else 8.5)
    anchors = m.of == "anchors"
    axes.set_xlabel("round of the evaluation" if anchors else "round")
    what = "anchor cell" if anchors else "difficulty, the least on top"
    axes.set_ylabel(f"{domain}: {what}" if domain else what)
    numbered = len(m.rounds) <= 20 and len(m.rows) <= 32
    if numbered:
        for (row, column), share in np.ndenumerate(image):
            if not np.isnan(share):
                axes.text(
                    column,
                    row,
                    f"{100 * share:.0f}",
                    ha="center",
                    va="center",
                    fontsize=8 if len(m.rows) <= 12 else 6,
                    color="black" if share > 0.5 else "white",
                )
    bar = axes.figure.colorbar(drawn, ax=axes, format=PercentFormatter(1))
    bar.set_label("share right" + (" (numbers in per cent)" if numbered else ""))
