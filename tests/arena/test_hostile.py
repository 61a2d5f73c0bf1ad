"""Every hostile program ends in a verdict, and nothing of it gets out of the sandbox."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from arena.literals import canonical, parse_literal, same
from arena.sandbox import Ran, Sandbox, SandboxConfig
from tests.arena.hostile import ANSWERS, PROGRAMS
from tests.arena.processes import processes

SECRET = "7e3b0c55 the canary sings 91aa"
CONFIG = SandboxConfig(max_seconds=0.6, grace_seconds=0.3, max_memory_mib=32)


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(CONFIG) as opened:
        yield opened


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("canary") / "canary"
    path.write_text(SECRET)
    return path


@pytest.fixture(scope="module")
def programs(canary: Path) -> dict[str, str]:
    return {name: text.replace("CANARY", str(canary)) for name, (text, _) in PROGRAMS.items()}


@pytest.fixture(scope="module")
def verdicts(box: Sandbox, programs: dict[str, str]) -> dict[str, Ran]:
    return dict(zip(programs, box.run_many(list(programs.values())), strict=True))


def test_there_are_enough() -> None:
    assert len(PROGRAMS) >= 100
    assert len(PROGRAMS) == len({text for text, _ in PROGRAMS.values()})


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_ends_in_its_verdict(name: str, verdicts: dict[str, Ran]) -> None:
    ran = verdicts[name]
    assert ran.failure in PROGRAMS[name][1], ran.detail
    assert (ran.detail == "") == (ran.failure is None)
    assert ran.failure is None or ran.value is None
    assert len(ran.detail) <= 300
    assert len(ran.printed) <= CONFIG.max_output_characters
    # The value is plain and bounded, and the whole outcome can be shown, stored and sent.
    text = canonical(
        ran.value, max_characters=CONFIG.max_value_characters, max_depth=CONFIG.max_value_depth
    )
    assert canonical(parse_literal(text)) == text
    assert repr(ran)
    assert pickle.loads(pickle.dumps(ran)).failure == ran.failure
    assert SECRET not in repr(ran)


def test_nothing_got_out(verdicts: dict[str, Ran], canary: Path) -> None:
    assert canary.read_text() == SECRET
    assert [path.name for path in canary.parent.iterdir()] == ["canary"]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="counts processes in /proc")
def test_processes_are_bounded(verdicts: dict[str, Ran], box: Sandbox) -> None:
    mine = os.getpid()
    # Other tests' sandboxes may be open beside this one; its settings are in its processes' command lines.
    own = CONFIG.model_dump_json()
    shells = {pid for pid, parent, command in processes() if parent == mine and own in command}
    workers = [pid for pid, parent, _ in processes() if parent in shells]
    assert 1 <= len(shells) <= CONFIG.workers
    assert len(workers) <= len(shells)


def test_the_sandbox_still_works(verdicts: dict[str, Ran], box: Sandbox) -> None:
    for ran in box.run_many(["1 + 1"] * 64):
        assert (ran.value, ran.failure, ran.printed) == (2, None, "")


def test_a_verdict_does_not_depend_on_what_ran_before(
    verdicts: dict[str, Ran], programs: dict[str, str], box: Sandbox
) -> None:
    again = [name for name, ran in reversed(verdicts.items()) if ran.failure != "timeout"]
    for name, ran in zip(again, box.run_many([programs[name] for name in again]), strict=True):
        for _ in range(3):  # on a loaded machine the time is up before anything else is
            ran = box.run_many([programs[name]])[0] if ran.failure == "timeout" else ran
        assert repr(replace(ran, seconds=0)) == repr(replace(verdicts[name], seconds=0)), name


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_is_no_literal_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_literal(ANSWERS[name])
    assert not same(ANSWERS[name], ANSWERS[name])
