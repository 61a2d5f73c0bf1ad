"""Programs a second: the sandbox, a warm process pool with exec, and a process for each program.

    python benchmarks/sandbox.py [programs]

The sandbox executes each program twice, in fresh sessions, with limits; the others once, with none. The
pool is what many self-play systems use; a program there can do anything that its user can.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from arena.sandbox import Sandbox, SandboxConfig

WORKERS = 2
PROGRAM = """
def step(x, i):
    return x * 3 + i
working = [{n}]
for i in range(10):
    working.append(step(working[-1], i))
[str(working[-1]), [str(w) for w in working], len(working)]
"""


def execute(program: str) -> str:
    """What a pool does: executes the program in the interpreter of the worker."""
    head, _, last = program.rstrip().rpartition("\n")
    scope: dict[str, object] = {}
    exec(f"{head}\nvalue = {last}", scope)
    return repr(scope["value"])


def one_process(program: str) -> str:
    head, _, last = program.rstrip().rpartition("\n")
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"{head}\nprint({last})"], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def measure(run: Callable[[Sequence[str]], list[str]], count: int, repeats: int = 3) -> tuple[float, str]:
    """The best rate of ``repeats``, in programs a second, and the last program's value."""
    programs = [PROGRAM.format(n=n) for n in range(count)]
    run(programs[:WORKERS])
    best, last = 0.0, ""
    for _ in range(repeats):
        started = time.perf_counter()
        last = run(programs)[-1]
        best = max(best, count / (time.perf_counter() - started))
    return best, last


def main(count: int) -> None:
    """Measures all in one run, so that they share the machine's state, and prints ratios."""
    few = max(WORKERS, count // 40)
    with (
        Sandbox(SandboxConfig(workers=WORKERS)) as box,
        Sandbox(SandboxConfig(workers=1)) as single,
        ProcessPoolExecutor(WORKERS) as pool,
    ):
        rates = {
            f"sandbox, {WORKERS} workers": measure(
                lambda p: [repr(r.value) for r in box.run_many(p)], count
            ),
            "sandbox, 1 worker": measure(lambda p: [repr(r.value) for r in single.run_many(p)], count),
            f"exec in a pool of {WORKERS}": measure(lambda p: list(pool.map(execute, p)), count),
            f"exec in a pool of {WORKERS}, chunks of 16": measure(
                lambda p: list(pool.map(execute, p, chunksize=16)), count
            ),
            "a process a program": measure(lambda p: [one_process(q) for q in p], few, 1),
        }
    sandbox = rates[f"sandbox, {WORKERS} workers"][0]
    print(f"{'':38}{'programs/s':>12}{'sandbox is':>14}")
    for name, (rate, _) in rates.items():
        print(f"{name:38}{rate:12,.0f}{sandbox / rate:13.2f}×")
    answers = {name: value for name, (_, value) in rates.items() if not name.startswith("a process")}
    if len(set(answers.values())) != 1:
        raise SystemExit(f"expected all to compute the same, got {answers}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4000)
