"""Workers of one kind: one in this process, or Ray actors that are restarted when they die.

Nothing here imports torch, so that actors which need none do without it.
"""

from __future__ import annotations

import importlib
import os
import resource
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Failed:
    """A piece of work that its actor could not do, in spite of restarts."""

    detail: str


class Pool(Protocol):
    """Workers of one kind."""

    def call(self, method: str, *args: Any) -> Any:
        """One call to one worker. Raises WorkFailed."""

    def map(self, method: str, pieces: Sequence[tuple[Any, ...]]) -> list[Any]:
        """One call a piece, over all workers; results in the order of ``pieces``, some of them Failed."""

    def peak_memory(self) -> dict[str, float]:
        """Largest resident memory so far of each process of the pool's own, by name, GiB."""


class WorkFailed(RuntimeError):
    """A call that no restart could help."""


class LocalPool:
    """One worker in this process, made when it is first needed."""

    def __init__(self, make: Callable[[], Any], noticed: list[str]) -> None:
        self._make = make
        self._noticed = noticed
        self._worker: Any = None

    def call(self, method: str, *args: Any) -> Any:
        if self._worker is None:
            self._worker = self._make()
        try:
            return getattr(self._worker, method)(*args)
        finally:
            self._noticed += _notices(self._worker)

    def map(self, method: str, pieces: Sequence[tuple[Any, ...]]) -> list[Any]:
        return [self.call(method, *piece) for piece in pieces]

    def peak_memory(self) -> dict[str, float]:
        return {}


class RayPool:
    """Actors of one class."""

    def __init__(
        self,
        cls: type,
        args: tuple[Any, ...],
        *,
        count: int,
        cpus: float,
        gpus: float = 0.0,
        retries: int,
        noticed: list[str],
        plugins: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        import ray

        actor: Any = ray.remote(Tagged)
        options: dict[str, Any] = {"num_cpus": cpus, "num_gpus": gpus, "max_restarts": -1, "name": None}
        if environment:
            options["runtime_env"] = {"env_vars": dict(environment)}
        actor = actor.options(max_task_retries=retries, **options)
        self._ray = ray
        self._name = cls.__name__.lower()
        self._actors = [actor.remote(cls, args, list(plugins)) for _ in range(count)]
        self._pids: dict[int, int] = {}
        self._noticed = noticed

    @property
    def actors(self) -> list[Any]:
        """The actor handles."""
        return list(self._actors)

    def call(self, method: str, *args: Any) -> Any:
        (result,) = self.map(method, [args])
        if isinstance(result, Failed):
            raise WorkFailed(f"{self._name}.{method}: {result.detail}")
        return result

    def map(self, method: str, pieces: Sequence[tuple[Any, ...]]) -> list[Any]:
        results: list[Any] = [None] * len(pieces)
        waiting = list(range(len(pieces)))[::-1]
        running: dict[Any, tuple[int, int]] = {}
        idle = list(range(len(self._actors)))[::-1]
        while waiting or running:
            while waiting and idle:
                index, who = waiting.pop(), idle.pop()
                ref = self._actors[who].do.remote(method, pieces[index])
                running[ref] = (index, who)
            (ready,), _ = self._ray.wait(list(running), num_returns=1)
            index, who = running.pop(ready)
            idle.append(who)
            try:
                pid, results[index], notices = self._ray.get(ready)
            except self._ray.exceptions.RayActorError as error:
                results[index] = Failed(str(error).partition("\n")[0])
                continue
            except self._ray.exceptions.RayTaskError as error:
                # an actor that imports this module needs no torch, which this one does
                from agents.learning.parallel import WorkersFailed

                if isinstance(error.cause, WorkersFailed):
                    results[index] = Failed(str(error.cause))
                    continue
                # as in this process: the exception itself, without the other process's traceback as text
                raise error.cause from None
            self._noticed += [f"{self._name} {who}: {notice}" for notice in notices]
            if self._pids.setdefault(who, pid) != pid:
                self._noticed.append(f"{self._name} {who} was restarted")
                self._pids[who] = pid
        return results

    def peak_memory(self) -> dict[str, float]:
        found = {}
        for who, actor in enumerate(self._actors):
            try:
                found[f"{self._name} {who}"] = float(self._ray.get(actor.peak.remote()))
            except self._ray.exceptions.RayActorError:
                continue  # it is being restarted
        return found


class Tagged:
    """An actor around a worker, which says which process did the work."""

    def __init__(self, cls: type, args: tuple[Any, ...], plugins: Sequence[str]) -> None:
        for name in plugins:
            importlib.import_module(name)
        self._worker = cls(*args)

    def peak(self) -> float:
        return peak_gib()

    def do(self, method: str, args: tuple[Any, ...]) -> tuple[int, Any, list[str]]:
        return os.getpid(), getattr(self._worker, method)(*args), _notices(self._worker)


def _notices(worker: Any) -> list[str]:
    """What a worker has to tell of itself, which it then forgets."""
    if not hasattr(worker, "notices"):
        return []
    told, worker.notices[:] = list(worker.notices), []
    return told


def peak_gib() -> float:
    """Largest resident memory of this process so far; Linux counts it in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
