"""Normalisation by the statistics of a batch, of a sample, or of a group of channels."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Sequence
from typing import Any

import numpy

from ..arrays import Array, dtypes
from ..arrays.devices import array_module
from ..arrays.dispatch import Dispatch
from ..arrays.numbers import integers
from ..autograd.halves import in_single
from ..autograd.modes import no_grad
from ..autograd.table import composed, op
from ..tensors.tensor import Tensor
from .samples import S, t

# ---------------------------------------------------------------- the op of most of them


@op(contiguous=True, mixes=True,
    promotes="same", method=False, internal=True, outputs=("out", "mean", "var"), samples=[
    S(t(3, 4), None, None, (1,), 1e-5), S(t(2, 3, 4), t(3, 1), t(3, 1), (0, 2), 1e-5),
    S(t(2, 3, 4), t(4), t(4), (2,), 0.1), S(t(2, 3, 4), t(3, 4), None, (1, 2), 1e-5)],
    reference=lambda torch: lambda x, weight, bias, dims, eps: (
        (x - x.mean(dims, True)) / (x.var(dims, correction=0, keepdim=True) + eps).sqrt()
        * (1 if weight is None else weight) + (0 if bias is None else bias),
        x.mean(dims, True), x.var(dims, correction=0, keepdim=True)))
def standardize(xp, input: Array, weight: Array | None, bias: Array | None, dims: tuple[int, ...],
                eps: float):
    """(x - mean) / sqrt(var + eps) * weight + bias, and the mean and var over `dims`.

    Shapes: (*), weight and bias that broadcast -> (*), and (*) with 1 for `dims` twice. The mean
    and var are results instead of residuals: their gradients make second derivatives correct.
    """
    centre = _mean(xp, input, dims)
    centred = input - centre
    var = _mean(xp, centred * centred, dims)
    scale = 1 / xp.sqrt(var + eps)
    out = centred * (scale if weight is None else scale * weight)
    return out if bias is None else out + bias, centre, var


def _mean(xp, x, dims):
    # For empty arrays the sum is 0, where NumPy's mean would warn.
    average = xp.mean if math.prod(x.shape) else xp.sum
    return average(x, axis=dims, keepdims=True)


@standardize.vjp("input", "weight", "bias")
def standardize_back(xp, g, needs, input, weight, bias, mean, var, dims, eps):
    g, g_mean, g_var = g
    n = max(math.prod(input.shape[d] for d in dims), 1)
    centred = input - mean
    d = d_weight = d_bias = None
    if g is not None:
        scale = 1 / xp.sqrt(var + eps)
        # Summed first over the dims in which weight and bias are constant: all three gradients use
        # these smaller sums.
        inner = tuple(d for d in dims if all(
            _is_constant(x, d - len(input.shape)) for x in (weight, bias)))
        d_bias, d_weight = g, g * centred
        if inner:
            d_bias = xp.sum(d_bias, axis=inner, keepdims=True)
            d_weight = xp.sum(d_weight, axis=inner, keepdims=True)
        d_weight = d_weight * scale
        if needs[0]:
            by_bias, by_weight, slope = d_bias, d_weight, scale
            if weight is not None:
                by_bias, by_weight, slope = d_bias * weight, d_weight * weight, scale * weight
            by_bias = xp.sum(by_bias, axis=dims, keepdims=True) * (1 / n)
            by_weight = xp.sum(by_weight, axis=dims, keepdims=True) * (1 / n)
            d = g * slope - centred * (by_weight * scale * scale) - by_bias * scale
    if g_mean is not None:
        each = g_mean * (1 / n)
        d = xp.broadcast_to(each, input.shape) if d is None else d + each
    if g_var is not None:
        d = g_var * centred * (2 / n) + (0.0 if d is None else d)
    return d, d_weight if needs[1] else None, d_bias if needs[2] else None


def _is_constant(x, dim):
    """Whether a weight is constant along a dim, counted from the end."""
    return x is None or len(x.shape) < -dim or x.shape[dim] == 1


# ---------------------------------------------------------------- over the dims of a sample


def _trailing(name, input, normalized_shape, **affine):
    """The dims of a normalized_shape: the last ones.

    Raises:
        RuntimeError: the input does not end in it; a weight or bias has another shape.
    """
    shape = normalized_shape
    if shape.__class__ is not tuple:
        shape = integers(f"{name}: normalized_shape", shape)
    if not shape or tuple(input.shape[-len(shape):]) != shape:
        raise RuntimeError(f"{name}: an input of shape {tuple(input.shape)} does not end in "
                           f"normalized_shape {shape}")
    for what, x in affine.items():
        if x is not None and tuple(x.shape) != shape:
            raise RuntimeError(f"{name}: the {what} has shape {tuple(x.shape)}, it must have "
                               f"normalized_shape {shape}")
    return tuple(range(input.ndim - len(shape), input.ndim))


@op(autocast="float32 on cuda", contiguous=True, mixes=True,
    promotes="same", home="nn.functional", method=False, residuals=("mean", "var"), samples=[
    S(t(3, 4), (4,)), S(t(2, 3, 4), (4,), t(4), t(4)), S(t(2, 3, 4), (3, 4), t(3, 4)),
    S(t(2, 5), (5,), t(5), t(5), eps=0.1), S(t(4), (4,), t(4)),
    S(t(0, 3), (3,), t(3), t(3)), S(t(2, 1, 3), [1, 3], t(1, 3), t(1, 3))])
def layer_norm(xp, input: Array, normalized_shape: int | Sequence[int], weight: Array | None = None,
               bias: Array | None = None, eps: float = 1e-05):
    """(x - mean) / sqrt(var + eps) * weight + bias, over the last dims, of shape normalized_shape.

    Shapes: (*, S), weight and bias (S) -> (*, S). Ba, Kiros and Hinton 2016.

    Raises:
        RuntimeError: the input does not end in `normalized_shape`; a weight or bias has another
            shape.
    """
    dims = _trailing("layer_norm", input, normalized_shape, weight=weight, bias=bias)
    return standardize.op.forward(xp, input, weight, bias, dims, eps)


@layer_norm.vjp("input", "weight", "bias")
def _(xp, g, needs, input, normalized_shape, weight, bias, mean, var, eps):
    dims = _trailing("layer_norm", input, normalized_shape)
    return standardize_back(xp, (g, None, None), needs, input, weight, bias, mean, var, dims, eps)


@op(contiguous=True, mixes=True,
    promotes="same", home="nn.functional", method=False, residuals=("square",), samples=[
    S(t(3, 4), (4,)), S(t(2, 3, 4), (4,), t(4)), S(t(2, 3, 4), (3, 4), t(3, 4), 0.1),
    S(t(0, 3), (3,), t(3))])
def rms_norm(xp, input: Array, normalized_shape: int | Sequence[int], weight: Array | None = None,
             eps: float | None = None):
    """x / sqrt(mean x² + eps) * weight, over the last dims, of shape normalized_shape.

    Shapes: (*, S), weight (S) -> (*, S). `eps` is that of the dtype by default. Zhang and
    Sennrich 2019.

    Raises:
        RuntimeError: the input does not end in `normalized_shape`; a weight of another shape.
    """
    dims = _trailing("rms_norm", input, normalized_shape, weight=weight)
    square = _mean(xp, input * input, dims)
    out = input * (1 / xp.sqrt(square + (smallest(input) if eps is None else eps)))
    return out if weight is None else out * weight, square


def smallest(input):
    """The eps of an input's dtype; Values are floats of double precision."""
    single = input.dtype in (numpy.float32, dtypes.float32)
    return float(numpy.finfo("float32" if single else "float64").eps)


@rms_norm.vjp("input", "weight")
def _(xp, g, needs, input, normalized_shape, weight, square, eps):
    dims = _trailing("rms_norm", input, normalized_shape)
    scale = 1 / xp.sqrt(square + (smallest(input) if eps is None else eps))
    weighted = g if weight is None else g * weight
    inner = _mean(xp, weighted * input, dims)
    d = weighted * scale - input * (inner * scale * scale * scale) if needs[0] else None
    return d, g * input * scale if needs[1] else None


# ---------------------------------------------------------------- over the samples of a batch


def _channels(name, input, **given):
    """The number of channels, and the shape in which a value for each broadcasts to the input.

    Raises:
        IndexError: the input has no dim of channels.
        RuntimeError: an argument without one value for each channel.
    """
    if input.ndim < 2:
        raise IndexError(f"{name}: expects an input of shape (N, C, *), got {tuple(input.shape)}")
    channels = input.shape[1]
    for what, x in given.items():
        if x is not None and tuple(x.shape) != (channels,):
            raise RuntimeError(f"{name}: {what} has shape {tuple(x.shape)}, but the input of shape "
                               f"{tuple(input.shape)} has {channels} channels")
    return channels, (channels,) + (1,) * (input.ndim - 2)


def _shaped(x, shape):
    return None if x is None else x.reshape(shape)


def _update(n, momentum, *pairs):
    """Moves running statistics, in place, towards those of a batch; the last is the variance.

    A variance over n elements becomes the unbiased one.
    """
    factors = (momentum, momentum * n / (n - 1))
    kept = [(*pair, factor) for pair, factor in zip(pairs, factors, strict=True)
            if pair[0] is not None]
    for running, _, _ in kept:
        running._check_write("batch_norm")
    if kept:
        move_averages(array_module(kept[0][0]._array), [
            (running._array, value._array.reshape(running.shape), factor)
            for running, value, factor in kept], 1 - momentum, batches.take())
    for running, _, _ in kept:
        running._note_write("batch_norm")


def _move_averages(xp, triples, rest, count):
    """running ← rest * running + factor * value, in place, for each (running, value, factor).

    `count`, if it is not None, becomes count + 1.
    """
    for running, value, factor in triples:
        running *= rest
        running += value.astype(running.dtype) * factor
    if count is not None:
        count += 1


move_averages = Dispatch("batch_norm", _move_averages)


class _Batches(threading.local):
    """The number of batches that the next update of running statistics is to count."""

    count: Any = None

    def take(self):
        count, self.count = self.count, None
        return count


batches = _Batches()


@contextlib.contextmanager
def counting(count):
    """Adds 1 to the Tensor `count` together with the update of running statistics in the block,
    which a GPU does in one launch; after it, if there is none.
    """
    batches.count = count._array
    try:
        yield
    finally:
        array = batches.take()
        if array is not None:
            array += 1
        count._note_write("batch_norm")


@in_single
def _fixed(input, running_mean, running_var, weight, bias, eps, shape):
    """Normalised by given statistics: one factor and one shift for each channel."""
    factor = 1 / (running_var + eps).sqrt()
    factor = factor if weight is None else factor * weight
    # The product saves -mean, which later updates of the running mean do not change.
    shift = -running_mean * factor
    shift = shift if bias is None else bias + shift
    result = input * factor.reshape(shape) + shift.reshape(shape)
    return result.to(input.dtype).contiguous()


@composed(home="nn.functional", method=False, samples=[
    S(t(4, 3), None, None, training=True), S(t(3, 2, 2), None, None, t(2), t(2), True),
    S(t(4, 3), t(3, grad=False), t(3, low=0.1, grad=False), t(3), t(3), True, 0.3, 0.01),
    S(t(2, 3, 2, 2), None, None, t(3), t(3), training=True),
    S(t(3, 2), t(2, grad=False), t(2, low=0.1, grad=False), t(2), t(2)),
    S(t(3, 2, 2), t(2, grad=False), t(2, low=0.1, grad=False)),
    S(t(1, 2), t(2, grad=False), t(2, low=0.1, grad=False), t(2)),
    S(t(0, 3), t(3, grad=False), t(3, low=0.1, grad=False))])
def batch_norm(input: Tensor, running_mean: Tensor | None, running_var: Tensor | None,
               weight: Tensor | None = None, bias: Tensor | None = None, training: bool = False,
               momentum: float = 0.1, eps: float = 1e-05) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias for each channel. Ioffe and Szegedy 2015.

    Shapes: (N, C, *), four (C) -> (N, C, *). In training the statistics are those of the batch,
    and the running ones, if given, become (1 - momentum) * running + momentum * batch, in place,
    with the unbiased variance. In evaluation the running ones are used.

    Raises:
        ValueError: only one value for each channel in training, which has no variance.
        RuntimeError: missing statistics, or shapes that do not fit.
    """
    if tuple(input.shape) == (0,):
        return input.clone()
    channels, shape = _channels("batch_norm", input, running_mean=running_mean,
                                running_var=running_var, weight=weight, bias=bias)
    if not training:
        if running_mean is None or running_var is None:
            raise RuntimeError("batch_norm: running_mean and running_var are needed unless "
                               "training=True")
        return _fixed(input, running_mean, running_var, weight, bias, eps, shape)
    n = input.numel() // max(channels, 1)
    if n == 1:
        raise ValueError("batch_norm: training needs more than 1 value per channel, got an input "
                         f"of shape {tuple(input.shape)}")
    dims = (0, *range(2, input.ndim))
    out, average, var = standardize(input, _shaped(weight, shape), _shaped(bias, shape), dims, eps)
    if n:
        with no_grad():
            _update(n, momentum, (running_mean, average), (running_var, var))
    return out


@composed(home="nn.functional", method=False, samples=[
    S(t(2, 3, 4)), S(t(2, 3, 2, 2), weight=t(3), bias=t(3)), S(t(2, 3, 4), weight=t(3), eps=0.1),
    S(t(2, 3, 4), t(3, grad=False), t(3, low=0.1, grad=False), t(3), t(3)),
    S(t(2, 3, 1), t(3, grad=False), t(3, low=0.1, grad=False), t(3), t(3), False)])
def instance_norm(input: Tensor, running_mean: Tensor | None = None,
                  running_var: Tensor | None = None, weight: Tensor | None = None,
                  bias: Tensor | None = None, use_input_stats: bool = True, momentum: float = 0.1,
                  eps: float = 1e-05) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias for each channel of each sample.

    Shapes: (N, C, *), four (C) -> (N, C, *). The running statistics, if given, are updated with
    the average over the samples. Without use_input_stats they are used instead.
    Ulyanov et al. 2016.

    Raises:
        ValueError: only one value for each channel of a sample, which has no variance.
        RuntimeError: missing statistics, or shapes that do not fit.
    """
    _, shape = _channels("instance_norm", input, running_mean=running_mean,
                         running_var=running_var, weight=weight, bias=bias)
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise RuntimeError("instance_norm: running_mean and running_var are needed unless "
                               "use_input_stats=True")
        return _fixed(input, running_mean, running_var, weight, bias, eps, shape)
    n = math.prod(input.shape[2:])
    if n == 1:
        raise ValueError("instance_norm: needs more than 1 value per channel and sample, got an "
                         f"input of shape {tuple(input.shape)}")
    out, average, var = standardize(input, _shaped(weight, shape), _shaped(bias, shape),
                                    tuple(range(2, input.ndim)), eps)
    if input.numel() and (running_mean is not None or running_var is not None):
        with no_grad():
            per_sample = tuple(input.shape[:2])
            _update(n, momentum, (running_mean, average.reshape(per_sample).mean(0)),
                    (running_var, var.reshape(per_sample).mean(0)))
    return out


@composed(autocast="float32 on cuda", widens=True, home="nn.functional", method=False, samples=[
    S(t(2, 4, 3), 2), S(t(2, 4, 3), 2, t(4), t(4)), S(t(2, 6), 3, t(6)),
    S(t(2, 4, 2, 2), 1, t(4), t(4)),
    S(t(2, 3, 4), 3, t(3), t(3)), S(t(2, 4), 2, eps=0.1)])
def group_norm(input: Tensor, num_groups: int, weight: Tensor | None = None,
               bias: Tensor | None = None, eps: float = 1e-05) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias, by groups of channels of each sample.

    Shapes: (N, C, *), weight and bias (C) -> (N, C, *). Wu and He 2018.

    Raises:
        RuntimeError: fewer than 2 dims; channels that num_groups does not divide; a weight or
            bias without one value for each channel.
        ValueError: only one value, which has no variance.
    """
    shape = tuple(input.shape)
    if len(shape) < 2:
        raise RuntimeError(f"group_norm: expects an input of shape (N, C, *), got {shape}")
    channels, _ = _channels("group_norm", input, weight=weight, bias=bias)
    if num_groups < 1 or channels % num_groups:
        raise RuntimeError(f"group_norm: {channels} channels, of an input of shape {shape}, cannot "
                           f"be divided into {num_groups} groups")
    members = channels // num_groups
    if shape[0] * members * math.prod(shape[2:]) == 1:
        raise ValueError("group_norm: needs more than 1 value per group, got an input of shape "
                         f"{shape}")
    grouped = (shape[0], num_groups, members, math.prod(shape[2:]))
    affine = (num_groups, members, 1)
    out = standardize(input.reshape(grouped), _shaped(weight, affine), _shaped(bias, affine),
                      (2, 3), eps).out
    return out.reshape(shape)
