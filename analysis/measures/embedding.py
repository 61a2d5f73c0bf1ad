"""Texts as vectors of length 1, for measures that compare texts: by a sentence model, or by n-grams.

A sentence model (``culture.embedding``, the extra ``embeddings``) was made for language, so with ``auto``
it serves runs in the natural form where it is installed. Terse texts such as ``RS1234`` are compared by
counts of words and of the character 1-, 2- and 3-grams of everything else (``culture.terms``), and so is
all text where no model is. Every result says which of the two served.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

import numpy as np
from scipy import sparse

from analysis.measures.estimate import Floats, Log
from culture.embedding import EmbeddingError, MiniLM, model_folder
from culture.seeds import generator
from culture.terms import tokens

Choice = Literal["auto", "minilm", "ngrams"]
Vectors: TypeAlias = Floats | sparse.csr_array
"""One row a text, of length 1; a text without any term has length 0."""
MOST = 1000
"""Texts that are compared with one another; of more, as many are drawn."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """What turns texts into vectors."""

    name: Literal["minilm", "ngrams"]
    why: str
    """Why it is this one, in words."""

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Of texts (n,), (n, dimensions)."""
        return _minilm(texts) if self.name == "minilm" else ngrams(texts)


def embedding(log: Log, choice: Choice = "auto") -> Embedding:
    """The embedding for a run. Raises EmbeddingError where the model is asked for and not there."""
    if choice == "minilm":
        model_folder()
        return Embedding("minilm", "asked for")
    if choice == "ngrams":
        return Embedding("ngrams", "asked for")
    row = log.execute("SELECT config FROM runs").fetchone()
    form = json.loads(row[0]).get("engine", {}).get("form") if row else None
    if form != "natural":
        return Embedding(
            "ngrams", "the texts of this run are terse, and the sentence model is for language"
        )
    try:
        model_folder()
    except EmbeddingError:
        return Embedding("ngrams", "the extra embeddings is not installed")
    return Embedding("minilm", "the texts of this run are in the natural form")


def ngrams(texts: Sequence[str]) -> sparse.csr_array:
    """Counts of the terms of each text, divided by their length, (n, terms)."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.preprocessing import normalize

    if not any(tokens(text) for text in texts):
        return sparse.csr_array((len(texts), 1))
    counts = CountVectorizer(analyzer=tokens, dtype=np.float64).fit_transform(texts)
    return sparse.csr_array(normalize(counts))


def _minilm(texts: Sequence[str]) -> Floats:
    with tempfile.TemporaryDirectory() as cache:
        model = MiniLM(Path(cache))
        found = np.array([model.query(text) for text in texts], np.float64)
    return cast("Floats", found / np.linalg.norm(found, axis=1, keepdims=True))


def cosines(vectors: Vectors) -> Floats:
    """Between all texts, (n, n); each is 1 to itself."""
    product: Any = vectors @ vectors.T
    found = product.toarray() if sparse.issparse(product) else product
    found = np.clip((found + found.T) / 2, -1, 1)
    np.fill_diagonal(found, 1)
    return cast("Floats", found)


def pairwise(one: Vectors, other: Vectors) -> Floats:
    """Between a row of the one and the row of the other in its place, (n,)."""
    product: Any = one * other  # of sparse arrays element by element, too
    return np.clip(np.asarray(product.sum(axis=1)).ravel(), -1, 1)


def drawn(log: Log, purpose: str, n: int, most: int = MOST) -> list[int]:
    """Places of up to ``most`` of ``n`` things, in order, drawn by the seed of the run and the purpose."""
    if n <= most:
        return list(range(n))
    row = log.execute("SELECT seed FROM runs").fetchone()
    rng = generator(int(row[0]) if row else 0, "measures", purpose)
    return sorted(rng.choice(n, most, replace=False).tolist())
