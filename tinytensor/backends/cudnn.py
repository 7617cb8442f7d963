"""cuDNN, which is not used: `import tinytensor.backends.cudnn as cudnn; cudnn.benchmark = True`.

What is set here changes nothing; see `tinytensor.backends`.
"""

enabled = True
benchmark = False
deterministic = False
allow_tf32 = True


def is_available() -> bool:
    """False: CuPy 14 and newer come without cuDNN."""
    return False


def version() -> int | None:
    """None: there is no cuDNN."""
    return None
