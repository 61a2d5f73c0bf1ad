"""What ``run_arena.py measures`` does."""

from __future__ import annotations

import sys
from contextlib import nullcontext

from rich.console import Console

from analysis.measures.embedding import Choice
from analysis.measures.estimate import Log
from analysis.measures.lines import as_json, sections
from analysis.measures.report import report
from analysis.summary import print_sections
from culture.embedding import EmbeddingError
from culture.history import NoSuchRound


class CannotMeasure(ValueError):
    """A run that cannot be measured as asked; the message says what to do instead."""


def measure(log: Log, choice: Choice, console: Console, *, plain: bool) -> None:
    """Print the measures of a run, as JSON where ``plain``; on a terminal what is being measured as well.

    Raises CannotMeasure.
    """
    said = Console(stderr=True)
    try:
        with said.status("measuring") if said.is_terminal else nullcontext() as status:
            found = report(
                log, choice, lambda topic: status.update(f"measuring: {topic}") if status else None
            )
    except (EmbeddingError, NoSuchRound) as error:
        raise CannotMeasure(str(error)) from error
    if plain:
        sys.stdout.write(as_json(found) + "\n")
    else:
        print_sections(sections(found), console)
