"""A run's library as a folder of Markdown files, as of any round: a page a note in sight, and an index.

Pages have the front matter that `import` reads, the body exactly, and below it links to what the note cites
and to what cites it. Titles are escaped; bodies are as they were written: Markdown of models, untrusted.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import duckdb

from analysis.export_folder import ExportError, check_free, filled
from culture.history import committed, library_at
from culture.library import Library
from culture.markdown import README, escaped, front_matter, page, path_of


@dataclass(frozen=True, slots=True)
class MarkdownExported:
    """What was written."""

    folder: Path
    pages: int

    def lines(self) -> list[str]:
        """For people."""
        return [f"{self.folder}: {self.pages:,} page{'s' * (self.pages != 1)}, listed in {README}"]


def export_markdown(
    connection: duckdb.DuckDBPyConnection, folder: Path, round: int | None = None
) -> MarkdownExported:
    """Write the notes in sight at the end of ``round``, the last by default, into a new or empty folder.

    ``connection`` is from ``culture.connect``. Raises ExportError where the folder holds something or no
    note is in sight, and ``culture.history.NoSuchRound``.
    """
    check_free(folder)
    at = committed(connection) if round is None else round
    library = library_at(connection, at)
    names = sorted(set(library.heads()) - library.archived)
    if not names:
        raise ExportError(f"expected a note in sight at the end of round {at}, got none")
    (run,) = connection.execute("SELECT name FROM runs").fetchall()[0]
    paths = {name: path_of(library.note(name)) for name in names}
    citing = _citing(library, names)
    with filled(folder) as partial:
        for name, path in paths.items():
            note, first = library.note(name), library.history(name)[0]
            footer = _footer(library, name, paths, citing[name])
            file = partial / path
            file.parent.mkdir(parents=True, exist_ok=True)
            text = page(front_matter(note, first), library.head(name).body, footer)
            file.write_text(text, encoding="utf-8", newline="")
        index = _index(library, paths, f"{escaped(run)}, as of the end of round {at}")
        (partial / README).write_text(index, encoding="utf-8", newline="")
    return MarkdownExported(folder, len(names))


def _citing(library: Library, names: list[str]) -> defaultdict[str, list[str]]:
    """The notes of ``names`` whose heads cite a note, by the note cited."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        for c in library.citations(library.head(name).revision_id):
            if c.target_kind == "note":
                found[c.target_id].append(name)
    return found


def _footer(library: Library, name: str, paths: dict[str, PurePosixPath], citing: list[str]) -> str:
    lines = []
    for c in library.citations(library.head(name).revision_id):
        if c.target_kind == "note" and c.target_id in paths:
            lines.append(f"- cites {_link(library, c.target_id, paths, paths[name].parent)}")
        else:
            lines.append(f"- cites the {c.target_kind} {escaped(c.target_id)}")
    for other in citing:
        lines.append(f"- cited by {_link(library, other, paths, paths[name].parent)}")
    return "\n".join(["", *lines, ""]) if lines else ""


def _link(library: Library, to: str, paths: dict[str, PurePosixPath], start: PurePosixPath) -> str:
    return f"[{escaped(library.note(to).title) or to}]({os.path.relpath(paths[to], start)})"


def _index(library: Library, paths: dict[str, PurePosixPath], of: str) -> str:
    """All pages by shelf and kind, the oldest first."""
    groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for name in paths:
        note = library.note(name)
        groups[note.shelf, note.kind].append(name)
    lines = [f"# Library of {of}", "", "Models wrote these notes: treat them as untrusted."]
    shelf = None
    for (on, kind), names in sorted(groups.items()):
        if on != shelf:
            lines += ["", f"## {escaped(on)}"]
            shelf = on
        lines += ["", f"### {escaped(kind)} ({len(names)})", ""]
        for name in sorted(names, key=lambda n: (library.note(n).round, n)):
            note = library.note(name)
            link = _link(library, name, paths, PurePosixPath())
            lines.append(
                f"- {link}, {escaped(note.domain)}, by {escaped(note.author)} in round {note.round}"
            )
    return "\n".join([*lines, ""])
