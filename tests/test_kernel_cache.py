"""The cache of compiled kernels, and failures of Numba or of the cache."""

from __future__ import annotations

import errno
import logging
import sys
import warnings
from types import FunctionType
from typing import Any

import numpy
import pytest
import torch

import tinytensor
from tinytensor.arrays.dispatch import use_kernels
from tinytensor.compiled import use_compiled
from tinytensor.kernels import loops
from tinytensor.kernels.loops import Loop, Numba, loop
from tinytensor.tensors.retaining import retain_all

pytest.importorskip("numba")
from tinytensor.kernels import cache
from tinytensor.kernels.cpu import elementwise, normalization, softmax, steps

pytestmark = pytest.mark.usefixtures("kernels")
FACTOR = 2.0


@loop
def scaled(start, stop, x, out):
    for i in range(start, stop):
        out[i] = factor_of(x[i])


@loop
def factor_of(x):
    return x * FACTOR


def again(function: Any, **names: Any) -> Loop:
    """The same loop, defined as in another program, with these globals replaced."""
    function = function.function
    code = function.__code__.replace(co_firstlineno=1000, co_filename="elsewhere.py")
    made = FunctionType(code, {**function.__globals__, **names}, function.__name__)
    made.__module__ = function.__module__
    return loop(made)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache folder, used instead of all others."""
    Numba.usable()  # its check adds an entry to the cache
    monkeypatch.setattr(cache, "folders", lambda: [tmp_path])
    monkeypatch.setattr(cache, "target", lambda: tmp_path)
    monkeypatch.setattr(cache.Cache, "refused", False)
    return tmp_path


def compiled(made: Loop) -> bool:
    """Whether a call of the loop `scaled` compiles it. Also checks the result."""
    out = numpy.zeros(3)
    made(0, 3, numpy.ones(3), out)
    factor = made.function.__globals__["factor_of"].function.__globals__["FACTOR"]
    assert out.tolist() == [factor] * 3
    return sum(made.compiled._cache_misses.values()) > 0


def test_an_entry_is_valid_for_the_code_it_was_made_from(folder):
    assert compiled(again(scaled))
    assert not compiled(again(scaled))  # defined in another file
    others = {
        "a constant of what it calls": again(scaled, factor_of=again(factor_of, FACTOR=3.0)),
        "what it calls": again(scaled, factor_of=loop(lambda x: x * FACTOR * 1.0)),
        "options": Loop(again(scaled).function, {"nogil": True, "error_model": "python"}),
    }
    prints = {cache.fingerprint(made) for made in (scaled, *others.values())}
    assert len(prints) == 4
    assert compiled(others["a constant of what it calls"])
    assert compiled(again(scaled))  # each loop and signature has one entry
    assert len([f for f in folder.iterdir() if ".scaled-" in f.name]) == 1


def test_versions_are_a_part_of_the_name(folder, monkeypatch):
    assert compiled(again(scaled))
    monkeypatch.setattr(cache, "VERSIONS", ("another",))
    assert compiled(again(scaled))


@pytest.mark.parametrize("damage", [
    lambda content: content[:len(content) // 2], lambda content: b"",
    lambda content: content[:-1] + bytes([content[-1] ^ 1]), lambda content: b"x" + content])
def test_a_damaged_entry_is_compiled_anew(folder, damage):
    compiled(again(scaled))
    for file in folder.iterdir():
        file.write_bytes(damage(file.read_bytes()))
    assert compiled(again(scaled))
    assert not compiled(again(scaled))


def test_a_full_disk_is_warned_of_once(folder, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache, "_write", full)
    with pytest.warns(RuntimeWarning, match="cannot be kept in .*No space left.*CACHE_DIR") as seen:
        assert compiled(again(scaled))
        assert compiled(again(scaled))
    assert len(seen) == 1 and not list(folder.iterdir())


def test_a_write_that_fails_leaves_no_file(folder):
    with pytest.raises(TypeError):
        cache._write(folder / "a.kernel", None)  # type: ignore[arg-type]
    assert not list(folder.iterdir())


# ---------------------------------------------------------------- failures of Numba


def not_importable(monkeypatch):
    monkeypatch.setattr(Numba, "module", None)
    monkeypatch.setitem(sys.modules, "numba", None)


def switched_off(monkeypatch):
    monkeypatch.setattr(Numba.load().config, "DISABLE_JIT", True)


def without_a_folder(monkeypatch):
    monkeypatch.setattr(cache, "folders", lambda: [cache.Path("/nowhere/at/all")])
    monkeypatch.setattr(cache, "target", lambda: None)


def with_another_numba(monkeypatch):
    monkeypatch.setattr(loops._probe, "compiled", lambda x: Numba.module.nothing)


@pytest.mark.parametrize(("trouble", "advice"), [
    (not_importable, "install versions of Numba and NumPy that go together"),
    (switched_off, "NUMBA_DISABLE_JIT is set; unset it"),
    (without_a_folder, "no folder .* is writable .*TINYTENSOR_CACHE_DIR"),
    (with_another_numba, "AttributeError.*install versions of Numba and NumPy")])
def test_numpy_computes_and_one_warning_says_what_to_do(trouble, advice, monkeypatch):
    monkeypatch.setattr(Numba, "ready", False)
    monkeypatch.setattr(Numba, "broken", False)
    trouble(monkeypatch)
    x = tinytensor.linspace(-1, 1, 5000, requires_grad=True)
    layer = tinytensor.nn.Linear(64, 64)
    optimizer = tinytensor.optim.Adam(layer.parameters(), lr=0.1)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        x.relu().sum().backward()
        layer(tinytensor.ones(128, 64)).softmax(-1).tanh().sum().backward()
        tinytensor.nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
        tinytensor.nn.functional.scaled_dot_product_attention(*[tinytensor.ones(1, 2, 30, 8)] * 3)
        optimizer.step()
    assert x.grad.sum().item() == 2500
    assert len(seen) == 1 and seen[0].filename == __file__
    with pytest.raises(RuntimeWarning, match=f"kernels are off.*{advice}"):
        raise seen[0].message


def broken(made: Loop, monkeypatch: Any) -> None:
    """Makes a loop of the package one that this version of Numba refuses."""
    code = (lambda *args: open("/dev/null").close()).__code__
    monkeypatch.setattr(made, "function", FunctionType(code, {"__name__": __name__}, made.__name__))
    monkeypatch.setattr(made, "compiled", None)
    monkeypatch.delitem(made.__dict__, "parallel", raising=False)


@pytest.mark.parametrize("compiled", [True, False])
def test_a_loop_that_does_not_compile_declines_its_kernel(compiled, monkeypatch):
    """In a forward, a rule, a joint rule, a step of an optimizer, the norm of the gradients."""
    assert Numba.usable()
    chosen = (elementwise._tanh, softmax._softmax_back, normalization._standardize_back,
              steps.adam, steps.square_sums)
    for made in chosen:
        broken(made, monkeypatch)
    monkeypatch.setattr(Numba, "warned", False)

    def train() -> Any:
        tinytensor.manual_seed(0)
        layer = tinytensor.nn.Sequential(tinytensor.nn.Linear(64, 300), tinytensor.nn.Tanh(),
                                         tinytensor.nn.LayerNorm(300), tinytensor.nn.Softmax(-1))
        optimizer = tinytensor.optim.Adam(layer.parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            layer(tinytensor.ones(128, 64)).square().sum().backward()
            tinytensor.nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
            optimizer.step()
        return torch.cat([torch.tensor(p.tolist()).flatten() for p in layer.parameters()])

    with use_compiled(compiled):
        with use_kernels(False):
            expected = train()
        with pytest.warns(RuntimeWarning, match="kernel tanh is off, and NumPy.*NumPy is") as seen:
            found = train()
    assert len(seen) == 1 and seen[0].filename == __file__
    for made in chosen:
        on_threads = vars(made).get("parallel")
        assert "refuse" in (getattr(x.compiled, "__name__", "") for x in (made, on_threads) if x)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


# ---------------------------------------------------------------- messages


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_compiled_is_reported(folder, terminal, monkeypatch, capsys):
    messages = []
    logger = logging.getLogger("tinytensor.kernels")
    monkeypatch.setattr(logger, "info", messages.append)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    made = again(elementwise._relu)
    made(0, 3, numpy.ones(3), numpy.ones(3))
    again(elementwise._relu)(0, 3, numpy.ones(3), numpy.ones(3))  # read from the cache
    assert len(messages) == 1
    assert messages[0].startswith("tinytensor: compiled the kernel relu in ")
    assert capsys.readouterr().err.count("compiled the kernel relu") == terminal


def test_a_progress_bar_is_not_written_across(monkeypatch):
    written = []

    class Bar:
        write = staticmethod(lambda text, file: written.append(text))

    monkeypatch.setitem(sys.modules, "tqdm", type("Module", (), {"tqdm": Bar}))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    Numba.say("relu", 1.25)
    assert written == ["tinytensor: compiled the kernel relu in 1.2 s"]


def test_a_recording_does_not_see_the_compiler(folder):
    seen = []

    class Watching(retain_all):
        def _see(self, frame, event, result):
            seen.append(frame.f_globals.get("__name__", ""))

    with Watching():
        assert compiled(again(scaled))
        assert sys.getprofile().__self__.__class__ is Watching
    assert "tinytensor.kernels.loops" in seen
    assert not any(name.startswith(("numba", "llvmlite")) for name in seen)
