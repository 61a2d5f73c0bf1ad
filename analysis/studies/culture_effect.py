"""Does a library help where nothing else can?"""

from __future__ import annotations

from analysis.studies.base import Look, Prediction, Study
from analysis.studies.outcomes import effect, gained, of

STUDY = Study(
    name="culture-effect",
    claim="In worlds that only trying and reading tell about, attempts that may read do better.",
    design=(
        "The preset craft. Whether an attempt may read is drawn by lot, so arms are compared within "
        "runs, by intention to treat: all attempts of the arm count, whatever they found. Two "
        "comparisons have to hold: with attempts that read nothing, and with those that read notes of "
        "equal length about other worlds, which shows that it is what the notes say."
    ),
    preset="craft",
    settings=("evaluation.every=30",),
    conditions={"craft": ()},
    rounds=30,
    seeds=(411, 412, 413, 414, 415, 416, 417, 418),
    minutes=25,
    predictions=(
        Prediction("success: library less none", of("craft", effect("library", "none")), 2.0),
        Prediction("success: library less placebo", of("craft", effect("library", "placebo")), 2.0),
    ),
    looks=(
        Look("success: placebo less none", of("craft", effect("placebo", "none"))),
        Look("last ten rounds: library less none", of("craft", effect("library", "none", last=10))),
        Look("held out, without notes: end less start", of("craft", gained)),
    ),
)
