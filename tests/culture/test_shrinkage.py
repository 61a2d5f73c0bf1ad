"""Estimates are drawn towards their common mean by how little is known of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from culture.seeds import generator
from culture.shrinkage import shrink


def test_against_hand_worked_values() -> None:
    # weights 1/0.01; fixed mean 0.1; Q = 8, scale = 200 - 100 = 100; tau^2 = (8 - 1) / 100 = 0.07
    drawn = shrink([-0.1, 0.3], [0.1, 0.1])
    kept = 0.07 / 0.08
    assert drawn.mean == pytest.approx(0.1)
    assert drawn.means == pytest.approx([0.1 - kept * 0.2, 0.1 + kept * 0.2])
    assert drawn.deviations == pytest.approx([(kept * 0.01) ** 0.5] * 2)


def test_where_nothing_scatters_more_than_chance_all_are_the_mean() -> None:
    assert shrink([0.1, 0.12], [0.1, 0.1]).means == pytest.approx([0.11, 0.11])
    assert shrink([0.4], [0.1]).means == pytest.approx([0.4]) and shrink([0.4], [0.1]).deviations == [0.0]
    with pytest.raises(ValueError, match="expected an estimate"):
        shrink([], [])


def test_shrunken_estimates_are_nearer_the_truth() -> None:
    rng = generator(0, "shrinking")
    raw = drawn = 0.0
    for _ in range(50):
        truth, errors = rng.normal(0.05, 0.1, 30), rng.uniform(0.05, 0.3, 30)
        seen = rng.normal(truth, errors)
        means = shrink(list(seen), list(errors)).means
        raw += ((seen - truth) ** 2).sum()
        drawn += ((np.array(means) - truth) ** 2).sum()
    assert drawn < 0.5 * raw


@given(
    st.lists(st.tuples(st.floats(-100, 100), st.floats(0.1, 50)), min_size=1, max_size=20),
    st.floats(-100, 100),
)
def test_each_lies_between_its_estimate_and_the_mean_and_all_move_with_the_scale(
    given_: list[tuple[float, float]], shift: float
) -> None:
    estimates, errors = [w for w, _ in given_], [e for _, e in given_]
    drawn = shrink(estimates, errors)
    for seen, mean, error, deviation in zip(estimates, drawn.means, errors, drawn.deviations, strict=True):
        low, high = sorted((seen, drawn.mean))
        assert low - 1e-6 <= mean <= high + 1e-6 and 0 <= deviation <= error + 1e-9
    moved = shrink([w + shift for w in estimates], errors)
    assert moved.means == pytest.approx([m + shift for m in drawn.means], abs=1e-5)
