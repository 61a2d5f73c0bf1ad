"""What a library begins with: a folder of Markdown files, each of which becomes a note.

The folder (``library.seed_from``) is read and checked when a run is made, before anything starts, and what
was read is kept in the run's folder, so that nothing that happens to the files later changes the run. The
librarian writes the notes before the first problems, by the author ``import``, with the file and its
SHA-256 as evidence; the log has them in round 0. Every agent may read the public ones. What they claim is
executed once, when they are read, and what that gave is kept with them: a note that is refuted begins in
quarantine, where one of the run's own would be.

A file may say in its front matter what it is; else it is a lesson named by its first heading. Files that
hold an anchor's problem are refused: what measures a run must not be taught in it.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

from agents.population import Population
from arena.config import RunConfig
from arena.domains import Domain
from arena.faults import listed, nearest, shown
from arena.held_out import HeldOut
from arena.rechecking import RECHECKED, Checked, recheck
from arena.run_files import SEEDS
from arena.run_names import Wrong
from arena.sandbox import Sandbox
from arena.yaml_text import YamlError, parse
from culture.edits import IMPORT, KINDS, PUBLIC, Edit, Kind, LibraryRefused
from culture.library import Library
from culture.markdown import FIELDS, README, split
from culture.records import Json

_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*$", re.MULTILINE)


class SeedFault(Wrong):
    """A folder that a library cannot begin with; the message has a line a fault."""


@dataclass(frozen=True, slots=True)
class Seed:
    """One note to begin with, as its file had it."""

    file: str
    """Relative to the folder."""
    sha256: str
    """Of the file."""
    kind: Kind
    domain: str
    shelf: str
    title: str
    body: str
    author: str | None
    """Whom the file names as the author."""
    checked: Checked | None = None
    """What execution says of it; None where it was not looked at."""

    @property
    def refuted(self) -> bool:
        """Whether it is in quarantine from the beginning."""
        return self.checked is not None and self.checked.verdict == "refuted"

    def edit(self, index: int) -> Edit:
        """The note as the library takes it, in round 0, the ``index``-th of all.

        On an agent's own shelf only the agent itself can write.
        """
        evidence: Json = {"file": self.file, "sha256": self.sha256}
        if self.author is not None:
            evidence["author"] = self.author
        if self.checked is not None:
            evidence |= self.checked.evidence
        owner = self.shelf.removeprefix("agent:") if self.shelf.startswith("agent:") else IMPORT
        return Edit(
            None, None, self.kind, self.domain, self.shelf, self.title, self.body, owner, None, 0,
            index=index, evidence=evidence,
        )  # fmt: skip

    @property
    def organisations(self) -> tuple[str, ...]:
        """Those on whose shelf the note is put: whoever makes a run's library may put it anywhere."""
        return (self.shelf.removeprefix("org:"),) if self.shelf.startswith("org:") else ()


def seeds_of(config: RunConfig) -> list[Seed]:
    """What the library of a run begins with. Raises SeedFault."""
    folder = config.library.seed_from
    return [] if folder is None else read_folder(Path(folder), config)


def keep(folder: Path, seeds: Sequence[Seed]) -> None:
    """Put what a run's library begins with into the run's folder, whole or not at all."""
    if seeds:
        partial = folder / f"{SEEDS}.partial"
        partial.write_text(json.dumps([asdict(seed) for seed in seeds], indent=1), encoding="utf-8")
        partial.replace(folder / SEEDS)


def kept(folder: Path) -> list[Seed]:
    """What was put there."""
    if not (folder / SEEDS).exists():
        return []
    rows = json.loads((folder / SEEDS).read_text(encoding="utf-8"))
    checks = [row.pop("checked", None) for row in rows]
    return [
        Seed(**row, checked=None if check is None else Checked(**check))
        for row, check in zip(rows, checks, strict=True)
    ]


def size(seeds: Sequence[Seed]) -> tuple[int, int]:
    """The version of a library that begins with ``seeds``, and how many notes of it are in sight."""
    hidden = sum(seed.refuted for seed in seeds)
    return len(seeds) + hidden, len(seeds) - hidden


def read_folder(folder: Path, config: RunConfig) -> list[Seed]:
    """The notes in a folder and the folders in it, in the order of their names.

    Files that do not end in ``.md``, hidden ones and every ``README.md`` are no notes. Raises SeedFault,
    naming every file that cannot become a note of a run with this configuration; what execution refutes can
    and is marked as ``refuted``.
    """
    if not folder.is_dir():
        raise SeedFault(f"library.seed_from: expected a folder of Markdown files, got {str(folder)!r}")
    paths = sorted(
        path
        for path in folder.rglob("*.md")
        if path.is_file()
        and path.name != README
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not paths:
        raise SeedFault(
            f"library.seed_from: expected a folder with files that end in .md, besides {README}, got none "
            f"in {str(folder)!r}"
        )
    checks = _Checks(config)
    faults: list[str] = []
    seeds: list[Seed] = []
    for path in paths:
        name = path.relative_to(folder).as_posix()
        try:
            seeds.append(checks.seed(name, path.read_bytes()))
        except _Unfit as unfit:
            faults += [f"{name}: {fault}" for fault in unfit.faults]
    if not faults and config.library.recheck:
        seeds = _rechecked(seeds, checks.domains, config)
    faults += checks.shelves(seeds)
    if faults:
        count = f"{len(faults)} problem{'s' * (len(faults) != 1)}"
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise SeedFault(f"library.seed_from: the folder {str(folder)!r} has {count}:\n{lines}")
    return seeds


def ready(seeds: Sequence[Seed], folder: Path, source: str, overrides: Sequence[str]) -> list[str]:
    """What would be the library of a run, and the command that starts it."""
    counts = Counter((seed.kind, seed.domain) for seed in seeds)
    n = len(seeds)
    lines = [f"{n} note{'s' * (n != 1)} to begin a run of {source} with:"]
    lines += [f"  {count} {kind} about {domain}" for (kind, domain), count in sorted(counts.items())]
    refuted = [seed for seed in seeds if seed.refuted]
    if refuted:
        lines.append(
            f"execution refutes {len(refuted)} of them, which would begin in quarantine, out of sight:"
        )
        lines += [f"  {seed.file}: {seed.checked.detail}" for seed in refuted if seed.checked is not None]
    sets = " ".join(f"--set {shlex.quote(o)}" for o in [*overrides, f"library.seed_from={folder}"])
    return [*lines, f"start it with: python run_arena.py run {shlex.quote(source)} {sets}"]


def _rechecked(seeds: Sequence[Seed], domains: Mapping[str, Domain], config: RunConfig) -> list[Seed]:
    """The notes with what execution says of them. Raises SeedFault where nothing can be executed."""
    found = list(seeds)
    with Sandbox(config.sandbox) as sandbox:
        for name, domain in domains.items():
            mine = [i for i, s in enumerate(seeds) if s.domain == name and s.kind in RECHECKED]
            notes = [(seeds[i].kind, seeds[i].body) for i in mine]
            try:
                checks = recheck(domain, notes, config.engine.form, sandbox)
            except RuntimeError as error:
                raise SeedFault(
                    f"library.seed_from: expected to execute what the notes about {name} claim, got: "
                    f"{error}; mend what it names, or write library.recheck: false"
                ) from error
            for i, checked in zip(mine, checks, strict=True):
                found[i] = replace(seeds[i], checked=checked)
    return found


class _Unfit(Exception):
    """A file that cannot become a note."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(*faults)
        self.faults = faults


class _Checks:
    """What files have to be for one configuration."""

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.domains = {name: config.domain(name) for name in config.domains}
        agents = Population(config.population, config.seed).agents
        self.places = {PUBLIC, *(f"agent:{a.agent_id}" for a in agents)}
        self.places |= {f"org:{a.organisation}" for a in agents}
        self.library = Library(config.library, seed=config.seed)
        self.files: dict[str, str] = {}
        """The file of each note that was taken."""
        self.held_out = HeldOut(self.domains, config.evaluation.per_cell)

    def seed(self, name: str, content: bytes) -> Seed:
        """The note in a file. Raises _Unfit with all that is wrong with it."""
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _Unfit(
                [f"expected UTF-8 text, got other bytes at position {error.start}; save it as UTF-8"]
            ) from error
        matter, body = split(text.removeprefix("\ufeff"))
        fields, faults = _fields(matter)
        kind = fields.get("kind", "lesson")
        shelf = fields.get("shelf", PUBLIC)
        domain = fields.get("domain", next(iter(self.domains)) if len(self.domains) == 1 else None)
        heading = _HEADING.search(body)
        title = fields.get("title", heading[1] if heading else Path(name).stem)
        for key, value, known in (
            ("kind", kind, KINDS), ("shelf", shelf, self.places), ("domain", domain, self.domains),
        ):  # fmt: skip
            if value is None:
                faults.append(
                    f"expected a {key} in the front matter, got none; {_choice(key, None, known)}"
                )
            elif value not in known:
                faults.append(
                    f"expected a {key} of the run, got {shown(value)}; {_choice(key, value, known)}"
                )
        if domain in self.domains and self.config.engine.form == "terse":
            strange = sorted(set(body) - set(self.domains[str(domain)].alphabet))
            if strange:
                some = ", ".join(repr(c) for c in strange[:5]) + (", ..." if strange[5:] else "")
                faults.append(
                    f"expected only characters that terse prompts of {domain} are made of, got {some}; a "
                    "note with others is never shown: write it in those, or engine.form: natural"
                )
        # values of the front matter once more: YAML can spell a character out
        anchor = self.held_out.found_in("\n".join([text, *fields.values()]))
        if anchor is not None:
            faults.append(
                f"expected no problem that the run is measured by, got {shown(anchor)}; write about another"
            )
        if faults:
            raise _Unfit(faults)
        digest = hashlib.sha256(content).hexdigest()
        author = fields.get("author")
        seed = Seed(name, digest, cast("Kind", kind), str(domain), shelf, title, body, author)
        self._take(seed)
        return seed

    def _take(self, seed: Seed) -> None:
        try:
            written = self.library.write(seed.edit(len(self.files)), seed.organisations)
        except LibraryRefused as refused:
            if refused.reason == "duplicate":
                other = next(file for note, file in self.files.items() if note in refused.detail)
                raise _Unfit(
                    [f"expected a text of its own, got that of {other}; take one out"]
                ) from refused
            raise _Unfit([refused.detail]) from refused
        self.files[written.revision.note_id] = seed.file

    def shelves(self, seeds: Iterable[Seed]) -> list[str]:
        """What is wrong with the notes of a shelf together."""
        budget = self.config.library.shelf_budget_notes
        return [
            f"expected at most {budget} notes on the shelf {shelf} (library.shelf_budget_notes), got {n}; "
            "raise it, or take some out"
            for shelf, n in sorted(Counter(seed.shelf for seed in seeds if not seed.refuted).items())
            if n > budget
        ]


def _fields(matter: str | None) -> tuple[dict[str, str], list[str]]:
    """Keys and texts of the front matter, and what is wrong with it."""
    if matter is None:
        return {}, []
    try:
        data = parse(matter)
    except YamlError as error:
        return {}, [f"front matter: {error}"]
    if data is None:
        return {}, []
    if not isinstance(data, Mapping):
        return {}, [f"expected keys and values in the front matter, got {shown(data)}"]
    fields, faults = {}, []
    for key, value in data.items():
        if key not in FIELDS:
            near = nearest(key, FIELDS)
            advice = f"write {near!r} instead" if near else "take it out"
            faults.append(f"expected {listed(FIELDS)} in the front matter, got {shown(key)}; {advice}")
        elif key != "id" and not isinstance(value, str):
            faults.append(f'expected text for {key}, got {shown(value)}; write {key}: "..."')
        else:
            fields[key] = str(value)
    return fields, faults


def _choice(key: str, value: str | None, known: Iterable[str]) -> str:
    names = sorted(known)
    near = nearest(value, names) if value else names[0]
    return f"write {key}: {near or names[0]} ({', '.join(names[:12])}{', ...' if names[12:] else ''})"
