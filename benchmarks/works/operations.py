"""Single operations of several sizes: forward without recording, and forward with backward."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from .. import numpy_named, tinygrad_named, torch_named
from ..data import normal
from ..peers import AUTOGRAD, JAX, MYGRAD, TINYGRAD, Prepare, Row, Step, targets

Shapes = tuple[tuple[int, ...], ...]


# Each operation is a class with three implementations, one per style of names.

class Softmax:
    @staticmethod
    def torch(torch: Any, x: Any) -> Any:
        return torch.softmax(x, -1)

    @staticmethod
    def numpy(names: SimpleNamespace, x: Any) -> Any:
        return names.softmax(x)

    @staticmethod
    def tinygrad(x: Any) -> Any:
        return x.softmax()


class LayerNorm:
    @staticmethod
    def torch(torch: Any, x: Any, weight: Any, bias: Any) -> Any:
        return torch.nn.functional.layer_norm(x, weight.shape, weight, bias)

    @staticmethod
    def numpy(names: SimpleNamespace, x: Any, weight: Any, bias: Any) -> Any:
        return names.layer_norm(x, weight, bias)

    @staticmethod
    def tinygrad(x: Any, weight: Any, bias: Any) -> Any:
        return x.layernorm() * weight + bias


class GELU:
    @staticmethod
    def torch(torch: Any, x: Any) -> Any:
        return torch.nn.functional.gelu(x, approximate="tanh")

    @staticmethod
    def numpy(names: SimpleNamespace, x: Any) -> Any:
        return names.gelu(x)

    @staticmethod
    def tinygrad(x: Any) -> Any:
        return x.gelu()


class Attention:
    """softmax(q kᵀ / √width) v of three (batch, heads, length, width)."""

    @staticmethod
    def torch(torch: Any, q: Any, k: Any, v: Any) -> Any:
        return torch.nn.functional.scaled_dot_product_attention(q, k, v)

    @staticmethod
    def numpy(names: SimpleNamespace, q: Any, k: Any, v: Any) -> Any:
        np = names.np
        scores = np.matmul(q, np.transpose(k, (0, 1, 3, 2))) * (1 / math.sqrt(q.shape[-1]))
        return np.matmul(names.softmax(scores), v)

    @staticmethod
    def tinygrad(q: Any, k: Any, v: Any) -> Any:
        return q.scaled_dot_product_attention(k, v)


class Conv2d:
    """Stride 1; the padding keeps the size of the image."""

    @staticmethod
    def torch(torch: Any, x: Any, weight: Any) -> Any:
        return torch.nn.functional.conv2d(x, weight, padding=weight.shape[-1] // 2)

    @staticmethod
    def numpy(names: SimpleNamespace, x: Any, weight: Any) -> Any:
        return names.conv2d(x, weight, weight.shape[-1] // 2)

    @staticmethod
    def tinygrad(x: Any, weight: Any) -> Any:
        return x.conv2d(weight, padding=weight.shape[-1] // 2)


def torch_step(torch: Any, device: str, operation: Any, shapes: Shapes, backward: bool) -> Step:
    inputs = [torch.from_numpy(normal(*shape, seed=i)).to(device).requires_grad_(backward)
              for i, shape in enumerate(shapes)]

    def forward() -> Any:
        with torch.no_grad():
            return operation.torch(torch, *inputs)

    if not backward:
        return forward
    with torch.no_grad():
        shape = tuple(operation.torch(torch, *inputs).shape)
    cotangent = torch.from_numpy(normal(*shape, seed=99)).to(device)

    def step() -> Any:
        for x in inputs:
            x.grad = None
        output = operation.torch(torch, *inputs)
        output.backward(cotangent)
        return inputs[0].grad

    return step


def jax_step(operation: Any, shapes: Shapes, backward: bool) -> Step:
    import jax

    inputs = [jax.device_put(normal(*shape, seed=i)) for i, shape in enumerate(shapes)]
    forward = functools.partial(operation.numpy, numpy_named.jax_names())
    if not backward:
        compiled = jax.jit(forward)
        return lambda: jax.block_until_ready(compiled(*inputs))
    shape = jax.eval_shape(forward, *inputs).shape
    cotangent = jax.device_put(normal(*shape, seed=99))

    @jax.jit
    def both(cotangent: Any, *inputs: Any) -> Any:
        output, pull_back = jax.vjp(forward, *inputs)
        return output, pull_back(cotangent)

    return lambda: jax.block_until_ready(both(cotangent, *inputs))[1][0]


def tinygrad_step(operation: Any, shapes: Shapes, backward: bool) -> Step:
    from tinygrad import TinyJit

    inputs = tinygrad_named.tensors(*(normal(*shape, seed=i) for i, shape in enumerate(shapes)))
    shape = operation.tinygrad(*inputs).shape
    cotangent = tinygrad_named.tensors(normal(*shape, seed=99))[0]

    @TinyJit
    def run(cotangent: Any, *inputs: Any) -> Any:
        output = operation.tinygrad(*inputs)
        if not backward:
            return output.realize()
        gradients = output.gradient(*inputs, gradient=cotangent)
        output.realize(*gradients)
        return gradients[0]

    def step() -> Any:
        result = run(cotangent, *inputs)
        tinygrad_named.synchronize()
        return result

    return step


def mygrad_step(operation: Any, shapes: Shapes, backward: bool) -> Step:
    import mygrad

    mygrad.turn_memory_guarding_off()
    names = numpy_named.mygrad_names()
    inputs = [mygrad.tensor(normal(*shape, seed=i)) for i, shape in enumerate(shapes)]

    def forward() -> Any:
        with mygrad.no_autodiff:
            return operation.numpy(names, *inputs)

    if not backward:
        return forward
    cotangent = normal(*forward().shape, seed=99)

    def step() -> Any:
        for x in inputs:
            x.null_grad()
        operation.numpy(names, *inputs).backward(cotangent)
        return inputs[0].grad

    return step


def autograd_step(operation: Any, shapes: Shapes, backward: bool) -> Step:
    import autograd

    forward = functools.partial(operation.numpy, numpy_named.autograd_names())
    inputs = tuple(normal(*shape, seed=i) for i, shape in enumerate(shapes))
    if not backward:
        return lambda: forward(*inputs)
    cotangent = normal(*forward(*inputs).shape, seed=99)
    pull_back = autograd.make_vjp(lambda given: forward(*given))

    def step() -> Any:
        return pull_back(inputs)[0](cotangent)[0]

    return step


def checked(prepare: Prepare) -> Prepare:
    """Replaces the first result, an array, by its sum of squares, which the peers compare."""
    def prepared(device: str) -> Step:
        step, calls = prepare(device), 0

        def counted() -> Any:
            nonlocal calls
            result = step()
            calls += 1
            return (result * result).sum() if calls <= 1 else None

        return counted

    return prepared


NAMES = {Softmax: "softmax", LayerNorm: "layer norm", GELU: "GELU", Attention: "attention",
         Conv2d: "conv2d"}
OTHERS: dict[str, Callable[..., Step]] = {
    JAX: jax_step, TINYGRAD: tinygrad_step, MYGRAD: mygrad_step, AUTOGRAD: autograd_step}


def row(operation: Any, shapes: Shapes, backward: bool, quick: tuple[str, ...] = ()) -> Row:
    def other(peer: str) -> Prepare:
        return lambda device: OTHERS[peer](operation, shapes, backward)

    peers = torch_named.peers(torch_step, operation=operation, shapes=shapes, backward=backward)
    peers |= {peer: other(peer) for peer in OTHERS
              if not (operation is Conv2d and peer == AUTOGRAD)}
    peers = {peer: checked(prepare) for peer, prepare in peers.items()}
    name = NAMES[operation]
    sizes = " by ".join("×".join(map(str, shape)) for shape in shapes[:1 + (operation is Conv2d)])
    return Row(f"{name} {sizes}, {'forward and backward' if backward else 'forward'}", peers,
               targets(None, peers), quick=quick)


ELEMENTS = ((64, 64), (1024, 512), (8192, 1024))
CASES: list[tuple[Any, Shapes]] = [
    *((Softmax, (shape,)) for shape in ELEMENTS),
    *((LayerNorm, (shape, shape[1:], shape[1:])) for shape in ELEMENTS),
    *((GELU, (shape,)) for shape in ELEMENTS),
    *((Attention, (shape,) * 3) for shape in ((4, 2, 32, 32), (16, 4, 64, 32), (2, 6, 512, 64))),
    *((Conv2d, shapes) for shapes in (
        ((64, 1, 28, 28), (6, 1, 5, 5)), ((16, 16, 32, 32), (16, 16, 3, 3)),
        ((32, 32, 28, 28), (64, 32, 3, 3)), ((32, 128, 8, 8), (128, 128, 3, 3)),
        ((32, 256, 4, 4), (256, 256, 3, 3))))]
SMALL: list[tuple[Any, Shapes]] = [
    (Softmax, ((3, 5),)), (LayerNorm, ((3, 5), (5,), (5,))), (GELU, ((3, 5),)),
    (Attention, ((2, 2, 3, 4),) * 3), (Conv2d, ((2, 3, 6, 6), (4, 3, 3, 3)))]

ROWS = [row(operation, shapes, backward)
        for operation, shapes in CASES for backward in (False, True)]
