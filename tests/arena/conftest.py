"""What the tests of the arena share: one sandbox for all of them."""

from collections.abc import Iterator

import pytest

from arena.sandbox import Sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as opened:
        yield opened
