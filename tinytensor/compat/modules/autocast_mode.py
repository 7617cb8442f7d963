"""`torch.amp.autocast_mode` and `torch.cuda.amp.autocast_mode`."""

from ...amp import autocast as autocast
