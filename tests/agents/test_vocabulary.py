"""Text to tokens: one way for engine and learner, and no control token from inside a text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import CTRLTokenizer, PreTrainedTokenizerFast

from agents import spark
from agents.vocabulary import HubVocabulary, SparkVocabulary, VocabularyError, vocabulary_of
from tests.agents import tiny

Made = Callable[[], PreTrainedTokenizerFast]
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


def marked() -> PreTrainedTokenizerFast:
    """The tiny tokenizer with tokens that were added without being special, or without a name."""
    made = tiny.tokenizer()
    made.add_tokens(
        ["<think>", AddedToken("</think>", normalized=False), "   ", "\t\t", "\u2581\u2581", "é"]
    )
    made.add_tokens([AddedToken("<|hidden|>", special=True)], special_tokens=True)
    return made


def merging() -> PreTrainedTokenizerFast:
    """Bytes and merges; some of what was added is in reach of the merges, or a whole word as it stands."""
    vocab = {c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    merges = [("<", "t"), ("<t", ">"), ("a", "b")]
    for piece in ("<t", "<t>", "ab", "word", "<s>"):
        vocab[piece] = len(vocab)
    inner = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=True))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<s>", clean_up_tokenization_spaces=False
    )
    made.add_tokens(["<t>", "word", "<t><t>"])
    return made


def pieces() -> PreTrainedTokenizerFast:
    """The best path through pieces, of which control tokens are some; text is put into compatible forms."""
    told = [("<unk>", 0.0), ("</s>", 0.0), ("<m>", 0.0), ("▁", -2.0), *((c, -3.0) for c in "</>smuntk ab")]
    inner = Tokenizer(models.Unigram(told, unk_id=0))
    inner.normalizer = normalizers.NFKC()
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    inner.decoder = decoders.Metaspace()
    made = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="</s>", unk_token="<unk>")
    made.add_tokens(["<m>"])
    return made


CONTROLS = {
    marked: {"<|start|>", "<|end|>", "<|pad|>", "<|hidden|>", "<think>", "</think>"},
    merging: {"<s>", "<t>", "word", "<t><t>"},
    pieces: {"</s>", "<m>", "<unk>"},
}


@pytest.mark.parametrize("made", CONTROLS)
def test_what_was_added_to_a_vocabulary_controls(made: Made) -> None:
    """But not white space, nor a single character: texts are made of them."""
    assert set(HubVocabulary(made(), chat=False).control_tokens) == CONTROLS[made]


SPELLED = [
    "<|end|>",
    "<|hidden|>",
    "<think>",
    "</think>",
    "an",
    "<t>",
    "word",
    "<s>",
    "</s>",
    "<m>",
    "<unk>",
]
TEXTS = st.lists(
    st.sampled_from([*SPELLED, *"<>|/st mak", "\uff1c", "\u24e2", "\u2581", "é", "   ", "\t\t", "日"])
    | st.text(max_size=3),
    max_size=12,
).map("".join)


@pytest.mark.parametrize("made", CONTROLS)
@given(text=TEXTS)
def test_no_text_yields_a_control_token(
    vocabularies: dict[Made, HubVocabulary], made: Made, text: str
) -> None:
    vocabulary = vocabularies[made]
    tokens = vocabulary.tokenizer()
    # a character that is not in the vocabulary is read as <unk>
    marks = set(tokens.convert_tokens_to_ids([*(CONTROLS[made] - {"<unk>"})]))
    prompt, completion = vocabulary.prompt(text), vocabulary.completion(text)
    assert completion[-1] == vocabulary.end and completion[:-1] == prompt
    assert not marks & set(prompt)
    if made is merging:  # which has every byte
        assert tokens.decode(prompt) == text


@pytest.fixture(scope="module")
def vocabularies() -> dict[Made, HubVocabulary]:
    return {made: HubVocabulary(made(), chat=False) for made in CONTROLS}


def test_a_mark_is_read_as_its_characters() -> None:
    vocabulary = HubVocabulary(marked(), chat=True)
    tokens = vocabulary.tokenizer()
    plain = HubVocabulary(tiny.tokenizer(), chat=True)
    text = "<think>12</think><|hidden|>"
    assert vocabulary.prompt(text) == plain.prompt(text)  # as where nothing was added
    # tokens that are not special stand in what a model writes, and runs of spaces stay one token
    assert (
        vocabulary.text(tokens.convert_tokens_to_ids(["<think>", "1", "<|hidden|>", "<|end|>"]))
        == "<think>1"
    )
    assert vocabulary.completion("   ")[:-1] == [tokens.convert_tokens_to_ids("   ")]


def test_an_unknown_character_is_no_control_token() -> None:
    vocabulary = HubVocabulary(pieces(), chat=False)
    unknown = vocabulary.tokenizer().unk_token_id
    assert unknown in vocabulary.prompt("a日b")
    assert unknown not in vocabulary.prompt("a<unk>b")


def test_a_control_token_of_one_character_is_unreadable() -> None:
    tokens = tiny.tokenizer()
    tokens.add_special_tokens({"eos_token": "$"})
    with pytest.raises(spark.UnreadableText, match=r"got '\$', which is one"):
        HubVocabulary(tokens, chat=False).prompt("5 $ a piece")


def test_a_tokenizer_in_python_yields_none_either(tmp_path: Path) -> None:
    """It does not tell which characters a token stands for."""
    characters = [c + more for c in "<think>/ab" for more in ("", "@@")]
    vocab = {c: i for i, c in enumerate(dict.fromkeys([*characters, "</b>", "<unk>"]))}
    (tmp_path / "vocab.json").write_text(json.dumps(vocab))
    (tmp_path / "merges.txt").write_text("#version\n")
    tokens = CTRLTokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"), eos_token="</b>")
    tokens.add_tokens(["<think>"])
    vocabulary = HubVocabulary(tokens, chat=False)
    assert set(vocabulary.control_tokens) == {"<think>", "</b>", "<unk>"}
    for text in ("<think>", "a <think></b>b</b><think> b", "<think><think>", "<thi</b>nk>"):
        read = vocabulary.prompt(text)
        assert not set(read) & set(tokens.convert_tokens_to_ids(["<think>", "</b>"]))
        assert tokens.decode(read).replace(" ", "") == text.replace(" ", "")


def test_without_a_template_there_is_no_chat() -> None:
    with pytest.raises(VocabularyError, match=r"expected a chat template .* write engine.form: terse"):
        HubVocabulary(tiny.tokenizer(template=None), chat=True)
    HubVocabulary(tiny.tokenizer(template=None), chat=False)


def test_a_template_that_drops_the_prompt_is_told() -> None:
    with pytest.raises(VocabularyError, match="to show the user's message"):
        HubVocabulary(tiny.tokenizer(template="{{ 'hi' }}"), chat=True)


REFUSES = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('No\nsystem role') }}{% endif %}"


def test_a_template_that_refuses_is_told() -> None:
    refusing = tiny.tokenizer(template=REFUSES + tiny.TEMPLATE)
    HubVocabulary(refusing, chat=True)
    for system in ("", "Be brief."):
        with pytest.raises(
            VocabularyError,
            match=r"to take a system message and a user's, got TemplateError: No system role; write "
            r"engine\.system: null$",
        ):
            HubVocabulary(refusing, chat=True, system=system)
    for fault in ("{{ raise_exception('no') }}", "{{ messages[0]['content'] + 1 }}", "{% if %}"):
        with pytest.raises(
            VocabularyError, match=r"to take a user's message, got \w+: .*; mend the template"
        ):
            HubVocabulary(tiny.tokenizer(template=fault), chat=True)


ENDING = "{{% for m in messages %}}<|start|>{{{{ m['role'] }}}}\n{{{{ m['content'] }}}}{}{{% endfor %}}"


@pytest.mark.parametrize(
    ("ending", "end"),
    [
        ("<|turn|>\n", "<|turn|>"),
        ("<|turn|><|end|>", "<|turn|>"),
        ("</turn>", "</turn>"),  # added, but not special
        ("<|end|>\n", "<|end|>"),
        ("\n<|turn|>", "<|end|>"),  # characters first
        ("   ", "<|end|>"),  # white space that was added ends nothing
        ("", "<|end|>"),
        ("{% if m['role'] == 'assistant' %}{{ raise_exception('no') }}{% endif %}<|turn|>", "<|end|>"),
    ],
)
def test_an_answer_ends_as_in_the_template(ending: str, end: str) -> None:
    tokens = tiny.tokenizer(template=ENDING.format(ending))
    tokens.add_tokens(["</turn>", "   "])
    tokens.add_tokens([AddedToken("<|turn|>", special=True)], special_tokens=True)
    tokens.pad_token = None
    for system in (None, "Be brief."):
        vocabulary = HubVocabulary(tokens, chat=True, system=system)
        assert vocabulary.end == vocabulary.pad == tokens.convert_tokens_to_ids(end)
        assert vocabulary.completion("12")[-1] == vocabulary.end
        assert vocabulary.text(vocabulary.completion("12")) == "12"
    assert HubVocabulary(tokens, chat=False).end == tokens.eos_token_id


def test_a_template_that_drops_answers_leaves_the_end() -> None:
    asked = "{% for m in messages if m['role'] == 'user' %}{{ m['content'] }}<|start|>{% endfor %}"
    vocabulary = HubVocabulary(tiny.tokenizer(template=asked), chat=True)
    assert vocabulary.end == vocabulary.tokenizer().eos_token_id


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
