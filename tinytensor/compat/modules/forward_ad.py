"""`torch.autograd.forward_ad`: derivatives along a direction, of a part of a program.

    with dual_level():
        x = make_dual(primal, tangent)
        y = f(x)
        value, derivative = unpack_dual(y)

u ↦ Jᵀ u is linear, and its derivative is J: `unpack_dual` runs two backwards, so what is
computed in between must be recorded, and within no_grad() there is no tangent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ...autograd.modes import enable_grad, is_grad_enabled
from ...func.derivatives import Pushed
from ...tensors.tensor import Tensor

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual",
           "unpack_dual"]


class UnpackedDualTensor(NamedTuple):
    """A value, and its derivative along the tangents, or None."""

    primal: Tensor
    tangent: Tensor | None


class _Level:
    """The dual Tensors of a level: `real`, by which results are differentiated, and `tangents`."""

    def __init__(self) -> None:
        self.real: list[Any] = []
        self.tangents: list[Tensor] = []


_levels: list[_Level] = []


def enter_dual_level() -> int:
    """Begins a level, and returns its number; `dual_level` is a context that does.

    Raises:
        RuntimeError: within another level.
    """
    if _levels:
        raise RuntimeError("forward_ad: levels cannot be nested; func.jvp can")
    _levels.append(_Level())
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """Ends the level: its dual Tensors have no tangents any more.

    Raises:
        RuntimeError: there is no level.
    """
    if not _levels:
        raise RuntimeError("forward_ad: there is no level to leave; write `with dual_level():`")
    _levels.pop()


class dual_level:  # noqa: N801 - PyTorch's name
    """A context in which Tensors may have tangents."""

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *exception: object) -> None:
        exit_dual_level()


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """The values of a Tensor, with a tangent: what is computed from it has a derivative along it.

    Raises:
        RuntimeError: there is no level; another shape; operations are not recorded.
        ValueError: not of floating point.
    """
    if not _levels:
        raise RuntimeError("make_dual: there is no level; write `with dual_level():` around it")
    for x in (tensor, tangent):
        if not x.is_floating_point():
            raise ValueError(f"make_dual: needs Tensors of floating point, got {x.dtype}")
    if tensor.shape != tangent.shape:
        raise RuntimeError(f"make_dual: a tangent of shape {tuple(tangent.shape)} for a Tensor of "
                           f"shape {tuple(tensor.shape)}")
    if not is_grad_enabled():
        raise RuntimeError("make_dual: within no_grad() nothing is recorded, so that there would "
                           "be no tangent")
    dual: Any = tensor.view_as(tensor) if tensor.requires_grad \
        else tensor.detach().requires_grad_()
    _levels[-1].real.append(dual)
    _levels[-1].tangents.append(tangent)
    return dual  # type: ignore[no-any-return]


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """(value, derivative along the tangents); the derivative is None for a Tensor that does not
    depend on dual ones, or outside of a level.

    Both have gradients by what requires them.
    """
    if not _levels or not tensor.requires_grad:
        return UnpackedDualTensor(tensor, None)
    current = _levels[-1]
    for dual, tangent in zip(current.real, current.tangents, strict=True):
        if tensor is dual:
            return UnpackedDualTensor(
                tensor if _recorded(tensor, current.real) else tensor.detach(), tangent)
    with enable_grad():
        pushed = Pushed(current, [tensor])
        used = [g is not None for g in pushed.pulled]
        if not any(used):
            return UnpackedDualTensor(tensor, None)
        derivative, = pushed(current.tangents)
    if _recorded(tensor, current.real) or any(t.requires_grad for t in current.tangents):
        return UnpackedDualTensor(tensor, derivative)
    return UnpackedDualTensor(tensor.detach(), derivative.detach())


def _recorded(tensor: Tensor, duals: Sequence[Any]) -> bool:
    """Whether a Tensor depends on leaves other than the dual Tensors."""
    from ...autograd.engine import topological_order

    own = {x._node for x in duals}
    order = topological_order({tensor._node})
    return any(not node.parents and node not in own for node in order) or any(
        node.parents for node in own)
