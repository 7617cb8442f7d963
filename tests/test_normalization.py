"""Normalisation, dropout and attention: tests that need more than one call."""

from __future__ import annotations

import math

import numpy
import pytest
import torch
from operations import agree_with_pytorch

import tinytensor
from tinytensor.nn import functional as F  # noqa: N812

RNG = numpy.random.default_rng(0)
T = torch.nn.functional


def both(array, **options):
    return tinytensor.tensor(array, **options), torch.tensor(array, **options)


def near(mine, theirs, tolerance=1e-12):
    numpy.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), tolerance,
                                  tolerance)


# ---------------------------------------------------------------- running statistics


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (2, 3, 4, 5)])
def test_running_statistics_of_batch_norm_over_several_steps(shape):
    mean, var = tinytensor.zeros(3, dtype=tinytensor.float64), tinytensor.ones(
        3, dtype=tinytensor.float64)
    layer = {2: torch.nn.BatchNorm1d, 3: torch.nn.BatchNorm1d, 4: torch.nn.BatchNorm2d}[len(shape)](
        3, momentum=0.3, dtype=torch.float64)
    for step in range(4):
        x, x_t = both(RNG.normal(step, 1 + step, shape))
        near(F.batch_norm(x, mean, var, training=True, momentum=0.3), layer(x_t))
        near(mean, layer.running_mean)
        near(var, layer.running_var)
    layer.eval()
    near(F.batch_norm(x, mean, var), layer(x_t))
    assert mean._version == 4  # one write per step


def test_running_statistics_of_instance_norm():
    running = [both(numpy.zeros(3)), both(numpy.ones(3))]
    for step in range(3):
        x, x_t = both(RNG.normal(step, 2, (2, 3, 4)))
        near(F.instance_norm(x, running[0][0], running[1][0]),
             T.instance_norm(x_t, running[0][1], running[1][1]))
        for mine, theirs in running:
            near(mine, theirs)


def test_evaluation_changes_no_statistics():
    mean, var = tinytensor.zeros(3), tinytensor.ones(3)
    F.batch_norm(tinytensor.randn(4, 3), mean, var)
    assert mean._version == var._version == 0


def test_statistics_are_outside_of_the_graph():
    mean, x = tinytensor.zeros(3), tinytensor.randn(4, 3, requires_grad=True)
    F.batch_norm(x, mean, tinytensor.ones(3), training=True).sum().backward()
    assert not mean.requires_grad and x.grad is not None


@pytest.mark.parametrize("norm", ["layer", "group", "batch"])
def test_a_bias_without_a_weight(norm):
    """The reference is a weight of ones, because PyTorch cannot differentiate this twice."""
    x = tinytensor.tensor(RNG.normal(size=(3, 4)), requires_grad=True)
    bias = tinytensor.tensor(RNG.normal(size=4), requires_grad=True)
    w = tinytensor.tensor(RNG.uniform(0.5, 1.5, (3, 4)))
    function = {
        "layer": lambda weight: F.layer_norm(x, (4,), weight, bias),
        "group": lambda weight: F.group_norm(x, 2, weight, bias),
        "batch": lambda weight: F.batch_norm(x, None, None, weight, bias, True)}[norm]
    found = []
    for weight in (None, tinytensor.ones(4, dtype=tinytensor.float64)):
        first = tinytensor.autograd.grad((function(weight) * w).sum(), [x, bias],
                                         create_graph=True)
        second = tinytensor.autograd.grad((first[0] * w * w).sum(), x)
        found.append([*first, *second])
    for a, b in zip(*found, strict=True):
        near(a, b)


@pytest.mark.parametrize(("call", "kind", "message"), [
    (lambda: F.batch_norm(tinytensor.ones(1, 3), None, None, training=True), ValueError,
     "more than 1 value per channel"),
    (lambda: F.batch_norm(tinytensor.ones(2, 3), None, None), RuntimeError, "training=True"),
    (lambda: F.batch_norm(tinytensor.ones(2, 3), tinytensor.ones(4), None, training=True),
     RuntimeError, r"running_mean has shape \(4,\)"),
    (lambda: F.batch_norm(tinytensor.ones(3), None, None, training=True), IndexError, "N, C"),
    (lambda: F.instance_norm(tinytensor.ones(2, 3, 1)), ValueError, "more than 1 value"),
    (lambda: F.instance_norm(tinytensor.ones(2, 3, 2), use_input_stats=False), RuntimeError,
     "use_input_stats"),
    (lambda: F.group_norm(tinytensor.ones(2, 3), 2), RuntimeError, "3 channels"),
    (lambda: F.group_norm(tinytensor.ones(1, 2), 2), ValueError, "more than 1 value"),
    (lambda: F.group_norm(tinytensor.ones(2), 2), RuntimeError, "N, C"),
    (lambda: F.group_norm(tinytensor.ones(2, 4, 3), 2, tinytensor.ones(3)), RuntimeError, "weight"),
    (lambda: F.layer_norm(tinytensor.ones(2, 4), (3,)), RuntimeError, "does not end in"),
    (lambda: F.layer_norm(tinytensor.ones(2, 4), ()), RuntimeError, "does not end in"),
    (lambda: F.layer_norm(tinytensor.ones(2, 4), (4,), tinytensor.ones(3)), RuntimeError, "weight"),
    (lambda: F.rms_norm(tinytensor.ones(2, 4), (3,)), RuntimeError, "does not end in"),
])
def test_errors_of_normalisation(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_a_refused_batch_changes_no_statistics():
    mean = tinytensor.zeros(3)
    with pytest.raises(ValueError, match="more than 1"):
        F.batch_norm(tinytensor.ones(1, 3), mean, None, training=True)
    assert mean._version == 0


def test_an_empty_batch():
    mean = tinytensor.zeros(3)
    assert F.batch_norm(tinytensor.ones(0, 3), mean, None, training=True).shape == (0, 3)
    assert mean.tolist() == [0, 0, 0]
    for training in (True, False):
        agree_with_pytorch(lambda library, x, training=training: library.nn.functional.batch_norm(
            x, library.zeros(0).double(), library.ones(0).double(), training=training),
            numpy.zeros(0))


# ---------------------------------------------------------------- dropout


DROPOUTS = [(F.dropout, (400, 50), ()), (F.dropout1d, (400, 50, 3), (2,)),
            (F.dropout2d, (400, 50, 2, 2), (2, 3)), (F.dropout3d, (400, 50, 2, 1, 2), (2, 3, 4))]


@pytest.mark.parametrize(("dropout", "shape", "whole"), DROPOUTS)
def test_dropout_leaves_the_expectation_and_scales_the_gradient(dropout, shape, whole):
    tinytensor.manual_seed(1)
    x = tinytensor.ones(shape, requires_grad=True)
    out = dropout(x, 0.3)
    out.sum().backward()
    kept = (out != 0).numpy()
    scaled = numpy.float32(1 / 0.7)
    numpy.testing.assert_array_equal(out.detach().numpy(), kept * scaled)
    numpy.testing.assert_array_equal(x.grad.numpy(), kept * scaled)
    # Of 20,000 draws, the mean must be within four standard errors.
    assert abs(kept.mean() - 0.7) < 4 * math.sqrt(0.3 * 0.7 / 20_000)
    if whole:
        assert (kept.all(whole) == kept.any(whole)).all()


@pytest.mark.parametrize("dropout", [F.alpha_dropout, F.feature_alpha_dropout])
def test_alpha_dropout_keeps_mean_and_variance(dropout):
    tinytensor.manual_seed(2)
    x = tinytensor.randn(500, 400)
    out = dropout(x, 0.2, True).numpy()
    assert abs(out.mean()) < 0.01 and abs(out.std() - 1) < 0.01
    ones, theirs = (f(x, 0.5, True) for f, x in (
        (F.alpha_dropout, tinytensor.ones(100)), (T.alpha_dropout, torch.ones(100))))
    numpy.testing.assert_allclose(numpy.unique(ones.numpy()), numpy.unique(theirs.numpy()), 1e-6)


def test_feature_alpha_dropout_drops_whole_channels():
    tinytensor.manual_seed(3)
    out = F.feature_alpha_dropout(tinytensor.ones(8, 5, 4), 0.5, True).numpy()
    assert (out == out[:, :, :1]).all() and len(numpy.unique(out)) == 2


def test_dropout_follows_the_seed():
    def draw():
        return F.dropout(tinytensor.ones(50), 0.5).tolist()

    tinytensor.manual_seed(0)
    first, second = draw(), draw()
    tinytensor.manual_seed(0)
    assert draw() == first != second


@pytest.mark.parametrize("dropout", [F.dropout, F.alpha_dropout])
def test_dropout_in_place(dropout):
    x = tinytensor.ones(20)
    assert dropout(x, 0.5, True, True) is x and x._version
    assert len(numpy.unique(x.numpy())) == 2


def test_dropout_that_changes_nothing_is_the_input():
    x = tinytensor.ones(3)
    assert F.dropout(x, 0.5, False) is x and F.dropout(x, 0.0) is x


@pytest.mark.parametrize("p", [-0.1, 1.1])
@pytest.mark.parametrize("dropout", [f for f, *_ in DROPOUTS])
def test_a_probability_outside_of_its_range(dropout, p):
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        dropout(tinytensor.ones(*DROPOUTS[[f for f, *_ in DROPOUTS].index(dropout)][1]), p)


def test_dropout_of_other_numbers_of_dims():
    with pytest.warns(UserWarning, match="dropout1d") as caught:
        F.dropout2d(tinytensor.ones(2, 3, 4))
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="dropout3d"):
        F.dropout3d(tinytensor.ones(2, 3))
    with pytest.raises(RuntimeError, match="dropout1d"):
        F.dropout1d(tinytensor.ones(3))
    with pytest.raises(RuntimeError, match="2 dimensions"):
        F.feature_alpha_dropout(tinytensor.ones(3), 0.5, True)
    with pytest.raises(RuntimeError, match="floating point"):
        F.dropout(tinytensor.tensor([1, 2]))


# ---------------------------------------------------------------- attention


def qkv():
    return [RNG.normal(size=s) for s in ((2, 3, 4), (2, 5, 4), (2, 5, 4))]


@pytest.mark.parametrize("mask", [
    numpy.array([[True] * 5, [False] * 5, [True, False] * 2 + [True]]),
    numpy.array([[0.0] * 5, [-numpy.inf] * 5, [1.0, -numpy.inf] * 2 + [0.5]])])
def test_a_query_that_may_look_nowhere_gives_zero(mask):
    arrays = qkv()
    found = []
    for library, functional in ((tinytensor, F), (torch, T)):
        q, k, v = (library.tensor(a, requires_grad=True) for a in arrays)
        out = functional.scaled_dot_product_attention(q, k, v, library.tensor(mask))
        out.sum().backward()
        assert not out[:, 1].detach().numpy().any()
        found.append([out, q.grad, k.grad, v.grad])
    for mine, theirs in zip(*found, strict=True):
        near(mine, theirs)


@pytest.mark.parametrize("shape", [(4, 4), (2, 1, 4, 4), (4, 1)])
def test_a_mask_together_with_is_causal(shape):
    """A key is used if both allow it. PyTorch's second derivatives refuse this combination, so its
    call has a single mask.
    """
    allowed = RNG.random(shape) < 0.7
    q, k, v = RNG.normal(size=(3, 2, 3, 4, 5))
    lower = numpy.tri(4, dtype=bool)
    for mask in (allowed, numpy.where(allowed, RNG.normal(size=shape), -math.inf)):
        both_masks = mask & lower if mask.dtype == bool else numpy.where(lower, mask, -math.inf)
        agree_with_pytorch(lambda library, q, k, v, mask=mask, whole=both_masks:
            library.nn.functional.scaled_dot_product_attention(
                q, k, v, library.tensor(mask), is_causal=True) if library is tinytensor else
            library.nn.functional.scaled_dot_product_attention(q, k, v, library.tensor(whole)),
            q, k, v)
    with torch.no_grad():
        near(F.scaled_dot_product_attention(*map(tinytensor.tensor, (q, k, v, allowed)), 0.0, True),
             T.scaled_dot_product_attention(*map(torch.tensor, (q, k, v, allowed)), 0.0, True))


def test_a_causal_mask_for_more_keys_than_queries():
    q, k, v = (tinytensor.zeros(2, 3), tinytensor.zeros(4, 3), tinytensor.eye(4))
    out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    assert out.tolist() == [[1, 0, 0, 0], [0.5, 0.5, 0, 0]]


def test_attention_with_dropout():
    tinytensor.manual_seed(0)
    q, k, v = (tinytensor.zeros(1, 1), tinytensor.zeros(1000, 1), tinytensor.eye(1000))
    weights = F.scaled_dot_product_attention(q, k, v, dropout_p=0.25)
    assert {round(w, 6) for w in weights.flatten().tolist()} == {0.0, round(0.001 / 0.75, 6)}
    assert abs(float((weights != 0).float().mean()) - 0.75) < 0.06
    assert not F.scaled_dot_product_attention(q, k, v, dropout_p=1.0).any()


@pytest.mark.parametrize(("call", "message"), [
    (lambda a, q: a(q, q, q, tinytensor.ones(3, 3, dtype=tinytensor.int64)), "mask"),
    (lambda a, q: a(q[0], q, q), "2 dims"),
    (lambda a, q: a(q, tinytensor.ones(3, 5), q), "last dims"),
    (lambda a, q: a(q, q, tinytensor.ones(4, 4)), "dim -2"),
    (lambda a, q: a(q, q.double(), q), "one dtype"),
    (lambda a, q: a(tinytensor.ones(4, 3, 4), tinytensor.ones(3, 3, 4), tinytensor.ones(3, 3, 4),
                    enable_gqa=True), "does not divide"),
    (lambda a, q: a(q, q, q, enable_gqa=True), "3 dims, with enable_gqa one of heads"),
])
def test_errors_of_attention(call, message):
    with pytest.raises(RuntimeError, match=message):
        call(F.scaled_dot_product_attention, tinytensor.ones(3, 4))
