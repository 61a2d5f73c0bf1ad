"""A sweep: a grid of settings times seeds, played and compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from analysis.comparison import as_csv, as_json, compared, remarks, runs_csv, table
from analysis.scores import HELD_OUT, Score, measure_names, score
from analysis.studies.playing import play
from arena.faults import nearest
from arena.grid import Cell, cells, runs_of
from arena.many import Planned, check, standing
from arena.run_names import Wrong, named
from arena.telling import plain_console
from culture.catalog import connect

RESULTS = ("cells.csv", "cells.json", "runs.csv")
"""Files that a report leaves in the sweep's folder."""
HOW = (
    "\nIQM: over runs and cells without the lowest and highest quarter, bootstrap over runs and anchors; "
    "differences: Student's t over seeds; p: after Holm over the conditions of a table"
)


def play_sweep(
    source: str,
    vary: Sequence[str],
    seeds: Sequence[int],
    folder: Path,
    *,
    jobs: int | None,
    sets: Sequence[str],
    measures: Sequence[str],
    report_only: bool,
) -> bool:
    """Play the runs of a sweep and print how they compare; whether all of them are finished.

    Raises Wrong or ConfigError before anything starts where the grid cannot be played, or a folder holds
    another run.
    """
    grid = cells(vary)
    planned = runs_of(source, grid, seeds, sets)
    console = plain_console()
    whole = True
    if report_only:
        check(folder, planned)
    else:
        whole = play(planned, folder, jobs, console)
    report(folder, grid, seeds, planned, measures, console)
    return whole


def report(
    folder: Path,
    grid: Sequence[Cell],
    seeds: Sequence[int],
    planned: Sequence[Planned],
    measures: Sequence[str],
    console: Console,
) -> None:
    """Print what the finished runs came to, and write it down.

    Raises Wrong where none is finished, or a measure is in none of them.
    """
    by_name = {p.name: p for p in planned}
    scores: dict[str, dict[str, dict[int, Score]]] = {
        s: {c.label: {} for c in grid} for s in [HELD_OUT, *measures]
    }
    known: set[str] = set()
    missing = []
    for cell in grid:
        for seed in seeds:
            run = by_name[f"{cell.name}-seed{seed}"]
            if standing(folder / run.name, run).state != "finished":
                missing.append(run.name)
                continue
            with connect(folder / run.name) as log:
                for score_name, by_cell in scores.items():
                    by_cell[cell.label][seed] = score(log, score_name)
                if measures:
                    known |= set(measure_names(log))
    if len(missing) == len(planned):
        raise Wrong(f"expected a finished run in {named(folder)}, got none; leave out --report-only")
    unknown = [name for name in measures if name not in known]
    scores = {name: by_cell for name, by_cell in scores.items() if name not in unknown}
    rows = {name: compared(by_cell, name) for name, by_cell in scores.items()}
    for name, each in rows.items():
        what = "held-out anchors solved at the end" if name == HELD_OUT else name
        console.print(f"\n{what}", markup=False)
        console.print(table(each))
        for remark in remarks(scores[name], name):
            console.print(remark, markup=False, soft_wrap=True)
    if missing:
        console.print(f"\n{len(missing)} of {len(planned)} runs are not finished and not counted")
    console.print(HOW, soft_wrap=True)
    every = [row for each in rows.values() for row in each]
    for file, text in zip(RESULTS, (as_csv(every), as_json(every), runs_csv(scores)), strict=True):
        (folder / file).write_text(text, encoding="utf-8")
    console.print(f"\nwritten: {', '.join(str(folder / f) for f in RESULTS)}", markup=False, soft_wrap=True)
    if unknown:
        near = nearest(unknown[0], known)
        advice = f"write {near!r} instead" if near else f"write one of {', '.join(sorted(known))}"
        raise Wrong(f"expected a measure of these runs in --measure, got {unknown[0]!r}; {advice}")
