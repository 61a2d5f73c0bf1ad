"""``reasoning_gym``: ready-made problems by the generators of the library of that name.

``reasoning_gym:NAME`` is one of its generators alone. A proposer chooses a generator, a level for each of
its attributes and a number: ``chain_sum num_terms=1 num_digits=0 #7``. The library makes the item and its
own scorer judges answers; right is what scores 1, however much else is worth something. The library seeds
items with seed + index, so that seeds in a row share nearly all of them; here every item has a seed of its
own, by hashing its split, generator, levels and number. What is an anchor goes by the text: one question in
five is kept for the anchors, and a proposal that comes upon one is set aside.

Questions are worded, so there is no terse form. Everything of the library runs in a process of its own
(``arena.domains.reasoning_process``).
"""

from __future__ import annotations

import difflib
import importlib.util
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal

import numpy as np

from arena.domains.base import Anchor, Domain, Executor, Rejected, Solution, register
from arena.domains.claims import Claim, Stated
from arena.domains.emphasis import labelled, readings
from arena.domains.reasoning_catalogue import ANCHORED, CATEGORIES, GENERATORS, LEFT_OUT, OPEN
from arena.domains.reasoning_worker import worker
from culture.records import Form
from culture.seeds import derive, generator, short_id

Split = Literal["training", "anchors"]

MAX_QUESTION: Final = 8000
MAX_ANSWER: Final = 4000
"""Characters of an item's question and key, and of an answer; longer ones are refused."""
MAX_NUMBER: Final = 10**9
HELD_OUT: Final = 5
"""One question in so many is kept for the anchors."""
ADMISSION_SECONDS: Final = 1.0
"""Longest that an item of a proposal may take to be made, in seconds of the processor's time."""
POSING_SECONDS: Final = 60.0
"""The same for an item that was admitted; nothing that was made in one second takes so long."""

# Items are the same in every run, so their stream is named by a constant and never by a run's seed.
_SEED: Final = 20261128
_TRIES: Final = 64
_LATE: Final = 2
"""Items that may take too long before a generator is passed over."""
_LISTED: Final = 12
"""Generators that a request names, of those that there are."""
_SPEC: Final = re.compile(
    r"([a-z0-9_]+)((?:[\s,:;]+[a-z_]+\s*=\s*[0-9]{1,3})*)[\s,:;]+(?:#|(anchor) )\s*([0-9]{1,9})\.?"
)
_LEVEL: Final = re.compile(r"([a-z_]+)\s*=\s*([0-9]+)")
_CHARACTERS: Final = "".join(map(chr, range(32, 127)))


@dataclass(frozen=True, slots=True)
class Item:
    """Which item of which generator."""

    generator: str
    levels: tuple[tuple[str, int], ...]
    """Every attribute of the generator with its level, in the generator's order."""
    number: int
    split: Split = "training"

    def spec(self) -> str:
        """As canonical text."""
        levels = [f"{name}={level}" for name, level in self.levels]
        mark = "#" if self.split == "training" else "anchor "
        return " ".join([self.generator, *levels, f"{mark}{self.number}"])

    def total(self) -> int:
        """The sum of its levels."""
        return sum(level for _, level in self.levels)

    def seed(self) -> int:
        """What the library's generator is seeded with."""
        levels = ",".join(f"{name}={level}" for name, level in self.levels)
        return derive(_SEED, "item", self.split, self.generator, levels, self.number) % 2**32


def read(text: str) -> Item:
    """The item that a text names; attributes that it does not name are at level 0.

    Raises :class:`Rejected`: ``syntax``, ``unknown_generator``, ``unknown_attribute``, ``no_such_level``.
    """
    match = _SPEC.fullmatch(text.strip())
    if match is None:
        raise Rejected(
            "syntax",
            f"expected a generator, levels and a number like 'gcd num_terms=1 #7', got {text[:80]!r}",
        )
    name = match[1]
    if name not in GENERATORS:
        raise Rejected("unknown_generator", f"expected one of the generators, got {name[:80]!r}")
    known = GENERATORS[name]
    given: dict[str, int] = {}
    for attribute, level in _LEVEL.findall(match[2]):
        if attribute not in known or attribute in given:
            raise Rejected(
                "unknown_attribute",
                f"expected {', '.join(known)} of {name} once each, got {attribute[:80]}",
            )
        if int(level) >= known[attribute]:
            raise Rejected(
                "no_such_level",
                f"expected {attribute} of {name} from 0 to {known[attribute] - 1}, got {level}",
            )
        given[attribute] = int(level)
    levels = tuple((attribute, given.get(attribute, 0)) for attribute in known)
    return Item(name, levels, int(match[4]), "anchors" if match[3] else "training")


def held_out(question: str) -> bool:
    """Whether a question is kept for the anchors, whatever its spaces and case."""
    return derive(_SEED, "held_out", _folded(question)) % HELD_OUT == 0


def _folded(question: str) -> str:
    """Without case and without what spaces there are."""
    return " ".join(question.lower().split())


@lru_cache(maxsize=8192)
def made(item: Item, seconds: float) -> tuple[str, str] | Rejected:
    """Question and key of an item, or why there is none: ``execution:...``, ``too_long``, ``no_answer``,
    and ``held_out`` where the question is not of the item's split."""
    try:
        question, answer = worker(os.getpid()).item(item.generator, dict(item.levels), item.seed(), seconds)
    except Rejected as rejected:
        return rejected
    if len(question) > MAX_QUESTION or len(answer) > MAX_ANSWER:
        detail = (
            f"expected {MAX_QUESTION} and {MAX_ANSWER} characters, got {len(question)} and {len(answer)}"
        )
        return Rejected("too_long", detail)
    if not answer:
        return Rejected("no_answer", "expected an item with an answer that can be written, got none")
    if held_out(question) != (item.split == "anchors"):
        return Rejected("held_out", "expected another question, got one of another split")
    return question, answer


@register
class ReasoningGym(Domain):
    """The generators of ``reasoning-gym``, or the one called ``only``. Difficulty is the sum of levels.

    Raises ValueError where the library is not installed, and for a generator that there is not or that is
    left out, with the reason.
    """

    name = "reasoning_gym"
    alphabet = _CHARACTERS + "\n"
    forms: tuple[Form, ...] = ("natural",)

    def __init__(self, only: str | None = None) -> None:
        if importlib.util.find_spec("reasoning_gym") is None:
            raise ValueError(
                "expected the package reasoning-gym for the domain reasoning_gym, got none installed; "
                "write pip install 'ludus-arena[reasoning]'"
            )
        if only is not None:
            if only in LEFT_OUT:
                raise ValueError(
                    f"expected another generator than {only}, which is left out: {LEFT_OUT[only]}"
                )
            if only not in GENERATORS:
                nearest = difflib.get_close_matches(only, GENERATORS, n=1, cutoff=0.0)
                raise ValueError(
                    f"expected a generator of reasoning-gym, got {only!r}; "
                    f"write reasoning_gym:{nearest[0]} instead"
                )
            self.name = f"reasoning_gym:{only}"
        self._names = tuple(GENERATORS) if only is None else (only,)
        self._only = only
        cells = self._cells()
        easy = 0 if only is None else 2
        self.core_cells = tuple(cell for cell, _, level in cells if level <= easy)

    # -- proposing ---------------------------------------------------------------------------------
    def brief(self, form: Form, target: float | None, parent: str | None) -> str:
        """Names some generators, others for every target, with the levels of their attributes."""
        if parent is not None:
            listed = [read(parent).generator]
        elif self._only is not None:
            listed = [self._only]
        else:
            rng = generator(_SEED, "brief", "none" if target is None else f"{target:.3f}")
            listed = sorted(
                str(n) for n in rng.choice(self._names, min(_LISTED, len(self._names)), replace=False)
            )
        lines = [
            "Choose a ready-made problem: a generator, a level for each of its attributes and any number.",
            "Level 0 is the easiest. The generators and their highest levels are",
            *(f"- {_described(name)}" for name in listed),
            "For example:",
            read(f"{listed[0]} #7").spec(),
        ]
        if parent is not None:
            lines.append(f"Change this problem a little, to make a new one: {parent}")
        elif target is not None:
            lines.append(f"The levels should add up to about {max(0, round(target) - 1)}.")
        lines.append("Answer with the problem only, on one line.")
        return "\n".join(lines)

    def pattern(self, form: Form, target: float | None) -> str:
        """One of the generators, with levels that add up to about twice the target at most."""
        shapes = []
        for name in self._names:
            attributes = GENERATORS[name]
            most = 9 if target is None else int(max(1.0, 2 * target - 1) / len(attributes))
            levels = [
                rf" {attribute}={_up_to(min(most, count - 1))}" for attribute, count in attributes.items()
            ]
            shapes.append("".join([name, *levels]))
        return f"({'|'.join(shapes)}) #[1-9][0-9]{{0,3}}"

    def parse(self, text: str) -> str:
        """The first line that names an item. Reasons: see :func:`read`, ``too_long``, ``other_generator``,
        and ``held_out`` for an anchor by name."""
        if len(text) > MAX_ANSWER:
            raise Rejected("too_long", f"expected at most {MAX_ANSWER} characters, got {len(text)}")
        first: Rejected | None = None
        for line in text.strip().split("\n"):
            try:
                item = read(line)
            except Rejected as rejected:
                first = first or rejected
                continue
            if item.generator not in self._names:
                raise Rejected("other_generator", f"expected {self._only}, got {item.generator}")
            if item.split == "anchors":
                raise Rejected("held_out", "expected a number after #, got the name of an anchor")
            return item.spec()
        raise first or Rejected("syntax", "expected a generator, got nothing")

    def identity(self, spec: str) -> str:
        """A hash of the question, as :func:`held_out` takes it: a generator has far fewer questions than
        numbers, at its lowest levels a handful."""
        return short_id("q", _folded(self._item(spec)[0]))

    def program(self, spec: str) -> str:
        raise TypeError(
            f"expected solve for {self.name}: items are made by the library, not in the sandbox"
        )

    def solution(self, spec: str, value: object) -> Solution:
        raise TypeError(
            f"expected solve for {self.name}: items are made by the library, not in the sandbox"
        )

    def solve(self, specs: Sequence[str], sandbox: Executor) -> list[Solution | Rejected]:
        """The library's own key of each item. Reasons: see :func:`made`, and ``wrong_key`` where the
        library's scorer does not take its own key for right."""
        found: list[Solution | Rejected] = []
        for spec in specs:
            item = read(spec)
            texts = made(item, ADMISSION_SECONDS)
            if isinstance(texts, Rejected):
                found.append(texts)
            elif not self.check(spec, texts[1], texts[1]):
                found.append(Rejected("wrong_key", "expected a key that the scorer takes for right"))
            else:
                found.append(Solution(texts[1], (texts[1],), 1 + item.total()))
        return found

    def features(self, spec: str, solution: Solution) -> dict[str, float]:
        """``operations``: 1 and the sum of the levels, as are ``steps``; ``length`` of the question and of
        the ``answer``, in characters; ``raised``: attributes above level 0."""
        item = read(spec)
        question, _ = self._item(spec)
        return {
            "operations": float(1 + item.total()),
            "length": float(len(question)),
            "steps": float(1 + item.total()),
            "answer": float(len(solution.answer)),
            "raised": float(sum(level > 0 for _, level in item.levels)),
        }

    def difficulty(self, features: dict[str, float]) -> float:
        """One more than the sum of the levels. It orders the items of one generator; how generators compare
        only attempts show."""
        return features["operations"]

    def write(self, spec: str, form: Form) -> str:
        return spec

    def mutate(self, spec: str, rng: np.random.Generator) -> str:
        """A level up (half of the time) or down, another number, or another generator at such levels."""
        item = read(spec)
        for _ in range(_TRIES):
            move = rng.random()
            number = int(rng.integers(MAX_NUMBER))
            if move < 0.75 and item.levels:
                at = int(rng.integers(len(item.levels)))
                name, level = item.levels[at]
                level = min(max(0, level + (1 if move < 0.5 else -1)), GENERATORS[item.generator][name] - 1)
                changed = (*item.levels[:at], (name, level), *item.levels[at + 1 :])
                found = replace(item, levels=changed, split="training")
                if found.levels == item.levels:
                    continue
            elif move < 0.9 or self._only is not None:
                found = replace(item, number=number, split="training")
            else:
                found = self._drawn(rng, item.total())
            if found != item and self._makes(found):
                return found.spec()
        return self._any(rng, item.total(), item).spec()

    def sample(self, rng: np.random.Generator, target: float) -> str:
        """Any generator whose levels can add up to one less than ``target``, or come nearest to it."""
        return self._any(rng, max(0, round(target) - 1), None).spec()

    def _any(self, rng: np.random.Generator, total: int, but: Item | None) -> Item:
        for _ in range(_TRIES):
            found = self._drawn(rng, total)
            if found != but and self._makes(found):
                return found
        raise RuntimeError(f"expected {self.name} to make an item of levels {total}, got {_TRIES} failures")

    def _drawn(self, rng: np.random.Generator, total: int) -> Item:
        reach = {name: sum(count - 1 for count in GENERATORS[name].values()) for name in self._names}
        able = [name for name in self._names if reach[name] >= total]
        able = able or [name for name in self._names if reach[name] == max(reach.values())]
        name = able[int(rng.integers(len(able)))]
        counts = GENERATORS[name]
        levels = dict.fromkeys(counts, 0)
        for _ in range(min(total, reach[name])):
            room = [attribute for attribute, level in levels.items() if level < counts[attribute] - 1]
            levels[room[int(rng.integers(len(room)))]] += 1
        return Item(name, tuple(levels.items()), int(rng.integers(MAX_NUMBER)))

    def _makes(self, item: Item) -> bool:
        texts = made(item, ADMISSION_SECONDS)
        return not isinstance(texts, Rejected) and self.check(item.spec(), texts[1], texts[1])

    # -- solving -----------------------------------------------------------------------------------
    def _item(self, spec: str) -> tuple[str, str]:
        """Question and key of an item that was admitted."""
        item = read(spec)
        texts = made(item, ADMISSION_SECONDS)
        if isinstance(texts, Rejected) and texts.reason.startswith("execution:"):
            texts = made(item, POSING_SECONDS)
        if isinstance(texts, Rejected):
            raise ValueError(f"expected a spec that has a solution, got {spec!r}: {texts}") from texts
        return texts

    def pose(self, spec: str, form: Form) -> str:
        """The library's question, and how to end. Raises ValueError for a spec without a solution."""
        return f"{self._item(spec)[0]}\n\nEnd with 'Answer:' and your answer after it."

    def key(self, spec: str, solution: Solution, form: Form) -> str:
        """``Answer:`` and the library's answer, which may have several lines."""
        return f"Answer:{chr(10) if chr(10) in solution.answer else ' '}{solution.answer}"

    def read_answer(self, completion: str, form: Form) -> str | None:
        """Everything after the last ``Answer:``, see :func:`~arena.domains.emphasis.labelled`; None where
        it is empty or longer than :data:`MAX_ANSWER`."""
        text = labelled(completion)
        return text if 0 < len(text) <= MAX_ANSWER else None

    def check(self, spec: str, answer_key: str, answer: str) -> bool:
        """Whether the library's scorer gives the answer a 1, as it is or without Markdown's emphasis."""
        item = read(spec)
        return any(
            worker(os.getpid()).score(item.generator, dict(item.levels), item.seed(), text) >= 1.0
            for text in readings(answer)
        )

    # -- culture -----------------------------------------------------------------------------------
    def example(self, spec: str, solution: Solution, form: Form) -> str:
        """Which item it is, its question and its answer."""
        return f"{spec}\n{self.lesson(spec, solution, form)}"

    def lesson(self, spec: str, solution: Solution, form: Form) -> str:
        """The question and its answer."""
        return f"{self._item(spec)[0]}\n{self.key(spec, solution, form)}"

    def about(self, spec: str, form: Form) -> str:
        return self._item(spec)[0]

    def claims(self, body: str, form: Form) -> Stated:
        """What :meth:`example` writes; a question without the name of its item cannot be looked up."""
        lines = body.split("\n")
        starts = [i for i, line in enumerate(lines) if _SPEC.fullmatch(line)]
        claims: list[Claim] = []
        rest = lines[: starts[0]] if starts else lines
        for start, end in pairwise([*starts, len(lines)]):
            claim = self._claimed(lines[start], "\n".join(lines[start:end]))
            if claim is None:
                rest = [*rest, *lines[start:end]]
            else:
                claims.append(claim)
        return Stated(tuple(claims), "\n".join(line for line in rest if line.strip()))

    def _claimed(self, spec: str, text: str) -> Claim | None:
        try:
            item = read(spec)
        except Rejected:
            return None
        answer = self.read_answer(text, "natural")
        if item.generator not in self._names or answer is None or item.spec() != spec:
            return None
        if isinstance(made(item, ADMISSION_SECONDS), Rejected):
            return None
        same = text.rstrip("\n") == self.example(spec, Solution(answer, (), 0), "natural")
        return Claim(spec, answer) if same else None

    # -- anchors -----------------------------------------------------------------------------------
    def _cells(self) -> list[tuple[str, tuple[str, ...], int]]:
        """Cells with their generators and level, easiest first."""
        if self._only is not None:
            top = max(count - 1 for count in GENERATORS[self._only].values())
            return [(f"level-{level}", (self._only,), level) for level in range(min(top, 5) + 1)]
        return [
            (f"{category}-{level}", names, level)
            for level in ANCHORED
            for category, names in CATEGORIES.items()
        ]

    def anchors(self, per_cell: int) -> list[Anchor]:
        """``per_cell`` items in each cell ``{category}-{level}``, its generators in turn with all
        attributes at that level or their highest, 0 of them ``core_cells``; of one generator in each cell
        ``level-{level}`` from 0 to 5, of which ``core_cells`` are those up to 2.

        A smaller ``per_cell`` gives the first items of a larger one. Raises ValueError where a cell has
        fewer."""
        cells = self._cells()
        return [a for cell, names, level in cells for a in _anchors(self, cell, names, level, per_cell)]


@lru_cache(maxsize=1024)
def _anchors(
    domain: ReasoningGym, cell: str, names: tuple[str, ...], level: int, count: int
) -> tuple[Anchor, ...]:
    """The first ``count`` items of a cell, whose questions all differ."""
    found: list[Anchor] = []
    questions: set[str] = set()
    numbers = dict.fromkeys(names, 0)
    left = list(names)
    while len(found) < count:
        if not left:
            raise ValueError(f"expected fewer anchors a cell, got {count}: {cell} has {len(found)}")
        name = left[len(found) % len(left)]
        item = _next_anchor(domain, name, level, numbers, questions)
        if item is None:
            left.remove(name)
            continue
        texts = made(item, ADMISSION_SECONDS)
        assert not isinstance(texts, Rejected)
        questions.add(texts[0])
        spec, solution = item.spec(), Solution(texts[1], (texts[1],), 1 + item.total())
        features = domain.features(spec, solution)
        found.append(Anchor(short_id("a", domain.name, spec), cell, spec, texts[1], (texts[1],), features))
    return tuple(found)


def _next_anchor(
    domain: ReasoningGym, name: str, level: int, numbers: dict[str, int], questions: set[str]
) -> Item | None:
    """The next item of a generator that is kept for the anchors; None where there seem to be no more."""
    levels = tuple((attribute, min(level, count - 1)) for attribute, count in GENERATORS[name].items())
    late = 0
    for _ in range(_TRIES):
        item = Item(name, levels, numbers[name], "anchors")
        numbers[name] += 1
        texts = made(item, ADMISSION_SECONDS)
        late += isinstance(texts, Rejected) and texts.reason == "execution:timeout"
        if late > _LATE:
            return None
        new = not isinstance(texts, Rejected) and texts[0] not in questions
        if new and not isinstance(texts, Rejected) and domain.check(item.spec(), texts[1], texts[1]):
            return item
    return None


def _described(name: str) -> str:
    highest = {a: "any" if count == OPEN else str(count - 1) for a, count in GENERATORS[name].items()}
    attributes = ", ".join(f"{attribute} {level}" for attribute, level in highest.items())
    return f"{name}: {attributes}"


def _up_to(most: int) -> str:
    """A regular expression for the numbers from 0 to ``most``, or 99."""
    if most < 10:
        return f"[0-{most}]"
    tens, ones = divmod(min(most, 99), 10)
    whole = f"|[1-{tens - 1}][0-9]" if tens > 1 else ""
    return f"([0-9]{whole}|{tens}[0-{ones}])"
