"""The zoo: every bug is the doctor's first finding, spoils the score, and its cure heals it."""

from __future__ import annotations

import sys

import pytest

from tests.matrices import score_of
from tinytensor.__main__ import main
from tinytensor.learn.zoo.catalogue import ZOO, load

by_name = pytest.mark.parametrize("exhibit", ZOO, ids=lambda e: f"{e.number}-{e.name}")


@by_name
@pytest.mark.long
@pytest.mark.filterwarnings("ignore")  # some of the bugs are warned of
def test_the_doctor_finds_the_bug(exhibit):
    program = load(exhibit.path)
    assert not score_of(program) >= exhibit.goal
    diagnosis = exhibit.examine(program)
    assert diagnosis.findings[0].name == exhibit.finding, diagnosis


@by_name
@pytest.mark.long
def test_the_cure_heals(exhibit):
    program = load(exhibit.path, exhibit.text(healed=True))
    assert score_of(program) >= exhibit.goal
    diagnosis = exhibit.examine(program)
    assert not diagnosis.findings and not diagnosis.skipped, diagnosis


@by_name
def test_what_is_told(exhibit):
    assert exhibit.symptom.endswith((".", "nan."))
    assert exhibit.question.startswith("Question: ") and exhibit.question.endswith("?")
    before, after = exhibit.cure
    added = [line.strip() for line in after.splitlines() if line.strip() not in before]
    for hint in exhibit.hints:
        assert hint.endswith((".", "?"))
        assert not any(line in hint for line in added), "a hint contains the cure"
    assert exhibit.name.replace("_", " ") not in exhibit.path.read_text()


def test_thirty_programs():
    assert [e.number for e in ZOO] == list(range(1, 31))
    assert len({e.path.read_text() for e in ZOO}) == 30


@pytest.fixture
def hunt(monkeypatch, capsys, tmp_path):
    """The command, as a function of its arguments that returns what is printed."""
    def run(*words):
        monkeypatch.setattr(sys, "argv", ["tinytensor", "hunt", *words, "--folder", str(tmp_path)])
        try:
            main()
        except SystemExit as stopped:
            return str(stopped)
        return capsys.readouterr().out
    return run


def test_a_hunt(hunt, tmp_path):
    exhibit, path = ZOO[21], tmp_path / "hunt_22.py"
    assert "30  " in hunt()
    told = hunt("22")
    assert exhibit.symptom in told and f"wrote {path}" in told
    assert path.read_text() == exhibit.text()
    assert f"hint 2 of 3: {exhibit.hints[1]}" in hunt("22", "--hint", "2")
    assert "a cure is shown when" in hunt("22", "--solution")
    assert "1. loss upside down" in hunt("22", "--doctor")
    path.write_text(exhibit.text(healed=True))
    assert "healed: the score" in hunt("22")
    assert "+    return -F.log_softmax" in hunt("22", "--solution")
    path.write_text("model = nn.Linear(1, 1)\n")
    assert "line 1" in (told := hunt("22")) and "NameError" in told
    assert "there are programs 1 to 30, got 31" in hunt("31")
