"""Notes that do harm, as experiment tells it, put out of sight."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from culture.library import Library
from culture.records import Json, Revision
from culture.worth import Worth, worths


def quarantine_harmful(
    library: Library, connection: duckdb.DuckDBPyConnection, notes: Sequence[Worth], round: int
) -> list[Revision]:
    """Quarantine the notes of which it is told that reading them does harm; the markers made.

    Told it is where the interval of a note's worth that holds for all notes together lies below zero. Of a
    note that came back from quarantine, what its text now is worth counts, not what others of it were.
    ``connection`` is to the log of the committed rounds, ``notes`` are its ``worths`` by note.
    """
    found = [
        (w.key, w)
        for w in notes
        if w.key not in library.trust.quarantined and w.key not in library.trust.returned
    ]
    if library.trust.returned:
        heads = {library.head(name).revision_id: name for name in sorted(library.trust.returned)}
        texts = worths(connection, "revision")
        found += [(heads[w.key], w) for w in texts if w.key in heads]
    markers: list[Revision] = []
    for name, w in sorted(found, key=lambda pair: pair[0]):
        if w.corrected_high is None or w.corrected_low is None or w.corrected_high >= 0:
            continue
        evidence: Json = {
            "reason": "harmful", "difference": w.difference, "low": w.corrected_low,
            "high": w.corrected_high, "treated": w.treated, "controls": w.controls, "problems": w.problems,
        }  # fmt: skip
        markers += library.quarantine(name, round, evidence)
    return markers
