"""What is said about a problem of ``program``, and how answers and claims are read out of texts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from arena.domains.base import Rejected
from arena.domains.program_language import (
    MAX_TEXT,
    VARIABLES,
    Function,
    Value,
    read_compact,
    read_plain,
    read_values,
    shown,
    written,
)
from arena.domains.program_problem import DEF, Problem, dedented
from culture.records import Form

Fact = tuple[Function, tuple[Value, ...], str, tuple[str, ...]]
"""A function, an input, the output as it is written, and the assignments on the way where they are told."""

_ANSWER_LINE: Final = re.compile(r"^[^\w\n]*answer[^\w\n]*?:(.*)$", re.IGNORECASE | re.MULTILINE)
_CALL: Final = re.compile(r"f\((.*)\)")
_FACT: Final = re.compile(r"f\((.*?)\) == (.*)")
_ASKED: Final = re.compile(r"What does f\((.*)\) return\? ")
_SOUGHT: Final = re.compile(r"Find an input for which f returns (.*)\. End ")
_TRACED: Final = re.compile(r"([a-z]) = (.*)")
_LINE: Final = re.compile(r"[DAI]:([^|]+)\|(.+)")


def statement(problem: Problem) -> str:
    """The problem in words."""
    function = problem.function
    if problem.kind == "induction":
        given = "\n".join(problem.facts()[: problem.shown])
        return (
            f"Write a Python function f({function.names}) for which\n{given}\n"
            f"Answer with the function only. It begins with 'def f({function.names}):'."
        )
    if problem.kind == "abduction":
        values = "its value" if function.parameters == 1 else "its values, separated by commas"
        asked = (
            f"Find an input for which f returns {shown(problem.outputs)}. "
            f"End with a line 'Answer:' and {values}."
        )
    else:
        asked = (
            f"What does f({shown(problem.inputs[0])}) return? Write what each assignment gives, "
            "a line each. End with a line 'Answer:' and the value."
        )
    return f"{function.plain()}\n{asked}"


def terse_statement(problem: Problem) -> str:
    """The problem in characters, on one line."""
    if problem.kind == "induction":
        pairs = zip(problem.inputs[: problem.shown], problem.outputs, strict=False)
        return "I:" + "|".join([*(f"{written(i)}={written((o,))}" for i, o in pairs), "?"])
    if problem.kind == "abduction":
        return f"A:{problem.function.compact()}|?={written(problem.outputs)}"
    return f"{problem.spec()}="


def trace_lines(trace: Sequence[str]) -> list[str]:
    """``b=[1,2]`` as ``b = [1, 2]``."""
    pairs = (line.partition("=") for line in trace)
    return [f"{name} = {shown(read_values(value))}" for name, _, value in pairs]


def read_answer(completion: str, form: Form) -> str | None:
    """See ``Program.read_answer``."""
    if form == "terse":
        line = completion.partition("\n")[0]
        return _values(line.rpartition(";")[2]) or _body(line)
    for named in reversed(_ANSWER_LINE.findall(completion[-MAX_TEXT:])):
        answer = _told(named)
        if answer is not None:
            return answer
    for found in reversed(list(DEF.finditer(completion[:MAX_TEXT]))):
        try:
            return read_plain(dedented(found[0]), use_all=False).compact()
        except Rejected:
            continue
    return _told(completion.rstrip(" \t\r\n`").rpartition("\n")[2][:MAX_TEXT])


def _told(text: str) -> str | None:
    """The values at the end of a line in words."""
    bare = text.strip(" \t\r`*")
    call = _CALL.fullmatch(bare)
    return _values(call[1] if call is not None else bare) or _values(bare.rstrip("."))


def _values(text: str) -> str | None:
    try:
        return written(read_values(text))
    except Rejected:
        return None


def _body(text: str) -> str | None:
    # Which names are parameters a body does not say. Taken for parameters all names keep their letters, so
    # that a canonical body stays as it is.
    for parameters in range(len(VARIABLES), 0, -1):
        if VARIABLES[parameters - 1] not in text and parameters > 1:
            continue
        try:
            return read_compact(text, parameters, use_all=False).compact()
        except Rejected:
            return None
    return None


def facts_of(body: str, form: Form) -> tuple[list[Fact], str]:
    """What a note says that functions give, and its other lines."""
    facts: list[Fact] = []
    rest: list[str] = []
    if form == "terse":
        for line in body.split("\n"):
            told = _terse_facts(line)
            facts += told
            if not told and line.strip():
                rest.append(line)
        return facts, "\n".join(rest)
    for function, lines, text in _blocks(body):
        found = _natural_facts(function, lines) if function is not None else None
        if found is None:
            rest.append(text)
        else:
            facts += found
    return facts, "\n".join(part for part in rest if part.strip())


def _terse_facts(line: str) -> list[Fact]:
    match = _LINE.fullmatch(line)
    if match is None or len(line) > MAX_TEXT:
        return []
    found: list[Fact] = []
    try:
        parts = [part.partition("=") for part in match[2].split("|")]
        function = read_compact(match[1], len(read_values(parts[0][0])))
        for values_text, _, told in parts:
            *trace, output = told.split(";")
            values = read_values(values_text)
            if function.parameters != len(values):
                return []
            found.append((function, values, _one(output), tuple(trace)))
    except Rejected:
        return []
    return found


def _blocks(body: str) -> Iterator[tuple[Function | None, list[str], str]]:
    """A text cut before every line that begins a function: the function, the lines after it, all of it."""
    at = 0
    starts = [m.start() for m in re.finditer(r"^def ", body, re.MULTILINE)]
    for start, end in pairwise([*starts, len(body)]):
        if start > at:
            yield None, [], body[at:start].rstrip("\n")
        text = body[start:end].rstrip("\n")
        function = DEF.match(text)
        try:
            if function is None:
                raise Rejected("syntax")
            read = read_plain(function[0])
            lines = [line for line in text[function.end() :].split("\n") if line.strip()]
            # only the one way of writing it is known to say nothing else
            yield (read if function[0].rstrip() == read.plain() else None), lines, text
        except Rejected:
            yield None, [], text
        at = end
    if not starts:
        yield None, [], body


def _natural_facts(function: Function, lines: list[str]) -> list[Fact] | None:
    """What the lines after a function say of it; None where they say anything else."""
    try:
        if lines and all(map(_FACT.fullmatch, lines)):
            pairs = [m.groups() for m in map(_FACT.fullmatch, lines) if m is not None]
            return [_fact(function, values, output, []) for values, output in pairs]
        if len(lines) < 2 or not lines[-1].startswith("Answer: "):
            return None
        told = lines[-1].removeprefix("Answer: ")
        asked, sought = _ASKED.match(lines[0]), _SOUGHT.match(lines[0])
        if asked is not None:
            fact = _fact(function, asked[1], told, lines[1:-1])
            said = Problem("deduction", function, (fact[1],))
        elif sought is not None and len(lines) == 2:
            fact = _fact(function, told, sought[1], [])
            said = Problem("abduction", function, (fact[1],), read_values(fact[2]))
        else:
            return None
        # written anew it is the same, so it says nothing else
        return [fact] if statement(said) == f"{function.plain()}\n{lines[0]}" else None
    except Rejected:
        return None


def _fact(function: Function, values: str, output: str, trace: list[str]) -> Fact:
    given = read_values(values)
    if len(given) != function.parameters:
        raise Rejected("inputs", f"expected {function.parameters} values, got {len(given)}")
    lines = []
    for line in trace:
        match = _TRACED.fullmatch(line)
        if match is None:
            raise Rejected("syntax", f"expected an assignment, got {line[:80]!r}")
        lines.append(f"{match[1]}={_one(match[2])}")
    return function, given, _one(output), tuple(lines)


def _one(text: str) -> str:
    found = read_values(text)
    if len(found) != 1:
        raise Rejected("value", f"expected one value, got {len(found)}")
    return written(found)
