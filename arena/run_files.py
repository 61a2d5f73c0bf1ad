"""Names of what lies in a run's folder beside the log."""

from __future__ import annotations

from pathlib import Path

CONFIG = "run.yaml"
BATCHES = "batches"
CHECKPOINTS = "checkpoints"
PICTURE = "curriculum.png"
SEEDS = "seeds.json"


def run_path(folder: Path, relative: str) -> Path:
    """A path that the log names, in the run's folder."""
    return folder / relative
