"""Lazy layers become ordinary layers, as in PyTorch."""

from __future__ import annotations

import copy
from typing import Any

import numpy
import pytest
import torch

import tinytensor
from tinytensor import nn

pytestmark = pytest.mark.filterwarnings("ignore:Lazy modules are a new feature:UserWarning")

CASES: dict[str, tuple[tuple[Any, ...], dict[str, Any], tuple[int, ...]]] = {
    "LazyLinear": ((4,), {}, (2, 3, 5)),
    "LazyConv1d": ((4, 3), {"padding": 1}, (2, 6, 7)),
    "LazyConv2d": ((4, 3), {"groups": 2, "bias": False}, (2, 6, 5, 5)),
    "LazyConv3d": ((2, 2), {"stride": 2}, (3, 4, 4, 4)),
    "LazyConvTranspose1d": ((4, 3), {"stride": 2}, (2, 6, 7)),
    "LazyConvTranspose2d": ((4, 3), {"groups": 2, "output_padding": 1, "stride": 2}, (6, 5, 5)),
    "LazyConvTranspose3d": ((2, 2), {}, (1, 3, 2, 2, 2)),
    "LazyBatchNorm1d": ((), {}, (4, 3)),
    "LazyBatchNorm2d": ((), {"momentum": 0.3}, (4, 3, 2, 2)),
    "LazyBatchNorm3d": ((), {"affine": False}, (4, 3, 2, 2, 2)),
    "LazyInstanceNorm1d": ((), {}, (2, 3, 5)),
    "LazyInstanceNorm2d": ((), {"track_running_stats": False}, (2, 3, 4, 4)),
    "LazyInstanceNorm3d": ((), {"affine": False}, (2, 3, 2, 2, 4)),
}
cases = pytest.mark.parametrize("name", CASES)


def both(name: str) -> tuple[Any, Any, numpy.ndarray[Any, Any]]:
    args, kwargs, shape = CASES[name]
    x = numpy.random.default_rng(0).standard_normal(shape).astype("float32")
    return getattr(nn, name)(*args, **kwargs), getattr(torch.nn, name)(*args, **kwargs), x


@cases
def test_the_first_call_finds_the_size(name: str) -> None:
    mine, theirs, x = both(name)
    assert repr(mine) == repr(theirs)
    parameters = dict(mine.named_parameters())
    mine(tinytensor.tensor(x))
    expected = theirs(torch.tensor(x))
    assert repr(mine) == repr(theirs) and type(mine) is getattr(nn, name.replace("Lazy", ""))
    assert [(n, tuple(p.shape)) for n, p in mine.named_parameters()] == [
        (n, tuple(p.shape)) for n, p in theirs.named_parameters()]
    assert all(p is parameters[n] and type(p) is nn.Parameter and p.is_leaf and p.requires_grad
               for n, p in mine.named_parameters())
    fresh, other, _ = both(name)  # the first pair has updated its running statistics
    fresh.load_state_dict({n: v.numpy() for n, v in theirs.state_dict().items()})
    other(torch.tensor(x))
    other.load_state_dict(theirs.state_dict())
    found, expected = fresh(tinytensor.tensor(x)), other(torch.tensor(x))
    torch.testing.assert_close(torch.from_numpy(found.detach().numpy()), expected.detach())


@cases
def test_loading_a_state_finds_the_size(name: str) -> None:
    mine, theirs, x = both(name)
    theirs(torch.tensor(x))
    state = {n: v.numpy() for n, v in theirs.state_dict().items()}
    mine.load_state_dict(state)
    assert type(mine) is (getattr(nn, name.replace("Lazy", "")) if state else getattr(nn, name))
    assert {n: v.tolist() for n, v in mine.state_dict().items()} == {
        n: v.tolist() for n, v in state.items()}


def model() -> Any:
    return nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(),
                         nn.LazyLinear(2))


def test_an_optimizer_made_before_trains_what_they_become() -> None:
    net = model()
    optimizer = tinytensor.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    optimizer.zero_grad()
    optimizer.step()  # does nothing without gradients
    net(tinytensor.randn(3, 2, 6, 6)).square().sum().backward()
    before = [p.tolist() for p in net.parameters()]
    optimizer.step()
    assert all(p.tolist() != old for p, old in zip(net.parameters(), before, strict=True)
               if p.grad.abs().max() > 1e-6)


def test_what_is_done_before_the_first_call_counts(gpu: Any) -> None:
    net = model().double()
    net[0].weight.requires_grad_(False)
    net[3].weight.data.normal_()  # does nothing without values, as in PyTorch
    net = copy.deepcopy(net).cuda()
    assert all(p.is_cuda and p.dtype is tinytensor.float64 for p in net.parameters())
    assert repr(net[3].weight) == "<UninitializedParameter>"
    y = net(tinytensor.randn(3, 2, 6, 6, dtype=tinytensor.float64, device="cuda"))
    assert y.is_cuda and y.dtype is tinytensor.float64
    assert not net[0].weight.requires_grad and net[3].weight.requires_grad
    assert net[1].running_mean.is_cuda and net[1].running_mean.dtype is tinytensor.float64


@pytest.mark.parametrize("use", [
    lambda p: p + 1, lambda p: p.shape, lambda p: p.numel(), lambda p: nn.init.ones_(p),
    lambda p: p.tolist()])
def test_a_parameter_without_a_shape_cannot_be_used(use: Any) -> None:
    with pytest.raises(RuntimeError, match="has no shape yet: call the model on an input first"):
        use(nn.LazyLinear(3).weight)


def test_states_without_values() -> None:
    net = model()
    assert list(net.state_dict()) == []
    with pytest.raises(RuntimeError, match=r'Missing key.*"0\.weight", "0\.bias", "1\.weight"'):
        net.load_state_dict({})
    with pytest.raises(RuntimeError, match=r"LazyConv2d: the input must have 4 dims"):
        net(tinytensor.ones(2, 3))
    assert isinstance(net[0], nn.LazyConv2d)
    assert net.load_state_dict({}, strict=False).missing_keys[-1] == "3.bias"


def test_weights_are_those_of_the_ordinary_layer() -> None:
    for lazy, ordinary, shape in ((nn.LazyLinear(2), lambda: nn.Linear(3, 2), (1, 3)),
                                  (nn.LazyConv1d(2, 1), lambda: nn.Conv1d(3, 2, 1), (1, 3, 4))):
        tinytensor.manual_seed(0)
        lazy(tinytensor.ones(shape))
        tinytensor.manual_seed(0)
        assert lazy.weight.tolist() == ordinary().weight.tolist()
    tinytensor.manual_seed(0)
    nn.LazyLinear(2).load_state_dict(nn.Linear(3, 2).state_dict())
    after = tinytensor.rand(1).item()
    tinytensor.manual_seed(0)
    nn.Linear(3, 2)
    assert tinytensor.rand(1).item() == after  # loading draws no random numbers


@pytest.mark.parametrize(("layer", "state"), [
    (nn.LazyLinear(3), {"bias": tinytensor.zeros(3)}),
    (nn.LazyLinear(3), {"weight": tinytensor.tensor(1.0)}),
    (nn.LazyConv2d(3, 2), {"bias": tinytensor.zeros(3)}),
    (nn.LazyBatchNorm1d(), {"num_batches_tracked": tinytensor.tensor(3)})], ids=lambda x: "")
def test_a_state_that_does_not_tell_the_size(layer: Any, state: Any) -> None:
    assert layer.has_uninitialized_params()
    missing = layer.load_state_dict(state, strict=False).missing_keys
    assert "weight" in missing and layer.has_uninitialized_params()


def test_a_lazy_layer_of_ones_own_becomes_the_same() -> None:
    class Wide(nn.LazyLinear):
        def __init__(self) -> None:
            super().__init__(99)

    layer = Wide()
    assert layer(tinytensor.ones(2, 3)).shape == (2, 99) and type(layer) is nn.Linear


def test_before_the_size_is_known_nothing_is_reset_and_an_input_is_needed() -> None:
    net = model()
    net.apply(lambda m: m.reset_parameters() if hasattr(m, "reset_parameters") else None)
    with pytest.raises(TypeError, match="LazyConv2d: the first call needs an input"):
        net[0]()
    assert type(net[0](input=tinytensor.ones(1, 2, 4, 4))) is tinytensor.Tensor


def test_whether_a_parameter_is_lazy() -> None:
    for library in (tinytensor, torch):
        layer = library.nn.LazyLinear(2)
        assert library.nn.parameter.is_lazy(layer.weight)
        layer(library.ones(1, 3))
        assert not library.nn.parameter.is_lazy(layer.weight)
