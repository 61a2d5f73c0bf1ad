"""Objectives against numbers worked by hand and against plain loops."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from agents.config import CLIPPED, LearnerConfig, Objective
from agents.learning.objectives import Rewards, TokenBatch, objective, whiten

CONFIG = LearnerConfig(clip=0.2)
GRPO, KEY = objective("grpo"), objective("answer_key")


def loss_of(name: str, batch: TokenBatch, config: LearnerConfig = CONFIG) -> Tensor:
    """The loss of a step that is one batch."""
    goal = objective(name)
    return goal.loss(batch, config).total / goal.size(batch, config).clamp_min(1e-8)


def clipped_share(name: str, batch: TokenBatch, config: LearnerConfig = CONFIG) -> float:
    clipped = objective(name).loss(batch, config).clipped
    assert clipped is not None
    return float(clipped / batch.mask.sum())


def batch_of(
    new: list[list[float]],
    old: list[list[float]],
    advantages: list[float],
    weights: list[float] | None = None,
    *,
    sampled: list[list[float]] | None = None,
    reference: list[list[float]] | None = None,
) -> TokenBatch:
    """Rows of unequal lengths, padded; padding holds numbers that must not matter."""
    width = max(len(r) for r in new)
    mask = torch.tensor([[i < len(r) for i in range(width)] for r in new])

    def padded(rows: list[list[float]], filling: float) -> Tensor:
        return torch.tensor([r + [filling] * (width - len(r)) for r in rows])

    return TokenBatch(
        padded(new, 0.0).requires_grad_(),
        padded(old, 9.0),
        mask,
        torch.tensor(weights or [1.0] * len(new)),
        torch.tensor(advantages),
        None if sampled is None else padded(sampled, -99.0),
        None if reference is None else padded(reference, 99.0),
    )


def rewards_of(values: list[float], groups: list[str], tasks: list[str]) -> Rewards:
    return Rewards(np.array(values), groups, tasks, {}, CONFIG.rae_decay)


def one_group(values: list[float]) -> Rewards:
    return rewards_of(values, ["g"] * len(values), ["t"] * len(values))


def test_every_objective_that_can_be_configured_exists() -> None:
    for name in get_args(Objective):
        assert objective(name).needs_logprobs == (name in CLIPPED)


@pytest.mark.parametrize("name", get_args(Objective))
def test_a_round_without_samples_has_no_advantages(name: str) -> None:
    assert objective(name).advantages(one_group([])).tolist() == []


def test_an_unknown_objective_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        objective("sarsa")


def test_advantages_by_hand() -> None:
    # mean 1/2, sample variance (4 × 1/4) / 3 = 1/3
    expected = 0.5 / (math.sqrt(1 / 3) + 1e-4)
    np.testing.assert_allclose(
        GRPO.advantages(one_group([1.0, 0.0, 1.0, 0.0])), [expected, -expected, expected, -expected]
    )
    assert GRPO.advantages(one_group([1.0])).tolist() == [0.0]
    assert KEY.advantages(one_group([0.0, 1.0])).tolist() == [1.0, 1.0]


@given(st.floats(-1e3, 1e3), st.integers(2, 9))
def test_equal_rewards_teach_nothing(reward: float, n: int) -> None:
    for name in CLIPPED - {"rae"}:  # whose baseline is of earlier samples
        assert objective(name).advantages(one_group([reward] * n)).tolist() == [0.0] * n


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=12))
def test_advantages_sum_to_zero_and_keep_the_order(rewards: list[float]) -> None:
    found = GRPO.advantages(one_group(rewards))
    assert abs(found.sum()) < 1e-6
    for i in range(len(rewards) - 1):
        if rewards[i] < rewards[i + 1]:
            assert found[i] <= found[i + 1]


@pytest.mark.parametrize(
    ("ratio", "advantage", "gain", "clipped"),
    [
        (1.0, 2.0, 2.0, 0.0),
        (1.1, 2.0, 2.2, 0.0),
        (1.5, 2.0, 2.4, 1.0),  # clipped at 1.2
        (0.5, 2.0, 1.0, 0.0),  # the unclipped product is the smaller
        (0.5, -2.0, -1.6, 1.0),  # clipped at 0.8
        (1.5, -2.0, -3.0, 0.0),
    ],
)
def test_one_token_by_hand(ratio: float, advantage: float, gain: float, clipped: float) -> None:
    batch = batch_of([[math.log(ratio)]], [[0.0]], [advantage])
    assert loss_of("grpo", batch).item() == pytest.approx(-gain)
    assert clipped_share("grpo", batch) == clipped


def test_the_penalty_by_hand() -> None:
    config = LearnerConfig(kl_coefficient=0.5)
    # log π = log 1.1, log π_old = 0, so ρA = 2.2; without a reference k3 = 1/1.1 − 1 + log 1.1
    delta = math.log(1.1)
    batch = batch_of([[delta]], [[0.0]], [2.0])
    assert loss_of("grpo", batch, config).item() == pytest.approx(-(2.2 - 0.5 * (1 / 1.1 - 1 + delta)))


def test_the_penalty_to_a_reference_by_hand() -> None:
    config = LearnerConfig(kl_coefficient=0.5)
    # ρA = 2.2 as above; the reference gives the token e^0.3 times what the policy does:
    # k3 = e^0.3 − 0.3 − 1 = 0.0498588, and its slope in log π is 1 − e^0.3
    delta = math.log(1.1)
    batch = batch_of([[delta]], [[0.0]], [2.0], reference=[[delta + 0.3]])
    loss = loss_of("grpo", batch, config)
    assert loss.item() == pytest.approx(-(2.2 - 0.5 * 0.0498588))
    (gradient,) = torch.autograd.grad(loss, batch.logprobs)
    assert gradient.item() == pytest.approx(-(2.2 - 0.5 * (1 - math.exp(0.3))))


def test_truncated_importance_weights_by_hand() -> None:
    config = LearnerConfig(importance_cap=2.0, kl_coefficient=0.5)
    # three tokens whose ratio ρ is 1, with A = 3. The learner gives them 4, 0.5 and 1 times the probability
    # that the engine gave: weights 2 (cut off), 0.5 and 1, gains 6, 1.5 and 3, and no penalty at ρ = 1
    old = [-1.0, -2.0, -3.0]
    sampled = [-1.0 - math.log(4), -2.0 + math.log(2), -3.0]
    batch = batch_of([old, [-1.0]], [old, [-1.0]], [3.0, 1.0], sampled=[sampled, [-1.0]])
    loss = loss_of("reinforce_pp", batch, config)
    assert loss.item() == pytest.approx(-(6 + 1.5 + 3 + 1) / 4)
    (gradient,) = torch.autograd.grad(loss, batch.logprobs)
    np.testing.assert_allclose(gradient, [[-6 / 4, -1.5 / 4, -3 / 4], [-1 / 4, 0.0, 0.0]], rtol=1e-6)
    # the penalty is not weighted: log π is log 1.1 above log π_old, weight 0.5, gain 0.5 · 1.1 · 2 − 0.5 k3
    up = math.log(1.1)
    one = batch_of([[up]], [[0.0]], [2.0], sampled=[[math.log(2)]])
    expected = 0.5 * 1.1 * 2 - 0.5 * (1 / 1.1 - 1 + up)
    assert loss_of("grpo", one, config).item() == pytest.approx(-expected)


def test_without_a_cap_the_engines_numbers_are_not_looked_at() -> None:
    rows = [[-1.0, -2.0], [-0.5]]
    plain = batch_of(rows, [[-1.1, -1.9], [-0.6]], [2.0, -1.0])
    known = batch_of(rows, [[-1.1, -1.9], [-0.6]], [2.0, -1.0], sampled=[[-3.0, -0.1], [-2.0]])
    capped = LearnerConfig(importance_cap=2.0)
    for name in CLIPPED:
        assert loss_of(name, known).item() == loss_of(name, plain).item()
        assert loss_of(name, plain, capped).item() == loss_of(name, plain).item()
        assert loss_of(name, known, capped).item() != loss_of(name, plain).item()


def plain_grpo(new: list[list[float]], batch: TokenBatch, old: list[list[float]], beta: float) -> float:
    """The formula of the docstring with loops."""
    total = 0.0
    for row, before, a, w in zip(new, old, batch.advantages.tolist(), batch.weights.tolist(), strict=True):
        gains = []
        for x, y in zip(row, before, strict=True):
            ratio = math.exp(x - y)
            bounded = min(max(ratio, 1 - CONFIG.clip), 1 + CONFIG.clip)
            k3 = math.exp(y - x) - 1 + (x - y)
            gains.append(min(ratio * a, bounded * a) - beta * k3)
        total += w * sum(gains) / len(gains)
    return -total / sum(batch.weights.tolist())


@given(st.data())
def test_loss_and_gradient_equal_a_plain_implementation(data: st.DataObject) -> None:
    # kept off the kinks at ratio 1 ± ε, where no gradient is the gradient
    log_ratio = st.sampled_from([-0.7, -0.1, -0.05, 0.04, 0.1, 0.5])
    deltas = data.draw(st.lists(st.lists(log_ratio, min_size=1, max_size=4), min_size=1, max_size=4))
    n = len(deltas)
    old = [[data.draw(st.floats(-3, -0.1)) for _ in row] for row in deltas]
    new = [[y + d for y, d in zip(a, b, strict=True)] for a, b in zip(old, deltas, strict=True)]
    advantages = data.draw(st.lists(st.sampled_from([-1.5, -0.5, 0.7, 2.0]), min_size=n, max_size=n))
    weights = data.draw(st.lists(st.sampled_from([0.5, 1.0, 2.0]), min_size=n, max_size=n))
    beta = data.draw(st.sampled_from([0.0, 0.3]))
    batch = batch_of(new, old, advantages, weights)
    loss = loss_of("grpo", batch, LearnerConfig(clip=CONFIG.clip, kl_coefficient=beta))
    assert loss.item() == pytest.approx(plain_grpo(new, batch, old, beta), abs=1e-5)
    (gradient,) = torch.autograd.grad(loss, batch.logprobs)
    assert not gradient[~batch.mask].any()
    step = 1e-5
    for i, row in enumerate(new):
        for j in range(len(row)):
            up, down = ([list(r) for r in new] for _ in range(2))
            up[i][j] += step
            down[i][j] -= step
            slope = (plain_grpo(up, batch, old, beta) - plain_grpo(down, batch, old, beta)) / (2 * step)
            assert float(gradient[i, j]) == pytest.approx(slope, abs=1e-4)


def test_answer_key_is_weighted_cross_entropy() -> None:
    torch.manual_seed(0)
    logits = torch.randn(3, 5, 7, requires_grad=True)
    targets = torch.randint(7, (3, 5))
    mask = torch.tensor([[True] * 5, [False, True, True, False, False], [False] * 4 + [True]])
    weights = torch.tensor([1.0, 0.25, 3.0])
    chosen = torch.log_softmax(logits, -1).gather(2, targets[..., None]).squeeze(2)
    batch = TokenBatch(chosen, torch.zeros(3, 5), mask, weights, torch.ones(3))
    loss = loss_of("answer_key", batch)
    each: Tensor = F.cross_entropy(logits.reshape(15, 7), targets.reshape(15), reduction="none")
    by_token = (weights[:, None] * mask).reshape(15)
    expected = (each * by_token).sum() / by_token.sum()
    torch.testing.assert_close(loss, expected)
    assert KEY.loss(batch, CONFIG).clipped is None
    torch.testing.assert_close(
        torch.autograd.grad(loss, logits, retain_graph=True), torch.autograd.grad(expected, logits)
    )


def test_dr_grpo_by_hand() -> None:
    goal = objective("dr_grpo")
    rewards = rewards_of([1.0, 0.0, 1.0, 5.0, 3.0], ["a", "a", "a", "b", "b"], ["t"] * 5)
    np.testing.assert_allclose(goal.advantages(rewards), [1 / 3, -2 / 3, 1 / 3, 1.0, -1.0])
    # unchanged policies: each token gains A; 1 token of 2 and 3 tokens of -1, over a budget of 10
    batch = batch_of([[-1.0], [-1.0] * 3], [[-1.0], [-1.0] * 3], [2.0, -1.0])
    loss = loss_of("dr_grpo", batch, LearnerConfig(completion_budget=10))
    assert loss.item() == pytest.approx(-(2.0 * 1 - 1.0 * 3) / 2 / 10)
    assert clipped_share("dr_grpo", batch) == 0.0


@pytest.mark.parametrize(
    ("ratio", "advantage", "gain"),
    [
        (1.25, 2.0, 2.5),  # GRPO would clip at 1.2
        (1.5, 2.0, 2.56),  # clipped at 1.28
        (0.5, -2.0, -1.6),  # the lower bound is GRPO's
        (1.5, -2.0, -3.0),
    ],
)
def test_clip_higher_by_hand(ratio: float, advantage: float, gain: float) -> None:
    batch = batch_of([[math.log(ratio)]], [[0.0]], [advantage])
    assert loss_of("clip_higher", batch, LearnerConfig()).item() == pytest.approx(-gain)


@pytest.mark.parametrize("name", ["clip_higher", "rae", "reinforce_pp", "trr_pp"])
def test_the_mean_over_tokens_weighs_long_completions_more(name: str) -> None:
    batch = batch_of([[-1.0], [-1.0] * 3], [[-1.0], [-1.0] * 3], [2.0, -1.0], [1.0, 2.0])
    # weights 1 and 2: (1·2·1 + 2·(-1)·3) over (1·1 + 2·3) tokens
    assert loss_of(name, batch).item() == pytest.approx(-(2.0 - 6.0) / 7)
    assert loss_of("grpo", batch).item() == pytest.approx(-(2.0 - 2.0) / 3)


def test_reinforce_pp_whitens_over_the_batch_and_trr_pp_over_each_task() -> None:
    values = np.array([1.0, 0.0, 1.0, 0.0, 10.0, 6.0])
    rewards = rewards_of(values.tolist(), ["a", "a", "b", "b", "c", "d"], ["x"] * 4 + ["y"] * 2)
    # mean 3, squares 4 + 9 + 4 + 9 + 49 + 9 = 84, variance 14
    np.testing.assert_allclose(objective("reinforce_pp").advantages(rewards), (values - 3) / math.sqrt(14))
    # task x: mean 1/2, std 1/2; task y: mean 8, std 2
    np.testing.assert_allclose(objective("trr_pp").advantages(rewards), [1, -1, 1, -1, 1, -1])


def test_rejection_imitates_what_was_rewarded() -> None:
    goal = objective("rejection")
    assert goal.advantages(one_group([1.0, 0.0, -1.0, 0.25])).tolist() == [1.0, 0.0, 0.0, 1.0]
    batch = batch_of([[-1.0, -2.0], [-4.0]], [[0.0, 0.0], [0.0]], [1.0, 1.0])
    assert loss_of("rejection", batch).item() == loss_of("answer_key", batch).item()


@given(st.lists(st.integers(-1000, 1000).map(lambda n: n / 8), min_size=2, max_size=20))
def test_whitened_values_have_mean_0_and_spread_1(values: list[float]) -> None:
    found = whiten(np.array(values))
    assert abs(found.mean()) < 1e-6
    assert found.std() == pytest.approx(1.0, abs=1e-6) or not found.any()
