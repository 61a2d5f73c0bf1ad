"""Tests of differences with clustered errors; ``clustered_difference`` has its own with the arms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from culture.clustered import interval, matched_difference
from culture.seeds import generator

# Strata of clusters A, A, B; the fourth lacks controls. Gaps 1 - 1/2, 1/2 - 0, 0 - 1; weights 1, 1, 1/2.
GOLDEN = (["A", "A", "B", "C"], [2, 2, 1, 3], [2, 1, 0, 3], [2, 2, 1, 0], [1, 0, 1, 0])


def test_golden_values() -> None:
    difference, error, clusters = matched_difference(*GOLDEN)
    # b = (1/2 + 1/2 - 1/2) / (5/2) = 1/5; influences (0.3 + 0.3) / 2.5 and -0.6 / 2.5
    assert difference == pytest.approx(0.2)
    assert error == pytest.approx((2 * (0.24**2 + 0.24**2)) ** 0.5)
    assert clusters == 2


@st.composite
def tables(draw: st.DrawFn) -> np.ndarray:
    rows = draw(st.lists(st.tuples(st.integers(0, 3), *[st.integers(0, 4)] * 4), min_size=2, max_size=8))
    table = np.array([(g, a + b, a, c + d, c) for g, a, b, c, d in rows])
    table[0, 1:4] = (table[0, 1] + 1, table[0, 2], table[0, 3] + 1)
    return table


def _arms(table: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Attempts and right ones of either arm, in the strata that have both."""
    _, n1, s1, n0, s0 = table[(table[:, 1] > 0) & (table[:, 3] > 0)].T
    return [(n1, s1), (n0, s0)]


@given(tables())
def test_it_is_a_regression_with_an_indicator_of_every_stratum(table: np.ndarray) -> None:
    x, y, cluster = [], [], []
    for stratum, (g, n1, s1, n0, s0) in enumerate(table):
        for n, s, arm in ((n1, s1, 1.0), (n0, s0, 0.0)):
            x += [[arm, *np.eye(len(table))[stratum]]] * n
            y += [1.0] * s + [0.0] * (n - s)
            cluster += [g] * n
    design, outcome, groups = np.array(x), np.array(y), np.array(cluster)
    beta = np.linalg.lstsq(design, outcome, rcond=None)[0]
    difference, error, clusters = matched_difference(*table.T)
    assert difference == pytest.approx(beta[0], abs=1e-9)
    residual = outcome - design @ beta
    bread = np.linalg.pinv(design.T @ design)
    scores = [design[groups == g].T @ residual[groups == g] for g in np.unique(groups)]
    variance = (bread @ sum(np.outer(s, s) for s in scores) @ bread)[0, 0]
    alike = sum(0 in (s.sum(), (n - s).sum()) for n, s in _arms(table))
    if clusters > 1 and alike < 2:
        p = 1 / (clusters + 2)
        more = alike * p * (1 - p) / (clusters + 2)
        assert (error or 0.0) == pytest.approx(
            np.sqrt(variance * clusters / (clusters - 1) + more), abs=1e-6
        )
    else:
        assert error is None


def test_what_differs_between_strata_is_no_effect() -> None:
    """Readers come late, when solvers are better; pooled shares would call that an effect."""
    rng = generator(0, "strata")
    ability = np.repeat([0.2, 0.8], 200)
    n1, n0 = rng.integers(1, 3, 400) + 3 * (ability > 0.5), rng.integers(1, 3, 400) + 3 * (ability < 0.5)
    s1, s0 = rng.binomial(n1, ability), rng.binomial(n0, ability)
    difference, error, _ = matched_difference(np.arange(400), n1, s1, n0, s0)
    assert error is not None and abs(difference) < 3 * error < 0.15
    assert s1.sum() / n1.sum() - s0.sum() / n0.sum() > 0.2


def test_intervals_cover_as_often_as_they_say() -> None:
    truth, covered, runs = 0.1, 0, 600
    rng = generator(0, "coverage")
    for _ in range(runs):
        level, gain = rng.uniform(0.1, 0.6, 40), rng.choice([-0.1, 0.3], 40)
        n1, n0 = np.full(40, 3), np.full(40, 4)
        s1, s0 = rng.binomial(n1, level + gain), rng.binomial(n0, level)
        difference, error, clusters = matched_difference(np.arange(40), n1, s1, n0, s0)
        assert error is not None
        low, high = interval(difference, error, clusters, 0.95)
        covered += low <= truth <= high
    assert 0.925 < covered / runs < 0.975


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(ValueError, match="both arms, got none"):
        matched_difference(["A", "B"], [2, 0], [1, 0], [0, 3], [0, 2])
    assert matched_difference(["A"], [2], [1], [2], [0]) == (0.5, None, 1)


def test_an_arm_whose_answers_are_all_alike_claims_no_certainty() -> None:
    """By hand: V = 40/39 (39 / 1600^2 + (39/40)^2 / 1600) = 1/1600, and 41/42^3 more for the arm."""
    few = (np.arange(40), np.ones(40), np.zeros(40), np.ones(40), np.arange(40) < 1)
    error = pytest.approx((1 / 1600 + 41 / 42**3) ** 0.5)
    assert matched_difference(*few) == (pytest.approx(-1 / 40), error, 40)
    clusters, n1, s1, n0, s0 = few
    assert matched_difference(clusters, n0, s0, n1, s1) == (pytest.approx(1 / 40), error, 40)
    assert matched_difference(clusters, n1, s1, n0, n0) == (-1.0, None, 40)


def test_a_harm_without_exception_is_told() -> None:
    """Readers got nothing right where others got half: that is no reason to know less of it."""
    difference, error, clusters = matched_difference(np.arange(20), [2] * 20, [0] * 20, [2] * 20, [1] * 20)
    assert error is not None
    assert interval(difference, error, clusters, 0.95)[1] < -0.3
