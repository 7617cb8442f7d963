"""Nested tuples, lists and dicts of Tensors, as their leaves in order and a structure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

LEAF = object()


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """The leaves of a tree in order, and its structure for `unflatten`."""
    if isinstance(tree, dict):
        keys, parts = list(tree), [flatten(value) for value in tree.values()]
    elif isinstance(tree, tuple | list):
        keys, parts = None, [flatten(value) for value in tree]
    else:
        return [tree], LEAF
    leaves = [leaf for inner, _ in parts for leaf in inner]
    return leaves, (_rebuilder(tree), keys, [structure for _, structure in parts])


def _rebuilder(tree: Any) -> Callable[[Any], Any]:
    """Makes a container of the type of `tree` from a dict or a list of its parts."""
    kind = type(tree)
    return (lambda parts: kind(*parts)) if hasattr(kind, "_fields") else kind


def unflatten(leaves: Sequence[Any], structure: Any) -> Any:
    """The tree of that structure with these leaves."""
    rest = iter(leaves)

    def build(structure: Any) -> Any:
        if structure is LEAF:
            return next(rest)
        make, keys, inner = structure
        parts = [build(s) for s in inner]
        return make(parts if keys is None else zip(keys, parts, strict=True))

    return build(structure)


def mapped(function: Callable[..., Any], tree: Any) -> Any:
    """The tree with function(leaf) in place of each leaf."""
    leaves, structure = flatten(tree)
    return unflatten([function(leaf) for leaf in leaves], structure)


def spread(prefix: Any, tree: Any, name: str) -> list[Any]:
    """For each leaf of a tree, what `prefix` says: a value for all, or a tree of the same form.

    Raises:
        ValueError: another form.
    """
    if isinstance(prefix, dict) and isinstance(tree, dict) and prefix.keys() == tree.keys():
        return [x for key, part in tree.items() for x in spread(prefix[key], part, name)]
    if isinstance(prefix, tuple | list) and isinstance(tree, tuple | list) \
            and len(prefix) == len(tree):
        return [x for p, part in zip(prefix, tree, strict=True) for x in spread(p, part, name)]
    if isinstance(prefix, dict | tuple | list):
        raise ValueError(f"vmap: {name}={prefix!r} does not have the form of what it is for: give "
                         "an int or None, or the same nesting of tuples, lists and dicts")
    return [prefix] * len(flatten(tree)[0])
