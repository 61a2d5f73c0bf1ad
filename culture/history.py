"""The library's past: what changed between two revisions, who brought in which line, and the whole of it
as it was at the end of any round.

All of it is a function of the log. In SQL the same is at hand as ``library_at(ROUND)``, a macro that every
connection has (``culture/macros.sql``), and as the log's own snapshots: ``connect(run, at=VERSION)``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal, cast

from culture.config import LibraryConfig
from culture.edits import HIDDEN
from culture.library import Library
from culture.loading import Log, load_library, query
from culture.merging import Merge, alignment, merge
from culture.records import Json, Revision
from culture.replay import ancestors, last_common
from culture.threads import UNREAD


class NoSuchRound(LookupError):
    """A round that is not committed; the message says which are."""


# -- what changed ----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of a comparison."""

    mark: Literal[" ", "-", "+"]
    """In both texts, in the old one only, or in the new one only."""
    text: str
    """Without its line feed; untrusted."""
    old: int | None
    """Its number in the old text, from 1; None where it is not of it."""
    new: int | None
    """Its number in the new text, from 1; None where it is not of it."""


def diff(old: str, new: str) -> list[DiffLine]:
    """All lines of two texts, in order: those without ``+`` are ``old``, those without ``-`` are ``new``.

    Lines end with a line feed only, as they do for merging.
    """
    a, b = old.split("\n"), new.split("\n")
    found: list[DiffLine] = []
    for tag, i, to_i, j, to_j in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            pairs = zip(range(i, to_i), range(j, to_j), strict=True)
            found += [DiffLine(" ", a[m], m + 1, n + 1) for m, n in pairs]
        else:
            found += [DiffLine("-", a[m], m + 1, None) for m in range(i, to_i)]
            found += [DiffLine("+", b[n], None, n + 1) for n in range(j, to_j)]
    return found


def hunks(lines: Sequence[DiffLine], context: int = 3) -> list[list[DiffLine]]:
    """The changed lines with ``context`` lines around them, one list for each stretch."""
    near = [
        any(line.mark != " " for line in lines[max(0, at - context) : at + context + 1])
        for at in range(len(lines))
    ]
    found: list[list[DiffLine]] = []
    for at, line in enumerate(lines):
        if near[at]:
            if not at or not near[at - 1]:
                found.append([])
            found[-1].append(line)
    return found


# -- who brought it in -----------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Blamed:
    """One line of a revision and the revision that brought it into the note."""

    text: str
    """The line, without its line feed; untrusted."""
    revision: Revision
    number: int
    """Which line of that revision it is, from 1."""


def blame(library: Library, revision_id: str) -> list[Blamed]:
    """For every line of a revision, who brought it in; none for a marker, which has no text.

    A revision brings in the lines whose text no parent has. Of a line that several parents have, the
    parent that was the head comes first, as for ``git blame``; a parent with the very same text has all of
    them. Lines that were moved keep their origin, where git would give them to who moved them. A merge
    that the library made brings in nothing. Raises KeyError for an unknown revision.
    """
    target = library.revision(revision_id)
    known = {r.revision_id: r for r in library.history(target.note_id)}
    origins: dict[str, list[tuple[str, int]]] = {}
    lineage = sorted(ancestors([revision_id], known), key=lambda name: known[name].library_version)
    for name in lineage:
        revision = known[name]
        lines = _lines(revision)
        found: list[tuple[str, int] | None] = [None] * len(lines)
        for parent, places in _inherited(library, revision, lines):
            for at, there in places.items():
                if found[at] is None:
                    found[at] = origins[parent][there]
        origins[name] = [(name, at) if place is None else place for at, place in enumerate(found)]
    return [
        Blamed(text, known[name], at + 1)
        for text, (name, at) in zip(_lines(target), origins[revision_id], strict=True)
    ]


def _lines(revision: Revision) -> list[str]:
    return [] if revision.outcome in HIDDEN else revision.body.split("\n")


def _inherited(
    library: Library, revision: Revision, lines: list[str]
) -> Iterable[tuple[str, dict[int, int]]]:
    """Parents, and which line of ``lines`` is which of theirs; the first that has a line counts."""
    parents = [library.revision(name) for name in revision.parents]
    if revision.outcome == "merged":
        head, branch = parents
        merged = _merge(library, head, branch)
        if merged.text == revision.body:  # a log of another version may have been merged otherwise
            yield head.revision_id, {at: a for at, (a, _) in enumerate(merged.origins) if a is not None}
            yield branch.revision_id, {at: b for at, (_, b) in enumerate(merged.origins) if b is not None}
            return
    if revision.outcome in ("head", "merged"):
        # the parent that was the head is the youngest text that was one
        parents.sort(key=lambda r: -r.library_version if r.outcome in ("head", "merged") else 0)
    for parent in parents:
        if parent.body == revision.body:
            yield parent.revision_id, {at: at for at in range(len(lines))}
            return
    for parent in parents:
        yield parent.revision_id, {b: a for a, b in alignment(_lines(parent), lines).items()}
    for parent in parents:
        first = {text: at for at, text in reversed(list(enumerate(_lines(parent))))}
        yield parent.revision_id, {at: first[text] for at, text in enumerate(lines) if text in first}


def _merge(library: Library, head: Revision, branch: Revision) -> Merge:
    known = {r.revision_id: r for r in library.history(head.note_id)}
    ancestor = last_common(branch.parents, [head.revision_id], known)
    return merge(ancestor.body, head.body, branch.body)


# -- as it was -------------------------------------------------------------------------------------------
def committed(log: Log) -> int:
    """The last committed round. Raises NoSuchRound where there is none yet."""
    (last,) = query(log, "SELECT max(round) AS last FROM rounds").column("last").to_pylist()
    if last is None:
        raise NoSuchRound("expected a run with a committed round, got one without any yet; try again later")
    return int(last)


def library_at(log: Log, round: int, *, unread: Collection[str] = UNREAD) -> Library:
    """The whole library as it was at the end of a round, with the reads that were counted by then.

    It is the library that the run had when it committed the round: writing to it is what the run would have
    done next, and changes nothing in the log. Its search is by BM25, whatever the run's is, so that the
    past can be looked at where no model is. ``unread``: kinds of notes that it does not find; the run has
    the ones that are the default. Raises NoSuchRound where ``round`` is not committed.
    """
    last = committed(log)
    rounds = query(log, "SELECT state FROM rounds WHERE round = ?", [round]).column("state").to_pylist()
    if not rounds:
        raise NoSuchRound(f"expected a committed round, from 0 to {last}, got {round}")
    (run,) = query(log, "SELECT seed, config FROM runs").to_pylist()
    config = LibraryConfig.model_validate(json.loads(run["config"])["library"])
    by_words = config.model_copy(update={"search": "bm25"})
    library = load_library(log, by_words, int(run["seed"]), round=round, unread=unread)
    library.load_state_dict(cast("Json", json.loads(rounds[0])["library"]))
    return library


def excerpt_at(log: Log, round: int, notes: Sequence[str]) -> Library:
    """Some notes of the library with all their revisions, as they were at the end of a round.

    To look at, not to write to: of other notes it knows nothing, it counts no reads, and it has not the
    run's configuration. Notes that were begun later are absent. However large the library is, it takes no
    more than these notes.
    """
    return load_library(log, LibraryConfig(), 0, round=round, unread=(), only=notes)
