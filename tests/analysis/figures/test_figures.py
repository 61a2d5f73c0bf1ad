"""Figures, from logs with known numbers."""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from matplotlib.figure import Figure as Canvas

from analysis.figures import (
    FIGURES,
    NoData,
    collapse,
    effect,
    frontier,
    growth,
    lineage,
    network,
    phases,
    proposals,
    readership,
    scale,
    success,
)
from analysis.figures.base import Figure, Log
from analysis.figures.rendering import DOTS, save, write
from analysis.history import START
from culture import connect
from culture.queries import select
from culture.records import Citation, Read
from tests.analysis.log import attempt, round_rows, write_log
from tests.analysis.school import HOSTILE, note, revision, school
from tests.culture.rows import example

ALL = pytest.mark.parametrize("figure", FIGURES.values(), ids=list(FIGURES))


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    with connect(school(tmp_path_factory.mktemp("school") / "run")) as connection:
        yield connection


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    with connect(write_log(tmp_path_factory.mktemp("empty") / "run", [])) as connection:
        yield connection


NOTHING = {("collapse", "novelty"), ("network", "citations"), ("scale", "attempts without notes")}
"""Figures and queries of theirs to which the school has no rows."""


@ALL
def test_queries_run_by_themselves(figure: Figure, log: Log) -> None:
    assert figure.SQL
    for name, sql in figure.SQL.items():
        assert (select(log, sql).num_rows == 0) == ((figure.NAME, name) in NOTHING)


@ALL
def test_data_are_plain_and_are_drawn(figure: Figure, log: Log, tmp_path: Path) -> None:
    data = figure.data(log)
    assert json.loads(json.dumps(dataclasses.asdict(data)))
    canvas = Canvas(dpi=50)
    figure.draw(data, canvas)
    write(canvas, tmp_path / "a.png")
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    for axes in canvas.axes:
        assert not axes.axison or axes.get_xlabel() or axes.get_ylabel()


@ALL
def test_nothing_is_said_in_a_sentence(figure: Figure, empty: Log) -> None:
    with pytest.raises(NoData, match=r"^[A-Z].*\.$"):
        figure.data(empty)


def test_a_first_round_is_drawn(tmp_path: Path) -> None:
    with connect(school(tmp_path / "run", rounds=1)) as log:
        for figure in FIGURES.values():
            if figure is not lineage:  # nothing was made of anything yet
                figure.draw(figure.data(log), Canvas())
        with pytest.raises(NoData, match="No admitted problem"):
            lineage.data(log)
        save(network, network.data(log), tmp_path / "a.png", "a $heading")
    width, height = struct.unpack(">II", (tmp_path / "a.png").read_bytes()[16:24])
    assert (width, height) == tuple(round(DOTS * inches) for inches in network.SIZE)


def test_success(log: Log) -> None:
    found = success.data(log)
    (new,), (held_out,) = found.new, found.held_out
    # 3 + 1 + 2 of 12 attempts a round, 4 of 6 at one problem and 2 of 6 at the other: a design effect of
    # 2/1 (1 + 1)/12 / 0.25 = 4/3, so Wilson's interval of 4.5 of 9
    assert [p.value for p in new.points] == [0.5] * 4
    assert new.points[0].low == pytest.approx(0.22653, abs=1e-5)
    assert new.points[0].high == pytest.approx(0.77347, abs=1e-5)
    assert [(p.round, p.value) for p in held_out.points] == [
        (START, 0.1),
        (0, 0.1),
        (1, 0.7),
        (2, 0.7),
        (3, 0.7),
    ]


def test_several_policies_of_a_domain_are_told_apart(tmp_path: Path) -> None:
    rows = round_rows(0)
    rows.evaluations += [dataclasses.replace(e, policy_version="other@1") for e in rows.evaluations[10:]]
    with connect(write_log(tmp_path / "run", [rows])) as log:
        found = success.data(log)
        assert [s.label for s in found.held_out] == ["sums (other)", "sums (solver)"]
        canvas = Canvas()
        success.draw(found, canvas)
    lines = {c.get_label(): c.lines[0] for c in canvas.axes[0].containers}  # type: ignore[attr-defined]
    a, b = lines["sums: held out (other)"], lines["sums: held out (solver)"]
    assert a.get_marker() != b.get_marker() and a.get_linestyle() != b.get_linestyle()


def test_scale(log: Log) -> None:
    (found,) = scale.data(log).domains
    (able,) = found.abilities
    assert (found.domain, able.label) == ("sums", "solver")
    assert [p.round for p in able.points] == [START, 0, 1, 2, 3]
    # 7 of 10 are more than 1 of 10, on any scale
    assert able.points[2].value > able.points[1].value == able.points[0].value
    assert all(p.low < p.value < p.high for p in able.points)  # type: ignore[operator]


def test_problems_on_the_scale(tmp_path: Path) -> None:
    rows = [round_rows(at) for at in range(2)]
    for at, each in enumerate(rows):
        each.attempts = [
            replace(attempt(10 * at + k, f"p{at}-{k // 4}", "none", k % 2 == 0, at=at), policy_version=v)
            for k, v in enumerate(["solver@1"] * 8 + ["solver@9"])
        ]
        each.reads = []
    rows[1].attempts = [replace(a, policy_version="solver@9") for a in rows[1].attempts]
    with connect(write_log(tmp_path / "run", rows)) as log:
        (found,) = scale.data(log).domains
    # half of the answers of a version are right, so the problems stand where it does; of round 1 nobody's
    # ability is known, and the ninth attempt of round 0 is at a problem of its own
    (point,), ((at, able, hard),) = found.problems.points, found.against
    assert (point.round, point.n, at) == (0, 2, 0)
    assert able == pytest.approx(next(p.value for p in found.abilities[0].points if p.round == 0))
    assert point.value == hard == pytest.approx(able, abs=0.05)


def test_proposals(log: Log) -> None:
    found = proposals.data(log)
    assert found.rounds == [0, 1, 2, 3]
    assert found.counts == {"admitted": [2] * 4, "duplicate": [1] * 4, "invalid": [1] * 4, "other": [0] * 4}


def test_lineage(log: Log) -> None:
    found = lineage.data(log)
    assert (found.families, found.problems, found.depths) == (1, 4, {0: 1, 1: 1, 2: 1, 3: 1})
    assert [m.problem_id for m in found.longest] == ["p0-0", "p1-0", "p2-0", "p3-0"]
    # attempts 0 and 2 of each arm are at the first problem: right are two, one and one
    assert [m.solved for m in found.longest] == [pytest.approx(4 / 6)] * 4


def test_lineage_goes_on_where_the_parent_was_rejected(tmp_path: Path) -> None:
    rows = round_rows(0)
    rows.problems[0] = dataclasses.replace(rows.problems[0], parent_id="p0-2")
    rows.problems[1] = dataclasses.replace(rows.problems[1], parent_id="p0-0")
    with connect(write_log(tmp_path / "run", [rows])) as log:
        assert [(m.problem_id, m.depth) for m in lineage.data(log).longest] == [("p0-0", 0), ("p0-1", 1)]


def test_effect(log: Log) -> None:
    found = {(c.treatment, c.control): c for c in effect.data(log).contrasts}
    assert list(found) == [("library", "none"), ("library", "placebo"), ("placebo", "none")]
    whole = found["library", "none"].whole
    assert (whole.first, whole.last, whole.treated, whole.controls) == (0, 3, 16, 16)
    assert whole.difference == pytest.approx(0.5)
    assert whole.low is None and found["placebo", "none"].whole.low is not None
    windows = found["placebo", "none"].windows
    assert [(w.first, w.last) for w in windows] == [(0, 0), (1, 1), (2, 2), (3, 3)]
    assert [w.difference for w in windows] == [pytest.approx(0.25)] * 4


def test_effect_with_one_arm_is_none(tmp_path: Path) -> None:
    rows = round_rows(0)
    rows.attempts = [dataclasses.replace(a, arm="none") for a in rows.attempts]
    with (
        connect(write_log(tmp_path / "run", [rows])) as log,
        pytest.raises(NoData, match=r"one arm \(none\)"),
    ):
        effect.data(log)


def test_windows_hold_all_rounds_once(tmp_path: Path) -> None:
    with connect(school(tmp_path / "run", rounds=19)) as log:
        (contrast, *_) = effect.data(log).contrasts
    covered = [r for w in contrast.windows for r in range(w.first, w.last + 1)]
    assert covered == list(range(19)) and len(contrast.windows) == effect.WINDOWS


def test_growth(log: Log) -> None:
    found = growth.data(log)
    assert found.begun == {"lesson": [2] * 4, "dispute": [1] * 4}
    assert (found.texts, found.tokens, found.on_shelves) == ([4] * 4, [40] * 4, [7, 8, 9, 10])


def test_readership(log: Log) -> None:
    found = readership.data(log)
    sight, read = found.notes
    assert [p.value for p in sight.points] == [7, 8, 9, 10]
    # the one text that is read was written in round 0, and read three times a round
    assert [(p.value, p.n) for p in read.points] == [(1, 3)] * 4
    assert [(p.round, p.value, p.low, p.high, p.n) for p in found.age.points] == [
        (k, k, k, k, 3) for k in range(4)
    ]
    assert {s.label: s.values for s in found.citations} == {"note": [2, 0, 0, 0], "problem": [1, 0, 0, 0]}


def test_the_age_of_what_is_read_is_over_reads(tmp_path: Path) -> None:
    rows = [round_rows(at) for at in range(11)]
    for at, each in enumerate(rows):
        each.notes, each.revisions, each.reads, each.citations = [], [], [], []
        each.notes = [note(at, at, "lesson", "a", "t")]
        each.revisions = [revision(f"r{at}", f"n{at}", at, "a", at + 1)]
    # in round 10 eight reads of what round 9 wrote, one each of rounds 6 and 0
    wrote = [9] * 8 + [6, 0]
    rows[10].reads = [
        replace(example(Read, 10, k), round=10, revision_id=f"r{w}", note_id=f"n{w}", arm="library")
        for k, w in enumerate(wrote)
    ]
    with connect(write_log(tmp_path / "run", rows)) as log:
        (point,) = readership.data(log).age.points
    assert (point.round, point.value, point.low, point.high, point.n) == (10, 1, 1, 4, 10)


def test_network(log: Log) -> None:
    found = network.data(log)
    assert (found.readers, found.authors) == (["reader-0", "reader-1"], ["author-0"])
    # attempts 0, 1 and 2 of the library's arm read in each of 4 rounds, the readers in turn
    assert found.reads == [[8], [4]]
    assert [(e.source, e.target, e.kind, e.weight) for e in found.edges] == [
        ("reader-0", "n0", "reads", 8),
        ("reader-1", "n0", "reads", 4),
    ]
    # the two notes that cite it were neither read nor cited
    assert (found.cited, found.notes) == (2, 1)
    titles = {n.id: n.label for n in found.nodes if n.kind == "note"}
    assert titles["n0"] == HOSTILE


def test_citations_between_notes_that_are_shown(tmp_path: Path) -> None:
    rows = round_rows(0)
    rows.notes = [note(k, 0, "lesson", f"author-{k}", "t") for k in range(3)]
    rows.revisions = [revision(f"r{k}", f"n{k}", 0, f"author-{k}", k + 1) for k in range(3)]
    rows.citations = [Citation("r1", 0, "note", "n0"), Citation("r1", 0, "note", "gone")]
    rows.reads = [  # one attempt was shown n1 twice: once counts
        replace(example(Read, 0, k), attempt_id=f"a{a}", reader="b", note_id="n1", revision_id="r1", rank=k)
        for k, a in enumerate((0, 0, 1))
    ]
    with connect(write_log(tmp_path / "run", [rows])) as log:
        found = network.data(log)
    assert [(n.id, n.kind, n.reads, n.cited) for n in found.nodes] == [
        ("b", "agent", 2, 0), ("n1", "note", 2, 0), ("n0", "note", 0, 1),
    ]  # fmt: skip
    assert [(e.source, e.target, e.kind, e.weight) for e in found.edges] == [
        ("b", "n1", "reads", 2), ("n1", "n0", "cites", 1),
    ]  # fmt: skip
    assert (found.readers, found.authors, found.reads) == (["b"], ["author-1"], [[2]])
    assert (found.notes, found.cited) == (2, 1)


def test_collapse(log: Log) -> None:
    panels = {p.name: p.series[0].points for p in collapse.data(log).panels}
    assert [p.value for p in panels["valid"]] == [0.75] * 4
    assert [p.value for p in panels["duplicates"]] == [pytest.approx(1 / 3)] * 4
    # three valid proposals: of one kind, then of three; entropies 0 and log2(3) bits
    assert [p.value for p in panels["diversity"]] == [pytest.approx(v) for v in (1 / 3, 1, 1, 1)]


def test_phases(log: Log) -> None:
    found = phases.data(log)
    assert found.seconds["attempt"] == [6] * 4 and found.seconds["learn"] == [2] * 4
    assert found.seconds["other"] == [2] * 4


@pytest.fixture
def posed(tmp_path: Path) -> Iterator[Log]:
    """Problems of difficulties 1 to 20, each attempted once; the harder half is wrong."""
    rows = round_rows(0)
    easy: Any = rows.problems[0]
    tried: Any = rows.attempts[0]
    rows.problems = [
        dataclasses.replace(easy, problem_id=f"q{k}", difficulty=float(k)) for k in range(1, 21)
    ]
    rows.attempts = [
        dataclasses.replace(tried, attempt_id=f"t{k}", problem_id=f"q{k}", correct=k <= 10)
        for k in range(1, 21)
    ]
    with connect(write_log(tmp_path / "run", [rows])) as log:
        yield log


def test_frontier_of_new_problems_is_by_deciles(posed: Log) -> None:
    (own,) = [m for m in frontier.data(posed).maps if m.of == "new problems"]
    assert len(own.rows) == 10 and sum(c for (c,) in own.counts) == 20
    assert [s for (s,) in own.shares] == [1.0] * 5 + [0.0] * 5
    assert own.rows[0].startswith("up to 2") and own.rows[-1] == "to 20"


def test_frontier_of_equal_problems_has_one_row(log: Log, tmp_path: Path) -> None:
    rows = round_rows(0)
    rows.problems = [dataclasses.replace(rows.problems[0], difficulty=3.0)]
    with connect(write_log(tmp_path / "run", [rows])) as equal:
        (own,) = [m for m in frontier.data(equal).maps if m.of == "new problems"]
    assert (own.rows, own.counts) == (["up to 3"], [[2]])
    (anchors,) = [m for m in frontier.data(log).maps if m.of == "anchors"]
    assert anchors.rows == ["1x1", "2x1"] and anchors.rounds == [START, 0, 1, 2, 3]
    assert anchors.shares == [[0.2, 0.2, 1, 1, 1], [0, 0, 0.4, 0.4, 0.4]]


def test_a_log_that_grows_is_read_as_it_is(tmp_path: Path) -> None:
    folder = school(tmp_path / "run", rounds=2)
    with connect(folder) as log:
        assert isinstance(log, duckdb.DuckDBPyConnection)
        assert phases.data(log).rounds == [0, 1]
