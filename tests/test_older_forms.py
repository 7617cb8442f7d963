"""PyTorch's older call forms: they give PyTorch's results, and no signature shows them."""

from __future__ import annotations

import inspect
import pickle
import warnings

import numpy
import pytest
import torch
from operations import in_turn

import tinytensor
from tinytensor import nn
from tinytensor.autograd.table import TABLE
from tinytensor.compat import older_forms

RNG = numpy.random.default_rng(0)
X, Y, Z = (RNG.uniform(0.1, 0.9, (3, 4)) for _ in range(3))
LABELS = numpy.array([2, 0, 3])
SIGNS = numpy.array([1, -1, 1])
OLDER_NAMES = {"size_average", "reduce", "_stacklevel", "tensor"}

# The arguments of each loss before `size_average`.
INPUTS = {
    "cross_entropy": (X, LABELS, None), "nll_loss": (X, LABELS, None),
    "binary_cross_entropy": (X, Y, None), "binary_cross_entropy_with_logits": (X, Y, None),
    "poisson_nll_loss": (X, Y, True, False), "hinge_embedding_loss": (X, Y.round() * 2 - 1, 0.7),
    "margin_ranking_loss": (X, Y, Z.round() * 2 - 1, 0.2),
    "multilabel_soft_margin_loss": (X, Y, None),
    "multilabel_margin_loss": (X, numpy.array([[1, 0, -1, 2]] * 3)),
    "multi_margin_loss": (X, LABELS, 2, 0.5, None),
    "triplet_margin_loss": (X, Y, Z, 1.0, 2, 1e-6, False),
    "cosine_embedding_loss": (X, Y, SIGNS, 0.1)}
OTHERS = {"ignore_index": -1, "label_smoothing": 0.1, "eps": 1e-3, "weight": None,
          "pos_weight": None, "beta": 0.5, "log_target": True, "reduction": "mean"}


def call(library, function, arguments, **named):
    """The result of a function of a library, as numbers."""
    given = [library.tensor(x) if isinstance(x, numpy.ndarray) else x for x in arguments]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(library, *given, **named).tolist()


def loss(name):
    return lambda library, *given, **named: getattr(library.nn.functional, name)(*given, **named)


@in_turn("name", older_forms.FROM_SIZE_AVERAGE)
def test_losses_take_the_flags_by_position(name):
    order = older_forms.FROM_SIZE_AVERAGE[name]
    for size_average, reduce in ((False, None), (None, False), (True, True), (None, None)):
        options = {**OTHERS, "size_average": size_average, "reduce": reduce}
        if name == "smooth_l1_loss" and (size_average, reduce) != (None, None):
            options["beta"] = 1.0
        arguments = (*INPUTS.get(name, (X, Y)), *(options[word] for word in order))
        if name in ("mse_loss", "l1_loss"):
            arguments = arguments[:-1]  # older versions had no weight
        mine, theirs = (call(library, loss(name), arguments) for library in (tinytensor, torch))
        numpy.testing.assert_allclose(mine, theirs, rtol=1e-12)


@in_turn("key", older_forms.ADAPTERS)
def test_signatures_are_the_present_ones(key):
    function = TABLE[key].function
    assert not OLDER_NAMES & set(inspect.signature(function).parameters)
    assert inspect.signature(function.__wrapped__) == inspect.signature(function)


@in_turn("name", older_forms.FROM_SIZE_AVERAGE)
def test_adapted_losses_can_be_pickled(name):
    function = getattr(nn.functional, name)
    assert pickle.loads(pickle.dumps(function)) is function


@in_turn("name", [name for name, kind in vars(nn).items()
                  if inspect.isclass(kind) and issubclass(kind, nn.loss.Loss)])
def test_signatures_of_loss_modules_are_the_present_ones(name):
    assert not OLDER_NAMES & set(inspect.signature(getattr(nn, name)).parameters)


def test_loss_modules_take_the_flags_by_position():
    made = {
        "sum": [nn.MSELoss(False), nn.CrossEntropyLoss(None, False), nn.NLLLoss(size_average=False),
                nn.TripletMarginLoss(1.0, 2.0, 1e-6, False, False)],
        "none": [nn.MSELoss(True, False), nn.KLDivLoss(reduce=False),
                 nn.MultiMarginLoss(1, 1.0, None, None, False)],
        "mean": [nn.L1Loss(True), nn.PoissonNLLLoss(True, False, None, 1e-8, None, "mean")]}
    for reduction, losses in made.items():
        assert [loss.reduction for loss in losses] == [reduction] * len(losses)
    options = nn.CrossEntropyLoss(None, None, 3, None, "sum", 0.25)
    assert (options.ignore_index, options.reduction, options.label_smoothing) == (3, "sum", 0.25)
    assert not hasattr(options, "size_average")


def test_too_many_and_repeated_arguments_are_refused():
    x = tinytensor.tensor(X)
    with pytest.raises(TypeError, match="mse_loss: takes at most 6 positional arguments, got 7"):
        nn.functional.mse_loss(x, x, None, None, "mean", None, None)
    with pytest.raises(TypeError, match="l1_loss: reduction given by position and by name"):
        nn.functional.l1_loss(x, x, None, None, "mean", reduction="sum")
    with pytest.raises(TypeError, match="MSELoss: takes at most 4"):
        nn.MSELoss(None, None, "mean", None, None)


NUMBER_FIRST = {
    "add": lambda library, x, y, z: library.add(x, 2, y) + x.add(0.5, y),
    "sub": lambda library, x, y, z: library.sub(x, 2, y) - x.clone().sub_(0.5, y),
    "addcmul": lambda library, x, y, z: library.addcmul(x, -1, y, z) + x.addcmul(2, y, z),
    "addcdiv": lambda library, x, y, z: x.clone().addcdiv_(-1, y, z),
}


@in_turn("name", NUMBER_FIRST)
def test_a_number_before_the_tensor(name):
    mine, theirs = (call(library, NUMBER_FIRST[name], (X, Y, Z)) for library in (tinytensor, torch))
    numpy.testing.assert_allclose(mine, theirs, rtol=1e-12)


@in_turn("name", ["softmax", "log_softmax", "softmin"])
def test_a_stacklevel_has_no_effect(name):
    function = getattr(nn.functional, name)
    x = tinytensor.tensor(X)
    expected = function(x, 1).tolist()
    assert function(x, 1, 5).tolist() == function(x, dim=1, _stacklevel=2).tolist() == expected
    double = function(x, 1, 3, tinytensor.float64)
    assert double.dtype is function(x, 1, tinytensor.float64).dtype is tinytensor.float64
    assert double.tolist() == expected
