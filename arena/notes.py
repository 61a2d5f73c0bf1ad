"""The commands `notes`: the library of a run, now and as of any round, read from the log alone.

Texts of the library were written by models, so what a terminal would obey is written out. ``--json`` gives
the texts as they are, escaped as JSON has it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from arena.faults import listed, nearest
from arena.note_pages import (
    at_page,
    blame_page,
    books_page,
    cites_page,
    diff_page,
    history_page,
    search_page,
    show_page,
)
from arena.run_names import RUNS, Wrong, find
from culture.edits import HIDDEN
from culture.history import NoSuchRound, blame, diff, hunks
from culture.note_views import Past, Unknown, opened
from culture.older import reading
from culture.quoting import printable

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)

RunName = Annotated[str, typer.Argument(metavar="RUN", help="Name of a run, or its folder.")]
NoteId = Annotated[str, typer.Argument(metavar="NOTE", help="Id of a note, or the beginning of one.")]
AnyId = Annotated[
    str,
    typer.Argument(metavar="NOTE|REVISION", help="Id of a note, which is its last text, or a revision."),
]
At = Annotated[
    int | None, typer.Option("--at", metavar="ROUND", help="As it was at the end of a round, from 0.")
]
Json = Annotated[bool, typer.Option("--json", help="JSON, for a script.")]
RunsFolder = Annotated[Path, typer.Option("--runs", help="Folder that the runs are in.")]


@app.callback()
def notes() -> None:
    """Look into a run's library: search, read, compare, trace; a run that goes on, too."""


@app.command()
def search(
    run: RunName,
    query: Annotated[str, typer.Argument(help="Words, or a problem as a solver sees it.")],
    kind: Annotated[str | None, typer.Option(help="Only notes of this kind.")] = None,
    author: Annotated[str | None, typer.Option(help="Only notes that this agent wrote or revised.")] = None,
    shelf: Annotated[str | None, typer.Option(help="Only notes of this shelf.")] = None,
    domain: Annotated[str | None, typer.Option(help="Only notes about this domain.")] = None,
    at: At = None,
    as_json: Json = False,
    runs: RunsFolder = RUNS,
) -> None:
    """Notes in sight that have something of QUERY, the best first, by BM25 as agents find them."""
    with _past(run, runs, at) as past:
        chosen = {"kind": kind, "author": author, "shelf": shelf, "domain": domain}
        for name, value in chosen.items():
            if value is not None:
                _check(name, value, past.values(name))
        hits = past.search(query, {name: value for name, value in chosen.items() if value is not None})
        _say(as_json, {"round": past.round, "hits": hits}, lambda: search_page(past, hits))


@app.command()
def show(run: RunName, note: AnyId, at: At = None, as_json: Json = False, runs: RunsFolder = RUNS) -> None:
    """A note and all that is known of it, or one of its earlier texts."""
    with _past(run, runs, at) as past:
        page = past.page(past.revision(note))
        _say(as_json, page, lambda: show_page(past, page))


@app.command()
def history(
    run: RunName, note: NoteId, at: At = None, as_json: Json = False, runs: RunsFolder = RUNS
) -> None:
    """All revisions of a note, branches and markers too, the oldest first."""
    with _past(run, runs, at) as past:
        name = past.note(note)
        rows = past.history(name)
        _say(as_json, {"note_id": name, "revisions": rows}, lambda: history_page(past, name, rows))


@app.command("diff")
def diff_command(
    run: RunName,
    old: Annotated[str, typer.Argument(metavar="A", help="A revision, or a note: its last text.")],
    new: Annotated[str, typer.Argument(metavar="B", help="Another, of the same note or not.")],
    at: At = None,
    as_json: Json = False,
    runs: RunsFolder = RUNS,
) -> None:
    """What B has and A has not, and the other way, line by line."""
    with _past(run, runs, at) as past:
        a, b = past.revision(old), past.revision(new)
        lines = diff(a.body, b.body)
        data = {"old": a.revision_id, "new": b.revision_id, "lines": [asdict(line) for line in lines]}
        _say(as_json, data, lambda: diff_page(past, a, b, hunks(lines)))


@app.command("blame")
def blame_command(
    run: RunName, note: AnyId, at: At = None, as_json: Json = False, runs: RunsFolder = RUNS
) -> None:
    """For every line the revision, the round and the author that brought it in."""
    with _past(run, runs, at) as past:
        revision = past.revision(note)
        if revision.outcome in HIDDEN:
            marker = "an archive" if revision.outcome == "archived" else "a quarantine"
            raise Wrong(f"expected a revision with a text, got {revision.revision_id}, {marker} marker")
        lines = blame(past.library, revision.revision_id)
        rows = [
            {
                "text": line.text, "revision_id": line.revision.revision_id, "number": line.number,
                "round": line.revision.round, "author": line.revision.author,
                "policy_version": line.revision.policy_version,
            }
            for line in lines
        ]  # fmt: skip
        data = {"revision_id": revision.revision_id, "lines": rows}
        _say(as_json, data, lambda: blame_page(past, lines))


@app.command()
def cites(
    run: RunName, note: NoteId, at: At = None, as_json: Json = False, runs: RunsFolder = RUNS
) -> None:
    """What a note cites, by any of its revisions, and what cites it."""
    with _past(run, runs, at) as past:
        name = past.note(note)
        to, by = past.cites(name), past.cited_by(name)
        data = {"note_id": name, "cites": to, "cited_by": by}
        _say(as_json, data, lambda: cites_page(past, name, to, by))


@app.command()
def books(run: RunName, at: At = None, as_json: Json = False, runs: RunsFolder = RUNS) -> None:
    """The books of the library: who began them, and how much of them is written."""
    with _past(run, runs, at) as past:
        rows = past.books()
        _say(as_json, {"round": past.round, "books": rows}, lambda: books_page(past, rows))


@app.command()
def read(
    run: RunName,
    book: Annotated[str, typer.Argument(metavar="BOOK", help="Id of a book's outline, or its beginning.")],
    chapter: Annotated[
        int | None, typer.Argument(help="Number of one chapter; else the whole book.")
    ] = None,
    at: At = None,
    runs: RunsFolder = RUNS,
) -> None:
    """A book as Markdown: contents, chapters with their authors, references; or one chapter."""
    with _past(run, runs, at) as past:
        name = past.note(book)
        kind = past.library.note(name).kind
        if kind != "book":
            raise Wrong(f"expected the id of a book, got that of a note of kind {kind}; `books` lists them")
        try:
            text = past.book(name, chapter)
        except ValueError as error:
            raise Wrong(str(error)) from error
        typer.echo(printable(text, keep="\n\t"))


@app.command("at")
def at_command(
    run: RunName,
    round: Annotated[int, typer.Argument(metavar="ROUND", help="A committed round, from 0.")],
    as_json: Json = False,
    runs: RunsFolder = RUNS,
) -> None:
    """The library as it was at the end of a round."""
    with _past(run, runs, round) as past:
        data = past.overview()
        _say(as_json, data, lambda: at_page(past, data))


# -- around them -----------------------------------------------------------------------------------------
@contextmanager
def _past(run: str, runs: Path, at: int | None) -> Iterator[Past]:
    with reading(find(run, runs)) as connection:
        try:
            yield opened(connection, at)
        except (NoSuchRound, Unknown) as error:
            raise Wrong(str(error)) from error


def _check(name: str, value: str, known: Sequence[str]) -> None:
    if value in known:
        return
    near = nearest(value, known)
    advice = f"write {near!r} instead" if near else "write one of these" if known else "there are no notes"
    some = listed(known[:12]) + (", ..." if known[12:] else "")
    raise Wrong(f"expected a {name} that the library has, got {value!r}; {advice} ({some})")


def _say(as_json: bool, data: Mapping[str, object], page: Callable[[], Iterable[str]]) -> None:
    # ensure_ascii: no character of a text reaches the terminal by this way either
    lines = [json.dumps(data, indent=1)] if as_json else page()
    for line in lines:
        typer.echo(line)
