"""Activation checkpointing: a part of a model whose intermediate values are computed twice.

Backward needs what the forward has computed in between. `checkpoint` runs a part of the model
without keeping that, and runs it once more when backward comes to it: less memory, a third more
work. (Griewank and Walther 2000; Chen et al. 2016 for networks.)
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

from .. import cuda, random
from ..autograd import frames, graph, versions
from ..autograd.casting import casting, inside
from ..autograd.engine import Sums, walk
from ..autograd.graph import CustomNode, Leaf, pick, tensor_of
from ..autograd.modes import enable_grad, mode
from ..tensors.tensor import Tensor

__all__ = ["CheckpointError", "checkpoint", "checkpoint_sequential", "get_device_states",
           "set_device_states"]


class CheckpointError(RuntimeError):
    """The second run of a checkpointed function was not the same as the first."""


def checkpoint(function: Callable[..., Any], *args: Any, use_reentrant: bool | None = None,
               preserve_rng_state: bool = True, **kwargs: Any) -> Any:
    """function(*args, **kwargs), computed again in backward instead of being kept until then.

    Gradients reach everything that the function uses: arguments, parameters of modules, what it
    encloses; `create_graph` works. What the function does beside its result, such as moving the
    running statistics of batch normalisation, happens twice.

    Args:
        use_reentrant: chooses among implementations in PyTorch; here there is one.
        preserve_rng_state: the second run draws the random numbers of the first, so that dropout
            drops the same.

    Raises:
        CheckpointError: in backward; the second run gave results of other shapes or dtypes, or
            used other Tensors, or what it used was overwritten since.
    """
    if not mode.enabled:
        return function(*args, **kwargs)
    for x in (*args, *kwargs.values()):
        if isinstance(x, Tensor):
            random.generator_of(x.device)  # so that its state is among those kept
    state = random.streams().state_dict() if preserve_rng_state else None
    start = next(versions.clock)
    output = function(*args, **kwargs)
    several = isinstance(output, tuple | list)
    results = list(output) if several else [output]
    places = _places(results)
    if not places:
        return output

    node = CheckpointNode("checkpoint", _boundary(results, start), outputs=places)
    node.function, node.args, node.kwargs, node.state = function, args, kwargs, state
    node.targets = casting.targets
    node.versions = _versions_of(node.parents, args, kwargs)
    node.results = [_kind(x) for x in results]
    for position, i in enumerate(places):  # what the first run recorded is dropped with `results`
        array = results[i]._array
        results[i] = tensor_of(array, pick(node, position, array))
    return type(output)(results) if several else results[0]


def _places(results: list[Any]) -> list[int]:
    """Which results are to be differentiated."""
    return [i for i, x in enumerate(results) if isinstance(x, Tensor) and x.requires_grad]


def _kind(x: Any) -> Any:
    return (tuple(x.shape), x.dtype) if isinstance(x, Tensor) else None


def _boundary(results: list[Any], start: int) -> list[Any]:
    """The nodes and leaves from before `start` that the results were computed from."""
    stack = [results[i]._node for i in _places(results)]
    seen = set(stack)
    found = []
    while stack:
        node = stack.pop()
        if node.time <= start:
            found.append(node)
            continue
        for parent in node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return found


def _versions_of(parents: Iterable[Any], args: Any, kwargs: dict[str, Any]) -> list[int | None]:
    """How often what a checkpoint depends on was written: its leaves and its arguments."""
    leaves = [p.tensor() for p in parents if isinstance(p, Leaf)]
    return [x._version if isinstance(x, Tensor) else None
            for x in itertools.chain(leaves, args, kwargs.values())]


class CheckpointNode(CustomNode):
    """A function that backward calls again, to go back through what that records."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    state: Any
    targets: Any  # of the autocasts around the first run
    versions: list[int | None]
    results: list[Any]

    def name(self) -> str:
        return "CheckpointBackward"

    def backward(self, xp: Any, g: Any, sums: Sums, parents: Any) -> None:
        recorded = xp is graph.tensors
        results = self._again()
        roots: dict[Any, Any] = {}
        for i, d in zip(self.op.outputs, g, strict=True):
            if d is not None:
                node = results[i]._node
                roots[node] = roots[node] + d if node in roots else d
        wanted = [p for p in parents or self.parents if p is not None]
        found = walk(roots, wanted, recorded, recorded)
        for parent in wanted:
            if parent in found:
                sums.add(parent, found[parent])

    def _again(self) -> list[Any]:
        """The results of a second run, recorded."""
        where = frames.place_of(self)
        if _versions_of(self.parents, self.args, self.kwargs) != self.versions:
            raise CheckpointError(f"checkpoint ({where}): a Tensor that the function used was "
                                  "overwritten in place since; do that after backward")
        streams = random.streams()
        if self.state is not None:
            streams = random.Streams()
            streams.load_state_dict(self.state)
        start = next(versions.clock)
        with enable_grad(), random.using(streams), inside(self.targets):
            output = self.function(*self.args, **self.kwargs)
        results = list(output) if isinstance(output, tuple | list) else [output]
        kinds = [_kind(x) for x in results]
        if kinds != self.results or _places(results) != self.op.outputs:
            raise CheckpointError(f"checkpoint ({where}): the function gave {kinds} when it ran "
                                  f"again in backward, and {self.results} before; it must do the "
                                  "same both times")
        if set(_boundary(results, start)) != set(self.parents):
            raise CheckpointError(f"checkpoint ({where}): the function used other Tensors when it "
                                  "ran again in backward; it must do the same both times")
        return results


def checkpoint_sequential(functions: Any, segments: int, input: Any,
                          use_reentrant: bool | None = None,
                          preserve_rng_state: bool = True) -> Any:
    """A Sequential, or a list of functions, in segments of which all but the last are checkpointed.

    Arguments and errors as `checkpoint`.
    """
    functions = list(functions)
    if not 1 <= segments <= len(functions):
        raise ValueError(f"checkpoint_sequential: {segments} segments of {len(functions)} "
                         "functions; there must be at least one of each")
    size = len(functions) // segments

    def run(part: list[Any]) -> Callable[[Any], Any]:
        def forward(x: Any) -> Any:
            for function in part:
                x = function(x)
            return x
        return forward

    for i in range(segments - 1):
        input = checkpoint(run(functions[i * size:(i + 1) * size]), input,
                           use_reentrant=use_reentrant, preserve_rng_state=preserve_rng_state)
    return run(functions[(segments - 1) * size:])(input)


def get_device_states(*args: Any) -> tuple[list[int], list[Tensor]]:
    """The GPUs of the Tensors among the arguments, and the states of their generators."""
    gpus = sorted({x.device.index or 0 for x in args if isinstance(x, Tensor) and x.is_cuda})
    return gpus, [cuda.get_rng_state(gpu) for gpu in gpus]


def set_device_states(devices: Iterable[int], states: Iterable[Tensor], *,
                      device_type: str | None = None) -> None:
    """Sets the states of the generators of GPUs, as `get_device_states` gave them."""
    for gpu, state in zip(devices, states, strict=True):
        cuda.set_rng_state(state, gpu)
