"""A third-party library in a process of its own, which is started when it is first needed.

The protocol is lines of JSON on standard input and output: first ``{"ready": true}``, then a reply to each
request, of which one with ``failure`` and ``detail`` says that there is none.
"""

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
from pathlib import Path
from typing import Final

from arena.domains.base import Rejected

_ROOT: Final = str(Path(__file__).resolve().parent.parent.parent)
_BOOT: Final = """
import importlib
import sys
sys.path.insert(0, sys.argv.pop(1))
importlib.import_module(sys.argv.pop(1)).main()
"""
# Nothing else of the environment is passed on: it may hold secrets.
_ENVIRONMENT: Final = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "HOME")


class WorkerProcess:
    """Answers requests one at a time. May be shared by threads.

    ``module`` is run in the process, by its function ``main``; ``package`` is what it needs installed.
    """

    def __init__(self, module: str, package: str) -> None:
        self.module, self.package = module, package
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._finalizer: weakref.finalize[..., WorkerProcess] | None = None

    def close(self) -> None:
        """Stops the process; it starts again when it is needed."""
        with self._lock:
            self._stop()

    def ask(self, request: Mapping[str, object]) -> dict[str, object]:
        """The reply to a request. Raises :class:`Rejected` where there is none: ``execution:crash``, and
        ``execution:`` with what the process says failed; RuntimeError where it does not start."""
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
            [sys.executable, "-s", "-P", "-B", "-c", _BOOT, _ROOT, self.module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # What goes through sets of strings comes out alike where they are hashed alike.
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
            | {"PYTHONHASHSEED": "0", "TZ": "UTC"},
            start_new_session=True,
        )
        greeting = _read(process)
        if greeting is None or "ready" not in greeting:
            _end(process)
            raise RuntimeError(
                f"expected a process for {self.package} to start, got none; check that it is installed, by "
                f"`{sys.executable} -c 'import {self.package.replace('-', '_')}'`"
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


def _read(process: subprocess.Popen[bytes]) -> dict[str, object] | None:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.endswith(b"\n"):
        return None
    found = json.loads(line)
    return found if isinstance(found, dict) else None


def _end(process: subprocess.Popen[bytes]) -> int:
    if process.poll() is None:
        # The process and its children, of which nothing is worth keeping.
        os.killpg(process.pid, signal.SIGKILL)
    ended = process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        # Unsent bytes to a process that has ended.
        with contextlib.suppress(BrokenPipeError):
            pipe.close()
    return ended
