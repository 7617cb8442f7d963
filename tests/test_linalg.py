"""Products, factorisations and distances: errors, edges and invariants."""

# ruff: noqa: N803, N806 - matrices have capitals

from __future__ import annotations

import math

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from operations import agree_with_pytorch

import tinytensor as tt


def drawn(*shape, seed=0):
    return numpy.random.default_rng(seed).uniform(-1, 1, shape)


def singular():
    """Two matrices. The second one is singular."""
    batch = numpy.stack([numpy.eye(3), numpy.eye(3)])
    batch[1, 2] = batch[1, 1]
    return tt.tensor(batch)


def gradients(module, function, *arrays):
    """The value of a function to a number, and its first and second derivatives."""
    leaves = [module.tensor(a, requires_grad=True) for a in arrays]
    out = function(module, *leaves)
    first = module.autograd.grad(out, leaves, create_graph=True)
    second = module.autograd.grad(sum((g * g).sum() for g in first), leaves)
    return [x.detach().numpy() for x in (out, *first, *second)]


def same(function, *arrays, tolerance=1e-9):
    for mine, theirs in zip(gradients(tt, function, *arrays), gradients(torch, function, *arrays),
                            strict=True):
        numpy.testing.assert_allclose(mine, theirs, tolerance, tolerance)


# ---------------------------------------------------------------- factorisations


def rebuilt_from_svd(m, A):
    U, S, Vh = m.linalg.svd(A, full_matrices=False)
    return (((U * S.exp().unsqueeze(-2)) @ Vh) ** 3).sum()


def projector_from_svd(m, A):
    U, _, Vh = m.linalg.svd(A, full_matrices=False)
    weights = m.arange(1.0, 1.0 + A.shape[-2], dtype=m.float64)
    return (((U[..., :2] @ U[..., :2].swapaxes(-1, -2)) @ weights) ** 2).sum() \
        + ((Vh[..., :1, :].swapaxes(-1, -2) @ Vh[..., :1, :]) ** 3).sum()


def function_of_eigenvalues(m, A):
    values, V = m.linalg.eigh(A + A.swapaxes(-1, -2))
    return (((V * values.sin().unsqueeze(-2)) @ V.swapaxes(-1, -2)) ** 3).sum()


def rebuilt_from_qr(m, A):
    Q, R = m.linalg.qr(A)
    return ((Q * Q) @ (R * R)).sum()


def gaussian_likelihood(m, A):
    K = A @ A.swapaxes(-1, -2) + m.tensor(numpy.eye(A.shape[-2]))
    L = m.linalg.cholesky(K)
    y = m.linalg.solve_triangular(L, m.ones(A.shape[-2], 1, dtype=m.float64), upper=False)
    return (y * y).sum() + 2 * m.diagonal(L, dim1=-2, dim2=-1).log().sum()


@pytest.mark.parametrize("function", [
    rebuilt_from_svd, projector_from_svd, function_of_eigenvalues, rebuilt_from_qr,
    gaussian_likelihood])
@pytest.mark.parametrize("shape", [(4, 4), (2, 3, 3), (4, 3), (3, 4)])
def test_functions_of_factors_that_no_sign_changes(function, shape):
    if function is function_of_eigenvalues and shape[-1] != shape[-2]:
        pytest.skip("eigenvalues are of square matrices")
    same(function, drawn(*shape), tolerance=1e-7)


@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 4), (3, 3)])
def test_factors_multiply_to_the_matrix(shape):
    A = tt.tensor(drawn(*shape))
    U, S, Vh = tt.linalg.svd(A, full_matrices=False)
    Q, R = tt.linalg.qr(A)
    for product in ((U * S.unsqueeze(-2)) @ Vh, Q @ R):
        numpy.testing.assert_allclose(product.numpy(), A.numpy(), atol=1e-12)
    u, s, v = tt.svd(A)
    numpy.testing.assert_allclose(((u * s.unsqueeze(-2)) @ v.mT).numpy(), A.numpy(), atol=1e-12)


def test_determinant_of_singular_matrices_has_the_cofactors_as_gradient():
    A = tt.tensor([[1.0, 1.0], [1.0, 1.0]], dtype=tt.float64, requires_grad=True)
    tt.linalg.det(A).backward()
    numpy.testing.assert_allclose(A.grad.numpy(), [[1, -1], [-1, 1]], atol=1e-12)
    B = drawn(3, 3)
    B[2] = B[0] + B[1]
    B = tt.tensor(numpy.stack([B, drawn(3, 3, seed=1)]), requires_grad=True)
    tt.linalg.det(B).sum().backward()
    for i, matrix in enumerate(B.detach().numpy()):
        minors = [[(-1) ** (r + c) * numpy.linalg.det(
            numpy.delete(numpy.delete(matrix, r, 0), c, 1)) for c in range(3)] for r in range(3)]
        numpy.testing.assert_allclose(B.grad[i].numpy(), minors, atol=1e-9)


def test_pseudoinverse_of_low_rank_and_its_gradient():
    A = drawn(4, 2) @ drawn(2, 3, seed=1)  # of rank 2
    numpy.testing.assert_allclose(tt.linalg.pinv(tt.tensor(A)).numpy(), numpy.linalg.pinv(A),
                                  atol=1e-12)
    assert tt.linalg.matrix_rank(tt.tensor(A)).item() == 2
    same(lambda m, a, b: (m.linalg.pinv(a @ b, rtol=1e-8) ** 2).sum(), drawn(4, 2),
         drawn(2, 3, seed=1), tolerance=1e-6)


def test_condition_number_of_singular_matrices():
    for p in (None, 1, "fro", math.inf):
        ours, theirs = (m.linalg.cond(m.zeros(2, 2), p).item() for m in (tt, torch))
        assert ours == theirs or (math.isnan(ours) and math.isnan(theirs))
    found = tt.linalg.cond(singular(), 1)
    assert found.tolist() == [1.0, math.inf]


SINGULAR = {"linalg.inv": tt.linalg.inv, "linalg.solve": lambda A: tt.linalg.solve(A, A),
            "linalg.solve_triangular": lambda A: tt.linalg.solve_triangular(
                A * 0 + tt.tensor(numpy.stack([numpy.eye(3), numpy.ones((3, 3)) - numpy.eye(3)])),
                A, upper=True)}


@pytest.mark.parametrize("name", SINGULAR)
def test_singular_matrices_are_named(name):
    with pytest.raises(tt.linalg.LinAlgError, match=f"^{name}: batch element 1: .*singular") as e:
        SINGULAR[name](singular())
    assert isinstance(e.value, RuntimeError)


def test_matrices_that_are_not_positive_definite_are_named():
    batch = tt.tensor(numpy.stack([numpy.eye(2), -numpy.eye(2)]))
    with pytest.raises(tt.linalg.LinAlgError, match=r"batch element 1: .*positive definite"):
        tt.linalg.cholesky(batch)


def test_factorisations_of_nan_do_not_converge():
    with pytest.raises(tt.linalg.LinAlgError, match="NaN"):
        tt.linalg.svd(tt.full((2, 2), math.nan))


@pytest.mark.parametrize("function", [
    tt.linalg.inv, tt.linalg.det, tt.linalg.cholesky, tt.linalg.eigh, tt.matrix_exp])
def test_matrices_must_be_square_and_of_floats(function):
    with pytest.raises(RuntimeError, match=r"square, got shape \(2, 3\)"):
        function(tt.ones(2, 3))
    with pytest.raises(RuntimeError, match="float32 or float64, got int64"):
        function(tt.ones(2, 2, dtype=tt.int64))
    with pytest.raises(RuntimeError, match="at least 2 dimensions"):
        function(tt.ones(2))


def test_derivatives_that_qr_does_not_have():
    A = tt.tensor(drawn(4, 3), requires_grad=True)
    with pytest.raises(RuntimeError, match="'complete' has no derivative"):
        tt.linalg.qr(A, "complete").R.sum().backward()
    with pytest.raises(RuntimeError, match="none of 'reduced'"):
        tt.linalg.qr(A, "full")


# ---------------------------------------------------------------- products


@pytest.mark.parametrize(("left", "right", "message"), [
    ((2, 3), (4, 5), r"\(2, 3\) @ \(4, 5\): the inner sizes 3 and 4 differ"),
    ((2, 2, 3), (3, 3, 5), "batch sizes 2 and 3 differ at dimension -3"), ((), (2,), "0-d")])
def test_products_that_do_not_fit(left, right, message):
    with pytest.raises(RuntimeError, match=message):
        tt.zeros(left) @ tt.zeros(right)


def test_products_of_other_ranks_and_dtypes_are_refused():
    with pytest.raises(RuntimeError, match="one dtype"):
        tt.ones(2, 2) @ tt.ones(2, 2, dtype=tt.float64)
    for function, shapes in ((tt.mm, ((2,), (2, 2))), (tt.bmm, ((2, 2), (2, 2))),
                             (tt.mv, ((2, 2), (2, 2))), (tt.dot, ((2, 2), (2,))),
                             (tt.outer, ((2, 2), (2,)))):
        with pytest.raises(RuntimeError, match="dimensions, got shapes"):
            function(*(tt.ones(s) for s in shapes))


def test_beta_of_zero_leaves_nan_out():
    for m in (tt, torch):
        assert m.addmm(m.full((2,), math.nan), m.ones(2, 2), m.ones(2, 2), beta=0).tolist() \
            == [[2, 2]] * 2
    x = tt.ones(2, 2)
    assert x.addmm_(tt.ones(2, 2), tt.ones(2, 2)) is x and x.tolist() == [[3, 3]] * 2


def test_chains_are_multiplied_in_the_cheapest_order():
    from tinytensor.ops.linalg import _best_order

    # CLRS, figure 15.5: ((A1 (A2 A3)) ((A4 A5) A6)).
    split = _best_order([30, 35, 15, 5, 10, 20, 25])
    assert (split[0, 5], split[0, 2], split[3, 5]) == (2, 0, 4)


@pytest.mark.parametrize(("equation", "shapes", "message"), [
    ("ij,jk", [(2, 3)], "2 terms for 1 operands"), ("i$", [(2,)], "cannot read"),
    ("ij->ik", [(2, 2)], "'k' must come once"), ("ij->ii", [(2, 2)], "'i' must come once"),
    ("i", [(2, 2)], "2 dims for 1 subscripts"), ("ij,jk", [(2, 2), (3, 4)], "'j' has size 3"),
    ("ii", [(2, 3)], "'i' is repeated"), ("i...j...", [(2, 3)], "at most once")])
def test_equations_that_do_not_fit(equation, shapes, message):
    with pytest.raises(RuntimeError, match=message):
        tt.einsum(equation, *(tt.zeros(s) for s in shapes))
    with pytest.raises(RuntimeError):
        torch.einsum(equation, *(torch.zeros(s) for s in shapes))


@st.composite
def equations(draw):
    """An einsum equation and shapes, in which some dims of size 1 are broadcast."""
    sizes = dict(zip("abcd", draw(st.lists(st.integers(1, 3), min_size=4, max_size=4)),
                     strict=True))
    terms = draw(st.lists(st.text("abcd", max_size=3), min_size=1, max_size=3))
    dots = draw(st.booleans())
    used = sorted(set("".join(terms)))
    output = "".join(draw(st.permutations(draw(st.lists(
        st.sampled_from(used), unique=True)) if used else [])))
    shapes = []
    for i, term in enumerate(terms):
        shape = []
        for c in term:
            one = term.count(c) == 1 and draw(st.integers(0, 5)) == 0
            shape.append(1 if one else sizes[c])
        shapes.append(tuple((2,) * (dots and i == 0) + tuple(shape)))
    names = [("..." if dots and i == 0 else "") + term for i, term in enumerate(terms)]
    explicit = draw(st.booleans())
    arrow = "->" + "..." * (dots and draw(st.booleans())) + output if explicit else ""
    return ",".join(names) + arrow, shapes


@settings(max_examples=150, deadline=None)
@given(equations())
def test_einsum_and_its_derivatives_equal_pytorch(case):
    equation, shapes = case
    arrays = [drawn(*s, seed=i) for i, s in enumerate(shapes)]
    same(lambda m, *x: (m.einsum(equation, *x) ** 2).sum(), *arrays)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([1, 2]), max_size=2), st.lists(st.sampled_from([1, 2]), max_size=2),
       st.sampled_from([(2, 3, 4), (1, 3, 1), (2, 0, 3), (None, 3, 2), (2, 3, None)]))
def test_matmul_of_every_rank_equals_pytorch(left, right, sizes):
    n, k, m = sizes
    a = (k,) if n is None else (*left, n, k)
    b = (k,) if m is None else (*right, k, m)
    same(lambda module, x, y: ((x @ y) ** 2).sum(), drawn(*a), drawn(*b, seed=1))


def test_batch_times_a_shared_transposed_matrix():
    a, w = drawn(3, 4, 5), drawn(6, 5, seed=1)
    same(lambda m, x, y: ((x.swapaxes(0, 1) @ y.T) ** 2).sum(), a, w)


# ---------------------------------------------------------------- distances


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, math.inf])
@pytest.mark.parametrize("rows", [3, 30])
def test_distances_at_zero_have_pytorchs_gradient(p, rows):
    x = drawn(rows, 2)
    y = x[:2].copy()
    for seed in (None, 1):
        grads = []
        for m in (tt, torch):
            a, b = m.tensor(x, requires_grad=True), m.tensor(y, requires_grad=True)
            m.cdist(a, b, p, compute_mode="donot_use_mm_for_euclid_dist").sum().backward()
            grads.append((a.grad.numpy(), b.grad.numpy()))
        for mine, theirs in zip(*grads, strict=True):
            assert numpy.isfinite(mine).all()
            if rows <= 25:  # with more rows, cancellation separates equal rows
                numpy.testing.assert_allclose(mine, theirs, atol=1e-12)
        y = y + (0 if seed is None else drawn(2, 2, seed=seed))


def test_large_distances_equal_pytorch():
    x, y = drawn(40, 3), drawn(30, 3, seed=1)
    numpy.testing.assert_allclose(tt.cdist(tt.tensor(x), tt.tensor(y)).numpy(),
                                  torch.cdist(torch.tensor(x), torch.tensor(y)).numpy(), atol=1e-12)


def test_linalg_module_is_complete():
    names = ("inv det slogdet solve lstsq cholesky qr svd svdvals eigh eigvalsh matrix_norm norm "
             "cond matrix_power matrix_rank pinv multi_dot solve_triangular vector_norm matrix_exp "
             "cross vecdot matmul LinAlgError").split()
    assert [n for n in names if not hasattr(tt.linalg, n)] == []
    with pytest.raises(AttributeError, match="svdval"):
        tt.linalg.svdval  # noqa: B018


def test_a_bias_that_does_not_fit_is_named():
    x, weight = tt.ones(5, 3), tt.ones(4, 3)
    with pytest.raises(RuntimeError, match=r"linear: a bias of shape \(7,\) .* makes 4 outputs"):
        tt.nn.functional.linear(x, weight, tt.ones(7))
    for shape in ((), (1,), (4,), (5, 4)):  # the shapes that PyTorch accepts
        found = tt.nn.functional.linear(x, weight, tt.ones(shape))
        assert found.tolist() == torch.nn.functional.linear(
            torch.ones(5, 3), torch.ones(4, 3), torch.ones(shape)).tolist()


@pytest.mark.parametrize("driver", [None, "gels", "gelsy", "gelsd", "gelss"])
@pytest.mark.parametrize("shapes", [((6, 4), (6, 2)), ((4, 6), (4, 2)), ((3, 6, 4), (3, 6, 2)),
                                    ((6, 4), (6,)), ((4, 4), (4, 2))])
def test_least_squares_tell_what_the_driver_finds(driver, shapes):
    a, b = drawn(*shapes[0]), drawn(*shapes[1], seed=1)
    mine = tt.linalg.lstsq(tt.tensor(a), tt.tensor(b), driver=driver)
    theirs = torch.linalg.lstsq(torch.tensor(a), torch.tensor(b), driver=driver)
    for found, expected in zip(mine, theirs, strict=True):
        # for a vector, PyTorch's residual has shape (1,)
        assert found.shape == tuple(expected.shape) and str(found.dtype)[11:] == str(
            expected.dtype)[6:]
        numpy.testing.assert_allclose(found.numpy(), expected.numpy(), 1e-10, 1e-10)


@pytest.mark.parametrize("upper", [False, True])
def test_cholesky_reads_one_triangle(upper):
    same(lambda m, A: (m.linalg.cholesky(A, upper=upper) * m.arange(4.0).reshape(2, 2)).sum(),
         numpy.array([[4.0, 1.0], [2.0, 9.0]]))


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_iterations_do_not_start_on_numbers_that_are_not_finite(bad):
    """LAPACK's SVD does not terminate for this matrix with an infinity."""
    A = tt.tensor([[bad, -0.8, -1.25, -1.7], [-1.2, 1.1, -0.2, -0.7], [0.5, -0.9, 0.5, 1.5]])
    for function in (tt.linalg.svd, tt.linalg.svdvals, tt.linalg.pinv, tt.linalg.cond):
        with pytest.raises(tt.linalg.LinAlgError, match=r"shape \(3, 4\) contains NaN or inf"):
            function(A)
    with pytest.raises(tt.linalg.LinAlgError, match=r"linalg.eigh: .* contains NaN or inf"):
        tt.linalg.eigh(A[:, :3])


def test_residuals_are_told_for_full_rank_only():
    a = drawn(6, 2) @ drawn(2, 4, seed=1)
    for library in (tt, torch):
        found = library.linalg.lstsq(library.tensor(a), library.ones(6, 1, dtype=library.float64),
                                     driver="gelsd")
        assert found.residuals.numel() == 0 and found.rank.item() == 2


@pytest.mark.parametrize(("arguments", "said"), [
    ((tt.ones(5, 3), tt.ones(4, 2)), r"A of shape \(5, 3\) and B of shape \(4, 2\) must have the "
                                     "same number of rows"),
    ((tt.ones(3), tt.ones(3)), r"A of shape \(3,\)")])
def test_least_squares_of_what_does_not_fit(arguments, said):
    with pytest.raises(RuntimeError, match=f"linalg.lstsq: {said}"):
        tt.linalg.lstsq(*arguments)
    with pytest.raises(RuntimeError, match="driver 'qr' is none of None, 'gels', 'gelsy'"):
        tt.linalg.lstsq(tt.ones(2, 2), tt.ones(2, 2), driver="qr")


# ---------------------------------------------------------------- NaN, singular and empty matrices


NAN, INF = math.nan, math.inf
FULL_RANK, RANK_ONE = [[1.0, 2.0], [3.0, 5.0]], [[1.0, 2.0], [2.0, 4.0]]
RANK_ZERO = [[0.0, 0.0], [0.0, 0.0]]
WITH_NAN = [[[NAN, 1.0], [1, 1]], [[1.0, NAN], [1, 1]], [[1.0, 1], [NAN, 1]], [[1.0, 1], [1, NAN]]]


@pytest.mark.parametrize("A", [*WITH_NAN, *([FULL_RANK, A] for A in WITH_NAN)])
def test_matrices_with_nan(A):
    """A matrix with NaN gives NaN, for each matrix of a batch. LAPACK treats a NaN pivot as 0."""
    A = numpy.array(A)
    for name in ("det", "slogdet", "inv", "cholesky", "matrix_exp"):
        agree_with_pytorch(lambda library, x, name=name: getattr(library.linalg, name)(x), A)
    agree_with_pytorch(lambda library, x: library.logdet(x), A)
    agree_with_pytorch(lambda library, x: library.linalg.solve(x, library.ones(
        2, 1, dtype=library.float64)), A)


@pytest.mark.parametrize("A", [RANK_ONE, RANK_ZERO, [FULL_RANK, RANK_ONE]])
@pytest.mark.parametrize("name", ["logdet", "slogdet"])
def test_the_gradient_of_a_logarithm_at_a_singular_matrix(name, A):
    """The gradient is infinite or NaN. Its sign in PyTorch depends on LAPACK's rounding of the
    determinant 0, so only the other matrices of a batch are compared.
    """
    found = []
    for library in (tt, torch):
        x = library.tensor(A, dtype=library.float64, requires_grad=True)
        size = library.slogdet(x).logabsdet if name == "slogdet" else library.logdet(x)
        size.sum().backward()
        found.append((size.detach().numpy(), x.grad.numpy().reshape(-1, 2, 2)))
    numpy.testing.assert_allclose(found[0][0], found[1][0], 1e-9, 1e-9)
    assert not numpy.isfinite(found[0][1][-1]).any()
    numpy.testing.assert_allclose(found[0][1][:-1], found[1][1][:-1], 1e-9, 1e-9)


def test_a_power_of_zero_has_a_gradient_of_zero():
    for shape in ((2, 2), (1, 1), (0, 2, 2)):
        agree_with_pytorch(lambda library, x: library.linalg.matrix_power(x, 0), drawn(*shape))


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (2, 0, 0), (0, 2, 2), (2, 0, 3)])
def test_norms_of_matrices_without_elements(shape):
    for order in ("fro", "nuc", 1, -1, 2, -2, INF, -INF):
        for name in ("matrix_norm", "norm"):
            agree_with_pytorch(lambda library, x, name=name, order=order: getattr(
                library.linalg, name)(x.detach(), order), numpy.zeros(shape))
        if shape[-1] == shape[-2]:
            agree_with_pytorch(lambda library, x, order=order: library.linalg.cond(
                x.detach(), order), numpy.zeros(shape))


def test_a_triangle_beside_nan():
    """Elements outside of the triangle are not read."""
    A = numpy.array([[2.0, NAN], [1.0, 4.0]])
    agree_with_pytorch(lambda library, x, b: library.linalg.solve_triangular(
        x.detach(), b, upper=False), A, drawn(2, 3))


def test_tensordot_broadcasts_a_size_of_one():
    for left, right, dims in (((1, 1, 1), (2, 1, 2), ([0, 1], [2, 0])), ((2, 3), (1, 3), (
            [0, 1], [0, 1])), ((1, 3), (0, 3), ([0, 1], [0, 1])), ((2, 3), (2, 4), 1)):
        agree_with_pytorch(lambda library, x, y, dims=dims: library.tensordot(x, y, dims),
                           drawn(*left), drawn(*right))


@pytest.mark.parametrize("shape", [(0,), (2, 0), (1, 1), (1, 4), (3, 4), (4,), (), (2, 3, 4)])
def test_covariances_at_the_edges(shape):
    x = drawn(*shape)
    for correction in (0, 1, 4, 5):
        agree_with_pytorch(lambda library, x, c=correction: library.cov(
            x.detach(), correction=c), x)
    agree_with_pytorch(lambda library, x: library.corrcoef(x.detach()), x)
    agree_with_pytorch(lambda library, x: library.corrcoef(x.detach() * 0 + 1), x)
