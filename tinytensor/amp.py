"""Mixed precision, under the names of `torch.amp`.

Inside `autocast` matrix products and convolutions give bfloat16 or float16, and losses float32.
That makes activations smaller. It does not make a CPU faster: these dtypes are computed in float32
and rounded. `GradScaler` scales the loss and the gradients, so that float16 can hold them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from .arrays import dtypes
from .arrays.devices import by_device, on
from .arrays.dispatch import Dispatch
from .autograd import versions
from .autograd.casting import ask, cast_to, casting
from .autograd.frames import warn
from .autograd.halves import half_of, widened
from .tensors.tensor import Tensor

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]


class _Optimizer(Protocol):
    """What GradScaler uses of an optimizer; `optim` is above this module."""

    param_groups: list[dict[str, Any]]

    def step(self) -> Any: ...


def is_autocast_available(device_type: str) -> bool:
    """Whether there is an `autocast` for a type of device: "cpu" and "cuda"."""
    return device_type in casting.chosen


def check_device_type(name: str, device_type: str) -> None:
    """
    Raises:
        TypeError: not a str.
        RuntimeError: there is no autocast for that type of device.
    """
    if not isinstance(device_type, str):
        raise TypeError(f"{name}: device_type must be a str, got {type(device_type).__name__}")
    if not is_autocast_available(device_type):
        raise RuntimeError(f"{name}: unknown device_type {device_type!r}; write 'cpu' or 'cuda'")


class autocast:  # noqa: N801 - PyTorch's name
    """A context or decorator in which operations cast their inputs, by PyTorch's lists.

    Matrix products, linear, convolutions, recurrent networks, prelu and attention compute in
    `dtype`; losses, and some functions whose results may leave the range of float16, in float32.
    Other operations compute in the dtype of their inputs. float64 is never cast.
    Parameters stay what they are, and so do their gradients. On nested autocasts the innermost
    counts.

    Args:
        device_type: "cpu" or "cuda", where the Tensors are that are cast.
        dtype: bfloat16 or float16; by default bfloat16 on the CPU and float16 on a GPU. float32
            switches it off, with a warning.
        enabled: False switches an autocast around it off.
        cache_enabled: without effect; PyTorch keeps the weights that it has cast.

    Raises:
        RuntimeError: a device_type other than "cpu" and "cuda".
        TypeError: a device_type that is not a str.
        ModuleNotFoundError: bfloat16 without the package ml_dtypes.
    """

    def __init__(self, device_type: str, dtype: dtypes.dtype | None = None, enabled: bool = True,
                 cache_enabled: bool | None = None):
        check_device_type("autocast", device_type)
        self.device, self.enabled = device_type, enabled
        self.fast_dtype = casting.chosen[device_type] if dtype is None else dtype
        self.cache_enabled = casting.keeps_weights if cache_enabled is None else cache_enabled
        if enabled and self.fast_dtype not in (dtypes.bfloat16, dtypes.float16):
            warn(f"autocast: bfloat16 and float16 can be cast to, got {self.fast_dtype}; it is "
                 "switched off")
            self.enabled = False
        self.around: list[Any] = []  # what held outside of each block that is open

    def __enter__(self) -> autocast:
        targets = {where: d for where, d in casting.targets.items() if where != self.device}
        if self.enabled:
            targets[self.device] = dtypes.BY_NUMPY[self.fast_dtype.numpy]  # raises if it is missing
            ask()
        self.around.append(dict(vars(casting)))
        casting.targets = targets
        casting.chosen = {**casting.chosen, self.device: self.fast_dtype}
        casting.keeps_weights = self.cache_enabled
        return self

    def __exit__(self, *exception: object) -> None:
        vars(casting).clear()
        vars(casting).update(self.around.pop())

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with autocast(self.device, self.fast_dtype, self.enabled, self.cache_enabled):
                return function(*args, **kwargs)

        return inside


def custom_fwd(fwd: Callable[..., Any] | None = None, *, device_type: str,
               cast_inputs: dtypes.dtype | None = None) -> Any:
    """A decorator of the forward of an `autograd.Function`, whose backward has `custom_bwd`.

    Args:
        device_type: "cpu" or "cuda", the autocast that is meant.
        cast_inputs: inside an autocast, floating point Tensors on that device, except float64, are
            cast to this dtype, also in lists, tuples and dicts, and the forward runs without
            autocast. By default it runs with it.

    Raises:
        RuntimeError: when it is called, for a device_type other than "cpu" and "cuda".
    """
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)
    forward = fwd

    @functools.wraps(forward)
    def called(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        check_device_type("custom_fwd", device_type)
        ctx._dtype = casting.chosen[device_type]
        active = device_type in casting.targets
        ctx._fwd_used_autocast = active and cast_inputs is None
        if not active or cast_inputs is None:
            return forward(ctx, *args, **kwargs)
        args, kwargs = cast_to(cast_inputs, device_type, args, kwargs)
        with autocast(device_type, enabled=False):
            return forward(ctx, *args, **kwargs)

    return called


def custom_bwd(bwd: Callable[..., Any] | None = None, *, device_type: str) -> Any:
    """A decorator of the backward of an `autograd.Function`: it runs inside an autocast if the
    forward, which has `custom_fwd`, did.
    """
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)
    backward = bwd

    @functools.wraps(backward)
    def called(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        with autocast(device_type, ctx._dtype, ctx._fwd_used_autocast):
            return backward(ctx, *args, **kwargs)

    return called


def _unscale(xp: Any, arrays: list[Any], factor: float) -> Any:
    """Multiplies all arrays by a number, in place. Whether all elements are finite then."""
    for array in arrays:
        if half_of(array):
            array[...] = widened(array) * factor
        else:
            array *= factor
    return xp.stack([xp.isfinite(array).all() for array in arrays]).all() if arrays else True


unscale = Dispatch("GradScaler.unscale_", _unscale)


class GradScaler:
    """Scales the loss, so that small gradients do not underflow in float16, and unscales gradients.

        scaler.scale(loss).backward()
        scaler.step(optimizer)          # skipped if a gradient is inf or NaN
        scaler.update()                 # lowers the scale after a skipped step

    Micikevicius et al. 2018. With enabled=False `scale` and `update` do nothing and `step` calls
    only optimizer.step().

    Args:
        init_scale: the initial scale.
        growth_factor: the scale is multiplied by it after growth_interval steps without inf or NaN.
        backoff_factor: the scale is multiplied by it after a step with inf or NaN.

    Raises:
        ValueError: a growth_factor of at most 1, a backoff_factor of at least 1.
    """

    def __init__(self, device: str = "cuda", init_scale: float = 2.0**16,
                 growth_factor: float = 2.0, backoff_factor: float = 0.5,
                 growth_interval: int = 2000, enabled: bool = True):
        if growth_factor <= 1.0:
            raise ValueError(f"GradScaler: growth_factor must be greater than 1, got "
                             f"{growth_factor}")
        if backoff_factor >= 1.0:
            raise ValueError(f"GradScaler: backoff_factor must be less than 1, got "
                             f"{backoff_factor}")
        self._enabled = enabled
        self._scale = float(init_scale)
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval, self._growth_tracker = growth_interval, 0
        # Whether the gradients had inf or NaN, for each optimizer unscaled since the last update.
        self._overflowed: dict[Any, bool] = {}
        self._stepped: set[Any] = set()  # the optimizers stepped since the last update

    def scale(self, outputs: Any) -> Any:
        """Multiplies a Tensor, or all Tensors of an iterable, by the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            # As PyTorch's: float16, whose largest number is 65504, could not hold a scaled loss.
            loss = outputs.float() if not outputs.ndim and half_of(outputs) else outputs
            return loss * self._scale  # type: ignore[operator]
        if isinstance(outputs, Iterable):
            scaled = map(self.scale, outputs)
            return type(outputs)(scaled) if isinstance(outputs, list | tuple) else scaled
        raise ValueError(f"GradScaler.scale: expected Tensors, got {type(outputs).__name__}")

    def unscale_(self, optimizer: _Optimizer) -> None:
        """Divides the gradients of an optimizer's parameters by the scale; call it before clipping.

        Raises:
            RuntimeError: the gradients were unscaled, or the optimizer stepped, since the last
                update.
        """
        if not self._enabled:
            return
        if optimizer in self._stepped:
            raise RuntimeError("unscale_() is being called after step()")
        if optimizer in self._overflowed:
            raise RuntimeError("unscale_() has already been called on this optimizer since the "
                               "last update()")
        gradients = [parameter.grad for group in optimizer.param_groups
                     for parameter in group["params"] if parameter.grad is not None]
        versions.note_writes([g._array for g in gradients], "unscale_")
        finite = [on(where, unscale, [g._array for g in there], 1.0 / self._scale)
                  for where, there in by_device(gradients)]
        self._overflowed[optimizer] = not all(map(bool, finite))  # waits, once for each device

    def step(self, optimizer: _Optimizer, *args: Any, **kwargs: Any) -> Any:
        """Unscales the gradients; calls optimizer.step(*args, **kwargs) unless one is inf or NaN.

        Raises:
            RuntimeError: a closure; the optimizer has already stepped since the last update.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        if optimizer in self._stepped:
            raise RuntimeError("step() has already been called since the last update()")
        if optimizer not in self._overflowed:
            self.unscale_(optimizer)
        self._stepped.add(optimizer)
        return None if self._overflowed[optimizer] else optimizer.step(*args, **kwargs)

    def update(self, new_scale: Tensor | float | None = None) -> None:
        """Sets the scale of the next step: new_scale, or a smaller one after inf or NaN.

        Raises:
            RuntimeError: no optimizer was unscaled or stepped since the last update.
        """
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = float(new_scale)
        elif not self._overflowed:
            raise RuntimeError("No inf checks were recorded prior to update.")
        elif any(self._overflowed.values()):
            self._scale *= self._backoff_factor
            self._growth_tracker = 0
        else:
            self._growth_tracker += 1
            if self._growth_tracker == self._growth_interval:
                self._scale *= self._growth_factor
                self._growth_tracker = 0
        self._overflowed.clear()
        self._stepped.clear()

    def is_enabled(self) -> bool:
        return self._enabled

    def get_growth_factor(self) -> float:
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        self._growth_interval = new_interval

    def get_scale(self) -> float:
        """The current scale; 1 if the scaler is not enabled."""
        return self._scale if self._enabled else 1.0

    def state_dict(self) -> dict[str, Any]:
        """The scale, its factors and its counter; empty if the scaler is not enabled."""
        if not self._enabled:
            return {}
        return {"scale": self._scale, "growth_factor": self._growth_factor,
                "backoff_factor": self._backoff_factor,
                "growth_interval": self._growth_interval, "_growth_tracker": self._growth_tracker}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the state of another scaler.

        Raises:
            RuntimeError: the state is empty, that of a scaler that was not enabled.
        """
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError("The source state dict is empty, possibly because it was saved "
                               "from a disabled instance of GradScaler.")
        self._scale = float(state_dict["scale"])
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._growth_tracker = state_dict["_growth_tracker"]
