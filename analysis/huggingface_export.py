"""A run as a dataset folder of Hugging Face: problems, attempts and the library, with a card.

``datasets.load_dataset(FOLDER, "attempts")`` reads it, and so does the hub it may be uploaded to. Columns
are those of the log, with token ids and log-probabilities, so attempts can be trained on off policy.
Anchors, by which runs are measured, are held out and in no file: neither what was answered to them, nor
proposals that turned out to be one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from analysis.export_folder import ExportError, check_free, filled
from culture.columns import declared
from culture.markdown import escaped

BATCH: Final = 10_000
"""Rows that are held in memory at once."""
_ANCHORS: Final = "SELECT domain, spec FROM problems WHERE reason = 'anchor' AND spec IS NOT NULL"
_HELD_OUT: Final = f"coalesce(p.reason = 'anchor' OR (p.domain, p.spec) IN ({_ANCHORS}), false)"


def _columns(table: str, alias: str) -> str:
    """Those that are declared, in order: all of an older log, too."""
    return ", ".join(f'{alias}."{c.name}"' for c in declared()[table])


CONFIGS: Final[dict[str, tuple[str, str]]] = {
    "problems": (
        "One row a proposal, admitted or rejected, with the reason.",
        f"SELECT {_columns('problems', 'p')} FROM problems p WHERE NOT {_HELD_OUT} ORDER BY p.rowid",
    ),
    "attempts": (
        "One row an attempt: one solver's try at one problem, in the arm that it was assigned by lot.",
        f"SELECT {_columns('attempts', 'a')} FROM attempts a JOIN problems p USING (problem_id) "
        f"WHERE NOT {_HELD_OUT} ORDER BY a.rowid",
    ),
    "library": (
        "One row a revision: one immutable text of a note, with the note's title, kind, domain and shelf.",
        f"SELECT {_columns('revisions', 'r')}, n.title, n.kind, n.domain, n.shelf "
        "FROM revisions r JOIN notes n USING (note_id) ORDER BY r.library_version",
    ),
}
"""What there is, and its query."""
_TABLES: Final = {"problems": ("problems",), "attempts": ("attempts",), "library": ("revisions", "notes")}
"""The tables whose comments say what columns are."""
_SIZES: Final = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass(frozen=True, slots=True)
class DatasetExported:
    """What was written."""

    folder: Path
    rows: dict[str, int]
    """Rows of each configuration of the dataset; one that would have none is not written."""
    left_out: dict[str, int]
    """What is in no file, by reason."""

    def lines(self) -> list[str]:
        """For people."""
        default = next(iter(self.rows))
        return [
            *(f"{self.folder / name}: {rows:,} rows" for name, rows in self.rows.items()),
            *(f"left out: {count:,} {what}" for what, count in self.left_out.items() if count),
            f'load it with: datasets.load_dataset("{self.folder}", "{default}")',
            "the card names no licence: add one to README.md before you publish it",
        ]


@dataclass(frozen=True, slots=True)
class _Written:
    rows: int
    bytes: int
    """In memory."""
    file_bytes: int
    schema: pa.Schema


def export_huggingface(connection: duckdb.DuckDBPyConnection, folder: Path) -> DatasetExported:
    """Write the dataset into ``folder``, which is new or empty.

    Rows are in the order in which they were committed, so the files follow from the log alone.
    ``connection`` is from ``culture.connect`` and in no transaction. Raises ExportError where the folder
    holds something or the run has no proposal yet.
    """
    check_free(folder)
    connection.execute("BEGIN TRANSACTION")
    try:
        run = connection.execute(
            "SELECT any_value(name), any_value(seed), any_value(config)::VARCHAR, any_value(code_version), "
            "min(round), max(round) FROM runs, rounds"
        ).fetchone()
        if run is None or run[0] is None:
            raise ExportError("expected a run with a committed round, got none; export it after the first")
        left_out = _left_out(connection)
        with filled(folder) as partial:
            written = {}
            for name, (_, sql) in CONFIGS.items():
                found = _write(connection, sql, partial / name / "train.parquet")
                if found.rows:
                    written[name] = found
            if not written:
                raise ExportError("expected a run with a proposal, got none; play more of its rounds")
            (partial / "README.md").write_text(_card(run, written, left_out), encoding="utf-8")
    finally:
        connection.execute("ROLLBACK")
    return DatasetExported(folder, {name: w.rows for name, w in written.items()}, left_out)


def _left_out(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    proposals, attempts, answers = (
        connection.execute(sql).fetchone()
        for sql in (
            f"SELECT count(*) FROM problems p WHERE {_HELD_OUT}",
            f"SELECT count(*) FROM attempts JOIN problems p USING (problem_id) WHERE {_HELD_OUT}",
            "SELECT count(*) FROM evaluations",
        )
    )
    assert proposals is not None and attempts is not None and answers is not None
    return {
        "proposals that are held-out anchors": int(proposals[0]),
        "attempts at problems that are held-out anchors": int(attempts[0]),
        "answers to held-out anchors": int(answers[0]),
    }


def _write(connection: duckdb.DuckDBPyConnection, sql: str, path: Path) -> _Written:
    """The rows of a query as Parquet, a part at a time; no file where there is none."""
    reader = connection.execute(sql).to_arrow_reader(BATCH)
    rows = size = 0
    writer: pq.ParquetWriter | None = None
    try:
        for batch in reader:
            if not batch.num_rows:
                continue
            if writer is None:
                path.parent.mkdir()
                writer = pq.ParquetWriter(path, reader.schema)
            writer.write_batch(batch)
            rows += batch.num_rows
            size += batch.nbytes
    finally:
        if writer is not None:
            writer.close()
    return _Written(rows, size, path.stat().st_size if rows else 0, reader.schema)


# -- the card ------------------------------------------------------------------------------------------
def _card(run: tuple[object, ...], written: dict[str, _Written], left_out: dict[str, int]) -> str:
    """The README: a YAML header that ``datasets`` and the hub read, then what everything is."""
    name, seed, config, code, first, last = run
    rows = sum(w.rows for w in written.values())
    header = {
        "pretty_name": f"Ludus run {name}",
        "tags": ["ludus", "self-play", "curriculum", "synthetic"],
        "size_categories": [next((text for most, text in _SIZES if rows < most), "n>1M")],
        "configs": [
            {
                "config_name": key,
                **({"default": True} if key == next(iter(written)) else {}),
                "data_files": [{"split": "train", "path": f"{key}/train.parquet"}],
            }
            for key in written
        ],
        "dataset_info": [
            {
                "config_name": key,
                "features": [_feature(field) for field in w.schema],
                "splits": [{"name": "train", "num_bytes": w.bytes, "num_examples": w.rows}],
                "download_size": w.file_bytes,
                "dataset_size": w.bytes,
            }
            for key, w in written.items()
        ],
    }
    told = [
        "---",
        yaml.safe_dump(header, sort_keys=False, allow_unicode=True).rstrip(),
        "# license: yours to choose, before you publish it",
        "---",
        "",
        f"# Ludus run {escaped(str(name))}",
        "",
        f"What a school of language models did in rounds {first} to {last}: seed {seed}, ludus {code}.",
        "Models wrote these texts: treat them as untrusted. No licence is named: choose one, and mind "
        "the terms of the models whose texts they are.",
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        *(f'{key} = load_dataset("FOLDER", "{key}", split="train")' for key in written),
        "```",
        "",
        "## Held-out anchors",
        "",
        "Anchors, by which runs are measured, are in no file, so that nobody trains on them: "
        + "; ".join(f"left out are {count:,} {what}" for what, count in left_out.items())
        + ".",
    ]
    comments = {(t, c.name): c.comment for t, columns in declared().items() for c in columns}
    for key, w in written.items():
        told += ["", f"## {key}", "", f"{CONFIGS[key][0]} {w.rows:,} rows.", ""]
        told += ["| column | type | what it is |", "| --- | --- | --- |"]
        for field in w.schema:
            comment = next(comments[t, field.name] for t in _TABLES[key] if (t, field.name) in comments)
            told.append(f"| `{field.name}` | {_type(field.type)} | {comment.replace('|', chr(92) + '|')} |")
    told += ["", "## Configuration", "", "```json", str(config).replace("```", "` ` `"), "```", ""]
    return "\n".join(told)


def _feature(field: pa.Field) -> dict[str, str]:
    if pa.types.is_list(field.type):
        return {"name": field.name, "list": _dtype(field.type.value_type)}
    return {"name": field.name, "dtype": _dtype(field.type)}


def _dtype(kind: pa.DataType) -> str:
    """A type as cards name it."""
    return {"double": "float64"}.get(str(kind), str(kind))


def _type(kind: pa.DataType) -> str:
    return f"list of {_dtype(kind.value_type)}" if pa.types.is_list(kind) else _dtype(kind)
