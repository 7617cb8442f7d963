"""Files: round trips, exchange with PyTorch through safetensors, damage, crashes."""

from __future__ import annotations

import copy
import fcntl
import gzip
import io
import json
import math
import os
import pickle
import random
import stat
import struct
import sys
import threading
import warnings
from collections import OrderedDict
from typing import Any

import numpy
import pytest
import safetensors
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import tinytensor
from tinytensor import load, nn, optim, save

files = sys.modules["tinytensor.tensors.files"]
safetensors_file = sys.modules["tinytensor.tensors.safetensors"]
replacing = sys.modules["tinytensor.tensors.replacing"]
DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]


def same(a: Any, b: Any) -> bool:
    """Whether two objects are equal to the bit. Types must match, but any dict matches a dict."""
    if isinstance(a, tinytensor.Tensor):
        return (isinstance(b, tinytensor.Tensor) and a.dtype is b.dtype and a.shape == b.shape
                and a.detach().numpy().tobytes() == b.detach().numpy().tobytes())
    if isinstance(a, dict):
        return isinstance(b, dict) and len(a) == len(b) and all(
            same(k, m) and same(v, w)
            for (k, v), (m, w) in zip(a.items(), b.items(), strict=True))
    if type(a) is not type(b):
        return False
    if isinstance(a, numpy.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return struct.pack("<d", a) == struct.pack("<d", b) if isinstance(a, float) else a == b


def array_of(dtype: str, *shape: int) -> Any:
    values = numpy.random.default_rng(5).integers(0, 2 if dtype == "bool" else 100, shape)
    return numpy.asarray(values).astype(dtype)


def checkpoint() -> dict[str, Any]:
    """What a training program saves."""
    tinytensor.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    optimizer = optim.AdamW(model.parameters(), lr=0.1, betas=(0.8, 0.99))
    model(tinytensor.randn(5, 3)).sum().backward()
    optimizer.step()
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3,
            "rng": tinytensor.get_rng_state(), "losses": [0.1, 1e-300, math.inf], "best": None,
            "name": "näme\n\"\\", "done": False, "shape": (2, (3, 4.0))}


# ---------------------------------------------------------------- round trips


def test_checkpoint(tmp_path: Any) -> None:
    saved = checkpoint()
    save(saved, tmp_path / "c.safetensors")
    loaded = load(tmp_path / "c.safetensors", map_location="cpu")
    assert same(saved, loaded)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    model.load_state_dict(loaded["model"])
    optimizer = optim.AdamW(model.parameters())
    optimizer.load_state_dict(loaded["optimizer"])
    assert same(optimizer.state_dict(), saved["optimizer"])
    tinytensor.set_rng_state(loaded["rng"])


leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-2**130, 2**130), st.floats(), st.text(max_size=4),
    st.sampled_from(DTYPES).flatmap(lambda d: st.builds(
        lambda *shape: tinytensor.tensor(array_of(d, *shape)), st.integers(0, 2),
        st.integers(1, 3))),
    st.sampled_from([*DTYPES, "uint16", "uint32", "uint64"]).flatmap(lambda d: st.builds(
        lambda *shape: array_of(d, *shape), st.integers(0, 2), st.integers(1, 3))))
keys = st.one_of(st.text(max_size=3), st.integers(), st.none(), st.booleans(),
                 st.tuples(st.integers(), st.text(max_size=2)))
trees = st.recursive(leaves, lambda inner: st.one_of(
    st.lists(inner, max_size=3), st.lists(inner, max_size=3).map(tuple),
    st.dictionaries(keys, inner, max_size=3)), max_leaves=10)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(trees)
def test_any_plain_data(tree: Any) -> None:
    file = io.BytesIO()
    save(tree, file)
    file.seek(0)
    assert same(tree, load(file))


def test_what_a_program_with_numpy_keeps(tmp_path: Any) -> None:
    """NumPy's generator states, numbers and arrays. One array shares memory with a Tensor."""
    rng = numpy.random.RandomState(3)
    weight = numpy.ones((2, 3), numpy.float32)
    save({"numpy": rng.get_state(), "best": numpy.float32(0.5), "steps": {numpy.int64(7): 1},
          "ok": numpy.bool_(True), "weight": weight, "same": tinytensor.from_numpy(weight),
          "turned": weight.T}, tmp_path / "f")
    loaded = load(tmp_path / "f")
    expected = rng.standard_normal(3)
    rng.seed(0)
    rng.set_state(loaded["numpy"])
    assert (rng.standard_normal(3) == expected).all()
    assert type(loaded["best"]) is float and loaded["best"] == 0.5 and loaded["ok"] is True
    assert loaded["steps"] == {7: 1} and loaded["turned"].shape == (3, 2)
    loaded["weight"][0, 0] = 9
    assert loaded["same"][0, 0] == 9


@settings(deadline=None, max_examples=25, derandomize=True)
@given(st.dictionaries(st.text(max_size=5), leaves, max_size=4))
def test_names_that_collide(content: dict[str, Any]) -> None:
    """Different paths with the same text, and names that the format reserves."""
    t = tinytensor.ones(1)
    tree = {**content, "a.b": t * 1, "a": {"b": t * 2}, "__metadata__": t * 3, "": t * 4,
            "a.b#2": t * 5, 1: t * 6, "1": t * 7}
    file = io.BytesIO()
    save(tree, file)
    assert same(tree, load(io.BytesIO(file.getvalue())))


@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts(dtype: str) -> None:
    """Non-contiguous Tensors are written in the order of their dims."""
    base = tinytensor.tensor(array_of(dtype, 4, 6))
    views = {"transposed": base.t(), "strided": base[::2, 1::3], "row": base[1],
             "column": base[:, 2], "scalar": base[0, 0], "expanded": base[:1].expand(5, 6),
             "empty": base[:0], "reversed": tinytensor.from_numpy(base.numpy()[::-1])}
    file = io.BytesIO()
    save(views, file)
    loaded = load(io.BytesIO(file.getvalue()))
    reference = safetensors.torch.load(file.getvalue())
    assert list(loaded) == list(views) and reference.keys() == views.keys()
    for name, view in views.items():
        assert same(view, loaded[name])
        numpy.testing.assert_array_equal(reference[name].numpy(), view.numpy(), strict=True)


def test_tied_tensors_are_stored_once_and_tied_again(tmp_path: Any) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.head = nn.Embedding(50, 8), nn.Linear(8, 50, bias=False)
            self.head.weight = self.embedding.weight

    model, path = Tied(), tmp_path / "tied.safetensors"
    save(model.state_dict(), path)
    assert path.stat().st_size < 50 * 8 * 4 + 1000
    loaded = load(path)
    assert list(loaded) == ["embedding.weight", "head.weight"]
    assert loaded["embedding.weight"] is loaded["head.weight"]
    assert same(loaded["head.weight"], model.head.weight)
    w = tinytensor.ones(2, 2)
    save([w, w.detach(), w.clone()], path)
    a, b, other = load(path)
    assert a is b and other.data_ptr() != a.data_ptr()


def again(lib: Any, obj: Any, **options: Any) -> Any:
    file = io.BytesIO()
    lib.save(obj, file)
    file.seek(0)
    return lib.load(file, **options)


def leaves_of(lib: Any) -> Any:
    frozen = lib.nn.Parameter(lib.ones(2), requires_grad=False)
    leaf = lib.ones(3, requires_grad=True)
    return {"parameter": lib.nn.Parameter(lib.zeros(2)), "frozen": frozen, "leaf": leaf,
            "computed": leaf * 2, "buffer": lib.nn.Buffer(lib.ones(1)), "plain": lib.ones(1),
            "again": frozen, "int": lib.arange(3)}


def test_leaves_and_parameters_stay_what_they_are() -> None:
    described = [
        [(name, t.requires_grad, t.is_leaf, isinstance(t, lib.nn.Parameter), t.tolist())
         for name, t in again(lib, leaves_of(lib)).items()] for lib in (torch, tinytensor)]
    assert described[0] == described[1]
    loaded = again(tinytensor, leaves_of(tinytensor))
    assert loaded["frozen"] is loaded["again"]
    loaded["frozen"].add_(1)
    assert loaded["parameter"].tolist() == [0.0, 0.0]
    weight = nn.Parameter(tinytensor.ones(2))
    parameter, values = again(tinytensor, [weight, weight.detach()])
    values[0] = 5  # the Parameter and the Tensor share memory
    assert parameter.tolist() == [5.0, 1.0] and not values.requires_grad


def test_ordered_dicts_and_their_metadata() -> None:
    for lib in (torch, tinytensor):
        state = again(lib, {"model": lib.nn.BatchNorm1d(2).state_dict(), "plain": {"a": 1}})
        assert type(state["model"]) is OrderedDict and type(state["plain"]) is dict
        assert state["model"]._metadata == {"": {"version": 2}}
        alone = again(lib, lib.nn.Linear(1, 1).state_dict())
        assert type(alone) is OrderedDict and alone._metadata[""] == {"version": 1}
        assert type(again(lib, OrderedDict(b=lib.ones(1), a=2))) is OrderedDict


VIEWS: dict[str, Any] = {
    "a row": lambda lib, x: [x, x[1]],
    "the row first": lambda lib, x: [x[1], x],
    "transposed": lambda lib, x: [x, x.t(), x[:, 1]],
    "expanded": lambda lib, x: [x, x[0].expand(5, 3), x[:1].expand(2, 3)],
    "pieces that overlap": lambda lib, x: [x.reshape(6)[:4], x.reshape(6)[2:]],
    "windows": lambda lib, x: [x, x.reshape(6).unfold(0, 2, 1)],
    "in dicts, with a Parameter":
        lambda lib, x: {"p": lib.nn.Parameter(x), "v": (x[:1], [x[0, 1:]])},
    "in float64": lambda lib, x: [x.double(), x.double(), *[(y, y[0]) for y in [x.double()]]],
}


@pytest.mark.parametrize("kind", VIEWS)
@pytest.mark.parametrize("way", ["file", "deepcopy"])
def test_views_share_memory_again(kind: str, way: str) -> None:
    """A write into the first view changes the same elements of the others as in PyTorch."""
    results = []
    for lib in (torch, tinytensor):
        views = VIEWS[kind](lib, lib.arange(6.0).reshape(2, 3))
        if way == "deepcopy" and isinstance(views, dict):
            views = views["v"]  # a deepcopy of a Parameter shares no memory, as in PyTorch
        views = again(lib, views) if way == "file" else copy.deepcopy(views)
        flat = list(tensors_in(views))
        with lib.no_grad():
            flat[0].view(-1)[:3] = 77
        results.append([t.tolist() for t in flat])
    assert results[0] == results[1]


def tensors_in(tree: Any) -> Any:
    if isinstance(tree, list | tuple | dict):
        for item in tree.values() if isinstance(tree, dict) else tree:
            yield from tensors_in(item)
    else:
        yield tree


def test_other_programs_see_views_under_their_names(tmp_path: Any) -> None:
    x = tinytensor.arange(6.0).reshape(2, 3)
    save({"x": x, "row": x[1], "turned": x.t()}, tmp_path / "f")
    theirs = safetensors.torch.load_file(tmp_path / "f")
    assert theirs["row"].tolist() == [3, 4, 5] and theirs["turned"].shape == (3, 2)


def test_pieces_of_one_memory_that_have_nothing_in_common(tmp_path: Any) -> None:
    """Two columns of a large matrix are saved as columns. PyTorch would save the matrix."""
    matrix = tinytensor.zeros(1000, 100)
    save([matrix[:, 0], matrix[:, 50]], tmp_path / "f")
    assert (tmp_path / "f").stat().st_size < 10_000
    loaded = load(tmp_path / "f")
    assert [t.shape for t in loaded] == [(1000,), (1000,)] and loaded[0].is_contiguous()
    with pytest.warns(UserWarning, match=r"'\d' and '\d' share elements .* saved apart") as caught:
        save([matrix[:, 0], matrix[0]], tmp_path / "f")
    assert caught[0].filename == __file__
    assert load(tmp_path / "f")[1].shape == (100,)


def test_views_of_arrays_and_tensors(tmp_path: Any) -> None:
    array = numpy.arange(6, dtype=numpy.uint16)
    save({"all": array, "part": array[1:3], "int": array.view("int16")[2:]}, tmp_path / "f")
    loaded = load(tmp_path / "f")
    loaded["all"][2] = 99
    assert loaded["part"].tolist() == [1, 99] and loaded["int"].tolist()[0] == 99


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool", "uint8", "float16"])
def test_loaded_arrays_have_numpys_own_dtype(dtype: str, tmp_path: Any) -> None:
    """The dtype is NumPy's own object, not an equal one, so identity checks give the same."""
    save([tinytensor.zeros(3, dtype=getattr(tinytensor, dtype))], tmp_path / "f")
    assert load(tmp_path / "f")[0].numpy().dtype is numpy.dtype(dtype)


def test_one_tensor_alone_and_no_tensor(tmp_path: Any) -> None:
    for content in (tinytensor.ones(2), {}, [], {"a": 1}, 3, None, {"a": tinytensor.zeros(0)}):
        save(content, tmp_path / "f")
        assert same(load(tmp_path / "f"), content)


def test_shared_containers_may_stand_in_several_places(tmp_path: Any) -> None:
    part = [1, 2]
    save({"a": part, "b": part}, tmp_path / "f")
    assert load(tmp_path / "f") == {"a": [1, 2], "b": [1, 2]}


# ---------------------------------------------------------------- other programs


def test_pytorch_reads_what_is_saved_here(tmp_path: Any) -> None:
    tinytensor.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    save(model.state_dict(), tmp_path / "m.safetensors")
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    theirs.load_state_dict(safetensors.torch.load_file(tmp_path / "m.safetensors"))
    safetensors.torch.load_model(theirs, tmp_path / "m.safetensors")
    x = numpy.ones((2, 3), numpy.float32)
    numpy.testing.assert_allclose(model(tinytensor.tensor(x)).detach().numpy(),
                                  theirs(torch.tensor(x)).detach().numpy(), 1e-6, 1e-6)


def test_other_programs_see_the_tensors_of_a_checkpoint(tmp_path: Any) -> None:
    saved = checkpoint()
    save(saved, tmp_path / "c.safetensors")
    with safetensors.safe_open(tmp_path / "c.safetensors", "np") as f:
        assert f.metadata()["format"] == "pt"
        for name, value in saved["model"].items():
            numpy.testing.assert_array_equal(f.get_tensor(f"model.{name}"), value.numpy())
        assert "optimizer.state.0.exp_avg" in f.keys()


@pytest.mark.parametrize("library", ["torch", "numpy"])
def test_files_of_the_safetensors_library(library: str, tmp_path: Any) -> None:
    arrays = {f"{dtype}.{i}": array_of(dtype, *shape) for dtype in DTYPES
              for i, shape in enumerate([(), (3,), (2, 3), (0, 2)])}
    path = tmp_path / "t.safetensors"
    if library == "torch":
        content = {name: torch.tensor(a) for name, a in arrays.items()}
        safetensors.torch.save_file(content, path, metadata={"note": "x"})
    else:
        safetensors.numpy.save_file(arrays, path)
    loaded = load(path)
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        numpy.testing.assert_array_equal(loaded[name].numpy(), array, strict=True)


def test_rewritten_by_the_library_with_its_metadata(tmp_path: Any) -> None:
    """The checksum does not depend on the order of the Tensors in the file."""
    saved = checkpoint()
    save(saved, tmp_path / "a")
    with safetensors.safe_open(tmp_path / "a", "pt") as f:
        tensors, metadata = {k: f.get_tensor(k) for k in f.keys()}, f.metadata()
    safetensors.torch.save_file(tensors, tmp_path / "b", metadata=metadata)
    loaded = load(tmp_path / "b")
    assert same(loaded["optimizer"], saved["optimizer"]) and same(loaded["shape"], saved["shape"])


def test_dtypes_that_tensors_do_not_have(tmp_path: Any) -> None:
    safetensors.torch.save_file({"x": torch.ones(2, dtype=torch.uint16)}, tmp_path / "f")
    with pytest.raises(RuntimeError, match=r"f: 'x' has the dtype U16"):
        load(tmp_path / "f")


# ---------------------------------------------------------------- refused content


def other_files() -> dict[str, bytes]:
    numpys, npz = io.BytesIO(), io.BytesIO()
    numpy.save(numpys, numpy.ones(2))
    numpy.savez(npz, x=numpy.ones(2))
    return {"npz": npz.getvalue(),
            "NumPy": numpys.getvalue(), "gzip": gzip.compress(b"x" * 1000, mtime=0),
            "small pickle": pickle.dumps(1), "text": b"hello, this is just some text" * 10,
            "empty": b"", "short": b"\x08\0\0"}


@pytest.mark.parametrize(("kind", "content"), other_files().items(), ids=list(other_files()))
def test_other_formats_are_refused(kind: str, content: bytes, tmp_path: Any) -> None:
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(RuntimeError, match=r"model\.pt: ") as caught:
        load(tmp_path / "model.pt")
    if kind in ("npz", "small pickle"):
        assert ("zip" if kind == "npz" else "pickle") in str(caught.value)


class Trap:
    def __reduce__(self) -> Any:
        return os.mkdir, ("trapped",)


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_is_unpickled(protocol: int, tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f").write_bytes(pickle.dumps([Trap()] * 40, protocol))
    with pytest.raises(RuntimeError):
        load(tmp_path / "f")
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize(("content", "error", "message"), [
    (nn.Linear(1, 1), TypeError, r"obj is a Linear\. Save its state_dict\(\)"),
    ({"a": [1, nn.Linear(1, 1)]}, TypeError, r"obj\['a'\]\[1\] is a Linear"),
    ({"a": {1, 2}}, TypeError, r"obj\['a'\] is a set"),
    ({"a": numpy.ones(2, complex)}, TypeError, r"obj\['a'\] has the dtype complex128"),
    ({"a": numpy.array([{}])}, TypeError, r"obj\['a'\] has the dtype object"),
    ({"a": numpy.ma.masked_array([1, 2], [True, False])}, TypeError, "is a MaskedArray"),
    ({"a": numpy.complex64(2)}, TypeError, "complex"),
    ({"a": 1j}, TypeError, "complex"),
    ({"a": print}, TypeError, "function"),
    ({nn.Linear: 1}, TypeError, "key"),
    ({(1, nn.Linear): 1}, TypeError, "key"),
    ({b"a": 1}, TypeError, "key"),
])
def test_what_is_no_plain_data_is_refused(content: Any, error: Any, message: str,
                                          tmp_path: Any) -> None:
    with pytest.raises(error, match=message):
        save(content, tmp_path / "f")
    assert os.listdir(tmp_path) == []


def test_containers_in_themselves_are_refused(tmp_path: Any) -> None:
    content: dict[str, Any] = {"a": []}
    content["a"].append(content)
    with pytest.raises(ValueError, match=r"obj\['a'\]\[0\] contains itself"):
        save(content, tmp_path / "f")


def test_too_much_plain_data_is_refused(tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(safetensors_file, "HEADER_LIMIT", 1000)
    (tmp_path / "f").write_bytes(b"before")
    with pytest.raises(ValueError, match="store large data as Tensors"):
        save({"a": "x" * 1000}, tmp_path / "f")
    assert os.listdir(tmp_path) == ["f"] and (tmp_path / "f").read_bytes() == b"before"


# ---------------------------------------------------------------- damage


def packed(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype: Any = "F32", shape: Any = (1,), offsets: Any = (0, 4)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(("content", "message"), [
    ((1 << 40).to_bytes(8, "little") + b"{}", "announce a header"),
    (packed({})[:-1], "announce a header"),
    (packed(b"[]"), "no header follows"),
    (packed(b"{]"), "not JSON"),
    (packed(b'{"\xff": 1}'), "not JSON"),
    (packed(b'{"a": ' * 10_000), "not JSON"),
    (packed(b'{"x": 1, "x": 1}'), "twice"),
    (packed({"x": 1}), "must have dtype"),
    (packed({"x": {"dtype": "F32"}}), "must have dtype"),
    (packed({"x": {**entry(), "more": 1}}), "must have dtype"),
    (packed({"x": entry(dtype="X32")}, b"1234"), "dtype X32"),
    (packed({"x": entry(dtype=None)}, b"1234"), "dtype None"),
    (packed({"x": entry(dtype=["F32"])}, b"1234"), "dtype"),
    (packed({"x": entry(shape=[-1])}, b"1234"), r"shape \[-1\]"),
    (packed({"x": entry(shape=[True])}, b"1234"), r"shape \[True\]"),
    (packed({"x": entry(shape=[1.0])}, b"1234"), r"shape \[1.0\]"),
    (packed({"x": entry(shape=1)}, b"1234"), "shape 1"),
    (packed({"x": entry(shape=[2])}, b"1234"), "needs 8 bytes"),
    (packed({"x": entry(shape=[1] * 65)}, b"1234"), "65 dims; NumPy allows 64"),
    (packed({"x": entry(shape=[0, 2**70], offsets=[0, 0])}), "1180591620717411303424"),
    (packed({"x": entry(offsets=[2**70, 2**70 + 4])}, b"1234"), "1180591620717411303424"),
    (packed({"x": entry(shape=[2**62] * 40)}, b"1234"), "needs 1"),
    (packed({"x": entry(shape=[0, 2**62], offsets=[0, 0])}), "4611686018427387904"),
    (packed({"x" * 5000: entry(shape=[2])}, b"1234"), r"\(5000 characters\)"),
    (packed({"x": entry(offsets=[4, 0])}, b"1234"), "span -4"),
    (packed({"x": entry(offsets=[0])}, b"1234"), "offsets"),
    (packed({"x": entry(offsets=[4, 8])}, b"12345678"), "gap"),
    (packed({"x": entry(), "y": entry()}, b"1234"), "overlaps"),
    (packed({"x": entry(shape=[2], offsets=[0, 8]), "y": entry(offsets=[4, 8])}, b"12345678"),
     "overlaps"),
    (packed({"x": entry()}, b"123"), "cut off: its header announces 4 bytes"),
    (packed({"x": entry()}, b"12345"), "1 bytes follow"),
    (packed({"x": entry("BOOL", [4])}, b"\0\1\2\0"), "neither 0 nor 1"),
    (packed({"__metadata__": []}), "__metadata__"),
    (packed({"__metadata__": {"a": 1}}), "__metadata__"),
    (packed({"__metadata__": {"tinytensor.version": "1"}}), "not JSON"),
    (packed({"__metadata__": {"tinytensor": "{}"}}), "incomplete"),
    (packed({"__metadata__": {"tinytensor.version": "3", "tinytensor": "{}"}}), "version '3'"),
    (packed({"__metadata__": {"tinytensor.version": "2", "tinytensor": "{}"}}), "incomplete"),
    (packed({"__metadata__": {"tinytensor.version": "1", "tinytensor": "[]"}}), "incomplete"),
    (packed({"__metadata__": {"tinytensor.version": "1",
                              "tinytensor": '{"crc32": 0, "tree": 1}'}}), "checksum"),
])
def test_every_fault_of_a_header_is_named(content: bytes, message: str, tmp_path: Any) -> None:
    (tmp_path / "f.safetensors").write_bytes(content)
    with pytest.raises(RuntimeError, match=rf"f\.safetensors: .*{message}"):
        load(tmp_path / "f.safetensors")


def made_up(**structure: Any) -> bytes:
    """A file of version 2 with this structure, a Tensor x of four bytes and a right checksum."""
    array = numpy.zeros(4, numpy.uint8)
    text = json.dumps({"tree": None, "shared": [], "devices": {}, **structure})
    return packed({"__metadata__": {
        "tinytensor.version": "2", "tinytensor": text,
        "tinytensor.crc32": str(files._checksum({"x": array}, text))},
        "x": entry("U8", [4])}, array.tobytes())


@pytest.mark.parametrize("structure", [
    {"tree": {"tensor": "absent"}}, {"tree": {"tensor": 1}}, {"tree": {"tensor": []}},
    {"tree": {"what": 1}}, {"tree": {}}, {"tree": {"a": 1, "b": 2}}, {"tree": {"tuple": 1}},
    {"tree": {"dict": [1]}}, {"tree": {"dict": [[], 1]}}, {"tree": {"dict": 1}},
    {"tree": {"float": "x"}}, {"tree": {"float": None}}, {"tree": {"leaf": "x"}},
    {"tree": {"parameter": "x"}}, {"tree": {"parameter": ["x", True]}},
    {"tree": {"ordered": []}}, {"tree": {"flat ordered": {"what": 1}}},
    {"shared": 1}, {"shared": [[4, []]]}, {"shared": [[4, [["y", 0, [1]]]]]},
    {"shared": [[4, [["x", 1, [1]]]]]}, {"shared": [[4, [["x", -1, [1]]]]]},
    {"shared": [[4, [["x", 0, [-1]]]]]}, {"shared": [[4, [["x", 0, [2]]]]]},
    {"shared": [[4, [["x", 0, [1, 1]]]]]}, {"shared": [[10**9, [["x", 0, [1]]]]]},
    {"shared": [[2**70, [["x", 0, [2**69]]]]]}, {"shared": [[4.0, [["x", 0, [1]]]]]},
    {"shared": [[4, [["x", 0, [1]], ["x", 0, [1]]]]]}, {"shared": [[4, [[["x"], 0, [1]]]]]},
    {"shared": {"a": 1}}, {"devices": []},
], ids=repr)
def test_structures_that_are_made_up(structure: Any, tmp_path: Any) -> None:
    """Invalid structures are refused even if the checksum is right."""
    (tmp_path / "f").write_bytes(made_up(**structure))
    with pytest.raises(RuntimeError, match="f: damaged: its structure cannot be read"):
        load(tmp_path / "f")


def test_files_of_version_1(tmp_path: Any) -> None:
    """Files of tinytensor 0.1.0 are read."""
    def written(tree: Any) -> bytes:
        array = numpy.arange(4, dtype=numpy.uint8)
        text = json.dumps(tree, separators=(",", ":"))
        ours = {"crc32": files._checksum({"x": array}, text), "tree": tree}
        return packed({"__metadata__": {"format": "pt", "tinytensor.version": "1",
                                        "tinytensor": json.dumps(ours)},
                       "x": entry("U8", [4])}, array.tobytes())

    for tree, kind in (({"flat": True}, dict), ({"dict": [["x", {"tensor": "x"}]]}, dict)):
        (tmp_path / "f").write_bytes(written(tree))
        loaded = load(tmp_path / "f")
        assert type(loaded) is kind and loaded["x"].tolist() == [0, 1, 2, 3]
    (tmp_path / "f").write_bytes(written({"dict": [[{"tuple": [1, "a"]}, {"float": "inf"}]]}))
    assert load(tmp_path / "f") == {(1, "a"): math.inf}


def saved_bytes() -> tuple[Any, bytes]:
    w = tinytensor.arange(6).reshape(2, 3)
    content = {"w": w, "row": w[1], "flag": tinytensor.tensor([True, False]),
               "nested": [tinytensor.ones(2, dtype=tinytensor.float64), (1, "text", 0.5)]}
    file = io.BytesIO()
    save(content, file)
    return content, file.getvalue()


def loads_right_or_not_at_all(content: Any, damaged: bytes, path: Any) -> bool:
    """Whether the file was refused. A wrong result, or another error, fails the test."""
    path.write_bytes(damaged)
    try:
        loaded = load(path)
    except RuntimeError as error:
        assert str(path) in str(error)
        return True
    assert same(content, loaded)
    return False


def test_every_truncation_is_noticed(tmp_path: Any) -> None:
    content, whole = saved_bytes()
    for length in range(len(whole)):
        assert loads_right_or_not_at_all(content, whole[:length], tmp_path / "f")
    assert loads_right_or_not_at_all(content, whole + b"\0", tmp_path / "f")


def test_every_changed_byte_is_noticed(tmp_path: Any) -> None:
    """The exceptions have no meaning: the padding of the header, and the word for the format."""
    content, whole = saved_bytes()
    chance = random.Random(0)
    refused = [loads_right_or_not_at_all(
        content, whole[:i] + bytes([whole[i] ^ chance.randrange(1, 256)]) + whole[i + 1:],
        tmp_path / "f") for i in range(len(whole))]
    assert refused.count(False) <= len('"format":"pt"') + 7
    end_of_header = 8 + int.from_bytes(whole[:8], "little")
    assert all(refused[:8]) and all(refused[end_of_header:])


def test_random_damage_is_noticed(tmp_path: Any) -> None:
    content, whole = saved_bytes()
    chance = random.Random(1)
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            start = chance.randrange(len(damaged))
            match chance.randrange(4):
                case 0:
                    damaged[start] = chance.randrange(256)
                case 1:
                    del damaged[start:start + chance.randrange(1, 20)]
                case 2:
                    damaged[start:start] = chance.randbytes(chance.randrange(1, 20))
                case _:
                    damaged[start:start + 8] = damaged[:8]
        loads_right_or_not_at_all(content, bytes(damaged), tmp_path / "f")


def test_random_damage_of_other_programs_files_never_crashes(tmp_path: Any) -> None:
    """Files of other programs have no checksum, so values may be wrong, but nothing else."""
    whole = safetensors.torch.save({"a": torch.ones(2, 2), "b": torch.arange(3)})
    chance, refused = random.Random(2), 0
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        (tmp_path / "f").write_bytes(damaged)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                loaded = load(tmp_path / "f")
        except RuntimeError as error:
            assert str(tmp_path / "f") in str(error)
            refused += 1
        else:
            assert sorted(t.numel() for t in loaded.values()) == [3, 4]
    assert refused > 50


# ---------------------------------------------------------------- crashes while writing


class FullDisk:
    """A file that fails after some bytes."""

    def __init__(self, file: Any, room: int, error: BaseException):
        self.file, self.room, self.error = file, room, error

    def write(self, data: Any) -> int:
        self.room -= len(data)
        if self.room < 0:
            self.file.write(bytes(data)[:self.room])
            raise self.error
        return self.file.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("room", [0, 8, 100, 1000])
def test_a_crash_leaves_the_earlier_file(room: int, error: Any, tmp_path: Any,
                                         monkeypatch: Any) -> None:
    path = tmp_path / "model.safetensors"
    save({"w": tinytensor.ones(3)}, path)
    before = path.read_bytes()
    monkeypatch.setattr(replacing, "open", lambda *a, **k: FullDisk(open(*a, **k), room, error),
                        raising=False)
    with pytest.raises(type(error)):
        save({"w": tinytensor.zeros(1000)}, path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["model.safetensors"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_at_the_end_leaves_the_earlier_file(step: str, tmp_path: Any,
                                                      monkeypatch: Any) -> None:
    path = tmp_path / "model.safetensors"
    save(1, path)

    def fail(*args: Any) -> None:
        raise OSError("no")

    monkeypatch.setattr(replacing.os, step, fail)
    with pytest.raises(OSError, match="no"):
        save(2, path)
    monkeypatch.undo()
    assert load(path) == 1 and os.listdir(tmp_path) == ["model.safetensors"]


@pytest.mark.parametrize("named", [False, True])
def test_all_is_on_the_disk_before_it_takes_the_name(named: bool, tmp_path: Any,
                                                     monkeypatch: Any) -> None:
    """The file is synced before it is renamed, and the folder before save returns."""
    if named:
        monkeypatch.setattr(replacing, "_can_name", lambda *a: False)
    calls: list[str] = []
    sync, replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        calls.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    monkeypatch.setattr(replacing.os, "fsync", fsync)
    monkeypatch.setattr(replacing.os, "replace", lambda *a: (calls.append("rename"), replace(*a)))
    for value in range(2):
        calls.clear()
        save({"w": tinytensor.full((3,), value)}, tmp_path / "f")
        assert calls == ["file", "rename", "folder"] and os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize("named", [False, True])
def test_nobody_reads_the_content_meanwhile(named: bool, tmp_path: Any, monkeypatch: Any) -> None:
    """The temporary file is never more readable than the file, and the file's mode is kept."""
    if named:
        monkeypatch.setattr(replacing, "_can_name", lambda *a: False)
    path, modes = tmp_path / "f", set()
    save(1, path)
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    original = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            modes.add(stat.S_IMODE(os.fstat(descriptor).st_mode))
        original(descriptor)

    class Watched(FullDisk):
        def write(self, data: Any) -> int:
            modes.add(stat.S_IMODE(os.fstat(self.file.fileno()).st_mode))
            return self.file.write(data)

    path.chmod(0o600)
    with monkeypatch.context() as patch:
        patch.setattr(replacing.os, "fsync", fsync)
        patch.setattr(replacing, "open", lambda *a, **k: Watched(open(*a, **k), 0, OSError()),
                      raising=False)
        save({"w": tinytensor.ones(5)}, path)
    assert modes == {0o600} and stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    save(2, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_the_owner_stays_where_the_process_may_set_it(tmp_path: Any, monkeypatch: Any) -> None:
    path, asked = tmp_path / "f", []
    save(1, path)
    path.chmod(0o664)
    real = os.stat(path)
    other = os.stat_result((*real[:4], real.st_uid + 1, real.st_gid + 1, *real[6:10]))

    def refuse(descriptor: int, *ids: int) -> None:
        asked.append(ids)
        raise PermissionError

    monkeypatch.setattr(replacing.os, "fchown", refuse)
    with replacing.replaced(str(path), other) as file:
        file.write(b"x")
    assert asked == [(real.st_uid + 1, real.st_gid + 1), (-1, real.st_gid + 1)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o604  # no access for members of another group
    monkeypatch.setattr(replacing.os, "fchown", lambda descriptor, *ids: asked.append(ids))
    with replacing.replaced(str(path), other) as file:
        file.write(b"x")
    assert len(asked) == 3 and stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(other.st_mode)


def test_files_that_are_read_only_are_refused(tmp_path: Any) -> None:
    """This holds for root too, and if the folder is writable."""
    save(1, tmp_path / "f")
    (tmp_path / "f").chmod(0o444)
    with pytest.raises(PermissionError, match=r"read-only.*'.*f'"):
        save(2, tmp_path / "f")
    assert load(tmp_path / "f") == 1 and os.listdir(tmp_path) == ["f"]


def test_links(tmp_path: Any) -> None:
    """Symbolic links are followed, even without a target. Other hard links keep the old file."""
    real, link, hard = tmp_path / "real", tmp_path / "link", tmp_path / "hard"
    link.symlink_to(real)
    save(1, link)
    os.link(real, hard)
    save(2, link)
    assert link.is_symlink() and load(real) == 2 and load(hard) == 1
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        save(1, tmp_path / "a")


def test_devices_and_fifos_are_written_to(tmp_path: Any) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    loaded: list[Any] = []
    reader = threading.Thread(target=lambda: loaded.append(load(fifo)))
    reader.start()
    save({"x": tinytensor.arange(100_000)}, fifo)
    reader.join()
    assert loaded[0]["x"].sum().item() == 4999950000 and stat.S_ISFIFO(fifo.stat().st_mode)
    null = tmp_path / "null"
    null.symlink_to("/dev/null")
    save(1, null)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode) and null.is_symlink()
    with pytest.raises(OSError, match="No space left"):
        save(tinytensor.zeros(10_000), "/dev/full")
    with pytest.raises(RuntimeError, match="/dev/null: cut off"):
        load("/dev/null")


@pytest.mark.parametrize("name", ["x" * 255, "\N{GRINNING FACE}" * 63, ".x" * 127])
def test_long_names(name: str, tmp_path: Any) -> None:
    for value in range(2):
        save(value, tmp_path / name)
    assert load(tmp_path / name) == 1 and os.listdir(tmp_path) == [name]
    with pytest.raises(OSError, match="too long"):
        save(1, tmp_path / ("x" * 256))


def test_what_killed_processes_left_is_removed(tmp_path: Any) -> None:
    """Temporary files in use, and files of other programs, are not removed."""
    left, used, other = (tmp_path / f".tinytensor-{name}.tmp" for name in
                         ("0" * 16, "1" * 16, "not-ours"))
    for path in (left, used, other):
        path.write_bytes(b"x")
    with open(used) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        save(1, tmp_path / "f")
        assert not left.exists() and used.exists() and other.exists()
    save(1, tmp_path / "f")
    assert not used.exists() and other.exists()


def test_a_temporary_file_that_was_removed_before_its_lock(tmp_path: Any,
                                                           monkeypatch: Any) -> None:
    """Another process removed the file because it seemed abandoned."""
    monkeypatch.setattr(replacing, "_can_name", lambda *a: False)
    lock, calls = replacing._lock, []

    def late(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 1:
            replacing.remove_abandoned(str(tmp_path))
            assert os.listdir(tmp_path) == []
        lock(descriptor)

    monkeypatch.setattr(replacing, "_lock", late)
    save(1, tmp_path / "f")
    assert len(calls) == 2 and load(tmp_path / "f") == 1 and os.listdir(tmp_path) == ["f"]


class Slow(io.RawIOBase):
    """A raw file that reads and writes a few bytes at a time."""

    def __init__(self) -> None:
        self.content, self.place = b"", 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.content += bytes(data[:7])
        return min(7, len(data))

    def read(self, size: int = -1) -> bytes:
        piece = self.content[self.place:self.place + min(size, 5)]
        self.place += len(piece)
        return piece


def test_raw_file_objects() -> None:
    file, content = Slow(), {"x": tinytensor.arange(50), "y": [1, "two"]}
    save(content, file)
    assert same(load(file), content)
    file.write = lambda data: None  # type: ignore[method-assign, assignment, return-value]
    with pytest.raises(BlockingIOError, match="not ready"):
        save(content, file)
    with pytest.raises(TypeError, match="mode 'rb'"):
        load(io.StringIO("text"))


# ---------------------------------------------------------------- paths, file objects, devices


def test_paths(tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for path in ("f", b"f", tmp_path / "f"):
        save({"a": 1}, path)
        assert load(path) == {"a": 1}
    with pytest.raises(FileNotFoundError, match="absent"):
        load("absent")
    with pytest.raises(FileNotFoundError, match="absent' for the file 'f' does not exist"):
        save(1, "absent/f")
    with pytest.raises(IsADirectoryError):
        save(1, tmp_path)
    with pytest.raises(TypeError):
        load(None)


def test_file_objects(tmp_path: Any) -> None:
    with open(tmp_path / "f", "wb") as f:
        save(OrderedDict(a=tinytensor.ones(2)), f)
    with open(tmp_path / "f", "rb") as f:
        assert same(load(f), {"a": tinytensor.ones(2)})
    with pytest.raises(RuntimeError, match="the file object: cut off"):
        load(io.BytesIO(b"1"))
    with gzip.open(tmp_path / "g", "wb") as g:
        save([1], g)
    with gzip.open(tmp_path / "g") as g:
        assert load(g) == [1]


def test_map_location(tmp_path: Any) -> None:
    save({"a": tinytensor.ones(2)}, tmp_path / "f")
    loaded = load(tmp_path / "f", tinytensor.device("cpu"), weights_only=True)
    assert loaded["a"].device.type == "cpu"
    with pytest.raises(RuntimeError, match="unknown device"):
        load(tmp_path / "f", map_location="tpu")
    with pytest.raises(TypeError, match=r"map_location must be .*, got list"):
        load(tmp_path / "f", map_location=["cpu"])


def test_map_location_by_the_device_that_was_saved() -> None:
    for lib in (torch, tinytensor):
        seen: list[Any] = []
        for where in ({"cuda:0": "cpu"}, {"cpu": "cpu"},
                      lambda values, saved, seen=seen: seen.append(saved) or values,
                      lambda values, saved: None):
            loaded = again(lib, {"a": lib.ones(2), "b": lib.arange(2)}, map_location=where)
            assert loaded["a"].device.type == "cpu" and loaded["b"].tolist() == [0, 1]
        assert seen == ["cpu", "cpu"]
    with pytest.raises(TypeError, match=r"must return the Tensor .* got str"):
        again(tinytensor, [tinytensor.ones(1)], map_location=lambda values, saved: "cpu")


def test_to_and_from_a_gpu(gpu: Any, tmp_path: Any) -> None:
    save({"a": tinytensor.arange(6, device="cuda").reshape(2, 3).t()}, tmp_path / "f")
    assert load(tmp_path / "f")["a"].tolist() == [[0, 3], [1, 4], [2, 5]]
    loaded = load(tmp_path / "f", map_location="cuda")["a"]
    assert loaded.is_cuda and loaded.tolist() == [[0, 3], [1, 4], [2, 5]]
    for where in ({"cuda:0": "cuda"}, {}, lambda values, saved: values.to(saved)):
        assert load(tmp_path / "f", map_location=where)["a"].is_cuda
    assert not load(tmp_path / "f", map_location={"cuda:0": "cpu"})["a"].is_cuda
    x = tinytensor.arange(6, device="cuda")
    whole, part = again(tinytensor, [x, x[2:4]], map_location="cuda")
    whole[3] = 9
    assert part.tolist() == [2, 9]
    whole, part = copy.deepcopy([x, x[2:4]])
    whole[3] = 9
    assert part.tolist() == [2, 9] and x[3].item() == 3


def test_pytorchs_words_about_its_own_format_change_nothing(tmp_path):
    tinytensor.save({"x": tinytensor.ones(2)}, tmp_path / "a", pickle_protocol=4,
                    _use_new_zipfile_serialization=False)
    loaded = tinytensor.load(tmp_path / "a", "cpu", None, mmap=True, encoding="latin1")
    assert loaded["x"].tolist() == [1, 1]
