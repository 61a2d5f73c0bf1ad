"""Reports of one run and of several, read as a browser would read them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.export_folder import ExportError
from analysis.figures import FIGURES, rendering
from analysis.report import comparison, several
from analysis.report.comparison import compared, differing, grouped
from analysis.report.configuration import against, flat, same_but_for_seed, varying
from analysis.report.curves import difficulty_curves, held_out_curves
from analysis.report.facts import best_notes, disputed_notes
from analysis.report.page import cell, rendered, text
from analysis.report.writing import write_report
from culture import connect
from culture.worth import Worth
from tests.analysis.log import write_log
from tests.analysis.older import older
from tests.analysis.school import CONFIG, HOSTILE, school

VOID = {"meta", "img"}
PRESETS = {
    "far": {"seed": 0, "rounds": 6, "rollout": {"attempts": 4, "arms": {"none": 0.5}}, "more": 1},
    "near": {"seed": 0, "rounds": 2, "rollout": {"attempts": 2, "arms": {"none": 0.9}}, "more": 1},
}


class Page(HTMLParser):
    """The elements of a page, which have to be closed in order; its text, and the addresses in it."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.shown = ""
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [
            value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")
        ]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.shown += data


def harmless(source: str) -> Page:
    page = Page(source)
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & set(page.tags)
    assert page.handlers == []
    assert [a for a in page.addresses if not a.startswith(("#", "data:image/png;base64,"))] == []
    assert "url(" not in source and "@import" not in source
    return page


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], list[str]]:
    """A report of one run, what was said of it, and what was told meanwhile."""
    folder = tmp_path_factory.mktemp("report")
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendering, "DOTS", 30)
        lines = write_report([school(folder / "run")], folder / "out", PRESETS, told.append)
    return folder / "out", lines, told


def test_one_run(made: tuple[Path, list[str], list[str]]) -> None:
    folder, (line,), told = made
    assert line.startswith(f"{folder / 'index.html'}: ") and f"{len(FIGURES)} pictures" in line
    assert {p.stem for p in folder.glob("*.png")} == set(FIGURES)
    assert [t for t in told if t.startswith("picture")] == [f"picture {name}" for name in FIGURES]
    source = (folder / "index.html").read_text(encoding="utf-8")
    page = harmless(source)
    assert page.tags.count("img") == len(FIGURES)
    for figure in FIGURES.values():
        assert figure.TITLE in page.shown and figure.CAPTION in page.shown
        for sql in figure.SQL.values():
            assert sql in page.shown
    # what models wrote is shown as they wrote it, but for control characters, and is text
    assert HOSTILE.replace("\x1b", "\\x1b") in page.shown
    assert "<script" not in source and "\x1b" not in source
    assert "4 of 6 rounds are committed" in page.shown
    assert (
        "3 settings differ" in page.shown
        and "1 more, which the run's configuration does not have" in page.shown
    )
    assert "2 disputes" not in page.shown and "1 dispute" in page.shown
    assert "I doubt it" not in page.shown  # what disputes is no note that is disputed
    assert "1 text that nobody has merged" in page.shown
    assert "sums, held out" in page.shown and "library - none" in page.shown


def test_an_older_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "DOTS", 30)
    write_report([older(school(tmp_path / "run"), tmp_path / "old")], tmp_path / "out", PRESETS)
    page = harmless((tmp_path / "out" / "index.html").read_text(encoding="utf-8"))
    assert "4 of 6 rounds are committed" in page.shown and "library - none" in page.shown


def test_again_and_elsewhere(made: tuple[Path, list[str], list[str]], tmp_path: Path) -> None:
    runs = [write_log(tmp_path / "empty", [])]
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("mine")
    with pytest.raises(ExportError, match=r"holds thesis\.tex; write --out with another folder"):
        write_report(runs, tmp_path / "full", {})
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_text("mine")
    with pytest.raises(ExportError, match=r"holds cat\.png"):
        write_report(runs, tmp_path / "photos", {})
    with pytest.raises(ExportError, match="got the file"):
        write_report(runs, tmp_path / "full" / "thesis.tex", {})
    with pytest.raises(ValueError, match="report it after the first round"):
        write_report(runs, tmp_path / "out", {})
    with pytest.raises(ValueError, match="got one of them twice"):
        write_report([*runs, tmp_path / "out" / ".." / "empty"], tmp_path / "out", {})


def test_several_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several, "DOTS", 30)
    runs = [
        school(tmp_path / "a", rounds=2, seed=1),
        school(tmp_path / "b", rounds=2, seed=2),
        school(
            tmp_path / "sub" / "b", rounds=2, seed=1, rollout={"attempts": 3, "arms": {"none": HOSTILE}}
        ),
    ]
    out = tmp_path / "out"
    out.mkdir()
    (out / "index.html").write_text("an older report")
    (out / "effect.png").write_text("an older picture")
    (line,) = write_report(runs, out, PRESETS)
    assert "4 pictures" in line
    assert {p.name for p in out.iterdir()} == {
        "index.html", "held-out.png", "ability.png", "effects.png", "difficulty.png",
    }  # fmt: skip
    page = harmless((out / "index.html").read_text(encoding="utf-8"))
    assert "a, " in page.shown and "sub/b" in page.shown and "mean of 2 seeds" in page.shown
    assert "rollout.attempts" in page.shown and "rollout.arms.none" in page.shown


@pytest.fixture(scope="module")
def groups(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[comparison.Group]]:
    folder = tmp_path_factory.mktemp("groups")
    runs = []
    for name, seed, more in (
        ("a", 1, {}),
        ("b", 2, {"cluster": {"local": True}}),
        ("c", 1, {"domains": ["sums"]}),
    ):
        with connect(school(folder / name, rounds=2, seed=seed, **more)) as log:
            runs.append(compared(name, log))
    yield grouped(runs)


def test_groups_differ_in_more_than_seeds(groups: list[comparison.Group]) -> None:
    assert [(g.name, [r.name for r in g.runs]) for g in groups] == [("A", ["a", "b"]), ("B", ["c"])]
    assert differing(groups) == [("domains", [None, '["sums"]'])]
    (table,) = comparison.held_out(groups)
    assert table.title == "sums, policy solver"
    assert [(r.group, r.name, r.mean) for r in table.rows] == [
        ("A", "a", False), ("A", "b", False), ("A", "mean of 2 seeds, t interval", True), ("B", "c", False),
    ]  # fmt: skip
    # 7 of 10 by Wilson: (0.7 + 0.19207) / 1.38415 -+ 1.95996 sqrt(0.021 + 0.0096037) / 1.38415
    assert table.rows[0].cells == [
        "10.0% [1.8%, 40.4%] at the start",
        "70.0% [39.7%, 89.2%] in round 1",
        "+60.0",
    ]
    # both seeds came to the same: no interval, which would claim certainty
    assert table.rows[2].cells == ["10.0%", "70.0%", "+60.0"]
    effects = comparison.effects(groups)
    assert effects.columns[0] == "library − none, points" and effects.rows[2].cells[0] == "+50.0"
    assert comparison.cost(groups).rows[0].cells == ["2", "20", "2,000", "1,000", "4"]
    assert comparison.difficulty(groups)[0].rows[3].cells == ["4.00 in round 0", "6.00 in round 1"]


def test_a_seed_counts_once_and_what_is_unfinished_not(tmp_path: Path) -> None:
    runs = []
    for name, seed, rounds in (("a", 1, 2), ("copy", 1, 2), ("b", 2, 2), ("begun", 3, 1)):
        with connect(school(tmp_path / name, rounds=rounds, seed=seed)) as log:
            runs.append(dataclasses.replace(compared(name, log), code="0.1+new" if seed == 2 else "0.1"))
    (pair,) = grouped(runs[:2])
    assert pair.left_out == ["copy has the seed of a"] and pair.label == "A: a"
    assert comparison.held_out([pair])[0].rows[-1].name == "copy"  # there is no mean of one seed
    assert held_out_curves([pair]).panels["sums"][0].mean is None
    (group,) = grouped(runs)
    assert group.left_out == ["copy has the seed of a", "begun has 1 committed of the others' 2 rounds"]
    assert group.codes == ["0.1", "0.1+new"] and group.label == "A: mean of 2 seeds"
    tables = [*comparison.held_out([group]), comparison.effects([group]), comparison.cost([group])]
    for table in [*tables, *comparison.difficulty([group])]:
        assert [r.name for r in table.rows] == ["a", "copy", "b", "begun", "mean of 2 seeds, t interval"]
    assert comparison.cost([group]).rows[-1].cells[0] == "2"
    assert comparison.held_out([group])[0].rows[-1].cells[1] == "70.0%"
    (curve,) = held_out_curves([group]).panels["sums"]
    assert len(curve.runs) == 4 and curve.mean is not None
    assert [(p.round, p.n) for p in curve.mean.points] == [(-1, 2), (0, 2), (1, 2)]  # as in the tables


def test_curves_have_a_mean_where_several_seeds_have_a_point(groups: list[comparison.Group]) -> None:
    first, second = held_out_curves(groups).panels["sums"]
    assert first.mean is not None and [p.value for p in first.mean.points] == [0.1, 0.1, 0.7]
    assert second.mean is None and len(second.runs) == 1
    shorter = dataclasses.replace(groups[0].runs[1], difficulties=groups[0].runs[1].difficulties[:1])
    pair = comparison.Group("A", [groups[0].runs[0], shorter])
    (curve,) = difficulty_curves([pair]).panels["sums"]
    assert curve.mean is not None and [(p.round, p.value, p.n) for p in curve.mean.points] == [(0, 4.0, 2)]


def test_nearest_preset() -> None:
    found = against(CONFIG, PRESETS)
    assert found is not None and (found.preset, found.newer) == ("near", 1)
    assert [(d.name, d.here, d.preset) for d in found.differences] == [
        ("rollout.arms.none", "1.0", "0.9"), ("rounds", "6", "2"), ("seed", "5", "0"),
    ]  # fmt: skip
    assert against(CONFIG, {}) is None


TREES = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.dictionaries(st.text("ab", min_size=1), inner) | st.lists(inner),
)


@given(st.dictionaries(st.text("abc", min_size=1), TREES))
def test_settings_tell_configurations_apart(tree: dict[str, object]) -> None:
    assert varying([tree, tree]) == []
    changed = {**tree, "z": "more"}
    assert varying([tree, changed]) == [("z", [None, '"more"'])]
    assert same_but_for_seed({**tree, "seed": 1}) == same_but_for_seed({**tree, "seed": 2})
    assert same_but_for_seed(tree) != same_but_for_seed(changed)
    assert len(flat(tree)) >= len(tree)


@given(st.text())
def test_any_text_is_only_text(written: str) -> None:
    shown = text(f"<b>{written}</b>")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", shown)
    assert "\n" not in cell("no line feed") and len(cell(written * 99)) <= 4 * 170


def test_best_and_disputed_notes(tmp_path: Path) -> None:
    with connect(school(tmp_path / "run", rounds=1)) as log:
        worths = [
            Worth("note", name, d, 0.1, d - 0.2, d + 0.2, None, None, 0.5, 0.5, d / 2, 0.1, 12, 12, 12)
            for name, d in (("n0", 0.1), ("n1", 0.3), ("n2", -0.2))
        ]
        found = best_notes(log, worths)
        assert [n.note_id for n in found] == ["n1", "n0"]
        assert found[0].why.startswith("+30.0 points [+10.0, +50.0], q 0.5 among 3 notes; 12 attempts")
        assert [(n.note_id, n.why) for n in disputed_notes(log)] == [
            ("n0", "1 dispute"), ("n1", "1 text that nobody has merged"),
        ]  # fmt: skip


def test_templates_refuse_what_is_not_there() -> None:
    with pytest.raises(Exception, match="undefined"):
        rendered("run.html")
