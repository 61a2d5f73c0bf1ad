"""From an address to a page: what is asked of the log, and the template that shows it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TypeAlias

import duckdb
import jinja2
import markupsafe

from analysis.browser import agents, bookshelf, curriculum, notes, problems, sql_box
from analysis.browser.address import VIEWS, Address
from analysis.browser.log import Head, Log, Slow
from culture.older import UNFIT, unfit
from culture.quoting import printable

HERE = Path(__file__).parent
LONGEST = 20_000
"""Characters of one text that are shown."""


def text(value: object, most: int = LONGEST) -> str:
    """A value as it is shown: what a text would do in a terminal or to its direction is written out."""
    if value is None:
        return "–"
    shown = value if isinstance(value, str) else str(value)
    if len(shown) > most:
        shown = f"{shown[:most]}… ({len(shown) - most:,} more characters)"
    return printable(shown, keep="\n\t")


def line(value: object, most: int = 160) -> str:
    """A text on one line, cut."""
    shown = " ".join(printable("–" if value is None else str(value), keep="\n\t").split())
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def number(value: object) -> str:
    """A number in few digits."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{float(str(value)):.2f}"


def share(value: object, whole: object = 1) -> str:
    """A share in per cent."""
    if value is None or not whole:
        return "–"
    return f"{100 * float(str(value)) / float(str(whole)):.1f}%"


def points(value: object) -> str:
    """A difference of shares in points, with its sign."""
    return "–" if value is None else f"{100 * float(str(value)):+.1f}"


def ago(then: datetime, now: datetime | None = None) -> str:
    """How long ago something was."""
    seconds = max(0, int(((now or datetime.now(UTC)) - then).total_seconds()))
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {name} ago"
    return f"{seconds} s ago"


def _finalize(value: object) -> object:
    # Markup has been escaped already; everything else is shown as text.
    return value if hasattr(value, "__html__") else text(value)


@cache
def _templates() -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        finalize=_finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(
        line=line, number=number, share=share, points=points, ago=ago, short=lambda name: str(name)[:10]
    )
    return found


def rendered(template: str, **values: object) -> str:
    """A template with everything in it escaped."""
    return _templates().get_template(template).render(**values)


Ask: TypeAlias = Callable[[Log, int, Address], Mapping[str, object] | None]
"""What a page takes from the log as of a round; None where what is asked for is not there."""
_PAGES: dict[str, Ask] = {}


def _page(view: str) -> Callable[[Ask], Ask]:
    def add(ask: Ask) -> Ask:
        _PAGES[view] = ask
        return ask

    return add


@_page("curriculum")
def _curriculum(log: Log, round: int, address: Address) -> dict[str, object]:
    return {
        "found": curriculum.curriculum(log, round, address),
        "effects": curriculum.effects(log, round),
        "size": curriculum.WINDOW,
    }


@_page("library")
def _library(log: Log, round: int, address: Address) -> dict[str, object]:
    return {
        "found": notes.listed(log, round, address),
        "overview": notes.overview(log, round),
        "size": notes.PAGE,
        "filters": notes.FILTERS,
    }


@_page("note")
def _note(log: Log, round: int, address: Address) -> dict[str, object] | None:
    page = notes.note_page(log, round, address)
    return None if page is None else {"page": page}


@_page("books")
def _books(log: Log, round: int, address: Address) -> dict[str, object]:
    return {"found": bookshelf.shelf(log, round, address), "size": bookshelf.PAGE}


@_page("book")
def _book(log: Log, round: int, address: Address) -> dict[str, object] | None:
    only = address.number("chapter", 1000) or None
    page = bookshelf.book_page(log, round, address.get("id"), only)
    return None if page is None else {"page": page}


@_page("problems")
def _problems(log: Log, round: int, address: Address) -> dict[str, object]:
    return {
        "found": problems.listed(log, round, address),
        "size": problems.PAGE,
        "orders": list(problems.ORDERS),
    }


@_page("problem")
def _problem(log: Log, round: int, address: Address) -> dict[str, object] | None:
    page = problems.problem_page(log, round, address)
    return None if page is None else {"page": page, "size": problems.ATTEMPTS, "family": problems.FAMILY}


@_page("attempt")
def _attempt(log: Log, round: int, address: Address) -> dict[str, object] | None:
    page = problems.attempt_page(log, round, address)
    return None if page is None else {"page": page}


@_page("agents")
def _agents(log: Log, round: int, address: Address) -> dict[str, object]:
    return {"found": agents.population(log, round), "most": agents.MOST}


@_page("agent")
def _agent(log: Log, round: int, address: Address) -> dict[str, object] | None:
    page = agents.agent_page(log, round, address.get("id"))
    return None if page is None else {"page": page}


@_page("pictures")
def _pictures(log: Log, round: int, address: Address) -> dict[str, object]:
    return {}


@_page("sql")
def _sql(log: Log, round: int, address: Address) -> dict[str, object]:
    asked = address.get("sql")
    return {
        "asked": asked,
        "answer": sql_box.ask(log, asked),
        "examples": sql_box.EXAMPLES,
        "tables": sql_box.tables(log),
        "views": sql_box.views(),
        "shown": sql_box.SHOWN,
        "kept": sql_box.KEPT,
    }


@dataclass(frozen=True, slots=True)
class Page:
    """What an address has to show."""

    address: Address
    round: int
    """As of the end of which."""
    template: str
    values: Mapping[str, object]
    answer: sql_box.Answer | None = None
    """Of the page with a query, the rows that can be downloaded."""

    def html(self, figures: Mapping[str, str] | None = None, *, drawing: bool = False) -> str:
        """The page, with figures in HTML by their names; ``drawing``: whether more are on their way."""
        shown = [markupsafe.Markup(figure) for figure in (figures or {}).values()]
        values = {
            **self.values,
            "a": self.address,
            "round": self.round,
            "figures": shown,
            "drawing": drawing,
        }
        body = rendered(self.template, **values)
        # An element of another name for every address: so that a browser builds the page anew, and forgets
        # what was typed into its forms; a refresh of the same page leaves what is open or typed.
        name = f"page-{hashlib.sha256(repr(self.address).encode()).hexdigest()[:12]}"
        return f'<{name} class="ludus" data-page="{name}">{body}</{name}>'


def page(log: Log, head: Head, address: Address) -> Page:
    """What an address shows. What the log lacks, or takes too long, is said on the page."""
    if head.last is None:
        return _message(address, 0, "No round yet", "The run has not committed a round yet.")
    round = head.last if address.round is None else min(address.round, head.last)
    try:
        values = _PAGES[address.view](log, round, address)
    except Slow as error:
        return _message(address, round, "That took too long", str(error))
    except UNFIT as error:
        with log.held() as connection:
            return _message(address, round, "That cannot be shown", str(unfit(connection, error)))
    except (ValueError, duckdb.Error) as error:  # records that were changed
        return _message(address, round, "That cannot be shown", str(error))
    if values is None:
        wanted = f"No {address.view} {address.get('id')!r} was there at the end of round {round}."
        return _message(address, round, "Not there", wanted)
    answer = values.get("answer")
    found = answer if isinstance(answer, sql_box.Answer) and answer.table is not None else None
    return Page(address, round, f"{address.view}.html", values, found)


def _message(address: Address, round: int, title: str, message: str) -> Page:
    return Page(address, round, "message.html", {"title": title, "message": message})


def navigation(runs: Sequence[str], head: Head, address: Address) -> str:
    """Tabs, the choice of a run where there are several, and how far the run has come."""
    return rendered("navigation.html", a=address, runs=runs, head=head, views=VIEWS)
