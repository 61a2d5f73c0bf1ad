"""The records everything else speaks in: one class a table of the log, one field a column.

A record is plain data: frozen, picklable, comparable. ``culture/schema.sql`` declares the same names
with types and a comment on each column; a test holds the two together.

Failures are attributed to one of :data:`Source`. Texts written by a model are stored as they were
written; what is shown to another model goes through ``culture.quoting.quote`` first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Json = dict[str, object]

Role = Literal["proposer", "solver", "editor", "judge", "teacher"]
Arm = Literal["library", "none", "placebo", "shuffled"]
Form = Literal["terse", "natural"]
Verdict = Literal["correct", "wrong", "malformed", "error"]
Status = Literal["admitted", "rejected"]
Source = Literal["proposer", "solver", "verifier", "library", "learner", "infrastructure"]


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its resolved configuration and the code and packages that it runs on."""

    run_id: str
    name: str
    seed: int
    started_at: datetime
    config: Json
    code_version: str
    packages: Json


@dataclass(frozen=True, slots=True)
class Round:
    """One committed round: counts, the state to resume from, and how long each phase took."""

    round: int
    started_at: datetime
    requested: int
    proposed: int
    valid: int
    duplicate: int
    admitted: int
    attempts: int
    correct: int
    mean_difficulty: float | None
    library_version: int
    generated_tokens: int
    trained_tokens: int
    state: Json
    """Everything a resume needs that is not a row elsewhere: strategy and tracker states."""
    request_seconds: float
    propose_seconds: float
    attempt_seconds: float
    judge_seconds: float
    write_seconds: float
    learn_seconds: float
    sleep_seconds: float
    evaluate_seconds: float
    generating_seconds: float
    verifying_seconds: float
    training_seconds: float
    previous_commit_seconds: float | None
    peak_memory: Json
    """Largest resident memory so far of each process, by its name, GiB."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Agent:
    """An identity in the population."""

    agent_id: str
    round: int
    roles: list[str]
    organisation: str
    persona: str
    policy: str
    neighbours: list[str]
    born: int
    retired: int | None
    hostile: str | None
    """How it means to do harm, in a study of that; None where it does not."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of a policy: where its weights are and what it came of."""

    policy_version: str
    policy: str
    version: int
    round: int
    base: str
    parent: str | None
    batch_id: str | None
    path: str
    sha256: str
    accepted: bool
    """False where the learner refused the version (loss not finite); ``reason`` says why."""
    reason: str | None


@dataclass(frozen=True, slots=True)
class Problem:
    """One proposal: admitted or rejected, with the reason."""

    problem_id: str
    round: int
    domain: str
    request: str
    """What the curriculum asked for: ``fresh`` or ``mutate`` (a replay makes no new problem)."""
    origin: str
    """Who wrote the text: ``policy`` (sampled), ``mutation`` (the domain's operator), ``club`` (a book
    club), ``scripted``."""
    target_difficulty: float | None
    parent_id: str | None
    proposer: str
    policy_version: str | None
    prompt: str
    text: str
    """The proposal as written, untrusted."""
    token_ids: list[int]
    logprobs: list[float]
    spec: str | None
    """Canonical machine-checkable form; None where the text did not parse."""
    answer_key: str | None
    worked: list[str]
    """Intermediate values by execution, the answer key last; empty where it did not execute."""
    features: Json
    """Complexity features by name, e.g. operations, length, steps."""
    difficulty: float | None
    """The domain's scalar complexity, in its own unit."""
    status: Status
    reason: str | None
    """Why it was rejected: invalid:…, duplicate, anchor, over_context, error:…; None where admitted."""
    failure_source: Source | None
    payment: float | None
    """What the strategy paid the proposer once the problem was attempted."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One solver's try at one problem."""

    attempt_id: str
    round: int
    problem_id: str
    domain: str
    solver: str
    policy_version: str
    library_version: int
    arm: Arm
    dose: int
    """Notes that it was to be shown at most; fewer were found where ``reads`` has fewer."""
    form: Form
    replay: bool
    prompt: str
    completion: str
    token_ids: list[int]
    logprobs: list[float]
    turns: int
    answer: str | None
    verdict: Verdict
    correct: bool
    reward: float
    prompt_tokens: int
    failure_source: Source | None
    failure: str | None


@dataclass(frozen=True, slots=True)
class Action:
    """One completion of an attempt of several turns that was not its last: that is in the attempt."""

    attempt_id: str
    round: int
    turn: int
    prompt: str
    completion: str
    token_ids: list[int]
    logprobs: list[float]
    lookup: bool
    """Whether it searched the library rather than to act on the problem."""
    opponent: bool
    """Whether it is a move of the solver's opponent, in a game of two."""


@dataclass(frozen=True, slots=True)
class Match:
    """A game of two that came to its end: an attempt's, or one at an anchor."""

    round: int
    domain: str
    part: str
    """What the solver played: game and seat."""
    attempt_id: str | None
    anchor_id: str | None
    policy_version: str
    """The solver's."""
    opponent: str
    """Its opponent's policy version, or the name of somebody scripted."""
    result: str
    """win, draw or loss, the solver's."""
    forfeited_by: str | None
    """``solver`` or ``opponent`` where one lost by making no move that is allowed."""
    turns: int


@dataclass(frozen=True, slots=True)
class Read:
    """One note revision shown to one attempt."""

    attempt_id: str
    round: int
    reader: str
    note_id: str
    revision_id: str
    arm: Arm
    rank: int
    tokens: int
    explored: bool


@dataclass(frozen=True, slots=True)
class Note:
    """The identity of a note; its text is in its revisions."""

    note_id: str
    round: int
    kind: str
    domain: str
    shelf: str
    title: str
    author: str


@dataclass(frozen=True, slots=True)
class Revision:
    """One immutable text of a note."""

    revision_id: str
    note_id: str
    round: int
    author: str
    policy_version: str | None
    parents: list[str]
    outcome: str
    """What the write did: ``head`` (the new head), ``merged`` or ``branch`` (the base had moved), or
    ``archived`` (a marker with an empty body: the note is out of sight until its next head), or
    ``quarantined`` (the same, until its next head that a re-check confirmed)."""
    body: str
    tokens: int
    evidence: Json
    library_version: int


@dataclass(frozen=True, slots=True)
class Citation:
    """One thing that a revision refers to."""

    revision_id: str
    round: int
    target_kind: Literal["note", "problem", "attempt"]
    target_id: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What one agent decided to do with its desk, and what became of it."""

    decision_id: str
    round: int
    agent_id: str
    policy_version: str | None
    """None where the scripted policy decided."""
    domain: str
    problem_id: str | None
    """What it had worked on; None in a book club."""
    club: str | None
    """The chapter that was talked about; None outside a book club."""
    read: list[str]
    """Revisions that lay on the desk, in the order of their numbers."""
    prompt: str
    completion: str
    """As written, untrusted."""
    action: str | None
    """What it decided, by name; None where the text was no action."""
    note_id: str | None
    """The note that it wrote, or that it did something to."""
    outcome: Literal["written", "left", "malformed", "refused", "lost"]
    reason: str | None
    """Why it was malformed, refused or lost."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A set of training rows for one policy; ``path`` is a Parquet file anyone can train from."""

    batch_id: str
    round: int
    policy: str
    parent: str
    objectives: list[str]
    rows: int
    tokens: int
    path: str


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One training row and the thing it came from."""

    batch_id: str
    round: int
    row: int
    role: str
    objective: str
    source_kind: Literal["attempt", "problem", "note"]
    source_id: str
    group_id: str
    """Rows of one group share a baseline (a problem's attempts, a request's proposals)."""
    prompt: str
    completion: str
    token_ids: list[int]
    """Ids of the completion, in the policy's vocabulary."""
    logprobs: list[float]
    """Log-probabilities under the policy that sampled; empty where the completion is a key."""
    weight: float
    advantage: float


@dataclass(frozen=True, slots=True)
class Update:
    """One optimizer step."""

    batch_id: str
    round: int
    policy: str
    policy_version: str
    step: int
    loss: float
    kl: float | None
    entropy: float | None
    grad_norm: float
    clip_fraction: float | None
    sampling_gap: float | None
    learning_rate: float
    rows: int
    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One anchor answered by one policy version."""

    round: int
    policy_version: str
    domain: str
    anchor_id: str
    cell: str
    features: Json
    completion: str
    correct: bool


@dataclass(frozen=True, slots=True)
class Revisit:
    """One problem of an earlier round answered again by one policy version, to see what was forgotten."""

    round: int
    policy_version: str
    domain: str
    problem_id: str
    posed: int
    """The round that set the problem."""
    completion: str
    correct: bool


@dataclass(frozen=True, slots=True)
class Measure:
    """One number about one round, with an interval where it is an estimate."""

    round: int
    name: str
    domain: str
    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: a failure and to whom it is attributed, or a turning point."""

    round: int
    at: datetime
    source: Source
    kind: str
    subject: str
    detail: str


@dataclass(slots=True)
class RoundRows:
    """All rows of one round, gathered while it runs and committed together or not at all."""

    runs: list[Run] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)
    agents: list[Agent] = field(default_factory=list)
    policies: list[Policy] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    revisions: list[Revision] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    batch_rows: list[BatchRow] = field(default_factory=list)
    updates: list[Update] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    revisits: list[Revisit] = field(default_factory=list)
    matches: list[Match] = field(default_factory=list)
    measures: list[Measure] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
