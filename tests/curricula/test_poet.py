import json
from collections import Counter

import numpy as np
import pytest

from culture.seeds import generator
from curricula import Candidate, Fresh, Group, Mutate, Replay
from curricula.poet import centred_ranks
from curricula.simulate import attempt, problem
from tests.curricula.strategies import made, solved, tell


@pytest.mark.parametrize(
    ("shares", "golden"),
    [
        ([0.2, 0.5, 0.8], [-0.5, 0, 0.5]),
        ([0.0, 0.05, 0.8], [-0.25, -0.25, 0.5]),  # both are clipped to 0.1
        ([1.0, 0.95, 0.5, 0.1], [1 / 3, 1 / 3, -1 / 6, -0.5]),
        ([0.7], [0]),
        ([np.nan, 0.2, 0.6], [0, -0.5, 0.5]),
        ([np.nan, np.nan], [0, 0]),
    ],
)
def test_centred_ranks(shares, golden):
    both = np.array([shares, shares[::-1]])
    np.testing.assert_allclose(centred_ranks(both, 0.1, 0.9), [golden, golden[::-1]])


def members(strategy):
    return [row[0] for row in strategy.state_dict()["domains"]["a"]["problems"]]


def test_novelty_is_the_mean_distance_to_the_nearest_where_the_criterion_is_met():
    strategy = made("poet", poet={"low": 0.25, "high": 0.75, "neighbours": 2})
    texts = ["aaaa", "aaab", "abbb", "zzzz", "yyyy", "xxxx"]
    batch = [solved(k, 8, t, t) for t, k in zip(texts, [2, 6, 4, 1, 7, 4], strict=True)]
    # distances of aaaa: 1/4, 3/4, then 1; aaab: 1/4, 2/4; abbb: 2/4, 3/4; of xxxx all 1
    assert strategy.score(batch).tolist() == [0.5, 0.375, 0.625, 0, 0, 1]
    assert strategy.score([solved(4, 8, "alone", "alone")]).tolist() == [1]
    assert np.isnan(strategy.score([solved(1, 1)])).all()


def test_the_most_novel_that_pass_are_admitted_and_the_oldest_leave():
    strategy = made("poet", poet={"admitted": 2, "population": 3, "neighbours": 1})
    tell(strategy, 0, {"aaaa": (3.0, 1, 2), "aaab": (3.0, 1, 2), "bbbb": (3.0, 1, 2), "zzzz": (3.0, 0, 2)})
    assert members(strategy) == [
        "aaaa",
        "bbbb",
    ]  # all were as novel but aaaa and aaab, as like as these two
    # what was seen before is not new, though it was not admitted
    tell(strategy, 1, {"zzzy": (3.0, 1, 2), "aabb": (3.0, 1, 2), "cdef": (3.0, 1, 2)})
    assert members(strategy) == ["bbbb", "aabb", "cdef"]
    strategy.observe([], [attempt("bbbb", "a", 2, i, True) for i in range(4)])
    assert members(strategy) == ["bbbb", "aabb", "cdef"]  # mastered members stay until they are old
    tell(strategy, 3, {"ghij": (3.0, 1, 2)})
    assert members(strategy) == ["aabb", "cdef", "ghij"]


def test_novelty_has_a_bounded_memory():
    strategy = made("poet", poet={"memory": 2, "neighbours": 1})
    for round, name in enumerate(["aaaa", "bbbb", "cccc", "dddd"]):
        tell(strategy, round, {name: (3.0, 1, 2)})
    again = [solved(1, 2, "x", t) for t in ("aaaa", "bbbb", "dddd")]
    assert [strategy.score([c])[0] for c in again] == [1, 0, 0]
    copy = made("poet", poet={"memory": 2, "neighbours": 1})
    copy.load_state_dict(json.loads(json.dumps(strategy.state_dict())))
    assert copy.score(again).tolist() == strategy.score(again).tolist()


def test_novelty_by_how_policies_rank():
    def candidate(name, p, q):
        who = (Group("p", "s", "none", p, 4), Group("q", "t", "none", q, 4))
        return Candidate(name, "a", 3.0, p + q, 8, 0, 0, None, "", who)

    strategy = made("poet", poet={"novelty": "solvers", "neighbours": 1})
    batch = [
        candidate("one", 3, 1),
        candidate("same", 2, 1),
        candidate("other", 1, 3),
        candidate("even", 2, 2),
    ]
    half = np.sqrt((0.5**2 + 0.5**2) / 2)
    np.testing.assert_allclose(strategy.score(batch), [0, 0, half, half])
    everyone = made("poet", poet={"novelty": "solvers", "neighbours": 3})
    np.testing.assert_allclose(everyone.score(batch)[2], (1 + 1 + half) / 3)


def test_requests_are_of_the_population_evenly():
    strategy = made("poet", poet={"fresh_share": 0.1, "mutate_share": 0.8, "replay_share": 0.1})
    tell(strategy, 0, {f"{chr(97 + i)}" * 4: (3.0, i % 3, 2) for i in range(9)})
    assert len(members(strategy)) == 3
    requests = strategy.request(300, generator(0, "r"))
    parents = Counter(r.parent_id for r in requests if isinstance(r, Mutate))
    assert set(parents) == set(members(strategy)) and min(parents.values()) > 50
    assert sorted(r.problem_id for r in requests if isinstance(r, Replay)) == members(strategy)


def test_without_a_population_problems_are_asked_for_at_the_frontier():
    strategy = made("poet", asking={"spread": 0.0})
    strategy.observe([problem("p", "a", 0, 3.0)], [attempt("p", "a", 0, i, False) for i in range(4)])
    requests = strategy.request(5, generator(0, "r"))
    assert {type(r) for r in requests} == {Fresh}
    assert [r.target for r in requests] == pytest.approx([strategy.target("a")] * 5)
