"""Agents decide what to write: each sits at a desk of notes and answers with one action.

The librarian says what lies on a desk, ``agents.actions`` what can be done with it. A model answers in
that format, held to its pattern where the engine can, or the scripted policy does. Texts that hold a
problem that the run is measured by are refused. Every decision is a row of ``decisions``, whatever became
of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agents.actions import EDITORS, Choices, Malformed, Place, parse, pattern, told
from agents.scripted import Situation, decide
from arena.accounts import account_of
from arena.entries import Seat, entries_of, place_of
from arena.pools import WorkFailed
from culture.books import contents
from culture.desk import Ask, Desk, Item
from culture.edits import Edit, note_id
from culture.publishing import Entry
from culture.records import Attempt, Decision
from culture.seeds import generator, short_id
from culture.trust import confirmed

if TYPE_CHECKING:
    from arena.round import Play


@dataclass(slots=True)
class Decided:
    """A decision, and what it asks of the library."""

    row: Decision
    entries: list[Entry]
    """The first is the note that the row names."""


def decide_all(play: Play, attempts: Sequence[Attempt], first_index: int) -> list[Decided]:
    """The decisions of a round. ``first_index``: how many edits the round has already."""
    seats = _seats(play, attempts)
    if not seats:
        return []
    asks = [_ask(play, seat) for seat in seats]
    try:
        desks = play.cluster.desks(play.state.round, asks)
    except WorkFailed as error:
        play.event("infrastructure", "desks_failed", "librarian", str(error))
        return []
    choices = [_choices(play, seat, desk) for seat, desk in zip(seats, desks, strict=True)]
    if play.config.writing.by == "scripted":
        answers = [_scripted(play, *each) for each in zip(seats, desks, choices, strict=True)]
    else:
        answers = _asked(play, seats, desks, choices)
    decided: list[Decided] = []
    index = first_index
    for seat, desk, allowed, answer in zip(seats, desks, choices, answers, strict=True):
        found = _decided(play, seat, desk, allowed, answer, index)
        index += len(found.entries)
        decided.append(found)
    return decided


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered at a desk."""

    prompt: str
    completion: str
    policy_version: str | None
    lost: str | None = None


def _seats(play: Play, attempts: Sequence[Attempt]) -> list[Seat]:
    """Who decides in this round: drawn among editors and those that attempted something."""
    count = play.config.writing.decisions
    if not count:
        return []
    population, known = play.state.population, play.state.known
    mine: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        if attempt.verdict != "error":
            mine.setdefault(attempt.solver, []).append(attempt)
    if not mine:
        return []
    rng = generator(play.config.seed, "seats", play.round)
    # a hostile editor without a policy writes what its script says, and nothing else
    editors = [a.agent_id for a in population.with_role("editor") if a.policy and a.agent_id not in mine]
    order = [*editors, *sorted(mine)]
    rng.shuffle(order)
    seats = []
    problems = list(dict.fromkeys(a.problem_id for a in attempts))
    for name in order[:count]:
        agent = population.agent(name)
        if name in mine:
            attempt = mine[name][int(rng.integers(len(mine[name])))]
            seats.append(Seat(agent, known[attempt.problem_id], attempt))
        else:
            seats.append(Seat(agent, known[problems[int(rng.integers(len(problems)))]], None))
    return seats


def _ask(play: Play, seat: Seat) -> Ask:
    agent, config = seat.agent, play.config
    attempt = None if seat.attempt is None else seat.attempt.attempt_id
    read = [r.note_id for r in play.rows.reads if r.attempt_id == attempt and r.arm != "placebo"]
    domain = play.state.domains[seat.problem.domain]
    return Ask(
        play.state.population.reader(agent.agent_id),
        seat.problem.domain,
        domain.about(seat.problem.spec, config.engine.form),
        tuple(read),
        config.writing.desk,
        ("desk", agent.agent_id, play.round),
    )


def _choices(play: Play, seat: Seat, desk: Desk) -> Choices:
    writing = play.config.writing
    verbs = set(writing.verbs)
    if "editor" not in seat.agent.roles:
        verbs -= EDITORS
    if desk.book is not None:
        verbs.discard("outline")  # one book at a time
    chapters = () if desk.book is None else desk.book.unwritten
    outward: dict[Place, list[int]] = {}
    for number, item in enumerate(desk.items, 1):
        for shelf in item.outward:
            outward.setdefault(place_of(shelf), []).append(number)
    return Choices(len(desk.items), chapters, outward, frozenset(verbs), writing.text_chars)


def _scripted(play: Play, seat: Seat, desk: Desk, choices: Choices) -> Answer:
    account = None if seat.attempt is None else account_of(play, seat.attempt, "lesson")
    solved = seat.attempt is not None and seat.attempt.correct
    lesson = None if account is None else account.body
    situation = Situation(seat.agent.agent_id, seat.problem.domain, choices, desk, solved, lesson)
    rng = generator(play.config.seed, "scripted", play.round, seat.agent.agent_id)
    return Answer("", str(decide(situation, rng)), None)


def _asked(
    play: Play, seats: Sequence[Seat], desks: Sequence[Desk], choices: Sequence[Choices]
) -> list[Answer]:
    """What the agents' policies answer."""
    prompts = [prompt(play, *each) for each in zip(seats, desks, choices, strict=True)]
    agents = [seat.agent for seat in seats]
    requests = [
        play.generation(
            text, "decide", agent.agent_id, pattern=pattern(allowed) if play.held(agent.policy) else None
        )
        for agent, text, allowed in zip(agents, prompts, choices, strict=True)
    ]
    writing = play.config.writing
    done = play.completions(
        agents, requests, play.sampling(writing.tokens, temperature=writing.temperature)
    )
    return [
        Answer(text, c.text, play.version_of(agent), c.failure if c.finish == "error" else None)
        for agent, text, c in zip(agents, prompts, done, strict=True)
    ]


def prompt(play: Play, seat: Seat, desk: Desk, choices: Choices) -> str:
    """What a model is told before it decides. Texts of others are quoted, and marked as theirs."""
    form = play.config.engine.form
    domain = play.state.domains[seat.problem.domain]
    lines = [
        "You and others share a library of notes about how to solve problems. Decide what to do with the",
        "notes on your desk. Answer with one of these, on one line:",
        *(f"- {line}" for line in told(choices)),
        "",
        f"You are {seat.agent.agent_id}. {seat.agent.persona}".rstrip(),
        "You worked on this problem:",
        *play.quoted(domain.pose(seat.problem.spec, form)),
    ]
    if seat.attempt is not None:
        verdict = "right" if seat.attempt.correct else "wrong"
        lines.append(f"Your answer was {verdict}. You wrote:")
        lines += play.quoted(seat.attempt.completion)
    if seat.problem.key:
        lines += ["This is how it is solved:", *play.quoted(seat.problem.key)]
    lines.append("On your desk:" if desk.items else "Your desk is empty.")
    for number, item in enumerate(desk.items, 1):
        told_of = f"a {item.note.kind} by {item.revision.author}{_where(item)}{_why(item)}"
        lines.append(f"Note {number}, {told_of}:")
        lines += play.quoted(item.conflict or item.revision.body)
    if desk.book is not None:
        lines += ["A book that is being written:", *play.quoted(desk.book.title)]
        lines += play.quoted("\n".join(contents(desk.book)))
    return "\n".join(lines)


def _where(item: Item) -> str:
    """On which shelf a note stands, and whether it was checked, for whoever may publish it."""
    if not item.outward:
        return ""
    where = "on your own shelf" if item.note.shelf.startswith("agent:") else "on your organisation's shelf"
    return f", {where}, checked and right" if confirmed(item.revision.evidence) else f", {where}"


def _why(item: Item) -> str:
    said = f", {item.talk} comments" if item.talk else ""
    if item.conflict is not None:
        return f"{said}; your text and a newer one differ, write the one that should stand"
    return f"{said}, which you had read" if item.why == "read" else said


def _decided(play: Play, seat: Seat, desk: Desk, choices: Choices, answer: Answer, index: int) -> Decided:
    row = Decision(
        decision_id=short_id("d", play.config.seed, play.round, seat.agent.agent_id),
        round=play.round,
        agent_id=seat.agent.agent_id,
        policy_version=answer.policy_version,
        domain=seat.problem.domain,
        problem_id=seat.problem.problem_id,
        club=None,
        read=[i.revision.revision_id for i in desk.items],
        prompt=answer.prompt,
        completion=answer.completion,
        action=None,
        note_id=None,
        outcome="lost",
        reason=answer.lost,
    )
    if answer.lost is not None:
        return Decided(row, [])
    try:
        action = parse(answer.completion, choices)
    except Malformed as error:
        return Decided(replace(row, outcome="malformed", reason=str(error)), [])
    if action.verb == "leave":
        return Decided(replace(row, action="leave", outcome="left"), [])
    entries = entries_of(play, seat, desk, action, answer.policy_version, index)
    first = entries[0]
    written = first.body if isinstance(first, Edit) else ""
    anchor = play.state.held_out_texts.found_in(f"{action.text}\n{written}")
    if anchor is not None:
        return Decided(replace(row, action=action.verb, outcome="refused", reason="anchor"), [])
    note = (
        note_id(play.config.seed, first) if isinstance(first, Edit) and not first.note_id else first.note_id
    )
    return Decided(replace(row, action=action.verb, note_id=note, outcome="written"), entries)
