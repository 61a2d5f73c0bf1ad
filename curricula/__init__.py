"""What to learn next: strategies that turn what happened into requests for problems."""

from curricula import ladder, learnability, uniform
from curricula.base import (
    Candidate,
    Fresh,
    Mutate,
    Replay,
    Request,
    Strategy,
    make_strategy,
    register,
    registered,
    tally,
)
from curricula.config import CurriculumConfig

__all__ = [
    "Candidate",
    "CurriculumConfig",
    "Fresh",
    "Mutate",
    "Replay",
    "Request",
    "Strategy",
    "ladder",
    "learnability",
    "make_strategy",
    "register",
    "registered",
    "tally",
    "uniform",
]
