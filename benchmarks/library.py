"""The library at 1,000 to 1,000,000 revisions: search, writing, commits, memory, disk, and loading.

    python benchmarks/library.py [--sizes 1000 10000 100000 1000000] [--minutes 20]
        [--against FOLDER] [--against-most 100000]

Each size is a process of its own. A made-up library is in a log; the process loads it as the librarian
does, and searches, writes and commits. Times are of the wall and of the CPU: on a machine that others use
too the latter says more. Sizes are taken in order while they are expected to end within
``--minutes``. With ``--against`` every size up to ``--against-most`` is also run with the code of another
checkout, in turn, and the ratios are printed: both have the same records and the same questions.

The records: three in five revisions are first texts, two in five edits of them; notes of four domains
(string transformations and arithmetic in their terse form, lessons in words, words and formulas mixed), 40
to 400 characters; words by Zipf's law from 20,000; an author for every 1,000 revisions, and 16 at least;
four in five notes public, the others on an agent's or an organisation's shelf; one note in fifty archived.
Queries are problems as they are posed, of the note's domain, 2 notes of at most 400 characters together.
Readers see their eight neighbours on a ring (*ring*), or every author (*complete*).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from bisect import bisect
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parent.parent
DOMAINS = ("transforms", "arithmetic", "lessons", "mixed")
WORDS, REVISIONS_AN_AUTHOR, CHUNK = 20_000, 1000, 20_000
QUERIES, EDITS, ROUNDS, ROUND_EDITS = 150, 500, 5, 100
K, BUDGET = 2, 400
MEMBER = frozenset(f"org-{n}" for n in range(8))
"""The organisations that every author is of."""
SIZES = (1000, 10_000, 100_000, 1_000_000)
GROWS = (
    "ring_p50_ms", "ring_p95_ms", "ring_p50_cpu_ms", "ring_p95_cpu_ms", "complete_p50_ms",
    "complete_p95_ms", "complete_p50_cpu_ms", "complete_p95_cpu_ms", "first_search_ms",
    "first_search_cpu_ms", "edits_per_s", "edits_per_cpu_s", "commit_ms", "commit_cpu_ms", "load_s",
    "load_cpu_s", "index_s", "index_cpu_s", "memory_gib", "peak_gib", "disk_gib",
)  # fmt: skip


class Texts:
    """Texts and queries of every domain."""

    def __init__(self, seed: int) -> None:
        self.draw = Random(seed).random
        vocabulary = Random(1)
        self.words = [
            "".join(vocabulary.choices("abcdefghijklmnopqrstuvwxyz", k=vocabulary.randrange(2, 11)))
            for _ in range(WORDS)
        ]
        self.cumulative = list(accumulate(1 / rank for rank in range(1, WORDS + 1)))
        self.digits = "".join(vocabulary.choices("0123456789", k=1_000_003))

    def below(self, n: int) -> int:
        return int(self.draw() * n)

    def number(self, n: int) -> str:
        at = self.below(1_000_000 - n)
        return self.digits[at : at + n]

    def transform(self) -> str:
        """A worked string transformation, e.g. ``RS1234=S4321=1234``."""
        operations = "".join(["RLQSXPNDE"[self.below(9)] for _ in range(1 + self.below(4))])
        n = 3 + self.below(7)
        steps = [operations[i:] + self.number(n) for i in range(len(operations))]
        return "=".join([*steps, self.number(n)])

    def sum(self) -> str:
        """A worked expression, e.g. ``(3+41)*2=44*2=88``."""
        a, b, c, d = [self.number(1 + self.below(3)) for _ in range(4)]
        x, y = "+-*"[self.below(3)], "+-*"[self.below(3)]
        return f"({a}{x}{b}){y}{c}={d}{y}{c}={self.number(4)}"

    def sentence(self, n: int) -> str:
        top = self.cumulative[-1]
        return " ".join([self.words[bisect(self.cumulative, self.draw() * top)] for _ in range(n)])

    def text(self, domain: str) -> str:
        wanted, made = 40 + self.below(361), ""
        while len(made) < wanted:
            if domain == "transforms":
                made += self.transform() + ";"
            elif domain == "arithmetic":
                made += self.sum() + ";"
            elif domain == "lessons" or self.draw() < 0.6:
                made += self.sentence(8) + ". "
            else:
                made += self.transform() + ". "
        return made[:wanted].rstrip(" ;.=")

    def query(self, domain: str) -> str:
        if domain == "transforms":
            return self.transform().partition("=")[0] + "="
        if domain == "arithmetic":
            return self.sum().partition("=")[0] + "="
        if domain == "lessons":
            return self.sentence(20) + "?"
        return f"{self.sentence(14)}: {self.transform().partition('=')[0]}"


def records(n: int) -> Iterator[tuple[list[Any], list[Any], list[Any]]]:
    """Notes, revisions and citations of a library of ``n`` revisions, a chunk at a time."""
    from culture.edits import revision_id
    from culture.records import Citation, Note, Revision
    from culture.seeds import short_id

    texts = Texts(n)
    draw, below = texts.draw, texts.below
    authors = max(16, n // REVISIONS_AN_AUTHOR)
    heads: list[tuple[str, str]] = []
    taken: set[int] = set()
    notes: list[Any] = []
    revisions: list[Any] = []
    citations: list[Any] = []
    archived: set[str] = set()
    for index in range(n):
        round_, author = index // 100, f"pupil-{below(authors)}"
        body = texts.text(domain := DOMAINS[below(4)])
        if draw() < 0.6 or not heads:
            name, parents, outcome = short_id("n", n, index), [], "head"
            lot = draw()
            shelf = "public" if lot < 0.8 else f"agent:{author}" if lot < 0.9 else f"org:org-{index % 8}"
            title = texts.query(domain)[:120]
            notes.append(Note(name, round_, "lesson", domain, shelf, title, author))
            heads.append((name, ""))
            at = len(heads) - 1
        else:
            at = below(len(heads))
            name, head = heads[at]
            parents, outcome = [head], "head"
            if draw() < 0.03 and name not in archived:
                body, outcome, author = "", "archived", "library"
                archived.add(name)
            else:
                archived.discard(name)
        while outcome == "head" and (digest := hash(body)) in taken:
            body += texts.number(1)
        if outcome == "head":
            taken.add(digest)
        own = revision_id(name, parents, author, round_, body)
        evidence = {"solved": 1, "tried": 1 + below(4)}
        revisions.append(
            Revision(
                own, name, round_, author, f"solver@{round_}", parents, outcome, body, len(body), evidence,
                index + 1,
            )
        )  # fmt: skip
        if outcome == "head":
            heads[at] = (name, own)
            citations.append(Citation(own, round_, "problem", short_id("p", index)))
            citations.append(Citation(own, round_, "attempt", short_id("t", index)))
        if len(revisions) == CHUNK:
            yield notes, revisions, citations
            notes, revisions, citations = [], [], []
    if revisions:
        yield notes, revisions, citations


def round_row(number: int, state: dict[str, object]) -> Any:
    """A row of ``rounds`` in which only number and state matter."""
    from culture.records import Round

    zero: dict[str, object] = {"int": 0, "float": 0.0, "float | None": None, "Json": {}}
    values = {f.name: zero.get(str(f.type)) for f in fields(Round)}
    values |= {"round": number, "started_at": datetime.now(UTC), "state": {"library": state}}
    return Round(**values)  # type: ignore[arg-type]


def timed(
    work: Callable[[], object], clock: Callable[[], float] = time.process_time
) -> tuple[float, float]:
    """Seconds of wall and of CPU time."""
    cpu, wall = clock(), time.perf_counter()
    work()
    return time.perf_counter() - wall, clock() - cpu


def make(n: int, folder: Path) -> None:
    """A log of a library of ``n`` revisions, in ``folder``."""
    from culture.config import LakeConfig
    from culture.lake import Lake
    from culture.records import RoundRows

    with Lake.create(folder, LakeConfig()) as lake:
        for notes, revisions, citations in records(n):
            lake.commit(RoundRows(notes=notes, revisions=revisions, citations=citations), "bench", "chunk")
        lake.commit(RoundRows(rounds=[round_row(n // 100, {"reads": {}})]), "bench", "round")
        lake.compact()


def one(n: int, folder: Path) -> dict[str, float]:
    """All figures of a library of ``n`` revisions, whose log is made in ``folder``."""
    from arena.config import RunConfig
    from arena.librarian import Librarian
    from culture.config import LakeConfig, LibraryConfig
    from culture.edits import Edit
    from culture.lake import Lake
    from culture.reading import Reader
    from culture.records import RoundRows

    config = RunConfig(library=LibraryConfig(shelf_budget_notes=10_000_000), domains=["transforms"])
    last = n // 100
    process = psutil.Process()
    before = process.memory_info().rss
    librarian = Librarian(folder, config)
    load = timed(lambda: librarian.read(last, 0, []))
    library = librarian.library
    authors = max(16, n // REVISIONS_AN_AUTHOR)
    texts = Texts(7)
    below = texts.below
    everyone = [f"pupil-{i}" for i in range(authors)]

    def reader(complete: bool) -> Reader:
        me = below(authors)
        near = [everyone[(me + d) % authors] for d in (-4, -3, -2, -1, 1, 2, 3, 4)]
        return Reader(everyone[me], f"org-{me % 8}", everyone if complete else near)

    def search(complete: bool, clock: Callable[[], float] = time.thread_time) -> tuple[float, float]:
        domain = DOMAINS[below(4)]
        query, who = texts.query(domain), reader(complete)
        asked = {"domain": domain, "exclude_cited": (f"p{below(9)}",)}
        return timed(lambda: library.search(query, who, K, BUDGET, **asked), clock)  # type: ignore[arg-type]

    index = search(True, time.process_time)
    memory = process.memory_info().rss - before
    found: dict[str, float] = {"n": n, "load_s": load[0], "load_cpu_s": load[1]}
    found |= {"index_s": index[0], "index_cpu_s": index[1]}
    for name, complete in (("ring", False), ("complete", True)):
        for _ in range(10):
            search(complete)
        for kind, seconds in zip(
            ("", "cpu_"), zip(*(search(complete) for _ in range(QUERIES)), strict=True), strict=True
        ):
            found[f"{name}_p50_{kind}ms"] = 1e3 * statistics.median(seconds)
            found[f"{name}_p95_{kind}ms"] = 1e3 * float(np.quantile(seconds, 0.95))

    turns = iter(range(10**9))
    names = list(library.heads())

    def edit(round_: int) -> Edit:
        turn, author, domain = next(turns), everyone[below(authors)], DOMAINS[0]
        if turn % 5 < 3:
            return Edit(
                None, None, "lesson", domain, "public", "t", f"{texts.text(domain)}{turn}", author, "s@1",
                round_, turn,
            )  # fmt: skip
        while True:
            note = library.note(names[below(len(names))])
            if not note.shelf.startswith("agent:"):
                break
        head = library.head(note.note_id)
        return Edit(
            note.note_id, head.revision_id, "lesson", note.domain, note.shelf, note.title,
            f"{texts.text(note.domain)}{turn}", author, "s@1", round_, turn,
        )  # fmt: skip

    made_edits = [edit(last + 1) for _ in range(EDITS)]
    wall, cpu = timed(lambda: [library.write(e, MEMBER) for e in made_edits])
    found["edits_per_s"], found["edits_per_cpu_s"] = EDITS / wall, EDITS / cpu
    commits, firsts = [], []
    with Lake.open(folder, LakeConfig()) as lake:
        for round_ in range(last + 2, last + 2 + ROUNDS):
            rows = RoundRows()
            for e in [edit(round_) for _ in range(ROUND_EDITS)]:
                library.write(e, MEMBER).add_to(rows)
            rows.rounds.append(round_row(round_, {"reads": {}}))
            commits.append(timed(lambda rows=rows: lake.commit(rows, "bench", "round")))  # type: ignore[misc]
            firsts.append(search(True, time.process_time))
    for name, measured in (("commit", commits), ("first_search", firsts)):
        found[f"{name}_ms"] = 1e3 * statistics.median(wall for wall, _ in measured)
        found[f"{name}_cpu_ms"] = 1e3 * statistics.median(cpu for _, cpu in measured)
    found["memory_gib"] = memory / 2**30
    found["peak_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    found["disk_gib"] = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 2**30
    return found


def run(n: int, code: Path, minutes: float) -> dict[str, float] | None:
    """The figures of a process of its own with the code of ``code``; None where it takes too long."""
    with tempfile.TemporaryDirectory() as scratch:
        until = time.monotonic() + 60 * minutes
        for part in ("--make", "--one"):
            try:
                done = subprocess.run(
                    [sys.executable, __file__, part, str(n), "--folder", f"{scratch}/run"],
                    cwd=code, env={**os.environ, "PYTHONPATH": str(code)}, stdout=subprocess.PIPE,
                    timeout=max(1.0, until - time.monotonic()), check=True,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                return None
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def table(title: str, rows: list[dict[str, float]]) -> None:
    if not rows:
        return
    print(f"\n{title}")
    print(f"{'revisions':>22}" + "".join(f"{int(r['n']):>13,}" for r in rows))
    for name in GROWS:
        print(f"{name:>22}" + "".join(f"{r[name]:13.3g}" for r in rows))
    print(f"growth against {int(rows[0]['n']):,}")
    for name in GROWS:
        print(f"{name:>22}" + "".join(f"{r[name] / rows[0][name]:13.3g}" for r in rows))


def main() -> None:
    parser = argparse.ArgumentParser(description="the library at several sizes")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--against-most", type=int, default=100_000)
    parser.add_argument("--make", type=int)
    parser.add_argument("--one", type=int)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.make is not None:
        make(options.make, options.folder)
        return
    if options.one is not None:
        print(json.dumps(one(options.one, options.folder)))
        return
    sides = {"this": ROOT, **({"other": options.against.resolve()} if options.against else {})}
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    started, left = time.monotonic(), dict.fromkeys(sides, True)
    for n in sorted(options.sizes):
        for name in sorted(sides, reverse=True):
            if name == "other" and n > options.against_most:
                continue
            minutes = options.minutes - (time.monotonic() - started) / 60
            got = run(n, sides[name], minutes) if left[name] and minutes > 0 else None
            if got is None:
                left[name] = False
                print(f"{name}: {n:,} revisions do not fit {options.minutes:g} minutes", flush=True)
                continue
            rows[name].append(got)
            passed = (time.monotonic() - started) / 60
            print(f"{name}: {n:,} revisions done after {passed:.1f} min", flush=True)
    for name in sides:
        table({"this": f"{ROOT}", "other": f"{options.against}"}[name], rows[name])
    if options.against:
        print("\nother / this")
        for name in GROWS:
            both = [(o, t) for o in rows["other"] for t in rows["this"] if o["n"] == t["n"]]
            print(f"{name:>22}" + "".join(f"{o[name] / t[name]:13.2f}" for o, t in both))


if __name__ == "__main__":
    main()
