"""Ctrl-C and SIGTERM: the first lets a run stop cleanly, the second ends the process at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(slots=True)
class Stop:
    """Whether the process was asked to stop."""

    signal: int | None = None
    """The number of the signal that asked, or None."""

    @property
    def exit_code(self) -> int:
        """What shells expect of a process that a signal ended: 130 after Ctrl-C."""
        return 128 + (self.signal or signal.SIGINT)


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Within it the first signal raises KeyboardInterrupt where the program is, and is noted in the Stop.

    The note is what counts: a library that is interrupted inside C code may turn the KeyboardInterrupt into
    an exception of its own. To be used in the main thread.
    """
    stop = Stop()

    def handle(number: int, frame: FrameType | None) -> None:
        stop.signal = number
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        # Not print: the signal may have come in the midst of one.
        os.write(2, b"\nstopping; once more ends it at once\n")
        raise KeyboardInterrupt

    before = {each: signal.signal(each, handle) for each in SIGNALS}
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
