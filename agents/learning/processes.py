"""Groups of several processes over ``torch.distributed``: whole copies of a model, or one that is cut up.

Collectives run on gloo where the processes have no GPU and on NCCL where each has its own. All of them give
every process the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from agents.learning.group import Group

_BUCKET = 1 << 24
"""Elements that are summed in one collective: many small ones are slow, a large one is a copy of all."""


class Copies(Group):
    """Each process has the whole model; gradients are summed once a step.

    Wants ``torch.distributed`` to be initialised.
    """

    def __init__(self) -> None:
        self.rank = dist.get_rank()
        self.world = dist.get_world_size()
        self.device = torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")

    def summed(self, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    def totals(self, figures: Sequence[float]) -> list[float]:
        values = torch.tensor(figures, dtype=torch.float64, device=self.device)
        return [float(v) for v in self.summed(values).tolist()]

    def reduce(self, parameters: Sequence[Tensor]) -> None:
        # a weight that no process has used has no gradient, and an optimizer leaves it alone
        used = self.totals([float(p.grad is not None) for p in parameters])
        bucket: list[Tensor] = []
        for parameter, times in zip(parameters, used, strict=True):
            if not times:
                continue
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            if bucket and (
                bucket[0].dtype != parameter.grad.dtype
                or sum(g.numel() for g in bucket) + parameter.grad.numel() > _BUCKET
            ):
                _sum_in_place(bucket)
                bucket = []
            bucket.append(parameter.grad)
        if bucket:
            _sum_in_place(bucket)


def _sum_in_place(gradients: Sequence[Tensor]) -> None:
    flat = torch.cat([g.reshape(-1) for g in gradients])
    dist.all_reduce(flat)
    for gradient, total in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(total.view_as(gradient))


class Shards(Copies):
    """Each process has a share of every weight, of its gradient and of its optimizer state.

    FSDP2 (Zhao et al. 2023, arXiv 2304.11277; ZeRO stage 3, Rajbhandari et al. 2020, arXiv 1910.02054):
    the weights of a layer are put together for as long as it is computed, and its gradients are summed and
    cut up again in every backward pass.
    """

    sharded = True

    def __init__(self) -> None:
        super().__init__()
        self._mesh = init_device_mesh(self.device.type, (self.world,))

    def placed(self, model: Any, device: torch.device) -> Any:
        names = set(model._no_split_modules or ())
        layers = [m for m in model.modules() if type(m).__name__ in names]
        for module in [*layers, model]:
            # the outermost too is cut up again after its forward pass: optimizers hold the shares
            fully_shard(module, mesh=self._mesh, reshard_after_forward=True)
        for module in model.modules():
            if isinstance(module, FSDPModule):
                # the loss is divided by the size of the whole step already, and gloo knows sums alone
                module.set_gradient_divide_factor(1.0)
                module.set_force_sum_reduction_for_comms(True)
        return model

    def reduce(self, parameters: Sequence[Tensor]) -> None:
        """Nothing: the backward passes have done it."""

    def local(self, tensor: Tensor) -> Tensor:
        return tensor.to_local() if isinstance(tensor, DTensor) else tensor

    def number(self, scalar: Tensor) -> float:
        return float(scalar.full_tensor() if isinstance(scalar, DTensor) else scalar)

    def whole(self, state: Mapping[str, Any]) -> Mapping[str, Any]:
        gathered: Mapping[str, Any] = _whole(state, {}, keep=self.rank == 0)
        return gathered

    def cut(self, state: dict[str, Any], parameters: Sequence[Tensor]) -> dict[str, Any]:
        shares = {
            index: {name: _share(value, parameters[index]) for name, value in values.items()}
            for index, values in state["state"].items()
        }
        return {**state, "state": shares}


def _whole(state: Any, made: dict[int, Tensor], *, keep: bool) -> Any:
    """``made`` has what was put together, so that tied weights stay tied."""
    if isinstance(state, DTensor):
        if id(state) not in made:
            full = state.full_tensor().detach()
            made[id(state)] = full.cpu() if keep else full.new_empty(0)
        return made[id(state)]
    if isinstance(state, Mapping):
        return {key: _whole(value, made, keep=keep) for key, value in state.items()}
    return state


def _share(value: Any, parameter: Tensor) -> Any:
    """What of a moment, which has the shape of its parameter, goes with this process's share of that."""
    if (
        not isinstance(value, Tensor)
        or value.shape != parameter.shape
        or not isinstance(parameter, DTensor)
    ):
        return value
    # every process has read the whole file: no rank has to send it
    return distribute_tensor(
        value.to(parameter.device), parameter.device_mesh, parameter.placements, src_data_rank=None
    )
