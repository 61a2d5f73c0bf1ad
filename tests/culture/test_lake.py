from __future__ import annotations

import dataclasses
import math
import shutil
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from culture.catalog import LakeError, connect
from culture.columns import from_arrow, tables, to_arrow
from culture.config import LakeConfig
from culture.lake import INLINE_ROWS, Lake
from culture.records import Attempt, Batch, Event, Json, Measure, Problem, Round, RoundRows, Run
from tests.culture.rows import START, example, rows_of


def assert_holds(lake: Lake, expected: list[RoundRows]) -> None:
    for cls, table in tables().items():
        wanted = [record for rows in expected for record in getattr(rows, table)]
        assert lake.records(cls) == wanted, table


def test_a_round_comes_back_as_it_was(tmp_path: Path) -> None:
    first, second = rows_of(0, problems=INLINE_ROWS + 10, measures=INLINE_ROWS + 1), rows_of(1, measures=3)
    with Lake.create(tmp_path / "run", LakeConfig()) as lake:
        assert lake.last_round() is None
        before = lake.commit(first, "world", "round 0")
        after = lake.commit(second, "world", "round 1")
        assert after == before + 1 == lake.version()
        assert_holds(lake, [first, second])
        assert lake.last_round() == 1
    with Lake.open(tmp_path / "run", LakeConfig()) as lake:
        assert lake.last_round() == 1
        assert lake.version() == after
        assert_holds(lake, [first, second])
        event = lake.records(Event)[0]
        assert event.at.tzinfo is UTC


def test_commits_carry_author_and_message(tmp_path: Path) -> None:
    with Lake.create(tmp_path, LakeConfig()) as lake:
        version = lake.commit(rows_of(0), "it's me", "a 'quoted' message")
        sql = "SELECT author, commit_message FROM lake.snapshots() WHERE snapshot_id = ?"
        rows = lake.table(sql, [version])
    assert rows.to_pylist() == [{"author": "it's me", "commit_message": "a 'quoted' message"}]


def test_records_are_filtered_with_parameters_in_insertion_order(tmp_path: Path) -> None:
    with Lake.create(tmp_path, LakeConfig()) as lake:
        rounds = [rows_of(n, problems=40 * n + 1) for n in range(4)]
        for rows in rounds:
            lake.commit(rows, "world", "")
        got = lake.records(Problem, "round >= ? AND status = ?", [2, "admitted"])
    assert got == [p for r in rounds[2:] for p in r.problems if p.status == "admitted"]


def test_compaction_changes_files_and_no_rows_and_no_versions(tmp_path: Path) -> None:
    with Lake.create(tmp_path, LakeConfig(compact_every=0)) as lake:
        rounds = [rows_of(n, attempts=60) for n in range(4)]
        versions = [lake.commit(rows, "world", "") for rows in rounds]
        lake.compact()
        assert_holds(lake, rounds)
        files = lake.table("FROM ducklake_list_files('lake', 'attempts')")
        assert files.num_rows == 1
        old = lake.table(f"SELECT attempt_id FROM attempts AT (VERSION => {versions[1]}) ORDER BY rowid")
        assert old.column(0).to_pylist() == [a.attempt_id for r in rounds[:2] for a in r.attempts]
        rounds.append(rows_of(4))
        lake.commit(rounds[-1], "world", "")
        assert_holds(lake, rounds)
    with Lake.open(tmp_path, LakeConfig()) as lake:
        assert_holds(lake, rounds)


def test_compaction_keeps_the_merged_files_for_readers(tmp_path: Path) -> None:
    with Lake.create(tmp_path, LakeConfig(compact_every=0)) as lake:
        for n in range(3):
            lake.commit(rows_of(n, attempts=60), "world", "")
        before = set((tmp_path / "data").rglob("*.parquet"))
        lake.compact()
        assert before <= set((tmp_path / "data").rglob("*.parquet"))
    Lake.open(tmp_path, LakeConfig()).close()
    assert before <= set((tmp_path / "data").rglob("*.parquet"))


def test_commits_compact_as_often_as_configured(tmp_path: Path) -> None:
    with Lake.create(tmp_path, LakeConfig(compact_every=3)) as lake:
        counts = []
        for n in range(7):
            lake.commit(rows_of(n, attempts=60), "world", "")
            counts.append(lake.table("FROM ducklake_list_files('lake', 'attempts')").num_rows)
    assert counts == [1, 2, 3, 2, 3, 4, 2]


def test_a_run_folder_can_be_moved(tmp_path: Path) -> None:
    rows = rows_of(0, attempts=60)
    with Lake.create(tmp_path / "old", LakeConfig()) as lake:
        lake.commit(rows, "world", "")
    shutil.move(tmp_path / "old", tmp_path / "new")
    with Lake.open(tmp_path / "new", LakeConfig()) as lake:
        assert_holds(lake, [rows])


def test_data_path_gets_a_folder_for_the_run(tmp_path: Path) -> None:
    config = LakeConfig(data_path=str(tmp_path / "store"))
    for name in ("a", "b"):
        with Lake.create(tmp_path / name, config) as lake:
            lake.commit(rows_of(0, attempts=60), "world", "")
    assert list((tmp_path / "store" / "a").rglob("*.parquet"))
    with Lake.open(tmp_path / "b", config) as lake:
        assert_holds(lake, [rows_of(0, attempts=60)])
    with Lake.open(tmp_path / "a", config) as lake:
        assert_holds(lake, [rows_of(0, attempts=60)])


def test_no_rows_make_no_version(tmp_path: Path) -> None:
    with Lake.create(tmp_path, LakeConfig()) as lake:
        version = lake.version()
        assert lake.commit(RoundRows(), "world", "nothing") == version


def test_a_run_that_is_made_longer_says_so(tmp_path: Path) -> None:
    with Lake.create(tmp_path, LakeConfig()) as lake:
        lake.replan(9, "arena")  # nothing to say it of
        assert lake.records(Run) == []
        begun = dataclasses.replace(example(Run, 0, 0), config={"seed": 1, "rounds": 2, "text": "α"})
        first = lake.commit(RoundRows(runs=[begun]), "arena", "round 0")
        lake.replan(2, "arena")
        assert lake.version() == first
        for rounds in (3, 4):
            lake.replan(rounds, "arena")
            assert lake.records(Run) == [
                dataclasses.replace(begun, config={"seed": 1, "rounds": rounds, "text": "α"})
            ]
            lake.compact()
        assert lake.records(Run)[0].config["rounds"] == 4
    Lake.open(tmp_path, LakeConfig()).close()
    with connect(tmp_path, at=first) as log:
        assert log.execute("SELECT config->>'rounds' FROM runs").fetchall() == [("2",)]


def test_a_round_is_committed_once(tmp_path: Path) -> None:
    with Lake.create(tmp_path, LakeConfig()) as lake:
        lake.commit(rows_of(3), "world", "")
        for number in (2, 3):
            with pytest.raises(LakeError, match=rf"expected a round after 3, got \[{number}\]"):
                lake.commit(rows_of(number), "world", "")
        assert_holds(lake, [rows_of(3)])


def measure(**changes: object) -> Measure:
    return dataclasses.replace(Measure(0, "m", "", 1.0, None, None, 3), **changes)  # type: ignore[arg-type]


def round_with(state: dict[object, object]) -> RoundRows:
    return RoundRows(rounds=[dataclasses.replace(example(Round, 0, 1), state=state)])  # type: ignore[arg-type]


MISFITS = [
    (RoundRows(measures=[measure(n=1.5)]), "expected BIGINT in measures.n, got .*1.5"),
    (RoundRows(measures=[measure(), measure(n=None)]), "measures.n, got None in row 1"),
    (RoundRows(measures=[measure(name=3)]), "expected VARCHAR in measures.name"),
    (RoundRows(measures=[measure(n=2**63)]), "expected BIGINT in measures.n"),
    (
        RoundRows(events=[Event(0, datetime(2026, 1, 1), "learner", "", "", "")]),
        r"events.at, got a datetime without time zone; write datetime.now\(UTC\)",
    ),
    (
        RoundRows(batches=[dataclasses.replace(example(Batch, 0, 0), objectives=[None])]),
        "expected VARCHAR.. in batches.objectives, got a list with None",
    ),
    (
        RoundRows(attempts=[dataclasses.replace(example(Attempt, 0, 0), token_ids=[1, 2.5])]),
        "expected INTEGER.. in attempts.token_ids, got .*2.5",
    ),
    (round_with({"t": (1, 2)}), "expected JSON in rounds.state, got an object that JSON does"),
    (round_with({1: 2}), "rounds.state, got an object that JSON does not give back"),
    (round_with({"s": {1}}), "expected JSON in rounds.state, got Object of type set"),
]


def test_a_value_that_does_not_fit_is_named_and_nothing_is_committed(tmp_path: Path) -> None:
    with Lake.create(tmp_path, LakeConfig()) as lake:
        version = lake.version()
        for rows, message in MISFITS:
            rows.problems = rows_of(0).problems
            with pytest.raises(ValueError, match=message):
                lake.commit(rows, "world", "")
        assert lake.version() == version
        assert lake.records(Problem) == []


def test_a_commit_that_fails_half_way_leaves_nothing_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Lake.create(tmp_path, LakeConfig()) as lake:
        rows = rows_of(0, attempts=60)

        def fail(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            insert = Lake._insert

            def insert_and_fail(self: Lake, arrow: dict[str, object]) -> None:
                insert(self, arrow)  # type: ignore[arg-type]
                fail()

            patch.setattr(Lake, "_insert", insert_and_fail)
            with pytest.raises(KeyboardInterrupt):
                lake.commit(rows, "world", "")
        assert lake.records(Attempt) == []
        assert lake.last_round() is None
        lake.commit(rows, "world", "")
        assert_holds(lake, [rows])


def test_a_mistaken_query_is_the_callers(tmp_path: Path) -> None:
    made = Lake.create(tmp_path, LakeConfig())
    with made as lake, pytest.raises(duckdb.BinderException, match="no_such"):
        lake.table("SELECT no_such FROM attempts")


def test_create_refuses_a_folder_that_has_a_log_and_leaves_it(tmp_path: Path) -> None:
    with Lake.create(tmp_path, LakeConfig()) as lake:
        lake.commit(rows_of(0), "world", "")
    with pytest.raises(LakeError, match=r"expected no log in .*Lake\.open"):
        Lake.create(tmp_path, LakeConfig())
    with Lake.open(tmp_path, LakeConfig()) as lake:
        assert_holds(lake, [rows_of(0)])


def test_create_refuses_a_data_folder_with_files_in_it(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.parquet").write_bytes(b"x")
    with pytest.raises(LakeError, match=r"expected nothing under .*got .*mine\.parquet"):
        Lake.create(tmp_path, LakeConfig())
    assert (tmp_path / "data" / "mine.parquet").exists()


texts = st.text(st.characters(), max_size=12)  # lone surrogates and NUL included
whole_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
floats = st.floats(allow_nan=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | floats | whole_texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(whole_texts, inner, max_size=3),
    max_leaves=8,
)
json_objects = st.dictionaries(whole_texts, json_values, max_size=3)
instants = st.datetimes(
    min_value=datetime(1, 1, 3),
    max_value=datetime(9999, 12, 29),
    timezones=st.just(UTC) | st.just(timezone(timedelta(hours=5, minutes=30))),
)
required = ["problem_id", "domain", "request", "origin", "proposer", "prompt", "text"]
optional = ["parent_id", "policy_version", "spec", "answer_key", "reason"]
problems = st.builds(
    Problem,
    token_ids=st.lists(st.integers(-(2**31), 2**31 - 1), max_size=3),
    logprobs=st.lists(floats, max_size=3),
    worked=st.lists(whole_texts, max_size=3),
    features=json_objects,
    difficulty=st.none() | floats,
    target_difficulty=st.none() | floats,
    payment=st.none() | floats,
    **dict.fromkeys(required, whole_texts),
    **dict.fromkeys(optional, st.none() | whole_texts),
)
events = st.builds(Event, at=instants, subject=whole_texts, detail=whole_texts, kind=whole_texts)
measures = st.builds(Measure, n=st.integers(-(2**63), 2**63 - 1), name=whole_texts, value=floats)
drawn_rows = st.tuples(problems, events, measures, json_objects, instants)


def test_any_record_comes_back_as_it_was(tmp_path: Path) -> None:
    with Lake.create(tmp_path, LakeConfig(compact_every=10)) as lake:
        committed: list[RoundRows] = []

        @settings(max_examples=30)
        @given(st.lists(drawn_rows, min_size=1, max_size=4))
        def check(drawn: list[tuple[Problem, Event, Measure, Json, datetime]]) -> None:
            n = len(committed)
            state, start = drawn[0][3:]
            rows = RoundRows(
                problems=[dataclasses.replace(d[0], round=n) for d in drawn],
                events=[dataclasses.replace(d[1], round=n) for d in drawn],
                measures=[dataclasses.replace(d[2], round=n, low=None, high=None) for d in drawn],
                rounds=[dataclasses.replace(example(Round, n, 1), state=state, started_at=start)],
            )
            lake.commit(rows, "world", "")
            committed.append(rows)
            assert lake.records(Problem, "round = ?", [n]) == rows.problems
            assert lake.records(Event, "round = ?", [n]) == rows.events
            assert lake.records(Measure, "round = ?", [n]) == rows.measures
            assert lake.records(Round, "round = ?", [n]) == rows.rounds

        check()
        lake.compact()
        assert_holds(lake, committed)


@given(st.lists(texts, min_size=1, max_size=5))
def test_lone_surrogates_become_the_replacement_character(drawn: list[str]) -> None:
    made = [example(Event, 0, 1)] * len(drawn)
    made = [dataclasses.replace(e, detail=text) for e, text in zip(made, drawn, strict=True)]
    for text, got in zip(drawn, from_arrow(Event, to_arrow("events", made)), strict=True):
        # Two surrogates that make a pair are the character that they stand for.
        paired = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        assert got.detail == "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in paired)


SPECIAL = [math.nan, math.inf, -math.inf, -0.0, 5e-324]


@pytest.mark.parametrize("count", [1, INLINE_ROWS])
def test_special_floats_come_back_bit_for_bit(tmp_path: Path, count: int) -> None:
    rows = RoundRows(
        measures=[measure(value=value) for value in SPECIAL] * count,
        rounds=[dataclasses.replace(example(Round, 0, 1), state={"scores": [*SPECIAL, None]})],
        attempts=[dataclasses.replace(example(Attempt, 0, 0), logprobs=[0.1, *SPECIAL])] * count,
    )
    with Lake.create(tmp_path, LakeConfig()) as lake:
        lake.commit(rows, "world", "")
        for _ in range(2):
            got = [m.value for m in lake.records(Measure)]
            assert [repr(v) for v in got] == [repr(v) for v in SPECIAL] * count
            assert repr(lake.records(Round)[0].state["scores"]) == repr([*SPECIAL, None])
            assert [repr(a.logprobs) for a in lake.records(Attempt)] == [repr([0.1, *SPECIAL])] * count
            lake.compact()


def test_times_come_back_in_utc(tmp_path: Path) -> None:
    local = START.astimezone(timezone(timedelta(hours=-7)))
    with Lake.create(tmp_path, LakeConfig()) as lake:
        lake.commit(RoundRows(events=[Event(0, local, "learner", "k", "s", "d")]), "world", "")
        got = lake.records(Event)[0].at
    assert got == START
    assert got.isoformat() == START.isoformat()
