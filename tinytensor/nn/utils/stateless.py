"""Calls of a module with other parameters than its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..module import Module
from ..registry import Registry


def functional_call(module: Module,
                    parameters_and_buffers: Mapping[str, Any] | Sequence[Mapping[str, Any]],
                    args: Any = None, kwargs: dict[str, Any] | None = None, *,
                    tie_weights: bool = True, strict: bool = False) -> Any:
    """module(*args, **kwargs), with some of its parameters and buffers replaced by name.

    Gradients flow into the replacements. The module is unchanged afterwards.

    Args:
        parameters_and_buffers: a dict, or several.
        args: a tuple of arguments, or a single argument.
        tie_weights: replace a parameter that has several names under all of them.
        strict: require a value for every parameter and buffer.

    Raises:
        RuntimeError: the module has no parameter or buffer of a name, or with strict a name is
            missing.
    """
    dicts = parameters_and_buffers
    given = dict(dicts) if isinstance(dicts, Mapping) \
        else {name: value for part in dicts for name, value in part.items()}
    targets: dict[str, tuple[Registry, str]] = {}
    for path, inner in module.named_modules(remove_duplicate=False):
        for registry in (inner._parameters, inner._buffers):
            for name in registry:
                targets[f"{path}.{name}" if path else name] = registry, name
    unknown = [name for name in given if name not in targets]
    missing = [name for name, (values, own) in targets.items()
               if name not in given and values[own] is not None]
    if unknown or strict and missing:
        raise RuntimeError(f"functional_call: the {type(module).__name__} has no "
                           f"{', '.join(unknown)}" if unknown else
                           f"functional_call: {', '.join(missing)} missing; pass values for them, "
                           "or strict=False")
    if tie_weights:
        by_value = {id(targets[n][0][targets[n][1]]): value for n, value in given.items()
                    if targets[n][0][targets[n][1]] is not None}
        for name, (values, own) in targets.items():
            if name not in given and id(values[own]) in by_value:
                given[name] = by_value[id(values[own])]
    originals = {name: targets[name][0][targets[name][1]] for name in given}
    arguments = () if args is None else args if isinstance(args, tuple) else (args,)
    try:
        for name, value in given.items():
            values, own = targets[name]
            values[own] = value
        return module(*arguments, **(kwargs or {}))
    finally:
        for name, value in originals.items():
            values, own = targets[name]
            values[own] = value
