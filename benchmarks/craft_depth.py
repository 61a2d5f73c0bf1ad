"""How deep does craft get alone, with a library, with placebos, and by who can read whom?

    python -m benchmarks.craft_depth [FOLDER] [--last 10]

Reads the finished runs of ``run_arena.py study topology`` (or of another study or sweep on craft, as
``FOLDER``, whose runs are called CONDITION-seedN) and plays nothing. The depth reached in an arm is the sum
over depths d = 1, 2, ... of the share of attempts that made a goal of depth d whose recipes were not shown
with it, in the ``--last`` rounds, over depths that every arm of the run was drawn at least ten times for. A
solver that makes everything down to depth 2 and nothing below reaches 2. Arms are drawn by lot, so
differences within a run are effects; intervals are Student's t over seeds at 95%, and those against the
complete graph are paired by seed. Beside it stands the deepest such goal that was made by anybody, by arm.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from pathlib import Path

import numpy as np

import culture
from benchmarks.playing import interval

ARMS = ("none", "library", "placebo")
FEWEST = 10
"""Attempts in each arm at a depth, for it to count."""
_OF_DEPTH = """
    SELECT a.arm, (p.features ->> '$.depth')::INT AS depth, avg(a.correct::INT), count(*)
    FROM attempts a JOIN problems p USING (problem_id)
    WHERE p.domain = 'craft' AND a.verdict <> 'error' AND NOT (p.features ->> '$.page')::DOUBLE::BOOLEAN
        AND a.round > (SELECT max(round) FROM rounds) - ? GROUP BY ALL
"""
_DEEPEST = """
    SELECT a.arm, max((p.features ->> '$.depth')::INT) FROM attempts a JOIN problems p USING (problem_id)
    WHERE p.domain = 'craft' AND a.correct AND NOT (p.features ->> '$.page')::DOUBLE::BOOLEAN GROUP BY ALL
"""


def depths(folder: Path, last: int) -> tuple[dict[str, float], dict[str, int]]:
    """Of a run the depth reached by arm, and the deepest goal that was made in each."""
    with culture.connect(folder) as log:
        rows = log.execute(_OF_DEPTH, [last]).fetchall()
        deepest = {str(arm): int(depth) for arm, depth in log.execute(_DEEPEST).fetchall()}
    shares: dict[int, dict[str, float]] = defaultdict(dict)
    for arm, depth, share, n in rows:
        if arm in ARMS and n >= FEWEST:
            shares[int(depth)][str(arm)] = float(share)
    whole = [found for found in shares.values() if len(found) == len(ARMS)]
    reached = {arm: float(sum(found[arm] for found in whole)) if whole else math.nan for arm in ARMS}
    return reached, deepest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("runs/study-topology"))
    parser.add_argument("--last", type=int, default=10, help="rounds that count")
    options = parser.parse_args()
    found: dict[str, dict[int, tuple[dict[str, float], dict[str, int]]]] = defaultdict(dict)
    for config in sorted(options.folder.glob("*-seed*/run.yaml")):
        condition, _, seed = config.parent.name.rpartition("-seed")
        found[condition][int(seed)] = depths(config.parent, options.last)
    if not found:
        parser.error(
            f"expected finished runs in {options.folder}, got none; play: run_arena.py study topology"
        )
    names = ["alone", "library", "placebo", "library less alone", "library less placebo"]
    print(f"{'condition':<12} {'seeds':>5}  " + " ".join(f"{n:<22}" for n in [*names, "deepest made"]))
    for condition, runs in found.items():
        by_arm = {arm: [reached[arm] for reached, _ in runs.values()] for arm in ARMS}
        columns = [by_arm[arm] for arm in ARMS]
        columns += [
            list(np.subtract(by_arm["library"], by_arm[other]).tolist()) for other in ("none", "placebo")
        ]
        most = "/".join(str(max(deepest.get(arm, 0) for _, deepest in runs.values())) for arm in ARMS)
        print(
            f"{condition:<12} {len(runs):>5}  "
            + " ".join(f"{interval(c, '.2f'):<22}" for c in columns)
            + f" {most}"
        )
    if "complete" in found:
        print("\nless complete, paired by seed")
        for condition, runs in found.items():
            if condition == "complete" or set(runs) != set(found["complete"]):
                continue
            for arm in ("library", "none"):
                less = [runs[s][0][arm] - found["complete"][s][0][arm] for s in runs]
                print(f"{condition:<12} {arm:<8} {interval(less, '.2f')}")
            effect = [
                (runs[s][0]["library"] - runs[s][0]["none"])
                - (found["complete"][s][0]["library"] - found["complete"][s][0]["none"])
                for s in runs
            ]
            print(f"{condition:<12} library less alone {interval(effect, '.2f')}")


if __name__ == "__main__":
    main()
