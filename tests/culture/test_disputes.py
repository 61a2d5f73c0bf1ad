"""Disputes are decided where there is evidence, once, and stay open where there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from culture.disputes import settle
from culture.edits import Edit
from culture.library import Library
from culture.records import RoundRows
from tests.culture.test_library import library, new, reloaded


def disputed(lib: Library, rows: RoundRows, **changes: Any) -> tuple[str, str]:
    """A note and a dispute of it, as ids."""
    written = lib.write(new("R12=21", **changes))
    written.add_to(rows)
    name = written.revision.note_id
    about = {"about": lib.head(name).revision_id}
    edit = Edit(None, None, "dispute", "strings", "public", "about", "it is wrong", "ben", None, 2)
    dispute = lib.write(replace(edit, citations=[("note", name)], evidence=about))
    dispute.add_to(rows)
    return name, dispute.revision.note_id


def test_without_evidence_a_dispute_stays_open() -> None:
    lib = library()
    disputed(lib, RoundRows())
    assert settle(lib, 3) == []


def test_execution_dismisses_and_quarantine_upholds() -> None:
    for quarantine in (False, True):
        lib, rows = library(), RoundRows()
        evidence = {} if quarantine else {"recheck": "confirmed"}
        name, dispute = disputed(lib, rows, evidence=evidence)
        if quarantine:
            rows.revisions += lib.quarantine(name, 2, {"reason": "harmful"})
        (written,) = settle(lib, 3)
        written.add_to(rows)
        expected = "upheld: harmful" if quarantine else "dismissed: confirmed"
        assert lib.head(dispute).body == f"it is wrong\n\n{expected}"
        assert lib.head(dispute).evidence["decided"] == expected.partition(":")[0]
        assert lib.history(dispute)[0].body == "it is wrong"
        assert lib.citations(lib.head(dispute).revision_id)[0].target_id == name
        assert settle(lib, 4) == []
        assert settle(reloaded(lib, rows), 4) == []


def test_what_is_shown_to_help_is_no_longer_disputed() -> None:
    lib = library()
    name, dispute = disputed(lib, RoundRows())
    assert len(settle(lib, 3, {name})) == 1
    assert lib.head(dispute).evidence["by"] == "helpful"


def test_a_long_dispute_has_room_for_its_decision() -> None:
    lib = library(max_note_chars=40)
    written = lib.write(new("R12=21", evidence={"recheck": "confirmed"}))
    edit = Edit(None, None, "dispute", "strings", "public", "about", "x" * 40, "ben", None, 2)
    about = {"about": written.revision.revision_id}
    lib.write(replace(edit, citations=[("note", written.revision.note_id)], evidence=about))
    (decided,) = settle(lib, 3)
    assert len(decided.revision.body) <= 40 and decided.revision.body.endswith("dismissed: confirmed")
