"""What an action asks of the library: notes to write or to revise, to archive or to publish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from agents.actions import Action, Place, Verb
from arena.accounts import shelf_of
from arena.state import Known
from culture.books import outline
from culture.desk import Desk, Item
from culture.edits import PUBLIC, Archive, Edit, Kind, Target, note_id
from culture.publishing import Entry, Publication
from culture.records import Agent, Attempt

if TYPE_CHECKING:
    from arena.round import Play

_Cited = Sequence[tuple[Target, str]]
_KINDS: dict[Verb, Kind] = {
    "review": "review", "dispute": "dispute", "discuss": "discussion", "outline": "book",
    "chapter": "chapter", "merge": "strategy",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seat:
    """An agent with what it worked on."""

    agent: Agent
    problem: Known
    attempt: Attempt | None
    """None for an editor that attempted nothing."""


def entries_of(
    play: Play, seat: Seat, desk: Desk, action: Action, policy_version: str | None, index: int
) -> list[Entry]:
    """What an action asks of the library; its note first."""
    items = [desk.items[n - 1] for n in action.numbers] if action.verb != "chapter" else []
    read = [i.revision.revision_id for i in desk.items]
    edit = _new(play, seat, action, policy_version, index, read)
    cited: list[tuple[Target, str]] = [("note", desk.items[n - 1].note.note_id) for n in action.cited]
    own = list(edit.citations)
    match action.verb:
        case "write":
            return [replace(edit, citations=_once([*own, *cited]))]
        case "revise":
            return [_revision(edit, items[0], _once([*own, *cited]))]
        case "review" | "dispute" | "discuss":
            about = items[0]
            evidence = {**edit.evidence, "about": about.revision.revision_id}
            return [
                replace(
                    edit, title=_cut(play, f"about {about.note.title or about.note.kind}"),
                    evidence=evidence, citations=_once([("note", about.note.note_id), *own, *cited]),
                )
            ]  # fmt: skip
        case "outline":
            title, *chapters = (action.text.split(" / ")[0], *action.chapters)
            return [replace(edit, title=_cut(play, title), body=outline(title, chapters), citations=())]
        case "chapter":
            assert desk.book is not None
            number = action.numbers[0]
            name = next(c.title for c in desk.book.chapters if c.number == number)
            return [
                replace(
                    edit, title=_cut(play, f"{desk.book.title}: {name}. {edit.title}"),
                    evidence={**edit.evidence, "chapter": number},
                    citations=_once([("note", desk.book.note_id), *own, *cited]),
                )
            ]  # fmt: skip
        case "merge":
            names = [i.note.note_id for i in items]
            sources: list[tuple[Target, str]] = [("note", name) for name in names]
            merged = replace(edit, citations=_once([*own, *sources]))
            by = {"superseded_by": note_id(play.config.seed, merged)}
            return [merged, *(_archive(seat, name, policy_version, play.round, by) for name in names)]
        case "publish":
            (item,) = items
            shelf = next(shelf for shelf in item.outward if place_of(shelf) == action.place)
            return [
                Publication(
                    item.note.note_id, seat.agent.agent_id, play.round, shelf, policy_version,
                    {"why": action.text, "read": read},
                )
            ]  # fmt: skip
        case _:
            why = {"why": action.text, "read": read}
            return [_archive(seat, items[0].note.note_id, policy_version, play.round, why)]


def place_of(shelf: str) -> Place:
    """Where an agent publishes to when it publishes to ``shelf``."""
    return "public" if shelf == PUBLIC else "organisation"


def _new(
    play: Play, seat: Seat, action: Action, policy_version: str | None, index: int, read: list[str]
) -> Edit:
    """A new note with the text of an action, about the problem that was worked on."""
    domain = play.state.domains[seat.problem.domain]
    about = domain.about(seat.problem.spec, play.config.engine.form)
    citations: list[tuple[Target, str]] = [("problem", seat.problem.problem_id)]
    evidence: dict[str, object] = {"read": read}
    if seat.attempt is not None:
        citations.append(("attempt", seat.attempt.attempt_id))
        evidence["solved"] = seat.attempt.correct
    return Edit(
        note_id=None,
        base_revision_id=None,
        kind=action.kind or _KINDS.get(action.verb, "lesson"),
        domain=seat.problem.domain,
        shelf=shelf_of(play, seat.agent.agent_id),
        title=_cut(play, about),
        body=action.text,
        author=seat.agent.agent_id,
        policy_version=policy_version,
        round=play.round,
        index=index,
        citations=tuple(citations),
        evidence=evidence,
    )


def _revision(edit: Edit, item: Item, citations: _Cited) -> Edit:
    """An edit of a note on the desk, which settles a conflict where it lies there for that."""
    note = item.note
    return replace(
        edit,
        note_id=note.note_id,
        base_revision_id=item.revision.revision_id,
        kind=cast("Kind", note.kind),
        domain=note.domain,
        shelf=note.shelf,
        title=note.title,
        resolves=() if item.branch is None else (item.branch,),
        citations=citations,
    )


def _archive(
    seat: Seat, name: str, policy_version: str | None, round: int, evidence: Mapping[str, object]
) -> Archive:
    return Archive(name, seat.agent.agent_id, policy_version, round, dict(evidence))


def _cut(play: Play, title: str) -> str:
    return " ".join(title.split())[: play.config.library.max_title_chars]


def _once(citations: _Cited) -> tuple[tuple[Target, str], ...]:
    return tuple(dict.fromkeys(citations))
