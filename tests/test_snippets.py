"""Every Python block of the pages: it runs, and prints what the comment beside `print` says.

The blocks of a page run one after the other, in one namespace and in an empty folder.
"""

from __future__ import annotations

import builtins
import itertools
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tinytensor import distributed
from tinytensor.site.markdown import INCLUDED

ROOT = Path(__file__).parent.parent
SITE = ROOT / "tinytensor/site/pages"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PRINTED = re.compile(r"^ *print\(.*\)  # (.*)$")
# Pages whose blocks other tests run, each with the words of the test that does.
ELSEWHERE = {
    "README.md": ("test_project.py", "test_readme_programs_print_what_it_shows"),
    "CONTRIBUTING.md": ("test_contributing.py", "test_the_operation_passes_all_checks"),
    "tinytensor/learn/MISTAKES.md": ("test_learn_explaining.py", "re.findall"),
}
# What blocks of a page take for granted: code to run before the block with these words.
GIVEN = {
    "tinytensor/learn/README.md": {
        "with tt.retain_all():": """
import scalar
import tinytensor as tt
from tinytensor import optim
from tinytensor.nn import functional
tt.manual_seed(0)
model = tt.nn.MLP(2, [8, 2])
x, y = tt.randn(64, 2), tt.randint(0, 2, (64,))
f = functional.cross_entropy
loss_of = lambda output: f(output, y)
optimizer = optim.Adam(model.parameters())
""",
    },
}
counter = itertools.count()


def pages() -> list[str]:
    """The files with Python blocks that the site shows."""
    files = [*INCLUDED.values(), *(p.relative_to(ROOT).as_posix() for p in SITE.rglob("*.md"))]
    return sorted(file for file in files if BLOCK.search((ROOT / file).read_text()))


def run(text: str, given: dict[str, str]) -> list[str]:
    """Runs the blocks of a page. Returns what differs from the comments beside `print`."""
    made: Any = ModuleType(f"snippets_{next(counter)}")
    sys.modules[made.__name__] = made  # where classes are found
    wrong: list[str] = []
    try:
        for match in BLOCK.finditer(text):
            first = text.count("\n", 0, match.start(1))
            expected = {first + i: found[1] for i, line in enumerate(match[1].splitlines(), 1)
                        if (found := PRINTED.match(line))}
            said: dict[int, str] = {}

            def note(*values: Any, said: dict[int, str] = said, **options: Any) -> None:
                said[sys._getframe(1).f_lineno] = " ".join(map(str, values))

            made.print = note
            for words, code in given.items():
                if words in match[1]:
                    exec(code, vars(made))
            exec(compile("\n" * first + match[1], made.__name__, "exec"), vars(made))
            wrong += [f"line {line}: prints {said.get(line)}, the page says {words}"
                      for line, words in expected.items() if said.get(line) != words]
    finally:
        del sys.modules[made.__name__]
        if distributed.is_initialized():
            distributed.destroy_process_group()
    return wrong


@pytest.mark.parametrize("page", sorted({*pages()} - {*ELSEWHERE}))
def test_the_blocks_of_a_page_run_and_print_what_it_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / page).read_text()
    if any("init_process_group(" in block for block in BLOCK.findall(text)):
        pytest.importorskip("mpi4py")
    assert run(text, GIVEN.get(page, {})) == []


@pytest.mark.parametrize("page", GIVEN)
def test_blocks_that_take_something_for_granted_are_on_their_page(page):
    assert all(words in (ROOT / page).read_text() for words in GIVEN[page])


@pytest.mark.parametrize("page", ELSEWHERE)
def test_the_blocks_of_other_pages_have_their_own_tests(page):
    file, words = ELSEWHERE[page]
    assert page in pages() and words in (ROOT / "tests" / file).read_text()


def test_a_wrong_comment_and_an_error_are_noticed():
    assert run("```python\nx = 3\nprint(x + 1)  # 5\n```\n", {}) == [
        "line 3: prints 4, the page says 5"]
    assert run("```python\nx = 3\n```\n```python\nif x == 0:\n    print(x)  # 3\n```\n", {}) == [
        "line 6: prints None, the page says 3"]
    with pytest.raises(ZeroDivisionError):
        run("```python\n1 / 0\n```\n", {})
    assert builtins.print is print
