"""One small school, and one like it, for all tests of what is read from logs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.analysis.counted_school import school


@pytest.fixture(scope="session")
def schools(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of two runs, ``a`` and ``b``, which is worse in its last round."""
    folder = tmp_path_factory.mktemp("schools")
    found = [school(folder / "a"), school(folder / "b", seed=1)]
    for path in found:
        (path / "run.yaml").write_text("seed: 7\n")
    return found
