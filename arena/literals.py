"""Plain data as text: one canonical form, and a reader of answers that never evaluates anything.

Plain data is None, bool, int, float, str, bytes, and lists, tuples, dicts and sets of plain data, of
exactly these types. What two answers must agree in is their canonical form:

- types count: ``True``, ``1`` and ``1.0`` differ, and so do ``[1]``, ``(1,)`` and ``{1}``;
- order counts in lists and tuples only: the items of dicts and sets are sorted by their canonical text;
- ``nan`` agrees with ``nan``; ``-0.0`` is written ``0.0``, which Python calls equal;
- integers have at most 600 digits: CPython refuses to print longer ones above a limit that a process may
  set, to 640 at the least, and plain data should be printable anywhere.

The syntax is Python's for literals, plus the names ``nan`` and ``inf``. The reader is written out here
because ``ast.literal_eval`` on hostile text may exhaust the stack, exhaust memory, warn, or raise any of
six exceptions; this one takes linear time, bounded depth, and raises ValueError only.
"""

from __future__ import annotations

import re

MAX_CHARACTERS = 20_000
"""Longest text that :func:`parse_literal` reads and :func:`canonical` writes."""
MAX_DEPTH = 64
"""Deepest nesting of containers in either direction."""
MAX_DIGITS = 600
"""Most decimal digits of an integer in either direction."""
_INTEGER_BOUND: int = 10**MAX_DIGITS
_BITS_A_DIGIT = 4

_SPACE = re.compile(r"[ \t\r\n\f]+")
_STRING = re.compile(
    r"(?P<prefix>[bB][rR]?|[rR][bB]?|[uU]?)"
    r"(?:'''(?P<a>(?:[^\\]|\\[\s\S])*?)'''|\"\"\"(?P<b>(?:[^\\]|\\[\s\S])*?)\"\"\""
    r"|'(?P<c>(?:[^\\'\n]|\\[\s\S])*)'|\"(?P<d>(?:[^\\\"\n]|\\[\s\S])*)\")"
)
_DIGITS = r"[0-9](?:_?[0-9])*"
_NUMBER = re.compile(
    r"(?P<hex>0[xX](?:_?[0-9a-fA-F])+)|(?P<oct>0[oO](?:_?[0-7])+)|(?P<bin>0[bB](?:_?[01])+)"
    rf"|(?P<float>(?:{_DIGITS})?\.{_DIGITS}(?:[eE][+-]?{_DIGITS})?"
    rf"|{_DIGITS}\.?[eE][+-]?{_DIGITS}|{_DIGITS}\.)"
    r"|(?P<int>[1-9](?:_?[0-9])*|0(?:_?0)*)"
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_ESCAPE = re.compile(
    r"\\(?:(?P<line>\r\n|[\n\r])|(?P<octal>[0-7]{1,3})|x(?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})"
    r"|U(?P<U>[0-9a-fA-F]{8})|(?P<one>[\s\S]))"
)
_SIMPLE = dict(zip("\\'\"abfnrtv", "\\'\"\a\b\f\n\r\t\v", strict=True))
_NAMES: dict[str, object] = {"None": None, "True": True, "False": False}


def canonical(value: object, *, max_characters: int = MAX_CHARACTERS, max_depth: int = MAX_DEPTH) -> str:
    """The one text of plain data; ``parse_literal`` reads it back.

    Takes time linear in ``max_characters`` (up to sorting) whatever ``value`` is: lists that share or
    contain themselves end at a bound. Raises ValueError where ``value`` is not plain data, is nested
    deeper than ``max_depth``, has a text longer than ``max_characters`` or an integer of too many digits.
    """
    return _Writer(max_characters, max_depth).write(value, 0)


def parse_literal(text: str, *, max_characters: int = MAX_CHARACTERS, max_depth: int = MAX_DEPTH) -> object:
    """The plain data that ``text`` is a Python literal of; white space around it is ignored.

    Raises ValueError, and nothing else, where ``text`` is anything but such a literal (an expression, a
    call, a name), is longer than ``max_characters`` or nested deeper than ``max_depth``. What it returns
    may have a longer canonical text than ``text``, so ``canonical`` of it may raise ValueError too.
    """
    if len(text) > max_characters:
        raise ValueError(
            f"expected at most {max_characters} characters, got {len(text)}; write a shorter value"
        )
    try:
        return _Reader(text, max_depth).whole()
    except RecursionError:
        # Only where the caller has used up the stack: the reader's own depth is bounded.
        raise ValueError(f"expected at most {max_depth} levels, got more than the stack holds") from None


def same(a: str, b: str) -> bool:
    """Whether two texts are literals of the same plain data; False where either is no literal."""
    try:
        return canonical(parse_literal(a)) == canonical(parse_literal(b))
    except ValueError:
        return False


class _Writer:
    """Writes until its budget of characters is spent."""

    def __init__(self, max_characters: int, max_depth: int) -> None:
        self._max_characters = max_characters
        self._max_depth = max_depth
        self._left = max_characters

    def write(self, value: object, depth: int) -> str:
        # Types are compared exactly: a subclass could bring methods of its own.
        kind = type(value)
        if value is None or kind is bool:
            return self._spend(str(value))
        if isinstance(value, int) and kind is int:
            return self._spend(str(_bounded(value)))
        if isinstance(value, float) and kind is float:
            return self._spend("0.0" if value == 0 else repr(value))
        if isinstance(value, str | bytes) and kind in (str, bytes):
            self._require(len(value) + 2)
            return self._spend(repr(value))
        if kind not in (list, tuple, dict, set):
            raise ValueError(
                f"expected plain data (None, bool, int, float, str, bytes, list, tuple, dict or set), "
                f"got {kind.__name__}; return its contents as plain data"
            )
        if depth >= self._max_depth:
            raise ValueError(
                f"expected at most {self._max_depth} levels of nesting, got more; return flatter data"
            )
        assert isinstance(value, list | tuple | dict | set)
        # Brackets, and at least a character for each item, are sure to come.
        self._require(2 + len(value))
        return self._container(value, depth + 1)

    def _container(
        self, value: list[object] | tuple[object, ...] | dict[object, object] | set[object], depth: int
    ) -> str:
        if isinstance(value, dict):
            items = [f"{self.write(k, depth)}: {self.write(v, depth)}" for k, v in value.items()]
            self._spend(": " * len(items))
        else:
            items = [self.write(item, depth) for item in value]
        if isinstance(value, dict | set):
            items.sort()
        # The items have paid for themselves; what is still to pay are the brackets and separators.
        self._spend(", " * max(0, len(items) - 1))
        opening, closing = "{}"
        if isinstance(value, list):
            opening, closing = "[]"
        elif isinstance(value, tuple):
            opening, closing = "(", ",)" if len(items) == 1 else ")"
        elif isinstance(value, set) and not items:
            opening, closing = "set(", ")"
        self._spend(opening + closing)
        return f"{opening}{', '.join(items)}{closing}"

    def _require(self, characters: int) -> None:
        if characters > self._left:
            raise ValueError(
                f"expected a value of at most {self._max_characters} characters, got a longer one; "
                "return a smaller value"
            )

    def _spend(self, text: str) -> str:
        self._require(len(text))
        self._left -= len(text)
        return text


class _Reader:
    """A recursive-descent reader over ``text``; ``_at`` is the position of the next character."""

    def __init__(self, text: str, max_depth: int) -> None:
        self._text = text
        self._max_depth = max_depth
        self._at = 0

    def whole(self) -> object:
        self._skip()
        value = self._value(0)
        if self._take(","):
            # Python's tuple without parentheses.
            items = [value]
            while self._at < len(self._text):
                items.append(self._value(1))
                if not self._take(","):
                    break
            value = tuple(items)
        if self._at < len(self._text):
            raise self._expected("the end of the literal")
        return value

    def _value(self, depth: int) -> object:
        opening = self._text[self._at : self._at + 1]
        if opening and opening in "[({":
            if depth >= self._max_depth:
                raise ValueError(f"expected at most {self._max_depth} levels of nesting, got more")
            self._take(opening)
            if opening == "[":
                return self._items("]", depth + 1)[0]
            return self._parenthesised(depth + 1) if opening == "(" else self._braced(depth + 1)
        if opening and opening in "+-":
            self._take(opening)
            number = self._number()
            return -number if opening == "-" else number
        if opening and opening in ".0123456789":
            return self._number()
        string = _STRING.match(self._text, self._at)
        if string is not None:
            return self._strings(string)
        if self._named("nan") or self._named("inf"):
            return self._number()
        return self._name()

    def _items(self, closing: str, depth: int) -> tuple[list[object], bool]:
        """Items up to ``closing``, and whether a comma came after the last."""
        items: list[object] = []
        comma = False
        while not self._take(closing):
            if items and not comma:
                raise self._expected(f"',' or {closing!r}")
            items.append(self._value(depth))
            comma = self._take(",")
        return items, comma

    def _parenthesised(self, depth: int) -> object:
        items, comma = self._items(")", depth)
        return items[0] if len(items) == 1 and not comma else tuple(items)

    def _braced(self, depth: int) -> object:
        if self._take("}"):
            return {}
        first = self._value(depth)
        try:
            if not self._take(":"):
                if not self._take(","):
                    if not self._take("}"):
                        raise self._expected("',', ':' or '}'")
                    return {first}
                return {first, *self._items("}", depth)[0]}
            found = {first: self._value(depth)}
            while not self._take("}"):
                if not self._take(","):
                    raise self._expected("',' or '}'")
                if self._take("}"):
                    break
                key = self._value(depth)
                if not self._take(":"):
                    raise self._expected("':'")
                found[key] = self._value(depth)
            return found
        except TypeError:
            raise ValueError(
                "expected hashable items of a set and keys of a dict, got a list, dict or set"
            ) from None

    def _number(self) -> int | float:
        match = _NUMBER.match(self._text, self._at)
        if match is None:
            for name in ("nan", "inf"):
                if self._named(name):
                    self._at += len(name)
                    self._skip()
                    # A new object each time: a set holds nan once for every object.
                    return float(name)
            raise self._expected("a number")
        self._at = match.end()
        following = self._text[self._at : self._at + 1]
        if following.isalnum() or following == "_":
            raise self._expected("the end of the number")
        self._skip()
        digits = match.group().replace("_", "")
        if match.lastgroup == "float":
            return float(digits)
        base = {"hex": 16, "oct": 8, "bin": 2}.get(match.lastgroup or "", 10)
        if len(digits) > _BITS_A_DIGIT * MAX_DIGITS:
            raise ValueError(
                f"expected an integer of at most {MAX_DIGITS} digits, got {len(digits)} characters"
            )
        # Where a process has a lower limit of decimal digits, int() raises ValueError by itself.
        return _bounded(int(digits, base))

    def _strings(self, match: re.Match[str] | None) -> str | bytes:
        """One string, or several side by side, which Python joins; ``match`` is the first."""
        parts: list[str | bytes] = []
        while match is not None:
            self._at = match.end()
            self._skip()
            body = next(b for b in match.group("a", "b", "c", "d") if b is not None)
            prefix = match["prefix"].lower()
            parts.append(_bytes(body, "r" in prefix) if "b" in prefix else _str(body, "r" in prefix))
            match = _STRING.match(self._text, self._at)
        texts = [p for p in parts if isinstance(p, str)]
        if len(texts) == len(parts):
            return "".join(texts)
        if texts:
            raise ValueError("expected strings or bytes side by side, got both")
        return b"".join(p for p in parts if isinstance(p, bytes))

    def _name(self) -> object:
        match = _NAME.match(self._text, self._at)
        if match is not None and match.group() in _NAMES:
            self._at = match.end()
            self._skip()
            return _NAMES[match.group()]
        if match is not None and match.group() == "set":
            self._at = match.end()
            self._skip()
            if self._take("(") and self._take(")"):
                return set()
        raise self._expected("a literal")

    def _named(self, name: str) -> bool:
        match = _NAME.match(self._text, self._at)
        return match is not None and match.group() == name

    def _take(self, character: str) -> bool:
        if not self._text.startswith(character, self._at):
            return False
        self._at += 1
        self._skip()
        return True

    def _skip(self) -> None:
        match = _SPACE.match(self._text, self._at)
        if match is not None:
            self._at = match.end()

    def _expected(self, what: str) -> ValueError:
        found = self._text[self._at : self._at + 20]
        return ValueError(f"expected {what} at character {self._at}, got {found!r}")


def _bounded(value: int) -> int:
    if not -_INTEGER_BOUND < value < _INTEGER_BOUND:
        raise ValueError(f"expected an integer of at most {MAX_DIGITS} digits, got a longer one")
    return value


def _str(body: str, raw: bool) -> str:
    return body if raw or "\\" not in body else _ESCAPE.sub(_unescape, body)


def _bytes(body: str, raw: bool) -> bytes:
    if not body.isascii():
        raise ValueError("expected ASCII characters in bytes, got others; write them as \\x..")
    if not raw:
        # \N, \u and \U mean nothing in bytes, so Python keeps their backslash.
        body = _ESCAPE.sub(lambda m: m.group() if m.group()[1] in "NuU" else _unescape(m), body)
    try:
        return body.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError("expected escapes up to \\377 in bytes, got a larger one") from None


def _unescape(match: re.Match[str]) -> str:
    if match["line"]:
        return ""
    if match["octal"]:
        return chr(int(match["octal"], 8))
    if match["one"]:
        if match["one"] in "xuUN":
            raise ValueError(f"expected hexadecimal digits after \\{match['one']}, got something else")
        # Python keeps the backslash of an escape that it does not know.
        return _SIMPLE.get(match["one"], match.group())
    code = int(match["x"] or match["u"] or match["U"], 16)
    if code > 0x10FFFF:
        raise ValueError(f"expected a code point up to 10ffff, got {code:x}")
    return chr(code)
