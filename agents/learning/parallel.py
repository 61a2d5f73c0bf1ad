"""Several processes that train one version, started with Ray Train.

Every process makes a learner of its own with the same arguments and a
:class:`~agents.learning.group.Group` of all of them. On the CPU they talk over gloo; where the cluster has
a GPU for each they have it, and talk over NCCL.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import signal
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
    work = partial(_learn, config, seed, order)
    return in_processes(
        work, config.workers, retries=retries, folder=path.with_name(path.name + ".training")
    )


def _learn(config: LearnerConfig, seed: int, order: dict[str, Any]) -> Learned:
    """What each process does."""
    return Learner(config, seed=seed, group=joined(config)).learn(**order)


def joined(config: LearnerConfig) -> Group:
    """The group of the processes that this one was started with."""
    from agents.learning.processes import Copies, Shards

    return Shards() if config.shard else Copies()


def in_processes(work: Callable[[], T], workers: int, *, retries: int, folder: Path) -> T:
    """``work`` done by ``workers`` processes at once; what the first of them returns.

    ``folder`` is for Ray Train's own files, and gone afterwards. It names the work too: who does it again,
    since he who had it done has died, ends the processes that are left of that.

    Raises WorkersFailed, or the CheckpointError that ``work`` raised.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    import ray.train.torch

    cluster: Any = ray  # Ray Train's names are typed as those of its first version
    gpus = int(cluster.cluster_resources().get("GPU", 0))
    if 0 < gpus < workers:
        raise WorkersFailed(
            f"expected a GPU for each of learner.workers: {workers}, got {gpus} in the cluster; write "
            f"learner.workers: {gpus}"
        )
    # its reports of what it is doing would bury the run's own
    logging.getLogger("ray.train").setLevel(logging.ERROR)
    mark = 1 + int(hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:5], 16)
    needs = {"CPU": CPUS, "memory": mark, **({"GPU": 1} if gpus else {})}  # a name in bytes, see _end
    for tries in range(retries, -1, -1):
        _end(mark)
        with _interruptible(), _made(folder):
            try:
                done: T = _trainer(cluster.train, work, workers, needs, folder).fit().return_value
                return done
            except cluster.train.WorkerGroupError as error:
                failure = _told(error.worker_failures)
                if tries == 0 or isinstance(failure, CheckpointError):
                    raise failure from error
            except cluster.train.ControllerError as error:
                # to Ray Train one that dies while it is started is a failure of its own
                died = isinstance(error.controller_failure, cluster.exceptions.RayError)
                if tries == 0 or not died:
                    raise WorkersFailed(
                        f"expected {workers} processes to train together, got: "
                        f"{_line(error.controller_failure)}; see that the cluster has {CPUS} CPUs for each "
                        "that the run's actors leave free, or write learner.workers: 1"
                    ) from error
    raise AssertionError("the last try returns or raises")


def _trainer(
    train: Any, work: Callable[[], Any], workers: int, needs: dict[str, float], folder: Path
) -> Any:
    return train.torch.TorchTrainer(
        work,
        scaling_config=train.ScalingConfig(
            num_workers=workers, use_gpu="GPU" in needs, resources_per_worker=needs
        ),
        run_config=train.RunConfig(
            name="learner",
            storage_path=str(folder.absolute()),
            failure_config=train.FailureConfig(
                max_failures=0, max_preemption_failures=0, controller_failure_limit=_PATIENCE
            ),
            logging_config=train.LoggingConfig(log_level="ERROR"),
        ),
    )


def _told(failures: dict[int, Exception]) -> Exception:
    """What a process failed of, among the failures of others that waited for it in vain."""
    told = next((e for e in failures.values() if isinstance(e, CheckpointError)), None)
    return told or WorkersFailed(
        "expected all processes to train to the end, got: "
        + "; ".join(f"process {rank}: {_line(error)}" for rank, error in sorted(failures.items()))
    )


def _line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines)}"[:1000]


def _end(mark: int) -> None:
    """End the processes that reserved ``mark`` bytes of memory each, and give back what they reserved.

    Those of a learner that died live on, or at least their reservations do: Ray Train has them looked after
    through Ray's dashboard, which need not be there.
    """
    import ray
    from ray.util.placement_group import PlacementGroup, placement_group_table, remove_placement_group

    for name, group in placement_group_table().items():
        held = [bundle.get("memory") for bundle in group["bundles"].values()]
        if group["state"] != "REMOVED" and mark in held:
            remove_placement_group(PlacementGroup(ray.PlacementGroupID(bytes.fromhex(name))))


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
