"""Starting Ray on this machine, without what it says and without what it does to signals."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def environment(*, spark: bool) -> None:
    """What the processes of Ray find in their environment; what is there already stays."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray lowers the priority of its workers, which here are the whole job
    os.environ.setdefault("RAY_worker_niceness", "0")
    if spark:
        # A learner's second thread that spins while it waits takes the core from everything else.
        # Larger models, whose engines and learners take turns, lose more by waking a thread each time.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    else:
        # oneDNN keeps what it made for 1,024 shapes of product, which with batches of every length is
        # more than a GiB a process; so many serve as fast
        os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")


_TRIES = 4
_LATE = "timed out during startup"
"""What Ray says where its processes took too long."""


class NotStarted(RuntimeError):
    """Ray did not start; the message says what to do."""


def start(address: str | None, cpus: int) -> None:
    """Join the Ray at ``address``, or start one that has ``cpus`` to give.

    On a machine that is very busy its processes may not be there in the half minute that Ray gives them, so
    it is tried again. Raises NotStarted.
    """
    import ray

    for tried in range(1, _TRIES + 1):
        try:
            with _unobtrusive():
                ray.init(
                    address=address,
                    num_cpus=None if address else cpus,
                    include_dashboard=False,
                    logging_level=logging.ERROR,
                    log_to_driver=False,
                    configure_logging=False,
                    namespace="ludus",
                )
            return
        except Exception as error:  # that is what Ray raises
            if address is not None or _LATE not in str(error):
                raise
            ray.shutdown()
            if tried == _TRIES:
                raise NotStarted(
                    f"expected Ray to start on this machine, got in {_TRIES} tries: {error} Wait until it "
                    "has less to do, then call again"
                ) from error


@contextmanager
def _unobtrusive() -> Iterator[None]:
    """Start Ray without its notice on the console, and without its handler of SIGTERM.

    Ray turns token authentication on for a cluster that it starts and says so; only the saying is muted.
    Its handler would end this process before the log is let go of.
    """
    logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers belong to the main thread: Ray sets none here
        return
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)
