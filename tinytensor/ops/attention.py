"""Scaled dot product attention."""

from __future__ import annotations

import math
from typing import Any

from .. import random
from ..arrays import Array, dtypes
from ..autograd.table import composed, op
from ..tensors.tensor import Tensor
from .index import where
from .samples import S, bools, t
from .shape import broadcast_shapes

# ---------------------------------------------------------------- the op


class Kept:
    """Which weights dropout keeps, and the factor of those. Shape: that of the scores.

    `draw` gives the bools again in backward. On a GPU it computes them anew, so they are not
    stored.
    """

    def __init__(self, stream: Any, shape: tuple[int, ...], p: float):
        self.draw, self.shape = stream.less_again(math.prod(shape), 1 - p), shape
        self.factor = 1 / (1 - p)

    def bools(self) -> Any:
        return self.draw.bools().reshape(self.shape)

    def factors(self, like: Any) -> Any:
        """What the weights are multiplied by: 0 and `factor`, in the dtype of an array or Tensor.
        """
        array = like._array if isinstance(like, Tensor) else like
        return self.bools().astype(array.dtype) * self.factor


def _scores(xp, query, key, mask, is_causal, scale):
    # Scaling the queries takes fewer products than scaling the scores.
    scores = xp.matmul(query * scale, xp.swapaxes(key, -1, -2))
    if is_causal:
        queries, keys = scores.shape[-2:]
        later = xp.arange(keys) > xp.reshape(xp.arange(queries), (-1, 1))
        scores = scores + xp.where(later, -math.inf, xp.zeros_like(scores))
    return scores if mask is None else scores + mask


def _weights(xp, powers, total):
    """powers / total; 0 for a query that attends to no key, whose powers are all 0."""
    return powers / xp.where(total == 0, xp.ones_like(total), total)


def _math_only(torch):
    return lambda query, key, value, mask, is_causal, scale: _reference(torch)(
        query, key, value, mask, is_causal=is_causal, scale=scale)


@op(autocast="lower",
    promotes="floating", method=False, internal=True, residuals=("largest", "total"),
    reference=_math_only, samples=[
        S(t(2, 3, 4), t(2, 5, 4), t(2, 5, 2), None, False, 0.5),
        S(t(2, 1, 3, 4), t(3, 5, 4), t(2, 3, 5, 4), None, True, 0.3),
        S(t(2, 3, 4), t(2, 5, 4), t(2, 5, 4), t(3, 5), False, 0.5),
        S(t(2, 3, 4), t(2, 5, 4), t(2, 5, 4), t(2, 1, 5), False, 0.5),
        S(t(2, 3), t(0, 3), t(0, 4), None, False, 1.0)])
def attention(xp, query: Array, key: Array, value: Array, mask: Array | None, is_causal: bool,
              scale: float, kept: Kept | None = None):
    """softmax(query @ key.T * scale + mask) @ value; the softmax times what dropout has `kept`.

    Shapes: (*, L, E), (*, S, E), (*, S, V), mask (*, L, S) -> (*, L, V); batch dims broadcast.
    A query whose scores are all -inf gives 0.

    Of the scores only the largest and the sum of powers are kept, two numbers for each query. The
    rule computes the scores again (Dao et al. 2022). Their log-sum-exp alone would lose the digits
    of the sum where scores are large.
    """
    scores = _scores(xp, query, key, mask, is_causal, scale)
    if not math.prod(scores.shape):
        nothing = xp.sum(scores, axis=-1, keepdims=True)
        return xp.matmul(scores, value), nothing, nothing
    largest = xp.amax(scores, axis=-1, keepdims=True)
    # -inf - -inf would be NaN.
    largest = xp.where(largest == -math.inf, xp.zeros_like(largest), largest)
    powers = xp.exp(scores - largest)
    total = xp.sum(powers, axis=-1, keepdims=True)
    weights = _weights(xp, powers, total)
    if kept is not None:
        weights = weights * kept.factors(value)
    return xp.matmul(weights, value), largest, total


@attention.vjp("query", "key", "value", "mask")
def _(xp, g, needs, query, key, value, mask, is_causal, scale, kept, out, largest, total):
    scores = _scores(xp, query, key, mask, is_causal, scale)
    weights = _weights(xp, xp.exp(scores - largest), total)
    d_weights = xp.matmul(g, xp.swapaxes(value, -1, -2))
    if kept is not None:
        factors = kept.factors(value)
        d_weights, used = d_weights * factors, weights * factors
    else:
        used = weights
    # The gradient of softmax is weights * (d - Σ weights * d); that sum equals Σ g * out.
    d_scores = weights * (d_weights - xp.sum(g * out, axis=-1, keepdims=True))
    return (xp.matmul(d_scores, key) * scale,
            xp.matmul(xp.swapaxes(d_scores, -1, -2), query) * scale,
            xp.matmul(xp.swapaxes(used, -1, -2), g),
            d_scores if needs[3] else None)


# ---------------------------------------------------------------- the public function


def _reference(torch):
    """PyTorch's function, with the backend that has second derivatives."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    def attention(*args, **kwargs):
        with sdpa_kernel(SDPBackend.MATH):
            return torch.nn.functional.scaled_dot_product_attention(*args, **kwargs)

    return attention


@composed(autocast="lower",
          widens=True, home="nn.functional", method=False, reference=_reference, samples=[
    S(t(3, 4), t(3, 4), t(3, 4)), S(t(2, 3, 4), t(2, 5, 4), t(2, 5, 2)),
    S(t(2, 1, 3, 4), t(3, 5, 4), t(2, 3, 5, 4), is_causal=True),
    S(t(2, 3, 4), t(2, 2, 4), t(2, 2, 4), is_causal=True, scale=0.3),
    S(t(2, 3, 4), t(2, 5, 4), t(2, 5, 4), t(3, 5)),
    S(t(2, 3, 4), t(2, 5, 4), t(2, 5, 4), t(2, 1, 5)),
    S(t(2, 3, 4), t(2, 5, 4), t(2, 5, 4), bools(3, 5)), S(t(3, 2), t(1, 2), t(1, 2), bools(3, 1)),
    S(t(1, 4, 3, 2), t(1, 2, 3, 2), t(1, 2, 3, 2), enable_gqa=True), S(t(2, 3), t(0, 3), t(0, 4))])
def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor,
                                 attn_mask: Tensor | None = None, dropout_p: float = 0.0,
                                 is_causal: bool = False, scale: float | None = None,
                                 enable_gqa: bool = False) -> Tensor:
    """softmax(query @ key.T * scale + mask) @ value, where scale is 1 / sqrt(E) by default.

    Shapes: (*, L, E), (*, S, E), (*, S, V), mask (*, L, S) -> (*, L, V); batch dims broadcast.
    A bool mask is True where a query attends to a key; a float mask is added to the scores. With
    `is_causal` query i attends to keys up to i, of those that the mask allows. A query that
    attends to no key gives 0.
    `dropout_p` applies whenever it is not 0: pass 0 in evaluation. With enable_gqa each key and
    value head (dim -3) is shared by several query heads. Vaswani et al. 2017; Ainslie et al. 2023
    for enable_gqa.

    Raises:
        RuntimeError: shapes or dtypes that do not fit.
    """
    _check(query, key, value, attn_mask, 3 if enable_gqa else 2)
    mask = attn_mask
    if enable_gqa:
        query, key, value, mask = _grouped(query, key, value, mask)
    batch = broadcast_shapes(*(x.shape[:-2] for x in (query, key, value)))
    scores = (*batch, query.shape[-2], key.shape[-2])
    if mask is not None:
        _check_mask(attn_mask, scores, enable_gqa)
        mask = where(mask, 0.0, -math.inf) if mask.dtype is dtypes.bool_ else mask
        mask = mask.to(query.dtype)
    scale = 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale
    out = attention(query, key, value, mask, is_causal, scale,
                    _kept(query.device, scores, dropout_p))
    if dropout_p == 1:
        out = out * 0.0
    if enable_gqa:
        out = out.flatten(-4, -3)
    if out.requires_grad and out.ndim != 4:
        # The rule saves the output. As in PyTorch, only that of 4 dims, the one of large
        # models, must not be written before backward.
        out = out.clone()
    return out


def _check(query, key, value, attn_mask, ndim):
    name = "scaled_dot_product_attention"
    q, k, v = (x._array for x in (query, key, value))
    if min(q.ndim, k.ndim, v.ndim) < ndim:
        heads = ", with enable_gqa one of heads" if ndim == 3 else ""
        raise RuntimeError(f"{name}: needs at least {ndim} dims{heads}, got {_shapes(q, k, v)}")
    if q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise RuntimeError(f"{name}: {_shapes(q, k, v)}: the last dims of query and key must be "
                           "equal, and so must dim -2 of key and value")
    if not q.dtype == k.dtype == v.dtype:
        raise RuntimeError(f"{name}: query, key and value must have one dtype, got {query.dtype}, "
                           f"{key.dtype} and {value.dtype}")
    if attn_mask is not None and attn_mask.dtype not in (dtypes.bool_, dtypes.float32, query.dtype):
        raise RuntimeError(f"{name}: the mask must be bool or {query.dtype}, got "
                           f"{attn_mask.dtype}")


def _check_mask(mask, scores, enable_gqa):
    """
    Raises:
        RuntimeError: the mask does not broadcast to the scores, whose heads may be in two dims.
    """
    if enable_gqa:
        *batch, groups, shared, queries, keys = scores
        scores = (*batch, groups * shared, queries, keys)
    given = tuple(mask.shape)
    if len(given) > len(scores) or any(
            m not in (1, s) for m, s in zip(reversed(given), reversed(scores), strict=False)):
        raise RuntimeError(f"scaled_dot_product_attention: a mask of shape {given} does not "
                           f"broadcast to the scores, {scores}")


def _shapes(query, key, value):
    return f"query {query.shape}, key {key.shape}, value {value.shape}"


def _grouped(query, key, value, mask):
    """The heads (dim -3) as groups that share a key and value head, so that these broadcast."""
    heads, own = query.shape[-3], [x.shape[-3] for x in (key, value)]
    for count, what in zip(own, ("key", "value"), strict=True):
        if not count or heads % count:
            raise RuntimeError(f"scaled_dot_product_attention: {heads} query heads cannot share "
                               f"{count} {what} heads: the number does not divide")
    groups = math.lcm(*own)
    key, value = (x if x.shape[-3] == groups else x.repeat_interleave(groups // x.shape[-3], -3)
                  for x in (key, value))
    if mask is not None and mask.ndim > 2:
        mask = mask.unflatten(-3, (groups, heads // groups)) if mask.shape[-3] == heads \
            else mask.unsqueeze(-3)
    return (query.unflatten(-3, (groups, heads // groups)), key.unsqueeze(-3),
            value.unsqueeze(-3), mask)


def _kept(device, scores, p):
    """The weights that dropout keeps; None if none is drawn, for p = 0 and, as in PyTorch, 1.

    Raises:
        ValueError: p outside of [0, 1].
    """
    if not 0 <= p <= 1:
        raise ValueError("scaled_dot_product_attention: dropout_p, the probability of a zero, must "
                         f"be in [0, 1], got {p}")
    if p in (0, 1):
        return None
    return Kept(random.generator_of(device).stream, scores, float(p))
