"""What an engine is: (policy version, prompts, sampling) in, completions with ids and log-probs out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol


class EngineError(RuntimeError):
    """An engine could not answer, in spite of a new start."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How requests are sampled. ``temperature`` 0 is greedy."""

    max_tokens: int
    temperature: float = 1.0
    stop: str = "\n"
    """Text that ends a completion beside the model's own end token; empty where only that does."""


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt and the name of its random stream: the same request gives the same completion."""

    prompt: str
    seed: int
    pattern: str | None = None
    """Regular expression that the whole text has to match, where the engine can hold it to one."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What a policy version wrote.

    ``logprobs`` are of the sampled tokens, the one that ended it included, so ``len(token_ids) ==
    len(logprobs)``; where the text was held to a ``pattern`` they are of what that left to choose from.
    ``text`` is without what ended it. A server may give neither ids nor log-probabilities.
    """

    text: str
    token_ids: list[int]
    logprobs: list[float]
    prompt_tokens: int
    policy_version: str
    finish: Literal["stop", "length", "error"]
    failure: str | None = None
    cached_tokens: int = 0
    """Tokens of the prompt that were not computed again, since another prompt began like it."""
    completion_tokens: int | None = None
    """Tokens written, where a server says how many but not which; None: those in ``token_ids``."""


class Engine(Protocol):
    """Generates with any policy version that it has loaded.

    Results depend on the requests of the call alone: not on earlier calls, nor on which actor serves it.
    """

    def load(self, policy_version: str, path: Path) -> None:
        """Make a version's weights available; loading it again is free."""

    def forget(self, keep: set[str]) -> None:
        """Drop every version not in ``keep``."""

    def generate(
        self, policy_version: str, requests: Sequence[Request], sampling: Sampling
    ) -> list[Completion]:
        """Completions in the order of ``requests``. Raises KeyError for a version not loaded."""
        ...
