"""Worker processes of the DataLoader: copies, seeds, shared memory, errors, shutdown, resuming."""

from __future__ import annotations

import gc
import io
import multiprocessing
import os
import pickle
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import loading
import numpy
import pytest

import tinytensor
from tinytensor.utils.data import DataLoader, TensorDataset, transfer
from tinytensor.utils.data.processes import resolve

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.skipif(not transfer.SHARED, reason="needs file handles between processes")
forks_by_default = pytest.mark.skipif(multiprocessing.get_all_start_methods()[0] != "fork",
                                      reason="Python does not fork by default")


def loader(dataset: Any, batch_size: int | None = 2, **options: Any) -> DataLoader[Any]:
    return DataLoader(dataset, batch_size, num_workers=2, **options)


def columns(batches: Any) -> dict[str, list[Any]]:
    rows = list(batches)
    return {name: [x for row in rows for x in row[name].tolist()] for name in rows[0]}


def wait_for(condition: Any) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


# ---------------------------------------------------------------- copies and seeds


def test_workers_have_copies_and_seeds_of_their_own() -> None:
    dataset = loading.Probe()
    runs = []
    for _ in range(2):
        tinytensor.manual_seed(3)
        random.seed(3)
        numpy.random.seed(3)
        both = loader(dataset)
        epochs = [columns(both), columns(both)]
        assert random.random() == random.Random(3).random()
        assert numpy.random.rand() == numpy.random.RandomState(3).rand()
        runs.append([{k: v for k, v in epoch.items() if k != "pid"} for epoch in epochs])
    assert runs[0] == runs[1]
    one, two = runs[0]
    assert dataset.calls == 0 and one["calls"] == two["calls"] == [1, 2, 1, 2, 3, 4, 3, 4]
    assert one["i"] == list(range(8)) and one["id"] == [0, 0, 1, 1, 0, 0, 1, 1]
    base = one["seed"][0]
    assert one["seed"] == one["initial"] == [base + i for i in one["id"]]
    assert len({str(e[name]) for e in runs[0] for name in ("numpy", "random", "own")}) == 6
    assert len({*one["numpy"], *two["numpy"]}) == len({*one["random"], *two["random"]}) == 16
    for worker in (0, 1):  # as in PyTorch
        state = numpy.random.SeedSequence([worker, base & 0xFFFFFFFF, base >> 32, 0])
        drawn = numpy.random.RandomState(state.generate_state(4)).rand(4).tolist()
        assert [x for x, i in zip(one["numpy"], one["id"], strict=True) if i == worker] == drawn
        python = random.Random(base + worker)
        assert one["random"][2 * worker:2 * worker + 2] == [python.random(), python.random()]


def test_own_numbers_do_not_depend_on_the_workers() -> None:
    drawn = []
    for options in ({}, {"multiprocessing_context": "thread"}):
        tinytensor.manual_seed(1)
        drawn.append(columns(loader(loading.Probe(), shuffle=True, **options)))
    assert drawn[0]["own"] == drawn[1]["own"] and drawn[0]["seed"] == drawn[1]["seed"]


@pytest.mark.parametrize("method", ["forkserver", "fork"])
def test_workers_have_the_settings_of_the_program(method: str,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_PROGRAM", "yes")
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    tinytensor.set_default_dtype(tinytensor.float64)
    try:
        both = loader(loading.Settings(2), None, multiprocessing_context=method)
        assert list(both) == [["yes", False, "tinytensor.float64", 1]] * 2
    finally:
        tinytensor.set_default_dtype(tinytensor.float32)


def test_persistent_workers() -> None:
    both = loader(loading.Probe(), persistent_workers=True)
    one = columns(both)
    next(iter(both))  # an unfinished epoch leaves no batches to the next
    two = columns(both)
    assert set(one["pid"]) == set(two["pid"]) and max(two["calls"]) > 4
    assert two["i"] == list(range(8)) and one["seed"] == two["seed"]
    for name in ("numpy", "random", "own"):
        assert not set(one[name]) & set(two[name])
    inner, outer = iter(both), iter(both)  # at the same time
    assert [(a["i"].tolist(), b["i"].tolist()) for a, b in zip(inner, outer, strict=True)] == [
        ([i, i + 1], [i, i + 1]) for i in range(0, 8, 2)]
    pids = set(one["pid"])
    del both, inner, outer
    wait_for(lambda: not any(map(alive, pids)))


def test_recipes_that_seed_workers() -> None:
    runs = []
    for init in (loading.seed_worker, loading.seed_worker, loading.fixed_seeds):
        tinytensor.manual_seed(len(runs) // 2)
        runs.append(columns(loader(loading.Probe(), worker_init_fn=init)))
    recipe, again, fixed = runs
    for name in ("numpy", "random", "own"):
        assert recipe[name] == again[name] and len(set(recipe[name])) == 8
        assert len(set(fixed[name])) == 8 if name == "own" else 4
    for worker in (0, 1):
        drawn = [x for x, i in zip(fixed["numpy"], fixed["id"], strict=True) if i == worker]
        assert drawn == numpy.random.RandomState(worker).rand(4).tolist()
    assert fixed["initial"] == fixed["id"]


def test_streams_that_workers_divide() -> None:
    dataset = loading.Stream(9)
    batches = [b.tolist() for b in loader(dataset, worker_init_fn=loading.divide)]
    assert batches == [[0, 1], [5, 6], [2, 3], [7, 8], [4]] and dataset.end == 9
    assert [b.tolist() for b in loader(loading.Stream(5, ask=True))] == [[0, 2], [1, 3], [4]]


@pytest.mark.parametrize("size", [3, transfer.MIN_SHARED])
def test_datasets_that_change_their_arrays(size: int) -> None:
    """Large arrays of a dataset are in shared memory. Writes of a worker stay private."""
    dataset = loading.Changing(size)
    for _ in range(2):
        assert [b.max().item() for b in loader(dataset)] == [2.0, 2.0]
    assert dataset.x.max().item() == 1.0


# ---------------------------------------------------------------- arrays


def test_batches_through_shared_memory() -> None:
    def segments() -> int:
        return Path("/proc/self/maps").read_text().count("memfd:tinytensor")

    before = set(os.listdir("/dev/shm"))
    both = loader(loading.Images(), 1, collate_fn=loading.first)
    iterator = iter(both)
    kept = []
    for i, (image, rest) in enumerate(iterator):
        assert float(image.min()) == float(image.max()) == i and image.flags.writeable
        assert rest["label"] == f"{i}" and rest["x"].tolist() == list(range(i, 9))
        if i < 10:  # the memory of freed batches is reused
            assert segments() <= 6
            continue
        image += 0.5
        kept.append(image)
    assert len(kept) > 2 * transfer.MAX_SEGMENTS - 8 and segments() <= 2 * transfer.MAX_SEGMENTS
    assert [float(image.mean()) for image in kept] == [i + 0.5 for i in range(10, 90)]
    del image, iterator, both
    kept.clear()
    assert segments() == 0
    assert set(os.listdir("/dev/shm")) == before


def test_files_are_closed() -> None:
    others = set(multiprocessing.active_children())  # persistent workers of other tests

    def handles() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    list(loader(loading.Images(), 30, collate_fn=loading.first))
    wait_for(lambda: not set(multiprocessing.active_children()) - others)
    before = handles()
    for _ in range(4):
        for batch in loader(loading.Images(), 30, collate_fn=loading.first):
            del batch
            break
    wait_for(lambda: not set(multiprocessing.active_children()) - others)
    list(loader(loading.Images(), 30, collate_fn=loading.first))  # its end forgets ended workers
    wait_for(lambda: handles() < before + 4)  # fewer than one for each iterator


def test_tensors_on_a_gpu_are_refused(gpu: Any) -> None:
    x = tinytensor.arange(6, device="cuda")
    with pytest.raises(Exception, match=r"keep the dataset on the CPU"):
        next(iter(loader(TensorDataset(x))))


# ---------------------------------------------------------------- errors


def test_exceptions_of_workers() -> None:
    """Errors keep their type and the worker's traceback, and the iteration can continue."""
    iterator = iter(loader(loading.Faulty(missing=0, awkward=1, local=2), 1))
    with pytest.raises(KeyError) as caught:
        next(iterator)
    assert caught.value.args == ("a key",)
    shown = "".join(traceback.format_exception(caught.value))
    assert "Caught KeyError in DataLoader worker process 0 (pid" in shown
    assert 'return {}["a key"]' in shown
    assert "in batch 0 of the epoch, with the samples [0]" in shown
    for message in ("AwkwardError: 1 and 2", "Local: of a class that exists only here"):
        with pytest.raises(RuntimeError, match=message) as caught:
            next(iterator)
        assert "Original Traceback" in "".join(caught.value.__notes__)
    assert next(iterator).item() == 3
    assert next(iterator, None) is None


def test_batches_that_cannot_be_sent() -> None:
    iterator = iter(loader(loading.Faulty(unsendable=0), 1, collate_fn=loading.first))
    with pytest.raises(Exception, match="lambda") as caught:
        next(iterator)
    assert "the batch cannot be pickled" in "".join(caught.value.__notes__)
    assert next(iterator) == 1


@pytest.mark.parametrize(("options", "culprit"), [
    ({"collate_fn": lambda batch: batch}, "collate_fn"),
    ({"worker_init_fn": lambda worker: None}, "worker_init_fn"),
    ({"dataset": [lambda: 1]}, "the dataset")])
def test_what_cannot_be_pickled(options: dict[str, Any], culprit: str) -> None:
    dataset = options.pop("dataset", [1, 2])
    refused = f"DataLoader: {culprit} cannot be sent"
    with pytest.raises(pickle.PicklingError, match=refused) as caught:
        next(iter(loader(dataset, multiprocessing_context="forkserver", **options)))
    assert "multiprocessing_context='thread'" in str(caught.value)
    assert "define functions and classes at the top level" in str(caught.value)


@forks_by_default
def test_what_cannot_be_pickled_is_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in PyTorch, unless the program has chosen how processes start."""
    with monkeypatch.context() as undone:
        undone.setattr(multiprocessing, "get_start_method", lambda allow_none: None)
        assert list(loader([1, 2], 1, collate_fn=lambda batch: batch)) == [[1], [2]]
    with pytest.raises(pickle.PicklingError, match="collate_fn cannot be sent"):
        next(iter(loader([1, 2], 1, collate_fn=lambda batch: batch)))


def test_workers_that_end_or_do_not_answer() -> None:
    for fault, message in (("killed", r"\(pid \d+\) was killed by signal: SIGKILL"),
                           ("exit", r"\(pid \d+\) exited unexpectedly with exit code 3")):
        iterator = iter(loader(loading.Faulty(**{fault: 2}), 1))
        assert [next(iterator).item(), next(iterator).item()] == [0, 1]
        with pytest.raises(RuntimeError, match=message):
            next(iterator)
    iterator = iter(loader(loading.Faulty(stuck=0), 1, timeout=0.2))
    with pytest.raises(RuntimeError, match=r"timed out after 0\.2 seconds: worker 0"):
        list(iterator)


def test_contexts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve(None).get_start_method() == "forkserver"
    assert resolve("fork").get_start_method() == "fork"
    spawn = multiprocessing.get_context("spawn")
    assert resolve(spawn) is spawn
    monkeypatch.setattr(multiprocessing, "get_start_method", lambda allow_none: "spawn")
    assert resolve(None).get_start_method() == "spawn"
    with pytest.raises(ValueError, match=r"'forkserver'.*, or 'thread', but got 'threads'"):
        loader([1], multiprocessing_context="threads")


def test_other_ways_to_start() -> None:
    """With "fork", the dataset is not pickled."""
    assert [b.item() for b in DataLoader(
        [1, 2], num_workers=1, multiprocessing_context="spawn")] == [1, 2]
    assert [*loader([1, 2], 1, multiprocessing_context="fork",
                    collate_fn=lambda batch: batch)] == [[1], [2]]


# ---------------------------------------------------------------- shutdown


PROGRAM = """
import os, signal, sys, time
sys.path[:0] = [{root!r}, {tests!r}]
import loading
from tinytensor.utils.data import DataLoader
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    loader = DataLoader(loading.Faulty(stuck=1), 1, num_workers=2, {options})
    iterator = iter(loader)
    next(iterator)
    workers = [getattr(w, "process", None) for w in iterator.batches.workers]
    print(*[w.pid for w in workers if w], flush=True)
    {then}
"""


def program(tmp_path: Path, text: str, *options: str) -> subprocess.Popen[str]:
    path = tmp_path / "program.py"
    path.write_text(textwrap.dedent(text))
    return subprocess.Popen([sys.executable, str(path), *options], text=True, cwd=tmp_path,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def stuck(tmp_path: Path, then: str, options: str = "") -> subprocess.Popen[str]:
    return program(tmp_path, PROGRAM.format(root=str(ROOT), tests=str(ROOT / "tests"), then=then,
                                            options=options))


def test_stuck_workers_end_with_the_program(tmp_path: Path) -> None:
    """The program ends, is interrupted or is killed while its workers do not respond."""
    folders = [tmp_path / name for name in ("thread", "interrupt", "kill")]
    for folder in folders:
        folder.mkdir()
    running = [stuck(folders[0], "pass", "multiprocessing_context='thread'"),
               stuck(folders[1], "next(iterator)"), stuck(folders[2], "time.sleep(100)")]
    lines = [p.stdout.readline() for p in running]  # type: ignore[union-attr]
    running[1].send_signal(signal.SIGINT)
    running[2].kill()
    outputs = [p.communicate(timeout=30) for p in running]
    assert [p.returncode for p in running] == [0, -signal.SIGINT, -signal.SIGKILL], outputs
    assert outputs[0][1] == "" and "KeyboardInterrupt" in outputs[1][1]
    assert [len(line.split()) for line in lines] == [0, 2, 2]
    for pid in map(int, " ".join(lines).split()):
        wait_for(lambda pid=pid: not alive(pid))


@forks_by_default
def test_notebooks_fork_workers() -> None:
    """The cells of a notebook cannot be imported in another process; a fork has their classes.

    The matrix product and the activation have started the threads of BLAS and of kernels.
    """
    code = textwrap.dedent("""
        import sys
        sys.ps1 = "In : "  # as IPython sets it
        import tinytensor
        from tinytensor.utils.data import DataLoader
        class Squares:
            def __len__(self): return 6
            def __getitem__(self, i): return (x @ x).tanh()[i, i] * 0 + i * i
        x = tinytensor.ones(300, 300)
        (x @ x).tanh()
        for epoch in range(2):
            print([b.tolist() for b in DataLoader(Squares(), 2, num_workers=2,
                                                  collate_fn=lambda rows: tinytensor.stack(rows))])
        """)
    answer = subprocess.run([sys.executable, "-c", code], text=True, cwd=ROOT, timeout=120,
                            capture_output=True, check=False)
    lines = answer.stdout.splitlines()
    assert lines == ["[[0.0, 1.0], [4.0, 9.0], [16.0, 25.0]]"] * 2, answer.stderr


WITHOUT_GUARD = """
import sys
sys.path.insert(0, {root!r})
from tinytensor.utils.data import DataLoader
print([batch.item() for batch in DataLoader([1, 2], num_workers=1, {options})])
"""


@forks_by_default
def test_scripts_without_a_guard_fork_workers(tmp_path: Path) -> None:
    answer, errors = program(tmp_path, WITHOUT_GUARD.format(
        root=str(ROOT), options="")).communicate(timeout=60)
    assert (answer, errors) == ("[1, 2]\n", "")


def test_scripts_without_a_guard_and_classes_of_no_module(tmp_path: Path) -> None:
    bare = program(tmp_path, WITHOUT_GUARD.format(
        root=str(ROOT), options="multiprocessing_context='forkserver'"))
    code = textwrap.dedent("""
        from tinytensor.utils.data import DataLoader
        class Own(list): pass
        print(list(DataLoader(Own([1, 2]), num_workers=1, multiprocessing_context="forkserver")))
        """)
    notebook = subprocess.Popen([sys.executable, "-c", code], text=True, cwd=ROOT,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    errors = bare.communicate(timeout=60)[1]
    last = errors[errors.rindex("RuntimeError: DataLoader"):]
    assert "before it had started" in last and 'if __name__ == "__main__":' in last
    assert "in a process that is itself starting" in errors
    errors = notebook.communicate(timeout=60)[1]
    assert "could not load the dataset" in errors and "at the top level of a module" in errors
    assert bare.returncode == notebook.returncode == 1


def test_iterators_that_are_dropped() -> None:
    threads, others = set(threading.enumerate()), set(multiprocessing.active_children())
    for _ in loader(loading.Probe()):
        pids = [p.pid for p in multiprocessing.active_children() if p not in others]
        break
    assert pids
    wait_for(lambda: not any(map(alive, pids)))
    wait_for(lambda: not set(threading.enumerate()) - threads)


# ---------------------------------------------------------------- resuming


@pytest.mark.parametrize(("persistent", "cut"), [(False, 3), (True, 3), (True, 1), (True, 5)])
def test_resuming_with_every_generator(persistent: bool, cut: int) -> None:
    """Resumes in the second epoch, also before one worker has delivered, or between epochs."""
    def plain(batches: Any) -> dict[str, list[Any]]:
        return {k: v for k, v in columns(batches).items() if k not in ("pid", "calls")}

    tinytensor.manual_seed(5)
    options: dict[str, Any] = {"persistent_workers": persistent, "shuffle": True,
                               "worker_init_fn": loading.fixed_seeds if cut == 3 else None}
    one = loader(loading.Probe(), **options)
    list(one)
    iterator = iter(one)
    assert len([batch for _, batch in zip(range(cut), iterator, strict=False)]) == min(cut, 4)
    state, program = one.state_dict(), tinytensor.get_rng_state()
    file = io.BytesIO()
    tinytensor.save(state, file)
    expected = [] if cut == 5 else [plain(iterator)]
    expected.append(plain(one))
    tinytensor.manual_seed(6)
    other = loader(loading.Probe(), **options)
    tinytensor.set_rng_state(program)
    other.load_state_dict(tinytensor.load(io.BytesIO(file.getvalue())))
    assert repr(other.state_dict()) == repr(state)
    assert [plain(other) for _ in expected] == expected
