"""Distributions against PyTorch's: values, gradients, shapes, errors, and moments of samples."""

from __future__ import annotations

import math
from typing import Any

import numpy
import pytest
import torch
from operations import in_turn

import tinytensor

RNG = numpy.random.default_rng(3)
PROBS = RNG.uniform(0.05, 0.95, (3, 4))
LOGITS = RNG.normal(size=(3, 4)) * 2
TIMES = numpy.random.default_rng(4).exponential(size=(2, 3, 4))
COUNTS = numpy.floor(3 * TIMES)
HOT = numpy.eye(4)[[0, 3, 1]]

CONTINUOUS = ("Normal", "Uniform", "Laplace", "Cauchy", "Gumbel", "LogNormal", "Exponential",
              "HalfNormal")

# name, parameters, values
CASES: list[tuple[str, dict[str, Any], Any]] = [
    ("Normal", {"loc": RNG.normal(size=(3, 4)), "scale": PROBS}, RNG.normal(size=(2, 3, 4))),
    ("Normal", {"loc": RNG.normal(size=(3, 1)), "scale": PROBS[0]}, RNG.normal(size=(3, 4))),
    ("Normal", {"loc": numpy.float64(0.5), "scale": numpy.float64(2.0)}, RNG.normal(size=(5,))),
    ("Uniform", {"low": -PROBS, "high": 1 + PROBS}, RNG.uniform(0.0, 1.0, size=(2, 3, 4))),
    ("Uniform", {"low": numpy.float64(-1.0), "high": PROBS}, PROBS - 0.5),
    ("MultivariateNormal", {"loc": LOGITS, "scale_tril": numpy.tril(LOGITS.T @ LOGITS * 0.1
                            - numpy.eye(4)) + 3 * numpy.eye(4)}, RNG.normal(size=(2, 3, 4))),
    ("MultivariateNormal", {"loc": LOGITS[0], "covariance_matrix": LOGITS.T @ LOGITS
                            + numpy.eye(4)}, RNG.normal(size=(3, 4))),
    ("MultivariateNormal", {"loc": LOGITS[0], "precision_matrix": LOGITS.T @ LOGITS
                            + numpy.eye(4)}, RNG.normal(size=(3, 4))),
    ("Bernoulli", {"probs": PROBS}, (PROBS > 0.4).astype(float)),
    ("Bernoulli", {"logits": LOGITS}, (PROBS > 0.4).astype(float)),
    ("Bernoulli", {"probs": numpy.array([0.0, 0.5, 1.0])}, numpy.array([0.0, 1.0, 1.0])),
    ("Categorical", {"probs": PROBS}, numpy.array([[0, 3, 1], [2, 2, 0]])),
    ("Categorical", {"logits": LOGITS}, numpy.array([[0, 3, 1], [2, 2, 0]])),
    ("Categorical", {"logits": LOGITS[0]}, numpy.array([0, 3, 1])),
    ("Categorical", {"probs": numpy.array([0.0, 2.0, 2.0])}, numpy.array(1)),
    *[(name, {"loc": LOGITS[:, :1], "scale": PROBS[0]},
      LOGITS[:, :1] + PROBS[0] * (4 * PROBS - 1))
      for name in ("Laplace", "Cauchy", "Gumbel")],
    *[(name, {"loc": numpy.float64(0.5), "scale": 2 * PROBS}, numpy.array(0.5) + TIMES)
      for name in ("Laplace", "Cauchy", "Gumbel", "LogNormal")],
    ("LogNormal", {"loc": LOGITS[:, :1], "scale": PROBS[0]}, TIMES[0]),
    ("Exponential", {"rate": 2 * PROBS}, TIMES),
    ("Exponential", {"rate": numpy.float64(0.5)}, numpy.array([0.0, 0.5, 30.0])),
    ("HalfNormal", {"scale": 2 * PROBS}, TIMES),
    ("HalfNormal", {"scale": PROBS[:, :1]}, numpy.append(0.0, TIMES[0, 0])),
    ("Geometric", {"probs": PROBS}, COUNTS),
    ("Geometric", {"logits": LOGITS[:, :1]}, COUNTS),
    ("Geometric", {"probs": numpy.array([0.25, 1.0])}, numpy.array([3.0, 0.0])),
    ("OneHotCategorical", {"probs": PROBS}, HOT),
    ("OneHotCategorical", {"logits": LOGITS}, HOT),
    ("OneHotCategorical", {"logits": LOGITS[0]}, HOT),
    ("OneHotCategorical", {"probs": numpy.array([0.0, 2.0, 2.0])}, numpy.array([0.0, 1.0, 0.0])),
]
cases = pytest.mark.parametrize(("name", "parameters", "values"), CASES,
                                ids=[f"{n}-{'-'.join(p)}" for n, p, _ in CASES])


def made(library: Any, name: str, parameters: dict[str, Any], dtype: str = "float64",
         **options: Any) -> Any:
    tensors = {k: library.tensor(v, dtype=getattr(library, dtype)).requires_grad_()
               for k, v in parameters.items()}
    return getattr(library.distributions, name)(**tensors, **options), tensors


def close(mine: Any, theirs: Any) -> None:
    assert tuple(mine.shape) == tuple(theirs.shape)
    assert str(mine.dtype).split(".")[1] == str(theirs.dtype).split(".")[1]
    rtol, atol = (1e-4, 1e-5) if theirs.dtype is torch.float32 else (1e-10, 1e-12)
    numpy.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), rtol, atol)


def close_with_gradients(mine: Any, theirs: Any, a: Any, b: Any) -> None:
    close(mine, theirs)
    if theirs.requires_grad:
        weights = numpy.random.default_rng(0).normal(size=tuple(theirs.shape))
        weights = weights.astype(str(theirs.dtype).removeprefix("torch."))
        inputs, reference = list(a.values()), list(b.values())
        options = {"retain_graph": True, "materialize_grads": True}  # entropy has no loc
        got = tinytensor.autograd.grad(mine, inputs, tinytensor.tensor(weights), **options)
        want = torch.autograd.grad(theirs, reference, torch.tensor(weights), **options)
        for g, w in zip(got, want, strict=True):
            close(g, w)


@cases
@in_turn("dtype", ["float64", "float32"])
def test_follows_pytorch(name: str, parameters: Any, values: Any, dtype: str) -> None:
    (mine, a), (theirs, b) = (made(library, name, parameters, dtype)
                              for library in (tinytensor, torch))
    assert mine.batch_shape == tuple(theirs.batch_shape)
    assert mine.event_shape == tuple(theirs.event_shape)
    assert (mine.has_rsample, mine.has_enumerate_support) == (
        theirs.has_rsample, theirs.has_enumerate_support)
    if values.dtype == numpy.float64:
        values = values.astype(dtype)
    close_with_gradients(mine.log_prob(tinytensor.tensor(values)),
                         theirs.log_prob(torch.tensor(values)), a, b)
    for attribute in ("mean", "variance", "stddev", "mode"):
        close_with_gradients(getattr(mine, attribute), getattr(theirs, attribute), a, b)
    for attribute in parameters:
        close(getattr(mine, attribute), getattr(theirs, attribute))
    close_with_gradients(mine.entropy(), theirs.entropy(), a, b)
    close(mine.perplexity(), theirs.perplexity())
    if name in CONTINUOUS:
        close_with_gradients(mine.cdf(tinytensor.tensor(values)),
                             theirs.cdf(torch.tensor(values)), a, b)
        quantiles = numpy.linspace(0.1, 0.9, values.size, dtype=dtype).reshape(values.shape)
        close_with_gradients(mine.icdf(tinytensor.tensor(quantiles)),
                             theirs.icdf(torch.tensor(quantiles)), a, b)
    else:
        for distribution, library in ((mine, tinytensor), (theirs, torch)):
            for function in (distribution.cdf, distribution.icdf):
                with pytest.raises(NotImplementedError):
                    function(library.tensor(values))
    if hasattr(theirs, "probs"):
        close_with_gradients(mine.probs, theirs.probs, a, b)
        close_with_gradients(mine.logits, theirs.logits, a, b)
    if hasattr(theirs, "param_shape"):
        assert mine.param_shape == tuple(theirs.param_shape)
    if mine.has_enumerate_support:
        for expand in (True, False):
            close(mine.enumerate_support(expand), theirs.enumerate_support(expand))


@cases
def test_expand(name: str, parameters: Any, values: Any) -> None:
    mine, theirs = made(tinytensor, name, parameters)[0], made(torch, name, parameters)[0]
    shape = (5, *theirs.batch_shape)
    mine, theirs = mine.expand(shape), theirs.expand(shape)
    assert mine.batch_shape == tuple(theirs.batch_shape)
    close(mine.entropy(), theirs.entropy())
    assert mine.sample().shape == tuple(theirs.sample().shape)


@cases
@in_turn("shape", [(), (2,), (0,), (3, 2)])
def test_shapes_of_samples(name: str, parameters: Any, values: Any, shape: Any) -> None:
    mine, theirs = made(tinytensor, name, parameters)[0], made(torch, name, parameters)[0]
    if shape == (0,) and name.endswith("Categorical"):  # multinomial draws at least one sample
        for distribution in (mine, theirs):
            with pytest.raises(RuntimeError):
                distribution.sample(shape)
        return
    drawn, reference = mine.sample(shape), theirs.sample(shape)
    assert drawn.shape == tuple(reference.shape) and not drawn.requires_grad
    assert drawn.dtype.name == str(reference.dtype).removeprefix("torch.")
    mine.log_prob(drawn)


def test_samples_have_the_distribution() -> None:
    """The means of many samples are within five standard errors of the exact ones."""
    tinytensor.manual_seed(1)
    n, probs = 20_000, numpy.array([0.1, 0.2, 0.7])
    drawn = tinytensor.distributions.Normal(2.0, 3.0).sample((n,)).numpy()
    assert abs(drawn.mean() - 2) < 5 * 3 / math.sqrt(n)
    assert abs(drawn.std() - 3) < 5 * 3 / math.sqrt(2 * n)
    tolerance = 5 * numpy.sqrt(probs * (1 - probs) / n)
    drawn = tinytensor.distributions.Bernoulli(tinytensor.tensor(probs)).sample((n,)).numpy()
    assert (abs(drawn.mean(0) - probs) < tolerance).all()
    drawn = tinytensor.distributions.Categorical(tinytensor.tensor(probs)).sample((n,)).numpy()
    assert (abs(numpy.bincount(drawn, minlength=3) / n - probs) < tolerance).all()


@cases
def test_moments_and_quantiles_of_samples(name: str, parameters: Any, values: Any) -> None:
    """Means and variances are within five standard errors of the exact ones. cdf(samples) is
    uniform by Kolmogorov's test, at a level of 10⁻⁵."""
    tinytensor.manual_seed(2)
    n, distribution = 20_000, made(tinytensor, name, parameters)[0]
    for draw in (distribution.sample, *[distribution.rsample] * distribution.has_rsample):
        drawn = draw((n,)).detach()
        if name in CONTINUOUS:
            ranks = numpy.sort(distribution.cdf(drawn).detach().numpy(), 0).reshape(n, -1)
            assert abs(ranks - (numpy.arange(n)[:, None] + 0.5) / n).max() < 2.5 / math.sqrt(n)
        mean, variance = (x.detach().numpy() for x in (distribution.mean, distribution.variance))
        if name not in ("Categorical", "Cauchy", "LogNormal"):  # NaN, no moments, heavy tails
            squares = (drawn.numpy() - mean) ** 2
            assert (abs(drawn.numpy().mean(0) - mean) <= 5 * numpy.sqrt(variance / n)).all()
            assert (abs(squares.mean(0) - variance) <= 5 * squares.std(0) / math.sqrt(n)
                    + 1e-12).all()


def test_seed_decides_samples() -> None:
    distribution = tinytensor.distributions.Categorical(tinytensor.tensor(PROBS))
    tinytensor.manual_seed(7)
    first = distribution.sample((50,)).tolist()
    assert distribution.sample((50,)).tolist() != first
    tinytensor.manual_seed(7)
    assert distribution.sample((50,)).tolist() == first


def test_rows_of_a_batch_are_not_mixed_up() -> None:
    probs = tinytensor.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    drawn = tinytensor.distributions.Categorical(probs).sample((4,))
    assert drawn.tolist() == [[0, 2]] * 4


def test_rsample_carries_gradients() -> None:
    """The derivative of a sample by loc is 1, and by scale it is (sample - loc) / scale."""
    loc = tinytensor.tensor([1.0, -2.0], dtype=tinytensor.float64).requires_grad_()
    scale = tinytensor.tensor([0.5, 3.0], dtype=tinytensor.float64).requires_grad_()
    drawn = tinytensor.distributions.Normal(loc, scale).rsample()
    drawn.sum().backward()
    assert loc.grad.tolist() == [1.0, 1.0]
    noise = (drawn.detach() - loc.detach()) / scale.detach()
    numpy.testing.assert_allclose(scale.grad.numpy(), noise.numpy(), rtol=1e-12)
    for other in (tinytensor.distributions.Bernoulli(0.5),
                  tinytensor.distributions.Geometric(0.5),
                  tinytensor.distributions.OneHotCategorical(tinytensor.ones(2)),
                  tinytensor.distributions.Categorical(tinytensor.ones(2))):
        with pytest.raises(NotImplementedError, match="log_prob"):
            other.rsample()


@pytest.mark.parametrize(("name", "given", "expected"), [
    *[(name, {"loc": -2.0, "scale": 0.5}, lambda x: (1, (x + 2) / 0.5))
      for name in ("Normal", "Laplace", "Cauchy", "Gumbel")],
    ("LogNormal", {"loc": -2.0, "scale": 0.5}, lambda x: (x, x * (x.log() + 2) / 0.5)),
    ("HalfNormal", {"scale": 3.0}, lambda x: (x / 3,)),
    ("Exponential", {"rate": 3.0}, lambda x: (-x / 3,)),
    ("Uniform", {"low": -2.0, "high": 2.0}, lambda x: ((2 - x) / 4, (x + 2) / 4))])
@in_turn("dtype", ["float64", "float32"])
def test_gradients_of_rsample(name: str, given: Any, expected: Any, dtype: str) -> None:
    tinytensor.manual_seed(3)
    distribution, inputs = made(tinytensor, name, given, dtype)
    drawn = distribution.expand((5,)).rsample((3,))
    assert drawn.dtype is getattr(tinytensor, dtype)
    found = tinytensor.autograd.grad(drawn.sum(), list(inputs.values()))
    for gradient, each in zip(found, expected(drawn.detach()), strict=True):
        want = (each * tinytensor.ones(3, 5)).sum().item()
        tolerance = 1e-9 if dtype == "float64" else 1e-4
        assert gradient.item() == pytest.approx(want, rel=tolerance, abs=tolerance)


@pytest.mark.parametrize(("name", "p", "q"), [
    ("Normal", {"loc": LOGITS, "scale": PROBS}, {"loc": PROBS, "scale": PROBS[0]}),
    ("Bernoulli", {"probs": PROBS}, {"logits": LOGITS}),
    ("Bernoulli", {"probs": numpy.array([0.0, 0.0, 1.0, 1.0, 0.5, 0.5])},
     {"probs": numpy.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0])}),
    ("Categorical", {"probs": PROBS}, {"logits": LOGITS}),
    ("Categorical", {"probs": PROBS}, {"logits": LOGITS[0]}),
    ("Categorical", {"probs": numpy.array([[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]])},
     {"probs": numpy.array([0.0, 1.0, 0.0])}),
    *[(name, {"loc": LOGITS, "scale": PROBS}, {"loc": LOGITS[0], "scale": 2 * PROBS[:, :1]})
      for name in ("Laplace", "Cauchy", "LogNormal")],
    ("HalfNormal", {"scale": PROBS}, {"scale": PROBS[0]}),
    ("Exponential", {"rate": PROBS}, {"rate": PROBS[:, :1]}),
    ("Geometric", {"logits": LOGITS}, {"logits": LOGITS[0]}),
    ("Geometric", {"logits": LOGITS}, {"probs": PROBS}),
    ("OneHotCategorical", {"probs": PROBS}, {"logits": LOGITS[0]}),
    ("OneHotCategorical", {"probs": numpy.array([[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]])},
     {"probs": numpy.array([0.0, 1.0, 0.0])}),
])
@in_turn("dtype", ["float64", "float32"])
def test_kl_divergence(name: str, p: Any, q: Any, dtype: str) -> None:
    results, inputs = [], []
    for library in (tinytensor, torch):
        (first, a), (second, b) = made(library, name, p, dtype), made(library, name, q, dtype)
        results.append(library.distributions.kl_divergence(first, second))
        inputs.append({**a, **{f"q_{k}": v for k, v in b.items()}})
    if numpy.isfinite(results[1].detach().numpy()).all():
        close_with_gradients(*results, *inputs)
    else:
        close(*results)


def test_kl_divergence_of_other_types() -> None:
    distributions = tinytensor.distributions
    p, q = distributions.Normal(0.0, 1.0), distributions.Bernoulli(0.5)
    with pytest.raises(NotImplementedError, match=r"\(Normal, Bernoulli\)"):
        distributions.kl_divergence(p, q)

    class Shifted(distributions.Normal):
        pass

    assert distributions.kl_divergence(Shifted(1.0, 1.0), p).item() == pytest.approx(0.5)

    @distributions.register_kl(Shifted, distributions.Normal)
    def rule(p: Any, q: Any) -> Any:
        return "own rule"

    try:
        assert distributions.kl_divergence(Shifted(1.0, 1.0), p) == "own rule"
        assert distributions.kl_divergence(p, p).item() == 0
    finally:
        del distributions.kl.RULES[Shifted, distributions.Normal]


MISUSE = [
    lambda lib: lib.distributions.Normal(0.0, -1.0),
    lambda lib: lib.distributions.Normal(0.0, 0.0),
    lambda lib: lib.distributions.Normal(math.nan, 1.0),
    lambda lib: lib.distributions.Normal("0", 1.0),
    lambda lib: lib.distributions.Bernoulli(),
    lambda lib: lib.distributions.Bernoulli(0.5, 0.5),
    lambda lib: lib.distributions.Bernoulli(1.5),
    lambda lib: lib.distributions.Bernoulli(logits=lib.tensor([0.0, math.nan])),
    lambda lib: lib.distributions.Categorical(),
    lambda lib: lib.distributions.Categorical(lib.tensor(0.5)),
    lambda lib: lib.distributions.Categorical(logits=lib.tensor(0.5)),
    lambda lib: lib.distributions.Categorical(lib.tensor([-0.5, 1.0])),
    lambda lib: lib.distributions.Categorical(lib.tensor([0.0, 0.0])),
    lambda lib: lib.distributions.Bernoulli(0.5).log_prob(lib.tensor(0.5)),
    lambda lib: lib.distributions.Bernoulli(0.5).log_prob(1.0),
    lambda lib: lib.distributions.Categorical(lib.ones(3)).log_prob(lib.tensor(3)),
    lambda lib: lib.distributions.Categorical(lib.ones(3)).log_prob(lib.tensor(-1)),
    lambda lib: lib.distributions.Normal(lib.zeros(3), 1.0).log_prob(lib.zeros(2)),
    lambda lib: lib.distributions.Normal(0.0, 1.0).log_prob(lib.tensor(math.nan)),
    lambda lib: lib.distributions.Distribution.set_default_validate_args("yes"),
    lambda lib: lib.distributions.Laplace(0.0, 0.0),
    lambda lib: lib.distributions.Cauchy(math.nan, 1.0),
    lambda lib: lib.distributions.Gumbel(0.0, -1.0),
    lambda lib: lib.distributions.LogNormal(0.0, -1.0),
    lambda lib: lib.distributions.HalfNormal(0.0),
    lambda lib: lib.distributions.Exponential(0.0),
    lambda lib: lib.distributions.Exponential("1"),
    lambda lib: lib.distributions.Geometric(),
    lambda lib: lib.distributions.Geometric(0.5, 0.5),
    lambda lib: lib.distributions.Geometric(0.0),
    lambda lib: lib.distributions.Geometric(1.5),
    lambda lib: lib.distributions.OneHotCategorical(),
    lambda lib: lib.distributions.OneHotCategorical(lib.tensor([-0.5, 1.0])),
    lambda lib: lib.distributions.Laplace(0.0, 1.0).log_prob(lib.tensor(math.nan)),
    lambda lib: lib.distributions.Cauchy(lib.zeros(3), 1.0).cdf(lib.zeros(2)),
    lambda lib: lib.distributions.LogNormal(0.0, 1.0).log_prob(lib.tensor(0.0)),
    lambda lib: lib.distributions.LogNormal(0.0, 1.0).cdf(lib.tensor(-1.0)),
    lambda lib: lib.distributions.HalfNormal(1.0).log_prob(lib.tensor(-1.0)),
    lambda lib: lib.distributions.HalfNormal(1.0).cdf(lib.tensor(-1.0)),
    lambda lib: lib.distributions.Exponential(1.0).log_prob(lib.tensor(-1.0)),
    lambda lib: lib.distributions.Exponential(1.0).cdf(lib.tensor(-1.0)),
    lambda lib: lib.distributions.Geometric(0.5).log_prob(lib.tensor(0.5)),
    lambda lib: lib.distributions.Geometric(0.5).log_prob(lib.tensor(-1.0)),
    lambda lib: lib.distributions.OneHotCategorical(lib.ones(2)).log_prob(lib.ones(2)),
]


@pytest.mark.parametrize("use", MISUSE)
def test_misuse(use: Any) -> None:
    for library in (torch, tinytensor):
        with pytest.raises(ValueError):
            use(library)


def test_validation_can_be_switched_off() -> None:
    assert math.isnan(tinytensor.distributions.Normal(math.nan, 1.0, validate_args=False).mean)
    distribution = tinytensor.distributions.Bernoulli(0.5, validate_args=False)
    assert distribution.log_prob(tinytensor.tensor(0.5)).item() == pytest.approx(math.log(0.5))
    default = tinytensor.distributions.Distribution._validate_args
    tinytensor.distributions.Distribution.set_default_validate_args(False)
    try:
        tinytensor.distributions.Bernoulli(1.5)
    finally:
        tinytensor.distributions.Distribution.set_default_validate_args(default)
    with pytest.raises(ValueError, match=r"Bernoulli: probs must be in \[0, 1\]"):
        tinytensor.distributions.Bernoulli(1.5)


def test_unchecked_values_without_density_are_impossible() -> None:
    for library in (tinytensor, torch):
        half = library.distributions.HalfNormal(1.0, validate_args=False)
        assert half.log_prob(library.tensor(-1.0)).item() == -math.inf


def test_cdf_at_the_end_of_the_support() -> None:
    for library in (tinytensor, torch):
        assert library.distributions.LogNormal(0.0, 1.0).cdf(library.tensor(0.0)).item() == 0
    far = tinytensor.distributions.Gumbel(0.0, 1.0)
    assert far.cdf(tinytensor.tensor([-1e3, 1e3])).tolist() == [0, 1]


def test_small_probabilities_keep_their_digits() -> None:
    tiny = tinytensor.tensor(1e-12)
    for distribution, expected in ((tinytensor.distributions.Exponential(2.0), 2e-12),
                                   (tinytensor.distributions.HalfNormal(1.0),
                                    1e-12 * math.sqrt(2 / math.pi))):
        assert distribution.cdf(tiny).item() == pytest.approx(expected, rel=1e-6)


def test_numbers_have_the_default_dtype() -> None:
    distributions = tinytensor.distributions
    assert distributions.Normal(0, 1).sample().dtype is tinytensor.float32
    mixed = distributions.Normal(tinytensor.zeros(2, dtype=tinytensor.float64), 1)
    assert mixed.rsample().dtype is tinytensor.float64
    assert distributions.Normal(0.0, 1.0).log_prob(tinytensor.tensor(0.0)).dtype \
        is tinytensor.float32


def test_policy_gradient_finds_the_better_arm() -> None:
    """REINFORCE, the most common use of Categorical: the loss is -log_prob times the reward."""
    tinytensor.manual_seed(0)
    logits = tinytensor.zeros(3).requires_grad_()
    optimizer = tinytensor.optim.SGD([logits], lr=0.5)
    for _ in range(100):
        policy = tinytensor.distributions.Categorical(logits=logits)
        action = policy.sample((16,))
        reward = (action == 2).float()
        loss = -(policy.log_prob(action) * (reward - reward.mean())).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert policy.probs[2].item() > 0.9


def test_repr() -> None:
    distribution = tinytensor.distributions.Normal(tinytensor.zeros(3), 1.0)
    assert repr(distribution) == \
        "Normal(loc: tinytensor.Size([3]), scale: tinytensor.Size([3]))"


def test_on_gpu(gpu: Any) -> None:
    tinytensor.manual_seed(0)
    probs = tinytensor.tensor(PROBS, device="cuda")
    categorical = tinytensor.distributions.Categorical(probs)
    drawn = categorical.sample((2,))
    assert drawn.is_cuda and categorical.log_prob(drawn).is_cuda and categorical.entropy().is_cuda
    bernoulli = tinytensor.distributions.Bernoulli(probs)
    assert bernoulli.log_prob(bernoulli.sample()).is_cuda
    normal = tinytensor.distributions.Normal(probs, 1.0)
    assert normal.rsample((2,)).is_cuda and normal.log_prob(normal.sample()).is_cuda
    for other in (*[getattr(tinytensor.distributions, name)(probs, 1.0)
                    for name in ("Laplace", "Cauchy", "Gumbel", "LogNormal")],
                  tinytensor.distributions.Exponential(probs),
                  tinytensor.distributions.HalfNormal(probs),
                  tinytensor.distributions.Geometric(probs),
                  tinytensor.distributions.OneHotCategorical(probs)):
        assert other.log_prob(other.sample((2,))).is_cuda and other.mean.is_cuda
    assert tinytensor.distributions.kl_divergence(categorical, categorical).is_cuda
    reference = torch.distributions.Categorical(torch.tensor(PROBS)).entropy().numpy()
    numpy.testing.assert_allclose(categorical.entropy().cpu().numpy(), reference, rtol=1e-12)


def test_independent_values_as_one() -> None:
    values = RNG.normal(size=(5, 3, 4))
    found = []
    for lib in (tinytensor, torch):
        d = lib.distributions
        base = d.Normal(lib.tensor(LOGITS), lib.tensor(PROBS))
        joint = d.Independent(base, 1)
        other = d.Independent(d.Normal(lib.tensor(PROBS), lib.tensor(PROBS + 1)), 1)
        assert joint.batch_shape == (3,) and joint.event_shape == (4,) and joint.has_rsample
        assert joint.sample((2,)).shape == joint.rsample((2,)).shape == (2, 3, 4)
        assert joint.expand((2, 3)).batch_shape == (2, 3)
        found.append([joint.log_prob(lib.tensor(values)), joint.entropy(), joint.mean, joint.mode,
                      joint.variance, d.kl_divergence(joint, other),
                      d.Independent(base, 0).log_prob(lib.tensor(values))])
        with pytest.raises(ValueError, match="reinterpreted_batch_ndims"):
            d.Independent(base, 3)
        with pytest.raises(NotImplementedError):
            d.kl_divergence(joint, d.Independent(base, 2))
    for mine, theirs in zip(*found, strict=True):
        close(mine, theirs)
    assert repr(joint).startswith("Independent(Normal(")


def test_a_covariance_is_what_was_given() -> None:
    covariance = LOGITS.T @ LOGITS + numpy.eye(4)
    d = tinytensor.distributions.MultivariateNormal(
        tinytensor.zeros(4, dtype=tinytensor.float64),
        precision_matrix=tinytensor.tensor(numpy.linalg.inv(covariance)))
    numpy.testing.assert_allclose(d.covariance_matrix.numpy(), covariance, rtol=1e-9)
    numpy.testing.assert_allclose(d.precision_matrix.numpy(), numpy.linalg.inv(covariance),
                                  rtol=1e-8, atol=1e-12)
    tinytensor.manual_seed(0)
    drawn = numpy.cov(d.sample((20000,)).numpy().T)
    numpy.testing.assert_allclose(drawn, covariance, atol=0.06 * numpy.diag(covariance).max())


@pytest.mark.parametrize(("make", "message"), [
    (lambda d, x: d.Uniform(x, x), "low must be less than high|invalid"),
    (lambda d, x: d.MultivariateNormal(x), "Exactly one of covariance_matrix"),
    (lambda d, x: d.Uniform(x - 1, x).log_prob(x + 1), "between low and high|support")])
def test_misuse_of_the_newer_ones(make: Any, message: str) -> None:
    for lib in (tinytensor, torch):
        with pytest.raises(ValueError, match=message):
            make(lib.distributions, lib.ones(2))
    with pytest.raises(ValueError, match=r"they must be \(\*, D\) and \(\*, D, D\)"):
        tinytensor.distributions.MultivariateNormal(
            tinytensor.ones(3), scale_tril=tinytensor.ones(2, 2))


MULTINOMIALS = [{"probs": PROBS}, {"logits": LOGITS}, {"probs": numpy.array([0.0, 2.0, 2.0])}]


@pytest.mark.parametrize("parameters", MULTINOMIALS, ids=["probs", "logits", "one of them 0"])
def test_multinomial_follows_pytorch(parameters: Any) -> None:
    (mine, a), (theirs, b) = (made(library, "Multinomial", parameters, total_count=5)
                              for library in (tinytensor, torch))
    assert mine.batch_shape == tuple(theirs.batch_shape)
    assert mine.event_shape == tuple(theirs.event_shape)
    drawn = theirs.sample((2,))
    close_with_gradients(mine.log_prob(tinytensor.tensor(drawn.numpy())), theirs.log_prob(drawn),
                         a, b)
    for attribute in ("mean", "variance", "stddev", "probs", "logits"):
        close(getattr(mine, attribute), getattr(theirs, attribute))
    # PyTorch computes log 5! in float32 for every dtype.
    entropy, expected = mine.entropy(), theirs.entropy()
    numpy.testing.assert_allclose(entropy.detach().numpy(), expected.detach().numpy(), atol=1e-6)
    got = tinytensor.autograd.grad(entropy.sum(), list(a.values()))
    want = torch.autograd.grad(expected.sum(), list(b.values()))
    numpy.testing.assert_allclose(got[0].numpy(), want[0].numpy(), rtol=1e-6, atol=1e-12)
    wide = (2, *mine.batch_shape)
    assert mine.expand(wide).log_prob(tinytensor.tensor(drawn.numpy())).shape == wide


def test_draws_of_multinomial() -> None:
    tinytensor.manual_seed(0)
    distribution = tinytensor.distributions.Multinomial(6, tinytensor.tensor(PROBS))
    drawn = distribution.sample((4000,))
    assert tuple(drawn.shape) == (4000, 3, 4) and drawn.dtype is tinytensor.float64
    assert (drawn.sum(-1) == 6).all()
    numpy.testing.assert_allclose(drawn.mean(0).numpy(), distribution.mean.numpy(), atol=0.1)
    numpy.testing.assert_allclose(drawn.var(0).numpy(), distribution.variance.numpy(), atol=0.12)


@pytest.mark.parametrize(("wrong", "kind", "said"), [
    (lambda m: m(2.5, tinytensor.ones(3)), NotImplementedError, "it must be an int, got float"),
    (lambda m: m(3), ValueError, "Either `probs` or `logits`"),
    (lambda m: m(3, tinytensor.ones(3)).log_prob(tinytensor.tensor([1.0, 1.0, 2.0])), ValueError,
     "add up to at most 3"),
    (lambda m: m(3, tinytensor.ones(3)).log_prob(tinytensor.tensor([1.5, 1.0, 0.5])), ValueError,
     "whole numbers"),
    (lambda m: m(0, tinytensor.ones(3)).sample(), RuntimeError, "cannot draw 0")])
def test_multinomial_refuses(wrong: Any, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        wrong(tinytensor.distributions.Multinomial)
