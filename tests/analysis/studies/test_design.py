"""What was agreed on beforehand is written down once, and what is not so any more is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.studies.design import DESIGN, changes, fingerprint, keep
from tests.analysis.studies.test_study import SMALL


def rewritten(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    tree = json.loads((folder / DESIGN).read_text())
    change(tree)
    (folder / DESIGN).write_text(json.dumps(tree))


def test_the_fingerprint_holds_what_was_agreed_on() -> None:
    same = replace(SMALL, minutes=9, looks=())
    assert fingerprint(same) == fingerprint(SMALL)
    for other in (
        replace(SMALL, seeds=(7, 9)),
        replace(SMALL, rounds=4),
        replace(SMALL, settings=()),
        replace(SMALL, conditions={"wide": ()}),
        replace(SMALL, predictions=()),
    ):
        assert fingerprint(other) != fingerprint(SMALL)


def test_what_is_written_down_is_agreed_on(tmp_path: Path) -> None:
    keep(tmp_path, SMALL)
    assert changes(tmp_path, SMALL) == []
    other = replace(SMALL, rounds=4)
    keep(tmp_path, other)
    assert changes(tmp_path, other) == ["the study was changed after its first run was begun"]


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: tree.pop("configurations"),  # as earlier versions wrote it
        lambda tree: tree["configurations"]["wide"].pop("club"),  # a setting that came later
    ],
)
def test_what_changes_nothing_that_is_played_is_not_held_against_it(
    change: Callable[[dict[str, Any]], object], tmp_path: Path
) -> None:
    keep(tmp_path, SMALL)
    rewritten(tmp_path, change)
    assert changes(tmp_path, SMALL) == []


def test_where_it_is_played_is_not_agreed_on(tmp_path: Path) -> None:
    keep(tmp_path, SMALL)
    moved = replace(SMALL, settings=(*SMALL.settings, "lake.data_path=elsewhere", "lake.compact_every=7"))
    rewritten(tmp_path, lambda tree: tree.update(sha256=fingerprint(moved)))
    assert changes(tmp_path, moved) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: tree["configurations"]["narrow"]["rollout"].update(problems=7),
        lambda tree: tree["configurations"]["narrow"].update(no_more=7),
        lambda tree: tree["configurations"].pop("narrow"),
    ],
)
def test_a_changed_preset_is_told(change: Callable[[dict[str, Any]], object], tmp_path: Path) -> None:
    keep(tmp_path, SMALL)
    rewritten(tmp_path, change)
    told = ["the preset tiny was changed after the study's first run was begun"]
    assert changes(tmp_path, SMALL) == told


@pytest.mark.parametrize("text", [None, "{", "[]", "{}"])
def test_without_a_design_nothing_was_agreed_on(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / DESIGN).write_text(text)
    told = ["design.json, which says what was agreed on, is missing or broken"]
    assert changes(tmp_path, SMALL) == told
    # and is not agreed on once there are runs
    (tmp_path / "wide-seed7").mkdir()
    (tmp_path / "wide-seed7" / "run.yaml").write_text("seed: 7")
    keep(tmp_path, SMALL)
    assert changes(tmp_path, SMALL) == told
