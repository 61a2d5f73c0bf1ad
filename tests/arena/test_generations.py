"""Runs whose population changes: who is there, who reads and learns what, and the same after a kill."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agents import checkpoints
from agents.population import Population
from analysis.identical import differences
from arena.config import RunConfig
from arena.librarian import Librarian
from arena.run import Run, read_config
from culture import connect
from culture.edits import Edit
from culture.publishing import Publication
from tests.arena.consistency import check_log
from tests.arena.killing import configured
from tests.arena.scripted import play
from tests.arena.test_resume import LOCAL, cache, finished_alike, killed_at

__all__ = ["cache"]

GENERATIONS = (
    "population.generations={every: 2, groups: [pupil], weights: fresh, teachers: true, lessons: 2}"
)
CHANGES = (
    "population.changes={rewire: {every: 1, share: 0.2}, migrate: {every: 2, share: 0.3}, "
    "growth: {every: 2, group: pupil, most: 6}}"
)
SCHOOL = [
    "rounds=5",
    "rollout.notes_written=4",
    "learner.final_lr=0.2",
    "learner.warmup_steps=0",
    "population.topology={kind: small_world, degree: 4, rewire: 0}",
    "population.groups=[{name: author, count: 2, roles: [proposer], policy: proposer}, "
    "{name: pupil, count: 4, roles: [solver], policy: solver, organisation: 'house-{n}', "
    "organisations: 2}]",
    CHANGES,
    GENERATIONS,
]


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with connect(folder) as log:
        return log.execute(sql).fetchall()


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = play(tmp_path_factory.mktemp("school") / "run", SCHOOL)
    check_log(folder)
    return folder


def populations(folder: Path) -> list[Population]:
    config = read_config(folder)
    return [Population(config.population, config.seed, r) for r in range(config.rounds)]


def test_the_agents_table_has_every_round_s_population(school: Path) -> None:
    for number, population in enumerate(populations(school)):
        found = rows(
            school,
            "SELECT agent_id, arg_max(neighbours, round), arg_max(organisation, round) FROM agents "
            f"WHERE round <= {number} GROUP BY agent_id HAVING arg_max(coalesce(retired, -1), round) = -1",
        )
        assert sorted(found) == sorted(
            (a.agent_id, a.neighbours, a.organisation) for a in population.agents
        )
    born = dict(rows(school, "SELECT agent_id, max(born) FROM agents GROUP BY agent_id"))
    assert born["pupil-0"] == 0 and born["pupil-4"] == 2 and max(born.values()) == 4


def test_only_those_who_are_there_act(school: Path) -> None:
    there = [{a.agent_id for a in p.agents} for p in populations(school)]
    for table, who in (("attempts", "solver"), ("problems", "proposer"), ("reads", "reader")):
        for number, name in rows(school, f"SELECT DISTINCT round, {who} FROM {table}"):
            assert name in there[number], table
    for number, population in enumerate(populations(school)):
        for proposer, solver in rows(
            school,
            "SELECT p.proposer, a.solver FROM attempts a JOIN problems p USING (problem_id) "
            f"WHERE a.round = {number}",
        ):
            assert solver in population.audience(proposer)


def test_reading_follows_the_population_of_the_round(school: Path) -> None:
    everyone = populations(school)
    seen = rows(
        school,
        "SELECT DISTINCT r.round, reader, author FROM reads r JOIN notes USING (note_id) WHERE r.round > 0",
    )
    assert seen
    for number, reader, author in seen:
        assert everyone[number].may_read(reader, author)
    # what those who retired had written is still read
    assert any(int(author.split("-")[1]) < 4 and number >= 2 for number, _, author in seen)


def test_a_new_generation_starts_from_version_0(school: Path) -> None:
    versions = rows(
        school,
        "SELECT version, round, parent, batch_id, sha256 FROM policies WHERE policy = 'solver' "
        "ORDER BY version",
    )
    assert [v for v, *_ in versions] == list(range(len(versions)))
    restarts = [v for v in versions if v[3] is None and v[0]]
    assert [(r, parent) for _, r, parent, _, _ in restarts] == [(2, "solver@0"), (4, "solver@0")]
    assert {digest for *_, digest in restarts} == {versions[0][4]}
    for number, began, *_ in restarts:
        used = rows(school, f"SELECT DISTINCT policy_version FROM attempts WHERE round = {began}")
        assert used == [(f"solver@{number}",)]
        after = next(v for v in versions if v[0] == number + 1)
        assert after[2] == f"solver@{number}"
        steps = rows(school, f"SELECT min(step) FROM updates WHERE policy_version = 'solver@{number + 1}'")
        assert steps == [(1,)]  # a fresh optimizer
    # what earlier generations did is not rehearsed
    old = rows(
        school,
        "SELECT count(*) FROM batch_rows b JOIN attempts a ON a.attempt_id = b.source_id "
        "WHERE b.round >= 2 AND a.round < b.round - b.round % 2",
    )
    assert old == [(0,)]
    assert rows(school, "SELECT count(*) FROM policies WHERE policy = 'proposer' AND version > 0 "
                "AND batch_id IS NULL") == [(0,)]  # fmt: skip


def test_the_learning_rate_of_a_new_generation_starts_anew(school: Path) -> None:
    def rates(policy: str) -> dict[int, float]:
        found = rows(
            school,
            f"SELECT DISTINCT round, learning_rate FROM updates WHERE policy = '{policy}' ORDER BY 1",
        )
        assert len(found) == len(dict(found))
        return dict(found)

    lr = read_config(school).learner.lr
    falling = {r: lr * (1 - 0.8 * r / 4) for r in range(5)}
    assert rates("solver") == pytest.approx({0: lr, 1: 0.2 * lr, 2: lr, 3: 0.2 * lr, 4: lr})
    assert rates("proposer") == pytest.approx({r: falling[r] for r in rates("proposer")})


def test_teachers_write_for_those_who_come(school: Path) -> None:
    lessons = rows(
        school,
        "SELECT round, author, evidence->>'for' FROM revisions WHERE evidence->>'for' IS NOT NULL",
    )
    everyone = populations(school)
    assert lessons and {r for r, *_ in lessons} <= {1, 3}
    for number, author, successor in lessons:
        assert everyone[number].successors()[author] == successor
        assert successor in {a.agent_id for a in everyone[number + 1].agents}
    counts = rows(
        school,
        "SELECT max(n) FROM (SELECT count(*) AS n FROM revisions WHERE evidence->>'for' IS NOT NULL "
        "GROUP BY round, author)",
    )
    assert counts[0][0] <= 2


def test_newcomers_without_the_library_see_only_what_is_of_their_time(tmp_path: Path) -> None:
    alone = "population.generations={every: 2, library: none}"
    folder = play(tmp_path / "run", [*SCHOOL, alone, "rollout.arms={library: 0.6, placebo: 0.4}"])
    check_log(folder)
    read = rows(
        folder,
        "SELECT r.round, n.round, a.born, r.arm FROM reads r JOIN notes n USING (note_id) "
        "JOIN (SELECT agent_id, max(born) AS born FROM agents GROUP BY agent_id) a "
        "ON a.agent_id = r.reader",
    )
    assert all(begun >= born for _, begun, born, _ in read)
    assert {number for number, *_ in read} == {1, 3}
    assert {arm for *_, arm in read} == {"library", "placebo"}


def test_notes_on_the_shelf_of_an_organisation_are_read_by_who_is_of_it_then(tmp_path: Path) -> None:
    folder = play(tmp_path / "run", [*SCHOOL, "rollout.shelf=organisation", "rollout.arms={library: 1}"])
    check_log(folder)
    everyone = populations(folder)
    shelves = rows(folder, "SELECT DISTINCT shelf FROM notes ORDER BY shelf")
    assert {shelf for (shelf,) in shelves} <= {"org:house-0", "org:house-1", "org:school"}
    for number, author, shelf in rows(folder, "SELECT round, author, shelf FROM notes"):
        assert shelf == f"org:{everyone[number].agent(author).organisation}"
    read = rows(folder, "SELECT r.round, reader, shelf FROM reads r JOIN notes USING (note_id)")
    assert read
    for number, reader, shelf in read:
        assert shelf == f"org:{everyone[number].agent(reader).organisation}"
    assert rows(folder, "SELECT count(*) FROM events WHERE kind = 'refused:not_member'") == [(0,)]


# -- membership --------------------------------------------------------------------------------------


def edit(author: str, shelf: str, round: int, body: str) -> Edit:
    return Edit(None, None, "lesson", "transforms", shelf, "", body, author, "s@1", round)


def test_the_librarian_knows_who_is_a_member_in_which_round(tmp_path: Path) -> None:
    config: RunConfig = configured([LOCAL, *SCHOOL])
    here, later = (Population(config.population, config.seed, r) for r in (0, 2))
    member = next(a for a in here.agents if a.organisation == "house-0")
    librarian = Librarian(tmp_path, config)
    shelved = librarian.close_round(
        -1, 0,
        [
            edit(member.agent_id, "org:house-0", 0, "R1"), edit(member.agent_id, "org:house-1", 0, "R2"),
            edit("stranger-0", "org:house-0", 0, "R3"), edit("pupil-9", "org:house-0", 0, "R4"),
        ],
        {},
    )  # fmt: skip
    assert [(index, reason) for index, reason, _ in shelved.refused] == [
        (1, "not_member"), (2, "not_member"), (3, "not_member"),
    ]  # fmt: skip
    (note,) = shelved.notes
    newcomer = next(a for a in later.agents if a.born == 2 and a.organisation == "house-0")
    asks = [
        Publication(note.note_id, member.agent_id, 2, "public"),  # it has retired by then
        Publication(note.note_id, newcomer.agent_id, 2, "public"),
    ]
    librarian.round = 1
    shelved = librarian.close_round(1, 2, asks, {})
    assert [(index, reason) for index, reason, _ in shelved.refused] == [(0, "not_member")]
    assert [(r.outcome, r.author) for r in shelved.revisions] == [("published", newcomer.agent_id)]


# -- the same again ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unharmed(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unharmed") / "run"
    run = Run.create(folder, configured([LOCAL, *SCHOOL]))
    run.play()
    run.close()
    check_log(folder)
    return folder


@pytest.mark.slow
def test_a_school_that_changes_comes_out_the_same_when_stopped_after_every_round(
    unharmed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    Run.create(folder, configured([LOCAL, *SCHOOL])).close()
    for number in range(5):
        run = Run.open(folder)

        def stop(progress: Any, last: int = number) -> None:
            if progress.round == last + 1 and progress.phase == "learn":
                raise KeyboardInterrupt

        if number < 4:
            with pytest.raises(KeyboardInterrupt):
                run.play(stop)
        else:
            run.play()
        run.close()
    assert differences(folder, unharmed) == []
    check_log(folder)


@pytest.mark.slow
def test_a_school_killed_between_generations_is_the_one_that_was_not(
    unharmed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    # just after the new version was made, and before anything of its round is committed
    for moment, after in [("2 request", 0.0), ("2 learn", 0.05), ("4 propose", 0.0)]:
        killed_at(folder, moment, after, LOCAL, *SCHOOL)
    finished_alike(folder, unharmed, LOCAL, *SCHOOL)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(600)
def test_a_school_with_ray_is_the_one_without(unharmed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    spread = "cluster.local=false"
    killed_at(folder, "2 attempt", 0.05, spread, *SCHOOL)
    finished_alike(folder, unharmed, spread, *SCHOOL)


@pytest.mark.slow
def test_optimizer_states_of_those_who_are_gone_are_dropped(unharmed: Path) -> None:
    folders = sorted((unharmed / "checkpoints").glob("solver@*"))
    kept = [f.name for f in folders if (f / checkpoints.OPTIMIZER).exists()]
    last = rows(unharmed, "SELECT max(version) FROM policies WHERE policy = 'solver' AND accepted")
    assert kept == [f"solver@{last[0][0]}"]
    state = rows(unharmed, "SELECT state FROM rounds ORDER BY round DESC LIMIT 1")
    assert "strategy" in json.loads(state[0][0])
