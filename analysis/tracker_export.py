"""The measures of a run for TensorBoard and for Weights & Biases, as they would have been logged.

A measure is a scalar a round, called ``DOMAIN/NAME``, or ``NAME`` where it is about all domains; the ends
of its interval are ``.../low`` and ``.../high``. What single notes are worth is left out: a number for
each note, and neither program is made to show thousands of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import yaml

from analysis.export_folder import ExportError, check_free, filled

MEASURES: Final = """\
SELECT m.round, epoch(r.started_at) + r.seconds AS at, m.domain, m.name, m.value, m.low, m.high
FROM measures m JOIN rounds r USING (round)
WHERE m.value IS NOT NULL AND NOT starts_with(m.name, 'worth/note/') ORDER BY m.round, m.domain, m.name"""
NOTES: Final = "SELECT count(*) FROM measures WHERE value IS NOT NULL AND starts_with(name, 'worth/note/')"
ROUNDS: Final = """\
SELECT round, epoch(started_at) + seconds AS at, proposed, valid, admitted, attempts, correct,
    mean_difficulty, generated_tokens, trained_tokens, seconds
FROM rounds ORDER BY round"""


@dataclass(frozen=True, slots=True)
class TrackerExported:
    """What was written."""

    folder: Path
    scalars: int
    """Numbers written."""
    names: int
    """Different scalars among them."""
    left_out: int
    """Values that are about single notes."""
    look: str
    """How to look at it."""

    def lines(self) -> list[str]:
        """For people."""
        lines = [f"{self.folder}: {self.scalars:,} values of {self.names:,} scalars"]
        if self.left_out:
            lines.append(
                f"left out: {self.left_out:,} values of what single notes are worth; they are in measures"
            )
        return [*lines, f"look at it with: {self.look}"]


@dataclass(frozen=True, slots=True)
class _Round:
    round: int
    at: float
    """When it ended, in seconds since 1970."""
    scalars: dict[str, float]


@dataclass(frozen=True, slots=True)
class _Run:
    name: str
    run_id: str
    seed: int
    config: dict[str, object]
    rounds: list[_Round]
    left_out: int

    def scalars(self) -> Iterator[tuple[int, float, str, float]]:
        """Round, time, name and value of each number."""
        for r in self.rounds:
            for name, value in r.scalars.items():
                yield r.round, r.at, name, value


def export_tensorboard(connection: duckdb.DuckDBPyConnection, folder: Path) -> TrackerExported:
    """Write an event file of TensorBoard into ``folder``, which is new or empty.

    Steps are rounds, times those of the run; the configuration is a text. ``connection`` is from
    ``culture.connect``. Raises ExportError where the folder holds something, no round is committed, or
    tensorboardX is not there.
    """
    check_free(folder)
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise ExportError(_missing("tensorboardX", "tensorboard")) from None
    run = _read(connection)
    with filled(folder) as partial:
        with SummaryWriter(logdir=str(partial)) as writer:
            text = yaml.safe_dump(run.config, sort_keys=False, allow_unicode=True)
            # four spaces make it code, whatever it holds
            indented = "".join(f"    {line}\n" for line in text.splitlines())
            writer.add_text("configuration", indented, global_step=0, walltime=run.rounds[0].at)
            for round, at, name, value in run.scalars():
                writer.add_scalar(name, value, global_step=round, walltime=at)
        # by itself the name has that of the machine in it
        (made,) = partial.glob("events.out.tfevents.*")
        made.rename(partial / f"events.out.tfevents.{run.rounds[0].at:.0f}.ludus")
    return _exported(folder, run, f"tensorboard --logdir {folder}")


def export_wandb(connection: duckdb.DuckDBPyConnection, folder: Path) -> TrackerExported:
    """Write an offline run of Weights & Biases into ``folder``, which is new or empty; nothing is sent.

    Steps are rounds; the configuration is that of the run. ``connection`` is from ``culture.connect``.
    Raises ExportError where the folder holds something, no round is committed, or wandb is not there.
    """
    check_free(folder)
    try:
        import wandb
    except ImportError:
        raise ExportError(_missing("wandb", "wandb")) from None
    run = _read(connection)
    with filled(folder) as partial:
        settings = wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            disable_code=True,
            disable_job_creation=True,
            save_code=False,
            # the machine that exports is not the one that played
            x_disable_meta=True,
            x_disable_stats=True,
            x_disable_machine_info=True,
            x_save_requirements=False,
        )
        tracked = wandb.init(
            mode="offline",
            dir=str(partial),
            project="ludus",
            name=run.name,
            # wandb allows less in an id than Ludus does, and makes a folder of it
            id=re.sub(r"[^A-Za-z0-9_.-]", "-", run.run_id)[:64],
            config=run.config,
            settings=settings,
        )
        try:
            for r in run.rounds:
                tracked.log({**r.scalars, "ended_at": r.at}, step=r.round)
        finally:
            tracked.finish()
    return _exported(folder, run, f"wandb sync {folder}/wandb/offline-run-*, which sends it")


def _exported(folder: Path, run: _Run, look: str) -> TrackerExported:
    names = [name for _, _, name, _ in run.scalars()]
    return TrackerExported(folder, len(names), len(set(names)), run.left_out, look)


def _read(connection: duckdb.DuckDBPyConnection) -> _Run:
    found = connection.execute("SELECT name, run_id, seed, config::VARCHAR FROM runs").fetchone()
    rows = connection.execute(ROUNDS).fetchall()
    if found is None or not rows:
        raise ExportError(
            "expected a run with a committed round, got none; export it after the first round"
        )
    columns = (
        "proposed",
        "valid",
        "admitted",
        "attempts",
        "correct",
        "mean_difficulty",
        "generated_tokens",
        "trained_tokens",
        "seconds",
    )
    rounds = {}
    for at, ended, *values in rows:
        counts = {f"rounds/{c}": float(v) for c, v in zip(columns, values, strict=True) if v is not None}
        rounds[at] = _Round(at, ended, counts)
    for at, _, domain, name, value, low, high in connection.execute(MEASURES).fetchall():
        tag = f"{domain}/{name}" if domain else name
        ends = {tag: value, f"{tag}/low": low, f"{tag}/high": high}
        rounds[at].scalars.update({k: float(v) for k, v in ends.items() if v is not None})
    (notes,) = connection.execute(NOTES).fetchone() or (0,)
    name, run_id, seed, config = found
    return _Run(name, run_id, seed, dict(json.loads(config)), list(rounds.values()), int(notes))


def _missing(package: str, extra: str) -> str:
    return (
        f"expected the package {package} for --to {extra}, got none; write "
        f"pip install 'ludus-arena[{extra}]', or pip install -e '.[{extra}]' in a clone"
    )
