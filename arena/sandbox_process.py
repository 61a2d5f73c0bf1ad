"""The process between the sandbox and Monty's workers: runs each program twice, reports plain text.

Values leave Monty as Python objects, and making those objects can itself be an attack: a dict keyed by
a tuple that shares its halves forty times over takes CPython hours to hash, with the interpreter's lock
held. So the objects are made here, in a process that may be lost, and what leaves it is their canonical
text. An alarm that no Python code can hold off ends the process when a program overstays.

The protocol is lines of JSON. In: a list of programs. Out: first ``{"ready": true}`` or ``{"error":
text}``, then one list ``[failure, detail, text, printed, seconds]`` a program, in order.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple

from pydantic_monty import (
    Monty,
    MontyCrashedError,
    MontyError,
    MontyRuntimeError,
    MontySyntaxError,
    OSPolicy,
    ResourceLimits,
)

from arena.literals import canonical

if TYPE_CHECKING:
    from arena.sandbox import SandboxConfig

MIB = 1 << 20
DETAIL_CHARACTERS = 300
CHECKOUTS_A_WORKER = 10_000
CONVERSION_SECONDS = 0.5
"""Time to make Python objects of a value, on top of what the program may take."""
SPARE_MEMORY = 1024 * MIB
"""Address space of the interpreter, on top of what a value may take."""
OBJECT_BYTES_A_BYTE = 16
"""How much larger a value may be as CPython objects than it was in Monty."""

# The two executions see different clocks and find different objects on the heap, so what depends on
# either disagrees with itself. Entropy is requested from a host that does not answer: drawing unseeded
# random numbers is an error.
_CLOCKS = (datetime(2001, 2, 3, 4, 5, 6), datetime(2034, 11, 12, 21, 43, 54))
_POLICIES = [OSPolicy(datetime=clock, sleep="zero", random_start="call_host") for clock in _CLOCKS]

# Monty turns these objects, anywhere in a value, into the text of their repr; a value that holds such a
# text is refused. A program that means the text itself can return a list of its parts.
_REPR = re.compile(
    r"<(?:module|function|coroutine|bound method|built-in|class|stdout|stderr|[\w.]+ object)\b.*>"
    r"|(?:range|slice|dict_keys|dict_values|dict_items|re\.compile|functools\.partial)\(.*\)"
    r"|\[\.\.\.\]|\(\.\.\.\)|\{\.\.\.\}",
    re.DOTALL,
)
_UNSUPPORTED = {"NotImplementedError", "ImportError", "ModuleNotFoundError", "PermissionError"}
_NOT_OFFERED = re.compile(r"'[\w.]+' is not supported in this environment|.*suspension")


class _Outcome(NamedTuple):
    """One execution: ``text`` is the value's canonical text where ``failure`` is None."""

    failure: str | None
    detail: str
    text: str | None
    printed: str


class _Printed:
    """A sink for printed text; at ``limit`` characters it is full and kills the worker ``pid``.

    Raising would not do: the worker runs on until its time is up.
    """

    def __init__(self, limit: int, pid: int | None) -> None:
        self.text = ""
        self.full = False
        self._limit = limit
        self._pid = pid

    def __call__(self, stream: Literal["stdout", "stderr"], text: str) -> None:
        if self.full:
            return
        self.full = len(self.text) + len(text) > self._limit
        self.text += text[: self._limit - len(self.text)]
        if self.full and self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)


class Runner:
    """Runs programs one after another in a Monty worker, each in two fresh sessions that must agree."""

    def __init__(self, pool: Monty, config: SandboxConfig) -> None:
        self._pool = pool
        self._config = config
        self._limits = ResourceLimits(
            max_feed_duration_secs=config.max_seconds,
            max_memory=config.max_memory_mib * MIB,
            max_recursion_depth=config.max_recursion,
            max_suspensions=config.max_suspensions,
        )

    def run(self, program: str) -> _Outcome:
        """What both executions agree on, or why there is no such thing."""
        first = self._retried(program, 0)
        if first.failure is not None:
            # A failure is refused whatever a second execution would give.
            return first
        second = self._retried(program, 1)
        if second == first:
            return first
        if second.failure in ("timeout", "memory", "crash"):
            return second
        other = second.failure or second.text or ""
        detail = (
            f"expected two executions to agree, got {_cut(first.text or '', 120)} and {_cut(other, 120)}"
        )
        return _Outcome("nondeterministic", detail, None, first.printed)

    def _retried(self, program: str, which: int) -> _Outcome:
        outcome = self._execute(program, which)
        return self._execute(program, which) if outcome.failure == "crash" else outcome

    def _execute(self, program: str, which: int) -> _Outcome:
        config = self._config
        with self._pool.checkout(
            limits=self._limits,
            os_policy=_POLICIES[which],
            print_flush_interval=0,
            assert_message_annotations=False,
        ) as session:
            printed = _Printed(config.max_output_characters, session.worker_pid)
            try:
                value = session.feed_run(
                    program, inputs={"_": ["another heap"]} if which else None, print_callback=printed
                )
            except Exception as error:
                if printed.full:
                    return self._output(printed)
                failure, detail = self._failure(error)
                # How far a program came until then is a matter of timing.
                kept = "" if failure in ("timeout", "crash") else printed.text
                return _Outcome(failure, detail, None, kept)
        if printed.full:
            return self._output(printed)
        try:
            text = canonical(
                value, max_characters=config.max_value_characters, max_depth=config.max_value_depth
            )
            _refuse_reprs(value)
        except ValueError as error:
            return _Outcome("value", _cut(str(error)), None, printed.text)
        return _Outcome(None, "", text, printed.text)

    def _output(self, printed: _Printed) -> _Outcome:
        detail = f"expected at most {self._config.max_output_characters} printed characters, got more"
        return _Outcome("output", detail, None, printed.text)

    def _failure(self, error: Exception) -> tuple[str, str]:
        """The slug and the detail of an exception out of an execution; neither depends on timing."""
        if isinstance(error, MontyCrashedError):
            if error.timed_out:
                return self._timeout()
            return "crash", "expected the worker to live, got a crash twice"
        if isinstance(error, MontySyntaxError):
            return "syntax", _cut(error.display("type-msg"))
        if isinstance(error, MemoryError):
            return self._memory()
        if not isinstance(error, MontyRuntimeError):
            # Monty ran the program; making Python objects of its value failed, as for an unhashable key.
            known = "" if isinstance(error, MontyError) else f"{type(error).__name__}: "
            return "value", _cut(f"expected plain data, got a value with no counterpart: {known}{error}")
        shown = error.display("type-msg")
        kind, _, message = shown.partition(": ")
        # The words are Monty's own. A program that raises the same exception with the same words is
        # counted by what it claims; it has failed either way.
        if kind == "TimeoutError" and message.startswith("feed time limit exceeded"):
            return self._timeout()
        if kind == "MemoryError" and "memory limit" in message:
            return self._memory()
        if kind == "RecursionError" and message.startswith("maximum recursion depth exceeded"):
            return "recursion", f"expected at most {self._config.max_recursion} nested calls, got more"
        if kind in _UNSUPPORTED or (kind == "RuntimeError" and _NOT_OFFERED.match(message)):
            return "unsupported", _cut(shown)
        return "exception", _cut(shown)

    def _timeout(self) -> tuple[str, str]:
        return "timeout", f"expected at most {self._config.max_seconds:g} s, got more"

    def _memory(self) -> tuple[str, str]:
        return "memory", f"expected at most {self._config.max_memory_mib} MiB, got more"


def _refuse_reprs(value: object) -> None:
    """Raises ValueError where a text in plain data reads like the repr of an object that is not."""
    if isinstance(value, str):
        if _REPR.fullmatch(value):
            raise ValueError(
                f"expected plain data, got {_cut(value, 80)}; return its contents as plain data"
            )
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_reprs(key)
            _refuse_reprs(item)
    elif isinstance(value, list | tuple | set):
        for item in value:
            _refuse_reprs(item)


def _cut(text: str, characters: int = DETAIL_CHARACTERS) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "…"


def overstay_seconds(config: SandboxConfig) -> float:
    """Seconds after which a program has overstayed: two executions, and making objects of the value."""
    return 2 * (config.max_seconds + config.grace_seconds) + CONVERSION_SECONDS


def _confine(config: SandboxConfig) -> None:
    """Limits of the operating system on this process and its worker: no files written, no core dumps."""
    memory = SPARE_MEMORY + OBJECT_BYTES_A_BYTE * config.max_memory_mib * MIB
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def serve(requests: BinaryIO, replies: BinaryIO, config: SandboxConfig) -> None:
    """Answers requests until there are no more; see the module for the protocol."""

    def reply(message: object) -> None:
        replies.write(json.dumps(message).encode() + b"\n")
        replies.flush()

    try:
        _confine(config)
        pool = Monty(
            min_processes=1,
            max_processes=1,
            max_checkouts_per_worker=CHECKOUTS_A_WORKER,
            feed_duration_limit_grace=config.grace_seconds,
            request_timeout=config.max_seconds + config.grace_seconds,
        )
        with pool:
            runner = Runner(pool, config)
            checked = runner.run("1 + 1")
            if checked.text != "2":
                raise RuntimeError(f"expected 1 + 1 to be 2, got {checked}")
            reply({"ready": True})
            for line in requests:
                for program in json.loads(line):
                    started = time.perf_counter()
                    # The default action of SIGALRM ends the process even while the lock is held.
                    signal.setitimer(signal.ITIMER_REAL, overstay_seconds(config))
                    outcome = runner.run(program)
                    signal.setitimer(signal.ITIMER_REAL, 0)
                    reply([*outcome, time.perf_counter() - started])
    except BrokenPipeError:
        return
    except Exception as error:
        reply({"error": f"{type(error).__name__}: {error}"})
        raise


def main(arguments: list[str]) -> None:
    """Serves on standard input and output with the configuration in ``arguments[0]``, as JSON."""
    from arena.sandbox import SandboxConfig

    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    # Replies have a descriptor of their own, so that nothing else written to standard output mixes in.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, replies, SandboxConfig.model_validate_json(arguments[0]))
