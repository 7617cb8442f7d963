"""What the documentation site is made from. `test_site_built.py` looks at a built site."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import scalar
import tinytensor
from tinytensor.learn.labs.course import BUG, LABS, TODO
from tinytensor.site import docstrings, labs, links, markdown, names, sources
from tinytensor.site.reference import Reference

ROOT = Path(__file__).parent.parent
# Modules that are no interface: what the public ones are made of.
INNER = re.compile(r"tinytensor\.(arrays|compat|commands|ops|table|tensors|site|learn\.|kernels\."
                   r"|compiled\.|checking\.|distributed\.(?!optim)|distributions\.(?!transforms)"
                   r"|utils\.(data|summaries)\.|nn\.(?!utils|parallel)|__main__)|.*\._")


@pytest.fixture(scope="module")
def reference():
    return Reference()


# ---------------------------------------------------------------- names


def test_no_public_name_is_missing(reference):
    """Counts the names in another way: all that a module, or a file's `__all__`, has."""
    found = {id(entry.object) for entry in reference.found.values()}
    missing, count = set(), 0
    for owner in (tinytensor, tinytensor.linalg, tinytensor.special, tinytensor.nn.functional):
        for name in dir(owner):
            value = getattr(owner, name)
            if name[0] != "_" and not inspect.ismodule(value) and callable(value) \
                    and names.is_own(value):
                count += 1
                missing |= {f"{owner.__name__}.{name}"} - {*reference.found}
    for name in dir(tinytensor.Tensor):
        if name[0] != "_":
            count += 1
            missing |= {f"tinytensor.Tensor.{name}"} - {*reference.found}
    for package in (tinytensor, scalar):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if INNER.match(info.name):
                continue
            module = importlib.import_module(info.name)
            for name in getattr(module, "__all__", ()):
                value = getattr(module, name)
                if not inspect.ismodule(value):
                    count += 1
                    known = id(value) in found or f"{info.name}.{name}" in reference.found
                    missing |= set() if known else {f"{info.name}.{name}"}
    assert (missing, count > 1500) == (set(), True)


def test_every_name_in_the_stubs_is_described(reference):
    assert {name for name in names.stubs() if name.rpartition(".")[2][0] != "_"} \
        <= {*reference.found}


def test_every_name_has_a_docstring_and_operations_their_shapes(reference):
    entries = {id(entry): entry for entry in reference.found.values()}.values()
    assert [e.name for e in entries if e.kind != "data" and not e.doc] == []
    assert [e.name for e in entries if e.operation and "Shapes:" not in e.doc] == []
    assert [e.name for e in entries if not docstrings.summary(e.doc or "x")] == []


def test_every_name_is_on_a_page_and_in_the_table_of_its_module(reference):
    files = dict(reference.files())
    text = "".join(files.values())
    heads = set(re.findall(r"^(?:\.\. py:\w+:: | {9,})([\w.]+)", text, re.MULTILINE))
    assert {*reference.found} - heads == set()
    table = files["modules/tinytensor.nn.functional.rst"]
    assert ":py:obj:`layer_norm <tinytensor.nn.functional.layer_norm>`" in table


def test_an_object_is_described_once_under_all_of_its_names(reference):
    mul = reference.found["tinytensor.mul"]
    assert {"tinytensor.mul", "tinytensor.multiply", "tinytensor.Tensor.mul",
            "tinytensor.Tensor.mul_", "tinytensor.Tensor.multiply_"} <= {*mul.names}
    assert reference.found["tinytensor.Tensor.mul_"] is mul
    path, line = mul.source
    definition = path.read_text().splitlines()[line - 1:line + 3]
    assert path.name == "elementwise.py" and any("def mul(" in text for text in definition)


@pytest.mark.parametrize(("name", "words"), [
    ("tinytensor.nn.functional.layer_norm", "eps: float=1e-05) -> Tensor"),
    ("tinytensor.Tensor.sum", "(dim: int | Sequence[int] | None=None"),
    ("tinytensor.nn.Linear", "(in_features: int, out_features: int, bias: bool = True"),
    ("tinytensor.distributed.all_reduce", "op: ReduceOp = ReduceOp.SUM"),
    ("scalar.Value.backward", "()"),
])
def test_signatures(reference, name, words):
    owner, _, short = name.rpartition(".")
    entry = reference.found.get(name) or next(
        m for m in reference.found[owner].members if m.name.endswith(f".{short}"))
    assert any(words in text for text in names.signatures(
        name, entry.object, method=name not in reference.found))


# ---------------------------------------------------------------- docstrings


DOC = """x * y_ for each |x|. Shapes: (*), (*) -> (*).

A block:

    y = f(x)
    z ← y

- one, `two`
- three

Args:
    x: the first,
        and more.

Raises:
    ValueError: never.
"""


def test_a_docstring_becomes_restructured_text():
    text = docstrings.convert(inspect.cleandoc(DOC), {"two": "module.two"}.get)
    assert "x \\* y\\_ for each \\|x\\|." in text
    assert ".. rst-class:: shapes\n\n**Shapes** (\\*), (\\*) -> (\\*)." in text
    assert ".. code-block:: text\n\n    y = f(x)\n    z ← y" in text
    assert "- one, \\ :py:obj:`two <module.two>`\\ \n- three" in text
    assert ":param x: the first, and more." in text and ":raises ValueError: never." in text
    assert docstrings.summary(DOC) == "x * y_ for each |x|"


def test_every_docstring_is_valid_restructured_text(reference):
    docutils = pytest.importorskip("docutils.core")
    entries = {id(entry): entry for entry in reference.found.values()}.values()
    texts = [docstrings.convert(entry.doc) for entry in entries if entry.doc]
    texts = texts[::25]  # a build of the site reads all
    for text in texts:
        plain = text.replace(".. code-block:: python", "::").replace(".. code-block:: text", "::")
        said = docutils.publish_doctree(plain, settings_overrides={"report_level": 5})
        problems = [n.astext() for n in said.findall() if n.tagname == "system_message"]
        assert problems == [], text


# ---------------------------------------------------------------- pages


def test_every_page_of_the_repository_is_on_the_site():
    """So is none forgotten that is written later."""
    files = {path.relative_to(ROOT).as_posix()
             for folder in ("tinytensor", "benchmarks", "examples")
             for path in (ROOT / folder).rglob("*.md")} | {path.name for path in ROOT.glob("*.md")}
    own = {file for file in files if file.startswith("tinytensor/site/")}
    assert files - own == {*markdown.INCLUDED.values()}


def test_links_of_a_page_are_rewritten():
    rewriter = markdown.Links()
    text = """[a](PYTORCH.md#differences) ![b](../examples/pictures/moons.png) [c](ops/shape.py)
[d](https://x.org) [e](ops)

```python
x = y[0](README.md)
```
"""
    changed = rewriter.rewrite(text, "project/operations", "tinytensor/OPERATIONS.md")
    assert "[a](../coming/pytorch.md#differences)" in changed
    assert "![b](../pictures/examples-pictures-moons.png)" in changed
    assert '<a href="../source/tinytensor/ops/shape.py.html">c</a>' in changed
    assert '<a href="../source/tinytensor/ops/index.html">e</a>' in changed
    assert "[d](https://x.org)" in changed and "x = y[0](README.md)" in changed
    assert rewriter.sources == {"tinytensor/ops/shape.py", "tinytensor/ops"}
    assert rewriter.pictures == {"examples/pictures/moons.png"}


def test_code_that_pages_include_exists():
    for page in (ROOT / "tinytensor/site/pages").rglob("*.md"):
        for file in re.findall(r"literalinclude\} ROOT/(\S+)", page.read_text()):
            assert (ROOT / file).is_file(), f"{page.name} includes {file}"


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.source.stem)
def test_the_chapter_of_a_lab_has_the_task_and_no_solution(lab):
    chapter = labs.chapter(lab)
    assert chapter.startswith(f"# {lab.title}\n") and chapter.count("<summary>Hint") == 3
    source = lab.source.read_text()
    tasks = [match[2] for match in TODO.finditer(source)]
    assert all(words in chapter for words in tasks)
    assert all(match[1] in chapter for match in BUG.finditer(source))  # a hunt shows the bugs
    for solution in [match[3] for match in TODO.finditer(source)]:
        longest = max(solution.strip().splitlines(), key=len).strip()
        assert len(longest) < 12 or longest not in chapter


@pytest.mark.parametrize("program", sorted(labs.PROGRAMS.glob("*.py")), ids=lambda p: p.stem)
def test_the_programs_of_the_live_pages(program):
    compile(program.read_text(), str(program), "exec")  # the build of the site runs it
    assert labs.title_of(program)


def test_every_live_page_is_shown():
    assert {name for name, _ in labs.LIVE.values()} == {p.stem for p in labs.PROGRAMS.glob("*.py")}


# ---------------------------------------------------------------- links, sources


def test_wrong_links_are_found(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/b.html").write_text('<h1 id="here">b</h1><a href="../a.html#no">x</a>')
    (tmp_path / "a.html").write_text("""<a href="inner/b.html#here">right</a> <a href="#">top</a>
<a href="inner/b.html#gone">x</a> <a href="c.html">x</a> <a href="https://x.org">other site</a>
<img src="//cdn.org/x.png"> <script src="https://cdn.org/x.js"></script>""")
    assert links.wrong_links(tmp_path) == [
        "a.html: no such anchor: inner/b.html#gone",
        "a.html: no such file: c.html",
        "a.html loads from elsewhere: //cdn.org/x.png",
        "a.html loads from elsewhere: https://cdn.org/x.js",
        "inner/b.html: no such anchor: ../a.html#no"]


def test_pages_of_sources_have_an_anchor_for_each_line(tmp_path):
    pytest.importorskip("pygments")
    sources.write(tmp_path, ["scalar/optim.py", "tinytensor/backends"])
    page = (tmp_path / "scalar/optim.py.html").read_text()
    count = len((ROOT / "scalar/optim.py").read_text().splitlines())
    assert f'id="line-{count}"' in page and f'id="line-{count + 1}"' not in page
    assert 'href="mkl.py.html"' in (tmp_path / "tinytensor/backends/index.html").read_text()
    wrong = {line.partition(": no such file: ")[2].lstrip("./") for line in links.wrong_links(
        tmp_path / "tinytensor")}
    assert wrong == {"index.html", "_static/source.css"}  # of the site, which is not there
