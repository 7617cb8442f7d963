"""Checks of inputs and targets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy

from ...tensors.tensor import Tensor
from ..patient import Patient, array
from .finding import Finding


def check_inputs(p: Patient) -> Iterator[Finding]:
    """Whether the inputs are finite and of usual size."""
    for index, x in enumerate(p.inputs):
        if not isinstance(x, Tensor) or not x.is_floating_point() or not x.numel():
            continue
        name = f"input {index}" if len(p.inputs) > 1 else "the inputs"
        data = array(x).astype(numpy.float64)
        broken = ~numpy.isfinite(data)
        if broken.any():
            where = tuple(int(i) for i in numpy.argwhere(broken)[0])
            yield Finding("data not finite", f"{name} contain NaN or infinity",
                          f"{data[where]} at {list(where)}, {broken.sum()} of {data.size} numbers",
                          "finite numbers", "find where the data are read or divided by zero; "
                          "drop or fill in missing values", final=True)
            return
        mean, std = data.mean(), data.std()
        if std == 0 and data.size > 1:
            yield Finding("data constant", f"{name} are all the same number",
                          f"{data.flat[0]:g} everywhere", "inputs that differ between samples",
                          "look at what the loader returns; the scaling may divide by too much")
        elif std > 20 or std < 0.02 or abs(mean) > 10 * std:
            yield Finding("data not normalised", f"{name} are far from mean 0 and deviation 1",
                          f"mean {mean:.3g}, standard deviation {std:.3g}",
                          "mean near 0, standard deviation 0.1 to 10",
                          "normalise: (x - x.mean(0)) / x.std(0) of the training set; "
                          "images as numbers in [0, 1]")


def check_targets(p: Patient) -> Iterator[Finding]:
    """Whether the targets are finite, of usual size, and fit the inputs."""
    y = p.target
    if not isinstance(y, Tensor) or not y.numel():
        return
    data = array(y)
    if data.dtype.kind == "f":
        broken = ~numpy.isfinite(data)
        if broken.any():
            yield Finding("targets not finite", "the targets contain NaN or infinity",
                          f"{broken.sum()} of {data.size} numbers", "finite numbers",
                          "find where the targets are read or computed", final=True)
            return
        if data.size > 1 and data.std() > 50:
            yield Finding("targets not normalised", "the targets are large",
                          f"mean {data.mean():.3g}, standard deviation {data.std():.3g}",
                          "standard deviation near 1",
                          "train on (y - mean) / std and undo it in predictions")
    if data.ndim == 1 and data.size >= 16 and len(set(data.tolist())) == 1:
        yield Finding("one class", "all targets of the batch are the same",
                      f"{data.size} targets, all {data.flat[0]}", "targets of every class",
                      "shuffle the data before it is cut into batches: DataLoader(shuffle=True)")
    if data.ndim >= 1 and len(p.inputs) and isinstance(p.inputs[0], Tensor):
        yield from _labels_that_differ(array(p.inputs[0]), data)
        yield from _targets_among_the_inputs(array(p.inputs[0]), data)


def _labels_that_differ(x: Any, y: Any) -> Iterator[Finding]:
    """Equal inputs with different labels cannot be learned."""
    if y.ndim != 1 or y.dtype.kind not in "iub" or len(x) != len(y):
        return
    seen: dict[bytes, set[Any]] = {}
    for row, label in zip(numpy.ascontiguousarray(x), y.tolist(), strict=True):
        seen.setdefault(row.tobytes(), set()).add(label)
    differing = sum(len(labels) > 1 for labels in seen.values())
    if differing:
        yield Finding("labels contradict", "equal inputs have different labels",
                      f"{differing} of {len(seen)} different inputs", "0",
                      "check that inputs and labels are shuffled and cut by the same indices")


def _targets_among_the_inputs(x: Any, y: Any) -> Iterator[Finding]:
    """A feature that is the target itself."""
    if x.dtype.kind != "f" or x.ndim != 2 or len(x) != len(y) or y.size != len(y) or len(y) < 8:
        return
    target = y.reshape(-1).astype(numpy.float64)
    centred = x.astype(numpy.float64) - x.mean(0)
    norm = numpy.linalg.norm(centred, axis=0) * numpy.linalg.norm(target - target.mean())
    similar = numpy.abs(centred.T @ (target - target.mean())) / numpy.where(norm > 0, norm, 1)
    if norm.any() and similar.max() > 0.9999:
        yield Finding("target among the inputs", "an input feature is the target",
                      f"feature {int(similar.argmax())} has correlation {similar.max():.5f} "
                      "with it", "below 0.99", "leave that column out of the inputs")
