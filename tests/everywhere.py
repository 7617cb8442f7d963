"""Runs the tests with "cuda" as the default device, where CuPy and a GPU are.

    python -m tests.everywhere                        # all tests; options and files are pytest's
    python -m tests.everywhere tests/test_linalg.py

The tests are written for the CPU. Here new Tensors are on the GPU, and kernels are on. So that the
tests still say something, arrays cross over by themselves where a program would have to ask for it,
random numbers are the CPU's, which the tests compare with PyTorch's, texts do not show the device,
an autocast of the CPU is one of the GPU, and wrong values are reported at once.

Tests that choose the device themselves, or that are about kernels for the CPU, are left out. Those
that must fail are listed in everywhere.txt, with the reason. Only other failures are reported, and
lines of the list that are no longer true.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

for _library in ("OMP", "OPENBLAS", "MKL"):  # as in conftest.py, which is imported later
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

import pytest  # noqa: E402

import tinytensor  # noqa: E402
from tinytensor import amp, random  # noqa: E402
from tinytensor.arrays.dispatch import KernelSettings  # noqa: E402
from tinytensor.autograd import casting, deferred  # noqa: E402
from tinytensor.distributions import counts, gamma  # noqa: E402
from tinytensor.tensors import printing, sampling  # noqa: E402

devices = sys.modules["tinytensor.arrays.devices"]
LIST = Path(__file__).with_name("everywhere.txt")
GPU = "cuda:0"
OWN_DEVICE = {"gpu", "strict", "kernels"}  # fixtures
RESULTS: pytest.StashKey[Results] = pytest.StashKey()


# ---------------------------------------------------------------- the list


@dataclasses.dataclass(frozen=True)
class Expected:
    """A line of the list: tests that fail on a GPU.

    test     a file, a test, or a test with one of its parameters
    cases    of a test that runs cases in turn: how many of them fail
    reason   the heading
    always   False if other machines may pass it
    """

    test: str
    cases: int | None
    reason: str
    always: bool

    def covers(self, test: str) -> bool:
        return test == self.test or test.startswith((self.test + "[", self.test + "::"))

    def allows(self, cases: int | None) -> bool:
        """Whether `cases` failed cases of a test are what the line says.

        A line for a whole file allows any number. One that other machines may pass allows fewer.
        """
        return "::" not in self.test or cases == self.cases or (
            not self.always and cases is not None and cases < (self.cases or 0))


def read_list(text: str) -> list[Expected]:
    """The lines of a list. `# reason` begins a part, `#? reason` one that other machines may pass.

    Raises:
        ValueError: a line that is not understood, or is there twice.
    """
    found: dict[str, Expected] = {}
    heading = None
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("#"):
            heading = re.fullmatch(r"#(\??) (.+)", line)
            continue
        parts = re.fullmatch(r"(tests/\w+\.py.*?)(?: : (\d+))?", line)
        if parts is None or heading is None or parts[1] in found:
            raise ValueError(f"{LIST.name}: cannot read {line!r}, or it is there twice")
        found[parts[1]] = Expected(parts[1], int(parts[2]) if parts[2] else None,
                                   heading[2], not heading[1])
    return list(found.values())


def failing_cases(error: BaseException | None) -> int | None:
    """How many cases fail in a test that runs them in turn: see `operations.run_all`."""
    notes = "\n".join(getattr(error, "__notes__", []))
    said = re.search(r"^fails for (\d+) of \d+: ", notes, re.MULTILINE)
    return int(said[1]) if said else None


class Results:
    """The reports of a run, compared with the list."""

    def __init__(self, expected: Iterable[Expected]):
        self.expected = list(expected)
        self.failed: dict[Expected, int] = collections.Counter()
        self.passed: set[Expected] = set()

    def judge(self, report: Any, cases: int | None) -> None:
        """Makes a failure that is expected an xfail. `cases` is what `failing_cases` says."""
        for line in self.expected:
            if report.failed and line.covers(report.nodeid) and (
                    report.when != "call" or line.allows(cases)):
                report.outcome, report.wasxfail = "skipped", line.reason

    def note(self, report: Any) -> None:
        """Notes the report of one phase of a test, after `judge`."""
        for line in self.expected:
            if line.covers(report.nodeid):
                if getattr(report, "wasxfail", None) == line.reason:
                    self.failed[line] += 1
                elif report.when == "call" and report.passed:
                    self.passed.add(line)

    def stale(self) -> list[str]:
        """The lines whose tests ran, and did not fail."""
        return [line.test for line in self.expected
                if line.always and line in self.passed and line not in self.failed]

    def summary(self) -> Iterator[str]:
        reasons: dict[str, int] = collections.Counter()
        for line, count in self.failed.items():
            reasons[line.reason] += count
        for reason, count in sorted(reasons.items(), key=lambda item: -item[1]):
            yield f"{count:5} fail as listed: {reason}"
        for test in self.stale():
            yield f"passes, and is listed in {LIST.name}: {test}"


# ---------------------------------------------------------------- a GPU for tests of the CPU


class Drawn:
    """The stream of a generator of the CPU, whose numbers are moved to the GPU."""

    def __init__(self, stream: Any, gpu: Any):
        self.stream, self.xp = stream, gpu.xp
        self.less_again = gpu.less_again  # kernels draw again from the GPU's stream

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.stream, name)
        if name == "numpy" or not callable(member):
            return member
        return lambda *args, **given: self.xp.asarray(member(*args, **given))


class OnGpu:
    """The default generator of a GPU: that of the CPU."""

    def __init__(self, cpu: random.Generator, gpu: random.Generator):
        self.cpu, self.device, self.stream = cpu, gpu.device, Drawn(cpu.stream, gpu.stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cpu, name)


def adapt() -> None:
    """Makes tests that are written for the CPU run on the GPU."""
    to_numpy, from_numpy = tinytensor.Tensor.numpy, tinytensor.from_numpy
    generator_of, stream_of = random.generator_of, sampling.stream_of
    with_suffixes, run = printing._with_suffixes, deferred.RangeCheck.run
    autocast, cast_to = amp.autocast.__init__, casting.cast_to

    @functools.wraps(from_numpy)
    def from_numpy_there(array: Any) -> Any:
        return from_numpy(array).to(GPU)

    @functools.wraps(to_numpy)
    def to_numpy_here(self: Any, *, force: bool = False) -> Any:
        return to_numpy(self, force=force or not self.requires_grad)

    def default_generator(where: Any = "cpu") -> Any:
        gpu = generator_of(where)
        return OnGpu(generator_of("cpu"), gpu) if gpu.device.type == "cuda" else gpu

    def stream(generator: Any, where: Any) -> Any:
        if generator is None or (generator.device.type, where.type) != ("cpu", "cuda"):
            return stream_of(generator, where)
        return Drawn(generator.stream, generator_of(where).stream)

    @functools.wraps(autocast)
    def autocast_there(self: Any, device_type: str, *args: Any, **given: Any) -> None:
        autocast(self, device_type, *args, **given)
        self.device = "cuda" if device_type == "cpu" else device_type

    def run_and_read(self: Any, array: Any) -> None:
        run(self, array)
        deferred.read()

    def check_first(array: Any, *args: Any, **given: Any) -> Any:
        check = deferred.range_check(array, *args, **given)
        check.run(array)
        return check

    tinytensor.Tensor.numpy, tinytensor.from_numpy = to_numpy_here, from_numpy_there
    random.generator_of = default_generator
    sampling.stream_of = counts.stream_of = gamma.stream_of = stream
    printing._with_suffixes = lambda text, suffixes: with_suffixes(
        text, [suffix for suffix in suffixes if suffix != f"device='{GPU}'"])
    amp.autocast.__init__ = autocast_there
    casting.cast_to = lambda dtype, device_type, *rest: cast_to(dtype, "cuda", *rest)
    deferred.RangeCheck.run = run_and_read
    sys.modules["tinytensor.ops.cross_entropy"].range_check = check_first


# ---------------------------------------------------------------- pytest's hooks


@pytest.fixture(autouse=True)
def on_the_gpu() -> Iterator[None]:
    """Makes the GPU the default device of a test, whatever the one before has left."""
    devices._defaults.stack[:], devices._defaults.gpu = [devices.device(GPU)], None
    yield
    deferred.read()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: Any) -> None:
    config.stash[RESULTS] = Results(read_list(LIST.read_text()))
    config.pluginmanager.register(Summary(config.stash[RESULTS]))
    KernelSettings.enabled = True  # conftest.py switches them off
    tinytensor.set_default_device("cuda")  # also for what test files make when they are imported
    adapt()


def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    left_out = [item for item in items if OWN_DEVICE & {*item.fixturenames}]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not OWN_DEVICE & {*item.fixturenames}]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Any:
    report = yield
    item.config.stash[RESULTS].judge(report, failing_cases(call.excinfo and call.excinfo.value))
    return report


class Summary:
    """The end of the run: in the first process, if there are several."""

    def __init__(self, results: Results):
        self.results = results

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.results.note(report)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        terminalreporter.section("on the GPU")
        for line in self.results.summary():
            terminalreporter.write_line(line)

    def pytest_sessionfinish(self, session: Any, exitstatus: int) -> None:
        if exitstatus == pytest.ExitCode.OK and self.results.stale():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def main() -> None:
    if not tinytensor.cuda.is_available():
        raise SystemExit(f"tests.everywhere: {devices._load_cupy()[1]}")
    raise SystemExit(pytest.main(["-p", "tests.everywhere", "-q", "--tb=short", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
