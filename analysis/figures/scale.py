"""Difficulty against ability: how hard new problems are and how able their solvers, on one scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from matplotlib.figure import FigureBase

from analysis.figures.base import Log, NoData, Point, Series
from analysis.figures.style import COLOURS, GREY, MARKERS, STYLES, bars, legend, of_rounds, plain
from analysis.history import START
from curricula.ability import Attempted, Evaluated, difficulty, standings
from curricula.calibration import NotCalibrated

NAME: Final = "scale"
TITLE: Final = "Difficulty against ability, in logits"
CAPTION: Final = (
    "Answers to the frozen anchors fix the scale (item response theory), and both stand on it: where "
    "ability equals difficulty half is solved, each logit above multiplies the odds by e. Attempts "
    "without notes; 95% intervals. On the right each point is a round: above the diagonal problems are "
    "harder than their solvers are able."
)
SIZE: Final = (9.6, 4.3)
SQL: Final = {
    "answers to anchors": """\
SELECT domain, round, policy_version, anchor_id, cell, correct FROM evaluations ORDER BY rowid""",
    "attempts without notes": """\
SELECT domain, round, problem_id, policy_version, correct FROM attempts
WHERE arm = 'none' AND NOT replay AND verdict <> 'error'
    AND policy_version IN (SELECT policy_version FROM evaluations)  -- others are not on the scale
ORDER BY rowid""",
}


@dataclass(frozen=True, slots=True)
class DomainScale:
    """One domain, in logits on the scale of its anchors."""

    domain: str
    abilities: list[Series]
    """A series a policy, called by it; a point a version that was evaluated."""
    problems: Series
    """Mean difficulty of the problems of each round whose solvers were evaluated as they were then."""
    against: list[tuple[int, float, float]]
    """Round, mean ability of those who attempted its problems, and mean difficulty of these."""


@dataclass(frozen=True, slots=True)
class Scales:
    """The domains of a run that have a scale, and why the others have none."""

    domains: list[DomainScale]
    without: dict[str, str]
    """Reasons by domain."""


def data(log: Log) -> Scales:
    """Raises NoData where no domain has a scale yet."""
    answers: dict[str, list[Evaluated]] = {}
    for domain, *row in log.execute(SQL["answers to anchors"]).fetchall():
        answers.setdefault(domain, []).append(Evaluated(*row))
    tried: dict[str, list[Attempted]] = {}
    for domain, *row in log.execute(SQL["attempts without notes"]).fetchall():
        tried.setdefault(domain, []).append(Attempted(*row))
    found, without = [], {}
    for domain in sorted(answers):
        try:
            found.append(_scale(domain, answers[domain], tried.get(domain, [])))
        except NotCalibrated as reason:
            without[domain] = str(reason)
    if not found:
        told = "; ".join(f"{domain}: {reason}" for domain, reason in without.items())
        raise NoData(f"There is no scale yet ({told or 'no anchor was answered'}).")
    return Scales(found, without)


def _scale(domain: str, answers: list[Evaluated], tried: list[Attempted]) -> DomainScale:
    versions = standings({"run": answers}, errors=False).versions
    abilities: dict[str, list[Point]] = {}
    known: dict[str, float] = {}
    for s in versions:
        a = s.ability
        if a.value is None:
            continue
        known[s.policy_version] = a.value
        at = START if s.version == 0 and s.round == 0 else s.round
        abilities.setdefault(s.policy, []).append(Point(at, a.value, a.low, a.high, a.answers))
    by_round: dict[int, list[Attempted]] = {}
    for t in tried:
        by_round.setdefault(t.round, []).append(t)
    points, against = [], []
    for at, rows in sorted(by_round.items()):
        placed = difficulty(rows, known)
        if placed is None:
            continue
        points.append(Point(at, placed.mean, *placed.interval, len({r.problem_id for r in rows})))
        able = [known[r.policy_version] for r in rows if r.policy_version in known]
        against.append((at, sum(able) / len(able), placed.mean))
    series = [Series(policy, found) for policy, found in abilities.items()]
    return DomainScale(domain, series, Series("problems", points), against)


def draw(data: Scales, figure: FigureBase) -> None:
    """Two panels a domain: over rounds, and one against the other."""
    grid = figure.subplots(len(data.domains), 2, squeeze=False, width_ratios=(3, 2))
    for (left, right), d in zip(grid, data.domains, strict=True):
        for at, s in enumerate(d.abilities):
            bars(left, s, at, label=f"ability of {s.label}", linestyle=STYLES[0], linewidth=1.8)
        if d.problems.points:
            bars(
                left, d.problems, 1 if len(d.abilities) < 2 else 5, label="difficulty of new problems",
                linestyle="--", marker="s", markerfacecolor="white",
            )  # fmt: skip
        left.set_ylabel(f"{d.domain}, logits" if len(data.domains) > 1 else "logits")
        of_rounds(left, [*d.abilities, d.problems])
        legend(left)
        plain(right)
        right.set_xlabel("mean ability of the solvers, logits")
        right.set_ylabel("mean difficulty, logits")
        if not d.against:
            right.text(
                0.5, 0.5, "no round whose solvers\nwere evaluated", ha="center", transform=right.transAxes
            )
            continue
        rounds, able, hard = (list(c) for c in zip(*d.against, strict=True))
        right.plot(able, hard, color=COLOURS[0], marker=MARKERS[0], markersize=4.5, linewidth=1)
        ends = min([*able, *hard]), max([*able, *hard])
        room = 0.12 * (ends[1] - ends[0]) + 0.1
        right.axline((0, 0), slope=1, color=GREY, linestyle=":", label="half is solved")
        right.set_xlim(ends[0] - room, ends[1] + room)
        right.set_ylim(ends[0] - room, ends[1] + room)
        for k in dict.fromkeys((0, len(rounds) - 1)):
            right.annotate(
                f"round {rounds[k]}",
                (able[k], hard[k]),
                xytext=(4, -11),
                textcoords="offset points",
                fontsize=8,
            )
        legend(right)
