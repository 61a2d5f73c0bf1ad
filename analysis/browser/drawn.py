"""Figures of pages: drawn small, as SVG images that stand for themselves, and kept."""

from __future__ import annotations

import base64
import io
from collections import OrderedDict
from typing import cast

import markupsafe
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas

from analysis.browser import standing, topology
from analysis.browser.log import Head, Log, Slow
from analysis.browser.pages import Page, rendered
from analysis.figures import FIGURES, Figure, NoData
from culture.catalog import LakeError

OWN: dict[str, Figure] = {f.NAME: f for f in (cast("Figure", standing), cast("Figure", topology))}
WANTED: dict[str, tuple[str, ...]] = {
    "curriculum": ("success", "standing", "difficulty", "proposals", "effect"),
    "library": ("growth", "readership"),
    "agents": ("topology",),
    "pictures": ("collapse", "frontier", "scale", "lineage", "network", "phases"),
}
"""Figures of each page."""
HEAVY = frozenset(["effect", "readership", "collapse", "frontier", "scale", "lineage", "network"])
"""Figures whose data grow with the attempts."""
MOST_ATTEMPTS = 300_000
"""Attempts of a run up to which heavy figures are drawn."""
SMALLER = 0.72
"""How much smaller than in a report: on a phone the letters stay large enough to be read."""
LARGEST = 150_000
"""Bytes of an SVG image above which dots are drawn instead."""
DOTS = 220
"""Dots an inch of these."""
KEPT = 60
_drawn: OrderedDict[tuple[object, ...], str] = OrderedDict()


def wanted(page: Page) -> tuple[str, ...]:
    """The names of the figures that a page has."""
    return WANTED.get(page.template.removesuffix(".html"), ())


def figure(log: Log, head: Head, page: Page, name: str) -> str:
    """A figure as of the round of a page, as HTML with a caption, or with why there is none."""
    last = head.last or 0
    key = (log.folder, name, page.round, head.committed if page.round == last else None)
    if key not in _drawn:
        found = OWN.get(name) or FIGURES[name]
        try:
            _drawn[key] = _figure(log, None if page.round == last else page.round, found)
        except Slow as reason:  # which another time it may not be
            return _without(found, str(reason))
        while len(_drawn) > KEPT:
            _drawn.popitem(last=False)
    return _drawn[key]


def _figure(log: Log, round: int | None, found: Figure) -> str:
    attempts = log.row("SELECT sum(attempts)::BIGINT AS n FROM rounds")
    if found.NAME in HEAVY and attempts and int(str(attempts["n"])) > MOST_ATTEMPTS:
        why = f"Not drawn here: the run has {attempts['n']:,} attempts, and it takes all of them."
        return _without(found, why)
    try:
        with log.held(round=round) as connection:
            data = found.data(connection)
    except (NoData, LakeError) as reason:
        return _without(found, str(reason))
    size = (SMALLER * found.SIZE[0], SMALLER * found.SIZE[1])
    canvas = Canvas(figsize=size, layout="constrained")
    FigureCanvasSVG(canvas)
    # Letters stay letters: smaller, and in a font that the machine has.
    with rc_context({"svg.fonttype": "none", "font.size": 9, "axes.labelsize": 9}):
        found.draw(data, canvas)
        sink = io.BytesIO()
        canvas.savefig(sink, format="svg", metadata={"Date": None})
        kind = "svg+xml"
        if sink.tell() > LARGEST:  # every bar of a long run is a path of its own
            sink, kind = io.BytesIO(), "png"
            FigureCanvasAgg(canvas)
            canvas.savefig(sink, format="png", dpi=DOTS)
    source = markupsafe.Markup(f"data:image/{kind};base64," + base64.b64encode(sink.getvalue()).decode())
    return rendered(
        "figure.html",
        title=found.TITLE,
        caption=found.CAPTION,
        source=source,
        width=_pixels(size[0]),
        height=_pixels(size[1]),
        missing="",
    )


def _without(found: Figure, why: str) -> str:
    """A figure's title and caption, and why it is not there."""
    told = {"title": found.TITLE, "caption": found.CAPTION, "source": "", "width": 0, "height": 0}
    return rendered("figure.html", **told, missing=why)


def _pixels(inches: float) -> int:
    """Pixels of a length on a screen."""
    return int(96 * inches)
