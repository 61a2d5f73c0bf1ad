"""The school with a real language model: it plays, is killed and goes on; others use what it made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch

from agents import checkpoints
from analysis.identical import differences
from culture import connect
from tests.arena.consistency import check_log

pytestmark = [
    pytest.mark.llm,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
ROOT = Path(__file__).parents[2]
SMALL = """
extends: smollm2
rounds: 2
domains: [arithmetic]
rollout: {problems: 8, arms: {library: 0.3, none: 0.4, placebo: 0.3}}
evaluation: {every: 2, per_cell: 1, cells: 2}
engine: {answer_tokens: 24, vllm: {kv_cache_gib: 0.25, sequences: 16}}
learner: {solver: {rehearsal: 1.0}}
"""


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    (folder / "small.yaml").write_text(SMALL, encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "-m", "run_arena", *arguments, "--runs", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> None:
    said, _ = process.communicate(timeout=500)
    assert process.returncode == 0, said


def run_named(folder: Path, name: str, *sets: str) -> subprocess.Popen[str]:
    given = [x for s in sets for x in ("--set", s)]
    return started(folder, "run", str(folder / "small.yaml"), "--name", name, *given)


def until(process: subprocess.Popen[str], start: str) -> None:
    """Read what the run says up to a line that begins so."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith(start):
            return
    raise AssertionError(f"expected a line that begins with {start!r}, got {''.join(said)}")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def unharmed(runs: Path) -> Path:
    """The run as it is when nothing happens to it, in one process."""
    finish(run_named(runs, "unharmed", "cluster.local=true"))
    return runs / "unharmed"


def test_it_proposes_solves_and_learns(unharmed: Path) -> None:
    check_log(unharmed)
    with connect(unharmed) as log:
        versions = log.execute("SELECT policy_version FROM policies WHERE accepted").fetchall()
        assert len(versions) == 4  # three of the solver, and the frozen proposer
        assert log.execute("SELECT avg((answer_key IS NOT NULL)::INT) > 0.5 FROM problems").fetchone() == (
            True,
        )
        spent = dict(
            log.execute("SELECT name, sum(value) FROM measures WHERE domain = '' GROUP BY 1").fetchall()
        )
        assert spent["tokens_read/solver"] > 500 and spent["tokens_written/solver"] > 100
        assert 0 < spent["prefix_hits/proposer"] < 2
        assert log.execute("SELECT bool_and(prompt_tokens > 20) FROM attempts").fetchone() == (True,)


def test_killed_and_resumed_it_is_the_run_that_was_not(runs: Path, unharmed: Path) -> None:
    process = run_named(runs, "killed", "cluster.local=true")
    until(process, "round 1/2")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    finish(started(runs, "resume", "killed"))
    assert differences(runs / "killed", unharmed) == []
    check_log(runs / "killed")


def test_an_engine_that_is_killed_is_restarted_and_its_requests_are_done_again(
    runs: Path, unharmed: Path
) -> None:
    process = run_named(runs, "shot")
    until(process, "round 1/2")
    engines = [p for p in psutil.Process(process.pid).children(recursive=True) if _is_engine(p)]
    # Ray's workers may be children of a daemon of its own
    engines = engines or [p for p in psutil.process_iter() if _is_engine(p)]
    assert len(engines) == 1
    engines[0].kill()
    finish(process)
    with connect(runs / "shot") as log:
        events = log.execute("SELECT detail FROM events WHERE kind = 'restart'").fetchall()
        assert events == [("engineworker 0 was restarted",)]
        lost = "SELECT count(*) FROM attempts WHERE verdict = 'error'"
        assert log.execute(lost).fetchone() == (0,)
    # Ray or one process, shot or not
    assert differences(runs / "shot", unharmed) == []
    check_log(runs / "shot")


def _is_engine(process: psutil.Process) -> bool:
    try:
        named = "ray::" in " ".join(process.cmdline()[:1])
        return named and "vllm" in Path(f"/proc/{process.pid}/maps").read_text()
    except (OSError, psutil.Error):
        return False


def test_an_adapter_loads_in_plain_peft(unharmed: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    first, second = unharmed / "checkpoints/solver@0", unharmed / "checkpoints/solver@2"
    plain = AutoModelForCausalLM.from_pretrained(first, dtype=torch.float32)
    adapted = PeftModel.from_pretrained(plain, second)
    ids = AutoTokenizer.from_pretrained(first)("7 + 5 =", return_tensors="pt")
    with torch.no_grad():
        logits = adapted(**ids).logits
        own = checkpoints.load_model(second, first)(**ids).logits
        with adapted.disable_adapter():
            base = adapted(**ids).logits
    torch.testing.assert_close(logits, own, atol=1e-3, rtol=1e-3)
    assert (logits - base).abs().max() > 1e-2
