"""Does it matter who can read whom?"""

from __future__ import annotations

from analysis.studies.base import Look, Prediction, Study
from analysis.studies.outcomes import effect, less, of

_EFFECT = effect("library", "none")

STUDY = Study(
    name="topology",
    claim="Where everyone reads everyone, the library helps more than where each reads two neighbours.",
    design=(
        "The preset craft with sixteen agents that all propose and solve, on four graphs: complete; a "
        "ring; connected caves of four; and the ring with a fifth of its edges rewired every two "
        "rounds. An agent reads what it and its neighbours wrote and attempts its neighbours' problems."
        " Compared is the library's effect within runs, library less none by lot. The claim is about "
        "complete and ring; the caves and the rewired ring are looked at beside it."
    ),
    preset="craft",
    settings=(
        "evaluation.every=15",
        "population.groups=[{name: pupil, count: 16, roles: [proposer, solver], policy: spark}]",
    ),
    conditions={
        "complete": ("population.topology={kind: complete}",),
        "ring": ("population.topology={kind: ring}",),
        "caveman": ("population.topology={kind: connected_caveman, clique_size: 4}",),
        "rewired": (
            "population.topology={kind: ring}",
            "population.changes={rewire: {every: 2, share: 0.2}}",
        ),
    },
    rounds=15,
    seeds=(441, 442, 443, 444),
    minutes=25,
    predictions=(
        Prediction("the library's effect: complete less ring", less("complete", "ring", _EFFECT), 2.0),
    ),
    looks=(
        Look("the library's effect: complete less caveman", less("complete", "caveman", _EFFECT)),
        Look("the library's effect: rewired less ring", less("rewired", "ring", _EFFECT)),
        Look("complete: library less none", of("complete", _EFFECT)),
        Look("ring: library less none", of("ring", _EFFECT)),
    ),
)
