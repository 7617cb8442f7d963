"""Softmax and cross-entropy of three samples with four classes, on arrays."""

import tinytensor as tt
from tinytensor import learn

tt.manual_seed(0)
logits = tt.randn(3, 4, requires_grad=True)
targets = tt.nn.functional.one_hot(tt.tensor([2, 0, 3]), 4)

with learn.record():
    shifted = logits - logits.max(1, keepdim=True).values.detach()
    exps = shifted.exp()
    probabilities = exps / exps.sum(1, keepdim=True)
    chosen = (probabilities * targets).sum(1)
    loss = -chosen.log().mean()
