"""The texts that ``reading`` asks about: Markdown cut into passages of whole sentences.

What comes with Ludus is about things that do not exist, so that no weights know it. A third of its passages
is kept for the anchors. A user's folder (``reading.folder``) takes its place for problems, never for
anchors.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from culture.markdown import split
from culture.seeds import derive, short_id

SHIPPED: Final = Path(__file__).with_name("reading_texts")
MAX_PASSAGE: Final = 600
"""Longest passage, in characters; a longer paragraph is cut between its sentences."""
LEAST_WORDS: Final = 5
"""Fewer are no sentence to ask about: a caption, a name."""
HELD_OUT: Final = 3
"""One passage of the shipped texts in so many is kept for the anchors."""
BLANK: Final = "_"
"""What stands for the answer in a cloze; texts are read with dashes in its place."""

_SEED: Final = 20261129
_FENCE: Final = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.MULTILINE | re.DOTALL)
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_LINK: Final = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)")
_MARKER: Final = re.compile(r"^\s*(?:[-*+]|[0-9]{1,3}[.)]|>)\s+", re.MULTILINE)
_SKIPPED: Final = re.compile(r"^\s*(?:#|\||={3,}|-{3,})")
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+(?=[\"'(]?[A-Z0-9])")
# Quotation marks and dashes that word processors put in, as a keyboard has them.
_PLAIN: Final = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "|": "/"}
)
_ARTICLES: Final = frozenset({"a", "an", "the"})


class TextFault(ValueError):
    """There is no text to read; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Some sentences of one paragraph, in order."""

    passage_id: str
    """A hash of its text."""
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.sentences)


def tokens(text: str) -> list[str]:
    """Words of a text as answers are compared: in small letters, without punctuation and articles, as in
    SQuAD (Rajpurkar et al. 2016, arXiv 1606.05250, the evaluation script)."""
    bare = "".join(c for c in text.lower() if c not in string.punctuation)
    return [word for word in bare.split() if word not in _ARTICLES]


def normalised(text: str) -> str:
    """The same as one text."""
    return " ".join(tokens(text))


def holds(text: str, part: str) -> bool:
    """Whether the words of ``part`` follow one another in ``text``."""
    words, inner = tokens(text), tokens(part)
    starts = range(len(words) - len(inner) + 1)
    return bool(inner) and any(words[i : i + len(inner)] == inner for i in starts)


def cut(markdown: str) -> list[Passage]:
    """The passages of a Markdown text; headings, tables, code and comments are none."""
    _, body = split(markdown.removeprefix("\ufeff"))
    body = _LINK.sub(r"\1", _COMMENT.sub("", _FENCE.sub("", body)))
    found = []
    for paragraph in re.split(r"\n\s*\n", body):
        lines = [line for line in paragraph.split("\n") if not _SKIPPED.match(line)]
        plain = _MARKER.sub("", "\n".join(lines)).translate(_PLAIN)
        text = " ".join(re.sub(r"[*`]+", "", plain).replace(BLANK, "-").split())
        sentences = [s.strip() for s in _SENTENCE.split(text)]
        group: list[str] = []
        for sentence in [*(s for s in sentences if len(s.split()) >= LEAST_WORDS), ""]:
            full = sum(len(s) + 1 for s in group) + len(sentence) > MAX_PASSAGE
            if group and (full or not sentence):
                found.append(Passage(short_id("x", " ".join(group)), tuple(group)))
                group = []
            if sentence and len(sentence) <= MAX_PASSAGE:
                group.append(sentence)
    return found


@lru_cache(maxsize=8)
def passages(folder: str | None) -> tuple[Passage, ...]:
    """What problems are about: the passages of a folder's Markdown files and of the folders in it, in the
    order of their names, or the shipped ones that are no anchors' (None). Raises TextFault."""
    kept = {p.passage_id for p in held_out()}
    found = _read(SHIPPED if folder is None else Path(folder))
    training = [p for p in dict.fromkeys(found) if p.passage_id not in kept]
    if not training:
        raise TextFault(
            f"reading.folder: expected a folder with Markdown files that have sentences, got none in "
            f"{folder!r}; write a folder with files that end in .md"
        )
    return tuple(training)


@lru_cache(maxsize=1)
def held_out() -> tuple[Passage, ...]:
    """The shipped passages that anchors are about, and nothing else."""
    ranked = sorted(_read(SHIPPED), key=lambda p: derive(_SEED, "held out", p.passage_id))
    return tuple(ranked[: len(ranked) // HELD_OUT])


def _read(folder: Path) -> list[Passage]:
    if not folder.is_dir():
        raise TextFault(f"reading.folder: expected a folder of Markdown files, got {str(folder)!r}")
    found: list[Passage] = []
    for path in sorted(folder.rglob("*.md")):
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts):
            try:
                found += cut(path.read_text(encoding="utf-8"))
            except UnicodeDecodeError as error:
                raise TextFault(
                    f"reading.folder: expected UTF-8 text, got other bytes in {str(path)!r}; save it as "
                    "UTF-8"
                ) from error
    return found


def containing(folder: str | None, quote: str) -> Passage | None:
    """The first passage in which a quote stands word for word; None where none of the folder has it."""
    return next((p for p in passages(folder) if quote in p.text), None)


def place(passage: Passage, quote: str) -> tuple[int, int]:
    """The first and last sentence that a quote of the passage touches, from 0."""
    start = passage.text.index(quote)
    end, at = start + len(quote), 0
    touched = []
    for i, sentence in enumerate(passage.sentences):
        if at < end and start < at + len(sentence):
            touched.append(i)
        at += len(sentence) + 1
    return touched[0], touched[-1]


def characters(all_: Sequence[Passage]) -> set[str]:
    """Every character of some passages."""
    return {c for p in all_ for c in p.text}
