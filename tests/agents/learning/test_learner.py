"""The learner: what it trains, and that a version depends on its parent's files and its batch alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaForCausalLM

from agents import checkpoints, spark
from agents.config import LearnerConfig, LoraSettings
from agents.learning import learner as module
from agents.learning.learner import Learned, Learner
from agents.learning.packing import Tokens
from agents.learning.passes import Batch
from agents.learning.scoring import padded, score_padded
from agents.learning.trainee import Trainee
from agents.vocabulary import HubVocabulary, SparkVocabulary, vocabulary_of
from culture.records import BatchRow, Update
from tests.agents import tiny

CONFIG = LearnerConfig(lr=3e-3, warmup_steps=4, micro_batch_tokens=64, threads=1, weight_decay=0.0)


def row(index: int, prompt: str, completion: str, objective: str = "answer_key") -> BatchRow:
    ids = spark.encode(completion + spark.EOS)
    return BatchRow(
        batch_id="b",
        round=0,
        row=index,
        role="solver",
        objective=objective,
        source_kind="attempt",
        source_id=f"t{index}",
        group_id="g",
        prompt=prompt,
        completion=completion,
        token_ids=ids,
        logprobs=[-4.0 - 0.01 * i for i in range(len(ids))] if objective == "grpo" else [],
        weight=1.0,
        advantage=1.0 if index % 2 else -1.0,
    )


ROWS = [row(i, f"r:{'abc'[: 1 + i % 3]}=", "xyz"[: 1 + i % 3]) for i in range(24)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    model = spark.new_model(0, layers=1, width=32, heads=2)
    checkpoints.save(tmp_path / "p@0", model, None, 0)
    return tmp_path


def train(
    learner: Learner, root: Path, number: int, rows: Sequence[BatchRow] = ROWS, *, to: str = ""
) -> Learned:
    version = f"p@{number}"
    return learner.learn(
        policy="p",
        parent=f"p@{number - 1}",
        parent_path=root / f"p@{number - 1}",
        version=version,
        path=root / (to or version),
        rows=rows,
        lr=learner.config.lr,
    )


def tokens(r: BatchRow) -> Tokens:
    return Tokens(r.row, tuple(spark.encode(r.prompt)), tuple(r.token_ids))


def outcome(model: LlamaForCausalLM, rows: Sequence[BatchRow]) -> module.StepOutcome:
    """Figures of a step that changes nothing."""
    trainee = Trainee("p@0", model, torch.optim.SGD(model.parameters(), lr=0.0), 0)
    return module.train_rows(trainee, rows, CONFIG, 0.0)


def test_the_loss_goes_down(root: Path) -> None:
    learner = Learner(CONFIG, seed=0)
    means = []
    for number in range(1, 6):
        updates = train(learner, root, number).updates
        means.append(sum(u.loss * u.rows for u in updates) / sum(u.rows for u in updates))
    assert means[-1] < 0.5 * means[0]
    assert means == sorted(means, reverse=True)


def test_held_in_memory_or_loaded_the_weights_are_the_same(root: Path) -> None:
    kept = Learner(CONFIG, seed=0)
    first = train(kept, root, 1)
    held = train(kept, root, 2)
    fresh = train(Learner(CONFIG, seed=0), root, 2, to="again")
    assert held.accepted
    assert held.sha256 == fresh.sha256 == checkpoints.sha256(root / "p@2")
    assert first.sha256 != held.sha256
    # and the optimizer's state: the version after is the same too
    third = train(kept, root, 3)
    (root / "p@2").rename(root / "first")
    (root / "again").rename(root / "p@2")
    assert train(Learner(CONFIG, seed=0), root, 3, to="third").sha256 == third.sha256


def test_the_optimizer_matters_and_its_steps_go_on(root: Path) -> None:
    learner = Learner(CONFIG, seed=0)
    first, second = train(learner, root, 1), train(learner, root, 2)
    steps = [u.step for u in first.updates + second.updates]
    assert steps == list(range(1, len(steps) + 1))
    rates = [u.learning_rate for u in first.updates + second.updates]
    assert rates == pytest.approx([CONFIG.lr * min(1.0, s / 4) for s in steps])
    checkpoints.forget_optimizer(root / "p@1")
    lost = train(Learner(CONFIG, seed=0), root, 2, to="lost")
    assert lost.updates[0].step == 1
    assert lost.sha256 != second.sha256


def test_another_seed_shuffles_otherwise(root: Path) -> None:
    a, b = (train(Learner(CONFIG, seed=s), root, 1, to=f"s{s}") for s in (0, 1))
    assert a.sha256 != b.sha256


def test_the_order_of_the_rows_does_not_matter(root: Path) -> None:
    a = train(Learner(CONFIG, seed=0), root, 1, to="a")
    b = train(Learner(CONFIG, seed=0), root, 1, ROWS[::-1], to="b")
    assert a.sha256 == b.sha256


def test_weights_that_are_not_finite_refuse_the_version(root: Path) -> None:
    model = checkpoints.load_model(root / "p@0")
    with torch.no_grad():
        model.lm_head.weight[3, 0] = float("nan")
    digest = checkpoints.save(root / "p@1", model, None, 0)
    learner = Learner(CONFIG, seed=0)
    refused = train(learner, root, 2)
    assert not refused.accepted
    assert refused.reason is not None
    assert refused.reason.startswith("loss nan")
    assert len(refused.updates) == 1
    assert not (root / "p@2").exists()
    assert checkpoints.sha256(root / "p@1") == digest


def test_a_refusal_leaves_the_parent_as_it_was(root: Path) -> None:
    learner = Learner(CONFIG, seed=0)
    train(learner, root, 1)
    wild = row(0, "r:a=", "x", "grpo")
    wild = BatchRow(**{f: getattr(wild, f) for f in wild.__dataclass_fields__} | {"logprobs": [-1e4, -1e4]})
    refused = train(learner, root, 2, [*ROWS, wild])
    assert not refused.accepted
    assert not (root / "p@2").exists()
    # the parent in memory was trained on before the bad step came: it must not be gone on from
    after = train(learner, root, 2)
    clean = train(Learner(CONFIG, seed=0), root, 2, to="clean")
    assert after.sha256 == clean.sha256


def test_a_last_step_that_breaks_the_weights_refuses_too(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = torch.optim.AdamW.step

    def breaking(self: torch.optim.AdamW, *args: object) -> object:
        result = step(self, *args)
        with torch.no_grad():
            self.param_groups[0]["params"][0][0, 0] = float("inf")
        return result

    monkeypatch.setattr(torch.optim.AdamW, "step", breaking)
    refused = train(Learner(CONFIG, seed=0), root, 1, ROWS[:1])
    assert not refused.accepted
    assert refused.reason == "weights not finite after step 1"
    assert not (root / "p@1").exists()


def test_micro_batches_keep_to_the_budget() -> None:
    mixed = [
        row(i, "r:" + "a" * (i % 17) + "=", "b" * (i % 5), ("answer_key", "grpo")[i % 2]) for i in range(99)
    ]
    long = row(99, "a" * 90, "b")
    rows = [*mixed, long]
    steps = module.Batch(rows, SparkVocabulary(), CONFIG, packed=False).steps(
        module.generator(0, "shuffle")
    )
    batches = [[rows[t.row] for t in part.rows] for (part,) in steps]
    for batch in batches:
        width = max(len(r.prompt) + len(r.token_ids) for r in batch)
        assert len(batch) * width <= CONFIG.micro_batch_tokens or batch == [long]
        assert len({r.objective for r in batch}) == 1
    assert sorted(r.row for b in batches for r in b) == list(range(100))
    assert len(batches) < 60


def test_the_mask_covers_the_completion_alone() -> None:
    rows = [row(0, "r:abc=", "cba"), row(1, "ab", "")]
    ids, mask = padded([tokens(r) for r in rows], spark.PAD_ID)
    for i, r in enumerate(rows):
        # the target of place t is token t + 1
        assert ids[i, 1:][mask[i]].tolist() == r.token_ids
        assert int(mask[i].sum()) == len(r.token_ids)
        assert ids[i, : len(r.prompt)].tolist() == spark.encode(r.prompt)
    assert ids[1, 3:].tolist() == [spark.PAD_ID] * 7


def test_padding_and_company_do_not_change_the_loss(root: Path) -> None:
    model = checkpoints.load_model(root / "p@0")
    pair = [row(0, "r:abcdef=", "cba"), row(1, "ab", "x")]
    alone = [outcome(model, [r]) for r in pair]
    both = outcome(model, pair)
    tokens = [len(r.token_ids) for r in pair]
    expected = sum(o.loss * n for o, n in zip(alone, tokens, strict=True)) / sum(tokens)
    assert both.loss == pytest.approx(expected, abs=1e-5)
    assert both.tokens == sum(len(r.prompt) + len(r.token_ids) for r in pair)


def test_the_first_step_is_where_the_parent_was(root: Path) -> None:
    """KL from the parent is 0 before anything has moved, and above it after."""
    updates = train(Learner(CONFIG, seed=0), root, 1).updates
    assert updates[0].kl == pytest.approx(0.0, abs=1e-6)
    assert updates[-1].kl is not None
    assert updates[-1].kl > 1e-4


def test_grpo_uses_the_stored_log_probabilities(root: Path) -> None:
    model = checkpoints.load_model(root / "p@0")
    r = row(1, "r:abc=", "cba", "grpo")
    ids = torch.tensor([spark.encode(r.prompt) + r.token_ids])
    with torch.no_grad():
        scores = torch.log_softmax(model(ids).logits[0, len(r.prompt) - 1 : -1], -1)
        new = scores.gather(1, torch.tensor(r.token_ids)[:, None]).squeeze(1)
    ratio = (new - torch.tensor(r.logprobs)).exp()
    expected = -torch.minimum(ratio, ratio.clamp(0.8, 1.2)).mean()
    assert outcome(model, [r]).loss == pytest.approx(float(expected), abs=1e-5)


# -- adapters, packed rows, gathered steps ---------------------------------------------------------------
LORA = LoraSettings(rank=4, alpha=8.0)


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("chat") / "q@0")


def worded(chat: Path, count: int = 24, objective: str = "answer_key") -> list[BatchRow]:
    vocabulary = vocabulary_of(chat, chat=True)
    rows = []
    for i in range(count):
        completion = "answer " + "abc"[: 1 + i % 3]
        ids = vocabulary.completion(completion)
        made = row(i, f"say {'xyz'[i // 4 % 3]}", completion, objective)
        logprobs = [-2.0] * len(ids) if objective == "grpo" else []
        rows.append(replace(made, token_ids=ids, logprobs=logprobs))
    return rows


def teach(
    chat: Path, to: Path, config: LearnerConfig, rows: Sequence[BatchRow], **options: object
) -> Learned:
    settings = {"lora": LORA, "parent": "q@0", "parent_path": chat, **options}
    return Learner(config, seed=0).learn(
        policy="q",
        version=to.name,
        path=to,
        rows=rows,
        lr=1e-2,
        vocabulary=vocabulary_of(chat, chat=True),
        first=chat,
        **settings,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("step_rows", [None, 5, 100])
def test_a_step_has_one_objective(step_rows: int | None) -> None:
    rows = [
        row(i, f"r:{'abc'[: 1 + i % 3]}=", "xyz"[: 1 + i % 3], ("answer_key", "grpo")[i % 2])
        for i in range(24)
    ]
    config = CONFIG.model_copy(update={"step_rows": step_rows, "micro_batch_tokens": 24})
    steps = list(Batch(rows, SparkVocabulary(), config, packed=False).steps(np.random.default_rng(0)))
    found = [[rows[r.row] for part in step for r in part.rows] for step in steps]
    assert sorted(r.row for step in found for r in step) == list(range(24))
    assert all(len({r.objective for r in step}) == 1 for step in found)
    if step_rows:
        assert sum(len(step) < step_rows for step in found) <= 2


@pytest.mark.parametrize("lora", [LORA, None], ids=["adapters", "whole"])
def test_packed_rows_are_learned(chat: Path, tmp_path: Path, lora: LoraSettings | None) -> None:
    config = CONFIG.model_copy(update={"epochs": 12, "step_rows": 8, "micro_batch_tokens": 96})
    learned = teach(chat, tmp_path / "q@1", config, worded(chat), lora=lora)
    assert learned.accepted
    assert learned.updates[-1].loss < 0.6 * learned.updates[0].loss
    assert checkpoints.is_adapter(tmp_path / "q@1") == (lora is not None)
    if lora is None:
        assert isinstance(vocabulary_of(tmp_path / "q@1", chat=True), HubVocabulary)


def test_an_adapter_goes_on_from_its_parent(chat: Path, tmp_path: Path) -> None:
    rows = worded(chat)
    learner = Learner(CONFIG, seed=0)
    for number in (1, 2):
        learner.learn(
            policy="q",
            parent=f"q@{number - 1}",
            parent_path=chat if number == 1 else tmp_path / "q@1",
            version=f"q@{number}",
            path=tmp_path / f"q@{number}",
            rows=rows,
            lr=1e-2,
            vocabulary=vocabulary_of(chat, chat=True),
            lora=LORA,
            first=chat,
        )
    held = checkpoints.sha256(tmp_path / "q@2")
    again = tmp_path / "again" / "q@2"
    teach(chat, again, CONFIG, rows, parent="q@1", parent_path=tmp_path / "q@1")
    assert checkpoints.sha256(again) == held != checkpoints.sha256(tmp_path / "q@1")


def test_a_step_gathered_over_passes_is_the_step(chat: Path, tmp_path: Path) -> None:
    whole = CONFIG.model_copy(update={"step_rows": 24, "micro_batch_tokens": 4096})
    cut = whole.model_copy(update={"micro_batch_tokens": 70})
    for objective in ("answer_key", "grpo"):
        rows = worded(chat, objective=objective)
        a = teach(chat, tmp_path / f"a-{objective}" / "q@1", whole, rows)
        b = teach(chat, tmp_path / f"b-{objective}" / "q@1", cut, rows)
        assert len(a.updates) == len(b.updates) == 1
        assert a.updates[0].loss == pytest.approx(b.updates[0].loss, abs=1e-5)
        assert a.updates[0].grad_norm == pytest.approx(b.updates[0].grad_norm, rel=1e-4)
        assert a.updates[0].entropy == pytest.approx(b.updates[0].entropy, rel=1e-4)
        first, second = (
            load_file(tmp_path / f"{n}-{objective}" / "q@1" / "adapter_model.safetensors") for n in "ab"
        )
        # Adam's first step is a sign: where a gradient is about 0 rounding decides it
        for name, weight in first.items():
            assert ((weight - second[name]).abs() < 1e-4).float().mean() > 0.98, name


@pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to False:UserWarning")
@pytest.mark.parametrize(("family", "packed"), [("llama", True), ("gpt2", True), ("mistral", False)])
def test_rows_are_packed_where_that_changes_nothing(
    tmp_path: Path, family: tiny.Family, packed: bool
) -> None:
    base = tiny.save(tmp_path / "q@0", family=family)
    rows = worded(base, objective="grpo")
    config = CONFIG.model_copy(update={"step_rows": 24, "micro_batch_tokens": 200})
    learned = teach(base, tmp_path / "q@1", config, rows)
    trainee = Trainee.load("q@0", base, base, LORA, CONFIG, seed=0, packed=True)
    assert trainee.packed is packed
    vocabulary = vocabulary_of(base, chat=True)
    gaps = []
    for r in rows:
        alone = Tokens(0, tuple(vocabulary.prompt(r.prompt)), tuple(r.token_ids))
        with torch.no_grad():
            scored = score_padded(trainee.model, [alone], 0)
        gaps += (scored.logprobs[scored.mask] - torch.tensor(r.logprobs)).abs().tolist()
    assert learned.updates[0].sampling_gap == pytest.approx(sum(gaps) / len(gaps), rel=1e-4)


def test_what_adapters_drop_depends_on_the_version_alone(chat: Path, tmp_path: Path) -> None:
    lora = LORA.model_copy(update={"dropout": 0.3})
    config = CONFIG.model_copy(update={"micro_batch_tokens": 80, "importance_cap": 2.0})
    rows = worded(chat, objective="grpo")
    for name in "ab":
        torch.rand(3)
        teach(chat, tmp_path / name / "q@1", config, rows, lora=lora)
    dry = teach(chat, tmp_path / "c" / "q@1", config, rows)
    wet = teach(chat, tmp_path / "d" / "q@1", config, rows, lora=lora)
    digests = [checkpoints.sha256(tmp_path / name / "q@1") for name in "abcd"]
    assert digests[0] == digests[1] == digests[3] != digests[2]
    # the policy that sampled had nothing dropped
    assert wet.updates[0].sampling_gap == dry.updates[0].sampling_gap


@pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to False:UserWarning")
def test_a_model_s_own_dropout_is_off(tmp_path: Path) -> None:
    base = tiny.save(tmp_path / "q@0", family="gpt2")
    kept = CONFIG.model_copy(update={"step_rows": 24})
    again = kept.model_copy(update={"checkpointing": True})
    a, b = (teach(base, tmp_path / n / "q@1", c, worded(base)) for n, c in (("a", kept), ("b", again)))
    assert a.updates[0].loss == pytest.approx(b.updates[0].loss, rel=1e-6)


def test_activations_may_be_computed_again(chat: Path, tmp_path: Path) -> None:
    kept = CONFIG.model_copy(update={"step_rows": 24})
    again = kept.model_copy(update={"checkpointing": True})
    a = teach(chat, tmp_path / "a" / "q@1", kept, worded(chat))
    b = teach(chat, tmp_path / "b" / "q@1", again, worded(chat))
    assert a.updates[0].loss == b.updates[0].loss
    assert a.updates[0].grad_norm == pytest.approx(b.updates[0].grad_norm, rel=1e-5)


def test_the_gap_to_the_engine_is_stored(chat: Path, tmp_path: Path) -> None:
    rows = worded(chat, objective="grpo")
    plain = teach(chat, tmp_path / "a" / "q@1", CONFIG.model_copy(update={"micro_batch_tokens": 80}), rows)
    gaps = [u.sampling_gap for u in plain.updates]
    assert gaps[0] is not None and gaps[0] > 0.1 and set(gaps[1:]) == {None}
    capped = CONFIG.model_copy(update={"micro_batch_tokens": 80, "importance_cap": 2.0})
    gaps = [u.sampling_gap for u in teach(chat, tmp_path / "b" / "q@1", capped, rows).updates]
    assert None not in gaps and len(gaps) > 1


@pytest.mark.parametrize("lora", [LORA, None], ids=["adapters", "whole"])
def test_the_reference_is_the_first_version(chat: Path, tmp_path: Path, lora: LoraSettings | None) -> None:
    """Close to the base there is nothing to pay; far from it the penalty is in the loss."""
    rows = worded(chat, objective="grpo")
    free = CONFIG.model_copy(update={"step_rows": 24})
    held = free.model_copy(update={"kl_coefficient": 5.0, "kl_to": "first"})
    a, b = (teach(chat, tmp_path / n / "q@1", c, rows, lora=lora) for n, c in (("a", free), ("b", held)))
    assert a.updates[0].loss == pytest.approx(b.updates[0].loss, abs=1e-4)
    away = tmp_path / "a" / "q@1"
    far = {"parent": "q@1", "parent_path": away, "lora": lora}
    c, d = (teach(chat, tmp_path / n / "q@2", k, rows, **far) for n, k in (("c", free), ("d", held)))
    assert d.updates[0].loss > c.updates[0].loss + 1e-3


def test_a_loss_that_runs_away_is_refused(
    chat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def uphill(model: LlamaForCausalLM, config: LearnerConfig) -> torch.optim.Optimizer:
        return torch.optim.AdamW(model.parameters(), lr=config.lr, maximize=True)

    monkeypatch.setattr("agents.learning.trainee.new_optimizer", uphill)
    wild = CONFIG.model_copy(update={"epochs": 30, "divergence": 0.5})
    learned = teach(chat, tmp_path / "q@1", wild, worded(chat), lora=None)
    assert not learned.accepted and learned.reason is not None
    assert learned.reason.startswith("diverged: answer_key's mean loss rose from")
    assert not (tmp_path / "q@1").exists()
    steep = teach(chat, tmp_path / "q@2", wild, worded(chat, objective="grpo"), lora=None)
    assert steep.reason is not None
    assert steep.reason.startswith("diverged: grpo's mean distance from the policy that sampled rose from")


def test_objectives_are_not_measured_by_each_other() -> None:
    def step(loss: float) -> Update:
        return Update(
            batch_id="b",
            round=0,
            policy="p",
            policy_version="p@1",
            step=1,
            loss=loss,
            kl=None,
            entropy=0.0,
            grad_norm=1.0,
            clip_fraction=None,
            sampling_gap=None,
            learning_rate=1e-3,
            rows=1,
            tokens=1,
            seconds=0.0,
        )

    watch = module._Watch(3.0)
    assert [watch.seen(name, step(loss), None) for name, loss in [("grpo", 0.0), ("answer_key", 4.0)]] == [
        None,
        None,
    ]
    assert watch.seen("grpo", step(0.1), 0.2) is None
    assert watch.seen("answer_key", step(7.1), None) is not None
    assert watch.seen("grpo", step(0.1), 3.3) is not None
    assert watch.seen("grpo", step(float("nan")), None) is not None
