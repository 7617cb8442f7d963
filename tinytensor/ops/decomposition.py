"""Linear algebra beyond products: solving, inverting, factorising (`tinytensor.linalg`)."""

from __future__ import annotations

from typing import Any

Array = Any
