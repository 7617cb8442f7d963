"""ZeroRedundancyOptimizer: the state of an optimizer in parts, one on each rank."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import numpy

from ..arrays.devices import array_module, to_numpy
from ..autograd.versions import note_writes
from ..distributed.groups import Group, resolve
from ..distributed.monitor import watcher
from ..distributed.process_group import ProcessGroup
from ..tensors.creation import tensor
from ..tensors.tensor import Tensor
from .lbfgs import LBFGS
from .optimizer import Optimizer


class ZeroRedundancyOptimizer(Optimizer):
    """Divides the parameters among the ranks: each updates its own, and sends the new values.

    So each rank has one part of the optimizer's state, about 1 / ranks of it. The updates equal
    those of `optimizer_class` to the bit, if all ranks have the same gradients, as with
    DistributedDataParallel. Rajbhandari et al. 2020, stage 1.

    The state of all ranks comes together in `consolidate_state_dict`, which all ranks call before
    one calls `state_dict`; `utils.resume.save_checkpoint` does both.

    Args:
        params: as for `Optimizer`; the same on all ranks.
        optimizer_class: the optimizer of each part.
        defaults: its options.

    parameters_as_bucket_view and overlap_with_ddp have no effect.

    Raises:
        TypeError: optimizer_class is no optimizer, or LBFGS, whose step depends on all parameters.
        ValueError: there is no process group; and what optimizer_class raises.
    """

    def __init__(self, params: Iterable[Any], optimizer_class: type[Optimizer],
                 process_group: Group = None, parameters_as_bucket_view: bool = False,
                 overlap_with_ddp: bool = False, **defaults: Any):
        if not (isinstance(optimizer_class, type) and issubclass(optimizer_class, Optimizer)) \
                or issubclass(optimizer_class, LBFGS):
            raise TypeError("ZeroRedundancyOptimizer: optimizer_class must be an optimizer that "
                            "updates each parameter by itself, such as optim.Adam, got "
                            f"{optimizer_class!r}")
        group = resolve("ZeroRedundancyOptimizer", process_group)
        if group is None:
            raise ValueError("ZeroRedundancyOptimizer: this rank is not in the group")
        self.group: ProcessGroup = group.duplicate("ZeroRedundancyOptimizer")
        self.optim = optimizer_class(params, **defaults)
        self.defaults, self.param_groups = self.optim.defaults, self.optim.param_groups
        self._consolidated: dict[int, Any] | None = None
        self._divide()

    @property
    def state(self) -> defaultdict[Tensor, dict[str, Any]]:  # type: ignore[override]
        """The state of this rank's parameters."""
        return self.optim.state

    def _divide(self) -> None:
        """Gives each parameter to a rank: the largest first, to the rank that has least."""
        self.parameters: list[Any] = [p for g in self.param_groups for p in g["params"]]
        sizes, self.owners = [0] * self.group.size(), {}
        for parameter in sorted(self.parameters, key=lambda p: -p._array.nbytes):
            owner = sizes.index(min(sizes))
            self.owners[parameter] = owner
            sizes[owner] += parameter._array.nbytes
        self.own = {p for p, owner in self.owners.items() if owner == self.group.rank()}

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As `Optimizer.add_param_group`; all ranks call it."""
        self.optim.param_groups = self.param_groups
        self.optim.add_param_group(param_group)
        self._divide()
        state = self.optim.state
        lost = [p for p in state if p not in self.own]
        if lost:
            raise RuntimeError("ZeroRedundancyOptimizer: add all groups of parameters before the "
                               "first step; the state of some would have to move to other ranks")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Updates the parameters of this rank, then sends them to all others."""
        self.optim.param_groups = [
            {**group, "params": [p for p in group["params"] if p in self.own]}
            for group in self.param_groups]
        self._consolidated = None
        loss = self.optim.step(closure)  # type: ignore[arg-type]
        self._exchange()
        return loss

    def _exchange(self) -> None:
        """Gives all ranks the new values of all parameters, joined by dtype."""
        if self.group.size() == 1:
            return
        by_dtype: dict[Any, list[Any]] = {}
        for parameter in self.parameters:
            by_dtype.setdefault(parameter._array.dtype, []).append(parameter)
        for dtype, parameters in by_dtype.items():
            parts = [[p for p in parameters if self.owners[p] == rank]
                     for rank in range(self.group.size())]
            sizes = [sum(p._array.size for p in part) for part in parts]
            own = _flat(parts[self.group.rank()], dtype)
            everything = numpy.empty(sum(sizes), dtype)
            with watcher.inside(self.group.note("values of parameters", tuple(sizes), dtype)):
                self.group.transport.all_gather(everything, own, sizes, True)
            start = 0
            for rank, part in enumerate(parts):
                for p in part:
                    stop = start + p._array.size
                    if rank != self.group.rank():
                        p._array[...] = array_module(p._array).asarray(
                            everything[start:stop]).reshape(p._array.shape)
                    start = stop
        note_writes([p._array for p in self.parameters if p not in self.own],
                    "ZeroRedundancyOptimizer.step")

    # ------------------------------------------------------------ state

    def consolidate_state_dict(self, to: int = 0) -> None:
        """Brings the state of all ranks to rank `to` of the group, which may call `state_dict`
        then."""
        numbers = {p: i for i, p in enumerate(self.parameters)}
        own = {numbers[p]: {name: _plain(value) for name, value in values.items()}
               for p, values in self.optim.state.items()}
        with watcher.inside(self.group.note("state of the optimizer", f"to {to}")):
            states = self.group.checks.gather(own, root=to)
        self._consolidated = None if states is None else {
            number: {name: _restored(value) for name, value in values.items()}
            for state in states for number, values in state.items()}

    def state_dict(self) -> dict[str, Any]:
        """Options and state of all parameters, as `optimizer_class` has them.

        Raises:
            RuntimeError: `consolidate_state_dict` was not called on all ranks, for this one.
        """
        if self._consolidated is None:
            raise RuntimeError(
                "ZeroRedundancyOptimizer.state_dict: the state is divided among the ranks; call "
                f"consolidate_state_dict(to={self.group.rank()}) on all ranks first")
        numbers = {p: i for i, p in enumerate(self.parameters)}
        groups = [{**{k: v for k, v in group.items() if k != "params"},
                   "params": [numbers[p] for p in group["params"]]} for group in self.param_groups]
        return {"state": dict(sorted(self._consolidated.items())), "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Loads options and this rank's part of a state of `state_dict`, or of `optimizer_class`.

        Raises:
            ValueError: the groups differ in number or size. The optimizer has not changed.
        """
        self.optim.param_groups = self.param_groups
        self.optim.load_state_dict(state_dict)
        self._consolidated = None
        self.param_groups = self.optim.param_groups
        for parameter in [p for p in self.optim.state if p not in self.own]:
            del self.optim.state[parameter]


def _flat(parameters: list[Any], dtype: Any) -> Any:
    """The values of parameters, one after the other, on the host."""
    arrays = [to_numpy(p._array).reshape(-1) for p in parameters]
    return numpy.concatenate(arrays) if arrays else numpy.empty(0, dtype)


def _plain(value: Any) -> Any:
    return ("tensor", to_numpy(value._array)) if isinstance(value, Tensor) else ("other", value)


def _restored(pair: tuple[str, Any]) -> Any:
    return tensor(pair[1]) if pair[0] == "tensor" else pair[1]
