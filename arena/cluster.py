"""Where the work of a round is done: in this process, or by Ray actors made of the same classes.

Work is cut into the same pieces however many actors there are, and a piece's result depends on the piece
alone, so one actor or many, with Ray or without, give the same log. Ray restarts an actor that died and
gives its work to the new one; what keeps failing comes back as :class:`Failed` and is the round's to store.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from agents.config import EngineConfig
from agents.engines.base import Completion, Request, Sampling
from agents.learning.learner import Learned
from agents.learning.parallel import CPUS
from arena import ray_start
from arena.config import RunConfig
from arena.envs import Episode
from arena.librarian import Librarian, Reading, Shelved
from arena.pools import Failed, LocalPool, Pool, RayPool, WorkFailed, peak_gib
from arena.proposals import Judged
from arena.rechecking import Checked
from arena.run_names import Wrong
from arena.verifier import Stepped, Verifier
from arena.workers import EngineWorker, LearnerWorker, LearnOrder
from culture.clubs import Chosen, Invitation
from culture.desk import Ask, Desk
from culture.edits import Kind
from culture.publishing import Entry
from culture.reading import Hit
from culture.records import Measure, Note

T = TypeVar("T")
_VERIFIED_TOGETHER = 256
"""Proposals or answers in one piece of work."""
_ENGINE, _VERIFIER, _LIBRARIAN, _LEARNER = 0.5, 0.25, 0.25, 0.5
"""CPUs that one actor of a kind reserves."""


class Cluster:
    """The run's workers, by what they do.

    ``noticed`` gathers what happened to actors; the round stores it as events and clears it.
    """

    def __init__(
        self,
        engines: Pool,
        verifiers: Pool,
        librarian: Pool,
        learner: Pool,
        *,
        folder: Path,
        config: RunConfig,
        noticed: list[str],
    ) -> None:
        self.folder = folder
        self.engines, self.verifiers = engines, verifiers
        self.librarian, self.learner = librarian, learner
        self.noticed = noticed
        self.busy = {"generating": 0.0, "verifying": 0.0, "training": 0.0}
        """Seconds spent waiting for workers of a kind since the last round."""
        self._engine: EngineConfig = config.engine

    @contextmanager
    def _waiting(self, what: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.busy[what] += time.perf_counter() - started

    def generate(
        self, policy_version: str, requests: Sequence[Request], sampling: Sampling
    ) -> list[Completion]:
        """Completions in the order of ``requests``, whose failures are attributed to infrastructure."""
        # spark pads to the longest; a larger model computes what prompts begin with once
        order = sorted(
            range(len(requests)),
            key=lambda i: (
                (len(requests[i].prompt), i) if self._engine.kind == "spark" else (requests[i].prompt, i)
            ),
        )
        size = self._engine.batch_size
        pieces = [order[at : at + size] for at in range(0, len(order), size)]
        done: list[Completion | None] = [None] * len(requests)
        work = [(policy_version, [requests[i] for i in piece], sampling) for piece in pieces]
        with self._waiting("generating"):
            results = self.engines.map("generate", work)
        for piece, result in zip(pieces, results, strict=True):
            if isinstance(result, Failed):
                lost = Completion("", [], [], 0, policy_version, "error", result.detail)
                result = [lost] * len(piece)
            for i, completion in zip(piece, result, strict=True):
                done[i] = completion
        return cast("list[Completion]", done)

    def judge(self, domain: str, texts: Sequence[str]) -> list[Judged | Failed]:
        """Proposals judged, in order."""
        with self._waiting("verifying"):
            return _spread(
                self.verifiers, "judge", len(texts), lambda at: (domain, list(texts[at])), list[Judged]
            )

    def recheck(self, domain: str, notes: Sequence[tuple[Kind, str]]) -> list[Checked | Failed]:
        """Notes checked by execution, in order."""
        with self._waiting("verifying"):
            return _spread(
                self.verifiers, "recheck", len(notes), lambda at: (domain, list(notes[at])), list[Checked]
            )

    def step(
        self, episodes: Sequence[Episode], actions: Sequence[str], shown: Sequence[Sequence[str]]
    ) -> list[Stepped | Failed]:
        """Episodes stepped, in order."""
        with self._waiting("verifying"):
            return _spread(
                self.verifiers,
                "step",
                len(episodes),
                lambda at: (list(episodes[at]), list(actions[at]), list(shown[at])),
                list[Stepped],
            )

    def read(self, committed: int, k: int, readings: Sequence[Reading]) -> list[list[Hit]]:
        """What attempts are shown. Raises WorkFailed."""
        return cast("list[list[Hit]]", self.librarian.call("read", committed, k, list(readings)))

    def find(self, committed: int, k: int, readings: Sequence[Reading]) -> list[list[tuple[Note, Hit]]]:
        """What can be found to write on in. Raises WorkFailed."""
        return cast(
            "list[list[tuple[Note, Hit]]]", self.librarian.call("find", committed, k, list(readings))
        )

    def desks(self, committed: int, asks: Sequence[Ask]) -> list[Desk]:
        """What lies before agents that are to decide what to write. Raises WorkFailed."""
        return cast("list[Desk]", self.librarian.call("desks", committed, list(asks)))

    def club_chapters(self, committed: int, invitations: Sequence[Invitation]) -> list[Chosen | None]:
        """The chapter that each book club talks about. Raises WorkFailed."""
        done = self.librarian.call("club_chapters", committed, list(invitations))
        return cast("list[Chosen | None]", done)

    def close_round(
        self, committed: int, round: int, edits: Sequence[Entry], reads: Mapping[str, int]
    ) -> Shelved:
        """The library after a round. Raises WorkFailed."""
        done = self.librarian.call("close_round", committed, round, list(edits), dict(reads))
        return cast("Shelved", done)

    def effects(self, committed: int) -> list[Measure]:
        """The library's effect and worth as of a committed round. Raises WorkFailed."""
        return cast("list[Measure]", self.librarian.call("effects", committed))

    def learn(self, orders: Sequence[LearnOrder]) -> list[Learned | Failed]:
        """New policy versions, in the order of ``orders``."""
        with self._waiting("training"):
            return cast("list[Learned | Failed]", self.learner.map("learn", [(o,) for o in orders]))

    def first_versions(self, policies: Sequence[str]) -> list[str]:
        """Version 0 of each policy; the SHA-256 of its weights. Raises WorkFailed."""
        with self._waiting("training"):
            made = self.learner.map("first_version", [(name, f"{name}@0") for name in policies])
        for name, found in zip(policies, made, strict=True):
            if isinstance(found, Failed):
                raise WorkFailed(f"first version of {name}: {found.detail}")
        return made

    def peak_memory(self) -> dict[str, float]:
        """Largest resident memory so far of each of the run's processes, by name, GiB."""
        found = {"arena": peak_gib()}
        for pool in (self.engines, self.verifiers, self.librarian, self.learner):
            found |= pool.peak_memory()
        return found

    def close(self) -> None:
        """Stop what was started."""


def _spread(
    pool: Pool, method: str, n: int, piece: Callable[[slice], tuple[Any, ...]], kind: type[list[T]]
) -> list[T | Failed]:
    cuts = [slice(at, min(at + _VERIFIED_TOGETHER, n)) for at in range(0, n, _VERIFIED_TOGETHER)]
    found: list[T | Failed] = []
    for cut, result in zip(cuts, pool.map(method, [piece(cut) for cut in cuts]), strict=True):
        if isinstance(result, Failed):
            found += [result] * (cut.stop - cut.start)
        else:
            found += cast("list[T]", result)
    return found


def _cpus(config: RunConfig) -> float:
    """CPUs that the actors of a run reserve, and the processes that its learners start."""
    c, workers = config.cluster, config.learner.workers
    learner = _LEARNER + (CPUS * workers if workers > 1 else 0)
    return _ENGINE * c.engines + _VERIFIER * c.verifiers + _LIBRARIAN + learner * c.learners


def _gpus(config: RunConfig, total: float) -> tuple[float, float]:
    """GPUs that an engine and a learner reserve of ``total``: whole ones, or shares of too few.

    A learner whose ``workers`` have GPUs of their own needs none itself. Raises Wrong where actors
    that need whole ones would wait for them for ever.
    """
    c, devices, workers = config.cluster, config.engine.vllm.tensor_parallel, config.learner.workers
    if not total or config.engine.kind == "spark":
        return 0.0, 0.0
    whole = c.engines * devices + c.learners * workers
    if whole <= total:
        return float(devices), 1.0 if workers == 1 else 0.0
    if devices > 1 or workers > 1:
        raise Wrong(
            f"expected {whole} GPUs for {c.engines} engines of {devices} and {c.learners} learners of "
            f"{workers}, got {total:g}; lower cluster.engines, engine.vllm.tensor_parallel or "
            "learner.workers"
        )
    # a share of one GPU each: what is left of two does not make a third
    share = 1 / math.ceil(whole / total)
    return share, share


class RayCluster(Cluster):
    """A cluster whose workers are Ray actors; it leaves a Ray that it did not start running."""

    def __init__(self, folder: Path, config: RunConfig) -> None:
        ray_start.environment(spark=config.engine.kind == "spark")
        import ray

        c = config.cluster
        self._ray: Any = ray
        self._started = not ray.is_initialized()
        if self._started:
            # actors beyond the CPUs would wait for ever, and the run with them
            ray_start.start(c.address, max(4, os.cpu_count() or 1, math.ceil(_cpus(config))))
        noticed: list[str] = []

        def pool(cls: type, *args: Any, count: int = 1, cpus: float, **more: Any) -> RayPool:
            return RayPool(
                cls,
                args,
                count=count,
                cpus=cpus,
                retries=c.retries,
                noticed=noticed,
                plugins=config.plugins,
                **more,
            )

        # Ray gives a process as many OpenMP threads as it reserves CPUs, and sums depend on their number
        threads = {"OMP_NUM_THREADS": str(config.engine.threads)} if config.engine.kind == "vllm" else None

        try:
            engine_gpus, learner_gpus = _gpus(config, float(self._ray.cluster_resources().get("GPU", 0.0)))
        except Wrong:
            self.close()
            raise
        super().__init__(
            engines=pool(
                EngineWorker,
                folder,
                config,
                count=c.engines,
                cpus=_ENGINE,
                gpus=engine_gpus,
                environment=threads,
            ),
            verifiers=pool(Verifier, config, count=c.verifiers, cpus=_VERIFIER),
            librarian=pool(Librarian, folder, config, cpus=_LIBRARIAN),
            learner=pool(LearnerWorker, folder, config, count=c.learners, cpus=_LEARNER, gpus=learner_gpus),
            folder=folder,
            config=config,
            noticed=noticed,
        )

    def close(self) -> None:
        if self._started:
            self._ray.shutdown()


def open_cluster(folder: Path, config: RunConfig) -> Cluster:
    """The workers that the configuration asks for."""
    if not config.cluster.local:
        return RayCluster(folder, config)
    noticed: list[str] = []
    return Cluster(
        LocalPool(lambda: EngineWorker(folder, config), noticed),
        LocalPool(lambda: Verifier(config), noticed),
        LocalPool(lambda: Librarian(folder, config), noticed),
        LocalPool(lambda: LearnerWorker(folder, config), noticed),
        folder=folder,
        config=config,
        noticed=noticed,
    )
