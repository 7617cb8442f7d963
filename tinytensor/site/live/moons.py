"""A network of two layers of 8 neurons on four points of the two moons."""

import math

import scalar
from tinytensor import learn

scalar.manual_seed(0)
model = scalar.nn.MLP(2, [8, 8, 1])
points = [[math.cos(t), math.sin(t)] for t in (0.5, 2.0)] \
    + [[1 - math.cos(t), 0.5 - math.sin(t)] for t in (0.5, 2.0)]
targets = [1, 1, -1, -1]

with learn.record():
    loss = scalar.functional.hinge_loss(model(points), targets)
loss.label = "loss"
