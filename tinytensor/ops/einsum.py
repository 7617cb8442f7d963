"""einsum: sums of products, as batched matrix products."""

from __future__ import annotations

import collections
import functools
import math
import string
from typing import Any

from ..arrays.numbers import integer
from ..autograd.table import composed
from ..tensors.tensor import Tensor
from .linalg import matmul
from .samples import S, t
from .shape import permute, reshape


@functools.lru_cache(maxsize=1024)
def _read(equation, ranks):
    """The labels of each operand and of the result, for operands of these ranks."""
    return _spelled_out(*_parse(equation, len(ranks)), ranks)


def _parse(equation, count):
    """The subscripts of each operand and of the result as lists, in which ... is Ellipsis.

    Raises:
        RuntimeError: a subscript that is no letter; a missing dot; not one term for each operand.
    """
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    terms = [_letters(term, equation) for term in inputs.split(",")]
    if len(terms) != count:
        raise RuntimeError(f"einsum: {equation!r} has {len(terms)} terms for {count} "
                           "operands")
    return terms, _letters(output, equation) if arrow else None


def _letters(term, equation):
    parts = term.split("...")
    if len(parts) > 2 or not all(c in string.ascii_letters for c in "".join(parts)):
        raise RuntimeError(f"einsum: cannot read {term!r} in {equation!r}: subscripts are letters, "
                           "and ... at most once")
    letters = list(parts[0])
    return [*letters, Ellipsis, *parts[1]] if len(parts) == 2 else letters


def _spelled_out(terms, output, ranks):
    """The labels of the operands and of the result, with a label for each dim of an ellipsis.

    Raises:
        RuntimeError: subscripts that do not fit the dims; an output subscript in no operand.
    """
    hidden = [rank - len(term) + term.count(Ellipsis)
              for term, rank in zip(terms, ranks, strict=True)]
    for i, (term, rank, more) in enumerate(zip(terms, ranks, hidden, strict=True)):
        if more < 0 or (more and Ellipsis not in term):
            raise RuntimeError(f"einsum: operand {i} has {rank} dims for "
                               f"{len(term) - term.count(Ellipsis)} subscripts")
    dots = [("...", i) for i in range(max(hidden, default=0))]  # right-aligned
    counts = collections.Counter(c for term in terms for c in term)
    terms = [[label for c in term
              for label in (dots[len(dots) - more:] if c is Ellipsis else [c])]
             for term, more in zip(terms, hidden, strict=True)]
    if output is None:
        output = [Ellipsis, *sorted(c for c, n in counts.items() if c is not Ellipsis and n == 1)]
    for c in output:
        if c is not Ellipsis and (c not in counts or output.count(c) > 1):
            raise RuntimeError(f"einsum: the output subscript {c!r} must come once in the output, "
                               "and in some operand")
    return terms, [label for c in output for label in (dots if c is Ellipsis else [c])]


def _numbers(labels):
    """Subscripts that are numbers, as ints."""
    return [c if c is Ellipsis else integer("einsum: a subscript", c) for c in labels]


def _without_repeats(x, term):
    """An operand with dims of a repeated label replaced by their diagonal."""
    for label in term if len(set(term)) < len(term) else ():
        while term.count(label) > 1:
            first = term.index(label)
            second = term.index(label, first + 1)
            if x.shape[first] != x.shape[second]:
                raise RuntimeError(f"einsum: the subscript {label!r} is repeated in an operand of "
                                   f"shape {tuple(x.shape)}, for sizes that differ")
            x = x.diagonal(0, first, second)  # the diagonal is the last dim
            term = [c for i, c in enumerate(term) if i not in (first, second)] + [label]
    return x, term


def _sizes(terms, tensors):
    """The size of each label, broadcast over the operands."""
    sizes = {}
    for i, (term, x) in enumerate(zip(terms, tensors, strict=True)):
        for label, n in zip(term, x.shape, strict=True):
            known = sizes.get(label, 1)
            if n != known and 1 not in (n, known):
                raise RuntimeError(f"einsum: the subscript {label!r} has size {n} in operand {i}, "
                                   f"but size {known} in one before it")
            sizes[label] = known if n == 1 else n
    return sizes


def _keep(x, term, wanted, sizes):
    """An operand summed over labels that nothing else has, without its broadcast dims."""
    alone = tuple(i for i, label in enumerate(term) if label not in wanted)
    if alone:
        x, term = x.sum(alone), [label for label in term if label in wanted]
    broadcast = [i for i, label in enumerate(term) if x.shape[i] != sizes[label]]
    if broadcast:
        x = reshape(x, [n for i, n in enumerate(x.shape) if i not in broadcast])
    return x, [label for i, label in enumerate(term) if i not in broadcast]


def _ordered(x, term, labels):
    """An operand with its dims in the order of `labels`."""
    return x if term == labels else permute(x, [term.index(label) for label in labels])


def _pair(a, term_a, b, term_b, wanted):
    """The product of two operands, summed over their shared labels that are not wanted."""
    both = [label for label in term_a if label in term_b]
    summed = [label for label in both if label not in wanted]
    batch = [label for label in both if label in wanted]
    left = [label for label in term_a if label not in both]
    right = [label for label in term_b if label not in both]
    sizes = dict(zip([*term_a, *term_b], [*a.shape, *b.shape], strict=True))
    a = _ordered(a, term_a, [*batch, *left, *summed])
    b = _ordered(b, term_b, [*batch, *summed, *right])
    lengths = [[sizes[label] for label in labels] for labels in (batch, left, summed, right)]
    if not summed:  # an elementwise product
        a = reshape(a, lengths[0] + lengths[1] + [1] * len(right))
        b = reshape(b, lengths[0] + [1] * len(left) + lengths[3])
        return a * b, [*batch, *left, *right]
    n, k, m = (math.prod(part) for part in lengths[1:])
    product = matmul(reshape(a, (*lengths[0], n, k)), reshape(b, (*lengths[0], k, m)))
    return reshape(product, lengths[0] + lengths[1] + lengths[3]), [*batch, *left, *right]


@composed(method=False, samples=[
    S("ij,jk->ik", t(2, 3), t(3, 4)), S("ij,jk", t(2, 3), t(3, 4)), S("bA", t(2, 3)),
    S("ii", t(3, 3)), S("ii->i", t(3, 3)), S("iij->ji", t(3, 3, 2)), S("iji->j", t(2, 3, 2)),
    S("i,j->ij", t(2), t(3)), S("i,i->i", t(3), t(3)), S("ij->", t(2, 3)), S("ij->j", t(2, 3)),
    S("bij,bjk->bik", t(2, 3, 4), t(2, 4, 2)), S("bqhd,bkhd->bhqk", t(2, 3, 2, 4), t(2, 5, 2, 4)),
    S("...ij,...jk->...ik", t(5, 1, 2, 3), t(4, 3, 2)), S("...ij->...", t(2, 3, 4)),
    S("...i,i", t(2, 3), t(3)), S("i...,i...->...", t(3, 2), t(3, 4, 1)),
    S("...i->i", t(2, 4, 3)), S("ij,jk,kl->il", t(2, 3), t(3, 4), t(4, 2)),
    S("ik,jkl,il->ij", t(2, 3), t(4, 3, 2), t(2, 2)), S("a,a,a->", t(3), t(3), t(3)),
    S("ij,jk->ik", t(2, 1), t(3, 4)), S("ij,ij->j", t(2, 3), t(1, 3)), S(",i->i", t(), t(3)),
    S("ij,kl->k", t(2, 3), t(4, 5)), S(" i j , j k -> k i ", t(2, 3), t(3, 4)),
    S("ij,jk", [t(2, 3), t(3, 4)]), S("ij,jk->ik", t(0, 3), t(3, 4)), S("ij,jk", t(2, 0), t(0, 3)),
    S(t(2, 3), [0, 1], t(3, 4), [1, 2], [0, 2]), S(t(5, 2, 3), [Ellipsis, 1], t(3, 4), [1, 2]),
    S(t(3, 3), [7, 7])])
def einsum(equation: str | Tensor, *operands: Any) -> Tensor:
    """Sums of products by Einstein's convention: a subscript that is not in the result is summed.

    "ij,jk->ik" is a matrix product, "ii->i" a diagonal, "...i" any dims and one more. Without
    "->" the result has the subscripts that occur once, in alphabetical order. Subscripts may also
    be lists of numbers: einsum(a, [0, 1], b, [1, 2], [0, 2]). Operands are contracted in pairs
    from left to right, each pair as one batched matrix product.

    Shapes: given by the subscripts; dims of size 1 broadcast.

    Raises:
        RuntimeError: subscripts that cannot be read, or do not fit the operands.
    """
    if isinstance(equation, str):
        if len(operands) == 1 and isinstance(operands[0], list | tuple):
            operands = tuple(operands[0])
        tensors = list(operands)
        terms, output = _read(equation, tuple(x.ndim for x in tensors))
    else:
        given = (equation, *operands)
        tensors = list(given[:len(given) // 2 * 2:2])
        terms = [_numbers(labels) for labels in given[1::2]]
        output = _numbers(given[-1]) if len(given) % 2 else None
        terms, output = _spelled_out(terms, output, [x.ndim for x in tensors])
    terms = list(terms)
    for i, (x, term) in enumerate(zip(tensors, terms, strict=True)):
        tensors[i], terms[i] = _without_repeats(x, term)
    sizes = _sizes(terms, tensors)
    for i, (x, term) in enumerate(zip(tensors, terms, strict=True)):
        others = {label for j, other in enumerate(terms) if j != i for label in other}
        tensors[i], terms[i] = _keep(x, term, {*output, *others}, sizes)
    out, term = tensors[0], terms[0]
    for i in range(1, len(tensors)):
        wanted = {*output, *(label for other in terms[i + 1:] for label in other)}
        # The other operand may have dropped a label because its size there is 1.
        out, term = _keep(out, term, {*wanted, *terms[i]}, sizes)
        x, labels = _keep(tensors[i], terms[i], {*wanted, *term}, sizes)
        out, term = _pair(out, term, x, labels, wanted)
    out, term = _keep(out, term, output, sizes)
    return _ordered(out, term, output)
