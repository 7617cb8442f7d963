"""The GPU of Apple's computers, which is not used."""


def is_available() -> bool:
    """False: arrays are NumPy's and CuPy's."""
    return False


def is_built() -> bool:
    """False, as `is_available`."""
    return False
