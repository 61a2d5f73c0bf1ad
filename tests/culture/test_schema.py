from __future__ import annotations

import dataclasses
import typing
from datetime import datetime

import pytest

from culture import records
from culture.columns import ARROW, Column, declared, schema, table_of, tables
from culture.records import RoundRows

CLASSES = sorted(tables().items(), key=lambda item: item[1])


def column_type(hint: object) -> tuple[str, bool]:
    """The column type that holds values of ``hint``, and whether they may be None."""
    kinds = typing.get_args(hint)
    if type(None) in kinds:
        inner = [k for k in kinds if k is not type(None)]
        return column_type(inner[0])[0], True
    if hint == records.Json:
        return "JSON", False
    if typing.get_origin(hint) is list:
        return {str: "VARCHAR", int: "INTEGER", float: "DOUBLE"}[kinds[0]] + "[]", False
    if typing.get_origin(hint) is typing.Literal:
        return "VARCHAR", False
    plain: dict[object, str] = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE", bool: "BOOLEAN"}
    return (plain | {datetime: "TIMESTAMP WITH TIME ZONE"})[hint], False


def test_tables_are_the_fields_of_round_rows_in_order() -> None:
    assert list(declared()) == [f.name for f in dataclasses.fields(RoundRows)]


@pytest.mark.parametrize(("cls", "table"), CLASSES, ids=[t for _, t in CLASSES])
def test_columns_are_the_fields_of_the_record_in_order(cls: type, table: str) -> None:
    hints = typing.get_type_hints(cls)
    got = [(c.name, c.type, c.nullable) for c in declared()[table]]
    assert got == [(f.name, *column_type(hints[f.name])) for f in dataclasses.fields(cls)]


def test_every_column_has_a_comment_that_is_a_sentence() -> None:
    for table, column, _, comment in schema():
        assert comment.strip() and comment[-1] in ".)", (table, column)


@pytest.mark.parametrize(
    ("ending", "unit"),
    [("seconds", "in seconds"), ("tokens", "in tokens"), ("logprobs", "nats"), ("difficulty", "unit")],
)
def test_comments_give_units(ending: str, unit: str) -> None:
    named = [(t, c, comment) for t, c, _, comment in schema() if c.endswith(ending)]
    assert named
    for table, column, comment in named:
        assert unit in comment, (table, column)


def test_every_declared_type_has_an_arrow_type() -> None:
    assert {type_ for _, _, type_, _ in schema()} == set(ARROW)


def test_a_class_that_is_no_record_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected a record class \(Action, .*\), got .*Column"):
        table_of(Column)
