"""How many different things texts say, and how much of that is between groups rather than within them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np
import numpy.typing as npt

from analysis.measures.embedding import Embedding, cosines, drawn
from analysis.measures.estimate import Estimate, Floats, Log, NothingToMeasure, from_left_out, numbered
from culture.terms import split

Group = Literal["author", "shelf", "organisation", "kind", "domain"]


def vendi(kernel: npt.ArrayLike) -> float:
    """The Vendi score of n texts, from 1 (all alike) to n (none alike), in texts.

    exp(-sum lambda ln lambda) over the eigenvalues lambda of K/n, K the similarities (n, n), 1 of each text
    to itself (Friedman and Dieng 2023, arXiv 2210.02410, eq. 2). Raises NothingToMeasure for no text,
    ValueError where the diagonal is not 1.
    """
    k = np.asarray(kernel, float)
    if not len(k):
        raise NothingToMeasure("expected at least one text, got none")
    if not np.allclose(np.diag(k), 1):
        raise ValueError("expected each text to be as similar as 1 to itself; divide by its length")
    found = np.linalg.eigvalsh(k / len(k))
    found = found[found > 1e-12]
    return float(np.exp(-(found * np.log(found)).sum()))


def distinct(texts: Sequence[str], n: int) -> float:
    """distinct-n: different word n-grams over all of them, from 0 to 1 (Li et al. 2016, arXiv 1510.03055).

    Words are those of ``culture.terms``, runs of other symbols among them; n-grams end with their text.
    NaN where there is none. Raises ValueError for n below 1.
    """
    if n < 1:
        raise ValueError(f"expected n of 1 or more, got {n}")
    grams: list[tuple[str, ...]] = []
    for text in texts:
        words = _words(text)
        grams += [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    return len(set(grams)) / len(grams) if grams else float("nan")


def varied(texts: Sequence[str]) -> dict[int, float]:
    """distinct-1 and distinct-2, where there are such n-grams."""
    found = {n: distinct(texts, n) for n in (1, 2)}
    return {n: share for n, share in found.items() if not np.isnan(share)}


def _words(text: str) -> list[str]:
    """In order: each piece between spaces or semicolons is one word or one run."""
    found = []
    for piece in text.replace(";", " ").split():
        words, runs = split(piece)
        found += words + runs
    return found


def f_st(kernel: npt.ArrayLike, groups: npt.ArrayLike) -> Estimate:
    """The share of the differences between texts that is between groups, F_ST; at most 1.

    Phi_ST of an analysis of molecular variance (Excoffier, Smouse and Quattro 1992, Genetics 131), over
    squared distances 2(1 - K) of the similarities K, (n, n), which corrects for the size of groups, (n,),
    so that it is 0 in the mean, and now below, where groups differ by chance alone. For one number a text
    it is the intraclass correlation. As a measure of culture: Bell, Richerson and McElreath 2009, PNAS
    106(42). The interval is by jackknife over texts, given these groups. n is texts. Raises
    NothingToMeasure with fewer than two groups, or where no group has two texts.
    """
    k = np.asarray(kernel, float)
    at, size = numbered(groups) if len(k) else (np.zeros(0, np.int64), 0)
    members = np.bincount(at, minlength=size).astype(float)
    if size < 2 or members.max() < 2:
        raise NothingToMeasure(
            f"expected two groups or more, one of them of two texts or more, got {size} groups of "
            f"{len(k)} texts"
        )
    squared = 2 * (1 - k)
    belongs = np.eye(size)[at]
    to_group = squared @ belongs  # of each text to each group, (n, groups)
    own = to_group[np.arange(len(k)), at]
    total, within = squared.sum() / 2, np.bincount(at, own, minlength=size) / 2
    value = _phi(np.array([total]), within[None], members[None])
    without = _phi(total - squared.sum(axis=1), within - belongs * own[:, None], members - belongs)
    return from_left_out(float(value[0]), without, len(k))


def _phi(total: Floats, within: Floats, members: Floats) -> Floats:
    """By sums of squared distances over pairs: all (m,), within groups and their sizes (m, groups)."""
    n, groups = members.sum(axis=1), (members > 0).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = np.where(members > 0, within / members, 0.0).sum(axis=1)
        mean_within = inside / (n - groups)
        mean_between = (total / n - inside) / (groups - 1)
        size = (n - (members**2).sum(axis=1) / n) / (groups - 1)
        between = (mean_between - mean_within) / size
        return cast("Floats", between / (between + mean_within))


HEADS = """
WITH belonging AS (
    SELECT agent_id, arg_max(organisation, round) AS organisation FROM agents GROUP BY agent_id
)
SELECT l.body, l.revised_by, l.shelf, coalesce(b.organisation, ''), l.kind, l.domain
FROM library_at($last) l LEFT JOIN belonging b ON b.agent_id = l.revised_by
WHERE NOT l.archived ORDER BY l.library_version
"""


@dataclass(frozen=True, slots=True)
class Diversity:
    """Of the texts in sight at the end of a round."""

    vendi: float
    """In texts."""
    distinct: dict[int, float]
    """distinct-n by n."""
    between: dict[Group, Estimate]
    """F_ST by what groups; absent where there are not two."""
    texts: int
    """Compared: at most ``MOST``."""
    of: int
    """In sight."""


def of_log(log: Log, round: int, embedding: Embedding) -> Diversity:
    """Of the library as it was at the end of ``round``. Raises NothingToMeasure where nothing stood
    there."""
    rows = log.execute(HEADS, {"last": round}).fetchall()
    if not rows:
        raise NothingToMeasure(f"expected notes in sight at the end of round {round}, got none")
    some = [rows[i] for i in drawn(log, "diversity", len(rows))]
    bodies = [row[0] for row in some]
    kernel = cosines(embedding.vectors(bodies))
    between: dict[Group, Estimate] = {}
    for place, group in enumerate(get_args(Group), 1):
        try:
            between[group] = f_st(kernel, [row[place] for row in some])
        except NothingToMeasure:
            continue
    return Diversity(vendi(kernel), varied(bodies), between, len(some), len(rows))
