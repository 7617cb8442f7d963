"""tinytensor: a deep-learning framework to learn on and to stay with."""

from . import autograd, device as _device, dtypes as _dtypes, ops as _ops
from .creation import *
from .tensor import Size, Tensor
from .autograd import *
from .random import *
from .device import device
float32=_dtypes.float32; float64=_dtypes.float64; int64=_dtypes.int64; int32=_dtypes.int32
globals().update(_ops.names_for(""))
