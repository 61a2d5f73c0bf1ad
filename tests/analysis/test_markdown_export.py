from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings

from analysis.export_folder import ExportError
from analysis.markdown_export import export_markdown
from arena.yaml_text import parse
from culture.history import NoSuchRound, library_at
from culture.library import Library
from culture.markdown import front_matter, split
from tests.analysis.test_git_export import STORY, hostile
from tests.culture.histories import STEPS, Step, in_memory, told

LINK = re.compile(r"(?<!\\)\]\(([^)]*)\)")


def assert_pages(folder: Path, library: Library) -> None:
    """A page a note in sight, whole; an index of them; links that lead somewhere."""
    pages = {p for p in folder.rglob("*.md") if p != folder / "README.md"}
    names = set(library.heads()) - library.archived
    found = {}
    for path in pages:
        matter, body = split(path.read_bytes().decode())
        assert matter is not None
        fields = parse(matter)
        assert isinstance(fields, dict)
        found[fields["id"]] = (fields, body)
    assert found == {
        n: (front_matter(library.note(n), library.history(n)[0]), library.head(n).body) for n in names
    }
    index = (folder / "README.md").read_text()
    assert {folder / to for to in LINK.findall(index)} == pages
    for path in pages:
        footer = path.read_bytes().decode().rpartition("not part of the note -->")[2]
        for to in LINK.findall(footer):
            assert (path.parent / to).resolve() in {p.resolve() for p in pages}
        cited = library.citations(
            library.head(parse(split(path.read_bytes().decode())[0])["id"]).revision_id
        )
        assert footer.count("- cites ") == len(cited)


@given(steps=STEPS)
@settings(max_examples=15)
def test_every_note_in_sight_is_a_page(steps: list[Step], tmp_path_factory: pytest.TempPathFactory) -> None:
    story = told(steps, fresh=False)
    folder = tmp_path_factory.mktemp("out")
    with in_memory(story) as log:
        if not len(story.library):
            with pytest.raises(ExportError, match="got none"):
                export_markdown(log, folder)
        else:
            done = export_markdown(log, folder)
            assert done.pages == len(story.library.heads()) - len(story.library.archived)
            assert_pages(folder, story.library)


def test_it_is_as_of_any_round(tmp_path: Path) -> None:
    with in_memory(told(STORY, fresh=True)) as log:
        for number in range(3):
            export_markdown(log, tmp_path / str(number), number)
            assert_pages(tmp_path / str(number), library_at(log, number))
        assert "as of the end of round 1" in (tmp_path / "1" / "README.md").read_text()
        with pytest.raises(NoSuchRound, match="got 9"):
            export_markdown(log, tmp_path / "9", 9)
        with pytest.raises(ExportError, match="which holds"):
            export_markdown(log, tmp_path / "0", 0)
    with in_memory(told([], fresh=True)) as log, pytest.raises(ExportError, match="got none"):
        export_markdown(log, tmp_path / "none")


def test_no_title_makes_a_link_of_its_own(tmp_path: Path) -> None:
    story = hostile()
    with in_memory(story) as log:
        export_markdown(log, tmp_path)
    assert_pages(tmp_path, story.library)
    assert all(line.isprintable() for line in (tmp_path / "README.md").read_text().split("\n"))
