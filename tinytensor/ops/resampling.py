"""Interpolation, pixel shuffling, sampling on a grid, and other changes of resolution.

Interpolation is separable: along each dim in turn, an output is a weighted sum over a window of
inputs (`pooling.window_sum`). The modes differ only in the windows and weights.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence

import numpy

from ..arrays import dtypes
from ..arrays.numbers import integers
from ..autograd.table import composed
from ..tensors import creation
from ..tensors.tensor import Tensor
from .index import getitem, where
from .pooling import (
    LINES_KEPT,
    Line,
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    even,
    ragged,
    window_sum,
)
from .samples import S, t
from .shape import cat, own_memory, permute

# ---------------------------------------------------------------- interpolation


@functools.lru_cache(LINES_KEPT)
def _nearest(size, out, scale, align_corners, shift=0.0):
    """The input at the left end of each output's interval, or with shift=0.5 at its middle."""
    # In single precision, as in PyTorch, since rounding decides between two neighbours.
    at = (numpy.arange(out, dtype=numpy.float32) + numpy.float32(shift)) * numpy.float32(scale)
    places = numpy.minimum(numpy.floor(at).astype(int), size - 1).tolist()
    return ragged(size, [[i] for i in places])


def _nearest_exact(size, out, scale, align_corners):
    return _nearest(size, out, scale, align_corners, 0.5)


def _sources(out, scale, align_corners):
    """The positions of the centres of the outputs, in units of inputs."""
    return [i * scale if align_corners else (i + 0.5) * scale - 0.5 for i in range(out)]


def _interpolating(reach, kernel):
    """Lines that weight the nearest `reach` inputs on each side; the border is replicated."""
    @functools.lru_cache(LINES_KEPT)
    def line(size, out, scale, align_corners):
        windows, weights = [], []
        for at in _sources(out, scale, align_corners):
            first = math.floor(at) - reach + 1
            near = range(first, first + 2 * reach)
            shares = [kernel(at - i) for i in near]
            # Positions beyond the border come last, so that the others stay evenly spaced.
            inside = [i if 0 <= i < size else None for i in near]
            beyond = [i for i in near if not 0 <= i < size]
            windows.append(inside + [min(max(i, 0), size - 1) for i in beyond])
            weights.append(shares + [shares[i - first] for i in beyond])
        return ragged(size, windows, weights)

    return line


def _triangle(x):
    return max(1 - abs(x), 0.0)


def _cubic(x, a=-0.75):
    """Cubic convolution: Keys 1981, equation 15."""
    x = abs(x)
    if x <= 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return ((x - 5) * x + 8) * x * a - 4 * a if x < 2 else 0.0


def _antialiased(reach, kernel):
    """Lines whose windows grow with the scale, so that shrinking skips no input."""
    @functools.lru_cache(LINES_KEPT)
    def line(size, out, scale, align_corners):
        wider = max(scale, 1.0)
        windows, weights = [], []
        for i in range(out):
            centre = scale * (i + 0.5)
            first = max(int(centre - reach * wider + 0.5), 0)
            window = range(first, min(int(centre + reach * wider + 0.5), size))
            shares = [kernel((j - centre + 0.5) / wider) for j in window]
            windows.append(window)
            weights.append([share / sum(shares) for share in shares])
        return ragged(size, windows, weights)

    return line


LINES: dict[str, Callable[..., Line]] = {
    "nearest": _nearest, "nearest-exact": _nearest_exact, "bicubic": _interpolating(2, _cubic),
    **dict.fromkeys(("linear", "bilinear", "trilinear"), _interpolating(1, _triangle)),
}
ANTIALIASED = {
    "bilinear": _antialiased(1, _triangle),
    "bicubic": _antialiased(2, lambda x: _cubic(x, -0.5)),
}
DIMS = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}
AREA = {1: adaptive_avg_pool1d, 2: adaptive_avg_pool2d, 3: adaptive_avg_pool3d}


def _wanted_sizes(input, size, scale_factor, recompute):
    """The output sizes, and the width of an output in inputs for each dim, or None."""
    old = tuple(input.shape[2:])
    if (size is None) == (scale_factor is None):
        which = "either" if size is None else "only one of"
        raise ValueError(f"interpolate: give {which} size {'or' if size is None else 'and'} "
                         "scale_factor")
    given, what = (size, "size") if scale_factor is None else (scale_factor, "scale_factor")
    given = tuple(given) if isinstance(given, tuple | list) else (given,) * len(old)
    if len(given) != len(old):
        raise ValueError(f"interpolate: an input of shape {tuple(input.shape)} has {len(old)} "
                         f"spatial dims, {what} {given} has {len(given)}")
    if scale_factor is None:
        if recompute:
            raise ValueError("interpolate: recompute_scale_factor means nothing beside size")
        return integers("interpolate: size", given), (None,) * len(old)
    new = tuple(math.floor(n * float(f)) for n, f in zip(old, given, strict=True))
    if recompute:
        return new, (None,) * len(old)
    return new, tuple(1 / float(f) if f else None for f in given)  # the size 0 is refused later


def _drops_factor(mode, dims, antialias, size, out):
    """Whether PyTorch computes positions from the sizes although a scale_factor is given.

    It does so where the size stays the same (a factor of 1.1 for 4 elements), for "nearest" only
    with two dims, and then also where the size doubles.
    """
    if mode == "nearest":
        return dims == 2 and out in (size, 2 * size)
    return out == size and mode.endswith("linear") and not antialias


@composed(widens=True, home="nn.functional", method=False, samples=[
    *[S(t(2, 2, 4, 3), size=(7, 5), mode=m) for m in ("nearest", "nearest-exact", "area")],
    *[S(t(1, 2, 4, 3), scale_factor=(1.7, 2), mode=m)
      for m in ("nearest", "nearest-exact", "area", "bilinear", "bicubic")],
    *[S(t(1, 2, 5, 6), (3, 9), mode=m, align_corners=a)
      for m in ("bilinear", "bicubic") for a in (False, True)],
    *[S(t(1, 2, 7, 6), (3, 9), mode=m, antialias=True) for m in ("bilinear", "bicubic")],
    S(t(2, 2, 5), 8), S(t(2, 2, 5), None, 2.0), S(t(2, 2, 5), 8, mode="linear"),
    S(t(2, 2, 5), 1, mode="linear", align_corners=True), S(t(2, 2, 1), 4, mode="linear"),
    S(t(2, 2, 5), scale_factor=0.5, mode="linear", recompute_scale_factor=True),
    S(t(2, 2, 5), scale_factor=1.3, mode="linear", recompute_scale_factor=True),
    S(t(1, 2, 3, 4, 3), (5, 3, 6), mode="trilinear"), S(t(1, 2, 3, 4, 3), 4),
    S(t(1, 1, 3, 4, 3), scale_factor=1.5, mode="trilinear", align_corners=True),
    S(t(1, 1, 3, 4, 3), 2, mode="area"), S(t(0, 2, 3, 3), 4)])
def interpolate(input: Tensor, size: int | Sequence[int] | None = None,
                scale_factor: float | Sequence[float] | None = None, mode: str = "nearest",
                align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
                antialias: bool = False) -> Tensor:
    """The input at another resolution, given as its size or as a factor.

    Modes: "nearest" (as OpenCV's INTER_NEAREST), "nearest-exact", "linear" (3-d input), "bilinear"
    and "bicubic" (4-d), "trilinear" (5-d), "area" (means over the inputs of an output). With
    `align_corners` the centres of the corner elements coincide, else their outer edges.
    Images of uint8 are rounded after each dim, for "bilinear" and "bicubic".
    With a scale_factor, positions are computed from it, or with `recompute_scale_factor` from the
    sizes. `antialias` widens bilinear and bicubic windows when shrinking.

    Shapes: (N, C, *size) -> (N, C, *out), of 1 to 3 spatial dims.

    Raises:
        NotImplementedError: a mode for this number of dims.
        ValueError: both or neither of size and scale_factor; a wrong number of them; an option
            that the mode does not have.
        RuntimeError: a size below 1.
    """
    dims = input.ndim - 2
    if dims not in (1, 2, 3) or mode not in (*LINES, "area") or DIMS.get(mode, dims) != dims:
        raise NotImplementedError(
            f"interpolate: no mode {mode!r} for an input of shape {tuple(input.shape)}; there are "
            "nearest, nearest-exact and area, with 3 dims linear, with 4 bilinear and bicubic, "
            "with 5 trilinear")
    if align_corners is not None and mode not in DIMS:
        raise ValueError(f"interpolate: align_corners means nothing with mode {mode!r}")
    if antialias and mode not in ANTIALIASED:
        raise ValueError(f"interpolate: antialias means nothing with mode {mode!r}")
    new, scales = _wanted_sizes(input, size, scale_factor, recompute_scale_factor)
    old = tuple(input.shape[2:])
    if min(*old, *new) < 1:
        raise RuntimeError(f"interpolate: sizes must be positive, got {old} -> {new}")
    if mode == "area":
        return AREA[dims](input, new)
    make = (ANTIALIASED if antialias else LINES)[mode]
    image = input.dtype is dtypes.uint8 and mode in ("bilinear", "bicubic")
    lines = list(enumerate(zip(old, new, scales, strict=True), 2))
    for axis, (n, out, scale) in lines[::-1] if image else lines:
        if align_corners:
            scale = (n - 1) / (out - 1) if out > 1 else 0.0
        elif scale is None or _drops_factor(mode, dims, antialias, n, out):
            scale = n / out
        taps = make(n, out, scale, bool(align_corners))
        if image:  # rounded after each line, as in PyTorch
            values = window_sum(input.float(), axis, taps)
            input = (values + 0.5).floor().clamp(0, 255).to(dtypes.uint8)
        else:
            input = window_sum(input, axis, taps)
    return input


@composed(widens=True, home="nn.functional", method=False, reference="nn.functional.interpolate",
          samples=[S(t(1, 2, 3, 3), scale_factor=2), S(t(1, 2, 3), 5, None, "linear", True)])
def upsample(input: Tensor, size: int | Sequence[int] | None = None,
             scale_factor: float | Sequence[float] | None = None, mode: str = "nearest",
             align_corners: bool | None = None) -> Tensor:
    """`interpolate` by its older name. Shapes: (N, C, *size) -> (N, C, *out)."""
    return interpolate(input, size, scale_factor, mode, align_corners)


# ---------------------------------------------------------------- channels to pixels and back


def _positive(name, what, value):
    if value < 1:
        raise RuntimeError(f"{name}: {what} must be positive, got {value}")


def _image(name, input):
    if input.ndim < 3:
        raise RuntimeError(f"{name}: expects at least 3 dimensions, got shape "
                           f"{tuple(input.shape)}")
    return tuple(input.shape[:-3]), tuple(input.shape[-3:]), tuple(range(input.ndim - 3))


@composed(home="nn.functional", method=False, samples=[
    S(t(2, 8, 2, 3), 2), S(t(9, 2, 2), 3), S(t(2, 1, 4, 1, 1), 2), S(t(2, 3, 2, 2), 1)])
def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Blocks of r² channels as r × r pixels. Shapes: (*, C r², H, W) -> (*, C, H r, W r).

    Shi et al. 2016.

    Raises:
        RuntimeError: channels that r² does not divide; fewer than 3 dimensions.
    """
    r = upscale_factor
    batch, (c, h, w), before = _image("pixel_shuffle", input)
    _positive("pixel_shuffle", "upscale_factor", r)
    if c % r ** 2:
        raise RuntimeError(f"pixel_shuffle: {r}² does not divide the {c} channels of an input of "
                           f"shape {tuple(input.shape)}")
    k = len(batch)
    x = input.reshape(*batch, c // r ** 2, r, r, h, w)
    x = permute(x, (*before, k, k + 3, k + 1, k + 4, k + 2))
    return own_memory(x.reshape(*batch, c // r ** 2, h * r, w * r))


@composed(home="nn.functional", method=False, samples=[
    S(t(2, 2, 4, 6), 2), S(t(1, 3, 6), 3), S(t(2, 1, 1, 2, 2), 2)])
def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """r × r pixels as blocks of r² channels. Shapes: (*, C, H r, W r) -> (*, C r², H, W).

    Raises:
        RuntimeError: sizes that r does not divide; fewer than 3 dimensions.
    """
    r = downscale_factor
    batch, (c, h, w), before = _image("pixel_unshuffle", input)
    _positive("pixel_unshuffle", "downscale_factor", r)
    if h % r or w % r:
        raise RuntimeError(f"pixel_unshuffle: {r} does not divide the height and width of an "
                           f"input of shape {tuple(input.shape)}")
    k = len(batch)
    x = input.reshape(*batch, c, h // r, r, w // r, r)
    x = permute(x, (*before, k, k + 2, k + 4, k + 1, k + 3))
    return own_memory(x.reshape(*batch, c * r ** 2, h // r, w // r))


@composed(home="nn.functional", method=False, aliases=("native_channel_shuffle",), samples=[
    S(t(2, 6, 2, 2), 2), S(t(1, 6, 4), 3), S(t(2, 4, 2), 1)], reference="channel_shuffle")
def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Interleaves the channels of groups: channels (g, C / g) are transposed to (C / g, g).

    Shapes: (N, C, *) -> (N, C, *). Zhang et al. 2018, section 3.1.

    Raises:
        RuntimeError: channels that the number of groups does not divide; fewer than 3 dimensions.
    """
    if input.ndim < 3:
        raise RuntimeError(f"channel_shuffle: expects at least 3 dimensions, got shape "
                           f"{tuple(input.shape)}")
    _positive("channel_shuffle", "groups", groups)
    n, c, *rest = input.shape
    if c % groups:
        raise RuntimeError(f"channel_shuffle: {groups} groups do not divide the {c} channels of "
                           f"an input of shape {tuple(input.shape)}")
    x = input.reshape(n, groups, c // groups, *rest)
    return own_memory(x.transpose(1, 2).reshape(n, c, *rest))


@composed(widens=True, home="nn.functional", method=False, samples=[
    S(t(2, 5, 3), 3), S(t(1, 4, 2, 3), 2, 0.5, 0.6, 2.0), S(t(1, 6, 2, 2, 2), 5),
    S(t(0, 3, 2), 3)])
def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75,
                        k: float = 1.0) -> Tensor:
    """input / (k + alpha · mean of the squares in `size` neighbouring channels) ** beta.

    Shapes: (N, C, *) -> (N, C, *). Krizhevsky et al. 2012, section 3.3.

    Raises:
        ValueError: fewer than 3 dimensions.
        RuntimeError: a size below 1.
    """
    if input.ndim < 3:
        raise ValueError(f"local_response_norm: expects at least 3 dimensions, got shape "
                         f"{tuple(input.shape)}")
    _positive("local_response_norm", "size", size)
    c = input.shape[1]
    line = even(c, c, size, padding=size // 2)
    return input / (window_sum(input * input, 1, line) * (alpha / size) + k) ** beta


# ---------------------------------------------------------------- sampling on a grid


@composed(widens=True, home="nn.functional", method=False, samples=[
    S(t(2, 2, 3), (2, 1, 4, 5), False), S(t(2, 2, 3), (2, 1, 4, 5), True),
    S(t(1, 3, 4), (1, 2, 2, 3, 4), False), S(t(1, 2, 3), (1, 1, 1, 3), False)])
def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The points of an image of `size`, in [-1, 1], under affine maps: a grid for grid_sample.

    Shapes: (N, 2, 3), (N, C, H, W) -> (N, H, W, 2), or (N, 3, 4), (N, C, D, H, W) ->
    (N, D, H, W, 3). Coordinates come as (x, y) or (x, y, z). Jaderberg et al. 2015.

    Raises:
        NotImplementedError: another number of sizes.
        ValueError: a theta that does not fit them; sizes that are not positive.
    """
    size = integers("affine_grid: size", size)
    dims = len(size) - 2
    if dims not in (2, 3):
        raise NotImplementedError(f"affine_grid: size must have 4 or 5 numbers, got {size}")
    if min(size) < 1:
        raise ValueError(f"affine_grid: sizes must be positive, got {size}")
    if tuple(theta.shape) != (size[0], dims, dims + 1):
        raise ValueError(f"affine_grid: size {size} needs theta of shape "
                         f"{(size[0], dims, dims + 1)}, got {tuple(theta.shape)}")
    lines: list[Tensor] = []
    for n in reversed(size[2:]):  # x, the last dim, comes first
        edge = 1 if align_corners else 1 - 1 / n
        steps = [edge * (2 * i / (n - 1) - 1) if n > 1 else 0.0 for i in range(n)]
        at = (1,) * (len(lines) + 1)
        lines.append(theta.new_tensor(steps).reshape((1,) * (dims - len(at)) + (n,) + at))
    ones = theta.new_tensor([1.0]).reshape((1,) * (dims + 1))
    points = cat([x.expand((*size[2:], 1)) for x in (*lines, ones)], -1)
    grid = points.reshape(1, -1, dims + 1) @ theta.transpose(1, 2)
    return grid.reshape(size[0], *size[2:], dims)


def _reflected(x, low, high):
    """Coordinates reflected at `low` and `high` into the interval between them."""
    span = high - low
    if span <= 0:
        return x * 0.0
    x = (x - low).abs()
    turns = (x / span).floor().detach()
    rest = x - turns * span
    return where((turns * 0.5).floor() * 2 == turns, rest + low, high - rest)


def _unnormalized(x, n, align_corners):
    """Coordinates in [-1, 1] as positions."""
    return (x + 1) * ((n - 1) / 2) if align_corners else (x + 1) * (n / 2) - 0.5


def _padded(x, n, padding_mode, align_corners):
    """Positions moved into the image unless the padding is zeros; NaN becomes 0.

    The border itself counts as outside: there the gradient is 0.
    """
    if padding_mode == "reflection":
        x = _reflected(x, 0.0, n - 1.0) if align_corners else _reflected(x, -0.5, n - 0.5)
    if padding_mode == "zeros":
        return x
    return where((x > 0) & (x < n - 1), x, x.detach().nan_to_num().clamp(0.0, n - 1.0))


def _neighbours(x, n, mode, padding_mode, align_corners):
    """For each neighbour along a dim its position and its share of the result."""
    if mode == "bicubic":
        left = x.floor().detach()
        return [(_padded(left + i, n, padding_mode, align_corners), _cubic_share(x - left, i))
                for i in (-1, 0, 1, 2)]
    x = _padded(x, n, padding_mode, align_corners)
    if mode == "nearest":
        x = x.round()
        return [(x, x - x.detach() + 1)]
    left = x.floor().detach()
    return [(left, left + 1 - x), (left + 1, x - left)]


def _cubic_share(x, i, a=-0.75):
    """As `_cubic`, of the distance |x - i| for x in [0, 1)."""
    x = x - i if i <= 0 else i - x
    if i in (0, 1):
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return ((x - 5) * x + 8) * x * a - 4 * a


def _check_grid(input, grid, mode, padding_mode):
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError("grid_sample: mode must be 'bilinear', 'nearest' or 'bicubic', got "
                         f"{mode!r}")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(f"grid_sample: padding_mode must be 'zeros', 'border' or 'reflection', "
                         f"got {padding_mode!r}")
    dims = input.ndim - 2
    shapes = f"an input of shape {tuple(input.shape)} and a grid of shape {tuple(grid.shape)}"
    if dims not in (2, 3) or grid.ndim != input.ndim or grid.shape[-1] != dims:
        raise RuntimeError(f"grid_sample: {shapes} do not fit; write (N, C, H, W) and "
                           "(N, h, w, 2), or (N, C, D, H, W) and (N, d, h, w, 3)")
    if mode == "bicubic" and dims != 2:
        raise RuntimeError(f"grid_sample: {shapes}: bicubic is for images with 2 spatial dims")
    if input.shape[0] != grid.shape[0]:
        raise RuntimeError(f"grid_sample: {shapes} differ in their batch")
    if 0 in input.shape[2:]:
        raise RuntimeError(f"grid_sample: {shapes}: there is nothing to sample from")


_GRIDS = [{"mode": m, "padding_mode": p, "align_corners": a}
          for m in ("bilinear", "nearest", "bicubic")
          for p in ("zeros", "border", "reflection") for a in (False, True)]


@composed(autocast="float32 on cpu", widens=True, home="nn.functional", method=False,
          scalar="positions choose from arrays of numbers",
          samples=[*(S(t(2, 2, 4, 3), t(2, 3, 5, 2, low=-1.6, high=1.6), **g) for g in _GRIDS),
                   S(t(1, 2, 3, 4, 3), t(1, 2, 3, 2, 3, low=-1.2, high=1.2), align_corners=False),
                   S(t(0, 2, 3, 3), t(0, 2, 2, 2), align_corners=False)])
def grid_sample(input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros",
                align_corners: bool | None = None) -> Tensor:
    """The input at the points of a grid, whose coordinates (x, y) or (x, y, z) span [-1, 1].

    Outside, the image continues as `padding_mode` says: "zeros", "border" or "reflection". With
    `align_corners`, -1 and 1 are the centres of the corner elements, else their outer edges.
    The gradient of a point on or outside of the border is 0, unless the padding is zeros. At a
    coordinate that is NaN, the result is NaN, or with padding at the border that of position 0.

    Shapes: (N, C, H, W), (N, h, w, 2) -> (N, C, h, w), and likewise with 3 spatial dims.

    Raises:
        ValueError: an unknown mode or padding_mode.
        RuntimeError: shapes that do not fit.
    """
    _check_grid(input, grid, mode, padding_mode)
    n, c, *sizes = input.shape
    dims = len(sizes)
    known = None
    if mode == "bicubic" or padding_mode == "zeros":  # the other ones move a point into the image
        known = grid.detach().isfinite().all(-1)
        known = None if grid.is_meta or bool(known.all()) else known
    if known is not None:
        grid = where(known.unsqueeze(-1), grid, 0.0)
    along = [_neighbours(_unnormalized(grid[..., dims - 1 - d], size, align_corners), size, mode,
                         padding_mode, align_corners) for d, size in enumerate(sizes)]
    # Pixels are rows of all channels, so that a position in the flattened image selects one.
    pixels = permute(input, (0, *range(2, dims + 2), 1)).reshape(n * math.prod(sizes), c)
    first = creation.arange(n, device=input.device).reshape((n,) + (1,) * dims)
    parts = []
    for corner in itertools.product(*along):
        place = first
        weight = input.new_tensor(1.0) if known is None else known.to(input.dtype)
        for (position, share), size in zip(corner, sizes, strict=True):
            inside = (position >= 0) & (position < size)
            weight = inside * share * weight
            place = place * size + position.detach().clamp(0, size - 1).long()
        rows = getitem(pixels, (place.reshape(-1)._array,))
        parts.append(rows * weight.reshape(-1, 1))
    result = sum(parts[1:], parts[0]).reshape(n, *grid.shape[1:-1], c)
    if known is not None and mode != "nearest":
        result = result.masked_fill(~known.unsqueeze(-1), math.nan)
    return permute(result, (0, dims + 1, *range(1, dims + 1))).contiguous()
