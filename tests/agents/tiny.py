"""A tiny model with a subword tokenizer and a chat template, made on the spot."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Literal

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    PretrainedConfig,
    PreTrainedTokenizerFast,
)

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


Family = Literal["llama", "gpt2", "mistral"]


def save(folder: Path, *, seed: int = 0, template: str | None = TEMPLATE, family: Family = "llama") -> Path:
    """A model of two layers in Hugging Face format; returns ``folder``.

    ``llama`` has grouped queries, ``gpt2`` transposed weights and dropout, ``mistral`` sees 3 tokens back.
    """
    tokens = tokenizer(template=template)
    ids = {"pad_token_id": tokens.pad_token_id, "eos_token_id": tokens.eos_token_id, "bos_token_id": None}
    sizes = {
        "vocab_size": len(tokens),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
    }
    wide = {"intermediate_size": 64, "num_key_value_heads": 2}
    config: PretrainedConfig
    match family:
        case "llama":
            config = LlamaConfig(**sizes, **wide, **ids)
        case "mistral":
            config = MistralConfig(**sizes, **wide, **ids, sliding_window=3)
        case "gpt2":
            config = GPT2Config(**sizes, **ids)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config)
        for weight in model.parameters():
            weight.data.mul_(4.0)  # far from uniform, so that log-probabilities tell models apart
    model.save_pretrained(folder)
    tokens.save_pretrained(folder)
    return folder
