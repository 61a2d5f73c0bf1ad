"""Role-conditioned advantages: against a moving average worked by hand, which is remembered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.learning.objectives import Rewards, objective

RAE = objective("rae")


def advantages(
    values: list[float], tasks: list[str], memory: dict[str, float], decay: float = 0.5
) -> list[float]:
    groups = [f"g{i}" for i in range(len(values))]
    found: list[float] = RAE.advantages(Rewards(np.array(values), groups, tasks, memory, decay)).tolist()
    return found


def test_by_hand() -> None:
    memory: dict[str, float] = {}
    # α = 1/2. Task x: b is 0, then 1/2 · 0 + 1/2 · 1 = 0.5, then 0.25, then 1.125;
    # task y: b is 0, then −2, and x's rewards do not move it
    values, tasks = [1.0, -4.0, 0.0, 2.0, -4.0], ["x", "y", "x", "x", "y"]
    assert advantages(values, tasks, memory) == [1.0 - 0, -4.0 - 0, 0.0 - 0.5, 2.0 - 0.25, -4.0 + 2.0]
    assert memory == {"x": 1.125, "y": -3.0}
    # the next round begins where this one ended
    assert advantages([1.125, 1.125], ["x", "x"], memory) == [0.0, 0.0]
    assert memory["x"] == 1.125


def test_the_decay_is_the_share_that_stays() -> None:
    memory = {"x": 1.0}
    assert advantages([0.0, 0.0], ["x", "x"], memory, 0.95) == pytest.approx([-1.0, -0.95])
    assert memory["x"] == pytest.approx(0.9025)


@given(
    st.lists(st.tuples(st.sampled_from("xyz"), st.floats(-3, 3)), max_size=30),
    st.integers(0, 30),
    st.floats(0, 0.99),
)
def test_rounds_that_are_cut_elsewhere_are_one_round(
    samples: list[tuple[str, float]], cut: int, decay: float
) -> None:
    whole: dict[str, float] = {}
    parts: dict[str, float] = {}
    tasks, values = [t for t, _ in samples], [v for _, v in samples]
    expected = advantages(values, tasks, whole, decay)
    found = advantages(values[:cut], tasks[:cut], parts, decay)
    found += advantages(values[cut:], tasks[cut:], parts, decay)
    assert found == expected
    assert parts == whole


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=30), st.floats(0, 0.99))
def test_the_average_is_the_sum_of_the_rewards_by_age(values: list[float], decay: float) -> None:
    memory: dict[str, float] = {}
    found = advantages(values, ["x"] * len(values), memory, decay)
    for i, (value, advantage) in enumerate(zip(values, found, strict=True)):
        average = sum((1 - decay) * decay ** (i - 1 - j) * values[j] for j in range(i))
        assert advantage == pytest.approx(value - average, abs=1e-9)
