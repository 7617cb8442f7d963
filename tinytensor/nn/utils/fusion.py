"""Fuses a layer with the batch normalisation that follows it, for evaluation."""

from __future__ import annotations

import copy
from typing import TypeVar

from ...tensors.tensor import Tensor
from ..convolution import Convolution
from ..linear import Linear
from ..module import Module
from ..normalization import BatchNorm
from ..parameter import Parameter

Conv = TypeVar("Conv", bound=Convolution)


def fuse_conv_bn_eval(conv: Conv, bn: BatchNorm, transpose: bool = False) -> Conv:
    """A convolution that computes bn(conv(x)) in evaluation mode.

    Args:
        transpose: whether conv is a transposed convolution.

    Raises:
        RuntimeError: a layer is in training mode, or bn has no running statistics.
    """
    mean, variance = _running_statistics("fuse_conv_bn_eval", conv, bn)
    fused = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, mean, variance, bn.eps, bn.weight, bn.bias, transpose)
    return fused


def fuse_conv_bn_weights(conv_w: Tensor, conv_b: Tensor | None, bn_rm: Tensor, bn_rv: Tensor,
                         bn_eps: float, bn_w: Tensor | None, bn_b: Tensor | None,
                         transpose: bool = False) -> tuple[Parameter, Parameter]:
    """Weight and bias of the fused convolution; see `fuse_conv_bn_eval`."""
    factor = 1 / (bn_rv + bn_eps).sqrt()
    factor = factor if bn_w is None else factor * bn_w
    shape = [1] * conv_w.ndim
    shape[1 if transpose else 0] = -1
    bias = (0.0 if conv_b is None else conv_b) - bn_rm
    bias = bias * factor if bn_b is None else bias * factor + bn_b
    return (Parameter((conv_w * factor.reshape(shape)).detach(), conv_w.requires_grad),
            Parameter(bias.detach(), conv_w.requires_grad if conv_b is None
                      else conv_b.requires_grad))


def fuse_linear_bn_eval(linear: Linear, bn: BatchNorm) -> Linear:
    """A linear layer that computes bn(linear(x)) in evaluation mode.

    Raises:
        RuntimeError: a layer is in training mode, or bn has no running statistics.
        ValueError: the numbers of features differ.
    """
    mean, variance = _running_statistics("fuse_linear_bn_eval", linear, bn)
    if linear.out_features != bn.num_features and bn.num_features != 1:
        raise ValueError("fuse_linear_bn_eval: the layers must have equal numbers of features, got "
                         f"out_features={linear.out_features} and num_features={bn.num_features}")
    fused = copy.deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(
        linear.weight, linear.bias, mean, variance, bn.eps, bn.weight, bn.bias)
    return fused


def fuse_linear_bn_weights(linear_w: Tensor, linear_b: Tensor | None, bn_rm: Tensor,
                           bn_rv: Tensor, bn_eps: float, bn_w: Tensor | None,
                           bn_b: Tensor | None) -> tuple[Parameter, Parameter]:
    """Weight and bias of the fused linear layer; see `fuse_linear_bn_eval`."""
    return fuse_conv_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)


def _running_statistics(name: str, layer: Module, bn: BatchNorm) -> tuple[Tensor, Tensor]:
    """The running mean and variance; raises RuntimeError unless both layers can be fused."""
    if layer.training or bn.training:
        raise RuntimeError(f"{name}: both layers must be in evaluation mode; call eval() first")
    if bn.running_mean is None or bn.running_var is None:
        raise RuntimeError(f"{name}: the batch normalisation has no running statistics; create it "
                           "with track_running_stats=True")
    return bn.running_mean, bn.running_var
