"""doctor: the sanity checks of a training program, on anybody's model.

The checks follow Karpathy's "A Recipe for Training Neural Networks" (2019).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..nn.module import Module
from .doctor_page import write_page
from .patient import LayerNumbers, Patient
from .symptoms import CHECKS, Finding

__all__ = ["Diagnosis", "Finding", "doctor"]


@dataclass
class Diagnosis:
    """The findings, the first cause first. As a string it is a report.

    findings   what is wrong
    skipped    checks that could not be done, with the error
    seconds    how long it took
    layers     outputs, gradients and updates of the linear and convolutional layers, by path
    losses     of a few samples that were learned by heart
    """

    findings: list[Finding]
    skipped: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    layers: dict[str, LayerNumbers] = field(default_factory=dict, repr=False)
    losses: list[float] = field(default_factory=list, repr=False)

    def __str__(self) -> str:
        n = len(self.findings)
        head = f"doctor: {n or 'no'} finding{'' if n == 1 else 's'} ({self.seconds:.1f} s)"
        if n > 1:
            head += ", the likeliest cause first"
        parts = [head, *(f"{i}. {finding}" for i, finding in enumerate(self.findings, 1))]
        parts += [f"not checked: {name} ({why})" for name, why in self.skipped.items()]
        return "\n\n".join(parts)

    __repr__ = __str__

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a page with the findings, histograms of each layer's outputs and gradients, its
        update, and the loss of the samples learned by heart. One HTML file, without scripts.
        """
        write_page(self, path)


def doctor(model: Any, batch: Any, loss: Callable[[Any, Any], Any], optimizer: Any = None, *,
           step: Callable[..., Any] | None = None,
           evaluate: Callable[[], Any] | None = None, seconds: float = 15.0) -> Diagnosis:
    """Examines a model, its data and its training, and says what is wrong: `print(doctor(...))`.

    It looks at inputs and targets, at the loss before training, at what depends on what, at
    gradients, layers and updates, and trains for some seconds: on a few samples, which a healthy
    model learns by heart, and on inputs of zeros. Weights, gradients, buffers, modes, the
    optimizer's state and random streams are left as they were, bit for bit.

    Args:
        model: a Module. It is called as `model(*inputs)`.
        batch: (input, target), or (input, ..., target). Dimension 0 of each is the batch; 32 to
            256 samples are best.
        loss: a function (output, target) that returns a Tensor of one number, such as
            `F.cross_entropy`.
        optimizer: the program's. Without it updates are not examined, and training uses Adam.
        step: the program's training step, a function (input, ..., target) that returns the loss.
            With it the step itself is examined, for example for a missing zero_grad().
        evaluate: the program's evaluation, a function without arguments, which is examined too.
        seconds: the most time for one training; there are up to four.

    Raises:
        TypeError: the model is not a Module, or the batch is not a tuple of two or more.
    """
    if not isinstance(model, Module):
        raise TypeError(f"doctor: expected a Module, got {type(model).__name__}")
    if not isinstance(batch, tuple | list) or len(batch) < 2:
        raise TypeError("doctor: expected a batch (input, target), got "
                        f"{type(batch).__name__}" + (f" of {len(batch)}"
                                                     if isinstance(batch, tuple | list) else ""))
    start = time.monotonic()
    patient = Patient(model, tuple(batch[:-1]), batch[-1], loss, optimizer, step, evaluate,
                      seconds)
    diagnosis = Diagnosis(patient.findings)
    for check in CHECKS:
        name = (check.__doc__ or check.__name__).partition("\n")[0].rstrip(".")
        try:
            with patient.restored():
                diagnosis.findings.extend(check(patient))
        except Exception as error:
            diagnosis.skipped[name] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        if any(finding.final for finding in diagnosis.findings):
            break
    diagnosis.layers, diagnosis.losses = patient.seen, patient.losses
    diagnosis.seconds = time.monotonic() - start
    return diagnosis
