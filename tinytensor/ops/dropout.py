"""Random zeros, for training."""

from __future__ import annotations

from typing import Any

Array = Any
