"""The first run: the forward, the loss and the backward."""

from __future__ import annotations

import re
import traceback
import warnings
from collections.abc import Iterator

from ...autograd.frames import OWN
from ...autograd.modes import detect_anomaly, enable_grad
from ...tensors.tensor import Tensor
from ..patient import Patient
from .finding import Finding


def check_run(p: Patient) -> Iterator[Finding]:
    """The forward, the loss and the backward, with what they warn of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with p.mode(True), enable_grad(), detect_anomaly():
                loss = p.loss(p.model(*p.inputs), p.target)
                if loss.requires_grad and loss.numel() == 1:
                    loss.backward()
        except Exception as error:
            yield _failure(error)
            return
        finally:
            p.clear()
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        yield Finding("loss not a number", "backward needs one number",
                      f"a loss of shape {tuple(loss.shape)}", "a loss of shape ()",
                      'reduction="mean", or loss.mean()', final=True)
    elif not loss.requires_grad:
        yield Finding("loss without gradient", "the loss does not depend on any parameter that "
                      "is trained", "loss.requires_grad is False", "True",
                      "look for detach(), no_grad(), .item(), .numpy() or tensor(...) between the "
                      "parameters and the loss", final=True)
    p.warnings = caught


def _failure(error: Exception) -> Finding:
    text = str(error)
    if "detect_anomaly" in text:
        operation = re.search(r"of (\w+), called at (.*), (.*)$", text.splitlines()[0])
        where, what = (operation[2], f"{operation[1]} {operation[3]}") if operation else ("", text)
        return Finding("not finite", f"the first NaN or infinity: {what}", f"at {where}",
                       "finite numbers", "keep the operation's input in its range: log(x + 1e-9) "
                       "or log_softmax, x / (y + eps), exp of differences from the maximum",
                       final=True)
    frames = [f for f in traceback.walk_tb(error.__traceback__) if OWN not in f[0].f_globals]
    line = f"at {frames[-1][0].f_code.co_filename}:{frames[-1][1]}" if frames else "in backward"
    return Finding("does not run", f"{type(error).__name__}: {text.splitlines()[0]}",
                   line, "a forward and a backward without an error",
                   " ".join(getattr(error, "__notes__", ())) or "read the error", final=True)
