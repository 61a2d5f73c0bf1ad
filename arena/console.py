"""What a person sees while a run goes on: a display on a terminal, one line a round elsewhere."""

from __future__ import annotations

import time
from collections import Counter, deque
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from culture.records import Measure, Round, RoundRows

if TYPE_CHECKING:
    from arena.round import Progress
    from arena.run import Run

RECENT = 10
"""Rounds whose mean time tells how long the rest will take; several, as evaluations are not in all."""
REASONS = 3
"""Reasons of rejection that are shown."""


def duration(seconds: float) -> str:
    """``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Board:
    """A watcher for ``Run.play``; a context manager, which owns the display on the terminal meanwhile."""

    def __init__(self, run: Run, console: Console) -> None:
        self._name = run.folder.name
        self._rounds = run.config.rounds
        self._console = console
        self._started = time.monotonic()
        self._round_began = self._started
        self._done = run.state.round + 1
        self._walls: deque[float] = deque(maxlen=RECENT)
        self._head = "starting"
        self._facts: dict[str, str] = {}
        self._live: Live | None = None
        if console.is_terminal:
            self._live = Live(get_renderable=self._render, console=console, refresh_per_second=4)
        # What the last evaluation of an earlier session found, until there is another.
        last = run.lake.records(
            Measure, "name LIKE 'held_out/%' AND round = (SELECT max(round) FROM evaluations)"
        )
        self._hold(RoundRows(measures=last))

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, progress: Progress) -> None:
        """Take in where the run is."""
        number = f"round {progress.round + 1}/{self._rounds}"
        if progress.phase.startswith("warm-up"):
            name = progress.phase.removeprefix("warm-up of ")
            self._head = f"warming up {name}: first weights, before the first round"
            if self._live is None:
                self._console.print(f"warming up {name}", highlight=False, markup=False)
            return
        self._hold(progress.rows)
        self._facts["library"] = f"{progress.state.library_size} notes"
        if progress.phase == "request":
            self._round_began = time.monotonic()  # the first after the warm-up, which no other round has
        if progress.phase != "committed":
            self._head = f"{number}, {progress.phase}"
            return
        now = time.monotonic()
        self._walls.append(now - self._round_began)
        self._round_began = now
        self._done = progress.round + 1
        self._head = f"{number}, committed"
        if self._live is None:
            self._line(progress, number)

    def _hold(self, rows: RoundRows) -> None:
        """Keep what the rows say; what they do not say yet stays as it was a round ago."""
        if rows.problems:
            self._facts["proposals"] = _proposals(rows)
            known = [
                p.difficulty for p in rows.problems if p.status == "admitted" and p.difficulty is not None
            ]
            mean = f"{sum(known) / len(known):.2f}" if known else "none admitted"
            self._facts["difficulty"] = f"{mean} (mean of the admitted)"
        if rows.attempts:
            right = sum(a.correct for a in rows.attempts)
            self._facts["solved"] = f"{right / len(rows.attempts):.1%} of {len(rows.attempts)} attempts"
        held_out = _held_out(rows.measures)
        if held_out:
            at = max(m.round for m in rows.measures)
            self._facts["held out"] = f"{held_out} (round {at + 1})"
        if rows.rounds:
            self._facts["speed"] = _speed(rows.rounds[-1])

    def _clock(self) -> str:
        elapsed = f"elapsed {duration(time.monotonic() - self._started)}"
        if not self._walls:
            return elapsed
        each = sum(self._walls) / len(self._walls)
        left = each * (self._rounds - self._done) - (time.monotonic() - self._round_began)
        return f"{elapsed}, left about {duration(max(0.0, left))}"

    def _line(self, progress: Progress, number: str) -> None:
        (row,) = progress.rows.rounds
        solved = f"{row.correct / row.attempts:.1%}" if row.attempts else "none attempted"
        difficulty = "-" if row.mean_difficulty is None else f"{row.mean_difficulty:.2f}"
        parts = [
            f"valid {row.valid}/{row.proposed}",
            f"new {row.valid - row.duplicate}",
            f"admitted {row.admitted}",
            f"difficulty {difficulty}",
            f"solved {solved}",
            f"library {progress.state.library_size}",
            _speed(row),
            self._clock(),
        ]
        held_out = _held_out(progress.rows.measures)
        if held_out:
            parts.insert(5, f"held out {held_out}")
        self._console.print(f"{number}: " + "; ".join(parts), highlight=False, markup=False, soft_wrap=True)

    def _render(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_row(Text(self._name, style="bold"), Text(self._head, style="bold"))
        for name in ("proposals", "difficulty", "solved", "held out", "library", "speed"):
            if name in self._facts:
                table.add_row(name, Text(self._facts[name]))
        table.add_row("time", self._clock())
        return table


def _proposals(rows: RoundRows) -> str:
    total = len(rows.problems)
    valid = sum(p.answer_key is not None for p in rows.problems)
    admitted = sum(p.status == "admitted" for p in rows.problems)
    duplicate = sum(p.reason == "duplicate" for p in rows.problems)
    reasons = Counter(p.reason.removeprefix("invalid:") for p in rows.problems if p.reason is not None)
    text = f"{total}: {valid} valid, {valid - duplicate} new, {admitted} admitted"
    if reasons:
        text += "; rejected: " + ", ".join(f"{reason} {n}" for reason, n in reasons.most_common(REASONS))
    return text


def _held_out(measures: list[Measure]) -> str:
    """The latest share of each domain and policy: round 0 has two, of which the second has learned."""
    latest = {(m.domain, m.name): m for m in measures if m.name.startswith("held_out/")}
    several = len({name for _, name in latest}) > 1
    return ", ".join(
        f"{domain}{' ' + name.removeprefix('held_out/') if several else ''} {m.value:.1%}"
        for (domain, name), m in latest.items()
        if m.value is not None
    )


def _speed(row: Round) -> str:
    generating = _rate(row.generated_tokens, row.generating_seconds)
    training = _rate(row.trained_tokens, row.learn_seconds + row.sleep_seconds)
    return f"generated {generating}, trained {training} tokens/s"


def _rate(tokens: int, seconds: float) -> str:
    return f"{tokens / seconds:,.0f}" if seconds > 0 else "no"
