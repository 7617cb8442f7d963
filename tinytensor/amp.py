"""Mixed precision, under the names of `torch.amp`.

`autocast` casts nothing here: every operation computes in the dtype of its inputs, so a program of
float32 Tensors stays one. What it trains is as good, in float32 better, and takes as long as
without. `GradScaler` does what its name says, for programs that hold their weights in float16.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from .arrays.devices import array_module
from .autograd.modes import no_grad
from .tensors.tensor import Tensor

__all__ = ["GradScaler", "autocast"]


class autocast:  # noqa: N801 - PyTorch's name
    """A block, or a decorator, inside of which PyTorch casts some inputs to a shorter dtype.

    Here it changes nothing; the arguments are checked and kept.

    Raises:
        RuntimeError: another device than "cpu" and "cuda".
    """

    def __init__(self, device_type: str, dtype: Any = None, enabled: bool = True,
                 cache_enabled: bool | None = None):
        if device_type not in ("cpu", "cuda"):
            raise RuntimeError(f"autocast: unknown device_type {device_type!r}; there are 'cpu' "
                               "and 'cuda'")
        self.device, self.fast_dtype, self.enabled = device_type, dtype, enabled

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return inside


class GradScaler:
    """Keeps small gradients from vanishing in float16: the loss is scaled up, gradients down again.

        scaler.scale(loss).backward()
        scaler.step(optimizer)          # skipped if a gradient is inf or NaN
        scaler.update()                 # the scale falls after a skipped step, grows after many

    Micikevicius et al. 2018. With enabled=False `scale` and `update` do nothing and `step` only
    steps.

    Args:
        init_scale: the scale of the first step.
        growth_factor: by what the scale grows after growth_interval steps without inf or NaN.
        backoff_factor: by what it is multiplied after a step with one.

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
        # Of each optimizer that was unscaled since the last update: whether inf or NaN was found,
        self._found: dict[Any, bool] = {}
        self._stepped: set[Any] = set()  # and those that were stepped.

    def scale(self, outputs: Any) -> Any:
        """A Tensor times the scale, or all Tensors in an iterable."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs * self._scale  # type: ignore[operator]
        if isinstance(outputs, Iterable):
            scaled = map(self.scale, outputs)
            return type(outputs)(scaled) if isinstance(outputs, list | tuple) else scaled
        raise ValueError(f"GradScaler.scale: expected Tensors, got {type(outputs).__name__}")

    def unscale_(self, optimizer: Any) -> None:
        """Divides the gradients of an optimizer's parameters by the scale: to clip them, say.

        Raises:
            RuntimeError: it was called, or the optimizer stepped, since the last update.
        """
        if not self._enabled:
            return
        if optimizer in self._stepped:
            raise RuntimeError("unscale_() is being called after step()")
        if optimizer in self._found:
            raise RuntimeError("unscale_() has already been called on this optimizer since the "
                               "last update()")
        found = False
        with no_grad():
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        parameter.grad.mul_(1.0 / self._scale)
                        array = parameter.grad._array
                        found |= not bool(array_module(array).isfinite(array).all())
        self._found[optimizer] = found

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """optimizer.step(*args, **kwargs), unless a gradient is inf or NaN; unscales them before.

        Raises:
            RuntimeError: a closure; the optimizer stepped already since the last update.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        if optimizer in self._stepped:
            raise RuntimeError("step() has already been called since the last update()")
        if optimizer not in self._found:
            self.unscale_(optimizer)
        self._stepped.add(optimizer)
        return None if self._found[optimizer] else optimizer.step(*args, **kwargs)

    def update(self, new_scale: Any = None) -> None:
        """The scale of the next step: smaller if inf or NaN was found, or the one given.

        Raises:
            RuntimeError: no optimizer was unscaled or stepped since the last update.
        """
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = float(new_scale)
        elif not self._found:
            raise RuntimeError("No inf checks were recorded prior to update.")
        elif any(self._found.values()):
            self._scale *= self._backoff_factor
            self._growth_tracker = 0
        else:
            self._growth_tracker += 1
            if self._growth_tracker == self._growth_interval:
                self._scale *= self._growth_factor
                self._growth_tracker = 0
        self._found.clear()
        self._stepped.clear()

    def is_enabled(self) -> bool:
        return self._enabled

    def get_scale(self) -> float:
        """The scale of now; 1 if the scaler is not enabled."""
        return self._scale if self._enabled else 1.0

    def state_dict(self) -> dict[str, Any]:
        """The scale and how it changes, as plain data; empty if the scaler is not enabled."""
        if not self._enabled:
            return {}
        return {"scale": self._scale, "growth_factor": self._growth_factor,
                "backoff_factor": self._backoff_factor,
                "growth_interval": self._growth_interval, "_growth_tracker": self._growth_tracker}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on where the scaler was whose state this is.

        Raises:
            RuntimeError: the state of a scaler that was not enabled, for one that is.
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
