"""Jacobians and Hessians of functions of Tensors, and their products with vectors.

    jacobian   d f / d x, one backward for each element of the result
    vjp        vᵀ J, one backward
    jvp        J v, by the double-backward trick: u ↦ Jᵀu is linear, and its derivative is J
    hessian    the Jacobian of the gradient
    vhp, hvp   vᵀ H and H v

`inputs` and the result of `func` are a Tensor or a tuple of Tensors; the derivatives have the same
structure. With `create_graph` the derivatives are recorded and can be differentiated. With `strict`
a result that does not depend on an input raises an error; otherwise its derivative is zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import engine, graph
from .modes import enable_grad

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Tensors = Any  # a Tensor or a tuple of Tensors


def vjp(func: Callable[..., Any], inputs: Tensors, v: Tensors = None,
        create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """(func(inputs), vᵀ J): the gradient of v · func. v may be omitted if func returns one element.

    Shapes: v as the result, vᵀ J as the inputs.

    Raises:
        TypeError: inputs or results that are not Tensors.
        RuntimeError: v of another shape; with `strict`, see above.
    """
    with enable_grad():
        x, single = _prepared("vjp", inputs, create_graph)
        outputs, out_single = _results("vjp", func(*x), strict)
        weights = _vector("vjp", v, outputs, "the result")
        product = _gradients("vjp", outputs, x, weights, create_graph, strict)
    return (_finished(outputs, out_single, create_graph),
            _finished(product, single, create_graph))


def jvp(func: Callable[..., Any], inputs: Tensors, v: Tensors = None,
        create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """(func(inputs), J v): the derivative in direction v. v may be omitted for one input element.

    Shapes: v as the inputs, J v as the result.

    Raises:
        TypeError: inputs or results that are not Tensors.
        RuntimeError: v of another shape; with `strict`, see above.
    """
    with enable_grad():
        x, _ = _prepared("jvp", inputs, create_graph)
        direction = _vector("jvp", v, x, "the inputs")
        outputs, out_single = _results("jvp", func(*x), strict)
        product = _forward_derivative("jvp", outputs, x, direction, create_graph, strict)
    return (_finished(outputs, out_single, create_graph),
            _finished(product, out_single, create_graph))


def jacobian(func: Callable[..., Any], inputs: Tensors, create_graph: bool = False,
             strict: bool = False, vectorize: bool = False,
             strategy: str = "reverse-mode") -> Any:
    """d func / d inputs. Shapes: (*) results, (+) inputs -> (*, +) for each pair of them.

    For a tuple of inputs a tuple over the inputs; for a tuple of results a tuple over the results;
    for both a tuple over the results of tuples over the inputs. `vectorize` and `strategy` have no
    effect: each row is one backward.

    Raises:
        TypeError: inputs or results that are not Tensors.
        RuntimeError: with `strict`, see above.
        ValueError: an unknown strategy.
    """
    _check_strategy("jacobian", strategy)
    with enable_grad():
        x, single = _prepared("jacobian", inputs, create_graph)
        outputs, out_single = _results("jacobian", func(*x), strict)
        rows = [[_gradients("jacobian", (o.reshape(-1)[j],), x, (None,), create_graph, strict,
                            retain=True)
                 for j in range(o.numel())] for o in outputs]
        blocks = tuple(
            tuple(_stacked([row[i] for row in result_rows], o, x[i]) for i in range(len(x)))
            for result_rows, o in zip(rows, outputs, strict=True))
    by_result = tuple(_finished(by_input, single, create_graph) for by_input in blocks)
    return by_result[0] if out_single else by_result


def hessian(func: Callable[..., Any], inputs: Tensors, create_graph: bool = False,
            strict: bool = False, vectorize: bool = False,
            outer_jacobian_strategy: str = "reverse-mode") -> Any:
    """The second derivatives of a func that returns one element.

    Shapes: (+) inputs -> (+, +); a tuple of tuples for a tuple of inputs.

    Raises:
        TypeError: inputs or results that are not Tensors.
        RuntimeError: a result of several elements; with `strict`, see above.
        ValueError: an unknown strategy.
    """
    _check_strategy("hessian", outer_jacobian_strategy)
    single = isinstance(inputs, graph.Tensor)

    def gradient(*x: Any) -> Any:
        output = _number("hessian", func(*x), strict)
        gradients = _gradients("hessian", (output,), x, (None,), True, strict)
        return gradients[0] if single else gradients

    return jacobian(gradient, inputs, create_graph, strict)


def vhp(func: Callable[..., Any], inputs: Tensors, v: Tensors = None,
        create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """(func(inputs), vᵀ H) for the Hessian H of a func that returns one element.

    Shapes: v and vᵀ H as the inputs.

    Raises: as `hvp`.
    """
    return _hessian_product("vhp", func, inputs, v, create_graph, strict)


def hvp(func: Callable[..., Any], inputs: Tensors, v: Tensors = None,
        create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """(func(inputs), H v) for the Hessian H of a func that returns one element.

    H is symmetric, so H v equals vᵀ H: one backward through the gradient.

    Shapes: v and H v as the inputs.

    Raises:
        TypeError: inputs or results that are not Tensors.
        RuntimeError: a result of several elements; v of another shape; with `strict`, see above.
    """
    return _hessian_product("hvp", func, inputs, v, create_graph, strict)


def _hessian_product(name: str, func: Callable[..., Any], inputs: Tensors, v: Tensors,
                     create_graph: bool, strict: bool) -> tuple[Any, Any]:
    with enable_grad():
        x, single = _prepared(name, inputs, create_graph)
        direction = _vector(name, v, x, "the inputs")
        output = _number(name, func(*x), strict)
        first = _gradients(name, (output,), x, (None,), True, strict)
        product = _gradients(name, first, x, direction, create_graph, strict)
    return (_finished((output,), True, create_graph), _finished(product, single, create_graph))


# ---------------------------------------------------------------- parts


def _as_tuple(name: str, what: str, x: Any) -> tuple[tuple[Any, ...], bool]:
    """x as a tuple of Tensors, and whether it was a single Tensor."""
    if isinstance(x, graph.Tensor):
        return (x,), True
    if isinstance(x, tuple | list) and all(isinstance(t, graph.Tensor) for t in x):
        return tuple(x), False
    raise TypeError(f"{name}: {what} must be a Tensor or a tuple of Tensors, got "
                    f"{type(x).__name__}")


def _prepared(name: str, inputs: Tensors, create_graph: bool) -> tuple[tuple[Any, ...], bool]:
    """The inputs as Tensors that require grad, connected to the caller's graph if it is needed."""
    given, single = _as_tuple(name, "the inputs", inputs)
    tied = tuple(x.view_as(x) if create_graph and x.requires_grad
                 else x.detach().requires_grad_() for x in given)
    return tied, single


def _results(name: str, results: Any, strict: bool) -> tuple[tuple[Any, ...], bool]:
    outputs, single = _as_tuple(name, "the result of func", results)
    for i, o in enumerate(outputs):
        if strict and not o.requires_grad:
            raise RuntimeError(f"{name}: result {i} of func does not depend on the inputs, which "
                               "strict=True forbids")
    return outputs, single


def _number(name: str, result: Any, strict: bool) -> Any:
    outputs, single = _results(name, result, strict)
    if not single or outputs[0].numel() != 1:
        raise RuntimeError(f"{name}: func must return one element, got "
                           + (f"{len(outputs)} Tensors" if not single
                              else f"shape {tuple(outputs[0].shape)}"))
    return outputs[0]


def _vector(name: str, v: Tensors, like: tuple[Any, ...], what: str) -> tuple[Any, ...]:
    """v as a tuple; if it is None, 1 for a single element."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(f"{name}: v may be left out only if {what} have a single element; "
                               f"give v with the shape of {what}")
        return (like[0].new_ones(tuple(like[0].shape)),)
    given, _ = _as_tuple(name, "v", v)
    if len(given) != len(like):
        raise RuntimeError(f"{name}: v has {len(given)} Tensors, but {what} have {len(like)}; "
                           "they must be equal")
    for i, (a, b) in enumerate(zip(given, like, strict=True)):
        if a.shape != b.shape:
            raise RuntimeError(f"{name}: v[{i}] has shape {tuple(a.shape)}, but {what} have "
                               f"{tuple(b.shape)}; they must be equal")
    return given


def _gradients(name: str, outputs: tuple[Any, ...], x: tuple[Any, ...], weights: Any,
               create_graph: bool, strict: bool, retain: bool | None = None) -> tuple[Any, ...]:
    """The gradients with respect to x; zeros where a result does not depend on x."""
    pairs = [(o, w) for o, w in zip(outputs, weights, strict=True) if o.requires_grad]
    by_input: tuple[Any, ...] = (None,) * len(x)
    if pairs:
        by_input = engine.grad([o for o, _ in pairs], x, [w for _, w in pairs],
                                  retain_graph=retain or create_graph, create_graph=create_graph,
                                  allow_unused=True)
    for i, g in enumerate(by_input):
        if strict and g is None:
            raise RuntimeError(f"{name}: the result does not depend on input {i}, which "
                               "strict=True forbids")
        if strict and create_graph and not g.requires_grad:
            raise RuntimeError(f"{name}: the derivative by input {i} does not depend on the "
                               "inputs, which strict=True forbids")
    return tuple(t.new_zeros(tuple(t.shape)) if g is None else g
                 for g, t in zip(by_input, x, strict=True))


def _forward_derivative(name: str, outputs: tuple[Any, ...], x: tuple[Any, ...],
                        direction: tuple[Any, ...], create_graph: bool,
                        strict: bool) -> tuple[Any, ...]:
    """J v, as the gradient with respect to u of vᵀ (Jᵀ u), which is linear in u."""
    u = tuple(o.new_zeros(tuple(o.shape)).requires_grad_() for o in outputs)
    first = _gradients(name, outputs, x, u, True, strict)
    return _gradients(name, first, u, direction, create_graph, strict and create_graph)


def _stacked(rows: list[Any], output: Any, x: Any) -> Any:
    """The gradients of the elements of a result, as one Tensor (*result, *input)."""
    shape = (*output.shape, *x.shape)
    if not rows:
        return x.new_zeros(shape)
    return engine.tensors.stack(rows).reshape(shape)


def _finished(tensors: tuple[Any, ...], single: bool, create_graph: bool) -> Any:
    """A Tensor or a tuple, as the caller expects it; detached unless `create_graph`."""
    results = tensors if create_graph else tuple(t.detach() for t in tensors)
    return results[0] if single else results


def _check_strategy(name: str, strategy: str) -> None:
    if strategy not in ("reverse-mode", "forward-mode"):
        raise ValueError(f"{name}: strategy must be 'reverse-mode' or 'forward-mode', got "
                         f"{strategy!r}")
