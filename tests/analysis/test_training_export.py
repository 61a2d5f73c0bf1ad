"""What other trainers are given, from small logs with known rows."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis import training_export
from analysis.export_folder import ExportError
from analysis.training_export import (
    GRPO_SCHEMA,
    SFT_SCHEMA,
    VERL_SCHEMA,
    Exported,
    Target,
    export_training,
)
from arena.domains import make_domain
from arena.domains.base import Solution
from culture import connect
from culture.config import LakeConfig
from culture.lake import Lake
from culture.records import Arm, Attempt, Batch, BatchRow, Form, Note, Policy, Problem, RoundRows
from tests.analysis.log import attempt, problem, read, round_rows, write_log
from tests.culture.rows import example

HELD_OUT = "a spec that is held out"
"""The spec of an anchor that a policy proposed."""


def proposed(number: int, key: str | None, reason: str | None = None, spec: str | None = None) -> Problem:
    made = replace(problem(0, number, 4.0 + number, reason), answer_key=key)
    return replace(made, spec=spec or f"spec {number}", text=spec or f"text {number}")


def tried(number: int, at: str, policy: str = "solver", arm: Arm = "none", turns: int = 1) -> Attempt:
    made = replace(attempt(number, at, arm, correct=True), turns=turns, form="natural")
    return replace(made, policy_version=f"{policy}@3", prompt=f"prompt {number}")


def batch(batch_id: str, policy: str) -> Batch:
    return replace(example(Batch, 0, 0), batch_id=batch_id, policy=policy, parent=f"{policy}@3")


def row(batch_id: str, number: int, source: tuple[str, str], objective: str, **more: Any) -> BatchRow:
    made = replace(example(BatchRow, 0, number), batch_id=batch_id, row=number, objective=objective)
    kind, source_id = source
    return replace(made, **{"source_kind": kind, "source_id": source_id, "role": "solver", **more})


def rows_of_round() -> RoundRows:
    """Round 0, with rows and problems of every kind, in an order that is not the exported one."""
    rows = round_rows(0)
    rows.problems = [
        proposed(1, "11"),
        proposed(0, "10"),
        proposed(2, "12", "duplicate"),
        proposed(3, None, "invalid:syntax"),
        proposed(4, "14", "anchor", HELD_OUT),
        proposed(5, ""),
        proposed(6, "16"),
        # no log admits what it rejected as an anchor elsewhere, and if one did, it would stay out
        proposed(7, "14", None, HELD_OUT),
    ]
    rows.attempts = [
        tried(1, "p0-0", arm="library"),
        tried(2, "p0-0", arm="placebo", turns=2),
        tried(4, "p0-0"),
        tried(3, "p0-0"),
        tried(5, "p0-1", arm="library"),
        tried(6, "p0-1", arm="library"),
        tried(7, "p0-5"),
        tried(8, "p0-1", "other", arm="library"),
        replace(tried(9, "p0-7"), prompt=f"Solve {HELD_OUT}"),
    ]
    notes = {"a5": 2, "a6": 1, "a8": 3}  # a1 was in the library's arm and found nothing
    rows.reads = [read(attempt_id, rank) for attempt_id, n in notes.items() for rank in range(n)]
    rows.notes = [replace(example(Note, 0, 0), note_id="lore7", domain="lore")]
    rows.policies = [
        replace(example(Policy, 0, 0), policy=name) for name in ("solver", "other", "writer", "idle")
    ]
    rows.batches = [batch("b1", "writer"), batch("b2", "solver")]
    rows.batch_rows = [
        row("b1", 1, ("problem", "p0-0"), "answer_key", role="proposer"),
        row("b1", 0, ("problem", "p0-4"), "answer_key", role="proposer", completion=HELD_OUT),
        row("b2", 2, ("note", "lore7"), "answer_key"),
        row("b2", 1, ("attempt", "a3"), "grpo"),
        row("b2", 0, ("attempt", "a5"), "rejection"),
        row("b2", 3, ("attempt", "a9"), "answer_key", prompt=f"Solve {HELD_OUT}"),
    ]
    return rows


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    folder = tmp_path_factory.mktemp("log") / "run"
    with connect(write_log(folder, [rows_of_round()])) as connection:
        yield connection


@pytest.fixture(scope="module")
def done(
    log: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory
) -> dict[Target, Exported]:
    """What was written of the whole log, by trainer, into folders that were not there."""
    folder = tmp_path_factory.mktemp("exports") / "new"
    return {to: export_training(log, folder / to, to) for to in get_args(Target)}


@pytest.fixture(scope="module")
def folders(done: dict[Target, Exported]) -> dict[Target, Path]:
    return {to: next(iter(exported.files)).parent for to, exported in done.items()}


def content(messages: list[dict[str, str]], role: str) -> str:
    """The text of a prompt or completion, which is one message."""
    (message,) = messages
    assert message["role"] == role
    return message["content"]


# -- the files -------------------------------------------------------------------------------------------
def test_what_is_told(done: dict[Target, Exported], folders: dict[Target, Path]) -> None:
    trl, verl = folders["trl"], folders["verl"]
    told = [
        "left out: 1 admitted problems that nobody attempted",
        "left out: 1 admitted problems of several steps, which have no answer key",
    ]
    assert done["trl"].lines() == [
        f"{trl}/sft.parquet: 3 rows",
        f"{trl}/grpo.parquet: 2 rows",
        "left out: 1 training rows of grpo, which are not for imitation",
        "left out: 2 training rows that held an anchor",
        *told,
    ]
    assert done["verl"].lines() == [f"{verl}/train.parquet: 2 rows", *told]
    assert sorted(p.name for p in trl.iterdir()) == ["README.md", "grpo.parquet", "sft.parquet"]
    assert sorted(p.name for p in verl.iterdir()) == ["README.md", "train.parquet"]


def test_sft(folders: dict[Target, Path]) -> None:
    table = pq.read_table(folders["trl"] / "sft.parquet")
    assert table.schema.equals(SFT_SCHEMA)
    rows = table.to_pylist()
    assert [(r["batch_id"], r["source_id"], r["domain"], r["policy_version"]) for r in rows] == [
        ("b2", "a5", "sums", "solver@3"),
        ("b2", "lore7", "lore", "solver@3"),
        ("b1", "p0-0", "sums", "writer@3"),
    ]
    stored = {(r.batch_id, r.row): r for r in rows_of_round().batch_rows}
    for found, expected in zip(rows, (stored["b2", 0], stored["b2", 2], stored["b1", 1]), strict=True):
        assert content(found["prompt"], "user") == expected.prompt
        assert content(found["completion"], "assistant") == expected.completion
        for name in ("weight", "advantage", "objective", "role", "round", "source_kind"):
            assert found[name] == getattr(expected, name)


def posed(number: int, prompt: str, notes: int) -> dict[str, Any]:
    return {
        "prompt": [{"role": "user", "content": prompt}], "answer_key": f"1{number}",
        "spec": f"spec {number}", "domain": "sums", "problem_id": f"p0-{number}",
        "difficulty": 4.0 + number, "round": 0, "form": "natural", "notes": notes,
    }  # fmt: skip


GRPO_ROWS = [posed(0, "prompt 3", 0), posed(1, "prompt 6", 1)]


def test_grpo(folders: dict[Target, Path]) -> None:
    table = pq.read_table(folders["trl"] / "grpo.parquet")
    assert table.schema.equals(GRPO_SCHEMA)
    assert table.to_pylist() == GRPO_ROWS


def test_verl(folders: dict[Target, Path]) -> None:
    table = pq.read_table(folders["verl"] / "train.parquet")
    assert table.schema.equals(VERL_SCHEMA)
    for index, (found, expected) in enumerate(zip(table.to_pylist(), GRPO_ROWS, strict=True)):
        rest = {k: v for k, v in expected.items() if k not in ("prompt", "answer_key")}
        assert found == {
            "data_source": "ludus/sums",
            "prompt": expected["prompt"],
            "ability": "sums",
            "reward_model": {"style": "rule", "ground_truth": expected["answer_key"]},
            "extra_info": {"split": "train", "index": index, **rest},
        }


@pytest.mark.parametrize("system", ["Be brief.", ""])
def test_prompts_stand_behind_the_system_message(system: str, tmp_path: Path) -> None:
    found = exported({"form": "natural", "kind": "vllm", "system": system}, tmp_path)
    assert len(found) == 5 + 2
    for first, *rest in found:
        assert first == {"role": "system", "content": system}
        assert content(rest, "user")
    empty = "" if system else ", which is empty"
    for to in get_args(Target):
        text = " ".join((tmp_path / to / "README.md").read_text().split())
        assert f"begins with the system message that the run's models were shown{empty};" in text


@pytest.mark.parametrize(
    "engine",
    [
        {"form": "natural", "kind": "torch", "system": None},
        {"form": "terse", "kind": "torch", "system": "Be brief."},
        {"form": "natural", "kind": "spark", "system": "Be brief."},
    ],
)
def test_prompts_that_were_shown_without_a_system_message(
    engine: dict[str, str | None], tmp_path: Path
) -> None:
    found = exported(engine, tmp_path)
    assert len(found) == 5 + 2
    for messages in found:
        assert content(messages, "user")
    for to in get_args(Target):
        assert "system message" not in (tmp_path / to / "README.md").read_text()


def exported(engine: dict[str, str | None], folder: Path) -> list[list[dict[str, str]]]:
    """The prompts that are written for every trainer, of a run with that configuration."""
    rows = rows_of_round()
    rows.runs = [replace(rows.runs[0], config={"engine": engine})]
    with connect(write_log(folder / "run", [rows])) as log:
        done = [export_training(log, folder / to, to) for to in get_args(Target)]
    files = [path for written in done for path in written.files]
    return [row["prompt"] for path in files for row in pq.read_table(path).to_pylist()]


def test_nothing_of_an_anchor_is_exported(done: dict[Target, Exported]) -> None:
    rows = rows_of_round()
    assert [p.problem_id for p in rows.problems if p.spec == HELD_OUT] == ["p0-4", "p0-7"]
    files = [path for exported in done.values() for path in exported.files]
    assert [path.name for path in files] == ["sft.parquet", "grpo.parquet", "train.parquet"]
    for path in files:
        text = repr(pq.read_table(path).to_pylist())
        for absent in (
            HELD_OUT,
            "'p0-4'",
            "'p0-7'",
            "'a9'",
            *(f"'{e.anchor_id}'" for e in rows.evaluations),
        ):
            assert absent not in text


@pytest.mark.parametrize(
    ("chosen", "sft", "grpo"),
    [
        ({"policy": "solver"}, ["a5", "lore7"], ["prompt 3", "prompt 6"]),
        ({"policy": "writer"}, ["p0-0"], None),
        ({"policy": "other"}, None, ["prompt 8"]),
        ({"role": "solver"}, ["a5", "lore7"], ["prompt 3", "prompt 6"]),
        ({"role": "proposer"}, ["p0-0"], None),
        ({"policy": "writer", "role": "proposer"}, ["p0-0"], None),
    ],
)
def test_one_policy_or_role(
    log: duckdb.DuckDBPyConnection,
    chosen: Any,
    sft: list[str] | None,
    grpo: list[str] | None,
    tmp_path: Path,
) -> None:
    done = export_training(log, tmp_path, "trl", **chosen)
    found = {path.name: pq.read_table(path).to_pylist() for path in done.files}
    assert [r["source_id"] for r in found.get("sft.parquet", [])] == (sft or [])
    assert [content(r["prompt"], "user") for r in found.get("grpo.parquet", [])] == (grpo or [])
    # no file without rows, and the README speaks of what there is
    names = {name for name, rows in (("sft.parquet", sft), ("grpo.parquet", grpo)) if rows}
    assert found.keys() == names
    text = (tmp_path / "README.md").read_text()
    assert set(re.findall(r"\w+\.parquet", text)) == names
    assert ("GRPOTrainer" in text, "SFTTrainer" in text) == (grpo is not None, sft is not None)


def test_the_order_does_not_hang_on_that_of_the_log(done: dict[Target, Exported], tmp_path: Path) -> None:
    rows = rows_of_round()
    for table in (rows.problems, rows.attempts, rows.reads, rows.batches, rows.batch_rows):
        table.reverse()
    with connect(write_log(tmp_path / "run", [rows])) as other:
        for to, first in done.items():
            second = export_training(other, tmp_path / to, to)
            for mine, theirs in zip(first.files, second.files, strict=True):
                assert mine.read_bytes() == theirs.read_bytes()


def test_all_files_are_of_the_same_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_log(tmp_path / "run", [rows_of_round()])
    later, imitated = round_rows(1), training_export._imitated
    later.batch_rows = [row("b2", 0, ("attempt", "gone"), "answer_key")]

    def meanwhile(*arguments: Any) -> pa.Table:
        found = imitated(*arguments)
        with Lake.open(folder, LakeConfig()) as lake:
            lake.commit(later, "test", "round 1")
        return found

    monkeypatch.setattr(training_export, "_imitated", meanwhile)
    with connect(folder) as log:
        done = export_training(log, tmp_path / "out", "trl")
        assert log.execute("SELECT max(round) FROM rounds").fetchone() == (1,)
        assert done.files[tmp_path / "out" / "grpo.parquet"] == 2
        assert "rounds 0 to 0" in (tmp_path / "out" / "README.md").read_text()
        # and what came meanwhile is a row of an attempt that is not there
        with pytest.raises(ExportError, match="got 1 rows without it; the log is damaged"):
            export_training(log, tmp_path / "again", "trl")


# -- what is refused -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"to": "trl2"}, "expected trl or verl for --to, got 'trl2'"),
        ({"to": "trl", "role": "judge"}, "expected solver or proposer for --role, got 'judge'"),
        ({"to": "verl", "role": "proposer"}, "write --to trl for the proposals"),
        ({"to": "trl", "policy": "spark"}, "(idle, other, solver, writer), got 'spark'"),
        (
            {"to": "trl", "policy": "idle", "role": "solver"},
            "with --policy idle and --role solver, got none; the log has 4 rows of solver as solver, "
            "2 rows of writer as proposer",
        ),
        ({"to": "verl", "policy": "idle"}, "got none"),
    ],
)
def test_refused(log: duckdb.DuckDBPyConnection, arguments: Any, words: str, tmp_path: Path) -> None:
    for _ in range(2):  # and the connection is as it was
        with pytest.raises(ExportError, match=re.escape(words)):
            export_training(log, tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something(log: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    (tmp_path / "b").write_text("mine")
    (tmp_path / "a").mkdir()
    with pytest.raises(ExportError, match=r"which holds a and 1 more; write --out with another folder"):
        export_training(log, tmp_path, "trl")
    with pytest.raises(ExportError, match="got the file"):
        export_training(log, tmp_path / "b", "trl")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def test_a_run_that_trained_nothing(tmp_path: Path) -> None:
    folder, rows = write_log(tmp_path / "run", []), rows_of_round()
    with connect(folder) as log:
        with pytest.raises(ExportError, match="got one without a batch so far"):
            export_training(log, tmp_path / "out", "trl")
        with pytest.raises(ExportError, match="the log has no training rows"):
            export_training(log, tmp_path / "out", "verl")
        rows.batches, rows.batch_rows = [], []
        with Lake.open(folder, LakeConfig()) as lake:
            lake.commit(rows, "test", "round 0")
        with pytest.raises(ExportError, match="got one without a batch so far"):
            export_training(log, tmp_path / "out", "trl")
        assert export_training(log, tmp_path / "out", "verl").files == {tmp_path / "out/train.parquet": 2}


def test_whole_or_not_at_all(
    log: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def full(table: pa.Table, path: Path) -> None:
        written.append(path)
        path.write_bytes(b"half")
        if len(written) == 2:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(pq, "write_table", full)
        with pytest.raises(OSError, match="No space left"):
            export_training(log, tmp_path, "trl")
    assert [p.suffix for p in tmp_path.iterdir()] == [".partial"] * 2
    done = export_training(log, tmp_path, "trl")
    assert sorted(tmp_path.iterdir()) == sorted([*done.files, tmp_path / "README.md"])
    assert pq.read_table(tmp_path / "sft.parquet").num_rows == 3


# -- loading and training --------------------------------------------------------------------------------
def python_of(readme: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", readme.read_text(), re.MULTILINE | re.DOTALL)


def ran(source: str, file: Path) -> dict[str, Any]:
    """What a piece of Python defines."""
    file.write_text(source)
    return runpy.run_path(str(file))


def loaded(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the README's first code defines, run in the folder as a reader would, without a network."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(folder)
    return ran(python_of(folder / "README.md")[0], cache.with_name("load.py"))


@pytest.mark.llm
def test_the_readme_loads_for_trl(
    folders: dict[Target, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    defined = loaded(folders["trl"], tmp_path / "cache", monkeypatch)
    assert defined["grpo"].to_list() == GRPO_ROWS
    assert defined["sft"].to_list() == pq.read_table("sft.parquet").to_pylist()
    # what the trainers are given by name is what was loaded
    _, training = python_of(folders["trl"] / "README.md")
    assert "train_dataset=sft" in training
    assert "reward_funcs=reward, train_dataset=grpo" in training


@pytest.mark.parametrize("form", ["terse", "natural"])
@pytest.mark.parametrize(
    ("name", "spec", "worked"),
    [("arithmetic", "(3+4)*2", ("7*2", "14")), ("transforms", "RS1234", ("4321", "1234"))],
)
def test_the_readmes_rewards_are_those_of_the_domains(
    folders: dict[Target, Path],
    name: str,
    spec: str,
    worked: tuple[str, ...],
    form: Form,
    tmp_path: Path,
) -> None:
    (code, _), (verl_code,) = (python_of(folders[to] / "README.md") for to in ("trl", "verl"))
    trl = ran(code.partition("\n\n\n")[2], tmp_path / "trl.py")
    verl = ran(verl_code, tmp_path / "verl.py")

    domain, key = make_domain(name), worked[-1]
    right = domain.key(spec, Solution(key, worked, 2), form)
    texts = [
        right,
        right + "\n",
        f"1{right}",
        right[:-1],
        f"{right}1",
        key,
        f"1{key}",
        "",
        "no idea",
        "Answer:",
    ]
    expected = [domain.turn(spec, key, [text], form).reward for text in texts]
    assert 1.0 in expected and 0.0 in expected
    completions = [[{"role": "assistant", "content": text}] for text in texts]
    assert trl["reward"](completions, [key] * len(texts), spec=[spec] * len(texts)) == expected
    assert [verl["compute_score"]("ludus/x", text, key, {}) for text in texts] == expected


@pytest.mark.llm
# of TRL, where vLLM is newer than it knows
@pytest.mark.filterwarnings("ignore:TRL currently supports vLLM:UserWarning")
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated:DeprecationWarning")
def test_trl_trains_on_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of SFTTrainer and one of GRPOTrainer, whose rewards come from the answer keys."""
    rows = round_rows(0)
    rows.problems = [proposed(n, str(n), None, f"R{n}") for n in range(4)]
    rows.attempts = [replace(tried(n, f"p0-{n}"), prompt=f"R{n}=") for n in range(4)]
    rows.batches = [batch("b1", "solver")]
    rows.batch_rows = [
        row("b1", n, ("attempt", f"a{n}"), "answer_key", prompt=f"R{n}=", completion=str(n))
        for n in range(4)
    ]
    with connect(write_log(tmp_path / "run", [rows])) as log:
        export_training(log, tmp_path / "out", "trl")

    from transformers import AutoTokenizer
    from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

    from agents import spark

    spark.save(spark.new_model(0, layers=1, width=32, heads=2), tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    told = "{{ m.content }}{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}"
    tokenizer.chat_template = f"{{% for m in messages %}}{told}{{% endfor %}}"
    tokenizer.save_pretrained(tmp_path / "model")

    defined = loaded(tmp_path / "out", tmp_path / "cache", monkeypatch)
    common: dict[str, Any] = {
        "output_dir": str(tmp_path / "trained"), "max_steps": 1, "per_device_train_batch_size": 4,
        "save_strategy": "no", "report_to": "none", "use_cpu": True, "bf16": False,
    }  # fmt: skip
    sft = SFTTrainer(
        str(tmp_path / "model"),
        args=SFTConfig(**common),
        train_dataset=defined["sft"],
        processing_class=tokenizer,
    )
    trained = sft.train_dataset[0]
    assert spark.decode(list(trained["input_ids"])) == "R0=0\n"
    assert [i for i in trained["labels"] if i != -100] == spark.encode("0\n")  # the completion alone
    assert sft.train().training_loss > 0

    seen: list[tuple[str, str, float]] = []

    def reward(completions: Any, answer_key: list[str], **columns: Any) -> list[float]:
        given: list[float] = defined["reward"](completions, answer_key, **columns)
        texts = [content(c, "assistant") for c in completions]
        seen.extend(zip(texts, columns["spec"], given, strict=True))
        return given

    grpo = GRPOTrainer(
        str(tmp_path / "model"),
        reward_funcs=reward,
        args=GRPOConfig(**common, num_generations=2, max_completion_length=4),
        train_dataset=defined["grpo"],
        processing_class=tokenizer,
    )
    assert grpo.train().global_step == 1
    assert len(seen) == 4
    assert {spec for _, spec, _ in seen} <= {f"R{n}" for n in range(4)}
    assert all(given == float(defined["answer"](text) == spec[1:]) for text, spec, given in seen)
