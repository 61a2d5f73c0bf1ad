import pytest

from arena.domains.grade import grade


@pytest.mark.parametrize(
    ("difficulty", "letter"),
    [(0.0, "a"), (1.0, "a"), (2.0, "c"), (12.4, "h"), (64.0, "m"), (5793.0, "z"), (1e12, "z")],
)
def test_golden_values(difficulty: float, letter: str) -> None:
    assert grade(difficulty) == letter
