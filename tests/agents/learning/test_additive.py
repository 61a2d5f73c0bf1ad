"""A step's loss does not depend on how its rows are spread over passes, nor its gradient."""

from __future__ import annotations

from dataclasses import fields
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from agents.config import LearnerConfig, Objective
from agents.learning.objectives import TokenBatch, objective


@st.composite
def batches(draw: st.DrawFn) -> TokenBatch:
    """Rows of 1 to 5 tokens, float64, with ratios within and beyond the bounds."""
    lengths = draw(st.lists(st.integers(1, 5), min_size=2, max_size=6))
    rows, width = len(lengths), max(lengths)
    rng = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=rng, dtype=torch.float64)

    logprobs = normal(rows, width) - 2
    return TokenBatch(
        logprobs.requires_grad_(),
        logprobs.detach() + 0.4 * normal(rows, width),
        torch.arange(width)[None] < torch.tensor(lengths)[:, None],
        draw(st.sampled_from([torch.ones(rows).double(), normal(rows).abs(), torch.zeros(rows).double()])),
        normal(rows),
        logprobs.detach() + 0.4 * normal(rows, width),
        logprobs.detach() + 0.4 * normal(rows, width),
    )


def at(batch: TokenBatch, rows: list[int]) -> TokenBatch:
    """Some rows of a batch, as wide as the longest of them."""
    width = int(batch.mask[rows].sum(dim=1).max())
    parts = {f.name: getattr(batch, f.name)[rows] for f in fields(batch)}
    return TokenBatch(**{name: v[:, :width] if v.dim() == 2 else v for name, v in parts.items()})


@pytest.mark.parametrize("name", get_args(Objective))
@given(st.data())
def test_parts_add_up_to_the_whole(name: str, data: st.DataObject) -> None:
    batch = data.draw(batches())
    place = data.draw(st.permutations(range(len(batch.weights))))
    cut = data.draw(st.integers(1, len(place) - 1))
    config = LearnerConfig(
        kl_coefficient=data.draw(st.sampled_from([0.0, 0.3])),
        importance_cap=data.draw(st.sampled_from([None, 1.2])),
    )
    goal = objective(name)
    parts = [at(batch, list(place[:cut])), at(batch, list(place[cut:]))]
    sizes = torch.stack([goal.size(part, config) for part in parts]).sum().clamp_min(1e-8)
    losses = [goal.loss(part, config) for part in parts]
    shares = [loss.total / sizes for loss in losses]
    whole = goal.loss(batch, config)
    expected = whole.total / goal.size(batch, config).clamp_min(1e-8)
    torch.testing.assert_close(torch.stack(shares).sum(), expected)
    torch.testing.assert_close(
        sum(torch.autograd.grad(share, batch.logprobs)[0] for share in shares),
        torch.autograd.grad(expected, batch.logprobs)[0],
    )
    if whole.clipped is not None:
        assert sum(int(loss.clipped) for loss in losses if loss.clipped is not None) == int(whole.clipped)


@pytest.mark.parametrize("name", get_args(Objective))
def test_the_size_needs_no_log_probabilities(name: str) -> None:
    mask = torch.tensor([[True, True, True], [True, False, False]])
    weights = torch.tensor([2.0, 0.5])
    bare = TokenBatch(
        *[torch.full((2, 3), float("nan"))] * 2, mask, weights, torch.full((2,), float("nan"))
    )
    expected = {"grpo": 2.5, "dr_grpo": 2.5 * 7}.get(name, 3 * 2.0 + 1 * 0.5)
    assert objective(name).size(bare, LearnerConfig(completion_budget=7)).item() == expected


def test_cross_entropy_is_computed_as_it_always_was() -> None:
    """To the last bit, so that earlier runs can be repeated."""
    rng = torch.Generator().manual_seed(0)
    goal, config = objective("answer_key"), LearnerConfig()
    for _ in range(50):
        logprobs = -3 * torch.rand(7, 11, generator=rng)
        mask = torch.rand(7, 11, generator=rng) < 0.6
        weights = torch.rand(7, generator=rng)
        by_token = weights[:, None] * mask
        one, two = logprobs.clone().requires_grad_(), logprobs.clone().requires_grad_()
        before = -(one * by_token).sum() / by_token.sum().clamp_min(1e-8)
        batch = TokenBatch(two, torch.zeros(7, 11), mask, weights, torch.ones(7))
        now = goal.loss(batch, config).total / goal.size(batch, config).clamp_min(1e-8)
        assert now.item() == before.item()
        assert torch.equal(torch.autograd.grad(now, two)[0], torch.autograd.grad(before, one)[0])
