"""A round from end to end, with a scripted engine: what it stores is consistent, whatever is configured."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from scipy.stats import chisquare

from agents.config import CLIPPED
from analysis.identical import differences
from arena.domains.transforms import Transforms
from arena.run import Run
from culture import connect
from culture.effect import culture_effect
from culture.worth import worths
from curricula import registered
from tests.arena.consistency import check_log
from tests.arena.domains import text_games
from tests.arena.scripted import ScriptedEngine, play

text_games.register()


def ask(folder: Path, sql: str) -> list[tuple[object, ...]]:
    with connect(folder) as log:
        return log.execute(sql).fetchall()


def one(folder: Path, sql: str) -> float:
    ((value,),) = ask(folder, sql)
    return value  # type: ignore[return-value]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four rounds with sleep, mutations and replays."""
    overrides = ["rounds=4", "sleep.every=2", "rollout.notes_written=16", "rollout.operator_share=0.5"]
    return play(tmp_path_factory.mktemp("whole") / "run", overrides)


def test_the_log_is_consistent(whole: Path) -> None:
    check_log(whole)


def test_everything_happened(whole: Path) -> None:
    tables = ("problems", "attempts", "reads", "notes", "revisions", "citations", "batches", "batch_rows")
    for table in (*tables, "updates", "evaluations", "measures", "policies", "agents", "runs"):
        assert one(whole, f"SELECT count(*) FROM {table}") > 0, table
    assert ask(whole, "SELECT round FROM rounds ORDER BY round") == [(0,), (1,), (2,), (3,)]
    verdicts = {v for (v,) in ask(whole, "SELECT DISTINCT verdict FROM attempts")}
    assert verdicts == {"correct", "wrong", "malformed"}
    reasons = {r for (r,) in ask(whole, "SELECT DISTINCT reason FROM problems")}
    assert {None, "anchor", "invalid:unfinished"} < reasons
    origins = {o for (o,) in ask(whole, "SELECT DISTINCT origin FROM problems")}
    assert origins == {"policy", "mutation"}
    assert one(whole, "SELECT count(*) FROM attempts WHERE replay") > 0
    assert {a for (a,) in ask(whole, "SELECT DISTINCT arm FROM reads")} == {"library", "placebo"}


def test_evaluations_are_of_every_anchor(whole: Path) -> None:
    rounds = ask(whole, "SELECT round, policy_version, count(*) FROM evaluations GROUP BY ALL ORDER BY ALL")
    assert [r for r, _, _ in rounds] == [0, 0, 1, 3]
    assert rounds[0][1] == "solver@0"
    assert len({n for _, _, n in rounds}) == 1


def test_versions_form_a_chain(whole: Path) -> None:
    for policy in ("solver", "proposer"):
        chain = ask(
            whole, f"SELECT policy_version, parent FROM policies WHERE policy = '{policy}' ORDER BY version"
        )
        for (version, _), (_, parent) in pairwise(chain):
            assert parent == version
    # learning four times and sleeping twice
    assert one(whole, "SELECT max(version) FROM policies WHERE policy = 'solver'") in (5, 6)


def test_sleep_teaches_without_the_notes_what_was_read(tmp_path: Path) -> None:
    # every attempt reads, so that the rows of the log name those that slept
    shares = 'rollout.arms={"library": 1.0}'
    folder = play(tmp_path / "run", [shares, "rounds=4", "sleep.every=2", "learner.every=5"])
    slept = ask(
        folder,
        "SELECT r.prompt, a.prompt, r.completion, a.completion, a.correct FROM batch_rows r "
        "JOIN attempts a ON r.source_id = a.attempt_id",
    )
    assert slept
    for bare, shown, taught, said, correct in slept:
        assert correct
        assert taught == said
        assert str(shown).endswith(f"\n{bare}")
        assert "\n" not in str(bare)
    assert len(slept) == one(
        folder,
        "SELECT count(*) FROM attempts a WHERE correct AND round IN (1, 3) AND EXISTS "
        "(FROM reads r WHERE r.attempt_id = a.attempt_id)",
    )


def test_problems_are_told_apart_by_their_identities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def identity(spec: object) -> str:
        return f"{str(spec)[0]}, {len(str(spec))} characters"

    monkeypatch.setattr(Transforms, "identity", lambda self, spec: identity(spec))
    folder = play(tmp_path / "run", ["rounds=2", "evaluation.per_cell=1"])
    rows = ask(folder, "SELECT spec, status, reason FROM problems WHERE answer_key IS NOT NULL")
    admitted = [identity(spec) for spec, status, _ in rows if status == "admitted"]
    assert admitted and len(set(admitted)) == len(admitted)
    again = {spec for spec, _, reason in rows if reason == "duplicate"}
    assert again - {spec for spec, status, _ in rows if status == "admitted"}
    noted = Run.open(folder)
    noted.close()
    assert noted.state.seen == {("transforms", identity(spec)) for spec, *_ in rows}
    # of rounds that noted none they are found out again
    monkeypatch.setattr("arena.state._identities", lambda lake: {})
    found_out = Run.open(folder)
    found_out.close()
    assert found_out.state.seen == noted.state.seen


def test_arms_are_drawn_with_their_shares(tmp_path: Path) -> None:
    shares = {"library": 0.5, "none": 0.2, "placebo": 0.3}
    folder = play(
        tmp_path / "run",
        [f"rollout.arms={shares}".replace("'", '"'), "rollout.attempts=16", "learner.every=9", "rounds=2"],
    )
    counts = dict(ask(folder, "SELECT arm, count(*) FROM attempts GROUP BY arm"))
    n = sum(counts.values())  # type: ignore[arg-type]
    assert n > 400
    assert chisquare([counts[a] for a in shares], [n * s for s in shares.values()]).pvalue > 1e-3


def test_notes_are_worth_reading(whole: Path) -> None:
    """What is shown is in the prompt, above the problem, and fits."""
    rows = ask(
        whole,
        "SELECT a.prompt, v.body FROM reads r JOIN attempts a USING (attempt_id) "
        "JOIN revisions v USING (revision_id) WHERE r.arm = 'library'",
    )
    assert rows
    for prompt, body in rows:
        assert str(body) in str(prompt).split("\n")[:-1]
        assert len(str(prompt)) <= 120
    with_none = ask(whole, "SELECT prompt FROM attempts WHERE arm = 'none'")
    assert all("\n" not in str(p) for (p,) in with_none)


@pytest.mark.parametrize(
    "objective",
    [
        "answer_key",
        "grpo",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("rejection", "trr_pp")),
    ],
)
def test_objectives_for_both_roles(tmp_path: Path, objective: str) -> None:
    overrides = [f"learner.{role}.objective={objective}" for role in ("solver", "proposer")]
    folder = play(tmp_path / "run", [*overrides, "sleep.every=0"])
    check_log(folder)
    roles = ask(folder, "SELECT DISTINCT role, objective FROM batch_rows ORDER BY role")
    assert roles == [("proposer", objective), ("solver", objective)]
    clipped = one(folder, "SELECT count(*) FROM updates WHERE clip_fraction IS NOT NULL")
    if objective in CLIPPED:
        rows = ask(folder, "SELECT len(token_ids), len(logprobs) FROM batch_rows")
        assert all(n == m for n, m in rows)
        assert clipped > 0
    else:
        assert clipped == 0
    assert one(folder, "SELECT count(*) FROM policies WHERE accepted") > 2


def test_what_is_no_problem_is_imitated_under_the_request_it_answered(tmp_path: Path) -> None:
    paid = ["curriculum.strategy=learnability", "curriculum.invalid_payment=1.0", "rounds=1"]
    folder = play(tmp_path / "run", [*paid, "learner.proposer.objective=answer_key"])
    rows = ask(
        folder,
        "SELECT b.prompt = p.prompt, b.completion = p.text FROM batch_rows b JOIN problems p "
        "ON p.problem_id = b.source_id WHERE b.role = 'proposer' AND p.spec IS NULL",
    )
    assert rows and set(rows) == {(True, True)}
    check_log(folder)


def test_rejection_trains_on_right_answers_as_they_were_given(tmp_path: Path) -> None:
    folder = play(tmp_path / "run", ["learner.solver.objective=rejection", "sleep.every=0"])
    rows = ask(
        folder,
        "SELECT a.correct, a.completion = b.completion, a.prompt = b.prompt FROM batch_rows b "
        "JOIN attempts a ON a.attempt_id = b.source_id WHERE b.role = 'solver'",
    )
    assert rows
    assert set(rows) == {(True, True, True)}


OTHERS = sorted(set(registered()) - {"ladder", "uniform", "learnability", "accel", "paired"})


@pytest.mark.parametrize(
    "strategy",
    ["ladder", "uniform", "learnability", *(pytest.param(n, marks=pytest.mark.slow) for n in OTHERS)],
)
def test_strategies(tmp_path: Path, strategy: str) -> None:
    folder = play(tmp_path / "run", [f"curriculum.strategy={strategy}"])
    check_log(folder)
    assert one(folder, "SELECT min(admitted) FROM rounds") > 0


def test_proposers_are_paid_the_regret_between_two_policies(tmp_path: Path) -> None:
    overrides = [
        "curriculum.by_domain={transforms: paired}",
        "curriculum.paired={antagonist: old, protagonist: solver}",
        f"policies.old.base={tmp_path / 'base'}",
        "policies.old.trained=false",
        "population.groups=[{name: author, roles: [proposer], policy: proposer},"
        " {name: pupil, count: 2, roles: [solver], policy: solver},"
        " {name: elder, count: 2, roles: [solver], policy: old}]",
        "learner.every=9",
        "rounds=2",
    ]
    folder = play(tmp_path / "run", overrides)
    check_log(folder)
    ((n, paid, off),) = ask(
        folder,
        """
        WITH told AS (
            SELECT problem_id, any_value(payment) AS payment,
                max(correct::INT) FILTER (WHERE a.policy_version LIKE 'old@%') AS best,
                avg(correct::INT) FILTER (WHERE a.policy_version LIKE 'solver@%') AS mean
            FROM problems p JOIN attempts a USING (problem_id, round) GROUP BY problem_id
        )
        SELECT count(*), count(*) FILTER (WHERE payment > 0), max(abs(payment - greatest(0, best - mean)))
        FROM told
        """,
    )
    assert n > paid > 0 and off < 1e-12


def test_robust_plr_trains_on_replays_alone_after_a_resume_too(tmp_path: Path) -> None:
    overrides = ["curriculum.strategy=robust_plr", "rounds=4", "learner.solver.rehearsal=1"]
    whole, cut = play(tmp_path / "whole", overrides), play(tmp_path / "cut", overrides, stops=[2, 3])
    assert differences(whole, cut) == []
    rows = ask(
        whole,
        "SELECT a.replay, b.round > a.round, count(*) > 0 FROM batch_rows b "
        "JOIN attempts a ON a.attempt_id = b.source_id WHERE b.role = 'solver' GROUP BY ALL ORDER BY ALL",
    )
    assert rows == [(True, False, True), (True, True, True)]  # rehearsed ones among them


@pytest.mark.slow
@pytest.mark.parametrize("strategy", sorted(set(registered()) - {"paired"}))
def test_every_strategy_goes_on_where_it_was_cut_off(tmp_path: Path, strategy: str) -> None:
    overrides = [f"curriculum.strategy={strategy}", "curriculum.alp_gmm.window=20"]
    whole, cut = play(tmp_path / "whole", overrides), play(tmp_path / "cut", overrides, stops=[1, 2])
    assert differences(whole, cut) == []


def test_shuffled_notes_and_doses(tmp_path: Path) -> None:
    overrides = [
        'rollout.arms={"library": 0.4, "none": 0.2, "shuffled": 0.4}',
        "rollout.dose=uniform", "rollout.notes=3", "engine.prompt_chars=190", "rounds=4",
    ]  # fmt: skip
    folder = play(tmp_path / "run", overrides)
    check_log(folder)
    doses = ask(folder, "SELECT arm, dose, count(*) FROM attempts GROUP BY ALL ORDER BY ALL")
    assert {(arm, dose) for arm, dose, _ in doses} == {
        ("none", 0), *((arm, dose) for arm in ("library", "shuffled") for dose in (1, 2, 3))
    }  # fmt: skip
    drawn = [n for arm, _, n in doses if arm != "none"]
    assert chisquare(drawn[:3]).pvalue > 1e-3 and chisquare(drawn[3:]).pvalue > 1e-3
    shown = "SELECT attempt_id, count(*) AS n FROM reads GROUP BY attempt_id"
    assert (
        one(folder, f"SELECT count(*) FROM attempts JOIN ({shown}) USING (attempt_id) WHERE n > dose") == 0
    )
    assert one(folder, "SELECT max(dose) FROM attempts JOIN reads USING (attempt_id)") == 3

    # readers of a problem are shown the same notes, and shuffled ones those of another problem
    shown = (
        "(SELECT problem_id, a.round, a.arm, note_id FROM reads r JOIN attempts a USING (attempt_id) "
        "WHERE rank = 0)"
    )
    same = (
        f"SELECT avg((s.note_id = l.note_id)::INT) FROM {shown} s JOIN {shown} l "
        "USING (problem_id, round) WHERE l.arm = 'library' AND s.arm = "
    )
    assert one(folder, f"{same}'library'") > 0.9
    assert one(folder, f"{same}'shuffled'") < 0.5


def test_the_library_s_effect_is_measured_as_it_goes(whole: Path) -> None:
    """Stored for the rounds that were evaluated, over the rounds before them."""
    rounds = ask(
        whole, "SELECT DISTINCT round FROM measures WHERE name = 'effect/library-none' ORDER BY round"
    )
    due = ask(whole, "SELECT DISTINCT round FROM evaluations WHERE round > 0 ORDER BY round")
    assert rounds == due and due
    (last,) = due[-1]
    with connect(whole) as log:
        found = next(e for e in culture_effect(log, domain="transforms", rounds=range(int(str(last)))))
        by_shelf = worths(log, "shelf")
    value, low, n = ask(
        whole,
        "SELECT value, low, n FROM measures WHERE name = 'effect/library-none' AND domain = 'transforms' "
        f"AND round = {last}",
    )[0]
    assert (value, low, n) == (found.difference, found.low, found.treated + found.controls)
    assert by_shelf and one(whole, "SELECT count(*) FROM measures WHERE name = 'worth/shelf/public'") > 0


def test_lookups_show_what_they_found(tmp_path: Path) -> None:
    overrides = ["rollout.lookups=2", "rollout.notes=6", "engine.prompt_chars=160", "rounds=3"]
    folder = play(tmp_path / "run", overrides, engine=lambda: ScriptedEngine(lookups=True))
    check_log(folder)
    turns = dict(ask(folder, "SELECT turns, count(*) FROM attempts WHERE arm = 'library' GROUP BY turns"))
    assert set(turns) == {1, 2, 3}
    assert one(folder, "SELECT max(turns) FROM attempts WHERE arm <> 'library'") == 1
    # asked more often than it may, a question is an answer that cannot be read
    assert (
        one(folder, "SELECT count(*) FROM attempts WHERE completion LIKE '?%' AND verdict <> 'malformed'")
        == 0
    )
    rows = ask(
        folder,
        "SELECT any_value(a.prompt), list(v.body) FROM reads r JOIN attempts a USING (attempt_id) "
        "JOIN revisions v USING (revision_id) WHERE a.turns > 1 GROUP BY a.attempt_id",
    )
    assert rows
    for prompt, bodies in rows:
        assert set(bodies) <= set(str(prompt).split("\n")[:-1])  # type: ignore[call-overload]


def test_the_natural_form(tmp_path: Path) -> None:
    overrides = ["engine.prompt_chars=206", "engine.answer_tokens=48", "rounds=2"]
    folder = play(tmp_path / "run", overrides, engine=lambda: ScriptedEngine("natural"), form="natural")
    check_log(folder)
    assert ask(folder, "SELECT DISTINCT form FROM attempts") == [("natural",)]
    assert one(folder, "SELECT count(*) FROM attempts WHERE correct") > 0
    assert one(folder, "SELECT count(*) FROM notes") > 0


class Player:
    """Proposes seeds and guesses digits, some of them none."""

    def generate(self, version, requests, sampling):  # type: ignore[no-untyped-def]
        from agents import spark
        from agents.engines.base import Completion
        from culture.seeds import generator

        done = []
        for r in requests:
            rng = generator(r.seed, "player", r.prompt)
            game = r.prompt.startswith(("guess", "higher", "lower", "at"))
            text = str(rng.integers(9)) if game else f"seed={rng.integers(50)}"
            ids = spark.encode(text + "\n")
            done.append(Completion(text, ids, [-1.0] * len(ids), len(r.prompt), version, "stop"))
        return done


@pytest.mark.parametrize("game", ["GuessText-v0", "CorridorText-v0"])
def test_a_third_party_environment_is_a_domain(tmp_path: Path, game: str) -> None:
    overrides = [
        f'domains=["gym:{game}"]',
        "learner.solver.objective=grpo",
        "learner.proposer.objective=grpo",
    ]
    folder = play(tmp_path / "run", overrides, engine=Player)
    check_log(folder)
    assert one(folder, "SELECT max(turns) FROM attempts") > 1
    assert one(folder, "SELECT count(*) FROM attempts WHERE correct") > 0
    assert one(folder, "SELECT count(*) FROM batch_rows WHERE role = 'solver'") > 0
    assert one(folder, "SELECT count(*) FROM evaluations") > 0
    if game == "CorridorText-v0":  # it breaks where one walks off to the left
        broken = ask(folder, "SELECT DISTINCT failure_source FROM attempts WHERE failure LIKE '%fell off%'")
        assert broken == [("verifier",)]


def test_two_domains_and_one_shared_policy(tmp_path: Path) -> None:
    groups = '[{"name": "pupil", "count": 3, "roles": ["proposer", "solver"], "policy": "solver"}]'
    proposer = '{"name": "author", "roles": ["proposer"], "policy": "proposer"}'
    folder = play(
        tmp_path / "run",
        [f"population.groups={groups[:-1]}, {proposer}]", "domains=[transforms, arithmetic]", "rounds=2"],
    )
    check_log(folder)
    roles = ask(
        folder,
        "SELECT DISTINCT role FROM batch_rows r JOIN batches b USING (batch_id) "
        "WHERE b.policy = 'solver' ORDER BY role",
    )
    assert roles == [("proposer",), ("solver",)]


def test_a_policy_that_is_not_trained_stays(tmp_path: Path) -> None:
    folder = play(tmp_path / "run", ["policies.proposer.trained=false", "rounds=2"])
    assert ask(folder, "SELECT policy_version FROM policies WHERE policy = 'proposer'") == [("proposer@0",)]


def test_the_same_seed_gives_the_same_log(tmp_path: Path) -> None:
    a, b = (play(tmp_path / name, []) for name in ("a", "b"))
    assert differences(a, b) == []
    assert (a / "batches").exists()


def test_the_comparison_finds_what_differs(tmp_path: Path) -> None:
    a = play(tmp_path / "a", ["rounds=1"])
    b = play(tmp_path / "b", ["rounds=1", "seed=1"])
    c = play(tmp_path / "c", ["rounds=2"])
    found = differences(a, b)
    assert any(line.startswith("problems: ") for line in found)
    assert any(line.startswith("runs: row 0, seed: 0 and 1") for line in found)
    assert "rounds: 1 rows and 2" in differences(a, c)
