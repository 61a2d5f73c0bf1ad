"""The documentation as a site that needs no network: pages by zensical, the reference by pdoc.

    python docs/site.py

Pages are the Markdown files of this folder, whichever are there; the reference comes out of the docstrings
of all packages. A warning stops it: a link that leads nowhere, a module that cannot be imported, a type
that is not found. What is built is in ``build/site``.
"""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SITE = ROOT / "build" / "site"
PACKAGES = ("culture", "curricula", "agents", "arena", "analysis")
ROLE = re.compile(r":(?:attr|class|exc|func|meth|mod):`~?([^`]+)`")


def pages() -> None:
    """Build the pages. Raises SystemExit with what zensical says where it warns."""
    built = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict", "--clean"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        raise SystemExit(built.stdout + built.stderr.partition("Traceback")[0])
    (SITE / Path(__file__).name).unlink()  # all files of the folder are copied, and this is no page


def reference() -> None:
    """Build the reference of all packages into the site."""
    import jinja2
    import pdoc
    import pdoc.render
    import pdoc.render_helpers
    from numpy.typing import ArrayLike

    shown = pdoc.render_helpers.to_markdown_with_context

    @jinja2.pass_context
    def to_markdown(context: jinja2.runtime.Context, docstring: str) -> Any:
        # roles are how an editor finds its way; on the page a name in code is a link already
        return shown(context, ROLE.sub(r"``\1``", docstring))

    signature = pdoc.render.env.filters["format_signature"]
    array = type("ArrayLike", (), {"__module__": "numpy.typing"})

    def format_signature(sig: inspect.Signature, colon: bool) -> Any:
        # numpy's name for what becomes an array stands for a union of a screen's length
        named = [
            p.replace(annotation=array) if p.annotation == ArrayLike else p for p in sig.parameters.values()
        ]
        return signature(sig.replace(parameters=named), colon)

    pdoc.render.env.filters["format_signature"] = format_signature
    pdoc.render.configure(docformat="restructuredtext", footer_text="Ludus", search=True)
    pdoc.render.env.filters["to_markdown"] = to_markdown
    warnings.filterwarnings("error")
    # types whose parameters only their stubs know, as networkx's, are shown as they are written
    warnings.filterwarnings("ignore", "Error parsing type annotation .* is not subscriptable")
    pdoc.pdoc(*PACKAGES, output_directory=SITE / "reference")


def main() -> None:
    pages()
    reference()
    print(f"built: {SITE / 'index.html'}")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
