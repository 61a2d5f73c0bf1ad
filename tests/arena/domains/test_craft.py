import contextlib
import re
import time

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from arena.domains import craft
from arena.domains.base import Account, Rejected, Solution
from arena.domains.check import HOSTILE
from arena.domains.craft import Craft
from arena.domains.crafting import PAGE, Goal, read_spec
from arena.domains.recipes import BREADTHS, ITEM, MAX_DEPTH, held_out, most_mixes, new_name, pair, tree
from culture.config import LibraryConfig
from culture.edits import PUBLIC, Edit, Kind, LibraryRefused
from culture.library import Library
from culture.reading import Reader
from culture.records import Form
from culture.seeds import generator

domain = Craft()
FORMS: tuple[Form, ...] = ("terse", "natural")
KINDS: tuple[Kind, ...] = ("example", "lesson")
ENTRY = re.compile(rf"([A-Z]'*)?({ITEM})({ITEM})")


def goal(seed: int, depth: int, page: bool = False) -> Goal:
    rng = generator(seed, "goal")
    broad = BREADTHS[int(rng.integers(len(BREADTHS)))]
    return Goal(new_name(broad, rng), depth, int(rng.integers(broad)), page)


goals = st.builds(goal, st.integers(0, 2**32), st.integers(1, 9), st.booleans())
forms = st.sampled_from(FORMS)


def written(mixes: list[tuple[str, str]], form: Form) -> str:
    if form == "terse":
        return "".join(f"{a}{b};" for a, b in mixes)
    return "\n".join(f"{a} + {b}" for a, b in mixes)


def one_by_one(wanted: Goal) -> list[tuple[str, str]]:
    """What a perfect player mixes, parts first."""
    needed = wanted.tree.needs[wanted.item]
    return [wanted.tree.recipes[i] for i in sorted(needed, key=lambda i: wanted.tree.depths[i])]


# -- proposing -----------------------------------------------------------------------------------------
@given(goals, forms)
def test_what_is_written_parses(wanted: Goal, form: Form) -> None:
    assert domain.parse(domain.write(wanted.spec, form)) == wanted.spec
    assert read_spec(wanted.spec) == wanted


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("kavobu3b", "kavobu3b"),
        ("kavobu3", "kavobu3a"),
        (" kavobu3+\n", "kavobu3a+"),
        ("World Kavobu, depth 3, item 2", "kavobu3b"),
        ("Sure!\nProblem: world kavobu, depth 3, item 2, with recipes.\nHave fun", "kavobu3b+"),
        ("World kavobu, depth 3", "kavobu3a"),
    ],
)
def test_proposals_as_models_write_them(text: str, spec: str) -> None:
    assert domain.parse(text) == spec


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "syntax"),
        ("kavobu", "syntax"),
        ("kavobu0a", "syntax"),
        ("kavob3a", "syntax"),
        ("ka3a", "syntax"),
        ("kavobu3aa", "syntax"),
        ("kavobu65a", "too_deep"),
        ("kavoba3c", "no_such_item"),
        ("World kavoba, depth 3, item 3", "no_such_item"),
        ("World \u212aavobu, depth 3", "syntax"),
        ("kavobu3a" * 1000, "too_long"),
        (new_name(2, generator(0, "anchor"), anchor=True) + "3a", "held_out"),
    ],
)
def test_rejections(text: str, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        domain.parse(text)
    assert caught.value.reason == reason


@given(st.text(max_size=200) | st.text("kavobu 123ab+,World depth item with recipes\n", max_size=80))
def test_parse_raises_nothing_but_rejected(text: str) -> None:
    try:
        spec = domain.parse(text)
    except Rejected:
        return
    assert domain.parse(spec) == spec


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("target", [None, 2.0, 6.0, 30.0, 200.0])
def test_the_pattern_admits_what_is_not_far_beyond_the_target(form: Form, target: float | None) -> None:
    pattern = re.compile(domain.pattern(form, target))
    rng = generator(0, "pattern", form, str(target))
    near = [domain.sample(rng, target or 20.0) for _ in range(60)]
    assert all(pattern.fullmatch(domain.write(spec, form)) for spec in near)
    if target is not None:
        drawn = [domain.sample(rng, 4 * target) for _ in range(60)]
        far = [spec for spec in drawn if difficulty(spec) > 2 * target]
        assert far and not any(pattern.fullmatch(domain.write(spec, form)) for spec in far)


def difficulty(spec: str) -> float:
    return domain.difficulty(domain.features(spec, Solution("", (), 0)))


def test_difficulty_grows_with_depth_and_breadth_and_falls_with_a_page() -> None:
    def of(depth: int, broad: int, page: bool) -> float:
        return difficulty(Goal(new_name(broad, generator(0, "x")), depth, 0, page).spec)

    for page in (False, True):
        for depth in range(1, 8):
            for broad in BREADTHS[:-1]:
                assert of(depth + 1, broad, page) > of(depth, broad, page) < of(depth, broad + 1, page)
                assert of(depth, broad, True) < of(depth, broad, False)


@pytest.mark.parametrize("target", [2, 8, 30, 200])
def test_samples_are_near_their_target(target: int) -> None:
    rng = generator(0, "sample", target)
    found = [difficulty(domain.sample(rng, target)) for _ in range(200)]
    assert 0.7 * target < np.median(found) < 1.5 * target + 2


@pytest.mark.parametrize("target", [-1.0, 0.0, 0.4, 1e9])
def test_extreme_targets_give_valid_problems(target: float) -> None:
    spec = domain.sample(generator(0, "sample"), target)
    assert domain.parse(spec) == spec


def test_mutations_stay_in_their_world_more_often_than_not() -> None:
    rng = generator(0, "mutate")
    same = harder = easier = 0
    for seed in range(300):
        parent = goal(seed, 3)
        child = read_spec(domain.parse(domain.mutate(parent.spec, rng)))
        assert child.spec != parent.spec
        same += child.world == parent.world
        harder += difficulty(child.spec) > difficulty(parent.spec)
        easier += difficulty(child.spec) < difficulty(parent.spec)
    assert 0.85 < same / 300 < 0.95
    assert 0.75 < harder / easier < 1.33  # down as often as up: what notes tell of lies above as well


def test_mutations_of_the_deepest_goal_and_of_an_anchor_are_valid() -> None:
    for spec in (Goal(goal(0, 1).world, MAX_DEPTH, 0, False).spec, domain.anchors(1)[0].spec):
        for seed in range(50):
            child = domain.mutate(spec, generator(seed, "mutate"))
            assert domain.parse(child) == child != spec


# -- playing -------------------------------------------------------------------------------------------
@given(goals, forms)
def test_a_perfect_player_makes_any_goal_within_the_budget(wanted: Goal, form: Form) -> None:
    mixes = one_by_one(wanted)
    assert len(mixes) <= most_mixes(wanted.depth) < wanted.budget
    at_once = domain.turn(wanted.spec, "", [written(mixes, form)], form)
    in_turn = domain.turn(wanted.spec, "", [written([m], form) for m in mixes], form)
    backwards = domain.turn(wanted.spec, "", [written(mixes[::-1], form)], form)
    for turn in (at_once, in_turn, backwards):
        assert (turn.done, turn.verdict, turn.reward) == (True, "correct", 1.0)


@given(st.integers(0, 2**32), st.integers(2, 7))
def test_the_reward_is_the_depth_of_what_the_goal_needs(seed: int, depth: int) -> None:
    wanted = goal(seed, depth)
    needed = wanted.tree.needs[wanted.item]
    aside = [wanted.tree.recipes[i] for i in wanted.tree.levels[1] if i not in needed]
    towards = [m for m in one_by_one(wanted) if wanted.tree.depths[wanted.tree.results[m]] < depth]
    # what the goal does not need counts for nothing, nor does doing anything again and again
    for mixes, reached in ((aside, 0.0), (towards, (depth - 1) / depth)):
        if mixes:
            tries = (mixes * wanted.budget)[: wanted.budget]
            turn = domain.turn(wanted.spec, "", [written(tries, "terse")], "terse")
            assert (turn.done, turn.verdict) == (True, "wrong")
            assert turn.reward == pytest.approx(reached)


def test_every_mix_is_a_try_and_the_budget_ends_the_episode() -> None:
    wanted = goal(1, 2)
    first = wanted.tree.results
    nothing = next(p for p in (pair("1", b) for b in "123") if p not in first)
    for action in ("".join(nothing), "zz", "Zz'1"):  # known to give nothing, and not at hand
        actions = [action] * wanted.budget
        assert not domain.turn(wanted.spec, "", actions[:-1], "terse").done
        turn = domain.turn(wanted.spec, "", actions, "terse")
        assert (turn.done, turn.verdict, turn.reward) == (True, "wrong", 0.0)
    many = "".join(nothing) + ";"
    assert domain.turn(wanted.spec, "", [many * 1000], "terse").verdict == "wrong"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "action", ["", " ", "1", "12x4", "\n12", "make it", "1,2", "Aa", "nothing\u0663\u0664"]
)
def test_an_action_without_a_mix_ends_the_episode(action: str, form: Form) -> None:
    if form == "natural" and action == "12x4":
        action = "12+4"
    wanted = goal(3, 3)
    start = written(one_by_one(wanted)[:1], form)
    turn = domain.turn(wanted.spec, "", [start, action], form)
    assert (turn.done, turn.verdict, turn.reward) == (True, "malformed", 0.0)


@pytest.mark.parametrize(
    ("action", "form", "mixes"),
    [
        ("12;a3;", "terse", "12;3a;"),
        ("Qa3;A12\nb45;", "terse", "3a;12;"),
        ("12;nonsense;;3a", "terse", "12;3a;"),
        ("a'1;Q''wa'1;Q'q'q", "terse", "1a';qq';"),
        ("1 + 2\na + 3", "natural", "12;3a;"),
        ("q = a + 3; a = 1 + 2", "natural", "3a;12;"),
        ("First I mix 1 and 2. Then a' with 3.", "natural", "12;3a';"),
        ("I could try 1 + 1, but no.\nAnswer: 2 + 1", "natural", "12;"),
    ],
)
def test_reading_actions(action: str, form: Form, mixes: str) -> None:
    assert domain.read_answer(action, form) == mixes


@given(goals, st.lists(st.text(max_size=60) | st.text("12ab;Qx+ \n", max_size=40), max_size=6), forms)
def test_any_actions_give_a_turn(wanted: Goal, actions: list[str], form: Form) -> None:
    turn = domain.turn(wanted.spec, "", actions, form)
    assert turn.done == (turn.verdict is not None)
    assert 0.0 <= turn.reward <= 1.0
    assert (turn.reward == 1.0) == (turn.verdict == "correct")
    for kind in KINDS:
        told = domain.recount(wanted.spec, actions, kind, form)
        assert told is None or isinstance(told, Account)


def test_hostile_actions_take_no_time() -> None:
    deepest = Goal(goal(0, 1).world, MAX_DEPTH, 0, True).spec
    started = time.process_time()
    for text in (*HOSTILE, "12;" * 10**6, "1 + " * 10**6, "a and " * 10**6, "zz;" * 10**6):
        for form in FORMS:
            domain.turn(deepest, "", [text] * 3, form)
            domain.recount(deepest, [text] * 3, "example", form)
    assert time.process_time() - started < 20


# -- what is seen --------------------------------------------------------------------------------------
def shown(observation: str) -> set[tuple[str, str, str]]:
    lines = observation.split("\n")[:-1]
    found = {e for line in lines for piece in line.split(" ")[1].split(";") for e in ENTRY.findall(piece)}
    return {(made.lower(), a, b) for made, a, b in found}


@given(goals, st.integers(0, 2**32))
def test_an_observation_shows_what_was_tried_and_the_page_and_no_more(wanted: Goal, seed: int) -> None:
    rng = generator(seed, "actions")
    actions: list[str] = []
    tried: set[tuple[str, str]] = set()
    for _ in range(3):
        action = domain.trial(wanted.spec, actions, rng, "terse")
        assert action is not None
        actions.append(action)
        tried |= {pair(a, b) for _, a, b in map(tuple, ENTRY.findall(action.replace(";", " ")))}
        turn = domain.turn(wanted.spec, "", actions, "terse")
        if turn.done:
            break
    deeper = tree(wanted.world, wanted.depth + 4)
    given_ = shown(domain.pose(wanted.spec, "terse"))
    for made, a, b in shown(turn.observation) - given_:
        assert (a, b) in tried
        assert made == deeper.results.get((a, b), "")
    for made, a, b in given_:
        assert wanted.page and deeper.recipes[made] == (a, b)
    statement = turn.observation.split("\n")[-1]
    bases = "".join(wanted.tree.levels[0])
    assert re.fullmatch(rf"{wanted.world} {bases} [0-9]+ {wanted.item.upper()}=", statement)
    natural = domain.turn(wanted.spec, "", [a.replace(";", "\n") for a in actions], "natural").observation
    assert not set(re.findall(r"gives (\w+)", natural)) - {m for m, _, _ in shown(turn.observation)} - {
        "nothing", "a",
    }  # fmt: skip


def test_statements() -> None:
    spec = goal(5, 2).spec
    world, item = goal(5, 2).world, goal(5, 2).item
    bases = "".join(goal(5, 2).tree.levels[0])
    assert domain.pose(spec, "terse") == f"{world} {bases} 10 {item.upper()}="
    page, statement = domain.pose(spec + "+", "terse").split("\n")
    assert statement == domain.pose(spec, "terse")
    assert page.startswith(f"{world} ")
    natural = domain.pose(spec, "natural")
    assert f"World {world}. " in natural
    assert f"Make {item}, a thing of depth 2. Tries left: 10." in natural


@given(goals)
def test_a_page_has_what_the_goal_needs_and_nothing_deeper(wanted: Goal) -> None:
    page = Goal(wanted.world, wanted.depth, wanted.index, True)
    told = shown(domain.pose(page.spec, "terse"))
    items = {made for made, _, _ in told}
    assert page.tree.needs[page.item] <= items <= set(page.tree.recipes)
    assert len(items) == len(told) <= max(PAGE, len(page.tree.needs[page.item]))


@given(goals, st.integers(0, 2**32), forms)
def test_no_observation_is_longer_than_was_said(wanted: Goal, seed: int, form: Form) -> None:
    rng = generator(seed, "long")
    actions: list[str] = []
    limit = domain.longest(wanted.spec, form)
    perfect = written(one_by_one(wanted)[:-1], form)
    actions = [perfect] if seed % 2 and perfect else []
    while not (turn := domain.turn(wanted.spec, "", actions, form)).done:
        assert len(turn.observation) <= limit
        actions.append(domain.trial(wanted.spec, actions, rng, form) or "zz; z + z")
    assert len(turn.observation) <= limit


@given(goals, st.integers(0, 2**32), forms)
def test_a_trial_is_of_what_is_at_hand_and_untried(wanted: Goal, seed: int, form: Form) -> None:
    first = domain.trial(wanted.spec, [], generator(seed, "trial"), form)
    assert first is not None
    mixes = (domain.read_answer(first, form) or "").split(";")[:-1]
    assert len(set(mixes)) == len(mixes) == 4
    assert set("".join(mixes)) <= set(wanted.tree.levels[0])
    if not domain.turn(wanted.spec, "", [first], form).done:
        second = domain.trial(wanted.spec, [first], generator(seed, "again"), form)
        assert not set(mixes) & set((domain.read_answer(second or "", form) or "").split(";")[:-1])


@given(goals, st.integers(0, 2**32), forms)
def test_sampled_notes_hold_and_stay_out_of_the_anchors_worlds(wanted: Goal, seed: int, form: Form) -> None:
    bare = Goal(wanted.world, wanted.depth, wanted.index, False).spec
    notes = domain.sample_notes(bare, generator(seed, "notes"), form)
    assert 1 <= len(notes) <= 3 and not any("\n" in note for note in notes)
    for note in notes:
        told = domain.claims(note, form)
        assert told.claims and not told.rest
        assert domain.refuted(told.claims, None) == [None] * len(told.claims)  # type: ignore[arg-type]


def test_some_sampled_notes_tell_all_and_some_a_part() -> None:
    bare = goal(5, 2).spec
    posed = domain.pose(bare, "terse")
    prompts = [
        "\n".join([*domain.sample_notes(bare, generator(n, "notes"), "terse"), posed]) for n in range(60)
    ]
    keys = [domain.readable_key(bare, prompt, "terse") for prompt in prompts]
    assert 5 < sum(key is not None for key in keys) < 40
    for prompt, key in zip(prompts, keys, strict=True):
        if key is not None:
            assert domain.turn(bare, "", [key], "terse").verdict == "correct"
        first = domain.trial(bare, [], generator(1, "trial"), "terse", prompt)
        assert first is not None and domain.turn(bare, "", [first], "terse").verdict != "malformed"


@pytest.mark.parametrize("form", FORMS)
def test_who_reads_of_a_part_makes_that_first_and_goes_on_from_there(form: Form) -> None:
    bare = goal(5, 3)
    item = next(i for i in bare.tree.levels[2] if len(bare.tree.needs[i]) > 1)
    (way,) = [sorted(bare.tree.needs[item], key=lambda i: bare.tree.depths[i])]
    actions = [written([bare.tree.recipes[i] for i in way], form)]
    note = domain.recount(
        Goal(bare.world, 2, bare.tree.levels[2].index(item), False).spec, actions, "example", form
    )
    assert note is not None
    prompt = f"{note.body}\n{domain.pose(bare.spec, form)}"
    first = domain.trial(bare.spec, [], generator(0, "trial"), form, prompt)
    assert first is not None
    done = domain.recount(bare.spec, [first], "example", form)
    assert done is not None
    assert {claim.answer for claim in domain.claims(done.body, form).claims} == set(way)
    # what was found last is what most of the next tries are made with
    second = domain.trial(bare.spec, [first], generator(0, "trial"), form, prompt)
    assert second is not None and second != first


# -- reading -------------------------------------------------------------------------------------------
@given(goals, forms)
def test_a_page_or_a_note_that_tells_all_gives_the_key(wanted: Goal, form: Form) -> None:
    bare = Goal(wanted.world, wanted.depth, wanted.index, False)
    posed = domain.pose(bare.spec, form)
    assert domain.readable_key(bare.spec, posed, form) is None
    told = domain.recount(bare.spec, [written(one_by_one(bare), form)], "example", form)
    assert told is not None
    for note in (told.body, "> " + told.body)[: 1 + (form == "natural")]:
        key = domain.readable_key(bare.spec, f"{note}\n{posed}", form)
        assert key is not None
        assert domain.turn(bare.spec, "", [key], form).verdict == "correct"
    # a step left out, another world's note, and one that is wrong tell nothing
    piece = ";" if form == "terse" else "; "
    less = told.body[: -1 if form == "terse" else None].rpartition(piece)[0] or told.body.split(" ")[0]
    other = told.body.replace(bare.world, "wrongu")
    for note in (less, other):
        assert domain.readable_key(bare.spec, f"{note}\n{posed}", form) is None


def test_a_false_recipe_is_never_taught() -> None:
    wanted = goal(7, 1)
    right = wanted.tree.recipes[wanted.item]
    false = next(pair(a, b) for a in "12" for b in "12" if pair(a, b) != right)
    posed = domain.pose(wanted.spec, "terse")
    note = f"{wanted.world} {wanted.item.upper()}{''.join(false)};"
    assert domain.readable_key(wanted.spec, f"{note}\n{posed}", "terse") is None
    both = f"{note}{wanted.item.upper()}{''.join(right)};"
    assert domain.readable_key(wanted.spec, f"{both}\n{posed}", "terse") is not None


def test_what_was_found_in_the_episode_can_be_read_too() -> None:
    wanted = goal(8, 3, page=False)
    mixes = one_by_one(wanted)
    seen = domain.turn(wanted.spec, "", [written(mixes[:-1], "terse")], "terse").observation
    last = f"{wanted.world} {wanted.item.upper()}{''.join(mixes[-1])};"
    key = domain.readable_key(wanted.spec, f"{last}\n{seen}", "terse")
    assert key is not None
    assert domain.readable_key(wanted.spec, seen, "terse") is None


# -- notes ---------------------------------------------------------------------------------------------
def test_notes_of_an_episode() -> None:
    wanted = goal(11, 2)
    mixes, results, world = one_by_one(wanted), wanted.tree.results, wanted.world
    bases = wanted.tree.levels[0]
    nothing = next(m for a in bases for b in bases if (m := pair(a, b)) not in results)
    actions = [written([nothing, *mixes], "terse")]
    way = "".join(f"{results[m].upper()}{''.join(m)};" for m in mixes)
    last = f"{wanted.item.upper()}{''.join(mixes[-1])};"

    def body(actions: list[str], kind: Kind) -> str:
        told = domain.recount(wanted.spec, actions, kind, "terse")
        assert told is not None
        return told.body

    assert body(actions, "example") == f"{world} {way}"
    assert body(actions, "lesson") == f"{world} {last}"
    # the goal was not made: all that was tried, with what gave nothing
    actions = [written([nothing, *mixes[:1]], "terse")]
    first = f"{results[mixes[0]].upper()}{''.join(mixes[0])};"
    assert body(actions, "example") == f"{world} {''.join(nothing)};{first}"
    assert body(actions, "lesson") == f"{world} {first}"
    assert body([written([nothing], "terse")], "lesson") == f"{world} {''.join(nothing)};"
    assert domain.recount(wanted.spec, ["zz"], "example", "terse") is None
    natural = domain.recount(wanted.spec, [written([nothing, *mixes[:1]], "natural")], "example", "natural")
    assert natural is not None
    assert natural.body == (
        f"World {world}: mixing {nothing[0]} and {nothing[1]} gives nothing; "
        f"mixing {mixes[0][0]} and {mixes[0][1]} gives {results[mixes[0]]}."
    )


@given(goals, st.integers(0, 2**32), st.sampled_from(KINDS), forms)
def test_a_note_tells_what_was_tried_and_nothing_else(
    wanted: Goal, seed: int, kind: Kind, form: Form
) -> None:
    rng = generator(seed, "note")
    actions: list[str] = []
    for _ in range(3):
        actions.append(domain.trial(wanted.spec, actions, rng, form) or "")
        turn = domain.turn(wanted.spec, "", actions, form)
        if turn.done:
            break
    told = domain.recount(wanted.spec, actions, kind, form)
    assert told is not None and turn.observation
    tried = {m for a in actions for m in (domain.read_answer(a, form) or "").split(";")}
    if form == "terse":
        entries = [(made, a, b) for made, a, b in shown(f"{told.body}\n")]
    else:
        found = re.findall(r"mixing (\w+) and (\w+) gives (\w+)", told.body)
        entries = [("" if made == "nothing" else made, a, b) for a, b, made in found]
    assert entries
    results = tree(wanted.world, wanted.depth + 4).results
    for made, a, b in entries:
        assert a + b in tried
        assert made == results.get((a, b), "")


def library_of(worlds: list[str], form: Form) -> Library:
    """Notes that random players wrote about problems of every depth."""
    library = Library(LibraryConfig(), seed=0)
    for number, world in enumerate(worlds):
        for depth in range(1, 5):
            for index, kind in enumerate(KINDS):
                wanted = Goal(world, depth, index, False)
                rng = generator(number, "writer", depth, index)
                known = one_by_one(wanted)[: int(rng.integers(0, 2 * depth))]
                actions = [written(known, form)] if known else []
                if not domain.turn(wanted.spec, "", actions, form).done:
                    actions.append(domain.trial(wanted.spec, actions, rng, form) or "")
                told = domain.recount(wanted.spec, actions, kind, form)
                assert told is not None
                with contextlib.suppress(LibraryRefused):  # the same again
                    library.write(
                        Edit(
                            None, None, kind, "craft", PUBLIC, told.title[:120], told.body, "writer", None,
                            0, 100 * number + 10 * depth + index,
                        )
                    )  # fmt: skip
    return library


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("count", [2, 60])
def test_a_problem_finds_the_notes_of_its_world_before_all_others(form: Form, count: int) -> None:
    rng = generator(0, "worlds")
    worlds = [new_name(BREADTHS[i % 5], rng) for i in range(count)]
    library = library_of(worlds, form)
    reader = Reader("reader", "all", {"writer"})
    told = asked = 0
    for world in worlds[:20]:
        mine = {h for h in library.heads() if f"{world}" in library.note(h).title}
        for depth in (1, 3, 5, 9):
            wanted = Goal(world, depth, 1, False)
            hits = library.search(domain.about(wanted.spec, form), reader, 40, 10**6, "craft")
            assert {h.note_id for h in hits} == mine and len(mine) > 3
            # and before the others of its world one that tells how to make the goal
            if any(_tells(h.body, wanted.item, form) for h in hits if h.kind == "example"):
                asked += 1
                told += _tells(hits[0].body, wanted.item, form)
    assert told > 0.8 * asked


def _tells(body: str, item: str, form: Form) -> bool:
    return any(
        made == item for made, _ in craft._told(body, re.split("[ :]", body)[form == "natural"], form)
    )


# -- anchors -------------------------------------------------------------------------------------------
def test_anchors_are_frozen_and_held_out() -> None:
    anchors = domain.anchors(4)
    cells = [a.cell for a in anchors[::4]]
    assert cells[: len(domain.core_cells)] == list(domain.core_cells)
    for anchor in anchors:
        wanted = read_spec(anchor.spec)
        assert held_out(wanted.world)
        shape = f"{wanted.depth}x{int(anchor.features['breadth'])}{'+' * wanted.page}"
        assert (anchor.cell, anchor.answer_key, anchor.worked) == (shape, "", ())
        with pytest.raises(Rejected, match="held_out"):
            domain.parse(anchor.spec)
    by_cell = {cell: [a.spec for a in anchors if a.cell == cell] for cell in cells}
    both = [cell for cell in cells if f"{cell}+" in by_cell]
    assert len(both) >= 6
    assert all(by_cell[f"{cell}+"] == [f"{spec}+" for spec in by_cell[cell]] for cell in both)
    assert domain.anchors(2) == [a for i, a in enumerate(anchors) if i % 4 < 2]


def test_nothing_sampled_or_mutated_is_held_out() -> None:
    rng = generator(0, "held")
    for _ in range(300):
        spec = domain.sample(rng, 20.0)
        assert not held_out(read_spec(spec).world)
        assert not held_out(read_spec(domain.mutate(spec, rng)).world)
