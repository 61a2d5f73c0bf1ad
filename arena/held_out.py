"""Finds the anchors' problems in a text: what measures a run must not be written down in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from arena.domains.base import Domain

_SIGNS = {"×": "*", "−": "-"}


class HeldOut:
    """The anchors of domains, in every form that they could be written down in."""

    def __init__(self, domains: Mapping[str, Domain], per_cell: int) -> None:
        """``per_cell``: anchors in a cell, as the run is evaluated on."""
        self._anchors = {
            _folded(form)[0]: form for domain in domains.values() for form in _forms(domain, per_cell)
        }

    def found_in(self, text: str) -> str | None:
        """An anchor's problem that is written in ``text``, whatever its spaces and case, or None.

        What is part of a longer number or word is another problem.
        """
        folded, places = _folded(text)
        for form, anchor in self._anchors.items():
            at = folded.find(form)
            while at >= 0:
                first, last = places[at], places[at + len(form) - 1]
                before, after = text[first - 1 : first] if first else "", text[last + 1 : last + 2]
                joined = (form[0].isalnum() and before.isalnum()) or (
                    form[-1].isalnum() and after.isalnum()
                )
                if not joined:
                    return anchor
                at = folded.find(form, at + 1)
        return None


def _forms(domain: Domain, per_cell: int) -> Iterable[str]:
    for anchor in domain.anchors(per_cell):
        yield anchor.spec
        yield from (domain.write(anchor.spec, form) for form in domain.forms)
        if domain.one_step and "natural" in domain.forms:
            yield domain.pose(anchor.spec, "natural")


def _folded(text: str) -> tuple[str, list[int]]:
    """``text`` without spaces and case, with plain signs, and the place of each character in it."""
    folded, places = [], []
    for at, character in enumerate(text):
        if not character.isspace():
            lower = character.lower()
            folded.append(_SIGNS.get(character, lower if len(lower) == 1 else character))
            places.append(at)
    return "".join(folded), places
