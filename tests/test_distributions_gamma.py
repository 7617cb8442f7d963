"""Distributions that need the gamma function, transforms, mixtures, kl pairs: against PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
import torch
from operations import in_turn

import tinytensor
from tinytensor import distributions

RNG = numpy.random.default_rng(0)


def between(low: float, high: float, *shape: int) -> Any:
    return RNG.uniform(low, high, shape or (3,))


def simplex(*shape: int) -> Any:
    x = between(0.1, 1, *shape)
    return x / x.sum(-1, keepdims=True)


def _triangles() -> Any:
    lower = numpy.tril(between(-1, 1, 3, 2, 2))
    lower[:, 0, 0], lower[:, 1, 1] = between(0.5, 2), between(0.5, 2)
    return lower


def parameters() -> dict[str, tuple[Any, ...]]:
    """New parameters of each distribution, for a batch of 3."""
    located = {name: (between(-1, 1), between(0.5, 2))
               for name in ("Normal", "Laplace", "Gumbel", "Cauchy", "LogNormal")}
    return {**located, "Exponential": (between(0.5, 2),), "HalfNormal": (between(0.5, 2),),
            "Gamma": (between(0.5, 3), between(0.5, 2)), "Beta": (between(0.5, 3), between(0.5, 3)),
            "Uniform": (between(0.05, 0.3), between(0.5, 0.9)), "Poisson": (between(0.5, 5),),
            "Bernoulli": (between(0.1, 0.9),), "Geometric": (between(0.1, 0.9),),
            "Binomial": (numpy.array([5.0, 5, 5]), between(0.1, 0.9)),
            "NegativeBinomial": (numpy.array([5.0, 2, 3]), between(0.1, 0.9)),
            "Dirichlet": (between(0.5, 3, 3, 4),), "Chi2": (between(0.5, 5),),
            "StudentT": (between(4.5, 9), between(-1, 1), between(0.5, 2)),
            "FisherSnedecor": (between(2.5, 9), between(4.5, 9)),
            "InverseGamma": (between(2.5, 4), between(0.5, 2)),
            "MultivariateNormal": (between(-1, 1, 3, 2), _triangles())}


FIRST, SECOND = parameters(), parameters()
COUNTS = numpy.array([0.0, 2, 5])
VALUES: dict[str, Any] = {
    "Gamma": between(0.1, 3), "Beta": between(0.1, 0.9), "Dirichlet": simplex(3, 4),
    "Chi2": between(0.1, 5), "StudentT": between(-3, 3), "FisherSnedecor": between(0.1, 5),
    "InverseGamma": between(0.1, 5), "Poisson": COUNTS, "Binomial": COUNTS,
    "NegativeBinomial": COUNTS}


def made(m: Any, name: str, given: tuple[Any, ...]) -> Any:
    tensors = [m.tensor(x) for x in given]
    if name == "MultivariateNormal":
        return m.distributions.MultivariateNormal(tensors[0], scale_tril=tensors[1])
    return getattr(m.distributions, name)(*tensors)


def same(ours: Any, theirs: Any, tolerance: float = 1e-7) -> None:
    assert tuple(ours.shape) == tuple(theirs.shape)
    numpy.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=tolerance,
                                  atol=tolerance)


@in_turn("name", VALUES)
def test_densities_and_moments(name: str) -> None:
    ours, theirs = (made(m, name, FIRST[name]) for m in (tinytensor, torch))
    for method in ("log_prob", "cdf"):
        try:
            expected = getattr(theirs, method)(torch.tensor(VALUES[name]))
        except NotImplementedError:
            continue
        same(getattr(ours, method)(tinytensor.tensor(VALUES[name])), expected)
    for moment in ("mean", "mode", "variance", "stddev", "entropy"):
        try:
            expected = getattr(theirs, moment)
            expected = expected() if callable(expected) else expected
        except NotImplementedError:
            continue
        got = getattr(ours, moment)
        same(got() if callable(got) else got, expected)
    assert ours.has_rsample == theirs.has_rsample
    for m, one in ((tinytensor, ours), (torch, theirs)):
        assert tuple(one.sample((2,)).shape) == tuple(theirs.sample((2,)).shape)
        wide = one.expand((2, 3))
        assert tuple(wide.batch_shape) == (2, 3)
        assert tuple(wide.log_prob(m.tensor(VALUES[name])).shape) == (2, 3)


@in_turn("name", VALUES)
def test_gradients_of_log_prob(name: str) -> None:
    gradients = []
    for m in (tinytensor, torch):
        leaves = [m.tensor(x).requires_grad_() for x in FIRST[name]]
        getattr(m.distributions, name)(*leaves).log_prob(m.tensor(VALUES[name])).sum().backward()
        gradients.append([x.grad for x in leaves if x.grad is not None])
    for ours, theirs in zip(*gradients, strict=True):
        same(ours, theirs, 1e-6)


@in_turn("name", [*VALUES])
def test_samples_have_the_mean_and_variance(name: str) -> None:
    tinytensor.manual_seed(0)
    one = made(tinytensor, name, FIRST[name])
    drawn = one.sample((20_000,))
    assert ((drawn.mean(0) - one.mean).abs() < 6 * one.stddev / 20_000 ** 0.5).all()
    if name not in ("FisherSnedecor", "InverseGamma", "StudentT"):  # of heavy tails
        assert ((drawn.var(0) / one.variance - 1).abs() < 0.15).all()


def test_samples_are_differentiable() -> None:
    """Against PyTorch's approximation of the derivative, of four digits; the mean is a / rate."""
    a = tinytensor.tensor([0.3, 2.0, 20.0, 200.0]).double().requires_grad_()
    tinytensor.manual_seed(0)
    x = distributions.Gamma(a, tinytensor.ones(4).double()).rsample((2000,))
    (slope,) = tinytensor.autograd.grad(x.sum(), a, retain_graph=True)
    expected = torch._standard_gamma_grad(
        torch.tensor(a.detach().expand(2000, 4).numpy().copy()), torch.tensor(x.detach().numpy()))
    numpy.testing.assert_allclose(slope.numpy(), expected.sum(0).numpy(), rtol=1e-3)
    for one in (distributions.Beta(a, a), distributions.Dirichlet(a), distributions.StudentT(a),
                distributions.Chi2(a), distributions.InverseGamma(a, a + 3)):
        (slope,) = tinytensor.autograd.grad(one.rsample().sum(), a)
        assert slope.isfinite().all()


@in_turn("first", FIRST)
def test_divergences(first: str) -> None:
    """Every pair of which PyTorch knows a formula."""
    for second in SECOND:
        try:
            expected = torch.distributions.kl_divergence(
                made(torch, first, FIRST[first]), made(torch, second, SECOND[second]))
        except NotImplementedError:
            continue
        same(distributions.kl_divergence(made(tinytensor, first, FIRST[first]),
                                         made(tinytensor, second, SECOND[second])), expected, 1e-6)


# ---------------------------------------------------------------- transforms


TRANSFORMS: list[tuple[str, tuple[Any, ...], Any]] = [
    ("ExpTransform", (), between(-1, 1)), ("SigmoidTransform", (), between(-1, 1)),
    ("TanhTransform", (), between(-1, 1)), ("SoftplusTransform", (), between(-1, 1)),
    ("AffineTransform", (1.0, 2.0), between(-1, 1)), ("PowerTransform", (2.0,), between(0.5, 1)),
    ("AffineTransform", (1.0, -2.0, 1), between(-1, 1, 2, 3)),
    ("StickBreakingTransform", (), between(-1, 1, 2, 3)),
    ("ReshapeTransform", ((2, 3), (6,)), between(-1, 1, 4, 2, 3))]


@in_turn("name, args, value", TRANSFORMS)
def test_transforms(name: str, args: tuple[Any, ...], value: Any) -> None:
    ours, theirs = (getattr(m.distributions.transforms, name)(*args) for m in (tinytensor, torch))
    x, z = tinytensor.tensor(value), torch.tensor(value)
    y, w = ours(x), theirs(z)
    same(y, w)
    same(ours.inv(y), z)
    same(ours.log_abs_det_jacobian(x, y), theirs.log_abs_det_jacobian(z, w))
    same(ours.inv.log_abs_det_jacobian(y, x), theirs.inv.log_abs_det_jacobian(w, z))
    assert ours.inv.inv == ours and ours.bijective
    assert tuple(ours.forward_shape(x.shape)) == tuple(y.shape)
    assert tuple(ours.inverse_shape(y.shape)) == tuple(x.shape)
    assert ours.domain.check(x).all() and ours.codomain.check(y).all()


def test_transforms_of_parts() -> None:
    value = between(-1, 1, 2, 3)
    for kind, options in (("CatTransform", {"lengths": [1, 2], "dim": -1}),
                          ("StackTransform", {"dim": 0})):
        results = []
        for m in (tinytensor, torch):
            t = m.distributions.transforms
            both = getattr(t, kind)([t.ExpTransform(), t.AffineTransform(1.0, 2.0)], **options)
            x = m.tensor(value)
            results.append((both(x), both.inv(both(x)), both.log_abs_det_jacobian(x, both(x))))
        for ours, theirs in zip(*results, strict=True):
            same(ours, theirs)


def _normal(m: Any, *shape: int) -> Any:
    return m.distributions.Normal(m.zeros(shape).double(), m.ones(shape).double())


TRANSFORMED: dict[str, tuple[Any, Any]] = {
    "log normal": (lambda m, t, base: base(_normal(m, 3), t.ExpTransform()), between(0.1, 3)),
    "decreasing": (lambda m, t, base: base(_normal(m, 3), [
        t.ExpTransform(), t.AffineTransform(1.0, -2.0)]), -between(0.1, 3)),
    "logistic": (lambda m, t, base: base(m.distributions.Uniform(
        m.zeros(3).double(), m.ones(3).double()), [
            t.SigmoidTransform().inv, t.AffineTransform(1.0, 2.0)]), between(-2, 3)),
    "stick": (lambda m, t, base: base(m.distributions.Independent(_normal(m, 3), 1),
                                      t.StickBreakingTransform()), simplex(2, 4)),
    "joined": (lambda m, t, base: base(_normal(m, 2, 3), t.StickBreakingTransform()),
               simplex(2, 4)),
    "reshaped": (lambda m, t, base: base(_normal(m, 5, 6), t.ReshapeTransform((6,), (2, 3))),
                 between(-1, 1, 5, 2, 3))}


@in_turn("case", TRANSFORMED.values())
def test_transformed_distributions(case: tuple[Any, Any]) -> None:
    make, value = case
    ours, theirs = (make(m, m.distributions.transforms, m.distributions.TransformedDistribution)
                    for m in (tinytensor, torch))
    assert tuple(ours.batch_shape) == tuple(theirs.batch_shape)
    assert tuple(ours.event_shape) == tuple(theirs.event_shape)
    same(ours.log_prob(tinytensor.tensor(value)), theirs.log_prob(torch.tensor(value)))
    assert tuple(ours.rsample((2,)).shape) == tuple(theirs.rsample((2,)).shape)
    wide = (2, *ours.batch_shape)
    same(ours.expand(wide).log_prob(tinytensor.tensor(value)),
         theirs.expand(wide).log_prob(torch.tensor(value)))
    if not ours.event_shape:
        same(ours.cdf(tinytensor.tensor(value)), theirs.cdf(torch.tensor(value)))
        middle = numpy.array([0.2, 0.5, 0.7])
        same(ours.icdf(tinytensor.tensor(middle)), theirs.icdf(torch.tensor(middle)))


@in_turn("name", ("real", "positive", "nonnegative", "unit_interval", "simplex"))
def test_transforms_to_constraints(name: str) -> None:
    value = between(-1, 1, 3, 3)
    for registry in ("biject_to", "transform_to"):
        ours, theirs = (getattr(m.distributions, registry)(
            getattr(m.distributions.constraints, name))(m.tensor(value))
            for m in (tinytensor, torch))
        same(ours, theirs, 1e-6)
    with pytest.raises(NotImplementedError, match="no transform is registered for _Boolean"):
        distributions.biject_to(distributions.constraints.boolean)


@in_turn("name, value", [
    ("real", [1.0, float("nan")]), ("positive", [0.0, 1.0]), ("boolean", [0.0, 2.0]),
    ("nonnegative_integer", [-1.0, 2.0, 0.5]), ("positive_integer", [0.0, 1.0]),
    ("simplex", [[0.5, 0.5], [0.5, 0.6]]),
    ("lower_cholesky", [[[1.0, 0.0], [2.0, 1.0]], [[1.0, 0.5], [2.0, 1.0]]]),
    ("positive_definite", [[[2.0, 0.0], [0.0, 1.0]], [[1.0, 2.0], [2.0, 1.0]]]),
    ("one_hot", [[0.0, 1.0], [1.0, 1.0]]), ("unit_interval", [-0.1, 0.0, 1.0])])
def test_constraints(name: str, value: Any) -> None:
    ours, theirs = (getattr(m.distributions.constraints, name).check(m.tensor(value))
                    for m in (tinytensor, torch))
    assert ours.tolist() == theirs.tolist()
    for attribute in ("event_dim", "is_discrete"):
        assert getattr(getattr(distributions.constraints, name), attribute) == getattr(
            getattr(torch.distributions.constraints, name), attribute)


# ---------------------------------------------------------------- mixtures, misuse


def test_mixtures() -> None:
    value = between(-1, 3)
    results = []
    for m in (tinytensor, torch):
        d = m.distributions
        one = d.MixtureSameFamily(d.Categorical(m.tensor([0.2, 0.8]).double()), d.Normal(
            m.tensor([0.0, 2.0]).double(), m.tensor([1.0, 0.5]).double()))
        many = d.MixtureSameFamily(
            d.Categorical(m.tensor([[0.2, 0.8]]).double()),
            d.Independent(d.Normal(m.tensor([[[0.0, 1.0], [2.0, 3.0]]]).double(), 1.0), 1))
        x = m.tensor(value)
        results.append([one.log_prob(x), one.mean, one.variance, one.cdf(x), many.mean,
                        many.variance, many.log_prob(m.tensor([[0.5, 1.0]]).double())])
        assert tuple(one.sample((5,)).shape) == (5,) and tuple(many.sample((5,)).shape) == (5, 1, 2)
    for ours, theirs in zip(*results, strict=True):
        same(ours, theirs)
    with pytest.raises(ValueError, match="has 3 classes, but there are 2 components"):
        distributions.MixtureSameFamily(distributions.Categorical(tinytensor.ones(3)),
                                        distributions.Normal(tinytensor.zeros(2), 1.0))


def test_samples_of_small_concentrations() -> None:
    tinytensor.manual_seed(0)
    x = distributions.Beta(0.01, 0.01).sample((2000,))
    assert float(((x > 0.01) & (x < 0.99)).float().mean()) < 0.1  # they lie at both ends
    assert float(x.min()) >= tinytensor.finfo(x.dtype).tiny and float(x.max()) < 1
    x = distributions.Gamma(0.001, 1000.0).sample((200,))
    assert float(x.min()) >= tinytensor.finfo(x.dtype).tiny


@in_turn("make, message", [
    (lambda: distributions.Gamma(-1.0, 1.0), "concentration must be greater than 0"),
    (lambda: distributions.Beta(1.0, 0.0), "Beta: concentration0 must be greater than 0"),
    (lambda: distributions.Dirichlet(tinytensor.tensor(1.0)), "must have at least 1 dim"),
    (lambda: distributions.Binomial(3, 1.5), r"probs must be in \[0, 1\]"),
    (lambda: distributions.Poisson(1.0).log_prob(tinytensor.tensor(0.5)), "integers, at least 0"),
    (lambda: distributions.TransformedDistribution(distributions.Normal(0.0, 1.0), [3]),
     "transforms must be a Transform"),
    (lambda: distributions.ReshapeTransform((2,), (3,)), "different numbers of elements"),
    (lambda: distributions.Dirichlet(tinytensor.ones(3)).log_prob(tinytensor.tensor(1.0)),
     r"last sizes of a value must be event_shape \(3,\), got shape \(\)"),
    (lambda: distributions.MultivariateNormal(tinytensor.zeros(3), tinytensor.eye(3)).log_prob(
        tinytensor.ones(5, 1)), r"must be event_shape \(3,\), got shape \(5, 1\)")])
def test_misuse(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
