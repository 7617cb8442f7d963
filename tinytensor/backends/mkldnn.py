"""oneDNN, which is not used."""


def is_available() -> bool:
    """False: arrays are those of NumPy and CuPy."""
    return False
