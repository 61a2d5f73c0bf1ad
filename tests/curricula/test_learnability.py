import json
import math
from collections import Counter

import numpy as np
import pytest
from scipy.stats import binom

from culture.seeds import generator
from curricula import Candidate, CurriculumConfig, Fresh, Mutate, Replay
from curricula.learnability import Learnability, learnability
from curricula.simulate import Simulation, attempt, problem


def make(domains=("a",), **settings) -> Learnability:
    return Learnability(CurriculumConfig.model_validate({"learnability": settings}), list(domains))


def candidate(solved: int, tried: int) -> Candidate:
    return Candidate("p", "a", 3.0, solved, tried, 0, 0, None)


@pytest.mark.parametrize(
    ("k", "n", "value"),
    [
        *((0, 2, 0), (1, 2, 1 / 2), (2, 2, 0)),
        *((0, 4, 0), (1, 4, 1 / 4), (2, 4, 1 / 3), (3, 4, 1 / 4), (4, 4, 0)),
        (5, 10, 5 / 18),
    ],
)
def test_golden_values(k, n, value):
    assert make().score([candidate(k, n)]).tolist() == [pytest.approx(value)]


@pytest.mark.parametrize(("k", "n", "shrunk"), [(0, 2, 1 / 3), (1, 2, 1 / 2), (2, 2, 2 / 3), (0, 4, 1 / 4)])
def test_payment_shrinks_to_what_is_usual_at_the_difficulty(k, n, shrunk):
    # at difficulty 3 half of all attempts succeed, which counts for prior_strength = 4 attempts
    strategy = make()
    strategy.observe([problem("q", "a", 0, 3.0)], [attempt("q", "a", 0, i, i < 4) for i in range(8)])
    assert strategy.pay([candidate(k, n)]).tolist() == [pytest.approx(4 * shrunk * (1 - shrunk))]
    assert np.isnan(strategy.pay([candidate(0, 1)])).all()


def test_unknown_below_two_attempts():
    assert np.isnan(make().score([candidate(0, 0), candidate(0, 1), candidate(1, 1)])).all()


@pytest.mark.parametrize("n", [2, 3, 4, 8])
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.83, 1.0])
def test_unbiased_for_p_times_1_minus_p(n, p):
    k = np.arange(n + 1.0)
    expectation = (binom.pmf(k, n, p) * learnability(k, np.full(n + 1, float(n)))).sum()
    assert expectation == pytest.approx(p * (1 - p))


def test_first_requests_are_fresh_at_each_domain_s_start():
    strategy = make("ab", start_target=6.0, start_targets={"b": 2.0})
    requests = strategy.request(10, generator(0, "r"))
    assert Counter(requests) == {Fresh("a", 6.0): 5, Fresh("b", 2.0): 5}


def test_one_domain_without_problems_still_starts_when_another_has_some():
    strategy = make("ab")
    strategy.observe([problem("p", "a", 0, 9.0)], [attempt("p", "a", 0, i, i < 2) for i in range(4)])
    requests = strategy.request(40, generator(0, "r"))
    assert [r for r in requests if r.domain == "b"] == [Fresh("b", 4.0)] * 20
    assert {type(r) for r in requests if r.domain == "a"} == {Fresh, Mutate, Replay}


def test_shares():
    strategy = make(fresh_share=0.5, mutate_share=0.2, replay_share=0.3)
    strategy.observe([problem(f"p{i}", "a", 0, 4.0) for i in range(200)], [])
    kinds = Counter(type(r) for r in strategy.request(100, generator(0, "r")))
    assert kinds == {Fresh: 50, Mutate: 20, Replay: 30}


def test_replays_that_the_buffer_lacks_are_asked_for_fresh():
    strategy = make(fresh_share=0.0, mutate_share=0.0, replay_share=1.0)
    strategy.observe([problem("p", "a", 0, 4.0)], [])
    kinds = Counter(type(r) for r in strategy.request(10, generator(0, "r")))
    assert kinds == {Fresh: 9, Replay: 1}


def test_fresh_targets_are_log_normal_about_the_frontier():
    strategy = make(fresh_share=1.0, mutate_share=0.0, replay_share=0.0, spread=0.3)
    problems = [problem("easy", "a", 0, 8.0), problem("hard", "a", 0, 32.0)]
    strategy.observe(
        problems,
        [attempt(p.problem_id, "a", 0, i, p.problem_id == "easy") for p in problems for i in range(4)],
    )
    assert strategy.frontier("a") == pytest.approx(16.0)
    logs = np.log([r.target for r in strategy.request(4000, generator(0, "r"))])
    assert logs.mean() == pytest.approx(math.log(16), abs=0.02)
    assert logs.std() == pytest.approx(0.3, rel=0.05)


@pytest.mark.parametrize(
    ("stretch", "overreach", "about"),
    [(3.0, 9.0, 48.0), (0.5, 9.0, 8.0), (3.0, 1.5, 24.0)],  # the geometric mean of 8 and 32 is 16
)
def test_targets_stretch_beyond_the_frontier_but_not_far_beyond_what_is_usual(stretch, overreach, about):
    shares = {"fresh_share": 1.0, "mutate_share": 0.0, "replay_share": 0.0}
    strategy = make(**shares, stretch=stretch, overreach=overreach, spread=0.0)
    problems = [problem("easy", "a", 0, 8.0), problem("hard", "a", 0, 32.0)]
    strategy.observe(
        problems,
        [attempt(p.problem_id, "a", 0, i, p.problem_id == "easy") for p in problems for i in range(4)],
    )
    assert strategy.target("a") == pytest.approx(about)
    assert {round(r.target, 9) for r in strategy.request(20, generator(0, "r"))} == {round(about, 9)}


def test_the_target_is_the_start_until_something_was_attempted():
    strategy = make(stretch=2.0, start_target=4.0)
    strategy.observe([problem("p", "a", 0, 8.0)], [])
    assert strategy.target("a") == 4.0


def test_no_stretch_takes_the_target_below_the_minimum():
    strategy = make(stretch=0.01, minimum_target=10.0, start_target=10.0)
    strategy.observe([problem("p", "a", 0, 20.0)], [attempt("p", "a", 0, i, i % 2 == 0) for i in range(4)])
    assert strategy.target("a") == 10.0


def test_the_frontier_stops_at_the_minimum():
    strategy = make(minimum_target=3.0, start_target=3.0)
    strategy.observe([problem("p", "a", 0, 1.0)], [attempt("p", "a", 0, i, False) for i in range(40)])
    targets = [r.target for r in strategy.request(4000, generator(0, "r")) if isinstance(r, Fresh)]
    assert strategy.frontier("a") == 3.0
    assert np.median(targets) == pytest.approx(3.0, rel=0.05)


def solved_half(ids, difficulty, round=0):
    return (
        [problem(i, "a", round, difficulty) for i in ids],
        [attempt(i, "a", round, j, j % 2 == 0) for i in ids for j in range(4)],
    )


def test_parents_and_replays_are_the_learnable_ones():
    strategy = make(sampler={"temperature": 0.3, "staleness": 0.0})
    half, tries = solved_half(["h0", "h1"], 8.0)
    easy = [problem(f"e{i}", "a", 0, 2.0) for i in range(20)]
    hard = [problem(f"x{i}", "a", 0, 40.0) for i in range(20)]
    fixed = [attempt(p.problem_id, "a", 0, j, p in easy) for p in easy + hard for j in range(4)]
    untried = [problem(f"u{i}", "a", 0, 8.0) for i in range(20)]
    strategy.observe([*easy, *hard, *untried, *half], [*tries, *fixed])
    parents = Counter(
        r.parent_id for r in strategy.request(500, generator(0, "r")) if isinstance(r, Mutate)
    )
    assert parents["h0"] + parents["h1"] > 0.8 * parents.total()
    # Nothing was known about the untried ones but their difficulty: tried ones go first.
    assert not any(i.startswith("u") for i in parents)


def test_problems_scored_long_ago_are_ranked_by_today_s_solvers():
    """One problem was out of reach then and is at the frontier now; the other is solved now."""
    strategy = make(sampler={"temperature": 1.0, "staleness": 0.0}, half_life=1.0)
    failed = [attempt("was hard", "a", 0, j, False) for j in range(40)]
    half, tries = solved_half(["was even"], 4.0)
    strategy.observe([problem("was hard", "a", 0, 16.0), *half], [*failed, *tries])
    before = Counter(
        r.parent_id for r in strategy.request(1000, generator(0, "r")) if isinstance(r, Mutate)
    )
    assert before["was even"] == pytest.approx(2 * before["was hard"], rel=0.2)
    strategy.observe([problem("frontier", "a", 1, 16.0), problem("easy", "a", 1, 4.0)], [])
    for round in range(1, 13):
        _, tries = solved_half(["frontier"], 16.0, round)
        strategy.observe([], [*tries, *(attempt("easy", "a", round, j, True) for j in range(4))])
    after = Counter(
        r.parent_id for r in strategy.request(20_000, generator(0, "r")) if isinstance(r, Mutate)
    )
    # By rank 2 and 3 of 4, so 3 to 2 at temperature 1.
    assert after["was hard"] == pytest.approx(1.5 * after["was even"], rel=0.1)


def test_the_buffer_is_bounded_and_keeps_the_learnable():
    strategy = make(buffer_size=3)
    half, tries = solved_half(["h0", "h1", "h2"], 8.0)
    rest = [problem(f"e{i}", "a", 0, 2.0) for i in range(50)]
    strategy.observe(
        [*half, *rest], [*tries, *(attempt(p.problem_id, "a", 0, j, True) for p in rest for j in range(4))]
    )
    state = strategy.state_dict()["domains"]
    assert {row[0] for row in state["a"]["problems"]} == {"h0", "h1", "h2"}


@pytest.mark.parametrize("n", [24, 120])
def test_it_climbs_with_the_solver_and_falls_back_with_it(n):
    strategy, simulation = make(), Simulation(3)
    ability = 4.0
    gaps = []
    for round in range(90):
        ability = ability * 1.07 if round < 60 else 3.0
        requests = strategy.request(n, generator(3, "r", round))
        strategy.observe(*simulation.play(round, requests, {"a": ability}))
        gaps.append(math.log(strategy.frontier("a") / ability))
    assert ability == 3.0 and math.log(4.0 * 1.07**60 / 3.0) > 4
    assert max(abs(g) for g in gaps[15:60]) < 0.6
    assert max(abs(g) for g in gaps[82:]) < 0.6


def test_state_continues_identically_after_json():
    strategy, simulation = make("ab", buffer_size=40), Simulation(5)
    for round in range(12):
        if round == 6:
            copy = make("ab", buffer_size=40)
            copy.load_state_dict(json.loads(json.dumps(strategy.state_dict(), allow_nan=False)))
        requests = strategy.request(30, generator(5, "r", round))
        played = simulation.play(round, requests, {"a": 5.0, "b": 9.0})
        if round >= 6:
            assert copy.request(30, generator(5, "r", round)) == requests
            copy.observe(*played)
        strategy.observe(*played)
        if round >= 6:
            assert copy.state_dict() == strategy.state_dict()


def test_the_order_in_which_attempts_arrive_means_nothing():
    one, two, simulation = make(), make(), Simulation(6)
    for round in range(6):
        requests = one.request(40, generator(6, "r", round))
        problems, tries = simulation.play(round, requests, {"a": 5.0})
        one.observe(problems, tries)
        two.observe(problems, [tries[i] for i in generator(6, "shuffle", round).permutation(len(tries))])
        assert one.state_dict() == two.state_dict()


def test_another_run_s_state_is_refused():
    with pytest.raises(
        ValueError, match="expected a state of the strategy 'learnability', got one of 'ladder'"
    ):
        make().load_state_dict({"strategy": "ladder", "domains": {"a": {}}})
    with pytest.raises(ValueError, match="expected a state for the domains a, b, got a"):
        make("ab").load_state_dict(make("a").state_dict())
