"""What an agent does with its desk: one line of text, which a small model can be held to by a pattern.

    leave
    write lesson: Carry the one.
    write strategy [1 3]: Add the tens first.
    revise 2: Carry the one to the tens.
    review 1: It helped me with 27 + 5.
    dispute 1 [2]: Its second line is wrong.
    discuss 1: Does this hold for three numbers?
    outline: Adding / One digit / Carrying
    chapter 2: When the ones are ten or more, carry.
    merge 1 3: Add the ones, then the tens.
    archive 2: Note 1 says the same.
    publish organisation 1: It was checked, and it holds.

Numbers name notes on the desk, from 1, those of ``chapter`` a chapter of the book that lies there. Those
in brackets are cited. :func:`pattern` is a regular expression of what can be done with a desk,
:func:`parse` reads what was written. What follows the colon is untrusted and is never looked into.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

Verb = Literal[
    "leave",
    "write",
    "revise",
    "review",
    "dispute",
    "discuss",
    "outline",
    "chapter",
    "merge",
    "archive",
    "publish",
]
VERBS: tuple[Verb, ...] = get_args(Verb)
EDITORS: frozenset[Verb] = frozenset({"merge", "archive"})
"""What only an editor may do."""
Free = Literal["lesson", "strategy", "discussion"]
FREE: tuple[Free, ...] = get_args(Free)
"""Kinds of notes that ``write`` makes."""
Place = Literal["organisation", "public"]
PLACES: tuple[Place, ...] = get_args(Place)
"""Where ``publish`` moves a note, by who reads it there: fellow members, or everyone."""

SHORTEST = 8
"""Characters of a text at least, so that a model held to the pattern has to say something."""
MOST_CHAPTERS = 12
_CHAPTERS = " / "
_READERS: dict[Place, str] = {"organisation": "your organisation", "public": "everyone"}
_LINE = re.compile(
    r"(?P<verb>[a-z]+)(?: (?P<word>[a-z]+))?(?P<numbers>(?: [0-9]{1,3})*)(?: \[(?P<cited>[0-9 ]*)\])?"
    r"(?:: ?(?P<text>.*))?",
    re.DOTALL,
)


class Malformed(ValueError):
    """A text that is no action, or none that can be done with the desk; the message says why."""


@dataclass(frozen=True, slots=True)
class Action:
    """One decision."""

    verb: Verb
    kind: Free | None = None
    """Of the note that ``write`` makes."""
    numbers: tuple[int, ...] = ()
    """The notes that it is done to, two of them for ``merge``; for ``chapter`` the chapter."""
    cited: tuple[int, ...] = ()
    """Notes on the desk that the text refers to, beside those that it is done to."""
    text: str = ""
    """Untrusted."""
    place: Place | None = None
    """Where ``publish`` moves the note to."""

    @property
    def chapters(self) -> tuple[str, ...]:
        """For ``outline`` the titles after the book's own."""
        return tuple(part.strip() for part in self.text.split(_CHAPTERS)[1:])

    def __str__(self) -> str:
        """The line; ``parse`` reads the action from it."""
        if self.verb == "leave":
            return self.verb
        word = self.kind or self.place
        words = [self.verb, *([word] if word else []), *map(str, self.numbers)]
        cited = f" [{' '.join(map(str, self.cited))}]" if self.cited else ""
        return f"{' '.join(words)}{cited}: {self.text}"


@dataclass(frozen=True, slots=True)
class Choices:
    """What can be done with a desk."""

    notes: int
    """How many lie on it."""
    chapters: tuple[int, ...] = ()
    """Numbers of the chapters that can be written: none where no book lies there."""
    outward: Mapping[Place, Sequence[int]] = field(default_factory=dict)
    """Numbers of the notes that can be published, by where to."""
    verbs: Collection[Verb] = frozenset(VERBS)
    text_chars: int = 240
    """Characters of a text at most."""

    @property
    def allowed(self) -> list[Verb]:
        """What is left of ``verbs`` with so many notes and chapters, in the order of ``VERBS``."""
        needed = {"revise": 1, "review": 1, "dispute": 1, "discuss": 1, "archive": 1, "merge": 2}
        return [
            verb
            for verb in VERBS
            if (verb in self.verbs or verb == "leave")
            and self.notes >= needed.get(verb, 0)
            and (verb != "chapter" or self.chapters)
            and (verb != "publish" or self.places)
        ]

    @property
    def places(self) -> list[Place]:
        """Where a note can be published, in the order of ``PLACES``."""
        return [place for place in PLACES if self.outward.get(place)]

    @property
    def offered(self) -> list[Verb]:
        """What is offered of that: leaving only where ``verbs`` has it, or there is nothing else to do."""
        others = [verb for verb in self.allowed if verb != "leave" or "leave" in self.verbs]
        return others or ["leave"]


def pattern(choices: Choices) -> str:
    """A regular expression for the whole text of an action.

    Texts in it are of printable ASCII characters, so that they stay on a line; chapters have short titles.
    """
    number = _any(range(1, choices.notes + 1))
    text = f"[ -~]{{{SHORTEST},{choices.text_chars}}}"
    moves = "|".join(f"{place} {_any(choices.outward[place])}" for place in choices.places)
    title = "[A-Za-z0-9][A-Za-z0-9 ,.'-]{2,30}"
    forms: dict[Verb, str] = {
        "leave": "leave",
        "write": f"write ({'|'.join(FREE)}){_cites(choices, number)}: {text}",
        "revise": f"revise {number}: {text}",
        "review": f"review {number}: {text}",
        "dispute": f"dispute {number}{_cites(choices, number)}: {text}",
        "discuss": f"discuss {number}: {text}",
        "outline": f"outline: {title}( / {title}){{2,5}}",
        "chapter": f"chapter {_any(choices.chapters)}{_cites(choices, number)}: {text}",
        "merge": f"merge {number} {number}: {text}",
        "archive": f"archive {number}: {text}",
        "publish": f"publish ({moves}): {text}",
    }
    return f"({'|'.join(forms[verb] for verb in choices.offered)})"


def parse(text: str, choices: Choices) -> Action:
    """The action that ``text`` says. Raises :class:`Malformed`."""
    found = _LINE.fullmatch(text.strip())
    verb = found["verb"] if found else None
    if found is None or verb not in VERBS:
        raise Malformed(f"expected one of {', '.join(choices.allowed)}, got {text.strip()[:60]!r}")
    if verb not in choices.allowed:
        raise Malformed(f"expected what this desk allows ({', '.join(choices.allowed)}), got {verb!r}")
    word = found["word"]
    wanted = {"write": FREE, "publish": choices.places}.get(verb, ())
    if word not in (wanted or (None,)):
        form = f"{verb} and one of {', '.join(wanted)}" if wanted else f"{verb} without another word"
        raise Malformed(f"expected {form}, got {verb} {word or ''}".rstrip())
    numbers = tuple(map(int, found["numbers"].split()))
    cited = tuple(dict.fromkeys(map(int, (found["cited"] or "").split())))
    body = (found["text"] or "").strip()
    place = cast("Place", word) if verb == "publish" else None
    _check_numbers(verb, numbers, cited, choices, place)
    if verb == "leave":
        return Action("leave")
    if not body:
        raise Malformed(f"expected a text after {verb} and a colon, got none")
    if len(body) > choices.text_chars:
        raise Malformed(f"expected at most {choices.text_chars} characters of text, got {len(body)}")
    kind = cast("Free", word) if verb == "write" else None
    action = Action(verb, kind, numbers, cited, body, place)
    if verb == "outline" and not (
        1 <= len(action.chapters) <= MOST_CHAPTERS
        and all((*action.chapters, body.split(_CHAPTERS)[0].strip()))
    ):
        raise Malformed(
            f"expected a title and up to {MOST_CHAPTERS} chapters with ' / ' between, got {body[:60]!r}"
        )
    return action


def told(choices: Choices) -> list[str]:
    """A line for each thing that can be done, as a model is told."""
    lines: dict[Verb, str] = {
        "leave": "leave",
        "write": "write lesson: TEXT, or write strategy: TEXT, or write discussion: TEXT",
        "revise": "revise NUMBER: a better text of that note",
        "review": "review NUMBER: what is good or bad about that note",
        "dispute": "dispute NUMBER: what is wrong in that note",
        "discuss": "discuss NUMBER: a question or an answer about that note",
        "outline": "outline: TITLE OF A BOOK / CHAPTER / CHAPTER",
        "chapter": "chapter NUMBER: the text of that chapter of the book",
        "merge": "merge NUMBER NUMBER: one text in the place of those two notes",
        "archive": "archive NUMBER: why nobody needs that note",
        "publish": ", or ".join(
            f"publish {place} NUMBER: why {_READERS[place]} should read that note"
            for place in choices.places
        ),
    }
    return [lines[verb] for verb in choices.offered]


def _check_numbers(
    verb: str, numbers: Sequence[int], cited: Sequence[int], choices: Choices, place: Place | None
) -> None:
    """Raise Malformed where the numbers are not those of notes or chapters that are there."""
    wanted = {"leave": 0, "write": 0, "outline": 0, "merge": 2}.get(verb, 1)
    if len(numbers) != wanted or len(set(numbers)) < wanted:
        raise Malformed(
            f"expected {wanted} different numbers after {verb}, got {len(numbers)}: {[*numbers]}"
        )
    there = choices.chapters if verb == "chapter" else range(1, choices.notes + 1)
    strange = [n for n in numbers if n not in there]
    strange += [n for n in cited if not 1 <= n <= choices.notes]
    if strange:
        raise Malformed(f"expected numbers of what is on the desk, got {strange[0]}")
    if place is not None and numbers[0] not in choices.outward[place]:
        can = ", ".join(map(str, choices.outward[place]))
        raise Malformed(f"expected a note that can be published to {place} ({can}), got {numbers[0]}")


def _any(numbers: Collection[int]) -> str:
    return f"({'|'.join(map(str, numbers))})"


def _cites(choices: Choices, number: str) -> str:
    return f"( \\[{number}\\])?" if choices.notes else ""
