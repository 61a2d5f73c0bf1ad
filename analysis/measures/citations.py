"""How attention spreads over notes and how long it lasts, and how much is made of several sources."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import stats

from analysis.measures.estimate import Estimate, Floats, Log, NothingToMeasure, from_left_out
from culture.clustered import LEVEL
from culture.wilson import wilson

Use = Literal["citation", "reading"]
SILENCE = 5
"""Rounds without a use after which a note is taken to have had its last one."""

USES = """
WITH used AS (
    SELECT c.target_id AS note_id, r.round FROM citations c JOIN revisions r USING (revision_id)
    WHERE $use = 'citation' AND c.target_kind = 'note' AND r.outcome IN ('head', 'branch')
    UNION ALL
    SELECT note_id, round FROM reads WHERE $use = 'reading' AND arm = 'library'
)
SELECT n.note_id, n.round, count(u.round), coalesce(max(u.round), n.round)
FROM notes n LEFT JOIN used u ON u.note_id = n.note_id AND u.round >= n.round
GROUP BY n.note_id, n.round ORDER BY n.round, n.note_id
"""
PARENTS = """
SELECT count(*) FILTER (len(parents) > 1), count(*) FROM revisions
WHERE outcome IN ('head', 'merged', 'branch') AND len(parents) > 0
"""


@dataclass(frozen=True, slots=True)
class Used:
    """A note and its uses."""

    note_id: str
    begun: int
    """Round."""
    uses: int
    last: int
    """Round of the last use; that in which it was begun where there was none."""


def gini(counts: npt.ArrayLike) -> Estimate:
    """The Gini coefficient of counts, (n,): 0 where all have as many, towards 1 where one has all.

    sum_ij |x_i - x_j| / (2 n^2 mean) (Gini 1912), times n/(n-1), which takes off its bias in small samples
    (Deltas 2003, Review of Economics and Statistics 85). The interval is by jackknife (Yitzhaki 1991).
    Raises NothingToMeasure with fewer than two counts or where all are 0, ValueError for one below 0.
    """
    x = np.sort(np.asarray(counts, float))
    if len(x) and x[0] < 0:
        raise ValueError(f"expected counts of 0 or more, got {x[0]:g}")
    if len(x) < 2 or not x.sum():
        raise NothingToMeasure(f"expected two counts or more, not all 0, got {len(x)}")
    n, rank = len(x), np.arange(1, len(x) + 1)
    below = np.concatenate([[0.0], np.cumsum(x)[:-1]])
    total, weighted = x.sum(), (rank * x).sum()

    def of(size: Floats, total: Floats, weighted: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            plain = 2 * weighted / (size * total) - (size + 1) / size
            return np.asarray(plain * size / (size - 1))

    value = of(np.array(float(n)), total, weighted)
    # without the i-th, all above it move down one rank
    above = total - below - x
    without = of(np.full(n, n - 1.0), total - x, weighted - rank * x - above)
    return from_left_out(float(value), without, n)


@dataclass(frozen=True, slots=True)
class Survival:
    """How long notes go on being used."""

    half_life: Estimate
    """Median time from beginning to last use, in rounds; infinite, and without an interval, where fewer
    than half have had it; n is notes."""
    times: Floats
    """In rounds, rising, (times,)."""
    alive: Floats
    """Share of notes whose last use comes later, by Kaplan and Meier, (times,)."""
    low: Floats
    """Lower end of its 95% interval, with Greenwood's variance of ln(-ln S), (times,)."""
    high: Floats
    ended: int
    """Notes that had their last use; of the others it is not known."""


def survival(durations: npt.ArrayLike, ended: npt.ArrayLike) -> Survival:
    """By Kaplan and Meier 1958, with Greenwood's variance; each (n,).

    ``durations`` in rounds, ``ended`` whether that was the end or only all that was seen. The median's
    interval is of the times at which the curve's interval has a half in it (Brookmeyer and Crowley 1982).
    Raises NothingToMeasure where nothing ended.
    """
    time, end = np.asarray(durations, float), np.asarray(ended, bool)
    if not end.any():
        raise NothingToMeasure(f"expected some of {len(time)} notes to have had their last use, got none")
    data = stats.CensoredData(uncensored=time[end], right=time[~end])
    curve = stats.ecdf(data).sf
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The confidence interval is undefined", RuntimeWarning)
        band = curve.confidence_interval(LEVEL, method="log-log")
    alive = np.asarray(curve.probabilities, float)
    times = np.asarray(curve.quantiles, float)
    low, high = (np.asarray(side.probabilities, float) for side in (band.low, band.high))
    # the variance is not defined where all or none are left
    low, high = np.where(np.isnan(low), alive, low), np.where(np.isnan(high), alive, high)
    median, early, late = (_halved(times, line) for line in (alive, low, high))
    known = math.isfinite(median)
    found = Estimate(median, early if known else None, late if known else None, len(time))
    return Survival(found, times, alive, low, high, int(end.sum()))


def _halved(times: Floats, alive: Floats) -> float:
    below = np.flatnonzero(alive <= 0.5)
    return float(times[below[0]]) if len(below) else math.inf


def uses(log: Log, of: Use) -> list[Used]:
    """All notes and how they were cited by notes, or shown in the arm ``library``. Raises ValueError."""
    if of not in get_args(Use):
        raise ValueError(f"expected of to be citation or reading, got {of!r}")
    return [Used(*row) for row in log.execute(USES, {"use": of}).fetchall()]


def lifetimes(notes: list[Used], last: int, silence: int = SILENCE) -> Survival:
    """How long notes are used, in a run whose last round is ``last``.

    A note that nobody used for ``silence`` rounds has had its last use. Whether a use in the last
    ``silence`` rounds is one cannot be known, so all notes are looked at up to the round before these:
    those used since were in use then. (Were each looked at up to its own last use, the end of the run would
    take ends away and leave the notes that go on.) Raises NothingToMeasure as :func:`survival`.
    """
    end = last - silence
    seen = [u for u in notes if u.begun <= end]
    return survival([min(u.last, end) - u.begun for u in seen], [u.last <= end for u in seen])


def several_parents(log: Log) -> Estimate:
    """The share of texts made from others of their note that were made from several, from 0 to 1; n is
    such texts.

    The interval is Wilson's. Raises NothingToMeasure where there is none.
    """
    several, all_ = log.execute(PARENTS).fetchone() or (0, 0)
    if not all_:
        raise NothingToMeasure("expected texts that were made from others, got none in this log")
    return Estimate(several / all_, *wilson(several, all_), all_)
