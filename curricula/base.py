"""What a curriculum is: the ``Strategy`` protocol, what it asks for, and the registry of strategies.

A strategy is told of admitted problems and of attempts, and answers three questions: what to ask for
next, what a problem is worth, and what its proposer is paid. One instance serves a whole run and all
of its domains. Difficulty is the domain's own scalar, so it is never compared between domains.

A new strategy is one file with one class and ``@register``; ``curricula.check.check_strategy`` holds
it to the contract.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, cast, runtime_checkable

import numpy as np
import numpy.typing as npt

from culture.records import Arm, Attempt, Json, Problem

if TYPE_CHECKING:
    from curricula.config import CurriculumConfig

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fresh:
    """A new problem. ``target`` is a difficulty in the domain's unit; None leaves it to the proposer."""

    domain: str
    target: float | None


@dataclass(frozen=True, slots=True)
class Mutate:
    """A variation of a problem that was admitted before."""

    domain: str
    parent_id: str


@dataclass(frozen=True, slots=True)
class Replay:
    """A problem that was admitted before, again."""

    domain: str
    problem_id: str


Request = Fresh | Mutate | Replay


@dataclass(frozen=True, slots=True)
class Group:
    """The attempts of one solver in one arm at one problem: ``solved`` of ``tried``."""

    policy: str
    """Name of the policy, without its version."""
    solver: str
    arm: Arm
    solved: int
    tried: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A problem and how it fared: ``solved`` of ``tried`` attempts that reached a verdict."""

    problem_id: str
    domain: str
    difficulty: float
    """In the domain's unit."""
    solved: int
    tried: int
    round: int
    """The round in which it was first seen."""
    last_round: int
    """The round in which it was last attempted; ``round`` where it never was."""
    parent_id: str | None
    text: str = ""
    """The problem's spec, by which problems are alike or not; empty where it is not at hand."""
    groups: tuple[Group, ...] = ()
    """The attempts by who made them, in order of policy, solver and arm; empty where not at hand."""


class Strategy(Protocol):
    """A curriculum.

    A strategy is a pure function of the calls made to it and of the generators passed in: it keeps no
    clock and draws from nothing else. ``score`` and ``pay`` change nothing.

    It may have three things more: ``frontier(domain)``, a difficulty or None, which becomes a measure;
    ``least_attempts``, the attempts at a problem that it needs to judge it; and what
    :class:`Withholding` and :class:`Comparing` say.
    """

    name: ClassVar[str]
    """The name in configuration."""

    def observe(self, problems: Sequence[Problem], attempts: Sequence[Attempt]) -> None:
        """Learn what happened in a round.

        ``problems`` are those newly admitted; ``attempts`` are on new and on replayed ones, of every
        arm. Attempts with the verdict ``error`` say nothing about a solver and are left out. Raises
        ValueError for a problem that was not admitted or is known already, or an unknown domain.
        """

    def score(self, candidates: Sequence[Candidate]) -> Floats:
        """Priority, shape (n,), higher first; NaN where unknown, which needs fewer than 2 attempts, or
        attempts that are not :func:`compared`.

        It decides replay and eviction; the arena admits whatever is valid and new.
        """

    def request(self, n: int, rng: np.random.Generator) -> list[Request]:
        """Exactly ``n`` requests; each names a known domain, and problems that it was told of."""

    def pay(self, candidates: Sequence[Candidate]) -> Floats:
        """Payment to the proposer of each problem, shape (n,); NaN where unknown, as for ``score``.

        Candidates are admitted and attempted; what is not a problem is paid ``invalid_payment`` by the
        arena.
        """

    def state_dict(self) -> Json:
        """All that was learned, as plain JSON values; a copy, not a view."""

    def load_state_dict(self, state: Json) -> None:
        """Continue exactly from ``state``. Raises ValueError where it is another strategy's state."""


@runtime_checkable
class Withholding(Protocol):
    """A strategy that keeps attempts from training solvers."""

    def teaches(self, attempt: Attempt) -> bool:
        """Whether solvers may be trained on an attempt: a function of the attempt alone."""


@runtime_checkable
class Comparing(Protocol):
    """A strategy to which attempts of one side say nothing, however many there are."""

    def compared(self, candidate: Candidate) -> bool:
        """Whether a candidate's attempts are on every side that the strategy compares."""


class StrategyClass(Protocol):
    """What ``make_strategy`` calls: a strategy's class."""

    @property
    def name(self) -> str: ...
    def __call__(self, config: CurriculumConfig, domains: Sequence[str]) -> Strategy: ...


_registry: dict[str, StrategyClass] = {}
S = TypeVar("S", bound=StrategyClass)


def register(cls: S) -> S:
    """Make a strategy available by its name. Raises ValueError where the name is taken."""
    if cls.name in _registry:
        raise ValueError(f"expected a new strategy name, got {cls.name!r}, which is registered already")
    _registry[cls.name] = cls
    return cls


def registered() -> list[str]:
    """Names of all registered strategies."""
    return sorted(_registry)


def strategy_class(name: str) -> StrategyClass:
    """The class of a registered strategy. Raises ValueError where there is none of that name."""
    if name not in _registry:
        raise ValueError(f"expected a strategy among {', '.join(registered())}, got {name!r}")
    return _registry[name]


def teaches(strategy: Strategy, attempt: Attempt) -> bool:
    """Whether solvers may be trained on an attempt: they may, unless the strategy withholds it."""
    return not isinstance(strategy, Withholding) or strategy.teaches(attempt)


def compared(strategy: Strategy, candidate: Candidate) -> bool:
    """Whether all sides that a strategy compares attempted a candidate; true where it compares none."""
    return not isinstance(strategy, Comparing) or strategy.compared(candidate)


def counted(attempt: Attempt) -> bool:
    """Whether an attempt is evidence about a solver: an ``error`` is a failure of the machinery."""
    return attempt.verdict != "error"


def placed(problem: Problem) -> float:
    """The difficulty of an admitted problem. Raises ValueError where it has none or was not admitted."""
    if problem.status != "admitted":
        raise ValueError(
            f"expected admitted problems, got {problem.problem_id!r} with status {problem.status!r}; "
            "pass only those admitted this round"
        )
    if problem.difficulty is None or not np.isfinite(problem.difficulty):
        raise ValueError(
            f"expected a finite difficulty for the admitted problem {problem.problem_id!r}, "
            f"got {problem.difficulty}; reject it, or give it one in Domain.difficulty"
        )
    return float(problem.difficulty)


def grouped(attempts: Sequence[Attempt]) -> dict[str, tuple[Group, ...]]:
    """The attempts that count, by problem: one group a policy, solver and arm, in that order."""
    counts: dict[str, dict[tuple[str, str, Arm], list[int]]] = {}
    for a in attempts:
        if counted(a):
            key = (a.policy_version.partition("@")[0], a.solver, a.arm)
            count = counts.setdefault(a.problem_id, {}).setdefault(key, [0, 0])
            count[0] += a.correct
            count[1] += 1
    return {
        problem_id: tuple(Group(*key, *found[key]) for key in sorted(found))
        for problem_id, found in counts.items()
    }


def described(problem: Problem) -> str:
    """The text by which a problem is like another: its spec, or what was written where it has none."""
    return problem.text if problem.spec is None else problem.spec


def tally(problems: Sequence[Problem], attempts: Sequence[Attempt]) -> list[Candidate]:
    """One candidate for each of ``problems``, in order, with the counts of its ``attempts``.

    Attempts on other problems are left out. This is what the arena passes to ``score`` and ``pay``.
    """
    last = {p.problem_id: p.round for p in problems}
    for attempt in attempts:
        if attempt.problem_id in last and counted(attempt):
            last[attempt.problem_id] = max(last[attempt.problem_id], attempt.round)
    groups = grouped([a for a in attempts if a.problem_id in last])
    found = []
    for p in problems:
        mine = groups.get(p.problem_id, ())
        solved, tried = sum(g.solved for g in mine), sum(g.tried for g in mine)
        found.append(
            Candidate(
                p.problem_id, p.domain, placed(p), solved, tried, p.round, last[p.problem_id], p.parent_id,
                described(p), mine,
            )
        )  # fmt: skip
    return found


def check_state(state: Json, name: str, domains: Sequence[str]) -> dict[str, Any]:
    """The states by domain in ``state``. Raises ValueError unless it is ``name``'s, for ``domains``."""
    if state.get("strategy") != name:
        raise ValueError(
            f"expected a state of the strategy {name!r}, got one of {state.get('strategy')!r}; "
            "resume with the strategy that the run was started with"
        )
    by_name = cast("dict[str, Any]", state["domains"])
    if set(by_name) != set(domains):
        raise ValueError(
            f"expected a state for the domains {', '.join(sorted(domains))}, got "
            f"{', '.join(sorted(by_name))}; resume with the domains that the run was started with"
        )
    return by_name
