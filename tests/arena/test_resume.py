"""Runs that are killed, damaged or out of room, and gone on with: the log is the one of an unharmed run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from agents.checkpoints import CheckpointError
from analysis.identical import differences
from arena.cluster import RayCluster
from arena.run import Run, RunError
from culture import connect
from culture.catalog import LakeError
from culture.seeds import generator
from tests.arena.consistency import check_log
from tests.arena.killing import configured

ROOT = Path(__file__).parents[2]
LOCAL = "cluster.local=true"


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where warmed-up models are kept while these tests run."""
    folder = tmp_path_factory.getbasetemp().parent / "ludus-cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LUDUS_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def unharmed(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run as it is when nothing happens to it."""
    folder = tmp_path_factory.mktemp("unharmed") / "run"
    run = Run.create(folder, configured([LOCAL]))
    run.play()
    run.close()
    check_log(folder)
    with connect(folder) as log:
        # not a run in which nothing was learned or written
        assert log.execute("SELECT count(*) > 20 FROM attempts").fetchone() == (True,)
        assert log.execute("SELECT count(*) > 8 FROM policies").fetchone() == (True,)
    return folder


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.arena.killing", str(folder), *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(folder: Path, *arguments: str) -> tuple[int, str]:
    process = started(folder, *arguments)
    _, errors = process.communicate(timeout=240)
    return process.returncode, errors


def kill(process: subprocess.Popen[str]) -> None:
    """The whole session dies at once, as in a power cut."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def killed_at(folder: Path, moment: str, after: float, *arguments: str) -> None:
    """Kill the run so many seconds after it told of ``moment`` (``round phase``), or when it ends."""
    process = started(folder, *arguments)
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == moment:
            time.sleep(after)
            break
    kill(process)


PHASES = ("request", "propose", "attempt", "judge", "write", "learn", "sleep", "evaluate", "committed")


def moments(seed: int, n: int) -> list[tuple[str, float]]:
    rng = generator(seed, "kill")
    return [
        (f"{int(r)} {PHASES[int(p)]}", float(t))
        for r, p, t in zip(
            sorted(rng.integers(0, 4, n)), rng.integers(0, len(PHASES), n), rng.random(n) * 0.3, strict=True
        )
    ]


def finished_alike(folder: Path, unharmed: Path, *arguments: str) -> None:
    code, errors = finish(folder, *arguments)
    assert code == 0, errors
    assert differences(folder, unharmed) == []
    check_log(folder)


def test_a_run_killed_three_times_is_the_run_that_was_not(tmp_path: Path, unharmed: Path) -> None:
    folder = tmp_path / "run"
    for moment, after in [("0 learn", 0.0), ("1 committed", 0.02), ("3 evaluate", 0.05)]:
        killed_at(folder, moment, after, LOCAL)
    finished_alike(folder, unharmed, LOCAL)


@pytest.mark.slow
def test_a_run_killed_in_its_warm_up_is_the_run_that_was_not(
    tmp_path: Path, unharmed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUDUS_CACHE", str(tmp_path / "cache"))
    killed_at(tmp_path / "run", "0 warm-up of solver, proposer", 1.0, LOCAL)
    assert not (tmp_path / "run" / "checkpoints" / "proposer@0").exists()
    finished_alike(tmp_path / "run", unharmed, LOCAL)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(20))
def test_twenty_runs_killed_at_random_moments(tmp_path: Path, unharmed: Path, seed: int) -> None:
    """Every other run with Ray, killed once and resumed, is the run that was never killed."""
    folder = tmp_path / "run"
    spread = LOCAL if seed % 2 else "cluster.local=false"
    ((moment, after),) = moments(seed, 1)
    killed_at(folder, moment, after, spread)
    finished_alike(folder, unharmed, spread)


def test_a_start_cut_short_at_any_point_can_be_made_again(tmp_path: Path, unharmed: Path) -> None:
    folder = tmp_path / "run"
    config = configured([LOCAL, "rounds=1"])
    folder.mkdir()
    (folder / "run.yaml.partial").write_text("seed")
    run = Run.create(folder, config)  # killed while it wrote the configuration
    run.close()
    for made in ("", "empty"):
        shutil.rmtree(folder / "checkpoints")
        for path in folder.glob("catalog.sqlite*"):
            path.unlink()
        if made:  # killed between making the catalog's file and its tables
            (folder / "catalog.sqlite").touch()
        run = Run.open(folder)
        assert run.state.round == -1
        run.close()
    with pytest.raises(RunError, match="expected a new folder"):
        Run.create(folder, config)


@pytest.mark.parametrize("left", ["nothing", "an empty file"])
def test_a_lost_catalog_beside_a_runs_files_throws_nothing_away(
    tmp_path: Path, unharmed: Path, left: str
) -> None:
    folder = shutil.copytree(unharmed, tmp_path / "run")
    for path in folder.glob("catalog.sqlite*"):
        path.rename(tmp_path / path.name)
    if left != "nothing":
        (folder / "catalog.sqlite").touch()
    with pytest.raises(LakeError, match="restore"):
        Run.open(folder)
    for path in tmp_path.glob("catalog.sqlite*"):
        path.rename(folder / path.name)
    run = Run.open(folder)
    assert run.finished
    run.close()


def test_an_exception_in_a_round_leaves_no_trace_in_the_next(tmp_path: Path, unharmed: Path) -> None:
    """As when a user stops a run in a notebook and lets it go on."""
    run = Run.create(tmp_path / "run", configured([LOCAL]))
    stops = {(0, "sleep"), (1, "attempt"), (2, "learn"), (3, "evaluate")}

    def stop(progress):  # type: ignore[no-untyped-def]
        place = (progress.round, progress.phase)
        if place in stops:
            stops.remove(place)
            raise KeyboardInterrupt

    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            run.play(stop)
    run.play(stop)
    run.close()
    assert differences(tmp_path / "run", unharmed) == []


def test_more_rounds_go_on_where_it_ended(tmp_path: Path, unharmed: Path) -> None:
    run = Run.create(tmp_path / "run", configured([LOCAL, "rounds=3"]))
    run.play()
    run.close()
    run = Run.open(tmp_path / "run", rounds=4)
    with connect(tmp_path / "run") as log:  # at once, since who looks asks whether it goes on
        assert log.execute("SELECT config->>'rounds' FROM runs").fetchall() == [("4",)]
    run.play()
    assert run.finished
    run.close()
    # the round that was the last one then was evaluated, and is no more the last
    found = differences(tmp_path / "run", unharmed)
    assert {line.partition(":")[0] for line in found} <= {"evaluations", "measures", "rounds"}
    with connect(tmp_path / "run") as a, connect(unharmed) as b:
        sql = "SELECT attempt_id, completion, logprobs FROM attempts ORDER BY rowid"
        assert a.execute(sql).fetchall() == b.execute(sql).fetchall()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGE: dict[str, tuple[Callable[[Path], Path], type[Exception], str]] = {
    "weights": (
        lambda f: max(f.glob("checkpoints/solver@*")) / "model.safetensors",
        CheckpointError,
        "SHA",
    ),
    "optimizer": (
        lambda f: max(f.glob("checkpoints/solver@*")) / "optimizer.pt",
        CheckpointError,
        "optimizer",
    ),
    "parquet": (lambda f: max(f.glob("data/**/problems/**/*.parquet")), LakeError, "to have"),
}


@pytest.mark.parametrize("what", DAMAGE)
@pytest.mark.parametrize("how", ["cut", "missing"])
def test_damage_is_named_and_mended(tmp_path: Path, unharmed: Path, what: str, how: str) -> None:
    find, error, message = DAMAGE[what]
    folder = tmp_path / "run"
    run = Run.create(folder, configured([LOCAL, "rounds=2"]))
    run.play()
    run.lake.compact()
    run.close()
    path = find(folder)
    shutil.copy(path, tmp_path / "copy")
    if how == "cut":
        cut(path)
    else:
        path.unlink()
    with pytest.raises(error) as caught:
        Run.open(folder)
    assert str(path.parent) in str(caught.value) or path.parent.name in str(caught.value)
    assert message in str(caught.value) or how == "missing"
    shutil.copy(tmp_path / "copy", path)
    run = Run.open(folder, rounds=3)
    run.play()
    assert run.state.round == 2
    run.close()
    check_log(folder)


@pytest.mark.slow
def test_a_full_disk_is_a_clear_error_and_the_run_goes_on_after(tmp_path: Path, unharmed: Path) -> None:
    folder = tmp_path / "run"
    killed_at(folder, "0 committed", 0.0, LOCAL)
    whole = (unharmed / "checkpoints" / "solver@0" / "model.safetensors").stat().st_size
    code, errors = finish(folder, LOCAL, f"--limit={whole // 2}")
    assert code == 1
    last = errors.strip().splitlines()[-1]
    assert "make room" in last, errors
    finished_alike(folder, unharmed, LOCAL)


@pytest.mark.slow
@pytest.mark.ray
def test_ray_gives_the_same_log(tmp_path: Path, unharmed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing is cached: two learners warm up their policies at once.
    monkeypatch.setenv("LUDUS_CACHE", str(tmp_path / "cache"))
    finished_alike(tmp_path / "run", unharmed, "cluster.local=false", "cluster.engines=2")


@pytest.mark.slow
@pytest.mark.ray
def test_actors_that_die_change_nothing(
    tmp_path: Path, unharmed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clusters: list[RayCluster] = []
    init = RayCluster.__init__

    def kept(self: RayCluster, *args: object) -> None:
        init(self, *args)  # type: ignore[arg-type]
        clusters.append(self)

    monkeypatch.setattr(RayCluster, "__init__", kept)
    # one of each kind, just before it is needed
    doomed = {
        (1, "attempt"): "engines",
        (1, "judge"): "verifiers",
        (2, "write"): "librarian",
        (2, "learn"): "learner",
    }

    def murder(progress):  # type: ignore[no-untyped-def]
        kind = doomed.pop((progress.round, progress.phase), None)
        if kind is not None:
            (pid,) = getattr(clusters[0], kind)._pids.values()
            os.kill(pid, signal.SIGKILL)

    run = Run.create(
        tmp_path / "run", configured(["cluster.local=false", "cluster.engines=1", "cluster.learners=1"])
    )
    run.play(murder)
    run.close()
    assert doomed == {}
    assert differences(tmp_path / "run", unharmed) == []
    with connect(tmp_path / "run") as log:
        found = log.execute("SELECT kind, detail FROM events WHERE source = 'infrastructure'").fetchall()
    workers = ("engineworker", "verifier", "librarian", "learnerworker")
    assert sorted(found) == sorted(("restart", f"{name} 0 was restarted") for name in workers)


def test_moments_are_spread() -> None:
    found = [m for seed in range(20) for m in moments(seed, 1)]
    assert len({m for m, _ in found}) > 10
    assert np.std([t for _, t in found]) > 0.05
