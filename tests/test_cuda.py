"""`tinytensor.cuda` and the options of GPUs: streams, memory, properties, precision.

Each test runs on strict_cupy, and with `pytest -m cuda` on CuPy itself.
"""

from __future__ import annotations

import subprocess
import sys

import numpy
import pytest

import tinytensor
from tinytensor import cuda
from tinytensor.arrays import gpu_memory


def test_events_measure_and_order(gpu):
    x = tinytensor.ones(4, device="cuda")
    start, end = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
    assert start.query() and "not recorded" in repr(start)
    with pytest.raises(RuntimeError, match="recorded"):
        start.elapsed_time(end)
    start.record()
    x = x * 2
    end.record()
    end.synchronize()
    assert end.query() and 0 <= start.elapsed_time(end) < 60_000 and x.tolist() == [2] * 4
    with pytest.raises(RuntimeError, match="enable_timing=True"):
        start.elapsed_time(cuda.Event())


def test_streams_are_contexts_and_wait_for_each_other(gpu):
    default, side = cuda.current_stream(), cuda.Stream()
    assert default == cuda.default_stream() and side != default and len({side, side}) == 1
    assert default.cuda_stream == 0 != side.cuda_stream and str(side.device) == "cuda:0"
    x = tinytensor.arange(3.0, device="cuda")
    side.wait_stream(default)
    with cuda.stream(side):
        assert cuda.current_stream() == side
        y = x + 1
        with side:
            y = y * 2
    assert cuda.current_stream() == default
    default.wait_event(side.record_event())
    side.synchronize()
    assert side.query() and y.tolist() == [2, 4, 6]
    with cuda.stream(None):
        assert cuda.current_stream() == default
    cuda.set_stream(side)
    assert cuda.current_stream() == side
    cuda.set_stream(default)


def test_the_current_gpu_is_a_context_and_a_decorator(gpu):
    last = cuda.device_count() - 1
    with cuda.device(last):
        assert cuda.current_device() == last
        with cuda.device(None), cuda.device(-1):
            assert cuda.current_device() == last
    assert cuda.current_device() == 0
    assert cuda.device(last)(cuda.current_device)() == last
    x = tinytensor.ones(1, device=f"cuda:{last}")
    with cuda.device_of(x):
        assert cuda.current_device() == last
    with cuda.device_of(tinytensor.ones(1)):
        assert cuda.current_device() == 0
    cuda.synchronize(last)
    cuda.synchronize()
    with pytest.raises(RuntimeError, match="there is no 'cuda:99'"):
        cuda.synchronize(99)


def test_what_a_gpu_is(gpu):
    properties = cuda.get_device_properties(0)
    assert properties.name == cuda.get_device_name(0) in repr(properties)
    assert (properties.major, properties.minor) == cuda.get_device_capability()
    assert properties.total_memory > 1 << 30 and properties.multi_processor_count > 0
    assert properties.warp_size == 32
    free, total = cuda.mem_get_info()
    assert 0 < free <= total
    assert not cuda.can_device_access_peer(0, 0)
    assert cuda.is_initialized() and cuda._initialized and cuda.init() is None
    with pytest.raises(RuntimeError, match="is no GPU"):
        cuda.get_device_properties("cpu")
    with pytest.raises(AttributeError, match=r"get_device_propertys.*get_device_properties"):
        _ = cuda.get_device_propertys


@pytest.mark.cuda
def test_memory_in_use_is_counted():
    if not cuda.is_available():
        pytest.skip("no GPU")
    before = cuda.memory_allocated(0)
    cuda.reset_peak_memory_stats()
    x = tinytensor.zeros(1 << 20, device="cuda")
    assert cuda.memory_allocated("cuda:0") == before + x.nbytes <= cuda.memory_reserved()
    y = x + 1
    peak = cuda.max_memory_allocated()
    del y
    assert cuda.max_memory_allocated() == peak >= before + 2 * x.nbytes
    del x
    cuda.reset_peak_memory_stats()
    assert cuda.max_memory_allocated() == cuda.memory_allocated() == before
    assert "in use by arrays" in cuda.memory_summary()
    if cuda.device_count() > 1:
        other = tinytensor.zeros(1 << 20, device="cuda:1")
        assert cuda.memory_allocated(1) >= other.nbytes and cuda.memory_allocated(0) == before
    with pytest.raises(cuda.OutOfMemoryError, match=r"out of memory: tried to allocate 4096.00 GiB "
                       r"on cuda:0, which has .* GiB.*smaller batch"):
        tinytensor.zeros(1 << 40, device="cuda")
    with pytest.raises(RuntimeError, match="out of memory"):
        tinytensor.ones(1 << 20, 1, device="cuda") * tinytensor.ones(1 << 20, device="cuda")


def test_the_error_of_full_memory_says_what_helps(gpu):
    error = gpu_memory.out_of_memory(gpu, 3 << 29)
    assert isinstance(error, MemoryError) and isinstance(error, RuntimeError)
    assert isinstance(error, cuda.OutOfMemoryError)
    assert "tried to allocate 1.50 GiB on cuda:0" in str(error) and "no_grad()" in str(error)
    assert [gpu_memory.in_words(n) for n in (12, 3 << 10, 5 << 20)] == [
        "12 bytes", "3.00 KiB", "5.00 MiB"]


def test_precision_of_products(gpu):
    linalg, matmul = gpu._core._routines_linalg, tinytensor.backends.cuda.matmul
    try:
        matmul.allow_tf32 = True
        assert linalg.get_compute_type("float32") == linalg.COMPUTE_TYPE_TF32
        assert matmul.allow_tf32 and tinytensor.get_float32_matmul_precision() == "high"
        tinytensor.set_float32_matmul_precision("highest")
        assert linalg.get_compute_type("float32") == linalg.COMPUTE_TYPE_DEFAULT
        assert not matmul.allow_tf32
        tinytensor.set_float32_matmul_precision("medium")
        assert matmul.allow_tf32
    finally:
        matmul.allow_tf32 = False
    assert tinytensor.get_float32_matmul_precision() == "highest"


def test_pinned_memory(gpu):
    x = tinytensor.arange(6.0).reshape(2, 3)
    pinned = x.pin_memory()
    assert pinned.is_pinned() and not x.is_pinned() and pinned.tolist() == x.tolist()
    assert pinned.pin_memory() is pinned and pinned[0, 1:].is_pinned() and pinned.t().is_pinned()
    for source in (x, pinned):
        for non_blocking in (False, True):
            there = source.to("cuda", non_blocking=non_blocking)
            back = there.to("cpu", non_blocking=True)
            cuda.synchronize()
            assert back.tolist() == x.tolist() and back.is_pinned()
            assert source.cuda(non_blocking=True).tolist() == x.tolist()
    target = tinytensor.zeros(2, 3, device="cuda")
    assert target.copy_(pinned, non_blocking=True).tolist() == x.tolist()
    with pytest.raises(RuntimeError, match="only memory of the CPU"):
        target.pin_memory()
    empty = tinytensor.ones(0, 2).pin_memory()
    assert empty.is_pinned() and tuple(empty.cuda().shape) == (0, 2)


def test_batches_in_pinned_memory(gpu):
    data = tinytensor.utils.data
    pairs = data.TensorDataset(tinytensor.arange(6.0), tinytensor.arange(6))
    for x, y in data.DataLoader(pairs, 2, pin_memory=True):
        assert x.is_pinned() and y.is_pinned() and x.tolist() == y.tolist()

    class Named(data.Dataset):
        def __len__(self):
            return 2

        def __getitem__(self, i):
            return {"x": tinytensor.tensor([float(i)]), "name": str(i), "both": (i, numpy.ones(2))}

    batch = next(iter(data.DataLoader(Named(), 2, pin_memory=True)))
    assert batch["x"].is_pinned() and batch["both"][1].is_pinned() and batch["name"] == ["0", "1"]
    assert not next(iter(data.DataLoader(pairs, 2)))[0].is_pinned()


def test_without_a_gpu_a_question_has_an_answer_and_work_an_error():
    """A user without a GPU, or with one that does not work."""
    program = """
import sys
sys.modules["cupy"] = None
import tinytensor as tt
cuda = tt.cuda
assert not cuda.is_available() and cuda.device_count() == 0 and not cuda.is_initialized()
assert cuda._initialized is False and not hasattr(cuda, '_initialised')
assert cuda.memory_allocated() == cuda.max_memory_allocated() == cuda.memory_reserved() == 0
cuda.synchronize(); cuda.empty_cache(); cuda.manual_seed_all(1); cuda.reset_peak_memory_stats()
cuda.seed(); cuda.seed_all(); cuda.ipc_collect()
tt.backends.cuda.matmul.allow_tf32 = True
assert tt.get_float32_matmul_precision() == "high"
for call in (cuda.Event, cuda.Stream, cuda.current_stream, cuda.get_device_properties, cuda.init,
             cuda.mem_get_info, tt.ones(1).cuda, cuda.current_device):
    try:
        call()
    except RuntimeError as error:
        assert str(error).startswith("device 'cuda' is not available: CuPy is not installed: pip "
                                     "install 'cupy-cuda12x[ctk]'"), error
    else:
        raise AssertionError(call)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
