"""``transforms``: string operations applied left to right to a string of digits or lowercase letters.

A spec is one or more operations, an uppercase letter each, followed by the string they start from:
``RS1234`` reverses 1234 and then sorts it. Worked in the terse form, every step applies the first
operation and keeps the others in front: ``RS1234=S4321=1234``. So the work grows with depth and
length together, one step of it is a problem of its own, and no answer can be had by guessing.

The natural form of a proposal names the operations: ``reverse, sort: 1234``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from arena.domains.base import Anchor, Domain, Rejected, Solution, register
from arena.domains.claims import Claim, Stated, stated
from arena.domains.grade import terse_request
from culture.records import Form
from culture.seeds import generator, short_id

MAX_OPERATIONS: Final = 64
MIN_LENGTH: Final = 2
"""Characters of the start string: on a single one most operations change nothing."""
_DEEP: Final = 8
"""Operations of the deepest scripted samples, unless so few cannot reach the difficulty asked for."""
MAX_LENGTH: Final = 64
"""Characters of the start string; echoes can carry an intermediate string beyond it."""
MAX_TEXT: Final = 4096
"""Characters of a proposal that are looked at: longer texts are refused unread."""

DIGITS: Final = "0123456789"
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"

# Anchors are the same in every run, so their stream is named by a constant and never by a run's seed.
_ANCHOR_SEED: Final = 20261101
_CORE: Final = tuple(
    sorted(((n, m) for n in (1, 2, 3, 4) for m in (2, 4, 6, 8)), key=lambda c: (c[0] * c[1], c))
)
_FAR: Final = ((6, 12), (8, 16))


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: how it is named, told and applied."""

    letter: str
    name: str
    """In natural proposals and working."""
    told: str
    """As an instruction."""
    apply: Callable[[str], str]
    source: str
    """The same operation as a Python expression in ``s``, for the sandbox."""


def _advance(s: str) -> str:
    alphabet = DIGITS if s[0] in DIGITS else LETTERS
    return "".join(alphabet[(alphabet.index(c) + 1) % len(alphabet)] for c in s)


_OPERATIONS: Final = (
    Operation("R", "reverse", "Reverse it", lambda s: s[::-1], "s[::-1]"),
    Operation(
        "L", "rotate left", "Move its first character to the end", lambda s: s[1:] + s[0], "s[1:] + s[:1]"
    ),
    Operation(
        "Q",
        "rotate right",
        "Move its last character to the front",
        lambda s: s[-1] + s[:-1],
        "s[-1:] + s[:-1]",
    ),
    Operation(
        "S",
        "sort",
        "Sort its characters in ascending order",
        lambda s: "".join(sorted(s)),
        "''.join(sorted(s))",
    ),
    Operation(
        "X",
        "swap ends",
        "Swap its first and last characters",
        lambda s: s if len(s) < 2 else s[-1] + s[1:-1] + s[0],
        "s if len(s) < 2 else s[-1] + s[1:-1] + s[0]",
    ),
    Operation(
        "P",
        "swap pairs",
        "Swap its characters in pairs: first with second, third with fourth, and so on",
        lambda s: "".join(s[i : i + 2][::-1] for i in range(0, len(s), 2)),
        "''.join([s[i:i + 2][::-1] for i in range(0, len(s), 2)])",
    ),
    Operation(
        "N",
        "next",
        "Replace each character by the next one (9 becomes 0, z becomes a)",
        _advance,
        "''.join([alphabet[(alphabet.index(c) + 1) % len(alphabet)] for c in s])",
    ),
    Operation("D", "drop first", "Remove its first character", lambda s: s[1:], "s[1:]"),
    Operation(
        "E", "echo last", "Write its last character once more at the end", lambda s: s + s[-1], "s + s[-1]"
    ),
)
OPERATIONS: Final = {op.letter: op for op in _OPERATIONS}
LETTERS_OF_OPERATIONS: Final = "".join(OPERATIONS)
_BY_NAME: Final = {op.name: op.letter for op in _OPERATIONS}

# Which step of a working is the hardest among equally long ones: what needs the whole string at once
# comes before what touches every character, and that before what touches only an end.
_HARDNESS: Final = {letter: i for i, letter in enumerate("EDXLQPNRS")}

_TERSE: Final = re.compile(rf"([{LETTERS_OF_OPERATIONS}]*)([0-9]+|[a-z]+)")
_NATURAL: Final = re.compile(r"(?:[Pp]roblem:\s*)?([A-Za-z ]+(?:,[A-Za-z ]+)*): *([0-9]+|[a-z]+)\.?")
_ANSWER: Final = re.compile(r"[0-9]+|[a-z]+")
_ANSWER_LINE: Final = re.compile(r"^[^\w\n]*answer[^\w\n]*:(.*)$", re.IGNORECASE | re.MULTILINE)
_WRAPPING: Final = " \t\r\"'`*.,;:!"
_SINGLE: Final = re.compile(rf"([{LETTERS_OF_OPERATIONS}])([0-9]|[a-z])")
_LESSON: Final = re.compile(r"([a-z ]+): ([0-9]+|[a-z]+) becomes ([0-9]+|[a-z]+)")
_POSED: Final = re.compile(r"Start with the text ([0-9]+|[a-z]+)\. ")


def split(spec: str) -> tuple[str, str]:
    """A spec's operations and its start string. Raises :class:`Rejected` where it is not a spec."""
    match = _TERSE.fullmatch(spec)
    if match is None:
        raise Rejected("syntax", f"expected operations and a string like 'RS1234', got {spec[:80]!r}")
    operations, start = match.group(1), match.group(2)
    if not operations:
        raise Rejected(
            "no_operation", f"expected at least one of {LETTERS_OF_OPERATIONS} before {start[:80]!r}"
        )
    if len(operations) > MAX_OPERATIONS:
        raise Rejected("too_deep", f"expected at most {MAX_OPERATIONS} operations, got {len(operations)}")
    if len(start) < MIN_LENGTH:
        raise Rejected("too_short", f"expected at least {MIN_LENGTH} characters, got {len(start)}")
    if len(start) > MAX_LENGTH:
        raise Rejected("too_long", f"expected at most {MAX_LENGTH} characters, got {len(start)}")
    length = len(start)
    for position, letter in enumerate(operations):
        length += (letter == "E") - (letter == "D")
        if length == 0:
            raise Rejected("empty", f"operation {position + 1} drops the last character of {spec[:80]!r}")
    return operations, start


def work(operations: str, start: str) -> tuple[str, ...]:
    """The strings after each operation, the answer last: the reference that the sandbox must agree with."""
    found = []
    s = start
    for letter in operations:
        s = OPERATIONS[letter].apply(s)
        found.append(s)
    return tuple(found)


@register
class Transforms(Domain):
    """Compositions of string operations. Difficulty is pairs of a character read and one written."""

    name = "transforms"
    alphabet = DIGITS + LETTERS + LETTERS_OF_OPERATIONS + "=?>\n"
    core_cells = tuple(f"{n}x{m}" for n, m in _CORE)

    # -- proposing ---------------------------------------------------------------------------------
    def brief(self, form: Form, target: float | None, parent: str | None) -> str:
        """Terse: ``?h>`` (see ``arena.domains.grade``), ``?>`` or, for a variation, ``RS1234>``.

        ``parent`` wins over ``target``.
        """
        if form == "terse":
            return terse_request(target, parent)
        lines = [
            "Write one problem: a list of operations, a colon, and the string they are applied to from",
            "left to right. The string is all digits or all lowercase letters. The operations are:",
            *(f"- {op.name}: {op.told.lower()}" for op in _OPERATIONS),
            "For example: reverse, sort: 1234",
        ]
        if parent is not None:
            lines.append(
                f"Change this problem a little, to make a new one: {self.write(parent, 'natural')}"
            )
        elif target is not None:
            lines.append(
                f"Its difficulty should be about {max(1, round(target))}: the number of operations times"
                " the square of the length of the string."
            )
        lines.append("Answer with the problem only, on one line.")
        return "\n".join(lines)

    def pattern(self, form: Form, target: float | None) -> str:
        """Up to 16 operations on a string of up to 32 characters, at most twice the target."""
        shapes = []
        for operations in range(1, 17):
            longest = 32 if target is None else int(np.sqrt(2 * target / operations))
            if longest < MIN_LENGTH and operations > 1:
                break
            shapes.append(self._shape(form, operations, min(32, max(MIN_LENGTH, longest))))
        return f"({'|'.join(shapes)})"

    def _shape(self, form: Form, operations: int, longest: int) -> str:
        start = f"([0-9]{{2,{longest}}}|[a-z]{{2,{longest}}})"
        if form == "terse":
            return f"[{LETTERS_OF_OPERATIONS}]{{{operations}}}{start}"
        name = f"({'|'.join(op.name for op in _OPERATIONS)})"
        return f"{name}(, {name}){{{operations - 1}}}: {start}"

    def parse(self, text: str) -> str:
        """A spec in the terse form, or the first line that names operations, like ``sort, next: 31``.

        Reasons: ``syntax``, ``no_operation``, ``unknown_operation``, ``too_deep``, ``too_long``, ``empty``.
        """
        if len(text) > MAX_TEXT:
            raise Rejected("too_long", f"expected at most {MAX_TEXT} characters, got {len(text)}")
        stripped = text.strip()
        for line in stripped.splitlines():
            match = _NATURAL.fullmatch(line.strip())
            if match is not None:
                return self._parse_names(match.group(1), match.group(2))
        split(stripped)
        return stripped

    def _parse_names(self, names: str, start: str) -> str:
        letters = []
        for name in names.split(","):
            letter = _BY_NAME.get(" ".join(name.lower().split()))
            if letter is None:
                raise Rejected(
                    "unknown_operation", f"expected one of {', '.join(_BY_NAME)}, got {name.strip()[:80]!r}"
                )
            letters.append(letter)
        spec = "".join(letters) + start
        split(spec)
        return spec

    def program(self, spec: str) -> str:
        operations, start = split(spec)
        lines = [f"s = {start!r}", "worked = []"]
        if "N" in operations:
            lines.append(f"alphabet = {(DIGITS if start[0] in DIGITS else LETTERS)!r}")
        for letter in operations:
            lines += [f"s = {OPERATIONS[letter].source}", "worked.append(s)"]
        lines.append("[s, worked, sum([len(w) for w in worked])]")
        return "\n".join(lines)

    def solution(self, spec: str, value: object) -> Solution:
        """Reason ``value`` where the sandbox's value is not ``[answer, [working, ...], characters]``."""
        operations, _ = split(spec)
        match value:
            case [str(answer), [*worked], int(steps)]:
                strings = tuple(w for w in worked if isinstance(w, str) and _ANSWER.fullmatch(w))
                if len(strings) == len(worked) == len(operations) and strings[-1] == answer:
                    return Solution(answer, strings, steps)
        raise Rejected(
            "value", f"expected [answer, {len(operations)} strings, characters], got {str(value)[:80]}"
        )

    def features(self, spec: str, solution: Solution) -> dict[str, float]:
        """Numbers about the spec and its working.

        ``operations``, ``length`` of the start string, ``steps`` (characters that working it writes),
        ``pairs`` (characters read times characters written, summed over the steps),
        ``distinct_operations``, and ``letters`` (1 where the string is of letters, 0 of digits).
        """
        operations, start = split(spec)
        return {
            "operations": float(len(operations)),
            "length": float(len(start)),
            "steps": float(sum(map(len, solution.worked))),
            "pairs": float(sum(len(a) * len(b) for a, b in pairwise((start, *solution.worked)))),
            "distinct_operations": float(len(set(operations))),
            "letters": float(start[0] in LETTERS),
        }

    def difficulty(self, features: dict[str, float]) -> float:
        """Pairs of a character read and a character written, over all steps.

        An operation on a string twice as long is harder than the operation twice: which character goes
        where is a choice among as many as there are. Characters written alone tells slightly better who
        succeeds, but lets proposers drift to strings of sixteen characters; this measure bounds them.
        """
        return features["pairs"]

    def write(self, spec: str, form: Form) -> str:
        if form == "terse":
            return spec
        operations, start = split(spec)
        return f"{', '.join(OPERATIONS[letter].name for letter in operations)}: {start}"

    def mutate(self, spec: str, rng: np.random.Generator) -> str:
        """One edit: an operation added, removed or replaced; a character added, removed or changed.

        Additions are as likely as all other edits together, twice as likely as removals.
        """
        operations, start = split(spec)
        for _ in range(16):
            edited = self._edit(operations, start, rng)
            try:
                split(edited)
            except Rejected:
                continue
            if edited != spec:
                return edited
        # Changing one character is always possible.
        at = int(rng.integers(len(start)))
        return operations + start[:at] + _other(start[at], _alphabet(start), rng) + start[at + 1 :]

    def _edit(self, operations: str, start: str, rng: np.random.Generator) -> str:
        alphabet = _alphabet(start)
        move = int(rng.integers(8))
        if move in (0, 1):
            at = int(rng.integers(len(operations) + 1))
            return operations[:at] + _pick(LETTERS_OF_OPERATIONS, rng) + operations[at:] + start
        if move in (2, 3):
            at = int(rng.integers(len(start) + 1))
            return operations + start[:at] + _pick(alphabet, rng) + start[at:]
        at = int(rng.integers(len(operations if move in (4, 5) else start)))
        if move == 4:
            return operations[:at] + operations[at + 1 :] + start
        if move == 5:
            other = _other(operations[at], LETTERS_OF_OPERATIONS, rng)
            return operations[:at] + other + operations[at + 1 :] + start
        if move == 6:
            return operations + start[:at] + start[at + 1 :]
        return operations + start[:at] + _other(start[at], alphabet, rng) + start[at + 1 :]

    def sample(self, rng: np.random.Generator, target: float) -> str:
        """Operations times squared length is about ``target``; digits and letters equally often."""
        # From one operation on a long string to many on a short one, log-uniform.
        target = max(target, MIN_LENGTH**2)
        low = min(max(1.0, target / MAX_LENGTH**2), MAX_OPERATIONS)
        high = max(low, min(target**0.4, _DEEP))
        count = round(float(np.exp(rng.uniform(np.log(low), np.log(high)))))
        length = min(max(MIN_LENGTH, round(float(np.sqrt(target / count)))), MAX_LENGTH)
        return _draw(count, length, LETTERS if rng.random() < 0.5 else DIGITS, rng)

    # -- solving -----------------------------------------------------------------------------------
    def pose(self, spec: str, form: Form) -> str:
        if form == "terse":
            return f"{spec}="
        operations, start = split(spec)
        told = [OPERATIONS[letter].told for letter in operations]
        steps = [told[0], *(f"Then {t[0].lower()}{t[1:]}" for t in told[1:])]
        return f"Start with the text {start}. {'. '.join(steps)}. Answer with the final text only."

    def key(self, spec: str, solution: Solution, form: Form) -> str:
        """Terse: ``S4321=1234`` for ``RS1234=``. Natural: a line a step, then ``Answer: 1234``."""
        operations, _ = split(spec)
        if form == "terse":
            return self._worked(operations, solution.worked)
        lines = [f"{OPERATIONS[o].name}: {s}" for o, s in zip(operations, solution.worked, strict=True)]
        return "\n".join([*lines, f"Answer: {solution.answer}"])

    def _worked(self, operations: str, worked: Sequence[str]) -> str:
        return "=".join(operations[i + 1 :] + s for i, s in enumerate(worked))

    def read_answer(self, completion: str, form: Form) -> str | None:
        """Terse: what follows the last ``=`` of the first line, or the line itself where there is none.

        Natural: the last ``Answer:`` line, else the last line that is one digit or letter string.
        """
        if form == "terse":
            text = completion.partition(self.stop)[0].rpartition("=")[2]
            return text if _ANSWER.fullmatch(text) else None
        named = _ANSWER_LINE.findall(completion)
        if named:
            text = named[-1].strip(_WRAPPING)
            return text if _ANSWER.fullmatch(text) else None
        for line in reversed(completion.splitlines()):
            text = line.strip(_WRAPPING)
            if _ANSWER.fullmatch(text):
                return text
        return None

    # -- culture -----------------------------------------------------------------------------------
    def example(self, spec: str, solution: Solution, form: Form) -> str:
        """Terse: the whole worked line, ``RS1234=S4321=1234``."""
        if form == "terse":
            return f"{spec}={self.key(spec, solution, form)}"
        return f"{self.pose(spec, form)}\n{self.key(spec, solution, form)}"

    def lesson(self, spec: str, solution: Solution, form: Form) -> str:
        """The single hardest step: the one writing most, and among those the least local operation."""
        operations, start = split(spec)
        before = (start, *solution.worked[:-1])
        steps = list(zip(operations, before, solution.worked, strict=True))
        letter, old, new = max(steps, key=lambda step: (len(step[2]), _HARDNESS[step[0]]))
        if form == "terse":
            return f"{letter}{old}={new}"
        return f"{OPERATIONS[letter].name}: {old} becomes {new}"

    def claims(self, body: str, form: Form) -> Stated:
        """Lines such as ``RS1234=S4321=1234`` or ``RS1234=1234``, in the natural form also what
        :meth:`example` and :meth:`lesson` write."""
        return stated(body, self._line if form == "terse" else self._told)

    def _line(self, line: str) -> list[Claim]:
        spec, *rest = line.split("=")
        worked = tuple(text.lstrip(LETTERS_OF_OPERATIONS) for text in rest)
        if not worked or not all(map(_ANSWER.fullmatch, worked)):
            return []
        if len(rest) == 1 and (single := _SINGLE.fullmatch(spec)) is not None:
            # too short for a problem, but with a drop before it it is one
            spec = f"D{single[1]}{single[2]}{single[2]}"
        try:
            operations, _ = split(spec)
        except Rejected:
            return []
        if rest == [worked[0]]:
            return [Claim(spec, worked[0])]
        whole = len(worked) == len(operations) and line == f"{spec}={self._worked(operations, worked)}"
        return [Claim(spec, worked[-1], worked)] if whole else []

    def _told(self, part: str) -> list[Claim]:
        lesson = _LESSON.fullmatch(part)
        if lesson is not None and lesson[1] in _BY_NAME:
            return self._line(f"{_BY_NAME[lesson[1]]}{lesson[2]}={lesson[3]}")
        posed = _POSED.match(part)
        if posed is None:
            return self._line(part)
        steps = [line.partition(": ") for line in part.split("\n")[1:-1]]
        spec = "".join(_BY_NAME.get(name, "?") for name, _, _ in steps) + posed[1]
        worked = tuple(text for _, _, text in steps)
        try:
            split(spec)
        except Rejected:
            return []
        # written anew it is the same, so it says nothing else
        same = part == self.example(spec, Solution(worked[-1], worked, 0), "natural")
        return [Claim(spec, worked[-1], worked)] if same else []

    # -- anchors -----------------------------------------------------------------------------------
    def anchors(self, per_cell: int) -> list[Anchor]:
        """``per_cell`` problems in each cell ``{operations}x{length}``, half digits and half letters.

        The 16 ``core_cells`` come first, easiest first; ``6x12`` and ``8x16`` lie beyond a small model.
        A smaller ``per_cell`` gives the first problems of a larger one.
        """
        found: list[Anchor] = []
        for count, length in (*_CORE, *_FAR):
            cell = f"{count}x{length}"
            rng = generator(_ANCHOR_SEED, "anchors", self.name, cell)
            seen: set[str] = set()
            tries = 0
            while len(seen) < per_cell:
                spec = _draw(count, length, LETTERS if len(seen) % 2 else DIGITS, rng)
                tries += 1
                if tries > 100 * per_cell:
                    raise ValueError(
                        f"expected fewer anchors a cell, got {per_cell}: {cell} has {len(seen)}"
                    )
                if spec in seen:
                    continue
                seen.add(spec)
                worked = work(*split(spec))
                solution = Solution(worked[-1], worked, sum(map(len, worked)))
                features = self.features(spec, solution)
                found.append(
                    Anchor(short_id("a", self.name, spec), cell, spec, solution.answer, worked, features)
                )
        return found


def _alphabet(start: str) -> str:
    return DIGITS if start[0] in DIGITS else LETTERS


def _pick(choices: str, rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]


def _other(than: str, choices: str, rng: np.random.Generator) -> str:
    return _pick(choices.replace(than, ""), rng)


def _draw(count: int, length: int, alphabet: str, rng: np.random.Generator) -> str:
    """``count`` operations on ``length`` characters; never a drop that would leave nothing."""
    letters = []
    left = length
    for _ in range(count):
        letter = _pick(LETTERS_OF_OPERATIONS.replace("D", "") if left == 1 else LETTERS_OF_OPERATIONS, rng)
        left += (letter == "E") - (letter == "D")
        letters.append(letter)
    return "".join(letters) + "".join(_pick(alphabet, rng) for _ in range(length))
