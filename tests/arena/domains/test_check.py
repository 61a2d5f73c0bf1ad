from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from arena.domains import check_domain, make_domain, registered
from arena.domains.base import Account, Anchor, Domain, Executor, Rejected, Solution, Turn, register
from arena.domains.craft import Craft
from arena.domains.transforms import Transforms
from culture.edits import Kind
from culture.records import Form
from culture.seeds import generator


@pytest.mark.parametrize("name", registered())
def test_every_registered_domain_conforms(name: str, sandbox: Executor) -> None:
    # items of ready-made problems may take long, and each generator is tried by itself
    check_domain(make_domain(name), sandbox, trials=1 if name == "reasoning_gym" else 6)


def test_it_opens_a_sandbox_of_its_own() -> None:
    check_domain(Transforms(), trials=3)


def test_the_shipped_domains_are_registered() -> None:
    assert {"arithmetic", "craft", "transforms"} <= set(registered())


def test_names_are_corrected() -> None:
    with pytest.raises(ValueError, match="got 'transform'; write 'transforms' instead"):
        make_domain("transform")
    with pytest.raises(ValueError, match="expected a new domain name, got 'transforms'"):
        register(Transforms)


class ForeignCharacter(Transforms):
    def pose(self, spec: str, form: Form) -> str:
        return f"{spec}?!"


class NoRoundTrip(Transforms):
    def write(self, spec: str, form: Form) -> str:
        return f"R{spec}"


class NoParse(Transforms):
    def write(self, spec: str, form: Form) -> str:
        return "nothing"


class HiddenRandomness(Transforms):
    def sample(self, rng: np.random.Generator, target: float) -> str:
        self.calls = getattr(self, "calls", 0) + 1
        return super().sample(generator(self.calls, "hidden"), target)


class SameMutant(Transforms):
    def mutate(self, spec: str, rng: np.random.Generator) -> str:
        return spec


class InvalidMutant(Transforms):
    def mutate(self, spec: str, rng: np.random.Generator) -> str:
        return spec[::-1]


class WrongKey(Transforms):
    def key(self, spec: str, solution: Solution, form: Form) -> str:
        return "0"


class Lenient(Transforms):
    def check(self, spec: str, answer_key: str, answer: str) -> bool:
        return True


class Unsolvable(Transforms):
    def program(self, spec: str) -> str:
        return "1 / 0"


class Crashes(Transforms):
    def parse(self, text: str) -> str:
        return super().parse(text) if text else text[0]


class Reckless(Transforms):
    def read_answer(self, completion: str, form: Form) -> str | None:
        int(completion[-1]) if completion.startswith("=") else None
        return super().read_answer(completion, form)


class NoSteps(Transforms):
    def features(self, spec: str, solution: Solution) -> dict[str, float]:
        return {"operations": 1.0, "length": 1.0}


class Flat(Transforms):
    def difficulty(self, features: dict[str, float]) -> float:
        return 1.0


class Impure(Transforms):
    def turn(self, spec: str, answer_key: str, actions: Any, form: Form, sandbox: Any = None) -> Turn:
        self.calls = getattr(self, "calls", 0) + 1
        turn = super().turn(spec, answer_key, actions, form, sandbox)
        return turn if actions else Turn(turn.observation, False, str(self.calls))


class DriftingAnchors(Transforms):
    def anchors(self, per_cell: int) -> list[Anchor]:
        self.calls = getattr(self, "calls", 0) + 1
        return super().anchors(per_cell + self.calls)


class WrongAnchor(Transforms):
    def anchors(self, per_cell: int) -> list[Anchor]:
        return [
            Anchor(a.anchor_id, a.cell, a.spec, "0", a.worked, a.features)
            for a in super().anchors(per_cell)
        ]


class LongLesson(Transforms):
    def lesson(self, spec: str, solution: Solution, form: Form) -> str:
        return self.example(spec, solution, form) * 2


class DeafBrief(Transforms):
    def brief(self, form: Form, target: float | None, parent: str | None) -> str:
        return "?>"


class FalseKey(Craft):
    def readable_key(self, spec: str, prompt: str, form: Form) -> str | None:
        return "11;" if form == "terse" else "1 + 1"


class Clairvoyant(Craft):
    """Tells of an episode what its solver never tried."""

    def recount(self, spec: str, actions: Sequence[str], kind: Kind, form: Form) -> Account | None:
        return Account("a secret", "A12;")


class Brittle(Craft):
    def turn(
        self, spec: str, answer_key: str, actions: Sequence[str], form: Form, sandbox: Any = None
    ) -> Turn:
        if actions:
            actions[0].encode()
        return super().turn(spec, answer_key, actions, form, sandbox)


class Cramped(Craft):
    def longest(self, spec: str, form: Form) -> int:
        return 3


class OneProblem(Transforms):
    def identity(self, spec: str) -> str:
        return "a problem"


class LooseReason(Transforms):
    def parse(self, text: str) -> str:
        try:
            return super().parse(text)
        except Rejected as rejected:
            raise Rejected("this is no slug") from rejected


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (ForeignCharacter, "expected only characters of the alphabet in the statement"),
        (NoRoundTrip, r"expected parse\(write\(spec, 'terse'\)\)"),
        (NoParse, r"expected write\(.*\) to parse, got no_operation"),
        (HiddenRandomness, "expected sample to be a function of its generator"),
        (SameMutant, "to be another problem"),
        (InvalidMutant, r"expected mutate\(.*\) to parse"),
        (WrongKey, "to be read from the key"),
        (Lenient, "to be wrong for"),
        (Unsolvable, "expected solve to give .* a solution, got execution:"),
        (Crashes, "expected parse to raise Rejected, got IndexError"),
        (Reckless, "expected an answer or None, got ValueError"),
        (NoSteps, "to have operations, length and steps"),
        (Flat, "expected samples for high targets harder"),
        (Impure, "expected turn to be pure"),
        (DriftingAnchors, "expected the same anchors every time"),
        (WrongAnchor, "expected anchor .* to have"),
        (LongLesson, "no longer than its example"),
        (DeafBrief, "brief for a variation to differ"),
        (LooseReason, "expected a reason of one word"),
        (OneProblem, "expected samples that are not all one problem"),
        (FalseKey, "expected the key of .* to be correct"),
        (Clairvoyant, "expected nothing to tell of an empty action"),
        (Brittle, "expected a turn, got UnicodeEncodeError"),
        (Cramped, "expected room for the statement in longest"),
    ],
)
def test_it_catches_a_broken_domain(broken: type[Domain], message: str, sandbox: Executor) -> None:
    with pytest.raises(AssertionError, match=message):
        check_domain(broken(), sandbox, trials=3)
