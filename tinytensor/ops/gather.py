"""Reading and writing by positions along a dim: gather, scatter and their relatives."""

from __future__ import annotations

from typing import Any

Array = Any
