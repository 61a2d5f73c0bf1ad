"""How runs are named on the command line, and found again."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from glob import glob
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


_QUERY = re.compile(r"\s|[;()]|(select|from|with|show|describe|summarize)$", re.IGNORECASE)
"""What is a query rather than a name of a run that is written wrongly."""


def find_all(arguments: Sequence[str], runs: Path) -> tuple[dict[str, Path], str | None, bool]:
    """The folders of runs by name, the query after them if there is one, and whether several were meant.

    A pattern with ``*``, ``?`` or ``[`` stands for all runs that it fits, in ``runs`` or from here, and
    means several even where it fits one. Raises Wrong where a name or pattern fits none.
    """
    *names_, last = arguments
    query = None
    if not _is_run(last, runs) and _QUERY.search(last):
        query = last
    else:
        names_.append(last)
    if not names_:
        raise Wrong(f"expected the name of a run before the query, got {query!r}; `info` lists the runs")
    folders: list[Path] = []
    patterns = [name for name in names_ if not _is_run(name, runs) and re.search(r"[*?\[]", name)]
    for name in names_:
        folders += _fitting(name, runs) if name in patterns else [find(name, runs)]
    unique = {folder.resolve(): folder for folder in folders}
    called = {folder: os.path.basename(os.path.abspath(folder)) for folder in unique.values()}
    alike = Counter(called.values())
    found = {name if alike[name] == 1 else str(folder): folder for folder, name in called.items()}
    return found, query, len(names_) > 1 or bool(patterns)


def _is_run(name: str, runs: Path) -> bool:
    try:
        return any((folder / CONFIG).exists() for folder in (runs / name, Path(name)))
    except OSError:  # a query may be longer than any name of a file
        return False


def _fitting(pattern: str, runs: Path) -> list[Path]:
    """Raises Wrong where no run fits."""
    for path in (str(runs / pattern), pattern):
        found = sorted(Path(hit) for hit in glob(path) if (Path(hit) / CONFIG).exists())
        if found:
            return found
    known = ", ".join(names(runs)[:5]) or "none yet"
    raise Wrong(f"expected runs that fit {pattern!r} in {runs} or from here, got none; there are: {known}")


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
    """The settings in a run's folder, unchecked. Raises LakeError where they cannot be read."""
    try:
        tree = parse((folder / CONFIG).read_text(encoding="utf-8"))
    except ValueError as error:
        raise LakeError(f"expected YAML in {folder / CONFIG}, got: {error}") from error
    if not isinstance(tree, dict):
        raise LakeError(f"expected keys and values in {folder / CONFIG}, got {tree!r}")
    tree.pop("versions", None)  # told beside the settings
    return tree


def check_config(folder: Path) -> None:
    """Raises ConfigError where a run's configuration was edited into something that is none."""
    from arena.config import RunConfig

    tree = config_tree(folder)
    try:
        RunConfig.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(str(folder / CONFIG), faults_of(error, tree, RunConfig)) from None
