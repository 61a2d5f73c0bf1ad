"""The commands `sweep` and `study`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arena.run_names import RUNS, Wrong, slug
from arena.telling import told

# What plays and compares takes a second to import, so only a command that is called does.

RunsFolder = Annotated[Path, typer.Option("--runs", help="Folder that the runs are in.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Most runs at once; by default what fits.")]
ReportOnly = Annotated[bool, typer.Option("--report-only", help="Play nothing; look at what is finished.")]


def sweep(
    source: Annotated[str, typer.Argument(metavar="PRESET|FILE.yaml", help="What all runs begin with.")],
    vary: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE,VALUE", help="Values of a setting; again for another setting."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Seeds of every cell of the grid.")] = 5,
    first_seed: Annotated[int, typer.Option(min=0, help="The first of them.")] = 0,
    name: Annotated[
        str | None, typer.Option(help="Its runs are in runs/sweep-NAME; by default the preset's name.")
    ] = None,
    jobs: Jobs = None,
    rounds: Annotated[int | None, typer.Option(help="Length of each run, in rounds.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override, for all runs.")
    ] = None,
    measures: Annotated[
        list[str] | None, typer.Option("--measure", metavar="NAME", help="Compare this of `measures` too.")
    ] = None,
    report_only: ReportOnly = False,
    runs: RunsFolder = RUNS,
) -> None:
    """Play every combination of some settings with several seeds, and compare them with the first."""
    with told():
        from analysis.studies.sweep import play_sweep

        name = name or slug(Path(source).stem)
        if name != slug(name):
            raise Wrong(
                f"expected letters, digits, dots and dashes in --name, got {name!r}; write {slug(name)!r}"
            )
        whole = play_sweep(
            source,
            vary or [],
            range(first_seed, first_seed + seeds),
            runs / f"sweep-{name}",
            jobs=jobs,
            sets=[*(overrides or []), *([] if rounds is None else [f"rounds={rounds}"])],
            measures=measures or [],
            report_only=report_only,
        )
        if not whole:
            raise typer.Exit(1)


def study(
    name: Annotated[
        str | None, typer.Argument(metavar="[STUDY]", help="A study; without, all are listed.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, max=1000, help="So many seeds, in place of those agreed on.")
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=2, help="So many rounds, in place of those agreed on.")
    ] = None,
    jobs: Jobs = None,
    report_only: ReportOnly = False,
    runs: RunsFolder = RUNS,
) -> None:
    """Play a shipped study and say whether its claim held; without a name, list them."""
    with told():
        from analysis.studies.study import list_studies, play_study

        if name is None:
            list_studies(runs)
        elif not play_study(name, runs, seeds=seeds, rounds=rounds, jobs=jobs, report_only=report_only):
            raise typer.Exit(1)
