"""Rows of a round for the tests of the log."""

from __future__ import annotations

import typing
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from culture import records
from culture.columns import tables
from culture.records import RoundRows
from culture.seeds import generator

T = TypeVar("T")

START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def example(cls: type[T], round: int, index: int) -> T:
    """A record whose values all differ from those of its neighbours; every third optional is None."""
    rng = generator(0, cls.__name__, round, index)
    values: dict[str, Any] = {}
    for place, (name, hint) in enumerate(typing.get_type_hints(cls).items()):
        kinds = typing.get_args(hint)
        if type(None) in kinds and (index + place) % 3 == 0:
            values[name] = None
        elif name == "round":
            values[name] = round
        elif typing.get_origin(hint) is typing.Literal:
            values[name] = kinds[index % len(kinds)]
        elif hint == records.Json:
            length = int(rng.integers(99))
            values[name] = {"length": length, "p": float(rng.random()), "seen": [None, {"k": [1]}]}
        elif hint == list[int]:
            values[name] = [int(i) for i in rng.integers(-5, 50_000, index % 4)]
        elif hint == list[float]:
            values[name] = [float(x) for x in -rng.random(index % 4)]
        elif hint == list[str]:
            values[name] = [f"é{index},'\"", "", "[x]"][: index % 4]
        elif hint is bool:
            values[name] = index % 2 == 0
        elif hint is int or int in kinds:
            values[name] = int(rng.integers(2**62))
        elif hint is float or float in kinds:
            values[name] = float(rng.normal())
        elif hint is datetime:
            values[name] = START + timedelta(seconds=round, microseconds=index)
        elif hint is str or str in kinds:
            values[name] = f"{name} {round}/{index} '; DROP TABLE rounds; --\n\t\x00\N{SNOWMAN}"
        else:
            literal = next(typing.get_args(k) for k in kinds if typing.get_origin(k) is typing.Literal)
            values[name] = literal[index % len(literal)]
    return cls(**values)


def rows_of(round: int, **counts: int) -> RoundRows:
    """Rows of one round: one row of ``rounds``, ``counts`` of the tables named, 5 of each other."""
    classes = {table: cls for cls, table in tables().items()}
    sizes = dict.fromkeys(classes, 5) | {"rounds": 1} | counts
    return RoundRows(**{t: [example(classes[t], round, i) for i in range(n)] for t, n in sizes.items()})
