"""`python -m tests.nvrtc`: compiles all CUDA kernels for GPUs of 2016 to 2025. No GPU is needed.

NVRTC is the compiler that CuPy uses. It comes with the package nvidia-cuda-nvrtc-cu12. The text of
the kernels that g++ accepts for `cuda_on_cpu.py` may be refused by it, as an undefined INFINITY is.
"""

from __future__ import annotations

import ctypes
import importlib.util
import time
from pathlib import Path
from typing import Any

import tinytensor.kernels.cuda  # noqa: F401 - defines the sources
from tinytensor.kernels.cuda.launch import FLOATS, Source

ARCHITECTURES = (60, 70, 75, 80, 86, 89, 90, 100, 120)


def library() -> Any:
    """NVRTC, or None if its package is not installed."""
    try:
        spec = importlib.util.find_spec("nvidia.cuda_nvrtc")
    except ModuleNotFoundError:
        return None
    for folder in () if spec is None else spec.submodule_search_locations or ():
        for file in sorted(Path(folder, "lib").glob("libnvrtc.so.*")):
            return ctypes.CDLL(str(file))
    return None


def compiled(nvrtc: Any, text: str, architecture: int, real: str) -> str:
    """What NVRTC says against a text; empty if it compiles."""
    program = ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kernels.cu", 0, None, None)
    given = [b"-std=c++17", f"-DReal={real}".encode(), f"-arch=compute_{architecture}".encode()]
    options = (ctypes.c_char_p * len(given))(*given)
    failed = nvrtc.nvrtcCompileProgram(program, len(given), options)
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return log.value.decode() or "refused" if failed else ""


def main(architectures: tuple[int, ...] = ARCHITECTURES) -> None:
    """
    Raises:
        SystemExit: a text that NVRTC refuses.
    """
    nvrtc = library()
    if nvrtc is None:
        print("NVRTC is not installed (pip install nvidia-cuda-nvrtc-cu12): nothing is compiled")
        return
    start, count = time.perf_counter(), 0
    for architecture in architectures:
        for source in Source.by_name.values():
            for real in FLOATS.values():
                if said := compiled(nvrtc, source.whole_text(), architecture, real):
                    raise SystemExit(f"{source.name}, {real}, sm_{architecture}:\n{said}")
                count += 1
    print(f"NVRTC compiles {count} programs for sm_{architectures[0]} to sm_{architectures[-1]} "
          f"in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
