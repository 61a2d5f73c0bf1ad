"""Grids of settings: what is varied, what cells are called, and what is refused before anything starts."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.faults import ConfigError
from arena.grid import Cell, cells, runs_of, values
from arena.run_names import Wrong

PLAIN = st.text(string.ascii_letters + string.digits + " .:-", min_size=1, max_size=8).map(str.strip)


def test_values_are_cut_outside_brackets_and_quotes() -> None:
    assert values("1,2,3") == ["1", "2", "3"]
    assert values("[1, 2],{a: 1, b: [2, 3]},'x,y'") == ["[1, 2]", "{a: 1, b: [2, 3]}", "'x,y'"]
    for text in ("[1,2", "1],2", "'a,b"):
        with pytest.raises(Wrong, match="closed"):
            values(text)


@settings(max_examples=50)
@given(st.lists(PLAIN, min_size=1, max_size=5))
def test_values_come_back(found: list[str]) -> None:
    assert values(",".join(found)) == found
    bracketed = [f"[{value}, {value}]" for value in found]
    assert values(",".join(bracketed)) == bracketed


def test_cells_are_every_combination() -> None:
    grid = cells(["rollout.notes=1,2", "curriculum.strategy=uniform,ladder"])
    assert [cell.label for cell in grid] == [
        "rollout.notes=1 curriculum.strategy=uniform",
        "rollout.notes=1 curriculum.strategy=ladder",
        "rollout.notes=2 curriculum.strategy=uniform",
        "rollout.notes=2 curriculum.strategy=ladder",
    ]
    assert grid[0].name == "notes-1-strategy-uniform"
    assert grid[0].overrides == ["rollout.notes=1", "curriculum.strategy=uniform"]


def test_names_tell_cells_apart() -> None:
    # the same letters and digits are left of both
    one, other = cells(["rollout.arms={none: 1.0},{none: 10}"])
    assert one.name != other.name
    long = cells(["policies.solver.base=" + "a" * 200 + "," + "a" * 201])
    assert long[0].name != long[1].name and len(long[0].name) < 80


@pytest.mark.parametrize(
    ("varied", "told"),
    [
        ([], "write --vary KEY=VALUE"),
        (["rollout.notes"], "a key and its values"),
        (["rollout.notes=1,,2"], "a key and its values"),
        (["=1"], "a key and its values"),
        (["rollout.notes=1,2,1"], "each value once"),
        (["rollout.notes=1", "rollout.notes=2"], "all its values in one"),
        (["seed=1,2"], "write --seeds"),
    ],
)
def test_what_cannot_be_varied(varied: list[str], told: str) -> None:
    with pytest.raises(Wrong, match=told):
        cells(varied)


def test_runs_are_checked_and_go_seed_by_seed() -> None:
    runs = runs_of("tiny", cells(["rollout.notes=1,2"]), [7, 8], ["rounds=2"])
    assert [run.name for run in runs] == [
        "notes-1-seed7",
        "notes-2-seed7",
        "notes-1-seed8",
        "notes-2-seed8",
    ]
    assert [run.config.rollout.notes for run in runs] == [1, 2, 1, 2]
    assert all(run.config.cluster.local and run.config.rounds == 2 for run in runs)
    assert [run.config.seed for run in runs] == [7, 7, 8, 8]


def test_a_fault_of_any_cell_is_told_once_and_where() -> None:
    grid = cells(["curriculum.strategy=uniform,laddr", "rollout.notes=1,2"])
    with pytest.raises(ConfigError) as caught:
        runs_of("tiny", grid, [0, 1], [])
    (fault,) = caught.value.faults
    assert "write 'ladder'" in str(fault)
    assert (
        "curriculum.strategy=laddr rollout.notes=2" in str(fault)
        and "uniform" not in str(fault).partition("(with")[2]
    )


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        (["rollout.notes=3"], "in both"),
        (["seed=3"], "--first-seed"),
        (["cluster.engines=3"], "in one process"),
    ],
)
def test_what_cannot_be_set_beside(sets: list[str], told: str) -> None:
    with pytest.raises(Wrong, match=told):
        runs_of("tiny", cells(["rollout.notes=1,2"]), [0], sets)


def test_an_empty_cell_has_no_name() -> None:
    assert Cell((("a.b", "1"),)).name == "b-1"
