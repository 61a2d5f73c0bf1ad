"""Rounds of ``reading``, with ``games`` beside it and a strategy for each, by a scripted engine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agents.engines.base import Completion, Request, Sampling
from arena.domains.reading import read_spec
from arena.domains.reading_text import held_out, passages
from culture import connect
from culture.seeds import generator
from tests.arena import test_games
from tests.arena.consistency import check_log
from tests.arena.scripted import play, spoken

SIZES = ["engine.prompt_chars=200", "engine.answer_tokens=48", "engine.proposal_tokens=120"]


class Reader(test_games.Player):
    """Asks for a word of the sentence that it is shown, and answers where the text says so."""

    def generate(
        self, policy_version: str, requests: Sequence[Request], sampling: Sampling
    ) -> list[Completion]:
        return spoken(policy_version, requests, self._said)

    def _said(self, r: Request) -> str:
        return self._read(r) if "." in r.prompt or "_" in r.prompt else self._text(r)

    def _read(self, r: Request) -> str:
        rng = generator(r.seed, "reader", r.prompt)
        *shown, last = r.prompt.split("\n")
        if last.endswith(">"):
            sentence = shown[-1] if shown else last[:-1].replace("_", last.split("|")[1]).split("|")[0]
            words = re.findall(r"[A-Za-z]{4,}", sentence)
            word = words[int(rng.integers(len(words)))]
            return f"{sentence.replace(word, '_', 1)}|{word}"
        before, _, after = last[:-1].partition("_")
        found = re.search(re.escape(before) + r"(.+?)" + re.escape(after), "\n".join(shown))
        return found[1] if found and rng.random() < 0.6 else "unknown"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    overrides = [
        "domains=[reading, games]",
        "curriculum.by_domain={reading: plr}",
        "rounds=2",
        "rollout.problems=28",
        "sleep.every=0",
        *SIZES,
        "learner.solver.objective=rae",
    ]
    return play(tmp_path_factory.mktemp("reading") / "run", overrides, engine=Reader)


def ask(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with connect(folder) as log:
        return log.execute(sql).fetchall()


def test_the_log_of_two_domains_is_consistent(run: Path) -> None:
    check_log(run)
    rows = ask(
        run, "SELECT domain, count(*) FROM problems WHERE status = 'admitted' GROUP BY ALL ORDER BY 1"
    )
    assert [name for name, _ in rows] == ["games", "reading"] and min(n for _, n in rows) > 10
    assert {d for (d,) in ask(run, "SELECT DISTINCT domain FROM batch_rows r JOIN attempts a ON "
                              "r.source_id = a.attempt_id")} == {"games", "reading"}  # fmt: skip


def test_what_is_shown_is_answered_and_what_is_not_is_not(run: Path) -> None:
    rows = ask(
        run,
        "SELECT p.spec, a.correct, a.prompt FROM attempts a JOIN problems p USING (problem_id) "
        "WHERE p.domain = 'reading' AND a.arm = 'none'",
    )
    closed = [(read_spec(spec).shown == 0, correct) for spec, correct, _ in rows]
    assert (False, True) in closed and (True, False) in closed and (True, True) not in closed


def test_no_held_out_passage_is_asked_about_or_trained_on(run: Path) -> None:
    kept, known = [p.text for p in held_out()], [p.text for p in passages(None)]
    for (spec,) in ask(run, "SELECT spec FROM problems WHERE domain = 'reading' AND status = 'admitted'"):
        quote = read_spec(spec).quote
        assert any(quote in text for text in known) and not any(quote in text for text in kept)
    sentences = [s for p in held_out() for s in p.sentences]
    for prompt, completion in ask(run, "SELECT prompt, completion FROM batch_rows"):
        assert not any(s in prompt or s in completion for s in sentences)


def test_a_proposal_is_taught_with_the_passage_that_it_is_about(run: Path) -> None:
    rows = ask(
        run,
        "SELECT r.prompt, p.spec FROM batch_rows r JOIN problems p ON r.source_id = p.problem_id "
        "WHERE p.request = 'fresh' AND r.role = 'proposer' AND p.domain = 'reading'",
    )
    assert rows
    for prompt, spec in rows:
        assert prompt.startswith(f"{read_spec(spec).quote}\n?")
