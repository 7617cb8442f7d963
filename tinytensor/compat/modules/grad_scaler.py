"""`torch.amp.grad_scaler` and `torch.cuda.amp.grad_scaler`."""

import enum

from ...amp import GradScaler as GradScaler


class OptState(enum.Enum):
    """What has happened to an optimizer's gradients since the last `update`."""

    READY = 0
    UNSCALED = 1
    STEPPED = 2
