"""What every figure is: SQL on the log, a function that gives its data, and one that draws it.

A figure is a module of this package with the names of :class:`Figure`. Its data are frozen dataclasses of
numbers, texts, lists and dictionaries alone, so ``dataclasses.asdict`` makes JSON of them; texts of the log
in them are untrusted. Data functions read the log only, of a run that is finished or going on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import duckdb
from matplotlib.figure import FigureBase

Log: TypeAlias = duckdb.DuckDBPyConnection
"""Of ``culture.connect``."""


class NoData(ValueError):
    """A run has nothing that a figure could show; the message is one sentence that says why."""


class Figure(Protocol):
    """The names that a module of this package has."""

    @property
    def NAME(self) -> str:
        """For files and addresses."""

    @property
    def TITLE(self) -> str:
        """For people."""

    @property
    def CAPTION(self) -> str:
        """How to read it, in a sentence or a few."""

    @property
    def SIZE(self) -> tuple[float, float]:
        """Width and height, in inches."""

    @property
    def SQL(self) -> Mapping[str, str]:
        """The queries that its data come from, by what they give; each runs by itself on a log."""

    def data(self, log: Log) -> Any:
        """What is drawn. Raises NoData where the run has nothing of it."""

    def draw(self, data: Any, figure: FigureBase) -> None:
        """Draw it into an empty figure or part of one. It closes nothing and writes nothing."""


@dataclass(frozen=True, slots=True)
class Point:
    """A number about one round."""

    round: int
    """The round; ``analysis.history.START`` (-1) is before the first."""
    value: float
    low: float | None = None
    """Lower end of its interval or band; None where there is none."""
    high: float | None = None
    """Upper end of the same."""
    n: int | None = None
    """Observations behind it; None where it is no estimate."""


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one thing, in the order of their rounds."""

    label: str
    points: list[Point]

    @property
    def rounds(self) -> list[int]:
        """The rounds of its points."""
        return [p.round for p in self.points]

    @property
    def values(self) -> list[float]:
        """The values of its points."""
        return [p.value for p in self.points]
