"""The pages of the reference: one for each family of operations, and one or more for each module.

A page of a module begins with a table of all of its names. Operations are described on the page of
their family, under all their names: function, method, in-place form.
"""

from __future__ import annotations

import importlib
import inspect
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field

from . import docstrings, names
from .names import ROOT, Described

SPLIT = ("tinytensor.nn", "tinytensor")  # modules so large that each file has a page of its own
# Files with names of `tinytensor` that are no operations, and the page that they are on.
TOPICS = {
    "tensors/creation": ("Making Tensors", "From data, and filled with numbers."),
    "tensors/sampling": ("Random Tensors", "Tensors of random numbers."),
    "tensors/windows": ("Windows", "Window functions for signals."),
    "arrays/dtypes": ("Dtypes", "The types of elements, their limits, and promotion."),
    "tensors/tensor": ("Tensor", "An array that remembers how it was computed."),
}
MORE = ("More names", "Switches, files, printing, constants, older types.")
# Names of files that are no titles.
TITLES = {
    "alignment": "CTC loss", "arrange": "Arranging and repeating", "bessel": "Bessel functions",
    "compare": "Comparing", "normal": "Normal distribution and entropies",
    "elementwise": "Elementwise", "embedding": "Embeddings", "extrema": "Minima and maxima",
    "gamma": "Gamma functions", "gather": "Gather and scatter", "index": "Indexing",
    "linalg": "Products of matrices", "decomposition": "Decompositions", "mlp": "MLP",
    "solving": "Solving equations", "reduce": "Sums, means, variances",
    "resampling": "Resampling", "scan": "Cumulative sums", "searching": "Searching and counting",
    "shape": "Shapes", "sorting": "Sorting", "special": "Special functions",
    "parallel-data_parallel": "Data parallel",
}


@dataclass
class Page:
    """One page of the reference."""

    path: str  # below reference/, without suffix
    title: str
    text: str
    entries: list[Described] = field(default_factory=list)


class Reference:
    """All pages, and where each name is described."""

    def __init__(self) -> None:
        self.found = names.described()
        self.page_of: dict[int, Page] = {}
        self.pages: dict[str, Page] = {}
        self.sources: set[str] = set()  # the files of all definitions
        for entry in {id(e): e for e in self.found.values()}.values():
            page = self._page(entry)
            page.entries.append(entry)
            self.page_of[id(entry)] = page
            if entry.source:
                self.sources.add(entry.source[0].relative_to(ROOT).as_posix())

    def _page(self, entry: Described) -> Page:
        """The page of an object; it is made with the first of them."""
        path, title, text = self._place(entry)
        return self.pages.setdefault(path, Page(path, title, text))

    def _place(self, entry: Described) -> tuple[str, str, str]:
        module = module_of(entry.name)
        if entry.operation:
            stem = entry.operation.module.rpartition(".")[2]
            return f"operations/{stem}", f"Operations: {_title(stem)}", \
                _doc_of(entry.operation.module)
        if module in names.STAND_INS:
            return "stand-ins", "Stand-ins", STAND_INS
        source = entry.source
        if module in SPLIT and source:
            inner = source[0].relative_to(ROOT / "tinytensor").with_suffix("").as_posix()
            if module == "tinytensor":
                title, text = TOPICS.get(inner, MORE)
                stem = posixpath.basename(inner) if inner in TOPICS else "more"
                return f"tinytensor/{stem}", title, text
            stem = inner.removeprefix("nn/").replace("/", "-")
            return f"nn/{stem}", f"Layers: {_title(stem)}", \
                _doc_of(f"tinytensor.{inner.replace('/', '.')}")
        if module == "tinytensor" and isinstance(entry.object, names.CONSTANTS):
            return "tinytensor/dtypes", *TOPICS["arrays/dtypes"]
        if module == "tinytensor.Tensor":
            return "tinytensor/tensor", *TOPICS["tensors/tensor"]
        if module == "tinytensor":
            return "tinytensor/more", *MORE
        return f"modules/{_together(module)}", module, _doc_of(module)

    def resolve(self, inside: str, text: str) -> str | None:
        """The full name of what a docstring in the module `inside` calls `text`."""
        text = text.removesuffix("()")
        if not text.replace(".", "").replace("_", "").isalnum() or text[0].isdigit():
            return None
        parts = inside.split(".")
        for length in range(len(parts), 0, -1):
            name = ".".join([*parts[:length], text])
            if name in self.found:
                return name
        tries = (f"tinytensor.{text}", f"tinytensor.nn.functional.{text}", f"tinytensor.nn.{text}")
        return next((name for name in tries if name in self.found
                     and ("." in text or text[0].isupper())), None)

    def classes(self) -> dict[str, str]:
        """The full names of classes, by their last part, as annotations call them."""
        full: dict[str, str] = {}
        for entry in self.found.values():
            if inspect.isclass(entry.object) and module_of(entry.name) not in names.STAND_INS:
                full.setdefault(entry.object.__name__, entry.name)
        return full

    # ------------------------------------------------------------ text

    def files(self) -> Iterator[tuple[str, str]]:
        """(path, reStructuredText) of every page below reference/."""
        for page in self.pages.values():
            if not page.path.startswith("modules/"):
                yield f"{page.path}.rst", _heading(page.title) + docstrings.convert(
                    page.text, lambda text: self.resolve("tinytensor", text)) + self._body(page)
        for module in names.MODULES:
            if _together(module) == module:
                yield f"modules/{module}.rst", self._module(module)
        yield "modules/tinytensor.Tensor.rst", _heading("tinytensor.Tensor") + (
            "Every attribute and method of a Tensor.\n\n") + self._table("tinytensor.Tensor")

    def _module(self, module: str) -> str:
        page = self.pages.get(f"modules/{module}")
        doc = docstrings.convert(_doc_of(module), lambda text: self.resolve(module, text))
        tables = [self._table(other) for other in names.MODULES if _together(other) == module]
        return _heading(module) + doc + "".join(tables) + (self._body(page) if page else "")

    def _table(self, module: str) -> str:
        """The names of a module, each with its first sentence."""
        rows = []
        for name, entry in sorted(self.found.items(), key=lambda item: item[0].lower()):
            if module_of(name) == module:
                short = name.rpartition(".")[2]
                doc = entry.doc
                if short.endswith("_") and not entry.name.endswith("_"):
                    doc = f"As `{short[:-1]}`, in place."
                rows.append(f"   * - :py:obj:`{short} <{name}>`\n     - "
                            f"{docstrings.inline(docstrings.summary(doc or constant(entry)))}\n")
        if not rows:
            return ""
        return ("\n.. rst-class:: names\n\n.. list-table::\n   :widths: 30 70\n\n" +
                "".join(rows) + "\n")

    def _body(self, page: Page) -> str:
        return "\n" + "\n".join(self._entry(entry, page) for entry in sorted(
            page.entries, key=lambda e: (e.name.lower(), e.name)))

    def _entry(self, entry: Described, page: Page) -> str:
        kind = "data" if entry.kind == "property" else entry.kind
        lines: list[str] = []
        shown: set[str] = set()  # the signatures so far; the same again is written (...)
        for name in entry.names:
            if kind == "data":
                lines.append(name)
                continue
            for signature in names.signatures(name, entry.object):
                same = "".join(signature.split()).partition("->")[0] in shown
                lines.append(f"{name}(...)" if same else f"{name}{signature}")
                shown.add("".join(signature.split()).partition("->")[0])
        head = f".. py:{kind}:: " + f"\n{' ' * (len(kind) + 9)}".join(
            line.replace("\\", "\\\\") for line in lines)
        body = [docstrings.convert(entry.doc or constant(entry),
                                   lambda text: self.resolve(module_of(entry.name), text))]
        where = entry.source
        if where:
            path = where[0].relative_to(ROOT).as_posix()
            up = "../" * (page.path.count("/") + 1)
            page_of_source = f"{up}source/{path}.html#line-{where[1]}"
            body.append(f".. rst-class:: source\n\nSource: `{path} <{page_of_source}>`__\n")
        body += [self._member(member, entry) for member in entry.members]
        inner = "\n".join(body)
        return head + "\n\n" + "".join(f"   {line}\n" if line else "\n"
                                       for line in inner.splitlines())

    def _member(self, member: Described, owner: Described) -> str:
        short = member.name.rpartition(".")[2]
        resolve = lambda text: self.resolve(owner.name, text)  # noqa: E731
        doc = docstrings.convert(member.doc, resolve)
        static = isinstance(member.object, staticmethod | classmethod)
        if isinstance(member.object, property) or not (callable(member.object) or static):
            head = f".. py:property:: {short}"
        else:
            kind = "staticmethod" if isinstance(member.object, staticmethod) else \
                "classmethod" if isinstance(member.object, classmethod) else "method"
            head = f".. py:{kind}:: " + f"\n{' ' * (len(kind) + 9)}".join(
                f"{short}{signature}"
                for signature in names.signatures(member.name, member.object, method=True))
        return head + "\n\n" + "".join(f"   {line}\n" if line else "\n"
                                       for line in doc.splitlines())


STAND_INS = """Modules of PyTorch that have no counterpart in tinytensor.

They adapt programs and libraries written for PyTorch. What compiles or traces there returns the
function or the model unchanged here. What cannot be done raises an error that says why."""


def _title(stem: str) -> str:
    return TITLES.get(stem, stem.replace("_", " ").capitalize())


def _together(module: str) -> str:
    """The module on whose page a module is: the small ones of backends are on one."""
    return "tinytensor.backends" if module.startswith("tinytensor.backends") else module


def module_of(name: str) -> str:
    return name.rpartition(".")[0]


def constant(entry: Described) -> str:
    """The text of the entry of a constant."""
    value = entry.object
    if isinstance(value, names.CONSTANTS) and "Unsupported" in type(value).__name__:
        return "A dtype of PyTorch that Tensors do not have here. It may be named, not used."
    if isinstance(value, names.CONSTANTS):
        return f"The {type(value).__name__} `{value}`."
    if isinstance(value, bool | int | float | str | None):
        return f"`{value!r}`."
    return f"`{value!r}`, a {type(value).__name__}."


def _doc_of(module: str) -> str:
    return inspect.getdoc(importlib.import_module(module)) or ""


def _heading(title: str) -> str:
    return f"{title}\n{'=' * len(title)}\n\n"
