"""Which precision a machine computes in."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema


def native() -> Literal["float32", "bfloat16"]:
    """``bfloat16`` where this machine multiplies matrices in it, else ``float32``.

    A processor without such instructions takes bfloat16 apart: on a Zen 1 core a product takes six times as
    long as in float32.
    """
    import torch

    if torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    # torch has no public name for it
    has = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bfloat16" if has else "float32"


def _settled(value: Any) -> Any:
    return native() if value == "auto" else value


Precision = Annotated[
    Literal["float32", "bfloat16"],
    BeforeValidator(_settled),
    WithJsonSchema({"enum": ["auto", "float32", "bfloat16"], "type": "string"}),
]
"""A precision, or ``auto``: what is read as ``auto`` is ``native`` from then on, so that a run keeps
the one it began with on any machine."""
