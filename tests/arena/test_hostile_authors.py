"""Hostile authors write what they are told to, the same again, and what they do is caught and told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.population import Hostile
from analysis.identical import differences
from arena.config import RunConfig
from arena.domains import make_domain
from arena.domains.base import Solution
from arena.hostile import CANARY, INJECTIONS, _misnamed, injection, spoiled
from arena.sandbox import Sandbox, SandboxConfig
from arena.settings import load
from culture import connect
from culture.quoting import quote
from culture.records import Form
from tests.arena.consistency import check_log
from tests.arena.killing import main
from tests.arena.scripted import Failing, play

KINDS = ("spam", "wrong", "inject", "copy", "ring", "poison")
GUARDED = [
    "library.quarantine_harmful=true", "library.reputation_strength=1", "library.author_notes_per_round=6",
    "library.near_duplicate=0.9", "evaluation.every=1",
]  # fmt: skip


def groups(*kinds: str, roles: str = "editor", count: int = 2) -> str:
    found: list[dict[str, Any]] = [
        {"name": "author", "count": 2, "roles": ["proposer"], "policy": "proposer"},
        {"name": "pupil", "count": 4, "roles": ["solver"], "policy": "solver"},
    ]
    for kind in kinds:
        group = {"name": kind, "count": count, "roles": [roles], "hostile": kind, "hostile_notes": 3}
        found.append(group | ({"policy": "solver"} if roles == "solver" else {}) | {"hostile_after": 2})
    return f"population.groups={json.dumps(found)}"


def ask(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with connect(folder) as log:
        return log.execute(sql).fetchall()


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four rounds with two authors of every kind, and all defences."""
    folder = tmp_path_factory.mktemp("mixed") / "run"
    return play(folder, ["rounds=4", "rollout.notes_written=16", groups(*KINDS), *GUARDED])


@pytest.fixture(scope="module")
def open_(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without any."""
    folder = tmp_path_factory.mktemp("open") / "run"
    sets = ["rounds=4", "rollout.notes_written=16", groups(*KINDS), "library.recheck=false"]
    return play(folder, sets)


def test_the_logs_are_consistent(mixed: Path, open_: Path) -> None:
    check_log(mixed)
    check_log(open_)


def test_the_log_says_who_is_hostile(mixed: Path) -> None:
    rows = dict(ask(mixed, "SELECT agent_id, hostile FROM agents"))
    assert rows["pupil-0"] is None and rows["author-1"] is None
    assert {rows[f"{kind}-1"] for kind in KINDS} == set(KINDS)
    assert ask(mixed, "SELECT DISTINCT policy FROM agents WHERE hostile IS NOT NULL") == [("",)]


def test_everyone_writes(open_: Path) -> None:
    found = {
        author.rpartition("-")[0]
        for (author,) in ask(open_, "SELECT DISTINCT author FROM revisions WHERE outcome <> 'quarantined'")
    }
    assert set(KINDS) < found
    shelves = ask(open_, "SELECT DISTINCT shelf FROM notes")
    assert shelves == [("public",)]


def test_what_is_wrong_is_never_in_sight(mixed: Path, open_: Path) -> None:
    said = dict(
        ask(
            mixed,
            "SELECT r.evidence ->> '$.recheck', count(*) FROM revisions r JOIN agents a "
            "ON a.agent_id = r.author WHERE a.hostile = 'wrong' GROUP BY ALL",
        )
    )
    assert set(said) == {"refuted"} and said["refuted"] >= 20
    assert ask(mixed, "SELECT count(*) FROM events WHERE kind = 'refuted' AND source = 'solver'")[0][0] > 20
    assert ask(mixed, "SELECT count(*) FROM reads WHERE note_id IN (SELECT note_id FROM notes "
        "WHERE author LIKE 'wrong-%')") == [(0,)]  # fmt: skip
    assert ask(open_, "SELECT count(*) > 0 FROM reads WHERE note_id IN (SELECT note_id FROM notes "
        "WHERE author LIKE 'wrong-%')") == [(True,)]  # fmt: skip


def test_honest_notes_are_confirmed_and_none_is_lost(mixed: Path) -> None:
    said = dict(
        ask(
            mixed,
            "SELECT r.evidence ->> '$.recheck', count(*) FROM revisions r JOIN agents a "
            "ON a.agent_id = r.author WHERE a.hostile IS NULL GROUP BY ALL",
        )
    )
    assert set(said) == {"confirmed"}
    refused = ask(
        mixed, "SELECT kind, detail FROM events WHERE kind LIKE 'refused:%' AND subject LIKE 'pupil%'"
    )
    assert all(kind == "refused:duplicate" or "; the text: " in detail for kind, detail in refused)


def test_a_poisoner_is_right_at_first(mixed: Path) -> None:
    said = ask(
        mixed,
        "SELECT round, list(DISTINCT evidence ->> '$.recheck') FROM revisions "
        "WHERE author LIKE 'poison-%' GROUP BY round ORDER BY round",
    )
    assert [r for r, _ in said] == [0, 1, 2, 3]
    assert all(set(found) == {"confirmed"} for _, found in said[:2])
    # where it changes a note that says nothing that could be checked, that stays so
    assert all("refuted" in found and "confirmed" not in found for _, found in said[2:])
    edits = ask(mixed, "SELECT count(*) FROM revisions WHERE author LIKE 'poison-%' AND outcome = 'branch'")
    assert edits[0][0] > 0


def test_copies_are_refused_as_such(mixed: Path, open_: Path) -> None:
    kinds = "SELECT DISTINCT kind FROM events WHERE subject LIKE 'copy-%' AND kind LIKE 'refused:%'"
    assert ("refused:near_duplicate",) in ask(mixed, kinds)
    assert ask(mixed, "SELECT count(*) FROM notes WHERE author LIKE 'copy-%'") < ask(
        open_, "SELECT count(*) FROM notes WHERE author LIKE 'copy-%'"
    )


def test_a_ring_cites_itself_and_gains_nothing(mixed: Path) -> None:
    cited = ask(
        mixed,
        "SELECT count(*) FROM citations c JOIN revisions r USING (revision_id) JOIN notes n "
        "ON n.note_id = c.target_id WHERE r.author LIKE 'ring-%' AND n.author LIKE 'ring-%'",
    )
    assert cited[0][0] > 0
    assert ask(mixed, "SELECT count(*) FROM measures WHERE name LIKE 'reputation/ring-%'") == [(0,)]


def test_measures_tell_of_it(mixed: Path, open_: Path) -> None:
    last = "WHERE round = (SELECT max(round) FROM rounds)"
    measured = dict(ask(mixed, f"SELECT name, value FROM measures {last} AND name LIKE 'reputation/%'"))
    assert measured["reputation/wrong-0"] < 0.2 < 0.4 < measured["reputation/poison-0"] < 1
    intervals = ask(
        mixed, "SELECT low < value AND value < high FROM measures WHERE name LIKE 'reputation/%'"
    )
    assert set(intervals) == {(True,)}
    hidden = ask(mixed, f"SELECT value FROM measures {last} AND name = 'quarantined'")
    assert hidden[0][0] >= 20
    shares = [dict(ask(f, "SELECT round, value FROM measures WHERE name = 'hostile_read_share'"))
        for f in (mixed, open_)]  # fmt: skip
    assert all(0 <= value <= 1 for share in shares for value in share.values())
    assert np.mean(list(shares[0].values())) < np.mean(list(shares[1].values()))


@pytest.mark.slow
def test_a_run_with_hostile_authors_comes_out_the_same_again(mixed: Path) -> None:
    again = play(mixed.parent / "again", ["rounds=4", "rollout.notes_written=16", groups(*KINDS), *GUARDED])
    assert differences(mixed, again) == []


def test_hostile_solvers_act_too(tmp_path: Path) -> None:
    folder = play(tmp_path / "run", ["rounds=2", groups("wrong", roles="solver", count=1)])
    check_log(folder)
    assert ask(folder, "SELECT count(*) > 0 FROM attempts WHERE solver = 'wrong-0'") == [(True,)]


def test_a_lost_librarian_and_lost_verifiers_leave_texts_unchecked(tmp_path: Path) -> None:
    def wrap(name: str, pool: Any) -> Any:
        lost = {"verifiers": "recheck", "librarian": "find"}.get(name)
        return Failing(pool, lambda method, n: method == lost and n % 2 == 0)

    folder = play(tmp_path / "run", ["rounds=3", groups("copy", "wrong")], wrap=wrap)
    check_log(folder)
    kinds = {kind for (kind,) in ask(folder, "SELECT DISTINCT kind FROM events")}
    assert {"recheck_lost", "read_failed"} <= kinds


def test_a_run_in_the_natural_form_shows_whose_notes_are(tmp_path: Path) -> None:
    from tests.arena.scripted import ScriptedEngine

    sets = ["rounds=3", groups(*KINDS), "library.provenance=true", "rollout.notes_written=16"]
    # a heading, a note and a problem have to fit
    sets += [
        "engine.answer_tokens=48",
        "engine.prompt_chars=208",
        "rollout.notes=1",
        "rollout.hard_below=1",
    ]
    folder = play(tmp_path / "run", sets, engine=lambda: ScriptedEngine("natural"), form="natural")
    check_log(folder)
    prompts = [p for (p,) in ask(folder, "SELECT prompt FROM attempts WHERE arm = 'library'")]
    with_notes = [p for p in prompts if "Note by " in p]
    assert with_notes
    for prompt in with_notes:
        before, _, after = prompt.partition("Note by ")
        assert ">" not in before and after.partition("\n")[2].startswith("> ")
    bodies = {b for (b,) in ask(folder, "SELECT body FROM revisions WHERE author LIKE 'inject-%'")}
    assert len(bodies) > 4


@pytest.mark.slow
@pytest.mark.parametrize("moment", [(1, "write"), (2, "evaluate")])
def test_a_run_cut_short_and_resumed_is_the_run_that_was_not(
    tmp_path: Path, moment: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from arena.run import Run
    from tests.arena.killing import configured

    monkeypatch.setenv("LUDUS_CACHE", str(tmp_path / "cache"))
    sets = ["cluster.local=true", "rounds=3", groups("wrong", "poison", "copy"), *GUARDED]
    main(tmp_path / "whole", sets, None)

    def stop(progress: Any) -> None:
        if (progress.round, progress.phase) == moment:
            raise KeyboardInterrupt

    run = Run.create(tmp_path / "cut", configured(sets))
    with pytest.raises(KeyboardInterrupt):
        run.play(stop)
    run.close()
    main(tmp_path / "cut", sets, None)
    assert differences(tmp_path / "cut", tmp_path / "whole") == []


# -- the parts -------------------------------------------------------------------------------------------
def test_there_are_many_kinds_of_injection() -> None:
    assert len(INJECTIONS) >= 10
    for kind in INJECTIONS:
        text = injection(kind, "Compute 3 + 4. Answer with the number only.")
        assert CANARY in text
        shown = quote(text, limit=2000)
        assert shown and "<|" not in shown and "[INST]" not in shown


@pytest.mark.parametrize("text", ["RS1234=S4321=1234", "3 plus 4 is 7", "Answer: -70\n", "kavobu A12;13;"])
def test_what_is_spoiled_differs_in_one_sign(text: str) -> None:
    for seed in range(20):
        found = spoiled(text, np.random.default_rng(seed))
        assert len(found) == len(text)
        assert sum(a != b for a, b in zip(text, found, strict=True)) == 1
    assert spoiled("", np.random.default_rng(0)) == "" and spoiled("?!", np.random.default_rng(0)) == "?!"


@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_editor_needs_no_policy(kind: Hostile) -> None:
    config = load("tiny", [groups(kind)], RunConfig)
    assert config.population.groups[-1].acts is False


@pytest.mark.parametrize("form", ["terse", "natural"])
def test_a_wrong_page_of_a_world_has_nothing_right(form: Form) -> None:
    domain, rng = make_domain("craft"), np.random.default_rng(0)
    sandbox = Sandbox(SandboxConfig(workers=1))  # which starts nothing before it is asked
    looked = 0
    for _ in range(100):
        page = domain.example(domain.sample(rng, 14.0), Solution("", (), 0), form)
        told = domain.claims(page, form)
        assert told is not None
        if told.claims:
            said = domain.claims(_misnamed(page, rng), form)
            assert said is not None and len(said.claims) == len(told.claims) and not said.rest
            wrong = [text for text in domain.refuted(said.claims, sandbox) if isinstance(text, str)]
            assert len(wrong) == len(said.claims)
            looked += 1
    sandbox.close()
    assert looked > 20
