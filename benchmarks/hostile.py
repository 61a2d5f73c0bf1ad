"""What hostile authors do to a run, with and without the defences of the library.

    python -m benchmarks.hostile [--seeds 2] [--rounds 10] [--kinds none wrong mixed ...] [--preset craft]
        [--defences off on strict]

A fifth of the population writes to do harm, all of one kind or one of each (``mixed``; ``none`` is a run
without them), 4 notes each a round beside 16 honest ones. Every run is played thrice for each seed: with
the defences off; with re-check, quarantine, reputation and limits on; and with all of these where solvers
are shown confirmed texts alone (``strict``). Runs are small ones of a preset, in this process: ``craft``,
where reading helps, so that there is something to lose, or ``spark``. What the warm-up made for a seed is
used in all conditions. Printed are

* *held out*: the share of anchors solved at the end;
* *library - none*: the library's effect on success, its interval clustered by problem, over all seeds;
* *hostile reads*: the share of what attempts in the library arm were shown that hostile authors wrote;
* *honest texts*: how many were written, how many were refused or hidden, how many are not in the log.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import culture
from arena.cluster import Cluster
from arena.config import RunConfig
from arena.evaluating import wilson
from arena.librarian import Shelved
from arena.run import Run
from arena.settings import load
from culture.clustered import LEVEL, clustered_difference, interval
from culture.edits import Archive, Edit

KINDS = ("spam", "wrong", "inject", "copy", "ring", "poison")
DEFENCES: dict[str, list[str]] = {
    "off": ["library.recheck=false"],
    "on": [
        "library.recheck=true",
        "library.quarantine_harmful=true",
        "library.reputation_strength=1.0",
        "library.author_notes_per_round=4",
        "library.near_duplicate=0.9",
    ],
}
DEFENCES["strict"] = [*DEFENCES["on"], "library.unchecked=hide"]
SMALL = {
    "spark": [
        "cluster.local=true",
        "domains=[transforms]",
        "rollout.problems=120",
        "rollout.attempts=4",
        "rollout.arms={library: 0.45, none: 0.45, placebo: 0.1}",
        "rollout.notes_written=16",
        "rollout.hard_below=1.0",
        "evaluation.every=2",
        # within reach of what the warm-up taught, so that reading can help or harm
        "curriculum.learnability.start_target=8",
        "curriculum.learnability.minimum_target=4",
    ],
    "craft": [
        "cluster.local=true",
        "rollout.arms={library: 0.45, none: 0.45, placebo: 0.1}",
        "rollout.notes_written=32",
    ],
}
POLICIES = {"spark": ("proposer", "solver"), "craft": ("spark", "spark")}
"""Of authors and of pupils."""
HOSTILE = 6
"""Hostile agents beside 24 others."""


@dataclass(slots=True)
class Found:
    """What the runs of one condition came to, over seeds."""

    held_out: list[bool] = field(default_factory=list)
    attempts: list[tuple[str, str, bool]] = field(default_factory=list)
    """Problem (of a seed), arm, and whether it was right."""
    reads: int = 0
    hostile_reads: int = 0
    honest: int = 0
    refused: int = 0
    hidden: int = 0
    lost: int = 0
    hostile: int = 0
    quarantined: int = 0
    seconds: float = 0.0


def population(kind: str, preset: str) -> str:
    """The override that makes a fifth of everyone hostile."""
    proposer, solver = POLICIES[preset]
    groups: list[dict[str, Any]] = [
        {"name": "author", "count": 8, "roles": ["proposer"], "policy": proposer},
        {"name": "pupil", "count": 16, "roles": ["solver"], "policy": solver},
    ]
    kinds = [] if kind == "none" else list(KINDS) if kind == "mixed" else [kind]
    for name in kinds:
        group = {"name": name, "roles": ["editor"], "hostile": name, "hostile_notes": 4}
        groups.append(group | {"count": HOSTILE // len(kinds)})
    return f"population.groups={json.dumps(groups)}"


def played(folder: Path, config: RunConfig) -> list[Edit]:
    """Play a run in this process; every edit that the library was given."""
    given: list[Edit] = []
    close = Cluster.close_round

    def recorded(
        self: Cluster,
        committed: int,
        round: int,
        edits: Sequence[Edit | Archive],
        reads: Mapping[str, int],
    ) -> Shelved:
        given.extend(edit for edit in edits if isinstance(edit, Edit))
        return close(self, committed, round, edits, reads)

    Cluster.close_round = recorded  # type: ignore[method-assign]
    try:
        run = Run.create(folder, config)
        run.play()
        run.close()
    finally:
        Cluster.close_round = close  # type: ignore[method-assign]
    return given


def look(folder: Path, given: list[Edit], seed: int, found: Found) -> None:
    """Add what a run came to."""
    with culture.connect(folder) as log:

        def ask(sql: str) -> list[tuple[Any, ...]]:
            return log.execute(sql).fetchall()

        last = "(SELECT max(round) FROM evaluations)"
        found.held_out += [c for (c,) in ask(f"SELECT correct FROM evaluations WHERE round = {last}")]
        rows = ask("SELECT problem_id, arm, correct FROM attempts WHERE verdict <> 'error'")
        found.attempts += [(f"{seed}-{p}", arm, correct) for p, arm, correct in rows]
        bad = {a for (a,) in ask("SELECT agent_id FROM agents WHERE hostile IS NOT NULL")}
        author = dict(ask("SELECT revision_id, author FROM revisions"))
        read = [author[r] for (r,) in ask("SELECT revision_id FROM reads WHERE arm = 'library'")]
        found.reads += len(read)
        found.hostile_reads += sum(a in bad for a in read)
        stored = {b for (b,) in ask("SELECT body FROM revisions")}
        refusals = ask("SELECT subject, detail FROM events WHERE kind LIKE 'refused:%'")
        told = "\n".join(detail for _, detail in refusals)
        honest = [e for e in given if e.author not in bad]
        found.honest += len(honest)
        found.hostile += len(given) - len(honest)
        found.refused += sum(a not in bad for a, _ in refusals)
        found.lost += sum(e.body not in stored and e.body not in told for e in honest)
        hidden = ask(
            "WITH m AS MATERIALIZED (SELECT parents[1] AS revision_id FROM revisions "
            "WHERE outcome = 'quarantined'), r AS MATERIALIZED (SELECT revision_id, author FROM revisions) "
            "SELECT author FROM m JOIN r USING (revision_id)"
        )
        found.hidden += sum(a not in bad for (a,) in hidden)
        found.quarantined += sum(a in bad for (a,) in hidden)


def effect(attempts: Sequence[tuple[str, str, bool]]) -> str:
    """Library less none, in points, with the interval."""
    problems = {name: at for at, name in enumerate(sorted({p for p, _, _ in attempts}))}
    counts = np.zeros((4, len(problems)))
    for problem, arm, correct in attempts:
        if arm in ("library", "none"):
            row = 0 if arm == "library" else 2
            counts[row, problems[problem]] += 1
            counts[row + 1, problems[problem]] += correct
    difference, error = clustered_difference(*counts)
    if error is None:
        return f"{100 * difference:+6.2f}"
    low, high = interval(difference, error, len(problems), LEVEL)
    return f"{100 * difference:+6.2f} [{100 * low:+6.2f}, {100 * high:+6.2f}]"


def share(k: int, n: int) -> str:
    """A share with Wilson's interval."""
    if not n:
        return "none"
    low, high = wilson(k, n)
    return f"{k / n:6.1%} [{low:6.1%}, {high:6.1%}]"


def main() -> None:
    parser = argparse.ArgumentParser(description="hostile authors with and without defences")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--preset", choices=sorted(SMALL), default="craft")
    parser.add_argument("--kinds", nargs="+", default=["none", *KINDS, "mixed"])
    parser.add_argument("--defences", nargs="+", choices=list(DEFENCES), default=list(DEFENCES))
    options = parser.parse_args()
    print(
        f"{'kind':>8} {'defences':>8} {'held out':>24} {'library arm':>24} {'library - none, points':>27} "
        f"{'hostile reads':>24} {'honest: refused hidden lost':>28} {'hostile: quarantined':>20} {'s':>5}"
    )
    for kind in options.kinds:
        for defence in options.defences:
            overrides = DEFENCES[defence]
            found = Found()
            started = time.perf_counter()
            for seed in range(options.seeds):
                sets = [
                    *SMALL[options.preset],
                    population(kind, options.preset),
                    *overrides,
                    f"rounds={options.rounds}",
                    f"seed={seed}",
                ]
                with tempfile.TemporaryDirectory() as scratch:
                    folder = Path(scratch) / "run"
                    look(folder, played(folder, load(options.preset, sets, RunConfig)), seed, found)
            found.seconds = time.perf_counter() - started
            library = [right for _, arm, right in found.attempts if arm == "library"]
            honest = f"{found.honest}: {found.refused} {found.hidden} {found.lost}"
            print(
                f"{kind:>8} {defence:>8} {share(sum(found.held_out), len(found.held_out)):>24} "
                f"{share(sum(library), len(library)):>24} {effect(found.attempts):>27} "
                f"{share(found.hostile_reads, found.reads):>24} {honest:>28} "
                f"{f'{found.hostile}: {found.quarantined}':>20} {math.ceil(found.seconds):>5}",
                flush=True,
            )


if __name__ == "__main__":
    main()
