"""The parameters of several models of one kind, stacked for `vmap`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ..nn.module import Module
from ..nn.normalization import BatchNorm
from ..nn.utils import stateless
from ..ops.shape import stack
from ..tensors.tensor import Tensor

F = TypeVar("F", bound=Callable[..., Any])


def functional_call(module: Module,
                    parameter_and_buffer_dicts: Mapping[str, Any] | Sequence[Mapping[str, Any]],
                    args: Any = None, kwargs: dict[str, Any] | None = None, *,
                    tie_weights: bool = True, strict: bool = False) -> Any:
    """module(*args, **kwargs), with some of its parameters and buffers replaced by name: see
    `nn.utils.stateless.functional_call`.

    Raises:
        RuntimeError: the module has no parameter or buffer of a name, or with strict a name is
            missing.
    """
    return stateless.functional_call(module, parameter_and_buffer_dicts, args, kwargs,
                                     tie_weights=tie_weights, strict=strict)


def stack_module_state(models: Sequence[Module]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """(parameters, buffers) of an ensemble: each stacked along a new dim 0, by name.

        parameters, buffers = stack_module_state(models)
        call = lambda p, b, x: functional_call(models[0], (p, b), (x,))
        vmap(call, in_dims=(0, 0, None))(parameters, buffers, inputs)

    The parameters are leaves that require grad where those of the models do.

    Raises:
        RuntimeError: no models; models of different classes, or in different modes.
    """
    if not models:
        raise RuntimeError("stack_module_state: no models")
    if len({type(model) for model in models}) > 1:
        raise RuntimeError("stack_module_state: the models must be of one class, got "
                           f"{', '.join(sorted({type(m).__name__ for m in models}))}")
    if len({model.training for model in models}) > 1:
        raise RuntimeError("stack_module_state: some models are in training mode, some are not")
    parameters = {
        name: stack([dict(model.named_parameters())[name].detach() for model in models])
        .requires_grad_(parameter.requires_grad)
        for name, parameter in models[0].named_parameters()}
    buffers = {name: stack([dict(model.named_buffers())[name] for model in models])
               for name, _ in models[0].named_buffers()}
    return parameters, buffers


def functionalize(func: F, *, remove: str = "mutations") -> F:
    """The function itself: what it writes in place has its derivatives and samples already.

    Raises:
        RuntimeError: `remove` is neither "mutations" nor "mutations_and_views".
    """
    if remove not in ("mutations", "mutations_and_views"):
        raise RuntimeError("functionalize: remove must be 'mutations' or 'mutations_and_views', "
                           f"got {remove!r}")
    return func


def replace_all_batch_norm_modules_(root: Module) -> Module:
    """Makes all batch normalisations of a model use the statistics of the batch, without running
    ones, so that `vmap` can call it. Returns the model.
    """
    for module in root.modules():
        if isinstance(module, BatchNorm):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root
