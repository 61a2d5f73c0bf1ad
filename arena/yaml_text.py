"""YAML text to plain data and back, strictly: no duplicate keys, no aliases, no surprising scalars.

PyYAML resolves plain scalars by YAML 1.1, where ``1e-4`` is text, ``no`` is false, ``010`` is eight and
``1:30`` is ninety. Here the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema)
decides, less its octal form, so that a number looks like one and everything else is text.
"""

from __future__ import annotations

import re
from collections.abc import Hashable

import yaml

_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_NULL = re.compile(r"~|null|Null|NULL|")
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*|[0-9][0-9_]*(?=[eE]))(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)

_RESOLVERS = [
    ("tag:yaml.org,2002:bool", _BOOL, "tTfF"),
    ("tag:yaml.org,2002:null", _NULL, ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:int", _INT, "-+0123456789"),
    ("tag:yaml.org,2002:float", _FLOAT, "-+.0123456789"),
]


class YamlError(ValueError):
    """Text that is not the YAML expected here. The message carries line and column, from one."""


def _table() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    table: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for tag, pattern, first in _RESOLVERS:
        for character in first:
            table.setdefault(character, []).append((tag, re.compile(rf"(?:{pattern.pattern})\Z")))
    return table


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = _table()

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            # Shared values would change together under an override, and can be made to fill memory.
            event = self.peek_event()  # type: ignore[no-untyped-call]
            mark = event.start_mark
            raise YamlError(
                f"line {mark.line + 1}, column {mark.column + 1}: expected a value, got the alias "
                f"*{event.anchor}; write the value out, or share whole files with extends"
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            line, column = key.start_mark.line + 1, key.start_mark.column + 1
            if key.tag != "tag:yaml.org,2002:str":
                raise YamlError(
                    f"line {line}, column {column}: expected a name as the key, got "
                    f"{getattr(key, 'value', 'a collection')!r}; put it in quotes if it is meant as a name"
                )
            if key.value in seen:
                raise YamlError(
                    f"line {line}, column {column}: expected each key once, got {key.value!r} again "
                    f"(first on line {seen[key.value]}); keep one of the two"
                )
            seen[key.value] = line
        return super().construct_mapping(node, deep=deep)


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers = _table()

    def ignore_aliases(self, data: object) -> bool:
        """A section used twice is written out twice: anchors make a record hard to read."""
        return True


def parse(text: str) -> object:
    """The data that ``text`` stands for; None for empty text.

    Raises :class:`YamlError` for anything that is not YAML, for a key that occurs twice or is not text,
    and for an alias.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        about = ", ".join(part for part in (error.context, error.problem) if part)
        raise YamlError(f"{where}expected YAML, got text that is not: {about}") from error
    except yaml.YAMLError as error:
        raise YamlError(f"expected YAML, got text that is not: {error}") from error
    except RecursionError as error:
        raise YamlError("expected YAML nested less than a few hundred levels deep, got more") from error
    except ValueError as error:
        if isinstance(error, YamlError):
            raise
        raise YamlError(f"expected YAML, got a value that cannot be read: {error}") from error


def render(data: object) -> str:
    """YAML text of plain data: ``parse(render(data)) == data``. Keys keep their order."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, default_flow_style=False, width=100)
