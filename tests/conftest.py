"""Fixtures that more than one test file uses."""

from __future__ import annotations

import sys

import pytest
import strict_cupy


@pytest.fixture(params=["strict", pytest.param("cupy", marks=pytest.mark.cuda)])
def gpu(request):
    """The array module of device="cuda": the strict stand-in, and CuPy where there is a GPU."""
    device = sys.modules["tinytensor.devices"]
    if request.param == "cupy":
        if not device.cuda_is_available():
            pytest.skip(device._load_cupy()[1])
        yield device.cupy()
    else:
        with strict_cupy.installed(device):
            yield strict_cupy.cupy
