"""The run's configuration: documented, loadable, and held together across its sections."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.population import PopulationConfig
from arena.config import RunConfig
from arena.settings import ConfigError, assert_documented, dump, load, presets


def faults(folder: Path, *overrides: str) -> list[str]:
    (folder / "empty.yaml").write_text("")
    with pytest.raises(ConfigError) as caught:
        load(folder / "empty.yaml", overrides, RunConfig)
    return [str(fault) for fault in caught.value.faults]


def test_every_setting_is_documented() -> None:
    assert_documented(RunConfig)


def test_the_defaults_are_a_configuration_and_survive_the_file(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(dump(RunConfig()))
    assert load(path, [], RunConfig) == RunConfig()


def test_every_preset_loads() -> None:
    for name in presets():
        assert load(name, [], RunConfig).population.size >= 1


def test_groups_name_policies_that_there_are(tmp_path: Path) -> None:
    assert faults(tmp_path, "population.groups=[{name: a, roles: [proposer, solver], policy: sprk}]") == [
        "population.groups.0.policy: expected a policy under policies ('spark'), got 'sprk'; "
        "write 'spark' instead, or add it",
        "policies: expected every policy to have an agent, got none for 'spark'; take it out, or name it "
        "in a group of the population",
    ]


def test_a_population_that_cannot_play_is_refused_before_anything_starts(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        "population.topology={kind: ring}",
        "population.placement=grouped",
        "population.groups=[{name: p, count: 4, roles: [proposer]}, {name: s, count: 4, roles: [solver]}]",
    )
    assert len(found) == 2
    assert all(line.startswith("population: expected a ") for line in found)
    assert all("write placement: interleaved" in line for line in found)


def test_problems_in_several_sections_come_together(tmp_path: Path) -> None:
    found = faults(tmp_path, "learner.lr=-1", "curriculum.strategy=laddr", "lake.catalog=oracle", "sed=1")
    assert [line.split(":")[0] for line in found] == ["learner.lr", "curriculum", "lake.catalog", "sed"]
    assert "write 'ladder'" in found[1]
    assert "write 'seed' instead" in found[3]


def test_the_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        RunConfig().population = PopulationConfig()  # type: ignore[misc]
