"""Configuration of what is remembered and shared."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class LakeConfig(BaseModel):
    """Where the log of a run is kept."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid", frozen=True)

    catalog: str = Field(default="sqlite", pattern=r"^(sqlite|postgres:.+)$")
    """The catalog of the log: ``sqlite``, a file in the run's folder, or ``postgres:`` and a libpq
    connection string, e.g. ``postgres:host=db dbname=ludus``, in which every run has a schema of its own,
    named after its folder. Keep passwords in ``~/.pgpass``: whoever may query the run can read this
    string. No unit."""
    data_path: str | None = None
    """The folder (relative ones are taken from the run's folder) or object-store URL under which the
    Parquet files of the run get a folder of their own, named after the run's folder; ``null`` is
    ``data`` in the run's folder. An object store is reached with DuckDB's persistent secrets. No unit."""
    compact_every: int = Field(default=64, ge=0)
    """After how many commits small Parquet files are merged and rows in the catalog moved to Parquet, in
    commits; 0 is never. Versions stay readable."""


class LibraryConfig(BaseModel):
    """What the library takes, keeps in sight and shows."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid", frozen=True)

    seed_from: str | None = None
    """A folder of Markdown files, a note each, that the library begins with; ``null`` begins empty. They
    may say what they are in YAML front matter: ``kind``, ``domain``, ``shelf``, ``author``, ``title``. They
    are read, and what they claim is executed, once, when the run is made. No unit."""
    max_note_chars: int = Field(default=2000, ge=1, le=60_000)
    """Longest body of a note; a longer one is refused, never cut. In characters."""
    max_title_chars: int = Field(default=120, ge=0, le=1000)
    """Longest title of a note; a longer one is refused. In characters."""
    shelf_budget_notes: int = Field(default=2000, ge=1)
    """Notes that one shelf keeps in sight; beyond it the least read are archived. In notes."""
    archive_grace_rounds: int = Field(default=5, ge=0)
    """For how long after it was last written a note is archived only when every other note of its
    shelf is gone, so that new notes have time to be read. In rounds."""
    read_decay: float = Field(default=0.9, gt=0, le=1)
    """What is left of the counted reads of a note when the next reads are observed. A factor, no unit."""
    shelf_budget_tokens: int | None = Field(default=None, ge=1)
    """Length of all texts that one shelf keeps in sight; beyond it notes are archived as beyond
    ``shelf_budget_notes``; null is any. In tokens, as the library counts them (``revisions.tokens``)."""
    search: Literal["bm25", "embeddings", "fused"] = "bm25"
    """How notes are found: ``bm25``, by the words and symbols that they share with the question;
    ``embeddings``, by what they mean, with a sentence-embedding model out of the extra ``embeddings``;
    ``fused``, by both, joined by reciprocal rank fusion. No unit."""
    worth_strength: float = Field(default=0.0, ge=0, le=1)
    """How much a note's estimated worth counts when notes are found: a score is multiplied by
    exp(strength x worth), the worth drawn towards that of all notes by its uncertainty; 0 leaves it out.
    Per point of success."""
    exploration: float = Field(default=0.0, ge=0, le=1)
    """With what probability a place of what is shown goes to the best matching note that few have read,
    whatever matches better, so that new notes get read. A probability, no unit."""
    max_query_terms: int = Field(default=12, ge=1, le=256)
    """A query is cut to its so many rarest terms. In terms."""
    recheck: bool = True
    """Whether examples, and what else solvers are shown as far as the domain can, are checked by execution
    when they are written; what is refuted is stored and never in sight. No unit."""
    unchecked: Literal["show", "hide"] = "show"
    """What becomes of texts that execution has not confirmed: ``show`` lets solvers find them, as they are
    all that some kinds of notes can be; ``hide`` shows solvers confirmed texts alone, of search and of
    placebos, and no instruction to readers is one. Writers read everything. ``hide`` needs ``recheck``. No
    unit."""
    quarantine_harmful: bool = False
    """Whether a note is taken out of sight in an evaluated round once its estimated worth is below zero
    with an interval that allows for looking at all notes (Bonferroni). It comes back by a text that the
    re-check confirms, so never without ``recheck``. No unit."""
    reputation_strength: float = Field(default=0.0, ge=0, le=10)
    """How much its author's reputation counts when a note is found: a score is multiplied by
    (reputation / ½) ^ strength; 0 leaves it out. An exponent, no unit."""
    author_notes_per_round: int | None = Field(default=None, ge=1)
    """Most texts, new notes and revisions, that one author writes in a round; more are refused. null is
    any. In texts."""
    near_duplicate: float | None = Field(default=None, gt=0, le=1)
    """A text is refused that has this share of its character shingles, or more, in common with another of
    its shelf and domain; null refuses equal ones only. A Jaccard similarity, no unit."""
    provenance: bool = False
    """Whether readers are told, in the natural form, who wrote a note, when, and whether it was confirmed.
    No unit."""
    placebo_draws: int = Field(default=32, ge=1)
    """Notes drawn at random to choose the placebos of one attempt from. In notes."""
    placebo_relevance: float = Field(default=0.5, gt=0, le=1)
    """A note that scores this share of the best hit's score or more is too relevant to be a placebo.
    A share of a BM25 score, no unit."""

    @model_validator(mode="after")
    def _hides_what_is_checked(self) -> LibraryConfig:
        if self.unchecked == "hide" and not self.recheck:
            raise ValueError(
                "expected recheck: true beside unchecked: hide, got false, which would hide every note; "
                "write recheck: true, or unchecked: show"
            )
        return self
