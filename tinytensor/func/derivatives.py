"""Derivatives as functions: grad, vjp, jvp, jacrev, jacfwd, hessian.

Arguments and results may be nestings of tuples, lists and dicts of Tensors. Derivatives can be
differentiated again, by these functions or by backward(), if something outside requires a gradient.
Within `vmap` each sample has a derivative of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..arrays.numbers import is_integer
from ..autograd import batched, engine
from ..autograd.modes import enable_grad, is_grad_enabled
from ..ops.shape import cat, stack
from ..tensors.creation import arange
from ..tensors.tensor import Tensor
from .batched import Batched, Level, spread_over
from .mapping import levels
from .trees import flatten, unflatten

Argnums = int | Sequence[int]


class Tracked:
    """The Tensors by which something is differentiated, and the function's view of them.

    `real` are the Tensors in memory, with dims for the samples of all `vmap`s around; `shown` are
    the same for the function. `outside` tells whether what is outside may be recorded: within
    no_grad() derivatives are constants.
    """

    def __init__(self, name: str, tree: Any, outside: bool):
        self.outside = outside
        leaves, self.structure = flatten(tree)
        for x in leaves:
            if not isinstance(x, Tensor) or not x.dtype.is_floating_point:
                kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
                raise TypeError(f"{name}: can differentiate by floating point Tensors only, got "
                                f"{kind}; choose other arguments with argnums")
        self.around = list(levels())
        self.real = [self._followed(_real(_in_all(x, self.around))) for x in leaves]
        self.shown = unflatten([_shown(x, self.around) for x in self.real], self.structure)

    def _followed(self, x: Tensor) -> Any:
        """A Tensor that requires grad, connected to the graph around it if there is one."""
        return x.view_as(x) if x.requires_grad and self.outside else x.detach().requires_grad_()

    def gradients(self, outputs: Sequence[Tensor], weights: Sequence[Tensor],
                  retain: bool = False) -> list[Any]:
        """The gradients of outputs · weights by `real`; zeros where nothing depends on it."""
        pairs = [(o, w) for o, w in zip(outputs, weights, strict=True) if o.requires_grad]
        found: Sequence[Any] = [None] * len(self.real)
        if pairs:
            record = self.is_recorded([o for o, _ in pairs] + [w for _, w in pairs])
            found = engine.grad([o for o, _ in pairs], self.real, [w for _, w in pairs],
                                retain_graph=retain or record, create_graph=record,
                                allow_unused=True)
        return [x.new_zeros(x.shape) if g is None else g
                for g, x in zip(found, self.real, strict=True)]

    def gradients_for_each(self, outputs: Sequence[Tensor], weights: Sequence[Tensor]) \
            -> list[Any]:
        """`gradients` for all positions of dim 0 of the weights, with that dim in the results."""
        found = at_once(outputs, self.real, weights, self.is_recorded(
            [*outputs, *weights]))
        if found is None:
            rows = [self.gradients(outputs, row, retain=True)
                    for row in zip(*weights, strict=True)]
            return [stack(list(column)) for column in zip(*rows, strict=True)]
        count = len(weights[0])  # type: ignore[arg-type]
        return [x.new_zeros((count, *x.shape)) if g is None else g
                for g, x in zip(found, self.real, strict=True)]

    def is_recorded(self, outputs: Sequence[Tensor]) -> bool:
        """Whether the outputs depend on something else that requires a gradient."""
        if not self.outside:
            return False
        own = {x._node for x in self.real}
        order = engine.topological_order({o._node for o in outputs if o._node is not None})
        return any(not node.parents and node not in own for node in order) or any(
            node.parents for node in own)

    def finished(self, real: Sequence[Tensor]) -> Any:
        """Derivatives in the structure of the inputs, as the caller sees them."""
        return unflatten([_shown(x, self.around) for x in real], self.structure)


def at_once(outputs: Sequence[Tensor], inputs: Sequence[Tensor], weights: Sequence[Tensor],
            record: bool) -> list[Any] | None:
    """The gradients for each position of dim 0 of the weights, by one backward on Batched Tensors.

    A list with None for an input that is not used. None in place of the list if there is an
    operation whose rules need values; then one backward after the other is to be run.
    """
    count = len(weights[0])  # type: ignore[arg-type]
    if count < 2:
        return None
    level, around = Level(0, count), levels()
    outer, around[:] = list(around), [level]
    pairs = [(o, Batched(w, level)) for o, w in zip(outputs, weights, strict=True)
             if o.requires_grad]
    try:
        found: Sequence[Any] = engine.grad(
            [o for o, _ in pairs], inputs, [w for _, w in pairs], retain_graph=True,
            create_graph=True, allow_unused=True) if pairs else [None] * len(inputs)
        wholes = [None if g is None else spread_over(g, level) for g in found]
    except Exception:
        return None  # an error of the function itself comes again
    finally:
        around[:] = outer
    return wholes if record else [None if g is None else g.detach() for g in wholes]


def _units(x: Tensor, lead: int, step: int | None = None) -> Iterator[Any]:
    """For each element of a sample of x a Tensor like x that is 1 there and 0 elsewhere, `step` of
    them at a time: (step, *x.shape).
    """
    sizes = x.shape[lead:]
    count = sizes.numel()
    step = count if step is None else step
    positions = arange(count, device=x.device)
    for start in range(0, count, max(step, 1)):
        rows = (positions == positions[start:start + step].unsqueeze(-1)).to(x.dtype)
        yield rows.reshape(-1, *[1] * lead, *sizes).expand(-1, *x.shape)


def _in_all(x: Tensor, around: Sequence[Level]) -> Tensor:
    """x with samples of its own in all `vmap`s around."""
    if not around:
        return x
    *outer, level = around
    if isinstance(x, Batched) and x.level is level:
        return Batched(_in_all(x.whole, outer), level)
    return Batched(spread_over(_in_all(x, outer), level), level)


def _real(x: Tensor) -> Tensor:
    while isinstance(x, Batched):
        x = x.whole
    return x


def _shown(x: Tensor, around: Sequence[Level]) -> Tensor:
    for level in around:
        x = Batched(x, level)
    return x


def _outputs(name: str, result: Any, around: Sequence[Level]) \
        -> tuple[list[Tensor], list[Any], Any]:
    """The results in memory, as the caller sees them, and their structure."""
    shown, structure = flatten(result)
    for x in shown:
        if not isinstance(x, Tensor):
            raise TypeError(f"{name}: the function must return Tensors, got {type(x).__name__}")
    return [_real(_in_all(x, around)) for x in shown], shown, structure


def _split(name: str, args: tuple[Any, ...], argnums: Argnums) -> tuple[list[int], bool]:
    """The positions of the arguments to differentiate by, and whether it is a single one."""
    single = is_integer(argnums)
    chosen: list[int] = [argnums] if single else list(argnums)  # type: ignore[list-item, arg-type]
    if not chosen:
        raise RuntimeError(f"{name}: argnums is empty")
    for i in chosen:
        if not -len(args) <= i < len(args):
            raise RuntimeError(f"{name}: argnums names argument {i}, the call has {len(args)}")
    return [i % len(args) for i in chosen], single


def _replaced(args: tuple[Any, ...], positions: Sequence[int], values: Sequence[Any]) -> list[Any]:
    given = list(args)
    for i, value in zip(positions, values, strict=True):
        given[i] = value
    return given


def _ones(x: Tensor) -> Any:
    return x.new_ones(x.shape)  # type: ignore[attr-defined]


def _loose(tree: Any, tracked: Tracked) -> Any:
    """Values without the graph of the function, unless something outside is recorded."""
    leaves, structure = flatten(tree)
    return unflatten([x.detach() if isinstance(x, Tensor) and not tracked.is_recorded(
        [_real(x)]) else x for x in leaves], structure)


# ---------------------------------------------------------------- gradients


def grad_and_value(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) \
        -> Callable[..., Any]:
    """A function that returns (gradient, value) of a `func` that returns one element.

    Args:
        argnums: the argument to differentiate by, or several, for a tuple of gradients.
        has_aux: `func` returns (value, other); the result is (gradient, (value, other)).

    Raises:
        RuntimeError: the value is not one element.
        TypeError: an argument that is not of floating point Tensors.
    """
    @functools.wraps(func)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        positions, single = _split("grad", args, argnums)
        outside = is_grad_enabled()
        with enable_grad():
            tracked = Tracked("grad", tuple(args[i] for i in positions), outside)
            result = func(*_replaced(args, positions, tracked.shown), **kwargs)
            value, aux = _with_aux("grad", result, has_aux)
            if not isinstance(value, Tensor) or value.numel() != 1 or value.ndim:
                got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
                raise RuntimeError(f"grad: the function must return a 0-d Tensor, got {got}; "
                                   "reduce it with .sum() or .mean(), or use vjp or jacrev")
            outputs, _, _ = _outputs("grad", value, tracked.around)
            gradients = tracked.finished(tracked.gradients(outputs, [_ones(outputs[0])]))
        value = _loose(value, tracked)
        gradients = gradients[0] if single else gradients
        return gradients, (value, _loose(aux, tracked)) if has_aux else value

    return differentiated


def _with_aux(name: str, result: Any, has_aux: bool) -> tuple[Any, Any]:
    if not has_aux:
        return result, None
    if not isinstance(result, tuple) or len(result) != 2:
        raise RuntimeError(f"{name}: with has_aux the function must return (value, other)")
    return result


def grad(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) \
        -> Callable[..., Any]:
    """A function that returns the gradient of a `func` that returns one element.

    Arguments and errors as `grad_and_value`; with `has_aux` the result is (gradient, other).
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        gradients, value = both(*args, **kwargs)
        return (gradients, value[1]) if has_aux else gradients

    return differentiated


# ---------------------------------------------------------------- products with vectors


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """(func(*primals), pull): pull(v) is vᵀ J, a tuple with a part for each of the primals.

    v has the structure of the result. `pull` may be called several times. With `has_aux` `func`
    returns (result, other), and vjp (result, pull, other).
    """
    outside = is_grad_enabled()
    with enable_grad():
        tracked = Tracked("vjp", primals, outside)
        result, aux = _with_aux("vjp", func(*tracked.shown), has_aux)
        outputs, shown, structure = _outputs("vjp", result, tracked.around)

    def pull(*cotangents: Any) -> Any:
        given, form = flatten(cotangents[0] if len(cotangents) == 1 else cotangents)
        if len(given) != len(outputs):
            raise RuntimeError(f"vjp: the result has {len(outputs)} Tensors, the cotangents "
                               f"{len(given)}")
        for i, (v, out) in enumerate(zip(given, shown, strict=True)):
            if v.shape != out.shape:
                raise RuntimeError(f"vjp: cotangent {i} has shape {tuple(v.shape)}, the result "
                                   f"{tuple(out.shape)}")
        around = list(levels())
        if around == tracked.around:
            with enable_grad():
                weights = [_real(_in_all(v, around)) for v in given]
                return tracked.finished(tracked.gradients(outputs, weights, retain=True))
        if around[:-1] == tracked.around and around[-1].size:  # a `vmap` that began after vjp
            with enable_grad():
                lead = len(tracked.around)
                weights = [_real(_in_all(v, around)).movedim(lead, 0) for v in given]
                rows = tracked.gradients_for_each(outputs, weights)
            return unflatten([_shown(x.movedim(0, lead), around) for x in rows],
                             tracked.structure)
        return _pulled_for_each(pull, given, form, around[len(tracked.around):], tracked)

    found = _loose(unflatten(shown, structure), tracked)
    return (found, pull, _loose(aux, tracked)) if has_aux else (found, pull)


def _pulled_for_each(pull: Callable[..., Any], given: list[Any], form: Any,
                     inner: Sequence[Level], tracked: Tracked) -> Any:
    """pull for each sample of one of several `vmap`s that began after vjp."""
    level = inner[-1]
    parts = []
    stack_of_levels = levels()
    stack_of_levels.pop()
    try:
        wholes = [spread_over(v, level) for v in given]
        for i in range(level.size):
            parts.append(flatten(pull(unflatten([w[i] for w in wholes], form)))[0])
    finally:
        stack_of_levels.append(level)
    return unflatten([Batched(stack(list(column)), level)
                      for column in zip(*parts, strict=True)], tracked.structure)


def jvp(func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False,
        has_aux: bool = False) -> tuple[Any, ...]:
    """(func(*primals), J v) for v = tangents, which have the structure of the primals.

    u ↦ Jᵀ u is linear, and its derivative is J: two backwards. With `has_aux` also the other
    result of `func`. `strict` requires that the result depends on the primals.
    """
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise RuntimeError("jvp: primals and tangents must be tuples, one element an argument")
    outside = is_grad_enabled()
    with enable_grad():
        tracked = Tracked("jvp", primals, outside)
        directions, _ = flatten(tangents)
        leaves, _ = flatten(primals)
        if [tuple(t.shape) for t in directions] != [tuple(p.shape) for p in leaves]:
            raise RuntimeError("jvp: the tangents must have the shapes of the primals, got "
                               f"{[tuple(t.shape) for t in directions]} for "
                               f"{[tuple(p.shape) for p in leaves]}")
        result, aux = _with_aux("jvp", func(*tracked.shown), has_aux)
        outputs, shown, structure = _outputs("jvp", result, tracked.around)
        if strict and not all(o.requires_grad for o in outputs):
            raise RuntimeError("jvp: a result does not depend on the primals, which strict forbids")
        weights = [_real(_in_all(t, tracked.around)) for t in directions]
        pushed = Pushed(tracked, outputs)(weights)
    product = unflatten([_shown(x, tracked.around) for x in pushed], structure)
    found = _loose(unflatten(shown, structure), tracked)
    product = _loose(product, tracked)
    return (found, product, _loose(aux, tracked)) if has_aux else (found, product)


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """(func(*primals), v ↦ J v at the primals). The function is called once, and J v takes two
    backwards through its graph, which is kept.

    Raises:
        TypeError: a primal that is not of floating point Tensors.
        RuntimeError: from the second function: tangents of other shapes than the primals.
    """
    outside = is_grad_enabled()
    with enable_grad():
        tracked = Tracked("linearize", primals, outside)
        outputs, shown, structure = _outputs("linearize", func(*tracked.shown), tracked.around)
        pushed = Pushed(tracked, outputs)

    def jvp_fn(*tangents: Any) -> Any:
        """J v for v = the tangents, which have the structure of the primals."""
        directions, form = flatten(tangents)
        if form != tracked.structure or [tuple(t.shape) for t in directions] != [
                tuple(x.shape) for x in tracked.real]:
            raise RuntimeError("linearize: the tangents must have the structure and the shapes of "
                               "the primals")
        with enable_grad():
            product = pushed([_real(_in_all(t, tracked.around)) for t in directions])
        return _loose(unflatten([_shown(x, tracked.around) for x in product], structure), tracked)

    return _loose(unflatten(shown, structure), tracked), jvp_fn


class Pushed:
    """v ↦ J v, from the graph of the results."""

    def __init__(self, tracked: Any, outputs: Sequence[Tensor]):
        self.outputs = outputs
        self.u = [_ones(o).zero_().requires_grad_() for o in outputs]
        pairs = [(o, u) for o, u in zip(outputs, self.u, strict=True) if o.requires_grad]
        found: Sequence[Any] = [None] * len(tracked.real)
        if pairs:
            found = engine.grad([o for o, _ in pairs], tracked.real, [u for _, u in pairs],
                                retain_graph=True, create_graph=True, allow_unused=True)
        self.pulled = found

    def __call__(self, directions: Sequence[Tensor]) -> list[Any]:
        pairs = [(g, v) for g, v in zip(self.pulled, directions, strict=True)
                 if g is not None and g.requires_grad]
        found: Sequence[Any] = [None] * len(self.u)
        if pairs:
            found = engine.grad([g for g, _ in pairs], self.u, [v for _, v in pairs],
                                retain_graph=True, create_graph=True, allow_unused=True)
        return [u.detach() if d is None else d for d, u in zip(found, self.u, strict=True)]

    def for_each(self, i: int, directions: Tensor) -> list[Any]:
        """J v for each v along dim 0 of the directions of input i, along dim 0."""
        count, pulled = len(directions), self.pulled[i]  # type: ignore[arg-type]
        found: list[Any] = [None] * len(self.u)
        if pulled is not None and pulled.requires_grad:
            found = at_once([pulled], self.u, [directions], True) or [
                None if column[0] is None else stack(list(column)) for column in zip(*(
                    engine.grad([pulled], self.u, [v], retain_graph=True, create_graph=True,
                                allow_unused=True)
                    for v in directions), strict=True)]  # type: ignore[attr-defined]
        return [u.new_zeros((count, *u.shape)) if d is None else d
                for d, u in zip(found, self.u, strict=True)]


def grad_within_vmap(outputs: Any, inputs: Any, grad_outputs: Any, create_graph: bool,
                     allow_unused: bool | None, materialize_grads: bool) -> list[Any] | None:
    """`autograd.grad` of a graph from outside of the `vmap`s that run, for each of their samples of
    grad_outputs. None if it is another call.
    """
    outputs, inputs, weights = (
        list(x) if isinstance(x, list | tuple) else [x]
        for x in (outputs, inputs, grad_outputs))
    if not any(w.__class__ is Batched for w in weights) or any(
            x.__class__ is Batched or not isinstance(x, Tensor) or not x.requires_grad
            for x in (*outputs, *inputs)) or [
            tuple(o.shape) for o in outputs] != [tuple(getattr(w, "shape", ())) for w in weights]:
        return None
    around = list(levels())
    sizes = [level.size for level in around]
    rows = [_real(_in_all(_ones(o) if w is None else w, around)).reshape(-1, *o.shape)
            for o, w in zip(outputs, weights, strict=True)]
    found = at_once(outputs, inputs, rows, create_graph)
    if found is None:
        each = [engine.grad(outputs, inputs, row, True, create_graph, True)
                for row in zip(*rows, strict=True)]
        found = [None if column[0] is None else stack(list(column))
                 for column in zip(*each, strict=True)]
    if None in [g if g is None else 0 for g in found]:
        if not allow_unused and not materialize_grads:  # raises the error
            engine.grad(outputs, inputs, [row[0] for row in rows], True)
        if materialize_grads:
            found = [x.new_zeros((len(rows[0]), *x.shape)) if g is None else g
                     for g, x in zip(found, inputs, strict=True)]
    return [None if g is None else _shown(g.reshape(*sizes, *x.shape), around)
            for g, x in zip(found, inputs, strict=True)]


batched.batched.append(grad_within_vmap)


# ---------------------------------------------------------------- Jacobians


def jacrev(func: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False,
           chunk_size: int | None = None) -> Callable[..., Any]:
    """A function that returns d func / d argument, one backward for each element of the result.

    Shapes: (*) results, (+) arguments -> (*, +), in the structure of the results, and for each
    that of the arguments. `chunk_size` limits how many of them run at once, as a batch.

    Raises:
        ValueError: a chunk_size below 1.
    """
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"jacrev: chunk_size must be positive, got {chunk_size}")

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        positions, single = _split("jacrev", args, argnums)
        outside = is_grad_enabled()
        with enable_grad():
            tracked = Tracked("jacrev", tuple(args[i] for i in positions), outside)
            result, aux = _with_aux(
                "jacrev", func(*_replaced(args, positions, tracked.shown), **kwargs), has_aux)
            outputs, _, structure = _outputs("jacrev", result, tracked.around)
            lead, blocks = len(tracked.around), []
            for out in outputs:
                inner = out.shape[lead:]
                parts = [tracked.gradients_for_each([out], [units])
                         for units in _units(out, lead, chunk_size)]
                columns = zip(*parts, strict=True) if parts else ([] for _ in tracked.real)
                block = [_block(list(column), x, lead, inner)
                         for column, x in zip(columns, tracked.real, strict=True)]
                found = tracked.finished(block)
                blocks.append(found[0] if single else found)
        jacobians = unflatten(blocks, structure)
        return (jacobians, _loose(aux, tracked)) if has_aux else jacobians

    return jacobian


def _block(parts: list[Any], x: Tensor, lead: int, shape: Any) -> Any:
    """(samples, *result, *input) from pieces (elements of the result, samples, *input)."""
    whole = (*x.shape[:lead], *shape, *x.shape[lead:])
    return cat(parts).movedim(0, lead).reshape(whole) if parts else x.new_zeros(whole)  # type: ignore[attr-defined]


def jacfwd(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False, *,
           randomness: str = "error") -> Callable[..., Any]:
    """As `jacrev`, one product J v for each element of the arguments: for few of them."""
    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        positions, single = _split("jacfwd", args, argnums)
        outside = is_grad_enabled()
        with enable_grad():
            tracked = Tracked("jacfwd", tuple(args[i] for i in positions), outside)
            result, aux = _with_aux(
                "jacfwd", func(*_replaced(args, positions, tracked.shown), **kwargs), has_aux)
            outputs, _, structure = _outputs("jacfwd", result, tracked.around)
            push, lead = Pushed(tracked, outputs), len(tracked.around)
            by_input = [_columns(push, i, x, lead) for i, x in enumerate(tracked.real)]
            blocks = []
            for out, columns in zip(outputs, zip(*by_input, strict=True), strict=True):
                block = [column.movedim(0, -1).reshape(*out.shape, *x.shape[lead:])
                         for column, x in zip(columns, tracked.real, strict=True)]
                found = _loose(tracked.finished(block), tracked)
                blocks.append(found[0] if single else found)
        jacobians = unflatten(blocks, structure)
        return (jacobians, _loose(aux, tracked)) if has_aux else jacobians

    return jacobian


def _columns(push: Pushed, i: int, x: Tensor, lead: int) -> list[Any]:
    """For each result its derivatives by the elements of input i, along dim 0."""
    units = next(_units(x, lead), None)
    if units is not None:
        return push.for_each(i, units)
    return [out.new_zeros((0, *out.shape)) for out in push.outputs]


def hessian(func: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that returns the second derivatives: the Jacobian of the Jacobian.

    Shapes: (*) results, (+) arguments -> (*, +, +).
    """
    return jacrev(jacrev(func, argnums), argnums)
