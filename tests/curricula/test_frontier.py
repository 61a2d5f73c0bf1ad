import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from culture.seeds import generator
from curricula.buffer import Outcome
from curricula.frontier import SuccessCurve, isotonic_decreasing


def curve(**changes: float) -> SuccessCurve:
    return SuccessCurve(**{"bin_width": 0.1, "half_life": 4.0, "reach": 1.5, "minimum": 1.0, **changes})


def test_isotonic_golden_values():
    found = isotonic_decreasing(np.array([1.0, 0.2, 0.8, 0.1]), np.array([1.0, 1.0, 3.0, 1.0]))
    np.testing.assert_allclose(found, [1.0, 0.65, 0.65, 0.1])


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 50)), min_size=1, max_size=30))
def test_isotonic_falls_and_keeps_the_mean(pairs):
    values, weights = np.array(pairs).T
    fit = isotonic_decreasing(values, weights)
    assert (np.diff(fit) <= 1e-12).all()
    assert np.average(fit, weights=weights) == pytest.approx(np.average(values, weights=weights))
    # Optimal among level sequences too, which are feasible.
    level = np.average(values, weights=weights)
    assert (weights * (values - fit) ** 2).sum() <= (weights * (values - level) ** 2).sum() + 1e-9


def test_frontier_lies_between_what_succeeds_and_what_fails():
    c = curve()
    c.add([Outcome(4.0, 8, 8), Outcome(9.0, 0, 8)])
    assert c.crossing(0.5) == pytest.approx(6.0)
    np.testing.assert_allclose(c.success(np.array([4.0, 6.0, 9.0, 900.0])), [1, 0.5, 0, 0], atol=1e-12)


def test_level_stretch_at_the_target_gives_its_middle():
    c = curve()
    c.add([Outcome(2.0, 4, 4), Outcome(4.0, 2, 4), Outcome(16.0, 2, 4), Outcome(64.0, 0, 4)])
    assert c.crossing(0.5) == pytest.approx(8.0)


def test_where_all_succeed_it_moves_beyond_and_where_all_fail_below():
    up, down = curve(), curve()
    up.add([Outcome(10.0, 4, 4)])
    down.add([Outcome(10.0, 0, 4)])
    assert up.crossing(0.5) == pytest.approx(10 * math.sqrt(1.5))
    assert down.crossing(0.5) == pytest.approx(10 / math.sqrt(1.5))


def test_never_below_the_minimum_even_at_difficulty_zero():
    c = curve(minimum=2.0)
    c.add([Outcome(0.0, 0, 40)])
    assert c.crossing(0.5) == 2.0


def test_slips_on_easy_problems_do_not_move_it():
    """A solver that gets one in five wrong whatever it is, and nothing above 20."""
    c = curve()
    rng = generator(0, "slips")
    for d in np.exp(rng.uniform(0, math.log(60), 3000)):
        c.add([Outcome(float(d), int(rng.binomial(4, 0.8 if d < 20 else 0.0)), 4)])
    assert c.crossing(0.5) == pytest.approx(20, rel=0.1)


def test_estimate_is_near_the_ability_of_a_known_solver():
    c = curve()
    rng = generator(0, "rasch")
    for d in np.exp(rng.uniform(0, math.log(40), 2000)):
        c.add([Outcome(float(d), int(rng.binomial(4, 1 / (1 + (d / 7) ** 4))), 4)])
    assert c.crossing(0.5) == pytest.approx(7, rel=0.1)


def test_old_counts_fade_by_half_lives():
    # 8 of 8 four half-lives ago weigh as much as half an attempt: 4 failures now outweigh them.
    c = curve()
    c.add([Outcome(5.0, 8, 8)])
    c.advance(16)
    c.add([Outcome(5.0, 0, 4)])
    assert c.success(np.array([5.0]))[0] == pytest.approx(0.5 / 4.5)


def test_usual_is_the_geometric_mean_of_recent_attempts():
    c = curve()
    c.add([Outcome(2.0, 0, 1), Outcome(16.0, 0, 2)])
    assert c.usual() == pytest.approx(8.0)
    c.advance(4)  # one half-life: two attempts at 2 weigh as much as four before
    c.add([Outcome(2.0, 0, 1)])
    assert c.usual() == pytest.approx(2 ** ((0.5 * 1 + 1 * 4 + 1 * 1) / 2.5))


def test_what_is_forgotten_is_dropped():
    c = curve()
    c.add([Outcome(5.0, 8, 8)])
    c.advance(200)
    assert not c


def test_nothing_attempted():
    c = curve()
    assert np.isnan(c.success(np.array([1.0, 2.0]))).all()
    with pytest.raises(ValueError, match="expected attempts"):
        c.crossing(0.5)
    with pytest.raises(ValueError, match="expected attempts"):
        c.usual()


@given(
    st.lists(st.tuples(st.floats(0, 1e12), st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=40),
    st.floats(0.05, 0.95),
)
def test_any_history_gives_a_frontier_and_survives_json(rows, probability):
    c, d = curve(), curve()
    for difficulty, solved, passed in rows:
        c.advance(passed)
        c.add([Outcome(difficulty, solved, 4)])
    highest = max(1.0, *(r[0] for r in rows))
    assert 1.0 <= c.crossing(probability) <= highest * 1.5001
    d.load_state_dict(json.loads(json.dumps(c.state_dict())))
    assert d.crossing(probability) == c.crossing(probability)
