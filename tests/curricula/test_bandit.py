import json
from collections import Counter

import numpy as np
import pytest

from culture.seeds import generator
from curricula import Fresh
from curricula.bandit import exp3s, scaled
from curricula.simulate import attempt, problem
from tests.curricula.strategies import made, solved


def test_exp3s_golden_step():
    # exp(ln 1 + 0.5 * 1 / 0.25) = e² for the second of three; at step 4 a quarter is shared
    found = exp3s(np.zeros(3), 1, 1.0, 0.25, 0.5, 4)
    e2 = np.exp(2)
    golden = np.log([0.75 + 0.125 * (1 + e2), 0.75 * e2 + 0.125 * 2, 0.75 + 0.125 * (1 + e2)])
    np.testing.assert_allclose(found, golden - golden.max())
    np.testing.assert_allclose(exp3s(np.array([0.0, 5.0]), 0, -1.0, 0.5, 0.1, 1), [0, -5.2], atol=1e-12)


def test_weights_stay_finite():
    weights = np.zeros(2)
    for step in range(2, 3000):
        weights = exp3s(weights, 0, 1.0, 0.05, 1.0, step)
    assert np.isfinite(weights).all() and weights[0] == 0 > weights[1]


def test_rewards_are_scaled_by_the_percentiles_of_late():
    history = [float(i) for i in range(11)]  # 20th percentile 2, 80th 8
    assert [scaled(x, history) for x in (5, 2, 8, 6.5, -40, 40)] == [0, -1, 1, 0.5, -1, 1]
    assert scaled(3.0, [3.0]) == 0 == scaled(3.0, [3.0, 3.0])


def bandit(names, **settings):
    return made("bandit", bandit={"strategies": names, **settings})


def test_one_strategy_makes_the_requests_and_pays():
    strategy = bandit(["uniform", "ladder"], exploration=1.0)
    seen = Counter()
    for i in range(200):
        requests = strategy.request(4, generator(0, "r", i))
        kind = {Fresh("a", None): "uniform", Fresh("a", 2.0): "ladder"}[requests[0]]
        assert len(set(requests)) == 1
        assert strategy.pay([solved(1, 2)]) == [1.0 if kind == "uniform" else 0.0]
        assert strategy.frontier("a") is None
        seen[kind] += 1
    assert min(seen.values()) > 70
    assert strategy.request(0, generator(0, "r")) == []


def lessons(strategy, rounds, good):
    """A school in which only rounds of the strategy ``good``, an index, teach anything."""
    chances, ability = [], 0.1
    for round in range(rounds):
        strategy.request(10, generator(1, "r", round))
        taught = strategy.state_dict()["chosen"][0] == good
        rng = generator(1, "solve", round)
        problems = [problem(f"p{round}.{i}", "a", round, 4.0) for i in range(10)]
        tries = [
            attempt(p.problem_id, "a", round, j, bool(rng.uniform() < ability))
            for p in problems
            for j in range(20)
        ]
        strategy.observe(problems, tries)
        chances.append(list(strategy.probabilities().values())[good])
        # skill that is not taught wears off, so that there is always something to gain
        ability = min(ability + 0.2, 0.9) if taught else max(ability - 0.1, 0.1)
    return chances


@pytest.mark.parametrize("good", [0, 1, 2])
def test_the_strategy_after_which_solvers_improve_is_chosen_more_often(good):
    chances = lessons(bandit(["uniform", "ladder", "triangle"], rate=0.1, exploration=0.1), 120, good)
    assert np.mean(chances[:5]) == pytest.approx(1 / 3, abs=0.12)
    assert np.mean(chances[-60:]) > 0.5


def test_progress_is_above_what_was_usual_at_the_same_difficulty():
    """The first round tells what is usual, the second is credited to the first round's strategy."""
    strategy = bandit(["uniform", "ladder"])
    for round, k in enumerate([5, 5, 8]):
        strategy.request(1, generator(0, "r", round))
        strategy.observe(
            [problem(f"p{round}", "a", round, 4.0)],
            [attempt(f"p{round}", "a", round, i, i < k) for i in range(10)],
        )
    np.testing.assert_allclose(strategy.state_dict()["history"], [0, 0.3], atol=1e-12)
    assert strategy.state_dict()["steps"] == 2


def test_state_survives_json_and_knows_its_strategies():
    one = bandit(["uniform", "ladder", "triangle"])
    lessons(one, 12, 1)
    two = bandit(["uniform", "ladder", "triangle"])
    two.load_state_dict(json.loads(json.dumps(one.state_dict(), allow_nan=False)))
    assert two.state_dict() == one.state_dict() and two.probabilities() == one.probabilities()
    with pytest.raises(
        ValueError, match="of the strategies ladder, uniform, got uniform, ladder, triangle"
    ):
        bandit(["ladder", "uniform"]).load_state_dict(one.state_dict())


def test_it_needs_as_many_attempts_as_its_strategies():
    assert bandit(["uniform", "irt_targeted"]).least_attempts == 1
    assert bandit(["uniform", "plr"]).least_attempts == 2
