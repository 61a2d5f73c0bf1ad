"""Processes that runs are played in: one that dies is told of and replaced."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from arena.run_tasks import ProcessTasks
from tests.arena.processes import processes

ROOT = Path(__file__).parents[2]


def finish(said: str) -> str:
    return said


def die(said: str) -> str:
    os._exit(3)


def say(said: str) -> str:
    os.write(1, said.encode())
    return ""


def test_one_process_at_a_time(capfd: pytest.CaptureFixture[str]) -> None:
    tasks = ProcessTasks()
    try:
        lost = tasks.submit(die, "", cpus=1, gpus=0, environment={})
        while not tasks.ended([lost], 1.0):
            pass
        assert tasks.result(lost) == "its process died"
        told = tasks.submit(finish, "no room", cpus=1, gpus=0, environment={"LUDUS_TEST": "1"})
        while not tasks.ended([told], 1.0):
            pass
        assert tasks.result(told) == "no room"
        loud = tasks.submit(say, "progress", cpus=1, gpus=0, environment={})
        while not tasks.ended([loud], 1.0):
            pass
        assert tasks.result(loud) == "" and capfd.readouterr().out == ""
    finally:
        tasks.close()
        os.environ.pop("LUDUS_TEST", None)


PROGRAM = """
import time
import pytest

from arena.run_tasks import ProcessTasks

if __name__ == "__main__":
    tasks = ProcessTasks()
    tasks.ended([tasks.submit(time.sleep, 0, cpus=1, gpus=0, environment={})], 60)
    (child,) = tasks._pool._processes
    print(child, flush=True)
    tasks.submit(time.sleep, 600, cpus=1, gpus=0, environment={})
    time.sleep(600)
"""


def test_it_ends_with_whoever_started_it(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    program = subprocess.Popen(
        [sys.executable, str(file)], stdout=subprocess.PIPE, env=environment, text=True
    )
    assert program.stdout is not None
    child = int(program.stdout.readline())
    assert child in {pid for pid, _, _ in processes()}
    program.kill()
    program.wait()
    program.stdout.close()
    deadline = time.monotonic() + 60
    while child in {pid for pid, _, _ in processes()}:
        assert time.monotonic() < deadline
        time.sleep(0.1)
