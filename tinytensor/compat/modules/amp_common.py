"""`torch.cuda.amp.common`, which thinc, and so spaCy, asks at its import."""

from ...arrays.devices import cuda_is_available

__all__ = ["amp_definitely_not_available"]


def amp_definitely_not_available() -> bool:
    """Whether there is no GPU for which `cuda.amp` could cast."""
    return not cuda_is_available()
