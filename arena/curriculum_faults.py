"""What a configuration's curriculum needs of the rest of it; a line a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arena.faults import listed, nearest
from curricula import make_strategy

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
    if "hint_regret" in used:
        without = [arm for arm in ("library", "none") if not config.rollout.arms.get(arm)]
        if without:
            problems.append(
                "rollout.arms: expected shares for the arms library and none, between which hint_regret "
                f"compares, got none for {listed(without)}"
            )
    return problems + _measure_faults(config)


def _measure_faults(config: RunConfig) -> list[str]:
    """Domains that do not compute the features which span an archive."""
    curriculum, problems = config.curriculum, list[str]()
    for name in config.domains:
        others = curriculum.strategy == "map_elites" or (
            curriculum.strategy == "bandit" and "map_elites" in curriculum.bandit.strategies
        )
        mine = curriculum.by_domain.get(name)
        if mine != "map_elites" and not (mine is None and others):
            continue
        features = set(config.domain(name).anchors(1)[0].features)
        if missing := sorted(set(curriculum.map_elites.measures) - features):
            problems.append(
                f"curriculum.map_elites.measures: expected features of {name} ({listed(features)}), got "
                f"{listed(missing)}"
            )
    return problems
