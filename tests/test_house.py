"""The house rules that can be read off the files: who imports whom, and what is declared."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "run_arena": {"run_arena", "arena", "agents", "curricula", "culture", "analysis"},
    "arena": {"arena", "agents", "curricula", "culture"},
    "agents": {"agents", "culture"},
    "curricula": {"curricula", "culture"},
    "culture": {"culture"},
    "analysis": {"analysis", "curricula", "culture"},
}
STUDIES = Path("analysis/studies")
"""The one part of analysis that plays runs, and so may import what does."""
LONGEST = 500


def sources(name: str) -> list[Path]:
    return sorted([*(ROOT / name).rglob("*.py"), *ROOT.glob(f"{name}.py")])


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and top-level name of every absolute import in a file, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module.split(".")[0]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement(text: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", text)
    assert found is not None, f"expected a requirement, got {text!r}"
    return canonical(found.group())


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_imports_run_downwards(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in sources(package)
        for line, name in imported(path)
        if name in ALLOWED and name not in ALLOWED[package]
        if not (name == "arena" and path.is_relative_to(ROOT / STUDIES))
    ]
    assert wrong == []


def test_what_reads_logs_needs_no_studies() -> None:
    """The rest of analysis, and of the arena, does not come to play runs by way of the studies."""
    wrong = [
        f"{path.relative_to(ROOT)} imports the studies"
        for package in ALLOWED
        for path in sources(package)
        if package != "run_arena" and not path.is_relative_to(ROOT / STUDIES)
        if re.search(
            r"^\s*(from|import) analysis[. ]studies", path.read_text(encoding="utf-8"), re.MULTILINE
        )
    ]
    assert wrong == []


def test_files_stay_short() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for package in ALLOWED
        for path in sources(package)
    }
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST} == {}


def test_what_is_imported_is_declared_and_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [text for texts in project["optional-dependencies"].values() for text in texts]
    declared = {requirement(text) for text in [*project["dependencies"], *extras]}
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [line for line in pins if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line)] == []
    # the extra cuda takes the place of cpu, with which the tests run
    elsewhere = {requirement(text) for text in project["optional-dependencies"]["cuda"]}
    assert declared - {requirement(line) for line in pins} <= elsewhere

    distributions = packages_distributions()
    undeclared = {
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for package in ALLOWED
        for path in sources(package)
        for line, name in imported(path)
        if name not in sys.stdlib_module_names
        and name not in ALLOWED
        and not {canonical(name), *map(canonical, distributions.get(name, []))} & declared
    }
    assert undeclared == set()
