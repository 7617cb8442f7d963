"""Random numbers: the same as PyTorch's on the CPU, for the same seed.

Every comparison draws once more afterwards: both have then taken the same words from the stream.
"""
# ruff: noqa: B023 - the lambdas are called before the loop goes on

from __future__ import annotations

import copy
import pickle
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import pytest
import torch
from operations import in_turn

import tinytensor
from tinytensor.arrays.streams import Stream
from tinytensor.kernels import loops, use_kernels

# Around the blocks of 16 of `randn`, and of 8 within them.
SIZES = (0, 1, 2, 7, 8, 15, 16, 17, 23, 24, 31, 32, 33, 48, 100, 1000)
FLOATS, INTEGERS = ("float32", "float64", "float16"), ("int64", "int32", "int16", "int8", "uint8")


def _mkl_draws() -> bool:
    """Whether this PyTorch draws `bernoulli_` from MKL, as on Intel's processors."""
    torch.manual_seed(0)
    torch.empty(4).bernoulli_(0.5)
    after = torch.rand(1)
    torch.manual_seed(0)
    torch.rand(4, dtype=torch.float64)
    return not torch.equal(after, torch.rand(1))


BY_MKL = pytest.mark.skipif(_mkl_draws(), reason="PyTorch draws these from MKL on this processor")


def numbers(x: Any) -> list[Any]:
    """The arrays in nested lists, tuples and dicts of Tensors of either library."""
    if isinstance(x, list | tuple):
        return [a for part in x for a in numbers(part)]
    if isinstance(x, dict):
        return numbers(list(x.values()))
    return [x.detach().numpy() if hasattr(x, "detach") else numpy.asarray(x)]


def compare(draw: Callable[[Any], Any], tolerance: float = 0.0) -> None:
    """draw(library) gives the same for both, and both streams are at the same place after it."""
    drawn = []
    for library in (tinytensor, torch):
        library.manual_seed(1234)
        library.rand(3)
        drawn.append([*numbers(draw(library)), library.rand(2).numpy()])
    for ours, theirs in zip(*drawn, strict=True):
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
        numpy.testing.assert_allclose(ours.astype(float), theirs.astype(float), rtol=tolerance,
                                      atol=tolerance)


def close(dtype: str) -> float:
    return {"float16": 4e-3, "float32": 3e-6, "float64": 1e-14}[dtype]


@in_turn("size", SIZES)
def test_sizes_and_floating_point_dtypes(size: int) -> None:
    for name in FLOATS:
        def new(m: Any, name: str = name) -> Any:
            return m.empty(size, dtype=getattr(m, name))

        compare(lambda m: m.rand(size, dtype=getattr(m, name)))
        compare(lambda m: new(m).uniform_(-3, 2), 1e-15 if name == "float64" else 0.0)
        compare(lambda m: new(m).random_())
        compare(lambda m: new(m).random_(-7, 90))
        compare(lambda m: new(m).geometric_(0.3))
        compare(lambda m: m.randn(size, dtype=getattr(m, name)), close(name))
        compare(lambda m: new(m).normal_(1, 2), close(name))
        compare(lambda m: m.randn_like(new(m)), close(name))
        compare(lambda m: new(m).log_normal_(1, 0.5), 10 * close(name))
        compare(lambda m: new(m).cauchy_(1, 2), 10 * close(name))


@BY_MKL
@in_turn("size", SIZES)
def test_draws_that_pytorch_takes_from_mkl_on_some_processors(size: int) -> None:
    for name in FLOATS:
        compare(lambda m: m.empty(size, dtype=getattr(m, name)).exponential_(2), close(name))
        compare(lambda m: m.empty(size, dtype=getattr(m, name)).bernoulli_(0.3))
    for p in (0.0, 1e-9, 0.5, 1 - 1e-12, 1.0):
        compare(lambda m: m.empty(size, dtype=m.int64).bernoulli_(p))
    compare(lambda m: m.nn.functional.dropout(m.ones(size), 0.3), 1e-7)
    for count in {1, min(2, size), size} if size else ():
        compare(lambda m: m.multinomial(m.rand(size), count))
        compare(lambda m: m.multinomial(m.rand(3, size, dtype=m.float64), count))
    if size:
        compare(lambda m: m.nn.functional.gumbel_softmax(m.ones(2, size)), 1e-5)


@in_turn("size", SIZES)
def test_integers(size: int) -> None:
    for name in (*INTEGERS, "bool"):
        compare(lambda m: m.empty(size, dtype=getattr(m, name)).random_())
    for name in INTEGERS:
        compare(lambda m: m.randint(3, 100, (size,), dtype=getattr(m, name)))
        compare(lambda m: m.empty(size, dtype=getattr(m, name)).geometric_(0.3))
    for high in (2**27, 2**28 - 1, 2**28, 2**40, 2**62):  # from 2**28 on, of 64 bits
        compare(lambda m: m.randint(-5, high, (size,)))
    compare(lambda m: m.empty(size, dtype=m.int64).random_(-2**63, 2**63 - 1))
    compare(lambda m: m.randperm(size))
    compare(lambda m: m.randint_like(m.ones(size, dtype=m.int32), 3, 9))
    if size:
        compare(lambda m: m.multinomial(m.rand(2, size), 5, True))
        compare(lambda m: m.bernoulli(m.rand(size)))
        compare(lambda m: m.bernoulli(m.rand(size, dtype=m.float64)))


@in_turn("count", (499, 500, 501, 5000, 30_001))
def test_long_permutations(count: int) -> None:
    compare(lambda m: m.randperm(count))


def test_normal_with_tensors() -> None:
    compare(lambda m: [m.normal(m.arange(20.0), m.arange(1.0, 21)), m.normal(m.arange(20.0), 2.0),
                       m.normal(1.0, m.arange(5.0)), m.normal(1.0, 2.0, (3, 7)),
                       m.normal(m.zeros(3, 4), m.ones(4))], 1e-6)


def test_the_second_normal_number_of_a_pair_is_kept() -> None:
    compare(lambda m: [m.randn(1), m.rand(2), m.randn(20), m.randn(2), m.randn(1, dtype=m.float64)],
            1e-6)
    compare(lambda m: [m.randn(1), m.manual_seed(3) and m.randn(1)], 1e-6)


VIEWS: dict[str, Callable[[Any], Any]] = {
    "transposed": lambda x: x.permute(2, 1, 0), "swapped": lambda x: x.permute(1, 0, 2),
    "turned": lambda x: x.permute(2, 0, 1), "every other": lambda x: x[:, :, ::2],
    "rows": lambda x: x[1:], "columns": lambda x: x[:, 1], "a part": lambda x: x.mT[:, 1:]}


@in_turn("view", VIEWS.values())
def test_views_are_filled_in_the_order_of_memory(view: Callable[[Any], Any]) -> None:
    for fill in ("uniform_", "normal_", "random_", "log_normal_"):
        compare(lambda m: getattr(view(m.zeros(4, 5, 6)), fill)(), 2e-5)
    for like in (lambda m, x: m.rand_like(x), lambda m, x: m.randn_like(x),
                 lambda m, x: m.randint_like(x, 7)):
        compare(lambda m: like(m, view(m.zeros(4, 5, 6))), 1e-6)
    compare(lambda m: view(m.zeros(4, 5, 6)).bernoulli_(view(m.rand(4, 5, 6)).clone()))
    for like in (lambda m, x: m.zeros_like(x), lambda m, x: m.empty_like(x, dtype=m.float64),
                 lambda m, x: m.full_like(x, 2.0, requires_grad=True).detach()):
        compare(lambda m: like(m, view(m.zeros(4, 5, 6))).uniform_(0, 2))


def expanded(library: Any, seed: int) -> Any:
    """A Tensor whose dims are permuted; one or two are expanded, and some overlap."""
    draws = random.Random(seed)
    x = library.ones(2, 3, 4)
    if seed % 3 == 0:
        x = x.unfold(draws.choice((1, 2)), 2, 1)
    for _ in range(1 + seed % 2):
        x = x.permute(draws.sample(range(x.ndim), x.ndim)).unsqueeze(at := draws.randrange(x.ndim))
        x = x.expand((*x.shape[:at], draws.randint(2, 4), *x.shape[at + 1:]))
    return x.permute(draws.sample(range(x.ndim), x.ndim))


def test_numbers_like_expanded_tensors_lie_in_the_order_of_pytorchs() -> None:
    for seed in range(60):
        compare(lambda m: m.rand_like(expanded(m, seed)))
        compare(lambda m: m.randn_like(expanded(m, seed)), 1e-6)
        compare(lambda m: m.randint_like(expanded(m, seed), 9))


def test_tensors_like_another_have_the_strides_of_pytorchs() -> None:
    def strides(m: Any, x: Any) -> list[Any]:
        return [like.stride() for like in (
            m.zeros_like(x), m.ones_like(x, dtype=m.float64), m.empty_like(x), m.rand_like(x),
            m.full_like(x, 3.0, requires_grad=True), m.randn_like(x), m.randint_like(x, 7),
            m.zeros_like(x, memory_format=m.contiguous_format))]

    for view in VIEWS.values():
        assert strides(tinytensor, view(tinytensor.zeros(4, 5, 6))) == \
            strides(torch, view(torch.zeros(4, 5, 6)))
    for seed in range(20):
        assert strides(tinytensor, expanded(tinytensor, seed)) == \
            strides(torch, expanded(torch, seed))


@BY_MKL
def test_dropout_of_expanded_tensors() -> None:
    for seed in range(60):
        compare(lambda m: m.nn.functional.dropout(expanded(m, seed), 0.5))
        compare(lambda m: m.nn.functional.alpha_dropout(expanded(m, seed), 0.5), 1e-6)


@BY_MKL
def test_dropout_and_its_variants() -> None:
    for name, shape in (("dropout1d", (3, 4, 5)), ("dropout2d", (3, 4, 5, 2)),
                        ("dropout3d", (3, 4, 5, 2, 2)), ("alpha_dropout", (3, 40)),
                        ("feature_alpha_dropout", (3, 4, 5))):
        for p in (0.4, 1.0):
            compare(lambda m: getattr(m.nn.functional, name)(m.ones(shape), p, True), 1e-6)
    compare(lambda m: m.nn.functional.dropout(m.ones(5, 6).t(), 0.5))
    compare(lambda m: m.nn.functional.dropout(m.ones(1, 6, 4).expand(5, 6, 4), 0.5))
    compare(lambda m: m.nn.functional.rrelu(m.randn(30), training=True), 1e-6)


INITS: dict[str, Callable[[Any, Any], Any]] = {
    "uniform": lambda i, x: i.uniform_(x, -1, 3), "normal": lambda i, x: i.normal_(x, 0, 0.02),
    "trunc_normal": lambda i, x: i.trunc_normal_(x),
    "trunc_normal, narrow": lambda i, x: i.trunc_normal_(x, 0, 0.02, -0.03, 0.03),
    "trunc_normal, far": lambda i, x: i.trunc_normal_(x, 0, 1, 1.5, 3),
    "trunc_normal, rare": lambda i, x: i.trunc_normal_(x, 0, 1, -0.1, 0.2),
    "xavier_uniform": lambda i, x: i.xavier_uniform_(x),
    "xavier_normal": lambda i, x: i.xavier_normal_(x),
    "kaiming_uniform": lambda i, x: i.kaiming_uniform_(x),
    "kaiming_normal": lambda i, x: i.kaiming_normal_(x, nonlinearity="relu"),
    "orthogonal": lambda i, x: i.orthogonal_(x), "sparse": lambda i, x: i.sparse_(x, 0.3)}


@in_turn("fill", INITS.values())
def test_initial_values(fill: Callable[[Any, Any], Any]) -> None:
    for shape in ((3, 5), (20, 7), (7, 20), (8, 8)):
        compare(lambda m: fill(m.nn.init, m.empty(shape)), 1e-5)


LAYERS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("Linear", (30, 40), {}), ("Bilinear", (3, 4, 5), {}), ("Conv1d", (3, 4, 3), {}),
    ("Conv2d", (4, 4, 3), {"groups": 2}), ("Conv3d", (3, 4, 3), {}),
    ("ConvTranspose1d", (3, 4, 3), {}), ("ConvTranspose2d", (4, 4, 3), {"groups": 2}),
    ("ConvTranspose3d", (3, 4, 3), {}), ("Embedding", (10, 3), {"padding_idx": 2}),
    ("EmbeddingBag", (10, 3), {}), ("RNN", (3, 4, 2), {}), ("GRU", (3, 4, 2), {}),
    ("LSTM", (3, 4, 2), {"bidirectional": True}), ("RNNCell", (3, 4), {}), ("LSTMCell", (3, 4), {}),
    ("GRUCell", (3, 4), {}), ("MultiheadAttention", (8, 2), {}),
    ("MultiheadAttention", (8, 2), {"kdim": 3, "vdim": 4, "add_bias_kv": True}),
    ("TransformerEncoderLayer", (8, 2, 16), {}), ("TransformerDecoderLayer", (8, 2, 16), {}),
    ("Transformer", (8, 2, 1, 1, 16), {}),
    ("AdaptiveLogSoftmaxWithLoss", (16, 20, [5, 10]), {})]


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@in_turn("layer", LAYERS)
def test_layers_begin_with_pytorchs_weights(layer: tuple[str, Any, Any]) -> None:
    name, args, options = layer
    compare(lambda m: dict(getattr(m.nn, name)(*args, **options).state_dict()), 1e-6)


# ---------------------------------------------------------------- samplers and loaders

SAMPLERS: dict[str, Callable[[Any], Any]] = {
    "random": lambda m: m.utils.data.RandomSampler(range(23)),
    "generator": lambda m: m.utils.data.RandomSampler(
        range(23), generator=m.Generator().manual_seed(3), num_samples=46),
    "more": lambda m: m.utils.data.RandomSampler(range(23), num_samples=50),
    "replacement": lambda m: m.utils.data.RandomSampler(range(23), True, 70),
    "subset": lambda m: m.utils.data.SubsetRandomSampler(range(3, 20)),
    "weighted": lambda m: m.utils.data.WeightedRandomSampler([1.0, 2.0, 3.0] * 7, 17)}


def epochs(m: Any, loader: Any) -> Iterator[Any]:
    for _ in range(3):
        yield from (batch for (batch,) in loader)
        yield m.rand(2)


@in_turn("sampler", [None, *SAMPLERS.values()])
def test_loaders_shuffle_as_pytorchs(sampler: Callable[[Any], Any] | None) -> None:
    def load(m: Any) -> Any:
        return list(epochs(m, m.utils.data.DataLoader(
            m.utils.data.TensorDataset(m.arange(23.0)), 4, shuffle=sampler is None,
            sampler=sampler and sampler(m))))

    compare(load)


def test_a_loader_with_a_generator_and_a_split() -> None:
    compare(lambda m: list(epochs(m, m.utils.data.DataLoader(
        m.utils.data.TensorDataset(m.arange(23.0)), 4, shuffle=True,
        generator=m.Generator().manual_seed(5)))))
    compare(lambda m: [list(part.indices)
                       for part in m.utils.data.random_split(range(20), [7, 13])])


# ---------------------------------------------------------------- states


@in_turn("drawn", (0, 1, 623, 624, 625, 1000))
def test_states_are_pytorchs(drawn: int) -> None:
    for m in (tinytensor, torch):
        m.manual_seed(2**40 + 7)
        m.rand(drawn)
        m.randn(drawn % 3)
    state = torch.get_rng_state()
    assert tinytensor.get_rng_state().tolist() == state.tolist()
    tinytensor.manual_seed(0)
    tinytensor.set_rng_state(tinytensor.from_numpy(state.numpy()))
    assert tinytensor.initial_seed() == 2**40 + 7
    assert tinytensor.rand(9).tolist() == torch.rand(9).tolist()
    torch.set_rng_state(torch.from_numpy(tinytensor.get_rng_state().numpy()))
    assert tinytensor.randint(2**40, (9,)).tolist() == torch.randint(2**40, (9,)).tolist()


def test_generators_are_pickled_and_copied() -> None:
    one = tinytensor.Generator().manual_seed(8)
    tinytensor.randn(3, generator=one)
    others = pickle.loads(pickle.dumps(one)), copy.deepcopy(one)
    drawn = [tinytensor.randn(5, generator=g).tolist() for g in (one, *others)]
    assert drawn[0] == drawn[1] == drawn[2]
    assert others[0].initial_seed() == 8


def test_a_state_of_version_0_1_0_is_taken_as_a_seed() -> None:
    older = [{"seed": seed, "state": numpy.random.PCG64(seed).state} for seed in (3, 3, 4)]
    drawn = []
    for state in older:
        with pytest.warns(UserWarning, match=r"set_state: the state is of version 0\.1\.0"):
            tinytensor.set_rng_state(state)  # type: ignore[arg-type]
        drawn.append(tinytensor.rand(5).tolist())
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.skipif(loops.Numba.missing, reason="the kernels need numba")
def test_the_kernel_draws_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    assert loops.Numba.usable()
    fast, plain = Stream(5), Stream(5)
    for count in (1000, 624, 1248, 5000, 21_000, 1001):
        words = fast.words(count)
        with use_kernels(False):
            expected = plain.words(count)
        assert (words == expected).all()
        assert fast.get_state(5).tobytes() == plain.get_state(5).tobytes()


def test_a_generator_without_a_seed() -> None:
    numbers = [[library.Generator().initial_seed(), library.rand(2, generator=library.Generator())
                .tolist()] for library in (tinytensor, torch)]
    assert numbers[0] == numbers[1]


@in_turn("dtype", ["float32", "float64", "int64", "int32", "uint8", "float16"])
def test_random_up_to_the_largest_number(dtype):
    found = []
    for package in (tinytensor, torch):
        package.manual_seed(3)
        found.append(package.zeros(5, dtype=getattr(package, dtype)).random_(3, None).tolist())
    assert found[0] == found[1] and min(found[0]) >= 3


def test_a_clone_draws_the_same_numbers():
    generator = tinytensor.Generator().manual_seed(5)
    tinytensor.rand(3, generator=generator)
    clone = generator.clone_state()
    assert clone.initial_seed() == 5
    assert tinytensor.rand(4, generator=clone).equal(tinytensor.rand(4, generator=generator))
