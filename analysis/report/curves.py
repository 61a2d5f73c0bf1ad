"""Pictures of several runs in one: a look for each configuration, thin lines for its seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.ticker import PercentFormatter

from analysis.figures.base import Log, NoData, Point, Series
from analysis.figures.style import bars, legend, line, look, of_rounds, plain
from analysis.history import START
from analysis.report.comparison import Group
from analysis.statistics import Estimate, t_interval
from curricula.ability import standings_of
from curricula.calibration import NotCalibrated


@dataclass(frozen=True, slots=True)
class Curve:
    """A configuration's line in one panel."""

    group: int
    """Place among the groups, which gives its look."""
    label: str
    runs: list[Series]
    """A series a run."""
    mean: Series | None
    """The mean over seeds with t intervals, where several have a point in the same round; else None."""


@dataclass(frozen=True, slots=True)
class Panels:
    """Curves by panel."""

    unit: str
    share: bool
    panels: dict[str, list[Curve]]


@dataclass(frozen=True, slots=True)
class Effects:
    """What arms differ by, in points: an entry a configuration and contrast."""

    contrasts: list[str]
    groups: list[str]
    points: dict[tuple[str, str], list[tuple[float, float | None, float | None]]]
    """By group and contrast: each run's difference with its interval within the run."""
    means: dict[tuple[str, str], Estimate]
    """By group and contrast, over two seeds or more that have come equally far."""


def held_out_curves(groups: Sequence[Group]) -> Panels:
    """Success on held-out anchors by round, a panel a domain and policy. Raises NoData without any."""
    found: dict[str, dict[str, dict[str, list[Point]]]] = {}
    several = len({s.policy for g in groups for r in g.runs for s in r.scores}) > 1
    for g in groups:
        for r in g.runs:
            for s in r.scores:
                panel = f"{s.domain} ({s.policy})" if several else s.domain
                points = found.setdefault(panel, {}).setdefault(g.name, {}).setdefault(r.name, [])
                points.append(Point(s.round, s.share, *s.interval, s.anchors))
    if not found:
        raise NoData("None of the runs has answered an anchor yet.")
    return Panels("share of anchors right", True, _curves(groups, found))


def difficulty_curves(groups: Sequence[Group]) -> Panels:
    """Mean difficulty of admitted problems by round, a panel a domain. Raises NoData without any."""
    found: dict[str, dict[str, dict[str, list[Point]]]] = {}
    for g in groups:
        for r in g.runs:
            for d in r.difficulties:
                points = found.setdefault(d.domain, {}).setdefault(g.name, {}).setdefault(r.name, [])
                points.append(Point(d.round, d.mean))
    if not found:
        raise NoData("None of the runs has admitted a problem with a difficulty yet.")
    return Panels("mean difficulty (the domain's own unit)", False, _curves(groups, found))


def ability_curves(groups: Sequence[Group], logs: Mapping[str, Log]) -> Panels:
    """Abilities of all runs on one scale, which their common anchors fix, a panel a domain.

    ``logs`` are by the names of the runs. Raises NoData where the runs fix no common scale.
    """
    domains = sorted({s.domain for g in groups for r in g.runs for s in r.scores})
    found: dict[str, dict[str, dict[str, list[Point]]]] = {}
    reasons = []
    for domain in domains:
        having = {
            r.name: logs[r.name]
            for g in groups
            for r in g.runs
            if any(s.domain == domain for s in r.scores)
        }
        try:
            versions = standings_of(having, domain, errors=False).versions
        except NotCalibrated as reason:
            reasons.append(f"{domain}: {reason}")
            continue
        policies = {s.policy for s in versions}
        of = {r.name: g.name for g in groups for r in g.runs}
        for s in versions:
            if s.ability.value is None:
                continue
            panel = f"{domain} ({s.policy})" if len(policies) > 1 else domain
            points = found.setdefault(panel, {}).setdefault(of[s.run], {}).setdefault(s.run, [])
            at = START if s.version == 0 and s.round == 0 else s.round
            points.append(Point(at, s.ability.value, s.ability.low, s.ability.high, s.ability.answers))
    if not found:
        raise NoData(f"The runs have no common scale ({'; '.join(reasons) or 'no anchor was answered'}).")
    return Panels("ability, logits", False, _curves(groups, found))


def effect_points(groups: Sequence[Group]) -> Effects:
    """Differences between arms over all rounds. Raises NoData where no run has two arms."""
    points: dict[tuple[str, str], list[tuple[float, float | None, float | None]]] = {}
    counted: dict[tuple[str, str], list[float]] = {}
    for g in groups:
        for r in g.runs:
            for e in r.effects:
                key = (g.name, f"{e.treatment} − {e.control}")
                points.setdefault(key, []).append((e.difference, e.low, e.high))
                if r in g.counted:
                    counted.setdefault(key, []).append(e.difference)
    if not points:
        raise NoData("None of the runs has attempts in two arms.")
    means = {key: t_interval(values) for key, values in counted.items() if len(values) > 1}
    contrasts = list(dict.fromkeys(name for _, name in points))
    return Effects(contrasts, [g.name for g in groups], points, means)


def _curves(
    groups: Sequence[Group], found: Mapping[str, Mapping[str, Mapping[str, list[Point]]]]
) -> dict[str, list[Curve]]:
    panels: dict[str, list[Curve]] = {}
    for panel in sorted(found):
        for at, g in enumerate(groups):
            runs = {name: Series(name, points) for name, points in found[panel].get(g.name, {}).items()}
            if runs:
                mean = _mean([runs[r.name] for r in g.counted if r.name in runs])
                panels.setdefault(panel, []).append(Curve(at, g.label, list(runs.values()), mean))
    return panels


def _mean(runs: Sequence[Series]) -> Series | None:
    """Over the rounds in which all of several runs have a point."""
    if len(runs) < 2:
        return None
    values = [dict(zip(s.rounds, s.values, strict=True)) for s in runs]
    points = []
    for at in sorted(set.intersection(*(set(v) for v in values))):
        m = t_interval([v[at] for v in values])
        points.append(Point(at, m.value, m.low, m.high, len(values)))
    return Series("mean", points) if points else None


def draw_panels(data: Panels, figure: FigureBase) -> None:
    """A panel one below the other; a lone run has its own intervals, several seeds their t intervals."""
    grid = figure.subplots(len(data.panels), squeeze=False)[:, 0]
    for axes, (panel, curves) in zip(grid, data.panels.items(), strict=True):
        for c in curves:
            if c.mean is None:
                for s in c.runs:
                    bars(axes, s, c.group, label=c.label if s is c.runs[0] else "_nolegend_", linewidth=1.6)
                continue
            for s in c.runs:
                axes.plot(s.rounds, s.values, color=look(c.group)["color"], linewidth=0.7, alpha=0.55)
            line(axes, c.mean, c.group, label=f"{c.label}, 95% t interval", linewidth=2)
        axes.set_ylabel(data.unit if len(data.panels) == 1 else f"{panel}\n{data.unit}")
        if data.share:
            axes.set_ylim(-0.02, 1.02)
            axes.yaxis.set_major_formatter(PercentFormatter(1))
        else:
            _near(axes, [v for c in curves for s in c.runs for v in s.values])
        of_rounds(axes, [s for c in curves for s in c.runs])
        legend(axes)


def _near(axes: Axes, values: Sequence[float]) -> None:
    """An axis by the values themselves: with few seeds an interval may be many times as wide."""
    room = 0.35 * (max(values) - min(values)) + 0.05 * max(abs(v) for v in values) + 1e-9
    axes.set_ylim(min(values) - room, max(values) + room)


def draw_effects(data: Effects, figure: FigureBase) -> None:
    """A row a contrast and configuration: runs small with their own intervals, means large below them."""
    axes = figure.subplots()
    ticks, labels = [], []
    y = 0.0
    for contrast in data.contrasts:
        for at, group in enumerate(data.groups):
            values = data.points.get((group, contrast), [])
            if not values:
                continue
            style = look(at)
            top = y
            for d, low, high in values:
                _bar(axes, y, d, low, high, style["color"], style["marker"], 4.5)
                y += 0.55
            m = data.means.get((group, contrast))
            if m is not None:
                _bar(axes, y, m.value, m.low, m.high, style["color"], style["marker"], 9.0)
                y += 0.55
            ticks.append((top + y - 0.55) / 2)
            labels.append(f"{contrast}  {group}" if len(data.groups) > 1 else contrast)
            y += 0.35
        y += 0.5
    axes.axvline(0, color="black", linewidth=1)
    plain(axes)
    axes.grid(axis="y", visible=False)
    axes.set_yticks(ticks, labels)
    axes.invert_yaxis()
    axes.set_xlabel("difference in success, points")


def _bar(
    axes: Axes,
    y: float,
    d: float,
    low: float | None,
    high: float | None,
    colour: str,
    marker: str,
    size: float,
) -> None:
    ends = [[100 * (d - (d if low is None else low))], [100 * ((d if high is None else high) - d)]]
    axes.errorbar(
        [100 * d],
        [y],
        xerr=np.clip(np.array(ends), 0, None),
        color=colour,
        marker=marker,
        markersize=size,
        capsize=3,
        linewidth=2.2 if size > 5 else 1,
    )
