"""Activation checkpointing: the same gradients as without it, with fewer saved arrays."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy
import pytest

import tinytensor
from tinytensor import nn
from tinytensor.utils.checkpoint import CheckpointError, checkpoint, checkpoint_sequential


def model() -> Any:
    tinytensor.manual_seed(4)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Dropout(0.4), nn.Linear(6, 6), nn.ReLU(),
                         nn.Linear(6, 2)).double()


def leaf(*shape: int) -> Any:
    values = numpy.random.default_rng(sum(shape)).normal(size=shape)
    return tinytensor.tensor(values, requires_grad=True)


def gradients(run: Any, net: Any, x: Any) -> list[Any]:
    """The gradients of the parameters and of x, from the same random numbers in every call."""
    net.zero_grad()
    x.grad = None
    tinytensor.manual_seed(7)
    y = run(x * 2)
    tinytensor.rand(3)  # further draws must not change the dropout mask
    (y ** 2).sum().backward()
    return [p.grad.numpy().copy() for p in (*net.parameters(), x)]


@pytest.mark.parametrize("run", [
    lambda net: lambda x: checkpoint(net, x, use_reentrant=False),
    lambda net: lambda x: checkpoint(net, input=x),
    lambda net: lambda x: checkpoint_sequential(net, 3, x),
    lambda net: lambda x: checkpoint(lambda y: checkpoint(net[2:], checkpoint(net[:2], y)), x),
], ids=["positional", "by keyword", "sequential", "nested"])
def test_gradients_are_those_without(run: Any) -> None:
    net, x = model(), leaf(5, 4)
    expected = gradients(net, net, x)
    for found, wanted in zip(gradients(run(net), net, x), expected, strict=True):
        numpy.testing.assert_array_equal(found, wanted)


def test_several_results_and_what_is_enclosed() -> None:
    x, w = leaf(3), leaf(3)

    def function(y: Any, scale: float) -> Any:
        return y * w, "a word", (y + w).detach(), y.sum() * scale

    a, word, fixed, b = checkpoint(function, x, 3.0)
    assert word == "a word" and not fixed.requires_grad
    (a.sum() + 2 * b).backward()
    numpy.testing.assert_allclose(x.grad.numpy(), w.detach().numpy() + 6)
    numpy.testing.assert_allclose(w.grad.numpy(), x.detach().numpy())


def test_gradients_of_gradients() -> None:
    x = leaf(4)
    (first,) = tinytensor.autograd.grad(checkpoint(lambda y: (y ** 3).sum(), x), x,
                                        create_graph=True)
    first.sum().backward()
    numpy.testing.assert_allclose(x.grad.numpy(), 6 * x.detach().numpy())


def test_what_is_computed_in_between_is_freed() -> None:
    kept: list[Any] = []

    def function(x: Any) -> Any:
        y = x.exp()
        kept.append(weakref.ref(y._array))
        return y * y

    gc.disable()  # reference counting alone must free the memory
    try:
        plain = function(leaf(3))
        assert kept[0]() is not None
        out = checkpoint(function, leaf(3))
        assert kept[1]() is None
    finally:
        gc.enable()
    assert plain.requires_grad and out.requires_grad


def test_nothing_is_recorded_without_gradients() -> None:
    x = leaf(3)
    with tinytensor.no_grad():
        assert not checkpoint(lambda y: y * 2, x).requires_grad
    assert not checkpoint(lambda y: y * 2, x.detach()).requires_grad


def test_without_the_random_state_other_numbers_are_drawn() -> None:
    x = leaf(1000)
    tinytensor.manual_seed(0)
    y = checkpoint(nn.Dropout(0.5), x, preserve_rng_state=False)
    y.sum().backward()
    assert ((y == 0) != (x.grad == 0)).any()


def test_a_second_run_that_differs_is_refused() -> None:
    x, w = leaf(3), leaf(3)
    calls: list[int] = []

    def longer(y: Any) -> Any:
        calls.append(1)
        return y.repeat(len(calls))

    with pytest.raises(CheckpointError, match=r"\(6,\).* when it ran again in backward"):
        checkpoint(longer, x).sum().backward()

    calls.clear()

    def others(y: Any) -> Any:
        calls.append(1)
        return y * w if len(calls) == 1 else y * 1

    with pytest.raises(CheckpointError, match="used other Tensors"):
        checkpoint(others, x).sum().backward()


@pytest.mark.parametrize("which", ["a parameter", "an argument"])
def test_what_was_overwritten_since_is_refused(which: str) -> None:
    x, layer = leaf(2, 4), model()[0]
    given = x * 1
    y = checkpoint(layer, given)
    with tinytensor.no_grad():
        (layer.weight if which == "a parameter" else given).add_(1)
    with pytest.raises(CheckpointError, match=r"test_activation_checkpoint.*overwritten in place"):
        y.sum().backward()
    assert layer.bias.grad is None


def test_segments() -> None:
    net = model().eval()
    with pytest.raises(ValueError, match="7 segments of 6 functions"):
        checkpoint_sequential(net, 7, leaf(2, 4))
