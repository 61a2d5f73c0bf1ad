"""The measures of a run as lines for people, or as JSON."""

from __future__ import annotations

import json
import math

from analysis.measures.embedding import Embedding
from analysis.measures.report import Measured, Report
from analysis.summary import Section

_NAMES = {
    "minilm": "all-MiniLM-L6-v2, a sentence model",
    "ngrams": "counts of words and of character 1-, 2- and 3-grams",
}


def sections(report: Report) -> list[Section]:
    """A section a topic, below which texts were compared by what; topics without a line are left out."""
    found = [Section(f"Measures of {report.run}, round {report.round}", [_compared(report.embedding)])]
    for topic in dict.fromkeys(m.topic for m in report.measures):
        mine = [m for m in report.measures if m.topic == topic]
        title = f"{mine[0].part.capitalize()}: {topic}"
        found.append(Section(title, [(_label(m), text(m)) for m in mine]))
    return found


def _compared(embedding: Embedding) -> tuple[str, str]:
    return "texts compared by", f"{_NAMES[embedding.name]}: {embedding.why}"


def _label(m: Measured) -> str:
    return f"{m.name}, {m.about}" if m.about else m.name


def text(m: Measured) -> str:
    """One measure in a line: value, 95% interval, unit, and what it rests on."""
    if m.value is None:
        return f"none: {m.reason}"
    found = _number(m.value)
    if m.low is not None and m.high is not None:
        found += f" [{_number(m.low)}, {_number(m.high)}]"
    if m.unit:
        found += f" {m.unit}"
    return f"{found}; {m.n:,} {m.of}" if m.n is not None else found


def _number(value: float) -> str:
    if math.isinf(value):
        return "endless" if value > 0 else "-endless"
    if 0 < abs(value) < 0.0005:
        return f"{value:.1e}"
    return f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}"


def as_json(report: Report) -> str:
    """One JSON object: the run, the embedding, and a list of measures."""
    return json.dumps(report.plain(), ensure_ascii=False, indent=1)
