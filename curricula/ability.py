"""The ability scale of a domain: policy versions and problems in one unit, fixed by the frozen anchors.

Difficulty and ability are only known against each other: had everybody become as much abler as problems
became harder, no answer would show it. The anchors never change and are in no training, so what versions of
one run, or of several, answered to them fixes a scale (``curricula.calibration``) on which problems that
agents set are then placed (``curricula.placing``).

Anchors are answered greedily and without notes. Problems are placed by attempts without notes, which are
sampled at the run's temperature: where sampling costs success, problems come out that much harder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from culture.records import Attempt, Evaluation
from curricula.base import counted
from curricula.calibration import Model, NotCalibrated, Responses, Scale, calibrate
from curricula.irt import Ability
from curricula.placing import Population, Tries, place

Log = duckdb.DuckDBPyConnection
"""Of ``culture.connect``."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An answer of a policy version to an anchor."""

    round: int
    policy_version: str
    anchor_id: str
    cell: str
    right: bool

    @classmethod
    def of(cls, row: Evaluation) -> Evaluated:
        """From a row of the log."""
        return cls(row.round, row.policy_version, row.anchor_id, row.cell, row.correct)


@dataclass(frozen=True, slots=True)
class Standing:
    """A policy version on the scale."""

    run: str
    policy: str
    version: int
    round: int
    """In which it was first evaluated."""
    ability: Ability

    @property
    def policy_version(self) -> str:
        """As it is called in its run."""
        return f"{self.policy}@{self.version}"


@dataclass(frozen=True, slots=True)
class Standings:
    """A scale and who stands where on it, by run, policy and version."""

    scale: Scale
    versions: tuple[Standing, ...]
    responses: Responses
    """What it was calibrated on; its learners are called ``run policy@version``."""

    def of(self, run: str, policy: str) -> list[Standing]:
        """Versions of one policy of one run, the first first."""
        return [s for s in self.versions if (s.run, s.policy) == (run, policy)]


def evaluated(log: Log, domain: str) -> list[Evaluated]:
    """All answers to anchors of a domain, in the order in which they were given."""
    rows = log.execute(
        "SELECT round, policy_version, anchor_id, cell, correct FROM evaluations WHERE domain = ? "
        "ORDER BY rowid",
        [domain],
    ).fetchall()
    return [Evaluated(*row) for row in rows]


def evaluated_domains(log: Log) -> list[str]:
    """Domains whose anchors were answered, by name."""
    rows = log.execute("SELECT DISTINCT domain FROM evaluations ORDER BY domain").fetchall()
    return [name for (name,) in rows]


def standings(
    answers: Mapping[str, Sequence[Evaluated]], model: Model = "1pl", *, errors: bool = True
) -> Standings:
    """The scale by the answers of one or several runs, by their names, to anchors of one domain.

    Runs with anchors in common are on one scale, however large their policies. Raises NotCalibrated where
    the answers do not fix one.
    """
    rows = [
        (f"{run} {e.policy_version}", e.anchor_id, e.cell, e.right)
        for run, given in answers.items()
        for e in given
    ]
    if not rows:
        raise NotCalibrated("expected answers to anchors, got none; let a round be evaluated first")
    responses = Responses.of(rows)
    scale = calibrate(responses, model, errors=errors)
    abilities = scale.abilities(responses)
    first: dict[tuple[str, str], int] = {}
    for run, given in answers.items():
        for e in given:
            first.setdefault((run, e.policy_version), e.round)
    found = []
    for (run, name), round in first.items():
        policy, _, version = name.rpartition("@")
        found.append(Standing(run, policy, int(version), round, abilities[f"{run} {name}"]))
    order = sorted(found, key=lambda s: (s.run, s.policy, s.version))
    return Standings(scale, tuple(order), responses)


def standings_of(
    logs: Log | Mapping[str, Log], domain: str, model: Model = "1pl", *, errors: bool = True
) -> Standings:
    """The same from logs: one, whose run is called by its name, or several by names of your own."""
    if isinstance(logs, duckdb.DuckDBPyConnection):
        row = logs.execute("SELECT name FROM runs").fetchone()
        logs = {row[0] if row else "run": logs}
    return standings({run: evaluated(log, domain) for run, log in logs.items()}, model, errors=errors)


@dataclass(frozen=True, slots=True)
class Attempted:
    """An attempt at a problem in the round that set it, without notes, which infrastructure did not
    lose."""

    round: int
    problem_id: str
    policy_version: str
    right: bool

    @classmethod
    def among(cls, rows: Iterable[Attempt]) -> list[Attempted]:
        """Those among rows of the log."""
        return [
            cls(a.round, a.problem_id, a.policy_version, a.correct)
            for a in rows
            if a.arm == "none" and not a.replay and counted(a)
        ]


def attempted(log: Log, domain: str) -> list[Attempted]:
    """All of a domain, in the order in which they were made."""
    rows = log.execute(
        "SELECT round, problem_id, policy_version, correct FROM attempts "
        "WHERE domain = ? AND arm = 'none' AND NOT replay AND verdict <> 'error' ORDER BY rowid",
        [domain],
    ).fetchall()
    return [Attempted(*row) for row in rows]


def difficulty(attempts: Iterable[Attempted], abilities: Mapping[str, float]) -> Population | None:
    """Problems on the scale, by attempts of versions whose abilities are given, in logits.

    Other attempts are left out: on a guess of who attempted, difficulty would follow the guess. None where
    nothing is left, where all that is left was right or none, or where no estimate is found.
    """
    counts: dict[tuple[str, float], list[int]] = {}
    for a in attempts:
        ability = abilities.get(a.policy_version)
        if ability is not None:
            count = counts.setdefault((a.problem_id, ability), [0, 0])
            count[0] += a.right
            count[1] += 1
    right, tried = (sum(c[at] for c in counts.values()) for at in (0, 1))
    if right in (0, tried):
        return None
    try:
        return place(Tries(name, ability, k, n) for (name, ability), (k, n) in counts.items())
    except ArithmeticError:
        return None


def difficulties(log: Log, domain: str, versions: Iterable[Standing]) -> dict[int, Population]:
    """The problems that each round set, on the scale of ``versions`` of that run.

    Rounds are absent whose solvers were not evaluated as they were then: with ``evaluation.every`` above 1
    most solvers are not.
    """
    abilities = {s.policy_version: s.ability.value for s in versions}
    known = {name: value for name, value in abilities.items() if value is not None}
    by_round: dict[int, list[Attempted]] = {}
    for a in attempted(log, domain):
        by_round.setdefault(a.round, []).append(a)
    placed = {round: difficulty(rows, known) for round, rows in sorted(by_round.items())}
    return {round: p for round, p in placed.items() if p is not None}
