"""The worlds of ``craft``: hidden trees of what can be made of what, each grown from its name alone.

A world's name is two to four syllables of a consonant and a vowel, such as ``kavobu``, so that a search
takes it for one word. Its last vowel says the tree's *breadth*: 2 (a), 3 (e), 4 (i), 5 (o) or 6 (u) items
at every depth. There are breadth + 1 base items, called by digits; every other item is made of one pair of
items, unordered, of which one lies exactly one level below it and the other anywhere below. All other pairs
give nothing. What an item is called says nothing but that a letter is not a base item.

A tree has no bottom: level d is drawn from its own stream, so a deeper tree of the same name contains the
shallower one, and what one problem finds out of a world holds in every other.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from culture.seeds import derive, generator

CONSONANTS: Final = "bcdfghjklmnpqrstvwxz"
VOWELS: Final = "aeiou"
NAME: Final = rf"(?:[{CONSONANTS}][{VOWELS}]){{2,4}}"
"""A regular expression for the name of a world."""
ITEM: Final = "(?:[1-9]|[a-z]'*)"
"""A regular expression for an item. Items need nothing between them."""
MAX_DEPTH: Final = 64
BREADTHS: Final = range(2, 2 + len(VOWELS))
HELD_OUT: Final = 5
"""One name in so many is kept for the anchors."""

# Worlds are the same in every run, so their streams are named by a constant and never by a run's seed.
_SEED: Final = 20261104

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Tree:
    """What can be made in a world, down to a depth."""

    name: str
    levels: tuple[tuple[str, ...], ...]
    """Items by depth; the base items are level 0."""
    recipes: Mapping[str, Pair]
    """What each item but the base ones is made of."""
    results: Mapping[Pair, str]
    """The same the other way round; what is not here gives nothing, or something deeper."""
    depths: Mapping[str, int]
    needs: Mapping[str, frozenset[str]]
    """The items that have to be made to have an item, itself among them; none for a base item."""


def pair(a: str, b: str) -> Pair:
    """Two items as the one unordered pair that they are."""
    return (a, b) if a <= b else (b, a)


def breadth(name: str) -> int:
    """Items at every depth of the world called ``name``."""
    return BREADTHS[VOWELS.index(name[-1])]


def held_out(name: str) -> bool:
    """Whether the world called ``name`` is kept for the anchors."""
    return derive(_SEED, "held_out", name) % HELD_OUT == 0


def most_mixes(depth: int) -> int:
    """No item of this depth takes more mixes than this, each of its parts made once."""
    return 2 * depth - 1


@lru_cache(maxsize=4096)
def tree(name: str, depth: int) -> Tree:
    """The world called ``name`` down to ``depth``, from 0 to :data:`MAX_DEPTH`."""
    if depth == 0:
        bases = tuple(string.digits[1 : breadth(name) + 2])
        return Tree(name, (bases,), {}, {}, dict.fromkeys(bases, 0), dict.fromkeys(bases, frozenset()))
    above = tree(name, depth - 1)
    bases, last = above.levels[0], above.levels[-1]
    below = tuple(item for level in above.levels for item in level)
    recipes, results = dict(above.recipes), dict(above.results)
    depths, needs = dict(above.depths), dict(above.needs)
    rng = generator(_SEED, "level", name, depth)
    level: list[str] = []
    while len(level) < breadth(name):
        # Half of the second parts are base items: what has to be made grows with depth, not beyond it.
        others = bases if rng.random() < 0.5 else below
        made_of = pair(last[int(rng.integers(len(last)))], others[int(rng.integers(len(others)))])
        needed = needs[made_of[0]] | needs[made_of[1]]
        if made_of in results or len(needed) >= most_mixes(depth):
            continue
        item = _item(name, len(below) - len(bases) + len(level))
        level.append(item)
        recipes[item], results[made_of] = made_of, item
        depths[item], needs[item] = depth, needed | {item}
    return Tree(name, (*above.levels, tuple(level)), recipes, results, depths, needs)


def mixed(name: str, made_of: Pair, depths: Mapping[str, int]) -> str | None:
    """What a pair of items, whose ``depths`` are given, gives in the world called ``name``."""
    depth = 1 + max(depths[item] for item in made_of)
    return tree(name, depth).results.get(made_of) if depth <= MAX_DEPTH else None


def path(item: str, recipes: Mapping[str, Pair]) -> list[str] | None:
    """What has to be made to have ``item`` by ``recipes``: the item first, then its parts, breadth first.

    None where a recipe is missing; whatever is called by a digit needs none.
    """
    found = [item]
    for made in found:
        if made not in recipes:
            return None
        found += dict.fromkeys(p for p in recipes[made] if p not in found and not p.isdigit())
    return found


def new_name(broad: int, rng: np.random.Generator, *, anchor: bool = False) -> str:
    """The name of a world of a breadth, drawn from those of three syllables that are held out, or not."""
    while True:
        pairs = zip(rng.integers(len(CONSONANTS), size=3), rng.integers(len(VOWELS), size=3), strict=True)
        name = "".join(CONSONANTS[c] + VOWELS[v] for c, v in pairs)[:-1] + VOWELS[BREADTHS.index(broad)]
        if held_out(name) == anchor:
            return name


def _item(name: str, number: int) -> str:
    """What the item made ``number``-th, from 0, is called: a letter, one with a prime when they run out."""
    primes, place = divmod(number, len(string.ascii_lowercase))
    return _letters(name)[place] + "'" * primes


@lru_cache(maxsize=4096)
def _letters(name: str) -> str:
    order = generator(_SEED, "names", name).permutation(len(string.ascii_lowercase))
    return "".join(string.ascii_lowercase[i] for i in order)
