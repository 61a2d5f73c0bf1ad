"""From text to token ids and back, the same for the engine that samples and the learner that trains.

A prompt becomes ids in one place, so what a policy is trained on is what it was shown. The parts of a chat
template are read once with their control tokens; what stands between them is read as plain text, so that a
control token spelled out in a note or a problem is characters like any other.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from agents import spark

_HOLE = "\u2063PROMPT\u2063"
"""Stands for the prompt while the template around it is taken apart."""


class VocabularyError(ValueError):
    """A tokenizer cannot be used in the way that is asked for."""


class Vocabulary(Protocol):
    """A policy's tokens."""

    end: int
    """Id of the token that ends a completion."""
    pad: int
    """Id that fills up shorter rows; masked wherever it stands."""
    control_tokens: tuple[str, ...]
    """Texts of tokens with a meaning of their own, which no note may carry."""

    def prompt(self, text: str) -> list[int]:
        """Ids of a prompt, with the template around it. Raises spark.UnreadableText."""
        ...

    def completion(self, text: str) -> list[int]:
        """Ids of a whole completion, with the end token. Raises spark.UnreadableText."""
        ...

    def text(self, ids: list[int]) -> str:
        """The text of ids, tokens with a meaning of their own left out."""
        ...

    def tokenizer(self) -> Any:
        """The same as a Hugging Face tokenizer."""
        ...

    def __hash__(self) -> int: ...


class SparkVocabulary:
    """Characters; see :mod:`agents.spark`."""

    end = spark.EOS_ID
    pad = spark.PAD_ID
    control_tokens: tuple[str, ...] = (spark.PAD,)

    def prompt(self, text: str) -> list[int]:
        return spark.encode(text)

    def completion(self, text: str) -> list[int]:
        return spark.encode(text + spark.EOS)

    def text(self, ids: list[int]) -> str:
        return spark.decode(ids[:-1] if ids[-1:] == [spark.EOS_ID] else ids)

    def tokenizer(self) -> Any:
        return spark.tokenizer()


class HubVocabulary:
    """A Hugging Face tokenizer: the chat template around a prompt, or the plain text.

    ``system`` is the system message; None takes what the template says by itself. Raises VocabularyError
    where ``chat`` is asked for and there is no template.
    """

    def __init__(self, tokenizer: Any, *, chat: bool, system: str | None = None) -> None:
        if tokenizer.eos_token_id is None:
            raise VocabularyError(
                f"expected a tokenizer with an end token, got none in {tokenizer.name_or_path}; "
                "add eos_token to its tokenizer_config.json"
            )
        self._tokenizer = tokenizer
        self.end = int(tokenizer.eos_token_id)
        self.pad = self.end if tokenizer.pad_token_id is None else int(tokenizer.pad_token_id)
        self.control_tokens = tuple(t for t in tokenizer.all_special_tokens if t.strip())
        self._before, self._after = self._around(chat, system)

    def prompt(self, text: str) -> list[int]:
        return [*self._before, *self._plain(text), *self._after]

    def completion(self, text: str) -> list[int]:
        return [*self._plain(text), self.end]

    def text(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))

    def tokenizer(self) -> Any:
        return self._tokenizer

    def _plain(self, text: str) -> list[int]:
        ids = self._tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return [int(i) for i in ids]

    def _around(self, chat: bool, system: str | None) -> tuple[list[int], list[int]]:
        if not chat:
            start = self._tokenizer.bos_token_id
            adds = self._tokenizer("a")["input_ids"][:1] == [start]
            return ([int(start)] if adds and start is not None else []), []
        if not self._tokenizer.chat_template:
            raise VocabularyError(
                f"expected a chat template in {self._tokenizer.name_or_path} for the natural form, got "
                "none; write engine.form: terse, which needs none, or take an instruction model"
            )
        messages = [{"role": "user", "content": _HOLE}]
        if system is not None:
            messages.insert(0, {"role": "system", "content": system})
        rendered = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        before, hole, after = str(rendered).partition(_HOLE)
        if not hole:
            raise VocabularyError(
                f"expected the chat template of {self._tokenizer.name_or_path} to show the user's message, "
                "got a prompt without it; mend the template, or write engine.form: terse"
            )
        return self._marked(before), self._marked(after)

    def _marked(self, text: str) -> list[int]:
        return [int(i) for i in self._tokenizer(text, add_special_tokens=False)["input_ids"]]


@lru_cache(maxsize=16)
def vocabulary_of(folder: Path, *, chat: bool, system: str | None = None) -> Vocabulary:
    """The vocabulary of the model in ``folder``. Raises VocabularyError."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    if tokenizer.get_vocab() == spark.VOCABULARY:
        return SparkVocabulary()
    return HubVocabulary(tokenizer, chat=chat, system=system)
