"""Does reading help where nothing else can? Scripted players in worlds of ``craft``, no language model.

    python benchmarks/craft.py [--worlds 40] [--others 30] [--depth 6] [--notes 6] [--seed 0]

In every world others play first: one after the other they get a goal of any depth, read the notes of those
before them, play, and write down what they found. Then the same goals, none of which the others were given,
are set to three players, each in the environment ``ludus/Solve-v0``:

* ``random`` mixes two items at hand, drawn uniformly;
* ``systematic`` remembers: it never tries a pair twice, and tries what it found last first;
* ``reader`` is systematic too, but first reads what the library finds for it. It makes the goal where the
  notes tell how, else one of the deepest items that they tell of, and goes on from there.

Notes are found by ``culture.library``, among those of all worlds. Shares have Wilson intervals, depths
Student's t, at 95%, over worlds.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import gymnasium
import numpy as np
from scipy import stats

import arena.envs  # noqa: F401  (registers ludus/Solve-v0)
from arena.domains import make_domain
from arena.domains.crafting import Goal
from arena.domains.recipes import ITEM, Pair, new_name, pair, path
from arena.evaluating import wilson
from culture.config import LibraryConfig
from culture.edits import PUBLIC, Edit, LibraryRefused
from culture.library import Library
from culture.reading import Reader
from culture.seeds import generator

ENTRY = re.compile(rf"([A-Z]'*)?({ITEM})({ITEM})")
DOMAIN = make_domain("craft")
BREADTHS = (2, 3)


@dataclass
class Seen:
    """What an observation shows, notes included."""

    goal: str
    left: int
    at_hand: list[str]
    """Items, the last one found last."""
    tried: set[Pair]
    recipes: dict[str, Pair] = field(default_factory=dict)
    """What notes tell of that can be made."""
    told: set[Pair] = field(default_factory=set)
    """Pairs that notes tell of."""


def look(observation: str, notes: Sequence[str]) -> Seen:
    """Read an observation: the notes first, then what was tried, then the statement."""
    *lines, statement = observation.split("\n")
    world, bases, left, goal = statement.split(" ")
    seen = Seen(goal[:-1].lower(), int(left), list(bases), set())
    for line in lines:
        name, _, told = line.partition(" ")
        if name != world:
            continue
        for made, a, b in ENTRY.findall(told.replace(";", " ")):
            if line in notes:
                seen.told.add(pair(a, b))
                if made:
                    seen.recipes[made.lower()] = pair(a, b)
                continue
            seen.tried.add(pair(a, b))
            if made:
                seen.at_hand.append(made.lower())
    return seen


def at_random(seen: Seen, rng: np.random.Generator) -> str:
    a, b = rng.integers(len(seen.at_hand), size=2)
    return seen.at_hand[a] + seen.at_hand[b]


def systematic(seen: Seen, rng: np.random.Generator) -> str:
    for newest in reversed(range(len(seen.at_hand))):
        others = [seen.at_hand[i] for i in rng.permutation(newest + 1)]
        untried = [o for o in others if pair(seen.at_hand[newest], o) not in seen.tried]
        if untried:
            return seen.at_hand[newest] + untried[0]
    return at_random(seen, rng)


def reading(seen: Seen, rng: np.random.Generator) -> str:
    """All mixes for the goal, else for a deep item from which there is something to try that nobody told
    of, deepest first; then what nobody told of."""
    ways = {item: way for item in seen.recipes if (way := path(item, seen.recipes)) is not None}
    known = seen.tried | seen.told
    if not seen.tried:
        bases, goal_depth = list(seen.at_hand), (seen.left - 6) // 2
        for item in sorted(ways, key=lambda i: (i != seen.goal, -_depth(i, seen.recipes), rng.random())):
            at_hand = [*bases, *ways[item]]
            open_ = any(pair(item, other) not in known for other in at_hand)
            useful = open_ and _depth(item, seen.recipes) < goal_depth
            if item == seen.goal or (useful and len(ways[item]) < seen.left):
                return ";".join("".join(seen.recipes[made]) for made in ways[item])
    seen.tried = known
    return systematic(seen, rng)


def _depth(item: str, recipes: dict[str, Pair]) -> int:
    return 1 + max(_depth(part, recipes) for part in recipes[item]) if item in recipes else 0


Player = Callable[[Seen, np.random.Generator], str]
PLAYERS: dict[str, Player] = {"random": at_random, "systematic": systematic, "reader": reading}


def play(
    env: gymnasium.Env[str, str], spec: str, player: Player, notes: Sequence[str], rng: np.random.Generator
) -> tuple[bool, float, list[str]]:
    """One episode: whether the goal was made, the depth reached towards it, and the actions."""
    observation, _ = env.reset(options={"spec": spec, "notes": tuple(notes)})
    actions: list[str] = []
    while True:
        actions.append(player(look(observation, notes), rng) + ";")
        observation, reward, terminated, truncated, info = env.step(actions[-1])
        if terminated or truncated:
            return info["verdict"] == "correct", float(reward), actions


def found(library: Library, spec: str, k: int) -> list[str]:
    """What a reader is shown for a problem."""
    hits = library.search(DOMAIN.about(spec, "terse"), Reader("pupil", "all", {"other"}), k, 4096, "craft")
    return [hit.body for hit in hits]


def grow(library: Library, env: gymnasium.Env[str, str], specs: Sequence[str], k: int, seed: int) -> None:
    """Others play ``specs`` in turn, read and write."""
    for number, spec in enumerate(specs):
        rng = generator(seed, "other", spec, number)
        _, _, actions = play(env, spec, reading, found(library, spec, k), rng)
        told = DOMAIN.recount(spec, actions, "example", "terse")
        if told is None:
            continue
        edit = Edit(
            None,
            None,
            "example",
            "craft",
            PUBLIC,
            told.title[:120],
            told.body,
            "other",
            None,
            number,
            number,
        )
        try:
            library.write(edit)
        except LibraryRefused as refused:
            assert refused.reason == "duplicate", refused


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--worlds", type=int, default=40)
    parser.add_argument("--others", type=int, default=30)
    parser.add_argument("--depth", type=int, default=6)
    parser.add_argument("--notes", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    started = time.perf_counter()
    env = gymnasium.make("ludus/Solve-v0", domain="craft", form="terse", disable_env_checker=True)
    library = Library(LibraryConfig(shelf_budget_notes=1_000_000), seed=options.seed)
    tests: list[str] = []
    for number in range(options.worlds):
        rng = generator(options.seed, "world", number)
        broad = BREADTHS[number % len(BREADTHS)]
        world = new_name(broad, rng)
        depths = range(1, options.depth + 1)
        goals = [Goal(world, d, int(rng.integers(broad)), False) for d in depths]
        tests += [goal.spec for goal in goals]
        left = [Goal(world, d, i, False) for d in depths for i in range(broad)]
        left = [goal for goal in left if goal not in goals]
        drawn = [left[i].spec for i in rng.integers(len(left), size=options.others)]
        grow(library, env, drawn, options.notes, options.seed)
    size = len(library.heads())
    print(f"{options.worlds} worlds, {options.others} others in each, {size} notes\n")
    print(f"{'goal at depth':<14} {'player':<11} {'solved':<26} depth reached")
    for depth in range(1, options.depth + 1):
        for name, player in PLAYERS.items():
            solved, reached = [], []
            for spec in tests[depth - 1 :: options.depth]:
                notes = found(library, spec, options.notes) if name == "reader" else []
                rng = generator(options.seed, "test", spec, name)
                won, reward, _ = play(env, spec, player, notes, rng)
                solved.append(won)
                reached.append(reward * depth)
            low, high = wilson(sum(solved), len(solved))
            share = f"{np.mean(solved):6.1%} [{low:.1%}, {high:.1%}]"
            half = stats.t.ppf(0.975, len(reached) - 1) * np.std(reached, ddof=1) / np.sqrt(len(reached))
            mean = float(np.mean(reached))
            print(f"{depth:<14} {name:<11} {share:<26} {mean:.2f} [{mean - half:.2f}, {mean + half:.2f}]")
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
