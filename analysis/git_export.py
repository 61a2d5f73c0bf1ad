"""A run's library as a git repository: a file a note, a commit a revision.

``main`` is the library as its readers saw it. A revision that became the head is a commit on it, with what
it came of besides as further parents: a merge has two. A text whose base had moved is a commit on that
base; where nothing took it up it is a branch, ``open/NOTE/REVISION``. A note that was published moves to
its new shelf's folder, which git follows as a rename. A note that was archived is deleted by a commit that
says so, and when it comes back, the commit has its last text as a parent too, so that ``git log`` and
``git blame`` see across the gap. Authors are the agents, dates the round's: its beginning
for the author, its end for the commit. All of it follows from the log, so commit ids do too.

Objects are written by dulwich, in one pack: it needs no git on the machine, no configuration of a user
changes what it writes, and no text passes through a command line or the quoting of a stream.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final

import duckdb
from dulwich.index import build_index_from_tree
from dulwich.objects import Blob, Commit, ObjectID, ShaFile, Tree
from dulwich.refs import Ref
from dulwich.repo import Repo

from analysis.export_folder import ExportError, check_free, filled
from culture.edits import HIDDEN, MARKERS
from culture.history import committed, library_at
from culture.library import Library
from culture.markdown import file_id, front_matter, one_line, page, path_of, slug
from culture.publishing import begun
from culture.records import Note, Revision

MAIN: Final = b"refs/heads/main"
_COMMITTER: Final = b"Ludus <arena@ludus.invalid>"
_FILE, _FOLDER = 0o100644, 0o040000


@dataclass(slots=True)
class GitExported:
    """What was written."""

    folder: Path
    commits: dict[str, str]
    """The commit of each revision, markers included: hexadecimal ids by revision id."""
    branches: dict[str, str]
    """The branch of each revision that nothing took up, as ``open/NOTE/REVISION``."""

    def lines(self) -> list[str]:
        """For people."""
        count, n = len(self.commits), len(self.branches)
        return [
            f"{self.folder}: {count:,} commit{'s' * (count != 1)}, {n:,} open branch{'es' * (n != 1)}",
            f"look at it with: git -C {self.folder} log --graph --oneline --all",
        ]


def export_git(
    connection: duckdb.DuckDBPyConnection, folder: Path, round: int | None = None
) -> GitExported:
    """Write the library and its whole history into ``folder``, which is new or empty, as a repository.

    ``round``: up to the end of that one; by default the last committed. ``connection`` is from
    ``culture.connect``. Raises ExportError where the folder holds something or the library is empty, and
    ``culture.history.NoSuchRound``.
    """
    check_free(folder)
    last = committed(connection) if round is None else round
    library = library_at(connection, last)
    if not library.version:
        raise ExportError(f"expected a library with a note, got none by the end of round {last}")
    times = {
        int(number): (_seconds(began), _seconds(began) + int(seconds))
        for number, began, seconds in connection.execute(
            "SELECT round, started_at, seconds FROM rounds WHERE round <= ?", [last]
        ).fetchall()
    }
    writer = _Writer(library, times)
    for revision in revisions_of(library):
        writer.add(revision)
    assert writer.main is not None  # the first revision of a library is a head
    branches = writer.branches()
    with filled(folder) as partial, Repo.init(partial, default_branch=b"main") as repo:
        repo.object_store.add_objects([(o, None) for o in writer.objects.values()])
        repo.refs[Ref(MAIN)] = writer.main
        for revision_id, name in branches.items():
            repo.refs[Ref(b"refs/heads/" + name.encode())] = writer.commits[revision_id]
        # no setting of a user makes git rewrite the line ends of a text
        (partial / ".git" / "info" / "attributes").write_text("* -text\n", encoding="utf-8")
        build_index_from_tree(
            str(partial), repo.index_path(), repo.object_store, writer.tree_of(writer.main)
        )
    ids = {name: commit.decode() for name, commit in writer.commits.items()}
    return GitExported(folder, ids, branches)


def revisions_of(library: Library) -> list[Revision]:
    """Every revision, in the order in which they were written."""
    every = (r for name in library.heads() for r in library.history(name))
    return sorted(every, key=lambda r: r.library_version)


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


@dataclass(slots=True)
class _Writer:
    """Objects of the repository, made revision by revision."""

    library: Library
    times: dict[int, tuple[int, int]]
    """Beginning and end of each round, in seconds since 1970."""
    objects: dict[ObjectID, ShaFile] = field(default_factory=dict)
    commits: dict[str, ObjectID] = field(default_factory=dict)
    main: ObjectID | None = None
    shown: dict[str, str] = field(default_factory=dict)
    """The revision of each note whose text ``main`` has."""
    shelves: dict[str, str] = field(default_factory=dict)
    """The shelf that each revision left its note on."""
    now: dict[str, str] = field(default_factory=dict)
    """The shelf that each note stands on in ``main``."""

    def add(self, revision: Revision) -> None:
        """The commit of one revision; those before it are there."""
        note = self._placed(revision)
        parents = [self.commits[name] for name in revision.parents]
        if revision.outcome != "branch":
            # the text on main is main itself, as a parent
            beside = [p for p in revision.parents if p != self.shown.get(note.note_id)]
            parents = [*([self.main] if self.main else []), *(self.commits[p] for p in beside)]
            if revision.outcome in MARKERS:
                parents = parents[:1]
        parents = list(dict.fromkeys(parents))
        tree = self.tree_of(parents[0]) if parents else None
        path = path_of(note)
        if revision.outcome in HIDDEN:
            # what was archived and is then put in quarantine is gone already
            tree = self._without(tree, path) if note.note_id in self.shown else self._keep(self._copy(tree))
        else:
            if revision.outcome == "published":
                tree = self._without(tree, path_of(replace(note, shelf=str(revision.evidence["from"]))))
            blob = Blob.from_string(self._text(note, revision).encode())
            tree = self._with(tree, path.parts, self._keep(blob))
        commit = Commit()
        commit.tree = tree
        commit.parents = parents
        commit.author, commit.committer = _person(revision.author), _COMMITTER
        commit.author_time, commit.commit_time = self.times[revision.round]
        commit.author_timezone = commit.commit_timezone = 0
        commit.message = self._message(note, revision).encode()
        self.commits[revision.revision_id] = self._keep(commit)
        if revision.outcome == "branch":
            return
        self.main = commit.id
        if revision.outcome in HIDDEN:
            self.shown.pop(note.note_id, None)
        elif revision.outcome != "published":
            self.shown[note.note_id] = revision.revision_id

    def tree_of(self, commit: ObjectID) -> ObjectID:
        """The tree of a commit."""
        found = self.objects[commit]
        assert isinstance(found, Commit)
        return ObjectID(found.tree)

    def branches(self) -> dict[str, str]:
        """Names of the branches that are open, by revision."""
        return {
            r.revision_id: f"open/{file_id(name)}/{r.revision_id}"
            for name in self.library.heads()
            for r in self.library.branches(name)
        }

    # -- pieces ------------------------------------------------------------------------------------------
    def _placed(self, revision: Revision) -> Note:
        """The note on the shelf where ``revision`` has it: a branch is where its base was."""
        name = revision.note_id
        note = self.library.note(name)
        shelf = self.now.get(name) or begun(note, self.library.history(name)).shelf
        if revision.outcome == "branch":
            shelf = self.shelves[revision.parents[0]]
        elif revision.outcome == "published":
            shelf = str(revision.evidence["shelf"])
        self.shelves[revision.revision_id] = shelf
        if revision.outcome != "branch":
            self.now[name] = shelf
        return replace(note, shelf=shelf)

    def _keep(self, made: ShaFile) -> ObjectID:
        return self.objects.setdefault(made.id, made).id

    def _text(self, note: Note, revision: Revision) -> str:
        return page(front_matter(note, self.library.history(note.note_id)[0]), revision.body)

    def _copy(self, tree: ObjectID | None) -> Tree:
        if tree is None:
            return Tree()
        found = self.objects[tree]
        assert isinstance(found, Tree)
        return Tree.from_string(found.as_raw_string())

    def _with(self, tree: ObjectID | None, parts: tuple[str, ...], blob: ObjectID) -> ObjectID:
        """A tree with one file put in or replaced."""
        made, name = self._copy(tree), parts[0].encode()
        if len(parts) == 1:
            made.add(name, _FILE, blob)
        else:
            beneath = made[name][1] if name in made else None
            made.add(name, _FOLDER, self._with(beneath, parts[1:], blob))
        return self._keep(made)

    def _without(self, tree: ObjectID | None, path: PurePosixPath) -> ObjectID:
        """A tree without one file, and without the folders that this leaves empty."""
        made = self._copy(tree)
        name, *rest = path.parts
        if rest:
            beneath = self._without(made[name.encode()][1], PurePosixPath(*rest))
            if len(self._copy(beneath)):
                made.add(name.encode(), _FOLDER, beneath)
                return self._keep(made)
        del made[name.encode()]
        return self._keep(made)

    def _message(self, note: Note, revision: Revision) -> str:
        """A heading, and a line a fact; every value is on one line, so none can pose as another."""
        heading = f"{self._deed(note, revision)}: {one_line(note.title, 60) or note.note_id}"
        facts = [
            ("Round", str(revision.round)),
            ("Note", note.note_id),
            ("Revision", revision.revision_id),
            ("Outcome", revision.outcome),
            ("Policy-Version", revision.policy_version or "none"),
            *(("Made-From", parent) for parent in revision.parents),
            *(
                ("Cites", f"{c.target_kind} {c.target_id}")
                for c in self.library.citations(revision.revision_id)
            ),
            ("Evidence", json.dumps(revision.evidence)),
        ]
        lines = [f"{name}: {one_line(value, 500)}" for name, value in facts]
        return "\n".join([heading, "", *lines, ""])

    def _deed(self, note: Note, revision: Revision) -> str:
        match revision.outcome:
            case "archived":
                return "archive"
            case "quarantined":
                return "quarantine"
            case "published":
                return f"publish to {one_line(note.shelf, 40)}"
            case "branch":
                return "branch"
            case "merged":
                return "merge"
        if not revision.parents:
            return f"new {one_line(note.kind, 20)}"
        if note.note_id not in self.shown:
            return "bring back"
        return "resolve" if len(revision.parents) > 1 else "edit"


def _person(agent: str) -> bytes:
    """An agent as git has authors: a name without what git reads as the end of one, and no address."""
    name = "".join(c for c in one_line(agent, 60) if c not in '<>"\\').strip(" .,:;'") or "unnamed"
    return f"{name} <{slug(agent) or 'unnamed'}@agents.ludus.invalid>".encode()
