"""tinytensor.func: derivatives as functions, and vmap, against torch.func and a Python loop."""

from __future__ import annotations

import importlib
import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from operations import in_turn, on_entries

import tinytensor
from tinytensor.autograd.table import Entry
from tinytensor.checking.calls import arguments_of, is_drawn, replace
from tinytensor.func import (
    derivatives,
    functional_call,
    grad,
    jacrev,
    stack_module_state,
    vmap,
)
from tinytensor.func.mapping import RandomnessError

# PyTorch's own, when it first computes a derivative forward.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

EXAMPLES = Path(__file__).parent.parent / "examples"
RNG = numpy.random.default_rng(0)


def drawn(*shape: int) -> Any:
    return RNG.standard_normal(shape)


def leaves(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, list | tuple):
        return [x for part in tree for x in leaves(part)]
    return [tree.detach().numpy()]


def compare(program: Callable[..., Any], *arrays: Any, tolerance: float = 1e-12) -> None:
    """program(library, *tensors) gives the same with both libraries."""
    ours, theirs = (leaves(program(m, *(m.tensor(a) for a in arrays)))
                    for m in (tinytensor, torch))
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        numpy.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def f(x: Any) -> Any:
    return (x.sin() * x).sum()


# ---------------------------------------------------------------- derivatives

V, M = drawn(3), drawn(4, 3)
DERIVATIVES: dict[str, tuple[Any, ...]] = {
    "grad": (lambda m, x: m.func.grad(f)(x), V),
    "grad of grad": (lambda m, x: m.func.grad(
        lambda x: m.func.grad(f)(x).pow(3).sum())(x), V),
    "several arguments": (lambda m, x, y: m.func.grad(
        lambda x, y: (x * y).sum().exp(), argnums=(0, 1))(x, y), V, drawn(3)),
    "the last argument": (lambda m, x, y: m.func.grad(
        lambda x, y: (x * y ** 2).sum(), argnums=-1)(x, y), V, drawn(3)),
    "value and other": (lambda m, x: m.func.grad_and_value(
        lambda x: (f(x), {"twice": x * 2}), has_aux=True)(x), V),
    "nested arguments": (lambda m, x, y: m.func.grad(
        lambda p: (p["a"] * p["b"][0]).sum())({"a": x, "b": [y]}), V, drawn(3)),
    "vjp": (lambda m, x, v: [(o := m.func.vjp(lambda x: (x.exp(), x.sum()), x))[0],
                             o[1]((v, v.sum())), o[1]((v * 2, v.sum()))], V, drawn(3)),
    "jvp": (lambda m, x, v: m.func.jvp(lambda x: (x.exp() * 2, x.sum()), (x,), (v,)), V, drawn(3)),
    "jacrev": (lambda m, x: m.func.jacrev(lambda x: (x.sin(), {"sum": x.sum()}))(x), V),
    "jacrev by two": (lambda m, x, y: m.func.jacrev(
        lambda x, y: x[:, None] * y, argnums=(0, 1))(x, y), V, drawn(2)),
    "jacfwd": (lambda m, x: m.func.jacfwd(lambda x: (x.sin(), x.sum()))(x), V),
    "jacfwd by two": (lambda m, x, y: m.func.jacfwd(
        lambda x, y: x[:, None] * y, argnums=(0, 1))(x, y), V, drawn(2)),
    "hessian": (lambda m, x: m.func.hessian(f)(x), drawn(2, 2)),
    "hessian by two": (lambda m, x, y: m.func.hessian(
        lambda x, y: (x ** 2 * y).sum(), argnums=(0, 1))(x, y), drawn(2), drawn(2)),
    "jacfwd of jacrev": (lambda m, x: m.func.jacfwd(m.func.jacrev(f))(x), V),
    "Hessian times vector": (lambda m, x, v: m.func.jvp(m.func.grad(f), (x,), (v,))[1], V,
                             drawn(3)),
    "independent": (lambda m, x: [m.func.jacrev(lambda x: m.ones(2) * 1)(x),
                                  m.func.grad(lambda x: m.ones(()) * 1)(x)], V)}

BATCHES: dict[str, tuple[Any, ...]] = {
    "grad": (lambda m, x: m.vmap(m.func.grad(f))(x), M),
    "jacrev": (lambda m, x: m.vmap(m.func.jacrev(lambda x: x.sin() * x.sum()))(x), M),
    "jacfwd": (lambda m, x: m.vmap(m.func.jacfwd(lambda x: x.sin() * x.sum()))(x), M),
    "hessian": (lambda m, x: m.vmap(m.func.hessian(f))(x), M),
    "jvp": (lambda m, x, v: m.vmap(
        lambda x, v: m.func.jvp(lambda x: x.sin() * x, (x,), (v,))[1])(x, v), M, drawn(4, 3)),
    "pull of vjp": (lambda m, x, v: m.vmap(m.func.vjp(torch_free_sin, x)[1])(v), V, M),
    "autograd.grad": (lambda m, x, v: _rows(m, x, m.vmap, v), V, M),
    "autograd.grad in two": (lambda m, x, v: _rows(m, x, lambda f: m.vmap(m.vmap(f)), v), V,
                             drawn(2, 4, 3)),
    "pull of vjp in two": (lambda m, x, v: m.vmap(lambda x: m.vmap(
        m.func.vjp(torch_free_sin, x)[1])(v))(x), drawn(2, 3), M),
    "per sample": (lambda m, w, x, y: m.vmap(m.func.grad(
        lambda w, x, y: ((x @ w - y) ** 2).mean()), in_dims=(None, 0, 0))(w, x, y),
        drawn(3, 2), drawn(5, 3), drawn(5, 2)),
    "grad of vmap": (lambda m, w, x: m.func.grad(
        lambda w: m.vmap(lambda x: (x @ w).tanh().sum())(x).sum())(w), drawn(3, 2), drawn(5, 3)),
    "vmap of vmap": (lambda m, x, y: m.vmap(m.vmap(
        lambda a, b: (a * b).sum(), in_dims=(None, 0)), in_dims=(0, None))(x, y),
        drawn(3, 5), drawn(4, 5)),
    "grad in two": (lambda m, x, y: m.vmap(m.vmap(m.func.grad(
        lambda a, b: (a * b).sum() ** 2), in_dims=(None, 0)), in_dims=(0, None))(x, y),
        drawn(3, 5), drawn(4, 5)),
    "product in two": (lambda m, x, y: m.vmap(m.vmap(
        lambda a, b: a @ b, in_dims=(0, None)), in_dims=(None, 0))(x, y),
        drawn(3, 5), drawn(4, 5, 2)),
    "other dims": (lambda m, x, y: m.vmap(lambda a, b: a + b, in_dims=(1, 0), out_dims=1)(x, y),
                   drawn(3, 5), drawn(5, 3)),
    "negative dims": (lambda m, x: m.vmap(lambda a: (a, a.sum()), in_dims=-1,
                                          out_dims=(-1, 0))(x), M),
    "chunks": (lambda m, x: m.vmap(lambda a: a.sum(), chunk_size=3)(x), M),
    "nested arguments": (lambda m, x, y: m.vmap(
        lambda d: {"c": d["a"] * d["b"].sum()}, in_dims=({"a": 0, "b": None},))(
        {"a": x, "b": y}), M, drawn(2)),
    "keywords": (lambda m, x: m.vmap(lambda a, b: a + b.sum())(x, b=x), M),
    "the same for all": (lambda m, x: m.vmap(lambda a: m.ones(2))(x), M),
    "writing": (lambda m, x: m.vmap(_write)(x), M),
    "writing through a view": (lambda m, x: m.vmap(_write_through_a_view)(x), M),
    "a mask": (lambda m, x: m.vmap(lambda x: m.where(x > 0, x, x * 2))(x), M),
    "0-d Tensors of other dtypes": (lambda m, x, y: m.vmap(lambda a, b: a * b)(
        x.float(), y), M, drawn(4))}


def torch_free_sin(x: Any) -> Any:
    return x.sin()


def _rows(m: Any, x: Any, mapped: Any, v: Any) -> Any:
    """Rows of the Jacobian of a graph from outside of vmap."""
    x.requires_grad_()
    y, z = x.sin() * x.sum(), x.exp()
    return mapped(lambda v: m.autograd.grad((y, z), x, (v, v * 2))[0])(v)


def _write(x: Any) -> Any:
    y = x.clone()
    y += 1
    y[1] = x[0] * 2
    y[1:] = y[1:] * x[1:]
    return y.mul_(x)


def _write_through_a_view(x: Any) -> Any:
    y = x.clone()
    part = y[1:]
    part.mul_(10)
    return y


@in_turn("case", DERIVATIVES.values())
def test_derivatives(case: tuple[Any, ...]) -> None:
    compare(*case)


@in_turn("case", BATCHES.values())
def test_batches(case: tuple[Any, ...]) -> None:
    compare(*case)


def test_backward_through_all_of_it() -> None:
    def program(m: Any, w: Any, x: Any) -> Any:
        w.requires_grad_()
        inner = m.vmap(m.func.grad(lambda x: (x @ w).sin().sum()))(x)
        inner.pow(2).sum().backward()
        return [w.grad, inner]

    compare(program, drawn(3, 2), drawn(5, 3))
    x = tinytensor.ones(3)
    assert not grad(f)(x).requires_grad and grad(f)(x.requires_grad_()).requires_grad
    assert x.grad is None


# ---------------------------------------------------------------- models


def _per_sample(m: Any, model: Any, x: Any, y: Any) -> Any:
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def loss(p: Any, x: Any, y: Any) -> Any:
        scores = m.func.functional_call(model, p, (x.unsqueeze(0),))
        return m.nn.functional.cross_entropy(scores, y.unsqueeze(0))

    return m.vmap(m.func.grad(loss), in_dims=(None, 0, 0))(parameters, x, y)


MODELS: dict[str, Any] = {
    "MLP": lambda nn: nn.Sequential(nn.Flatten(), nn.Linear(64, 9), nn.Tanh(), nn.Linear(9, 5)),
    "CNN": lambda nn: nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2),
                                    nn.Conv2d(4, 4, 2, groups=2), nn.Flatten(), nn.Linear(16, 5)),
    "layer norm": lambda nn: nn.Sequential(nn.Linear(8, 6), nn.LayerNorm(6), nn.GELU(),
                                           nn.Flatten(), nn.Linear(48, 5)),
    "GRU": lambda nn: nn.Sequential(nn.Flatten(1, 2), nn.Linear(8, 5), nn.Flatten(),
                                    nn.Linear(40, 5))}


@in_turn("make", MODELS.values())
def test_gradients_of_each_sample(make: Any) -> None:
    labels = RNG.integers(0, 5, 4)

    def program(m: Any, x: Any, y: Any) -> Any:
        m.manual_seed(0)
        return _per_sample(m, make(m.nn).double(), x, y)

    compare(program, drawn(4, 1, 8, 8), labels, tolerance=1e-6)  # weights of normal layers


def test_they_are_those_of_a_loop() -> None:
    model = MODELS["CNN"](tinytensor.nn).double()
    x, y = tinytensor.tensor(drawn(4, 1, 8, 8)), tinytensor.tensor(RNG.integers(0, 5, 4))
    batched = _per_sample(tinytensor, model, x, y)
    for i in range(4):
        model.zero_grad()
        tinytensor.nn.functional.cross_entropy(model(x[i:i + 1]), y[i:i + 1]).backward()
        for name, p in model.named_parameters():
            numpy.testing.assert_allclose(batched[name][i].numpy(), p.grad.numpy(), atol=1e-12)


def test_an_ensemble() -> None:
    def program(m: Any, x: Any) -> Any:
        m.manual_seed(0)
        models = [m.nn.Linear(3, 2).double() for _ in range(4)]
        parameters, buffers = m.func.stack_module_state(models)
        assert all(p.requires_grad for p in parameters.values())
        return m.vmap(lambda p, b, x: m.func.functional_call(models[0], (p, b), (x,)),
                      in_dims=(0, 0, None))(parameters, buffers, x)

    compare(program, drawn(5, 3))
    with pytest.raises(RuntimeError, match="no models"):
        stack_module_state([])
    with pytest.raises(RuntimeError, match="of one class, got Linear, ReLU"):
        stack_module_state([tinytensor.nn.Linear(1, 1), tinytensor.nn.ReLU()])
    model = tinytensor.nn.Linear(2, 1)
    assert functional_call(model, {"weight": tinytensor.ones(1, 2)},
                           (tinytensor.ones(2),)).shape == (1,)


@pytest.mark.filterwarnings("ignore:The set_bad function")  # of matplotlib, in digits.py
def test_the_example(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
                     tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    support = importlib.import_module("support")
    monkeypatch.setattr(support, "OUTPUT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["13_per_sample_gradients.py", "--smoke"])
    runpy.run_path(str(EXAMPLES / "13_per_sample_gradients.py"), run_name="__main__")
    said = capsys.readouterr().out
    difference = float(re.search(r"backward\(\): (\S+) of the largest", said)[1])
    assert difference < 1e-5 and (tmp_path / "suspects.png").stat().st_size > 1000


# ---------------------------------------------------------------- the table


def _cases(entry: Entry) -> Any:
    """(function, arguments for each of three samples, which of them differ) for each sample."""
    for sample in entry.samples[:3]:  # the later ones differ in options
        try:
            drawings = [arguments_of(sample, f"{entry.key}{i}") for i in range(3)]
        except Exception:
            continue
        rows: list[list[Any]] = []
        for drawing in drawings:
            rows.append([])
            replace(drawing, is_drawn, lambda x, row=rows[-1]: row.append(
                tinytensor.tensor(x.array)))
        if not rows[0] or any([x.shape for x in row] != [x.shape for x in rows[0]]
                              for row in rows):
            continue

        def function(*given: Any, drawing: Any = drawings[0]) -> Any:
            rest = iter(given)
            args, kwargs = replace(drawing, is_drawn, lambda x: next(rest))
            return entry.function(*args, **kwargs)

        count = len(rows[0])
        yield function, rows, [True] * count
        if count > 1:
            yield function, rows, [i == 0 for i in range(count)]
            yield function, rows, [i == count - 1 for i in range(count)]


def _as_tuple(x: Any) -> Any:
    return x if isinstance(x, tuple | list) else (x,)


@on_entries
def test_every_operation_on_a_batch_is_that_of_a_loop(entry: Entry) -> None:
    """Of all inputs, of the first only, of the last only: results, dtypes and gradients."""
    for function, rows, differ in _cases(entry):
        each = [[x if own else y for x, y, own in zip(row, rows[0], differ, strict=True)]
                for row in rows]
        try:
            single = [_as_tuple(function(*(x.clone() for x in given))) for given in each]
            expected = [tinytensor.stack(list(column)) for column in zip(*single, strict=True)]
        except Exception:  # random, or of values that decide the shape
            continue
        stacked = [tinytensor.stack(list(column)) if own else column[0]
                   for column, own in zip(zip(*rows, strict=True), differ, strict=True)]
        batched = _as_tuple(vmap(function, in_dims=tuple(0 if own else None for own in differ))(
            *stacked))
        assert len(batched) == len(expected)
        for got, wanted in zip(batched, expected, strict=True):
            assert got.shape == wanted.shape and got.dtype is wanted.dtype
            numpy.testing.assert_allclose(got.numpy().astype(float), wanted.numpy().astype(float),
                                          rtol=1e-9, atol=1e-9)


@on_entries
def test_gradients_for_many_directions_at_once_are_those_of_a_loop(entry: Entry) -> None:
    for function, rows, differ in _cases(entry):
        if not all(differ):
            continue
        inputs = [x.clone().requires_grad_() if x.dtype.is_floating_point else x for x in rows[0]]
        chosen = [x for x in inputs if x.requires_grad]
        try:
            outputs = [x for x in _as_tuple(function(*inputs)) if x.requires_grad]
        except Exception:  # a write into a leaf
            continue
        if not chosen or not outputs:
            continue
        weights = [tinytensor.tensor(RNG.standard_normal((3, *x.shape)), dtype=x.dtype)
                   for x in outputs]
        found = derivatives.at_once(outputs, chosen, weights, False)
        if found is None:  # left to the loop
            continue
        for i in range(3):
            one = tinytensor.autograd.grad(outputs, chosen, [w[i] for w in weights],
                                           retain_graph=True, allow_unused=True)
            for got, wanted in zip(found, one, strict=True):
                assert (got is None) == (wanted is None)
                if got is not None:
                    numpy.testing.assert_allclose(got[i].numpy(), wanted.numpy(),
                                                  rtol=1e-9, atol=1e-9)


def test_one_backward_for_a_whole_jacobian() -> None:
    """Unless a backward reads values: then there is one for each row."""
    calls = []

    class Square(tinytensor.autograd.Function):
        reads = False

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            calls.append(tuple(g.shape))
            return (tinytensor.from_numpy(g.detach().numpy()) if Square.reads else g) \
                * ctx.saved_tensors[0] * 2

    x = tinytensor.tensor([1.0, 2.0, 3.0])
    wanted = [[2.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 6.0]]
    assert jacrev(Square.apply)(x).tolist() == wanted and calls == [(3,)]
    assert jacrev(Square.apply, chunk_size=2)(x).tolist() == wanted and len(calls) == 3
    assert jacrev(lambda x: x.sin(), chunk_size=1)(x).tolist() == jacrev(
        lambda x: x.sin())(x).tolist() == x.cos().diag().tolist()
    with pytest.raises(ValueError, match="chunk_size must be positive, got 0"):
        jacrev(Square.apply, chunk_size=0)
    Square.reads = True
    calls.clear()
    assert jacrev(Square.apply)(x).tolist() == wanted and len(calls) == 4  # one was given up


def test_a_batch_without_samples() -> None:
    x = tinytensor.zeros(0, 3, 3)
    assert vmap(lambda x: x * 2)(x).shape == (0, 3, 3)
    assert vmap(lambda x: x.diag_embed(), chunk_size=2)(x).shape == (0, 3, 3, 3)
    assert vmap(lambda x: tinytensor.linalg.solve(x, x[0]))(x).shape == (0, 3)
    assert vmap(lambda i: tinytensor.ones(1, 2)[i])(x[:, 0, 0].long()).shape == (0, 2)
    assert vmap(grad(lambda x: x.diag_embed().sum()))(x).shape == (0, 3, 3)


def test_derivatives_within_no_grad_are_constants() -> None:
    def program(torch: Any, grad: Any) -> list[Any]:
        def inner(x: Any) -> Any:
            with torch.no_grad():
                slope = grad(lambda y: (y ** 2).sum())(x)
            return (x * slope).sum()

        x = torch.tensor([1.0, 3.0], requires_grad=True)
        with torch.no_grad():
            outside = grad(lambda y: (y * x).sum())(x)
        return [*grad(inner)(x.detach()).tolist(), outside.requires_grad]

    assert program(tinytensor, grad) == program(torch, torch.func.grad)


# ---------------------------------------------------------------- errors and random numbers


def test_control_flow_that_depends_on_values() -> None:
    x = tinytensor.ones(4, 3)
    for function in (lambda x: x if x.sum() > 0 else -x, lambda x: x * x.sum().item(),
                     lambda x: x * float(x[0])):
        with pytest.raises(RuntimeError, match="differs from sample to sample; write the choice"):
            vmap(function)(x)
    result = vmap(lambda x: x[x > 0].sum())(tinytensor.tensor([[1.0, -2.0], [3.0, 4.0]]))
    assert result.tolist() == [1.0, 7.0]
    with pytest.raises(RuntimeError, match="the shape of a result depends on the values"):
        vmap(lambda x: x[x > 0])(tinytensor.tensor([[1.0, -2.0], [3.0, 4.0]]))


def test_random_numbers() -> None:
    x = tinytensor.zeros(4, 3)
    for draw in (lambda x: x + tinytensor.rand(3), tinytensor.nn.functional.dropout,
                 lambda x: x[x >= 0].sum() + tinytensor.rand(())):  # sample by sample
        with pytest.raises(RandomnessError, match="randomness='same' or 'different'"):
            vmap(draw)(x)
    same = vmap(lambda x: x + tinytensor.rand(3), randomness="same")(x)
    assert (same == same[0]).all()
    looped = vmap(lambda x: (x + tinytensor.rand(3))[x >= 0].sum(), randomness="same")(x)
    assert (looped == looped[0]).all()  # also sample by sample
    different = vmap(lambda x: x + tinytensor.rand(3), randomness="different")(x)
    assert len({str(row) for row in different.tolist()}) == 4


@in_turn("call, message", [
    (lambda: vmap(f)(3), "no argument has a batch dim"),
    (lambda: vmap(f, in_dims=None)(tinytensor.ones(2)), "no argument has a batch dim"),
    (lambda: vmap(lambda x, y: x)(tinytensor.ones(2), tinytensor.ones(3)),
     r"of one size, got 2 and 3"),
    (lambda: vmap(f, in_dims=5)(tinytensor.ones(2)), r"dim 5 to a Tensor of shape \(2,\)"),
    (lambda: vmap(f, in_dims=(0, 0))(tinytensor.ones(2)), "does not have the form"),
    (lambda: vmap(f, randomness="some"), "randomness must be one of error, same, different"),
    (lambda: vmap(f, chunk_size=0), "chunk_size must be positive"),
    (lambda: vmap(f, out_dims=None)(tinytensor.ones(2)), "out_dims is None for a result that"),
    (lambda: vmap(lambda x: 3)(tinytensor.ones(2)), "must return Tensors, got a int")])
def test_what_vmap_refuses(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_a_function_that_writes_into_its_surroundings() -> None:
    norm = tinytensor.nn.BatchNorm1d(3)
    with pytest.raises(RuntimeError, match="writes into a Tensor that is the same for all"):
        vmap(norm)(tinytensor.randn(4, 5, 3))
    assert vmap(norm.eval())(tinytensor.randn(4, 5, 3)).shape == (4, 5, 3)


def test_errors_are_those_of_one_sample() -> None:
    with pytest.raises(RuntimeError, match=r"matmul: \(3,\) @ \(5,\): the inner sizes 3 and 5"):
        vmap(lambda x: x @ tinytensor.ones(5))(tinytensor.ones(2, 3))
    with pytest.raises(RuntimeError, match=r"grad: the function must return a 0-d Tensor"):
        grad(lambda x: x)(tinytensor.ones(3))
    with pytest.raises(TypeError, match="floating point Tensors only, got tinytensor"):
        grad(f)(tinytensor.arange(3))
    with pytest.raises(RuntimeError, match="argnums names argument 2, the call has 1"):
        grad(f, argnums=2)(tinytensor.ones(3))


def test_autograd_grad_takes_an_iterator_of_inputs() -> None:
    """`func` looks at each call of autograd.grad, since it may be one within a `vmap`."""
    model = tinytensor.nn.Linear(2, 1)
    loss = model(tinytensor.ones(1, 2)).sum()
    found = tinytensor.autograd.grad(loss, model.parameters())
    assert [g.tolist() for g in found] == [[[1.0, 1.0]], [1.0]]
