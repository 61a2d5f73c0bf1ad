"""What a text states that can be checked: claims, and what is left of the text besides them.

A domain reads them out of a note (``Domain.claims``) and says by execution whether they hold
(``Domain.refuted``); ``arena.rechecking`` draws the conclusion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

ANSWER: Final = "Answer:"
"""What the last line of a natural worked example begins with."""
_LONGEST: Final = 80
"""Lines of one worked example, at most."""


@dataclass(frozen=True, slots=True)
class Claim:
    """That a problem has this answer, by this working."""

    spec: str
    """The problem in canonical form, or whatever else the domain can decide."""
    answer: str
    worked: tuple[str, ...] = ()
    """All intermediate values, the answer last; empty where the text gives the answer alone."""


@dataclass(frozen=True, slots=True)
class Stated:
    """A text taken apart."""

    claims: tuple[Claim, ...]
    rest: str
    """Its other lines; empty where the text says nothing but its claims."""


def stated(body: str, read: Callable[[str], list[Claim]]) -> Stated:
    """A text taken apart by lines; several together are one part where the last begins with ``Answer:``.

    ``read`` gives the claims of a part, none where it is not made of claims alone. Blank lines say nothing.
    """
    claims: list[Claim] = []
    rest: list[str] = []
    waiting: list[str] = []
    for line in body.split("\n"):
        if not line.strip():
            continue
        if found := read(line):
            claims += found
            rest += waiting
            waiting = []
            continue
        waiting.append(line)
        if line.startswith(ANSWER):
            # what stands before a worked example is no part of it
            first = max(0, len(waiting) - _LONGEST)
            for at in range(first, len(waiting)):
                if found := read("\n".join(waiting[at:])):
                    claims += found
                    waiting = waiting[:at]
                    break
            rest += waiting
            waiting = []
    return Stated(tuple(claims), "\n".join(rest + waiting))
