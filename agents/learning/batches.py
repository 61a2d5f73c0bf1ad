"""From what happened to training rows, and rows to a Parquet file that anyone can train from."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from agents.config import LearnerConfig
from agents.learning.objectives import Rewards, objective
from culture.records import BatchRow

_SCHEMA = pa.schema(
    [
        ("batch_id", pa.string()),
        ("round", pa.int64()),
        ("row", pa.int64()),
        ("role", pa.string()),
        ("objective", pa.string()),
        ("source_kind", pa.string()),
        ("source_id", pa.string()),
        ("group_id", pa.string()),
        ("prompt", pa.string()),
        ("completion", pa.string()),
        ("token_ids", pa.list_(pa.int32())),
        ("logprobs", pa.list_(pa.float32())),
        ("weight", pa.float64()),
        ("advantage", pa.float64()),
    ]
)


@dataclass(frozen=True, slots=True)
class Sample:
    """Something that may become a training row: a completion, what it was worth, where it came from."""

    role: Literal["solver", "proposer"]
    domain: str
    source_kind: Literal["attempt", "problem", "note"]
    source_id: str
    group_id: str
    prompt: str
    completion: str
    token_ids: list[int]
    logprobs: list[float]
    reward: float
    policy: str
    """Name of the policy that is to be trained on it."""
    weight: float = 1.0
    part: str = ""
    """What is played in a game, and from which seat, where rewards of parts differ without any merit."""


def rows_from(
    samples: Sequence[Sample],
    *,
    objective_name: str,
    batch_id: str,
    round: int,
    first_row: int,
    config: LearnerConfig,
    memory: MutableMapping[str, float],
) -> list[BatchRow]:
    """Training rows of one role, group by group.

    Samples of one source, such as the turns of an attempt, share its reward: it counts once among those
    that it is compared with, and each of its samples gets the advantage.

    Samples of weight zero and empty completions teach nothing and are left out, as are those whose
    advantage is zero, unless a policy gradient is told to keep them (``skip_zero_advantage``). ``memory``
    is what the objective remembers of earlier rounds (:class:`~agents.learning.objectives.Rewards`), and
    is moved on.
    """
    goal = objective(objective_name)
    sources = {(s.source_kind, s.source_id, s.group_id): s for s in samples}
    found = goal.advantages(
        Rewards(
            np.array([s.reward for s in sources.values()], dtype=np.float64),
            [s.group_id for s in sources.values()],
            [f"{s.policy}/{s.domain}/{s.role}" + (s.part and f"/{s.part}") for s in sources.values()],
            memory,
            config.rae_decay,
        )
    )
    advantages = dict(zip(sources, found.tolist(), strict=True))
    keep_zero = goal.needs_logprobs and not config.skip_zero_advantage
    groups: dict[str, list[tuple[Sample, float]]] = {}
    for s in samples:
        advantage = advantages[s.source_kind, s.source_id, s.group_id]
        groups.setdefault(s.group_id, []).append((s, advantage))
    rows: list[BatchRow] = []
    for group_id, members in groups.items():
        for member, advantage in members:
            if member.weight == 0.0 or not member.token_ids or (advantage == 0.0 and not keep_zero):
                continue
            rows.append(
                BatchRow(
                    batch_id=batch_id,
                    round=round,
                    row=first_row + len(rows),
                    role=member.role,
                    objective=objective_name,
                    source_kind=member.source_kind,
                    source_id=member.source_id,
                    group_id=group_id,
                    prompt=member.prompt,
                    completion=member.completion,
                    token_ids=member.token_ids,
                    logprobs=member.logprobs if goal.needs_logprobs else [],
                    weight=float(member.weight),
                    advantage=advantage,
                )
            )
    return rows


def write_parquet(rows: Sequence[BatchRow], path: Path) -> None:
    """Write ``rows`` so that the file is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {name: [getattr(row, name) for row in rows] for name in _SCHEMA.names}
    partial = path.with_suffix(".partial")
    pq.write_table(pa.table(columns, schema=_SCHEMA), partial)
    partial.replace(path)


def read_parquet(path: Path) -> list[BatchRow]:
    """The rows in a file that ``write_parquet`` wrote."""
    return [BatchRow(**row) for row in pq.read_table(path, schema=_SCHEMA).to_pylist()]
