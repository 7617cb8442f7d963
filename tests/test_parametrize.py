"""Parametrizations, fused layers, and functional_call, against PyTorch's."""

from __future__ import annotations

import copy
import importlib
import pickle
from typing import Any

import numpy
import pytest
import torch

import tinytensor
from tinytensor import nn
from tinytensor.nn.utils import parametrizations, parametrize

LAYERS = {
    "linear": (lambda nn: nn.Linear(5, 4), (3, 5)),
    "conv": (lambda nn: nn.Conv2d(2, 3, 3), (2, 2, 5, 4)),
    "transposed": (lambda nn: nn.ConvTranspose1d(2, 3, 3), (2, 2, 5)),
}


def functions(path: str, name: str) -> tuple[Any, Any]:
    """A function of nn.utils in both libraries."""
    return tuple(getattr(importlib.import_module(f"{library}.nn.utils{path}"), name)
                 for library in ("tinytensor", "torch"))  # type: ignore[return-value]


def load(mine: Any, theirs: Any) -> None:
    mine.load_state_dict({k: tinytensor.tensor(v.numpy()) for k, v in theirs.state_dict().items()})


def compare(mine: Any, theirs: Any, what: str = "") -> None:
    numpy.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), rtol=1e-9,
                                  atol=1e-12, err_msg=what)


@pytest.mark.filterwarnings("ignore:.*weight_norm. is deprecated")
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(("path", "name", "options"), [
    ("", "weight_norm", {}), ("", "weight_norm", {"dim": None}), ("", "weight_norm", {"dim": 1}),
    ("", "spectral_norm", {}), ("", "spectral_norm", {"n_power_iterations": 3}),
    (".parametrizations", "weight_norm", {}), (".parametrizations", "weight_norm", {"dim": None}),
    (".parametrizations", "spectral_norm", {}),
    (".parametrizations", "spectral_norm", {"n_power_iterations": 2, "dim": 1})])
def test_norms_train_as_in_pytorch(path: str, name: str, options: Any, layer: str) -> None:
    make, shape = LAYERS[layer]
    norm, reference = functions(path, name)
    mine, theirs = norm(make(nn).double(), **options), reference(make(torch.nn).double(), **options)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    load(mine, theirs)
    x = numpy.random.default_rng(0).normal(size=shape)
    optimizers = tinytensor.optim.SGD(mine.parameters(), 0.1), torch.optim.SGD(
        theirs.parameters(), 0.1)
    for _ in range(3):
        for library, model, optimizer in zip((tinytensor, torch), (mine, theirs), optimizers,
                                             strict=True):
            optimizer.zero_grad()
            out = model(library.tensor(x)) + model(library.tensor(2 * x))  # two forwards
            (out ** 2).sum().backward()
            optimizer.step()
    for (key, a), (_, b) in zip(mine.state_dict().items(), theirs.state_dict().items(),
                                strict=True):
        compare(a, b, key)
    compare(mine.eval()(tinytensor.tensor(x)), theirs.eval()(torch.tensor(x)))
    before = mine(tinytensor.tensor(x))
    remove = {"": lambda m: getattr(nn.utils, f"remove_{name}")(m)}.get(
        path, lambda m: parametrize.remove_parametrizations(m, "weight"))
    assert remove(mine) is mine and type(mine) is type(make(nn))
    compare(mine(tinytensor.tensor(x)), before)
    assert isinstance(mine.weight, nn.Parameter) and set(dict(mine.named_parameters())) == {
        "weight", "bias"}


def test_spectral_norm_of_a_vector() -> None:
    mine = parametrizations.spectral_norm(nn.LayerNorm(4).double())
    compare(mine.weight, torch.full((4,), 0.5, dtype=torch.float64))


class Symmetric(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.triu() + x.triu(1).mT


class Doubled(nn.Module):
    def forward(self, x: Any) -> Any:
        return 2 * x

    def right_inverse(self, x: Any) -> Any:
        return x / 2


def test_a_parametrization_of_ones_own() -> None:
    layer = nn.Linear(3, 3).double()
    original = layer.weight
    parametrize.register_parametrization(layer, "weight", Symmetric())
    assert (layer.weight == layer.weight.mT).all()
    assert layer.parametrizations.weight.original is original
    assert parametrize.is_parametrized(layer) and parametrize.is_parametrized(layer, "weight")
    assert not parametrize.is_parametrized(layer, "bias")
    assert parametrize.type_before_parametrizations(layer) is nn.Linear
    assert repr(layer) == repr(torch.nn.utils.parametrize.register_parametrization(
        torch.nn.Linear(3, 3), "weight", type("Symmetric", (torch.nn.Module,), {
            "forward": lambda self, x: x.triu() + x.triu(1).mT})()))
    parametrize.register_parametrization(layer, "weight", Doubled())
    compare(layer.weight, torch.from_numpy(2 * (original.triu() + original.triu(1).mT)
                                           .detach().numpy()))
    layer(tinytensor.ones(1, 3, dtype=tinytensor.float64)).sum().backward()
    assert original.grad is not None
    with pytest.raises(RuntimeError, match="Symmetric has no right_inverse"):
        layer.weight = tinytensor.ones(3, 3, dtype=tinytensor.float64)
    parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    assert layer.weight is original and type(layer) is nn.Linear


def test_a_right_inverse_keeps_the_value_and_takes_new_ones() -> None:
    layer = nn.Linear(2, 2)
    before = layer.weight.detach().clone()
    parametrize.register_parametrization(layer, "weight", Doubled())
    assert (layer.weight == before).all()
    layer.weight = tinytensor.ones(2, 2)
    assert (layer.weight == 1).all() and (layer.parametrizations.weight.original == 0.5).all()
    trained = layer.parametrizations.weight.original
    parametrize.remove_parametrizations(layer, "weight")
    assert layer.weight is trained and (trained == 1).all()  # an optimizer keeps its Parameter


def test_a_buffer_is_parametrized_too() -> None:
    norm = nn.BatchNorm1d(2)
    parametrize.register_parametrization(norm, "running_mean", Doubled())
    assert dict(norm.named_buffers())["parametrizations.running_mean.original"] is not None
    norm.eval()(tinytensor.ones(3, 2))
    parametrize.remove_parametrizations(norm, "running_mean")
    assert (norm.running_mean == 0).all() and "running_mean" in dict(norm.named_buffers())


def test_cached_weights_are_computed_once() -> None:
    layer = nn.Linear(3, 3)
    parametrize.register_parametrization(layer, "weight", Symmetric())
    with parametrize.cached():
        first = layer.weight
        with parametrize.cached():
            assert layer.weight is first
        assert layer.weight is first
    assert layer.weight is not first


def test_copies_of_a_parametrized_layer() -> None:
    layer = parametrizations.weight_norm(nn.Linear(3, 2))
    again = copy.deepcopy(layer)
    assert (again.weight == layer.weight).all()
    parametrize.remove_parametrizations(layer, "weight")
    with tinytensor.no_grad():
        layer.weight.zero_()
    assert not (again.weight == 0).any() and parametrize.is_parametrized(again)
    with pytest.raises(RuntimeError, match="save its state_dict"):
        pickle.dumps(again)


@pytest.mark.parametrize(("act", "error", "message"), [
    (lambda m: parametrize.register_parametrization(m, "wait", Doubled()), ValueError,
     "Linear has no parameter or buffer 'wait'"),
    (lambda m: parametrize.register_parametrization(m, "weight", nn.Flatten(0)), ValueError,
     r"turns shape \(2, 3\) and tinytensor.float32 into \(6,\)"),
    (lambda m: parametrize.register_parametrization(m, "weight", nn.ModuleList()),
     NotImplementedError, "forward"),
    (lambda m: parametrize.remove_parametrizations(m, "weight"), ValueError,
     "has no parametrization"),
    (lambda m: parametrize.remove_parametrizations(
        parametrizations.weight_norm(m), "weight", leave_parametrized=False), ValueError,
     "is computed from several"),
    (lambda m: nn.utils.remove_weight_norm(m), ValueError, "WeightNorm: 'weight'.*has none"),
    (lambda m: nn.utils.weight_norm(nn.utils.weight_norm(m)), RuntimeError, "has one already"),
    (lambda m: nn.utils.spectral_norm(m, "wait"), ValueError, "has no parameter 'wait'"),
    (lambda m: nn.utils.spectral_norm(m, n_power_iterations=0), ValueError, "must be positive"),
    (lambda m: parametrizations.spectral_norm(m, "wait"), ValueError, "no parameter or buffer"),
    (lambda m: parametrizations.spectral_norm(m, dim=5), IndexError, "dim 5 is out of range")])
def test_misuse(act: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        act(nn.Linear(3, 2))


# ---------------------------------------------------------------- fused layers, functional_call


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", ["conv", "transposed", "linear"])
def test_a_layer_fused_with_its_normalisation(kind: str, bias: bool, affine: bool) -> None:
    layer, norm, x = {
        "conv": lambda: (nn.Conv2d(2, 3, 3, bias=bias), nn.BatchNorm2d(3, affine=affine),
                         tinytensor.rand(4, 2, 5, 5)),
        "transposed": lambda: (nn.ConvTranspose2d(2, 3, 3, bias=bias),
                               nn.BatchNorm2d(3, affine=affine), tinytensor.rand(4, 2, 5, 5)),
        "linear": lambda: (nn.Linear(2, 3, bias=bias), nn.BatchNorm1d(3, affine=affine),
                           tinytensor.rand(4, 2)),
    }[kind]()
    layer, norm, x = layer.double(), norm.double(), x.double()
    fuse = nn.utils.fuse_linear_bn_eval if kind == "linear" else nn.utils.fuse_conv_bn_eval
    with pytest.raises(RuntimeError, match="evaluation mode"):
        fuse(layer, norm)
    norm(layer(x))
    layer.eval(), norm.eval()
    options = {"transpose": True} if kind == "transposed" else {}
    compare(fuse(layer, norm, **options)(x), norm(layer(x)))


def test_a_module_called_with_other_parameters() -> None:
    call = nn.utils.stateless.functional_call
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    weight = tinytensor.ones(2, 2, requires_grad=True)
    x = tinytensor.rand(3, 2)
    out = call(model, {"0.weight": weight, "1.running_mean": tinytensor.zeros(2)}, x)
    (out ** 3).sum().backward()
    assert weight.grad is not None and model[0].weight.grad is None
    assert model[1].running_mean.tolist() == [0.0, 0.0]  # the given buffer was updated instead
    with pytest.raises(RuntimeError, match=r"Sequential has no 0\.wait"):
        call(model, {"0.wait": weight}, (x,))
    with pytest.raises(RuntimeError, match=r"0\.bias.* missing"):
        call(model, {"0.weight": weight}, (x,), strict=True)


def test_tied_parameters_are_replaced_in_all_places() -> None:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    x, given = tinytensor.rand(3, 2), {"0.weight": tinytensor.zeros(2, 2)}
    call = nn.utils.stateless.functional_call
    assert (call(model, given, x) == 0).all()
    model[1].weight.data.fill_(1.0)
    assert not (call(model, given, x + 1, tie_weights=False) != 0).any()
    assert (call(model, {"1.weight": tinytensor.ones(2, 2)}, x + 1, tie_weights=False) != 0).all()
