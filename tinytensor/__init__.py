"""tinytensor: a deep-learning framework to learn on and to stay with.

Tensors are NumPy arrays (on a GPU, CuPy arrays) that remember how they were computed, so that
`backward()` can give the derivative of a result by everything it was computed from. Names,
arguments and semantics are PyTorch's. `scalar`, beside this package, is the same engine on single
numbers, to be read first.
"""

from __future__ import annotations

import importlib.util as _imports
import warnings as _warnings
from typing import TYPE_CHECKING, Any

from . import accelerator, amp, autograd, backends, cuda, linalg, ops, random, special, testing
from .amp import GradScaler, autocast
from .arrays import dtypes
from .arrays.devices import device, get_default_device, set_default_device
from .arrays.dtypes import (
    can_cast,
    channels_last,
    channels_last_3d,
    contiguous_format,
    dtype,
    finfo,
    get_default_dtype,
    iinfo,
    memory_format,
    preserve_format,
    promote_types,
    set_default_dtype,
)
from .arrays.threads import get_num_threads, set_num_threads
from .autograd import frames as _frames
from .autograd.modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .compat import absent
from .random import Generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state
from .tensors.creation import *  # noqa: F403
from .tensors.drawing import draw_dot
from .tensors.printing import set_printoptions
from .tensors.sampling import *  # noqa: F403
from .tensors.tensor import Size, Tensor

if TYPE_CHECKING:
    from .table import *  # noqa: F403

__version__ = "0.1.0"

globals().update(ops.names_for(""))  # the functions of the table of operations
globals().update(dtypes.BY_NAME)  # float32, int64, ... and their short names

from . import distributed, distributions, nn, optim, utils  # noqa: E402 - built on all of the above
from .compat.names import *  # noqa: E402, F403
from .nn import functional  # noqa: E402 - the word that `scalar` has for it too
from .tensors.files import load, save  # noqa: E402

# Packages that make operations faster. Without them everything works.
if _imports.find_spec(f"{__name__}.compiled"):
    from . import compiled
if _imports.find_spec(f"{__name__}.kernels"):
    from . import kernels


def __getattr__(name: str) -> Any:
    raise absent.AbsentName("tinytensor", name, lambda: globals())


# Dividing by zero gives inf or NaN, as in PyTorch, and no warning. Only for lines of this
# package: what NumPy tells users about their own code stays.
_warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"tinytensor\.")
_frames.mark_own_modules(__name__)
