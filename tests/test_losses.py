"""Losses: reductions, weights, ignored labels, warnings, and errors that suggest a fix."""

from __future__ import annotations

import itertools
import warnings
from math import inf

import numpy
import pytest
import torch
from operations import agree_with_pytorch

import tinytensor
from tinytensor.nn import functional as F  # noqa: N812

RNG = numpy.random.default_rng(0)
T = torch.nn.functional
REDUCTIONS = ("mean", "sum", "none")


def compare(name, arrays, grad=(0,), tolerance=1e-11, **options):
    """Asserts that a loss and its gradients equal PyTorch's, with NaN in the same places."""
    found = []
    for library, functional in ((tinytensor, F), (torch, T)):
        given = [library.tensor(a, requires_grad=i in grad) for i, a in enumerate(arrays)]
        more = {k: library.tensor(v) if isinstance(v, numpy.ndarray) else v
                for k, v in options.items()}
        out = getattr(functional, name)(*given, **more)
        out.sum().backward()
        found.append([out.detach().numpy(), *(given[i].grad.numpy() for i in grad)])
    for mine, theirs in zip(*found, strict=True):
        assert mine.shape == theirs.shape and mine.dtype == theirs.dtype
        numpy.testing.assert_allclose(mine, theirs, tolerance, tolerance)
    return found[0]


# ---------------------------------------------------------------- labels


SCORES, LABELS = RNG.normal(size=(6, 4)), numpy.array([0, 3, 1, 1, 2, 0])
WEIGHT = numpy.array([0.5, 0.0, 2.0, 1.0])


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("ignore_index", [-100, 1, 3])
@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.3])
def test_cross_entropy(reduction, ignore_index, weight, label_smoothing):
    labels = LABELS.copy()
    labels[4] = ignore_index if ignore_index < 0 else labels[4]
    options = {"reduction": reduction, "ignore_index": ignore_index, "weight": weight}
    compare("cross_entropy", (SCORES, labels), label_smoothing=label_smoothing, **options)
    compare("nll_loss", (SCORES, labels), **options)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_cross_entropy_over_dims_after_the_classes(reduction, label_smoothing):
    scores, labels = RNG.normal(size=(2, 4, 3, 2)), RNG.integers(0, 4, (2, 3, 2))
    labels[0, 0] = -100
    compare("cross_entropy", (scores, labels), reduction=reduction, weight=WEIGHT,
            label_smoothing=label_smoothing)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("labels", [numpy.full(6, -100), numpy.full(6, 1)])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.3])
def test_nothing_counts(reduction, labels, label_smoothing):
    """If all labels are ignored, or have weight 0, the mean is 0 / 0."""
    (found, *_) = compare("cross_entropy", (SCORES, labels), reduction=reduction, weight=WEIGHT,
                          label_smoothing=label_smoothing)
    assert numpy.isnan(found).all() == (reduction == "mean")


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weight", [None, numpy.zeros(0)])
def test_no_classes(reduction, weight):
    for name in ("cross_entropy", "nll_loss"):
        compare(name, (numpy.zeros((2, 0)), numpy.full(2, -100)), reduction=reduction,
                weight=weight)
        with pytest.raises(IndexError, match="0 classes"):
            getattr(F, name)(tinytensor.zeros(2, 0), tinytensor.tensor([-100, 0]))


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_empty_batches(reduction):
    nothing, probabilities = numpy.zeros((0, 4)), numpy.zeros((0, 4))
    compare("cross_entropy", (nothing, numpy.zeros(0, numpy.int64)), reduction=reduction)
    compare("cross_entropy", (nothing, probabilities), reduction=reduction)
    compare("mse_loss", (nothing, probabilities), reduction=reduction)


def test_an_infinite_loss_that_is_ignored():
    logs = numpy.array([[-numpy.inf, 0.0], [-1.0, -2.0]])
    for label in (0, 1):
        compare("nll_loss", (logs, numpy.array([label, 1])), ignore_index=label)


def test_large_scores_do_not_overflow():
    compare("cross_entropy", (SCORES * 1e4, LABELS))
    compare("binary_cross_entropy_with_logits", (SCORES * 1e4, (SCORES > 0) * 1.0))


def test_a_single_sample():
    compare("cross_entropy", (SCORES[0], numpy.array(2)))


def test_labels_of_uint8():
    compare("cross_entropy", (SCORES, LABELS.astype(numpy.uint8)))


def test_the_probabilities_of_the_target_take_gradients():
    compare("cross_entropy", (SCORES, RNG.random((6, 4))), grad=(0, 1), weight=WEIGHT)


@pytest.mark.parametrize(("call", "kind", "message"), [
    (lambda x, y: F.cross_entropy(x, y * 0 + 12), IndexError,
     "label 12 is out of range for 4 classes"),
    (lambda x, y: F.cross_entropy(x, y - 3), IndexError, "label -3 is out of range for 4 classes"),
    (lambda x, y: F.nll_loss(x, y * 0 + 12), IndexError, "label 12"),
    (lambda x, y: F.cross_entropy(x, y[:5]), ValueError, "do not fit"),
    (lambda x, y: F.cross_entropy(x.reshape(3, 4, 2), y), RuntimeError, "without dim 1"),
    (lambda x, y: F.cross_entropy(x, y.float()), RuntimeError, r"\.long\(\), or give prob"),
    (lambda x, y: F.nll_loss(x, y.double()), RuntimeError, r"convert them with \.long\(\)"),
    (lambda x, y: F.cross_entropy(x, y.int()), RuntimeError, "int64"),
    (lambda x, y: F.cross_entropy(x.long(), y), RuntimeError, r"floating point.*\.float\(\)"),
    (lambda x, y: F.cross_entropy(x, y, label_smoothing=1.5), RuntimeError, r"\[0, 1\]"),
    (lambda x, y: F.cross_entropy(x, y, weight=tinytensor.ones(3)), RuntimeError, "4 classes"),
    (lambda x, y: F.cross_entropy(x, x, weight=tinytensor.ones(3)), RuntimeError, "4 classes"),
    (lambda x, y: F.cross_entropy(x, x, ignore_index=2), RuntimeError, "ignore_index"),
    (lambda x, y: F.cross_entropy(x, y, reduction="avg"), ValueError, "'avg' is none of"),
])
def test_errors_of_labels(call, kind, message):
    with pytest.raises(kind, match=message):
        call(tinytensor.tensor(SCORES), tinytensor.tensor(LABELS))


def test_softmax_before_cross_entropy_warns():
    scores = tinytensor.tensor(SCORES, requires_grad=True)
    labels = tinytensor.tensor(LABELS)
    with pytest.warns(UserWarning, match="before the softmax") as caught:
        F.cross_entropy(scores.softmax(1), labels)
    assert caught[0].filename == __file__
    F.cross_entropy(scores.log_softmax(1), labels)
    F.cross_entropy(scores.softmax(1) * 5, labels)


# ---------------------------------------------------------------- probabilities


def test_binary_cross_entropy_at_0_and_1():
    p, y = numpy.array([0.0, 1.0, 0.0, 1.0, 0.5]), numpy.array([0.0, 1.0, 1.0, 0.0, 0.3])
    for reduction in REDUCTIONS:
        # PyTorch's bound of the denominator is 1e-12 in single precision.
        compare("binary_cross_entropy", (p, y), reduction=reduction, tolerance=1e-8)


@pytest.mark.parametrize(("call", "kind", "message"), [
    (lambda p: F.binary_cross_entropy(p, p[:, None]), ValueError, "must be equal"),
    (lambda p: F.binary_cross_entropy(p + 1, p), RuntimeError, "with_logits"),
    (lambda p: F.binary_cross_entropy(p, p - 1), RuntimeError, "target must be in"),
    (lambda p: F.binary_cross_entropy_with_logits(p, p[:, None]), ValueError, "must be equal"),
    (lambda p: F.gaussian_nll_loss(p, p, p - 1), ValueError, "negative"),
    (lambda p: F.gaussian_nll_loss(p, p, -1.0), ValueError, "negative"),
    (lambda p: F.gaussian_nll_loss(p, p, p[:2]), ValueError, "shape"),
    (lambda p: F.gaussian_nll_loss(p, p, p, reduction="avg"), ValueError, "avg"),
])
def test_errors_of_probabilities(call, kind, message):
    with pytest.raises(kind, match=message):
        call(tinytensor.tensor([0.2, 0.7, 0.5]))


def test_kl_div_of_a_zero_and_its_mean():
    logs, p = numpy.log(RNG.random((2, 3))), numpy.array([[0.0, 0.4, 0.6], [1.0, 0.0, 0.0]])
    compare("kl_div", (logs, p), reduction="none")
    with pytest.warns(UserWarning, match="batchmean"):
        found = F.kl_div(tinytensor.tensor(logs), tinytensor.tensor(p))
    with pytest.warns(UserWarning, match="batchmean"):
        theirs = T.kl_div(torch.tensor(logs), torch.tensor(p))
    numpy.testing.assert_allclose(found.item(), theirs.item(), 1e-12)


def test_gaussian_nll_passes_the_gradient_of_a_bounded_variance():
    x, y, var = RNG.normal(size=(3, 4)), RNG.normal(size=(3, 4)), RNG.random((3, 4))
    compare("gaussian_nll_loss", (x, y, var), grad=(0, 2), eps=0.5)


# ---------------------------------------------------------------- distances


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_shapes_that_broadcast_warn_at_the_line_of_the_caller(name):
    x, y = tinytensor.ones(3, 1), tinytensor.zeros(3)
    with pytest.warns(UserWarning, match=r"\(3, 1\), the target \(3,\).*squeeze") as caught:
        getattr(F, name)(x, y)
    assert caught[0].filename == __file__ and len(caught) == 1


def test_equal_shapes_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        F.mse_loss(tinytensor.ones(3), tinytensor.zeros(3))


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_weights_of_zero(name, reduction):
    x, y = RNG.normal(size=5), RNG.normal(size=5)
    compare(name, (x, y), grad=(0, 1), weight=numpy.zeros(5), reduction=reduction)
    compare(name, (x, y), grad=(0, 1), weight=numpy.arange(5.0), reduction=reduction)
    with pytest.raises(ValueError, match="weight has shape"):
        getattr(F, name)(tinytensor.tensor(x), tinytensor.tensor(y), weight=tinytensor.ones(1))


@pytest.mark.parametrize("name", ["l1_loss", "smooth_l1_loss", "huber_loss"])
def test_at_a_kink_and_at_no_distance(name):
    compare(name, (numpy.array([0.0, 1.0, -1.0, 2.0]), numpy.zeros(4)), reduction="none")


def test_refused_parameters():
    x = tinytensor.ones(3)
    with pytest.raises(RuntimeError, match="beta"):
        F.smooth_l1_loss(x, x, beta=-1.0)
    with pytest.raises(RuntimeError, match="delta"):
        F.huber_loss(x, x, delta=0.0)
    with pytest.raises(ValueError, match="margin"):
        F.triplet_margin_loss(x, x, x, margin=0.0)
    with pytest.raises(RuntimeError, match="number of dims"):
        F.triplet_margin_loss(x, x, x[None])
    with pytest.raises(RuntimeError, match="number of dims"):
        F.margin_ranking_loss(x, x[None], x)
    with pytest.raises(RuntimeError, match=r"\(N, D\)"):
        F.cosine_embedding_loss(x[None], x[None], tinytensor.tensor(1))
    with pytest.raises(ValueError, match="p must be"):
        F.multi_margin_loss(SCORES_32, tinytensor.tensor(LABELS), p=3)
    with pytest.raises(RuntimeError, match="label 9"):
        F.multi_margin_loss(SCORES_32, tinytensor.tensor(LABELS * 0 + 9))
    with pytest.raises(RuntimeError, match="need a target of shape"):
        F.multilabel_margin_loss(SCORES_32, tinytensor.tensor(LABELS))
    with pytest.raises(ValueError, match="no parameters"):
        F.squared_norm([])


SCORES_32 = tinytensor.tensor(SCORES, dtype=tinytensor.float32)


# ---------------------------------------------------------------- the deprecated arguments


@pytest.mark.parametrize(("size_average", "reduce", "reduction"), [
    (True, None, "mean"), (False, None, "sum"), (None, True, "mean"), (True, False, "none"),
    (None, False, "none"), (False, True, "sum")])
@pytest.mark.parametrize("name", ["mse_loss", "cross_entropy", "nll_loss",
                                  "soft_margin_loss", "triplet_margin_loss"])
def test_size_average_and_reduce(name, size_average, reduce, reduction):
    x, signs = tinytensor.tensor(SCORES), tinytensor.tensor(numpy.sign(SCORES))
    others = {"cross_entropy": [tinytensor.tensor(LABELS)], "nll_loss": [tinytensor.tensor(LABELS)],
              "triplet_margin_loss": [x + 1, x * 2]}.get(name, [signs])
    loss = getattr(F, name)
    with pytest.warns(UserWarning, match=f"{name}: .*reduction='{reduction}'"):
        found = loss(x, *others, size_average=size_average, reduce=reduce)
    assert found.tolist() == loss(x, *others, reduction=reduction).tolist()


# ---------------------------------------------------------------- embedding and one_hot


POSITIONS = numpy.array([[0, 2, 2], [1, 2, 0]])


@pytest.mark.parametrize("padding_idx", [None, 2, -2])
@pytest.mark.parametrize("scale_grad_by_freq", [False, True])
def test_the_gradient_of_embedding(padding_idx, scale_grad_by_freq):
    compare("embedding", (POSITIONS, RNG.normal(size=(4, 3))), grad=(1,), padding_idx=padding_idx,
            scale_grad_by_freq=scale_grad_by_freq)


@pytest.mark.parametrize("norm_type", [1.0, 2.0])
def test_embedding_bounds_the_norm_of_the_rows_it_uses(norm_type):
    rows = RNG.normal(size=(4, 3)) * 2
    mine, theirs = tinytensor.tensor(rows, requires_grad=True), torch.tensor(rows)
    F.embedding(tinytensor.tensor([0, 2, 2]), mine, max_norm=1.0, norm_type=norm_type)
    T.embedding(torch.tensor([0, 2, 2]), theirs, max_norm=1.0, norm_type=norm_type)
    numpy.testing.assert_allclose(mine.detach().numpy(), theirs.numpy(), 1e-6)
    assert (mine.detach().numpy()[[1, 3]] == rows[[1, 3]]).all()


@pytest.mark.parametrize(("call", "kind", "message"), [
    (lambda i, w: F.embedding(i + 3, w), IndexError, "out of range"),
    (lambda i, w: F.embedding(i - 3, w), IndexError, "out of range"),
    (lambda i, w: F.embedding(i.float(), w), RuntimeError, "int64 or int32"),
    (lambda i, w: F.embedding(i, w[0]), RuntimeError, r"\(V, D\)"),
    (lambda i, w: F.embedding(i, w, padding_idx=4), ValueError, "padding_idx 4"),
    (lambda i, w: F.one_hot(i, 2), RuntimeError, "position 2 is out of range for 2 classes"),
    (lambda i, w: F.one_hot(i - 1), RuntimeError, "position -1"),
    (lambda i, w: F.one_hot(i.int()), RuntimeError, "int64"),
    (lambda i, w: F.one_hot(i[:0]), RuntimeError, "num_classes"),
])
def test_errors_of_positions(call, kind, message):
    with pytest.raises(kind, match=message):
        call(tinytensor.tensor(POSITIONS), tinytensor.ones(4, 3))


# ---------------------------------------------------------------- ctc_loss


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("layout", ["rows", "joined"])
def test_ctc_loss_of_longer_sequences(reduction, layout):
    """PyTorch's gradient assumes a log_softmax of the scores, so the program has one."""
    rng = numpy.random.default_rng(1)
    scores, labels = rng.normal(size=(30, 5, 7)), rng.integers(0, 6, (5, 8))
    lengths, sizes = [30, 30, 25, 30, 12], [8, 1, 5, 0, 3]
    if layout == "joined":
        labels = numpy.concatenate([row[:n] for row, n in zip(labels, sizes, strict=True)])
    found = []
    for library in (tinytensor, torch):
        x = library.tensor(scores, requires_grad=True)
        loss = library.nn.functional.ctc_loss(
            x.log_softmax(2), library.tensor(labels), library.tensor(lengths),
            library.tensor(sizes), blank=6, reduction=reduction)
        loss.sum().backward()
        found.append((loss.detach().numpy(), x.grad.numpy()))
    for a, b in zip(*found, strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13)


def test_ctc_loss_where_no_alignment_fits():
    x = tinytensor.rand(3, 4, dtype=tinytensor.float64, requires_grad=True)
    loss = tinytensor.nn.functional.ctc_loss(x, tinytensor.tensor([1, 1]), (2,), (2,),
                                             reduction="none")
    assert loss.ndim == 0 and loss.item() == float("inf")
    loss = tinytensor.nn.CTCLoss(zero_infinity=True)(x, tinytensor.tensor([1, 1]), (2,), (2,))
    loss.backward()
    assert loss.item() == 0 and (x.grad == 0).all()


@pytest.mark.parametrize(("arguments", "error"), [
    (([[1, 5]], [3], [2]), "the target 5 is none of the classes 0 to 3 without the blank, 0"),
    (([[1, 0]], [3], [2]), "the target 0 is none"), (([[1, 2]], [4], [2]), r"in \[0, 3\], got"),
    (([[1, 2]], [3, 3], [2]), "2 input_lengths, 1 target_lengths and 1 rows"),
    (([[1, 2]], [3], [3]), "target_lengths has 3 at 0, but there are 2 labels"),
    (([[1, 2]], [3], [2], 7), r"blank must be in \[0, 3\]"),
    (([1, 2, 3], [3], [2]), "neither"), (([[1.0, 2.0]], [3], [2]), "targets must be integers"),
    (([[1, 2]], [3], [2.0]), "target_lengths must be integers"),
    (([[1, 2]], [3], [-1]), "must not be negative")])
def test_ctc_loss_names_what_does_not_fit(arguments, error):
    targets, *others = arguments
    with pytest.raises(RuntimeError, match=error):
        tinytensor.nn.functional.ctc_loss(tinytensor.zeros(3, 1, 4), tinytensor.tensor(targets),
                                          *others)


# ---------------------------------------------------------------- ties, zeros and infinities


POINTS = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, inf, -inf]
FIRST, SECOND = numpy.array(list(itertools.product(POINTS, POINTS))).T.copy()
ROWS = numpy.array(list(itertools.product([0.0, 1.0], repeat=2)))
TRIPLES = [numpy.array(x) for x in zip(*itertools.product(ROWS, ROWS, ROWS), strict=True)]
HINGES = {
    "margin_ranking_loss": lambda f, y, m, a, b, c: f(a[:, 0], b[:, 0], y, margin=m),
    "hinge_embedding_loss": lambda f, y, m, a, b, c: f(a[:, 0], y, margin=m),
    "cosine_embedding_loss": lambda f, y, m, a, b, c: f(a, b, y, margin=m),
    "triplet_margin_loss": lambda f, y, m, a, b, c: f(a, b, c, margin=m + 1, p=1, eps=0.0),
    "triplet_margin_with_distance_loss": lambda f, y, m, a, b, c: f(
        a, b, c, margin=m + 1, distance_function=lambda u, v: (u - v).abs().sum(-1)),
    "multi_margin_loss": lambda f, y, m, a, b, c: f(a, (y > 0).long(), margin=m),
    "multilabel_margin_loss": lambda f, y, m, a, b, c: f(a + m * b, (c.detach() > 0).long()),
}


@pytest.mark.parametrize("margin", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", HINGES)
def test_hinges_at_the_exact_tie(name, margin):
    """With a zero gradient at the tie, a ranking with equal initial scores would never learn."""
    for label in (1, -1):
        agree_with_pytorch(lambda library, *x, label=label: HINGES[name](
            getattr(library.nn.functional, name), library.full((len(TRIPLES[0]),), label), margin,
            *x), *TRIPLES, tolerance=1e-8)


def test_a_ranking_learns_from_equal_scores():
    scores = tinytensor.zeros(2, requires_grad=True)
    F.margin_ranking_loss(scores[:1], scores[1:], tinytensor.ones(1)).backward()
    assert scores.grad.tolist() == [-1, 1]


@pytest.mark.parametrize(("name", "options"), [
    ("huber_loss", {}), ("huber_loss", {"delta": 0.5}), ("smooth_l1_loss", {}),
    ("smooth_l1_loss", {"beta": 0.5}), ("smooth_l1_loss", {"beta": 0.0}), ("mse_loss", {}),
    ("l1_loss", {}), ("binary_cross_entropy_with_logits", {})])
def test_losses_at_infinite_errors(name, options):
    agree_with_pytorch(lambda library, x, y: getattr(library.nn.functional, name)(
        x, y, reduction="none", **options), FIRST, SECOND)


@pytest.mark.parametrize("weights", [{}, {"weight": 1.5}, {"pos_weight": 3.0}])
def test_binary_cross_entropy_of_scores_has_the_dtype_of_the_target(weights):
    """PyTorch computes (1 - target) and multiplies it in place."""
    kinds = ("float64", "float32")
    for kind, target, wider in itertools.product(kinds, (*kinds, "int64", "bool"), kinds):
        results = []
        for library in (torch, tinytensor):
            def convert(values, name, library=library):
                return library.tensor(values, dtype=getattr(library, name))

            try:
                results.append(library.nn.functional.binary_cross_entropy_with_logits(
                    convert([2.2, -1.4], kind), convert([1, 0], target),
                    **{name: convert([w], wider) for name, w in weights.items()}))
            except RuntimeError:
                results.append(None)
        theirs, mine = results
        if theirs is None:
            assert mine is None
        else:
            assert str(mine.dtype).split(".")[1] == str(theirs.dtype).split(".")[1]
            assert mine.item() == pytest.approx(theirs.item(), rel=1e-6)


def test_a_gaussian_with_an_infinite_variance():
    agree_with_pytorch(lambda library, x, var: library.nn.functional.gaussian_nll_loss(
        x, library.ones_like(x), var.abs(), reduction="none"), FIRST, SECOND)


def test_margins_of_one_class_without_dims():
    """Empty batches are left out, because PyTorch returns uninitialised memory for them."""
    for name, scores, label in itertools.product(
            ("multi_margin_loss", "multilabel_margin_loss"), (1.15, [1.15], [1.0, 2.0]),
            (0, [0], 1)):
        agree_with_pytorch(lambda library, x, name=name, label=label: getattr(
            library.nn.functional, name)(x, library.tensor(label)), numpy.array(scores))


def test_ctc_loss_of_sequences_without_steps():
    """Without steps, the only path is empty. It has no labels and probability 1."""
    log_probs = numpy.log(RNG.dirichlet(numpy.ones(3), (4, 3)))
    for zero_infinity in (False, True):
        mine, theirs = (library.nn.functional.ctc_loss(
            library.tensor(log_probs), library.tensor([[1, 2], [1, 2], [1, 2]]), [0, 0, 4],
            [2, 0, 2], reduction="none", zero_infinity=zero_infinity)
            for library in (tinytensor, torch))
        numpy.testing.assert_allclose(mine.numpy(), theirs.numpy(), 1e-12)
    x = tinytensor.tensor(log_probs, requires_grad=True)
    F.ctc_loss(x, tinytensor.tensor([[1, 2]] * 3), [0, 0, 4], [0, 0, 2]).backward()
    assert x.grad.isfinite().all() and not x.grad[:, :2].any()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_cross_entropy_of_no_classes(reduction, label_smoothing):
    found = []
    for library in (tinytensor, torch):
        scores = library.zeros(2, 0)
        for target in (library.tensor([-100, -100]), library.zeros(2, 0)):
            found.append(library.nn.functional.cross_entropy(
                scores, target, label_smoothing=label_smoothing, reduction=reduction).numpy())
    for ours, theirs in zip(found[:2], found[2:], strict=True):
        numpy.testing.assert_array_equal(ours, theirs)
