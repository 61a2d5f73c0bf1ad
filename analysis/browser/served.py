"""Which runs the notebook is about: handed over in the environment, or as arguments of the notebook."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

RUNS = "LUDUS_BROWSE"
"""The environment variable that has the folders of the runs, as a list in JSON."""


def hand_over(folders: Sequence[Path]) -> None:
    """Tell notebooks of this process, and of those that it starts, which runs they are about."""
    os.environ[RUNS] = json.dumps([str(folder.resolve()) for folder in folders])


def handed_over(arguments: Sequence[str] = ()) -> dict[str, Path]:
    """Folders by the names that pages call them by: ``arguments``, or else what was handed over."""
    told = list(arguments) or json.loads(os.environ.get(RUNS, "[]"))
    folders = [Path(text) for text in told]
    found: dict[str, Path] = {}
    for folder in folders:
        name = folder.resolve().name
        found[name if name not in found else str(folder)] = folder
    return found
