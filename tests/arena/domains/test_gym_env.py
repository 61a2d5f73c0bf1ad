import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from arena.domains import GymDomain, check_domain, make_domain
from arena.domains.base import Executor, Rejected, Solution
from tests.arena.domains import text_games

text_games.register()
guess = GymDomain("GuessText-v0")
corridor = GymDomain("CorridorText-v0")


@pytest.mark.parametrize("env_id", ["GuessText-v0", "CorridorText-v0"])
def test_a_text_game_is_a_domain(env_id: str, sandbox: Executor) -> None:
    domain = make_domain(f"gym:{env_id}")
    assert domain.name == f"gym:{env_id}"
    assert not domain.one_step
    check_domain(domain, sandbox, trials=2)


def test_an_episode_is_replayed_from_its_actions() -> None:
    actions: list[str] = []
    low, high = 0, 7
    while True:
        turn = guess.turn("seed=5", "", actions, "terse")
        if turn.done:
            break
        if turn.observation == "higher":
            low = int(actions[-1]) + 1
        elif turn.observation == "lower":
            high = int(actions[-1]) - 1
        actions.append(str((low + high) // 2))
    assert turn.verdict == "correct"
    assert turn.reward == 1.0
    assert guess.turn("seed=5", "", actions, "terse") == turn


def test_an_episode_without_positive_return_is_wrong() -> None:
    secret = next(a for a in "01234567" if guess.turn("seed=5", "", [a], "terse").done)
    other = "0" if secret != "0" else "1"
    turn = guess.turn("seed=5", "", [other] * 4, "terse")
    assert (turn.done, turn.verdict, turn.reward) == (True, "wrong", 0.0)


def test_discrete_actions_are_numbers() -> None:
    first = corridor.turn("seed=1", "", [], "natural")
    assert first.observation == "at 0\n\nAnswer with one whole number from 0 to 1."
    assert corridor.turn("seed=1", "", ["1"], "terse").observation == "at 1"
    assert corridor.turn("seed=1", "", ["1\n", "I go right.\nAction: 1"], "natural").verdict == "correct"
    for action in ("2", "right", "", "9" * 30, "-1"):
        turn = corridor.turn("seed=1", "", [action], "terse")
        assert (turn.done, turn.verdict, turn.reward) == (True, "malformed", 0.0)


@pytest.mark.parametrize(
    "completion", ["**Action:** 1", "**Action: 1**", "Action: 1.", "`1`", "1.", "So: 0?\n**Answer**: 01"]
)
def test_emphasis_and_full_stops_make_no_action_illegal(completion: str) -> None:
    assert corridor.read_answer(completion, "natural") == "1"
    assert corridor.read_answer("*1*", "terse") is None


def test_a_game_that_fails_is_an_error_and_not_an_exception() -> None:
    turn = corridor.turn("seed=1", "", ["0"], "terse")
    assert (turn.done, turn.verdict) == (True, "error")
    assert turn.failure == "environment: RuntimeError: fell off"


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "syntax"), ("seed=", "syntax"), ("seed=-1", "syntax"), ("seed=2147483648", "too_large")],
)
def test_rejections(text: str, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        guess.parse(text)
    assert caught.value.reason == reason


def test_seeds_have_one_form() -> None:
    assert guess.parse(" Seed: 007\n") == "seed=7"


def test_a_seed_that_the_game_refuses_is_rejected(
    sandbox: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise ValueError("odd seeds only")

    monkeypatch.setattr(text_games.GuessEnv, "reset", refuse)
    (found,) = guess.solve(["seed=2"], sandbox)
    assert isinstance(found, Rejected)
    assert found.reason == "execution:reset"
    assert "odd seeds only" in found.detail


def test_there_is_no_answer_key() -> None:
    for call in (
        lambda: guess.program("seed=1"),
        lambda: guess.key("seed=1", Solution("", (), 0), "terse"),
        lambda: guess.solution("seed=1", None),
    ):
        with pytest.raises(TypeError, match="expected a one-step domain"):
            call()


class Pixels(gymnasium.Env[np.ndarray, int]):
    observation_space = spaces.Box(0, 1, (2,))
    action_space = spaces.Discrete(2)


class Torque(gymnasium.Env[str, np.ndarray]):
    observation_space = spaces.Text(10)
    action_space = spaces.Box(0, 1, (2,))


@pytest.mark.parametrize(
    ("game", "message"), [(Pixels, "expected Text observations"), (Torque, "expected Text or")]
)
def test_other_spaces_are_refused(game: type, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gymnasium.envs.registration, "registry", dict(gymnasium.registry))
    gymnasium.register(id="Wrong-v0", entry_point=game)
    with pytest.raises(ValueError, match=message):
        GymDomain("Wrong-v0")


def test_unknown_and_nondeterministic_games_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a registered Gymnasium environment, got 'GuesText-v0'"):
        make_domain("gym:GuesText-v0")
    with pytest.raises(ValueError, match="expected a deterministic environment"):
        GymDomain("CoinText-v0")
