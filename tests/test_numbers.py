"""Numbers as arguments, and Tensors that become Python numbers.

A NumPy scalar counts as a Python number: it does not decide the dtype, and is accepted as a number,
a dim, a size or a count. A 0-d Tensor of integers is accepted as a dim, a size or a count. A Tensor
that is converted to a float leaves the graph, and this warns.
"""

from __future__ import annotations

import math
import operator
import warnings
from typing import Any

import numpy
import pytest
import torch
from operations import in_turn, on_samples, samples_of

import tinytensor
from tinytensor import nn, optim
from tinytensor.autograd.table import TABLE
from tinytensor.checking.calls import arguments_of, ours, outputs, replace, values
from tinytensor.compiled import use_compiled
from tinytensor.distributions import Categorical, Multinomial, Normal
from tinytensor.optim import lr_scheduler
from tinytensor.optim.swa_utils import SWALR
from tinytensor.utils.data import BatchSampler, DataLoader

F = nn.functional
I, D = numpy.int64, numpy.float64  # noqa: E741

# ---------------------------------------------------------------- every operation


def is_plain(x: Any) -> bool:
    return type(x) in (int, float)


def has_numbers(entry: Any) -> list[Any]:
    """The samples of an operation that contain a number."""
    found: list[Any] = []
    for sample in samples_of(entry):
        seen: list[Any] = []
        replace((sample.args, sample.kwargs), is_plain, seen.append)
        found += [sample] * bool(seen)
    return found


def as_scalars(x: Any) -> Any:
    return I(x) if type(x) is int else D(x)


def as_tensors(x: Any) -> Any:
    return tinytensor.tensor(x) if type(x) is int else numpy.float32(x)


# A second Tensor means something else here, as in PyTorch: an elementwise maximum, or bin edges.
NOT_TENSORS = {"max", "min", "histogram"}


def result_of(entry: Any, arguments: Any) -> list[Any]:
    """The results and gradients of a call on float32 Tensors."""
    (args, kwargs), leaves = ours(arguments, numpy.float32)
    tinytensor.manual_seed(0)
    result = entry.function(*args, **kwargs)
    tensors = outputs(result)
    total = sum((t * t).sum() for t in tensors if t.requires_grad)
    gradients = tinytensor.autograd.grad(total, leaves, allow_unused=True) \
        if isinstance(total, tinytensor.Tensor) else ()
    return [*(tensors or [result]), *(g for g in gradients if g is not None)]


@on_samples({k: e for k, e in TABLE.items() if not e.internal}, has_numbers)
def test_numpy_scalars_and_integer_tensors_are_numbers_for_every_operation(entry, sample):
    arguments = arguments_of(sample, entry.key)
    for convert in (as_scalars, as_tensors)[:1 if entry.name in NOT_TENSORS else 2]:
        expected = result_of(entry, replace(
            arguments, is_plain, lambda x, c=convert: x if type(x) is int else float(c(x))))
        found = result_of(entry, replace(arguments, is_plain, convert))
        assert len(found) == len(expected)
        for x, y in zip(found, expected, strict=True):
            if not isinstance(y, tinytensor.Tensor):
                assert x == y and type(x) is type(y)
                continue
            assert x.dtype is y.dtype and x.shape == y.shape, convert.__name__
            numpy.testing.assert_array_equal(values(x), values(y))


@pytest.mark.parametrize("compiled", [True, False])
def test_a_dim_that_is_a_tensor_may_be_written_before_backward(compiled):
    with use_compiled(compiled):
        x, dim = tinytensor.rand(2, 3, requires_grad=True), tinytensor.tensor(0)
        y = x.softmax(dim) * tinytensor.arange(6).reshape(2, 3)
        dim += 1
        y.sum().backward()
    expected = x.detach().requires_grad_()
    (expected.softmax(0) * tinytensor.arange(6).reshape(2, 3)).sum().backward()
    assert x.grad.tolist() == expected.grad.tolist()


# ---------------------------------------------------------------- operators

OPERATORS = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lt", "le", "gt", "ge", "eq",
             "ne", "and_", "or_", "xor", "lshift", "rshift")
SCALARS = (numpy.True_, numpy.int8(3), numpy.uint8(3), I(2), numpy.float16(1.5), numpy.float32(1.5),
           D(2.5), numpy.longdouble(2.5))
DTYPES = ("bool", "uint8", "int32", "int64", "float16", "float32", "float64")


def outcome(function: Any, operands: Any) -> Any:
    """dtype, shape and values of a result, or None for an error."""
    try:
        result = function(*operands)
    except (RuntimeError, TypeError):
        return None
    return str(result.dtype).rpartition(".")[2], tuple(result.shape), values(result).tolist()


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_operators_take_numpy_scalars_as_python_numbers(dtype, compiled):
    """The reference is PyTorch with a Python number."""
    compared = 0
    with use_compiled(compiled):
        for name in OPERATORS:
            function = getattr(operator, name)
            for scalar in SCALARS:
                number = scalar.item() if not isinstance(scalar, numpy.longdouble) \
                    else float(scalar)
                for shape in ((2,), ()):
                    array = numpy.ones(shape, dtype)
                    x, y = tinytensor.tensor(array), torch.tensor(array)
                    for mine, theirs in (((x, scalar), (y, number)), ((scalar, x), (number, y))):
                        expected = outcome(function, theirs)
                        if expected is None or name == "pow" and dtype == type(number).__name__:
                            continue  # one of the libraries refuses this
                        compared += 1
                        found = outcome(function, mine)
                        assert found is not None, (name, scalar, shape)
                        assert found[:2] == expected[:2], (name, scalar, shape)
                        numpy.testing.assert_allclose(found[2], expected[2], 1e-3)
    assert compared > 250


EXPRESSIONS: dict[str, Any] = {
    "arange(4) * -log": lambda t: t.arange(4) * -numpy.log(1e4),
    "positional encoding": lambda t: t.exp(t.arange(0, 4, 2) * (-numpy.log(1e4) / 4)),
    "standardized": lambda t: (t.tensor([1, 2, 3]) - numpy.mean([1, 2, 3])) / numpy.std([1, 2, 3]),
    "where": lambda t: t.where(t.tensor([True, False]), D(1), D(0)),
    "where with a Tensor": lambda t: t.where(t.tensor([True, False]), t.tensor([1, 2]), D(0.5)),
    "clamp": lambda t: t.clamp(t.tensor([1, 5]), D(1.5), D(2.5)),
    "clamp_": lambda t: t.tensor([1., 5]).clamp_(I(2), D(2.5)),
    "pow": lambda t: t.pow(t.tensor([2, 3]), D(0.5)),
    "pow of a scalar": lambda t: t.pow(D(2), t.tensor([2, 3])),
    "full": lambda t: t.full((2,), I(3)),
    "full of floats": lambda t: t.full((2,), numpy.float16(3)),
    "full_like": lambda t: t.full_like(t.tensor([1, 2]), D(3)),
    "new_full": lambda t: t.tensor([1, 2]).new_full((2,), D(3)),
    "fill_": lambda t: t.zeros(2, dtype=t.int32).fill_(D(3)),
    "masked_fill": lambda t: t.tensor([1., 2]).masked_fill(t.tensor([True, False]), D(3)),
    "lerp": lambda t: t.lerp(t.ones(2), t.zeros(2), D(0.25)),
    "alpha": lambda t: t.add(t.ones(2), t.ones(2), alpha=D(0.5)),
    "value": lambda t: t.addcmul(t.ones(2), t.ones(2), t.ones(2), value=D(0.5)),
    "index_fill": lambda t: t.ones(2).index_fill(0, t.tensor([1]), D(0.5)),
    "item assignment": lambda t: operator.setitem(t.ones(2), I(1), D(3)) or t.ones(2),
    "arange": lambda t: t.arange(numpy.int32(3)),
    "arange of floats": lambda t: t.arange(D(0), D(1), D(0.5)),
    "linspace": lambda t: t.linspace(D(0), numpy.float32(1), I(3)),
    "sum of losses": lambda t: sum(t.tensor(1.) * D(0.1) for _ in range(3)),
    "result_type": lambda t: t.zeros((), dtype=t.result_type(t.tensor([1]), D(1))),
    "maximum beside a 0-d Tensor": lambda t: t.tensor(3) * D(2) + t.tensor(2.) * D(0.1),
    "in place": lambda t: t.ones(2).mul_(D(2)).add_(D(1), alpha=I(2)),
    "smooth_l1_loss": lambda t: t.nn.functional.smooth_l1_loss(t.ones(2), t.zeros(2), beta=D(0.5)),
    "leaky_relu": lambda t: t.nn.functional.leaky_relu(-t.ones(2), D(0.5)),
    "hardtanh of integers": lambda t: t.nn.functional.hardtanh(t.tensor([1, 5]), I(0), I(3)),
}


@in_turn("name", EXPRESSIONS)
def test_expressions_with_numpy_scalars_equal_pytorch(name):
    found, expected = EXPRESSIONS[name](tinytensor), EXPRESSIONS[name](torch)
    assert str(found.dtype).rpartition(".")[2] == str(expected.dtype).rpartition(".")[2]
    numpy.testing.assert_allclose(values(found), values(expected), 1e-6)


def test_arrays_decide_the_dtype_as_before():
    x = tinytensor.ones(2)
    assert (x * numpy.ones(2)).dtype is tinytensor.float64
    assert tinytensor.tensor(D(1)).dtype is tinytensor.float64  # data, no operand, as in PyTorch
    assert tinytensor.full((2,), numpy.True_).dtype is tinytensor.bool  # PyTorch gives float32


# ---------------------------------------------------------------- dims, sizes and counts

# Each is called with n = 2, as one of several types. Shapes must equal those for an int.
SIZES: dict[str, Any] = {
    "zeros": lambda t, n: t.zeros(n, 3),
    "ones": lambda t, n: t.ones((n, n)),
    "empty": lambda t, n: t.empty(n),
    "full": lambda t, n: t.full((n,), 1.0),
    "new_zeros": lambda t, n: t.ones(1).new_zeros(n, n),
    "eye": lambda t, n: t.eye(n, n),
    "tril_indices": lambda t, n: t.tril_indices(n, n, n),
    "linspace": lambda t, n: t.linspace(0, 1, n),
    "rand": lambda t, n: t.rand(n, 3),
    "randn": lambda t, n: t.randn((n, 3)),
    "randint": lambda t, n: t.randint(n, (n, 3)),
    "randperm": lambda t, n: t.randperm(n),
    "multinomial": lambda t, n: t.ones(4).multinomial(n),
    "view": lambda t, n: t.ones(6).view(n, 3),
    "view whole": lambda t, n: t.ones(2).view(n),
    "reshape": lambda t, n: t.ones(6).reshape((n, -1)),
    "expand": lambda t, n: t.ones(1, 3).expand(n, 3),
    "repeat": lambda t, n: t.ones(3).repeat(n),
    "tile": lambda t, n: t.ones(3).tile(n, n),
    "size": lambda t, n: t.ones(t.ones(1, 2, 3).size(n)),
    "stride": lambda t, n: t.ones(t.ones(1, 2, 3).stride(n)),
    "sum": lambda t, n: t.ones(1, 2, 3).sum(n),
    "sum over two": lambda t, n: t.ones(1, 2, 3).sum((0, n)),
    "squeeze": lambda t, n: t.ones(2, 3, 1).squeeze(n),
    "permute": lambda t, n: t.ones(1, 2, 3).permute(n, 0, 1),
    "flip": lambda t, n: t.ones(1, 2, 3).flip(n),
    "cat": lambda t, n: t.cat([t.ones(1, 2, 3)] * 2, n),
    "index": lambda t, n: t.ones(3, 4)[n],
    "slice": lambda t, n: t.ones(3, 4)[n:, :n],
    "split": lambda t, n: t.ones(5).split(n)[-1],
    "chunk": lambda t, n: t.ones(5).chunk(n)[-1],
    "new": lambda t, n: t.ones(1).new(n, 3),
    "one_hot": lambda t, n: t.nn.functional.one_hot(t.tensor([0]), n),
    "pad": lambda t, n: t.nn.functional.pad(t.ones(3), (n, 1)),
    "Linear": lambda t, n: t.nn.Linear(n, n)(t.ones(3, 2)),
    "LayerNorm": lambda t, n: t.nn.LayerNorm((n,))(t.ones(3, 2)),
    "Embedding": lambda t, n: t.nn.Embedding(n, 3)(t.tensor([0])),
    "Conv1d": lambda t, n: t.nn.Conv1d(2, n, (n,), (n,), (1,))(t.ones(1, 2, 6)),
    "MaxPool1d": lambda t, n: t.nn.MaxPool1d(n)(t.ones(1, 2, 6)),
    "Unflatten": lambda t, n: t.ones(6, 1).unflatten(0, (n, 3)),
    "Unfold": lambda t, n: t.nn.functional.unfold(t.ones(1, 1, 3, 3), n, padding=(n, n)),
    "interpolate": lambda t, n: t.nn.functional.interpolate(t.ones(1, 1, 4), n),
    "PixelShuffle": lambda t, n: t.nn.functional.pixel_shuffle(t.ones(1, 4, 1, 1), n),
    "LSTM": lambda t, n: t.nn.LSTM(2, 3, 1)(t.ones(n, 1, 2))[0],
}
FORMS: dict[str, Any] = {"int64": I, "int8": numpy.int8, "uint8": numpy.uint8, "a Tensor": None}


@in_turn("name", SIZES)
@in_turn("form", FORMS)
def test_integers_of_every_kind_are_dims_sizes_and_counts(name, form):
    """PyTorch accepts them too, except a NumPy integer in `split` and a Tensor in `unfold`."""
    call, make = SIZES[name], FORMS[form]
    expected = call(torch, 2).shape
    if name not in ("split", "Unfold"):
        assert call(torch, torch.tensor(2) if make is None else make(2)).shape == expected
    found = call(tinytensor, tinytensor.tensor(2) if make is None else make(2)).shape
    assert found == tuple(expected) and all(type(n) is int for n in found)


FURTHER: dict[str, Any] = {  # some of these raise in PyTorch, which requires an int
    "LayerNorm": lambda: nn.LayerNorm(I(3))(tinytensor.ones(2, 3)),
    "RMSNorm": lambda: nn.RMSNorm(I(3))(tinytensor.ones(2, 3)),
    "LSTM": lambda: nn.LSTM(I(2), I(3), I(2), dropout=D(0.1))(tinytensor.ones(2, 1, 2)),
    "attention": lambda: nn.MultiheadAttention(I(4), I(2), D(0))(*[tinytensor.ones(3, 4)] * 3),
    "encoder layer": lambda: nn.TransformerEncoderLayer(I(4), I(2), I(8), D(0))(
        tinytensor.ones(3, 1, 4)),
    "groups": lambda: nn.Conv2d(I(2), I(4), I(1), groups=I(2))(tinytensor.ones(1, 2, 3, 3)),
    "transposed": lambda: nn.ConvTranspose1d(I(2), I(4), I(1), groups=I(2))(
        tinytensor.ones(1, 2, 3)),
    "adaptive": lambda: nn.AdaptiveAvgPool2d((I(2), None))(tinytensor.ones(1, 1, 4, 4)),
    "Sequential": lambda: (nn.Sequential(nn.ReLU()) * I(2))[I(1)](tinytensor.ones(1)),
    "gain": lambda: nn.init.calculate_gain("leaky_relu", numpy.float32(0.2)),
    "restarts": lambda: lr_scheduler.CosineAnnealingWarmRestarts(
        optimizer(), I(3), I(2), numpy.float32(0)),
    "one cycle": lambda: lr_scheduler.OneCycleLR(
        optimizer(), D(0.1), I(10), pct_start=numpy.float32(0.3)),
    "SWALR": lambda: SWALR(optimizer(), D(0.1), anneal_epochs=I(3)),
    "Normal": lambda: Normal(numpy.float32(0), I(1)).sample((I(2),)),
    "Categorical": lambda: Categorical(tinytensor.ones(3)).sample((I(2),)),
    "Multinomial": lambda: Multinomial(I(3), tinytensor.ones(2)).sample(),
    "BatchSampler": lambda: list(BatchSampler([1, 2, 3], I(2), False)),
    "DataLoader": lambda: list(DataLoader([1, 2, 3], batch_size=I(2))),
    "normal_": lambda: tinytensor.zeros(3).normal_(D(0), D(1)).uniform_(D(0), D(1)),
}


def optimizer(**options: Any) -> Any:
    return optim.SGD([nn.Parameter(tinytensor.ones(2))], **{"lr": 0.1, "momentum": 0.9} | options)


@in_turn("name", FURTHER)
def test_layers_schedulers_distributions_and_loaders_take_numpy_scalars(name):
    FURTHER[name]()


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta",
                                  "Adafactor", "NAdam", "RAdam", "Adamax", "ASGD", "Rprop"])
def test_options_of_optimizers_may_be_numpy_scalars(name):
    """The steps are equal to the last bit. A NumPy scalar must not promote arrays to float64."""
    results = []
    for number in (float, D):
        parameter = nn.Parameter(tinytensor.arange(1.0, 5.0))
        options = {"lr": number(0.1)} | ({} if name == "Rprop" else {"weight_decay": number(0.01)})
        if "Adam" in name or name in ("NAdam", "RAdam"):
            options["betas"] = (number(0.8), number(0.99))
        made_by_name = getattr(optim, name)([parameter], **options)
        for _ in range(3):
            parameter.grad = parameter.detach() * 0.3
            made_by_name.step()
        results.append(parameter.tolist())
    assert results[0] == results[1]


def test_uniform_draws_are_those_of_python_numbers():
    draws = []
    for number in (float, D):
        tinytensor.manual_seed(0)
        draws.append(tinytensor.zeros(100).uniform_(number(0.1), number(0.7)).tolist())
    assert draws[0] == draws[1]


@in_turn("call", [lambda: tinytensor.ones(2).sum(D(0)), lambda: tinytensor.zeros(D(2)),
                  lambda: tinytensor.ones(2).reshape((D(1), 2)),
                  lambda: tinytensor.ones(2).sum("0"),
                  lambda: tinytensor.ones(4).chunk(2.0), lambda: tinytensor.ones(2).roll(0.5),
                  lambda: tinytensor.ones(2).sum(tinytensor.tensor(0.0)),
                  lambda: tinytensor.ones(2).movedim(0.0, 0), lambda: tinytensor.eye(2.0)])
def test_numbers_that_are_no_integers_are_refused(call):
    with pytest.raises(TypeError, match="must be an int"):
        call()


# ---------------------------------------------------------------- sizes

TWO = (2,)
ALGEBRA = [lambda s: s[1:], lambda s: s[:0], lambda s: s + TWO, lambda s: TWO + s,
           lambda s: s * 2, lambda s: 2 * s, lambda s: s[1:] + TWO, lambda s: s + s[:1]]


@in_turn("made_of", ALGEBRA)
def test_slices_sums_and_multiples_of_a_size_are_sizes(made_of):
    found, expected = made_of(tinytensor.Size((2, 3, 4))), made_of(torch.Size((2, 3, 4)))
    assert type(found) is tinytensor.Size and found == tuple(expected)
    assert found.numel() == expected.numel()


def test_a_size_makes_a_tensor_of_that_size():
    x = tinytensor.ones(2, 3)
    assert x.new(x.size()).shape == (2, 3)
    assert x.new(x.shape[1:] + TWO).shape == (3, 2)
    assert tinytensor.Tensor(x.shape[1:] + TWO).shape == (3, 2)
    assert tinytensor.LongTensor(x.shape[1:]).shape == (3,)
    assert x.shape[-1] == 3 and type(x.shape[0]) is int
    assert tinytensor.Tensor((2, 3)).tolist() == [2, 3]  # a tuple is data, as in PyTorch
    with pytest.raises(TypeError):
        operator.add(x.shape, [1])


# ---------------------------------------------------------------- conversions to Python numbers


def warned(call: Any) -> list[str]:
    """The messages of the warnings in a call. All must name a line of this file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    assert all(w.category is UserWarning and w.filename == __file__ for w in caught)
    return [str(w.message) for w in caught]


CONVERTED: dict[str, Any] = {
    "float(x)": lambda x: float(x),
    "float of a result": lambda x: float(x * 2),
    "float(Parameter)": lambda x: float(nn.Parameter(x.detach())),
    "math.exp(x)": lambda x: math.exp(x),
    "math.sin(x)": lambda x: math.sin(x),
    "math.pow(x, 2)": lambda x: math.pow(x, 2),
    "numpy.float64(x)": lambda x: D(x),
    "%f": lambda x: "%f" % x,  # noqa: UP031
}
KEPT: dict[str, Any] = {
    "item": lambda x: x.item(),
    "int": lambda x: int(x),
    "bool": lambda x: bool(x),
    "format": lambda x: f"{x:.2f}",
    "tolist": lambda x: x.tolist(),
    "repr": lambda x: repr(x),
    "detach": lambda x: float(x.detach()),
    "numpy.exp": lambda x: numpy.exp(x),
    "abs": lambda x: abs(x),
    "linspace": lambda x: tinytensor.linspace(0, x, 3),
    "clip": lambda x: nn.utils.clip_grad_norm_([nn.Parameter(x.detach())], x),
}


@in_turn("name", CONVERTED)
def test_a_float_of_a_tensor_in_a_graph_warns_as_in_pytorch(name):
    call = CONVERTED[name]
    (message,) = warned(lambda: call(tinytensor.tensor(0.5, requires_grad=True)))
    assert "x.item() if the gradient is not wanted" in message
    torch.set_warn_always(True)  # PyTorch warns once a process
    try:
        with pytest.warns(UserWarning, match="Converting a tensor with requires_grad=True"):
            CONVERTED[name](torch.tensor(0.5, requires_grad=True)) \
                if "Parameter" not in name else float(torch.nn.Parameter(torch.ones(())))
    finally:
        torch.set_warn_always(False)
    assert not warned(lambda: call(tinytensor.tensor(0.5))) or "Parameter" in name
    with tinytensor.no_grad():
        assert not warned(lambda: call(tinytensor.tensor(0.5, requires_grad=True)))


@in_turn("name", KEPT)
def test_what_means_to_leave_the_graph_does_not_warn(name):
    assert not warned(lambda: KEPT[name](tinytensor.tensor(0.5, requires_grad=True)))


def test_the_warning_recommends_what_gives_the_same_number():
    x = tinytensor.tensor(0.5, requires_grad=True, dtype=tinytensor.float64)
    y = tinytensor.tensor(2.0, dtype=tinytensor.float64)
    recommended = 0
    for name in dir(math):
        values_of = (x, y) if name in ("pow", "hypot", "atan2", "copysign", "fmod", "remainder") \
            else ([x, y],) if name == "fsum" else (x,) if name != "acosh" else (x + 2,)
        names = {"math": math, "given": values_of}
        exec(compile(f"def call(): return math.{name}(*given)", __file__, "exec"), names)
        try:
            messages = warned(names["call"])
        except (TypeError, ValueError, AttributeError):  # math has no such function of these
            continue
        if name in ("isnan", "isinf", "isfinite", "floor", "ceil", "trunc"):
            assert not messages  # PyTorch warns, but these have no gradient
            continue
        (message,) = messages
        assert message.startswith(f"math.{name} converts a Tensor to a float")
        if ": write " in message:
            instead = message.partition(": write ")[2].partition(", or pass")[0]
            found = eval(instead, {"x": values_of[0], "y": y, "values": [x, y]})
            assert found.requires_grad
            with tinytensor.no_grad():
                assert found.item() == pytest.approx(names["call"](), rel=1e-12)
            recommended += 1
    assert recommended > 25


def test_the_warning_comes_once_for_each_line():
    x = tinytensor.tensor(0.5, requires_grad=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            float(x)
            math.exp(x)
    assert len({w.lineno for w in caught}) == len(caught) == 2


def test_a_tensor_of_a_list_of_tensors_in_a_graph_warns():
    x = tinytensor.tensor(0.5, requires_grad=True)
    assert warned(lambda: tinytensor.tensor([x.detach(), x.detach()])) == []
    (message, _) = warned(lambda: tinytensor.tensor([x, x]))
    assert "write stack(tensors)" in message


def test_the_library_converts_losses_without_a_warning():
    parameter = nn.Parameter(tinytensor.ones(2))

    def closure():
        parameter.grad = None
        loss = (parameter * parameter).sum()
        loss.backward()
        return loss

    optim.LBFGS([parameter], line_search_fn="strong_wolfe").step(closure)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer())
    assert warned(lambda: scheduler.step(closure())) == []
