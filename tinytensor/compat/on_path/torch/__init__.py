"""`import torch` in a new process of a program for which `as_torch()` is in effect.

`as_torch` adds the folder above to `sys.path`, which multiprocessing hands on to new processes.
tinytensor replaces this module when it is imported.
"""

from tinytensor.compat.as_torch import as_torch

as_torch()
