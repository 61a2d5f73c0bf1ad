"""Conditions compared with the first of them, over seeds: the table of a sweep, as text, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from rich.table import Table

from analysis.scores import Score
from analysis.statistics import (
    Estimate,
    Paired,
    anchored_iqm,
    holm,
    least_p,
    paired,
    probability_of_improvement,
)
from culture.clustered import LEVEL

Scores = Mapping[str, Mapping[int, Score]]
"""By condition, then by seed."""


@dataclass(frozen=True, slots=True)
class Row:
    """One condition."""

    condition: str
    score: str
    """``held_out``, or the measure's name."""
    runs: int
    questions: int
    """Anchors that all its runs answered, or domains."""
    iqm: Estimate | None
    """Over runs and cells; see ``analysis.statistics.anchored_iqm``. None without a run."""
    mean: float
    """Over runs of what they scored in the mean."""
    against: Paired | None
    """Of runs' means, less those of the first condition with the same seed; None for the first."""
    t_p: float
    """Paired t, after Holm over the conditions; NaN where it cannot be told."""
    sign_flip_p: float
    """Sign flips, after Holm over the conditions; NaN where it cannot be told."""
    improvement: Estimate | None
    """Chance that a run of it beats one of the first condition."""


def compared(scores: Scores, name: str) -> list[Row]:
    """A row a condition, in their order; the first is what the others are compared with."""
    if not scores:
        return []
    base = next(iter(scores))
    means = {c: {seed: s.mean for seed, s in runs.items() if s.values} for c, runs in scores.items()}
    against = {c: paired(means[c], means[base]) for c in scores if c != base}
    t = dict(zip(against, holm([a.t_p for a in against.values()]), strict=True))
    flips = dict(zip(against, holm([a.sign_flip_p for a in against.values()]), strict=True))
    rows = []
    for condition, runs in scores.items():
        played = [s for s in runs.values() if s.values]
        asked = _shared(played)
        found, questions = None, 0
        if played and asked:
            table = np.array([[s.values[q] for q in asked] for s in played])
            cells = [played[0].strata[q] for q in asked]
            anchors = [played[0].anchors.get(q, q) for q in asked]
            found = anchored_iqm(table, cells, anchors)
            questions = len(set(anchors))
        mine, theirs = list(means[condition].values()), list(means[base].values())
        better = condition != base and mine and theirs
        rows.append(
            Row(
                condition=condition,
                score=name,
                runs=len(played),
                questions=questions,
                iqm=found,
                mean=float(np.mean(mine)) if mine else math.nan,
                against=against.get(condition),
                t_p=t.get(condition, math.nan),
                sign_flip_p=flips.get(condition, math.nan),
                improvement=probability_of_improvement(mine, theirs) if better else None,
            )
        )
    return rows


def _shared(runs: Sequence[Score]) -> list[str]:
    asked = [set(run.values) for run in runs]
    return sorted(set.intersection(*asked)) if asked else []


def remarks(scores: Scores, name: str) -> list[str]:
    """What a reader of the table has to know beside it."""
    found = []
    asked = {c: set(_shared([s for s in runs.values() if s.values])) for c, runs in scores.items()}
    known = {c: questions for c, questions in asked.items() if questions}
    if len({frozenset(questions) for questions in known.values()}) > 1:
        found.append(
            f"{name}: not all conditions were asked the same; differences also tell of the questions"
        )
    for condition, runs in scores.items():
        union = {q for s in runs.values() for q in s.values}
        if asked[condition] and (lost := len(union - asked[condition])):
            found.append(f"{condition}: {lost} of {len(union)} questions left out, not all runs have them")
    seeds = [{seed for seed, s in runs.items() if s.values} for runs in scores.values()]
    pairs = [len(seeds[0] & other) for other in seeds[1:]]
    if pairs and least_p(max(pairs)) > 1 - LEVEL:
        found.append(
            f"{max(pairs)} pairs cannot come to less than p = {least_p(max(pairs)):.3g} by sign flips; six "
            "seeds can come to 0.031"
        )
    return found


def shown(estimate: Estimate | None, form: str = ".3f") -> str:
    """``0.512 [0.470, 0.550]``; a dash where there is nothing."""
    if estimate is None or math.isnan(estimate.value):
        return "-"
    value = format(estimate.value, form)
    if estimate.low is None or estimate.high is None:
        return value
    return f"{value} [{format(estimate.low, form)}, {format(estimate.high, form)}]"


def table(rows: Sequence[Row]) -> Table:
    """For a console."""
    found = Table(box=None, pad_edge=False)
    found.add_column("condition", overflow="fold")
    for name in (
        "runs",
        "IQM [95%]",
        "mean",
        "less the first, paired [95%]",
        "p, t",
        "p, flips",
        "beats it",
    ):
        found.add_column(name, justify="left")
    for row in rows:
        found.add_row(
            row.condition,
            str(row.runs),
            shown(row.iqm),
            "-" if math.isnan(row.mean) else f"{row.mean:.3f}",
            shown(row.against.difference, "+.3f") if row.against is not None else "the first",
            _p(row.t_p),
            _p(row.sign_flip_p),
            "-" if row.improvement is None else shown(row.improvement, ".2f"),
        )
    return found


def _p(p: float) -> str:
    return "-" if math.isnan(p) else f"{p:.3g}"


def as_json(rows: Sequence[Row]) -> str:
    """JSON, with null for what is not known."""
    return json.dumps(_plain([asdict(row) for row in rows]), indent=1) + "\n"


_COLUMNS: Final = (
    *("condition", "score", "runs", "questions", "iqm", "iqm_low", "iqm_high", "mean", "pairs"),
    *("difference", "difference_low", "difference_high", "t_p", "t_p_holm", "sign_flip_p"),
    *("sign_flip_p_holm", "improvement", "improvement_low", "improvement_high"),
)
"""Of the CSV file of conditions."""


def as_csv(rows: Sequence[Row]) -> str:
    """CSV, a line a row, with nothing for what is not known."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        a = row.against
        line: list[object] = [row.condition, row.score, row.runs, row.questions, *_ends(row.iqm), row.mean]
        line += [None if a is None else a.pairs, *_ends(None if a is None else a.difference)]
        line += [a and a.t_p, row.t_p, a and a.sign_flip_p, row.sign_flip_p, *_ends(row.improvement)]
        writer.writerow([_plain(value) for value in line])
    return out.getvalue()


def runs_csv(scores: Mapping[str, Scores]) -> str:
    """CSV of what every run scored in the mean, a line a run and score; ``scores`` by name of the score."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["condition", "seed", "score", "mean", "questions"])
    for name, by_condition in scores.items():
        for condition, runs in by_condition.items():
            for seed, score in sorted(runs.items()):
                writer.writerow([condition, seed, name, _plain(score.mean), score.questions])
    return out.getvalue()


def _ends(estimate: Estimate | None) -> list[float | None]:
    return [None] * 3 if estimate is None else [estimate.value, estimate.low, estimate.high]


def _plain(value: object) -> object:
    """``value`` with None for what is not a number."""
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and math.isnan(value) else value
