"""Convolutions, transposed convolutions, and their windows.

All loops go over the taps, the elements of the kernel. For one tap, the outputs whose window has
it inside the input, and the inputs that it reads, are two slices. `windows` copies these slices
for all taps (im2col); `overlap_add` adds them back, and is its derivative (col2im).

Σ g · convolution(x, w) is linear in each of g, x and w. Its gradients by g, x and w are the ops
`convolution`, `convolution_input` and `convolution_weight`. Each derivative of one of them, of any
order, is again one of them. Each is computed as large matrix products over the windows of as many
images as fit into a cache.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..arrays import Array
from ..arrays.devices import is_gpu_array
from ..arrays.numbers import integer, integers
from ..autograd.table import composed, op
from ..tensors.tensor import Tensor
from .samples import S, TensorSample, t

Sizes = tuple[int, ...]
Tap = tuple[slice, slice]  # outputs, and the inputs that the tap reads for them

CPU_BLOCK, GPU_BLOCK = 2 ** 20, 2 ** 26  # elements of the windows that are copied at a time


# ---------------------------------------------------------------- positions of windows


def line_taps(size: int, out: int, kernel: int, stride: int, padding: int,
              dilation: int) -> list[Tap]:
    """For each tap k along one dim: the outputs o whose input position o * stride + k * dilation
    - padding exists, and these positions.
    """
    taps = []
    for start in range(-padding, kernel * dilation - padding, dilation):
        first = max(0, -(start // stride))
        count = min(out, (size - 1 - start) // stride + 1) - first
        if count <= 0:
            taps.append((slice(0, 0), slice(0, 0)))
            continue
        at = first * stride + start
        taps.append((slice(first, first + count),
                     slice(at, at + (count - 1) * stride + 1, stride)))
    return taps


@dataclass(frozen=True)
class Frame:
    """The sizes and parameters of a convolution, one for each spatial dim."""

    size: Sizes  # of the input
    out: Sizes  # the number of windows
    kernel: Sizes
    stride: Sizes
    padding: Sizes  # before; the padding after follows from `out`
    dilation: Sizes
    groups: int = 1

    def taps(self) -> Iterator[tuple[Sizes, tuple[slice, ...], tuple[slice, ...]]]:
        """Each tap, with its slices of the outputs and of the inputs."""
        lines = [enumerate(line_taps(*line)) for line in zip(
            self.size, self.out, self.kernel, self.stride, self.padding, self.dilation,
            strict=True)]
        for tap in itertools.product(*lines):
            yield (tuple(k for k, _ in tap), tuple(outs for _, (outs, _) in tap),
                   tuple(ins for _, (_, ins) in tap))

    def reversed(self) -> Frame:
        """The frame of the convolution with the reversed kernel, which maps `out` to `size`."""
        padding = tuple(d * (k - 1) - p for k, p, d in zip(
            self.kernel, self.padding, self.dilation, strict=True))
        return replace(self, size=self.out, out=self.size, padding=padding)


def copy_windows(into, images, frame):
    """Writes every window of images (C, N, *size) into (C, *kernel, N, *out)."""
    for k, outs, ins in frame.taps():
        into[(slice(None), *k, slice(None), *outs)] = images[(..., *ins)]


def add_windows(into, windows, frame):
    """Adds windows (C, *kernel, N, *out) at their positions in images (C, N, *size)."""
    for k, outs, ins in frame.taps():
        into[(..., *ins)] += windows[(slice(None), *k, slice(None), *outs)]


def _windows_first(array, frame):
    """A view of (N, C, *kernel, *out) as (C, *kernel, N, *out)."""
    n = len(frame.size)
    return array.transpose((*range(1, n + 2), 0, *range(n + 2, 2 * n + 2)))


def _torch_windows(torch):
    """`windows` and `overlap_add` by PyTorch's unfold and fold."""
    def windows(x, f):
        columns = torch.nn.functional.unfold(x, f.kernel, f.dilation, f.padding, f.stride)
        return columns.reshape(*x.shape[:2], *f.kernel, *f.out)

    def overlap_add(x, f):
        columns = x.reshape(x.shape[0], -1, math.prod(f.out))
        return torch.nn.functional.fold(columns, f.size, f.kernel, f.dilation, f.padding,
                                        f.stride)

    return windows, overlap_add


SQUARE = Frame((5, 4), (3, 4), (3, 2), (2, 1), (1, 1), (1, 2))


@op(home="internal", method=False, samples=[S(t(2, 3, 5, 4), SQUARE)],
    reference=lambda torch: _torch_windows(torch)[0])
def windows(xp, input: Array, frame: Frame):
    """All windows of all images, with zeros for the padding.

    Shapes: (N, C, *size) -> (N, C, *kernel, *out).
    """
    out = xp.zeros((*input.shape[:2], *frame.kernel, *frame.out), dtype=input.dtype)
    copy_windows(_windows_first(out, frame), input.swapaxes(0, 1), frame)
    return out


@op(home="internal", method=False, samples=[S(t(2, 3, 3, 2, 3, 4), SQUARE)],
    reference=lambda torch: _torch_windows(torch)[1])
def overlap_add(xp, input: Array, frame: Frame):
    """Windows added at their positions: the adjoint of `windows`.

    Shapes: (N, C, *kernel, *out) -> (N, C, *size).
    """
    out = xp.zeros((*input.shape[:2], *frame.size), dtype=input.dtype)
    add_windows(out.swapaxes(0, 1), _windows_first(input, frame), frame)
    return out


windows.vjp(input=lambda xp, g, frame: overlap_add.run(xp, g, frame))
overlap_add.vjp(input=lambda xp, g, frame: windows.run(xp, g, frame))


# ---------------------------------------------------------------- the three ops


def _parts(array, frame, channels):
    """Slices of the batch, the windows of each of which fit into one block."""
    batch = array.shape[0]
    block = GPU_BLOCK if is_gpu_array(array) else CPU_BLOCK
    one = channels * math.prod(frame.kernel) * math.prod(frame.out)
    length = max(1, block // max(one, 1))
    return [slice(start, min(start + length, batch)) for start in range(0, batch, length)]


def _columns(xp, input, frame):
    """The windows of parts of the batch as matrices (groups, C / groups * kernel, n * out)."""
    channels, block = input.shape[1], None
    for part in _parts(input, frame, channels):
        images = input[part].swapaxes(0, 1)
        shape = (channels, *frame.kernel, images.shape[1], *frame.out)
        if block is None or block.shape != shape:  # else the padding is zero already
            block = xp.zeros(shape, dtype=input.dtype)
        copy_windows(block, images, frame)
        yield part, block.reshape(_matrix(frame, channels * math.prod(frame.kernel),
                                          images.shape[1]))


def _matrix(frame, rows, images):
    """The shape of one matrix for each group, whose columns are the positions of images."""
    return frame.groups, rows // frame.groups, images * math.prod(frame.out)


def _positions(images, frame):
    """Images (N, O, *out) as matrices (groups, O / groups, N * out)."""
    n, channels = images.shape[:2]
    return images.swapaxes(0, 1).reshape(_matrix(frame, channels, n))


def _per_group(weight, frame):
    """A weight (O, C / groups, *kernel) as matrices (groups, O / groups, C / groups * kernel)."""
    o, c = weight.shape[:2]
    return weight.reshape(frame.groups, o // frame.groups, c * math.prod(frame.kernel))


def _torch_convolution(torch):
    """The three ops by PyTorch's functions."""
    def convolution(x, w, b, f):
        return torch.nn.functional.conv2d(x, w, b, f.stride, f.padding, f.dilation, f.groups)

    def convolution_input(g, w, f):
        size = (g.shape[0], w.shape[1] * f.groups, *f.size)
        return torch.nn.grad.conv2d_input(size, w, g, f.stride, f.padding, f.dilation, f.groups)

    def convolution_weight(x, g, f):
        size = (g.shape[1], x.shape[1] // f.groups, *f.kernel)
        return torch.nn.grad.conv2d_weight(x, size, g, f.stride, f.padding, f.dilation, f.groups)

    return convolution, convolution_input, convolution_weight


CLOSE = Frame((5, 4), (5, 5), (3, 2), (1, 1), (1, 1), (1, 1))
APART = Frame((5, 4), (2, 2), (3, 2), (2, 2), (1, 0), (2, 1), 2)


@op(promotes="same", home="internal", method=False, samples=[
    S(t(2, 3, 5, 4), t(4, 3, 3, 2), t(4), CLOSE), S(t(2, 4, 5, 4), t(6, 2, 3, 2), None, APART)],
    reference=lambda torch: _torch_convolution(torch)[0])
def convolution(xp, input: Array, weight: Array, bias: Array | None, frame: Frame):
    """The dot product of each window with the weight, plus bias.

    Shapes: (N, C, *size), (O, C / groups, *kernel), (O) -> (N, O, *out).
    """
    channels, rows = weight.shape[0], _per_group(weight, frame)
    out = xp.empty((input.shape[0], channels, *frame.out), dtype=input.dtype)
    for part, columns in _columns(xp, input, frame):
        product = xp.matmul(rows, columns).reshape(channels, -1, *frame.out)
        if bias is not None:
            product += bias.reshape(-1, *[1] * (product.ndim - 1))
        out[part] = product.swapaxes(0, 1)
    return out


@op(promotes="same", home="internal", method=False, samples=[
    S(t(2, 4, 5, 5), t(4, 3, 3, 2), CLOSE), S(t(2, 6, 2, 2), t(6, 2, 3, 2), APART)],
    reference=lambda torch: _torch_convolution(torch)[1])
def convolution_input(xp, input: Array, weight: Array, frame: Frame):
    """The gradient of `convolution` by its input: each element times the weight, added at the
    positions of its window.

    Shapes: (N, O, *out), (O, C / groups, *kernel) -> (N, C, *size).
    """
    n, groups = input.shape[0], frame.groups
    if set(frame.stride) == {1}:  # also a convolution; twice as fast as adding windows
        return convolution.op.forward(xp, input, _reversed_kernel(xp, weight, groups), None,
                                   frame.reversed())
    channels = weight.shape[1] * groups
    rows = _per_group(weight, frame).swapaxes(1, 2)
    out = xp.zeros((n, channels, *frame.size), dtype=input.dtype)
    for part in _parts(input, frame, channels):
        product = xp.matmul(rows, _positions(input[part], frame))
        add_windows(out[part].swapaxes(0, 1),
                    product.reshape(channels, *frame.kernel, -1, *frame.out), frame)
    return out


def _reversed_kernel(xp, weight, groups):
    """(O, C / groups, *kernel) as (C, O / groups, *kernel), with the kernel reversed."""
    o, c, *kernel = weight.shape
    swapped = weight.reshape(groups, o // groups, c, *kernel).swapaxes(1, 2)
    return xp.flip(swapped.reshape(groups * c, o // groups, *kernel),
                   axis=tuple(range(2, weight.ndim)))


@op(promotes="same", home="internal", method=False, samples=[
    S(t(2, 3, 5, 4), t(2, 4, 5, 5), CLOSE), S(t(2, 4, 5, 4), t(2, 6, 2, 2), APART)],
    reference=lambda torch: _torch_convolution(torch)[2])
def convolution_weight(xp, input: Array, grad: Array, frame: Frame):
    """The gradient of `convolution` by its weight: the sum of each window times its element of
    `grad`.

    Shapes: (N, C, *size), (N, O, *out) -> (O, C / groups, *kernel).
    """
    o, c = grad.shape[1], input.shape[1] // frame.groups
    shape = (frame.groups, o // frame.groups, c * math.prod(frame.kernel))
    out = xp.zeros(shape, dtype=input.dtype)
    for part, columns in _columns(xp, input, frame):
        out += xp.matmul(_positions(grad[part], frame), columns.swapaxes(1, 2))
    return out.reshape(o, c, *frame.kernel)


convolution.vjp(
    input=lambda xp, g, weight, frame: convolution_input.run(xp, g, weight, frame),
    weight=lambda xp, g, input, frame: convolution_weight.run(xp, input, g, frame),
    bias=lambda xp, g: xp.sum(g, axis=(0, *range(2, len(g.shape)))),
)
convolution_input.vjp(
    input=lambda xp, g, weight, frame: convolution.run(xp, g, weight, None, frame),
    weight=lambda xp, g, input, frame: convolution_weight.run(xp, g, input, frame),
)
convolution_weight.vjp(
    input=lambda xp, g, grad, frame: convolution_input.run(xp, grad, g, frame),
    grad=lambda xp, g, input, frame: convolution.run(xp, input, g, None, frame),
)


# ---------------------------------------------------------------- public functions


def per_dim(name: str, what: str, value: int | Sequence[int], dims: int) -> Sizes:
    """A parameter for each spatial dim: one number for all of them, or one each.

    Raises:
        RuntimeError: another number of them.
        TypeError: not integers.
    """
    try:
        given = integers(what, value)
    except TypeError:
        raise TypeError(f"{name}: {what} must be an int or a tuple of {dims} ints, "
                        f"got {value!r}") from None
    if len(given) not in (1, dims):
        raise RuntimeError(f"{name}: {what} must be an int or a tuple of {dims}, got {value!r}")
    return given * dims if len(given) == 1 else given


def at_least(name: str, least: int, **parameters: Sizes) -> None:
    """
    Raises:
        RuntimeError: a parameter below the bound.
    """
    for what, value in parameters.items():
        if min(value) < least:
            raise RuntimeError(f"{name}: {what} must be at least {least}, got {value}")


def with_batch(name: str, input: Tensor, dims: int) -> tuple[Tensor, bool]:
    """(C, *size) as (1, C, *size), and whether the input was unbatched.

    Raises:
        RuntimeError: the input has another number of dimensions.
    """
    if input.ndim not in (dims + 1, dims + 2):
        raise RuntimeError(f"{name}: expects {dims + 1} dimensions (unbatched) or {dims + 2}, "
                           f"got an input of shape {tuple(input.shape)}")
    unbatched = input.ndim == dims + 1
    return (input.unsqueeze(0) if unbatched else input), unbatched


def named(function: Callable[..., Any], name: str, doc: str,
          **entry: Any) -> Callable[..., Any]:
    """Enters a function for one number of dims into the table."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return composed(home="nn.functional", method=False, **entry)(function)


def _check(name, input, weight, bias, groups, given, made):
    """Checks the arrays; `given` and `made` are the input and output channels of the weight."""
    w = tuple(weight.shape)
    if w[0] % groups or not w[0]:
        raise RuntimeError(f"{name}: the weight of shape {w} cannot be split into {groups} groups: "
                           f"{w[0]} is no positive multiple of {groups}")
    if input.shape[1] != given:
        raise RuntimeError(f"{name}: the weight of shape {w} with groups={groups} expects {given} "
                           f"channels, the input of shape {tuple(input.shape)} has "
                           f"{input.shape[1]}")
    if bias is not None and tuple(bias.shape) != (made,):
        raise RuntimeError(f"{name}: the weight of shape {w} with groups={groups} needs a bias of "
                           f"shape ({made},), got {tuple(bias.shape)}")


def _padded_sizes(name, padding, stride, kernel, dilation):
    """The padding before, and the sum of both paddings, from numbers, 'same' or 'valid'."""
    if not isinstance(padding, str):
        padding = per_dim(name, "padding", padding, len(kernel))
        at_least(name, 0, padding=padding)
        return padding, tuple(2 * p for p in padding)
    if padding == "valid":
        return (0,) * len(kernel), (0,) * len(kernel)
    if padding != "same":
        raise RuntimeError(f"{name}: padding {padding!r} is neither numbers nor 'same' nor 'valid'")
    if set(stride) != {1}:
        raise RuntimeError(f"{name}: padding='same' keeps the size only with stride 1, got "
                           f"stride {stride}")
    whole = tuple(d * (k - 1) for k, d in zip(kernel, dilation, strict=True))
    return tuple(p // 2 for p in whole), whole


def _steps(name, weight, stride, dilation, groups, dims):
    """Kernel, stride and dilation, one for each dim, and the groups."""
    if weight.ndim != dims + 2:
        raise RuntimeError(f"{name}: the weight needs {dims + 2} dimensions, got one of shape "
                           f"{tuple(weight.shape)}")
    stride = per_dim(name, "stride", stride, dims)
    dilation = per_dim(name, "dilation", dilation, dims)
    groups = integer(f"{name}: groups", groups)
    at_least(name, 1, stride=stride, dilation=dilation, groups=(groups,))
    return tuple(weight.shape[2:]), stride, dilation, groups


def _conv(dims: int) -> Callable[..., Any]:
    name = f"conv{dims}d"

    def conv(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
        input, unbatched = with_batch(name, input, dims)
        kernel, stride, dilation, groups = _steps(name, weight, stride, dilation, groups, dims)
        _check(name, input, weight, bias, groups, weight.shape[1] * groups, weight.shape[0])
        before, whole = _padded_sizes(name, padding, stride, kernel, dilation)
        size = tuple(input.shape[2:])
        out = tuple((n + p - d * (k - 1) - 1) // s + 1 for n, p, k, s, d in zip(
            size, whole, kernel, stride, dilation, strict=True))
        if min(out) < 1 or 0 in size or 0 in kernel:
            raise RuntimeError(
                f"{name}: a kernel of {kernel} with dilation {dilation} does not fit into an "
                f"input of {size} with {whole} of padding; pad more, or take a smaller kernel")
        frame = Frame(size, out, kernel, stride, before, dilation, groups)
        result = convolution(input, weight, bias, frame)
        return result.squeeze(0) if unbatched else result

    return named(conv, name, f"""Σ input · weight + bias, over the channels and a kernel of {dims}d.

    It is a cross-correlation: the kernel is not reversed. `padding` is a number, a tuple, 'valid'
    (none) or 'same' (which keeps the size; an odd one is padded after). With groups, each group of
    output channels reads its group of input channels.

    Shapes: (N, C, *size) or (C, *size), (O, C / groups, *kernel), (O) -> (N, O, *out) or
    (O, *out), out = (size + 2 padding - dilation (kernel - 1) - 1) // stride + 1.

    Raises:
        RuntimeError: shapes that do not fit; a kernel larger than the padded input; a parameter
            out of range; padding='same' with a stride.
    """, autocast="lower", samples=_conv_samples(dims))


def _spatial(dims: int, *sizes: int) -> Callable[..., TensorSample]:
    return lambda *shape: t(*shape, *sizes[:dims])


def _conv_samples(n: int) -> list[S]:
    x, k, one = _spatial(n, 6, 5, 4), _spatial(n, 3, 2, 2), _spatial(n, 1, 1, 1)
    return [
        S(x(2, 2), k(3, 2), t(3)), S(x(2, 2), k(3, 2), t(3), 2, 1), S(x(2), k(3, 2)),
        S(x(2, 4), k(4, 2), None, 1, (2, 1, 1)[:n], dilation=2, groups=2),
        S(x(2, 3), k(6, 1), t(6), groups=3), S(x(1, 2), k(2, 2), padding="same", dilation=2),
        S(x(1, 2), k(2, 2), padding="valid"), S(x(2, 2), one(3, 2), stride=3),
        S(x(1, 2), x(3, 2), t(3)), S(x(0, 2), k(3, 2), t(3)), S(x(1, 1), k(1, 1), padding=4),
        S(x(1, 1), k(1, 1), stride=4),
    ]


conv1d, conv2d, conv3d = map(_conv, (1, 2, 3))


def _conv_transpose(dims: int) -> Callable[..., Any]:
    name = f"conv_transpose{dims}d"

    def conv_transpose(input, weight, bias=None, stride=1, padding=0, output_padding=0,
                       groups=1, dilation=1):
        input, unbatched = with_batch(name, input, dims)
        kernel, stride, dilation, groups = _steps(name, weight, stride, dilation, groups, dims)
        _check(name, input, weight, bias, groups, weight.shape[0], weight.shape[1] * groups)
        padding = per_dim(name, "padding", padding, dims)
        extra = per_dim(name, "output_padding", output_padding, dims)
        at_least(name, 0, padding=padding, output_padding=extra)
        if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
            raise RuntimeError(f"{name}: output_padding {extra} must be smaller than stride "
                               f"{stride} or dilation {dilation}")
        size = tuple(input.shape[2:])
        out = tuple((n - 1) * s - 2 * p + d * (k - 1) + e + 1 for n, s, p, d, k, e in zip(
            size, stride, padding, dilation, kernel, extra, strict=True))
        if min(out) < 1 or 0 in size:
            raise RuntimeError(f"{name}: an input of {size} and a kernel of {kernel} with padding "
                               f"{padding} would give an output of {out}; pad less")
        frame = Frame(out, size, kernel, stride, padding, dilation, groups)
        result = convolution_input(input, weight, frame)
        if bias is not None:
            result = result + bias.reshape((-1,) + (1,) * dims)
        return result.squeeze(0) if unbatched else result

    return named(conv_transpose, name, f"""The transpose of conv{dims}d.

    Each element times the weight is added at the positions of its window.

    With the same parameters it maps the output shape of that convolution to its input shape. With
    a stride several input shapes are possible; `output_padding` selects one.

    Shapes: (N, C, *size) or (C, *size), (C, O / groups, *kernel), (O) -> (N, O, *out) or
    (O, *out), out = (size - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1.

    Raises:
        RuntimeError: shapes that do not fit; an output without elements; a parameter out of
            range; output_padding not below stride or dilation.
    """, widens=True, autocast="lower", samples=_conv_transpose_samples(dims))


def _conv_transpose_samples(n: int) -> list[S]:
    x, k, one = _spatial(n, 4, 3, 2), _spatial(n, 3, 2, 2), _spatial(n, 1, 1, 1)
    return [
        S(x(2, 2), k(2, 3), t(3)), S(x(2, 2), k(2, 3), t(3), 2, 1, 1), S(x(2), k(2, 3)),
        S(x(2, 4), k(4, 1), None, (2, 1, 1)[:n], 0, groups=2, dilation=2),
        S(x(1, 3), k(3, 2), t(6), groups=3, stride=3), S(x(2, 2), one(2, 3), stride=2),
        S(x(1, 2), k(2, 2), padding=1, output_padding=(1, 0, 1)[:n], stride=(2, 3, 2)[:n]),
        S(x(0, 2), k(2, 3), t(3), 2),
    ]


conv_transpose1d, conv_transpose2d, conv_transpose3d = map(_conv_transpose, (1, 2, 3))


def _blocks(name, size, kernel_size, dilation, padding, stride):
    """The frame of unfold and fold for an image of `size`."""
    kernel, dilation, padding, stride = (per_dim(name, what, value, 2) for what, value in (
        ("kernel_size", kernel_size), ("dilation", dilation), ("padding", padding),
        ("stride", stride)))
    at_least(name, 1, kernel_size=kernel, dilation=dilation, stride=stride)
    at_least(name, 0, padding=padding)
    out = tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, p, d, k, s in zip(
        size, padding, dilation, kernel, stride, strict=True))
    if min(out) < 1:
        raise RuntimeError(f"{name}: a kernel of {kernel} with dilation {dilation} and padding "
                           f"{padding} does not fit into an image of {tuple(size)}")
    return Frame(tuple(size), out, kernel, stride, padding, dilation)


@composed(home="nn.functional", method=False, samples=[
    S(t(5, 2, 3), t(3, 3, 4), t(4)), S(t(5, 2, 3), t(2, 3, 4), t(4), 1)], reference="conv_tbc")
def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """`conv1d` of sequences whose dims are time, batch and channels; `pad` is its padding.

    Shapes: (T, N, C), (k, C, O), (O) -> (T + 2 pad - k + 1, N, O).

    Raises:
        RuntimeError: other shapes.
    """
    if input.ndim != 3 or weight.ndim != 3:
        raise RuntimeError("conv_tbc: the input and the weight need 3 dims, got shapes "
                           f"{tuple(input.shape)} and {tuple(weight.shape)}")
    out = conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad)
    return out.permute(2, 0, 1).contiguous()


@composed(home="nn.functional", method=False, samples=[
    S(t(2, 3, 5, 4), (3, 2)), S(t(2, 3, 5, 4), 2, 2, 1, 2), S(t(3, 5, 4), 3), S(t(0, 2, 4, 4), 2)])
def unfold(input: Tensor, kernel_size: int | Sequence[int], dilation: int | Sequence[int] = 1,
           padding: int | Sequence[int] = 0, stride: int | Sequence[int] = 1) -> Tensor:
    """Each window of an image as a column (im2col); `fold` is its transpose.

    Shapes: (N, C, H, W) or (C, H, W) -> (N, C * kernel, windows) or (C * kernel, windows).

    Raises:
        RuntimeError: another number of dimensions; a kernel larger than the padded image.
    """
    input, unbatched = with_batch("unfold", input, 2)
    frame = _blocks("unfold", input.shape[2:], kernel_size, dilation, padding, stride)
    n, channels = input.shape[:2]
    columns = windows(input, frame).reshape(
        n, channels * math.prod(frame.kernel), math.prod(frame.out))
    return columns.squeeze(0) if unbatched else columns


@composed(home="nn.functional", method=False, samples=[
    S(t(2, 18, 9), (5, 4), (3, 2)), S(t(2, 12, 6), (5, 4), 2, 2, 1, 2), S(t(27, 6), (5, 4), 3)])
def fold(input: Tensor, output_size: int | Sequence[int], kernel_size: int | Sequence[int],
         dilation: int | Sequence[int] = 1, padding: int | Sequence[int] = 0,
         stride: int | Sequence[int] = 1) -> Tensor:
    """Columns added at the positions that `unfold` takes them from (col2im); overlaps accumulate.

    Shapes: (N, C * kernel, windows) or (C * kernel, windows) -> (N, C, *output_size) or
    (C, *output_size).

    Raises:
        RuntimeError: a number of rows or columns that does not fit the kernel and output_size.
    """
    input, unbatched = with_batch("fold", input, 1)
    size = per_dim("fold", "output_size", output_size, 2)
    frame = _blocks("fold", size, kernel_size, dilation, padding, stride)
    n, rows, columns = input.shape
    if rows % math.prod(frame.kernel):
        raise RuntimeError(f"fold: columns of {rows} elements, in an input of shape "
                           f"{tuple(input.shape)}, do not consist of kernels of {frame.kernel}")
    if columns != math.prod(frame.out):
        raise RuntimeError(f"fold: an image of {size} has {frame.out} windows, "
                           f"{math.prod(frame.out)} in all; the input of shape "
                           f"{tuple(input.shape)} has {columns}")
    image = overlap_add(
        input.reshape(n, rows // math.prod(frame.kernel), *frame.kernel, *frame.out), frame)
    return image.squeeze(0) if unbatched else image
