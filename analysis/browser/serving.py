"""The server behind the page, and the notebook to edit."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from analysis.browser.served import hand_over

HERE = Path(__file__).parent
PAGE = HERE / "page.py"
HOST = "127.0.0.1"
PORT = 2718
IDLE = 60
"""Seconds after which what was kept for a page that is gone is let go."""
NEEDED = ("marimo", "jinja2")


class CannotServe(Exception):
    """There can be no page; the message says what to do."""


def check(port: int) -> None:
    """Raises CannotServe where a package is missing or the port is taken."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise CannotServe(
            f"expected the package {missing[0]}, got none; write: "
            "pip install -c constraints.txt -e '.[browse]'"
        )
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise CannotServe(
                f"expected a port that is free, got {port} ({error.strerror}); write --port {_free()}, or "
                "end what listens there"
            ) from error


def _free() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def head() -> str:
    """What every page has in its head."""
    return f"<style>\n{_style()}</style>\n{_script()}"


def _style() -> str:
    return (HERE / "page.css").read_text(encoding="utf-8")


def _script() -> str:
    return f"<script>\n{(HERE / 'page.js').read_text(encoding='utf-8')}</script>\n"


def serve(folders: Sequence[Path], port: int, *, show: bool) -> None:
    """Serve the page on runs until Ctrl-C. Raises CannotServe, and LakeError where a run has no log."""
    check(port)
    import uvicorn
    from marimo import create_asgi_app

    # Loaded and connected here, so that the first page does not wait for it.
    from analysis.browser import drawn  # noqa: F401
    from analysis.browser.log import opened

    for folder in folders:
        opened(folder)
    hand_over(folders)
    built = create_asgi_app(quiet=True, html_head=head(), session_ttl=IDLE).with_app(
        path="", root=str(PAGE)
    )
    url = f"http://{HOST}:{port}"
    print(f"{url} shows {', '.join(f.name for f in folders)}; Ctrl-C ends it", flush=True)
    server = uvicorn.Server(uvicorn.Config(built.build(), host=HOST, port=port, log_level="warning"))
    if show:
        _open_when_ready(server, url)
    server.run()


def _open_when_ready(server: object, url: str) -> None:
    def wait() -> None:
        ready = threading.Event()
        while not getattr(server, "started", False):
            ready.wait(0.1)
        webbrowser.open(url)

    threading.Thread(target=wait, daemon=True).start()


def edit(folders: Sequence[Path], notebook: Path, port: int, *, show: bool) -> int:
    """Open a copy of the notebook to be edited, made where there is none; the exit code.

    Raises CannotServe.
    """
    check(port)
    hand_over(folders)
    if not notebook.exists():
        style, around = notebook.with_suffix(".css"), notebook.with_suffix(".head.html")
        style.write_text(_style(), encoding="utf-8")
        # the editor takes no script; `marimo run` of the copy does
        around.write_text(_script(), encoding="utf-8")
        source = PAGE.read_text(encoding="utf-8")
        begin = 'app = marimo.App(width="full", app_title="Ludus"'
        if source.count(begin) != 1:
            raise CannotServe(f"expected {begin} in {PAGE}, got another text; install Ludus anew")
        files = f"css_file={style.name!r}, html_head_file={around.name!r}"
        source = source.replace(begin, f"{begin}, {files}")
        notebook.write_text(source, encoding="utf-8")
    told = "run its cells with the button at the lower right; Ctrl-C ends the editor"
    print(f"{notebook} is yours to change; {told}", flush=True)
    command = [sys.executable, "-m", "marimo", "edit", str(notebook), "--host", HOST, "--port", str(port)]
    command += ["--skip-update-check", *([] if show else ["--headless"])]
    path = os.pathsep.join([str(HERE.parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=False).returncode
