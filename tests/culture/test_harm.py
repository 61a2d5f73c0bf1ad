"""A note that harms its readers, as far as the arms can tell, goes out of sight."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest

from culture.edits import Edit
from culture.harm import quarantine_harmful
from culture.library import Library
from culture.records import Attempt, Read, RoundRows
from culture.worth import worths
from tests.culture.histories import Story, in_memory
from tests.culture.rows import example
from tests.culture.test_trust import library, new, of


def log_of(lib: Library, rows: RoundRows, tried: dict[str, int]) -> duckdb.DuckDBPyConnection:
    """The log of a library whose heads were read at 24 problems each, right so often; 18 without."""
    for name, right in tried.items():
        for p in range(24):
            for arm in ("library", "none"):
                correct = p < (right if arm == "library" else 18)
                problem, key = f"{name}-{p}", f"{lib.head(name).revision_id}-{p}-{arm}"
                verdict = "correct" if correct else "wrong"
                attempt = replace(example(Attempt, 0, p), attempt_id=key, problem_id=problem, arm=arm)
                rows.attempts.append(
                    replace(attempt, correct=correct, verdict=verdict, policy_version="solver@0")
                )
                if arm == "library":
                    read = replace(example(Read, 0, p), attempt_id=key, arm=arm, note_id=name)
                    rows.reads.append(replace(read, revision_id=lib.head(name).revision_id))
    return in_memory(Story(library=lib, rounds=[rows], then=[{"state": {}}]))


def written(lib: Library, rows: RoundRows, edit: Edit) -> str:
    done = lib.write(edit)
    done.add_to(rows)
    return done.revision.note_id


def test_what_harms_is_quarantined_with_the_numbers() -> None:
    lib, rows = library(), RoundRows()
    names = [written(lib, rows, new(f"R{i}=", index=i)) for i in range(3)]
    log = log_of(lib, rows, dict(zip(names, (2, 17, 24), strict=True)))
    (marker,) = quarantine_harmful(lib, log, worths(log, "note"), 3)
    assert marker.note_id == names[0] and lib.trust.quarantined == {names[0]}
    evidence = marker.evidence
    assert evidence["reason"] == "harmful" and evidence["problems"] == evidence["treated"] == 24
    assert evidence["difference"] == pytest.approx(-16 / 24)
    low, high = evidence["low"], evidence["high"]
    assert isinstance(low, float) and isinstance(high, float) and low < -16 / 24 < high < 0
    assert quarantine_harmful(lib, log, worths(log, "note"), 4) == []


def test_a_note_that_came_back_is_judged_by_its_text() -> None:
    lib, rows = library(), RoundRows()
    name = written(lib, rows, new("R1="))
    log = log_of(lib, rows, {name: 2})
    rows.revisions += quarantine_harmful(lib, log, worths(log, "note"), 3)
    written(lib, rows, of(lib, name, "R12=21", "confirmed", round=4))
    assert lib.trust.returned == {name}
    again = log_of(lib, RoundRows(notes=rows.notes, revisions=rows.revisions), {})
    assert quarantine_harmful(lib, again, worths(again, "note"), 5) == []
    rows = RoundRows(notes=rows.notes, revisions=rows.revisions, attempts=rows.attempts, reads=rows.reads)
    later = log_of(lib, rows, {name: 1})
    assert [m.note_id for m in quarantine_harmful(lib, later, worths(later, "note"), 6)] == [name]
