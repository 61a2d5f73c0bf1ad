import json
from collections import Counter

import pytest

from culture.seeds import generator
from curricula import CurriculumConfig, Fresh, Replay, tally
from curricula.ladder import Ladder
from curricula.simulate import Simulation, attempt, problem


def make(domains=("a",), **settings) -> Ladder:
    return Ladder(
        CurriculumConfig.model_validate({"strategy": "ladder", "ladder": settings}), list(domains)
    )


def play(ladder: Ladder, round: int, difficulty: float, solved: int, tried: int) -> None:
    name = f"p{round}"
    ladder.observe(
        [problem(name, "a", round, difficulty)],
        [attempt(name, "a", round, i, i < solved) for i in range(tried)],
    )


def test_geometric_levels_have_no_top():
    ladder = make(start=2.0, factor=2.0, window=4)
    for round in range(20):
        assert ladder.target("a") == 2.0 * 2.0**round
        play(ladder, round, ladder.target("a"), 4, 4)


def test_listed_levels_have_a_top_and_a_bottom():
    ladder = make(levels=[1.0, 5.0, 7.0], window=4)
    seen = []
    for round in range(8):
        play(ladder, round, ladder.target("a"), 4 if round < 4 else 0, 4)
        seen.append(ladder.target("a"))
    assert seen == [5.0, 7.0, 7.0, 7.0, 5.0, 1.0, 1.0, 1.0]


def test_thresholds():
    for solved, level in [(10, 2), (7, 2), (6, 1), (2, 1), (1, 0), (0, 0)]:
        ladder = make(start=2.0, factor=2.0, window=10, up=0.7, down=0.2)
        play(ladder, 0, 2.0, 10, 10)
        assert ladder.level("a") == 1
        play(ladder, 1, 4.0, solved, 10)
        assert ladder.level("a") == level, solved


def test_it_waits_for_a_full_window_and_forgets_what_is_older():
    ladder = make(window=8, up=0.7, down=0.0)
    for round, (solved, level) in enumerate([(0, 0), (4, 0), (4, 1)]):
        play(ladder, round, 2.0, solved, 4)
        assert ladder.level("a") == level


def test_attempts_off_the_level_say_nothing():
    ladder = make(start=4.0, tolerance=0.25, window=4)
    play(ladder, 0, 4.0 * 1.26, 4, 4)
    play(ladder, 1, 4.0 / 1.26, 4, 4)
    assert ladder.level("a") == 0
    play(ladder, 2, 4.0 * 1.25, 4, 4)
    assert ladder.level("a") == 1


def test_domains_climb_apart():
    ladder = make("ab", window=4)
    play(ladder, 0, 2.0, 4, 4)
    assert (ladder.level("a"), ladder.level("b")) == (1, 0)


def test_requests_are_fresh_at_the_level_and_a_few_replays():
    ladder = make(replay_share=0.2, start=3.0)
    assert Counter(ladder.request(10, generator(0, "r"))) == {Fresh("a", 3.0): 10}
    ladder.observe([problem(f"p{i}", "a", 0, 3.0) for i in range(9)], [])
    requests = ladder.request(10, generator(0, "r"))
    assert Counter(type(r) for r in requests) == {Fresh: 8, Replay: 2}
    assert {r.target for r in requests if isinstance(r, Fresh)} == {3.0}


def test_payment_is_for_what_was_asked_even_when_the_level_has_moved():
    ladder = make(start=2.0, factor=2.0, window=4)
    ladder.request(3, generator(0, "r"))
    problems = [problem("p", "a", 0, 2.2), problem("q", "a", 0, 4.0)]
    tries = [attempt("p", "a", 0, i, True) for i in range(4)]
    candidates = tally(problems, tries)
    assert ladder.pay(candidates).tolist() == [1.0, 0.0] == ladder.score(candidates).tolist()
    ladder.observe(problems, tries)
    assert ladder.level("a") == 1
    assert ladder.pay(candidates).tolist() == [1.0, 0.0]
    assert ladder.score(candidates).tolist() == [0.0, 1.0]


def test_it_follows_a_solver_up_and_down():
    ladder, simulation = make(window=32), Simulation(2)
    ability = {"a": 3.0}
    levels = []
    for round in range(90):
        ability["a"] = ability["a"] * 1.06 if round < 45 else 3.0
        ladder.observe(*simulation.play(round, ladder.request(40, generator(2, "r", round)), ability))
        levels.append(ladder.target("a"))
    assert 15 < levels[44] < 3.0 * 1.06**45
    assert 1.9 < levels[-1] < 4


def test_state_survives_json_and_checks_the_levels():
    ladder, copy = make(levels=[1.0, 2.0, 3.0], window=4), make(levels=[1.0, 2.0, 3.0], window=4)
    play(ladder, 0, 1.0, 4, 4)
    play(ladder, 1, 2.0, 2, 3)
    copy.load_state_dict(json.loads(json.dumps(ladder.state_dict())))
    for each in (ladder, copy):
        play(each, 2, 2.0, 1, 1)
    assert copy.state_dict() == ladder.state_dict()
    with pytest.raises(ValueError, match="expected a level below 2 for 'a', got 2"):
        make(levels=[1.0, 2.0]).load_state_dict(ladder.state_dict())
