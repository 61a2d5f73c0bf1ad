"""Measures of logs whose numbers can be counted by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest

from analysis.measures import (
    attractors,
    citations,
    conformity,
    diversity,
    fidelity,
    health,
    prestige,
    price,
    ratchet,
    zone,
)
from analysis.measures import (
    embedding as embeddings,
)
from analysis.measures.descent import chains, descent, texts
from analysis.measures.embedding import cosines, drawn, embedding, ngrams
from analysis.measures.estimate import NothingToMeasure
from analysis.measures.lines import as_json, sections, text
from analysis.measures.report import Measured, Report, report
from culture import connect
from culture.embedding import EmbeddingError
from culture.history import NoSuchRound
from culture.records import Measure
from culture.wilson import wilson
from curricula.emergence import ZONE
from tests.analysis.log import write_log
from tests.analysis.measures.school import School

Log = duckdb.DuckDBPyConnection
ROUNDS = 6


def school() -> School:
    """See the tests for what is in it."""
    made = School(ROUNDS)
    for name, house in (("anna", "red"), ("ben", "red"), ("carl", "blue")):
        made.agent(0, name, 0, organisation=house)
    # anna's note is revised twice, the second time from two texts; carl's is written after anna's was read
    first = made.note(0, "n1", "anna", "add the tens", recheck="confirmed")
    made.note(0, "n2", "ben", "carry the one")
    second = made.text(1, "n1", "ben", "add the tens first", [first])
    branch = made.text(1, "n1", "carl", "add the ones", [first], outcome="branch")
    made.text(2, "n1", "anna", "add ones, then tens", [second, branch], outcome="merged")
    reading = made.attempt(3, "p3", "library", True, completion="12", shown=["n1:3", "n2:0"])
    made.text(3, "n2", "ben", "", [], outcome="archived")
    written = made.note(3, "n3", "carl", "add ones, then tens, then hundreds", recheck="refuted")
    made.cite(3, written, reading, "attempt")
    made.cite(3, written, "p3", "problem")
    later = made.note(4, "n4", "ben", "hundreds last")
    made.cite(4, later, "n3")
    made.cite(4, later, "n1")
    # problems of round 0: six tried four times each, solved by 0, 1, 2, 2, 3 and 4 of them
    for number, right in enumerate((0, 1, 2, 2, 3, 4)):
        made.problem(0, f"q{number}", f"R{number}={number}", None, [-1.0, -2.0])
        for i in range(4):
            made.attempt(0, f"q{number}", "none", i < right)
    made.problem(0, "q6", "R1=1", "duplicate", [-1.0])
    made.problem(0, "q7", None, "invalid:syntax", [-3.0])
    made.evaluate(0, 0, [False, False, True, False])
    return made


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    with connect(school().write(tmp_path_factory.mktemp("school") / "run")) as connection:
        yield connection


# -- descent ----------------------------------------------------------------------------------------------
def test_texts_are_those_that_say_something(log: Log) -> None:
    found = texts(log)
    assert list(found) == ["n1:0", "n2:0", "n1:1", "n1:2", "n1:3", "n3:0", "n4:0"]
    assert [name for name, t in found.items() if t.confirmed] == ["n1:0"]


def test_what_came_of_what(log: Log) -> None:
    assert descent(log, "revision") == [
        ("n1:1", "n1:0"), ("n1:2", "n1:0"), ("n1:3", "n1:1"), ("n1:3", "n1:2"),
    ]  # fmt: skip
    # a citation is of the text that the note had then
    assert descent(log, "citation") == [("n4:0", "n3:0"), ("n4:0", "n1:3")]
    assert descent(log, "reading") == [("n3:0", "n1:3"), ("n3:0", "n2:0")]
    with pytest.raises(ValueError, match="revision, citation, reading, got 'hearsay'"):
        descent(log, "hearsay")  # type: ignore[arg-type]


def test_chains_place_every_text_once(log: Log) -> None:
    found = {p.text.revision_id: (p.root.revision_id, p.depth, p.last) for p in chains(log, "revision")}
    assert found == {
        "n1:0": ("n1:0", 0, False),
        "n1:1": ("n1:0", 1, False),
        "n1:2": ("n1:0", 1, True),
        "n1:3": ("n1:0", 2, True),
    }


# -- measures of culture ----------------------------------------------------------------------------------
def test_fidelity_of_a_log(log: Log) -> None:
    found = fidelity.of_log(log, "revision", embedding(log))
    # words in common with "add the tens": 3 of 3 and 4, 2 of 3 and 3; then 2 of 3 and 4
    first = (3 / math.sqrt(3 * 4) + 2 / 3) / 2
    assert found.by_step[1].value == pytest.approx(first) and found.by_step[1].n == 2
    assert found.by_step[2].value == pytest.approx(2 / math.sqrt(3 * 4)) and found.chains == 1
    with pytest.raises(NothingToMeasure, match="by reading, got none"), connect_empty(log) as empty:
        fidelity.of_log(empty, "reading", embedding(log))


def connect_empty(log: Log) -> Log:
    """The same tables without a row."""
    other = duckdb.connect()
    for table in ("revisions", "notes", "citations", "reads", "attempts", "actions", "decisions", "agents",
                  "problems", "evaluations", "policies", "rounds", "runs"):  # fmt: skip
        rows = log.execute(f"SELECT * FROM {table} LIMIT 0").to_arrow_table()
        other.register("empty_rows", rows)
        other.execute(f"CREATE TABLE {table} AS FROM empty_rows")
        other.unregister("empty_rows")
    return other


def test_nothing_is_measured_of_an_empty_log(log: Log) -> None:
    with connect_empty(log) as empty:
        served = embedding(empty)
        for measure in (
            lambda: price.of_log(empty, "revision"),
            lambda: conformity.of_log(empty),
            lambda: prestige.of_log(empty),
            lambda: citations.several_parents(empty),
            lambda: ratchet.ratchet(empty),
            lambda: zone.of_log(empty, "sums", served),
        ):
            with pytest.raises(NothingToMeasure, match=r"expected .*, got"):
                measure()
        assert attractors.of_log(empty, "reading") == {}
        alive = health.of_log(empty, served)
        assert (alive.entropy, alive.reasons, alive.solvable, alive.vendi) == (None, {}, None, None)


def test_attractors_need_three_chains(log: Log) -> None:
    assert attractors.of_log(log, "revision") == {}


def test_price_of_a_log(log: Log) -> None:
    length = {name: t.tokens for name, t in texts(log).items()}
    found = price.of_log(log, "reading")["length"]
    # n3 follows n1:3 and n2:0, half each; six texts could be followed, all but that of the last round
    there = [n for n in length if n != "n4:0"]
    assert found.total.value == pytest.approx(length["n3:0"] - np.mean([length[n] for n in there]))
    parents = (length["n1:3"] + length["n2:0"]) / 2
    assert found.transmission.value == pytest.approx(length["n3:0"] - parents) and found.total.n == 6


def test_attention_of_a_log(log: Log) -> None:
    cited = {u.note_id: (u.uses, u.last) for u in citations.uses(log, "citation")}
    assert cited == {"n1": (1, 4), "n2": (0, 0), "n3": (1, 4), "n4": (0, 4)}
    read = {u.note_id: (u.uses, u.last) for u in citations.uses(log, "reading")}
    assert read == {"n1": (1, 3), "n2": (1, 3), "n3": (0, 3), "n4": (0, 4)}
    several = citations.several_parents(log)
    assert several.value == pytest.approx(1 / 3) and several.n == 3
    with pytest.raises(ValueError, match="citation or reading"):
        citations.uses(log, "hearsay")  # type: ignore[arg-type]


def test_diversity_of_a_log(log: Log) -> None:
    served = embedding(log)
    found = diversity.of_log(log, ROUNDS - 1, served)
    bodies = ["add ones, then tens", "add ones, then tens, then hundreds", "hundreds last"]
    assert found.texts == found.of == 3  # n2 was archived
    assert found.vendi == pytest.approx(diversity.vendi(cosines(ngrams(bodies))))
    assert found.distinct[1] == pytest.approx(6 / 12)  # add ones then tens hundreds last
    assert set(found.between) == {"organisation"}  # anna and ben are of one house
    early = diversity.of_log(log, 0, served)
    assert early.texts == 2
    with pytest.raises(NothingToMeasure, match="end of round -1"):
        diversity.of_log(log, -1, served)


def test_conformity_of_a_log(tmp_path: Path) -> None:
    made = School(1)
    for number, body in enumerate(("use plus", "use plus", "use minus")):
        made.note(0, f"n{number}", "anna", body)
    shown = ["n0:0", "n1:0", "n2:0"]
    for number in range(12):
        # "use" is in all notes and says nothing; of the rest two thirds have plus, one third minus
        made.attempt(
            0, f"p{number}", "library", True, completion="plus" if number % 4 else "minus", shown=shown
        )
        made.attempt(0, f"p{number}", "none", True, completion="plus" if number % 2 else "none of both")
        made.attempt(0, f"p{number}", "library", True, completion="plus", shown=shown[:2])
    made.attempt(0, "alone", "library", True, completion="plus", shown=shown)
    with connect(made.write(tmp_path / "run")) as log:
        shares, taken, problems = conformity.choices(log)
        found = conformity.of_log(log)
    assert len(shares) == 24 and set(problems) == {f"p{n}" for n in range(12)}
    plus = [t for s, t in zip(shares, taken, strict=True) if s == pytest.approx(2 / 3)]
    minus = [t for s, t in zip(shares, taken, strict=True) if s == pytest.approx(1 / 3)]
    assert np.mean(plus) == pytest.approx(9 / 12 - 1 / 2) and np.mean(minus) == pytest.approx(3 / 12)
    # c (2/3 + 2D/27) = 1/4 = c (1/3 - 2D/27): c = 1/2, D = -9/4
    assert found.copying.value == pytest.approx(0.5) and found.conformity.value == pytest.approx(-2.25)


def desks(provenance: bool) -> School:
    """Twelve authors, of whom the later in the alphabet were cited more; who writes picks those."""
    made = School(3, provenance=provenance)
    authors = [f"{chr(97 + i)}" for i in range(12)]
    for i, author in enumerate(authors):
        for number in range(2):
            recheck = "confirmed" if (i + number) % 2 else ""
            made.note(0, f"{author}{number}", author, f"text {author} {number}", recheck=recheck)
        for cite in range(i):
            citing = made.note(1, f"c{author}{cite}", "zoe", "well said")
            made.cite(1, citing, f"{author}0")
    for decision in range(120):
        author = authors[(decision * 5) % 12]
        wrote = made.note(2, f"w{decision}", "yan", "more of this")
        made.decide(2, "yan", f"w{decision}", [f"{author}1:0"])
        # cited with a frequency that rises with the author's citations, where names are told
        often = (ord(author) - 97 + 1) if provenance else 6
        if (decision * 7 + decision // 12) % 13 < often:
            made.cite(2, wrote, f"{author}1")
    return made


def test_prestige_of_logs_and_the_author_blind_ablation(tmp_path: Path) -> None:
    named, blind = (desks(told).write(tmp_path / str(told)) for told in (True, False))
    with connect(named) as one, connect(blind) as other:
        chances = prestige.chances(one)
        assert len(chances) == 120
        by_author = {c.author: c.authors for c in chances}
        assert by_author == {chr(97 + i): i for i in range(12)}  # of their other note
        assert {c.own for c in chances} == {0} and {c.age for c in chances} == {2}
        assert {c.author: c.confirmed for c in chances}["a"] is True
        found = prestige.of_log(one)
        assert found.authors.low is not None and found.authors.low > 0
        assert found.left_out == ("age", "own citations")
        gap = prestige.author_blind(one, other)
        assert gap.value == pytest.approx(found.authors.value - prestige.of_log(other).authors.value)
        assert gap.low is not None and gap.low > 0
        with pytest.raises(ValueError, match=r"library\.provenance: true, got school with false"):
            prestige.author_blind(other, one)


def test_the_ratchet_of_a_log(tmp_path: Path) -> None:
    made, single = School(6), School(6)
    for number, name in enumerate(("anna", "ben", "carl")):
        made.agent(2 * number, name, 2 * number)
        if number < 2:
            made.agent(2 * number + 2, name, 2 * number, 2 * number + 2)
    made.agent(3, "dora", 3)  # grew, replaced nobody
    single.agent(0, "anna", 0)
    right = {1: [1, 0, 0, 0], 2: [0, 0, 0, 0], 3: [1, 1, 0, 0], 5: [1, 1, 1, 0]}
    for at, row in right.items():
        made.evaluate(at, at, [bool(x) for x in row])
    single.evaluate(5, 5, [True, False, False, False])
    with connect(made.write(tmp_path / "a")) as log, connect(single.write(tmp_path / "b")) as other:
        found = ratchet.ratchet(log)
        assert {g: e.value for g, e in found.success.items()} == {0: 0.25, 1: 0.5, 2: 0.75}
        assert {g: e.value for g, e in found.steps.items()} == {1: 0.25, 2: 0.25}
        whole = ratchet.against(log, other)
        assert whole.difference.value == 0.5 and whole.compute == 1
        with pytest.raises(ValueError, match="single lifetime, got a run of 3"):
            ratchet.against(other, log)


def test_the_ratchet_counts_anchors_and_not_answers(tmp_path: Path) -> None:
    """A second policy answers as the first does, and then otherwise."""
    made = School(4)
    made.agent(0, "anna", 0)
    made.agent(2, "ben", 2)
    made.agent(2, "anna", 0, 2)
    right = {
        1: {"solver": [1, 0, 0, 0], "other": [1, 0, 0, 0]},
        3: {"solver": [1, 1, 0, 0], "other": [1, 1, 1, 0]},
    }
    for at, rows in right.items():
        for policy, row in rows.items():
            made.evaluate(at, at, [bool(x) for x in row], policy)
    with connect(made.write(tmp_path / "run")) as log:
        found = ratchet.ratchet(log)
    first, second = found.success[0], found.success[1]
    assert (first.value, first.n, second.value, second.n) == (0.25, 4, 0.625, 4)
    assert (first.low, first.high) == pytest.approx(wilson(1, 4))
    assert second.low is not None and second.low < 0.625
    assert (found.steps[1].value, found.steps[1].n) == (0.375, 4)


# -- measures of a curriculum -----------------------------------------------------------------------------
def test_health_of_a_log(log: Log) -> None:
    found = health.of_log(log, embedding(log))
    assert found.entropy is not None and found.entropy.value == pytest.approx((6 * 3 + 1 + 3) / (6 * 2 + 2))
    assert {reason: e.value for reason, e in found.reasons.items()} == {
        "admitted": 6 / 8, "duplicate": 1 / 8, "invalid:syntax": 1 / 8,
    }  # fmt: skip
    assert found.solvable is not None and (found.solvable.value, found.solvable.n) == (5 / 6, 6)
    assert found.texts == 7 and found.vendi is not None and 1 < found.vendi <= 6
    none = health.of_log(log, embedding(log), range(1, 3))
    assert none.entropy is None and none.reasons == {}
    with pytest.raises(ValueError, match="one after another"):
        health.of_log(log, embedding(log), range(0, 4, 2))


def test_the_zone_of_a_log(log: Log) -> None:
    found = zone.of_log(log, "sums", embedding(log))
    assert found.grid == 6 and found.share.n == 6  # no two problems of one cell
    assert 0 < found.share.value < 1
    assert found.cells.value == pytest.approx(6 * found.share.value)  # each in a cell of its own
    assert found.product.value == pytest.approx(found.share.value * found.cells.value)
    assert ZONE == (0.2, 0.8)
    with pytest.raises(NothingToMeasure):
        zone.of_log(log, "chess", embedding(log))


# -- embeddings -------------------------------------------------------------------------------------------
def test_what_texts_are_compared_by_is_told(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert embedding(log).name == "ngrams" and "terse" in embedding(log).why
    with connect(School(1, form="natural").write(tmp_path / "run")) as natural:
        monkeypatch.setattr(embeddings, "model_folder", lambda: tmp_path)
        assert embedding(natural).name == "minilm"
        assert embedding(natural, "ngrams").why == "asked for"

        def missing() -> Path:
            raise EmbeddingError("expected the package")

        monkeypatch.setattr(embeddings, "model_folder", missing)
        assert embedding(natural).name == "ngrams" and "not installed" in embedding(natural).why
        with pytest.raises(EmbeddingError):
            embedding(natural, "minilm")


def test_ngrams_are_words_and_parts_of_the_rest() -> None:
    found = cosines(ngrams(["add tens", "tens add", "R12", "R1", "", "other"]))
    assert found[0, 1] == pytest.approx(1)
    # R12 has R, 1, 2, R1, 12, R12; R1 has R, 1, R1
    assert found[2, 3] == pytest.approx(3 / math.sqrt(6 * 3))
    assert found[0, 5] == 0 and found[4, 4] == 1 and found[4, 0] == 0
    assert cosines(ngrams(["", ""])).tolist() == [[1, 0], [0, 1]]


def test_of_many_texts_some_are_drawn_again_the_same(log: Log) -> None:
    assert drawn(log, "x", 3) == [0, 1, 2]
    some = drawn(log, "x", 50, 10)
    assert some == drawn(log, "x", 50, 10) == sorted(set(some)) and len(some) == 10
    assert some != drawn(log, "y", 50, 10)


@pytest.mark.llm
def test_a_sentence_model_knows_what_is_alike(log: Log) -> None:
    served = embedding(log, "minilm")
    found = cosines(served.vectors(["Reverse the list.", "Turn the list round.", "The sea is blue."]))
    assert found[0, 1] > found[0, 2] + 0.2


# -- all of it --------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def whole(log: Log) -> tuple[Report, list[str]]:
    """The report of the school, and what was said meanwhile."""
    topics: list[str] = []
    return report(log, progress=topics.append), topics


def test_everything_is_reported_once_and_what_is_not_there_says_why(
    whole: tuple[Report, list[str]],
) -> None:
    found, topics = whole
    assert len(topics) == len(set(topics)) == 12 and found.run == "school" and found.round == ROUNDS - 1
    names = [(m.topic, m.name, m.about) for m in found.measures]
    assert len(names) == len(set(names))
    by_name = {(m.name, m.about): m for m in found.measures}
    assert by_name["solvable", ""].value == 5 / 6 and by_name["several parents", ""].n == 3
    missing = by_name["conformity D", ""]
    assert missing.value is None and (missing.reason or "").startswith(
        "expected attempts that were shown 3"
    )
    assert all((m.value is None) == (m.reason is not None) for m in found.measures)
    silent = {m.topic for m in found.measures if m.value is None}
    assert (
        silent >= {"attractors", "conformity", "prestige", "ratchet"}
        and "stored with the rounds" not in silent
    )
    assert by_name["half-life", "revision"].value is not None


def test_a_stored_measure_is_told_as_its_latest_round_has_it(tmp_path: Path) -> None:
    made = School(2)
    for at, rows in enumerate(made.rounds):
        ends = (None, None) if at else (0.0, 0.5)
        rows.measures = [Measure(at, "zone/solver", "sums", 0.25 + at / 2, *ends, 20 + at)]
    with connect(made.write(tmp_path / "run")) as log:
        (zone,) = (m for m in report(log, "ngrams").measures if m.name == "zone/solver")
    assert (zone.value, zone.low, zone.high, zone.n) == (0.75, None, None, 21)


def test_lines_and_json(whole: tuple[Report, list[str]]) -> None:
    found, _ = whole
    first, *rest = sections(found)
    assert first.title == "Measures of school, round 5"
    assert first.lines[0][1].startswith("counts of words and of character 1-, 2- and 3-grams: the texts")
    assert all(section.lines for section in rest)
    plain = json.loads(as_json(found))
    assert plain["embedding"]["name"] == "ngrams" and len(plain["measures"]) == len(found.measures)
    said = {(m["name"], m["about"]): m for m in plain["measures"]}
    assert said["solvable", ""]["low"] < 5 / 6 < said["solvable", ""]["high"]


@pytest.mark.parametrize(
    ("value", "low", "high", "n", "expected"),
    [
        (0.5, 0.25, 0.75, 1200, "0.500 [0.250, 0.750] share; 1,200 texts"),
        (1234.4, None, None, None, "1,234 share"),
        (math.inf, None, None, 4, "endless share; 4 texts"),
        (0.00002, None, None, None, "2.0e-05 share"),
    ],
)
def test_a_line(value: float, low: float | None, high: float | None, n: int | None, expected: str) -> None:
    assert text(Measured("culture", "", "x", "", value, low, high, "share", n, "texts")) == expected


def test_what_is_endless_is_null_in_json(whole: tuple[Report, list[str]]) -> None:
    lasting = Measured(
        "culture", "fidelity", "half-life", "", math.inf, None, math.nan, "steps", 3, "texts"
    )
    (row,) = json.loads(as_json(replace(whole[0], measures=[lasting])))["measures"]
    assert (row["value"], row["high"], row["n"]) == (None, None, 3)


def test_a_run_without_a_round_is_refused(tmp_path: Path) -> None:
    with (
        connect(write_log(tmp_path / "run", [])) as log,
        pytest.raises(NoSuchRound, match="committed round"),
    ):
        report(log)
