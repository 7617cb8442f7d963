"""Masked gradients."""

from __future__ import annotations

import math
from typing import Any

from ..arrays import Array
from ..arrays.devices import is_on_cpu
from ..autograd.graph import tensors

SMALL = 4096  # elements: below, `where` is as fast as a product


def masked(xp: Any, g: Array, mask: Array) -> Array:
    """`g` where the mask is True and 0 elsewhere, also where g is infinite or NaN.

    On irregular masks NumPy's `where` takes ten times as long as the product g * mask. The product
    is wrong only where 0 meets an infinity or NaN. It is NaN there, which one dot product detects.
    """
    if xp is tensors or not is_on_cpu(g) or g.size < SMALL:
        return xp.where(mask, g, 0.0)
    d = g * mask
    flat = d.ravel()
    return xp.where(mask, g, 0.0) if math.isnan(flat.dot(flat)) else d
