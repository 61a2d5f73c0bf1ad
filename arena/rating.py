"""Ratings of the players of games of two: every policy version, and the scripted ones, who never change.

A rating is a normal belief about a strength, by OpenSkill's Plackett-Luce model (Weng and Lin 2011, JMLR
12), 25 with a deviation of 25/3 before the first match. Every version is a player of its own and begins so.
A match of a version with itself tells nothing and is left out. Games are rated each for itself, over both
seats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from culture.records import Match, Measure

if TYPE_CHECKING:
    from arena.round import Play

_Z = 1.959963984540054
"""Two-sided 95% of a normal."""
_RANKS = {"win": [0.0, 1.0], "draw": [0.0, 0.0], "loss": [1.0, 0.0]}


def rate(ratings: dict[str, list[float]], match: Match) -> list[str]:
    """Take a match into ``ratings``, in which a name has mean, deviation and number of matches; returns the
    names of both players, none where they are one."""
    from openskill.models import PlackettLuce

    if match.policy_version == match.opponent:
        return []
    model = PlackettLuce()
    game = match.part.rstrip("+-")
    names = [f"{match.domain}/{game}/{player}" for player in (match.policy_version, match.opponent)]
    before = [ratings.get(name, [model.mu, model.sigma, 0.0]) for name in names]
    teams = [[model.rating(mu, sigma)] for mu, sigma, _ in before]
    after = model.rate(teams, ranks=_RANKS[match.result])
    for name, (_, _, played), (player,) in zip(names, before, after, strict=True):
        ratings[name] = [float(player.mu), float(player.sigma), played + 1]
    return names


def measure(play: Play) -> None:
    """Rate the round's matches in order; a measure for each player of each game that played."""
    played: dict[str, Match] = {}
    for match in play.rows.matches:
        for name in rate(play.ratings, match):
            played[name] = match
    for name, match in sorted(played.items()):
        mu, sigma, n = play.ratings[name]
        game, player = name.removeprefix(f"{match.domain}/").split("/", 1)
        low, high = mu - _Z * sigma, mu + _Z * sigma
        measure = Measure(play.round, f"rating/{player}/{game}", match.domain, mu, low, high, int(n))
        play.rows.measures.append(measure)
