import ast

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from arena.domains.arithmetic import Arithmetic
from arena.domains.base import Executor, Rejected, Solution
from arena.domains.expression import (
    MAX_DIGITS,
    MAX_OPERATIONS,
    Expression,
    Node,
    count,
    depth,
    read,
    steps,
    write,
)
from culture.records import Form
from culture.seeds import generator

domain = Arithmetic()
FORMS: tuple[Form, ...] = ("terse", "natural")


def solved(spec: str) -> Solution:
    worked = tuple(step[-1] for step in steps(read(spec)))
    return Solution(worked[-1], worked, sum(c.isdigit() for text in worked for c in text))


def value(node: ast.expr) -> int:
    """The value of a Python expression by another way than the domain's: left to right on Python's tree."""
    if isinstance(node, ast.BinOp):
        left, right = value(node.left), value(node.right)
        match node.op:
            case ast.Add():
                return left + right
            case ast.Sub():
                return left - right
            case ast.Mult():
                return left * right
    assert isinstance(node, ast.Constant) and isinstance(node.value, int)
    return node.value


def python_value(spec: str) -> int:
    return value(ast.parse(spec, mode="eval").body)


numbers: st.SearchStrategy[Expression] = st.integers(0, 10**12 - 1)
trees = st.recursive(
    numbers, lambda part: st.builds(Node, st.sampled_from("+-*"), part, part), max_leaves=20
).filter(lambda tree: isinstance(tree, Node))


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        ("(3+4)*2", "(3+4)*2=7*2=14"),
        ("1+2*3", "1+2*3=1+6=7"),
        ("1*2+3*4", "1*2+3*4=2+3*4=2+12=14"),
        ("2-5+4", "2-5+4=(-3)+4=1"),
        ("(2-5)*2", "(2-5)*2=(-3)*2=-6"),
        ("4*(2-5)", "4*(2-5)=4*(-3)=-12"),
        ("9-(3-5)", "9-(3-5)=9-(-2)=11"),
        ("3+3", "3+3=6"),
    ],
)
def test_worked_lines(spec: str, line: str, sandbox: Executor) -> None:
    assert domain.example(spec, solved(spec), "terse") == line
    assert domain.pose(spec, "terse") + domain.key(spec, solved(spec), "terse") == line
    assert domain.solve([spec], sandbox) == [solved(spec)]


def test_execution_agrees_with_the_reference(sandbox: Executor) -> None:
    rng = generator(0, "test")
    found = [domain.sample(rng, target) for target in range(1, 120)]
    assert domain.solve(found, sandbox) == [solved(spec) for spec in found]


def test_the_largest_problems_fit_the_sandbox(sandbox: Executor) -> None:
    nine = "9" * MAX_DIGITS
    found = [operator.join([nine] * (MAX_OPERATIONS + 1)) for operator in ("*", "-")] + [
        f"{nine}{operator}(" * (MAX_OPERATIONS - 1) + f"{nine}{operator}{nine}" + ")" * (MAX_OPERATIONS - 1)
        for operator in ("*", "-")
    ]
    assert domain.solve(found, sandbox) == [solved(spec) for spec in found]


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("((3)) + 4", "3+4"),
        ("(a)".replace("a", "1+2") + "+3", "1+2+3"),
        ("1+(2+3)", "1+(2+3)"),
        ("1-(2-3)", "1-(2-3)"),
        ("(1*2)+3", "1*2+3"),
        ("2*(3*4)", "2*(3*4)"),
        ("007+0", "7+0"),
        ("Problem: 3 \u00d7 4 \u2212 1\n", "3*4-1"),
        ("Here you are:\n(3 + 4) * 2\nEnjoy", "(3+4)*2"),
    ],
)
def test_normal_form(text: str, spec: str) -> None:
    assert domain.parse(text) == spec


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "syntax"),
        ("7", "no_operation"),
        ("(7)", "no_operation"),
        ("3+", "syntax"),
        ("-3+4", "syntax"),
        ("3+4)", "syntax"),
        ("(3+4", "syntax"),
        ("3 4", "syntax"),
        ("3/4", "syntax"),
        ("2**3", "syntax"),
        ("\u0663+1", "syntax"),
        ("1" * 13 + "+1", "too_long"),
        ("1" + "+1" * 25, "too_deep"),
        ("(" * 25 + "1+1" + ")" * 25, "too_deep"),
        ("(" * 4000, "too_deep"),
        ("1" * 5000, "too_long"),
    ],
)
def test_rejections(text: str, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        domain.parse(text)
    assert caught.value.reason == reason


@given(trees)
def test_trees_round_trip(tree: Expression) -> None:
    assert isinstance(tree, Node)
    text = write(tree)
    assert read(text) == tree
    for form in FORMS:
        assert domain.parse(domain.write(text, form)) == text


@given(trees)
def test_every_step_keeps_the_value(tree: Expression) -> None:
    assert isinstance(tree, Node)
    spec = write(tree)
    found = steps(tree)
    assert len(found) == count(tree)
    assert found[-1][-1] == str(python_value(spec))
    for form in FORMS:
        key = domain.key(spec, solved(spec), form)
        assert domain.turn(spec, str(python_value(spec)), [key], form).verdict == "correct"


@given(st.text(max_size=200) | st.text("0123456789+-*() =\n", max_size=60))
def test_parse_raises_nothing_but_rejected(text: str) -> None:
    try:
        spec = domain.parse(text)
    except Rejected:
        return
    assert domain.parse(spec) == spec


@given(st.text(max_size=200) | st.text("Answer: -12=()\n", max_size=60))
def test_any_completion_can_be_read(completion: str) -> None:
    for form in FORMS:
        answer = domain.read_answer(completion, form)
        assert answer is None or answer == str(int(answer))


@pytest.mark.parametrize(
    ("completion", "form", "answer"),
    [
        ("7*2=14", "terse", "14"),
        ("014", "terse", "14"),
        ("-0", "terse", "0"),
        ("-6\n7", "terse", "-6"),
        ("7*2", "terse", None),
        ("(-6)", "terse", None),
        ("9" * 5000, "terse", None),
        ("= 7 * 2\n= 14\nAnswer: 14", "natural", "14"),
        ("**Answer: -6.**", "natural", "-6"),
        ("So (3+4)*2 = 14.", "natural", "14"),
        ("fourteen", "natural", None),
        ("Answer: fourteen\n14", "natural", None),
    ],
)
def test_reading_answers(completion: str, form: Form, answer: str | None) -> None:
    assert domain.read_answer(completion, form) == answer


@given(trees, st.integers(0, 2**32))
def test_mutants_are_other_problems(tree: Expression, seed: int) -> None:
    spec = write(tree)
    mutant = domain.mutate(spec, generator(seed, "mutate"))
    assert mutant != spec
    assert domain.parse(mutant) == mutant


def written(spec: str) -> float:
    return domain.difficulty(domain.features(spec, solved(spec)))


def test_mutations_get_harder_at_least_as_often_as_easier() -> None:
    rng = generator(0, "mutate")
    changes = []
    for _ in range(1000):
        spec = domain.sample(rng, 16)
        changes.append(written(domain.mutate(spec, rng)) - written(spec))
    assert np.mean(np.array(changes) > 0) > np.mean(np.array(changes) < 0)


@pytest.mark.parametrize("target", [2, 8, 30, 100])
def test_samples_are_near_their_target(target: int) -> None:
    rng = generator(0, "sample", target)
    found = np.mean([written(domain.sample(rng, target)) for _ in range(100)])
    assert 0.8 * target < found < 1.25 * target


@pytest.mark.parametrize("target", [-1.0, 0.0, 0.4, 1e6])
def test_extreme_targets_give_valid_problems(target: float) -> None:
    spec = domain.sample(generator(0, "sample"), target)
    assert domain.parse(spec) == spec


def test_terse_requests() -> None:
    assert domain.brief("terse", 12.4, None) == "?h>"
    assert domain.brief("terse", None, None) == "?>"
    # what only requests are written in is no letter of a problem, an answer or a placebo
    assert not set(domain.alphabet) & set(domain.request_characters)


def test_features() -> None:
    features = domain.features("(13+4)*2", solved("(13+4)*2"))
    assert features == {
        "operations": 2.0,
        "length": 8.0,
        "steps": 5.0,
        "digits": 2.0,
        "depth": 2.0,
        "multiplications": 1.0,
    }


def test_lesson_is_the_step_on_most_digits() -> None:
    assert domain.lesson("(3+4)*12", solved("(3+4)*12"), "terse") == "7*12=84"
    assert domain.lesson("(2-5)*12", solved("(2-5)*12"), "terse") == "(-3)*12=-36"
    assert domain.lesson("(2-5)*12", solved("(2-5)*12"), "natural") == "-3 times 12 is -36"


def test_anchors_are_frozen() -> None:
    anchors = domain.anchors(4)
    assert [a.cell for a in anchors[::4]] == [*domain.core_cells, "6x4", "8x6"]
    assert len(domain.core_cells) == 12
    for anchor in anchors:
        tree = read(anchor.spec)
        assert anchor.cell.startswith(f"{count(tree)}x")
        assert anchor.answer_key == str(python_value(anchor.spec))
        assert depth(tree) <= count(tree)
    # A change here means that results are no longer comparable with those of earlier runs.
    assert [a.spec for a in anchors[:4]] == ["4+7", "5*0", "2-6", "7+3"]


@pytest.mark.parametrize(
    "value", [None, 14, ["14", ["14"], 4], ["14", ["7*2", "15"], 4], ["x", ["7*2", "x"], 4]]
)
def test_wrong_values_are_rejected(value: object) -> None:
    with pytest.raises(Rejected) as caught:
        domain.solution("(3+4)*2", value)
    assert caught.value.reason == "value"
