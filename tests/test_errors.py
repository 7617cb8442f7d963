"""Tracebacks of errors show the program's lines and few lines of this package."""

from __future__ import annotations

import gc
import inspect
import re
import traceback
import weakref
from typing import Any

import pytest
from operations import in_turn

import tinytensor as tt
import tinytensor.nn.functional as F  # noqa: N812
from tinytensor import nn, optim
from tinytensor.autograd.frames import MOST, OWN, place_of
from tinytensor.autograd.function import Function
from tinytensor.autograd.table import TABLE, Entry


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(784, 32)
        self.body = nn.Sequential(nn.Linear(32, 300), nn.ReLU(), nn.Linear(30, 2))

    def forward(self, x: Any) -> Any:
        return self.body(self.fc1(x))


class Refusing(Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x * 2

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        raise ValueError("refused by the program")


def overwritten() -> None:
    x = tt.ones(3, requires_grad=True)
    y = x * 2
    z = y * y
    y.add_(1)
    z.sum().backward()


MISTAKES = [
    lambda: Net()(tt.randn(3, 5)), lambda: Net()(tt.randn(3, 784)),
    lambda: tt.randn(3, 4) + tt.randn(3, 5), lambda: tt.randn(3, 4) @ tt.randn(3, 5),
    lambda: tt.randn(3, 4).add_(tt.randn(3, 5)), lambda: tt.randn(3, 4).matmul(tt.randn(3)),
    lambda: F.cross_entropy(tt.randn(3, 4), tt.tensor([0, 1, 7])), lambda: tt.exp("a"),
    lambda: nn.Conv2d(3, 4, 3)(tt.randn(2, 5, 8, 8)), lambda: tt.randn(3).sum(dim=4),
    lambda: tt.mul(tt.randn(3)), overwritten,
    lambda: nn.Sequential(nn.Linear(400, 300), nn.ReLU(), nn.LSTM(200, 10))(tt.randn(2, 3, 400)),
    lambda: nn.Linear(3, 4)([1, 2, 3]), lambda: nn.LayerNorm(4)(tt.randn(2, 5)),
    lambda: nn.BatchNorm2d(4)(tt.randn(2, 5)),
    lambda: nn.CrossEntropyLoss()(tt.randn(3, 4), tt.tensor([0, 1])),
    lambda: tt.cat([tt.ones(2), tt.ones(2, 2)]), lambda: tt.ones(2).backward(),
    lambda: tt.ones(2, 3).view(4), lambda: F.softmax(tt.ones(3), dim=5),
    lambda: nn.MultiheadAttention(8, 2)(*[tt.ones(2, 3, 4)] * 3),
    lambda: tt.tensor([[1, 2], [3]]), lambda: tt.ones(3)[5],
    lambda: tt.ones(2, dtype=tt.int64) @ tt.ones(2),
    lambda: F.mse_loss(tt.ones(3), tt.ones(4)), lambda: F.linear(tt.ones(3, 4), tt.ones(2, 5)),
    lambda: tt.linalg.solve(tt.ones(2, 3), tt.ones(2)), lambda: optim.SGD([], lr=0.1),
    lambda: tt.stack([tt.ones(2), tt.ones(3)]), lambda: tt.ones(2, 3).permute(0, 0),
    lambda: nn.Embedding(3, 2)(tt.tensor([3])), lambda: tt.ones(3).reshape(2, 2),
    lambda: nn.Transformer(8, 2)(tt.ones(1, 2, 4), tt.ones(1, 2, 4)),
    lambda: tt.autograd.grad(tt.ones(2, requires_grad=True) * 2, tt.ones(2)),
    lambda: F.scaled_dot_product_attention(*[tt.ones(1, 2, 3)] * 2, tt.ones(1, 4, 3)),
    lambda: nn.GRU(3, 4)(tt.ones(2, 2, 5)), lambda: tt.gather(tt.ones(2, 2), 1, tt.ones(2, 2)),
    lambda: tt.ones(2).masked_fill(tt.ones(2), 0), lambda: tt.einsum("ij,jk", tt.ones(2, 3)),
    lambda: tt.ones(2, 2).max(dim=3), lambda: nn.MaxPool2d(2)(tt.ones(3)),
]


@in_turn("mistake", MISTAKES)
def test_a_traceback_ends_in_three_frames_of_the_package_at_most(mistake):
    with pytest.raises(Exception) as caught:
        mistake()
    frames = [f for f, _ in traceback.walk_tb(caught.value.__traceback__)]
    own = [f for f in frames if OWN in f.f_globals]
    lines = "".join(traceback.format_exception(caught.value))
    assert len(own) <= MOST, lines
    assert "placeholder" not in lines and "<tinytensor" not in lines and "first_call" not in lines
    assert any(f.f_code is mistake.__code__ for f in frames), "the program's line is missing"


def notes(call: Any) -> list[str]:
    with pytest.raises(Exception) as caught:
        call()
    return caught.value.__notes__


def test_the_note_names_the_layer_by_its_path_in_the_model():
    assert notes(lambda: Net()(tt.randn(3, 5))) == ["in fc1, Linear(784, 32)"]
    assert notes(lambda: Net()(tt.randn(3, 784))) == ["in body.2, Linear(30, 2)"]
    assert notes(lambda: Net().body(tt.randn(3, 5))) == ["in 0, Linear(32, 300)"]
    assert notes(lambda: nn.Linear(3, 4)(tt.randn(2, 5))) == ["in Linear(3, 4)"]
    layer = nn.Sequential(nn.Linear(3, 4, bias=False))
    assert notes(lambda: layer(tt.randn(2, 5))) == ["in 0, Linear(3, 4, bias=False)"]


def test_the_note_names_the_operation_and_the_shapes():
    assert notes(lambda: tt.ones(3).sum(dim=4)) == ["in sum, on inputs of shape (3,)"]


def test_an_error_of_the_program_inside_the_engine_keeps_its_lines():
    x = Refusing.apply(tt.ones(2, requires_grad=True))
    with pytest.raises(ValueError, match="refused by the program") as caught:
        x.sum().backward()
    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "backward"
    assert traceback.extract_tb(caught.value.__traceback__)[-1].filename == __file__


def test_a_failed_call_frees_its_inputs():
    x = tt.ones(3)
    alive = weakref.ref(x)
    gc.disable()
    try:
        try:
            nn.Linear(4, 2)(x)
        except RuntimeError:
            pass
        del x
        assert alive() is None
    finally:
        gc.enable()


class FailsBackward(tt.autograd.Function):
    @staticmethod
    def forward(context, x):
        return x * 1

    @staticmethod
    def backward(context, g):
        raise ValueError("no gradient")


def hooked(x: Any, kind: str) -> Any:
    def hook(*args: Any) -> None:
        raise ValueError("a hook fails")

    layer = nn.Sequential(nn.Linear(3, 2))
    getattr(layer[0], f"register_{kind}")(hook)
    return layer(x * 1).sum()


def generated(x: Any) -> None:
    @tt.no_grad()
    def steps() -> Any:
        yield x
        raise ValueError("the generator fails")

    list(steps())


def thrown(x: Any) -> None:
    @tt.no_grad()
    def steps() -> Any:
        yield x

    generator = steps()
    next(generator)
    generator.throw(ValueError("the caller fails"))


def refused_step(x: Any) -> None:
    p = nn.Parameter(x.detach())
    optimizer = optim.Adam([p])
    p.grad = x.detach().clone()
    optimizer.state[p] = {"exp_avg": tt.ones(7), "exp_avg_sq": tt.ones(7)}
    optimizer.step()


FAILING = {
    "a layer": lambda x: nn.Linear(4, 2)(x), "a model": lambda x: nn.Sequential(nn.Linear(4, 2))(x),
    "an operation": lambda x: x @ tt.ones(5), "a method": lambda x: x.view(7),
    "in place": lambda x: x.detach().add_(tt.ones(2, 3)), "a sequence": lambda x: tt.cat([x, x[0]]),
    "an index": lambda x: x[9], "an assignment": lambda x: x.detach().__setitem__(9, 1),
    "a composition": lambda x: nn.functional.cross_entropy(x[None], tt.tensor([7])),
    "backward": lambda x: (x * 1).backward(),
    "a Function": lambda x: FailsBackward.apply(x).sum().backward(),
    "grad": lambda x: tt.autograd.grad(x.sum(), tt.ones(2)),
    "a forward hook": lambda x: hooked(x, "forward_hook"),
    "a forward pre-hook": lambda x: hooked(x, "forward_pre_hook"),
    "a backward hook": lambda x: hooked(x, "full_backward_hook").backward(),
    "a Tensor's hook": lambda x: (y := x * 1, y.register_hook(lambda g: 1 / 0), y.sum().backward()),
    "a generator": generated, "a generator, thrown into": thrown, "an optimizer": refused_step,
    "tensor()": lambda x: tt.tensor([x, [1]]), "an older form": lambda x: x.sum(axis=4),
    "lazy": lambda x: nn.LazyLinear(2)(x.sum()), "an iteration": lambda x: list(x.sum()),
    "checkpoint": lambda x: tt.utils.checkpoint.checkpoint(
        lambda y: y @ tt.ones(5), x, use_reentrant=False),
}


@in_turn("name", FAILING)
def test_a_failure_frees_its_inputs(name):
    """The inputs are freed once the error is handled, with the garbage collector disabled."""
    x = tt.ones(3, requires_grad=True)
    alive, array = weakref.ref(x), weakref.ref(x._array)
    gc.disable()
    try:
        try:
            FAILING[name](x)
        except Exception:
            pass
        else:
            raise AssertionError("it does not fail")
        del x
        assert alive() is None and array() is None
    finally:
        gc.enable()


def test_the_gate_of_a_hook_names_the_line_of_the_program():
    layer = nn.Linear(2, 2)
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: None)
    out = layer(tt.ones(1, 2, requires_grad=True))
    assert place_of(out.grad_fn).startswith(__file__)


# ---------------------------------------------------------------- arguments that are no Tensors


def _takes_one_tensor(entry: Entry) -> bool:
    first, *others = inspect.signature(entry.function).parameters.values()
    return not entry.internal and "Tensor" in str(first.annotation) and not any(
        p.default is p.empty for p in others) and not re.search(
            "Sequence|float|Iterable", first.annotation)


UNARY = [key for key, entry in TABLE.items() if _takes_one_tensor(entry)]


@in_turn("key, given", [(key, given) for key in UNARY for given in ("a", [1.0], None)])
def test_an_argument_that_is_no_tensor_is_refused_by_name(key: str, given: Any) -> None:
    kind = "float|list" if given == [1.0] else type(given).__name__
    with pytest.raises(TypeError, match=rf"must be .*Tensors?, got .*({kind})"):
        TABLE[key].function(given)


@pytest.mark.parametrize("call", [
    lambda: tt.cat(None), lambda: tt.stack([1.0]), lambda: tt.hstack(None),
    lambda: tt.atleast_1d([1.0]), lambda: tt.softmax("a"), lambda: F.pad("a", (1, 1)),
    lambda: F.mse_loss(tt.ones(2), [1.0, 1.0])])
def test_what_is_no_tensor_or_sequence_of_tensors_is_refused(call: Any) -> None:
    with pytest.raises(TypeError, match="Tensor"):
        call()
    with pytest.raises(TypeError, match="the shape is missing"):
        tt.ones()
