import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from arena.domains import transforms
from arena.domains.base import Executor, Rejected, Solution
from arena.domains.transforms import OPERATIONS, Transforms, split, work
from culture.records import Form
from culture.seeds import generator

domain = Transforms()
FORMS: tuple[Form, ...] = ("terse", "natural")


def solved(spec: str) -> Solution:
    worked = work(*split(spec))
    return Solution(worked[-1], worked, sum(map(len, worked)))


specs = st.builds(
    lambda letters, start: "".join(letters) + start,
    st.lists(st.sampled_from("RLQSXPNE"), min_size=1, max_size=64),
    st.text("0123456789", min_size=2, max_size=64) | st.text("abcxyz", min_size=2, max_size=64),
)


@pytest.mark.parametrize(
    ("letter", "start", "after"),
    [
        ("R", "1234", "4321"),
        ("L", "1234", "2341"),
        ("Q", "1234", "4123"),
        ("S", "3142", "1234"),
        ("X", "1234", "4231"),
        ("X", "78", "87"),
        ("P", "12345", "21435"),
        ("N", "1890", "2901"),
        ("N", "ayz", "bza"),
        ("D", "1234", "234"),
        ("E", "12", "122"),
    ],
)
def test_each_operation(letter: str, start: str, after: str, sandbox: Executor) -> None:
    (by_execution,) = domain.solve([letter + start], sandbox)
    assert isinstance(by_execution, Solution)
    assert by_execution == Solution(after, (after,), len(after))
    assert OPERATIONS[letter].apply(start) == after


def test_execution_agrees_with_the_reference(sandbox: Executor) -> None:
    rng = generator(0, "test")
    found = [domain.sample(rng, target) for target in range(1, 120)]
    assert domain.solve(found, sandbox) == [solved(spec) for spec in found]


def test_the_largest_problems_fit_the_sandbox(sandbox: Executor) -> None:
    found = [letters + "z" * 64 for letters in ("RLQSXPNE" * 8, "E" * 64, "N" * 64, "P" * 64)]
    assert domain.solve(found, sandbox) == [solved(spec) for spec in found]


def test_terse_forms() -> None:
    solution = solved("RS1234")
    assert domain.pose("RS1234", "terse") == "RS1234="
    assert domain.key("RS1234", solution, "terse") == "S4321=1234"
    assert domain.example("RS1234", solution, "terse") == "RS1234=S4321=1234"
    assert domain.lesson("RS1234", solution, "terse") == "S4321=1234"
    assert domain.brief("terse", 12.4, None) == "?h>"
    assert domain.brief("terse", None, None) == "?>"
    assert domain.brief("terse", 12.0, "RS1234") == "RS1234>"


def test_natural_forms() -> None:
    solution = solved("RS1234")
    assert domain.pose("RS1234", "natural") == (
        "Start with the text 1234. Reverse it. Then sort its characters in ascending order."
        " Answer with the final text only."
    )
    assert domain.key("RS1234", solution, "natural") == "reverse: 4321\nsort: 1234\nAnswer: 1234"
    assert domain.write("RS1234", "natural") == "reverse, sort: 1234"
    asked = domain.brief("natural", 64.0, None)
    assert "about 64: the number of operations times the square of the length" in asked


def test_lesson_is_the_longest_step() -> None:
    assert domain.lesson("ESRD12", solved("ESRD12"), "terse") == "S122=122"
    assert domain.lesson("DEE1234", solved("DEE1234"), "terse") == "E2344=23444"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "syntax"),
        ("1234", "no_operation"),
        ("RS", "syntax"),
        ("RSa1", "syntax"),
        ("Rs1", "syntax"),
        ("ZS12", "syntax"),
        ("R\u0661", "syntax"),
        ("DD12", "empty"),
        ("DD12", "empty"),
        ("R1", "too_short"),
        ("D" * 3 + "E12", "empty"),
        ("R" * 65 + "12", "too_deep"),
        ("R" + "1" * 65, "too_long"),
        ("R" * 5000, "too_long"),
        ("flip: 12", "unknown_operation"),
        ("drop first, drop first: 12", "empty"),
    ],
)
def test_rejections(text: str, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        domain.parse(text)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "text", ["RS1234\n", " RS1234 ", "Sure!\nProblem: Reverse,  SORT: 1234.\nHave fun", "reverse,sort:1234"]
)
def test_proposals_as_models_write_them(text: str) -> None:
    assert domain.parse(text) == "RS1234"


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ("S4321=1234", "1234"),
        ("1234", "1234"),
        ("1234\n99", "1234"),
        ("abc", "abc"),
        ("", None),
        ("=", None),
        ("12=", None),
        ("1a", None),
        ("S12", None),
        ("\u0661", None),
    ],
)
def test_reading_terse_answers(completion: str, answer: str | None) -> None:
    assert domain.read_answer(completion, "terse") == answer


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ("Answer: 12\nAnswer: **34**.", "34"),
        ("reverse: 4321\n1234", "1234"),
        ("The text is\n`abc`", "abc"),
        ("**Answer:** abc", "abc"),
        ("Answer: ABC\n123", None),
        ("I do not know", None),
        ("", None),
    ],
)
def test_reading_natural_answers(completion: str, answer: str | None) -> None:
    assert domain.read_answer(completion, "natural") == answer


@given(st.text(max_size=200) | st.text("RLSD=:, 123abc\n", max_size=60))
def test_parse_raises_nothing_but_rejected(text: str) -> None:
    try:
        spec = domain.parse(text)
    except Rejected:
        return
    assert domain.parse(spec) == spec


@given(specs)
def test_round_trips(spec: str) -> None:
    for form in FORMS:
        assert domain.parse(domain.write(spec, form)) == spec
        key = domain.key(spec, solved(spec), form)
        assert domain.turn(spec, solved(spec).answer, [key], form).verdict == "correct"


@given(st.text(max_size=200) | st.text("Answer: 12ab=\n", max_size=60))
def test_any_completion_can_be_read(completion: str) -> None:
    for form in FORMS:
        answer = domain.read_answer(completion, form)
        assert answer is None or answer.isascii()


@given(specs, st.integers(0, 2**32))
def test_mutants_are_other_problems(spec: str, seed: int) -> None:
    mutant = domain.mutate(spec, generator(seed, "mutate"))
    assert mutant != spec
    assert domain.parse(mutant) == mutant


def test_mutations_get_harder_at_least_as_often_as_easier() -> None:
    rng = generator(0, "mutate")
    changes = []
    for _ in range(2000):
        spec = domain.sample(rng, 16)
        changes.append(len_of_work(domain.mutate(spec, rng)) - len_of_work(spec))
    assert np.mean(np.array(changes) > 0) > np.mean(np.array(changes) < 0)


def len_of_work(spec: str) -> float:
    return domain.difficulty(domain.features(spec, solved(spec)))


@pytest.mark.parametrize("target", [8, 30, 100, 1000])
def test_samples_are_near_their_target(target: int) -> None:
    rng = generator(0, "sample", target)
    found = [domain.sample(rng, target) for _ in range(300)]
    assert 0.8 * target < np.mean([len_of_work(spec) for spec in found]) < 1.25 * target
    assert 0.4 < np.mean([spec[-1].isdigit() for spec in found]) < 0.6


@pytest.mark.parametrize("target", [-1.0, 0.0, 0.4, 1e9])
def test_extreme_targets_give_valid_problems(target: float) -> None:
    spec = domain.sample(generator(0, "sample"), target)
    assert domain.parse(spec) == spec


def test_anchors_are_frozen() -> None:
    anchors = domain.anchors(4)
    assert [a.cell for a in anchors[::4]] == [*domain.core_cells, "6x12", "8x16"]
    assert len(domain.core_cells) == 16
    for anchor in anchors:
        operations, start = split(anchor.spec)
        assert anchor.cell == f"{len(operations)}x{len(start)}"
    assert sum(a.features["letters"] for a in anchors) == len(anchors) / 2
    # A change here means that results are no longer comparable with those of earlier runs.
    assert [a.spec for a in anchors[:4]] == ["X85", "Xat", "E97", "Eoy"]
    fewer = {a.spec for a in domain.anchors(2)}
    assert fewer < {a.spec for a in anchors}


def test_too_many_anchors_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transforms, "_CORE", ((1, 2),))
    with pytest.raises(ValueError, match="expected fewer anchors a cell, got 9000"):
        domain.anchors(9000)


@pytest.mark.parametrize(
    "value", [None, "1234", ["1234", ["4321"], 8], ["9", ["4321", "1234"], 8], [1, [2, 3], 8]]
)
def test_wrong_values_are_rejected(value: object) -> None:
    with pytest.raises(Rejected) as caught:
        domain.solution("RS1234", value)
    assert caught.value.reason == "value"
