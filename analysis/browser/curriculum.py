"""The curriculum as of a round in numbers: of rounds and measures alone, which are few."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.browser.address import Address
from analysis.browser.log import Log, Row

WINDOW = 20
"""Rounds on one page of the table."""
TOLD = {
    "valid_share": ("valid", "of what policies proposed"),
    "new_share": ("new", "of the valid ones"),
    "solve_rate": ("solved", "of attempts at new problems"),
    "held_out": ("held out", "of the anchors"),
    "ability": ("ability", "in logits, on the scale of the anchors"),
    "difficulty": ("difficulty", "of new problems, in logits on that scale"),
    "frontier": ("frontier", "difficulty at which half is solved, in the domain's unit"),
}
"""Measures that are told: what they are called, and what they are of."""
COLUMNS = ["held_out", "ability", "difficulty"]
"""Those with a column in the table of rounds."""
SHARES = frozenset(["valid_share", "new_share", "solve_rate", "held_out"])


@dataclass(frozen=True, slots=True)
class Curriculum:
    """Where a run stood at the end of a round."""

    latest: list[Row]
    """The latest value of each of ``TOLD`` by domain and policy: label, domain, policy, of, round, value,
    low, high, n, share."""
    rounds: list[Row]
    """The rounds of one page of the table, the latest first."""
    columns: list[str]
    """Columns of measures that these rounds have, each a name, a domain and a policy in words."""
    total: int
    """Rounds in all."""
    first: int
    """The place of the first row of the page among them, from 0."""


def curriculum(log: Log, round: int, address: Address) -> Curriculum:
    """Numbers as of the end of a round, and a page of the table of rounds."""
    here: dict[str, object] = {"round": round, "kinds": list(TOLD)}
    latest = log.rows(
        """
        SELECT split_part(name, '/', 1) AS kind, domain, split_part(name, '/', 2) AS policy,
            max(round) AS round, max_by((value, low, high, n), round) AS found
        FROM measures WHERE round <= $round AND value IS NOT NULL
            AND list_contains($kinds, split_part(name, '/', 1))
        GROUP BY name, domain ORDER BY domain, list_position($kinds, kind), policy LIMIT 100
        """,
        here,
    )
    cards = []
    for row in latest:
        kind, found = str(row["kind"]), row["found"]
        value, low, high, n = found if isinstance(found, tuple) else found.values()  # type: ignore[attr-defined]
        label, of = TOLD[kind]
        cards.append(
            {
                "label": label, "of": of, "domain": row["domain"], "policy": row["policy"],
                "round": row["round"], "value": value, "low": low, "high": high, "n": n,
                "share": kind in SHARES,
            }
        )  # fmt: skip
    first = WINDOW * address.number("page", 10_000)
    rounds = log.rows(
        f"""
        SELECT round, started_at, requested, proposed, valid, duplicate, admitted, attempts, correct,
            mean_difficulty, seconds, count(*) OVER () AS total
        FROM rounds WHERE round <= $round ORDER BY round DESC LIMIT {WINDOW} OFFSET {first}
        """,
        {"round": round},
    )
    total = int(str(rounds[0]["total"])) if rounds else 0
    columns: list[str] = []
    if rounds:
        ends: dict[str, object] = {
            "low": rounds[-1]["round"],
            "high": rounds[0]["round"],
            "kinds": COLUMNS,
        }
        found = log.rows(
            """
            SELECT round, name, domain, value FROM measures
            WHERE round BETWEEN $low AND $high AND value IS NOT NULL
                AND list_contains($kinds, split_part(name, '/', 1))
            ORDER BY domain, list_position($kinds, split_part(name, '/', 1)), name LIMIT 2000
            """,
            ends,
        )
        by_round: dict[object, dict[str, object]] = {}
        for row in found:
            kind, _, policy = str(row["name"]).partition("/")
            column = " ".join(part for part in (str(row["domain"]), TOLD[kind][0], policy) if part)
            by_round.setdefault(row["round"], {})[column] = (row["value"], kind in SHARES)
            if column not in columns:
                columns.append(column)
        for row in rounds:
            row["measures"] = by_round.get(row["round"], {})
    return Curriculum(cards, rounds, columns, total, first)


def effects(log: Log, round: int) -> list[Row]:
    """What the library did to success, as told last: differences of arms with intervals."""
    return log.rows(
        """
        SELECT contrast, domain, round, found.value, found.low, found.high, found.n FROM (
            SELECT substr(name, 8) AS contrast, domain, max(round) AS round,
                max_by({'value': value, 'low': low, 'high': high, 'n': n}, round) AS found
            FROM measures WHERE starts_with(name, 'effect/') AND round <= $round AND value IS NOT NULL
            GROUP BY name, domain
        ) ORDER BY domain, contrast LIMIT 50
        """,
        {"round": round},
    )
