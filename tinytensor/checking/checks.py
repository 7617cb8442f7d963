"""The checks: what must hold of every operation, on each of its samples.

A check is a function of an operation and a sample. It raises `CheckError`, which says in words what
is wrong, or `NotChecked` with the reason where it does not apply.
"""

from __future__ import annotations

import contextlib
import inspect
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy

import tinytensor

from ..arrays.dispatch import KernelSettings, use_kernels
from ..autograd import gradcheck, gradgradcheck
from ..autograd.gradcheck import GradcheckError
from ..autograd.table import Entry
from ..ops.samples import S
from .calls import (
    arguments_of,
    by_single_values,
    differentiable,
    evaluate,
    gradients,
    leaf_names,
    ours,
    outputs,
    reference,
    reference_library,
    replace,
    second,
    tensor_names,
    theirs,
    values,
    weights,
)
from .comparing import (
    FLOAT64,
    CheckError,
    NotChecked,
    all_close,
    close,
    described,
    diagnosis,
)
from .exemptions import (
    MEMORY,
    NO_FINITE_DIFFERENCES,
    NO_SAMPLES,
    OTHER_DTYPES,
    RANDOM,
    SYMMETRIC,
)

NO_GRADIENT = "no result has a gradient"

# ---------------------------------------------------------------- what messages say


def result_name(i: int) -> str:
    return f"result {i}"


class Gradients:
    """Names the gradients of a sample in messages, and says what a wrong one suggests."""

    def __init__(self, entry: Entry, arguments: Any, results: Sequence[Any] = ()):
        self.entry, self.arguments, self.results = entry, arguments, results

    def leaf(self, i: int) -> str:
        return leaf_names(self.entry, self.arguments)[i]

    def name(self, i: int) -> str:
        return f"the gradient of `{self.leaf(i)}`"

    def second_name(self, i: int) -> str:
        return f"the second derivative by `{self.leaf(i)}`"

    def diagnose(self, i: int, mine: Any, expected: Any) -> str:
        leaf = self.leaf(i)
        if expected is None:
            return (f"`{leaf}` has no gradient in the reference: declare its sample "
                    "t(..., grad=False)")
        if mine is None:
            return self.without_rule(leaf)
        factors = {name: x.array for name, x in tensor_names(self.entry, self.arguments)}
        floats = differentiable(list(self.results))
        if floats:
            factors |= {"out": values(floats[0]), "g": weights(floats, 0)[0]}
        return diagnosis(mine, expected, factors)

    def without_rule(self, leaf: str) -> str:
        name, op = self.entry.name, self.entry.op
        known = leaf.partition("[")[0]
        if op is None:
            return "look for detach(), .data, numpy() or tensor(...) on the way"
        if any(known in names for names in op.rules):
            return f"the rule for `{known}` returns None"
        return (f"there is no rule for `{known}`: write {name}.vjp({known}=...), or declare its "
                "sample t(..., grad=False) if it has no derivative")


# ---------------------------------------------------------------- the definition


def has_samples(entry: Entry) -> None:
    """Samples exist, unless the operation is known to have none."""
    exempt = entry.key in {*NO_SAMPLES, *RANDOM}
    if exempt and entry.samples:
        raise CheckError(f"{entry.name} has samples: take it off the list in exemptions.py")
    if exempt:
        raise NotChecked("its results are random" if entry.key in RANDOM
                         else "it is a part of others, which a program in tests/ covers")
    if not entry.samples:
        raise CheckError("no samples: declare samples=, the calls that the checks try: unary() or "
                         "binary() of tinytensor.ops.samples, or such as [S(t(2, 3), dim=1)]")


def says_its_shapes(entry: Entry) -> None:
    """The docstrings of the definition, the function and the method have a line on shapes."""
    if "Shapes:" not in entry.doc:
        raise CheckError('the docstring lacks the shapes: write "Shapes: (*, n) -> (*)." in it')
    if "Shapes:" not in (inspect.getdoc(entry.function) or ""):
        raise CheckError("the public function has no docstring with shapes: take that of the op")
    if entry.method and has_method(entry) and "Shapes:" not in (
            inspect.getdoc(getattr(tinytensor.Tensor, entry.name)) or ""):
        raise CheckError(f"Tensor.{entry.name} has no docstring with shapes")


def has_method(entry: Entry) -> bool:
    return hasattr(tinytensor.Tensor, entry.name)


def has_reference(entry: Entry) -> None:
    """PyTorch has a function of the same meaning, or `reference=` gives one."""
    if entry.key in NO_SAMPLES:
        raise NotChecked("it has no samples to compare on")
    reference(entry)


# ---------------------------------------------------------------- against the reference


def to_compare_with(entry: Entry) -> tuple[Any, Callable[..., Any]]:
    """The library of the reference, and its function."""
    try:
        return reference_library(entry), reference(entry)
    except CheckError:
        raise NotChecked("there is no reference") from None


def first_order(entry: Entry, sample: S, dtype: Any) -> None:
    """Results and gradients, by rules on arrays, equal those of the reference."""
    library, function = to_compare_with(entry)
    arguments = arguments_of(sample, entry.name)
    (args, kwargs), leaves = ours(arguments, dtype)
    (args_t, kwargs_t), leaves_t = theirs(arguments, dtype, library)
    tolerance = 1e-11 if dtype == numpy.float64 else 3e-5
    results = outputs(entry.function(*args, **kwargs))
    expected = outputs(function(*args_t, **kwargs_t))
    all_close(list(map(values, results)), list(map(values, expected)), tolerance, result_name)
    text = Gradients(entry, arguments, results)
    recorded = [r.requires_grad for r in results], [r.requires_grad for r in expected]
    if recorded[0] != recorded[1]:
        i = next(i for i, (a, b) in enumerate(zip(*recorded, strict=True)) if a != b)
        missing = [hint for name in dict.fromkeys(leaf_names(entry, arguments))
                   if (hint := text.without_rule(name)).startswith("there is no rule")]
        raise CheckError(f"{result_name(i)}.requires_grad is {recorded[0][i]}, expected "
                         f"{recorded[1][i]}\n{'; '.join(missing)}".rstrip())
    all_close(list(map(values, gradients(tinytensor, results, leaves))),
              list(map(values, gradients(library, expected, leaves_t))),
              tolerance, text.name, text.diagnose)


def first_order_float64(entry: Entry, sample: S) -> None:
    first_order(entry, sample, numpy.float64)


def first_order_float32(entry: Entry, sample: S) -> None:
    first_order(entry, sample, numpy.float32)


def second_order(entry: Entry, sample: S) -> None:
    """The gradients of the gradients equal those of the reference."""
    library, function = to_compare_with(entry)
    arguments = arguments_of(sample, entry.name)
    (args_t, kwargs_t), leaves_t = theirs(arguments, library=library)
    first = gradients(library, outputs(function(*args_t, **kwargs_t)), leaves_t, create_graph=True)
    try:
        expected = second(library, first, leaves_t)
    except RuntimeError as error:
        if "is not implemented" in str(error):
            raise NotChecked("PyTorch has no second derivative") from None
        raise
    (args, kwargs), leaves = ours(arguments)
    first = gradients(tinytensor, outputs(entry.function(*args, **kwargs)), leaves,
                      create_graph=True)
    if not first:
        raise NotChecked(NO_GRADIENT)
    text = Gradients(entry, arguments)
    all_close(second(tinytensor, first, leaves), expected, 1e-10, text.second_name, text.diagnose)


# ---------------------------------------------------------------- against finite differences


def finite_differences(entry: Entry, sample: S) -> None:
    """First and second derivatives equal finite differences, along one random direction."""
    if entry.key in NO_FINITE_DIFFERENCES:
        raise NotChecked(NO_FINITE_DIFFERENCES[entry.key])
    arguments = arguments_of(sample, entry.name)
    (args, kwargs), leaves = ours(arguments)
    moved = [x for x in leaves if x.numel()]
    if not moved or not differentiable(outputs(entry.function(*args, **kwargs))):
        raise NotChecked(NO_GRADIENT)

    def function(*given: Any) -> Any:
        if entry.key in SYMMETRIC:
            given = tuple((x + x.mT) / 2 for x in given)
        called = replace((args, kwargs), lambda x: any(x is p for p in moved),
                         lambda x: given[next(i for i, p in enumerate(moved) if x is p)])
        return tuple(differentiable(outputs(entry.function(*called[0], **called[1]))))

    names = [f"`{name}`" for name, x in zip(leaf_names(entry, arguments), leaves, strict=True)
             if x.numel()]
    for order, check in (("first", gradcheck), ("second", gradgradcheck)):
        try:
            check(function, tuple(moved), fast_mode=True, atol=1e-7, rtol=1e-5)
        except GradcheckError as error:
            # gradgradcheck counts on after the inputs: the others are gradients of the results.
            named = re.sub(r"\binput (\d+)", lambda m: dict(enumerate(names)).get(
                int(m[1]), "`g`"), str(error).removeprefix("gradcheck: "))
            raise CheckError(f"{order} derivative: {named}") from None


# ---------------------------------------------------------------- against the scalar engine


def single_values(entry: Entry, sample: S) -> None:
    """Results and gradients equal those of the scalar engine, on arrays of `scalar.Value`."""
    if entry.scalar:
        raise NotChecked(f"the scalar engine is no reference: {entry.scalar}")
    if not compare_with_single_values(entry, sample):
        raise NotChecked(NO_GRADIENT)


def compare_with_single_values(entry: Entry, sample: S) -> bool:
    """Compares with arrays of `scalar.Value`; returns whether there was a gradient to compare."""
    arguments = arguments_of(sample, entry.name)
    (args, kwargs), leaves = ours(arguments)
    results = outputs(entry.function(*args, **kwargs))
    slopes = gradients(tinytensor, results, leaves)
    if not slopes:
        return False
    try:
        data, expected = by_single_values(entry, arguments, [r.requires_grad for r in results])
    except CheckError:
        raise
    except Exception as error:
        raise CheckError(f'{described(error)}\non an array of Values; declare scalar="why" if the '
                         "scalar engine cannot compute this operation") from error
    floats = list(map(values, differentiable(results)))
    all_close(floats, data, 1e-12, result_name)
    slopes = [numpy.zeros_like(e) if g is None else values(g)
              for g, e in zip(slopes, expected, strict=True)]
    text = Gradients(entry, arguments, results)
    all_close(slopes, expected, 1e-12, text.name, text.diagnose)
    return True


# ---------------------------------------------------------------- dtypes and memory


def keeps_dtypes(entry: Entry, sample: S) -> None:
    """Results and gradients of float32 inputs are float32, those of float16 inputs float16."""
    if entry.key in OTHER_DTYPES:
        raise NotChecked(OTHER_DTYPES[entry.key])
    arguments = arguments_of(sample, entry.name)
    if not leaf_names(entry, arguments):
        raise NotChecked("no input is floating point with a gradient")
    if any(isinstance(x, str | tinytensor.dtype) for part in arguments for x in (
            part.values() if isinstance(part, dict) else part)):
        raise NotChecked("the sample may ask for a dtype")
    text = Gradients(entry, arguments)
    for dtype, wide in ((tinytensor.float32, [tinytensor.float64]),
                        (tinytensor.float16, [tinytensor.float64, tinytensor.float32])):
        (args, kwargs), leaves = ours(arguments, dtype.numpy)
        try:
            with numpy.errstate(all="ignore"):  # float16 overflows beyond 65504
                results = outputs(entry.function(*args, **kwargs))
                slopes = gradients(tinytensor, results, leaves)
        except RuntimeError as error:
            if dtype is tinytensor.float16 and "float16" in str(error):
                return  # an operation may refuse float16
            raise
        hint = f"\n{FLOAT64}" if dtype is tinytensor.float32 else ""
        for name, tensors in ((result_name, results), (text.name, slopes)):
            for i, x in enumerate(tensors):
                if x is not None and x.dtype in wide:
                    raise CheckError(
                        f"{name(i)} has dtype {x.dtype.name}, expected {dtype.name}{hint}")


def strided_inputs(entry: Entry, sample: S) -> None:
    """Inputs whose elements are not adjacent in memory give the same: results and gradients."""
    if entry.key in MEMORY:
        raise NotChecked(MEMORY[entry.key])
    arguments = arguments_of(sample, entry.name)
    expected, slopes = evaluate(entry, arguments)
    actual, strided_slopes = evaluate(entry, arguments, change=strided)
    all_close(actual, expected, 1e-12, result_name)
    text = Gradients(entry, arguments)
    all_close(strided_slopes, slopes, 1e-12, text.name, text.diagnose)


def strided(x: Any) -> Any:
    """A Tensor of the same values: every other element of a larger, transposed array."""
    array = values(x)
    pairs = numpy.full((*array.shape, 2), 7, array.dtype, order="F")
    pairs[..., 0] = array
    return tinytensor.from_numpy(pairs[..., 0])


# ---------------------------------------------------------------- method, operator, in place


def by_operator(name: str) -> Callable[..., Any]:
    """operator.add for "__add__"."""
    return getattr(operator, name)  # the module has these names too


def forms(entry: Entry, sample: S) -> None:
    """Method, operator and in-place form equal the function: results and gradients."""
    arguments = arguments_of(sample, entry.name)
    (args, kwargs), leaves = ours(arguments)
    results = outputs(entry.function(*args, **kwargs))
    if not args or not isinstance(args[0], tinytensor.Tensor):
        raise NotChecked("the first argument is not a Tensor")
    expected = list(map(values, results))
    slopes = list(map(values, gradients(tinytensor, results, leaves, retain_graph=True)))

    def check(form: str, call: Callable[..., Any], *given: Any) -> None:
        text = Gradients(entry, arguments)
        with _named(form):
            actual = outputs(call(*given, **kwargs))
            all_close(list(map(values, actual)), expected, 0, result_name)
            all_close(list(map(values, gradients(tinytensor, actual, leaves))), slopes, 1e-12,
                      text.name)

    if entry.method:
        if not has_method(entry):
            raise CheckError(f"there is no method Tensor.{entry.name}: declare method=False for an "
                             "operation that is a function only")
        check(f"x.{entry.name}(...)", getattr(args[0], entry.name), *args[1:])
        if entry.varargs and len(args) == 2 and isinstance(args[1], tuple) and args[1]:
            check(f"x.{entry.name}(*{entry.varargs})", getattr(args[0], entry.name), *args[1])
    if entry.operator and not kwargs and len(args) <= 2:
        check(f"operator {entry.operator}", by_operator(entry.operator), *args)
    if entry.inplace and entry.method and len(results) == 1:
        with _named(f"x.{entry.name}_(...)"):
            check_in_place(entry, arguments, results[0], slopes)


def check_in_place(entry: Entry, arguments: Any, expected: Any, slopes: Any) -> None:
    """x.name_(...) writes the function's result into x, and x += y does; or it raises."""
    (args, kwargs), leaves = ours(arguments)
    copy = args[0].clone()
    form = getattr(copy, f"{entry.name}_")
    if expected.shape != copy.shape or not tinytensor.can_cast(expected.dtype, copy.dtype):
        try:
            form(*args[1:], **kwargs)
        except RuntimeError:
            require(copy._version == 0, "it raised after it had written")
            return
        raise CheckError(f"it writes a result of {expected.dtype} and {tuple(expected.shape)} into "
                         f"a Tensor of {copy.dtype} and {tuple(copy.shape)}")
    result = form(*args[1:], **kwargs)
    require(result is copy and copy._version == 1, "it does not return its Tensor, written once")
    written = values(expected).astype(values(copy).dtype)
    close(values(result), written, 0, lambda: "the result")
    text = Gradients(entry, arguments)
    actual = list(map(values, gradients(tinytensor, [result], leaves)))
    if not slopes and result.requires_grad:  # constants overwrite the Tensor: no gradient, or 0
        zeros = [numpy.zeros(tuple(leaf.shape)) for leaf in leaves]
        slopes = [None if d is None else zero for d, zero in zip(actual, zeros, strict=True)]
    all_close(actual, slopes, 1e-12, text.name)
    augmented = getattr(operator, f"i{entry.operator.strip('_')}", None)
    if entry.operator and augmented and not kwargs and len(args) == 2:
        copy = args[0].clone()
        require(augmented(copy, args[1]) is copy, "the augmented assignment makes a new Tensor")
        close(values(copy), written, 0, lambda: "the result of the augmented assignment")


def require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise CheckError(otherwise)


@contextlib.contextmanager
def _named(form: str) -> Iterator[None]:
    """Failures within say which form of the operation they are about."""
    try:
        yield
    except CheckError as failure:
        raise CheckError(f"{form}: {failure}") from None


# ---------------------------------------------------------------- kernels


def kernels(entry: Entry, sample: S) -> None:
    """With its kernels the operation gives what its reference gives, in float64 and float32."""
    if entry.op is None or not entry.op.kernels:
        raise NotChecked("it has no kernel")
    if find_spec("numba") is None:
        raise NotChecked("the kernels need Numba")
    smallest, KernelSettings.min_work = KernelSettings.min_work, 0
    try:
        for dtype in (numpy.float64, numpy.float32):
            compare_kernels(entry, arguments_of(sample, entry.name), dtype)
    finally:
        KernelSettings.min_work = smallest


def compare_kernels(entry: Entry, arguments: Any, dtype: Any,
                    change: Callable[[Any], Any] = lambda x: x) -> None:
    """Compares a call with kernels and one without; `change` makes other Tensors of the inputs."""
    with use_kernels(False):
        expected, slopes = evaluate(entry, arguments, dtype, change)
    with use_kernels(True):
        actual, kernel_slopes = evaluate(entry, arguments, dtype, change)
    tolerance = 1e-11 if dtype == numpy.float64 else 2e-5
    all_close(actual, expected, tolerance, result_name)
    text = Gradients(entry, arguments)
    all_close(kernel_slopes, slopes, tolerance, text.name, text.diagnose)


# ---------------------------------------------------------------- all of them


@dataclass(frozen=True)
class Check:
    """A check: its title in reports, and its function."""

    title: str
    function: Callable[..., None]
    each: bool = True  # whether the function takes a sample beside the operation


CHECKS = (
    Check("samples exist", has_samples, each=False),
    Check("the docstring says the shapes", says_its_shapes, each=False),
    Check("a reference exists", has_reference, each=False),
    Check("results and gradients equal the reference's in float64", first_order_float64),
    Check("results and gradients equal the reference's in float32", first_order_float32),
    Check("second derivatives equal the reference's", second_order),
    Check("first and second derivatives equal finite differences", finite_differences),
    Check("results and gradients equal the scalar engine's", single_values),
    Check("float32 and float16 inputs keep their dtype", keeps_dtypes),
    Check("strided inputs give the same", strided_inputs),
    Check("method, operator and in-place form equal the function", forms),
    Check("calls with and without kernels are equal", kernels),
)
