"""Addresses of pages: the part of a URL behind the question mark, so that every page can be linked to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, urlencode

VIEWS = {
    "curriculum": "Curriculum",
    "library": "Library",
    "books": "Books",
    "problems": "Problems",
    "agents": "Agents",
    "pictures": "Pictures",
    "sql": "SQL",
}
"""The views, with what their tabs are called."""
WITHIN = {
    "note": "library",
    "book": "books",
    "problem": "problems",
    "attempt": "problems",
    "agent": "agents",
}
"""Pages of one thing, with the tab that they belong to."""
LONGEST = 20_000
"""Characters of an address that are looked at."""


@dataclass(frozen=True, slots=True)
class Address:
    """Which page, of which run, as of which round."""

    view: str = "curriculum"
    run: str = ""
    """Name of the run; empty for the first that is looked at."""
    round: int | None = None
    """As of the end of which round; None for now."""
    asked: Mapping[str, str] = field(default_factory=dict)
    """What else the page is asked for: an id, words, filters."""

    @classmethod
    def read(cls, text: str) -> Address:
        """From the text behind the question mark. What is no address is the start."""
        given = dict(parse_qsl(text[:LONGEST].removeprefix("?"), max_num_fields=40))
        view = given.pop("view", "")
        run = given.pop("run", "")
        number = given.pop("round", "")
        known = view if view in VIEWS or view in WITHIN else "curriculum"
        return cls(known, run, int(number) if number.isdecimal() and len(number) < 10 else None, given)

    @property
    def tab(self) -> str:
        """The view that the page belongs to."""
        return WITHIN.get(self.view, self.view)

    def get(self, name: str) -> str:
        """What is asked under a name; empty where nothing is."""
        return self.asked.get(name, "")

    def number(self, name: str, most: int) -> int:
        """A number from 0 to ``most`` that is asked for; 0 where none is."""
        text = self.get(name)
        return min(int(text), most) if text.isdecimal() and len(text) < 10 else 0

    def link(self, view: str, **asked: object) -> str:
        """The address of another page of the same run and round, from the question mark on."""
        parts: dict[str, object] = {"view": view}
        if self.run:
            parts["run"] = self.run
        if self.round is not None:
            parts["round"] = self.round
        parts |= {name: value for name, value in asked.items() if value not in (None, "")}
        return "?" + urlencode(parts)

    def at(self, round: int | None) -> Address:
        """The same page as of another round."""
        return replace(self, round=round)

    def text(self) -> str:
        """What ``read`` makes it of."""
        return self.again().removeprefix("?")

    def again(self, **changed: object) -> str:
        """The address of the same page asked otherwise; None or nothing leaves something out."""
        return self.link(self.view, **{**self.asked, **changed})
