"""The processes that train one policy together, as the learner sees them.

Each takes its share of the passes of an optimizer step; what the passes add up to is summed over all, so
every process takes the same decisions. One process by itself is a group too, :data:`ALONE`, and changes
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


class Group:
    """A group of one. Methods other than ``placed`` and ``local`` wait for all processes of larger ones."""

    rank = 0
    """Which process this is."""
    world = 1
    """How many there are, in processes."""
    sharded = False
    """Whether weights, gradients and optimizer state are cut over the processes. Then every forward and
    backward pass takes all of them, each with rows of its own."""

    def placed(self, model: Any, device: torch.device) -> Any:
        """``model``, which every process has whole on the CPU, as it is trained: on ``device``."""
        return model.to(device)

    def summed(self, value: Tensor) -> Tensor:
        """``value`` summed over the processes."""
        return value

    def totals(self, figures: Sequence[float]) -> list[float]:
        """Numbers summed over the processes, each for itself."""
        return list(figures)

    def reduce(self, parameters: Sequence[Tensor]) -> None:
        """Leave each parameter with the sum of the gradients that the processes have for it."""

    def local(self, tensor: Tensor) -> Tensor:
        """The part of a weight that this process holds."""
        return tensor

    def number(self, scalar: Tensor) -> float:
        """A number that was computed from weights or gradients."""
        return float(scalar)

    def whole(self, state: Mapping[str, Any]) -> Mapping[str, Any]:
        """A state dict with its tensors whole; of larger groups the first process alone gets them."""
        return state

    def cut(self, state: dict[str, Any], parameters: Sequence[Tensor]) -> dict[str, Any]:
        """A whole state dict of an optimizer over ``parameters``, cut as they are."""
        return state


ALONE = Group()


def dealt(costs: Sequence[int], hands: int) -> list[list[int]]:
    """Indices of ``costs`` in ``hands`` hands of like sum, whose sizes differ by one at most.

    The dearest first, to and fro, so what lies at one place of all hands costs about the same.
    """
    found: list[list[int]] = [[] for _ in range(hands)]
    order = sorted(range(len(costs)), key=lambda i: (-costs[i], i))
    for turn, i in enumerate(order):
        lap, seat = divmod(turn, hands)
        found[hands - 1 - seat if lap % 2 else seat].append(i)
    return found
