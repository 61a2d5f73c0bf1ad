"""What a warm-up teaches, by the roles that a policy plays."""

from __future__ import annotations

import pytest

from agents.config import WarmUpConfig
from agents.population import PopulationConfig
from arena.config import MOST_ANCHORS, RunConfig
from arena.domains import make_domain
from arena.sandbox import Sandbox
from arena.settings import load
from arena.warm_up import _Lessons
from culture.records import Role


@pytest.mark.parametrize("roles", [["proposer"], ["solver"], ["proposer", "solver"]])
def test_a_policy_is_taught_its_roles(sandbox: Sandbox, roles: list[Role]) -> None:
    config = WarmUpConfig(propose_share=0.5, solve_target=16.0)
    lessons = _Lessons(make_domain("transforms"), config, roles, "terse", sandbox, 0)
    assert {lessons.row(practice=False)[0] for _ in range(200)} == set(roles)


def test_a_policy_has_the_roles_of_the_agents_that_use_it() -> None:
    apart = load("spark", [], RunConfig)
    assert (apart.population.roles_of("solver"), apart.population.roles_of("proposer")) == (
        ["solver"],
        ["proposer"],
    )
    shared = apart.model_copy(update={"population": PopulationConfig()})
    assert shared.population.roles_of("spark") == ["proposer", "solver"]


def test_only_what_is_taught_is_executed(sandbox: Sandbox) -> None:
    config = WarmUpConfig(propose_share=1.0)
    for roles, pools in ((["proposer"], {"propose"}), (["solver"], {"read", "solve"})):
        lessons = _Lessons(make_domain("transforms"), config, roles, "terse", sandbox, 0)
        assert set(lessons.pools) == pools


def test_no_anchor_is_taught(sandbox: Sandbox) -> None:
    domain = make_domain("transforms")
    lessons = _Lessons(domain, WarmUpConfig(), ["proposer", "solver"], "terse", sandbox, 0)
    anchors = {a.spec for a in domain.anchors(MOST_ANCHORS)}
    # two operations on two characters: the mutations of one are often anchors
    (spec,) = [a.spec for a in domain.anchors(1) if a.cell == "2x2"]
    lessons.pools["propose"].items = [(spec, lessons.pools["propose"].items[0][1])]
    rows = [lessons.row(practice=False) for _ in range(3000)]
    mutations = [text for role, prompt, text in rows if role == "proposer" and prompt == f"{spec}>"]
    assert len(mutations) > 300
    assert not anchors & set(mutations)
    assert not anchors & {prompt.rstrip("=") for role, prompt, _ in rows if role == "solver"}


def test_a_domain_whose_mutations_are_all_anchors_ends_its_warm_up(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = make_domain("transforms")
    anchor = domain.anchors(1)[0].spec
    monkeypatch.setattr(domain, "mutate", lambda spec, rng: anchor)
    lessons = _Lessons(domain, WarmUpConfig(propose_share=1.0), ["proposer"], "terse", sandbox, 0)
    rows = [lessons.row(practice=False) for _ in range(40)]
    assert anchor not in {text for _, _, text in rows}
