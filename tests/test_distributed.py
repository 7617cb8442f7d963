"""Several ranks: the checks of on_ranks.py, the launcher, and what happens if a rank fails."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import on_ranks
import pytest

import tinytensor
from tinytensor import nn
from tinytensor.distributed import addresses, cost, groups, hub, monitor, mpi, run

ROOT = Path(__file__).parent.parent
needs_mpi = pytest.mark.skipif(not mpi.installed(), reason=f"needs MPI: {mpi.INSTALL}")
# The machine of the tests may be busy: a rank that waits gives its core away.
ENVIRONMENT = {**os.environ, **mpi.YIELD, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
LAUNCH = [sys.executable, "-m", "tinytensor.distributed.run", "--nproc-per-node"]


def started(*command: Any, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], env={**ENVIRONMENT, **variables},
                          capture_output=True, text=True, timeout=120, cwd=ROOT)


@needs_mpi
def test_checks_on_two_and_three_ranks(tmp_path: Path) -> None:
    for size in (2, 3):
        file = tmp_path / f"passed{size}"
        ended = started(run._mpiexec(None), *run.options(run._mpiexec(None), []), "-n", size,
                        sys.executable, "-m", "tests.on_ranks", file)
        assert ended.returncode == 0, ended.stderr
        names = [check.__name__ for check in on_ranks.CHECKS[size]]
        assert file.read_text().split() == names


@needs_mpi
def test_a_program_written_for_torchrun(tmp_path: Path) -> None:
    program = tmp_path / "train.py"
    program.write_text("""
import os, sys
import tinytensor as torch
import tinytensor.distributed as dist
from tinytensor.nn.parallel import DistributedDataParallel as DDP

ddp = int(os.environ.get("RANK", -1)) != -1
assert ddp and sys.argv[1:] == ["--lr", "0.1"], sys.argv
dist.init_process_group(backend="gloo", init_method="env://", rank=int(os.environ["RANK"]),
                        world_size=int(os.environ["WORLD_SIZE"]))
local_rank = int(os.environ["LOCAL_RANK"])
assert os.environ["MASTER_ADDR"] and int(os.environ["MASTER_PORT"])
model = DDP(torch.nn.Linear(2, 1))
model(torch.ones(1, 2)).sum().backward()
rank = torch.tensor([dist.get_rank()])
dist.all_reduce(rank)
print(f"rank {dist.get_rank()} of {dist.get_world_size()}, sum {rank.item()}, "
      f"{torch.get_num_threads()} threads", flush=True)
dist.destroy_process_group()
""")
    free = ["env", *(option for name in ("OMP", "OPENBLAS", "MKL")
                     for option in ("-u", f"{name}_NUM_THREADS"))]
    ended = started(*free, *LAUNCH[:-1], "--standalone", "--nnodes=1", "--nproc_per_node=2",
                    program, "--lr", "0.1")
    assert ended.returncode == 0, ended.stderr
    cores = len(os.sched_getaffinity(0))
    each = max(1, cores // 2)
    # Both ranks print at the same time, so a line may begin where another one has not ended.
    assert sorted(re.findall(r"rank \d.*? threads", ended.stdout)) == [
        f"rank {r} of 2, sum 1, {each} threads" for r in (0, 1)]
    assert ended.stderr.count("2 ranks on") == (cores > 1)  # the cores are shared: said once


FAULTS = {
    "raise": "rank 1 of 2 .* raised\nTraceback .*ValueError: a bad batch\nAll ranks end",
    "kill": "rank 1 of 2 .* ended without a word: killed",
    "hang": r"rank 1 of 2 .* has not come to it; it is at\n.*time\.sleep\(1000\)",
    "disk": "rank 0 of 2 .* raised\nTraceback .*File too large",
}


@needs_mpi
@pytest.mark.parametrize("kind", FAULTS)
def test_if_a_rank_fails_all_end_and_the_cause_is_printed(kind: str, tmp_path: Path) -> None:
    ended = started(*LAUNCH, 2, ROOT / "tests/faulty_training.py", kind, int(kind != "disk"), 3,
                    tmp_path)
    assert ended.returncode != 0 and "is done" not in ended.stdout
    assert time.time() - float((tmp_path / "time").read_text()) < 30
    causes = [text for text in ended.stderr.split("=" * 72) if "tinytensor.distributed:" in text]
    assert len(causes) == 1, ended.stderr
    assert re.search(FAULTS[kind], causes[0], re.DOTALL), causes[0]
    model = tinytensor.load(tmp_path / "checkpoint")["model"]
    assert list(model) == ["0.weight", "0.bias", "2.weight", "2.bias"]


# ---------------------------------------------------------------- alone


@needs_mpi
@pytest.mark.parametrize("first, begun", [("dist.init_process_group()", "DistributedDataParallel"),
                                          ("pass", "init_process_group")])
def test_what_all_ranks_must_begin_is_begun_by_one(first: str, begun: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(f"""\
import os

from tinytensor import distributed as dist
from tinytensor import nn

{first}
if os.environ["RANK"] == "0":
    if not dist.is_initialized():
        dist.init_process_group()
    nn.parallel.DistributedDataParallel(nn.Linear(1, 1))
""")
    ended = started(*LAUNCH, 2, program)
    assert ended.returncode != 0
    assert re.search(rf"rank 0 of 2 .* waits in {begun}\(\).* but rank 1 has left", ended.stderr)


def test_a_program_that_may_be_one_of_several_runs_alone() -> None:
    dist = tinytensor.distributed
    assert not dist.is_initialized()
    assert (dist.get_rank(), dist.get_world_size()) == (0, 1)
    dist.barrier()
    dist.destroy_process_group()
    for call in (lambda: dist.all_reduce(tinytensor.ones(2)),
                 lambda: nn.parallel.DistributedDataParallel(nn.Linear(1, 1))):
        with pytest.raises(ValueError, match="default process group has not been initialized"):
            call()
    with pytest.raises(AttributeError, match="close to it: all_reduce"):
        dist.all_reduc  # noqa: B018


def test_places_of_names_in_pytorch() -> None:
    program = """
import tinytensor
tinytensor.as_torch()
import torch
import torch.distributed as dist
import torch.distributed.algorithms.ddp_comm_hooks.default_hooks as default
from torch.distributed.algorithms.ddp_comm_hooks.debugging_hooks import noop_hook
from torch.distributed.constants import default_pg_timeout
from torch.distributed.distributed_c10d import ReduceOp, _get_default_group
from torch.distributed.elastic.multiprocessing.errors import record
from torch.distributed.optim import ZeroRedundancyOptimizer

assert default_pg_timeout is dist.default_pg_timeout
assert ReduceOp is dist.ReduceOp and ZeroRedundancyOptimizer is torch.optim.ZeroRedundancyOptimizer
assert dist.algorithms.ddp_comm_hooks.default_hooks is default
assert record(noop_hook) is noop_hook and dist.Backend("GLOO") == dist.Backend.GLOO == "gloo"
bucket = dist.GradBucket(0, torch.ones(3), [torch.ones(3)], [torch.ones(3)], True)
assert noop_hook(None, bucket).wait() is bucket.buffer()
for call in (_get_default_group, lambda: default.allreduce_hook(None, bucket)):
    try:
        call()
        raise SystemExit("no error")
    except ValueError as error:
        assert "default process group has not been initialized" in str(error)
print("fine")
"""
    ended = started(sys.executable, "-c", program)
    assert ended.stdout.strip() == "fine", ended.stderr


def test_without_mpi4py_the_message_says_what_to_install() -> None:
    program = ("import sys; sys.modules['mpi4py'] = None\n"
               "import tinytensor as tt\n"
               "import tinytensor.distributed as dist\n"
               "try: dist.init_process_group('gloo')\n"
               "except RuntimeError as error: print(error)")
    ended = started(sys.executable, "-c", program)
    assert "process groups need MPI: pip install mpi4py mpich" in ended.stdout, ended.stderr


def test_importing_does_not_start_mpi() -> None:
    program = ("import sys, tinytensor, tinytensor.distributed.run\n"
               "from tinytensor.nn.parallel import DistributedDataParallel\n"
               "print([m for m in sys.modules if 'mpi4py' in m])")
    assert started(sys.executable, "-c", program).stdout.strip() == "[]"


@needs_mpi
def test_a_group_of_one() -> None:
    program = """
import tinytensor as tt
from tinytensor import distributed as dist, nn
for backend in ("gloo", None, "cpu:gloo,cuda:nccl"):
    try:
        dist.init_process_group(backend)
    except RuntimeError as error:
        assert "nccl" in str(error), error
        continue
    assert dist.get_world_size() == 1 and dist.get_backend() == (backend or "mpi")
    x = tt.ones(2)
    dist.all_reduce(x)
    parts = [tt.zeros(2)]
    dist.all_gather(parts, x)
    objects = [None]
    dist.all_gather_object(objects, "a")
    assert x.tolist() == parts[0].tolist() == [1, 1] and objects == ["a"]
    model = nn.parallel.DistributedDataParallel(nn.Linear(2, 1))
    with model.no_sync():
        model(x).sum().backward()
    assert model.module.weight.grad.tolist() == [[1, 1]]
    try:
        dist.init_process_group(backend)
    except RuntimeError as error:
        assert "twice" in str(error)
    dist.destroy_process_group()
for options, message in (({"backend": "ucc"}, "unknown backend 'ucc'"),
                         ({"world_size": 2}, "world_size is 2, but MPI says 1"),
                         ({"rank": 1}, "rank is 1, but MPI says 0")):
    try:
        dist.init_process_group(**options)
        raise SystemExit("no error")
    except ValueError as error:
        assert message in str(error), error
print("fine")
"""
    ended = started(sys.executable, "-c", program)
    assert ended.stdout.strip() == "fine", ended.stderr
    ended = started(sys.executable, "-c",
                    "import tinytensor.distributed as dist; dist.init_process_group()",
                    WORLD_SIZE="4", RANK="0")
    assert "WORLD_SIZE is 4, but MPI has started 1 process. Start the program with" in ended.stderr


@needs_mpi
def test_processes_of_srun_that_mpi_does_not_connect_are_an_error() -> None:
    program = "import tinytensor.distributed as dist; dist.init_process_group(); print('begun')"
    step = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_NTASKS": "2", "SLURM_PROCID": "1"}
    ended = started(sys.executable, "-c", program, **step)
    assert "srun has started 2 processes, but MPI sees one: give srun --mpi=pmi2" in ended.stderr
    job = {"SLURM_NTASKS": "2", "SLURM_PROCID": "0"}  # a program in the script of a job
    assert started(sys.executable, "-c", program, **job).stdout.strip() == "begun"


def test_ranks_on_this_machine_as_slurm_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    for names in mpi.LAUNCHERS.values():
        for name in names:
            monkeypatch.delenv(name, raising=False)
    for text, node, count in (("4", "0", 4), ("2(x3),1", "2", 2), ("2(x3),1", "3", 1)):
        monkeypatch.setenv("SLURM_STEP_TASKS_PER_NODE", text)
        monkeypatch.setenv("SLURM_NODEID", node)
        assert mpi.launched()["LOCAL_WORLD_SIZE"] == count


def test_options_of_the_launcher(capsys: pytest.CaptureFixture[str]) -> None:
    cores = len(os.sched_getaffinity(0))
    assert run._count("cpu") == run._count("auto") == cores and run._count("3") == 3
    for text in ("0", "-1", "many"):
        with pytest.raises(ValueError, match="number of at least 1"):
            run._count(text)
    with pytest.raises(FileNotFoundError, match="mpiexec was not found: pip install"):
        run._mpiexec("/absent/mpiexec")
    with pytest.raises(SystemExit):
        run.main(["--nnodes", "2", "train.py"])
    assert "name the machines with --hosts" in capsys.readouterr().err


# ---------------------------------------------------------------- the hub


class Ranks:
    """Connections to a Hub, as ranks would have them."""

    def __init__(self, size: int):
        self.ended: list[int] = []
        self.hub = hub.Hub(size, ["127.0.0.1"], lambda: self.ended.append(1))
        self.peers = [self.connect(rank) for rank in range(size)]

    def close(self) -> None:
        for peer in self.peers:
            peer.send(left=True, counts={})
            peer.connection.close()
        assert self.hub.done.wait(10)

    def connect(self, rank: int, token: str | None = None) -> Any:
        host, port, own = self.hub.address.split(":")
        connection = socket.create_connection((host, int(port)), 10)
        connection.sendall(hub.line({"token": token or own, "rank": rank, "host": "h",
                                          "pid": 7}))
        peer = hub.Peer(connection)
        peer.receive()
        return peer

    def waits(self, rank: int, group: str, number: int, what: str, *, members: Any = (0, 1),
              counts: dict[str, int] | None = None, timeout: float = 60.0) -> None:
        self.peers[rank].send(
            waiting=[group, number, what, members, timeout], place=f"line {rank}", seconds=0,
            past=[[group, number, what]], counts={group: number + 1} if counts is None else counts)


@pytest.fixture
def cause(capfd: pytest.CaptureFixture[str]) -> Any:
    def of(ranks: Ranks) -> str:
        assert ranks.hub.done.wait(10)
        until = time.monotonic() + 10
        while not ranks.ended and time.monotonic() < until:
            time.sleep(0.01)
        assert ranks.ended == [1]
        until = time.monotonic() + 10
        while {"end": 1} not in (ranks.peers[0].receive() or ()):
            assert time.monotonic() < until
        ranks.close()
        return capfd.readouterr().err

    return of


def test_ranks_that_wait_for_each_other_in_different_groups(cause: Any) -> None:
    ranks = Ranks(2)
    ranks.waits(0, "a", 4, "all_reduce((2,))", counts={"a": 5, "b": 1})
    ranks.waits(1, "b", 1, "barrier()", counts={"a": 4, "b": 2})
    text = cause(ranks)
    assert "rank 0 of 2 (h, process 7) waits in all_reduce((2,)), number 4 of group a" in text
    assert "wait for each other" in text and "waits in barrier(), number 1 of group b" in text


@pytest.mark.parametrize("what, number, advice", [
    ("gradients(bucket 0, 9)", 3, "Did the ranks take different numbers of steps?"),
    ("init_process_group()", 0, "All ranks of the group must call it"),
    ("new_group([0, 1])", None, "All ranks of the group must call it"),
    ("recv((2,), float32, from 1)", None, "call the send or recv that belongs to this one")])
def test_the_advice_fits_what_a_rank_waits_for(cause: Any, monkeypatch: pytest.MonkeyPatch,
                                               what: str, number: int, advice: str) -> None:
    monkeypatch.setattr(hub, "PATIENCE", 0.5)
    ranks = Ranks(2)
    ranks.peers[1].send(left=True, counts={"a": 0})
    ranks.waits(0, "a", number, what, members=(1,), counts={})
    text = cause(ranks)
    assert f"waits in {what}" in text and "but rank 1 has left: its program has ended" in text
    assert advice in text and text.count("?") == ("steps?" in advice)


def test_a_rank_that_waits_for_one_that_is_on_its_way_is_left_alone() -> None:
    ranks = Ranks(3)
    ranks.waits(0, "a", 4, "all_reduce((2,))", members=(0, 1, 2))
    ranks.waits(1, "a", 4, "all_reduce((2,))", members=(0, 1, 2))
    ranks.waits(2, "b", 0, "barrier()", members=(1, 2), counts={"a": 5, "b": 1})
    assert not ranks.hub.done.wait(4 * hub.TICK)
    for peer in ranks.peers:
        peer.send(waiting=None)
    ranks.close()
    assert ranks.hub.succeeded and not ranks.ended


def test_a_timeout_names_the_rank_that_is_late(cause: Any) -> None:
    ranks = Ranks(2)
    ranks.waits(0, "a", 0, "barrier()", timeout=0.1)
    for peer in ranks.peers:
        assert peer.receive() == [{"where": True}]
    ranks.peers[0].send(answer="")
    ranks.peers[1].send(answer="  File train.py, line 3")
    assert "rank 1 of 2 (h, process 7) has not come to it; it is at\n  File train.py" \
        in cause(ranks)


def test_a_stopped_rank_is_named_even_if_it_was_waiting_when_it_was_last_heard(cause: Any) -> None:
    ranks = Ranks(2)
    ranks.waits(0, "a", 3, "barrier()", timeout=0.1)
    ranks.waits(1, "a", 4, "barrier()", timeout=0.1)
    for _ in range(2):  # first it seems that rank 0 waits too long
        assert ranks.peers[1].receive()[-1] == {"where": True}
        ranks.peers[1].send(answer="")
    text = cause(ranks)
    assert "rank 1 of 2 (h, process 7) waits" in text and "rank 0 of 2" in text
    assert "does not answer: it was stopped" in text


def test_strangers_are_not_heard() -> None:
    ranks = Ranks(2)
    stranger = ranks.connect(0, token="0" * 32)
    stranger.send(raised="x")
    assert stranger.receive() is None and len(ranks.hub.peers) == 2
    assert not ranks.hub.done.wait(2 * hub.TICK)
    stranger.connection.close()
    ranks.close()
    assert not ranks.ended


def test_addresses_of_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other machines cannot reach the loopback address, to which many machines map their name."""
    monkeypatch.setenv("MASTER_ADDR", "10.1.2.3")
    assert addresses.own_addresses()[0] == "10.1.2.3"
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    monkeypatch.setattr(socket, "gethostbyname_ex", lambda name: (
        name, [], ["127.0.1.1", "10.9.8.7"]))
    found = addresses.own_addresses()
    assert "10.9.8.7" in found and not any(a.startswith("127.") for a in found)
    ranks = Ranks(1)
    port = int(ranks.hub.address.split(":")[1])
    with monitor._connected(["240.0.0.1", "127.0.0.1"], port) as connection:
        assert connection.getpeername() == ("127.0.0.1", port)
    ranks.close()


# ---------------------------------------------------------------- the cost model


def test_costs_by_hand() -> None:
    """8 MB over 4 ranks and 1 GB/s: 2 log2(4) latencies, and 12 MB."""
    assert cost.all_reduce_seconds(8e6, 4, 1e9, 1e-3) == pytest.approx(4e-3 + 12e-3)
    assert cost.all_reduce_seconds(8e6, 1, 1e9, 1e-3) == 0
    # Two buckets that are ready after 0.5 and 1 s of the backward, of 0.75 s each: at 2 s.
    assert cost.step_seconds(2e9, 1.5, 2, 1e9 / 0.75, 0, 1e9) == pytest.approx(0.5 + 2.0)
    # Of 0.25 s each: only the last one is not hidden.
    assert cost.step_seconds(2e9, 1.5, 2, 1e9 / 0.25, 0, 1e9) == pytest.approx(0.5 + 1.25)
    assert cost.step_seconds(2e9, 1.5, 2, 1e9 / 0.25, 0, 1e12) == pytest.approx(1.5 + 0.5)
    assert cost.best_bucket(1e9, 1.0, 8, 1e9, 1e-5) < cost.best_bucket(1e9, 1.0, 8, 1e9, 1e-2)
    lines = cost.table(4e6, 1.0, [2, 512], [1], 1e-5, 2 / 3)
    assert lines[0] == "| Gbit/s | 2 ranks | 512 ranks |" and lines[2].startswith("| 1 | 2.0 (9")


def test_a_fit_gives_back_the_network() -> None:
    for ranks in (2, 4):
        times = {size: cost.all_reduce_seconds(size, ranks, 1e9, 1e-4)
                 for size in (64, 1 << 14, 1 << 18, 1 << 20, 1 << 24)}
        latency, bandwidth = cost.fit(times, ranks)
        assert latency == pytest.approx(1e-4, rel=1e-3)
        assert bandwidth == pytest.approx(1e9, rel=1e-3)


def test_measuring_alone_says_what_is_missing(capsys: pytest.CaptureFixture[str],
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("is_initialized", lambda: True), ("get_world_size", lambda: 1)):
        monkeypatch.setattr(tinytensor.distributed, name, value)
    with pytest.raises(SystemExit):
        cost.main(["--measure"])
    assert "start it with `mpiexec -n 2" in capsys.readouterr().err


def test_backends() -> None:
    assert [groups._backend(name) for name in (None, "gloo", "MPI", "cpu:gloo,cuda:nccl",
                                               "cpu:gloo")] \
        == ["mpi", "gloo", "mpi", "nccl", "gloo"]
