"""How long the questions of docs/sql.md take on a long log.

    python -m benchmarks.queries                        10 million attempts, 1 million revisions
    python -m benchmarks.queries --attempts 1000000     a tenth of that
    python -m benchmarks.queries --only library --keep

Writes a log with made-up rows of the real schema into a temporary folder (150 bytes an attempt) or into
--folder, and a second one of a tenth of its size for questions over several runs. Every question is asked
--repeat times in a process of its own. Printed are the medians of the time that it took and of the time of
all cores, which other programs change less; the peak of that process's memory; and its rows. What is made
up follows what runs do in numbers and sizes, and says nothing about learning.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from string import Template

import culture
from culture import catalog
from culture.config import LakeConfig
from culture.lake import Lake
from culture.queries import select

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "sql.md"
ROWS = Path(__file__).with_suffix(".sql")
ROUNDS = 500
AGENTS = 64
PART = 1_000_000
"""Attempts in one insert: what compaction leaves of a run is in files of about as many rows."""


def questions() -> list[tuple[str, str, bool]]:
    """Every question of the page: its words, its query, and whether it is over several runs."""
    found, several = [], False
    for part in re.split(r"^(?=##)", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE):
        several = several or part.startswith("## Several runs")
        query = re.search(r"^```sql\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)
        if query is not None:
            found.append((part.partition("\n")[0].strip("# "), query[1], several))
    return found


# -- a log of made-up rows -------------------------------------------------------------------------------
def statements() -> dict[str, Template]:
    """The parts of the SQL file by name."""
    parts = re.split(r"^-- ([A-Z]+)\n", ROWS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {name: Template(text) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def write(folder: Path, attempts: int, seed: int) -> None:
    """Make the log; ``attempts`` are rounded to whole rounds."""
    each = max(attempts // (4 * ROUNDS), 4)
    total = 4 * each * ROUNDS
    revisions = max(total // 10 // ROUNDS, 2) * ROUNDS
    numbers = {
        "attempts": total, "problems": total // 4, "problems_each": each, "rounds": ROUNDS,
        "agents": AGENTS, "revisions": revisions, "revisions_each": revisions // ROUNDS, "seed": seed,
        "decisions": max(total // 100, 60), "measured": max(min(total // 5000, 2000), 5),
    }  # fmt: skip
    Lake.create(folder, LakeConfig()).close()
    # what else the commands take for a run
    (folder / "run.yaml").write_text(f"seed: {seed}\nrounds: {ROUNDS}\n", encoding="utf-8")
    where = catalog.place(folder, LakeConfig())
    sql = statements()
    with catalog.session(where) as log:
        catalog.attach(log, where, write=True)
        for name in ("HELPERS", "LIBRARY", "REST"):
            log.execute(sql[name].substitute(numbers))
        rounds_each = max(PART // (4 * each), 1)
        begun = time.monotonic()
        for first in range(0, ROUNDS, rounds_each):
            end = min(first + rounds_each, ROUNDS)
            part = {
                "first": first * 4 * each, "end": end * 4 * each,
                "first_round": first, "last_round": end - 1,
            }  # fmt: skip
            for name in ("PROBLEMS", "ATTEMPTS", "READS", "ROWS"):
                log.execute(sql[name].substitute(numbers, **part))
            took = time.monotonic() - begun
            print(f"{folder.name}: {4 * each * end:,} of {total:,} attempts, {took:.0f} s", flush=True)


# -- asking ----------------------------------------------------------------------------------------------
def ask(folders: dict[str, Path], words: str, repeat: int) -> dict[str, float]:
    """Median times of a question in seconds, its rows, and the peak of this process's memory in GiB."""
    query, several = next((query, several) for w, query, several in questions() if w == words)
    first = next(iter(folders.values()))
    connected = culture.connect_many(folders) if several else culture.connect(first)
    wall, cpu, rows = [], [], 0
    with connected as log:
        for _ in range(repeat):
            begun, spent = time.monotonic(), time.process_time()
            rows = select(log, query).num_rows
            wall.append(time.monotonic() - begun)
            cpu.append(time.process_time() - spent)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"wall": statistics.median(wall), "cpu": statistics.median(cpu), "peak": peak, "rows": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--attempts", type=int, default=10_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the logs are made, or were with --keep")
    parser.add_argument("--only", default="", help="questions with these words in them")
    parser.add_argument("--keep", action="store_true", help="leave the logs where they are")
    parser.add_argument("--ask", help=argparse.SUPPRESS)
    given = parser.parse_args()
    place = given.folder or Path(tempfile.mkdtemp(prefix="ludus-queries-"))
    folders = {"large": place / "large", "small": place / "small"}
    if given.ask:
        print(json.dumps(ask(folders, given.ask, given.repeat)))
        return
    try:
        for (name, folder), size in zip(
            folders.items(), (given.attempts, given.attempts // 10), strict=True
        ):
            if not folder.exists():
                write(folder, size, seed=len(name))
        used = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
        print(
            f"{used / 2**30:.2f} GiB in {place}\n{'p50':>8}  {'cpu':>7}  {'GiB':>5}  {'rows':>9}  question"
        )
        for words, _, _ in questions():
            if given.only.lower() not in words.lower():
                continue
            again = ["--ask", words, "--folder", str(place), "--repeat", str(given.repeat)]
            ran = subprocess.run(
                [sys.executable, "-m", "benchmarks.queries", *again],
                cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
            )  # fmt: skip
            f = json.loads(ran.stdout)
            told = f"{f['wall']:7.2f}s  {f['cpu']:6.2f}s  {f['peak']:5.2f}  {f['rows']:9,}  {words}"
            print(told, flush=True)
    finally:
        if not given.keep:
            shutil.rmtree(place)


if __name__ == "__main__":
    main()
