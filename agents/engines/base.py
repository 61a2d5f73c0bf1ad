"""What an engine is: (policy version, prompts, sampling) in, completions with ids and log-probs out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a request is sampled. ``temperature`` 0 is greedy."""

    max_tokens: int
    temperature: float = 1.0
    stop: str = "\n"


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt and the name of its random stream: the same request gives the same completion."""

    prompt: str
    seed: int


@dataclass(frozen=True, slots=True)
class Completion:
    """What a policy version wrote.

    ``logprobs`` are of the sampled tokens under the distribution that was sampled from, the stop token
    included, so ``len(token_ids) == len(logprobs)``; ``text`` is without the stop token.
    """

    text: str
    token_ids: list[int]
    logprobs: list[float]
    prompt_tokens: int
    policy_version: str
    finish: Literal["stop", "length", "error"]
    failure: str | None = None


class Engine(Protocol):
    """Generates with any policy version that it has loaded.

    Results depend on the requests of the call alone: not on earlier calls, nor on which actor serves it.
    """

    def load(self, policy_version: str, path: Path) -> None:
        """Make a version's weights available; loading it again is free."""

    def generate(
        self, policy_version: str, requests: Sequence[Request], sampling: Sampling
    ) -> list[Completion]:
        """Completions in the order of ``requests``. Raises KeyError for a version not loaded."""
        ...
