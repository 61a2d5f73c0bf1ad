"""The caller's side of ``arena.domains.reasoning_process``, which is started when it is first needed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from arena.domains.base import Rejected

SCORING_SECONDS: Final = 4.0
"""Longest that an answer may take to be scored, its item included, in seconds of the processor's time."""

_ROOT: Final = str(Path(__file__).resolve().parent.parent.parent)
_BOOT: Final = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from arena.domains.reasoning_process import main
main()
"""
# Nothing else of the environment is passed on: it may hold secrets.
_ENVIRONMENT: Final = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "HOME")


class Worker:
    """Makes items of generators and scores answers, one at a time. May be shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._finalizer: weakref.finalize[..., Worker] | None = None

    def item(self, name: str, levels: dict[str, int], seed: int, seconds: float) -> tuple[str, str]:
        """Question and key, made in at most ``seconds`` of the processor's time. Raises :class:`Rejected`
        where there is none: ``execution:timeout``, ``execution:crash``, ``execution:exception``,
        ``execution:levels``."""
        reply = self._ask({"name": name, "levels": levels, "seed": seed, "seconds": seconds})
        return str(reply["question"]), str(reply["answer"])

    def score(self, name: str, levels: dict[str, int], seed: int, answer: str) -> float:
        """What the scorer of the generator gives for an answer; 0 where it fails or takes longer than
        :data:`SCORING_SECONDS`."""
        asked = {"name": name, "levels": levels, "seed": seed, "seconds": SCORING_SECONDS, "answer": answer}
        try:
            reply = self._ask(asked)
        except Rejected:
            return 0.0
        found = reply["score"]
        assert isinstance(found, float)
        return found

    def close(self) -> None:
        """Stops the process; it starts again when it is needed."""
        with self._lock:
            self._stop()

    def _ask(self, request: Mapping[str, object]) -> dict[str, object]:
        with self._lock:
            process = self._process or self._start()
            assert process.stdin is not None
            try:
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
            except BrokenPipeError:
                pass  # it died, which reading tells too
            reply = _read(process)
            if reply is None:
                raise Rejected("execution:crash", f"expected a reply, got exit {self._stop()}")
        if "failure" in reply:
            raise Rejected(f"execution:{reply['failure']}", str(reply["detail"]))
        return reply

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-s", "-P", "-B", "-c", _BOOT, _ROOT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Generators go through sets of strings: hashed alike, they come out alike.
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
            | {"PYTHONHASHSEED": "0", "TZ": "UTC"},
            start_new_session=True,
        )
        greeting = _read(process)
        if greeting is None or "ready" not in greeting:
            _end(process)
            raise RuntimeError(
                "expected a process for reasoning-gym to start, got none; check that it is installed, by "
                f"`{sys.executable} -c 'import reasoning_gym'`"
            )
        self._process = process
        # A process must not outlive a worker that nobody closed.
        self._finalizer = weakref.finalize(self, _end, process)
        return process

    def _stop(self) -> int | None:
        process, self._process = self._process, None
        if process is None or self._finalizer is None:
            return None
        self._finalizer.detach()
        return _end(process)


@lru_cache(maxsize=8)
def worker(process: int) -> Worker:
    """The worker of the process with this id: a fork must not talk to the process of its parent."""
    return Worker()


def _read(process: subprocess.Popen[bytes]) -> dict[str, object] | None:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.endswith(b"\n"):
        return None
    found = json.loads(line)
    return found if isinstance(found, dict) else None


def _end(process: subprocess.Popen[bytes]) -> int:
    if process.poll() is None:
        # The process and its child, of which nothing is worth keeping.
        os.killpg(process.pid, signal.SIGKILL)
    ended = process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        # Unsent bytes to a process that has ended.
        with contextlib.suppress(BrokenPipeError):
            pipe.close()
    return ended
