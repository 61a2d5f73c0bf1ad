"""The library as a git repository, read back by git itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings

from analysis.export_folder import ExportError
from analysis.git_export import GitExported, export_git, revisions_of
from culture.edits import HIDDEN, MARKERS, Edit
from culture.history import NoSuchRound, blame, library_at
from culture.library import Library
from culture.markdown import front_matter, page, path_of
from culture.publishing import begun
from culture.records import Note, Revision, RoundRows
from tests.culture.histories import STEPS, Step, Story, in_memory, told

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git reads what was written")

HEADER = 9
"""Lines of a file before the body."""
HOSTILE = "x> <root@x> 0 +0000\nRevision: r0\x1b]0;owned\x07../../.git/config"


def git(folder: Path, *arguments: str, text: str = "") -> str:
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        env=environment, input=text.encode(), capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode()


def parents(folder: Path) -> dict[str, list[str]]:
    rows = (line.split() for line in git(folder, "log", "--all", "--format=%H %P").splitlines())
    return {row[0]: row[1:] for row in rows}


def trailer(folder: Path, name: str) -> dict[str, str]:
    rows = git(folder, "log", "--all", f"--format=%H %(trailers:key={name},valueonly,separator=%x2C)")
    return dict(line.split(" ", 1) for line in rows.splitlines())


def texts(folder: Path, names: list[str]) -> Iterator[str | None]:
    """What git has under each ``COMMIT:PATH``; None where it has nothing."""
    rest = git(folder, "cat-file", "--batch", text="".join(f"{name}\n" for name in names)).encode()
    for name in names:
        head, rest = rest.split(b"\n", 1)
        if head == f"{name} missing".encode():
            yield None
        else:
            size = int(head.split()[2])
            yield rest[:size].decode()
            rest = rest[size + 1 :]


def assert_structure(folder: Path, done: GitExported, library: Library) -> None:
    """Commits are the revisions: their parents, their texts, the branches, and what main holds."""
    git(folder, "fsck", "--strict", "--no-dangling")
    assert git(folder, "status", "--porcelain") == ""
    assert {commit: name for name, commit in done.commits.items()} == trailer(folder, "Revision")
    of = parents(folder)
    main: str | None = None
    revisions = revisions_of(library)
    assert set(done.commits) == {r.revision_id for r in revisions}
    for r in revisions:
        found, made_from = of[done.commits[r.revision_id]], [done.commits[p] for p in r.parents]
        if r.outcome == "branch":
            assert found == list(dict.fromkeys(made_from))
            continue
        assert found[:1] == ([main] if main else [])
        assert set(found[1:]) <= set(made_from)
        assert all(p in ancestors(of, found) for p in made_from)
        if r.outcome == "merged":
            # a merge that brings a note back to sight has its last text as a parent too
            assert found in ([main, made_from[1]], [main, *made_from])
        if r.outcome in MARKERS:
            assert found == [main]
        main = done.commits[r.revision_id]
    assert git(folder, "rev-parse", "main", "HEAD").split() == [main, main]

    at = stood(library, revisions)
    written = texts(
        folder, [f"{done.commits[r.revision_id]}:{path_of(at[r.revision_id])}" for r in revisions]
    )
    for r, text in zip(revisions, written, strict=True):
        fields = front_matter(at[r.revision_id], library.history(r.note_id)[0])
        body = library.revision(r.parents[0]).body if r.outcome == "published" else r.body
        assert text == (None if r.outcome in HIDDEN else page(fields, body))
    paths = {n: path_of(library.note(n)) for n in library.heads()}
    listed = git(folder, "ls-tree", "-r", "--name-only", "main").splitlines()
    assert sorted(listed) == sorted(str(paths[n]) for n in paths if n not in library.archived)
    on_disk = [p for p in folder.rglob("*") if p.is_file() and ".git" not in p.relative_to(folder).parts]
    assert sorted(str(p.relative_to(folder)) for p in on_disk) == sorted(listed)

    refs = git(folder, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads/open")
    assert sorted(refs.splitlines()) == sorted(
        f"open/{n}/{r.revision_id} {done.commits[r.revision_id]}"
        for n in library.heads() for r in library.branches(n)
    )  # fmt: skip


def stood(library: Library, revisions: list[Revision]) -> dict[str, Note]:
    """The note of each revision, on the shelf where that left it; a branch is where its base was."""
    now = {n: begun(library.note(n), library.history(n)) for n in library.heads()}
    found: dict[str, Note] = {}
    for r in revisions:
        if r.outcome == "branch":
            found[r.revision_id] = found[r.parents[0]]
            continue
        if r.outcome == "published":
            now[r.note_id] = replace(now[r.note_id], shelf=str(r.evidence["shelf"]))
        found[r.revision_id] = now[r.note_id]
    return found


def ancestors(of: dict[str, list[str]], names: list[str]) -> set[str]:
    found, todo = set[str](), list(names)
    while todo:
        if (name := todo.pop()) not in found:
            found.add(name)
            todo += of[name]
    return found


def assert_log_of_each_note(folder: Path, done: GitExported, library: Library) -> None:
    """`git log` of a file has the note's revisions, but for those whose text is that of a parent, from the
    one that put it where it stands.

    Merges aside, whose parents `assert_structure` looks at: with --full-history git lists those of others.
    """
    at = stood(library, revisions_of(library))
    for name in library.heads():
        path = str(path_of(library.note(name)))
        listed = ["log", "--all", "--full-history", "--no-merges", "--format=%H", "--", path]
        expected = {
            done.commits[r.revision_id]
            for r in library.history(name)
            if str(path_of(at[r.revision_id])) == path
            and (r.outcome == "published" or r.body not in [library.revision(p).body for p in r.parents])
        }
        of = parents(folder)
        assert set(git(folder, *listed).split()) == {c for c in expected if len(of[c]) < 2}


def assert_blame(folder: Path, done: GitExported, library: Library) -> None:
    """`git blame` says of every line of every last text and open branch what ours says."""
    revision_of = {commit: name for name, commit in done.commits.items()}
    stands = stood(library, revisions_of(library))
    for name in library.heads():
        for revision in (library.head(name), *library.branches(name)):
            path = str(path_of(stands[revision.revision_id]))
            output = git(folder, "blame", "--porcelain", done.commits[revision.revision_id], "--", path)
            rows, at = [], ("", 0)
            for line in output.split("\n"):
                words = line.split(" ")
                if line.startswith("\t"):
                    rows.append((line[1:], *at))
                elif len(words[0]) == 40 and words[0] in revision_of:
                    at = (revision_of[words[0]], int(words[1]) - HEADER)
            assert rows[HEADER:] == [
                (line.text, line.revision.revision_id, line.number)
                for line in blame(library, revision.revision_id)
            ]


@given(STEPS)
@example(
    [("new", "anna", 0, [0]), ("new", "anna", 0, [0]), ("own", "anna", 0, [0]), ("publish", "anna", 2, [0])]
)
@settings(max_examples=12)
def test_git_tells_the_story_of_any_history(steps: list[Step]) -> None:
    story = told(steps, fresh=True)
    with tempfile.TemporaryDirectory() as place, in_memory(story) as log:
        folder = Path(place) / "out"
        if not story.library.version:
            with pytest.raises(ExportError, match="a library with a note, got none"):
                export_git(log, folder)
            return
        done = export_git(log, folder)
        assert_structure(folder, done, story.library)
        assert_log_of_each_note(folder, done, story.library)
        assert_blame(folder, done, story.library)


@given(STEPS)
@settings(max_examples=6)
def test_texts_that_repeat_and_move_are_as_sound(steps: list[Step]) -> None:
    story = told(steps, fresh=False)
    if story.library.version:
        with tempfile.TemporaryDirectory() as place, in_memory(story) as log:
            done = export_git(log, Path(place) / "out")
            assert_structure(Path(place) / "out", done, story.library)


STORY: list[Step] = [
    ("new", "anna", 0, [5, 4]), ("new", "ben", 0, [3, 2]), ("close", "anna", 0, [1]),
    ("edit", "ben", 0, [9, 3]), ("late", "carl", 0, [2, 9]), ("close", "anna", 0, [2, 1]),
    ("new", "anna", 0, [1]), ("new", "ben", 0, [4]), ("resolve", "anna", 0, [7, 3]),
    ("close", "anna", 0, [0, 1]), ("late", "carl", 1, [8, 8, 3]), ("late", "dora", 0, [0, 7]),
    ("harm", "anna", 0, [0]), ("harm", "anna", 1, [0]),
]  # fmt: skip


def test_the_same_run_gives_the_same_commits(tmp_path: Path) -> None:
    story = told(STORY, fresh=True)
    outcomes = {r.outcome for r in revisions_of(story.library)}
    assert {"head", "branch", "archived", "quarantined"} <= outcomes
    with in_memory(story) as log, in_memory(story) as again:
        one, two = export_git(log, tmp_path / "one"), export_git(again, tmp_path / "two")
        assert one.commits == two.commits and one.branches == two.branches
        past = export_git(log, tmp_path / "past", 1)
        assert past.commits == {r: c for r, c in one.commits.items() if r in past.commits}
        assert_structure(tmp_path / "past", past, library_at(log, 1))
        assert len(past.commits) < len(one.commits)
        with pytest.raises(NoSuchRound):
            export_git(log, tmp_path / "never", 99)
    assert not (tmp_path / "never").exists()


def test_messages_say_where_a_text_came_from(tmp_path: Path) -> None:
    with in_memory(told(STORY, fresh=True)) as log:
        done = export_git(log, tmp_path / "out")
    for key in ("Round", "Note", "Outcome", "Policy-Version", "Evidence"):
        assert all(trailer(tmp_path / "out", key).values()), key
    heads = git(tmp_path / "out", "log", "--all", "--format=%an|%ad|%s", "--date=iso").splitlines()
    assert len(heads) == len(done.commits) and len(done.branches) == 1
    deeds = {line.split("|")[2].split(":")[0] for line in heads}
    assert {"new lesson", "edit", "branch", "archive"} <= deeds
    assert any(line.startswith("anna|2026-01-02 03:04:05 +0000|new lesson: Title") for line in heads)
    assert done.lines()[0].endswith(f"{len(done.commits)} commits, 1 open branch")
    graph = git(tmp_path / "out", "log", "--graph", "--oneline", "--all")
    assert graph.count("*") >= len(done.commits)


def hostile() -> Story:
    story, rows = Story(), RoundRows()
    edit = Edit(
        None, None, "lesson", "strings", "public", HOSTILE, f"a\r\n{HOSTILE}\r", HOSTILE, HOSTILE, 0
    )
    changes: list[dict[str, Any]] = [
        {}, {"author": "<>", "index": 1, "body": "b", "title": "---"},
        {"author": "", "index": 2, "body": "c", "shelf": "org:../../..", "title": "\u202e" * 120},
    ]  # fmt: skip
    for change in changes:
        whole = replace(edit, evidence={"why": HOSTILE}, citations=[("note", HOSTILE)], **change)
        story.library.write(whole, {"../../.."}).add_to(rows)
    story.close(rows, {})
    return story


def test_no_name_title_or_text_breaks_out(tmp_path: Path) -> None:
    story = hostile()
    with in_memory(story) as log:
        done = export_git(log, tmp_path / "in" / "out")
    folder = tmp_path / "in" / "out"
    assert_structure(folder, done, story.library)
    assert [p.name for p in (tmp_path / "in").iterdir()] == ["out"]
    for line in git(folder, "log", "--all", "--format=%an%n%ae%n%B").split("\n"):
        assert line.isprintable()
    assert git(folder, "log", "--all", "--format=%ae").count("@agents.ludus.invalid") == 3
    assert git(folder, "config", "core.bare").strip() == "false"


def test_a_folder_that_holds_something_is_refused_and_a_cut_short_export_is_not(tmp_path: Path) -> None:
    (tmp_path / "export.partial").mkdir()
    (tmp_path / "export.partial" / "old").write_text("left")
    with in_memory(told(STORY, fresh=True)) as log:
        done = export_git(log, tmp_path)
        assert not list(tmp_path.rglob("old")) and not list(tmp_path.glob("*.partial"))
        with pytest.raises(ExportError, match=r"which holds \.git and"):
            export_git(log, tmp_path)
    assert git(tmp_path, "rev-list", "--all", "--count").strip() == str(len(done.commits))
