"""float16: an operation computes in float32 and rounds once.

The tests are generated from the table. Results and gradients of float16 inputs equal the rounded
ones of the same numbers in float32, also where squares and sums overflow float16. The same holds
for optimizers, gradient clipping and computed weights. Other files compare float32 with PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import pytest
from narrow import REFUSED, calls, compare, equal, of_magnitude, rounded, slopes_of
from operations import in_turn

import tinytensor
from tinytensor import nn, optim, tensor
from tinytensor.arrays.dispatch import KernelSettings, use_kernels
from tinytensor.autograd.table import TABLE
from tinytensor.checking.calls import arguments_of, differentiable, ours, outputs
from tinytensor.kernels import loops

functional = nn.functional
HALF, SINGLE = numpy.float16, numpy.float32
MAGNITUDES = (1e-4, 1.0, 300.0, 40000.0)

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # float16 overflows


@in_turn("key, i", calls(None))
def test_results_and_gradients_are_those_of_float32_rounded(key: str, i: int) -> None:
    compare(TABLE[key], TABLE[key].samples[i], MAGNITUDES if i == 0 else (300.0,), HALF)


@pytest.mark.long
@pytest.mark.skipif(loops.Numba.missing, reason="the kernels need numba")
def test_with_kernels(kernels: None, monkeypatch: Any) -> None:
    monkeypatch.setattr(KernelSettings, "min_work", 0)
    for key, i in calls(1, {key: e for key, e in TABLE.items() if e.op and e.op.kernels}):
        compare(TABLE[key], TABLE[key].samples[i], MAGNITUDES, HALF)


@in_turn("key, i", calls(1))
def test_on_a_gpu(gpu: Any, key: str, i: int) -> None:
    compare(TABLE[key], TABLE[key].samples[i], (300.0,), HALF, "cuda")


@in_turn("key, i", calls(1))
def test_second_derivatives(key: str, i: int) -> None:
    """These are not exact, since the first derivatives are rounded."""
    entry = TABLE[key]
    arguments, found = of_magnitude(arguments_of(entry.samples[i], entry.name), 1.0, HALF), []
    for dtype in (HALF, SINGLE):
        (args, kwargs), leaves = ours(arguments, dtype)
        results = differentiable(outputs(entry.function(*args, **kwargs)))
        first = results and tinytensor.autograd.grad(results, leaves, slopes_of(results, HALF),
                                                     create_graph=True, allow_unused=True)
        first = differentiable([g for g in first if g is not None])
        second = first and tinytensor.autograd.grad(first, leaves, slopes_of(first, HALF),
                                                    allow_unused=True)
        found.append([None if g is None else g.numpy() for g in second])
    for n, (mine, reference) in enumerate(zip(*found, strict=True)):
        equal(mine, rounded(reference, HALF), 5e-3, f"second derivative {n}")


@pytest.mark.parametrize("key", REFUSED)
def test_what_is_refused(key: str) -> None:
    with pytest.raises(RuntimeError, match="float16"):
        TABLE[key].function(tensor([1.0, 2.0], dtype=tinytensor.float16), 0.5)


# ---------------------------------------------------------------- values given to rules


def test_a_rule_gets_the_result_as_it_was_before_rounding() -> None:
    x = tensor([40000.0, 40010.0], dtype=tinytensor.float16, requires_grad=True)
    x.logsumexp(0).backward()  # the result is 40000 or 40032 in float16
    assert x.grad.sum().item() == pytest.approx(1.0, rel=0.01)
    y = tensor([[-400.0], [400.0]], dtype=tinytensor.float16, requires_grad=True)
    functional.batch_norm(y, None, None, training=True).backward(
        tensor([[1.0], [0.0]], dtype=tinytensor.float16))  # the variance is inf in float16
    assert numpy.isfinite(y.grad.numpy()).all()


def test_inputs_are_kept_in_float16() -> None:
    """The graph saves the program's arrays without a copy, and notices writes into them."""
    x = tensor([1.0, 2.0], dtype=tinytensor.float16, requires_grad=True)
    y = x * 1
    z = y * y
    assert any(saved is y._array for saved in z._node.saved)
    y += 1
    with pytest.raises(RuntimeError, match="mul"):
        z.sum().backward()


def test_gradients_of_views_are_summed_in_float32() -> None:
    x = tensor([1.0], dtype=tinytensor.float16, requires_grad=True)
    for many in (x.expand(4096), x[tensor([0] * 4096)], x.as_strided((4096,), (0,)),
                 x.expand(4096, 1) * 1, x + tinytensor.zeros(4096, dtype=tinytensor.float16)):
        x.grad = None
        many.sum().backward()
        assert x.grad.tolist() == [4096]  # sequential float16 sums stop at 2048


# ---------------------------------------------------------------- the dtype of compositions


def test_a_dtype_that_is_asked_for_or_promoted_to() -> None:
    half = tensor([300.0, 400.0], dtype=tinytensor.float16)
    norm = tinytensor.linalg.vector_norm
    assert norm(half).dtype is tinytensor.float16
    asked = norm(half * 100, dtype=tinytensor.float32)
    assert asked.dtype is tinytensor.float32 and asked.item() == 50000
    mixed = functional.pairwise_distance(half[None], half[None].float() - 1)
    assert mixed.dtype is tinytensor.float32
    assert tinytensor.stack([half]).dtype is tinytensor.linalg.multi_dot(
        [half[None], half[:, None]]).dtype is tinytensor.float16
    assert isinstance(tinytensor.std_mean(half), tuple)


def test_writing_in_place_reaches_the_tensor() -> None:
    x = tensor([-12.0, 300.0], dtype=tinytensor.float16)
    for f in (functional.selu, functional.celu, tinytensor.renorm):
        y = x.clone()[None]
        if f is tinytensor.renorm:
            y.renorm_(2, 0, 10.0)
            expected = tinytensor.renorm(x[None], 2, 0, 10.0)
        else:
            f(y, inplace=True)
            expected = f(x[None])
        assert y.tolist() == expected.tolist()
    weight = tensor([[300.0, 400.0]], dtype=tinytensor.float16)
    functional.embedding(tensor([0]), weight, max_norm=1.0)
    numpy.testing.assert_allclose(weight.numpy(), [[0.6, 0.8]], 1e-3)
    running = tinytensor.zeros(1, dtype=tinytensor.float16)
    functional.batch_norm(x[:, None], running, running.clone(), training=True)
    assert running.item() == pytest.approx(14.4, rel=1e-3)


# ---------------------------------------------------------------- optimizers and layers

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "ASGD": {}, "Adadelta": {"eps": 1e-4}, "Adafactor": {"eps": (1e-4, 1e-3)}, "Adagrad": {},
    "Adam": {"amsgrad": True}, "AdamW": {}, "Adamax": {}, "LBFGS": {"max_iter": 3}, "Muon": {},
    "NAdam": {}, "RAdam": {}, "RMSprop": {"centered": True, "momentum": 0.9},
    "Rprop": {"lr": 0.125}, "SGD": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
}


@in_turn("name, magnitude, on", [(name, m, on) for name in OPTIMIZERS for m in MAGNITUDES
                                 for on in (False, True)])
def test_optimizers_step_in_float32(name: str, magnitude: float, on: bool) -> None:
    """Parameters and state in float16 equal the rounded ones of a step in float32."""
    rng = numpy.random.default_rng(0)
    start = rng.normal(size=(3, 4)).astype(HALF)
    half, single = (nn.Parameter(tensor(start.astype(dtype))) for dtype in (HALF, SINGLE))
    options = {"lr": 0.1, **OPTIMIZERS[name]}
    first, second = (getattr(optim, name)([p], **options) for p in (half, single))
    for _ in range(1 if name == "LBFGS" else 3):
        gradient = tensor((rng.uniform(-1, 1, (3, 4)) * magnitude).astype(HALF))
        half.grad, single.grad = gradient.clone(), gradient.float()
        with use_kernels(on):
            for optimizer in (first, second):
                optimizer.step(*[lambda: 0.0] * (name == "LBFGS"))
        arrays = [single._array, *(x._array for x in second.state[single].values()
                                   if isinstance(x, tinytensor.Tensor) and x.ndim)]
        for array in arrays:
            array[...] = array.astype(HALF)
        numpy.testing.assert_array_equal(half.detach().numpy(), single.detach().numpy())


def test_every_optimizer_is_checked() -> None:
    assert set(OPTIMIZERS) == {name for name in vars(optim) if isinstance(
        getattr(optim, name), type) and issubclass(getattr(optim, name), optim.Optimizer)} - {
            "Optimizer", "ZeroRedundancyOptimizer"}  # it steps by another one


def test_clipping() -> None:
    p = nn.Parameter(tinytensor.zeros(2, dtype=tinytensor.float16))
    p.grad = tensor([3000.0, 4000.0], dtype=tinytensor.float16)
    total = nn.utils.clip_grad_norm_([p], 0.01)
    assert total.dtype is tinytensor.float16 and total.item() == 5000
    numpy.testing.assert_array_equal(p.grad.numpy(), numpy.array([0.006, 0.008], HALF))


@pytest.mark.parametrize("made", [
    lambda layer: nn.utils.parametrizations.weight_norm(layer),
    lambda layer: nn.utils.parametrizations.spectral_norm(layer)], ids=["weight", "spectral"])
def test_computed_weights(made: Callable[[Any], Any]) -> None:
    found = []
    for dtype in (tinytensor.float16, tinytensor.float32):
        tinytensor.manual_seed(0)
        layer = nn.Linear(2, 1, bias=False).to(dtype)
        layer.weight.data.copy_(tensor([[300.0, 400.0]]))
        found.append(made(layer).weight)
    assert found[0].dtype is tinytensor.float16
    numpy.testing.assert_allclose(found[0].detach().numpy(), found[1].detach().numpy(), 2e-3)
