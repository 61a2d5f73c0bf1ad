"""Samples to training rows, and rows to Parquet and back."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import spark
from agents.config import CLIPPED, LearnerConfig
from agents.learning.batches import Sample, read_parquet, rows_from, write_parquet
from culture.records import BatchRow

CONFIG = LearnerConfig()


def sample(group: str, reward: float, completion: str = "12", weight: float = 1.0) -> Sample:
    ids = spark.encode(completion + spark.EOS) if completion else []
    return Sample(
        role="solver",
        domain="transforms",
        source_kind="attempt",
        source_id=f"t-{group}-{reward}-{completion}",
        group_id=group,
        prompt="r:21=",
        completion=completion,
        token_ids=ids,
        logprobs=[-0.5] * len(ids),
        reward=reward,
        policy="spark",
        weight=weight,
    )


def rows(
    samples: list[Sample],
    name: str,
    config: LearnerConfig = CONFIG,
    memory: dict[str, float] | None = None,
) -> list[BatchRow]:
    return rows_from(
        samples,
        objective_name=name,
        batch_id="b",
        round=4,
        first_row=10,
        config=config,
        memory={} if memory is None else memory,
    )


def test_advantages_are_of_the_group() -> None:
    samples = [sample("a", 1.0), sample("b", 5.0), sample("a", 0.0), sample("b", 4.0)]
    found = {r.source_id: r for r in rows(samples, "grpo")}
    up = 0.5 / (np.std([0, 1], ddof=1) + 1e-4)
    assert [found[s.source_id].advantage for s in samples] == pytest.approx([up, up, -up, -up])
    assert sorted(r.row for r in found.values()) == [10, 11, 12, 13]
    assert all(r.logprobs == [-0.5] * 3 for r in found.values())


@pytest.mark.parametrize("name", sorted(CLIPPED))
def test_turns_of_an_attempt_share_its_advantage_and_count_once(name: str) -> None:
    """A long episode weighs no more than a short one among those that it is compared with."""
    long, short = sample("a", 1.0), sample("a", 0.25, "3")
    turns = [replace(long, completion=c, token_ids=spark.encode(c)) for c in "4567"]
    by_turn = rows([*turns, short], name)
    whole = {r.source_id: r.advantage for r in rows([long, short], name)}
    assert [r.completion for r in by_turn] == ["4", "5", "6", "7", "3"]
    assert [r.advantage for r in by_turn] == [whole[r.source_id] for r in by_turn]


def test_rows_that_teach_nothing_are_left_out() -> None:
    samples = [sample("a", 0.1), sample("a", 0.1), sample("a", 0.1), sample("alone", 1.0)]
    assert rows(samples, "grpo") == []
    kept = rows([sample("a", 1.0, weight=0.0), sample("a", 1.0, ""), sample("b", 0.0)], "answer_key")
    assert [(r.group_id, r.advantage, r.row, r.logprobs) for r in kept] == [("b", 1.0, 10, [])]


@pytest.mark.parametrize("name", sorted(CLIPPED))
def test_a_policy_gradient_can_keep_samples_of_no_advantage(name: str) -> None:
    samples = [sample("a", 0.0), sample("a", 0.0, "3"), sample("a", 0.0, weight=0.0), sample("a", 0.0, "")]
    assert rows(samples, name) == []
    kept = rows(samples, name, LearnerConfig(skip_zero_advantage=False))
    assert [(r.row, r.completion, r.advantage) for r in kept] == [(10, "12", 0.0), (11, "3", 0.0)]


def test_rejection_never_keeps_what_was_not_rewarded() -> None:
    samples = [sample("a", 0.0), sample("a", 1.0, "3")]
    kept = rows(samples, "rejection", LearnerConfig(skip_zero_advantage=False))
    assert [(r.row, r.completion) for r in kept] == [(10, "3")]


def test_what_is_remembered_goes_by_policy_domain_and_role() -> None:
    memory = {"spark/transforms/solver": 0.5}
    samples = [sample("a", 1.0), replace(sample("b", 1.0), role="proposer")]
    samples.append(replace(sample("c", 1.0), policy="other"))
    config = LearnerConfig(rae_decay=0.75)
    assert [r.advantage for r in rows(samples, "rae", config, memory)] == [0.5, 1.0, 1.0]
    assert memory == {
        "spark/transforms/solver": 0.625,
        "spark/transforms/proposer": 0.25,
        "other/transforms/solver": 0.25,
    }
    before = dict(memory)
    for name in ("grpo", "trr_pp", "answer_key"):
        rows(samples, name, config, memory)
    assert memory == before


TEXT = st.text(alphabet=spark.CHARACTERS, max_size=12)
FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
ROW = st.builds(
    BatchRow,
    batch_id=TEXT,
    round=st.integers(0, 10**6),
    row=st.integers(0, 10**6),
    role=st.sampled_from(["solver", "proposer"]),
    objective=st.sampled_from(["answer_key", "grpo"]),
    source_kind=st.sampled_from(["attempt", "problem", "note"]),
    source_id=TEXT,
    group_id=TEXT,
    prompt=TEXT,
    completion=TEXT,
    token_ids=st.lists(st.integers(0, 96), max_size=5),
    logprobs=st.lists(FLOAT32, max_size=5),
    weight=st.floats(allow_nan=False),
    advantage=st.floats(allow_nan=False),
)


@given(st.lists(ROW, max_size=6))
def test_parquet_gives_the_rows_back(
    tmp_path_factory: pytest.TempPathFactory, given: list[BatchRow]
) -> None:
    path = tmp_path_factory.mktemp("batch") / "deeper" / "b.parquet"
    write_parquet(given, path)
    assert read_parquet(path) == given
    assert [p.name for p in path.parent.iterdir()] == ["b.parquet"]


def test_the_file_has_the_columns_of_the_log(tmp_path: Path) -> None:
    write_parquet(rows([sample("a", 1.0)], "answer_key"), tmp_path / "b.parquet")
    assert pq.read_table(tmp_path / "b.parquet").column_names == [f.name for f in fields(BatchRow)]
