"""Threads that share the pieces of one loop, without the interpreter.

A thread of Python's that is to start working has to be woken by the system and to wait for the
interpreter's lock: a tenth of a millisecond and more, in which a core adds up a million numbers.
So the threads of the pool stay in compiled code, `serve`, and watch a notice board, an array of
64-bit integers. Who has work pins it up: the address of a function of (start, stop), and what that
needs. Everyone, the owner included, takes one piece after the other until none is left; a thread
that comes late finds less to do, and nobody waits for it.

    ticket   odd while there is work; each job has another
    inside   how many threads may be looking at the job: the owner leaves when there are none
    next     the next piece to take, of `pieces`
    asleep   for each thread, whether it has stopped watching

A thread enters before it reads the ticket, and the owner takes the job down before it asks who is
inside; with sequentially consistent operations one of the two sees the other. This module imports
Numba.
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
from .pool import MOST

APART = 16  # places on the board between those that different threads write: two cache lines
TICKET, INSIDE, NEXT, FAILED = (i * APART for i in range(4))
CALL, NEEDS, PIECES, LENGTH, ALIGN, HELPERS = (4 * APART + i for i in range(6))
ASLEEP = 5 * APART

PAUSES = 16      # between two looks at the board
PATIENCE = 4000  # looks before a thread goes to sleep: about two milliseconds


def new_board() -> Any:
    """One for each process: threads of another do not come along."""
    return numpy.zeros(ASLEEP + MOST * APART, numpy.int64)


def asleep(index: int) -> int:
    """Where on the board a thread says that it has stopped watching."""
    return ASLEEP + index * APART


# ---------------------------------------------------------------- operations on the board


def _place(context: Any, builder: Any, board: Any, args: Any) -> Any:
    return builder.gep(context.make_array(board)(context, builder, args[0]).data, [args[1]])


@intrinsic
def read(typing, board, place):
    """board[place], as the other threads have left it."""
    def generate(context, builder, signature, args):
        return builder.load_atomic(_place(context, builder, board, args), "seq_cst", 8)

    return types.int64(board, types.intp), generate


@intrinsic
def write(typing, board, place, number):
    """board[place] = number, for all to see."""
    def generate(context, builder, signature, args):
        builder.store_atomic(args[2], _place(context, builder, board, args), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(board, types.intp, types.int64), generate


@intrinsic
def add(typing, board, place, number):
    """board[place] += number in one go; what it was before."""
    def generate(context, builder, signature, args):
        return builder.atomic_rmw("add", _place(context, builder, board, args), args[2], "seq_cst")

    return types.int64(board, types.intp, types.int64), generate


@intrinsic
def pause(typing):
    """Lets the other half of a core work."""
    def generate(context, builder, signature, args):
        if platform.machine().lower() in ("x86_64", "amd64"):
            builder.call(cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(ir.VoidType(), []), "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def give_way(typing):
    """Lets other threads have the core."""
    def generate(context, builder, signature, args):
        if os.name == "posix":
            kind = ir.FunctionType(ir.IntType(32), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), generate


# ---------------------------------------------------------------- the job


PIECE = ir.FunctionType(ir.IntType(8), [ir.IntType(64), ir.IntType(64), ir.IntType(8).as_pointer()])


@intrinsic
def pin_up(typing, board, body, args):
    """Writes the job `body(start, stop, *args)` on the board: where its function is, and its needs.

    The needs are in this function's frame: it must not return before the job is done.
    """
    signature = body.get_call_type(typing, (types.int64, types.int64, *args.types), {})
    compiled = body.dispatcher.overloads[signature.args]

    def generate(context, builder, own, values):
        board_value, _, needs = values
        stored = cgutils.alloca_once_value(builder, needs)
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
        for index, pointer in ((CALL, piece), (NEEDS, stored)):
            place = builder.gep(data, [ir.Constant(ir.IntType(64), index)])
            builder.store(builder.ptrtoint(pointer, ir.IntType(64)), place)
        return context.get_dummy_value()

    return types.void(board, body, args), generate


@intrinsic
def call(typing, board, start, stop):
    """Does a piece of the job on the board; 1 if it failed."""
    def generate(context, builder, signature, args):
        data = context.make_array(board)(context, builder, args[0]).data
        address, needs = (builder.load(builder.gep(data, [ir.Constant(ir.IntType(64), index)]))
                          for index in (CALL, NEEDS))
        piece = builder.inttoptr(address, PIECE.as_pointer())
        failed = builder.call(piece, [args[1], args[2], builder.inttoptr(
            needs, ir.IntType(8).as_pointer())])
        return builder.zext(failed, ir.IntType(64))

    return types.int64(board, types.int64, types.int64), generate


@loop
def bound(board, piece):
    """Where a piece begins."""
    return board[LENGTH] * piece // board[PIECES] // board[ALIGN] * board[ALIGN]


@loop
def work(board):
    """Takes pieces until none is left."""
    pieces = board[PIECES]
    piece = add(board, NEXT, 1)
    while piece < pieces:
        stop = bound(board, piece + 1) if piece + 1 < pieces else board[LENGTH]
        if call(board, bound(board, piece), stop):
            write(board, FAILED, 1)
        piece = add(board, NEXT, 1)


@loop
def serve(board, index):
    """Watches the board and works, as thread `index`, until there has been nothing for a while."""
    done = 0
    patience = PATIENCE
    while patience:
        ticket = read(board, TICKET)
        if ticket % 2 and ticket != done:
            add(board, INSIDE, 1)
            if read(board, TICKET) == ticket:
                done = ticket
                if index < board[HELPERS]:
                    work(board)
                    patience = PATIENCE
            add(board, INSIDE, -1)
        else:
            patience -= 1
            if patience % 16 == 0:
                give_way()
            for _ in range(PAUSES):
                pause()
    write(board, ASLEEP + index * APART, 1)


def _together(board, length, pieces, align, *args):
    """body(start, stop, *args) for all pieces of range(length); whether one failed."""
    board[LENGTH], board[PIECES], board[ALIGN], board[HELPERS] = length, pieces, align, pieces - 1
    pin_up(board, body, args)  # noqa: F821
    write(board, FAILED, 0)
    write(board, NEXT, 0)
    add(board, TICKET, 1)
    work(board)
    add(board, TICKET, 1)
    looks = 0
    while read(board, INSIDE):
        looks += 1
        if looks % 64 == 0:
            give_way()
        pause()
    return read(board, FAILED) != 0


def together(body: Loop) -> Loop:
    """The loop as a job for the crew, called with (board, length, pieces, align, *args)."""
    function: Any = FunctionType(_together.__code__, {**globals(), "body": body},
                                 f"{body.__name__}_together")
    function.__module__ = body.__module__
    function.__qualname__ = f"{body.__name__}_together"
    return Loop(function, body.options)
