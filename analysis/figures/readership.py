"""Whether the library is read and built on: reading, the age of what is read, and citations by round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from matplotlib.figure import FigureBase

from analysis.figures.base import Log, NoData, Point, Series
from analysis.figures.growth import SHELVED
from analysis.figures.style import legend, line, of_rounds

NAME: Final = "readership"
TITLE: Final = "Reading and citing"
CAPTION: Final = (
    "Top: notes on the shelves, outlines and talk included, and how many notes an attempt of the library's "
    "arm was shown in the round. Middle: how many rounds before its reading a text was written, the median "
    "and, as a band, the 10th and 90th percentiles; a line that climbs with the rounds says that only old "
    "texts are read. "
    "Bottom: citations in the texts of the round, by what is cited."
)
SIZE: Final = (7.2, 6.6)
SQL: Final = {
    "on the shelves": SHELVED,
    "reads": """\
SELECT round, count(DISTINCT note_id) AS notes, count(*) AS reads
FROM reads WHERE arm = 'library' GROUP BY round ORDER BY round""",
    "ages": """\
WITH shown AS MATERIALIZED (
    SELECT round, revision_id, count(*) AS n FROM reads WHERE arm = 'library' GROUP BY ALL
), aged AS (
    SELECT s.round, s.round - v.round AS age, sum(s.n) AS n
    FROM shown s JOIN revisions v USING (revision_id) GROUP BY ALL
), ranked AS (
    SELECT *, sum(n) OVER (PARTITION BY round ORDER BY age) / sum(n) OVER (PARTITION BY round) AS below
    FROM aged
)
SELECT round, min(age) FILTER (below >= 0.5) AS median, min(age) FILTER (below >= 0.1) AS low,
    min(age) FILTER (below >= 0.9) AS high, sum(n)::BIGINT AS reads
FROM ranked GROUP BY round ORDER BY round""",
    "citations": """\
SELECT round, target_kind, count(*) AS citations FROM citations GROUP BY ALL ORDER BY round, target_kind""",
}


@dataclass(frozen=True, slots=True)
class Readership:
    """What was read and cited in each round."""

    notes: list[Series]
    """``on the shelves`` at the end of a round, and ``read`` in it at least once; in notes."""
    age: Series
    """Rounds from the writing of a text to its reading: median, 10th and 90th percentile over reads."""
    citations: list[Series]
    """Citations in the texts of a round, by what is cited: note, problem or attempt."""


def data(log: Log) -> Readership:
    """Raises NoData where no note was read and none cited anything."""
    read = {at: (notes, reads) for at, notes, reads in log.execute(SQL["reads"]).fetchall()}
    cited: dict[str, dict[int, int]] = {}
    for at, kind, n in log.execute(SQL["citations"]).fetchall():
        cited.setdefault(kind, {})[at] = n
    if not read and not cited:
        raise NoData("No attempt of the library's arm was shown a note, and no note cites anything.")
    sizes = log.execute(SQL["on the shelves"]).fetchall()
    rounds = [at for at, _ in sizes]
    shown = [Point(at, float(notes), n=reads) for at in rounds for notes, reads in [read.get(at, (0, 0))]]
    ages = [
        Point(at, float(m), float(low), float(high), n)
        for at, m, low, high, n in log.execute(SQL["ages"]).fetchall()
    ]
    shelved = [Point(at, float(n)) for at, n in sizes if n is not None]
    return Readership(
        [Series("on the shelves", shelved), Series("read", shown)],
        Series("age", ages),
        [
            Series(kind, [Point(at, float(counts.get(at, 0))) for at in rounds])
            for kind, counts in sorted(cited.items())
        ],
    )


def draw(data: Readership, figure: FigureBase) -> None:
    """Up to three panels over the same rounds; what there is nothing of has none."""
    panels = [
        ("notes", data.notes),
        ("rounds since\nit was written", [data.age] if data.age.points else []),
        ("citations", data.citations),
    ]
    panels = [(unit, series) for unit, series in panels if series]
    grid = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    for axes, (unit, series) in zip(grid, panels, strict=True):
        for at, s in enumerate(series):
            line(axes, s, at, label={"age": "median age of what is read"}.get(s.label, s.label))
        axes.set_ylabel(unit)
        axes.set_ylim(0, 1.08 * max(axes.get_ylim()[1], 1))
        of_rounds(axes, data.notes)
        axes.label_outer()
        legend(axes)
