"""Do those who come later gain from what those before them wrote?"""

from __future__ import annotations

from analysis.studies.base import Look, Prediction, Study
from analysis.studies.outcomes import effect, less, of

_LENGTH = 5
_AFTER = 10
_GENERATIONS = "population.generations={{every: 5, groups: [pupil], library: {}, teachers: {}}}"

STUDY = Study(
    name="generations",
    claim="Newcomers to worlds that others explored gain more from the library when they inherit it.",
    design=(
        "The preset craft over three generations of five rounds, of the solvers alone; weights go on, "
        "so that only what can be read changes hands. In one condition newcomers read what was written "
        "before them, and who retires writes lessons; in the other only notes that were begun since "
        "they came. What is compared is the library's effect within runs, library less none by lot, in "
        "the second and third generation."
    ),
    preset="craft",
    settings=("evaluation.every=15",),
    conditions={
        "inherited": (_GENERATIONS.format("inherited", "true"),),
        "cut_off": (_GENERATIONS.format("none", "false"),),
    },
    rounds=15,
    seeds=(431, 432, 433, 434, 435, 436),
    minutes=20,
    predictions=(
        Prediction(
            "the library's effect: inherited less cut_off",
            less("inherited", "cut_off", effect("library", "none", last=_AFTER)),
            2.0,
        ),
    ),
    looks=(
        Look("inherited: library less none", of("inherited", effect("library", "none", last=_AFTER))),
        Look("cut_off: library less none", of("cut_off", effect("library", "none", last=_AFTER))),
        Look(
            "the last generation: inherited less cut_off",
            less("inherited", "cut_off", effect("library", "none", last=_LENGTH)),
        ),
    ),
)
