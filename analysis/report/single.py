"""The report of one run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from analysis.figures import FIGURES, NoData
from analysis.figures.base import Figure, Log
from analysis.figures.rendering import DOTS, save
from analysis.report.configuration import against, configuration
from analysis.report.facts import DISPUTED, best_notes, costs, disputed_notes, failures
from analysis.report.page import embedded, rendered
from analysis.summary import summary
from culture.worth import By, Worth, worths

Tell = Callable[[str], None]
WORTH_TOLD = (
    "What reading a note is estimated to be worth, in points of success, by the arms drawn by lot. The "
    "q-value allows for looking at many: above 0.05 it cannot be told from nothing."
)


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """A figure for a template: an image, or why there is none."""

    name: str
    title: str
    caption: str
    sql: Mapping[str, str]
    image: str = ""
    nothing: str = ""
    width: int = 0
    """Of the image, in pixels."""
    height: int = 0


def shown(figure: Figure, data: Any, png: Path, heading: str) -> Shown:
    """A figure drawn into the file ``png``."""
    save(figure, data, png, heading)
    width, height = (round(inches * DOTS) for inches in figure.SIZE)
    return Shown(
        figure.NAME, figure.TITLE, figure.CAPTION, figure.SQL, embedded(png), width=width, height=height
    )


def page_of_run(log: Log, folder: Path, presets: Mapping[str, Mapping[str, object]], tell: Tell) -> str:
    """The HTML of a log's report; its pictures are written into ``folder`` as PNG files besides.

    ``presets`` are configurations by name that the run's is compared with. Raises ValueError where no round
    is committed.
    """
    run = log.execute("SELECT name, seed, started_at, code_version, packages FROM runs").fetchone()
    rounds = log.execute("SELECT count(*), max(round) FROM rounds").fetchone()
    if run is None or rounds is None or not rounds[0]:
        raise ValueError("expected a run with a committed round, got none; report it after the first round")
    name, _, _, code, packages = run
    config = configuration(log)
    planned = config.get("rounds")
    if isinstance(planned, int) and planned < rounds[0]:  # made longer by a version that did not log it
        planned = None

    @cache
    def worth(by: By) -> list[Worth]:
        return worths(log, by)

    tell("summary")
    sections = summary(log, worth)
    drawn, descent = [], []
    for figure in FIGURES.values():
        tell(f"picture {figure.NAME}")
        try:
            data = figure.data(log)
        except NoData as reason:
            drawn.append(Shown(figure.NAME, figure.TITLE, "", figure.SQL, nothing=str(reason)))
            continue
        if figure.NAME == "lineage":
            descent = data.longest
        drawn.append(shown(figure, data, folder / f"{figure.NAME}.png", f"{figure.TITLE}: {name}"))
    tell("notes, failures, cost")
    best = best_notes(log, worth("note"))
    return rendered(
        "run.html",
        name=name,
        standing=f"{rounds[0]} of {planned} rounds are committed" if planned else f"{rounds[0]} rounds",
        sections=sections,
        figures=drawn,
        descent=descent,
        noted=[
            ("Best", WORTH_TOLD, "No note's worth above zero can be told yet.", best),
            (
                "Most disputed",
                "",
                "No note is disputed, and no text waits to be merged.",
                disputed_notes(log),
            ),
        ],
        disputed_sql=DISPUTED,
        failures=failures(log),
        costs=costs(log),
        against=against(config, presets),
        config=yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
        packages=yaml.safe_dump({"code": code, **_tree(packages)}, sort_keys=False, allow_unicode=True),
    )


def _tree(value: object) -> dict[str, object]:
    return json.loads(value) if isinstance(value, str) else dict(value)  # type: ignore[call-overload, no-any-return]
