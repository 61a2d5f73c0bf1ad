"""How a function of the domain ``program`` is executed, and how its size and its work are counted.

What counts, of a function:

- ``nodes`` of its syntax tree, operators left out, and its ``depth``;
- ``reading``: nodes, each once more for every loop or condition that it stands in (after Campbell 2018,
  *Cognitive Complexity*: control flow is the harder to follow the deeper it is nested).

And of an execution, ``steps``: 1 for every statement that is executed, every turn of a loop and every item
of a comprehension, 1 for every operator, call, index and comparison in them, and 1 for every item that a
slice, a sum or a product makes or that ``sum``, ``sorted``, ``in``, ``count`` and the like go through. The
function counts them itself: :func:`counted` puts the counting into its source, so they depend on no clock,
and more than :data:`MAX_STEPS` end it, as does an integer that grows too large. Parts of a statement that
are skipped (the other side of an ``or``) count as well.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from arena.domains.base import Ran, Rejected
from arena.domains.program_language import (
    MAX_INTEGER,
    MAX_VALUE,
    WALKING,
    Function,
    Value,
    shown,
    value_of,
    written,
)
from arena.literals import parse_literal

MAX_STEPS: Final = 50_000
"""Steps of all calls of a problem together: a twentieth of a second in the sandbox, far below its limit."""
MOST_TRACED: Final = 64
"""Assignments that a trace may have; executions with more, or with more characters than a value may have,
have none."""

_ENDED: Final = {
    "RuntimeError: too many steps": ("too_many_steps", f"expected at most {MAX_STEPS} steps, got more"),
    "RuntimeError: too large": ("too_large", f"expected integers below {MAX_INTEGER}, got a larger one"),
}
_OPERATIONS: Final = (ast.AugAssign, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.IfExp, ast.Call, ast.Subscript)
_WALKING_METHODS: Final = frozenset(
    "copy count find index insert remove replace reverse sort split".split()  # noqa: SIM905
)

# Variables of functions are single letters, so nothing here can be named by one.
_PRELUDE: Final = f"""\
_steps = [0]
_shown = [0]
_trace = []
def _n(k):
    _steps[0] += k
    if _steps[0] > {MAX_STEPS}:
        raise RuntimeError('too many steps')
def _i(k, items):
    _n(k * len(items))
    return items
def _b(value):
    if isinstance(value, int) and (value >= {MAX_INTEGER} or value <= -{MAX_INTEGER}):
        raise RuntimeError('too large')
def _m(value):
    if isinstance(value, (str, list)):
        _n(len(value))
    else:
        _b(value)
    return value
def _w(name, value):
    if len(_trace) <= {MOST_TRACED} and _shown[0] <= {MAX_VALUE}:
        text = repr(value)
        _shown[0] += len(name) + len(text)
        _trace.append([name, text] if _shown[0] <= {MAX_VALUE} else [])
"""


@dataclass(frozen=True, slots=True)
class Call:
    """What a call of a function gave."""

    output: Value
    steps: int
    trace: tuple[str, ...]
    """``name=value`` for every assignment in order; empty where there were more than fit."""


def counted(function: Function, inputs: Sequence[tuple[Value, ...]]) -> str:
    """A program for the sandbox that calls the function on each of ``inputs``; :func:`calls` reads what it
    gives."""
    body = _Counting().block(function.body)
    lines = [_PRELUDE, f"def f({function.names}):"]
    lines += [f"    {line}" for statement in body for line in _source(statement)]
    lines.append("_found = []")
    for values in inputs:
        lines += ["_before = _steps[0]", "_shown[0] = 0", "_trace = []", f"_out = f({shown(values)})"]
        lines.append("_found.append([_out, _steps[0] - _before, _trace])")
    lines.append("_found")
    return "\n".join(lines)


def calls(ran: Ran, count: int) -> list[Call]:
    """The ``count`` calls in what the sandbox made of a :func:`counted` program.

    Raises :class:`Rejected`: ``execution:...``, ``too_many_steps``, and ``value`` where a function returned
    what is no value of the language, ``None`` for example.
    """
    if ran.failure is not None:
        raise Rejected(*_ENDED.get(ran.detail, (f"execution:{ran.failure}", ran.detail)))
    found = ran.value
    if not isinstance(found, list) or len(found) != count:
        raise Rejected("value", f"expected {count} calls, got {str(found)[:80]}")
    return [_call(call) for call in found]


def _call(found: object) -> Call:
    match found:
        case [output, int(steps), [*assignments]]:
            return Call(value_of(output), steps, _traced(assignments))
    raise Rejected("value", f"expected [output, steps, trace], got {str(found)[:80]}")


def _traced(assignments: Sequence[object]) -> tuple[str, ...]:
    if len(assignments) > MOST_TRACED:
        return ()
    lines = []
    for assignment in assignments:
        match assignment:
            case [str(name), str(text)]:
                try:
                    lines.append(f"{name}={written((value_of(parse_literal(text)),))}")
                except (ValueError, Rejected):
                    return ()  # a range, or a value that is too long: there is a result, but no trace
            case _:
                return ()
    return tuple(lines)


def nodes(tree: ast.AST) -> int:
    """Nodes of a syntax tree; operators and contexts are part of the node that has them."""
    return sum(isinstance(node, _COUNTED) for node in ast.walk(tree))


def depth(tree: ast.AST) -> int:
    """Levels of a syntax tree."""
    return int(isinstance(tree, _COUNTED)) + max(map(depth, ast.iter_child_nodes(tree)), default=0)


def reading(statements: Sequence[ast.stmt], nesting: int = 0) -> int:
    """Nodes, each as often as it stands in a loop or condition, and once more."""
    total = 0
    for statement in statements:
        inner = [s for name in ("body", "orelse") for s in getattr(statement, name, [])]
        total += (nodes(statement) - sum(map(nodes, inner))) * (1 + nesting)
        total += reading(inner, nesting + 1)
    return total


_COUNTED: Final = (ast.stmt, ast.expr, ast.comprehension)


def operations(tree: ast.AST) -> int:
    """Operators, calls, indices and comparisons of an expression, those in comprehensions left out."""
    if isinstance(tree, ast.ListComp):
        return operations(tree.generators[0].iter)
    own = len(tree.ops) if isinstance(tree, ast.Compare) else int(isinstance(tree, _OPERATIONS))
    return own + sum(map(operations, ast.iter_child_nodes(tree)))


class _Counting(ast.NodeTransformer):
    """Copies a function with the counting in it."""

    def block(self, statements: Sequence[ast.stmt]) -> list[ast.stmt]:
        found: list[ast.stmt] = []
        for statement in statements:
            found += self._statement(statement)
        return found

    def _statement(self, node: ast.stmt) -> list[ast.stmt]:
        match node:
            case ast.If(test=test, body=body, orelse=orelse):
                inner = ast.If(self._expression(test), self.block(body), self.block(orelse))
                return [_count(1 + operations(test)), inner]
            case ast.While(test=test, body=body):
                cost = 1 + operations(test)
                loop = ast.While(self._expression(test), [_count(cost), *self.block(body)], [])
                return [_count(cost), loop]
            case ast.For(target=ast.Name(id=name), iter=items, body=body):
                turn = [_count(1), _watch(name), *self.block(body)]
                loop_ = ast.For(_name(name, ast.Store()), self._expression(items), turn, [])
                return [_count(1 + operations(items)), loop_]
        counted = self.visit(_copied(node))
        found: list[ast.stmt] = [_count(1 + operations(node)), counted]
        if isinstance(node, ast.AugAssign):
            multiplied = isinstance(node.op, ast.Mult)
            if not multiplied:
                counted.value = _called("_m", counted.value)
            if isinstance(counted.target, ast.Subscript):
                # what is evaluated twice, here and where the result is looked at, must change nothing,
                # as b.pop() would
                target = counted.target
                found[1:1] = [_bound("_o", target.value), _bound("_k", target.slice)]
                target.value, target.slice = _name("_o"), _name("_k")
            result = ast.parse(ast.unparse(counted.target), mode="eval").body
            found.append(ast.Expr(_called("_m" if multiplied else "_b", result)))
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name))])
                | ast.AugAssign(target=ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name)))
                | ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name))))
            ):
                found.append(_watch(name))
        return found

    def _expression(self, node: ast.expr) -> ast.expr:
        counted = self.visit(_copied(node))
        assert isinstance(counted, ast.expr)  # only operations are wrapped, each in one
        return counted

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        return _called("_m", node) if isinstance(node.op, ast.Add | ast.Mult) else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        match node.func:
            case ast.Name(id=name) if name in WALKING and len(node.args) == 1:
                node.args = [_through(1, node.args[0])]
            case ast.Attribute(attr="join" | "extend") if len(node.args) == 1:
                node.args = [_through(1, node.args[0])]
            case ast.Attribute(attr=name) if name in _WALKING_METHODS:
                node.func.value = _through(1, node.func.value)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        return _through(1, node) if isinstance(node.slice, ast.Slice) else node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        node.comparators = [
            _through(1, right) if isinstance(operator, ast.In | ast.NotIn) else right
            for operator, right in zip(node.ops, node.comparators, strict=True)
        ]
        return node

    def visit_ListComp(self, node: ast.ListComp) -> ast.AST:
        (part,) = node.generators
        cost = 1 + operations(node.elt) + sum(map(operations, part.ifs))
        self.generic_visit(node)
        part.iter = _through(cost, part.iter)
        return node


def _copied(node: ast.AST) -> ast.AST:
    fields = {
        name: [_copied(x) if isinstance(x, ast.AST) else x for x in value]
        if isinstance(value, list)
        else _copied(value)
        if isinstance(value, ast.AST)
        else value
        for name, value in ast.iter_fields(node)
    }
    return type(node)(**fields)


def _name(name: str, context: ast.expr_context | None = None) -> ast.Name:
    return ast.Name(name, context or ast.Load())


def _called(name: str, *arguments: ast.expr) -> ast.expr:
    return ast.Call(_name(name), list(arguments), [])


def _bound(name: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([_name(name, ast.Store())], value)


def _count(steps: int) -> ast.stmt:
    return ast.Expr(_called("_n", ast.Constant(steps)))


def _watch(name: str) -> ast.stmt:
    return ast.Expr(_called("_w", ast.Constant(name), _name(name)))


def _through(steps: int, items: ast.expr) -> ast.expr:
    return _called("_i", ast.Constant(steps), items)


def _source(statement: ast.stmt) -> list[str]:
    return ast.unparse(ast.fix_missing_locations(statement)).split("\n")
