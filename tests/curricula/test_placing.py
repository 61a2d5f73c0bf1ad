from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from curricula import placing
from curricula.irt import probability
from curricula.placing import Tries, place


def attempted(seed, *, mean, deviation, problems, abilities, each):
    """Attempts of several abilities at problems whose difficulties are drawn."""
    rng = np.random.default_rng(seed)
    b = rng.normal(mean, deviation, problems)
    return b, [
        Tries(f"p{i:04d}", ability, int(rng.binomial(each, probability(ability, d))), each)
        for i, d in enumerate(b)
        for ability in abilities
    ]


def test_the_population_is_recovered():
    """Two attempts a problem, as in a run: the mean within its errors over many sets of problems."""
    z = []
    for seed in range(30):
        _, tries = attempted(seed, mean=1.5, deviation=1.2, problems=300, abilities=[0.3], each=2)
        found = place(tries)
        z.append((found.mean - 1.5) / found.standard_error)
        assert len(found.problems) == 300
    assert 1e-3 < stats.chi2(30).sf(np.sum(np.square(z))) < 1 - 1e-3
    assert abs(np.mean(z)) < 3 / np.sqrt(30)


def test_single_problems_are_placed_within_their_errors():
    b, tries = attempted(1, mean=0.0, deviation=1.5, problems=200, abilities=[-1.0, 0.0, 1.0], each=8)
    found = place(tries)
    z = [(found.problems[f"p{i:04d}"].difficulty - d) / found.problems[f"p{i:04d}"].standard_error
         for i, d in enumerate(b)]  # fmt: skip
    assert 1e-3 < stats.chi2(200).sf(np.sum(np.square(z))) < 1 - 1e-3
    low, high = found.interval
    assert low < 0 < high and found.deviation == pytest.approx(1.5, abs=0.25)
    one = found.problems["p0000"]
    assert (one.tried, one.right) == (24, sum(t.right for t in tries if t.problem_id == "p0000"))


def test_the_ability_of_who_tried_counts():
    """The same outcomes of somebody two logits abler are of problems two logits harder."""
    _, tries = attempted(2, mean=0.0, deviation=1.0, problems=100, abilities=[0.0], each=2)
    abler = [Tries(t.problem_id, 2.0, t.right, t.tried) for t in tries]
    assert place(abler).mean == pytest.approx(place(tries).mean + 2, abs=1e-3)


def test_hardly_anything_solved_is_placed_far_off_and_says_so():
    tries = [Tries(f"p{i}", 0.0, int(i == 0), 1) for i in range(500)]
    found = place(tries)
    assert 3 < found.mean < 20 and found.standard_error > 0.5
    assert all(np.isfinite(p.difficulty) for p in found.problems.values())


def test_the_share_within_a_band():
    rng = np.random.default_rng(3)
    b = np.repeat([-6.0, 0.0, 6.0], 50)
    tries = [
        Tries(f"p{i:03d}", 0.0, int(rng.binomial(40, probability(0.0, d))), 40) for i, d in enumerate(b)
    ]
    within = place(tries).within(0.0, 0.2, 0.8)
    assert within[50:100].mean() > 0.9
    assert within[:50].max() < 0.1 and within[100:].max() < 0.1


def test_what_has_no_place_is_refused():
    for tries, told in (
        ([], "no attempt"),
        ([Tries("p", 0.0, 2, 2)], "right ones"),
        ([Tries("p", 0, 0, 2)], "wrong"),
    ):
        with pytest.raises(ValueError, match=told):
            place(tries)


def test_attempts_that_tell_nothing_have_no_error() -> None:
    """Difficulties are spread wider after the attempts than before: the mean may lie anywhere."""
    wide = np.exp(-0.45 * placing.NODES**2)
    posterior = np.tile(wide / wide.sum(), (50, 1))
    with pytest.raises(ArithmeticError, match="got a flat likelihood"):
        placing._error(placing.NODES, posterior, np.ones(50), 0.0, 1.0)
