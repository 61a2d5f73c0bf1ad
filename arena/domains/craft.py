"""``craft``: find out what can be made of what in a world that nothing but trying and reading tells about.

A world (``arena.domains.recipes``) has a few base items; two items mixed give a new one, or nothing. A
spec is ``kavobu3b``: in the world kavobu make the second (``b``) of the items of depth 3, whose name the
solver is told. With ``+`` behind it the statement comes with a page of the world's recipes.

An action is one mix or several, in any order: each is done once its parts are at hand, and each counts as a
try, also one that was known or whose parts never were. The budget is 2 d + 6 tries for a goal of depth d,
which never takes more than 2 d - 1. The episode ends when the goal is made or the tries are used up. The
reward is the depth of the deepest item that was made *and that the goal needs*, the goal among them, over
the depth of the goal: 1 where the goal was made, and only there. An action without a mix ends the episode
with a reward of 0.

Everything known is written in one way, on the page, in observations and in notes. In the terse form that is
a line of ``kavobu A12;Qa3;13;``: 1 and 2 give a, a and 3 give q, 1 and 3 give nothing. What is made comes
first, as a capital, and what it is made of right behind it: so a capital stands in one place of a line, and
to look an item up is to copy what follows it. The answer to ``kavobu 123 12 Q=`` (base items, tries left,
goal) may then be ``Qa3;A12;``, from the goal down, or ``12;a3;``.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from arena.domains import craft_scripted
from arena.domains.base import Account, Anchor, Domain, Executor, Rejected, Solution, Turn, register
from arena.domains.claims import Claim, Stated, stated
from arena.domains.crafting import Goal, Played, read_spec
from arena.domains.grade import terse_request
from arena.domains.recipes import (
    BREADTHS,
    CONSONANTS,
    ITEM,
    MAX_DEPTH,
    NAME,
    VOWELS,
    Pair,
    breadth,
    held_out,
    mixed,
    new_name,
    pair,
    path,
    tree,
)
from culture.edits import Kind
from culture.records import Form
from culture.seeds import generator, short_id

MAX_TEXT: Final = 4096
"""Characters of a proposal or an action that are looked at."""
_DEEP: Final = 24
"""Depth of the deepest goals that are sampled, or proposed by whoever is held to a pattern."""
_FEW: Final = 6
"""Tries that gave nothing in a note that has nothing better to tell."""
_MARKS: Final = 6
"""Depths that a search asks for: so many right above the goal's."""

# Anchors are the same in every run, so their streams are named by a constant and never by a run's seed.
_ANCHOR_SEED: Final = 20261105
_CORE: Final = ("1x2+", "1x4+", "2x2+", "1x2", "2x4+", "3x2+", "1x4", "3x4+", "4x2+", "2x2")
_FAR: Final = ("5x2+", "2x4", "3x2", "4x2", "5x2", "3x4", "8x4+", "8x4")

_TOLD: Final = re.compile(
    rf"(?:problem:\s*)?world\s+({NAME})\s*,\s*depth\s+([1-9][0-9]?)(?:\s*,\s*item\s+([1-6]))?"
    r"(\s*,\s*with\s+recipes)?\s*\.?",
    re.IGNORECASE | re.ASCII,
)
_ENTRY: Final = re.compile(rf"([A-Z]'*)?({ITEM})({ITEM})")
_LINE: Final = re.compile(rf"({NAME}) (.*)")
_MIX: Final = re.compile(rf"(?<![A-Za-z0-9'])({ITEM})\s*(?:\+|and|with)\s*({ITEM})(?![A-Za-z0-9'])")
_TOLD_LINE: Final = re.compile(rf"(?:> )?World ({NAME}): (mixing .*)")
_TOLD_ENTRY: Final = re.compile(rf"mixing ({ITEM}) and ({ITEM}) gives (nothing|{ITEM})(?![A-Za-z0-9'])")


@register
class Craft(Domain):
    """Worlds to find out. Difficulty is the pairs of items that there are to try below the goal, or the
    items of its depth and above where a page tells how they are made."""

    name = "craft"
    alphabet = string.digits + string.ascii_letters + " '+;=?>\n"
    one_step = False
    pages = True
    core_cells = _CORE

    # -- proposing ---------------------------------------------------------------------------------
    def brief(self, form: Form, target: float | None, parent: str | None) -> str:
        """Terse: ``?h>`` (see ``arena.domains.grade``), ``?>`` or, for a variation, ``kavobu3b>``.

        ``parent`` wins over ``target``.
        """
        if form == "terse":
            return terse_request(target, parent)
        lines = [
            "Write one problem: a world, a depth, and which of the items of that depth is to be made.",
            "The name of a world is three syllables, each a consonant and a vowel. Its last vowel says",
            "how many items there are at each depth: a 2, e 3, i 4, o 5, u 6. With 'with recipes' at the",
            "end the solver gets a page of the world's recipes, which makes it easy. For example:",
            "World kavobu, depth 2, item 1",
            "World denige, depth 3, item 2, with recipes",
        ]
        if parent is not None:
            lines.append(
                "Change this problem a little, to make a new one, often in the same world: "
                + self.write(parent, "natural")
            )
        elif target is not None:
            lines.append(
                f"Its difficulty should be about {max(2, round(target))}: with recipes, the depth times the"
                " items at each depth; without, half the square of that number."
            )
        lines.append("Answer with the problem only, on one line.")
        return "\n".join(lines)

    def pattern(self, form: Form, target: float | None) -> str:
        """Worlds of three syllables, of at most twice the target."""
        most = np.inf if target is None else 2 * max(target, 1.0)
        syllable = f"[{CONSONANTS}][{VOWELS}]"
        shapes = []
        for broad in BREADTHS:
            world = f"{syllable}{syllable}[{CONSONANTS}]{VOWELS[BREADTHS.index(broad)]}"
            for page in (True, False):
                depths = [str(d) for d in range(1, _DEEP + 1) if _difficulty(d, broad, page) <= most]
                if not depths:
                    continue
                depth, letters = "|".join(depths), string.ascii_lowercase[:broad]
                if form == "terse":
                    shapes.append(f"{world}({depth})[{letters}]{re.escape('+' * page)}")
                else:
                    recipes = ", with recipes" * page
                    shapes.append(f"World {world}, depth ({depth}), item [1-{broad}]{recipes}")
        return f"({'|'.join(shapes)})"

    def parse(self, text: str) -> str:
        """A spec in the terse form, whose item may be left out, or the first line that names a world.

        Reasons: ``syntax``, ``too_deep``, ``no_such_item``, ``too_long``, and ``held_out``: the world is
        kept for the anchors.
        """
        if len(text) > MAX_TEXT:
            raise Rejected("too_long", f"expected at most {MAX_TEXT} characters, got {len(text)}")
        spec = text.strip()
        for line in spec.splitlines():
            match = _TOLD.fullmatch(line.strip())
            if match is not None:
                world, depth, item, page = match.groups()
                letter = string.ascii_lowercase[int(item or 1) - 1]
                spec = f"{world.lower()}{depth}{letter}{'+' * (page is not None)}"
                break
        goal = read_spec(spec)
        if held_out(goal.world):
            raise Rejected(
                "held_out", f"expected another world, got {goal.world}, which is kept for anchors"
            )
        return goal.spec

    def program(self, spec: str) -> str:
        raise TypeError("expected a one-step domain, got craft: a world is grown from its name")

    def solution(self, spec: str, value: object) -> Solution:
        raise TypeError("expected a one-step domain, got craft: its episodes have no answer key")

    def solve(self, specs: Sequence[str], sandbox: Executor) -> list[Solution | Rejected]:
        """Every spec is valid and every goal within reach. The answer key is empty, so that nothing of a
        hidden tree is in the log but what somebody found out."""
        return [Solution("", (), 0) for _ in specs]

    def features(self, spec: str, solution: Solution) -> dict[str, float]:
        """``depth`` of the goal, ``breadth`` of the tree, ``page`` (1 or 0), ``operations`` (mixes that the
        goal takes), ``steps`` (tries), ``length`` (characters of the terse statement)."""
        goal = read_spec(spec)
        return {
            "operations": float(len(goal.tree.needs[goal.item])),
            "length": float(len(self.pose(spec, "terse"))),
            "steps": float(goal.budget),
            "depth": float(goal.depth),
            "breadth": float(breadth(goal.world)),
            "page": float(goal.page),
        }

    def difficulty(self, features: dict[str, float]) -> float:
        """Pairs of items there are to try; with a page, items there are to look up."""
        return _difficulty(int(features["depth"]), int(features["breadth"]), bool(features["page"]))

    def write(self, spec: str, form: Form) -> str:
        if form == "terse":
            return spec
        goal = read_spec(spec)
        recipes = ", with recipes" * goal.page
        return f"World {goal.world}, depth {goal.depth}, item {goal.index + 1}{recipes}"

    def mutate(self, spec: str, rng: np.random.Generator) -> str:
        """In nine of ten cases the same world: a deeper goal, another or a less deep one, or with a page
        where there was none and the other way round; else the same goal in another world."""
        goal = read_spec(spec)
        world, depth, broad = goal.world, goal.depth, breadth(goal.world)
        index, page = goal.index, goal.page
        move = rng.random()
        if held_out(world) or move < 0.1:
            world = new_name(broad, rng)
            while world == goal.world:
                world = new_name(broad, rng)
        elif move < 0.4 and depth < MAX_DEPTH:
            depth, index = depth + 1, int(rng.integers(broad))
        elif move < 0.65 and depth > 1:
            depth, index = depth - 1, int(rng.integers(broad))
        elif move < 0.9:
            index = (index + 1 + int(rng.integers(broad - 1))) % broad
        else:
            page = not page
        return Goal(world, depth, index, page).spec

    def sample(self, rng: np.random.Generator, target: float) -> str:
        """With a page as often as not, of a breadth drawn uniformly among those that are not too broad,
        the depth nearest to ``target``, up to 24."""
        target = max(target, float(BREADTHS[0]))
        easy = [b for b in BREADTHS if _difficulty(1, b, False) <= target]
        page = not easy or bool(rng.random() < 0.5)
        broad = int(rng.choice([b for b in BREADTHS if b <= target] if page else easy))
        # what _difficulty is solved for the depth
        items = target if page else np.sqrt(2 * target + 0.25) - 1.5
        depth = min(max(1, round(items / broad)), _DEEP)
        return Goal(new_name(broad, rng), depth, int(rng.integers(broad)), page).spec

    # -- solving -----------------------------------------------------------------------------------
    def pose(self, spec: str, form: Form) -> str:
        return self._observation(Played.begun(spec), form)

    def key(self, spec: str, solution: Solution, form: Form) -> str:
        raise TypeError("expected a one-step domain, got craft: see readable_key")

    def readable_key(self, spec: str, prompt: str, form: Form) -> str | None:
        """The mixes that the goal takes, from the goal down, where ``prompt`` tells all of them rightly."""
        goal = read_spec(spec)
        right = goal.tree.recipes
        told = {made: of for made, of in _told(prompt, goal.world, form) if right.get(made) == of}
        made = path(goal.item, told)
        if made is None or len(made) > goal.budget:
            return None
        return _planned([(told[item], item) for item in made], form)

    def trial(
        self, spec: str, actions: Sequence[str], rng: np.random.Generator, form: Form, prompt: str = ""
    ) -> str | None:
        """First what notes in ``prompt`` tell how to make; then a few mixes that were not tried yet."""
        played = self._played(spec, actions, form)
        told = () if actions else _told(prompt, played.goal.world, form)
        if way := craft_scripted.way(told, played):
            return _planned(way, form)
        mixes = craft_scripted.tries(played, rng)
        sign, end = ("", ";") if form == "terse" else (" + ", "\n")
        return "".join(f"{a}{sign}{b}{end}" for a, b in mixes).rstrip()

    def sample_notes(self, spec: str, rng: np.random.Generator, form: Form) -> list[str]:
        """See :func:`arena.domains.craft_scripted.notes`."""
        return [_line(world, tries, form) for world, tries in craft_scripted.notes(read_spec(spec), rng)]

    def read_answer(self, completion: str, form: Form) -> str | None:
        """The mixes in a completion, ``12;a3;``; None where there is none.

        Terse: two items, or what is hoped for and two items, between semicolons of the first line; the rest
        is passed over. Natural: ``1 + 2``, ``1 and 2`` or ``1 with 2``, after the last
        ``Answer:`` where there is one.
        """
        mixes = _mixes(completion, form)
        return "".join(f"{a}{b};" for a, b in mixes) or None

    def turn(
        self,
        spec: str,
        answer_key: str,
        actions: Sequence[str],
        form: Form,
        sandbox: Executor | None = None,
    ) -> Turn:
        """The episode after ``actions``; its answer is everything that was found out, ``a12;13;``."""
        played = Played.begun(spec)
        for action in actions:
            mixes = _mixes(action, form)
            if not mixes:
                return Turn("", True, None, "malformed", 0.0, "no mix of two items in the completion")
            played.act(mixes)
        observation = self._observation(played, form)
        won = played.goal.item in played.depths
        if not won and played.left:
            return Turn(observation, done=False)
        answer = _written(played.tried.items(), "terse")
        share = played.reached / played.goal.depth
        return Turn(observation, True, answer, "correct" if won else "wrong", share)

    def longest(self, spec: str, form: Form) -> int:
        """The n-th thing found has a depth of n at most, which bounds the names of it and its parts."""
        goal = read_spec(spec)
        broad, letters = breadth(goal.world), len(string.ascii_lowercase)
        names = [1, *(1 + (n * broad - 1) // letters for n in range(1, goal.budget + 1))]
        if form == "terse":
            frame, around, nothing = f"{goal.world} \n", ";", ""
        else:
            frame = f"World {goal.world}: .\n{_lost(goal.budget)}\n"
            around, nothing = "mixing  and  gives ; ", "nothing"
        tries = (len(around) + 2 * part + max(made, len(nothing)) for part, made in pairwise(names))
        return len(self.pose(spec, form)) + len(frame) + sum(tries)

    def _played(self, spec: str, actions: Sequence[str], form: Form) -> Played:
        played = Played.begun(spec)
        for action in actions:
            played.act(_mixes(action, form))
        return played

    def _observation(self, played: Played, form: Form) -> str:
        goal, base = played.goal, played.goal.tree.levels[0]
        known = [goal.shown] if goal.page else []
        if played.tried:
            known.append(list(played.tried.items()))
        lines = [_line(goal.world, entries, form) for entries in known]
        if form == "terse":
            return "\n".join([*lines, f"{goal.world} {''.join(base)} {played.left} {goal.item.upper()}="])
        if played.lost:
            lines.append(_lost(played.lost))
        lines.append(
            f"World {goal.world}. The items {', '.join(base[:-1])} and {base[-1]} are there from the start."
            " Mixing two items, or an item with itself, gives a new item or nothing, always the same."
            f" Make {goal.item}, a thing of depth {goal.depth}. Tries left: {played.left}."
            " Answer with a mix, or several, a line each, like: 1 + 2"
        )
        return "\n".join(lines)

    # -- culture -----------------------------------------------------------------------------------
    def example(self, spec: str, solution: Solution, form: Form) -> str:
        """What the statement tells before anything was tried: its page, or the world's name."""
        goal = read_spec(spec)
        return _line(goal.world, goal.shown, form) if goal.page else goal.world

    def lesson(self, spec: str, solution: Solution, form: Form) -> str:
        """The first of those recipes, or the world's name."""
        goal = read_spec(spec)
        return _line(goal.world, goal.shown[:1], form) if goal.page else goal.world

    def about(self, spec: str, form: Form) -> str:
        """``kavobu kavobu-q da-kavobu db-kavobu``: the world, the goal, and the depths that lead to it.

        Each is one term of the index, and none but notes of the same world have any of them.
        """
        goal = read_spec(spec)
        return _terms(goal.world, [goal.item], range(goal.depth - 1, 0, -1))

    def recount(self, spec: str, actions: Sequence[str], kind: Kind, form: Form) -> Account | None:
        """What the tries of an episode gave.

        An example is what was found, in the order of finding, or all that was tried where the goal was not
        made, with what gave nothing, so that nobody need try it again. A lesson is the recipe
        of the goal, or of the deepest item that was found, or a few of the tries that gave nothing.
        """
        played = self._played(spec, actions, form)
        found, depths, world = played.found, played.depths, played.goal.world
        tried = list(played.tried.items())
        if not tried:
            return None
        deepest = sorted(found, key=lambda item: -depths[item])
        if kind == "lesson":
            told = [entry for entry in tried if entry[1] in deepest[:1]] or tried[-_FEW:]
            return Account(_terms(world, deepest[:1], ()), _line(world, told, form))
        if played.goal.item in found:
            tried = [entry for entry in tried if entry[1] is not None]
        reached = depths[deepest[0]] if deepest else 0
        return Account(_terms(world, deepest, range(reached, 0, -1)), _line(world, tried, form))

    def claims(self, body: str, form: Form) -> Stated:
        """What a line says that pairs give in the world that it names. A line that names none says nothing
        of any, and what holds in a world that is kept for the anchors is not told."""
        return stated(body, lambda line: _facts(line, form))

    def refuted(self, claims: Sequence[Claim], sandbox: Executor) -> list[str | Rejected | None]:
        """Against the world itself, as attempts are stepped: no program says what a world holds."""
        found: list[str | Rejected | None] = []
        for claim in claims:
            world, _, parts = claim.spec.partition(" ")
            depths, (a, b) = tree(world, MAX_DEPTH).depths, re.findall(ITEM, parts)
            there = a in depths and b in depths
            made = mixed(world, pair(a, b), depths) or "" if there else ""
            right = there and made == claim.answer
            gives = f"gives {made or 'nothing'}" if there else "has no such items"
            found.append(None if right else f"{claim.spec} {gives}, not {claim.answer or 'nothing'}")
        return found

    # -- anchors -----------------------------------------------------------------------------------
    def anchors(self, per_cell: int) -> list[Anchor]:
        """``per_cell`` problems in each cell ``{depth}x{breadth}``, with ``+`` those with a page, all of
        them in worlds that are held out. The cells of a depth and breadth pose the same problems with and
        without a page.

        The ``core_cells`` come first, easiest first. Of the others a page makes some a matter of long
        reading; without one they are out of reach for whoever is alone with them.
        """
        found: list[Anchor] = []
        for cell in (*_CORE, *_FAR):
            depth, broad = (int(n) for n in cell.rstrip("+").split("x"))
            rng = generator(_ANCHOR_SEED, "anchors", self.name, depth, broad)
            worlds: set[str] = set()
            while len(worlds) < per_cell:
                world, index = new_name(broad, rng, anchor=True), int(rng.integers(broad))
                if world in worlds:
                    continue
                worlds.add(world)
                spec = Goal(world, depth, index, cell.endswith("+")).spec
                features = self.features(spec, Solution("", (), 0))
                found.append(Anchor(short_id("a", self.name, spec), cell, spec, "", (), features))
        return found


def _difficulty(depth: int, broad: int, page: bool) -> float:
    if page:
        return float(depth * broad)
    items = depth * broad + 1  # those above the goal's depth, the base ones among them
    return items * (items + 1) / 2


def _written(entries: Iterable[tuple[Pair, str | None]], form: Form) -> str:
    """Pairs with what they gave."""
    if form == "terse":
        return "".join(f"{(made or '').upper()}{a}{b};" for (a, b), made in entries)
    return "; ".join(f"mixing {a} and {b} gives {made or 'nothing'}" for (a, b), made in entries) + "."


def _planned(entries: Iterable[tuple[Pair, str]], form: Form) -> str:
    """Mixes with what is hoped for of each."""
    if form == "terse":
        return _written(entries, form)
    return "\n".join(f"{made} = {a} + {b}" for (a, b), made in entries)


def _line(world: str, entries: Iterable[tuple[Pair, str | None]], form: Form) -> str:
    written = _written(entries, form)
    return f"{world} {written}" if form == "terse" else f"World {world}: {written}"


def _lost(count: int) -> str:
    return f"Tries lost on items that you do not have: {count}."


def _told(prompt: str, world: str, form: Form) -> Iterable[tuple[str, Pair]]:
    """Recipes that the lines of a prompt about ``world`` tell, rightly or wrongly."""
    for line in prompt.split("\n"):
        match = (_LINE if form == "terse" else _TOLD_LINE).fullmatch(line)
        if match is None or match.group(1) != world:
            continue
        if form == "natural":
            for a, b, made in _TOLD_ENTRY.findall(match.group(2)):
                yield made, pair(a, b)
            continue
        for piece in match.group(2).split(";"):
            entry = _ENTRY.fullmatch(piece)
            if entry is not None and entry.group(1):
                yield entry.group(1).lower(), pair(entry.group(2), entry.group(3))


def _facts(line: str, form: Form) -> list[Claim]:
    """A claim for each pair of a line that is one of a page, and of nothing else."""
    match = (_LINE if form == "terse" else _TOLD_LINE).fullmatch(line)
    if match is None or held_out(match[1]):
        return []
    if form == "terse":
        read = [e for e in map(_ENTRY.fullmatch, match[2].split(";")) if e is not None]
        facts = [((e[2], e[3]), e[1].lower() if e[1] else None) for e in read]
    else:
        told = _TOLD_ENTRY.findall(match[2])
        facts = [((a, b), None if made == "nothing" else made) for a, b, made in told]
    same = line == _line(match[1], facts, form)
    return [Claim(f"{match[1]} {a}{b}", made or "") for (a, b), made in facts] if same else []


def _mixes(action: str, form: Form) -> list[Pair]:
    text = action[:MAX_TEXT]
    if form == "natural":
        answer = re.split(r"answer\s*:", text, flags=re.IGNORECASE)[-1]
        return [pair(a, b) for a, b in _MIX.findall(answer)]
    entries = map(_ENTRY.fullmatch, text.partition("\n")[0].split(";"))
    return [pair(e.group(2), e.group(3)) for e in entries if e is not None]


def _terms(world: str, items: Iterable[str], depths: Iterable[int]) -> str:
    """What a world, items of it and depths are to a search: words that nothing else has."""
    marks = [f"d{string.ascii_lowercase[min(d, 26) - 1]}-{world}" for d in list(depths)[:_MARKS]]
    named = [f"{world}-{item.replace(chr(39), 'prime')}" for item in list(items)[:_MARKS]]
    return " ".join([world, *named, *marks])
