"""`torch.quasirandom`: the Sobol sequence, with SciPy's direction numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...arrays import dtypes
from ...random import Generator
from ...tensors.creation import from_numpy
from ...tensors.sampling import randint
from ...tensors.tensor import Tensor


class SobolEngine:
    """Points of the Sobol sequence, which fill the unit cube evenly: PyTorch's, bit by bit.

    PyTorch rounds the first point to float32 also in float64. Here it has its 30 bits.

    Point n is the exclusive or of `shift` and of the direction numbers (Joe and Kuo 2008) at the
    bits of the Gray code n ^ n >> 1 (Antonov and Saleev 1979). `scramble` multiplies the direction
    numbers by a random lower triangular matrix of bits, and draws `shift` (Matoušek 1998), from
    `seed` or from the default generator.

    Shapes: draw(n) -> (n, dimension).

    Raises:
        ValueError: a dimension that is not between 1 and 21201.
        ImportError: SciPy, whose table of direction numbers is used, is not installed.
    """

    MAXBIT, MAXDIM = 30, 21201

    def __init__(self, dimension: int, scramble: bool = False, seed: int | None = None):
        if not 1 <= dimension <= self.MAXDIM:
            raise ValueError(f"SobolEngine: dimension must be between 1 and {self.MAXDIM}, got "
                             f"{dimension}")
        from scipy.stats import qmc

        self.dimension, self.scramble, self.seed = dimension, scramble, seed
        self.directions = qmc.Sobol(dimension, scramble=False, bits=self.MAXBIT)._sv.astype("int64")
        self.shift = np.zeros(dimension, "int64")
        if scramble:
            self._scramble()
        self.reset()

    def _scramble(self) -> None:
        generator = None if self.seed is None else Generator().manual_seed(self.seed)
        bits, places = self.MAXBIT, np.arange(self.MAXBIT)

        def draw(*shape: int) -> np.ndarray[Any, Any]:
            return randint(2, (self.dimension, *shape), generator=generator).numpy()

        self.shift = draw(bits) @ (1 << places)
        matrix = np.tril(draw(bits, bits), -1) + np.eye(bits, dtype="int64")
        highest_first = self.directions[:, None] >> places[::-1, None] & 1
        self.directions = ((matrix @ highest_first % 2) << places[::-1, None]).sum(1)

    def reset(self) -> SobolEngine:
        """Goes back to the first point."""
        self.num_generated = 0
        return self

    def fast_forward(self, n: int) -> SobolEngine:
        """Skips n points."""
        self.num_generated += n
        return self

    def draw(self, n: int = 1, out: Tensor | None = None, dtype: dtypes.dtype | None = None,
             ) -> Tensor:
        """The next n points, of the default dtype if `dtype` is not given.

        Raises:
            NotImplementedError: another dtype than float32 and float64.
        """
        dtype = dtype or dtypes.get_default_dtype()
        if dtype not in (dtypes.float32, dtypes.float64):
            raise NotImplementedError("SobolEngine.draw: points are float32 or float64, got "
                                      f"{dtype}; convert them after the draw")
        index = self.num_generated + np.arange(n)
        gray, points = index ^ index >> 1, np.tile(self.shift, (n, 1))
        for bit, direction in enumerate(self.directions.T):
            points ^= (gray >> bit & 1)[:, None] * direction
        self.num_generated += n
        result = from_numpy(points).to(dtype) / 2**self.MAXBIT
        return result if out is None else out.resize_(*result.shape).copy_(result)

    def draw_base2(self, m: int, out: Tensor | None = None, dtype: dtypes.dtype | None = None,
                   ) -> Tensor:
        """The next 2**m points.

        Raises:
            ValueError: the number of points would not be a power of 2, as balance requires.
        """
        total = self.num_generated + 2**m
        if total & (total - 1):
            raise ValueError(f"SobolEngine.draw_base2: {self.num_generated} points were drawn, and "
                             f"{self.num_generated} + 2**{m} is not a power of 2; use draw()")
        return self.draw(2**m, out, dtype)

    def __repr__(self) -> str:
        options = {"dimension": self.dimension, "scramble": self.scramble or None,
                   "seed": self.seed}
        return "SobolEngine(" + ", ".join(
            f"{name}={value}" for name, value in options.items() if value is not None) + ")"
