"""Whole steps of GRPO a second over TRL's ``GRPOTrainer``, or tokens trained a second of the learner alone.

Both sides take SmolLM2-135M-Instruct through the same steps: 8 prompts, 8 completions each, a reward, one
step of AdamW on LoRA adapters of rank 16 on all linear layers, without a KL penalty, in bfloat16 where the
machine multiplies in it, else in float32. Prompts (their ids are compared), lengths, reward function and
learning rate are the same. Each side has a process of its own and all threads; they take turns, a step
each.

Ours is what a round does for such a step, with the round's own classes: the engine samples with the latest
version; completions are rewarded; rows are made and written as a Parquet file; the learner reads it,
trains, and saves the version with its optimizer state, synced to the disk and hashed; the engine merges the
new adapter into its weights (*publish*, done when it is next asked). All of that is counted. TRL's step is
from one ``on_step_end`` to the next, with its default sampling (``transformers.generate``), gradient
checkpointing off, and nothing saved or logged.

Ours is run twice: with rows of zero advantage left out, as is the default, and with all rows trained, as
TRL does. Each side's share of such rows is printed.

    python -m benchmarks.vs_trl [--steps 5] [--threads 2]
    python -m benchmarks.vs_trl --learner [--steps 5] [--threads 2]

With ``--learner`` the learner trains batches as it does in a run, saving aside, against a bare step of
transformers and peft: the same rows padded to a common length, logits of every token, masked cross-entropy,
clipping and AdamW. *shared* is a batch as of GRPO, groups of 8 that share a prompt; *apart* one of answer
keys, whose prompts all differ. Tokens are those of the prompts and completions of all rows, padding not
counted, on both sides the same.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")

import torch
from torch.nn.functional import cross_entropy

from agents import checkpoints, models
from agents.engines.base import Request, Sampling
from agents.engines.vllm import VllmEngine
from agents.learning.batches import Sample, rows_from, write_parquet
from agents.learning.learner import Learner
from agents.learning.trainee import Trainee
from agents.precision import native
from agents.vocabulary import Vocabulary
from arena.bases import vocabulary_for
from arena.config import RunConfig
from arena.domains import make_domain
from arena.domains.base import Solution
from arena.run_files import BATCHES, CHECKPOINTS, cache_folder
from arena.workers import EngineWorker, LearnerWorker, LearnOrder
from benchmarks.engine import POLICY, SMOLLM2, one_policy
from benchmarks.sides import Idle, Side, Spread
from culture.records import BatchRow
from culture.seeds import derive, generator

PROMPTS, GROUP, COMPLETION = 8, 8, 12
LR = 5e-4
DTYPE = native()
LORA = {"r": 16, "lora_alpha": 32, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}
PHASES = ("publish", "sample", "reward", "update", "save")


def reward(text: str) -> float:
    """The share of digits in an answer: within a group it is seldom the same."""
    return sum(c.isdigit() for c in text) / max(1, len(text))


def prompts(step: int) -> list[str]:
    """The problems of one step, as solvers are shown them."""
    rng = generator(0, "bench", "grpo", step)
    domain = make_domain("arithmetic")
    return [domain.pose(domain.sample(rng, 4.0), "natural") for _ in range(PROMPTS)]


def settings(threads: int, overrides: Sequence[str] = ()) -> RunConfig:
    """The preset, with one optimizer step a batch."""
    fixed = [
        "learner.solver={objective: grpo}",
        f"learner.step_rows={PROMPTS * GROUP}",
        "learner.epochs=1",
        "learner.warmup_steps=0",
        "engine.patterns=false",
        f"engine.dtype={DTYPE}",
        f"learner.dtype={DTYPE}",
        f"engine.threads={threads}",
        f"learner.threads={threads}",
    ]
    policy = {"base": SMOLLM2, "lora": {"rank": LORA["r"], "alpha": LORA["lora_alpha"]}}
    return one_policy("smollm2", policy, [*fixed, *overrides])


@dataclass(frozen=True, slots=True)
class Step:
    """What one step took and made."""

    seconds: float
    phases: dict[str, float]
    asked: list[list[int]]
    """The prompts as ids."""
    tokens: float
    """Mean length of a completion, in tokens."""
    zero: float
    """Share of rows whose advantage is 0."""


def ours(threads: int, skip: bool, folder: Path) -> Callable[[int], Step]:
    """A policy of a run, as far as a step concerns it."""
    config = settings(threads, [f"learner.skip_zero_advantage={str(skip).lower()}"])
    vocabulary = vocabulary_for(config, POLICY)
    (folder / CHECKPOINTS).mkdir(parents=True)
    (folder / BATCHES).mkdir()
    checkpoints.adopt(folder / CHECKPOINTS / f"{POLICY}@0", models.resolve(SMOLLM2, cache_folder()))
    engines, learner = EngineWorker(folder, config), LearnerWorker(folder, config)
    phases = dict.fromkeys(PHASES, 0.0)
    VllmEngine._serve = _timed(VllmEngine._serve, phases, "publish")  # type: ignore[method-assign]
    Trainee.save = _timed(Trainee.save, phases, "save")  # type: ignore[method-assign]

    def step(number: int) -> Step:
        phases.update(dict.fromkeys(PHASES, 0.0))
        clock = [time.perf_counter()]
        asked = [text for text in prompts(number) for _ in range(GROUP)]
        requests = [Request(text, derive(0, "bench", number, i)) for i, text in enumerate(asked)]
        done = engines.generate(f"{POLICY}@{number}", requests, Sampling(COMPLETION, 1.0, ""))
        clock.append(time.perf_counter())
        samples = [
            Sample(
                role="solver",
                domain="arithmetic",
                source_kind="attempt",
                source_id=str(i),
                group_id=str(i // GROUP),
                prompt=text,
                completion=c.text,
                token_ids=c.token_ids,
                logprobs=c.logprobs,
                reward=reward(c.text),
                policy=POLICY,
            )
            for i, (text, c) in enumerate(zip(asked, done, strict=True))
        ]
        rows = rows_from(
            samples,
            objective_name="grpo",
            batch_id=f"b{number}",
            round=number,
            first_row=0,
            config=config.learner,
            memory={},
        )
        write_parquet(rows, folder / BATCHES / f"{number}.parquet")
        clock.append(time.perf_counter())
        order = LearnOrder(
            POLICY, f"{POLICY}@{number}", f"{POLICY}@{number + 1}", f"{BATCHES}/{number}.parquet", 0
        )
        learned = learner.learn(order)
        clock.append(time.perf_counter())
        assert learned.accepted and len(learned.updates) == 1, learned.reason
        phases["sample"] = clock[1] - clock[0] - phases["publish"]
        phases["reward"] = clock[2] - clock[1]
        phases["update"] = clock[3] - clock[2] - phases["save"]
        used = sum(r.advantage != 0 for r in rows)
        return Step(
            clock[3] - clock[0],
            dict(phases),
            [vocabulary.prompt(text) for text in prompts(number)],
            sum(len(c.token_ids) for c in done) / len(done),
            1 - used / len(done),
        )

    return step


def _timed(call: Callable[..., Any], phases: dict[str, float], name: str) -> Callable[..., Any]:
    def timed(*args: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return call(*args, **named)
        finally:
            phases[name] += time.perf_counter() - started

    return timed


def trl(threads: int, steps: int, folder: Path) -> Callable[[int], Step]:
    """A GRPOTrainer that takes a step when it is asked to."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    base = models.resolve(SMOLLM2, cache_folder())
    tokenizer = AutoTokenizer.from_pretrained(base, padding_side="left")
    chats = [
        [{"role": "system", "content": ""}, {"role": "user", "content": text}]
        for step in range(steps)
        for text in prompts(step)
    ]
    asked, answered = Queue[int](), Queue[float]()
    seen: list[tuple[list[float], list[int]]] = []

    def rewarded(completions: list[Any], completion_ids: list[list[int]], **_: Any) -> list[float]:
        found = [reward(c[0]["content"]) for c in completions]
        seen.append((found, [len(ids) for ids in completion_ids]))
        return found

    class InTurn(TrainerCallback):
        started = 0.0

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self.wait()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            answered.put(time.perf_counter() - self.started)
            self.wait()

        def wait(self) -> None:
            asked.get()
            self.started = time.perf_counter()

    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(base, dtype=getattr(torch, DTYPE)),
        reward_funcs=rewarded,
        args=GRPOConfig(
            output_dir=str(folder),
            per_device_train_batch_size=PROMPTS * GROUP,
            num_generations=GROUP,
            max_completion_length=COMPLETION,
            max_steps=steps,
            learning_rate=LR,
            lr_scheduler_type="constant",
            adam_beta2=0.95,
            loss_type="grpo",
            beta=0.0,
            bf16=DTYPE == "bfloat16",
            use_cpu=not torch.cuda.is_available(),
            gradient_checkpointing=False,
            shuffle_dataset=False,
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_dict({"prompt": chats}),
        processing_class=tokenizer,
        peft_config=LoraConfig(**LORA),
        callbacks=[InTurn()],
    )

    def train() -> None:
        torch.set_num_threads(threads)
        trainer.train()

    Thread(target=train, daemon=True).start()

    def step(number: int) -> Step:
        asked.put(number)
        seconds = answered.get()
        rewards, lengths = seen[number]
        groups = [rewards[at : at + GROUP] for at in range(0, len(rewards), GROUP)]
        alike = sum(min(group) == max(group) for group in groups) / len(groups)
        ids = tokenizer.apply_chat_template(
            chats[number * PROMPTS : (number + 1) * PROMPTS], add_generation_prompt=True
        )["input_ids"]
        return Step(seconds, {}, ids, sum(lengths) / len(lengths), alike)

    return step


def steps_a_second(steps: int, threads: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with (
            Side("TRL", trl, threads, steps + 1, folder / "trl") as theirs,
            Side("skipping", ours, threads, True, folder / "skipping") as skipping,
            Side("all rows", ours, threads, False, folder / "all") as whole,
        ):
            sides = {side.name: side for side in (theirs, skipping, whole)}
            found: dict[str, list[Step]] = {name: [] for name in sides}
            idle = Idle()
            for number in range(steps + 1):
                names = list(sides)
                for name in names[number % 3 :] + names[: number % 3]:
                    with idle.watching(*(sides[other].pid for other in names if other != name)):
                        found[name].append(sides[name].ask(number))
                last = [found[name][-1] for name in names]
                assert all(step.asked == last[0].asked for step in last), "prompts differ"
    lengths = [len(ids) for step in found["TRL"] for ids in step.asked]
    print(
        f"{PROMPTS} prompts of {min(lengths)} to {max(lengths)} tokens x {GROUP} completions of at most "
        f"{COMPLETION}, {threads} threads, {steps} steps after one that is not counted; "
        f"whoever waited took {idle.share:.0%} of a core at most"
    )
    trl_steps = found.pop("TRL")[1:]
    _row("TRL", trl_steps)
    for name, every in found.items():
        mine = every[1:]
        _row(name, mine)
        ratios = [b.seconds / a.seconds for a, b in zip(mine, trl_steps, strict=True)]
        medians = {p: statistics.median(step.phases[p] for step in mine) for p in PHASES}
        print(f"  {Spread.of(ratios)} times TRL's steps a second; seconds: ", end="")
        print(", ".join(f"{name} {seconds:.2f}" for name, seconds in medians.items()))


def _row(name: str, steps: Sequence[Step]) -> None:
    seconds = Spread.of([step.seconds for step in steps])
    tokens = statistics.mean(step.tokens for step in steps)
    zero = statistics.mean(step.zero for step in steps)
    print(
        f"{name:>9}: {seconds} s a step; completions of {tokens:.1f} tokens, {zero:.0%} of advantages zero",
        flush=True,
    )


STEP_ROWS = {"shared": PROMPTS * GROUP, "apart": 32}


def batch(kind: str, number: int, vocabulary: Vocabulary) -> list[BatchRow]:
    """The rows of a step: completions of 12 tokens to 8 prompts, or worked keys of as many problems."""
    rng = generator(0, "bench", kind, number)
    shared = kind == "shared"
    found: list[tuple[str, str, list[int]]] = []
    if shared:
        for text in prompts(number):
            found += [(text, "", rng.integers(1000, 40000, COMPLETION).tolist()) for _ in range(GROUP)]
    else:
        for domain in (make_domain(name) for name in ("arithmetic", "transforms")):
            anchors = [a for a in domain.anchors(16) if a.cell in domain.core_cells]
            for at in rng.permutation(len(anchors))[: STEP_ROWS[kind] // 2]:
                a = anchors[at]
                key = domain.key(a.spec, Solution(a.answer_key, a.worked, 0), "natural")
                found.append((domain.pose(a.spec, "natural"), key, vocabulary.completion(key)))
    return [
        BatchRow(
            batch_id=f"b{number}",
            round=0,
            row=i,
            role="solver",
            objective="grpo" if shared else "answer_key",
            source_kind="attempt",
            source_id=str(i),
            group_id=str(i // GROUP),
            prompt=prompt,
            completion=text,
            token_ids=ids,
            logprobs=[-10.0] * len(ids) if shared else [],
            weight=1.0,
            advantage=float(rng.normal()) if shared else 1.0,
        )
        for i, (prompt, text, ids) in enumerate(found[j] for j in rng.permutation(len(found)))
    ]


def learner(kind: str, threads: int, folder: Path) -> Callable[[int], tuple[float, int]]:
    """The learner as in a run: seconds of a batch without saving it, and its tokens."""
    config = settings(threads, [f"learner.step_rows={STEP_ROWS[kind]}"])
    base = models.resolve(SMOLLM2, cache_folder())
    vocabulary = vocabulary_for(config, POLICY)
    learner = Learner(config.learner, seed=0)
    saving = {"save": 0.0}
    Trainee.save = _timed(Trainee.save, saving, "save")  # type: ignore[method-assign]

    def train(number: int) -> tuple[float, int]:
        rows = batch(kind, number, vocabulary)
        saving["save"] = 0.0
        started = time.perf_counter()
        learned = learner.learn(
            policy=POLICY,
            parent=f"{POLICY}@{number}",
            parent_path=base if number == 0 else folder / str(number),
            version=f"{POLICY}@{number + 1}",
            path=folder / str(number + 1),
            rows=rows,
            lr=LR,
            vocabulary=vocabulary,
            lora=config.policies[POLICY].lora,
            first=base,
        )
        seconds = time.perf_counter() - started - saving["save"]
        assert learned.accepted, learned.reason
        return seconds, learned.trained_tokens

    return train


def bare(kind: str, threads: int) -> Callable[[int], tuple[float, int]]:
    """A step of transformers and peft on padded rows: seconds of a batch, and its tokens."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    config = settings(threads)
    vocabulary = vocabulary_for(config, POLICY)
    torch.set_num_threads(threads)
    base = models.resolve(SMOLLM2, cache_folder())
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base, dtype=getattr(torch, DTYPE)), LoraConfig(**LORA)
    ).to(device)
    model.eval()  # without dropout, of which there is none
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=LR, betas=(0.9, 0.95), weight_decay=0.0, fused=True)

    def step(rows: Sequence[tuple[list[int], list[int]]]) -> None:
        width = max(len(prompt) + len(completion) for prompt, completion in rows)
        ids = torch.full((len(rows), width), vocabulary.pad)
        labels = torch.full((len(rows), width), -100)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for i, (prompt, completion) in enumerate(rows):
            end = len(prompt) + len(completion)
            ids[i, :end] = torch.tensor(prompt + completion)
            labels[i, len(prompt) : end] = ids[i, len(prompt) : end]
            mask[i, :end] = 1
        ids, labels, mask = (t.to(device) for t in (ids, labels, mask))
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=DTYPE == "bfloat16"):
            logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
            loss = cross_entropy(logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()

    def train(number: int) -> tuple[float, int]:
        rows = batch(kind, number, vocabulary)
        started = time.perf_counter()
        pairs = [(vocabulary.prompt(r.prompt), list(r.token_ids)) for r in rows]
        step(pairs)
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started, sum(len(p) + len(c) for p, c in pairs)

    return train


def tokens_a_second(steps: int, threads: int) -> None:
    for kind in STEP_ROWS:
        with (
            tempfile.TemporaryDirectory() as scratch,
            Side("learner", learner, kind, threads, Path(scratch)) as mine,
            Side("bare", bare, kind, threads) as theirs,
        ):
            idle, ratios, rates = Idle(), [], []
            for number in range(steps + 1):
                took = {}
                for side, other in ((mine, theirs), (theirs, mine))[:: 1 if number % 2 else -1]:
                    with idle.watching(other.pid):
                        took[side.name] = side.ask(number)
                (ours, tokens), (other, same) = took["learner"], took["bare"]
                assert tokens == same, f"expected {same} tokens, got {tokens}"
                if number:
                    ratios.append(other / ours)
                    rates.append((tokens / ours, tokens / other))
        own, others = (statistics.median(rate[k] for rate in rates) for k in (0, 1))
        print(
            f"{kind:>7}: {Spread.of(ratios)} times bare transformers and peft; learner {own:,.0f}, bare "
            f"{others:,.0f} tokens/s; {STEP_ROWS[kind]} rows of {tokens / STEP_ROWS[kind]:.1f} tokens, "
            f"{threads} threads; whoever waited took {idle.share:.0%} of a core at most",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="steps of GRPO against TRL, or the learner alone")
    parser.add_argument("--learner", action="store_true", help="tokens trained a second instead")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    (tokens_a_second if options.learner else steps_a_second)(options.steps, options.threads)


if __name__ == "__main__":
    main()
