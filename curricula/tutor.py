"""A tutor: finds with few questions where somebody stands, then serves problems at the edge of that.

Computerised adaptive testing (Lord 1980; van der Linden and Glas 2010). Each question is one of those that
tell most about the ability as it is believed to be; the test ends when the ability is known well enough.
Whoever asks the same questions of everybody wastes those that are far too easy or too hard.

The tutor knows items by their ids and places alone. Who answers is the caller's business: a model, or
answers that a log holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from culture.seeds import generator
from curricula.base import Floats
from curricula.calibration import Item, Scale
from curricula.irt import Ability, Posterior, information

CHOICES = 5
"""Items: a question is drawn among so many of the most telling, so that not everybody is asked the same
(the *randomesque* rule of Kingsbury and Zara 1989)."""
BAND = (0.3, 0.7)
"""Probabilities of success: problems in between are at the edge."""


@dataclass(frozen=True, slots=True)
class Served:
    """A problem that can be served, and how likely it is solved."""

    problem_id: str
    success: float


class Tutor:
    """One adaptive test of one learner, and what follows from it."""

    def __init__(
        self, scale: Scale, *, standard_error: float = 0.4, most: int | None = None, seed: int = 0,
        choices: int = CHOICES,
    ) -> None:  # fmt: skip
        """A test on the items of ``scale``, with its population as the prior.

        It ends once the ability is known to ``standard_error`` logits (the posterior's standard deviation),
        after ``most`` questions, or when all items were asked. Which of the ``choices`` most telling items
        is asked is drawn from ``seed``; with 1 it is the most telling. Raises ValueError for values of 0 or
        less.
        """
        for name, value in (("standard_error", standard_error), ("most", most), ("choices", choices)):
            if value is not None and value <= 0:
                raise ValueError(f"expected {name} above 0, got {value}")
        self.scale = scale
        self.standard_error = standard_error
        self.asked: list[str] = []
        """Ids of the items that were answered, in order."""
        self._most = len(scale.items) if most is None else most
        self._choices, self._seed = choices, seed
        self._difficulty = np.array([i.difficulty for i in scale.items])
        self._discrimination = np.array([i.discrimination for i in scale.items])
        self._place = {item.item_id: at for at, item in enumerate(scale.items)}
        self._open = np.ones(len(scale.items), bool)
        self._posterior = Posterior(scale.mean, scale.deviation)
        self.ability: Ability = self._posterior.ability()
        """What is believed so far; before the first answer, the prior."""

    @property
    def finished(self) -> bool:
        """Whether the test is over."""
        error = self.ability.standard_error
        known = error is not None and error <= self.standard_error
        return known or len(self.asked) >= self._most or not self._open.any()

    def ask(self) -> Item | None:
        """The next question; None once the test is over. Asked again before an answer, it is the same."""
        if self.finished:
            return None
        told = np.where(self._open, self._told(), -np.inf)
        best = np.argsort(-told, kind="stable")[: min(self._choices, int(self._open.sum()))]
        draw = generator(self._seed, "tutor", len(self.asked)).integers(len(best))
        return self.scale.items[int(best[draw])]

    def tell(self, item_id: str, right: bool) -> None:
        """Take in an answer. Raises KeyError for an unknown item, ValueError for one that was answered."""
        at = self._place[item_id]
        if not self._open[at]:
            raise ValueError(f"expected an item that was not answered yet, got {item_id!r}")
        self._open[at] = False
        self.asked.append(item_id)
        self._posterior.update([float(right)], [self._difficulty[at]], [self._discrimination[at]])
        self.ability = self._posterior.ability()

    def test(self, answer: Callable[[Item], bool]) -> Ability:
        """The whole test, or what is left of it: ``answer`` says whether an item was answered right."""
        while (item := self.ask()) is not None:
            self.tell(item.item_id, answer(item))
        return self.ability

    def edge(
        self, problems: Iterable[tuple[str, float, float]], band: tuple[float, float] = BAND
    ) -> list[Served]:
        """The problems that are solved with a probability in ``band``, the most even first.

        A problem is its id, its difficulty and the standard error of that, in logits. Nothing else is
        served: where all problems are too hard or too easy the list is empty. What is not known of the
        ability is averaged over exactly; what is not known of a difficulty by MacKay's approximation (1992,
        Neural Computation 4(5)), the curve of a logit with error e being flatter by sqrt(1 + pi e^2 / 8).
        Raises ValueError for a band that is none.
        """
        low, high = band
        if not 0 <= low < high <= 1:
            raise ValueError(f"expected a band of two rising probabilities, got {band}; write (0.3, 0.7)")
        rows = list(problems)
        if not rows:
            return []
        places, errors = np.array([[d, e] for _, d, e in rows]).T
        success = self._posterior.success(places, 1 / np.sqrt(1 + np.pi * errors**2 / 8))
        found = [
            Served(name, float(p))
            for (name, _, _), p in zip(rows, success, strict=True)
            if low <= p <= high
        ]
        middle = (low + high) / 2
        return sorted(found, key=lambda s: (abs(s.success - middle), s.problem_id))

    def _told(self) -> Floats:
        """What an answer to each item would tell of the ability as it is believed to be, (items,)."""
        assert self.ability.value is not None  # a posterior has a mean
        return information(self.ability.value, self._difficulty, self._discrimination)
