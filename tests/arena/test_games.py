"""Rounds of ``games`` with a scripted engine: both players' turns are stored, rated and trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from openskill.models import PlackettLuce

from agents.engines.base import Completion, Request, Sampling
from agents.learning.batches import read_parquet
from analysis.matches import match_lines
from arena.domains import make_domain
from arena.rating import rate
from arena.state import kept_versions
from culture import connect
from culture.records import Match
from culture.seeds import generator
from tests.arena.consistency import check_log
from tests.arena.scripted import play, spoken

GOALS = [f"learner.{role}.objective=rae" for role in ("solver", "proposer")]


class Player:
    """Proposes matches and moves at random, now and then something that is not allowed."""

    def generate(
        self, policy_version: str, requests: Sequence[Request], sampling: Sampling
    ) -> list[Completion]:
        return spoken(policy_version, requests, self._text)

    def _text(self, r: Request) -> str:
        rng = generator(r.seed, "player", r.prompt)
        if r.prompt.endswith(">"):
            game = ["t5", "k2", "k1", "n2"][int(rng.integers(4))]
            return f"{game}{'sprp'[int(rng.integers(4))]}{'+-'[int(rng.integers(2))]}{rng.integers(10)}"
        if rng.random() < 0.05:
            return "resign"
        shown = r.prompt.rpartition("\n")[2][:-1]
        if any(c in "JQK" for c in shown):
            return str(rng.choice(["f", "c"] if shown.endswith("b") else ["x", "b"]))
        if " " in shown:
            return str(rng.choice(["d", "1w>2r", "a"]))
        return str(rng.choice([c for c in shown if c.isdigit()]))


def played(folder: Path, *overrides: str, **more: Any) -> Path:
    settings = [
        "domains=[games]",
        "rounds=4",
        "rollout.problems=20",
        "rollout.attempts=3",
        "learner.keep_every=2",
        "sleep.every=0",
        *GOALS,
    ]
    return play(folder, [*settings, *overrides], engine=Player, **more)


def ask(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with connect(folder) as log:
        return log.execute(sql).fetchall()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return played(tmp_path_factory.mktemp("games") / "run")


def test_the_log_is_consistent(run: Path) -> None:
    check_log(run)
    assert ask(run, "SELECT count(*) FROM events WHERE source = 'infrastructure'") == [(0,)]
    assert ask(run, "SELECT DISTINCT reason FROM problems WHERE text SIMILAR TO '..r.*'") == [("anchor",)]


def test_every_turn_of_both_is_stored(run: Path) -> None:
    rows = ask(
        run,
        "SELECT a.turns, a.prompt, a.completion, a.answer, a.verdict, p.spec, m.result, m.forfeited_by, "
        "list((c.turn, c.prompt, c.completion, c.opponent) ORDER BY c.turn) FILTER (c.turn IS NOT NULL) "
        "FROM attempts a JOIN problems p USING (problem_id) JOIN matches m USING (attempt_id) "
        "LEFT JOIN actions c ON c.attempt_id = a.attempt_id WHERE a.arm = 'none' GROUP BY ALL",
    )
    assert len(rows) > 30
    domain, seen = make_domain("games"), set()
    for turns, prompt, completion, answer, verdict, spec, result, forfeited_by, actions in rows:
        said = {turn: (asked, text, other) for turn, asked, text, other in actions or ()}
        own = set(range(turns)) - set(said)
        assert len(own) <= 1
        if own:
            said[own.pop()] = (prompt, completion, False)
        else:
            assert all(other for _, _, other in said.values())  # the solver never came to move
        texts = [said[n][1] for n in range(turns)]
        for n in range(turns):
            turn = domain.turn(spec, "", texts[:n], "terse")
            assert (turn.observation, turn.opponent) == (said[n][0], said[n][2])
        end = domain.turn(spec, "", texts, "terse")
        assert (end.done, end.verdict, end.answer) == (True, verdict, answer)
        assert (result, forfeited_by) == {
            None: ("loss", "solver"), "forfeit": ("win", "opponent"),
        }.get(answer, (answer, None))  # fmt: skip
        seen.add((result, forfeited_by))
    assert seen == {("win", None), ("draw", None), ("loss", None), ("win", "opponent"), ("loss", "solver")}


def test_an_opponent_is_of_today_or_from_before_and_its_weights_are_there(run: Path) -> None:
    rows = ask(
        run,
        "SELECT m.round, m.policy_version, m.opponent, p.spec FROM matches m "
        "JOIN attempts USING (attempt_id) JOIN problems p USING (problem_id)",
    )
    earlier = set()
    for round, version, opponent, spec in rows:
        number, now = (int(v.partition("@")[2]) for v in (opponent, version))
        if spec[2] == "s" or round == 0:
            assert opponent == version
        else:
            assert number < now and number in kept_versions(range(now + 1), 2)
            earlier.add((round, number))
    assert {n for r, n in earlier if r == 3} == {0, 2}
    for (n,) in ask(run, "SELECT max(version) FROM policies WHERE policy = 'solver'"):
        for kept in kept_versions(range(n + 1), 2):
            assert (run / "checkpoints" / f"solver@{kept}" / "model.safetensors").exists()


def test_both_sides_of_today_are_trained_on_with_a_baseline_for_each_seat(run: Path) -> None:
    rows = ask(
        run,
        "SELECT r.group_id LIKE '%/opponent' AS other, m.opponent = m.policy_version, m.forfeited_by, "
        "r.advantage, r.prompt, r.completion, a.attempt_id FROM batch_rows r "
        "JOIN attempts a ON r.source_id = a.attempt_id JOIN matches m USING (attempt_id)",
    )
    assert {today for other, today, *_ in rows if other} == {True}
    assert {today for other, today, *_ in rows if not other} == {True, False}
    stored = {
        (prompt, text): other
        for prompt, text, other in ask(
            run,
            "SELECT prompt, completion, opponent FROM actions UNION ALL "
            "SELECT prompt, completion, false FROM attempts",
        )
    }
    assert all((prompt, text) in stored for _, _, _, _, prompt, text, _ in rows)
    (state,) = ask(run, "SELECT state ->> '$.baselines' FROM rounds ORDER BY round DESC LIMIT 1")
    for game in "tkn":
        for seat in "+-":
            assert f"solver/games/solver/{game}{seat}" in state[0]
    # the first match of a seat is compared with nothing yet, so its advantage is what it was worth
    with connect(run) as log:
        (path,) = log.execute(
            "SELECT path FROM batches WHERE policy = 'solver' ORDER BY round LIMIT 1"
        ).fetchone() or ("",)
    assert {row.role for row in read_parquet(run / path)} == {"solver"}


def test_anchors_are_matches_against_the_scripted(run: Path) -> None:
    rows = ask(
        run,
        "SELECT e.cell, m.opponent, m.result, e.correct FROM matches m "
        "JOIN evaluations e USING (round, policy_version, anchor_id)",
    )
    assert {opponent for _, opponent, _, _ in rows} == {"random", "expert"}
    for cell, opponent, result, correct in rows:
        assert opponent == {"r": "random", "e": "expert"}[cell[2]]
        par = cell[0] == "t" and cell[2] == "e" and result == "draw"
        assert correct == (result == "win" or par)


def test_ratings_follow_from_the_matches(run: Path) -> None:
    """The same as OpenSkill gives, match by match in the order of the log."""
    model, mine = PlackettLuce(), dict[tuple[str, str], Any]()
    for version, opponent, part, result in ask(
        run, "SELECT policy_version, opponent, part, result FROM matches ORDER BY rowid"
    ):
        if version == opponent:
            continue
        names = [(version, part[0]), (opponent, part[0])]
        teams = [[mine.setdefault(name, model.rating())] for name in names]
        scores = {"win": [1, 0], "draw": [1, 1], "loss": [0, 1]}[result]
        for name, (after,) in zip(names, model.rate(teams, scores=scores), strict=True):
            mine[name] = after
    told = {
        (name.split("/")[1], name.split("/")[2]): value
        for name, value in ask(
            run,
            "SELECT name, max_by(value, round) FROM measures WHERE starts_with(name, 'rating/') GROUP BY 1",
        )
    }
    assert told == pytest.approx({name: rating.mu for name, rating in mine.items()})
    with connect(run) as log:
        lines = dict(match_lines(log))
    assert lines["games, ratings at k"].startswith("random ")
    assert "solver@0 " in lines["games, ratings at k"]
    assert "%" in lines["games, not allowed"]


def test_a_version_that_beats_another_is_rated_above_it() -> None:
    ratings: dict[str, list[float]] = {}
    match = Match(0, "games", "t+", "t1", None, "solver@2", "solver@1", "win", None, 5)
    assert rate(ratings, match) == ["games/t/solver@2", "games/t/solver@1"]
    assert ratings["games/t/solver@2"][0] > 25 > ratings["games/t/solver@1"][0]
    assert [n for _, _, n in ratings.values()] == [1, 1]
    assert rate(ratings, Match(0, "games", "t+", "t1", None, "s@1", "s@1", "win", None, 5)) == []


@pytest.mark.slow
def test_a_run_that_was_stopped_gives_the_same_matches(run: Path, tmp_path: Path) -> None:
    again = played(tmp_path / "run", stops=[2])
    for table in ("matches", "actions", "measures", "batch_rows"):
        columns = "* EXCLUDE (value)" if table == "measures" else "*"
        sql = f"SELECT {columns} FROM {table} ORDER BY ALL"
        assert ask(again, sql) == ask(run, sql), table
    ratings = "SELECT name, value FROM measures WHERE starts_with(name, 'rating/') ORDER BY ALL"
    assert ask(again, ratings) == ask(run, ratings) != []


def test_rejection_imitates_whoever_won(tmp_path: Path) -> None:
    folder = played(tmp_path / "run", "learner.solver.objective=rejection", "rounds=2")
    check_log(folder)
    rows = ask(
        folder,
        "SELECT r.group_id LIKE '%/opponent' AS other, m.result FROM batch_rows r "
        "JOIN matches m ON m.attempt_id = r.source_id WHERE r.role = 'solver' GROUP BY ALL ORDER BY ALL",
    )
    assert rows == [(False, "win"), (True, "loss")]


def test_versions_that_are_kept() -> None:
    assert kept_versions([0, 1, 2, 3, 4, 5, 6, 7], 3) == [0, 3, 6, 7]
    assert kept_versions([0], 10) == [0]
    assert kept_versions([], 10) == []
