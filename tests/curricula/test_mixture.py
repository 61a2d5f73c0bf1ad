import json
from collections import Counter

import numpy as np
import pytest

from culture.seeds import generator
from curricula import Candidate, Fresh, frontier_of, make_strategy, teaches
from curricula.ladder import Ladder
from curricula.learnability import Learnability
from curricula.simulate import Simulation, attempt, problem
from tests.curricula.strategies import configured, made, tell


def test_every_domain_has_its_own_strategy_and_equal_shares():
    strategy = made("ladder", "abc", by_domain={"b": "uniform", "c": "triangle"})
    requests = Counter(strategy.request(30, generator(0, "r")))
    assert requests == {Fresh("a", 2.0): 10, Fresh("b", None): 10, Fresh("c", 4.0): 10}
    candidates = [Candidate("p", d, 2.0, 1, 2, 0, 0, None) for d in "cab"]
    assert strategy.score(candidates).tolist() == [1, 1, 0]
    assert strategy.pay(candidates).tolist() == [1, 1, 1]


def test_domains_learn_apart_and_state_survives_json():
    strategy, simulation = made("learnability", "ab", by_domain={"b": "plr"}), Simulation(1)
    alone = {d: made(n, d) for d, n in (("a", "learnability"), ("b", "plr"))}
    for round in range(6):
        problems, tries = simulation.play(
            round, strategy.request(30, generator(1, "r", round)), {"a": 4.0, "b": 8.0}
        )
        strategy.observe(problems, tries)
        for d, one in alone.items():
            one.observe([p for p in problems if p.domain == d], [t for t in tries if t.domain == d])
    state = strategy.state_dict()
    assert state["domains"] == {d: one.state_dict() for d, one in alone.items()}
    copy = made("learnability", "ab", by_domain={"b": "plr"})
    copy.load_state_dict(json.loads(json.dumps(state, allow_nan=False)))
    assert copy.request(30, generator(1, "r", 6)) == strategy.request(30, generator(1, "r", 6))
    with pytest.raises(ValueError, match="expected a state of the strategy 'ladder', got one of 'plr'"):
        made("learnability", "ab", by_domain={"b": "ladder"}).load_state_dict(state)


def test_frontiers_and_what_is_withheld_are_by_domain():
    strategy = made("learnability", "ab", by_domain={"b": "robust_plr"})
    new = {d: attempt("p", d, 0, 0, True) for d in "ab"}
    assert teaches(strategy, new["a"]) and not teaches(strategy, new["b"])
    tell(strategy, 0, {"p": (8.0, 1, 2)}, "a")
    assert frontier_of(strategy, "a") == pytest.approx(8) and frontier_of(strategy, "b") == 4
    assert frontier_of(made("ladder", "ab", by_domain={"b": "uniform"}), "b") is None
    assert frontier_of(made("ladder"), "a") is None


def test_first_targets_reach_the_domain_that_they_are_for():
    config = configured(
        "triangle", by_domain={"b": "learnability"},
        asking={"start_targets": {"a": 7.0}}, learnability={"start_targets": {"b": 9.0}},
    )  # fmt: skip
    requests = set(make_strategy(config, ["a", "b"]).request(4, generator(0, "r")))
    assert requests == {Fresh("a", 7.0), Fresh("b", 9.0)}
    with pytest.raises(
        ValueError, match=r"expected asking.start_targets for b, c, got a; name domains of the run"
    ):
        make_strategy(config, ["b", "c"])


def test_without_domains_of_their_own_a_strategy_has_them_all():
    assert isinstance(made("learnability", "ab"), Learnability)
    assert isinstance(made("ladder", "ab"), Ladder)
    with pytest.raises(ValueError, match="expected by_domain to name domains of the run, a, b, got c"):
        made("ladder", "ab", by_domain={"c": "plr"})


def test_unknown_domains_and_unknown_attempts():
    strategy = made("learnability", "ab", by_domain={"b": "plr"})
    with pytest.raises(ValueError, match="expected a domain among a, b, got 'c'"):
        strategy.observe([problem("p", "c", 0, 3.0)], [])
    few = [Candidate("p", d, 2.0, 1, 1, 0, 0, None) for d in "ab"]
    assert np.isnan(strategy.score(few)).all() and np.isnan(strategy.pay(few)).all()
