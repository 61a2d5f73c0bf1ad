"""A run's folder: start it, go on with it, play its rounds and commit each of them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from agents import checkpoints
from arena.bases import prepare
from arena.cluster import Cluster, open_cluster
from arena.config import RunConfig
from arena.round import Play, Progress
from arena.run_files import BATCHES, CHECKPOINTS, CONFIG, SEEDS, run_path
from arena.run_names import config_tree
from arena.seeding import keep, seeds_of
from arena.settings import dump
from arena.state import State
from arena.versions import code_version, packages
from arena.yaml_text import render
from culture.catalog import CATALOG_FILE, LakeUnmade
from culture.lake import Lake
from culture.records import Policy, RoundRows
from culture.records import Run as RunRow

PARTIAL = f"{CONFIG}.partial"
AUTHOR = "arena"
"""The author of commits."""


class RunError(RuntimeError):
    """A run cannot be started or gone on with; the message says what to do."""


Watch = Callable[[Progress], None]


class Run:
    """One run. Make it with :meth:`create` or :meth:`open`, then :meth:`play`."""

    def __init__(self, folder: Path, config: RunConfig, lake: Lake, state: State) -> None:
        self.folder = folder
        self.config = config
        self.lake = lake
        self.state = state
        self._cut_short = False

    @classmethod
    def create(cls, folder: Path, config: RunConfig) -> Run:
        """Make a run's folder.

        Raises RunError where it is taken, BaseFault where a base is unusable, SeedFault where the library
        cannot begin with the folder that it is to be seeded from.
        """
        # a start that was killed before it wrote the configuration leaves no more than a part of it
        if folder.exists() and any(p.name != PARTIAL for p in folder.iterdir()):
            raise RunError(
                f"expected a new folder for the run, got {folder}, which has files in it. To go on with "
                f"that run write `resume {folder.name}`; for a new one give another --name"
            )
        prepare(config)
        seeds = seeds_of(config)
        folder.mkdir(parents=True, exist_ok=True)
        _write_config(folder, config)  # first of all: from here on the run can be opened
        keep(folder, seeds)
        _clear(folder)
        lake = Lake.create(folder, config.lake)
        return cls(folder, config, lake, State.fresh(config, folder))

    @classmethod
    def open(cls, folder: Path, *, rounds: int | None = None) -> Run:
        """A run as of its last committed round, its files checked against the log.

        ``rounds`` makes it longer. Raises RunError, LakeError or CheckpointError.
        """
        config = read_config(folder)
        if rounds is not None and rounds != config.rounds:
            config = RunConfig.model_validate({**config.model_dump(mode="json"), "rounds": rounds})
            _write_config(folder, config)
        begun = any(any((folder / name).glob("*")) for name in (BATCHES, CHECKPOINTS, "data"))
        if not (folder / CATALOG_FILE).exists() and config.lake.catalog == "sqlite" and not begun:
            _clear(folder)  # killed while it was being created: nothing was committed
            _seed(folder, config)
            return cls(folder, config, Lake.create(folder, config.lake), State.fresh(config, folder))
        try:
            lake = Lake.open(folder, config.lake)
        except LakeUnmade:
            if begun:
                raise  # there was a log: it is damaged
            for path in folder.glob(f"{CATALOG_FILE}*"):
                path.unlink()
            _clear(folder)
            _seed(folder, config)
            return cls(folder, config, Lake.create(folder, config.lake), State.fresh(config, folder))
        try:
            state = State.load(config, lake, folder)
            for policy in state.policies.values():
                if not policy.sha256:
                    continue  # its weights are elsewhere
                # what came of no batch has the weights of version 0, and no optimizer state yet
                first = policy.batch_id is None
                checkpoints.verify(folder / policy.path, policy.sha256, first=first)
            _sweep(folder, lake, state)
            lake.replan(config.rounds, AUTHOR)  # also where it was made longer and then killed
        except BaseException:
            lake.close()
            raise
        return cls(folder, config, lake, state)

    @property
    def finished(self) -> bool:
        """Whether all configured rounds are committed."""
        return self.state.round + 1 >= self.config.rounds

    def play(self, watch: Watch | None = None) -> None:
        """Play all rounds that are left. An interrupted round is as if it had never begun.

        Raises RunError, LakeError or CheckpointError where the run's files cannot be written or read.
        """
        if self._cut_short:  # the curriculum has seen what was never committed
            self.state = State.load(self.config, self.lake, self.folder)
            self._cut_short = False
        if self.finished:
            return
        prepare(self.config, self.folder)
        with _cluster(self.folder, self.config) as cluster:
            while not self.finished:
                try:
                    self._round(cluster, watch)
                except OSError as error:
                    self._cut_short = True
                    raise RunError(
                        f"expected to write round {self.state.round + 1} to {self.folder}, got: {error}; "
                        f"make room or mend what it names, then write `resume {self.folder.name}`"
                    ) from error
                except BaseException:
                    self._cut_short = True
                    raise

    def close(self) -> None:
        """Let go of the log."""
        self.lake.close()

    def _round(self, cluster: Cluster, watch: Watch | None) -> None:
        beginning: list[Policy] = []
        first = self.state.round < 0
        if first:
            beginning = self._first_versions(cluster, watch)
        play = Play(self.state, cluster, watch)
        play.play()
        play.rows.policies = beginning + play.rows.policies
        play.rows.agents.extend(self.state.population.records())
        if first:
            play.rows.runs.append(self._row())
        message = f"round {play.round}"
        started = time.perf_counter()
        self.lake.commit(play.rows, AUTHOR, message)
        self.state.commit_seconds = time.perf_counter() - started
        play.settle()
        _prune(self.folder, self.state, play.rows)
        if watch is not None:
            watch(
                Progress(
                    play.round,
                    "committed",
                    play.rows,
                    self.state,
                    play.generated_tokens,
                    dict(play.seconds),
                )
            )

    def _first_versions(self, cluster: Cluster, watch: Watch | None) -> list[Policy]:
        rows = []
        names = list(self.config.policies)
        if watch is not None:
            watch(Progress(0, f"warm-up of {', '.join(names)}", RoundRows(), self.state, 0, {}))
        made = cluster.first_versions(names)
        for (name, policy), digest in zip(self.config.policies.items(), made, strict=True):
            version = f"{name}@0"
            row = Policy(
                policy_version=version,
                policy=name,
                version=0,
                round=0,
                base=policy.base,
                parent=None,
                batch_id=None,
                path=f"{CHECKPOINTS}/{version}",
                sha256=digest,
                accepted=True,
                reason=None,
            )
            rows.append(row)
            self.state.take_up(row)
            self.state.next_version[name] = 1
        return rows

    def _row(self) -> RunRow:
        return RunRow(
            run_id=self.folder.name,
            name=self.folder.name,
            seed=self.config.seed,
            started_at=datetime.now(UTC),
            config=self.config.model_dump(mode="json"),
            code_version=code_version(),
            packages=packages(),
        )


@contextmanager
def _cluster(folder: Path, config: RunConfig) -> Iterator[Cluster]:
    cluster = open_cluster(folder.absolute(), config)
    try:
        yield cluster
    finally:
        cluster.close()


def read_config(folder: Path) -> RunConfig:
    """The configuration in a run's folder. Raises RunError where it is no run's."""
    path = folder / CONFIG
    if not path.exists():
        raise RunError(
            f"expected a run in {folder}, got no {CONFIG} there; `info` without a name lists the runs"
        )
    return RunConfig.model_validate(config_tree(folder))


def _write_config(folder: Path, config: RunConfig) -> None:
    versions = render({"versions": {"code": code_version(), **packages()}})
    partial = folder / PARTIAL
    with partial.open("w", encoding="utf-8") as file:
        file.write(f"{dump(config)}\n{versions}")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / CONFIG)


def _clear(folder: Path) -> None:
    for name in (BATCHES, CHECKPOINTS):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir()


def _seed(folder: Path, config: RunConfig) -> None:
    """Keep what the library begins with, where a start that was cut short had not come so far."""
    if not (folder / SEEDS).exists():
        keep(folder, seeds_of(config))


def _sweep(folder: Path, lake: Lake, state: State) -> None:
    """Remove checkpoints and batches of a round that was never committed."""
    named = {p.policy_version for p in lake.records(Policy)}
    for path in (folder / CHECKPOINTS).iterdir():
        if path.name not in named:
            shutil.rmtree(path)
    kept = {Path(r["path"]).name for r in lake.table("SELECT path FROM batches").to_pylist()}
    for path in (folder / BATCHES).iterdir():
        if path.name not in kept:
            path.unlink()


def _prune(folder: Path, state: State, rows: RoundRows) -> None:
    """Drop superseded optimizer states, and all but every so-many-th of older weights."""
    keep = state.config.learner.keep_every
    for row in rows.policies:
        if row.parent is None or not row.accepted:
            continue
        for superseded in (row.parent, f"{row.policy}@{row.version - 1}"):
            checkpoints.forget_optimizer(run_path(folder, f"{CHECKPOINTS}/{superseded}"))
        old = row.version - 2
        if old > 0 and old % keep:
            shutil.rmtree(run_path(folder, f"{CHECKPOINTS}/{row.policy}@{old}"), ignore_errors=True)
