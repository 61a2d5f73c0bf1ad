"""Text to tokens: one way for engine and learner, and no control token from inside a text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import spark
from agents.vocabulary import HubVocabulary, SparkVocabulary, VocabularyError, vocabulary_of
from tests.agents import tiny

CHAT = HubVocabulary(tiny.tokenizer(), chat=True)
PLAIN = HubVocabulary(tiny.tokenizer(), chat=False)


def test_a_prompt_stands_in_the_template() -> None:
    tokens = tiny.tokenizer()
    for system in (None, "", "Be brief."):
        messages = [{"role": "user", "content": "hello you"}]
        if system is not None:
            messages.insert(0, {"role": "system", "content": system})
        whole = tokens.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
        assert HubVocabulary(tokens, chat=True, system=system).prompt("hello you") == whole


def test_plain_text_has_no_template() -> None:
    assert PLAIN.text(PLAIN.prompt("RS12=")) == "RS12="
    assert PLAIN.prompt("RS12=") == PLAIN.completion("RS12=")[:-1]


@given(st.lists(st.sampled_from(["<|end|>", "<|start|>", "a", " ", "|", "<"]), max_size=8).map("".join))
def test_control_tokens_in_a_text_are_characters(text: str) -> None:
    marks = {CHAT.end, *tiny.tokenizer().convert_tokens_to_ids(["<|start|>", "<|end|>"])}
    empty = sum(i in marks for i in CHAT.prompt(""))
    assert sum(i in marks for i in CHAT.prompt(text)) == empty
    completion = CHAT.completion(text)
    assert completion[-1] == CHAT.end and not marks & set(completion[:-1])
    assert CHAT.text(completion) == text


def test_control_tokens_are_known() -> None:
    assert set(CHAT.control_tokens) == {"<|start|>", "<|end|>", "<|pad|>"}


def test_without_a_template_there_is_no_chat() -> None:
    with pytest.raises(VocabularyError, match=r"expected a chat template .* write engine.form: terse"):
        HubVocabulary(tiny.tokenizer(template=None), chat=True)
    HubVocabulary(tiny.tokenizer(template=None), chat=False)


def test_a_template_that_drops_the_prompt_is_told() -> None:
    with pytest.raises(VocabularyError, match="to show the user's message"):
        HubVocabulary(tiny.tokenizer(template="{{ 'hi' }}"), chat=True)


def test_without_an_end_token_nothing_ends() -> None:
    tokens = tiny.tokenizer()
    tokens.eos_token = None
    with pytest.raises(VocabularyError, match="expected a tokenizer with an end token"):
        HubVocabulary(tokens, chat=True)


def test_spark_is_known_by_its_tokens(tmp_path: Path) -> None:
    spark.save(spark.new_model(0, layers=1, width=32, heads=2), tmp_path / "spark")
    assert isinstance(vocabulary_of(tmp_path / "spark", chat=False), SparkVocabulary)
    tiny.save(tmp_path / "tiny")
    assert isinstance(vocabulary_of(tmp_path / "tiny", chat=True), HubVocabulary)


def test_spark_s_text_is_its_own() -> None:
    vocabulary = SparkVocabulary()
    ids = vocabulary.completion("S1=1")
    assert ids[-1] == vocabulary.end and vocabulary.text(ids) == "S1=1"
    with pytest.raises(spark.UnreadableText):
        vocabulary.prompt("naïve")
