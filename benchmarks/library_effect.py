"""Does the library help SmolLM2? Attempts that read it against those that read nothing, and placebos.

    python -m benchmarks.library_effect [--seeds 3] [--first 0] [--jobs 1] [--report]

SmolLM2-135M-Instruct before any training, on the bottom rung of arithmetic and transforms, with up to six
notes out of a library that begins with worked examples of the same families. Nothing is trained after
version 0, so all that differs between arms is what lies in the prompt. The same for spark in worlds that
only trying and reading tell about is the study `culture-effect`.

For each seed: the difference of success by intention to treat, errors clustered by problem. Over seeds: the
mean of those with Student's t at 95% (the seeds are a sample), and with the errors within runs alone (the
seeds are all there is), which is narrower.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import culture
from analysis.studies.playing import play
from arena.domains import make_domain
from arena.domains.base import Rejected
from arena.grid import configured
from arena.held_out import HeldOut
from arena.many import Planned
from arena.sandbox import Sandbox
from arena.telling import plain_console
from benchmarks.playing import interval
from culture.effect import CONTRASTS, Effect, culture_effect
from culture.seeds import generator

EXAMPLES = {"arithmetic": (80, 6.0), "transforms": (80, 16.0)}
"""How many a library begins with, and up to which difficulty."""
SETS = (
    "rollout.arms={library: 0.34, none: 0.33, placebo: 0.33}",
    "rounds=2",
    "rollout.notes=6",
    "rollout.problems=64",
    "rollout.attempts=3",
    "rollout.notes_written=48",
    "rollout.hard_below=1.0",
    "learner.every=1000",
    "engine.context=2048",
    "engine.prompt_chars=1500",
    "evaluation.every=100",
)


def write_examples(folder: Path) -> Path:
    """A folder of worked examples, no anchor among them, for a library to begin with."""
    if folder.exists():
        return folder
    partial = folder.with_name(folder.name + ".partial")
    partial.mkdir(parents=True, exist_ok=True)
    with Sandbox() as sandbox:
        for name, (count, target) in EXAMPLES.items():
            domain = make_domain(name)
            held_out = HeldOut({name: domain}, 12)
            rng = generator(0, "library_effect", name)
            specs = list(dict.fromkeys(domain.sample(rng, target * rng.random()) for _ in range(8 * count)))
            written = 0
            for spec, solution in zip(specs, domain.solve(specs, sandbox), strict=True):
                if isinstance(solution, Rejected) or written == count:
                    continue
                body = domain.example(spec, solution, "natural")
                if held_out.found_in(body) is None:
                    head = f"---\nkind: example\ndomain: {name}\n---\n\n"
                    (partial / f"{name}-{written}.md").write_text(f"{head}{body}\n")
                    written += 1
    partial.rename(folder)
    return folder


def line(effect: Effect) -> str:
    ends = "none" if effect.low is None else f"[{effect.low:+.3f}, {effect.high:+.3f}]"
    return (
        f"{effect.treatment} - {effect.control}: {effect.difference:+.3f} {ends}, "
        f"{effect.treated} and {effect.controls} attempts at {effect.problems} problems, "
        f"{effect.read_share:.0%} read"
    )


def report(runs: Path, seeds: range) -> None:
    """Print every seed's effects and those over seeds, by domain."""
    for domain in EXAMPLES:
        print(f"\n{domain}")
        found: dict[tuple[str, str], list[Effect]] = {}
        for seed in seeds:
            folder = runs / f"smollm2-{seed}"
            if not (folder / "run.yaml").exists():
                continue
            with culture.connect(folder) as log:
                rounds = log.execute("SELECT max(round) + 1 FROM rounds").fetchone()
                assert rounds is not None
                for effect in culture_effect(log, domain=domain, rounds=range(rounds[0])):
                    found.setdefault((effect.treatment, effect.control), []).append(effect)
                    print(f"  seed {seed}: {line(effect)}")
        for contrast in CONTRASTS:
            effects = found.get(contrast, [])
            if effects:
                mean = sum(e.difference for e in effects) / len(effects)
                text = f"  over {len(effects)} seeds, {contrast[0]} - {contrast[1]}, t: "
                text += interval([e.difference for e in effects], "+.3f")
                if all(e.standard_error is not None for e in effects):
                    error = math.sqrt(sum((e.standard_error or 0.0) ** 2 for e in effects)) / len(effects)
                    text += f", within runs [{mean - 1.96 * error:+.3f}, {mean + 1.96 * error:+.3f}]"
                print(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/library-effect"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    if not options.report:
        examples = write_examples(options.runs / "examples")
        sets = [*SETS, f"library.seed_from={examples.absolute()}"]
        planned = [Planned(f"smollm2-{s}", configured("smollm2", sets, s)) for s in seeds]
        play(planned, options.runs, options.jobs, plain_console())
    report(options.runs, seeds)


if __name__ == "__main__":
    main()
