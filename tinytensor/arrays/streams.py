"""The random numbers of PyTorch's CPU generator, and how they follow from a Mersenne Twister.

A seed gives the same words (Matsumoto and Nishimura 1998, in NumPy's MT19937), and each
distribution takes the same words for the same number. So the results are PyTorch's: to the bit
where only sums and products are involved, else up to the rounding of log, sin and cos.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy

from .dispatch import Dispatch

if TYPE_CHECKING:  # NumPy imports numpy.random lazily
    from numpy.random import MT19937, Generator

WORDS = 624  # of the state
FEW = 16  # fewer normal numbers than this are drawn one after the other
MANY = 1000  # words that a kernel may draw
RAW = 20_000  # more words than this come faster as 32-bit integers
FEW_EXCHANGES = 500  # fewer are made one after the other
WIDE = 2**28  # integers of a range of this size or more take two words
LOWER_24 = numpy.uint64(2**24 - 1)
UPPER_21 = 2**21 - 1  # with 32 more bits these are the 53 of a float64

# PyTorch's `get_rng_state`: the seed, the words left and the position, the words, three numbers of
# which the second is the cached normal one, and whether it is there. The last two are not used.
STATE = numpy.dtype([
    ("seed", "<u8"), ("left", "<i4"), ("seeded", "<i4"), ("next", "<u8"), ("words", "<u8", WORDS),
    ("normal", "<f8", 3), ("has_normal", "<i4"), ("", "<i4"), ("float", "<f4"), ("", "<i4")])


@functools.cache
def _unseeded() -> Any:
    """What MT19937 takes instead of a seed; making one from a seed takes 50 times as long."""
    from numpy.random.bit_generator import ISeedSequence

    class Zeros(ISeedSequence):
        def generate_state(self, n_words: int, dtype: Any = numpy.uint32) -> Any:
            return [0] * n_words

    return Zeros()


class Stored:
    """The bools of a draw, kept in memory."""

    def __init__(self, bools: numpy.ndarray[Any, Any]):
        self._bools = bools

    def bools(self) -> numpy.ndarray[Any, Any]:
        return self._bools


class Stream:
    """A stream of random numbers from a seed, of which the lower 32 bits count.

    `numpy` is a NumPy Generator of the same stream, for distributions that PyTorch's methods do not
    cover. `xp` is the array module of its numbers.
    """

    xp: Any = numpy

    def __init__(self, seed: int):
        self.bits: MT19937 = numpy.random.MT19937(_unseeded())
        self.numpy: Generator = numpy.random.Generator(self.bits)
        self.seed(seed)

    def seed(self, seed: int) -> None:
        numpy.random.RandomState(self.bits).seed(seed % 2**32)
        self.cached: float | None = None  # the second normal number of a pair

    def words(self, count: int) -> numpy.ndarray[Any, Any]:
        """The next numbers of 32 bits, as uint32."""
        if count < MANY:
            return self.bits.random_raw(count).astype(numpy.uint32)
        return many_words(numpy, self.bits, count)

    def wide_words(self, count: int) -> numpy.ndarray[Any, Any]:
        """The next numbers of 64 bits, as uint64: two words each, the higher one first."""
        words = self.words(2 * count)
        wide = words[::2].astype(numpy.uint64)
        wide <<= 32
        wide |= words[1::2]
        return wide

    # ------------------------------------------------------------ real numbers

    def uniform(self, count: int, dtype: numpy.dtype[Any]) -> numpy.ndarray[Any, Any]:
        """Numbers in [0, 1), of 53 bits for float64, else of 24 bits and as float32."""
        if dtype == numpy.float64:
            wide = self.wide_words(count)
            wide &= 2**53 - 1
            return wide * 2.0**-53
        if count <= FEW:  # two steps fewer
            return ((self.bits.random_raw(count) & LOWER_24) * 2.0**-24).astype(numpy.float32)
        words = self.words(count)
        words &= 2**24 - 1
        # int32 is converted faster than uint32
        return numpy.multiply(words.view(numpy.int32), numpy.float32(2.0**-24),
                              dtype=numpy.float32, casting="unsafe")

    def uniform_in(self, count: int, dtype: numpy.dtype[Any], low: float = 0, high: float = 1) \
            -> numpy.ndarray[Any, Any]:
        """Numbers in [low, high) in a dtype."""
        return rounded(self.uniform(count, dtype), dtype, low, high)

    def normal(self, count: int, dtype: numpy.dtype[Any], contiguous: bool = True) \
            -> numpy.ndarray[Any, Any]:
        """Normally distributed numbers: float64 for float64, else float32 or float64.

        Those that fill 16 or more contiguous elements are computed in blocks of 16, else
        one after the other. The last block of a count that is not a multiple of 16 overlaps the
        one before it.
        """
        if count < FEW or not contiguous:
            return self.serial_normal(count)
        whole, rest = count // 16 * 16, bool(count % 16)
        narrow = dtype.itemsize < 4
        drawn = self.uniform(whole if narrow else count, dtype)
        values = numpy.empty(count, drawn.dtype)
        _box_muller(drawn[:whole], values[:whole])
        if rest:
            last = self.uniform(16, dtype)
            _box_muller(last, last)
            values[-16:] = last
        return values

    def serial_normal(self, count: int) -> numpy.ndarray[Any, Any]:
        """Normally distributed numbers in float64, computed in pairs (Box and Muller 1958).

        The second of a pair is kept if only the first is needed.
        """
        first = [] if self.cached is None or not count else [self.cached]
        pairs = (count - len(first) + 1) // 2
        if pairs < FEW:  # Python's numbers are faster than small arrays
            words = iter(self.bits.random_raw(4 * pairs).tolist())
            values = first
            for high, low, higher, lower in zip(words, words, words, words, strict=True):
                a = ((high & UPPER_21) << 32 | low) * 2.0**-53
                b = ((higher & UPPER_21) << 32 | lower) * 2.0**-53
                radius, angle = math.sqrt(-2 * math.log1p(-b)), 2 * math.pi * a
                values += radius * math.cos(angle), radius * math.sin(angle)
            array = numpy.array(values)
        else:
            drawn = self.uniform(2 * pairs, numpy.dtype(numpy.float64))
            angle, radius = 2 * math.pi * drawn[::2], numpy.sqrt(-2 * numpy.log1p(-drawn[1::2]))
            array = numpy.empty(len(first) + 2 * pairs)
            array[:len(first)] = first
            array[len(first)::2] = radius * numpy.cos(angle)
            array[len(first) + 1::2] = radius * numpy.sin(angle)
        if count:
            self.cached = float(array[count]) if len(array) > count else None
        return array[:count]

    def exponential(self, count: int) -> numpy.ndarray[Any, Any]:
        """Exponentially distributed numbers of rate 1, in float64."""
        values = self.uniform(count, numpy.dtype(numpy.float64))
        numpy.subtract(1, values, out=values)  # exact; log is faster than log1p
        numpy.log(values, out=values)
        return numpy.negative(values, out=values)

    # ------------------------------------------------------------ bools and integers

    def less(self, count: int, limit: float) -> numpy.ndarray[Any, Any]:
        """Whether each of `count` uniform numbers of 53 bits is less than the limit."""
        words = self.words(2 * count)
        bound = min(max(math.ceil(limit * 2**53), 0), 2**53)
        upper = words[::2] & numpy.uint32(UPPER_21)
        if bound == 2**53:
            return numpy.ones(count, bool)
        less = upper < numpy.uint32(bound >> 32)
        # The upper 21 bits decide, except where they equal those of the limit.
        equal = numpy.flatnonzero(upper == numpy.uint32(bound >> 32))
        less[equal] = words[1::2][equal] < bound % 2**32
        return less

    def less_again(self, count: int, limit: float) -> Stored:
        """A draw of `less` whose bools can be read several times."""
        return Stored(self.less(count, limit))

    def integers(self, low: int, high: int, count: int, wide: bool | None = None) \
            -> numpy.ndarray[Any, Any]:
        """Integers in [low, high), as int64; `wide` tells whether each takes two words."""
        size = high - low
        if not (size >= WIDE if wide is None else wide):
            words = self.words(count)
            quotient = words // numpy.uint32(size)  # NumPy's % by a number is slower
            quotient *= numpy.uint32(size)
            words -= quotient
            values = words.astype(numpy.int64)
        else:
            words = self.wide_words(count)
            if size < 2**64:
                words %= numpy.uint64(size)
            values = words.view(numpy.int64)
        values += numpy.int64(low)
        return values

    def permutation(self, count: int) -> numpy.ndarray[Any, Any]:
        """The integers 0 to count - 1 in random order (Fisher and Yates, from the front)."""
        left = numpy.arange(count, 1, -1, dtype=numpy.uint32)
        steps = self.words(len(left))
        steps %= left
        return exchanged(count, steps)

    # ------------------------------------------------------------ the state

    def get_state(self, seed: int) -> numpy.ndarray[Any, Any]:
        """The bytes of PyTorch's `get_rng_state`."""
        inner = self.bits.state["state"]
        state = numpy.zeros((), STATE)
        position = inner["pos"]
        if position == WORDS and inner["key"][0] == seed % 2**32:
            position = 0  # nothing has been drawn since the seed was set
        state["seed"], state["seeded"] = seed, 1
        state["next"], state["left"] = position, WORDS + 1 - position if position else 1
        state["words"] = inner["key"]
        if self.cached is not None:
            state["normal"][1], state["has_normal"] = self.cached, 1
        return numpy.frombuffer(state.tobytes(), numpy.uint8).copy()

    def set_state(self, state: numpy.ndarray[Any, Any]) -> int:
        """Restores a state of `get_state`, and returns its seed.

        Raises:
            ValueError: not such a state. The stream has not changed.
        """
        if state.dtype != numpy.uint8 or state.shape != (STATE.itemsize,):
            raise ValueError(f"expected uint8 of shape ({STATE.itemsize},), got {state.dtype} of "
                             f"shape {state.shape}")
        fields = numpy.frombuffer(state.tobytes(), STATE)[0]
        position, left = int(fields["next"]), int(fields["left"])
        if position > WORDS or fields["seeded"] != 1 or left != (
                WORDS + 1 - position if position else 1):
            raise ValueError(f"position {position} with {left} words left")
        self.bits.state = {"bit_generator": "MT19937", "state": {
            "key": fields["words"].astype(numpy.uint32), "pos": position or WORDS}}
        self.cached = float(fields["normal"][1]) if fields["has_normal"] else None
        return int(fields["seed"])


def _many_words(bits: MT19937, count: int) -> numpy.ndarray[Any, Any]:
    """The next numbers of 32 bits of a NumPy bit generator."""
    if count <= RAW:
        return bits.random_raw(count).astype(numpy.uint32)
    return numpy.random.Generator(bits).integers(0, 2**32, count, dtype=numpy.uint32)


def exchanged(count: int, steps: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    """The integers 0 to count - 1, after for each i in turn i and i + steps[i] changed places."""
    if count < FEW_EXCHANGES:
        values = list(range(count))
        for at, step in enumerate(steps.tolist()):
            values[at], values[at + step] = values[at + step], values[at]
        return numpy.array(values, dtype=numpy.int64)
    # Exchange i takes its result from place j, and moves there what lay in place i. So the result
    # is j itself, or what the exchange before i with the same j moved there.
    i = numpy.arange(count - 1)
    j = i + steps
    by_place = numpy.sort(j * count + i)  # one key each sorts faster than argsort
    places, times = numpy.divmod(by_place, count)
    again = numpy.flatnonzero(places[1:] == places[:-1])
    # What lies in place i before exchange i was moved there by the last one whose j is i: a chain.
    moved = numpy.arange(count)
    others = j != i
    moved[j[others]] = i[others]
    while not numpy.array_equal(further := moved[moved], moved):
        moved = further
    order = numpy.append(j, moved[-1])
    order[times[again + 1]] = moved[times[again]]
    return order


many_words = Dispatch("random words", _many_words)


def _box_muller(uniform: numpy.ndarray[Any, Any], out: numpy.ndarray[Any, Any]) -> None:
    """Normal numbers from uniform ones, in blocks of 16: 8 cosines, then 8 sines."""
    kind, wide = uniform.dtype, numpy.dtype(f"V{8 * uniform.itemsize}")
    blocks, results = (x.view(wide).reshape(-1, 2) for x in (uniform, out))
    radius, angle = blocks[:, 0].copy().view(kind), blocks[:, 1].copy().view(kind)
    numpy.subtract(1, radius, out=radius)
    numpy.log(radius, out=radius)
    radius *= -2
    numpy.sqrt(radius, out=radius)
    angle *= 2 * math.pi
    cosine = numpy.cos(angle)
    cosine *= radius
    numpy.sin(angle, out=angle)
    angle *= radius
    results[:, 0], results[:, 1] = cosine.view(wide), angle.view(wide)


def rounded(uniform: numpy.ndarray[Any, Any], dtype: numpy.dtype[Any], low: float = 0,
            high: float = 1) -> numpy.ndarray[Any, Any]:
    """Numbers in [0, 1) stretched to [low, high) in a dtype; what rounds to `high` becomes `low`.

    Product and sum are computed in float64 and rounded once, as by PyTorch's fused instruction.
    """
    if low != 0 or high != 1:
        number = uniform.dtype.type
        uniform = numpy.multiply(uniform, float(number(high) - number(low)), dtype=numpy.float64)
        uniform += float(number(low))
    elif dtype.itemsize >= 4:
        return uniform
    values = uniform.astype(dtype, copy=False)
    values[values == dtype.type(high)] = low
    return values


def in_memory_order(values: numpy.ndarray[Any, Any], like: Any) -> numpy.ndarray[Any, Any]:
    """Values in the shape of an array, in the order in which its elements lie in memory."""
    if like.flags.c_contiguous:
        return values.reshape(like.shape)
    order = memory_dims(like)
    ordered = values.reshape([like.shape[dim] for dim in order])
    return ordered.transpose(numpy.argsort(order).tolist())


def memory_dims(array: Any) -> list[int]:
    """The dims of an array, from the one with the largest stride to the one with the smallest, as
    PyTorch's `empty_like` lays them out: of equal strides the larger dim comes first, and dims with
    stride 0, which say nothing, stay in their places.
    """
    steps = array.strides
    ordered = iter(sorted((dim for dim, step in enumerate(steps) if step),
                          key=lambda dim: (-steps[dim], -array.shape[dim])))
    return [next(ordered) if step else dim for dim, step in enumerate(steps)]
