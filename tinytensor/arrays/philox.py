"""Random numbers that are drawn on a GPU, by a counter-based generator.

Word j of block i is a function of the seed and of the number of the block: Philox4x32-10 (Salmon,
Moraes, Dror and Shaw 2011). So all words of a draw are computed at once, where they are used, and
the state of a stream is its seed and an offset: the number of the next block.

The distributions are functions of the words. They are PyTorch's in kind; its CUDA generator, which
uses Philox too, gives other numbers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

from . import devices
from .dispatch import Dispatch

Array = Any  # of CuPy, or of NumPy where a state is on the host

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
LOWER = 2**32 - 1
STATE = numpy.dtype([("seed", "<u8"), ("offset", "<i8")])  # 16 bytes, as of PyTorch's
WIDE = 2**28  # integers of a range of this size or more take two words


def _words(xp: Any, seed: int, offset: int, count: int, base: Array | None) -> Array:
    """The first `count` words of the blocks from `offset`, or `base` + `offset`, on, as uint32."""
    block = xp.arange(-(-count // 4), dtype=xp.uint64) + offset
    if base is not None:
        block = block + base.astype(xp.uint64)
    a, b = block & LOWER, block >> 32
    c = d = xp.zeros_like(block)
    low, high = seed & LOWER, seed >> 32
    for _ in range(10):
        first, second = a * MULTIPLIERS[0], c * MULTIPLIERS[1]
        a, b, c, d = (second >> 32) ^ b ^ low, second & LOWER, (first >> 32) ^ d ^ high, \
            first & LOWER
        low, high = (low + KEY_STEPS[0]) & LOWER, (high + KEY_STEPS[1]) & LOWER
    return xp.stack([a, b, c, d], axis=1).reshape(-1)[:count].astype(xp.uint32)


def _uniform(xp: Any, seed: int, offset: int, count: int, wide: bool, base: Array | None) -> Array:
    """Numbers in [0, 1): of 53 bits as float64 if `wide`, else of 24 bits as float32."""
    words = _words(xp, seed, offset, 2 * count if wide else count, base)
    if not wide:
        return (words >> 8).astype(xp.float32) * 2.0**-24
    bits = (words[::2].astype(xp.uint64) << 21) | (words[1::2] >> 11)
    return bits.astype(xp.float64) * 2.0**-53


def _normal(xp: Any, seed: int, offset: int, count: int, wide: bool, base: Array | None) -> Array:
    """Normally distributed numbers (Box and Muller 1958), as float64 if `wide`, else float32."""
    uniform = _uniform(xp, seed, offset, count + count % 2, wide, base)
    radius = xp.sqrt(-2 * xp.log1p(-uniform[::2]))
    angle = uniform[1::2] * (2 * math.pi)
    pairs = xp.stack([radius * xp.cos(angle), radius * xp.sin(angle)], axis=1)
    return pairs.reshape(-1)[:count]


def _less(xp: Any, seed: int, offset: int, count: int, bound: int, base: Array | None) -> Array:
    """Whether each word is less than the bound, an integer up to 2**32."""
    return _words(xp, seed, offset, count, base).astype(xp.int64) < bound


words = Dispatch("random words", _words)
uniform = Dispatch("random uniform numbers", _uniform)
normal = Dispatch("random normal numbers", _normal)
less = Dispatch("random bools", _less)


class Captured:
    """The draws of a CUDA graph. A replay would repeat their numbers, so their blocks begin at a
    number in the memory of the GPU, which each replay sets: the offset of the stream, as if the
    work ran without a graph.
    """

    def __init__(self) -> None:
        self.streams: dict[PhiloxStream, tuple[Array, int]] = {}  # the number, and the blocks taken

    def take(self, stream: PhiloxStream, blocks: int) -> tuple[int, Array]:
        """The offset of a draw from the number, and the number."""
        if stream not in self.streams:
            # `zeros` would be a part of the graph, and set the number back.
            self.streams[stream] = devices.on(stream.device, lambda xp: xp.empty((), "int64")), 0
        base, taken = self.streams[stream]
        self.streams[stream] = base, taken + blocks
        return taken, base

    def advance(self) -> None:
        """To be called before each replay, on its stream."""
        for stream, (base, taken) in self.streams.items():
            base.fill(stream.offset)
            stream.offset += taken


captured = Captured()  # of the graph that is captured now


def begin_capture() -> Captured:
    """To be called when a capture begins; what is drawn during it is then found in the result."""
    global captured
    captured = Captured()
    return captured


class Again:
    """The bools of a draw, computed whenever they are needed instead of being stored."""

    def __init__(self, stream: PhiloxStream, count: int, limit: float):
        self.device, self.seed, self.count = stream.device, stream.value, count
        self.offset, self.base = stream.take(count)
        self.bound = min(max(math.ceil(limit * 2**32), 0), 2**32)

    def bools(self) -> Array:
        return devices.on(self.device, less, self.seed, self.offset, self.count, self.bound,
                          self.base)


class PhiloxStream:
    """A stream of random numbers of one GPU, with the methods of `streams.Stream`.

    Each draw begins at a new block, so equal draws after equal seeds are equal.
    """

    def __init__(self, device: devices.device):
        self.device = device
        self.seed(0)

    def seed(self, seed: int) -> None:
        self.value, self.offset = seed, 0

    @property
    def xp(self) -> Any:
        return devices.module_for(self.device)

    def take(self, words: int) -> tuple[int, Array | None]:
        """Moves the offset behind `words` words. Returns where they begin: an offset, and a number
        in the memory of the GPU that is added to it, or None.
        """
        blocks = -(-words // 4)
        if devices.is_capturing():
            return captured.take(self, blocks)
        self.offset += blocks
        return self.offset - blocks, None

    def _draw(self, function: Any, words: int, *arguments: Any) -> Array:
        """Draws by `function`, which uses this number of words of the stream."""
        offset, base = self.take(words)
        return devices.on(self.device, function, self.value, offset, *arguments, base)

    def words(self, count: int) -> Array:
        """The next numbers of 32 bits, as uint32."""
        return self._draw(words, count, count)

    def uniform(self, count: int, dtype: Any) -> Array:
        """Numbers in [0, 1), of 53 bits for float64, else of 24 bits and as float32."""
        wide = dtype == numpy.float64
        return self._draw(uniform, count * (1 + wide), count, wide)

    def uniform_in(self, count: int, dtype: Any, low: float = 0, high: float = 1) -> Array:
        """Numbers in [low, high) in a dtype; what rounds to `high` becomes `low`."""
        drawn = self.uniform(count, dtype)
        if low != 0 or high != 1:
            drawn = drawn * (high - low) + low
        elif dtype == drawn.dtype:
            return drawn
        values = drawn.astype(dtype, copy=False)
        return self.xp.where(values == dtype.type(high), dtype.type(low), values)

    def normal(self, count: int, dtype: Any, contiguous: bool = True) -> Array:
        """Normally distributed numbers: float64 for float64, else float32."""
        wide = dtype == numpy.float64
        return self._draw(normal, (count + count % 2) * (1 + wide), count, wide)

    def serial_normal(self, count: int) -> Array:
        """Normally distributed numbers in float64."""
        return self.normal(count, numpy.dtype("float64"))

    def exponential(self, count: int) -> Array:
        """Exponentially distributed numbers of rate 1, in float64."""
        return -self.xp.log1p(-self.uniform(count, numpy.dtype("float64")))

    def less(self, count: int, limit: float) -> Array:
        """Whether each of `count` uniform numbers of 32 bits is less than the limit."""
        return self.less_again(count, limit).bools()

    def less_again(self, count: int, limit: float) -> Again:
        """A draw of `less` that computes its bools whenever they are needed."""
        return Again(self, count, limit)

    def integers(self, low: int, high: int, count: int, wide: bool | None = None) -> Array:
        """Integers in [low, high), as int64."""
        size, xp = high - low, self.xp
        if not (size >= WIDE if wide is None else wide):
            return (self.words(count) % size).astype(xp.int64) + low
        words = self.words(2 * count)
        drawn = (words[::2].astype(xp.uint64) << 32) | words[1::2]
        if size < 2**63:
            drawn = drawn % size
        elif size < 2**64:
            drawn = xp.where(drawn >= xp.uint64(size), drawn - xp.uint64(size), drawn)
        return drawn.astype(xp.int64) + low

    def permutation(self, count: int) -> Array:
        """The integers 0 to count - 1 in random order: that of random keys."""
        keys = self.words(2 * count).view(numpy.int64)
        return self.xp.argsort(keys, kind="stable").astype(numpy.int64, copy=False)

    @property
    def numpy(self) -> Any:
        """A NumPy generator that depends on the seed and the offset, for what is drawn on the host.
        """
        seeds = [self.value, self.offset]
        self.offset += 1
        return numpy.random.Generator(numpy.random.Philox(numpy.random.SeedSequence(seeds)))

    def get_state(self, seed: int) -> Array:
        """The seed and the offset, 16 bytes."""
        state = numpy.zeros((), STATE)
        state["seed"], state["offset"] = self.value, self.offset
        return numpy.frombuffer(state.tobytes(), numpy.uint8).copy()

    def set_state(self, state: Array) -> int:
        """Restores a state of `get_state`, and returns its seed.

        Raises:
            ValueError: not such a state. The stream has not changed.
        """
        if state.dtype != numpy.uint8 or state.shape != (STATE.itemsize,):
            raise ValueError(f"expected uint8 of shape ({STATE.itemsize},), got {state.dtype} of "
                             f"shape {state.shape}")
        fields = numpy.frombuffer(state.tobytes(), STATE)[0]
        if int(fields["offset"]) < 0:
            raise ValueError(f"an offset of {fields['offset']}")
        self.value, self.offset = int(fields["seed"]), int(fields["offset"])
        return self.value
