"""The loops of optimisers against the references that they replace."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
from test_optim import ADAM_OPTIONS, COMMON, OTHER_OPTIONS, SGD_OPTIONS

import tinytensor
from tinytensor import nn, optim
from tinytensor.arrays.dispatch import use_kernels
from tinytensor.arrays.threads import Threads
from tinytensor.kernels.cpu import optim as kernels
from tinytensor.kernels.loops import Numba

pytestmark = [pytest.mark.skipif(Numba.missing, reason="the kernels need numba"),
              pytest.mark.usefixtures("kernels"),
              pytest.mark.filterwarnings(
                  "ignore:.*the learning rate of parameter group:UserWarning")]

CASES = [*[("SGD", o) for o in SGD_OPTIONS], *[("Adam", o) for o in ADAM_OPTIONS],
         ("AdamW", {"lr": 0.1, "weight_decay": 0.2}), ("AdamW", {"lr": 0.1, "amsgrad": True}),
         *[("RMSprop", o) for o in COMMON + OTHER_OPTIONS["RMSprop"]]]
cases = pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{n}-{o}" for n, o in CASES])
SHAPES = [(7, 31), (1,), (), (0, 3), (3, 5, 11), (129,), (1000,)]


def trained(name: str, options: dict[str, Any], dtypes: Any = ("float32",), steps: int = 4,
            values: Any = (), scale: float = 1.0) -> list[Any]:
    """Parameters and state after some steps.

    Every gradient begins with `values`. Parameters and gradients are multiplied by `scale`.
    """
    rng = numpy.random.default_rng(2)
    arrays = [numpy.asarray(scale * rng.normal(size=shape)).astype(dtype)
              for shape in SHAPES for dtype in dtypes]
    params = [nn.Parameter(tinytensor.tensor(a)) for a in arrays]
    params.append(nn.Parameter(tinytensor.tensor(arrays[0]).T))  # strided: uses the reference
    optimizer = getattr(optim, name)(params, **options)
    for step in range(steps):
        for i, p in enumerate(params):
            grad = scale * numpy.asarray(rng.normal(size=tuple(p.shape)))
            if grad.size > len(values):
                grad.reshape(-1)[:len(values)] = values
            if i + step != 3:  # a missing gradient makes the step counts differ
                p.grad = tinytensor.tensor(grad, dtype=p.dtype)
            if step % 2:  # a gradient that is a transposed view
                p.grad = p.grad.clone() if p.ndim != 2 else p.grad.T.contiguous().T
        optimizer.step()
    state = [s[key] for s in optimizer.state.values() for key in sorted(s) if key != "step"]
    return [x.detach().numpy().copy() for x in params + state]


@pytest.mark.filterwarnings("ignore:.*the learning rate of parameter group")  # one option is 0
@cases
@pytest.mark.parametrize("values", [(), (numpy.nan, numpy.inf, -numpy.inf, 0.0)],
                         ids=["finite", "not finite"])
def test_equal_the_bodies(name: str, options: dict[str, Any], values: Any) -> None:
    with use_kernels(False):
        expected = trained(name, options, ("float32", "float64"), values=values)
    found = trained(name, options, ("float32", "float64"), values=values)
    for mine, reference in zip(found, expected, strict=True):
        assert mine.dtype == reference.dtype
        tolerance = 1e-5 if mine.dtype == numpy.float32 else 1e-12
        numpy.testing.assert_allclose(mine, reference, tolerance, tolerance)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # squares overflow
@cases
@pytest.mark.parametrize("scale", [1e-20, 1e-10, 1e5, 1e15])
def test_at_any_scale(name: str, options: dict[str, Any], scale: float) -> None:
    """The order of operations decides where a square overflows or a small step is lost."""
    with use_kernels(False):
        expected = trained(name, options, ("float32", "float64"), scale=scale)
    found = trained(name, options, ("float32", "float64"), scale=scale)
    for mine, reference in zip(found, expected, strict=True):
        tolerance = 1e-4 if mine.dtype == numpy.float32 else 1e-11
        finite = reference[numpy.isfinite(reference)]
        numpy.testing.assert_allclose(mine, reference, tolerance,
                                      tolerance * float(numpy.abs(finite).max(initial=0)))


@pytest.mark.filterwarnings("ignore:.*the learning rate of parameter group")  # one option is 0
@cases
def test_the_bits_do_not_depend_on_threads(name: str, options: dict[str, Any],
                                           monkeypatch: Any) -> None:
    monkeypatch.setattr(kernels, "PIECE", 1)
    results = []
    for count in (1, 2, 3, 7):
        monkeypatch.setattr(Threads, "count", count)
        results.append(trained(name, options))
    for other in results[1:]:
        for mine, reference in zip(other, results[0], strict=True):
            assert mine.tobytes() == reference.tobytes()


@pytest.mark.parametrize("optimizer", [optim.SGD, optim.Adam, optim.RMSprop])
def test_they_run_and_leave_to_the_reference_what_does_not_fit(optimizer: Any,
                                                          monkeypatch: Any) -> None:
    left: list[Any] = []
    reference = optimizer.update.reference
    monkeypatch.setattr(optimizer.update, "reference", lambda xp, prepared, group: (
        left.extend(row[0] for row in prepared), reference(xp, prepared, group)))
    dense, other = (nn.Parameter(tinytensor.ones(3, 4)) for _ in range(2))
    strided = nn.Parameter(tinytensor.ones(4, 3).T)
    other.requires_grad_(False)
    for p in (dense, strided):
        p.grad = tinytensor.ones(3, 4)
    optimizer([dense, other, strided], lr=0.03).step()
    assert len(left) == 1 and left[0] is strided._array
    assert other.tolist() == tinytensor.ones(3, 4).tolist() != dense.tolist()
    numpy.testing.assert_allclose(*[p.detach().numpy() for p in (dense, strided)], 1e-6)


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("name", [
    "SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "ASGD",
    "Rprop", "Muon"])
def test_state_of_another_shape_is_refused_before_a_parameter_changes(name: str, on: bool) -> None:
    """The shape matters even if the number of elements is equal, as in PyTorch."""
    options = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
    first, second = (nn.Parameter(tinytensor.ones(6, 4)) for _ in range(2))
    optimizer = getattr(optim, name)([first, second], lr=0.1, **options)
    first.grad, second.grad = tinytensor.ones(6, 4), tinytensor.ones(6, 4)
    optimizer.step()
    for shape in ((4, 6), (24,), (1, 6, 4)):
        before = [p.tolist() for p in (first, second)]
        for other in ("state", "gradient"):
            state = optimizer.state[second]
            changed = {key: value.reshape(shape) for key, value in state.items() if value.ndim}
            with use_kernels(on), pytest.raises(RuntimeError, match=r"step: a parameter of shape "
                                                                    r"\(6, 4\) has a gradient or"):
                if other == "state":
                    optimizer.state[second] = {**state, **changed}
                else:
                    second._grad = second.grad.reshape(shape)
                optimizer.step()
            optimizer.state[second], second._grad = state, tinytensor.ones(6, 4)
        assert [p.tolist() for p in (first, second)] == before


def test_memory_that_is_not_writable_is_refused() -> None:
    array = numpy.ones(3, numpy.float32)
    array.flags.writeable = False
    p = nn.Parameter(tinytensor.from_numpy(array))
    p.grad = tinytensor.ones(3)
    with pytest.raises(ValueError, match="read-only"):
        optim.SGD([p], lr=0.1).step()
    assert array.tolist() == [1.0, 1.0, 1.0]


def test_a_parameter_twice_in_a_group_is_updated_twice() -> None:
    results = []
    for on in (True, False):
        p = nn.Parameter(tinytensor.ones(3))
        p.grad = tinytensor.tensor([1.0, -2.0, 3.0])
        with pytest.warns(UserWarning, match="twice"):
            optimizer = optim.Adam([p, p], lr=0.1)
        with use_kernels(on):
            optimizer.step()
        results.append(p.tolist())
    assert results[0] == pytest.approx(results[1], rel=1e-6)


# ---------------------------------------------------------------- clipping


def clipped(dtype: str, max_norm: float, values: Any = ()) -> list[Any]:
    rng = numpy.random.default_rng(3)
    params = [nn.Parameter(tinytensor.zeros(shape, dtype=getattr(tinytensor, dtype)))
              for shape in [(70, 301), (), (0, 2), (9000,), (3, 5)]]
    for p in params:
        grad = rng.normal(size=tuple(p.shape))
        if grad.size > len(values):
            grad.reshape(-1)[:len(values)] = values
        p.grad = tinytensor.tensor(grad, dtype=p.dtype)
    total = nn.utils.clip_grad_norm_(params, max_norm)
    assert total.dtype is params[0].dtype
    return [x.numpy().copy() for x in [total, *(p.grad for p in params)]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("max_norm", [0.5, 1e9])
@pytest.mark.parametrize("values", [(), (numpy.inf,), (numpy.nan, 1.0)], ids=str)
def test_clipping_equals_the_bodies(dtype: str, max_norm: float, values: Any,
                                    monkeypatch: Any) -> None:
    with use_kernels(False):
        expected = clipped(dtype, max_norm, values)
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    monkeypatch.setattr(kernels, "PIECE", 1)
    bits = set()
    for count in (1, 2, 5):
        monkeypatch.setattr(Threads, "count", count)
        found = clipped(dtype, max_norm, values)
        bits.add(b"".join(x.tobytes() for x in found))
        for mine, reference in zip(found, expected, strict=True):
            assert mine.dtype == reference.dtype and mine.shape == reference.shape
            numpy.testing.assert_allclose(mine, reference, tolerance, tolerance)
    assert len(bits) == 1


def test_the_norm_of_many_numbers_is_accurate() -> None:
    """A single float32 sum of 3 million squares would lose digits."""
    p = nn.Parameter(tinytensor.zeros(3_000_000))
    p.grad = tinytensor.full((3_000_000,), 0.1)
    total = nn.utils.clip_grad_norm_([p], 1e9)
    assert total.item() == pytest.approx(float(numpy.float32(0.1)) * 3_000_000**0.5, rel=1e-6)
