"""Many runs, each in one process, as many at once as fit; what is finished is skipped.

Beside a run's folder NAME lie NAME.log, what it printed, and NAME.json, where it is: so whoever calls
again, or looks on, knows. What counts as played is what the run's own log has committed.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from arena import ray_start
from arena.config import RunConfig
from arena.run_files import CONFIG
from arena.run_names import Wrong, config_tree
from arena.run_tasks import ProcessTasks, RayTasks, RunTasks
from culture.catalog import LakeError, connect

_SPARK_GIB = 1.5
"""Memory of one process that plays a run of spark, in GiB: 1.0 was measured for the preset ``spark``."""
_SPARED_GIB = 1.0
"""Memory that is left to everything else, in GiB."""
_EVERY = 1.0
"""How often it is looked after the runs, in seconds."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A run to be played."""

    name: str
    """Of its folder."""
    config: RunConfig
    """With ``cluster.local``."""


State = Literal["waiting", "playing", "finished", "failed"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run is."""

    state: State
    rounds: int
    """Committed."""
    of: int
    """Planned."""
    phase: str = ""
    """What it does before its first round."""
    seconds: float = 0.0
    """In rounds that are committed, summed over all times that it was played."""
    error: str = ""
    """Why it failed, in a line."""


def standing(folder: Path, planned: Planned) -> Standing:
    """Where a run is by its log; one that nobody plays is waiting. Its last failure is kept."""
    of = planned.config.rounds
    if not (folder / CONFIG).exists():
        rounds, seconds = 0, 0.0
    else:
        try:
            with connect(folder) as log:
                row = log.execute("SELECT count(*), coalesce(sum(seconds), 0) FROM rounds").fetchone()
            assert row is not None
            rounds, seconds = int(row[0]), float(row[1])
        except LakeError:  # killed while it was being made
            rounds, seconds = 0, 0.0
    if rounds >= of:
        return Standing("finished", rounds, of, seconds=seconds)
    told = _told(folder)
    failed = told is not None and told.state == "failed"
    error = told.error if failed and told is not None else ""
    return Standing("failed" if failed else "waiting", rounds, of, seconds=seconds, error=error)


def check(runs: Path, planned: Sequence[Planned]) -> None:
    """Raises Wrong where a folder holds another run than the one that is planned in it."""
    for run in planned:
        folder = runs / run.name
        if not (folder / CONFIG).exists():
            if folder.is_dir() and any(p.name != f"{CONFIG}.partial" for p in folder.iterdir()):
                raise Wrong(f"expected a run or nothing in {folder}, got other files; move them away")
            continue
        try:
            same = RunConfig.model_validate(config_tree(folder)) == run.config
        except ValidationError:
            same = False
        if not same:
            raise Wrong(
                f"expected {folder} to be the run that is to be played, got one with other settings; "
                "call with those that it was begun with, write another --name or --runs, or move it away"
            )


def ready(planned: Sequence[Planned]) -> None:
    """See that what the runs need beside this code is there. Raises BaseFault, with a line a fault."""
    seen: list[RunConfig] = []
    for run in planned:
        alike = run.config.model_copy(update={"seed": 0})
        if alike in seen:
            continue
        seen.append(alike)
        if not _only_spark(run.config) or run.config.library.search != "bm25":
            from arena.bases import prepare  # which imports torch

            prepare(run.config)


def _only_spark(config: RunConfig) -> bool:
    bases = {policy.base for policy in config.policies.values()}
    return config.engine.kind == "spark" and bases == {"spark"}


def memory_gib(config: RunConfig) -> float:
    """What a process that plays the run needs, in GiB."""
    if _only_spark(config):
        return _SPARK_GIB
    from arena.bases import needed_gib

    return _SPARK_GIB + needed_gib(config)


def threads(config: RunConfig) -> int:
    """Cores that a run keeps busy in one process."""
    return max(config.engine.threads, config.learner.threads)


def jobs_at_once(planned: Sequence[Planned], limit: int | None) -> int:
    """Runs that the machine's cores, memory and GPUs let play at once, ``limit`` at most, one at least."""
    if not planned:
        return 1
    from agents.models import host_gib

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    configs = {id(p.config): p.config for p in planned}.values()
    by_cores = cores // max(threads(c) for c in configs)
    by_memory = int((host_gib() - _SPARED_GIB) // max(memory_gib(c) for c in configs))
    most = min(by_cores, by_memory, len(planned))
    if _gpus(planned):
        most = min(most, _gpus(planned))
    return max(1, most if limit is None else min(limit, most))


def _gpus(planned: Sequence[Planned]) -> int:
    if all(p.config.engine.kind == "spark" for p in planned):
        return 0
    import torch

    return torch.cuda.device_count()


class Tasks:
    """Plays runs, ``jobs`` at a time by Ray, in the order of ``planned``; one at a time needs no Ray.

    Runs that would warm up the same models do not begin together where others can go first: the second
    finds them in the cache.
    """

    def __init__(self, planned: Sequence[Planned], runs: Path, jobs: int) -> None:
        self.planned, self.runs, self.jobs = list(planned), runs, jobs
        self.standings = {p.name: standing(runs / p.name, p) for p in planned}
        """Where each run is, by name."""
        self._waiting = [p for p in planned if self.standings[p.name].state != "finished"]
        self._running: dict[Any, Planned] = {}

    def play(self, watch: Callable[[Tasks], None] | None = None) -> None:
        """Play what is left, and call ``watch(self)`` after every look. A run that fails stops no other.

        Raises Wrong where another program plays runs in the same folder.
        """
        if not self._waiting:
            return
        self.runs.mkdir(parents=True, exist_ok=True)
        with _alone(self.runs):
            self._play(watch)

    def _play(self, watch: Callable[[Tasks], None] | None) -> None:
        ray_start.environment(spark=all(p.config.engine.kind == "spark" for p in self.planned))
        cores = max(threads(p.config) for p in self.planned)
        tasks: RunTasks = RayTasks(cores * self.jobs) if self.jobs > 1 else ProcessTasks()
        gpus = 1 if _gpus(self.planned) else 0
        try:
            while self._waiting or self._running:
                while self._waiting and len(self._running) < self.jobs:
                    self._begin(tasks, self._next(), gpus)
                for task in tasks.ended(list(self._running), _EVERY):
                    self._ended(self._running.pop(task), tasks.result(task))
                for run in self._running.values():
                    told = _told(self.runs / run.name)
                    if told is not None and told.state == "playing":
                        self.standings[run.name] = told
                if watch is not None:
                    watch(self)
        finally:
            tasks.close()

    def _begin(self, tasks: RunTasks, run: Planned, gpus: int) -> None:
        # Ray gives a process as many OpenMP threads as it reserves CPUs
        vllm = run.config.engine.kind == "vllm"
        environment = {"OMP_NUM_THREADS": str(run.config.engine.threads)} if vllm else {}
        folder = (self.runs / run.name).absolute()
        self.standings[run.name] = replace(
            self.standings[run.name], state="playing", phase="starting", error=""
        )
        _tell(folder, self.standings[run.name])
        task = tasks.submit(
            _play,
            str(folder),
            run.config.model_dump(mode="json"),
            cpus=threads(run.config),
            gpus=gpus,
            environment=environment,
        )
        self._running[task] = run

    def _next(self) -> Planned:
        beginning = [
            run.config
            for run in self._running.values()
            if not self.standings[run.name].rounds and self.standings[run.name].state == "playing"
        ]
        for at, run in enumerate(self._waiting):
            if not any(warmed_alike(run.config, other) for other in beginning):
                return self._waiting.pop(at)
        return self._waiting.pop(0)

    def _ended(self, run: Planned, error: str) -> None:
        found = standing(self.runs / run.name, run)
        if error:
            found = replace(found, state="failed", error=error)
        self.standings[run.name] = found
        _tell(self.runs / run.name, found)


@contextmanager
def _alone(runs: Path) -> Iterator[None]:
    """Hold the lock of a folder of runs, which goes with the process that holds it."""
    with (runs / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Wrong(
                f"expected nobody else to play the runs in {runs}, got another program that does; wait for "
                "it, or end it"
            ) from None
        yield


def warmed_alike(one: RunConfig, other: RunConfig) -> bool:
    """Whether two runs begin with the same warm-up, as far as the settings that are usually varied tell."""
    return (one.seed, one.warm_up, one.domains) == (other.seed, other.warm_up, other.domains)


def _status(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.json")


def _tell(folder: Path, found: Standing) -> None:
    """Write where a run is; whole or not at all."""
    path = _status(folder)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(found)), encoding="utf-8")
    partial.replace(path)


def _told(folder: Path) -> Standing | None:
    try:
        return Standing(**json.loads(_status(folder).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _play(where: str, tree: dict[str, Any]) -> str:
    """Play a run, or what is left of it, in a process of Ray's; why it failed, or nothing."""
    folder = Path(where)
    with folder.with_name(f"{folder.name}.log").open("a", encoding="utf-8") as file:
        try:
            _played(folder, tree, file)
        except Exception as error:  # it is recorded, and the other runs go on
            traceback.print_exc(file=file)
            return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
    return ""


def _played(folder: Path, tree: dict[str, Any], file: Any) -> None:
    from rich.console import Console

    from arena.console import Board
    from arena.round import Progress
    from arena.run import Run

    config = RunConfig.model_validate(tree)
    run = Run.open(folder) if (folder / CONFIG).exists() else Run.create(folder, config)
    # line by line, since others read it meanwhile
    console = Console(file=file, width=10_000)
    before = standing(folder, Planned(folder.name, config)).seconds
    started = time.monotonic()
    try:
        with Board(run, console) as board:

            def watch(progress: Progress) -> None:
                board(progress)
                file.flush()
                first = progress.phase.startswith("warm-up")
                if first or progress.phase == "committed":
                    rounds = 0 if first else progress.round + 1
                    seconds = before + time.monotonic() - started
                    phase = progress.phase if first else ""
                    _tell(folder, Standing("playing", rounds, config.rounds, phase, seconds))

            run.play(watch)
    finally:
        run.close()
