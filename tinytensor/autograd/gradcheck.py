"""gradcheck: compares the derivatives of backward with finite differences, and diagnoses errors.

The Jacobian of a function f by backward, one row per call, is compared with central differences

    (f(x + ε) - f(x - ε)) / 2ε

in float64, one column per element of x. If they differ, the pattern of the Jacobian often reveals
the mistake (a ratio of 2: a gradient is counted twice), and the error names it. `fast_mode`
compares the derivative along one random direction, with two calls of f per input.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from ..arrays.devices import on, to_device, to_numpy
from . import engine, graph

Array = numpy.ndarray[Any, Any]

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]

# Modules with a function `mistake_in_backward`, which names the mistake in a wrong derivative. They
# are imported when there is one; `tinytensor.learn` has one.
explainers: list[str] = []


class GradcheckError(RuntimeError):
    """Derivatives that differ from finite differences or break another rule of `gradcheck`."""


def gradcheck(func: Callable[..., Any], inputs: Any, *, eps: float = 1e-6, atol: float = 1e-5,
              rtol: float = 1e-3, raise_exception: bool = True, nondet_tol: float = 0.0,
              check_undefined_grad: bool = True, check_grad_dtypes: bool = False,
              check_batched_grad: bool = False, check_batched_forward_grad: bool = False,
              check_forward_ad: bool = False, check_backward_ad: bool = True,
              fast_mode: bool = False, masked: bool | None = None) -> bool:
    """Whether |backward - finite difference| <= atol + rtol * |finite difference| everywhere.

    Args:
        func: a function of the inputs that returns a Tensor or several.
        inputs: a Tensor or a tuple; those that require grad are checked and must be float64.
        eps: the step ε of the finite differences.
        raise_exception: if False, a failure returns False.
        nondet_tol: the allowed difference between two backward calls through the same graph.
        check_undefined_grad: for several results, also check backward from each one alone.
        check_grad_dtypes: check that gradients have the dtype and device of their inputs.
        fast_mode: check one random direction instead of every element.

    Batches of gradients and forward derivatives come from the same rules, so that the arguments
    about them have no effect; nor has `masked`.

    Raises:
        GradcheckError: names the input, the worst element, both numbers, and a diagnosis.
        ValueError: no input requires grad, one is not float64, or its elements share memory.
    """
    inputs = (inputs,) if isinstance(inputs, graph.Tensor) else tuple(inputs)
    checked = _checked_inputs(inputs)
    try:
        case = _Case(func, inputs, checked, eps, atol, rtol)
        case.check_backward(nondet_tol, check_grad_dtypes)
        if check_undefined_grad:
            case.check_undefined()
        if fast_mode:
            case.check_direction()
        else:
            for i in checked:
                case.check_elements(i)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(func: Callable[..., Any], inputs: Any, grad_outputs: Any = None, *,
                  eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
                  gen_non_contig_grad_outputs: bool = False, raise_exception: bool = True,
                  nondet_tol: float = 0.0, check_undefined_grad: bool = True,
                  check_grad_dtypes: bool = False, check_batched_grad: bool = False,
                  check_fwd_over_rev: bool = False, check_rev_over_rev: bool = True,
                  fast_mode: bool = False, masked: bool = False) -> bool:
    """Checks the second derivatives of func: `gradcheck` of its gradients.

    Args:
        grad_outputs: the gradients of the results; random ones by default.
        gen_non_contig_grad_outputs: whether the random ones are non-contiguous.

    Raises:
        GradcheckError, ValueError: as `gradcheck`.
    """
    inputs = (inputs,) if isinstance(inputs, graph.Tensor) else tuple(inputs)
    checked = _checked_inputs(inputs)
    if grad_outputs is None:
        results = _differentiable(func(*inputs))
        rng = numpy.random.default_rng(0)
        weights = [_random_like(r, rng, gen_non_contig_grad_outputs) for r in results]
    else:
        weights = [grad_outputs] if isinstance(grad_outputs, graph.Tensor) else list(grad_outputs)
    count = len(inputs)

    def first_derivatives(*given: Any) -> tuple[Any, ...]:
        results = _differentiable(func(*given[:count]))
        by_input = engine.grad(results, [given[i] for i in checked], given[count:],
                                  create_graph=True, allow_unused=True)
        return tuple(g for g in by_input if g is not None)

    return gradcheck(first_derivatives, (*inputs, *weights), eps=eps, atol=atol, rtol=rtol,
                     raise_exception=raise_exception, nondet_tol=nondet_tol,
                     check_undefined_grad=check_undefined_grad,
                     check_grad_dtypes=check_grad_dtypes, fast_mode=fast_mode)


# ---------------------------------------------------------------- inputs


def _checked_inputs(inputs: Sequence[Any]) -> list[int]:
    """The positions of the inputs that require grad; raises if one cannot be checked."""
    checked = [i for i, x in enumerate(inputs)
               if isinstance(x, graph.Tensor) and x.requires_grad]
    if not checked:
        raise ValueError("gradcheck expects at least one input Tensor that requires grad; "
                         "call requires_grad_() on the inputs to check")
    for i in checked:
        x = inputs[i]
        if x._array.dtype != numpy.float64:
            raise ValueError(f"gradcheck: input {i} is {x.dtype}, too coarse for finite "
                             "differences; make it float64, with .double() before "
                             "requires_grad_(), or dtype=float64")
        if x.numel() and any(step == 0 and n > 1 for step, n in
                             zip(x._array.strides, x.shape, strict=True)):
            raise ValueError(f"gradcheck: elements of input {i} share memory (it was expanded), "
                             "so that they cannot be changed separately; clone() it")
    return checked


def _differentiable(results: Any) -> list[Any]:
    results = (results,) if isinstance(results, graph.Tensor) else results
    return [r for r in results if isinstance(r, graph.Tensor) and r.requires_grad]


def _tensor_like(x: Any, values: Array) -> Any:
    """A Tensor of `values` with the dtype and on the device of `x`."""
    array = numpy.asarray(values, dtype=x._array.dtype).reshape(tuple(x.shape))
    return graph.tensor_of(to_device(array, x.device), None)


def _random_like(x: Any, rng: numpy.random.Generator, scattered: bool) -> Any:
    values = rng.standard_normal((*x.shape, 2) if scattered else tuple(x.shape))
    tensor = _tensor_like(x, values[..., 0] if scattered else values)
    if scattered:
        pairs = on(x.device, lambda xp: xp.empty((*x.shape, 2), dtype=x._array.dtype))
        pairs[..., 0] = tensor._array
        tensor = graph.tensor_of(pairs[..., 0], None)
    return tensor.requires_grad_()


def _flat(x: Any) -> Array:
    return numpy.array(to_numpy(x._array), dtype=numpy.float64).reshape(-1)


class _Case:
    """A function and its inputs; computes derivatives by backward and by finite differences."""

    def __init__(self, func: Callable[..., Any], inputs: tuple[Any, ...], checked: list[int],
                 eps: float, atol: float, rtol: float):
        self.func, self.inputs, self.checked = func, inputs, checked
        self.eps, self.atol, self.rtol = eps, atol, rtol
        results = func(*inputs)
        results = (results,) if isinstance(results, graph.Tensor) else tuple(results)
        self.places = [k for k, r in enumerate(results) if _differentiable([r])]
        if not self.places:  # finite differences must then be 0
            self.places = [k for k, r in enumerate(results)
                           if isinstance(r, graph.Tensor) and r.dtype.is_floating_point]
        self.outputs = [results[k] for k in self.places]
        self.recorded = any(o.requires_grad for o in self.outputs)

    def values(self) -> list[Array]:
        """The results for the current inputs, flat."""
        results = self.func(*self.inputs)
        results = (results,) if isinstance(results, graph.Tensor) else results
        return [_flat(results[k]) for k in self.places]

    def moved(self, i: int, step: Array) -> list[Array]:
        """The results with `step` added to input i, which is restored afterwards."""
        array = self.inputs[i]._array
        before = array.copy()
        try:
            array += to_device(numpy.asarray(step), self.inputs[i].device)
            return self.values()
        finally:
            array[...] = before

    def gradients(self, weights: list[Any]) -> list[Any]:
        """The gradients of Σ weights * outputs with respect to the checked inputs, or None."""
        if not self.recorded:
            return [None] * len(self.checked)
        chosen = [k for k, w in enumerate(weights) if w is not None]
        return list(engine.grad([self.outputs[k] for k in chosen],
                                [self.inputs[i] for i in self.checked],
                                [weights[k] for k in chosen], retain_graph=True,
                                allow_unused=True))

    def weights(self) -> list[Any]:
        rng = numpy.random.default_rng(0)
        return [_tensor_like(o, rng.standard_normal(tuple(o.shape))) for o in self.outputs]

    # ------------------------------------------------------------ backward alone

    def check_backward(self, nondet_tol: float, check_grad_dtypes: bool) -> None:
        """Checks that backward is deterministic and keeps dtypes and devices."""
        weights = self.weights()
        first, second = self.gradients(weights), self.gradients(weights)
        for i, g, again in zip(self.checked, first, second, strict=True):
            x = self.inputs[i]
            if g is None or again is None:
                continue
            if check_grad_dtypes and (g.dtype is not x.dtype or g.device != x.device):
                raise GradcheckError(f"gradcheck: the gradient of input {i} is {g.dtype} on "
                                     f"{g.device}, the input {x.dtype} on {x.device}; a rule "
                                     "must keep the dtype")
            apart = numpy.abs(_flat(g) - _flat(again))
            if apart.size and apart.max() > nondet_tol:
                raise GradcheckError(
                    f"gradcheck: backward is not deterministic: two calls differ by "
                    f"{apart.max():.3g} in the gradient of input {i}; does the backward draw "
                    "random numbers, or modify saved values? nondet_tol allows a difference")

    def check_undefined(self) -> None:
        """Checks that backward from one result equals backward with zeros for the others."""
        if len(self.outputs) < 2 or not self.recorded:
            return
        weights = self.weights()
        for k, weight in enumerate(weights):
            alone: list[Any] = [None] * len(weights)
            alone[k] = weight
            zeros = [weight if j == k else w * 0 for j, w in enumerate(weights)]
            try:
                from_one = self.gradients(alone)
            except Exception as error:
                raise GradcheckError(
                    f"gradcheck: backward from result {k} alone fails ({error}); the gradients "
                    "of unused results are None: treat them as zeros") from error
            for i, g, other in zip(self.checked, from_one, self.gradients(zeros),
                                   strict=True):
                a = numpy.zeros(self.inputs[i].numel()) if g is None else _flat(g)
                b = numpy.zeros(self.inputs[i].numel()) if other is None else _flat(other)
                if not numpy.allclose(a, b, self.rtol, self.atol):
                    raise GradcheckError(
                        f"gradcheck: the gradient of input {i} from result {k} alone differs "
                        "from that with zeros for the other results; treat None as zeros")

    # ------------------------------------------------------------ finite differences

    def close(self, analytic: Array | float, numeric: Array | float) -> Any:
        return numpy.isclose(analytic, numeric, self.rtol, self.atol, equal_nan=True)

    def check_direction(self) -> None:
        """Checks the derivative of each input along one random direction of length 1."""
        weights = self.weights()
        rng = numpy.random.default_rng(1)
        for i, g in zip(self.checked, self.gradients(weights), strict=True):
            x = self.inputs[i]
            direction = rng.standard_normal(tuple(x.shape))
            direction /= max(math.sqrt((direction * direction).sum()), 1e-30)
            above = self.moved(i, direction * self.eps)
            below = self.moved(i, direction * -self.eps)
            numeric = sum(float(_flat(w) @ (a - b)) for w, a, b in
                          zip(weights, above, below, strict=True)) / (2 * self.eps)
            analytic = 0.0 if g is None else float(_flat(g) @ direction.reshape(-1))
            if not self.close(analytic, numeric):
                self.check_elements(i)  # its error names the element and a diagnosis
                raise GradcheckError(
                    f"gradcheck: input {i} of shape {tuple(x.shape)}: along a random direction "
                    f"the derivative is {analytic:.8g} by backward and {numeric:.8g} by finite "
                    "differences, although each single element is within the tolerance")

    def check_elements(self, i: int) -> None:
        """Checks the derivatives of all results with respect to all elements of input i."""
        numeric = self.by_moving(i)
        analytic, connected = self.by_backward(i)
        for k, (a, n) in enumerate(zip(analytic, numeric, strict=True)):
            right = self.close(a, n)
            if not right.all():
                raise GradcheckError(self.report(i, k, a, n, right, connected[k]))

    def by_moving(self, i: int) -> list[Array]:
        """The Jacobian of each result by finite differences: (result size, input size)."""
        x = self.inputs[i]
        columns = []
        for j in range(x.numel()):
            step = _unit(x, j, self.eps)
            columns.append([(a - b) / (2 * self.eps) for a, b in
                            zip(self.moved(i, step), self.moved(i, -step), strict=True)])
        return [numpy.stack([c[k] for c in columns], axis=1) if columns
                else numpy.zeros((o.numel(), 0)) for k, o in enumerate(self.outputs)]

    def by_backward(self, i: int) -> tuple[list[Array], list[bool]]:
        """The Jacobian of each result by backward, and whether its graph reaches the input."""
        x, at = self.inputs[i], self.checked.index(i)
        jacobians, connected = [], []
        for k, o in enumerate(self.outputs):
            jacobian = numpy.zeros((o.numel(), x.numel()))
            reached = False
            for row in range(o.numel()):
                weights: list[Any] = [None] * len(self.outputs)
                weights[k] = _tensor_like(o, _unit(o, row, 1.0))
                g = self.gradients(weights)[at]
                if g is not None:
                    jacobian[row], reached = _flat(g), True
            jacobians.append(jacobian)
            connected.append(reached)
        return jacobians, connected

    # ------------------------------------------------------------ diagnosis

    def report(self, i: int, k: int, analytic: Array, numeric: Array, right: Array,
               connected: bool) -> str:
        x, o = self.inputs[i], self.outputs[k]
        apart = numpy.where(right, 0, numpy.abs(analytic - numeric))
        apart[numpy.isnan(apart)] = numpy.inf
        row, column = (int(n) for n in numpy.unravel_index(int(apart.argmax()), apart.shape))
        at = _index(column, tuple(x.shape))
        return (
            f"gradcheck: the derivative of result {k}{_index(row, tuple(o.shape))} by input {i}"
            f"{at} (of shape {tuple(x.shape)}) is\n"
            f"    {analytic[row, column]:.8g} by backward\n"
            f"    {numeric[row, column]:.8g} by finite differences\n"
            f"{int((~right).sum())} of {right.size} derivatives differ. "
            f"{self.diagnosis(i, k, column, analytic, numeric, connected)}")

    def diagnosis(self, i: int, k: int, column: int, analytic: Array, numeric: Array,
                  connected: bool) -> str:
        """The likely mistake and its fix."""
        if not numpy.isfinite(numeric).all() or not numpy.isfinite(analytic).all():
            return ("not finite: NaN or inf in the derivatives; choose inputs where the function "
                    "and its derivative exist, or find the source with detect_anomaly()")
        kink = self.kink(i, k, column)
        if kink:
            return kink
        if not connected:
            return ("zero: not connected: the graph of the result does not reach this input; look "
                    "for detach(), .data, .item(), numpy() or tensor(...) in the function")
        if not analytic.any():
            return ("zero: the rule returns zeros although the result depends on this input; is a "
                    "term missing?")
        ratio = common_ratio(analytic, numeric)
        if ratio is not None:
            return meaning_of_ratio(ratio)
        explanation = self.explanation(k)
        if explanation:
            return explanation
        if self.transposed(i, analytic, numeric):
            return ("transposed: the gradient is right except that its last two dims are swapped; "
                    "transpose it in the rule")
        alive = numpy.abs(numeric) > self.atol
        kept = numpy.abs(analytic) > self.atol
        if (kept <= alive).all() and self.close(analytic, numeric)[kept].all():
            if alive[:, column].sum() > 1:
                return ("a part is missing: some of the results that depend on this element "
                        "contribute to its gradient, others do not; is the gradient not summed "
                        "over the broadcast axis, or is only the diagonal of the Jacobian there?")
            return "zeros where the derivative is not zero: a part of the gradient is missing"
        scales = common_ratio(analytic[:, column], numeric[:, column])
        if scales is not None:
            return (f"off by the factor {scales:.6g} for this element, by other factors for "
                    "others: look for a wrong saved value in the rule")
        return "no simple pattern: compare the rule with the derivative on paper"

    def explanation(self, k: int) -> str:
        """Which mistake in the backward of the forward's single numbers gives these gradients of
        result k, or ""."""
        rng = numpy.random.default_rng(2)
        weight = _tensor_like(self.outputs[k], rng.standard_normal(tuple(self.outputs[k].shape)))
        weights = [weight if j == k else None for j in range(len(self.outputs))]
        gradients = [None if g is None else to_numpy(g._array) for g in self.gradients(weights)]
        for name in explainers:
            text: str = importlib.import_module(name).mistake_in_backward(
                self.func, self.inputs, self.checked, self.places[k],
                to_numpy(self.outputs[k]._array), to_numpy(weight._array), gradients)
            if text:
                return text
        return ""

    def kink(self, i: int, k: int, column: int) -> str:
        """A message if the one-sided differences of input i at `column` disagree, or ""."""
        step = _unit(self.inputs[i], column, self.eps)
        here = self.values()[k]
        above = (self.moved(i, step)[k] - here) / self.eps
        below = (here - self.moved(i, -step)[k]) / self.eps
        apart = numpy.abs(above - below)
        worst = int(apart.argmax())
        size = max(abs(above[worst]), abs(below[worst]))
        if apart[worst] <= max(0.01 * size, 10 * self.atol):
            return ""
        return (f"at a kink: the one-sided differences disagree ({below[worst]:.6g} from below, "
                f"{above[worst]:.6g} from above); the derivative does not exist there; choose "
                "other inputs")

    def transposed(self, i: int, analytic: Array, numeric: Array) -> bool:
        shape = tuple(self.inputs[i].shape)
        if len(shape) >= 2 and shape[-1] == shape[-2]:
            exchanged = numpy.swapaxes(numeric.reshape(-1, *shape), -1, -2).reshape(numeric.shape)
            if self.close(analytic, exchanged).all():
                return True
        square = numeric.shape[0] == numeric.shape[1]
        return square and bool(self.close(analytic, numeric.T).all())


def _unit(x: Any, j: int, value: float) -> Array:
    """`value` at element j, zeros elsewhere, in the shape of x."""
    step = numpy.zeros(x.numel())
    step[j] = value
    return step.reshape(tuple(x.shape))


def _index(flat: int, shape: tuple[int, ...]) -> str:
    return str([int(n) for n in numpy.unravel_index(flat, shape)]) if shape else ""


def common_ratio(analytic: Array, numeric: Array) -> float | None:
    """The number r with analytic = r * numeric for all elements, or None."""
    size = float((numeric * numeric).sum())
    if not size:
        return None
    ratio = float((analytic * numeric).sum()) / size
    scale = float(numpy.abs(analytic).max())
    return ratio if numpy.allclose(analytic, ratio * numeric, 1e-3, 1e-4 * scale) else None


def meaning_of_ratio(ratio: float) -> str:
    """The diagnosis for a common ratio of all derivatives."""
    if math.isclose(ratio, -1, rel_tol=1e-3):
        return "ratio -1: a minus sign is missing, or there is one too many"
    if math.isclose(ratio, 2, rel_tol=1e-3):
        return ("ratio 2: counted twice: is the gradient added in two places, or the factor of a "
                "square kept twice?")
    if ratio and abs(ratio) < 1 and math.isclose(1 / ratio, round(1 / ratio), rel_tol=1e-3):
        return (f"off by the factor 1/{round(1 / ratio)}: a mean instead of a sum, or only one of "
                f"{abs(round(1 / ratio))} equal terms is counted")
    nearest = round(ratio) if math.isclose(ratio, round(ratio), rel_tol=1e-3) else ratio
    return f"off by the factor {nearest:.6g}: look for that constant in the rule"
