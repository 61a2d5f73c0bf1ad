import dataclasses
import sys

import pytest

from culture.seeds import generator
from curricula import Mutate, Replay
from curricula.simulate import attempt, problem
from tests.curricula.strategies import made

MEASURES = {"measures": {"operations": 7.0, "length": 31.0}, "cells": 4}


def observe(strategy, round, rows):
    """Rows of name, operations, length, solved of 4."""
    problems = [
        dataclasses.replace(problem(n, "a", round, 3.0), features={"operations": o, "length": s})
        for n, o, s, _ in rows
    ]
    strategy.observe(problems, [attempt(n, "a", round, i, i < k) for n, _, _, k in rows for i in range(4)])


def elites(strategy):
    return {row[0] for row in strategy.state_dict()["domains"]["a"]["problems"]}


def test_a_cell_keeps_the_most_learnable_and_of_equals_the_first():
    strategy = made("map_elites", map_elites=MEASURES)
    # the limits begin the last of four cells: operations part at 1, 3, 7 and length at 2.2, 9.1, 31
    observe(strategy, 0, [("p", 1.0, 3.0, 1), ("q", 2.9, 9.0, 2), ("r", 3.1, 9.0, 0), ("s", 1.0, 9.5, 3)])
    assert elites(strategy) == {"q", "r", "s"}
    observe(
        strategy, 1, [("t", 1.5, 3.0, 2), ("u", 3.5, 5.0, 1), ("v", 900.0, 900.0, 4), ("w", 7.0, 31.0, 3)]
    )
    assert elites(strategy) == {"q", "s", "u", "w"}


def test_an_elite_is_judged_by_its_last_attempts():
    strategy = made("map_elites", map_elites=MEASURES)
    observe(strategy, 0, [("p", 1.0, 3.0, 2)])
    strategy.observe([], [attempt("p", "a", 1, i, True, replay=True) for i in range(4)])
    observe(strategy, 2, [("q", 1.0, 3.0, 1)])
    assert elites(strategy) == {"q"}


def test_variations_are_drawn_evenly_over_cells():
    strategy = made("map_elites", map_elites=MEASURES)
    observe(strategy, 0, [("p", 1.0, 3.0, 2), ("q", 4.0, 3.0, 4), ("r", 1.0, 12.0, 1), ("x", 1.1, 3.0, 1)])
    requests = strategy.request(500, generator(0, "r"))
    parents = [r.parent_id for r in requests if isinstance(r, Mutate)]
    assert len(parents) == 300 and min(parents.count(i) for i in "pqr") > 70
    assert sorted(r.problem_id for r in requests if isinstance(r, Replay)) == ["p", "q", "r"]


def test_measures_must_be_features_of_the_domain():
    strategy = made("map_elites", map_elites={"measures": {"depth": 5.0}})
    with pytest.raises(ValueError, match="among the features of 'a', length, operations, got depth; name"):
        strategy.observe([problem("p", "a", 0, 3.0)], [])


def test_without_ribs_it_is_refused_before_anything_starts(monkeypatch):
    monkeypatch.setitem(sys.modules, "ribs.archives", None)
    with pytest.raises(
        ValueError, match=r"expected the package ribs .*pip install 'ludus-arena\[map-elites\]'"
    ):
        made("map_elites")
