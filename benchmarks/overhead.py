"""How much of a run's wall time goes into generating, verifying and training.

    python benchmarks/overhead.py [PRESET] [--rounds N] [--set a.b=c]... [--poll SECONDS]

Plays a preset from nothing, warm-up included unless it is cached, and prints the share of the wall time,
from before the run's folder is made until it is closed, that was spent waiting for engines, verifiers and
the learner. With ``--poll`` a second process queries the log that often all the while (0.5 is twice a
second) and the number of its queries and errors is printed too.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import culture
from arena.config import RunConfig
from arena.run import Run
from arena.settings import load

POLL = """
import sys, time
import culture
folder, every = sys.argv[1], float(sys.argv[2])
queries = errors = 0
connection = None
while True:
    line = sys.stdin.readline() if not sys.stdin.isatty() and select([sys.stdin], [], [], 0)[0] else None
    if line == "":
        break
    try:
        if connection is None:
            connection = culture.connect(folder)
        connection.execute("SELECT max(round), count(*), avg(correct::INT) FROM attempts").fetchall()
        connection.execute("SELECT count(*), count(DISTINCT problem_id) FROM problems").fetchall()
        queries += 2
    except Exception as error:
        errors += 1
        print(type(error).__name__, str(error)[:300], file=sys.stderr, flush=True)
    time.sleep(every)
print(f"second process: {queries} queries, {errors} errors", flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="share of wall time in the work itself")
    parser.add_argument("preset", nargs="?", default="spark")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], dest="sets")
    parser.add_argument("--poll", type=float, default=0.0)
    options = parser.parse_args()
    sets = [*options.sets, *([f"rounds={options.rounds}"] if options.rounds else [])]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        started = time.perf_counter()
        run = Run.create(folder, load(options.preset, sets, RunConfig))
        poller = None
        if options.poll:
            program = "from select import select\n" + POLL
            poller = subprocess.Popen(
                [sys.executable, "-c", program, str(folder), str(options.poll)], stdin=subprocess.PIPE
            )
        try:
            run.play()
        finally:
            run.close()
        wall = time.perf_counter() - started
        if poller is not None and poller.stdin is not None:
            poller.stdin.close()
            poller.wait()
        with culture.connect(folder) as connection:
            row = connection.execute(
                "SELECT sum(generating_seconds), sum(verifying_seconds), sum(training_seconds), count(*), "
                "sum(request_seconds), sum(propose_seconds), sum(attempt_seconds), sum(judge_seconds), "
                "sum(write_seconds), sum(learn_seconds), sum(evaluate_seconds), "
                "sum(previous_commit_seconds) FROM rounds"
            ).fetchone()
        assert row is not None
    work = sum(row[:3])
    print(f"wall {wall:.1f} s, {row[3]} rounds")
    for name, seconds in zip(("generating", "verifying", "training"), row[:3], strict=True):
        print(f"  {name:<11} {seconds:7.1f} s  {seconds / wall:6.1%}")
    print(f"  together    {work:7.1f} s  {work / wall:6.1%} of the wall time")
    phases = ("request", "propose", "attempt", "judge", "write", "learn", "evaluate", "commit")
    print("  phases: " + ", ".join(f"{n} {s or 0:.1f}" for n, s in zip(phases, row[4:], strict=True)))


if __name__ == "__main__":
    main()
