"""A dataset folder, read by the library that it is for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from analysis.export_folder import ExportError
from analysis.huggingface_export import DatasetExported, export_huggingface
from culture import connect
from culture.records import RoundRows
from tests.analysis.log import attempt, problem, round_rows, write_log
from tests.analysis.older import older
from tests.analysis.school import school

HELD_OUT = "a spec that is held out"


def export(run: Path, out: Path) -> DatasetExported:
    with connect(run) as log:
        return export_huggingface(log, out)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run whose policy proposed an anchor, and a problem with the same spec before."""
    rows: RoundRows = round_rows(0)
    rows.problems += [
        replace(problem(0, 8, 4.0, "anchor"), spec=HELD_OUT, text=HELD_OUT),
        replace(problem(0, 9, 4.0, None), spec=HELD_OUT, text="it again"),
    ]
    rows.attempts.append(attempt(99, "p0-9", "none", correct=True))
    rows.revisions = []
    return write_log(tmp_path / "run", [rows])


@pytest.mark.filterwarnings("default")
def test_the_library_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    out = tmp_path / "out"
    found = export(school(tmp_path / "run"), out)
    assert found.rows == {"problems": 16, "attempts": 48, "library": 4}
    for name, rows in found.rows.items():
        read = datasets.load_dataset(str(out), name, cache_dir=str(tmp_path / "cache"))
        assert list(read) == ["train"] and read["train"].num_rows == rows
    default = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))["train"]
    assert default["problem_id"][:2] == ["p0-0", "p0-1"]
    tried = datasets.load_dataset(str(out), "attempts", split="train", cache_dir=str(tmp_path / "cache"))
    with connect(tmp_path / "run") as log:
        columns = "attempt_id, arm, correct, token_ids, logprobs"
        rows = log.execute(f"SELECT {columns} FROM attempts ORDER BY rowid").fetchall()
    assert [tuple(r[c] for c in columns.split(", ")) for r in tried] == rows


def test_anchors_are_in_no_file(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = export(run, out)
    assert found.rows == {"problems": 4, "attempts": 2}
    assert list(found.left_out.values()) == [2, 1, 20]
    assert [p for p in out.rglob("*") if p.is_file() and HELD_OUT.encode() in p.read_bytes()] == []
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "left out are 2 proposals that are held-out anchors" in card


def test_an_older_log_gives_the_same_columns(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "out")
    export(older(run, tmp_path / "old"), tmp_path / "again")
    for name in ("problems", "attempts"):
        whole, found = (pq.read_table(tmp_path / out / name / "train.parquet") for out in ("out", "again"))
        assert sorted(found.column_names) == sorted(whole.column_names)
        assert [n for n in whole.column_names if whole[n] != found[n]] == ["dose"][: name == "attempts"]


def test_card(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    lines = export(run, out).lines()
    assert any("names no licence" in line for line in lines)
    _, header, rest = (out / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    tree = yaml.safe_load(header)
    assert "license" not in tree
    assert [c["config_name"] for c in tree["configs"]] == ["problems", "attempts"]
    info = {i["config_name"]: i for i in tree["dataset_info"]}
    assert info["attempts"]["splits"][0]["num_examples"] == 2
    assert {"name": "token_ids", "list": "int32"} in info["attempts"]["features"]
    for feature in info["problems"]["features"]:
        assert f"| `{feature['name']}` |" in rest


def test_what_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with pytest.raises(ExportError, match="holds mine"):
        export(run, tmp_path / "full")
    with pytest.raises(ExportError, match="export it after the first"):
        export(write_log(tmp_path / "empty", []), tmp_path / "out")
    with connect(run) as log:  # a refusal leaves no transaction behind
        export_huggingface(log, tmp_path / "one")
        export_huggingface(log, tmp_path / "two")
    for path in (tmp_path / "one").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()
