"""Does the curriculum carry the learning? The default against no selection and an untrained proposer.

    python benchmarks/curriculum.py [--runs runs/study] [--seeds 3] [--jobs 2] [--rounds N] [--report]

Three conditions, the same seeds in each:

* ``default``: the preset ``spark`` as it is;
* ``no_selection``: the curriculum is ``uniform``: proposers write what they like, every valid new problem
  is admitted and paid alike, nothing is mutated or replayed;
* ``untrained_proposer``: the proposers' policy stays as the warm-up left it.

Everything else is equal: warm-up, rounds, requests and attempts a round, the solver's objective. Runs are
resumed where they were cut off, so the study can be interrupted. ``--report`` only reads finished runs.
Intervals over seeds are Student's t at 95%; with few seeds they are wide, which is the point of them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from scipy import stats

import culture
from benchmarks.playing import Planned, interval, play
from culture.effect import culture_effect

CONDITIONS: dict[str, list[str]] = {
    "default": [],
    "no_selection": ["curriculum.strategy=uniform"],
    "untrained_proposer": ["policies.proposer.trained=false"],
}


def planned(options: argparse.Namespace) -> list[Planned]:
    """Every run of the study."""
    sets = ["cluster.local=true", f"learner.threads={options.threads}"]
    sets += [f"rounds={options.rounds}"] if options.rounds else []
    return [
        Planned(f"{condition}-{seed}", "spark", seed, [*overrides, *sets])
        for seed in range(options.seeds)
        for condition, overrides in CONDITIONS.items()
    ]


def figures(folder: Path) -> dict[str, float]:
    """What one run is judged by."""
    with culture.connect(folder) as connection:

        def one(sql: str) -> float:
            row = connection.execute(sql).fetchone()
            assert row is not None
            return float("nan") if row[0] is None else float(row[0])

        held = (
            "SELECT avg(correct::INT) FROM evaluations WHERE policy_version = "
            "(SELECT policy_version FROM evaluations WHERE policy_version LIKE 'solver@%' "
            "ORDER BY split_part(policy_version, '@', 2)::INT "
        )
        difficulty = connection.execute(
            "SELECT round, mean_difficulty FROM rounds WHERE mean_difficulty IS NOT NULL ORDER BY round"
        ).fetchall()
        share = (
            "SELECT min(value) FROM (SELECT avg(value) OVER (ORDER BY round ROWS BETWEEN 9 PRECEDING AND "
            "CURRENT ROW) AS value, round FROM measures WHERE name = '{}') WHERE round >= 9"
        )
        return {
            "held-out share at the start": one(held + "LIMIT 1)"),
            "held-out share at the end": one(held + "DESC LIMIT 1)"),
            "Spearman of mean difficulty with round": float(
                stats.spearmanr(*zip(*difficulty, strict=True))[0]
            ),
            "mean difficulty, first round": float(difficulty[0][1]),
            "mean difficulty, last round": float(difficulty[-1][1]),
            "valid, worst ten rounds": one(share.format("valid_share")),
            "new, worst ten rounds": one(share.format("new_share")),
            "valid, last ten rounds": one(
                "SELECT avg(value) FROM measures WHERE name = 'valid_share' AND round > "
                "(SELECT max(round) - 10 FROM rounds)"
            ),
            "new, last ten rounds": one(
                "SELECT avg(value) FROM measures WHERE name = 'new_share' AND round > "
                "(SELECT max(round) - 10 FROM rounds)"
            ),
            "rounds": one("SELECT count(*) FROM rounds"),
            "seconds": one("SELECT sum(seconds) FROM rounds"),
        }


def held_out_after(folder: Path, seconds: float) -> float:
    """The held-out share at the last evaluation that rounds of so much wall time in all had reached."""
    with culture.connect(folder) as connection:
        row = connection.execute(
            "SELECT arg_max(m.value, m.round) FROM measures m JOIN (SELECT round, sum(seconds) OVER "
            "(ORDER BY round) AS spent FROM rounds) r USING (round) "
            "WHERE m.name = 'held_out/solver' AND r.spent <= ?",
            [seconds],
        ).fetchone()
    assert row is not None
    return float("nan") if row[0] is None else float(row[0])


def report(options: argparse.Namespace) -> None:
    """Print the tables."""
    found: dict[str, list[dict[str, float]]] = {}
    for condition in CONDITIONS:
        folders = [options.runs / f"{condition}-{seed}" for seed in range(options.seeds)]
        found[condition] = [figures(f) for f in folders if (f / "run.yaml").exists()]
    names = list(next(f for runs in found.values() for f in runs))
    for name in names:
        print(f"\n{name}")
        for condition, runs in found.items():
            values = [r[name] for r in runs]
            if values:
                each = ", ".join(f"{v:.3f}" for v in values)
                print(f"  {condition:<20} {interval(values):<28} seeds: {each}")
    gains = {c: [r["held-out share at the end"] for r in runs] for c, runs in found.items()}
    for other in ("no_selection", "untrained_proposer"):
        pairs = list(zip(gains["default"], gains[other], strict=False))
        if pairs:
            differences = interval([a - b for a, b in pairs])
            print(f"\nheld-out share, default less {other}, paired by seed: {differences}")
            # Each run at the wall time at which the default of its seed ended.
            cut = [
                held_out_after(options.runs / f"{other}-{seed}", r["seconds"])
                for seed, r in enumerate(found["default"][: len(pairs)])
            ]
            differences = interval([a - b for (a, _), b in zip(pairs, cut, strict=True)])
            each = ", ".join(f"{v:.3f}" for v in cut)
            print(f"  {other} at the default's wall time: {each}; default less that: {differences}")
    for condition in CONDITIONS:
        for seed in range(options.seeds):
            folder = options.runs / f"{condition}-{seed}"
            if (folder / "run.yaml").exists():
                with culture.connect(folder) as connection:
                    for effect in culture_effect(connection):
                        print(f"{folder.name}: {effect}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/study"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    if not options.report:
        play(planned(options), options.runs, options.jobs)
    report(options)


if __name__ == "__main__":
    main()
