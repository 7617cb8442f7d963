"""The benchmarks measure equal work and print their results correctly. Times are not tested."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import tinytensor
from benchmarks import report
from benchmarks.gpu import measures, models
from benchmarks.gpu import report as gpu_report
from benchmarks.harness import Answers, Measured, compare_losses, first_losses, peers_of
from benchmarks.peers import OURS, PYTORCH, REFERENCE, Row, environment
from benchmarks.works import (
    FAMILIES,
    ROWS,
    convolution,
    gpt,
    lstm,
    mlp,
    operations,
    optimizers,
    overhead,
)

ROOT = Path(__file__).parent.parent

# A small benchmark of each kind.
SMALL = [
    mlp.row(**mlp.SMALL), gpt.row(**gpt.SMALL), lstm.row(**lstm.SMALL),
    convolution.lenet(**convolution.SMALL_LENET),
    convolution.residual(**convolution.SMALL_RESIDUAL),
    *(optimizers.row(kind, *optimizers.SMALL, "few") for kind in ("SGD", "AdamW")),
    *(operations.row(operation, shapes, backward)
      for operation, shapes in operations.SMALL for backward in (False, True)),
    *overhead.ROWS,
]


@pytest.mark.parametrize("row", SMALL, ids=lambda row: row.name)
def test_peers_do_the_same_work(row):
    """Compares tinytensor, PyTorch and handwritten NumPy, which are always installed for tests."""
    losses = {peer: first_losses(row.peers[peer]("cpu"))
              for peer in (OURS, PYTORCH, "PyTorch, fused=True", "NumPy by hand")
              if peer in row.peers}
    assert len(losses[OURS]) == len(losses[PYTORCH]) > 0
    for peer_losses in losses.values():
        assert peer_losses == pytest.approx(losses[OURS], rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("row", SMALL[:7], ids=lambda row: row.name)
def test_programs_run_on_a_gpu(row, gpu):
    """On strict_cupy, everything runs on the device and the losses are the same."""
    assert tinytensor.cuda.is_available()
    assert first_losses(row.peers[OURS]("cuda")) == pytest.approx(
        first_losses(row.peers[OURS]("cpu")), rel=1e-4)


@pytest.mark.parametrize("name", models.TINY)
def test_rows_of_the_gpu_are_the_work_of_pytorch(name):
    losses = {}
    for module in (torch, tinytensor):
        made = models.work(module, "cpu", name, False, **models.TINY[name])
        losses[module] = [float(made.step(made.x, made.y).detach()) for _ in range(3)]
    assert losses[tinytensor] == pytest.approx(losses[torch], rel=1e-3)
    assert len(set(losses[tinytensor])) == 3


def test_measures_of_the_gpu_without_one():
    answer = measures.step("MLP", "tinytensor, CPU", 0.0, tiny=True)
    assert answer["median"] >= answer["best"] > 0 and len(answer["losses"]) == 3
    if not tinytensor.cuda.is_available():
        assert measures.step("MLP", "tinytensor, captured", 0.0, tiny=True) == {
            "problem": "tinytensor has no GPU here"}
        assert measures.bandwidth(1.0) == {"problem": "tinytensor has no GPU here"}


def test_table_of_the_gpu():
    """Captured steps are three times as fast as PyTorch's; one way does other work."""
    ways = {"tinytensor, CPU": (0.02, 1.0), "tinytensor": (0.002, 1.0),
            "tinytensor, captured": (0.0005, 1.0), "PyTorch": (0.0015, 1.0),
            "PyTorch, captured": (0.0006, 2.0)}
    rows = {way: {"median": time, "losses": [loss]} for way, (time, loss) in ways.items()}
    text = gpu_report.table({
        "machine": {"card": "A card", "date": "today", "numpy": "2"}, "tiny": False,
        "tests": {"summary": "1 failed", "failed": ["FAILED test_x"]},
        "examples": {"02.py": {"seconds": 3.2, "problem": ""},
                     "03.py": {"seconds": 9.0, "problem": "KeyError"}},
        "steps": {"MLP": rows}, "bandwidth": {"bytes": 2**20, "rates": {"copy": 2e9, "GELU": 1e9}}})
    assert "## A card, today" in text and "1 failed\n- FAILED test_x" in text
    assert '`examples/02.py` on "cuda": trained in 3 s' in text and '"cuda": KeyError' in text
    assert "| MLP | 20 ms | 2 ms | 500 µs | 1.5 ms | other work: losses [2.0] | 0.75 (1) | " \
           "**3.00** (2) |" in text
    assert "| GELU | 1 | 50% |" in text and "| copy | 2 | **100%** |" in text


def test_training_changes_the_loss():
    """The comparison of losses covers the update only if the loss changes in each step."""
    for row in SMALL[:5]:
        losses = first_losses(row.peers[OURS]("cpu"))
        assert len({round(loss, 6) for loss in losses}) == 3, row.name


def row_of(**peers):
    return Row("made up", {name: lambda device: lambda: None for name in peers},
               targets={PYTORCH: 1.5} if PYTORCH in peers else {})


def made_up_row():
    """A row in which PyTorch takes 1.25 times our time and MyGrad is not installed."""
    results = {OURS: Measured([0.002, 0.004, 0.003], 0.002),
               PYTORCH: Measured([0.00375] * 3, 0.0025),
               "MyGrad": Measured(problem="not installed (mygrad)")}
    return report.as_data(row_of(**results), "made up", results)


def test_ratio_is_theirs_over_ours():
    row = made_up_row()
    assert report.ratio(row, PYTORCH) == pytest.approx(1.25)
    assert report.ratio(row, "MyGrad") is None and report.ratio(row, "JAX jit") is None


def test_table_says_what_was_measured():
    text = "\n".join(report.row_lines(made_up_row()))
    assert "2 ms  median       3 ms ± 33%" in text and "1.25 x   target 1.5: missed" in text
    assert "not installed (mygrad)" in text


def test_summary_counts_targets():
    row = made_up_row()
    assert report.summary({"rows": [row]}).splitlines() == [
        "targets reached: 0 of 1", "missed:", "    made up, PyTorch: 1.25 of 1.5"]
    row["peers"][PYTORCH]["target"] = 1.25
    assert report.summary({"rows": [row]}) == "targets reached: 1 of 1"


def test_markdown_survives_json():
    data = {"machine": {"processor": "made up"}, "rows": [made_up_row()]}
    lines = report.markdown(json.loads(json.dumps(data))).splitlines()
    assert lines[2:] == ["| work | ours | PyTorch | MyGrad |", "|---|---:|---:|---:|",
                         "| made up | 2 ms | 1.25 (1.5) | – |"]


def test_the_page_shows_the_committed_results():
    data = json.loads((ROOT / "benchmarks/results/cpu.json").read_text())
    page = (ROOT / "benchmarks/README.md").read_text()
    apart = [("operations alone",), ("peak memory", "import")]
    works = tuple(row["family"] for row in data["rows"] if row["family"] not in sum(apart, ()))
    for families in (works, *apart):
        rows = [row for row in data["rows"] if row["family"] in families]
        table = "\n".join(report.markdown({**data, "rows": rows}).splitlines()[2:])
        assert table.count("\n") > 10 and table in page


def test_the_readme_shows_the_committed_results():
    """Checks each line of the table: our time and the ratios of peers, one number per cell."""
    data = json.loads((ROOT / "benchmarks/results/cpu.json").read_text())
    rows = {row["name"]: row for row in data["rows"]}
    table = (ROOT / "README.md").read_text().partition("| work | tinytensor |")[2]
    header, _, *lines = table.partition("\n\n")[0].splitlines()
    peers = header.strip(" |").split(" | ")
    for line in lines:
        name, own, *shown = (cell.strip() for cell in line.strip("|").split("|"))
        assert own == report.figure(report.ours(rows[name])["best"], "s")
        assert shown == [report.ratio_text(report.ratio(rows[name], peer)) for peer in peers]
    assert len(lines) >= 4 and "PyTorch" in peers


@pytest.mark.parametrize(("value", "unit", "text"), [
    (1.5, "s", "1.5 s"), (0.0123, "s", "12.3 ms"), (4.56e-6, "s", "4.56 µs"),
    (3 * 2**20, "bytes", "3.0 MiB"), (0.123, "import s", "123 ms")])
def test_figures_have_readable_units(value, unit, text):
    assert report.figure(value, unit) == text


def test_other_work_is_refused():
    results = {peer: Measured([1.0], 1.0, losses) for peer, losses in (
        (OURS, [2.0, 1.9]), (PYTORCH, [2.0, 1.8]), ("JAX jit", [2.0, 1.9001]))}
    compare_losses(results)
    assert "other work" in results[PYTORCH].problem and not results["JAX jit"].problem


def test_missing_peer_is_a_row_that_says_so():
    def missing(device):
        raise ImportError("No module named 'absent'", name="absent")

    def broken(device):
        raise ValueError("a fault\nin two lines")

    rows = {"row": Row("row", {OURS: missing, PYTORCH: broken})}
    assert Answers(rows, OURS, "cpu").answer("row", 0.0) == {"problem": "not installed (absent)"}
    assert Answers(rows, PYTORCH, "cpu").answer("row", 0.0) == {
        "problem": "ValueError: a fault in two lines"}


def test_rows_are_well_formed():
    names = [row.name for rows in FAMILIES.values() for row in rows]
    assert len(names) == len(set(names)) == len(ROWS)
    for row in ROWS.values():
        assert next(iter(row.peers)) in (OURS, "scalar")
        assert row.unit in ("s", "import s", "bytes")
        if row.growth is None and PYTORCH not in row.peers:
            assert row.name == "scalar moons: training step"
    with pytest.raises(ValueError, match="does not measure"):
        Row("row", {OURS: lambda device: lambda: None}, targets={PYTORCH: 1.0})


def test_a_gpu_leaves_out_who_has_none():
    row = mlp.ROWS[0]
    assert "NumPy by hand" in peers_of(row, "cpu", quick=False)
    assert not {"NumPy by hand", "MyGrad", "autograd"} & {*peers_of(row, "cuda", quick=False)}
    assert peers_of(ROWS["scalar moons: training step"], "cuda", quick=False) == []


def test_environment_sets_threads_and_kernels():
    ours, reference = (environment(peer, "cpu", 2) for peer in (OURS, REFERENCE))
    assert {ours["OMP_NUM_THREADS"], ours["NPROC"], ours["NUM_CPU_THREADS"]} == {"2"}
    assert "TINYTENSOR_KERNELS" not in ours and reference["TINYTENSOR_KERNELS"] == "0"


def test_command_measures_a_row(tmp_path):
    """Runs the command on the cheapest row, with real processes, and reads its JSON file."""
    file = tmp_path / "results.json"
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--only", "growth: sequence 16", "--rounds", "1",
         "--budget", "0", "--peers", REFERENCE, "--json", file],
        cwd=ROOT, capture_output=True, text=True, check=True)
    assert "threads 2" in answer.stdout or "threads 1" in answer.stdout
    [row] = json.loads(file.read_text())["rows"]
    assert row["growth"] == ["sequence", 16] and [*row["peers"]] == [OURS, REFERENCE]
    assert all(result["median"] > 0 for result in row["peers"].values())
