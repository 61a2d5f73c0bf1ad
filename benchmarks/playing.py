"""Playing the runs of a study, each resumed where it was cut off, and intervals over seeds."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats


@dataclass(frozen=True, slots=True)
class Planned:
    """A run that a study needs."""

    name: str
    preset: str
    seed: int
    overrides: Sequence[str] = ()

    def command(self, runs: Path) -> list[str]:
        """What plays it, or what is left of it."""
        base = [sys.executable, "-m", "run_arena"]
        folder = runs / self.name
        if (folder / "run.yaml").exists():
            return [*base, "resume", str(folder)]
        sets = [x for s in self.overrides for x in ("--set", s)]
        named = ["--name", self.name, "--runs", str(runs), "--seed", str(self.seed)]
        return [*base, "run", self.preset, *named, *sets]


def play(planned: Iterable[Planned], runs: Path, jobs: int) -> None:
    """Play runs, ``jobs`` at a time; what each prints goes to a file beside its folder."""
    runs.mkdir(parents=True, exist_ok=True)
    waiting, running = list(planned), dict[str, subprocess.Popen[bytes]]()
    while waiting or running:
        while waiting and len(running) < jobs:
            run = waiting.pop(0)
            log = (runs / f"{run.name}.log").open("w")
            running[run.name] = subprocess.Popen(run.command(runs), stdout=log, stderr=subprocess.STDOUT)
            print(f"started {run.name}", flush=True)
        time.sleep(1)
        for name, process in list(running.items()):
            if process.poll() is not None:
                del running[name]
                print(f"{name}: exit {process.returncode}", flush=True)
                if process.returncode:
                    print((runs / f"{name}.log").read_text()[-2000:], flush=True)


def over_seeds(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and Student's t interval at 95%, NaN with fewer than two values."""
    x = np.asarray(values, float)
    if len(x) < 2:
        return float(x.mean()), float("nan"), float("nan")
    half = float(stats.t.ppf(0.975, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x)))
    return float(x.mean()), float(x.mean()) - half, float(x.mean()) + half


def interval(values: Sequence[float]) -> str:
    """Mean and 95% t-interval, as text."""
    mean, low, high = over_seeds(values)
    return f"{mean:.3f}" if len(values) < 2 else f"{mean:.3f} [{low:.3f}, {high:.3f}]"
