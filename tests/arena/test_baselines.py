"""Moving averages of rewards go on from round to round, over a resume, and over a round played again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents import checkpoints, spark
from arena import run as run_module
from arena.cluster import Cluster
from arena.config import RunConfig
from arena.librarian import Librarian
from arena.pools import LocalPool
from arena.round import Progress
from arena.run import Run
from arena.settings import load
from arena.verifier import Verifier
from arena.workers import LearnerWorker
from culture import connect
from tests.arena.scripted import SMALL, Failing, ScriptedEngine

DECAY = 0.9


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripted engines, and a learner that loses every batch: what moves on is the averages alone."""

    def opened(at: Path, config: RunConfig) -> Cluster:
        learner = LocalPool(lambda: LearnerWorker(at, config), [])
        return Cluster(
            LocalPool(ScriptedEngine, []),
            LocalPool(lambda: Verifier(config), []),
            LocalPool(lambda: Librarian(at, config), []),
            Failing(learner, lambda method, n: method == "learn"),
            folder=at,
            config=config,
            noticed=[],
        )

    monkeypatch.setattr(run_module, "open_cluster", opened)


def created(folder: Path) -> Run:
    """A run of one round."""
    base = folder.parent / "base"
    checkpoints.save(base, spark.new_model(0, layers=1, width=16, heads=2), None, 0)
    overrides = [f"policies.{name}.base={base}" for name in ("solver", "proposer")]
    overrides += [f"learner.{name}.objective=rae" for name in ("solver", "proposer")]
    overrides += [f"learner.rae_decay={DECAY}", "rounds=1", "rollout.problems=8"]
    return Run.create(folder, load("tiny", [*SMALL, *overrides], RunConfig))


def worked_out(folder: Path) -> tuple[dict[str, float], list[dict[str, float]]]:
    """The advantage of every sample in the log, and the averages after each round, with a plain loop."""
    attempts = """
        SELECT attempt_id, split_part(policy_version, '@', 1) || '/' || domain || '/solver', reward
        FROM attempts WHERE verdict <> 'error' AND round = ? ORDER BY rowid
    """
    proposals = """
        SELECT problem_id, split_part(policy_version, '@', 1) || '/' || domain || '/proposer', payment
        FROM problems WHERE payment IS NOT NULL AND origin = 'policy' AND reason IS DISTINCT FROM 'anchor'
        AND round = ? ORDER BY rowid
    """
    averages: dict[str, float] = {}
    advantages: dict[str, float] = {}
    left = []
    with connect(folder) as log:
        for number in log.execute("SELECT round FROM rounds ORDER BY round").fetchall():
            for query in (attempts, proposals):
                for name, task, reward in log.execute(query, number).fetchall():
                    before = averages.get(task, 0.0)
                    advantages[name] = reward - before
                    averages[task] = DECAY * before + (1 - DECAY) * reward
            left.append(dict(averages))
    return advantages, left


def test_averages_go_on_over_rounds_a_resume_and_a_round_played_again(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run = created(folder)
    run.play()
    run.close()
    _, (first,) = worked_out(folder)
    assert set(first) == {"solver/transforms/solver", "proposer/transforms/proposer"}
    assert run.state.baselines == pytest.approx(first)
    kept = dict(run.state.baselines)

    run = Run.open(folder, rounds=2)
    assert run.state.baselines == kept

    def stop(progress: Progress) -> None:
        if progress.phase == "evaluate":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.play(stop)
    assert run.state.baselines == kept
    run.play()
    run.close()

    # every advantage in the log is of the average that all earlier samples left
    advantages, left = worked_out(folder)
    with connect(folder) as log:
        stored = dict(log.execute("SELECT source_id, advantage FROM batch_rows").fetchall())
        roles = log.execute("SELECT DISTINCT role FROM batch_rows WHERE round = 1 ORDER BY role").fetchall()
        states = log.execute("SELECT state FROM rounds ORDER BY round").fetchall()
    assert roles == [("proposer",), ("solver",)]
    assert stored == pytest.approx({name: a for name, a in advantages.items() if name in stored})
    assert [json.loads(state)["baselines"] for (state,) in states] == [pytest.approx(a) for a in left]
    assert left[0] != left[1]
    assert run.state.baselines == pytest.approx(left[1])
