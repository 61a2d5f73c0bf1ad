"""Placebos: texts as many and as long as what a search found, which say nothing about the query.

An attempt that reads a placebo pays the same prompt length and the same distraction as one that reads
the library, so the difference between the two is what the notes say.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from culture.reading import Hit
from culture.search import Index

FILLER = "filler"
"""The note and revision id of a placebo made of random characters."""


def drawn_from(pools: Sequence[Sequence[str]], draws: int, rng: np.random.Generator) -> list[str]:
    """What ``draws`` draws from all ``pools`` together give, each once, in the order drawn."""
    ends = [0]
    for pool in pools:
        ends.append(ends[-1] + len(pool))
    if not ends[-1]:
        return []
    places = (int(i) for i in rng.integers(ends[-1], size=draws))
    pooled = ((bisect_right(ends, i) - 1, i) for i in places)
    return list(dict.fromkeys(pools[p][i - ends[p]] for p, i in pooled))


def irrelevant(index: Index, query: str, keys: Iterable[str], ceiling: float) -> list[str]:
    """Those of ``keys`` that share no operator with ``query`` and score less than ``ceiling``.

    An operator is a single character of a terse text that is neither a digit nor lower case, e.g. ``R``
    or ``*``, unless more than half of all texts have it, as they have ``=``.
    """
    terms = index.terms(query)
    operators = [
        term
        for term in {f"g{character}" for character in query if not character.isspace()}
        if not (term[1].isdigit() or term[1].islower()) and 0 < index.share(term) <= 0.5
    ]
    return [
        key
        for key in keys
        if not any(index.has(o, key) for o in operators) and index.score(terms, key) < ceiling
    ]


def equal_length(
    hits: Sequence[Hit],
    candidates: Sequence[Hit],
    alphabet: str,
    rng: np.random.Generator,
    count_tokens: Callable[[str], int],
) -> list[Hit]:
    """One placebo for each of ``hits``, of exactly as many characters.

    Each is the unused candidate closest in length, cut, or continued with the next closest; no
    candidate is shown twice. Where they run out, random characters of ``alphabet`` take their place.
    """
    if not alphabet.strip():
        raise ValueError(f"expected an alphabet with a printing character, got {alphabet!r}")
    joint = "\n" if "\n" in alphabet else ""
    unused = list(candidates)
    found: list[Hit] = []
    for hit in hits:
        wanted = len(hit.body)
        shown: list[Hit] = []
        text = ""
        while len(text) < wanted and unused:
            rest = wanted - len(text)
            closest = min(range(len(unused)), key=lambda i: abs(len(unused[i].body) - rest))
            shown.append(unused.pop(closest))
            text = joint.join(part.body for part in shown)
        text = text[:wanted]
        if len(text) < wanted:
            letters = "".join(alphabet.split())
            text += "".join(letters[i] for i in rng.integers(len(letters), size=wanted - len(text)))
        named = shown[0] if shown else replace(hit, note_id=FILLER, revision_id=FILLER, author=FILLER)
        found.append(replace(named, body=text, score=0.0, tokens=count_tokens(text), explored=False))
    return found
