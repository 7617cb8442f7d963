"""Distributions that are imported when they are asked for, against PyTorch's."""

# ruff: noqa: N806 - matrices have names that are capitals

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import pytest
import torch
from operations import in_turn

import tinytensor
from tinytensor.compat.modules import distributions_utils

RNG = numpy.random.default_rng(0)
PROBS = RNG.uniform(0.1, 0.9, (3, 4))
REAL = RNG.normal(size=(3, 4))
TIMES = RNG.exponential(size=(2, 3, 4)) + 0.1
SHARES = RNG.uniform(0.05, 0.95, (2, 3, 4))
NEAR_HALF = numpy.append(PROBS.ravel(), [0.5, 0.4995]).reshape(2, 7)
HEAT = numpy.float64(0.7)
CASES: dict[str, tuple[str, dict[str, Any], Any]] = {
    "half Cauchy": ("HalfCauchy", {"scale": PROBS * 2}, TIMES),
    "Pareto": ("Pareto", {"scale": PROBS, "alpha": 3 * PROBS + 2.1}, TIMES + 1),
    "Weibull": ("Weibull", {"scale": PROBS * 2, "concentration": PROBS + 0.5}, TIMES),
    "Kumaraswamy": ("Kumaraswamy", {"concentration1": PROBS + 1.2,
                                    "concentration0": 2 * PROBS + 1}, SHARES),
    "logistic normal": ("LogisticNormal", {"loc": REAL[:, :3], "scale": PROBS[:, :3]},
                        SHARES / SHARES.sum(-1, keepdims=True)),
    "relaxed Bernoulli": ("RelaxedBernoulli", {"temperature": HEAT, "probs": PROBS}, SHARES),
    "by logits": ("RelaxedBernoulli", {"temperature": HEAT, "logits": REAL}, SHARES),
    "relaxed one-hot": ("RelaxedOneHotCategorical", {"temperature": HEAT, "logits": REAL},
                        SHARES / SHARES.sum(-1, keepdims=True)),
    "straight through": ("OneHotCategoricalStraightThrough", {"probs": PROBS},
                         numpy.eye(4)[[0, 3, 1]]),
    "low rank": ("LowRankMultivariateNormal", {
        "loc": REAL, "cov_factor": RNG.normal(size=(3, 4, 2)), "cov_diag": PROBS},
        RNG.normal(size=(2, 3, 4))),
    "continuous": ("ContinuousBernoulli", {"probs": NEAR_HALF}, RNG.uniform(size=(3, 2, 7))),
    "of logits": ("ContinuousBernoulli", {"logits": REAL}, SHARES),
    "von Mises": ("VonMises", {"loc": REAL, "concentration": PROBS * 8}, REAL),
}


def computed(library: Any, name: str, parameters: dict[str, Any], value: Any) -> dict[str, Any]:
    """What a distribution computes, with the gradients of its parameters."""
    tensors = {k: library.tensor(x).double().requires_grad_() for k, x in parameters.items()}
    made = getattr(library.distributions, name)(**tensors)
    quantiles = library.tensor(numpy.resize(SHARES, numpy.shape(value)))

    def drawn(distribution: Any, how: str) -> Any:
        library.manual_seed(0)
        return getattr(distribution, how)((2,))

    questions: dict[str, Callable[[], Any]] = {
        "log_prob": lambda: made.log_prob(library.tensor(value)), "entropy": made.entropy,
        "cdf": lambda: made.cdf(library.tensor(value)), "icdf": lambda: made.icdf(quantiles),
        "rsample": lambda: drawn(made, "rsample"), "sample": lambda: drawn(made, "sample"),
        "expanded": lambda: drawn(made.expand((2, *made.batch_shape)), "sample"),
        **{a: lambda a=a: getattr(made, a) for a in (
            "mean", "mode", "variance", "stddev", "covariance_matrix", "precision_matrix",
            "scale_tril")}}
    results: dict[str, Any] = {"shapes": [*made.batch_shape, -1, *made.event_shape]}
    for question, ask in questions.items():
        try:
            answer = ask()
        except (NotImplementedError, AttributeError):
            results[question] = []
            continue
        results[question] = answer.detach().numpy()
        if answer.requires_grad:
            weights = library.tensor(numpy.random.default_rng(1).normal(size=tuple(answer.shape)))
            gradients = library.autograd.grad(
                (answer * weights).sum(), list(tensors.values()), allow_unused=True,
                retain_graph=True)
            for parameter, gradient in zip(tensors, gradients, strict=True):
                results[f"{question} by {parameter}"] = (
                    [] if gradient is None else gradient.numpy())
    return results


@in_turn("case", list(CASES))
def test_they_compute_what_pytorch_computes(case: str) -> None:
    name, parameters, value = CASES[case]
    ours = computed(tinytensor, name, parameters, value)
    theirs = computed(torch, name, parameters, value)
    if name == "Kumaraswamy":  # PyTorch's mode is NaN for every b > 1
        ours = {k: v for k, v in ours.items() if not k.startswith("mode")}
        theirs = {k: v for k, v in theirs.items() if not k.startswith("mode")}
    assert list(ours) == list(theirs)
    for question, answer in ours.items():
        numpy.testing.assert_allclose(answer, theirs[question], 1e-8, 1e-9, err_msg=question)


def test_the_mode_of_kumaraswamy_has_the_largest_density() -> None:
    a, b = tinytensor.tensor([1.5, 3.0]).double(), tinytensor.tensor([2.0, 1.2]).double()
    made = tinytensor.distributions.Kumaraswamy(a, b)
    best = made.log_prob(made.mode)
    for step in (-1e-4, 1e-4):
        assert (made.log_prob(made.mode + step) < best).all()


@pytest.mark.parametrize("kinds", [("low", "low"), ("low", "full"), ("full", "low"),
                                   ("pareto", "pareto")])
def test_divergences(kinds: tuple[str, str]) -> None:
    answers = []
    for library in (tinytensor, torch):
        d, pair = library.distributions, []
        for i, kind in enumerate(kinds):
            numbers = numpy.random.default_rng(i)
            loc, factor, diagonal = (library.tensor(numbers.normal(size=size)) for size in (
                (3, 4), (3, 4, 2), (3, 4)))
            if kind == "low":
                made = d.LowRankMultivariateNormal(loc, factor, diagonal ** 2 + 0.1)
            elif kind == "full":
                made = d.MultivariateNormal(loc, factor @ factor.mT + 2 * library.eye(4).double())
            else:
                made = d.Pareto(diagonal ** 2 + 0.1, loc ** 2 + 1)
            pair.append(made)
        answers.append(d.kl_divergence(*pair).numpy())
    numpy.testing.assert_allclose(answers[0], answers[1], 1e-9)


# ---------------------------------------------------------------- matrices, helpers


def matrices(library: Any) -> list[Any]:
    d = library.distributions
    numbers = numpy.random.default_rng(0)
    A = numbers.normal(size=(2, 3, 3))
    V, X = (library.tensor(A @ A.transpose(0, 2, 1) + k * numpy.eye(3)) for k in (1.0, 2.5))
    freedom = library.tensor([4.5, 7.0]).double()
    wishart = d.Wishart(freedom, covariance_matrix=V)
    correlation = library.tensor(numpy.linalg.cholesky(
        [[1, 0.3, 0.2, 0.1], [0.3, 1, 0.4, 0], [0.2, 0.4, 1, 0.1], [0.1, 0, 0.1, 1]]))
    lkj = d.LKJCholesky(4, library.tensor([0.7, 2.0]).double())
    library.manual_seed(0)
    drawn = lkj.sample((3,))
    answers = [
        wishart.log_prob(X), wishart.mean, wishart.mode, wishart.variance, wishart.entropy(),
        wishart.expand((3, 2)).mean, wishart.covariance_matrix, wishart.precision_matrix,
        d.kl_divergence(wishart, d.Wishart(freedom, precision_matrix=X)),
        lkj.log_prob(correlation), lkj.expand((3, 2)).log_prob(correlation),
        d.constraints.corr_cholesky.check(drawn), d.constraints.corr_cholesky.check(2 * drawn),
        d.constraints.positive_semidefinite.check(V)]
    tools: Any = d.utils if library is torch else distributions_utils
    for diagonal in (-2, -1, 0, 1):
        vector = tools.tril_matrix_to_vec(X, diagonal)
        answers += [vector, tools.vec_to_tril_matrix(vector, diagonal)]
    answers += [tools.logits_to_probs(X), tools.logits_to_probs(X, is_binary=True),
                tools.probs_to_logits(tools.logits_to_probs(X)), *tools.broadcast_all(X, 2.0)]
    library.manual_seed(1)
    U, S, W = library.svd_lowrank(X[0], 2)
    return [*answers, S, (U * S) @ W.mT, library.pca_lowrank(library.tensor(A[0]), 2)[1]]


def test_matrices_and_helpers() -> None:
    for ours, theirs in zip(matrices(tinytensor), matrices(torch), strict=True):
        numpy.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), 1e-8, 1e-9)


def test_transforms_to_matrices() -> None:
    answers = []
    for library in (tinytensor, torch):
        d, made = library.distributions, []
        for constraint, shape in (("corr_cholesky", (2, 6)), ("positive_definite", (2, 3, 3))):
            x = library.tensor(numpy.random.default_rng(0).normal(size=shape)).requires_grad_()
            transform = d.transform_to(getattr(d.constraints, constraint))
            y = transform(x)
            made += [y, transform.inv(y), *library.autograd.grad((y ** 3).sum(), (x,),
                                                                 retain_graph=True)]
            if constraint == "corr_cholesky":
                made.append(transform.log_abs_det_jacobian(x, y))
                assert tuple(transform.inverse_shape(y.shape)) == shape
        answers.append(made)
    for ours, theirs in zip(*answers, strict=True):
        numpy.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), 1e-8, 1e-9)


def test_subclasses_are_expanded_into_an_instance() -> None:
    results = []
    for library in (tinytensor, torch):
        d = library.distributions

        class Diagonal(d.Independent):  # type: ignore[misc,name-defined]
            def __init__(self, loc: Any):
                super().__init__(d.Normal(loc, 1.0), 1)  # noqa: B023 - used at once

            def expand(self, batch_shape: Any, new: Any = None) -> Any:
                new = self._get_checked_instance(Diagonal, new)
                return super().expand(batch_shape, new)

        made = Diagonal(library.arange(3.0)).expand((2,))
        assert type(made) is Diagonal
        results.append(made.log_prob(library.ones(2, 3)).tolist())
        assert isinstance(d.LogNormal(0.0, 1.0), d.TransformedDistribution)
        with pytest.raises(NotImplementedError):
            made._get_checked_instance(d.Independent)
    assert results[0] == results[1]


def test_a_wishart_of_numbers_is_a_gamma() -> None:
    """So its divergence is known. PyTorch's is wrong where the two df differ."""
    d, t = tinytensor.distributions, tinytensor.tensor
    pair = [d.Wishart(t(df), covariance_matrix=t([[v]])) for df, v in ((4.5, 1.5), (3.0, 2.5))]
    gammas = [d.Gamma(t(df / 2), t(1 / (2 * v))) for df, v in ((4.5, 1.5), (3.0, 2.5))]
    assert float(d.kl_divergence(*pair)) == pytest.approx(float(d.kl_divergence(*gammas)), 1e-5)
    tinytensor.manual_seed(0)
    drawn = pair[0].sample((4000,))
    assert float(drawn.mean()) == pytest.approx(4.5 * 1.5, 0.05)


def test_entropies_of_exponential_families() -> None:
    answers = []
    for library in (tinytensor, torch):
        class Exponential(library.distributions.ExponentialFamily):  # type: ignore[misc,name-defined]
            _mean_carrier_measure = 0

            def __init__(self, rate: Any):
                self.rate = rate
                super().__init__(rate.shape, validate_args=False)

            @property
            def _natural_params(self) -> Any:
                return (-self.rate,)

            def _log_normalizer(self, x: Any) -> Any:
                return -(-x).log()

        answers.append(Exponential(library.tensor([0.5, 2.0])).entropy().detach().numpy())
    numpy.testing.assert_allclose(answers[0], answers[1], 1e-6)


@pytest.mark.parametrize(("call", "message"), [
    (lambda d, e: d.LKJCholesky(1), "dim must be at least 2, got 1"),
    (lambda d, e: d.Wishart(e.tensor(1.5), e.eye(3)), "greater than p - 1 = 2, got"),
    (lambda d, e: d.Wishart(e.tensor(1.5)), "Exactly one of"),
    (lambda d, e: d.Wishart(e.tensor(1.5), e.ones(2, 3)), r"must be \(\*, p, p\), got \(2, 3\)"),
    (lambda d, e: d.LowRankMultivariateNormal(e.ones(3), e.ones(2, 1), e.ones(3)), "D, R"),
    (lambda d, e: distributions_utils.vec_to_tril_matrix(e.ones(4)), "has 4 elements on and below"),
    (lambda d, e: e.svd_lowrank(e.ones(3, 2), 3), "between 0 and the smaller size, 2, got 3")])
def test_errors(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(tinytensor.distributions, tinytensor)


KINDS: dict[str, tuple[float, ...]] = {
    "ContinuousBernoulli": (0.3,), "Pareto": (1.5, 2.6), "Uniform": (0.1, 0.8), "Beta": (1.5, 2.0),
    "Exponential": (1.5,), "Gamma": (1.2, 0.7), "Normal": (0.3, 1.5), "Gumbel": (0.2, 1.5),
    "Laplace": (0.2, 1.5)}


# Without a rule in PyTorch too.
WITHOUT = {("ContinuousBernoulli", q) for q in ("Beta", "Gamma", "Gumbel", "Laplace")} \
    | {("Pareto", "Gumbel"), ("Pareto", "Laplace")}


@in_turn("pair", [(p, q) for p in KINDS for q in KINDS
                  if {p, q} & {"ContinuousBernoulli", "Pareto"} and (p, q) not in WITHOUT])
def test_divergences_of_and_from_continuous_bernoulli_and_pareto(pair: tuple[str, str]) -> None:
    results = []
    for library in (tinytensor, torch):
        p, q = (getattr(library.distributions, kind)(*(
            library.tensor([x, x + 0.1]).double() for x in KINDS[kind])) for kind in pair)
        results.append(library.distributions.kl_divergence(p, q).detach().numpy())
    numpy.testing.assert_allclose(*results, 1e-9)


def test_divergences_from_and_to_a_uniform_on_the_same_interval() -> None:
    """PyTorch gives infinity where the bounds are equal."""
    p, q = tinytensor.distributions.ContinuousBernoulli(0.3), tinytensor.distributions.Uniform(0, 1)
    x = (numpy.arange(20000) + 0.5) / 20000
    density = numpy.exp(p.log_prob(tinytensor.tensor(x)).numpy())
    divergence = tinytensor.distributions.kl_divergence
    assert abs(divergence(p, q).item() - (density * numpy.log(density)).mean()) < 1e-6
    assert abs(divergence(q, p).item() - -numpy.log(density).mean()) < 1e-6


@pytest.mark.parametrize("name", ["Pareto", "Weibull", "HalfCauchy"])
def test_cdf_outside_of_the_support(name: str) -> None:
    one = tinytensor.ones(1)
    made = getattr(tinytensor.distributions, name)(*[one] * (1 if name == "HalfCauchy" else 2))
    with pytest.raises(ValueError, match=name):
        made.cdf(-one)
