"""Regression losses, and what all losses share.

cross_entropy.py   losses over classes and probabilities
margin_loss.py     losses that want a margin between scores or distances
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..arrays import dtypes
from ..arrays.numbers import python_number
from ..autograd.frames import warn
from ..autograd.halves import in_single
from ..autograd.table import composed
from ..tensors.tensor import Tensor
from .checks import need_one_of
from .elementwise import exp, log, square
from .index import where
from .samples import S, t
from .shape import broadcast_shapes

# ---------------------------------------------------------------- shared


REDUCTIONS = ("mean", "sum", "none")


def reduced(name: str, losses: Tensor, reduction: str) -> Tensor:
    """The mean of the losses, their sum, or the losses themselves.

    Raises:
        ValueError: another reduction.
    """
    if reduction == "mean":
        return losses.mean()
    if reduction == "sum":
        return losses.sum()
    need_one_of(name, "reduction", reduction, REDUCTIONS, ValueError)
    return losses


def check_tensors(name: str, input: Tensor, target: Tensor) -> None:
    """
    Raises:
        TypeError: the input or the target is not a Tensor.
    """
    if isinstance(input, Tensor) and isinstance(target, Tensor):
        return
    word, given = ("target", target) if isinstance(input, Tensor) else ("input", input)
    raise TypeError(f"{name}: the {word} must be a Tensor, got {type(given).__name__}; "
                    "write tensor(...) around it")


def warn_if_broadcast(name: str, input: Tensor, target: Tensor) -> None:
    """Warns if the shapes differ: (N, 1) against (N,) trains wrongly without failing.

    Raises:
        RuntimeError: the shapes do not broadcast.
        TypeError: the input or the target is not a Tensor.
    """
    check_tensors(name, input, target)
    if input._array.shape == target._array.shape:
        return
    shapes = f"the input has shape {tuple(input.shape)}, the target {tuple(target.shape)}"
    try:
        broadcast_shapes(input.shape, target.shape)
    except RuntimeError:
        raise RuntimeError(f"{name}: {shapes}; they must be equal") from None
    warn(f"{name}: {shapes}; they are broadcast against each other, which is seldom meant: "
         "make the shapes equal, with input.squeeze(-1) or target.unsqueeze(-1)")


def check_same_shape(name: str, input: Tensor, other: Tensor, word: str = "target") -> None:
    """
    Raises:
        ValueError: `other`, the target or the weight, differs in shape from the input.
        TypeError: one of them is not a Tensor.
    """
    check_tensors(name, input, other)
    if input._array.shape != other._array.shape:
        raise ValueError(f"{name}: the {word} has shape {tuple(other.shape)}, the input "
                         f"{tuple(input.shape)}; they must be equal")


# ---------------------------------------------------------------- regression


def _error(input: Tensor, target: Tensor) -> Tensor:
    """input - target, where bool counts as 0 and 1 beside floating point."""
    if input.dtype is dtypes.bool_ and target.dtype.is_floating_point:
        input = input.to(target.dtype)
    elif target.dtype is dtypes.bool_ and input.dtype.is_floating_point:
        target = target.to(input.dtype)
    return input - target


LOSS = [S(t(3, 4), t(3, 4)), S(t(5), t(5), reduction="sum"), S(t(2, 3), t(2, 3), reduction="none"),
        S(t(0), t(0)), S(t(), t())]
NEAR = [S(t(3, 4, low=0, high=0.9), t(3, 4, low=-0.9, high=0)), *LOSS[1:]]


def _weighted(name: str, losses: Tensor, weight: Tensor, reduction: str) -> Tensor:
    """The weighted losses, reduced; "mean" is Σ weight loss / Σ weight."""
    check_same_shape(name, losses, weight, "weight")
    total = losses * weight
    return total.sum() / weight.sum() if reduction == "mean" else reduced(name, total, reduction)


@composed(autocast="float32", widens=True, home="nn.functional", method=False, samples=[
    *LOSS, S(t(3, 4), t(3, 4), weight=t(3, 4, low=0.1)),
    S(t(3, 4), t(3, 4), weight=t(3, 4), reduction="none")])
def mse_loss(input: Tensor, target: Tensor, *, reduction: str = "mean",
             weight: Tensor | None = None) -> Tensor:
    """weight (input - target)²; "mean" divides by the sum of the weights.

    Shapes: (*), (*), weight (*) -> (), or (*) for reduction "none". Warns if shapes differ.

    Raises:
        ValueError: the weight differs in shape from the input.
    """
    warn_if_broadcast("mse_loss", input, target)
    losses = square(_error(input, target))
    if weight is not None:
        return _weighted("mse_loss", losses, weight, reduction)
    return reduced("mse_loss", losses, reduction)


@composed(autocast="float32", widens=True, home="nn.functional", method=False, samples=[
    *LOSS, S(t(3, 4), t(3, 4), weight=t(3, 4, low=0.1))])
def l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean",
            weight: Tensor | None = None) -> Tensor:
    """weight |input - target|; "mean" divides by the sum of the weights.

    Shapes: (*), (*), weight (*) -> (), or (*) for reduction "none". Warns if shapes differ.

    Raises:
        ValueError: the weight differs in shape from the input.
    """
    warn_if_broadcast("l1_loss", input, target)
    losses = (input - target).abs()
    if weight is not None:
        return _weighted("l1_loss", losses, weight, reduction)
    return reduced("l1_loss", losses, reduction)


def _huber(input: Tensor, target: Tensor, delta: float) -> Tensor:
    """error² / 2 up to |error| = delta, continued by its tangent."""
    size = _error(input, target).abs()
    bounded = size.clamp(max=delta)  # without a square, whose gradient is NaN at infinity
    return bounded * (size - 0.5 * bounded)


@composed(autocast="float32", widens=True, home="nn.functional", method=False, samples=[
    *NEAR, S(t(3, 4), t(3, 4), beta=0.3), S(t(3, 4), t(3, 4), beta=0.0)])
def smooth_l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean",
                   beta: float = 1.0) -> Tensor:
    """error² / (2 beta) where |error| < beta, else |error| - beta / 2. Girshick 2015.

    Shapes: (*), (*) -> (), or (*) for reduction "none". Warns if shapes differ.

    Raises:
        RuntimeError: a negative beta.
    """
    warn_if_broadcast("smooth_l1_loss", input, target)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss: beta must not be negative, got {beta}")
    losses = _huber(input, target, beta) / beta if beta else _error(input, target).abs()
    return reduced("smooth_l1_loss", losses, reduction)


@composed(autocast="float32 on cpu", widens=True, home="nn.functional", method=False, samples=[
    *NEAR, S(t(3, 4), t(3, 4), delta=0.3), S(t(3, 4), t(3, 4), weight=t(3, 4))])
def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0,
               weight: Tensor | None = None) -> Tensor:
    """error² / 2 where |error| < delta, else delta (|error| - delta / 2). Huber 1964.

    Shapes: (*), (*), weight (*) -> (), or (*) for reduction "none". Warns if shapes differ.
    "mean" divides by the number of elements, not by the weights.

    Raises:
        RuntimeError: a delta that is not positive.
        ValueError: the weight differs in shape from the input.
    """
    warn_if_broadcast("huber_loss", input, target)
    if delta <= 0:
        raise RuntimeError(f"huber_loss: delta must be positive, got {delta}")
    losses = _huber(input, target, delta)
    if weight is not None:
        check_same_shape("huber_loss", input, weight, "weight")
        losses = losses * weight
    return reduced("huber_loss", losses, reduction)


# ---------------------------------------------------------------- negative log-likelihoods


@composed(autocast="float32", widens=True, home="nn.functional", method=False, samples=[
    S(t(3, 4), t(3, 4)), S(t(5, low=0.5), t(5, low=0.5), log_input=False, full=True),
    S(t(5), t(5, low=1.1, high=4), full=True, reduction="sum"),
    S(t(5, low=0.5), t(5), log_input=False, reduction="none")])
def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool = True, full: bool = False, *,
                     eps: float = 1e-08, reduction: str = "mean") -> Tensor:
    """e**x - y x, the negative log-likelihood of counts y; x - y log(x + eps) if not log_input.

    Shapes: (*), (*) -> (), or (*) for reduction "none". `full` adds Stirling's approximation of
    log y! where y > 1.
    """
    losses = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        large = target > 1
        counts = target * large + ~large  # 1 where the approximation is not added
        stirling = counts * log(counts) - counts + 0.5 * log(2 * math.pi * counts)
        losses = losses + stirling * large
    return reduced("poisson_nll_loss", losses, reduction)


@composed(widens=True, home="nn.functional", method=False, samples=[
    S(t(3, 4), t(3, 4), t(3, 4, low=0.3)), S(t(3, 4), t(3, 4), t(3, 1, low=0.3), full=True),
    S(t(3, 4), t(3, 4), t(3, low=0.3), reduction="sum"), S(t(3, 4), t(3, 4), 0.7),
    S(t(3, 4), t(3, 4), t(3, 4, low=0.3, grad=False), eps=1.0, reduction="none")])
def gaussian_nll_loss(input: Tensor, target: Tensor, var: Tensor | float, full: bool = False,
                      eps: float = 1e-06, reduction: str = "mean") -> Tensor:
    """(log var + (input - target)² / var) / 2, with var at least eps. Nix and Weigend 1994.

    Shapes: (*), (*), var (*), or without or with 1 for the last dim, or a number -> (), or (*)
    for reduction "none". `full` adds log(2π) / 2. The gradient ignores the lower bound of var.

    Raises:
        ValueError: a negative variance, or one of another shape; another reduction.
    """
    need_one_of("gaussian_nll_loss", "reduction", reduction, REDUCTIONS, ValueError)
    var = python_number(var)
    if isinstance(var, int | float):
        least, log_var = var, math.log(max(var, eps))
        var = max(var, eps)
    else:
        least = var._array.min() if var.numel() and not var.is_meta else 0.0
        var = _fitting_variance(input, var)
        var = where(var < eps, var - var.detach() + eps, var)
        log_var = log(var)
    if least < 0:
        raise ValueError(f"gaussian_nll_loss: var must not be negative, got {least}")
    losses = 0.5 * (square(input - target) / var + log_var)
    if full:
        losses = losses + 0.5 * math.log(2 * math.pi)
    return reduced("gaussian_nll_loss", losses, reduction)


def _fitting_variance(input: Tensor, var: Tensor) -> Tensor:
    """`var` in a shape that broadcasts to the input's.

    Raises:
        ValueError: a shape that neither equals the input's, nor lacks the last dim, nor has 1 in
            one dim.
    """
    if input.shape[:-1] == var.shape and input.ndim:
        return var.unsqueeze(-1)
    differing = [m for n, m in zip(input.shape, var.shape, strict=False) if n != m]
    if var.ndim != input.ndim or differing not in ([], [1]):
        raise ValueError(f"gaussian_nll_loss: var has shape {tuple(var.shape)}, the input "
                         f"{tuple(input.shape)}; it must be equal, or 1 in one dim, or lack the "
                         "last")
    return var


# ---------------------------------------------------------------- penalties


@composed(home="nn.functional", method=False, reference=lambda torch: (
    lambda parameters: sum(p.pow(2).sum() for p in parameters)), samples=[S([t(2, 3), t(3)])])
def squared_norm(parameters: Iterable[Tensor]) -> Tensor:
    """Σ p² over all elements of all Tensors: the L2 penalty without its factor. Shapes: -> ().

    Raises:
        ValueError: there are no parameters.
    """
    parameters = list(parameters)
    if not parameters:
        raise ValueError("squared_norm: there are no parameters")
    return _sum_of_squares(parameters)


@in_single
def _sum_of_squares(parameters: list[Tensor]) -> Tensor:
    squares = [square(p).sum() for p in parameters]
    return sum(squares[1:], squares[0])
