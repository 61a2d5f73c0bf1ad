"""All exports of a run by what they are for."""

from __future__ import annotations

from pathlib import Path
from typing import Final, cast

import duckdb

from analysis.export_folder import ExportError
from analysis.training_export import Role, Target

OPTIONS: Final[dict[str, frozenset[str]]] = {
    "git": frozenset({"at"}),
    "markdown": frozenset({"at"}),
    "trl": frozenset({"policy", "role"}),
    "verl": frozenset({"policy", "role"}),
    "huggingface": frozenset(),
    "tensorboard": frozenset(),
    "wandb": frozenset(),
}
"""What a run is exported to, and the options that each takes."""


def check_options(to: str, **given: object) -> None:
    """Raise ExportError where an option is given that ``to`` does not take."""
    for name, value in given.items():
        if value is not None and name not in OPTIONS[to]:
            raise ExportError(f"expected no --{name} with --to {to}, got {value}; leave it out")


def exported(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    to: str,
    *,
    at: int | None = None,
    policy: str | None = None,
    role: str | None = None,
) -> list[str]:
    """Export into ``folder``, which is new or empty; what was written, in lines for people.

    Raises what the single exports raise, ExportError for an option that ``to`` does not take among it.
    """
    check_options(to, at=at, policy=policy, role=role)
    if to == "git":
        from analysis.git_export import export_git

        return export_git(connection, folder, at).lines()
    if to == "markdown":
        from analysis.markdown_export import export_markdown

        return export_markdown(connection, folder, at).lines()
    if to == "huggingface":
        from analysis.huggingface_export import export_huggingface

        return export_huggingface(connection, folder).lines()
    if to == "tensorboard":
        from analysis.tracker_export import export_tensorboard

        return export_tensorboard(connection, folder).lines()
    if to == "wandb":
        from analysis.tracker_export import export_wandb

        return export_wandb(connection, folder).lines()
    from analysis.training_export import export_training

    chosen = cast("Role | None", role)
    return export_training(connection, folder, cast("Target", to), policy=policy, role=chosen).lines()
