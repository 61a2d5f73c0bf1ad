"""A tiny model with a subword tokenizer and a chat template, made on the spot."""

from __future__ import annotations

import string
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

TEMPLATE = (
    "{% for message in messages %}"
    "<|start|>{{ message['role'] }}\n{{ message['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)


def tokenizer(*, template: str | None = TEMPLATE) -> PreTrainedTokenizerFast:
    """Characters, the word ``answer`` as one token, and control tokens."""
    tokens = ["<|start|>", "<|end|>", "<|pad|>", *string.printable, "answer"]
    inner = Tokenizer(
        models.BPE(
            vocab={t: i for i, t in enumerate(dict.fromkeys([*tokens, "an", "sw", "ans"]))},
            merges=[],
            fuse_unk=False,
        )
    )
    inner.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    inner.decoder = decoders.Fuse()
    made = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token="<|end|>",
        pad_token="<|pad|>",
        additional_special_tokens=["<|start|>"],
        clean_up_tokenization_spaces=False,
    )
    made.chat_template = template
    return made


def save(folder: Path, *, seed: int = 0, template: str | None = TEMPLATE) -> Path:
    """A grouped-query Llama of two layers in Hugging Face format; returns ``folder``."""
    tokens = tokenizer(template=template)
    config = LlamaConfig(
        vocab_size=len(tokens),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        pad_token_id=tokens.pad_token_id,
        eos_token_id=tokens.eos_token_id,
        bos_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
        for weight in model.parameters():
            weight.data.mul_(4.0)  # far from uniform, so that log-probabilities tell models apart
    model.save_pretrained(folder)
    tokens.save_pretrained(folder)
    return folder
