"""From text to token ids and back, the same for the engine that samples and the learner that trains.

A prompt becomes ids in one place, so what a policy is trained on is what it was shown. The parts of a chat
template are read once with their control tokens; what stands between them is read as plain text, so that a
control token spelled out in a note or a problem is characters like any other.
"""

from __future__ import annotations

import json
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from tokenizers import Tokenizer

from agents import spark

_HOLE, _ANSWER = "\u2063PROMPT\u2063", "\u2063ANSWER\u2063"
"""Stand for the prompt and the answer while the template around them is taken apart."""
_SPACE = "\u2581"
"""How SentencePiece spells a space."""


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

    ``system`` is the system message; None takes what the template says by itself. An answer ends with the
    token that the template ends it with, which need not be the tokenizer's own end token. Raises
    VocabularyError where ``chat`` is asked for and there is no template, or it takes no such messages.
    """

    def __init__(self, tokenizer: Any, *, chat: bool, system: str | None = None) -> None:
        if tokenizer.eos_token_id is None:
            raise VocabularyError(
                f"expected a tokenizer with an end token, got none in {tokenizer.name_or_path}; "
                "add eos_token to its tokenizer_config.json"
            )
        self._tokenizer = tokenizer
        self._marks = _marks(tokenizer)
        self._reader = _reader(tokenizer, self._marks)
        self.control_tokens = tuple(dict.fromkeys(self._marks.values()))
        self.end = int(tokenizer.eos_token_id)
        self._before, self._after = self._around_prompt(system) if chat else (self._start(), [])
        if chat:
            self.end = self._end_of_answer(system)
        self.pad = self.end if tokenizer.pad_token_id is None else int(tokenizer.pad_token_id)

    def prompt(self, text: str) -> list[int]:
        return [*self._before, *self._plain(text), *self._after]

    def completion(self, text: str) -> list[int]:
        return [*self._plain(text), self.end]

    def text(self, ids: list[int]) -> str:
        # an end token that is not special would be spelled out
        return str(self._tokenizer.decode([i for i in ids if i != self.end], skip_special_tokens=True))

    def tokenizer(self) -> Any:
        return self._tokenizer

    def _plain(self, text: str) -> list[int]:
        """Ids of ``text``, none of them a control token's. Raises spark.UnreadableText."""
        ids, found = self._read(text)
        if not found:
            return ids
        # What the vocabulary has as a piece like any other is cut in two: neither half spells it.
        for start, stop in found:
            if stop - start < 2:
                raise spark.UnreadableText(
                    f"expected text without control tokens, got {text[start:stop]!r}, which is one"
                )
        cuts = sorted({(start + stop) // 2 for start, stop in found})
        return [i for start, stop in pairwise([0, *cuts, len(text)]) for i in self._plain(text[start:stop])]

    def _read(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Ids of ``text``, and the spans of characters that were read as control tokens."""
        if self._reader is None:
            ids = self._tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
            spans = [(0, len(text))] * len(ids)  # it does not say which characters a token stands for
        else:
            encoded = self._reader.encode(text, add_special_tokens=False)
            ids, spans = encoded.ids, encoded.offsets
        found = [
            (start, stop)
            for i, (start, stop) in zip(ids, spans, strict=True)
            if i in self._marks and not self._is_unknown(i, text[start:stop])
        ]
        return [int(i) for i in ids], found

    def _is_unknown(self, i: int, text: str) -> bool:
        """Whether ``i`` says that a character is not in the vocabulary, rather than that it was spelled."""
        named = (self.end, self._tokenizer.eos_token_id, self._tokenizer.bos_token_id)
        return i == self._tokenizer.unk_token_id and i not in named and self._marks[i] not in text

    def _start(self) -> list[int]:
        """What the tokenizer puts before plain text."""
        start = self._tokenizer.bos_token_id
        adds = self._tokenizer("a")["input_ids"][:1] == [start]
        return [int(start)] if adds and start is not None else []

    def _around_prompt(self, system: str | None) -> tuple[list[int], list[int]]:
        name = self._tokenizer.name_or_path
        if not self._tokenizer.chat_template:
            raise VocabularyError(
                f"expected a chat template in {name} for the natural form, got "
                "none; write engine.form: terse, which needs none, or take an instruction model"
            )
        try:
            rendered = self._rendered(_asked(system), add_generation_prompt=True)
        except Exception as error:  # a template is a program, which may fail in any way
            what, advice = "a user's message", "mend the template, or write engine.form: terse"
            if system is not None:
                what, advice = "a system message and a user's", "write engine.system: null"
            raise VocabularyError(
                f"expected the chat template of {name} to take {what}, got "
                f"{type(error).__name__}: {' '.join(str(error).split())}; {advice}"
            ) from error
        before, hole, after = rendered.partition(_HOLE)
        if not hole:
            raise VocabularyError(
                f"expected the chat template of {name} to show the user's message, "
                "got a prompt without it; mend the template, or write engine.form: terse"
            )
        return self._marked(before), self._marked(after)

    def _end_of_answer(self, system: str | None) -> int:
        """The token that the template puts after an answer; the tokenizer's where it shows none."""
        try:
            rendered = self._rendered([*_asked(system), {"role": "assistant", "content": _ANSWER}])
        except Exception:  # it takes questions alone
            return self.end
        ids = self._marked(rendered.partition(_ANSWER)[2])
        return ids[0] if ids and ids[0] in self._marks else self.end

    def _rendered(self, messages: list[dict[str, str]], **settings: bool) -> str:
        return str(self._tokenizer.apply_chat_template(messages, tokenize=False, **settings))

    def _marked(self, text: str) -> list[int]:
        return [int(i) for i in self._tokenizer(text, add_special_tokens=False)["input_ids"]]


def _asked(system: str | None) -> list[dict[str, str]]:
    told = [] if system is None else [{"role": "system", "content": system}]
    return [*told, {"role": "user", "content": _HOLE}]


def _marks(tokenizer: Any) -> dict[int, str]:
    """Ids and texts of the control tokens.

    They are the special ones and all others that were added to the vocabulary, such as ``<think>``. White
    space, which some tokenizers add in runs, is text, and so is a single character that is not special.
    """
    added = tokenizer.added_tokens_decoder.items()
    found = {int(i): str(t.content) for i, t in added if t.special or len(t.content) > 1}
    found |= zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True)
    return {i: text for i, text in found.items() if text.replace(_SPACE, " ").strip()}


def _reader(tokenizer: Any, marks: dict[int, str]) -> Tokenizer | None:
    """What reads plain text as ``tokenizer`` does, but for control tokens; None for one in Python."""
    inner = getattr(tokenizer, "backend_tokenizer", None)
    if inner is None:
        return None
    stored = json.loads(inner.to_str())
    for token in stored["added_tokens"]:
        # only special tokens can be told to be read as the characters that they are spelled with
        token["special"] |= token["id"] in marks
    made = Tokenizer.from_str(json.dumps(stored))
    made.encode_special_tokens = True
    made.no_truncation()
    made.no_padding()
    return made


@lru_cache(maxsize=16)
def vocabulary_of(folder: Path, *, chat: bool, system: str | None = None) -> Vocabulary:
    """The vocabulary of the model in ``folder``. Raises VocabularyError."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    if tokenizer.get_vocab() == spark.VOCABULARY:
        return SparkVocabulary()
    return HubVocabulary(tokenizer, chat=chat, system=system)
