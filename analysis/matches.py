"""Games of two, in lines for the summary: how strong the players are, and how matches ended."""

from __future__ import annotations

import duckdb

Line = tuple[str, str]
"""A label and a text."""

SCRIPTED = ("random", "expert")
"""Players who never change, and so say what a rating means."""


def match_lines(log: duckdb.DuckDBPyConnection) -> list[Line]:
    """For each game the ratings of the scripted players and of the first and last version of every policy
    that was rated, with 95% intervals, and the share of matches that were lost by a move that is not
    allowed."""
    lines: list[Line] = []
    rows = log.execute(
        """
        SELECT domain, split_part(name, '/', 3) AS game, split_part(name, '/', 2) AS player,
            max_by((value, low, high, n), round)
        FROM measures WHERE starts_with(name, 'rating/') GROUP BY ALL ORDER BY ALL
        """
    ).fetchall()
    for domain, game in dict.fromkeys(row[:2] for row in rows):
        found = {player: rating for d, g, player, rating in rows if (d, g) == (domain, game)}
        told = [name for name in SCRIPTED if name in found] + _ends(set(found) - {*SCRIPTED})
        texts = []
        for name in told:
            value, low, high, _ = found[name]
            texts.append(f"{name} {value:.1f} [{low:.1f}, {high:.1f}]")
        lines.append((f"{domain}, ratings at {game}", "; ".join(texts)))
    forfeits = log.execute(
        """
        SELECT domain, split_part(policy_version, '@', 1) AS policy, round,
            avg((forfeited_by IS NOT DISTINCT FROM 'solver')::INT), count(*)
        FROM matches GROUP BY ALL ORDER BY ALL
        """
    ).fetchall()
    for domain, policy in dict.fromkeys(row[:2] for row in forfeits):
        mine = [row[2:] for row in forfeits if row[:2] == (domain, policy)]
        ends = [f"{share:.1%} in round {at}" for at, share, _ in dict.fromkeys((mine[0], mine[-1]))]
        matches = sum(n for _, _, n in mine)
        lines.append(
            (f"{domain}, not allowed", f"{policy}: {' -> '.join(ends)} of its matches; {matches} in all")
        )
    return lines


def _ends(versions: set[str]) -> list[str]:
    """The first and last version of each policy, in order."""
    numbers: dict[str, list[int]] = {}
    for version in versions:
        policy, _, number = version.partition("@")
        numbers.setdefault(policy, []).append(int(number))
    return [
        f"{policy}@{n}"
        for policy, found in sorted(numbers.items())
        for n in sorted({min(found), max(found)})
    ]
