"""Files of torch.save: read without executing anything, and written by `convert`."""

from __future__ import annotations

import argparse
import collections
import io
import os
import pickle
import random
import warnings
import zipfile

import numpy as np
import pytest
import torch
from operations import in_turn

import tinytensor
from tinytensor.commands import convert
from tinytensor.tensors import pytorch_writer


def checkpoint(last=lambda engine: engine.nn.BatchNorm1d(4)):
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), last(torch))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(), "epoch": 3, "best": 0.25, "note": "Grüße",
            "shape": (1, None, True), "large": 2**70}


def views():
    base = torch.arange(6.0)
    return [base, base[1:3], base.reshape(2, 3).t(), base]


CONTENTS = {
    "checkpoint": checkpoint, "views": views,
    "parameters": lambda: [torch.nn.Parameter(torch.ones(2)),
                           torch.nn.Parameter(torch.zeros(1), requires_grad=False),
                           torch.ones(2, requires_grad=True)],
    "dtypes": lambda: [torch.ones(3).to(d) for d in (
        torch.float64, torch.float16, torch.uint8, torch.int8, torch.int16, torch.int32,
        torch.int64, torch.bool)],
    "shapes": lambda: [torch.tensor(2.0), torch.empty(0, 3), torch.ones(1).expand(9),
                       torch.arange(24.0).view(2, 3, 4).permute(2, 0, 1)],
    "plain": lambda: [torch.ones(2, 3).shape, torch.device("cpu"), torch.float32, {1, 2}, b"\x00",
                      -1, 300, 70000, float("inf"), "", {}, [], ()],
}
FORMS = {"zip": {}, "older": {"_use_new_zipfile_serialization": False},
         "protocol 4": {"pickle_protocol": 4}}


def saved(content, **form):
    file = io.BytesIO()
    torch.save(content, file, **form)
    file.seek(0)
    return file


def described(x):
    """A nested object of either engine as plain data."""
    if isinstance(x, torch.Tensor | tinytensor.Tensor):
        return (type(x).__name__, x.requires_grad, str(x.dtype).partition(".")[2], tuple(x.shape),
                tuple(x.stride()), x.detach().numpy().tolist())
    if isinstance(x, dict):
        return (type(x).__name__, [(k, described(v)) for k, v in x.items()],
                described(getattr(x, "_metadata", None)))
    if isinstance(x, list | tuple):
        return (type(x).__name__, [described(v) for v in x])
    return str(x).replace("tinytensor.", "torch.")


@in_turn("form", list(FORMS))
@in_turn("name", list(CONTENTS))
def test_files_of_pytorch_are_read_as_pytorch_reads_them(name, form):
    file = saved(CONTENTS[name](), **FORMS[form])
    theirs = torch.load(file, weights_only=False)
    file.seek(0)
    assert described(tinytensor.load(file)) == described(theirs)


def test_tensors_that_share_memory_go_on_sharing_it(tmp_path):
    torch.save(views(), tmp_path / "views.pt")
    base, part, transposed, again = tinytensor.load(tmp_path / "views.pt")
    part[0] = 99.0
    assert base[1] == transposed[1, 0] == again[1] == 99.0


def test_a_checkpoint_continues_a_training():
    content = checkpoint(lambda engine: engine.nn.Tanh())
    loaded = tinytensor.load(saved(content))
    model = tinytensor.nn.Sequential(tinytensor.nn.Linear(3, 4), tinytensor.nn.Tanh())
    optimizer = tinytensor.optim.Adam(model.parameters())
    model.load_state_dict(loaded["model"])
    optimizer.load_state_dict(loaded["optimizer"])
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh())
    their_optimizer = torch.optim.Adam(theirs.parameters())
    theirs.load_state_dict(content["model"])
    their_optimizer.load_state_dict(content["optimizer"])
    for engine, network, opt in ((tinytensor, model, optimizer), (torch, theirs, their_optimizer)):
        x = engine.arange(6.0).reshape(2, 3)
        opt.zero_grad()
        (network(x) ** 2 * engine.tensor([[1.0], [2.0]])).sum().backward()
        opt.step()
    for ours, other in zip(model.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), other.detach().numpy(), rtol=1e-5)


def test_a_sign_that_pytorch_has_only_noted_is_kept():
    z = torch.tensor([1 + 2j, 3 - 4j])
    assert tinytensor.load(saved(z.conj().imag)).tolist() == [-2, 4]


@pytest.mark.parametrize("make, message", [
    (lambda: torch.ones(2).storage(), "a storage without a Tensor"),
    (lambda: [torch.ones(2).storage()], "a storage without a Tensor"),
    (lambda: torch.ones(2).untyped_storage(), "or a storage"),
    (lambda: torch.ones(2).to(torch.float8_e4m3fn), "float8"),
    (lambda: torch.ones(2, dtype=torch.complex64), r"ComplexFloat.*save torch.view_as_real\(x\)")])
@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_storages_and_other_dtypes_are_refused(make, message):
    with pytest.raises(RuntimeError, match=message):
        tinytensor.load(saved(make()))


def test_map_location_gets_each_storage():
    seen = []

    def where(tensor, location):
        seen.append((tuple(tensor.shape), location))

    tinytensor.load(saved(views()), map_location=where)
    assert seen == [((6,), "cpu")]


class Evil:
    def __reduce__(self):
        return os.system, ("touch evil",)


REFUSED = {
    "a call": (Evil, r"asks for (posix|nt).system, which load does not run"),
    "a function": (lambda: {"f": os.system}, "asks for (posix|nt).system"),
    "a function in a list": (lambda: [os.getcwd], "asks for (posix|nt).getcwd"),
    "a module": (lambda: torch.nn.Linear(1, 1),
                 r"asks for torch.nn.modules.linear.Linear.*torch.save\(model.state_dict\(\)"),
    "an array": (lambda: np.ones(3), "holds NumPy objects"),
    "a NumPy number": (lambda: {"loss": np.float64(1)}, "holds NumPy objects"),
    "a class": (lambda: collections.deque("ab"), "asks for collections.deque"),
    "complex numbers": (lambda: torch.ones(1) * 1j, "Tensors of ComplexFloat, which are not"),
    "a sparse Tensor": (lambda: torch.eye(2).to_sparse(), "_rebuild_sparse_tensor"),
}


@in_turn("form", ["zip", "older"])
@in_turn("name", list(REFUSED))
def test_what_would_run_code_is_refused_with_its_name(name, form, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make, message = REFUSED[name]
    with pytest.raises(RuntimeError, match=message):
        tinytensor.load(saved(make(), **FORMS[form]))
    assert os.listdir(tmp_path) == []


def test_other_archives_and_pickles_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.ones(2))
    with pytest.raises(RuntimeError, match=r"numpy.load reads .npz files"):
        tinytensor.load(tmp_path / "a.npz")
    with pytest.raises(RuntimeError, match="a pickle, but not of torch"):
        tinytensor.load(io.BytesIO(pickle.dumps({"a": 1})))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), str(tmp_path / "b.pt"))
    with pytest.raises(RuntimeError, match="a TorchScript program"):
        tinytensor.load(tmp_path / "b.pt")
    with zipfile.ZipFile(tmp_path / "c.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("c/data.pkl", pickle.dumps("x" * 100_000, 2))
    with pytest.raises(RuntimeError, match="is compressed, which"):
        tinytensor.load(tmp_path / "c.pt")


def test_damaged_files_raise_one_kind_of_error():
    """Any other exception, or a crash, fails the test."""
    rng, files = random.Random(0), []
    for name in ("checkpoint", "views", "dtypes"):
        files += [saved(CONTENTS[name](), **form).getvalue() for form in FORMS.values()]
    read = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(600):
            data = bytearray(rng.choice(files))
            for _ in range(rng.choice((1, 2, 5))):
                i = rng.randrange(len(data))
                what = rng.random()
                if what < 0.6:
                    data[i] = rng.randrange(256)
                elif what < 0.8:
                    del data[i:i + rng.randrange(1, 30)]
                else:
                    data[i:i] = rng.randbytes(rng.randrange(1, 9))
            try:
                tinytensor.load(io.BytesIO(bytes(data)))
                read += 1
            except RuntimeError:
                pass
    assert 0 < read < 300


def test_a_pickle_cannot_ask_for_much_memory():
    for data in (b"\x80\x02" + b"}" * 1_000_000 + b".", b"\x80\x02r\xff\xff\xff\xff.",
                 b"\x80\x02X\xff\xff\xff\xff.", b"\x80\x02" + b"(" * 100_000 + b"."):
        with pytest.raises(RuntimeError, match="damaged"):
            tinytensor.load(io.BytesIO(data))


def test_convert_writes_files_that_pytorch_reads(tmp_path):
    for name in ("checkpoint", "views", "parameters", "dtypes"):
        content = tinytensor.load(saved(CONTENTS[name]()))
        file = io.BytesIO()
        pytorch_writer.write(file, content)
        file.seek(0)
        assert described(torch.load(file, weights_only=True)) == described(content)
    with pytest.raises(TypeError, match="convert: a function cannot be written"):
        pytorch_writer.write(io.BytesIO(), {"f": lambda: 0})


def test_the_command_convert_goes_both_ways(tmp_path):
    state = torch.nn.BatchNorm1d(2).state_dict()  # num_batches_tracked has no dim
    state["view"] = state["weight"][1:]
    torch.save(state, tmp_path / "a.pt")
    for source, target in (("a.pt", "b.safetensors"), ("b.safetensors", "c.pt")):
        convert.run(argparse.Namespace(source=tmp_path / source, target=tmp_path / target))
    back = torch.load(tmp_path / "c.pt", weights_only=True)
    assert described(back) == described(state) and list(back) == list(state)
    assert back["view"].untyped_storage().data_ptr() == back["weight"].untyped_storage().data_ptr()
    with pytest.raises(SystemExit, match=r"convert: .*none"):
        convert.run(argparse.Namespace(source=tmp_path / "none.pt", target="d.pt"))


@in_turn("value", [collections.Counter("abca"), bytearray(b"\x00ab\xff"), 1.5 - 2j,
                   {"epoch": collections.Counter({3: 2})}])
def test_containers_and_numbers_that_weights_only_reads(value, tmp_path):
    torch.save(value, tmp_path / "file.pt")
    assert torch.load(tmp_path / "file.pt", weights_only=True) == value
    back = tinytensor.load(tmp_path / "file.pt")
    assert back == value and type(back) is type(value)


@in_turn("text, message", [
    ("<!DOCTYPE html>\n<html><head><title>404</title>", "a web page, not weights: download it"),
    ("<html lang=en><body>Please log in</body></html>", "a web page, not weights"),
    ("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
     "a pointer of Git LFS, not the weights themselves: `git lfs pull`")])
def test_texts_in_place_of_weights_are_recognized(text, message, tmp_path):
    for name in ("a.pt", "a.safetensors"):
        (tmp_path / name).write_text(text)
        with pytest.raises(RuntimeError, match=message):
            tinytensor.load(tmp_path / name)
