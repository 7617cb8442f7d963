"""A module called with other parameters than its own."""

from __future__ import annotations

from typing import Any

from ..module import Module
from ..registry import Registry


def functional_call(module: Module, parameters_and_buffers_dict: dict[str, Any], args: Any = None,
                    kwargs: dict[str, Any] | None = None, *, tie_weights: bool = True,
                    strict: bool = False) -> Any:
    """module(*args, **kwargs) as if its parameters and buffers were those given, by name.

    Gradients flow into what is given. What stands under no name in the dict stays the module's
    own, which is as before afterwards.

    Args:
        args: the arguments, as a tuple, or the only one.
        tie_weights: a parameter that stands in several places is replaced in all of them.
        strict: the dict must have every name.

    Raises:
        RuntimeError: a name that is not in the module; with `strict`, one that is missing.
    """
    given = dict(parameters_and_buffers_dict)
    places: dict[str, tuple[Registry, str]] = {}
    for path, inner in module.named_modules(remove_duplicate=False):
        for registry in (inner._parameters, inner._buffers):
            for name in registry:
                places[f"{path}.{name}" if path else name] = registry, name
    unknown = [name for name in given if name not in places]
    missing = [name for name, (values, own) in places.items()
               if name not in given and values[own] is not None]
    if unknown or strict and missing:
        raise RuntimeError(f"functional_call: the {type(module).__name__} has no "
                           f"{', '.join(unknown)}" if unknown else
                           f"functional_call: {', '.join(missing)} missing, and strict=True")
    if tie_weights:
        by_value = {id(places[n][0][places[n][1]]): value for n, value in given.items()
                    if places[n][0][places[n][1]] is not None}
        for name, (values, own) in places.items():
            if name not in given and id(values[own]) in by_value:
                given[name] = by_value[id(values[own])]
    before = {name: places[name][0][places[name][1]] for name in given}
    arguments = () if args is None else args if isinstance(args, tuple) else (args,)
    try:
        for name, value in given.items():
            values, own = places[name]
            values[own] = value
        return module(*arguments, **(kwargs or {}))
    finally:
        for name, value in before.items():
            values, own = places[name]
            values[own] = value
