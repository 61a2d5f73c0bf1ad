"""What a kind of problem is: the ``Domain`` base class and the records that pass through it.

A domain never trusts text. ``parse`` turns a proposal into a canonical *spec* or raises
:class:`Rejected` with a reason; ``program`` turns a spec into source that the sandbox executes; the
answer key is what that execution returned, twice alike. Answers are compared by canonical form.

A new domain is one file with one subclass and ``@register``; ``check_domain`` holds it to the contract.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from arena.domains.claims import Claim, Stated
from culture.edits import Kind
from culture.records import Form, Verdict


class Rejected(Exception):
    """A proposal that is not a problem. ``reason`` is a short slug that the log counts by."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[Rejected], tuple[str, str]]:
        return (Rejected, (self.reason, self.detail))


@dataclass(frozen=True, slots=True)
class Solution:
    """What executing a spec gave."""

    answer: str
    """The answer key, in canonical form."""
    worked: tuple[str, ...]
    """Intermediate values in order, the answer last: the back of the book shows its working."""
    steps: int
    """Elementary operations executed."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One step of an episode: what the solver sees next, or how it ended."""

    observation: str
    done: bool
    answer: str | None = None
    verdict: Verdict | None = None
    reward: float = 0.0
    failure: str | None = None
    opponent: bool = False
    """Whether it is the turn of the solver's opponent, whose observation this is."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A frozen held-out problem. ``cell`` names its place in the grid, easiest cells first."""

    anchor_id: str
    cell: str
    spec: str
    answer_key: str
    worked: tuple[str, ...]
    features: dict[str, float]


@dataclass(frozen=True, slots=True)
class Account:
    """What an episode found out, as a note."""

    title: str
    """What a search finds it by, beside its body. Nobody is shown it."""
    body: str


class Ran(Protocol):
    """The outcome of one program: ``value`` where ``failure`` is None, else a slug and a detail."""

    @property
    def value(self) -> object: ...
    @property
    def failure(self) -> str | None: ...
    @property
    def detail(self) -> str: ...


class Executor(Protocol):
    """What runs programs: ``arena.sandbox.Sandbox``."""

    def run_many(self, programs: Sequence[str]) -> Sequence[Ran]: ...


class Domain(ABC):
    """A kind of problem.

    Specs are strings in a canonical form. Two proposals are the same problem exactly when their identities
    are equal, which in most domains are their specs. All methods are pure; randomness comes from the
    generator passed in.
    """

    name: str
    """The name in configuration and in the ``domain`` column."""
    alphabet: str
    """Every character of a terse prompt, completion or note of this domain."""
    request_characters: str = ""
    """Characters of a terse request for a problem (:meth:`brief`) that are not in ``alphabet``."""
    stop: str = "\n"
    """The character that ends a terse completion."""
    one_step: bool = True
    """False where an episode takes several actions. Then there is no answer key (it is ``""``), ``solve``
    is overridden, and ``program``, ``solution`` and ``key`` raise :class:`TypeError`."""
    pages: bool = False
    """True where some problems of several steps come with a page that tells how to solve them. The warm-up
    then teaches to read it (:meth:`readable_key`), and to try where there is none (:meth:`trial`)."""
    copies: bool = False
    """True where answers stand in the prompt, to be found and copied; the warm-up then begins with copying,
    as for ``pages``."""
    plays: bool = False
    """True where :meth:`trial` has something to show at every turn; the warm-up then teaches that."""
    two_players: bool = False
    """True for games of two, in which a policy may have to move for the solver's opponent
    (``Turn.opponent``); what their episodes answer is ``win``, ``draw``, ``loss`` or ``forfeit``."""
    forms: tuple[Form, ...] = ("terse", "natural")
    """The forms that problems can be written in. A run in another one is refused before it starts."""
    core_cells: tuple[str, ...] = ()
    """Anchor cells within reach of a small model, easiest first; the other cells lie far beyond it."""

    @property
    def keyed(self) -> bool:
        """Whether there are keys to be taught; else the objective ``answer_key`` trains nobody here."""
        return self.one_step or type(self).readable_key is not Domain.readable_key

    def material(self) -> Sequence[str]:
        """Texts beside its code that its problems are made of."""
        return ()

    # -- proposing ---------------------------------------------------------------------------------
    @abstractmethod
    def brief(self, form: Form, target: float | None, parent: str | None) -> str:
        """The proposer's prompt: a problem near ``target`` difficulty, or a variation of ``parent``."""

    def ask(self, form: Form, target: float | None, parent: str | None, rng: np.random.Generator) -> str:
        """The proposer's prompt where something has to be drawn for it, such as a passage to ask about."""
        return self.brief(form, target, parent)

    def hindsight(self, form: Form, target: float | None, spec: str) -> str:
        """The request for a fresh problem that ``spec`` would have been the answer to."""
        return self.brief(form, target, None)

    def pattern(self, form: Form, target: float | None) -> str | None:
        """A regular expression for the whole text of a proposal, for engines that can hold a model to one.

        What matches has the right form, and of a ``target`` difficulty about twice that at most, so that a
        small model asked for something easy cannot write something endless; it need not be a problem. None
        holds to nothing.
        """
        return None

    @abstractmethod
    def parse(self, text: str) -> str:
        """The canonical spec of a proposal in any of ``forms``. Raises :class:`Rejected`.

        Where a problem's statement needs what only execution can tell, this is a *draft*: see
        :meth:`settle`."""

    def is_draft(self, spec: str) -> bool:
        """Whether a canonical text still lacks what :meth:`settle` adds."""
        return False

    def settle(self, drafts: Sequence[str], sandbox: Executor) -> list[str | Rejected]:
        """The specs of drafts, in order: what :meth:`parse`, :meth:`sample` and :meth:`mutate` give, with
        what execution adds. A draft can be written and mutated, but not posed. A spec stays as it is; in
        most domains a draft is one already."""
        return list(drafts)

    def identity(self, spec: str) -> str:
        """What makes a spec that has a solution another problem than one that was posed before.

        It is the spec, unless part of that may do nothing, as a number that two draws have in common.
        Asking may cost as much as posing the problem."""
        return spec

    @abstractmethod
    def program(self, spec: str) -> str:
        """Python source for the sandbox; its last expression is ``[answer, [working, ...], steps]``."""

    @abstractmethod
    def solution(self, spec: str, value: object) -> Solution:
        """The solution in a value that the sandbox returned for ``program``. Raises Rejected."""

    def solve(self, specs: Sequence[str], sandbox: Executor) -> list[Solution | Rejected]:
        """Solutions of ``specs`` by execution, in order; a spec that has none is a Rejected."""
        found: list[Solution | Rejected] = []
        for spec, ran in zip(specs, sandbox.run_many([self.program(s) for s in specs]), strict=True):
            try:
                if ran.failure is not None:
                    raise Rejected(f"execution:{ran.failure}", ran.detail)
                found.append(self.solution(spec, ran.value))
            except Rejected as rejected:
                found.append(rejected)
        return found

    @abstractmethod
    def features(self, spec: str, solution: Solution) -> dict[str, float]:
        """Complexity features by name (at least ``operations``, ``length``, ``steps``)."""

    @abstractmethod
    def difficulty(self, features: dict[str, float]) -> float:
        """One scalar from the features, increasing with the work that a solution takes."""

    @abstractmethod
    def write(self, spec: str, form: Form) -> str:
        """The proposal text that parses to ``spec``: ``parse(write(spec, form)) == spec``."""

    @abstractmethod
    def mutate(self, spec: str, rng: np.random.Generator) -> str:
        """A valid spec one edit away, as often harder as not: ACCEL's operator for this domain."""

    @abstractmethod
    def sample(self, rng: np.random.Generator, target: float) -> str:
        """A scripted spec of about ``target`` difficulty: warm-up, ladders, baselines."""

    # -- solving -----------------------------------------------------------------------------------
    @abstractmethod
    def pose(self, spec: str, form: Form) -> str:
        """The solver's prompt, without notes."""

    @abstractmethod
    def key(self, spec: str, solution: Solution, form: Form) -> str:
        """The completion that an answer key teaches, with its working; ``check`` calls it correct."""

    @abstractmethod
    def read_answer(self, completion: str, form: Form) -> str | None:
        """The canonical answer in a completion, or None where there is none to be read."""

    def check(self, spec: str, answer_key: str, answer: str) -> bool:
        """Whether a canonical answer is right."""
        return answer == answer_key

    def judge(self, spec: str, answer_key: str, answer: str, sandbox: Executor | None) -> bool:
        """Whether a canonical answer is right, where execution has to tell.

        Raises ValueError where it needs a sandbox and has none."""
        return self.check(spec, answer_key, answer)

    def readable_key(self, spec: str, prompt: str, form: Form) -> str | None:
        """For a problem of several steps: the completion that solves it by what ``prompt`` tells (its
        statement, notes, what was tried so far) and by nothing else; None where that is not enough.

        What ``prompt`` tells may be wrong, the key never is. One-step domains have :meth:`key`.
        """
        return None

    def trial(
        self, spec: str, actions: Sequence[str], rng: np.random.Generator, form: Form, prompt: str = ""
    ) -> str | None:
        """For a problem of several steps: a scripted next action of somebody who knows nothing but what
        ``actions`` found out and what ``prompt`` tells; None where the domain has none to show."""
        return None

    def sample_notes(self, spec: str, rng: np.random.Generator, form: Form) -> list[str]:
        """For a domain with ``pages``: scripted notes such as other solvers leave, of which some tell all
        that solves ``spec``, some a part of it, and some nothing. One line each in the terse form."""
        return []

    def part(self, spec: str, *, opponent: bool) -> str:
        """What a player of a problem plays, as far as it bears on what it can expect to earn; objectives
        with a baseline a task keep one for each. Empty where all of a domain is alike."""
        return ""

    def against(self, spec: str) -> str:
        """In a game of two: ``today`` where the opponent is a policy version of today, ``earlier`` where it
        is one from before, else the name of somebody scripted."""
        raise TypeError(f"expected a game of two, got {self.name}")

    def longest(self, spec: str, form: Form) -> int:
        """Characters of the longest observation of an episode, notes left out."""
        return len(self.pose(spec, form))

    def turn(
        self,
        spec: str,
        answer_key: str,
        actions: Sequence[str],
        form: Form,
        sandbox: Executor | None = None,
    ) -> Turn:
        """The episode after ``actions``; one-step domains end at the first. ``sandbox`` is for
        :meth:`judge`."""
        if not actions:
            return Turn(self.pose(spec, form), done=False)
        answer = self.read_answer(actions[-1], form)
        if answer is None:
            return Turn("", True, None, "malformed", 0.0, "no answer in the completion")
        correct = self.judge(spec, answer_key, answer, sandbox)
        return Turn("", True, answer, "correct" if correct else "wrong", float(correct))

    # -- culture -----------------------------------------------------------------------------------
    @abstractmethod
    def example(self, spec: str, solution: Solution, form: Form) -> str:
        """A worked example, as the body of a note."""

    @abstractmethod
    def lesson(self, spec: str, solution: Solution, form: Form) -> str:
        """What the problem teaches about one of its parts, shorter than the whole example."""

    def about(self, spec: str, form: Form) -> str:
        """What notes that help with a problem are searched by."""
        return self.pose(spec, form)

    def recount(self, spec: str, actions: Sequence[str], kind: Kind, form: Form) -> Account | None:
        """For a domain of several steps: what an episode's own actions found out, and nothing that they
        did not, as a note of ``kind`` (``example`` or ``lesson``); one line in the terse form. None where
        there is nothing to tell. One-step domains have :meth:`example` and :meth:`lesson`."""
        return None

    def claims(self, body: str, form: Form) -> Stated | None:
        """What a note states that execution can decide, and what it says besides; None where the domain has
        no such statements. Of its own examples and lessons nothing is left besides."""
        return None

    def refuted(self, claims: Sequence[Claim], sandbox: Executor) -> list[str | Rejected | None]:
        """What execution says against each claim, in order; None where it holds, and a Rejected where
        execution came to nothing."""
        found: list[str | Rejected | None] = []
        for claim, solution in zip(claims, self.solve([c.spec for c in claims], sandbox), strict=True):
            if isinstance(solution, Rejected):
                found.append(solution)
            elif not self.judge(claim.spec, solution.answer, claim.answer, sandbox):
                found.append(f"{claim.spec} gives {solution.answer}, not {claim.answer}")
            elif claim.worked and claim.worked != solution.worked:
                told, right = " then ".join(claim.worked), " then ".join(solution.worked)
                found.append(f"{claim.spec} is worked {right}, not {told}")
            else:
                found.append(None)
        return found

    # -- anchors -----------------------------------------------------------------------------------
    @abstractmethod
    def anchors(self, per_cell: int) -> list[Anchor]:
        """Frozen problems over a grid from trivial to far beyond the model, the same in every run."""


_registry: dict[str, Callable[[], Domain]] = {}


def register(cls: type[Domain]) -> type[Domain]:
    """Make a domain available by its name."""
    if cls.name in _registry:
        raise ValueError(f"expected a new domain name, got {cls.name!r}, which is registered already")
    _registry[cls.name] = cls
    return cls


def registered() -> list[str]:
    """Names of all registered domains."""
    return sorted(_registry)


def domain_class(name: str) -> Callable[[], Domain]:
    """What makes the registered domain called ``name``. Raises KeyError."""
    return _registry[name]
