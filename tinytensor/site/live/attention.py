"""One head of causal attention on six tokens, on arrays."""

import math

import tinytensor as tt
from tinytensor import learn, nn


class Head(nn.Module):
    def __init__(self, width, size):
        super().__init__()
        self.query = nn.Linear(width, size, bias=False)
        self.key = nn.Linear(width, size, bias=False)
        self.value = nn.Linear(width, size, bias=False)

    def forward(self, x):
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.mT / math.sqrt(q.shape[-1])
        mask = tt.ones(len(x), len(x)).tril() == 0
        return scores.masked_fill(mask, float("-inf")).softmax(-1) @ v


tt.manual_seed(0)
head, x = Head(16, 8), tt.randn(6, 16)

with learn.record():
    loss = (head(x) ** 2).mean()
