"""The scores of strategies that are a formula, on golden values."""

import numpy as np
import pytest

from culture.seeds import generator
from curricula import Mutate, Replay, tally
from curricula.simulate import attempt, problem
from tests.curricula.strategies import by, made, solved

FOUR = [solved(k, 4) for k in range(5)]


@pytest.mark.parametrize(
    ("name", "sections", "golden"),
    [
        ("learnability", {}, [0, 1 / 4, 1 / 3, 1 / 4, 0]),
        ("azr", {}, [0, 3 / 4, 1 / 2, 1 / 4, 0]),
        ("azr", {"azr": {"variant": "code"}}, [-0.5, 3 / 4, 1 / 2, 1 / 4, -0.5]),
        ("triangle", {}, [0, 1 / 2, 1, 1 / 2, 0]),
        ("triangle", {"triangle": {"form": "quadratic"}}, [0, 3 / 4, 1, 3 / 4, 0]),
        ("spice", {}, [0.04393693, 0.82257756, 1, 0.82257756, 0.04393693]),
        ("plr", {}, [0, 1 / 2, 2 / 3, 1 / 2, 0]),
        ("robust_plr", {}, [0, 1 / 4, 1 / 3, 1 / 4, 0]),
        ("accel", {}, [0, 1 / 4, 1 / 3, 1 / 4, 0]),
        ("map_elites", {}, [0, 1 / 4, 1 / 3, 1 / 4, 0]),
        ("max_mc", {}, [0, 3 / 4, 1 / 2, 1 / 4, 0]),
        ("uniform", {}, [0, 0, 0, 0, 0]),
    ],
)
def test_golden_values(name, sections, golden):
    strategy = made(name, **sections)
    np.testing.assert_allclose(strategy.score(FOUR), golden, atol=1e-8)
    if name not in ("learnability", "uniform"):
        assert strategy.pay(FOUR).tolist() == strategy.score(FOUR).tolist()
        assert np.isnan(strategy.score([solved(0, 0), solved(1, 1)])).all()


def test_r_zero_is_uncertainty_less_the_share_of_the_batch_that_is_alike():
    texts = ["abcdef", "abcdeg", "zzzzzz", "abcdeh"]
    batch = [solved(k, 4, f"p{i}", t) for i, (k, t) in enumerate(zip([2, 1, 2, 4], texts, strict=True))]
    expected = [1 / 2 - 3 / 4, 1 / 4 - 3 / 4, 1 / 2 - 1 / 4, 0 - 3 / 4]
    for memory in (0, 1000):
        strategy = made("r_zero", r_zero={"memory": memory})
        assert strategy.score(batch).tolist() == expected == strategy.pay(batch).tolist()
    bleu = made("r_zero", r_zero={"similarity": "bleu", "cut": 0.6})
    assert bleu.score(batch).tolist() == expected
    assert np.isnan(made("r_zero").score([solved(1, 1, text="a")])).all()


def test_r_zero_remembers_earlier_rounds():
    def observed(memory):
        strategy = made("r_zero", r_zero={"memory": memory})
        for round, name in enumerate(["abcdef", "abcdeg", "abcdeh"]):
            strategy.observe(
                [problem(name, "a", round, 3.0)], [attempt(name, "a", round, i, i < 2) for i in range(4)]
            )
        new = problem("zzzzzz", "a", 3, 3.0), problem("abcdei", "a", 3, 3.0)
        tries = [attempt(p.problem_id, "a", 3, i, i < 2) for p in new for i in range(4)]
        strategy.observe(new, tries)
        return strategy.score(tally(new, tries)).tolist()

    assert observed(0) == [1 / 2 - 1 / 2, 1 / 2 - 1 / 2]
    assert observed(2) == [1 / 2 - 1 / 4, 1 / 2 - 3 / 4]
    np.testing.assert_allclose(observed(1000), [1 / 2 - 1 / 5, 1 / 2 - 4 / 5])


def test_r_zero_keeps_what_lies_within_the_band():
    strategy = made("r_zero", asking={"buffer_size": 2})
    outcomes = {"rare": 1, "even": 4, "often": 6, "mostly": 7}
    strategy.observe(
        [problem(p, "a", 0, 3.0) for p in outcomes],
        [attempt(p, "a", 0, i, i < k) for p, k in outcomes.items() for i in range(8)],
    )
    rows = strategy.state_dict()["domains"]["a"]["problems"]
    assert {row[0] for row in rows} == {"even", "often"}


def test_paired_is_the_antagonist_s_best_less_the_protagonist_s_mean():
    strategy = made("paired", paired={"antagonist": "old", "protagonist": "new"})
    candidates = [
        by(("new", "n1", "none", 1, 4), ("old", "o1", "none", 1, 3)),
        by(("new", "n1", "none", 1, 2), ("new", "n2", "library", 0, 2), ("old", "o1", "none", 0, 3)),
        by(
            ("new", "n1", "none", 1, 1), ("new", "n2", "none", 0, 1),
            ("old", "o1", "none", 0, 1), ("old", "o2", "none", 1, 1),
        ),
        by(("new", "n1", "none", 0, 4)),
        by(("old", "o1", "none", 1, 2), ("other", "x", "none", 0, 2)),
        by(("new", "n1", "none", 0, 1)),
    ]  # fmt: skip
    np.testing.assert_equal(strategy.score(candidates), [0.75, 0, 0.5, np.nan, np.nan, np.nan])


def test_population_regret_is_the_best_mean_less_the_mean():
    candidate = by(
        ("p", "s1", "none", 1, 1),
        ("p", "s1", "library", 0, 1),
        ("p", "s2", "none", 0, 2),
        ("q", "s3", "none", 2, 2),
    )
    assert made("population_regret").score([candidate]).tolist() == [1 - (1 / 2 + 0 + 1) / 3]
    by_policy = made("population_regret", population_regret={"by": "policy"})
    assert by_policy.score([candidate]).tolist() == [1 - (1 / 4 + 1) / 2]
    alone = by(("p", "s1", "none", 1, 4))
    assert np.isnan(made("population_regret").score([alone, solved(0, 0)])).all()


def test_hint_regret_compares_the_arms_library_and_none():
    strategy = made("hint_regret")
    candidates = [
        by(
            ("p", "s", "library", 3, 4), ("p", "t", "library", 1, 1),
            ("p", "s", "none", 1, 4), ("p", "s", "placebo", 4, 4),
        ),
        by(("p", "s", "library", 0, 2), ("p", "s", "none", 1, 2)),
        by(("p", "s", "library", 2, 2), ("p", "s", "shuffled", 0, 2)),
        by(("p", "s", "library", 1, 1)),
    ]  # fmt: skip
    np.testing.assert_allclose(strategy.score(candidates), [0.8 - 0.25, 0, np.nan, np.nan])


def test_what_one_side_alone_attempted_keeps_the_worth_that_is_known():
    strategy = made("hint_regret")

    def tries(problem_id, round, **arms):
        made_by = [(arm, correct) for arm, outcomes in arms.items() for correct in outcomes]
        return [
            attempt(problem_id, "a", round, i, correct, arm=arm) for i, (arm, correct) in enumerate(made_by)
        ]

    problems = [problem(p, "a", 0, 3.0) for p in ("told", "half")]
    first = tries("told", 0, library=[True, True], none=[False, False])
    strategy.observe(problems, [*first, *tries("half", 0, none=[False, False])])
    assert strategy.state_dict()["domains"]["a"]["worths"] == {"told": 1.0}
    strategy.observe([], tries("told", 1, none=[True, True]))
    assert strategy.state_dict()["domains"]["a"]["worths"] == {"told": 1.0}
    # what nobody knows the worth of is asked for all the same, and comes last by rank
    requests = strategy.request(200, generator(0, "known"))
    assert {r.problem_id for r in requests if isinstance(r, Replay)} == {"told", "half"}
    parents = [r.parent_id for r in requests if isinstance(r, Mutate)]
    assert parents.count("told") > parents.count("half") > 0


def test_max_mc_remembers_what_was_solved_once():
    strategy = made("max_mc")
    problems = [problem(p, "a", 0, 3.0) for p in ("forgotten", "never")]
    strategy.observe(
        problems,
        [attempt(p.problem_id, "a", 0, i, p == problems[0] and i == 0) for p in problems for i in range(4)],
    )
    again = [attempt(p.problem_id, "a", 1, i, False) for p in problems for i in range(4)]
    strategy.observe([], again)
    assert strategy.score(tally(problems, again)).tolist() == [1.0, 0.0]
    assert made("azr").score(tally(problems, again)).tolist() == [0.0, 0.0]
