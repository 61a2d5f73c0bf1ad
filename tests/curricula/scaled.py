"""A log of a school whose abilities and difficulties are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from culture.records import Attempt, Evaluation, RoundRows
from curricula.irt import probability
from tests.culture.rows import example, rows_of

CELLS = {"1x2": -2.0, "2x4": 0.0, "4x8": 2.0}
EACH = 12
ABILITY = {0: -2.0, 1: -1.0, 2: 0.5, 3: 1.5}
"""Of version 0, and of that of each round."""
HARDER = 1.5
"""Logits between the problems of a round and who attempts them."""


def rows(at: int, seed: int, more: float) -> RoundRows:
    """Round ``at``: its solver is version ``at``, and version ``at + 1`` is evaluated."""
    rng = np.random.default_rng([seed, at])
    frozen = np.random.default_rng(99).normal(0, 0.5, (len(CELLS), EACH))
    found = rows_of(at, evaluations=0, attempts=0, runs=int(at == 0))
    for version in [0, 1] if at == 0 else [at + 1]:
        for row, (cell, place) in enumerate(CELLS.items()):
            for n in range(EACH):
                p = probability(ABILITY[version] + more, place + frozen[row, n])
                found.evaluations.append(
                    replace(
                        example(Evaluation, at, n), policy_version=f"solver@{version}", domain="sums",
                        anchor_id=f"n{row}-{n}", cell=cell, correct=bool(rng.uniform() < p),
                    )
                )  # fmt: skip
    for n in range(300):
        for k in range(2):
            correct = bool(rng.uniform() < probability(0.0, HARDER))
            found.attempts.append(
                replace(
                    example(Attempt, at, n), attempt_id=f"a{at}-{n}-{k}", problem_id=f"p{at}-{n}",
                    domain="sums", policy_version=f"solver@{at}", arm="none", replay=False, correct=correct,
                    verdict="correct" if correct else "wrong",
                )
            )  # fmt: skip
    # of none of these is anything to be seen: another arm, a replay, one that infrastructure lost
    odd = {"arm": "library"}, {"replay": True}, {"verdict": "error"}
    found.attempts += [
        replace(
            found.attempts[0], attempt_id=f"odd{at}-{n}", problem_id=f"odd{at}-{n}", correct=True, **changes
        )
        for n, changes in enumerate(odd)
    ]
    return found
