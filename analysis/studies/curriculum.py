"""Does choosing what to learn next carry the learning?"""

from __future__ import annotations

from analysis.studies.base import Look, Prediction, Study
from analysis.studies.outcomes import gained, held_out, less, of

STUDY = Study(
    name="curriculum",
    claim="Learnability as the curriculum teaches more in equal rounds than no selection does.",
    design=(
        "The preset spark as it is, against the strategy uniform, under which proposers write what they"
        " like, every valid new problem is admitted and paid alike, and nothing is varied or replayed. "
        "All else is equal: warm-up, rounds, problems and attempts a round, the solver's objective. The"
        " runs have thirty rounds, not fifty, over which the learning rate falls. Beside the claim: "
        "proposers that stay as the warm-up left them."
    ),
    preset="spark",
    settings=("evaluation.every=30",),
    conditions={
        "learnability": (),
        "uniform": ("curriculum.strategy=uniform",),
        "frozen_proposer": ("policies.proposer.trained=false",),
    },
    rounds=30,
    seeds=(401, 402, 403, 404, 405),
    minutes=30,
    predictions=(
        Prediction("held out: learnability less uniform", less("learnability", "uniform", held_out), 5.0),
    ),
    looks=(
        Look(
            "held out: learnability less frozen_proposer", less("learnability", "frozen_proposer", held_out)
        ),
        Look("learnability: end less start", of("learnability", gained)),
        Look("uniform: end less start", of("uniform", gained)),
    ),
)
