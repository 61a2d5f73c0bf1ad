"""What README and the pages of docs/ show is run: commands, Python, queries; the file tree is complete."""

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
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
"""Pages of the documentation, whichever are there."""
NAMED = re.compile(r"# (\w+\.py)\n")
"""How a block of Python begins that is shown as a file."""
EACH = "import runpy, sys\nfor path in sys.argv[1:]:\n    runpy.run_path(path, run_name='__main__')\n"
"""Runs files in one process, each with names of its own: what they import takes the longest."""


def blocks(language: str, text: str = TEXT) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[str]:
    """Lines of shell, those for make left out."""
    lines = [line for block in blocks("bash", text) for line in block.splitlines()]
    return [line for line in lines if not line.startswith("make ")]


def having(language: str) -> list[str]:
    return [name for name, text in PAGES.items() if blocks(language, text)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run called as in the README, a link to the command line, and the files that
    pages show."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "run_arena.py").symlink_to(ROOT / "run_arena.py")
    for text in PAGES.values():
        for source in blocks("python", text):
            if named := NAMED.match(source):
                (folder / named[1]).write_text(source, encoding="utf-8")
    # in one domain, where so small a model solves something and notes are written
    easy = ("cluster.local=true", "rounds=2", "domains=[transforms]", "rollout.hard_below=1")
    sets = [x for s in easy for x in ("--set", s)]
    ran = run(folder, ["run_arena.py", "run", "tiny", "--name", "spark-seed0", *sets])
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


def run(folder: Path, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def check_commands(place: Path, lines: list[str]) -> None:
    for line in lines:
        words = shlex.split(line)
        assert words[0] == "python", line
        ran = run(place, words[1:])
        assert ran.returncode == 0, f"{line}\n{ran.stdout}\n{ran.stderr}"
        assert ran.stdout.strip(), line


def check_python(place: Path, sources: list[str], folder: Path) -> None:
    paths = []
    for number, source in enumerate(sources):
        if not NAMED.match(source):
            paths.append(folder / f"{number}.py")
            paths[-1].write_text(source, encoding="utf-8")
    ran = run(place, ["-W", "error", "-c", EACH, *map(str, paths)])
    assert ran.returncode == 0, ran.stderr


def check_configurations(sources: list[str], folder: Path) -> None:
    for number, source in enumerate(sources):
        path = folder / f"{number}.yaml"
        path.write_text(source, encoding="utf-8")
        load(path, [], RunConfig)


def test_make_targets_exist() -> None:
    texts = [TEXT, *PAGES.values()]
    lines = [line for text in texts for block in blocks("bash", text) for line in block.splitlines()]
    lines = sorted({line for line in lines if line.startswith("make ")})
    assert len(lines) >= 4
    for line in lines:
        shown = subprocess.run(
            ["make", "-n", *line.split()[1:]], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert shown.returncode == 0, shown.stderr


@pytest.mark.timeout(900)  # a score of processes, one after the other
def test_commands_run_in_order(place: Path) -> None:
    assert len(commands(TEXT)) >= 8
    check_commands(place, commands(TEXT))


def test_python_runs(place: Path, tmp_path: Path) -> None:
    found = blocks("python")
    assert len(found) >= 2
    check_python(place, found, tmp_path)


def test_configurations_are_valid(tmp_path: Path) -> None:
    found = blocks("yaml")
    assert found
    check_configurations(found, tmp_path)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", having("bash"))
def test_commands_of_pages(place: Path, page: str) -> None:
    check_commands(place, commands(PAGES[page]))


@pytest.mark.parametrize("page", having("python"))
def test_python_of_pages(place: Path, tmp_path: Path, page: str) -> None:
    check_python(place, blocks("python", PAGES[page]), tmp_path)


def test_configurations_of_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "beasts.md").write_text(
        "The lamp beetle lives in caves. It gives a light of pale violet. Miners carry it in glass.\n" * 4,
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    check_configurations([source for text in PAGES.values() for source in blocks("yaml", text)], tmp_path)


def test_files_that_pages_name_exist() -> None:
    for page, text in PAGES.items():
        for path in re.findall(
            r"`((?:agents|analysis|arena|benchmarks|culture|curricula)/[\w/]+\.\w+)`", text
        ):
            assert (ROOT / path).is_file(), f"{page}: {path}"
        assert all((ROOT / "docs" / path).is_file() for path in re.findall(r"\]\((\w[\w-]*\.md)", text)), (
            page
        )


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
