import dataclasses
import json

import numpy as np
import pytest

from curricula.base import Candidate, Group, placed, tally
from curricula.buffer import Buffer, Outcome, by_domain
from curricula.simulate import attempt, problem


def tries(problem_id: str, round: int, *correct: bool):
    return [attempt(problem_id, "a", round, i, c) for i, c in enumerate(correct)]


def test_counts_are_of_the_last_round_with_two_attempts_or_more():
    b = Buffer("a", 10)
    b.add([problem("p", "a", 3, 5.0, parent_id="o")])
    assert b.items() == [Candidate("p", "a", 5.0, 0, 0, 3, 3, "o")]
    assert b.record(tries("p", 3, True, False, False)) == [Outcome(5.0, 1, 3)]
    assert b.record(tries("p", 5, True)) == [Outcome(5.0, 1, 1)]
    assert b.items() == [Candidate("p", "a", 5.0, 2, 4, 3, 5, "o")]
    b.record(tries("p", 9, True, True))
    assert b.items() == [Candidate("p", "a", 5.0, 2, 2, 3, 9, "o")]
    assert b.ages(11).tolist() == [2.0]


def test_errors_of_the_machinery_are_not_failures_of_the_solver():
    good, bad = tries("p", 0, True, False)
    broken = dataclasses.replace(bad, verdict="error", failure_source="infrastructure")
    b = Buffer("a", 10)
    b.add([problem("p", "a", 0, 5.0)])
    assert b.record([good, broken]) == [Outcome(5.0, 1, 1)]
    assert [c.tried for c in tally([problem("p", "a", 0, 5.0)], [good, broken])] == [1]


def test_attempts_on_problems_that_left_are_counted_as_unplaced():
    b = Buffer("a", 10)
    assert b.record(tries("gone", 0, True, True)) == []
    assert b.unplaced == 2 and len(b) == 0


def test_eviction_drops_unknown_then_lowest_then_oldest():
    b = Buffer("a", 2)
    b.add([problem(p, "a", 0, 1.0) for p in "uvwxy"])
    values = {"u": 0.5, "v": np.nan, "w": 0.1, "x": 0.5, "y": 0.5}
    b.evict(lambda items: np.array([values[c.problem_id] for c in items]))
    assert [c.problem_id for c in b] == ["x", "y"]


def test_state_survives_json_in_order():
    b, c = Buffer("a", 9), Buffer("a", 9)
    b.add([problem("q", "a", 0, 0.1 + 0.2), problem("p", "a", 1, 5.0, parent_id="q")])
    b.record([*tries("p", 1, True, False), *tries("none", 1, True)])
    c.load_state_dict(json.loads(json.dumps(b.state_dict())))
    assert c.items() == b.items() and c.unplaced == 1


def test_a_problem_is_added_once():
    b = Buffer("a", 9)
    b.add([problem("p", "a", 0, 1.0)])
    with pytest.raises(ValueError, match="expected a new problem, got 'p'"):
        b.add([problem("p", "a", 1, 1.0)])


def test_only_admitted_problems_with_a_difficulty():
    p = problem("p", "a", 0, 1.0)
    with pytest.raises(ValueError, match="status 'rejected'"):
        placed(dataclasses.replace(p, status="rejected"))
    for bad in (None, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="expected a finite difficulty"):
            placed(dataclasses.replace(p, difficulty=bad))


def test_domains_are_kept_apart_and_unknown_ones_refused():
    split = by_domain(["a", "b"], [problem("p", "b", 0, 1.0)], tries("q", 0, True))
    assert [len(x) for x in (*split["a"], *split["b"])] == [0, 1, 1, 0]
    with pytest.raises(ValueError, match="expected a domain among a, b, got 'c'"):
        by_domain(["a", "b"], [problem("p", "c", 0, 1.0)], [])


def test_tally_keeps_order_and_counts_only_its_problems():
    two = [problem("q", "a", 4, 2.0), problem("p", "a", 4, 3.0)]
    found = tally(two, [*tries("p", 5, True, False), *tries("other", 5, True)])
    who = (Group("simulated", "simulated", "none", 1, 2),)
    assert found == [
        Candidate("q", "a", 2.0, 0, 0, 4, 4, None, "q"),
        Candidate("p", "a", 3.0, 1, 2, 4, 5, None, "p", who),
    ]


def test_tally_tells_who_solved_it_and_in_which_arm():
    made = [
        ("old", "library", True),
        ("new", "none", False),
        ("old", "library", False),
        ("old", "none", True),
    ]
    tries_ = [attempt("p", "a", 0, i, right, policy=w, arm=arm) for i, (w, arm, right) in enumerate(made)]
    error = dataclasses.replace(tries_[0], verdict="error", correct=False)
    (found,) = tally([problem("p", "a", 0, 1.0)], [error, *tries_])
    assert found.groups == (
        Group("new", "new", "none", 0, 1),
        Group("old", "old", "library", 1, 2),
        Group("old", "old", "none", 1, 1),
    )
    assert (found.solved, found.tried) == (2, 4)
