"""A book club: a group reads a chapter, says what it makes of it, answers one another, and poses problems.

The problems are judged by execution as all proposals are, and those that are admitted are attempted in the
same round, so what is verified becomes training rows. Where at least one was admitted, what was said is
worth keeping: a discussion of the chapter that cites it and the problems. Every remark is a decision.

Where the scripted policy writes, members say which line of the chapter they started from, and pose what
the domain's operator makes of it; nobody answers anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from agents.engines.base import Completion, Sampling
from arena.accounts import shelf_of
from arena.domains.base import Domain, Rejected
from arena.pools import WorkFailed
from culture.clubs import Chosen, Invitation
from culture.edits import Edit, Target, note_id
from culture.quoting import quote
from culture.records import Agent, Decision, Problem
from culture.seeds import generator, short_id

if TYPE_CHECKING:
    from arena.round import Play

TEXT = "[ -~]{8,240}"
"""What a remark is held to, where an engine can hold a model to it."""


@dataclass(frozen=True, slots=True)
class Posed:
    """A problem that a member wrote from the chapter."""

    member: Agent
    domain: str
    prompt: str
    completion: Completion


@dataclass(slots=True)
class Meeting:
    """A club's evening."""

    host: Agent
    chapter: Chosen
    remarks: list[Decision] = field(default_factory=list)
    posed: list[Posed] = field(default_factory=list)


def meet(play: Play) -> list[Meeting]:
    """The clubs of a round: one for each domain that has a chapter to talk about."""
    config = play.config.club
    if not config.every or (play.round + 1) % config.every or play.state.round < 0:
        return []
    hosts = {name: _host(play, name) for name in play.config.domains}
    invitations = [
        Invitation(play.state.population.reader(host.agent_id), name, ("club", name, play.round))
        for name, host in hosts.items()
    ]
    try:
        chosen = play.cluster.club_chapters(play.state.round, invitations)
    except WorkFailed as error:
        play.event("infrastructure", "club_failed", "librarian", str(error))
        return []
    meetings = [
        Meeting(host, chapter)
        for host, chapter in zip(hosts.values(), chosen, strict=True)
        if chapter is not None
    ]
    for meeting in meetings:
        members = _members(play, meeting)
        if play.config.writing.by == "scripted":
            _start_from_lines(play, meeting, members)
        else:
            _talk(play, meeting, members)
            _pose(play, meeting, members)
    return meetings


def minutes(play: Play, meetings: Sequence[Meeting], index: int) -> list[Edit]:
    """What is kept of the round's clubs, as notes; their remarks are put among the round's decisions."""
    edits: list[Edit] = []
    for meeting in meetings:
        names = {(p.member.agent_id, p.completion.text) for p in meeting.posed}
        admitted = [
            p for p in play.rows.problems
            if p.origin == "club" and p.status == "admitted" and (p.proposer, p.text) in names
        ]  # fmt: skip
        kept = _kept(play, meeting, admitted, index + len(edits)) if admitted else None
        name = None if kept is None else note_id(play.config.seed, kept)
        for row in meeting.remarks:
            done = row.outcome if row.outcome == "lost" else "left" if name is None else "written"
            play.rows.decisions.append(replace(row, note_id=name, outcome=done))
        if kept is not None:
            edits.append(kept)
    return edits


def _kept(play: Play, meeting: Meeting, admitted: Sequence[Problem], index: int) -> Edit:
    chapter, host = meeting.chapter, meeting.host
    lines = [
        f"{row.agent_id}: {row.completion.strip()}" for row in meeting.remarks if row.completion.strip()
    ]
    lines += [f"{p.proposer} asks: {p.spec}" for p in admitted]
    body = ""
    for line in lines:  # as many whole lines as a note may have, none that holds what measures the run
        longer = f"{body}\n{line}" if body else line
        fits = len(longer) <= play.config.library.max_note_chars
        if fits and play.state.held_out_texts.found_in(line) is None:
            body = longer
    problems: list[tuple[Target, str]] = [("problem", p.problem_id) for p in admitted]
    title = f"about {chapter.note.title}"[: play.config.library.max_title_chars]
    return Edit(
        None, None, "discussion", chapter.note.domain, shelf_of(play, host.agent_id), title, body,
        host.agent_id, None if play.config.writing.by == "scripted" else play.version_of(host), play.round,
        index=index,
        citations=(("note", chapter.note.note_id), *problems),
        evidence={"about": chapter.revision.revision_id, "admitted": len(admitted)},
    )  # fmt: skip


# -- who ---------------------------------------------------------------------------------------------
def _host(play: Play, domain: str) -> Agent:
    solvers = play.state.population.with_role("solver")
    rng = generator(play.config.seed, "host", play.round, domain)
    return solvers[int(rng.integers(len(solvers)))]


def _members(play: Play, meeting: Meeting) -> list[Agent]:
    """The host and neighbours of it, as many as a club has, those that may read the chapter."""
    population, chapter = play.state.population, meeting.chapter
    near = [population.agent(name) for name in meeting.host.neighbours]
    near = [
        a
        for a in near
        if {"solver", "proposer"} & set(a.roles) and population.reader(a.agent_id).sees(chapter.note)
    ]
    rng = generator(play.config.seed, "club", play.round, chapter.note.note_id)
    rng.shuffle(near)
    return [meeting.host, *near[: play.config.club.members - 1]]


# -- talk --------------------------------------------------------------------------------------------
def _talk(play: Play, meeting: Meeting, members: Sequence[Agent]) -> None:
    """Everyone's remark, and then everyone's answer to the others'."""
    chapter = meeting.chapter
    read = [
        f"You are in a book club. The book is called {_inline(play, chapter.book_title)}.",
        "This chapter of it was read:",
        *play.quoted(chapter.revision.body),
    ]
    ask = "Say in one or two sentences what you make of it."
    remarks = _said(play, meeting, members, [("\n".join([*read, ask]))] * len(members), "remark")
    prompts = []
    for own, member in enumerate(members):
        others = [
            line
            for at, row in enumerate(remarks)
            if at != own and row.completion.strip()
            for line in (f"{row.agent_id} said:", *play.quoted(row.completion))
        ]
        answer = f"You are {member.agent_id}. Answer them in one or two sentences."
        prompts.append("\n".join([*read, *others, answer]))
    meeting.remarks = [*remarks, *_said(play, meeting, members, prompts, "answer")]


def _said(
    play: Play, meeting: Meeting, members: Sequence[Agent], prompts: Sequence[str], turn: str
) -> list[Decision]:
    done = _generated(
        play, members, prompts, f"club_{turn}", TEXT, meeting.chapter.note.domain,
        play.sampling(play.config.club.tokens, temperature=play.config.writing.temperature),
    )  # fmt: skip
    return [
        _remark(play, meeting, member, turn, prompt, completion.text, completion.policy_version, completion)
        for member, prompt, completion in zip(members, prompts, done, strict=True)
    ]


def _remark(
    play: Play,
    meeting: Meeting,
    member: Agent,
    turn: str,
    prompt: str,
    text: str,
    policy_version: str | None,
    completion: Completion | None,
) -> Decision:
    chapter = meeting.chapter
    lost = completion is not None and completion.finish == "error"
    return Decision(
        decision_id=short_id(
            "d", play.config.seed, play.round, chapter.note.note_id, member.agent_id, turn
        ),
        round=play.round,
        agent_id=member.agent_id,
        policy_version=policy_version,
        domain=chapter.note.domain,
        problem_id=None,
        club=chapter.note.note_id,
        read=[chapter.revision.revision_id],
        prompt=prompt,
        completion=text,
        action="discuss",
        note_id=None,
        outcome="lost" if lost else "left",
        reason=completion.failure if lost and completion is not None else None,
    )


# -- problems ----------------------------------------------------------------------------------------
def _pose(play: Play, meeting: Meeting, members: Sequence[Agent]) -> None:
    """Problems that members write with the chapter before them."""
    chapter = meeting.chapter
    domain = play.state.domains[chapter.note.domain]
    brief = domain.brief(play.config.engine.form, None, None)
    prompt = "\n".join([brief, "Make it from what this says:", *play.quoted(chapter.revision.body)])
    count = play.config.club.problems
    who = [members[i % len(members)] for i in range(count)]
    done = _generated(
        play, who, [prompt] * count, "club_pose", domain.pattern(play.config.engine.form, None),
        chapter.note.domain, play.sampling(play.config.engine.proposal_tokens),
    )  # fmt: skip
    meeting.posed = [
        Posed(member, chapter.note.domain, prompt, completion)
        for member, completion in zip(who, done, strict=True)
    ]


def _start_from_lines(play: Play, meeting: Meeting, members: Sequence[Agent]) -> None:
    """What the domain's operator makes of problems that are written in the chapter."""
    chapter, form = meeting.chapter, play.config.engine.form
    domain = play.state.domains[chapter.note.domain]
    found = _problems_in(domain, chapter.revision.body)
    rng = generator(play.config.seed, "club_pose", play.round, chapter.note.note_id)
    for i in range(play.config.club.problems if found else 0):
        member = members[i % len(members)]
        line, spec = found[int(rng.integers(len(found)))]
        text = domain.write(domain.mutate(spec, rng), form)
        ids = play.state.token_ids(member.policy, text)
        made = Completion(text, ids, [], 0, "", "stop")
        meeting.posed.append(Posed(member, chapter.note.domain, domain.brief(form, None, spec), made))
        said = f"From {line} comes {text}"
        meeting.remarks.append(_remark(play, meeting, member, f"start_{i}", "", said, None, None))


def _problems_in(domain: Domain, body: str) -> list[tuple[str, str]]:
    """Lines of a text that begin with a problem, up to an equals sign, and their specs."""
    found = []
    for line in body.split("\n"):
        try:
            found.append((line, domain.parse(line.partition("=")[0])))
        except Rejected:
            continue
    return found


# -- pieces ------------------------------------------------------------------------------------------
def _generated(
    play: Play,
    members: Sequence[Agent],
    prompts: Sequence[str],
    purpose: str,
    pattern: str | None,
    domain: str,
    sampling: Sampling,
) -> list[Completion]:
    """A completion by each member's policy, held to a pattern where it can be."""
    requests = [
        play.generation(
            text, purpose, domain, member.agent_id, i, pattern=pattern if play.held(member.policy) else None
        )
        for i, (member, text) in enumerate(zip(members, prompts, strict=True))
    ]
    return play.completions(members, requests, sampling)


def _inline(play: Play, text: str) -> str:
    limit = play.config.library.max_title_chars
    return " ".join(quote(text, control_tokens=play.state.control_tokens(), limit=limit).split())
