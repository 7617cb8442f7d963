"""Functions that make Tensors: values, dtypes, shapes, and the distributions of random ones."""

from __future__ import annotations

import copy
import math
from array import array
from collections import deque

import numpy
import pytest
import torch

import tinytensor

F32, F64 = numpy.float32, numpy.float64


def same(mine, theirs, tolerance=0.0):
    assert str(mine.dtype).partition(".")[2] == str(theirs.dtype).partition(".")[2]
    assert tuple(mine.shape) == tuple(theirs.shape)
    numpy.testing.assert_allclose(mine.numpy(), theirs.numpy(), tolerance, tolerance)


# ---------------------------------------------------------------- from data


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_evenly_spaced_numbers_equal_pytorchs_to_the_bit(dtype):
    draws = numpy.random.default_rng(0)
    for steps in (*range(1, 9), 15, 64, 101):
        for low, high in (*draws.uniform(-99, 99, (5, 2)).tolist(), (0.0, 1.0), (-54.0, 24.0)):
            made = [lib.linspace(low, high, steps, dtype=getattr(lib, dtype)).tolist()
                    for lib in (tinytensor, torch)]
            assert made[0] == made[1]


@pytest.mark.parametrize("data", [
    1, 1.5, True, [1, 2], [1, 2.5, True], [True, 2], [[1.0], [2]], [], [[], []], range(3), (1, 2),
    [(1, 2), [3, 4]], F64(2), [F64(2)], [F32(2), 1], [numpy.int32(2)], [F32(1), 2.5],
    numpy.ones(2, numpy.int16), numpy.arange(6.0)[::2], deque([1.0, 2.0]), array("f", [1, 2]),
    [deque([1, 2]), (3, 4)], deque(), [array("d"), deque()], bytearray(b"ab")])
def test_tensor_of_data(data):
    same(tinytensor.tensor(data), torch.tensor(data))


@pytest.mark.parametrize(("data", "dtype"), [
    ([1.7, -1.7], "int64"), ([0.0, 2.0], "bool"), ([1, 2], "float16"), ([-1], "uint8"),
    ([[1, 2]], "float64"), (True, "float32"), ([0.1], "float64")])
def test_tensor_of_a_dtype(data, dtype):
    same(tinytensor.tensor(data, dtype=getattr(tinytensor, dtype)),
         torch.tensor(data, dtype=getattr(torch, dtype)))


def test_tensor_of_a_list_of_arrays():
    mine = tinytensor.tensor([numpy.ones(2), numpy.zeros(2)])
    same(mine, torch.tensor(numpy.stack([numpy.ones(2), numpy.zeros(2)])))


@pytest.mark.parametrize("kinds", [("float32", "float32"), ("float64", "float32"),
                                   ("int64", "float32"), ("int64", "int64")])
def test_tensor_of_0d_tensors(kinds):
    same(tinytensor.tensor([tinytensor.tensor(1, dtype=getattr(tinytensor, k)) for k in kinds]),
         torch.tensor([torch.tensor(1, dtype=getattr(torch, k)) for k in kinds]))


@pytest.mark.parametrize(("data", "kind", "message"), [
    ([[1, 2], [3]], ValueError, "not rectangular"), ([[1, 2], 3], ValueError, "not rectangular"),
    ("a", TypeError, "str"), (["a", 1], TypeError, "str"), (None, RuntimeError, "NoneType"),
    ([None], RuntimeError, "NoneType"), ({1: 2}, RuntimeError, "dict"), (1j, TypeError, "complex"),
    (2**63, ValueError, "too large"), (numpy.array(["a"]), TypeError, "dtype"),
    (numpy.array([1, "a"], object), TypeError, "object"),
    (numpy.ones(2, numpy.uint16), TypeError, "uint16"),
    ([tinytensor.ones(2), tinytensor.ones(2)], ValueError, "stack")])
def test_data_that_are_refused(data, kind, message):
    with pytest.raises(kind, match=message):
        tinytensor.tensor(data)


def test_values_that_do_not_fit():
    for data, dtype in (([300], tinytensor.uint8), ([1e30], tinytensor.int32),
                        ([math.nan], tinytensor.int64)):
        with pytest.raises(RuntimeError, match="do not fit"):
            tinytensor.tensor(data, dtype=dtype)
    with pytest.raises(RuntimeError, match="floating point"):
        tinytensor.tensor([1, 2], requires_grad=True)
    with pytest.raises(TypeError, match="unknown dtype"):
        tinytensor.tensor([1], dtype="float8")


def test_a_copy_of_a_tensor_warns():
    x = tinytensor.ones(2, requires_grad=True)
    with pytest.warns(UserWarning, match="detach") as caught:
        y = tinytensor.tensor(x)
    assert caught[0].filename == __file__ and not y.requires_grad
    assert y.data_ptr() != x.data_ptr()


def test_what_shares_memory():
    array = numpy.arange(3.0)
    for share in (tinytensor.from_numpy, tinytensor.as_tensor, tinytensor.asarray,
                  tinytensor.from_dlpack, lambda a: tinytensor.asarray(a, copy=False)):
        x = share(array)
        x[0] = x[0] + 1
        assert array[0] == x[0].item()
    for copied in (tinytensor.tensor(array), tinytensor.asarray(array, copy=True),
                   tinytensor.as_tensor(array, dtype=tinytensor.float32)):
        copied[0] = -1
        assert array[0] == 5
    with pytest.raises(ValueError, match="without a copy"):
        tinytensor.asarray([1, 2], copy=False)
    with pytest.raises(ValueError, match="without a copy"):
        tinytensor.asarray(array, dtype=tinytensor.float32, copy=False)
    with pytest.raises(TypeError, match="ndarray"):
        tinytensor.from_numpy([1])


def test_as_tensor_keeps_a_tensor_and_its_graph():
    x = tinytensor.ones(2, requires_grad=True)
    assert tinytensor.as_tensor(x) is x and tinytensor.asarray(x * 2).requires_grad


def test_dlpack_both_ways():
    theirs = torch.arange(3.0)
    mine = tinytensor.from_dlpack(theirs)
    theirs[0] = 7
    assert mine.tolist() == [7, 1, 2]
    assert torch.from_dlpack(mine).data_ptr() == theirs.data_ptr()
    with pytest.raises(TypeError, match="__dlpack__"):
        tinytensor.from_dlpack([1])


def test_memory_that_is_read_only():
    array = numpy.arange(3.0)
    array.flags.writeable = False
    for x in (tinytensor.from_numpy(array), tinytensor.from_dlpack(array)):
        with pytest.raises(RuntimeError, match="read-only"):
            x[0] = 1
        with pytest.raises(RuntimeError, match="read-only"):
            x.add_(1)
    assert array[0] == 0


def test_frombuffer():
    data = bytearray(b"abcdefgh")
    x = tinytensor.frombuffer(data, dtype=tinytensor.int16, count=2, offset=2)
    same(x, torch.frombuffer(bytearray(data), dtype=torch.int16, count=2, offset=2))
    x[0] = 0
    assert data[2:4] == b"\0\0"
    for bad in ({"dtype": tinytensor.int64, "offset": 1}, {"dtype": tinytensor.uint8, "offset": 9},
                {"dtype": tinytensor.uint8, "count": 9}):
        with pytest.raises(ValueError, match=r"buffer|offset"):
            tinytensor.frombuffer(data, **bad)


# ---------------------------------------------------------------- filled and counted


CALLS = [
    "zeros(2, 3)", "ones((2, 3))", "zeros(())", "ones([2], dtype=X.int32)", "zeros(size=(2,))",
    "zeros(0, 3)", "full((2,), True)", "full((2,), 3)", "full((2,), 3.5)",
    "full([1], X.tensor(3.))",
    "full((2,), 3, dtype=X.float16)", "zeros_like(X.tensor([1]))",
    "ones_like(X.ones(2), dtype=X.int64)",
    "full_like(X.tensor([1, 2]), 1.5)", "tensor([1]).new_full((2,), 1.5)",
    "tensor([1]).new_zeros(2, 3)", "ones(1).new_ones((2,), dtype=X.int64)",
    "tensor([1.]).new_tensor([1, 2])", "zeros(2, layout=None, pin_memory=False)",
    "arange(5)", "arange(5.)", "arange(1, 4)", "arange(start=1, end=4)", "arange(end=4)",
    "arange(0, 1, 0.1)", "arange(1, 2.5, 0.5)", "arange(5, 0, -2)", "arange(3, 3)",
    "arange(0.5, 4, dtype=X.int64)", "arange(0, 300, 100, dtype=X.uint8)", "arange(X.tensor(3))",
    "arange(X.tensor(3.))", "arange(0, 1, 0.3, dtype=X.float16)", "arange(-1, 1, 0.3)",
    "arange(10, 0, -0.7, dtype=X.float64)", "linspace(0, 1, 5)", "linspace(2, 5, 1)",
    "linspace(2, 5, 0)", "linspace(0, 10, 4, dtype=X.int64)", "linspace(X.tensor(0.), 1, 3)",
    "linspace(5, -5, 7, dtype=X.float64)", "logspace(0, 3, 4)", "logspace(0, 3, 4, base=2.)",
    "logspace(1, 3, 1)", "logspace(0, 3, 4, dtype=X.int64)", "eye(3)", "eye(2, 3)",
    "eye(0, 2, dtype=X.int64)", "tril_indices(3, 3)", "triu_indices(3, 4, -1)",
]


@pytest.mark.parametrize("call", CALLS)
def test_the_same_call(call):
    mine, theirs = (eval(f"X.{call}", {"X": library}) for library in (tinytensor, torch))
    same(mine, theirs, 1e-6)


@pytest.mark.parametrize(("call", "kind"), [
    ("zeros()", TypeError), ("zeros(-1)", RuntimeError), ("zeros(2.)", TypeError),
    ("zeros(2, dtype=X.int64, requires_grad=True)", RuntimeError), ("zeros(2, typo=1)", TypeError),
    ("full(2, 3)", TypeError), ("full((-1,), 3)", RuntimeError), ("arange(0, 5, -1)", RuntimeError),
    ("arange(0, 5, 0)", RuntimeError), ("arange(float('nan'))", RuntimeError),
    ("arange(0, float('inf'))", RuntimeError), ("linspace(0, 1, -1)", RuntimeError),
    ("linspace(X.tensor([0.]), 1, 3)", RuntimeError), ("linspace(0, 1, True)", TypeError),
    ("linspace(0, X.ones(1), 3)", RuntimeError), ("logspace(X.ones(1), 3, 3)", RuntimeError),
    ("logspace(0, 1, True)", TypeError), ("linspace(0, 1, 3, dtype=X.bool)", NotImplementedError),
    ("logspace(0, 1, 3, dtype=X.bool)", NotImplementedError),
    ("arange(3, dtype=X.bool)", NotImplementedError),
    ("linspace(0, 1)", TypeError), ("eye(-1)", RuntimeError), ("randint(5, 5, (3,))", RuntimeError),
    ("randint(0, 300, (3,), dtype=X.uint8)", RuntimeError), ("randint(5)", TypeError),
    ("randint(0, 5, 2)", TypeError), ("randperm(-1)", RuntimeError),
    ("randperm(300, dtype=X.uint8)", RuntimeError), ("rand(2, dtype=X.int64)", NotImplementedError),
    ("randn(2, dtype=X.int64)", NotImplementedError), ("normal(0., 1.)", TypeError),
    ("normal(X.zeros(3), -1.)", RuntimeError), ("normal(X.zeros(3), -X.ones(3))", RuntimeError),
    ("normal(X.tensor([1]), 1.)", NotImplementedError),
    ("bernoulli(X.tensor([0., 1.5]))", RuntimeError), ("bernoulli(X.ones(3), 1.5)", RuntimeError),
    ("bernoulli(X.tensor([0, 1]))", NotImplementedError),
    ("multinomial(X.ones(3), 4)", RuntimeError),
    ("multinomial(X.zeros(3), 1)", RuntimeError),
    ("multinomial(X.tensor([-1., 2]), 1)", RuntimeError),
    ("multinomial(X.ones(1, 1, 2), 1)", RuntimeError), ("multinomial(X.ones(3), 0)", RuntimeError),
    ("multinomial(X.tensor([1, 2]), 1)", RuntimeError),
    ("multinomial(X.tensor([float('nan'), 1]), 1, True)", RuntimeError),
    ("multinomial(X.tensor([float('inf'), 1]), 1)", RuntimeError),
    ("poisson(X.tensor([-1.]))", RuntimeError), ("poisson(X.tensor([1]))", NotImplementedError),
    ("ones(3).uniform_(2, 1)", RuntimeError), ("tensor([1]).uniform_()", NotImplementedError),
    ("ones(3).normal_(0, -1)", RuntimeError), ("ones(3).random_(5, 5)", RuntimeError),
    ("ones(3).exponential_(-1.)", RuntimeError), ("ones(3).geometric_(0.)", RuntimeError),
    ("ones(3).log_normal_(0, -1)", RuntimeError), ("ones(3).cauchy_(0, 0)", RuntimeError),
    ("zeros_like('a')", TypeError), ("randn_like([1.0])", TypeError),
    ("ones(3, requires_grad=True).uniform_()", RuntimeError), ("manual_seed(2**64)", ValueError)])
def test_the_same_error(call, kind):
    for library in (torch, tinytensor):
        with pytest.raises(kind):
            eval(f"X.{call}", {"X": library})


# ---------------------------------------------------------------- random


N = 20_000


def moments(x, mean, std):
    """Asserts a mean within four standard errors, and a standard deviation within 5 %."""
    values = x.double().numpy()
    assert abs(values.mean() - mean) < 4 * std / math.sqrt(values.size)
    assert abs(values.std() - std) < 0.05 * std


@pytest.fixture(autouse=True)
def seeded():
    tinytensor.manual_seed(0)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_laws_of_the_floating_point_fills(dtype):
    x = tinytensor.empty(N, dtype=getattr(tinytensor, dtype))
    moments(x.uniform_(1, 3), 2, 2 / math.sqrt(12))
    assert x.min() >= 1 and x.max() <= 3
    moments(x.normal_(1, 2), 1, 2)
    moments(x.exponential_(2.0), 0.5, 0.5)
    moments(x.log_normal_(0, 0.25), math.exp(0.25**2 / 2),
            math.sqrt((math.exp(0.25**2) - 1) * math.exp(0.25**2)))
    assert abs(x.cauchy_(3, 1).double().median().item() - 3) < 0.1
    assert x.dtype is getattr(tinytensor, dtype)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int64", "float32", "float16"])
def test_integers_of_random_(dtype):
    x = tinytensor.zeros(2000, dtype=getattr(tinytensor, dtype))
    theirs = torch.zeros(2000, dtype=getattr(torch, dtype)).random_()
    top = float(theirs.double().max())
    found = x.random_().double()
    assert found.min() >= 0 and 0.9 * top <= found.max() <= 1.2 * max(top, 1)
    if dtype != "bool":
        assert sorted(set(x.random_(3, 6).tolist())) == [3, 4, 5]
        assert sorted(set(x.random_(2).tolist())) == [0, 1]


def test_laws_of_the_integer_fills():
    counts = tinytensor.zeros(N, dtype=tinytensor.int64)
    moments(counts.geometric_(0.4), 2.5, math.sqrt(0.6) / 0.4)
    assert counts.min() == 1
    moments(counts.bernoulli_(0.3), 0.3, math.sqrt(0.21))
    chance = tinytensor.tensor([0.0, 1.0, 0.5])
    drawn = tinytensor.zeros(4000, 3).bernoulli_(chance)
    assert not drawn[:, 0].any() and drawn[:, 1].all() and 0.45 < drawn[:, 2].mean() < 0.55


def test_laws_of_the_functions():
    moments(tinytensor.rand(N), 0.5, math.sqrt(1 / 12))
    moments(tinytensor.randn(N, dtype=tinytensor.float64), 0, 1)
    moments(tinytensor.randint(2, 6, (N,)), 3.5, math.sqrt(15 / 12))
    moments(tinytensor.normal(1.0, 3.0, (N,)), 1, 3)
    moments(tinytensor.normal(tinytensor.full((N,), 2.0), 3.0), 2, 3)
    moments(tinytensor.normal(2.0, tinytensor.full((N,), 3.0)), 2, 3)
    moments(tinytensor.poisson(tinytensor.full((N,), 4.0)), 4, 2)
    moments(tinytensor.bernoulli(tinytensor.full((N,), 0.3)), 0.3, math.sqrt(0.21))
    half = tinytensor.rand(N, dtype=tinytensor.float16)
    assert half.max() < 1


@pytest.mark.parametrize("call", [
    "rand(2, 3)", "rand((2,), dtype=X.float64)", "randn(())", "randint(5, (3,))",
    "randint(2, 5, [2, 2])", "randint(high=5, size=(2,))", "randint(low=1, high=5, size=(2,))",
    "randint(5, (3,), dtype=X.float32)", "randint(0, 2, (3,), dtype=X.bool)", "randperm(4)",
    "randperm(4, dtype=X.float32)", "randperm(0)", "rand_like(X.ones(2, 3))",
    "randn_like(X.ones(2), dtype=X.float64)", "randint_like(X.ones(2), 3, 5)",
    "randint_like(X.ones(2), high=3)", "normal(X.zeros(3, 1), X.ones(2))", "normal(X.zeros(3))",
    "normal(X.zeros(3, dtype=X.float64), X.ones(3))", "normal(0, 1, (2, 2))",
    "normal(mean=0., std=1., size=(2,))", "normal(0., X.ones(3))", "rand(size=(2, 3))",
    "randn(size=())", "bernoulli(X.ones(3), 0.5)",
    "bernoulli(X.ones(3, dtype=X.int64), 0.5)", "multinomial(X.ones(3), 2)",
    "multinomial(X.ones(2, 3), 5, replacement=True)", "multinomial(X.ones(0, 3), 1)",
    "multinomial(X.ones(3), 5, True)", "poisson(X.ones(2, 3))", "ones(3).multinomial(2)",
    "ones(3).bernoulli(0.5)", "ones(2).uniform_()", "zeros(2, dtype=X.int64).geometric_(0.5)"])
def test_shapes_and_dtypes_of_random_tensors(call):
    mine, theirs = (eval(f"X.{call}", {"X": library}) for library in (tinytensor, torch))
    assert tuple(mine.shape) == tuple(theirs.shape)
    assert str(mine.dtype).partition(".")[2] == str(theirs.dtype).partition(".")[2]


def test_randperm_is_a_permutation():
    assert sorted(tinytensor.randperm(50).tolist()) == list(range(50))


def test_multinomial_without_replacement():
    weights = tinytensor.tensor([[0.0, 1.0, 2.0, 3.0], [1.0, 1.0, 0.0, 1.0]])
    for _ in range(50):
        a, b = tinytensor.multinomial(weights, 3).tolist()
        assert sorted(a) == [1, 2, 3] and sorted(b) == [0, 1, 3]
    first = tinytensor.multinomial(tinytensor.tensor([[1.0, 3.0]]).expand(N, 2), 1)
    assert abs(first.double().mean().item() - 0.75) < 4 * math.sqrt(0.25 * 0.75 / N)
    # With more draws than positive weights, indices of weight 0 come last, as in PyTorch.
    assert tinytensor.multinomial(tinytensor.tensor([0.0, 1.0, 0.0]), 2)[0] == 1


def test_multinomial_with_replacement():
    weights = tinytensor.tensor([0.0, 1.0, 0.0, 2.0, 5.0, 0.0])
    drawn = tinytensor.multinomial(weights, N, replacement=True).numpy()
    shares = numpy.bincount(drawn, minlength=6) / N
    p = weights.numpy() / 8
    assert (numpy.abs(shares - p) <= 4 * numpy.sqrt(p * (1 - p) / N)).all()


# ---------------------------------------------------------------- generators


DRAWS = {
    "rand": lambda g: tinytensor.rand(4, generator=g),
    "randn": lambda g: tinytensor.randn(4, generator=g),
    "rand_like": lambda g: tinytensor.rand_like(tinytensor.ones(4), generator=g),
    "randint": lambda g: tinytensor.randint(1000, (4,), generator=g),
    "randperm": lambda g: tinytensor.randperm(20, generator=g),
    "normal": lambda g: tinytensor.normal(tinytensor.zeros(4), 1.0, generator=g),
    "bernoulli": lambda g: tinytensor.bernoulli(tinytensor.full((40,), 0.5), generator=g),
    "multinomial": lambda g: tinytensor.multinomial(tinytensor.ones(50), 9, generator=g),
    "poisson": lambda g: tinytensor.poisson(tinytensor.full((9,), 50.0), generator=g),
    "uniform_": lambda g: tinytensor.ones(4).uniform_(generator=g),
    "normal_": lambda g: tinytensor.ones(4).normal_(generator=g),
    "random_": lambda g: tinytensor.ones(4).random_(generator=g),
    "exponential_": lambda g: tinytensor.ones(4).exponential_(generator=g),
    "geometric_": lambda g: tinytensor.ones(40).geometric_(0.2, generator=g),
    "log_normal_": lambda g: tinytensor.ones(4).log_normal_(generator=g),
    "cauchy_": lambda g: tinytensor.ones(4).cauchy_(generator=g),
    "bernoulli_": lambda g: tinytensor.ones(40).bernoulli_(generator=g),
}


@pytest.mark.parametrize("name", DRAWS)
def test_every_function_draws_from_the_generator_it_is_given(name):
    draw = DRAWS[name]
    before = tinytensor.get_rng_state()
    one, two = (tinytensor.Generator().manual_seed(5) for _ in range(2))
    first = draw(one).tolist()
    assert draw(two).tolist() == first != draw(two).tolist()
    # The default generator is unchanged.
    assert tinytensor.equal(tinytensor.get_rng_state(), before)
    draw(None)
    assert not tinytensor.equal(tinytensor.get_rng_state(), before)


def test_the_seed_and_the_state():
    assert tinytensor.manual_seed(3).initial_seed() == tinytensor.initial_seed() == 3
    first = tinytensor.rand(3).tolist()
    state = tinytensor.get_rng_state()
    second = tinytensor.rand(3).tolist()
    tinytensor.set_rng_state(state)
    assert tinytensor.rand(3).tolist() == second != first
    assert tinytensor.manual_seed(-1).initial_seed() == torch.manual_seed(-1).initial_seed()
    assert tinytensor.seed() == tinytensor.initial_seed() != 3


def test_a_copied_generator_goes_its_own_way():
    one = tinytensor.Generator().manual_seed(1)
    two = copy.deepcopy(one)
    first = tinytensor.rand(3, generator=one).tolist()
    assert tinytensor.rand(3, generator=two).tolist() == first


def test_fork_rng():
    before = tinytensor.get_rng_state()
    with tinytensor.random.fork_rng():
        tinytensor.manual_seed(9)
        tinytensor.rand(3)
    assert tinytensor.equal(tinytensor.get_rng_state(), before)
    with tinytensor.random.fork_rng(enabled=False):
        tinytensor.rand(3)
    assert not tinytensor.equal(tinytensor.get_rng_state(), before)


def test_a_device_that_is_first_used_after_manual_seed_starts_from_that_seed():
    other = tinytensor.random.generator_of("cuda:7")
    assert other.initial_seed() == 0
    tinytensor.manual_seed(4)
    assert other.initial_seed() == 4
    with pytest.raises(RuntimeError, match="generator of device cuda:7"):
        tinytensor.rand(3, generator=other)


def test_a_fill_takes_the_tensor_out_of_the_graph_and_is_noted():
    x = tinytensor.ones(3, requires_grad=True)
    y = x * 2
    z = y * y
    y.normal_()
    with pytest.raises(RuntimeError, match="normal_"):
        z.sum().backward()
