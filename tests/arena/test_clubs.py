"""Book clubs: what is said of a chapter is kept where a problem came of it, and problems are attempted."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.engines.base import Request
from arena.config import RunConfig
from arena.settings import ConfigError, load
from culture import connect
from culture.history import library_at
from tests.arena.consistency import check_log
from tests.arena.scripted import play
from tests.arena.test_deciding import Writer

CLUB = ["writing.decisions=6", "writing.by=scripted", "club.every=1", "rounds=6"]


def held_to(folder: Path) -> None:
    """What holds of every run with clubs."""
    check_log(folder)
    with connect(folder) as log:
        library = library_at(log, 5)
        kept = log.execute(
            "SELECT DISTINCT d.round, d.club, d.note_id FROM decisions d WHERE d.club IS NOT NULL "
            "AND d.outcome = 'written'"
        ).fetchall()
        assert kept
        for at, chapter, note in kept:
            assert library.note(chapter).kind == "chapter"
            assert library.note(note).kind == "discussion"
            (first,) = [r for r in library.history(note) if r.outcome == "head"]
            targets = {(c.target_kind, c.target_id) for c in library.citations(first.revision_id)}
            assert ("note", chapter) in targets
            problems = [name for kind, name in targets if kind == "problem"]
            rows = log.execute(
                "SELECT p.origin, p.status, p.round, count(a.attempt_id) FROM problems p "
                "LEFT JOIN attempts a USING (problem_id, round) "
                "WHERE list_contains(?, problem_id) GROUP BY ALL",
                [problems],
            ).fetchall()
            assert rows and all(row[:3] == ("club", "admitted", at) and row[3] > 0 for row in rows)
        trained = log.execute(
            "SELECT count(*) FROM batch_rows b JOIN problems p ON b.group_id = p.problem_id "
            "WHERE p.origin = 'club'"
        ).fetchone()
        assert trained is not None and trained[0] > 0


def test_a_scripted_club_starts_from_what_the_chapter_says(tmp_path: Path) -> None:
    folder = play(tmp_path / "run", CLUB)
    held_to(folder)
    with connect(folder) as log:
        said = [r[0] for r in log.execute("SELECT completion FROM decisions WHERE club <> ''").fetchall()]
        assert all(s.startswith("From ") and " comes " in s for s in said)


def test_a_model_s_club_talks_answers_and_writes_problems(tmp_path: Path) -> None:
    class Member(Writer):
        def _text(self, r: Request, greedy: bool) -> str:
            if "Say in one or two sentences" in r.prompt:
                return "I would begin from the right."
            if "Answer them" in r.prompt:
                assert "> I would begin from the right." in r.prompt
                return "No, from the left."
            if "Make it from what this says" in r.prompt:
                assert "\n> " in r.prompt
            return super()._text(r, greedy)

    folder = play(tmp_path / "run", CLUB, engine=Member, form="natural")
    held_to(folder)
    with connect(folder) as log:
        said = {r[0] for r in log.execute("SELECT completion FROM decisions WHERE club <> ''").fetchall()}
        assert said == {"I would begin from the right.", "No, from the left."}
        (body,) = (
            log.execute("SELECT body FROM revisions WHERE body LIKE '%asks:%' LIMIT 1").fetchone() or ()
        )
        assert "I would begin from the right." in body


def test_what_measures_the_run_is_not_kept_whoever_says_it(tmp_path: Path) -> None:
    class Cheat(Writer):
        def _text(self, r: Request, greedy: bool) -> str:
            if "Say in one or two sentences" in r.prompt:
                return self.domain.write(self.domain.anchors(1)[0].spec, "natural")
            return "Well said." if "Answer them" in r.prompt else super()._text(r, greedy)

    folder = play(tmp_path / "run", CLUB, engine=Cheat, form="natural")
    held_to(folder)
    anchor = Cheat().domain.write(Cheat().domain.anchors(1)[0].spec, "natural")
    with connect(folder) as log:
        said = log.execute("SELECT count(*) FROM decisions WHERE completion = ?", [anchor]).fetchone()
        kept = log.execute("SELECT count(*) FROM revisions WHERE contains(body, ?)", [anchor]).fetchone()
        talk = log.execute("SELECT count(*) FROM revisions WHERE contains(body, 'Well said.')").fetchone()
    assert said and said[0] > 0 and kept == (0,) and talk and talk[0] > 0


def test_a_club_without_writers_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"writing\.decisions: 4"):
        load("tiny", ["club.every=2"], RunConfig)
