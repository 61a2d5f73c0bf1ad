import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from culture.seeds import generator
from curricula.sampler import Sampler, apportion, ranks

SCORES = st.integers(1, 30).flatmap(
    lambda n: arrays(np.float64, n, elements=st.one_of(st.floats(-1e6, 1e6), st.just(float("nan"))))
)


def test_ranks_share_ties_and_put_unknown_last():
    found = ranks(np.array([0.2, 0.9, np.nan, 0.2, np.nan]))
    assert found.tolist() == [2.5, 1.0, 4.5, 2.5, 4.5]


def test_probabilities_are_the_formula_of_prioritized_level_replay():
    # β = 0.5: ranks 1, 2, 3 weigh 1, 1/4, 1/9; ages 0, 1, 3 are 0, 1/4, 3/4 of the staleness.
    p = Sampler(0.5, 0.2).probabilities(np.array([9.0, 5.0, 1.0]), np.array([0.0, 1.0, 3.0]))
    by_rank = np.array([1, 1 / 4, 1 / 9]) / (1 + 1 / 4 + 1 / 9)
    np.testing.assert_allclose(p, 0.8 * by_rank + 0.2 * np.array([0, 1 / 4, 3 / 4]))


def test_no_staleness_yet_is_even():
    p = Sampler(1.0, 1.0).probabilities(np.array([3.0, 2.0]), np.zeros(2))
    assert p.tolist() == [0.5, 0.5]


def test_small_temperature_is_greedy_without_underflow():
    scores = np.arange(5000.0)
    p = Sampler(1e-4, 0.0).probabilities(scores, np.zeros(5000))
    assert p[-1] == 1.0
    tied = Sampler(1e-4, 0.0).probabilities(np.zeros(5000), np.zeros(5000))
    np.testing.assert_allclose(tied, 1 / 5000)


def test_top_k_leaves_the_rest_to_staleness():
    scores, age = np.array([1.0, 4.0, 3.0, 2.0]), np.array([1.0, 0.0, 0.0, 0.0])
    p = Sampler(1.0, 0.5, top_k=2).probabilities(scores, age)
    np.testing.assert_allclose(p, [0.5, 0.5 * 2 / 3, 0.5 / 3, 0.0])


def test_top_k_below_a_tie_for_the_best_keeps_the_whole_tie():
    p = Sampler(1.0, 0.0, top_k=1).probabilities(np.array([2.0, 2.0, 2.0, 1.0]), np.zeros(4))
    np.testing.assert_allclose(p, [1 / 3, 1 / 3, 1 / 3, 0])


@given(SCORES, st.floats(1e-3, 1e3), st.floats(0, 1), st.one_of(st.none(), st.integers(1, 40)))
def test_probabilities_are_a_distribution_that_follows_the_scores(scores, temperature, staleness, top_k):
    age = np.zeros(len(scores))
    p = Sampler(temperature, staleness, top_k).probabilities(scores, age)
    assert p.shape == scores.shape and (p >= 0).all()
    assert p.sum() == pytest.approx(1)
    better = scores[:, None] > scores[None, :]
    assert (p[:, None] >= p[None, :] - 1e-12)[better].all()


@given(SCORES, st.integers(0, 40), st.integers(0, 1000))
def test_distinct_draws_are_distinct_and_as_many_as_there_are(scores, size, seed):
    age = np.ones(len(scores))
    drawn = Sampler(1.0, 0.1).draw_distinct(scores, age, size, generator(seed, "draw"))
    assert len(set(drawn.tolist())) == len(drawn) == min(size, len(scores))


def test_draws_happen_as_often_as_their_probability():
    scores, age = np.array([3.0, 2.0, 1.0]), np.array([0.0, 2.0, 2.0])
    sampler, rng = Sampler(1.0, 0.3), generator(0, "draw")
    p = sampler.probabilities(scores, age)
    share = np.bincount(sampler.draw(scores, age, 20_000, rng), minlength=3) / 20_000
    np.testing.assert_allclose(share, p, atol=0.015)
    first = [sampler.draw_distinct(scores, age, 1, rng)[0] for _ in range(8_000)]
    np.testing.assert_allclose(np.bincount(first, minlength=3) / 8_000, p, atol=0.025)


def test_nothing_to_draw_from():
    sampler, rng = Sampler(1.0, 0.1), generator(0, "draw")
    assert sampler.draw(np.zeros(0), np.zeros(0), 5, rng).tolist() == []
    assert sampler.draw_distinct(np.zeros(0), np.zeros(0), 5, rng).tolist() == []


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="expected scores and ages of one shape"):
        Sampler(1.0, 0.1).probabilities(np.zeros(3), np.zeros(2))


@given(
    st.integers(0, 10_000),
    st.lists(st.integers(0, 50), min_size=1, max_size=8).filter(any),
    st.integers(0, 99),
)
def test_apportioned_parts_sum_and_stay_within_one(n, weights, seed):
    shares = np.array(weights) / sum(weights)
    parts = apportion(n, shares, generator(seed, "apportion"))
    assert sum(parts) == n
    for part, share in zip(parts, shares, strict=True):
        assert part >= 0 and abs(part - n * share) < 1 + 1e-6


def test_small_shares_get_their_due_on_average():
    rng = generator(0, "apportion")
    parts = np.array([apportion(1, np.array([0.4, 0.4, 0.2]), rng) for _ in range(4000)])
    np.testing.assert_allclose(parts.mean(axis=0), [0.4, 0.4, 0.2], atol=0.03)
