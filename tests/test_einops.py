"""einops on Tensors, and its layers; the reference is einops on PyTorch's tensors and on arrays."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import numpy
import pytest
import torch
from operations import in_turn

import tinytensor as engine
from tinytensor import nn

einops = pytest.importorskip("einops")
from einops.layers import tinytensor as ours  # noqa: E402
from einops.layers import torch as theirs  # noqa: E402

X = numpy.random.default_rng(0).normal(size=(2, 6, 4))

CALLS = {
    "rearrange": lambda x: einops.rearrange(x, "b (h w) c -> c b w h", h=2),
    "list": lambda x: einops.rearrange([x, 2 * x], "n b t c -> b (n t) c"),
    "repeat": lambda x: einops.repeat(x, "b t c -> b (t r) c k", r=2, k=3),
    "mean": lambda x: einops.reduce(x, "b (t s) c -> b t", "mean", s=3),
    "max": lambda x: einops.reduce(x, "b t c -> b 1 c", "max"),
    "prod": lambda x: einops.reduce(x, "b t c -> t", "prod"),
    "einsum": lambda x: einops.einsum(x, x, "b t c, b s c -> b t s"),
    "pack": lambda x: einops.pack([x, x[:, :1]], "b * c")[0],
    "unpack": lambda x: einops.unpack(x, [[2], [2, 2]], "b * c")[1],
}


@in_turn("name", CALLS)
def test_functions_and_their_gradients(name):
    results = []
    for package in (engine, torch):
        x = package.tensor(X, requires_grad=True)
        out = CALLS[name](x)
        (out ** 2).sum().backward()
        assert isinstance(out, package.Tensor)
        results.append((out.detach().numpy(), x.grad.numpy()))
    for a, b in zip(*results, strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-12)


def test_integers_bool_and_shapes():
    x = engine.arange(6).reshape(2, 3)
    assert einops.reduce(x, "a b -> a", "sum").tolist() == [3, 12]
    assert einops.reduce(x > 4, "a b -> a", "any").tolist() == [False, True]
    assert einops.parse_shape(x, "a _") == {"a": 2}
    assert isinstance(einops.asnumpy(x), numpy.ndarray)
    with pytest.raises(einops.EinopsError, match="rearrange"):
        einops.rearrange(x, "a (b c) -> a b c", b=2)


LAYERS = {
    "Rearrange": ("b (h w) c -> b h w c", {"h": 2}),
    "Reduce": ("b t c -> b c", "max"),
    "EinMix": ("b t c -> b o t", {"weight_shape": "c o", "bias_shape": "o", "c": 4, "o": 5}),
    "EinMix with groups": ("b (t s) c -> b (t o)",
                           {"weight_shape": "s c o", "s": 2, "c": 4, "o": 3}),
}


@in_turn("name", LAYERS)
def test_layers(name):
    pattern, rest = LAYERS[name]
    kind = name.partition(" ")[0]
    args, options = ((pattern, rest), {}) if isinstance(rest, str) else ((pattern,), rest)
    layer, other = (getattr(module, kind)(*args, **options) for module in (ours, theirs))
    assert isinstance(layer, nn.Module) and repr(layer) == repr(other)
    layer.load_state_dict({k: engine.tensor(v.numpy()) for k, v in other.state_dict().items()})
    x = X.astype("float32")
    expected = other(torch.tensor(x)).detach().numpy()
    for made in (layer, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        numpy.testing.assert_allclose(made(engine.tensor(x)).detach().numpy(), expected, 1e-5, 1e-6)


def test_the_backend_is_there_whichever_is_imported_first():
    for first, second in (("einops", "tinytensor"), ("tinytensor", "einops")):
        code = (f"import {first}, {second}, sys; x = tinytensor.zeros(2, 6); assert 'torch' not in "
                "sys.modules; print(*einops.rearrange(x, 'a (b c) -> a b c', b=2).shape)")
        answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                                check=True)
        assert answer.stdout == "2 2 3\n"
