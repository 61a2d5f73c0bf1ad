"""The documentation as a site: it builds without a warning and needs nothing from elsewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def elsewhere(page: Path) -> list[str]:
    """What a page loads from another host; where its links lead does not matter."""
    text = page.read_text(encoding="utf-8")
    return re.findall(r"<(?:script|img|link|iframe)\b[^>]*(?:src|href)=\"?((?:https?:)?//[^\">\s]+)", text)


def copied(folder: Path) -> Path:
    """The pages and their configuration, to build elsewhere than in the repository."""
    shutil.copytree(ROOT / "docs", folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)
    return folder


def built(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_pages_are_built_whichever_are_there(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / "docs" / "another.md").write_text(
        "# Another page\n\nSee [Python](python.md).\n", encoding="utf-8"
    )
    ran = built(folder)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    site = folder / "build" / "site"
    pages = {path.stem for path in (folder / "docs").glob("*.md")}
    assert {path.stem for path in site.glob("*.html")} == pages | {"404"}
    index = (site / "index.html").read_text(encoding="utf-8")
    assert all(f'"./{page}.html"' in index for page in pages - {"index"})  # in the navigation
    assert [found for path in site.rglob("*.html") for found in elsewhere(path)] == []
    assert "fonts.g" not in index


def test_a_link_that_leads_nowhere_stops_it(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / "docs" / "another.md").write_text("# Another\n\n[gone](gone.md)\n", encoding="utf-8")
    ran = built(folder)
    assert ran.returncode != 0 and "page does not exist" in ran.stdout + ran.stderr


def test_the_reference_is_linked_where_it_is_built() -> None:
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    packages = {"agents", "analysis", "arena", "culture", "curricula"}
    assert set(re.findall(r'href="reference/(\w+)\.html"', page)) == packages


@pytest.mark.slow
def test_the_whole_site() -> None:
    ran = subprocess.run(
        [sys.executable, "docs/site.py"], cwd=ROOT, capture_output=True, text=True, timeout=280, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    site = ROOT / "build" / "site"
    found = (site / "reference" / "analysis" / "measures" / "fidelity.html").read_text(encoding="utf-8")
    assert "Mesoudi and Whiten" in found and ":func:" not in found
    assert [bad for path in site.rglob("*.html") for bad in elsewhere(path)] == []
