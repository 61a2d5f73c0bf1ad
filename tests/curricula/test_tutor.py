from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from curricula.calibration import Item, Scale
from curricula.irt import Posterior, probability
from curricula.tutor import BAND, Tutor


def scale(n=120, *, spread=2.0, seed=0, discriminations=0.0) -> Scale:
    rng = np.random.default_rng(seed)
    b, log_a = rng.normal(0, spread, n), rng.normal(0, 1, n) * discriminations
    items = tuple(
        Item(f"i{at:03d}", "", float(d), float(np.exp(a)), 1, 2)
        for at, (d, a) in enumerate(zip(b, log_a, strict=True))
    )
    return Scale("2pl" if discriminations else "1pl", items, 0.0, 2.0)


def simulated(theta, seed):
    rng = np.random.default_rng(seed)
    drawn: dict[str, bool] = {}

    def answer(item: Item) -> bool:
        p = float(probability(theta, item.difficulty, item.discrimination))
        return drawn.setdefault(item.item_id, bool(rng.uniform() < p))

    return answer


def test_it_ends_at_the_error_asked_for_and_asks_nothing_twice():
    tutor = Tutor(scale(), standard_error=0.4, seed=1)
    found = tutor.test(simulated(1.0, 2))
    assert found.standard_error is not None and found.standard_error <= 0.4 and tutor.finished
    assert tutor.ask() is None
    assert len(set(tutor.asked)) == len(tutor.asked) == found.answers
    # what it believes is what the answers say, whatever way they came in
    again = Posterior(0.0, 2.0)
    places = {i.item_id: i for i in scale().items}
    right = simulated(1.0, 2)
    answers = [right(places[name]) for name in tutor.asked]
    again.update(np.array(answers, float), [places[name].difficulty for name in tutor.asked])
    assert again.ability().value == pytest.approx(found.value)


def test_questions_are_those_that_tell_most():
    s = scale(discriminations=0.4)
    tutor = Tutor(s, standard_error=0.3, choices=1)
    answer = simulated(-0.5, 3)
    for _ in range(10):
        item = tutor.ask()
        assert item is not None and item == tutor.ask()
        theta = tutor.ability.value
        told = {
            i.item_id: i.discrimination**2
            * expit(z := i.discrimination * (theta - i.difficulty))
            * expit(-z)
            for i in s.items
            if i.item_id not in tutor.asked
        }
        assert item.item_id == max(told, key=lambda name: told[name])
        tutor.tell(item.item_id, answer(item))


def test_exposure_follows_the_seed():
    firsts = [Tutor(scale(), seed=seed).ask().item_id for seed in range(60)]
    assert firsts == [Tutor(scale(), seed=seed).ask().item_id for seed in range(60)]
    best = sorted(scale().items, key=lambda i: abs(i.difficulty))[:5]
    assert set(firsts) == {i.item_id for i in best}
    assert max(firsts.count(i.item_id) for i in best) < 30
    assert len({Tutor(scale(), seed=seed, choices=1).ask().item_id for seed in range(20)}) == 1


def test_half_the_questions_of_a_random_test_at_most():
    """Where items spread as the anchors do, far wider than anybody's edge."""
    s = scale(150, spread=3.0)
    places = {i.item_id: i for i in s.items}
    tutored, plain, off = [], [], []
    for seed in range(40):
        theta = float(np.random.default_rng(seed).normal(0, 1.5))
        answer = simulated(theta, seed)
        tutor = Tutor(s, standard_error=0.5, seed=seed)
        found = tutor.test(answer)
        off.append((found.value - theta) / found.standard_error)
        posterior = Posterior(s.mean, s.deviation)
        order = np.random.default_rng(seed).permutation(len(s.items))
        for at in order:
            posterior.update([float(answer(s.items[at]))], [places[s.items[at].item_id].difficulty])
            if posterior.ability().standard_error <= 0.5:
                break
        tutored.append(len(tutor.asked))
        plain.append(posterior.ability().answers)
    assert np.mean(tutored) < 0.5 * np.mean(plain)
    assert 0.5 < np.mean(np.square(off)) < 1.7  # chi-squared with 40 degrees of freedom, over 40


def test_it_ends_after_so_many_questions_or_when_none_is_left():
    tutor = Tutor(scale(), standard_error=0.01, most=7)
    tutor.test(simulated(0.0, 1))
    assert len(tutor.asked) == 7
    tutor = Tutor(scale(4), standard_error=0.01)
    tutor.test(simulated(0.0, 1))
    assert len(tutor.asked) == 4 and tutor.ability.standard_error > 0.01


def test_all_right_is_still_a_number():
    tutor = Tutor(scale(20), standard_error=0.2)
    found = tutor.test(lambda item: True)
    assert found.bound == "above" and found.value is not None and np.isfinite(found.value)


def test_the_edge_is_neither_too_hard_nor_trivial():
    tutor = Tutor(scale(), standard_error=0.3, seed=5)
    tutor.test(simulated(0.8, 6))
    pool = [(f"p{d:+.1f}", float(d), 0.0) for d in np.arange(-6, 6.1, 0.1)]
    served = tutor.edge(pool)
    assert served and all(BAND[0] <= s.success <= BAND[1] for s in served)
    assert abs(served[0].success - 0.5) == min(abs(s.success - 0.5) for s in served)
    grid, w = tutor._posterior.grid, tutor._posterior.weights
    first = float(served[0].problem_id[1:])
    assert served[0].success == pytest.approx(float((w * expit(grid - first)).sum()))
    # nothing else is served, also where nothing is left
    assert tutor.edge([("hard", 9.0, 0.0), ("easy", -9.0, 0.0)]) == []
    assert tutor.edge([]) == []


def test_a_difficulty_that_is_not_known_makes_success_more_even():
    tutor = Tutor(scale(), standard_error=0.3, seed=5)
    tutor.test(simulated(0.0, 6))
    known, unknown = tutor.edge([("known", 1.0, 0.0)], (0, 1)), tutor.edge([("unknown", 1.0, 2.0)], (0, 1))
    rng = np.random.default_rng(0)
    drawn = rng.choice(tutor._posterior.grid, p=tutor._posterior.weights, size=200_000)
    exact = expit(drawn - rng.normal(1.0, 2.0, size=200_000)).mean()
    assert known[0].success < unknown[0].success < 0.5
    assert unknown[0].success == pytest.approx(exact, abs=0.01)


def test_what_is_refused():
    with pytest.raises(ValueError, match="standard_error above 0"):
        Tutor(scale(), standard_error=0.0)
    with pytest.raises(ValueError, match="choices above 0"):
        Tutor(scale(), choices=0)
    tutor = Tutor(scale())
    tutor.tell("i000", True)
    with pytest.raises(ValueError, match="not answered yet, got 'i000'"):
        tutor.tell("i000", True)
    with pytest.raises(KeyError):
        tutor.tell("nobody", True)
    with pytest.raises(ValueError, match="two rising probabilities"):
        tutor.edge([("p", 0.0, 0.0)], (0.7, 0.3))
