"""A neuron and its loss, on single numbers."""

from scalar import Value
from tinytensor import learn

w0, w1, b = Value(0.5, label="w0"), Value(-1.0, label="w1"), Value(0.3, label="b")
x0, x1 = Value(2.0, label="x0"), Value(1.0, label="x1")

with learn.record():
    p0 = w0 * x0
    p1 = w1 * x1
    n = p0 + p1 + b
    out = n.tanh()
    loss = (out - 0.8) ** 2

for name in ("p0", "p1", "n", "out", "loss"):
    globals()[name].label = name
