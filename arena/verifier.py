"""Judges what models write, by execution. Its process needs no model, so nothing here imports torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from arena.config import RunConfig
from arena.domains import Domain
from arena.envs import Episode, SolveEnv
from arena.proposals import Judged, judge
from arena.rechecking import Checked, recheck
from arena.sandbox import Sandbox
from culture.edits import Kind
from culture.records import Verdict


@dataclass(frozen=True, slots=True)
class Stepped:
    """An episode after an action: the next observation, or how it ended."""

    observation: str
    done: bool
    answer: str | None
    verdict: Verdict | None
    reward: float
    failure: str | None
    opponent: bool = False
    """Whether it is the turn of the solver's opponent."""


class Verifier:
    """Judges proposals and answers. Model-written programs run in its sandbox and nowhere else."""

    def __init__(self, config: RunConfig) -> None:
        self.sandbox = Sandbox(config.sandbox)
        self._domains: dict[str, Domain] = {
            name: config.domain(name) for name in [*config.domains, *config.evaluation.transfer]
        }
        self._form = config.engine.form

    def judge(self, domain: str, texts: Sequence[str]) -> list[Judged]:
        """See ``arena.proposals.judge``."""
        return judge(self._domains[domain], texts, self.sandbox)

    def recheck(self, domain: str, notes: Sequence[tuple[Kind, str]]) -> list[Checked]:
        """See ``arena.rechecking.recheck``."""
        return recheck(self._domains[domain], notes, self._form, self.sandbox)

    def step(
        self, episodes: Sequence[Episode], actions: Sequence[str], shown: Sequence[Sequence[str]]
    ) -> list[Stepped]:
        """Each episode after its action; ``shown[i]`` is what a lookup of it would show."""
        stepped = []
        for episode, action, notes in zip(episodes, actions, shown, strict=True):
            domain = self._domains[episode.domain]
            env = SolveEnv.from_episode(
                episode, domain, _Shown(notes), notes_per_lookup=len(notes), sandbox=self.sandbox
            )
            observation, reward, terminated, truncated, info = env.step(action)
            verdict: Verdict | None = info["verdict"]
            if truncated and verdict is None:
                verdict = "malformed"
            stepped.append(
                Stepped(
                    observation,
                    terminated or truncated,
                    info["answer"],
                    verdict,
                    reward,
                    info["failure"],
                    info["opponent"],
                )
            )
        return stepped


class _Shown:
    """A library whose every search has found what was looked up already."""

    def __init__(self, notes: Sequence[str]) -> None:
        self._notes = list(notes)

    def search(self, query: str, k: int) -> list[str]:
        return self._notes[:k]
