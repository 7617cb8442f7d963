"""Multi-head attention as a layer."""

from __future__ import annotations

import math
from typing import Any

from .. import ops
from ..arrays import dtypes
from ..tensors.creation import empty, zeros
from ..tensors.tensor import Tensor
from . import functional, init
from .arguments import Device, DType
from .linear import Linear
from .module import Module
from .parameter import Parameter


class MultiheadAttention(Module):
    """W_o concat(head₁, ..., headₙ) + b_o, where head = softmax(q kᵀ / sqrt(d) + mask) v.

    q = W_q query + b_q, and k and v likewise; each head takes its own d = embed_dim / num_heads
    features of them. in_proj_weight stacks W_q, W_k and W_v. Where kdim or vdim differ from
    embed_dim, there are q_proj_weight, k_proj_weight and v_proj_weight instead. The weights begin
    with Xavier's uniform distribution, the biases with 0. For shapes see `forward`.

    Vaswani et al. 2017.

    Args:
        add_bias_kv: append a trained key and value to the sequence.
        add_zero_attn: append a key and value of zeros to the sequence.

    Raises:
        ValueError: embed_dim or num_heads is not positive.
        AssertionError: num_heads does not divide embed_dim.
    """

    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True,
                 add_bias_kv: bool = False, add_zero_attn: bool = False, kdim: int | None = None,
                 vdim: int | None = None, batch_first: bool = False, device: Device = None,
                 dtype: DType = None):
        super().__init__()
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError("MultiheadAttention: embed_dim and num_heads must be greater than 0, "
                             f"got {embed_dim} and {num_heads}")
        if embed_dim % num_heads:
            raise AssertionError("MultiheadAttention: num_heads must divide embed_dim, got "
                                 f"num_heads={num_heads} and embed_dim={embed_dim}")
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        self.add_zero_attn = add_zero_attn
        together = self.kdim == self.vdim == embed_dim
        shapes = {"q_proj_weight": None if together else (embed_dim, embed_dim),
                  "k_proj_weight": None if together else (embed_dim, self.kdim),
                  "v_proj_weight": None if together else (embed_dim, self.vdim),
                  "in_proj_weight": (3 * embed_dim, embed_dim) if together else None,
                  "in_proj_bias": (3 * embed_dim,) if bias else None,
                  "bias_k": (1, 1, embed_dim) if add_bias_kv else None,
                  "bias_v": (1, 1, embed_dim) if add_bias_kv else None}
        for name, shape in shapes.items():
            self.register_parameter(name, None if shape is None else Parameter(
                empty(shape, device=device, dtype=dtype)))
        self.out_proj = Linear(embed_dim, embed_dim, bias, device, dtype)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight,
                       self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)  # type: ignore[arg-type]
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    # ------------------------------------------------------------ forward

    def forward(self, query: Tensor, key: Tensor, value: Tensor,
                key_padding_mask: Tensor | None = None, need_weights: bool = True,
                attn_mask: Tensor | None = None, average_attn_weights: bool = True,
                is_causal: bool = False) -> tuple[Tensor, Tensor | None]:
        """The outputs, and the attention weights (None if need_weights is False).

        A bool mask is True where attention is not allowed. A float mask is added to the scores.
        A query for which all keys are masked gives NaN, or with need_weights=False the output
        bias.

        Shapes: query (L, N, E), key (S, N, kdim), value (S, N, vdim), or (N, L, E) and so on with
        batch_first, or without N; key_padding_mask (N, S); attn_mask (L, S) or (N * heads, L, S)
        -> the query's shape; (N, L, S), or (N, heads, L, S) with average_attn_weights=False.

        Args:
            key_padding_mask: True for the keys that are padding.
            need_weights: False is faster and needs less memory.
            is_causal: a hint that attn_mask, which must be given too, is the causal mask.

        Raises:
            AssertionError: numbers of dims or sizes do not fit, or a mask holds integers.
            RuntimeError: attn_mask has the wrong shape, or is_causal is True without attn_mask.
        """
        batched = self._check(query, key, value, key_padding_mask, attn_mask)
        if is_causal and attn_mask is None:
            raise RuntimeError("MultiheadAttention: is_causal=True is only a hint about attn_mask; "
                               "pass attn_mask too, for example "
                               "nn.Transformer.generate_square_subsequent_mask(L)")
        q, k, v = self._projected_heads(query, key, value, batched)
        count, _, _, size = q.shape
        hidden = k.shape[-2]
        k, v = self._lengthened(k, self.bias_k), self._lengthened(v, self.bias_v)
        is_causal = is_causal and key_padding_mask is None and not need_weights \
            and k.shape[-2] == hidden
        mask = None if is_causal else self._mask(query, attn_mask, key_padding_mask, count,
                                                 k.shape[-2] - hidden)
        dropout = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            scores = (q * (1 / math.sqrt(size))) @ k.transpose(-2, -1)
            weights = functional.softmax(scores if mask is None else scores + mask, -1)
            weights = functional.dropout(weights, dropout)
            attended = weights @ v
            weights = weights.mean(1) if average_attn_weights else weights
            weights = weights if batched else weights.squeeze(0)
        else:
            attended = functional.scaled_dot_product_attention(q, k, v, mask, dropout, is_causal)
        order = (0, 2, 1, 3) if self.batch_first or not batched else (2, 0, 1, 3)
        joined = attended.permute(*order).reshape(*(query.shape if batched else (1, *query.shape)))
        return self.out_proj(joined if batched else joined.squeeze(0)), weights

    def _projections(self, query: Tensor, key: Tensor, value: Tensor) -> Any:
        """q, k and v, each with its heads concatenated along the last dim."""
        linear, bias = functional.linear, self.in_proj_bias
        if self.in_proj_weight is None:
            weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        elif query is key and key is value:  # one matrix product for all three
            return linear(query, self.in_proj_weight, bias).chunk(3, -1)
        else:
            weights = self.in_proj_weight.chunk(3)
        biases = (None,) * 3 if bias is None else bias.chunk(3)
        return [linear(*given) for given in zip((query, key, value), weights, biases, strict=True)]

    def _projected_heads(self, query: Tensor, key: Tensor, value: Tensor, batched: bool,
                         ) -> list[Tensor]:
        """q, k and v, split into heads."""
        return [self._heads(x, batched) for x in self._projections(query, key, value)]

    def _heads(self, x: Tensor, batched: bool) -> Tensor:
        """x split into heads. Shapes: (L, N, E), (N, L, E) or (L, E) -> (N, heads, L, d)."""
        x = x.unflatten(-1, (self.num_heads, self.head_dim))
        if not batched:
            return x.unsqueeze(0).transpose(1, 2)
        return x.transpose(1, 2) if self.batch_first else x.permute(1, 2, 0, 3)

    def _lengthened(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """Keys or values with those of add_bias_kv and add_zero_attn appended."""
        count, heads, _, size = x.shape
        extra = [] if bias is None else [
            bias.reshape(1, heads, 1, size).expand(count, heads, 1, size)]
        if self.add_zero_attn:
            extra.append(zeros(count, heads, 1, size, dtype=x.dtype, device=x.device))
        return ops.shape.cat([x, *extra], 2) if extra else x

    def _mask(self, query: Tensor, attn_mask: Tensor | None, key_padding_mask: Tensor | None,
              count: int, extra: int) -> Tensor | None:
        """The sum of both masks, to be added to scores (N, heads, L, S + extra), or None."""
        masks = []
        if attn_mask is not None:
            mask = additive(attn_mask, query)
            masks.append(mask if mask.ndim == 2 else mask.reshape(
                count, self.num_heads, *mask.shape[1:]))
        if key_padding_mask is not None:
            masks.append(additive(key_padding_mask, query).reshape(count, 1, 1, -1))
        if not masks:
            return None
        mask = masks[0] if len(masks) == 1 else masks[0] + masks[1]
        return functional.pad(mask, (0, extra)) if extra else mask

    def _check(self, query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None,
               attn_mask: Tensor | None) -> bool:
        """Checks all shapes and returns whether there is a batch."""
        name, batched = "MultiheadAttention", query.ndim == 3
        shapes = (f"query {tuple(query.shape)}, key {tuple(key.shape)}, value "
                  f"{tuple(value.shape)}")
        if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim:
            raise AssertionError(f"{name}: query, key and value must all have 3 dims, or all 2 "
                                 f"without a batch, got {shapes}")
        for what, x, size, size_name in (("query", query, self.embed_dim, "embed_dim"),
                                         ("key", key, self.kdim, "kdim"),
                                         ("value", value, self.vdim, "vdim")):
            if x.shape[-1] != size:
                raise AssertionError(f"{name}: the {what} has {x.shape[-1]} features, this layer "
                                     f"takes {size} ({size_name}); got {shapes}")
        if key.shape[:-1] != value.shape[:-1]:
            raise AssertionError(f"{name}: key and value must have equal sizes in all dims but the "
                                 f"last, got {shapes}")
        along, across = (1, 0) if batched and self.batch_first else (0, 1)
        if batched and query.shape[across] != key.shape[across]:
            raise RuntimeError(f"{name}: query and key must have equal batch sizes, in dim "
                               f"{across}, got {shapes}; see batch_first")
        count = query.shape[across] if batched else 1
        length, source = query.shape[along], key.shape[along]
        for what, mask in (("key_padding_mask", key_padding_mask), ("attn_mask", attn_mask)):
            if mask is not None and not (mask.dtype is dtypes.bool_ or mask.is_floating_point()):
                raise AssertionError(f"{name}: {what} must be bool or floating point, got "
                                     f"{mask.dtype}; convert it with .bool()")
        expected: tuple[int, ...] = (count, source) if batched else (source,)
        if key_padding_mask is not None and tuple(key_padding_mask.shape) != expected:
            raise AssertionError(f"{name}: key_padding_mask must have shape {expected}, got "
                                 f"{tuple(key_padding_mask.shape)}")
        if attn_mask is not None:
            if attn_mask.ndim not in (2, 3):
                raise AssertionError(f"{name}: attn_mask must have 2 or 3 dims, got shape "
                                     f"{tuple(attn_mask.shape)}")
            expected = (length, source) if attn_mask.ndim == 2 else (
                count * self.num_heads, length, source)
            if tuple(attn_mask.shape) != expected:
                raise RuntimeError(f"{name}: an attn_mask of {attn_mask.ndim} dims must have shape "
                                   f"{expected}, got {tuple(attn_mask.shape)}")
        return batched


class _WithGivenWeights(MultiheadAttention):
    """A layer whose weights are Tensors of the program."""

    def __init__(self, **attributes: Any):
        Module.__init__(self)
        self.static: tuple[Tensor | None, ...]
        for name, value in attributes.items():
            object.__setattr__(self, name, value)

    def out_proj(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """The output of joined heads."""
        return functional.linear(x, *self.out_weights)

    def _projected_heads(self, query: Tensor, key: Tensor, value: Tensor, batched: bool,
                         ) -> list[Tensor]:
        heads = super()._projected_heads(query, key, value, batched)
        count = heads[0].shape[0]
        return heads[:1] + [
            x if given is None else given.reshape(count, self.num_heads, -1, self.head_dim)
            for x, given in zip(heads[1:], self.static, strict=True)]


def multi_head_attention_forward(
        query: Tensor, key: Tensor, value: Tensor, embed_dim_to_check: int, num_heads: int,
        in_proj_weight: Tensor | None, in_proj_bias: Tensor | None, bias_k: Tensor | None,
        bias_v: Tensor | None, add_zero_attn: bool, dropout_p: float, out_proj_weight: Tensor,
        out_proj_bias: Tensor | None, training: bool = True,
        key_padding_mask: Tensor | None = None, need_weights: bool = True,
        attn_mask: Tensor | None = None, use_separate_proj_weight: bool = False,
        q_proj_weight: Tensor | None = None, k_proj_weight: Tensor | None = None,
        v_proj_weight: Tensor | None = None, static_k: Tensor | None = None,
        static_v: Tensor | None = None, average_attn_weights: bool = True,
        is_causal: bool = False) -> tuple[Tensor, Tensor | None]:
    """`MultiheadAttention` with the weights given: its outputs, and the attention weights or None.

    in_proj_weight, or with use_separate_proj_weight the three of q, k and v, are those of the
    layer; static_k and static_v (N * heads, S, d) take the place of the projected keys and values.

    Shapes: as `MultiheadAttention.forward` without batch_first.

    Raises:
        AssertionError: the query has other than embed_dim_to_check features; and as the layer.
        RuntimeError: as the layer.
    """
    embed_dim = query.shape[-1]
    if embed_dim != embed_dim_to_check or embed_dim % num_heads:
        raise AssertionError(f"multi_head_attention_forward: expected {embed_dim_to_check} "
                             f"features, a multiple of {num_heads} heads, got {embed_dim}")
    separate = use_separate_proj_weight
    layer = _WithGivenWeights(
        training=training, embed_dim=embed_dim, kdim=key.shape[-1], vdim=value.shape[-1],
        num_heads=num_heads, head_dim=embed_dim // num_heads, dropout=dropout_p, batch_first=False,
        add_zero_attn=add_zero_attn, in_proj_weight=None if separate else in_proj_weight,
        q_proj_weight=q_proj_weight, k_proj_weight=k_proj_weight, v_proj_weight=v_proj_weight,
        in_proj_bias=in_proj_bias, bias_k=bias_k, bias_v=bias_v,
        out_weights=(out_proj_weight, out_proj_bias), static=(static_k, static_v))
    outputs: tuple[Tensor, Tensor | None] = layer.forward(
        query, key, value, key_padding_mask, need_weights, attn_mask, average_attn_weights,
        is_causal)
    return outputs


def additive(mask: Tensor | None, like: Tensor) -> Any:
    """A mask to add to scores: True becomes -inf, False 0. Float masks and None are returned."""
    if mask is None or mask.dtype is not dtypes.bool_:
        return mask
    return zeros(mask.shape, dtype=like.dtype, device=mask.device).masked_fill(mask, -math.inf)
