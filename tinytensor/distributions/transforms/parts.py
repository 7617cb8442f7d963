"""Transforms of the parts of a Tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import constraints
from ..constraints import Constraint
from ..distribution import functions
from .transform import Transform


class _Parts(Transform):
    """Transforms of the parts of a value along a dim."""

    def __init__(self, transforms: Sequence[Transform], dim: int, cache_size: int):
        super().__init__(cache_size)
        self.transforms, self.dim = list(transforms), dim

    @property
    def bijective(self) -> bool:  # type: ignore[override]
        return all(t.bijective for t in self.transforms)

    def _split(self, x: Any) -> Sequence[Any]:
        raise NotImplementedError

    def _join(self, parts: Sequence[Any]) -> Any:
        raise NotImplementedError

    def _call(self, x: Any) -> Any:
        return self._join([t(v) for t, v in zip(self.transforms, self._split(x), strict=True)])

    def _inverse(self, y: Any) -> Any:
        return self._join([t._inverse(v)
                           for t, v in zip(self.transforms, self._split(y), strict=True)])

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return self._join([t.log_abs_det_jacobian(a, b) for t, a, b in zip(
            self.transforms, self._split(x), self._split(y), strict=True)])


class CatTransform(_Parts):
    """Transforms of parts of the given lengths along a dim."""

    def __init__(self, tseq: Sequence[Transform], dim: int = 0,
                 lengths: Sequence[int] | None = None, cache_size: int = 0):
        super().__init__(tseq, dim, cache_size)
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        return constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths)

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        return constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths)

    def _split(self, x: Any) -> Sequence[Any]:
        return x.split(self.lengths, self.dim)  # type: ignore[no-any-return]

    def _join(self, parts: Sequence[Any]) -> Any:
        return functions["cat"](parts, self.dim)


class StackTransform(_Parts):
    """Transforms of the slices along a dim."""

    def __init__(self, tseq: Sequence[Transform], dim: int = 0, cache_size: int = 0):
        super().__init__(tseq, dim, cache_size)

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        return constraints.stack([t.domain for t in self.transforms], self.dim)

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        return constraints.stack([t.codomain for t in self.transforms], self.dim)

    def _split(self, x: Any) -> Sequence[Any]:
        return x.unbind(self.dim)  # type: ignore[no-any-return]

    def _join(self, parts: Sequence[Any]) -> Any:
        return functions["stack"](parts, self.dim)
