"""All measures of a run in one list, each computed where it is defined."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias, get_args

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
from analysis.measures.descent import Through
from analysis.measures.embedding import Choice, Embedding, embedding
from analysis.measures.estimate import Estimate, Log, NothingToMeasure
from culture.effect import culture_effect
from culture.history import committed

Part = Literal["curriculum", "culture"]
Figure: TypeAlias = Estimate | float


@dataclass(frozen=True, slots=True)
class Measured:
    """One measure of a run."""

    part: Part
    topic: str
    """What it belongs to, in words."""
    name: str
    about: str
    """Domain, trait, group or step that it is of; empty where it is of all."""
    value: float | None
    """None where there is nothing to measure: ``reason`` says why."""
    low: float | None
    """Lower end of the 95% interval; None where there is none."""
    high: float | None
    unit: str
    n: int | None
    """Observations, of which ``of`` says the kind."""
    of: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All of a run."""

    run: str
    round: int
    """The last that is committed."""
    embedding: Embedding
    measures: list[Measured]

    def plain(self) -> dict[str, object]:
        """As JSON has it; numbers that JSON has no form for, such as an infinite half-life, are null."""
        rows = [
            {key: None if _endless(value) else value for key, value in asdict(m).items()}
            for m in self.measures
        ]
        return {
            "run": self.run,
            "round": self.round,
            "embedding": {"name": self.embedding.name, "why": self.embedding.why},
            "measures": rows,
        }


def report(log: Log, choice: Choice = "auto", progress: Callable[[str], None] = lambda _: None) -> Report:
    """Measure a run as far as it is committed.

    ``progress`` is told what is being measured. Raises ``culture.history.NoSuchRound`` where no round is
    committed, ``culture.embedding.EmbeddingError`` where a model is asked for that is not installed.
    """
    last = committed(log)
    served = embedding(log, choice)
    (name,) = log.execute("SELECT name FROM runs").fetchone() or ("",)
    found: list[Measured] = []
    for topic, part, measures in _TOPICS:
        progress(topic)
        for row in measures(log, last, served):
            found.append(
                Measured(part, topic, row.name, row.about, *_numbers(row.figure), row.unit, _n(row), row.of)
                if not isinstance(row, _Nothing)
                else Measured(part, topic, row.name, row.about, None, None, None, "", None, "", row.reason)
            )
    return Report(str(name), last, served, found)


# -- topics ---------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    about: str
    figure: Figure
    unit: str
    of: str
    n: int | None = None


@dataclass(frozen=True, slots=True)
class _Nothing:
    name: str
    about: str
    reason: str


_Rows: TypeAlias = Iterator[_Row | _Nothing]

STORED: dict[str, tuple[str, str]] = {
    "ability": ("logits", "answers"),
    "difficulty": ("logits", "problems"),
    "gap": ("logits above the solvers", "problems"),
    "frontier_difficulty": ("in the domain's difficulty", "answers"),
    "held_out": ("share", "anchors"),
    "solve_rate": ("share", "attempts"),
    "pass_at": ("share", "problems"),
    "zone": ("share", "problems"),
    "zone_library": ("share", "problems"),
    "zone_reversed": ("share", "problems"),
    "complexity_solved": ("in the feature", "problems"),
    "novelty": ("log features", "problems"),
    "annecs": ("problems", "problems tried again"),
    "worst_cells": ("share", "anchors"),
    "forgetting_anchors": ("share", "anchors"),
    "forgetting": ("share", "rounds"),
    "backward_transfer": ("share", "rounds"),
    "transfer": ("share", "anchors"),
    "surprisal": ("nats a token, of solvers", "tokens"),
}
"""Measures that a run stores of its rounds: their unit, and what n counts."""
LATEST = """
SELECT domain, name, max(round), max_by((value, low, high, n), round)
FROM measures WHERE value IS NOT NULL AND domain <> '' AND list_contains($kinds, split_part(name, '/', 1))
GROUP BY domain, name ORDER BY domain, name
"""


def _stored(log: Log, last: int, _: Embedding) -> _Rows:
    """As the rounds have them; what they are is in ``curricula.emergence`` and ``arena.measuring``."""
    for domain, name, round, found in log.execute(LATEST, {"kinds": list(STORED)}).fetchall():
        value, low, high, n = found
        unit, of = STORED[name.split("/")[0]]
        when = domain if round == last else f"{domain}, round {round}"
        yield _Row(name, when, Estimate(value, low, high, n), unit, of)


def _zone(log: Log, _: int, served: Embedding) -> _Rows:
    domains = log.execute("SELECT DISTINCT domain FROM problems ORDER BY domain").fetchall()
    for (domain,) in domains:
        try:
            found = zone.of_log(log, domain, served)
        except NothingToMeasure as reason:
            yield _Nothing("zone times cells", domain, str(reason))
            continue
        yield _Row("share in the zone", domain, found.share, "share", "problems")
        yield _Row("cells in the zone", domain, found.cells, f"cells of {found.grid}", "problems")
        yield _Row("zone times cells", domain, found.product, "cells", "problems")


def _health(log: Log, _: int, served: Embedding) -> _Rows:
    found = health.of_log(log, served)
    if found.entropy is not None:
        yield _Row("entropy of proposers", "", found.entropy, "nats a token", "proposals")
    for reason, share in found.reasons.items():
        yield _Row("became of proposals", reason, share, "share", "proposals")
    if found.solvable is not None:
        yield _Row("solvable", "", found.solvable, "share solved by anybody", "problems")
    else:
        yield _Nothing("solvable", "", "expected problems that were attempted, got none in this log")
    if found.vendi is not None:
        yield _Row("Vendi score of proposals", "", found.vendi, "texts", "texts", found.texts)
        for n, part in found.distinct.items():
            yield _Row(f"distinct-{n} of proposals", "", part, "share", "texts", found.texts)
    else:
        yield _Nothing("proposals", "", "expected problems that policies wrote, got none in this log")


def _effects(log: Log, _: int, __: Embedding) -> _Rows:
    effects = culture_effect(log)
    if not effects:
        yield _Nothing("effect", "", "expected attempts in two arms, got fewer in this log")
    for e in effects:
        figure = Estimate(e.difference, e.low, e.high, e.treated + e.controls)
        yield _Row(f"{e.treatment} less {e.control}", "", figure, "share solved", "attempts")


def _diversity(log: Log, last: int, served: Embedding) -> _Rows:
    try:
        found = diversity.of_log(log, last, served)
    except NothingToMeasure as reason:
        yield _Nothing("diversity", "", str(reason))
        return
    about = "" if found.texts == found.of else f"{found.texts} drawn of {found.of}"
    yield _Row("Vendi score", about, found.vendi, "texts", "texts", found.texts)
    for n, share in found.distinct.items():
        yield _Row(f"distinct-{n}", about, share, "share", "texts", found.texts)
    for group, estimate in found.between.items():
        yield _Row("between groups, F_ST", group, estimate, "share", "texts")


def _fidelity(log: Log, _: int, served: Embedding) -> _Rows:
    for through in get_args(Through):
        try:
            found = fidelity.of_log(log, through, served)
        except NothingToMeasure as reason:
            yield _Nothing("fidelity", through, str(reason))
            continue
        for step, cosine in list(found.by_step.items())[:3]:
            yield _Row("fidelity", f"{through}, step {step}", cosine, "cosine", "texts")
        yield _Row("decay", through, found.decay, "a step", "texts")
        yield _Row("half-life", through, found.half_life, "steps", "texts")


def _attractors(log: Log, _: int, __: Embedding) -> _Rows:
    for through in get_args(Through):
        all_ = attractors.of_log(log, through)
        if not all_:
            reason = f"expected three chains or more by {through} that begin differently, got fewer"
            yield _Nothing("attractor", through, reason)
        for name, found in all_.items():
            unit, about = attractors.PROPERTIES[name][0], f"{name}, {through}"
            yield _Row("slope", about, found.slope, "", "chains")
            if found.position is not None and found.strength is not None:
                yield _Row("attractor", about, found.position, unit, "chains")
                yield _Row("strength", about, found.strength, "", "chains")
            else:
                yield _Nothing("attractor", about, "the slope is 1 or more: nothing attracts")


def _price(log: Log, _: int, __: Embedding) -> _Rows:
    for through in get_args(Through):
        try:
            found = price.of_log(log, through)
        except NothingToMeasure as reason:
            yield _Nothing("change", through, str(reason))
            continue
        for trait, parts in found.items():
            unit, about = price.TRAITS[trait][0], f"{trait}, {through}"
            yield _Row("selection", about, parts.selection, unit, "texts")
            yield _Row("transmission", about, parts.transmission, unit, "texts")
            yield _Row("change", about, parts.total, unit, "texts")


def _conformity(log: Log, _: int, __: Embedding) -> _Rows:
    try:
        found = conformity.of_log(log)
    except NothingToMeasure as reason:
        yield _Nothing("conformity D", "", str(reason))
        return
    yield _Row("conformity D", "", found.conformity, "", "choices")
    yield _Row("copying rate", "", found.copying, "of the share of models", "choices")


def _prestige(log: Log, _: int, __: Embedding) -> _Rows:
    try:
        found = prestige.of_log(log)
    except NothingToMeasure as reason:
        yield _Nothing("author's citations", "", str(reason))
        return
    yield _Row("author's citations", "", found.authors, "logits a ln(1 + citations)", "chances to cite")
    for name, figure in found.others.items():
        yield _Row(name, "", figure, "logits", "chances to cite")


def _citations(log: Log, last: int, _: Embedding) -> _Rows:
    for use in get_args(citations.Use):
        notes = citations.uses(log, use)
        try:
            yield _Row("Gini", use, citations.gini([u.uses for u in notes]), "", "notes")
            lived = citations.lifetimes(notes, last)
            yield _Row("half-life", f"{use}, {lived.ended} ended", lived.half_life, "rounds", "notes")
        except NothingToMeasure as reason:
            yield _Nothing("uses of notes", use, str(reason))
    try:
        yield _Row("several parents", "", citations.several_parents(log), "share", "texts made from others")
    except NothingToMeasure as reason:
        yield _Nothing("several parents", "", str(reason))


def _ratchet(log: Log, _: int, __: Embedding) -> _Rows:
    try:
        found = ratchet.ratchet(log)
    except NothingToMeasure as reason:
        yield _Nothing("generations", "", str(reason))
        return
    for number, share in found.success.items():
        yield _Row("success", f"generation {number}", share, "share", "anchors")
    for number, step in found.steps.items():
        yield _Row("step", f"generation {number} less {number - 1}", step, "share", "anchors")


_TOPICS: tuple[tuple[str, Part, Callable[[Log, int, Embedding], _Rows]], ...] = (
    ("stored with the rounds", "curriculum", _stored),
    ("zone of proximal development", "curriculum", _zone),
    ("health of the curriculum", "curriculum", _health),
    ("effect of the library", "culture", _effects),
    ("diversity of the library", "culture", _diversity),
    ("fidelity of transmission", "culture", _fidelity),
    ("attractors", "culture", _attractors),
    ("Price equation", "culture", _price),
    ("conformity", "culture", _conformity),
    ("prestige", "culture", _prestige),
    ("attention", "culture", _citations),
    ("ratchet", "culture", _ratchet),
)


def _numbers(figure: Figure) -> tuple[float | None, float | None, float | None]:
    return (figure.value, figure.low, figure.high) if isinstance(figure, Estimate) else (figure, None, None)


def _n(row: _Row) -> int | None:
    return row.figure.n if isinstance(row.figure, Estimate) else row.n


def _endless(value: object) -> bool:
    return isinstance(value, float) and (value != value or abs(value) == float("inf"))
