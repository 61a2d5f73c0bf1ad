"""``arithmetic``: expressions over non-negative integers with ``+``, ``-``, ``*`` and parentheses.

A spec is an expression in the normal form of ``arena.domains.expression``. Worked in the terse form,
every step carries out the leftmost innermost operation and writes what is then left:
``(3+4)*2=7*2=14``. The natural form of a proposal is the same expression with spaces around the
operators; the typographic signs for times and minus are read as ``*`` and ``-``.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from arena.domains.base import Anchor, Domain, Rejected, Solution, register
from arena.domains.claims import Claim, Stated, stated
from arena.domains.expression import (
    MAX_DIGITS,
    MAX_OPERATIONS,
    OPERATORS,
    Expression,
    Leaf,
    Node,
    Variable,
    count,
    depth,
    pieces,
    read,
    redex,
    replace,
    steps,
    write,
)
from arena.domains.grade import GRADES, terse_request
from culture.records import Form
from culture.seeds import generator, short_id

MAX_TEXT: Final = 4096
"""Characters of a proposal that are looked at: longer texts are refused unread."""

# Anchors are the same in every run, so their stream is named by a constant and never by a run's seed.
_ANCHOR_SEED: Final = 20261102
_CORE: Final = (
    (1, 1),
    (1, 2),
    (2, 1),
    (1, 3),
    (2, 2),
    (3, 1),
    (2, 3),
    (4, 1),
    (3, 2),
    (4, 2),
    (3, 3),
    (4, 3),
)
_FAR: Final = ((6, 4), (8, 6))
_LONGEST: Final = 24
"""Digits of a number in a proposal that is held to a pattern."""

# A product of n-digit numbers has 2n digits and there are at most MAX_OPERATIONS + 1 numbers, so every
# right answer fits; the bound keeps int() away from texts that take quadratic time.
_INTEGER: Final = re.compile(rf"-?[0-9]{{1,{MAX_DIGITS * (MAX_OPERATIONS + 1)}}}")
_ANSWER_LINE: Final = re.compile(r"^[^\w\n]*answer[^\w\n]*?:(.*)$", re.IGNORECASE | re.MULTILINE)
_WRAPPING: Final = " \t\r\"'`*.,;:!()"
_PROBLEM: Final = re.compile(r"problem:", re.IGNORECASE)
_SIGNS: Final = str.maketrans({"\u00d7": "*", "\u2212": "-", "\t": " ", "\r": " "})
_TOLD: Final = {"+": "plus", "-": "minus", "*": "times"}
_SIGN_OF: Final = {told: operator for operator, told in _TOLD.items()}
_LESSON: Final = re.compile(r"(-?)([0-9]+) (plus|minus|times) (-?)([0-9]+) is (-?[0-9]+)")
_POSED: Final = re.compile(r"Compute (.+)\. Answer with the number only\.")
_NEGATIVE: Final = re.compile(r"\(-([0-9]+)\)")
_LONG: Final = re.compile(rf"[0-9]{{{MAX_DIGITS + 1},}}")


def _integer(text: str) -> str | None:
    return str(int(text)) if _INTEGER.fullmatch(text) else None


def _digits(text: str) -> int:
    return sum("0" <= c <= "9" for c in text)


def _spaced(expression: str) -> str:
    # A minus after a parenthesis that opens, or first of all, is a sign and not an operator.
    return re.sub(r"(?<=[0-9)])([-+*])", r" \1 ", expression)


def _stepwise(text: str) -> str:
    """A step of a working as a problem: one has no numbers below zero, and no such long ones, but has
    differences and sums."""

    def parts(digits: str) -> str:
        if len(digits) <= MAX_DIGITS:
            return digits
        return f"({parts(digits[: 1 - MAX_DIGITS])}*1{'0' * (MAX_DIGITS - 1)}+{digits[1 - MAX_DIGITS :]})"

    # a line with so many digits is none of ours
    short = len(text) <= MAX_DIGITS * MAX_OPERATIONS
    return _LONG.sub(lambda m: parts(m[0]), _NEGATIVE.sub(r"(0-\1)", text)) if short else text


@register
class Arithmetic(Domain):
    """Expressions to evaluate. Difficulty is the number of digits that working it writes."""

    name = "arithmetic"
    alphabet = "0123456789+-*()=?>\n"
    request_characters = GRADES
    core_cells = tuple(f"{n}x{d}" for n, d in _CORE)

    # -- proposing ---------------------------------------------------------------------------------
    def brief(self, form: Form, target: float | None, parent: str | None) -> str:
        """Terse: ``?h>`` (see ``arena.domains.grade``), ``?>`` or, for a variation, ``(3+4)*2>``.

        ``parent`` wins over ``target``.
        """
        if form == "terse":
            return terse_request(target, parent)
        lines = [
            "Write one arithmetic problem: an expression of whole numbers with +, -, * and parentheses.",
            "For example: (3 + 4) * 2",
        ]
        if parent is not None:
            lines.append(
                f"Change this problem a little, to make a new one: {self.write(parent, 'natural')}"
            )
        elif target is not None:
            lines.append(
                "Worked out one operation at a time, writing what is left after each, it should take about"
                f" {max(1, round(target))} digits."
            )
        lines.append("Answer with the expression only, on one line.")
        return "\n".join(lines)

    def pattern(self, form: Form, target: float | None) -> str:
        """Up to nine numbers of up to 24 digits; parentheses hold two numbers.

        With n operations on d digits, working writes about d * (n + ... + 1) digits.
        """
        between = "" if form == "terse" else " "
        operator = f"{between}[-+*]{between}"
        shapes = []
        for operations in range(1, 9):
            digits = _LONGEST if target is None else round(2 * target / (operations * (operations + 1)))
            if digits < 1 and operations > 1:
                break
            number = f"(0|[1-9][0-9]{{0,{min(_LONGEST, max(1, digits)) - 1}}})"
            pair = f"{number}{operator}{number}"
            part = f"({number}|\\({pair}\\))"
            if operations == 1:
                shapes.append(pair)
            else:
                # a pair in parentheses has an operation of its own
                shapes.append(f"{number}({operator}{number}){{{operations}}}")
                shapes.append(f"{part}({operator}{part}){{1,{(operations + 1) // 2}}}")
        return f"({'|'.join(shapes)})"

    def parse(self, text: str) -> str:
        """The normal form of the first line that is an expression.

        Reasons: ``syntax``, ``no_operation``, ``too_deep``, ``too_long``.
        """
        if len(text) > MAX_TEXT:
            raise Rejected("too_long", f"expected at most {MAX_TEXT} characters, got {len(text)}")
        first: Rejected | None = None
        for line in text.strip().split("\n"):
            try:
                return write(read(_PROBLEM.sub("", line.translate(_SIGNS), count=1).strip()))
            except Rejected as rejected:
                first = first or rejected
        raise first or Rejected("syntax", "expected an expression, got nothing")

    def program(self, spec: str) -> str:
        left_over: Expression = read(spec)
        lines = ["def show(n):", "    return str(n) if n >= 0 else '(' + str(n) + ')'", "worked = []"]
        while isinstance(left_over, Node):
            operator, left, right = redex(left_over)
            result = Variable(f"v{len(lines)}")
            lines.append(f"{result.name} = {_operand(left)} {operator} {_operand(right)}")
            left_over = replace(left_over, result)
            shown = f"str({result.name})" if left_over is result else _shown(left_over)
            lines.append(f"worked.append({shown})")
        lines.append(
            "[worked[-1], worked, sum([len([c for c in w if c in '0123456789']) for w in worked])]"
        )
        return "\n".join(lines)

    def solution(self, spec: str, value: object) -> Solution:
        """Reason ``value`` where the sandbox's value is not ``[answer, [working, ...], digits]``."""
        operations = count(read(spec))
        match value:
            case [str(answer), [*worked], int(written)]:
                texts = tuple(w for w in worked if isinstance(w, str))
                if len(texts) == len(worked) == operations and texts[-1] == answer == _integer(answer):
                    return Solution(answer, texts, written)
        raise Rejected(
            "value", f"expected [answer, {operations} expressions, digits], got {str(value)[:80]}"
        )

    def features(self, spec: str, solution: Solution) -> dict[str, float]:
        """``operations``, ``length`` (characters of the spec), ``steps`` (digits that working it writes),
        ``digits`` of its longest number, ``depth`` of its tree and the number of ``multiplications``."""
        tree = read(spec)
        return {
            "operations": float(count(tree)),
            "length": float(len(spec)),
            "steps": float(sum(map(_digits, solution.worked))),
            "digits": float(max(map(len, re.findall("[0-9]+", spec)))),
            "depth": float(depth(tree)),
            "multiplications": float(spec.count("*")),
        }

    def difficulty(self, features: dict[str, float]) -> float:
        """Digits that working it writes."""
        return features["steps"]

    def write(self, spec: str, form: Form) -> str:
        return spec if form == "terse" else _spaced(spec)

    def mutate(self, spec: str, rng: np.random.Generator) -> str:
        """One edit: a number becomes an operation or an operation one of its parts, an operator or a
        digit changes, or a number grows or shrinks by a digit.

        Edits that make work are as likely as all others together.
        """
        tree = read(spec)
        for _ in range(16):
            edited = _edit(tree, rng)
            if isinstance(edited, Node):
                try:
                    found = write(read(write(edited)))
                except Rejected:
                    continue
                if found != spec:
                    return found
        # Another operator at the root always parses: the parentheses follow from the tree.
        other = _pick(OPERATORS.replace(tree.operator, ""), rng)
        return write(Node(other, tree.left, tree.right))

    def sample(self, rng: np.random.Generator, target: float) -> str:
        """The nearest to ``target`` digits of eight draws of about that size."""
        drawn = []
        for _ in range(8):
            # With n operations on d digits, working writes about d * (n + ... + 1) digits.
            most = min(max(1.0, float(np.sqrt(2 * max(target, 1.0)))), MAX_OPERATIONS)
            operations = int(np.exp(rng.uniform(0.0, np.log(most + 0.99))))
            digits = round(2 * target / (operations * (operations + 1)) - 0.5 * rng.random())
            drawn.append(_draw(operations, min(max(1, digits), MAX_DIGITS), rng))
        return write(min(drawn, key=lambda tree: abs(_written(tree) - target)))

    # -- solving -----------------------------------------------------------------------------------
    def pose(self, spec: str, form: Form) -> str:
        if form == "terse":
            return f"{spec}="
        return f"Compute {_spaced(spec)}. Answer with the number only."

    def key(self, spec: str, solution: Solution, form: Form) -> str:
        """Terse: ``7*2=14`` for ``(3+4)*2=``. Natural: a line a step, then ``Answer: 14``."""
        if form == "terse":
            return "=".join(solution.worked)
        return "\n".join([*(f"= {_spaced(w)}" for w in solution.worked), f"Answer: {solution.answer}"])

    def read_answer(self, completion: str, form: Form) -> str | None:
        """Terse: what follows the last ``=`` of the first line, or the line itself where there is none.

        Natural: the last ``Answer:`` line, else the last line with a number alone after its last ``=``.
        """
        if form == "terse":
            return _integer(completion.partition(self.stop)[0].rpartition("=")[2])
        named = _ANSWER_LINE.findall(completion)
        if named:
            return _integer(named[-1].strip(_WRAPPING))
        for line in reversed(completion.split("\n")):
            answer = _integer(line.rpartition("=")[2].strip(_WRAPPING))
            if answer is not None:
                return answer
        return None

    # -- culture -----------------------------------------------------------------------------------
    def example(self, spec: str, solution: Solution, form: Form) -> str:
        """Terse: the whole worked line, ``(3+4)*2=7*2=14``."""
        if form == "terse":
            return f"{spec}={self.key(spec, solution, form)}"
        return f"{self.pose(spec, form)}\n{self.key(spec, solution, form)}"

    def lesson(self, spec: str, solution: Solution, form: Form) -> str:
        """The single hardest step: the operation on most digits, a product before a sum."""
        operator, left, right, result, _ = max(
            steps(read(spec)), key=lambda s: (_digits(f"{s[1]}{s[2]}{s[3]}"), s[0] == "*")
        )
        if form == "terse":
            return f"{write(Node(operator, left, right))}={result}"
        return f"{left} {_TOLD[operator]} {right} is {result}"

    def claims(self, body: str, form: Form) -> Stated:
        """Lines such as ``(3+4)*2=7*2=14`` or ``(3+4)*2=14``, in the natural form also with spaces, and
        what :meth:`example` and :meth:`lesson` write."""
        return stated(body, self._line if form == "terse" else self._told)

    def _line(self, line: str) -> list[Claim]:
        text, *worked = line.split("=")
        if not worked or _integer(worked[-1]) != worked[-1]:
            return []
        try:
            spec = write(read(_stepwise(text) if len(worked) == 1 else text))
        except Rejected:
            return []
        if len(worked) == 1:
            return [Claim(spec, worked[0])]
        whole = spec == text and len(worked) == count(read(spec))
        return [Claim(spec, worked[-1], tuple(worked))] if whole else []

    def _told(self, part: str) -> list[Claim]:
        lesson = _LESSON.fullmatch(part)
        if lesson is not None:
            below, left, told, below_too, right, result = lesson.groups()
            a, b = (f"(-{n})" if sign else n for sign, n in ((below, left), (below_too, right)))
            return self._line(f"{a}{_SIGN_OF[told]}{b}={result}")
        posed = _POSED.match(part)
        if posed is None:
            found = self._line(part.replace(" ", ""))
            spaced = " = ".join(map(_spaced, part.replace(" ", "").split("=")))
            return found if part in (spaced, part.replace(" ", "")) else []
        spec = posed[1].replace(" ", "")
        worked = [line.removeprefix("= ").replace(" ", "") for line in part.split("\n")[1:-1]]
        found = self._line("=".join([spec, *worked]))
        # written anew it is the same, so it says nothing else
        same = found and part == self.example(spec, Solution(worked[-1], tuple(worked), 0), "natural")
        return [Claim(c.spec, c.answer, tuple(worked)) for c in found] if same else []

    # -- anchors -----------------------------------------------------------------------------------
    def anchors(self, per_cell: int) -> list[Anchor]:
        """``per_cell`` problems in each cell ``{operations}x{digits}``, every number of that many digits.

        The 12 ``core_cells`` come first, easiest first; ``6x4`` and ``8x6`` lie beyond a small model.
        A smaller ``per_cell`` gives the first problems of a larger one.
        """
        found: list[Anchor] = []
        for operations, digits in (*_CORE, *_FAR):
            cell = f"{operations}x{digits}"
            rng = generator(_ANCHOR_SEED, "anchors", self.name, cell)
            seen: set[str] = set()
            tries = 0
            while len(seen) < per_cell:
                tree = _draw(operations, digits, rng)
                spec = write(tree)
                tries += 1
                if tries > 100 * per_cell:
                    raise ValueError(
                        f"expected fewer anchors a cell, got {per_cell}: {cell} has {len(seen)}"
                    )
                if spec in seen:
                    continue
                seen.add(spec)
                worked = tuple(step[-1] for step in steps(tree))
                solution = Solution(worked[-1], worked, sum(map(_digits, worked)))
                features = self.features(spec, solution)
                found.append(
                    Anchor(short_id("a", self.name, spec), cell, spec, solution.answer, worked, features)
                )
        return found


def _shown(tree: Expression) -> str:
    """Python source for the text of a tree whose variables have values by then."""
    found, text = [], ""
    for piece in pieces(tree):
        if isinstance(piece, str):
            text += piece
        else:
            found += [repr(text)] * bool(text) + [f"show({piece.name})"]
            text = ""
    return " + ".join(found + [repr(text)] * bool(text))


def _operand(leaf: Leaf) -> str:
    return leaf.name if isinstance(leaf, Variable) else str(leaf)


def _written(tree: Node) -> int:
    return sum(_digits(step[-1]) for step in steps(tree))


def _pick(choices: str, rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]


def _number(digits: int, rng: np.random.Generator) -> int:
    return int(rng.integers(0 if digits == 1 else 10 ** (digits - 1), 10**digits))


def _draw(operations: int, digits: int, rng: np.random.Generator) -> Node:
    """A tree of ``operations`` operations (at least 1), its shape drawn by splitting them uniformly."""

    def part(left_over: int) -> Expression:
        return _draw(left_over, digits, rng) if left_over else _number(digits, rng)

    left = int(rng.integers(operations))
    return Node(_pick(OPERATORS, rng), part(left), part(operations - 1 - left))


def _edit(tree: Expression, rng: np.random.Generator) -> Expression:
    move = int(rng.integers(8))
    if move in (4, 5):
        return _edit_node(tree, int(rng.integers(count(tree))), move == 4, rng)
    return _edit_number(tree, int(rng.integers(count(tree) + 1)), move, rng)


def _edit_node(tree: Expression, index: int, drop: bool, rng: np.random.Generator) -> Expression:
    """Operation ``index``, counted from the root and the left, dropped for a part of it or changed."""
    if not isinstance(tree, Node):
        raise IndexError(f"expected the index of an operation, got {index} beyond the last")
    if index == 0:
        if drop:
            return tree.left if rng.random() < 0.5 else tree.right
        return Node(_pick(OPERATORS.replace(tree.operator, ""), rng), tree.left, tree.right)
    if index <= count(tree.left):
        return Node(tree.operator, _edit_node(tree.left, index - 1, drop, rng), tree.right)
    right = _edit_node(tree.right, index - 1 - count(tree.left), drop, rng)
    return Node(tree.operator, tree.left, right)


def _edit_number(tree: Expression, index: int, move: int, rng: np.random.Generator) -> Expression:
    """Number ``index``, counted from the left, made an operation, grown, shrunk or changed."""
    if isinstance(tree, Node):
        numbers = count(tree.left) + 1
        if index < numbers:
            return Node(tree.operator, _edit_number(tree.left, index, move, rng), tree.right)
        return Node(tree.operator, tree.left, _edit_number(tree.right, index - numbers, move, rng))
    text = write(tree)
    if move in (0, 1):
        new = _number(len(text), rng)
        left, right = (tree, new) if rng.random() < 0.5 else (new, tree)
        return Node(_pick(OPERATORS, rng), left, right)
    if move in (2, 3):
        return int(text + _pick("0123456789", rng))
    if move == 6 and len(text) > 1:
        return int(text[:-1])
    at = int(rng.integers(len(text)))
    return int(text[:at] + _pick("0123456789", rng) + text[at + 1 :])
