"""Arithmetic expressions as trees: read, written in one normal form, and reduced a step at a time.

The grammar, with ``+`` and ``-`` and ``*`` associating to the left::

    sum     = product (("+" | "-") product)*
    product = atom ("*" atom)*
    atom    = digits | "(" sum ")"

The normal form has no spaces, no leading zeros, and parentheses exactly where leaving them out would
change the tree: ``(a+b)*c`` and ``a-(b+c)`` and ``a+(b+c)``, but ``a+b+c`` for ``(a+b)+c``. A negative
intermediate value stands in parentheses, ``(-3)*2``, except where it is the whole answer, ``-6``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from arena.domains.base import Rejected

# The three bounds keep every program and its whole working within what the sandbox takes and returns.
MAX_OPERATIONS: Final = 24
MAX_DIGITS: Final = 12
"""Of one number in a problem; products in the working grow beyond it."""
MAX_NESTING: Final = 24
"""Parentheses inside each other, redundant ones included: bounds the parser's recursion."""

OPERATORS: Final = "+-*"
_PRECEDENCE: Final = {"+": 1, "-": 1, "*": 2}
_TOKEN: Final = re.compile(r"[0-9]+|[-+*()]| +|(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Node:
    """One operation on two parts."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Variable:
    """A value that a program computes: the place of a reduced part while the program is written."""

    name: str


Leaf = int | Variable
Expression = Leaf | Node


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        for match in _TOKEN.finditer(text):
            if match.group(1) is not None:
                raise Rejected("syntax", f"expected digits, + - * and parentheses, got {match.group(1)!r}")
            if not match.group().isspace():
                self.tokens.append(match.group())
        self.at = 0
        self.nesting = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def sum(self) -> Expression:
        left = self.product()
        while self.peek() in ("+", "-"):
            operator = self.take()
            left = Node(operator, left, self.product())
        return left

    def product(self) -> Expression:
        left = self.atom()
        while self.peek() == "*":
            self.take()
            left = Node("*", left, self.atom())
        return left

    def atom(self) -> Expression:
        token = self.take()
        if token[:1].isdigit():
            digits = token.lstrip("0") or "0"
            if len(digits) > MAX_DIGITS:
                raise Rejected(
                    "too_long", f"expected numbers of at most {MAX_DIGITS} digits, got {len(digits)}"
                )
            return int(digits)
        if token == "(":
            self.nesting += 1
            if self.nesting > MAX_NESTING:
                raise Rejected("too_deep", f"expected at most {MAX_NESTING} parentheses inside each other")
            inner = self.sum()
            self.nesting -= 1
            if self.take() != ")":
                raise Rejected("syntax", "expected ')' for every '('")
            return inner
        raise Rejected("syntax", f"expected a number or '(', got {token or 'the end'!r}")


def read(text: str) -> Node:
    """The tree of an expression with at least one operation.

    Raises :class:`Rejected`: ``syntax``, ``no_operation``, ``too_deep`` or ``too_long``.
    """
    reader = _Reader(text)
    if sum(token in ("+", "-", "*") for token in reader.tokens) > MAX_OPERATIONS:
        raise Rejected("too_deep", f"expected at most {MAX_OPERATIONS} operations")
    tree = reader.sum()
    if reader.peek():
        raise Rejected("syntax", f"expected an operator or the end, got {reader.peek()!r}")
    if not isinstance(tree, Node):
        raise Rejected("no_operation", f"expected at least one operation, got {write(tree)}")
    return tree


def pieces(tree: Expression, whole: bool = True) -> Iterator[str | Variable]:
    """The normal form of ``tree`` in order, its variables (which may turn out negative) unwritten."""
    if isinstance(tree, Variable):
        yield tree
    elif isinstance(tree, int):
        yield str(tree) if tree >= 0 or whole else f"({tree})"
    else:
        strength = _PRECEDENCE[tree.operator]
        for before, part, needed in (("", tree.left, strength), (tree.operator, tree.right, strength + 1)):
            yield before
            if isinstance(part, Node) and _PRECEDENCE[part.operator] < needed:
                yield "("
                yield from pieces(part, whole=False)
                yield ")"
            else:
                yield from pieces(part, whole=False)


def write(tree: Expression) -> str:
    """The normal form of a tree without variables."""
    return "".join(piece if isinstance(piece, str) else piece.name for piece in pieces(tree))


def redex(tree: Node) -> tuple[str, Leaf, Leaf]:
    """The leftmost innermost operation: the first one whose parts are both values."""
    if isinstance(tree.left, Node):
        return redex(tree.left)
    if isinstance(tree.right, Node):
        return redex(tree.right)
    return tree.operator, tree.left, tree.right


def replace(tree: Node, value: Leaf) -> Expression:
    """The tree with ``value`` in the place of its leftmost innermost operation."""
    if isinstance(tree.left, Node):
        return Node(tree.operator, replace(tree.left, value), tree.right)
    if isinstance(tree.right, Node):
        return Node(tree.operator, tree.left, replace(tree.right, value))
    return value


def apply(operator: str, left: int, right: int) -> int:
    """One operation on two integers."""
    if operator == "+":
        return left + right
    return left - right if operator == "-" else left * right


def steps(tree: Node) -> list[tuple[str, int, int, int, str]]:
    """Every step of the working: operator, its two values, the result, and the expression then left."""
    found = []
    left_over: Expression = tree
    while isinstance(left_over, Node):
        operator, left, right = redex(left_over)
        if isinstance(left, Variable) or isinstance(right, Variable):
            raise TypeError(f"expected a tree without variables, got {write(tree)}")
        result = apply(operator, left, right)
        left_over = replace(left_over, result)
        found.append((operator, left, right, result, write(left_over)))
    return found


def count(tree: Expression) -> int:
    """Operations in the tree."""
    return 1 + count(tree.left) + count(tree.right) if isinstance(tree, Node) else 0


def depth(tree: Expression) -> int:
    """Operations on the longest way from the root to a value."""
    return 1 + max(depth(tree.left), depth(tree.right)) if isinstance(tree, Node) else 0
