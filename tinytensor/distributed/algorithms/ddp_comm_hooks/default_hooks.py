"""Hooks that average gradients: as they are, or in float16, which halves what is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ....compat import absent
from ....tensors.tensor import Tensor
from ... import groups
from ...collectives import all_reduce
from ...futures import Future
from ...grad_bucket import GradBucket
from ...process_group import ProcessGroup

Hook = Callable[[Any, GradBucket], Future[Tensor]]


def _group(name: str, process_group: ProcessGroup | None) -> ProcessGroup:
    return groups.world(name) if process_group is None else process_group


def _averaged(name: str, process_group: ProcessGroup | None, tensor: Tensor) -> Future[Any]:
    """The Future of [tensor], divided by the ranks and added up over them."""
    group = _group(name, process_group)
    tensor.div_(group.size())  # type: ignore[attr-defined]
    work = all_reduce(tensor, group=group, async_op=True)
    assert work is not None
    return work.get_future()


def allreduce_hook(process_group: ProcessGroup | None, bucket: GradBucket) -> Future[Tensor]:
    """The mean over the ranks: what DistributedDataParallel does without a hook.

    Args:
        process_group: the state; None for all ranks.
    """
    averaged = _averaged("allreduce_hook", process_group, bucket.buffer())
    return averaged.then(lambda future: future.value()[0])


def fp16_compress_hook(process_group: ProcessGroup | None, bucket: GradBucket) -> Future[Tensor]:
    """The mean over the ranks, sent as float16: half the bytes, and 3 digits.

    The conversion takes time too, so it pays on slow networks. An MPI library without a type of 2
    bytes adds up in float32, and sends as many bytes as without the hook; MPICH 5 has one.
    """
    buffer = bucket.buffer()
    averaged = _averaged("fp16_compress_hook", process_group,
                         buffer.half())  # type: ignore[attr-defined]
    return averaged.then(lambda future: buffer.copy_(  # type: ignore[attr-defined]
        future.value()[0]))


def fp16_compress_wrapper(hook: Hook) -> Hook:
    """A hook that gives `hook` the gradients in float16, and converts its result back."""
    def compressed(state: Any, bucket: GradBucket) -> Future[Tensor]:
        buffer = bucket.buffer()
        inner = bucket._with(buffer.half())  # type: ignore[attr-defined]
        return hook(state, inner).then(
            lambda future: buffer.copy_(future.value()))  # type: ignore[attr-defined]

    return compressed


if not TYPE_CHECKING:  # checkers report unknown names themselves
    def __getattr__(name: str) -> Any:
        raise absent.AbsentName(__name__, name, lambda: globals())
