"""The phases *attempt* and *judge*: solvers meet problems in the environment, each attempt in its arm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from agents.engines.base import Completion
from arena.envs import Episode, SolveEnv
from arena.librarian import Reading
from arena.opponents import match_of, opponent_of
from arena.pools import Failed, WorkFailed
from arena.provenance import headed, longest_heading
from arena.state import Known, arm_of
from arena.verifier import Stepped
from culture.quoting import quote
from culture.reading import Hit
from culture.records import Action, Agent, Arm, Attempt, Read, Source
from culture.seeds import generator, short_id

if TYPE_CHECKING:
    from arena.round import Play


_NONE = Completion("", [], [], 0, "", "stop")


@dataclass(slots=True)
class _Try:
    """An attempt under way."""

    attempt_id: str
    problem: Known
    solver: Agent
    version: str
    arm: Arm
    dose: int
    replay: bool
    episode: Episode
    opponent: str | None = None
    """Policy version that it plays against; None where no policy does."""
    theirs: bool = False
    """Whether it is the opponent's turn, or the last turn was."""
    prompt: str = ""
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    completion: str = ""
    prompt_tokens: int = 0
    turns: int = 0
    """Completions so far, lookups and those of the opponent among them."""
    earlier: list[Action] = field(default_factory=list)
    """What was written in the turns before this one."""
    answered: Completion = _NONE
    """What the opponent wrote last."""
    asked: str = ""
    """The prompt that it did so for."""
    ended: Stepped | None = None
    lost: str | None = None
    """What the infrastructure lost of it."""


def attempt(play: Play, problems: Sequence[Known]) -> list[Attempt]:
    """K attempts at every problem; returns their rows, which are also put among the round's."""
    with play.phase("attempt"):
        tries = _assigned(play, problems)
        _hand_out_notes(play, tries)
    open_tries = tries
    while open_tries:
        with play.phase("attempt"):
            _generate(play, open_tries)
        with play.phase("judge"):
            _step(play, open_tries)
        open_tries = [t for t in open_tries if t.ended is None and t.lost is None]
    for t in tries:
        _take_back(t)
    rows = [_row(play, t) for t in tries]
    play.rows.attempts.extend(rows)
    play.rows.actions.extend(action for t in tries for action in t.earlier)
    for t, row in zip(tries, rows, strict=True):
        if t.opponent is not None and t.ended is not None and row.verdict != "error":
            domain = play.state.domains[row.domain]
            play.rows.matches.append(match_of(domain, t.problem.spec, row, t.opponent))
    return rows


def _take_back(t: _Try) -> None:
    """Where the opponent had the last word: what the solver wrote before it is the attempt's, and what the
    opponent wrote an action."""
    if not t.theirs:
        return
    own = [a for a in t.earlier if not a.opponent and not a.lookup]
    if own:
        t.earlier.remove(own[-1])


def _assigned(play: Play, problems: Sequence[Known]) -> list[_Try]:
    """Who attempts what, and in which arm. The topology decides the solvers, a coin the arm."""
    config, population = play.config, play.state.population
    rng = generator(config.seed, "assign", play.round)
    dealt = population.assign([p.proposer for p in problems], config.rollout.attempts, rng)
    shares = cast("dict[str, float]", dict(config.rollout.arms))
    new = {p.problem_id for p in play.rows.problems}
    tries = []
    for problem, solvers in zip(problems, dealt, strict=True):
        for k, solver in enumerate(solvers):
            agent = population.agent(solver)
            attempt_id = short_id("t", config.seed, play.round, problem.problem_id, k)
            arm = cast("Arm", arm_of(shares, generator(config.seed, "arm", attempt_id)))
            lookups = config.rollout.lookups if arm == "library" else 0
            episode = Episode(
                problem.domain, problem.spec, problem.answer_key, config.engine.form, (), lookups
            )
            replay = problem.problem_id not in new
            dose = 0 if arm == "none" else _dose(play, attempt_id)
            other = opponent_of(play, problem, attempt_id)
            tries.append(
                _Try(attempt_id, problem, agent, play.version_of(agent), arm, dose, replay, episode, other)
            )
    return tries


def _dose(play: Play, attempt_id: str) -> int:
    """Notes that an attempt which reads may be shown."""
    config = play.config.rollout
    if config.dose == "all" or config.notes < 2:
        return config.notes
    return 1 + int(generator(play.config.seed, "dose", attempt_id).integers(config.notes))


def _hand_out_notes(play: Play, tries: Sequence[_Try]) -> None:
    """Put notes or placebos into the episodes of those arms, and pose every problem."""
    others = _others(tries)
    asked = {t.attempt_id: _opening(play, t, others[t.problem.domain]) for t in tries if t.dose}
    readings = {name: reading for name, reading in asked.items() if reading is not None}
    notes = dict(zip(readings, _found(play, list(readings.values())), strict=True))
    for t in tries:
        shown = _shown(play, t, notes.get(t.attempt_id, [])[: t.dose])
        domain = play.state.domains[t.problem.domain]
        e = t.episode
        t.episode = Episode(e.domain, e.spec, e.answer_key, e.form, tuple(shown), e.lookups)
        env = SolveEnv.from_episode(t.episode, domain, _Nothing())
        _show(t, env.observation, env.opponent)


def _show(t: _Try, observation: str, opponent: bool) -> None:
    t.theirs = opponent
    if opponent:
        t.asked = observation
    else:
        t.prompt = observation


def _others(tries: Sequence[_Try]) -> dict[str, list[Known]]:
    """The problems of the round by domain, each once, in order."""
    found: dict[str, dict[str, Known]] = {}
    for t in tries:
        found.setdefault(t.problem.domain, {})[t.problem.problem_id] = t.problem
    return {domain: list(problems.values()) for domain, problems in found.items()}


def _opening(play: Play, t: _Try, problems: Sequence[Known]) -> Reading | None:
    """What an attempt reads before it begins; None where there is no other problem to shuffle with."""
    if t.arm != "shuffled":
        return _reading(play, t, None)
    others = [p for p in problems if p.problem_id != t.problem.problem_id]
    if not others:
        return None
    other = others[int(generator(play.config.seed, "shuffle", t.attempt_id).integers(len(others)))]
    domain = play.state.domains[other.domain]
    return _reading(play, t, domain.about(other.spec, play.config.engine.form))


def _reading(play: Play, t: _Try, query: str | None) -> Reading:
    form, limit = play.config.engine.form, play.config.engine.prompt_chars
    domain, spec = play.state.domains[t.problem.domain], t.problem.spec
    posed = len(domain.pose(spec, form))
    # later observations of the episode need room beside the notes too
    taken = max(len(t.prompt), posed) + domain.longest(spec, form) - posed
    # a line break goes with each note, and a line that says whose it is
    beside = 1 + (longest_heading(play.state.population.agents) if _headed(play) else 0)
    return Reading(
        query=domain.about(spec, form) if query is None else query,
        reader=play.state.population.reader(t.solver.agent_id),
        arm=t.arm,
        domain=t.problem.domain,
        budget_chars=max(0, limit - taken - beside * play.config.rollout.notes),
        problem_id=t.problem.problem_id,
        ids=(t.attempt_id, str(len(t.episode.actions))),
    )


def _found(play: Play, readings: Sequence[Reading]) -> list[list[Hit]]:
    if not readings:
        return []
    try:
        return play.cluster.read(play.state.round, play.config.rollout.notes, readings)
    except WorkFailed as error:
        play.event("infrastructure", "read_failed", "librarian", str(error))
        return [[] for _ in readings]


def _shown(play: Play, t: _Try, hits: Sequence[Hit]) -> list[str]:
    """Hits as text for a prompt; what is shown is a row of ``reads``."""
    shown: list[str] = []
    limit = play.config.library.max_note_chars
    control_tokens = play.state.control_tokens()
    alphabet = set(play.state.domains[t.problem.domain].alphabet)
    for hit in hits:
        text = quote(hit.body, control_tokens=control_tokens, limit=limit)
        if not text or (t.episode.form == "terse" and not alphabet.issuperset(text)):
            continue  # the environment would leave it out
        play.rows.reads.append(
            Read(
                attempt_id=t.attempt_id,
                round=play.round,
                reader=t.solver.agent_id,
                note_id=hit.note_id,
                revision_id=hit.revision_id,
                arm=t.arm,
                rank=len(shown),
                tokens=hit.tokens,
                explored=hit.explored,
            )
        )
        if t.arm == "library":
            play.read_of.append(hit.author)
        shown.append(headed(hit, text) if _headed(play) else text)
    return shown


def _headed(play: Play) -> bool:
    """Whether readers are told whose a note is: not in the terse form, which has bodies alone."""
    return play.config.library.provenance and play.config.engine.form == "natural"


def _generate(play: Play, tries: Sequence[_Try]) -> None:
    by_version: dict[str, list[_Try]] = {}
    for t in tries:
        by_version.setdefault((t.theirs and t.opponent) or t.version, []).append(t)
    for version in sorted(by_version):
        group = by_version[version]
        done = play.cluster.generate(
            version,
            [play.generation(_prompt(t), "attempt", t.attempt_id, t.turns) for t in group],
            play.sampling(_longest(play, group)),
        )
        for t, completion in zip(group, done, strict=True):
            play.count(completion)
            t.turns += 1
            if t.theirs:
                t.answered = completion
            else:
                t.completion, t.prompt_tokens = completion.text, completion.prompt_tokens
                t.token_ids, t.logprobs = completion.token_ids, completion.logprobs
            if completion.finish == "error":
                t.lost = completion.failure


def _prompt(t: _Try) -> str:
    """What whoever is to move sees."""
    return t.asked if t.theirs else t.prompt


def _said(t: _Try) -> str:
    """What was written last."""
    return t.answered.text if t.theirs else t.completion


def _longest(play: Play, tries: Sequence[_Try]) -> int:
    """Tokens that an answer may have: twice the longest key, so that rambling costs little."""
    limit = play.config.engine.answer_tokens
    if not all(play.state.domains[t.problem.domain].one_step for t in tries):
        return limit
    longest = max({t.problem.key for t in tries}, key=lambda key: (len(key), key))
    return min(limit, 2 * play.state.key_tokens(longest) + 8)


def _step(play: Play, tries: Sequence[_Try]) -> None:
    going = [t for t in tries if t.lost is None]
    looked_up = [t for t in going if t.episode.lookups > 0 and _query(t) is not None]
    found = _found(play, [_reading(play, t, _query(t)) for t in looked_up])
    notes = {t.attempt_id: _shown(play, t, hits) for t, hits in zip(looked_up, found, strict=True)}
    results = play.cluster.step(
        [t.episode for t in going],
        [_said(t) for t in going],
        [notes.get(t.attempt_id, []) for t in going],
    )
    for t, result in zip(going, results, strict=True):
        said = _said(t)
        if t.theirs or not (isinstance(result, Failed) or result.done):
            t.earlier.append(_action(play, t, lookup=t.attempt_id in notes))
        if isinstance(result, Failed):
            t.lost = result.detail
        elif result.done:
            t.ended = result
        else:
            # what was looked up is part of the episode from now on, as if it had been given
            if t.attempt_id in notes:
                e = t.episode
                t.episode = Episode(
                    e.domain,
                    e.spec,
                    e.answer_key,
                    e.form,
                    (*e.notes, *notes[t.attempt_id]),
                    e.lookups - 1,
                    e.actions,
                )
            else:
                t.episode = t.episode.after(said)
            _show(t, result.observation, result.opponent)
        if t.ended is not None:
            t.episode = t.episode.after(said)


def _query(t: _Try) -> str | None:
    """What a completion looks up, by the environment's own rule; None where it is an answer."""
    return None if t.theirs else SolveEnv.query(t.completion, t.episode.form)


class _Nothing:
    """A library in which nothing is found; episodes are posed with the notes they were given."""

    def search(self, query: str, k: int) -> list[str]:
        return []


def _blame(ended: Stepped | None) -> Source | None:
    if ended is None:
        return "infrastructure"
    # an environment that broke says nothing about the solver
    return {"malformed": "solver", "error": "verifier"}.get(ended.verdict or "error")  # type: ignore[return-value]


def _action(play: Play, t: _Try, *, lookup: bool) -> Action:
    return Action(
        attempt_id=t.attempt_id,
        round=play.round,
        turn=t.turns - 1,
        prompt=_prompt(t),
        completion=_said(t),
        token_ids=t.answered.token_ids if t.theirs else t.token_ids,
        logprobs=t.answered.logprobs if t.theirs else t.logprobs,
        lookup=lookup,
        opponent=t.theirs,
    )


def _row(play: Play, t: _Try) -> Attempt:
    ended = t.ended
    return Attempt(
        attempt_id=t.attempt_id,
        round=play.round,
        problem_id=t.problem.problem_id,
        domain=t.problem.domain,
        solver=t.solver.agent_id,
        policy_version=t.version,
        library_version=play.state.library_version,
        arm=t.arm,
        dose=t.dose,
        form=t.episode.form,
        replay=t.replay,
        prompt=t.prompt,
        completion=t.completion,
        token_ids=t.token_ids,
        logprobs=t.logprobs,
        turns=t.turns,
        answer=None if ended is None else ended.answer,
        verdict="error" if ended is None or ended.verdict is None else ended.verdict,
        correct=ended is not None and ended.verdict == "correct",
        reward=0.0 if ended is None else ended.reward,
        prompt_tokens=t.prompt_tokens,
        failure_source=_blame(ended),
        failure=t.lost if ended is None else ended.failure,
    )
