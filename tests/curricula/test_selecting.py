import dataclasses
from collections import Counter

import pytest

from culture.seeds import generator
from curricula import Fresh, Mutate, Replay, registered, teaches
from curricula.selecting import Selecting
from curricula.simulate import attempt
from tests.curricula.strategies import made, tell

GREEDY = {"sampler": {"temperature": 0.01, "staleness": 0.0}}


def kinds(requests):
    return Counter(type(r) for r in requests)


def test_replays_go_by_what_a_problem_was_worth_when_it_was_last_attempted():
    strategy = made("azr", asking={**GREEDY, "fresh_share": 0, "mutate_share": 0, "replay_share": 1})
    tell(
        strategy,
        0,
        {"rare": (3.0, 1, 4), "often": (3.0, 3, 4), "never": (3.0, 0, 4), "untried": (3.0, 0, 0)},
    )
    ranked = [r.problem_id for r in strategy.request(3, generator(0, "r"))]
    assert set(ranked) == {"rare", "often", "never"}
    assert [strategy.request(1, generator(0, "r", i))[0].problem_id for i in range(9)] == ["rare"] * 9
    strategy.observe([], [attempt("rare", "a", 1, i, True) for i in range(4)])
    assert [strategy.request(1, generator(0, "r", i))[0].problem_id for i in range(9)] == ["often"] * 9


def test_the_buffer_keeps_what_is_worth_most():
    strategy = made("azr", asking={"buffer_size": 2})
    tell(strategy, 0, {"a1": (3.0, 1, 4), "a2": (3.0, 2, 4), "a3": (3.0, 3, 4), "a0": (3.0, 0, 4)})
    state = strategy.state_dict()["domains"]["a"]
    assert [row[0] for row in state["problems"]] == ["a1", "a2"] and state["worths"] == {
        "a1": 0.75,
        "a2": 0.5,
    }


@pytest.mark.parametrize(("name", "first"), [("azr", "now"), ("max_mc", "then")])
def test_worth_fades_but_not_where_stale_problems_are_brought_back(name, first):
    asking = {**GREEDY, "fresh_share": 0, "mutate_share": 0, "replay_share": 1, "half_life": 1.0}
    strategy = made(name, asking=asking, max_mc={**GREEDY, "replay_share": 1})
    tell(strategy, 0, {"then": (3.0, 1, 4)})
    tell(strategy, 1, {"now": (3.0, 2, 4)})
    assert strategy.state_dict()["domains"]["a"]["worths"] == {"then": 0.75, "now": 0.5}
    assert [strategy.request(1, generator(0, "r", i))[0].problem_id for i in range(9)] == [first] * 9


@pytest.mark.parametrize("name", ["azr", "plr", "map_elites"])
def test_fresh_problems_may_be_left_to_proposers(name):
    strategy = made(name, asking={"targeted": False})
    assert set(strategy.request(5, generator(0, "r"))) == {Fresh("a", None)}
    tell(strategy, 0, {f"p{i}": (3.0, 1, 2) for i in range(4)})
    assert {r.target for r in strategy.request(40, generator(0, "r")) if isinstance(r, Fresh)} == {None}


def test_fresh_targets_follow_the_frontier():
    strategy = made(
        "triangle", asking={"stretch": 2.0, "overreach": 9.0, "spread": 0.0, "start_target": 6.0}
    )
    assert set(strategy.request(3, generator(0, "r"))) == {Fresh("a", 6.0)}
    tell(strategy, 0, {"easy": (8.0, 4, 4), "hard": (32.0, 0, 4)})
    targets = {round(r.target, 9) for r in strategy.request(20, generator(0, "r")) if isinstance(r, Fresh)}
    assert strategy.frontier("a") == pytest.approx(16) and targets == {32.0}


def test_plr_replays_and_varies_nothing():
    strategy = made("plr", plr={"replay_share": 0.25})
    tell(strategy, 0, {f"p{i}": (3.0, i % 3, 2) for i in range(60)})
    assert kinds(strategy.request(100, generator(0, "r"))) == {Fresh: 75, Replay: 25}


def test_accel_varies_what_it_replays():
    strategy = made("accel")
    tell(strategy, 0, {f"p{i}": (3.0, i % 5, 4) for i in range(200)})
    requests = strategy.request(100, generator(0, "r"))
    assert kinds(requests) == {Fresh: 20, Mutate: 40, Replay: 40}
    replayed = [r.problem_id for r in requests if isinstance(r, Replay)]
    assert [r.parent_id for r in requests if isinstance(r, Mutate)] == replayed
    # those of the highest regret, which half of the attempts solved
    assert Counter(int(i[1:]) % 5 for i in replayed)[2] >= 25
    lone = made("accel", accel={"fresh_share": 0.5, "mutate_share": 0.5, "replay_share": 0})
    tell(lone, 0, {f"p{i}": (3.0, 1, 2) for i in range(9)})
    assert kinds(lone.request(10, generator(0, "r"))) == {Fresh: 5, Mutate: 5}


@pytest.mark.parametrize("name", registered())
def test_only_robust_ones_withhold_new_problems(name):
    strategy, robust = made(name), name in ("accel", "robust_plr")
    assert teaches(strategy, attempt("p", "a", 0, 0, True)) is not robust
    assert teaches(strategy, attempt("p", "a", 0, 0, True, replay=True))


@pytest.mark.parametrize("name", registered())
def test_every_strategy_names_its_source(name):
    module = __import__(f"curricula.{name}", fromlist=["*"])
    ours = {"ladder", "uniform"}
    assert name in ours or "arXiv" in module.__doc__
    assert type(made(name)).__doc__


def test_state_of_another_strategy_is_refused():
    tell(one := made("azr"), 0, {"p": (3.0, 1, 2)})
    assert isinstance(one, Selecting)
    with pytest.raises(ValueError, match="expected a state of the strategy 'plr', got one of 'azr'"):
        made("plr").load_state_dict(one.state_dict())


def test_errors_of_the_machinery_are_no_evidence():
    strategy = made("hint_regret")
    tell(strategy, 0, {"p": (3.0, 0, 0)})
    lost = [dataclasses.replace(attempt("p", "a", 0, i, False), verdict="error") for i in range(2)]
    strategy.observe([], lost)
    assert strategy.state_dict()["domains"]["a"]["worths"] == {}
