"""MAP-Elites: the most learnable problem of each kind (Mouret & Clune 2015, arXiv 1504.04909).

An archive has a cell for each combination of a problem's measures, which are features that its domain
computes, and keeps in each cell the problem of the highest learnability p(1-p), estimated without bias
when it was last attempted. Variations and replays are of elites, drawn evenly over cells, so that rare
kinds are varied as often as common ones. The archive is pyribs's ``GridArchive`` (Tjanaka et al. 2023,
arXiv 2303.00191), built anew each round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import numpy as np

from culture.records import Attempt, Json, Problem
from curricula.base import Candidate, Floats, register
from curricula.config import CurriculumConfig
from curricula.kernels import learnability
from curricula.sampler import Ints, evenly
from curricula.selecting import Remembering, counts


@register
class MapElites(Remembering):
    """Variations of the most learnable problem in each cell of an archive."""

    name: ClassVar[str] = "map_elites"
    fades: ClassVar[bool] = False

    def __init__(self, config: CurriculumConfig, domains: Sequence[str]) -> None:
        """Raises ValueError where pyribs is not installed."""
        super().__init__(config.asking, domains, shares=config.map_elites)
        self._config = config.map_elites
        # Measures of the elites, by domain and problem.
        self._measures: dict[str, dict[str, list[float]]] = {d: {} for d in domains}
        self._archive = self._new_archive()

    def _new_archive(self) -> Any:
        """An empty archive, whose solutions are places among the problems that it is given."""
        try:
            # Seconds to import, which only runs that have such an archive are to pay.
            from ribs.archives import GridArchive
        except ModuleNotFoundError as missing:
            raise ValueError(
                f"expected the package ribs for the strategy 'map_elites', got none ({missing}); "
                "write pip install 'ludus-arena[map-elites]'"
            ) from missing
        limits = self._config.measures.values()
        return GridArchive(
            solution_dim=1,
            dims=[self._config.cells] * len(limits),
            # The last cell begins at the limit and holds what is beyond it.
            ranges=[
                (0.0, float(np.log1p(limit)) * self._config.cells / (self._config.cells - 1))
                for limit in limits
            ],
        )

    def _measured(self, problem: Problem) -> list[float]:
        names = self._config.measures
        if missing := [n for n in names if n not in problem.features]:
            raise ValueError(
                f"expected map_elites.measures among the features of {problem.domain!r}, "
                f"{', '.join(sorted(problem.features))}, got {', '.join(missing)}; name others"
            )
        return [float(np.log1p(cast("float", problem.features[n]))) for n in names]

    def score(self, candidates: Sequence[Candidate]) -> Floats:
        """Unbiased learnability (n,), at most 1/2; NaN with fewer than 2 attempts."""
        return learnability(*counts(candidates))

    def _learned(self, domain: str, new: Sequence[Problem], tries: Sequence[Attempt]) -> None:
        self._measures[domain].update((p.problem_id, self._measured(p)) for p in new)
        super()._learned(domain, new, tries)
        buffer, measures, worths = self._buffers[domain], self._measures[domain], self._worths[domain]
        known = [c.problem_id for c in buffer if c.problem_id in worths]
        elites: list[str] = []
        if known:
            self._archive.clear()
            self._archive.add(
                np.arange(len(known), dtype=np.float64)[:, None],
                np.array([worths[i] for i in known]),
                np.array([measures[i] for i in known]),
            )
            elites = [known[int(i)] for i in self._archive.data("solution")[:, 0]]
        buffer.keep(set(elites))
        self._measures[domain] = {c.problem_id: measures[c.problem_id] for c in buffer}

    def _drawn(
        self, domain: str, items: Sequence[Candidate], mutate: int, replay: int, rng: np.random.Generator
    ) -> tuple[Ints, Ints]:
        return evenly(len(items), mutate, replay, rng)

    def _evict(self, domain: str) -> None:
        super()._evict(domain)
        self._measures[domain] = {
            c.problem_id: self._measures[domain][c.problem_id] for c in self._buffers[domain]
        }

    def _state(self, domain: str) -> Json:
        measures = {i: list(m) for i, m in self._measures[domain].items()}
        return {**super()._state(domain), "measures": measures}

    def _load(self, domain: str, state: Mapping[str, Any]) -> None:
        super()._load(domain, state)
        self._measures[domain] = {i: [float(v) for v in m] for i, m in state["measures"].items()}
