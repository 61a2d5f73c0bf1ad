"""Judging proposals: parse, execute, measure. ``ProposeEnv`` and the verifier actors both come here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from arena.domains.base import Domain, Executor, Rejected, Solution


@dataclass(frozen=True, slots=True)
class Judged:
    """A proposal after judgement: a spec with its solution, or the reason why it is no problem."""

    spec: str | None
    solution: Solution | None
    features: dict[str, float]
    difficulty: float | None
    rejected: Rejected | None


def judge(domain: Domain, texts: Sequence[str], sandbox: Executor) -> list[Judged]:
    """Judge ``texts`` in order; equal specs are executed once."""
    parsed: list[str | Rejected] = []
    for text in texts:
        try:
            parsed.append(domain.parse(text))
        except Rejected as rejected:
            parsed.append(rejected)
    specs = list(dict.fromkeys(p for p in parsed if isinstance(p, str)))
    solved = dict(zip(specs, domain.solve(specs, sandbox), strict=True))
    return [_judged(domain, p, solved[p] if isinstance(p, str) else p) for p in parsed]


def _judged(domain: Domain, spec: str | Rejected, found: Solution | Rejected) -> Judged:
    if isinstance(spec, Rejected) or isinstance(found, Rejected):
        rejected = found if isinstance(found, Rejected) else None
        return Judged(spec if isinstance(spec, str) else None, None, {}, None, rejected)
    features = domain.features(spec, found)
    return Judged(spec, found, features, domain.difficulty(features), None)
