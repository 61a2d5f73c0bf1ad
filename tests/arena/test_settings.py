"""Configuration: sources, overrides, messages, and the way back to text."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, model_validator

from arena.settings import ConfigError, assert_documented, describe, dump, load, merge, presets
from arena.yaml_text import YamlError, parse, render

STRICT = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Learner(BaseModel):
    model_config = STRICT

    lr: float = Field(default=1e-3, gt=0)
    """Learning rate, per step."""
    steps: int = 3
    """Optimizer steps, in steps."""
    mode: Literal["policy", "study"] = "study"
    """What to learn from."""
    cap: int | None = None
    """Rows, in rows; null for all."""


class Line(BaseModel):
    model_config = STRICT

    kind: Literal["line"]
    """Which shape."""
    length: int = 1
    """Length, in nodes."""


class Circle(BaseModel):
    model_config = STRICT

    kind: Literal["circle"]
    """Which shape."""
    radius: float = 1.0
    """Radius, in nodes."""


class Group(BaseModel):
    model_config = STRICT

    name: str
    """Name."""
    count: int = 1
    """How many, in agents."""

    @model_validator(mode="after")
    def _named(self) -> Group:
        if self.name == "nobody":
            raise ValueError("expected a name, got 'nobody'\nexpected somebody, got 'nobody'")
        return self


class Config(BaseModel):
    model_config = STRICT

    seed: int
    """Seed of every stream."""
    learner: Learner = Learner()
    """The learner."""
    shape: Annotated[Line | Circle, Field(discriminator="kind")] = Circle(kind="circle")
    """The shape."""
    groups: list[Group] = Field(default=[])
    """The groups."""
    policies: dict[str, Learner] = Field(default={})
    """Learners by name."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base.yaml").write_text(
        "seed: 1\nlearner: {lr: 1e-4, steps: 5}\nshape: {kind: circle, radius: 2}\n"
        "groups: [{name: a}, {name: b, count: 2}]\n"
    )
    return tmp_path


def messages(folder: Path, source: str | Path, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(source, overrides, Config, folder=folder)
    assert str(caught.value).splitlines()[1:] == ["  " + str(fault) for fault in caught.value.faults]
    return [str(fault) for fault in caught.value.faults]


def write(folder: Path, name: str, text: str) -> None:
    (folder / f"{name}.yaml").write_text(text)


# -- sources ---------------------------------------------------------------------------------------


def test_a_preset_by_name_and_a_file_by_path_are_the_same(folder: Path) -> None:
    preset = load("base", [], Config, folder=folder)
    assert preset == load(folder / "base.yaml", [], Config) == load(str(folder / "base.yaml"), [], Config)
    assert preset.learner == Learner(lr=1e-4, steps=5)
    assert presets(folder) == ["base"]


def test_the_file_of_a_run_is_a_configuration(folder: Path) -> None:
    text = (folder / "base.yaml").read_text(encoding="utf-8") + "\nversions: {code: '1', torch: '2'}\n"
    (folder / "run.yaml").write_text(text, encoding="utf-8")
    assert load(folder / "run.yaml", [], Config) == load(folder / "base.yaml", [], Config)
    (folder / "other.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="got 'versions'"):
        load(folder / "other.yaml", [], Config)


def test_extending_merges_mappings_and_replaces_lists(folder: Path) -> None:
    write(folder, "more", "extends: base\nlearner: {steps: 6}\ngroups: [{name: c}]\n")
    write(folder, "most", "extends: more.yaml\nseed: 9\n")
    config = load("most", [], Config, folder=folder)
    assert (config.seed, config.learner.lr, config.learner.steps) == (9, 1e-4, 6)
    assert [group.name for group in config.groups] == ["c"]


def test_another_kind_replaces_the_whole_section(folder: Path) -> None:
    write(folder, "other", "extends: base\nshape: {kind: line}\n")
    write(folder, "same", "extends: base\nshape: {kind: circle}\n")
    assert load("other", [], Config, folder=folder).shape == Line(kind="line")
    assert load("same", [], Config, folder=folder).shape == Circle(kind="circle", radius=2)


def test_merging_changes_neither_side() -> None:
    base: dict[str, object] = {"a": {"b": 1}}
    over: dict[str, object] = {"a": {"c": 2}}
    assert merge(base, over) == {"a": {"b": 1, "c": 2}}
    assert base == {"a": {"b": 1}}
    assert over == {"a": {"c": 2}}


def test_an_unknown_preset_names_the_nearest(folder: Path) -> None:
    assert messages(folder, "bse") == [
        "preset: expected a preset, got 'bse'; write 'base' instead (presets: 'base')"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("extends: bass\n", "preset: expected a preset, got 'bass'; write 'base' instead"),
        ("extends: [base]\n", "file bad.yaml: expected a preset or a file name in extends, got ['base']"),
        ("extends: bad\n", "file bad.yaml: expected extends to end somewhere, got a circle: bad.yaml -> "),
        ("- 1\n", "file bad.yaml: expected keys and values, got [1]"),
        ("a: 1\nb: [\n", "file bad.yaml: line 3, column 1: expected YAML, got text that is not: "),
        ("seed: 1\nseed: 2\n", "file bad.yaml: line 2, column 1: expected each key once, got 'seed' again"),
        ("1: 1\n", "file bad.yaml: line 1, column 1: expected a name as the key, got '1'"),
        ("a: &x 1\nb: *x\n", "file bad.yaml: line 2, column 4: expected a value, got the alias *x"),
    ],
)
def test_a_file_that_cannot_be_used_says_where(folder: Path, text: str, expected: str) -> None:
    write(folder, "bad", text)
    (message,) = messages(folder, "bad")
    assert message.startswith(expected)


def test_missing_and_undecodable_files(folder: Path) -> None:
    (message,) = messages(folder, folder / "none.yaml")
    assert message.startswith("file none.yaml: expected a file that can be read, got ")
    (folder / "bytes.yaml").write_bytes(b"a: \xff")
    (message,) = messages(folder, folder / "bytes.yaml")
    assert message == "file bytes.yaml: expected UTF-8 text, got other bytes at position 3"


def test_problems_of_the_file_and_of_the_overrides_come_together(folder: Path) -> None:
    assert [m.split(":")[0] for m in messages(folder, "bse", "learner")] == ["preset", "override 'learner'"]


# -- overrides -------------------------------------------------------------------------------------


def test_overrides_are_yaml(folder: Path) -> None:
    config = load(
        "base",
        ["learner.lr=1e-5", "learner.cap=null", "groups.1.name='7'", "shape={kind: line, length: 4}"],
        Config,
        folder=folder,
    )
    assert config.learner.lr == 1e-5
    assert config.learner.cap is None
    assert [group.name for group in config.groups] == ["a", "7"]
    assert config.shape == Line(kind="line", length=4)


def test_overrides_make_sections_that_the_file_leaves_out(folder: Path) -> None:
    write(folder, "bare", "seed: 1\nlearner:\n")
    assert load("bare", ["learner.steps=8"], Config, folder=folder).learner.steps == 8


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("seed", "expected a dotted key, = and a value, as in learner.lr=1e-4, got 'seed'"),
        ("a..b=1", "expected a dotted key, = and a value, as in learner.lr=1e-4, got 'a..b=1'"),
        ("groups.2.count=1", "expected a position from 0 to 1 after groups, got '2'"),
        ("groups.first.count=1", "expected a position from 0 to 1 after groups, got 'first'"),
        ("seed.x=1", "expected a section with keys at seed, got 1"),
        ("seed=[1", "line 1, column 3: expected YAML, got text that is not: "),
    ],
)
def test_a_bad_override_says_what_to_write(folder: Path, override: str, expected: str) -> None:
    (message,) = messages(folder, "base", override)
    assert message.startswith(f"override {override!r}: {expected}")


# -- values ----------------------------------------------------------------------------------------


def test_every_problem_is_reported_at_once(folder: Path) -> None:
    write(
        folder,
        "bad",
        "lr: 1\n"
        "learner: {lr: -1, mode: polcy, stps: 2, cap: x}\n"
        "shape: {kind: circl}\n"
        "groups: [{name: nobody}, {count: 1}, 3]\n",
    )
    assert sorted(messages(folder, "bad", "seed")) == sorted(
        [
            "override 'seed': expected a dotted key, = and a value, as in learner.lr=1e-4, got 'seed'",
            "seed: expected a value, because this key is required, got nothing",
            "lr: expected a known key, got 'lr'; it belongs in learner.lr or policies.NAME.lr "
            "(top-level keys: 'groups', 'learner', 'policies', 'seed', 'shape')",
            "learner.lr: expected a number greater than 0, got -1",
            "learner.mode: expected 'policy' or 'study' (the nearest is 'policy'), got 'polcy'",
            "learner.stps: expected a known key, got 'stps'; write 'steps' instead "
            "(keys of learner: 'cap', 'lr', 'mode', 'steps')",
            "learner.cap: expected a valid integer, got 'x'",
            "shape: expected 'kind' to be 'line' or 'circle' (the nearest is 'circle'), got 'circl'",
            "groups.0: expected a name, got 'nobody'",
            "groups.0: expected somebody, got 'nobody'",
            "groups.1.name: expected a value, because this key is required, got nothing",
            "groups.2: expected a section with keys, got 3",
        ]
    )


def test_an_unknown_key_is_held_to_the_kind_it_stands_in(folder: Path) -> None:
    (message,) = messages(folder, "base", "shape={kind: line, radius: 1}")
    assert message == (
        "shape.radius: expected a known key, got 'radius'; it belongs in shape[circle].radius "
        "(keys of shape: 'kind', 'length')"
    )


def test_unknown_keys_of_items_and_values_name_the_nearest(folder: Path) -> None:
    found = messages(folder, "base", "groups.0.cnt=2", "policies.p.step=1")
    assert found == [
        "groups.0.cnt: expected a known key, got 'cnt'; write 'count' instead "
        "(keys of groups.0: 'count', 'name')",
        "policies.p.step: expected a known key, got 'step'; write 'steps' instead "
        "(keys of policies.p: 'cap', 'lr', 'mode', 'steps')",
    ]


def test_a_config_error_survives_pickling(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load("base", ["seed=x"], Config, folder=folder)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.faults) == (str(caught.value), caught.value.faults)


# -- back to text ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dump") / "run.yaml"


configs = st.builds(
    Config,
    seed=st.integers(),
    learner=st.builds(Learner, lr=st.floats(min_value=0, exclude_min=True), cap=st.none() | st.integers()),
    shape=st.builds(Circle, kind=st.just("circle"), radius=st.floats(allow_nan=False)),
    groups=st.lists(st.builds(Group, name=st.text().filter(lambda name: name != "nobody")), max_size=3),
)


@settings(max_examples=50)
@given(config=configs)
def test_a_dumped_configuration_loads_equal(scratch: Path, config: Config) -> None:
    scratch.write_text(dump(config), encoding="utf-8")
    assert load(scratch, [], Config) == config


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)


@given(plain)
def test_rendered_data_parses_to_itself(data: object) -> None:
    assert parse(render(data)) == data


@given(st.text())
def test_parsing_text_gives_data_or_a_yaml_error(text: str) -> None:
    try:
        parse(text)
    except YamlError as error:
        assert "expected" in str(error)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1E5", 1e5),
        ("+.5", 0.5),
        ("2.", 2.0),
        ("-3", -3),
        ("1_000", 1000),
        (".inf", math.inf),
        ("true", True),
        ("~", None),
        ("no", "no"),
        ("on", "on"),
        ("010", "010"),
        ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"),
        ("1e", "1e"),
        ("'1e-4'", "1e-4"),
        ("", None),
    ],
)
def test_plain_scalars_are_what_they_look_like(text: str, value: object) -> None:
    found = parse(text)
    assert found == value
    assert type(found) is type(value)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(YamlError, match="nested"):
        parse("[" * 5_000)


# -- documentation ---------------------------------------------------------------------------------


def test_describe_lists_every_setting() -> None:
    rows = {row.path: row for row in describe(Config)}
    assert list(rows) == [
        "seed",
        "learner",
        "learner.lr",
        "learner.steps",
        "learner.mode",
        "learner.cap",
        "shape",
        "shape[line].kind",
        "shape[line].length",
        "shape[circle].kind",
        "shape[circle].radius",
        "groups",
        "groups[].name",
        "groups[].count",
        "policies",
        "policies.NAME.lr",
        "policies.NAME.steps",
        "policies.NAME.mode",
        "policies.NAME.cap",
    ]
    assert (rows["seed"].type, rows["seed"].default) == ("int", "required")
    assert (rows["learner.lr"].type, rows["learner.lr"].default) == ("float, > 0", "0.001")
    assert (rows["learner.cap"].type, rows["learner.cap"].default) == ("int | null", "null")
    assert (rows["learner.mode"].type, rows["learner.mode"].doc) == (
        "policy | study",
        "What to learn from.",
    )
    assert (rows["groups"].type, rows["groups"].default) == ("list of section", "[]")


def test_a_setting_without_a_docstring_is_named() -> None:
    class Bare(BaseModel):
        model_config = STRICT

        learner: Learner = Learner()
        """Fine."""
        said: int = 1
        """Said."""
        unsaid: int = 1

    assert_documented(Config)
    with pytest.raises(AssertionError, match=r"got none for unsaid;"):
        assert_documented(Bare)
