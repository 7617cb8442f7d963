"""Padding, and cropping by negative padding."""

from __future__ import annotations

from collections.abc import Sequence

from ..arrays import Array
from ..arrays.numbers import integers
from ..autograd.table import composed, op
from ..tensors.tensor import Tensor
from .arrange import piece
from .index import flip, getitem
from .samples import S, ints, t
from .shape import cat, expand, own_memory


@op(contiguous=True, method=False, internal=True, samples=[S(t(2, 3), ((1, 2), (0, 3)), 1.5)],
    reference=lambda torch: lambda x, sides, value: torch.nn.functional.pad(
        x, [n for pair in sides[::-1] for n in pair], value=value))
def surround(xp, input: Array, sides: Sequence[tuple[int, int]], value: float):
    """Pads each dim with `value`, by sides >= 0. Shapes: (n, *) -> (a + n + b, *)."""
    shape = tuple(a + n + b for n, (a, b) in zip(input.shape, sides, strict=True))
    out = xp.full(shape, value, dtype=input.dtype)
    out[_inside(sides, input.shape)] = input
    return out


@surround.vjp("input")
def _(xp, g, input_shape, sides):
    return getitem.run(xp, g, _inside(sides, input_shape))


def _inside(sides, shape):
    return tuple(slice(a, a + n) for (a, _), n in zip(sides, shape, strict=True))


def _crop(input, sides):
    """The input cropped by the negative sides."""
    if all(a >= 0 and b >= 0 for a, b in sides):
        return input
    return getitem(input, tuple(slice(max(-a, 0), n - max(-b, 0))
                                for (a, b), n in zip(sides, input.shape, strict=True)))


def _reflected(x, axis, a, b):
    n = x.shape[axis]
    if max(a, b) >= n:
        raise RuntimeError(f"pad: reflect by ({a}, {b}) needs more elements than the {n} along "
                           f"dim {axis}; each must be less than the size")
    return (flip(piece(x, axis, 1, a + 1), (axis,)),
            flip(piece(x, axis, n - 1 - b, n - 1), (axis,)))


def _replicated(x, axis, a, b):
    def repeated(piece, count):
        return expand(piece, (*x.shape[:axis], count, *x.shape[axis + 1:]))

    return repeated(piece(x, axis, 0, 1), a), repeated(piece(x, axis, -1, None), b)


def _wrapped(x, axis, a, b):
    n = x.shape[axis]
    if max(a, b) > n:
        raise RuntimeError(f"pad: circular by ({a}, {b}) would go around the {n} elements of dim "
                           f"{axis} more than once")
    return piece(x, axis, n - a, n), piece(x, axis, 0, b)


BORDERS = {"reflect": _reflected, "replicate": _replicated, "circular": _wrapped}
PADS = [S(t(2, 3), (1, 2)), S(t(2, 3), (1, -1, -1, 2), "constant", 2.5), S(t(3), (0, 0)),
        S(t(2, 3), (0, 1, 2, 0), value=-1.0), S(t(), ()), S(t(0, 2), (1, 1, 1, 1)),
        S(ints(3), (1, 1))]


@composed(widens=True, home="nn.functional", method=False, samples=[
    *PADS, *(S(t(2, *(4, 3, 5)[:d]), pads, m) for m in BORDERS
             for d, pads in ((1, (1, 2)), (2, (2, 1, 0, 3)), (2, (1, -1)), (2, (-1, 2)),
                             (3, (1, 2, 2, 1, 3, 1))))])
def pad(input: Tensor, pad: Sequence[int], mode: str = "constant",
        value: float | None = None) -> Tensor:
    """Pads dims: `pad` is (before, after) of the last dim, then of the one before it, and so on.

    Negative numbers crop. mode: "constant" (`value`, 0 by default), "reflect" (without repeating
    the border), "replicate" (the border), "circular" (from the other end).
    Shapes: (*, n) -> (*, before + n + after).

    Raises:
        RuntimeError: an odd count, or more than two for each dim; more padding than the mode
            allows; a `value` for a mode other than "constant".
        NotImplementedError: another mode; a mode other than "constant", unless it pads the last 1,
            2 or 3 dims of a Tensor with 1 or 2 dims more.
    """
    sides = _sides(integers("pad: pad", pad), input, mode, value)
    if mode == "constant":
        cut = _crop(input, sides)
        positive = tuple((max(a, 0), max(b, 0)) for a, b in sides)
        return surround(cut, positive, 0 if value is None else value)
    # "circular" pads with what is left after cropping; the other modes crop afterwards.
    out = _crop(input, sides) if mode == "circular" else input
    for axis, (a, b) in enumerate(sides):
        if a > 0 or b > 0:
            before, after = BORDERS[mode](out, axis, max(a, 0), max(b, 0))
            out = cat([before, out, after], axis)
    if mode != "circular":
        out = _crop(out, sides)
    return own_memory(out) if out is not input else out.clone()


def _sides(given, input, mode, value):
    """(before, after) of every dim; checks the arguments."""
    count = len(given) // 2
    if mode != "constant" and mode not in BORDERS:
        raise NotImplementedError(f"pad: mode {mode!r} is none of 'constant', "
                                  + ", ".join(map(repr, BORDERS)))
    if len(given) % 2 or count > input.ndim:
        raise RuntimeError(f"pad: {len(given)} numbers for shape {tuple(input.shape)}: there must "
                           "be two for each dim padded, and at most all dims")
    if mode in BORDERS and (not 1 <= count <= 3 or input.ndim - count not in (1, 2)):
        raise NotImplementedError(
            f"pad: mode {mode!r} for {count} dims of shape {tuple(input.shape)}; it is there for "
            "the last 1, 2 or 3 dims of a Tensor that has 1 or 2 more")
    pairs = tuple(zip(given[::2], given[1::2], strict=True))[::-1]
    sides = ((0, 0),) * (input.ndim - count) + pairs
    # PyTorch's reflect and replicate of one dim leave at least one element.
    least = int(count == 1 and mode in ("reflect", "replicate"))
    for (a, b), n in zip(sides[-count:] if count else (), input.shape[-count:], strict=False):
        if a + b + n < least or -a > n or -b > n:
            raise RuntimeError(f"pad: ({a}, {b}) cuts off more than the {n} elements there are")
    if mode == "constant":
        return sides
    if value not in (None, 0):
        raise RuntimeError(f"pad: mode {mode!r} takes no value, got {value}")
    if mode != "circular" and 0 in input.shape[input.ndim - count - 1:]:
        raise RuntimeError(f"pad: mode {mode!r} takes from the elements of dims padded, and shape "
                           f"{tuple(input.shape)} has none")
    return sides
