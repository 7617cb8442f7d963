"""Labs and examples as notebooks: made by jupytext, run by nbclient."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from tinytensor.__main__ import main
from tinytensor.learn import notebooks
from tinytensor.learn.labs.course import LABS, TODO, Lab
from tinytensor.learn.labs.folder import Folder

pytest.importorskip("jupytext")
of_examples = importlib.import_module("notebooks")  # examples/ is on the path
EXAMPLES = sorted(of_examples.EXAMPLES.glob("[0-9][0-9]_*.py"))
SIZES = {"01": "--steps 5", "02": "--steps 2", "03": "--epochs 1"}  # the others have --smoke
PICTURES = {"01": 0, "04": 2, "07": 4, "08": 3, "09": 4, "11": 2}  # the others have one

by_lab = pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)


def run(notebook: Any, folder: Path, allow_errors: bool = False) -> None:
    """Runs a notebook in a kernel of its own. Its cells then have outputs."""
    nbclient = pytest.importorskip("nbclient")
    nbclient.NotebookClient(notebook, timeout=120, allow_errors=allow_errors,
                            resources={"metadata": {"path": str(folder)}}).execute()


def notebook_of(lab: Lab, text: str, folder: Folder) -> Any:
    """A learner's notebook with this text, in a folder of labs."""
    import nbformat
    return nbformat.read(folder._write(lab, text, ".ipynb"), 4)


def errors(cells: Any) -> list[str]:
    return ["\n".join(output.traceback) for cell in cells for output in cell.get("outputs", [])
            if output.output_type == "error"]


@by_lab
@pytest.mark.long
def test_a_lab_stops_at_its_task_and_passes_when_solved(lab: Lab, tmp_path: Path) -> None:
    folder = Folder.start(tmp_path)
    folder.begin(lab)
    learners = notebook_of(lab, lab.learner_text(), folder)
    solved = notebook_of(lab, lab.solution_text(), folder)
    count = len(learners.cells)
    learners.cells += solved.cells  # in one kernel, which starts once
    run(learners, tmp_path, allow_errors=True)
    told, after = errors(learners.cells[:count]), errors(learners.cells[count:])
    hunt = not TODO.search(lab._joined())
    assert hunt or "TODO" in told[0]  # of the check, or of a cell before that uses what is to do
    assert ("mistake" if hunt else "TODO 1") in told[-1]
    assert f"lab {lab.title}: not yet" in told[-1] and "Traceback" not in told[-1]
    assert not after
    [output] = learners.cells[-1].outputs
    assert output.text.startswith(f"lab {lab.title}: passed")
    row = Folder(tmp_path).progress[lab.number]
    assert row.passed and row.checks == 2


@pytest.mark.long
def test_a_mistake_is_told_in_a_notebook_as_in_the_terminal(tmp_path: Path) -> None:
    lab, folder = LABS[0], Folder.start(tmp_path)
    wrong = lab.solution_text({1: "return (f(x + h) - f(x)) / h"})
    notebook = notebook_of(lab, wrong, folder)
    run(notebook, tmp_path, allow_errors=True)
    [told] = errors(notebook.cells)
    again = Folder.start(tmp_path / "again")
    again.file(lab).write_text(wrong)
    assert told.splitlines() == again.check(lab)[1].splitlines()


@pytest.mark.long
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_shows_progress_and_pictures(path: Path) -> None:
    number = path.name[:2]
    notebook = notebooks.notebook(of_examples.text_of(path, SIZES.get(number, "--smoke")))
    run(notebook, path.parent)
    shown = [output for output in notebook.cells[-1].outputs if "data" in output]
    assert sum("image/png" in output.data for output in shown) == PICTURES.get(number, 1)
    bars = "".join(output.text for output in notebook.cells[-1].outputs
                   if output.output_type == "stream" and output.name == "stderr")
    assert "it/s" in bars or "s/it" in bars or number == "12"  # which prints lines instead
    assert all(cell.cell_type == "markdown" or cell.source.strip() for cell in notebook.cells)


def test_an_example_in_another_folder_finds_what_it_shares(tmp_path: Path) -> None:
    here, there = (of_examples.text_of(EXAMPLES[0], elsewhere=other) for other in (False, True))
    added = f"# %%\nimport sys\n\nsys.path.insert(0, {str(of_examples.EXAMPLES.absolute())!r})"
    assert added in there and added not in here
    assert here.startswith("# %% [markdown]\n# # 01 one neuron\n#\n# One neuron, tanh(w·x + b)")


def test_the_command_for_examples(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["notebooks.py", str(tmp_path), "04", "12"])
    of_examples.main()
    assert [p.name for p in sorted(tmp_path.iterdir())] == [
        "04_cnn.ipynb", "12_data_parallel.ipynb"]
    monkeypatch.setitem(sys.modules, "jupytext", None)
    with pytest.raises(SystemExit, match=r"notebooks need jupytext: pip install .*notebooks"):
        of_examples.main()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_no_line_of_an_example_is_lost(path: Path) -> None:
    text = path.read_text()
    program = text[text.index("\nfrom __future__"):text.index('\nif __name__ == "__main__"')]
    written = notebooks.notebook(of_examples.text_of(path))
    code = "\n".join(cell.source for cell in written.cells if cell.cell_type == "code")
    for line in filter(str.strip, program.splitlines()):
        assert line in code


@by_lab
def test_a_notebook_has_the_whole_file(lab: Lab, tmp_path: Path) -> None:
    folder = Folder.start(tmp_path)
    folder.begin(lab)
    text = lab.solution_text()
    folder.file(lab).write_text(text)
    folder.turn_into_notebooks()
    assert folder.file(lab).suffix == ".ipynb"
    assert folder.text(lab).split() == text.split()


def test_labs_as_notebooks_by_the_command(monkeypatch: Any, capsys: Any, tmp_path: Path) -> None:
    def learn(*words: str) -> str:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["tinytensor", "learn", *words])
        try:
            main()
        except SystemExit as stopped:
            if isinstance(stopped.code, str):
                return stopped.code
        return str(capsys.readouterr().out)
    learn("start", ".")
    (tmp_path / "lab01.py").write_text(LABS[0].solution_text({2: "return fx"}))
    assert "wrote lab01.ipynb\nOpen lab01.ipynb in Jupyter" in learn("notebooks")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "lab01.1.py", "lab01.ipynb", "progress.json"]
    assert "at        gradient: return fx\n" in learn("check")
    assert "lab01.ipynb; your file is now lab01.1.ipynb" in learn("reset", "1")
    assert "to do  slope: TODO 1" in learn("check")
    assert "wrote lab05.ipynb" in learn("next", "5") and "to do  push: TODO 1" in learn("check")
    assert "wrote labs.html" in learn("export")
    assert "check(1)" not in (tmp_path / "labs.html").read_text()
    (tmp_path / "lab05.ipynb").write_text("def push")
    assert "lab05.ipynb is no notebook" in learn("check")
    monkeypatch.setitem(sys.modules, "jupytext", None)
    assert "notebooks need jupytext: pip install jupytext" in learn("check", "1")
