"""What a proposal of ``program`` looks like, as a regular expression that an engine can hold a model to.

It has room for a few statements on integers, strings or lists of integers, with names and indentation that
are right by construction, and for as many of them as a difficulty asks for. Whether it executes only the
sandbox can tell. It narrows what a small model writes; what is parsed is far wider.
"""

from __future__ import annotations

from typing import Final

from arena.domains.program_problem import KINDS, LEAST_EXAMPLES, LETTER
from culture.records import Form

_NUMBER: Final = "(0|[1-9][0-9]?)"
_WORD: Final = "'[a-z]{1,6}'"
_MOST: Final = 6
"""Statements before the last."""


def pattern(form: Form, target: float | None) -> str:
    """Functions of one parameter, of up to about twice ``target``."""
    # a statement of two operations is about ten nodes and steps
    room = 24.0 if target is None else max(3.0, 2 * target)
    shapes = [_shape(form, kind, room) for kind in ("int", "list", "str")]
    return f"({'|'.join(shapes)})"


def _shape(form: Form, kind: str, room: float) -> str:
    """Problems about a parameter of one type."""
    terms = 1 + min(3, int(room / 8))
    statements = min(_MOST, int(room / 14))
    items = min(8, max(2, int(room / 4)))
    value = {
        "int": _NUMBER,
        "list": rf"\[{_NUMBER}(, {_NUMBER}){{1,{items}}}\]"
        if form == "natural"
        else rf"\[{_NUMBER}(,{_NUMBER}){{1,{items}}}\]",
        "str": _WORD,
    }[kind]
    gap = " " if form == "natural" else ""
    sign = rf"{gap}[-+*]{gap}"
    divided = rf"({gap}(%|//){gap}[2-9])?"
    first = {
        "int": f"(a{divided}|abs\\(a\\))",
        "list": r"(len\(a\)|sum\(a\)|max\(a\)|min\(a\)|a\[0\]|a\[-1\])",
        "str": r"(len\(a\)|a\.count\('[a-z]'\))",
    }[kind]
    whole = {
        "int": "",
        "list": r"(a|sorted\(a\)|a\[::-1\]|a\[1:\])",
        "str": r"(a|a\.upper\(\)|a\[::-1\]|a\[1:\])",
    }[kind]

    def number(known: str) -> str:
        part = f"({first}|{known}|[1-9])" if known else f"({first}|[1-9])"
        return f"{part}({sign}{part}){{0,{terms - 1}}}"

    line = ";" if form == "terse" else "\n    "
    deeper = ";" + " " if form == "terse" else "\n        "
    body: list[str] = []
    plain = f"return {number('')}" if not whole else f"return ({whole}|{number('')})"
    body.append(plain)
    if statements:
        over = rf"range\({_NUMBER}\)" if kind != "list" else rf"(a|range\({_NUMBER}\))"
        step = rf"b{gap}[-+]={gap}(c|[1-9]|c{sign}[1-9])" if kind != "str" else rf"b{gap}\+={gap}[1-9]"
        test = rf"b{gap}(%{gap}[2-9]{gap}=={gap}[01]|[<>]{gap}{_NUMBER})"
        update = f"b{gap}[-+]={gap}{number('')}"
        more = f"({line}{update}|{line}for c in {over}:{deeper}{step}|{line}if {test}:{deeper}{update})"
        body.append(f"b{gap}={gap}{number('')}{more}{{0,{statements}}}{line}return {number('b')}")
    function = f"({'|'.join(body)})"
    least, most = LEAST_EXAMPLES - 1, LEAST_EXAMPLES + 1
    if form == "terse":
        one = f"({LETTER['deduction']}|{LETTER['abduction']}):{function}\\|{value}"
        return f"({one}|{LETTER['induction']}:{function}\\|{value}(\\|{value}){{{least},{most}}})"
    head = f"\ndef f\\(a\\):\n    {function}\n"
    one = f"({KINDS[0]}|{KINDS[1]}){head}f\\({value}\\)"
    return f"({one}|{KINDS[2]}{head}f\\({value}\\)(\nf\\({value}\\)){{{least},{most}}})"
