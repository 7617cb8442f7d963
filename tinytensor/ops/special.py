"""More functions of each element: logarithms, inverses, error functions, remainders."""

from __future__ import annotations

from typing import Any

Array = Any
