"""A run's batches and problems as files that other trainers read: TRL's datasets and verl's.

``trl`` gets ``sft.parquet``, the answers that were imitated (conversational prompt-completion), and
``grpo.parquet``, the problems with their answer keys. ``verl`` gets the problems as ``train.parquet``. A
``README.md`` beside them says how to load them and how to reward an answer.

Prompts are the texts that policies were shown and trained on, behind the run's system message, where it has
one: without it a chat template may say something of its own. A problem is posed as in its barest attempt:
with the fewest notes, so without any wherever some attempt had none. Anchors are held out and in no file:
they are no problems of the log, and what a policy wrote that turned out to be one is left out here too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.export_folder import PARTIAL, ExportError, check_free

Target = Literal["trl", "verl"]
Role = Literal["solver", "proposer"]

_MESSAGES: Final = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
SFT_SCHEMA: Final = pa.schema(
    [
        ("prompt", _MESSAGES),
        ("completion", _MESSAGES),
        ("weight", pa.float64()),
        ("advantage", pa.float64()),
        ("objective", pa.string()),
        ("role", pa.string()),
        ("domain", pa.string()),
        ("policy_version", pa.string()),
        ("round", pa.int64()),
        ("source_kind", pa.string()),
        ("source_id", pa.string()),
        ("batch_id", pa.string()),
    ]
)
"""``sft.parquet``: as in ``batch_rows``; ``policy_version`` is the one that the row trained."""
GRPO_SCHEMA: Final = pa.schema(
    [
        ("prompt", _MESSAGES),
        ("answer_key", pa.string()),
        ("spec", pa.string()),
        ("domain", pa.string()),
        ("problem_id", pa.string()),
        ("difficulty", pa.float64()),
        ("round", pa.int64()),
        ("form", pa.string()),
        ("notes", pa.int64()),
    ]
)
"""``grpo.parquet``: as in ``problems``; ``form`` is the prompt's, ``notes`` how many notes it shows."""
VERL_SCHEMA: Final = pa.schema(
    [
        ("data_source", pa.string()),
        ("prompt", _MESSAGES),
        ("ability", pa.string()),
        ("reward_model", pa.struct([("style", pa.string()), ("ground_truth", pa.string())])),
        (
            "extra_info",
            pa.struct(
                [
                    ("split", pa.string()),
                    ("index", pa.int64()),
                    *((f.name, f.type) for f in GRPO_SCHEMA if f.name not in ("prompt", "answer_key")),
                ]
            ),
        ),
    ]
)
"""``train.parquet``: verl's five columns, with what ``GRPO_SCHEMA`` has besides in ``extra_info``."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    files: dict[Path, int]
    """Parquet files and their rows; a file that would have none is not written."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Rows and problems that are in no file, by reason."""

    def lines(self) -> list[str]:
        """For people: a line a file, then a line a reason."""
        return [
            *(f"{path}: {_counted(rows)}" for path, rows in self.files.items()),
            *(f"left out: {count:,} {what}" for what, count in self.left_out.items()),
        ]


def export_training(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    to: Target,
    *,
    policy: str | None = None,
    role: Role | None = None,
) -> Exported:
    """Write what a run trained on and the problems that it posed into ``folder``, which is new or empty.

    ``policy`` keeps the rows that trained that policy and the problems that it attempted; ``role`` the rows
    of one role. Problems are for solvers. The order of rows follows from the log alone. Each file is there
    whole or not at all. ``connection`` is from ``culture.connect`` and in no transaction.

    Raises ExportError where the folder holds something, the run has nothing of the kind, or a word is not
    one of those allowed.
    """
    for word, value, allowed in (("--to", to, get_args(Target)), ("--role", role, (None, *get_args(Role)))):
        if value not in allowed:
            names = " or ".join(a for a in allowed if a is not None)
            raise ExportError(f"expected {names} for {word}, got {value!r}")
    if to == "verl" and role == "proposer":
        raise ExportError(
            "expected --role solver for verl, got 'proposer', whose problems have no answer key to be "
            "rewarded by; write --to trl for the proposals that were imitated"
        )
    check_free(folder)
    with _at_one_version(connection):
        _check_policy(connection, policy)
        system = _system(connection)
        tables: dict[str, pa.Table] = {}
        left_out: dict[str, int] = {}
        if to == "trl":
            tables["sft.parquet"] = _imitated(connection, policy, role, system, left_out)
        if role != "proposer":
            name = "grpo.parquet" if to == "trl" else "train.parquet"
            tables[name] = _posed(connection, to, policy, system, left_out)
        tables = {name: table for name, table in tables.items() if table.num_rows}
        if not tables:
            raise ExportError(_nothing(connection, policy, role))
        run, seed, first, last = _row(
            connection, "SELECT any_value(name), any_value(seed), min(round), max(round) FROM runs, rounds"
        )
    rows = {name: table.num_rows for name, table in tables.items()}
    text = _readme(to, rows, f"the run {run}, seed {seed}, rounds {first} to {last}", system)
    _write(folder, tables, text)
    return Exported({folder / name: count for name, count in rows.items()}, left_out)


# -- the folder ----------------------------------------------------------------------------------------
def _write(folder: Path, tables: dict[str, pa.Table], text: str) -> None:
    """All files under other names, then renamed at once: the README, which speaks of the others, last."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = {name: folder / f"{name}{PARTIAL}" for name in (*tables, "README.md")}
    for name, table in tables.items():
        pq.write_table(table, partial[name])
    partial["README.md"].write_text(text, encoding="utf-8")
    for name, path in partial.items():
        path.replace(folder / name)


# -- what is in the log --------------------------------------------------------------------------------
@contextmanager
def _at_one_version(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All queries within see the same rounds, though the run goes on."""
    connection.execute("BEGIN TRANSACTION")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


_ANCHORS: Final = "SELECT domain, spec FROM problems WHERE reason = 'anchor'"
"""Anchors that policies happened to propose: the only ones whose text the log holds."""

# A row of a batch with the domain of what it came from, and whether that is an anchor.
_ROWS: Final = f"""
WITH sources AS (
    SELECT 'attempt' AS kind, attempt_id AS id, p.domain, p.spec
    FROM attempts a JOIN problems p USING (problem_id)
    UNION ALL SELECT 'problem', problem_id, domain, spec FROM problems
    UNION ALL SELECT 'note', note_id, domain, NULL FROM notes
), rows AS (
    SELECT r.*, s.domain, b.parent, b.policy, s.id IS NULL AS lost,
        r.objective IN ('answer_key', 'rejection') AS imitated,
        coalesce((s.domain, s.spec) IN ({_ANCHORS}), false) AS anchor
    FROM batch_rows r JOIN batches b USING (batch_id)
    LEFT JOIN sources s ON s.kind = r.source_kind AND s.id = r.source_id
    WHERE ($policy IS NULL OR b.policy = $policy) AND ($role IS NULL OR r.role = $role)
)
"""
_PROMPT: Final = """CASE WHEN $system IS NULL THEN [{'role': 'user', 'content': r.prompt}]
    ELSE [{'role': 'system', 'content': $system}, {'role': 'user', 'content': r.prompt}] END AS prompt"""
_SFT: Final = f"""
SELECT {_PROMPT},
    [{{'role': 'assistant', 'content': completion}}] AS completion,
    weight, advantage, objective, role, domain, parent AS policy_version, round, source_kind, source_id,
    batch_id
FROM rows r WHERE imitated AND NOT anchor ORDER BY round, policy, batch_id, row
"""

# A problem with the prompt of its barest attempt. In the library's arm a prompt may offer a search.
_POSED: Final = f"""
WITH shown AS (SELECT attempt_id, count(*) AS notes FROM reads GROUP BY attempt_id),
barest AS (
    SELECT a.problem_id, a.prompt, a.form, coalesce(s.notes, 0) AS notes
    FROM attempts a LEFT JOIN shown s USING (attempt_id)
    WHERE $policy IS NULL OR split_part(a.policy_version, '@', 1) = $policy
    QUALIFY row_number() OVER (
        PARTITION BY a.problem_id
        ORDER BY coalesce(s.notes, 0), a.arm = 'library', a.turns, a.round, attempt_id
    ) = 1
), admitted AS (
    SELECT * FROM problems
    WHERE status = 'admitted' AND NOT coalesce((domain, spec) IN ({_ANCHORS}), false)
), posed AS (
    SELECT {_PROMPT}, p.answer_key, p.spec, p.domain, p.problem_id,
        p.difficulty, p.round, r.form, r.notes
    FROM admitted p JOIN barest r USING (problem_id) WHERE p.answer_key <> ''
)
"""
_GRPO: Final = "SELECT * FROM posed ORDER BY round, problem_id"
_VERL: Final = """
SELECT 'ludus/' || domain AS data_source, prompt, domain AS ability,
    {'style': 'rule', 'ground_truth': answer_key} AS reward_model,
    {'split': 'train', 'index': row_number() OVER (ORDER BY round, problem_id) - 1, 'spec': spec,
        'domain': domain, 'problem_id': problem_id, 'difficulty': difficulty, 'round': round, 'form': form,
        'notes': notes} AS extra_info
FROM posed ORDER BY round, problem_id
"""
_UNPOSED: Final = """
SELECT count(*) FILTER (b.problem_id IS NULL),
    count(*) FILTER (b.problem_id IS NOT NULL AND coalesce(p.answer_key, '') = '')
FROM admitted p LEFT JOIN barest b USING (problem_id)
"""


def _system(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The system message that the run's policies were shown; None where their templates had none of its."""
    found = connection.execute(
        """SELECT config->>'$.engine.system' FROM runs
        WHERE (config->>'$.engine.form') = 'natural' AND (config->>'$.engine.kind') <> 'spark'"""
    ).fetchone()
    return None if found is None or found[0] is None else str(found[0])


def _imitated(
    connection: duckdb.DuckDBPyConnection,
    policy: str | None,
    role: Role | None,
    system: str | None,
    left_out: dict[str, int],
) -> pa.Table:
    """The rows that were trained on by imitation, in the order in which they were."""
    if _row(connection, "SELECT count(*) FROM batches") == (0,):
        raise ExportError(
            "expected a run that trained a policy, got one without a batch so far; play more of its "
            "rounds, or write --to verl, which takes the problems alone"
        )
    chosen = {"policy": policy, "role": role}
    lost, objectives, relative, anchors = _row(
        connection,
        _ROWS
        + """SELECT count(*) FILTER (lost), list_sort(list(DISTINCT objective) FILTER (NOT imitated)),
            count(*) FILTER (NOT imitated), count(*) FILTER (imitated AND anchor) FROM rows""",
        chosen,
    )
    if lost:
        raise ExportError(
            f"expected what every training row came from in the log, got {lost} rows without it; the log "
            "is damaged: restore it from a copy"
        )
    if relative:
        left_out[f"training rows of {', '.join(objectives)}, which are not for imitation"] = relative
    if anchors:
        left_out["training rows that held an anchor"] = anchors
    return connection.execute(_ROWS + _SFT, {**chosen, "system": system}).to_arrow_table().cast(SFT_SCHEMA)


def _posed(
    connection: duckdb.DuckDBPyConnection,
    to: Target,
    policy: str | None,
    system: str | None,
    left_out: dict[str, int],
) -> pa.Table:
    """The problems, in the order of their rounds and ids."""
    chosen = {"policy": policy, "system": system}
    never, keyless = _row(connection, _POSED + _UNPOSED, chosen)
    if never:
        left_out[f"admitted problems that {f'{policy} never' if policy else 'nobody'} attempted"] = never
    if keyless:
        left_out["admitted problems of several steps, which have no answer key"] = keyless
    sql, schema = {"trl": (_GRPO, GRPO_SCHEMA), "verl": (_VERL, VERL_SCHEMA)}[to]
    return connection.execute(_POSED + sql, chosen).to_arrow_table().cast(schema)


def _check_policy(connection: duckdb.DuckDBPyConnection, policy: str | None) -> None:
    known = [
        str(r[0]) for r in connection.execute("SELECT DISTINCT policy FROM policies ORDER BY 1").fetchall()
    ]
    if policy is not None and policy not in known:
        names = ", ".join(known) or "none is committed yet"
        raise ExportError(f"expected a policy of the run for --policy ({names}), got {policy!r}")


def _nothing(connection: duckdb.DuckDBPyConnection, policy: str | None, role: Role | None) -> str:
    chosen = [f"--{word} {value}" for word, value in (("policy", policy), ("role", role)) if value]
    found = connection.execute(
        "SELECT b.policy, r.role, count(*) FROM batch_rows r JOIN batches b USING (batch_id) "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    there = ", ".join(f"{rows:,} rows of {name} as {what}" for name, what, rows in found)
    asked = f" with {' and '.join(chosen)}" if chosen else ""
    return (
        f"expected answers to imitate or attempted problems{asked}, "
        f"got none; the log has {there or 'no training rows'}"
    )


def _row(
    connection: duckdb.DuckDBPyConnection, sql: str, params: dict[str, str | None] | None = None
) -> tuple[Any, ...]:
    row = connection.execute(sql, params).fetchone()
    assert row is not None
    return tuple(row)


def _counted(rows: int) -> str:
    return f"{rows:,} row{'s' * (rows != 1)}"


# -- the README ----------------------------------------------------------------------------------------
_ANSWER: Final = """\
def answer(text):
    _, named, after = text.rpartition("Answer:")
    line = after.strip().partition("\\n")[0]
    return line.strip(" .*`") if named else line.rpartition("=")[2]
"""
"""How answers to Ludus's own domains are given; their ``read_answer`` is stricter about what is one."""
_REWARD: Final = f"""

{_ANSWER}

def reward(completions, answer_key, **columns):
    texts = [messages[0]["content"] for messages in completions]
    return [float(answer(text) == key) for text, key in zip(texts, answer_key)]
"""
_VERL_TOLD: Final = f"""\
verl asks for a reward function, `reward.py`, and for validation data, both yours:

```python
{_ANSWER}

def compute_score(data_source, solution_str, ground_truth, extra_info=None):
    return float(answer(solution_str) == ground_truth)
```

```bash
python -m verl.trainer.main_ppo data.train_files=train.parquet data.val_files=YOURS.parquet \\
    custom_reward_function.path=reward.py algorithm.adv_estimator=grpo actor_rollout_ref.model.path=MODEL
```
"""
_SFT_TOLD: Final = """\
`sft.parquet`, {rows}: answers that were imitated. TRL counts all rows alike; `weight` is what each
counted for in the run, so draw rows by it, or drop those of little weight.
"""
_PROBLEMS_TOLD: Final = """\
`{name}`, {rows}: admitted problems, each with its answer key by execution. `notes` is how
many notes of others its prompt shows; a prompt of the form `terse` was shown without a chat template.
"""
_SYSTEM_TOLD: Final = """\
Every prompt begins with the system message that the run's models were shown{which}; a chat template may say
something of its own where there is none.
"""
_BEWARE: Final = """\
Models wrote these texts: a control token of your chat template that one spells out would count as one.
Anchors, by which the run was measured, are in no file. The run's own reward of a text is
`arena.domains.make_domain(domain).turn(spec, answer_key, [text], form).reward`.
"""


def _readme(to: Target, rows: dict[str, int], source: str, system: str | None) -> str:
    told = [
        (_SFT_TOLD if name == "sft.parquet" else _PROBLEMS_TOLD).format(name=name, rows=_counted(count))
        for name, count in rows.items()
    ]
    if system is not None:
        told.append(_SYSTEM_TOLD.format(which="" if system else ", which is empty"))
    how = _VERL_TOLD if to == "verl" else _trl_told(sft="sft.parquet" in rows, grpo="grpo.parquet" in rows)
    title = {"trl": "TRL", "verl": "verl"}[to]
    return "\n".join([f"# Training data for {title}\n\nFrom {source}.\n", *told, how, _BEWARE])


def _trl_told(*, sft: bool, grpo: bool) -> str:
    loads, trains = [], []
    if sft:
        loads.append('sft = load_dataset("parquet", data_files="sft.parquet", split="train")\n')
        trains.append("SFTTrainer(MODEL, train_dataset=sft).train()\n")
    if grpo:
        loads.append('grpo = load_dataset("parquet", data_files="grpo.parquet", split="train")\n' + _REWARD)
        trains.append("GRPOTrainer(MODEL, reward_funcs=reward, train_dataset=grpo).train()\n")
    trainers = ", ".join(line.partition("(")[0] for line in reversed(trains))
    return (
        f"```python\nfrom datasets import load_dataset\n\n{''.join(loads)}```\n\n"
        f"```python\nfrom trl import {trainers}\n\n{''.join(trains)}```\n"
    )
