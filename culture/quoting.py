"""Making text that one model wrote safe to show to another, or to a person at a terminal.

A chat template marks turns with control tokens; text that contains them could end its own quotation
and speak as the system or the user. They are removed, also where they are disguised: by invisible
characters inside, by full-width or otherwise compatible forms (Unicode NFKD), or by a nesting that
leaves a token behind once an inner one is gone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

_ROLES = "system|user|assistant|human|ai|tool|developer|instructions?|input|response"
_NAMES = "s|pad|unk|mask|bos|eos|cls|sep|eod|think|thinking|system|user|assistant|human|tool|image"
_GENERIC = "|".join(
    [
        r"<\|(?:[^<>\n]{0,64}?\|>)?",  # <|im_start|>, and an open half that other text could complete
        r"\|>",
        r"<</?sys>>",
        rf"</?(?:{_NAMES})>",
        r"</?[a-z][a-z0-9]{0,31}(?:_[a-z0-9]{1,31}){1,4}>",  # <start_of_turn>, </tool_call>, <extra_id_0>
        r"<unused[0-9]{1,6}>",
        r"<0x[0-9a-f]{2}>",  # byte tokens
        r"\[/?(?:inst|sys|system|system_prompt|available_tools|tool_calls|tool_results|tool_content|img"
        r"|cls|sep|pad|mask|unk|bos|eos)\]",
        rf"^[ \t]{{0,8}}#{{1,6}}[ \t]{{0,8}}(?:{_ROLES})[ \t]{{0,8}}(?::|$)",  # ### Response:
        r"^[ \t]{0,8}(?:system|user|assistant|human)[ \t]{0,8}:",
    ]
)
_REACH = 96
"""No generic match is longer than this."""
_GENERIC_LONGEST = 1 + 31 + 4 * 32 + 3
_INVISIBLE_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u17b4\u17b5\u2800\u180e\u034f")


def quote(text: str, *, control_tokens: Sequence[str] = (), limit: int) -> str:
    """``text`` without control tokens and non-printing characters, at most ``limit`` characters of it.

    ``control_tokens``: the special tokens of the reader's tokenizer, removed beside the usual ones of
    chat templates. Line feeds and tabs stay; other line ends become line feeds. Quoting a quotation
    changes nothing. Raises ValueError where ``limit`` is negative or a control token is empty.
    """
    if limit < 0:
        raise ValueError(f"expected a limit of 0 characters or more, got {limit}")
    if "" in control_tokens:
        raise ValueError("expected control tokens of one character or more, got an empty one; leave it out")
    pattern, reach = _pattern(tuple(sorted(set(control_tokens))))
    # Work is bounded by what can be shown, however long the text is.
    text = _printing(text[: 8 * limit + 1024])
    while True:
        # Cutting can make a role header of a longer word, so it is followed by another look.
        shorter = _without(text, pattern, reach)[:limit]
        if shorter == text:
            return text
        text = shorter


def printable(text: str, *, keep: str = "") -> str:
    """``text`` for a terminal: what it would obey, and what it would not show, is written out as ``\\x1b``.

    Characters of ``keep``, such as a line feed, stay. For people to read, and for no model.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else repr(c)[1:-1] for c in text)


def _printing(text: str) -> str:
    text = text.replace("\r\n", "\n")
    kept = []
    for character in text:
        if " " <= character <= "~" or character in "\n\t":
            kept.append(character)
        elif character in "\r\v\f\x85\u2028\u2029":
            kept.append("\n")
        elif unicodedata.category(character)[0] != "C" and not _is_invisible(character):
            kept.append(character)
    return "".join(kept)


def _is_invisible(character: str) -> bool:
    code = ord(character)
    selector = 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF or 0x180B <= code <= 0x180F
    return selector or character in _INVISIBLE_LETTERS


def _folded(text: str) -> tuple[str, list[int]]:
    """What ``text`` reads as without compatible forms and accents; for each character its origin."""
    if text.isascii():
        return text, list(range(len(text)))
    folded: list[str] = []
    origin: list[int] = []
    for i, character in enumerate(text):
        for part in unicodedata.normalize("NFKD", character):
            if part in "\n\t" or unicodedata.category(part)[0] not in "MC":
                folded.append(part)
                origin.append(i)
    return "".join(folded), origin


@lru_cache(maxsize=64)
def _pattern(control_tokens: tuple[str, ...]) -> tuple[re.Pattern[str], int]:
    own = sorted({f for f in (_folded(t)[0] for t in control_tokens) if f}, key=lambda f: (-len(f), f))
    parts = [*(re.escape(f) for f in own), f"(?i:{_GENERIC})"]
    reach = max([_GENERIC_LONGEST, _REACH, *(len(f) for f in own)])
    return re.compile("|".join(parts), re.MULTILINE), reach


def _without(text: str, pattern: re.Pattern[str], reach: int) -> str:
    """``text`` without the characters that ``pattern`` finds, until it finds none."""
    folded, origin = _folded(text)
    removed: set[int] = set()
    start = 0
    while True:
        match = pattern.search(folded, start)
        if match is None:
            if start == 0:
                break
            start = 0
            continue
        first, last = match.span()
        # A character that folds to several goes as a whole.
        while first and origin[first - 1] == origin[first]:
            first -= 1
        while last < len(origin) and origin[last] == origin[last - 1]:
            last += 1
        removed.update(origin[first:last])
        folded, origin = folded[:first] + folded[last:], origin[:first] + origin[last:]
        start = max(0, first - reach)
    return "".join(c for i, c in enumerate(text) if i not in removed)
