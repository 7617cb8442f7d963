"""Convolutions, transposed convolutions, and the windows they are made of."""

from __future__ import annotations

from typing import Any

Array = Any
