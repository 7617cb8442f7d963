"""What the checks of the labs and the doctor recognise: wrong answers and bugs against diagnoses.

    python -m tests.matrices            prints a matrix for each lab, and the table of the zoo
    python -m tests.matrices --write    writes tinytensor/learn/DIAGNOSES.md

In the matrix of a lab, row i is wrong answer i of tests/wrong_answers.py, and column j what the
check says of answer j: # where it says the same of answer i. On the diagonal, # means that the
answer gets the words that stand beside it, and ! that it does not.
"""

from __future__ import annotations

import argparse
import ast
import math
import warnings
from pathlib import Path
from typing import Any

from tests.wrong_answers import WRONG
from tinytensor.learn.labs.checking import Wrong
from tinytensor.learn.labs.course import LABS, TODO, Lab
from tinytensor.learn.zoo.catalogue import ZOO, Exhibit, load

PAGE = Path(__file__).parent.parent / "tinytensor/learn/DIAGNOSES.md"
HEAD = """# What is recognised

For teachers: the mistakes that the checks of the [labs](README.md#a-course) name, and what the
doctor finds in the programs of the [zoo](README.md#a-zoo-of-bugs). `python -m tests.matrices
--write` writes this page; tests hold it.

## Wrong answers to the labs

[tests/wrong_answers.py](../../tests/wrong_answers.py) has the text of each answer, and the words of
its diagnosis. "As itself" counts the answers that get these words, and "mistakes" the different
sentences that are told.

"""
ZOO_HEAD = """
## Bugs of the zoo

The first finding of `learn.doctor` in each program, and its findings once the program is healed.

| | bug | first finding | healed |
|---|---|---|---|
"""


# ---------------------------------------------------------------- labs


def answered(lab: Lab, task: int | str, answer: str) -> str:
    """The file of a learner with one wrong answer."""
    if isinstance(task, int):
        return lab.solution_text({task: answer})
    text = lab.solution_text()
    if text.count(task) != 1:
        raise ValueError(f"{lab.title}: {text.count(task)} places have the text {task!r}")
    return text.replace(task, answer)


def diagnosed(lab: Lab, task: int | str, answer: str) -> Wrong:
    """What the check says of a wrong answer.

    Raises:
        ValueError: it passes.
    """
    try:
        lab.check(answered(lab, task, answer), lab.file_name)
    except Wrong as wrong:
        return wrong
    raise ValueError(f"{lab.title}: this wrong answer passes: {answer}")


def function_of(lab: Lab, task: int | str) -> list[str]:
    """The names of the function, or of the class and the method, that an answer is in."""
    if isinstance(task, int):
        text = lab._joined()
        place = list(TODO.finditer(text))[task - 1].start()
    else:
        text = lab.solution_text()
        place = text.index(task)
    line = text.count("\n", 0, place) + 1
    names: list[str] = []
    nodes = ast.parse(text).body
    while inner := [node for node in nodes if isinstance(node, ast.ClassDef | ast.FunctionDef)
                    and node.lineno <= line <= (node.end_lineno or 0)]:
        names.append(inner[0].name)
        nodes = inner[0].body if isinstance(inner[0], ast.ClassDef) else []
    return names


def row(lab: Lab, task: int | str, wrong: Wrong) -> str:
    """The row of a wrong answer on the page."""
    names = function_of(lab, task)
    name = "the rule" if names == ["_"] else f"`{'.'.join(names)}`"
    return f"| {name} | {wrong.why} |"


def as_itself(lab: Lab, diagnoses: list[Wrong]) -> list[bool]:
    """Whether each answer gets the words that stand beside it."""
    return [words in wrong.why for (_, _, words), wrong in
            zip(WRONG[lab.number], diagnoses, strict=True)]


def matrix(lab: Lab, diagnoses: list[Wrong]) -> list[str]:
    """A line for each answer; see above."""
    own = as_itself(lab, diagnoses)
    return ["".join("!#"[own[i]] if i == j else ".#"[wrong.why == other.why]
                    for j, other in enumerate(diagnoses)) for i, wrong in enumerate(diagnoses)]


def summary_row(lab: Lab, diagnoses: list[Wrong]) -> str:
    kinds = len({wrong.why for wrong in diagnoses})
    return f"| {lab.title} | {len(diagnoses)} | {sum(as_itself(lab, diagnoses))} | {kinds} |"


# ---------------------------------------------------------------- the zoo


def score_of(program: Any) -> float:
    """The score that a program reaches; NaN where it fails."""
    try:
        return float(program.score(program.train()))
    except RuntimeError:
        return math.nan


def findings(exhibit: Exhibit, healed: bool) -> list[str]:
    """The names of the doctor's findings in a program, the likeliest cause first."""
    program = load(exhibit.path, exhibit.text(healed))
    return [finding.name for finding in exhibit.examine(program).findings]


def zoo_row(exhibit: Exhibit, sick: list[str], healed: list[str]) -> str:
    return (f"| {exhibit.number:02} | {exhibit.name.replace('_', ' ')} | {', '.join(sick[:1])} | "
            f"{', '.join(healed) or 'none'} |")


# ---------------------------------------------------------------- the page


def page() -> str:
    """Prints the matrices, and returns the page."""
    summary = ["| lab | answers | as itself | mistakes |", "|---|---:|---:|---:|"]
    sections = []
    for lab in LABS:
        diagnoses = [diagnosed(lab, task, answer) for task, answer, _ in WRONG[lab.number]]
        summary.append(summary_row(lab, diagnoses))
        print(f"\n{lab.title}")
        for line, (_, _, words) in zip(matrix(lab, diagnoses), WRONG[lab.number], strict=True):
            print(line, words)
        rows = [row(lab, task, wrong) for (task, _, _), wrong in
                zip(WRONG[lab.number], diagnoses, strict=True)]
        sections.append("\n".join([f"\n### {lab.title}\n", "| in | what the check says |",
                                   "|---|---|", *rows]))
    print("\nzoo: bug, first finding, findings when healed")
    zoo = []
    for exhibit in ZOO:
        zoo.append(zoo_row(exhibit, findings(exhibit, False), findings(exhibit, True)))
        print(zoo[-1], flush=True)
    return "\n".join([HEAD + "\n".join(summary), *sections]) + "\n" + ZOO_HEAD \
        + "\n".join(zoo) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.matrices", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some of the bugs are warned of
        text = page()
    if options.write:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
