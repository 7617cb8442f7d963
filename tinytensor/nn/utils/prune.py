"""Pruning: a mask sets elements of a parameter to 0, before every forward.

    prune.l1_unstructured(layer, "weight", amount=0.3)

replaces the parameter `weight` by `weight_orig` and the buffer `weight_mask`. `layer.weight` is
their product, computed by a forward pre-hook. Later calls prune among the elements that are left.
`prune.remove(layer, "weight")` makes the product the parameter.
"""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from typing import Any

from ... import ops
from ...arrays.numbers import is_integer, is_number
from ...tensors.sampling import rand, rand_like
from ...tensors.tensor import Tensor
from ..module import Module

__all__ = ["BasePruningMethod", "CustomFromMask", "Identity", "L1Unstructured", "LnStructured",
           "PruningContainer", "RandomStructured", "RandomUnstructured", "custom_from_mask",
           "global_unstructured", "identity", "is_pruned", "l1_unstructured", "ln_structured",
           "random_structured", "random_unstructured", "remove"]

Amount = float | int  # a share of the elements, or a number of them


class BasePruningMethod:
    """The base class of methods: a subclass defines `compute_mask(t, default_mask)`.

    PRUNING_TYPE says what a later method of a `PruningContainer` sees: "unstructured" the elements
    that are left, "structured" the slices along `dim` that are not all pruned, "global" everything.
    """

    PRUNING_TYPE: str = "unstructured"
    _tensor_name: str

    def __call__(self, module: Module, inputs: tuple[Any, ...]) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask for the importance scores `t`: 0 where elements are pruned."""
        raise NotImplementedError(f"{type(self).__name__}: define compute_mask(t, default_mask)")

    def apply_mask(self, module: Module) -> Tensor:
        """The original parameter times the mask."""
        mask = getattr(module, f"{self._tensor_name}_mask")
        original: Tensor = getattr(module, f"{self._tensor_name}_orig")
        return mask.to(original.dtype) * original

    @classmethod
    def apply(cls, module: Module, name: str, *args: Any,
              importance_scores: Tensor | None = None, **kwargs: Any) -> BasePruningMethod:
        """Prunes a parameter: registers mask and hook, and returns the hook.

        Raises:
            ValueError: the amount is out of range, or the scores have another shape; a buffer.
        """
        method: BasePruningMethod = cls(*args, **kwargs)
        method._tensor_name = name
        earlier = _hook_of(module, name)
        parameter: Tensor = getattr(module, name)
        if earlier is None and name not in module._parameters:
            raise ValueError(f"prune: {name!r} is no parameter of the {type(module).__name__}; "
                             "only parameters are pruned")
        scores = parameter if importance_scores is None else importance_scores
        if scores.shape != parameter.shape:
            raise ValueError(f"prune: the importance scores have shape {tuple(scores.shape)}, the "
                             f"parameter {name!r} has {tuple(parameter.shape)}")
        if earlier is None:
            mask = method.compute_mask(scores, parameter.new_ones(parameter.shape))
            original = module._parameters[name]
            delattr(module, name)
            module.register_parameter(f"{name}_orig", original)
        else:
            container = PruningContainer()
            container._tensor_name = name
            for each in (*(earlier if isinstance(earlier, PruningContainer) else [earlier]),
                         method):
                container.add_pruning_method(each)
            mask = container.compute_mask(scores, getattr(module, f"{name}_mask"))
            _drop_hook(module, name)
            method = container
        module.register_buffer(f"{name}_mask", mask)
        setattr(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)
        return method

    def prune(self, t: Tensor, default_mask: Tensor | None = None,
              importance_scores: Tensor | None = None) -> Tensor:
        """`t` times the mask that this method computes, and times `default_mask`."""
        scores = t if importance_scores is None else importance_scores
        mask = t.new_ones(t.shape) if default_mask is None else default_mask
        return t * self.compute_mask(scores, mask)

    def remove(self, module: Module) -> None:
        """Makes the pruned values the parameter again; the hook stays, see `prune.remove`."""
        name = self._tensor_name
        original = module._parameters[f"{name}_orig"]
        original.data = self.apply_mask(module).detach()
        delattr(module, name)
        delattr(module, f"{name}_orig")
        delattr(module, f"{name}_mask")
        module.register_parameter(name, original)


class PruningContainer(BasePruningMethod):
    """Several methods, one after the other. Iterating gives the methods."""

    def __init__(self, *args: Any):
        self._pruning_methods: tuple[BasePruningMethod, ...] = ()
        methods: Iterable[Any] = args[0] if len(args) == 1 and isinstance(
            args[0], Iterable) else args
        for method in methods:
            if not self._pruning_methods and isinstance(method, BasePruningMethod):
                self._tensor_name = method._tensor_name
            self.add_pruning_method(method)

    def add_pruning_method(self, method: BasePruningMethod | None) -> None:
        """Appends a method.

        Raises:
            TypeError: not a pruning method.
            ValueError: the method is one of another parameter.
        """
        if method is not None and not isinstance(method, BasePruningMethod):
            raise TypeError(f"PruningContainer: {type(method).__name__} is no BasePruningMethod")
        if method is not None and method._tensor_name != self._tensor_name:
            raise ValueError(f"PruningContainer: the method prunes {method._tensor_name!r}, the "
                             f"container {self._tensor_name!r}")
        self._pruning_methods += (method,)  # type: ignore[operator]

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Any:
        return iter(self._pruning_methods)

    def __getitem__(self, i: int) -> BasePruningMethod:
        return self._pruning_methods[i]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask of the last method, which sees what the earlier ones left."""
        method = self._pruning_methods[-1]
        mask = default_mask.to(t.dtype)
        kind = method.PRUNING_TYPE
        if kind == "unstructured":
            seen: Any = mask == 1
        elif kind == "structured":
            dim = method.dim % t.ndim  # type: ignore[attr-defined]
            kept = mask.sum(tuple(d for d in range(t.ndim) if d != dim)) != 0
            seen = (slice(None),) * dim + (kept,)
        elif kind == "global":
            seen = (slice(None),) * t.ndim
        else:
            raise ValueError(f"PruningContainer: PRUNING_TYPE must be 'unstructured', 'structured' "
                             f"or 'global', got {kind!r}")
        combined = mask.clone()
        combined[seen] = method.compute_mask(t[seen], mask[seen])
        return combined


# ---------------------------------------------------------------- methods


class Identity(BasePruningMethod):
    """Prunes nothing."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask


class RandomUnstructured(BasePruningMethod):
    """Prunes elements at random."""

    def __init__(self, amount: Amount):
        self.amount = _checked_amount(amount)

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return _without_smallest(rand_like(t), self.amount, default_mask, largest=True)


class L1Unstructured(BasePruningMethod):
    """Prunes the elements of smallest absolute value."""

    def __init__(self, amount: Amount):
        self.amount = _checked_amount(amount)

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return _without_smallest(t.detach().abs(), self.amount, default_mask, largest=False)


def _without_smallest(scores: Tensor, amount: Amount, default_mask: Tensor,
                      largest: bool) -> Tensor:
    """The mask without the elements of smallest, or largest, score."""
    count = _count(amount, scores.numel())
    mask = default_mask.clone()
    if count:
        pruned = scores.reshape(-1).topk(count, largest=largest).indices
        mask = mask.reshape(-1).index_fill(0, pruned, 0).reshape(mask.shape)
    return mask


class RandomStructured(BasePruningMethod):
    """Prunes slices along `dim` at random."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: Amount, dim: int = -1):
        self.amount, self.dim = _checked_amount(amount), dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        size = _size_along(t, self.dim)
        count = _count(self.amount, size)
        if not count:
            return default_mask
        drawn = rand(size)
        kept = drawn > drawn.kthvalue(count).values
        return _along(kept, t, self.dim) * default_mask


class LnStructured(BasePruningMethod):
    """Prunes the slices along `dim` of smallest n-norm."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: Amount, n: float | str, dim: int = -1):
        self.amount, self.n, self.dim = _checked_amount(amount), n, dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        size = _size_along(t, self.dim)
        count = _count(self.amount, size)
        if not count:
            return default_mask
        others = tuple(d for d in range(t.ndim) if d != self.dim % t.ndim)
        norms: Tensor = ops.names_for("")["norm"](t.detach(), self.n, others)
        largest = norms.topk(size - count).indices
        kept = norms.new_zeros(size).index_fill(0, largest, 1)
        return _along(kept, t, self.dim) * default_mask


def _size_along(t: Tensor, dim: int) -> int:
    if t.ndim < 2:
        raise ValueError("prune: structured pruning needs a parameter of at least 2 dims, got "
                         f"shape {tuple(t.shape)}")
    if not -t.ndim <= dim < t.ndim:
        raise IndexError(f"prune: dim {dim} is out of range for a parameter of shape "
                         f"{tuple(t.shape)}")
    return int(t.shape[dim])


def _along(kept: Tensor, t: Tensor, dim: int) -> Tensor:
    """A mask of slices along dim, as a mask of elements."""
    shape = [1] * t.ndim
    shape[dim] = -1
    return kept.to(t.dtype).reshape(shape).expand(t.shape)


class CustomFromMask(BasePruningMethod):
    """Prunes by a mask that is given."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor):
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        if self.mask.shape != default_mask.shape:
            raise ValueError(f"prune: the mask has shape {tuple(self.mask.shape)}, the parameter "
                             f"{tuple(default_mask.shape)}")
        return default_mask * self.mask.to(default_mask.dtype)


# ---------------------------------------------------------------- functions


def identity(module: Module, name: str) -> Module:
    """Adds a mask of ones to a parameter. Returns the module."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: Amount) -> Module:
    """Prunes elements at random: a share (float) or a number (int) of those that are left.

    Returns the module.

    Raises:
        TypeError, ValueError: an amount that is no number, or out of range.
    """
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module: Module, name: str, amount: Amount,
                    importance_scores: Tensor | None = None) -> Module:
    """Prunes the elements of smallest absolute value, or score. Returns the module.

    Arguments and errors as for `random_unstructured`.
    """
    L1Unstructured.apply(module, name, amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: Amount, dim: int) -> Module:
    """Prunes slices along `dim` at random. Returns the module.

    Raises:
        TypeError, ValueError: as for `random_unstructured`; a parameter of fewer than 2 dims.
        IndexError: dim is out of range.
    """
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(module: Module, name: str, amount: Amount, n: float | str, dim: int,
                  importance_scores: Tensor | None = None) -> Module:
    """Prunes the slices along `dim` of smallest n-norm. Returns the module.

    Errors as for `random_structured`.
    """
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Prunes a parameter by a mask of its shape. Returns the module.

    Raises:
        ValueError: the mask has another shape.
    """
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(parameters: Iterable[tuple[Module, str]],
                        pruning_method: type[BasePruningMethod],
                        importance_scores: dict[tuple[Module, str], Tensor] | None = None,
                        **kwargs: Any) -> None:
    """Prunes several parameters as if they were one long vector.

    Raises:
        TypeError: parameters is not a list of pairs of module and name.
        ValueError: the method is not an unstructured one.
    """
    pairs = list(parameters) if isinstance(parameters, Iterable) else []
    if not pairs or not all(isinstance(pair, Sequence) and len(pair) == 2 for pair in pairs):
        raise TypeError("global_unstructured: parameters must be a list of pairs (module, name)")
    if pruning_method.PRUNING_TYPE != "unstructured":
        raise ValueError(f"global_unstructured: {pruning_method.__name__} is not unstructured")
    given = importance_scores or {}
    values = [getattr(module, name) for module, name in pairs]
    scores = [given.get((module, name), value)
              for (module, name), value in zip(pairs, values, strict=True)]
    masks = [getattr(module, f"{name}_mask", value.new_ones(value.shape))
             for (module, name), value in zip(pairs, values, strict=True)]
    container, method = PruningContainer(), pruning_method(**kwargs)
    container._tensor_name = method._tensor_name = "concatenated"
    container.add_pruning_method(method)
    cat = ops.names_for("")["cat"]
    final = container.compute_mask(cat([s.detach().reshape(-1) for s in scores]),
                                   cat([m.reshape(-1) for m in masks]))
    pieces = final.split([value.numel() for value in values])
    for (module, name), value, piece in zip(pairs, values, pieces, strict=True):
        custom_from_mask(module, name, piece.reshape(value.shape))


def remove(module: Module, name: str) -> Module:
    """Makes the pruned values the parameter, without mask and hook. Returns the module.

    Raises:
        ValueError: the parameter is not pruned.
    """
    method = _hook_of(module, name)
    if method is None:
        raise ValueError(f"prune.remove: the parameter {name!r} of the {type(module).__name__} is "
                         "not pruned")
    method.remove(module)
    _drop_hook(module, name)
    return module


def is_pruned(module: Module) -> bool:
    """Whether a parameter of the module, or of a module inside, is pruned."""
    return any(isinstance(hook, BasePruningMethod)
               for inner in module.modules() for hook in inner._forward_pre_hooks.values())


# ---------------------------------------------------------------- hooks and amounts


def _hook_of(module: Module, name: str) -> BasePruningMethod | None:
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            return hook
    return None


def _drop_hook(module: Module, name: str) -> None:
    method = _hook_of(module, name)
    for key, hook in list(module._forward_pre_hooks.items()):
        if hook is method:
            del module._forward_pre_hooks[key]


def _checked_amount(amount: Amount) -> Amount:
    if not is_number(amount) or isinstance(amount, bool) or not isinstance(amount, numbers.Real):
        raise TypeError(f"prune: amount must be a number, got {type(amount).__name__}")
    if amount < 0 or (not is_integer(amount) and amount > 1):
        raise ValueError("prune: amount must be a share in [0, 1], or a number of elements, got "
                         f"{amount}")
    return amount


def _count(amount: Amount, size: int) -> int:
    """How many of `size` elements are pruned."""
    if not is_integer(amount):
        return round(amount * size)
    if amount > size:
        raise ValueError(f"prune: amount={amount} is larger than the number of elements, {size}")
    return int(amount)
