"""Configurations as settings by dotted name, and what differs between them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from analysis.figures.base import Log

Settings: TypeAlias = dict[str, str]
"""Values as JSON text, by dotted name; lists, and mappings in lists, are one value."""
SPREAD: Final = ("cluster.", "lake.")
"""Settings that say how the work is spread and stored: the log comes out the same with any."""


def flat(tree: object, above: str = "") -> Settings:
    """The settings of a configuration; an empty mapping is a value."""
    if isinstance(tree, Mapping) and tree:
        found: Settings = {}
        for key, value in tree.items():
            found |= flat(value, f"{above}.{key}" if above else str(key))
        return found
    if not above:
        return {}
    return {above: json.dumps(tree, ensure_ascii=False, sort_keys=True)}


def configuration(log: Log) -> dict[str, object]:
    """The resolved configuration of a log's run; empty where no round is committed."""
    row = log.execute("SELECT config FROM runs").fetchone()
    if row is None:
        return {}
    tree = json.loads(row[0]) if isinstance(row[0], str) else row[0]
    return dict(tree)


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting that is not as in a preset; None where one side lacks it."""

    name: str
    here: str | None
    preset: str | None


@dataclass(frozen=True, slots=True)
class Against:
    """A run's configuration against the preset that it is nearest to."""

    preset: str
    differences: list[Difference]
    newer: int
    """Settings of the preset that the run's configuration lacks, as an earlier version wrote it."""


def against(config: Mapping[str, object], presets: Mapping[str, Mapping[str, object]]) -> Against | None:
    """The preset from which the fewest settings differ, and these; None where there is no preset.

    A log does not say which preset a run began with, and it need not have begun with one. Seed and length
    are told and count for nothing in what is nearest.
    """
    here = flat(config)
    found: list[tuple[int, str, Against]] = []
    for name, tree in presets.items():
        there = flat(tree)
        differing = [
            Difference(key, here.get(key), there.get(key))
            for key in sorted(here.keys() | there.keys())
            if key in here and here.get(key) != there.get(key)
        ]
        far = sum(d.name not in ("seed", "rounds") and not d.name.startswith(SPREAD) for d in differing)
        found.append((far, name, Against(name, differing, len(there.keys() - here.keys()))))
    return min(found, key=lambda f: f[:2])[2] if found else None


def same_but_for_seed(config: Mapping[str, object]) -> str:
    """A key that runs share which differ in nothing that matters but their seed."""
    kept = {k: v for k, v in flat(config).items() if k != "seed" and not k.startswith(SPREAD)}
    return json.dumps(kept, sort_keys=True)


def varying(configs: Sequence[Mapping[str, object]]) -> list[tuple[str, list[str | None]]]:
    """Settings that differ among ``configs``, seeds and spread aside, with the value of each."""
    every = [flat(c) for c in configs]
    names = sorted({k for c in every for k in c if k != "seed" and not k.startswith(SPREAD)})
    rows = [(name, [c.get(name) for c in every]) for name in names]
    return [(name, values) for name, values in rows if len(set(values)) > 1]
