"""Functions of functions, under the names of `torch.func`: derivatives and batches.

    per_sample = vmap(grad(loss), in_dims=(None, 0, 0))(parameters, inputs, targets)
"""

from .derivatives import grad, grad_and_value, hessian, jacfwd, jacrev, jvp, linearize, vjp
from .mapping import vmap
from .state import (
    functional_call,
    functionalize,
    replace_all_batch_norm_modules_,
    stack_module_state,
)

__all__ = ["functional_call", "functionalize", "grad", "grad_and_value", "hessian", "jacfwd",
           "jacrev", "jvp", "linearize", "replace_all_batch_norm_modules_", "stack_module_state",
           "vjp", "vmap"]
