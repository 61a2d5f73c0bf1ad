"""Whose a note is, told to its readers: a line before the quotation that says who wrote it, when, and
whether execution confirmed it.

The line stands outside the quotation, and every line of the quotation begins with ``> ``: nothing that a
note says can pose as the line of another. Between the two goes a character that no quoted text has, so that
an episode remains plain texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from culture.edits import IMPORT
from culture.reading import Hit
from culture.records import Agent

_END: Final = "\x1e"
"""Ends a heading; ``culture.quoting.quote`` leaves no such character in a text."""
_DIGITS: Final = 7
"""Of the number of a round, at most."""


def headed(hit: Hit, text: str) -> str:
    """``text``, which is that of ``hit`` as it may be shown, with its heading."""
    return f"{_heading(hit.author, str(hit.round), hit.checked)}{_END}{text}"


def longest_heading(agents: Sequence[Agent]) -> int:
    """Characters that a heading adds to a note, with its line break, whoever of ``agents`` wrote it."""
    name = max((a.agent_id for a in agents), key=len, default=IMPORT)
    return len(_heading(max(name, IMPORT, key=len), "9" * _DIGITS, False)) + 1


def quoted(notes: Sequence[str]) -> str:
    """Notes as a prompt of the natural form has them, each behind its heading where it has one."""
    shown = []
    for note in notes:
        heading, end, text = note.partition(_END)
        lines = "> " + (text if end else note).replace("\n", "\n> ")
        shown.append(f"{heading}\n{lines}" if end else lines)
    # without headings notes are one quotation, as they are with them a quotation each
    return ("\n\n" if any(_END in note for note in notes) else "\n>\n").join(shown)


def _heading(author: str, round: str, checked: bool) -> str:
    return f"Note by {author}, round {round}, {'checked' if checked else 'not checked'}:"
