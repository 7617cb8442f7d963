"""Layers that take the size of their input from the first call: LazyLinear(10), LazyConv2d(8, 3).

Before the first call, or before a state_dict is loaded, their Parameters have no shape. Then the
layer changes its class to the ordinary one. The Parameter objects stay the same, so an optimizer
that was created before keeps training them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy

from ..random import Streams, using
from ..tensors.tensor import Tensor
from . import convolution, normalization
from .arguments import Device, DType, Sizes
from .linear import Linear
from .module import Module
from .parameter import UninitializedParameter
from .registry import Registry


class Lazy(Module):
    """The base class of lazy layers. A lazy layer becomes an instance of its last base class.

    A subclass of a lazy layer becomes what that layer becomes.
    """

    becomes: ClassVar[Any]
    size_name: ClassVar[str]  # the attribute that holds the inferred size

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not issubclass(cls.__bases__[-1], Lazy):
            cls.becomes = cls.__bases__[-1]

    def _init_lazily(self, *args: Any, **kwargs: Any) -> None:
        """Initialises the layer, given the ordinary layer's arguments after the size."""
        self.becomes.__init__(self, 0, *args, **kwargs)
        self._given = args, kwargs
        for name, p in list(self._parameters.items()):
            if p is not None:
                self._parameters[name] = UninitializedParameter(p.requires_grad, p.device, p.dtype)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not args and "input" not in kwargs:
            raise TypeError(f"{type(self).__name__}: the first call needs an input, whose size the "
                            "layer takes over")
        self._initialize(self._size_from_input(args[0] if args else kwargs["input"]))
        return self(*args, **kwargs)

    def has_uninitialized_params(self) -> bool:
        """True. After the first call the layer has the ordinary class, without this method."""
        return True

    def reset_parameters(self) -> None:
        """Does nothing: the weights are drawn when the size is known."""

    def _initialize(self, size: int) -> None:
        args, kwargs = self._given
        fresh = self.becomes(size, *args, **kwargs)
        for name, parameter in self._parameters.items():
            if isinstance(parameter, UninitializedParameter):
                parameter.materialize(getattr(fresh, name).shape)
                parameter.data.copy_(getattr(fresh, name).data)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                values = getattr(fresh, name)
                self._buffers[name] = values.to(device=buffer.device, dtype=buffer.dtype)
        setattr(self, self.size_name, size)
        del self._given
        self.__class__ = self.becomes

    def _size_from_input(self, input: Tensor) -> int:
        """The size that fits the first input."""
        raise NotImplementedError

    def _size_from_shapes(self, shapes: dict[str, tuple[int, ...]]) -> int | None:
        """The size of the layer whose state has these shapes; None if they do not tell."""
        raise NotImplementedError

    def _before_loading(self, state: dict[str, Any], prefix: str,
                        local_metadata: dict[str, Any]) -> None:
        names = [*self._parameters, *self._buffers]
        shapes = {name: tuple(state[prefix + name].shape) if isinstance(
            state[prefix + name], Tensor) else numpy.shape(state[prefix + name])
            for name in names if prefix + name in state}
        size = self._size_from_shapes(shapes)
        if size is not None:
            with using(Streams()):  # the drawn weights are overwritten
                self._initialize(size)
            self._before_loading(state, prefix, local_metadata)

    def _own_state(self) -> Iterator[tuple[str, Registry]]:
        """Nothing: there are no values yet. `_uninitialized_names` gives their names."""
        return iter(())

    def _uninitialized_names(self) -> list[str]:
        return [name for name, _ in super()._own_state()]


class LazyLinear(Lazy, Linear):
    """`Linear` whose in_features is the last size of the first input."""

    size_name = "in_features"

    def __init__(self, out_features: int, bias: bool = True, device: Device = None,
                 dtype: DType = None):
        self._init_lazily(out_features, bias, device, dtype)

    def _size_from_input(self, input: Tensor) -> int:
        return input.shape[-1]

    def _size_from_shapes(self, shapes: dict[str, tuple[int, ...]]) -> int | None:
        weight = shapes.get("weight", ())
        return weight[1] if len(weight) == 2 else None


class LazyConvolution(Lazy, convolution.Convolution):
    """The base class of lazy convolutions: the channels come before the dims of the kernel."""

    size_name = "in_channels"

    def _size_from_input(self, input: Tensor) -> int:
        if input.ndim not in (self.dims + 1, self.dims + 2):
            raise RuntimeError(f"{type(self).__name__}: the input must have {self.dims + 2} dims "
                               f"(N, C, *), or {self.dims + 1} without a batch, got shape "
                               f"{tuple(input.shape)}")
        return input.shape[-1 - self.dims]

    def _size_from_shapes(self, shapes: dict[str, tuple[int, ...]]) -> int | None:
        weight = shapes.get("weight", ())
        if len(weight) != self.dims + 2:
            return None
        return weight[0] if self.transposed else weight[1] * self.groups


class LazyPlainConvolution(LazyConvolution):
    """The base class of LazyConv1d, 2d and 3d."""

    def __init__(self, out_channels: int, kernel_size: Sizes, stride: Sizes = 1,
                 padding: Sizes | str = 0, dilation: Sizes = 1, groups: int = 1, bias: bool = True,
                 padding_mode: str = "zeros", device: Device = None, dtype: DType = None):
        self._init_lazily(out_channels, kernel_size, stride, padding, dilation, groups, bias,
                    padding_mode, device, dtype)


class LazyConv1d(LazyPlainConvolution, convolution.Conv1d):
    """`Conv1d` whose in_channels is the number of channels of the first input."""


class LazyConv2d(LazyPlainConvolution, convolution.Conv2d):
    """`Conv2d` whose in_channels is the number of channels of the first input."""


class LazyConv3d(LazyPlainConvolution, convolution.Conv3d):
    """`Conv3d` whose in_channels is the number of channels of the first input."""


class LazyTransposedConvolution(LazyConvolution):
    """The base class of LazyConvTranspose1d, 2d and 3d."""

    def __init__(self, out_channels: int, kernel_size: Sizes, stride: Sizes = 1,
                 padding: Sizes = 0, output_padding: Sizes = 0, groups: int = 1,
                 bias: bool = True, dilation: Sizes = 1, padding_mode: str = "zeros",
                 device: Device = None, dtype: DType = None):
        self._init_lazily(out_channels, kernel_size, stride, padding, output_padding, groups, bias,
                    dilation, padding_mode, device, dtype)


class LazyConvTranspose1d(LazyTransposedConvolution, convolution.ConvTranspose1d):
    """`ConvTranspose1d` whose in_channels is the number of channels of the first input."""


class LazyConvTranspose2d(LazyTransposedConvolution, convolution.ConvTranspose2d):
    """`ConvTranspose2d` whose in_channels is the number of channels of the first input."""


class LazyConvTranspose3d(LazyTransposedConvolution, convolution.ConvTranspose3d):
    """`ConvTranspose3d` whose in_channels is the number of channels of the first input."""


class LazyRunningNorm(Lazy, normalization.RunningNorm):
    """The base class of lazy normalisations. affine and track_running_stats are True by default."""

    size_name = "num_features"

    def __init__(self, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True, device: Device = None, dtype: DType = None, *,
                 bias: bool = True):
        self._init_lazily(eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def _size_from_input(self, input: Tensor) -> int:
        self._check_input_dim(input)
        batched = isinstance(self, normalization.BatchNorm) or input.ndim == max(self.dims)
        return input.shape[1 if batched else 0]

    def _size_from_shapes(self, shapes: dict[str, tuple[int, ...]]) -> int | None:
        known = (shapes.get(name, ()) for name in ("weight", "running_mean", "bias"))
        return next((shape[0] for shape in known if len(shape) == 1), None)


class LazyBatchNorm1d(LazyRunningNorm, normalization.BatchNorm1d):
    """`BatchNorm1d` whose num_features is the number of channels of the first input."""


class LazyBatchNorm2d(LazyRunningNorm, normalization.BatchNorm2d):
    """`BatchNorm2d` whose num_features is the number of channels of the first input."""


class LazyBatchNorm3d(LazyRunningNorm, normalization.BatchNorm3d):
    """`BatchNorm3d` whose num_features is the number of channels of the first input."""


class LazyInstanceNorm1d(LazyRunningNorm, normalization.InstanceNorm1d):
    """`InstanceNorm1d` whose num_features is the number of channels of the first input."""


class LazyInstanceNorm2d(LazyRunningNorm, normalization.InstanceNorm2d):
    """`InstanceNorm2d` whose num_features is the number of channels of the first input."""


class LazyInstanceNorm3d(LazyRunningNorm, normalization.InstanceNorm3d):
    """`InstanceNorm3d` whose num_features is the number of channels of the first input."""
