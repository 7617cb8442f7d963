"""Random programs.

A program is written line by line while PyTorch runs it, so that each line can use the shapes and
dtypes of earlier results. A line that raises under PyTorch is usually dropped. If it is kept, it
must raise under both libraries.
"""

from __future__ import annotations

import itertools
import random
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy
import torch

from tinytensor.autograd.table import TABLE, Entry
from tinytensor.ops.samples import S, TensorSample

from .programs import Program, execute, namespace, targets

FEATURES = ("float16", "numpy_scalars", "views", "inplace", "inplace_views", "index", "no_grad",
            "detach", "hooks", "strides", "edges", "errors", "backward", "optimizers")

# Operations whose results may differ in correct libraries.
LEFT_OUT = {
    "random": "dropout alpha_dropout feature_alpha_dropout dropout1d dropout2d dropout3d "
              "gumbel_softmax rrelu",
    "unique only up to signs or phases": "svd eigh qr lstsq",
    "not initialised": "empty_like",
    "reads beyond its memory in PyTorch if lengths do not fit": "ctc_loss",
    "arbitrary in the last digit of an element": "matrix_rank",
}
# In PyTorch, the result of their in-place forms requires grad although they have no gradient.
COMPARISONS = ("eq ne lt le gt ge not_equal less less_equal greater greater_equal logical_and "
               "logical_or logical_xor logical_not").split()
DTYPES = ("float64", "float32", "float16", "int64", "int32", "uint8", "int8", "int16", "bool")
FLOATS = ("float32", "float64", "float16")
TOO_MANY = 400  # results with more elements are not used
LARGEST = 1e4  # results with larger numbers are not used, since they soon overflow


class Calls:
    """The calls that can be generated, each from a sample of the table."""

    def __init__(self) -> None:
        left_out = {name for names in LEFT_OUT.values() for name in names.split()}
        self.functions: dict[str, tuple[str, Entry]] = {}
        for key, entry in TABLE.items():
            path = "torch." + key
            if entry.samples and not entry.internal and entry.name not in left_out \
                    and (_exists(path) or hasattr(torch.Tensor, entry.name)):
                self.functions[key] = (path, entry)
        self.keys = sorted(self.functions)
        self.inplace = [key for key in self.keys if self.functions[key][1].inplace
                        and hasattr(torch.Tensor, self.functions[key][1].name + "_")
                        and self.functions[key][1].name not in COMPARISONS]


def _exists(path: str) -> bool:
    value: Any = torch
    for part in path.split(".")[1:]:
        value = getattr(value, part, None)
    return value is not None


CALLS = Calls()

VIEWS = ("{x}.t()", "{x}.mT", "{x}.T", "{x}.transpose({d}, {d})", "{x}.unsqueeze({d})",
         "{x}.squeeze()", "{x}.squeeze({d})", "{x}.flatten()", "{x}.view(-1)", "{x}.reshape(-1)",
         "{x}.expand(2, *{x}.shape)", "{x}.expand_as({y})", "{x}.narrow({d}, 0, 1)",
         "{x}.select({d}, {d})", "{x}.diagonal()", "{x}.unfold({d}, 2, 1)", "{x}.view_as({x})",
         "{x}.movedim({d}, {d})", "{x}.unbind({d})", "{x}.chunk(2, {d})", "{x}.split(1, {d})",
         "{x}.permute(*range({x}.ndim - 1, -1, -1))", "{x}.contiguous()", "{x}[{i}]", "{x}[{i}]",
         "{x}.view({x}.shape)", "{x}.expand({x}.shape)", "{x}.view(*{x}.shape, 1)",
         "{x}.reshape({x}.shape[::-1])", "{x}.swapaxes({d}, {d})", "torch.atleast_2d({x})",
         "torch.broadcast_tensors({x}, {y})", "{x}.ravel()", "{x}.tensor_split(2, {d})")
DETACHED = ("{x}.detach()", "{x}.data", "{x}.clone()", "{x}.detach().clone()",
            "{x}.detach().requires_grad_()", "{x}.detach().clone().requires_grad_()",
            "torch.tensor({x}.tolist())", "{x}.sum().item()", "{x}.requires_grad_()",
            "torch.from_numpy({x}.detach().numpy())")
MADE = ("torch.zeros_like({x})", "torch.ones_like({x})", "torch.full_like({x}, {n})",
        "{x}.new_zeros({x}.shape)", "{x}.new_full(({s}, {s}), {n})", "torch.arange({s})",
        "torch.arange({n}, {n} + 3, 0.5)", "torch.eye({s})", "torch.linspace({n}, {n}, {s})",
        "torch.full(({s},), {n})", "torch.zeros({s}, 3)", "torch.tril(torch.ones({s}, {s}))",
        "torch.tensor([{n}, {n}])", "torch.tensor({n})", "{x}.new_tensor([{n}, {n}])",
        "torch.arange({s}) * {n}")
CASTS = ("{x}.to(torch.{t})", "{x}.to({y}.dtype)", "{x}.type_as({y})", "{x}.double()",
         "{x}.float()", "{x}.long()", "{x}.bool()", "{x}.half()", "{x}.to({y})")
OPERATORS = ("{x} + {y}", "{x} - {y}", "{x} * {y}", "{x} / {y}", "{x} @ {y}", "{x} ** 2",
             "{n} - {x}", "{n} / {x}", "{n} ** {x}", "{x} // {n}", "{x} % {n}", "-{x}",
             "{x} + {n}", "{x} * {n}", "{x} / {n}", "{x} ** {n}", "abs({x})", "{x} > {y}",
             "{x} == {n}", "{x} <= {n}", "~({x} > {n})", "({x} > {n}) & ({y} > {n})",
             "({x} > {n}).sum()", "{x} * ({x} > {n})", "torch.where({x} > {n}, {x}, {y})",
             "torch.cat([{x}, {y}])", "torch.stack([{x}, {x}])", "{x}.mean()", "{x}.sum({d})",
             "torch.cat([{x}, {x}], {d})", "{x}.softmax({d})", "{x}.max({d})",
             "{x}.norm()", "{x}.std()", "sum([{x}, {y}])", "{x}.type(torch.{t})")
RESHAPES = ("{x}.t_()", "{x}.unsqueeze_({d})", "{x}.squeeze_()", "{x}.transpose_({d}, {d})")
WRITES = ("{x} += {y}", "{x} -= {n}", "{x} *= {y}", "{x} *= {n}", "{x} /= {n}", "{x} **= 2",
          "{x}.copy_({y})", "{x}.fill_({n})", "{x}.zero_()", "{x}.masked_fill_({x} > 0, {n})",
          "{x}.clamp_(min={n})", "{x}.relu_()", "{x}.exp_()", "{x}.tanh_()", "{x}.add_({y})",
          "{x}.mul_({x})", "{x}[{i}] = {n}", "{x}[{i}] = {y}", "{x}[{i}] += {n}",
          "{x}[{i}] *= {y}", "{x}[{i}] = {x}[{i}] * 2", "{x}.sub_({y}, alpha=2)",
          "{x}.addcmul_({y}, {y}, value=0.5)", "{x}.data.mul_({n})", "{x}.data.copy_({y})",
          *RESHAPES,
          "{x}.detach_()", "{x}.requires_grad_()", "{x}.detach().add_({n})",
          "{x}[{i}].mul_({n})", "{x}[{i}].zero_()", "{x}.t().mul_({y})", "{x}.view(-1)[:1] = {n}",
          "torch.nn.functional.relu({x}, inplace=True)",
          "{x}.flatten().add_(1)", "{x}.diagonal().add_({n})", "{x}.masked_fill_({x} < {n}, {y})")
HOOKS = ("{x}.retain_grad()", "{x}.register_hook(lambda g: g * 2)",
         "{x}.register_hook(lambda g: None)", "{x}.register_hook(lambda g: g.clamp(-1, 1))")


class Generator:
    """Writes one program.

    Args:
        rng: random generator. The same state writes the same program.
        features: the members of FEATURES that may occur.
    """

    def __init__(self, rng: random.Random, features: Iterable[str] = FEATURES):
        self.rng, self.features = rng, frozenset(features)
        self.numpy_rng = numpy.random.default_rng(rng.randrange(2**32))
        self.names = namespace(torch)
        self.lines: list[str] = []
        self.count = 0
        self.numpy_scalars = self.chance(0.2, "numpy_scalars")
        self.dtype = rng.choices(FLOATS[:2 + ("float16" in self.features)], (12, 4, 3)[
            :2 + ("float16" in self.features)])[0]
        self.mixed = self.chance(0.15)
        self.edges = self.chance(0.15, "edges")

    def program(self, length: int) -> Program:
        self.leaf()
        self.leaf()
        steps: list[tuple[Callable[[], None], int]] = [(self.call, 36), (self.leaf, 5)]
        for feature, step, weight in (
                ("views", self.view, 12), ("inplace", self.write, 12), ("index", self.index, 5),
                ("detach", self.detached, 4), ("hooks", self.hook, 4), ("", self.cast, 3),
                ("", self.operator, 14), ("", self.made, 3), ("backward", self.backward, 3),
                ("inplace", self.call_inplace, 6), ("optimizers", self.optimizer, 1)):
            if not feature or feature in self.features:
                steps.append((step, weight))
        for _ in range(length):
            self.rng.choices([s for s, _ in steps], [w for _, w in steps])[0]()
        self.end()
        return tuple(self.lines)

    # ------------------------------------------------------------ lines

    def chance(self, probability: float, feature: str = "") -> bool:
        return (not feature or feature in self.features) and self.rng.random() < probability

    def emit(self, line: str) -> bool:
        """Runs a line, adds it to the program if it works, and returns whether it worked."""
        if self.chance(0.05, "no_grad"):
            line = f"with torch.no_grad(): {line}"
        error = execute(line, self.names)
        made = [self.names.get(name) for name in targets(line)]
        if error is None and all(map(usable, made)):
            self.lines.append(line)
            return True
        for name in targets(line):
            self.names.pop(name, None)
        if error and self.chance(0.04, "errors") and not re.search(
                "not implemented|not supported|not currently supported", str(error)):
            self.lines.append(line)
        return False

    def assign(self, expression: str) -> bool:
        """Emits `v1 = expression`, with one variable per result."""
        self.count += 1
        name = f"v{self.count}"
        before = len(self.lines)
        if not self.emit(f"{name} = {expression}"):
            return False
        value = self.names[name]
        if isinstance(value, tuple | list) and 0 < len(value) < 5 \
                and all(isinstance(x, torch.Tensor) for x in value):
            parts = [f"v{self.count + i}" for i in range(len(value))]
            self.count += len(value)
            self.lines[before] = self.lines[before].replace(
                f"{name} = ", ", ".join(parts) + ("," if len(parts) == 1 else "") + " = ", 1)
            del self.names[name]
            self.names.update(zip(parts, value, strict=True))
            if "return_indices=True" in expression:
                # PyTorch 2.13 writes outside of memory if the indices of a pooling were written to
                # before backward. Programs write to copies.
                for part in parts[1:]:
                    self.emit(f"{part} = {part}.clone()")
        return True

    # ------------------------------------------------------------ variables

    def variables(self, wanted: Callable[[Any], bool] = lambda x: True) -> list[str]:
        return [name for name, x in self.names.items()
                if name[0] == "v" and isinstance(x, torch.Tensor) and readable(x) and wanted(x)]

    def variable(self, wanted: Callable[[Any], bool] = lambda x: True) -> str | None:
        """A random variable. Later ones are more likely."""
        names = self.variables(wanted)
        if not names:
            return None
        return names[max(self.rng.randrange(len(names)), self.rng.randrange(len(names)))]

    def is_written(self, x: Any) -> bool:
        """Whether a line may write to the variable in place."""
        if x.requires_grad and x.is_leaf and not self.chance(0.1):
            return False
        if overlaps_itself(x) and not self.chance(0.1, "errors"):
            return False
        return "inplace_views" in self.features or not x._is_view()

    def leaf(self) -> None:
        shape = self.rng.choice(((3, 4), (2, 3), (3,), (4,), (), (2, 3, 4), (1, 3), (3, 1),
                                 (0, 3), (2, 2), (3, 3), (1,), (2, 1, 4)))
        kind = self.rng.choices(("float", "int", "bool"), (10, 2, 1))[0]
        self.tensor(TensorSample(shape, kind=kind, grad=kind == "float",
                                 low=0 if kind == "int" else -2.0, high=4))

    def tensor(self, spec: TensorSample) -> str:
        """A new leaf with values from a sample's specification."""
        values = spec.make(self.numpy_rng)
        dtype = ""
        if spec.kind == "float":
            if numpy.abs(values).max(initial=0.0) > 0.5:
                values = numpy.round(values * 64) / 64  # exact in float16
            if self.edges and self.chance(0.3) and values.size:
                values = values.copy()
                values.flat[self.rng.randrange(values.size)] = self.rng.choice(
                    (0.0, -0.0, 1.0, float("inf"), float("nan"), -1.0, 100.0, -float("inf")))
            dtype = self.rng.choice(FLOATS[:2]) if self.mixed else self.dtype
        elif spec.kind == "int" and self.chance(0.1):
            dtype = self.rng.choice(("int32", "uint8", "int16"))
        options = f", dtype=torch.{dtype}" * bool(dtype) if dtype != "float32" else ""
        data = numpy.asarray(values)
        after = ""
        if self.chance(0.15, "strides") and data.ndim:
            data, after = self.strided(data)
        grad = spec.grad and spec.kind == "float" and self.chance(0.8)
        if grad and not after:
            options += ", requires_grad=True"
        elif grad:
            after += ".requires_grad_()" if self.chance(0.5) else ""
            options += ", requires_grad=True" * (not after.endswith("_()"))
        literal = repr(data.tolist())
        if 0 in data.shape:
            made = f"torch.zeros({data.shape}{options})"
        else:
            made = f"torch.tensor({literal}{options})"
        self.assign(made + after)
        return f"v{self.count}"

    def strided(self, data: Any) -> tuple[Any, str]:
        """Other data, and the source text of a view of it that has the shape of `data`."""
        which = self.rng.randrange(4)
        if which == 0 and data.ndim > 1:
            return data.swapaxes(0, -1), ".transpose(0, -1)"
        if which == 1:
            wide = numpy.repeat(data, 2, axis=-1)
            return wide, "[..., ::2]"
        if which == 2:
            return numpy.stack([data, data], -1), "[..., 0]"
        if data.shape[0] > 0:
            return data[:1], f".expand({', '.join(map(str, data.shape))})"
        return data, ".clone()"

    def number(self) -> str:
        number = self.rng.choice((0, 1, 2, 3, -1, 0.5, -0.5, 1.5, 2.0, 0.25, -2.0))
        return self.as_numpy(number)

    def as_numpy(self, value: Any) -> str:
        """The source text of a number, sometimes as a NumPy scalar."""
        if self.numpy_scalars and self.chance(0.4):
            if type(value) is int:
                return f"np.{self.rng.choice(('int64', 'int32'))}({value})"
            if type(value) is float:
                return f"np.{self.rng.choice(('float64', 'float32'))}({value!r})"
        return repr(value)

    # ------------------------------------------------------------ kinds of lines

    def fill(self, template: str) -> str | None:
        """Replaces the fields of a template by variables, dims, numbers and indices."""
        wanted: Callable[[Any], bool] = self.is_written if template in WRITES else lambda x: True
        if template in RESHAPES:  # PyTorch's graph does not learn the new shape
            wanted = lambda x: not x.requires_grad  # noqa: E731
        x = self.variable(wanted)
        if x is None:
            return None
        value = self.names[x]

        def field(match: re.Match[str]) -> str:
            which = match[1]
            if which == "x":
                return x
            if which == "y":
                near = self.variable(lambda y: y.shape == value.shape) \
                    if self.chance(0.6) else self.variable()
                return near or x
            if which == "d":
                return self.as_numpy(self.rng.randrange(-value.ndim, value.ndim)
                                     if value.ndim else self.rng.choice((0, -1)))
            if which == "i":
                return self.an_index(value)
            if which == "t":
                return self.rng.choice([t for t in DTYPES
                                        if t != "float16" or "float16" in self.features])
            return str(self.rng.randrange(1, 5)) if which == "s" else self.number()

        return re.sub(r"\{(\w)\}", field, template)

    def one_of(self, templates: Sequence[str]) -> None:
        for _ in range(4):
            line = self.fill(self.rng.choice(templates))
            if line and ("half" not in line or "float16" in self.features) and self.assign(line):
                return

    def view(self) -> None:
        self.one_of(VIEWS)

    def detached(self) -> None:
        self.one_of(DETACHED)

    def cast(self) -> None:
        self.one_of(CASTS)

    def made(self) -> None:
        self.one_of(MADE)

    def operator(self) -> None:
        self.one_of(OPERATORS)

    def hook(self) -> None:
        if self.chance(0.3):
            name = self.variable(lambda x: x.requires_grad)
            if name and self.assign("[]"):
                self.emit(f"{name}.register_hook(v{self.count}.append)")
            return
        x = self.variable(lambda x: x.requires_grad)
        if x:
            self.emit(self.rng.choice(HOOKS).format(x=x))

    def index(self) -> None:
        x = self.variable(lambda x: x.ndim > 0)
        if x:
            self.assign(f"{x}[{self.an_index(self.names[x])}]")

    def an_index(self, x: Any) -> str:
        parts: list[str] = []
        for size in x.shape[:self.rng.randrange(x.ndim + 1)]:
            parts.append(self.one_index(size))
        if self.chance(0.15):
            parts.insert(self.rng.randrange(len(parts) + 1), "None")
        if self.chance(0.15):
            parts.insert(self.rng.randrange(len(parts) + 1), "...")
        if not parts:
            parts = [self.rng.choice(("...", ":", "None")) if x.ndim else "..."]
        return ", ".join(parts)

    def one_index(self, size: int) -> str:
        at = self.rng.randrange(-size, size) if size else 0
        other = self.rng.randrange(-size, size) if size else 0
        return self.rng.choices(
            (str(at), self.as_numpy(at), ":", "1:", ":-1", "::2", f"{at}:", f"[{at}, {other}]",
             f"torch.tensor([{at}, {other}, {at}])", f"torch.tensor({at})",
             f"np.array([{at}, {other}])",
             repr([self.rng.random() < 0.5 for _ in range(size)]),
             f"torch.tensor({[self.rng.random() < 0.5 for _ in range(size)]})"),
            (6, 2, 5, 3, 2, 2, 2, 2, 2, 1, 1, 1, 1))[0]

    def write(self) -> None:
        for _ in range(4):
            line = self.fill(self.rng.choice(WRITES))
            if line and self.emit(line):
                return

    def call_inplace(self) -> None:
        for _ in range(4):
            _, entry = CALLS.functions[self.rng.choice(CALLS.inplace)]
            sample = self.rng.choice(entry.samples)
            if not sample.args or not isinstance(sample.args[0], TensorSample):
                continue
            x = self.variable(self.is_written)
            if x is None:
                return
            rest = S(*sample.args[1:], **sample.kwargs)
            arguments = self.arguments(rest, self.names[x].shape)
            if arguments is not None and self.emit(f"{x}.{entry.name}_({arguments})"):
                return

    def call(self) -> None:
        for _ in range(4):
            path, entry = CALLS.functions[self.rng.choice(CALLS.keys)]
            sample = self.rng.choice(entry.samples)
            shape = None
            if elementwise(entry) and self.chance(0.7):
                x = self.variable(lambda x: x.is_floating_point())
                shape = self.names[x].shape if x else None
            method = entry.method and sample.args and isinstance(sample.args[0], TensorSample) \
                and hasattr(torch.Tensor, entry.name) and (self.chance(0.5) or not _exists(path))
            arguments = self.arguments(sample, shape)
            if arguments is None:
                continue
            if method:
                first, _, rest = arguments.partition(", ")
                line = f"{first}.{entry.name}({rest})"
            else:
                line = f"{path}({arguments})"
            if self.assign(line):
                return

    def arguments(self, sample: S, shape: Any) -> str | None:
        """The arguments of a sample as text. Variables or new leaves, of `shape` if it is given,
        replace its Tensors.
        """
        try:
            parts = [self.argument(value, shape) for value in sample.args]
            parts += [f"{k}={self.argument(v, shape)}" for k, v in sample.kwargs.items()]
        except TypeError:
            return None
        return ", ".join(parts)

    def argument(self, value: Any, shape: Any) -> str:
        if isinstance(value, TensorSample):
            return self.fitting(value, shape)
        if isinstance(value, list | tuple):
            inner = ", ".join(self.argument(v, shape) for v in value)
            if isinstance(value, tuple):
                return f"({inner},)" if len(value) == 1 else f"({inner})"
            return f"[{inner}]"
        if isinstance(value, numpy.ndarray):
            return f"torch.tensor({value.tolist()})"
        if isinstance(value, str) and value in DTYPES:
            return f"torch.{value}"
        if isinstance(value, float | int) and not isinstance(value, bool):
            return self.as_numpy(self.changed(value))
        if value is None or isinstance(value, bool | str):
            return repr(value)
        raise TypeError(f"no text for {value!r}")

    def changed(self, number: float) -> float:
        """A number of a sample, sometimes replaced by another one."""
        if self.chance(0.06):
            return type(number)(self.rng.choice((0, 1, -1, 2, 3)))
        if isinstance(number, float) and self.chance(0.1):
            return number * 1.5
        return number

    def fitting(self, spec: TensorSample, shape: Any) -> str:
        """A variable, possibly a new one, that can replace a sample's Tensor."""
        if self.chance(0.05):
            any_one = self.variable()
            if any_one:
                return any_one
        shape = spec.shape if shape is None else tuple(shape)
        plain = type(spec) is TensorSample
        kinds = {"float": lambda x: x.is_floating_point(), "bool": lambda x: x.dtype is torch.bool,
                 "int": lambda x: not x.is_floating_point() and x.dtype is not torch.bool}
        fits = kinds[spec.kind]
        if spec.kind == "int" or not plain or self.chance(0.15):
            name = self.variable(lambda x: fits(x) and tuple(x.shape) == shape and x.numel() > 0
                                 and spec.low <= x.detach().min().item()
                                 and x.detach().max().item() < spec.high) if plain else None
            return name or self.tensor(self.reshaped(spec, shape))
        name = self.variable(lambda x: fits(x) and tuple(x.shape) == shape)
        if name is None:
            name = self.refitted(spec, shape, fits)
        if name is None:
            return self.tensor(self.reshaped(spec, shape))
        if (spec.low, spec.high) != (-2.0, 2.0) and spec.kind == "float" and self.chance(0.9) \
                and self.assign(f"torch.sigmoid({name}) * {spec.high - spec.low:.4g} "
                                f"+ {spec.low:.4g}"):
            return f"v{self.count}"
        return name

    def reshaped(self, spec: TensorSample, shape: tuple[int, ...]) -> TensorSample:
        if shape == spec.shape:
            return spec
        return TensorSample(shape, spec.low, spec.high, spec.kind, spec.grad, spec.distinct)

    def refitted(self, spec: TensorSample, shape: tuple[int, ...],
                 fits: Callable[[Any], bool]) -> str | None:
        """A new variable of this shape, reshaped from another one."""
        count = int(numpy.prod(shape, dtype=int))
        if not count or self.chance(0.3):
            return None
        name = self.variable(lambda x: fits(x) and x.numel() >= count)
        if name is None:
            return None
        cut = "" if self.names[name].numel() == count else f".flatten()[:{count}]"
        return f"v{self.count}" if self.assign(f"{name}{cut}.reshape({shape})") else None

    # ------------------------------------------------------------ gradients

    def output(self) -> str | None:
        return self.variable(lambda x: x.requires_grad and x.grad_fn is not None
                             and x.numel() > 0)

    def backward(self) -> None:
        out = self.output()
        if out is None:
            return
        leaves = self.variables(lambda x: x.requires_grad)
        which = self.rng.randrange(3)
        if which == 0 and leaves:
            chosen = self.rng.sample(leaves, min(len(leaves), 2))
            self.assign(f"torch.autograd.grad(weighted_sum({out}), [{', '.join(chosen)}], "
                        f"allow_unused=True, create_graph=True)")
        elif which == 1:
            self.emit(f"weighted_sum({out}).backward(retain_graph=True)")
        else:
            self.emit(f"{out}.backward(torch.ones_like({out}), retain_graph=True)")

    def optimizer(self) -> None:
        leaf = self.variable(lambda x: x.is_leaf and x.requires_grad)
        if leaf is None:
            return
        method = self.rng.choice((
            "SGD([{}], lr=0.1)", "SGD([{}], lr=0.1, momentum=0.9, weight_decay=0.01)",
            "Adam([{}], lr=0.1)", "AdamW([{}], lr=0.1)", "RMSprop([{}], lr=0.1)"))
        self.emit(f"torch.optim.{method.format(leaf)}.step()")

    def end(self) -> None:
        """Emits a backward of some of the results."""
        for _ in range(self.rng.choice((0, 1, 1, 1, 2))):
            out = self.output()
            if out is None:
                return
            self.emit(f"weighted_sum({out}).backward(retain_graph=True)")


def overlaps_itself(x: Any) -> bool:
    """Whether two elements may share memory, as in results of `unfold`."""
    steps = sorted((step, n) for step, n in zip(x.stride(), x.shape, strict=True) if n > 1)
    return any(step == 0 for step, _ in steps) or any(
        step < (n - 1) * smaller + 1 for (smaller, n), (step, _) 
        in itertools.pairwise(steps))


def readable(x: Any) -> bool:
    """Whether PyTorch can compute the grad_fn of a view."""
    try:
        return x.grad_fn is None or True
    except RuntimeError:
        return False


def usable(value: Any) -> bool:
    """Whether a result has few enough elements, and small enough numbers, for later lines."""
    if isinstance(value, list | tuple):
        return all(map(usable, value))
    if not isinstance(value, torch.Tensor):
        return True
    if value.dtype.is_complex or value.numel() > TOO_MANY or value.layout is not torch.strided:
        return False
    try:
        numbers = value.detach().numpy()
    except ValueError:  # a negative size, which PyTorch lets pass
        return False
    return numbers.dtype.kind != "f" or not (
        numpy.isfinite(numbers) & (numpy.abs(numbers) > LARGEST)).any()


def elementwise(entry: Entry) -> bool:
    """Whether an operation accepts every shape."""
    shapes = {sample.args[0].shape for sample in entry.samples
              if sample.args and isinstance(sample.args[0], TensorSample)}
    return () in shapes and (0, 3) in shapes


def generate(seed: int, number: int, features: Iterable[str] = FEATURES) -> Program:
    """The program with this seed and number."""
    rng = random.Random(f"{seed}:{number}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where a warning is an error, PyTorch's "once" counts
        return Generator(rng, features).program(rng.randrange(3, 14))
