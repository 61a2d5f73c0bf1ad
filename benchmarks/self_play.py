"""Does a school that trains on what it wrote stay alive for hundreds of rounds, with guards and without?

    python -m benchmarks.self_play [--rounds 500] [--seeds 2] [--at 50 100 200 500] [--runs runs/self_play]
        [--conditions guarded unguarded] [--jobs N] [--report]

Runs of the preset ``spark`` with fewer problems a round, so that five hundred rounds fit into minutes. In
``guarded`` all is as the preset has it. ``unguarded`` pays proposers for all that they wrote, be it a
problem or not, new or not, at ten times the rate, and the domain's operator writes no problems of its own
(docs/studies.md says what each guard is). ``imitating`` lacks only the two guards of what is paid.

For each condition and each of the rounds ``--at``: of the ten rounds up to it the share of proposals that
are valid, the share of valid ones that are new, the diversity (Vendi score of at most 1,000 of them, in
texts), the difficulty of what was admitted; and the share of held-out anchors solved. Means
over seeds with Student's t at 95%. A run that was stopped goes on with the same command.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console

import culture
from analysis.measures import health
from analysis.measures.embedding import embedding
from analysis.studies.playing import play
from arena.grid import configured
from arena.many import Planned
from benchmarks.playing import interval

CONDITIONS: dict[str, list[str]] = {
    "guarded": [],
    "imitating": ["curriculum.invalid_payment=1.0", "curriculum.duplicate_payment=1.0"],
    "unguarded": [
        "curriculum.invalid_payment=1.0",
        "curriculum.duplicate_payment=1.0",
        "rollout.operator_share=0",
        "policies.proposer.lr=3.0e-4",
    ],
}
COMMON = ["rollout.problems=120", "rollout.notes_written=8", "evaluation={every: 50, per_cell: 12}"]
WINDOW = 10
"""Rounds that a figure is of."""
COLUMNS = ("valid", "new of valid", "Vendi", "difficulty", "held out")


def planned(condition: str, seed: int, rounds: int) -> Planned:
    """A run of a condition."""
    overrides = [*COMMON, f"rounds={rounds}", *CONDITIONS[condition]]
    return Planned(f"{condition}-seed{seed}", configured("spark", overrides, seed))


def figures(folder: Path, at: int) -> dict[str, float]:
    """What the ``WINDOW`` rounds up to round ``at``, counted from 1, came to; NaN for nothing."""
    rounds = range(max(0, at - WINDOW), at)
    with culture.connect(folder) as log:
        found = health.of_log(log, embedding(log), rounds)
        valid, new = log.execute(
            "SELECT avg((answer_key IS NOT NULL)::INT), avg((reason IS DISTINCT FROM 'duplicate')::INT) "
            "FILTER (answer_key IS NOT NULL) FROM problems WHERE origin = 'policy' "
            "AND failure_source IS DISTINCT FROM 'infrastructure' AND round >= ? AND round < ?",
            [rounds.start, rounds.stop],
        ).fetchone() or (None, None)
        (difficulty,) = log.execute(
            "SELECT avg(mean_difficulty) FROM rounds WHERE round >= ? AND round < ?",
            [rounds.start, rounds.stop],
        ).fetchone() or (None,)
        (held,) = log.execute(
            "SELECT arg_max(value, round) FROM measures WHERE name = 'held_out/solver' AND round < ?", [at]
        ).fetchone() or (None,)
    values = (valid, new, found.vendi, difficulty, held)
    return {
        name: np.nan if value is None else float(value) for name, value in zip(COLUMNS, values, strict=True)
    }


def report(runs: Path, conditions: list[str], seeds: int, rounds: int, at: list[int]) -> None:
    """Print the table."""
    print(f"{'condition':<11} {'round':>5}  " + " ".join(f"{name:<24}" for name in COLUMNS))
    for condition in conditions:
        for end in (e for e in at if e <= rounds):
            each = [figures(runs / f"{condition}-seed{seed}", end) for seed in range(seeds)]
            shown = [
                interval([f[name] for f in each], ".1f" if name in ("Vendi", "difficulty") else ".3f")
                for name in COLUMNS
            ]
            print(f"{condition:<11} {end:>5}  " + " ".join(f"{text:<24}" for text in shown))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--at", type=int, nargs="+", default=[1, 50, 100, 200, 500])
    parser.add_argument("--runs", type=Path, default=Path("runs/self_play"))
    parser.add_argument("--conditions", nargs="+", default=list(CONDITIONS), choices=list(CONDITIONS))
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    if not options.report:
        all_ = [
            planned(c, seed, options.rounds) for seed in range(options.seeds) for c in options.conditions
        ]
        play(all_, options.runs, options.jobs, Console())
    report(options.runs, options.conditions, options.seeds, options.rounds, options.at)


if __name__ == "__main__":
    main()
