"""The small Python of the domain ``program``: reading, checking and writing one function.

A function is named ``f``; its parameters and variables are ``a``, ``b``, ``c``, ... in the order in which
they appear, so two functions that differ in names and spaces are one. Values are integers, booleans,
strings and lists of these. Nothing is evaluated here: a text becomes a syntax tree, every node of which is
on a list of what is allowed, and the tree is written anew.

There are two ways to write one. *Plain* is Python as everybody writes it. *Compact* is the body alone on
one line: ``;`` between lines, a space for each level of indentation, no spaces around operators:
``b=0;for c in a:; b+=c;return b``.
"""

from __future__ import annotations

import ast
import re
import string
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from arena.domains.base import Rejected
from arena.literals import canonical, parse_literal

MAX_TEXT: Final = 4096
"""Characters of a text that are looked at: longer ones are refused unread."""
MAX_NESTING: Final = 12
"""Levels of statements inside statements."""
MAX_DEPTH: Final = 32
"""Levels of a syntax tree."""
MAX_INTEGER: Final = 10**18
"""Integers in a function or an input are smaller than this."""
MAX_VALUE: Final = 1000
"""Characters of an input or output."""
MAX_VALUE_DEPTH: Final = 3
"""Levels of lists in an input or output."""

FUNCTIONS: Final = frozenset(
    "abs all any bool int len list max min range sorted str sum".split()  # noqa: SIM905
)
"""What a function may call."""
WALKING: Final = frozenset({"all", "any", "list", "max", "min", "sorted", "sum"})
"""Those of them that go through a sequence."""
METHODS: Final = frozenset(
    "append copy count endswith extend find index insert isdigit join lower pop remove replace reverse sort"  # noqa: SIM905
    " split startswith strip swapcase upper".split()
)
"""Methods of strings and lists that it may call."""
VARIABLES: Final = string.ascii_lowercase.replace("f", "")
LETTERS: Final = string.ascii_letters + string.digits + " ,._!?-"
"""Characters of strings."""
ALPHABET: Final = string.ascii_letters + string.digits + " ,._!?-+*/%<>=:;|'[]()"
"""Characters of compact functions and values."""

Value = int | str | list[object]
"""What functions take and give; booleans are integers here as in Python, and lists hold such values."""

# What makes Python's own parser warn or overflow: escapes, numbers that run into words, deep nesting.
_STRANGE: Final = re.compile(r"\b[0-9]\w*[A-Za-z_]|[^\x20-\x7e\n]|[\\;]")
_NESTED: Final = re.compile(r"(?:(?:[-+~(\[{]|not\b)\s*){33}")
_QUOTED: Final = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"")
_STRING: Final = re.compile(r"('[^']*')")
_SPACED: Final = re.compile(r" ?(//|[=!<>]=|[-+*/%<>=,:]) ?")
_STATEMENTS: Final = (
    ast.Assign, ast.AugAssign, ast.Return, ast.If, ast.For, ast.While, ast.Break, ast.Continue, ast.Expr,
)  # fmt: skip
_OPERATORS: Final = (
    ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.USub, ast.Not, ast.And, ast.Or,
    ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn,
)  # fmt: skip
_EXPRESSIONS: Final = (
    ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.Attribute, ast.Subscript,
    ast.Slice, ast.List, ast.ListComp, ast.comprehension, ast.Constant, ast.Name, ast.Load, ast.Store,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Function:
    """A function in canonical form."""

    parameters: int
    body: tuple[ast.stmt, ...]

    @property
    def names(self) -> str:
        """Its parameters as Python writes them."""
        return ", ".join(VARIABLES[: self.parameters])

    def plain(self) -> str:
        """As everybody writes it, with its first line."""
        return "\n".join([f"def f({self.names}):", *(f"    {line}" for line in self._lines())])

    def compact(self) -> str:
        """The body on one line."""
        return ";".join(" " * ((len(x) - len(x.lstrip())) // 4) + _squeezed(x) for x in self._lines())

    def _lines(self) -> list[str]:
        return [line for statement in self.body for line in ast.unparse(statement).split("\n")]


def read_plain(text: str, *, use_all: bool = True) -> Function:
    """The function in a text that holds one ``def`` and nothing else. With ``use_all`` it has to use all of
    its parameters.

    Raises :class:`Rejected`: ``syntax``, ``too_long``, ``too_deep``, ``value``, ``unknown_name``,
    ``unused_parameter``, and ``forbidden`` for what is not on the list: an import, an attribute, a class.
    """
    if len(text) > MAX_TEXT:
        raise Rejected("too_long", f"expected at most {MAX_TEXT} characters, got {len(text)}")
    source = re.sub(r"#.*", "", text.replace("\r\n", "\n")).expandtabs(4)
    bare = _QUOTED.sub("''", source)
    if _STRANGE.search(bare) or "\\" in source or not source.isascii():
        raise Rejected("syntax", f"expected plain Python in ASCII without escapes, got {text[:80]!r}")
    if _NESTED.search(bare):
        raise Rejected("too_deep", "expected fewer signs and brackets in a row")
    try:
        with warnings.catch_warnings(action="ignore", category=SyntaxWarning):  # `1if a` may be written
            tree = ast.parse(source)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise Rejected(
            "syntax", f"expected a Python function, got {type(error).__name__}: {error}"
        ) from None
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.FunctionDef):
        raise Rejected("syntax", f"expected one function and nothing else, got {text[:80]!r}")
    return _checked(tree.body[0], use_all)


def read_compact(text: str, parameters: int, *, use_all: bool = True) -> Function:
    """The function with a compact body and so many parameters. Raises as :func:`read_plain` does."""
    if len(text) > MAX_TEXT:
        raise Rejected("too_long", f"expected at most {MAX_TEXT} characters, got {len(text)}")
    if "\n" in text or not 0 < parameters <= len(VARIABLES):
        raise Rejected("syntax", f"expected a body on one line and an input, got {text[:80]!r}")
    lines = [f"def f({','.join(VARIABLES[:parameters])}):"]
    for line in text.split(";"):
        inner = line.lstrip(" ")
        lines.append(" " * (4 * (1 + len(line) - len(inner))) + inner)
    return read_plain("\n".join(lines), use_all=use_all)


def read_values(text: str) -> tuple[Value, ...]:
    """Values separated by commas, such as the input of a function. Raises :class:`Rejected`: ``value``."""
    try:
        found = parse_literal(text, max_characters=MAX_VALUE, max_depth=MAX_VALUE_DEPTH + 1)
    except ValueError as error:
        raise Rejected("value", str(error)) from None
    values = found if isinstance(found, tuple) else (found,)
    if not values:
        raise Rejected("value", f"expected a value, got {text[:80]!r}")
    return tuple(value_of(value) for value in values)


def value_of(found: object) -> Value:
    """``found`` where it is a value of this language. Raises :class:`Rejected`: ``value``."""
    _check_value(found, 0)
    assert isinstance(found, int | str | list)
    if len(canonical(found)) > MAX_VALUE:
        raise Rejected("value", f"expected at most {MAX_VALUE} characters, got more")
    return found


def written(values: tuple[Value, ...]) -> str:
    """Values as one compact text that :func:`read_values` reads."""
    return ",".join(_squeezed(canonical(value)) for value in values)


def shown(values: tuple[Value, ...]) -> str:
    """The same as everybody writes it."""
    return ", ".join(map(canonical, values))


def _check_value(found: object, depth: int) -> None:
    if type(found) is bool:
        return
    if isinstance(found, int):
        if abs(found) >= MAX_INTEGER:
            raise Rejected("value", f"expected integers below {MAX_INTEGER}, got a larger one")
    elif isinstance(found, str):
        if not set(LETTERS).issuperset(found):
            raise Rejected("value", f"expected strings of letters, digits and {LETTERS[62:]!r}, got others")
    elif isinstance(found, list) and depth < MAX_VALUE_DEPTH:
        for item in found:
            _check_value(item, depth + 1)
    else:
        raise Rejected(
            "value", f"expected integers, booleans, strings and lists of these, got {str(found)[:80]!r}"
        )


def _squeezed(line: str) -> str:
    parts = _STRING.split(line.strip())
    return "".join(p if i % 2 else _SPACED.sub(r"\1", p) for i, p in enumerate(parts))


def _checked(found: ast.FunctionDef, use_all: bool) -> Function:
    given = found.args
    if found.decorator_list or given.posonlyargs or given.kwonlyargs or given.vararg or given.kwarg:
        raise Rejected("forbidden", "expected plain parameters and no decorators")
    if given.defaults or not given.args:
        raise Rejected("forbidden", "expected one parameter or more, without default values")
    body = found.body
    first = body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(body) > 1:
        body = body[1:]  # a docstring
    parameters = [argument.arg for argument in given.args]
    for statement in body:
        _check_statement(statement, 0)
    names = _renaming(parameters, body)
    loaded: set[str] = set()
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and node.id in names:
                if isinstance(node.ctx, ast.Load):
                    loaded.add(node.id)
                node.id = names[node.id]
    unused = [name for name in parameters if name not in loaded]
    if unused and use_all:
        raise Rejected(
            "unused_parameter", f"expected every parameter to be used, got no use of {unused[0]}"
        )
    return Function(len(parameters), tuple(body))


def _renaming(parameters: list[str], body: list[ast.stmt]) -> dict[str, str]:
    if len(set(parameters)) < len(parameters):
        raise Rejected("syntax", "expected parameters with different names")
    called: set[str] = set()
    order = list(parameters)
    stored = set(parameters)
    seen: list[str] = []
    for statement in body:
        for node in _in_order(statement):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                called.add(node.func.id)
            if isinstance(node, ast.Name):
                seen.append(node.id)
                if isinstance(node.ctx, ast.Store):
                    stored.add(node.id)
    order += [name for name in dict.fromkeys(seen) if name in stored and name not in parameters]
    for name in dict.fromkeys(seen):
        if name not in stored and name not in FUNCTIONS:
            raise Rejected("unknown_name", f"expected a parameter or a variable, got {name[:40]}")
    for name in called & stored:
        raise Rejected("forbidden", f"expected a function, got a call of the variable {name[:40]}")
    for name in set(seen) - stored - called:
        raise Rejected("forbidden", f"expected a call of {name}, got the function itself")
    if len(order) > len(VARIABLES):
        raise Rejected("too_long", f"expected at most {len(VARIABLES)} variables, got {len(order)}")
    return dict(zip(order, VARIABLES, strict=False))


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _in_order(child)


def _check_statement(node: ast.stmt, nesting: int) -> None:
    if nesting > MAX_NESTING:
        raise Rejected("too_deep", f"expected at most {MAX_NESTING} levels of statements")
    if not isinstance(node, _STATEMENTS):
        raise Rejected("forbidden", f"expected a plain statement, got {type(node).__name__}")
    match node:
        case ast.Assign(targets=[target]) | ast.AugAssign(target=target) | ast.For(target=target):
            item = isinstance(target, ast.Subscript) and not isinstance(target.slice, ast.Slice)
            if not (isinstance(target, ast.Name) or (item and not isinstance(node, ast.For))):
                raise Rejected("forbidden", "expected an assignment to one variable or one item")
        case ast.Assign():
            raise Rejected("forbidden", "expected an assignment to one variable")
        case ast.Return(value=None):
            raise Rejected("forbidden", "expected return with a value")
        case ast.Expr(value=value):
            if not (isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute)):
                raise Rejected("forbidden", "expected a statement that does something")
    for name, field in ast.iter_fields(node):
        if name in ("body", "orelse"):
            if field and name == "orelse" and not isinstance(node, ast.If):
                raise Rejected("forbidden", "expected a loop without else")
            for inner in field:
                _check_statement(inner, nesting + 1)
        else:
            for inner in field if isinstance(field, list) else [field]:
                if isinstance(inner, ast.AST):
                    _check_expression(inner, 0)


def _check_expression(node: ast.AST, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Rejected("too_deep", f"expected at most {MAX_DEPTH} levels of a syntax tree")
    if isinstance(node, _OPERATORS):
        return
    if not isinstance(node, _EXPRESSIONS):
        raise Rejected("forbidden", f"expected a plain expression, got {type(node).__name__}")
    match node:
        case ast.Constant(value=value):
            if type(value) not in (int, bool, str):
                raise Rejected("forbidden", f"expected an integer, boolean or string, got {value!r}")
            _check_value(value, 0)
            node.kind = None
        case ast.Call(func=func, keywords=keywords):
            if keywords:
                raise Rejected("forbidden", "expected a call without keywords")
            match func:
                case ast.Name(id=name):
                    if name not in FUNCTIONS:
                        raise Rejected(
                            "unknown_name",
                            f"expected one of {', '.join(sorted(FUNCTIONS))}, got {name[:40]}",
                        )
                case ast.Attribute(value=owner, attr=name):
                    if name not in METHODS:
                        raise Rejected(
                            "forbidden", f"expected one of {', '.join(sorted(METHODS))}, got {name[:40]}"
                        )
                    _check_expression(owner, depth + 1)
                case _:
                    raise Rejected("forbidden", "expected a call of a function or method by its name")
            for argument in node.args:
                _check_expression(argument, depth + 1)
            return
        case ast.Attribute(attr=name):
            raise Rejected("forbidden", f"expected a call of a method, got the attribute {name[:40]}")
        case ast.ListComp(generators=generators) if len(generators) > 1:
            raise Rejected("forbidden", "expected a list comprehension with one for")
        case ast.comprehension(target=target, is_async=is_async):
            if is_async or not isinstance(target, ast.Name):
                raise Rejected("forbidden", "expected a list comprehension over one variable")
    for child in ast.iter_child_nodes(node):
        _check_expression(child, depth + 1)
