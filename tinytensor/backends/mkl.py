"""Intel's MKL, which is not used under this name."""


def is_available() -> bool:
    """False: arrays are those of NumPy and CuPy."""
    return False
