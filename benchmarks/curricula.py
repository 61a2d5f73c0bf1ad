"""Which curriculum teaches most in equal time? Strategies by name, the same wall time each, several seeds.

    python -m benchmarks.curricula [--strategies learnability plr uniform] [--seeds 5] [--seconds 90]
        [--worst 0.25] [--runs runs/curricula] [--report]

Runs of the preset ``spark``, one after the other in this process, so that they do not take time from each
other. The clock starts after the warm-up and counts rounds with their commits; anchors are answered in
every round, and the last round that ended in time counts. The learning rate is constant, since nobody knows
beforehand how many rounds there will be. All strategies ask alike (``curriculum.asking``) but for the
shares that their sections set, and for ``ladder``, which begins at its own lowest rung; what each has of
settings is at its default.

For each strategy: the share of held-out anchors solved, and of those in the worst cells, ``--worst`` of all
(CVaR). Which cells are worst is told by one seed and their share reported from the next, since on the seed
that chose them they would be too bad by chance. Intervals are Student's t over seeds at 95%, differences
are to ``uniform``, paired by seed, and p is the paired t test's after Holm over all of them. ``--report``
only reads finished runs. The picture is ``curricula.png``.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

import culture
from analysis.statistics import holm, paired_t_p, t_interval
from arena.config import RunConfig
from arena.round import Progress
from arena.run import Run
from arena.settings import load
from benchmarks.playing import interval
from curricula import registered

BASELINE = "uniform"
UNEQUAL = {"paired"}
"""Strategies that need another population than the preset's."""
LONGEST = 100_000
"""Rounds: more than any budget holds."""
_SPENT = """
    SELECT round, sum(seconds + coalesce(after, 0)) OVER (ORDER BY round) AS spent
    FROM (SELECT round, seconds, lead(previous_commit_seconds) OVER (ORDER BY round) AS after FROM rounds)
"""
"""Seconds from the first round to the end of each, with its commit once the next round has told of it."""


class Enough(Exception):
    """The time of a run is spent."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one run came to within its time."""

    start: float
    """Share of held-out anchors solved after the warm-up."""
    cells: dict[str, float]
    """Share solved at the end, by cell of anchors."""
    end: float
    rounds: int
    difficulty: float
    """Mean of the problems admitted in the last round, in the domain's unit."""
    curve: list[tuple[float, float]]
    """Seconds spent, and share of held-out anchors solved."""


def play(folder: Path, strategy: str, seed: int, seconds: float, preset: str) -> None:
    """Play a run until its time is spent, or what is left of it."""
    if (folder / "run.yaml").exists():
        run = Run.open(folder)
    else:
        sets = [
            f"seed={seed}",
            f"rounds={LONGEST}",
            f"curriculum.strategy={strategy}",
            "learner.final_lr=1.0",
            "evaluation.every=1",
            "cluster.local=true",
        ]
        run = Run.create(folder, load(preset, sets, RunConfig))

    def watch(progress: Progress) -> None:
        if progress.phase == "committed" and spent(folder) >= seconds:
            raise Enough

    try:
        if spent(folder) < seconds:
            run.play(watch)
    except Enough:
        pass
    finally:
        run.close()
    print(f"{folder.name}: {spent(folder):.0f} s in {found(folder, seconds).rounds} rounds", flush=True)


def spent(folder: Path) -> float:
    """Seconds in rounds and their commits so far."""
    with culture.connect(folder) as log:
        row = log.execute(f"SELECT max(spent) FROM ({_SPENT})").fetchone()
    assert row is not None
    return row[0] or 0.0


def found(folder: Path, seconds: float) -> Found:
    """What a run came to in its first ``seconds``. Raises ValueError where no round ended in time."""
    with culture.connect(folder) as log:
        last = log.execute(f"SELECT max(round) FROM ({_SPENT}) WHERE spent <= ?", [seconds]).fetchone()
        if last is None or last[0] is None:
            raise ValueError(
                f"expected {folder} to end a round in {seconds:g} s, got none; write more --seconds"
            )
        cells = log.execute(
            "SELECT cell, avg(correct::INT) FROM evaluations WHERE round = $1 AND policy_version = (SELECT "
            "policy_version FROM evaluations WHERE round = $1 AND policy_version LIKE 'solver@%' ORDER BY "
            "split_part(policy_version, '@', 2)::INT DESC LIMIT 1) GROUP BY cell ORDER BY cell",
            [last[0]],
        ).fetchall()
        curve = log.execute(
            f"SELECT spent, value FROM ({_SPENT}) JOIN measures USING (round) "
            "WHERE name = 'held_out/solver' AND spent <= ? ORDER BY round",
            [seconds],
        ).fetchall()
        start = log.execute(
            "SELECT avg(correct::INT) FROM evaluations WHERE policy_version = 'solver@0'"
        ).fetchall()
        difficulty = log.execute("SELECT mean_difficulty FROM rounds WHERE round = ?", [last[0]]).fetchall()
    shares = {str(cell): float(share) for cell, share in cells}
    return Found(
        start=float(start[0][0]),
        cells=shares,
        end=float(curve[-1][1]),
        rounds=int(last[0]) + 1,
        difficulty=math.nan if difficulty[0][0] is None else float(difficulty[0][0]),
        curve=[(0.0, float(start[0][0])), *curve],
    )


def worst_elsewhere(runs: list[Found], worst: float) -> list[float]:
    """For each seed the share solved in the cells, ``worst`` of all, that are worst on the seed before it.

    NaN with one seed.
    """
    if len(runs) < 2:
        return [math.nan] * len(runs)
    values = []
    for chooser, reported in zip(runs[-1:] + runs[:-1], runs, strict=True):
        count = max(1, math.ceil(worst * len(chooser.cells)))
        cells = sorted(chooser.cells, key=lambda cell: (chooser.cells[cell], cell))[:count]
        values.append(float(np.mean([reported.cells[cell] for cell in cells])))
    return values


def report(options: argparse.Namespace) -> None:
    """Print the table and draw the picture."""
    runs = {
        name: [
            found(options.runs / f"{name}-{seed}", options.seconds)
            for seed in range(options.seeds)
            if (options.runs / f"{name}-{seed}" / "run.yaml").exists()
        ]
        for name in options.strategies
    }
    runs = {name: each for name, each in runs.items() if each}
    held = {name: [r.end for r in each] for name, each in runs.items()}
    tails = {name: worst_elsewhere(each, options.worst) for name, each in runs.items()}
    order = sorted(runs, key=lambda name: -float(np.mean(held[name])))
    print(f"\n{options.seconds:g} s a run, {options.seeds} seeds, preset {options.preset}")
    tail = f"worst {options.worst:.0%} of cells"
    less_ = f"less {BASELINE}"
    print(f"{'strategy':<18} {'held out':<24} {tail:<24} {less_:<24} {'p':<8} {'rounds':>6} difficulty")
    gains = {
        name: [a - b for a, b in zip(held[name], held[BASELINE], strict=True)]
        for name in order
        if BASELINE in held and name != BASELINE and len(held[BASELINE]) == len(held[name])
    }
    ps = dict(zip(gains, holm([paired_t_p(gain) for gain in gains.values()]), strict=True))
    for name in order:
        less = interval(gains[name]) if name in gains else ""
        p = f"{ps[name]:.2g}" if name in ps else ""
        rounds = np.mean([r.rounds for r in runs[name]])
        hard = np.mean([r.difficulty for r in runs[name]])
        both = f"{interval(held[name]):<24} {interval(tails[name]):<24}"
        print(f"{name:<18} {both} {less:<24} {p:<8} {rounds:>6.1f} {hard:.1f}")
    starts = [r.start for r in next(iter(runs.values()))]  # the warm-up of a seed is that of all strategies
    print(f"held out after the warm-up: {interval(starts)}")
    draw(options, order, held, tails, runs)
    print(f"picture: {options.runs / 'curricula.png'}")


def draw(
    options: argparse.Namespace,
    order: list[str],
    held: dict[str, list[float]],
    tails: dict[str, list[float]],
    runs: dict[str, list[Found]],
) -> None:
    """Points with intervals, a row a strategy, and the mean held-out share by time spent."""
    figure = Figure(figsize=(15, max(4.0, 2.5 + 0.35 * len(order))), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    left, middle, right = figure.subplots(1, 3)
    _points(left, order, held, "held-out anchors solved")
    _points(middle, order, tails, f"in the {options.worst:.0%} of cells that are worst on another seed")
    middle.set_yticklabels([])
    grid = np.linspace(0, options.seconds, 200)
    styles = ("-", "--", "-.", ":")
    for place, name in enumerate(order):
        # The share stays what it was until the next evaluation.
        steps = [
            [
                r.curve[max(int(np.searchsorted([t for t, _ in r.curve], x, "right")) - 1, 0)][1]
                for x in grid
            ]
            for r in runs[name]
        ]
        right.plot(
            grid,
            np.mean(steps, axis=0),
            styles[place // 10 % 4],
            color=f"C{place % 10}",
            label=name,
            linewidth=1.3,
        )
    right.set_xlabel("seconds in rounds")
    right.set_ylabel("held-out anchors solved, mean over seeds")
    right.yaxis.set_major_formatter(PercentFormatter(1.0))
    right.legend(fontsize=7, ncols=2, frameon=False)
    for axes in (left, middle, right):
        axes.grid(alpha=0.3)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.savefig(options.runs / "curricula.png")


def _points(axes: Axes, order: list[str], values: dict[str, list[float]], title: str) -> None:
    for row, name in enumerate(order):
        mean = t_interval(values[name])
        axes.plot(values[name], [row] * len(values[name]), "|", color="#999999")
        if mean.low is not None and mean.high is not None:
            axes.plot([mean.low, mean.high], [row, row], "-", color="#0072B2")
        axes.plot(mean.value, row, "o", color="#0072B2")
    axes.set_yticks(range(len(order)), order)
    axes.invert_yaxis()
    axes.set_xlabel(title)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/curricula"))
    parser.add_argument("--preset", default="spark")
    parser.add_argument(
        "--strategies", nargs="+", default=sorted(set(registered()) - UNEQUAL), choices=registered()
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=90.0)
    parser.add_argument("--worst", type=float, default=0.25)
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    if not options.report:
        for seed in range(options.seeds):
            for strategy in options.strategies:
                play(options.runs / f"{strategy}-{seed}", strategy, seed, options.seconds, options.preset)
    report(options)


if __name__ == "__main__":
    main()
