"""Where a game stands: which moves there are, how they are written, what a player is shown.

A move has one canonical form, which is also the terse one: a square ``0`` to ``8`` of tic-tac-toe; ``x``,
``b``, ``c`` or ``f`` (check, bet, call, fold) of Kuhn poker; ``a``, ``d`` or ``2w1o>3r`` (accept, deny,
give 2 wheat and 1 wood for 3 ore) of the negotiation.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

from arena.domains.worker_process import WorkerProcess
from culture.records import Form
from culture.seeds import derive

Game = Literal["tictactoe", "kuhn", "negotiation"]
Trade = dict[str, int]
"""Quantities by resource letter."""

CARDS: Final = "JQK"
RESOURCES: Final = {"w": "Wheat", "o": "Wood", "s": "Sheep", "b": "Brick", "r": "Ore"}
BASE_VALUES: Final = {"w": 5, "o": 10, "s": 15, "b": 25, "r": 40}
"""What a resource is worth to players on average; each values it within a fifth of that."""
WORDS: Final = {"x": "check", "b": "bet", "c": "call", "f": "fold", "a": "accept", "d": "deny"}
FIRST: Final[dict[Game, int]] = {"tictactoe": 0, "kuhn": 1, "negotiation": 0}
"""TextArena's number of the player who begins."""

# Deals are the same in every run, so their stream is named by a constant and never by a run's seed.
_SEED: Final = 20261127
_SIDE: Final = r"(?:[1-9][0-9]?[wosbr])+"
_MOVES: Final[dict[Game, re.Pattern[str]]] = {
    "tictactoe": re.compile(r"[0-8]", re.ASCII),
    "kuhn": re.compile(r"[xbcf]"),
    "negotiation": re.compile(rf"[ad]|{_SIDE}>{_SIDE}", re.ASCII),
}
_BRACKETS: Final = re.compile(r"\[([^\[\]]{1,200})\]")
_OFFER: Final = re.compile(r"offer\s*:?\s*(.+?)\s*->\s*(.+)", re.IGNORECASE)
_PILE: Final = re.compile(r"([1-9][0-9]?)\s+([A-Za-z]+)", re.ASCII)
_HANDS: Final = re.compile(r"xx|xb[fc]|b[fc]")


@dataclass(frozen=True, slots=True)
class Position:
    """A game after some moves. Players have TextArena's numbers, 0 and 1."""

    game: Game
    size: int
    moves: tuple[str, ...]
    player: int
    """Who is to move."""
    done: bool
    scores: tuple[int, int] | None
    """1, 0 or -1 for each player; None before the end."""
    invalid: int | None
    """Who lost by a move that was not allowed."""
    seen: tuple[str, str]
    """What each player has been told, in words."""
    state: dict[str, Any]

    # -- tic-tac-toe -------------------------------------------------------------------------------------
    def board(self, player: int) -> str:
        """Nine characters: ``x`` the player's marks, ``o`` the other's, a digit for an empty square."""
        mine = "OX"[player]
        cells = enumerate(self.state["board"])
        return "".join(str(i) if not c else "x" if c == mine else "o" for i, c in cells)

    # -- Kuhn poker --------------------------------------------------------------------------------------
    def hand(self) -> str:
        """Moves of the hand that is being played."""
        return _HANDS.sub("", "".join(self.moves))

    def hands(self) -> int:
        """Hands that are over."""
        return len(_HANDS.findall("".join(self.moves)))

    def card(self, player: int) -> str:
        """What a player holds."""
        return CARDS[self.state["cards"][player]]

    # -- negotiation -------------------------------------------------------------------------------------
    def piles(self, player: int) -> list[tuple[str, int, int]]:
        """Letter, quantity and worth of each resource of a player."""
        held, worth = self.state["resources"][player], self.state["values"][player]
        return [(letter, held[name], worth[name]) for letter, name in RESOURCES.items()]

    def offer(self, player: int) -> tuple[Trade, Trade] | None:
        """What the other offers to a player, and what for; None where it offers nothing."""
        offer = self.state["offer"]
        if offer is None or offer["from_player"] == player:
            return None
        letters = {name: letter for letter, name in RESOURCES.items()}
        given, asked = (
            {letters[name]: int(n) for name, n in offer[side].items()}
            for side in ("offered_resources", "requested_resources")
        )
        return given, asked

    # -- all ---------------------------------------------------------------------------------------------
    def legal(self) -> list[str]:
        """Moves of whoever is to move; of the negotiation those that need no offer."""
        if self.game == "tictactoe":
            return [c for c in self.board(self.player) if c.isdigit()]
        if self.game == "kuhn":
            return ["f", "c"] if self.hand().endswith("b") else ["x", "b"]
        offer = self.offer(self.player)
        held = {letter: n for letter, n, _ in self.piles(self.player)}
        can = offer is not None and all(held[letter] >= n for letter, n in offer[1].items())
        return ["a", "d"] if can else ["d"]

    def shown(self, form: Form) -> str:
        """What whoever is to move is shown."""
        return self.terse() + "=" if form == "terse" else self.seen[self.player]

    def terse(self) -> str:
        """The board; the card and the hand; or piles, moves left with this one, and the offer.

        All as its mover sees it. Of several hands ``2+1Qx``: two more after this one, one chip ahead before
        it, a queen, the other checked.
        """
        me = self.player
        if self.game == "tictactoe":
            return self.board(me)
        if self.game == "kuhn":
            hand = self.hand()
            told = f"{self.card(me)}{hand}"
            if self.size == 1:
                return told
            chips = self.state["chips"]
            # a bet that is not answered yet was made by the other
            ahead = chips[me] - chips[1 - me] - (1 if hand.endswith("b") else 0)
            return f"{self.size - self.hands() - 1}{ahead:+d}{told}"
        piles = " ".join(f"{n}{letter}{worth}" for letter, n, worth in self.piles(me))
        offer = self.offer(me)
        asked = "" if offer is None else " " + written(*offer)
        # TextArena ends the game once more moves were made than it is told
        return f"{piles} {self.size + 1 - len(self.moves)}{asked}"


def written(given: Trade, asked: Trade) -> str:
    """A trade in canonical form."""
    left, right = ("".join(f"{n}{c}" for c, n in side.items()) for side in (given, asked))
    return f"{left}>{right}"


def read_move(completion: str, game: Game, form: Form) -> str | None:
    """The move in a completion; None where there is none that the game knows.

    Terse: its first line. Natural: the last thing in square brackets, as the games ask for.
    """
    if form == "terse":
        move: str | None = completion.partition("\n")[0].strip()
    else:
        told = _BRACKETS.findall(completion[-4096:])
        move = _canonical(told[-1].strip()) if told else None
    return move if move is not None and _MOVES[game].fullmatch(move) else None


def spoken(move: str) -> str:
    """A canonical move as the games are told it, in square brackets."""
    given, arrow, asked = move.partition(">")
    if arrow:
        sides = (
            ", ".join(f"{n} {RESOURCES[c]}" for n, c in re.findall(r"([0-9]+)([a-z])", side))
            for side in (given, asked)
        )
        return "[Offer: {} -> {}]".format(*sides)
    return f"[{WORDS.get(move, move).capitalize()}]"


def any_move(completion: str, form: Form) -> str | None:
    """The move in a completion, of whichever game."""
    moves = (read_move(completion, game, form) for game in _MOVES)
    return next((m for m in moves if m is not None), None)


def position(game: Game, size: int, seed: int | str, moves: Sequence[str]) -> Position:
    """The game with these cards or resources after ``moves``. Raises
    :class:`~arena.domains.base.Rejected` where TextArena fails."""
    return _position(os.getpid(), game, size, derive(_SEED, "deal", game, size, seed) % 2**31, tuple(moves))


# A step of an episode looks at all positions before it once more.
@lru_cache(maxsize=32768)
def _position(process: int, game: Game, size: int, seed: int, moves: tuple[str, ...]) -> Position:
    reply: dict[str, Any] = _worker(process).ask(
        {"game": game, "size": size, "seed": seed, "moves": [spoken(m) for m in moves]}
    )
    scores = reply["scores"]
    return Position(
        game,
        size,
        moves,
        reply["player"],
        reply["done"],
        None if scores is None else (scores[0], scores[1]),
        reply["invalid"],
        (reply["seen"][0], reply["seen"][1]),
        reply["state"],
    )


@lru_cache(maxsize=8)
def _worker(process: int) -> WorkerProcess:
    """That of the process with this id: a fork must not talk to the process of its parent."""
    return WorkerProcess("arena.domains.games_process", "textarena")


def _canonical(told: str) -> str | None:
    words = {word: move for move, word in WORDS.items()}
    if told.lower() in words:
        return words[told.lower()]
    offer = _OFFER.fullmatch(told)
    if offer is None:
        return told
    letters = {name.lower(): letter for letter, name in RESOURCES.items()}
    sides: list[Trade] = []
    for side in offer.groups():
        piles: Trade = {}
        for n, name in _PILE.findall(side):
            letter = letters.get(name.lower())
            if letter is None:
                return None
            piles[letter] = piles.get(letter, 0) + int(n)
        sides.append(piles)
    return written(*sides)
