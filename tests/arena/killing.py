"""A program for tests, ``python -m tests.arena.killing FOLDER``: start a run there, or go on with it."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from arena.config import RunConfig
from arena.run import Run
from arena.settings import load

RUN = [
    "domains=[transforms]",
    "rounds=4",
    "rollout.problems=24",
    "rollout.operator_share=0.5",
    "evaluation.per_cell=1",
    "evaluation.every=2",
    "sleep.every=2",
    "warm_up.tokens=50000",
    "lake.compact_every=2",
    "writing.decisions=4",
    "writing.by=scripted",
    "engine.batch_size=32",
]


def configured(overrides: list[str]) -> RunConfig:
    """The configuration of these runs."""
    return load("tiny", [*RUN, *overrides], RunConfig)


def main(folder: Path, overrides: list[str], limit: int | None) -> None:
    """Play all that is left; ``limit`` is the longest file that can be written, in bytes."""
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    config = configured(overrides)
    run = Run.open(folder) if (folder / "run.yaml").exists() else Run.create(folder, config)
    try:
        run.play(lambda p: print(p.round, p.phase, flush=True))
    finally:
        run.close()


if __name__ == "__main__":
    given = sys.argv[2:]
    bytes_allowed = next((int(a.removeprefix("--limit=")) for a in given if a.startswith("--limit=")), None)
    main(Path(sys.argv[1]), [a for a in given if not a.startswith("--")], bytes_allowed)
