"""Running sums, products and extrema along a dim."""

from __future__ import annotations

from typing import Any

Array = Any
