"""`utils.benchmark`, with a clock that the test sets; names and structure are PyTorch's."""

from __future__ import annotations

import inspect
import statistics

import pytest
import torch.utils.benchmark as theirs
from torch.utils.benchmark.utils.common import TaskSpec

import tinytensor
from tinytensor.utils import benchmark


class Clock:
    """A clock that a statement moves on."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def work(self, seconds):
        self.now += seconds


def made(seconds, **options):
    clock = Clock()
    return benchmark.Timer("clock.work(seconds)", timer=clock,
                           globals={"clock": clock, "seconds": seconds}, **options)


def test_timeit_divides_by_the_number():
    result = made(0.5).timeit(10)
    assert result.number_per_run == 10 and result.raw_times == [pytest.approx(5.0)]
    assert result.median == result.mean == pytest.approx(0.5)


def test_code_may_be_indented_as_a_whole():
    timer = benchmark.Timer(stmt="""
        for _ in range(2):
            seen.append(x)
        """, setup="""
        x = 1
        y = 2
        """, globals={"seen": (seen := [])})
    assert timer.timeit(3).title == "for _ in range(2):\n    seen.append(x)" and set(seen) == {1}



@pytest.mark.parametrize("seconds, number", [(1.0, 1), (1e-3, 1), (1e-5, 100)])
def test_blocks_are_long_enough(seconds, number):
    seen = []
    result = made(seconds).blocked_autorange(lambda *block: seen.append(block), min_run_time=0.5)
    assert result.number_per_run == number
    assert sum(result.raw_times) >= 0.5 and len(seen) == len(result.raw_times)
    assert result.median == pytest.approx(seconds)


def test_adaptive_measurement_ends_when_times_agree():
    result = made(0.01).adaptive_autorange(min_run_time=0.1)
    assert len(result.raw_times) >= 4 and result.meets_confidence()


def test_statistics_are_those_of_pytorch():
    times = [1.0, 1.1, 1.3, 2.0, 4.0]
    mine = benchmark.Measurement(2, times, stmt="x", description="d")
    task = TaskSpec(stmt="x", setup="", description="d")
    other = theirs.Measurement(2, times, task)
    for name in ("median", "mean", "iqr", "times", "has_warnings"):
        assert getattr(mine, name) == pytest.approx(getattr(other, name)), name
    assert mine.median == statistics.median(times) / 2


def test_table_and_texts(capsys):
    results = [made(seconds, label="sum", sub_label=rows, description=kind).timeit(2)
               for kind, seconds in (("a", 0.002), ("b", 0.25)) for rows in ("10", "20")]
    assert "Times are in ms." in str(benchmark.Compare(results))
    table = benchmark.Compare([*results, results[0]])
    table.trim_significant_figures()  # as in PyTorch's tutorial
    table.colorize(rowwise=True)
    table.print()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[3:5]] == [
        ["10", "|", "2", "|", "250"], ["20", "|", "2", "|", "250"]]
    assert "sum: 10: a" in repr(results[0]) and "2 ms" in repr(results[0])


def test_threads_are_put_back():
    before = tinytensor.get_num_threads()
    seen = []
    benchmark.Timer("f()", globals={"f": lambda: seen.append(tinytensor.get_num_threads())},
                    num_threads=1).timeit(1)
    assert set(seen) == {1} and tinytensor.get_num_threads() == before


def test_parameters_are_those_of_pytorch():
    for name in ("__init__", "timeit", "blocked_autorange", "adaptive_autorange"):
        mine, other = (list(inspect.signature(getattr(timer, name)).parameters)
                       for timer in (benchmark.Timer, theirs.Timer))
        assert mine == other, name
    with pytest.raises(ValueError, match="the language must be Python"):
        benchmark.Timer(language="c++")
    with pytest.raises(AttributeError, match=r"has no 'Timers'.*; close to it: Timer"):
        benchmark.Timers  # noqa: B018
