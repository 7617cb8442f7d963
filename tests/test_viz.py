"""Drawings of graphs of Tensors."""

from __future__ import annotations

import shutil
import sys

import pytest

import tinytensor
from tinytensor import draw_dot


@pytest.fixture
def neuron():
    w = tinytensor.tensor([0.5, -1.0], requires_grad=True)
    x = tinytensor.tensor([2.0, 1.0])
    h = w * x
    return w, h, h.sum().tanh()


def test_shapes_data_and_operations_are_shown(neuron):
    w, h, out = neuron
    text = draw_dot(out, w=w, h=h).source
    for part in ("w | shape (2,) | data [0.5, -1.0]", "h | shape (2,) | data [1.0, -1.0]",
                 'label="mul"', 'label="sum"', 'label="tanh"', "shape ()"):
        assert part in text, part


def test_gradients_are_said_to_be_missing_before_backward_and_shown_after(neuron):
    w, h, out = neuron
    h.retain_grad()
    assert draw_dot(out, w=w, h=h).source.count("grad None") == 4
    out.backward()
    text = draw_dot(out, w=w, h=h).source
    assert "grad None" not in text
    assert "grad [2.0, 1.0]" in text  # the gradient of w: tanh has slope 1 at 0
    assert "grad [1.0, 1.0]" in text  # the gradient of h, kept by retain_grad
    assert "grad not kept" in text  # the node of the sum


def test_retain_all_keeps_data_and_gradients_of_every_result():
    x = tinytensor.tensor([[0.5, -1.0], [2.0, 0.25]])
    model = tinytensor.nn.Linear(2, 3)
    with tinytensor.retain_all():
        h = model(x).tanh()
        loss = (h * h).sum()
    later = loss * 2
    later.backward()
    lines = str(draw_dot(later)).splitlines()
    kept = {line.rpartition("<- ")[2]: line for line in lines if "<-" in line}
    assert kept.keys() == {"mul", "sum", "tanh", "linear"}
    assert all("data" in line and "| grad " in line for line in kept.values())
    assert sum("grad not kept" in line for line in lines) == 1  # of the root, outside of the block
    assert h.grad.tolist() == (4 * h).tolist()
    assert any("x | shape (2, 2) | data" in line for line in lines)
    assert any("weight | shape (3, 2) | data" in line for line in lines)


def test_retain_all_changes_no_gradient_and_ends_with_its_block():
    def gradient():
        w = tinytensor.tensor([0.5, -1.0], requires_grad=True)
        loss = (w * w.exp()).sum()
        return w, loss

    w, loss = gradient()
    loss.backward()
    with tinytensor.retain_all():
        v, recorded = gradient()
    recorded.backward()
    assert w.grad.tolist() == v.grad.tolist()
    (v * 2).sum().backward()
    assert sys.getprofile() is None
    assert "grad not kept" in str(draw_dot((v * 2 * 2).sum(), v=v))


def test_inputs_and_targets_are_drawn():
    model = tinytensor.nn.Linear(2, 3)
    loss = tinytensor.nn.functional.cross_entropy(model(tinytensor.ones(4, 2)),
                                                  tinytensor.tensor([0, 1, 2, 0]))
    text = str(draw_dot(loss))
    assert "input | shape (4, 2)" in text and "target | shape (4,) | data [0, 1, 2, 0]" in text


def test_every_node_stands_once_and_repeated_parents_have_two_edges():
    x = tinytensor.tensor(3.0, requires_grad=True)
    graph = draw_dot(x * x)
    assert repr(graph) == "<Graph: 2 nodes, 1 operations>"
    assert graph.source.count("->") == 3


def test_operations_with_several_results():
    matrix = tinytensor.eye(3).requires_grad_()
    values, vectors = tinytensor.linalg.eigh(matrix)
    assert repr(draw_dot(values.sum() + vectors.sum())).startswith("<Graph")


def test_tree_and_large_tensors():
    x = tinytensor.ones(100, requires_grad=True)
    text = str(draw_dot((x * 2).mean(), x=x))
    assert "data 1.0000 to 1.0000" in text and "<- mean" in text


def test_labels_are_escaped(neuron):
    w, _, out = neuron
    assert "\\{w\\|\\}" in draw_dot(out, **{"{w|}": w}).source


def test_bad_arguments_are_refused(neuron):
    _, _, out = neuron
    with pytest.raises(TypeError, match="root should be a Tensor, got float"):
        draw_dot(1.0)
    with pytest.raises(TypeError, match="h should be a Tensor, got int"):
        draw_dot(out, h=1)
    with pytest.raises(RuntimeError, match="does not require grad"):
        draw_dot(tinytensor.ones(2))
    with pytest.raises(ValueError, match="none of"):
        draw_dot(out, format="bmp3")


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz's program dot")
def test_a_notebook_gets_a_picture(neuron):
    assert "<svg" in draw_dot(neuron[2])._repr_mimebundle_()["image/svg+xml"]


def test_without_dot_a_notebook_gets_the_tree_and_what_to_install(neuron, monkeypatch):
    monkeypatch.setenv("PATH", "")
    text = draw_dot(neuron[2])._repr_mimebundle_()["text/plain"]
    assert "<- tanh" in text and "install graphviz" in text
