"""What a text is found by: its words, and the runs of symbols between them in pieces."""

from __future__ import annotations

import re

GRAMS = (1, 2, 3)

_SPACE = re.compile(r"[\s;]+")
_WORD = re.compile(r"[^\W\d_]{2,40}(?:['’-][^\W\d_]{1,40})*")
_EDGES = ".,:!?\"'()"
_BETWEEN = ";"
"""No run contains it."""


def split(text: str) -> tuple[list[str], list[str]]:
    """The words of a text, in lower case, and its other runs as they stand, each as often as it occurs.

    A word has two letters or more, lower case but for the first; ``RS1234=`` and ``(3+4)*2=`` are runs.
    """
    words: list[str] = []
    runs: list[str] = []
    for run in _SPACE.split(text):
        word = run.strip(_EDGES)
        if word.isascii() and word.isalpha():  # most words are told without the expression
            plain = 2 <= len(word) <= 40 and word[1:].islower()
        else:
            plain = _is_word(word)
        if plain:
            words.append(word.lower())
        elif run:
            runs.append(run)
    return words, runs


def _is_word(text: str) -> bool:
    return _WORD.fullmatch(text) is not None and text[1:] == text[1:].lower() and text != text.upper()


def grams(run: str) -> list[str]:
    """The character 1-, 2- and 3-grams of a run; their case is kept, for operators are letters there."""
    return [run[i : i + n] for n in GRAMS for i in range(len(run) - n + 1)]


def gram_count(run: str) -> int:
    """``len(grams(run))``."""
    return max(3 * len(run) - 3, len(run))


def tokens(text: str) -> list[str]:
    """The index terms of a text, repeated as often as they occur: ``w`` and a word, ``g`` and a gram."""
    words, runs = split(text)
    return ["w" + word for word in words] + ["g" + gram for run in runs for gram in grams(run)]


class Counted:
    """How often terms occur in one text."""

    __slots__ = ("_runs", "_words")

    def __init__(self, text: str) -> None:
        self._words, runs = split(text)
        self._runs = _BETWEEN.join(runs)

    def count(self, term: str) -> int:
        """Occurrences of a term as :func:`tokens` gives them, those that overlap each other too."""
        part = term[1:]
        if term[0] == "w":
            return self._words.count(part)
        if len(part) == 1:
            return self._runs.count(part)
        found, at = 0, self._runs.find(part)
        while at >= 0:
            found += 1
            at = self._runs.find(part, at + 1)
        return found


def encodable(text: str) -> str:
    """``text`` with what UTF-8 cannot carry (lone surrogates) replaced by question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def stored_length(n: int) -> int:
    """``n`` tokens as tantivy stores a document's length in one byte: exact to 40, then rounded down."""
    if n < 24:
        return n
    excess = n - 24
    shift = max(excess.bit_length() - 4, 0)
    return 24 + (excess >> shift << shift)
