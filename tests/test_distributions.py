"""Distributions against PyTorch's: values, gradients, shapes, errors; draws by their moments."""

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
]
cases = pytest.mark.parametrize(("name", "parameters", "values"), CASES,
                                ids=[f"{n}-{'-'.join(p)}" for n, p, _ in CASES])


def made(library: Any, name: str, parameters: dict[str, Any], **options: Any) -> Any:
    tensors = {k: library.tensor(v).requires_grad_() for k, v in parameters.items()}
    return getattr(library.distributions, name)(**tensors, **options), tensors


def close(mine: Any, theirs: Any) -> None:
    assert tuple(mine.shape) == tuple(theirs.shape)
    assert str(mine.dtype).split(".")[1] == str(theirs.dtype).split(".")[1]
    numpy.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), rtol=1e-10,
                                  atol=1e-12)


def close_with_gradients(mine: Any, theirs: Any, a: Any, b: Any) -> None:
    close(mine, theirs)
    if theirs.requires_grad:
        weights = numpy.random.default_rng(0).normal(size=tuple(theirs.shape))
        inputs, reference = list(a.values()), list(b.values())
        options = {"retain_graph": True, "materialize_grads": True}  # the entropy has no loc
        got = tinytensor.autograd.grad(mine, inputs, tinytensor.tensor(weights), **options)
        want = torch.autograd.grad(theirs, reference, torch.tensor(weights), **options)
        for g, w in zip(got, want, strict=True):
            close(g, w)


@cases
def test_follows_pytorch(name: str, parameters: Any, values: Any) -> None:
    (mine, a), (theirs, b) = made(tinytensor, name, parameters), made(torch, name, parameters)
    assert mine.batch_shape == tuple(theirs.batch_shape)
    assert mine.event_shape == tuple(theirs.event_shape)
    assert (mine.has_rsample, mine.has_enumerate_support) == (
        theirs.has_rsample, theirs.has_enumerate_support)
    close_with_gradients(mine.log_prob(tinytensor.tensor(values)),
                         theirs.log_prob(torch.tensor(values)), a, b)
    for attribute in ("mean", "variance", "stddev", "mode", *parameters):
        close(getattr(mine, attribute), getattr(theirs, attribute))
    close_with_gradients(mine.entropy(), theirs.entropy(), a, b)
    close(mine.perplexity(), theirs.perplexity())
    if name in ("Normal", "Uniform"):
        close(mine.cdf(tinytensor.tensor(values)), theirs.cdf(torch.tensor(values)))
        quantiles = numpy.linspace(0.1, 0.9, values.size).reshape(values.shape)
        close(mine.icdf(tinytensor.tensor(quantiles)), theirs.icdf(torch.tensor(quantiles)))
    elif name in ("Bernoulli", "Categorical"):
        close(mine.probs, theirs.probs)
        close(mine.logits, theirs.logits)
        assert mine.param_shape == tuple(theirs.param_shape)
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
    if shape == (0,) and name == "Categorical":  # multinomial draws at least one sample
        for distribution in (mine, theirs):
            with pytest.raises(RuntimeError):
                distribution.sample(shape)
        return
    drawn, reference = mine.sample(shape), theirs.sample(shape)
    assert drawn.shape == tuple(reference.shape) and not drawn.requires_grad
    assert drawn.dtype.name == str(reference.dtype).removeprefix("torch.")
    mine.log_prob(drawn)


def test_samples_have_the_distribution() -> None:
    """Means over many draws lie within five of their own standard deviations."""
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
    """d/d loc of a draw is 1, d/d scale is (draw - loc) / scale."""
    loc = tinytensor.tensor([1.0, -2.0], dtype=tinytensor.float64).requires_grad_()
    scale = tinytensor.tensor([0.5, 3.0], dtype=tinytensor.float64).requires_grad_()
    drawn = tinytensor.distributions.Normal(loc, scale).rsample()
    drawn.sum().backward()
    assert loc.grad.tolist() == [1.0, 1.0]
    noise = (drawn.detach() - loc.detach()) / scale.detach()
    numpy.testing.assert_allclose(scale.grad.numpy(), noise.numpy(), rtol=1e-12)
    for other in (tinytensor.distributions.Bernoulli(0.5),
                  tinytensor.distributions.Categorical(tinytensor.ones(2))):
        with pytest.raises(NotImplementedError, match="log_prob"):
            other.rsample()


@pytest.mark.parametrize(("name", "p", "q"), [
    ("Normal", {"loc": LOGITS, "scale": PROBS}, {"loc": PROBS, "scale": PROBS[0]}),
    ("Bernoulli", {"probs": PROBS}, {"logits": LOGITS}),
    ("Bernoulli", {"probs": numpy.array([0.0, 0.0, 1.0, 1.0, 0.5, 0.5])},
     {"probs": numpy.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0])}),
    ("Categorical", {"probs": PROBS}, {"logits": LOGITS}),
    ("Categorical", {"probs": PROBS}, {"logits": LOGITS[0]}),
    ("Categorical", {"probs": numpy.array([[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]])},
     {"probs": numpy.array([0.0, 1.0, 0.0])}),
])
def test_kl_divergence(name: str, p: Any, q: Any) -> None:
    results, inputs = [], []
    for library in (tinytensor, torch):
        (first, a), (second, b) = made(library, name, p), made(library, name, q)
        results.append(library.distributions.kl_divergence(first, second))
        inputs.append({**a, **{f"q_{k}": v for k, v in b.items()}})
    if numpy.isfinite(results[1].detach().numpy()).all() and "probs" not in q:
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


def test_numbers_have_the_default_dtype() -> None:
    distributions = tinytensor.distributions
    assert distributions.Normal(0, 1).sample().dtype is tinytensor.float32
    mixed = distributions.Normal(tinytensor.zeros(2, dtype=tinytensor.float64), 1)
    assert mixed.rsample().dtype is tinytensor.float64
    assert distributions.Normal(0.0, 1.0).log_prob(tinytensor.tensor(0.0)).dtype \
        is tinytensor.float32


def test_policy_gradient_finds_the_better_arm() -> None:
    """REINFORCE, the use that Categorical mostly has: the loss is -log_prob times the reward."""
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
    # PyTorch's has float32's log 5!, whatever the dtype is.
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
