import pickle
from typing import Any

import gymnasium
import hypothesis.strategies as st
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import SyncVectorEnv
from hypothesis import given

from arena.domains import GymDomain, make_domain
from arena.domains.base import Executor, Solution
from arena.domains.transforms import Transforms, split, work
from arena.envs import Episode, ProposeEnv, SolveEnv
from culture.records import Form
from tests.arena.domains import text_games

text_games.register()
transforms = Transforms()
FORMS: tuple[Form, ...] = ("terse", "natural")


class Shelf:
    """A library of terse notes: a search finds those with the query in them."""

    def __init__(self, *notes: str) -> None:
        self.notes = notes
        self.asked: list[tuple[str, int]] = []

    def search(self, query: str, k: int) -> list[str]:
        self.asked.append((query, k))
        return [note for note in self.notes if query in note][:k]


@pytest.mark.parametrize("env_id", ["ludus/Solve-v0", "ludus/Propose-v0"])
@pytest.mark.parametrize("domain", ["transforms", "arithmetic", "craft", "gym:GuessText-v0"])
@pytest.mark.parametrize("form", FORMS)
def test_gymnasium_accepts_them(env_id: str, domain: str, form: Form, sandbox: Executor) -> None:
    env = gymnasium.make(env_id, domain=domain, form=form)
    check_env(env.unwrapped)
    env.close()


def test_a_problem_is_sampled_by_seed(sandbox: Executor) -> None:
    def problems(env: SolveEnv) -> list[str]:
        return [env.reset(seed=7)[0], *(env.reset()[0] for _ in range(5))]

    first = problems(SolveEnv("transforms", sandbox=sandbox))
    assert problems(SolveEnv("transforms", sandbox=sandbox)) == first
    assert len(set(first)) > 3
    assert SolveEnv("transforms", sandbox=sandbox).reset(seed=8)[0] != first[0]


def test_the_right_answer_is_rewarded(sandbox: Executor) -> None:
    env = SolveEnv("transforms", sandbox=sandbox)
    observation, info = env.reset(seed=1)
    assert observation == info["spec"] + "="
    answer = work(*split(info["spec"]))[-1]
    observation, reward, terminated, truncated, info = env.step(answer)
    assert (observation, reward, terminated, truncated) == ("", 1.0, True, False)
    assert (info["verdict"], info["answer"], info["failure"], info["turns"]) == ("correct", answer, None, 1)
    with pytest.raises(RuntimeError, match=r"expected reset\(\) before step"):
        env.step(answer)


@pytest.mark.parametrize(
    ("action", "verdict"), [("S4321=4321", "wrong"), ("no", "wrong"), ("No!", "malformed")]
)
def test_other_answers_are_not(action: str, verdict: str) -> None:
    env = SolveEnv(transforms)
    env.reset(options={"spec": "RS1234", "answer_key": "1234"})
    _, reward, terminated, _, info = env.step(action)
    assert (reward, terminated, info["verdict"]) == (0.0, True, verdict)
    assert (info["failure"] is None) == (verdict == "wrong")


def test_a_given_spec_is_executed_for_its_answer(sandbox: Executor) -> None:
    env = SolveEnv(transforms, sandbox=sandbox)
    env.reset(options={"spec": "RS1234"})
    assert env.episode == Episode("transforms", "RS1234", "1234")
    with pytest.raises(ValueError, match=r"expected options\['spec'\] beside"):
        env.reset(options={"answer_key": "1234"})
    with pytest.raises(ValueError, match="expected options spec, answer_key and notes, got sepc"):
        env.reset(options={"sepc": "RS1234"})


def test_notes_stand_in_front() -> None:
    given = {"spec": "RS1234", "answer_key": "1234", "notes": ["R12=21", "S21=12", "a note!"]}
    observation, info = SolveEnv(transforms).reset(options=given)
    assert observation == "R12=21\nS21=12\nRS1234="
    assert info["notes_left_out"] == 1
    natural = SolveEnv(transforms, "natural")
    observation, info = natural.reset(options={**given, "notes": ["one\ntwo", "a note!"]})
    assert observation.startswith(
        "Notes that others wrote, quoted; they may be wrong:\n\n> one\n> two\n>\n> a note!\n\n"
    )
    assert observation.endswith(transforms.pose("RS1234", "natural"))
    assert info["notes_left_out"] == 0
    assert natural.observation_space.contains("any text: \u4e2d")


def test_lookups_until_they_are_used_up() -> None:
    shelf = Shelf("S21=12", "R12=21", "SS21=S12=12")
    env = SolveEnv(transforms, library=shelf, lookups=2, notes_per_lookup=1)
    env.reset(options={"spec": "RS1234", "answer_key": "1234", "notes": ["N12=23"]})
    observation, reward, terminated, truncated, info = env.step("?R\n")
    assert (observation, reward, terminated, truncated) == ("N12=23\nR12=21\nRS1234=", 0.0, False, False)
    assert (info["lookups_left"], info["turns"], info["verdict"]) == (1, 1, None)
    observation, *_ = env.step("?S")
    assert observation == "N12=23\nR12=21\nS21=12\nRS1234="
    assert shelf.asked == [("R", 1), ("S", 1)]
    _, _, terminated, _, info = env.step("?S")
    assert (terminated, info["verdict"], info["turns"]) == (True, "malformed", 3)
    assert len(shelf.asked) == 2


def test_lookups_in_the_natural_form() -> None:
    env = SolveEnv(transforms, "natural", library=Shelf("how to sort: in order"), lookups=1)
    observation, _ = env.reset(options={"spec": "RS1234", "answer_key": "1234"})
    assert "Searches left: 1." in observation
    observation, _, terminated, _, _ = env.step("Lookup: sort\nplease")
    assert not terminated
    assert "> how to sort: in order" in observation
    assert "Searches left" not in observation
    assert env.step("Answer: 1234")[1] == 1.0


def test_lookups_need_a_library() -> None:
    with pytest.raises(ValueError, match="expected a library to look up in, got lookups=1"):
        SolveEnv(transforms, lookups=1)
    with pytest.raises(ValueError, match="expected form to be one of"):
        SolveEnv(transforms, "short")  # type: ignore[arg-type]


@given(st.lists(st.sampled_from(["?S", "?R", "?", "1234"]), max_size=4))
def test_an_episode_goes_on_elsewhere(actions: list[str]) -> None:
    shelf = Shelf("S21=12", "R12=21")
    episode = Episode("transforms", "RS1234", "1234", "terse", ("N12=23",), 3)
    here = SolveEnv.from_episode(episode, transforms, shelf)
    assert here.observation == "N12=23\nRS1234="
    for action in actions:
        observation, reward, terminated, _, info = here.step(action)
        there = SolveEnv.from_episode(pickle.loads(pickle.dumps(episode)), transforms, shelf)
        assert there.step(action)[:3] == (observation, reward, terminated)
        episode = episode.after(action)
        assert here.episode == episode
        assert info["turns"] == len(episode.actions)
        if terminated:
            break


def test_an_episode_of_another_domain_is_refused() -> None:
    with pytest.raises(ValueError, match="expected domain 'arithmetic', got 'transforms'"):
        SolveEnv.from_episode(Episode("arithmetic", "1+1", "2"), transforms)


def test_several_steps_with_lookups_between() -> None:
    domain = GymDomain("CorridorText-v0")
    env = SolveEnv(domain, library=Shelf("at 1"), lookups=1)
    assert env.reset(options={"spec": "seed=1", "answer_key": ""})[0] == "at 0"
    assert env.step("1")[0] == "at 1"
    observation, _, terminated, _, _ = env.step("?at")
    assert (observation, terminated) == ("at 1\nat 1", False)
    _, reward, terminated, _, info = env.step("1")
    assert (reward, terminated, info["verdict"], info["turns"]) == (1.0, True, "correct", 3)


def test_endless_episodes_are_truncated() -> None:
    env = SolveEnv(GymDomain("GuessText-v0"), max_turns=2)
    env.reset(options={"spec": "seed=5", "answer_key": ""})
    wrong = next(a for a in "01" if not env.domain.turn("seed=5", "", [a], "terse").done)
    assert env.step(wrong)[2:4] == (False, False)
    _, _, terminated, truncated, info = env.step(wrong)
    assert (terminated, truncated, info["verdict"]) == (False, True, "malformed")


@pytest.mark.parametrize("env_id", ["ludus/Solve-v0", "ludus/Propose-v0"])
def test_they_can_be_vectorised(env_id: str) -> None:
    envs = gymnasium.make_vec(env_id, num_envs=3, vectorization_mode="sync", domain="transforms")
    assert isinstance(envs, SyncVectorEnv)
    observations, _ = envs.reset(seed=[1, 2, 3])
    assert len(set(observations)) > 1 or env_id == "ludus/Propose-v0"
    singles = [gymnasium.make(env_id, domain="transforms").reset(seed=s)[0] for s in (1, 2, 3)]
    assert list(observations) == singles
    actions = [str(o).rstrip("=") for o in observations]
    if env_id == "ludus/Solve-v0":
        actions = [work(*split(a))[-1] for a in actions]
        assert envs.step(actions)[1].tolist() == [1.0, 1.0, 1.0]
    else:
        assert envs.step(["R12", "R", "S21"])[1].tolist() == [1.0, 0.0, 1.0]
    envs.close()


def test_proposals_are_executed(sandbox: Executor) -> None:
    env = ProposeEnv(transforms, sandbox=sandbox)
    observation, info = env.reset(options={"target": 12.0})
    assert (observation, info["target"], info["parent"]) == ("?h>", 12.0, None)
    _, reward, terminated, truncated, info = env.step("RS1234\n")
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert info["solution"] == Solution("1234", ("4321", "1234"), 8)
    assert (info["spec"], info["reason"]) == ("RS1234", None)
    observation, _ = env.reset(options={"parent": "RS1234"})
    assert observation == "RS1234>"
    _, reward, _, _, info = env.step("DD12")
    assert (reward, info["reason"], info["spec"], info["solution"]) == (0.0, "empty", None, None)
    with pytest.raises(RuntimeError, match=r"expected reset\(\) before step"):
        env.step("RS1234")
    with pytest.raises(ValueError, match="expected options target and parent, got level"):
        env.reset(options={"level": 3})


def test_proposers_are_asked_for_both_kinds(sandbox: Executor) -> None:
    env = ProposeEnv(transforms, sandbox=sandbox)
    parents = [env.reset(seed=seed)[1]["parent"] for seed in range(40)]
    assert 5 < sum(parent is None for parent in parents) < 35
    assert parents == [env.reset(seed=seed)[1]["parent"] for seed in range(40)]


def test_proposers_can_be_paid_otherwise(sandbox: Executor) -> None:
    env = ProposeEnv(
        "arithmetic", sandbox=sandbox, pay=lambda spec, solution: len(spec) + solution.steps / 100
    )
    env.reset(seed=0)
    assert env.step("(3+4)*2")[1] == 7.04
    env.reset()
    assert env.step("3+")[1] == 0.0


def test_domain_and_library_are_shared_and_not_copied() -> None:
    shelf = Shelf()
    kwargs: dict[str, Any] = {"domain": transforms, "library": shelf, "lookups": 1}
    env = gymnasium.make("ludus/Solve-v0", **kwargs).unwrapped
    assert isinstance(env, SolveEnv)
    assert env.domain is transforms
    assert env.library is shelf
    assert make_domain("transforms") is not transforms
