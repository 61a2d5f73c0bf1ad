"""What actors reserve, and what workers tell of themselves."""

from __future__ import annotations

import pytest

from arena.cluster import _gpus
from arena.config import RunConfig
from arena.pools import LocalPool
from arena.run_names import Wrong
from arena.settings import load


def config(engines: int, devices: int, workers: int, learners: int = 1) -> RunConfig:
    base = load("smollm2", [], RunConfig)
    vllm = base.engine.vllm.model_copy(update={"tensor_parallel": devices})
    return base.model_copy(
        update={
            "engine": base.engine.model_copy(update={"vllm": vllm}),
            "learner": base.learner.model_copy(update={"workers": workers}),
            "cluster": base.cluster.model_copy(update={"engines": engines, "learners": learners}),
        }
    )


@pytest.mark.parametrize(
    ("engines", "devices", "workers", "total", "shares"),
    [
        (1, 1, 1, 0, (0.0, 0.0)),
        (1, 1, 1, 2, (1.0, 1.0)),
        (2, 2, 2, 6, (2.0, 0.0)),  # its processes have a GPU each, the learner itself none
        (1, 1, 1, 1, (0.5, 0.5)),
        (2, 1, 1, 2, (0.5, 0.5)),
        (4, 1, 1, 2, (1 / 3, 1 / 3)),
    ],
)
def test_gpus(engines: int, devices: int, workers: int, total: int, shares: tuple[float, float]) -> None:
    assert _gpus(config(engines, devices, workers), total) == shares
    engine, _ = shares
    if 0 < engine < 1:  # a share lies on one GPU
        assert total * int(1 / engine + 1e-9) >= engines + 1


@pytest.mark.parametrize(("engines", "devices", "workers"), [(2, 2, 2), (1, 1, 5), (3, 2, 1)])
def test_too_few_gpus_are_said_before_anyone_waits(engines: int, devices: int, workers: int) -> None:
    with pytest.raises(Wrong, match=r"expected . GPUs"):
        _gpus(config(engines, devices, workers), 5)


def test_notices_are_told_once() -> None:
    class Worker:
        def __init__(self) -> None:
            self.notices: list[str] = []

        def work(self, failing: bool) -> None:
            self.notices.append("it happened")
            if failing:
                raise RuntimeError

    noticed: list[str] = []
    pool = LocalPool(Worker, noticed)
    pool.call("work", False)
    assert noticed == ["it happened"]
    with pytest.raises(RuntimeError):
        pool.call("work", True)
    assert noticed == ["it happened"] * 2
