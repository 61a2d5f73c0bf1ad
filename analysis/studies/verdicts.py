"""What a study came to, as lines and as `verdict.json`, and whether it is the verdict agreed on."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.comparison import shown
from analysis.statistics import least_p
from analysis.studies.base import Found, Study, Verdict

VERDICT = "verdict.json"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with all that it rests on."""

    study: Study
    verdict: Verdict
    predicted: Sequence[Found]
    looked: Sequence[Found]
    seeds: Sequence[int]
    """Of which all conditions are finished."""
    rounds: int
    changes: Sequence[str]
    """Why this is not the verdict that was agreed on beforehand; empty where it is."""
    code_version: str

    def lines(self) -> list[str]:
        """For a person."""
        found = ["", self.study.claim, ""]
        for one in self.predicted:
            found.append(
                f"{one.what}: {_points(one)}, at least {one.at_least:g} would matter -> {one.verdict} "
                f"({_seeds(one)}; p = {one.sign_flip_p:.3g} by sign flips)"
            )
        if self.looked:
            found += ["", "beside the claim, deciding nothing (p: paired t, after Holm)"]
            found += [f"{one.what}: {_points(one)}{_p(one)} ({_seeds(one)})" for one in self.looked]
        found += ["", f"verdict: {self.verdict}"]
        if self.changes:
            found.append(f"not the verdict that was agreed on beforehand: {'; '.join(self.changes)}")
        if self.seeds and least_p(len(self.seeds)) > 0.05:
            found.append(
                f"{len(self.seeds)} seeds cannot come to less than p = {least_p(len(self.seeds)):.3g}"
            )
        return found

    def json(self) -> str:
        """For programs; null for what is not known."""
        study = self.study
        tree = {
            "study": study.name,
            "claim": study.claim,
            "verdict": self.verdict,
            "preregistered": not self.changes,
            "changes": list(self.changes),
            "seeds": list(self.seeds),
            "rounds": self.rounds,
            "unit": "points",
            "interval": "Student's t over seeds, 95%",
            "predictions": [_tree(one) for one in self.predicted],
            "looks": [_tree(one) for one in self.looked],
            "code_version": self.code_version,
        }
        return json.dumps(tree, indent=1) + "\n"


def earlier(folder: Path) -> str | None:
    """The verdict in a study's folder, as a word or two; None where there is none."""
    try:
        tree = json.loads((folder / VERDICT).read_text(encoding="utf-8"))
        return str(tree["verdict"]) + ("" if tree["preregistered"] else " (not as agreed beforehand)")
    except (FileNotFoundError, ValueError, KeyError):
        return None


def _tree(found: Found) -> dict[str, object]:
    tree: dict[str, object] = {
        "what": found.what,
        "by_seed": {str(seed): _known(value) for seed, value in found.by_seed.items()},
        "mean": _known(found.estimate.value),
        "low": found.estimate.low,
        "high": found.estimate.high,
        "sign_flip_p": _known(found.sign_flip_p),
    }
    if found.verdict is not None:
        return tree | {"at_least": found.at_least, "verdict": found.verdict}
    return tree | {"holm_p": None if found.holm_p is None else _known(found.holm_p)}


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _points(found: Found) -> str:
    return f"{shown(found.estimate, '+.1f')} points"


def _p(found: Found) -> str:
    return "" if found.holm_p is None or math.isnan(found.holm_p) else f", p = {found.holm_p:.2g}"


def _seeds(found: Found) -> str:
    each = ", ".join("-" if math.isnan(v) else f"{v:+.1f}" for v in found.by_seed.values())
    return f"by seed {each}" if each else "no seed is finished"
