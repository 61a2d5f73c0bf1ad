"""The command `sweep`: refusals, a sweep with a run that fails, and one that is killed and called again."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from analysis.identical import differences
from analysis.studies.playing import Board
from arena.grid import cells, runs_of
from arena.many import Tasks
from arena.telling import plain_console
from culture import connect
from run_arena import app
from tests.arena.test_many import begun

ROOT = Path(__file__).parents[3]
SETS = ["domains=[transforms]", "rollout.problems=8", "evaluation.per_cell=1", "warm_up.tokens=20000"]
GRID = ["tiny", "--vary", "curriculum.strategy=uniform,ladder", "--seeds", "1", "--rounds", "2"]
SMALL = [*GRID, *[part for setting in SETS for part in ("--set", setting)]]


def ludus(*arguments: str, runs: Path) -> Result:
    return CliRunner().invoke(app, ["sweep", *arguments, "--runs", str(runs)])


def planned(runs: Path) -> Path:
    """The folder of the sweep with the first of its two runs finished."""
    folder = runs / "sweep-tiny"
    folder.mkdir()
    plan = runs_of("tiny", cells([GRID[2]]), [0], [*SETS, "rounds=2"])
    for run, rounds in zip(plan, (2, 1), strict=True):
        begun(folder, run, rounds)
    return folder


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["tiny"], "write --vary KEY=VALUE"),
        (["tinny", "--vary", "rollout.notes=1,2"], "write 'tiny' instead"),
        (["tiny", "--vary", "rollout.notes=1,many"], "(with rollout.notes=many)"),
        (["tiny", "--vary", "rollout.nots=1,2"], "write 'notes' instead"),
        (["tiny", "--vary", "rollout.notes=1,2", "--set", "rounds=0"], "rounds"),
        (["tiny", "--vary", "rollout.notes=1,2", "--name", "a b"], "write 'a-b'"),
        (["tiny", "--vary", "rollout.notes=1,2", "--report-only"], "expected a finished run"),
    ],
)
def test_bad_input_starts_nothing(arguments: list[str], told: str, tmp_path: Path) -> None:
    result = ludus(*arguments, runs=tmp_path)
    assert result.exit_code == 2, result.output
    assert told in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_report_only(tmp_path: Path) -> None:
    folder = planned(tmp_path)
    result = ludus(*SMALL, "--report-only", "--measure", "frontier", runs=tmp_path)
    assert result.exit_code == 0, result.output
    assert "1 of 2 runs are not finished and not counted" in result.stdout
    assert "held-out anchors solved at the end" in result.stdout and "\nfrontier\n" in result.stdout
    rows = list(csv.DictReader(io.StringIO((folder / "cells.csv").read_text())))
    assert [(r["condition"], r["score"], r["runs"]) for r in rows] == [
        ("curriculum.strategy=uniform", "held_out", "1"),
        ("curriculum.strategy=ladder", "held_out", "0"),
        ("curriculum.strategy=uniform", "frontier", "1"),
        ("curriculum.strategy=ladder", "frontier", "0"),
    ]
    assert float(rows[0]["mean"]) == pytest.approx(0.7)
    assert len(json.loads((folder / "cells.json").read_text())) == 4
    assert len(list(csv.DictReader(io.StringIO((folder / "runs.csv").read_text())))) == 2
    wrong = ludus(*SMALL, "--report-only", "--measure", "fronteer", runs=tmp_path)
    assert wrong.exit_code == 2 and "write 'frontier' instead" in wrong.stderr


def test_a_run_with_other_settings_is_not_reported(tmp_path: Path) -> None:
    folder = planned(tmp_path)
    shutil.rmtree(folder / "strategy-ladder-seed0")
    shutil.copytree(folder / "strategy-uniform-seed0", folder / "strategy-ladder-seed0")
    result = ludus(*SMALL, "--report-only", runs=tmp_path)
    assert result.exit_code == 2, result.output
    assert "to be the run that is to be played, got one with other settings" in result.stderr
    assert not (folder / "cells.csv").exists()


def test_how_long_it_will_take(tmp_path: Path) -> None:
    folder = planned(tmp_path)
    plan = runs_of("tiny", cells([GRID[2]]), [0], [*SETS, "rounds=2"])
    text = Board(Tasks(plan, folder, 1), plain_console()).opening()
    assert "2 runs in" in text and "1 of them finished; 1 at once" in text
    assert "by the rounds played so far" in text


@pytest.mark.parametrize(
    "jobs", ["1", pytest.param("2", marks=[pytest.mark.ray, pytest.mark.slow])], ids=["process", "ray"]
)
def test_a_run_that_fails_stops_no_other(
    jobs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUDUS_CACHE", str(tmp_path / "cache"))
    one = [*SMALL, "--rounds", "1", "--jobs", jobs]
    plan = runs_of("tiny", cells([GRID[2]]), [0], [*SETS, "rounds=1"])
    folder = tmp_path / "sweep-tiny"
    folder.mkdir()
    broken = begun(folder, plan[0], 1)
    (broken / "batches").mkdir()
    (broken / "batches" / "b.parquet").write_text("")
    (broken / "catalog.sqlite").write_text("no catalog")
    result = ludus(*one, runs=tmp_path)
    assert result.exit_code == 1, result.output
    assert "strategy-uniform-seed0 failed after 0 rounds: LakeError" in result.stdout
    assert "strategy-ladder-seed0: finished, 1 rounds" in result.stdout
    assert json.loads((folder / "strategy-uniform-seed0.json").read_text())["state"] == "failed"
    assert "Traceback" in (folder / "strategy-uniform-seed0.log").read_text()
    assert "round 1/1" in (folder / "strategy-ladder-seed0.log").read_text()
    with connect(folder / "strategy-ladder-seed0") as log:
        assert log.execute("SELECT count(*) FROM rounds").fetchone() == (1,)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_and_called_again(tmp_path: Path) -> None:
    """The runs come out as those of a sweep that was never killed; finished ones are not played again."""
    environment = {**os.environ, "LUDUS_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    sized = ["--jobs", "1", "--rounds", "3"]
    base = [sys.executable, "-m", "run_arena", "sweep", *SMALL, *sized]

    def start(runs: str) -> subprocess.Popen[str]:
        command = [*base, "--runs", str(tmp_path / runs)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    assert start("whole").communicate(timeout=800)[1] is None
    killed = start("killed")
    folder = tmp_path / "killed" / "sweep-tiny"
    second = folder / "strategy-ladder-seed0.log"
    deadline = time.monotonic() + 800
    while not (second.exists() and "round 1/3" in second.read_text()):
        assert time.monotonic() < deadline and killed.poll() is None
        time.sleep(0.1)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    again = start("killed")
    out, _ = again.communicate(timeout=800)
    assert again.returncode == 0, out
    assert "2 runs in" in out and "1 of them finished" in out
    names = sorted(path.parent.name for path in folder.glob("*/run.yaml"))
    assert len(names) == 2
    for name in names:
        assert differences(tmp_path / "whole" / "sweep-tiny" / name, folder / name) == []
