"""Measures of emergence, revisits and transfer, as a run stores them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from analysis.identical import differences
from arena.config import RunConfig
from arena.faults import ConfigError
from arena.settings import load
from culture import connect
from curricula import ability, emergence
from curricula.calibration import calibrate
from tests.arena.consistency import check_log
from tests.arena.scripted import play

ROUNDS = ["rounds=4", "evaluation.per_cell=2", "sleep.every=0"]
MORE = ["evaluation.revisits=10", "evaluation.transfer=[arithmetic]"]


def ask(log: duckdb.DuckDBPyConnection, sql: str) -> list[tuple]:
    return log.execute(sql).fetchall()


@pytest.fixture(scope="module")
def log(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(folder) as log:
        yield log


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Evaluated in rounds 0, 1 and 3."""
    return play(tmp_path_factory.mktemp("measured") / "run", [*ROUNDS, *MORE])


def test_the_log_is_consistent(folder: Path) -> None:
    check_log(folder)


@pytest.mark.slow
def test_revisits_and_transfer_change_nothing_else(folder: Path) -> None:
    bare = play(folder.parent / "bare", ROUNDS)
    changed = {line.partition(":")[0] for line in differences(folder, bare)}
    assert changed == {"runs", "revisits", "evaluations", "measures", "rounds"}
    columns = "round, name, domain, value, low, high, n FROM measures WHERE domain <> 'arithmetic'"
    with connect(folder) as more, connect(bare) as fewer:
        rows, less = (set(ask(log, f"SELECT {columns}")) for log in (more, fewer))
    # solved later counts what revisits solved, and what they cost is counted
    names = {name.partition("/")[0] for _, name, *_ in rows - less}
    assert names <= {
        "annecs",
        "retained",
        "forgetting",
        "backward_transfer",
        "tokens_read",
        "tokens_written",
    }
    assert {"retained", "backward_transfer"} <= names


def test_where_problems_of_every_evaluated_round_are_revisited(log: duckdb.DuckDBPyConnection) -> None:
    rows = ask(
        log, "SELECT round, posed, count(*), count(DISTINCT policy_version) FROM revisits GROUP BY ALL"
    )
    found = {(at, posed): n for at, posed, n, _ in rows}
    # ten in all, the latest rounds first where they cannot be shared evenly
    assert found == {
        (0, 0): 10, (1, 0): 5, (1, 1): 5, (3, 0): 3, (3, 1): 3, (3, 3): 4,
    }  # fmt: skip
    assert all(versions == 1 for *_, versions in rows)
    # who answers fewer answers some that were asked before
    asked = ask(log, "SELECT round, posed, list(problem_id) FROM revisits GROUP BY ALL ORDER BY ALL")
    first = {}
    for _, posed, problems in asked:
        before = first.setdefault(posed, set(problems))
        assert set(problems) <= before
    assert ask(
        log,
        "SELECT count(*) FROM revisits r LEFT JOIN problems p USING (problem_id) "
        "WHERE p.round IS DISTINCT FROM r.posed OR p.status <> 'admitted' OR p.domain <> r.domain",
    ) == [(0,)]


def test_what_was_solved_later_is_what_the_whole_log_says(log: duckdb.DuckDBPyConnection) -> None:
    stored = ask(log, "SELECT value, n FROM measures WHERE name = 'annecs' AND round = 3")
    assert stored == [emergence.annecs(log, "transforms")]
    assert stored[0][1] > 0


def test_what_is_retained_is_the_share_of_revisits(log: duckdb.DuckDBPyConnection) -> None:
    shares = ask(
        log,
        "SELECT posed, avg(correct::INT), count(*) FROM revisits WHERE round = 3 GROUP BY ALL ORDER BY ALL",
    )
    stored = ask(
        log,
        "SELECT split_part(name, '/', 3)::INT AS posed, value, n FROM measures "
        "WHERE name LIKE 'retained/%' AND round = 3 ORDER BY posed",
    )
    assert stored == [(posed, pytest.approx(share), n) for posed, share, n in shares]


def test_a_domain_of_transfer_is_answered_and_never_set(log: duckdb.DuckDBPyConnection) -> None:
    assert ask(log, "SELECT DISTINCT domain FROM problems") == [("transforms",)]
    shares = ask(
        log,
        "SELECT round, avg(correct::INT) FROM evaluations WHERE domain = 'arithmetic' "
        "AND policy_version <> 'solver@0' GROUP BY ALL ORDER BY ALL",
    )
    stored = ask(log, "SELECT round, value FROM measures WHERE name = 'transfer/solver' ORDER BY round")
    assert stored == [(at, pytest.approx(share)) for at, share in shares] and len(stored) == 3
    assert ask(log, "SELECT count(*) FROM measures WHERE name LIKE 'gap/%' AND domain = 'arithmetic'") == [
        (0,)
    ]


def test_abilities_are_on_the_scale_of_the_answers_so_far(log: duckdb.DuckDBPyConnection) -> None:
    answers = ability.evaluated(log, "transforms")
    stored = ask(
        log,
        "SELECT round, value, low, high, n FROM measures WHERE name = 'ability/solver' "
        "AND domain = 'transforms' ORDER BY round",
    )
    assert [at for at, *_ in stored] == [0, 1, 3]
    for at, *rest in stored:
        known = ability.standings({"": [e for e in answers if e.round <= at]}, errors=False)
        (last,) = [s.ability for s in known.versions if s.round == at and s.version == at + 1]
        assert tuple(rest) == (last.value, last.low, last.high, last.answers)
        assert calibrate(known.responses, errors=False) == known.scale


def test_the_gap_is_between_difficulty_and_ability(log: duckdb.DuckDBPyConnection) -> None:
    values = dict(
        ask(
            log,
            "SELECT name, value FROM measures WHERE round = 0 AND domain = 'transforms' "
            "AND name IN ('gap/solver', 'difficulty', 'ability_before/solver')",
        )
    )
    gap = values["difficulty"] - values["ability_before/solver"]
    assert values["gap/solver"] == pytest.approx(gap, abs=1e-3)
    # round 3 is solved by the version that round 2 made, which was not evaluated
    rounds = ask(log, "SELECT round FROM measures WHERE name = 'difficulty' ORDER BY round")
    assert [at for (at,) in rounds] == [0, 1, 2]
    assert ask(log, "SELECT count(*) FROM measures WHERE name = 'gap/solver'") == [(4,)]


def test_shares_and_complexities_are_those_of_the_rows(log: duckdb.DuckDBPyConnection) -> None:
    posed = ask(
        log,
        "SELECT round, avg((features ->> 'operations')::DOUBLE), count(*) FROM problems "
        "WHERE status = 'admitted' GROUP BY ALL ORDER BY ALL",
    )
    stored = ask(
        log,
        "SELECT round, value, n FROM measures WHERE name = 'complexity_posed/operations' ORDER BY round",
    )
    assert stored == [(at, pytest.approx(mean), n) for at, mean, n in posed]
    solved = ask(
        log,
        "SELECT p.round, avg((features ->> 'length')::DOUBLE) FROM problems p WHERE EXISTS ("
        "FROM attempts a WHERE a.problem_id = p.problem_id AND a.round = p.round AND correct) "
        "GROUP BY ALL ORDER BY ALL",
    )
    stored = ask(
        log, "SELECT round, value FROM measures WHERE name = 'complexity_solved/length' ORDER BY round"
    )
    assert stored == [(at, pytest.approx(mean)) for at, mean in solved]
    # of four attempts one is right; two of two is the same, by hand, from all pairs
    stored = ask(log, "SELECT value FROM measures WHERE name = 'pass_at/2' AND round = 0")
    counts = ask(
        log,
        "SELECT count(*) FILTER (correct), count(*) FROM attempts WHERE round = 0 AND verdict <> 'error' "
        "GROUP BY problem_id",
    )
    pairs = [1 - (n - c) * (n - c - 1) / (n * (n - 1)) for c, n in counts if n > 1]
    assert stored == [(pytest.approx(sum(pairs) / len(pairs)),)]
    bad = "(name LIKE 'zone%' OR name LIKE 'pass%') AND value NOT BETWEEN 0 AND 1"
    assert ask(log, f"SELECT count(*) FROM measures WHERE {bad}") == [(0,)]
    assert {n for (n,) in ask(log, "SELECT DISTINCT name FROM measures WHERE name LIKE 'zone%'")} == {
        "zone/solver", "zone_library", "zone_reversed"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("[transforms]", "evaluation.transfer: expected domains that are not under domains"),
        ("[arithmetic, arithmetic]", "each once"),
        ("[nonsense]", "evaluation.transfer: expected a domain"),
    ],
)
def test_a_transfer_that_is_none_is_refused(value: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        load("tiny", ["domains=[transforms]", f"evaluation.transfer={value}"], RunConfig)
