"""What a warm-up teaches, by the roles that a policy plays."""

from __future__ import annotations

import pytest

from agents.config import WarmUpConfig
from agents.population import PopulationConfig
from arena.config import RunConfig
from arena.domains import make_domain
from arena.sandbox import Sandbox
from arena.settings import load
from arena.warm_up import _Lessons
from arena.workers import policy_roles
from culture.records import Role


@pytest.mark.parametrize("roles", [["proposer"], ["solver"], ["proposer", "solver"]])
def test_a_policy_is_taught_its_roles(sandbox: Sandbox, roles: list[Role]) -> None:
    config = WarmUpConfig(propose_share=0.5, read_share=0.2, solve_target=16.0)
    lessons = _Lessons(make_domain("transforms"), config, roles, "terse", sandbox, 0)
    assert {lessons.row()[0] for _ in range(200)} == set(roles)


def test_a_policy_has_the_roles_of_the_agents_that_use_it() -> None:
    apart = load("spark", [], RunConfig)
    assert (policy_roles(apart, "solver"), policy_roles(apart, "proposer")) == (["solver"], ["proposer"])
    shared = apart.model_copy(update={"population": PopulationConfig()})
    assert policy_roles(shared, "spark") == ["proposer", "solver"]


def test_reading_keeps_its_share_of_what_is_solved(sandbox: Sandbox) -> None:
    config = WarmUpConfig(propose_share=0.5, read_share=0.2)
    lessons = _Lessons(make_domain("transforms"), config, ["solver"], "terse", sandbox, 0)
    assert lessons.read_share == pytest.approx(0.4)
    both = _Lessons(make_domain("transforms"), config, ["proposer", "solver"], "terse", sandbox, 0)
    assert (both.propose_share, both.read_share) == (0.5, pytest.approx(0.4))
