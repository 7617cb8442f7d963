"""The project itself: the direction of imports, generated files, the length of the engines."""

from __future__ import annotations

import ast
import functools
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from operations import in_turn

from tinytensor.commands import ops, stubs
from tinytensor.compat import absent

ROOT = Path(__file__).parent.parent

# Each floor may import from itself and from the floors before it.
FLOORS = [
    ("scalar",),
    ("tinytensor.arrays", "tinytensor.compat.absent"),
    ("tinytensor.autograd.frames", "tinytensor.autograd.versions", "tinytensor.autograd.modes",
     "tinytensor.autograd.deferred"),
    ("tinytensor.autograd",),
    ("tinytensor.tensors.printing", "tinytensor.tensors.conversion", "tinytensor.tensors.memory",
     "tinytensor.tensors.tensor", "tinytensor.random"),
    ("tinytensor.tensors.creation", "tinytensor.tensors.sampling"),
    ("tinytensor.ops", "tinytensor.compat.older_forms"),
    ("tinytensor.linalg", "tinytensor.special", "tinytensor.testing", "tinytensor.cuda",
     "tinytensor.accelerator", "tinytensor.amp", "tinytensor.distributed", "tinytensor.backends"),
    ("tinytensor.nn", "tinytensor.optim", "tinytensor.distributed.optim"),
    ("tinytensor.compat", "tinytensor.utils", "tinytensor.tensors", "tinytensor.distributions",
     "tinytensor.func", "tinytensor.onnx"),
    ("tinytensor.compiled", "tinytensor.kernels", "tinytensor.table"),
    ("tinytensor", "tinytensor.checking", "tinytensor.commands", "tinytensor.__main__",
     "tinytensor.learn", "tinytensor.site"),
]


def floor_of(module: str) -> int:
    """The floor of the longest listed prefix of a module's name."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length])
        for floor, names in enumerate(FLOORS):
            if prefix in names and (prefix != "tinytensor" or len(parts) == 1):
                return floor
    raise AssertionError(f"{module} stands on no floor: add it to FLOORS")


@functools.cache
def modules() -> dict[str, Path]:
    found = {}
    for package in ("scalar", "tinytensor"):
        for path in (ROOT / package).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


def import_statements(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Every import below a node, except those under `if TYPE_CHECKING:`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            yield from import_statements(ast.Module(child.orelse, []))
        else:
            yield from import_statements(child)


def imports(name: str, package: str, text: str) -> set[str]:
    """The modules of this project that the text of a module imports."""
    known = modules()
    imported = set()
    for node in import_statements(ast.parse(text)):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
            continue
        parents = package.split(".")[:len(package.split(".")) - node.level + 1]
        base = ".".join([*parents, *([node.module] if node.module else [])]) \
            if node.level else node.module or ""
        for alias in node.names:
            inner = f"{base}.{alias.name}"
            imported.add(inner if inner in known else base)
    return {m for m in imported if m in known and m != name}


@functools.cache
def import_graph() -> dict[str, set[str]]:
    return {name: imports(name, name if path.name == "__init__.py" else name.rpartition(".")[0],
                          path.read_text()) for name, path in modules().items()}


@in_turn("name", modules())
def test_imports_point_one_way(name):
    above = {m for m in import_graph()[name] if floor_of(m) > floor_of(name)}
    assert not above, f"{name} imports from a floor above its own: {above}"


def test_no_module_imports_itself_through_others():
    try:
        graphlib.TopologicalSorter(import_graph()).prepare()
    except graphlib.CycleError as error:
        raise AssertionError(f"a circle of imports: {' <- '.join(error.args[1])}") from None


def test_imports_are_seen_wherever_they_are():
    text = """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from .ops import reduce
else:
    from .ops import scan
def f():
    from .ops import index
    class C:
        from tinytensor.ops.shape import stack
        def g(self):
            import tinytensor.nn
"""
    assert imports("tinytensor.f", "tinytensor", text) == {
        "tinytensor.ops.scan", "tinytensor.ops.index", "tinytensor.ops.shape", "tinytensor.nn"}


def test_only_device_imports_cupy():
    users = {name for name, path in modules().items()
             if re.search(r"^\s*(import|from) cupy", path.read_text(), re.MULTILINE)}
    assert users == {"tinytensor.arrays.devices"}


def test_operations_do_not_call_numpy_by_name():
    """Operations compute with the given `xp`, since NumPy itself would fail on a GPU.

    NumPy's functions of shapes and types are allowed.
    """
    harmless = {"broadcast_shapes", "ndarray", "generic", "dtype", "iinfo", "finfo"}
    for name, path in modules().items():
        if not name.startswith("tinytensor.ops."):
            continue
        functions = [node for node in ast.walk(ast.parse(path.read_text()))
                     if isinstance(node, ast.FunctionDef | ast.Lambda)
                     and "xp" in [a.arg for a in node.args.args]]
        bodies = [part for f in functions
                  for part in (f.body if isinstance(f.body, list) else [f.body])]
        for node in (inner for part in bodies for inner in ast.walk(part)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) \
                    and node.value.id in ("numpy", "np") and node.attr not in harmless:
                raise AssertionError(f"{path.name}:{node.lineno}: numpy.{node.attr}")


def test_engines_are_short():
    def lines(path: str) -> int:
        return len((ROOT / path).read_text().splitlines())

    assert lines("scalar/engine.py") <= 200
    assert lines("tinytensor/autograd/engine.py") < 400


def test_importing_loads_nothing_heavy():
    heavy = ["torch", "cupy", "numba", "mpi4py", "matplotlib", "graphviz", "sklearn", "tqdm",
             "scipy"]
    code = f"import sys, tinytensor; print([m for m in {heavy} if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                            check=True, cwd=ROOT)
    assert answer.stdout.strip() == "[]"


def test_stubs_of_the_table_are_up_to_date():
    written = stubs.files()
    assert {p.name for p in stubs.FOLDER.glob("*.py*")} == {"__init__.py", *written}
    stale = [name for name, text in written.items() if (stubs.FOLDER / name).read_text() != text]
    assert not stale, f"run: python -m tinytensor generate ({', '.join(stale)})"


def test_page_of_operations_is_up_to_date():
    assert ops.text(markdown=True) in (ROOT / "tinytensor/OPERATIONS.md").read_text(), \
        "run: python -m tinytensor generate"


def test_page_of_operations_shows_kernels():
    kernels = {row[0]: row[-1] for row in ops.rows()}
    assert kernels["matmul"] == "cpu: forward, backward; cuda: forward, backward"
    assert kernels["mm, spmm"] == "cpu: in matmul; cuda: in matmul"
    assert kernels["nn.functional.conv2d"] == "cpu: in convolution; cuda: in convolution"
    assert kernels["abs, absolute"] == "-"


def test_commands_may_be_piped_to_head():
    with subprocess.Popen([sys.executable, "-m", "tinytensor", "ops"], cwd=ROOT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline().startswith("operation ")
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_help_shows_defaults():
    answer = subprocess.run([sys.executable, "-m", "tinytensor", "ops", "--help"], cwd=ROOT,
                            capture_output=True, text=True, check=True)
    assert "(default: False)" in " ".join(answer.stdout.split())


def test_page_of_pytorch_lists_the_names_that_are_left_out():
    page = (ROOT / "tinytensor/PYTORCH.md").read_text()
    cells = re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
    listed = set(re.findall(r"`([^`]+)`", "".join(cells)))
    assert listed == set(absent.REASONS)


def test_readme_counts_the_operations():
    assert f"[{len(ops.rows())} operations]" in (ROOT / "README.md").read_text()


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


@in_turn("mode", ["scalar", "tinytensor"])
def test_readme_programs_print_what_it_shows(mode):
    """The output of a program equals the comment lines in it."""
    programs = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    [program] = [p for p in programs if re.match(rf"(from|import) {mode}\b", p)]
    shown = [line.removeprefix("# ") for line in program.splitlines() if line.startswith("# ")]
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                            check=True, cwd=ROOT)
    assert len(shown) > 0 and answer.stdout.splitlines() == shown


def test_readme_shows_a_real_operation():
    [definition] = re.findall(r"```python\n(def .*?)```", (ROOT / "README.md").read_text(),
                              re.DOTALL)
    source = re.sub(r"\n{2,}", "\n\n", (ROOT / "tinytensor/ops/elementwise.py").read_text())
    assert definition in source


@in_turn("page", sorted(path.relative_to(ROOT).as_posix()
                        for folder in (".", "tinytensor", "benchmarks", "examples")
                        for path in (ROOT / folder).glob("*.md")))
def test_links_of_pages_lead_to_files(page):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (ROOT / page).read_text())
    missing = {link for link in links
               if "://" not in link and not (ROOT / page).parent.joinpath(link).exists()}
    assert not missing


def test_readme_links_to_the_other_pages():
    readme = (ROOT / "README.md").read_text()
    pages = {path.name for path in ROOT.glob("*.md")} - {"README.md"}
    assert {page for page in pages if f"]({page})" not in readme} == set()


def test_readme_commands_are_one_line_each():
    readme = (ROOT / "README.md").read_text()
    for mark in ("set-up and main example", "tests"):
        block = re.search(rf"<!-- ci: {mark} -->\n```sh\n(.*?)```", readme, re.DOTALL)
        assert block and len(block.group(1).strip().splitlines()) == 1, mark
