"""Measures for trackers, read back from the files."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.export_folder import ExportError
from analysis.tracker_export import TrackerExported, export_tensorboard, export_wandb
from culture import connect
from culture.records import Measure
from tests.analysis.log import round_rows, write_log


@pytest.fixture
def run(tmp_path: Path) -> Path:
    every = []
    for at in range(3):
        rows = round_rows(at)
        rows.measures += [
            Measure(at, "held_out/solver", "sums", 0.1 * at, 0.1 * at - 0.05, 0.1 * at + 0.05, 10),
            Measure(at, "worth/note/n1", "", 0.5, 0.4, 0.6, 10),
            Measure(at, "quarantined", "", None if at == 1 else 2.0, None, None, 1),
        ]
        every.append(rows)
    return write_log(tmp_path / "run", every)


def records(path: Path) -> Iterator[bytes]:
    """The records of an event file: length, its checksum, the bytes, their checksum."""
    data, at = path.read_bytes(), 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        yield data[at + 12 : at + 12 + length]
        at += length + 16
    assert at == len(data)


def test_tensorboard(run: Path, tmp_path: Path) -> None:
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    out = tmp_path / "out"
    with connect(run) as log:
        found = export_tensorboard(log, out)
        ((began,),) = log.execute(
            "SELECT epoch(started_at) + seconds FROM rounds WHERE round = 0"
        ).fetchall()
    (path,) = out.iterdir()
    assert path.name == f"events.out.tfevents.{began:.0f}.ludus"
    scalars: dict[str, dict[int, float]] = {}
    for record in records(path):
        event = event_pb2.Event.FromString(record)
        for value in event.summary.value:
            if value.HasField("simple_value"):
                scalars.setdefault(value.tag, {})[event.step] = value.simple_value
            else:
                assert value.tag.startswith("configuration") and event.wall_time == pytest.approx(began)
    assert scalars["sums/held_out/solver"] == {0: 0, 1: pytest.approx(0.1), 2: pytest.approx(0.2)}
    assert scalars["sums/held_out/solver/low"][2] == pytest.approx(0.15)
    assert scalars["sums/frontier"] == {0: 4, 1: 5, 2: 6}
    assert scalars["quarantined"] == {0: 2, 2: 2}
    assert scalars["rounds/trained_tokens"] == {0: 500, 1: 500, 2: 500}
    assert not any("worth" in name for name in scalars)
    assert found == TrackerExported(
        out, sum(map(len, scalars.values())), len(scalars), 3, f"tensorboard --logdir {out}"
    )


def blocks(path: Path) -> Iterator[bytes]:
    """The records of a log in LevelDB's format behind a header of 7 bytes: in blocks of 32 KiB."""
    data, at, parts = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if 32_768 - at % 32_768 < 7:
            at += 32_768 - at % 32_768
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last of its parts
            yield parts
            parts = b""


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_wandb(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    from wandb.proto import wandb_internal_pb2

    out = tmp_path / "out"
    with connect(run) as log:
        found = export_wandb(log, out)
    assert "which sends it" in found.lines()[-1]
    (path,) = out.glob("wandb/offline-run-*/run-*.wandb")
    history: dict[int, dict[str, float]] = {}
    names = []
    for block in blocks(path):
        record = wandb_internal_pb2.Record.FromString(block)
        if record.HasField("run"):
            names.append(record.run.display_name)
        if record.HasField("history"):
            items = {i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in record.history.item}
            history[int(items["_step"])] = items
    assert set(names) == {"school $x_1$"} and sorted(history) == [0, 1, 2]
    assert history[2]["sums/held_out/solver"] == pytest.approx(0.2)
    assert history[1]["sums/held_out/solver/high"] == pytest.approx(0.15)
    assert "quarantined" not in history[1]


@pytest.mark.parametrize(
    ("export", "package", "extra"),
    [(export_tensorboard, "tensorboardX", "tensorboard"), (export_wandb, "wandb", "wandb")],
)
def test_what_is_missing_is_named(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, export: object, package: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with (
        connect(run) as log,
        pytest.raises(ExportError, match=rf"expected the package {package}.*\.\[{extra}\]"),
    ):
        export(log, tmp_path / "out")  # type: ignore[operator]
    assert not (tmp_path / "out").exists()


def test_a_run_without_a_round_is_refused(tmp_path: Path) -> None:
    with (
        connect(write_log(tmp_path / "run", [])) as log,
        pytest.raises(ExportError, match="after the first round"),
    ):
        export_tensorboard(log, tmp_path / "out")
