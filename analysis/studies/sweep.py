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
from arena.many import Planned, standing
from arena.run_names import Wrong, named
from arena.telling import plain_console
from culture.catalog import connect

RESULTS = ("cells.csv", "cells.json", "runs.csv")
"""Files that a report leaves in the sweep's folder."""


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

    Raises Wrong or ConfigError before anything starts where the grid cannot be played.
    """
    grid = cells(vary)
    planned = runs_of(source, grid, seeds, sets)
    console = plain_console()
    whole = True
    if not report_only:
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
    for wanted in measures:
        if wanted not in known:
            near = nearest(wanted, known)
            advice = f"write {near!r} instead" if near else f"write one of {', '.join(sorted(known))}"
            raise Wrong(f"expected a measure of these runs in --measure, got {wanted!r}; {advice}")
    _print(scores, missing, len(planned), console)
    rows = {s: compared(by_cell, s) for s, by_cell in scores.items()}
    every = [row for each in rows.values() for row in each]
    for file, text in zip(RESULTS, (as_csv(every), as_json(every), runs_csv(scores)), strict=True):
        (folder / file).write_text(text, encoding="utf-8")
    console.print(f"\nwritten: {', '.join(str(folder / f) for f in RESULTS)}", markup=False, soft_wrap=True)


def _print(
    scores: dict[str, dict[str, dict[int, Score]]], missing: list[str], all: int, console: Console
) -> None:
    for score_name, by_cell in scores.items():
        what = "held-out anchors solved at the end" if score_name == HELD_OUT else score_name
        console.print(f"\n{what}", markup=False)
        console.print(table(compared(by_cell, score_name)))
        for remark in remarks(by_cell, score_name):
            console.print(remark, markup=False, soft_wrap=True)
    if missing:
        console.print(f"\n{len(missing)} of {all} runs are not finished and not counted", markup=False)
    console.print(
        "\nIQM: over runs and cells without the lowest and highest quarter, bootstrap over runs and "
        "anchors; differences: Student's t over seeds; p: after Holm over the conditions of a table",
        soft_wrap=True,
    )
