"""Executes model-written programs and says what came of each; nothing that a program does gets out.

Three walls, from the inside: Monty, a Python interpreter without files, network, clock or entropy, with
limits of its own on time, memory and recursion; a process around each Monty worker that turns its values
into text and may be killed at any moment (``arena.sandbox_process``); and the operating system's limits
on both. This process only ever reads bounded literals (``arena.literals``).

A program is a text; its value is that of its last expression. It is executed twice, in fresh sessions
with different clocks, and both executions must agree. The same program gives the same :class:`Ran`
apart from ``seconds``, with one exception that is inherent: time is measured by a clock on the wall, so
a program that needs about ``max_seconds`` may or may not be a ``timeout``. Monty counts no instructions;
leave the limit far above what an honest program takes.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, Field

from arena.literals import MAX_CHARACTERS, MAX_DEPTH, canonical, parse_literal, same

__all__ = ["Failure", "Ran", "Sandbox", "SandboxConfig", "canonical", "parse_literal", "same"]

Failure: TypeAlias = Literal[
    "timeout",  # longer than max_seconds, or its value took too long to read
    "memory",  # more than max_memory_mib
    "recursion",  # deeper than max_recursion calls
    "output",  # printed more than max_output_characters
    "syntax",  # not a program
    "exception",  # raised an exception
    "unsupported",  # used what the sandbox has not got: a module, a file, entropy, a statement
    "value",  # its value is not plain data within the bounds
    "nondeterministic",  # two executions disagreed
    "too_long",  # more than max_program_characters
    "encoding",  # holds lone surrogates or NUL characters, so it is no source text
    "crash",  # brought down the interpreter, twice
]

_BATCH = 16
"""Programs handed to a process at once: enough to hide the hand-over, few enough to share out."""
_ROOT = str(Path(__file__).resolve().parent.parent)
_BOOT = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from arena.sandbox_process import main
main(sys.argv[1:])
"""
# Nothing else of the environment is passed on: it may hold secrets.
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "MONTY_BIN", "TMPDIR")


class SandboxConfig(BaseModel):
    """What a model-written program may use."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    workers: int = Field(default=2, ge=1, le=256)
    """Programs executed at the same time, each in a process of its own."""
    max_seconds: float = Field(default=1.0, gt=0, le=60)
    """Longest execution, in seconds on the wall clock; honest programs should take a hundredth of it."""
    grace_seconds: float = Field(default=0.5, ge=0.05, le=60)
    """How long past ``max_seconds`` a worker may go on before it is killed, in seconds."""
    max_memory_mib: int = Field(default=64, ge=1, le=4096)
    """Most memory of an execution, in MiB."""
    max_recursion: int = Field(default=500, ge=10, le=1000)
    """Deepest nesting of calls, in calls."""
    max_suspensions: int = Field(default=16, ge=1)
    """Most requests to the system (files, entropy, environment), in calls; each is refused."""
    max_output_characters: int = Field(default=10_000, ge=0, le=1_000_000)
    """Most printed text, in characters."""
    max_program_characters: int = Field(default=20_000, ge=1, le=1_000_000)
    """Longest program, in characters."""
    max_value_characters: int = Field(default=10_000, ge=1, le=MAX_CHARACTERS)
    """Largest value, in characters of its canonical text."""
    max_value_depth: int = Field(default=32, ge=0, le=MAX_DEPTH)
    """Deepest nesting of a value, in levels of containers."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of one program."""

    value: object
    """The value of the last expression, plain data as ``arena.literals`` defines it; None where there is
    none, or a failure. The order in which a set or dict gives its items means nothing."""
    failure: Failure | None
    """Why there is no value; None where there is."""
    detail: str
    """The failure in words, at most 300 characters, untrusted; empty where there is none."""
    printed: str
    """What was printed; empty after a timeout or crash, when it would depend on timing."""
    seconds: float
    """How long both executions took, in seconds."""


class Sandbox:
    """Runs programs in ``config.workers`` processes, which start when they are first needed.

    May be shared by threads. Use it as a context manager, or ``close`` it; it opens again when used.
    """

    def __init__(self, config: SandboxConfig | None = None) -> None:
        self.config = config or SandboxConfig()
        self._idle: queue.LifoQueue[_Process | None] = queue.LifoQueue()
        for _ in range(self.config.workers):
            self._idle.put(None)
        self._live: set[_Process] = set()
        self._lock = threading.Lock()
        # A process must not outlive a sandbox that nobody closed.
        self._finalizer = weakref.finalize(self, _stop_all, self._live)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops all processes; waits for programs that other threads are running."""
        slots = [self._idle.get() for _ in range(self.config.workers)]
        for process in slots:
            if process is not None:
                self._discard(process)
            self._idle.put(None)

    def run(self, program: str) -> Ran:
        """Executes one program. Raises RuntimeError only where no process can be started."""
        return self.run_many([program])[0]

    def run_many(self, programs: Sequence[str]) -> list[Ran]:
        """Executes programs, several at a time; outcomes in the order of ``programs``.

        Raises RuntimeError only where no process can be started, whatever the programs do.
        """
        found: dict[int, Ran] = {}
        sound: list[int] = []
        for index, program in enumerate(programs):
            refused = self._refused(program)
            if refused is None:
                sound.append(index)
            else:
                found[index] = refused
        threads = min(self.config.workers, len(sound))
        if threads > 0:
            size = min(_BATCH, -(-len(sound) // threads))
            batches = iter([sound[at : at + size] for at in range(0, len(sound), size)])
            if threads == 1:
                found |= self._work(programs, batches)
            else:
                with ThreadPoolExecutor(threads, "sandbox") as executor:
                    # next() on a list's iterator is atomic, so the threads share the batches out.
                    for part in executor.map(lambda _: self._work(programs, batches), range(threads)):
                        found |= part
        return [found[index] for index in range(len(programs))]

    def _refused(self, program: str) -> Ran | None:
        limit = self.config.max_program_characters
        if len(program) > limit:
            detail = f"expected at most {limit} characters, got {len(program)}; write a shorter program"
            return Ran(None, "too_long", detail, "", 0.0)
        if "\0" in program or any("\ud800" <= c <= "\udfff" for c in program if not c.isascii()):
            detail = "expected source text, got NUL characters or lone surrogates; write them as escapes"
            return Ran(None, "encoding", detail, "", 0.0)
        return None

    def _work(self, programs: Sequence[str], batches: Iterator[list[int]]) -> dict[int, Ran]:
        """Outcomes of the batches that this thread gets hold of."""
        found: dict[int, Ran] = {}
        process = self._idle.get()
        try:
            for batch in batches:
                left = batch
                died_at: int | None = None
                while left:
                    process = process or self._start()
                    replies = process.execute([programs[i] for i in left])
                    found |= {i: self._ran(reply) for i, reply in zip(left, replies, strict=False)}
                    left = left[len(replies) :]
                    if not left:
                        continue
                    ended = self._discard(process)
                    process = None
                    # It died of the program that it was at. One more try, unless it was the alarm.
                    culprit = left[0]
                    if ended == -signal.SIGALRM:
                        detail = "expected a value that can be read in time, got one that cannot"
                        found[culprit] = Ran(None, "timeout", detail, "", 0.0)
                    elif died_at == culprit:
                        detail = "expected the process to live, got a crash twice"
                        found[culprit] = Ran(None, "crash", detail, "", 0.0)
                    else:
                        died_at = culprit
                        continue
                    left = left[1:]
        except BaseException:
            # Interrupted half-way through an exchange, a process would answer the wrong question next.
            if process is not None:
                self._discard(process)
                process = None
            raise
        finally:
            self._idle.put(process)
        return found

    def _ran(self, reply: list[object]) -> Ran:
        failure, detail, text, printed, seconds = cast(
            tuple[Failure | None, str, str | None, str, float], tuple(reply)
        )
        value = None if text is None else parse_literal(text)
        return Ran(value, failure, detail, printed, seconds)

    def _start(self) -> _Process:
        process = _Process(self.config)
        with self._lock:
            self._live.add(process)
        return process

    def _discard(self, process: _Process) -> int:
        ended = process.stop()
        with self._lock:
            self._live.discard(process)
        return ended


class _Process:
    """One ``arena.sandbox_process`` and the pipes to it."""

    def __init__(self, config: SandboxConfig) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-c", _BOOT, _ROOT, config.model_dump_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            # A session of its own: an interrupt from the keyboard is the caller's to handle.
            start_new_session=True,
        )
        greeting = self._read()
        if not isinstance(greeting, dict) or "ready" not in greeting:
            self.stop()
            raise RuntimeError(
                f"expected a sandbox process to start, got {greeting or 'none'}; check that pydantic-monty "
                f"is installed with its worker, by `{sys.executable} -m pydantic_monty -c 'print(1)'`"
            )

    def execute(self, programs: list[str]) -> list[list[object]]:
        """Replies in order; fewer than programs where the process ended."""
        stdin = self._process.stdin
        assert stdin is not None
        replies: list[list[object]] = []
        try:
            stdin.write(json.dumps(programs).encode() + b"\n")
            stdin.flush()
        except BrokenPipeError:
            return replies
        for _ in programs:
            reply = self._read()
            if not isinstance(reply, list):
                break
            replies.append(reply)
        return replies

    def stop(self) -> int:
        """Kills the process and its worker, of which nothing is worth keeping; how the process ended."""
        if self._process.returncode is None:
            # Not yet waited for, so the number of the group is still its own.
            os.killpg(self._process.pid, signal.SIGKILL)
        ended = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            # Unsent bytes to a process that has ended.
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        return ended

    def _read(self) -> object:
        stdout = self._process.stdout
        assert stdout is not None
        line = stdout.readline()
        return json.loads(line) if line.endswith(b"\n") else None


def _stop_all(live: set[_Process]) -> None:
    for process in list(live):
        process.stop()
    live.clear()
