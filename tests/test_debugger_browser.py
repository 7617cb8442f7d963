"""The debugger's page in a real browser. Run with: python -m pytest -m browser

Needs Chromium (apt-get install chromium). The check of accessibility needs axe-core too:
npm install axe-core, with AXE_CORE set to the path of its axe.min.js.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import chromium
import debugged
import pytest

import tinytensor as tt
from scalar import Value, topological_order
from tinytensor import learn

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium.program() is None, reason=chromium.INSTALL),
]

# All that a page shows, as one text.
STATE = """
const state = () => ["graph", "panel", "layers", "position", "said"].map(
  (id) => document.getElementById(id).innerHTML).join("\\n") + document.getElementById("bar").value;
const key = (key, shiftKey = false) => dispatchEvent(new KeyboardEvent("keydown", {key, shiftKey}));
"""


@pytest.fixture
def show(browser, tmp_path):
    """A function that opens the page of a result in a tab; at the end it must have asked nothing
    of the network, and thrown nothing."""
    tabs = []

    def show(loss, dark=False, **options):
        page = learn.debug(loss, tmp_path / "page.html", **options)
        tab = browser.open((tmp_path / "page.html").as_uri(), dark=dark)
        tab.run("globalThis.eval(" + json.dumps(STATE.replace("const ", "var ")) + ")")
        tabs.append(tab)
        tab.written = page.trace
        return tab

    yield show
    for tab in tabs:
        assert tab.requests == [] and tab.errors == []
        tab.close()


def text(tab, name):
    return tab.run(f"document.getElementById({name!r}).innerText")


def step(tab):
    return tab.run("page.s")


# ---------------------------------------------------------------- steps


def test_every_step_and_back_with_the_keyboard(show):
    tab = show(debugged.neuron())
    states = [tab.run("state()")]
    count = tab.run("page.trace.S")
    assert count == 7 + 1 + 12
    for _ in range(count - 1):
        tab.press("ArrowRight")
        states.append(tab.run("state()"))
    assert len(set(states)) == count
    for state in reversed(states[:-1]):
        tab.press("ArrowLeft")
        assert tab.run("state()") == state


@pytest.mark.parametrize("size", debugged.SIZES)
def test_steps_forward_and_back_restore_the_page(show, size):
    tab = show(debugged.moons(size)[0])
    wrong = tab.run("""(() => {
      const wrong = [], last = page.trace.S - 1;
      for (const from of [0, page.trace.F - 20, page.trace.F + 40, last >> 1, last - 30]) {
        page.go(from);
        const states = [state()];
        for (let k = 0; k < 30; k++) { key("ArrowRight"); states.push(state()); }
        for (let k = 29; k >= 0; k--) {
          key("ArrowLeft");
          if (state() !== states[k]) wrong.push(page.s);
        }
        key("ArrowRight", true);
        key("ArrowLeft", true);
        if (page.s < last - 10 && state() !== states[0]) wrong.push(page.s);
      }
      return wrong;
    })()""")
    assert wrong == []


@pytest.mark.parametrize("size", [13, *debugged.SIZES])
def test_the_last_step_shows_the_gradients_of_the_engine(show, size):
    loss = debugged.neuron() if size == 13 else debugged.moons(size)[0]
    tab = show(loss)
    tab.press("End")
    assert step(tab) == tab.run("page.trace.S") - 1
    assert tab.run("page.trace.isExact") and "equals .grad to the bit" in text(tab, "exact")
    grads = tab.run("[...Array(page.trace.n).keys()].map((i) => page.trace.gradAt(i, page.s))")
    loss.backward()
    assert grads == [value.grad for value in topological_order(loss)]


def test_a_page_that_differs_from_the_engine_says_so(show, browser, tmp_path):
    loss = debugged.neuron()
    page = learn.debug(loss)
    loss._prev[0]._da = 3.0  # the derivative of the subtraction
    page.trace["local"] = learn.debug(loss).trace["local"]
    page.save(tmp_path / "wrong.html")
    tab = browser.open((tmp_path / "wrong.html").as_uri())
    assert "differ from .grad" in text(tab, "exact")
    tab.close()


@pytest.mark.parametrize("program", [debugged.attention, debugged.lstm])
def test_tensor_steps_forward_and_back(show, program):
    tab = show(program()[0])
    wrong = tab.run("""(() => {
      const states = [state()], wrong = [];
      while (page.s < page.trace.S - 1) { key("ArrowRight"); states.push(state()); }
      while (page.s > 0) { key("ArrowLeft"); if (state() !== states[page.s]) wrong.push(page.s); }
      return wrong;
    })()""")
    assert wrong == [] and "equals .grad to the bit" in text(tab, "exact")


def test_the_numbers_of_a_step(show):
    tab = show(debugged.neuron())
    tab.press("p", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight")
    rule = text(tab, "rule").split("\n")
    assert rule[:2] == ["out = tanh(n)", "n.grad += ∂out/∂n · out.grad"]
    detail = text(tab, "detail")
    assert "1 - y * y = 1 - 0.2913 * 0.2913 = 0.9151" in detail and "where y is out" in detail
    assert "out = n.tanh()" in text(tab, "place")
    tab.press("d")  # all digits
    local = 1 - math.tanh(0.3) ** 2
    assert str(local) in text(tab, "detail")


def test_what_the_view_leaves_out_is_counted(show):
    tab = show(debugged.moons(500)[0])
    seen = set()
    for at in (0, 40, 300, 500, 900):
        tab.run(f"page.go({at})")
        nodes = tab.run("""[...document.querySelectorAll("#graph .node")].map((g) => [
            Number(g.querySelector(".hit").dataset.node),
            g.querySelector(".more")?.textContent || ""])""")
        shown = {i for i, _ in nodes}
        for i, note in nodes:
            users = set(tab.run(f"page.trace.usersOf({i})")) - shown
            operands = set(tab.run(f"[...page.trace.parentsOf({i})]")) - shown
            expected = [f"+{len(operands)} operand"] if operands else []
            expected += [f"→ {len(users)} more use"] if users else []
            assert bool(note) == bool(expected) and all(e in note for e in expected), (at, i, note)
            seen |= {len(users)}
    assert len(seen) > 2


def test_steps_of_a_rule_of_the_programs_own(show):
    a = Value(3.0, label="a")
    square = Value(a.data ** 2, (a,), "square")
    square._backward = lambda: setattr(a, "grad", a.grad + 2 * a.data * square.grad)
    tab = show(square * a)
    tab.press("End")
    assert "27" in text(tab, "rule") and "own _backward" in text(tab, "detail")
    parts = [line.split("\t") for line in text(tab, "detail").splitlines() if "\t" in line]
    assert [part[-1] for part in parts] == ["9", "18"]
    assert "equals .grad to the bit" in text(tab, "exact")


# ---------------------------------------------------------------- keys


def test_the_keys_move(show):
    tab = show(debugged.moons(500)[0])
    last, forward = tab.run("page.trace.S - 1"), tab.run("page.trace.F")
    for keys, at in (("Shift+ArrowRight", 10), ("ArrowLeft", 9), ("End", last), ("Home", 0),
                     ("p", forward), ("p", 0)):
        tab.press(keys)
        assert step(tab) == at, keys
    tab.press("]")
    assert tab.run("page.overview.entry(page.trace, page.s)") != \
        tab.run("page.overview.entry(page.trace, page.s - 1)")
    tab.press("[")
    assert step(tab) == 0
    tab.press("4")
    wide = tab.run("page.drawn")
    tab.press("2")
    assert tab.run("page.drawn") < wide
    tab.press("?")
    assert tab.run("document.getElementById('keys').open")
    tab.press("?")
    assert not tab.run("document.getElementById('keys').open")


def test_a_graph_of_one_leaf(show):
    for leaf, shown in ((Value(2.0, label="a"), "1 number"),
                        (tt.ones(2, requires_grad=True), "1 array")):
        tab = show(leaf)
        assert text(tab, "counts").startswith(shown) and step(tab) == 0
        tab.press("ArrowRight", "End", "p", "]", "[", "n", "b", "c", " ", "w", "2")
        assert step(tab) == 0 and "equals .grad to the bit" in text(tab, "exact")


def test_space_plays_and_pauses(show):
    tab = show(debugged.neuron())
    add_break(tab, "op tanh")
    tab.press(" ")
    tab.run("new Promise((done) => {"
            "const wait = () => page.s >= 4 ? done() : setTimeout(wait, 20); wait(); })")
    assert not tab.run("page.isPlaying") and step(tab) == 4  # at the breakpoint
    tab.press(" ")
    assert tab.run("page.isPlaying")
    tab.press("Home")
    assert not tab.run("page.isPlaying") and step(tab) == 0


def test_search_and_follow_with_the_keyboard(show):
    loss, _model = debugged.moons(500)  # a parameter has a name as long as its model exists
    tab = show(loss)
    tab.press("p", "/")
    tab.write("layers.1.weight[2][1]")
    tab.press("Enter")
    assert tab.run("page.trace.name(page.trace.target(page.s))") == "layers.1.weight[2][1]"
    at = step(tab)
    tab.press("n")
    assert step(tab) > at
    tab.press("N")
    assert step(tab) == at
    tab.run("document.querySelector('#graph [data-node]').focus()")
    wanted = tab.run("Number(document.activeElement.dataset.node)")
    tab.press("Enter")
    assert wanted in tab.run("[page.trace.node(page.s), page.trace.target(page.s)]")


def test_a_click_follows(show):
    tab = show(debugged.neuron())
    tab.press("p")
    tab.run("document.querySelector('#graph [data-node=\"0\"]').dispatchEvent("
            "new MouseEvent('click', {bubbles: true}))")
    assert tab.run("page.trace.target(page.s)") == 0


def test_tab_reaches_every_control(show):
    tab = show(debugged.moons(500)[0])
    reached = set()
    for _ in range(60):
        tab.press("Tab")
        reached.add(tab.run("(({id, dataset}) => id || dataset?.layer || dataset?.key "
                            "|| dataset?.node)(document.activeElement)"))
    assert {"search", "theme", "help", "panel", "break", "bar", "0", "Home", "ArrowRight",
            "play", "c"} <= reached


# ---------------------------------------------------------------- breakpoints


def add_break(tab, words):
    tab.press("B")
    tab.write(words)
    tab.press("Enter")


def stops(tab):
    found = []
    tab.press("Home")
    while True:
        before = step(tab)
        tab.press("c")
        if step(tab) == before:
            return found
        found.append(step(tab))


def test_a_breakpoint_on_a_name(show):
    tab = show(debugged.neuron())
    add_break(tab, "p1")
    assert [tab.run(f"page.trace.kind({s}) + page.trace.name(page.trace.subject({s}))")
            for s in stops(tab)] == ["forwardp1", "backwardp1"]
    tab.press("C")
    assert tab.run("page.trace.kind(page.s)") == "forward"
    tab.press("b")  # the same name: off
    assert stops(tab) == []


def test_a_breakpoint_on_an_operation_and_on_a_line(show):
    tab = show(debugged.neuron())
    add_break(tab, "op tanh")
    by_op = stops(tab)
    assert [tab.run(f"page.trace.opOf(page.trace.node({s}))") for s in by_op] == ["tanh"] * 2
    tab.press("Home")
    line = tab.run("page.trace.placeOf(page.trace.forward[4]).spot[1]")
    tab.press("C")
    tab.run("document.querySelector('[data-remove]').click()")
    add_break(tab, f"line {line}")
    assert stops(tab) == by_op
    add_break(tab, "nothing of this name")
    assert tab.run("page.breaks.length") == 1


def test_breakpoints_on_numbers(show):
    x, flat = Value(0.0, label="x"), Value(-1.0, label="flat")
    with learn.record():
        loss = (x * 1.0).log() * 0.0 + flat.relu() * 2.0
    tab = show(loss)
    add_break(tab, "data inf")
    assert tab.run(f"page.trace.opOf(page.trace.node({stops(tab)[0]}))") == "log"
    tab.run("document.querySelector('[data-remove]').click()")
    add_break(tab, "grad nan")
    assert "x" in [tab.run(f"page.trace.name(page.trace.target({s}))") for s in stops(tab)]
    tab.run("document.querySelector('[data-remove]').click()")
    add_break(tab, "grad is inf")
    assert [tab.run(f"page.trace.opOf(page.trace.node({s}))") for s in stops(tab)] == ["*"]
    tab.run("document.querySelector('[data-remove]').click()")
    add_break(tab, "grad 0")
    assert "flat" in [tab.run(f"page.trace.name(page.trace.target({s}))") for s in stops(tab)]


# ---------------------------------------------------------------- arrays


def test_an_element_of_an_array(show):
    loss, _head = debugged.attention()
    tab = show(loss)
    tab.press("End", "a", "ArrowRight", "ArrowDown")
    assert text(tab, "said").startswith("[1, 1] = ")
    tab.press("ArrowLeft", "ArrowUp", "Enter")
    assert "learn.open(model, *inputs, loss=..., at=\"" in text(tab, "element")
    tab.press("Escape", "Home")
    assert step(tab) == 0


def test_an_opened_element(show):
    loss, head = debugged.attention()
    tt.manual_seed(0)
    debugged.Head(16, 8)  # the numbers that the generator gave before x
    x, name = tt.randn(6, 16), "value.weight.grad[0, 0]"
    element = learn.open(head, x, loss=lambda y: (y ** 2).mean(), at=name)
    tab = show(loss, opened={name: element})
    tab.press("p", "/")
    tab.write("value.weight")
    tab.press("Enter")
    before = tab.run("state()")
    tab.press("a", "Enter")
    assert text(tab, "title") == name and tab.run("page.trace.n") == len(topological_order(element))
    loss.backward()
    assert element.data == pytest.approx(head.value.weight.grad[0, 0].item(), rel=1e-5)
    assert "equals .grad to the bit" in text(tab, "exact")
    tab.press("End")
    tab.press("Escape")
    assert tab.run("state()") == before


def test_the_names_of_elements_are_those_of_open(show):
    """What `learn.open` finds under the name that the page gives is the number that it shows."""
    loss, head = debugged.attention()
    tt.manual_seed(0)
    debugged.Head(16, 8)
    x = tt.randn(6, 16)
    tab = show(loss)
    names = tab.run("page.trace.addresses")
    assert {"query.weight", "x", "query", "softmax", "matmul", "output", "loss"} <= set(names)
    tab.press("End")
    for i, name in enumerate(names):
        data, last = tab.run(f"""(() => {{
            const {{trace}} = page, j = trace.lastInto({i}, page.s);
            return [trace.array(trace.nodes[{i}].data).numbers[0],
                    j < 0 ? null : trace.array(trace.steps[j][6]).numbers[0]];}})()""")
        shape = tab.run(f"page.trace.nodes[{i}].shape")
        index = f"[{', '.join('0' * len(shape))}]" if shape else ""
        if name == "mask" or math.isinf(data or 0.0):
            continue
        for number, at in ((data, name + index), (last, f"{name}.grad{index}")):
            if number is not None:
                value = learn.open(head, x, loss=lambda y: (y ** 2).mean(), at=at)
                assert value.data == pytest.approx(number, rel=1e-4, abs=1e-6), at


def test_each_sum_of_an_array_is_that_of_its_parts(show):
    """The arrays of the page, added up in it, give the arrays that it shows as gradients."""
    tab = show(debugged.lstm()[0])
    assert tab.run("""(() => {
      const {trace} = page, sums = new Map();
      for (const [, target, , , part, , after] of trace.steps) {
        if (part < 0) continue;
        const own = trace.array(part).numbers, before = sums.get(target);
        const sum = before ? own.map((x, i) => Math.fround(before[i] + x)) : own;
        sums.set(target, sum);
        const shown = trace.array(after).numbers;
        if (trace.nodes[target].outputs?.length) continue;
        if (!sum.every((x, i) => Object.is(x, shown[i]))) return trace.name(target);
      }
      return sums.size;
    })()""") > 10


def test_the_page_of_an_error_begins_where_it_was_raised(show):
    with learn.record():
        x = tt.tensor([1.0, 2.0], requires_grad=True)
        y = x.exp()
        loss = (y * y).sum()
    with tt.no_grad():
        y.add_(1)
    with pytest.raises(RuntimeError) as raised:
        loss.backward()
    tab = show(raised.value)
    assert tab.run("page.trace.opOf(page.trace.node(page.s))") == "mul"
    assert str(raised.value) in text(tab, "detail")
    assert "error" in text(tab, "exact")


# ---------------------------------------------------------------- where and how it is shown


def test_inside_of_a_notebook(show, browser, tmp_path):
    page = learn.debug(debugged.neuron())
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><title>notebook</title>{page._repr_html_()}")
    tab = browser.open(path.as_uri())
    inner = "document.querySelector('iframe').contentWindow"
    assert tab.run(f"{inner}.page.trace.n") == 13
    tab.run(f"{inner}.focus()")
    tab.press("End")
    assert tab.run(f"{inner}.page.s") == 19
    assert tab.requests == [] and tab.errors == []
    tab.close()


def test_dark_and_light(show):
    for dark in (False, True):
        tab = show(debugged.neuron(), dark=dark)
        color = "getComputedStyle(document.body).backgroundColor"
        first = tab.run(color)
        assert (first == "rgb(255, 255, 255)") is not dark
        tab.press("t")
        assert tab.run(color) != first


def test_text_of_a_program_is_text(show):
    value = Value(1.0, label="<img src=x onerror=alert(1)></script>")
    tab = show(value * 2, title="<b>title</b> & more")
    assert text(tab, "title") == "<b>title</b> & more"
    assert tab.run("document.querySelectorAll('img').length") == 0
    assert value.label in text(tab, "rule")


AXE = os.environ.get("AXE_CORE", "")


@pytest.mark.skipif(not Path(AXE).is_file(), reason="AXE_CORE is not the path of axe.min.js: "
                    "npm install axe-core")
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("program", ["neuron", "moons", "attention", "lstm"])
def test_accessibility(show, program, dark):
    loss = debugged.neuron() if program == "neuron" else \
        debugged.moons(500)[0] if program == "moons" else getattr(debugged, program)()[0]
    tab = show(loss, dark=dark)
    tab.run(Path(AXE).read_text() + "; 0")
    for keys in (["ArrowRight"], ["p", "ArrowRight", "ArrowRight", "b"], ["End"], ["?"]):
        tab.press(*keys)
        found = tab.run("axe.run().then((r) => r.violations.map((v) => [v.id, v.help, "
                        "...v.nodes.map((n) => n.html.slice(0, 120) + n.failureSummary)]))")
        assert found == [], (keys, found)
