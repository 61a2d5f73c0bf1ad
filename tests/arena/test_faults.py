"""Work that is lost: the round stores whose failure it was, and the run goes on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from arena.pools import Pool, WorkFailed
from culture import connect
from tests.arena.consistency import check_log
from tests.arena.scripted import Failing, play


def ask(folder: Path, sql: str) -> list[tuple[object, ...]]:
    with connect(folder) as log:
        return log.execute(sql).fetchall()


def failing(which: str, method: str, every: int):  # type: ignore[no-untyped-def]
    """Of one kind of worker every so-many-th piece of work is lost, from the first on."""

    def wrap(name: str, pool: Pool) -> Pool:
        if name != which:
            return pool
        return Failing(pool, lambda called, n: called == method and n % every == 1 % every)

    return wrap


def played(folder: Path, which: str, method: str, every: int, *more: str) -> Path:
    found = play(folder, ["engine.batch_size=8", *more], wrap=failing(which, method, every))
    check_log(found)
    assert ask(found, "SELECT count(*) FROM rounds") == [(3,)]
    return found


def test_an_engine_that_loses_prompts(tmp_path: Path) -> None:
    run = played(tmp_path / "run", "engines", "generate", 3)
    lost = ask(
        run,
        "SELECT DISTINCT reason, failure_source, status, payment FROM problems WHERE reason LIKE 'error:%'",
    )
    assert lost == [("error:the actor died", "infrastructure", "rejected", None)]
    attempts = ask(
        run,
        "SELECT DISTINCT failure_source, failure, correct, reward, completion FROM attempts "
        "WHERE verdict = 'error'",
    )
    assert attempts == [("infrastructure", "the actor died", False, 0.0, "")]
    assert ask(run, "SELECT count(*) > 0 FROM events WHERE kind = 'anchor_lost'") == [(True,)]
    # what was lost teaches nobody
    sql = (
        "SELECT * FROM batch_rows WHERE source_id IN (SELECT attempt_id FROM attempts WHERE verdict = "
        "'error' UNION ALL SELECT problem_id FROM problems WHERE reason LIKE 'error:%')"
    )
    assert ask(run, sql) == []


def test_a_first_version_that_cannot_be_made_says_whose_it_is(tmp_path: Path) -> None:
    with pytest.raises(WorkFailed, match="first version of solver: the actor died"):
        played(tmp_path / "run", "learner", "first_version", 1)


def test_an_engine_that_loses_everything(tmp_path: Path) -> None:
    run = played(tmp_path / "run", "engines", "generate", 1)
    assert ask(run, "SELECT DISTINCT failure_source FROM problems") == [("infrastructure",)]
    assert ask(run, "SELECT count(*) FROM attempts") == [(0,)]
    assert ask(run, "SELECT DISTINCT source FROM events") == [("infrastructure",)]
    assert ask(run, "SELECT max(version) FROM policies") == [(0,)]


def test_a_verifier_that_cannot_judge_proposals(tmp_path: Path) -> None:
    run = played(tmp_path / "run", "verifiers", "judge", 1)
    assert ask(run, "SELECT DISTINCT reason, failure_source FROM problems") == [
        ("error:verifier", "infrastructure")
    ]
    ((events, problems),) = ask(
        run,
        "SELECT (SELECT count(*) FROM events WHERE kind = 'judge_failed' AND source = 'infrastructure'), "
        "(SELECT count(*) FROM problems)",
    )
    assert events == problems


def test_a_verifier_that_cannot_judge_answers(tmp_path: Path) -> None:
    run = played(tmp_path / "run", "verifiers", "step", 2)
    verdicts = ask(run, "SELECT verdict, failure_source FROM attempts WHERE verdict = 'error' GROUP BY ALL")
    assert verdicts == [("error", "infrastructure")]
    run = played(tmp_path / "again", "verifiers", "step", 1)
    assert ask(run, "SELECT DISTINCT verdict, failure_source, failure FROM attempts") == [
        ("error", "infrastructure", "the actor died")
    ]
    assert ask(run, "SELECT count(*) FROM evaluations") == [(0,)]
    assert ask(run, "SELECT count(*) FROM notes") == [(0,)]


@pytest.mark.parametrize("every", [1, 2])
def test_a_librarian_that_cannot_write(tmp_path: Path, every: int) -> None:
    run = played(tmp_path / "run", "librarian", "close_round", every)
    events = ask(run, "SELECT DISTINCT source, subject FROM events WHERE kind = 'write_failed'")
    assert events == [("infrastructure", "librarian")]
    rounds = ask(run, "SELECT round FROM events WHERE kind = 'write_failed'")
    written = ask(run, "SELECT DISTINCT round FROM revisions")
    assert not set(rounds) & set(written)
    if every == 1:
        assert written == []
        assert ask(run, "SELECT DISTINCT library_version FROM rounds") == [(0,)]


def test_a_librarian_that_cannot_read(tmp_path: Path) -> None:
    run = played(tmp_path / "run", "librarian", "read", 1)
    assert ask(run, "SELECT DISTINCT source FROM events WHERE kind = 'read_failed'") == [
        ("infrastructure",)
    ]
    assert ask(run, "SELECT count(*) FROM reads") == [(0,)]
    assert ask(run, "SELECT count(*) > 0 FROM attempts WHERE correct") == [(True,)]


def test_a_learner_that_loses_a_batch(tmp_path: Path) -> None:
    run = played(tmp_path / "run", "learner", "learn", 2, "sleep.every=0")
    lost = ask(run, "SELECT subject FROM events WHERE kind = 'learn_failed' AND source = 'infrastructure'")
    assert lost
    made = ask(run, "SELECT policy_version FROM policies WHERE version > 0 ORDER BY 1")
    assert made
    for policy in ("solver", "proposer"):
        numbers = ask(run, f"SELECT version FROM policies WHERE policy = '{policy}' ORDER BY version")
        assert [n for (n,) in numbers] == list(range(len(numbers)))
    # the batch is in the log all the same: it can be trained from later
    assert ask(run, "SELECT count(*) FROM batches") == [(len(lost) + len(made),)]


def test_a_version_that_the_learner_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agents.learning import learner

    step = learner._Teacher.step

    def broken(teacher, parts, rate):  # type: ignore[no-untyped-def]
        outcome = step(teacher, parts, rate)
        lost = teacher.batch.rows[0].round == 1
        return dataclasses.replace(outcome, loss=float("nan")) if lost else outcome

    monkeypatch.setattr(learner._Teacher, "step", broken)
    run = play(tmp_path / "run", ["sleep.every=0"])
    check_log(run)
    rows = ask(
        run, "SELECT version, parent, accepted, reason FROM policies WHERE policy = 'solver' ORDER BY 1"
    )
    assert [(v, p, a) for v, p, a, _ in rows] == [
        (0, None, True),
        (1, "solver@0", True),
        (2, "solver@1", False),
        (3, "solver@1", True),
    ]
    assert str(rows[2][3]).startswith("loss nan")
    assert ask(run, "SELECT source, subject FROM events WHERE kind = 'refused' AND subject LIKE 's%'") == [
        ("learner", "solver@2")
    ]
    assert not (run / "checkpoints" / "solver@2").exists()
    assert ask(run, "SELECT DISTINCT policy_version FROM attempts WHERE round = 2") == [("solver@1",)]
