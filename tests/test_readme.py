"""What the README shows is run: its commands, its Python, its queries; and its file tree is complete."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from arena.config import RunConfig
from arena.settings import load

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run called as in the README, and a link to the command line."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "run_arena.py").symlink_to(ROOT / "run_arena.py")
    # in one domain, where so small a model solves something and notes are written
    easy = ("cluster.local=true", "rounds=2", "domains=[transforms]", "rollout.hard_below=1")
    sets = [x for s in easy for x in ("--set", s)]
    ran = run(folder, ["run_arena.py", "run", "tiny", "--name", "spark-seed0", *sets])
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


def run(folder: Path, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_make_targets_exist() -> None:
    lines = [line for block in blocks("bash") for line in block.splitlines() if line.startswith("make ")]
    assert len(lines) >= 4
    for line in lines:
        shown = subprocess.run(
            ["make", "-n", *line.split()[1:]], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert shown.returncode == 0, shown.stderr


def test_commands_run_in_order(place: Path) -> None:
    lines = [line for block in blocks("bash") for line in block.splitlines()]
    lines = [line for line in lines if not line.startswith("make ")]
    assert len(lines) >= 8
    for line in lines:
        words = shlex.split(line)
        assert words[0] == "python"
        ran = run(place, words[1:])
        assert ran.returncode == 0, f"{line}\n{ran.stdout}\n{ran.stderr}"
        assert ran.stdout.strip(), line


def test_python_runs(place: Path) -> None:
    found = blocks("python")
    assert len(found) >= 2
    for source in found:
        ran = run(place, ["-W", "error", "-c", source])
        assert ran.returncode == 0, f"{source}\n{ran.stderr}"


def test_configurations_are_valid(tmp_path: Path) -> None:
    found = blocks("yaml")
    assert found
    for number, source in enumerate(found):
        path = tmp_path / f"{number}.yaml"
        path.write_text(source, encoding="utf-8")
        load(path, [], RunConfig)


def test_no_output_is_missing() -> None:
    assert "OUTPUT_" not in TEXT


def test_pictures_exist() -> None:
    for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", TEXT):
        assert (ROOT / path).is_file(), path


def test_every_file_has_a_line_in_the_tree() -> None:
    tree = next(b for b in blocks("text") if b.startswith("run_arena.py"))
    shown: set[str] = set()
    folders: list[str] = []
    for line in tree.splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        folders = folders[:depth]
        if name.endswith("/"):
            folders.append(name)
        else:
            shown.add("".join(folders) + name)
    real = {
        str(path.relative_to(ROOT))
        for top in ("arena", "agents", "culture", "curricula", "analysis", "benchmarks")
        for pattern in ("*.py", "*.sql")
        for path in (ROOT / top).rglob(pattern)
        if path.name != "__init__.py"
    }
    assert shown == real | {"run_arena.py"}


def test_files_of_methods_exist() -> None:
    rows = re.findall(r"^\| .* \| .* \| `([^`]+)` \|$", TEXT, re.MULTILINE)
    assert len(rows) >= 10
    for path in rows:
        assert (ROOT / path).is_file(), path
