"""A tutor asks a policy version of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from arena import tutoring
from arena.cluster import Cluster
from arena.config import RunConfig
from arena.librarian import Librarian
from arena.pools import LocalPool
from arena.run import Run
from arena.run_names import Wrong
from arena.settings import load
from arena.tutoring import latest, pupil
from arena.verifier import Verifier
from arena.workers import LearnerWorker
from culture import connect
from curricula.ability import evaluated, standings_of
from curricula.tutor import Tutor
from tests.arena.scripted import ScriptedEngine, play


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return play(tmp_path_factory.mktemp("tutored") / "run", ["rounds=2", "evaluation.per_cell=2"])


def stored(folder: Path, version: str) -> dict[str, bool]:
    with connect(folder) as log:
        answers = [e for e in evaluated(log, "transforms") if e.policy_version == version]
    return {e.anchor_id: e.right for e in answers}


def test_it_answers_as_when_it_was_evaluated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(at: Path, config: RunConfig) -> Cluster:
        noticed: list[str] = []
        pools = {
            "engines": LocalPool(ScriptedEngine, noticed),
            "verifiers": LocalPool(lambda: Verifier(config), noticed),
            "librarian": LocalPool(lambda: Librarian(at, config), noticed),
            "learner": LocalPool(lambda: LearnerWorker(at, config), noticed),
        }
        return Cluster(**pools, folder=at, config=config, noticed=noticed)

    monkeypatch.setattr(tutoring, "open_cluster", opened)
    version = latest(folder)
    assert version == "solver@2"
    right = stored(folder, version)
    with connect(folder) as log:
        scale = standings_of(log, "transforms").scale
    with pupil(folder, version, "transforms") as answer:
        tutor = Tutor(scale, standard_error=0.9)
        tutor.test(answer)
        told = {name: answer(scale.item(name)) for name in tutor.asked}
    assert told == {name: right[name] for name in tutor.asked}
    assert 0 < len(tutor.asked) < len(scale.items)


def test_what_cannot_be_asked_is_refused(folder: Path) -> None:
    with (
        pytest.raises(Wrong, match=r"a domain of the run \('transforms'\), got 'craft'"),
        pupil(folder, "solver@1", "craft"),
    ):
        pass
    with (
        pytest.raises(Wrong, match=r"weights are in .* got 'solver@9'"),
        pupil(folder, "solver@9", "transforms"),
    ):
        pass
    with pytest.raises(Wrong, match="got 'nobody@0'"), pupil(folder, "nobody@0", "transforms"):
        pass


@pytest.mark.slow
def test_a_real_engine_answers_as_when_it_was_evaluated(tmp_path: Path) -> None:
    sets = ["cluster.local=true", "rounds=2", "domains=[transforms]", "evaluation.per_cell=4"]
    run = Run.create(tmp_path / "run", load("tiny", sets, RunConfig))
    try:
        run.play()
    finally:
        run.close()
    version = latest(run.folder)
    right = stored(run.folder, version)
    with connect(run.folder) as log:
        scale = standings_of(log, "transforms").scale
    with pupil(run.folder, version, "transforms") as answer:
        assert {i.item_id: answer(i) for i in scale.items} == right
