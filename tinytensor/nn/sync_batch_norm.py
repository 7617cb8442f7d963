"""Batch normalisation by the statistics of the batches of all ranks together."""

from __future__ import annotations

import math
from typing import Any

from .. import distributed
from ..arrays.dtypes import float16
from ..autograd.function import Function
from ..autograd.modes import no_grad
from ..distributed.groups import Group
from ..ops.shape import cat
from ..tensors.creation import empty, full
from ..tensors.tensor import Tensor
from . import init
from .arguments import Device, DType
from .module import Module
from .normalization import BatchNorm


class _Gather(Function):
    """The vectors of all ranks as rows. Shapes: (K) -> (ranks, K)."""

    @staticmethod
    def forward(ctx: Any, input: Any, group: Group) -> Any:
        ctx.group = group
        rows = empty(distributed.get_world_size(group), *input.shape, dtype=input.dtype,
                     device=input.device)
        distributed.all_gather_into_tensor(rows, input, group)
        return rows

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return _Scatter.apply(grad, ctx.group), None


class _Scatter(Function):
    """This rank's row of the sum over all ranks. Shapes: (ranks, K) -> (K)."""

    @staticmethod
    def forward(ctx: Any, input: Any, group: Group) -> Any:
        ctx.group = group
        row = empty(*input.shape[1:], dtype=input.dtype, device=input.device)
        distributed.reduce_scatter_tensor(row, input.contiguous(), group=group)
        return row

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return _Gather.apply(grad, ctx.group), None


class SyncBatchNorm(BatchNorm):
    """`BatchNorm1d` by the mean and variance over the batches of all ranks of a group.

    The batches of the ranks may differ in size, and be empty. In evaluation, and with one rank, it
    is batch normalisation. `convert_sync_batchnorm` puts it in place of the BatchNorm layers of a
    model. The statistics are combined as in Chan, Golub and LeVeque 1979.

    Shapes: (N, C, *) -> the same.

    Raises:
        ValueError: the input has fewer than two dims, or in training there is one value per channel
            on all ranks together.
    """

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
                 affine: bool = True, track_running_stats: bool = True,
                 process_group: Group = None, device: Device = None, dtype: DType = None, *,
                 bias: bool = True):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype,
                         bias=bias)
        self.process_group = process_group

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError("SyncBatchNorm: the input must be (N, C, *), got shape "
                             f"{tuple(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        by_batch = self.training or self.running_mean is None
        if not by_batch or distributed.get_world_size(self.process_group) < 2:
            return super().forward(input)
        self._check_input_dim(input)
        return self._over_all_ranks(input)

    def _over_all_ranks(self, input: Any) -> Any:
        if input.dtype is float16:  # sums and counts may be larger than 65504
            return self._over_all_ranks(input.float()).to(input.dtype)
        dims = (0, *range(2, input.ndim))
        shape = (1, -1, *[1] * (input.ndim - 2))
        count = math.prod(input.shape[d] for d in dims)
        own = input.sum(dims) / max(count, 1)
        squares = ((input - own.view(shape)) ** 2).sum(dims)
        number = full((1,), float(count), dtype=input.dtype, device=input.device)
        rows = _Gather.apply(cat([own, squares, number]), self.process_group)
        c = self.num_features
        means, sums, counts = rows[:, :c], rows[:, c:2 * c], rows[:, 2 * c:].detach()
        n = counts.sum()
        if n.item() < 2:
            raise ValueError("SyncBatchNorm: training needs more than 1 value per channel, got an "
                             f"input of shape {tuple(input.shape)} and none on the other ranks")
        mean = (means * counts).sum(0) / n
        var = (sums + counts * (means - mean) ** 2).sum(0) / n
        self._move_statistics(mean, var * (n / (n - 1)))
        scale = (var + self.eps).rsqrt()
        if self.weight is not None:
            scale = scale * self.weight
        out = (input - mean.view(shape)) * scale.view(shape)
        return out if self.bias is None else out + self.bias.view(shape)  # type: ignore[attr-defined]

    def _move_statistics(self, mean: Any, var: Any) -> None:
        if not (self.training and self.track_running_stats):
            return
        count: Any = self.num_batches_tracked
        init.constant_(count, count.item() + 1)
        momentum = 1 / count.item() if self.momentum is None else self.momentum
        with no_grad():
            for running, new in ((self.running_mean, mean), (self.running_var, var)):
                assert running is not None
                running.lerp_(new.detach().to(running.dtype), momentum)  # type: ignore[attr-defined]

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Group = None) -> Module:
        """The model with a SyncBatchNorm in place of each BatchNorm layer.

        The new layers have the parameters and buffers of the old ones. A module that is itself
        such a layer is not changed; the result is to be used.
        """
        if isinstance(module, BatchNorm):
            if isinstance(module, cls):
                return module
            made = cls(module.num_features, module.eps, module.momentum, module.affine,
                       module.track_running_stats, process_group)
            for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
                setattr(made, name, getattr(module, name))
            return made.train(module.training)
        for name, child in list(module.named_children()):
            setattr(module, name, cls.convert_sync_batchnorm(child, process_group))
        return module
