import os
import re
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.config import RunConfig
from arena.domains import check_domain, make_domain
from arena.domains.base import Executor, Rejected, Solution
from arena.domains.reasoning_catalogue import GENERATORS, LEFT_OUT, OPEN
from arena.domains.reasoning_gym import (
    ADMISSION_SECONDS,
    MAX_ANSWER,
    Item,
    ReasoningGym,
    held_out,
    made,
    read,
)
from arena.domains.reasoning_process import Library, arithmetic
from arena.domains.reasoning_worker import Worker, worker
from arena.held_out import HeldOut
from arena.rechecking import recheck
from arena.settings import load
from culture.seeds import generator
from tests.arena.domains.texts_of import matching

everything = ReasoningGym()
sums = ReasoningGym("chain_sum")


@pytest.fixture(scope="module", autouse=True)
def closed() -> Iterator[None]:
    yield
    worker(os.getpid()).close()


def training(name: str, levels: int = 0) -> str:
    """A spec of a generator that is no anchor."""
    for number in range(100):
        item = read(f"{name} #{number}")
        found = Item(name, tuple((a, min(levels, GENERATORS[name][a] - 1)) for a, _ in item.levels), number)
        if not isinstance(made(found, ADMISSION_SECONDS), Rejected):
            return found.spec()
    raise AssertionError(f"expected {name} to make an item")


def test_one_generator_conforms(sandbox: Executor) -> None:
    domain = make_domain("reasoning_gym:chain_sum")
    assert domain.name == "reasoning_gym:chain_sum"
    check_domain(domain, sandbox, trials=2)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(GENERATORS))
def test_every_generator_conforms(name: str, sandbox: Executor) -> None:
    check_domain(ReasoningGym(name), sandbox, trials=1)


def test_the_catalogue_is_that_of_the_library() -> None:
    from reasoning_gym.factory import CURRICULA, create_curriculum

    assert set(GENERATORS) | set(LEFT_OUT) == set(CURRICULA)
    assert not set(GENERATORS) & set(LEFT_OUT)
    for name, attributes in GENERATORS.items():
        curriculum = create_curriculum(name)
        assert list(attributes) == list(curriculum.attributes), name
        for attribute, count in attributes.items():
            levels = curriculum.attributes[attribute].levels
            if count == OPEN:
                assert all(type(level) is int for level in levels), (name, attribute)
            else:
                assert 1 <= count <= len(levels), (name, attribute)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("chain_sums", "got 'chain_sums'; write reasoning_gym:chain_sum instead"),
        ("codeio", "codeio, which is left out: it executes code"),
        ("game_of_life_halting", "its scorer takes every answer for right"),
    ],
)
def test_generators_that_there_are_not(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make_domain(f"reasoning_gym:{name}")


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'ludus-arena\[reasoning\]'"):
        make_domain("reasoning_gym")


def test_the_library_is_not_imported_for_its_catalogue() -> None:
    code = "import sys, arena.domains; sys.exit('reasoning_gym' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_there_is_no_terse_form() -> None:
    with pytest.raises(ValueError, match=r"engine.form: expected 'natural', .* reasoning_gym .* got terse"):
        load("tiny", ["domains=[reasoning_gym]"], RunConfig)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("chain_sum num_terms=1 num_digits=2 #7", "chain_sum num_terms=1 num_digits=2 #7"),
        ("chain_sum #007", "chain_sum num_terms=0 num_digits=0 #7"),
        ("chain_sum: num_digits = 2, num_terms=1; #7.", "chain_sum num_terms=1 num_digits=2 #7"),
        ("Here is one:\nchain_sum #7\nEnjoy", "chain_sum num_terms=0 num_digits=0 #7"),
    ],
)
def test_normal_form(text: str, spec: str) -> None:
    assert everything.parse(text) == spec


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "syntax"),
        ("chain_sum", "syntax"),
        ("chain_sum num_terms=-1 #7", "syntax"),
        ("chain_sum #9999999999", "syntax"),
        ("sum_chain #7", "unknown_generator"),
        ("codeio #7", "unknown_generator"),
        ("chain_sum terms=1 #7", "unknown_attribute"),
        ("chain_sum num_terms=1 num_terms=2 #7", "unknown_attribute"),
        ("base_conversion base=5 #7", "no_such_level"),
        ("gcd #7", "other_generator"),
        ("chain_sum anchor 7", "held_out"),
        ("chain_sum #7" + " " * 5000, "too_long"),
    ],
)
def test_rejections(text: str, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        sums.parse(text)
    assert caught.value.reason == reason


def test_no_two_splits_share_a_question() -> None:
    """Generators with few questions, where a second split would come upon those of the first at once."""
    for name in ("coin_flip", "leg_counting", "products", "chain_sum", "tower_of_hanoi"):
        levels = tuple(dict.fromkeys(GENERATORS[name], 0).items())
        texts: dict[str, set[str]] = {"training": set(), "anchors": set()}
        refused = 0
        for number in range(60):
            for split in texts:
                found = made(Item(name, levels, number, split), ADMISSION_SECONDS)  # type: ignore[arg-type]
                if isinstance(found, Rejected):
                    assert found.reason == "held_out", found
                    refused += split == "training"
                else:
                    texts[split].add(found[0])
        assert texts["training"] and texts["anchors"], name
        assert not texts["training"] & texts["anchors"]
        assert refused > 0


def test_a_proposal_of_an_anchors_question_is_set_aside(sandbox: Executor) -> None:
    number = next(
        n
        for n in range(100)
        if isinstance(found := made(read(f"chain_sum #{n}"), ADMISSION_SECONDS), Rejected)
        and found.reason == "held_out"
    )
    (found,) = sums.solve([f"chain_sum num_terms=0 num_digits=0 #{number}"], sandbox)
    assert isinstance(found, Rejected)
    assert found.reason == "held_out"


def test_items_with_one_question_are_one_problem() -> None:
    coins = ReasoningGym("coin_flip")
    level = read("coin_flip #0").levels
    items = [Item("coin_flip", level, n) for n in range(1, 61)]
    valid = [item for item in items if not isinstance(made(item, ADMISSION_SECONDS), Rejected)]
    questions = {made(item, ADMISSION_SECONDS)[0] for item in valid}  # type: ignore[index]
    identities = {coins.identity(item.spec()) for item in valid}
    assert len(identities) == len(questions) < len(valid) // 3


def test_seeds_have_nothing_in_common() -> None:
    seeds = {
        Item("chain_sum", (("num_terms", 0), ("num_digits", level)), number, split).seed()  # type: ignore[arg-type]
        for level in range(3)
        for number in range(300)
        for split in ("training", "anchors")
    }
    assert len(seeds) == 3 * 300 * 2
    # the library seeds item i of dataset s with s + i: no seed is near another
    assert min(np.diff(sorted(seeds))) > 1


def test_items_are_the_same_in_another_process_and_order() -> None:
    names = ("chain_sum", "word_sorting", "pool_matrix", "knights_knaves", "time_intervals", "rearc")
    asked = [(name, dict.fromkeys(GENERATORS[name], 0), seed) for name in names for seed in (1, 2)]
    first, second = Worker(), Worker()
    try:
        here = [first.item(*request, ADMISSION_SECONDS) for request in asked]
        there = [second.item(*request, ADMISSION_SECONDS) for request in reversed(asked)]
    finally:
        first.close()
        second.close()
    assert here == there[::-1]
    assert len(set(here)) == len(here)


def test_anchors_are_held_out_by_text_and_found_in_texts() -> None:
    anchors = sums.anchors(3)
    assert len(anchors) == 3 * 6
    assert all(held_out(sums._item(a.spec)[0]) for a in anchors)
    assert all(not held_out(sums._item(training("chain_sum", level))[0]) for level in range(3))
    found = HeldOut({sums.name: sums}, 1)
    assert found.found_in(f"See here: {sums._item(anchors[0].spec)[0]}\n\nEnd with") is None
    assert found.found_in(f"See here: {sums.pose(anchors[0].spec, 'natural')}") is not None


HOSTILE_ANSWERS = (
    "__import__('os').system('touch {path}')",
    "[open('{path}', 'w')]",
    "exec(\"open('{path}', 'w')\")",
    "x.__class__.__init__.__globals__['os'].system('touch {path}')",
    "(lambda: open('{path}', 'w'))()",
    "1) or (1==1",
    "nan",
    '["nan", "nan", "nan"]',
    "[NaN, NaN]",
    "inf",
    "9**9**9**9",
    "(9**99)**99",
    "exp(" * 200 + "1" + ")" * 200,
    "R99999999999",
    "[" * 3000,
    "(" * 3000,
    "{" * 3000,
    "a" * MAX_ANSWER,
    "\\frac{1}{0}",
    "\ud800",
    "\x00",
    "None",
    "True",
    "[]",
    "{}",
    "null",
)


@pytest.mark.parametrize(
    "name",
    [
        "binary_matrix", "spiral_matrix", "string_insertion", "n_queens", "number_sorting", "countdown",
        "complex_arithmetic", "puzzle24", "polynomial_multiplication", "simple_integration",
        "intermediate_integration", "rubiks_cube", "propositional_logic",
    ],
)  # fmt: skip
def test_hostile_answers_are_wrong_and_do_nothing(name: str, tmp_path: object) -> None:
    domain = ReasoningGym(name)
    spec = training(name)
    path = f"{tmp_path}/made"
    for answer in HOSTILE_ANSWERS:
        turn = domain.turn(spec, "", [f"Answer: {answer.replace('{path}', path)}"], "natural")
        assert turn.verdict in ("wrong", "malformed"), answer
    assert not os.path.exists(path)
    _, key = domain._item(spec)
    assert domain.turn(spec, key, [f"Answer: {key}"], "natural").verdict == "correct"


def test_the_guards_are_where_the_library_evaluates() -> None:
    library = Library()
    with pytest.raises(ValueError, match="answers are not evaluated"):
        sys.modules["reasoning_gym.games.n_queens"].eval("1")  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="expected arithmetic"):
        sys.modules["sympy"].parse_expr("x.diff()")  # type: ignore[attr-defined]
    assert library.score("binary_matrix", {"p_zero": 0, "n": 0}, 1, "print(1)") == 0.0


def test_no_other_scorer_evaluates() -> None:
    """A release of the library whose scorers evaluate elsewhere is noticed here."""
    import pathlib

    import reasoning_gym

    root = pathlib.Path(reasoning_gym.__file__).parent
    found = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"(?<![\w.])(?:eval|exec)\(|parse_expr\(|sympify\(", line)
        and "def parse_expr" not in line
    }
    assert found == {
        # guarded
        "algorithmic/binary_matrix.py",
        "algorithmic/spiral_matrix.py",
        "algorithmic/string_insertion.py",
        "games/n_queens.py",
        "games/countdown.py",
        "games/puzzle24.py",
        "algebra/simple_integration.py",
        "algebra/intermediate_integration.py",
        "algebra/polynomial_multiplication.py",
        # of their own problems, not of answers
        "algorithmic/number_sorting.py",
        "arithmetic/basic_arithmetic.py",
        "arithmetic/bitwise_arithmetic.py",
        "logic/propositional_logic.py",
        # no curriculum, or left out
        "arithmetic/gsm_symbolic/generators_00_49.py",
        "arithmetic/gsm_symbolic/generators_50_99.py",
        "code/codeio.py",
    }


@pytest.mark.parametrize(
    "text", ["3*(4+5)", "x**2/2 + C", "-sin(3*x)/3", "1.5*x**(-2)", "x**(1/2)", "x*exp(x)", "2*x**10"]
)
def test_arithmetic_that_sympy_may_read(text: str) -> None:
    assert arithmetic(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "x.y",
        "os",
        "'a'",
        "[1]",
        "2**x",
        "2**(3**4)",
        "2**3**4",
        "9**9999",
        "9^9",
        "1" * 260,
        "f'1'",
        "lambda: 1",
        "x=1",
    ],
)
def test_arithmetic_that_it_may_not(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        arithmetic(text)


def test_a_worker_that_is_lost_is_replaced() -> None:
    found = Worker()
    try:
        with pytest.raises(Rejected) as caught:
            found.item("zebra_puzzles", {"num_people": 5, "num_characteristics": 5}, 1, 0.2)
        assert caught.value.reason == "execution:timeout"
        with pytest.raises(Rejected) as caught:
            found.item("no_such", {}, 1, 1.0)
        assert caught.value.reason == "execution:exception"
        with pytest.raises(Rejected) as caught:
            found.item("rubiks_cube", {"cube_size": 4, "scramble_steps": 0}, 1, 1.0)
        assert caught.value.reason == "execution:levels"
        _, key = found.item("chain_sum", {"num_terms": 0, "num_digits": 0}, 1, 1.0)
        assert found.score("chain_sum", {"num_terms": 0, "num_digits": 0}, 1, key) == 1.0
        assert found.score("chain_sum", {"num_terms": 0, "num_digits": 0}, 1, "no idea") == 0.0
    finally:
        found.close()


def test_partial_credit_is_wrong() -> None:
    spec = training("word_sorting")
    domain = ReasoningGym("word_sorting")
    words = domain._item(spec)[1].split(", ")
    half = ", ".join([words[0], *reversed(words[1:])])
    item = read(spec)
    assert 0 < worker(os.getpid()).score(item.generator, dict(item.levels), item.seed(), half) < 1
    turn = domain.turn(spec, "", [f"Answer: {half}"], "natural")
    assert (turn.verdict, turn.reward) == ("wrong", 0.0)


@pytest.mark.parametrize("form", ["{}", "**{}**", "`{}`"])
def test_emphasis_makes_no_answer_wrong(form: str) -> None:
    spec = training("basic_arithmetic")
    domain = ReasoningGym("basic_arithmetic")
    key = domain._item(spec)[1]
    for text, outcome in ((key, "correct"), (f"{key}1", "wrong")):
        answer = f"Answer: {form.format(text)}"
        assert domain.turn(spec, "", [answer], "natural").verdict == outcome


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ("Answer: 7", "7"),
        ("So:\n**Answer:** 7", "7"),
        ("**Answer: 7**", "7"),
        ("**Answer**: 7", "7"),
        ("- **answer:** 2 ** 3 * x", "2 ** 3 * x"),
        ("Answer: *x*", "*x*"),
        ("**Answer: 1 2\n3 4**", "1 2\n3 4"),
        ("Answer: 6\nNo.\nAnswer: 7\n", "7"),
        ("Answer:\n1 2\n3 4", "1 2\n3 4"),
        ("7", "7"),
        ("Answer:", None),
        ("", None),
        ("Answer: " + "7" * (MAX_ANSWER + 1), None),
    ],
)
def test_reading_answers(completion: str, answer: str | None) -> None:
    assert everything.read_answer(completion, "natural") == answer


@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    answer = everything.read_answer(text, "natural")
    assert answer is None or answer == answer.strip() != ""
    everything.claims(text, "natural")
    try:
        spec = everything.parse(text)
    except Rejected:
        return
    assert everything.parse(spec) == spec


def test_notes_are_rechecked(sandbox: Executor) -> None:
    spec = training("chain_sum")
    (solution,) = sums.solve([spec], sandbox)
    assert isinstance(solution, Solution)
    example = sums.example(spec, solution, "natural")
    wrong = example[:-1] + ("1" if example[-1] != "1" else "2")
    other = example.replace("+", "-", 1) if "+" in example else example.replace("-", "+", 1)
    texts = (
        example,
        f"{example}\n\n{example}",
        wrong,
        other,
        f"Trust me.\n{example}",
        f"{example}\nReally.",
    )
    found = recheck(sums, [("example", text) for text in texts], "natural", sandbox)
    assert [c.verdict for c in found] == ["confirmed"] * 2 + ["refuted"] * 4


@pytest.mark.parametrize("target", [1, 3, 6, 12])
def test_samples_are_near_their_target(target: int, sandbox: Executor) -> None:
    rng = generator(0, "sample", target)
    specs = [everything.sample(rng, target) for _ in range(12)]
    assert len({read(spec).generator for spec in specs}) > 3
    found = [1 + read(spec).total() for spec in specs]
    assert all(f == target for f in found)


def test_mutations_stay_problems(sandbox: Executor) -> None:
    rng = generator(0, "mutate")
    specs = [sums.sample(rng, 5) for _ in range(30)]
    mutants = [sums.mutate(spec, rng) for spec in specs]
    changes = [read(m).total() - read(spec).total() for m, spec in zip(mutants, specs, strict=True)]
    assert all(isinstance(s, Solution) for s in sums.solve(mutants, sandbox))
    assert {-1, 0, 1} == set(changes)
    assert sum(c > 0 for c in changes) > sum(c < 0 for c in changes)


@pytest.mark.parametrize("target", [None, 1.0, 4.0, 30.0])
def test_patterns_hold_to_proposals_that_parse(target: float | None) -> None:
    rng = generator(0, "pattern")
    pattern = everything.pattern("natural", target)
    for _ in range(60):
        text = matching(pattern, rng)
        item = read(everything.parse(text))
        if target is not None:
            assert 1 + item.total() <= max(2 * target, 1 + len(item.levels))


def test_requests_name_generators_and_levels() -> None:
    brief = everything.brief("natural", 4.0, None)
    assert len(brief) < 1000
    assert brief != everything.brief("natural", 5.0, None)
    assert "add up to about 3" in brief
    example = brief.split("For example:\n")[1].split("\n")[0]
    assert everything.parse(example) == example
    assert "chain_sum: num_terms" in sums.brief("natural", None, None)
