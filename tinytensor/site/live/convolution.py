"""A convolution of 3 x 3 over a small picture, ReLU, and the mean."""

import tinytensor as tt
from tinytensor import learn, nn

tt.manual_seed(0)
layer = nn.Conv2d(1, 2, 3)
picture = tt.zeros(1, 1, 6, 6)
picture[0, 0, 1:5, 2:4] = 1

with learn.record():
    maps = layer(picture)
    loss = nn.functional.relu(maps).mean()
