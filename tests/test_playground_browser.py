"""The playground's pages in a real browser. Run with: python -m pytest -m browser

Needs Chromium. The live page needs npm too, which fetches Pyodide; the check of accessibility needs
axe-core: npm install axe-core, with AXE_CORE set to the path of its axe.min.js.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import chromium
import numpy
import pytest

from tinytensor.learn.packing import unpacked
from tinytensor.learn.playground import page as pages
from tinytensor.learn.playground import pyodide, recorded
from tinytensor.learn.playground.program import DATA, Session, Settings, Training

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium.program() is None, reason=chromium.INSTALL),
]
AXE = os.environ.get("AXE_CORE", "")
needs_axe = pytest.mark.skipif(not Path(AXE).is_file(), reason="AXE_CORE is not the path of "
                               "axe.min.js: npm install axe-core")
SECONDS = 300  # in which Python must have started; it takes four on an idle machine
LOSSES = "page.frames.map((frame) => frame.loss)"
FRAME = "JSON.stringify([page.frame.loss, page.frame.batch, ...['weights', 'grads', 'after']" \
        ".map((name) => [...page.frame[name]])])"


def opened(browser, path, **options):
    """A tab with a page; at the end it must have made no request, and thrown nothing."""
    tab = browser.open(path.as_uri(), **options)
    deadline = time.monotonic() + SECONDS
    while not tab.run("page.frame !== undefined"):
        assert time.monotonic() < deadline, text(tab, "status")
        time.sleep(0.05)
    yield tab
    assert [r for r in tab.requests if not r.startswith("blob:")] == [] and tab.errors == []
    assert tab.run("page.source.requests ?? []") == []
    tab.close()


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("playground") / "recording.html"
    path.write_text(pages.page(), encoding="utf-8")
    return path


@pytest.fixture
def tab(browser, recording):
    yield from opened(browser, recording)


@pytest.fixture(scope="module")
def live(browser, tmp_path_factory):
    """One tab with the live page for all tests: its Python starts once."""
    if shutil.which("npm") is None:
        pytest.skip("needs npm, which fetches Pyodide: apt-get install npm")
    path = tmp_path_factory.mktemp("playground") / "live.html"
    path.write_text(pages.page(pyodide.pyodide()), encoding="utf-8")
    yield from opened(browser, path)


@pytest.fixture
def anew(live):
    """The live page at step 0 of the first settings."""
    live.run("document.activeElement.blur()")
    live.run("page.then(() => page.open({...page.given.settings}))")
    return live


def text(tab, name):
    return tab.run(f"document.getElementById({name!r}).innerText")


def change(tab, name, value):
    tab.run(f"(() => {{ const c = document.getElementById({name!r}); c.value = {value!r}; "
            "c.dispatchEvent(new Event('change', {bubbles: true})); return page.work; })()")


def losses_of(settings, count):
    run = Training(settings)
    return [unpacked(run.step()["loss"])[0] for _ in range(count)]


# ---------------------------------------------------------------- the recording


@pytest.mark.parametrize("name", DATA)
def test_the_recording_is_that_of_both_engines(tab, name):
    settings, steps = next((s, n) for s, n in recorded.RUNS if s.data == name)
    tab.run(f"(document.querySelector('[value={name}]').click(), page.work)")
    tab.press("End")
    tab.run("page.work")
    assert text(tab, "step") == str(steps - 1)
    losses = tab.run("page.source.frames.map((frame) => frame.loss)")
    assert losses[:20] == losses_of(settings, 20)
    assert "both engines: all numbers of this step agree" in text(tab, "status")
    assert float(text(tab, "right").rstrip(" %")) >= 95  # it has learned


def test_the_recording_steps_and_rewinds(tab):
    frames = [tab.run(FRAME)]
    for _ in range(12):
        tab.press("ArrowRight")
        tab.run("page.work")
        frames.append(tab.run(FRAME))
    assert len(set(frames)) == 13
    for frame in reversed(frames[:-1]):
        tab.press("ArrowLeft")
        tab.run("page.work")
        assert tab.run(FRAME) == frame
    tab.press("Shift+ArrowRight")
    tab.run("page.work")
    assert tab.run(FRAME) == frames[10]
    tab.press("r")
    tab.run("page.work")
    assert tab.run(FRAME) == frames[0] and text(tab, "step") == "0"


def test_the_recording_says_what_it_is(tab):
    assert "This is a recording." in text(tab, "notice")
    assert "--pyodide" in tab.run("document.getElementById('notice').textContent")
    assert tab.run("[...document.querySelectorAll('.fields input, .fields select')]"
                   ".every((control) => control.disabled)")
    assert not tab.run("document.getElementById('backward').checkVisibility()")


def test_a_difference_of_the_engines_is_shown(tab):
    tab.run("page.source.frames[3].other.grads[5] = 1e-9")
    tab.run("page.go(3)")
    assert text(tab, "status") == "the engines differ by 1.0e-9"


# ---------------------------------------------------------------- hover and keys


def test_an_edge_shows_the_chain_rule_and_the_step(tab):
    tab.run("page.go(7)")
    tab.press("n", "Enter", "d")
    assert text(tab, "detail-title").lower() == "weight from input x to neuron 1 of layer 1"
    run = Training(Settings())
    frame = [run.step() for _ in range(8)][7]
    weight, gradient, after = (unpacked(frame[k])[0] for k in ("weights", "grads", "after"))
    shown = tab.run("[...document.querySelectorAll('#detail .numbers tbody tr:first-child td')]"
                    ".map((td) => Number(td.textContent.replace('−', '-')))")
    assert shown == [weight, gradient, after - weight, after]
    detail = text(tab, "detail-text")
    assert "✓ the gradient that the engine's backward gave" in detail
    assert "model.layers[0].neurons[0].w[0]" in detail
    tab.run("page.frame.grads[0] += 1e-6")
    tab.run("page.showDetail()")
    assert "The engine's backward gave" in text(tab, "detail-text")


@pytest.mark.parametrize("name", DATA)
def test_the_page_computes_what_the_engine_computes(tab, name):
    """For every parameter: the chain rule in the panel gives the gradient of the engine."""
    tab.run(f"(document.querySelector('[value={name}]').click(), page.work)")
    tab.run("page.go(30)")
    wrong = tab.run("""(() => {
      const wrong = [], {net} = page;
      let seen = 0;
      for (let layer = 0; layer < net.depth; layer++) {
        for (let j = 0; j < net.sizes[layer + 1]; j++) {
          for (let i = -1; i < net.sizes[layer]; i++, seen++) {
            const html = parameter(page, layer, j, i);
            if (!html.includes("\u2713 the gradient")) wrong.push([layer, j, i]);
          }
        }
      }
      if (seen !== net.count) wrong.push(seen);
      return wrong;
    })()""")
    assert wrong == []
    settings = next(s for s, _ in recorded.RUNS if s.data == name)
    run = Session(settings)
    frames = [run.step() for _ in range(31)]
    run.restore(frames[29])
    outputs = [z.item() for z in run.model([[x, y] for x, y, _ in run.held_out])]
    shown = tab.run("page.heldOut.map(([x, y]) => page.net.output(page.frame.weights, x, y))")
    assert numpy.allclose(shown, outputs, rtol=1e-11, atol=1e-12)


def test_the_step_of_each_optimizer_in_numbers(tab):
    """What the panel multiplies is what the step adds."""
    for name in DATA:
        tab.run(f"(document.querySelector('[value={name}]').click(), page.work)")
        tab.run("page.go(5)")
        lr, g, t, state, change = tab.run(
            "[page.frame.settings.lr, page.frame.grads[2], page.frame.times, Object.fromEntries("
            "Object.entries(page.frame.state).map(([k, v]) => [k, v[2]])),"
            "page.frame.after[2] - page.frame.weights[2]]")
        expected = -lr * state.get("momentum_buffer", g)
        if "exp_avg" in state:
            expected = -lr * state["exp_avg"] / (1 - 0.9 ** t) / (
                (state["exp_avg_sq"] / (1 - 0.999 ** t)) ** 0.5 + 1e-8)
        assert change == pytest.approx(expected, rel=1e-9)
        assert tab.run(f"update(page, 2, page.frame.settings).includes(shown({change!r}))")


def test_the_network_with_the_keyboard(tab):
    tab.press("n")
    title = "(document.activeElement.getAttribute('aria-label'))"
    names = [tab.run(title)]
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight",
                "ArrowLeft", "ArrowLeft"):
        tab.press(key)
        names.append(tab.run(title))
    assert names == [
        "weight from input x to neuron 1 of layer 1", "weight from input y to neuron 1 of layer 1",
        "neuron 1 of layer 1", "weight from neuron 1 of layer 1 to neuron 1 of layer 2",
        "neuron 1 of layer 2", "weight from neuron 1 of layer 2 to output", "output",
        "weight from neuron 1 of layer 2 to output", "neuron 1 of layer 2"]
    assert text(tab, "detail-title").lower() == names[-1] and text(tab, "step") == "0"
    tab.press(".", "Escape", "ArrowRight")
    tab.run("page.work")
    assert text(tab, "step") == "2"
    assert text(tab, "detail-title").lower() == "weight from neuron 1 of layer 2 to output"


def test_space_runs_and_pauses(tab):
    tab.press(" ")
    tab.run("new Promise((done) => { const wait = () => page.at > 3 ? done() : "
            "setTimeout(wait, 20); wait(); })")
    tab.press(" ")
    tab.run("page.work")
    at = text(tab, "step")
    assert tab.run("new Promise((done) => setTimeout(() => done(String(page.at)), 200))") == at


def test_points(tab):
    batch = sorted(tab.run("page.frame.batch"))
    tab.press("s")
    assert tab.run("page.sample") == min(i for i in [*batch, 100] if i > 0)
    assert "It is in this step's batch." in text(tab, "point-text")
    change(tab, "sample", "7")
    assert tab.run("page.sample") == 7 and "label 1" in text(tab, "point-text")


# ---------------------------------------------------------------- the live page


def test_live_losses_are_those_of_cpython_and_of_the_recording(anew):
    anew.run("page.go(30)")
    losses = anew.run(LOSSES)
    assert len(losses) == 31
    assert losses == pytest.approx(losses_of(Settings(), 31), abs=1e-12)
    stored = recorded.recording(Settings(), 31)["numbers"]["loss"]
    assert losses == pytest.approx(unpacked(stored), abs=1e-12)
    assert "Scalar engine on Python 3." in text(anew, "status")


@pytest.mark.parametrize("optimizer", ["SGD", "momentum", "Adam"])
def test_live_rewind_gives_equal_numbers(anew, optimizer):
    change(anew, "optimizer", optimizer)
    anew.run("page.go(12)")
    frames = anew.run("page.frames.map((frame) => JSON.stringify(frame.written))")
    anew.run("page.go(4)")
    assert anew.run("JSON.stringify(page.frame.written)") == frames[4]
    anew.run("page.go(12)")  # the engine goes back, and computes these steps again
    assert anew.run("page.checked") == {"same": 8, "other": 0}
    assert anew.run("page.frames.map((frame) => JSON.stringify(frame.written))") == frames
    assert "8 steps computed again: equal to the bit" in text(anew, "status")


def test_live_same_seed_gives_equal_numbers(anew):
    anew.run("page.go(10)")
    frames = anew.run("page.frames.map((frame) => JSON.stringify(frame.written))")
    anew.press("r")
    anew.run("page.work")
    anew.run("page.go(10)")
    assert anew.run("page.checked") == {"same": 11, "other": 0}
    assert anew.run("page.frames.map((frame) => JSON.stringify(frame.written))") == frames


def test_live_a_difference_is_noticed(anew):
    anew.run("page.go(3)")
    anew.run("page.frames[2].grads[0] *= 1 + 1e-15")
    anew.run("page.go(0)")
    anew.run("page.go(3)")
    assert anew.run("page.checked") == {"same": 2, "other": 1}
    assert "1 step of 3 computed again differ" in text(anew, "status")


@pytest.mark.parametrize("name", DATA)
def test_live_other_settings(anew, name):
    anew.run(f"(document.querySelector('[value={name}]').click(), page.work)")
    anew.run("page.resize([3, 3, 1])")
    for setting, value in (("noise", "0.3"), ("activation", "relu"), ("seed", "9"),
                           ("batch", "7"), ("optimizer", "Adam"), ("lr", "0.01")):
        change(anew, setting, value)
    anew.run("page.go(5)")
    settings = Settings(data=name, noise=0.3, layers=(3, 3, 1), activation="relu", seed=9,
                        batch=7, optimizer="Adam", lr=0.01)
    assert anew.run(LOSSES) == pytest.approx(losses_of(settings, 6), abs=1e-12)


def test_live_a_change_in_the_middle_of_a_run(anew):
    anew.run("page.go(6)")
    anew.run("page.go(3)")
    change(anew, "lr", "0.1")
    assert text(anew, "step") == "3" and anew.run("page.frames.length") == 4
    assert anew.run("page.before.length") == 7  # the losses before are still in the curve
    run = Training(Settings())
    before = [run.step() for _ in range(3)]
    changed = Session(Settings(lr=0.1))
    changed.restore(before[-1])
    frame = changed.step()
    assert anew.run("[...page.frame.after]") == pytest.approx(unpacked(frame["after"]), abs=1e-12)


def test_live_opens_the_backward_of_a_point(anew):
    anew.run("page.go(2)")
    change(anew, "sample", "4")
    anew.run("page.openBackward()")
    inner = "document.getElementById('frame').contentWindow"
    anew.run(f"new Promise((done) => {{ const wait = () => {inner}.page?.trace ? done() : "
             "setTimeout(wait, 20); wait(); })")
    assert anew.run(f"{inner}.document.getElementById('exact').innerText").endswith("to the bit")
    loss = anew.run(f"{inner}.page.trace.data[{inner}.page.trace.root]")
    assert loss == pytest.approx(anew.run("lossOf(page.net.output(page.frame.weights, "
                                          "...page.points[4].slice(0, 2)), page.points[4][2])"))
    assert "point 4 at step 2" in text(anew, "debugger-title")
    anew.run("document.getElementById('debugger').close()")


# ---------------------------------------------------------------- what anybody can use


@needs_axe
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1400, 390])
def test_accessibility_of_the_recording(browser, recording, dark, width):
    for tab in opened(browser, recording, dark=dark, width=width):
        check(tab)


@needs_axe
def test_accessibility_of_the_live_page(anew):
    check(anew)


def check(tab):
    tab.run(Path(AXE).read_text() + "; 0")
    for keys in ([], ["n", "ArrowRight", "Enter"], ["Escape", "e", "s"], ["?"]):
        tab.press(*keys)
        found = tab.run("axe.run().then((r) => r.violations.map((v) => [v.id, v.help, "
                        "...v.nodes.map((n) => n.html.slice(0, 120) + n.failureSummary)]))")
        assert found == [], (keys, found)
    tab.press("?")


def test_dark_and_light(browser, recording):
    for dark in (False, True):
        for tab in opened(browser, recording, dark=dark):
            color = "getComputedStyle(document.body).backgroundColor"
            first = tab.run(color)
            assert (first == "rgb(255, 255, 255)") is not dark
            tab.press("t")
            assert tab.run(color) != first


@pytest.mark.parametrize("width", [390, 800, 1400])
def test_nothing_is_cut_off(browser, recording, width):
    for tab in opened(browser, recording, width=width):
        assert tab.run("document.documentElement.scrollWidth") <= width


def test_tab_reaches_every_control(tab):
    reached = set()
    for _ in range(40):
        tab.press("Tab")
        reached.add(tab.run("(({id, dataset, name}) => id || dataset?.key || dataset?.item "
                            "|| name)(document.activeElement)"))
    assert {"digits", "theme", "help", "Home", "ArrowLeft", "play", "ArrowRight", "End", "again",
            "speed", "bar", "data", "shown", "w:0:0:0", "detail", "sample", "s"} <= reached
