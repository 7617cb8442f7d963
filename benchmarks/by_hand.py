"""The lower bound for NumPy: training steps with forward and backward written out by hand.

The code is optimized: in place, with large matrix products, without repeated work, with ReLU after
pooling. The MLP's step is in works/mlp.py.
"""

from __future__ import annotations

import math
from typing import Any

import numpy
from numpy.lib.stride_tricks import sliding_window_view

from .data import Weights
from .numpy_named import GELU, InPlace
from .peers import Step

Array = numpy.ndarray


def cross_entropy(z: Array, y: Array) -> tuple[float, Array]:
    """The mean loss of logits (N, C), and its gradient, which overwrites the logits."""
    rows = numpy.arange(len(y))
    z -= z.max(1, keepdims=True)
    of_target = z[rows, y]
    numpy.exp(z, out=z)
    total = z.sum(1, keepdims=True)
    loss = float((numpy.log(total[:, 0]) - of_target).mean())
    z /= total
    z[rows, y] -= 1
    z *= 1 / len(y)
    return loss, z


def windows(x: Array, size: int) -> Array:
    """One row per window. Shapes: (N, H, W, C) -> (N · H' · W', size · size · C)."""
    n, height, width, channels = x.shape
    views = sliding_window_view(x, (size, size), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)
    return views.reshape(n * (height - size + 1) * (width - size + 1), size * size * channels)


def overlap_add(rows: Array, shape: tuple[int, ...], size: int) -> Array:
    """The adjoint of `windows`: sums the rows into an array (N, H, W, C)."""
    n, height, width, channels = shape
    h, w = height - size + 1, width - size + 1
    parts = rows.reshape(n, h, w, size, size, channels)
    result = numpy.zeros(shape, rows.dtype)
    for i in range(size):
        for j in range(size):
            result[:, i:i + h, j:j + w] += parts[:, :, :, i, j]
    return result


def corners(x: Array) -> list[Array]:
    """The four elements of each 2×2 window of (N, H, W, C), as views."""
    return [x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]


def pool(z: Array) -> Array:
    """relu(max_pool2d(z)). It equals max_pool2d(relu(z)), with a quarter of the ReLU's work."""
    a, b, c, d = corners(z)
    return numpy.maximum(numpy.maximum(numpy.maximum(a, b), numpy.maximum(c, d)), numpy.float32(0))


def unpool(g: Array, z: Array, pooled: Array) -> Array:
    """The derivative of `pool`, if no window has two equal maxima."""
    g = g * (pooled > 0)
    result = numpy.empty_like(z)
    for part, of_part in zip(corners(z), corners(result), strict=True):
        numpy.multiply(g, part == pooled, out=of_part)
    return result


def lenet(parameters: Weights, x: Array, y: Array, lr: float) -> Step:
    """LeNet's training step, with channels last: windows are then copied in long runs."""
    w1, b1, w2, b2, *linear = parameters.values()
    k1 = w1.transpose(0, 2, 3, 1).reshape(len(w1), -1).copy()
    k2 = w2.transpose(0, 2, 3, 1).reshape(len(w2), -1).copy()
    ws, bs = linear[::2], linear[1::2]
    optimizer = InPlace("SGD", [k1, b1, k2, b2, *linear], lr)
    padded = numpy.pad(x.transpose(0, 2, 3, 1), ((0, 0), (2, 2), (2, 2), (0, 0)))
    n, size = len(x), x.shape[2]

    def step() -> Any:
        rows1 = windows(padded, 5)
        z1 = (rows1 @ k1.T + b1).reshape(n, size, size, -1)
        p1 = pool(z1)
        rows2 = windows(p1, 5)
        z2 = (rows2 @ k2.T + b2).reshape(n, size // 2 - 4, size // 2 - 4, -1)
        p2 = pool(z2)
        inputs = [p2.transpose(0, 3, 1, 2).reshape(n, -1)]
        for w, b in zip(ws, bs, strict=True):
            z = inputs[-1] @ w.T
            z += b
            inputs.append(numpy.maximum(z, 0, out=z) if w is not ws[-1] else z)
        loss, g = cross_entropy(inputs.pop(), y)
        of_linear: list[Array] = []
        for i in reversed(range(len(ws))):
            of_linear = [g.T @ inputs[i], g.sum(0), *of_linear]
            g = g @ ws[i]
            if i:
                g *= inputs[i] > 0
        _, h, w, channels = p2.shape
        g2 = unpool(g.reshape(n, channels, h, w).transpose(0, 2, 3, 1), z2, p2)
        g2 = g2.reshape(-1, channels)
        of_p1 = overlap_add(g2 @ k2, p1.shape, 5)
        g1 = unpool(of_p1, z1, p1).reshape(-1, len(k1))
        optimizer.step([g1.T @ rows1, g1.sum(0), g2.T @ rows2, g2.sum(0), *of_linear])
        return loss

    return step


def norm(x: Array, weight: Array, bias: Array) -> tuple[Array, tuple[Array, Array]]:
    """Layer norm of (N, D). Also returns what `norm_backward` needs: normalized input and 1/σ."""
    centered = x - x.mean(1, keepdims=True)
    squares = numpy.einsum("nd,nd->n", centered, centered)[:, None]
    scale = 1 / numpy.sqrt(squares / x.shape[1] + 1e-5)
    centered *= scale
    result = centered * weight
    result += bias
    return result, (centered, scale)


def norm_backward(g: Array, weight: Array, kept: tuple[Array, Array]) -> tuple[Array, Array, Array]:
    """The gradients of (input, weight, bias)."""
    normalized, scale = kept
    of_weight = numpy.einsum("nd,nd->d", g, normalized)
    of_bias = g.sum(0)
    g = g * weight
    inner = numpy.einsum("nd,nd->n", g, normalized)[:, None] / g.shape[1]
    g -= g.mean(1, keepdims=True)
    g -= normalized * inner
    g *= scale
    return g, of_weight, of_bias


def gelu(x: Array) -> tuple[Array, Array]:
    """GELU (tanh approximation), and the tanh for `gelu_backward`."""
    t = x * x
    t *= 0.044715 * GELU
    t += GELU
    t *= x
    numpy.tanh(t, out=t)
    y = t + 1
    y *= x
    y *= 0.5
    return y, t


def gelu_backward(g: Array, x: Array, t: Array) -> Array:
    """The derivative of `gelu` at x, times g."""
    inner = x * x
    inner *= 3 * 0.044715 * GELU
    inner += GELU
    inner *= x
    inner *= 1 - t * t
    inner += t
    inner += 1
    inner *= 0.5
    inner *= g
    return inner


def gpt(p: Weights, x: Array, y: Array, lr: float) -> Step:
    """The GPT's training step with AdamW."""
    batch, length = x.shape
    width = p["tokens.weight"].shape[1]
    heads, scale = width // 32, 1 / math.sqrt(32)
    hidden = numpy.triu(numpy.full((length, length), -numpy.inf, numpy.float32), 1)
    optimizer = InPlace("AdamW", list(p.values()), lr)
    layers = sum("qkv.weight" in name for name in p)

    def linear(x: Array, name: str) -> Array:
        z = x @ p[f"{name}.weight"].T
        z += p[f"{name}.bias"]
        return z

    def linear_backward(g: Array, x: Array, name: str, grads: Weights) -> Array:
        grads[f"{name}.weight"], grads[f"{name}.bias"] = g.T @ x, g.sum(0)
        return g @ p[f"{name}.weight"]

    def normed(x: Array, name: str) -> tuple[Array, tuple[Array, Array]]:
        return norm(x, p[f"{name}.weight"], p[f"{name}.bias"])

    def normed_backward(g: Array, kept: tuple[Array, Array], name: str, grads: Weights) -> Array:
        g, grads[f"{name}.weight"], grads[f"{name}.bias"] = norm_backward(
            g, p[f"{name}.weight"], kept)
        return g

    def attention(x: Array, name: str) -> tuple[Array, tuple[Array, ...]]:
        qkv = linear(x, name).reshape(batch, length, 3, heads, 32)
        q, k, v = numpy.ascontiguousarray(qkv.transpose(2, 0, 3, 1, 4))
        s = q @ k.swapaxes(2, 3)
        s *= scale
        s += hidden
        s -= s.max(3, keepdims=True)
        numpy.exp(s, out=s)
        s /= s.sum(3, keepdims=True)
        return (s @ v).transpose(0, 2, 1, 3).reshape(batch * length, width), (q, k, v, s)

    def attention_backward(g: Array, kept: tuple[Array, ...]) -> Array:
        q, k, v, s = kept
        g = numpy.ascontiguousarray(
            g.reshape(batch, length, heads, 32).transpose(0, 2, 1, 3))
        result = numpy.empty((batch, length, 3, heads, 32), numpy.float32)
        to = result.transpose(2, 0, 3, 1, 4)
        to[2] = s.swapaxes(2, 3) @ g
        of_s = g @ v.swapaxes(2, 3)
        of_s -= numpy.einsum("bhij,bhij->bhi", of_s, s)[..., None]
        of_s *= s
        of_s *= scale
        to[0] = of_s @ k
        to[1] = of_s.swapaxes(2, 3) @ q
        return result.reshape(batch * length, 3 * width)

    def step() -> Any:
        h = (p["tokens.weight"][x] + p["places.weight"]).reshape(batch * length, width)
        kept: list[Any] = []
        for i in range(layers):
            block = f"blocks.{i}"
            n1, of_n1 = normed(h, f"{block}.norm1")
            mixed, of_mixed = attention(n1, f"{block}.qkv")
            h = h + linear(mixed, f"{block}.out")
            n2, of_n2 = normed(h, f"{block}.norm2")
            up = linear(n2, f"{block}.up")
            active, t = gelu(up)
            h = h + linear(active, f"{block}.down")
            kept.append((n1, of_n1, mixed, of_mixed, n2, of_n2, up, active, t))
        last, of_last = normed(h, "norm")
        loss, g = cross_entropy(linear(last, "head"), y)

        grads: Weights = {}
        g = normed_backward(linear_backward(g, last, "head", grads), of_last, "norm", grads)
        for i in reversed(range(layers)):
            block = f"blocks.{i}"
            n1, of_n1, mixed, of_mixed, n2, of_n2, up, active, t = kept.pop()
            inner = gelu_backward(linear_backward(g, active, f"{block}.down", grads), up, t)
            inner = linear_backward(inner, n2, f"{block}.up", grads)
            g += normed_backward(inner, of_n2, f"{block}.norm2", grads)
            inner = attention_backward(linear_backward(g, mixed, f"{block}.out", grads), of_mixed)
            inner = linear_backward(inner, n1, f"{block}.qkv", grads)
            g += normed_backward(inner, of_n1, f"{block}.norm1", grads)
        g = g.reshape(batch, length, width)
        grads["places.weight"] = g.sum(0)
        of_tokens = numpy.zeros_like(p["tokens.weight"])
        numpy.add.at(of_tokens, x, g)
        grads["tokens.weight"] = of_tokens
        optimizer.step([grads[name] for name in p])
        return loss

    return step
