"""Logs of other versions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from culture import catalog
from culture.catalog import LakeError
from culture.config import LakeConfig
from culture.older import reading
from culture.records import Run
from tests.analysis.log import round_rows, write_log
from tests.culture.rows import example


def test_what_does_not_fit_is_told_with_who_wrote_it(tmp_path: Path) -> None:
    rows = round_rows(0)
    rows.runs = [replace(example(Run, 0, 0), code_version="9.9+abc")]
    folder = write_log(tmp_path / "run", [rows])
    where = catalog.place(folder, LakeConfig())
    with catalog.session(where) as log:
        catalog.attach(log, where, write=True)
        log.execute("ALTER TABLE updates DROP COLUMN tokens; ALTER TABLE updates ADD COLUMN tokens VARCHAR")
    with (
        pytest.raises(LakeError, match=r"got one that ludus 9\.9\+abc wrote: .*sum\(VARCHAR\)"),
        reading(folder) as log,
    ):
        log.execute("SELECT sum(tokens) FROM updates")
    with pytest.raises(ValueError, match="of ours"), reading(folder) as log:
        raise ValueError("of ours")
