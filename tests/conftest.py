"""Fixtures that more than one test file uses."""

from __future__ import annotations

import gc
import os
import sys

# The tests run in several processes on small arrays: threads of BLAS would only get in each
# other's way. To be set before NumPy is imported.
for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
# The tests are about the references; kernels, which have to be compiled, are compared with them in
# tests of their own, which ask for the fixture `kernels`.
os.environ.setdefault("TINYTENSOR_KERNELS", "0")

import pytest  # noqa: E402
import strict_cupy  # noqa: E402

from tinytensor.arrays.dispatch import use_kernels  # noqa: E402


def pytest_collection_finish() -> None:
    """Everything imported and collected stays to the end: the garbage collector, which would walk
    over it again and again, need not know of it.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def kernels():
    """Kernels are used."""
    with use_kernels(True):
        yield


@pytest.fixture(params=["strict", pytest.param("cupy", marks=pytest.mark.cuda)])
def gpu(request):
    """The array module of device="cuda": the strict stand-in, and CuPy where there is a GPU."""
    device = sys.modules["tinytensor.arrays.devices"]
    if request.param == "cupy":
        if not device.cuda_is_available():
            pytest.skip(device._load_cupy()[1])
        yield device.cupy()
    else:
        with strict_cupy.installed(device):
            yield strict_cupy.cupy
