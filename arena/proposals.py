"""Judging proposals: parse, settle, execute, measure. ``ProposeEnv`` and the verifiers both come here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from arena.domains.base import Domain, Executor, Rejected, Solution


@dataclass(frozen=True, slots=True)
class Judged:
    """A proposal after judgement: a spec with its solution, or the reason why it is no problem."""

    spec: str | None
    identity: str | None
    """See ``Domain.identity``; None where there is no solution."""
    solution: Solution | None
    features: dict[str, float]
    difficulty: float | None
    rejected: Rejected | None


def judge(domain: Domain, texts: Sequence[str], sandbox: Executor) -> list[Judged]:
    """Judge ``texts`` in order; equal drafts are settled once, equal specs executed once."""
    parsed: list[str | Rejected] = []
    for text in texts:
        try:
            parsed.append(domain.parse(text))
        except Rejected as rejected:
            parsed.append(rejected)
    drafts = list(dict.fromkeys(p for p in parsed if isinstance(p, str)))
    settled = dict(zip(drafts, domain.settle(drafts, sandbox), strict=True))
    found = [settled[p] if isinstance(p, str) else p for p in parsed]
    specs = list(dict.fromkeys(s for s in found if isinstance(s, str)))
    solved = dict(zip(specs, domain.solve(specs, sandbox), strict=True))
    return [
        _judged(domain, s if isinstance(s, str) else p, solved[s] if isinstance(s, str) else s)
        for p, s in zip(parsed, found, strict=True)
    ]


def _judged(domain: Domain, spec: str | Rejected, found: Solution | Rejected) -> Judged:
    if isinstance(spec, Rejected) or isinstance(found, Rejected):
        rejected = found if isinstance(found, Rejected) else None
        return Judged(spec if isinstance(spec, str) else None, None, None, {}, None, rejected)
    features = domain.features(spec, found)
    return Judged(spec, domain.identity(spec), found, features, domain.difficulty(features), None)
