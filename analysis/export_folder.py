"""Folders that exports write: new or empty ones, which hold everything or nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PARTIAL: Final = ".partial"
"""The suffix of what an export has not finished; what one that was cut short left is written over."""
_LAST: Final = ("README.md", ".git")
"""What is moved into place last: it speaks of the rest."""


class ExportError(ValueError):
    """What was asked for cannot be exported; the message says what to write instead."""


def check_free(folder: Path) -> None:
    """Raise ExportError where ``folder`` is a file or holds something."""
    if folder.exists() and not folder.is_dir():
        raise ExportError(f"expected a folder to write to, got the file {folder}; write --out FOLDER")
    held = sorted(p.name for p in folder.iterdir() if p.suffix != PARTIAL) if folder.exists() else []
    if held:
        raise ExportError(
            f"expected a new or an empty folder, got {folder}, which holds {held[0]}"
            f"{f' and {len(held) - 1} more' if held[1:] else ''}; write --out with another folder"
        )


@contextmanager
def filled(folder: Path) -> Iterator[Path]:
    """A folder to write into; what is in it moves into ``folder`` when all is written.

    Raises ExportError where ``folder`` is not free.
    """
    check_free(folder)
    partial = folder / f"export{PARTIAL}"
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    yield partial
    for path in sorted(partial.iterdir(), key=lambda path: (path.name in _LAST, path.name)):
        path.rename(folder / path.name)
    partial.rmdir()
