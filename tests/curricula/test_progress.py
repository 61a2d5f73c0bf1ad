"""Strategies that follow change: ALP-GMM, learning progress."""

import json

import numpy as np
import pytest

from culture.seeds import generator
from curricula import Fresh, tally
from curricula.alp_gmm import Progress
from curricula.kernels import reweighted
from curricula.simulate import attempt, problem
from tests.curricula.strategies import made, solved, tell

ALL_FRESH = {"fresh_share": 1, "mutate_share": 0, "replay_share": 0}


def observed(strategy, round, outcomes):
    """Observe new problems and judge them, as the arena does, after it has told of them."""
    problems = [problem(n, "a", round, d) for n, (d, _, _) in outcomes.items()]
    tries = [attempt(n, "a", round, i, i < k) for n, (_, k, m) in outcomes.items() for i in range(m)]
    strategy.observe(problems, tries)
    return strategy.score(tally(problems, tries)).tolist()


def test_absolute_learning_progress_is_the_change_at_the_nearest_earlier_problem():
    strategy = made("alp_gmm")
    assert observed(strategy, 0, {"p": (2.0, 1, 4), "q": (16.0, 0, 4)}) == [0, 0]  # nothing came before
    # 5 is nearer to 2 on a logarithmic scale, 6 to 16
    assert observed(strategy, 1, {"r": (5.0, 3, 4), "s": (6.0, 3, 4), "t": (16.0, 0, 4)}) == [0.5, 0.75, 0]
    # of several at one place those of its latest round count, by their mean; forgetting is progress too
    assert observed(strategy, 2, {"u": (6.0, 0, 4), "v": (16.0, 4, 4), "w": (16.0, 2, 4)}) == [0.75, 1, 0.5]
    assert observed(strategy, 3, {"x": (17.0, 0, 4)}) == [0.75]


def test_progress_forgets_the_oldest():
    progress = Progress(2)
    for round, place in enumerate([1.0, 2.0, 3.0, 4.0]):
        progress.add(np.array([place]), np.array([round / 10]), round)
    assert progress.rows[:, 0].tolist() == [2.0, 3.0, 4.0]
    assert progress.nearest(np.array([0.0, 2.6]), 4).tolist() == [0.1, 0.2]
    assert np.isnan(progress.nearest(np.array([0.0]), 1)).all()


def school(strategy, rounds, success, size=60, first=0):
    """Play rounds in which a problem of log difficulty x has probability ``success(x, round)``."""
    for round in range(first, first + rounds):
        rng = generator(0, "school", round)
        requests = strategy.request(size, generator(0, "r", round))
        d = [float(r.target) for r in requests]
        tries = [
            attempt(f"p{round}.{i}", "a", round, j, bool(rng.uniform() < success(np.log(x), round)))
            for i, x in enumerate(d)
            for j in range(4)
        ]
        strategy.observe([problem(f"p{round}.{i}", "a", round, x) for i, x in enumerate(d)], tries)
    return np.log([r.target for r in strategy.request(600, generator(0, "r", "last"))])


@pytest.mark.parametrize("name", ["alp_gmm", "learning_progress"])
def test_targets_gather_where_success_changes(name):
    """Easy problems are always solved, hard ones never; at log difficulty 2 to 3 it comes and goes."""

    def success(x, round):
        return 1.0 if x < 2 else 0.0 if x > 3 else float(round // 3 % 2)

    asking = {**ALL_FRESH, "start_target": 12.0, "spread": 1.0}
    targets = school(made(name, asking=asking), 12, success)
    share = ((targets > 1.9) & (targets < 3.1)).mean()
    assert share > 0.6
    flat = school(made(name, asking=asking), 12, lambda x, round: 1.0 if x < 2.5 else 0.0)
    assert ((flat > 1.9) & (flat < 3.1)).mean() < share


def test_alp_gmm_is_even_until_the_window_is_full():
    strategy = made("alp_gmm", asking={**ALL_FRESH, "reach": 2.0})
    assert set(strategy.request(4, generator(0, "r"))) == {Fresh("a", 4.0)}
    tell(strategy, 0, {"p": (4.0, 1, 4), "q": (64.0, 1, 4)})
    logs = np.log2([r.target for r in strategy.request(4000, generator(0, "r"))])
    assert 1 <= logs.min() < 1.1 and 6.9 < logs.max() <= 7
    assert np.histogram(logs, 6, (1, 7))[0].min() > 580


def test_averages_are_fast_and_slow():
    strategy = made("learning_progress", learning_progress={"rate": 0.5})
    tell(strategy, 0, {"p": (4.0, 0, 4)})
    assert strategy.progress("a", 4.0) == 0.0 == strategy.progress("a", 40.0)
    tell(strategy, 1, {"q": (4.0, 4, 4)})  # fast 1/2, slow 1/4
    golden = reweighted(np.array([0.5, 0.25]), 0.1) @ [1, -1]
    assert golden == pytest.approx(0.9 - 0.25 * 0.9 / (0.25 + 0.1 * 0.5))
    assert strategy.score([solved(0, 1)])[0] == 0  # of another bin
    candidate = tally([problem("r", "a", 1, 4.0)], [attempt("r", "a", 1, 0, True)])
    assert strategy.score(candidate) == pytest.approx([golden])
    assert np.isnan(strategy.score(tally([problem("r", "a", 1, 4.0)], []))).all()
    tell(strategy, 2, {"s": (4.0, 4, 4)})  # fast 3/4, slow 1/2
    assert strategy.progress("a", 4.0) == pytest.approx(reweighted(np.array([0.75, 0.5]), 0.1) @ [1, -1])


@pytest.mark.parametrize("name", ["alp_gmm", "learning_progress"])
def test_state_survives_json(name):
    def success(x, round):
        return 1 / (1 + np.exp(2 * (x - 1.5 - 0.1 * round)))

    one = made(name, asking=ALL_FRESH, alp_gmm={"window": 40})
    school(one, 4, success, size=30)
    two = made(name, asking=ALL_FRESH, alp_gmm={"window": 40})
    two.load_state_dict(json.loads(json.dumps(one.state_dict(), allow_nan=False)))
    np.testing.assert_array_equal(school(one, 3, success, 30, 4), school(two, 3, success, 30, 4))
