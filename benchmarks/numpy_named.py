"""Programs for the peers with NumPy's names: JAX, autograd and MyGrad.

A program is a function `loss(names, parameters, *data)`; `parameters` is a dict. `names.np` is the
peer's NumPy namespace. The other attributes of `names` are the peer's functions for operations that
NumPy lacks, such as softmax.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy

from .data import Weights
from .peers import AUTOGRAD, JAX, MYGRAD, Prepare, Step

Loss = Callable[..., Any]
BETAS, EPS, DECAY = (0.9, 0.999), 1e-8, 0.01  # the defaults of AdamW
GELU = math.sqrt(2 / math.pi)


def composed(np: Any) -> SimpleNamespace:
    """Stable implementations, in few calls, for libraries that lack these operations."""
    def softmax(x: Any) -> Any:
        e = np.exp(x - np.max(x, axis=-1, keepdims=True))
        return e / np.sum(e, axis=-1, keepdims=True)

    def cross_entropy(x: Any, target: Any) -> Any:
        shifted = x - np.max(x, axis=-1, keepdims=True)
        of_target = shifted[numpy.arange(len(target)), target]
        return np.mean(np.log(np.sum(np.exp(shifted), axis=-1)) - of_target)

    def layer_norm(x: Any, weight: Any, bias: Any) -> Any:
        centered = x - np.mean(x, axis=-1, keepdims=True)
        variance = np.mean(centered * centered, axis=-1, keepdims=True)
        return centered / np.sqrt(variance + 1e-5) * weight + bias

    def gelu(x: Any) -> Any:
        return 0.5 * x * (1 + np.tanh(GELU * (x + 0.044715 * (x * x * x))))

    return SimpleNamespace(
        np=np, softmax=softmax, cross_entropy=cross_entropy, layer_norm=layer_norm, gelu=gelu,
        relu=lambda x: np.maximum(x, 0), sigmoid=lambda x: 0.5 * np.tanh(0.5 * x) + 0.5)


def jax_names() -> SimpleNamespace:
    import jax

    def cross_entropy(x: Any, target: Any) -> Any:
        picked = jax.numpy.take_along_axis(jax.nn.log_softmax(x), target[:, None], 1)
        return -jax.numpy.mean(picked)

    def scan(cell: Callable[..., Any], state: Any, inputs: Any) -> Any:
        """Runs the cell over time. Returns the sum of the first part of the state."""
        def advance(carried: Any, of_input: Any) -> Any:
            state, total = carried
            state = cell(state, of_input)
            return (state, total + state[0]), None

        return jax.lax.scan(advance, (state, jax.numpy.zeros_like(state[0])), inputs)[0][1]

    def conv2d(x: Any, weight: Any, padding: int, stride: int = 1) -> Any:
        return jax.lax.conv_general_dilated(x, weight, (stride, stride), [(padding, padding)] * 2)

    def max_pool2d(x: Any) -> Any:
        return jax.lax.reduce_window(x, -jax.numpy.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2),
                                     "VALID")

    def batch_norm(x: Any, weight: Any, bias: Any) -> Any:
        variance, mean = x.var((0, 2, 3), keepdims=True), x.mean((0, 2, 3), keepdims=True)
        scale = jax.lax.rsqrt(variance + 1e-5) * weight.reshape(1, -1, 1, 1)
        return (x - mean) * scale + bias.reshape(1, -1, 1, 1)

    names = composed(jax.numpy)
    names.scan, names.conv2d = scan, conv2d
    names.max_pool2d, names.batch_norm = max_pool2d, batch_norm
    names.softmax, names.gelu, names.relu = jax.nn.softmax, jax.nn.gelu, jax.nn.relu
    names.sigmoid, names.cross_entropy = jax.nn.sigmoid, cross_entropy
    return names


def autograd_names() -> SimpleNamespace:
    import autograd.numpy

    return composed(autograd.numpy)


def mygrad_names() -> SimpleNamespace:
    import mygrad
    from mygrad.nnet import activations, layers, losses

    names = composed(mygrad)
    names.conv2d = lambda x, weight, padding: layers.conv_nd(
        x, weight, stride=1, padding=padding)
    names.max_pool2d = lambda x: layers.max_pool(x, pool=(2, 2), stride=2)
    names.softmax, names.relu, names.sigmoid = (
        activations.softmax, activations.relu, activations.sigmoid)
    names.cross_entropy = losses.softmax_crossentropy
    return names


class InPlace:
    """SGD or AdamW on NumPy arrays, in place, with one work array per parameter."""

    def __init__(self, kind: str, parameters: list[numpy.ndarray], lr: float) -> None:
        self.kind, self.parameters, self.lr, self.steps = kind, parameters, lr, 0
        if kind == "AdamW":
            self.first = [numpy.zeros_like(p) for p in parameters]
            self.second = [numpy.zeros_like(p) for p in parameters]
            self.work = [numpy.empty_like(p) for p in parameters]

    def step(self, gradients: list[numpy.ndarray]) -> None:
        if self.kind == "SGD":
            for p, g in zip(self.parameters, gradients, strict=True):
                p -= self.lr * g
            return
        self.steps += 1
        one, two = BETAS
        size = self.lr / (1 - one**self.steps)
        correction = math.sqrt(1 - two**self.steps)
        for p, g, m, v, w in zip(self.parameters, gradients, self.first, self.second, self.work,
                                 strict=True):
            p *= 1 - self.lr * DECAY
            numpy.multiply(g, 1 - one, out=w)
            m *= one
            m += w
            numpy.multiply(g, g, out=w)
            w *= 1 - two
            v *= two
            v += w
            numpy.sqrt(v, out=w)
            w *= 1 / correction
            w += EPS
            numpy.divide(m, w, out=w)
            w *= size
            p -= w


def jax_update(kind: str, lr: float) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """An optimizer for JAX: the function that makes its state, and the update."""
    import jax
    from jax import numpy as jnp

    if kind == "SGD":
        return (lambda p: ()), lambda p, g, state: (
            jax.tree.map(lambda a, b: a - lr * b, p, g), state)

    def update(p: Any, g: Any, state: Any) -> Any:
        first, second, steps = state
        steps = steps + 1
        one, two = BETAS
        first = jax.tree.map(lambda m, b: one * m + (1 - one) * b, first, g)
        second = jax.tree.map(lambda v, b: two * v + (1 - two) * b * b, second, g)
        size, correction = lr / (1 - one**steps), jnp.sqrt(1 - two**steps)
        moved = jax.tree.map(
            lambda a, m, v: a * (1 - lr * DECAY) - size * m / (jnp.sqrt(v) / correction + EPS),
            p, first, second)
        return moved, (first, second, steps)

    return lambda p: (jax.tree.map(jnp.zeros_like, p), jax.tree.map(jnp.zeros_like, p),
                      jnp.zeros(())), update


def with_jax(loss: Loss, weights: Weights, data: tuple[Any, ...], kind: str, lr: float) -> Step:
    """The whole step, compiled with its update. Parameters and state are donated."""
    import jax

    start, update = jax_update(kind, lr)
    gradient = jax.value_and_grad(functools.partial(loss, jax_names()))
    parameters = jax.device_put(weights)
    state = start(parameters)
    inputs = jax.device_put(data)

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def train(parameters: Any, state: Any, *inputs: Any) -> Any:
        value, gradients = gradient(parameters, *inputs)
        return *update(parameters, gradients, state), value

    def step() -> Any:
        nonlocal parameters, state
        parameters, state, value = jax.block_until_ready(train(parameters, state, *inputs))
        return value

    return step


def with_autograd(loss: Loss, weights: Weights, data: tuple[Any, ...], kind: str,
                  lr: float) -> Step:
    """autograd's gradient, and an update in place."""
    import autograd

    gradient = autograd.value_and_grad(functools.partial(loss, autograd_names()))
    optimizer = InPlace(kind, list(weights.values()), lr)

    def step() -> Any:
        value, gradients = gradient(weights, *data)
        optimizer.step([gradients[name] for name in weights])
        return value

    return step


def with_mygrad(loss: Loss, weights: Weights, data: tuple[Any, ...], kind: str, lr: float) -> Step:
    """Memory guarding is off, as MyGrad's documentation advises for speed."""
    import mygrad

    mygrad.turn_memory_guarding_off()
    parameters = {name: mygrad.tensor(array) for name, array in weights.items()}
    optimizer = InPlace(kind, [p.data for p in parameters.values()], lr)
    names = mygrad_names()

    def step() -> Any:
        value = loss(names, parameters, *data)
        value.backward()
        optimizer.step([p.grad for p in parameters.values()])
        for p in parameters.values():
            p.null_grad()
        return value

    return step


TRAINING: dict[str, Callable[..., Step]] = {
    JAX: with_jax, AUTOGRAD: with_autograd, MYGRAD: with_mygrad}


def peers(loss: Loss, make: Callable[[], tuple[Weights, tuple[Any, ...]]], kind: str = "SGD",
          lr: float = 0.01, only: tuple[str, ...] = (JAX, MYGRAD, AUTOGRAD)) -> dict[str, Prepare]:
    """The peers that train this loss. `make` returns the weights by name, and the data."""
    def with_peer(name: str) -> Prepare:
        return lambda device: TRAINING[name](loss, *make(), kind, lr)

    return {name: with_peer(name) for name in only}
