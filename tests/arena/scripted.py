"""Runs for tests: a scripted engine in place of a model, and workers that fail when told to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from agents import checkpoints, spark
from agents.engines.base import Completion, Request, Sampling
from arena import run as run_module
from arena.cluster import Cluster
from arena.config import RunConfig
from arena.domains import make_domain
from arena.domains.base import Rejected
from arena.domains.transforms import split, work
from arena.librarian import Librarian
from arena.pools import Failed, LocalPool, Pool, WorkFailed
from arena.round import Progress
from arena.run import Run
from arena.settings import load
from arena.verifier import Verifier
from arena.workers import LearnerWorker
from culture.records import Form
from culture.seeds import generator

SMALL = [
    "cluster.local=true",
    "domains=[transforms]",
    "rounds=3",
    "rollout.problems=24",
    "evaluation.per_cell=1",
    "evaluation.every=2",
    "lake.compact_every=2",
]


def spoken(
    policy_version: str, requests: Sequence[Request], say: Callable[[Request], str]
) -> list[Completion]:
    """Completions in which an engine says ``say(request)`` and ends."""
    done = []
    for r in requests:
        text = say(r)
        ids = spark.encode(text + spark.EOS)
        done.append(Completion(text, ids, [-0.5] * len(ids), len(r.prompt), policy_version, "stop"))
    return done


class ScriptedEngine:
    """Writes and solves problems of ``transforms``; what it does depends on the request alone."""

    def __init__(self, form: str = "terse", *, lookups: bool = False, anchors: bool = True) -> None:
        self.form, self.lookups, self.anchors = form, lookups, anchors
        self.domain = make_domain("transforms")
        self.posed: dict[str, str] = {}

    def generate(
        self, policy_version: str, requests: Sequence[Request], sampling: Sampling
    ) -> list[Completion]:
        done = []
        for r in requests:
            text = self._text(r, sampling.temperature == 0.0)
            stop = not text.endswith("…")
            text = text.rstrip("…")
            ids = spark.encode(text + (spark.EOS if stop else ""))
            done.append(
                Completion(
                    text,
                    ids,
                    [-0.5] * len(ids),
                    len(r.prompt),
                    policy_version,
                    "stop" if stop else "length",
                )
            )
        return done

    def _text(self, r: Request, greedy: bool) -> str:
        rng = generator(r.seed, "script", r.prompt)
        u = float(rng.random())
        posed = r.prompt.rpartition("\n")[2] if self.form == "terse" else r.prompt
        proposing = posed.endswith(">") if self.form == "terse" else "Write one problem" in posed
        if proposing:
            return self._proposal(u, rng)
        if self.lookups and u < 0.5 and not greedy:
            return "?" + posed.rstrip("=")
        if u < 0.6:
            return "!!" if u < 0.55 else "zz…"
        spec = posed[:-1] if self.form == "terse" else self.posed.get(posed.rpartition("\n")[2], "N12")
        answer = self._answer(spec) if u < 0.9 else "zz"
        return answer if self.form == "terse" else f"Answer: {answer}"

    def _answer(self, spec: str) -> str:
        try:
            return work(*split(spec))[-1]
        except Rejected:  # a problem of another domain
            return "7"

    def _proposal(self, u: float, rng: Any) -> str:
        if u < 0.1:
            return ["nothing", "R12…"][u < 0.05]
        if u < 0.2 and self.anchors:
            anchors = self.domain.anchors(1)
            return anchors[int(rng.integers(len(anchors)))].spec
        spec = self.domain.sample(rng, 8.0)
        self.posed[self.domain.pose(spec, "natural")] = spec
        return spec


class Failing:
    """A pool whose work is lost now and then: ``fails(method, number)`` says which of a method's."""

    def __init__(self, inner: Pool, fails: Callable[[str, int], bool]) -> None:
        self.inner, self.fails = inner, fails
        self.counts: Counter[str] = Counter()

    def call(self, method: str, *args: Any) -> Any:
        self.counts[method] += 1
        if self.fails(method, self.counts[method]):
            raise WorkFailed(f"{method}: the actor died")
        return self.inner.call(method, *args)

    def map(self, method: str, pieces: Sequence[tuple[Any, ...]]) -> list[Any]:
        results: list[Any] = []
        for piece in pieces:
            self.counts[method] += 1
            lost = self.fails(method, self.counts[method])
            results.append(Failed("the actor died") if lost else self.inner.call(method, *piece))
        return results

    def peak_memory(self) -> dict[str, float]:
        return self.inner.peak_memory()


Wrap = Callable[[str, Pool], Pool]


def play(
    folder: Path,
    overrides: Sequence[str],
    *,
    engine: Callable[[], Any] = ScriptedEngine,
    form: Form = "terse",
    wrap: Wrap = lambda name, pool: pool,
    stops: Sequence[int] = (),
) -> Path:
    """Play a whole run with a scripted engine; policies start from a model that knows nothing.

    In the rounds ``stops`` it is interrupted while it learns, and then taken up again.
    """
    base = folder.parent / "base"
    if not base.exists():
        checkpoints.save(base, spark.new_model(0, layers=1, width=32, heads=2), None, 0)
    policies = [f"policies.{name}.base={base}" for name in ("solver", "proposer")]
    config = load("tiny", [*SMALL, *policies, *overrides], RunConfig)
    # not overrides: the natural form is refused for the context of the spark engine, which is not here, and
    # so is a model that decides in the terse form
    by = "model" if form == "natural" else config.writing.by
    writing = config.writing.model_copy(update={"by": by})
    engine_config = config.engine.model_copy(update={"form": form})
    config = config.model_copy(update={"engine": engine_config, "writing": writing})

    def opened(at: Path, config: RunConfig) -> Cluster:
        noticed: list[str] = []
        makers = {
            "engines": engine,
            "verifiers": lambda: Verifier(config),
            "librarian": lambda: Librarian(at, config),
            "learner": lambda: LearnerWorker(at, config),
        }
        pools = {name: wrap(name, LocalPool(make, noticed)) for name, make in makers.items()}
        return Cluster(**pools, folder=at, config=config, noticed=noticed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "open_cluster", opened)
        run = Run.create(folder, config)
        try:
            for last in stops:

                def stop(progress: Progress, last: int = last) -> None:
                    if (progress.round, progress.phase) == (last, "learn"):
                        raise KeyboardInterrupt

                with pytest.raises(KeyboardInterrupt):
                    run.play(stop)
                run.close()
                run = Run.open(folder)
            run.play()
        finally:
            run.close()
    return folder
