"""Does culture ratchet? Newcomers with the library of those before them, without it, and one lifetime.

    python benchmarks/ratchet.py [--runs runs/ratchet] [--seeds 3] [--generations 3] [--length 4]
        [--problems 96]

Three conditions, the same seeds in each, small runs of the preset ``tiny`` on string transformations:

* ``library``: every ``length`` rounds all solvers retire; newcomers start from the first weights and read
  what was written before them, lessons of their teachers too;
* ``none``: the same, but newcomers see no note that was there before them;
* ``lifetime``: nobody retires; one generation has all rounds to learn in.

Everything else is equal, and so is the compute: warm-up, rounds, requests, attempts a round and the
solver's objective. Proposers are frozen and nothing is selected, so that the conditions of a seed get the
very same problems; figures are of the last ``length`` rounds, the lifetime of the last generation. Held-out
anchors are answered without notes after the last round. Differences are paired: by seed, with Student's t
at 95% over seeds, and by problem, over the problems of all seeds together. Runs are in this process, one
after the other, and go on where they were cut off; ``--report`` only reads them.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

import culture
from arena.config import RunConfig
from arena.run import Run
from arena.settings import load
from benchmarks.playing import over_seeds

CONDITIONS = ("library", "none", "lifetime")
ARMS = ("library", "none")


def configured(condition: str, seed: int, options: argparse.Namespace) -> RunConfig:
    """The configuration of one run."""
    rounds = options.generations * options.length
    sets = [
        f"seed={seed}",
        f"rounds={rounds}",
        "domains=[transforms]",
        "cluster.local=true",
        f"rollout.problems={options.problems}",
        "rollout.arms={library: 0.5, none: 0.5}",
        "rollout.notes_written=24",
        "rollout.hard_below=1.0",
        "curriculum.strategy=uniform",
        "policies.proposer.trained=false",
        f"evaluation={{every: {rounds}, per_cell: {options.per_cell}}}",
        "sleep.every=0",
        "warm_up.propose_target=8.0",  # within reach of a short life
    ]
    if condition != "lifetime":
        teachers = "true" if condition == "library" else "false"
        inherited = "inherited" if condition == "library" else "none"
        sets.append(
            f"population.generations={{every: {options.length}, groups: [pupil], weights: fresh, "
            f"library: {inherited}, teachers: {teachers}}}"
        )
    return load("tiny", sets, RunConfig)


def play(condition: str, seed: int, options: argparse.Namespace) -> None:
    """Play a run, or what is left of it."""
    folder = options.runs / f"{condition}-{seed}"
    begun = (folder / "run.yaml").exists()
    run = Run.open(folder) if begun else Run.create(folder, configured(condition, seed, options))
    started = time.perf_counter()
    try:
        run.play()
    finally:
        run.close()
    print(f"{folder.name}: {time.perf_counter() - started:.0f} s", flush=True)


class Found:
    """What one run came to in its last generation."""

    def __init__(self, folder: Path, length: int) -> None:
        with culture.connect(folder) as log:
            rows = log.execute(
                "SELECT problem_id, arm, avg(correct::INT), count(*) FROM attempts "
                "WHERE verdict <> 'error' AND round > (SELECT max(round) FROM rounds) - ? "
                "GROUP BY ALL ORDER BY ALL",
                [length],
            ).fetchall()
            held = log.execute(
                "SELECT avg(correct::INT) FROM evaluations WHERE round = (SELECT max(round) FROM rounds) "
                "AND policy_version LIKE 'solver@%'"
            ).fetchall()
            self.notes = log.execute("SELECT count(*) FROM notes").fetchall()[0][0]
            self.read = log.execute(
                "SELECT count(DISTINCT attempt_id) / (SELECT count(*) FROM attempts WHERE arm = 'library' "
                "AND round > (SELECT max(round) FROM rounds) - $n) FROM reads "
                "WHERE round > (SELECT max(round) FROM rounds) - $n",
                {"n": length},
            ).fetchall()[0][0]
        self.held_out = float(held[0][0])
        self.problems = {arm: {p: float(s) for p, a, s, _ in rows if a == arm} for arm in ARMS}
        self.solved = {
            arm: sum(s * n for _, a, s, n in rows if a == arm) / sum(n for _, a, _, n in rows if a == arm)
            for arm in ARMS
        }


def interval(values: list[float]) -> str:
    """Mean and 95% t-interval, in points."""
    mean, low, high = over_seeds([100 * v for v in values])
    return f"{mean:+.2f}" if len(values) < 2 else f"{mean:+.2f} [{low:+.2f}, {high:+.2f}]"


def report(options: argparse.Namespace) -> None:
    """Print the tables."""
    found = {
        c: [Found(options.runs / f"{c}-{seed}", options.length) for seed in range(options.seeds)]
        for c in CONDITIONS
    }
    print(
        f"\n{'condition':<10} {'held out':>9} {'library arm':>12} {'none arm':>9} {'found notes':>12} notes"
    )
    for condition, runs in found.items():
        cells = [
            [r.held_out for r in runs], [r.solved["library"] for r in runs],
            [r.solved["none"] for r in runs], [r.read for r in runs],
        ]  # fmt: skip
        held, library, none, read = (f"{100 * float(np.mean(c)):.1f}%" for c in cells)
        notes = ", ".join(str(r.notes) for r in runs)
        print(f"{condition:<10} {held:>9} {library:>12} {none:>9} {read:>12} {notes}")
    print("\ndifferences in points, paired")
    for a, b in (("library", "none"), ("library", "lifetime"), ("none", "lifetime")):
        pairs = list(zip(found[a], found[b], strict=True))
        print(f"{a} - {b}")
        print(f"  held out, by seed            {interval([x.held_out - y.held_out for x, y in pairs])}")
        for arm in ARMS:
            by_seed = [x.solved[arm] - y.solved[arm] for x, y in pairs]
            by_problem = [
                x.problems[arm][p] - y.problems[arm][p]
                for x, y in pairs
                for p in sorted(x.problems[arm].keys() & y.problems[arm].keys())
            ]
            print(f"  {arm + ' arm, by seed':<28} {interval(by_seed)}")
            print(f"  {arm + ' arm, by problem':<28} {interval(by_problem)}; {len(by_problem)} problems")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/ratchet"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--generations", type=int, default=3)
    parser.add_argument("--length", type=int, default=4)
    parser.add_argument("--problems", type=int, default=96)
    parser.add_argument("--per-cell", type=int, default=6)
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    if not options.report:
        for seed in range(options.seeds):
            for condition in CONDITIONS:
                play(condition, seed, options)
    report(options)


if __name__ == "__main__":
    main()
