from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.domains.emphasis import labelled, readings


@pytest.mark.parametrize(
    ("completion", "text"),
    [
        ("Answer: 7", "7"),
        ("So:\n**Answer:** 7", "7"),
        ("**Answer: 7**", "7"),
        ("**Answer**: 7", "7"),
        ("**Answer**: **7**", "**7**"),
        ("- **answer:** 2 ** 3 * x", "2 ** 3 * x"),
        ("Answer: *x*", "*x*"),
        ("`Answer: 1 2\n3 4`", "1 2\n3 4"),
        ("Answer: 1\nAnswer: 2", "2"),
        ("no label", "no label"),
    ],
)
def test_what_stands_behind_the_label(completion: str, text: str) -> None:
    assert labelled(completion) == text


def test_an_answer_in_emphasis_may_be_read_without() -> None:
    assert readings("**7**") == ("**7**", "7")
    assert readings("*7*") == ("*7*", "7")
    assert readings("2*3") == ("2*3",)
    assert readings("**7*") == ("**7*", "*7")


@given(st.text(max_size=60), st.sampled_from(["", "*", "**", "_", "`"]))
def test_nothing_of_an_answer_without_emphasis_is_lost(answer: str, mark: str) -> None:
    clean = answer.strip().strip("*_`").strip()
    if ":" not in clean and clean:
        assert labelled(f"{mark}Answer:{mark} {clean}") == clean
        assert labelled(f"{mark}Answer: {clean}{mark}") == clean
