"""A library that begins with a folder of files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.markdown_export import export_markdown
from arena.config import RunConfig
from arena.domains import make_domain
from arena.librarian import Librarian, Reading
from arena.pools import Pool
from arena.run import Run
from arena.run_files import SEEDS
from arena.sandbox import Sandbox
from arena.seeding import SeedFault, keep, kept, read_folder, seeds_of, size
from arena.settings import load
from culture import connect
from culture.config import LibraryConfig
from culture.edits import IMPORT
from culture.history import library_at
from culture.library import Library
from culture.markdown import front_matter, page
from culture.reading import Reader
from culture.records import RoundRows
from tests.arena.consistency import check_log
from tests.arena.scripted import Failing, play
from tests.culture.histories import Story, in_memory

SMALL = ["cluster.local=true", "domains=[transforms]", "rollout.problems=16", "evaluation.per_cell=1",
         "warm_up.tokens=20000", "rounds=2", "seed=7"]  # fmt: skip


def config(*overrides: str, base: str = "tiny") -> RunConfig:
    return load(base, list(overrides), RunConfig)


@pytest.fixture(scope="module")
def natural() -> RunConfig:
    """A run in words, on both domains."""
    return RunConfig.model_validate(
        {
            "domains": ["transforms", "arithmetic"],
            "policies": {"spark": {"base": "models/any"}},
            "engine": {"kind": "torch", "form": "natural", "context": 2048, "prompt_chars": 1000},
            "population": {"groups": [{"name": "pupil", "count": 4, "roles": ["proposer", "solver"]}]},
        }
    )


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_md", ".md")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    return folder


def faults(folder: Path, run: RunConfig) -> list[str]:
    with pytest.raises(SeedFault) as caught:
        read_folder(folder, run)
    return str(caught.value).splitlines()


def test_files_become_notes(tmp_path: Path, natural: RunConfig) -> None:
    plain = "Intro.\n\n## On reversing ##\n\nBegin at the end.\n"
    write(
        tmp_path,
        a_md="---\ndomain: arithmetic\nkind: book\nauthor: zoe\ntitle: no\nshelf: org:school\n---\n\nCarry",
        deep__b_md=f"---\ndomain: transforms\n---\n{plain}",
        deep__bare_md="---\r\ndomain: transforms\r\n---\r\nno heading\r\n",
        own_md="---\ndomain: transforms\nshelf: agent:pupil-1\n---\nmine",
        README_md="# About this folder", notes_txt="no note",
        _hidden__c_md="hidden",
    )  # fmt: skip
    (tmp_path / "_hidden").rename(tmp_path / ".hidden")
    seeds = read_folder(tmp_path, natural)
    assert [(s.file, s.kind, s.domain, s.shelf, s.title, s.body, s.author) for s in seeds] == [
        ("a.md", "book", "arithmetic", "org:school", "no", "Carry", "zoe"),
        ("deep/b.md", "lesson", "transforms", "public", "On reversing", plain.removesuffix("\n"), None),
        ("deep/bare.md", "lesson", "transforms", "public", "bare", "no heading", None),
        ("own.md", "lesson", "transforms", "agent:pupil-1", "own", "mine", None),
    ]
    assert seeds[0].sha256 == hashlib.sha256((tmp_path / "a.md").read_bytes()).hexdigest()
    keep(tmp_path, seeds)
    assert kept(tmp_path) == seeds
    edit = seeds[0].edit(3)
    assert (edit.author, edit.index, edit.policy_version) == (IMPORT, 3, None)
    assert edit.evidence == {"file": "a.md", "sha256": seeds[0].sha256, "author": "zoe"}
    assert seeds[3].edit(0).author == "pupil-1"


def test_one_domain_needs_no_name(tmp_path: Path) -> None:
    write(tmp_path, a_md="RS9217=S7129")
    assert [s.domain for s in read_folder(tmp_path, config(*SMALL))] == ["transforms"]


def test_every_bad_file_is_named_at_once(tmp_path: Path, natural: RunConfig) -> None:
    head = "---\ndomain: transforms\n"
    write(
        tmp_path,
        a_md="no front matter", b_md=f"{head}kind: leson\n---\nx", c_md=f"{head}titel: x\n---\ny",
        d_md=f"{head}title: 7\n---\nz", e_md="---\n[1]\n---\nz", f_md="---\na: [\n---\nz",
        g_md=f"{head}---\n", h_md=f"{head}---\nsame", i_md=f"{head}---\nsame",
        j_md=f"{head}shelf: agent:zoe\n---\nu", k_md="---\ndomain: transfroms\n---\nv",
        l_md=f"{head}---\n{'x' * 2001}", good_md=f"{head}---\ngood",
    )  # fmt: skip
    (tmp_path / "m.md").write_bytes(b"\xff\xfe")
    told = faults(tmp_path, natural)
    assert told[0] == f"library.seed_from: the folder {str(tmp_path)!r} has {len(told) - 1} problems:"
    named = {line.split(": ")[0].strip() for line in told[1:]}
    assert named == {f"{letter}.md" for letter in "abcdefgijklm"}
    text = "\n".join(told)
    for words in (
        "a.md: expected a domain in the front matter, got none; write domain: arithmetic",
        "got 'leson'; write kind: lesson", "got 'titel'; write 'title' instead",
        "expected text for title, got 7", "expected keys and values in the front matter, got [1]",
        "f.md: front matter: line", "expected a body with a printing character",
        "i.md: expected a text of its own, got that of h.md", "got 'agent:zoe'; write shelf: ",
        "got 'transfroms'; write domain: transforms", "at most 2000 characters, got 2001",
        "m.md: expected UTF-8 text",
    ):  # fmt: skip
        assert words in text, words


def test_folders_that_hold_no_note(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("nothing")
    assert "got none in" in faults(tmp_path, config(*SMALL))[0]
    assert "expected a folder of Markdown files, got" in faults(tmp_path / "absent", config(*SMALL))[0]


def test_terse_runs_take_their_own_characters_only_and_shelves_their_budget(tmp_path: Path) -> None:
    write(tmp_path, a_md="Reverse means backwards.", b_md="RS9217=S7129", c_md="QQ8431")
    small = config(*SMALL, "library.shelf_budget_notes=1")
    told = faults(tmp_path, small)
    assert "a.md: expected only characters that terse prompts of transforms are made of" in told[1]
    assert "expected at most 1 notes on the shelf public" in told[2] and len(told) == 3


@pytest.mark.parametrize("index", [0, 20, -1])
@pytest.mark.parametrize("name", ["transforms", "arithmetic"])
def test_problems_that_measure_the_run_are_refused_however_they_are_written(
    name: str, index: int, natural: RunConfig, tmp_path: Path
) -> None:
    domain = make_domain(name)
    anchor = domain.anchors(natural.evaluation.per_cell)[index]
    spaced = " ".join(domain.write(anchor.spec, "natural")).upper()
    for number, text in enumerate(
        [
            f"Look: {anchor.spec}", f"{anchor.spec}={anchor.answer_key}", spaced,
            domain.pose(anchor.spec, "natural"), f"({domain.write(anchor.spec, 'terse')})",
            f"e.g. {domain.write(anchor.spec, 'natural')}.",
            domain.write(anchor.spec, "natural").replace("*", "×").replace("-", "−"),
        ]
    ):  # fmt: skip
        folder = write(tmp_path / str(number), a_md=f"---\ndomain: {name}\n---\n{text}")
        assert "expected no problem that the run is measured by" in faults(folder, natural)[1], text
        titled = f"---\ndomain: {name}\ntitle: {json.dumps(text)}\n---\nharmless"
        assert "measured by" in faults(write(tmp_path / f"t{number}", a_md=titled), natural)[1]


def test_a_longer_number_is_another_problem(tmp_path: Path, natural: RunConfig) -> None:
    specs = {a.spec for a in make_domain("arithmetic").anchors(natural.evaluation.per_cell)}
    anchor = min(specs, key=len)
    longer = f"8{anchor}7"
    assert longer not in specs
    write(tmp_path, a_md=f"---\ndomain: arithmetic\n---\n{longer}")
    assert len(read_folder(tmp_path, natural)) == 1


# -- what they claim ------------------------------------------------------------------------------------
CLAIMS = {
    "a_md": "---\nkind: example\n---\nRS9217=S7129=1279",
    "b_md": "---\nkind: example\n---\nX41=41",
    "c_md": "---\nkind: strategy\n---\nR12=21\nRS",
    "d_md": "---\nkind: lesson\n---\nR12=12\nRS",
    "e_md": "---\nkind: review\n---\nR34=34",
}


def test_what_they_claim_is_executed_when_they_are_read(tmp_path: Path) -> None:
    seeds = read_folder(write(tmp_path, **CLAIMS), config(*SMALL))
    assert [(s.kind, s.checked and s.checked.verdict) for s in seeds] == [
        ("example", "confirmed"), ("example", "refuted"), ("strategy", "unchecked"), ("lesson", "refuted"),
        ("review", None),
    ]  # fmt: skip
    said = [{k: v for k, v in s.edit(0).evidence.items() if k in ("recheck", "detail")} for s in seeds]
    assert said == [
        {"recheck": "confirmed"}, {"recheck": "refuted", "detail": "X41 gives 14, not 41"},
        {"recheck": "unchecked"}, {"recheck": "refuted", "detail": "R12 gives 21, not 12"}, {},
    ]  # fmt: skip
    assert size(seeds) == (7, 3)
    keep(tmp_path, seeds)
    assert kept(tmp_path) == seeds
    unasked = read_folder(tmp_path, config(*SMALL, "library.recheck=false"))
    assert [s.checked for s in unasked] == [None] * 5 and size(unasked) == (5, 5)


def test_a_shelf_need_not_have_room_for_what_is_refuted(tmp_path: Path) -> None:
    write(tmp_path, **CLAIMS)
    assert len(read_folder(tmp_path, config(*SMALL, "library.shelf_budget_notes=3"))) == 5
    told = faults(tmp_path, config(*SMALL, "library.shelf_budget_notes=2"))
    assert "expected at most 2 notes on the shelf public" in told[1] and "got 3" in told[1]


def test_where_nothing_can_be_executed_nothing_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Sandbox, programs: object) -> list[object]:
        raise RuntimeError("no process")

    monkeypatch.setattr(Sandbox, "run_many", broken)
    (told,) = faults(write(tmp_path, **CLAIMS), config(*SMALL))
    assert "claim, got: no process; mend" in told and "library.recheck: false" in told


def test_what_is_refuted_begins_in_quarantine_however_often_the_librarian_begins(tmp_path: Path) -> None:
    run = config(*SMALL)
    keep(tmp_path, read_folder(write(tmp_path / "seed", **CLAIMS), run))
    first, second = Librarian(tmp_path, run), Librarian(tmp_path, run)
    hits = first.read(-1, 9, [reading("anybody", query) for query in ("RS9217=", "X41=", "R12=")])
    assert {h.body for found in hits for h in found} == {"RS9217=S7129=1279", "R12=21\nRS"}
    one = first.close_round(-1, 0, [], {})
    assert one == second.close_round(-1, 0, [], {})
    assert (one.version, one.size, one.quarantined) == (7, 3, 2)
    why = [
        (r.evidence["reason"], r.evidence["detail"]) for r in one.revisions if r.outcome == "quarantined"
    ]
    assert why == [("refuted", "X41 gives 14, not 41"), ("refuted", "R12 gives 21, not 12")]


def test_a_run_holds_what_it_begins_with_to_the_same_check(tmp_path: Path) -> None:
    write(tmp_path / "seed", **CLAIMS)
    arms = 'rollout.arms={"library": 1.0}'
    folder = play(tmp_path / "run", [f"library.seed_from={tmp_path / 'seed'}", arms, "rounds=2"])
    check_log(folder)
    with connect(folder) as log:
        told = log.execute(
            "SELECT round, detail FROM events WHERE kind = 'quarantined' AND subject IN "
            "(SELECT note_id FROM notes WHERE author = 'import')"
        ).fetchall()
        assert told == [(0, "refuted")] * 2
        hidden = "SELECT note_id FROM notes WHERE author = 'import' AND title IN ('b', 'd')"
        assert log.execute(f"SELECT count(*) FROM reads WHERE note_id IN ({hidden})").fetchone() == (0,)
        out = log.execute(f"SELECT archived FROM library_at(1) WHERE note_id IN ({hidden})").fetchall()
        assert out == [(True,)] * 2
        assert log.execute("SELECT DISTINCT library_version FROM attempts WHERE round = 0").fetchall() == [
            (7,)
        ]


# -- there and back --------------------------------------------------------------------------------------
LINES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


@given(
    told=st.lists(
        st.tuples(LINES, LINES, st.sampled_from(["lesson", "book"]), st.none() | LINES), max_size=4
    )
)
@settings(max_examples=20)
def test_an_exported_library_comes_back(
    told: list[tuple[str, str, str, str | None]],
    natural: RunConfig,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Bodies, kinds, titles and authors, also of a library that was itself imported."""
    place, story, rows = tmp_path_factory.mktemp("there"), Story(), RoundRows()
    for n, (body, title, kind, author) in enumerate([("first", "One", "lesson", None), *told]):
        text = f"note {n}\n{body}"
        fields = {"kind": kind, "domain": "transforms", "title": title}
        fields |= {} if author is None else {"author": author}
        (place / f"{n}.md").write_text(page(fields, text), encoding="utf-8", newline="")
    story.library = Library(LibraryConfig(), seed=7)
    first = read_folder(place, natural)
    for n, seed in enumerate(first):
        story.library.write(seed.edit(n), seed.organisations).add_to(rows)
    story.close(rows, {})
    with in_memory(story) as log:
        export_markdown(log, place / "out")
    again = read_folder(place / "out", natural)

    def gist(seeds: list) -> set[tuple[str | None, ...]]:
        return {(s.body, s.kind, s.title, s.author or IMPORT) for s in seeds}

    assert gist(again) == gist(first)
    library = Library(LibraryConfig(), seed=7)
    for n, seed in enumerate(again):
        library.write(seed.edit(n), seed.organisations)
    assert {tuple(list(_said(library, name).items())[1:]) for name in library.heads()} == {
        tuple(list(_said(story.library, name).items())[1:]) for name in story.library.heads()
    }


def _said(library: Library, name: str) -> dict[str, str]:
    return front_matter(library.note(name), library.history(name)[0])


# -- in a run --------------------------------------------------------------------------------------------
SEEDED = {
    "a_md": "RS9217=S7129=1279",
    "b_md": "---\ntitle: X41=\nkind: example\n---\nX41=14",
    "c_md": "L8=8",
}


def reading(agent: str, query: str) -> Reading:
    return Reading(query, Reader(agent, "school", []), "library", "transforms", 100, "p", ("t",))


def test_the_librarian_begins_with_them_and_so_does_its_successor(tmp_path: Path) -> None:
    run = config(*SMALL)
    keep(tmp_path, read_folder(write(tmp_path / "seed", **SEEDED), run))
    first, second = Librarian(tmp_path, run), Librarian(tmp_path, run)
    (hits,) = first.read(-1, 1, [reading("anybody", "RS9217=")])
    assert [h.body for h in hits] == ["RS9217=S7129=1279"]
    one = first.close_round(-1, 0, [], {})
    assert one == second.close_round(-1, 0, [], {})
    assert [(n.author, n.round, n.title) for n in one.notes] == [
        (IMPORT, 0, "a"), (IMPORT, 0, "X41="), (IMPORT, 0, "c"),
    ]  # fmt: skip
    assert (one.version, one.size) == (3, 3)
    # a round that was cut short is closed again, and the next has them no more
    assert first.close_round(-1, 0, [], {}) == one
    assert first.close_round(0, 1, [], {}).revisions == []


def seeded(place: Path) -> list[str]:
    """Overrides of a run that begins with three notes, all of whose attempts read."""
    write(place / "seed", **SEEDED)
    return [f"library.seed_from={place / 'seed'}", 'rollout.arms={"library": 1.0}', "rounds=2"]


IMPORTED = """
    SELECT n.round, title, evidence->>'$.file', length(evidence->>'$.sha256'), policy_version
    FROM notes n JOIN revisions USING (note_id) WHERE n.author = 'import' ORDER BY library_version
"""


def test_a_run_begins_with_them(tmp_path: Path) -> None:
    folder = play(tmp_path / "run", seeded(tmp_path))
    check_log(folder)
    with connect(folder) as log:
        assert log.execute(IMPORTED).fetchall() == [
            (0, "a", "a.md", 64, None), (0, "X41=", "b.md", 64, None), (0, "c", "c.md", 64, None),
        ]  # fmt: skip
        shown = log.execute(
            "SELECT count(*) FROM reads r JOIN notes n USING (note_id) "
            "WHERE r.round = 0 AND author = 'import'"
        ).fetchone()
        assert shown is not None and shown[0] > 0
        assert log.execute("SELECT DISTINCT library_version FROM attempts WHERE round = 0").fetchall() == [
            (3,)
        ]
        assert library_at(log, 0).version >= 3
    # from then on they are in the log, and the folder is needed no more
    (folder / SEEDS).unlink()
    (hits,) = Librarian(folder, config(*SMALL)).read(0, 1, [reading("anybody", "RS9217=")])
    assert hits[0].author == IMPORT


def test_notes_that_could_not_be_written_are_written_with_the_next_round(tmp_path: Path) -> None:
    def wrap(name: str, pool: Pool) -> Pool:
        return (
            Failing(pool, lambda method, n: method == "close_round" and n == 1)
            if name == "librarian"
            else pool
        )

    folder = play(tmp_path / "run", seeded(tmp_path), wrap=wrap)
    with connect(folder) as log:
        assert [row[:2] for row in log.execute(IMPORTED).fetchall()] == [(0, "a"), (0, "X41="), (0, "c")]
        (versions,) = log.execute("SELECT list(library_version ORDER BY round) FROM rounds").fetchone() or (
            [],
        )
        assert versions[0] == 3 < versions[1]
    check_log(folder)
    with connect(folder) as log:
        assert library_at(log, 1).version >= 3


def test_nothing_starts_with_a_bad_folder_and_a_cut_short_start_is_made_up(tmp_path: Path) -> None:
    seed = write(tmp_path / "seed", a_md="not terse")
    bad = config(*SMALL, f"library.seed_from={seed}")
    with pytest.raises(SeedFault, match="never shown"):
        Run.create(tmp_path / "run", bad)
    assert not (tmp_path / "run").exists()
    write(seed, a_md="RS9217=S7129")
    run = Run.create(tmp_path / "run", bad)
    run.close()
    for path in [*(tmp_path / "run").glob("catalog*"), tmp_path / "run" / SEEDS]:
        path.unlink()
    again = Run.open(tmp_path / "run")
    assert again.state.library_version == 1 and kept(tmp_path / "run") == seeds_of(bad)
    again.close()
