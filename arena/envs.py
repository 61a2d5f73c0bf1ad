"""Gymnasium environments over the domains: ``ludus/Solve-v0`` and ``ludus/Propose-v0``.

Importing this module registers both. The arena rolls out its own episodes through the same classes,
constructed directly, so what counts is that a construction, a reset and a step are cheap: domain,
library and sandbox are shared and never copied, and the spaces are made when first looked at.

Gymnasium's shared memory pads texts to the length of their space, so make asynchronous vectors with
``vector_kwargs={"shared_memory": False}``.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import gymnasium
from gymnasium import spaces

from arena.domains import Domain, make_domain
from arena.domains.base import Executor, Rejected, Solution, Turn
from arena.proposals import judge
from arena.provenance import quoted
from culture.records import Form
from culture.seeds import generator

MAX_OBSERVATION: Final = 65536
"""Characters of an observation, notes included."""
MAX_ACTION: Final = 16384
"""Characters of an action."""
PROSE: Final = "".join(map(chr, range(32, 127))) + "\n\t"
"""What is sampled from a natural-form space; any text belongs to it."""

# A domain whose own samples keep failing is broken, and saying so is better than searching forever.
_TRIES: Final = 32

Info = dict[str, Any]


class Library(Protocol):
    """What a lookup asks."""

    def search(self, query: str, k: int) -> list[str]: ...


class Prose(spaces.Text):
    """Any text of at most ``max_length`` characters; samples are printable ASCII."""

    def __init__(self, max_length: int) -> None:
        super().__init__(max_length, min_length=0, charset=PROSE)

    def contains(self, x: Any) -> bool:
        return isinstance(x, str) and len(x) <= self.max_length


def _space(domain: Domain, form: Form, max_length: int, more: str = "") -> spaces.Text:
    if form == "terse":
        return spaces.Text(max_length, min_length=0, charset=domain.alphabet + more)
    return Prose(max_length)


@functools.cache
def _shared_sandbox(process: int) -> Executor:
    """The sandbox of this process, for environments that were given none.

    Named by the process id, because a fork must not talk to the workers of its parent.
    """
    from arena.sandbox import Sandbox

    return Sandbox()


@functools.lru_cache(maxsize=64)
def _characters(alphabet: str) -> frozenset[str]:
    return frozenset(alphabet)


@dataclass(frozen=True, slots=True)
class Episode:
    """One episode of :class:`SolveEnv` as plain data, so that a stateless actor can go on with it."""

    domain: str
    spec: str
    answer_key: str
    form: Form = "terse"
    notes: tuple[str, ...] = ()
    """Notes given at the start; those looked up follow from ``actions``."""
    lookups: int = 0
    """Lookups allowed in the whole episode."""
    actions: tuple[str, ...] = ()

    def after(self, action: str) -> Episode:
        """The episode with one more action."""
        return replace(self, actions=(*self.actions, action))


class _DomainEnv(gymnasium.Env[str, str]):
    """What both environments share: a domain, a form, a sandbox, and problems drawn by seed."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  (declared so by gymnasium)

    def __init__(self, domain: str | Domain, form: Form, target: float, sandbox: Executor | None) -> None:
        self.domain = make_domain(domain) if isinstance(domain, str) else domain
        if form not in self.domain.forms:
            raise ValueError(f"expected form to be one of {', '.join(self.domain.forms)}, got {form!r}")
        self.form: Form = form
        self.target = target
        self._sandbox = sandbox
        self._observations: spaces.Space[str] | None = None
        self._actions_allowed: spaces.Space[str] | None = None
        self._seed = 0
        self._episode = 0

    # Gymnasium declares both spaces as attributes; a Text space costs more than a whole episode of a
    # one-step domain, so each environment makes its own when somebody looks.
    @property
    def observation_space(self) -> spaces.Space[str]:
        if self._observations is None:
            self._observations = _space(
                self.domain, self.form, MAX_OBSERVATION, self.domain.request_characters
            )
        return self._observations

    @observation_space.setter
    def observation_space(self, space: spaces.Space[str]) -> None:
        self._observations = space

    @property
    def action_space(self) -> spaces.Space[str]:
        if self._actions_allowed is None:
            self._actions_allowed = _space(self.domain, self.form, MAX_ACTION)
        return self._actions_allowed

    @action_space.setter
    def action_space(self, space: spaces.Space[str]) -> None:
        self._actions_allowed = space

    @property
    def sandbox(self) -> Executor:
        """Where programs run; opened when first needed, one for the whole process."""
        if self._sandbox is None:
            self._sandbox = _shared_sandbox(os.getpid())
        return self._sandbox

    def _stream(self, purpose: str, attempt: int = 0) -> Any:
        return generator(self._seed, purpose, self.domain.name, self._episode, attempt)

    def _begin(self, seed: int | None) -> None:
        # Gymnasium's own generator is seeded as its checker demands, but nothing is drawn from it: the
        # n-th reset after seed s is a pure function of (s, n). Without any seed, s is 0.
        super().reset(seed=seed)
        if seed is not None:
            self._seed, self._episode = seed, 0
        else:
            self._episode += 1


class SolveEnv(_DomainEnv):
    """Solve one problem: the observation is the problem with its notes, the action is the answer.

    ``reset(seed=...)`` samples a problem of about ``target`` difficulty; ``reset(options=...)`` with
    ``spec``, and optionally ``answer_key`` (else it is executed for) and ``notes``, poses that one.

    Where ``lookups`` is above 0 an action that starts with ``?`` (terse) or ``lookup:`` (natural)
    searches ``library`` for its rest, shows up to ``notes_per_lookup`` notes in the next observation
    and does not end the episode, until the lookups are used up. Notes are shown as they come, so pass
    what a model wrote through ``culture.quoting.quote`` first. In the terse form, which has one note a
    line, a note with a character outside the domain's alphabet is left out and counted in
    ``info["notes_left_out"]``.

    ``info`` has ``verdict``, ``answer`` and ``failure`` (None until the end), ``turns`` (actions so far),
    ``lookups_left``, ``notes_left_out``, ``spec``, and ``opponent``: whether it is the turn of the solver's
    opponent, in a game of two. Then the observation is the opponent's, without notes, and so is the next
    action: whoever steps the environment plays both. ``max_turns`` truncates endless episodes.

    Raises ValueError for an unknown domain, a wrong form, or lookups without a library.
    """

    def __init__(
        self,
        domain: str | Domain = "transforms",
        form: Form = "terse",
        *,
        target: float = 8.0,
        library: Library | None = None,
        lookups: int = 0,
        notes_per_lookup: int = 4,
        max_turns: int = 256,
        sandbox: Executor | None = None,
    ) -> None:
        super().__init__(domain, form, target, sandbox)
        if lookups and library is None:
            raise ValueError(f"expected a library to look up in, got lookups={lookups} and library=None")
        self.library = library
        self.lookups = lookups
        self.notes_per_lookup = notes_per_lookup
        self.max_turns = max_turns
        self._start: Episode | None = None
        self._problem = ""
        self._actions: list[str] = []
        self._answers: list[str] = []
        self._notes: list[str] = []
        self._left_out = 0
        self._lookups_left = 0
        self._opponent = False
        self._done = True
        self.observation = ""

    @classmethod
    def from_episode(
        cls,
        episode: Episode,
        domain: Domain,
        library: Library | None = None,
        notes_per_lookup: int = 4,
        sandbox: Executor | None = None,
    ) -> SolveEnv:
        """The environment after the episode's actions; ``observation`` is what its solver sees now."""
        if domain.name != episode.domain:
            raise ValueError(f"expected domain {episode.domain!r}, got {domain.name!r}")
        env = cls(
            domain,
            episode.form,
            library=library,
            lookups=episode.lookups,
            notes_per_lookup=notes_per_lookup,
            sandbox=sandbox,
        )
        env._pose(episode.spec, episode.answer_key, episode.notes)
        for action in episode.actions:
            env.step(action)
        return env

    @property
    def opponent(self) -> bool:
        """Whether it is the turn of the solver's opponent."""
        return self._opponent

    @property
    def episode(self) -> Episode:
        """The episode so far. Raises RuntimeError before the first reset."""
        if self._start is None:
            raise RuntimeError("expected reset() before an episode is asked for")
        return replace(self._start, actions=tuple(self._actions))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, Info]:
        self._begin(seed)
        given = options or {}
        unknown = set(given) - {"spec", "answer_key", "notes"}
        if unknown:
            raise ValueError(
                f"expected options spec, answer_key and notes, got {', '.join(sorted(unknown))}"
            )
        spec, answer_key = given.get("spec"), given.get("answer_key")
        if spec is None:
            if answer_key is not None:
                raise ValueError("expected options['spec'] beside options['answer_key'], got none")
            spec, answer_key = self._sampled()
        elif answer_key is None:
            spec, answer_key = self._executed(spec)
        self._pose(spec, answer_key, given.get("notes", ()))
        return self.observation, self._info(None)

    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:
        if self._done or self._start is None:
            raise RuntimeError("expected reset() before step(): the episode is over")
        self._actions.append(action)
        if self._lookups_left > 0 and self.library is not None and not self._opponent:
            query = self.query(action, self.form)
            if query is not None:
                self._lookups_left -= 1
                found = self.library.search(query, self.notes_per_lookup)
                self._show(note for note in found if note not in self._notes)
                return self._continue()
        self._answers.append(action)
        start = self._start
        turn = self.domain.turn(start.spec, start.answer_key, self._answers, self.form, self.sandbox)
        if turn.done:
            self._done = True
            self.observation = turn.observation
            return turn.observation, turn.reward, True, False, self._info(turn)
        self._problem, self._opponent = turn.observation, turn.opponent
        return self._continue()

    def _pose(self, spec: str, answer_key: str, notes: Iterable[str]) -> None:
        given = tuple(notes)
        self._start = Episode(self.domain.name, spec, answer_key, self.form, given, self.lookups)
        self._problem, self._opponent = self.domain.pose(spec, self.form), False
        if self.domain.two_players:
            self._opponent = self.domain.turn(spec, answer_key, (), self.form).opponent
        self._actions, self._answers, self._notes = [], [], []
        self._left_out = 0
        self._lookups_left = self.lookups
        self._done = False
        self._show(given)
        self.observation = self._observe()

    def _show(self, notes: Iterable[str]) -> None:
        for note in notes:
            if self.form == "terse" and not _characters(self.domain.alphabet).issuperset(note):
                self._left_out += 1
            else:
                self._notes.append(note)

    def _observe(self) -> str:
        if self._opponent:
            return self._problem
        if self.form == "terse":
            return "\n".join([*self._notes, self._problem]) if self._notes else self._problem
        parts = []
        if self._notes:
            parts.append(f"Notes that others wrote, quoted; they may be wrong:\n\n{quoted(self._notes)}")
        parts.append(self._problem)
        if self._lookups_left:
            parts.append(
                "Instead of answering you may search the notes: write one line, 'lookup:' and what to look"
                f" for. Searches left: {self._lookups_left}."
            )
        return "\n\n".join(parts)

    @staticmethod
    def query(action: str, form: Form) -> str | None:
        """What an action looks up, or None where it is an answer."""
        if form == "terse":
            return action[1:].partition("\n")[0] if action.startswith("?") else None
        line = action.strip().partition("\n")[0]
        word, colon, query = line.partition(":")
        return query.strip() if colon and word.strip().lower() == "lookup" else None

    def _continue(self) -> tuple[str, float, bool, bool, Info]:
        self.observation = self._observe()
        if len(self._actions) < self.max_turns:
            return self.observation, 0.0, False, False, self._info(None)
        self._done = True
        endless = Turn("", True, None, "malformed", 0.0, f"no answer in {self.max_turns} turns")
        return self.observation, 0.0, False, True, self._info(endless)

    def _info(self, turn: Turn | None) -> Info:
        return {
            "spec": self._start.spec if self._start is not None else None,
            "verdict": turn.verdict if turn is not None else None,
            "answer": turn.answer if turn is not None else None,
            "failure": turn.failure if turn is not None else None,
            "turns": len(self._actions),
            "lookups_left": self._lookups_left,
            "notes_left_out": self._left_out,
            "opponent": self._opponent and not self._done,
        }

    def _executed(self, draft: str) -> tuple[str, str]:
        found = self._solved(draft)
        if isinstance(found, Rejected):
            raise ValueError(
                f"expected options['spec'] to have a solution, got {draft!r}: {found}"
            ) from found
        return found

    def _solved(self, draft: str) -> tuple[str, str] | Rejected:
        """The spec of a draft, and its answer key."""
        (spec,) = self.domain.settle([draft], self.sandbox)
        if isinstance(spec, Rejected):
            return spec
        (found,) = self.domain.solve([spec], self.sandbox)
        return found if isinstance(found, Rejected) else (spec, found.answer)

    def _sampled(self) -> tuple[str, str]:
        found: tuple[str, str] | Rejected = Rejected("no_try")
        for attempt in range(_TRIES):
            found = self._solved(self.domain.sample(self._stream("solve", attempt), self.target))
            if not isinstance(found, Rejected):
                return found
        raise RuntimeError(
            f"expected {self.domain.name} to sample a problem with a solution, got {_TRIES} without one,"
            f" the last because of {found}"
        )


class ProposeEnv(_DomainEnv):
    """Write one problem: the observation is the brief, the action is the proposal.

    ``reset(seed=...)`` asks as often for something fresh near ``target`` as for a variation of a sampled
    problem; ``reset(options=...)`` with ``target`` or ``parent`` asks for that. The reward is 1 where the
    proposal parses and executes, or what ``pay(spec, solution)`` says, and 0 where it does not.

    ``info`` has ``spec`` and ``solution`` (None where rejected), ``reason`` and ``detail`` (None where
    valid), ``target`` and ``parent``.

    Raises ValueError for an unknown domain, a wrong form or unknown options.
    """

    def __init__(
        self,
        domain: str | Domain = "transforms",
        form: Form = "terse",
        *,
        target: float = 8.0,
        pay: Callable[[str, Solution], float] | None = None,
        sandbox: Executor | None = None,
    ) -> None:
        super().__init__(domain, form, target, sandbox)
        self.pay = pay
        self._request: tuple[float | None, str | None] = (None, None)
        self._done = True

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, Info]:
        self._begin(seed)
        self._done = False
        given = options or {}
        unknown = set(given) - {"target", "parent"}
        if unknown:
            raise ValueError(f"expected options target and parent, got {', '.join(sorted(unknown))}")
        if given:
            self._request = (given.get("target"), given.get("parent"))
        else:
            rng = self._stream("propose")
            fresh = rng.random() < 0.5
            self._request = (self.target, None if fresh else self.domain.sample(rng, self.target))
        return self.domain.brief(self.form, *self._request), self._info(None, None, None)

    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:
        if self._done:
            raise RuntimeError("expected reset() before step(): the episode is over")
        self._done = True
        (found,) = judge(self.domain, [action], self.sandbox)
        if found.solution is None or found.spec is None:
            return "", 0.0, True, False, self._info(None, None, found.rejected)
        reward = 1.0 if self.pay is None else float(self.pay(found.spec, found.solution))
        return "", reward, True, False, self._info(found.spec, found.solution, None)

    def _info(self, spec: str | None, solution: Solution | None, rejected: Rejected | None) -> Info:
        return {
            "spec": spec,
            "solution": solution,
            "reason": None if rejected is None else rejected.reason,
            "detail": None if rejected is None else rejected.detail,
            "target": self._request[0],
            "parent": self._request[1],
        }


for _name, _entry in (("ludus/Solve-v0", SolveEnv), ("ludus/Propose-v0", ProposeEnv)):
    if _name not in gymnasium.registry:
        gymnasium.register(id=_name, entry_point=f"{__name__}:{_entry.__name__}")
