"""A shipped study, played from end to end, and whether its claim held."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Table

from analysis.studies import design
from analysis.studies.base import Log, Study, judged
from analysis.studies.playing import play
from analysis.studies.verdicts import VERDICT, Judgement, earlier
from arena.faults import nearest
from arena.many import Planned, check, standing
from arena.run_names import Wrong, named
from arena.telling import plain_console
from arena.versions import code_version
from culture.catalog import connect

NAMES = ("collapse", "culture-effect", "curriculum", "generations", "ratchet", "topology")
"""Shipped studies: a module of this package each, with underscores for dashes."""


def shipped(name: str) -> Study:
    """A study by name. Raises Wrong, with the nearest name."""
    if name not in NAMES:
        near = nearest(name, NAMES)
        advice = f"write {near!r} instead" if near else "`study` without a name lists them"
        raise Wrong(f"expected a study among {', '.join(NAMES)}, got {name!r}; {advice}")
    found = import_module(f"analysis.studies.{name.replace('-', '_')}").STUDY
    assert isinstance(found, Study)
    return found


def play_study(
    name: str, runs: Path, *, seeds: int | None, rounds: int | None, jobs: int | None, report_only: bool
) -> bool:
    """Play a study's runs and say what they came to; whether all of them are finished.

    Raises Wrong where there is no such study, or a folder holds another run.
    """
    chosen, console = shipped(name), plain_console()
    folder = folder_of(chosen, runs, rounds)
    numbers = seeds_of(chosen, seeds)
    planned = runs_of(chosen, numbers, rounds)
    every = [p for each in planned.values() for p in each.values()]
    whole = True
    if report_only:
        check(folder, every)
    else:
        _say(console, f"{chosen.claim}\n\n{chosen.design}\n")
        design.keep(folder, chosen)
        whole = play(every, folder, jobs, console)
    judgement = judge(chosen, folder, planned, rounds)
    for line in judgement.lines():
        _say(console, line)
    (folder / VERDICT).write_text(judgement.json(), encoding="utf-8")
    _say(console, f"written: {folder / VERDICT}")
    return whole


def folder_of(chosen: Study, runs: Path, rounds: int | None) -> Path:
    """Where a study's runs are; those of other lengths than agreed are apart."""
    other = "" if rounds in (None, chosen.rounds) else f"-{rounds}-rounds"
    return runs / f"study-{chosen.name}{other}"


def seeds_of(chosen: Study, count: int | None) -> list[int]:
    """The seeds agreed on, or so many: the first of them, and those that follow the last."""
    if count is None:
        return list(chosen.seeds)
    last = chosen.seeds[-1]
    return [*chosen.seeds, *range(last + 1, last + 1 + count)][:count]


def runs_of(chosen: Study, seeds: list[int], rounds: int | None = None) -> dict[int, dict[str, Planned]]:
    """The runs of a study by seed and condition. Raises ConfigError where a setting is bad."""
    length = chosen.rounds if rounds is None else rounds
    return {
        seed: {
            condition: Planned(
                f"{condition}-seed{seed}", design.configuration(chosen, condition, seed, length)
            )
            for condition in chosen.conditions
        }
        for seed in seeds
    }


def judge(
    chosen: Study,
    folder: Path,
    planned: Mapping[int, Mapping[str, Planned]],
    rounds: int | None,
) -> Judgement:
    """The verdict by the seeds of which all runs are finished. Raises Wrong where there is none."""
    finished = [
        seed
        for seed, each in planned.items()
        if all(standing(folder / p.name, p).state == "finished" for p in each.values())
    ]
    if not finished:
        raise Wrong(
            f"expected a seed of which all runs are finished in {named(folder)}, got none; leave out "
            "--report-only, or read why runs failed in the .log files there"
        )
    with ExitStack() as stack:
        logs: dict[int, dict[str, Log]] = {
            seed: {c: stack.enter_context(connect(folder / p.name)) for c, p in planned[seed].items()}
            for seed in finished
        }
        verdict, predicted, looked = judged(chosen, logs)
    changes = []
    if rounds not in (None, chosen.rounds):
        changes.append(f"{rounds} rounds instead of {chosen.rounds}")
    if list(planned) != list(chosen.seeds):
        changes.append(f"{len(planned)} seeds instead of {len(chosen.seeds)}")
    if len(finished) < len(planned):
        changes.append(f"{len(planned) - len(finished)} of {len(planned)} seeds are not finished")
    changes += design.changes(folder, chosen)
    return Judgement(
        study=chosen,
        verdict=verdict,
        predicted=predicted,
        looked=looked,
        seeds=finished,
        rounds=chosen.rounds if rounds is None else rounds,
        changes=changes,
        code_version=code_version(),
    )


def list_studies(runs: Path) -> None:
    """Print what there is, and what came of what was played."""
    console = plain_console()
    table = Table("study", "runs", "minutes", "verdict here", "claim", box=None, pad_edge=False)
    for name in NAMES:
        found = shipped(name)
        count = str(len(found.conditions) * len(found.seeds))
        verdict = earlier(folder_of(found, runs, None)) or "-"
        table.add_row(name, count, f"{found.minutes:g}", verdict, found.claim)
    console.print(table)
    _say(
        console,
        "\nminutes: about so many on two idle cores; play one with: python run_arena.py study ratchet",
    )


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=not console.is_terminal)
