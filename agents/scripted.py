"""The scripted policy of writers: what to do with a desk where a model cannot say it.

It takes the decisions that a model would be asked for, in the same format, by rules that any reader can
check: settle what conflicts, dispute what execution refutes, and of the rest one thing at random: say
whether what was read helped, publish what there is evidence for, write a chapter that is missing, begin a
book, write down a lesson, or leave. A note that execution confirmed is published to everyone, one that was
read before a right answer to the organisation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents.actions import Action, Choices
from culture.books import Book
from culture.desk import Desk, Item
from culture.merging import BETWEEN, OURS, THEIRS
from culture.trust import confirmed

BEGINNING = ("What helps at first", "What helps with more", "What helps with most")
"""Chapters of a book that it begins."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the scripted policy knows of an agent and its desk."""

    agent_id: str
    domain: str
    choices: Choices
    desk: Desk
    solved: bool
    """Whether the agent solved the problem that it worked on."""
    lesson: str | None
    """What the domain tells about that problem, in the form that solvers read."""
    refuted: frozenset[int] = frozenset()
    """Numbers of notes on the desk whose claims failed by execution."""


def decide(situation: Situation, rng: np.random.Generator) -> Action:
    """What to do with the desk."""
    s = situation
    for number, item in enumerate(s.desk.items, 1):
        if item.conflict is not None and "revise" in s.choices.allowed:
            return Action("revise", numbers=(number,), text=settled(item))
    for number, item in enumerate(s.desk.items, 1):
        theirs = item.note.author != s.agent_id and item.why != "talk"
        if number in s.refuted and theirs and "dispute" in s.choices.allowed:
            text = "What it says is not what execution gives."
            return Action("dispute", numbers=(number,), text=text)
    options = [a for a in _options(s) if a.verb in s.choices.allowed]
    options = [a for a in options if len(a.text) <= s.choices.text_chars]
    options.append(Action("leave"))
    return options[int(rng.integers(len(options)))]


def settled(item: Item) -> str:
    """A text without markers for a conflict: both sides, each line once; of single lines its own."""
    assert item.conflict is not None
    lines = item.conflict.split("\n")
    kept = [line for line in lines if line not in (OURS, BETWEEN, THEIRS)]
    if lines[0] == OURS and lines[-1] == THEIRS and len(kept) == 2:
        return kept[1]
    return "\n".join(dict.fromkeys(kept))


def _options(s: Situation) -> list[Action]:
    """What it could do, each once."""
    found: list[Action] = []
    for number, item in enumerate(s.desk.items, 1):
        theirs = item.note.author != s.agent_id
        if theirs and item.why == "read" and not item.talk:
            text = "Read before a right answer." if s.solved else "Read before a wrong answer."
            found.append(Action("review", numbers=(number,), text=text))
        elif theirs and item.why == "talk" and item.note.kind == "review" and not item.talk:
            agreed = "It went the same way here." if s.solved else "It went another way here."
            found.append(Action("discuss", numbers=(number,), text=agreed))
    found += _publications(s)
    if s.lesson is None:
        return found
    if s.desk.book is None:
        title = f"{s.domain} {len(s.desk.items)}"
        found.append(Action("outline", text=" / ".join((title, *BEGINNING))))
    else:
        found.append(_chapter(s.desk.book, s.desk.items, s.lesson))
    grown = [n for n, item in enumerate(s.desk.items, 1) if item.note.kind in ("chapter", "strategy")]
    for number in grown:
        body = s.desk.items[number - 1].revision.body
        if s.lesson not in body.split("\n"):
            found.append(Action("revise", numbers=(number,), text=f"{body}\n{s.lesson}"))
    found.append(Action("write", "strategy" if s.solved else "lesson", text=s.lesson))
    return found


def _publications(s: Situation) -> list[Action]:
    """Notes that there is evidence for, each to whom the evidence is good enough for."""
    found: list[Action] = []
    for number, item in enumerate(s.desk.items, 1):
        if number in s.choices.outward.get("public", ()) and confirmed(item.revision.evidence):
            text = "Execution confirmed all that it says."
            found.append(Action("publish", numbers=(number,), text=text, place="public"))
        elif number in s.choices.outward.get("organisation", ()) and item.why == "read" and s.solved:
            text = "Read before a right answer."
            found.append(Action("publish", numbers=(number,), text=text, place="organisation"))
    return found


def _chapter(book: Book, items: tuple[Item, ...], lesson: str) -> Action:
    """The first missing chapter: what was learned, after what the notes on the desk say of it."""
    bodies = [i.revision.body for i in items if i.note.kind in ("example", "lesson")]
    cited = tuple(n for n, i in enumerate(items, 1) if i.note.kind in ("example", "lesson"))
    text = "\n".join(dict.fromkeys([*bodies, lesson]))
    return Action("chapter", numbers=(book.unwritten[0],), cited=cited, text=text)
