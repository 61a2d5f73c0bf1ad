from __future__ import annotations

import itertools
from collections.abc import Callable

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from arena.domains import check_domain, make_domain
from arena.domains import games_position as table
from arena.domains.base import Executor, Rejected, Turn
from arena.domains.games import MAX_SEED, SIZES, Games, Match, _after, read_spec
from arena.domains.games_position import position, read_move, spoken, written
from arena.domains.games_scripted import (
    BETS,
    BETS_AFTER,
    CALLS,
    CALLS_BACK,
    best_squares,
    expert_move,
    random_move,
    value,
)
from culture.records import Form
from culture.seeds import generator

domain = Games()
FORMS: tuple[Form, ...] = ("terse", "natural")
Chooser = Callable[[table.Position, np.random.Generator], str]

matches = st.sampled_from([(g, n) for g, sizes in SIZES.items() for n in sizes]).flatmap(
    lambda kind: st.builds(
        Match,
        st.just(kind[0]),
        st.just(kind[1]),
        st.sampled_from("sp"),
        st.booleans(),
        st.integers(0, MAX_SEED),
    )
)


def play(spec: str, mine: Chooser, theirs: Chooser, form: Form = "terse") -> tuple[list[str], Turn]:
    """A match of two choosers; its actions and how it ended."""
    match, actions = read_spec(spec), list[str]()
    while True:
        turn = domain.turn(spec, "", actions, form)
        if turn.done:
            return actions, turn
        at = _after(match, actions, form)
        assert at is not None and (at.player != match.solver) == turn.opponent
        move = (theirs if turn.opponent else mine)(at, generator(0, "play", spec, len(actions)))
        actions.append(move if form == "terse" else f"I think.\n{spoken(move)}")


@pytest.mark.parametrize("name", ["games:tictactoe", "games:kuhn", "games:negotiation"])
def test_each_game_is_a_domain(name: str, sandbox: Executor) -> None:
    check_domain(make_domain(name), sandbox, trials=2)


def test_names_of_games_are_checked() -> None:
    with pytest.raises(ValueError, match=r"one of tictactoe, kuhn, .*, got 'chess'"):
        make_domain("games:chess")


@given(matches, st.sampled_from(FORMS))
def test_what_is_written_parses(match: Match, form: Form) -> None:
    assert domain.parse(domain.write(match.spec, form)) == match.spec
    assert read_spec(match.spec) == match


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "syntax"),
        ("t9s+", "syntax"),
        ("t9s+007", "syntax"),
        ("t9s+10000", "syntax"),
        ("t8s+1", "no_such_size"),
        ("n9s+1", "no_such_size"),
        ("t9r+1", "held_out"),
        ("k1e-1", "held_out"),
        ("Tic-tac-toe, size 9, against an expert, you begin, seed 1", "syntax"),
    ],
)
def test_rejections(text: str, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        domain.parse(text)
    assert caught.value.reason == reason


def test_a_domain_of_one_game_takes_no_other() -> None:
    with pytest.raises(Rejected) as caught:
        make_domain("games:kuhn").parse("t9s+1")
    assert caught.value.reason == "no_such_game"


@pytest.mark.parametrize(
    ("said", "game", "move"),
    [
        ("Let me see [3]. No: [ 4 ]", "tictactoe", "4"),
        ("[9]", "tictactoe", None),
        ("4", "tictactoe", None),
        ("[Bet]", "kuhn", "b"),
        ("[bet] or [raise]", "kuhn", None),
        ("I say [Offer: 3 Sheep, 2 ore -> 5 Brick]", "negotiation", "3s2r>5b"),
        ("[Offer 3 sheep -> 1 gold]", "negotiation", None),
        ("[accept]", "negotiation", "a"),
        ("[Offer: 100 Sheep -> 1 Ore]", "negotiation", None),
    ],
)
def test_natural_moves(said: str, game: table.Game, move: str | None) -> None:
    assert read_move(said, game, "natural") == move


@given(st.text(max_size=80) | st.text("[]0123456789offer:->sheep ,", max_size=60), st.sampled_from(FORMS))
def test_any_text_is_a_move_or_none(text: str, form: Form) -> None:
    for game in SIZES:
        move = read_move(text, game, form)
        assert move is None or read_move(move, game, "terse") == move
        assert move is None or read_move(spoken(move), game, "natural") == move


def test_moves_reach_the_game_as_they_were_meant() -> None:
    at = position("negotiation", 4, 3, [])
    held = {letter: n for letter, n, _ in at.piles(0)}
    after = position("negotiation", 4, 3, [written({"w": 1, "o": 2}, {"r": 3}), "a"])
    assert {c: n - held[c] for c, n, _ in after.piles(0) if n != held[c]} == {"w": -1, "o": -2, "r": 3}


# -- what the games are --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("hand", "stake", "left"),
    [("xx", 1, None), ("bc", 2, None), ("xbc", 2, None), ("bf", 1, 1), ("xbf", 1, 0)],
)
def test_hands_of_kuhn_poker_pay_what_they_should(hand: str, stake: int, left: int | None) -> None:
    """Kuhn 1950: the ante of 1, and 1 more where a bet was called. The first seat is TextArena's player
    1."""
    for seed in range(12):
        start = position("kuhn", 2, seed, [])
        higher = max((0, 1), key=lambda p: "JQK".index(start.card(p)))
        winner = higher if left is None else left
        after = position("kuhn", 2, seed, list(hand))
        assert (after.hands(), after.hand(), after.player) == (1, "", 0)
        chips = after.state["chips"]
        assert chips[winner] - chips[1 - winner] == 2 * stake, (seed, start.state)


def test_an_equilibrium_of_kuhn_poker_cannot_be_beaten() -> None:
    """The best that anybody can get against it is the value of the game: -1/18 first, 1/18 second."""

    def first(strategy: tuple[int, ...]) -> float:
        bets, calls = strategy[:3], strategy[3:]
        total = 0.0
        for mine, other in itertools.permutations(range(3), 2):
            win, card = 1 if mine > other else -1, "JQK"[other]
            if bets[mine]:
                total += CALLS[card] * 2 * win + (1 - CALLS[card]) * 1
            else:
                bet = 2 * win if calls[mine] else -1
                total += BETS_AFTER[card] * bet + (1 - BETS_AFTER[card]) * win
        return total / 6

    def second(strategy: tuple[int, ...]) -> float:
        bets, calls = strategy[:3], strategy[3:]
        total = 0.0
        for mine, other in itertools.permutations(range(3), 2):
            win, card = 1 if mine > other else -1, "JQK"[other]
            called = 2 * win if calls[mine] else -1
            back = CALLS_BACK[card] * 2 * win + (1 - CALLS_BACK[card]) * 1
            checked = back if bets[mine] else win
            total += BETS[card] * called + (1 - BETS[card]) * checked
        return total / 6

    pure = list(itertools.product((0, 1), repeat=6))
    assert max(map(first, pure)) == pytest.approx(-1 / 18)
    assert max(map(second, pure)) == pytest.approx(1 / 18)


def test_values_of_tic_tac_toe() -> None:
    assert value("012345678") == 0
    assert value("xx2oo5678") == 1
    assert best_squares("xx2oo5678") == ["2"]
    # a corner is answered in the middle, or lost
    assert best_squares("o12345678") == ["4"]


@pytest.mark.parametrize("against", "re")
def test_openings_are_even_and_undecided(against: str) -> None:
    for size, seed in itertools.product((5, 7, 9), range(20)):
        turn = domain.turn(f"t{size}s+{seed}", "", [], "terse")
        board = turn.observation[:-1]
        assert board.count("x") == board.count("o") == (9 - size) // 2
        assert value(board) == 0


def test_the_expert_of_tic_tac_toe_never_loses() -> None:
    ends = [play(f"t9s{sign}{n}", expert_move, random_move)[1].answer for n in range(15) for sign in "+-"]
    assert set(ends) <= {"win", "draw"} and "win" in ends
    assert {play(f"t7s+{n}", expert_move, expert_move)[1].answer for n in range(8)} == {"draw"}


def test_the_expert_trades_to_its_advantage() -> None:
    ends = [play(f"n8s{sign}{n}", expert_move, random_move)[1].answer for n in range(20) for sign in "+-"]
    assert ends.count("win") > 2 * ends.count("loss")


# -- episodes ------------------------------------------------------------------------------------------
@settings(max_examples=25)
@given(matches, st.sampled_from(FORMS))
def test_a_match_goes_on_to_its_end_within_its_moves(match: Match, form: Form) -> None:
    actions, turn = play(match.spec, random_move, random_move, form)
    assert len(actions) <= match.moves[1]
    assert turn.answer in ("win", "draw", "loss")
    assert turn.reward == {"win": 1.0, "draw": 0.5, "loss": 0.0}[turn.answer]
    for n in range(len(actions)):
        seen = domain.turn(match.spec, "", actions[:n], form)
        assert len(seen.observation) <= domain.longest(match.spec, form)
        assert form == "natural" or set(seen.observation) <= set(domain.alphabet)


def test_what_is_zero_sum_is_so() -> None:
    """The same cards and moves, looked at from the other seat."""
    for n in range(20):
        actions, mine = play(f"k3s+{n}", random_move, random_move)
        theirs = domain.turn(f"k3s-{n}", "", actions, "terse")
        assert mine.reward + theirs.reward == 1.0


def test_terse_statements_are_short() -> None:
    assert domain.pose("t9s+0", "terse") == "012345678="
    assert domain.turn("t9s+0", "", ["4"], "terse").observation == "0123o5678="
    assert domain.turn("t9s+0", "", ["4", "0"], "terse").observation == "o123x5678="
    assert domain.pose("k1s+0", "terse") in ("J=", "Q=", "K=")
    turn = domain.turn("k3s+0", "", ["x", "b"], "terse")
    assert turn.observation[:3] == "2+0" and turn.observation.endswith("xb=")


def test_a_player_is_not_told_the_other_s_card() -> None:
    for n in range(6):
        first, second = domain.pose(f"k1s+{n}", "natural"), domain.pose(f"k1s-{n}", "natural")
        assert first == second and first.count("Your card is") == 1


@pytest.mark.parametrize(
    ("spec", "moves", "expected"),
    [
        ("t9s+0", ["4", "4"], ("correct", "forfeit", 1.0)),
        ("t9s+0", ["4", "0", "4"], ("malformed", None, 0.0)),
        ("t9s-0", ["middle"], ("correct", "forfeit", 1.0)),
        ("k1s+0", ["c"], ("malformed", None, 0.0)),
        ("k1s+0", ["bet"], ("malformed", None, 0.0)),
        ("n4s+0", ["a"], ("wrong", "draw", 0.5)),
        ("n4s+0", ["90w>1r"], ("malformed", None, 0.0)),
    ],
)
def test_what_is_not_allowed_loses(
    spec: str, moves: list[str], expected: tuple[str, str | None, float]
) -> None:
    turn = domain.turn(spec, "", moves, "terse")
    while not turn.done:
        moves = [*moves, "d"]
        turn = domain.turn(spec, "", moves, "terse")
    assert (turn.verdict, turn.answer, turn.reward) == expected
    assert (turn.failure is not None) == (turn.verdict == "malformed")


def test_a_draw_is_right_against_the_expert_of_tic_tac_toe_alone() -> None:
    perfect = [play(f"t9e+{n}", expert_move, expert_move)[1] for n in range(3)]
    assert {(t.verdict, t.answer, t.reward) for t in perfect} == {("correct", "draw", 1.0)}
    today = play("t9s+0", expert_move, expert_move)[1]
    assert (today.verdict, today.answer, today.reward) == ("wrong", "draw", 0.5)


def test_deals_are_those_of_any_process() -> None:
    specs = [f"{game}{against}+{n}" for game in ("k3", "n4") for against in "sr" for n in (1, 2)]
    before = [domain.pose(spec, "terse") for spec in specs]
    assert len(set(before)) > 2
    table._position.cache_clear()
    table._worker.cache_clear()
    assert [domain.pose(spec, "terse") for spec in specs] == before


def test_a_match_that_was_won_is_recounted() -> None:
    for spec in (f"t9s+{n}" for n in range(40)):
        actions, turn = play(spec, expert_move, random_move)
        if turn.answer == "win":
            break
    whole, last = (domain.recount(spec, actions, kind, "terse") for kind in ("example", "lesson"))
    assert whole is not None and last is not None
    assert whole.body.count("=") == (len(actions) + 1) // 2
    assert whole.body.startswith("tictactoe 012345678=") and last.body.endswith(f"={actions[-1]}")
    assert domain.recount(spec, actions[:-1], "example", "terse") is None


def test_a_negotiation_is_told_how_many_moves_are_left() -> None:
    moves: list[str] = []
    told = []
    while not (at := position("negotiation", 2, 1, moves)).done:
        told.append(at.terse().split()[5])
        moves.append("1w>1o" if at.offer(at.player) is None else "d")
    assert told == ["3", "2", "1"]
