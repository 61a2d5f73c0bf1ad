"""The re-check of notes: what a text claims is executed, as an answer key is, and judged by that alone.

An example is confirmed where it says nothing but claims and all of them hold; what it says besides was
checked by nobody, so it is refuted. Lessons, strategies and chapters may say more: they are refuted where a
claim is wrong, and unchecked where they say more than their claims. Where a domain has no claims nothing is
checked, and nor are notes about notes, which no solver is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from arena.domains.base import Domain, Executor, Rejected
from arena.domains.claims import Claim, Stated
from culture.edits import Kind
from culture.records import Form, Json

Recheck = Literal["confirmed", "refuted", "unchecked"]

RECHECKED: Final[frozenset[Kind]] = frozenset({"example", "lesson", "strategy", "chapter"})
"""Kinds of notes that are looked at."""
_SHOWN: Final = 80
"""Characters of a text that a detail shows."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What execution says of a text."""

    verdict: Recheck
    detail: str
    """What is wrong with it, or why it could not be checked; empty where it was confirmed."""

    @property
    def evidence(self) -> Json:
        """What the text has of it in its evidence."""
        return {"recheck": self.verdict, **({"detail": self.detail} if self.verdict == "refuted" else {})}


def recheck(
    domain: Domain, notes: Sequence[tuple[Kind, str]], form: Form, sandbox: Executor
) -> list[Checked]:
    """Check notes of a domain, kind and body, in order; equal claims are executed once."""
    taken_apart = [domain.claims(body, form) for _, body in notes]
    claims = list(dict.fromkeys(c for s in taken_apart if s is not None for c in s.claims))
    against = dict(zip(claims, domain.refuted(claims, sandbox), strict=True))
    return [_judged(kind, s, against) for (kind, _), s in zip(notes, taken_apart, strict=True)]


def _judged(kind: Kind, said: Stated | None, against: Mapping[Claim, str | Rejected | None]) -> Checked:
    if said is None:
        return Checked("unchecked", "the domain has nothing that execution could decide")
    found = [against[claim] for claim in said.claims]
    wrong = next((text for text in found if isinstance(text, str)), None)
    if wrong is not None:
        return Checked("refuted", wrong)
    lost = next((error for error in found if error is not None), None)
    if lost is not None:
        return Checked("unchecked", f"execution came to nothing: {lost}")
    if said.rest or not said.claims:
        more = f"it says more than can be checked: {said.rest[:_SHOWN]!r}"
        return Checked("refuted" if kind == "example" else "unchecked", more)
    return Checked("confirmed", "")
