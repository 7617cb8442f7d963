"""Devices: every operation on arrays that are not NumPy's, and copies between devices.

Each test runs on strict_cupy, and with `pytest -m cuda` on CuPy itself.
"""

from __future__ import annotations

import copy
import pickle
import sys
import threading

import numpy
import pytest
import strict_cupy
from operations import on_samples

import tinytensor
from tinytensor import tensor
from tinytensor.autograd import grad
from tinytensor.autograd.table import TABLE
from tinytensor.checking.calls import arguments_of, differentiable, ours, outputs, replace, weights

device_module = sys.modules["tinytensor.arrays.devices"]


def numpy_of(x):
    return None if x is None else x.detach().cpu().numpy()


def total(tensors, seed):
    pairs = zip(tensors, weights(tensors, seed), strict=True)
    return sum((t * tensor(w, dtype=t.dtype, device=t.device)).sum() for t, w in pairs)


def signed(U, S, Vh, transposed):  # noqa: N803 - matrices have capitals
    """Singular vectors with the first element positive. Their signs are arbitrary."""
    Vh = Vh if transposed else Vh.mT  # noqa: N806
    k = S.shape[-1]
    sign, sign_of_rest = U[..., :1, :].sign(), Vh[..., :1].sign()
    rows = tinytensor.cat([sign[..., :k].mT, sign_of_rest[..., k:, :]], -2)
    return [U * sign.detach(), S, Vh * rows.detach()]


def derivatives(entry, arguments, where):
    """The results of a call, its gradients without and with a graph, and second derivatives."""
    def make(array):
        return tensor(array, device=where)

    arguments = replace(arguments, lambda x: isinstance(x, numpy.ndarray),
                        lambda x: device_module.to_device(x, device_module.resolve(where)))
    (args, kwargs), leaves = ours(arguments, make=make)
    results = outputs(entry.function(*args, **kwargs))
    if entry.name == "svd":
        results = signed(*results, entry.home == "linalg")
    for r in results:
        assert r.device.type == where, f"a result is on {r.device}"
    found = [*results]
    results = differentiable(results)
    if results and leaves:
        found += grad(total(results, 0), leaves, allow_unused=True, retain_graph=True)
        first = grad(total(results, 0), leaves, allow_unused=True, create_graph=True)
        for g in first:
            assert g is None or g.device.type == where
        again = differentiable([g for g in first if g is not None])
        found += [*first]
        if again:
            found += grad(total(again, 1), leaves, allow_unused=True)
    return [*map(numpy_of, found)]


@on_samples(TABLE)
def test_operations_give_the_same_on_both_devices(gpu, entry, sample):
    arguments = arguments_of(sample, entry.name)
    on_cpu, on_gpu = (derivatives(entry, arguments, where) for where in ("cpu", "cuda"))
    assert len(on_cpu) == len(on_gpu)
    for i, (a, b) in enumerate(zip(on_cpu, on_gpu, strict=True)):
        assert (a is None) == (b is None)
        if a is not None:
            assert a.dtype == b.dtype
            numpy.testing.assert_allclose(b, a, 1e-9, 1e-9, err_msg=f"value {i}")


# ---------------------------------------------------------------- moving


def test_data_moves_and_gradients_move_back(gpu):
    x = tensor([1.0, 2.0], requires_grad=True)
    y = x.cuda()
    assert y.is_cuda and str(y.device) == "cuda:0" and y.get_device() == 0
    assert isinstance(y._array, gpu.ndarray) and not x.is_cuda
    (y * y).sum().cpu().backward()
    assert x.grad.tolist() == [2, 4] and x.grad.device.type == "cpu"
    for there in (x.to("cuda"), x.to("cuda:0"), x.to(tinytensor.device("cuda")), x.to(y), x.to(0)):
        assert there.device == y.device
    assert y.to("cuda") is y and x.to("cpu") is x and y.cpu().tolist() == [1, 2]
    assert y.to("cpu", tinytensor.float64).dtype is tinytensor.float64


def test_a_copy_is_no_view(gpu):
    x = tensor([1.0, 2.0])
    y = x.cuda()
    x[0] = 9
    assert y.tolist() == [1, 2]
    y[1] = 5
    assert x.tolist() == [9, 2] and y.tolist() == [1, 5]


@pytest.mark.parametrize("make", [
    lambda d: tinytensor.zeros(2, 3, device=d), lambda d: tinytensor.ones((2,), device=d),
    lambda d: tinytensor.full((2,), 7.0, device=d), lambda d: tinytensor.arange(5, device=d),
    lambda d: tinytensor.linspace(0, 1, 5, device=d), lambda d: tinytensor.eye(3, device=d),
    lambda d: tensor([[1, 2], [3, 4]], device=d), lambda d: tensor(True, device=d),
    lambda d: tinytensor.zeros(2, device=d).new_ones(3),
    lambda d: tinytensor.ones_like(tinytensor.zeros(2, device=d)),
    lambda d: tinytensor.randn(3, device=d).new_tensor([1, 2])])
def test_creation_on_a_device(gpu, make):
    here, there = make("cpu"), make("cuda")
    assert there.device == tinytensor.device("cuda", 0)
    assert here.dtype is there.dtype and here.tolist() == there.tolist()


def test_writing_in_place_and_views(gpu):
    x = tensor([[1.0, 2.0], [3.0, 4.0]], device="cuda", requires_grad=True)
    y = x * 1
    view = y[0]
    view.mul_(2)
    y[1] = 5.0
    y[:, 1] += x[:, 0]
    assert view.tolist() == [2, 5] and y._version == view._version > 0
    (y * y).sum().backward()  # y is [[2 a, 2 b + a], [5, 5 + c]]
    assert x.grad.tolist() == [[2 * 2 * 2 + 2 * 5, 2 * 5 * 2], [2 * 8, 0]]
    z = y.detach()
    z[tensor([0, 1], device="cuda"), tensor([0, 0])] = 0.0  # an index may be on the CPU
    z.add_(tensor(1.0))
    assert z.tolist() == [[1, 6], [1, 9]]


def test_an_overwritten_value_is_noticed(gpu):
    x = tensor([1.0, 2.0], device="cuda", requires_grad=True)
    y = x * 1
    z = (y * y).sum()
    y[0] = 3.0
    with pytest.raises(RuntimeError, match="__setitem__"):
        z.backward()


def test_positions_that_do_not_exist_are_refused(gpu):
    """The GPU would wrap them around silently."""
    x = tensor([1.0, 2.0, 3.0], device="cuda")
    for index in (tensor([0, 3], device="cuda"), tensor([-4]), [5]):
        with pytest.raises(IndexError, match="out of range"):
            x[index].tolist()
    with pytest.raises(IndexError):
        x[3]
    with pytest.raises(IndexError):
        tinytensor.nn.functional.embedding(tensor([7], device="cuda"), x.reshape(3, 1)).tolist()


def test_crossing_over(gpu):
    x = tensor([1.0, 2.0], device="cuda")
    with pytest.raises(TypeError, match=r"on cuda:0; use \.cpu\(\)\.numpy\(\)"):
        x.numpy()
    with pytest.raises(TypeError, match="cuda:0"):
        numpy.asarray(x)
    assert x.numpy(force=True).tolist() == [1, 2] and x.tolist() == [1, 2]
    assert x.sum().item() == 3 and float(x[0]) == 1 and bool(x[1]) and 2.0 in x
    assert f"{x[0]:.1f}" == "1.0" and [*map(float, x)] == [1, 2]
    assert tinytensor.as_tensor(x._array)._array is x._array


def test_arrays_of_the_gpu_and_tensors_give_tensors(gpu):
    array = gpu.asarray(numpy.array([3.0, 4.0]))
    x = tensor([1.0, 2.0], dtype=tinytensor.float64, device="cuda", requires_grad=True)
    for f in (lambda a, b: a * b, lambda a, b: b * a, lambda a, b: a - b, lambda a, b: a / b):
        y = f(array, x)
        assert isinstance(y, tinytensor.Tensor) and y.requires_grad and y.is_cuda
        numpy.testing.assert_allclose(numpy_of(y), f(array.get(), numpy_of(x)))


def test_copies_stay_on_their_device(gpu):
    x = tensor([1.0, 2.0], device="cuda", requires_grad=True)
    twin = copy.deepcopy(x)
    assert twin.is_cuda and twin.requires_grad and twin.tolist() == [1, 2]
    assert copy.copy(x).data_ptr() == x.data_ptr()
    for back in (pickle.loads(pickle.dumps(x)), copy.copy(x)):
        assert back.is_cuda and back.tolist() == [1, 2] and back.requires_grad


@pytest.mark.parametrize("index", [([0, 1], [0, 1, 2]), ([0, 1], slice(None), [0, 1, 2]),
                                   ([True, True], [0, 1, 2])])
def test_arrays_of_an_index_that_do_not_broadcast(gpu, index):
    key = tuple(tensor(k, device="cuda") if isinstance(k, list) else k for k in index)
    x = tinytensor.zeros(2, 3, 4, device="cuda")
    with pytest.raises(IndexError, match=r"shape mismatch.*\(2,\) and \(3,\)"):
        x[key]
    with pytest.raises(IndexError, match=r"shape mismatch.*\(2,\) and \(3,\)"):
        x[key] = 1.0


def test_printing_names_the_device(gpu):
    assert repr(tensor([1.0, 2.0], device="cuda")) == "tensor([1., 2.], device='cuda:0')"
    assert repr(tensor([1], device="cuda").int()) == \
        "tensor([1], device='cuda:0', dtype=tinytensor.int32)"


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize("f", [
    lambda a, b: a + b, lambda a, b: a @ b, lambda a, b: tinytensor.cat([a, b]),
    lambda a, b: tinytensor.maximum(b, a), lambda a, b: tinytensor.where(a > 0, a, b)])
def test_mixed_devices_are_refused(gpu, f):
    a, b = tinytensor.ones(2, 2), tinytensor.ones(2, 2, device="cuda")
    with pytest.raises(RuntimeError, match=r"different devices, .*cuda:0.*\.to\(\.\.\.\)|"
                                           r"different devices, cuda:0 and cpu"):
        f(a, b)


def test_a_single_number_on_the_cpu_may_meet_the_gpu(gpu):
    x = tensor([1.0, 2.0], device="cuda", requires_grad=True)
    scale = tensor(3.0, requires_grad=True)
    for y in (x * scale, scale * x):
        assert y.is_cuda and y.tolist() == [3, 6]
        y.sum().backward()
    assert scale.grad.device.type == "cpu" and scale.grad.item() == 6
    assert x.grad.tolist() == [6, 6]
    assert (x > tensor(1.5)).tolist() == [False, True]


def test_devices_that_do_not_exist(gpu):
    with pytest.raises(RuntimeError, match=r"device: .*'cuda:99'.* \d+ GPUs"):
        tinytensor.zeros(2, device="cuda:99")
    for wrong in ("tpu", "cuda:x", "cpu:1"):
        with pytest.raises(RuntimeError, match="device: "):
            tinytensor.zeros(2, device=wrong)


def test_without_cupy_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    device_module._load_cupy.cache_clear()
    try:
        with pytest.raises(RuntimeError) as error:
            tinytensor.zeros(2, device="cuda")
        message = str(error.value)
        assert message == (
            "device 'cuda' is not available: CuPy is not installed: pip install "
            "'cupy-cuda12x[ctk]', or 'cupy-cuda13x[ctk]' for a driver of CUDA 13 (nvidia-smi shows "
            "its version)")
        assert not device_module.cuda_is_available() and device_module.device_count() == 0
        device_module.synchronize()  # does nothing without a GPU
    finally:
        monkeypatch.undo()
        device_module._load_cupy.cache_clear()


def test_too_old_a_cupy_and_no_gpu_are_told_apart(monkeypatch):
    from types import SimpleNamespace

    def no_driver(n):
        raise OSError("no driver")

    def no_headers(n):
        raise RuntimeError("catastrophic error: cannot open source file 'cuda_fp16.h'")

    for module, message in ((SimpleNamespace(__version__="13.6.0"), "CuPy 13.6.0 is too old"),
                            (SimpleNamespace(__version__="14.2.0", ones=no_headers),
                             r"without the toolkit.*install 'cupy-cuda12x\[ctk\]' or 'cupy-cuda13x"
                             r".*cuda_fp16"),
                            (SimpleNamespace(__version__="14.2.0", ones=no_driver),
                             r"no usable GPU was found \(OSError: no driver\)")):
        monkeypatch.setitem(sys.modules, "cupy", module)
        device_module._load_cupy.cache_clear()
        try:
            with pytest.raises(RuntimeError, match=message):
                tensor([1.0]).cuda()
        finally:
            device_module._load_cupy.cache_clear()


# ---------------------------------------------------------------- strict_cupy itself


@pytest.mark.parametrize("wrong", [
    lambda cp, x, n: x + n, lambda cp, x, n: n + x, lambda cp, x, n: cp.maximum(x, n),
    lambda cp, x, n: cp.maximum(x, [1.0, 2.0]), lambda cp, x, n: cp.concatenate([x, n]),
    lambda cp, x, n: numpy.asarray(x), lambda cp, x, n: cp.sum([1.0]),
    lambda cp, x, n: cp.exp(n), lambda cp, x, n: cp.where(n > 0, x, x)])
def test_what_the_gpu_refuses_is_refused(gpu, wrong):
    with pytest.raises((TypeError, AttributeError, ValueError)):
        wrong(gpu, gpu.asarray(numpy.array([1.0, 2.0])), numpy.array([1.0, 2.0]))


@pytest.mark.parametrize("name", ["unstack", "vecdot", "insert", "block", "errstate"])
def test_what_the_gpu_lacks_is_missing(gpu, name):
    assert not hasattr(gpu, name) and hasattr(numpy, name)


def test_the_gpus_arrays_behave_as_the_stand_ins(gpu):
    x = gpu.asarray(numpy.arange(6.0).reshape(2, 3))
    assert x.sum().shape == () and isinstance(x.sum(), gpu.ndarray)
    assert x[0].base is x and x.T.base is x and (x + 1).base is None
    assert x[0, 1:].base is x and gpu.reshape(x, (3, 2)).base is x
    x[0] = 7
    assert x.get().tolist() == [[7, 7, 7], [3, 4, 5]] and x.device.id == 0
    with pytest.raises(ValueError):
        x[0] = numpy.array([1.0, 2.0, 3.0])
    assert x[gpu.asarray([3])].get().tolist() == x[gpu.asarray([1])].get().tolist()
    assert isinstance(x.data.ptr, int) and x.item is not None
    with pytest.raises(NotImplementedError):
        gpu.multiply.reduceat(x, gpu.asarray([0]))


def test_numpy_inside_an_operation_is_caught():
    with strict_cupy.installed(device_module):
        x = tensor([1.0], device="cuda")
        with pytest.raises(TypeError, match=r"numpy\.exp on an array of a GPU"):
            numpy.exp(x._array)
        with pytest.raises(TypeError, match=r"numpy\.sum on an array of a GPU"):
            numpy.sum(x._array)


def test_accelerator_is_whatever_gpu_there_is(gpu):
    a = tinytensor.accelerator
    assert a.is_available() and a.device_count() == tinytensor.cuda.device_count() > 0
    assert a.current_accelerator() == tinytensor.device("cuda")
    assert tinytensor.ones(2, device=a.current_accelerator()).is_cuda
    assert a.current_device_index() == a.current_device_idx() == 0
    last = a.device_count() - 1
    with a.device_index(last):
        assert a.current_device_index() == last
        assert tinytensor.ones(2, device="cuda").get_device() == last
    with a.device_index(None):
        assert a.current_device_index() == 0
    for which in (0, "cuda:0", tinytensor.device("cuda"), -1):
        a.set_device_index(which)
        tinytensor.cuda.set_device(which)
        assert a.current_device_index() == 0
    assert tinytensor.cuda.get_device_name(0) == tinytensor.cuda.get_device_name("cuda")
    for which in (last + 1, "cpu"):
        with pytest.raises(RuntimeError, match=r"there is no|is no GPU"):
            a.set_device_index(which)
    a.synchronize()
    a.empty_cache()


@pytest.mark.skipif(tinytensor.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_there_is_no_accelerator():
    a = tinytensor.accelerator
    assert not a.is_available() and a.device_count() == 0
    assert a.current_accelerator() is None and a.current_accelerator(check_available=True) is None
    with pytest.raises(RuntimeError, match="CuPy"):
        a.current_device_index()


def test_the_default_device(gpu):
    cuda, before = tinytensor.device("cuda", 0), tinytensor.get_default_device()
    array = numpy.ones(2)
    made = [lambda: tinytensor.ones(2), lambda: tinytensor.tensor([1.0]),
            lambda: tinytensor.arange(3), lambda: tinytensor.tensor(array),
            lambda: tinytensor.as_tensor(array), lambda: tinytensor.randn(2),
            lambda: tinytensor.nn.Linear(2, 2).weight]
    elsewhere = [lambda: tinytensor.ones(2, device="cpu"), lambda: tinytensor.from_numpy(array),
                 lambda: tinytensor.Tensor([1.0]), lambda: tinytensor.FloatTensor([1.0]),
                 lambda: tinytensor.ones(2, device="cpu").new_zeros(3)]
    assert str(before) == "cpu"
    with tinytensor.device("cuda") as where:
        assert where.type == "cuda" and tinytensor.get_default_device() == cuda
        assert all(f().is_cuda for f in made) and not any(f().is_cuda for f in elsewhere)
        with tinytensor.device("cpu"):
            assert not any(f().is_cuda for f in made)
            tinytensor.set_default_device("cuda")  # for code outside of all device blocks
            assert not tinytensor.ones(2).is_cuda
    try:
        assert tinytensor.get_default_device() == cuda and tinytensor.ones(2).is_cuda
    finally:
        tinytensor.set_default_device(None)
    assert tinytensor.get_default_device() == before and not tinytensor.ones(2).is_cuda
    with pytest.raises(RuntimeError, match="unknown device 'tpu'"):
        tinytensor.set_default_device("tpu")


def test_training_where_everything_is_made_on_the_default_device(gpu, tmp_path):
    nn, data = tinytensor.nn, tinytensor.utils.data
    with tinytensor.device("cuda"):
        tinytensor.manual_seed(0)
        model = nn.Sequential(nn.Embedding(5, 3), nn.LSTM(3, 4, batch_first=True))
        head = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.1), nn.Linear(4, 2))
        for init in (nn.init.orthogonal_, nn.init.trunc_normal_, nn.init.eye_):
            init(head[0].weight)
        nn.init.sparse_(head[3].weight, 0.5)
        optimizer = tinytensor.optim.NAdam([*model.parameters(), *head.parameters()])
        inputs = tinytensor.randint(0, 5, (8, 3))
        loader = data.DataLoader(data.TensorDataset(inputs, inputs[:, 0] % 2), 4, shuffle=True,
                                 generator=tinytensor.Generator())
        for x, y in loader:
            loss = nn.functional.cross_entropy(head(model(x)[0][:, -1]), y)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(head.parameters(), 1.0)
            optimizer.step()
        assert loss.is_cuda and all(p.is_cuda for p in head.parameters())
        assert not optimizer.state_dict()["state"][0]["step"].is_cuda
        packed = nn.utils.rnn.pack_sequence([tinytensor.ones(3, 2), tinytensor.ones(1, 2)])
        assert packed.data.is_cuda and not packed.batch_sizes.is_cuda
        tinytensor.save(head.state_dict(), tmp_path / "head")
        assert not any(t.is_cuda for t in tinytensor.load(tmp_path / "head").values())
        head.load_state_dict(tinytensor.load(tmp_path / "head"))


def test_the_default_device_is_a_threads_own(gpu):
    found = []
    inside, done = threading.Event(), threading.Event()

    def other():
        with tinytensor.device("cuda"):
            inside.set()
            done.wait(5)
            found.append(tinytensor.ones(1).is_cuda)

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(5)
    found.append(tinytensor.ones(1).is_cuda)
    done.set()
    thread.join()
    assert found == [False, True]


# ---------------------------------------------------------------- checks that do not wait


F = tinytensor.nn.functional


@pytest.mark.parametrize(("wrong", "kind", "message"), [
    (lambda i, x: x[i], IndexError, r"x\[\.\.\.\]: position 7 is out of range for dimension 0 of"),
    (lambda i, x: x.index_select(0, i), IndexError, "index_select: position 7 is out of range"),
    (lambda i, x: F.embedding(i, x), IndexError, r"embedding: position 7 .* must be in \[0, 2\]"),
    (lambda i, x: F.one_hot(i, 4), RuntimeError, "one_hot: position 7 is out of range for 4"),
    (lambda i, x: F.cross_entropy(x, i), IndexError,
     r"cross_entropy: label 7 is out of range for 4 classes: it must be in \[0, 3\], or ignore"),
    (lambda i, x: F.nll_loss(x, i, x[0]), IndexError, "nll_loss: label 7 is out of range for 4"),
    (lambda i, x: F.multi_margin_loss(x, i), RuntimeError, "label 7 is out of range"),
    (lambda i, x: F.binary_cross_entropy(i.float(), i.float()), RuntimeError,
     r"the input must be in \[0, 1\], got 7"),
    (lambda i, x: F.hinge_loss(x[:, 0], i), ValueError, "hinge_loss: a target is -1 or 1"),
    (lambda i, x: i // (i - i), RuntimeError, "floor_divide: ZeroDivisionError"),
])
def test_a_wrong_value_on_the_gpu_is_an_error_of_the_next_reading(gpu, wrong, kind, message):
    """The host does not wait for the check. The error is the CPU's, with the line of the call."""
    values = [1, 0, 7]
    x = numpy.ones((3, 4))
    with pytest.raises(kind, match=message):
        wrong(tensor(values), tensor(x))
    i, y = tensor(values, device="cuda"), tensor(x, device="cuda")
    readings = [y.tolist, lambda: y[0, 0].item(), lambda: float(y.sum()), y.cpu, lambda: repr(y),
                tinytensor.cuda.synchronize, lambda: bool(y[0, 0] > 0)]
    for read in readings:
        wrong(i, y)
        line = wrong.__code__.co_firstlineno
        with pytest.raises(kind, match=rf"{message}.*\(the call at .*test_devices.py:{line}; "
                                       "found when a number was read from the GPU"):
            read()
        read()  # said once


def test_right_values_on_the_gpu_raise_nothing(gpu):
    x = tinytensor.arange(12.0, device="cuda").reshape(3, 4).requires_grad_()
    i = tensor([0, -3, 2], device="cuda")
    loss = x[i].sum() + F.cross_entropy(x, tensor([3, 0, -100], device="cuda"))
    loss.backward()
    y = tinytensor.arange(12.0).reshape(3, 4).requires_grad_()
    same = y[i.cpu()].sum() + F.cross_entropy(y, tensor([3, 0, -100]))
    same.backward()
    assert loss.item() == pytest.approx(same.item())
    numpy.testing.assert_allclose(x.grad.cpu().numpy(), y.grad.numpy(), 1e-6)


def test_one_line_may_make_more_checks_than_there_are_marks(gpu):
    for n in range(2, 1200):
        tensor([n], device="cuda") % tensor([n], device="cuda")
        F.one_hot(tensor([n - 1 + (n == 1100)], device="cuda"), n)
        if n == 1100:
            with pytest.raises(RuntimeError, match="position 1100 is out of range for 1100"):
                tinytensor.cuda.synchronize()


@pytest.mark.parametrize("options", [
    {}, {"reduction": "sum"}, {"reduction": "none"}, {"ignore_index": 1}, {"label_smoothing": 0.1},
    {"weight": [1.0, 2.0, 0.5, 3.0]}, {"weight": [1.0, 2.0, 0.5, 3.0], "ignore_index": 0},
    {"weight": [1.0, 2.0, 0.5, 3.0], "reduction": "sum", "label_smoothing": 0.2}])
@pytest.mark.parametrize("labels", [[0, 1, 3], [-100, 1, 3], [-100, -100, -100]])
def test_ignored_labels_are_the_same_on_both_devices(gpu, options, labels):
    if labels[0] == -100 and options.get("ignore_index", -100) != -100:
        labels = [options["ignore_index"] if n == -100 else n for n in labels]
    found = []
    for d in ("cpu", "cuda"):
        x = tinytensor.arange(12.0, dtype=tinytensor.float64, device=d).reshape(3, 4) \
            .sin().detach().requires_grad_()
        given = {k: tensor(v, dtype=x.dtype, device=d) if k == "weight" else v
                 for k, v in options.items()}
        loss = F.cross_entropy(x, tensor(labels, device=d), **given)
        loss.sum().backward()
        found.append((loss.detach().cpu().numpy(), x.grad.cpu().numpy()))
    for here, there in zip(*found, strict=True):
        numpy.testing.assert_allclose(there, here, 1e-12)
