"""Scaled dot product attention."""

from __future__ import annotations

import math

from ..arrays import Array, devices, dtypes
from ..autograd.graph import tensor_of
from ..autograd.table import composed, op
from ..tensors.tensor import Tensor
from .activation import softmax
from .dropout import dropout
from .index import where
from .linalg import matmul
from .samples import S, bools, t
from .shape import broadcast_shapes, broadcast_to, transpose

# ---------------------------------------------------------------- the op


def _scores(xp, query, key, mask, is_causal, scale):
    # Scaling the queries takes fewer products than scaling the scores.
    scores = xp.matmul(query * scale, xp.swapaxes(key, -1, -2))
    if is_causal:
        queries, keys = scores.shape[-2:]
        later = xp.arange(keys) > xp.reshape(xp.arange(queries), (-1, 1))
        scores = scores + xp.where(later, -math.inf, xp.zeros_like(scores))
    return scores if mask is None else scores + mask


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
              scale: float):
    """softmax(query @ key.T * scale + mask) @ value.

    Shapes: (*, L, E), (*, S, E), (*, S, V), mask (*, L, S) -> (*, L, V); batch dims broadcast.

    Of the scores only the largest and the sum of powers are kept, two numbers for each query. The
    rule computes the scores again (Dao et al. 2022). Their log-sum-exp alone would lose the digits
    of the sum where scores are large.
    """
    scores = _scores(xp, query, key, mask, is_causal, scale)
    if not math.prod(scores.shape):
        nothing = xp.sum(scores, axis=-1, keepdims=True)
        return xp.matmul(scores, value), nothing, nothing
    largest = xp.amax(scores, axis=-1, keepdims=True)
    powers = xp.exp(scores - largest)
    total = xp.sum(powers, axis=-1, keepdims=True)
    return xp.matmul(powers / total, value), largest, total


@attention.vjp("query", "key", "value", "mask")
def _(xp, g, needs, query, key, value, mask, is_causal, scale, out, largest,
      total):
    weights = xp.exp(_scores(xp, query, key, mask, is_causal, scale) - largest) / total
    # The gradient of softmax is weights * (d - Σ weights * d); that sum equals Σ g * out.
    d_scores = weights * (xp.matmul(g, xp.swapaxes(value, -1, -2))
                          - xp.sum(g * out, axis=-1, keepdims=True))
    return (xp.matmul(d_scores, key) * scale,
            xp.matmul(xp.swapaxes(d_scores, -1, -2), query) * scale,
            xp.matmul(xp.swapaxes(weights, -1, -2), g),
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
    _check(query, key, value, attn_mask)
    if enable_gqa:
        key, value = (_heads_for(query, x, what) for x, what in ((key, "key"), (value, "value")))
    scale = 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale
    mask = blind = None
    if attn_mask is not None:
        _check_mask(query, key, value, attn_mask)
        mask, blind = _additive(attn_mask, query.dtype, _causal(query, key) if is_causal else None)
        is_causal = False
    if dropout_p:
        scores = matmul(query * scale, transpose(key, -2, -1))
        mask = _causal(query, key) if is_causal else mask
        scores = scores if mask is None else scores + mask
        out = matmul(dropout(softmax(scores, -1), dropout_p), value)
    else:
        out = attention(query, key, value, mask, is_causal, scale)
        if out.requires_grad and out.ndim != 4:
            # The rule saves the output. As in PyTorch, only that of 4 dims, the one of large
            # models, must not be written before backward.
            out = out.clone()
    return out if blind is None else out * ~blind


def _check(query, key, value, attn_mask):
    name = "scaled_dot_product_attention"
    q, k, v = (x._array for x in (query, key, value))
    if min(q.ndim, k.ndim, v.ndim) < 2:
        raise RuntimeError(f"{name}: needs at least 2 dims, got {_shapes(q, k, v)}")
    if q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise RuntimeError(f"{name}: {_shapes(q, k, v)}: the last dims of query and key must be "
                           "equal, and so must dim -2 of key and value")
    if not q.dtype == k.dtype == v.dtype:
        raise RuntimeError(f"{name}: query, key and value must have one dtype, got {query.dtype}, "
                           f"{key.dtype} and {value.dtype}")
    if attn_mask is not None and attn_mask.dtype not in (dtypes.bool_, dtypes.float32, query.dtype):
        raise RuntimeError(f"{name}: the mask must be bool or {query.dtype}, got "
                           f"{attn_mask.dtype}")


def _check_mask(query, key, value, mask):
    batch = broadcast_shapes(*(x.shape[:-2] for x in (query, key, value)))
    scores, given = (*batch, query.shape[-2], key.shape[-2]), tuple(mask.shape)
    if len(given) > len(scores) or any(
            m not in (1, s) for m, s in zip(reversed(given), reversed(scores), strict=False)):
        raise RuntimeError(f"scaled_dot_product_attention: a mask of shape {given} does not "
                           f"broadcast to the scores, {scores}")


def _shapes(query, key, value):
    return f"query {query.shape}, key {key.shape}, value {value.shape}"


def _heads_for(query, x, what):
    """Each head of `x` repeated for the query heads that share it."""
    heads, own = query.shape[-3], x.shape[-3]
    if not own or heads % own:
        raise RuntimeError(f"scaled_dot_product_attention: {heads} query heads cannot share {own} "
                           f"{what} heads: the number does not divide")
    *batch, _, length, size = x.shape
    repeated = broadcast_to(x.unsqueeze(-3), (*batch, own, heads // own, length, size))
    return repeated.reshape((*batch, heads, length, size))


def _causal(query, key):
    """The causal mask as numbers: -inf for keys after the query."""
    shape, dtype = (query.shape[-2], key.shape[-2]), query.dtype.numpy
    return tensor_of(devices.on(query.device, lambda xp: xp.triu(
        xp.full(shape, -math.inf, dtype=dtype), 1)), None)


def _additive(mask, dtype, causal):
    """The mask as numbers to add, and a mask of the queries that attend to no key, or None.

    `causal` is the causal mask as numbers, or None.

    Such queries get a row of zeros, because the softmax of -inf everywhere is NaN.
    """
    if mask.dtype is dtypes.bool_:
        mask = where(mask, 0.0, -math.inf)
    mask = mask.to(dtype) if causal is None else mask.to(dtype) + causal
    blind = (mask == -math.inf).all(-1, keepdim=True)
    if blind.is_cpu and not bool(blind.any()):  # to look into a GPU would be to wait
        return mask, None
    return mask.masked_fill(blind, 0.0), blind
