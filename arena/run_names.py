"""How runs are named on the command line, and found again."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import ValidationError

from arena.faults import ConfigError, faults_of, nearest
from arena.run_files import CONFIG
from arena.yaml_text import parse
from culture.catalog import LakeError

RUNS = Path("runs")
"""Where runs are, unless another folder is asked for."""


class Wrong(Exception):
    """Input that cannot be used; the message says what to write instead."""


def names(runs: Path) -> list[str]:
    return sorted(path.parent.name for path in runs.glob(f"*/{CONFIG}"))


def named(folder: Path) -> str:
    """How to name a run on the command line."""
    return folder.name if folder.parent == RUNS else str(folder)


def find(run: str, runs: Path) -> Path:
    """The folder of a run. Raises Wrong, with the nearest name."""
    for folder in (runs / run, Path(run)):
        if (folder / CONFIG).exists():
            return folder
    known = names(runs)
    near = nearest(run, known)
    advice = (
        f"write {near!r} instead" if near else "`info` lists the runs" if known else "there are none yet"
    )
    raise Wrong(f"expected a run in {runs} or the folder of one, got {run!r}; {advice}")


def slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip(".-") or "run"


def check_name(name: str, runs: Path) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        advice = f"write {slug(name)!r} instead"
        raise Wrong(
            f"expected letters, digits, dots, dashes and underscores in --name, got {name!r}; {advice}"
        )
    folder = runs / name
    if folder.is_dir() and any(path.name != f"{CONFIG}.partial" for path in folder.iterdir()):
        raise Wrong(
            f"expected a name that is free, got {name!r}; write resume {name} to go on with that run, or "
            f"--name {free_name(name, runs)}"
        )


def free_name(name: str, runs: Path) -> str:
    tried, number = name, 1
    while (runs / tried).exists():
        number += 1
        tried = f"{name}-{number}"
    return tried


def config_tree(folder: Path) -> dict[str, object]:
    try:
        tree = parse((folder / CONFIG).read_text(encoding="utf-8"))
    except ValueError as error:
        raise LakeError(f"expected YAML in {folder / CONFIG}, got: {error}") from error
    if not isinstance(tree, dict):
        raise LakeError(f"expected keys and values in {folder / CONFIG}, got {tree!r}")
    return tree


def check_config(folder: Path) -> None:
    """Raises ConfigError where a run's configuration was edited into something that is none."""
    from arena.config import RunConfig

    tree = config_tree(folder)
    tree.pop("versions", None)
    try:
        RunConfig.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(str(folder / CONFIG), faults_of(error, tree, RunConfig)) from None
