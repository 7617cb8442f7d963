"""Modules against PyTorch's: the same weights give the same outputs, gradients and names."""

from __future__ import annotations

import copy
import inspect
import math
import pickle
from typing import Any

import numpy
import pytest
import torch
from operations import in_turn

import tinytensor
from tinytensor import nn
from tinytensor.checking.calls import values


def load_ours(mine: Any, theirs: Any) -> None:
    """Loads PyTorch's weights and buffers into our module."""
    mine.load_state_dict({k: tinytensor.tensor(v.numpy()) for k, v in theirs.state_dict().items()})


class Fixed(numpy.ndarray[Any, Any]):
    """A floating point input that does not require grad."""


def inputs_of(*arrays: Any) -> tuple[list[Any], list[Any]]:
    """The same inputs for both libraries. Floating point inputs require grad."""
    grad = [a.dtype.kind == "f" and not isinstance(a, Fixed) for a in arrays]
    mine = [tinytensor.tensor(numpy.array(a), requires_grad=g)
            for a, g in zip(arrays, grad, strict=True)]
    theirs = [torch.tensor(numpy.array(a), requires_grad=g)
              for a, g in zip(arrays, grad, strict=True)]
    return mine, theirs


def assert_close(mine: Any, theirs: Any, what: str = "", tolerance: float = 1e-10) -> None:
    numpy.testing.assert_allclose(values(mine), values(theirs), rtol=tolerance, atol=tolerance,
                                  err_msg=what)


def assert_same_results(mine: Any, theirs: Any, *arrays: Any) -> None:
    """Asserts equal outputs, gradients of inputs and parameters, and buffers afterwards."""
    single = isinstance(theirs, torch.nn.Hardsigmoid)  # PyTorch's slope of 1/6 is a float32
    tolerance = 1e-7 if single else 1e-10
    ours, reference = inputs_of(*arrays)
    out, expected = mine(*ours), theirs(*reference)
    assert_close(out, expected, "output")
    if expected.requires_grad:
        weight = numpy.random.default_rng(7).uniform(0.5, 1.5, tuple(expected.shape))
        (out * tinytensor.tensor(weight)).sum().backward()
        (expected * torch.tensor(weight)).sum().backward()
    for a, b in zip(ours, reference, strict=True):
        if b.grad is not None:
            assert_close(a.grad, b.grad, "gradient of an input", tolerance)
    for (name, a), (_, b) in zip(mine.named_parameters(), theirs.named_parameters(), strict=True):
        if b.grad is not None:
            assert_close(a.grad, b.grad, f"gradient of {name}")
    for (name, a), (_, b) in zip(mine.named_buffers(), theirs.named_buffers(), strict=True):
        assert_close(a, b, name)


def normal(*shape: int, seed: int = 0) -> Any:
    return numpy.random.default_rng(seed + sum(shape)).normal(size=shape)


def probabilities(*shape: int, seed: int = 0) -> Any:
    return numpy.random.default_rng(seed + sum(shape)).uniform(0.05, 0.95, size=shape)


def signs(*shape: int) -> Any:
    return numpy.where(normal(*shape, seed=3) > 0, 1.0, -1.0).view(Fixed)


def labels(*shape: int, high: int = 3) -> Any:
    return numpy.random.default_rng(5).integers(0, high, size=shape)


class Case:
    """A module by name and arguments, and the shapes or arrays of its inputs."""

    def __init__(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], inputs: Any):
        self.name, self.args, self.kwargs, self.inputs = name, args, kwargs, inputs

    def made(self, library: Any) -> Any:
        kwargs = {k: library.tensor(v, dtype=library.float64) if isinstance(v, numpy.ndarray)
                  else v for k, v in self.kwargs.items()}
        return getattr(library.nn, self.name)(*self.args, **kwargs)

    def __repr__(self) -> str:
        options = [*map(repr, self.args), *(f"{k}={v!r}" for k, v in self.kwargs.items())]
        return f"{self.name}({', '.join(options)})"


def case(name: str, *args: Any, inputs: Any = (), **kwargs: Any) -> Case:
    return Case(name, args, kwargs, inputs)


X = normal(3, 4)
IMAGE, LINE, VOLUME = normal(2, 4, 6, 5), normal(2, 4, 7), normal(2, 2, 4, 3, 5)
PAIR = (normal(3, 4, seed=1), normal(3, 4, seed=2))

ACTIVATIONS = [
    case("ReLU"), case("ReLU6"), case("LeakyReLU"), case("LeakyReLU", 0.2), case("ELU"),
    case("ELU", alpha=0.5), case("SELU"), case("CELU", 2.0), case("SiLU"), case("Mish"),
    case("Hardtanh"), case("Hardtanh", -0.5, 0.7), case("Hardsigmoid"), case("Hardswish"),
    case("Threshold", 0.1, 20.0), case("GELU"), case("GELU", "tanh"), case("Sigmoid"),
    case("Tanh"), case("LogSigmoid"), case("Softplus"), case("Softplus", 2.0, 1.0),
    case("Softsign"), case("Softshrink"), case("Softshrink", 0.2), case("Hardshrink"),
    case("Hardshrink", 0.2), case("Tanhshrink"), case("GLU"),
    case("GLU", 0, inputs=(normal(4, 3),)),
    case("Softmax", 1), case("Softmin", dim=0), case("LogSoftmax", dim=-1), case("PReLU"),
    case("PReLU", 4, init=0.1), case("Softmax2d", inputs=(IMAGE,)),
]
LOSSES = [
    case("L1Loss", inputs=PAIR), case("MSELoss", inputs=PAIR),
    case("MSELoss", reduction="sum", inputs=PAIR), case("MSELoss", reduction="none", inputs=PAIR),
    case("SmoothL1Loss", beta=0.5, inputs=PAIR), case("HuberLoss", delta=0.7, inputs=PAIR),
    case("CrossEntropyLoss", inputs=(X, labels(3))),
    case("CrossEntropyLoss", weight=probabilities(4), ignore_index=1, label_smoothing=0.1,
         inputs=(X, labels(3))),
    case("NLLLoss", weight=probabilities(4), reduction="sum", inputs=(X, labels(3))),
    case("BCELoss", inputs=(probabilities(3, 4), probabilities(3, 4, seed=1))),
    case("BCEWithLogitsLoss", pos_weight=probabilities(4),
         inputs=(X, probabilities(3, 4))),
    case("KLDivLoss", reduction="batchmean", inputs=(X, probabilities(3, 4))),
    case("KLDivLoss", reduction="sum", log_target=True, inputs=PAIR),
    case("PoissonNLLLoss", full=True, inputs=(X, 3 * probabilities(3, 4))),
    case("GaussianNLLLoss", full=True, inputs=(*PAIR, probabilities(3, 4))),
    case("HingeEmbeddingLoss", 0.5, inputs=(X, signs(3, 4))),
    case("SoftMarginLoss", inputs=(X, signs(3, 4))),
    case("MarginRankingLoss", 0.3, inputs=(normal(5), normal(5, seed=1), signs(5))),
    case("CosineEmbeddingLoss", 0.1, inputs=(*PAIR, signs(3))),
    case("MultiMarginLoss", 2, 0.8, inputs=(X, labels(3))),
    case("MultiLabelMarginLoss", inputs=(X, numpy.array([[0, 2, -1, 1], [3, -1, 0, 0],
                                                         [1, 2, 3, -1]]))),
    case("MultiLabelSoftMarginLoss", inputs=(X, (probabilities(3, 4) > 0.5) * 1.0)),
    case("TripletMarginLoss", 0.7, swap=True, inputs=(*PAIR, normal(3, 4, seed=9))),
]
LAYERS = [
    case("Linear", 4, 3), case("Linear", 4, 3, bias=False), case("Identity"),
    case("Flatten", inputs=(IMAGE,)), case("Flatten", 0, 1, inputs=(IMAGE,)),
    case("Unflatten", 1, (2, 2)), case("Embedding", 5, 3, inputs=(labels(2, 4, high=5),)),
    case("Embedding", 5, 3, padding_idx=-4, inputs=(labels(2, 4),)),
    case("Embedding", 5, 3, max_norm=1.0, inputs=(labels(2, 4),)),
    case("EmbeddingBag", 5, 3, inputs=(labels(2, 4, high=5),)),
    case("EmbeddingBag", 5, 3, 1.0, mode="sum", padding_idx=-4, inputs=(labels(2, 4),)),
    case("EmbeddingBag", 5, 3, mode="max", inputs=(labels(7, high=5), numpy.array([0, 3, 3]))),
    case("LayerNorm", 4), case("LayerNorm", (6, 5), inputs=(IMAGE,)),
    case("LayerNorm", 4, bias=False), case("LayerNorm", 4, 1e-3, elementwise_affine=False),
    case("RMSNorm", 4), case("RMSNorm", (4,), 1e-3, False),
    case("GroupNorm", 2, 4, inputs=(IMAGE,)), case("GroupNorm", 2, 4, affine=False, inputs=(LINE,)),
    case("GroupNorm", 2, 4, bias=False, inputs=(LINE,)),
    case("BatchNorm1d", 4), case("BatchNorm1d", 4, inputs=(LINE,)),
    case("BatchNorm1d", 4, 1e-3, None, bias=False), case("BatchNorm1d", 4, affine=False),
    case("BatchNorm2d", 4, momentum=0.3, inputs=(IMAGE,)),
    case("BatchNorm2d", 4, track_running_stats=False, inputs=(IMAGE,)),
    case("BatchNorm3d", 2, inputs=(VOLUME,)),
    case("InstanceNorm1d", 4, inputs=(LINE,)), case("InstanceNorm1d", 2, inputs=(normal(2, 5),)),
    case("InstanceNorm2d", 4, affine=True, track_running_stats=True, inputs=(IMAGE,)),
    case("InstanceNorm3d", 2, affine=True, inputs=(VOLUME,)),
    case("LocalResponseNorm", 2, inputs=(IMAGE,)), case("LocalResponseNorm", 3, 0.1, 0.5, 2.0,
                                                        inputs=(IMAGE,)),
    case("Conv1d", 4, 6, 3, inputs=(LINE,)),
    case("Conv1d", 4, 6, 2, stride=2, padding=1, groups=2, bias=False, inputs=(LINE,)),
    case("Conv2d", 4, 3, (3, 2), 2, 1, inputs=(IMAGE,)),
    case("Conv2d", 4, 4, 3, padding="same", dilation=2, groups=4, inputs=(IMAGE,)),
    case("Conv2d", 4, 3, 3, padding="valid", inputs=(IMAGE[0],)),
    case("Conv2d", 4, 3, 3, padding=(2, 1), padding_mode="circular", inputs=(IMAGE,)),
    case("Conv2d", 4, 3, (2, 3), padding="same", padding_mode="reflect", inputs=(IMAGE,)),
    case("Conv2d", 4, 3, 3, padding=1, padding_mode="replicate", inputs=(IMAGE,)),
    case("Conv3d", 2, 3, 2, inputs=(VOLUME,)),
    case("ConvTranspose1d", 4, 6, 3, 2, groups=2, inputs=(LINE,)),
    case("ConvTranspose2d", 4, 3, 3, 2, 1, 1, dilation=2, inputs=(IMAGE,)),
    case("ConvTranspose3d", 2, 3, 2, bias=False, inputs=(VOLUME,)),
    case("MaxPool1d", 3, inputs=(LINE,)), case("MaxPool2d", 2, 1, 1, inputs=(IMAGE,)),
    case("MaxPool2d", (3, 2), ceil_mode=True, inputs=(IMAGE,)),
    case("MaxPool3d", 2, inputs=(VOLUME,)), case("AvgPool1d", 2, inputs=(LINE,)),
    case("AvgPool2d", (2, 3), padding=1, count_include_pad=False, inputs=(IMAGE,)),
    case("AvgPool2d", 2, divisor_override=3, inputs=(IMAGE,)),
    case("AvgPool3d", 2, inputs=(VOLUME,)), case("LPPool2d", 2.0, 2, inputs=(IMAGE ** 2,)),
    case("LPPool1d", 2.0, 2, inputs=(LINE ** 2,)), case("AdaptiveAvgPool1d", 3, inputs=(LINE,)),
    case("AdaptiveAvgPool2d", (None, 2), inputs=(IMAGE,)),
    case("AdaptiveAvgPool3d", 2, inputs=(VOLUME,)), case("AdaptiveMaxPool1d", 3, inputs=(LINE,)),
    case("AdaptiveMaxPool2d", (3, 2), inputs=(IMAGE,)),
    case("AdaptiveMaxPool3d", 2, inputs=(VOLUME,)),
    case("ConstantPad1d", 2, 3.5, inputs=(LINE,)), case("ConstantPad2d", (1, 0, 2, 1), 0.5,
                                                       inputs=(IMAGE,)),
    case("ConstantPad3d", 1, 2.0, inputs=(VOLUME,)), case("ZeroPad1d", 1, inputs=(LINE,)),
    case("ZeroPad2d", (1, 2, 0, 1), inputs=(IMAGE,)), case("ZeroPad3d", 1, inputs=(VOLUME,)),
    case("ReflectionPad1d", 2, inputs=(LINE,)), case("ReflectionPad2d", (1, 2, 2, 1),
                                                     inputs=(IMAGE,)),
    case("ReflectionPad3d", 1, inputs=(VOLUME,)), case("ReplicationPad1d", 2, inputs=(LINE,)),
    case("ReplicationPad2d", 1, inputs=(IMAGE,)), case("ReplicationPad3d", 1, inputs=(VOLUME,)),
    case("CircularPad1d", 2, inputs=(LINE,)), case("CircularPad2d", 1, inputs=(IMAGE,)),
    case("CircularPad3d", 1, inputs=(VOLUME,)), case("PixelShuffle", 2, inputs=(IMAGE,)),
    case("PixelUnshuffle", 2, inputs=(normal(2, 1, 4, 6),)),
    case("ChannelShuffle", 2, inputs=(IMAGE,)),
    case("Upsample", scale_factor=2, inputs=(IMAGE,)), case("Upsample", (3, 8), inputs=(IMAGE,)),
    case("Upsample", scale_factor=1.5, mode="bilinear", align_corners=True, inputs=(IMAGE,)),
    case("UpsamplingNearest2d", scale_factor=2, inputs=(IMAGE,)),
    case("UpsamplingBilinear2d", (7, 4), inputs=(IMAGE,)), case("Unfold", 2, inputs=(IMAGE,)),
    case("Unfold", (2, 3), padding=1, stride=2, inputs=(IMAGE,)),
    case("Fold", (3, 4), 2, inputs=(normal(1, 8, 6),)),
    case("CosineSimilarity", 0, inputs=PAIR), case("PairwiseDistance", 3.0, inputs=PAIR),
    case("Bilinear", 4, 3, 2, inputs=(X, normal(3, 3))),
    case("Dropout", 0.0), case("Dropout2d", 0.0, inputs=(IMAGE,)),
]
ALL = ACTIVATIONS + LOSSES + LAYERS
PRINTED = [
    case("ReLU", inplace=True), case("LeakyReLU", 0.1, True), case("Dropout", 0.2, True),
    case("RReLU"), case("RReLU", 0.1, 0.3, True), case("Hardtanh", -2, 2, True),
    case("Threshold", 1, 2, True), case("Dropout1d"), case("Dropout3d"), case("AlphaDropout", 0.1),
    case("FeatureAlphaDropout"), case("MaxUnpool1d", 2), case("MaxUnpool2d", (2, 3), 1),
    case("MaxUnpool3d", 2), case("Embedding", 4, 2, scale_grad_by_freq=True),
    case("EmbeddingBag", 4, 2, 1.0, 3.0, True, padding_idx=1), case("CTCLoss", 1),
    case("AdaptiveLogSoftmaxWithLoss", 16, 9, [2, 5], head_bias=True),
    case("LPPool3d", 2, 2), case("TripletMarginWithDistanceLoss", distance_function=abs),
]


# ---------------------------------------------------------------- every layer


@pytest.mark.parametrize("case", ALL, ids=repr)
def test_results_and_gradients(case: Case) -> None:
    theirs, mine = case.made(torch), case.made(tinytensor)
    theirs, mine = theirs.double(), mine.double()
    load_ours(mine, theirs)
    assert_same_results(mine, theirs, *(case.inputs or (X,)))


@pytest.mark.parametrize("case", [c for c in LAYERS if "Norm" in c.name or "Drop" in c.name],
                         ids=repr)
def test_evaluation(case: Case) -> None:
    theirs, mine = case.made(torch).double(), case.made(tinytensor).double()
    load_ours(mine, theirs)
    for module, library in ((mine, tinytensor), (theirs, torch)):
        module(*[library.tensor(x) for x in case.inputs or (X,)])
        assert module.eval() is module and not module.training
    assert_same_results(mine, theirs, *(2 * x + 1 for x in case.inputs or (X,)))


@in_turn("case", ALL + PRINTED)
def test_repr_and_names(case: Case) -> None:
    theirs, mine = case.made(torch), case.made(tinytensor)
    assert repr(mine) == repr(theirs)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    assert [tuple(v.shape) for v in mine.state_dict().values()] == \
        [tuple(v.shape) for v in theirs.state_dict().values()]
    assert all(v.dtype.name == str(w.dtype).partition(".")[2] for v, w in zip(
        mine.state_dict().values(), theirs.state_dict().values(), strict=True))


def every_class() -> list[str]:
    return [name for name, kind in vars(nn).items()
            if inspect.isclass(kind) and issubclass(kind, nn.Module)
            and hasattr(torch.nn, name) and name != "Module"]


def default_name(default: Any) -> Any:
    """The name of a default that is a function, such as relu. Other defaults unchanged."""
    return default.__name__ if inspect.isroutine(default) else default


@in_turn("name", every_class())
def test_signatures(name: str) -> None:
    """Constructors have the same arguments, order and defaults."""
    mine = inspect.signature(getattr(nn, name)).parameters
    theirs = inspect.signature(getattr(torch.nn, name)).parameters
    if any(p.kind is p.VAR_POSITIONAL for p in theirs.values()):
        return  # PyTorch's module accepts any arguments
    older = {"size_average", "reduce", *(["min_value", "max_value"] if name == "Hardtanh" else [])}
    expected = [(n, p.default) for n, p in theirs.items() if n not in older]
    found = [(n, None if p.default is p.empty and p.annotation == "Tensor | None" else p.default)
             for n, p in mine.items()]
    if name not in ("ParameterDict", "ParameterList", "ModuleList", "ModuleDict"):
        assert [(n, default_name(d)) for n, d in found] == \
            [(n, default_name(d)) for n, d in expected]
    assert (getattr(nn, name).__doc__ or "").strip()


@in_turn("name", every_class())
def test_every_layer_has_its_function(name: str) -> None:
    """The function that a module names exists in nn.functional."""
    function = getattr(getattr(nn, name), "function", None)
    assert function is None or hasattr(nn.functional, function)


def test_function_modules_check_their_arguments() -> None:
    with pytest.raises(TypeError, match=r"LeakyReLU.*slope"):
        nn.LeakyReLU(slope=0.1)
    with pytest.raises(TypeError, match=r"Threshold.*value"):
        nn.Threshold(0.1)


def test_inplace_activations_write_into_their_input() -> None:
    x = tinytensor.tensor([-1.0, 2.0], requires_grad=True)
    y = x * 1
    assert nn.ReLU(inplace=True)(y) is y
    assert y.tolist() == [0.0, 2.0]
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 1.0]


def test_legacy_reductions() -> None:
    with_warning = [{"size_average": False}, {"reduce": False}, {"size_average": True}]
    assert [nn.MSELoss(**options).reduction for options in with_warning] == ["sum", "none", "mean"]
    assert nn.CrossEntropyLoss(None, False).reduction == "sum"


def test_loss_weights_are_buffers() -> None:
    loss = nn.CrossEntropyLoss(weight=tinytensor.ones(3))
    assert [name for name, _ in loss.named_buffers()] == ["weight"]
    assert loss.double().weight.dtype is tinytensor.float64
    assert list(loss.state_dict()) == ["weight"]
    assert list(nn.CrossEntropyLoss().state_dict()) == []


def test_dropout_only_while_training() -> None:
    tinytensor.manual_seed(0)
    drop, x = nn.Dropout(0.25), tinytensor.ones(10000)
    out = drop(x)
    assert out.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert abs((out == 0).float().mean().item() - 0.25) < 0.02
    assert drop.eval()(x).tolist() == x.tolist()
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        nn.Dropout(1.5)


def test_random_slopes_of_rrelu() -> None:
    tinytensor.manual_seed(0)
    layer, x = nn.RReLU(0.2, 0.4), -tinytensor.ones(1000)
    out = layer(x)
    assert -0.4 <= out.min().item() < -0.39 and -0.21 < out.max().item() <= -0.2
    assert layer.eval()(x).tolist() == pytest.approx([-0.3] * 1000)
    x = x.clone()
    assert nn.RReLU(0.1, 0.1, inplace=True)(x) is x and x[0].item() == pytest.approx(-0.1)


def test_losses_take_their_inputs_by_name() -> None:
    x, y = tinytensor.ones(3), tinytensor.zeros(3)
    assert nn.MSELoss(reduction="sum")(input=x, target=y).item() == 3.0


def test_bilinear_names_shapes_that_do_not_fit() -> None:
    with pytest.raises(RuntimeError, match=r"bilinear: inputs \(2, 3\) and \(2, 5\)"):
        nn.Bilinear(3, 4, 2)(tinytensor.zeros(2, 3), tinytensor.zeros(2, 5))


def test_max_unpool_undoes_max_pool() -> None:
    mine, theirs = inputs_of(IMAGE)
    out, where = nn.MaxPool2d(2, return_indices=True)(mine[0])
    expected, there = torch.nn.MaxPool2d(2, return_indices=True)(theirs[0])
    assert_close(nn.MaxUnpool2d(2)(out, where, output_size=IMAGE.shape),
                 torch.nn.MaxUnpool2d(2)(expected, there, output_size=IMAGE.shape))


def test_transposed_convolution_to_a_given_size() -> None:
    theirs = torch.nn.ConvTranspose2d(4, 3, 3, stride=3).double()
    mine = nn.ConvTranspose2d(4, 3, 3, stride=3).double()
    load_ours(mine, theirs)
    ours, reference = inputs_of(IMAGE)
    assert_close(mine(ours[0], output_size=(20, 16)), theirs(reference[0], output_size=(20, 16)))
    with pytest.raises(ValueError, match="output_size"):
        mine(ours[0], output_size=(40, 16))


def test_embedding_from_pretrained() -> None:
    table = tinytensor.tensor([[1.0, 2.0], [3.0, 4.0]])
    layer = nn.Embedding.from_pretrained(table)
    assert not layer.weight.requires_grad
    assert layer(tinytensor.tensor([1, 0])).tolist() == [[3.0, 4.0], [1.0, 2.0]]
    table[0, 0] = 7.0
    assert layer.weight[0, 0].item() == 7.0
    assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad
    with pytest.raises(ValueError, match="padding_idx"):
        nn.Embedding(3, 2, padding_idx=3)


def test_embedding_bag_from_pretrained() -> None:
    weight = tinytensor.rand(3, 2)
    bag = nn.EmbeddingBag.from_pretrained(weight, mode="sum")
    assert not bag.weight.requires_grad and bag.weight.data_ptr() == weight.data_ptr()
    assert (bag(tinytensor.tensor([[0, 2]]))[0] == weight[0] + weight[2]).all()
    assert nn.EmbeddingBag.from_pretrained(weight, freeze=False).weight.requires_grad
    with pytest.raises(ValueError, match="sparse=True is not supported"):
        nn.EmbeddingBag(3, 2, sparse=True)
    with pytest.raises(ValueError, match="EmbeddingBag: the weight must be a matrix"):
        nn.EmbeddingBag.from_pretrained(tinytensor.rand(3))


def test_gradients_of_bags_divided_by_how_often_a_row_is_used() -> None:
    weight = tinytensor.zeros(4, 1, requires_grad=True)
    positions = tinytensor.tensor([0, 3, 3, 1, 3, 0])
    nn.functional.embedding_bag(positions, weight, tinytensor.tensor([0, 2]), mode="sum",
                                scale_grad_by_freq=True, padding_idx=1).sum().backward()
    assert weight.grad.flatten().tolist() == [1.0, 0.0, 0.0, 1.0]


def test_adaptive_softmax_against_pytorch() -> None:
    mine, theirs = (library.nn.AdaptiveLogSoftmaxWithLoss(
        8, 20, [4, 10], div_value=2.0, head_bias=True).double() for library in (tinytensor, torch))
    load_ours(mine, theirs)
    (x,), (y,) = inputs_of(normal(7, 8))
    target = [0, 3, 4, 9, 10, 19, 5]
    found, expected = mine(x, tinytensor.tensor(target)), theirs(y, torch.tensor(target))
    assert_close(found.output, expected.output)
    found.loss.backward(), expected.loss.backward()
    assert_close(x.grad, y.grad)
    for (name, a), (_, b) in zip(mine.named_parameters(), theirs.named_parameters(), strict=True):
        assert_close(a.grad, b.grad, name)
    assert_close(mine.log_prob(x), theirs.log_prob(y))
    assert mine.predict(x).tolist() == theirs.predict(y).tolist()
    single = mine(x[0], tinytensor.tensor(4))
    assert single.output.ndim == 0
    assert_close(single.output, theirs(y[0], torch.tensor(4)).output)
    with pytest.raises(RuntimeError, match=r"labels must be in \[0, 19\], got 3 to 20"):
        mine(x[:2], tinytensor.tensor([3, 20]))
    with pytest.raises(RuntimeError, match=r"got \(7, 8\) and \(2,\)"):
        mine(x, tinytensor.tensor([3, 2]))
    before = mine.head.weight.detach().clone()
    mine.reset_parameters()
    assert (mine.head.weight != before).any()


@pytest.mark.parametrize(("make", "error"), [
    (lambda n: n.AdaptiveLogSoftmaxWithLoss(4, 5, [3, 2]), r"1 and .* 4, got \[3, 2\]"),
    (lambda n: n.Conv2d(3, 4, 2, groups=2), "groups"),
    (lambda n: n.Conv2d(4, 4, 2, stride=2, padding="same"), "same"),
    (lambda n: n.Conv2d(4, 4, 2, padding_mode="mirror"), "mirror"),
    (lambda n: n.Conv2d(4, 4, 2, padding="all"), "all"),
    (lambda n: n.ConvTranspose2d(4, 4, 2, padding_mode="circular"), "zeros"),
    (lambda n: n.GroupNorm(3, 4), "3"),
])
def test_options_that_do_not_fit(make: Any, error: str) -> None:
    with pytest.raises(ValueError):
        make(torch.nn)
    with pytest.raises(ValueError, match=error):
        make(nn)


@pytest.mark.parametrize(("layer", "shape"), [
    (nn.BatchNorm1d(2), (2, 2, 3, 3)), (nn.BatchNorm2d(2), (2, 2, 3)),
    (nn.InstanceNorm2d(2), (3, 2)), (nn.Softmax2d(), (2, 3))])
def test_inputs_of_another_number_of_dims(layer: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"the input must be \("):
        layer(tinytensor.zeros(shape))


# ---------------------------------------------------------------- Parameter and Buffer


def test_parameter() -> None:
    data = tinytensor.tensor([1.0, 2.0])
    p = nn.Parameter(data)
    assert isinstance(p, nn.Parameter) and isinstance(p, tinytensor.Tensor)
    assert p.requires_grad and p.is_leaf
    assert not nn.Parameter(data, requires_grad=False).requires_grad
    data[0] = 5.0
    assert p.tolist() == [5.0, 2.0]
    assert not isinstance(p * 2, nn.Parameter)
    assert repr(p) == "Parameter containing:\ntensor([5., 2.], requires_grad=True)"
    assert nn.Parameter().shape == (0,)
    assert nn.Parameter(tinytensor.tensor([1, 2]), requires_grad=False).dtype is tinytensor.int64
    with pytest.raises(TypeError):
        nn.Parameter([1.0])
    with pytest.raises(RuntimeError):
        nn.Parameter(tinytensor.tensor([1, 2]))


@pytest.mark.parametrize("again", [copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))],
                         ids=["deepcopy", "pickle"])
def test_copies_of_parameters(again: Any) -> None:
    p = nn.Parameter(tinytensor.tensor([1.0, 2.0]), requires_grad=False)
    q = again(p)
    assert type(q) is nn.Parameter and q.tolist() == [1.0, 2.0] and not q.requires_grad
    q += 1
    assert p.tolist() == [1.0, 2.0]
    assert again(nn.Parameter(tinytensor.ones(1))).requires_grad


# ---------------------------------------------------------------- Module


def build(library: Any) -> Any:
    """The same model in both libraries, with many kinds of modules, parameters and buffers."""
    modules, ones = library.nn, library.ones

    class Block(modules.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = modules.BatchNorm1d(3)
            self.scale = modules.Parameter(ones(3))
            self.register_buffer("counter", library.zeros(2), persistent=False)
            self.register_buffer("table", ones(2))
            self.nothing = None
            self.register_parameter("absent", None)
            self.register_buffer("hole", None)

        def forward(self, x: Any) -> Any:
            return self.norm(x) * self.scale

    class Net(modules.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = modules.Linear(2, 3)
            self.blocks = modules.ModuleList([Block(), Block()])
            self.heads = modules.ModuleDict({"a": modules.Linear(3, 2, bias=False)})
            self.tied = self.heads["a"]
            self.gains = modules.ParameterList([ones(2), ones(1)])
            self.extras = modules.ParameterDict({"u": ones(1)})

        def forward(self, x: Any) -> Any:
            x = self.first(x)
            for block in self.blocks:
                x = block(x).relu()
            return self.tied(x) * self.gains[0] + self.extras["u"]

    return Net()


def test_walking() -> None:
    mine, theirs = build(tinytensor), build(torch)
    for walk in ("named_parameters", "named_buffers", "named_modules", "named_children"):
        assert [n for n, _ in getattr(mine, walk)()] == [n for n, _ in getattr(theirs, walk)()]
    for options in ({"recurse": False}, {"remove_duplicate": False}, {"prefix": "p"}):
        assert [n for n, _ in mine.named_parameters(**options)] == \
            [n for n, _ in theirs.named_parameters(**options)]
    assert [n for n, _ in mine.named_modules(prefix="m", remove_duplicate=False)] == \
        [n for n, _ in theirs.named_modules(prefix="m", remove_duplicate=False)]
    assert len(list(mine.parameters())) == len(list(theirs.parameters()))
    assert [m._get_name() for m in mine.modules()] == [m._get_name() for m in theirs.modules()]
    assert mine.get_submodule("blocks.1.norm") is mine.blocks[1].norm
    assert mine.get_submodule("") is mine
    assert mine.get_parameter("blocks.0.scale") is mine.blocks[0].scale
    assert mine.get_buffer("blocks.0.table") is mine.blocks[0].table
    for get, name in ((mine.get_submodule, "blocks.7"), (mine.get_parameter, "blocks.0.table"),
                      (mine.get_buffer, "first.weight"), (mine.get_submodule, "first.weight")):
        with pytest.raises(AttributeError, match=name.rpartition(".")[2]):
            get(name)


def test_state_dict_and_training_against_pytorch() -> None:
    mine, theirs = build(tinytensor), build(torch)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    assert list(mine.state_dict(prefix="x.")) == list(theirs.state_dict(prefix="x."))
    load_ours(mine, theirs)
    assert_same_results(mine.double(), theirs.double(), normal(5, 2))


def test_repr_of_a_model() -> None:
    mine, theirs = (repr(build(library)) for library in (tinytensor, torch))
    assert mine.replace("tinytensor.float32", "torch.float32") == \
        theirs.replace("torch.FloatTensor", "torch.float32")


def test_assignment_registers() -> None:
    module = nn.Module()
    module.weight = None
    module.weight = nn.Parameter(tinytensor.ones(1))
    assert list(module.state_dict()) == ["weight"] == list(module._parameters)
    module.weight = nn.Linear(1, 1)
    assert list(module.state_dict()) == ["weight.weight", "weight.bias"]
    module.weight = None
    assert module.weight is None and "weight" in module._modules
    del module.weight
    assert not hasattr(module, "weight")
    module.weight = 3
    assert vars(module)["weight"] == 3
    module.mean = nn.Buffer(tinytensor.zeros(1), persistent=False)
    assert [n for n, _ in module.named_buffers()] == ["mean"] and not module.state_dict()
    module.mean = tinytensor.ones(1)
    assert module.get_buffer("mean").item() == 1.0
    assert "mean" in dir(module)


@pytest.mark.parametrize("library", [tinytensor, torch])
def test_registries_are_dicts_of_attributes(library: Any) -> None:
    module, made = library.nn.Linear(2, 3), library.nn.Parameter(library.ones(3, 2))
    module._parameters["weight"] = made
    assert module.weight is made and list(module._parameters) == ["weight", "bias"]
    assert module._parameters.pop("bias") is not None and not hasattr(module, "bias")
    module._parameters["last"] = None
    assert module.last is None and dict(module._parameters) == {"weight": made, "last": None}
    assert "nothing" not in module._parameters and "training" not in module._parameters
    with pytest.raises(KeyError, match="training"):
        module._parameters["training"]
    module._buffers.update(mean=library.zeros(1))
    assert module.mean is module._buffers["mean"]
    assert list(module.state_dict()) == ["weight", "mean"]
    module._parameters.clear()
    assert not list(module.parameters()) and not hasattr(module, "weight")


def test_copies_of_a_module_have_registries_of_their_own() -> None:
    module = nn.Linear(2, 3)
    shallow, deep = copy.copy(module), copy.deepcopy(module)
    assert shallow.weight is module.weight is not deep.weight
    assert deep.weight is deep._parameters["weight"]
    for other in (shallow, deep):
        other.bias = None
        other.extra = nn.Parameter(tinytensor.ones(1))
        del other.weight
        assert list(other.state_dict()) == ["extra"]
    assert list(module.state_dict()) == ["weight", "bias"]
    again = pickle.loads(pickle.dumps(module))
    assert again.weight is again._parameters["weight"] and repr(again) == repr(module)


@pytest.mark.parametrize("library", [tinytensor, torch])
def test_a_wrapper_hands_on_what_it_does_not_have(library: Any) -> None:
    class Wrapper(library.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, module: Any):
            super().__init__()
            self.module = module

        def __getattr__(self, name: str) -> Any:
            try:
                return super().__getattr__(name)
            except AttributeError:
                return getattr(super().__getattr__("module"), name)

    layer = library.nn.Linear(2, 3)
    wrapped = Wrapper(layer)
    assert wrapped.module is layer and wrapped.out_features == 3 and wrapped.weight is layer.weight
    with pytest.raises(AttributeError, match="nothing"):
        wrapped.nothing  # noqa: B018


def test_a_shared_parameter_keeps_its_place() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    assert list(model.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert [n for n, _ in model.named_parameters()] == ["0.weight", "0.bias", "1.bias"]
    model.double()
    assert model[1].weight is model[0].weight


@pytest.mark.parametrize(("act", "error"), [
    (lambda m, lib: setattr(m, "weight", lib.ones(1)), TypeError),
    (lambda m, lib: setattr(m, "weight", 1), TypeError),
    (lambda m, lib: setattr(m, "child", 1), TypeError),
    (lambda m, lib: setattr(m, "buffer", 1), TypeError),
    (lambda m, lib: m.register_parameter("a.b", None), KeyError),
    (lambda m, lib: m.register_parameter("", None), KeyError),
    (lambda m, lib: m.register_parameter(1, None), TypeError),
    (lambda m, lib: m.register_parameter("forward", None), KeyError),
    (lambda m, lib: m.register_parameter("p", lib.ones(1)), TypeError),
    (lambda m, lib: m.register_buffer("p", 1), TypeError),
    (lambda m, lib: m.add_module("p", 1), TypeError),
    (lambda m, lib: m.nothing, AttributeError),
    (lambda m, lib: delattr(m, "nothing"), AttributeError),
    (lambda m, lib: m.train(1), ValueError),
    (lambda m, lib: m.to(lib.int64), TypeError),
    (lambda m, lib: m(1), NotImplementedError),
    (lambda m, lib: m.load_state_dict(3), TypeError),
])
def test_misuse(act: Any, error: type[Exception]) -> None:
    for library in (torch, tinytensor):
        module = library.nn.Module()
        module.weight = library.nn.Parameter(library.ones(1))
        module.child = library.nn.Linear(1, 1)
        module.register_buffer("buffer", library.ones(1))
        with pytest.raises(error):
            act(module, library)


@pytest.mark.parametrize("kind", ["Parameter", "Module", "Buffer"])
def test_assignment_before_init(kind: str) -> None:
    class Early(nn.Module):
        def __init__(self) -> None:
            self.member = nn.Module() if kind == "Module" else getattr(nn, kind)(
                tinytensor.ones(1))

    with pytest.raises(AttributeError, match=r"super\(\).__init__\(\)"):
        Early()


def test_train_apply_and_zero_grad() -> None:
    model = build(tinytensor)
    seen: list[str] = []
    model.apply(lambda m: seen.append(type(m).__name__))
    theirs: list[str] = []
    build(torch).apply(lambda m: theirs.append(type(m).__name__))
    assert seen == theirs
    assert not any(m.training for m in model.eval().modules())
    assert all(m.training for m in model.train().modules())
    model(tinytensor.randn(4, 2)).sum().backward()
    model.zero_grad(set_to_none=False)
    assert model.first.weight.grad.tolist() == tinytensor.zeros(3, 2).tolist()
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())
    assert not any(p.requires_grad for p in model.requires_grad_(False).parameters())


def test_conversion_keeps_parameters_and_integers() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    parameters = list(model.parameters())
    model(tinytensor.randn(3, 2)).sum().backward()
    assert model.to(tinytensor.float64) is model
    assert all(a is b for a, b in zip(model.parameters(), parameters, strict=True))
    assert {p.dtype for p in parameters} == {tinytensor.float64}
    assert {p.grad.dtype for p in parameters} == {tinytensor.float64}
    assert model[1].running_mean.dtype is tinytensor.float64
    assert model[1].num_batches_tracked.dtype is tinytensor.int64
    model(tinytensor.randn(3, 2, dtype=tinytensor.float64)).sum().backward()
    for convert, name in ((model.half, "float16"), (model.float, "float32"),
                          (model.double, "float64"),
                          (lambda: model.to(tinytensor.ones(1)), "float32"),
                          (lambda: model.to("cpu", tinytensor.float64), "float64"),
                          (lambda: model.type(tinytensor.float32), "float32")):
        convert()
        assert model[0].weight.dtype.name == name
    assert model.cpu() is model


@pytest.mark.parametrize("again", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))],
                         ids=["deepcopy", "pickle"])
def test_copies_of_modules(again: Any) -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.LeakyReLU(0.2), nn.MLP(3, [2, 1]))
    model.add_module("tied", model[0])
    twin = again(model)
    x = tinytensor.randn(4, 2)
    assert repr(twin) == repr(model)
    assert twin[4] is twin[0] is not model[0]
    assert all(isinstance(p, nn.Parameter) and p.requires_grad for p in twin.parameters())
    assert twin[0](x).tolist() == model[0](x).tolist()
    before = model[0].weight.tolist()
    with tinytensor.no_grad():
        twin[0].weight.zero_()
    assert model[0].weight.tolist() == before


# ---------------------------------------------------------------- load_state_dict


def test_load_state_dict_lists_every_problem_and_changes_nothing() -> None:
    messages = []
    for library in (torch, tinytensor):
        model = library.nn.Sequential(library.nn.Linear(2, 3), library.nn.Linear(3, 1))
        before = {k: v.tolist() for k, v in model.state_dict().items()}
        state = {"0.weight": library.zeros(3, 2), "0.bias": library.zeros(4),
                 "1.weight": library.zeros(3, 1), "extra": library.zeros(1)}
        with pytest.raises(RuntimeError) as caught:
            model.load_state_dict(state)
        messages.append(str(caught.value).replace("tinytensor.Size", "torch.Size"))
        if library is tinytensor:
            assert {k: v.tolist() for k, v in model.state_dict().items()} == before
    assert messages[0] == messages[1]


def test_load_state_dict_not_strict() -> None:
    model = nn.Linear(2, 1)
    result = model.load_state_dict({"weight": [[1.0, 2.0]], "other": [1.0]}, strict=False)
    assert result.missing_keys == ["bias"] and result.unexpected_keys == ["other"]
    assert model.weight.tolist() == [[1.0, 2.0]]
    missing, unexpected = model.load_state_dict(model.state_dict())
    assert not missing and not unexpected
    assert repr(model.load_state_dict(model.state_dict())) == "<All keys matched successfully>"
    with pytest.raises(RuntimeError, match="size mismatch"):
        model.load_state_dict({"weight": [1.0]}, strict=False)


def test_load_state_dict_copies_or_assigns() -> None:
    model, source = nn.Linear(2, 1), nn.Linear(2, 1).double()
    parameter = model.weight
    model.load_state_dict(source.state_dict())
    assert model.weight is parameter and parameter.dtype is tinytensor.float32
    numpy.testing.assert_allclose(parameter.detach().numpy(), source.weight.detach().numpy(), 1e-6)
    model.load_state_dict(source.state_dict(), assign=True)
    assert model.weight.dtype is tinytensor.float64 and isinstance(model.weight, nn.Parameter)
    assert model.weight.data_ptr() == source.weight.data_ptr()


def test_state_dict_shares_memory() -> None:
    model = nn.Linear(2, 1)
    state = model.state_dict()
    assert not state["weight"].requires_grad
    state["weight"][0, 0] = 9.0
    assert model.weight[0, 0].item() == 9.0
    assert model.state_dict(keep_vars=True)["weight"] is model.weight


# ---------------------------------------------------------------- hooks


def hooked(library: Any) -> list[Any]:
    """The calls of hooks of all kinds, in order."""
    events: list[Any] = []

    def note(name: str) -> Any:
        return lambda module, *seen: events.append((name, flat(seen)))

    def flat(x: Any) -> Any:
        if isinstance(x, tuple | list):
            return [flat(e) for e in x]
        return x if x is None or isinstance(x, dict) else values(x).round(10).tolist()

    class Two(library.nn.Module):
        def forward(self, x: Any, y: Any, scale: float = 1.0) -> Any:
            return x * y * scale, x + 1

    module = Two()
    module.register_forward_pre_hook(note("pre"))
    module.register_forward_pre_hook(note("pre first"), prepend=True)
    module.register_forward_pre_hook(note("pre with"), with_kwargs=True)
    module.register_forward_hook(note("post"))
    module.register_forward_hook(note("post with"), with_kwargs=True)
    module.register_full_backward_pre_hook(note("backward pre"))
    module.register_full_backward_hook(note("backward"))
    removed = module.register_forward_hook(note("never"))
    removed.remove()
    removed.remove()
    x = library.tensor([1.0, 2.0], requires_grad=True)
    y = library.tensor([3.0, 4.0])
    a, b = module(x * 1, y, scale=2.0)
    (a.sum() + (b * b).sum()).backward()
    events.append(x.grad.tolist())
    a, _ = module(x * 1, x * 2)
    a.sum().backward()
    events.append(x.grad.tolist())
    z = library.tensor([1.0, 2.0])
    linear = library.nn.Linear(2, 1)
    linear.load_state_dict({"weight": library.tensor([[1.0, 2.0]]), "bias": library.zeros(1)})
    linear.register_full_backward_hook(note("no input requires grad"))
    linear(z).sum().backward()
    return events


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
def test_hooks_see_what_pytorchs_see() -> None:
    mine, theirs = hooked(tinytensor), hooked(torch)
    assert mine == theirs
    assert [e[0] for e in mine if isinstance(e, tuple)][:7] == [
        "pre first", "pre", "pre with", "post", "post with", "backward pre", "backward"]


def test_hooks_replace_what_they_return() -> None:
    results = []
    for library in (tinytensor, torch):
        module = library.nn.Identity()
        module.register_forward_pre_hook(lambda m, args: args[0] * 2)
        module.register_forward_hook(lambda m, args, out: out + 1)
        module.register_full_backward_pre_hook(lambda m, g: (g[0] * 3,))
        module.register_full_backward_hook(lambda m, gi, go: (gi[0] + go[0],))
        x = library.tensor([1.0, 2.0], requires_grad=True)
        out = module(x)
        out.sum().backward()
        results.append((out.tolist(), x.grad.tolist()))
    assert results[0] == results[1] == ([3.0, 5.0], [12.0, 12.0])


def test_backward_hooks_in_a_recorded_backward() -> None:
    grads = []
    for library in (tinytensor, torch):
        module = library.nn.Tanh()
        module.register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,))
        x = library.tensor([0.3, -0.7], requires_grad=True)
        (g,) = library.autograd.grad(module(x).sum(), x, create_graph=True)
        (g * g).sum().backward()
        grads.append(x.grad.tolist())
    assert grads[0] == pytest.approx(grads[1], rel=1e-6)


def test_always_called_hooks() -> None:
    class Broken(nn.Module):
        def forward(self) -> None:
            raise ArithmeticError

    seen = []
    module = Broken()
    module.register_forward_hook(lambda m, args, out: seen.append(out), always_call=True)
    module.register_forward_hook(lambda m, args, out: seen.append("not me"))
    with pytest.raises(ArithmeticError):
        module()
    assert seen == [None]


def test_backward_hooks_refuse_what_would_go_wrong() -> None:
    module = nn.ReLU(inplace=True)
    handle = module.register_full_backward_hook(lambda m, gi, go: None)
    x = tinytensor.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="in place"):
        module(x * 1)
    handle.remove()
    assert module(x * 1).tolist() == [1.0, 1.0]
    module = nn.Tanh()
    module.register_full_backward_hook(lambda m, gi, go: (gi[0], gi[0]))
    with pytest.raises(RuntimeError, match="2 gradients"):
        module(x).sum().backward()


def test_hooks_leave_no_cycle() -> None:
    import gc
    import weakref

    gc.collect()
    gc.disable()
    try:
        module = nn.Linear(2, 2)
        module.register_full_backward_hook(lambda m, gi, go: None)
        out = module(tinytensor.ones(1, 2, requires_grad=True))
        alive = weakref.ref(out)
        del out
        assert alive() is None
    finally:
        gc.enable()


# ---------------------------------------------------------------- containers


def names_of(module: Any) -> list[str]:
    return [f"{k}:{m.out_features}" for k, m in module._modules.items()]


@pytest.mark.parametrize("change", [
    lambda s, linear: s.append(linear(9)), lambda s, linear: s.insert(1, linear(9)),
    lambda s, linear: s.insert(0, linear(9)), lambda s, linear: s.extend([linear(8), linear(9)]),
    lambda s, linear: s.pop(1), lambda s, linear: s.pop(-1), lambda s, linear: s.__delitem__(0),
    lambda s, linear: s.__delitem__(slice(0, 2)), lambda s, linear: s.__setitem__(-1, linear(9)),
    lambda s, linear: s.__iadd__(type(s)([linear(9)]) if "List" in type(s).__name__
                                 else type(s)(linear(9)))])
@pytest.mark.parametrize("container", ["Sequential", "ModuleList"])
def test_lists_of_modules_change(container: str, change: Any) -> None:
    results = []
    for library in (tinytensor, torch):
        def linear(n: int, library: Any = library) -> Any:
            return library.nn.Linear(1, n)

        given = [linear(1), linear(2), linear(3)]
        s = getattr(library.nn, container)(*[given] if container == "ModuleList" else given)
        change(s, linear)
        results.append((names_of(s), names_of(s[1:]), names_of(s[:1]), len(s),
                        s[-1].out_features))
    assert results[0] == results[1]


def test_registries_can_be_walked_backwards() -> None:
    for library in (nn, torch.nn):
        model = library.Sequential(library.ReLU(), library.Linear(1, 1))
        assert [*reversed(model._modules)] == ["1", "0"]
        assert [name for name, _ in reversed(model._modules.items())] == ["1", "0"]
        assert [*reversed(model[1]._parameters.values())] == [model[1].bias, model[1].weight]
        assert list(model._modules.keys()) == ["0", "1"] and len(model._modules.values()) == 2


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("lead", [(5,), (2, 3), (1,), ()])
def test_a_linear_layer_and_its_relu_in_one_equal_pytorch(lead: tuple[int, ...],
                                                          bias: bool) -> None:
    theirs = torch.nn.Sequential(
        torch.nn.Linear(70, 60, bias=bias), torch.nn.ReLU(), torch.nn.Linear(60, 70),
        torch.nn.ReLU(inplace=True), torch.nn.ReLU()).double()
    mine = nn.Sequential(nn.Linear(70, 60, bias=bias), nn.ReLU(), nn.Linear(60, 70),
                         nn.ReLU(inplace=True), nn.ReLU()).double()
    load_ours(mine, theirs)
    x = numpy.random.default_rng(0).normal(size=(*lead, 70))
    assert nodes(mine(tinytensor.tensor(x))) == ["Relu", "LinearRelu", "LinearRelu"]
    assert_same_results(mine, theirs, x)
    for model in (mine, theirs):  # partly frozen
        model[0].weight.requires_grad_(False)
        model.zero_grad()
    assert_same_results(mine, theirs, x)


def nodes(result: Any) -> list[str]:
    """The names of the operations from the result back along the first inputs."""
    found, node = [], result.grad_fn
    while node.next_functions:
        found.append(node.name().removesuffix("Backward0"))
        node = next(parent for parent, _ in node.next_functions if parent is not None)
    return found


def test_a_linear_layer_and_its_relu_stay_two_where_somebody_looks() -> None:
    x = tinytensor.ones(3, 70)
    seen: list[Any] = []

    class Watched(nn.Linear):
        def forward(self, input: Any) -> Any:
            seen.append(tuple(input.shape))
            return super().forward(input)

    def model(first: Any) -> Any:
        return nn.Sequential(first, nn.ReLU())

    def see(module: Any, *given: Any) -> None:
        seen.append(type(module).__name__)

    assert nodes(model(nn.Linear(70, 60))(x)) == ["LinearRelu"]
    assert nodes(nn.MLP(70, [60])(x)) == ["Linear"]
    assert nodes(nn.MLP(70, [60, 50])(x)) == ["Linear", "LinearRelu"]
    assert nodes(model(nn.Linear(4, 3))(x[:, :4])) == ["Relu", "Linear"]  # small
    assert nodes(model(Watched(70, 60))(x)) == ["Relu", "Linear"] and seen == [(3, 70)]
    for place in (0, 1):
        for register in ("register_forward_hook", "register_forward_pre_hook"):
            watched = model(nn.Linear(70, 60))
            handle = getattr(watched[place], register)(see)
            assert nodes(watched(x)) == ["Relu", "Linear"]
            assert seen.pop() == ("Linear", "ReLU")[place]
            handle.remove()
            assert nodes(watched(x)) == ["LinearRelu"]
    own = model(nn.Linear(70, 60))
    own[0].forward = lambda input: tinytensor.zeros(3, 2)
    assert own(x).shape == (3, 2)
    own = model(nn.Linear(70, 60))
    nn.utils.parametrizations.weight_norm(own[0])
    assert nodes(own(x))[:2] == ["Relu", "Linear"]
    own = model(nn.Linear(70, 60))
    nn.utils.parametrizations.weight_norm(own[0])
    shapes: list[Any] = []
    own[0].register_full_backward_hook(lambda _, before, after: shapes.append(after[0].shape))
    own(x.requires_grad_()).sum().backward()
    assert shapes == [(3, 60)]


def test_a_forward_that_replaces_linear_s_is_called(monkeypatch: Any) -> None:
    model = nn.Sequential(nn.Linear(70, 60), nn.ReLU())
    monkeypatch.setattr(nn.Linear, "forward", lambda self, input: input - 2)
    assert model(tinytensor.ones(2, 70)).sum().item() == 0


def test_sequential() -> None:
    from collections import OrderedDict

    named = nn.Sequential(OrderedDict([("a", nn.Linear(2, 3)), ("act", nn.ReLU())]))
    assert list(named.state_dict()) == ["a.weight", "a.bias"] and named.act is named[1]
    assert list(named[:1]._modules) == ["a"]
    joined = nn.Sequential(nn.ReLU()) + nn.Sequential(nn.Tanh())
    assert repr(joined) == repr(torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Tanh()))
    assert len(nn.Sequential(nn.ReLU(), nn.Tanh()) * 2) == 4
    del named[0]
    assert list(named._modules) == ["act"]
    with pytest.raises(IndexError):
        named[1]
    with pytest.raises(TypeError):
        nn.Sequential(lambda x: x)
    assert nn.Sequential()(3) == 3


def test_module_list_and_dict() -> None:
    blocks = nn.ModuleList([nn.ReLU()]) + nn.ModuleList([nn.Tanh()])
    assert [type(m).__name__ for m in blocks] == ["ReLU", "Tanh"]
    with pytest.raises(NotImplementedError):
        blocks(1)
    d = nn.ModuleDict({"a": nn.ReLU(), "b": nn.Tanh()})
    d.update([("c", nn.Sigmoid())])
    d["d"] = nn.Identity()
    assert list(d) == list(d.keys()) == ["a", "b", "c", "d"] and "a" in d and len(d) == 4
    assert isinstance(d.pop("a"), nn.ReLU) and [k for k, _ in d.items()] == ["b", "c", "d"]
    del d["b"]
    assert [type(m).__name__ for m in d.values()] == ["Sigmoid", "Identity"]
    d.clear()
    assert not len(d) and d != nn.ModuleDict() and hash(d)


def test_parameter_list_and_dict() -> None:
    p = nn.ParameterList([tinytensor.ones(1), nn.Parameter(tinytensor.zeros(2))])
    p.append(tinytensor.ones(3))
    p += [tinytensor.ones(4)]
    assert all(isinstance(x, nn.Parameter) for x in p) and len(p) == 4
    assert [x.numel() for x in p[1:3]] == [2, 3] and p[-1].numel() == 4
    p[0] = tinytensor.zeros(7)
    assert list(p.state_dict()) == ["0", "1", "2", "3"] and p[0].numel() == 7
    with pytest.raises(IndexError):
        p[4]
    d = nn.ParameterDict({"a": tinytensor.ones(1)})
    d["b"] = tinytensor.zeros(2)
    assert list(d.state_dict()) == list(d.keys()) == ["a", "b"] and d.a is d["a"]
    assert isinstance(d.pop("a"), nn.Parameter) and list(d.state_dict()) == ["b"]
    with pytest.raises(KeyError):
        d["a"]


# ---------------------------------------------------------------- initial values


def moments(values: Any) -> tuple[float, ...]:
    array = values.detach().numpy()
    return (array.mean(), array.std(), array.min(), array.max())


@pytest.mark.parametrize(("name", "shape", "options"), [
    ("uniform_", (200, 300), {"a": -2.0, "b": 3.0}), ("normal_", (200, 300), {"mean": 1, "std": 2}),
    ("trunc_normal_", (200, 300), {"std": 2.0, "a": -1.0, "b": 3.0}),
    ("xavier_uniform_", (100, 20, 3, 3), {"gain": 2.0}), ("xavier_normal_", (200, 300), {}),
    ("kaiming_uniform_", (100, 20, 3, 3), {"a": 0.3}),
    ("kaiming_normal_", (200, 300), {"mode": "fan_out", "nonlinearity": "relu"}),
    ("sparse_", (200, 300), {"sparsity": 0.3, "std": 2.0}), ("constant_", (2, 3), {"val": 4.0}),
    ("ones_", (2, 3), {}), ("zeros_", (2, 3), {}), ("eye_", (2, 3), {}),
    ("dirac_", (4, 2, 3), {}), ("dirac_", (6, 2, 3, 3), {"groups": 2}),
    ("dirac_", (2, 3, 2, 2, 3), {}),
])
def test_distributions(name: str, shape: tuple[int, ...], options: dict[str, Any]) -> None:
    tinytensor.manual_seed(1)
    torch.manual_seed(1)
    mine, theirs = tinytensor.empty(shape), torch.empty(shape)
    assert getattr(nn.init, name)(mine, **options) is mine
    getattr(torch.nn.init, name)(theirs, **options)
    spread = float(theirs.std()) or 1.0
    if theirs.numel() < 200:
        assert mine.tolist() == theirs.tolist()
    for a, b, tolerance in zip(moments(mine), moments(theirs), (0.03, 0.03, 1.0, 1.0), strict=True):
        assert abs(a - b) <= tolerance * spread
    if "uniform" in name or "trunc" in name:
        assert numpy.allclose(moments(mine)[2:], moments(theirs)[2:], atol=0.01 * spread)
    if name == "sparse_":
        assert ((mine == 0).sum(0) == 60).all()


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 2, 3)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    w = nn.init.orthogonal_(tinytensor.empty(shape, dtype=tinytensor.float64), gain=2.0)
    matrix = w.numpy().reshape(shape[0], -1)
    gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    numpy.testing.assert_allclose(gram, 4 * numpy.eye(len(gram)), atol=1e-12)


@pytest.mark.parametrize(("nonlinearity", "param"), [
    ("linear", None), ("conv2d", None), ("conv_transpose3d", None), ("sigmoid", None),
    ("tanh", None), ("relu", None), ("selu", None), ("leaky_relu", None), ("leaky_relu", 0.3)])
def test_gains(nonlinearity: str, param: float | None) -> None:
    assert nn.init.calculate_gain(nonlinearity, param) == pytest.approx(
        torch.nn.init.calculate_gain(nonlinearity, param), rel=1e-15)


def test_initialisation_errors() -> None:
    for call in (lambda i, e: i.xavier_uniform_(e(3)), lambda i, e: i.calculate_gain("cosine"),
                 lambda i, e: i.eye_(e(3)), lambda i, e: i.dirac_(e(3, 3)),
                 lambda i, e: i.orthogonal_(e(3)), lambda i, e: i.sparse_(e(3), 0.1),
                 lambda i, e: i.kaiming_normal_(e(3, 3), mode="fan_all")):
        for library in (torch, tinytensor):
            with pytest.raises(ValueError):
                call(library.nn.init, library.empty)


@pytest.mark.parametrize("case", [
    case("Linear", 300, 200), case("Conv2d", 30, 40, 5), case("Conv1d", 30, 60, 5, groups=3),
    case("ConvTranspose2d", 40, 30, 5), case("Embedding", 300, 200), case("Bilinear", 40, 30, 50),
    case("LayerNorm", 300), case("BatchNorm2d", 30), case("PReLU", 3)], ids=repr)
def test_default_distributions_of_layers(case: Case) -> None:
    tinytensor.manual_seed(3)
    torch.manual_seed(3)
    mine, theirs = case.made(tinytensor), case.made(torch)
    for (name, a), (_, b) in zip(mine.named_parameters(), theirs.named_parameters(), strict=True):
        spread = float(b.detach().std()) or 1e-9
        rough = 6 / math.sqrt(b.numel())
        for x, y, tolerance in zip(moments(a), moments(b), (rough, rough, 1, 1), strict=True):
            assert abs(x - y) <= tolerance * spread, name


def test_a_seed_fixes_the_weights() -> None:
    def weights() -> Any:
        tinytensor.manual_seed(7)
        return [p.tolist() for p in nn.Sequential(nn.Linear(3, 4), nn.Conv1d(2, 2, 2)).parameters()]

    assert weights() == weights()


# ---------------------------------------------------------------- utils


@pytest.mark.parametrize("norm_type", [2.0, 1.0, 3.0, float("inf")])
@pytest.mark.parametrize("max_norm", [0.5, 100.0])
def test_clip_grad_norm(norm_type: float, max_norm: float) -> None:
    arrays = [normal(3, 4), normal(5), normal(2, 2)]
    mine = [nn.Parameter(tinytensor.tensor(a)) for a in arrays]
    theirs = [torch.nn.Parameter(torch.tensor(a)) for a in arrays]
    for p, q, a in zip(mine[:2], theirs[:2], arrays[:2], strict=True):
        p.grad, q.grad = tinytensor.tensor(3 * a), torch.tensor(3 * a)
    total = nn.utils.clip_grad_norm_(iter(mine), max_norm, norm_type)
    assert_close(total, torch.nn.utils.clip_grad_norm_(iter(theirs), max_norm, norm_type))
    for p, q in zip(mine[:2], theirs[:2], strict=True):
        assert_close(p.grad, q.grad)
    assert mine[2].grad is None


def test_clip_grad_norm_that_is_not_finite() -> None:
    p = nn.Parameter(tinytensor.ones(2))
    p.grad = tinytensor.tensor([1.0, float("inf")])
    with pytest.raises(RuntimeError, match="inf"):
        nn.utils.clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
    assert p.grad.tolist() == [1.0, float("inf")]
    assert nn.utils.clip_grad_norm_([], 1.0).item() == 0.0


def test_clip_grad_value() -> None:
    p = nn.Parameter(tinytensor.ones(3))
    p.grad = tinytensor.tensor([-3.0, 0.2, 1.0])
    nn.utils.clip_grad_value_(p, 0.5)
    assert p.grad.tolist() == pytest.approx([-0.5, 0.2, 0.5])


def test_parameters_as_one_vector() -> None:
    model = nn.Linear(2, 3)
    vector = nn.utils.parameters_to_vector(model.parameters())
    assert vector.tolist() == [*model.weight.flatten().tolist(), *model.bias.tolist()]
    vector.sum().backward()
    assert model.weight.grad.tolist() == [[1.0, 1.0]] * 3
    nn.utils.vector_to_parameters(tinytensor.arange(9).float(), model.parameters())
    assert model.weight.tolist() == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    assert model.bias.tolist() == [6.0, 7.0, 8.0] and model.bias.requires_grad
    with pytest.raises(RuntimeError):
        nn.utils.vector_to_parameters(tinytensor.ones(3), model.parameters())


def test_functional_has_what_pytorch_has_there_and_ours_only() -> None:
    extra = {"hinge_loss", "squared_norm"}
    public = {n for n, f in vars(nn.functional).items()
              if callable(f) and not n.startswith("_") and n != "Any"}
    assert public - extra <= set(dir(torch.nn.functional))
    assert {"relu", "softmax", "tanh", "sigmoid", "cross_entropy", "linear"} <= public
    x = tinytensor.tensor([-1.0, 2.0])
    assert nn.functional.relu_(x) is x and x.tolist() == [0.0, 2.0]
    image = tinytensor.arange(16.0).reshape(1, 1, 4, 4)
    largest, places = nn.functional.max_pool2d_with_indices(image, 2)
    assert largest.flatten().tolist() == [5.0, 7.0, 13.0, 15.0] == places.flatten().tolist()
    upsample = torch.nn.functional.upsample_bilinear
    with pytest.warns(UserWarning, match="deprecated"):
        assert_close(nn.functional.upsample_bilinear(image, 7), upsample(
            torch.from_numpy(image.numpy()), 7), tolerance=1e-6)
    assert nn.functional.upsample_nearest(image, scale_factor=2).shape == (1, 1, 8, 8)


# ---------------------------------------------------------------- on a GPU


def on_gpu(array: Any) -> Any:
    return tinytensor.tensor(numpy.array(array), device="cuda",
                             requires_grad=array.dtype.kind == "f")


def to_numpy(x: Any) -> Any:
    return x.detach().cpu().numpy()


@pytest.mark.parametrize("case", ALL, ids=repr)
def test_the_same_on_a_gpu(gpu: Any, case: Case) -> None:
    host = case.made(tinytensor).double()
    moved = copy.deepcopy(host).to("cuda")
    here, _ = inputs_of(*(case.inputs or (X,)))
    there = [on_gpu(x) for x in case.inputs or (X,)]
    expected, out = host(*here), moved(*there)
    assert out.is_cuda
    numpy.testing.assert_allclose(to_numpy(out), expected.detach().numpy(), rtol=1e-12, atol=1e-12)
    if out.requires_grad:
        out.sum().backward()
        expected.sum().backward()
    for p, q in zip([*moved.parameters(), *there], [*host.parameters(), *here], strict=True):
        if q.grad is not None and p.requires_grad:
            assert p.grad.is_cuda
            numpy.testing.assert_allclose(to_numpy(p.grad), q.grad.numpy(), rtol=1e-11, atol=1e-12)
    for p, q in zip(moved.buffers(), host.buffers(), strict=True):
        assert p.is_cuda
        numpy.testing.assert_allclose(to_numpy(p), q.numpy(), rtol=1e-12)


def test_modules_move_and_begin_equal(gpu: Any) -> None:
    def build(device: str) -> Any:
        tinytensor.manual_seed(5)
        return nn.Sequential(nn.Linear(2, 3, device=device), nn.BatchNorm1d(3, device=device))

    host, there = build("cpu"), build("cuda")
    assert all(p.is_cuda for p in [*there.parameters(), *there.buffers()])
    for p, q in zip(there.parameters(), host.parameters(), strict=True):
        assert p.cpu().tolist() == q.tolist()
    parameter = there[0].weight
    assert not there.cpu()[0].weight.is_cuda and there[0].weight is parameter
    assert there.cuda()[0].weight.is_cuda
    there.load_state_dict(host.state_dict())
    host.load_state_dict(there.state_dict())
    assert there[0].weight.is_cuda and not host[0].weight.is_cuda


@pytest.mark.parametrize(("name", "shape", "options"), [
    ("uniform_", (3, 4), {}), ("normal_", (3, 4), {}), ("trunc_normal_", (3, 4), {}),
    ("kaiming_uniform_", (3, 4), {}), ("xavier_normal_", (3, 4), {}), ("eye_", (3, 4), {}),
    ("orthogonal_", (3, 4), {}), ("sparse_", (3, 4), {"sparsity": 0.5}), ("ones_", (3,), {}),
    ("dirac_", (3, 4, 3), {})])
def test_initial_values_are_the_same_on_a_gpu(gpu: Any, name: str, shape: Any,
                                              options: Any) -> None:
    values = []
    for device in ("cpu", "cuda"):
        tinytensor.manual_seed(6)
        values.append(getattr(nn.init, name)(tinytensor.empty(shape, device=device), **options))
    assert values[1].is_cuda and values[0].tolist() == values[1].cpu().tolist()


def test_clipping_on_a_gpu(gpu: Any) -> None:
    for norm_type in (2.0, 1.0, float("inf")):
        grads = []
        for device in ("cpu", "cuda"):
            p = nn.Parameter(tinytensor.tensor([[1.0, 2.0]], device=device))
            (p * p * p).sum().backward()
            total = nn.utils.clip_grad_norm_([p], 1.5, norm_type)
            nn.utils.clip_grad_value_([p], 1.2)
            grads.append((p.grad.cpu().tolist(), total.item()))
        assert grads[0][0][0] == pytest.approx(grads[1][0][0], rel=1e-6)
        assert grads[0][1] == pytest.approx(grads[1][1], rel=1e-6)


def test_data_parallel_is_the_module_where_there_is_one_device() -> None:
    x = tinytensor.randn(3, 4)
    model = nn.Linear(4, 2)
    wrapped = nn.DataParallel(model, device_ids=[0])
    assert wrapped(x).tolist() == model(x).tolist()
    theirs = torch.nn.DataParallel(torch.nn.Linear(4, 2))
    assert list(wrapped.state_dict()) == list(theirs.state_dict())
    assert wrapped.module is model and isinstance(wrapped, nn.parallel.DataParallel)
    assert wrapped.device_ids == theirs.device_ids == []


def test_data_parallel_brings_inputs_to_the_parameters(gpu: Any) -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 2)

        def forward(self, pair: Any, *, scale: Any, name: str) -> Any:
            return self.linear(pair[0] + pair[1][0]) * scale["by"]

    model = nn.DataParallel(Scaled())
    assert model.device_ids == [0] and model.module.linear.weight.is_cuda
    with pytest.raises(RuntimeError, match=r"one GPU can be used, got device_ids=\[0, 1\]"):
        nn.DataParallel(nn.Linear(4, 2), device_ids=[0, 1])
    x = tinytensor.randn(3, 4)
    y = model((x, [x]), scale={"by": tinytensor.tensor(2.0)}, name="any")
    assert y.is_cuda
    y.sum().backward()
    assert model.module.linear.weight.grad.is_cuda
