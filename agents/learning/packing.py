"""Training rows laid end to end: no padding, and a prompt that several completions share computed once.

A *tree* is a prompt with its completions behind it; trees lie one after the other in one row of tokens. A
mask lets each token see the tokens before it of its own prompt and completion alone, and positions count
within those, so every log-probability is the one that prompt and completion would have by themselves (the
tree attention of speculative decoding, Miao et al. 2024, arXiv 2305.09781, put to training).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Tokens:
    """One training row as ids; ``row`` is its place among the rows that were given."""

    row: int
    prompt: tuple[int, ...]
    completion: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Packed:
    """R rows in L tokens, N of which are completion tokens.

    ``keep`` (K,) are the positions whose logits are needed; completion token n is predicted from
    ``keep[source[n]]``, is ``target[n]``, and belongs at ``[place[n], time[n]]`` of an (R, T) matrix.
    """

    rows: list[int]
    """What was packed, by ``Tokens.row``; index i of it is row i of the matrices."""
    ids: Tensor  # (1, L) int64
    positions: Tensor  # (1, L) int64
    visible: Tensor  # (1, 1, L, L) bool
    keep: Tensor  # (K,) int64
    source: Tensor  # (N,) int64
    target: Tensor  # (N,) int64
    place: Tensor  # (N,) int64
    time: Tensor  # (N,) int64
    lengths: Tensor  # (R,) int64, completion tokens of each row

    def to(self, device: torch.device) -> Packed:
        """The same on another device."""
        tensors = {
            name: getattr(self, name).to(device)
            for name in (
                "ids",
                "positions",
                "visible",
                "keep",
                "source",
                "target",
                "place",
                "time",
                "lengths",
            )
        }
        return Packed(rows=self.rows, **tensors)

    def matrix(self, values: Tensor) -> Tensor:
        """(N,) as (R, T), zeros where a row has ended. Gradients flow."""
        filled = values.new_zeros(len(self.rows), int(self.lengths.max()))
        return filled.index_put((self.place, self.time), values)

    def mask(self) -> Tensor:
        """(R, T) True at completion tokens."""
        steps = torch.arange(int(self.lengths.max()), device=self.lengths.device)
        return steps[None] < self.lengths[:, None]


def micro_batches(
    rows: Sequence[Tokens], budget: int, *, share: bool = True
) -> Iterator[list[list[Tokens]]]:
    """Trees (rows of one prompt) in bins of at most ``budget`` tokens each; a longer row has its own.

    Rows that share a prompt lie in one tree as far as they fit; ``share`` False makes each a tree. First
    fit in decreasing order of size, which wastes at most 2/9 of the bins (Johnson 1973) and in practice few
    per cent; what is equal keeps the order of ``rows``.
    """
    trees: list[list[Tokens]] = []
    open_: dict[tuple[int, ...], list[Tokens]] = {}
    for row in rows:
        tree = open_.get(row.prompt) if share else None
        if tree is not None and _size(tree) + len(row.completion) <= budget:
            tree.append(row)
            continue
        trees.append([row])
        open_[row.prompt] = trees[-1]
    bins: list[list[list[Tokens]]] = []
    room: list[int] = []
    for tree in sorted(trees, key=lambda t: (-_size(t), t[0].row)):
        size = _size(tree)
        at = next((i for i, left in enumerate(room) if left >= size), None)
        if at is None:
            bins.append([tree])
            room.append(max(0, budget - size))
        else:
            bins[at].append(tree)
            room[at] -= size
    yield from bins


def _size(tree: Sequence[Tokens]) -> int:
    return len(tree[0].prompt) + sum(len(row.completion) for row in tree)


def pack(trees: Sequence[Sequence[Tokens]]) -> Packed:
    """Lay ``trees`` end to end. Every prompt and completion has a token at least."""
    ids: list[int] = []
    positions: list[int] = []
    tree_of: list[int] = []
    branch_of: list[int] = []  # 0 is the prompt
    keep: list[int] = []
    source: list[int] = []
    target: list[int] = []
    place: list[int] = []
    time: list[int] = []
    rows: list[int] = []
    lengths: list[int] = []
    for number, tree in enumerate(trees):
        prompt = tree[0].prompt
        ids += prompt
        positions += range(len(prompt))
        tree_of += [number] * len(prompt)
        branch_of += [0] * len(prompt)
        last = len(ids) - 1
        first_keep = len(keep)
        keep.append(last)
        for branch, row in enumerate(tree, start=1):
            n, start = len(row.completion), len(ids)
            ids += row.completion
            positions += range(len(prompt), len(prompt) + n)
            tree_of += [number] * n
            branch_of += [branch] * n
            # the prompt's last token predicts the first of every completion
            source.append(first_keep)
            source += range(len(keep), len(keep) + n - 1)
            keep += range(start, start + n - 1)
            target += row.completion
            place += [len(rows)] * n
            time += range(n)
            rows.append(row.row)
            lengths.append(n)
    tree_at, branch_at = np.array(tree_of), np.array(branch_of)
    before = np.tri(len(ids), dtype=bool)
    same = tree_at[:, None] == tree_at[None]
    along = (branch_at[None] == 0) | (branch_at[:, None] == branch_at[None])
    return Packed(
        rows,
        torch.tensor([ids]),
        torch.tensor([positions]),
        torch.from_numpy(before & same & along)[None, None],
        torch.tensor(keep),
        torch.tensor(source),
        torch.tensor(target),
        torch.tensor(place),
        torch.tensor(time),
        torch.tensor(lengths),
    )
