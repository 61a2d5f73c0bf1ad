"""Whether the school is collapsing: are proposals valid, new and varied, and is anything still learned?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from matplotlib.figure import FigureBase
from matplotlib.ticker import PercentFormatter

from analysis.figures.base import Log, NoData, Point, Series
from analysis.figures.style import legend, line, of_rounds
from analysis.history import SCORES, scores
from culture.wilson import wilson

NAME: Final = "collapse"
TITLE: Final = "Collapse monitor"
CAPTION: Final = (
    "Of what policies proposed: the share that is valid, and of these the share that the log holds "
    "already. Diversity is how many kinds of problems there would be, were all equally frequent "
    "(exponential of the entropy of their complexity features), over the number of valid proposals. "
    "Novelty is the mean distance of new problems from their nearest earlier ones. A school that "
    "collapses loses the first three before the last, what is held out."
)
SIZE: Final = (7.2, 8.4)
SQL: Final = {
    "proposals": """\
SELECT domain, round, count(*) AS proposals, count(*) FILTER (answer_key IS NOT NULL) AS valid,
    count(*) FILTER (answer_key IS NOT NULL AND reason = 'duplicate') AS duplicates,
    2 ** entropy(features::VARCHAR) FILTER (answer_key IS NOT NULL) AS kinds
FROM problems WHERE origin = 'policy' AND failure_source IS DISTINCT FROM 'infrastructure'
GROUP BY ALL ORDER BY domain, round""",
    "novelty": """\
SELECT domain, round, value, low, high, n FROM measures
WHERE name = 'novelty' AND value IS NOT NULL ORDER BY domain, round""",
    "held out": SCORES,
}


@dataclass(frozen=True, slots=True)
class Panel:
    """One thing to watch."""

    name: str
    """valid, duplicates, diversity, novelty or held out."""
    unit: str
    share: bool
    """Whether it is a share, from 0 to 1."""
    series: list[Series]
    """A series a domain, or a domain and policy."""


@dataclass(frozen=True, slots=True)
class Collapse:
    """The panels that have a point."""

    panels: list[Panel]


def data(log: Log) -> Collapse:
    """Raises NoData where policies proposed nothing and nothing was measured."""
    valid: dict[str, list[Point]] = {}
    doubled: dict[str, list[Point]] = {}
    varied: dict[str, list[Point]] = {}
    for domain, at, n, good, again, kinds in log.execute(SQL["proposals"]).fetchall():
        valid.setdefault(domain, []).append(Point(at, good / n, *wilson(good, n), n))
        if good:
            doubled.setdefault(domain, []).append(Point(at, again / good, *wilson(again, good), good))
            varied.setdefault(domain, []).append(Point(at, kinds / good, n=good))
    novel: dict[str, list[Point]] = {}
    for domain, *row in log.execute(SQL["novelty"]).fetchall():
        novel.setdefault(domain, []).append(Point(*row))
    held: dict[str, list[Point]] = {}
    found = scores(log)
    several = len({(s.domain, s.policy) for s in found}) > len({s.domain for s in found})
    for s in found:
        name = f"{s.domain} ({s.policy})" if several else s.domain
        held.setdefault(name, []).append(Point(s.round, s.share, *s.interval, s.anchors))
    panels = [
        Panel(name, unit, share, [Series(domain, points) for domain, points in series.items()])
        for name, unit, share, series in (
            ("valid", "share of proposals", True, valid),
            ("duplicates", "share of valid ones", True, doubled),
            ("diversity", "kinds a valid proposal", False, varied),
            ("novelty", "distance, log features", False, novel),
            ("held out", "share right", True, held),
        )
        if series
    ]
    if not panels:
        raise NoData("Policies proposed nothing yet, and no anchor was answered.")
    return Collapse(panels)


def draw(data: Collapse, figure: FigureBase) -> None:
    """A panel a thing to watch, one above the other, over the same rounds."""
    grid = figure.subplots(len(data.panels), sharex=True, squeeze=False)[:, 0]
    names = list(dict.fromkeys(s.label for p in data.panels for s in p.series))
    for axes, panel in zip(grid, data.panels, strict=True):
        for s in panel.series:
            line(axes, s, names.index(s.label))
        axes.set_ylabel(f"{panel.name}\n({panel.unit})", fontsize=7)
        if panel.share:
            axes.set_ylim(-0.02, 1.02)
            axes.yaxis.set_major_formatter(PercentFormatter(1))
        else:
            axes.set_ylim(bottom=0)
        of_rounds(axes, [s for p in data.panels for s in p.series])
        axes.label_outer()
    if len(names) > 1:
        legend(grid[0])
