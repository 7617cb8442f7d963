"""Kernels for matrix products and linear layers: cuBLAS, and bias, ReLU and sums over rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...ops import linalg
from .elementwise import each
from .launch import FLOATS, Array, Source, dense, empty_like, fits
from .products import MODULE, product

SOURCE = Source("sums")
MATMUL, LINEAR = linalg.matmul.op.rules, linalg.linear.op.rules
PART = 512  # rows that a block sums; more are summed in parts, and then the parts


def parts_of(rows: int) -> tuple[int, int]:
    """How a sum over `rows` rows is split: the number of parts, and of threads of a block."""
    parts = min(-(-rows // PART), 1024)
    return parts, 32 * min(max(rows // (4 * parts), 1), 32)


def sum_of_rows(x: Array, rows: int, shape: Sequence[int]) -> Array:
    """(rows, n) -> (n), in an array of the given shape, for a C-contiguous x.

    No view is returned, which would be copied where it becomes the gradient of a parameter.
    """
    columns = x.size // rows
    parts, threads = parts_of(rows)
    out = empty_like(x, shape if parts == 1 else (parts, columns))
    SOURCE.launch("sum_of_rows", x.dtype, -(-columns // 32) * parts, threads, x, out, rows, columns,
                  parts)
    return out if parts == 1 else sum_of_rows(out, parts, shape)


def _with_bias(name: str, input: Array, weight: Array, bias: Array | None) -> Array | None:
    """The product, to which the kernel `name` adds the bias in place."""
    if not fits(input, weight, bias) or weight.ndim != 2 or not weight.size \
            or not input.ndim or input.shape[-1] != weight.shape[1]:
        return None
    if bias is None and name == "add_bias":
        return linalg.linear.op.forward(MODULE, input, weight)
    if bias is None or bias.shape != weight.shape[:1]:
        return None
    out = product(input.reshape(-1, input.shape[-1]), weight.T)
    SOURCE.over_elements(name, out, out, dense(bias), out.size, out.shape[1])
    return out.reshape(*input.shape[:-1], weight.shape[0])


@linalg.matmul.kernel("cuda")
def _(input: Array, other: Array) -> Any:
    return linalg.matmul.op.forward(MODULE, input, other) if input.dtype in FLOATS else None


# Rules whose products are cuBLAS's, and which are otherwise as they stand.


@linalg.matmul.kernel("cuda", "input")
def _(g: Array, other: Array, input_shape: tuple[int, ...]) -> Any:
    return MATMUL["input",](MODULE, g, other, input_shape) if g.dtype in FLOATS else None


@linalg.matmul.kernel("cuda", "other")
def _(g: Array, input: Array, other_shape: tuple[int, ...]) -> Any:
    return MATMUL["other",](MODULE, g, input, other_shape) if g.dtype in FLOATS else None


@linalg.linear.kernel("cuda", "input")
def _(g: Array, weight: Array) -> Any:
    return LINEAR["input",](MODULE, g, weight) if g.dtype in FLOATS else None


@linalg.linear.kernel("cuda", "weight")
def _(g: Array, input: Array) -> Any:
    return LINEAR["weight",](MODULE, g, input) if g.dtype in FLOATS else None


@linalg.linear.kernel("cuda")
def _(input: Array, weight: Array, bias: Array | None) -> Any:
    return _with_bias("add_bias", input, weight, bias)


@linalg.linear.kernel("cuda", "bias")
def _bias_gradient(g: Array) -> Any:
    if not fits(g) or not g.ndim:
        return None
    return sum_of_rows(dense(g), g.size // g.shape[-1], g.shape[-1:])


@linalg.linear_relu.kernel("cuda")
def _(input: Array, weight: Array, bias: Array | None) -> Any:
    return _with_bias("add_bias_relu", input, weight, bias)


@linalg.linear_relu.kernel("cuda", "input", "weight", "bias")
def _(g: Array, out: Array, weight: Array, input: Array, needs: Sequence[bool]) -> Any:
    d = each("relu_back", g, out)
    if d is None:
        return None
    rows = d.reshape(-1, d.shape[-1])
    return (product(rows, weight).reshape(input.shape) if needs[0] else None,
            product(rows.T, input.reshape(-1, input.shape[-1])) if needs[1] else None,
            sum_of_rows(d, len(rows), d.shape[-1:]) if needs[2] else None)
