"""What a study agrees on, written down before its first run, and whether it is so still."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pydantic import ValidationError

from analysis.studies.base import Study
from arena.config import RunConfig
from arena.grid import configured
from arena.run_files import CONFIG

DESIGN = "design.json"
_ELSEWHERE = {"cluster", "lake"}
"""Settings of how the work is spread and where the log lies, which change nothing of what is played."""
_Tree = dict[str, object]


def configuration(chosen: Study, condition: str, seed: int, rounds: int) -> RunConfig:
    """Of one run, resolved. Raises ConfigError where a setting is bad."""
    sets = [*chosen.settings, f"rounds={rounds}", *chosen.conditions[condition]]
    return configured(chosen.preset, sets, seed)


def fingerprint(chosen: Study) -> str:
    """A hash of all that a study agrees on beforehand; how outcomes are computed is not in it."""
    agreed = {
        "claim": chosen.claim,
        "preset": chosen.preset,
        "settings": chosen.settings,
        "conditions": {name: list(overrides) for name, overrides in chosen.conditions.items()},
        "rounds": chosen.rounds,
        "seeds": chosen.seeds,
        "predictions": [[p.what, p.at_least] for p in chosen.predictions],
    }
    return hashlib.sha256(json.dumps(agreed).encode()).hexdigest()


def keep(folder: Path, chosen: Study) -> None:
    """Write what was agreed on, before the first run is begun; what is written later agrees on nothing."""
    if (folder / DESIGN).exists() or any(folder.glob(f"*/{CONFIG}")):
        return
    folder.mkdir(parents=True, exist_ok=True)
    trees = {
        name: config.model_dump(mode="json", exclude=_ELSEWHERE)
        for name, config in _configurations(chosen).items()
    }
    text = json.dumps({"sha256": fingerprint(chosen), "configurations": trees}, indent=1)
    (folder / DESIGN).write_text(f"{text}\n", encoding="utf-8")


def changes(folder: Path, chosen: Study) -> list[str]:
    """Why a study is not the one agreed on for the runs in ``folder``; nothing where it is."""
    kept = _kept(folder)
    if kept is None:
        return [f"{DESIGN}, which says what was agreed on, is missing or broken"]
    if kept["sha256"] != fingerprint(chosen):
        return ["the study was changed after its first run was begun"]
    trees = kept.get("configurations")
    # earlier versions did not write them down
    if trees is not None and not _same(trees, _configurations(chosen)):
        return [f"the preset {chosen.preset} was changed after the study's first run was begun"]
    return []


def _configurations(chosen: Study) -> dict[str, RunConfig]:
    return {c: configuration(chosen, c, chosen.seeds[0], chosen.rounds) for c in chosen.conditions}


def _same(trees: object, now: dict[str, RunConfig]) -> bool:
    """Whether the same would be played; a setting that came later is taken to have been its default."""
    if not isinstance(trees, dict) or trees.keys() != now.keys():
        return False
    for name, config in now.items():
        try:
            elsewhere = config.model_dump(mode="json", include=_ELSEWHERE)
            kept = RunConfig.model_validate({**trees[name], **elsewhere})
        except ValidationError:  # of a setting that is no more
            return False
        if kept != config:
            return False
    return True


def _kept(folder: Path) -> _Tree | None:
    try:
        tree = json.loads((folder / DESIGN).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return tree if isinstance(tree, dict) and "sha256" in tree else None
