"""Which skills presuppose which, over the policy versions of runs.

    python -m benchmarks.ramp RUN RUN ... [--domain transforms] [--feature operations] [--every 1] [--far
    0.5]

Skills are the cells of the anchors, or with ``--feature`` the values of a complexity feature of the
problems that agents set. Learners are the evaluated versions, every so-manieth of each run: successive ones
resemble each other, so what is found with ``--every 1`` is surer of itself than it should be. It prints an
order in which each skill comes after all that it presupposes, and the edges with how sure they are
(``curricula.ramp``).
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path

import culture
from curricula.ramp import edges, of_cells, of_feature, order, ramp


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--domain", default="transforms")
    parser.add_argument("--feature")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--far", type=float, default=0.5)
    options = parser.parse_args()
    with ExitStack() as stack:
        logs = {folder.name: stack.enter_context(culture.connect(folder)) for folder in options.runs}
        outcomes = (
            of_feature(logs, options.domain, options.feature)
            if options.feature
            else of_cells(logs, options.domain)
        )
    kept: set[str] = set()
    for run in logs:
        mine = {o.learner for o in outcomes if o.learner.partition(" ")[0] == run}
        versions = sorted(mine, key=lambda name: (name.rpartition("@")[0], int(name.rpartition("@")[2])))
        kept.update(versions[:: options.every])
    outcomes = [o for o in outcomes if o.learner in kept]
    graph = ramp(outcomes, far=options.far)
    print(f"{len(kept)} learners of {len(logs)} runs, {len(graph)} skills")
    print("order: " + ", ".join(f"{s} ({graph.nodes[s]['success']:.0%})" for s in order(graph)))
    print("before      after       P(after | before)  P(after | not before)  ratio                 q")
    for e in edges(graph):
        ratio = f"{e.ratio:.2f} [{e.low:.2f}, {e.high:.2f}]"
        print(f"{e.before:<11} {e.after:<11} {e.with_:<18.2f} {e.without:<22.2f} {ratio:<21} {e.q:.2g}")


if __name__ == "__main__":
    main()
