"""The rows of a batch, cut into optimizer steps, and those into passes, which processes share out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from agents.config import LearnerConfig
from agents.learning.group import Group, dealt
from agents.learning.packing import Tokens, micro_batches
from agents.vocabulary import Vocabulary
from culture.records import BatchRow

PROBE_ROWS = 2
"""Rows of a micro-batch on which the divergence from the parent version is measured: eight cost a sixth of
the learner's time."""


@dataclass(frozen=True, slots=True)
class Part:
    """One forward and backward pass: rows of one objective."""

    rows: list[Tokens]
    trees: list[list[Tokens]]
    """The same rows by the prompt that they share; empty where they are padded."""

    @property
    def tokens(self) -> int:
        """What a pass computes, padding included, in tokens."""
        if not self.trees:
            return len(self.rows) * max(length(row) for row in self.rows)
        return sum(len(t[0].prompt) + sum(len(row.completion) for row in t) for t in self.trees)

    def halves(self) -> list[Part]:
        """The same rows in two passes of like length, or in one where they are too few."""
        # the rows that the divergence is measured on stay together
        least = 1 if self.trees else PROBE_ROWS
        if len(self.rows) <= least:
            return [self]
        ahead = list(accumulate(length(row) for row in self.rows))
        at = min(range(least, len(self.rows)), key=lambda i: abs(2 * ahead[i - 1] - ahead[-1]))
        found = []
        for rows in (self.rows[:at], self.rows[at:]):
            mine = {row.row for row in rows}
            trees = [[row for row in tree if row.row in mine] for tree in self.trees]
            found.append(Part(rows, [tree for tree in trees if tree]))
        return found


class Batch:
    """The rows of a batch as tokens, cut into optimizer steps of one or more passes each."""

    def __init__(
        self, rows: Sequence[BatchRow], vocabulary: Vocabulary, config: LearnerConfig, *, packed: bool
    ) -> None:
        self.rows = rows
        self.vocabulary = vocabulary
        self.config = config
        self.pad = vocabulary.pad
        self.packed = packed
        prompts = {text: tuple(vocabulary.prompt(text)) for text in {r.prompt for r in rows}}
        self.tokens = [Tokens(i, prompts[r.prompt], tuple(r.token_ids)) for i, r in enumerate(rows)]

    def objective(self, step: Sequence[Part]) -> str:
        """The objective of a step's rows."""
        return self.rows[step[0].rows[0].row].objective

    def steps(self, rng: np.random.Generator) -> Iterable[list[Part]]:
        """The passes of each optimizer step, shuffled."""
        if not self.packed:
            passes = [Part(rows, []) for rows in self._by_length()]
            order = [passes[i] for i in rng.permutation(len(passes))]
            yield from self._gathered(order)
            return
        for rows in self._shuffled(rng):
            passes = [
                Part([row for tree in trees for row in tree], trees)
                for trees in micro_batches(rows, self.config.micro_batch_tokens)
            ]
            if self.config.step_rows is None:
                yield from ([passes[i]] for i in rng.permutation(len(passes)))
            else:
                yield passes

    def _gathered(self, passes: Sequence[Part]) -> Iterable[list[Part]]:
        """Steps of at least ``step_rows`` rows of one objective, each as soon as it is full."""
        open_steps: dict[str, list[Part]] = {}
        for part in passes:
            step = open_steps.setdefault(self.rows[part.rows[0].row].objective, [])
            step.append(part)
            if sum(len(p.rows) for p in step) >= (self.config.step_rows or 1):
                yield open_steps.pop(self.rows[part.rows[0].row].objective)
        yield from open_steps.values()

    def _by_length(self) -> list[list[Tokens]]:
        """Rows of like length and one objective together, each within the token budget."""
        order = sorted(
            self.tokens, key=lambda t: (self.rows[t.row].objective, length(t), self.rows[t.row].row)
        )
        batches: list[list[Tokens]] = []
        for row in order:
            last = batches[-1] if batches else None
            if (
                last is None
                or self.rows[last[0].row].objective != self.rows[row.row].objective
                or (len(last) + 1) * length(row) > self.config.micro_batch_tokens
            ):
                batches.append([row])
            else:
                last.append(row)
        return batches

    def _shuffled(self, rng: np.random.Generator) -> list[list[Tokens]]:
        """Rows of one objective, those of a group side by side, in lots of ``step_rows`` or all at once."""
        groups: dict[tuple[str, tuple[int, ...]], list[Tokens]] = {}
        for token in self.tokens:
            groups.setdefault((self.rows[token.row].objective, token.prompt), []).append(token)
        by_objective: dict[str, list[Tokens]] = {}
        keys = sorted(groups)
        for i in rng.permutation(len(keys)):
            by_objective.setdefault(keys[i][0], []).extend(groups[keys[i]])
        lots: list[list[Tokens]] = []
        for name in sorted(by_objective):
            rows = by_objective[name]
            size = self.config.step_rows or len(rows)
            lots += [rows[at : at + size] for at in range(0, len(rows), size)]
        return [lots[i] for i in rng.permutation(len(lots))]


def length(row: Tokens) -> int:
    """Prompt and completion, in tokens."""
    return len(row.prompt) + len(row.completion)


def shared_out(parts: Sequence[Part], group: Group) -> list[tuple[Part, bool]]:
    """This process's passes of the step ``parts``, and whether each counts.

    Each process of ``group`` computes about as many tokens; where there are fewer passes than processes,
    passes are cut up. A model that is cut over the processes is computed by all of them at once: one that
    has nothing left to do then keeps the others company with a pass that does not count.
    """
    if group.world == 1:
        return [(part, True) for part in parts]
    pieces = list(parts)
    while len(pieces) < group.world:
        largest = sorted(range(len(pieces)), key=lambda i: (-pieces[i].tokens, i))
        at = next((i for i in largest if len(pieces[i].halves()) > 1), None)
        if at is None:
            break
        pieces[at : at + 1] = pieces[at].halves()
    hands = dealt([piece.tokens for piece in pieces], group.world)
    mine = [(pieces[i], True) for i in hands[group.rank]]
    if group.sharded:
        least = min(pieces, key=lambda piece: piece.tokens)
        mine += [(least, False)] * (max(map(len, hands)) - len(mine))
    return mine
