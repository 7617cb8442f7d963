"""The labs: solutions pass, tasks say what to do, wrong answers are diagnosed as themselves."""

from __future__ import annotations

import ast
import json
import re
import sys

import pytest

from tests.matrices import PAGE, diagnosed, function_of, row, zoo_row
from tests.right_answers import RIGHT
from tests.wrong_answers import WRONG
from tinytensor.__main__ import main
from tinytensor.learn.labs.checking import Wrong
from tinytensor.learn.labs.course import LABS, TODO, part_of
from tinytensor.learn.labs.reporting import report_of_file
from tinytensor.learn.zoo.catalogue import ZOO

by_number = pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.file_name)


@by_number
def test_the_solution_passes(lab):
    lab.check(lab.solution_text(), lab.file_name)


@by_number
def test_a_right_answer_written_otherwise_passes(lab):
    answers = RIGHT[lab.number]
    text = lab.solution_text({task: answer for task, answer in answers.items()
                              if isinstance(task, int)})
    for task, answer in answers.items():
        if isinstance(task, str):
            assert text.count(task) == 1
            text = text.replace(task, answer)
    assert len(answers) >= len(TODO.findall(lab._joined())) and text != lab.solution_text()
    lab.check(text, lab.file_name)


@by_number
def test_a_lab_imports_only_what_it_says(lab):
    """None imports another lab, so each solution passes without the others."""
    names = set()
    for node in ast.walk(ast.parse(lab.solution_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    if lab.number < 7:  # before scalar.Value is introduced
        assert names <= {"__future__", "collections", "math"}
    assert names <= {"numpy", "scalar", "tinytensor", *sys.stdlib_module_names}


@by_number
def test_the_learners_file_says_what_to_do(lab):
    """At its first task; when that is solved, at the next one; and so on to the last."""
    tasks = TODO.findall(lab._joined())
    for count, (_, words, _) in enumerate(tasks, 1):
        unsolved = {n: f"raise NotImplementedError({f'TODO {n}: {tasks[n - 1][1]}'!r})"
                    for n in range(count, len(tasks) + 1)}
        with pytest.raises(NotImplementedError) as error:
            lab.check(lab.solution_text(unsolved), lab.file_name)
        assert str(error.value) == f"TODO {count}: {words}"
    with pytest.raises((NotImplementedError, Wrong)) as error:
        lab.check(lab.learner_text(), lab.file_name)
    assert bool(tasks) == isinstance(error.value, NotImplementedError)
    assert tasks or error.value.why  # a hunt for bugs has no tasks


@by_number
def test_a_function_that_returns_nothing_is_told_so(lab, tmp_path):
    for count in range(1, len(TODO.findall(lab._joined())) + 1):
        text = lab.solution_text({count: "return None"})
        report = report_of_file(lab, text, tmp_path / lab.file_name)
        assert report.part in lab.ladders
        assert re.search(r"return|nothing|not counted|is not set|nothing changes", report.mistake)


ANSWERS = [(lab, *answer) for lab in LABS for answer in WRONG[lab.number]]


@pytest.mark.parametrize(("lab", "task", "answer", "words"), ANSWERS, ids=[
    f"{lab.number}-{words or answer[:30]}" for lab, _, answer, words in ANSWERS])
def test_a_wrong_answer_is_diagnosed(lab, task, answer, words):
    wrong = diagnosed(lab, task, answer)
    assert words in wrong.why and wrong.why, wrong
    assert row(lab, task, wrong) in PAGE_LINES, "run: python -m tests.matrices --write"
    # The hints that follow are about the function that is wrong: they name it.
    names = function_of(lab, task)
    name = {"_": "rule", "__call__": names[0], "forward": names[0]}.get(names[-1], names[-1])
    hints = " ".join(lab.hints_for(part_of(wrong)))
    assert re.search(rf"(?<!\w){re.escape(name)}(?!\w)", hints)


PAGE_LINES = PAGE.read_text(encoding="utf-8").splitlines()


def test_the_page_of_diagnoses():
    """Its rows are as many as the answers, and those of the zoo are the findings that are held by
    tests/test_zoo.py.
    """
    for lab in LABS:
        count = len(WRONG[lab.number])
        [numbers] = [line for line in PAGE_LINES if line.startswith(f"| {lab.title} |")]
        assert numbers.startswith(f"| {lab.title} | {count} | {count} | ")
        start = PAGE_LINES.index(f"### {lab.title}") + 4
        assert all(line.startswith("| ") for line in PAGE_LINES[start:start + count])
        assert not PAGE_LINES[start + count]
    assert PAGE_LINES[-30:] == [zoo_row(exhibit, [exhibit.finding], []) for exhibit in ZOO]


@by_number
def test_eight_wrong_answers(lab):
    assert len({words for _, _, words in WRONG[lab.number]}) >= 8


@by_number
def test_hints(lab):
    """Three for the lab and for each of its parts, of which none contains the solution."""
    ladders = [lab.hints, *lab.ladders.values()]
    given = "".join(lab.learner_text().split())
    written = {"".join(text.split()) for text in pieces_of_solution(lab)}
    hints = [hint for ladder in ladders for hint in ladder]
    assert len(written) >= len(TODO.findall(lab._joined())) / 2
    assert {len(set(ladder)) for ladder in ladders} == {3}
    for hint in hints:
        assert hint.endswith((".", "?")) and not hint.startswith("TODO")
        shown = [piece for piece in written - {""} if piece in "".join(hint.split())]
        assert not [piece for piece in shown if piece not in given], hint


def pieces_of_solution(lab):
    """The statements that a learner has to write, and the values that they assign or return."""
    given = set(map(ast.dump, ast.walk(ast.parse(lab.learner_text()))))
    for node in ast.walk(ast.parse(lab.solution_text())):
        for part in (node, getattr(node, "value", None)):
            if isinstance(node, ast.Return | ast.Assign | ast.AugAssign | ast.Expr) \
                    and isinstance(part, ast.AST) and ast.dump(part) not in given:
                text = ast.unparse(part)
                if len(text) > 8:
                    yield text


# ---------------------------------------------------------------- the command


@pytest.fixture
def learn(monkeypatch, capsys, tmp_path):
    """The command in a folder, as a function of its arguments that returns what is printed."""
    def run(*words):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["tinytensor", "learn", *words])
        try:
            main()
        except SystemExit as stopped:
            if isinstance(stopped.code, str):
                return stopped.code
        return capsys.readouterr().out
    return run


def test_start_in_the_folder_of_the_option(learn, tmp_path):
    assert "lab01.py" in learn("--folder", str(tmp_path / "labs"), "start")
    assert [p.name for p in tmp_path.iterdir()] == ["labs"]
    assert "found labs" in learn("start", "labs")
    (tmp_path / "labs" / "progress.json").write_text("[")
    assert "cannot be read" in learn("start", "labs")


def test_a_walk(learn, tmp_path):
    assert "is no folder of labs" in learn("check")
    assert "wrote lab01.py" in learn("start")
    assert "to do  line 24: TODO 1: return the difference" in learn("check")
    assert "has not passed" in learn("next") and "when its check has passed" in learn("solution")
    path = tmp_path / "lab01.py"
    path.write_text(LABS[0].solution_text({1: "return (f(x + h) - f(x)) / h"}))
    assert learn("check").splitlines() == [
        "lab 01 Slope: not yet",
        "  rule      slope of x**3 at 2, with h = 0.1",
        "  you have  12.61",
        "  expected  12.01",
        "  mistake   this looks to the right only, from x to x + h",
        "  hint 1/3  Compute f(2.1) and f(1.9) by hand for f(x) = x**3. How far apart are 2.1 and "
        "1.9?"]
    assert learn("hint").splitlines() == ["hints for slope", *(
        f"  {n}/3  {hint}" for n, hint in enumerate(LABS[0].ladders["slope"][:2], 1))]
    path.write_text("def slope(f, x, h=1)\n    return 0\n")
    told = learn("check", "01")
    assert "SyntaxError" in told and "line 1" in told
    path.write_text("x = 1\n")
    assert "mistake   slope is not defined" in learn("check")
    path.write_text(LABS[0].solution_text({1: "return fx / h"}))
    assert "error     NameError" in (told := learn("check"))
    assert "at        line 24: return fx / h" in told and "hint 3/3" in told
    path.write_text(LABS[0].solution_text({2: "return xs"}))
    assert "hint 1/3  Take xs = [1.0, 2.0]." in (told := learn("check", "1"))
    assert "lab 01 Slope: not yet (right so far: 1 of 3 parts)" in told
    path.write_text(LABS[0].solution_text())
    assert "passed" in learn("check") and "/ (2 * h)" in learn("solution")
    assert "wrote lab02.py" in learn("next") and "has not passed" in learn("next")
    assert "lab 07 was not begun here; there are 01, 02." in learn("check", "07")
    assert "wrote lab17.py" in learn("next", "17") and "lab 17 One" in learn("check")
    assert "wrote lab02.py" in learn("next", "2") and "lab 02 A number" in learn("check")
    assert "there are labs 01 to 20, got 21" in learn("next", "21")
    assert "your file is now lab01.1.py" in learn("reset", "1")
    assert path.read_text() == LABS[0].learner_text()
    assert (tmp_path / "lab01.1.py").read_text() == LABS[0].solution_text()
    row = learn("export", "--name", "Ada").splitlines()[-1]
    assert row.startswith("Ada,begun,0,0,begun,1,0,,0,0") and row.count(",") == 60
    page = (tmp_path / "labs.html").read_text()
    assert "01 Slope" in page and "<mark>raise NotImplementedError" in page and "http" not in page
    (tmp_path / "progress.json").write_text("[")
    assert "progress.json cannot be read" in learn("check")


def test_an_earlier_lab_names_its_own_successor(learn, tmp_path):
    (tmp_path / "progress.json").write_text(json.dumps({1: {}, 5: {}}))
    (tmp_path / LABS[0].file_name).write_text(LABS[0].solution_text())
    assert learn("check", "1").rstrip().endswith("learn next 02")


def test_the_last_lab(learn, tmp_path):
    rows = {lab.number: {"passed": "then"} for lab in LABS[:-1]} | {LABS[-1].number: {}}
    (tmp_path / "progress.json").write_text(json.dumps(rows))
    (tmp_path / LABS[-1].file_name).write_text(LABS[-1].solution_text())
    assert f"lab {LABS[-1].title}: passed" in learn("check")
    assert learn("next") == "this was the last lab\n"


def test_twenty_labs():
    assert [lab.number for lab in LABS] == list(range(1, 21))


def test_a_check_that_takes_long_says_so_and_can_be_stopped(learn, tmp_path, capsys, monkeypatch):
    learn("start")
    monkeypatch.setattr("tinytensor.commands.learn.PATIENCE", 0.01)
    answer = "import time\ntime.sleep(0.1)\nraise KeyboardInterrupt"  # as by Ctrl-C
    (tmp_path / "lab01.py").write_text(LABS[0].solution_text({1: answer}))
    monkeypatch.setattr(sys, "argv", ["tinytensor", "learn", "check"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    printed = capsys.readouterr()
    assert "still running; Ctrl-C stops the check and shows the line" in printed.err
    told = printed.out.splitlines()[-4:]
    assert told[0] == "lab 01 Slope: not yet"
    assert told[1] == "  stopped   by Ctrl-C; if it ran for long, look for a loop without an end"
    assert told[2].endswith("raise KeyboardInterrupt") and told[3].startswith("  hint 1/3  ")
