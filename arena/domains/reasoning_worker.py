"""The caller's side of ``arena.domains.reasoning_process``."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from arena.domains.base import Rejected
from arena.domains.worker_process import WorkerProcess

SCORING_SECONDS: Final = 4.0
"""Longest that an answer may take to be scored, its item included, in seconds of the processor's time."""


class Worker(WorkerProcess):
    """Makes items of generators and scores answers."""

    def __init__(self) -> None:
        super().__init__("arena.domains.reasoning_process", "reasoning-gym")

    def item(self, name: str, levels: dict[str, int], seed: int, seconds: float) -> tuple[str, str]:
        """Question and key, made in at most ``seconds`` of the processor's time. Raises :class:`Rejected`
        where there is none: ``execution:timeout``, ``execution:crash``, ``execution:exception``,
        ``execution:levels``."""
        reply = self.ask({"name": name, "levels": levels, "seed": seed, "seconds": seconds})
        return str(reply["question"]), str(reply["answer"])

    def score(self, name: str, levels: dict[str, int], seed: int, answer: str) -> float:
        """What the scorer of the generator gives for an answer; 0 where it fails or takes longer than
        :data:`SCORING_SECONDS`."""
        asked = {"name": name, "levels": levels, "seed": seed, "seconds": SCORING_SECONDS, "answer": answer}
        try:
            reply = self.ask(asked)
        except Rejected:
            return 0.0
        found = reply["score"]
        assert isinstance(found, float)
        return found


@lru_cache(maxsize=8)
def worker(process: int) -> Worker:
    """The worker of the process with this id: a fork must not talk to the process of its parent."""
    return Worker()
