"""ALP-GMM: fresh problems where success changes most (Portelas et al. 2019, arXiv 1910.07224).

A problem's absolute learning progress is |share solved now - share solved at the nearest earlier
problem|, nearest in log difficulty and of an earlier round. A mixture of Gaussians over (log
difficulty, progress) is fitted to the latest ``window`` problems, its number of components chosen by
AIC; a component is drawn in proportion to its mean progress, and a target from its difficulties. A
share of targets is even over all difficulties known so far.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from culture.records import Attempt, Json, Problem
from curricula.base import Candidate, Floats, register
from curricula.config import CurriculumConfig
from curricula.kernels import share
from curricula.selecting import Remembering, counts, difficulties


class Progress:
    """Problems of one domain as rows: log difficulty, share solved, progress (NaN: unknown), round."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self.rows: Floats = np.zeros((0, 4))

    def nearest(self, places: Floats, round: int) -> Floats:
        """The share solved at the nearest problem of before ``round`` (n,), NaN where there is none.

        Of several at one place, the mean of those of its latest round.
        """
        rows = self.rows[self.rows[:, 3] < round]
        if not len(rows):
            return np.full(len(places), np.nan)
        known, at = np.unique(rows[:, 0], return_inverse=True)
        latest = np.full(len(known), -np.inf)
        np.maximum.at(latest, at, rows[:, 3])
        current = rows[:, 3] == latest[at]
        total = np.bincount(at[current], rows[current, 1], len(known))
        shares = total / np.bincount(at[current], minlength=len(known))
        above = np.clip(np.searchsorted(known, places), 0, len(known) - 1)
        below = np.maximum(above - 1, 0)
        nearer = np.abs(known[below] - places) <= np.abs(known[above] - places)
        return np.asarray(shares[np.where(nearer, below, above)], dtype=np.float64)

    def add(self, places: Floats, shares: Floats, round: int) -> None:
        """A round's problems, after forgetting the oldest; their progress is against earlier rounds."""
        progress = np.abs(shares - self.nearest(places, round))
        new = np.column_stack([places, shares, progress, np.full(len(places), float(round))])
        self.rows = np.concatenate([self.rows[-self._memory :], new])


@register
class AlpGmm(Remembering):
    """Fresh problems at difficulties of absolute learning progress."""

    name: ClassVar[str] = "alp_gmm"
    least_attempts: ClassVar[int] = 1

    def __init__(self, config: CurriculumConfig, domains: Sequence[str]) -> None:
        super().__init__(config.asking, domains)
        self._config = config.alp_gmm
        self._progress = {d: Progress(max(config.alp_gmm.memory, config.alp_gmm.window)) for d in domains}

    def _places(self, candidates: Sequence[Candidate]) -> Floats:
        return np.asarray(np.log(np.maximum(difficulties(candidates), self._asking.minimum_target)))

    def score(self, candidates: Sequence[Candidate]) -> Floats:
        """Absolute learning progress (n,), from 0 to 1: 0 before there is anything to compare with.

        NaN without an attempt.
        """
        found = np.full(len(candidates), np.nan)
        for domain, progress in self._progress.items():
            for round in sorted({c.last_round for c in candidates if c.domain == domain}):
                at = [i for i, c in enumerate(candidates) if (c.domain, c.last_round) == (domain, round)]
                mine = [candidates[i] for i in at]
                now, before = share(*counts(mine), least=1), progress.nearest(self._places(mine), round)
                found[at] = np.abs(now - np.where(np.isnan(before), now, before))
        return found

    def _learned(self, domain: str, new: Sequence[Problem], tries: Sequence[Attempt]) -> None:
        super()._learned(domain, new, tries)
        attempted = self._attempted(domain, new, tries)
        if attempted:
            at_once = [(sum(g.solved for g in c.groups), sum(g.tried for g in c.groups)) for c in attempted]
            solved, tried = np.array(at_once, dtype=np.float64).T
            self._progress[domain].add(self._places(attempted), solved / tried, self._now or 0)

    def _targets(self, domain: str, n: int, rng: np.random.Generator) -> list[float] | list[None]:
        rows = self._progress[domain].rows
        if not len(rows):
            return super()._targets(domain, n, rng)
        known = rows[~np.isnan(rows[:, 2])][-self._config.window :]
        margin = math.log(self._asking.reach)
        least = math.log(self._asking.minimum_target)
        low, high = max(rows[:, 0].min() - margin, least), rows[:, 0].max() + margin
        places = low + (high - low) * rng.uniform(size=n)
        if n and len(known) == self._config.window:
            chosen = rng.uniform(size=n) >= self._config.random_share
            drawn = _drawn(known[:, [0, 2]], self._config.most_gaussians, n, rng)
            places = np.where(chosen, np.clip(drawn, low, high), places)
        return [float(t) for t in np.exp(places)]

    def _state(self, domain: str) -> Json:
        rows = [[None if math.isnan(v) else v for v in row] for row in self._progress[domain].rows.tolist()]
        return {**super()._state(domain), "progress": rows}

    def _load(self, domain: str, state: Mapping[str, Any]) -> None:
        super()._load(domain, state)
        rows = [[np.nan if v is None else v for v in row] for row in state["progress"]]
        self._progress[domain].rows = np.array(rows, dtype=np.float64).reshape(len(rows), 4)


def _drawn(points: Floats, most: int, n: int, rng: np.random.Generator) -> Floats:
    """Places (n,) drawn by the mean progress of the Gaussians fitted to ``points`` (m, 2)."""
    # Half a second to import, which only runs that fit a mixture are to pay.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture
    from threadpoolctl import threadpool_limits

    seed = int(rng.integers(2**31))
    fits = []
    # One thread: matrices are tiny, and the last digit must not depend on how many cores there are.
    with warnings.catch_warnings(), threadpool_limits(1):
        # Of many equal difficulties fewer clusters come than were asked for; AIC then prefers fewer.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for count in range(2, most + 1):
            model = GaussianMixture(count, init_params="random_from_data", random_state=seed).fit(points)
            fits.append((float(model.aic(points)), count, model))
    best = min(fits, key=lambda fit: fit[:2])[2]
    progress = np.maximum(best.means_[:, 1], 0.0)
    total = progress.sum()
    weights = progress / total if total > 0 else np.full(len(progress), 1 / len(progress))
    which = rng.choice(len(weights), size=n, p=weights)
    spread = np.sqrt(best.covariances_[which, 0, 0])
    return np.asarray(best.means_[which, 0] + spread * rng.standard_normal(n))
