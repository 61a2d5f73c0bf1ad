"""One edit of a function of the domain ``program``, on its syntax tree: ACCEL's operator.

An edit keeps the types of what it touches, divides by nothing new, asks for no other item of a list, and
leaves loops that count down alone. So the mutant of a function that executes executes too, as far as that
can be told without executing it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from arena.domains.base import Rejected
from arena.domains.program_language import (
    LETTERS,
    VARIABLES,
    Function,
    Value,
    read_compact,
    read_plain,
)

T = TypeVar("T")

_COMPARISONS: Final = (ast.Lt, ast.Gt, ast.LtE, ast.GtE, ast.Eq, ast.NotEq)
_LOWER: Final = LETTERS[:26]
_OF_LIST: Final = {"sorted": "list", "list": "list", "range": "list", "str": "str"}
_TO_STR: Final = frozenset("join lower replace strip swapcase upper".split())  # noqa: SIM905
_FREE: Final = "free"
"""A name for a new variable, longer than any that a function has."""


def edited(function: Function, inputs: tuple[Value, ...], rng: np.random.Generator) -> Function:
    """Another function, one edit away; ``inputs`` tell the types of its parameters."""
    for _ in range(32):
        tree = _Tree(read_compact(function.compact(), function.parameters), inputs, rng)
        # what makes work comes as often as all the rest together
        grow: list[Callable[[], bool]] = [tree.wrap, tree.insert, tree.loop, tree.wrap]
        change: list[Callable[[], bool]] = [tree.constant, tree.operator, tree.compare, tree.drop]
        moves = grow if rng.random() < 0.5 else change
        if not moves[int(rng.integers(len(moves)))]():
            continue
        try:
            found = read_plain(tree.text())
        except Rejected:
            continue
        if found.compact() != function.compact():
            return found
    # Adding to it is always possible.
    tree = _Tree(read_compact(function.compact(), function.parameters), inputs, rng)
    return read_plain(tree.doubled())


def tweaked(value: Value, rng: np.random.Generator) -> Value:
    """Another value of the same type; a list or string is as long or longer."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + int(rng.choice([-3, -2, -1, 1, 2, 3, 5, 9]))
    if isinstance(value, str):
        letter = _LOWER[int(rng.integers(26))]
        at = int(rng.integers(len(value) + 1))
        kept = value[at + 1 :] if at < len(value) and rng.random() < 0.5 else value[at:]
        found = value[:at] + letter + kept
        return found if found != value else value + letter
    if value and rng.random() < 0.6:
        at = int(rng.integers(len(value)))
        inner = value[at]
        assert isinstance(inner, int | str | list)
        return [*value[:at], tweaked(inner, rng), *value[at + 1 :]]
    if value and not all(isinstance(item, int) for item in value):
        return [*value, value[0]]
    return [*value, int(rng.integers(10))]


@dataclass(slots=True)
class _Site:
    """An expression, where it stands, and how to put another in its place."""

    node: ast.expr
    type: str | None
    put: Callable[[ast.expr], None]
    in_loop: bool


class _Tree:
    """A function that is edited in place."""

    def __init__(self, function: Function, inputs: tuple[Value, ...], rng: np.random.Generator) -> None:
        self._function = function
        self._body = list(function.body)
        self._rng = rng
        self._types: dict[str, str | None] = {
            VARIABLES[i]: _type_of_value(value) for i, value in enumerate(inputs)
        }
        self._learn(self._body)

    def text(self) -> str:
        """The function as it is now."""
        lines = [line for statement in self._body for line in _unparsed(statement).split("\n")]
        return "\n".join([f"def f({self._function.names}):", *(f"    {line}" for line in lines)])

    def doubled(self) -> str:
        """The function with what it returns in a list, or as it is where nothing else is possible."""
        for node in ast.walk(ast.Module(self._body, [])):
            if isinstance(node, ast.Return) and node.value is not None:
                node.value = ast.List([node.value, node.value], ast.Load())
        return self.text()

    # -- the edits: each says whether it found something to do -------------------------------------------
    def constant(self) -> bool:
        """A number grows or shrinks, never to zero."""
        found = [n for n in self._constants(self._body) if type(n.value) is int]
        if not found:
            return False
        node = self._one(found)
        assert isinstance(node.value, int)
        node.value = max(1, node.value + int(self._rng.choice([-3, -2, -1, 1, 2, 3, 4, 7])))
        return True

    def operator(self) -> bool:
        """A sum becomes a difference, or the other way round; a product becomes one of them."""
        found = [
            site.node
            for site in self._sites()
            if isinstance(site.node, ast.BinOp)
            and isinstance(site.node.op, ast.Add | ast.Sub | ast.Mult)
            and self._typed(site.node.left) == self._typed(site.node.right) == "int"
        ]
        if not found:
            return False
        node = self._one(found)
        assert isinstance(node, ast.BinOp)
        node.op = ast.Sub() if isinstance(node.op, ast.Add) or self._rng.random() < 0.3 else ast.Add()
        return True

    def compare(self) -> bool:
        """Another comparison of the same numbers."""
        found = [
            node
            for statement in self._quiet(self._body)
            for node in ast.walk(statement)
            if isinstance(node, ast.Compare)
            and len(node.ops) == 1
            and isinstance(node.ops[0], _COMPARISONS)
            and self._typed(node.left) == "int"
        ]
        if not found:
            return False
        node = self._one(found)
        node.ops = [self._one(_COMPARISONS)()]
        return True

    def wrap(self) -> bool:
        """One more operation around what is returned or assigned."""
        sites = [site for site in self._sites() if site.type is not None]
        if not sites:
            return False
        site = self._one(sites)
        c = int(self._rng.integers(2, 10))
        text = f"({ast.unparse(site.node)})"
        if site.type == "int":
            shapes = [f"{text} + {c}", f"{text} - {c}", f"{c} - {text}", f"{text} % {c}", f"{text} // {c}"]
            shapes += [f"abs({text})", f"max({text}, {c})"] + [f"{text} * {c}"] * (not site.in_loop)
        elif site.type == "list":
            shapes = [
                f"sorted({text})",
                f"{text}[::-1]",
                f"{text} + [{c}]",
                f"[{_FREE} for {_FREE} in {text}]",
            ]
            shapes = shapes[: 2 if site.in_loop else 4]
        else:
            letter = _LOWER[int(self._rng.integers(26))]
            shapes = [f"{text}.upper()", f"{text}[::-1]", f"{text}.replace('{letter}', '')"]
            shapes += [f"{text} + '{letter}'"] * (not site.in_loop)
        site.put(_expression(self._one(shapes)))
        return True

    def insert(self) -> bool:
        """A new variable, or a condition on one, before the end."""
        known = self._at_the_end()
        if known is None:
            return False
        end, names = known
        name, c, k = self._one(names), int(self._rng.integers(2, 10)), int(self._rng.integers(1, 10))
        if self._rng.random() < 0.5:
            sign = self._one("+-*")
            self._before_end(f"{_FREE} = {name} {sign} {c}")
            end.value = _expression(
                f"({ast.unparse(end.value or ast.Constant(0))}) {self._one('+-')} {_FREE}"
            )
        else:
            test = self._one([f"{name} % {c} == {k % c}", f"{name} > {c}", f"{name} < {c}"])
            self._before_end(f"if {test}:\n    {name} {self._one('+-')}= {k}")
        return True

    def loop(self) -> bool:
        """A short loop before the end."""
        known = self._at_the_end()
        if known is None:
            return False
        end, names = known
        c, turns = int(self._rng.integers(1, 10)), int(self._rng.integers(2, 7))
        term = self._one(
            [f"{_FREE}i", f"{_FREE}i * {c}", f"{_FREE}i % {c + 1}", f"{self._one(names)} // {_FREE}i"]
        )
        self._before_end(
            f"{_FREE} = {int(self._rng.integers(3))}\n"
            f"for {_FREE}i in range(1, {turns}):\n    {_FREE} {self._one('+-')}= {term}"
        )
        end.value = _expression(f"({ast.unparse(end.value or ast.Constant(0))}) {self._one('+-')} {_FREE}")
        return True

    def drop(self) -> bool:
        """One statement less, or one operation."""
        found = [s for s in self._body if isinstance(s, ast.AugAssign | ast.If | ast.For)]
        if found and self._rng.random() < 0.5:
            self._body.remove(self._one(found))
            return True
        sites = [
            site
            for site in self._sites()
            if isinstance(site.node, ast.BinOp)
            and not isinstance(site.node.op, ast.Mod)
            and self._typed(site.node.left) == site.type
        ]
        if not sites:
            return False
        site = self._one(sites)
        assert isinstance(site.node, ast.BinOp)
        site.put(site.node.left)
        return True

    # -- what there is to edit -----------------------------------------------------------------------
    def _one(self, choices: Sequence[T]) -> T:
        return choices[int(self._rng.integers(len(choices)))]

    def _sites(self) -> list[_Site]:
        """Values that are returned or assigned, but for loops that count down."""
        found: list[_Site] = []

        def visit(statements: list[ast.stmt], in_loop: bool) -> None:
            for statement in statements:
                match statement:
                    case ast.Return(value=value) | ast.Assign(targets=[ast.Name()], value=value):
                        if value is not None:
                            put = _putter(statement)
                            found.append(_Site(value, self._typed(value), put, in_loop))
                    case ast.If(body=body, orelse=orelse):
                        visit(body, in_loop)
                        visit(orelse, in_loop)
                    case ast.For(body=body):
                        visit(body, True)

        visit(self._body, False)
        return found

    def _constants(self, statements: list[ast.stmt]) -> Iterator[ast.Constant]:
        for statement in self._quiet(statements):
            yield from _free_constants(statement)

    def _quiet(self, statements: list[ast.stmt]) -> Iterator[ast.stmt]:
        """Statements without what is in a ``while``."""
        return (s for s in statements if not any(isinstance(n, ast.While) for n in ast.walk(s)))

    def _at_the_end(self) -> tuple[ast.Return, list[str]] | None:
        """The last statement where it returns an integer, and integer variables that are there by then."""
        end = self._body[-1]
        if not (isinstance(end, ast.Return) and end.value is not None and self._typed(end.value) == "int"):
            return None
        there = set(VARIABLES[: self._function.parameters])
        for statement in self._body:
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                there.add(statement.targets[0].id)
        names = sorted(name for name in there if self._types.get(name) == "int")
        return (end, names) if names else None

    def _before_end(self, text: str) -> None:
        self._body[-1:-1] = ast.parse(text).body

    # -- types -----------------------------------------------------------------------------------------
    def _learn(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    self._note(name, self._typed(value))
                case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
                    same = self._typed(value) == self._types.get(name) and isinstance(op, ast.Add | ast.Sub)
                    if not same and self._types.get(name) != "int":
                        self._types[name] = None
                case ast.For(target=ast.Name(id=name), iter=items):
                    kind = self._typed(items)
                    self._note(name, {"list": "int", "str": "str"}.get(kind or ""))
            for inner in ("body", "orelse"):
                self._learn(getattr(statement, inner, []))

    def _note(self, name: str, kind: str | None) -> None:
        self._types[name] = kind if self._types.get(name, kind) == kind else None

    def _typed(self, node: ast.expr) -> str | None:
        """``int``, ``str`` or ``list`` (of integers); None where that cannot be told."""
        match node:
            case ast.Constant(value=value):
                return _type_of_value(value) if isinstance(value, int | str) else None
            case ast.Name(id=name):
                return self._types.get(name)
            case ast.BinOp(left=left, op=op, right=right):
                kinds = self._typed(left), self._typed(right)
                if kinds == ("int", "int"):
                    return "int"
                return kinds[0] if kinds[0] == kinds[1] and isinstance(op, ast.Add) else None
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._typed(operand)
            case ast.Call(func=ast.Name(id="len" | "sum" | "abs" | "int" | "max" | "min")):
                return "int" if all(self._typed(x) in ("int", "list", "str") for x in node.args) else None
            case ast.Call(func=ast.Name(id=name)):
                return _OF_LIST.get(name)
            case ast.Call(func=ast.Attribute(attr=name)):
                return "int" if name in ("count", "find", "index") else "str" if name in _TO_STR else None
            case ast.Subscript(value=value, slice=ast.Slice()):
                return self._typed(value)
            case ast.Subscript(value=value):
                return {"list": "int", "str": "str"}.get(self._typed(value) or "")
            case ast.List(elts=items):
                return "list" if all(self._typed(item) == "int" for item in items) else None
            case ast.ListComp(elt=elt, generators=[part]):
                known = dict(self._types)
                if isinstance(part.target, ast.Name):
                    kind = self._typed(part.iter)
                    self._types[part.target.id] = {"list": "int", "str": "str"}.get(kind or "")
                found = "list" if self._typed(elt) == "int" else None
                self._types = known
                return found
        return None


def _type_of_value(value: object) -> str | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return "int"
    if isinstance(value, list):
        return "list" if all(type(item) is int for item in value) else None
    return "str" if isinstance(value, str) else None


def _putter(statement: ast.Return | ast.Assign) -> Callable[[ast.expr], None]:
    def put(value: ast.expr) -> None:
        statement.value = value

    return put


def _free_constants(node: ast.AST) -> Iterator[ast.Constant]:
    """Constants that are no index, no divisor and no default of a method."""
    if isinstance(node, ast.Constant):
        yield node
        return
    for name, field in ast.iter_fields(node):
        divides = isinstance(getattr(node, "op", None), ast.FloorDiv | ast.Mod)
        if (name == "slice") or (divides and name in ("right", "value")):
            continue
        for child in field if isinstance(field, list) else [field]:
            if isinstance(child, ast.AST):
                yield from _free_constants(child)


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _unparsed(node: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(node))
