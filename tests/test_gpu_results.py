"""A GPU gives the CPU's results: on special values, and in all dtypes over the whole table.

The table takes minutes, and is compared where there is CuPy: `pytest -m cuda`.
"""

from __future__ import annotations

import itertools
import re
import warnings

import numpy
import pytest

import tinytensor
from tinytensor import checking, nn, tensor
from tinytensor.autograd import grad
from tinytensor.autograd.table import TABLE
from tinytensor.checking.calls import arguments_of, differentiable, is_drawn, outputs, replace
from tinytensor.checking.exemptions import RANDOM

NAN, INF = float("nan"), float("inf")
NUMBERS = [5.0, -5.0, 1.0, 0.1, -0.1, 1e10, -1e-10, 0.0, -0.0, INF, -INF, NAN, 3.0, 0.3, 2.5]


@pytest.mark.parametrize("name", ["floor_divide", "remainder", "fmod", "maximum", "pow", "div"])
@pytest.mark.parametrize("dtype", [tinytensor.float64, tinytensor.float32, tinytensor.float16])
def test_pairs_of_special_numbers(gpu, name, dtype):
    found = []
    for device in ("cpu", "cuda"):
        a = tensor(NUMBERS, dtype=dtype, device=device)
        operation = getattr(tinytensor, name)
        with numpy.errstate(all="ignore"):
            results = [operation(a.unsqueeze(1), a), operation(a, 0.3), operation(a, -INF)]
            results += [operation(2.5, a)] if name in ("remainder", "pow") else []
            found.append([r.cpu().numpy() for r in results])
    for here, there in zip(*found, strict=True):
        numpy.testing.assert_allclose(there, here, 1e-3 if dtype is tinytensor.float16 else 1e-6)
        signs = [numpy.signbit(numpy.where(x == x, x, 0)) for x in (here, there)]
        numpy.testing.assert_array_equal(*signs)


@pytest.mark.parametrize("dtype", ["int64", "int32", "int16", "int8", "uint8"])
def test_shifts_by_any_number(gpu, dtype):
    numbers = [0, 1, 2, 3, 7, 8, 31, 32, 63, 64, 70, 100]
    numbers = numbers if dtype == "uint8" else [*numbers, -1, -5]
    for operation in (tinytensor.bitwise_left_shift, tinytensor.bitwise_right_shift):
        here, there = (operation(tensor(numbers, dtype=dtype, device=d).unsqueeze(1),
                                 tensor(numbers, dtype=dtype, device=d)) for d in ("cpu", "cuda"))
        assert here.tolist() == there.tolist()
        here, there = (operation(tensor(numbers, dtype=dtype, device=d), 70)
                       for d in ("cpu", "cuda"))
        assert here.tolist() == there.tolist()


@pytest.mark.parametrize("values", [
    [1.0, NAN, 3.0, NAN], [NAN, NAN], [-INF, NAN, INF], [2.0, 2.0, 1.0], [[1.0, NAN], [NAN, 0.0]]])
def test_the_first_nan_is_the_extremum(gpu, values):
    x, y = tensor(values), tensor(values, device="cuda")
    for name in ("argmax", "argmin"):
        assert getattr(x, name)().item() == getattr(y, name)().item()
        for dim in range(x.ndim):
            assert getattr(x, name)(dim).tolist() == getattr(y, name)(dim).tolist()
    assert x.max(0).indices.tolist() == y.max(0).indices.tolist()
    assert x.min(-1).indices.tolist() == y.min(-1).indices.tolist()


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int16", "int32", "float16"])
def test_adding_at_repeated_positions(gpu, dtype):
    for d in ("cpu", "cuda"):
        index, ones = tensor([0, 0, 1], device=d), tensor([1, 1, 1], dtype=dtype, device=d)
        zeros = tensor([0, 0, 0], dtype=dtype, device=d)
        expected = [1, 1, 0] if dtype == "bool" else [2, 1, 0]
        assert zeros.index_add(0, index, ones).tolist() == expected
        assert zeros.scatter_add(0, index, ones).tolist() == expected


@pytest.mark.parametrize("fails", [
    lambda lib, d: lib.linalg.cholesky(-lib.eye(2, device=d)),
    lambda lib, d: lib.linalg.inv(lib.zeros(2, 2, 2, device=d)),
    lambda lib, d: lib.linalg.solve(lib.ones(2, 2, device=d), lib.ones(2, device=d)),
    lambda lib, d: lib.tensor([True], device=d) - lib.tensor([True], device=d),
    lambda lib, d: lib.linalg.cholesky(lib.stack([lib.eye(2, device=d), lib.full(
        (2, 2), NAN, device=d)]))])
def test_what_fails_fails_with_the_same_message(gpu, fails):
    messages = []
    for device in ("cpu", "cuda"):
        with pytest.raises(RuntimeError) as error:
            fails(tinytensor, device)
        messages.append(str(error.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize(("function", "x", "others", "name", "number"), [
    (nn.functional.embedding_bag, [[0, 2], [1, 2]], [[[1.0, 2], [3, 4], [5, 7]]], "padding_idx", 2),
    (nn.functional.ctc_loss, [[[0.2, 0.5, 0.3]], [[0.4, 0.4, 0.2]]], [[[0]], [2], [1]], "blank", 1),
])
def test_integers_may_be_tensors_there(gpu, function, x, others, name, number):
    results = [function(*(tensor(a, device="cuda") for a in (x, *others)), **{name: given})
               for given in (number, tensor(number, device="cuda"))]
    assert results[0].tolist() == results[1].tolist()


@pytest.mark.parametrize("name", ["gather", "maximum", "nn.functional.max_unpool1d"])
def test_the_checks_run_on_the_default_device(gpu, name, capsys):
    with tinytensor.device("cuda"):
        assert checking.check(name), capsys.readouterr().out


def test_powers_of_e_lie_in_order(gpu):
    for scale in (0.1, 10.0):  # without and with squaring
        a = tensor([[0.2, 1.0], [0.5, 0.3]], device="cuda") * scale
        assert tinytensor.matrix_exp(a).is_contiguous()


def test_views_by_strides_know_their_memory(gpu):
    for d in ("cpu", "cuda"):
        x = tinytensor.arange(6.0, device=d).requires_grad_()
        y = x * 1
        y.as_strided((2, 2), (2, 1)).mul_(2)
        y.sum().backward()
        assert x.grad.tolist() == [2, 2, 2, 2, 1, 1]
        z = tinytensor.arange(4.0, device=d)
        z.unfold(0, 2, 2).mul_(2)
        assert z.tolist() == [0, 2, 4, 6]
        w = x * 1
        loss = (w * w).sum()
        w.as_strided((2,), (1,)).mul_(2)
        with pytest.raises(RuntimeError, match="mul_"):
            loss.backward()
        with pytest.raises(RuntimeError, match="several times"):
            tinytensor.zeros(2, device=d).expand(3, 2).add_(1)


# ---------------------------------------------------------------- the whole table

INTEGERS = ("int64", "int32", "int16", "int8", "uint8")
MIXED = ("float64", "float32", "float16", *INTEGERS, "bool")


def special(drawn, k):
    a = drawn.array
    if a.dtype.kind != "f":
        return a
    return numpy.array(NUMBERS)[(numpy.arange(a.size) * 7 + k * 3) % len(NUMBERS)].reshape(a.shape)


def as_integers(dtype):
    def change(drawn, k):
        a = drawn.array
        return a if a.dtype.kind == "b" else (a * 3 if a.dtype.kind == "f" else a).astype(dtype)

    return change


def mixed(step):
    def change(drawn, k):
        a = drawn.array
        return (a * 3).astype(MIXED[(k * step + step // 3) % 9]) if a.dtype.kind == "f" else a

    return change


VARIETIES = {
    "float32": lambda drawn, k: drawn.as_dtype(numpy.float32),
    "float16": lambda drawn, k: drawn.as_dtype(numpy.float16),
    "strided": lambda drawn, k: drawn.as_dtype(numpy.float64), "special": special,
    **{dtype: as_integers(dtype) for dtype in INTEGERS},
    **{f"mixed dtypes {step}": mixed(step) for step in range(1, 9)}}


def laid_out(array, device, strided):
    if not strided or not array.ndim:
        return tensor(array, device=device)
    spread = numpy.zeros((*array.shape[:-1], array.shape[-1] * 2), array.dtype)
    spread[..., ::2] = array
    base = tensor(numpy.ascontiguousarray(spread.swapaxes(0, -1)), device=device)
    return base.transpose(0, -1)[..., ::2]


def results_of(entry, sample, device, variety):
    """The results and gradients of a call as arrays, or its error."""
    leaves, count = [], 0

    def convert(drawn):
        nonlocal count
        count += 1
        array = VARIETIES[variety](drawn, count)
        made = laid_out(array, device, variety == "strided")
        if drawn.grad and array.dtype.kind == "f":
            made = made.detach().requires_grad_()
            leaves.append(made)
        return made

    arguments = replace(arguments_of(sample, entry.name), lambda x: isinstance(x, numpy.ndarray),
                        lambda x: tensor(x, device=device)._array)
    args, kwargs = replace(arguments, is_drawn, convert)
    try:
        found = outputs(entry.function(*args, **kwargs))
        recorded = differentiable(found)
        if recorded and leaves:
            weights = [(tinytensor.arange(r.numel(), device=device) % 3 - 1).reshape(r.shape)
                       for r in recorded]
            total = sum((r * w.to(r.dtype)).sum()
                        for r, w in zip(recorded, weights, strict=True))
            found = [*found, *grad(total, leaves, allow_unused=True)]
        arrays = [None if x is None else x.detach().cpu().numpy() for x in found]
        tinytensor.cuda.synchronize()
        return arrays
    except Exception as error:
        try:  # a check of a value on the GPU may have failed before
            tinytensor.cuda.synchronize()
        except Exception as earlier:
            return earlier
        return error


# Ties are in any order; signs of singular vectors are arbitrary.
UNSURE = {"det", "slogdet"}  # of infinities: libraries give inf or NaN
ARBITRARY = {"svd", "topk", "where_topk", "kthvalue", "median", "where_median", "mode"}


@pytest.mark.cuda
@pytest.mark.parametrize("variety", VARIETIES)
def test_the_table_agrees(variety):
    if not tinytensor.cuda.is_available():
        pytest.skip("no GPU")
    differ = []
    for key, entry in TABLE.items():
        skipped = ARBITRARY | UNSURE if variety == "special" else ARBITRARY
        if key in RANDOM or entry.name in skipped:
            continue
        for i, sample in enumerate(entry.samples):
            with warnings.catch_warnings(), numpy.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                here, there = (results_of(entry, sample, d, variety) for d in ("cpu", "cuda"))
            if isinstance(here, Exception) or isinstance(there, Exception):
                same = isinstance(here, type(there)) or isinstance(there, type(here))
            else:
                same = len(here) == len(there) and all(map(close, here, there))
            if not same:
                differ.append(f"{key}[{i}]({sample}): {here} | {there}")
    assert not differ, "\n".join(differ)


def close(here, there):
    if here is None or there is None:
        return here is there
    tolerance = {2: 4e-3, 4: 1e-4}.get(here.itemsize, 2e-6) if here.dtype.kind == "f" else 0
    return here.dtype == there.dtype and here.shape == there.shape and numpy.allclose(
        here.astype(float), there.astype(float), tolerance, tolerance, equal_nan=True)


# ---------------------------------------------------------------- mistakes

def test_the_first_of_two_mistakes_is_named(gpu):
    x, labels = tensor([[0.5, 1.0]], device="cuda"), tensor([7], device="cuda")
    for function, args in ((tinytensor.take_along_dim, (x, labels[None], 1)),
                           (nn.functional.nll_loss, (x, labels))):  # which takes along a dim, too
        with pytest.raises(IndexError, match=f"^{function.__name__}: "):
            function(*args)
            tinytensor.cuda.synchronize()


@pytest.mark.parametrize("name", ["index_add", "index_copy", "take_along_dim"])
def test_no_kernel_sees_positions_in_an_empty_dim(gpu, name):
    x, at = tinytensor.ones(0, 2, device="cuda"), tensor([0], device="cuda")
    with pytest.raises(IndexError, match=f"{name}: position 0 is out of range for dimension 0"):
        if name == "take_along_dim":
            x.take_along_dim(at.reshape(1, 1), 0)
        else:
            getattr(x, name)(0, at, tinytensor.ones(1, 2, device="cuda"))


WRONG = {
    "shape": lambda a: numpy.ones((7, 5, 3), a.dtype), "number": lambda a: a.ravel()[:1].sum(),
    "empty": lambda a: a[:0] if a.ndim else a.reshape(1)[:0], "bool": lambda a: a > 0,
    "int64": lambda a: numpy.ones(a.shape, "int64"), "uint8": lambda a: a.astype("uint8"),
    "float32": lambda a: a.astype("float32"), "float16": lambda a: a.astype("float16"),
    "large": lambda a: numpy.full(a.shape, 99).astype(a.dtype),
    "NaN": lambda a: numpy.full(a.shape, NAN) if a.dtype.kind == "f" else a,
    "text": lambda a: "a", "None": lambda a: None, "list": lambda a: [[1.0], [1.0, 2.0]]}


def outcome_of(entry, wrong, which, device):
    """The error of a call in which one array is another, or the shapes and dtypes of the results.

    Of several wrong values in an array, either device may name any.
    """
    arrays = itertools.count()

    def convert(x):
        array = WRONG[wrong](x.array) if next(arrays) == which else x.array
        return tensor(array, device=device) if isinstance(array, numpy.ndarray | numpy.generic) \
            else array

    tinytensor.manual_seed(0)
    try:
        args, kwargs = replace(arguments_of(entry.samples[0], entry.name), is_drawn, convert)
        found = outputs(entry.function(*args, **kwargs))
        tinytensor.cuda.synchronize()
        return [(x.shape, x.dtype) if hasattr(x, "dtype") else type(x) for x in found]
    except Exception as raised:
        error = raised
        try:  # a check of a value on the GPU may have failed before
            tinytensor.cuda.synchronize()
        except Exception as earlier:
            error = earlier
        said = re.sub(r" \(the call at .*; found when a number was read from the GPU\)", "",
                      str(error))
        return type(error), re.sub(r"(position|label|index) -?\d+", r"\1", said)


@pytest.mark.cuda
def test_wrong_arrays_give_the_same_messages():
    """In place of each array of the first sample, for every operation."""
    if not tinytensor.cuda.is_available():
        pytest.skip("no GPU")
    differ = []
    for key, entry in TABLE.items():
        if entry.internal or not entry.samples:
            continue
        count: list[object] = []
        replace(arguments_of(entry.samples[0], entry.name), is_drawn, count.append)
        for which, wrong in itertools.product(range(len(count)), WRONG):
            with warnings.catch_warnings(), numpy.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                here, there = (outcome_of(entry, wrong, which, d) for d in ("cpu", "cuda"))
            if here != there:
                differ.append(f"{key}, array {which}, {wrong}: {here} | {there}")
    assert not differ, "\n".join(differ)
