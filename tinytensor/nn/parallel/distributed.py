"""DistributedDataParallel: the same model on all ranks, with the average of their gradients."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy

from ...arrays.devices import array_module, resolve, to_numpy
from ...autograd.modes import mode
from ...autograd.versions import note_write
from ...distributed.grad_bucket import GradBucket
from ...distributed.groups import Group
from ...distributed.groups import resolve as resolve_group
from ...distributed.monitor import watcher
from ...distributed.process_group import ProcessGroup
from ...tensors.tensor import Tensor
from ..arguments import Device
from ..module import Module
from ..parameter import Parameter, UninitializedParameter
from .data_parallel import moved
from .reducer import Reducer

MEGABYTE = 1 << 20


class DistributedDataParallel(Module):
    """Trains `module` on all ranks of a group, each with its own part of every batch.

    At the start all ranks get the parameters and buffers of the first. After `backward`, the
    gradients are the mean of those of all ranks, the same on all, so equal optimizers make equal
    steps. The gradients are sent in buckets while the backward still runs.

    A loss that is the mean over a batch gives the gradient of the whole batch if all ranks have
    the same number of samples. The names in the `state_dict` are those of `module`, without a
    prefix; `load_state_dict` also takes names that begin with "module.". Li et al. 2020.

    Args:
        device_ids: the GPU of `module`, to which inputs are moved.
        broadcast_buffers: the buffers of the first rank replace those of the others before the
            first forward, and before each forward that follows one that was trained on. All ranks
            must call these forwards, also in evaluation; one rank alone calls `model.module`.
        init_sync: False leaves parameters and buffers as they are, and does not compare them.
        bucket_cap_mb: the size of a bucket in MiB, by default 25. The first has 1 MiB.
        find_unused_parameters: parameters may get no gradient; `grad` of those that got none on
            any rank stays as it is.
        gradient_as_bucket_view: `grad` shows the memory of the buckets, which saves a copy. It is
            then valid until the next backward.
        static_graph: as find_unused_parameters.

    output_device, dim and check_reduction have no effect.

    Raises:
        RuntimeError: no parameter requires grad, or one has no shape yet; the ranks have different
            models: the message names the first difference.
        ValueError: there is no process group; device_ids names several GPUs.
    """

    def __init__(self, module: Module, device_ids: Sequence[Device] | None = None,
                 output_device: Device = None, dim: int = 0, broadcast_buffers: bool = True,
                 init_sync: bool = True, process_group: Group = None,
                 bucket_cap_mb: float | None = None, find_unused_parameters: bool = False,
                 check_reduction: bool = False, gradient_as_bucket_view: bool = False,
                 static_graph: bool = False):
        super().__init__()
        group = resolve_group("DistributedDataParallel", process_group)
        if group is None:
            raise ValueError("DistributedDataParallel: this rank is not in the group")
        if device_ids is not None and len(device_ids) > 1:
            raise ValueError("DistributedDataParallel: a process uses one GPU, got device_ids="
                             f"{device_ids}; start one process for each GPU")
        self.module = module
        self.device_ids = None if not device_ids else [resolve(device_ids[0])]
        self.output_device, self.dim = output_device, dim
        self.broadcast_buffers = broadcast_buffers
        self.find_unused_parameters = find_unused_parameters or static_graph
        self.gradient_as_bucket_view, self.static_graph = gradient_as_bucket_view, static_graph
        self.require_backward_grad_sync = self.require_forward_param_sync = True
        self.bucket_bytes_cap = int((25 if bucket_cap_mb is None else bucket_cap_mb) * MEGABYTE)
        trained = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
        _check_parameters(module, trained)
        self.process_group: ProcessGroup = group.duplicate("DistributedDataParallel")
        if init_sync:
            _check_same(self.process_group, module)
            _broadcast(self.process_group, [*module.parameters(), *module.buffers()])
        self._reducer = None if group.size() == 1 else self._new_reducer(trained)
        self._joining: _Joining | None = None
        self._register_load_state_dict_pre_hook(_with_prefix, with_module=True)

    def _new_reducer(self, trained: Sequence[tuple[str, Parameter]]) -> Reducer:
        limits = min(MEGABYTE, self.bucket_bytes_cap), self.bucket_bytes_cap
        return Reducer(trained, self.process_group, limits, self.find_unused_parameters,
                       self.gradient_as_bucket_view)

    def register_comm_hook(self, state: Any, hook: Callable[[Any, GradBucket], Any]) -> None:
        """Replaces the average of a bucket of gradients by hook(state, bucket).

        The hook returns a Future whose value, a Tensor or a list of one, becomes the gradients of
        the bucket. It is called while the backward runs, on all ranks with the same buckets in the
        same order, so it should not wait: start collectives with async_op=True and return
        `get_future().then(...)`. The gradients in the bucket are not divided by the number of
        ranks. `distributed.algorithms.ddp_comm_hooks` has hooks.

        Gradients that arrive after their bucket was sent, from nodes beside the forward, are
        averaged without the hook.

        Raises:
            RuntimeError: the model has a hook already.
            TypeError: the hook cannot be called.
        """
        if not callable(hook):
            raise TypeError("register_comm_hook: expected a function of (state, bucket), got "
                            f"{type(hook).__name__}")
        if self._reducer is None:  # one rank: a hook may change the gradients all the same
            self._reducer = self._new_reducer([
                (name, p) for name, p in self.module.named_parameters() if p.requires_grad])
        if self._reducer.hook is not None:
            raise RuntimeError("register_comm_hook: the model has a communication hook already")
        self._reducer.hook = state, hook

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        if self.device_ids:
            inputs, kwargs = moved((inputs, kwargs), self.device_ids[0])
        if self._reducer is None:
            return self.module(*inputs, **kwargs)
        trains = bool(mode.enabled) and self.require_backward_grad_sync
        source = 0
        if self._joining is not None and mode.enabled:
            source = self._joining.tell(SYNCED if trains else LOCAL)
        if self.broadcast_buffers and self.require_forward_param_sync:
            _broadcast(self.process_group, list(self.module.buffers()), source)
        self.require_forward_param_sync = trains
        output = self.module(*inputs, **kwargs)
        return self._attached(output) if trains else output

    def _attached(self, output: Any) -> Any:
        """The output with all Tensors that require grad behind the reducer's Sink.

        Raises:
            TypeError: there is none, in an object of another type.
        """
        found: list[Tensor] = []
        unknown: list[type] = []
        _replaced(output, found.append, unknown)
        if not found:
            if unknown:
                raise TypeError(
                    "DistributedDataParallel: forward returned a "
                    f"{unknown[0].__name__}, in which no Tensors can be found; return Tensors, or "
                    "tuples, lists, dicts or dataclasses of them, so that gradients are averaged")
            return output
        assert self._reducer is not None
        passed = iter(self._reducer.attach(found))
        return _replaced(output, lambda x: next(passed), [])

    @contextlib.contextmanager
    def no_sync(self) -> Iterator[None]:
        """Forwards within it add their gradients to `grad` without averaging. The next forward
        outside averages the sums: gradient accumulation over several batches."""
        before, self.require_backward_grad_sync = self.require_backward_grad_sync, False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    @contextlib.contextmanager
    def join(self, divide_by_initial_world_size: bool = True, enable: bool = True,
             throw_on_early_termination: bool = False) -> Iterator[None]:
        """For ranks with different numbers of batches: around the loop over the batches.

        A rank that has come to the end takes part in the reductions of the others with gradients
        of zero, until all have ended. Then all get the values of a rank that ended last. The
        program calls no collectives of its own within, and one backward follows each forward.

        Args:
            divide_by_initial_world_size: the mean is over all ranks; otherwise over those that
                have not ended.
            enable: False: nothing happens.
            throw_on_early_termination: all ranks raise when the first has ended.

        Raises:
            RuntimeError: with throw_on_early_termination.
        """
        if not enable or self._reducer is None:
            yield
            return
        self._joining = _Joining(self._reducer, divide_by_initial_world_size,
                                 throw_on_early_termination)
        try:
            yield
            while self._joining.goes_on():
                source = self._joining.source
                if self.broadcast_buffers and self.require_forward_param_sync:
                    _broadcast(self.process_group, list(self.module.buffers()), source)
                self.require_forward_param_sync = SYNCED in self._joining.states
                if self.require_forward_param_sync:
                    self._reducer.shadow(source)
            _broadcast(self.process_group, [*self.module.parameters(), *self.module.buffers()],
                       self._joining.source)
        finally:
            self._reducer.divisor, self._joining = self.process_group.size(), None

    def state_dict(self, **options: Any) -> Any:
        """The state of the inner module, under its names."""
        return self.module.state_dict(**options)


ENDED, SYNCED, LOCAL = range(3)  # what a rank does next, in `join`


class _Joining:
    """What the ranks tell each other before each forward within `join`.

    states    of all ranks: ENDED, SYNCED (a forward whose gradients are averaged) or LOCAL
    source    the first rank that has not ended; when all have, one that ended last
    """

    def __init__(self, reducer: Reducer, divide_by_all: bool, throw: bool):
        self.reducer, self.divide_by_all, self.throw = reducer, divide_by_all, throw
        self.states: list[int] = []
        self.source = 0

    def tell(self, state: int) -> int:
        """Exchanges the states; the source.

        Raises:
            RuntimeError: a rank has ended, and that is to be an error.
        """
        group = self.reducer.group
        states = numpy.zeros(group.size(), numpy.int32)
        with watcher.inside(group.note("join")):
            group.checks.Allgather(numpy.array([state], numpy.int32), states)
        self.states = states.tolist()
        active = [rank for rank, s in enumerate(self.states) if s != ENDED]
        if self.throw and len(active) < group.size():
            raise RuntimeError("DistributedDataParallel.join: rank "
                               f"{group.ranks[self.states.index(ENDED)]} has no more batches")
        if active:
            self.source = active[0]
            self.reducer.source = active[0]
            self.reducer.divisor = group.size() if self.divide_by_all else len(active)
        return self.source

    def goes_on(self) -> bool:
        """For a rank that has ended: whether another has not."""
        self.tell(ENDED)
        return any(self.states)


def _with_prefix(wrapper: Any, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
    """Adds "module." to the names below `prefix` that do not have it."""
    inner = f"{prefix}module."
    there = inner if wrapper.module._modules.get("module") is None else f"{inner}module."
    for key in [k for k in state_dict if k.startswith(prefix) and not k.startswith(there)]:
        state_dict[inner + key.removeprefix(prefix)] = state_dict.pop(key)


def _replaced(output: Any, function: Any, unknown: list[type]) -> Any:
    """The output of a forward with function(x) for each Tensor x that requires grad.

    The types in which no Tensors are searched are added to `unknown`.
    """
    if isinstance(output, Tensor):
        if not output.requires_grad or output.is_leaf:
            return output
        return function(output)
    if isinstance(output, tuple | list):
        items = [_replaced(x, function, unknown) for x in output]
        if hasattr(output, "_fields"):
            return type(output)(*items)
        return type(output)(items)
    if isinstance(output, dict):
        made = copy.copy(output)
        for key, value in output.items():
            made[key] = _replaced(value, function, unknown)
        return made
    if dataclasses.is_dataclass(output) and not isinstance(output, type):
        same = copy.copy(output)
        for field in dataclasses.fields(output):
            object.__setattr__(same, field.name,
                               _replaced(getattr(output, field.name), function, unknown))
        return same
    if output is not None and not isinstance(output, bool | int | float | complex | str | bytes):
        unknown.append(type(output))
    return output


# ---------------------------------------------------------------- at the start


def _check_parameters(module: Module, trained: list[Any]) -> None:
    if not trained:
        raise RuntimeError("DistributedDataParallel: no parameter of the module requires grad, so "
                           "there is nothing to average; use the module itself")
    for name, parameter in module.named_parameters():
        if isinstance(parameter, UninitializedParameter):
            raise RuntimeError(f"DistributedDataParallel: {name} has no shape yet; run the lazy "
                               "module on a batch first")


def _check_same(group: ProcessGroup, module: Module) -> None:
    """
    Raises:
        RuntimeError: parameters or buffers of the ranks differ in name, order, shape, dtype or
            requires_grad.
    """
    mine = [(name, tuple(x.shape), x.dtype.name, x.requires_grad)
            for name, x in (*module.named_parameters(), *module.named_buffers())]
    with watcher.inside(group.note("models", "shapes")):
        models = group.checks.allgather(mine)
    for rank, theirs in zip(group.ranks, models, strict=True):
        if theirs == models[0]:
            continue
        for i in range(max(len(theirs), len(models[0]))):
            first, other = (_shown(model, i) for model in (models[0], theirs))
            if first != other:
                raise RuntimeError(
                    "DistributedDataParallel: the ranks have different models: parameter or "
                    f"buffer number {i} is {first} on rank {group.ranks[0]} and {other} on rank "
                    f"{rank}. Build the same model on all ranks, in the same order")


def _shown(model: list[Any], index: int) -> str:
    if index >= len(model):
        return "missing"
    name, shape, dtype, requires_grad = model[index]
    return f"{name!r}, {shape}, {dtype}{'' if requires_grad else ', without requires_grad'}"


def _broadcast(group: ProcessGroup, tensors: list[Tensor], source: int = 0) -> None:
    """Replaces the values of Tensors by those of one rank, joined by dtype."""
    by_dtype: dict[Any, list[Tensor]] = {}
    for tensor in tensors:
        by_dtype.setdefault(tensor._array.dtype, []).append(tensor)
    for same in by_dtype.values():
        flat = numpy.concatenate([to_numpy(t._array).reshape(-1) for t in same])
        with watcher.inside(group.note("values", flat.size, flat.dtype, f"from {source}")):
            group.transport.broadcast(flat, source, True)
        if group.rank() == source:
            continue
        start = 0
        for tensor in same:
            array = tensor._array
            stop = start + array.size
            array[...] = array_module(array).asarray(flat[start:stop]).reshape(array.shape)
            note_write(array, "DistributedDataParallel")
            start = stop
