"""A strategy for each domain of its own, and making strategies by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import numpy as np

from culture.records import Attempt, Json, Problem
from curricula.base import (
    Candidate,
    Floats,
    Request,
    Strategy,
    check_state,
    compared,
    strategy_class,
    teaches,
)
from curricula.buffer import by_domain
from curricula.config import CurriculumConfig
from curricula.sampler import apportion
from curricula.sections import AskingConfig


def make_strategy(config: CurriculumConfig, domains: Sequence[str]) -> Strategy:
    """The strategy that ``config`` names, or one for each domain where it names some ``by_domain``.

    Raises ValueError unless ``domains`` are some, each once, and have all those that ``config`` names.
    """
    if not domains or len(set(domains)) != len(domains):
        raise ValueError(f"expected at least one domain, each once, got {list(domains)}")
    if unknown := sorted(set(config.by_domain) - set(domains)):
        raise ValueError(
            f"expected by_domain to name domains of the run, {', '.join(domains)}, got {', '.join(unknown)}"
        )
    if config.by_domain:
        return Mixture(config, domains)
    return strategy_class(config.strategy)(config, domains)


class Mixture:
    """Every domain has a strategy, and none knows of another; domains get equal shares of the requests."""

    name: ClassVar[str] = "mixture"

    def __init__(self, config: CurriculumConfig, domains: Sequence[str]) -> None:
        """See :func:`make_strategy`."""
        self._domains = list(domains)
        for section in ("asking", "learnability"):
            starts = cast("AskingConfig", getattr(config, section)).start_targets
            if unknown := sorted(set(starts) - set(domains)):
                raise ValueError(
                    f"expected {section}.start_targets for {', '.join(domains)}, got {', '.join(unknown)}; "
                    "name domains of the run"
                )
        self._parts: dict[str, Strategy] = {
            d: strategy_class(config.by_domain.get(d, config.strategy))(_only(config, d), [d])
            for d in domains
        }

    def observe(self, problems: Sequence[Problem], attempts: Sequence[Attempt]) -> None:
        """See :class:`curricula.base.Strategy`."""
        for domain, (new, tries) in by_domain(self._domains, problems, attempts).items():
            self._parts[domain].observe(new, tries)

    def score(self, candidates: Sequence[Candidate]) -> Floats:
        """The score by each candidate's own strategy, (n,)."""
        return self._by_part(candidates, "score")

    def pay(self, candidates: Sequence[Candidate]) -> Floats:
        """The payment by each candidate's own strategy, (n,)."""
        return self._by_part(candidates, "pay")

    def _by_part(self, candidates: Sequence[Candidate], what: str) -> Floats:
        values = np.full(len(candidates), np.nan)
        for domain, part in self._parts.items():
            at = [i for i, c in enumerate(candidates) if c.domain == domain]
            if at:
                values[at] = getattr(part, what)([candidates[i] for i in at])
        return values

    def request(self, n: int, rng: np.random.Generator) -> list[Request]:
        """See :class:`curricula.base.Strategy`. Domains get equal shares."""
        even = np.full(len(self._domains), 1 / len(self._domains))
        sizes = zip(self._domains, apportion(n, even, rng), strict=True)
        return [r for domain, size in sizes for r in self._parts[domain].request(size, rng)]

    def frontier(self, domain: str) -> float | None:
        """The frontier of a domain as its strategy places it; None where that has none."""
        return frontier_of(self._parts[domain], domain)

    @property
    def least_attempts(self) -> int:
        """The most that the strategy of any domain needs."""
        return max(int(getattr(part, "least_attempts", 1)) for part in self._parts.values())

    def teaches(self, attempt: Attempt) -> bool:
        """Whether solvers may be trained on an attempt, by its domain's strategy."""
        return teaches(self._parts[attempt.domain], attempt)

    def compared(self, candidate: Candidate) -> bool:
        """What the strategy of the candidate's domain says."""
        return compared(self._parts[candidate.domain], candidate)

    def state_dict(self) -> Json:
        """See :class:`curricula.base.Strategy`."""
        return {"strategy": self.name, "domains": {d: p.state_dict() for d, p in self._parts.items()}}

    def load_state_dict(self, state: Json) -> None:
        """See :class:`curricula.base.Strategy`."""
        parts: Mapping[str, Any] = check_state(state, self.name, self._domains)
        for domain, part in self._parts.items():
            part.load_state_dict(parts[domain])


def frontier_of(strategy: Strategy, domain: str) -> float | None:
    """The difficulty at which solvers fail, as a strategy places it; None where it does not."""
    found = getattr(strategy, "frontier", None)
    place = None if found is None else found(domain)
    return None if place is None else float(place)


def _only(config: CurriculumConfig, domain: str) -> CurriculumConfig:
    """The configuration as one domain's strategy is to have it: with no other's first target."""
    starts = {
        section: part.model_copy(
            update={"start_targets": {d: t for d, t in part.start_targets.items() if d == domain}}
        )
        for section, part in (("asking", config.asking), ("learnability", config.learnability))
    }
    return config.model_copy(update=starts)
