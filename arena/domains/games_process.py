"""The process in which games of TextArena are played.

The library takes seconds to import, seeds and draws from the stream of ``random`` that a whole process
shares, and comes with much that is not needed here; so it has a process of its own. A game is played from
its beginning for every request: moves are few, and nothing has to be kept.

The protocol is that of ``arena.domains.worker_process``. In: ``{"game", "size", "seed", "moves"}``, the
moves as TextArena reads them. Out: ``{"player", "done", "scores", "invalid", "seen", "state"}``: who is to
move, how it ended for each player (1, 0 or -1), who made an invalid move, what each player has seen so far,
and what the terse form is made of.

Moves that are not allowed lose at once; TextArena would forgive one. In its Kuhn poker (0.7.4) a bet and a
call cost nothing and add nothing to the pot, although its rules say that they add a chip, so that to bet is
always best: here they do.
"""

from __future__ import annotations

import json
import os
import re
import sys
import warnings
from typing import Any, BinaryIO, Final

PLAYERS: Final = (0, 1)
_COSTS: Final = re.compile(r"\[(bet|call)\]", re.IGNORECASE)


def made(game: str, size: int) -> Any:
    """The environment of a game, not reset yet."""
    from textarena.envs.KuhnPoker.env import KuhnPokerEnv
    from textarena.envs.SimpleNegotiation.env import SimpleNegotiationEnv
    from textarena.envs.TicTacToe.env import TicTacToeEnv

    class Kuhn(KuhnPokerEnv):  # type: ignore[misc]
        """With chips for bets."""

        def step(self, action: str) -> Any:
            state = self.state.game_state
            costs = _COSTS.search(action)
            if costs is not None and costs[1].lower() in state["current_legal_action_tree"]:
                state["player_chips"][self.state.current_player_id] -= 1
                state["pot"] += 1
            return super().step(action)

    if game == "kuhn":
        return Kuhn(max_rounds=size)
    if game == "negotiation":
        return SimpleNegotiationEnv(max_turns=size)
    return TicTacToeEnv()


def played(asked: dict[str, Any]) -> dict[str, object]:
    """A game after its moves."""
    env = made(asked["game"], asked["size"])
    env.reset(num_players=len(PLAYERS), seed=asked["seed"])
    env.state.error_allowance = 0
    done = False
    for move in asked["moves"]:
        if done:
            raise ValueError("expected no move after the end of a game")
        done, _ = env.step(move)
    state = env.state
    return {
        "player": state.current_player_id,
        "done": bool(state.done),
        "scores": [state.rewards[p] for p in PLAYERS] if state.done else None,
        "invalid": next((p for p in PLAYERS if state.game_info[p]["invalid_move"]), None),
        "seen": [_seen(env, p) for p in PLAYERS],
        "state": _state(asked["game"], state.game_state),
    }


def _seen(env: Any, player: int) -> str:
    """What a player has seen: of boards the last alone, and nothing of what was written as moves, since the
    game itself says what they were."""
    from textarena.core import ObservationType as Kind

    told = [(text, kind) for _, text, kind in env.state.observations[player]]
    boards = [i for i, (_, kind) in enumerate(told) if kind is Kind.GAME_BOARD]
    left_out = {i for i, (_, kind) in enumerate(told) if kind is Kind.PLAYER_ACTION} | {*boards[:-1]}
    return "\n".join(text for i, (text, _) in enumerate(told) if i not in left_out)


def _state(game: str, state: dict[str, Any]) -> dict[str, object]:
    if game == "tictactoe":
        return {"board": [c for row in state["board"] for c in row]}
    if game == "kuhn":
        chips = [state["player_chips"][p] for p in PLAYERS]
        return {"cards": [state["player_cards"][p] for p in PLAYERS], "chips": chips}
    names = sorted(state["player_resources"][0])
    offer = state["current_offer"]
    return {
        "resources": [{n: state["player_resources"][p][n] for n in names} for p in PLAYERS],
        "values": [{n: state["player_values"][p][n] for n in names} for p in PLAYERS],
        "offer": offer
        and {key: offer[key] for key in ("from_player", "offered_resources", "requested_resources")},
    }


def answered(asked: dict[str, Any]) -> dict[str, object]:
    """The reply to one request."""
    try:
        return played(asked)
    except Exception as error:  # third-party code may fail in any way
        return {"failure": "exception", "detail": f"{type(error).__name__}: {error}"[:300]}


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answers requests until there are no more."""
    import textarena  # noqa: F401  (what takes time is over before the greeting)

    _write(replies, {"ready": True})
    for line in requests:
        _write(replies, answered(json.loads(line)))


def _write(replies: BinaryIO, message: object) -> None:
    replies.write(json.dumps(message).encode() + b"\n")
    replies.flush()


def main() -> None:
    """Serves on standard input and output."""
    warnings.simplefilter("ignore")
    # Replies have a descriptor of their own: what is printed must not get among them.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        serve(sys.stdin.buffer, replies)
    except BrokenPipeError:
        return
