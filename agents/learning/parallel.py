"""Several processes that train one version, started with Ray Train.

Every process makes a learner of its own with the same arguments and a
:class:`~agents.learning.group.Group` of all of them. On the CPU they talk over gloo; where the cluster has
a GPU for each they have it, and talk over NCCL.
"""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from agents.checkpoints import CheckpointError
from agents.config import LearnerConfig, LoraSettings
from agents.learning.group import Group
from agents.learning.learner import Learned, Learner
from agents.vocabulary import Vocabulary
from culture.records import BatchRow

T = TypeVar("T")

CPUS = 0.5
"""CPUs that one process reserves."""
_PATIENCE = 60
"""How long processes may wait for what they reserve, in minutes."""
_SETTINGS = {
    # stay in the run's folder, where relative paths mean something
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # seconds until it is noticed that training has ended, or that a process has
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    # seconds of one try to reserve what the processes need
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "60",
    # one more actor for each version, to announce what would be retried anyway
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
}


class WorkersFailed(RuntimeError):
    """The processes that train a version could not be started, or one of them failed."""


def learn_in_parallel(
    config: LearnerConfig,
    *,
    seed: int,
    retries: int,
    policy: str,
    parent: str,
    parent_path: Path,
    version: str,
    path: Path,
    rows: Sequence[BatchRow],
    lr: float,
    vocabulary: Vocabulary | None = None,
    lora: LoraSettings | None = None,
    first: Path | None = None,
) -> Learned:
    """:meth:`agents.learning.learner.Learner.learn` by ``config.workers`` processes of Ray.

    The version is the one that a single process makes, up to the order in which floats are summed, and
    stored in the same format. Where a process fails all are started again, ``retries`` times at most. Ray
    must be running.

    Raises WorkersFailed, or the CheckpointError of a version that cannot be read or written.
    """
    order = {
        "policy": policy,
        "parent": parent,
        "parent_path": parent_path.absolute(),
        "version": version,
        "path": path.absolute(),
        "rows": list(rows),
        "lr": lr,
        "vocabulary": vocabulary,
        "lora": lora,
        "first": None if first is None else first.absolute(),
    }
    return in_processes(partial(_learn, config, seed, order), config.workers, retries=retries)


def _learn(config: LearnerConfig, seed: int, order: dict[str, Any]) -> Learned:
    """What each process does."""
    return Learner(config, seed=seed, group=joined(config)).learn(**order)


def joined(config: LearnerConfig) -> Group:
    """The group of the processes that this one was started with."""
    from agents.learning.processes import Copies, Shards

    return Shards() if config.shard else Copies()


def in_processes(work: Callable[[], T], workers: int, *, retries: int) -> T:
    """``work`` done by ``workers`` processes at once; what the first of them returns.

    Raises WorkersFailed, or the CheckpointError that ``work`` raised.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    import ray.train.torch

    cluster: Any = ray  # Ray Train's names are typed as those of its first version
    train = cluster.train
    gpus = int(cluster.cluster_resources().get("GPU", 0))
    if 0 < gpus < workers:
        raise WorkersFailed(
            f"expected a GPU for each of learner.workers: {workers}, got {gpus} in the cluster; write "
            f"learner.workers: {gpus}"
        )
    with tempfile.TemporaryDirectory(prefix="ludus-") as folder, _interruptible():
        # its reports of what it is doing would bury the run's own
        logging.getLogger("ray.train").setLevel(logging.ERROR)
        trainer = train.torch.TorchTrainer(
            work,
            scaling_config=train.ScalingConfig(
                num_workers=workers,
                use_gpu=gpus > 0,
                resources_per_worker={"CPU": CPUS, **({"GPU": 1} if gpus else {})},
            ),
            run_config=train.RunConfig(
                name="learner",
                storage_path=folder,
                failure_config=train.FailureConfig(
                    max_failures=retries,
                    max_preemption_failures=retries,
                    controller_failure_limit=_PATIENCE,
                ),
                logging_config=train.LoggingConfig(log_level="ERROR"),
            ),
        )
        try:
            done: T = trainer.fit().return_value
        except train.WorkerGroupError as error:
            raise _cause(error.worker_failures) from error
        except train.TrainingFailedError as error:
            raise WorkersFailed(
                f"expected {workers} processes to train together, got: {_line(error)}; see that the cluster "
                f"has {CPUS} CPUs for each, or write learner.workers: 1"
            ) from error
    return done


def _cause(failures: dict[int, Exception]) -> Exception:
    """The failure of a process, among those of others that waited for it in vain."""
    told = next((e for e in failures.values() if isinstance(e, CheckpointError)), None)
    return told or WorkersFailed(
        "expected all processes to train to the end, got: "
        + "; ".join(f"process {rank}: {_line(error)}" for rank, error in sorted(failures.items()))
    )


def _line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines)}"[:1000]


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ray Train takes Ctrl-C for itself and keeps it; here it is given back."""
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers belong to the main thread: Ray sets none here
        return
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
