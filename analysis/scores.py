"""What one run scored: its answers to the anchors at the end, or a measure of its last rounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import duckdb
import numpy as np

HELD_OUT = "held_out"
"""The score that is no measure by name: the anchors themselves."""


@dataclass(frozen=True, slots=True)
class Score:
    """Values of one run by what was asked, and the stratum of each."""

    values: Mapping[str, float]
    """By policy and anchor, 0 or 1; or by domain, the measure's unit."""
    strata: Mapping[str, str]
    """The anchors' cells, of each policy; of a domain the domain itself."""
    anchors: Mapping[str, str] = field(default_factory=dict)
    """The anchor of each value, which several policies have in common; empty where nothing is in common."""

    @property
    def questions(self) -> int:
        """How many anchors there are, or domains."""
        return len(set(self.anchors.values())) or len(self.values)

    @property
    def mean(self) -> float:
        """Of all values; NaN where there is none."""
        return float(np.mean(list(self.values.values()))) if self.values else float("nan")


def held_out(log: duckdb.DuckDBPyConnection) -> Score:
    """The answers that the policies' last versions gave to the anchors of the last evaluated round."""
    rows = log.execute(
        """
        WITH last AS (
            SELECT split_part(policy_version, '@', 1) AS policy,
                max(split_part(policy_version, '@', 2)::INT) AS version
            FROM evaluations WHERE round = (SELECT max(round) FROM evaluations) GROUP BY policy
        )
        SELECT policy, domain, anchor_id, cell, correct
        FROM evaluations JOIN last ON policy_version = policy || '@' || version
        WHERE round = (SELECT max(round) FROM evaluations)
        ORDER BY policy, domain, anchor_id
        """
    ).fetchall()
    values, strata, anchors = {}, {}, {}
    for policy, domain, anchor, cell, correct in rows:
        name = f"{policy} {domain} {anchor}"
        values[name], strata[name] = float(correct), f"{policy} {domain} {cell}"
        anchors[name] = f"{domain} {anchor}"
    return Score(values, strata, anchors)


def measured(log: duckdb.DuckDBPyConnection, name: str) -> Score:
    """A measure by domain, as of the last round that has a value of it."""
    rows = log.execute(
        "SELECT domain, arg_max(value, round) FROM measures WHERE name = ? AND value IS NOT NULL "
        "GROUP BY domain ORDER BY domain",
        [name],
    ).fetchall()
    values = {str(domain): float(value) for domain, value in rows}
    return Score(values, {domain: domain for domain in values})


def measure_names(log: duckdb.DuckDBPyConnection) -> list[str]:
    """Names of the measures that have a value, sorted."""
    rows = log.execute(
        "SELECT DISTINCT name FROM measures WHERE value IS NOT NULL ORDER BY name"
    ).fetchall()
    return [str(name) for (name,) in rows]


def score(log: duckdb.DuckDBPyConnection, name: str) -> Score:
    """``held_out``, or a measure by name."""
    return held_out(log) if name == HELD_OUT else measured(log, name)
