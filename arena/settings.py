"""From a preset or a file, and overrides, to a validated configuration; and back to text.

A source is the name of a preset (a file of ``arena/presets``) or the path of a YAML file. A source may
say ``extends: other``, a preset or a file beside it: mappings merge key by key, everything else, lists
included, replaces what it extends, and a mapping whose ``kind`` differs replaces the whole mapping,
since the keys of one kind mean nothing to another.

Nothing starts before everything has been checked: :func:`load` gathers what is wrong with the files,
the overrides and the values, and raises it as one :class:`ConfigError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from arena.faults import ConfigError, Fault, dotted, faults_of, listed, nearest, shown
from arena.fields import FieldRow, assert_documented, describe
from arena.run_files import CONFIG
from arena.yaml_text import YamlError, parse, render

__all__ = ["ConfigError", "Fault", "FieldRow", "assert_documented", "describe", "dump", "load", "presets"]

PRESETS = Path(__file__).parent / "presets"

M = TypeVar("M", bound=BaseModel)
Tree = dict[str, object]


def presets(folder: Path = PRESETS) -> list[str]:
    """Names of the presets, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load(source: str | Path, overrides: Sequence[str], model: type[M], *, folder: Path = PRESETS) -> M:
    """The configuration in ``source`` with ``overrides`` (``"learner.lr=1e-4"``) put in, validated.

    The value of an override is YAML: ``a.b=[1, 2]`` is a list and ``a.b="1"`` is text; a number in the
    path is a position in a list, ``groups.0.count=3``. ``folder`` is where preset names are looked up.
    Raises :class:`ConfigError` with every problem found.
    """
    faults: list[Fault] = []
    read = _read(source, folder, faults, ())
    # Of a file that could not be read only the overrides' form can be checked, not the values.
    tree = {} if read is None else read
    for override in overrides:
        _apply(override, tree, faults)
    if read is not None:
        try:
            found = model.model_validate(tree)
        except ValidationError as error:
            faults += faults_of(error, tree, model)
        else:
            if not faults:
                return found
    raise ConfigError(str(source), faults)


def dump(config: BaseModel) -> str:
    """YAML text of a configuration with every setting written out: ``load`` gives it back equal."""
    return render(config.model_dump(mode="json"))


def _is_file(source: str | Path) -> bool:
    return isinstance(source, Path) or "/" in source or source.endswith((".yaml", ".yml"))


def _read(source: str | Path, folder: Path, faults: list[Fault], above: tuple[Path, ...]) -> Tree | None:
    """The mapping in ``source``, merged over what it extends; None where that cannot be read."""
    if _is_file(source):
        path = Path(source)
    else:
        path = folder / f"{source}.yaml"
        names = presets(folder)
        if source not in names:
            near = nearest(str(source), names)
            advice = f"write {near!r} instead" if near else "write one of these, or a path ending in .yaml"
            faults.append(
                Fault("preset", f"expected a preset, got {source!r}; {advice} (presets: {listed(names)})")
            )
            return None
    label = f"file {path.name}"
    try:
        data = _mapping(path)
    except ValueError as error:
        faults.append(Fault(label, str(error)))
        return None
    if path.name == CONFIG:  # of a run: it tells versions too, which are no settings
        data.pop("versions", None)
    parent = data.pop("extends", None)
    if parent is None:
        return data
    if not isinstance(parent, str):
        faults.append(Fault(label, f"expected a preset or a file name in extends, got {shown(parent)}"))
        return None
    beneath = path.parent / parent if _is_file(parent) else parent
    chain = (*above, path.resolve())
    target = beneath if isinstance(beneath, Path) else folder / f"{parent}.yaml"
    if target.resolve() in chain:
        circle = " -> ".join(p.name for p in (*chain, target))
        faults.append(Fault(label, f"expected extends to end somewhere, got a circle: {circle}"))
        return None
    base = _read(beneath, folder, faults, chain)
    return None if base is None else merge(base, data)


def _mapping(path: Path) -> Tree:
    """The keys and values in one file. Raises ValueError that says what is wrong with it."""
    try:
        data = parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(
            f"expected a file that can be read, got {str(path)!r}: {error.strerror or error}"
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(f"expected UTF-8 text, got other bytes at position {error.start}") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ValueError(f"expected keys and values, got {shown(data)}")
    return data


def merge(base: Mapping[str, object], over: Mapping[str, object]) -> Tree:
    """``over`` laid on ``base``, as presets extend each other. Neither is changed."""
    if "kind" in over and over["kind"] != base.get("kind", over["kind"]):
        return dict(over)
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            merged[key] = merge(below, value)
        else:
            merged[key] = value
    return merged


def _apply(override: str, tree: Tree, faults: list[Fault]) -> None:
    """Put one override into ``tree``, or say what is wrong with it."""
    label = f"override {override!r}"
    place, equals, text = override.partition("=")
    parts = place.strip().split(".")
    if not equals or not all(part.strip() for part in parts):
        faults.append(
            Fault(label, f"expected a dotted key, = and a value, as in learner.lr=1e-4, got {override!r}")
        )
        return
    try:
        value = parse(text)
    except YamlError as error:
        faults.append(Fault(label, f"{error}; put text with special characters in quotes"))
        return
    here: object = tree
    for depth, part in enumerate(parts):
        last = depth == len(parts) - 1
        if isinstance(here, dict):
            if last:
                here[part] = value
            elif here.get(part) is None:
                here[part] = {}
            here = here[part]
        elif isinstance(here, list):
            if not part.isdecimal() or int(part) >= len(here):
                wanted = f"a position from 0 to {len(here) - 1}" if here else "a list with items"
                at = dotted(parts[:depth])
                faults.append(Fault(label, f"expected {wanted} after {at}, got {part!r}"))
                return
            if last:
                here[int(part)] = value
            here = here[int(part)]
        else:
            at = dotted(parts[:depth])
            faults.append(Fault(label, f"expected a section with keys at {at}, got {shown(here)}"))
            return
