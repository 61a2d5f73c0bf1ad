"""Statistics over seeds: golden values, other implementations, and what must hold of any data."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.statistics import (
    anchored_iqm,
    holm,
    iqm,
    iqm_interval,
    least_p,
    paired,
    paired_t_p,
    probability_of_improvement,
    sign_flip_p,
    t_interval,
)

VALUES = st.lists(st.floats(-100, 100), min_size=1, max_size=30)
SHORT = st.lists(st.integers(-20, 20), min_size=1, max_size=8)


def test_iqm_by_hand() -> None:
    assert iqm([1, 2, 3, 4, 5, 6, 7, 100]) == (3 + 4 + 5 + 6) / 4
    assert iqm([[0, 10], [4, 6]]) == 5
    assert iqm([1, 2, 3]) == 2  # a quarter of three is none
    with pytest.raises(ValueError, match="got none"):
        iqm([])


@settings(max_examples=30)
@given(VALUES)
def test_iqm_lies_within(values: list[float]) -> None:
    assert min(values) - 1e-9 <= iqm(values) <= max(values) + 1e-9
    assert iqm(values[::-1]) == pytest.approx(iqm(values))


def test_iqm_interval_against_a_loop() -> None:
    rng = np.random.default_rng(3)
    scores = rng.normal(0.5, 0.1, (6, 4)) + np.arange(4) / 10
    found = iqm_interval(scores)
    means = []
    for _ in range(4000):
        drawn = np.column_stack([column[rng.integers(6, size=6)] for column in scores.T])
        means.append(float(np.sort(drawn.ravel())[6:18].mean()))
    assert found.value == pytest.approx(np.sort(scores.ravel())[6:18].mean())
    assert found.low == pytest.approx(np.percentile(means, 2.5), abs=0.006)
    assert found.high == pytest.approx(np.percentile(means, 97.5), abs=0.006)
    assert not iqm_interval(scores[:1]).known
    assert not iqm_interval(np.tile(scores[:1], (6, 1))).known  # all draws are alike
    with pytest.raises(ValueError, match="by run and task"):
        iqm_interval(scores[0])


def test_anchored_iqm_against_the_distribution() -> None:
    # one cell, one run: the bootstrap of a share, a binomial
    answers = np.array([[1] * 30 + [0] * 70])
    found = anchored_iqm(answers, ["a"] * 100)
    assert found.value == pytest.approx(0.3)
    assert found.low == pytest.approx(stats.binom.ppf(0.025, 100, 0.3) / 100, abs=0.011)
    assert found.high == pytest.approx(stats.binom.ppf(0.975, 100, 0.3) / 100, abs=0.011)


def test_anchored_iqm_knows_that_runs_hang_together() -> None:
    """Runs that differ as a whole give a wide interval however many anchors there are."""
    cells = [f"c{i % 4}" for i in range(400)]
    apart = np.repeat([[0], [1], [0], [1]], 400, axis=1)
    found = anchored_iqm(apart, cells)
    assert found.value == pytest.approx(0.5)
    assert found.low is not None and found.low <= 0.1 and found.high is not None and found.high >= 0.9
    alike = np.tile([0, 0, 0, 0, 1, 1, 1, 1], (4, 50))
    tight = anchored_iqm(alike, cells)
    assert tight.value == pytest.approx(0.5)
    assert tight.low is not None and tight.high is not None and tight.high - tight.low < 0.15
    assert anchored_iqm(alike, cells) == tight  # the same whenever it is asked
    assert not anchored_iqm(np.zeros((4, 400)), cells).known
    with pytest.raises(ValueError, match="a cell an anchor"):
        anchored_iqm(alike, cells[1:])


def test_anchored_iqm_against_a_loop() -> None:
    rng = np.random.default_rng(1)
    cells = ["a"] * 12 + ["b"] * 12 + ["c"] * 12 + ["d"] * 12
    easy = np.repeat([0.9, 0.7, 0.4, 0.1], 12)
    answers = (rng.random((5, 48)) < easy * rng.uniform(0.7, 1, (5, 1))).astype(int)
    means = []
    for _ in range(4000):
        runs = rng.integers(5, size=5)
        shares = [answers[runs][:, 12 * c + rng.integers(12, size=12)].mean(axis=1) for c in range(4)]
        means.append(float(np.sort(np.ravel(shares))[5:15].mean()))
    found = anchored_iqm(answers, cells)
    assert found.low == pytest.approx(np.percentile(means, 2.5), abs=0.015)
    assert found.high == pytest.approx(np.percentile(means, 97.5), abs=0.015)


def test_anchors_that_several_policies_answer_are_drawn_once() -> None:
    """A second policy that answers as the first does tells nothing more."""
    answers = (np.random.default_rng(2).random((3, 20)) < 0.5).astype(int)
    cells, anchors = ["x"] * 20, [f"n{i:02}" for i in range(20)]
    one = anchored_iqm(answers, cells, anchors)
    assert one == anchored_iqm(answers, cells)
    both = np.hstack([answers, answers[:, ::-1]])
    again = anchored_iqm(both, [*cells, *(["y"] * 20)], [*anchors, *anchors[::-1]])
    assert again.low is not None and again.high is not None and one.low is not None and one.high is not None
    assert again.high - again.low == pytest.approx(one.high - one.low, rel=0.15)
    apart = anchored_iqm(both, [*cells, *(["y"] * 20)])
    assert apart.low is not None and apart.high is not None
    assert apart.high - apart.low < 0.9 * (again.high - again.low)
    with pytest.raises(ValueError, match="a cell an anchor"):
        anchored_iqm(answers, cells, anchors[1:])


def test_t_interval_against_scipy() -> None:
    x = [0.12, 0.3, -0.05, 0.22, 0.18]
    expected = stats.ttest_1samp(x, 0).confidence_interval(0.95)
    found = t_interval(x)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert t_interval([*x, math.nan]) == found
    assert t_interval([2.0]).value == 2.0 and not t_interval([2.0]).known
    assert math.isnan(t_interval([]).value)


def test_sign_flip_golden() -> None:
    # Darwin's 15 pairs of maize (The Effects of Cross and Self Fertilisation, 1876), eighths of an inch:
    # Fisher (The Design of Experiments, section 21) counts 863 of 32,768 sign patterns in one tail
    maize = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    assert sum(maize) == 314
    assert sign_flip_p(maize) == pytest.approx(2 * 863 / 2**15)
    assert paired_t_p(maize) == pytest.approx(0.0497, abs=1e-4)


@settings(max_examples=30)
@given(SHORT)
def test_sign_flip_is_the_count(differences: list[int]) -> None:
    total = abs(sum(differences))
    signs = itertools.product((1, -1), repeat=len(differences))
    sums = [abs(sum(s * d for s, d in zip(sign, differences, strict=True))) for sign in signs]
    expected = sum(s >= total for s in sums) / len(sums)
    found = sign_flip_p(differences)
    assert found == pytest.approx(expected)
    assert found >= least_p(len(differences)) - 1e-12


def test_sign_flip_edges() -> None:
    assert math.isnan(sign_flip_p([]))
    assert sign_flip_p([3.0]) == 1.0
    assert sign_flip_p([0.0, 0.0]) == 1.0
    assert sign_flip_p([1, 2, 3, 4, 5]) == least_p(5) == 0.0625
    assert 0 < sign_flip_p(np.full(20, 0.1)) < 1e-3


def test_paired_t_against_scipy() -> None:
    a, b = np.array([3.0, 4.1, 5.2, 2.2]), np.array([2.5, 4.3, 4.0, 1.9])
    assert paired_t_p(a - b) == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert paired_t_p([0.0, 0.0]) == 1.0
    assert math.isnan(paired_t_p([0.5, 0.5]))
    assert not t_interval([0.5, 0.5]).known
    assert math.isnan(paired_t_p([0.5]))
    found = paired({1: 3.0, 2: 4.1, 3: 5.2, 9: 0.0}, {1: 2.5, 2: 4.3, 3: 4.0, 4: 7.0})
    assert found.pairs == 3
    assert found.difference.value == pytest.approx((0.5 - 0.2 + 1.2) / 3)


@settings(max_examples=20)
@given(SHORT, SHORT)
def test_improvement_is_mann_and_whitneys_u(ours: list[int], theirs: list[int]) -> None:
    found = probability_of_improvement(ours, theirs)
    u = stats.mannwhitneyu(ours, theirs).statistic
    assert found.value == pytest.approx(u / (len(ours) * len(theirs)))
    if found.low is not None and found.high is not None:
        assert 0 <= found.low <= found.high <= 1


def test_improvement_by_hand() -> None:
    found = probability_of_improvement([1, 2, 3], [0, 2])
    assert found.value == pytest.approx((1 + 1.5 + 2) / 6)
    assert not probability_of_improvement([1], [0, 2]).known
    apart = probability_of_improvement([4, 5, 6, 7, 8], [1, 2, 3])
    assert (apart.value, apart.low, apart.high) == (1.0, None, None)  # all draws are alike
    assert probability_of_improvement([2, 2], [2, 2]).value == 0.5
    assert not probability_of_improvement([2, 2], [2, 2]).known
    with pytest.raises(ValueError, match="both sides"):
        probability_of_improvement([], [1])


def test_holm_golden() -> None:
    # by hand: 0.01 x 4, 0.03 x 3, 0.04 x 2 = 0.08 raised to 0.09, and 0.05 raised to it as well
    assert holm([0.04, 0.01, 0.05, 0.03]) == pytest.approx([0.09, 0.04, 0.09, 0.09])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    found = holm([math.nan, 0.02])
    assert math.isnan(found[0]) and found[1] == pytest.approx(0.02)
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_holds(p_values: list[float]) -> None:
    found = holm(p_values)
    for p, q in zip(p_values, found, strict=True):
        assert p - 1e-12 <= q <= min(1.0, p * len(p_values)) + 1e-12  # as Bonferroni at the most
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    assert all(found[a] <= found[b] + 1e-12 for a, b in itertools.pairwise(order))
