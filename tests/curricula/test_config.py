import pytest
from pydantic import BaseModel, ValidationError

from culture.seeds import generator
from curricula import CurriculumConfig, Fresh, config, make_strategy, register, registered
from curricula.learnability import Learnability
from curricula.simulate import attempt, problem


def test_defaults_are_valid_and_survive_dumping():
    config = CurriculumConfig()
    assert config.strategy == "learnability"
    assert CurriculumConfig.model_validate(config.model_dump(mode="json")) == config


MODELS = sorted(n for n in config.__all__ if n.endswith("Config"))


@pytest.mark.parametrize("model", [getattr(config, n) for n in MODELS])
def test_every_field_is_documented(model: type[BaseModel]):
    assert [n for n, f in model.model_fields.items() if not f.description] == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"strategy": "learnabilty"}, "got 'learnabilty'; write 'learnability'"),
        ({"strategy": "zzz"}, "expected a strategy among accel, .*, uniform, got 'zzz'; write one of them"),
        ({"learnability": {"fresh_share": 0.5}}, "= 1, got 1.1; write all three"),
        ({"learnability": {"start_target": 0.5}}, "got start_target = 0.5; raise it or lower"),
        ({"learnability": {"start_targets": {"a": 0.5}}}, "got a = 0.5; raise it or lower"),
        ({"learnability": {"buffer_size": 0}}, "greater than or equal to 1"),
        ({"learnability": {"spread": float("nan")}}, "finite number"),
        ({"learnability": {"sampler": {"temperature": 0}}}, "greater than 0"),
        (
            {"ladder": {"levels": [3, 2]}},
            r"expected levels that rise, got \[3.0, 2.0\]; write \[2.0, 3.0\]",
        ),
        ({"ladder": {"up": 0.2, "down": 0.3}}, "expected down < up, got down = 0.3 and up = 0.2"),
        ({"ladder": {"factor": 1.0}}, "greater than 1"),
        ({"settings": {"x": 1}}, "got x; write its settings under 'learnability'"),
        ({"strategy": "uniform", "settings": {"x": 1}}, "nowhere: it has none"),
        ({"learnabilty": {}}, "Extra inputs are not permitted"),
        ({"strategy": "plr", "settings": {"x": 1}}, "got x; write its settings under 'plr'"),
        ({"strategy": "spice", "settings": {"x": 1}}, "got x; write its settings under 'asking'"),
        ({"by_domain": {"craft": "prl"}}, "for by_domain.craft, got 'prl'; write 'plr'"),
        ({"strategy": "paired"}, "antagonist = None and protagonist = None; write both under 'paired'"),
        (
            {"strategy": "paired", "paired": {"antagonist": "p", "protagonist": "p"}},
            "antagonist = p and protagonist = p",
        ),
        ({"by_domain": {"craft": "paired"}}, "expected two policies of solvers for the strategy 'paired'"),
        (
            {"strategy": "bandit", "bandit": {"strategies": ["plr", "uniformly"]}},
            "for bandit.strategies, got 'uniformly'; write 'uniform'",
        ),
        ({"strategy": "bandit", "bandit": {"strategies": ["plr"]}}, "at least 2 items"),
        (
            {"strategy": "bandit", "bandit": {"strategies": ["plr", "bandit"]}},
            "expected other strategies than 'bandit' in bandit.strategies, each once, got plr, bandit",
        ),
        ({"strategy": "bandit", "bandit": {"strategies": ["plr", "plr"]}}, "each once, got plr, plr"),
        (
            {"strategy": "bandit", "bandit": {"strategies": ["plr", "accel"]}},
            "must not depend on the round, got accel; take it out",
        ),
        ({"accel": {"fresh_share": 0.5}}, "= 1, got 1.3; write all three"),
        ({"asking": {"start_target": 0.5}}, "got start_target = 0.5; raise it or lower"),
        ({"poet": {"low": 0.9, "high": 0.1}}, "expected low < high, got low = 0.9 and high = 0.1"),
        ({"r_zero": {"low": 0.5, "high": 0.5}}, "expected low < high"),
        ({"map_elites": {"measures": {}}}, "at least 1 item"),
        ({"alp_gmm": {"window": 10, "most_gaussians": 10}}, "most_gaussians below window = 10,.* write 5"),
        ({"azr": {"variant": "blog"}}, "'paper' or 'code'"),
    ],
)
def test_mistakes_are_refused_with_what_to_write(settings, message):
    with pytest.raises(ValidationError, match=message):
        CurriculumConfig.model_validate(settings)


def test_start_targets_must_name_domains_of_the_run():
    config = CurriculumConfig.model_validate({"learnability": {"start_targets": {"b": 3.0}}})
    with pytest.raises(ValueError, match="start_targets for a, got b"):
        make_strategy(config, ["a"])


@pytest.mark.parametrize("domains", [[], ["a", "a"]])
def test_domains_are_some_and_each_once(domains):
    with pytest.raises(ValueError, match="expected at least one domain, each once"):
        make_strategy(CurriculumConfig(), domains)


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="expected a new strategy name, got 'learnability'"):
        register(Learnability)


def test_a_registered_class_is_made_by_name_and_gets_its_settings(monkeypatch):
    monkeypatch.setattr("curricula.base._registry", {})

    @register
    class Mine(Learnability):
        name = "mine"

        def __init__(self, config, domains):
            super().__init__(config, domains)
            self.depth = config.settings["depth"]

    assert registered() == ["mine"]
    made = make_strategy(CurriculumConfig(strategy="mine", settings={"depth": 3}), ["a"])
    assert isinstance(made, Mine) and made.depth == 3


def test_uniform_selects_nothing():
    strategy = make_strategy(CurriculumConfig(strategy="uniform"), ["a", "b"])
    problems = [problem("p", "a", 0, 3.0)]
    strategy.observe(problems, [attempt("p", "a", 0, 0, True)])
    requests = strategy.request(7, generator(0, "r"))
    assert set(requests) == {Fresh("a", None), Fresh("b", None)} and len(requests) == 7
    with pytest.raises(ValueError, match="expected a domain among a, b"):
        strategy.observe([problem("p", "c", 0, 3.0)], [])


def test_all_shipped_strategies_are_registered_and_no_other():
    assert set(registered()) == config.SHIPPED


def test_names_that_are_used():
    plain = CurriculumConfig(strategy="plr", by_domain={"a": "azr", "b": "plr"})
    assert set(plain.used()) == {"plr", "azr"}
    drawn = CurriculumConfig.model_validate(
        {
            "strategy": "ladder",
            "by_domain": {"a": "bandit"},
            "bandit": {"strategies": ["irt_targeted", "plr"]},
        }
    )
    assert set(drawn.used()) == {"ladder", "bandit", "irt_targeted", "plr"}
    unused = CurriculumConfig.model_validate({"bandit": {"strategies": ["later", "plugged in"]}})
    assert set(unused.used()) == {"learnability"}


def test_a_plug_in_may_be_one_of_several_and_has_settings(monkeypatch):
    monkeypatch.setattr("curricula.base._registry", {"mine": Learnability, "ladder": Learnability})
    made = CurriculumConfig(strategy="ladder", by_domain={"a": "mine"}, settings={"depth": 3})
    assert made.settings == {"depth": 3}
