"""scalar.functional against torch.nn.functional: values, gradients, errors."""

import math
import random

import numpy as np
import pytest
import torch
import torch.nn.functional as reference

import scalar
from scalar import Value, functional

REDUCTIONS = ["mean", "sum", "none"]


def tree(x, f):
    """Applies f to each element of nested lists."""
    return [tree(row, f) for row in x] if isinstance(x, list) else f(x)


def flat(x):
    return [y for row in x for y in flat(row)] if isinstance(x, list) else [x]


def check(f, torch_f, x, rel=1e-12):
    """Asserts equal results and gradients of f on nested lists and torch_f on a tensor."""
    operand, t = tree(x, Value), torch.tensor(x, dtype=torch.float64, requires_grad=True)
    out, want = f(operand), torch_f(t)
    assert np.shape(tree(out, float)) == tuple(want.shape)
    np.testing.assert_allclose(tree(out, float), want.detach().numpy(), rtol=rel, atol=1e-300)
    weights = [random.Random(i).uniform(0.5, 2) for i in range(len(flat(out)))]
    sum(o * w for o, w in zip(flat(out), weights, strict=True)).backward()
    (want.reshape(-1) * torch.tensor(weights, dtype=torch.float64)).sum().backward()
    np.testing.assert_allclose(tree(operand, lambda v: v.grad), t.grad.numpy(), rtol=rel,
                               atol=1e-15)


def table(*shape, low=-3.0, high=3.0, seed=0):
    return np.random.default_rng(seed).uniform(low, high, shape).tolist()


# ---------------------------------------------------------------- max and min


@pytest.mark.parametrize("name, torch_f", [("max", torch.amax), ("min", torch.amin)])
@pytest.mark.parametrize("x", [[1.0, 3.0, 2.0], [2.0, 1.0, 2.0], [1.0, 1.0], [-math.inf, 0.0],
                               [math.inf, math.inf], [math.nan, 1.0, 2.0], [1.0, math.nan], [4.0]])
def test_max_and_min(name, torch_f, x):
    check(getattr(scalar, name), torch_f, x)
    values = [Value(y) for y in x]
    if len(x) > 1:
        out = getattr(scalar, name)(*values)
        assert out._op == name and out._prev == tuple(values)


def test_max_of_two_shares_as_torch_maximum():
    check(lambda x: scalar.max(x[0], x[1]), lambda t: torch.maximum(t[0], t[1]), [2.0, 2.0])
    check(lambda x: scalar.min(x[0], 2), lambda t: torch.minimum(t[0], torch.tensor(2)), [2.0])


def test_max_takes_numbers_iterators_and_arrays():
    a = Value(2.0)
    assert scalar.max(a, 3) == 3.0 and scalar.min(1, a) == 1.0
    assert scalar.max(v for v in (a, Value(5.0))) == 5.0
    assert scalar.min(np.array([4.0, 2.5])) == 2.5


@pytest.mark.parametrize("operands", [(), ([],), (Value(1.0),)])
def test_max_of_nothing_to_choose_from(operands):
    with pytest.raises(ValueError, match="max: needs several operands"):
        scalar.max(*operands)


# ---------------------------------------------------------------- activations


@pytest.mark.parametrize("name", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_activations(name, shape):
    check(getattr(functional, name), getattr(torch, name), table(*shape))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("logits", [
    table(4), table(3, 4), [0.0], [1000.0, 0.0, 1000.0], [-1000.0, -1001.0],
    [-math.inf, 0.0, 1.0]])
def test_softmax(name, logits):
    check(getattr(functional, name), lambda t: getattr(reference, name)(t, dim=-1), logits)


def test_softmax_of_arrays_and_of_nothing():
    assert [v.data for v in functional.softmax(np.zeros(4))] == [0.25] * 4
    for bad in ([], 3.0):
        with pytest.raises(ValueError, match="softmax: needs a list of logits"):
            functional.softmax(bad)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
@pytest.mark.parametrize("x", [table(7), table(2, 3), [0.0, -40.0, 40.0]])
def test_gelu(approximate, x):
    check(lambda v: functional.gelu(v, approximate),
          lambda t: reference.gelu(t, approximate=approximate), x)


# ---------------------------------------------------------------- the functions of layers


def check_all(f, torch_f, *arrays):
    """Like check, for functions of several operands."""
    operands = [tree(x, Value) for x in arrays]
    tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in arrays]
    out, want = f(*operands), torch_f(*tensors)
    np.testing.assert_allclose(tree(out, float), want.detach().numpy(), rtol=1e-12)
    weights = [random.Random(i).uniform(0.5, 2) for i in range(len(flat(out)))]
    sum(o * w for o, w in zip(flat(out), weights, strict=True)).backward()
    (want.reshape(-1) * torch.tensor(weights, dtype=torch.float64)).sum().backward()
    for operand, t in zip(operands, tensors, strict=True):
        np.testing.assert_allclose(tree(operand, lambda v: v.grad), t.grad.numpy(), rtol=1e-11,
                                   atol=1e-14)


@pytest.mark.parametrize("shape", [(4,), (2, 4), (3, 2, 4)])
@pytest.mark.parametrize("with_bias", [True, False])
def test_linear(shape, with_bias):
    bias = [table(3, seed=2)] if with_bias else []
    check_all(functional.linear, reference.linear, table(*shape), table(3, 4, seed=1), *bias)


def test_dot_is_one_node_and_a_number_times_itself_counts_twice():
    a, b = Value(2.0), Value(3.0)
    out = functional.dot([a, b], [a, 5.0])
    out.backward()
    assert (out.data, out._op, a.grad, b.grad) == (19.0, "dot", 4.0, 5.0)
    assert len(scalar.topological_order(out)) == 4  # a, b, the 5 and the dot


@pytest.mark.parametrize("shape", [(4,), (2, 4), (3, 2, 4)])
def test_layer_norm(shape):
    x, weight, bias = table(*shape), table(4, seed=1), table(4, seed=2)
    check_all(lambda *a: functional.layer_norm(a[0], 4, *a[1:]),
              lambda *a: reference.layer_norm(a[0], (4,), *a[1:]), x, weight, bias)
    check_all(lambda x: functional.layer_norm(x, [4], eps=0.1),
              lambda x: reference.layer_norm(x, (4,), eps=0.1), x)


@pytest.mark.parametrize("shape", [(4,), (2, 4)])
def test_rms_norm(shape):
    x, weight = table(*shape), table(4, seed=1)
    check_all(lambda x, w: functional.rms_norm(x, 4, w),
              lambda x, w: reference.rms_norm(x, (4,), w), x, weight)
    check_all(lambda x: functional.rms_norm(x, (4,), eps=0.1),
              lambda x: reference.rms_norm(x, (4,), eps=0.1), x)
    tiny = [0.0, 1e-9, 0.0]  # the default eps dominates
    check_all(lambda x: functional.rms_norm(x, 3), lambda x: reference.rms_norm(x, (3,)), tiny)


@pytest.mark.parametrize("indices", [2, [0, 2, 0], [[1, 1], [2, 0]]])
def test_embedding(indices):
    check_all(lambda weight: functional.embedding(indices, weight),
              lambda weight: reference.embedding(torch.tensor(indices), weight), table(3, 2))


# ---------------------------------------------------------------- losses


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_cross_entropy(reduction):
    target = [2, 0, 3]
    for given in (target, tuple(target), np.array(target), torch.tensor(target)):
        check(lambda z, given=given: functional.cross_entropy(z, given, reduction),
              lambda t: reference.cross_entropy(t, torch.tensor(target), reduction=reduction),
              table(3, 4))
    check(lambda z: functional.cross_entropy(z, np.int64(1), reduction),
          lambda t: reference.cross_entropy(t, torch.tensor(1), reduction=reduction), table(4))


def test_cross_entropy_of_large_logits():
    check(lambda z: functional.cross_entropy(z, [0, 1]),
          lambda t: reference.cross_entropy(t, torch.tensor([0, 1])), [[1e4, 0.0], [1e4, 0.0]])


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(), (5,), (2, 3)])
def test_mse_loss(reduction, shape):
    target = table(*shape, seed=1)
    check(lambda x: functional.mse_loss(x, np.array(target), reduction),
          lambda t: reference.mse_loss(t, torch.tensor(target, dtype=torch.float64),
                                       reduction=reduction), table(*shape))


def test_mse_loss_reaches_its_target():
    a, b = Value(3.0), Value(1.0)
    functional.mse_loss([a], [b]).backward()
    assert (a.grad, b.grad) == (4.0, -4.0)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_hinge_loss(reduction):
    targets = [1, -1, 1, -1, 1]

    def torch_hinge(t):
        losses = torch.relu(1 - torch.tensor(targets, dtype=torch.float64) * t)
        return {"mean": losses.mean(), "sum": losses.sum(), "none": losses}[reduction]

    for given in (targets, np.array(targets), np.array(targets, dtype=float)):
        check(lambda x, given=given: functional.hinge_loss(x, given, reduction), torch_hinge,
              [0.5, 0.5, -2.0, 3.0, 1.0])


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_binary_cross_entropy(reduction):
    targets = [1.0, 0.0, 0.3, 1.0]
    check(lambda p: functional.binary_cross_entropy(p, targets, reduction),
          lambda t: reference.binary_cross_entropy(t, torch.tensor(targets, dtype=torch.float64),
                                                   reduction=reduction),
          table(4, low=0.05, high=0.95))


def test_binary_cross_entropy_where_a_probability_is_0_or_1():
    targets = [1.0, 0.0, 0.0, 1.0]
    check(lambda p: functional.binary_cross_entropy(p, targets),
          lambda t: reference.binary_cross_entropy(t, torch.tensor(targets, dtype=torch.float64)),
          [0.0, 1.0, 0.0, 1.0], rel=1e-7)  # PyTorch's 1e-12 is in single precision


def test_binary_cross_entropy_reaches_its_target():
    p, t = Value(0.3), Value(0.6)
    functional.binary_cross_entropy(p, t).backward()
    assert t.grad == pytest.approx(math.log(0.7) - math.log(0.3), rel=1e-12)


def test_squared_norm():
    check(functional.squared_norm, lambda t: (t * t).sum(), table(5))
    assert functional.squared_norm(iter([Value(3.0), Value(4.0)])) == 25.0
    assert functional.squared_norm([]) == 0.0


def test_losses_of_nothing_are_pytorchs():
    assert math.isnan(functional.mse_loss([], []).data)
    assert functional.mse_loss([], [], "sum") == 0.0
    assert functional.mse_loss([], [], "none") == []


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize("call", [
    lambda r: functional.cross_entropy([[1.0, 2.0]], [0], r),
    lambda r: functional.mse_loss([1.0], [1.0], r),
    lambda r: functional.hinge_loss([1.0], [1.0], r),
    lambda r: functional.binary_cross_entropy([0.5], [1.0], r)])
def test_an_unknown_reduction(call):
    with pytest.raises(ValueError, match="reduction 'average' is none of 'mean', 'sum', 'none'"):
        call("average")


@pytest.mark.parametrize("loss", [functional.mse_loss, functional.hinge_loss,
                                  functional.binary_cross_entropy])
def test_lengths_that_differ(loss):
    with pytest.raises(ValueError, match=f"{loss.__name__}: .*a list of 2 and a list of 3"):
        loss([0.5, 0.5], [1, 1, 1])
    with pytest.raises(ValueError, match=f"{loss.__name__}: .*a list of 2 and one number"):
        loss([0.5, 0.5], 1)
    with pytest.raises(ValueError, match=f"{loss.__name__}: .*a list of 1 and one number"):
        loss([[0.5], [0.5]], [1, 1])


def test_cross_entropy_targets_that_do_not_fit():
    logits = [[0.0, 1.0], [1.0, 0.0]]
    with pytest.raises(ValueError, match="2 samples, but 3 targets"):
        functional.cross_entropy(logits, [0, 1, 0])
    with pytest.raises(ValueError, match="2 samples, but 1 targets"):
        functional.cross_entropy(logits, 0)
    for target in (2, -1):
        with pytest.raises(IndexError, match=f"target {target} is out of bounds.* 2 classes"):
            functional.cross_entropy(logits, [0, target])
    for target in (1.0, [1], "1"):
        with pytest.raises(TypeError, match="index of a class"):
            functional.cross_entropy(logits[0], target)


@pytest.mark.parametrize("call, error, message", [
    (lambda: functional.dot([1.0], [1.0, 2.0]), ValueError, "dot: the lengths 1 and 2 differ"),
    (lambda: functional.linear([1.0], [[1.0, 2.0]]), ValueError,
     "linear: a weight of 1 rows of 2 .* got a sample of 1$"),
    (lambda: functional.linear([1.0], [[1.0]], [1.0, 2.0]), ValueError, "and a bias of 2$"),
    (lambda: functional.layer_norm([1.0, 2.0], 3), ValueError, r"layer_norm: .*3 .*\[2\]"),
    (lambda: functional.rms_norm([1.0, 2.0], (2,), [1.0]), ValueError, r"rms_norm: .*\[2, 1\]"),
    (lambda: functional.layer_norm([], 0), ValueError, "above 0"),
    (lambda: functional.embedding([0, 0.5], [[1.0]]), TypeError, "whole number, not 0.5"),
    (lambda: functional.embedding(-1, [[1.0]]), IndexError, "index -1 .* there are 1 rows"),
    (lambda: functional.embedding(1, [[1.0]]), IndexError, "index 1 .* there are 1 rows"),
    (lambda: functional.gelu([1.0], "fast"), ValueError, "gelu: approximate 'fast' is none of")])
def test_what_layers_refuse(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_hinge_targets_of_0_and_1():
    with pytest.raises(ValueError, match=r"-1 or 1, not 0; for labels .* 2 \* y - 1"):
        functional.hinge_loss([0.5, 0.5], [1, 0])


@pytest.mark.parametrize("p, t", [(1.5, 1), (-0.1, 0), (0.5, -1), (0.5, 2), (math.nan, 1)])
def test_binary_cross_entropy_outside_of_0_to_1(p, t):
    with pytest.raises(ValueError, match="between 0 and 1"):
        functional.binary_cross_entropy([p], [t])
