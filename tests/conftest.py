"""Fixtures that more than one test file uses."""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys

# The tests run in several processes on small arrays, where BLAS threads only slow each other
# down. The variables must be set before NumPy is imported.
for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
# The tests run without kernels, which take time to compile. Tests of the kernels use the fixture
# `kernels`.
os.environ.setdefault("TINYTENSOR_KERNELS", "0")

# The processes of pytest-xdist have no script and several threads, so they are not to be forked.
if "forkserver" in multiprocessing.get_all_start_methods():
    multiprocessing.set_start_method("forkserver")

import chromium  # noqa: E402
import pytest  # noqa: E402
import strict_cupy  # noqa: E402

from tinytensor.arrays.dispatch import use_kernels  # noqa: E402


def pytest_collection_finish() -> None:
    """Excludes all objects that exist after collection from garbage collection.

    They live to the end of the process, and each full collection would walk over them.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def kernels():
    """Switches the kernels on."""
    with use_kernels(True):
        yield


@pytest.fixture(params=["strict", pytest.param("cupy", marks=pytest.mark.cuda)])
def gpu(request):
    """The array module of device="cuda": strict_cupy, and CuPy where there is a GPU."""
    device = sys.modules["tinytensor.arrays.devices"]
    if request.param == "cupy":
        if not device.cuda_is_available():
            pytest.skip(device._load_cupy()[1])
        yield device.cupy()
        device.Gpus.forget()
        device.set_device(0)
    else:
        with strict_cupy.installed(device):
            yield strict_cupy.cupy


@pytest.fixture(scope="module")
def browser():
    """A browser for the tests of a file."""
    browser = chromium.Browser()
    yield browser
    browser.close()
