"""A report's folder: the page and its pictures."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from analysis.export_folder import PARTIAL, ExportError
from analysis.figures import FIGURES
from analysis.figures.base import Log
from analysis.report.several import CURVES, page_of_runs
from analysis.report.single import Tell, page_of_run
from culture.older import reading

PAGE: Final = "index.html"
PICTURES: Final = frozenset(f"{name}.png" for name in (*FIGURES, *CURVES))
"""All pictures that a report may have."""


def write_report(
    runs: Sequence[Path],
    folder: Path,
    presets: Mapping[str, Mapping[str, object]],
    tell: Tell = lambda _: None,
) -> list[str]:
    """Write the report of a run, or of several that are compared, into ``folder``; lines for people.

    ``runs`` are folders of runs, finished or going on; ``presets`` configurations that a single run's is
    compared with. ``tell`` hears what is being done. An earlier report in ``folder`` is replaced. Raises
    ExportError where ``folder`` holds anything else, and ValueError where a run has no committed round or
    is given twice.
    """
    if len({r.resolve() for r in runs}) < len(runs):
        raise ValueError("expected each run once, got one of them twice; leave it out")
    _check(folder)
    partial = folder / f"report{PARTIAL}"
    if partial.exists():  # of a report that was cut short
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    try:
        with ExitStack() as stack:
            logs = {name: stack.enter_context(_reading(run)) for name, run in _named(runs).items()}
            if len(logs) == 1:
                page = page_of_run(next(iter(logs.values())), partial, presets, tell)
            else:
                page = page_of_runs(logs, partial, tell)
    except BaseException:
        shutil.rmtree(partial)
        raise
    (partial / PAGE).write_text(page, encoding="utf-8", errors="backslashreplace")
    pictures = sorted(partial.glob("*.png"))
    for name in PICTURES - {p.name for p in pictures}:  # what an earlier report drew and this one does not
        (folder / name).unlink(missing_ok=True)
    for path in (*pictures, partial / PAGE):
        path.replace(folder / path.name)
    partial.rmdir()
    size = (folder / PAGE).stat().st_size / 2**20
    return [f"{folder / PAGE}: {size:.1f} MiB, needs no other file; {len(pictures)} pictures beside it"]


@contextmanager
def _reading(run: Path) -> Iterator[Log]:
    """A log at one of its versions: what is told is of the same rounds, though the run goes on."""
    with reading(run) as log:
        log.execute("BEGIN TRANSACTION")
        try:
            yield log
        finally:
            log.execute("ROLLBACK")


def _named(runs: Sequence[Path]) -> dict[str, Path]:
    """Runs by their folders' names, with as many folders above as tell them apart."""
    named: dict[str, Path] = {}
    for run in runs:
        parts = run.resolve().parts
        depth = 1
        while any(other.resolve().parts[-depth:] == parts[-depth:] for other in runs if other is not run):
            depth += 1
        named["/".join(parts[-depth:])] = run
    return named


def _check(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ExportError(f"expected a folder to write to, got the file {folder}; write --out FOLDER")
    held = {p.name for p in folder.iterdir()} if folder.exists() else set()
    known = {PAGE, *PICTURES} if PAGE in held else set()
    foreign = sorted(n for n in held - known if not n.endswith(PARTIAL))
    if foreign:
        raise ExportError(
            f"expected a new or an empty folder, or one with an earlier report, got {folder}, which holds "
            f"{foreign[0]}; write --out with another folder"
        )
