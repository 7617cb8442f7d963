"""`torch.onnx`: whether a model is being exported."""


def is_in_onnx_export() -> bool:
    """False: nothing is exported."""
    return False
