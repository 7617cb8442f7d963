"""NumPy's functions of Tensors: arrays as with PyTorch, and Tensors where a gradient is wanted."""

from __future__ import annotations

import numpy
import pytest
import torch
from operations import in_turn

import tinytensor as engine

X = numpy.arange(1.0, 13.0).reshape(3, 4) / 5
Y = numpy.cos(X)


# Each is called with Tensors that require grad, and with arrays: NumPy's own result is expected.
CALLS = {
    "sum": lambda x, y: numpy.sum(x) + numpy.sum(y, axis=0, keepdims=True),
    "mean": lambda x, y: numpy.mean(x, 1) + numpy.mean(y),
    "prod": lambda x, y: numpy.prod(x, axis=(0, 1)) + numpy.prod(y, axis=1),
    "max": lambda x, y: numpy.max(x, axis=1) - numpy.amax(y) + numpy.min(x) * numpy.amin(y, 1),
    "std": lambda x, y: numpy.std(x, axis=0) + numpy.var(y, axis=0, ddof=1),
    "running": lambda x, y: numpy.cumsum(x) + numpy.cumprod(y, axis=1).ravel(),
    "joined": lambda x, y: numpy.concatenate([x, y, X], axis=1),
    "joined flat": lambda x, y: numpy.concatenate((x, y), axis=None),
    "stacked": lambda x, y: numpy.stack([x, y], axis=-1),
    "rows and columns": lambda x, y: numpy.vstack([numpy.hstack([x, y]), numpy.hstack([Y, x])]),
    "where": lambda x, y: numpy.where(X > 1, x, y),
    "einsum": lambda x, y: numpy.einsum("ij,kj,k->i", x, y, X[:, 0]),
    "products": lambda x, y: (numpy.dot(x, y.T) + numpy.inner(x, Y)
                              + numpy.tensordot(x, y, axes=([1], [1]))),
    "product of many dims": lambda x, y: numpy.dot(x, numpy.stack([y.T, y.T])),
    "outer": lambda x, y: numpy.outer(x, y[0]),
    "shapes": lambda x, y: numpy.reshape(x, (4, 3)) * numpy.transpose(y),
    "dims": lambda x, y: (numpy.squeeze(numpy.expand_dims(x, (0, 3))) * numpy.ravel(y)[:4]
                          + numpy.swapaxes(numpy.moveaxis(y, 0, 1), 0, 1)),
    "repeated": lambda x, y: (numpy.tile(x, 2)
                              + numpy.tile(numpy.broadcast_to(y[0], (3, 4)), (1, 2))),
    "turned": lambda x, y: (numpy.flip(x) + numpy.flip(y, 0) + numpy.roll(x, 2)
                            + numpy.roll(y, 1, axis=0)),
    "triangles": lambda x, y: numpy.tril(x) + numpy.triu(y, k=1),
    "diagonals": lambda x, y: numpy.diagonal(x, 1) * numpy.trace(y),
    "clipped": lambda x, y: numpy.clip(x, 0.55, 2.05) * numpy.clip(y, None, 0.33)
    + numpy.clip(y, min=0.1, max=0.9),
    "norms": lambda x, y: numpy.linalg.norm(x, axis=1) + numpy.linalg.norm(y)
    + numpy.linalg.norm(y, numpy.inf),
}


@in_turn("name", CALLS)
def test_functions_give_tensors_with_gradients(name):
    call = CALLS[name]
    x, y = (engine.tensor(a, requires_grad=True) for a in (X, Y))
    out = call(x, y)
    assert isinstance(out, engine.Tensor) and out.requires_grad
    numpy.testing.assert_allclose(out.detach().numpy(), call(X, Y), rtol=1e-12)
    assert engine.autograd.gradcheck(call, (x, y))


@in_turn("name", ["concatenate", "stack", "vstack", "median", "sort", "einsum",
                  "array_equal", "shape"])
def test_without_gradients_functions_give_what_they_give_with_pytorch(name):
    function = getattr(numpy, name)
    kinds = []
    for make in (engine.tensor, torch.tensor):
        x = make([[3.0, 1.0], [2.0, 5.0]])
        args = {"einsum": ("ij,ij->i", x, x), "array_equal": (x, x)}.get(
            name, (x,) if name in ("median", "sort", "shape") else ([x, x],))
        kinds.append(function(*args))
    ours, theirs = kinds
    assert type(ours).__name__ == type(theirs).__name__
    numpy.testing.assert_array_equal(ours, theirs)


def test_other_functions_do_not_lose_a_gradient_silently():
    x = engine.tensor(X, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"this Tensor requires grad; use \.detach\(\)\.numpy"):
        numpy.sort(x)
    assert numpy.shape(x) == (3, 4) and numpy.ndim(x) == 2
    with pytest.raises(TypeError, match="out"):
        numpy.concatenate([x, x], out=numpy.empty((6, 4)))


class Stranger:
    """Another type with functions of its own."""

    def __array_function__(self, function, types, args, kwargs):
        return function.__name__


def test_other_types_with_functions_of_their_own_decide():
    for x in (engine.tensor(X), engine.tensor(X, requires_grad=True)):
        assert numpy.concatenate([x, Stranger()]) == "concatenate"
        assert numpy.where(X > 1, Stranger(), x) == "where"


def test_functions_whose_methods_differ_work_without_gradients():
    for name in ("max", "std", "turned", "dims"):
        call = CALLS[name]
        numpy.testing.assert_allclose(call(engine.tensor(X), engine.tensor(Y)), call(X, Y), 1e-12)
