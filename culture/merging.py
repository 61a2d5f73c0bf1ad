"""Three-way merge of texts by lines: diff3.

The algorithm is that of Khanna, Kunal and Pierce, "A Formal Investigation of Diff3" (2007): align both
texts with their common ancestor, cut all three where all three agree, and in every piece between two
cuts take the side that changed. Where both sides changed a piece differently, they conflict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

OURS, BETWEEN, THEIRS = "<<<<<<< head", "=======", ">>>>>>> yours"


@dataclass(frozen=True, slots=True)
class Merge:
    """A merged text. Where ``conflicts`` is not 0, ``text`` shows both sides of each between markers."""

    text: str
    conflicts: int
    origins: tuple[tuple[int | None, int | None], ...]
    """For each line of ``text`` its line in ``head`` and its line in ``yours``, from 0; None where
    it is of the other side. A line that both sides left or wrote is of both, a marker of neither."""


def merge(ancestor: str, head: str, yours: str) -> Merge:
    """The text with what ``head`` and what ``yours`` changed since ``ancestor``, line by line.

    Lines end with a line feed only; every other character belongs to its line. Neither order of the
    two sides nor the number of common lines changes whether they conflict.
    """
    base, a, b = ancestor.split("\n"), head.split("\n"), yours.split("\n")
    in_a, in_b = alignment(base, a), alignment(base, b)
    shared = sorted(in_a.keys() & in_b.keys())
    lines: list[str] = []
    origins: list[tuple[int | None, int | None]] = []
    conflicts = 0
    i = ia = ib = 0
    for j in [*shared, len(base)]:
        ja, jb = in_a.get(j, len(a)), in_b.get(j, len(b))
        ours: list[tuple[int | None, int | None]] = [(n, None) for n in range(ia, ja)]
        theirs: list[tuple[int | None, int | None]] = [(None, n) for n in range(ib, jb)]
        match _settle(base[i:j], a[ia:ja], b[ib:jb]):
            case "both":
                lines += b[ib:jb]
                origins += zip(range(ia, ja), range(ib, jb), strict=True)
            case "ours":
                lines += a[ia:ja]
                origins += ours
            case "theirs":
                lines += b[ib:jb]
                origins += theirs
            case "conflict":
                conflicts += 1
                lines += [OURS, *a[ia:ja], BETWEEN, *b[ib:jb], THEIRS]
                origins += [(None, None), *ours, (None, None), *theirs, (None, None)]
        if j < len(base):
            lines.append(base[j])
            origins.append((ja, jb))
        i, ia, ib = j + 1, ja + 1, jb + 1
    return Merge("\n".join(lines), conflicts, tuple(origins))


def alignment(base: Sequence[str], other: Sequence[str]) -> dict[int, int]:
    """Increasing map from lines of ``base`` to equal lines of ``other``."""
    blocks = SequenceMatcher(None, base, other, autojunk=False).get_matching_blocks()
    return {block.a + n: block.b + n for block in blocks for n in range(block.size)}


def _settle(base: list[str], a: list[str], b: list[str]) -> Literal["both", "ours", "theirs", "conflict"]:
    """Whose lines a piece gets."""
    if a == b:
        return "both"
    if a == base:
        return "theirs"
    return "ours" if b == base else "conflict"
