"""Layer norm written out, on arrays: mean, variance, scale and shift."""

import tinytensor as tt
from tinytensor import learn

tt.manual_seed(0)
x = tt.randn(4, 6, requires_grad=True)
weight = tt.ones(6, requires_grad=True)
bias = tt.zeros(6, requires_grad=True)
direction = tt.randn(4, 6)

with learn.record():
    centred = x - x.mean(1, keepdim=True)
    variance = (centred * centred).mean(1, keepdim=True)
    normalised = centred / (variance + 1e-5).sqrt()
    result = normalised * weight + bias
    loss = (result * direction).sum()
