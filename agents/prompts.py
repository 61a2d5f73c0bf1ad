"""What models are told beside the problem itself, and what no text of a model may carry to another."""

from __future__ import annotations

from typing import Final

CONTROL_TOKENS: Final = ("<pad>",)
"""Tokens with a meaning to the models of this run; ``culture.quoting`` adds those of common templates."""
