"""The tests on a GPU by default: what is expected to fail there is listed, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.everywhere import LIST, Results, failing_cases, read_list

ROOT = Path(__file__).parent.parent
TEXT = """
# The device is printed
tests/test_a.py::test_text
tests/test_a.py::test_cases : 2

#? Signs are LAPACK's
tests/test_b.py::test_signs[a and b] : 3
tests/test_c.py
"""


def report(test: str, failed: bool, when: str = "call", skipped: bool = False) -> Any:
    return SimpleNamespace(nodeid=test, failed=failed, when=when, skipped=skipped,
                           passed=not failed and not skipped)


@pytest.mark.parametrize(("test", "cases", "reason"), [
    ("tests/test_a.py::test_text", None, "The device is printed"),
    ("tests/test_a.py::test_text[1]", None, "The device is printed"),
    ("tests/test_a.py::test_texts", None, None),
    ("tests/test_a.py::test_text", 1, None),
    ("tests/test_a.py::test_cases", 2, "The device is printed"),
    ("tests/test_a.py::test_cases", 1, None),  # one case more, or fewer, is news
    ("tests/test_a.py::test_cases", None, None),
    ("tests/test_b.py::test_signs[a and b]", 3, "Signs are LAPACK's"),
    ("tests/test_b.py::test_signs[a and b]", 2, "Signs are LAPACK's"),  # other machines pass it
    ("tests/test_b.py::test_signs[a and b]", 4, None),
    ("tests/test_b.py::test_signs[b]", 3, None),
    ("tests/test_c.py::test_anything", None, "Signs are LAPACK's"),
    ("tests/test_c.py::test_anything", 7, "Signs are LAPACK's"),
])
def test_a_failure_is_one_of_the_list_or_news(test: str, cases: int | None, reason: str | None,
                                              ) -> None:
    found = report(test, True)
    Results(read_list(TEXT)).judge(found, cases)
    assert getattr(found, "wasxfail", None) == reason
    assert found.outcome == "skipped" if reason else not hasattr(found, "outcome")


def test_lines_that_are_no_longer_true_are_reported() -> None:
    results = Results(read_list(TEXT))
    for found in (report("tests/test_a.py::test_text[1]", False),
                  report("tests/test_a.py::test_cases", False, skipped=True),
                  report("tests/test_b.py::test_signs[a and b]", False)):
        results.judge(found, None)
        results.note(found)
    assert results.stale() == ["tests/test_a.py::test_text"]
    found = report("tests/test_a.py::test_text[2]", True)
    results.judge(found, None)
    results.note(found)
    assert results.stale() == []  # one of its parameters fails
    assert list(results.summary()) == ["    1 fail as listed: The device is printed"]


def test_cases_are_counted_by_the_note_of_the_error() -> None:
    error = ValueError()
    assert failing_cases(error) is None and failing_cases(None) is None
    error.add_note("fails for 12 of 30: [0], [1]")
    assert failing_cases(error) == 12


@pytest.mark.parametrize("text", ["tests/test_a.py::test_without_heading", "# A\nno test",
                                  "# A\ntests/test_a.py\n#? B\ntests/test_a.py : 2"])
def test_a_list_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match="cannot read"):
        read_list(text)


def test_the_list_names_tests_that_exist() -> None:
    for line in read_list(LIST.read_text()):
        file, _, test = line.test.partition("::")
        source = (ROOT / file).read_text()
        assert not test or re.search(rf"^def {test.partition('[')[0]}\(", source, re.MULTILINE), \
            line.test


@pytest.mark.cuda
def test_mistakes_have_the_same_messages_there() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.everywhere", "tests/test_misuse.py"],
                          cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "on the GPU" in done.stdout and " passed" in done.stdout
