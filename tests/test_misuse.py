"""Common mistakes in training programs give clear errors and warnings at the right moment."""

from __future__ import annotations

import warnings
from typing import Any

import numpy
import pytest
import torch

import tinytensor
from tinytensor import nn, optim
from tinytensor.nn import functional as F  # noqa: N812
from tinytensor.utils.data import DataLoader, TensorDataset

OPTIMIZERS = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adafactor", "Adamax",
              "NAdam", "RAdam", "LBFGS"]


def classify(classes: int, labels: Any, features: int = 4) -> Any:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, classes))
    return F.cross_entropy(model(tinytensor.randn(len(labels), features)), labels)


def attend(mask: Any) -> Any:
    x = tinytensor.randn(1, 2, 4, 8)
    return F.scaled_dot_product_attention(x, x, x, mask)


LABELS = tinytensor.tensor([0, 2, 1])


@pytest.mark.parametrize(("program", "kind", "said"), [
    (lambda: classify(2, LABELS), IndexError,
     r"label 2 is out of range for 2 classes: it must be in \[0, 1\]"),
    (lambda: classify(3, LABELS - 1), IndexError, "label -1 is out of range for 3 classes"),
    (lambda: classify(3, LABELS.float()), RuntimeError, r"convert them with \.long\(\)"),
    (lambda: classify(3, LABELS.unsqueeze(1)), RuntimeError,
     r"scores of shape \(3, 3\) and labels of shape \(3, 1\) do not fit"),
    (lambda: F.cross_entropy(tinytensor.randn(4, 3), LABELS), ValueError,
     r"scores of shape \(4, 3\) and labels of shape \(3,\) do not fit"),
    (lambda: classify(3, LABELS, features=5), RuntimeError,
     r"linear: the input of shape \(3, 5\) has 5 features .*, but this layer takes 4"),
    (lambda: F.hinge_loss(tinytensor.randn(3), tinytensor.tensor([0, 1, 1])), ValueError,
     r"a target is -1 or 1; labels y that are 0 or 1 become 2 \* y - 1"),
    (lambda: F.binary_cross_entropy(tinytensor.randn(2) * 9, tinytensor.ones(2)), RuntimeError,
     "for scores use binary_cross_entropy_with_logits"),
    (lambda: nn.Embedding(5, 2)(tinytensor.tensor([5])), IndexError,
     r"position 5 is out of range: it must be in \[0, 4\]"),
    (lambda: nn.Conv2d(3, 2, 3)(tinytensor.randn(1, 1, 8, 8)), RuntimeError,
     "expects 3 channels, the input of shape .* has 1"),
    (lambda: TensorDataset(tinytensor.randn(3, 2), LABELS[:2]), AssertionError,
     r"the same number of samples, got \[3, 2\]"),
    (lambda: tinytensor.from_numpy(numpy.ones(2, numpy.dtype("f4").newbyteorder("S"))), TypeError,
     r"not have this machine's byte order; convert with \.astype\('float32'\)"),
    (lambda: attend(tinytensor.zeros(2, 4)), RuntimeError,
     r"a mask of shape \(2, 4\) does not broadcast to the scores, \(1, 2, 4, 4\)"),
    (lambda: attend(tinytensor.zeros(3, 1, 4, 4)), RuntimeError, "does not broadcast to the sco"),
    (lambda: attend(tinytensor.zeros(1, 1, 1, 4, 4)), RuntimeError, "does not broadcast to the"),
    (lambda: tinytensor.ones(3, 4).take_along_dim(tinytensor.zeros(2, 2).long(), 1), RuntimeError,
     r"\(3, 4\) and indices \(2, 2\) do not broadcast: their sizes at dimension 0 must be equal"),
    (lambda: F.max_unpool1d(tinytensor.ones(1, 2), tinytensor.ones(1, 2), 2), RuntimeError,
     "max_unpool1d: positions must be integers, got float32; convert them with "),
    (lambda: F.softmax(tinytensor.ones(2, 3), "a"), TypeError, "softmax: dim must be an int, got "),
    (lambda: tinytensor.cat([tinytensor.ones(2)] * 2, None), TypeError, "cat: dim must be an int"),
    (lambda: tinytensor.stack([tinytensor.ones(2)], [0]), TypeError, "stack: dim must be an int"),
    (lambda: F.threshold(tinytensor.ones(2), "a", 1), TypeError, "threshold must be a number, go"),
    (lambda: F.threshold(tinytensor.ones(2), 1, None), TypeError, "value must be a number, got No"),
    (lambda: F.elu(tinytensor.ones(2), "a"), TypeError, "elu: alpha must be a number, got 'a'"),
    (lambda: tinytensor.ones(3).kthvalue(1.5), TypeError, "kthvalue: k must be an int, got 1.5"),
    (lambda: tinytensor.ones(3).topk("a"), TypeError, "topk: k must be an int, got 'a'"),
    (lambda: tinytensor.ones(3, dtype=tinytensor.int64).bincount(minlength=6.5), TypeError,
     "bincount: minlength must be an int, got 6.5"),
    (lambda: tinytensor.ones(0).max(), RuntimeError, r"max: a Tensor of shape \(0,\) has no elem"),
    (lambda: tinytensor.ones(2, 0).min(1), IndexError, r"min: dim 1 of shape \(2, 0\) has size 0"),
    (lambda: tinytensor.ones(2, 3).max(1, dims=0), TypeError, "max: unexpected arguments: dims"),
    (lambda: f"{tinytensor.ones(2):.3f}", TypeError,
     r"a Tensor of shape \(2,\) cannot be formatted as '\.3f', which is for one number"),
    (lambda: next(iter(DataLoader([tinytensor.ones(2), tinytensor.ones(3)], 2))), RuntimeError,
     r"the shapes are \(2,\) at 0 and \(3,\) at 1; bring the samples to one shape, or give a "
     "collate_fn that pads"),
    (lambda: DataLoader([], shuffle=True), ValueError, "the dataset is empty"),
    (lambda: DataLoader([1], batch_size=0), ValueError, "positive integer, got 0"),
])
def test_data_that_does_not_fit(program: Any, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        program()


def test_hinge_loss_takes_both_labels() -> None:
    scores, labels = [0.5, -2.0, 0.3, -0.1], [1, -1, -1, 1]
    expected = torch.relu(1 - torch.tensor(labels) * torch.tensor(scores)).mean().item()
    for dtype in ("int64", "float32", "int8"):
        found = F.hinge_loss(tinytensor.tensor(scores), tinytensor.tensor(labels, dtype=dtype))
        assert found.item() == pytest.approx(expected, rel=1e-6)


# ---------------------------------------------------------------- learning rates


def step(optimizer: Any, p: Any) -> None:
    def closure() -> Any:
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    optimizer.step(closure)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("lr", [-0.1, float("nan")])
def test_negative_rates(name: str, lr: float) -> None:
    p = nn.Parameter(tinytensor.ones(2))
    make = getattr(optim, name)
    said = f"Invalid learning rate: {lr}; it must be at least 0"
    with pytest.raises(ValueError, match=said):
        make([p], lr=lr)
    with pytest.raises(ValueError, match=said):
        make([{"params": [p], "lr": lr}], lr=0.1)
    optimizer = make([p], lr=0.1)
    if name != "LBFGS":  # LBFGS has only one group
        with pytest.raises(ValueError, match=said):
            optimizer.add_param_group({"params": [nn.Parameter(tinytensor.ones(1))], "lr": lr})
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_rate_of_0_warns_at_the_second_step(name: str) -> None:
    p = nn.Parameter(tinytensor.ones(2))
    optimizer = getattr(optim, name)([p], lr=0.0)
    step(optimizer, p)  # a program may raise it from 0
    with pytest.warns(UserWarning, match=f"{name}.step: the learning rate of parameter group 0 is "
                                         "0, so nothing is learned there") as caught:
        step(optimizer, p)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step(optimizer, p)  # warns only once
    assert p.tolist() == [1.0, 1.0]


def test_a_rate_that_starts_at_0_and_rises_does_not_warn() -> None:
    """The rate is set by a scheduler, or by the program before every step."""
    p = nn.Parameter(tinytensor.ones(2))
    optimizer = optim.SGD([p], lr=0.1)
    scheduler = optim.lr_scheduler.LambdaLR(optimizer, lambda t: t / 4)
    assert optimizer.param_groups[0]["lr"] == 0
    step(optimizer, p)
    scheduler.step()
    by_hand = optim.SGD([p], lr=0.1)
    for i in range(3):
        by_hand.param_groups[0]["lr"] = 0.1 * i
        step(by_hand, p)


def test_one_group_of_several_with_a_rate_of_0() -> None:
    p, q = nn.Parameter(tinytensor.ones(2)), nn.Parameter(tinytensor.ones(2))
    optimizer = optim.SGD([{"params": [q]}, {"params": [p], "lr": 0.0}], lr=0.1)
    step(optimizer, p)
    with pytest.warns(UserWarning, match="of parameter group 1 is 0"):
        step(optimizer, p)


def test_a_nan_is_traced_to_the_operation_where_it_begins() -> None:
    x = nn.Parameter(tinytensor.tensor([1.0, -1.0]))
    with pytest.raises(RuntimeError, match=r"forward of log, called at .*test_misuse\.py"), \
            tinytensor.autograd.detect_anomaly():
        (x.log() * 2).sum()


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_a_misspelt_option_is_an_error(name: str) -> None:
    function = getattr(nn.functional, name)
    x = tinytensor.ones(2, 3)
    assert function(x, axis=0).tolist() == function(x, 0).tolist() != function(x, 1).tolist()
    with pytest.raises(TypeError, match=f"{name}.*unexpected keyword argument 'dims'"):
        function(x, 1, dims=0)
