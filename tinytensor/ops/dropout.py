"""Random zeros, for training. Each mask is drawn from the generator of the input's device."""

from __future__ import annotations

import math
from typing import Any

import numpy

from .. import random
from ..arrays import devices
from ..autograd.frames import warn
from ..autograd.graph import tensor_of
from ..autograd.table import composed
from .samples import S, t

Array = Any

# What SELU tends to far on the left, -λα: alpha dropout writes it where dropout writes 0.
SATURATED = -1.7580993408473766
SAMPLES = [S(t(2, 3), 0.0, True), S(t(2, 3), 1.0, True), S(t(2, 3), 0.4, False)]


def _kept(input, shape, p):
    """1 with probability 1 - p and else 0, of the dtype and on the device of `input`."""
    where = input.device
    uniform = random.default_generator(where).numpy.random(shape, dtype=numpy.float32)
    return devices.to_device(uniform >= p, where).astype(input.dtype.numpy)


def _is_drawn(name, input, p, training):
    """Whether there is anything to draw, after a look at the arguments.

    Raises:
        ValueError: a probability outside of [0, 1].
        RuntimeError: the input is of integers.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: the probability of a zero must be in [0, 1], got {p}")
    if not training or p == 0 or not input.numel():
        return False
    if not input.dtype.is_floating_point:
        raise RuntimeError(f"{name}: needs a floating point Tensor, got {input.dtype}; convert "
                           "it with .float() first")
    return True


def _drop(name, input, p, training, inplace, shape):
    """Zeros with probability p, drawn for `shape`, which broadcasts; the rest over 1 - p."""
    if not _is_drawn(name, input, p, training):
        return input
    p = float(p)  # NumPy's would decide the dtype
    mask = tensor_of(_kept(input, shape, p) * (1 / (1 - p) if p < 1 else 0.0), None)
    return input.mul_(mask) if inplace else input * mask


def _drop_alpha(name, input, p, training, inplace, shape):
    """The same with SATURATED for zero, then scaled and shifted back to mean 0 and variance 1."""
    if not _is_drawn(name, input, p, training):
        return input
    p = float(p)
    kept = _kept(input, shape, p)
    scale = 1 / math.sqrt((SATURATED ** 2 * p + 1) * (1 - p)) if p < 1 else 0.0
    shift = tensor_of((1 - kept) * (SATURATED * scale) - SATURATED * scale * p, None)
    mask = tensor_of(kept * scale, None)
    return input.mul_(mask).add_(shift) if inplace else input * mask + shift


def _by_feature(input):
    """The shape of a mask with one element for each channel of each sample, of (N, C, *)."""
    return (*input.shape[:2], *(1,) * (input.ndim - 2))


@composed(home="nn.functional", method=False, samples=[*SAMPLES, S(t(), 1.0), S(t(0, 2), 0.5)])
def dropout(input, p=0.5, training=True, inplace=False):
    """0 with probability p, else input / (1 - p); the input itself unless training.

    Shapes: (*) -> (*). Srivastava et al. 2014, scaled while training rather than after.

    Raises:
        ValueError: p outside of [0, 1].
    """
    return _drop("dropout", input, p, training, inplace, tuple(input.shape))


@composed(home="nn.functional", method=False, samples=[*SAMPLES, S(t(2, 3, 2), 1.0)])
def dropout1d(input, p=0.5, training=True, inplace=False):
    """Whole channels 0 with probability p, else input / (1 - p). Shapes: (N, C, L) or (C, L).

    Raises:
        ValueError: p outside of [0, 1].
        RuntimeError: another number of dims.
    """
    if input.ndim not in (2, 3):
        raise RuntimeError(f"dropout1d: expects an input of shape (N, C, L) or (C, L), got "
                           f"{tuple(input.shape)}")
    shape = _by_feature(input) if input.ndim == 3 else (input.shape[0], 1)
    return _drop("dropout1d", input, p, training, inplace, shape)


@composed(home="nn.functional", method=False, samples=[
    S(t(2, 3, 2, 2), 1.0), S(t(2, 3, 2, 2), 0.4, False)])
def dropout2d(input, p=0.5, training=True, inplace=False):
    """Whole channels 0 with probability p, else input / (1 - p). Shapes: (N, C, H, W).

    Warns of other numbers of dims: (N, C, L) is meant by three. Tompson et al. 2015.

    Raises:
        ValueError: p outside of [0, 1].
        RuntimeError: fewer than 2 dims.
    """
    return _drop("dropout2d", input, p, training, inplace, _channels("dropout2d", input, 4))


@composed(home="nn.functional", method=False, samples=[
    S(t(2, 3, 1, 2, 2), 1.0), S(t(3, 1, 2, 2), 1.0), S(t(2, 3, 1, 2, 2), 0.4, False)])
def dropout3d(input, p=0.5, training=True, inplace=False):
    """Whole channels 0 with probability p, else input / (1 - p).

    Shapes: (N, C, D, H, W) or (C, D, H, W); warns of other numbers of dims.

    Raises:
        ValueError: p outside of [0, 1].
        RuntimeError: fewer than 2 dims.
    """
    shape = (input.shape[0], 1, 1, 1) if input.ndim == 4 else _channels("dropout3d", input, 5)
    return _drop("dropout3d", input, p, training, inplace, shape)


def _channels(name, input, expected):
    """As `_by_feature`, with a warning where the input has other than the expected dims."""
    if input.ndim < 2:
        raise RuntimeError(f"{name}: needs at least 2 dims, got shape {tuple(input.shape)}")
    if input.ndim != expected:
        instead = {2: "dropout for elements, dropout1d for (C, L)", 3: "dropout1d"}
        warn(f"{name}: an input of shape {tuple(input.shape)} is taken as (N, C, *); use "
             f"{instead.get(input.ndim, 'the form for its number of dims')}")
    return _by_feature(input)


@composed(home="nn.functional", method=False, samples=SAMPLES)
def alpha_dropout(input, p=0.5, training=False, inplace=False):
    """Dropout that keeps mean 0 and variance 1: to SELU's left limit, then scaled and shifted.

    Shapes: (*) -> (*). Klambauer et al. 2017.

    Raises:
        ValueError: p outside of [0, 1].
    """
    return _drop_alpha("alpha_dropout", input, p, training, inplace, tuple(input.shape))


@composed(home="nn.functional", method=False, samples=[
    *SAMPLES, S(t(2, 3, 2), 1.0, True)])
def feature_alpha_dropout(input, p=0.5, training=False, inplace=False):
    """`alpha_dropout` of whole channels. Shapes: (N, C, *) -> (N, C, *).

    Raises:
        ValueError: p outside of [0, 1].
        RuntimeError: fewer than 2 dims.
    """
    if training and input.ndim < 2:
        raise RuntimeError("feature_alpha_dropout: needs at least 2 dims, got shape "
                           f"{tuple(input.shape)}")
    return _drop_alpha("feature_alpha_dropout", input, p, training, inplace, _by_feature(input))
