"""Random numbers of a GPU: the generator, its distributions, and its state."""

from __future__ import annotations

import math

import numpy
import pytest

import tinytensor
from tinytensor import nn
from tinytensor.arrays import philox

F = nn.functional


def philox_4x32(seed, block):
    """One block of Philox4x32-10, number by number, as Salmon et al. 2011 write it."""
    words = [block % 2**32, block >> 32, 0, 0]
    key = [seed % 2**32, seed >> 32]
    for _ in range(10):
        first, second = words[0] * 0xD2511F53, words[2] * 0xCD9E8D57
        words = [(second >> 32) ^ words[1] ^ key[0], second % 2**32,
                 (first >> 32) ^ words[3] ^ key[1], first % 2**32]
        key = [(key[0] + 0x9E3779B9) % 2**32, (key[1] + 0xBB67AE85) % 2**32]
    return words


def test_the_words_are_those_of_the_paper():
    """The first vector is published with the authors' library, Random123."""
    assert [*map(hex, philox._words(numpy, 0, 0, 4, None))] == [
        "0x6627e8d5", "0xe169c58d", "0xbc57ac4c", "0x9b00dbd8"]
    for seed, offset in ((5, 0), (2**64 - 1, 3), (0x0123456789ABCDEF, 2**32 - 2), (1, 2**40)):
        expected = [word for block in range(offset, offset + 4)
                    for word in philox_4x32(seed, block)]
        assert philox._words(numpy, seed, offset, 15, None).tolist() == expected[:15]


def on_gpu(draw, seed=3):
    return draw("cuda", tinytensor.Generator("cuda").manual_seed(seed))


DRAWS = {
    "rand": lambda d, g: tinytensor.rand(7, device=d, generator=g),
    "rand float64": lambda d, g: tinytensor.rand(
        7, device=d, generator=g, dtype=tinytensor.float64),
    "rand float16": lambda d, g: tinytensor.rand(
        7, device=d, generator=g, dtype=tinytensor.float16),
    "randn": lambda d, g: tinytensor.randn(2, 3, device=d, generator=g),
    "randint": lambda d, g: tinytensor.randint(-3, 100, (9,), device=d, generator=g),
    "randperm": lambda d, g: tinytensor.randperm(9, device=d, generator=g),
    "normal": lambda d, g: tinytensor.normal(
        tinytensor.zeros(3, 1, device=d), tinytensor.ones(4, device=d), generator=g),
    "bernoulli": lambda d, g: tinytensor.bernoulli(
        tinytensor.full((9,), 0.4, device=d), generator=g),
    "multinomial": lambda d, g: tinytensor.multinomial(
        tinytensor.ones(2, 5, device=d), 3, generator=g),
    "multinomial, repeated": lambda d, g: tinytensor.multinomial(
        tinytensor.ones(2, 5, device=d), 7, replacement=True, generator=g),
    "poisson": lambda d, g: tinytensor.poisson(tinytensor.ones(9, device=d) * 5, generator=g),
    **{name: lambda d, g, name=name, args=args: getattr(
        tinytensor.zeros(2, 9, device=d).t(), name)(*args, generator=g)
       for name, args in {"uniform_": (-1, 2), "normal_": (1, 2), "log_normal_": (), "cauchy_": (),
                          "exponential_": (2,), "geometric_": (0.3,), "random_": (3, 9),
                          "bernoulli_": (0.3,)}.items()}}


@pytest.mark.parametrize("name", DRAWS)
def test_equal_seeds_give_equal_numbers_there(gpu, name):
    draw = DRAWS[name]
    first = on_gpu(draw)
    assert first.is_cuda and first.tolist() == on_gpu(draw).tolist() != on_gpu(draw, 4).tolist()
    generator = tinytensor.Generator("cuda").manual_seed(3)
    assert draw("cuda", generator).tolist() == first.tolist() != draw("cuda", generator).tolist()
    state = generator.get_state()
    later = draw("cuda", generator).tolist()
    draw("cuda", generator)
    generator.set_state(state)
    assert draw("cuda", generator).tolist() == later
    tinytensor.manual_seed(3)
    assert draw("cuda", None).tolist() == first.tolist()
    tinytensor.cuda.manual_seed(3)
    assert draw("cuda", None).tolist() == first.tolist()


N = 20_000  # a mean of N numbers of variance v is off by sqrt(v / N), a sixth of the tolerance


@pytest.mark.parametrize("dtype", [tinytensor.float32, tinytensor.float64, tinytensor.float16])
@pytest.mark.parametrize(("name", "args", "mean", "std", "least", "most"), [
    ("uniform_", (-1, 3), 1, 4 / 12 ** 0.5, -1, 3), ("normal_", (2, 3), 2, 3, -25, 25),
    ("exponential_", (0.5,), 2, 2, 0, 60), ("geometric_", (0.25,), 4, 12 ** 0.5, 1, 120),
    ("bernoulli_", (0.3,), 0.3, 0.21 ** 0.5, 0, 1),
    ("random_", (2, 12), 6.5, (99 / 12) ** 0.5, 2, 11)])
def test_distributions(gpu, dtype, name, args, mean, std, least, most):
    x = tinytensor.empty(N, dtype=dtype, device="cuda")
    drawn = getattr(x, name)(*args, generator=tinytensor.Generator("cuda").manual_seed(1))
    values = drawn.cpu().numpy().astype(float)
    assert abs(values.mean() - mean) < 6 * std / math.sqrt(N)
    assert abs(values.std() / std - 1) < 0.06
    assert least <= values.min() and values.max() <= most
    assert name != "uniform_" or values.max() < most
    assert abs(numpy.corrcoef(values[1:], values[:-1])[0, 1]) < 6 / math.sqrt(N)


def test_normal_numbers_have_normal_quantiles(gpu):
    for dtype in (tinytensor.float32, tinytensor.float64):
        x = tinytensor.randn(N, device="cuda", dtype=dtype,
                             generator=tinytensor.Generator("cuda").manual_seed(0)).cpu().numpy()
        for bound, below in ((-2, 0.02275), (-1, 0.15866), (0, 0.5), (1, 0.84134), (2, 0.97725)):
            assert abs((x < bound).mean() - below) < 0.02
        assert 3 < numpy.abs(x).max() < 6


def test_integers_of_every_range(gpu):
    generator = tinytensor.Generator("cuda").manual_seed(0)
    for low, high in ((0, 1), (-5, 6), (0, 2**40), (-2**63, 2**63 - 1), (-2**62, 2**62)):
        x = tinytensor.randint(low, high, (2000,), device="cuda", generator=generator)
        values = [*map(int, x.tolist())]
        assert low <= min(values) and max(values) < high
        assert high - low < 20 or max(values) - min(values) > (high - low) * 0.9
        assert high - low > 20 or {*values} == {*range(low, high)}
    assert sorted(tinytensor.randperm(100, device="cuda").tolist()) == [*range(100)]


def test_multinomial_follows_the_weights(gpu):
    weights = tinytensor.tensor([[0.0, 1.0, 3.0, 0.0], [5.0, 0.0, 0.0, 5.0]], device="cuda")
    generator = tinytensor.Generator("cuda").manual_seed(0)
    for count, replacement in ((1, False), (400, True)):
        rows = weights.repeat(400 if count == 1 else 1, 1)
        drawn = tinytensor.multinomial(rows, count, replacement, generator=generator).cpu().numpy()
        drawn = drawn.reshape(-1, 2).T if count == 1 else drawn
        assert {*drawn[0]} == {1, 2} and {*drawn[1]} == {0, 3}
        assert 0.65 < (drawn[0] == 2).mean() < 0.85 and 0.38 < (drawn[1] == 0).mean() < 0.62
    distinct = tinytensor.multinomial(weights, 2, generator=generator).tolist()
    assert [sorted(row) for row in distinct] == [[1, 2], [0, 3]]
    for wrong in ([-1.0, 2.0], [0.0, 0.0], [float("nan"), 1.0]):
        with pytest.raises(RuntimeError, match="multinomial: "):
            tinytensor.multinomial(tinytensor.tensor(wrong, device="cuda"), 1).tolist()


def test_dropout_is_drawn_on_the_gpu(gpu):
    x = tinytensor.ones(N, device="cuda", requires_grad=True)
    for drop in (F.dropout, F.alpha_dropout):
        tinytensor.manual_seed(0)
        y = drop(x, 0.25, True)
        tinytensor.manual_seed(0)
        assert y.tolist() == drop(x, 0.25, True).tolist() != drop(x, 0.25, True).tolist()
    y = F.dropout(x, 0.25)
    y.sum().backward()
    kept = (y != 0).cpu().numpy()
    assert abs(kept.mean() - 0.75) < 0.02 and x.grad.cpu().tolist() == y.tolist()
    assert y.max().item() == pytest.approx(1 / 0.75)
    assert F.dropout(x, 1.0).sum().item() == 0
    z = F.rrelu(tinytensor.linspace(-1, 1, 101, device="cuda"), 0.1, 0.3, training=True)
    assert z[50:].tolist() == tinytensor.linspace(-1, 1, 101)[50:].tolist()
    assert all(0.1 <= a <= 0.3 for a in (z[:50] / tinytensor.linspace(
        -1, 1, 101, device="cuda")[:50]).tolist())
    soft = F.gumbel_softmax(tinytensor.zeros(50, 4, device="cuda"))
    assert soft.is_cuda and soft.sum(1).cpu().tolist() == pytest.approx([1] * 50, rel=1e-5)


def test_the_state_is_saved_with_those_of_other_devices(gpu):
    tinytensor.manual_seed(1)
    tinytensor.rand(3, device="cuda")
    state = tinytensor.cuda.get_rng_state()
    assert state.dtype is tinytensor.uint8 and tuple(state.shape) == (16,) and not state.is_cuda
    streams = tinytensor.random.streams()
    saved = streams.state_dict()
    after = tinytensor.rand(3, device="cuda").tolist()
    streams.load_state_dict(saved)
    assert tinytensor.rand(3, device="cuda").tolist() == after
    tinytensor.cuda.set_rng_state(state)
    assert tinytensor.rand(3, device="cuda").tolist() == after
    tinytensor.cuda.set_rng_state_all(tinytensor.cuda.get_rng_state_all())
    for wrong in (state[:3], state.float(), tinytensor.Generator().get_state()):
        with pytest.raises(ValueError, match="not a state of a Generator"):
            tinytensor.cuda.set_rng_state(wrong)
    with tinytensor.random.fork_rng():
        tinytensor.rand(3, device="cuda")
    tinytensor.cuda.set_rng_state(state)
    assert tinytensor.rand(3, device="cuda").tolist() == after


def test_initial_weights_are_those_of_the_cpu(gpu):
    tinytensor.manual_seed(0)
    here = nn.Linear(3, 4).weight
    tinytensor.manual_seed(0)
    there = nn.Linear(3, 4, device="cuda").weight
    assert there.is_cuda and there.tolist() == here.tolist()


def test_kernels_draw_the_numbers_of_the_reference(gpu, kernels):
    """On the CPU their text runs as it is compiled for it."""
    base, xp = gpu.asarray(numpy.array(5)), tinytensor.arrays.devices.gpu_module()
    for count in (0, 1, 3, 4, 7, 1030):
        for seed, offset in ((0, 0), (2**64 - 3, 2**32 - 2), (7, 2**40)):
            for part, *rest in ((philox.words,), (philox.less, 2**31), (philox.uniform, False),
                                (philox.uniform, True), (philox.normal, False),
                                (philox.normal, True)):
                for begin in (None, base):
                    drawn = part(xp, seed, offset, count, *rest, begin)
                    start = offset if begin is None else offset + 5
                    expected = part.reference(numpy, seed, start, count, *rest, None)
                    assert drawn.dtype == expected.dtype and drawn.shape == expected.shape
                    numpy.testing.assert_allclose(drawn.get(), expected, 2e-5, 1e-6)


@pytest.mark.cuda
def test_a_graph_draws_other_numbers_in_each_replay():
    """Those that it would draw without a graph."""
    cuda = tinytensor.cuda
    if not cuda.is_available():
        pytest.skip("no GPU")
    x = tinytensor.ones(50, device="cuda")
    labels = tinytensor.zeros(2, device="cuda").long()

    def work():
        return F.dropout(x, 0.5) + tinytensor.rand(50, device="cuda"), labels.new_zeros(
            3).index_add(0, labels, labels + 1)

    work()
    tinytensor.manual_seed(3)
    expected = [work()[0].tolist() for _ in range(3)]
    tinytensor.manual_seed(3)
    graph = cuda.CUDAGraph()
    with cuda.graph(graph):
        y, _ = work()
    for values in expected:
        graph.replay()
        assert y.tolist() == values
    after = tinytensor.rand(3, device="cuda").tolist()
    tinytensor.manual_seed(3)
    for _ in expected:
        work()
    assert after == tinytensor.rand(3, device="cuda").tolist()
    labels.fill_(7)
    graph.replay()
    with pytest.raises(IndexError, match="index_add: position 7"):
        y.tolist()
