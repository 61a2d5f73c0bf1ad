"""What is wrong with a configuration: one fault a line, all of them in one error.

A line reads ``path: expected ..., got ...; write ... instead``. Faults come from pydantic, whose errors
are put into that form here, and from the loader.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from arena.fields import describe, models_at, step


@dataclass(frozen=True, slots=True)
class Fault:
    """One problem: where, and what to write instead."""

    path: str
    """Dotted path from the root (``learner.lr``), or the file or override at fault."""
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigError(ValueError):
    """A configuration that cannot be used; ``faults`` holds every problem that was found."""

    def __init__(self, source: str, faults: Sequence[Fault]) -> None:
        count = "1 problem" if len(faults) == 1 else f"{len(faults)} problems"
        lines = [f"the configuration {source} has {count}:", *(f"  {fault}" for fault in faults)]
        super().__init__("\n".join(lines))
        self.source = source
        self.faults = tuple(faults)

    def __reduce__(self) -> tuple[type[ConfigError], tuple[str, tuple[Fault, ...]]]:
        return (ConfigError, (self.source, self.faults))


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name most like ``name``, or None where none is alike."""
    found = difflib.get_close_matches(name.lower(), list(names), n=1, cutoff=0.5)
    return found[0] if found else None


def listed(names: Iterable[str]) -> str:
    """Names for a message: in quotes, sorted."""
    return ", ".join(repr(name) for name in sorted(names))


def shown(value: object) -> str:
    """A value for a message, cut to a line's length."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def faults_of(error: ValidationError, data: Mapping[str, object], model: type[BaseModel]) -> list[Fault]:
    """The faults in a pydantic error about ``data``, in the order of the fields.

    Errors about one place, as from the members of a union, become one fault.
    """
    expected: dict[str, list[str]] = {}
    got: dict[str, str] = {}
    faults: dict[str, list[Fault]] = {}
    for details in error.errors(include_url=False):
        path = _path(details, data)
        place = dotted(path)
        kind = details["type"]
        if kind == "extra_forbidden":
            faults.setdefault(place, []).append(Fault(place, _unknown(path, data, model)))
        elif kind in ("value_error", "assertion_error"):
            for line in _plain(details).splitlines():
                faults.setdefault(place, []).append(Fault(place, line))
        else:
            expected.setdefault(place, []).append(_expected(details))
            got[place] = "nothing" if kind.endswith("missing") else _got(details)
            faults.setdefault(place, [])
    found: list[Fault] = []
    for place, others in faults.items():
        if place in expected:
            wanted = " or ".join(dict.fromkeys(expected[place]))
            found.append(Fault(place, f"expected {wanted}, got {got[place]}"))
        found += others
    return found


def dotted(path: Sequence[str | int]) -> str:
    """``("groups", 0, "count")`` as ``groups.0.count``."""
    return ".".join(str(part) for part in path)


def _path(details: ErrorDetails, data: object) -> tuple[str | int, ...]:
    """The error's location in the data, without the names of union members that pydantic puts in."""
    kept: list[str | int] = []
    location = details["loc"]
    for index, part in enumerate(location):
        missing = index == len(location) - 1 and details["type"] == "missing"
        below = step(data, part)
        if below is None and not missing:
            continue
        data = below[0] if below else None
        kept.append(part)
    return tuple(kept)


def _plain(details: ErrorDetails) -> str:
    """The message that a validator of ours raised."""
    message = details["msg"]
    for prefix in ("Value error, ", "Assertion failed, "):
        message = message.removeprefix(prefix)
    return message


def _expected(details: ErrorDetails) -> str:
    context = details.get("ctx", {})
    match details["type"]:
        case "missing":
            return "a value, because this key is required"
        case "union_tag_invalid":
            return _choice(str(context["expected_tags"]), context["tag"], str(context["discriminator"]))
        case "union_tag_not_found":
            return f"the key {context['discriminator']}, which says what the section is"
        case "literal_error" | "enum":
            return _choice(str(context["expected"]), details["input"], "")
        case "model_type" | "dict_type" | "model_attributes_type":
            return "a section with keys"
        case _:
            message = details["msg"].removeprefix("Input should be ").removeprefix("Input should ")
            message = message.replace("String should match", "text that matches")
            message = re.sub(r"^(\w+) should ", r"a \1 that should ", message)
            message = re.sub(r", unable to parse .*", "", message)
            message = re.sub(r"^(greater|less|a multiple)", r"a number \1", message)
            return message[:1].lower() + message[1:]


def _choice(expected: str, got: object, key: str) -> str:
    names = [part.strip(" '") for part in expected.replace(" or ", ", ").split(",")]
    near = nearest(str(got), names)
    text = (f"{key} to be " if key.strip("'") else "") + " or ".join(repr(name) for name in names)
    return f"{text} (the nearest is {near!r})" if near else text


def _got(details: ErrorDetails) -> str:
    if details["type"] == "union_tag_invalid":
        return shown(details.get("ctx", {}).get("tag"))
    return shown(details["input"])


def _unknown(path: Sequence[str | int], data: Mapping[str, object], model: type[BaseModel]) -> str:
    """What to say about a key that no field has: the right one here, or the same name elsewhere."""
    *section, key = path
    here = sorted({name for found in models_at(model, section, data) for name in found.model_fields})
    near = nearest(str(key), here)
    elsewhere = [row.path for row in describe(model) if row.path.split(".")[-1] == key]
    if near is not None:
        advice = f"write {near!r} instead"
    elif elsewhere:
        advice = f"it belongs in {' or '.join(elsewhere)}"
    else:
        advice = "take it out"
    where = f"keys of {dotted(section)}" if section else "top-level keys"
    return f"expected a known key, got {str(key)!r}; {advice} ({where}: {listed(here)})"
