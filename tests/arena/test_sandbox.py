"""The sandbox: verdicts, order, agreement of two executions, and what happens when processes die."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import assume, given, settings
from pydantic import ValidationError

from arena.domains.base import Executor
from arena.fields import assert_documented
from arena.literals import MAX_CHARACTERS, canonical
from arena.sandbox import Failure, Ran, Sandbox, SandboxConfig
from tests.arena.processes import cpu_ticks, processes
from tests.arena.test_literals import plain

LOOP = "while True: pass"
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc")


def test_it_is_an_executor(sandbox: Sandbox) -> None:
    executor: Executor = sandbox
    assert [ran.value for ran in executor.run_many(["[1, (2,), {3: {4}}]"])] == [[1, (2,), {3: {4}}]]


@pytest.mark.parametrize(
    ("program", "value"),
    [
        ("1 + 1", 2),
        ("x = 3", None),
        ("def f(n):\n    return 1 if n == 0 else n * f(n - 1)\nf(20)", 2432902008176640000),
        ("'a' 'b', b'c', None, True, 1.5", ("ab", b"c", None, True, 1.5)),
        ("{k: {k} for k in 'ba'}", {"a": {"a"}, "b": {"b"}}),
        ("set()", set()),
        ("'<b>', '(...)x', 'range'", ("<b>", "(...)x", "range")),
        ("print('seen')\n'ünï\\n☃'", "ünï\n☃"),
    ],
)
def test_a_value_comes_back(sandbox: Sandbox, program: str, value: object) -> None:
    ran = sandbox.run(program)
    assert (ran.failure, ran.detail) == (None, "")
    assert ran.value == value
    assert type(ran.value) is type(value)
    assert ran.seconds > 0


@settings(max_examples=50)
@given(plain)
def test_any_plain_value_comes_back(sandbox: Sandbox, value: object) -> None:
    text = canonical(value)
    # Not written as Python writes them, no text in Monty, and refused for what they look like.
    assume(not any(part in text for part in ("nan", "inf", "\\ud", "...")))
    ran = sandbox.run(text)
    assert ran.failure is None, ran.detail
    assert canonical(ran.value) == text


def test_printing_is_kept_apart_from_the_value(sandbox: Sandbox) -> None:
    ran = sandbox.run("print('a', 1)\nprint('b', end='')\n7")
    assert (ran.value, ran.printed) == (7, "a 1\nb")
    ran = sandbox.run("print('before')\n1 / 0")
    assert (ran.failure, ran.printed) == ("exception", "before\n")
    assert ran.detail == "ZeroDivisionError: division by zero"


def test_outcomes_come_in_order(sandbox: Sandbox) -> None:
    programs = [f"x = 0\nfor i in range({(i * 37) % 50}): x += 1\n({i}, x)" for i in range(200)]
    programs[50], programs[120] = "1 / 0", "a" * 10**5
    found = sandbox.run_many(programs)
    assert (found[50].failure, found[120].failure) == ("exception", "too_long")
    for i, ran in enumerate(found):
        if i not in (50, 120):
            assert ran.value == (i, (i * 37) % 50)
    assert sandbox.run_many([]) == []


def test_the_same_program_gives_the_same_outcome(sandbox: Sandbox) -> None:
    programs = [
        "{'b', 'a', 'c'}",
        "hash('a')",
        "raise ValueError('x')",
        "print(1)\n2",
        "import time\ntime.time()",
    ]
    with Sandbox(SandboxConfig(workers=1)) as other:
        for a, b in zip(sandbox.run_many(programs), other.run_many(programs[::-1])[::-1], strict=True):
            assert replace(a, seconds=0) == replace(b, seconds=0)


def test_sessions_share_nothing(sandbox: Sandbox) -> None:
    assert sandbox.run("x = 1\nlen = None\nx").value == 1
    for ran in sandbox.run_many(["x"] * 8):
        assert ran.detail == "NameError: name 'x' is not defined"
    assert sandbox.run("len('ab')").value == 2
    assert sandbox.run("import random\nrandom.seed(1)\n1").value == 1
    assert sandbox.run("import random\nrandom.random()").failure == "unsupported"


@pytest.mark.parametrize(
    ("limit", "program", "failure"),
    [
        ({"max_seconds": 0.2}, LOOP, "timeout"),
        ({"max_memory_mib": 2}, "len('a' * 4_000_000)", "memory"),
        ({"max_recursion": 20}, "f = lambda n: n if n == 0 else f(n - 1)\nf(30)", "recursion"),
        ({"max_output_characters": 5}, "print('12345')", "output"),
        ({"max_value_characters": 5}, "'1234'", "value"),
        ({"max_value_depth": 1}, "[[]]", "value"),
        ({"max_program_characters": 5}, "1 + 11", "too_long"),
        (
            {"max_suspensions": 1},
            "import os\nfor i in 1, 2:\n    try: os.listdir()\n    except OSError: pass",
            None,
        ),
    ],
)
def test_each_limit_is_the_configuration_s(
    sandbox: Sandbox, limit: dict[str, float], program: str, failure: str | None
) -> None:
    """The program is refused under the limit and fine, or never ending, without it."""
    with Sandbox(SandboxConfig.model_validate({"workers": 1} | limit)) as narrow:
        ran = narrow.run(program)
        assert ran.failure == (failure or "unsupported")
        assert narrow.run("1").value == 1
    if program != LOOP:
        assert sandbox.run(program).failure is None


def test_output_is_kept_up_to_the_limit() -> None:
    with Sandbox(SandboxConfig(workers=1, max_output_characters=7)) as narrow:
        assert narrow.run("print('123456')").printed == "123456\n"
        assert narrow.run("print('1234')\nprint('5678')").printed == "1234\n56"


def test_executions_must_agree(sandbox: Sandbox) -> None:
    ran = sandbox.run("import time\ntime.time() > 1.5e9")
    assert ran.failure == "nondeterministic"
    assert "False" in ran.detail
    assert "True" in ran.detail


def test_configuration_is_documented_and_strict() -> None:
    assert_documented(SandboxConfig)
    with pytest.raises(ValidationError, match="seconds"):
        SandboxConfig.model_validate({"seconds": 1})
    with pytest.raises(ValidationError, match="max_value_characters"):
        SandboxConfig(max_value_characters=MAX_CHARACTERS + 1)


def test_outcomes_can_be_sent(sandbox: Sandbox) -> None:
    ran = sandbox.run("[1, {'a'}]")
    assert pickle.loads(pickle.dumps(ran)) == ran
    assert set(get_args(Failure)) >= {"timeout", "memory", "crash"}


def test_threads_may_share_it() -> None:
    found: dict[int, list[Ran]] = {}
    with Sandbox() as box:

        def work(n: int) -> None:
            found[n] = box.run_many([f"{n} * {i}" for i in range(20)])

        threads = [threading.Thread(target=work, args=(n,)) for n in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {n: [ran.value for ran in rans] for n, rans in found.items()} == {
        n: [n * i for i in range(20)] for n in range(5)
    }


def test_it_opens_again_after_closing() -> None:
    box = Sandbox(SandboxConfig(workers=1))
    box.close()
    assert box.run("1").value == 1
    box.close()
    box.close()
    assert box.run("2").value == 2
    box.close()


def test_a_missing_worker_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MONTY_BIN", str(tmp_path / "none"))
    with Sandbox(SandboxConfig(workers=1)) as box, pytest.raises(RuntimeError, match="pydantic_monty"):
        box.run("1")
    monkeypatch.undo()
    assert box.run("1").value == 1
    box.close()


def family(pid: int) -> list[tuple[int, int]]:
    """The sandbox processes under ``pid`` that were not there before, each with its worker."""
    everything = list(processes())
    shells = [n for n, parent, command in everything if parent == pid and "sandbox_process" in command]
    return [(shell, n) for shell in shells for n, parent, _ in everything if parent == shell]


def killing(choose: Callable[[tuple[int, int]], int], times: int) -> Ran:
    """The outcome of an endless program of which ``times`` processes were killed while they ran it."""
    before = family(os.getpid())
    with Sandbox(SandboxConfig(workers=1, max_seconds=3)) as box:
        assert box.run("1").value == 1
        done = threading.Event()
        killed: list[int] = []

        def kill() -> None:
            while len(killed) < times and not done.is_set():
                for pair in set(family(os.getpid())) - set(before):
                    # A worker that has computed for a tenth of a second is at the program.
                    if pair[1] not in killed and cpu_ticks(pair[1]) >= os.sysconf("SC_CLK_TCK") // 10:
                        killed.append(pair[1])
                        os.kill(choose(pair), signal.SIGKILL)
                time.sleep(0.01)

        killer = threading.Thread(target=kill)
        killer.start()
        ran = box.run(LOOP)
        done.set()
        killer.join()
        assert len(killed) == times
        assert box.run("1 + 1").value == 2
    assert set(family(os.getpid())) <= set(before)
    return ran


@needs_proc
@pytest.mark.parametrize("which", ["process", "worker"])
def test_a_death_is_retried_once(which: str) -> None:
    assert killing(lambda pair: pair[which == "worker"], 1).failure == "timeout"


@needs_proc
@pytest.mark.parametrize("which", ["process", "worker"])
def test_a_second_death_is_the_program_s(which: str) -> None:
    ran = killing(lambda pair: pair[which == "worker"], 2)
    assert (ran.failure, ran.value, ran.printed) == ("crash", None, "")


@needs_proc
def test_a_process_killed_while_idle_is_replaced() -> None:
    before = family(os.getpid())
    with Sandbox(SandboxConfig(workers=1)) as box:
        assert box.run("1").value == 1
        ((process, worker),) = set(family(os.getpid())) - set(before)
        os.kill(worker, signal.SIGKILL)
        assert box.run("2").value == 2
        # on a busy machine the death of the worker may have cost the process its place too
        ((process, _),) = set(family(os.getpid())) - set(before)
        os.kill(process, signal.SIGKILL)
        assert [ran.value for ran in box.run_many(["3", "4"])] == [3, 4]


@needs_proc
def test_an_unclosed_sandbox_leaves_no_process() -> None:
    before = family(os.getpid())
    box = Sandbox(SandboxConfig(workers=1))
    assert box.run("1").value == 1
    assert set(family(os.getpid())) - set(before)
    del box
    assert set(family(os.getpid())) <= set(before)


def test_bystanders_of_a_lost_process_are_unharmed() -> None:
    bomb = "x = ()\nfor i in range(40): x = (x, x)\n{x: 1}"
    with Sandbox(SandboxConfig(workers=1, max_seconds=0.2, grace_seconds=0.05)) as box:
        found = box.run_many(["1", bomb, "2", "3"])
    assert [(ran.value, ran.failure) for ran in found] == [
        (1, None),
        (None, "timeout"),
        (2, None),
        (3, None),
    ]
