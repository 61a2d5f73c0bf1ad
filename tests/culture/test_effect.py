from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from culture import connect
from culture.clustered import clustered_difference
from culture.effect import culture_effect, dose_response
from culture.records import RoundRows
from culture.seeds import generator
from tests.analysis.log import attempt, read, write_log

# Problem A: library 2 of 2, none 1 of 2. B: library 1 of 2, none 0 of 2. C: library 0 of 1.
# p1 = 3/5, p0 = 1/4; u_A = 0.035, u_B = 0.085, u_C = -0.12, whose squares sum to 0.02285.
GOLDEN = ([2, 2, 1], [2, 1, 0], [2, 2, 0], [1, 0, 0])
GOLDEN_ERROR = (0.02285 * 3 / 2 * 8 / 7) ** 0.5
T_2 = 4.302652729911275
"""The 97.5% quantile of Student's t with 2 degrees of freedom, from tables."""


def test_golden_values() -> None:
    difference, error = clustered_difference(*GOLDEN)
    assert difference == pytest.approx(0.35, abs=1e-12)
    assert error == pytest.approx(GOLDEN_ERROR, abs=1e-12)
    assert error == pytest.approx(0.197918, abs=1e-6)


@st.composite
def tables(draw: st.DrawFn) -> np.ndarray:
    rows = draw(st.lists(st.tuples(*[st.integers(0, 5)] * 4), min_size=2, max_size=12))
    table = np.array([(a + b, a, c + d, c) for a, b, c, d in rows])
    if not table[:, 0].sum():
        table[0, 0] = 1
    if not table[:, 2].sum():
        table[-1, 2] = 2
    return table


@given(tables())
def test_it_is_the_sandwich_of_a_regression(table: np.ndarray) -> None:
    x, y, cluster = [], [], []
    for g, (n1, s1, n0, s0) in enumerate(table):
        for n, s, arm in ((n1, s1, 1.0), (n0, s0, 0.0)):
            x += [(1.0, arm)] * n
            y += [1.0] * s + [0.0] * (n - s)
            cluster += [g] * n
    design, outcome, groups = np.array(x), np.array(y), np.array(cluster)
    beta = np.linalg.solve(design.T @ design, design.T @ outcome)
    residual = outcome - design @ beta
    bread = np.linalg.inv(design.T @ design)
    scores = [design[groups == g].T @ residual[groups == g] for g in range(len(table))]
    meat = sum((np.outer(s, s) for s in scores), np.zeros((2, 2)))
    clusters, n = len(table), len(outcome)
    difference, error = clustered_difference(*table.T)
    assert difference == pytest.approx(beta[1], abs=1e-9)
    if n < 3 or table[:, 1].sum() in (0, table[:, 0].sum()) or table[:, 3].sum() in (0, table[:, 2].sum()):
        assert error is None
        return
    variance = (bread @ meat @ bread)[1, 1] * clusters / (clusters - 1) * (n - 1) / (n - 2)
    assert (error or 0.0) == pytest.approx(np.sqrt(max(variance, 0.0)), abs=1e-7)


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Problems differ in level and in how much the library helps them, which errors by attempt miss."""
    truth, covered, naive, runs = 0.1, 0, 0, 600
    rng = generator(0, "coverage")
    for _ in range(runs):
        level, gain = rng.uniform(0.1, 0.6, 80), rng.choice([-0.1, 0.3], 80)
        n1, n0 = rng.integers(0, 13, 80), rng.integers(0, 13, 80)
        s1, s0 = rng.binomial(n1, level + gain), rng.binomial(n0, level)
        difference, error = clustered_difference(n1, s1, n0, s0)
        assert error is not None
        covered += abs(difference - truth) <= 1.99045 * error  # t with 79 degrees of freedom
        p1, p0 = s1.sum() / n1.sum(), s0.sum() / n0.sum()
        simple = np.sqrt(p1 * (1 - p1) / n1.sum() + p0 * (1 - p0) / n0.sum())
        naive += abs(difference - truth) <= 1.96 * simple
    assert 0.925 < covered / runs < 0.975
    assert naive / runs < 0.91


def test_from_a_log(tmp_path: Path) -> None:
    arms = [("A", "library", 1), ("A", "library", 1), ("A", "none", 1), ("A", "none", 0),
            ("B", "library", 1), ("B", "library", 0), ("B", "none", 0), ("B", "none", 0),
            ("C", "library", 0)]  # fmt: skip
    attempts = [attempt(i, p, arm, bool(right)) for i, (p, arm, right) in enumerate(arms)]  # type: ignore[arg-type]
    lost = attempt(90, "A", "none", False)
    object.__setattr__(lost, "verdict", "error")
    other = [attempt(i, "D", "placebo", i % 2 == 0, at=1, domain="other") for i in range(100, 104)]
    rows = [
        RoundRows(attempts=[*attempts, lost], reads=[read("a0", 0), read("a0", 1), read("a4", 0)]),
        RoundRows(attempts=other),
    ]
    with connect(write_log(tmp_path / "run", rows)) as log:
        (found,) = culture_effect(log, domain="sums")
        assert (found.treatment, found.control) == ("library", "none")
        assert (found.treated, found.controls, found.problems) == (5, 4, 3)
        assert found.difference == pytest.approx(0.35)
        assert found.standard_error == pytest.approx(GOLDEN_ERROR)
        assert found.low == pytest.approx(0.35 - T_2 * GOLDEN_ERROR)
        assert found.high == pytest.approx(0.35 + T_2 * GOLDEN_ERROR)
        # two of five read something, one of them two notes
        assert found.read_share == pytest.approx(0.4)
        everywhere = {(e.treatment, e.control): e for e in culture_effect(log)}
        assert set(everywhere) == {("library", "none"), ("library", "placebo"), ("placebo", "none")}
        assert everywhere["library", "placebo"].problems == 4
        assert culture_effect(log, rounds=range(1, 2)) == []
        assert culture_effect(log, rounds=range(1)) == culture_effect(log, domain="sums")
        with pytest.raises(ValueError, match=r"write range\(first, last \+ 1\)"):
            culture_effect(log, rounds=range(0, 4, 2))


@pytest.mark.parametrize(
    "counts", [([4], [2], [4], [1]), ([1, 0], [1, 0], [0, 1], [0, 0]), ([3, 2], [0, 0], [1, 4], [0, 0])]
)
def test_no_error_is_claimed_where_none_can_be_estimated(counts: tuple[list[int], ...]) -> None:
    assert clustered_difference(*counts)[1] is None  # type: ignore[arg-type]


def test_an_arm_whose_answers_are_all_alike_claims_no_certainty() -> None:
    """0 of 30 against 1 of 161, by Newcombe's method about -3.4 to 10.7 points; V alone has it at 1.2."""
    none, one = ([1] * 30 + [0] * 161, [0] * 191), ([0] * 30 + [1] * 161, [0] * 190 + [1])
    for counts in ((*none, *one), (*one, *none)):
        difference, error = clustered_difference(*counts)
        assert abs(difference) == pytest.approx(1 / 161) and error is None
    assert clustered_difference([2, 2], [2, 2], [2, 2], [1, 0])[1] is None
    assert clustered_difference([2, 2], [0, 1], [2, 2], [1, 0])[1] is not None


def test_doses(tmp_path: Path) -> None:
    """Dose 1 solves one of two, dose 2 both, no notes one of four; the placebo's dose is another matter."""
    given = [("none", 0, 1), ("none", 0, 0), ("none", 0, 0), ("none", 0, 0), ("library", 1, 1),
             ("library", 1, 0), ("library", 2, 1), ("library", 2, 1), ("placebo", 2, 0)]  # fmt: skip
    attempts = [
        replace(attempt(i, "AB"[i % 2], arm, bool(right)), dose=dose)  # type: ignore[arg-type]
        for i, (arm, dose, right) in enumerate(given)
    ]
    reads = [
        replace(read(f"a{i}", rank), tokens=10) for i, n in ((4, 1), (6, 2), (7, 2)) for rank in range(n)
    ]
    with connect(write_log(tmp_path / "run", [RoundRows(attempts=attempts, reads=reads)])) as log:
        one, two = dose_response(log)
        (placebo,) = dose_response(log, treatment="placebo")
        with pytest.raises(ValueError, match="expected an arm that reads, got none"):
            dose_response(log, treatment="none")
    assert (one.dose, one.tokens, one.effect.difference, one.effect.treated) == (1, 5.0, 0.25, 2)
    assert (two.dose, two.tokens, two.effect.difference, two.effect.controls) == (2, 20.0, 0.75, 4)
    assert (one.effect.read_share, two.effect.read_share) == (0.5, 1.0)
    assert (placebo.dose, placebo.effect.difference) == (2, -0.25)
