import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from culture.seeds import generator
from curricula import Fresh
from curricula.config import IrtTargetedConfig
from curricula.irt_targeted import fit, item_places
from curricula.simulate import Simulation
from tests.curricula.strategies import made, solved, tell

X = np.linspace(0, 4, 41)


@pytest.mark.parametrize(("a", "ability"), [(3.0, 2.0), (1.5, 3.0), (5.0, 0.5)])
def test_many_attempts_tell_ability_and_discrimination(a, ability):
    tried = np.full(41, 400.0)
    found = fit(
        X,
        generator(0, "irt_targeted").binomial(400, expit(a * (ability - X))).astype(float),
        tried,
        IrtTargetedConfig(),
    )
    assert found == pytest.approx((a, ability), rel=0.06)


@pytest.mark.parametrize("seed", range(5))
def test_the_fit_is_the_most_probable_pair(seed):
    rng, config = generator(seed, "irt_targeted"), IrtTargetedConfig()
    tried = rng.integers(1, 9, size=7).astype(float)
    solved_ = rng.binomial(tried.astype(int), 0.5).astype(float)
    x = rng.uniform(0, 3, size=7)
    middle = (x * tried).sum() / tried.sum()

    def loss(at):
        a, c = at
        logit = c + a * (middle - x)
        own = ((a - 2) / 1) ** 2 / 2 + (c / (2 * 2)) ** 2 / 2
        return (tried * np.logaddexp(0, logit) - solved_ * logit).sum() + own

    best = minimize(loss, [2.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}).x
    a, ability = fit(x, solved_, tried, config)
    if best[0] >= 0.1:
        assert (a, a * (ability - middle)) == pytest.approx(tuple(best), abs=1e-4)


def test_success_that_rises_with_difficulty_gives_no_negative_discrimination():
    a, ability = fit(X, np.where(X > 2, 50.0, 0.0), np.full(41, 50.0), IrtTargetedConfig())
    assert a == 0.1 and math.isfinite(ability)


def test_a_problem_lies_where_its_attempts_move_it():
    x, tried = np.full(4, 1.0), np.array([0.0, 4, 4, 4000])
    b = item_places(x, np.array([0.0, 4, 0, 2000]), tried, 2.0, 2.0, 0.5)
    assert b[0] == pytest.approx(1) and b[1] < 1 < b[2] and b[3] == pytest.approx(2, abs=0.01)
    # the slope of the log-posterior is zero
    p = expit(2.0 * (2.0 - b))
    np.testing.assert_allclose(
        -2 * (np.array([0.0, 4, 0, 2000]) - tried * p) - (b - x) / 0.25, 0, atol=1e-6
    )


def test_information_is_highest_at_the_ability():
    strategy = made("irt_targeted", irt_targeted={"item_spread": 1e-6})
    tell(
        strategy, 0, {f"p{i}": (d, k, 400) for i, (d, k) in enumerate([(2.0, 352), (4.0, 200), (8.0, 48)])}
    )
    a, ability = strategy.fitted("a")
    assert ability == pytest.approx(math.log(4), abs=0.02)
    candidates = [solved(0, 0)] * 0
    for d in (4.0, 2.0, 8.0, 64.0):
        candidates.append(type(solved(0, 0))("p", "a", d, 2, 4, 0, 0, None))
    found = strategy.score(candidates)
    assert found[0] == pytest.approx(a**2 / 4, rel=1e-3) and found[0] > found[1] > found[3]
    assert found[1] == pytest.approx(found[2], rel=0.1)
    assert strategy.frontier("a") == pytest.approx(4, rel=0.02)


def test_targets_are_at_the_ability_whatever_the_stretch():
    asking = {"stretch": 3.0, "spread": 0.0, "fresh_share": 1, "mutate_share": 0, "replay_share": 0}
    strategy = made("irt_targeted", asking=asking)
    assert strategy.request(1, generator(0, "r")) == [Fresh("a", 4.0)]
    tell(strategy, 0, {"easy": (4.0, 40, 40), "hard": (16.0, 0, 40)})
    (request,) = strategy.request(1, generator(0, "r"))
    assert request.target == pytest.approx(8, rel=0.02)


def test_the_ability_is_not_placed_beyond_the_reach_of_what_was_tried():
    strategy = made("irt_targeted", asking={"reach": 1.5})
    tell(strategy, 0, {f"p{i}": (4.0, 50, 50) for i in range(9)})
    assert strategy.frontier("a") == pytest.approx(6.0)


def test_it_follows_the_solver():
    strategy, simulation, ability, gaps = made("irt_targeted"), Simulation(4), 4.0, []
    for round in range(60):
        ability = ability * 1.07 if round < 40 else 3.0
        strategy.observe(
            *simulation.play(round, strategy.request(60, generator(4, "r", round)), {"a": ability})
        )
        gaps.append(math.log(strategy.frontier("a") / ability))
    assert max(map(abs, gaps[10:40])) < 0.6 and max(map(abs, gaps[54:])) < 0.6
