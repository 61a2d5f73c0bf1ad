import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curricula.similarity import (
    Memory,
    bleu_similarity,
    edit_similarity,
    nearest_distance,
    repetition,
)


def test_edit_similarity():
    found = edit_similarity(["abcd", "", "kitten"], ["abcd", "abxd", "sitting"])
    np.testing.assert_allclose(found, [[1, 0.75, 0], [0, 0, 0], [0, 0, 1 - 3 / 7]], atol=1e-12)
    assert edit_similarity([], ["a"]).shape == (0, 1)


def test_bleu():
    def one(a, b):
        return float(bleu_similarity([a], [b])[0, 0])

    assert one("abcde", "abcde") == pytest.approx(1)
    # 3/4, 2/3, 1/2 and 0.1/1 of the orders match
    assert one("abce", "abcd") == pytest.approx((3 / 4 * 2 / 3 * 1 / 2 * 0.1) ** 0.25)
    # either as the hypothesis: all of it matches but it is short, or 4/6, 3/5, 2/4, 1/3 of it do
    assert one("abcd", "abcdef") == pytest.approx(
        (np.exp(1 - 6 / 4) + (4 * 3 * 2 / 6 / 5 / 4 / 3) ** 0.25) / 2
    )
    assert one("abcdef", "abcd") == one("abcd", "abcdef")
    # repetitions count as often as in the text that has fewer of them
    assert one("aaaa", "aabb") == pytest.approx((2 / 4 * 1 / 3 * 0.1 / 2 * 0.1) ** 0.25)
    assert one("abc", "xyz") == 0 == one("", "abc")
    np.testing.assert_allclose(bleu_similarity(["abcd", "x"], ["abcd"])[:, 0], [1, 0])


@pytest.mark.parametrize("similarity", [edit_similarity, bleu_similarity])
def test_repetition_is_the_share_in_the_own_cluster(similarity):
    texts = ["abcdef", "abcdeg", "zzzzzz", "abcdef"]
    np.testing.assert_allclose(repetition(texts, [], similarity, 0.5), [3 / 4, 3 / 4, 1 / 4, 3 / 4])
    # what was frequent in earlier rounds counts, and what is new among them is worth more than alone
    assert repetition(["zzzzzz"], ["abcdef", "abcdeg", "zzzzzy"], similarity, 0.5).tolist() == [0.5]
    assert repetition(["zzzzzz"], [], similarity, 0.5).tolist() == [1.0]
    assert repetition([], ["a"], similarity, 0.5).tolist() == []


def test_clusters_are_joined_by_the_average_and_no_further_than_the_cut():
    # distances: a-b 0.2, b-c 0.4, a-c 0.6; average of c to {a, b} 0.5
    texts = ["aaaaa", "aaaab", "aabbb"]
    assert repetition(texts, [], edit_similarity, 0.51).tolist() == [1, 1, 1]
    np.testing.assert_allclose(repetition(texts, [], edit_similarity, 0.49), [2 / 3, 2 / 3, 1 / 3])


@given(
    st.lists(st.text("ab1", max_size=4), max_size=9),
    st.lists(st.text("ab1", max_size=4), max_size=4),
    st.randoms(),
)
def test_repetition_does_not_depend_on_the_order(texts, earlier, rng):
    for similarity in (edit_similarity, bleu_similarity):
        order = list(range(len(texts)))
        rng.shuffle(order)
        mixed = list(earlier)
        rng.shuffle(mixed)
        found = repetition(texts, earlier, similarity, 0.4)
        np.testing.assert_array_equal(
            repetition([texts[i] for i in order], mixed, similarity, 0.4), found[order]
        )


def test_nearest_distance():
    rows = np.array([[0.5, 0.1, 0.9], [0.0, 1.0, 0.2]])
    np.testing.assert_allclose(nearest_distance(rows, 2), [0.3, 0.1])
    np.testing.assert_allclose(nearest_distance(rows, 9), [0.5, 0.4])
    assert nearest_distance(np.zeros((2, 0)), 3).tolist() == [1, 1]


def test_memory_is_bounded_and_holds_the_latest_round_besides():
    memory = Memory(3)
    memory.add((f"p{i}", f"t{i}") for i in range(5))
    assert memory.others(()) == ["t0", "t1", "t2", "t3", "t4"]
    memory.add([("q", "u")])
    assert memory.others({"p3"}) == ["t2", "t4", "u"]
    copy = Memory(3)
    copy.load_state_dict(json.loads(json.dumps(memory.state_dict())))
    assert copy.others(()) == memory.others(()) == ["t2", "t3", "t4", "u"]
    nothing = Memory(0)
    nothing.add([("p", "t")])
    nothing.add([("q", "u")])
    assert nothing.others(()) == ["u"]
