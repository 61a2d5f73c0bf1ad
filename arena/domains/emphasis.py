"""Markdown's emphasis around what a model answers: part of how it writes, and no part of the answer."""

from __future__ import annotations

import re
from typing import Final

_LABEL: Final = re.compile(
    r"^[^\w\n]*?(?P<emphasis>[*_`]*)[ \t]*answer[ \t]*(?P<closed>[*_`]*)[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)
_EMPHASISED: Final = re.compile(r"([*_`]+)(.+)\1", re.DOTALL)


def labelled(completion: str) -> str:
    """What stands behind the last ``Answer:`` that begins a line, else the whole completion, without spaces
    at its ends and without the end of an emphasis that began at the label."""
    marks = list(_LABEL.finditer(completion))
    if not marks:
        return completion.strip()
    text = completion[marks[-1].end() :].strip()
    if marks[-1]["closed"]:
        return text
    emphasis = marks[-1]["emphasis"]
    bare = text.removeprefix(emphasis)
    return (bare if bare != text else text.removesuffix(emphasis)).strip()


def readings(answer: str) -> tuple[str, ...]:
    """The answer as it is, and without emphasis where it stands in one."""
    emphasised = _EMPHASISED.fullmatch(answer)
    return (answer, emphasised[2].strip()) if emphasised else (answer,)
