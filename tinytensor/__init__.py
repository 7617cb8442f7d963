"""tinytensor: a deep-learning framework to learn on and to stay with.

Tensors are NumPy arrays (on a GPU, CuPy arrays) that remember how they were computed, so that
`backward()` can give the derivative of a result by everything it was computed from. Names,
arguments and semantics are PyTorch's. `scalar`, beside this package, is the same engine on single
numbers, to be read first.
"""

from __future__ import annotations

import importlib.util as _imports
import sys as _sys
import warnings as _warnings
from typing import TYPE_CHECKING, Any

from . import (
    accelerator as accelerator,
    amp as amp,
    autograd as autograd,
    backends as backends,
    cuda as cuda,
    linalg as linalg,
    ops as ops,
    random as random,
    special as special,
    testing as testing,
)
from .amp import (
    GradScaler as GradScaler,
    autocast as autocast,
)
from .arrays import dtypes
from .arrays.devices import (
    device as device,
    get_default_device as get_default_device,
    set_default_device as set_default_device,
)
from .arrays.dtypes import (
    can_cast as can_cast,
    channels_last as channels_last,
    channels_last_3d as channels_last_3d,
    contiguous_format as contiguous_format,
    dtype as dtype,
    finfo as finfo,
    get_default_dtype as get_default_dtype,
    iinfo as iinfo,
    memory_format as memory_format,
    preserve_format as preserve_format,
    promote_types as promote_types,
    set_default_dtype as set_default_dtype,
)
from .arrays.threads import (
    get_num_threads as get_num_threads,
    set_num_threads as set_num_threads,
)
from .autograd import frames as _frames
from .autograd.modes import (
    enable_grad as enable_grad,
    inference_mode as inference_mode,
    is_anomaly_check_nan_enabled as is_anomaly_check_nan_enabled,
    is_anomaly_enabled as is_anomaly_enabled,
    is_grad_enabled as is_grad_enabled,
    is_inference_mode_enabled as is_inference_mode_enabled,
    no_grad as no_grad,
    set_grad_enabled as set_grad_enabled,
)
from .compat import absent
from .compat import einops_backend as _einops
from .compat import modules as _stand_ins
from .random import (
    Generator as Generator,
    get_rng_state as get_rng_state,
    initial_seed as initial_seed,
    manual_seed as manual_seed,
    seed as seed,
    set_rng_state as set_rng_state,
)
from .tensors.creation import *  # noqa: F403
from .tensors.drawing import draw_dot as draw_dot
from .tensors.printing import set_printoptions as set_printoptions
from .tensors.retaining import retain_all as retain_all
from .tensors.sampling import *  # noqa: F403
from .tensors.windows import *  # noqa: F403
from .tensors.tensor import (
    Size as Size,
    Tensor as Tensor,
)

if TYPE_CHECKING:
    from .compat.as_torch import as_torch as as_torch
    from .table.dtypes import *  # noqa: F403
    from .table.functions import *  # noqa: F403

__version__ = "0.1.0"

globals().update(ops.names_for(""))  # the functions of the table of operations
globals().update(dtypes.BY_NAME)  # float32, int64, ... and their short names

from . import (  # noqa: E402 - built on all of the above
    distributed as distributed,
    distributions as distributions,
    func as func,
    nn as nn,
    optim as optim,
    utils as utils,
)
from .compat.names import *  # noqa: E402, F403
from .compat.names import attached as _attached  # noqa: E402
from .func import vmap as vmap  # noqa: E402
from .nn import functional as functional  # noqa: E402 - the word that `scalar` has for it too
from .tensors.files import (  # noqa: E402
    load as load,
    save as save,
)

globals().update(_attached())

# Packages that make operations faster. Without them everything works.
if _imports.find_spec(f"{__name__}.compiled"):
    from . import compiled as compiled
if _imports.find_spec(f"{__name__}.kernels"):
    from . import kernels as kernels

# What says why a derivative is wrong; imported when one is.
if _imports.find_spec(f"{__name__}.learn"):
    from .autograd.gradcheck import explainers as _explainers
    _explainers.append(f"{__name__}.learn.explaining")

# Modules of PyTorch that have no counterpart here, such as `jit`, are imported when they are named.
_sys.meta_path.append(_stand_ins.Finder(__name__))
_einops.install()

if not TYPE_CHECKING:  # checkers report unknown names themselves
    def __getattr__(name: str) -> Any:
        if name == "default_generator":
            return random.default_generator
        if name == "as_torch":
            from .compat.as_torch import as_torch

            return as_torch
        try:
            return _stand_ins.attribute(__name__, name)
        except (LookupError, AttributeError):
            raise absent.AbsentName("tinytensor", name, lambda: globals()) from None


# Dividing by zero gives inf or NaN, as in PyTorch, and no warning. Only for lines of this
# package: what NumPy tells users about their own code stays.
_warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"tinytensor\.")
_frames.mark_own_modules(__name__)
