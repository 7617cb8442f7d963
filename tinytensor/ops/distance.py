"""Similarities and distances between vectors."""

from __future__ import annotations

from typing import Any

Array = Any
