"""Dropout and its variants. Masks are drawn from the generator of the input's device."""

from __future__ import annotations

import math

from .. import random
from ..arrays import devices
from ..arrays.streams import in_memory_order
from ..autograd.frames import warn
from ..autograd.graph import tensor_of
from ..autograd.table import composed
from ..tensors.tensor import Tensor
from .checks import need_dims, need_floating
from .samples import S, t

# The limit of SELU at -inf, -λα: alpha dropout writes it where dropout writes 0.
SATURATED = -1.7580993408473766
SAMPLES = [S(t(2, 3), 0.0, True), S(t(2, 3), 1.0, True), S(t(2, 3), 0.4, False)]


def _kept(input, shape, p):
    """1 with probability 1 - p, else 0, in the dtype and on the device of `input`."""
    where = input.device
    devices.array_module(input._array)  # of several GPUs, that of the input is current now
    kept = random.generator_of(where).stream.less(math.prod(shape), 1 - p)
    kept = in_memory_order(kept, input._array) if shape == input.shape else kept.reshape(shape)
    return devices.to_device(kept, where).astype(input.dtype.numpy)


def _tensor(input, array):
    """An array as a Tensor of the dtype of `input`; bfloat16 times a number is float32 in NumPy."""
    return tensor_of(array.astype(input.dtype.numpy, copy=False), None)


def _is_drawn(name, input, p, training):
    """Whether a mask must be drawn; checks the arguments.

    Raises:
        ValueError: a probability outside of [0, 1].
        RuntimeError: the input is of integers.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: the probability of a zero must be in [0, 1], got {p}")
    if not training or p == 0 or not input.numel():
        return False
    need_floating(name, input)
    return True


def _drop(name, input, p, training, inplace, shape):
    """0 with probability p, else input / (1 - p); one draw for each element of `shape`."""
    if not _is_drawn(name, input, p, training):
        return input
    p = float(p)  # a NumPy scalar would change the dtype
    if p == 1:  # without drawing, as in PyTorch
        return input.mul_(0.0) if inplace else input * 0.0
    mask = _tensor(input, _kept(input, shape, p) * (1 / (1 - p)))
    return input.mul_(mask) if inplace else input * mask


def _drop_alpha(name, input, p, training, inplace, shape):
    """As `_drop`, with SATURATED in place of 0, scaled and shifted to mean 0 and variance 1."""
    if not _is_drawn(name, input, p, training):
        return input
    p = float(p)
    if p == 1:
        return input.mul_(0.0) if inplace else input * 0.0
    kept = _kept(input, shape, p)
    scale = 1 / math.sqrt((SATURATED ** 2 * p + 1) * (1 - p))
    shift = _tensor(input, (1 - kept) * (SATURATED * scale) - SATURATED * scale * p)
    mask = _tensor(input, kept * scale)
    return input.mul_(mask).add_(shift) if inplace else input * mask + shift


def _by_feature(input):
    """The shape of a mask with one element for each channel of each sample of (N, C, *)."""
    return (*input.shape[:2], *(1,) * (input.ndim - 2))


@composed(home="nn.functional", method=False, samples=[*SAMPLES, S(t(), 1.0), S(t(0, 2), 0.5)])
def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """0 with probability p, else input / (1 - p); the input itself unless training.

    Shapes: (*) -> (*). Srivastava et al. 2014, scaled in training instead of in evaluation.

    Raises:
        ValueError: p outside of [0, 1].
    """
    return _drop("dropout", input, p, training, inplace, tuple(input.shape))


@composed(home="nn.functional", method=False, samples=[*SAMPLES, S(t(2, 3, 2), 1.0)])
def dropout1d(input: Tensor, p: float = 0.5, training: bool = True,
              inplace: bool = False) -> Tensor:
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
def dropout2d(input: Tensor, p: float = 0.5, training: bool = True,
              inplace: bool = False) -> Tensor:
    """Whole channels 0 with probability p, else input / (1 - p). Shapes: (N, C, H, W).

    Warns for other numbers of dims, which are taken as (N, C, *). Tompson et al. 2015.

    Raises:
        ValueError: p outside of [0, 1].
        RuntimeError: fewer than 2 dims.
    """
    return _drop("dropout2d", input, p, training, inplace, _channels("dropout2d", input, 4))


@composed(home="nn.functional", method=False, samples=[
    S(t(2, 3, 1, 2, 2), 1.0), S(t(3, 1, 2, 2), 1.0), S(t(2, 3, 1, 2, 2), 0.4, False)])
def dropout3d(input: Tensor, p: float = 0.5, training: bool = True,
              inplace: bool = False) -> Tensor:
    """Whole channels 0 with probability p, else input / (1 - p).

    Shapes: (N, C, D, H, W) or (C, D, H, W); warns for other numbers of dims.

    Raises:
        ValueError: p outside of [0, 1].
        RuntimeError: fewer than 2 dims.
    """
    shape = (input.shape[0], 1, 1, 1) if input.ndim == 4 else _channels("dropout3d", input, 5)
    return _drop("dropout3d", input, p, training, inplace, shape)


def _channels(name, input, expected):
    """As `_by_feature`; warns if the input does not have the expected number of dims."""
    need_dims(name, input, 2)
    if input.ndim != expected:
        instead = {2: "dropout for elements, dropout1d for (C, L)", 3: "dropout1d"}
        warn(f"{name}: an input of shape {tuple(input.shape)} is taken as (N, C, *); use "
             f"{instead.get(input.ndim, 'the form for its number of dims')}")
    return _by_feature(input)


@composed(home="nn.functional", method=False, samples=SAMPLES)
def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False,
                  inplace: bool = False) -> Tensor:
    """Dropout to the limit of SELU at -inf, scaled and shifted to keep mean 0 and variance 1.

    Shapes: (*) -> (*). Klambauer et al. 2017.

    Raises:
        ValueError: p outside of [0, 1].
    """
    return _drop_alpha("alpha_dropout", input, p, training, inplace, tuple(input.shape))


@composed(home="nn.functional", method=False, samples=[
    *SAMPLES, S(t(2, 3, 2), 1.0, True)])
def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False,
                          inplace: bool = False) -> Tensor:
    """`alpha_dropout` of whole channels. Shapes: (N, C, *) -> (N, C, *).

    Raises:
        ValueError: p outside of [0, 1].
        RuntimeError: fewer than 2 dims.
    """
    if training:
        need_dims("feature_alpha_dropout", input, 2)
    return _drop_alpha("feature_alpha_dropout", input, p, training, inplace, _by_feature(input))
