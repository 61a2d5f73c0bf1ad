from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from culture import connect
from culture.records import Attempt, Revisit, RoundRows
from curricula import emergence
from tests.analysis.log import write_log
from tests.culture.rows import example, rows_of


def test_pass_at_k_golden_values():
    # Chen et al. 2021, eq. 1: 1 - C(7, 5) / C(10, 5) = 1 - 21 / 252, and 1 - C(2, 2) / C(4, 2) = 5 / 6
    np.testing.assert_allclose(emergence.pass_at(5, [3], [10]), [1 - 21 / 252])
    np.testing.assert_allclose(emergence.pass_at(2, [2, 0, 4, 1], [4, 4, 4, 2]), [5 / 6, 0, 1, 1])
    np.testing.assert_allclose(emergence.pass_at(1, [1, 3], [4, 4]), [0.25, 0.75])


def test_pass_at_k_is_unbiased():
    rng = np.random.default_rng(0)
    c = rng.binomial(6, 0.3, 40_000)
    found = emergence.pass_at(3, c, np.full(40_000, 6)).mean()
    assert found == pytest.approx(1 - 0.7**3, abs=0.01)
    assert abs(np.mean(1 - (1 - c / 6) ** 3) - (1 - 0.7**3)) > 0.02  # as the plug-in estimate is not


def test_pass_at_k_needs_k_attempts():
    with pytest.raises(ValueError, match="at least 3 attempts at each problem"):
        emergence.pass_at(3, [1, 1], [4, 2])


def test_means_and_their_intervals():
    found = emergence.mean([1.0, 2.0, 3.0])
    # t(0.975, 2) = 4.3027; the standard error is 1 / sqrt 3
    assert (found.value, found.n) == (2.0, 3)
    assert found.high - 2 == pytest.approx(4.30265 / np.sqrt(3), rel=1e-4)
    assert emergence.mean([0.5]).low is None
    assert emergence.mean([1.0, 1.0, 1.0]).high is None  # equal values claim no certainty
    with pytest.raises(ValueError, match="at least one value"):
        emergence.mean([])


def test_solved_only_with_help():
    found = emergence.solved_only_with([1, 2, 0], [1, 4, 1], [0, 1, 0], [2, 2, 1])
    np.testing.assert_allclose(found, [1.0, 0.25, 0.0])
    rng = np.random.default_rng(1)
    with_, without = rng.binomial(2, 0.6, 50_000), rng.binomial(3, 0.2, 50_000)
    found = emergence.solved_only_with(with_, np.full(50_000, 2), without, np.full(50_000, 3))
    assert found.mean() == pytest.approx(0.6 * 0.8, abs=0.01)


R = [[0.9, np.nan, np.nan], [0.5, 0.8, np.nan], [0.7, 0.9, 0.6]]
"""Success of three versions on three rounds' problems."""


def test_forgetting_golden_values():
    # Chaudhry et al. 2018, eq. 3: the best so far less now; nothing to forget of what was just learned
    np.testing.assert_allclose(emergence.forgetting(R), [0.2, -0.1, np.nan])
    assert np.isnan(emergence.forgetting(R[:1])).all()


def test_backward_transfer_golden_values():
    # Lopez-Paz and Ranzato 2017, eq. 3: R[T, j] - R[j, j]
    np.testing.assert_allclose(emergence.backward_transfer(R), [-0.2, 0.1, np.nan])


def test_what_is_retained_is_compared_on_the_same_problems():
    rows = [
        (1, 1, "p", True), (1, 1, "q", True), (1, 1, "r", True),
        (4, 1, "p", False), (4, 1, "q", True), (4, 4, "s", True), (4, 4, "t", False),
        (9, 1, "p", True), (9, 4, "s", False),
    ]  # fmt: skip
    found = emergence.retained(rows)
    # the last version answered p and s alone
    np.testing.assert_allclose(found, [[1, np.nan], [0, 1], [1, 0]])
    assert emergence.retained([]).shape == (0, 0)


def test_worst_cells_are_ranked_on_one_half_and_told_of_the_other():
    outcomes = {
        "easy": [True] * 8,
        "middle": [True, False] * 4,  # ranked 1.0, told 0.0
        "hard": [False, True] * 4,  # ranked 0.0, told 1.0
        "single": [False],
    }
    assert emergence.worst_cells(outcomes, 1 / 3) == [True] * 4
    assert emergence.worst_cells(outcomes, 2 / 3) == [True] * 8
    assert emergence.worst_cells({"single": [True]}) == []
    # cells that are alike: picked by chance, they are told without bias
    rng = np.random.default_rng(2)
    told = [
        np.mean(emergence.worst_cells({str(c): list(rng.uniform(size=12) < 0.5) for c in range(16)}))
        for _ in range(400)
    ]
    assert np.mean(told) == pytest.approx(0.5, abs=0.02)


def test_novelty_golden_values():
    # log(1 + x): the new one is 1 and 2 from its two nearest
    earlier = np.expm1([[0.0, 0.0], [2.0, 3.0], [3.0, 3.0], [9.0, 9.0]])
    assert emergence.novelty(np.expm1([[0.0, 1.0]]), earlier, k=1) == pytest.approx([1.0])
    assert emergence.novelty(np.expm1([[4.0, 3.0]]), earlier, k=2) == pytest.approx([1.5])
    with pytest.raises(ValueError, match="at least 5 earlier problems"):
        emergence.novelty([[0.0, 0.0]], earlier, k=5)


def test_the_frontier_is_where_half_is_solved():
    difficulty = [1.0, np.e, np.e**2, np.e**3]
    place = [-2.0, 0.0, 2.0, 4.0]  # two logits for a factor of e
    assert emergence.frontier(0.0, difficulty, place) == pytest.approx(np.e)
    assert emergence.frontier(3.0, difficulty, place) == pytest.approx(np.exp(2.5))
    assert emergence.frontier(0.0, [1.0, 1.0], [0.0, 1.0]) is None
    assert emergence.frontier(0.0, difficulty, place[::-1]) is None


def tried(number, problem, at, correct, *, replay=False, verdict=None) -> Attempt:
    return replace(
        example(Attempt, at, number), attempt_id=f"a{number}", problem_id=problem, domain="sums",
        correct=correct,
        verdict=verdict or ("correct" if correct else "wrong"), replay=replay,
    )  # fmt: skip


def test_annecs_counts_what_was_beyond_and_was_solved_later(tmp_path: Path):
    empty = {"attempts": 0, "revisits": 0}
    rows: list[RoundRows] = [rows_of(at, **empty) for at in range(3)]
    rows[0].attempts = [
        tried(0, "replayed", 0, False), tried(1, "replayed", 0, False),
        tried(2, "revisited", 0, False),
        tried(3, "never again", 0, False),
        tried(4, "never solved", 0, False),
        tried(5, "not beyond", 0, True), tried(6, "not beyond", 0, False),
        tried(7, "lost", 0, False, verdict="error"),
    ]  # fmt: skip
    rows[1].attempts = [
        tried(8, "replayed", 1, True, replay=True), tried(9, "never solved", 1, False, replay=True),
        tried(10, "not beyond", 1, True, replay=True), tried(11, "lost", 1, True, replay=True),
    ]  # fmt: skip
    rows[2].revisits = [
        replace(example(Revisit, 2, 0), problem_id="revisited", domain="sums", correct=True)
    ]
    with connect(write_log(tmp_path / "run", rows)) as log:
        assert emergence.annecs(log, "sums") == (2, 3)
        assert emergence.annecs(log, "other") == (0, 0)


def test_annecs_counts_a_round_that_is_not_committed_as_it_will_when_it_is(tmp_path: Path):
    empty = {"attempts": 0, "revisits": 0}
    rows: list[RoundRows] = [rows_of(at, **empty) for at in range(2)]
    rows[0].attempts = [tried(n, name, 0, False) for n, name in enumerate(["replayed", "revisited", "not"])]
    rows[1].attempts = [
        tried(3, "replayed", 1, True, replay=True),
        tried(4, "not", 1, True, replay=True, verdict="error"),
        tried(5, "new", 1, False),
        tried(6, "easy", 1, False), tried(7, "easy", 1, True),
    ]  # fmt: skip
    answer = example(Revisit, 1, 0)
    rows[1].revisits = [
        replace(answer, problem_id=name, domain="sums", correct=name == "revisited")
        for name in ("revisited", "new", "easy")
    ]
    with connect(write_log(tmp_path / "before", rows[:1])) as log:
        early = emergence.annecs(log, "sums", rows[1].attempts, rows[1].revisits)
        assert emergence.annecs(log, "other", rows[1].attempts, rows[1].revisits) == (0, 0)
    with connect(write_log(tmp_path / "after", rows)) as log:
        assert emergence.annecs(log, "sums") == early == (2, 3)
