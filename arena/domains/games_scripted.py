"""Scripted players of games: ``random``, and ``expert``, who never changes and fixes the scale.

The expert plays tic-tac-toe perfectly (minimax), a hand of Kuhn poker by an equilibrium (Kuhn 1950, of his
family of equilibria that with α = 1/6), and trades by a rule: it takes and makes what is worth more to it
than, at everybody's average values, to the other.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np

from arena.domains.games_position import BASE_VALUES, Position, Trade, written

ALPHA: Final = 1 / 6
"""How often who begins bets a jack."""
BETS: Final = {"J": ALPHA, "Q": 0.0, "K": 3 * ALPHA}
"""Probability that who begins bets, by card."""
CALLS_BACK: Final = {"J": 0.0, "Q": ALPHA + 1 / 3, "K": 1.0}
"""That who begins, having checked, calls a bet."""
BETS_AFTER: Final = {"J": 1 / 3, "Q": 0.0, "K": 1.0}
"""That the second bets after a check."""
CALLS: Final = {"J": 0.0, "Q": 1 / 3, "K": 1.0}
"""That the second calls a bet."""
MOST_TRADED: Final = 5
"""Pieces of one resource in an offer."""

_LINES: Final = ("012", "345", "678", "036", "147", "258", "048", "246")


def random_move(at: Position, rng: np.random.Generator) -> str:
    """A legal move, each as likely; in the negotiation an offer as often as an answer."""
    legal = at.legal()
    if at.game == "negotiation" and rng.random() < 0.5:
        return _random_offer(at, rng) or "d"
    return legal[int(rng.integers(len(legal)))]


def expert_move(at: Position, rng: np.random.Generator) -> str:
    """What the expert does; where several moves are as good, one of them."""
    if at.game == "tictactoe":
        board = at.board(at.player)
        best = best_squares(board)
        return best[int(rng.integers(len(best)))]
    if at.game == "kuhn":
        return _equilibrium(at, rng)
    return _trade(at)


@cache
def value(board: str) -> int:
    """What perfect play from a board gives to who is to move, the player of ``x``: 1, 0 or -1."""
    for line in _LINES:
        if all(board[int(i)] == "o" for i in line):
            return -1
    free = [i for i, c in enumerate(board) if c.isdigit()]
    if not free:
        return 0
    return max(-value(_after(board, i)) for i in free)


def best_squares(board: str) -> list[str]:
    """Squares that keep the value of a board, in order."""
    free = [c for c in board if c.isdigit()]
    worth = {c: -value(_after(board, int(c))) for c in free}
    return [c for c in free if worth[c] == max(worth.values())]


def _after(board: str, square: int) -> str:
    """The board as the other sees it once ``x`` has taken a square."""
    taken = board[:square] + "x" + board[square + 1 :]
    return taken.translate(str.maketrans("xo", "ox"))


def _equilibrium(at: Position, rng: np.random.Generator) -> str:
    card, hand = at.card(at.player), at.hand()
    table = {"": BETS, "xb": CALLS_BACK, "x": BETS_AFTER, "b": CALLS}[hand]
    passive, active = at.legal()
    return active if rng.random() < table[card] else passive


def _random_offer(at: Position, rng: np.random.Generator) -> str | None:
    mine = [(letter, n) for letter, n, _ in at.piles(at.player) if n > 0]
    if not mine:
        return None
    letter, held = mine[int(rng.integers(len(mine)))]
    others = [c for c in BASE_VALUES if c != letter]
    asked = others[int(rng.integers(len(others)))]
    given = 1 + int(rng.integers(min(held, MOST_TRADED)))
    return written({letter: given}, {asked: 1 + int(rng.integers(MOST_TRADED))})


def _trade(at: Position) -> str:
    worth = {letter: value for letter, _, value in at.piles(at.player)}
    offer = at.offer(at.player)
    if offer is not None and "a" in at.legal():
        given, asked = offer
        mine = _sum(given, worth) - _sum(asked, worth)
        if mine > 0 and mine > _sum(asked, BASE_VALUES) - _sum(given, BASE_VALUES):
            return "a"
    best, found = 0, "d"
    for letter, held, _ in at.piles(at.player):
        for other in BASE_VALUES:
            for give in range(1, min(held, MOST_TRADED) + 1 if other != letter else 0):
                for take in range(1, MOST_TRADED + 1):
                    theirs = give * BASE_VALUES[letter] - take * BASE_VALUES[other]
                    ahead = take * worth[other] - give * worth[letter] - theirs
                    # an offer that looks like a loss is not taken
                    if theirs > 0 and ahead > best:
                        best, found = ahead, written({letter: give}, {other: take})
    return found


def _sum(trade: Trade, worth: dict[str, int]) -> int:
    return sum(n * worth[letter] for letter, n in trade.items())
