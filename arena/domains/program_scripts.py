"""Scripted functions of the domain ``program``: typed, never failing, of about a difficulty asked for.

A function is written statement by statement. Every expression is followed by what is known of it: its type,
how large it can get, how long a string or list it is at least and at most, and about how many steps it
takes. So nothing is divided by zero, no list is asked for an item that it has not got, every loop ends,
integers stay small, and every parameter and variable is used. There is no hardest: more statements, longer
lists and loops in loops go on until the calls take :data:`arena.domains.program_execution.MAX_STEPS` or the
text has :data:`arena.domains.program_language.MAX_TEXT` characters.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from arena.domains.dice import Dice
from arena.domains.program_execution import MAX_STEPS
from arena.domains.program_language import MAX_VALUE, VARIABLES, Function, Value, read_plain
from arena.domains.program_problem import Kind, Problem

Type = Literal["int", "str", "list"]

_NODE: Final = re.compile(r"\w+|[-+*/%<>=!]+|[(\[]")
_LETTERS: Final = "abcdeklmnorstuvxyz"
_ITEM: Final = "v_0"
"""What goes through the items of a comprehension."""
_CANDIDATES: Final = 8
"""Functions drawn for one; the nearest to the difficulty asked for is taken."""
_EXAMPLES: Final = 6
"""Inputs of a problem of induction."""
_LARGEST: Final = 12.0
"""Decimal digits of an integer on the way, at most."""
_LONGEST: Final = 400
"""Turns of one loop, and items of an input, at most."""
_MOST_STATEMENTS: Final = 40
_MOST_NAMES: Final = len(VARIABLES) - 2


@dataclass(frozen=True, slots=True)
class _Known:
    """An expression and what is known of it."""

    text: str
    type: Type
    steps: float = 0.0
    digits: float = 1.0
    """Decimal digits of the integer, or of the integers in the list, at most."""
    least: int = 0
    most: int = 0
    """Items of the list or string, at least and at most."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A scripted function with inputs that it takes, and about how many steps a call is."""

    function: Function
    inputs: tuple[tuple[Value, ...], ...]
    steps: float


def scripted(kind: Kind, rng: np.random.Generator, target: float) -> Problem:
    """A problem of about ``target`` difficulty; a draft where it is not deduction."""
    examples = _EXAMPLES if kind == "induction" else 1
    target = min(target, 0.5 * MAX_STEPS / examples)
    # long lists for what is hard, as far as an input has room for them
    longest = 40.0 if kind == "induction" else MAX_VALUE / 12
    drawn = draw(rng, target, examples, int(min(longest, max(6.0, target / 4))))
    return Problem(kind, drawn.function, drawn.inputs)


def draw(rng: np.random.Generator, target: float, inputs: int, size: int) -> Drawn:
    """A function with about ``target`` nodes to read and steps to execute together, and ``inputs``
    different inputs of it; ``size`` is the most items of a list or string in an input."""
    dice = Dice(rng)
    scripts = [_Script(dice, target, size) for _ in range(_CANDIDATES)]
    return min(scripts, key=lambda s: abs(s.difficulty - target)).drawn(inputs)


class _Script:
    """One function as it is written."""

    def __init__(self, rng: Dice, target: float, size: int) -> None:
        self._rng = rng
        self._lines: list[str] = []
        self._steps = 1.0
        self._turns = 1.0
        """How often what is written now is executed."""
        self._indent = 1
        self._names = 0
        self._unread: list[str] = []
        self._variables: dict[str, _Known] = {}
        target = max(target, 1.0)
        self._budget = 1 + rng.below(1 + min(4, int(target / 6)))
        """Operations of an expression, at most."""
        self._loops = rng.below(1 + min(3, int(target / 20)))
        left = max(0.0, target - 8 - 20 * self._loops)
        self._statements = rng.below(1 + min(_MOST_STATEMENTS, int(left / 7)))
        left = max(0.0, target - 8 - 7 * self._statements)
        per_loop = left / (7 * max(1, self._loops))
        self._length = int(min(_LONGEST, max(2.0, per_loop), max(2, size)))
        self._range = int(min(_LONGEST, max(2.0, per_loop)))
        self._long = 0.0 if target < 8 else 0.25 if target < 20 else 0.5
        """Share of numbers with two digits."""
        self._nested = max(1, round(per_loop / _LONGEST))
        self._parameters = [self._parameter(kind) for kind in self._types(target)]
        self._write()

    # -- the whole -------------------------------------------------------------------------------------
    @property
    def difficulty(self) -> float:
        """About what it is: a word or a sign is a node."""
        nodes = sum(len(_NODE.findall(x)) * ((len(x) - len(x.lstrip())) // 4) for x in self._lines)
        return self._steps + nodes

    def drawn(self, inputs: int) -> Drawn:
        """The function, and inputs of it."""
        source = "\n".join([f"def f({', '.join(p.text for p in self._parameters)}):", *self._lines])
        found: dict[str, tuple[Value, ...]] = {}
        while len(found) < inputs:
            values = tuple(self._value(p) for p in self._parameters)
            found[repr(values)] = values
        return Drawn(read_plain(source), tuple(found.values()), self._steps)

    def _write(self) -> None:
        loops = self._loops
        for number in range(self._statements + loops):
            left = self._statements + self._loops - number
            if loops and self._rng.share() < loops / left:
                loops -= 1
                self._loop(self._nested)
            else:
                self._statement()
        self._lines.append(f"    return {self._result()}")

    def _types(self, target: float) -> list[Type]:
        count = 1 + self._rng.below(min(3, 1 + int(target / 8)))
        shares = (0.6, 0.85) if target < 8 else (0.4, 0.8)
        drawn = [self._rng.share() for _ in range(count)]
        return ["int" if x < shares[0] else "list" if x < shares[1] else "str" for x in drawn]

    def _parameter(self, kind: Type) -> _Known:
        name = self._name()
        if kind == "int":
            known = _Known(name, "int", digits=1.0 + (self._rng.share() < self._long))
        elif kind == "list":
            digits = 1.0 + (self._rng.share() < self._long)
            known = _Known(name, "list", digits=digits, least=2, most=self._length)
        else:
            known = _Known(name, "str", least=2, most=max(3, min(self._length, 60)))
        self._know(known)
        return known

    def _value(self, known: _Known) -> Value:
        high = int(10**known.digits)
        if known.type == "int":
            return self._rng.below(high)
        count = self._rng.between(max(known.least, known.most // 2), known.most + 1)
        if known.type == "list":
            return [self._rng.below(high) for _ in range(count)]
        return "".join(self._pick(_LETTERS) for _ in range(count))

    def _result(self) -> str:
        """An expression of everything that was not used yet."""
        unread = [self._variables[name] for name in self._unread]
        if len(unread) == 1 and (unread[0].type != "int" or self._rng.share() < 0.3):
            found = self._expression(unread[0].type, self._budget, unread[0])
        elif unread:
            found = self._expression("int", self._budget, unread[0])
            for other in unread[1:]:
                part = self._expression("int", 1, other)
                sign = self._pick("+-") if part.text != found.text else "+"
                text = f"{found.text} {sign} {part.text}"
                found = replace(found, text=text, steps=found.steps + part.steps + 1)
        else:
            latest = list(self._variables.values())[-1]
            found = self._expression(latest.type, self._budget, latest)
        self._steps += found.steps
        return found.text

    # -- statements ------------------------------------------------------------------------------------
    def _statement(self) -> None:
        move = self._rng.share()
        numbers = [v for v in self._variables.values() if v.type == "int"]
        full = self._names >= _MOST_NAMES - 4 * self._loops
        if numbers and (full or (move < 0.25 and self._names > len(self._parameters))):
            self._condition()
        elif full:
            return
        else:
            kinds: list[Type] = sorted({v.type for v in self._variables.values()})
            kind = "int" if move < 0.6 else kinds[self._rng.below(len(kinds))]
            # the name comes last: a variable is not made of itself
            found = self._expression(kind, self._budget, self._next(kind))
            self._set(self._name(), found)

    def _condition(self) -> None:
        """A variable is changed, or not."""
        changed = [v for v in self._variables.values() if v.type == "int"][-1]
        test = self._test()
        self._line(f"if {test.text}:", 1 + test.steps)
        with_else = self._rng.share() < 0.4
        for inner in range(1 + with_else):
            if inner:
                self._line("else:", 0)
            self._indent += 1
            part = self._number(max(1, self._budget - 1), None)
            self._line(f"{changed.text} {self._pick('+-')}= {part.text}", 0.5 * (1 + part.steps))
            self._indent -= 1
            changed = replace(changed, digits=max(changed.digits, part.digits) + 0.4)
        self._know(changed)

    def _loop(self, nested: int) -> None:
        """A loop that adds something up, counts or counts down, with a loop in it if ``nested``."""
        names = [v for v in self._variables.values() if v.type != "int" and 1 < v.most <= _LONGEST]
        total = self._name()
        self._line(f"{total} = {self._rng.below(3)}", 1)
        mark = len(self._variables)
        outer, move = self._turns, self._rng.share()
        if names and move < 0.55:
            items = names[self._rng.below(len(names))]
            self._read(items.text)
            turns = (items.least + items.most) / 2
            item = self._name()
            self._line(f"for {item} in {items.text}:", 1)
            one = _Known(item, items.type, digits=items.digits, least=1, most=1)
            inside = one if items.type == "str" else replace(one, type="int", least=0, most=0)
        elif move < 0.9 or nested > 1:
            turns = self._range
            item = self._name()
            first = "1, " if self._rng.share() < 0.3 else ""
            self._line(f"for {item} in range({first}{self._range + bool(first)}):", 2)
            inside = _Known(item, "int", digits=math.log10(self._range + 1))
        else:
            # halves or goes down until it is used up
            left = self._name()
            known = self._next("int")
            self._read(known.text) if known.type == "int" else None
            start = self._number(1, known)
            step = 1 + self._rng.below(3)
            self._line(f"{left} = abs({start.text}) % {1 + step * self._range}", 4)
            turns = self._range / 2
            self._line(f"while {left} > 0:", 2)
            self._indent += 1
            self._turns = outer * turns
            self._line(f"{left} -= {step}", 3)
            self._indent -= 1
            inside = _Known(left, "int", digits=math.log10(2 + step * self._range))
        self._indent += 1
        self._turns = outer * turns
        hidden = dict(self._variables)
        self._know(inside, unread=False)
        digits = self._turn(total, inside, turns, nested)
        # what was set inside may not be there after no turn at all
        for name in list(self._variables)[mark:]:
            del self._variables[name]
        self._variables = {name: self._variables.get(name, known) for name, known in hidden.items()}
        self._unread = [name for name in self._unread if name in self._variables]
        self._indent -= 1
        self._turns = outer
        self._know(_Known(total, "int", digits=digits))

    def _turn(self, total: str, inside: _Known, turns: float, nested: int) -> float:
        """The inside of a loop; digits that ``total`` can have after it."""
        self._steps += self._turns  # the turn itself
        if nested > 1:
            unread, self._unread = self._unread, []
            inner = self._name()
            self._line(f"{inner} = 0", 1)
            turns_inside = min(self._range, nested)
            item = self._name()
            self._line(f"for {item} in range({turns_inside}):", 2)
            self._indent += 1
            outer, self._turns = self._turns, self._turns * turns_inside
            term = self._number(1, inside)
            self._line(
                f"{inner} = ({inner} * {self._rng.between(2, 10)} + {term.text} + {item}) % 97",
                6 + term.steps,
            )
            self._turns = outer
            self._indent -= 1
            self._unread = unread
            self._line(f"{total} += {inner}", 2)
            return 2 + math.log10(turns + 1)
        move = self._rng.share()
        if move < 0.3:
            test = self._test(inside)
            self._line(f"if {test.text}:", 1 + test.steps)
            self._indent += 1
            term = self._number(self._budget, inside)
            self._line(f"{total} {self._pick('+-')}= {term.text}", 0.5 * (1 + term.steps))
            self._indent -= 1
            return term.digits + math.log10(turns + 1) + 0.4
        term = self._number(self._budget, inside)
        if move < 0.6:
            modulus, factor = self._rng.between(11, 98), self._rng.between(2, 10)
            self._line(f"{total} = ({total} * {factor} + {term.text}) % {modulus}", 5 + term.steps)
            return 2.0
        self._line(f"{total} {self._pick('+-')}= {term.text}", 2 + term.steps)
        return term.digits + math.log10(turns + 1) + 0.4

    # -- expressions -----------------------------------------------------------------------------------
    def _expression(self, kind: Type, budget: int, use: _Known | None) -> _Known:
        if kind == "int":
            return self._number(budget, use)
        return self._items(budget, use if use is not None and use.type == kind else self._next(kind))

    def _number(self, budget: int, use: _Known | None) -> _Known:
        """An integer, of ``use`` where that is given."""
        if use is not None and use.type != "int":
            self._read(use.text)
            return self._wrapped(self._measured(use), budget - 1)
        numbers = [v for v in self._variables.values() if v.type == "int"]
        if use is None and numbers and self._rng.share() < 0.7:
            unread = [v for v in numbers if v.text in self._unread]
            pool = unread or numbers
            use = pool[self._rng.below(len(pool))]
        if use is None:
            constant = self._rng.between(1, 10)
            return self._wrapped(_Known(str(constant), "int"), budget - 1)
        self._read(use.text)
        return self._wrapped(_Known(use.text, "int", digits=use.digits), budget)

    def _wrapped(self, found: _Known, budget: int) -> _Known:
        """``found`` with up to ``budget`` operations around it."""
        while budget > 0 and self._rng.share() < 0.85:
            move = self._rng.below(8)
            inner = self._rng.below(budget)
            budget -= 1
            c = self._rng.between(2, 10)
            cost = found.steps + 1
            if move <= 2:
                other = self._number(inner, None)
                budget -= inner
                sign = self._pick("+-") if other.text != found.text else "+"
                left, right = (found, other) if self._rng.share() < 0.7 else (other, found)
                digits = max(found.digits, other.digits) + 0.4
                found = _Known(f"({left.text} {sign} {right.text})", "int", cost + other.steps, digits)
            elif move == 3 and found.digits <= _LARGEST - 1:
                found = _Known(f"({found.text} * {c})", "int", cost, found.digits + 1)
            elif move == 4:
                other = self._number(inner, None)
                budget -= inner
                if found.digits + other.digits <= _LARGEST:
                    digits = found.digits + other.digits
                    found = _Known(f"({found.text} * {other.text})", "int", cost + other.steps, digits)
                else:
                    digits = max(found.digits, other.digits) + 0.4
                    found = _Known(f"({found.text} + {other.text})", "int", cost + other.steps, digits)
            elif move == 5:
                found = _Known(f"({found.text} % {c})", "int", cost, 1.0)
            elif move == 6:
                found = _Known(f"({found.text} // {c})", "int", cost, found.digits)
            else:
                name = ("max", "min", "abs")[self._rng.below(3)]
                inside = found.text if name == "abs" else f"{found.text}, {c}"
                found = _Known(f"{name}({inside})", "int", cost, max(1.0, found.digits))
        return found

    def _measured(self, items: _Known) -> _Known:
        """An integer that a list or a string has."""
        length = (items.least + items.most) / 2
        digits = math.log10(items.most + 1) + 0.1
        if items.type == "str":
            if self._rng.share() < 0.5:
                return _Known(f"len({items.text})", "int", 1, digits)
            return _Known(f"{items.text}.count('{self._pick(_LETTERS)}')", "int", 1 + length, digits)
        move = self._rng.below(6 if items.least else 2)
        if move == 0:
            return _Known(f"len({items.text})", "int", 1, digits)
        if move == 1:
            return _Known(f"sum({items.text})", "int", 1 + length, items.digits + digits)
        if move in (2, 3):
            return _Known(f"{('max', 'min')[move - 2]}({items.text})", "int", 1 + length, items.digits)
        return _Known(f"{items.text}[{(0, -1)[move - 4]}]", "int", 1, items.digits)

    def _items(self, budget: int, found: _Known) -> _Known:
        """A list or string made of ``found``, which is one, by up to ``budget`` operations."""
        self._read(found.text)
        found = replace(found, steps=0.0)
        for _ in range(budget):
            if self._rng.share() < 0.25:
                break
            length = (found.least + found.most) / 2
            cost, move = found.steps + 1, self._rng.below(6)
            c = self._rng.between(1, 10)
            if move == 0:
                found = replace(found, text=f"{found.text}[::-1]", steps=cost + length)
            elif move == 1 and found.least > 1:
                least, most = found.least - 1, found.most - 1
                found = replace(
                    found, text=f"{found.text}[1:]", steps=cost + length, least=least, most=most
                )
            elif found.type == "str":
                found = self._string(found, cost, length)
            elif move == 2:
                found = replace(found, text=f"sorted({found.text})", steps=cost + length)
            elif move == 3:
                other = self._number(1, None)
                found = replace(
                    found, text=f"({found.text} + [{other.text}])", steps=cost + length + other.steps,
                    least=found.least + 1, most=found.most + 1, digits=max(found.digits, other.digits),
                )  # fmt: skip
            elif move == 4 and found.digits < _LARGEST - 1:
                sign, item = self._pick("+-*"), _ITEM
                digits = found.digits + (1 if sign == "*" else 0.4)
                text = f"[{item} {sign} {c} for {item} in {found.text}]"
                found = replace(found, text=text, steps=cost + 2 * length, digits=digits)
            else:
                item = _ITEM
                text = f"[{item} for {item} in {found.text} if {item} % {c + 1} > {self._rng.below(c)}]"
                found = replace(found, text=text, steps=cost + 3 * length, least=0)
        return found

    def _string(self, found: _Known, cost: float, length: float) -> _Known:
        move = self._rng.below(4)
        letter, other = self._pick(_LETTERS), self._pick(_LETTERS)
        if move == 0:
            return replace(found, text=f"{found.text}.upper()", steps=cost)
        if move == 1:
            text = f"({found.text} + '{letter}')"
            return replace(
                found, text=text, steps=cost + length, least=found.least + 1, most=found.most + 1
            )
        if move == 2 and found.most <= 200:
            text = f"({found.text} + {found.text})"
            return replace(
                found, text=text, steps=2 * cost + 2 * length, least=2 * found.least, most=2 * found.most
            )
        return replace(found, text=f"{found.text}.replace('{letter}', '{other}')", steps=cost + length)

    def _test(self, use: _Known | None = None) -> _Known:
        """A condition, on ``use`` where that is given."""
        if use is not None and use.type == "str":
            letter = self._pick(_LETTERS)
            sign = ("==", "<", ">")[self._rng.below(3)]
            return _Known(f"{use.text} {sign} '{letter}'", "int", 1)
        numbers = [v for v in self._variables.values() if v.type == "int"]
        if use is None and numbers:
            use = numbers[self._rng.below(len(numbers))]
        found = self._number(1, use)
        c = self._rng.between(2, 10)
        if self._rng.share() < 0.4:
            return _Known(f"{found.text} % {c} == {self._rng.below(c)}", "int", 2 + found.steps)
        sign = ("<", ">", "<=", ">=", "==", "!=")[self._rng.below(6)]
        return _Known(f"{found.text} {sign} {c}", "int", 1 + found.steps)

    # -- the bookkeeping -------------------------------------------------------------------------------
    def _line(self, text: str, steps: float) -> None:
        self._lines.append("    " * self._indent + text)
        self._steps += steps * self._turns

    def _set(self, name: str, found: _Known) -> None:
        self._line(f"{name} = {found.text}", 1 + found.steps)
        self._know(replace(found, text=name, steps=0.0))

    def _name(self) -> str:
        self._names += 1
        return f"v_{self._names}"

    def _know(self, known: _Known, unread: bool = True) -> None:
        self._variables[known.text] = known
        if unread and known.text not in self._unread:
            self._unread.append(known.text)

    def _read(self, text: str) -> None:
        if text in self._unread:
            self._unread.remove(text)

    def _next(self, kind: Type) -> _Known:
        """A variable to go on from, of a type where there is one; what was not used yet comes first."""
        known = list(self._variables.values())
        same = [v for v in known if v.type == kind]
        pool = [v for v in same if v.text in self._unread] or same
        pool = pool or [v for v in known if v.text in self._unread] or known
        return pool[self._rng.below(len(pool))]

    def _pick(self, choices: Sequence[str]) -> str:
        return choices[self._rng.below(len(choices))]
