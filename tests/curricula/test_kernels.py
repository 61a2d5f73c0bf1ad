import numpy as np
import pytest

from curricula import kernels
from curricula.kernels import (
    change,
    gap,
    information,
    l1_value_loss,
    learnability,
    max_monte_carlo,
    one_sided,
    parabola,
    positive_value_loss,
    reweighted,
    share,
    triangle,
    uncertainty,
    variance_bell,
)

P = np.array([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])


@pytest.mark.parametrize(
    ("kernel", "golden"),
    [
        (one_sided, [0, 0.9, 0.75, 0.5, 0.25, 0]),
        (triangle, [0, 0.2, 0.5, 1, 0.5, 0]),
        (parabola, [0, 0.36, 0.75, 1, 0.75, 0]),
        (uncertainty, [0, 0.1, 0.25, 0.5, 0.25, 0]),
        (variance_bell, np.exp([-3.125, -1.28, -0.1953125, 0, -0.1953125, -3.125])),
    ],
)  # fmt: skip
def test_golden_values(kernel, golden):
    np.testing.assert_allclose(kernel(P), golden, atol=1e-15)
    assert np.isnan(kernel(np.array([np.nan]))).all()


def test_share_is_unknown_below_the_least_attempts():
    k, n = np.array([0.0, 1, 1, 3]), np.array([0.0, 1, 2, 4])
    np.testing.assert_equal(share(k, n), [np.nan, np.nan, 0.5, 0.75])
    np.testing.assert_equal(share(k, n, least=1), [np.nan, 1.0, 0.5, 0.75])


def test_with_binary_rewards_many_signals_are_one():
    """The table's claim, from the definitions: V = p, A = reward - p, over the two outcomes."""
    k, n = np.arange(9.0), np.full(9, 8.0)
    p, bessel = k / n, n / (n - 1)
    variance = p * (1 - p) ** 2 + (1 - p) * p**2  # the mean of A²
    pvl = p * np.maximum(1 - p, 0) + (1 - p) * np.maximum(0 - p, 0)
    l1 = p * np.abs(1 - p) + (1 - p) * np.abs(0 - p)
    np.testing.assert_allclose(learnability(k, n), bessel * variance)
    np.testing.assert_allclose(positive_value_loss(k, n), bessel * pvl)
    np.testing.assert_allclose(l1_value_loss(k, n), bessel * l1)
    np.testing.assert_allclose(information(1.0, p), variance)
    np.testing.assert_allclose(parabola(p), 4 * variance)
    np.testing.assert_allclose(triangle(p), 2 * uncertainty(p))
    ever = np.ones(9)
    np.testing.assert_allclose(max_monte_carlo(p, ever)[1:], one_sided(p)[1:])
    assert max_monte_carlo(p, ever)[0] == 1 and one_sided(p)[0] == 0  # forgotten
    assert max_monte_carlo(np.zeros(1), np.zeros(1)) == [0]  # never solved


def test_reweighting_is_steep_where_success_is_rare():
    np.testing.assert_allclose(
        reweighted(np.array([0.0, 0.1, 0.5, 0.9, 1.0]), 0.1), [0, 0.5, 0.9, 0.9 * 0.9 / 0.82, 1]
    )
    np.testing.assert_allclose(reweighted(P, 0.5), P)
    low, high = change(np.array([0.2, 0.9]), np.array([0.1, 0.8]), 0.1)
    assert low == pytest.approx(0.18 / 0.26 - 0.5) and low > 4 * high
    assert change(np.array([0.1]), np.array([0.2]), 0.1) == pytest.approx([low])


def test_gap_is_unknown_where_one_side_is_missing():
    best, mean = np.array([1.0, 0.0, 1.0, np.nan, 1.0]), np.array([0.25, 0.5, 1.0, 0.5, np.nan])
    np.testing.assert_equal(gap(best, mean), [0.75, 0, 0, np.nan, np.nan])


def test_information_grows_with_discrimination():
    assert information(2.0, np.array([0.5])).tolist() == [1.0]
    assert information(3.0, np.array([0.1])) == pytest.approx([0.81])


def test_every_kernel_says_where_it_is_from():
    sources = ("arXiv", "Lord 1980")
    plain = {"share", "triangle", "parabola", "change"}
    for name in set(dir(kernels)) - plain:
        function = getattr(kernels, name)
        if callable(function) and getattr(function, "__module__", "") == "curricula.kernels":
            assert any(s in function.__doc__ for s in sources), name
