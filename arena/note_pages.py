"""What the commands `notes` print: lines for a terminal of 80 columns, in which no text can act."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size

from culture.history import Blamed, DiffLine
from culture.note_views import Past
from culture.quoting import printable
from culture.records import Revision

Data = dict[str, Any]

HITS = 20
"""Hits that are shown."""
AUTHOR = 14
"""Cells of an author's name in front of a line."""
TAB = "\t"
NARROWEST = 6
"""Cells below which no column is cut."""


def search_page(past: Past, hits: Sequence[Data]) -> Iterator[str]:
    total = len(past.in_sight())
    yield f"{len(hits)} of {_many(total, 'note')} in sight at the end of round {past.round}"
    for hit in hits[:HITS]:
        yield ""
        place = (
            f"{hit['kind']}, {hit['domain']}, {hit['shelf']}, by {hit['author']} in round {hit['round']}"
        )
        yield _cut(f"{past.short(hit['note_id'])}  {printable(place)}  ({hit['score']:.2f})")
        yield _cut(f"  {printable(hit['title'] or '-')}")
        first = next((line for line in hit["body"].split("\n") if line.strip()), "")
        if first.strip() != hit["title"].strip():
            yield _cut(f"  {printable(first)}")
    if hits[HITS:]:
        more = len(hits) - HITS
        yield f"\nand {more} more; --kind, --author, --shelf or --domain narrow it, --json has all"


def _state(page: Data) -> str:
    if page["quarantined"]:
        return "in quarantine: out of sight until a text of it is confirmed"
    return "archived: out of sight" if page["archived"] else "in sight"


def show_page(past: Past, page: Data) -> Iterator[str]:
    yield f"note {page['note_id']}"
    facts = [
        ("title", page["title"] or "-"),
        ("kind", f"{page['kind']} about {page['domain']}, on the shelf {page['shelf']}"),
        ("begun", f"in round {page['round']} by {page['author']}"),
        ("text", _written(past, page)),
        ("state", _state(page)),
        ("history", _many(page["revisions"], "revision")),
        ("branches", _ids(past, page["open_branches"]) or "none open"),
        ("evidence", json.dumps(page["evidence"], ensure_ascii=False)),
        ("reads", _reads(page["reads"])),
    ]
    for name, value in facts:
        yield f"  {name:8}  {printable(value)}"
    by = _many(len(page["cited_by"]), "revision")
    yield f"  cites     {_many(len(page['cites']), 'thing')}; cited by {by}"
    for row in page["cites"]:
        yield _cut(f"    cites     {_target(past, row)}")
    for row in page["cited_by"]:
        yield _cut(f"    cited by  {_source(past, row)}")
    yield ""
    yield printable(page["body"], keep="\n\t")


def history_page(past: Past, name: str, rows: Sequence[Data]) -> Iterator[str]:
    yield _cut(f"note {name}: {printable(past.library.note(name).title)}")
    yield ""
    cells = [["revision", "round", "what", "author", "policy", "lines", "made from"]]
    for row in rows:
        to = f" to {row['published_to']}" if row["published_to"] else ""
        cells.append(
            [
                past.short(row["revision_id"]), str(row["round"]), f"{row['outcome']}{to}", row["author"],
                row["policy_version"] or "-", f"+{row['added']} -{row['removed']}",
                _ids(past, row["parents"]) or "-",
            ]
        )  # fmt: skip
    yield from _table(cells, right=(1,), give=(3, 4))


def diff_page(
    past: Past, old: Revision, new: Revision, found: Sequence[Sequence[DiffLine]]
) -> Iterator[str]:
    for mark, revision in (("---", old), ("+++", new)):
        yield _cut(f"{mark} {past.short(revision.revision_id)} {_told(past, revision)}")
    for hunk in found:
        ends = []
        for numbers in ([x.old for x in hunk if x.old], [x.new for x in hunk if x.new]):
            ends.append(f"{min(numbers, default=0)},{len(numbers)}")
        yield f"@@ -{ends[0]} +{ends[1]} @@"
        for line in hunk:
            yield line.mark + printable(line.text, keep=TAB)
    if not found:
        yield "the two texts are the same"


def blame_page(past: Past, lines: Sequence[Blamed]) -> Iterator[str]:
    rows = []
    for number, line in enumerate(lines, 1):
        author = printable(line.revision.author)
        if cell_len(author) > AUTHOR:
            author = set_cell_size(author, AUTHOR - 1) + "…"
        rows.append([past.short(line.revision.revision_id), str(line.revision.round), author, str(number)])
    wide = [max(cell_len(row[at]) for row in rows) for at in range(4)]
    for row, line in zip(rows, lines, strict=True):
        where = f"{row[0]}  {row[1]:>{wide[1]}}  {set_cell_size(row[2], wide[2])}  {row[3]:>{wide[3]}}"
        yield f"{where}  {printable(line.text, keep=TAB)}".rstrip()


def cites_page(past: Past, name: str, to: Sequence[Data], by: Sequence[Data]) -> Iterator[str]:
    yield _cut(f"note {name}: {printable(past.library.note(name).title)}")
    yield f"\ncites {_many(len(to), 'thing')}"
    for row in to:
        yield _cut(f"  {_target(past, row)}")
    yield f"\ncited by {_many(len(by), 'revision')}"
    for row in by:
        yield _cut(f"  {_source(past, row)}")


def books_page(past: Past, rows: Sequence[Data]) -> Iterator[str]:
    yield f"{_many(len(rows), 'book')} at the end of round {past.round}"
    for row in rows:
        written = sum(c["note_id"] is not None for c in row["chapters"])
        yield ""
        yield _cut(f"{past.short(row['note_id'])}  {printable(row['title'])}")
        yield _cut(
            f"  about {printable(row['domain'])}, begun by {printable(row['author'])} in round "
            f"{row['round']}; {written} of {_many(len(row['chapters']), 'chapter')} written"
        )
        for c in row["chapters"]:
            at = past.short(c["note_id"]) if c["note_id"] else "-"
            yield _cut(f"    {c['number']}. {printable(c['title'])}  ({at})")


def at_page(past: Past, data: Data) -> Iterator[str]:
    yield (
        f"round {data['round']}: {_many(data['in_sight'], 'note')} in sight, {data['archived']} archived, "
        f"{_many(data['open_branches'], 'open branch', 'open branches')}; version {data['library_version']}"
    )
    if not data["notes"]:
        return
    yield ""
    counts = [["shelf", "kind", "notes"]]
    counts += [[row["shelf"], row["kind"], str(row["notes"])] for row in data["counts"]]
    yield from _table(counts, right=(2,), give=(0,))
    yield ""
    cells = [["note", "kind", "domain", "shelf", "author", "round", "title"]]
    for row in data["notes"]:
        cells.append(
            [
                past.short(row["note_id"]), row["kind"], row["domain"], row["shelf"], row["author"],
                str(row["round"]), row["title"] or "-",
            ]
        )  # fmt: skip
    yield from _table(cells, right=(5,), give=(6, 2, 3, 4))


# -- pieces ----------------------------------------------------------------------------------------------
def _written(past: Past, page: Data) -> str:
    policy = f" with {page['policy_version']}" if page["policy_version"] else ""
    which = "" if page["text_of"] == page["revision_id"] else ", not the last"
    return (
        f"{past.short(page['text_of'])} ({page['outcome']}{which}) of round {page['text_round']} by "
        f"{page['text_author']}{policy}, {page['tokens']} tokens"
    )


def _reads(reads: Data) -> str:
    attempts = reads["attempts"]
    if not attempts:
        return "none"
    arms = ", ".join(f"{n} {arm}" for arm, n in attempts.items())
    total = _many(sum(attempts.values()), "attempt")
    return f"{total} ({arms}) of {_many(reads['agents'], 'agent')}, last in round {reads['last_round']}"


def _target(past: Past, row: Data) -> str:
    name = past.short(row["target_id"]) if row["target_kind"] == "note" else row["target_id"]
    what = "" if row["what"] is None else f"  {row['what']}"
    return printable(f"{row['target_kind']} {name}{what}  (by {past.short(row['revision_id'])})")


def _source(past: Past, row: Data) -> str:
    where = f"{past.short(row['note_id'])}  {past.short(row['revision_id'])}"
    return printable(f"{where}  round {row['round']}, {row['author']}  {row['title']}")


def _told(past: Past, revision: Revision) -> str:
    title = past.library.note(revision.note_id).title
    return printable(
        f"of {past.short(revision.note_id)}, round {revision.round}, {revision.author}  {title}"
    )


def _ids(past: Past, names: Sequence[str]) -> str:
    return " ".join(past.short(name) for name in names)


def _many(n: int, one: str, more: str | None = None) -> str:
    return f"{n} {one if n == 1 else more or one + 's'}"


def _width() -> int:
    """Columns to write for: the terminal's, and 80 where there is none or it is narrower."""
    return max(80, shutil.get_terminal_size((80, 24)).columns)


def _cut(line: str) -> str:
    return line if cell_len(line) <= _width() else set_cell_size(line, _width() - 1) + "…"


def _table(cells: Sequence[Sequence[str]], *, right: Sequence[int], give: Sequence[int]) -> Iterator[str]:
    """Aligned columns: ``right`` are numbers, ``give`` are cut, in that order, where lines are too long."""
    shown = [[printable(cell) for cell in row] for row in cells]
    wide = [max(cell_len(row[at]) for row in shown) for at in range(len(shown[0]))]
    for at in give:
        excess = sum(wide) + 2 * (len(wide) - 1) - _width()
        wide[at] -= min(max(0, excess), max(0, wide[at] - NARROWEST))
    for row in shown:
        parts = []
        for at, cell in enumerate(row):
            if cell_len(cell) > wide[at]:
                cell = set_cell_size(cell, wide[at] - 1) + "…"
            pad = " " * (wide[at] - cell_len(cell))
            parts.append(pad + cell if at in right else cell + pad)
        yield "  ".join(parts).rstrip()
