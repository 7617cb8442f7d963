"""Apple's GPU, which is not supported."""


def is_available() -> bool:
    """False: arrays are those of NumPy and CuPy."""
    return False


def is_built() -> bool:
    """False, as `is_available`."""
    return False
