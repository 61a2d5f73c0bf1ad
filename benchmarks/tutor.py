"""How many questions an adaptive test saves: the tutor against fixed tests, on real policy versions.

    python -m benchmarks.tutor RUN RUN ... [--domain transforms] [--seeds 10] [--live]

Every anchor was answered by every evaluated version, greedily, so what it would answer to any test is in
the log: a test asks for a part of that. Versions of each run are tested on a scale that was calibrated on
the other runs alone, so that nobody is measured by items that were fitted to its own answers.

For each standard error, the questions until it is reached: by the tutor, and by a fixed test, which asks
the same anchors in a random order of its seed. For each length of a fixed test, the standard error that it
comes to and the questions that the tutor needs for the same. Both estimate by the posterior under the same
prior. Then, where the tutor stopped: how far its estimate lies from that by all anchors, in standard errors
of the difference; and whether problems that it would serve at the edge are in fact solved as often as they
are to be.

Intervals are Student's t over runs at 95%: versions of a run are not independent. ``--live`` also lets an
engine answer as the last version of the last run, question by question.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import culture
from arena.tutoring import latest, pupil
from benchmarks.playing import interval
from culture.seeds import generator
from curricula.ability import Evaluated, evaluated, standings
from curricula.calibration import Scale
from curricula.irt import Posterior
from curricula.tutor import BAND, Tutor

ERRORS = (0.6, 0.5, 0.4, 0.3)
LENGTHS = (24, 48, 96)
STOP = 0.5
"""Logits: where the tutor stops before it serves."""
SERVED = 12


@dataclass(frozen=True, slots=True)
class Path_:
    """A test of all anchors in some order: after each question the posterior's standard deviation and
    mean."""

    errors: np.ndarray
    values: np.ndarray

    def until(self, error: float) -> float:
        """Questions until so small an error; NaN where all anchors do not reach it."""
        there = np.flatnonzero(self.errors <= error)
        return float(there[0] + 1) if len(there) else float("nan")


def fixed(scale: Scale, answers: dict[str, bool], order: Sequence[str]) -> Path_:
    places = {i.item_id: i for i in scale.items}
    posterior = Posterior(scale.mean, scale.deviation)
    errors, values = [], []
    for name in order:
        posterior.update([float(answers[name])], [places[name].difficulty])
        a = posterior.ability()
        errors.append(a.standard_error)
        values.append(a.value)
    return Path_(np.array(errors), np.array(values))


def adaptive(scale: Scale, answers: dict[str, bool], seed: int) -> Path_:
    tutor = Tutor(scale, standard_error=1e-9, seed=seed)
    errors, values = [], []
    while (item := tutor.ask()) is not None:
        tutor.tell(item.item_id, answers[item.item_id])
        errors.append(tutor.ability.standard_error)
        values.append(tutor.ability.value)
    return Path_(np.array(errors), np.array(values))


def served(scale: Scale, answers: dict[str, bool], seed: int) -> tuple[list[bool], list[bool]]:
    """Outcomes of what the tutor serves after its test, and of as many anchors drawn at random."""
    tutor = Tutor(scale, standard_error=STOP, seed=seed)
    tutor.test(lambda item: answers[item.item_id])
    rest = [i for i in scale.items if i.item_id not in tutor.asked]
    edge = tutor.edge((i.item_id, i.difficulty, i.standard_error or 0.0) for i in rest)[:SERVED]
    drawn = generator(seed, "served").permutation(len(rest))[: len(edge)]
    return [answers[s.problem_id] for s in edge], [answers[rest[int(i)].item_id] for i in drawn]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--domain", default="transforms")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--live", action="store_true")
    options = parser.parse_args()
    if len(options.runs) < 2:
        parser.error("expected at least 2 runs: the scale of each is calibrated on the others")
    answers: dict[str, list[Evaluated]] = {}
    for folder in options.runs:
        with culture.connect(folder) as log:
            answers[folder.name] = evaluated(log, options.domain)
    report(answers, options.seeds)
    if options.live:
        live(options.runs[-1], answers, options.domain)


def report(answers: dict[str, list[Evaluated]], seeds: int) -> None:
    until: dict[float, dict[str, list[tuple[float, float]]]] = {e: {} for e in ERRORS}
    lengths: dict[int, dict[str, list[tuple[float, float]]]] = {n: {} for n in LENGTHS}
    away: dict[str, dict[str, list[float]]] = {"tutor": {}, "fixed": {}}
    solved: dict[str, dict[str, list[float]]] = {"served": {}, "random": {}}
    empty = tests = 0
    for run, given in answers.items():
        scale = standings({name: a for name, a in answers.items() if name != run}).scale
        names = {i.item_id for i in scale.items}
        versions: dict[str, dict[str, bool]] = {}
        for e in given:
            if e.anchor_id in names:
                versions.setdefault(e.policy_version, {}).setdefault(e.anchor_id, e.right)
        whole = {v: a for v, a in versions.items() if len(a) == len(names)}
        print(f"{run}: {len(whole)} versions, {len(names)} anchors")
        for version, right in whole.items():
            every = scale.ability(right)
            for seed in range(seeds):
                order = sorted(names)
                generator(seed, "order", run, version).shuffle(order)  # type: ignore[arg-type]
                plain, tutored = fixed(scale, right, order), adaptive(scale, right, seed)
                for error in ERRORS:
                    until[error].setdefault(run, []).append((tutored.until(error), plain.until(error)))
                for n in LENGTHS:
                    reached = float(plain.errors[n - 1])
                    lengths[n].setdefault(run, []).append((tutored.until(reached), reached))
                for name, path in (("tutor", tutored), ("fixed", plain)):
                    at = path.until(STOP)
                    if np.isnan(at):
                        continue
                    # all anchors hold those of the test: their errors differ by the variances
                    spread = float(path.errors[int(at) - 1]) ** 2 - (every.standard_error or 0.0) ** 2
                    if spread > 0:
                        z = (float(path.values[int(at) - 1]) - (every.value or 0.0)) / spread**0.5
                        away[name].setdefault(run, []).append(z * z)
                edge, drawn = served(scale, right, seed)
                tests += 1
                empty += not edge
                solved["served"].setdefault(run, []).extend(map(float, edge))
                solved["random"].setdefault(run, []).extend(map(float, drawn))

    print(f"\nquestions until a standard error, mean over {seeds} seeds and all versions, 95% t over runs")
    print("  error  reached  tutor                  fixed test, random order  tutor / fixed")
    for error, by_run in until.items():
        pairs = {run: np.array(rows) for run, rows in by_run.items()}
        both = {run: p[~np.isnan(p).any(axis=1)] for run, p in pairs.items()}
        share = np.concatenate([~np.isnan(p).any(axis=1) for p in pairs.values()]).mean()
        both = {run: p for run, p in both.items() if len(p)}
        if not both:
            continue
        tutor, plain = ([float(p[:, at].mean()) for p in both.values()] for at in (0, 1))
        ratio = [a / b for a, b in zip(tutor, plain, strict=True)]
        print(f"  {error:<5}  {share:6.0%}   {interval(tutor):<22} {interval(plain):<25} {interval(ratio)}")
    print("\nquestions that the tutor needs for the standard error of a fixed test")
    print("  length  its error              tutor                  tutor / length")
    for n, by_run in lengths.items():
        rows = [np.array(r) for r in by_run.values()]
        tutor, errors = ([float(np.nanmean(r[:, at])) for r in rows] for at in (0, 1))
        print(f"  {n:<6}  {interval(errors):<22} {interval(tutor):<22} {interval([t / n for t in tutor])}")
    print(f"\nat a standard error of {STOP}: squared distance from the estimate by all anchors, in its")
    print("variance; 1 where errors are as claimed")
    for name, by_run in away.items():
        print(f"  {name:<6} {interval([float(np.mean(z)) for z in by_run.values()])}")
    print(f"\nsolved, of up to {SERVED} anchors not asked yet; to be solved with a probability in {BAND}")
    for name, by_run in solved.items():
        print(f"  {name:<6} {interval([float(np.mean(x)) for x in by_run.values() if x])}")
    print(f"  nothing to serve after {empty} of {tests} tests")


def live(folder: Path, answers: dict[str, list[Evaluated]], domain: str) -> None:
    """An engine answers in the place of the log."""
    scale = standings({name: a for name, a in answers.items() if name != folder.name}).scale
    version = latest(folder)
    stored: dict[str, bool] = {}
    for e in answers[folder.name]:
        if e.policy_version == version:
            stored.setdefault(e.anchor_id, e.right)
    started = time.perf_counter()
    with pupil(folder, version, domain) as answer:
        tutor = Tutor(scale, standard_error=STOP, seed=0)
        found = tutor.test(answer)
    seconds = time.perf_counter() - started
    print(f"\nlive: {folder.name}, {version}, {len(tutor.asked)} questions in {seconds:.1f} s")
    for name, ability in (
        ("by the tutor", found),
        (f"by all {len(stored)} anchors", scale.ability(stored)),
    ):
        print(f"  {name}: {ability.value:+.2f} [{ability.low:+.2f}, {ability.high:+.2f}] logits")


if __name__ == "__main__":
    main()
