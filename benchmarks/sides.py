"""A side of a comparison in a process of its own: neither's threads, memory or settings are the other's."""

from __future__ import annotations

import multiprocessing
import statistics
import time
import traceback
from collections.abc import Callable, Sequence
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
    """CPU seconds that processes used while they should have been idle."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._processes = [psutil.Process(pid) for pid in pids]
        self._before = self._used()
        self._started = time.perf_counter()

    def _used(self) -> float:
        return sum(sum(p.cpu_times()[:2]) for p in self._processes)

    def share(self) -> float:
        """CPU seconds a second since this was made."""
        return (self._used() - self._before) / (time.perf_counter() - self._started)


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
