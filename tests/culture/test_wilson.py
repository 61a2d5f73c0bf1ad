"""The interval of a share, against a published table and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from culture.wilson import clustered_wilson, wilson


def test_wilson() -> None:
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3: 81 of 263
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    for n in (1, 7, 100, 12_345):
        for k in {0, 1, n // 3, n - 1, n}:
            expected = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
            assert wilson(k, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_attempts_that_hang_together_are_fewer() -> None:
    # three problems, 4, 0 and 2 of 4 right: deff = 3/2 (4 + 4 + 0)/12 / 0.25 = 4
    assert clustered_wilson(6, 12, 3, 8.0) == pytest.approx(wilson(1.5, 3))
    # alike in all of them: no narrower than twelve by themselves
    assert clustered_wilson(6, 12, 3, 0.0) == wilson(6, 12)
    # all or none right, or one problem: as many as problems
    assert clustered_wilson(12, 12, 3, 0.0) == wilson(3, 3)
    assert clustered_wilson(0, 12, 3, 0.0) == wilson(0, 3)
    assert clustered_wilson(6, 12, 1, 0.0) == wilson(0.5, 1)


def test_the_interval_covers_the_share_of_problems_to_come() -> None:
    rng = np.random.default_rng(5)
    covered = {"clustered": 0, "independent": 0}
    for _ in range(400):
        right = rng.binomial(4, rng.beta(0.3, 0.3, 64))
        k, n = int(right.sum()), 256
        scatter = float(((right - 4 * k / n) ** 2).sum())
        for name, (low, high) in (
            ("clustered", clustered_wilson(k, n, 64, scatter)), ("independent", wilson(k, n)),
        ):  # fmt: skip
            covered[name] += low <= 0.5 <= high
    assert covered["clustered"] / 400 > 0.92 and covered["independent"] / 400 < 0.85
