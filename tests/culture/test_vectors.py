import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from culture.vectors import MOST, Vectors, rounded

WIDTH = 24
vectors = st.lists(st.integers(-127, 127), min_size=WIDTH, max_size=WIDTH).filter(any)
changes = st.lists(
    st.tuples(st.integers(0, 9), st.none() | vectors, st.sampled_from(["x", "y"])), min_size=1, max_size=40
)


def whole(numbers: list[int]) -> np.ndarray:
    return np.array(numbers, dtype=np.int8)


def test_rounding_keeps_the_direction_and_gives_127_to_the_largest() -> None:
    assert rounded(np.array([0.5, -0.25, 0.0])).tolist() == [127, -64, 0]
    assert (rounded(np.array([1e-6, 2e-6])) == rounded(np.array([1.0, 2.0]))).all()
    for bad in ([0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]):
        with pytest.raises(ValueError, match="expected a vector of finite numbers"):
            rounded(np.array(bad))


def test_more_dimensions_than_are_exact_are_refused() -> None:
    assert MOST * 127 * 127 <= 2**24 < (MOST + 1) * 127 * 127
    with pytest.raises(ValueError, match="expected at most"):
        Vectors(MOST + 1)


def test_products_are_exact_at_the_widest() -> None:
    store, widest = Vectors(384), np.full(384, 127, dtype=np.int8)
    for i in range(200):
        store.put(f"n{i:03}", widest, ["x"])
    assert store.nearest(widest, ["x"], 3) == [("n000", 1.0), ("n001", 1.0), ("n002", 1.0)]


@given(changes, vectors, st.sampled_from([("x",), ("y",), ("x", "y"), ("z",)]), st.integers(1, 12))
@settings(max_examples=100, deadline=None)
def test_the_nearest_are_those_of_exact_arithmetic_after_any_changes(
    steps: list[tuple[int, list[int] | None, str]], asked: list[int], labels: tuple[str, ...], most: int
) -> None:
    store, kept = Vectors(WIDTH), dict[str, tuple[list[int], str]]()
    for number, vector, name in steps:
        key = f"n{number}"
        if vector is None:
            store.drop(key)
            kept.pop(key, None)
        else:
            store.put(key, whole(vector), [name])
            kept[key] = (vector, name)
    assert len(store) == len(kept)

    def cosine(vector: list[int]) -> float:
        product = sum(a * b for a, b in zip(vector, asked, strict=True))
        lengths = [np.sqrt(float(sum(a * a for a in v))) for v in (vector, asked)]
        return float(product / (lengths[0] * lengths[1]))

    expected = sorted((-cosine(v), key) for key, (v, name) in kept.items() if name in labels)
    found = store.nearest(whole(asked), labels, most)
    assert found == [(key, -negative) for negative, key in expected[:most]]
