"""The labs: solutions pass, tasks say what to do, wrong answers are diagnosed as themselves."""

from __future__ import annotations

import json
import sys

import pytest
from wrong_answers import WRONG

from tinytensor.__main__ import main
from tinytensor.learn.labs.checking import Wrong
from tinytensor.learn.labs.course import LABS

by_number = pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.file_name)


@by_number
def test_the_solution_passes(lab):
    lab.check(lab.solution_text(), lab.file_name)


@by_number
def test_the_learners_file_says_what_to_do(lab):
    with pytest.raises((NotImplementedError, Wrong)) as error:
        lab.check(lab.learner_text(), lab.file_name)
    if isinstance(error.value, NotImplementedError):
        assert str(error.value).startswith("TODO")
    else:  # a hunt for bugs has no tasks
        assert error.value.why


ANSWERS = [(lab, *answer) for lab in LABS for answer in WRONG[lab.number]]


@pytest.mark.parametrize(("lab", "task", "answer", "words"), ANSWERS, ids=[
    f"{lab.number}-{words or answer[:30]}" for lab, _, answer, words in ANSWERS])
def test_a_wrong_answer_is_diagnosed(lab, task, answer, words):
    if isinstance(task, int):
        text = lab.solution_text({task: answer})
    else:
        text = lab.solution_text()
        assert text.count(task) == 1
        text = text.replace(task, answer)
    with pytest.raises(Wrong) as wrong:
        lab.check(text, lab.file_name)
    assert words in wrong.value.why and wrong.value.why, wrong.value


@by_number
def test_eight_wrong_answers(lab):
    assert len({words for _, _, words in WRONG[lab.number]}) >= 8


@by_number
def test_hints_do_not_contain_the_solution(lab):
    assert len(lab.hints) == 3
    given = lab.learner_text()
    written = [line.strip() for line in lab.solution_text().splitlines()
               if line.strip() not in given and len(line.strip()) > 8]
    assert not any(line in hint for line in written for hint in lab.hints)


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
        "  hint 1/3  Compute by hand: f(2.1) and f(1.9) for f(x) = x**3. How far are 2.1 and 1.9 "
        "apart?"]
    assert learn("hint").count("hint ") == 2
    path.write_text("def slope(f, x, h=1)\n    return 0\n")
    told = learn("check", "01")
    assert "SyntaxError" in told and "line 1" in told
    path.write_text(LABS[0].solution_text({1: "return fx / h"}))
    assert "error     NameError" in (told := learn("check")) and "at        line 24" in told
    path.write_text(LABS[0].solution_text())
    assert "passed" in learn("check") and "/ (2 * h)" in learn("solution")
    assert "wrote lab02.py" in learn("next") and "has not passed" in learn("next")
    assert "07 is no lab that was begun here; there are 01, 02" in learn("check", "07")
    assert "your file is now lab01.1.py" in learn("reset", "1")
    assert path.read_text() == LABS[0].learner_text()
    assert (tmp_path / "lab01.1.py").read_text() == LABS[0].solution_text()
    row = learn("export", "--name", "Ada").splitlines()[-1]
    assert row.startswith("Ada,begun,0,0,begun,0,0,,0,0")
    page = (tmp_path / "labs.html").read_text()
    assert "01 Slope" in page and "NotImplementedError" in page and "http" not in page
    (tmp_path / "progress.json").write_text("[")
    assert "progress.json cannot be read" in learn("check")


def test_the_last_lab(learn, tmp_path):
    rows = {lab.number: {"passed": "then"} for lab in LABS[:-1]} | {LABS[-1].number: {}}
    (tmp_path / "progress.json").write_text(json.dumps(rows))
    (tmp_path / LABS[-1].file_name).write_text(LABS[-1].solution_text())
    assert f"lab {LABS[-1].title}: passed" in learn("check")
    assert learn("next") == "this was the last lab\n"


def test_twenty_labs():
    assert [lab.number for lab in LABS] == list(range(1, 21))
