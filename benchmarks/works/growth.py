"""The time of a training step: of an MLP by batch, width and depth; of a GPT by text length."""

from __future__ import annotations

from typing import Any

from .. import torch_named
from ..peers import Row
from . import gpt, mlp

POINTS: dict[str, tuple[int, ...]] = {
    "batch": (1, 4, 16, 64, 256, 1024, 4096),
    "width": (16, 32, 64, 128, 256, 512, 1024, 2048),
    "depth": (1, 2, 4, 8, 16, 32, 64),
    "sequence": (16, 32, 64, 128, 256, 512),
}


def row(curve: str, at: int) -> Row:
    sizes: dict[str, Any] = {"batch": 64, "sizes": (256, 256, 256, 10)}
    if curve == "batch":
        sizes["batch"] = at
    elif curve == "width":
        sizes["sizes"] = (256, at, at, 10)
    elif curve == "depth":
        sizes["sizes"] = (*(256,) * (at + 1), 10)
    if curve == "sequence":
        peers = torch_named.peers(gpt.torch_step, width=64, layers=2, batch=4, length=at)
    else:
        peers = torch_named.peers(mlp.torch_step, **sizes)
    return Row(f"growth: {curve} {at}", peers, growth=(curve, at))


ROWS = [row(curve, at) for curve, points in POINTS.items() for at in points]
