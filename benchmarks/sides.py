"""A side of a comparison in a process of its own: neither's threads, memory or settings are the other's."""

from __future__ import annotations

import multiprocessing
import statistics
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import psutil


class Side:
    """A process that makes something with ``make(*args)`` and calls it with whatever it is asked.

    Sides are asked in turn, never at once; the one that waits blocks on its pipe.
    """

    def __init__(self, name: str, make: Callable[..., Callable[[Any], Any]], *args: Any) -> None:
        self.name = name
        context = multiprocessing.get_context("spawn")  # threads of torch do not survive a fork
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, args), daemon=False)
        self._process.start()
        theirs.close()
        self._answer()  # made

    def ask(self, what: Any) -> Any:
        """Raises RuntimeError with the other process's traceback."""
        self._pipe.send(what)
        return self._answer()

    def _answer(self) -> Any:
        try:
            done, value = self._pipe.recv()
        except EOFError:
            raise RuntimeError(f"expected an answer of {self.name}, got the end of its process") from None
        if not done:
            raise RuntimeError(f"{self.name}:\n{value}")
        return value

    def close(self) -> None:
        self._pipe.close()
        self._process.join(30)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def __enter__(self) -> Side:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid


def _serve(pipe: Connection, make: Callable[..., Callable[[Any], Any]], args: tuple[Any, ...]) -> None:
    try:
        call = make(*args)
        pipe.send((True, None))
        while True:
            try:
                what = pipe.recv()
            except EOFError:
                return
            pipe.send((True, call(what)))
    except Exception:
        pipe.send((False, traceback.format_exc()))


class Idle:
    """How much CPU processes used while they should have been idle."""

    def __init__(self) -> None:
        self.share = 0.0
        """The most of a core that any of them took in any turn of others; no unit."""

    @contextmanager
    def watching(self, *pids: int) -> Iterator[None]:
        """``pids`` should be idle within the block."""
        processes = [psutil.Process(pid) for pid in pids]
        before, started = [_used(p) for p in processes], time.perf_counter()
        yield
        seconds = time.perf_counter() - started
        for process, used in zip(processes, before, strict=True):
            self.share = max(self.share, (_used(process) - used) / seconds)


def _used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some figures, and from where to where they went."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"
