"""scalar.draw: DOT source, text trees, files, and errors without Graphviz."""

import importlib.util
import json
import re
import shutil
import sys

import pytest

from scalar import Value, draw_dot, nn
from scalar.draw import COLORS, DEEPEST, LARGEST, Graph

needs_graphviz = pytest.mark.skipif(
    importlib.util.find_spec("graphviz") is None or shutil.which("dot") is None,
    reason="needs the package graphviz and the program dot")


def example():
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    out = a * b + a
    out.label = "out"
    return a, b, out


# ---------------------------------------------------------------- source


def test_the_source_has_a_box_for_each_value_and_an_ellipse_for_each_operation():
    _, _, out = example()
    out.backward()
    graph = draw_dot(out)
    boxes = re.findall(r'(n\d+) \[label="(.*)" shape=record ', graph.source)
    assert sorted(text for _, text in boxes) == [
        "a | data 2.0000 | grad -2.0000", "b | data -3.0000 | grad 2.0000",
        "data -6.0000 | grad 1.0000", "out | data -4.0000 | grad 1.0000"]
    ellipses = dict(re.findall(r'(n\d+) \[label="([^"]*)" fillcolor', graph.source))
    assert sorted(ellipses.values()) == ["*", "+"]
    name = {text.split(" | ")[0]: n for n, text in boxes}
    name |= {text: n for n, text in ellipses.items()}
    edges = re.findall(r"(n\d+) -> (n\d+)", graph.source)
    assert sorted(edges) == sorted([
        (name["a"], name["*"]), (name["b"], name["*"]), (name["*"], name["data -6.0000"]),
        (name["data -6.0000"], name["+"]), (name["a"], name["+"]), (name["+"], name["out"])])
    assert graph.source == draw_dot(out).source and repr(graph) == "<Graph: 4 nodes, 2 operations>"


def test_both_parents_of_a_square_are_drawn():
    a = Value(3.0)
    assert len(re.findall("->", draw_dot(a * a).source)) == 3


def test_before_backward_the_drawing_says_that_there_is_no_gradient():
    a, _, out = example()
    assert draw_dot(out).source.count("grad None") == 4 and "grad 0" not in str(draw_dot(out))
    dead = out + Value(-1.0).relu() * a
    dead.backward()
    assert "grad None" not in draw_dot(dead).source
    assert "data -1.0000 | grad 0.0000" in draw_dot(dead).source


def test_a_single_leaf():
    assert str(draw_dot(Value(1.0))) == "data 1.0000 | grad None"


@needs_graphviz
def test_labels_with_special_characters_come_out_as_they_are():
    label = 'a{b}|c<d>"e\\f&lt;g'
    out = Value(1.0, (Value(2.0, label=label + "\nh"),), '"\\N{|}<')
    graph = draw_dot(out)
    assert r'a\{b\}\|c\<d\>\"e\\f&amp;lt;g\nh' in graph.source
    picture = graph.pipe("svg").decode()
    assert "a{b}|c&lt;d&gt;&quot;e\\f&amp;lt;g" in picture and ">h<" in picture
    assert '&quot;\\N{|}&lt;' in picture


@pytest.mark.parametrize("rankdir", ["LR", "RL", "TB", "BT"])
def test_rankdir(rankdir):
    source = draw_dot(Value(1.0), rankdir=rankdir).source
    assert f"rankdir={rankdir} " in source
    assert ("{ data" in source) == (rankdir in ("TB", "BT"))  # both stack the fields


def test_unknown_choices():
    with pytest.raises(ValueError, match="rankdir 'up' is none of LR, RL, TB, BT"):
        draw_dot(Value(1.0), rankdir="up")
    with pytest.raises(ValueError, match="format 'doc' is none of svg, png, pdf"):
        draw_dot(Value(1.0), format="doc")
    with pytest.raises(ValueError, match="format 'doc' is none of"):
        draw_dot(Value(1.0)).pipe("doc")
    with pytest.raises(TypeError, match="root should be a Value, got float"):
        draw_dot(1.0)


# ---------------------------------------------------------------- text


def test_the_tree_lists_what_is_shared_once():
    _, _, out = example()
    square = out * out
    square.backward()
    assert str(draw_dot(square)).splitlines() == [
        "data 16.0000 | grad 1.0000  <- *",
        "+- #1: out | data -4.0000 | grad -8.0000  <- +",
        "|  +- data -6.0000 | grad -8.0000  <- *",
        "|  |  +- #2: a | data 2.0000 | grad 16.0000",
        "|  |  +- b | data -3.0000 | grad -16.0000",
        "|  +- see #2: a | data 2.0000 | grad 16.0000",
        "+- see #1: out | data -4.0000 | grad -8.0000  <- +",
    ]


def test_a_deep_tree_goes_on_further_down():
    out = Value(1.0)
    for _ in range(10_000):
        out = -out
    lines = str(draw_dot(out)).splitlines()
    assert len(lines) == 10_001 + 10_000 // DEEPEST - (10_000 % DEEPEST == 0)
    assert max(map(len, lines)) < 3 * DEEPEST + 60
    assert lines[DEEPEST].strip() == "+- see #1: data 1.0000 | grad None  <- neg"
    assert lines[DEEPEST + 1] == "#1: data 1.0000 | grad None  <- neg"


def test_a_graph_of_other_things():
    graph = Graph()
    graph.node("x", ["(2, 3)", "float32"])
    graph.operation("split", "split")
    graph.edge("x", "split")
    for half in ("left", "right"):
        graph.node(half, [half])
        graph.edge("split", half)
    graph.operation("add", "add")
    graph.edge("left", "add")
    graph.edge("right", "add")
    assert str(graph).splitlines() == [
        "add",
        "+- left  <- split",
        "|  +- #1: (2, 3) | float32",
        "+- right  <- split",
        "   +- see #1: (2, 3) | float32",
    ]
    assert graph.source.count("->") == 5


# ---------------------------------------------------------------- pictures


@needs_graphviz
def test_pictures_are_rendered(tmp_path):
    _, _, out = example()
    graph = draw_dot(out, format="png")
    assert graph.pipe().startswith(b"\x89PNG") and b"<svg" in graph.pipe("svg")
    assert graph.render(tmp_path / "a") == str(tmp_path / "a.png")
    assert graph.render(tmp_path / "b.svg") == str(tmp_path / "b.svg")
    assert graph.render(str(tmp_path / "v1.5"), format="pdf") == str(tmp_path / "v1.5.pdf")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "v1.5.pdf").read_bytes().startswith(b"%PDF")


@needs_graphviz
def test_a_notebook_shows_the_picture():
    bundle = draw_dot(example()[2], format="png")._repr_mimebundle_(include=None, exclude=None)
    assert list(bundle) == ["image/svg+xml"] and "<svg" in bundle["image/svg+xml"]


@needs_graphviz
def test_a_picture_fits_into_the_width_of_a_notebook():
    picture = draw_dot(example()[2])._repr_mimebundle_()["image/svg+xml"]
    assert '<svg style="max-width:100%;height:auto"' in picture


def test_parameters_carry_their_names():
    model = nn.MLP(2, [3, 1])
    out = model([1.0, 2.0])
    source = draw_dot(out).source
    for name, _ in model.named_parameters():
        assert f'"{name} | data' in source, name
    kinds = re.findall(r'label="(\S+) .*shape=record fillcolor="(#\w+)"', source)
    assert {color for name, color in kinds if name.startswith("layers")} == {COLORS["parameter"]}
    assert {color for name, color in kinds if name == "data"} == {
        COLORS["input"], COLORS["result"]}
    other = nn.MLP(2, [1])
    both = draw_dot(out + other([1.0, 2.0])).source
    names = set(re.findall(r'label="(\S+) \| data', both))
    assert {"MLP_1.layers.0.weight[2][1]", "MLP_2.layers.0.weight[0][1]"} <= names


def test_a_notebook_does_not_wait_for_a_huge_picture():
    out = Value(1.0)
    for _ in range(LARGEST):
        out = -out
    assert "large" in draw_dot(out)._repr_mimebundle_()["text/plain"]


def test_without_the_package_graphviz(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    check_without(ImportError, "pip install graphviz", tmp_path)


def test_without_the_program_dot(monkeypatch, tmp_path):
    pytest.importorskip("graphviz")
    monkeypatch.setenv("PATH", str(tmp_path))
    check_without(RuntimeError, "apt install graphviz | brew install graphviz | winget install",
                  tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for dot is a shell script")
def test_a_dot_that_fails(monkeypatch, tmp_path):
    pytest.importorskip("graphviz")
    (tmp_path / "dot").write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    (tmp_path / "dot").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    graph = draw_dot(example()[2])
    with pytest.raises(RuntimeError, match=r"(?s)dot could not draw the graph as png: .*broken"):
        graph.pipe("png")
    assert str(graph) in graph._repr_mimebundle_()["text/plain"]


def check_without(error, hint, tmp_path):
    graph = draw_dot(example()[2])
    with pytest.raises(error, match=re.escape(hint)) as raised:
        graph.render(tmp_path / "graph")
    assert ".source and print(graph) work" in str(raised.value)
    assert not list(tmp_path.iterdir())
    text = graph._repr_mimebundle_()["text/plain"]
    assert hint in text and str(graph) in text
    assert "digraph" in graph.source


# ---------------------------------------------------------------- drawings written by users


@needs_graphviz
def test_a_drawing_function_over_prev_and_op_as_in_a_lecture():
    import graphviz

    def draw(root):
        dot = graphviz.Digraph(format="json", graph_attr={"rankdir": "LR"})
        nodes, edges = set(), set()

        def visit(v):
            if v not in nodes:
                nodes.add(v)
                for parent in v._prev:
                    edges.add((parent, v))
                    visit(parent)

        visit(root)
        for v in nodes:
            text = "{ %s | data %.4f | grad %.4f }" % (v.label, v.data, v.grad)  # noqa: UP031
            dot.node(str(id(v)), label=text, shape="record")
            if v._op:
                dot.node(str(id(v)) + v._op, label=v._op)
                dot.edge(str(id(v)) + v._op, str(id(v)))
        for parent, v in edges:
            dot.edge(str(id(parent)), str(id(v)) + v._op)
        return dot

    _, _, out = example()
    (out * out).tanh().backward()
    drawn = json.loads(draw(out).pipe())
    assert len(drawn["objects"]) == 4 + 2 and len(drawn["edges"]) == 4 + 2
