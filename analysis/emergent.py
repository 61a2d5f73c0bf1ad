"""What curriculum emerged, in lines for the summary: abilities and difficulties on one scale, and what
follows."""

from __future__ import annotations

import duckdb

from curricula.ability import (
    Standing,
    Standings,
    attempted,
    difficulties,
    evaluated_domains,
    standings_of,
)
from curricula.calibration import NotCalibrated
from curricula.emergence import annecs

Line = tuple[str, str]
"""A label and a text."""


def scale_lines(log: duckdb.DuckDBPyConnection) -> list[Line]:
    """Where policies and problems stand, in logits on the scale that all answers to anchors fix."""
    lines: list[Line] = []
    for domain in evaluated_domains(log):
        try:
            found = standings_of(log, domain, errors=False)
        except NotCalibrated as reason:
            lines.append((f"{domain}, ability", f"no scale yet: {reason}"))
            continue
        learners, _ = found.scale.fit(found.responses)
        run = found.versions[0].run
        policies = dict.fromkeys(s.policy for s in found.versions)
        for policy in policies:
            versions = found.of(run, policy)
            ends = [_ability(s) for s in (versions[0], versions[-1])[: len(versions)]]
            infit, outfit = learners[f"{run} {versions[-1].policy_version}"]
            text = (
                f"{policy}: {' -> '.join(ends)}; the last fits with infit {infit:.2f}, outfit {outfit:.2f}"
            )
            lines.append((f"{domain}, ability", text))
        lines += _difficulties(log, domain, found)
    return lines


def _ability(s: Standing) -> str:
    a = s.ability
    when = "at the start" if s.version == 0 else f"in round {s.round}"
    return f"{a.value:+.2f} [{a.low:+.2f}, {a.high:+.2f}] {when}"


def _difficulties(log: duckdb.DuckDBPyConnection, domain: str, found: Standings) -> list[Line]:
    placed = difficulties(log, domain, found.versions)
    if not placed:
        return []
    ability = {s.policy_version: s.ability.value or 0.0 for s in found.versions}
    by_round: dict[int, list[float]] = {}
    for a in attempted(log, domain):
        if a.policy_version in ability:
            by_round.setdefault(a.round, []).append(ability[a.policy_version])
    ends = []
    for round in dict.fromkeys((min(placed), max(placed))):
        low, high = placed[round].interval
        gap = placed[round].mean - sum(by_round[round]) / len(by_round[round])
        place = f"{placed[round].mean:+.2f} [{low:+.2f}, {high:+.2f}] in round {round}"
        ends.append(f"{place}, {gap:+.2f} above its solvers")
    return [(f"{domain}, problems", " -> ".join(ends))]


MEASURES = {
    "frontier_difficulty": ("solves half of", "{:.1f}", "in the domain's difficulty"),
    "zone": ("in the zone", "{:.1%}", "of new problems, solved with a probability from 0.2 to 0.8"),
    "zone_library": ("with the library only", "{:.1%}", "of new problems"),
    "zone_reversed": ("without it only", "{:.1%}", "of new problems"),
    "novelty": ("novelty", "{:.2f}", "from the nearest earlier problems"),
    "worst_cells": ("worst cells", "{:.1%}", "of the anchors of the worst quarter of the cells"),
    "forgetting_anchors": ("forgotten", "{:.1%}", "of the anchors, solved before"),
    "backward_transfer": ("earlier problems", "{:+.1%}", "since the version that had just met them"),
    "transfer": ("transfer", "{:.1%}", "of the anchors"),
}
"""Measures that are told: their labels, how a value is written, and what it is of."""


def emergence_lines(log: duckdb.DuckDBPyConnection) -> list[Line]:
    """The first and the last value of measures of emergence, and ANNECS over all rounds."""
    lines: list[Line] = []
    rows = log.execute(
        """
        SELECT domain, split_part(name, '/', 1) AS kind, split_part(name, '/', 2) AS policy,
            min(round), arg_min(value, round), max(round), max_by((value, low, high), round)
        FROM measures WHERE value IS NOT NULL AND list_contains($kinds, kind) GROUP BY ALL ORDER BY ALL
        """,
        {"kinds": list(MEASURES)},
    ).fetchall()
    order = {kind: at for at, kind in enumerate(MEASURES)}
    rows.sort(key=lambda row: (row[0], order[row[1]], row[2]))
    for domain, kind, policy, first, before, last, (now, low, high) in rows:
        label, form, of = MEASURES[kind]
        text = f"{form.format(now)}"
        if low is not None and high is not None:
            text += f" [{form.format(low)}, {form.format(high)}]"
        text += f" in round {last}"
        if first < last:
            text = f"{form.format(before)} in round {first} -> {text}"
        lines.append((f"{domain}, {label}", f"{policy + ': ' if policy else ''}{text}; {of}"))
    for domain in evaluated_domains(log):
        solved, again = annecs(log, domain)
        if again:
            text = f"{solved} of the {again} problems that nobody solved at first and that were tried again"
            lines.append((f"{domain}, solved later", text))
    return lines
