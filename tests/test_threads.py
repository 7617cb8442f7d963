"""The threads of the kernels: every piece runs once, even if threads are late. Errors are raised.

Also matrix products in these threads, against NumPy's.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import subprocess
import sys
import threading
import time

import numpy
import pytest
import torch

import tinytensor
from tinytensor.arrays import threads
from tinytensor.arrays.dispatch import use_kernels
from tinytensor.kernels.cpu import linalg
from tinytensor.kernels.loops import loop
from tinytensor.kernels.pool import Pool, pool
from tinytensor.nn import functional

pytest.importorskip("numba")
from tinytensor.kernels import crew

pytestmark = pytest.mark.usefixtures("kernels")


@loop
def count_up(start, stop, total, pieces):
    """Increments each element, and records where each piece starts and stops."""
    for i in range(start, stop):
        total[i] += 1
    pieces[start] = stop


@loop
def ask_for_too_much(start, stop, out):
    if start:
        out[start] = numpy.empty(1 << 60, numpy.float64)[start]


@pytest.fixture(params=[2, 3, 5])
def several(request, monkeypatch):
    monkeypatch.setattr(threads.Threads, "count", request.param)
    return request.param


def pieces_of(length, pool=pool, **how):
    total, pieces = numpy.zeros(length, numpy.int64), numpy.zeros(length, numpy.int64)
    pool.split(count_up, length, total, pieces, **how)
    assert (total == 1).all()
    return [(int(start), int(pieces[start])) for start in numpy.flatnonzero(pieces)]


def test_every_piece_is_done_once(several):
    for length in (1, 2, 7, 100, 1001):
        found = pieces_of(length)
        assert len(found) == min(several, length)
        assert max(b - a for a, b in found) - min(b - a for a, b in found) <= 1


def test_pieces_begin_where_they_should_and_are_not_too_small(monkeypatch):
    monkeypatch.setattr(threads.Threads, "count", 3)
    assert pieces_of(100, align=8) == [(0, 32), (32, 64), (64, 100)]
    assert pieces_of(100, least=40) == [(0, 50), (50, 100)]
    assert pieces_of(100, least=51) == [(0, 100)]


def test_many_jobs_in_a_row_lose_nothing(several):
    total, pieces = numpy.zeros(64, numpy.int64), numpy.zeros(64, numpy.int64)
    for _ in range(20_000):
        pool.split(count_up, 64, total, pieces)
    assert (total == 20_000).all()


def test_threads_that_sleep_are_woken(several):
    pieces_of(100)
    until = time.monotonic() + 30
    while not all(pool.board[worker.place] for worker in pool.workers):
        assert time.monotonic() < until, "a thread goes on watching though there is no work"
        time.sleep(0.001)
    assert len(pieces_of(100)) == several
    assert not any(pool.board[worker.place] for worker in pool.workers[:several - 1])


def test_a_job_does_not_wait_for_threads_that_are_not_there(several):
    """No thread watches this board, so the caller does all the work."""
    total, pieces = numpy.zeros(50, numpy.int64), numpy.zeros(50, numpy.int64)
    assert not count_up.parallel(crew.new_board(), 50, several, 1, total, pieces)
    assert (total == 1).all()


def test_an_error_in_a_piece_reaches_the_caller(several):
    with pytest.raises(RuntimeError, match="ask_for_too_much: the kernel failed on a thread"):
        pool.split(ask_for_too_much, 10, numpy.zeros(3))
    assert len(pieces_of(100)) == several  # the threads still work


def test_one_caller_at_a_time_has_the_threads_the_others_work_alone(several):
    other = Pool()
    with other.busy:
        assert pieces_of(100, other) == [(0, 100)]
        assert not other.workers


def test_threads_of_the_program_may_all_call(several):
    failed = []

    def calls():
        try:
            for _ in range(300):
                pieces_of(100)
        except BaseException as error:
            failed.append(error)

    callers = [threading.Thread(target=calls) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not failed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_has_threads_of_its_own(several):
    pieces_of(100)
    child = os.fork()
    if not child:
        os._exit(len(pieces_of(100)) != several or len(pool.workers) != several - 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_threads_can_be_set(monkeypatch):
    monkeypatch.setattr(threads.Threads, "count", 2)  # restores the count at the end
    blas = threads._openblas()
    before = blas and blas.scipy_openblas_get_num_threads64_()
    try:
        for count in (3, 1):
            tinytensor.set_num_threads(count)
            assert tinytensor.get_num_threads() == count
            assert blas is None or blas.scipy_openblas_get_num_threads64_() == count
        assert pieces_of(100) == [(0, 100)]
        with pytest.raises(RuntimeError, match="at least 1, got 0"):
            tinytensor.set_num_threads(0)
    finally:
        if blas:
            blas.scipy_openblas_set_num_threads64_(before)


@pytest.mark.parametrize(("named", "count"), [("3", "3"), ("2,1", "2"), ("0", None), ("x", None)])
def test_the_default_is_omp_num_threads_or_the_cores(named, count):
    code = "import tinytensor; print(tinytensor.get_num_threads())"
    environment = {k: v for k, v in os.environ.items() if "NUM_THREADS" not in k}
    runs = [subprocess.run([sys.executable, "-c", code], env=environment | given, text=True,
                           capture_output=True, check=True).stdout.strip()
            for given in ({"OMP_NUM_THREADS": named}, {})]
    assert runs[0] == (count or runs[1])
    assert runs[1] == str(len(os.sched_getaffinity(0)))


# ---------------------------------------------------------------- matrix products


SHAPES = [(128, 130, 129), (3, 700, 1003), (1, 1500, 1501), (1501, 1400, 1), (2100, 1001, 1),
          (150, 1, 130)]


@pytest.fixture
def one_thread_of_openblas():
    """Sets OpenBLAS to 3 threads, and checks that the test restores this number."""
    blas = linalg._blas()
    if blas is None:
        pytest.skip("NumPy has another library than OpenBLAS")
    before = blas.get_threads()
    library = ctypes.CDLL(numpy.linalg._umath_linalg.__file__)
    library.scipy_openblas_set_num_threads64_(3)
    yield
    assert blas.get_threads() == 3 and not blas.state[0]
    library.scipy_openblas_set_num_threads64_(before)


@pytest.mark.parametrize("dtype", [numpy.float32, numpy.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_products_equal_numpys(shape, dtype, several, one_thread_of_openblas, monkeypatch):
    monkeypatch.setattr(linalg, "BLAS_THREADS", 1)
    monkeypatch.setattr(linalg, "OUR_THREADS", 1)
    rows, depth, columns = shape
    rng = numpy.random.default_rng(0)
    tolerance = (depth + 4) * numpy.finfo(dtype).eps  # includes the bias
    bias = rng.standard_normal(columns).astype(dtype)
    for a_shape, b_shape in (((rows, depth), (depth, columns)), ((depth, rows), (columns, depth))):
        a, b = (rng.standard_normal(s).astype(dtype) for s in (a_shape, b_shape))
        a, b = (x if x.shape == s else x.T
                for x, s in ((a, (rows, depth)), (b, (depth, columns))))
        exact = a.astype(numpy.float64) @ b.astype(numpy.float64)
        for more in (None, bias):
            found = linalg._product(a, b, more)
            assert found.dtype == dtype
            error = numpy.abs(found - exact - (0 if more is None else more))
            assert (error <= tolerance * (numpy.abs(a) @ numpy.abs(b) + 1)).all()


def test_openblas_has_its_threads_again_after_all_that_were_inside(one_thread_of_openblas):
    blas = linalg._blas()
    inside, leave = threading.Event(), threading.Event()

    def wait():
        inside.set()
        assert leave.wait(30)

    thread = threading.Thread(target=blas.alone, args=(wait,))
    thread.start()
    assert inside.wait(30)
    assert blas.alone(blas.get_threads) == 1  # returns before the other thread
    assert blas.get_threads() == 1
    with pytest.raises(ZeroDivisionError):
        blas.alone(lambda: 1 / 0)
    leave.set()
    thread.join()
    assert blas.get_threads() == 3


def test_infinities_and_nan_go_where_they_go_in_numpys(several, one_thread_of_openblas):
    a, b = numpy.ones((200, 130)), numpy.ones((130, 190))
    a[3, 5], a[190, 7], b[6, 180] = numpy.inf, numpy.nan, -numpy.inf
    with numpy.errstate(invalid="ignore"):
        numpy.testing.assert_array_equal(linalg._product(a, b), a @ b)


def leaves():
    rng = numpy.random.default_rng(0)
    return [tinytensor.tensor(rng.standard_normal(shape), requires_grad=True)
            for shape in ((3, 70, 130), (110, 130), (110,))]


@pytest.mark.parametrize("layer", [
    lambda x, w, b: functional.linear(x, w, b), lambda x, w, b: functional.linear(x, w) + b,
    lambda x, w, b: x @ w.T + b, lambda x, w, b: x[0] @ w.T.clone() + b])
def test_layers_and_their_gradients_equal_the_references(layer, several, monkeypatch):
    monkeypatch.setattr(linalg, "BLAS_THREADS", 1)
    monkeypatch.setattr(linalg, "OUR_THREADS", 1)
    used = []
    monkeypatch.setattr(pool, "split", lambda loop, *args, **how: (
        used.append(loop.__name__), Pool.split(pool, loop, *args, **how)))
    results = []
    for on in (True, False):
        with use_kernels(on):
            tensors = leaves()
            out = layer(*tensors)
            out.backward(out.detach().cos())
            results.append([out.detach(), *(x.grad for x in tensors)])
    products = [name for name in used if name in ("product", "linear_back")]
    assert products in (["product"] * 3, ["product", "linear_back"]) or linalg._blas() is None
    for mine, reference in zip(*results, strict=True):
        numpy.testing.assert_allclose(mine.numpy(), reference.numpy(), 1e-12, 1e-12)


@pytest.mark.parametrize("samples", [1, 2, 31, 200])
def test_a_linear_layer_s_gradients_are_those_that_are_wanted(samples, several, monkeypatch):
    monkeypatch.setattr(linalg, "OUR_THREADS_VECTOR", 1)
    rng = numpy.random.default_rng(0)
    shapes = ((samples, 130), (110, 130), (110,))
    arrays = [rng.standard_normal(shape) for shape in shapes]
    weight = rng.standard_normal((samples, 110))
    for wanted in itertools.product((True, False), repeat=3):
        if not any(wanted):
            continue
        grads = []
        for lib in (tinytensor, torch):
            tensors = [lib.tensor(a, requires_grad=w) for a, w in zip(arrays, wanted, strict=True)]
            out = lib.nn.functional.linear(*tensors)
            (out * lib.tensor(weight)).sum().backward()
            grads.append([x.grad for x in tensors])
        for mine, theirs in zip(*grads, strict=True):
            assert (mine is None) == (theirs is None)
            if mine is not None:
                numpy.testing.assert_allclose(mine.numpy(), theirs.numpy(), 1e-12, 1e-12)


def test_without_openblas_numpy_makes_the_products(several, monkeypatch):
    monkeypatch.setattr(linalg, "_blas", lambda: None)
    assert linalg._product(numpy.ones((200, 200)), numpy.ones((200, 200))) is None
    x, w, b = leaves()
    out = functional.linear(x, w, b)
    numpy.testing.assert_allclose(out.detach().numpy(),
                                  x.detach().numpy() @ w.detach().numpy().T + b.detach().numpy())
    out.sum().backward()
    numpy.testing.assert_allclose(b.grad.numpy(), 210)
    sums = x.detach().numpy().sum((0, 1))
    numpy.testing.assert_allclose(w.grad.numpy(), numpy.broadcast_to(sums, (110, 130)))
