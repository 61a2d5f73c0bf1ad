"""What a model makes of training rows: log-probabilities of completion tokens, and how sure it was.

Two layouts give the same numbers. Rows of spark, a few dozen characters each, are padded to a common
length; those of larger models are packed (:mod:`agents.learning.packing`), where padding would cost more
than the mask, unless a model has layers that do not heed the mask (:func:`packs`).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.learning.packing import Packed, Tokens, pack

_TOGETHER = 1 << 21
"""Logits that are turned into probabilities at once."""


@dataclass(frozen=True, slots=True)
class Scored:
    """R rows of at most T tokens, float32 but ``mask`` (bool). Gradients flow through ``logprobs``."""

    rows: list[int]
    """What was scored, by ``Tokens.row``."""
    logprobs: Tensor
    """(R, T), 0 where ``mask`` is False."""
    mask: Tensor
    """(R, T), True at completion tokens."""
    logits: Tensor
    """(K, V), detached: logits of all tokens at the tokens needed, or their log-softmax."""
    source: Tensor | None = None
    """(N,), which of the K predicts each of the N completion tokens, row after row; None: N of N."""
    entropies: Tensor | None = None
    """(K,) of the distributions, nats; None where they are not known yet."""

    @property
    def scores(self) -> Tensor:
        """(N, V) log-probabilities of all tokens at the N completion tokens, detached, row after row."""
        if self.source is None:
            return self.logits
        return torch.log_softmax(self.logits.float(), dim=-1)[self.source]

    @property
    def entropy(self) -> Tensor:
        """Sum over completion tokens of the entropy of the distribution there, nats."""
        if self.entropies is not None:
            return self.entropies[self.source].sum()
        scores = self.scores
        return -(scores.exp() * scores).sum()


@contextmanager
def autocast(device: torch.device, dtype: str) -> Iterator[None]:
    """bfloat16 products over float32 weights where ``dtype`` asks for it.

    Entered anew for every forward pass: until its block ends autocast keeps the weights that it has cast,
    and an optimizer step inside it would go unseen.
    """
    with torch.autocast(device.type, torch.bfloat16, enabled=dtype == "bfloat16"):
        yield


def score_padded(model: Any, rows: Sequence[Tokens], pad: int) -> Scored:
    """Score rows that are padded on the right to the longest of them."""
    ids, mask = (t.to(model.device) for t in padded(rows, pad))  # (R, L), (R, L - 1)
    logits = model(input_ids=ids, use_cache=False).logits[:, :-1].float()  # (R, L - 1, V)
    scores = torch.log_softmax(logits, dim=-1)
    logprobs = scores.gather(2, ids[:, 1:, None]).squeeze(2)
    return Scored([r.row for r in rows], torch.where(mask, logprobs, 0.0), mask, scores.detach()[mask])


def packs(model: Any, dtype: str) -> bool:
    """Whether ``model`` scores packed rows as it scores each by itself.

    It does where every token attends to all before it, through the mask that it is given: not with a
    sliding window, convolutions, recurrence, or positions that are not told.
    """
    config = model.config.get_text_config()
    whole = {"full_attention"} >= set(getattr(config, "layer_types", None) or [])
    window = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    takes = {"attention_mask", "position_ids", "logits_to_keep"} <= set(
        inspect.signature(inner.forward).parameters
    )
    if not whole or window or not takes:
        return False
    rows = [Tokens(i, (1, 2, 3 + i), (4, 5 + i, 6)) for i in range(2)]
    device = next(iter(model.parameters())).device
    with torch.no_grad(), autocast(device, dtype):
        together = score_packed(model, pack([[row] for row in rows]).to(device)).logprobs
        alone = torch.cat([score_padded(model, [row], 0).logprobs for row in rows])
    # bfloat16 rounds to 8 bits in every layer
    return bool(
        (together - alone[:, -together.shape[1] :]).abs().max() < (0.5 if dtype == "bfloat16" else 1e-3)
    )


def padded(rows: Sequence[Tokens], pad: int) -> tuple[Tensor, Tensor]:
    """Right-padded ids (R, L), and a mask (R, L - 1) of targets that are completion tokens."""
    width = max(len(r.prompt) + len(r.completion) for r in rows)
    ids = np.full((len(rows), width), pad, dtype=np.int64)
    mask = np.zeros((len(rows), width - 1), dtype=np.bool_)
    for i, row in enumerate(rows):
        start, end = len(row.prompt), len(row.prompt) + len(row.completion)
        ids[i, :start] = row.prompt
        ids[i, start:end] = row.completion
        mask[i, start - 1 : end - 1] = True
    return torch.from_numpy(ids), torch.from_numpy(mask)


def score_packed(model: Any, packed: Packed) -> Scored:
    """Score rows that lie end to end; the last layer is computed at the tokens that are needed alone."""
    mask = packed.visible
    if model.config._attn_implementation == "eager":  # which adds the mask to the scores
        dtype = torch.bfloat16 if torch.is_autocast_enabled(mask.device.type) else model.dtype
        mask = torch.zeros(mask.shape, dtype=dtype).masked_fill(~mask, torch.finfo(dtype).min)
    logits = model(
        input_ids=packed.ids,
        position_ids=packed.positions,
        attention_mask=mask,
        use_cache=False,
        logits_to_keep=packed.keep,
    ).logits[0]  # (K, V)
    made = _TokenLogprobs.apply(logits, packed.source, packed.target)  # type: ignore[no-untyped-call]
    logprobs, entropies = made  # (N,), (K,)
    return Scored(
        packed.rows, packed.matrix(logprobs), packed.mask(), logits.detach(), packed.source, entropies
    )


class _TokenLogprobs(torch.autograd.Function):
    """log softmax(``logits`` (K, V))[``source``, ``target``] (N,) and the entropies (K,), in float32.

    A few rows at a time, forward and backward: a matrix of all log-probabilities would be the largest thing
    in a step, made and thrown away several times over.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        norms = logits.new_empty(len(logits), dtype=torch.float32)
        entropies = torch.empty_like(norms)
        for some in _slices(logits):
            own = logits[some].float()
            norms[some] = own.logsumexp(dim=-1)
            scores = own - norms[some, None]
            entropies[some] = -(scores.exp() * scores).sum(dim=-1)
        ctx.save_for_backward(logits, norms, source, target)
        ctx.mark_non_differentiable(entropies)
        return logits[source, target].float() - norms[source], entropies

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        logits, norms, source, target = ctx.saved_tensors
        gradient = gradients[0]
        whole = torch.zeros_like(norms).index_add_(0, source, gradient)
        found = torch.empty_like(logits)
        for some in _slices(logits):
            part = (logits[some].float() - norms[some, None]).exp_().mul_(-whole[some, None])
            (here,) = ((source >= some.start) & (source < some.stop)).nonzero(as_tuple=True)
            at = (source[here] - some.start, target[here])
            found[some] = part.index_put_(at, gradient[here], accumulate=True)
        return found, None, None


def _slices(logits: Tensor) -> list[slice]:
    """Slices of rows that are a few megabytes each."""
    size = max(1, _TOGETHER // logits.shape[1])
    return [slice(at, at + size) for at in range(0, len(logits), size)]
