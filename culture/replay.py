"""How revisions follow from one another: common ancestors, and the check of records to be loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from culture.edits import OUTCOMES, revision_id
from culture.merging import merge
from culture.records import Citation, Revision


def last_common(some: Iterable[str], others: Iterable[str], known: Mapping[str, Revision]) -> Revision:
    """The youngest revision that both came of. Raises ValueError where there is none."""
    common = ancestors(some, known) & ancestors(others, known)
    return max((known[name] for name in common), key=lambda r: r.library_version)


def joined(
    head: Revision, parents: Sequence[str], body: str, known: Mapping[str, Revision], most_chars: int
) -> tuple[str, str | None]:
    """The merge of a text that came of ``parents`` with a head, and the conflict if there is one."""
    ancestor = last_common(parents, [head.revision_id], known)
    merged = merge(ancestor.body, head.body, body)
    # Two texts within the limit can merge into one beyond it; then the author has to shorten.
    fits = len(merged.text) <= most_chars and merged.text.strip()
    return merged.text, (None if fits and not merged.conflicts else merged.text)


def ancestors(names: Iterable[str], known: Mapping[str, Revision]) -> set[str]:
    """The revisions ``names`` and all that they came of."""
    found: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += known[name].parents
    return found


def head_before(row: Revision, history: Iterable[Revision]) -> Revision:
    """The text that readers of a note saw when ``row`` was written; ``history`` is that of the note.

    Raises ValueError where there was none.
    """
    earlier = (r for r in history if r.library_version < row.library_version)
    return max((r for r in earlier if r.outcome in ("head", "merged")), key=lambda r: r.library_version)


def in_order(citations: Iterable[Citation]) -> tuple[Citation, ...]:
    """Citations of a revision as a library keeps them: sorted by what is cited."""
    return tuple(sorted(citations, key=lambda c: (c.target_kind, c.target_id)))


def verify(row: Revision, first: bool, version: int, known: Mapping[str, Revision]) -> None:
    """Raise ValueError where ``row`` cannot be the next revision of a library at ``version``.

    ``first``: whether it is the first of its note. ``known``: all revisions before it, by id.
    """
    where = f"revision {row.revision_id!r} of note {row.note_id!r}"
    if row.library_version != version + 1:
        raise ValueError(
            f"expected library version {version + 1}, got {row.library_version} at {where}; "
            "load all revisions of one version of the log"
        )
    if row.outcome not in OUTCOMES:
        raise ValueError(f"expected an outcome of {', '.join(OUTCOMES)}, got {row.outcome!r} at {where}")
    parents = [known[p] for p in row.parents if p in known and known[p].note_id == row.note_id]
    if len(parents) < len(row.parents) or (not first and not parents):
        raise ValueError(f"expected parents among earlier revisions, got {row.parents} at {where}")
    if (first and row.outcome != "head") or (row.outcome == "merged" and len(parents) != 2):
        raise ValueError(f"expected {row.outcome!r} after its parents, got {row.parents} at {where}")
    name = revision_id(row.note_id, row.parents, row.author, row.round, row.body)
    if name != row.revision_id:
        raise ValueError(f"expected the id {name!r} of its content, got {where}: the record was changed")
