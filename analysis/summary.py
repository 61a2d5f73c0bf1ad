"""What a run came to, in words and numbers, from its log alone; of a run that goes on, so far."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import duckdb
from rich.console import Console
from rich.table import Table
from rich.text import Text
from scipy import stats

from analysis.emergent import emergence_lines, scale_lines
from analysis.history import START, difficulties, scores
from analysis.matches import match_lines
from culture.effect import Effect, culture_effect, dose_response
from culture.worth import By, Worth, worths

PHASES = ("request", "propose", "attempt", "judge", "write", "learn", "sleep", "evaluate")
WINDOW = 10
"""Rounds at either end of a run that are compared, or half of its rounds where it is shorter than two."""


@dataclass(slots=True)
class Section:
    """A title, and lines of a label and a text."""

    title: str
    lines: list[tuple[str, str]] = field(default_factory=list)


def summary(
    connection: duckdb.DuckDBPyConnection, worth_by: Callable[[By], list[Worth]] | None = None
) -> list[Section]:
    """All there is to say; one section where no round is committed yet.

    ``worth_by`` gives ``worths`` of the log where they are known already.
    """
    head = _head(connection)
    if head.lines[-1] == NOTHING:
        return [head]
    return [
        head,
        _learned(connection),
        *_emerged(connection),
        _proposals(connection),
        _library(connection),
        *_worth(connection, worth_by or partial(worths, connection)),
        _time(connection),
    ]


def headline(connection: duckdb.DuckDBPyConnection) -> tuple[int, int | None, str]:
    """Rounds committed, the seed, and the last held-out shares, for a list of runs."""
    done = _one(connection, "SELECT count(*) FROM rounds")[0]
    seed = connection.execute("SELECT seed FROM runs").fetchone()
    last = {(s.domain, s.policy): s for s in scores(connection)}
    shares = ", ".join(f"{domain} {s.share:.1%}" for (domain, _), s in last.items())
    return int(str(done)), None if seed is None else int(seed[0]), shares or "-"


NOTHING = ("rounds", "none committed yet")


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[object, ...]:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return tuple(row)


def _head(connection: duckdb.DuckDBPyConnection) -> Section:
    section = Section("Run")
    run = connection.execute("SELECT name, seed, started_at, code_version FROM runs").fetchone()
    if run is None:
        section.lines.append(NOTHING)
        return section
    rounds, attempts, admitted = _one(
        connection, "SELECT count(*), sum(attempts)::BIGINT, sum(admitted)::BIGINT FROM rounds"
    )
    section.lines = [
        ("name", f"{run[0]}, seed {run[1]}"),
        ("started", f"{run[2]:%Y-%m-%d %H:%M} UTC, ludus {run[3]}"),
        ("rounds", f"{rounds}, with {admitted:,} problems and {attempts:,} attempts"),
    ]
    return section


def _learned(connection: duckdb.DuckDBPyConnection) -> Section:
    section = Section("What was learned")
    found = scores(connection)
    for domain, policy in dict.fromkeys((s.domain, s.policy) for s in found):
        mine = [s for s in found if (s.domain, s.policy) == (domain, policy)]
        ends = [
            f"{s.share:.1%} {_interval(*s.interval, percent=True)} "
            + ("at the start" if s.round == START else f"in round {s.round}")
            for s in (mine[0], mine[-1])[: len(mine)]
        ]
        section.lines.append(
            (f"{domain}, held out", f"{policy}: {' -> '.join(ends)}; {mine[-1].anchors} anchors")
        )
    by_domain = difficulties(connection)
    for domain in dict.fromkeys(d.domain for d in by_domain):
        line = [d for d in by_domain if d.domain == domain]
        text = f"mean {line[0].mean:.2f} in round {line[0].round}"
        if len(line) > 1:
            text += f" -> {line[-1].mean:.2f} in round {line[-1].round}"
        text += f"; {_correlation([d.round for d in line], [d.mean for d in line])}"
        section.lines.append((f"{domain}, difficulty", text))
    return section


def _correlation(rounds: Sequence[int], values: Sequence[float]) -> str:
    """Spearman's rank correlation of a series with its rounds, in words."""
    if len(rounds) < 3 or len(set(values)) == 1:
        return "too little to correlate with the round"
    rho = float(stats.spearmanr(rounds, values).statistic)
    return f"Spearman correlation with the round {rho:+.2f} over {len(rounds)} rounds"


def _emerged(connection: duckdb.DuckDBPyConnection) -> list[Section]:
    """Sections that have lines."""
    sections = [
        Section("On the scale of the anchors, in logits", scale_lines(connection)),
        Section("What emerged", emergence_lines(connection)),
        Section("Games of two", match_lines(connection)),
    ]
    return [section for section in sections if section.lines]


def _proposals(connection: duckdb.DuckDBPyConnection) -> Section:
    """Of what policies wrote: the operator's mutations are always valid, and would flatter them."""
    section = Section("Proposals that policies wrote")
    for label, (low, high) in zip(("first", "last"), _ends(connection), strict=True):
        total, valid, new = connection.execute(
            """
            SELECT count(*), count(*) FILTER (answer_key IS NOT NULL),
                count(*) FILTER (answer_key IS NOT NULL AND reason IS DISTINCT FROM 'duplicate')
            FROM problems WHERE origin = 'policy' AND failure_source IS DISTINCT FROM 'infrastructure'
                AND round BETWEEN ? AND ?
            """,
            [low, high],
        ).fetchone() or (0, 0, 0)
        text = f"{_share(valid, total)} valid, {_share(new, valid)} of those new ({total} proposals)"
        section.lines.append((f"{label}: {_rounds(low, high)}", text))
    return section


def _ends(connection: duckdb.DuckDBPyConnection) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last of the rounds that a run began with, and of as many that it ended with."""
    first, last = (int(str(x)) for x in _one(connection, "SELECT min(round), max(round) FROM rounds"))
    width = max(1, min(WINDOW, (last - first + 1) // 2))
    return (first, first + width - 1), (last - width + 1, last)


def _rounds(low: int, high: int) -> str:
    return f"round {low}" if low == high else f"rounds {low}-{high}"


def _library(connection: duckdb.DuckDBPyConnection) -> Section:
    section = Section("The library")
    (state,) = _one(connection, "SELECT state FROM rounds ORDER BY round DESC LIMIT 1")
    notes = int(json.loads(str(state))["library_size"])
    (revisions,) = _one(
        connection, "SELECT count(*) FROM revisions WHERE outcome NOT IN ('archived', 'quarantined')"
    )
    section.lines.append(("size", f"{notes} notes on the shelves, {revisions} revisions written"))
    (hidden,) = _one(connection, "SELECT max_by(value, round) FROM measures WHERE name = 'quarantined'")
    if hidden:
        section.lines.append(("in quarantine", f"{hidden:.0f} notes that were refuted or did harm"))
    section.lines += _decisions(connection)
    effects = culture_effect(connection)
    for effect in effects:
        section.lines.append((f"{effect.treatment} - {effect.control}", effect_text(effect)))
    for low, high in _ends(connection):
        for effect in culture_effect(connection, rounds=range(low, high + 1)):
            if effect.treatment == "library":
                name = f"library - {effect.control}, {_rounds(low, high)}"
                section.lines.append((name, effect_text(effect)))
    if effects and effects[0].treatment == "library":
        text = f"{effects[0].read_share:.1%} of the attempts in the library arm; all of them count above"
        section.lines.append(("found a note", text))
    return section


def _decisions(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """What agents decided to do with their desks, and the books that came of it; nothing where none did."""
    rows = connection.execute(
        "SELECT coalesce(action, outcome), count(*), count(*) FILTER (outcome = 'written') FROM decisions "
        "WHERE club IS NULL GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall()
    if not rows:
        return []
    told = ", ".join(f"{n} {name}" + (f" ({kept} taken)" if 0 < kept < n else "") for name, n, kept in rows)
    lines = [("decisions", told)]
    books, chapters = _one(
        connection, "SELECT count(*) FILTER (kind = 'book'), count(*) FILTER (kind = 'chapter') FROM notes"
    )
    if books:
        lines.append(("books", f"{books}, with {chapters} chapters"))
    return lines


MOST = 3
"""Notes and authors that are named at either end of the list of their worth."""


def _worth(connection: duckdb.DuckDBPyConnection, worth_by: Callable[[By], list[Worth]]) -> list[Section]:
    """What reading is worth by kind, author and note; no section where nothing can be told."""
    section = Section("What reading was worth, against reading nothing")
    by: tuple[By, ...] = ("shelf", "kind", "author", "note")
    for name in by:
        known = [w for w in worth_by(name) if w.low is not None]
        ends = known if len(known) <= 2 * MOST else [*known[:MOST], *known[-MOST:]]
        section.lines += [(f"{name} {w.key}", worth_text(w, len(known))) for w in ends]
    doses = dose_response(connection)
    if len(doses) > 1:
        section.lines += [
            (f"dose {d.dose}", f"{effect_text(d.effect)}; {d.tokens:.0f} tokens in the mean") for d in doses
        ]
    return [section] if section.lines else []


def worth_text(worth: Worth, among: int) -> str:
    """A worth in one line: points, 95% interval, and what is left of it among so many."""
    assert worth.low is not None and worth.high is not None and worth.q is not None
    text = f"{100 * worth.difference:+.2f} points {_interval(100 * worth.low, 100 * worth.high)}"
    if among > 1:
        text += f", q {worth.q:.2g} of {among}"
    return f"{text}; {worth.treated} and {worth.controls} attempts at {worth.problems} problems"


def effect_text(effect: Effect) -> str:
    """An effect in one line: percentage points, 95% interval, numbers of attempts and problems."""
    text = f"{100 * effect.difference:+.2f} points"
    if effect.low is not None and effect.high is not None:
        text += f" {_interval(100 * effect.low, 100 * effect.high)}"
    else:
        text += " (too little to tell)"
    return f"{text}; {effect.treated} and {effect.controls} attempts at {effect.problems} problems"


def _time(connection: duckdb.DuckDBPyConnection) -> Section:
    section = Section("Time")
    sums = ", ".join(f"sum({phase}_seconds)" for phase in PHASES)
    wall, commits, *phases = (
        float(str(x))
        for x in _one(
            connection,
            f"SELECT sum(seconds), coalesce(sum(previous_commit_seconds), 0), {sums} FROM rounds",
        )
    )
    section.lines.append(("rounds", f"{wall:.1f} s; commits {commits:.1f} s"))
    shares = sorted(zip(phases, PHASES, strict=True), reverse=True)
    text = ", ".join(f"{phase} {s:.1f} s ({_share(s, wall)})" for s, phase in shares if s >= 0.0005 * wall)
    section.lines.append(("phases", text))
    (memory,) = _one(connection, "SELECT peak_memory FROM rounds ORDER BY round DESC LIMIT 1")
    if memory is not None:  # an older log has none
        peaks = json.loads(str(memory))
        each = ", ".join(f"{name} {gib:.2f}" for name, gib in peaks.items())
        section.lines.append(("memory", f"at most {sum(peaks.values()):.2f} GiB in all: {each}"))
    generated, generating, trained, training = _one(
        connection,
        "SELECT sum(generated_tokens), sum(generating_seconds), sum(trained_tokens), "
        "sum(learn_seconds + sleep_seconds) FROM rounds",
    )
    speeds = [
        f"{what} {float(str(tokens)):,.0f} tokens"
        + ("" if seconds is None else f" in {float(str(seconds)):.1f} s")
        for what, tokens, seconds in (
            ("generated", generated, generating),
            ("trained on", trained, training),
        )
    ]
    section.lines.append(("tokens", ", ".join(speeds)))
    return section


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "none"


def _interval(low: float, high: float, *, percent: bool = False) -> str:
    if math.isnan(low) or math.isnan(high):
        raise ValueError(f"expected an interval of numbers, got [{low}, {high}]")
    return f"[{low:.1%}, {high:.1%}]" if percent else f"[{low:+.2f}, {high:+.2f}]"


def print_sections(sections: Sequence[Section], console: Console) -> None:
    """To a terminal with wrapping that keeps the labels apart, elsewhere a line each, whole."""
    for section in sections:
        console.print()
        console.print(Text(section.title, style="bold"))
        wide = max(len(label) for label, _ in section.lines)
        for label, text in section.lines:
            if console.is_terminal:
                table = Table.grid(padding=(0, 2, 0, 0))
                table.add_column(width=wide + 2)
                table.add_row(Text(f"  {label}"), Text(text))
                console.print(table)
            else:
                line = f"  {label:{wide}}  {text}"
                console.print(line, markup=False, highlight=False, soft_wrap=True)
