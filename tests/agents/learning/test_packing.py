"""Packed rows: nothing lost, no budget broken, and the numbers that each row would have by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaForCausalLM

from agents.learning.packing import Tokens, micro_batches, pack
from agents.learning.scoring import score_packed, score_padded
from tests.agents import tiny

ROWS = [
    Tokens(0, (5, 6, 7), (8, 9)),
    Tokens(1, (5, 6, 7), (10,)),
    Tokens(2, (20, 21), (22, 23, 24, 25)),
    Tokens(3, (5, 6, 7), (8, 9, 11)),
]

rows_of = st.lists(
    st.tuples(
        st.lists(st.integers(0, 3), min_size=1, max_size=6),
        st.lists(st.integers(0, 90), min_size=1, max_size=9),
    ),
    min_size=1,
    max_size=24,
).map(lambda pairs: [Tokens(i, tuple(p), tuple(c)) for i, (p, c) in enumerate(pairs)])


@given(rows_of, st.integers(4, 40), st.booleans())
def test_every_row_is_packed_once_within_the_budget(rows: list[Tokens], budget: int, share: bool) -> None:
    found = []
    for trees in micro_batches(rows, budget, share=share):
        packed = pack(trees)
        found += packed.rows
        assert packed.ids.shape[1] <= budget or len(packed.rows) == 1
        assert all({row.prompt for row in tree} == {tree[0].prompt} for tree in trees)
        assert share or all(len(tree) == 1 for tree in trees)
        by_row = {row.row: row for row in rows}
        laid = packed.matrix(packed.target.float())
        for i, row in enumerate(packed.rows):
            completion = by_row[row].completion
            assert laid[i, : len(completion)].tolist() == list(completion)
            assert int(packed.mask()[i].sum()) == len(completion)
    assert sorted(found) == list(range(len(rows)))


def test_a_shared_prompt_is_there_once() -> None:
    (trees,) = micro_batches(ROWS, 100)
    packed = pack(trees)
    assert packed.ids.shape[1] == 3 + (2 + 1 + 3) + 2 + 4
    (apart,) = micro_batches(ROWS, 100, share=False)
    assert pack(apart).ids.shape[1] == sum(len(r.prompt) + len(r.completion) for r in ROWS)


def test_no_row_sees_another() -> None:
    packed = pack([[ROWS[0], ROWS[1]], [ROWS[2]]])
    seen = packed.visible[0, 0]
    # tokens: prompt 0-2, completion of row 0 at 3-4, of row 1 at 5, then row 2 at 6-11
    assert seen[4].nonzero().flatten().tolist() == [0, 1, 2, 3, 4]
    assert seen[5].nonzero().flatten().tolist() == [0, 1, 2, 5]
    assert seen[8].nonzero().flatten().tolist() == [6, 7, 8]
    assert packed.positions[0].tolist() == [0, 1, 2, 3, 4, 3, 0, 1, 2, 3, 4, 5]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LlamaForCausalLM:
    folder: Path = tiny.save(tmp_path_factory.mktemp("tiny"))
    return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)


@settings(max_examples=12)
@given(rows_of, st.integers(4, 60))
def test_packed_or_padded_or_alone_it_is_the_same(
    model: LlamaForCausalLM, rows: list[Tokens], budget: int
) -> None:
    alone = {}
    with torch.no_grad():
        for row in rows:
            scored = score_padded(model, [row], 2)
            alone[row.row] = scored.logprobs[scored.mask]
        padded = score_padded(model, rows, 2)
        for i, row in enumerate(padded.rows):
            torch.testing.assert_close(padded.logprobs[i][padded.mask[i]], alone[row], atol=1e-4, rtol=1e-4)
        for trees in micro_batches(rows, budget):
            packed = score_packed(model, pack(trees))
            for i, row in enumerate(packed.rows):
                torch.testing.assert_close(
                    packed.logprobs[i][packed.mask[i]], alone[row], atol=1e-4, rtol=1e-4
                )


def test_gradients_are_those_of_the_padded_rows(model: LlamaForCausalLM) -> None:
    def gradients(total: torch.Tensor) -> list[torch.Tensor]:
        return list(torch.autograd.grad(total, list(model.parameters())))

    (trees,) = micro_batches(ROWS, 100)
    packed = gradients(score_packed(model, pack(trees)).logprobs.sum())
    padded = gradients(score_padded(model, ROWS, 2).logprobs.sum())
    for a, b in zip(packed, padded, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)


def test_entropy_is_that_of_the_distributions(model: LlamaForCausalLM) -> None:
    (trees,) = micro_batches(ROWS, 100)
    packed, padded = score_packed(model, pack(trees)), score_padded(model, ROWS, 2)
    torch.testing.assert_close(packed.entropy, padded.entropy, atol=1e-3, rtol=1e-4)
    assert packed.scores.shape[0] == int(packed.mask.sum())
