"""Rounds of ``craft`` with a scripted engine: turns of episodes are stored, trained and written about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from agents.config import WarmUpConfig
from agents.engines.base import Completion, Request, Sampling
from arena.config import RunConfig
from arena.domains import make_domain
from arena.domains.crafting import read_spec
from arena.domains.recipes import held_out, new_name, pair, path, tree
from arena.faults import ConfigError
from arena.sandbox import Sandbox
from arena.settings import load
from arena.warm_up import _Lessons
from culture import connect
from culture.quoting import quote
from culture.seeds import generator
from tests.arena.consistency import check_log
from tests.arena.domains.test_craft import shown
from tests.arena.scripted import play, spoken

WORLDS = [new_name(2, generator(0, "worlds", n)) for n in range(4)]
HELD_OUT = new_name(2, generator(0, "worlds"), anchor=True)
SHOWN = re.compile(r"(\w+) ([1-7]+) ([0-9]+) ([A-Z]'*)=")


class Player:
    """Poses goals in a few worlds, does what it reads, tries what it does not; some of it is nothing."""

    def generate(
        self, policy_version: str, requests: Sequence[Request], sampling: Sampling
    ) -> list[Completion]:
        return spoken(policy_version, requests, self._text)

    def _text(self, r: Request) -> str:
        rng = generator(r.seed, "player", r.prompt)
        if r.prompt.endswith(">"):
            world = HELD_OUT if rng.random() < 0.1 else WORLDS[int(rng.integers(len(WORLDS)))]
            return f"{world}{rng.integers(1, 4)}{'ab'[int(rng.integers(2))]}{'+' * int(rng.random() < 0.3)}"
        if rng.random() < 0.05:
            return "nothing"
        *lines, statement = r.prompt.split("\n")
        match = SHOWN.fullmatch(statement)
        assert match is not None, statement
        world, bases, goal = match.group(1), match.group(2), match.group(4).lower()
        told = shown("\n".join([*(line for line in lines if line.startswith(f"{world} ")), ""]))
        recipes = {made: (a, b) for made, a, b in told if made}
        way = path(goal, recipes)
        if way is not None:
            return "".join(f"{made.upper()}{''.join(recipes[made])};" for made in way)
        items = [*bases, *recipes]
        drawn = [items[int(i)] for i in rng.integers(len(items), size=6)]
        return f"{drawn[0]}{drawn[1]};{drawn[2]}{drawn[3]};{drawn[4]}{drawn[5]};"


def played(folder: Path, *overrides: str) -> Path:
    settings = ["domains=[craft]", "rounds=4", "engine.prompt_chars=190", "engine.answer_tokens=60"]
    arms = 'rollout.arms={"library": 0.5, "none": 0.3, "placebo": 0.2}'
    return play(folder, [*settings, arms, "sleep.every=0", *overrides], engine=Player)


def ask(folder: Path, sql: str) -> list[tuple[object, ...]]:
    with connect(folder) as log:
        return log.execute(sql).fetchall()


@pytest.fixture(scope="module")
def grpo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    goals = [f"learner.{role}.objective=grpo" for role in ("solver", "proposer")]
    return played(tmp_path_factory.mktemp("grpo") / "run", *goals)


def test_the_log_is_consistent(grpo: Path) -> None:
    check_log(grpo)
    assert ask(grpo, "SELECT count(*) FROM events WHERE source = 'infrastructure'") == [(0,)]


def test_every_turn_is_stored(grpo: Path) -> None:
    rows = ask(
        grpo,
        "SELECT a.turns, list(c.turn ORDER BY c.turn), list(c.prompt ORDER BY c.turn), "
        "any_value(a.prompt), list(c.completion ORDER BY c.turn), any_value(a.completion), "
        "any_value(p.spec), any_value(a.reward) "
        "FROM attempts a JOIN actions c USING (attempt_id) JOIN problems p USING (problem_id) "
        "WHERE a.arm = 'none' GROUP BY a.attempt_id, a.turns",
    )
    assert len(rows) > 20
    domain = make_domain("craft")
    for turns, numbers, prompts, prompt, said, last, spec, reward in rows:
        assert list(numbers) == list(range(int(turns) - 1))  # type: ignore[call-overload]
        actions = [*said, last]  # type: ignore[misc]
        shown_ = [domain.turn(str(spec), "", actions[:n], "terse").observation for n in range(len(actions))]
        assert [*prompts, prompt] == shown_  # type: ignore[misc]
        assert domain.turn(str(spec), "", actions, "terse").reward == reward
    one_turn = (
        "SELECT count(*) FROM actions WHERE attempt_id IN (SELECT attempt_id FROM attempts WHERE turns = 1)"
    )
    assert ask(grpo, one_turn) == [(0,)]


def test_a_policy_gradient_has_a_row_for_every_turn_with_the_advantage_of_the_episode(grpo: Path) -> None:
    rows = ask(
        grpo,
        "SELECT r.source_id, any_value(a.turns), count(*), count(DISTINCT r.advantage), "
        "any_value(r.advantage), any_value(r.group_id), bool_and(len(r.token_ids) = len(r.logprobs)) "
        "FROM batch_rows r JOIN attempts a ON r.source_id = a.attempt_id GROUP BY r.source_id",
    )
    assert max(int(turns) for _, turns, *_ in rows) > 1  # type: ignore[call-overload]
    for _, turns, count, advantages, _, _, whole in rows:
        assert (count, advantages, whole) == (turns, 1, True)
    # an episode counts once among those that it is compared with, however long it was
    by_group: dict[object, list[float]] = {}
    for _, _, _, _, advantage, group, _ in rows:
        by_group.setdefault(group, []).append(float(advantage))  # type: ignore[arg-type]
    whole_groups = [g for g in by_group.values() if len(g) == 4]
    assert whole_groups
    assert all(abs(sum(group)) < 1e-6 for group in whole_groups)
    prompts = ask(
        grpo,
        "SELECT r.prompt, r.completion FROM batch_rows r WHERE r.source_kind = 'attempt' EXCEPT "
        "(SELECT prompt, completion FROM attempts UNION ALL SELECT prompt, completion FROM actions)",
    )
    assert prompts == []


def test_held_out_worlds_are_nobody_s_fault_and_train_nobody(grpo: Path) -> None:
    rows = ask(
        grpo, f"SELECT DISTINCT status, reason, failure_source FROM problems WHERE text LIKE '{HELD_OUT}%'"
    )
    assert rows == [("rejected", "anchor", None)]
    assert ask(grpo, f"SELECT count(*) FROM batch_rows WHERE completion LIKE '{HELD_OUT}%'") == [(0,)]
    specs = [str(s) for (s,) in ask(grpo, "SELECT spec FROM problems WHERE status = 'admitted'")]
    assert specs and not any(held_out(read_spec(spec).world) for spec in specs)


def test_notes_tell_what_was_tried_and_readers_get_those_of_their_world(grpo: Path) -> None:
    notes = ask(
        grpo,
        "SELECT v.body, p.spec, n.title, a.completion, list(c.completion) FROM revisions v "
        "JOIN notes n USING (note_id) "
        "JOIN citations x ON x.revision_id = v.revision_id AND x.target_kind = 'attempt' "
        "JOIN attempts a ON a.attempt_id = x.target_id JOIN problems p USING (problem_id) "
        "LEFT JOIN actions c ON c.attempt_id = a.attempt_id WHERE v.body <> '' GROUP BY ALL",
    )
    assert len(notes) > 10
    domain = make_domain("craft")
    for body, spec, title, last, earlier in notes:
        world = read_spec(str(spec)).world
        assert str(body).startswith(f"{world} ") and str(title).startswith(world)
        said = [*(e for e in earlier if e is not None), str(last)]  # type: ignore[attr-defined]
        tried = {m for text in said for m in (domain.read_answer(text, "terse") or "").split(";")}
        results = tree(world, 8).results
        for made, a, b in shown(f"{body}\n"):
            assert a + b in tried
            assert made == results.get(pair(a, b), "")
    solved = "SELECT count(*) FROM revisions WHERE evidence->>'$.solved' {} '0' AND body <> ''"
    assert ask(grpo, solved.format("=")) > [(0,)]
    assert ask(grpo, solved.format("<>")) > [(0,)]
    read = ask(
        grpo,
        "SELECT v.body, p.spec, a.prompt FROM reads r JOIN attempts a USING (attempt_id) "
        "JOIN problems p USING (problem_id) JOIN revisions v USING (revision_id) WHERE r.arm = 'library'",
    )
    assert len(read) > 20
    for body, spec, prompt in read:
        assert str(body).startswith(f"{read_spec(str(spec)).world} ")
        assert quote(str(body), limit=2000) in str(prompt).split("\n")


def test_rejection_imitates_right_episodes_whole(tmp_path: Path) -> None:
    folder = played(tmp_path / "run", "learner.solver.objective=rejection")
    check_log(folder)
    rows = ask(
        folder,
        "SELECT a.correct, a.turns, count(*) FROM batch_rows r "
        "JOIN attempts a ON r.source_id = a.attempt_id WHERE r.role = 'solver' "
        "GROUP BY a.attempt_id, a.correct, a.turns",
    )
    assert {correct for correct, _, _ in rows} == {True}
    assert all(turns == count for _, turns, count in rows)
    assert max(int(turns) for _, turns, _ in rows) > 1  # type: ignore[call-overload]
    assert ask(folder, "SELECT count(*) FROM attempts WHERE reward > 0 AND NOT correct") > [(0,)]


def test_an_answer_key_is_what_the_prompt_tells(tmp_path: Path) -> None:
    folder = played(tmp_path / "run", "learner.solver.rehearsal=1")
    check_log(folder)
    rows = ask(
        folder,
        "SELECT r.prompt, r.completion, p.spec, r.prompt LIKE '%' || chr(10) || '%' FROM batch_rows r "
        "JOIN attempts a ON r.source_id = a.attempt_id JOIN problems p USING (problem_id) "
        "WHERE r.role = 'solver'",
    )
    assert len(rows) > 20
    domain = make_domain("craft")
    for prompt, key, spec, _ in rows:
        assert domain.readable_key(str(spec), str(prompt), "terse") == key
        assert domain.turn(str(spec), "", [str(key)], "terse").verdict == "correct"
    # from pages, and from notes where there was no page
    assert {str(spec).endswith("+") for _, _, spec, _ in rows} == {True, False}


def test_the_warm_up_teaches_to_read_pages_and_to_try(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arena.warm_up._POOL", 300)
    domain = make_domain("craft")
    config = WarmUpConfig(read_share=0.6, solve_target=15, read_target=12, propose_target=30)
    lessons = _Lessons(domain, config, ["proposer", "solver"], "terse", sandbox, 0)
    rows = [lessons.row(practice=False) for _ in range(500)]
    assert {role for role, _, _ in rows} == {"proposer", "solver"}
    read = tried = copied = 0
    for role, prompt, text in rows:
        if role == "proposer":
            goal = read_spec(domain.parse(text))
            assert not held_out(goal.world)
            # a page is for practice; now and then a variation of a problem has one
            assert not goal.page or not prompt.startswith("?")
            continue
        if prompt == f"{text}\n":
            copied += 1
            continue
        match = SHOWN.fullmatch(prompt.split("\n")[-1])
        assert match is not None and not held_out(match.group(1))
        if text[0].isupper():
            read += 1
            lines = [line for line in prompt.split("\n") if line.startswith(f"{match.group(1)} ")]
            assert {e for e in text.split(";") if e} <= {
                e for line in lines for e in line.split(" ")[1].split(";")
            }
        else:
            tried += 1
            assert domain.read_answer(text, "terse") is not None
    assert 0 < copied < 60 and 0.6 < read / (read + tried) < 0.9


def test_the_warm_up_begins_with_copying(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arena.warm_up._POOL", 100)
    config = WarmUpConfig(solve_target=15, read_target=12)
    craft = _Lessons(make_domain("craft"), config, ["solver"], "terse", sandbox, 0)
    rows = [craft.row(practice=True) for _ in range(200)]
    copied = [text for _, prompt, text in rows if prompt == f"{text}\n"]
    assert len(copied) > 150
    assert {len(text) < 10 for text in copied} == {True, False}
    one_step = _Lessons(make_domain("transforms"), WarmUpConfig(), ["solver"], "terse", sandbox, 0)
    assert all(
        prompt != f"{text}\n" for _, prompt, text in (one_step.row(practice=True) for _ in range(100))
    )


def test_answers_leave_room_for_what_an_episode_shows() -> None:
    advice = (
        r"expected room in engine.context \(256\) beside observations of craft.*write engine.answer_tokens"
    )
    with pytest.raises(ConfigError, match=advice):
        load("tiny", ["domains=[craft]", "engine.answer_tokens=128", "engine.prompt_chars=120"], RunConfig)
    load("tiny", ["domains=[craft]", "engine.answer_tokens=96", "engine.prompt_chars=160"], RunConfig)
