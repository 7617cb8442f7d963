"""A number that is used twice: its gradient has two parts, which arrive one after the other."""

from scalar import Value
from tinytensor import learn

a, b = Value(3.0, label="a"), Value(-2.0, label="b")

with learn.record():
    product = a * b
    total = a + product
    loss = total * product

for name in ("product", "total", "loss"):
    globals()[name].label = name
