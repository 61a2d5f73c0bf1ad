"""Strategies under random streams of observations, not only those that their own requests caused."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from culture.seeds import generator
from curricula import make_strategy, registered, tally
from curricula.check import check_requests, check_values
from curricula.simulate import attempt, problem
from tests.curricula.strategies import configured

SMALL = {
    "learnability": {"buffer_size": 5},
    "ladder": {"buffer_size": 5, "window": 6},
    "asking": {"buffer_size": 5},
    "poet": {"population": 4, "admitted": 2, "memory": 3, "neighbours": 2},
    "r_zero": {"memory": 3},
    "alp_gmm": {"window": 10, "memory": 5},
}
ROUND = st.tuples(
    st.integers(1, 3),
    st.lists(
        st.tuples(st.sampled_from("ab"), st.floats(0, 1e9), st.lists(st.booleans(), max_size=4)), max_size=6
    ),
    st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=4),
    st.integers(0, 12),
)


@pytest.mark.parametrize("name", registered())
@settings(max_examples=20)
@given(st.lists(ROUND, max_size=8), st.integers(0, 7))
def test_any_stream_keeps_the_contract_and_a_copy_continues_identically(name, rounds, cut):
    config = configured(name, **SMALL)
    strategy = make_strategy(config, ["a", "b"])
    copy = None
    now, known, everything = 0, {"a": set(), "b": set()}, []
    for index, (passed, new, again, n) in enumerate(rounds):
        now += passed
        if index == cut:
            copy = make_strategy(config, ["a", "b"])
            copy.load_state_dict(json.loads(json.dumps(strategy.state_dict(), allow_nan=False)))
        requests = strategy.request(n, generator(0, "r", index))
        check_requests(requests, n, known, f"round {index}")
        problems = [problem(f"p{index}.{i}", d, now, x) for i, (d, x, _) in enumerate(new)]
        tries = [
            attempt(p.problem_id, p.domain, now, i, right)
            for p, (_, _, answers) in zip(problems, new, strict=True)
            for i, right in enumerate(answers)
        ]
        old = [(everything[i], right) for i, right in again if i < len(everything)]
        tries += [attempt(p.problem_id, p.domain, now, 9 + i, right) for i, (p, right) in enumerate(old)]
        everything += problems
        for p in problems:
            known[p.domain].add(p.problem_id)
        if copy is not None:
            assert copy.request(n, generator(0, "r", index)) == requests
            copy.observe(problems, tries)
        strategy.observe(problems, tries)
        candidates = tally(everything, tries)
        check_values(strategy, strategy.score(candidates), candidates, "score", f"round {index}")
        check_values(strategy, strategy.pay(candidates), candidates, "pay", f"round {index}")
        if copy is not None:
            assert copy.state_dict() == strategy.state_dict()
