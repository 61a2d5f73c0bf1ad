"""What keeps proposers that are trained on what they wrote from writing nothing of use?"""

from __future__ import annotations

from analysis.studies.base import Look, Prediction, Study
from analysis.studies.outcomes import less, of, valid_and_new

_LAST, _FIRST = valid_and_new(-10), valid_and_new(0, 1)

STUDY = Study(
    name="collapse",
    claim="Proposers that imitate what they wrote collapse unless execution decides what they imitate.",
    design=(
        "Proposers of the preset spark write problems without a target and imitate what they are paid "
        "for, at a rate thirty times that of the preset, so that forty rounds are a long time; solvers "
        "are small and untrained, for their success pays nobody here. Two guards decide what is paid: "
        "execution (curriculum.invalid_payment is below 0: what is no problem is not imitated) and "
        "novelty (curriculum.duplicate_payment is 0: nor is what was there before). Conditions: both, "
        "either one alone, neither, and a frozen proposer. Two more guards of the preset are off in "
        "all: the domain's operator writes no problems (rollout.operator_share), and the rate is not "
        "small. What is rejected is admitted in no condition. The outcome is the share of what the "
        "policy writes that is a problem and was none before, in the last ten rounds."
    ),
    preset="spark",
    settings=(
        "curriculum.strategy=uniform",
        "policies.solver={base: spark, layers: 1, width: 32, heads: 1, trained: false}",
        "policies.proposer.lr=1.0e-3",
        "learner.final_lr=1.0",
        "rollout.problems=256",
        "rollout.attempts=1",
        "rollout.operator_share=0",
        "rollout.notes_written=0",
        "rollout.arms={none: 1.0}",
        "evaluation={every: 40, per_cell: 1}",
    ),
    conditions={
        "guarded": (),
        "no_execution": ("curriculum.invalid_payment=1.0",),
        "no_novelty": ("curriculum.duplicate_payment=1.0",),
        "unguarded": ("curriculum.invalid_payment=1.0", "curriculum.duplicate_payment=1.0"),
        "frozen": ("policies.proposer.trained=false",),
    },
    rounds=40,
    seeds=(451, 452, 453, 454),
    minutes=15,
    predictions=(
        Prediction("valid and new: guarded less unguarded", less("guarded", "unguarded", _LAST), 15.0),
        Prediction(
            "valid and new: guarded less no_execution", less("guarded", "no_execution", _LAST), 15.0
        ),
    ),
    looks=(
        Look("valid and new: guarded less no_novelty", less("guarded", "no_novelty", _LAST)),
        Look("valid and new: guarded less frozen", less("guarded", "frozen", _LAST)),
        Look("guarded, valid and new in the last ten rounds", of("guarded", _LAST)),
        Look("unguarded, valid and new in the last ten rounds", of("unguarded", _LAST)),
        Look("guarded, valid and new in the first round", of("guarded", _FIRST)),
    ),
)
