"""Names of what lies in a run's folder beside the log, and where models are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path

CONFIG = "run.yaml"
BATCHES = "batches"
CHECKPOINTS = "checkpoints"
NOTEBOOK = "browse.py"
PICTURE = "curriculum.png"
SEEDS = "seeds.json"


def run_path(folder: Path, relative: str) -> Path:
    """A path that the log names, in the run's folder."""
    return folder / relative


def cache_folder() -> Path:
    """Where models that were made or converted are kept: ``LUDUS_CACHE``, or the user's cache."""
    if own := os.environ.get("LUDUS_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ludus"
