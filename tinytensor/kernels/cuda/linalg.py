"""Kernels for linear layers: the bias, ReLU, and sums over rows. cuBLAS multiplies matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...arrays.devices import cupy
from ...ops import linalg
from .elementwise import each
from .launch import Array, Source, dense, empty_like, fits

SOURCE = Source("sums")
PART = 512  # rows that a block sums; more are summed in parts, and then the parts


def parts_of(rows: int) -> tuple[int, int]:
    """The number of parts in which so many rows are summed, and of threads of a block."""
    parts = min(-(-rows // PART), 1024)
    return parts, 32 * min(max(rows // (4 * parts), 1), 32)


def sum_of_rows(x: Array) -> Array:
    """(rows, columns) -> (columns), for a C-contiguous x."""
    rows, columns = x.shape
    parts, threads = parts_of(rows)
    out = empty_like(x, (parts, columns))
    SOURCE.launch("sum_of_rows", x.dtype, -(-columns // 32) * parts, threads, x, out, rows, columns,
                  parts)
    return sum_of_rows(out) if parts > 1 else out.reshape(columns)


def _with_bias(name: str, input: Array, weight: Array, bias: Array | None) -> Array | None:
    """The product, to which the kernel `name` adds the bias in place."""
    if bias is None or not fits(input, weight, bias) or weight.ndim != 2 or not weight.size \
            or bias.shape != weight.shape[:1] or not input.ndim \
            or input.shape[-1] != weight.shape[1]:
        return None
    out = cupy().matmul(input.reshape(-1, input.shape[-1]), weight.T)
    SOURCE.over_elements(name, out, out, dense(bias), out.size, out.shape[1])
    return out.reshape(*input.shape[:-1], weight.shape[0])


@linalg.linear.kernel("cuda")
def _(input: Array, weight: Array, bias: Array | None) -> Any:
    return _with_bias("add_bias", input, weight, bias)


@linalg.linear.kernel("cuda", "bias")
def _bias_gradient(g: Array) -> Any:
    return sum_of_rows(dense(g).reshape(-1, g.shape[-1])) if fits(g) and g.ndim else None


@linalg.linear_relu.kernel("cuda")
def _(input: Array, weight: Array, bias: Array | None) -> Any:
    return _with_bias("add_bias_relu", input, weight, bias)


@linalg.linear_relu.kernel("cuda", "input", "weight", "bias")
def _(g: Array, out: Array, weight: Array, input: Array, needs: Sequence[bool]) -> Any:
    d = each("relu_back", g, out)
    if d is None:
        return None
    rows, module = d.reshape(-1, d.shape[-1]), cupy()
    return (module.matmul(rows, weight).reshape(input.shape) if needs[0] else None,
            module.matmul(rows.T, input.reshape(-1, input.shape[-1])) if needs[1] else None,
            sum_of_rows(rows) if needs[2] else None)
