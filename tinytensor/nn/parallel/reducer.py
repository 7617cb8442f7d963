"""Averages gradients over the ranks while the backward still runs (Li et al. 2020).

The parameters are divided into buckets, in the order in which their gradients arrive. When all
gradients of a bucket have arrived, its reduction starts, and the backward goes on with the layers
before. The end of the backward waits for the reductions.

The engine gives the gradient of a leaf when the walk is over. So the outputs of the forward get a
node, the Sink, through which every backward must come. It puts further nodes on the way: a Watch
just after the last node that adds to the gradient of a parameter, and one End. A node is reached in
the order of its `time`, so a Watch finds the complete gradient.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from ...arrays.devices import array_module, device_of, on, to_numpy
from ...autograd.engine import Sums, topological_order
from ...autograd.graph import CustomNode, Leaf, pick, tensor_of
from ...autograd.halves import half_of
from ...distributed.grad_bucket import GradBucket
from ...distributed.monitor import watcher
from ...distributed.operations import ReduceOp
from ...distributed.process_group import ProcessGroup
from ...tensors.tensor import Tensor
from ..parameter import Parameter

_ends = itertools.count(2)


class Sink(CustomNode):
    """The outputs of one forward: passes gradients through, and prepares the walk below it."""

    reducer: Reducer
    watches: list[Watch]

    def backward(self, xp: Any, g: Any, sums: Sums, parents: Any) -> None:
        for parent, d in zip(parents or self.parents, g, strict=True):
            if parent is not None and d is not None:
                sums.add(parent, d)
        if parents is not None:  # autograd.grad, or backward(inputs=...): not for `grad` of all
            return
        self.reducer.begin(sums)
        arrived = next(d for d in g if d is not None)
        for watch in self.watches:
            sums.reach(watch, arrived)
        if self.reducer.end not in sums.grads:
            sums.reach(self.reducer.end, arrived)


class Watch(CustomNode):
    """Reached when the gradients of some parameters are complete."""

    reducer: Reducer
    leaves: list[tuple[int, Leaf]]

    def backward(self, xp: Any, g: Any, sums: Sums, parents: Any) -> None:
        for index, leaf in self.leaves:
            gradient = sums.grads.pop(leaf, None)
            sums.owned.discard(leaf)  # what arrives later is another array
            if gradient is not None:
                self.reducer.arrived(index, gradient)
        self.reducer.progress()


class End(CustomNode):
    """The last node of a walk: waits for the reductions."""

    reducer: Reducer

    def backward(self, xp: Any, g: Any, sums: Sums, parents: Any) -> None:
        self.reducer.finish(sums)


class Bucket:
    """Parameters whose gradients are reduced together.

    flat      the gradients, one after the other; those of float16 in float32
    parts     for each parameter, by its index, its view in `flat`
    missing   the indices of those that have not arrived
    sent      what MPI reduces: `flat`, or a copy on the host
    """

    def __init__(self, indices: Sequence[int], parameters: Sequence[Parameter]):
        first = parameters[indices[0]]._array
        sizes = [parameters[i]._array.size for i in indices]
        dtype = numpy.dtype("float32") if half_of(first) else first.dtype
        self.flat = on(device_of(first), lambda xp: xp.zeros(sum(sizes), dtype))
        offsets = numpy.cumsum([0, *sizes]).tolist()
        self.parts = {i: self.flat[start:stop].reshape(parameters[i]._array.shape)
                      for i, start, stop in zip(indices, offsets, offsets[1:], strict=False)}
        self.missing = set(indices)
        self.request: Any = None
        self.call: Any = None
        self.sent: Any = None


class Reducer:
    """The reductions of one model.

    Args:
        parameters: (name, parameter) for those that are trained, in the same order on all ranks.
        group: a group of its own, so that its collectives are in an order of their own.
        limits: the bytes of the first bucket, which ends the wait, and of the others.
        find_unused: whether parameters may get no gradient.
        as_views: whether `grad` shows the memory of the buckets, instead of a copy.
    """

    def __init__(self, parameters: Sequence[tuple[str, Parameter]], group: ProcessGroup,
                 limits: tuple[int, int], find_unused: bool, as_views: bool):
        self.names = [name for name, _ in parameters]
        self.parameters = [parameter for _, parameter in parameters]
        self.group, self.limits = group, limits
        self.find_unused, self.as_views = find_unused, as_views
        self.divisor = group.size()
        self.hook: tuple[Any, Callable[[Any, GradBucket], Any]] | None = None  # and its state
        self.source = 0  # the rank whose order of arrival the buckets follow
        self.arrange(list(range(len(parameters)))[::-1])
        self.order: list[int] | None = []  # of the first backward, until the buckets follow it
        self.forwards = 0  # since the last backward
        self.sums: Sums | None = None  # of the walk that runs
        self.end = End("the end of DistributedDataParallel's backward", ())
        self.end.time, self.end.reducer = 1 / next(_ends), self  # type: ignore[assignment]

    def __deepcopy__(self, memo: dict[int, Any]) -> Reducer:
        """That of a copy of the model. Copies of the buckets would not share memory with their
        parts, so it makes new ones."""
        parameters = copy.deepcopy(self.parameters, memo)
        made = Reducer(list(zip(self.names, parameters, strict=True)), self.group, self.limits,
                       self.find_unused, self.as_views)
        made.hook = self.hook
        return made

    @property
    def scale(self) -> float:
        """The factor of gradients that are put into a bucket. A hook gets them as they are."""
        return 1.0 if self.hook is not None else 1 / self.divisor

    def arrange(self, order: list[int]) -> None:
        """Divides the parameters, in this order, into buckets."""
        self.buckets: list[Bucket] = []
        groups: list[list[int]] = []
        size, kind = 0, None
        for index in order:
            array = self.parameters[index]._array
            limit = self.limits[len(groups) > 1]
            if not groups or size + array.nbytes > limit or (
                    kind != (array.dtype, device_of(array))):
                groups.append([])
                size, kind = 0, (array.dtype, device_of(array))
            groups[-1].append(index)
            size += array.nbytes
        self.buckets = [Bucket(indices, self.parameters) for indices in groups]
        self.places = {i: bucket for bucket in self.buckets for i in bucket.parts}

    # ------------------------------------------------------------ the forward

    def attach(self, outputs: list[Any]) -> list[Any]:
        """The outputs of a forward, which require grad, at the place of a Sink in the graph."""
        self.forwards += 1
        leaves = {p._node: i for i, p in enumerate(self.parameters) if p._node is not None}
        last: dict[Leaf, Any] = {}  # the oldest node that uses a parameter runs last
        for node in topological_order([x._node for x in outputs]):
            for parent in node.parents:
                if parent in leaves:
                    last[parent] = node
        by_node: dict[Any, list[tuple[int, Leaf]]] = {}
        for leaf, node in last.items():
            by_node.setdefault(node, []).append((leaves[leaf], leaf))
        sink = Sink("DistributedDataParallel", [x._node for x in outputs],
                    outputs=range(len(outputs)))
        sink.reducer, sink.watches = self, []
        for node, below in by_node.items():
            watch = Watch("DistributedDataParallel", (), same_place=sink)
            watch.time = node.time - 0.5  # after `node`, before the next
            watch.reducer, watch.leaves = self, below
            sink.watches.append(watch)
        if self.find_unused:
            self.used_here = {leaves[leaf] for leaf in last}
        return [tensor_of(x._array, pick(sink, i, x._array)) for i, x in enumerate(outputs)]

    # ------------------------------------------------------------ the backward

    def begin(self, sums: Sums) -> None:
        """Called when a walk comes to the outputs of a forward."""
        if sums.recorded:
            raise RuntimeError("DistributedDataParallel: backward(create_graph=True) is not "
                               "supported; differentiate the inner module, model.module")
        if sums is self.sums:
            return
        if any(bucket.request is not None for bucket in self.buckets):
            raise RuntimeError("DistributedDataParallel: an error has ended the backward before, "
                               "while gradients were on the way; the ranks cannot go on")
        self.sums = sums
        self.next = 0  # the next bucket to be sent: the same order on all ranks
        self.late: dict[int, Any] = {}
        self.used = numpy.zeros(len(self.parameters), numpy.int32)
        for bucket in self.buckets:
            bucket.missing = set(bucket.parts)
        # With several forwards, further gradients may arrive for what a Watch has seen.
        self.hold = self.forwards > 1
        if self.find_unused and not self.hold:
            for index in set(range(len(self.parameters))) - self.used_here:
                self._fill(index, None)

    def arrived(self, index: int, gradient: Any) -> None:
        """The gradient of a parameter, or a part of it."""
        bucket = self.places[index]
        if self.order is not None and index not in self.order:
            self.order.append(index)
        if bucket.request is not None:
            self.late[index] = self.late[index] + gradient if index in self.late else gradient
        elif index not in bucket.missing:
            bucket.parts[index] += gradient * self.scale
        else:
            self._fill(index, gradient)
            self.send()

    def _fill(self, index: int, gradient: Any) -> None:
        """Puts a gradient, and what `grad` has from before, into a bucket, times `scale`."""
        bucket, parameter = self.places[index], self.parameters[index]
        part = bucket.parts[index]
        before = None if parameter._grad is None else parameter._grad._array
        if before is not None and (before is part or before.base is bucket.flat):  # as_views
            before = before.copy()  # `part` is overwritten now
        if gradient is None:
            part.fill(0)
        elif gradient.dtype == part.dtype:
            array_module(part).multiply(gradient, self.scale, out=part)
        else:
            part[...] = gradient
            part *= self.scale
        if before is not None:
            part += before.astype(part.dtype, copy=False) * self.scale
        self.used[index] = gradient is not None or before is not None
        bucket.missing.discard(index)

    def send(self) -> None:
        """Starts the reduction of all buckets that are complete, in their order."""
        while self.next < len(self.buckets) and not self.hold:
            bucket = self.buckets[self.next]
            if bucket.missing:
                return
            bucket.call = self.group.note("gradients", f"bucket {self.next}", bucket.flat.size)
            if self.hook is not None:
                self._call_hook(bucket)
            else:
                on_mpi = self.group.on_mpi(bucket.flat)
                bucket.sent = to_numpy(bucket.flat) if on_mpi else bucket.flat
                transport = self.group.transport if on_mpi else self.group.on_gpus()
                bucket.request = transport.all_reduce(bucket.sent, ReduceOp.SUM, False)
            self.next += 1

    def _call_hook(self, bucket: Bucket) -> None:
        """
        Raises:
            TypeError: the hook returns no Future.
        """
        assert self.hook is not None
        state, hook = self.hook
        given = GradBucket(self.next, _quiet(bucket.flat), [*map(_quiet, bucket.parts.values())],
                           [self.parameters[i] for i in bucket.parts], bucket is self.buckets[-1])
        with watcher.inside(bucket.call):
            future = hook(state, given)
        if not (hasattr(future, "wait") and hasattr(future, "done")):
            raise TypeError("register_comm_hook: the hook must return a torch.futures.Future, such "
                            "as all_reduce(..., async_op=True).get_future(), got "
                            f"{type(future).__name__}")
        bucket.request = future

    def progress(self) -> None:
        """MPI moves data only in its own calls, so one is made now and then."""
        for bucket in self.buckets[:self.next]:
            if self.hook is not None:
                bucket.request.done()
            elif bucket.request is not None and bucket.sent is bucket.flat and \
                    bucket.flat.__class__ is numpy.ndarray:
                bucket.request.Test()

    # ------------------------------------------------------------ the end of the backward

    def finish(self, sums: Sums) -> None:
        """Waits for the reductions, and gives the engine the average gradients."""
        indices = {p._node: i for i, p in enumerate(self.parameters) if p._node is not None}
        for leaf in [leaf for leaf in sums.grads if leaf in indices]:
            # Computed before the forward, or beside it: the walk met it after the Watch.
            self.arrived(indices[leaf], sums.grads.pop(leaf))
            sums.owned.discard(leaf)
        unused = sorted(i for bucket in self.buckets for i in bucket.missing)
        self._check_used([i for i in unused if self.parameters[i]._node is not None])
        for index in unused:
            self._fill(index, None)
        self.hold = False
        self.send()
        used = self._used_anywhere()
        late = self._late_sums()
        for bucket in self.buckets:
            self._wait(bucket)
            for index, part in bucket.parts.items():
                if index in late:
                    part += late[index]
                if used[index] and self.parameters[index]._node is not None:
                    self._give(self.parameters[index], part, sums)
        self.sums, self.forwards = None, 0
        if self.order is not None:
            self._rebuild()

    def shadow(self, source: int) -> None:
        """Takes part in the reductions of a backward with gradients of zero."""
        self.source, self.sums = source, None
        for bucket in self.buckets:
            bucket.flat.fill(0)
            bucket.missing = set()
        self.used = numpy.zeros(len(self.parameters), numpy.int32)
        self.next, self.hold, self.late = 0, False, {}
        self.send()
        self._used_anywhere()
        for bucket in self.buckets:
            self._wait(bucket)
        if self.order is not None:
            self._rebuild()

    def _wait(self, bucket: Bucket) -> None:
        with watcher.inside(bucket.call):
            if self.hook is not None:
                bucket.sent = _result_of_hook(bucket.request.wait(), bucket.flat)
            else:
                bucket.request.Wait()
        bucket.request = None
        if bucket.sent is not bucket.flat:
            bucket.flat[...] = array_module(bucket.flat).asarray(bucket.sent)

    def _check_used(self, unused: list[int]) -> None:
        """
        Raises:
            RuntimeError: parameters got no gradient, and that was not announced.
        """
        if unused and not self.find_unused:
            names = ", ".join(self.names[i] for i in unused[:8]) + ", ..." * (len(unused) > 8)
            raise RuntimeError(
                f"DistributedDataParallel: {len(unused)} of {len(self.parameters)} parameters got "
                f"no gradient in this backward: {names}. The loss does not depend on them on this "
                "rank. If that is intended, give find_unused_parameters=True; otherwise use all "
                "outputs of forward in the loss, or freeze the parameters with "
                "requires_grad_(False) before the model is wrapped")

    def _used_anywhere(self) -> Any:
        """For each parameter, whether it got a gradient on some rank."""
        if not self.find_unused:
            return numpy.ones(len(self.parameters), numpy.int32)
        with watcher.inside(self.group.note("gradients", "used parameters")):
            self.group.checks.Allreduce(self.group.transport.mpi.IN_PLACE, self.used)
        return self.used

    def _late_sums(self) -> dict[int, Any]:
        """The averages of the gradients that arrived after their bucket was sent.

        Every rank must have them for the same parameters.
        """
        averages = {}
        for index in sorted(self.late):
            gradient = to_numpy(self.late[index] / self.divisor)
            summed = numpy.array(gradient, self.places[index].flat.dtype)
            call = self.group.note("gradients", "late", self.names[index])
            with watcher.inside(call):
                self.group.checks.Allreduce(self.group.transport.mpi.IN_PLACE, summed)
            averages[index] = array_module(self.late[index]).asarray(summed)
        return averages

    def _give(self, parameter: Parameter, part: Any, sums: Sums) -> None:
        """Makes an average gradient the `grad` of a parameter."""
        parameter._grad = None  # it is part of the average
        leaf: Any = parameter._node
        if part.dtype != parameter._array.dtype:
            part = part.astype(parameter._array.dtype)
        elif self.as_views and not leaf.hooks and not parameter._post_hooks:
            parameter._grad = tensor_of(part, None)
            return
        sums.grads[leaf] = part  # the engine copies it, since it is a view

    def _rebuild(self) -> None:
        """Arranges the buckets in the order in which gradients arrived on one rank."""
        order, self.order = self.order, None
        assert order is not None
        order += [i for i in range(len(self.parameters)) if i not in set(order)]
        agreed = numpy.array(order, numpy.int32)
        with watcher.inside(self.group.note("gradients", "order")):
            self.group.checks.Bcast(agreed, self.source)
        if self.as_views:  # `grad` shows the old ones
            return
        self.arrange(agreed.tolist())


def _quiet(array: Any) -> Tensor:
    """An array as a Tensor. What a hook writes into it overwrites nothing that backward needs."""
    tensor = tensor_of(array, None)
    tensor._unnoted = True
    return tensor


def _result_of_hook(value: Any, flat: Any) -> Any:
    """The elements that the Future of a hook gives for a bucket.

    Raises:
        TypeError: the value is no Tensor, nor a list of one.
        ValueError: it has another number of elements than the bucket.
    """
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if not isinstance(value, Tensor):
        raise TypeError("register_comm_hook: the Future of the hook must give a Tensor, or a list "
                        f"with one, got {type(value).__name__}")
    if value._array.size != flat.size:
        raise ValueError(f"register_comm_hook: the hook's result has {value._array.size} elements, "
                         f"the bucket {flat.size}")
    return flat if value._array is flat else value._array.reshape(-1)
