"""What is said where there can be no page, and the notebook that is handed out to be changed."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from analysis.browser import served, serving


def test_a_taken_port_is_said_with_a_free_one() -> None:
    with socket.socket() as taken:
        taken.bind((serving.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(serving.CannotServe, match=rf"got {port} .*write --port \d+"):
            serving.check(port)
    serving.check(port)


def test_a_missing_package_is_said_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "marimo" else found(name))
    with pytest.raises(
        serving.CannotServe, match=r"expected the package marimo, got none; write: pip install"
    ):
        serving.check(serving.PORT)


def test_runs_are_handed_over_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(served.RUNS, "[]")
    one, same = tmp_path / "a" / "run", tmp_path / "b" / "run"
    served.hand_over([one, same])
    assert served.handed_over() == {"run": one, str(same): same}
    assert served.handed_over([str(same)]) == {"run": same}
    served.hand_over([])
    assert served.handed_over() == {}


def test_a_copy_of_the_notebook_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(served.RUNS, "[]")
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    notebook = tmp_path / "browse.py"
    assert serving.edit([tmp_path], notebook, serving._free(), show=False) == 0
    text = notebook.read_text(encoding="utf-8")
    assert "css_file='browse.css', html_head_file='browse.head.html'" in text
    files = {
        name: (tmp_path / name).read_text(encoding="utf-8") for name in ("browse.css", "browse.head.html")
    }
    # the editor takes styles and no scripts, so each has a file of its own
    assert "<" not in files["browse.css"] and ".ludus" in files["browse.css"]
    assert files["browse.head.html"].startswith("<script>") and "<style>" not in files["browse.head.html"]
    assert files["browse.css"] in serving.head() and files["browse.head.html"] in serving.head()
    compile(text, notebook, "exec")
    notebook.write_text("# mine", encoding="utf-8")
    serving.edit([tmp_path], notebook, serving._free(), show=True)
    assert notebook.read_text(encoding="utf-8") == "# mine"
    assert commands[0][:4] == [sys.executable, "-m", "marimo", "edit"]
    assert "--headless" in commands[0] and "--headless" not in commands[1]
    assert all("--skip-update-check" in command for command in commands)


def test_the_head_fetches_nothing_from_elsewhere() -> None:
    assert "http" not in serving.head() and "@import" not in serving.head() and "url(" not in serving.head()
