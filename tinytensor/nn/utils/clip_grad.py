"""Gradient clipping, in place: by the norm of all gradients, or element by element."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ...arrays.devices import (
    array_module,
    as_array,
    by_device,
    is_gpu_array,
    is_on_cpu,
    on,
    to_device,
)
from ...arrays.dispatch import Dispatch
from ...autograd import versions
from ...autograd.graph import tensor_of
from ...autograd.halves import half_of, narrowed, widened
from ...compat.older_forms import deprecated
from ...tensors.creation import number_of, tensor
from ...tensors.tensor import Tensor


def clip_grad_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float,
                    norm_type: float = 2.0, error_if_nonfinite: bool = False,
                    foreach: bool | None = None) -> Tensor:
    """Scales all gradients by min(1, max_norm / norm), where norm is that of all of them together.

    Returns the norm before. `foreach` has no effect. Pascanu, Mikolov and Bengio 2013.

    Raises:
        RuntimeError: the norm is inf or NaN and error_if_nonfinite is True. No gradient has
            changed.
    """
    parameters = _listed(parameters)
    gradients = [p.grad for p in parameters if p.grad is not None]
    total = get_total_norm(gradients, norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


clip_grad_norm = deprecated("nn.utils", clip_grad_norm_)


def get_total_norm(tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0,
                   error_if_nonfinite: bool = False, foreach: bool | None = None) -> Tensor:
    """(Σ abs(x)**p)**(1/p) over all elements of all Tensors, where p is norm_type.

    For p = inf it is the largest abs(x).

    Raises:
        RuntimeError: the norm is inf or NaN and error_if_nonfinite is True.
    """
    tensors = _listed(tensors)
    if not tensors:
        return tensor(0.0)
    p = float(norm_type)
    arrays = [t._array for t in tensors]
    if is_gpu_array(arrays[0]) or len(by_device(tensors)) > 1:
        arrays = [to_device(a, tensors[0].device) for a in arrays]
    xp = array_module(arrays[0])
    each = norms(xp, arrays, p)
    norm = as_array(_norm(xp, each, p))
    halves = set(map(half_of, arrays))
    half = halves.pop() if len(halves) == 1 else None  # one dtype for all gradients
    total = tensor_of(narrowed(norm, half) if half else norm, None)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise RuntimeError(f"get_total_norm: the {p}-norm of the gradients is {total.item()}, so "
                           "they cannot be clipped; a smaller learning rate may help, and "
                           "error_if_nonfinite=False scales them anyway")
    return total


def _norms(xp: Any, arrays: list[Any], p: float) -> Any:
    """The p-norm of each array."""
    return xp.stack([_norm(xp, array, p) for array in arrays])


norms = Dispatch("get_total_norm", _norms)


def _norm(xp: Any, array: Any, p: float) -> Any:
    """The p-norm of the elements of one array."""
    flat = widened(array).reshape(-1)
    if p == 2:
        return xp.sqrt(xp.dot(flat, flat))
    if math.isinf(p):
        sizes = xp.abs(flat)
        return sizes.max() if p > 0 else sizes.min()
    if p == 0:
        return (flat != 0).sum().astype(flat.dtype)
    return (xp.abs(flat) ** p).sum() ** (1 / p)


def clip_grads_with_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float,
                          total_norm: Tensor, foreach: bool | None = None) -> None:
    """Scales all gradients by min(1, max_norm / total_norm)."""
    factor = float(number_of(max_norm)) / (widened(total_norm._array) + 1e-6)
    factor = as_array(array_module(factor).minimum(factor, 1.0))
    if is_on_cpu(factor) and factor.item() == 1:  # reading it on a GPU would wait
        return
    gradients: list[Any] = [p.grad for p in _listed(parameters) if p.grad is not None]
    versions.note_writes([g._array for g in gradients], "clip_grad_norm_")
    for where, there in by_device(gradients):
        on(where, scale, [g._array for g in there], to_device(factor, where))


def _scale(xp: Any, arrays: list[Any], factor: Any) -> None:
    """Multiplies all arrays by one factor, in place."""
    for array in arrays:
        if half_of(array):
            array[...] = widened(array) * factor
        else:
            array *= factor.astype(array.dtype)


scale = Dispatch("clip_grads_with_norm_", _scale)


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float,
                     foreach: bool | None = None) -> None:
    """Clamps every element of every gradient to [-clip_value, clip_value]."""
    limit = float(clip_value)
    for parameter in _listed(parameters):
        if parameter.grad is not None:
            array = parameter.grad._array
            array_module(array).clip(array, -limit, limit, out=array)
            versions.note_write(array, "clip_grad_value_")


def _listed(tensors: Tensor | Iterable[Tensor]) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)
