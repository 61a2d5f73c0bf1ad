"""What a run's log says round by round: the numbers that the summary and the pictures are made of."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from culture.wilson import wilson

START = -1
"""The round that evaluations of version 0 are put at: it had learned nothing yet."""
SCORES = f"""\
SELECT CASE WHEN policy_version LIKE '%@0' AND round = 0 THEN {START} ELSE round END AS evaluated,
    split_part(policy_version, '@', 1) AS policy, domain,
    count(*) FILTER (correct) AS correct, count(*) AS anchors
FROM evaluations GROUP BY ALL ORDER BY domain, policy, evaluated"""
"""What :func:`scores` asks."""
DIFFICULTIES = """\
SELECT round, domain, avg(difficulty) AS mean, quantile_cont(difficulty, 0.1) AS low,
    quantile_cont(difficulty, 0.9) AS high, count(*) AS problems
FROM problems WHERE status = 'admitted' AND difficulty IS NOT NULL
GROUP BY ALL ORDER BY domain, round"""
"""What :func:`difficulties` asks."""


@dataclass(frozen=True, slots=True)
class Score:
    """How one policy version did on the held-out anchors of one domain."""

    round: int
    """The round in which it was evaluated; ``START`` for version 0."""
    policy: str
    domain: str
    right: int
    anchors: int

    @property
    def share(self) -> float:
        """Share of the anchors answered right."""
        return self.right / self.anchors

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% interval of the share (Wilson 1927)."""
        return wilson(self.right, self.anchors)


def scores(connection: duckdb.DuckDBPyConnection) -> list[Score]:
    """Every evaluation, by domain, policy and round."""
    return [Score(*row) for row in connection.execute(SCORES).fetchall()]


@dataclass(frozen=True, slots=True)
class Difficulty:
    """The difficulty of the problems of one domain admitted in one round, in the domain's unit."""

    round: int
    domain: str
    mean: float
    low: float
    """The 10th percentile."""
    high: float
    """The 90th percentile."""
    problems: int


def difficulties(connection: duckdb.DuckDBPyConnection) -> list[Difficulty]:
    """By domain and round; rounds that admitted nothing of a domain are absent."""
    return [Difficulty(*row) for row in connection.execute(DIFFICULTIES).fetchall()]


def measured(connection: duckdb.DuckDBPyConnection, name: str) -> dict[str, list[tuple[int, float]]]:
    """Round and value of one measure, by domain; rounds where it has no value are absent."""
    found: dict[str, list[tuple[int, float]]] = {}
    rows = connection.execute(
        "SELECT domain, round, value FROM measures WHERE name = ? AND value IS NOT NULL "
        "ORDER BY domain, round",
        [name],
    ).fetchall()
    for domain, at, value in rows:
        found.setdefault(domain, []).append((at, value))
    return found
