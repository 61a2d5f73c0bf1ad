"""How difficult items are, from who answered what: marginal maximum a posteriori.

Abilities are taken as draws from a normal population and integrated out (Bock and Aitkin 1981,
Psychometrika 46(4)). Maximising over abilities and difficulties jointly is the simpler alternative, but has
no finite answer for an item that all or none solved, which among few policy versions are many, and is
biased where items are few. For the same reason difficulties have a prior, estimated with the rest
(Swaminathan and Gifford 1982; Mislevy 1986, Psychometrika 51(2)): those of a cell scatter normally about
the cell's mean, and means of cells about that of all. So an item that nobody solved is placed by its cell,
and marked.

The origin is the mean difficulty of the items, the unit that in which their discriminations have the
(geometric) mean 1. All of it comes of the frozen items: no difficulty of problems that agents set, and no
ability, moves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from scipy import special

from curricula.base import Floats
from curricula.irt import Ability, Bound, Posterior, log_likelihoods, mean_squares, mle, probability

Model = Literal["1pl", "2pl"]
"""Rasch's model, or with a discrimination an item."""

NODES = np.linspace(-5.0, 5.0, 161)
"""Abilities that are integrated over, in standard deviations of the population from its mean."""
TOLERANCE = 1e-4
"""Logits: no parameter moves further in the last iteration."""
MOST = 2000
"""Iterations before it counts as failed."""
DISCRIMINATION = 0.5
"""Standard deviation of the prior of log a about its mean: that of BILOG."""
ABOUT_ABILITIES, ABOUT_CELLS, ABOUT_ITEMS = 2.0, 2.0, 1.0
"""Logits: standard deviations of abilities, of means of cells and of items in a cell that are guessed
..."""
GUESSED = 2.0
"""... and for how many observations the guess counts. It matters only while there are few."""


class NotCalibrated(ValueError):
    """The answers do not fix a scale; the message says why."""


@dataclass(frozen=True, slots=True)
class Responses:
    """Who answered which item how."""

    learners: tuple[str, ...]
    items: tuple[str, ...]
    cells: tuple[str, ...]
    """The cell of each item."""
    right: Floats
    """(learners, items): 1 right, 0 wrong, NaN not asked."""

    @classmethod
    def of(cls, rows: Iterable[tuple[str, str, str, bool]]) -> Responses:
        """From learner, item, cell and whether the answer was right.

        Both are in the order of their names. Of several answers of a learner to an item the first counts.
        """
        answers: dict[tuple[str, str], bool] = {}
        cell_of: dict[str, str] = {}
        for learner, item, cell, right in rows:
            answers.setdefault((learner, item), right)
            cell_of.setdefault(item, cell)
        learners, items = sorted({learner for learner, _ in answers}), sorted(cell_of)
        row = {name: i for i, name in enumerate(learners)}
        column = {name: i for i, name in enumerate(items)}
        table = np.full((len(learners), len(items)), np.nan)
        for (learner, item), right in answers.items():
            table[row[learner], column[item]] = right
        return cls(tuple(learners), tuple(items), tuple(cell_of[i] for i in items), table)


@dataclass(frozen=True, slots=True)
class Item:
    """One item on the scale."""

    item_id: str
    cell: str
    difficulty: float
    """b, in logits."""
    discrimination: float
    """a, in 1 / logits; 1 in Rasch's model."""
    right: int
    answers: int
    standard_error: float | None = None
    """Of the difficulty, in logits; None where it was not asked for."""
    log_discrimination_error: float | None = None
    """The standard error of log a; None in Rasch's model, or where it was not asked for."""

    @property
    def bound(self) -> Bound | None:
        """``above`` where nobody solved it and ``below`` where all did: then its cell says where it
        stands."""
        if self.right == 0:
            return "above"
        return "below" if self.right == self.answers else None


@dataclass(frozen=True, slots=True)
class Scale:
    """Items whose places are fixed, and the population that they were fixed with."""

    model: Model
    items: tuple[Item, ...]
    mean: float
    """Of the abilities, in logits."""
    deviation: float
    """Standard deviation of the abilities, in logits."""

    def item(self, item_id: str) -> Item:
        """An item by its id. Raises KeyError."""
        for item in self.items:
            if item.item_id == item_id:
                return item
        raise KeyError(item_id)

    def ability(
        self,
        answers: Mapping[str, bool],
        *,
        method: Literal["eap", "mle"] = "eap",
        deviation: float | None = None,
    ) -> Ability:
        """Where somebody stands who answered items so, by id; those that are not on the scale are left out.

        ``eap`` has the population as its prior, or a normal of standard ``deviation`` about the same mean.
        Raises ValueError where no answer is left.
        """
        known = [item for item in self.items if item.item_id in answers]
        right = [answers[item.item_id] for item in known]
        b, a = [i.difficulty for i in known], [i.discrimination for i in known]
        if method == "mle":
            return mle(right, b, a)
        posterior = Posterior(self.mean, deviation or self.deviation)
        posterior.update(right, b, a)
        return posterior.ability()

    def abilities(
        self, responses: Responses, *, method: Literal["eap", "mle"] = "eap"
    ) -> dict[str, Ability]:
        """The same for every learner, by name."""
        return {
            learner: self.ability(
                {i: bool(x) for i, x in zip(responses.items, row, strict=True) if not np.isnan(x)},
                method=method,
            )
            for learner, row in zip(responses.learners, responses.right, strict=True)
        }

    def fit(
        self, responses: Responses
    ) -> tuple[dict[str, tuple[float, float]], dict[str, tuple[float, float]]]:
        """Infit and outfit mean squares of every learner and of every item, by name (``irt.mean_squares``).

        At the learners' expected abilities. Those of items that all or none solved say nothing.
        """
        places = {item.item_id: item for item in self.items}
        known = [j for j, name in enumerate(responses.items) if name in places]
        items = [places[responses.items[j]] for j in known]
        x = responses.right[:, known]
        theta = np.array([cast("float", a.value) for a in self.abilities(responses).values()])
        p = probability(theta[:, None], [i.difficulty for i in items], [i.discrimination for i in items])
        by_learner = zip(*mean_squares(x, p, axis=1), strict=True)
        by_item = zip(*mean_squares(x, p, axis=0), strict=True)
        return (
            {
                name: (float(u), float(v))
                for name, (u, v) in zip(responses.learners, by_learner, strict=True)
            },
            {item.item_id: (float(u), float(v)) for item, (u, v) in zip(items, by_item, strict=True)},
        )


def calibrate(responses: Responses, model: Model = "1pl", *, errors: bool = True) -> Scale:
    """Place the items of ``responses``; see the module.

    ``errors`` asks for standard errors, which take most of the time where items are many. Those of items
    are from the observed information (Louis 1982) and take answers of learners as independent: successive
    versions of one policy resemble each other, so they are too small there. Raises NotCalibrated for fewer
    than two learners or items, or answers that are all alike.
    """
    x = responses.right
    seen = ~np.isnan(x)
    if min(x.shape) < 2:
        raise NotCalibrated(
            f"expected answers of at least 2 learners to at least 2 items, got {x.shape[0]} learners and "
            f"{x.shape[1]} items"
        )
    shares = np.nanmean(x)
    if shares in (0.0, 1.0):
        raise NotCalibrated(
            f"expected right and wrong answers, got {'none right' if shares == 0 else 'none wrong'}"
        )
    fitted = _Fit(x, seen, np.unique(responses.cells, return_inverse=True)[1], model)
    fitted.run()
    unknown: list[float | None] = [None] * x.shape[1]
    of_b, of_a = fitted.errors() if errors else (unknown, unknown)
    counts = zip(np.nansum(x, axis=0).astype(int).tolist(), seen.sum(axis=0).tolist(), strict=True)
    items = tuple(
        Item(name, cell, float(b), float(a), right, asked, e_b, e_a)
        for name, cell, b, a, (right, asked), e_b, e_a in zip(
            responses.items,
            responses.cells,
            fitted.b,
            np.exp(fitted.log_a),
            counts,
            of_b,
            of_a,
            strict=True,
        )
    )
    return Scale(model, items, fitted.mean, fitted.deviation)


class _Fit:
    """The parameters on their way, by expectation and maximisation."""

    def __init__(self, x: Floats, seen: np.ndarray, cell: np.ndarray, model: Model) -> None:
        self.right = np.where(seen, x, 0.0)
        self.wrong = np.where(seen, 1 - x, 0.0)
        self.seen = seen.astype(float)
        self.cell = cell
        self.members = np.bincount(cell)
        self.two = model == "2pl"
        k, n = self.right.sum(axis=0), self.seen.sum(axis=0)
        self.b: Floats = -special.logit((k + 0.5) / (n + 1))
        self.log_a: Floats = np.zeros_like(self.b)
        self.mean, self.deviation = 0.0, ABOUT_ABILITIES
        self.about_cells, self.about_items = ABOUT_CELLS, ABOUT_ITEMS
        self.centre: Floats = np.zeros(len(self.members))
        """Means of the cells."""
        self._origin()

    @property
    def nodes(self) -> Floats:
        return self.mean + self.deviation * NODES

    def run(self) -> None:
        for _ in range(MOST):
            before = np.concatenate((self.b, self.log_a, [self.mean, self.deviation]))
            self._step()
            after = np.concatenate((self.b, self.log_a, [self.mean, self.deviation]))
            if np.abs(after - before).max() < TOLERANCE:
                return
        raise NotCalibrated(
            f"expected estimates that settle within {MOST} iterations, got some that still move"
        )

    def posterior(self) -> Floats:
        """The probability of each node for every learner, (learners, nodes)."""
        yes, no = log_likelihoods(self.nodes, self.b[:, None], np.exp(self.log_a)[:, None])
        log = (
            np.einsum("pi,iq->pq", self.right, yes)
            + np.einsum("pi,iq->pq", self.wrong, no)
            - 0.5 * NODES**2
        )
        w = np.exp(log - log.max(axis=1, keepdims=True))
        return cast("Floats", w / w.sum(axis=1, keepdims=True))

    def _step(self) -> None:
        post = self.posterior()
        nodes = self.nodes
        n = np.einsum("pi,pq->iq", self.seen, post)
        k = np.einsum("pi,pq->iq", self.right, post)
        variance = np.zeros_like(self.b)
        for _ in range(2):
            variance = self._items(nodes, n, k)
        learners = len(post)
        theta = (post * nodes).sum(axis=1)
        self.mean = float(theta.mean())
        spread = float((post * (nodes - self.mean) ** 2).sum())
        self.deviation = _deviation(spread, learners, ABOUT_ABILITIES)
        self._prior(variance)
        self._origin()

    def _items(self, nodes: Floats, n: Floats, k: Floats) -> Floats:
        """A step of Fisher scoring for every item; the variance of its difficulty."""
        a = np.exp(self.log_a)
        p = probability(nodes, self.b[:, None], a[:, None])
        left, w = k - n * p, n * p * (1 - p)
        precision = self.about_items**-2
        g_b = -a * left.sum(axis=1) - precision * (self.b - self.centre[self.cell])
        i_b = a**2 * w.sum(axis=1) + precision
        if not self.two:
            self.b = self.b + np.clip(g_b / i_b, -1, 1)
            return np.asarray(1 / i_b)
        z = a[:, None] * (nodes - self.b[:, None])
        g_a = (left * z).sum(axis=1) - self.log_a / DISCRIMINATION**2
        i_a = (w * z**2).sum(axis=1) + DISCRIMINATION**-2
        i_ab = -a * (w * z).sum(axis=1)
        determinant = i_a * i_b - i_ab**2
        self.b = self.b + np.clip((i_a * g_b - i_ab * g_a) / determinant, -1, 1)
        log_a = self.log_a + np.clip((i_b * g_a - i_ab * g_b) / determinant, -0.5, 0.5)
        self.log_a = log_a - log_a.mean()  # the unit; abilities spread to fit it
        return np.asarray(i_a / determinant)

    def _prior(self, variance: Floats) -> None:
        """Means of cells, and how far they and their items scatter."""
        within, between = self.about_items**-2, self.about_cells**-2
        precision = self.members * within + between
        self.centre = within * np.bincount(self.cell, self.b) / precision
        scatter = (self.b - self.centre[self.cell]) ** 2 + variance + (1 / precision)[self.cell]
        self.about_items = _deviation(float(scatter.sum()), len(self.b), ABOUT_ITEMS)
        spread = float((self.centre**2 + 1 / precision).sum())
        self.about_cells = _deviation(spread, len(self.centre), ABOUT_CELLS)

    def _origin(self) -> None:
        """The mean difficulty is 0."""
        shift = float(self.b.mean())
        self.b, self.centre, self.mean = self.b - shift, self.centre - shift, self.mean - shift

    def errors(self) -> tuple[Sequence[float | None], Sequence[float | None]]:
        """Standard errors of the difficulties and of the log discriminations, from the observed
        information: what complete data would tell, less what is missing, the covariance of its score given
        the answers (Louis 1982)."""
        post, nodes, a = self.posterior(), self.nodes, np.exp(self.log_a)
        p = probability(nodes, self.b[:, None], a[:, None])
        z = a[:, None] * (nodes - self.b[:, None])
        w = np.einsum("pi,pq->iq", self.seen, post) * p * (1 - p)
        slopes = [-a[:, None] * np.ones_like(z), z] if self.two else [-a[:, None] * np.ones_like(z)]
        size = len(self.b)
        found = np.zeros((len(slopes), size, len(slopes), size))
        for i, u in enumerate(slopes):
            for j, v in enumerate(slopes):
                found[i, :, j, :] = np.diag((w * u * v).sum(axis=1))
        same = self.cell[:, None] == self.cell[None, :]
        within, between = self.about_items**2, self.about_cells**2
        found[0, :, 0, :] += np.linalg.inv(within * np.eye(size) + between * same)
        if self.two:
            found[1, :, 1, :] += np.eye(size) / DISCRIMINATION**2
        for at, weights in enumerate(post):
            answer = self.right[at][:, None] - p
            score = np.concatenate([self.seen[at][:, None] * answer * u for u in slopes])
            centred = score - (score * weights).sum(axis=1, keepdims=True)
            found -= ((centred * weights) @ centred.T).reshape(found.shape)
        covariance = np.linalg.inv(found.reshape(len(slopes) * size, -1))
        away = np.eye(len(covariance))
        for block in range(len(slopes)):  # neither origin nor unit is estimated
            part = slice(block * size, (block + 1) * size)
            away[part, part] -= 1 / size
        found_errors = np.sqrt(np.diag(away @ covariance @ away.T)).tolist()
        return found_errors[:size], found_errors[size:] if self.two else [None] * size


def _deviation(squares: float, n: int, guess: float) -> float:
    """A standard deviation from a sum of squares, with a guess that counts for ``GUESSED`` observations."""
    return float(np.sqrt((squares + GUESSED * guess**2) / (n + GUESSED)))
