"""Operations to which a check does not apply, by their key in the table, with the reason."""

from __future__ import annotations

# Parts of other operations, which no sample can call. tests/operations.py has a program for each
# that runs it on both libraries; the values are the names of these programs.
NO_SAMPLES = {
    "alias": "a forward that is run again",
    "cast": "another dtype",
    "internal.pick": "max pooling",
    "internal.put": "max pooling",
    "internal.winner": "max pooling",
    "memory": "memory around a view",
    "move": "moving",
}
# Their results differ from PyTorch's, which draws other random numbers: the tests of their
# families check them.
RANDOM = {"nn.functional.gumbel_softmax"}
# Functions of symmetric matrices: finite differences move an element together with its mirror.
SYMMETRIC = {"cholesky", "cholesky_factor", "eigh", "linalg.cholesky", "linalg.cholesky_ex",
             "linalg.eigh", "linalg.eigvalsh", "lobpcg"}
# The derivative is defined to differ from the slope of the function.
NO_FINITE_DIFFERENCES = {
    "linalg.svd": "the vectors that complete a basis are arbitrary",
    "nn.functional.embedding": "the row at padding_idx gets no gradient, and max_norm rescales",
    "nn.functional.gaussian_nll_loss": "the variance is clamped without a derivative",
    "nn.functional.poisson_nll_loss": "Stirling's term is a constant where it is cut off",
    "standardize": "its mean and variance are statistics, without gradient",
}
# The result depends on how the elements of the input lie in memory.
MEMORY = {
    "as_strided": "it counts elements in memory",
    "as_strided_copy": "it counts elements in memory",
    "as_strided_scatter": "it counts elements in memory",
    "view": "it raises for strides that a view cannot have",
    "view_as": "it raises for strides that a view cannot have",
}
# Results of float32 and float16 inputs that have another floating point dtype.
OTHER_DTYPES = {"float_power": "it computes in float64"}
