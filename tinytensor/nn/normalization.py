"""Normalisation layers: layer, RMS, group, batch, instance and local response."""

from __future__ import annotations

from typing import Any, ClassVar

from ..arrays import dtypes
from ..arrays.numbers import integers
from ..ops.normalization import counting
from ..tensors.creation import empty, ones, tensor, zeros
from ..tensors.tensor import Tensor
from . import functional, init
from .arguments import Device, DType, Sizes
from .module import Module
from .parameter import Parameter


class LayerNorm(Module):
    """(x - mean) / sqrt(var + eps) * weight + bias, over the last dims, of sizes normalized_shape.

    Shapes: (*, S) -> (*, S), S being normalized_shape. Ba, Kiros and Hinton 2016.
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(self, normalized_shape: Sizes, eps: float = 1e-5, elementwise_affine: bool = True,
                 bias: bool = True, device: Device = None, dtype: DType = None):
        super().__init__()
        self.normalized_shape = integers("normalized_shape", normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        _add_affine(self, self.normalized_shape, elementwise_affine, bias, device, dtype)

    def reset_parameters(self) -> None:
        """Sets weight to 1 and bias to 0."""
        _reset_affine(self)

    def forward(self, input: Tensor) -> Tensor:
        return functional.layer_norm(input, self.normalized_shape, self.weight, self.bias,
                                     self.eps)

    def extra_repr(self) -> str:
        return (f"{self.normalized_shape}, eps={self.eps}, "
                f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}")


class RMSNorm(Module):
    """x / sqrt(mean of x² + eps) * weight, over the last dims. Shapes: (*, S) -> (*, S).

    eps=None is the machine epsilon of the input's dtype. Zhang and Sennrich 2019.
    """

    weight: Parameter | None

    def __init__(self, normalized_shape: Sizes, eps: float | None = None,
                 elementwise_affine: bool = True, device: Device = None, dtype: DType = None):
        super().__init__()
        self.normalized_shape = integers("normalized_shape", normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.register_parameter("weight", Parameter(
            ones(self.normalized_shape, device=device, dtype=dtype)) if elementwise_affine
            else None)

    def reset_parameters(self) -> None:
        """Sets the weight to 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        return functional.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return (f"{self.normalized_shape}, eps={self.eps}, "
                f"elementwise_affine={self.elementwise_affine}")


class GroupNorm(Module):
    """(x - mean) / sqrt(var + eps) * weight + bias, over each group of channels of each sample.

    Shapes: (N, C, *) -> (N, C, *). Wu and He 2018.

    Raises:
        ValueError: num_groups does not divide num_channels.
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True,
                 device: Device = None, dtype: DType = None, *, bias: bool = True):
        super().__init__()
        if num_channels % num_groups:
            raise ValueError("GroupNorm: num_groups must divide num_channels, got "
                             f"num_groups={num_groups} and num_channels={num_channels}")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        _add_affine(self, (num_channels,), affine, bias, device, dtype)

    def reset_parameters(self) -> None:
        """Sets weight to 1 and bias to 0."""
        _reset_affine(self)

    def forward(self, input: Tensor) -> Tensor:
        return functional.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
                f"bias={self.bias is not None}")


class LocalResponseNorm(Module):
    """x / (k + alpha mean of x² over `size` neighbouring channels)**beta.

    Shapes: (N, C, *) -> (N, C, *). Krizhevsky, Sutskever and Hinton 2012.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0):
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        return functional.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class RunningNorm(Module):
    """The base class of batch and instance normalisation: weights, running statistics, checks."""

    dims: ClassVar[tuple[int, ...]]  # the numbers of dims that the input may have
    layout: ClassVar[str]
    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None
    _version = 2  # added num_batches_tracked

    def _build(self, num_features: int, eps: float, momentum: float | None, affine: bool,
               track_running_stats: bool, bias: bool, device: Device, dtype: DType) -> None:
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        _add_affine(self, (num_features,), affine, bias, device, dtype)
        track = track_running_stats
        self.register_buffer("running_mean", zeros(
            num_features, device=device, dtype=dtype) if track else None)
        self.register_buffer("running_var", ones(
            num_features, device=device, dtype=dtype) if track else None)
        self.register_buffer("num_batches_tracked", tensor(
            0, dtype=dtypes.int64, device=device) if track else None)

    def _before_loading(self, state: dict[str, Any], prefix: str,
                        local_metadata: dict[str, Any]) -> None:
        """A state of version 1, or of another program, may lack num_batches_tracked."""
        if local_metadata.get("version", 1) < 2 and self.num_batches_tracked is not None:
            state.setdefault(prefix + "num_batches_tracked", self.num_batches_tracked)

    def reset_running_stats(self) -> None:
        """Resets the running statistics to mean 0 and variance 1."""
        if self.track_running_stats:
            init.zeros_(self.running_mean)  # type: ignore[arg-type]
            init.ones_(self.running_var)  # type: ignore[arg-type]
            init.zeros_(self.num_batches_tracked)  # type: ignore[arg-type]

    def reset_parameters(self) -> None:
        """Resets the running statistics, and sets weight to 1 and bias to 0."""
        self.reset_running_stats()
        _reset_affine(self)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim not in self.dims:
            raise ValueError(f"{type(self).__name__}: the input must be {self.layout}, got shape "
                             f"{tuple(input.shape)}")

    def extra_repr(self) -> str:
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
                f"affine={self.affine}, bias={self.bias is not None}, "
                f"track_running_stats={self.track_running_stats}")


class BatchNorm(RunningNorm):
    """The base class of batch normalisation; see `BatchNorm1d`."""

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
                 affine: bool = True, track_running_stats: bool = True, device: Device = None,
                 dtype: DType = None, *, bias: bool = True):
        super().__init__()
        self._build(num_features, eps, momentum, affine, track_running_stats, bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        momentum = self.momentum
        if self.training and self.track_running_stats:
            count: Any = self.num_batches_tracked
            if not count.is_cpu and momentum is not None:  # counted where it is, without waiting
                with counting(count):
                    return self._normalized(input, momentum)
            init.constant_(count, count.item() + 1)
            if momentum is None:
                momentum = 1 / count.item()
        return self._normalized(input, momentum or 0.0)

    def _normalized(self, input: Tensor, momentum: float) -> Tensor:
        by_batch = self.training or self.running_mean is None
        use_running = not self.training or self.track_running_stats
        return functional.batch_norm(
            input, self.running_mean if use_running else None,
            self.running_var if use_running else None, self.weight, self.bias, by_batch,
            momentum, self.eps)


class BatchNorm1d(BatchNorm):
    """(x - mean) / sqrt(var + eps) * weight + bias, for each channel.

    While training, mean and var are those of the batch, and running_mean and running_var move
    towards them: running ← (1 - momentum) running + momentum batch. With momentum=None they are
    the average over all batches. In evaluation the running statistics are used, or those of the
    batch with track_running_stats=False.

    Shapes: (N, C) or (N, C, L) -> the same. Ioffe and Szegedy 2015.

    Raises:
        ValueError: the input has another number of dims.
    """

    dims, layout = (2, 3), "(N, C) or (N, C, L)"


class BatchNorm2d(BatchNorm):
    """`BatchNorm1d` for images. Shapes: (N, C, H, W) -> the same."""

    dims, layout = (4,), "(N, C, H, W)"


class BatchNorm3d(BatchNorm):
    """`BatchNorm1d` for volumes. Shapes: (N, C, D, H, W) -> the same."""

    dims, layout = (5,), "(N, C, D, H, W)"


class InstanceNorm(RunningNorm):
    """The base class of instance normalisation; see `InstanceNorm1d`."""

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1,
                 affine: bool = False, track_running_stats: bool = False, device: Device = None,
                 dtype: DType = None, *, bias: bool = True):
        super().__init__()
        self._build(num_features, eps, momentum, affine, track_running_stats, bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        single = input.ndim == self.dims[0]
        batch = input.unsqueeze(0) if single else input  # type: ignore[attr-defined]
        out = functional.instance_norm(
            batch, self.running_mean, self.running_var, self.weight, self.bias,
            self.training or not self.track_running_stats, self.momentum or 0.0, self.eps)
        return out.squeeze(0) if single else out


class InstanceNorm1d(InstanceNorm):
    """(x - mean) / sqrt(var + eps) * weight + bias, for each channel of each sample.

    With track_running_stats, evaluation uses running statistics, as in `BatchNorm1d`.

    Shapes: (N, C, L) or (C, L) -> the same. Ulyanov, Vedaldi and Lempitsky 2016.

    Raises:
        ValueError: the input has another number of dims.
    """

    dims, layout = (2, 3), "(N, C, L) or (C, L)"


class InstanceNorm2d(InstanceNorm):
    """`InstanceNorm1d` for images. Shapes: (N, C, H, W) or (C, H, W) -> the same."""

    dims, layout = (3, 4), "(N, C, H, W) or (C, H, W)"


class InstanceNorm3d(InstanceNorm):
    """`InstanceNorm1d` for volumes. Shapes: (N, C, D, H, W) or (C, D, H, W) -> the same."""

    dims, layout = (4, 5), "(N, C, D, H, W) or (C, D, H, W)"


def _add_affine(module: Module, shape: tuple[int, ...], affine: bool, bias: bool, device: Device,
                dtype: DType) -> None:
    """Registers weight and bias, or None in place of those that are not wanted."""
    for name, wanted in (("weight", affine), ("bias", affine and bias)):
        module.register_parameter(
            name, Parameter(empty(shape, device=device, dtype=dtype)) if wanted else None)
    _reset_affine(module)


def _reset_affine(module: Module) -> None:
    if module.weight is not None:
        init.ones_(module.weight)
    if module.bias is not None:
        init.zeros_(module.bias)
