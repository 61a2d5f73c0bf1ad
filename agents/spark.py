"""``spark``: a character-level Llama of about a million parameters, in Hugging Face format.

Small enough that a run makes it and warms it up itself, on a CPU, in well under a minute, and real
enough that every engine loads it: ``config.json``, ``model.safetensors`` and a tokenizer whose tokens
are single characters. The newline ends a completion.
"""

from __future__ import annotations

import string
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging as hf_logging

from agents.config import SPARK_CONTEXT

hf_logging.disable_progress_bar()  # a bar a version would bury the run's own

PAD, EOS = "<pad>", "\n"
CHARACTERS = EOS + string.printable.strip() + " "
"""Every character that spark can read and write; all printable ASCII."""
VOCABULARY = {token: i for i, token in enumerate([PAD, *CHARACTERS])}
PAD_ID, EOS_ID = VOCABULARY[PAD], VOCABULARY[EOS]
CONTEXT = SPARK_CONTEXT
"""Longest prompt and completion together, tokens."""


class UnreadableText(ValueError):
    """A text holds characters that are not in the vocabulary."""


def encode(text: str) -> list[int]:
    """Token ids of ``text``. Raises UnreadableText for a character outside the vocabulary."""
    try:
        return [VOCABULARY[c] for c in text]
    except KeyError as missing:
        raise UnreadableText(f"expected printable ASCII, got {missing.args[0]!r}") from None


def decode(ids: list[int]) -> str:
    """The text of token ids, padding left out."""
    return "".join(_TOKENS[i] for i in ids if i != PAD_ID)


_TOKENS = [PAD, *CHARACTERS]


def tokenizer() -> PreTrainedTokenizerFast:
    """The same vocabulary as a Hugging Face tokenizer."""
    inner = Tokenizer(models.WordLevel(vocab=VOCABULARY, unk_token=PAD))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex("[\\s\\S]"), "isolated")
    inner.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token=PAD,
        eos_token=EOS,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
        split_special_tokens=True,  # "<pad>" in a text is five characters like any other
    )


def new_model(
    seed: int, *, layers: int, width: int, heads: int, rope_theta: float = 100.0
) -> LlamaForCausalLM:
    """A freshly initialised model. The global torch generator is left as it was.

    The usual ``rope_theta`` of 10,000 spends most of the wavelengths on distances beyond the context.
    """
    config = LlamaConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": rope_theta},
        tie_word_embeddings=False,
        pad_token_id=PAD_ID,
        bos_token_id=None,
        eos_token_id=EOS_ID,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


def save(model: LlamaForCausalLM, folder: Path) -> None:
    """Write weights, configuration and tokenizer, as ``from_pretrained`` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
