"""Several processes train the version that one does, whole or cut up, and its files serve both."""

from __future__ import annotations

import itertools
import logging
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agents import checkpoints, spark
from agents.checkpoints import CheckpointError
from agents.config import LearnerConfig, LoraSettings
from agents.learning.batches import write_parquet
from agents.learning.group import Group, dealt
from agents.learning.learner import Learned, Learner
from agents.learning.packing import Tokens
from agents.learning.parallel import WorkersFailed, _told, in_processes, joined
from agents.learning.passes import Part, shared_out
from agents.vocabulary import SparkVocabulary, Vocabulary, vocabulary_of
from arena.cluster import _cpus
from arena.config import RunConfig
from arena.pools import Failed, RayPool
from arena.settings import ConfigError, load
from arena.workers import LearnerWorker, LearnOrder
from culture.records import BatchRow
from tests.agents import tiny

# Ray Train makes settings of Ray Data, which finds some of its own deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:.* is deprecated:Warning:ray.data.context")

LORA = LoraSettings(rank=4)
RICH = {"importance_cap": 2.0, "kl_coefficient": 0.1, "kl_to": "first"}


def configured(**settings: Any) -> LearnerConfig:
    plain = {"lr": 3e-3, "warmup_steps": 2, "micro_batch_tokens": 96, "step_rows": 11, "threads": 1}
    return LearnerConfig(**{**plain, **settings})


def rows_for(vocabulary: Vocabulary, goal: str, count: int) -> list[BatchRow]:
    rows = []
    for i in range(count):
        completion = "xyzwv"[: 1 + i % 5]
        ids = vocabulary.completion(completion)
        objective = goal if goal != "both" else ("grpo", "answer_key")[i % 2]
        rows.append(
            BatchRow(
                batch_id="b",
                round=0,
                row=i,
                role="solver",
                objective=objective,
                source_kind="attempt",
                source_id=f"t{i}",
                group_id="g",
                prompt=f"r:{'abcd'[: 1 + i % 4]}=",
                completion=completion,
                token_ids=ids,
                logprobs=[-4.0 - 0.01 * t for t in range(len(ids))] if objective == "grpo" else [],
                weight=1.0 + 0.5 * (i % 3),
                advantage=1.0 if i % 2 else -0.5,
            )
        )
    return rows


@dataclass(frozen=True)
class Case:
    """Two versions, one after the other, from a parent made for it."""

    name: str
    base: str
    """``padded`` is spark, ``packed`` a model with a tokenizer of its own."""
    goal: str = "answer_key"
    lora: LoraSettings | None = None
    count: int = 22
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def rounding(self) -> float:
        """Of the largest weight. Adapters begin as zeros: all that is in them comes of few sums."""
        return 1e-5 if self.lora is None and self.settings.get("step_rows", 1) else 1e-4


CASES = [
    *(
        Case(f"{base} {goal}{' lora' if lora else ''}", base, goal, lora, settings=settings)
        for base, (goal, settings), lora in itertools.product(
            ("padded", "packed"), (("answer_key", {}), ("grpo", RICH)), (None, LORA)
        )
    ),
    Case("one row", "padded", count=1),
    Case("a pass a step", "packed", "grpo", settings={"step_rows": None}),
    Case("two objectives", "packed", "both", settings={"importance_cap": 2.0}),
    Case("checkpointing", "packed", settings={"checkpointing": True}),
    # passes enough for all: products of bfloat16 round otherwise where a pass is cut
    Case("bfloat16", "packed", lora=LORA, settings={"dtype": "bfloat16", "micro_batch_tokens": 64}),
]
MODES = {"plain": {"workers": 2}, "sharded": {"workers": 2, "shard": True}}


def arguments(case: Case, root: Path, number: int, parent: Path, path: Path) -> dict[str, Any]:
    base = root / case.base
    vocabulary = SparkVocabulary() if case.base == "padded" else vocabulary_of(base, chat=True)
    return {
        "policy": "p",
        "parent": f"p@{number - 1}",
        "parent_path": parent,
        "version": f"p@{number}",
        "path": path,
        "rows": rows_for(vocabulary, case.goal, case.count),
        "lr": 3e-3,
        "vocabulary": vocabulary,
        "lora": case.lora,
        "first": base,
    }


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)
    ray.init(
        address="local",
        num_cpus=4,
        include_dashboard=False,
        logging_level=logging.ERROR,
        log_to_driver=False,
        configure_logging=False,
    )
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    checkpoints.save(folder / "padded", spark.new_model(0, layers=2, width=32, heads=2), None, 0)
    tiny.save(folder / "packed")
    broken = checkpoints.load_model(folder / "padded")
    with torch.no_grad():
        broken.lm_head.weight[3, 0] = float("nan")
    checkpoints.save(folder / "broken", broken, None, 0)
    return folder


def both_versions(
    case: Case, root: Path, config: LearnerConfig, folder: Path, group: Group
) -> list[Learned]:
    """Version 1, and version 2 from the files of version 1 by a learner that has not made it."""
    parents = [root / case.base, folder / "p@1", folder / "p@2"]
    learned = []
    for number in (1, 2):
        order = arguments(case, root, number, parents[number - 1], parents[number])
        learned.append(Learner(config, seed=3, group=group).learn(**order))
        group.totals([0.0])  # the others wait until the first has saved it
    return learned


@pytest.fixture(scope="module")
def alone(root: Path) -> dict[str, list[Learned]]:
    return {
        case.name: both_versions(
            case, root, configured(**case.settings), root / "alone" / case.name, Group()
        )
        for case in CASES
    }


@pytest.fixture(scope="module")
def together(
    cluster: None, root: Path, alone: dict[str, list[Learned]]
) -> dict[tuple[str, str], list[Learned]]:
    """All cases by two processes that are started once."""
    cases, modes, versions, make = CASES, MODES, both_versions, configured

    def work() -> dict[tuple[str, str], list[Learned]]:
        found = {}
        for mode, more in modes.items():
            group = joined(make(**more))
            for case in cases:
                config = make(**case.settings, **more)
                found[case.name, mode] = versions(case, root, config, root / mode / case.name, group)
            # the other's files: version 2 from the version 1 of one process
            case = cases[4]
            path = root / mode / "resumed"
            order = arguments(case, root, 2, root / "alone" / case.name / "p@1", path)
            learner = Learner(make(**case.settings, **more), seed=3, group=group)
            found["resumed", mode] = [learner.learn(**order)]
            order = arguments(case, root, 1, root / case.base, root / mode / "again")
            learner = Learner(make(**case.settings, **more), seed=3, group=group)
            found["again", mode] = [learner.learn(**order)]
            order = arguments(cases[0], root, 1, root / "broken", root / mode / "refused")
            found["refused", mode] = [Learner(make(**more), seed=3, group=group).learn(**order)]
        return found

    return in_processes(work, 2, retries=0, folder=root / "training")


def test_the_parts_of_the_group_are_all_the_same_to_one_process() -> None:
    parts = [Part([Tokens(0, (1, 2), (3,))], [])]
    assert shared_out(parts, Group()) == [(parts[0], True)]


@given(st.lists(st.integers(1, 500), max_size=40), st.integers(1, 8))
def test_hands_are_even(costs: list[int], hands: int) -> None:
    found = dealt(costs, hands)
    assert sorted(i for hand in found for i in hand) == list(range(len(costs)))
    sizes, sums = [len(h) for h in found], [sum(costs[i] for i in h) for h in found]
    assert max(sizes) - min(sizes) <= 1
    assert max(sums) - min(sums) <= max(costs, default=0)


class Seat(Group):
    """One of several processes, without the others."""

    def __init__(self, rank: int, world: int, *, sharded: bool) -> None:
        self.rank, self.world, self.sharded = rank, world, sharded


steps_of = st.lists(
    st.lists(st.tuples(st.integers(1, 2), st.integers(1, 9)), min_size=1, max_size=6),
    min_size=1,
    max_size=5,
)


@given(steps_of, st.integers(2, 6), st.booleans(), st.booleans())
def test_every_row_of_a_step_counts_once(
    drawn: list[list[tuple[int, int]]], world: int, sharded: bool, packed: bool
) -> None:
    number = itertools.count()
    parts = []
    for pairs in drawn:
        rows = [Tokens(next(number), (kind,) * 3, (5,) * n) for kind, n in sorted(pairs)]
        trees = [list(g) for _, g in itertools.groupby(rows, key=lambda r: r.prompt)] if packed else []
        parts.append(Part(rows, trees))
    hands = [shared_out(parts, Seat(rank, world, sharded=sharded)) for rank in range(world)]
    counted = [part for hand in hands for part, counts in hand if counts]
    assert sorted(r.row for part in counted for r in part.rows) == list(range(next(number)))
    for part in counted:
        assert [r for tree in part.trees for r in tree] == (part.rows if packed else [])
    lengths = {len(hand) for hand in hands}
    if sharded:
        assert len(lengths) == 1  # all of them wait for each other in every pass
    else:
        assert all(counts for hand in hands for _, counts in hand)
    if len(counted) > len(parts):
        assert len(counted) <= world
    # nobody is idle while another has something to spare
    spare = max(len(part.rows) for part in counted) > (1 if packed else 2)
    assert not spare or all(any(counts for _, counts in hand) for hand in hands)
    # what the divergence is measured on lies in one pass
    last = parts[-1].rows[:2]
    assert packed or any(part.rows[: len(last)] == last for part in counted)


def close(a: torch.Tensor, b: torch.Tensor, rounding: float) -> bool:
    """Whether two tensors are equal up to the rounding of the sums that led to them."""
    return float((a - b).abs().max()) <= rounding * float(b.abs().max())


def weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(next(folder.glob("*.safetensors")))


def check_alike(found: Path, expected: Path, case: Case) -> None:
    """Two folders hold the same files, with the same weights and optimizer state in them."""
    assert {p.name for p in found.iterdir()} == {p.name for p in expected.iterdir()}
    mine, theirs = weights(found), weights(expected)
    assert list(mine) == list(theirs)
    for name, weight in mine.items():
        assert (weight.dtype, weight.shape) == (theirs[name].dtype, theirs[name].shape)
        assert close(weight, theirs[name], case.rounding), name
    a, b = (torch.load(p / checkpoints.OPTIMIZER, weights_only=True) for p in (found, expected))
    assert a["step"] == b["step"]
    assert a["optimizer"]["param_groups"] == b["optimizer"]["param_groups"]
    assert a["optimizer"]["state"].keys() == b["optimizer"]["state"].keys()
    for index, values in a["optimizer"]["state"].items():
        others = b["optimizer"]["state"][index]
        assert {k: (type(v), v.dtype, v.shape) for k, v in values.items()} == {
            k: (type(v), v.dtype, v.shape) for k, v in others.items()
        }
        assert all(close(value, others[name], 1e-4) for name, value in values.items())


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_the_version_of_one_process(
    case: Case,
    mode: str,
    root: Path,
    alone: dict[str, list[Learned]],
    together: dict[tuple[str, str], list[Learned]],
) -> None:
    for number, (one, many) in enumerate(zip(alone[case.name], together[case.name, mode], strict=True), 1):
        assert one.accepted
        assert many.accepted
        folder = root / mode / case.name / f"p@{number}"
        assert many.sha256 == checkpoints.sha256(folder)
        check_alike(folder, root / "alone" / case.name / f"p@{number}", case)
        assert many.trained_tokens == one.trained_tokens
        assert len(many.updates) == len(one.updates)
        for a, b in zip(many.updates, one.updates, strict=True):
            assert (a.step, a.rows, a.tokens, a.learning_rate) == (
                b.step,
                b.rows,
                b.tokens,
                b.learning_rate,
            )
            for name in ("loss", "entropy", "grad_norm", "clip_fraction", "sampling_gap"):
                mine, theirs = getattr(a, name), getattr(b, name)
                assert mine == (None if theirs is None else pytest.approx(theirs, rel=1e-4)), name
            if mode == "sharded":
                assert a.kl is None
            else:
                assert a.kl == (None if b.kl is None else pytest.approx(b.kl, rel=1e-3, abs=1e-6))
    # it has learned something
    parent = root / case.base if case.lora is None else root / mode / case.name / "p@1"
    before, after = weights(parent), weights(root / mode / case.name / "p@2")
    assert any(not torch.equal(before[name], weight) for name, weight in after.items())


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_the_files_of_one_serve_the_other(
    mode: str,
    root: Path,
    alone: dict[str, list[Learned]],
    together: dict[tuple[str, str], list[Learned]],
    tmp_path: Path,
) -> None:
    case = CASES[4]
    expected = root / "alone" / case.name / "p@2"
    assert together["resumed", mode][0].accepted
    check_alike(root / mode / "resumed", expected, case)
    # and one process goes on with what two have made
    order = arguments(case, root, 2, root / mode / case.name / "p@1", tmp_path / "p@2")
    assert Learner(configured(**case.settings), seed=3).learn(**order).accepted
    check_alike(tmp_path / "p@2", expected, case)


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_what_is_trained_again_is_the_same(
    mode: str, together: dict[tuple[str, str], list[Learned]]
) -> None:
    assert together["again", mode][0].sha256 == together[CASES[4].name, mode][0].sha256


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_all_of_them_refuse(mode: str, root: Path, together: dict[tuple[str, str], list[Learned]]) -> None:
    (refused,) = together["refused", mode]
    assert not refused.accepted
    assert refused.reason is not None
    assert refused.reason.startswith("loss nan")
    assert len(refused.updates) == 1
    assert not list((root / mode).glob("refused*"))


@pytest.mark.ray
@pytest.mark.slow
def test_the_arena_has_them_learn(cluster: None, root: Path, tmp_path: Path) -> None:
    class Learners(LearnerWorker):
        def doomed(self) -> None:
            raise WorkersFailed("expected chalk, got none")

    learned = {}
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        config = load("tiny", [f"learner.workers={workers}"], RunConfig)
        checkpoints.adopt(folder / "checkpoints" / "solver@0", root / "padded")
        write_parquet(rows_for(SparkVocabulary(), "answer_key", 22), folder / "b.parquet")
        order = LearnOrder("solver", "solver@0", "solver@1", "b.parquet", 0)
        if workers == 1:
            learned[1] = LearnerWorker(folder, config).learn(order)
            continue
        pool = RayPool(Learners, (folder, config), count=1, cpus=0.5, retries=0, noticed=[])
        # a version that could not be trained stops no run
        assert pool.map("doomed", [()]) == [Failed("expected chalk, got none")]
        (learned[2],) = pool.map("learn", [(order,)])
    assert learned[2].accepted
    assert learned[2].updates[-1].loss == pytest.approx(learned[1].updates[-1].loss, rel=1e-4)
    check_alike(*(tmp_path / n / "checkpoints" / "solver@1" for n in ("2", "1")), CASES[0])
    assert [p.name for p in (tmp_path / "2" / "checkpoints").iterdir()] == ["solver@0", "solver@1"]


@pytest.mark.ray
@pytest.mark.slow
def test_one_that_dies_is_started_again_and_one_that_fails_is_told(cluster: None, tmp_path: Path) -> None:
    def work() -> None:
        import torch.distributed as dist

        if dist.get_rank() == 1:
            if not (tmp_path / "dead").exists():
                (tmp_path / "dead").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            raise ValueError("no more chalk")
        dist.barrier()  # waits for the other

    home, handler = set(Path.home().iterdir()), signal.getsignal(signal.SIGINT)
    with pytest.raises(WorkersFailed, match="process 1: ValueError: no more chalk"):
        in_processes(work, 2, retries=1, folder=tmp_path / "training")
    # nothing is left behind
    assert [p.name for p in tmp_path.iterdir()] == ["dead"]
    assert set(Path.home().iterdir()) == home
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_full_disk_is_the_error_that_it_is_to_one_process() -> None:
    full, waited = CheckpointError("make room on the disk"), RuntimeError("Connection closed\nby peer")
    assert _told({0: full, 1: waited}) is full
    assert _told({1: waited}).args == (
        "expected all processes to train to the end, got: process 1: RuntimeError: Connection closed "
        "by peer",
    )


def test_a_cut_needs_several() -> None:
    with pytest.raises(ValidationError, match="expected workers: 2 or more with shard: true"):
        LearnerConfig(shard=True)
    assert LearnerConfig(shard=True, workers=2).shard


def test_processes_are_rays() -> None:
    with pytest.raises(ConfigError, match=r"expected false with learner.workers: 2"):
        load("tiny", ["cluster.local=true", "learner.workers=2"], RunConfig)


def test_the_cluster_has_room_for_them() -> None:
    """What is waited for must be there besides the actors that wait."""
    one, many = (load("tiny", [f"learner.workers={n}", "cluster.learners=3"], RunConfig) for n in (1, 4))
    assert _cpus(many) - _cpus(one) == 3 * 4 * 0.5
