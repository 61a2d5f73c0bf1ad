"""What a configuration's curriculum needs of the rest of it; a line a fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from arena.faults import listed, nearest
from curricula import make_strategy
from curricula.base import strategy_class

if TYPE_CHECKING:
    from arena.config import RunConfig


def curriculum_faults(config: RunConfig) -> list[str]:
    """What keeps the configured strategies from their work. Expects domains that can be made."""
    curriculum, problems = config.curriculum, list[str]()
    for domain in sorted(set(curriculum.by_domain) - set(config.domains)):
        near = nearest(domain, config.domains)
        problems.append(
            f"curriculum.by_domain: expected domains of the run ({listed(config.domains)}), got "
            f"{domain!r}; "
            + (f"write {near!r} instead" if near else "take it out, or add it under domains")
        )
    if problems or len(set(config.domains)) < len(config.domains):
        return problems
    try:
        strategy = make_strategy(curriculum, config.domains)
    except ValueError as error:
        return [f"curriculum: {error}"]
    least = int(getattr(strategy, "least_attempts", 1))
    if config.rollout.attempts < least:
        problems.append(
            f"rollout.attempts: expected {least} or more, since {' and '.join(sorted(curriculum.used()))} "
            f"estimate from several attempts, got {config.rollout.attempts}"
        )
    used = curriculum.used()
    solving = sorted({g.policy for g in config.population.groups if "solver" in g.roles and g.acts})
    if "paired" in used:
        for role in ("antagonist", "protagonist"):
            name = getattr(curriculum.paired, role)
            if name not in solving:
                problems.append(
                    f"curriculum.paired.{role}: expected a policy of solvers ({listed(solving)}), "
                    f"got {name!r}"
                )
    by_policy = {
        "population_regret": ("by", curriculum.population_regret.by == "policy"),
        "poet": ("novelty", curriculum.poet.novelty == "solvers"),
    }
    for name, (key, compared) in by_policy.items():
        if name in used and compared and len(solving) < 2:
            problems.append(
                f"curriculum.{name}.{key}: expected two or more policies of solvers to compare, got "
                f"{listed(solving)}; add a group with another policy to the population"
            )
        elif name in used and compared and config.rollout.attempts < len(solving):
            problems.append(
                f"rollout.attempts: expected {len(solving)} or more, one for each policy of solvers that "
                f"curriculum.{name}.{key} compares, got {config.rollout.attempts}"
            )
    if "hint_regret" in used:
        without = [arm for arm in ("library", "none") if not config.rollout.arms.get(arm)]
        if without:
            problems.append(
                "rollout.arms: expected shares for the arms library and none, between which hint_regret "
                f"compares, got none for {listed(without)}"
            )
        if not config.rollout.notes and not config.rollout.lookups:
            problems.append(
                "rollout.notes: expected 1 or more, or rollout.lookups, since hint_regret compares "
                "attempts that read with others, got 0; write rollout.notes: 2"
            )
    return problems + _measure_faults(config) + _idle_faults(config, solving)


def _idle_faults(config: RunConfig, solving: Sequence[str]) -> list[str]:
    """What would train no solver, although there are some that are to be trained."""
    if not any(config.policies[name].trained for name in solving if name in config.policies):
        return []
    curriculum, problems = config.curriculum, list[str]()
    for name in sorted(set().union(*(_strategies(config, domain) for domain in config.domains))):
        share = getattr(getattr(curriculum, name, None), "replay_share", None)
        if share == 0 and hasattr(strategy_class(name), "teaches"):
            problems.append(
                f"curriculum.{name}.replay_share: expected more than 0, since {name} trains solvers on "
                f"replays alone, got 0; write curriculum.{name}.replay_share: 0.5, or another strategy"
            )
    keyed = any(config.domain(name).keyed for name in config.domains)
    if config.learner.solver.objective == "answer_key" and not keyed:
        problems.append(
            "learner.solver.objective: expected one that learns from rewards, since there is no answer key "
            f"in {listed(config.domains)}, got answer_key; write learner.solver.objective: rae"
        )
    return problems


def _strategies(config: RunConfig, domain: str) -> set[str]:
    """Names of the strategies of a domain: its own or the run's, and those that it chooses among."""
    curriculum = config.curriculum
    name = curriculum.by_domain.get(domain, curriculum.strategy)
    return {name, *(curriculum.bandit.strategies if name == "bandit" else ())}


def _measure_faults(config: RunConfig) -> list[str]:
    """Domains that do not compute the features which span an archive."""
    curriculum, problems = config.curriculum, list[str]()
    for name in config.domains:
        if "map_elites" not in _strategies(config, name):
            continue
        features = set(config.domain(name).anchors(1)[0].features)
        if missing := sorted(set(curriculum.map_elites.measures) - features):
            problems.append(
                f"curriculum.map_elites.measures: expected features of {name} ({listed(features)}), got "
                f"{listed(missing)}"
            )
    return problems
