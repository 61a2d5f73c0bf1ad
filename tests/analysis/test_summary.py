from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from analysis.history import START, scores
from analysis.summary import effect_text, headline, summary
from culture import connect
from culture.effect import Effect, culture_effect
from tests.analysis.log import round_rows, write_log
from tests.analysis.older import older


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    folder = tmp_path_factory.mktemp("log") / "run"
    with connect(write_log(folder, [round_rows(at) for at in range(4)])) as connection:
        yield connection


def lines(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    return {label: text for section in summary(connection) for label, text in section.lines}


def test_version_0_is_the_start(log: duckdb.DuckDBPyConnection) -> None:
    assert [(s.round, s.right, s.anchors) for s in scores(log)] == [
        (START, 1, 10), (0, 1, 10), (1, 7, 10), (2, 7, 10), (3, 7, 10),
    ]  # fmt: skip


def test_summary(log: duckdb.DuckDBPyConnection) -> None:
    found = lines(log)
    assert found["name"] == "school $x_1$, seed 5"
    assert found["sums, held out"] == (
        "solver: 10.0% [1.8%, 40.4%] at the start -> 70.0% [39.7%, 89.2%] in round 3; 10 anchors"
    )
    assert found["sums, difficulty"] == (
        "mean 4.00 in round 0 -> 10.00 in round 3; Spearman correlation with the round +1.00 over 4 rounds"
    )
    assert found["first: rounds 0-1"] == "75.0% valid, 66.7% of those new (8 proposals)"
    assert found["last: rounds 2-3"] == "75.0% valid, 66.7% of those new (8 proposals)"
    assert found["size"] == "10 notes on the shelves, 1 revisions written"
    none_right = "+50.00 points (too little to tell); 4 and 4 attempts at 4 problems"
    assert found["library - none"] == none_right
    early, late = (culture_effect(log, rounds=range(*at))[0] for at in ((0, 2), (2, 4)))
    assert found["library - none, rounds 0-1"] == effect_text(early)
    assert found["library - none, rounds 2-3"] == effect_text(late)
    assert found["found a note"].startswith("0.0% of the attempts")
    assert found["phases"] == "attempt 24.0 s (60.0%), learn 8.0 s (20.0%)"
    assert found["tokens"].startswith("generated 4,000 tokens in 20.0 s, trained on 2,000 tokens in 8")
    assert headline(log) == (4, 5, "sums 70.0%")


def test_an_effect_is_told_with_its_interval() -> None:
    found = effect_text(Effect("library", "none", 0.5, 0.1, 0.3, 0.7, 5, 4, 3, 1.0))
    assert found == "+50.00 points [+30.00, +70.00]; 5 and 4 attempts at 3 problems"


def test_an_older_log(log: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Everything is said of it that it knows."""
    folder = write_log(tmp_path / "run", [round_rows(at) for at in range(4)])
    with connect(older(folder, tmp_path / "old")) as old:
        found, whole = lines(old), lines(log)
        assert headline(old) == headline(log)
    lost = {label for label in whole if label == "memory" or label.startswith("dose")}
    assert whole.keys() - found.keys() == lost
    assert found["tokens"] == "generated 4,000 tokens, trained on 2,000 tokens in 8.0 s"
    kept = whole.keys() - lost - {"tokens"}
    assert {label: found[label] for label in kept} == {label: whole[label] for label in kept}


def test_one_round(tmp_path: Path) -> None:
    with connect(write_log(tmp_path / "run", [round_rows(0)])) as log:
        found = lines(log)
        assert found["sums, difficulty"] == "mean 4.00 in round 0; too little to correlate with the round"
        assert found["library - none"].startswith("+0.00 points (too little to tell)")


def test_no_round(tmp_path: Path) -> None:
    with connect(write_log(tmp_path / "run", [])) as log:
        assert lines(log) == {"rounds": "none committed yet"}
        assert headline(log) == (0, None, "-")
