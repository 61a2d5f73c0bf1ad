"""Holding completions to a regular expression while they are drawn, for engines that decode themselves."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from agents.vocabulary import Vocabulary


class Matchers:
    """One matcher a row of a batch, none where a row's pattern is. ``size`` is the number of logits.

    Raises ModuleNotFoundError where xgrammar is not installed.
    """

    def __init__(self, vocabulary: Vocabulary, size: int, patterns: Sequence[str | None]) -> None:
        import xgrammar

        self._end = vocabulary.end
        self._xgrammar = xgrammar
        self._matchers = [
            None if p is None else xgrammar.GrammarMatcher(_compiled(vocabulary, size, p)) for p in patterns
        ]
        self._mask = xgrammar.allocate_token_bitmask(len(patterns), size)

    def allowed(self, logits: Tensor, input_ids: Tensor, step: int) -> Tensor:
        """A copy of ``logits`` (B, V), −∞ where the pattern forbids a token, after ``step`` drawn ones."""
        for i, matcher in enumerate(self._matchers):
            if step and matcher is not None and not matcher.is_terminated():
                matcher.accept_token(int(input_ids[i, -1]))
            if matcher is None or matcher.is_terminated():
                self._mask[i] = -1  # every token
            else:
                matcher.fill_next_token_bitmask(self._mask, i)
        masked = logits.clone()
        self._xgrammar.apply_token_bitmask_inplace(masked, self._mask.to(masked.device))
        return masked


@functools.lru_cache(maxsize=32)
def _compiled(vocabulary: Vocabulary, size: int, pattern: str) -> Any:
    import xgrammar

    tokenizer = vocabulary.tokenizer()
    info = xgrammar.TokenizerInfo.from_huggingface(
        tokenizer, vocab_size=size, stop_token_ids=[vocabulary.end]
    )
    with torch.no_grad():
        return xgrammar.GrammarCompiler(info).compile_regex(pattern)
