"""Order: sorting, ranks, medians, counting, finding."""

from __future__ import annotations

from typing import Any

Array = Any
