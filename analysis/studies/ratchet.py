"""Does culture ratchet: do generations with a library get further than without, and than one lifetime?"""

from __future__ import annotations

from analysis.studies.base import Look, Prediction, Study
from analysis.studies.outcomes import held_out, less, success

_LENGTH = 4
_GENERATIONS = (
    "population.generations={{every: 4, groups: [pupil], weights: fresh, library: {}, teachers: {}}}"
)

STUDY = Study(
    name="ratchet",
    claim="With a library, a third generation is more able than one without, and than one long life.",
    design=(
        "Small runs on string transformations, three generations of four rounds: all solvers retire and"
        " newcomers start from the first weights. With the library they read what was written before "
        "them, lessons of their teachers too; without, no note from before them. In the lifetime nobody"
        " retires, with equal compute (Cook et al. 2024; Caldwell and Millen 2008). Proposers are "
        "frozen and nothing is selected, so that conditions of a seed get the very same problems. "
        "Success is that of attempts that may read, in the last generation."
    ),
    preset="tiny",
    settings=(
        "domains=[transforms]",
        "rollout.problems=96",
        "rollout.arms={library: 0.5, none: 0.5}",
        "rollout.notes_written=24",
        "rollout.hard_below=1.0",
        "curriculum.strategy=uniform",
        "policies.proposer.trained=false",
        "evaluation={every: 12, per_cell: 6}",
        "sleep.every=0",
        "warm_up.propose_target=8.0",  # within reach of a short life
    ),
    conditions={
        "library": (_GENERATIONS.format("inherited", "true"),),
        "none": (_GENERATIONS.format("none", "false"),),
        "lifetime": (),
    },
    rounds=12,
    seeds=(421, 422, 423, 424, 425, 426),
    minutes=12,
    predictions=(
        Prediction("success: library less none", less("library", "none", success("library", _LENGTH)), 2.0),
        Prediction(
            "success: library less lifetime", less("library", "lifetime", success("library", _LENGTH)), 2.0
        ),
    ),
    looks=(
        Look("held out, without notes: library less none", less("library", "none", held_out)),
        Look("held out, without notes: library less lifetime", less("library", "lifetime", held_out)),
        Look("held out, without notes: none less lifetime", less("none", "lifetime", held_out)),
    ),
)
