"""The page in a browser: every tab, at the width of a desk and of a phone, and nothing from elsewhere.

Chromium and its driver must be installed (Debian and Ubuntu: apt install chromium chromium-driver).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis.browser.serving import _free
from culture.config import LakeConfig
from culture.lake import Lake
from tests.analysis.browser.school import CONTROL, School
from tests.analysis.log import round_rows

webdriver = pytest.importorskip("selenium.webdriver")

from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200), pytest.mark.filterwarnings("ignore")]

ROOT = Path(__file__).parents[3]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE = 90.0
"""Seconds after which what should be on the page is not going to be."""
if CHROMIUM is None or DRIVER is None:
    pytest.skip(
        "expected chromium and chromedriver on the PATH, got none; on Debian and Ubuntu write: "
        "apt install chromium chromium-driver",
        allow_module_level=True,
    )


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run that was played."""
    runs = tmp_path_factory.mktemp("played")
    sets = ["cluster.local=true", "rounds=3", "domains=[transforms]", "rollout.hard_below=1"]
    command = [sys.executable, "run_arena.py", "run", "tiny", "--name", "small", "--runs", str(runs)]
    for text in sets:
        command += ["--set", text]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return runs / "small"


@pytest.fixture(scope="module")
def live(school: School, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that is committed to while it is looked at."""
    return Path(shutil.copytree(school.folder, tmp_path_factory.mktemp("going-on") / "live"))


@pytest.fixture(scope="module")
def url(school: School, real: Path, live: Path) -> Iterator[str]:
    port = _free()
    command = [sys.executable, "run_arena.py", "browse", str(real), str(school.folder), str(live)]
    with subprocess.Popen(
        [*command, "--port", str(port), "--no-open"], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as server:  # fmt: skip
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            assert f"http://127.0.0.1:{port} shows small, school, live" in line
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.fixture(scope="module", params=[1280, 390])
def page(
    request: pytest.FixtureRequest, url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    width = request.param
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.get("about:blank")
    driver.get_log("performance")  # what the browser itself shows first is not the page's
    try:
        yield Page(driver, url, width)
    finally:
        driver.quit()


class Page:
    def __init__(self, driver: Any, url: str, width: int) -> None:
        self.driver, self.url, self.width = driver, url, width

    def open(self, address: str, wanted: str) -> str:
        self.driver.get(f"{self.url}/{address}")
        return self.until(wanted)

    def text(self) -> str:
        script = "return [...document.querySelectorAll('.ludus')].map(e => e.innerText).join(' ')"
        return " ".join(self.driver.execute_script(script).split())

    def until(self, wanted: str) -> str:
        self.wait(lambda: wanted in self.text(), wanted)
        return self.text()

    def wait(self, done: Callable[[], object], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, f"expected {what!r} on the page, got: {self.text()[:3000]}"
            time.sleep(0.1)

    def click(self, text: str) -> None:
        """A link of the pages by its text."""
        path = f"//*[contains(@class,'ludus')]//a[normalize-space()={text!r}]"
        self.driver.find_element(By.XPATH, path).click()

    def wide(self) -> int:
        edges = "[...document.querySelectorAll('.ludus')].map(e => e.getBoundingClientRect().right)"
        script = f"return Math.max(...{edges})"
        return int(self.driver.execute_script(script))

    def clean(self) -> None:
        """Nothing hostile ran, no error was logged, nobody else was asked anything, and all fits."""
        assert self.driver.execute_script("return window.hurt") is None
        outside = (
            "[...document.querySelectorAll('.ludus img')].filter(e => !e.src.startsWith('data:')).length"
        )
        assert self.driver.execute_script(f"return {outside}") == 0
        assert self.driver.execute_script("return document.querySelectorAll('.ludus script').length") == 0
        errors = [e["message"] for e in self.driver.get_log("browser") if e["level"] == "SEVERE"]
        assert errors == []
        asked = [json.loads(e["message"])["message"] for e in self.driver.get_log("performance")]
        urls = [m["params"]["request"]["url"] for m in asked if m["method"] == "Network.requestWillBeSent"]
        own = (self.url, "data:", "blob:", "about:")
        assert [u for u in urls if not u.startswith(own)] == []
        assert self.wide() <= self.width


def test_every_tab_of_a_run_that_was_played(page: Page) -> None:
    page.open("", "The curriculum at the end of round 2")
    text = page.until("What came of the proposals")
    assert "round 2 is the last of 3 played and 3 planned; last commit" in text and "finished" in text
    page.until("Growth" if "Growth" in text else "The curriculum")
    for tab, wanted in (
        ("Library", "The library at the end of round 2"),
        ("Books", "Books at the end of round 2"),
        ("Problems", "Problems proposed by the end of round 2"),
        ("Agents", "Agents at the end of round 2"),
        ("Pictures", "Time by phase."),
        ("SQL", "Ask the log"),
        ("Curriculum", "The curriculum at the end of round 2"),
    ):
        page.click(tab)
        page.until(wanted)
        current = page.driver.find_element(By.CSS_SELECTOR, ".tabs a[aria-current]")
        page.wait(lambda at=current, tab=tab: _text_of_current(page) == tab, tab)
    page.clean()


def _text_of_current(page: Page) -> str:
    return str(
        page.driver.execute_script("return document.querySelector('.tabs a[aria-current]').innerText")
    )


def test_a_note_from_the_list_to_its_problem_and_back(page: Page) -> None:
    page.open("?view=library", "notes with")
    title = page.driver.find_element(By.CSS_SELECTOR, ".notes .title a")
    title.click()
    page.until("What it is worth, and who read it")
    assert "view=note" in page.driver.current_url
    cited = "//h3[.='It cites']/following-sibling::ul[1]//a[contains(@href, 'view=problem')]"
    page.driver.find_element(By.XPATH, cited).click()
    page.until("Ancestors")
    page.driver.back()
    page.until("What it is worth, and who read it")
    page.driver.back()
    page.until("The library at the end of round 2")
    page.clean()


def test_an_attempt_and_what_it_read(page: Page) -> None:
    page.open("?view=problems&status=admitted", "proposals")
    page.driver.find_element(By.CSS_SELECTOR, "tbody th a").click()
    page.until("Descendants")
    page.wait(
        lambda: page.driver.find_elements(By.XPATH, "//h2[.='Attempts']/following::tbody//th/a"), "attempts"
    )
    page.driver.find_element(By.XPATH, "//h2[.='Attempts']/following::tbody//th/a").click()
    page.until("What it read")
    page.clean()


def test_hostile_texts_are_shown_and_nothing_else(page: Page, school: School) -> None:
    text = page.open(f"?view=note&run=school&id={school.name}", "Reviews, disputes and discussions")
    for part in (
        "<script>window.hurt = 1</script>",
        "<img src=x onerror='window.hurt = 2'>",
        "](javascript:",
    ):
        assert part in text
    assert "\\x1b[31m" in text and CONTROL not in text
    book = school.book.revision.note_id
    for address in (
        "view=library",
        f"view=book&id={book}",
        "view=attempt&id=a0",
        "view=agents",
        "view=problem&id=p1-0",
        "view=sql&sql=SELECT+body,title+FROM+revisions,notes",
    ):
        page.open(f"?{address}&run=school", "a school, seed 5")
        page.until("<script>" if "agents" not in address else "Agents at")
    page.clean()


def test_search_compare_and_forms(page: Page, school: School) -> None:
    page.open("?view=library&run=school", "1 to 7 of 7 notes")
    box = page.driver.find_element(By.NAME, "q")
    box.send_keys("revised", Keys.ENTER)
    page.until("1 to 1 of 1 notes")
    assert "q=revised" in page.driver.current_url and "run=school" in page.driver.current_url
    page.click("Library")
    page.until("1 to 7 of 7 notes")
    assert page.driver.find_element(By.NAME, "q").get_attribute("value") == ""
    name = school.note.revision.revision_id
    page.open(
        f"?view=note&run=school&id={school.name}&old={name}&new={name}", "There is one text to compare"
    )
    for option in page.driver.find_elements(By.CSS_SELECTOR, "select[name=new] option"):
        if school.revised.revision.revision_id[:10] in option.text:
            option.click()
    page.driver.find_element(By.XPATH, "//button[.='Compare']").click()
    page.until("line 2, revised")
    page.clean()


def test_the_slider_goes_back_in_time_by_keyboard(page: Page) -> None:
    page.open("?view=library&run=school", "1 to 7 of 7 notes")
    find = "return document.querySelector('marimo-slider').shadowRoot.querySelector('[role=slider]')"
    page.wait(lambda: page.driver.execute_script(find), "a slider")
    page.driver.execute_script(find).send_keys(Keys.ARROW_LEFT)
    page.until("The library at the end of round 1")
    page.click("Curriculum")
    page.until("The curriculum at the end of round 1")
    assert "round=1" in page.driver.current_url
    page.driver.execute_script(find).send_keys(Keys.END)
    page.until("The curriculum at the end of round 2")
    page.clean()


def test_sql_errors_and_download(page: Page) -> None:
    page.open("?view=sql&run=school", "Ask the log")
    page.driver.find_element(By.NAME, "sql").send_keys("SELECT nope FROM rounds", Keys.CONTROL, Keys.ENTER)
    page.until("That query cannot be answered")
    box = page.driver.find_element(By.NAME, "sql")
    box.clear()
    box.send_keys("SELECT i FROM range(5000) t(i)")
    page.driver.find_element(By.XPATH, "//button[.='Run']").click()
    page.until("5,000 rows; the first 200 are shown")
    page.wait(lambda: page.driver.find_elements(By.TAG_NAME, "marimo-download"), "a download")
    page.clean()


def test_the_tab_key_reaches_tabs_forms_and_links(page: Page) -> None:
    page.open("?view=library&run=school", "1 to 7 of 7 notes")
    reached: set[str] = set()
    body = page.driver.find_element(By.TAG_NAME, "body")
    for _ in range(60):
        body.send_keys(Keys.TAB)
        script = "const e = document.activeElement; return e.name || e.innerText || e.tagName"
        reached.add(str(page.driver.execute_script(script)).strip()[:20])
        body = page.driver.switch_to.active_element
    assert {"Library", "SQL", "q", "kind", "archived", "MARIMO-SLIDER"} <= reached, reached


def test_a_live_run_is_followed(page: Page, live: Path) -> None:
    with Lake.open(live, LakeConfig()) as lake:
        (last,) = lake.table("SELECT max(round) AS last FROM rounds").column("last").to_pylist()
    text = page.open("?run=live", f"The curriculum at the end of round {last}")
    assert "finished" not in text
    assert page.driver.find_elements(By.TAG_NAME, "marimo-refresh")
    with Lake.open(live, LakeConfig()) as lake:
        rows = round_rows(last + 1)
        rows.revisions = []
        lake.commit(rows, "arena", f"round {last + 1}")
    page.until(f"The curriculum at the end of round {last + 1}")  # without a key or a click
    page.clean()
