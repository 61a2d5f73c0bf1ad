"""The engine for very small Llama models: batched decoding with a key-value cache, in plain torch.

At a million parameters the time goes into launching operations, not into arithmetic, so the weights are
fused ahead of time (norm scales and the attention scale are folded into one projection), a step has as
few operations as it can, and rows that have finished leave the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import LlamaForCausalLM

from agents.engines.base import Completion, Request, Sampling
from agents.spark import CONTEXT, EOS, PAD_ID, UnreadableText, decode, encode

_KEEP = 0.85
"""The batch is compacted once fewer than this share of its rows is unfinished."""


class _Weights:
    """A Llama's weights, fused for decoding.

    Shapes: H heads of D, width W = H·D, I the inner width, V the vocabulary. Rows of the query and key
    projections are reordered so that a rotary pair is adjacent: a rotation is then one complex product.
    """

    def __init__(self, model: LlamaForCausalLM) -> None:
        c = model.config
        if c.num_key_value_heads != c.num_attention_heads:
            raise ValueError(
                "expected as many key-value heads as attention heads (the spark engine has no "
                f"grouped-query attention), got {c.num_key_value_heads} and {c.num_attention_heads}"
            )
        self.heads = int(c.num_attention_heads or 0)
        self.head_dim = int(c.hidden_size) // self.heads
        self.layers = int(c.num_hidden_layers)
        self.eps = float(c.rms_norm_eps)
        self.embed = model.model.embed_tokens.weight.detach().clone()  # (V, W)
        self.project: list[Tensor] = []  # (W, 3W): q, k, v
        self.out: list[Tensor] = []  # (W, W)
        self.gate_up: list[Tensor] = []  # (W, 2I)
        self.down: list[Tensor] = []  # (I, W)
        scale = self.head_dim**-0.5
        for layer in model.model.layers:
            norm = layer.input_layernorm.weight.detach()
            q = self._paired(layer.self_attn.q_proj.weight.detach() * scale)
            k = self._paired(layer.self_attn.k_proj.weight.detach())
            v = layer.self_attn.v_proj.weight.detach()
            self.project.append((torch.cat([q, k, v]) * norm).t().contiguous())
            self.out.append(layer.self_attn.o_proj.weight.detach().t().contiguous())
            norm = layer.post_attention_layernorm.weight.detach()
            both = torch.cat([layer.mlp.gate_proj.weight.detach(), layer.mlp.up_proj.weight.detach()])
            self.gate_up.append((both * norm).t().contiguous())
            self.down.append(layer.mlp.down_proj.weight.detach().t().contiguous())
        self.head = (model.lm_head.weight.detach() * model.model.norm.weight.detach()).t().contiguous()
        with torch.no_grad():
            cos, sin = model.model.rotary_emb(self.embed[None, :1], torch.arange(CONTEXT)[None])
        half = self.head_dim // 2
        self.turn = torch.complex(cos[0, :, :half], sin[0, :, :half]).detach()  # (T, D/2)

    def _paired(self, weight: Tensor) -> Tensor:
        """Rows (W, W) with dimension i of each head next to dimension i + D/2."""
        heads = weight.view(self.heads, 2, self.head_dim // 2, -1)
        return heads.transpose(1, 2).reshape(weight.shape)

    def normed(self, x: Tensor) -> Tensor:
        """RMS norm over the last dimension, its learned scale left to the next product."""
        size = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        scale: Tensor = (size * size / x.shape[-1] + self.eps).rsqrt_()
        return x * scale


def uniforms(seeds: np.ndarray, step: int) -> Tensor:
    """One uniform in [0, 1) for every row's stream at ``step``: a counter hash (splitmix64).

    ``seeds`` (B,) uint64; returns (B,) float32. Row i's numbers depend on its seed and the step alone.
    """
    with np.errstate(over="ignore"):
        z = seeds + np.uint64(0x9E3779B97F4A7C15) * np.uint64(step + 1)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return torch.from_numpy(((z >> np.uint64(40)).astype(np.float32)) / np.float32(1 << 24))


class SparkEngine:
    """Batched sampling from Llama models of a few million parameters on the CPU.

    ``batch_size`` rows are decoded together; ``threads`` is torch's intra-op parallelism, part of the
    configuration since sums may round differently with another number of threads.
    """

    def __init__(self, *, batch_size: int = 256, threads: int = 1) -> None:
        self.batch_size = batch_size
        self.threads = threads
        self._weights: dict[str, _Weights] = {}

    def load(self, policy_version: str, path: Path) -> None:
        if policy_version not in self._weights:
            self.load_model(policy_version, LlamaForCausalLM.from_pretrained(path, dtype=torch.float32))

    def load_model(self, policy_version: str, model: LlamaForCausalLM) -> None:
        """Take the weights of a model in memory."""
        self._weights[policy_version] = _Weights(model)

    def forget(self, keep: set[str]) -> None:
        """Drop every version not in ``keep``."""
        self._weights = {v: w for v, w in self._weights.items() if v in keep}

    def generate(
        self, policy_version: str, requests: Sequence[Request], sampling: Sampling
    ) -> list[Completion]:
        if sampling.stop != EOS:
            raise ValueError(f"expected the stop string {EOS!r} (spark's end token), got {sampling.stop!r}")
        if policy_version not in self._weights:
            raise KeyError(f"expected a loaded policy version, got {policy_version!r}; call load() first")
        weights = self._weights[policy_version]
        done: list[Completion | None] = [None] * len(requests)
        encoded: list[tuple[int, list[int]]] = []
        for i, request in enumerate(requests):
            try:
                ids = encode(request.prompt)
                if not 0 < len(ids) <= CONTEXT - sampling.max_tokens:
                    raise UnreadableText(
                        f"expected 1 to {CONTEXT - sampling.max_tokens} prompt characters, got {len(ids)}"
                    )
                encoded.append((i, ids))
            except UnreadableText as error:
                done[i] = Completion("", [], [], 0, policy_version, "error", str(error))
        encoded.sort(key=lambda pair: (len(pair[1]), pair[0]))
        torch.set_num_threads(self.threads)
        with torch.inference_mode():
            for start in range(0, len(encoded), self.batch_size):
                chunk = encoded[start : start + self.batch_size]
                seeds = np.array([requests[i].seed for i, _ in chunk], dtype=np.uint64)
                rows = _decode_batch(weights, [ids for _, ids in chunk], seeds, sampling)
                for (i, ids), (tokens, logprobs) in zip(chunk, rows, strict=True):
                    stopped = bool(tokens) and tokens[-1] == EOS_TOKEN
                    done[i] = Completion(
                        decode(tokens[:-1] if stopped else tokens),
                        tokens,
                        logprobs,
                        len(ids),
                        policy_version,
                        "stop" if stopped else "length",
                    )
        return [c for c in done if c is not None]


EOS_TOKEN = encode(EOS)[0]


def _decode_batch(
    w: _Weights, prompts: list[list[int]], seeds: np.ndarray, sampling: Sampling
) -> list[tuple[list[int], list[float]]]:
    """Sample for B prompts together; returns B pairs of token ids and their log-probabilities."""
    n, h = len(prompts), w.heads
    longest = max(len(p) for p in prompts)
    total = longest + sampling.max_tokens
    # left-padded, so that all rows write the same slot; rotary attention sees only distances
    ids = torch.tensor([[PAD_ID] * (longest - len(p)) + p for p in prompts])
    hidden = torch.zeros(n, 1, total).masked_fill_(
        torch.arange(total) < torch.tensor([[[longest - len(p)]] for p in prompts]), -1e30
    )  # (B, 1, T), added to attention scores
    # keys and values, (B, H, T, D) a layer
    keys = [torch.empty(n, h, total, w.head_dim) for _ in range(w.layers)]
    values = [torch.empty(n, h, total, w.head_dim) for _ in range(w.layers)]

    # attempts at one problem share their prompt: each distinct one is run once
    distinct = {tuple(p): i for i, p in reversed(list(enumerate(prompts)))}
    at = {p: j for j, p in enumerate(distinct)}
    first = torch.tensor(list(distinct.values()))
    which = torch.tensor([at[tuple(p)] for p in prompts])
    logits = _prefill(w, ids[first], hidden[first], which, keys, values)
    tokens = torch.full((n, sampling.max_tokens), PAD_ID)
    logprobs = torch.zeros(n, sampling.max_tokens)
    alive = torch.arange(n)
    running = torch.ones(n, dtype=torch.bool)
    bias = _by_head(hidden, h)
    for step in range(sampling.max_tokens):
        chosen, chosen_logprob = _choose(logits, sampling.temperature, seeds, step)
        tokens[alive, step] = chosen
        logprobs[alive, step] = chosen_logprob
        running &= chosen != EOS_TOKEN  # a row that has ended goes on sampling until it leaves
        remaining = int(running.sum())
        if remaining == 0 or step + 1 == sampling.max_tokens:
            break
        if remaining < _KEEP * len(alive):
            keep = running.nonzero().squeeze(1)
            alive, chosen, hidden, seeds = alive[keep], chosen[keep], hidden[keep], seeds[keep.numpy()]
            running = running[keep]
            bias = _by_head(hidden, h)
            keys = [k[keep] for k in keys]
            values = [v[keep] for v in values]
        logits = _step(w, chosen, longest + step, keys, values, bias)
    return _cut(tokens.tolist(), logprobs.tolist())


def _by_head(hidden: Tensor, heads: int) -> Tensor:
    """(B, 1, T) to (B·H, 1, T)."""
    return hidden.repeat_interleave(heads, dim=0)


def _cut(tokens: list[list[int]], logprobs: list[list[float]]) -> list[tuple[list[int], list[float]]]:
    """Rows up to and with their first end token; a compacted batch may have sampled beyond it."""
    cut = []
    for row, scores in zip(tokens, logprobs, strict=True):
        end = row.index(EOS_TOKEN) + 1 if EOS_TOKEN in row else len(row)
        cut.append((row[:end], scores[:end]))
    return cut


def _qkv(w: _Weights, layer: int, x: Tensor, turn: Tensor) -> Tensor:
    """Rotated queries and keys, and values: (..., W) to (..., 3H, D). ``turn`` broadcasts over heads."""
    h, d = w.heads, w.head_dim
    y = (w.normed(x) @ w.project[layer]).view(*x.shape[:-1], 3 * h, d // 2, 2)
    turned = torch.view_as_complex(y[..., : 2 * h, :, :])
    turned.mul_(turn)
    return y.view(*x.shape[:-1], 3 * h, d)


def _finish(w: _Weights, layer: int, x: Tensor, attended: Tensor) -> Tensor:
    """The rest of a layer, both (N, W): output projection, residuals and the gated feed-forward."""
    x = torch.addmm(x, attended, w.out[layer])
    gate, up = (w.normed(x) @ w.gate_up[layer]).chunk(2, dim=-1)
    return torch.addmm(x, F.silu(gate).mul_(up), w.down[layer])


def _prefill(
    w: _Weights, ids: Tensor, hidden: Tensor, which: Tensor, keys: list[Tensor], values: list[Tensor]
) -> Tensor:
    """Run distinct prompts (U, P), fill the cache of B rows, and return the logits after each (B, V).

    ``which`` (B,) is the prompt of each row.
    """
    n, p = ids.shape
    h, width = w.heads, w.heads * w.head_dim
    x = w.embed[ids].view(n * p, width)
    later = torch.full((p, p), -1e30).triu_(1)
    mask = (hidden[:, :, :p] + later)[:, None]  # (B, 1, P, P)
    turn = w.turn[:p].repeat(n, 1)[:, None]  # (B·P, 1, D/2)
    for layer in range(w.layers):
        qkv = _qkv(w, layer, x, turn).view(n, p, 3 * h, w.head_dim).transpose(1, 2)
        q, k, v = qkv.split(h, dim=1)  # (B, H, P, D)
        keys[layer][:, :, :p] = k[which]
        values[layer][:, :, :p] = v[which]
        a = F.scaled_dot_product_attention(q, k, v, mask, scale=1.0)
        x = _finish(w, layer, x, a.transpose(1, 2).reshape(n * p, width))
    logits: Tensor = w.normed(x.view(n, p, width)[:, -1]) @ w.head
    return logits[which]


def _step(
    w: _Weights, token: Tensor, slot: int, keys: list[Tensor], values: list[Tensor], bias: Tensor
) -> Tensor:
    """One token for each of B rows, written at cache ``slot``; returns logits (B, V)."""
    n = len(token)
    h, d = w.heads, w.head_dim
    x = w.embed[token]  # (B, W)
    turn = w.turn[slot]
    reach = slot + 1
    bias = bias[:, :, :reach]
    for layer in range(w.layers):
        qkv = _qkv(w, layer, x, turn)
        keys[layer][:, :, slot] = qkv[:, h : 2 * h]
        values[layer][:, :, slot] = qkv[:, 2 * h :]
        q = qkv[:, :h].reshape(n * h, 1, d)
        k = keys[layer].view(n * h, -1, d)[:, :reach]
        v = values[layer].view(n * h, -1, d)[:, :reach]
        attention = torch.baddbmm(bias, q, k.transpose(1, 2)).softmax(dim=-1)
        x = _finish(w, layer, x, torch.bmm(attention, v).view(n, h * d))
    logits: Tensor = w.normed(x) @ w.head
    return logits


def _choose(logits: Tensor, temperature: float, seeds: np.ndarray, step: int) -> tuple[Tensor, Tensor]:
    """A token for each row (B,) and its log-probability (B,) under the distribution sampled from."""
    if temperature == 0.0:
        scores = torch.log_softmax(logits, dim=-1)
        best, chosen = scores.max(dim=-1)
        return chosen, best
    scores = torch.log_softmax(logits if temperature == 1.0 else logits / temperature, dim=-1)
    cumulative = scores.exp().cumsum(dim=-1)
    # scaled by the row's own total so that rounding can never leave the last token unreachable
    threshold = uniforms(seeds, step)[:, None] * cumulative[:, -1:]
    chosen = (cumulative <= threshold).sum(dim=-1).clamp_(max=logits.shape[-1] - 1)
    return chosen, scores.gather(1, chosen[:, None]).squeeze(1)
