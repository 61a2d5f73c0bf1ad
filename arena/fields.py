"""The fields of a configuration model: what documentation lists and messages suggest.

A path names a field from the root: ``population.groups[].count`` is the field ``count`` of each item,
``policies.NAME.layers`` that of each value of a mapping, and ``population.topology[ring].width`` belongs
to the member of a union whose ``kind`` is ``ring``.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

_LISTS = (list, tuple, set, frozenset)


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One setting, for documentation."""

    path: str
    type: str
    default: str
    """As YAML would show it; ``required`` where there is none."""
    doc: str
    """The field's docstring, with its unit."""


def describe(model: type[BaseModel]) -> list[FieldRow]:
    """Every setting under ``model``, in the order of declaration."""
    return list(_rows(model, ""))


def assert_documented(model: type[BaseModel]) -> None:
    """Raises AssertionError, naming each one, where settings under ``model`` have no docstring."""
    bare = [row.path for row in describe(model) if not row.doc.strip()]
    assert not bare, (
        f"expected a docstring under every setting, got none for {', '.join(bare)}; write one below the "
        "field, and use_attribute_docstrings=True in the model's configuration"
    )


def models_at(
    model: type[BaseModel], path: Sequence[str | int], data: Mapping[str, object]
) -> list[type[BaseModel]]:
    """The models that ``data`` may be read as at ``path``: several where a union leaves it open."""
    open_: list[Any] = [model]
    here: object = data
    for part in path:
        below = step(here, part)
        here = below[0] if below else None
        open_ = [inner for annotation in open_ for inner in _below(annotation, part)]
        if isinstance(here, Mapping) and "kind" in here:
            tagged = [child for child in open_ if here["kind"] in _kinds(child)]
            open_ = tagged or open_
    return [child for child in open_ if _is_model(child)]


def step(data: object, part: str | int) -> tuple[object] | None:
    """The value one step down, in a tuple since it may be None; None where there is no such step."""
    if isinstance(data, Mapping):
        return (data[part],) if part in data else None
    if isinstance(data, list | tuple) and isinstance(part, int) and part < len(data):
        return (data[part],)
    return None


def _rows(model: type[BaseModel], prefix: str) -> Iterator[FieldRow]:
    for name, field in model.model_fields.items():
        path = prefix + name
        models = _models(field.annotation)
        if not models:
            yield FieldRow(path, _field_type(field), _default(field), field.description or "")
            continue
        origin = get_origin(_unwrap(field.annotation))
        item = ".NAME" if origin is dict else "[]" if origin in _LISTS else ""
        if item or not field.is_required():
            yield FieldRow(path, _field_type(field), _default(field), field.description or "")
        for child in models:
            tag = f"[{_kinds(child)[0]}]" if len(models) > 1 and _kinds(child) else ""
            yield from _rows(child, f"{path}{item}{tag}.")


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _members(annotation: Any) -> list[Any]:
    """The members of a union; any other annotation alone."""
    annotation = _unwrap(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        return [member for part in get_args(annotation) for member in _members(part)]
    return [annotation]


def _below(annotation: Any, part: str | int) -> list[Any]:
    """What may stand under ``part`` of a value with that annotation: a field, an item or a value."""
    if _is_model(annotation):
        field = annotation.model_fields.get(part)
        return _members(field.annotation) if field is not None else []
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is dict:
        return _members(arguments[1])
    if origin in _LISTS and isinstance(part, int):
        return _members(arguments[0])
    return []


def _unwrap(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models inside an annotation: of a union its members, of a collection its items."""
    annotation = _unwrap(annotation)
    if _is_model(annotation):
        return [annotation]
    return [found for part in get_args(annotation) for found in _models(part)]


def _kinds(model: Any) -> tuple[Any, ...]:
    """The values of ``kind`` that choose this model; empty where it has no such key."""
    field = model.model_fields.get("kind") if _is_model(model) else None
    return get_args(_unwrap(field.annotation)) if field is not None else ()


def _field_type(field: FieldInfo) -> str:
    limits = []
    for constraint in field.metadata:
        match constraint:
            case annotated_types.Gt(gt=bound):
                limits.append(f"> {bound}")
            case annotated_types.Ge(ge=bound):
                limits.append(f">= {bound}")
            case annotated_types.Lt(lt=bound):
                limits.append(f"< {bound}")
            case annotated_types.Le(le=bound):
                limits.append(f"<= {bound}")
            case annotated_types.MinLen(min_length=bound):
                limits.append(f"length >= {bound}")
            case annotated_types.MaxLen(max_length=bound):
                limits.append(f"length <= {bound}")
    return ", ".join([_type_name(field.annotation), *limits])


def _type_name(annotation: Any) -> str:
    annotation = _unwrap(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is type(None):
        return "null"
    if origin is Literal:
        return " | ".join(str(value) for value in arguments)
    if origin in (Union, types.UnionType):
        return " | ".join(dict.fromkeys(_type_name(part) for part in arguments))
    if origin is not None:
        inner = ", ".join(_type_name(part) for part in arguments if part is not Ellipsis)
        return f"{origin.__name__} of {inner}"
    if _is_model(annotation):
        return "section"
    return {"str": "text", "bool": "true | false"}.get(
        getattr(annotation, "__name__", str(annotation)), getattr(annotation, "__name__", str(annotation))
    )


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return "as below"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_scalar(item) for item in value) + "]"
    return _scalar(value)


def _scalar(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case BaseModel():
            return "{" + ", ".join(f"{k}: {v}" for k, v in value.model_dump(mode="json").items()) + "}"
        case str():
            return value or '""'
        case _:
            return str(value)
