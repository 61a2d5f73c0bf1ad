"""Notes as Markdown files with YAML front matter: what libraries are exported to and seeded from.

    ---
    id: "n0123456789abcdef"
    kind: "lesson"
    ...
    ---

    The body, exactly, and one line feed more.

Titles, authors and bodies are untrusted: names of files are made of letters, digits and dashes alone,
values are quoted as YAML, and the body is never looked into. ``split`` gives back the body that ``page``
was given.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import PurePosixPath

import yaml

from culture.edits import IMPORT
from culture.quoting import printable
from culture.records import Note, Revision
from culture.seeds import short_id

FIELDS = ("id", "kind", "domain", "shelf", "author", "title")
"""Keys of the front matter, in order."""
FOOTER = "<!-- ludus: from here on not part of the note -->"
"""The line below which a page has links to what its note cites."""
README = "README.md"
"""The index of a folder of notes, which is no note."""


def front_matter(note: Note, first: Revision) -> dict[str, str]:
    """What a page says of a note; ``first``, its first revision, knows whose an imported note is."""
    return {
        "id": note.note_id, "kind": note.kind, "domain": note.domain, "shelf": note.shelf,
        "author": credited(note, first), "title": note.title,
    }  # fmt: skip


def credited(note: Note, first: Revision) -> str:
    """Who wrote a note: of an imported one the author that its file names, where it names one."""
    author = first.evidence.get("author")
    return author if note.author == IMPORT and isinstance(author, str) else note.author


def page(fields: Mapping[str, str], body: str, footer: str = "") -> str:
    """The text of a file. ``footer`` is Markdown that comes after the note and is not part of it."""
    head = "".join(f"{key}: {_scalar(value)}\n" for key, value in fields.items())
    text = f"---\n{head}---\n\n{body}\n"
    # a body with the line in it gets one of ours too, for the last is the one that counts
    return f"{text}\n{FOOTER}\n{footer}" if footer or FOOTER in body else text


def split(text: str) -> tuple[str | None, str]:
    """The YAML of the front matter, None where there is none, and the body of the note in a file's text.

    A blank line after the front matter and the line feed at the end are not of the body, nor is a footer.
    Lines may end as on Windows, if all of them do.
    """
    if "\r\n" in text and not re.search(r"(?<!\r)\n", text):
        text = text.replace("\r\n", "\n")
    found = re.match(r"---\n(.*?)^---(?:\n|\Z)", text, re.DOTALL | re.MULTILINE)
    if found is None:
        return None, text.removesuffix("\n")
    body = text[found.end() :].removeprefix("\n")
    note, footer, _ = body.rpartition(f"\n{FOOTER}\n")
    return found[1], (note if footer else body).removesuffix("\n")


def path_of(note: Note) -> PurePosixPath:
    """Where the file of a note is: its shelf, its kind, the round it was begun in, its title and its id."""
    name, title = file_id(note.note_id), slug(note.title)
    leaf = f"{title}-{name}.md" if title else f"{name}.md"
    return PurePosixPath(
        slug(note.shelf) or "shelf", slug(note.kind) or "note", f"round-{note.round:04}", leaf
    )


def file_id(note_id: str) -> str:
    """The id of a note as names of files and branches have it: itself, unless a log was tampered with."""
    return note_id if re.fullmatch(r"[a-z0-9]{1,64}", note_id) else short_id("n", note_id)


def slug(text: str, limit: int = 40) -> str:
    """Lower-case letters, digits and dashes of a text, at most ``limit`` of them; it may be empty."""
    plain = unicodedata.normalize("NFKD", text[: 8 * limit]).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^a-z0-9]+", "-", plain.lower())[:limit].strip("-")


def one_line(text: str, limit: int) -> str:
    """A text on one line of ``limit`` printing characters at most, for a heading or a message."""
    line = printable(" ".join(text[: 8 * limit].split()))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def escaped(text: str) -> str:
    """Text on one line that Markdown and HTML show as it is."""
    line = one_line(text, 120)
    return re.sub(r"([\\`*_{}\[\]()#+!|~-])", r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;"))


def _scalar(value: str) -> str:
    """A YAML scalar in double quotes: a plain one means different things to YAML 1.1 and 1.2."""
    text = yaml.safe_dump(value, default_style='"', allow_unicode=value.isprintable(), width=2**31)
    return str(text).removesuffix("\n")
