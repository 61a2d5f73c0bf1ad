"""Tokens a second of the spark engine over ``transformers.generate``, side by side in one run.

Two workloads on the same model, prompts, sampling temperature and number of threads:

* *fixed*: every row is decoded to the same length, so no row can leave early;
* *mix*: the prompts of a real run and completions as long as that run's were. ``generate`` decodes a batch
  until its longest row is done; the engine lets finished rows go. Tokens counted are those up to each
  row's end, the same for both.

In the mix both sides are held to the recorded lengths by forcing the end token at each row's own step, so
the ratio is about decoding alone and not about what an untrained model would write.

    python benchmarks/spark_engine.py [RUN] [--rows 256] [--threads 1] [--repeats 5]

Without RUN, lengths are those of ``transforms`` over its anchor grid.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from transformers import LlamaForCausalLM, LogitsProcessor, LogitsProcessorList

import culture
from agents import checkpoints, spark
from agents.engines import spark as engine_module
from agents.engines.base import Request, Sampling
from agents.engines.spark import SparkEngine
from arena.domains import make_domain
from arena.domains.base import Solution
from culture.seeds import derive, generator


class _EndAt(LogitsProcessor):
    """Forces the end token at each row's own step and forbids it before."""

    def __init__(self, lengths: torch.Tensor, prompt: int) -> None:
        self.lengths, self.prompt = lengths, prompt

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return _held(scores, self.lengths, input_ids.shape[1] - self.prompt)


def _held(logits: torch.Tensor, lengths: torch.Tensor, step: int) -> torch.Tensor:
    end = lengths <= step + 1
    logits = logits.clone()
    logits[:, spark.EOS_ID] = -1e30
    logits[end] = -1e30
    logits[end, spark.EOS_ID] = 0.0
    return logits


def generate_tokens_per_second(
    model: LlamaForCausalLM, prompts: list[str], lengths: list[int], threads: int
) -> float:
    """``transformers.generate`` with sampling, left-padded, in one batch."""
    torch.set_num_threads(threads)
    longest = max(map(len, prompts))
    ids = torch.tensor([[spark.PAD_ID] * (longest - len(p)) + spark.encode(p) for p in prompts])
    mask = (ids != spark.PAD_ID).long()
    processors = LogitsProcessorList([_EndAt(torch.tensor(lengths), longest)])
    started = time.perf_counter()
    with torch.inference_mode():
        model.generate(
            ids,
            attention_mask=mask,
            max_new_tokens=max(lengths),
            do_sample=True,
            top_k=0,
            logits_processor=processors,
            pad_token_id=spark.PAD_ID,
            eos_token_id=spark.EOS_ID,
        )
    return sum(lengths) / (time.perf_counter() - started)


def engine_tokens_per_second(engine: SparkEngine, prompts: list[str], lengths: list[int]) -> float:
    """The engine, its choice of tokens held to the same lengths as ``generate`` is."""
    held = {derive(0, "bench", i): n for i, n in enumerate(lengths)}
    choose = engine_module._choose

    def choose_held(
        logits: torch.Tensor, temperature: float, seeds: np.ndarray, step: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        wanted = torch.tensor([held[int(s)] for s in seeds])
        return choose(_held(logits, wanted, step), temperature, seeds, step)

    requests = [Request(p, derive(0, "bench", i)) for i, p in enumerate(prompts)]
    engine_module._choose = choose_held
    try:
        started = time.perf_counter()
        done = engine.generate("bench", requests, Sampling(max(lengths)))
        seconds = time.perf_counter() - started
    finally:
        engine_module._choose = choose
    assert [len(c.token_ids) for c in done] == lengths
    return sum(lengths) / seconds


def grid_lengths(rows: int) -> tuple[list[str], list[int]]:
    """Prompts of ``transforms`` over the core grid and the lengths of their keys."""
    domain = make_domain("transforms")
    anchors = [a for a in domain.anchors(rows // 16 + 1) if a.cell in domain.core_cells]
    anchors = [anchors[i] for i in generator(0, "bench").permutation(len(anchors))[:rows]]
    prompts = [domain.pose(a.spec, "terse") for a in anchors]
    keys = [domain.key(a.spec, Solution(a.answer_key, a.worked, 0), "terse") for a in anchors]
    return prompts, [len(k) + 1 for k in keys]


def run_lengths(run: Path, rows: int) -> tuple[list[str], list[int]]:
    """Prompts and completion lengths of the attempts of a run, drawn evenly over its rounds."""
    with culture.connect(run) as connection:
        found = connection.execute(
            "SELECT prompt, len(token_ids) FROM attempts WHERE len(token_ids) > 0 "
            "ORDER BY attempt_id LIMIT ?",
            [rows],
        ).fetchall()
    return [p for p, _ in found], [int(n) for _, n in found]


def main() -> None:
    parser = argparse.ArgumentParser(description="spark engine against transformers.generate")
    parser.add_argument("run", nargs="?", type=Path)
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    model = (
        spark.new_model(0, layers=4, width=128, heads=4)
        if options.run is None
        else checkpoints.load_model(sorted((options.run / "checkpoints").glob("solver@*"))[-1])
    ).eval()
    engine = SparkEngine(batch_size=options.rows, threads=options.threads)
    engine.load_model("bench", model)
    prompts, lengths = (
        grid_lengths(options.rows) if options.run is None else run_lengths(options.run, options.rows)
    )
    same = ["RS1234567="] * len(prompts)
    workloads: list[tuple[str, list[str], list[int]]] = [
        ("fixed", same, [32] * len(same)),
        ("mix", prompts, lengths),
    ]
    print(f"rows {len(prompts)}, threads {options.threads}, parameters {model.num_parameters():,}")
    for name, asked, wanted in workloads:
        sides: list[Callable[[], float]] = [
            lambda asked=asked, wanted=wanted: engine_tokens_per_second(engine, asked, wanted),
            lambda asked=asked, wanted=wanted: generate_tokens_per_second(
                model, asked, wanted, options.threads
            ),
        ]
        for side in sides:
            side()  # warm-up
        ratios = []
        for _ in range(options.repeats):
            ours, theirs = (side() for side in sides)
            ratios.append((ours / theirs, ours, theirs))
        ratios.sort()
        ratio, ours, theirs = ratios[len(ratios) // 2]
        spread = f"{ratios[0][0]:.2f} to {ratios[-1][0]:.2f}"
        mean = statistics.mean(wanted)
        print(
            f"{name:>5}: {ratio:.2f} times generate (pairs {spread}); engine {ours:,.0f}, "
            f"generate {theirs:,.0f} tokens/s; mean length {mean:.1f}, longest {max(wanted)}"
        )


if __name__ == "__main__":
    main()
