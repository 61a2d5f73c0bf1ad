from __future__ import annotations

import math

import girth
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from curricula.irt import (
    Posterior,
    eap,
    information,
    log_likelihoods,
    mean_squares,
    mle,
    probability,
    standard_error,
)


def test_golden_values():
    assert probability(1.0, 1.0) == 0.5
    assert probability(2.0, 1.0, 2.0) == pytest.approx(1 / (1 + math.exp(-2)))
    # Lord 1980: information is greatest where ability and difficulty meet, and there a^2 / 4
    assert information(0.0, 0.0, 1.7) == pytest.approx(1.7**2 / 4)
    # 25 items at the ability: 1 / sqrt(25 / 4)
    assert standard_error(information(np.zeros(25), 0.0)) == pytest.approx(0.4)
    assert standard_error([]) == math.inf


def test_nothing_overflows():
    yes, no = log_likelihoods([-800.0, 800.0], 0.0)
    np.testing.assert_allclose(yes, [-800, 0])
    np.testing.assert_allclose(no, [0, -800])


@given(st.lists(st.tuples(st.booleans(), st.floats(-4, 4), st.floats(0.3, 3)), min_size=2, max_size=30))
def test_maximum_likelihood_is_where_the_score_is_zero(answers):
    x, b, a = (np.array(v, float) for v in zip(*answers, strict=True))
    found = mle(x, b, a)
    assert found.right == x.sum() and found.answers == len(x)
    if 0 < x.sum() < len(x):
        assert found.value is not None and found.standard_error is not None
        p = probability(found.value, b, a)
        assert (a * (x - p)).sum() == pytest.approx(0, abs=1e-6)
        assert found.standard_error == pytest.approx(1 / math.sqrt((a**2 * p * (1 - p)).sum()))
        assert found.bound is None
    else:
        assert found.value is None and found.standard_error is None
        assert found.bound == ("above" if x.all() else "below")


def test_all_right_and_all_wrong_have_a_bound_and_no_value():
    # one item of difficulty 0: the pattern is rejected at 5% where P = 0.05, one logit(0.05) from it
    one = mle([1], [0.0])
    assert (one.value, one.high) == (None, None)
    assert one.low == pytest.approx(math.log(0.05 / 0.95))
    none = mle([0], [2.0])
    assert none.high == pytest.approx(2 - math.log(0.05 / 0.95)) and none.low is None
    # many easy items say more: the chance of all right at the bound is 5%
    b = np.linspace(-3, 0, 40)
    bound = mle(np.ones(40), b).low
    assert bound is not None
    assert np.prod(probability(bound, b)) == pytest.approx(0.05)


def test_expectation_a_posteriori_is_finite_and_says_its_prior():
    right = eap(np.ones(5), np.zeros(5), mean=0.0, deviation=2.0)
    wrong = eap(np.zeros(5), np.zeros(5), mean=0.0, deviation=2.0)
    assert right.value == pytest.approx(-wrong.value) and 0 < right.value < 4
    assert right.bound == "above" and wrong.bound == "below"
    assert Posterior(1.0, 2.0).ability().value == pytest.approx(1.0)
    assert Posterior(1.0, 2.0).ability().standard_error == pytest.approx(2.0, rel=1e-3)


def test_the_posterior_agrees_with_integration():
    x, b, a = np.array([1, 1, 0, 1, 0]), np.array([-1.0, 0.5, 0.7, 1.0, 2.0]), np.array([1, 2, 0.5, 1, 1.5])

    def density(theta):
        p = 1 / (1 + np.exp(-a * (theta - b)))
        return float(np.prod(np.where(x, p, 1 - p)) * stats.norm.pdf(theta, 0.3, 1.5))

    total, first, second = (
        integrate.quad(lambda t, k=k: t**k * density(t), -12, 12, epsabs=1e-13)[0] for k in range(3)
    )
    found = eap(x, b, a, mean=0.3, deviation=1.5)
    assert found.value == pytest.approx(first / total, abs=1e-6)
    assert found.standard_error == pytest.approx(math.sqrt(second / total - (first / total) ** 2), abs=1e-6)
    below = integrate.quad(density, -12, found.low, epsabs=1e-13)[0] / total
    assert below == pytest.approx(0.025, abs=6e-4)


def test_answers_one_by_one_are_answers_at_once():
    one, all_ = Posterior(0.0, 1.0), Posterior(0.0, 1.0)
    x, b = [1, 0, 1], [0.0, 1.0, -1.0]
    for right, place in zip(x, b, strict=True):
        one.update([right], [place])
    all_.update(x, b)
    np.testing.assert_allclose(one.weights, all_.weights)
    np.testing.assert_allclose(
        one.success([0.2, 5.0]),
        [(one.weights * probability(one.grid, d)).sum() for d in (0.2, 5.0)],
    )


def test_abilities_agree_with_girth():
    rng = np.random.default_rng(3)
    b, a = rng.normal(0, 1.2, 40), rng.uniform(0.6, 1.8, 40)
    theta = rng.normal(0, 1, 60)
    x = (rng.uniform(size=(40, 60)) < probability(theta, b[:, None], a[:, None])).astype(int)
    theirs = girth.ability_eap(x, b, a)
    ours = [eap(column, b, a, mean=0.0, deviation=1.0).value for column in x.T]
    np.testing.assert_allclose(ours, theirs, atol=2e-3)
    mixed = [c for c in range(60) if 0 < x[:, c].sum() < 40]
    theirs = girth.ability_mle(x[:, mixed], b, a)
    np.testing.assert_allclose([mle(x[:, c], b, a).value for c in mixed], theirs, atol=2e-3)


def test_intervals_hold_as_often_as_they_say():
    rng = np.random.default_rng(5)
    b = rng.normal(0, 1.5, 60)
    theta = rng.normal(0, 1, 400)
    inside = {"mle": 0, "eap": 0}
    for t in theta:
        x = rng.uniform(size=60) < probability(t, b)
        for name, found in (("mle", mle(x, b)), ("eap", eap(x, b, mean=0.0, deviation=1.0))):
            inside[name] += found.low < t < found.high
    for name, k in inside.items():
        assert stats.binomtest(k, len(theta), 0.95).pvalue > 1e-3, (name, k)


def test_mean_squares_golden_values():
    # by hand: squares 0.04, 0.64, 0.25; variances 0.16, 0.16, 0.25
    infit, outfit = mean_squares([1, 0, 1], [0.8, 0.8, 0.5])
    assert infit == pytest.approx(0.93 / 0.57)
    assert outfit == pytest.approx((0.25 + 4.0 + 1.0) / 3)
    infit, outfit = mean_squares([[1, np.nan], [0, np.nan]], [[0.5, 0.5], [0.5, 0.5]], axis=0)
    np.testing.assert_allclose(infit, [1, np.nan])
    np.testing.assert_allclose(outfit, [1, np.nan])


def test_what_is_refused():
    with pytest.raises(ValueError, match="at least one answer"):
        mle([], [])
    with pytest.raises(ValueError, match="right \\(1\\) or wrong"):
        eap([0.5], [0.0], mean=0, deviation=1)
    with pytest.raises(ValueError, match="discriminations above 0"):
        mle([1, 0], [0.0, 0.0], [1.0, -1.0])
    with pytest.raises(ValueError, match="above 0 logits"):
        Posterior(0.0, 0.0)
