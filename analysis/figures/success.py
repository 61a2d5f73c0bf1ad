"""Success: on the problems that the school sets itself, and on anchors that are held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from matplotlib.figure import FigureBase
from matplotlib.ticker import PercentFormatter

from analysis.figures.base import Log, NoData, Point, Series
from analysis.figures.style import COLOURS, MARKERS, STYLES, WIDE, band, bars, every, legend, of_rounds
from analysis.history import SCORES, scores
from culture.wilson import clustered_wilson

NAME: Final = "success"
TITLE: Final = "Success: on the school's own problems, and on held-out anchors"
CAPTION: Final = (
    "Anchors never change and enter no training, so the marked lines tell what was learned. Success on "
    "new problems also falls because they become harder. 95% intervals (Wilson); attempts at one problem "
    "hang together, which theirs allow for."
)
SIZE: Final = WIDE
SQL: Final = {
    "held out": SCORES,
    "new problems": """\
WITH tried AS (
    SELECT domain, round, problem_id, count(*) FILTER (correct) AS k, count(*) AS n
    FROM attempts WHERE NOT replay AND verdict <> 'error' GROUP BY ALL
), shared AS (
    SELECT *, sum(k) OVER (PARTITION BY domain, round) / sum(n) OVER (PARTITION BY domain, round) AS p
    FROM tried
)
SELECT domain, round, sum(k)::BIGINT AS correct, sum(n)::BIGINT AS attempts, count(*) AS problems,
    sum((k - n * p) ** 2) AS scatter
FROM shared GROUP BY domain, round ORDER BY domain, round""",
}


@dataclass(frozen=True, slots=True)
class Success:
    """Shares right, from 0 to 1."""

    new: list[Series]
    """On the problems of each round, a series a domain, called by it."""
    held_out: list[Series]
    """On the anchors of each domain by each policy, called ``domain`` or ``domain (policy)``."""
    domains: list[str]
    """The domain of each series of ``held_out``."""


def data(log: Log) -> Success:
    """Raises NoData before the first attempt or evaluation."""
    new: dict[str, list[Point]] = {}
    for domain, at, right, n, problems, scatter in log.execute(SQL["new problems"]).fetchall():
        ends = clustered_wilson(right, n, problems, scatter)
        new.setdefault(domain, []).append(Point(at, right / n, *ends, n))
    held_out: dict[tuple[str, str], list[Point]] = {}
    for s in scores(log):
        point = Point(s.round, s.share, *s.interval, s.anchors)
        held_out.setdefault((s.domain, s.policy), []).append(point)
    if not new and not held_out:
        raise NoData("No problem was attempted and no anchor answered yet.")
    alone = {d for d, _ in held_out if sum(other == d for other, _ in held_out) == 1}
    return Success(
        [Series(domain, points) for domain, points in new.items()],
        [
            Series(d if d in alone else f"{d} ({policy})", points)
            for (d, policy), points in held_out.items()
        ],
        [domain for domain, _ in held_out],
    )


def draw(data: Success, figure: FigureBase) -> None:
    """One panel."""
    axes = figure.subplots()
    domains = sorted({s.label for s in data.new} | set(data.domains))
    for s in data.new:
        colour = COLOURS[domains.index(s.label) % len(COLOURS)]
        band(axes, s, colour)
        axes.plot(s.rounds, s.values, color=colour, linestyle="--", label=f"{s.label}: new problems")
    for at, (domain, s) in enumerate(zip(data.domains, data.held_out, strict=True)):
        place = domains.index(domain)
        nth = data.domains[:at].count(domain)
        policy = s.label.removeprefix(domain)
        bars(
            axes,
            s,
            place,
            label=f"{domain}: held out{policy}",
            marker=MARKERS[(place + nth) % len(MARKERS)],
            linestyle=STYLES[2 * (nth % 2)],
            linewidth=1.8,
            markevery=every(s.points),
        )
    axes.set_ylim(-0.02, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylabel("share right")
    of_rounds(axes, [*data.new, *data.held_out])
    legend(axes)
