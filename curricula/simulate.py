"""A school without models: proposers and solvers that are formulas, to try strategies on.

A simulated proposer answers a request for difficulty t with one of t·exp(N(0, scatter)); some
proposals are no problem. A simulated solver of ability c solves difficulty d with probability
1/(1 + (d/c)^steepness): the Rasch curve on log difficulty, one half at d = c.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from culture.records import Arm, Attempt, Json, Problem
from culture.seeds import generator, short_id
from curricula.base import Fresh, Mutate, Replay, Request, placed

POLICIES = ("simulated", "rival")
"""Who attempts in turn; both are as able."""
ARMS: tuple[Arm, Arm] = ("none", "library")
"""In which attempts are, two by two."""


def problem(
    problem_id: str, domain: str, round: int, difficulty: float, *, parent_id: str | None = None
) -> Problem:
    """An admitted problem with a difficulty and no text but its id, which is its spec."""
    features: Json = {"operations": difficulty, "length": float(len(problem_id))}
    return Problem(
        problem_id=problem_id, round=round, domain=domain, request="mutate" if parent_id else "fresh",
        origin="scripted", target_difficulty=None, parent_id=parent_id, proposer="simulated",
        policy_version=None, prompt="", text="", token_ids=[], logprobs=[], spec=problem_id, answer_key="",
        worked=[], features=features, difficulty=difficulty, status="admitted", reason=None,
        failure_source=None, payment=None,
    )  # fmt: skip


def attempt(
    problem_id: str,
    domain: str,
    round: int,
    index: int,
    correct: bool,
    *,
    replay: bool = False,
    policy: str = "simulated",
    arm: Arm = "none",
) -> Attempt:
    """A try with a verdict and no text; ``index`` tells a problem's attempts of one round apart.

    The solver has the name of its policy.
    """
    return Attempt(
        attempt_id=f"{problem_id}/{round}/{index}", round=round, problem_id=problem_id, domain=domain,
        solver=policy, policy_version=f"{policy}@0", library_version=0, arm=arm, dose=0,
        form="terse", replay=replay, prompt="", completion="", token_ids=[], logprobs=[], turns=1,
        answer=None, verdict="correct" if correct else "wrong", correct=correct, reward=float(correct),
        prompt_tokens=0,
        failure_source=None if correct else "solver", failure=None,
    )  # fmt: skip


class Simulation:
    """Rounds of proposing and attempting; difficulties and abilities in the same unit, above 0."""

    def __init__(
        self,
        seed: int,
        *,
        attempts: int = 4,
        steepness: float = 4.0,
        scatter: float = 0.2,
        invalid: float = 0.1,
        untargeted: float = 4.0,
    ) -> None:
        """``attempts`` per problem; ``scatter`` in natural-log units; ``invalid`` a share of proposals;
        ``untargeted`` the median difficulty where a request has no target."""
        self._seed = seed
        self._attempts = attempts
        self._steepness = steepness
        self._scatter = scatter
        self._invalid = invalid
        self._untargeted = untargeted
        self.known: dict[str, Problem] = {}
        """All problems admitted so far, by id."""

    def play(
        self, round: int, requests: Sequence[Request], ability: Mapping[str, float]
    ) -> tuple[list[Problem], list[Attempt]]:
        """One round: what ``requests`` gave, attempted by a solver of ``ability`` in each domain."""
        rng = generator(self._seed, "simulated round", round)
        admitted: list[Problem] = []
        posed: list[tuple[Problem, bool]] = []
        for index, request in enumerate(requests):
            if isinstance(request, Replay):
                posed.append((self.known[request.problem_id], True))
                continue
            if rng.uniform() < self._invalid:
                continue
            difficulty, parent = self._asked(request)
            difficulty *= math.exp(self._scatter * rng.standard_normal())
            new = problem(
                short_id("p", self._seed, round, index), request.domain, round, difficulty, parent_id=parent
            )
            self.known[new.problem_id] = new
            admitted.append(new)
            posed.append((new, False))
        tries = []
        for p, replay in posed:
            odds = (placed(p) / ability[p.domain]) ** self._steepness
            for i, solved in enumerate(rng.uniform(size=self._attempts) < 1 / (1 + odds)):
                tries.append(
                    attempt(
                        p.problem_id, p.domain, round, i, bool(solved), replay=replay,
                        policy=POLICIES[i % 2], arm=ARMS[i // 2 % 2],
                    )
                )  # fmt: skip
        return admitted, tries

    def _asked(self, request: Fresh | Mutate) -> tuple[float, str | None]:
        if isinstance(request, Mutate):
            return placed(self.known[request.parent_id]), request.parent_id
        return self._untargeted if request.target is None else request.target, None


def wandering(seed: int, domains: Sequence[str], rounds: int) -> list[dict[str, float]]:
    """Abilities by round and domain that mostly rise and sometimes collapse."""
    rng: np.random.Generator = generator(seed, "simulated ability")
    now = {d: 4.0 * (1 + i) for i, d in enumerate(domains)}
    found = []
    for _ in range(rounds):
        for d in domains:
            now[d] *= 0.4 if rng.uniform() < 0.1 else math.exp(0.15 * rng.uniform())
        found.append(dict(now))
    return found
