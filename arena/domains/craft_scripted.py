"""What scripted players of ``craft`` try, and what notes they leave: the warm-up teaches with these."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from arena.domains.crafting import Goal, Played
from arena.domains.recipes import Pair, breadth, new_name, pair, path, tree

MIXES: Final = 4
"""Mixes of an action that tries."""
_NEWEST: Final = 0.75
"""How often a try is made with the item that was found last, where something is left to try with it."""
_NOTES: Final = 3
"""Notes at most that others have left."""
_OTHER_WORLD: Final = 0.15
"""Share of the notes that are about another world."""
_BESIDE: Final = 0.3
"""Share of the times that all are: then they are no use, which a reader has to learn too."""
_WAY: Final = 0.75
"""Share of the notes that tell the way to an item; the others tell of tries, most of which gave nothing."""

Tries = list[tuple[Pair, str | None]]
"""Pairs with what they gave."""


def tries(played: Played, rng: np.random.Generator) -> list[Pair]:
    """Up to :data:`MIXES` mixes of items at hand that were not tried yet.

    What lies deeper is made of what was just found, so most tries are made with that; the rest are drawn
    uniformly.
    """
    at_hand = list(played.depths)
    untried = [
        mix for i, a in enumerate(at_hand) for b in at_hand[i:] if (mix := pair(a, b)) not in played.tried
    ]
    drawn: list[Pair] = []
    while untried and len(drawn) < min(MIXES, played.left):
        newest = [mix for mix in untried if at_hand[-1] in mix and at_hand[-1] in played.found]
        among = newest if newest and rng.random() < _NEWEST else untried
        drawn.append(among[int(rng.integers(len(among)))])
        untried.remove(drawn[-1])
    return drawn


def notes(goal: Goal, rng: np.random.Generator) -> list[tuple[str, Tries]]:
    """From one to :data:`_NOTES` notes, each a world and what its tries gave. Some tell all.

    A note tells the way to an item, of any depth down to the goal's, in the order in which it is gone, as
    whoever made it would; or a few pairs of base items.
    """
    left: list[tuple[str, Tries]] = []
    other = 1.0 if rng.random() < _BESIDE else _OTHER_WORLD
    for _ in range(1 + int(rng.integers(_NOTES))):
        world = goal.world if rng.random() >= other else new_name(breadth(goal.world), rng)
        there = tree(world, goal.depth)
        if rng.random() < _WAY:
            depth = goal.depth if rng.random() < 0.5 else 1 + int(rng.integers(goal.depth))
            item = there.levels[depth][int(rng.integers(breadth(world)))]
            made = path(item, there.recipes) or []
            made.sort(key=lambda one: there.depths[one])
            left.append((world, [(there.recipes[one], one) for one in made]))
        else:
            bases = there.levels[0]
            pairs = [pair(a, b) for i, a in enumerate(bases) for b in bases[i:]]
            some = [pairs[i] for i in rng.permutation(len(pairs))[: 2 + int(rng.integers(MIXES))]]
            left.append((world, [(one, there.results.get(one)) for one in some]))
    return left


def way(told: Iterable[tuple[str, Pair]], played: Played) -> list[tuple[Pair, str]]:
    """What notes tell how to make, in their order: nobody need find that again, and what is tried next
    begins where others came to.

    ``told`` are recipes, rightly or wrongly told. Those whose parts would not be at hand are left out, and
    so many tries are kept as an action takes that tries.
    """
    at_hand, mixes = set(played.depths), list[tuple[Pair, str]]()
    for made, (a, b) in told:
        if made not in at_hand and a in at_hand and b in at_hand and len(mixes) < played.left - MIXES:
            at_hand.add(made)
            mixes.append((pair(a, b), made))
    return mixes
