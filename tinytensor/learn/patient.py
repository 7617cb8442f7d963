"""The model that the doctor examines: it is run and trained, and left as it was."""

from __future__ import annotations

import contextlib
import copy
import random as python_random
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy

from .. import optim, random
from ..autograd.modes import enable_grad
from ..nn.dropout import DropoutModule
from ..tensors.tensor import Tensor

SEED = 2147483647  # of the random numbers that are drawn during the examination


@dataclass
class LayerNumbers:
    """The outputs of a layer on the batch, their gradients, and how far a step moves its weight.

    update   |change| / |weight| in one training step; None without an optimizer that holds it
    """

    output: Any
    gradient: Any = None
    update: float | None = None


@dataclass
class Patient:
    """A model with a batch, its loss and its training step.

    model       a Module
    inputs      the arguments of the model: Tensors whose dimension 0 is the batch
    target      what the loss compares the model's output with
    loss        a function (output, target) -> 0-d Tensor
    optimizer   the program's, or None
    step        the program's training step (*inputs, target) -> loss, or None
    evaluate    the program's evaluation, a function without arguments, or None
    seconds     the most time for one training of the examination
    """

    model: Any
    inputs: tuple[Any, ...]
    target: Any
    loss: Callable[[Any, Any], Any]
    optimizer: Any = None
    step: Callable[..., Any] | None = None
    evaluate: Callable[[], Any] | None = None
    seconds: float = 15.0
    findings: list[Any] = field(default_factory=list)  # so far
    warnings: list[Any] = field(default_factory=list)  # of the first run
    seen: dict[str, LayerNumbers] = field(default_factory=dict)  # of the first backward, by layer
    losses: list[float] = field(default_factory=list)  # of a few samples learned by heart
    parameters: dict[str, Any] = field(init=False)
    layers: dict[str, Any] = field(init=False)  # those with weights, by path

    def __post_init__(self) -> None:
        self.parameters = dict(self.model.named_parameters())
        self.layers = {name: module for name, module in self.model.named_modules()
                       if isinstance(getattr(module, "weight", None), Tensor)}

    # ------------------------------------------------------------ running

    def output(self, *inputs: Any, training: bool = False) -> Any:
        """The model's output, in eval mode or in training mode with dropout."""
        with self.mode(training):
            return self.model(*(inputs or self.inputs))

    def scores(self, *inputs: Any, training: bool = False) -> Any:
        """The first floating Tensor of the output, which most checks look at; None without one."""
        return next(floating(self.output(*inputs, training=training)), None)

    def value(self, *inputs: Any, target: Any = None, training: bool = False) -> float:
        """The loss, as a number."""
        output = self.output(*inputs, training=training)
        return float(self.loss(output, self.target if target is None else target))

    def loss_of(self, scores: Any, target: Any = None) -> float | None:
        """The loss of numbers put in the output's place; None where it takes other outputs."""
        try:
            with quiet():
                loss = float(self.loss(scores, self.target if target is None else target))
        except Exception:  # whatever a program's loss raises for what it was not written for
            return None
        return loss if numpy.isfinite(loss) else None

    @contextlib.contextmanager
    def mode(self, training: bool) -> Iterator[None]:
        """A context with the model in training or eval mode."""
        before = {module: module.training for module in self.model.modules()}
        self.model.train(training)
        try:
            yield
        finally:
            for module, flag in before.items():
                module.training = flag

    def gradients(self, training: bool = True) -> dict[str, Any]:
        """The gradient of the loss by every parameter, as arrays; None without one."""
        self.clear()
        with self.mode(training), enable_grad():
            self.loss(self.model(*self.inputs), self.target).backward()
        found = {name: None if p.grad is None else array(p.grad).copy()
                 for name, p in self.parameters.items()}
        self.clear()
        return found

    def clear(self) -> None:
        for parameter in self.parameters.values():
            parameter.grad = None

    # ------------------------------------------------------------ training

    def train(self, steps: int, inputs: Any = None, target: Any = None,
              dropout: bool = True, until: float = 0.0) -> list[float]:
        """Trains by the program's step or a usual one, and returns the losses.

        It ends when the last five losses are below the share `until` of the first, or when time
        is over. Without an optimizer of the program it is Adam with a learning rate of 0.01.
        """
        inputs = self.inputs if inputs is None else inputs
        target = self.target if target is None else target
        optimizer = self.optimizer or optim.Adam(
            [p for p in self.parameters.values() if p.requires_grad], lr=0.01)
        losses: list[float] = []
        end = time.monotonic() + self.seconds
        with self.mode(True), enable_grad():
            for module in self.model.modules():
                if not dropout and isinstance(module, DropoutModule):
                    module.train(False)
            while len(losses) < steps and (time.monotonic() < end or not losses) \
                    and not (losses and max(losses[-5:]) < until * losses[0]):
                losses.append(self.one_step(optimizer, inputs, target))
        return losses

    def one_step(self, optimizer: Any, inputs: Any, target: Any) -> float:
        if self.step is not None:
            return number(self.step(*inputs, target))
        optimizer.zero_grad()
        loss = self.loss(self.model(*inputs), target)
        loss.backward()
        optimizer.step()
        return number(loss)

    # ------------------------------------------------------------ left as it was

    @contextlib.contextmanager
    def restored(self) -> Iterator[None]:
        """A context after which weights, gradients, buffers, modes, the optimizer's state and
        random streams are what they were, to the bit. Inside it random numbers start from SEED.
        """
        tensors = [*self.model.parameters(), *self.model.buffers(),
                   *(p for group in getattr(self.optimizer, "param_groups", ())
                     for p in group["params"])]
        tensors = list({id(t): t for t in tensors}.values())
        before = [(t, array(t).copy(), t.grad, t.requires_grad) for t in tensors]
        grads = [(g, array(g).copy()) for _, _, g, _ in before if g is not None]
        for t in tensors:  # gradients of the examination are summed up apart from the program's
            t.grad = None
        modes = {module: module.training for module in self.model.modules()}
        numpys, pythons = numpy.random.get_state(), python_random.getstate()
        try:
            with random.using(random.Streams(SEED)), optimizer_as_it_was(self.optimizer), quiet():
                numpy.random.seed(SEED % 2**32)
                python_random.seed(SEED)
                yield
        finally:
            for module, flag in modes.items():
                module.training = flag
            for t, data, grad, requires_grad in before:
                write(t, data)
                t.grad = grad
                if t.requires_grad is not requires_grad:
                    t.requires_grad_(requires_grad)
            for g, data in grads:
                write(g, data)
            numpy.random.set_state(numpys)
            python_random.setstate(pythons)


@contextlib.contextmanager
def optimizer_as_it_was(optimizer: Any) -> Iterator[None]:
    """A context in which an optimizer works on a copy of its state and options."""
    if optimizer is None:
        yield
        return
    state, steps = optimizer.state, getattr(optimizer, "steps_taken", 0)
    options = [{k: v for k, v in group.items() if k != "params"}
               for group in optimizer.param_groups]
    try:
        optimizer.state = copy.copy(state)
        for parameter, values in state.items():
            optimizer.state[parameter] = copy.deepcopy(values)
        for group, kept in zip(optimizer.param_groups, options, strict=True):
            group.update(copy.deepcopy(kept))
        yield
    finally:
        optimizer.state = state
        optimizer.steps_taken = steps
        for group, kept in zip(optimizer.param_groups, options, strict=False):
            group.update(kept)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """A context without warnings: what they would say, the findings say."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def write(tensor: Any, data: Any) -> None:
    tensor.data.copy_(Tensor(data) if isinstance(data, numpy.ndarray) else data)


def array(tensor: Any) -> Any:
    """The numbers of a Tensor as a NumPy array."""
    return tensor.detach().cpu().numpy()


def number(loss: Any) -> float:
    return loss.item() if isinstance(loss, Tensor) else float("nan" if loss is None else loss)


def floating(output: Any) -> Iterator[Any]:
    """The floating Tensors of an output: of a Tensor, or of tuples, lists and dicts of them."""
    if isinstance(output, Tensor):
        if output.is_floating_point():
            yield output
    elif isinstance(output, dict):
        for value in output.values():
            yield from floating(value)
    elif isinstance(output, list | tuple):
        for value in output:
            yield from floating(value)
