"""The problems that a strategy remembers in one domain, and how they fared."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from culture.records import Attempt, Json, Problem
from curricula.base import Candidate, Floats, counted, placed

Priority = Callable[[Sequence[Candidate]], Floats]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one round's attempts on one problem came to."""

    difficulty: float
    solved: int
    tried: int


class Buffer:
    """At most ``size`` problems of one domain, oldest first, without their texts.

    The counts of a problem are those of the last round in which it was attempted twice or more, since
    p is a property of a problem *and* a policy version; a single attempt is added to what is there.
    """

    def __init__(self, domain: str, size: int) -> None:
        self.domain = domain
        self.size = size
        self.unplaced = 0
        """Attempts so far on problems that had left the buffer: they count nowhere."""
        self._items: dict[str, Candidate] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self._items.values())

    def __contains__(self, problem_id: str) -> bool:
        return problem_id in self._items

    def __getitem__(self, problem_id: str) -> Candidate:
        return self._items[problem_id]

    def items(self) -> list[Candidate]:
        """The problems, oldest first."""
        return list(self._items.values())

    def ages(self, now: int) -> Floats:
        """Rounds since each problem was last attempted, shape (len,)."""
        return now - np.fromiter((c.last_round for c in self), np.float64, len(self))

    def add(self, problems: Sequence[Problem]) -> None:
        """Remember newly admitted problems. Raises ValueError where one is known already."""
        for p in problems:
            if p.problem_id in self._items:
                raise ValueError(
                    f"expected a new problem, got {p.problem_id!r}, which was observed before; "
                    "pass each problem once, in the round that admitted it"
                )
            self._items[p.problem_id] = Candidate(
                p.problem_id, p.domain, placed(p), 0, 0, p.round, p.round, p.parent_id
            )

    def record(self, attempts: Sequence[Attempt]) -> list[Outcome]:
        """Count attempts; the outcomes of this call, one for each problem attempted, in order of id."""
        counts: dict[str, list[int]] = {}
        for a in attempts:
            if not counted(a):
                continue
            if a.problem_id not in self._items:
                self.unplaced += 1
                continue
            count = counts.setdefault(a.problem_id, [0, 0, a.round])
            count[0] += a.correct
            count[1] += 1
            count[2] = max(count[2], a.round)
        outcomes = []
        # Sums of floats depend on order; attempts come in the order in which machines finished them.
        for problem_id, (solved, tried, last) in sorted(counts.items()):
            c = self._items[problem_id]
            outcomes.append(Outcome(c.difficulty, solved, tried))
            if tried < 2:
                solved, tried = solved + c.solved, tried + c.tried
            self._items[problem_id] = Candidate(
                c.problem_id, c.domain, c.difficulty, solved, tried, c.round,
                max(last, c.last_round), c.parent_id,
            )  # fmt: skip
        return outcomes

    def evict(self, priority: Priority) -> None:
        """Drop the lowest priorities above the size; NaN is lowest, and of equals the oldest goes."""
        excess = len(self) - self.size
        if excess <= 0:
            return
        items = self.items()
        values = priority(items)
        order = np.argsort(np.where(np.isnan(values), -np.inf, values), kind="stable")
        for i in order[:excess]:
            del self._items[items[i].problem_id]

    def keep(self, problem_ids: Collection[str]) -> None:
        """Drop all problems but these."""
        self._items = {i: c for i, c in self._items.items() if i in problem_ids}

    def state_dict(self) -> Json:
        """Plain JSON values; one row a problem, without the domain."""
        rows: list[list[object]] = [
            [c.problem_id, c.difficulty, c.solved, c.tried, c.round, c.last_round, c.parent_id]
            for c in self
        ]
        return {"unplaced": self.unplaced, "problems": rows}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state``."""
        self.unplaced = int(state["unplaced"])
        self._items = {
            row[0]: Candidate(row[0], self.domain, float(row[1]), row[2], row[3], row[4], row[5], row[6])
            for row in state["problems"]
        }


def by_domain(
    domains: Sequence[str], problems: Sequence[Problem], attempts: Sequence[Attempt]
) -> dict[str, tuple[list[Problem], list[Attempt]]]:
    """Problems and attempts of each domain, all of ``domains`` present.

    Raises ValueError for one of another domain, or a problem that was not admitted or has no difficulty.
    """
    split: dict[str, tuple[list[Problem], list[Attempt]]] = {d: ([], []) for d in domains}
    try:
        for p in problems:
            placed(p)
            split[p.domain][0].append(p)
        for a in attempts:
            split[a.domain][1].append(a)
    except KeyError as unknown:
        raise ValueError(
            f"expected a domain among {', '.join(domains)}, got {unknown.args[0]!r}; "
            "make the strategy with every domain of the run"
        ) from None
    return split
