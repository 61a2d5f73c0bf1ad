from __future__ import annotations

import girth
import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import expit

from curricula.calibration import NotCalibrated, Responses, Scale, calibrate, rows_of
from curricula.irt import probability


def simulated(seed, learners, items, *, spread=1.3, discriminations=0.0, mean=0.3, deviation=1.2):
    """Parameters in the scale's own origin and unit, and answers."""
    rng = np.random.default_rng(seed)
    b, log_a = rng.normal(0, spread, items), rng.normal(0, 1, items) * discriminations
    b, log_a = b - b.mean(), log_a - log_a.mean()
    theta = rng.normal(mean, deviation, learners)
    x = (rng.uniform(size=(learners, items)) < probability(theta[:, None], b, np.exp(log_a))).astype(float)
    return b, log_a, theta, x


def responses(x) -> Responses:
    learners, items = ([f"{c}{i:04d}" for i in range(n)] for c, n in zip("vi", x.shape, strict=True))
    return Responses.of(rows_of(learners, items, x))


def difficulties(scale: Scale) -> np.ndarray:
    return np.array([i.difficulty for i in scale.items])


def holds(squares) -> bool:
    """Whether squared distances in standard errors are as chi-squared as they should be."""
    total = stats.chi2(len(squares)).sf(np.sum(squares))
    return bool(1e-3 < total < 1 - 1e-3)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_rasch_parameters_are_recovered(seed):
    b, _, theta, x = simulated(seed, 500, 40)
    found = calibrate(responses(x))
    errors = np.array([i.standard_error for i in found.items])
    assert holds(((difficulties(found) - b) / errors) ** 2)
    assert np.mean(errors) < 0.15
    abilities = list(found.abilities(responses(x)).values())
    z = [(a.value - t) / a.standard_error for a, t in zip(abilities, theta, strict=True)]
    assert holds(np.square(z))
    # the population's mean is as uncertain as that of 500 draws, its deviation too
    assert found.mean == pytest.approx(0.3, abs=4 * 1.2 / np.sqrt(500))
    assert found.deviation == pytest.approx(1.2, abs=4 * 1.2 / np.sqrt(1000))


def test_two_parameters_are_recovered():
    b, log_a, _, x = simulated(4, 1500, 25, discriminations=0.3)
    found = calibrate(responses(x), "2pl")
    errors = np.array([i.standard_error for i in found.items])
    assert holds(((difficulties(found) - b) / errors) ** 2)
    ours = np.log([i.discrimination for i in found.items])
    errors = np.array([i.log_discrimination_error for i in found.items])
    assert holds(((ours - log_a) / errors) ** 2)
    assert np.exp(ours.mean()) == pytest.approx(1)
    # Rasch's model cannot say so
    assert {i.discrimination for i in calibrate(responses(x), errors=False).items} == {1.0}


def test_marginal_maximum_likelihood_agrees_with_girth():
    """In girth abilities are standard normal and the unit is the discrimination's."""
    _, _, _, x = simulated(6, 800, 20)
    theirs = girth.onepl_mml(x.T.astype(int))
    unit = theirs["Discrimination"]
    ours = calibrate(responses(x))
    b = theirs["Difficulty"]
    errors = np.array([i.standard_error for i in ours.items])
    # a prior of variance 1 or more pulls a difficulty by b / (1 + 1 / error^2) at most
    pull = np.abs(difficulties(ours)) * errors**2
    assert (np.abs(difficulties(ours) - unit * (b - b.mean())) < 0.15 * errors + pull).all()
    assert ours.deviation == pytest.approx(unit, rel=0.02)
    assert ours.mean == pytest.approx(-unit * b.mean(), abs=0.02)


def test_two_parameters_agree_with_girth():
    _, _, _, x = simulated(7, 1500, 15, discriminations=0.3)
    theirs = girth.twopl_mml(x.T.astype(int))
    unit = np.exp(np.log(theirs["Discrimination"]).mean())
    ours = calibrate(responses(x), "2pl")
    b = theirs["Difficulty"]
    errors = np.array([i.standard_error for i in ours.items])
    assert (np.abs(difficulties(ours) - unit * (b - b.mean())) < 0.5 * errors).all()
    log_a = np.log(theirs["Discrimination"] / unit)
    assert np.abs(np.log([i.discrimination for i in ours.items]) - log_a).max() < 0.1


def test_joint_maximum_likelihood_agrees_after_its_correction():
    """A logistic regression with an indicator of every learner and item is biased by L / (L - 1) (Wright
    and Douglas 1977); what is left of the difference is what the integration over a normal costs."""
    _, _, _, x = simulated(8, 400, 30)
    x = x[(x.sum(axis=1) > 0) & (x.sum(axis=1) < 30)]
    n, items = x.shape

    def loss(parameters):
        z = parameters[:n, None] - parameters[n:]
        p = expit(z)
        gradient = np.concatenate([(p - x).sum(axis=1), (x - p).sum(axis=0)])
        return float((np.logaddexp(0, z) - x * z).sum()), gradient

    joint = optimize.minimize(
        loss, np.zeros(n + items), jac=True, method="L-BFGS-B", options={"maxiter": 5000}
    )
    b = (joint.x[n:] - joint.x[n:].mean()) * (items - 1) / items
    ours = calibrate(responses(x))
    errors = np.array([i.standard_error for i in ours.items])
    assert (np.abs(difficulties(ours) - b) < errors).all()
    assert np.polyfit(difficulties(ours), b, 1)[0] == pytest.approx(1, abs=0.05)


def test_items_that_nobody_or_everybody_solved_are_placed_by_their_cells_and_marked():
    rng = np.random.default_rng(9)
    cells = np.repeat([-3.0, 0.0, 3.0], 12)
    b = cells + rng.normal(0, 0.3, 36)
    theta = rng.normal(0, 0.8, 12)
    x = (rng.uniform(size=(12, 36)) < probability(theta[:, None], b)).astype(float)
    x[:, 24], x[:, 0] = 0.0, 1.0
    rows = [(f"v{v:02d}", f"i{i:02d}", str(cells[i]), bool(x[v, i])) for v in range(12) for i in range(36)]
    found = calibrate(Responses.of(rows))
    nobody, everybody = found.item("i24"), found.item("i00")
    assert (nobody.bound, everybody.bound) == ("above", "below")
    assert found.item("i12").bound is None
    assert np.isfinite([i.difficulty for i in found.items]).all()
    hard = [i.difficulty for i in found.items if i.cell == "3.0"]
    assert max(hard) >= nobody.difficulty > np.mean([i.difficulty for i in found.items if i.cell == "0.0"])
    # without cells it is only known to be hard, and drawn towards all others
    alone = calibrate(Responses.of([(v, i, "", r) for v, i, _, r in rows]))
    assert alone.item("i24").difficulty < nobody.difficulty
    assert nobody.standard_error < alone.item("i24").standard_error


def test_a_cell_that_nobody_solved_stays_finite():
    """With discriminations that are free, nothing but the priors holds it."""
    rng = np.random.default_rng(10)
    b = np.repeat([-4.0, -2.0, 0.0, 12.0], 12)
    theta = np.linspace(-5, -1, 10)
    x = (rng.uniform(size=(10, 48)) < probability(theta[:, None], b)).astype(float)
    assert x[:, 36:].sum() == 0
    rows = [(f"v{v}", f"i{i:02d}", str(b[i]), bool(x[v, i])) for v in range(10) for i in range(48)]
    for model in ("1pl", "2pl"):
        found = calibrate(Responses.of(rows), model)
        assert np.abs(difficulties(found)).max() < 15
        assert {i.bound for i in found.items if i.cell == "12.0"} == {"above"}


def test_runs_with_anchors_in_common_are_on_one_scale():
    """Two groups that answered different tests, a third of the items in common."""
    b, _, theta, x = simulated(11, 400, 36)
    theta[200:] += 1.5
    rng = np.random.default_rng(12)
    x = (rng.uniform(size=x.shape) < probability(theta[:, None], b)).astype(float)
    x[:200, 24:] = np.nan
    x[200:, :12] = np.nan
    found = calibrate(responses(x))
    errors = np.array([i.standard_error for i in found.items])
    assert holds(((difficulties(found) - b) / errors) ** 2)
    # what is most likely; expected abilities are drawn to the mean of both groups
    abilities = [a.value for a in found.abilities(responses(x), method="mle").values()]
    known = np.array([value is not None for value in abilities])
    of = np.array([np.nan if value is None else value for value in abilities])
    gap = np.nanmean(of[200:]) - np.nanmean(of[:200])
    low, high = np.arange(400) < 200, np.arange(400) >= 200
    assert gap == pytest.approx(theta[high & known].mean() - theta[low & known].mean(), abs=0.25)


def test_fit_tells_who_guesses():
    b, *_, x = simulated(13, 200, 50)
    x[0] = np.random.default_rng(14).integers(0, 2, 50)
    hardest_first = np.argsort(-b)
    x[1] = 0
    x[1, hardest_first[:25]] = 1  # solves the hard half alone
    scale = calibrate(responses(x), errors=False)
    learners, items = scale.fit(responses(x))
    infit = np.array([v for v, _ in items.values()])
    outfit = np.array([v for _, v in items.values()])
    assert abs(infit.mean() - 1) < 0.05 and abs(outfit.mean() - 1) < 0.15
    assert learners["v0001"][1] > 3
    assert learners["v0000"][1] > np.quantile([v for _, v in learners.values()], 0.9)


def test_one_ability_by_either_method():
    *_, x = simulated(15, 100, 30)
    scale = calibrate(responses(x), errors=False)
    answers = {f"i{i:04d}": bool(v) for i, v in enumerate(x[0])}
    eap, mle = scale.ability(answers), scale.ability({**answers, "unknown": True}, method="mle")
    assert mle.value == pytest.approx(eap.value, abs=0.3) and mle.answers == 30
    assert scale.ability(dict.fromkeys(answers, True), method="mle").value is None
    with pytest.raises(KeyError):
        scale.item("unknown")
    with pytest.raises(ValueError, match="at least one answer"):
        scale.ability({"unknown": True})


def test_the_first_answer_to_an_item_counts():
    found = Responses.of([("v", "i", "c", True), ("v", "i", "c", False), ("v", "j", "d", False)])
    np.testing.assert_array_equal(found.right, [[1, 0]])
    assert found.cells == ("c", "d")


@pytest.mark.parametrize(
    ("x", "told"),
    [
        ([[1, 0, 1]], "at least 2 learners .* got 1 learners"),
        ([[1], [0]], "2 items, got 2 learners and 1"),
        ([[0, 0], [0, 0]], "none right"),
        ([[1, 1], [1, 1]], "none wrong"),
    ],
)
def test_what_fixes_no_scale_is_refused(x, told):
    with pytest.raises(NotCalibrated, match=told):
        calibrate(responses(np.array(x, float)))
