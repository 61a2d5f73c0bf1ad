"""Which code and packages a run is played with."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import subprocess
from pathlib import Path

_PACKAGES = (
    "duckdb",
    "gymnasium",
    "networkx",
    "numpy",
    "pydantic-monty",
    "pyarrow",
    "ray",
    "scikit-learn",
    "tantivy",
    "torch",
    "transformers",
)


def packages() -> dict[str, object]:
    """Versions of Python and of what decides a run's numbers."""
    found: dict[str, object] = {"python": platform.python_version()}
    for name in _PACKAGES:
        found[name] = importlib.metadata.version(name)
    return found


def code_version() -> str:
    """The version of Ludus, and the commit where the code lies in a git checkout."""
    version = importlib.metadata.version("ludus-arena")
    here = Path(__file__).parent
    found = (
        subprocess.run(
            ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True,
            text=True,
            check=False,
        )
        if shutil.which("git")
        else None
    )
    commit = found.stdout.strip() if found is not None and found.returncode == 0 else ""
    return f"{version}+{commit}" if commit else version
