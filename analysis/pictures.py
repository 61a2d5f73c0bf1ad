"""Pictures of a run, drawn from its log."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from analysis.history import START, difficulties, measured, scores, wilson

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's, which the colour-blind tell apart; line styles and markers say the same again."""
STYLES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P")
OUTCOMES = (
    ("admitted", "", "#0072B2"),
    ("duplicate", "///", "#E69F00"),
    ("invalid", "xxx", "#D55E00"),
    ("other", "...", "#999999"),
)
"""What came of proposals, with hatching and colour."""
CELLS = 48
"""Most rows of the heat map that are labelled."""


def curriculum_picture(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Draw what was asked and what was learned, round by round, as a PNG of 1600 × 1000 pixels.

    Raises ValueError where no round is committed yet. An existing file is replaced only by a whole one.
    """
    name = connection.execute("SELECT name, seed FROM runs").fetchone()
    rounds = connection.execute("SELECT count(*) FROM rounds").fetchone()
    if name is None or rounds is None or not rounds[0]:
        raise ValueError("expected a run with a committed round, got none; draw it after the first round")
    figure = Figure(figsize=(16, 10), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{name[0]}: {rounds[0]} rounds, seed {name[1]}", fontsize=15, parse_math=False)
    (difficulty, success), (proposals, cells) = figure.subplots(2, 2)
    _difficulty(difficulty, connection)
    _success(success, connection)
    _proposals(proposals, connection)
    _cells(cells, connection)
    for axes in (difficulty, proposals):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (difficulty, success, proposals):
        axes.set_xlabel("round")
        axes.set_axisbelow(True)
        axes.grid(alpha=0.3)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    partial = path.with_name(f".{path.name}.partial")
    figure.savefig(partial, format="png")
    partial.replace(path)


def _difficulty(axes: Axes, connection: duckdb.DuckDBPyConnection) -> None:
    axes.set_title("Difficulty of the admitted problems")
    axes.set_ylabel("difficulty (each domain's own unit)")
    found = difficulties(connection)
    frontiers = measured(connection, "frontier")
    for i, domain in enumerate(sorted({d.domain for d in found} | set(frontiers))):
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        mine = [d for d in found if d.domain == domain]
        x = [d.round for d in mine]
        axes.fill_between(
            x,
            [d.low for d in mine],
            [d.high for d in mine],
            color=colour,
            alpha=0.15,
            linewidth=0,
            label=f"{domain}: 10th to 90th percentile",
        )
        axes.plot(
            x,
            [d.mean for d in mine],
            color=colour,
            marker=marker,
            markersize=4,
            markevery=_every(x),
            label=f"{domain}: mean",
        )
        frontier = frontiers.get(domain, [])
        if frontier:
            axes.plot(
                *zip(*frontier, strict=True),
                color=colour,
                linestyle=":",
                linewidth=2.5,
                label=f"{domain}: frontier, as the curriculum estimates it",
            )
    axes.set_ylim(bottom=0)
    _legend(axes)


def _success(axes: Axes, connection: duckdb.DuckDBPyConnection) -> None:
    axes.set_title("Success: on the school's own problems, and on held-out anchors")
    axes.set_ylabel("share right, with 95% intervals")
    rows = connection.execute(
        "SELECT domain, round, count(*) FILTER (correct), count(*) FROM attempts "
        "WHERE NOT replay AND verdict <> 'error' GROUP BY ALL ORDER BY domain, round"
    ).fetchall()
    held_out = scores(connection)
    for i, domain in enumerate(sorted({r[0] for r in rows} | {s.domain for s in held_out})):
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        mine = [(r[1], r[2], r[3]) for r in rows if r[0] == domain]
        if mine:
            x = [at for at, _, _ in mine]
            ends = np.array([wilson(right, n) for _, right, n in mine])
            axes.fill_between(x, ends[:, 0], ends[:, 1], color=colour, alpha=0.15, linewidth=0)
            axes.plot(
                x,
                [right / n for _, right, n in mine],
                color=colour,
                linestyle="--",
                label=f"{domain}: new problems",
            )
        policies = sorted({s.policy for s in held_out if s.domain == domain})
        for j, policy in enumerate(policies):
            line = [s for s in held_out if s.domain == domain and s.policy == policy]
            share = np.array([s.share for s in line])
            ends = np.array([s.interval for s in line])
            who = f" ({policy})" if len(policies) > 1 else ""
            axes.errorbar(
                [s.round for s in line],
                share,
                yerr=np.clip([share - ends[:, 0], ends[:, 1] - share], 0, None),
                color=colour,
                marker=marker,
                linestyle=STYLES[2 * (j % 2)],
                capsize=3,
                linewidth=1.8,
                label=f"{domain}: held out{who}",
            )
    axes.set_ylim(-0.02, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    _legend(axes)
    if any(s.round == START for s in held_out):
        last = max([r[1] for r in rows] + [s.round for s in held_out])
        ticks = [
            t
            for t in MaxNLocator(integer=True).tick_values(0, max(1, last))
            if 0 <= t <= last and (last < 15 or t > last / 15)
        ]
        axes.set_xticks([START, *ticks], ["start", *(f"{t:.0f}" for t in ticks)])


def _proposals(axes: Axes, connection: duckdb.DuckDBPyConnection) -> None:
    axes.set_title("What came of the proposals")
    axes.set_ylabel("proposals")
    rows = connection.execute(
        """
        SELECT round, count(*) FILTER (status = 'admitted'), count(*) FILTER (reason = 'duplicate'),
            count(*) FILTER (reason LIKE 'invalid%'),
            count(*) FILTER (status <> 'admitted' AND reason <> 'duplicate' AND reason NOT LIKE 'invalid%')
        FROM problems GROUP BY round ORDER BY round
        """
    ).fetchall()
    if not rows:
        return
    table = np.array(rows, float)
    below = np.zeros(len(table))
    for column, (label, hatch, colour) in enumerate(OUTCOMES, start=1):
        heights = table[:, column]
        share = heights.sum() / table[:, 1:].sum()
        axes.bar(
            table[:, 0],
            heights,
            bottom=below,
            width=1.0 if len(table) > 40 else 0.85,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            linewidth=0,
            label=f"{label} ({share:.1%})",
        )
        below += heights
    axes.set_ylim(0, below.max() * 1.22)
    axes.legend(loc="upper center", ncols=4, fontsize=9, frameon=False)


def _cells(axes: Axes, connection: duckdb.DuckDBPyConnection) -> None:
    axes.set_title("Held-out success by anchor cell")
    rows = connection.execute(
        f"""
        SELECT domain, cell,
            CASE WHEN policy_version LIKE '%@0' AND round = 0 THEN {START} ELSE round END AS evaluated,
            avg(correct::INTEGER), min(rowid)
        FROM evaluations GROUP BY ALL ORDER BY domain, min(rowid)
        """
    ).fetchall()
    if not rows:
        axes.text(0.5, 0.5, "no evaluation yet", ha="center", transform=axes.transAxes)
        axes.set_axis_off()
        return
    # In the order in which anchors are answered, which is from the easiest cell on.
    names = list(dict.fromkeys((r[0], r[1]) for r in rows))
    times = sorted({r[2] for r in rows})
    image = np.full((len(names), len(times)), np.nan)
    for domain, cell, at, share, _ in rows:
        image[names.index((domain, cell)), times.index(at)] = share
    several = len({domain for domain, _ in names}) > 1
    drawn = axes.imshow(image, aspect="auto", cmap="cividis", vmin=0, vmax=1, interpolation="nearest")
    axes.set_xticks(range(len(times)), ["start" if t == START else str(t) for t in times])
    if len(names) <= CELLS:
        labels = [f"{domain} {cell}" if several else cell for domain, cell in names]
        axes.set_yticks(range(len(names)), labels, fontsize=7 if len(names) > 24 else 9)
    axes.set_xlabel("round of the evaluation")
    axes.set_ylabel("anchor cell, the easiest on top")
    numbered = len(times) <= 20 and len(names) <= 32
    if numbered:
        for (row, column), share in np.ndenumerate(image):
            if not np.isnan(share):
                axes.text(
                    column,
                    row,
                    f"{100 * share:.0f}",
                    ha="center",
                    va="center",
                    fontsize=8 if len(names) <= 24 else 6,
                    color="black" if share > 0.5 else "white",
                )
    bar = axes.figure.colorbar(drawn, ax=axes, format=PercentFormatter(1))
    bar.set_label("share right" + (" (numbers in per cent)" if numbered else ""))


def _every(x: list[int]) -> int:
    """Markers at about twenty points, so that they tell lines apart and do not hide them."""
    return max(1, len(x) // 20)


def _legend(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=9, framealpha=0.9)
