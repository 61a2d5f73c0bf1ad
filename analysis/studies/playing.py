"""Playing the runs of a sweep or a study, with progress, so that it can be stopped and called again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from arena.console import duration
from arena.estimate import rough_seconds
from arena.many import Planned, Standing, Tasks, check, jobs_at_once, ready, warmed_alike
from arena.run_names import named
from arena.stopping import stoppable

_LINE_EVERY = 60.0
"""Seconds between lines about where runs are, where there is no terminal."""


def play(planned: Sequence[Planned], runs: Path, jobs: int | None, console: Console) -> bool:
    """Play what is left of ``planned`` in ``runs``; whether all of it is finished.

    Raises Wrong where a folder holds another run or a run lacks what it needs, typer.Exit after Ctrl-C.
    """
    check(runs, planned)
    ready(planned)
    at_once = jobs_at_once(planned, jobs)
    tasks = Tasks(planned, runs, at_once)
    board = Board(tasks, console)
    console.print(board.opening(), markup=False, highlight=False, soft_wrap=True)
    with stoppable() as stop:
        try:
            with board:
                tasks.play(board.look)
        except BaseException:
            if stop.signal is None:
                raise
            console.print(f"\nstopped: {board.counts()}", markup=False, highlight=False)
            console.print("go on with the same command", markup=False, highlight=False)
            raise typer.Exit(stop.exit_code) from None
    for name, found in tasks.standings.items():
        if found.state == "failed":
            told = f"{name} failed after {found.rounds} rounds: {found.error}; see {runs / name}.log"
            console.print(told, markup=False, highlight=False, soft_wrap=True)
    return all(found.state == "finished" for found in tasks.standings.values())


class Board:
    """What a person sees meanwhile: a table on a terminal, lines elsewhere."""

    def __init__(self, tasks: Tasks, console: Console) -> None:
        self._tasks, self._console = tasks, console
        self._begun = time.monotonic()
        self._line = self._begun
        self._rough: dict[str, float] = {}
        for at, run in enumerate(tasks.planned):
            made = any(warmed_alike(run.config, other.config) for other in tasks.planned[:at])
            self._rough[run.name] = rough_seconds(run.config, warm_up=not made)
        self._at_first = dict(tasks.standings)
        self._seen = {name: found.state for name, found in tasks.standings.items()}
        self._live: Live | None = None

    def __enter__(self) -> Board:
        if self._console.is_terminal:
            self._live = Live(get_renderable=self._table, console=self._console, refresh_per_second=2)
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live is not None:
            self._live.stop()

    def opening(self) -> str:
        """How many runs there are, how many are left, and for about how long."""
        planned, found = self._tasks.planned, self._tasks.standings
        left = [p.name for p in planned if found[p.name].state != "finished"]
        text = (
            f"{len(planned)} runs in {named(self._tasks.runs)}, {len(planned) - len(left)} of them finished"
        )
        if not left:
            return f"{text}; nothing is left to play"
        return f"{text}; {self._tasks.jobs} at once, about {duration(self._left())} ({self._basis()})"

    def counts(self) -> str:
        """Runs by state."""
        states = Counter(found.state for found in self._tasks.standings.values())
        return ", ".join(
            f"{states[s]} {s}" for s in ("finished", "playing", "waiting", "failed") if states[s]
        )

    def look(self, tasks: Tasks) -> None:
        """Take in where the runs are."""
        now = time.monotonic()
        for name, found in tasks.standings.items():
            if found.state != self._seen[name]:
                self._seen[name] = found.state
                if self._live is None:
                    self._say(f"{name}: {_where(found)}; {self._clock()}")
        if self._live is None and now - self._line >= _LINE_EVERY:
            self._line = now
            playing = [f"{n} {_where(s)}" for n, s in tasks.standings.items() if s.state == "playing"]
            self._say(f"{self.counts()}; {'; '.join(playing)}; {self._clock()}")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _clock(self) -> str:
        gone = f"elapsed {duration(time.monotonic() - self._begun)}"
        return f"{gone}, left about {duration(self._left())}" if self._live is None else gone

    def _done(self, found: Standing) -> float:
        return found.rounds / found.of

    def _basis(self) -> str:
        known = any(f.rounds for f in self._tasks.standings.values())
        return "by the rounds played so far" if known else "a rough guess"

    def _left(self) -> float:
        """Seconds, by what was played here if anything was, and else by what such runs took elsewhere."""
        found = self._tasks.standings
        guessed = sum(self._rough[n] * self._done(f) for n, f in found.items() if f.seconds)
        spent = sum(f.seconds for f in found.values() if f.rounds)
        scale = spent / guessed if guessed and spent else 1.0
        left = sum(self._rough[n] * (1 - self._done(f)) for n, f in found.items() if f.state != "failed")
        return scale * left / self._tasks.jobs

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_row(self.counts(), self._clock())
        for name, found in self._tasks.standings.items():
            if found.state == "playing":
                table.add_row(name, _where(found))
        return table


def _where(found: Standing) -> str:
    if found.state == "failed":
        return f"failed: {found.error}"
    if found.state == "finished":
        return f"finished, {found.of} rounds"
    if found.state == "playing" and not found.rounds:
        return found.phase or "starting"
    return f"round {found.rounds}/{found.of}"
