"""Timing of small pieces of code, under the names of `torch.utils.benchmark`.

    timer = Timer("x @ x", globals={"x": tinytensor.rand(500, 500)})
    print(timer.blocked_autorange())
"""

from __future__ import annotations

import contextlib
import itertools
import statistics
import sys
import textwrap
import timeit
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from .. import cuda
from ..arrays.threads import get_num_threads, set_num_threads

__all__ = ["Compare", "Measurement", "Timer", "timer"]

FEW, WIDE_IQR = 4, 0.1  # measurements, and the iqr per median, that `Measurement` warns of
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


def timer() -> float:
    """The time in seconds, after the work of the GPU if there is one."""
    if cuda.is_available():
        cuda.synchronize()
    return perf_counter()


@dataclass
class Measurement:
    """Times of a statement: `raw_times` in seconds, of `number_per_run` executions each."""

    number_per_run: int
    raw_times: list[float]
    stmt: str = ""
    label: str | None = None
    sub_label: str | None = None
    description: str | None = None
    num_threads: int = 1
    env: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def times(self) -> list[float]:
        """The times of one execution."""
        return [t / self.number_per_run for t in self.raw_times]

    @property
    def median(self) -> float:
        return statistics.median(self.times)

    @property
    def mean(self) -> float:
        return statistics.fmean(self.times)

    @property
    def iqr(self) -> float:
        """The distance from the first to the third quartile; 0 for one time."""
        if len(self.raw_times) < 2:
            return 0.0
        first, _, third = statistics.quantiles(self.times, method="inclusive")
        return third - first

    @property
    def has_warnings(self) -> bool:
        return len(self.raw_times) < FEW or not self.meets_confidence()

    def meets_confidence(self, threshold: float = WIDE_IQR) -> bool:
        """Whether the iqr is less than a part of the median."""
        return self.iqr / self.median < threshold

    @property
    def title(self) -> str:
        parts = (self.label or self.stmt, self.sub_label, self.description)
        return ": ".join(part for part in parts if part)

    @staticmethod
    def merge(measurements: Iterable[Measurement]) -> list[Measurement]:
        """Measurements of the same statement as one, in the order of their first."""
        groups: dict[Any, list[Measurement]] = {}
        for m in measurements:
            groups.setdefault((m.stmt, m.label, m.sub_label, m.description, m.num_threads, m.env),
                              []).append(m)
        merged = []
        for key, group in groups.items():
            times = [t for m in group for t in m.times]
            merged.append(Measurement(1, times, *key))
        return merged

    def __repr__(self) -> str:
        unit, name = _unit(self.median)
        lines = [f"<{__name__}.Measurement>", self.title]
        if len(self.raw_times) == 1:
            lines.append(f"  {self.median / unit:.4g} {name}")
        else:
            lines.append(f"  Median: {self.median / unit:.4g} {name}")
            lines.append(f"  IQR:    {self.iqr / unit:.3g} {name}")
        count = len(self.raw_times)
        lines.append(f"  {count} measurement{'s' * (count > 1)}, {self.number_per_run} runs per "
                     f"measurement, {self.num_threads} thread{'s' * (self.num_threads > 1)}")
        if count > 1 and self.has_warnings:
            why = f"there are only {count} measurements" if count < FEW \
                else "the IQR is more than a tenth of the median"
            lines.append(f"  WARNING: {why}; measure longer")
        return "\n".join(lines)


def _unit(seconds: float) -> tuple[float, str]:
    return next((u for u in UNITS if seconds >= u[0]), UNITS[-1])


class Timer:
    """Times a statement, with one thread unless `num_threads` says otherwise.

    Args:
        stmt, setup: Python code, executed as by `timeit.Timer`. It may be indented as a whole.
        global_setup: has no effect: it is for C++.
        timer: a function that returns the time; by default it waits for the GPU.
        globals: the variables of the code.
        label, sub_label, description, env: to tell measurements apart, see `Compare`.

    Raises:
        ValueError: a language other than Python.
    """

    def __init__(self, stmt: str = "pass", setup: str = "pass", global_setup: str = "",
                 timer: Callable[[], float] = timer, globals: dict[str, Any] | None = None,
                 label: str | None = None, sub_label: str | None = None,
                 description: str | None = None, env: str | None = None, num_threads: int = 1,
                 language: Any = "python"):
        if str(getattr(language, "name", language)).lower() not in ("py", "python", "0"):
            raise ValueError(f"Timer: the language must be Python, got {language!r}")
        stmt, setup = (textwrap.dedent(code.removeprefix("\n")).rstrip() for code in (stmt, setup))
        self._about: dict[str, Any] = {"stmt": stmt, "label": label, "sub_label": sub_label,
                       "description": description, "env": env, "num_threads": num_threads}
        self._threads, self._clock = num_threads, timer
        self._timer = timeit.Timer(stmt, setup, timer, globals)

    def _run(self, number: int) -> float:
        # At least what the clock can tell, so that a time can be divided by.
        return max(self._timer.timeit(number), 1e-9)

    def _measured(self, number: int, times: list[float]) -> Measurement:
        return Measurement(number, times, **self._about)

    @contextlib.contextmanager
    def _with_threads(self) -> Iterator[None]:
        before = get_num_threads()
        if before == self._threads:
            yield
            return
        set_num_threads(self._threads)
        try:
            yield
        finally:
            set_num_threads(before)

    def timeit(self, number: int = 1000000) -> Measurement:
        """One time of `number` executions, after a few to warm up."""
        with self._with_threads():
            self._run(max(number // 100, 2))
            return self._measured(number, [self._run(number)])

    def repeat(self, repeat: int = -1, number: int = -1) -> None:
        """Refuses, as in PyTorch: `blocked_autorange` repeats."""
        raise NotImplementedError("Timer.repeat: use blocked_autorange() or timeit()")

    autorange = repeat

    def _block_size(self, min_run_time: float) -> int:
        """So many executions that reading the clock is no part of the time."""
        overhead = statistics.median(timeit.Timer(timer=self._clock).timeit(0) for _ in range(5))
        number = 1
        self._run(number)  # the first run may compile, or fill caches
        while True:
            taken = self._run(number)
            if taken >= min_run_time / 1000 and overhead <= taken * 1e-4 or taken > min_run_time:
                return number
            number *= 10

    def blocked_autorange(self, callback: Callable[[int, float], Any] | None = None,
                          min_run_time: float = 0.2) -> Measurement:
        """Times of equal blocks of executions, for at least min_run_time seconds.

        `callback` is called with the number of executions and the time of each block.
        """
        with self._with_threads():
            number = self._block_size(min_run_time)
            times: list[float] = []
            while sum(times) < min_run_time or not times:
                times.append(self._run(number))
                if callback is not None:
                    callback(number, times[-1])
        return self._measured(number, times)

    def adaptive_autorange(self, threshold: float = 0.1, *, min_run_time: float = 0.01,
                           max_run_time: float = 10.0,
                           callback: Callable[[int, float], Any] | None = None) -> Measurement:
        """Times of equal blocks, until the iqr is below `threshold` times the median."""
        with self._with_threads():
            number = self._block_size(0.05)
            times: list[float] = []
            while True:
                times.append(self._run(number))
                if callback is not None:
                    callback(number, times[-1])
                total = sum(times)
                if total > max_run_time or total >= min_run_time and len(times) >= FEW \
                        and self._measured(number, times).meets_confidence(threshold):
                    return self._measured(number, times)


class Compare:
    """Measurements as a table: a row for each sub_label or statement and number of threads, and a
    column for each description.
    """

    def __init__(self, results: Sequence[Measurement]):
        self._results = list(results)

    def extend_results(self, results: Iterable[Measurement]) -> None:
        self._results.extend(results)

    def trim_significant_figures(self) -> None:
        """Has no effect: times have four digits."""

    def colorize(self, rowwise: bool = False) -> None:
        """Has no effect: tables have no colours."""

    def print(self) -> None:
        """Prints the tables."""
        print(self)

    def __str__(self) -> str:
        merged = Measurement.merge(self._results)
        labels = dict.fromkeys(m.label for m in merged)
        return "\n".join(self._table(label, [m for m in merged if m.label == label])
                         for label in labels)

    @staticmethod
    def _table(label: str | None, results: list[Measurement]) -> str:
        columns = list(dict.fromkeys(m.description or "" for m in results))
        rows = dict.fromkeys((m.num_threads, m.sub_label or m.stmt, m.env) for m in results)
        unit, name = _unit(min(m.median for m in results))
        cells = {((m.num_threads, m.sub_label or m.stmt, m.env), m.description or ""):
                 f"{m.median / unit:.4g}" for m in results}
        lines = [["", *columns]]
        for threads, group in itertools.groupby(rows, key=lambda row: row[0]):
            lines.append([f"{threads} thread{'s' * (threads > 1)}:", *[""] * len(columns)])
            for row in group:
                text = f"{row[1]} ({row[2]})" if row[2] else row[1]
                lines.append([f"  {text}", *(cells.get((row, c), "") for c in columns)])
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = ["  |  ".join([line[0].ljust(widths[0]), *(
            cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))]).rstrip()
            for line in lines]
        rule = "-" * max(map(len, table))
        return "\n".join([f"[{label or 'times'}]".center(len(rule), "-"), *table, rule,
                          f"Times are in {name}."])


def __getattr__(name: str) -> Any:
    from ..compat import absent

    raise absent.AbsentName(__name__, name, lambda: vars(sys.modules[__name__]))
