"""Three steps of an LSTM cell, on arrays."""

import tinytensor as tt
from tinytensor import learn, nn


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(4, 6)
        self.read = nn.Linear(6, 1)

    def forward(self, x):
        h, c = tt.zeros(2, 6), tt.zeros(2, 6)
        for step in x:
            h, c = self.cell(step, (h, c))
        return self.read(h)


tt.manual_seed(0)
model = Reader()
x, target = tt.randn(3, 2, 4), tt.ones(2, 1)

with learn.record():
    loss = nn.functional.mse_loss(model(x), target)
