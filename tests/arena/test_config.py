"""The run's configuration: documented, loadable, and held together across its sections."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.population import PopulationConfig
from arena.config import RunConfig
from arena.domains import base, make_domain, registered
from arena.pools import Tagged
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
        "policies: expected every policy to have an agent that proposes or solves, got none for 'spark'; "
        "take it out, or name it in a group of the population that does",
    ]


def test_a_policy_that_nobody_acts_with_is_refused(tmp_path: Path) -> None:
    groups = "[{name: a, roles: [proposer, solver]}, {name: j, roles: [judge], policy: j}]"
    (fault,) = faults(tmp_path, "policies={spark: {}, j: {}}", f"population.groups={groups}")
    assert "an agent that proposes or solves, got none for 'j'" in fault


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


def test_prompts_that_never_fit_are_refused(tmp_path: Path) -> None:
    (line,) = faults(tmp_path, "engine.form=natural")
    assert line.startswith("engine.form: expected briefs that leave 48 of 256 tokens")
    assert line.endswith("write form: terse")


@pytest.mark.parametrize("setting", ["rehearsal=2", "skip_solved=true"])
def test_what_only_solvers_do_is_refused_for_proposers(tmp_path: Path, setting: str) -> None:
    (line,) = faults(tmp_path, f"learner.proposer.{setting}")
    assert line.startswith(f"learner: expected proposer.{setting.partition('=')[0]} to be left out")


OWN = """
from arena.domains.base import register
from arena.domains.transforms import Transforms

@register
class Own(Transforms):
    name = "own"
"""


def test_a_domain_of_ones_own_is_a_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_registry", dict(base._registry))
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_here.py").write_text(OWN)
    (tmp_path / "own_there.py").write_text(OWN.replace("own", "other"))
    config = load("tiny", ["plugins=[own_here]", "domains=[own]"], RunConfig)
    assert make_domain(config.domains[0]).name == "own"
    Tagged(dict, (), ["own_there"])  # what an actor does in its own process
    assert {"own", "other"} < set(registered())


def test_a_plugin_that_is_not_there_is_named(tmp_path: Path) -> None:
    (line,) = faults(tmp_path, "plugins=[nowhere_to_be_found]")
    assert "plugins: expected a module that can be imported, got 'nowhere_to_be_found'" in line
    assert line.endswith("put its folder on PYTHONPATH, or mend it")


def curriculum_faults(folder: Path, *overrides: str) -> list[str]:
    return [line for line in faults(folder, *overrides) if line.startswith(("curriculum", "rollout"))]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["by_domain={sums: plr}"], "curriculum.by_domain: expected domains of the run ('arithmetic'"),
        (["by_domain={transform: plr}"], "got 'transform'; write 'transforms' instead"),
        (["by_domain={transforms: prl}"], "for by_domain.transforms, got 'prl'; write 'plr'"),
        (["asking.start_targets={sums: 3}", "strategy=azr"], "expected asking.start_targets for"),
        (["strategy=hint_regret"], "expected shares for the arms library and none"),
        (["strategy=population_regret", "population_regret.by=policy"], "expected two or more policies"),
        (["by_domain={transforms: poet}", "poet.novelty=solvers"], "curriculum.poet.novelty: expected two"),
        (
            ["strategy=paired", "paired={antagonist: old, protagonist: spark}"],
            "curriculum.paired.antagonist: expected a policy of solvers ('spark'), got 'old'",
        ),
        (
            ["by_domain={transforms: map_elites}", "map_elites.measures={depth: 3}"],
            "'letters', 'operations', 'pairs', 'steps'), got 'depth'",
        ),
        (["strategy=bandit", "bandit.strategies=[plr, accel]"], "must not depend on the round, got accel"),
    ],
)
def test_a_curriculum_that_cannot_work_is_refused(
    tmp_path: Path, overrides: list[str], message: str
) -> None:
    run = ["domains=[transforms, arithmetic]", 'rollout.arms={"none": 1.0}']
    (line,) = curriculum_faults(tmp_path, *run, *(f"curriculum.{o}" for o in overrides))
    assert message in line


@pytest.mark.parametrize("section", ["robust_plr", "accel"])
def test_a_strategy_that_trains_on_replays_alone_needs_some(tmp_path: Path, section: str) -> None:
    none = ["fresh_share=1", "mutate_share=0"] if section == "accel" else []
    sets = [f"curriculum.{section}.{s}" for s in [*none, "replay_share=0"]]
    load("tiny", sets, RunConfig)  # read by no strategy
    for used in (f"strategy={section}", f"by_domain={{transforms: {section}}}"):
        (line,) = curriculum_faults(tmp_path, *sets, f"curriculum.{used}")
        assert line.startswith(f"curriculum.{section}.replay_share: expected more than 0")
        assert f"write curriculum.{section}.replay_share: 0.5" in line


def test_a_run_without_keys_is_refused_where_keys_are_all_that_is_taught(tmp_path: Path) -> None:
    games = "domains=['games:kuhn']"
    (line,) = faults(tmp_path, games)
    assert line.startswith("learner.solver.objective: expected one that learns from rewards")
    assert line.endswith("got answer_key; write learner.solver.objective: rae")
    load("tiny", [games, "learner.solver.objective=rae"], RunConfig)
    load("tiny", ["domains=['games:kuhn', transforms]"], RunConfig)
    load("tiny", ["domains=[craft]"], RunConfig)  # its pages tell keys
    frozen = [f"policies.{name}.trained=false" for name in load("tiny", [], RunConfig).policies]
    load("tiny", [games, *frozen], RunConfig)


@pytest.mark.parametrize("strategy", ["hint_regret", "bandit"])
def test_hints_that_nobody_reads_are_refused(tmp_path: Path, strategy: str) -> None:
    sets = [f"curriculum.strategy={strategy}", "curriculum.bandit.strategies=[hint_regret, azr]"]
    (line,) = curriculum_faults(tmp_path, *sets, "rollout.notes=0", "rollout.lookups=0")
    assert line.startswith("rollout.notes: expected 1 or more, or rollout.lookups, since hint_regret")
    load("tiny", [*sets, "rollout.notes=0", "rollout.lookups=1"], RunConfig)


@pytest.mark.parametrize(("name", "key"), [("population_regret", "by=policy"), ("poet", "novelty=solvers")])
def test_policies_that_are_compared_have_an_attempt_each(tmp_path: Path, name: str, key: str) -> None:
    groups = [f"{{name: g{i}, roles: [solver, proposer], policy: p{i}, count: 1}}" for i in range(3)]
    sets = [
        f"population.groups=[{', '.join(groups)}]",
        "policies={p0: {}, p1: {}, p2: {}}",
        f"curriculum.strategy={name}",
        f"curriculum.{name}.{key}",
    ]
    (line,) = curriculum_faults(tmp_path, *sets, "rollout.attempts=2")
    assert line.startswith("rollout.attempts: expected 3 or more, one for each policy of solvers")
    load(tmp_path / "empty.yaml", [*sets, "rollout.attempts=3"], RunConfig)


@pytest.mark.parametrize("strategy", ["learnability", "azr", "bandit"])
def test_strategies_that_estimate_need_several_attempts(tmp_path: Path, strategy: str) -> None:
    (line,) = curriculum_faults(tmp_path, f"curriculum.strategy={strategy}", "rollout.attempts=1")
    assert line.startswith("rollout.attempts: expected 2 or more, since ") and strategy in line


@pytest.mark.parametrize("strategy", ["ladder", "uniform", "irt_targeted", "alp_gmm", "learning_progress"])
def test_others_do_with_one(strategy: str) -> None:
    load("tiny", [f"curriculum.strategy={strategy}", "rollout.attempts=1"], RunConfig)


def test_measures_of_an_archive_are_features_of_every_shipped_domain() -> None:
    for domain in ("transforms", "arithmetic", "craft"):
        load("tiny", [f"domains=[{domain}]", "curriculum.strategy=map_elites"], RunConfig)


@pytest.mark.parametrize(
    "sets",
    [
        ["curriculum.strategy=bandit"],
        ["curriculum.by_domain={transforms: bandit}"],
        ["curriculum.strategy=ladder", "curriculum.by_domain={transforms: map_elites}"],
    ],
)
def test_measures_of_an_archive_are_checked_wherever_it_is_named(tmp_path: Path, sets: list[str]) -> None:
    more = ["curriculum.bandit.strategies=[map_elites, azr]", "curriculum.map_elites.measures={depth: 3}"]
    (line,) = curriculum_faults(tmp_path, *sets, *more)
    assert line.startswith("curriculum.map_elites.measures: expected features of transforms")


def test_a_folder_that_no_domain_asks_about_is_refused(tmp_path: Path) -> None:
    (line,) = faults(tmp_path, f"reading.folder={tmp_path}")
    assert line.startswith("reading.folder: expected the domain reading")


def test_presets_ask_alike_whatever_the_strategy() -> None:
    for name in presets():
        curriculum = load(name, [], RunConfig).curriculum
        own = curriculum.learnability.model_dump()
        assert {k: own[k] for k in type(curriculum.asking).model_fields} == curriculum.asking.model_dump()
