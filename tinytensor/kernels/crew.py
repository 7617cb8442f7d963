"""Threads that share the pieces of one loop, without the GIL.

Waking a Python thread and taking the GIL costs 0.1 ms or more, in which a core adds a million
numbers. So the threads of the pool stay in compiled code, `serve`, and poll a board, an array of
64-bit integers. The caller publishes a job on the board: the address of a function of
(start, stop) and the address of its arguments. All threads, the caller included, take one piece
after the other until none is left. No thread waits for a late one; the late one finds fewer pieces.

    ticket   odd while there is a job; different for each job
    inside   how many threads may be reading the job; the caller returns when it is 0
    next     the next piece to take, of `pieces`
    asleep   for each thread, whether it has stopped polling

A thread increments `inside` before it reads the ticket, and the caller changes the ticket before it
reads `inside`. The operations are sequentially consistent, so at least one of the two sees the
other's write. This module imports Numba.
"""

from __future__ import annotations

import os
import platform
from types import FunctionType
from typing import Any

import numpy
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from .loops import Loop, loop
from .pool import MAX_THREADS

APART = 16  # distance of entries that different threads write, two cache lines: no false sharing
TICKET, INSIDE, NEXT, FAILED = (i * APART for i in range(4))
CALL, ARGUMENTS, PIECES, LENGTH, ALIGN, HELPERS = (4 * APART + i for i in range(6))
ASLEEP = 5 * APART

PAUSES = 16   # pause instructions between two polls
POLLS = 4000  # polls without a job before a thread goes to sleep: about two milliseconds


def new_board() -> Any:
    """The board of a process. A fork gets its own: the parent's threads do not exist in it."""
    return numpy.zeros(ASLEEP + MAX_THREADS * APART, numpy.int64)


def asleep(index: int) -> int:
    """The index on the board of a thread's flag `asleep`."""
    return ASLEEP + index * APART


# ---------------------------------------------------------------- operations on the board


def _place(context: Any, builder: Any, board: Any, args: Any) -> Any:
    return builder.gep(context.make_array(board)(context, builder, args[0]).data, [args[1]])


@intrinsic
def read(typing, board, place):
    """board[place], loaded atomically."""
    def generate(context, builder, signature, args):
        return builder.load_atomic(_place(context, builder, board, args), "seq_cst", 8)

    return types.int64(board, types.intp), generate


@intrinsic
def write(typing, board, place, number):
    """board[place] = number, stored atomically."""
    def generate(context, builder, signature, args):
        builder.store_atomic(args[2], _place(context, builder, board, args), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(board, types.intp, types.int64), generate


@intrinsic
def add(typing, board, place, number):
    """board[place] += number, atomically. Returns the value before."""
    def generate(context, builder, signature, args):
        return builder.atomic_rmw("add", _place(context, builder, board, args), args[2], "seq_cst")

    return types.int64(board, types.intp, types.int64), generate


@intrinsic
def pause(typing):
    """Tells the core that this is a spin loop, in favour of its other hyper-thread."""
    def generate(context, builder, signature, args):
        if platform.machine().lower() in ("x86_64", "amd64"):
            builder.call(cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(ir.VoidType(), []), "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def yield_core(typing):
    """Lets the operating system run another thread on this core."""
    def generate(context, builder, signature, args):
        if os.name == "posix":
            kind = ir.FunctionType(ir.IntType(32), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), generate


# ---------------------------------------------------------------- the job


PIECE = ir.FunctionType(ir.IntType(8), [ir.IntType(64), ir.IntType(64), ir.IntType(8).as_pointer()])


@intrinsic
def publish(typing, board, body, args):
    """Writes the job `body(start, stop, *args)` to the board: the addresses of a function and of
    its arguments.

    The arguments are stored in the caller's stack frame, which must outlive the job.
    """
    signature = body.get_call_type(typing, (types.int64, types.int64, *args.types), {})
    compiled = body.dispatcher.overloads[signature.args]

    def generate(context, builder, own, values):
        board_value, _, arguments = values
        stored = cgutils.alloca_once_value(builder, arguments)
        piece = ir.Function(builder.module, PIECE, f"piece.{compiled.fndesc.llvm_func_name}")
        piece.linkage = "internal"
        inner = ir.IRBuilder(piece.append_basic_block("entry"))
        start, stop, address = piece.args
        taken = inner.load(inner.bitcast(address, stored.type))
        context.active_code_library.add_linking_library(compiled.library)
        function = context.declare_function(builder.module, compiled.fndesc)
        status, _ = context.call_conv.call_function(
            inner, function, signature.return_type, signature.args,
            [start, stop, *cgutils.unpack_tuple(inner, taken)])
        inner.ret(inner.zext(status.is_error, ir.IntType(8)))
        data = context.make_array(board)(context, builder, board_value).data
        for index, pointer in ((CALL, piece), (ARGUMENTS, stored)):
            place = builder.gep(data, [ir.Constant(ir.IntType(64), index)])
            builder.store(builder.ptrtoint(pointer, ir.IntType(64)), place)
        return context.get_dummy_value()

    return types.void(board, body, args), generate


@intrinsic
def call(typing, board, start, stop):
    """Runs the job on the board from start to stop. Returns 1 if it raised an error, else 0."""
    def generate(context, builder, signature, args):
        data = context.make_array(board)(context, builder, args[0]).data
        address, arguments = (builder.load(builder.gep(data, [ir.Constant(ir.IntType(64), index)]))
                          for index in (CALL, ARGUMENTS))
        piece = builder.inttoptr(address, PIECE.as_pointer())
        failed = builder.call(piece, [args[1], args[2], builder.inttoptr(
            arguments, ir.IntType(8).as_pointer())])
        return builder.zext(failed, ir.IntType(64))

    return types.int64(board, types.int64, types.int64), generate


@loop
def bound(board, piece):
    """The start of a piece."""
    return board[LENGTH] * piece // board[PIECES] // board[ALIGN] * board[ALIGN]


@loop
def work(board):
    """Runs pieces of the job until none is left."""
    pieces = board[PIECES]
    piece = add(board, NEXT, 1)
    while piece < pieces:
        stop = bound(board, piece + 1) if piece + 1 < pieces else board[LENGTH]
        if call(board, bound(board, piece), stop):
            write(board, FAILED, 1)
        piece = add(board, NEXT, 1)


@loop
def serve(board, index):
    """Polls the board and runs pieces, as thread `index`, until POLLS polls find no job."""
    done = 0
    polls_left = POLLS
    while polls_left:
        ticket = read(board, TICKET)
        if ticket % 2 and ticket != done:
            add(board, INSIDE, 1)
            if read(board, TICKET) == ticket:
                done = ticket
                if index < board[HELPERS]:
                    work(board)
                    polls_left = POLLS
            add(board, INSIDE, -1)
        else:
            polls_left -= 1
            if polls_left % 16 == 0:
                yield_core()
            for _ in range(PAUSES):
                pause()
    write(board, ASLEEP + index * APART, 1)


def _parallel(board, length, pieces, align, *args):
    """Runs body(start, stop, *args) for all pieces of range(length). Returns whether one failed."""
    board[LENGTH], board[PIECES], board[ALIGN], board[HELPERS] = length, pieces, align, pieces - 1
    publish(board, body, args)  # noqa: F821
    write(board, FAILED, 0)
    write(board, NEXT, 0)
    add(board, TICKET, 1)
    work(board)
    add(board, TICKET, 1)
    polls = 0
    while read(board, INSIDE):
        polls += 1
        if polls % 64 == 0:
            yield_core()
        pause()
    return read(board, FAILED) != 0


def parallel(body: Loop) -> Loop:
    """The loop as a job for all threads, called with (board, length, pieces, align, *args)."""
    function: Any = FunctionType(_parallel.__code__, {**globals(), "body": body},
                                 f"{body.__name__}_parallel")
    function.__module__ = body.__module__
    function.__qualname__ = f"{body.__name__}_parallel"
    return Loop(function, body.options)
