"""Base models of a run: its own copy before their folder, what memory is counted, and what is advised."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from agents import checkpoints, models
from agents.engines.base import Completion, Sampling
from agents.vocabulary import vocabulary_of
from arena import bases
from arena.bases import VERSIONS_KEPT, BaseFault, prepare, vocabulary_for
from arena.config import RunConfig
from arena.run_files import CHECKPOINTS
from arena.workers import EngineWorker
from culture import embedding
from tests.agents import tiny

CONTEXT = 1024


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny.save(tmp_path_factory.mktemp("base") / "tiny")
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | {"max_position_embeddings": CONTEXT}))
    return folder


@pytest.fixture(autouse=True)
def anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test resolves its bases itself, on a machine with room for them and all packages."""
    as_if_begun_anew()
    monkeypatch.setattr(models, "available_gib", lambda: 1000.0)
    monkeypatch.setattr(bases, "find_spec", lambda name: name)


def as_if_begun_anew() -> None:
    """Forget what this process has read."""
    bases._resolved.cache_clear()
    vocabulary_of.cache_clear()


def config(folder: Path, **sections: Any) -> RunConfig:
    """A run whose policies are ``policies`` (each with the base in ``folder``), or one that is trained."""
    policies = sections.pop("policies", {"a": {}})
    sections["engine"] = {
        "kind": "torch",
        "context": CONTEXT,
        "form": "natural",
        **sections.get("engine", {}),
    }
    return RunConfig.model_validate(
        {
            "policies": {name: {"base": str(folder), **policy} for name, policy in policies.items()},
            "population": {
                "groups": [
                    {"name": name, "policy": name, "roles": ["proposer", "solver"]} for name in policies
                ]
            },
            **sections,
        }
    )


# -- a run's own copy ------------------------------------------------------------------------------------
def test_a_run_needs_its_base_only_until_it_has_version_0(base: Path, tmp_path: Path) -> None:
    mine, run = tmp_path / "mine", tmp_path / "run"
    shutil.copytree(base, mine)
    c = config(mine)
    prepare(c, run)  # nothing of the run is there yet
    asked = vocabulary_for(c, "a", run).prompt("12+34")
    (run / CHECKPOINTS).mkdir(parents=True)
    checkpoints.adopt(run / CHECKPOINTS / "a@0", mine)

    shutil.rmtree(mine)  # as a hub's id that has come to name other files
    tiny.save(mine, template="{% for m in messages %}{{ m['content'] }}{% endfor %}")
    as_if_begun_anew()
    assert vocabulary_for(c, "a", run).prompt("12+34") == asked
    assert len(vocabulary_for(c, "a").prompt("12+34")) == 5  # what is there now

    shutil.rmtree(mine)  # or none
    as_if_begun_anew()
    with pytest.raises(BaseFault, match=r"policies\.a: expected a folder or a \.gguf file"):
        prepare(c)
    prepare(c, run)
    assert vocabulary_for(c, "a", run).prompt("12+34") == asked


def test_a_run_s_own_copy_has_to_fit_too(base: Path, tmp_path: Path) -> None:
    (tmp_path / CHECKPOINTS).mkdir()
    checkpoints.adopt(tmp_path / CHECKPOINTS / "a@0", base)
    with pytest.raises(BaseFault, match=r"expected engine\.context of at most 1024"):
        prepare(config(base, engine={"context": CONTEXT + 1}), tmp_path)


# -- packages --------------------------------------------------------------------------------------------
def test_how_a_missing_package_is_installed(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bases, "find_spec", lambda name: None)
    with pytest.raises(BaseFault) as caught:
        prepare(config(base, engine={"kind": "vllm"}))
    told = str(caught.value)
    assert told.startswith(
        "engine.kind: vllm: expected the package vllm to be installed, got none; in a clone"
    )
    makefile = Path(__file__).parents[2].joinpath("Makefile").read_text()
    for command in ("-c constraints.txt -e '.[cpu]'", "torchvision torchaudio torchcodec"):
        assert command in told
    assert "torchvision torchaudio torchcodec" in makefile
    assert "`pip install -e '.[cuda]'`" in told
    assert "ludus-arena[" not in told  # which is on no index


def test_the_package_of_a_search_by_meaning(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "PACKAGE", "no-such-model")
    prepare(config(base))
    with pytest.raises(BaseFault, match=r"^library\.search: expected the package no-such-model .*: bm25$"):
        prepare(config(base, library={"search": "fused"}))


# -- memory ----------------------------------------------------------------------------------------------
def counted(c: RunConfig, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What memory is estimated from, for each policy."""
    calls: list[dict[str, Any]] = []
    needed = models.needed_gib

    def told(shape: models.Shape, **how: Any) -> float:
        calls.append(how)
        return needed(shape, **how)

    monkeypatch.setattr(models, "needed_gib", told)
    prepare(c)
    return calls


FROZEN: dict[str, Any] = {"trained": False}
LORA: dict[str, Any] = {"lora": {}}


@pytest.mark.parametrize(
    ("kind", "policies", "expected"),
    [
        ("torch", [{}], [(2, 4)]),
        ("torch", [FROZEN], [(2, 1)]),
        ("torch", [FROZEN, FROZEN], [(2, 2), (0, 1)]),  # one engine, two versions
        ("torch", [FROZEN, LORA], [(2, 4), (0, 1)]),
        ("torch", [LORA, LORA], [(2, 4), (0, 1)]),
        ("vllm", [LORA], [(2, 1)]),
        ("vllm", [FROZEN, LORA], [(2, 1), (0, 1)]),
    ],
)
def test_engines_and_the_versions_that_they_hold(
    kind: str,
    policies: list[dict[str, Any]],
    expected: list[tuple[int, int]],
    base: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bases, "serves_adapters", lambda engine: False)
    named = dict(zip("abc", policies, strict=False))
    calls = counted(config(base, engine={"kind": kind}, policies=named), monkeypatch)
    assert [(c["engines"], c["versions"] if c["engines"] else 1) for c in calls] == expected


def test_weights_that_are_served_alone_have_engines_of_their_own(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bases, "serves_adapters", lambda engine: True)
    calls = counted(config(base, policies={"a": {}, "b": FROZEN, "c": LORA}), monkeypatch)
    assert [(c["engines"], c["versions"]) for c in calls] == [(2, 4), (2, 4), (0, 0)]


def test_a_run_in_one_process_has_one_engine(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [call] = counted(config(base, cluster={"local": True, "engines": 3}), monkeypatch)
    assert call["engines"] == 1


@pytest.mark.parametrize(
    ("learner", "expected"),
    [
        ({}, {"base_bytes": 4, "workers": 1, "shard": False, "holds_first": False}),
        ({"dtype": "bfloat16"}, {"base_bytes": 2}),
        ({"workers": 2}, {"workers": 2, "shard": False}),
        ({"workers": 2, "shard": True}, {"workers": 2, "shard": True}),
        ({"kl_to": "first"}, {"holds_first": False}),
        ({"kl_coefficient": 0.1}, {"holds_first": False}),
        ({"kl_to": "first", "kl_coefficient": 0.1}, {"holds_first": True}),
    ],
)
def test_learners(
    learner: dict[str, Any], expected: dict[str, Any], base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [call] = counted(config(base, learner=learner, policies={"a": LORA}), monkeypatch)
    assert call["trained"] == "lora"
    assert expected.items() <= call.items()


def test_too_little_memory_here(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "available_gib", lambda: 0.1)
    for cluster in ({}, {"local": True, "address": "auto"}):
        with pytest.raises(BaseFault, match=r"GiB of free memory to run .*tiny, got 0\.1 GiB"):
            prepare(config(base, cluster=cluster))
    # what another cluster has is not known here
    prepare(config(base, cluster={"address": "auto"}))
    # nor is anything asked for where all bases are made by the run
    prepare(RunConfig())


def test_an_engine_is_kept_to_the_versions_that_are_counted(base: Path, tmp_path: Path) -> None:
    kept: list[set[str]] = []

    class Keeping:
        def load(self, policy_version: str, path: Path) -> None: ...

        def forget(self, keep: set[str]) -> None:
            kept.append(keep)

        def generate(self, *asked: Any) -> list[Completion]:
            return []

    worker = EngineWorker(tmp_path, config(base))
    worker._engines[worker._place("a")] = Keeping()
    for number in range(VERSIONS_KEPT + 3):
        worker.generate(f"a@{number}", [], Sampling(temperature=1.0, max_tokens=1))
    assert [len(names) for names in kept] == [1, 2, 3, *[VERSIONS_KEPT] * 4]
