import re

import hypothesis.strategies as st
import pytest
from hypothesis import given

from arena.domains.recipes import (
    BREADTHS,
    CONSONANTS,
    ITEM,
    MAX_DEPTH,
    NAME,
    VOWELS,
    breadth,
    held_out,
    mixed,
    most_mixes,
    new_name,
    pair,
    path,
    tree,
)
from culture.seeds import generator

names = st.lists(
    st.builds("".join, st.tuples(st.sampled_from(CONSONANTS), st.sampled_from(VOWELS))),
    min_size=2,
    max_size=4,
).map("".join)


@given(names, st.integers(1, 12))
def test_any_tree_is_well_formed(name: str, depth: int) -> None:
    world = tree(name, depth)
    assert [len(level) for level in world.levels] == [breadth(name) + 1, *[breadth(name)] * depth]
    items = [item for level in world.levels for item in level]
    assert len(set(items)) == len(items)
    assert all(re.fullmatch(ITEM, item) for item in items)
    assert {item for item in items if item.isdigit()} == set(world.levels[0])
    assert set(world.recipes) == set(items) - set(world.levels[0])
    # one pair gives one item, and the other way round
    assert {made_of: made for made, made_of in world.recipes.items()} == world.results
    for made, made_of in world.recipes.items():
        assert made_of == pair(*made_of)
        assert world.depths[made] == 1 + max(world.depths[part] for part in made_of)


@given(names, st.integers(1, 10))
def test_what_is_needed_can_be_made_in_few_mixes(name: str, depth: int) -> None:
    world = tree(name, depth)
    for made in world.recipes:
        needed = path(made, world.recipes)
        assert needed is not None
        assert set(needed) == world.needs[made]
        assert needed[0] == made
        assert world.depths[made] <= len(needed) <= most_mixes(world.depths[made])


@given(names, st.integers(1, 6), st.integers(0, 4))
def test_a_deeper_tree_contains_the_shallower(name: str, depth: int, more: int) -> None:
    above, below = tree(name, depth), tree(name, depth + more)
    assert below.levels[: depth + 1] == above.levels
    assert above.recipes.items() <= below.recipes.items()


@given(names)
def test_pairs_give_what_the_tree_says_or_nothing(name: str) -> None:
    world = tree(name, 3)
    deeper = tree(name, 4).results
    for a in world.depths:
        for b in world.depths:
            assert mixed(name, pair(a, b), world.depths) == deeper.get(pair(a, b))


def test_a_tree_ends_at_the_greatest_depth() -> None:
    world = tree("nobu", MAX_DEPTH)
    last = world.levels[-1][0]
    assert mixed("nobu", (last, last), world.depths) is None
    assert len(world.needs[last]) <= most_mixes(MAX_DEPTH)


def test_names_carry_no_knowledge() -> None:
    """The same two base items give another name, or nothing, in every world."""
    rng = generator(0, "names")
    found = [tree(new_name(3, rng), 1).results.get(("1", "2")) for _ in range(400)]
    assert len(set(found)) == 27
    nothing = found.count(None) / len(found)
    assert 0.6 < nothing < 0.8  # 3 of 10 pairs give something


def test_one_name_in_five_is_held_out() -> None:
    rng = generator(0, "held_out")
    drawn = ["".join(rng.choice(list(s)) for s in (CONSONANTS, VOWELS) * 3) for _ in range(4000)]
    assert 0.18 < sum(map(held_out, drawn)) / len(drawn) < 0.22


@pytest.mark.parametrize("anchor", [False, True])
def test_new_names(anchor: bool) -> None:
    for broad in BREADTHS:
        for number in range(20):
            name = new_name(broad, generator(0, "new", broad, number), anchor=anchor)
            assert re.fullmatch(NAME, name)
            assert (breadth(name), held_out(name)) == (broad, anchor)


def test_a_path_needs_all_its_recipes() -> None:
    recipes = {"q": ("3", "a"), "a": ("1", "2")}
    assert path("q", recipes) == ["q", "a"]
    assert path("q", {"q": ("3", "a")}) is None
    assert path("a", {}) is None


def test_worlds_are_frozen() -> None:
    # A change here means that results are no longer comparable with those of earlier runs.
    found = {"k": ("1", "2"), "v": ("2", "2"), "d": ("3", "k"), "z": ("2", "v")}
    assert dict(tree("kavoba", 2).recipes) == found
