"""``gym:ID``: any Gymnasium environment with text observations as a domain of several steps.

A spec is ``seed=N``: the environment reset with that seed. A solver sees the observation, answers with
an action, and has succeeded where the episode ends with a positive return. Nothing is kept between
turns: every turn makes the environment anew and replays the actions, so that work can be redone
anywhere. For that the environment has to be deterministic given its seed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import gymnasium
import numpy as np
from gymnasium import spaces

from arena.domains.base import Anchor, Domain, Executor, Rejected, Solution, Turn
from culture.records import Form
from culture.seeds import derive, short_id

SEEDS: Final = 2**31
"""Seeds run from 0 to one less than this: what every environment accepts."""

_ANCHOR_SEED: Final = 20261103
_SPEC: Final = re.compile(r"seed\s*[=:]\s*([0-9]{1,10})", re.IGNORECASE | re.ASCII)
_ACTION_LINE: Final = re.compile(
    r"^[^\w\n]*(?:answer|action)[^\w\n]*?:[ \t]*(.*)$", re.IGNORECASE | re.MULTILINE
)
_AROUND: Final = " *_`."
"""What a model that writes sentences puts around an action."""

Env = gymnasium.Env[Any, Any]


class GymDomain(Domain):
    """The environment ``env_id`` as a domain; ``kwargs`` go to ``gymnasium.make``.

    Raises ValueError where there is no such environment, where it calls itself nondeterministic, or
    where its observations are not ``Text`` or its actions neither ``Text`` nor ``Discrete``.
    """

    one_step = False
    plays = True
    core_cells = ("reset",)

    def __init__(self, env_id: str, **kwargs: Any) -> None:
        self.env_id = env_id
        self.kwargs = kwargs
        self.name = f"gym:{env_id}"
        try:
            env = self._make()
        except gymnasium.error.UnregisteredEnv as error:
            raise ValueError(
                f"expected a registered Gymnasium environment, got {env_id!r}: {error}"
            ) from error
        try:
            if env.spec is not None and env.spec.nondeterministic:
                raise ValueError(
                    f"expected a deterministic environment, got {env_id!r}, which says it is not"
                )
            self._observations = env.observation_space
            self._actions = env.action_space
        finally:
            env.close()
        if not isinstance(self._observations, spaces.Text):
            raise ValueError(
                f"expected Text observations, got {self._observations} from {env_id!r};"
                " wrap it in a gymnasium.ObservationWrapper that writes them as text"
            )
        if not isinstance(self._actions, spaces.Text | spaces.Discrete):
            raise ValueError(
                f"expected Text or Discrete actions, got {self._actions} from {env_id!r};"
                " wrap it in a gymnasium.ActionWrapper that reads them from text"
            )
        action_characters = "-0123456789"
        if isinstance(self._actions, spaces.Text):
            action_characters = self._actions.characters
        characters = {*self._observations.characters, *action_characters, *"seed=0123456789?>"}
        self.alphabet = "".join(sorted(characters - {self.stop})) + self.stop

    def _make(self) -> Env:
        return gymnasium.make(self.env_id, disable_env_checker=True, **self.kwargs)

    # -- proposing ---------------------------------------------------------------------------------
    def brief(self, form: Form, target: float | None, parent: str | None) -> str:
        """Asks for a seed. An environment tells nothing of its difficulty, so ``target`` goes unused."""
        if form == "terse":
            return "?>" if parent is None else f"{parent}>"
        other = "" if parent is None else f" other than {parent}"
        return f"Write a seed for the game {self.env_id}{other}, a whole number. For example: seed=7"

    def parse(self, text: str) -> str:
        """Reasons: ``syntax`` and ``too_large``."""
        match = _SPEC.fullmatch(text.strip())
        if match is None:
            raise Rejected("syntax", f"expected a seed like 'seed=7', got {text[:80]!r}")
        seed = int(match.group(1))
        if seed >= SEEDS:
            raise Rejected("too_large", f"expected a seed below {SEEDS}, got {seed}")
        return f"seed={seed}"

    def program(self, spec: str) -> str:
        raise TypeError(f"expected a one-step domain, got {self.name}: it is validated by resetting it")

    def solution(self, spec: str, value: object) -> Solution:
        raise TypeError(f"expected a one-step domain, got {self.name}: its episodes have no answer key")

    def solve(self, specs: Sequence[str], sandbox: Executor) -> list[Solution | Rejected]:
        """Valid where the environment resets with the seed. The answer key is empty."""
        found: list[Solution | Rejected] = []
        for spec in specs:
            turn = self.turn(spec, "", [], "terse")
            if turn.failure is None:
                found.append(Solution("", (), 0))
            else:
                found.append(Rejected("execution:reset", turn.failure))
        return found

    def features(self, spec: str, solution: Solution) -> dict[str, float]:
        """``length`` of the first observation; an environment tells nothing else before it is played."""
        first = self.turn(spec, "", [], "terse").observation
        return {"operations": 1.0, "length": float(len(first)), "steps": 0.0}

    def difficulty(self, features: dict[str, float]) -> float:
        """1 for every seed: how hard one is, only attempts show."""
        return 1.0

    def write(self, spec: str, form: Form) -> str:
        return spec

    def mutate(self, spec: str, rng: np.random.Generator) -> str:
        """Another seed: neighbouring seeds have nothing in common."""
        seed = (_seed(spec) + 1 + int(rng.integers(SEEDS - 1))) % SEEDS
        return f"seed={seed}"

    def sample(self, rng: np.random.Generator, target: float) -> str:
        return f"seed={int(rng.integers(SEEDS))}"

    # -- solving -----------------------------------------------------------------------------------
    def pose(self, spec: str, form: Form) -> str:
        """The first observation. Raises :class:`Rejected` where the environment does not reset."""
        turn = self.turn(spec, "", [], form)
        if turn.failure is not None:
            raise Rejected("execution:reset", turn.failure)
        return turn.observation

    def key(self, spec: str, solution: Solution, form: Form) -> str:
        raise TypeError(f"expected a one-step domain, got {self.name}: learn from its attempts instead")

    def read_answer(self, completion: str, form: Form) -> str | None:
        """The action in a completion: its first line, or in the natural form its last ``Action:`` or
        ``Answer:`` line, else its last line. None where it is not an action of the environment."""
        if form == "terse":
            text = completion.partition(self.stop)[0]
        else:
            named = _ACTION_LINE.findall(completion)
            text = (named or completion.strip().split("\n"))[-1].strip()
        if form == "natural" and not self._is_action(text):
            text = text.strip(_AROUND)
        return str(self._action(text)) if self._is_action(text) else None

    def _is_action(self, text: str) -> bool:
        if isinstance(self._actions, spaces.Text):
            return bool(self._actions.contains(text))
        return bool(re.fullmatch(r"-?[0-9]{1,18}", text) and self._actions.contains(int(text)))

    def turn(
        self,
        spec: str,
        answer_key: str,
        actions: Sequence[str],
        form: Form,
        sandbox: Executor | None = None,
    ) -> Turn:
        """The episode after ``actions``: correct where it ended with a positive return."""
        taken = [self.read_answer(action, form) for action in actions]
        if None in taken:
            return Turn("", True, None, "malformed", 0.0, f"not one of the actions: {self._actions}")
        seed, total, action = _seed(spec), 0.0, None
        # Third-party code may fail in any way, and one bad episode must not stop a run.
        try:
            env = self._make()
            try:
                observation, _ = env.reset(seed=seed)
                for action in taken:
                    observation, reward, terminated, truncated, _ = env.step(self._action(action or ""))
                    total += float(reward)
                    if terminated or truncated:
                        won = total > 0
                        return Turn("", True, action, "correct" if won else "wrong", float(won))
            finally:
                env.close()
        except Exception as error:
            return Turn("", True, action, "error", 0.0, f"environment: {type(error).__name__}: {error}")
        if not isinstance(observation, str):
            failure = f"environment: expected a text observation, got {type(observation).__name__}"
            return Turn("", True, action, "error", 0.0, failure)
        return Turn(observation if form == "terse" else self._natural(observation), done=False)

    def trial(
        self, spec: str, actions: Sequence[str], rng: np.random.Generator, form: Form, prompt: str = ""
    ) -> str:
        """One of the environment's actions, drawn from its space."""
        self._actions.seed(int(rng.integers(SEEDS)))
        action = str(self._actions.sample())
        return action if form == "terse" else f"Action: {action}"

    def _action(self, text: str) -> str | int:
        return text if isinstance(self._actions, spaces.Text) else int(text)

    def _natural(self, observation: str) -> str:
        if isinstance(self._actions, spaces.Discrete):
            first, last = int(self._actions.start), int(self._actions.start + self._actions.n) - 1
            return f"{observation}\n\nAnswer with one whole number from {first} to {last}."
        return f"{observation}\n\nAnswer with your next action, on one line."

    # -- culture -----------------------------------------------------------------------------------
    def example(self, spec: str, solution: Solution, form: Form) -> str:
        """How the episode begins: nothing is known of how it is solved."""
        return self.pose(spec, "terse")

    def lesson(self, spec: str, solution: Solution, form: Form) -> str:
        """How the episode begins, its first line only."""
        return self.pose(spec, "terse").partition("\n")[0]

    # -- anchors -----------------------------------------------------------------------------------
    def anchors(self, per_cell: int) -> list[Anchor]:
        """``per_cell`` frozen seeds in the one cell ``reset``."""
        found = []
        for i in range(per_cell):
            spec = f"seed={derive(_ANCHOR_SEED, 'anchors', self.name, i) % SEEDS}"
            features = self.features(spec, Solution("", (), 0))
            found.append(Anchor(short_id("a", self.name, spec), "reset", spec, "", (), features))
        return found


def _seed(spec: str) -> int:
    match = _SPEC.fullmatch(spec)
    if match is None:
        raise Rejected("syntax", f"expected a seed like 'seed=7', got {spec[:80]!r}")
    return int(match.group(1))
