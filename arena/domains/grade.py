"""A difficulty as one letter, as the terse form of a request names it."""

from __future__ import annotations

import math
import string

GRADES = string.ascii_lowercase
"""The letters, easiest first."""


def terse_request(target: float | None, parent: str | None) -> str:
    """What a proposer of characters is asked: ``?h>``, ``?>``, or the spec to vary and ``>``.

    ``parent`` wins over ``target``.
    """
    if parent is not None:
        return f"{parent}>"
    return "?>" if target is None else f"?{grade(target)}>"


def grade(difficulty: float) -> str:
    """The letter of a difficulty, in the domain's unit.

    Two letters to an octave: ``a`` is 1 or less, ``c`` 2, ``m`` 64, ``z`` about 5,800 and all above.

    A model of characters learns what a letter asks for from a few hundred examples. From digits it must
    learn to read numbers first: asked for "36", a warmed-up ``spark`` wrote what it would have written
    anyway.
    """
    step = round(2 * math.log2(max(difficulty, 1.0)))
    return GRADES[min(step, len(GRADES) - 1)]
