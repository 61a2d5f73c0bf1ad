"""What one problem's attempts are worth: the few formulas that named curriculum signals come down to.

All take arrays (n,) and give an array (n,); p = k/n is the share solved. With rewards of 0 and 1 and the
value V = p, positive value loss, Rasch information and the variance of rewards are all p(1-p), the L1 value
loss is 2p(1-p), and MaxMC is AZR's 1-p wherever something was solved, so a name is mostly a kernel and what
is asked for. Unknown is NaN.
"""

from __future__ import annotations

import numpy as np

from curricula.base import Floats


def share(solved: Floats, tried: Floats, least: int = 2) -> Floats:
    """p = k/n; NaN with fewer than ``least`` attempts, at least 1."""
    enough = tried >= least
    return np.where(enough, solved / np.where(enough, tried, 1), np.nan)


def learnability(solved: Floats, tried: Floats) -> Floats:
    """k(n-k)/(n(n-1)): unbiased for the variance p(1-p); NaN where n < 2.

    The plug-in p̂(1-p̂) is low by a factor (n-1)/n. At n = 2 and k = 1 the estimate is 1/2. Sampling for
    learnability, Rutherford et al. 2024 (arXiv 2408.15099).
    """
    enough = tried >= 2
    n = np.where(enough, tried, 2)
    return np.where(enough, solved * (n - solved) / (n * (n - 1)), np.nan)


def positive_value_loss(solved: Floats, tried: Floats) -> Floats:
    """mean max(A, 0) of the advantages A = reward - p: p(1-p), estimated without bias.

    Jiang et al. 2021 (Replay-guided adversarial environment design, arXiv 2110.02439).
    """
    return learnability(solved, tried)


def l1_value_loss(solved: Floats, tried: Floats) -> Floats:
    """mean |A| of the advantages A = reward - p: 2p(1-p), estimated without bias.

    Jiang et al. 2021 (Prioritized level replay, arXiv 2010.03934).
    """
    return 2 * learnability(solved, tried)


def one_sided(p: Floats) -> Floats:
    """1-p where anything was solved, else 0: rare success is worth most, none nothing.

    The proposer's reward in Absolute Zero, Zhao et al. 2025 (arXiv 2505.03335), equation 4.
    """
    return np.where(np.isnan(p), np.nan, np.where(p > 0, 1 - p, 0.0))


def max_monte_carlo(p: Floats, ever: Floats) -> Floats:
    """mean(Rmax - V) with V = p and Rmax the best reward so far, ``ever`` (1 or 0): Rmax - p, not below 0.

    Jiang et al. 2021 (arXiv 2110.02439), MaxMC.
    """
    return np.maximum(ever - p, 0.0)


def triangle(p: Floats) -> Floats:
    """1 - 2|p - 1/2|: 1 at one half, falling straight to 0 at both ends."""
    return 1 - 2 * np.abs(p - 0.5)


def parabola(p: Floats) -> Floats:
    """4p(1-p): 1 at one half, 0 at both ends, flat about the middle."""
    return 4 * p * (1 - p)


def uncertainty(p: Floats) -> Floats:
    """min(p, 1-p): half the triangle. R-Zero, Huang et al. 2025 (arXiv 2508.05004), as its code has it."""
    return np.minimum(p, 1 - p)


def variance_bell(p: Floats) -> Floats:
    """exp(-(Var - 0.25)²/(2·0.01)) of the rewards' variance Var = p(1-p): 1 at one half.

    SPICE, Liu et al. 2025 (arXiv 2510.24684).
    """
    return np.exp(-((p * (1 - p) - 0.25) ** 2) / (2 * 0.01))


def reweighted(p: Floats, theta: float) -> Floats:
    """f(p) = p(1-θ)/(p + θ(1-2p)): from 0 to 1, and steep near 0 for a small θ.

    Kanitscheider et al. 2021 (arXiv 2106.14876); OMNI, Zhang et al. 2023 (arXiv 2306.01711), θ = 0.1.
    """
    return p * (1 - theta) / (p + theta * (1 - 2 * p))


def change(fast: Floats, slow: Floats, theta: float) -> Floats:
    """|f(fast) - f(slow)| of a fast and a slow average of success: progress, or forgetting."""
    return np.abs(reweighted(fast, theta) - reweighted(slow, theta))


def gap(best: Floats, mean: Floats) -> Floats:
    """max(0, best - mean): the regret between two of a population, or one population's best and mean.

    PAIRED, Dennis et al. 2020 (arXiv 2012.02096). NaN where either is: nothing was compared.
    """
    return np.maximum(best - mean, 0.0)


def information(discrimination: float, p: Floats) -> Floats:
    """a²P(1-P): the Fisher information that one answer holds about the ability.

    Two-parameter logistic model; Lord 1980, Applications of item response theory.
    """
    return discrimination**2 * p * (1 - p)
