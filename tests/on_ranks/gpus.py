"""Tensors on GPUs: stand-ins for CuPy and NCCL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import nccl_stand_in
import numpy
import strict_cupy

import tinytensor as tt
import tinytensor.distributed as dist
from tinytensor import nn
from tinytensor.arrays import devices
from tinytensor.nn.parallel import DistributedDataParallel

from .common import batch, on, raises, rank, without_batch_norm, world


@contextlib.contextmanager
def stand_in_gpu() -> Iterator[None]:
    """CuPy's and NCCL's stand-ins as device "cuda". With a CuPy that works on a CPU, that one."""
    if devices.cuda_is_available():
        cuda = devices.cupy().cuda
        before, cuda.nccl = getattr(cuda, "nccl", None), nccl_stand_in.module
        yield
        cuda.nccl = before
        return
    cuda = strict_cupy.cuda
    cuda.nccl, cuda.Event, cuda.Stream.null.ptr = nccl_stand_in.module, nccl_stand_in.Event, 0
    with strict_cupy.installed(devices):
        yield
    del cuda.nccl, cuda.Event


@on(2, 3)
def tensors_on_gpus() -> None:
    """The same collectives on the CPU, on a GPU through NCCL, and on a GPU through MPI."""
    def program(group: Any, device: str) -> list[Any]:
        me, n = rank(), world()
        results = []
        for dtype in (tt.float32, tt.float64, tt.int64, tt.float16):
            def mine(*shape: int, dtype: Any = dtype) -> Any:
                return (tt.arange(6).reshape(shape or (2, 3)) + me).to(dtype).to(device)

            for op in (dist.ReduceOp.SUM, dist.ReduceOp.MAX):
                x, y = mine(), mine()
                work = dist.all_reduce(x, op, group, async_op=True)
                assert work.wait() and work.is_completed()
                dist.reduce(y, 1, op, group)
                results += [x, y if me == 1 else mine()]
            x, strided = mine(), mine().t()
            dist.broadcast(x, 1, group)
            dist.all_reduce(strided, group=group)
            parts = [tt.zeros_like(x) for _ in range(n)]
            dist.all_gather(parts, mine(), group)
            uneven = [tt.zeros(i + 1, dtype=dtype, device=device) for i in range(n)]
            dist.all_gather(uneven, uneven[me] + me, group)
            whole = tt.zeros(2 * n, 3, dtype=dtype, device=device)
            dist.all_gather_into_tensor(whole, mine(), group)
            row = tt.zeros(6 // n, dtype=dtype, device=device)
            dist.reduce_scatter_tensor(row, mine(6), group=group)
            scattered, gathered = tt.zeros_like(x), [tt.zeros_like(x) for _ in range(n)]
            dist.scatter(scattered, [mine() + i for i in range(n)] if me == 0 else None, 0, group)
            dist.gather(mine(), gathered if me == 0 else None, 0, group)
            swapped = tt.zeros(6, dtype=dtype, device=device)
            dist.all_to_all_single(swapped, mine(6), group=group)
            if me == 0:
                dist.send(mine(), 1, group)
            elif me == 1:
                assert dist.recv(x, 0, group) == 0
            results += [x, strided, *parts, *uneven, whole, row, scattered, *gathered, swapped]
        average = tt.full((3,), float(me), device=device)
        dist.all_reduce(average, dist.ReduceOp.AVG, group)
        dist.barrier(group)
        model = DistributedDataParallel(without_batch_norm().to(device), process_group=group,
                                        bucket_cap_mb=0.001, find_unused_parameters=True)
        x, y = batch(tt, 4, tt.float64, me)
        nn.functional.cross_entropy(model(x.to(device)), y.to(device)).backward()
        return [*results, average, *(p.grad for p in model.parameters())]

    reference = program(dist.new_group(backend="gloo"), "cpu")
    with stand_in_gpu():
        for backend in ("nccl", "gloo"):
            nccl_stand_in.calls.clear()
            found = program(dist.new_group(backend=backend), "cuda")
            assert bool(nccl_stand_in.calls) == (backend == "nccl")
            for a, b in zip(found, reference, strict=True):
                assert a.is_cuda and a.dtype is b.dtype
                numpy.testing.assert_allclose(a.cpu().numpy(), b.numpy(), 1e-12, 1e-14)
        group = dist.new_group(backend="nccl")
        raises(ValueError, "NCCL has no ReduceOp.BAND", lambda: dist.all_reduce(
            tt.ones(2, dtype=tt.int64, device="cuda"), dist.ReduceOp.BAND, group))
        raises(TypeError, "NCCL has no int16", lambda: dist.all_reduce(
            tt.ones(2, dtype=tt.int16, device="cuda"), group=group))
