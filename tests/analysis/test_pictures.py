from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from analysis import pictures
from analysis.pictures import curriculum_picture
from culture import connect
from tests.analysis.log import round_rows, write_log


def drawn(folder: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> Figure:
    """The figure that the picture was made of."""
    made: list[Figure] = []

    class Kept(Figure):
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **options)  # type: ignore[arg-type]
            made.append(self)

    monkeypatch.setattr(pictures, "Figure", Kept)
    with connect(folder) as log:
        curriculum_picture(log, path)
    return made[0]


def test_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_log(tmp_path / "run", [round_rows(at) for at in range(4)])
    path = tmp_path / "curriculum.png"
    path.write_bytes(b"an older one")
    figure = drawn(folder, path, monkeypatch)
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (1600, 1000)
    assert float(np.std(imread(path)[..., :3])) > 0.05
    assert list(tmp_path.glob("*partial*")) == []
    panels = {axes.get_title(): axes for axes in figure.axes}
    for title, axes in panels.items():
        assert axes.get_ylabel(), title
    difficulty = panels["Difficulty of the admitted problems"]
    lines = {line.get_label(): line.get_ydata() for line in difficulty.get_lines()}
    assert list(lines["sums: mean, 10th to 90th percentile"]) == [4, 6, 8, 10]
    assert list(lines["sums: frontier, as the curriculum estimates it"]) == [4, 5, 6, 7]
    image = panels["Held-out success by anchor cell"].get_images()[0].get_array()
    # cells 1x1 and 2x1 at the start and in rounds 0 to 3
    assert np.asarray(image).tolist() == [[0.2, 0.2, 1, 1, 1], [0, 0, 0.4, 0.4, 0.4]]
    proposals = panels["What came of the proposals"]
    heights = [[bar.get_height() for bar in group] for group in proposals.containers]
    assert heights == [[2] * 4, [1] * 4, [1] * 4, [0] * 4]
    hatches = {group[0].get_hatch() for group in proposals.containers}
    assert len(hatches) == 4


def test_first_round_alone_without_evaluations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = round_rows(0)
    rows.evaluations, rows.measures, rows.attempts, rows.problems = [], [], [], []
    figure = drawn(write_log(tmp_path / "run", [rows]), tmp_path / "p.png", monkeypatch)
    assert [t.get_text() for t in figure.axes[3].texts] == [
        "No anchor was answered and no problem attempted yet."
    ]


def test_nothing_to_draw(tmp_path: Path) -> None:
    folder = write_log(tmp_path / "run", [])
    with connect(folder) as log, pytest.raises(ValueError, match="draw it after the first round"):
        curriculum_picture(log, tmp_path / "p.png")
    assert not (tmp_path / "p.png").exists()
