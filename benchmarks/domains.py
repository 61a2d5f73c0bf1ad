"""What does a small model learn of a domain in a few minutes? A short run: spark's, from nothing.

    python -m benchmarks.domains DOMAIN [SEED ...] [--rounds N] [--out FOLDER]

``DOMAIN`` is one of those below. ``reasoning_gym`` is worded and spark has no words, so SmolLM2 plays it,
with vLLM. Every run is whole: problems are proposed, attempted, judged, trained on
and evaluated, everything in this process (``cluster.local=true``). Printed are, for each seed, the share of
frozen anchors that the solver answers at the start and at the end, with Wilson's 95% intervals; the cells
in which that changed; and for games the ratings.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import duckdb

from analysis.matches import match_lines
from arena.config import RunConfig
from arena.evaluating import wilson
from arena.round import Progress
from arena.run import Run
from arena.settings import load
from culture import connect

SMALL = ["policies.solver.layers=2", "policies.solver.width=64", "policies.solver.heads=2"]
SMALL += [line.replace("solver", "proposer") for line in SMALL]
PLAYING = [
    "learner.solver.objective=rae",
    "learner.lr=1.0e-3",
    "rollout.attempts=3",
    "rollout.problems=100",
    "rollout.arms={none: 1.0}",
    "rollout.notes_written=0",
    "warm_up.tokens=300000",
    "warm_up.learning_rate=2.0e-3",
]
ASKING = [
    "curriculum.learnability.start_target=3.0",
    "curriculum.learnability.minimum_target=1.0",
    "warm_up.propose_target=30.0",
    "warm_up.solve_target=30.0",
]
READING = [
    "policies.solver.rope_theta=10000",
    "policies.proposer.rope_theta=10000",
    "warm_up.tokens=3000000",
    "warm_up.learning_rate=3.0e-3",
    "warm_up.solve_target=16.0",
    "warm_up.read_target=16.0",
    "warm_up.propose_target=40.0",
    "curriculum.learnability.start_target=12.0",
    "curriculum.learnability.minimum_target=6.0",
    "rollout.problems=200",
    "engine.prompt_chars=180",
    "engine.answer_tokens=48",
    "engine.proposal_tokens=110",
]
GAME = ["plugins=[benchmarks.text_game]", "domains=['gym:HotCold-v0']"]
KINDS: dict[str, tuple[int, list[str]]] = {
    "transforms": (12, ["domains=[transforms]"]),
    "arithmetic": (50, ["domains=[arithmetic]", "curriculum.learnability.start_target=4.0",
                        "curriculum.learnability.minimum_target=2.0", "warm_up.solve_target=4.0",
                        "warm_up.read_target=20.0", "warm_up.propose_target=60.0"]),
    "program": (80, ["domains=[program]", "warm_up.propose_target=60.0", "warm_up.solve_target=12.0",
                     "warm_up.read_target=12.0", "engine.proposal_tokens=96", "rollout.problems=300"]),
    "games": (150, ["domains=[games]", *SMALL, *PLAYING, *ASKING]),
    "games:tictactoe": (150, ["domains=['games:tictactoe']", *SMALL, *PLAYING, *ASKING]),
    "games:kuhn": (150, ["domains=['games:kuhn']", *SMALL, *PLAYING, *ASKING]),
    "reading": (12, ["domains=[reading]", *SMALL, *READING]),
    "gym:HotCold-v0": (150, [*GAME, *SMALL, *PLAYING, "evaluation.per_cell=64"]),
    "reasoning_gym": (6, ["domains=[reasoning_gym]", "engine.prompt_chars=1200", "engine.context=1536",
                          "evaluation.per_cell=12", "evaluation.cells=9", "rollout.notes_written=0",
                          "rollout.arms={none: 1.0}", "curriculum.learnability.start_targets={}",
                          "curriculum.asking.start_targets={}"]),
}  # fmt: skip
"""Rounds and overrides of the preset, by domain."""
PRESETS = {"reasoning_gym": "smollm2"}
"""Where it is not ``spark``."""


def play(folder: Path, domain: str, seed: int, rounds: int | None) -> float:
    """Play a run, or what is left of it; seconds that it took, the warm-up included."""
    default, overrides = KINDS[domain]
    count = default if rounds is None else rounds
    common = [f"seed={seed}", f"rounds={count}", "cluster.local=true", f"evaluation.every={count}"]
    preset = PRESETS.get(domain, "spark")
    config = load(preset, [*common, "evaluation.per_cell=24", *overrides], RunConfig)
    run = Run.open(folder) if (folder / "run.yaml").exists() else Run.create(folder, config)
    started = time.perf_counter()

    def watch(progress: Progress) -> None:
        if progress.phase == "committed":
            print(
                f"  round {progress.round + 1}/{count}: {time.perf_counter() - started:.0f} s", flush=True
            )

    try:
        run.play(watch)
    finally:
        run.close()
    return time.perf_counter() - started


def report(log: duckdb.DuckDBPyConnection) -> list[str]:
    """Held-out shares at the start and the end, and by cell."""
    rows = log.execute(
        "SELECT round, policy_version, cell, sum(correct::INT), count(*) FROM evaluations GROUP BY round, "
        "policy_version, cell ORDER BY round, split_part(policy_version, '@', 2)::INT, min(rowid)"
    ).fetchall()
    ends = [(rows[0][0], rows[0][1]), (rows[-1][0], rows[-1][1])]
    lines, cells = [], []
    for at in ends:
        mine = [row for row in rows if row[:2] == at]
        right, asked = sum(row[3] for row in mine), sum(row[4] for row in mine)
        low, high = wilson(right, asked)
        share = f"{right / asked:.3f} [{low:.3f}, {high:.3f}] of {asked} anchors"
        lines.append(f"  {at[1]:12} {share}")
        cells.append({row[2]: f"{row[3]}/{row[4]}" for row in mine})
    before, after = cells
    changed = [f"{cell} {before[cell]} -> {after[cell]}" for cell in before if before[cell] != after[cell]]
    return [*lines, "  " + "; ".join(changed or ["no cell changed"])]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("domain", choices=list(KINDS))
    parser.add_argument("seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--out", type=Path, help="a folder in which the runs are kept")
    options = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    place = options.out or Path(tempfile.mkdtemp(prefix="ludus-domains-"))
    try:
        for seed in options.seeds:
            print(f"{options.domain}, seed {seed}", flush=True)
            folder = place / f"{options.domain.replace(':', '-')}-{seed}"
            seconds = play(folder, options.domain, seed, options.rounds)
            with connect(folder) as log:
                lines = report(log) + [f"  {label}: {text}" for label, text in match_lines(log)]
            print("\n".join([*lines, f"  {seconds:.0f} s"]), flush=True)
    finally:
        if options.out is None:
            shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
