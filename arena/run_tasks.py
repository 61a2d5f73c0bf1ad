"""Where the runs of a sweep are played: tasks of Ray, or one process beside this one."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

from arena import ray_start

Work = Callable[..., str]
"""What a task does: it gives why it failed, or nothing."""
_LOOKED_AFTER = 1.0
"""How often a process sees whether whoever started it is still there, in seconds."""


class RunTasks(Protocol):
    """Tasks, each in a process that is not this one."""

    def submit(self, work: Work, *args: Any, cpus: int, gpus: int, environment: Mapping[str, str]) -> Any:
        """Begin a task; what it is known by."""

    def ended(self, tasks: list[Any], seconds: float) -> list[Any]:
        """Those of ``tasks`` that have ended, one at least unless ``seconds`` pass first."""

    def result(self, task: Any) -> str:
        """Why a task that has ended failed, or nothing; its process may have died."""

    def close(self) -> None:
        """End what still goes on."""


class RayTasks:
    """Tasks of a Ray that is started here. Raises NotStarted."""

    def __init__(self, cpus: int) -> None:
        import ray

        self._ray: Any = ray
        ray_start.start(None, cpus)

    def submit(self, work: Work, *args: Any, cpus: int, gpus: int, environment: Mapping[str, str]) -> Any:
        """See :class:`RunTasks`."""
        options: dict[str, Any] = {"num_cpus": cpus, "num_gpus": gpus, "max_retries": 0}
        if environment:
            options["runtime_env"] = {"env_vars": dict(environment)}
        return self._ray.remote(**options)(work).remote(*args)

    def ended(self, tasks: list[Any], seconds: float) -> list[Any]:
        """See :class:`RunTasks`."""
        ready, _ = self._ray.wait(tasks, num_returns=1, timeout=seconds)
        return list(ready)

    def result(self, task: Any) -> str:
        """See :class:`RunTasks`."""
        try:
            return str(self._ray.get(task))
        except self._ray.exceptions.RayError as lost:
            return str(lost).strip().partition("\n")[0]

    def close(self) -> None:
        """See :class:`RunTasks`."""
        self._ray.shutdown()


class ProcessTasks:
    """One task after the other in one process, without Ray; a process that died is replaced."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, work: Work, *args: Any, cpus: int, gpus: int, environment: Mapping[str, str]) -> Any:
        """See :class:`RunTasks`. The process has all cores and GPUs of this one, and its environment."""
        os.environ.update(environment)
        if self._pool is None:
            # threads of torch do not survive a fork
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, context, _begin, (os.getpid(),))
        return self._pool.submit(work, *args)

    def ended(self, tasks: list[Future[str]], seconds: float) -> list[Future[str]]:
        """See :class:`RunTasks`."""
        return list(wait(tasks, seconds, "FIRST_COMPLETED").done)

    def result(self, task: Future[str]) -> str:
        """See :class:`RunTasks`."""
        try:
            return task.result()
        except BrokenProcessPool:
            self.close()
            return "its process died"

    def close(self) -> None:
        """See :class:`RunTasks`."""
        if self._pool is not None:
            for process in list((self._pool._processes or {}).values()):
                process.kill()
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


def _begin(parent: int) -> None:
    """Say nothing, and end this process once its parent is gone: two must never play one run.

    DuckDB takes a spawned process for an interactive one and draws the progress of slow queries.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOKED_AFTER)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()
