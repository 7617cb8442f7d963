"""The kernel for random numbers: the Mersenne Twister, whose loops LLVM vectorises."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy

from ...arrays.streams import many_words
from ..loops import Array, Numba, inlined, loop

SIZE, MIDDLE = 624, 397  # of the state: its words, and the distance of those that are mixed
MANY = 10_000_000  # words; a draw of fewer takes less time than the import of Numba


@inlined
def mixed(upper, lower, other):
    """The recurrence of Matsumoto and Nishimura 1998."""
    y = (upper & numpy.uint32(0x80000000)) | (lower & numpy.uint32(0x7FFFFFFF))
    odd = numpy.uint32(0) - (y & numpy.uint32(1))
    return other ^ (y >> numpy.uint32(1)) ^ (odd & numpy.uint32(0x9908B0DF))


@loop
def twist(key):
    """The next 624 words of the state. Each loop reads only what the loops before it have written,
    or nothing of what it writes itself, so that LLVM can vectorise it.
    """
    rest = SIZE - MIDDLE
    for i in range(rest):
        key[i] = mixed(key[i], key[i + 1], key[i + MIDDLE])
    for i in range(rest, 2 * rest):
        key[i] = mixed(key[i], key[i + 1], key[i - rest])
    for i in range(2 * rest, SIZE - 1):
        key[i] = mixed(key[i], key[i + 1], key[i - rest])
    key[SIZE - 1] = mixed(key[SIZE - 1], key[0], key[MIDDLE - 1])


@loop
def temper(key, out):
    for i in range(out.size):
        y = key[i]
        y ^= y >> numpy.uint32(11)
        y ^= (y << numpy.uint32(7)) & numpy.uint32(0x9D2C5680)
        y ^= (y << numpy.uint32(15)) & numpy.uint32(0xEFC60000)
        out[i] = y ^ (y >> numpy.uint32(18))


@loop
def fill(key, position, out):
    """Writes the next words to `out`, and returns the position after them."""
    done = 0
    while done < out.size:
        if position == SIZE:
            twist(key)
            position = 0
        step = min(SIZE - position, out.size - done)
        temper(key[position:], out[done:done + step])
        position += step
        done += step
    return position


@many_words.kernel("cpu")
def _(bits: Any, count: int) -> Array | None:
    if not Numba.ready and (count < MANY or not Numba.usable()):
        return None
    with bits.lock:
        # NumPy's struct of this bit generator: the words, then the position as an int.
        state = (ctypes.c_uint32 * (SIZE + 1)).from_address(bits.ctypes.state_address)
        memory = numpy.ctypeslib.as_array(state)
        out = numpy.empty(count, numpy.uint32)
        memory[SIZE] = fill(memory[:SIZE], int(memory[SIZE]), out)
    return out
