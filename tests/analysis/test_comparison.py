"""The table of a sweep: conditions against the first, by hand on a few scores."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from analysis.comparison import as_csv, as_json, compared, remarks, runs_csv, shown, table
from analysis.scores import HELD_OUT, Score, held_out, measure_names, measured, score
from analysis.statistics import Estimate
from culture import connect
from tests.analysis.log import round_rows, write_log


def of(*values: float) -> Score:
    """A run's answers to four anchors in two cells."""
    names = [f"n{i}" for i in range(len(values))]
    return Score(dict(zip(names, values, strict=True)), {n: f"c{i // 2}" for i, n in enumerate(names)})


SCORES = {
    "a=1": {0: of(0, 0, 0, 1), 1: of(0, 0, 1, 1), 2: of(0, 0, 0, 0)},
    "a=2": {0: of(0, 1, 1, 1), 1: of(1, 1, 1, 1), 2: of(0, 0, 0, 1)},
    "a=3": {0: of(0, 0, 0, 1), 2: of(0, 1, 0, 0)},
    "a=4": {},
}


def test_rows_by_hand() -> None:
    base, better, fewer, none = compared(SCORES, HELD_OUT)
    assert base.mean == pytest.approx((0.25 + 0.5 + 0) / 3)
    assert base.against is None and base.improvement is None and math.isnan(base.t_p)
    # cells of the runs: 0, 0.5, 0, 1, 0, 0; of six values one is left out at either end
    assert base.iqm is not None and base.iqm.value == pytest.approx(0.5 / 4)
    assert better.against is not None
    assert better.against.difference.value == pytest.approx((0.5 + 0.5 + 0.25) / 3)
    assert (better.against.pairs, better.against.sign_flip_p) == (3, 0.25)
    assert better.improvement is not None and better.improvement.value == pytest.approx((3 + 3 + 1.5) / 9)
    assert fewer.against is not None and fewer.against.pairs == 2  # of the seeds that both have
    assert fewer.against.difference.value == pytest.approx(0.125)
    assert (none.runs, none.iqm, none.improvement) == (0, None, None) and math.isnan(none.mean)


def test_p_values_are_corrected_over_the_conditions() -> None:
    _, better, fewer, _ = compared(SCORES, HELD_OUT)
    assert better.against is not None and fewer.against is not None
    assert better.t_p == pytest.approx(2 * better.against.t_p)  # the smaller of the two that are known
    assert fewer.t_p == pytest.approx(max(fewer.against.t_p, better.t_p))
    assert better.sign_flip_p == pytest.approx(0.5)


def test_remarks_say_what_is_not_alike() -> None:
    assert remarks({"a": {0: of(0, 1)}, "b": {0: of(0, 1)}}, HELD_OUT) == [
        "1 pairs cannot come to less than p = 1 by sign flips; six seeds can come to 0.031"
    ]
    found = remarks(
        {"a": {s: of(0, 1) for s in range(6)}, "b": {s: of(0, 1, 1) for s in range(6)}}, HELD_OUT
    )
    assert len(found) == 1 and "not all conditions were asked the same" in found[0]
    few = remarks({"a": {0: of(0, 1), 1: of(1, 1)}, "b": {s: of(0, 1) for s in range(1, 9)}}, HELD_OUT)
    assert few == ["1 pairs cannot come to less than p = 1 by sign flips; six seeds can come to 0.031"]
    short = remarks({"a": {0: of(0, 1), 1: of(0, 1, 1)}}, HELD_OUT)
    assert short == ["a: 1 of 3 questions left out, not all runs have them"]


def test_text_csv_and_json_say_the_same() -> None:
    rows = compared(SCORES, HELD_OUT)
    console = Console(file=io.StringIO(), width=200)
    console.print(table(rows))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "the first" in text and "+0.417" in text
    lines = list(csv.DictReader(io.StringIO(as_csv(rows))))
    tree = json.loads(as_json(rows))
    assert [line["condition"] for line in lines] == [row["condition"] for row in tree] == list(SCORES)
    assert float(lines[1]["difference"]) == pytest.approx(tree[1]["against"]["difference"]["value"])
    assert lines[0]["difference"] == "" and lines[3]["mean"] == "" and tree[3]["mean"] is None
    runs = list(csv.DictReader(io.StringIO(runs_csv({HELD_OUT: SCORES}))))
    assert [(r["condition"], r["seed"], float(r["mean"])) for r in runs][3:5] == [
        ("a=2", "0", 0.75),
        ("a=2", "1", 1.0),
    ]


def test_an_anchor_that_two_policies_answered_is_one_question() -> None:
    score = Score(
        {"a x": 1.0, "b x": 0.0, "a y": 0.0}, {"a x": "a", "b x": "b", "a y": "a"},
        {"a x": "x", "b x": "x", "a y": "y"},
    )  # fmt: skip
    (row,) = compared({"c": {0: score}}, HELD_OUT)
    assert row.questions == score.questions == 2
    assert runs_csv({HELD_OUT: {"c": {0: score}}}).splitlines()[1].endswith(",2")


def test_shown() -> None:
    assert shown(None) == shown(Estimate(math.nan, None, None)) == "-"
    assert shown(Estimate(0.5, None, None)) == "0.500"
    assert shown(Estimate(0.5, 0.25, 0.75), "+.1f") == "+0.5 [+0.2, +0.8]"


def test_scores_out_of_a_log(tmp_path: Path) -> None:
    with connect(write_log(tmp_path / "log", [round_rows(at) for at in range(3)])) as log:
        found = held_out(log)
        # the last round's, by the last version: 7 of 10, in cells of five
        assert (len(found.values), found.mean) == (10, 0.7)
        assert set(found.strata.values()) == {"solver sums 1x1", "solver sums 2x1"}
        assert found.anchors["solver sums n3"] == "sums n3" and found.questions == 10
        assert measured(log, "frontier") == Score({"sums": 6.0}, {"sums": "sums"})
        assert measured(log, "nothing").values == {}
        assert measure_names(log) == ["frontier"]
        assert score(log, HELD_OUT) == found and score(log, "frontier").mean == 6.0
