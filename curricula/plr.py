"""Prioritized Level Replay (Jiang et al. 2021, arXiv 2010.03934).

Some requests are for new problems, the rest for replays, drawn with (1-ρ)·norm(rank^(-1/β)) +
ρ·norm(staleness) by what they were worth when last attempted: the L1 value loss, mean |A|, which with
rewards of 0 and 1 is 2p(1-p). The paper draws new levels blindly: ``asking.targeted: false``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from curricula.base import Candidate, Floats, register
from curricula.config import CurriculumConfig, PlrConfig, SharesConfig
from curricula.kernels import l1_value_loss
from curricula.selecting import Remembering, counts


class Replaying(Remembering):
    """New problems and replays, without variations."""

    fades: ClassVar[bool] = False

    def __init__(self, config: CurriculumConfig, section: PlrConfig, domains: Sequence[str]) -> None:
        new = 1 - section.replay_share
        shares = SharesConfig(fresh_share=new, mutate_share=0.0, replay_share=section.replay_share)
        super().__init__(config.asking, domains, shares=shares, sampler=section.sampler)


@register
class Plr(Replaying):
    """Replays of problems whose attempts came out otherwise than their mean."""

    name: ClassVar[str] = "plr"

    def __init__(self, config: CurriculumConfig, domains: Sequence[str]) -> None:
        super().__init__(config, config.plr, domains)

    def score(self, candidates: Sequence[Candidate]) -> Floats:
        """2p(1-p), estimated without bias, (n,); NaN with fewer than 2 attempts."""
        return l1_value_loss(*counts(candidates))
