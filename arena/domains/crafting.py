"""One problem of ``craft`` and an episode of it: what is wanted, what was tried, how far it got."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from arena.domains.base import Rejected
from arena.domains.recipes import MAX_DEPTH, NAME, Pair, Tree, breadth, mixed, tree
from culture.seeds import generator

PAGE: Final = 20
"""Recipes on a page, unless the goal needs more."""

_SEED: Final = 20261106
_SPEC: Final = re.compile(rf"({NAME})([1-9][0-9]?)([a-f]?)(\+?)")


@dataclass(frozen=True, slots=True)
class Goal:
    """A spec, read."""

    world: str
    depth: int
    index: int
    """Which of the items of that depth, from 0."""
    page: bool

    @property
    def spec(self) -> str:
        return f"{self.world}{self.depth}{string.ascii_lowercase[self.index]}{'+' * self.page}"

    @property
    def tree(self) -> Tree:
        return tree(self.world, self.depth)

    @property
    def item(self) -> str:
        return self.tree.levels[self.depth][self.index]

    @property
    def budget(self) -> int:
        """Tries."""
        return 2 * self.depth + 6

    @property
    def shown(self) -> list[tuple[Pair, str | None]]:
        """What its page tells: the recipes that the goal needs among others of its depth and above, in no
        order; nothing without a page."""
        if not self.page:
            return []
        tree, needed = self.tree, self.tree.needs[self.item]
        rng = generator(_SEED, "page", self.spec)
        others = [item for item in tree.recipes if item not in needed]
        kept = rng.permutation(len(others))[: max(0, PAGE - len(needed))]
        items = sorted([*needed, *(others[i] for i in kept)])
        return [(tree.recipes[items[i]], items[i]) for i in rng.permutation(len(items))]


@dataclass(slots=True)
class Played:
    """An episode so far."""

    goal: Goal
    depths: dict[str, int]
    """Depth of each item at hand."""
    tried: dict[Pair, str | None]
    """What each pair gave that was tried with both parts at hand, in the order of trying."""
    left: int
    """Tries."""
    lost: int = 0
    """Tries on items that were not at hand."""

    @classmethod
    def begun(cls, spec: str) -> Played:
        """Before the first action. Raises :class:`Rejected` where ``spec`` is none."""
        goal = read_spec(spec)
        return cls(goal, dict.fromkeys(goal.tree.levels[0], 0), {}, goal.budget)

    @property
    def found(self) -> dict[str, Pair]:
        """Recipes, in the order of finding."""
        return {made: of for of, made in self.tried.items() if made is not None}

    @property
    def reached(self) -> int:
        """Depth of the deepest item that was made and that the goal needs; 0 where there is none."""
        needed = self.goal.tree.needs[self.goal.item]
        return max((self.depths[item] for item in self.found if item in needed), default=0)

    def act(self, mixes: Sequence[Pair]) -> None:
        """Try ``mixes``, as many as there are tries, each as soon as its parts are at hand."""
        waiting = list(mixes[: self.left])
        self.left -= len(waiting)
        while self.goal.item not in self.depths:
            ready = next((m for m in waiting if m[0] in self.depths and m[1] in self.depths), None)
            if ready is None:
                break
            waiting.remove(ready)
            made = self.tried[ready] = mixed(self.goal.world, ready, self.depths)
            if made is not None:
                self.depths[made] = 1 + max(self.depths[part] for part in ready)
        self.lost += len(waiting) if self.goal.item not in self.depths else 0


def read_spec(spec: str) -> Goal:
    """A spec in canonical or proposed form, of a held-out world or not. Raises :class:`Rejected`.

    Reasons: ``syntax``, ``too_deep``, ``no_such_item``.
    """
    match = _SPEC.fullmatch(spec)
    if match is None:
        raise Rejected(
            "syntax", f"expected a world, a depth and an item's letter like 'kavobu3b', got {spec[:80]!r}"
        )
    world, depth, letter, page = match.groups()
    if int(depth) > MAX_DEPTH:
        raise Rejected("too_deep", f"expected a depth of at most {MAX_DEPTH}, got {depth}")
    index = string.ascii_lowercase.index(letter or "a")
    if index >= breadth(world):
        last = string.ascii_lowercase[breadth(world) - 1]
        raise Rejected("no_such_item", f"expected an item from a to {last} in {world}, got {letter}")
    return Goal(world, int(depth), index, bool(page))
