"""A layer and the batch normalisation behind it as one layer, for evaluation."""

from __future__ import annotations

import copy
from typing import Any

from ..parameter import Parameter


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """A convolution that computes what `bn(conv(x))` does in evaluation mode.

    Raises:
        RuntimeError: one of them is training; bn has no running statistics.
    """
    _check("fuse_conv_bn_eval", conv, bn)
    fused = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias,
        transpose)
    return fused


def fuse_conv_bn_weights(conv_w: Any, conv_b: Any, bn_rm: Any, bn_rv: Any, bn_eps: float,
                         bn_w: Any, bn_b: Any, transpose: bool = False) -> tuple[Any, Any]:
    """Weight and bias of the fused convolution; see fuse_conv_bn_eval."""
    factor = 1 / (bn_rv + bn_eps).sqrt()
    factor = factor if bn_w is None else factor * bn_w
    shape = [1] * conv_w.ndim
    shape[1 if transpose else 0] = -1
    bias = (0.0 if conv_b is None else conv_b) - bn_rm
    bias = bias * factor if bn_b is None else bias * factor + bn_b
    return (Parameter((conv_w * factor.reshape(shape)).detach(), conv_w.requires_grad),
            Parameter(bias.detach(), conv_w.requires_grad if conv_b is None
                      else conv_b.requires_grad))


def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """A linear layer that computes what `bn(linear(x))` does in evaluation mode.

    Raises:
        RuntimeError: one of them is training; bn has no running statistics.
        ValueError: another number of features.
    """
    _check("fuse_linear_bn_eval", linear, bn)
    if linear.out_features != bn.num_features and bn.num_features != 1:
        raise ValueError(f"fuse_linear_bn_eval: {bn.num_features} features do not fit the "
                         f"{linear.out_features} of the linear layer")
    fused = copy.deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(
        linear.weight, linear.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias)
    return fused


def fuse_linear_bn_weights(linear_w: Any, linear_b: Any, bn_rm: Any, bn_rv: Any, bn_eps: float,
                           bn_w: Any, bn_b: Any) -> tuple[Any, Any]:
    """Weight and bias of the fused linear layer; see fuse_linear_bn_eval."""
    return fuse_conv_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)


def _check(name: str, layer: Any, bn: Any) -> None:
    if layer.training or bn.training:
        raise RuntimeError(f"{name}: both layers must be in evaluation mode; call eval() first")
    if bn.running_mean is None or bn.running_var is None:
        raise RuntimeError(f"{name}: the batch normalisation has no running statistics")
