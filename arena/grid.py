"""A grid of settings: values for each of some keys, and the configuration of every combination."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from arena.config import RunConfig
from arena.faults import ConfigError, Fault
from arena.many import Planned
from arena.run_names import Wrong, slug
from arena.settings import load

_LONGEST = 60
"""Characters of a cell's name that is not shortened."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination of values."""

    settings: tuple[tuple[str, str], ...]
    """Keys and values as they were written."""

    @property
    def label(self) -> str:
        """As it is shown: ``learner.lr=1e-3 rollout.notes=2``."""
        return " ".join(f"{key}={value}" for key, value in self.settings)

    @property
    def name(self) -> str:
        """What its runs' folders begin with; another one for every cell."""
        short = slug("-".join(f"{key.rpartition('.')[2]}-{value}" for key, value in self.settings))
        plain = all(slug(value) == value for _, value in self.settings)
        if plain and len(short) <= _LONGEST:
            return short
        return f"{short[:_LONGEST]}-{hashlib.sha256(self.label.encode()).hexdigest()[:6]}"

    @property
    def overrides(self) -> list[str]:
        """As for ``--set``."""
        return [f"{key}={value}" for key, value in self.settings]


def values(text: str) -> list[str]:
    """``1,[2, 3],a`` cut at the commas that are in no brackets or quotes.

    Raises Wrong where a bracket or quote is left open.
    """
    found, depth, quote = [""], 0, ""
    for c in text:
        if quote:
            quote = "" if c == quote else quote
        elif c in "\"'":
            quote = c
        elif c in "[{":
            depth += 1
        elif c in "]}":
            depth -= 1
        if c == "," and not depth and not quote:
            found.append("")
        else:
            found[-1] += c
    if depth or quote:
        raise Wrong(f"expected every bracket and quote to be closed in the values {text!r}; close it")
    return [value.strip() for value in found]


def cells(varied: Sequence[str]) -> list[Cell]:
    """Every combination of ``KEY=VALUE,VALUE,...``, the last key changing fastest.

    Raises Wrong where there is nothing to vary, or a key or a value comes twice.
    """
    axes: dict[str, list[str]] = {}
    for text in varied:
        key, equals, rest = text.partition("=")
        key = key.strip()
        found = values(rest)
        if not equals or not key or not all(found):
            raise Wrong(
                f"expected a key and its values in --vary, as in learner.lr=1e-4,1e-3, got {text!r}"
            )
        if key in axes:
            raise Wrong(f"expected each key once in --vary, got {key} again; write all its values in one")
        if key == "seed":
            raise Wrong("expected other keys than seed in --vary; write --seeds 5 for five seeds of each")
        again = sorted({v for v in found if found.count(v) > 1})
        if again:
            raise Wrong(f"expected each value once for {key}, got {', '.join(again)} again")
        axes[key] = found
    if not axes:
        raise Wrong("expected a setting to vary, got none; write --vary KEY=VALUE,VALUE")
    return [
        Cell(tuple(zip(axes, combination, strict=True)))
        for combination in itertools.product(*axes.values())
    ]


def runs_of(source: str, grid: Sequence[Cell], seeds: Sequence[int], sets: Sequence[str]) -> list[Planned]:
    """The runs of a grid, seed by seed, each configuration checked.

    Raises Wrong where a setting is both varied and set or says where to run, ConfigError with the faults of
    all cells.
    """
    given = {text.partition("=")[0].strip() for text in sets}
    keys = {key for cell in grid for key, _ in cell.settings}
    for key in sorted(given & keys):
        raise Wrong(f"expected {key} either in --vary or in --set, got it in both; take one out")
    for key in sorted(given | keys):
        if key == "seed":
            raise Wrong("expected no seed in --set, since a run has one of its own; write --first-seed 7")
        if key == "cluster" or (key.startswith("cluster.") and key != "cluster.local"):
            raise Wrong(f"expected no {key}: each run of a sweep is in one process; take it out")
    faults: dict[tuple[str, str], list[str]] = {}
    planned = []
    for seed in seeds:
        for cell in grid:
            try:
                config = configured(source, [*sets, *cell.overrides], seed)
            except ConfigError as error:
                for fault in error.faults:
                    faults.setdefault((fault.path, fault.message), []).append(cell.label)
                continue
            planned.append(Planned(f"{cell.name}-seed{seed}", config))
    if faults:
        told = []
        for (path, message), where in faults.items():
            labels = list(dict.fromkeys(where))
            among = "" if len(labels) == len(grid) else f" (with {'; '.join(labels)})"
            told.append(Fault(path, message + among))
        raise ConfigError(source, told)
    return planned


def configured(source: str, sets: Sequence[str], seed: int) -> RunConfig:
    """The configuration of a run in one process. Raises ConfigError."""
    return load(source, [*sets, f"seed={seed}", "cluster.local=true"], RunConfig)
