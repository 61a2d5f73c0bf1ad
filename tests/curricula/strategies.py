"""What tests of strategies share: configurations under which each can be made, and candidates by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from curricula import Candidate, CurriculumConfig, Group, Strategy, make_strategy
from curricula.simulate import POLICIES, attempt, problem

NEEDED = {"paired": {"paired": {"antagonist": POLICIES[1], "protagonist": POLICIES[0]}}}
"""What has no default, by strategy."""


def configured(name: str, **sections: Any) -> CurriculumConfig:
    """A configuration with the strategy ``name``; ``sections`` as they stand in it."""
    return CurriculumConfig.model_validate({"strategy": name, **NEEDED.get(name, {}), **sections})


def made(name: str, domains: Sequence[str] = ("a",), **sections: Any) -> Strategy:
    """A new strategy."""
    return make_strategy(configured(name, **sections), list(domains))


def solved(k: int, n: int, name: str = "p", text: str = "") -> Candidate:
    """A candidate of which ``k`` of ``n`` attempts were right."""
    return Candidate(name, "a", 3.0, k, n, 0, 0, None, text)


def by(*groups: tuple[str, str, str, int, int]) -> Candidate:
    """A candidate with attempts by policy, solver and arm."""
    who = tuple(Group(*g) for g in groups)
    k, n = sum(g.solved for g in who), sum(g.tried for g in who)
    return Candidate("p", "a", 3.0, k, n, 0, 0, None, "", who)


def tell(
    strategy: Strategy, round: int, outcomes: dict[str, tuple[float, int, int]], domain: str = "a"
) -> None:
    """Observe new problems: name -> difficulty, solved, tried."""
    strategy.observe(
        [problem(name, domain, round, d) for name, (d, _, _) in outcomes.items()],
        [attempt(name, domain, round, i, i < k) for name, (_, k, n) in outcomes.items() for i in range(n)],
    )
