"""cuDNN, which is not used: `import tinytensor.backends.cudnn as cudnn; cudnn.benchmark = True`.

The options have no effect; see `tinytensor.backends`.
"""

enabled = True
benchmark = False
deterministic = False
allow_tf32 = True


def is_available() -> bool:
    """False: CuPy 14 and newer do not use cuDNN."""
    return False


def version() -> int | None:
    """None: cuDNN is not used."""
    return None
