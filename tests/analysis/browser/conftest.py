"""The log that the tests of pages share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from analysis.browser.log import Log
from tests.analysis.browser.school import School


@pytest.fixture(scope="session")
def school(tmp_path_factory: pytest.TempPathFactory) -> School:
    return School(tmp_path_factory.mktemp("browse") / "school")


@pytest.fixture(scope="module")
def log(school: School) -> Iterator[Log]:
    found = Log(school.folder)
    yield found
    found.close()
