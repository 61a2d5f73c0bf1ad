"""``games``: games of two with one winner, against selves of today and of earlier, by TextArena.

``games:tictactoe``, ``games:kuhn`` and ``games:negotiation`` are one of them alone. A spec is ``k3s+17``:
Kuhn poker of 3 hands, against a policy version of today (``s``) or an earlier one (``p``), the solver
begins (``+``) or the other does (``-``), with the cards of seed 17. The size of tic-tac-toe is the number
of empty squares, the others being taken by an opening from which perfect play draws; that of the
negotiation how many moves TextArena gives it.

Where the other is a policy, ``turn`` says so once it is the other's turn, and the arena asks an engine for
its move: the actions of an episode are the moves of both. An anchor is played against somebody scripted who
never changes, ``r`` at random or ``e`` an expert (``arena.domains.games_scripted``), whose moves ``turn``
makes itself; no problem that is set has one of those.

A win is right and scores 1, a draw a half and a loss 0; against the expert of tic-tac-toe a draw is right
too, since nobody can do better. A move that is not allowed loses the game, and a solver's is malformed.
"""

from __future__ import annotations

import importlib.util
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal, cast

import numpy as np

from arena.domains.base import Account, Anchor, Domain, Executor, Rejected, Solution, Turn, register
from arena.domains.games_position import FIRST, Game, Position, any_move, position, read_move, spoken
from arena.domains.games_scripted import expert_move, random_move, value
from arena.domains.grade import terse_request
from culture.edits import Kind
from culture.records import Form
from culture.seeds import generator, short_id

SIZES: Final[dict[Game, tuple[int, ...]]] = {
    "tictactoe": (5, 7, 9),
    "kuhn": (1, 2, 3, 4, 5, 6, 7, 8, 9),
    "negotiation": (2, 3, 4, 5, 6, 7, 8),
}
MAX_SEED: Final = 9999
CORE_CELLS: Final[tuple[str, ...]] = (
    "t5r", "k1r", "n2r", "t7r", "k3r", "t9r", "n4r", "k1e", "t5e", "k3e", "t7e", "n4e", "t9e", "k7e",
)  # fmt: skip
"""Floors first: whoever moves at random wins a fair share of the first four."""

Against = Literal["s", "p", "r", "e"]
_GAMES: Final[dict[str, Game]] = {"t": "tictactoe", "k": "kuhn", "n": "negotiation"}
_LETTERS: Final = {game: letter for letter, game in _GAMES.items()}
_TOLD_GAMES: Final[dict[Game, str]] = {
    "tictactoe": "Tic-tac-toe", "kuhn": "Kuhn poker", "negotiation": "Negotiation"
}  # fmt: skip
_TOLD_AGAINST: Final[dict[Against, str]] = {
    "s": "today's self", "p": "an earlier self", "r": "somebody who plays at random", "e": "an expert"
}  # fmt: skip
_SPEC: Final = re.compile(r"([tkn])([1-9])([spre])([+-])(0|[1-9][0-9]{0,3})", re.ASCII)
_TOLD: Final = re.compile(
    r"(?:problem:\s*)?(tic-tac-toe|kuhn poker|negotiation),\s*size\s+([1-9]),\s*against\s+"
    r"(today's self|an earlier self),\s*(you|the other)\s+begins?,\s*seed\s+0*([0-9]{1,4})\s*\.?",
    re.IGNORECASE | re.ASCII,
)
_CHARACTERS: Final = string.digits + string.ascii_lowercase + "JQK +->=;\n"
# Longest natural observations, in characters: rules, and a line or more for each move.
_RULES: Final[dict[Game, int]] = {"tictactoe": 800, "kuhn": 900, "negotiation": 1300}
_PER_MOVE: Final[dict[Game, int]] = {"tictactoe": 70, "kuhn": 260, "negotiation": 300}


@dataclass(frozen=True, slots=True)
class Match:
    """One problem."""

    game: Game
    size: int
    against: Against
    begins: bool
    """Whether the solver does."""
    seed: int

    @property
    def spec(self) -> str:
        sign = "+" if self.begins else "-"
        return f"{_LETTERS[self.game]}{self.size}{self.against}{sign}{self.seed}"

    @property
    def solver(self) -> int:
        """TextArena's number of the solver."""
        first = FIRST[self.game]
        return first if self.begins else 1 - first

    @property
    def moves(self) -> tuple[int, int]:
        """Moves of the solver, and of both, at most."""
        if self.game == "kuhn":
            first, second = (self.size + 1) // 2, self.size // 2
            mine = 2 * first + second if self.begins else first + 2 * second
            return mine, 3 * self.size
        both = self.size if self.game == "tictactoe" else self.size + 1
        return (both + self.begins) // 2, both


def read_spec(spec: str) -> Match:
    """The problem of a canonical spec. Raises Rejected: ``syntax``, ``no_such_size``."""
    match = _SPEC.fullmatch(spec)
    if match is None:
        raise Rejected("syntax", f"expected a game like 'k3s+17', got {spec[:80]!r}")
    letter, size, against, sign, seed = match.groups()
    game = _GAMES[letter]
    if int(size) not in SIZES[game]:
        raise Rejected("no_such_size", f"expected {game} of a size of {SIZES[game]}, got {size}")
    return Match(game, int(size), cast("Against", against), sign == "+", int(seed))


@register
class Games(Domain):
    """Tic-tac-toe, Kuhn poker and a negotiation. Difficulty is the solver's moves at most."""

    name = "games"
    alphabet = _CHARACTERS
    request_characters = "?"
    one_step = False
    plays = True
    two_players = True
    core_cells = CORE_CELLS

    def __init__(self, only: str | None = None) -> None:
        missing = [name for name in ("textarena", "openskill") if importlib.util.find_spec(name) is None]
        if missing:
            raise ValueError(
                f"expected {' and '.join(missing)} to be installed for games, got none; write "
                "pip install 'ludus-arena[games]'"
            )
        if only is not None and only not in SIZES:
            raise ValueError(f"expected a game, one of {', '.join(SIZES)}, got {only!r}")
        self.games: tuple[Game, ...] = tuple(g for g in SIZES if only in (None, g))
        if only is not None:
            self.name = f"{type(self).name}:{only}"
            self.core_cells = tuple(c for c in CORE_CELLS if _GAMES[c[0]] == only)

    # -- proposing ---------------------------------------------------------------------------------
    def brief(self, form: Form, target: float | None, parent: str | None) -> str:
        if form == "terse":
            return terse_request(target, parent)
        sizes = "; ".join(f"{_TOLD_GAMES[g]} from {SIZES[g][0]} to {SIZES[g][-1]}" for g in self.games)
        example = self.games[0]
        lines = [
            "Write one problem: a game for two, its size, against whom, who begins, and a seed from 0 to"
            f" {MAX_SEED}, which deals.",
            f"Sizes: {sizes}. The size of tic-tac-toe is odd, the number of empty squares.",
            "The other is today's self or an earlier self. For example:",
            self.write(Match(example, SIZES[example][-1], "s", True, 17).spec, "natural"),
            self.write(Match(self.games[-1], SIZES[self.games[-1]][0], "p", False, 204).spec, "natural"),
        ]
        if parent is not None:
            lines.append(
                f"Change this problem a little, to make a new one: {self.write(parent, 'natural')}"
            )
        elif target is not None:
            lines.append(f"It should take about {max(1, round(target))} moves of the solver.")
        lines.append("Answer with the problem only, on one line.")
        return "\n".join(lines)

    def pattern(self, form: Form, target: float | None) -> str:
        shapes = []
        for game in self.games:
            easy = [str(n) for n in SIZES[game] if target is None or _shape(game, n).moves[0] <= 2 * target]
            sizes = f"({'|'.join(easy or [str(SIZES[game][0])])})"
            if form == "terse":
                shapes.append(f"{_LETTERS[game]}{sizes}[sp][+-](0|[1-9][0-9]{{0,3}})")
            else:
                shapes.append(
                    f"{_TOLD_GAMES[game]}, size {sizes}, against (today's|an earlier) self, "
                    "(you begin|the other begins), seed (0|[1-9][0-9]{0,3})"
                )
        return f"({'|'.join(shapes)})"

    def parse(self, text: str) -> str:
        """Reasons: ``syntax``, ``no_such_size``, ``no_such_game``, and ``held_out``: who is scripted plays
        anchors alone."""
        spec = text[:4096].strip()
        for line in spec.splitlines():
            told = _TOLD.fullmatch(line.strip())
            if told is not None:
                named = {name.lower(): game for game, name in _TOLD_GAMES.items()}
                whom = {words: letter for letter, words in _TOLD_AGAINST.items()}
                game, size, against, who, seed = (part.lower() for part in told.groups())
                match = Match(named[game], int(size), whom[against], who == "you", int(seed))
                spec = match.spec
                break
        match = read_spec(spec)
        if match.game not in self.games:
            raise Rejected("no_such_game", f"expected one of {', '.join(self.games)}, got {match.game}")
        if match.against in "re":
            raise Rejected(
                "held_out", f"expected s or p to play against, got {match.against}, who plays anchors"
            )
        return match.spec

    def program(self, spec: str) -> str:
        raise TypeError("expected a one-step domain, got games: they are played")

    def solution(self, spec: str, value: object) -> Solution:
        raise TypeError("expected a one-step domain, got games: they have no answer key")

    def solve(self, specs: Sequence[str], sandbox: Executor) -> list[Solution | Rejected]:
        """Every match can be played. The answer key is empty."""
        return [Solution("", (), 0) for _ in specs]

    def features(self, spec: str, solution: Solution) -> dict[str, float]:
        """``size``, ``begins`` (1 or 0), ``earlier`` (1 against an earlier self), ``steps`` (moves of the
        solver at most), ``operations`` (of both), ``length`` (characters of the longest terse
        statement)."""
        match = read_spec(spec)
        mine, both = match.moves
        return {
            "operations": float(both),
            "length": float(self.longest(spec, "terse")),
            "steps": float(mine),
            "size": float(match.size),
            "begins": float(match.begins),
            "earlier": float(match.against == "p"),
        }

    def difficulty(self, features: dict[str, float]) -> float:
        return features["steps"]

    def write(self, spec: str, form: Form) -> str:
        if form == "terse":
            return spec
        match = read_spec(spec)
        begins = "you begin" if match.begins else "the other begins"
        return (
            f"{_TOLD_GAMES[match.game]}, size {match.size}, against {_TOLD_AGAINST[match.against]}, "
            f"{begins}, seed {match.seed}"
        )

    def mutate(self, spec: str, rng: np.random.Generator) -> str:
        """The next larger or smaller size, another to play against, to begin, or other cards."""
        match = read_spec(spec)
        if match.against in "re":
            match = replace(match, against="s")
        move = rng.random()
        sizes = SIZES[match.game]
        at = sizes.index(match.size) + (1 if rng.random() < 0.5 else -1)
        if move < 0.5:
            at = at if 0 <= at < len(sizes) else len(sizes) - 2 if at > 0 else 1
            return replace(match, size=sizes[at]).spec
        if move < 0.65:
            return replace(match, against="p" if match.against == "s" else "s").spec
        if move < 0.8:
            return replace(match, begins=not match.begins).spec
        seed = (match.seed + 1 + int(rng.integers(MAX_SEED))) % (MAX_SEED + 1)
        return replace(match, seed=seed).spec

    def sample(self, rng: np.random.Generator, target: float) -> str:
        """Each game as likely, of the size nearest to ``target``; against today's self twice as often."""
        game = self.games[int(rng.integers(len(self.games)))]
        begins = bool(rng.random() < 0.5)
        size = min(SIZES[game], key=lambda n: abs(_shape(game, n, begins).moves[0] - target))
        against: Against = "s" if rng.random() < 2 / 3 else "p"
        return Match(game, size, against, begins, int(rng.integers(MAX_SEED + 1))).spec

    # -- solving -----------------------------------------------------------------------------------
    def pose(self, spec: str, form: Form) -> str:
        return self.turn(spec, "", (), form).observation

    def key(self, spec: str, solution: Solution, form: Form) -> str:
        raise TypeError("expected a one-step domain, got games: learn from their attempts instead")

    def read_answer(self, completion: str, form: Form) -> str | None:
        """The move in a completion: its first line, or in the natural form the last of its square brackets,
        ``[4]``, ``[bet]``, ``[Offer: 2 Wheat -> 1 Ore]``."""
        return any_move(completion, form)

    def turn(
        self,
        spec: str,
        answer_key: str,
        actions: Sequence[str],
        form: Form,
        sandbox: Executor | None = None,
    ) -> Turn:
        """The game after the moves of the solver, and of the other where that is a policy; its answer is
        ``win``, ``draw``, ``loss``, or ``forfeit`` where the other made no move that is allowed."""
        match = read_spec(spec)
        try:
            return _turn(match, actions, form)
        except Rejected as failed:  # nobody's move: the process was lost
            return Turn("", True, None, "error", 0.0, f"environment: {failed}")

    def trial(
        self, spec: str, actions: Sequence[str], rng: np.random.Generator, form: Form, prompt: str = ""
    ) -> str | None:
        """A move at random, of whoever is to move; None after the end."""
        at = _after(read_spec(spec), actions, form)
        if at is None or at.done:
            return None
        move = random_move(at, rng)
        return move if form == "terse" else spoken(move)

    def longest(self, spec: str, form: Form) -> int:
        match = read_spec(spec)
        if form == "natural":
            return _RULES[match.game] + match.moves[1] * _PER_MOVE[match.game]
        return {"tictactoe": 10, "kuhn": 8, "negotiation": 52}[match.game]

    def part(self, spec: str, *, opponent: bool) -> str:
        """Game and seat, ``k+`` for who begins at Kuhn poker: baselines are kept for each."""
        match = read_spec(spec)
        return f"{_LETTERS[match.game]}{'+' if match.begins != opponent else '-'}"

    def against(self, spec: str) -> str:
        return {"s": "today", "p": "earlier", "r": "random", "e": "expert"}[read_spec(spec).against]

    # -- culture -----------------------------------------------------------------------------------
    def example(self, spec: str, solution: Solution, form: Form) -> str:
        """How the game begins: nothing is known of how it is won."""
        return f"{read_spec(spec).game} {self.pose(spec, 'terse')}"

    def lesson(self, spec: str, solution: Solution, form: Form) -> str:
        return self.example(spec, solution, form)

    def about(self, spec: str, form: Form) -> str:
        return f"{read_spec(spec).game} {self.pose(spec, 'terse')}"

    def recount(self, spec: str, actions: Sequence[str], kind: Kind, form: Form) -> Account | None:
        """Where the solver stood and what it moved in a game that it won by its own moves; a lesson is the
        last of that. None of any other game."""
        match = read_spec(spec)
        if self.turn(spec, "", actions, form).answer != "win":
            return None
        lines = []
        for n in range(len(actions)):
            at = _after(match, actions[:n], form)
            move = read_move(actions[n], match.game, form)
            if at is not None and move is not None and at.player == match.solver:
                lines.append(f"{at.terse()}={move}")
        told = lines[-1:] if kind == "lesson" else lines
        if not told:
            return None
        return Account(f"{match.game} {' '.join(told)}", f"{match.game} {';'.join(told)}")

    # -- anchors -----------------------------------------------------------------------------------
    def anchors(self, per_cell: int) -> list[Anchor]:
        """``per_cell`` matches in each cell ``{game}{size}{r or e}``, in which solver and opponent take
        turns to begin."""
        found = []
        for cell in self.core_cells:
            for i in range(per_cell):
                against = cast("Against", cell[2])
                match = Match(_GAMES[cell[0]], int(cell[1]), against, i % 2 == 0, i)
                features = self.features(match.spec, Solution("", (), 0))
                anchor_id = short_id("a", self.name, match.spec)
                found.append(Anchor(anchor_id, cell, match.spec, "", (), features))
        return found


def _shape(game: Game, size: int, begins: bool = True) -> Match:
    return Match(game, size, "s", begins, 0)


@lru_cache(maxsize=4096)
def _opening(match: Match) -> tuple[str, ...]:
    """Marks that are on the board before the first move: as many of each player, drawn again until perfect
    play draws."""
    if match.game != "tictactoe" or match.size == max(SIZES["tictactoe"]):
        return ()
    rng = generator(_OPENINGS, "opening", match.size, match.against, match.seed)
    while True:
        squares = [int(i) for i in rng.permutation(9)[: 9 - match.size]]
        board = list("012345678")
        for turn, square in enumerate(squares):
            board[square] = "xo"[turn % 2]
        if value("".join(board)) == 0:
            return tuple(map(str, squares))


_OPENINGS: Final = 20261127


def _seed_of(match: Match) -> str:
    """Cards of an anchor are not those of the problem of the same number."""
    return f"{'anchor ' if match.against in 're' else ''}{match.seed}"


def _played(match: Match, moves: Sequence[str]) -> Position:
    """The position after ``moves``, and after those that a scripted opponent then makes."""
    made = list(moves)
    while True:
        at = position(match.game, match.size, _seed_of(match), made)
        if at.done or at.player == match.solver or match.against in "sp":
            return at
        rng = generator(_OPENINGS, "opponent", match.spec, *made)
        made.append(random_move(at, rng) if match.against == "r" else expert_move(at, rng))


def _after(match: Match, actions: Sequence[str], form: Form) -> Position | None:
    """The position after actions; None where one of them is no move."""
    at = _played(match, _opening(match))
    for action in actions:
        move = read_move(action, match.game, form)
        if move is None or at.done:
            return None
        at = _played(match, [*at.moves, move])
    return at


def _turn(match: Match, actions: Sequence[str], form: Form) -> Turn:
    at = _played(match, _opening(match))
    for action in actions:
        move = read_move(action, match.game, form)
        if move is None:
            return _forfeited(match, at.player, "no move of the game in the completion")
        at = _played(match, [*at.moves, move])
        if at.done:
            break
    if not at.done:
        return Turn(at.shown(form), done=False, opponent=at.player != match.solver)
    if at.invalid is not None:
        return _forfeited(match, at.invalid, f"a move that is not allowed: {at.moves[-1]}")
    assert at.scores is not None
    score = at.scores[match.solver]
    if score == 0:
        right = match.against == "e" and match.game == "tictactoe"
        return Turn("", True, "draw", "correct" if right else "wrong", 1.0 if right else 0.5)
    return Turn(
        "", True, "win" if score > 0 else "loss", "correct" if score > 0 else "wrong", float(score > 0)
    )


def _forfeited(match: Match, loser: int, why: str) -> Turn:
    if loser == match.solver:
        return Turn("", True, None, "malformed", 0.0, why)
    return Turn("", True, "forfeit", "correct", 1.0)
