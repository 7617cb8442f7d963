"""`import torch` in a new process of a program for which `as_torch()` is in effect.

`as_torch` adds the folder above to `sys.path`, which multiprocessing hands on to new processes. This
module is replaced by tinytensor when it is imported.
"""

from tinytensor import as_torch

as_torch()
