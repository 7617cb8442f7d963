"""Interpolation, pixel shuffling, and other changes of resolution."""

from __future__ import annotations

from typing import Any

Array = Any
