"""Whether a curriculum is alive: how freely proposers sample, what is refused and why, what is solved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.measures.diversity import varied, vendi
from analysis.measures.embedding import Embedding, cosines, drawn
from analysis.measures.estimate import Estimate, Log, NothingToMeasure, from_left_out
from culture.wilson import wilson

SAMPLED = """
SELECT list_sum(logprobs), len(logprobs) FROM problems
WHERE origin IN ('policy', 'club') AND len(logprobs) > 0
    AND ($first IS NULL OR round >= $first) AND ($end IS NULL OR round < $end) ORDER BY rowid
"""
REASONS = """
SELECT coalesce(reason, 'admitted'), count(*) FROM problems
WHERE origin = 'policy' AND failure_source IS DISTINCT FROM 'infrastructure'
    AND ($first IS NULL OR round >= $first) AND ($end IS NULL OR round < $end)
GROUP BY 1 ORDER BY 2 DESC, 1
"""
SOLVABLE = """
SELECT count(*) FILTER (solved), count(*) FROM (
    SELECT problem_id, bool_or(a.correct) AS solved
    FROM problems p JOIN attempts a USING (problem_id)
    WHERE p.status = 'admitted' AND a.verdict <> 'error'
        AND ($first IS NULL OR p.round >= $first) AND ($end IS NULL OR p.round < $end)
    GROUP BY problem_id
)
"""
WRITTEN = """
SELECT spec FROM problems
WHERE origin = 'policy' AND spec IS NOT NULL
    AND ($first IS NULL OR round >= $first) AND ($end IS NULL OR round < $end) ORDER BY rowid
"""


@dataclass(frozen=True, slots=True)
class Health:
    """Of the proposals of some rounds; each is absent where nothing is there to measure."""

    entropy: Estimate | None
    """Of proposers' sampling, in nats a token; n is proposals."""
    reasons: dict[str, Estimate]
    """Shares of what policies wrote by what became of it, ``admitted`` and ``duplicate`` among them; n is
    proposals."""
    solvable: Estimate | None
    """Share of the problems attempted that anybody solved, then or later; n is problems."""
    vendi: float | None
    """Of what policies wrote, in texts, of at most ``MOST``."""
    distinct: dict[int, float]
    """distinct-n of the same by n; a problem of one word has no pairs."""
    texts: int
    """Compared for the last two."""


def entropy(log_probabilities: npt.ArrayLike, tokens: npt.ArrayLike) -> Estimate:
    """Entropy of sampling, in nats a token, by sums of log-probabilities and lengths of texts; each
    (texts,).

    The mean of -ln p over sampled tokens estimates without bias the entropy of the distributions that they
    were drawn from (Shannon 1948), taken where the sampler went; it costs no second pass over the texts.
    The interval is by jackknife over texts, whose tokens are not independent. Raises NothingToMeasure for
    no token.
    """
    total, n = np.asarray(log_probabilities, float), np.asarray(tokens, float)
    if not n.sum():
        raise NothingToMeasure("expected sampled tokens, got none")
    with np.errstate(divide="ignore", invalid="ignore"):
        without = -(total.sum() - total) / (n.sum() - n)
    return from_left_out(float(-total.sum() / n.sum()), without, len(n))


def of_log(log: Log, embedding: Embedding, rounds: range | None = None) -> Health:
    """Of a run, or of some rounds of it, one after another."""
    if rounds is not None and rounds.step != 1:
        raise ValueError(f"expected rounds one after another, got {rounds!r}; write range(first, last + 1)")
    when = {"first": rounds.start if rounds else None, "end": rounds.stop if rounds else None}
    sampled = log.execute(SAMPLED, when).fetchall()
    counts = log.execute(REASONS, when).fetchall()
    all_ = sum(n for _, n in counts)
    solved, attempted = log.execute(SOLVABLE, when).fetchone() or (0, 0)
    specs = [spec for (spec,) in log.execute(WRITTEN, when).fetchall()]
    some = [specs[i] for i in drawn(log, "health", len(specs))]
    shares = {reason: Estimate(n / all_, *wilson(n, all_), all_) for reason, n in counts}
    return Health(
        entropy([row[0] for row in sampled], [row[1] for row in sampled]) if sampled else None,
        shares,
        Estimate(solved / attempted, *wilson(solved, attempted), attempted) if attempted else None,
        vendi(cosines(embedding.vectors(some))) if some else None,
        varied(some),
        len(some),
    )
