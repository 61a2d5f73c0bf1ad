"""Formulas on values worked by hand, from textbooks, or from other implementations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from analysis.measures.attractors import attractor, line
from analysis.measures.citations import Used, gini, lifetimes, survival
from analysis.measures.conformity import adopted, bent, conformity
from analysis.measures.diversity import distinct, f_st, varied, vendi
from analysis.measures.estimate import Estimate, NothingToMeasure, jackknife
from analysis.measures.fidelity import decay, fidelity, half_life
from analysis.measures.health import entropy
from analysis.measures.logistic import logistic
from analysis.measures.prestige import Chance, prestige
from analysis.measures.price import price
from analysis.measures.ratchet import paired
from analysis.measures.zone import grid, occupied
from curricula.emergence import mean

SIX_MP = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
ENDED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
"""Weeks in remission on 6-mercaptopurine: Freireich et al. 1963, Blood 21; a textbook's example."""


# -- the jackknife --------------------------------------------------------------------------------------
def test_the_jackknife_of_a_mean_is_students_t() -> None:
    x = np.random.default_rng(0).normal(size=25)
    found = jackknife(lambda kept: float((kept @ x) / kept.sum()), 25, 25)
    t = mean(x)
    assert (found.value, found.low, found.high) == pytest.approx((t.value, t.low, t.high))


def test_no_interval_of_few_clusters_or_where_nothing_varies() -> None:
    assert jackknife(lambda kept: float(kept.sum()), 9, 9) == Estimate(9.0, None, None, 9)
    assert jackknife(lambda kept: 1.0, 30, 30) == Estimate(1.0, None, None, 30)


# -- fidelity ---------------------------------------------------------------------------------------------
def test_half_is_lost_a_step() -> None:
    rate = decay([1, 2, 3], [0.5, 0.25, 0.125])
    assert rate == pytest.approx(math.log(2), abs=1e-6) and half_life(rate) == pytest.approx(1, abs=1e-5)


def test_one_step_is_its_mean() -> None:
    assert math.exp(-decay([1, 1], [0.6, 0.8])) == pytest.approx(0.7, abs=1e-6)


def test_decay_is_what_least_squares_of_scipy_finds() -> None:
    rng = np.random.default_rng(3)
    k = rng.integers(1, 6, 200)
    f = np.exp(-0.3 * k) + rng.normal(0, 0.05, 200)
    ((rate,), _) = optimize.curve_fit(lambda x, r: np.exp(-r * x), k, f, p0=[1.0])
    assert decay(k, f) == pytest.approx(rate, abs=1e-5)
    found = fidelity(k, f, np.arange(200) // 4)
    assert found.decay.low is not None and found.decay.low < 0.3 < (found.decay.high or 0)
    assert found.by_step[1].value == pytest.approx(f[k == 1].mean()) and found.chains == 50
    assert found.half_life.low == pytest.approx(math.log(2) / (found.decay.high or 0))


def test_what_is_kept_has_no_half_life() -> None:
    found = fidelity([1, 2], [1.0, 1.0], ["a", "a"])
    assert found.decay.value == 0 and found.half_life.value == math.inf


@pytest.mark.parametrize("steps", [[], [0, 1]])
def test_fidelity_needs_steps(steps: list[int]) -> None:
    with pytest.raises(NothingToMeasure, match="steps of 1 or more"):
        decay(steps, [1.0] * len(steps))


# -- attractors -------------------------------------------------------------------------------------------
def test_an_attractor_by_hand() -> None:
    found = attractor([0, 2, 4], [2, 3, 4], ["a", "b", "c"])
    assert (found.slope.value, found.intercept) == pytest.approx((0.5, 2.0))
    assert found.position is not None and found.position.value == pytest.approx(4.0)
    assert found.strength is not None and found.strength.value == pytest.approx(0.5)


def test_the_line_is_scipys() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(10, 3, 60)
    y = 0.4 * x + 6 + rng.normal(size=60)
    other = stats.linregress(x, y)
    assert line(x, y) == pytest.approx((other.slope, other.intercept))
    found = attractor(x, y, np.arange(60))
    assert found.position is not None and found.position.low is not None
    assert found.position.low < 10 < (found.position.high or 0)


def test_nothing_attracts_where_differences_grow() -> None:
    found = attractor([0, 1, 2], [0, 2, 4], ["a", "b", "c"])
    assert found.slope.value == pytest.approx(2) and found.position is None and found.strength is None


def test_chains_that_begin_alike_have_no_line() -> None:
    with pytest.raises(NothingToMeasure, match="begin differently"):
        attractor([3, 3, 3], [1, 2, 3], ["a", "b", "c"])
    with pytest.raises(NothingToMeasure, match="got 0"):
        attractor([], [], [])


# -- diversity --------------------------------------------------------------------------------------------
def test_vendi() -> None:
    assert vendi(np.eye(5)) == pytest.approx(5)
    assert vendi(np.ones((5, 5))) == pytest.approx(1)
    # eigenvalues of K/2 are 3/4 and 1/4
    assert vendi([[1, 0.5], [0.5, 1]]) == pytest.approx(
        math.exp(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    )
    with pytest.raises(ValueError, match="1 to itself"):
        vendi([[2.0]])
    with pytest.raises(NothingToMeasure):
        vendi(np.zeros((0, 0)))


@given(st.integers(1, 5), st.integers(1, 6))
def test_copies_change_no_vendi_score(copies: int, n: int) -> None:
    x = np.random.default_rng(n).normal(size=(n, 4))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    more = np.repeat(x, copies, axis=0)
    assert vendi(more @ more.T) == pytest.approx(vendi(x @ x.T))


def test_distinct() -> None:
    assert distinct(["the cat the cat"], 1) == 2 / 4 and distinct(["the cat the cat"], 2) == 2 / 3
    assert distinct(["kavobu A12;Qa3;", "kavobu A12;"], 1) == 3 / 5
    assert math.isnan(distinct(["kavobu"], 2)) and varied(["kavobu"]) == {1: 1.0}
    with pytest.raises(ValueError, match="1 or more"):
        distinct(["a"], 0)


def kernel(x: np.ndarray) -> np.ndarray:
    """Similarities whose 2(1 - K) are the squared distances."""
    return 1 - (x[:, None] - x[None]) ** 2 / 2


def test_f_st_of_one_number_is_the_intraclass_correlation() -> None:
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(4), [5, 8, 6, 9])
    x = rng.normal(size=28) + np.array([0.0, 1.0, -1.0, 0.5])[groups]
    f = stats.f_oneway(*(x[groups == g] for g in range(4))).statistic
    sizes = np.bincount(groups)
    n0 = (28 - (sizes**2).sum() / 28) / 3
    assert f_st(kernel(x), groups).value == pytest.approx((f - 1) / (f - 1 + n0))


def test_f_st_left_one_out_is_f_st_of_the_rest() -> None:
    rng = np.random.default_rng(6)
    groups = rng.integers(0, 3, 15)
    x = rng.normal(size=15) + groups
    every = np.arange(15)
    naive = [f_st(kernel(x[every != i]), groups[every != i]).value for i in range(15)]
    spread = math.sqrt(14 / 15 * ((np.array(naive) - np.mean(naive)) ** 2).sum())
    found = f_st(kernel(x), groups)
    assert found.low == pytest.approx(found.value - stats.t.ppf(0.975, 14) * spread)


def test_f_st_is_1_between_and_about_0_by_chance() -> None:
    assert f_st(kernel(np.array([0.0, 0.0, 1.0, 1.0])), list("aabb")).value == pytest.approx(1)
    by_chance = [
        f_st(kernel(np.random.default_rng(i).normal(size=20)), np.arange(20) % 4).value for i in range(200)
    ]
    assert abs(np.mean(by_chance)) < 0.03
    with pytest.raises(NothingToMeasure, match="two groups"):
        f_st(np.eye(3), ["a", "a", "a"])


# -- conformity -------------------------------------------------------------------------------------------
def test_boyd_and_richersons_rule() -> None:
    # three of four have it, D = 0.4: 0.75 + 0.4 x 0.75 x 0.25 x 0.5
    assert adopted([0.75, 0.5, 0, 1], 0.4) == pytest.approx([0.7875, 0.5, 0, 1])
    assert bent(1 / 2 + 1 / math.sqrt(12)) == pytest.approx(0.0962, abs=1e-4)


def test_conformity_is_found_again() -> None:
    p = np.tile([0.25, 1 / 3, 0.5, 2 / 3, 0.75], 20)
    found = conformity(p, 0.5 * adopted(p, 0.8), np.arange(100) // 5)
    assert (found.conformity.value, found.copying.value) == pytest.approx((0.8, 0.5))


def test_conformity_by_chance_has_an_interval_that_holds() -> None:
    rng = np.random.default_rng(8)
    p = rng.choice([1 / 3, 2 / 3], 6000)
    found = conformity(p, rng.random(6000) < 0.6 * adopted(p, 1.0), np.arange(6000) // 6)
    assert found.conformity.low is not None and found.conformity.low < 1 < (found.conformity.high or 0)
    assert found.conformity.low > 0


@pytest.mark.parametrize("p", [[], [0.5, 0.5], [0.75, 0.75]])
def test_conformity_needs_shares_that_differ(p: list[float]) -> None:
    with pytest.raises(NothingToMeasure, match="different shares"):
        conformity(p, [1.0] * len(p), ["a"] * len(p))


# -- prestige ---------------------------------------------------------------------------------------------
def table(a: int, b: int, c: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Of those with the property ``a`` yes and ``b`` no, of those without it ``c`` and ``d``."""
    x = np.repeat([1.0, 1.0, 0.0, 0.0], [a, b, c, d])
    return np.column_stack([np.ones_like(x), x]), np.repeat([1, 0, 1, 0], [a, b, c, d])


def test_a_logistic_regression_of_four_counts() -> None:
    x, y = table(10, 20, 30, 5)
    fit = logistic(x, y, np.arange(65))
    assert fit.coefficients[1] == pytest.approx(math.log(10 * 5 / (20 * 30)))
    # with a coefficient a cell the robust variance is the classical one, but for G/(G-1)
    woolf = math.sqrt((1 / 10 + 1 / 20 + 1 / 30 + 1 / 5) * 65 / 64)
    assert fit.errors[1] == pytest.approx(woolf)


def test_a_logistic_regression_is_scikit_learns() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(2)
    x = np.column_stack([np.ones(300), rng.normal(size=(300, 3))])
    y = rng.random(300) < 1 / (1 + np.exp(-(x @ [-0.5, 1.0, -2.0, 0.3])))
    other = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=1000).fit(x, y)
    fit = logistic(x, y, np.arange(300) // 5)
    assert fit.coefficients == pytest.approx(other.coef_[0], abs=1e-5)
    twice = logistic(np.vstack([x, x]), np.tile(y, 2), np.tile(np.arange(300) // 5, 2))
    assert twice.errors == pytest.approx(fit.errors)  # saying the same twice makes nothing surer


@pytest.mark.parametrize(
    ("x", "y", "what"),
    [
        ([[1.0, 0.0], [1.0, 1.0]], [1, 1], "both kinds"),
        ([[1.0, 2.0], [1.0, 2.0]], [0, 1], "follow from one another"),
        ([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 3.0]], [0, 0, 1, 1], "without error"),
    ],
)
def test_a_likelihood_without_a_maximum(x: list[list[float]], y: list[int], what: str) -> None:
    with pytest.raises(NothingToMeasure, match=what):
        logistic(x, y, range(len(y)))


def citing(bias: float, authors: int = 40) -> list[Chance]:
    rng = np.random.default_rng(11)
    found = []
    for i in range(4000):
        author, age, own = int(rng.integers(authors)), int(rng.integers(1, 9)), int(rng.integers(3))
        logit = -1.5 + bias * math.log1p(author % 8) + 0.7 * (i % 2) - 0.2 * math.log1p(age)
        cited = bool(rng.random() < 1 / (1 + math.exp(-logit)))
        found.append(Chance(f"a{author}", f"n{i}", cited, author % 8, bool(i % 2), age, own))
    return found


def test_prestige_is_found_and_quality_is_not_taken_for_it() -> None:
    found = prestige(citing(0.8))
    assert found.authors.low is not None and found.authors.low < 0.8 < (found.authors.high or 0)
    assert found.authors.low > 0.5
    confirmed = found.others["confirmed"]
    assert confirmed.low is not None and confirmed.low < 0.7 < (confirmed.high or 0)
    none = prestige(citing(0.0)).authors
    assert none.low is not None and none.low < 0 < (none.high or 0)


def test_prestige_leaves_out_what_does_not_vary_and_few_authors_give_no_interval() -> None:
    some = [Chance(c.author, c.note_id, c.cited, c.authors, True, 3, c.own) for c in citing(0.8, 8)]
    found = prestige(some)
    assert found.left_out == ("confirmed", "age") and list(found.others) == ["own citations"]
    assert found.authors.low is None
    with pytest.raises(NothingToMeasure, match="three authors"):
        prestige([c for c in citing(0.8) if c.author in ("a1", "a2")])


# -- the Price equation -----------------------------------------------------------------------------------
def test_the_price_equation_by_hand() -> None:
    # w of mean 1: Cov(w, z) = 8/3 - 2; E[w dz] = (0 + 0 + 2)/3; followers' mean 10/3, that of all 2
    found = price([1, 2, 3], [0, 1, 2], [math.nan, 2, 4])
    assert found.selection.value == pytest.approx(2 / 3)
    assert found.transmission.value == pytest.approx(2 / 3)
    assert found.total.value == pytest.approx(10 / 3 - 2)


@given(st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 4), st.floats(-5, 5)), min_size=2, max_size=30))
def test_selection_and_transmission_make_the_whole_change(rows: list[tuple[float, int, float]]) -> None:
    z, w, after = (np.array(column, float) for column in zip(*rows, strict=True))
    if not w.sum():
        with pytest.raises(NothingToMeasure):
            price(z, w, after)
        return
    found = price(z, w, after)
    covariance = np.cov(z, w, bias=True)[0, 1]
    assert found.selection.value == pytest.approx(covariance / w.mean(), abs=1e-9)
    assert found.total.value == pytest.approx((w @ after) / w.sum() - z.mean(), abs=1e-9)


def test_followers_are_counted_from_0() -> None:
    with pytest.raises(ValueError, match="0 followers or more"):
        price([1, 2], [1, -1], [1, 2])


# -- attention --------------------------------------------------------------------------------------------
def test_gini() -> None:
    assert gini([0, 0, 0, 1]).value == pytest.approx(1)  # 3/4 x 4/3
    assert gini([2, 2, 2]).value == pytest.approx(0)
    assert gini([1, 3]).value == pytest.approx(0.5)  # |1 - 3| x 2 / (2 x 4 x 2) x 2
    with pytest.raises(NothingToMeasure, match="not all 0"):
        gini([0, 0])
    with pytest.raises(ValueError, match="0 or more"):
        gini([-1, 2])


def test_gini_left_one_out_is_gini_of_the_rest() -> None:
    x = np.random.default_rng(4).poisson(2, 30).astype(float)
    differences = np.abs(x[:, None] - x).sum() / (2 * 30 * 29 * x.mean())
    found = gini(x)
    assert found.value == pytest.approx(differences)
    naive = np.array([gini(np.delete(x, i)).value for i in range(30)])
    spread = math.sqrt(29 / 30 * ((naive - naive.mean()) ** 2).sum())
    assert found.high == pytest.approx(found.value + stats.t.ppf(0.975, 29) * spread)


def test_kaplan_and_meier_of_a_textbook() -> None:
    found = survival(SIX_MP, ENDED)
    at = dict(zip(found.times, zip(found.alive, found.low, found.high, strict=True), strict=True))
    # survival and Greenwood's error at 6 weeks are 0.857 and 0.0764; by ln(-ln S) the interval is as here
    assert at[6] == pytest.approx((0.857, 0.620, 0.952), abs=5e-4)
    assert [at[t][0] for t in (7, 10, 13, 16, 22, 23)] == pytest.approx(
        [0.807, 0.753, 0.690, 0.627, 0.538, 0.448], abs=5e-4
    )
    assert found.half_life == Estimate(23, 13, math.inf, 21) and found.ended == 9


def test_a_half_that_is_not_reached() -> None:
    assert survival([1, 5, 5, 5], [1, 0, 0, 0]).half_life == Estimate(math.inf, None, None, 4)
    with pytest.raises(NothingToMeasure, match="last use"):
        survival([1, 2], [0, 0])


def test_a_note_in_use_has_not_had_its_last_use() -> None:
    notes = [Used("a", 0, 1, 2), Used("b", 0, 0, 0), Used("c", 4, 2, 9)]
    found = lifetimes(notes, 10)
    # two are over, after 2 and 0 rounds; the third was in use in round 5, the last that is looked at
    assert found.ended == 2 and found.half_life.value == 2
    assert found.times.tolist() == [0, 1, 2] and found.alive.tolist() == pytest.approx([2 / 3, 2 / 3, 0])


def test_the_half_life_is_not_longer_in_a_short_run() -> None:
    rng = np.random.default_rng(3)
    begun = rng.integers(0, 20, 4000)
    until = begun + rng.geometric(0.15, 4000) - 1  # in use in each round with 0.85; the median is 4
    notes = [
        Used(str(k), int(b), 1, int(min(u, 20))) for k, (b, u) in enumerate(zip(begun, until, strict=True))
    ]
    assert lifetimes(notes, 20).half_life.value == 4


# -- the ratchet, health, the zone ------------------------------------------------------------------------
def test_pairs() -> None:
    found = paired({"a": 1.0, "b": 1.0, "c": 0.0, "x": 1.0}, {"a": 0.0, "b": 1.0, "c": 0.0, "y": 0.0})
    t = stats.ttest_rel([1, 1, 0], [0, 1, 0]).confidence_interval()
    assert (found.value, found.low, found.high, found.n) == pytest.approx((1 / 3, t.low, t.high, 3))
    with pytest.raises(NothingToMeasure, match="both answered"):
        paired({"a": 1.0}, {"b": 1.0})


def test_entropy() -> None:
    assert entropy([-2.0, -4.0], [1, 3]).value == pytest.approx(1.5)
    rng = np.random.default_rng(9)
    p = np.array([0.5, 0.25, 0.25])  # 1.5 ln 2
    drawn = np.log(p[rng.choice(3, (200, 10), p=p)])
    found = entropy(drawn.sum(axis=1), np.full(200, 10))
    assert found.low is not None and found.low < 1.5 * math.log(2) < (found.high or 0)
    with pytest.raises(NothingToMeasure):
        entropy([], [])


def test_cells_that_are_occupied() -> None:
    # two of one cell are both out of the zone one time in four
    assert occupied([0.5, 0.5, 1.0], [7, 7, 3]) == pytest.approx((2 / 3, 1.75))
    with pytest.raises(NothingToMeasure):
        occupied([], [])


def test_a_grid() -> None:
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [1.0, 0.96]])
    cells = grid(corners, 10)
    assert len(set(cells.tolist())) == 4 and cells[3] == cells[4]
    assert grid(np.ones((3, 2))).tolist() == [0, 0, 0]
