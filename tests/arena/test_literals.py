"""Canonical text and the reader of answers: inverse to each other, bounded, and no evaluator."""

from __future__ import annotations

import ast
import math
import sys
import warnings

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from arena.literals import MAX_CHARACTERS, MAX_DEPTH, MAX_DIGITS, canonical, parse_literal, same

hashable = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4).map(tuple),
    max_leaves=6,
)
plain = st.recursive(
    hashable | st.sets(hashable, max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(hashable, inner, max_size=4)
    ),
    max_leaves=12,
)


@given(plain)
def test_reading_inverts_writing(value: object) -> None:
    text = canonical(value)
    assert canonical(parse_literal(text)) == text
    assert same(text, f"  {text}\n")


@given(plain)
def test_reading_gives_the_value_back(value: object) -> None:
    read = parse_literal(canonical(value))
    assert type(read) is type(value)
    if "nan" not in canonical(value):
        assert read == value


@given(plain)
def test_reading_agrees_with_python(value: object) -> None:
    """On ``repr``, which is not canonical, wherever Python's own reader reads it."""
    text = repr(value)
    if "nan" not in text and "inf" not in text:
        assert canonical(parse_literal(text)) == canonical(ast.literal_eval(text))


@given(st.text(alphabet="0123456789_.eExXabo+-jn'\"\\urbUN()[]{},: TrueFalsNon", max_size=30))
@example("0_0")
@example("1_000.5e-3")
@example("b'\\u00e9\\x41\\101'")
@example("'\\q\\u0041\\'' \"b\"")
@example("r'\\'' u'x'")
@example("1,")
@example("{1: 2, 1: 3}")
def test_what_is_read_python_reads_alike(text: str) -> None:
    """The reader accepts nothing that Python would read as anything else."""
    try:
        value = parse_literal(text)
    except ValueError:
        return
    if "nan" in text or "inf" in text:
        return
    with warnings.catch_warnings():
        # Python warns of escapes that it does not know, and keeps their backslash, as the reader does.
        warnings.simplefilter("ignore")
        assert canonical(ast.literal_eval(text.strip())) == canonical(value)


@given(st.text(max_size=200) | st.text(alphabet="[](){}'\",:0b\\-#.x", max_size=200))
def test_reading_raises_nothing_but_value_errors(text: str) -> None:
    try:
        parse_literal(text)
    except ValueError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.0, "0.0"),
        (float("nan"), "nan"),
        (-math.inf, "-inf"),
        (1e22, "1e+22"),
        ((1,), "(1,)"),
        ((), "()"),
        (set(), "set()"),
        ({}, "{}"),
        ({10, 9, "a"}, "{'a', 10, 9}"),
        ({2: "b", 1: "a"}, "{1: 'a', 2: 'b'}"),
        ("it's", '"it\'s"'),
        ("\ud800\0", "'\\ud800\\x00'"),
        (b"\xff", "b'\\xff'"),
    ],
)
def test_canonical_text(value: object, text: str) -> None:
    assert canonical(value) == text
    assert canonical(parse_literal(text)) == text


@pytest.mark.parametrize(
    ("a", "b"), [("True", "1"), ("1", "1.0"), ("[1]", "(1,)"), ("'1'", "1"), ("b'a'", "'a'"), ("None", "0")]
)
def test_types_count(a: str, b: str) -> None:
    assert not same(a, b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("{2, 1}", "{1, 2,}"),
        ("{1: 2, 3: 4}", "{3: 4, 1: 2}"),
        ("0x10", "16"),
        ("-0.0", "0.0"),
        ("nan", "nan"),
        ("1e3", "1000.0"),
        ('"a"', "'a'"),
        ("'a' 'b'", "'ab'"),
        ("1, 2", "(1, 2)"),
        ("[1,\n 2]", "[1, 2]"),
        ("'''a'''", "'\\x61'"),
    ],
)
def test_spelling_does_not_count(a: str, b: str) -> None:
    assert same(a, b)


class _Text(str):
    def __repr__(self) -> str:
        return "1"


@pytest.mark.parametrize("value", [object(), 1j, frozenset([1]), ..., _Text("a"), [len], {(object(),): 1}])
def test_what_is_not_plain_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="expected plain data"):
        canonical(value)


def test_bounds_on_writing() -> None:
    deep: list[object] = []
    for _ in range(MAX_DEPTH - 1):
        deep = [deep]
    assert canonical(parse_literal(canonical(deep))) == canonical(deep)
    with pytest.raises(ValueError, match="levels"):
        canonical([deep])
    shared: list[object] = []
    for _ in range(MAX_DEPTH - 1):
        shared = [shared, shared]
    endless: list[object] = []
    endless.append(endless)
    for value in (shared, "a" * MAX_CHARACTERS, ["a" * 99] * 10**6, [""] * MAX_CHARACTERS):
        with pytest.raises(ValueError, match="characters"):
            canonical(value)
    with pytest.raises(ValueError, match="levels"):
        canonical(endless)
    assert len(canonical("a" * (MAX_CHARACTERS - 2))) == MAX_CHARACTERS
    with pytest.raises(ValueError, match="digits"):
        canonical(10**MAX_DIGITS)
    assert parse_literal(canonical(1 - 10**MAX_DIGITS)) == 1 - 10**MAX_DIGITS


@given(plain, st.integers(1, 60))
@example([[None, None, set(), None]], 24)
@example([(1,)] * 4, 22)
def test_the_text_is_never_longer_than_the_bound(value: object, bound: int) -> None:
    whole = canonical(value)
    if len(whole) <= bound:
        assert canonical(value, max_characters=bound) == whole
    else:
        with pytest.raises(ValueError, match="characters"):
            canonical(value, max_characters=bound)


def test_bounds_on_reading() -> None:
    assert parse_literal("[" * MAX_DEPTH + "]" * MAX_DEPTH) is not None
    with pytest.raises(ValueError, match="levels"):
        parse_literal("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    with pytest.raises(ValueError, match="characters"):
        parse_literal(" " * MAX_CHARACTERS + "1")
    assert parse_literal("9" * MAX_DIGITS) == 10**MAX_DIGITS - 1
    with pytest.raises(ValueError, match="digits"):
        parse_literal("9" * (MAX_DIGITS + 1))


def test_a_full_stack_is_a_value_error() -> None:
    nested = "[" * 30 + "]" * 30

    def descend(left: int) -> object:
        return parse_literal(nested) if left == 0 else descend(left - 1)

    frame, used = sys._getframe(), 0
    while frame is not None:
        frame, used = frame.f_back, used + 1
    with pytest.raises(ValueError, match="stack"):
        descend(sys.getrecursionlimit() - used - 20)
    assert canonical(descend(0)) == nested
