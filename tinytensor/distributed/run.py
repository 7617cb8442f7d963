"""Starts a program as several ranks, through mpiexec.

    python -m tinytensor.distributed.run --nproc-per-node 2 train.py --epochs 3

It takes torchrun's options and sets the environment that torchrun sets. The options that concern
torchrun's rendezvous and its restarts have no effect. On several machines, give mpiexec its hosts:

    python -m tinytensor.distributed.run --nproc-per-node 4 --hosts alpha,beta train.py

If one rank fails, the others end within seconds, and the first cause is printed with its traceback.
The exit status is 0 if all ranks ended with 0.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence

from . import monitor, mpi
from .addresses import own_addresses
from .hub import PATIENCE, TICK, Hub

IGNORED = ("rdzv-backend", "rdzv-endpoint", "rdzv-id", "rdzv-conf", "max-restarts", "node-rank",
           "monitor-interval", "start-method", "role", "local-addr", "log-dir", "redirects", "tee")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tinytensor.distributed.run", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("--nproc-per-node", "--nproc_per_node", "-n", default="1", metavar="N",
                        help="ranks on each machine; auto or gpu: one for each GPU, cpu: for each "
                             "core (default: %(default)s)")
    parser.add_argument("--hosts", help="the machines, with commas between (default: this one)")
    parser.add_argument("--mpiexec", help="the program mpiexec (default: the one beside Python, "
                                          "then the one on the path)")
    parser.add_argument("-m", "--module", action="store_true",
                        help="run a module, as python -m does")
    parser.add_argument("--standalone", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--nnodes", default="1", help=argparse.SUPPRESS)
    parser.add_argument("--master-addr", "--master_addr", help=argparse.SUPPRESS)
    parser.add_argument("--master-port", "--master_port", help=argparse.SUPPRESS)
    for name in IGNORED:
        parser.add_argument(f"--{name}", f"--{name.replace('-', '_')}", help=argparse.SUPPRESS)
    parser.add_argument("program", help="the program")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    return parser


def _count(text: str) -> int:
    """The number of ranks on each machine.

    Raises:
        ValueError: it is no number of at least 1.
    """
    from ..arrays.devices import device_count

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") \
        else os.cpu_count() or 1
    if text in ("gpu", "auto"):
        gpus = device_count()
        if text == "gpu" and not gpus:
            raise ValueError("--nproc-per-node gpu: there is no GPU")
        return gpus or cores
    count = cores if text == "cpu" else int(text) if text.isdecimal() else 0
    if count < 1:
        raise ValueError(f"--nproc-per-node must be a number of at least 1, or auto, gpu or cpu, "
                         f"got {text!r}")
    return count


def _mpiexec(given: str | None) -> str:
    """
    Raises:
        FileNotFoundError: there is no mpiexec.
    """
    beside = os.path.join(os.path.dirname(sys.executable), "mpiexec")
    found = given or (beside if os.access(beside, os.X_OK) else shutil.which("mpiexec"))
    if not found or not shutil.which(found):
        raise FileNotFoundError(f"mpiexec was not found: {mpi.INSTALL}")
    return found


def options(mpiexec: str, hosts: Sequence[str], count: int = 1) -> list[str]:
    """The options of mpiexec for `count` ranks on each host. Open MPI's differ from the others'."""
    version = subprocess.run([mpiexec, "--version"], capture_output=True, text=True).stdout
    if "Open MPI" not in version and "OpenRTE" not in version:
        return ["-hosts", ",".join(hosts), "-ppn", str(count)] if hosts else []
    chosen = ["--map-by", ":OVERSUBSCRIBE"]  # more ranks than cores are allowed
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        chosen.append("--allow-run-as-root")
    return chosen + (["--host", ",".join(f"{host}:{count}" for host in hosts)] if hosts else [])


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program; the exit status."""
    parser = _parser()
    args = parser.parse_args(arguments)
    hosts = args.hosts.split(",") if args.hosts else []
    if args.nnodes not in ("1", "1:1") and not hosts:
        parser.error("--nnodes: name the machines with --hosts; this program is started once, on "
                     "one of them")
    if not mpi.installed():
        parser.error(f"process groups need MPI: {mpi.INSTALL}")
    try:
        count = _count(args.nproc_per_node)
        program = ["-m"] * args.module + [args.program, *args.arguments]
        mpiexec = _mpiexec(args.mpiexec)
    except (ValueError, FileNotFoundError) as error:
        parser.error(str(error))
    size = count * max(1, len(hosts))
    line = [mpiexec, *options(mpiexec, hosts, count), "-n", str(size), sys.executable, "-m",
            "tinytensor.distributed.rank", *program]
    addresses = own_addresses() if hosts else ["127.0.0.1"]
    environment = {**os.environ, "MASTER_ADDR": args.master_addr or addresses[0],
                   "MASTER_PORT": args.master_port or "29500"}
    hub = None
    if size > 1:
        hub = Hub(size, addresses, lambda: None)
        environment[monitor.ADDRESS] = hub.address
    for number in (signal.SIGINT, signal.SIGTERM):  # mpiexec passes them on to the ranks
        signal.signal(number, lambda number, _: process.send_signal(number)
                      if number == signal.SIGTERM else None)
    with subprocess.Popen(line, env=environment) as process:
        if hub is None:
            return process.wait()
        while process.poll() is None:
            if hub.done.wait(TICK) and not hub.succeeded:
                return _ended(process)
    if process.returncode == 0 and not hub.succeeded and hub.peers:
        hub.fail("mpiexec has ended before all ranks had come to the end of their programs")
    return process.returncode or int(hub.done.is_set() and not hub.succeeded)


def _ended(process: subprocess.Popen[bytes]) -> int:
    """The ranks were told to end: waits for mpiexec, which kills those that do not."""
    try:
        return process.wait(PATIENCE) or 1
    except subprocess.TimeoutExpired:
        process.terminate()
    try:
        return process.wait(PATIENCE) or 1
    except subprocess.TimeoutExpired:
        process.kill()
        return 1


if __name__ == "__main__":
    sys.exit(main())
