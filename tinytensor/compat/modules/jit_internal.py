"""`torch._jit_internal`: private names of `torch.jit` that libraries import."""

from .jit import Final as Final
from .jit import ignore as ignore
from .jit import is_scripting as is_scripting
from .jit import script_if_tracing as _copy_to_script_wrapper
from .jit import script_if_tracing as _overload
from .jit import script_if_tracing as _overload_method
from .jit import unused as unused

__all__ = ["Final", "_copy_to_script_wrapper", "_overload", "_overload_method", "ignore",
           "is_scripting", "unused"]
