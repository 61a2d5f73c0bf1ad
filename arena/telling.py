"""What a person is told when a command fails: one message, and an exit code."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import typer
from rich.console import Console

from arena.faults import ConfigError
from arena.ray_start import NotStarted
from arena.run_names import Wrong, named
from culture.catalog import LakeError
from culture.quoting import printable


@contextmanager
def told(folder: Path | None = None) -> Iterator[None]:
    """Errors become a message and an exit code: 2 for what was asked, 1 for what happened.

    ``folder`` is that of the run being played, where there is one: then anything unforeseen is said in one
    line too, with how to go on.
    """
    try:
        yield
    except (typer.Exit, BrokenPipeError):
        raise
    except Exception as error:
        if os.environ.get("LUDUS_DEBUG") == "1":
            raise
        found = _explained(error, folder)
        if found is None:
            raise
        message, code = found
        typer.echo(printable(message, keep="\n\t"), err=True)  # it may quote what a model wrote
        raise typer.Exit(code) from None


def _explained(error: Exception, folder: Path | None) -> tuple[str, int] | None:
    """What to say of an error and the exit code; None for an error in the program itself."""
    if isinstance(error, Wrong | ConfigError):
        return str(error), 2
    if isinstance(error, LakeError):
        return str(error), 1
    if isinstance(error, duckdb.Error):
        return f"expected a log of this version of Ludus, got: {error}", 1
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return f"{error}; {'make room on the disk' if full else 'mend what it names'}, then try again", 1
    if isinstance(error, NotStarted):
        return str(error), 1
    if _is_run_error(error):
        return str(error), 1
    if folder is None:
        return None
    return (
        f"the run stopped: {type(error).__name__}: {error}\n"
        f"What was committed is safe. To go on: python run_arena.py resume {named(folder)}\n"
        "LUDUS_DEBUG=1 shows where it happened"
    ), 1


def _is_run_error(error: Exception) -> bool:
    """Whether it is one of those that a run raises with a message for people; their modules load late."""
    from agents.checkpoints import CheckpointError
    from arena.run import RunError

    return isinstance(error, RunError | CheckpointError)


def plain_console() -> Console:
    """A console for the streams as they are now; what is piped is not wrapped."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=10_000)
