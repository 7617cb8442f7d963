"""`grad`, for one gradient of the outputs or for a batch of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from . import engine, graph
from .frames import passes_on, shorten

if TYPE_CHECKING:
    from ..tensors.tensor import Tensor


# What computes a call with Tensors of the package `func`, if that is imported.
batched: list[Callable[..., Any]] = []


@passes_on
def grad(outputs: Tensor | Sequence[Tensor], inputs: Tensor | Iterable[Tensor],
         grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
         retain_graph: bool | None = None, create_graph: bool = False,
         allow_unused: bool | None = None, is_grads_batched: bool = False,
         materialize_grads: bool = False) -> tuple[Tensor, ...]:
    """d(sum of outputs * grad_outputs)/d(input) for each input; no `grad` changes.

    With `is_grads_batched` each of grad_outputs has one more dim, the first: a backward runs for
    each position in it, and the results have that dim too.

    Raises:
        RuntimeError: as `backward`; also if an input was not used and neither `allow_unused`
            (gives None for it) nor `materialize_grads` (gives zeros) is set; a batch without
            gradients, or of different sizes.
    """
    retain = create_graph if retain_graph is None else retain_graph
    try:
        if isinstance(inputs, Iterable) and not isinstance(inputs, graph.Tensor):
            inputs = list(inputs)  # an iterator can be read once only
        if not is_grads_batched:
            for call in batched:
                result = call(outputs, inputs, grad_outputs, create_graph, allow_unused,
                              materialize_grads)
                if result is not None:
                    return tuple(result)
            return engine.grad(outputs, inputs, grad_outputs, retain, create_graph, allow_unused,
                               materialize_grads)
        sources = inputs if isinstance(inputs, list) else [inputs]
        batches = [grad_outputs] if isinstance(grad_outputs, graph.Tensor) \
            else list(grad_outputs or ())
        sizes = {len(batch) for batch in batches if batch is not None}
        if len(sizes) != 1 or sizes == {0}:
            raise RuntimeError("grad: is_grads_batched=True needs grad_outputs with one first "
                               f"size of at least 1, got {sorted(sizes) or None}")
        count = sizes.pop()
        rows = [engine.grad(outputs, sources,
                            [None if batch is None else batch[i] for batch in batches],
                            retain or i < count - 1, create_graph, allow_unused,
                            materialize_grads) for i in range(count)]
        stacked: Any = [None if column[0] is None else graph.tensors.stack(column)
                        for column in zip(*rows, strict=True)]
        return tuple(stacked)
    except Exception as error:
        shorten(error)
        raise
