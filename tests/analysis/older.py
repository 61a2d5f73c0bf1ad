"""Logs as the first version of Ludus wrote them: without the tables and columns that came later."""

from __future__ import annotations

import shutil
from pathlib import Path

from culture import catalog
from culture.config import LakeConfig

TABLES = ("actions", "decisions", "matches", "revisits")
COLUMNS = (
    "agents.born", "agents.hostile", "agents.retired", "attempts.dose", "reads.explored",
    "rounds.generating_seconds", "rounds.peak_memory", "rounds.training_seconds",
    "rounds.verifying_seconds", "updates.sampling_gap",
)  # fmt: skip


def older(folder: Path, to: Path) -> Path:
    """A copy of the log in ``folder`` that lacks them."""
    shutil.copytree(folder, to)
    where = catalog.place(to, LakeConfig())
    with catalog.session(where) as log:
        catalog.attach(log, where, write=True)
        for table in TABLES:
            log.execute(f"DROP TABLE {table}")
        for column in COLUMNS:
            table, _, name = column.partition(".")
            log.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
    return to
