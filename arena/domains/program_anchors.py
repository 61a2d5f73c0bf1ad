"""The anchors of ``program``: scripted problems about functions that are kept for them, frozen in a file.

Their outputs can only be had by execution, so they were executed once and are in ``program_anchors.tsv``, a
line an anchor: its cell, its spec, steps, and for deduction what every assignment and the function gave.
:func:`write` writes the file anew, the same as long as nothing that makes
anchors has changed; whoever changes that changes what runs are measured by.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from arena.domains.base import Anchor, Domain, Executor, Rejected, Solution
from arena.domains.program_problem import KINDS, Kind, held_out, read
from arena.domains.program_scripts import scripted
from culture.seeds import generator, short_id

MOST: Final = 64
"""Anchors of a cell that there are."""
CORE: Final = (6, 12, 25, 50)
FAR: Final = (100, 400)
"""Difficulties of the cells within reach of a small model, and of those beyond it."""

# Anchors are the same in every run, so their stream is named by a constant and never by a run's seed.
_SEED: Final = 20261127
_FILE: Final = Path(__file__).with_suffix(".tsv")


def cells(difficulties: tuple[int, ...]) -> list[tuple[str, Kind, int]]:
    """Name, kind and difficulty of cells, easiest first."""
    return [(f"{kind}-{target}", kind, target) for target in difficulties for kind in KINDS]


def frozen(domain: Domain, per_cell: int) -> list[Anchor]:
    """The first ``per_cell`` anchors of every cell. Raises ValueError where there are fewer."""
    if per_cell > MOST:
        raise ValueError(f"expected at most {MOST} anchors a cell, got {per_cell}")
    found = []
    for cell, _, _ in cells(CORE + FAR):
        for spec, solution in _rows()[cell][:per_cell]:
            features = domain.features(spec, solution)
            name = short_id("a", domain.name, spec)
            found.append(Anchor(name, cell, spec, solution.answer, solution.worked, features))
    return found


@cache
def _rows() -> dict[str, list[tuple[str, Solution]]]:
    found: dict[str, list[tuple[str, Solution]]] = {}
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        cell, spec, steps, worked = line.split("\t")
        parts = tuple(worked.split(";")) if spec.startswith("D:") else (worked,)
        found.setdefault(cell, []).append((spec, Solution(parts[-1], parts, int(steps))))
    return found


def drawn(
    domain: Domain, sandbox: Executor, cell: str, kind: Kind, target: int, seen: set[str]
) -> list[str]:
    """The lines of a cell, by execution. No statement in ``seen`` comes again; theirs are added to it."""
    rng = generator(_SEED, "anchors", domain.name, cell)
    lines: list[str] = []
    while len(lines) < MOST:
        problem = scripted(kind, rng, float(target))
        if not held_out(problem.function):
            continue
        (spec,) = domain.settle([problem.spec()], sandbox)
        if isinstance(spec, Rejected) or domain.pose(spec, "terse") in seen:
            continue
        (solution,) = domain.solve([spec], sandbox)
        if isinstance(solution, Rejected) or read(spec).spec() != spec:
            raise RuntimeError(f"expected anchor {spec!r} to execute, got {solution}")
        seen.add(domain.pose(spec, "terse"))
        lines.append("\t".join([cell, spec, str(solution.steps), ";".join(solution.worked)]))
    return lines


def write() -> None:
    """Writes the file: ``from arena.domains import program_anchors; program_anchors.write()``."""
    from arena.domains import make_domain
    from arena.sandbox import Sandbox

    domain = make_domain("program")
    lines: list[str] = []
    seen: set[str] = set()
    with Sandbox() as sandbox:
        for cell, kind, target in cells(CORE + FAR):
            lines += drawn(domain, sandbox, cell, kind, target, seen)
    _FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")
