"""Many runs: which go first, what is finished, and what is refused. That they play is in test_sweep."""

from __future__ import annotations

import atexit
import fcntl
import functools
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from arena.config import RunConfig
from arena.estimate import rough_seconds
from arena.many import Planned, Standing, Tasks, check, jobs_at_once, memory_gib, standing, threads
from arena.run_names import Wrong
from arena.settings import dump, load
from tests.analysis.log import round_rows, write_log


def planned(name: str, *sets: str) -> Planned:
    return Planned(name, load("tiny", ["cluster.local=true", "rounds=3", *sets], RunConfig))


def begun(runs: Path, run: Planned, rounds: int) -> Path:
    """The folder of a run that has committed so many rounds."""
    folder = runs / run.name
    folder.mkdir()
    (folder / "run.yaml").write_text(f"{dump(run.config)}\nversions: {{code: test}}\n")
    if rounds:
        shutil.copytree(_log(rounds), folder, dirs_exist_ok=True)
    return folder


@functools.cache
def _log(rounds: int) -> Path:
    """A folder with a log of so many rounds, made once."""
    folder = Path(tempfile.mkdtemp(prefix="ludus-log-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return write_log(folder, [round_rows(at) for at in range(rounds)])


def test_what_counts_is_the_log(tmp_path: Path) -> None:
    run = planned("a")
    assert standing(tmp_path / "a", run) == Standing("waiting", 0, 3)
    folder = begun(tmp_path, run, 2)
    (tmp_path / "a.json").write_text('{"state": "failed", "rounds": 1, "of": 3, "error": "no room"}')
    found = standing(folder, run)
    assert (found.state, found.rounds, found.seconds, found.error) == ("failed", 2, 20.0, "no room")
    # as it was left by one that was killed
    (tmp_path / "a.json").write_text('{"state": "playing", "rounds": 1, "of": 3')
    assert standing(folder, run).state == "waiting"
    assert (
        standing(folder, replace(run, config=run.config.model_copy(update={"rounds": 2}))).state
        == "finished"
    )
    # killed while its log was made
    other = planned("b")
    assert standing(begun(tmp_path, other, 0), other) == Standing("waiting", 0, 3)


def test_a_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    run = planned("a")
    begun(tmp_path, run, 0)
    check(tmp_path, [run, planned("b")])
    with pytest.raises(Wrong, match="other settings; call with those"):
        check(tmp_path, [planned("a", "rollout.notes=1")])
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "letter.txt").write_text("mine")
    with pytest.raises(Wrong, match="other files"):
        check(tmp_path, [planned("c")])


def test_who_goes_next(tmp_path: Path) -> None:
    runs = [planned(f"{name}{seed}", f"seed={seed}") for seed in (0, 1) for name in "ab"]
    tasks = Tasks(runs, tmp_path, 2)
    first = tasks._next()
    assert first.name == "a0"
    tasks._running["ref"] = first
    tasks.standings["a0"] = Standing("playing", 0, 3)
    # b0 would warm up what a0 is warming up
    assert tasks._next().name == "a1"
    tasks.standings["a0"] = Standing("playing", 1, 3)
    assert [tasks._next().name, tasks._next().name] == ["b0", "b1"]


def test_finished_runs_are_not_played(tmp_path: Path) -> None:
    runs = [planned("a"), planned("b")]
    begun(tmp_path, runs[0], 3)
    tasks = Tasks(runs, tmp_path, 1)
    assert tasks._next().name == "b"
    assert tasks.standings["a"].state == "finished"
    done = Tasks(runs[:1], tmp_path, 1)
    done.play(lambda tasks: pytest.fail("nothing was to be played"))


def test_nobody_else_plays_in_the_folder(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(Wrong, match="nobody else"):
            Tasks([planned("a")], tmp_path, 1).play()


def test_as_many_as_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [planned(str(n)) for n in range(6)]
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(4)))
    monkeypatch.setattr("agents.models.host_gib", lambda: 100.0)
    assert jobs_at_once(runs, None) == 4
    assert jobs_at_once(runs, 3) == 3
    assert jobs_at_once(runs[:2], None) == 2
    assert jobs_at_once([planned("t", "learner.threads=2")] * 6, None) == 2
    monkeypatch.setattr("agents.models.host_gib", lambda: 1.0 + 2 * memory_gib(runs[0].config))
    assert jobs_at_once(runs, None) == 2
    monkeypatch.setattr("agents.models.host_gib", lambda: 0.1)
    assert jobs_at_once(runs, None) == 1


def test_an_estimate_grows_with_what_there_is_to_do() -> None:
    small = planned("a").config
    assert 0 < rough_seconds(small) < rough_seconds(planned("a", "rounds=30").config)
    assert rough_seconds(small) < rough_seconds(planned("a", "rollout.problems=320").config)
    assert rough_seconds(small) < rough_seconds(planned("a", "warm_up.tokens=9000000").config)
    assert rough_seconds(small, warm_up=False) < rough_seconds(small)
    assert threads(small) == 1
