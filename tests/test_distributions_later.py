"""Distributions that are imported when they are asked for, against PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import pytest
import torch
from operations import in_turn

import tinytensor

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
            pair.append({
                "low": lambda: d.LowRankMultivariateNormal(loc, factor, diagonal ** 2 + 0.1),
                "full": lambda: d.MultivariateNormal(
                    loc, factor @ factor.mT + 2 * library.eye(4).double()),
                "pareto": lambda: d.Pareto(diagonal ** 2 + 0.1, loc ** 2 + 1)}[kind]())
        answers.append(d.kl_divergence(*pair).numpy())
    numpy.testing.assert_allclose(answers[0], answers[1], 1e-9)
