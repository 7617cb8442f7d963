"""What the live page asks of Python: functions that take and give JSON."""

from __future__ import annotations

import dataclasses
import json
import time

from .program import Session, Settings

_session = Session(Settings())


def begin(settings: str, frame: str = "") -> str:
    """Begins a run, or goes on after one of its frames. Gives the points.

    Raises ValueError if a setting is out of its range.
    """
    global _session
    given = json.loads(settings)
    _session = Session(Settings(**{**given, "layers": tuple(given["layers"])}))
    if frame:
        _session.restore(json.loads(frame))
    return json.dumps({"points": _session.points, "held_out": _session.held_out,
                       "settings": dataclasses.asdict(_session.settings)})


def steps(milliseconds: float) -> str:
    """The frames of as many steps as begin within some milliseconds, and of at least one."""
    end = time.monotonic() + milliseconds / 1000
    frames = [_session.step()]
    while time.monotonic() < end:
        frames.append(_session.step())
    return json.dumps(frames)


def backward(sample: int, frame: str) -> str:
    """The trace of the loss of one point at the weights of a frame, for the debugger."""
    return json.dumps(_session.backward_of(sample, json.loads(frame)), allow_nan=False)
