from hypothesis import given
from hypothesis import strategies as st

from culture.merging import BETWEEN, OURS, THEIRS, merge

texts = st.lists(st.sampled_from(["a", "b", "c", "", "d "]), max_size=8).map("\n".join)


def test_edits_of_different_lines_are_joined() -> None:
    merged = merge("one\ntwo\nthree", "ONE\ntwo\nthree", "one\ntwo\nTHREE\nfour")
    assert (merged.text, merged.conflicts) == ("ONE\ntwo\nTHREE\nfour", 0)


def test_deletion_and_insertion_elsewhere_are_joined() -> None:
    assert merge("a\nb\nc\nd", "b\nc\nd", "a\nb\nc\nx\nd").text == "b\nc\nx\nd"


def test_edits_of_one_line_conflict_and_both_are_shown() -> None:
    merged = merge("one\ntwo", "one\nzwei", "one\ndeux")
    assert merged.conflicts == 1
    assert merged.text.split("\n") == ["one", OURS, "zwei", BETWEEN, "deux", THEIRS]


def test_the_same_edit_on_both_sides_is_no_conflict() -> None:
    assert merge("one\ntwo", "one\nzwei", "one\nzwei").text == "one\nzwei"


def test_a_missing_final_line_feed_is_kept() -> None:
    assert merge("a\nb\n", "a\nb", "x\nb\n").text == "x\nb"


@given(texts, texts)
def test_a_side_that_did_not_change_gives_way(base: str, other: str) -> None:
    for merged in (merge(base, base, other), merge(base, other, base), merge(base, other, other)):
        assert (merged.text, merged.conflicts) == (other, 0)


@given(texts, texts, texts)
def test_sides_are_symmetric(base: str, a: str, b: str) -> None:
    one, two = merge(base, a, b), merge(base, b, a)
    assert one.conflicts == two.conflicts
    if not one.conflicts:
        assert one.text == two.text


@given(texts, texts, texts)
def test_every_line_of_a_merge_is_from_a_side_and_new_lines_survive(base: str, a: str, b: str) -> None:
    merged = merge(base, a, b)
    lines = merged.text.split("\n")
    assert set(lines) <= {*a.split("\n"), *b.split("\n"), OURS, BETWEEN, THEIRS}
    new = {*a.split("\n"), *b.split("\n")} - set(base.split("\n"))
    assert new <= set(lines)


@given(texts, texts, texts)
def test_origins_say_where_each_line_stands_on_either_side(base: str, a: str, b: str) -> None:
    merged = merge(base, a, b)
    ours, theirs = a.split("\n"), b.split("\n")
    markers = 0
    for line, (at_a, at_b) in zip(merged.text.split("\n"), merged.origins, strict=True):
        assert at_a is None or ours[at_a] == line
        assert at_b is None or theirs[at_b] == line
        markers += (at_a, at_b) == (None, None)
    assert markers == 3 * merged.conflicts
    for side in (0, 1):
        places = [origin[side] for origin in merged.origins if origin[side] is not None]
        assert places == sorted(set(places))


def test_a_line_that_both_sides_wrote_is_of_both() -> None:
    assert merge("a\nb", "a\nx\nb", "a\nx\nb\nc").origins == ((0, 0), (1, 1), (2, 2), (None, 3))
