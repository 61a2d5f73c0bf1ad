"""From data to HTML: templates, with everything of a log escaped, and pictures inside the page."""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from culture.quoting import printable

TEMPLATES = Path(__file__).with_name("templates")
SHOWN = 4_000
"""Characters of a text that are shown."""


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"text": text, "cell": cell}
    return made


def rendered(template: str, **values: object) -> str:
    """A page of one of the templates. Autoescape is on, and no value is marked as safe."""
    return _environment().get_template(template).render(**values)


def embedded(png: Path) -> str:
    """A picture as an address that holds it."""
    return f"data:image/png;base64,{base64.b64encode(png.read_bytes()).decode()}"


def text(value: object, most: int = SHOWN) -> str:
    """A text of the log for people: control characters are shown, line ends stay, what is long is cut."""
    shown = printable(str(value)[: most + 1], keep="\n")
    return shown if len(shown) <= most else shown[:most] + " …"


def cell(value: object) -> str:
    """A value in a table."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return text(value, 160)
