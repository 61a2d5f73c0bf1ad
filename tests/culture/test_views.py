from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from scipy import stats

import culture
from culture import catalog
from culture.catalog import LakeError, LakeUnmade
from culture.columns import SCHEMA, declared, to_arrow
from culture.config import LakeConfig
from culture.effect import culture_effect
from culture.lake import Lake
from culture.records import Agent, Measure, Read, Revision
from culture.views import _over, definitions, make, views
from tests.analysis.counted_school import rows_of, school
from tests.analysis.log import round_rows, write_log
from tests.culture.rows import example


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs ``a`` and ``b``, and ``old``, which is ``a`` as an earlier version wrote it."""
    folder = tmp_path_factory.mktemp("runs")
    school(folder / "a")
    school(folder / "b", seed=1)
    shutil.copytree(folder / "a", folder / "old")
    where = catalog.place(folder / "old", LakeConfig())
    with catalog.session(where) as log:
        catalog.attach(log, where, write=True)
        log.execute("ALTER TABLE attempts DROP COLUMN dose; ALTER TABLE agents DROP COLUMN hostile")
        log.execute("ALTER TABLE reads ADD COLUMN once VARCHAR; DROP TABLE revisits")
    return folder


@pytest.fixture(scope="module")
def log(runs: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with culture.connect(runs / "a") as connection:
        yield connection


@pytest.fixture(scope="module")
def both(runs: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with culture.connect_many([runs / "b", runs / "old"]) as connection:
        yield connection


# -- what is defined -------------------------------------------------------------------------------------
def test_every_view_and_column_has_a_comment_that_is_a_sentence() -> None:
    for d in definitions().values():
        assert d.comment.endswith("."), d.name
    for name, columns in views().items():
        for column in columns:
            if definitions()[name].parameters is None:
                assert column.comment.endswith("."), (name, column.name)


def test_comments_are_on_the_views_themselves(log: duckdb.DuckDBPyConnection) -> None:
    rows = log.execute("SELECT view_name, comment FROM duckdb_views() WHERE NOT internal").fetchall()
    assert dict(rows) == {d.name: d.comment for d in definitions().values() if d.parameters is None}
    rows = log.execute(
        "SELECT column_name, data_type, comment FROM duckdb_columns() WHERE table_name = 'held_out' "
        "ORDER BY column_index"
    ).fetchall()
    assert rows == [(c.name, c.type, c.comment) for c in views()["held_out"]]


def test_the_file_is_sql_as_it_stands(log: duckdb.DuckDBPyConnection) -> None:
    """Nothing of it is passed over: as many statements as definitions and comments."""
    from culture.views import FILES, _comments

    statements = [s for path in FILES for s in log.extract_statements(path.read_text(encoding="utf-8"))]
    assert len(statements) == len(definitions()) + len(_comments())


def test_no_view_has_the_name_of_a_table() -> None:
    assert not set(definitions()) & set(declared())


# -- what they say ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("rounds", [range(4), range(1, 3), range(3, 4)])
def test_the_effect_is_that_of_python(runs: Path, log: duckdb.DuckDBPyConnection, rounds: range) -> None:
    for domain in (None, "sums"):
        expected = [
            (
                e.treatment, e.control, e.difference, e.standard_error, e.low, e.high, e.treated,
                e.controls, e.problems, e.read_share,
            )
            for e in culture_effect(log, domain=domain, rounds=rounds)
        ]  # fmt: skip
        found = log.execute(
            "SELECT * EXCLUDE domain FROM culture_effect_between(?, ?) WHERE domain = ?",
            [rounds.start, rounds.stop - 1, domain or ""],
        ).fetchall()
        assert len(expected) == 3
        for row, other in zip(found, sorted(expected), strict=True):
            assert row == pytest.approx(other, abs=1e-9)


def test_an_effect_without_variation_has_no_interval() -> None:
    """Nobody solved the second problem of round 0."""
    with duckdb.connect() as log:
        log.execute("ATTACH ':memory:' AS lake; USE lake")
        log.execute(SCHEMA.read_text(encoding="utf-8"))
        tried = to_arrow("attempts", [a for a in rows_of(0, 0).attempts if a.problem_id == "p0-1"])
        log.register("tried", tried)
        log.execute("INSERT INTO attempts SELECT * FROM tried")
        make(log)
        query = "SELECT DISTINCT difference, standard_error, low FROM culture_effect"
        assert log.execute(query).fetchall() == [(0.0, None, None)]
        assert {e.standard_error for e in culture_effect(log)} == {None}


def test_an_effect_with_an_arm_that_got_nothing_right_has_no_interval(runs: Path) -> None:
    with duckdb.connect() as log:
        log.execute("ATTACH ':memory:' AS lake; USE lake")
        log.execute(SCHEMA.read_text(encoding="utf-8"))
        tried = to_arrow("attempts", [a for at in range(3) for a in rows_of(at, 0).attempts])
        log.register("tried", tried)
        log.execute(
            "INSERT INTO attempts SELECT * REPLACE (CASE arm WHEN 'none' THEN correct "
            "WHEN 'placebo' THEN problem_id < 'p1' ELSE false END AS correct) FROM tried"
        )
        make(log)
        found = log.execute("SELECT treatment, control, low IS NULL FROM culture_effect").fetchall()
        for treatment, control, untold in found:
            assert untold == ("library" in (treatment, control)), (treatment, control)
        assert {(t, c) for t, c, untold in found if untold} == {("library", "none"), ("library", "placebo")}


@pytest.fixture(scope="module")
def scalars() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for d in definitions().values():
            if not d.rows:
                connection.execute(d.begins + d.body)
        yield connection


def test_quantiles_of_student(scalars: duckdb.DuckDBPyConnection) -> None:
    dfs = [*range(1, 200), 1000, 10**6, 10**9]
    found = scalars.execute("SELECT list(student_t(df)) FROM unnest(?) t(df)", [dfs]).fetchall()[0][0]
    assert found == pytest.approx(stats.t.ppf(0.975, dfs), abs=1e-7)


def test_wilson(scalars: duckdb.DuckDBPyConnection) -> None:
    for n in (1, 2, 7, 100, 12_345):
        for k in {0, 1, n // 3, n - 1, n}:
            found = scalars.execute("SELECT wilson_low($1, $2), wilson_high($1, $2)", [k, n]).fetchone()
            expected = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
            assert found == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_the_curriculum_is_what_the_rounds_count(log: duckdb.DuckDBPyConnection) -> None:
    query = """
        SELECT count(*) FROM rounds r JOIN (
            SELECT round, sum(proposed) AS proposed, sum(valid) AS valid, sum(admitted) AS admitted,
                sum(correct) AS correct, sum(duplicate) AS duplicate
            FROM curriculum GROUP BY round
        ) c USING (round, proposed, valid, admitted, correct, duplicate)
    """
    assert log.execute(query).fetchone() == (4,)


def test_the_latest_measure_has_no_interval_of_an_earlier_one(tmp_path: Path) -> None:
    rounds = [rows_of(0, 0), rows_of(1, 0)]
    for at, rows in enumerate(rounds):
        ends = (None, None) if at else (0.0, 0.9)
        rows.measures = [
            Measure(at, name, "", 0.5 + at / 4, *ends, 20 + at)
            for name in ("worth/note/n0", "reputation/ann")
        ]
    with culture.connect(write_log(tmp_path / "run", rounds)) as log:
        query = "SELECT note_id, round, worth, low, high, attempts FROM note_worth"
        assert log.execute(query).fetchall() == [("n0", 1, 0.75, None, None, 21)]
        query = "SELECT reputation, low, high, measured FROM trust WHERE author = 'ann'"
        assert log.execute(query).fetchall() == [(0.75, None, None, 1)]


def test_descendants_and_what_a_row_came_of(log: duckdb.DuckDBPyConnection) -> None:
    found = log.execute("SELECT generation, problem_id FROM problem_descendants('p1-1')").fetchall()
    assert found == [(0, "p1-1"), (1, "p2-1"), (2, "p3-1")]
    found = log.execute(
        "SELECT row, source_kind, problem_id, note_id FROM provenance WHERE batch_id = 'b3' "
        "ORDER BY row DESC"
    ).fetchall()
    assert found[0] == (6, "note", None, "n0")
    assert found[1] == (5, "problem", "p3-0", None)


def test_library_changes(log: duckdb.DuckDBPyConnection) -> None:
    found = log.execute("SELECT note_id, change, before, after FROM library_changes(1, 3)").fetchall()
    assert found == [
        ("c1", "begun", None, "text v6"),
        ("c2", "begun", None, "text v7"),
        ("n0", "revised", "text v0", "text v2"),
        ("n1", "archived", "text v1", "text v1"),
        ("n2", "quarantined", "text v3", "text v3"),
    ]
    assert log.execute("SELECT note_id, change FROM library_changes(2, 3)").fetchall() == [
        ("c2", "begun"),
        ("n0", "branched"),
        ("n1", "archived"),
    ]
    assert log.execute("SELECT * FROM library_changes(3, 3)").fetchall() == []


def test_what_was_begun_and_put_out_of_sight_is_out_of_sight(log: duckdb.DuckDBPyConnection) -> None:
    found = log.execute("SELECT note_id, change, before FROM library_changes(0, 3) ORDER BY ALL").fetchall()
    assert ("n2", "quarantined", None) in found


def test_readers_are_next_to_whom_they_were_next_to_then(tmp_path: Path) -> None:
    rows = [round_rows(at) for at in range(7)]
    for each in rows:
        each.agents, each.reads, each.revisions, each.attempts = [], [], [], []

    def agent(name: str, at: int, near: list[str], organisation: str, gone: int | None = None) -> Agent:
        made = replace(example(Agent, at, 0), agent_id=name, round=at, neighbours=near, retired=gone)
        return replace(made, organisation=organisation)

    rows[0].agents = [agent("a", 0, ["b"], "red"), agent("b", 0, ["a"], "red")]
    rows[3].agents = [agent("b", 3, ["a"], "blue")]
    rows[5].agents = [agent("a", 5, [], "red", gone=5), agent("b", 5, [], "blue")]
    rows[0].revisions = [
        replace(example(Revision, 0, k), revision_id=f"r{name}", author=name) for k, name in enumerate("ab")
    ]
    for at in (1, 2, 4, 6):
        rows[at].reads = [
            replace(example(Read, at, 0), round=at, reader="b", revision_id="ra", arm="library")
        ]
        if at < 5:
            rows[at].reads.append(replace(example(Read, at, 1), round=at, reader="a", revision_id="rb"))
    with culture.connect(write_log(tmp_path / "run", rows)) as log:
        found = log.execute(
            "SELECT reader, author, reads, first_round, last_round, adjacent, same_organisation "
            "FROM readership ORDER BY reader, first_round"
        ).fetchall()
    assert found == [
        ("a", "b", 2, 1, 2, True, True), ("a", "b", 1, 4, 4, True, False),
        ("b", "a", 2, 1, 2, True, True), ("b", "a", 1, 4, 4, True, False),
        ("b", "a", 1, 6, 6, False, False),
    ]  # fmt: skip


# -- older logs ------------------------------------------------------------------------------------------
def test_an_older_log_has_the_views_and_tables_of_today(runs: Path) -> None:
    with culture.connect(runs / "old") as log:
        assert log.execute("SELECT count(*) FROM revisits").fetchone() == (0,)
        assert log.execute("SELECT DISTINCT hostile FROM trust").fetchall() == [(None,)]
        assert log.execute("SELECT DISTINCT dose FROM attempts").fetchall() == [(None,)]
        # in its own order, as a table is, and itself by its whole name
        rows = log.execute("SELECT attempt_id, round FROM attempts ORDER BY rowid").fetchall()
        assert rows == log.execute("SELECT attempt_id, round FROM lake.attempts ORDER BY rowid").fetchall()
        assert log.execute("SELECT * FROM revisits ORDER BY rowid").fetchall() == []
        # one that lacks nothing is no view
        assert "rowid" not in [c[0] for c in log.execute("DESCRIBE problems").fetchall()]


def test_a_log_before_its_first_commit_is_empty(runs: Path) -> None:
    with culture.connect(runs / "a", at=0) as log:
        assert log.execute("SELECT count(*) FROM curriculum").fetchone() == (0,)


# -- several runs ----------------------------------------------------------------------------------------
def test_every_table_and_view_has_the_rows_of_each_run(
    log: duckdb.DuckDBPyConnection, both: duckdb.DuckDBPyConnection
) -> None:
    calls = {"problem_lineage": "('p3-1')", "problem_descendants": "('p0-1')", "library_at": "(2)",
             "culture_effect_between": "(0, 2)", "library_changes": "(0, 3)",
             "policy_changes": "('solver@0', 'solver@4')"}  # fmt: skip
    names = [*declared(), *(d.name for d in definitions().values() if d.rows)]
    for name in names:
        relation = name + calls.get(name, "")
        found = log.execute(f"SELECT count(*) FROM {relation}").fetchall()[0][0]
        assert found > 0 or name in ("actions", "matches"), name
        united = both.execute(f"FROM {relation}")
        columns = [c[0] for c in united.description or ()]
        own = [c.name for c in (declared() | views())[name]]
        assert columns == ["run", *own, *(["once"] if name == "reads" else [])]
        by_run = Counter(row[0] for row in united.fetchall())
        expected = {"b": found, "old": found}
        if name == "revisits":
            del expected["old"]
        if name in ("batch_rows", "readings", "provenance"):  # fewer attempts of b are right
            expected["b"] = by_run["b"]
        assert by_run == {run: n for run, n in expected.items() if n}, name


def test_what_an_older_log_lacks_is_null(both: duckdb.DuckDBPyConnection) -> None:
    rows = both.execute("SELECT run, max(dose) FROM attempts GROUP BY run ORDER BY run").fetchall()
    assert rows == [("b", 2), ("old", None)]
    assert both.execute("SELECT DISTINCT once FROM reads").fetchall() == [(None,)]


def test_runs_are_joined_each_with_itself(both: duckdb.DuckDBPyConnection) -> None:
    """Runs of one seed have the same identifiers."""
    found = both.execute("SELECT run, sum(correct) FROM outcomes GROUP BY run ORDER BY run").fetchall()
    assert found == [("b", 13), ("old", 16)]


def test_one_of_several_is_at_hand_by_its_name(both: duckdb.DuckDBPyConnection) -> None:
    assert both.execute('SELECT count(*) FROM "old".rounds').fetchone() == (4,)
    assert both.execute('SELECT count(*) > 1 FROM "b".snapshots()').fetchone() == (True,)


def test_names_of_several_runs(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "a", tmp_path / "a")
    with pytest.raises(ValueError, match="expected runs of different names, got two called 'a'"):
        culture.connect_many([runs / "a", tmp_path / "a"])
    odd = {'it\'s "x"': runs / "a", "memory": tmp_path / "a", "temp": runs / "b"}
    with culture.connect_many(odd) as log:
        found = log.execute("SELECT run, count(*) FROM rounds GROUP BY run ORDER BY run").fetchall()
    assert found == [(name, 4) for name in sorted(odd)]
    (tmp_path / "link").symlink_to(runs / "a")
    with culture.connect_many([tmp_path / "link", runs / "b"]) as log:
        assert log.execute("SELECT DISTINCT run FROM rounds ORDER BY run").fetchall() == [("b",), ("link",)]
    with pytest.raises(ValueError, match="expected at least one run"):
        culture.connect_many([])


def test_several_runs_can_only_be_read(both: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    for statement in (
        "DELETE FROM a.rounds",
        f"COPY b.rounds TO '{tmp_path / 'x.csv'}'",
        f"ATTACH '{tmp_path}/y'",
    ):
        with pytest.raises(duckdb.Error):
            both.execute(statement)


def test_runs_that_are_being_made(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lake, "_make_tables", lambda self: None)
    Lake.create(tmp_path / "new", LakeConfig()).close()
    both = [tmp_path / "new", runs / "a"]
    with pytest.raises(LakeUnmade, match="new, got one that is being made"):
        culture.connect_many(both)
    with culture.connect_many(both, skip_unmade=True) as log:
        assert log.execute("SELECT DISTINCT run FROM rounds").fetchall() == [("a",)]
    with pytest.raises(LakeUnmade):
        culture.connect_many(both[:1], skip_unmade=True)
    with pytest.raises(LakeError, match="got no such file"):
        culture.connect_many([tmp_path])


def test_a_live_run_among_several(runs: Path, tmp_path: Path) -> None:
    with Lake.create(tmp_path / "live", LakeConfig()) as lake:
        lake.commit(rows_of(0, 0), "test", "")
        with culture.connect_many([runs / "a", tmp_path / "live"]) as log:
            query = "SELECT max(round) FROM curriculum WHERE run = 'live'"
            assert log.execute(query).fetchone() == (0,)
            lake.commit(rows_of(1, 0), "test", "")
            assert log.execute(query).fetchone() == (1,)


def test_relations_are_whole_where_nothing_is_lacking() -> None:
    assert _over("FROM lake.rounds r JOIN lake.reads USING (round)", "x", None) == (
        'FROM "x".rounds r JOIN "x".reads USING (round)'
    )
