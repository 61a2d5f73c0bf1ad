"""One problem of the domain ``program`` as text: a function, inputs of it and what it gives for them.

A spec is compact. ``D:return a+3|4`` asks for what the function gives for 4 (deduction),
``A:return a+3|4=7`` for an input for which it gives 7 (abduction; a solver is not told that 4 is one), and
``I:return a*2|1=2|5=10|0=0|9=18`` for a function that gives all these (induction; a solver is told the
first half). The kinds are those of the Absolute Zero Reasoner (Zhao et al. 2025, arXiv 2505.03335). Without
its outputs a problem of the last two kinds is a draft, and only execution can add them.

The natural form of the same::

    abduction
    def f(a):
        return a + 3
    f(4) == 7
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

from arena.domains.base import Rejected
from arena.domains.program_language import (
    MAX_TEXT,
    Function,
    Value,
    read_compact,
    read_plain,
    read_values,
    shown,
    written,
)
from culture.seeds import derive

Kind = Literal["deduction", "abduction", "induction"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
LETTER: Final[dict[Kind, str]] = {"deduction": "D", "abduction": "A", "induction": "I"}
LEAST_EXAMPLES: Final = 4
MOST_EXAMPLES: Final = 12
"""Inputs of a problem of induction."""
HELD_OUT: Final = 8
"""One function in so many is kept for the anchors, whatever is asked about it."""

# Functions are held out alike in every run, so the stream is named by a constant and never by a run's seed.
_SEED: Final = 20261126
_KIND_OF: Final = {letter: kind for kind, letter in LETTER.items()}
_COMPACT: Final = re.compile(r"([DAI]):([^|\n]+)\|([^\n]+)")
_KIND_LINE: Final = re.compile(
    rf"^[^\w\n]{{0,8}}(?:(?:problem|kind)[^\w\n]{{1,4}})?({'|'.join(KINDS)})\b",
    re.IGNORECASE | re.MULTILINE,
)
DEF: Final = re.compile(r"^[ \t]*def +(\w+)\(.*(?:\n(?:[ \t].*)?)*", re.MULTILINE)
"""A function in a text, to the end of its last line that is indented."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem; ``outputs`` are one for each input, or none where nobody has executed it."""

    kind: Kind
    function: Function
    inputs: tuple[tuple[Value, ...], ...]
    outputs: tuple[Value, ...] = ()

    @property
    def shown(self) -> int:
        """How many of its inputs a solver is told, the first ones."""
        return (len(self.inputs) + 1) // 2 if self.kind == "induction" else 1

    def spec(self) -> str:
        """As canonical text."""
        told = self.outputs if self.kind != "deduction" else ()
        outputs = [f"={written((out,))}" for out in told] or [""] * len(self.inputs)
        parts = [written(values) + out for values, out in zip(self.inputs, outputs, strict=True)]
        return "|".join([f"{LETTER[self.kind]}:{self.function.compact()}", *parts])

    def natural(self) -> str:
        """As a proposal in the natural form."""
        return "\n".join([self.kind, self.function.plain(), *self.facts(self.kind != "deduction")])

    def facts(self, outputs: bool = True) -> list[str]:
        """``f(4) == 7`` for every input, or ``f(4)``."""
        told = [f" == {shown((out,))}" for out in self.outputs] if outputs else []
        ends = told or [""] * len(self.inputs)
        return [f"f({shown(values)}){end}" for values, end in zip(self.inputs, ends, strict=True)]


def held_out(function: Function) -> bool:
    """Whether a function is kept for the anchors."""
    return derive(_SEED, "held_out", function.compact()) % HELD_OUT == 0


def read(text: str) -> Problem:
    """The problem that a spec, or a proposal in either form, states.

    Raises :class:`Rejected`: ``syntax``, ``no_kind``, ``inputs`` (too few, too many, or of the wrong number
    of values), ``repeated_input``, and what reading a function or values raises.
    """
    if len(text) > MAX_TEXT:
        raise Rejected("too_long", f"expected at most {MAX_TEXT} characters, got {len(text)}")
    compact = _COMPACT.fullmatch(text.strip())
    if compact is not None:
        return _compact(_KIND_OF[compact[1]], compact[2], compact[3])
    kind = _KIND_LINE.search(text)
    function = DEF.search(text)
    if kind is None:
        raise Rejected(
            "no_kind", f"expected one of {', '.join(KINDS)} in a line of its own, got {text[:80]!r}"
        )
    if function is None:
        raise Rejected("syntax", f"expected a function that begins with 'def f(', got {text[:80]!r}")
    call = re.compile(
        rf"^[ \t]*{re.escape(function[1])}\((.*?)\)[ \t]*(?:==?[ \t]*(\S.*?))?[ \t]*$", re.MULTILINE
    )
    given = call.findall(text, function.end())
    (found,) = [k for k in KINDS if k == kind[1].lower()]
    return _problem(found, dedented(function[0]), [(i, o) for i, o in given])


def dedented(function: str) -> str:
    """The text of a function from its first line on, without what indents it all."""
    lines = function.rstrip().split("\n")
    margin = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[margin:] for line in lines)


def _compact(kind: Kind, body: str, given: str) -> Problem:
    parts = [part.partition("=") for part in given.split("|")]
    inputs = [read_values(values) for values, _, _ in parts]
    function = read_compact(body, len(inputs[0]))
    return _made(kind, function, inputs, [out for _, _, out in parts])


def _problem(kind: Kind, function: str, given: list[tuple[str, str]]) -> Problem:
    inputs = [read_values(values) for values, _ in given]
    return _made(kind, read_plain(function), inputs, [out for _, out in given])


def _made(kind: Kind, function: Function, inputs: list[tuple[Value, ...]], outputs: list[str]) -> Problem:
    least, most = (LEAST_EXAMPLES, MOST_EXAMPLES) if kind == "induction" else (1, 1)
    if not least <= len(inputs) <= most:
        raise Rejected("inputs", f"expected {least} to {most} calls of f for {kind}, got {len(inputs)}")
    if any(len(values) != function.parameters for values in inputs):
        raise Rejected("inputs", f"expected calls of f with {function.parameters} values each")
    if len({written(values) for values in inputs}) < len(inputs):
        raise Rejected("repeated_input", "expected calls of f that all differ")
    told: tuple[Value, ...] = ()
    if kind != "deduction" and all(outputs):
        values_of = [read_values(out) for out in outputs]
        if any(len(out) != 1 for out in values_of):
            raise Rejected("value", "expected one value after each call of f")
        told = tuple(out[0] for out in values_of)
    return Problem(kind, function, tuple(inputs), told)
