"""The processes of this machine, read from /proc."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def processes() -> Iterator[tuple[int, int, str]]:
    """Number, parent's number and command line of every process."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                yield int(folder.name), int(_fields(folder)[1]), command
            except (FileNotFoundError, ProcessLookupError):
                continue


def cpu_ticks(pid: int) -> int:
    """Clock ticks that a process has spent in its own code, 0 where it has ended."""
    try:
        return int(_fields(Path("/proc") / str(pid))[11])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _fields(folder: Path) -> list[str]:
    """The fields of ``stat`` after the command's name, which may hold spaces."""
    return (folder / "stat").read_text().rpartition(")")[2].split()
