"""Several runs side by side: what they scored, what their arms say, and what they cost, by configuration.

Runs that differ in their seed alone are one configuration. Over its seeds a mean has Student's t interval:
that is about the configuration, while an interval within a run is about that run. A seed counts once in it,
and only runs that have come equally far are averaged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from analysis.figures.base import Log
from analysis.history import START, Difficulty, Score, difficulties, scores
from analysis.report.configuration import configuration, same_but_for_seed, varying
from analysis.statistics import Estimate, t_interval
from culture.effect import Effect, culture_effect

Key = TypeVar("Key", tuple[str], tuple[str, str])


@dataclass(frozen=True, slots=True)
class Compared:
    """What one run says."""

    name: str
    """As it is called in the report, once each."""
    seed: int
    rounds: int
    """Committed."""
    code: str
    """The version of Ludus that began it."""
    config: Mapping[str, object]
    scores: list[Score]
    difficulties: list[Difficulty]
    effects: list[Effect]
    seconds: float
    """Wall time of its rounds."""
    generated: int
    """Completion tokens."""
    trained: int
    """Tokens trained on."""
    attempts: int


@dataclass(slots=True)
class Group:
    """Runs of one configuration."""

    name: str
    """A letter, by which the report calls it."""
    runs: list[Compared] = field(default_factory=list)

    @property
    def seeds(self) -> list[Compared]:
        """One run a seed: the longest, of those the first that was given."""
        found: dict[int, Compared] = {}
        for run in self.runs:
            if run.seed not in found or run.rounds > found[run.seed].rounds:
                found[run.seed] = run
        return list(found.values())

    @property
    def counted(self) -> list[Compared]:
        """Those of ``seeds`` that means are of: the most with equally many rounds, longer ones first."""
        often = Counter(r.rounds for r in self.seeds)
        rounds = max(often, key=lambda n: (often[n], n))
        return [r for r in self.seeds if r.rounds == rounds]

    @property
    def left_out(self) -> list[str]:
        """Which runs are in no mean, and why, a sentence each."""
        seeds, counted = {r.seed: r for r in self.seeds}, self.counted
        told = []
        for run in self.runs:
            if run is not seeds[run.seed]:
                told.append(f"{run.name} has the seed of {seeds[run.seed].name}")
            elif run not in counted:
                told.append(
                    f"{run.name} has {run.rounds} committed of the others' {counted[0].rounds} rounds"
                )
        return told

    @property
    def codes(self) -> list[str]:
        """The versions of Ludus that its runs were begun with."""
        return sorted({r.code for r in self.runs})

    @property
    def label(self) -> str:
        """For a legend."""
        n = len(self.counted)
        return f"{self.name}: {self.runs[0].name}" if n == 1 else f"{self.name}: mean of {n} seeds"


def compared(name: str, log: Log) -> Compared:
    """What a log says of its run. Raises ValueError where no round is committed."""
    run = log.execute("SELECT seed, code_version FROM runs").fetchone()
    done = log.execute(
        "SELECT count(*), sum(seconds), sum(generated_tokens)::BIGINT, sum(trained_tokens)::BIGINT, "
        "sum(attempts)::BIGINT FROM rounds"
    ).fetchone()
    if run is None or done is None or not done[0]:
        raise ValueError(f"expected runs with a committed round, got {name!r} without; leave it out")
    rounds, seconds, generated, trained, attempts = done
    return Compared(
        name, run[0], rounds, run[1], configuration(log), scores(log), difficulties(log),
        culture_effect(log), seconds, generated, trained, attempts,
    )  # fmt: skip


def grouped(runs: Sequence[Compared]) -> list[Group]:
    """Runs by configuration, in the order in which they were given; groups are called A, B, ..."""
    groups: dict[str, Group] = {}
    for run in runs:
        key = same_but_for_seed(run.config)
        groups.setdefault(key, Group(_letter(len(groups)))).runs.append(run)
    return list(groups.values())


def _letter(n: int) -> str:
    return chr(ord("A") + n) if n < 26 else f"{_letter(n // 26 - 1)}{_letter(n % 26)}"


def differing(groups: Sequence[Group]) -> list[tuple[str, list[str | None]]]:
    """Settings that differ between groups, with the value of each group; None where it has none."""
    return varying([g.runs[0].config for g in groups])


# -- tables, a row a run and a row a group of several ------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Row:
    """A run, or the mean of a group."""

    group: str
    name: str
    mean: bool
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Side:
    """A table of runs side by side."""

    title: str
    columns: list[str]
    rows: list[Row]


def held_out(groups: Sequence[Group]) -> list[Side]:
    """A table a domain and policy: the share right at the start, at the last evaluation, and the gain."""
    tables = []
    for domain, policy in _present((s.domain, s.policy) for g in groups for r in g.runs for s in r.scores):
        rows = []
        for g in groups:
            firsts, lasts = [], []
            for r in g.runs:
                mine = [s for s in r.scores if (s.domain, s.policy) == (domain, policy)]
                if not mine:
                    rows.append(Row(g.name, r.name, False, ["–"] * 3))
                    continue
                first, last = mine[0], mine[-1]
                if r in g.counted:
                    firsts.append(first.share)
                    lasts.append(last.share)
                ends = [
                    f"{s.share:.1%} [{s.interval[0]:.1%}, {s.interval[1]:.1%}] {_when(s.round)}"
                    for s in (first, last)
                ]
                rows.append(Row(g.name, r.name, False, [*ends, f"{100 * (last.share - first.share):+.1f}"]))
            if len(lasts) > 1:
                gains = [b - a for a, b in zip(firsts, lasts, strict=True)]
                cells = [
                    _percent(t_interval(firsts)),
                    _percent(t_interval(lasts)),
                    _points(t_interval(gains)),
                ]
                rows.append(Row(g.name, _of_seeds(lasts), True, cells))
        tables.append(Side(f"{domain}, policy {policy}", ["first", "last", "gain, points"], rows))
    return tables


def effects(groups: Sequence[Group]) -> Side:
    """Differences between arms over all rounds, in points, a column a contrast."""
    names = _present((str(e.treatment), str(e.control)) for g in groups for r in g.runs for e in r.effects)
    rows = []
    for g in groups:
        by_run = [{(str(e.treatment), str(e.control)): e for e in r.effects} for r in g.runs]
        for r, found in zip(g.runs, by_run, strict=True):
            rows.append(Row(g.name, r.name, False, [_effect(found.get(name)) for name in names]))
        counted = [f for r, f in zip(g.runs, by_run, strict=True) if r in g.counted]
        if len(counted) > 1:
            known = [[f[name].difference for f in counted if name in f] for name in names]
            cells = [_points(t_interval(values)) if len(values) > 1 else "–" for values in known]
            rows.append(Row(g.name, _of_seeds(counted), True, cells))
    return Side("", [f"{t} − {c}, points" for t, c in names], rows)


def difficulty(groups: Sequence[Group]) -> list[Side]:
    """A table a domain: mean difficulty of what the first and the last round admitted, in its unit."""
    tables = []
    for (domain,) in _present((d.domain,) for g in groups for r in g.runs for d in r.difficulties):
        rows = []
        for g in groups:
            ends: list[tuple[float, float]] = []
            for r in g.runs:
                mine = [d for d in r.difficulties if d.domain == domain]
                if not mine:
                    rows.append(Row(g.name, r.name, False, ["–"] * 2))
                    continue
                if r in g.counted:
                    ends.append((mine[0].mean, mine[-1].mean))
                cells = [f"{d.mean:.2f} in round {d.round}" for d in (mine[0], mine[-1])]
                rows.append(Row(g.name, r.name, False, cells))
            if len(ends) > 1:
                cells = [_number(t_interval(list(column))) for column in zip(*ends, strict=True)]
                rows.append(Row(g.name, _of_seeds(ends), True, cells))
        tables.append(Side(domain, ["mean in the first round", "mean in the last round"], rows))
    return tables


def cost(groups: Sequence[Group]) -> Side:
    """Seconds and tokens, of each run and in the mean of a group."""
    rows = []
    for g in groups:
        every = [[r.rounds, r.seconds, r.generated, r.trained, r.attempts] for r in g.runs]
        for r, values in zip(g.runs, every, strict=True):
            rows.append(Row(g.name, r.name, False, [f"{v:,.0f}" for v in values]))
        counted = [values for r, values in zip(g.runs, every, strict=True) if r in g.counted]
        if len(counted) > 1:
            cells = [f"{sum(column) / len(counted):,.0f}" for column in zip(*counted, strict=True)]
            rows.append(Row(g.name, _of_seeds(counted), True, cells))
    columns = ["rounds", "seconds", "generated tokens", "trained tokens", "attempts"]
    return Side("", columns, rows)


def _present(keys: Iterable[Key]) -> list[Key]:
    return sorted(set(keys))


def _when(round: int) -> str:
    return "at the start" if round == START else f"in round {round}"


def _of_seeds(values: Sequence[object]) -> str:
    return f"mean of {len(values)} seeds, t interval"


def _percent(m: Estimate) -> str:
    return f"{m.value:.1%}" + ("" if m.low is None or m.high is None else f" [{m.low:.1%}, {m.high:.1%}]")


def _points(m: Estimate) -> str:
    ends = "" if m.low is None or m.high is None else f" [{100 * m.low:+.1f}, {100 * m.high:+.1f}]"
    return f"{100 * m.value:+.1f}{ends}"


def _number(m: Estimate) -> str:
    return f"{m.value:.2f}" + ("" if m.low is None or m.high is None else f" [{m.low:.2f}, {m.high:.2f}]")


def _effect(e: Effect | None) -> str:
    if e is None:
        return "–"
    ends = "" if e.low is None or e.high is None else f" [{100 * e.low:+.1f}, {100 * e.high:+.1f}]"
    return f"{100 * e.difference:+.1f}{ends}"
