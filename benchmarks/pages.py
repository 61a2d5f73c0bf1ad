"""How long the pages of `browse` take to open, and the memory that they take, in headless Chromium.

    python -m benchmarks.pages runs/spark-seed0          every page of a run, also of several
    python -m benchmarks.pages --attempts 10000000       of a made-up log as long as that

Every page is opened --repeat times in a new tab of one browser. `first` is when its numbers and tables can
be read as nobody has asked for them before, `again` the median of the later times, `drawn` when the figures
are there too, the first time; all in seconds from the call to open the address. `GiB` is the most that the
server has held until then, at the start with a page without rows. Chromium and
chromedriver must be installed, and the extra `dev`.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import culture
from benchmarks.queries import write

ROOT = Path(__file__).parents[1]
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PATIENCE = 120.0
"""Seconds after which a page has failed."""
IDS = {
    "note": "SELECT note_id FROM reads GROUP BY note_id ORDER BY count(*) DESC, note_id LIMIT 1",
    "book": "SELECT note_id FROM notes WHERE kind = 'book' ORDER BY round, note_id LIMIT 1",
    "problem": "SELECT max(parent_id) FROM problems WHERE round = (SELECT max(round) FROM problems)",
    "attempt": "SELECT attempt_id FROM reads ORDER BY round DESC, attempt_id LIMIT 1",
    "agent": "SELECT solver FROM attempts ORDER BY round, attempt_id LIMIT 1",
}
"""What pages of one thing are opened on."""


def pages(folder: Path, run: str) -> dict[str, str]:
    """Addresses by what they are called; a page of something that the run has none of is left out."""
    found = {
        "curriculum": "view=curriculum",
        "library": "view=library",
        "library, one word": "view=library&q=this",
        "books": "view=books",
        "problems": "view=problems",
        "agents": "view=agents",
        "pictures": "view=pictures",
        "SQL": "view=sql&sql=SELECT+arm,+count(*)+FROM+attempts+GROUP+BY+arm",
    }
    with culture.connect(folder) as log:
        for view, query in IDS.items():
            row = log.execute(query).fetchone()
            if row is not None and row[0] is not None:
                found[view] = f"view={view}&id={row[0]}"
        last = log.execute("SELECT max(round) FROM rounds").fetchone()
    if last is not None and last[0]:
        for view in ("curriculum", "library"):
            found[f"{view}, half way back"] = f"view={view}&round={last[0] // 2}"
    return {name: f"?{address}&run={run}" for name, address in found.items()}


@contextmanager
def served(folders: list[Path]) -> Iterator[tuple[str, int]]:
    """Address and process id of a server."""
    from analysis.browser.serving import _free

    port = _free()
    command = [
        sys.executable,
        "run_arena.py",
        "browse",
        *map(str, folders),
        "--port",
        str(port),
        "--no-open",
    ]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as server:
        try:
            assert server.stdout is not None
            if "shows" not in server.stdout.readline():
                raise SystemExit("the server did not start")
            yield f"http://127.0.0.1:{port}/", server.pid
        finally:
            server.terminate()


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for flag in FLAGS:
        options.add_argument(flag)
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None or shutil.which("chromedriver") is None:
        raise SystemExit(
            "expected chromium and chromedriver on the PATH; apt install chromium chromium-driver"
        )
    options.binary_location = path
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def opened(driver: Any, url: str) -> tuple[float, float]:
    """Seconds until a page can be read and until its figures are drawn."""
    driver.switch_to.new_window("tab")
    begun = time.monotonic()
    driver.get(url)
    heading = "return document.querySelector('.ludus h1')?.innerText ?? ''"
    drawing = "return document.querySelector('.ludus .figures [role=status]') === null"
    seconds = []
    for script in (heading, drawing):
        while not driver.execute_script(script):
            if time.monotonic() - begun > PATIENCE:
                raise SystemExit(f"expected a page at {url} within {PATIENCE:.0f} s")
            time.sleep(0.02)
        seconds.append(time.monotonic() - begun)
    driver.close()
    driver.switch_to.window(driver.window_handles[0])
    return seconds[0], seconds[1]


def peak(process: int) -> float:
    """The most memory that a process has held, in GiB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(encoding="ascii"))
    return int(found[1]) / 2**20 if found else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("runs", type=Path, nargs="*", help="folders of runs")
    parser.add_argument("--attempts", type=int, help="make a log as long as that and open it too")
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    if given.repeat < 2:
        parser.error(f"expected --repeat of 2 or more, got {given.repeat}")
    if not given.runs and not given.attempts:
        parser.error("expected folders of runs, or --attempts N, got neither")
    with tempfile.TemporaryDirectory(prefix="ludus-pages-") as scratch:
        folders = [run.resolve() for run in given.runs]
        if given.attempts:
            folders.append(Path(scratch) / "made-up")
            write(folders[-1], given.attempts, seed=5)
        with browser() as driver, served(folders) as (url, process):
            opened(driver, f"{url}?view=sql")  # the browser has the page's own scripts from here on
            print(f"{'':>8}  {'':>8}  {'':>8}  {peak(process):5.2f}  a page without rows", flush=True)
            for folder in folders:
                print(f"{'first':>8}  {'again':>8}  {'drawn':>8}  {'GiB':>5}  {folder.name}")
                for name, address in pages(folder, folder.name).items():
                    took = [opened(driver, url + address) for _ in range(given.repeat)]
                    first, drawn = took[0]
                    again = statistics.median(shown for shown, _ in took[1:])
                    print(
                        f"{first:7.2f}s  {again:7.2f}s  {drawn:7.2f}s  {peak(process):5.2f}  {name}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
