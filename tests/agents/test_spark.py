"""spark: its vocabulary, its tokenizer, and its folder in Hugging Face format."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from agents import spark

READABLE = st.text(alphabet=spark.CHARACTERS, max_size=80)
TOKENIZER = spark.tokenizer()


@given(READABLE)
def test_decode_inverts_encode(text: str) -> None:
    assert spark.decode(spark.encode(text)) == text


@given(READABLE)
def test_the_tokenizer_encodes_alike(text: str) -> None:
    assert TOKENIZER(text, add_special_tokens=False)["input_ids"] == spark.encode(text)


@given(READABLE)
def test_the_tokenizer_decodes_alike(text: str) -> None:
    assert TOKENIZER.decode(spark.encode(text)) == text


def test_all_printable_ascii_is_readable_and_ids_are_distinct() -> None:
    printable = [chr(i) for i in range(32, 127)]
    ids = spark.encode("".join(printable) + "\n")
    assert len(set(ids)) == 96
    assert spark.PAD_ID not in ids
    assert set(spark.CHARACTERS) == {*string.printable.strip(), " ", "\n"}


@pytest.mark.parametrize("text", ["é", "a\tb", "1\x00", "數", "\r", "<pad>\u200b"])
def test_unreadable_text_says_which_character(text: str) -> None:
    bad = next(c for c in text if c not in spark.CHARACTERS)
    with pytest.raises(spark.UnreadableText, match="expected printable ASCII") as caught:
        spark.encode(text)
    assert repr(bad) in str(caught.value)


def test_the_pad_token_written_out_is_five_characters() -> None:
    assert len(spark.encode("<pad>")) == 5
    assert TOKENIZER.pad_token_id == spark.PAD_ID


def test_padding_is_left_out_of_text() -> None:
    assert spark.decode([spark.PAD_ID, *spark.encode("ab"), spark.PAD_ID]) == "ab"


def test_a_model_is_a_function_of_its_seed_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (spark.new_model(s, layers=1, width=16, heads=2) for s in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    states = [m.state_dict() for m in (one, same, other)]
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])
    assert not all(torch.equal(states[0][k], states[2][k]) for k in states[0])


def test_the_base_of_the_rotary_wavelengths_is_the_model_s(tmp_path: Path) -> None:
    one, other = (spark.new_model(0, layers=1, width=16, heads=2, rope_theta=t) for t in (100.0, 10_000.0))
    ids = torch.tensor([spark.encode("abcdefgh" * 8)])
    with torch.inference_mode():
        assert not torch.allclose(one(ids).logits, other(ids).logits)
    spark.save(other.eval(), tmp_path / "spark")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "spark", dtype=torch.float32).eval()
    with torch.inference_mode():
        assert torch.equal(loaded(ids).logits, other(ids).logits)


def test_a_saved_model_loads_with_transformers_alone(tmp_path: Path) -> None:
    model = spark.new_model(3, layers=2, width=32, heads=2).eval()
    spark.save(model, tmp_path / "spark")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "spark", dtype=torch.float32).eval()
    ids = torch.tensor([spark.encode("r:abc=")])
    with torch.inference_mode():
        assert torch.equal(loaded(ids).logits, model(ids).logits)
    assert loaded.config.eos_token_id == spark.EOS_ID
    assert loaded.config.pad_token_id == spark.PAD_ID
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "spark")
    assert tokenizer("r: ab\n", add_special_tokens=False)["input_ids"] == spark.encode("r: ab\n")
