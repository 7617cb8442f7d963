"""cuDNN, which is not used: `import tinytensor.backends.cudnn as cudnn; cudnn.benchmark = True`.

The options have no effect; see `tinytensor.backends`.
"""

import contextlib
from collections.abc import Iterator

OPTIONS = ("enabled", "benchmark", "benchmark_limit", "deterministic", "allow_tf32")

enabled = True
benchmark = False
benchmark_limit: int | None = 10
deterministic = False
allow_tf32 = True


def is_available() -> bool:
    """False: CuPy 14 and newer do not use cuDNN."""
    return False


def version() -> int | None:
    """None: cuDNN is not used."""
    return None


@contextlib.contextmanager
def flags(enabled: bool = False, benchmark: bool = False, benchmark_limit: int | None = 10,
          deterministic: bool = False, allow_tf32: bool = True,
          fp32_precision: str = "none") -> Iterator[None]:
    """The options within a block; they have no effect."""
    before = {name: globals()[name] for name in OPTIONS}
    globals().update(enabled=enabled, benchmark=benchmark, benchmark_limit=benchmark_limit,
                     deterministic=deterministic, allow_tf32=allow_tf32)
    try:
        yield
    finally:
        globals().update(before)
