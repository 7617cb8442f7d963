"""Tensors and modules in other libraries' hands: pickle, copy, joblib, scikit-learn's wrappers."""

from __future__ import annotations

import copy
import pickle

import numpy
import pytest
import torch
from operations import in_turn

import tinytensor as engine
from tinytensor import nn


def model(package):
    return package.nn.Sequential(package.nn.Linear(3, 2), package.nn.BatchNorm1d(2))


def through_joblib(value, tmp_path, **options):
    joblib = pytest.importorskip("joblib")
    joblib.dump(value, tmp_path / "file", **options)
    return joblib.load(tmp_path / "file")


WAYS = {
    "pickle": lambda value, _: pickle.loads(pickle.dumps(value)),
    "pickle, protocol 2": lambda value, _: pickle.loads(pickle.dumps(value, protocol=2)),
    "deepcopy": lambda value, _: copy.deepcopy(value),
    "joblib": through_joblib,
    "joblib, compressed": lambda value, path: through_joblib(value, path, compress=3),
}


@in_turn("way", WAYS)
def test_tensors_and_modules_come_back(way, tmp_path):
    layers = model(engine)
    layers(engine.rand(4, 3))  # running statistics
    given = {"model": layers, "leaf": engine.rand(2, requires_grad=True), "ints": engine.arange(3),
             "half": engine.rand(2).half(), "parameter": nn.Parameter(engine.ones(2)),
             "empty": engine.zeros(0, 3), "transposed": engine.rand(2, 3).T}
    back = WAYS[way](given, tmp_path)
    assert type(back["parameter"]) is nn.Parameter and back["leaf"].requires_grad
    assert not back["ints"].requires_grad
    for name, tensor in given.items():
        if name != "model":
            assert back[name].dtype is tensor.dtype and back[name].equal(tensor)
            assert back[name] is not tensor
    x = engine.rand(5, 3)
    assert back["model"](x).equal(layers(x))
    assert back["model"][0].weight.requires_grad


class Tagged(engine.Tensor):
    def __init__(self, data):
        self.tag, self._unit = ["a"], "m"


class TaggedOfTorch(torch.Tensor):
    def __init__(self, data):
        self.tag, self._unit = ["a"], "m"


class Counted(engine.Tensor):
    def __getstate__(self):
        return {"count": self.count + 1}

    def __setstate__(self, state):
        self.count = 10 * state["count"]


class CountedOfTorch(torch.Tensor):
    def __getstate__(self):
        return {"count": self.count + 1}

    def __setstate__(self, state):
        self.count = 10 * state["count"]


def noted(x, name="note"):
    setattr(x, name, [1, 2])
    return x


@in_turn("way", ["pickle", "pickle, protocol 2", "copy"])
def test_attributes_come_back(way, tmp_path):
    """Also those whose name begins with an underscore, those of subclasses, and the gradient not.
    """
    again = {**WAYS, "copy": lambda value, _: copy.copy(value)}[way]
    results = []
    for package in (engine, torch):
        mine = package is engine
        leaf = package.ones(2, requires_grad=True)
        leaf.sum().backward()
        counted = noted((Counted if mine else CountedOfTorch)([1.0]), "count")
        counted.count = 4
        result = []
        for x in (noted(package.ones(2)), noted(leaf, "_note"),
                  noted(package.nn.Parameter(package.ones(3))),
                  (Tagged if mine else TaggedOfTorch)([1.0, 2.0]), counted,
                  package.nn.Parameter(package.ones(1), requires_grad=False)):
            back = again(x, tmp_path)
            assert type(back) is type(x) and back is not x
            names = ("note", "_note", "tag", "_unit", "count")
            result.append((back.tolist(), back.requires_grad, back.grad,
                           {name: getattr(back, name) for name in names if hasattr(back, name)},
                           back.data_ptr() == x.data_ptr()))
        buffer = again(noted(package.nn.Buffer(package.ones(2), persistent=False)), tmp_path)
        result.append((buffer.persistent, buffer.note))
        results.append(result)
    assert results[0] == results[1]


def test_a_deep_copy_of_a_tensor_has_copies_of_its_attributes():
    for package in (engine, torch):
        x = noted(package.ones(2))
        y = copy.deepcopy(x)
        assert y.note == x.note and y.note is not x.note


def test_pickles_of_earlier_versions_are_read():
    """They hold neither attributes nor whether a Buffer is persistent."""
    data = (b"(ctinytensor.tensors.tensor\n_rebuild\n(ctinytensor.nn.parameter\n%s\n"
            b"cnumpy\narange\n(I3\ntRI00\nVcpu\ntRl.")
    for name in ("Parameter", "Buffer"):
        back, = pickle.loads(data % name.encode())
        assert type(back) is getattr(nn, name) and back.tolist() == [0, 1, 2]
        assert not vars(back)
    assert back.persistent


@in_turn("way", ["pickle", "pickle, protocol 2", "copy"])
def test_parameters_of_lazy_layers_come_back(way, tmp_path):
    again = {**WAYS, "copy": lambda value, _: copy.copy(value)}[way]
    for package in (engine, torch):
        x = package.nn.UninitializedParameter(requires_grad=False, dtype=package.float64)
        back = again(x, tmp_path)
        assert type(back) is type(x) and not back.requires_grad
    back = again(nn.UninitializedParameter(dtype=engine.float64), tmp_path)
    assert back.dtype is engine.float64  # which PyTorch loses
    layer = again(nn.LazyLinear(3), tmp_path)
    layer(engine.ones(2, 4))
    assert type(layer) is nn.Linear and layer.weight.shape == (3, 4)
    assert layer.weight.requires_grad


@in_turn("way", ["pickle", "deepcopy"])
def test_memory_is_shared_where_pytorch_shares_it(way, tmp_path):
    shared = []
    for package in (engine, torch):
        whole = package.zeros(4)
        back = WAYS[way]({"whole": whole, "view": whole[1:3], "again": whole}, tmp_path)
        assert back["whole"] is back["again"]
        back["whole"][1] = 5.0
        shared.append(back["view"].tolist())
    assert shared[0] == shared[1]


def test_equal_tensors_have_equal_hashes_in_joblib():
    joblib = pytest.importorskip("joblib")
    assert joblib.hash(engine.ones(3)) == joblib.hash(engine.ones(3))
    assert joblib.hash(engine.ones(3)) != joblib.hash(engine.zeros(3))
    doubled = joblib.Parallel(2, backend="threading")(
        joblib.delayed(lambda x: x * 2)(engine.full((2,), i)) for i in range(3))
    assert [x.tolist() for x in doubled] == [[0, 0], [2, 2], [4, 4]]


def test_save_keeps_what_pytorch_keeps(tmp_path):
    results = []
    for package in (engine, torch):
        whole = package.zeros(6)
        package.save({"whole": whole, "view": whole[2:4],
                      "parameter": package.nn.Parameter(package.ones(2)),
                      "leaf": package.ones(2, requires_grad=True)}, tmp_path / "file")
        back = package.load(tmp_path / "file")
        back["whole"][2] = 5
        results.append((back["view"].tolist(), type(back["parameter"]).__name__,
                        back["parameter"].requires_grad, back["leaf"].requires_grad))
    assert results[0] == results[1] == ([5, 0], "Parameter", True, True)


def test_numpy_arrays_of_tensors_in_scikit_learn():
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    x = engine.rand(6, 3)
    scaled = preprocessing.StandardScaler().fit_transform(x)
    numpy.testing.assert_allclose(scaled.mean(0), 0, atol=1e-6)
