"""The command line: one command each for playing, looking, asking, studying and handing on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import duckdb
import typer
import typer.core
from rich.table import Table
from rich.text import Text

from analysis.studies.commands import study, sweep
from arena import notes
from arena.faults import nearest
from arena.run_files import CONFIG, NOTEBOOK, PICTURE
from arena.run_names import (
    RUNS,
    Wrong,
    check_config,
    check_name,
    config_tree,
    find,
    find_all,
    free_name,
    named,
    names,
    slug,
)
from arena.settings import PRESETS, load, presets
from arena.telling import plain_console
from arena.telling import told as _told
from culture.catalog import LakeError, connect
from culture.older import reading
from culture.quoting import printable

if TYPE_CHECKING:
    from analysis.measures.embedding import Choice
    from analysis.tabular import Format
    from arena.run import Run

# What a run needs (PyTorch, Ray) takes seconds to import, so only the commands that need it do.

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
BEGIN = """\
Ludus: a school that language models run for themselves.

  python run_arena.py run tiny                  a run of seconds, to see every phase
  python run_arena.py info tiny-seed0           what it came to
  python run_arena.py sql tiny-seed0 "SELECT round, admitted, mean_difficulty FROM rounds ORDER BY round"

`run spark` is the real thing on two cores; `presets` lists the others, `--help` all commands."""
QUERIES = (
    "SELECT round, admitted, mean_difficulty, correct / attempts AS solved FROM rounds ORDER BY round",
    "SELECT arm, count(*) AS attempts, avg(correct::INT) AS solved FROM attempts GROUP BY arm ORDER BY arm",
    "SELECT reason, count(*) AS n, any_value(text) AS example FROM problems WHERE reason IS NOT NULL "
    "GROUP BY reason ORDER BY n DESC",
)
"""Queries to try next."""

RunsFolder = Annotated[Path, typer.Option("--runs", help="Folder that the runs are in.")]


@app.callback(invoke_without_command=True)
def begin(context: typer.Context) -> None:
    """Ludus: a school that language models run for themselves."""
    if context.invoked_subcommand is None:
        typer.echo(BEGIN)


@app.command("run")
def run_command(
    source: Annotated[str, typer.Argument(metavar="PRESET|FILE.yaml", help="A preset, or a YAML file.")],
    name: Annotated[str | None, typer.Option(help="Name of the run; by default PRESET-seedN.")] = None,
    rounds: Annotated[int | None, typer.Option(help="Length of the run, in rounds.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every random stream.")] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override, as in learner.lr=1e-4."),
    ] = None,
    runs: RunsFolder = RUNS,
) -> None:
    """Start a run and play it to its end. Ctrl-C stops it; `resume` goes on."""
    with _told():
        if name is not None:
            check_name(name, runs)
        given = list(overrides or [])
        given += [
            f"{key}={value}" for key, value in (("rounds", rounds), ("seed", seed)) if value is not None
        ]
        from arena.config import RunConfig

        config = load(source, given, RunConfig)
        name = name or free_name(f"{slug(Path(source).stem)}-seed{config.seed}", runs)
        with _playing(runs / name):
            from arena.run import Run

            run = Run.create(runs / name, config)
            _play(run)
        _end(runs / name)


@app.command()
def resume(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Name of a run, or its folder.")],
    rounds: Annotated[int | None, typer.Option(min=1, help="Make it so many rounds long in all.")] = None,
    runs: RunsFolder = RUNS,
) -> None:
    """Go on with a run after its last committed round, or make it longer."""
    with _told():
        folder = find(run, runs)
        with _playing(folder):
            from arena.run import Run

            check_config(folder)
            opened = Run.open(folder)
            done = opened.state.round + 1
            if rounds is not None and rounds != opened.config.rounds:
                opened.close()
                if rounds < done:
                    raise Wrong(
                        f"expected --rounds of {done} or more, as so many are committed, got {rounds}"
                    )
                opened = Run.open(folder, rounds=rounds)
            finished = opened.finished
            if finished:
                opened.close()
                more = f"resume {named(folder)} --rounds {done + 20}"
                typer.echo(f"all {done} rounds are played; to make it longer: python run_arena.py {more}")
            else:
                _play(opened)
        _end(folder)


@app.command()
def sql(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN... [QUERY]",
            help="Names of runs, folders, or patterns as 'sweep-*'; then one SELECT, or none for a prompt.",
        ),
    ],
    form: Annotated[str, typer.Option("--format", help="table, csv, json or parquet.")] = "table",
    at: Annotated[
        int | None, typer.Option(help="Version of the log to look at; the latest by default.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write, instead of the console.")] = None,
    runs: RunsFolder = RUNS,
) -> None:
    """Query the logs of runs, finished or going on; several have a column run. They can only be read."""
    with _told():
        from analysis.asking import answer
        from culture.queries import Refused

        _check_choice("--format", form, ["table", "csv", "json", "parquet"])
        folders, query, many = find_all(arguments, runs)
        try:
            failed = answer(folders, query, many=many, at=at, form=cast("Format", form), out=out)
        except (Refused, duckdb.Error) as error:
            raise Wrong(str(error)) from error
        if failed:
            raise typer.Exit(1)


@app.command()
def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Name of a run, or its folder.")],
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="TARGET", help="git, markdown, trl, verl, huggingface, tensorboard or wandb."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write, new or empty; by default export-git, -trl, ... in the run's."),
    ] = None,
    at: Annotated[
        int | None,
        typer.Option(metavar="ROUND", help="git, markdown: the library as of the end of a round, from 0."),
    ] = None,
    policy: Annotated[
        str | None, typer.Option(help="trl, verl: only rows that trained it, and problems it attempted.")
    ] = None,
    role: Annotated[
        str | None, typer.Option(metavar="solver|proposer", help="trl, verl: only rows of this role.")
    ] = None,
    runs: RunsFolder = RUNS,
) -> None:
    """The library, the run as a dataset, what it trained on, or its measures, for other programs."""
    with _told():
        from analysis.export_folder import ExportError
        from analysis.exporting import OPTIONS, check_options, exported
        from culture.history import NoSuchRound

        _check_choice("--to", to, list(OPTIONS))
        try:
            check_options(to, at=at, policy=policy, role=role)
            folder = find(run, runs)
            target = out or folder / f"export-{to}"
            with reading(folder) as connection:
                for line in exported(connection, target, to, at=at, policy=policy, role=role):
                    typer.echo(line)
        except (ExportError, NoSuchRound) as error:
            raise Wrong(str(error)) from error


def _check_choice(name: str, value: str, choices: list[str]) -> None:
    if value not in choices:
        near = nearest(value, choices)
        advice = f"; write {near!r} instead" if near else ""
        raise Wrong(
            f"expected {', '.join(choices[:-1])} or {choices[-1]} for {name}, got {value!r}{advice}"
        )


@app.command()
def report(
    run: Annotated[list[str], typer.Argument(metavar="RUN...", help="A run, or several to compare.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write; by default report, or report-compared, in the first run's."),
    ] = None,
    runs: RunsFolder = RUNS,
) -> None:
    """A page about a run, or one that compares several, with pictures; it needs no other file."""
    with _told():
        from analysis.report.writing import write_report
        from arena.config import RunConfig

        folders = [find(name, runs) for name in run]
        target = out or folders[0] / ("report" if len(folders) == 1 else "report-compared")
        known = {name: load(name, [], RunConfig).model_dump(mode="json") for name in presets()}
        try:
            with plain_console().status("reading") as status:
                lines = write_report(folders, target, known, lambda now: status.update(Text(now)))
        except ValueError as error:
            raise Wrong(str(error)) from error
        for line in lines:
            typer.echo(line)


@app.command("import")
def import_command(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of Markdown files, a note each.")
    ],
    source: Annotated[
        str, typer.Argument(metavar="[PRESET|FILE.yaml]", help="What kind of run it is to be for.")
    ] = "spark",
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override, as for `run`.")
    ] = None,
) -> None:
    """See whether a run could begin with the notes of a folder, and how to start it; nothing is written."""
    with _told():
        from arena.config import RunConfig
        from arena.seeding import read_folder, ready

        config = load(source, list(overrides or []), RunConfig)
        for line in ready(read_folder(folder, config), folder, source, list(overrides or [])):
            typer.echo(line)


@app.command()
def info(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run; without, all are listed.")
    ] = None,
    picture: Annotated[bool, typer.Option("--picture", help="Draw the picture anew.")] = False,
    runs: RunsFolder = RUNS,
) -> None:
    """What a run came to, or has come to so far; without a name, all runs."""
    with _told():
        if run is None:
            if picture:
                raise Wrong("expected a run to draw, got none; write info RUN --picture")
            _list_runs(runs)
            return
        folder = find(run, runs)
        if picture:
            with connect(folder) as connection:
                if connection.execute("SELECT count(*) FROM rounds").fetchone() == (0,):
                    raise Wrong(f"expected a committed round to draw, got none in {folder} yet")
            _draw(folder)
        _summarise(folder)


@app.command()
def measures(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Name of a run, or its folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="JSON, for scripts.")] = False,
    embedding: Annotated[
        str, typer.Option(metavar="auto|minilm|ngrams", help="What texts are compared by.")
    ] = "auto",
    runs: RunsFolder = RUNS,
) -> None:
    """What curriculum and what culture emerged: measures, with intervals."""
    with _told():
        from analysis.measures.command import CannotMeasure, measure

        _check_choice("--embedding", embedding, ["auto", "minilm", "ngrams"])
        with reading(find(run, runs)) as connection:
            try:
                measure(connection, cast("Choice", embedding), plain_console(), plain=as_json)
            except CannotMeasure as error:
                raise Wrong(str(error)) from error


@app.command()
def browse(
    run: Annotated[list[str], typer.Argument(metavar="RUN...", help="Names of runs, or their folders.")],
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of this machine to listen on.")] = 2718,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open it in a web browser.")] = True,
    edit: Annotated[
        bool, typer.Option("--edit", help="Open the page as a notebook, a copy in the run's folder.")
    ] = False,
    runs: RunsFolder = RUNS,
) -> None:
    """A page on runs, finished or going on: curriculum, library, problems, agents, SQL. It only reads."""
    with _told():
        from analysis.browser import serving

        folders = [find(name, runs) for name in run]
        try:
            if edit:
                raise typer.Exit(serving.edit(folders, folders[0] / NOTEBOOK, port, show=show))
            serving.serve(folders, port, show=show)
        except serving.CannotServe as error:
            raise Wrong(str(error)) from error


@app.command("presets")
def presets_command() -> None:
    """The configurations that come with Ludus."""
    with _told():
        from arena.config import RunConfig

        table = Table("preset", "rounds", "what it is", box=None, pad_edge=False)
        for name in presets():
            first = (PRESETS / f"{name}.yaml").read_text(encoding="utf-8").partition("\n")[0]
            rounds = load(name, [], RunConfig).rounds
            table.add_row(name, str(rounds), first.removeprefix("#").strip() if first[:1] == "#" else "")
        plain_console().print(table)


@app.command()
def schema(
    table: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="One table, view or macro; without, all.")
    ] = None,
) -> None:
    """Tables, views and macros that can be asked: their columns, types and comments."""
    with _told():
        from analysis.asking import askable, described

        known = askable()
        if table is not None and table not in known:
            near = nearest(table, known)
            advice = f"write {near!r} instead" if near else "write one of these"
            raise Wrong(
                f"expected a table or view of the log, got {table!r}; {advice} ({', '.join(known)})"
            )
        for name in known if table is None else [table]:
            typer.echo("\n".join(described(name)) + "\n")


class _Told(typer.core.TyperGroup):
    """Commands of another file, whose errors are told as those of this one."""

    def invoke(self, ctx: Any) -> Any:
        with _told():
            return super().invoke(ctx)


app.add_typer(notes.app, name="notes", cls=_Told)
app.command()(sweep)
app.command()(study)


# -- a run that is played ------------------------------------------------------------------------------
@contextmanager
def _playing(folder: Path) -> Iterator[None]:
    """Ctrl-C and SIGTERM stop what is played within, and say how to go on."""
    from arena.stopping import stoppable

    with stoppable() as stop, _told(folder):
        try:
            _quiet()
            yield
        except BaseException:
            if stop.signal is None:
                raise
            _stopped(folder)
            raise typer.Exit(stop.exit_code) from None


def _play(run: Run) -> None:
    from arena.console import Board

    console = plain_console()
    done, total = run.state.round + 1, run.config.rounds
    console.print(f"{run.folder}: rounds {done + 1} to {total}", markup=False, highlight=False)
    try:
        with Board(run, console) as board:
            run.play(board)
    finally:
        run.close()


def _stopped(folder: Path) -> None:
    """After Ctrl-C: what there is, and how to go on."""
    console = plain_console()
    if not (folder / CONFIG).exists():
        console.print("stopped before the run was begun; nothing was kept", highlight=False)
        return
    try:
        with connect(folder) as connection:
            from analysis.summary import headline

            done, _, shares = headline(connection)
        console.print(f"\nstopped after {done} committed rounds; held out: {shares}", highlight=False)
        if done:
            _draw(folder)
            console.print(f"picture: {folder / PICTURE}", markup=False, highlight=False, soft_wrap=True)
    except LakeError:
        console.print("\nstopped while the log was being made; no round is committed", highlight=False)
    again = f"go on with: python run_arena.py resume {named(folder)}"
    console.print(again, markup=False, highlight=False, soft_wrap=True)


def _end(folder: Path) -> None:
    _draw(folder)
    _summarise(folder)


def _draw(folder: Path) -> None:
    from analysis.pictures import curriculum_picture

    with reading(folder) as connection:
        curriculum_picture(connection, folder / PICTURE)


def _summarise(folder: Path) -> None:
    from analysis.summary import print_sections, summary

    with reading(folder) as connection:
        sections = summary(connection)
    console = plain_console()
    print_sections(sections, console)
    if (folder / PICTURE).exists():
        console.print(f"\npicture: {folder / PICTURE}", markup=False, highlight=False, soft_wrap=True)
    console.print("\nto look further:", highlight=False)
    for query in QUERIES:
        line = f'  python run_arena.py sql {named(folder)} "{query}"'
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _list_runs(runs: Path) -> None:
    from analysis.summary import headline

    found = names(runs)
    if not found:
        typer.echo(f"no runs in {runs} yet; begin with: python run_arena.py run tiny")
        return
    table = Table("run", "rounds", "of", "seed", "held out", box=None, pad_edge=False)
    for name in found:
        planned = "?"
        try:
            planned = str(config_tree(runs / name).get("rounds", "?"))
            with connect(runs / name) as connection:
                done, seed, shares = headline(connection)
            table.add_row(name, str(done), planned, "-" if seed is None else str(seed), shares)
        except (LakeError, duckdb.Error) as error:
            table.add_row(
                name, "?", planned, "?", Text(f"unreadable: {printable(str(error))}", overflow="ellipsis")
            )
    plain_console().print(table)


# -- the console ----------------------------------------------------------------------------------------
def _quiet() -> None:
    """No bars and notices of libraries between the lines of the display."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


if __name__ == "__main__":
    app()
