"""The layers of einops for tinytensor: `from einops.layers.tinytensor import Rearrange`."""

from typing import Any

from einops.layers import RearrangeMixin, ReduceMixin
from einops.layers._einmix import _EinmixMixin

from ..nn.module import Module
from ..nn.parameter import Parameter
from ..ops.einsum import einsum
from ..tensors.creation import empty
from ..tensors.tensor import Tensor


class Rearrange(RearrangeMixin, Module):  # type: ignore[misc]
    """einops.rearrange as a layer: Rearrange("b c h w -> b (c h w)")."""

    def forward(self, input: Tensor) -> Any:
        return self._apply_recipe(input)


class Reduce(ReduceMixin, Module):  # type: ignore[misc]
    """einops.reduce as a layer: Reduce("b c h w -> b c", "mean")."""

    def forward(self, input: Tensor) -> Any:
        return self._apply_recipe(input)


class EinMix(_EinmixMixin, Module):  # type: ignore[misc]
    """A linear layer over any dims: EinMix("b t c -> b t o", weight_shape="c o", c=3, o=5)."""

    def _create_parameters(self, weight_shape: Any, weight_bound: float, bias_shape: Any,
                           bias_bound: float) -> None:
        self.weight = Parameter(empty(weight_shape).uniform_(-weight_bound, weight_bound))
        self.bias = None if bias_shape is None \
            else Parameter(empty(bias_shape).uniform_(-bias_bound, bias_bound))

    def _create_rearrange_layers(self, pre_reshape_pattern: Any, pre_reshape_lengths: Any,
                                 post_reshape_pattern: Any, post_reshape_lengths: Any) -> None:
        self.pre_rearrange = None if pre_reshape_pattern is None \
            else Rearrange(pre_reshape_pattern, **pre_reshape_lengths)
        self.post_rearrange = None if post_reshape_pattern is None \
            else Rearrange(post_reshape_pattern, **post_reshape_lengths)

    def forward(self, input: Tensor) -> Any:
        if self.pre_rearrange is not None:
            input = self.pre_rearrange(input)
        result = einsum(self.einsum_pattern, input, self.weight)
        if self.bias is not None:
            result = result + self.bias
        return result if self.post_rearrange is None else self.post_rearrange(result)
