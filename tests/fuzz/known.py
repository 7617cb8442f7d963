"""Intended differences from PyTorch, each with a program that shows it."""

from __future__ import annotations

import functools
import re
import warnings
from dataclasses import dataclass
from typing import Any

import numpy
import torch

from .programs import Seen, execute, flat, namespace, run, variables


@dataclass(frozen=True)
class Known:
    """A difference that is not a fault.

    reason    why the libraries differ
    program   the shortest program that shows the difference; a test runs it
    what      regular expression for the kind of difference
    line      regular expression for the line that differs
    ours      regular expression for the error or value of tinytensor
    theirs    regular expression for the error or value of PyTorch
    anywhere  regular expression for some part of the program
    ends      whether the rest of the program cannot be compared
    """

    reason: str
    program: tuple[str, ...]
    what: str = "error"
    line: str = ""
    ours: str = ""
    theirs: str = ""
    anywhere: str = ""
    ends: bool = True

    def covers(self, program: tuple[str, ...], difference: Any) -> bool:
        text = "\n".join(program) + " # inf" * is_infinite(program[:difference.line + 1])
        line = program[difference.line] if difference.line < len(program) else "\n".join(program)
        return all(re.search(pattern, text) for pattern, text in (
            (self.anywhere, text), (self.what, difference.what), (self.line, line),
            (self.ours, str(difference.ours)), (self.theirs, str(difference.theirs))))


KNOWN = [
    Known("PyTorch has no derivative here, and says so in backward; here the result has no graph.",
          ("v1 = torch.tensor(0.0, requires_grad=True)", "v2 = torch.nextafter(v1, v1)"),
          what="requires_grad|error", anywhere="nextafter|zeta|detach_copy"),
    Known("PyTorch computes Bessel functions to about seven digits near their zeros.",
          ("v1 = torch.tensor(7.0, dtype=torch.float64)", "v2 = torch.special.bessel_j1(v1)"),
          what="values", anywhere="bessel_j", ends=False),
    Known("A constant column of powers needs no gradient in PyTorch.",
          ("v1 = torch.tensor([0.0], requires_grad=True)", "v2 = torch.vander(v1)"),
          what="requires_grad", anywhere="vander"),
    Known("In PyTorch the copy of A belongs to the graph of the solution.",
          ("v1 = torch.tensor([[0.0]], requires_grad=True)", "v2 = torch.tensor([[1.0]])",
           "v3, v4 = torch.triangular_solve(v1, v2)"),
          what="requires_grad", anywhere="triangular_solve"),
    Known("lobpcg and ormqr are defined for symmetric matrices and for reflections, of finite "
          "numbers.",
          ("v1 = torch.tensor([9.75, 1.42, 1.91, -4.03, -0.23, 1.55]).expand(6, 6)",
           "v2, v3 = torch.lobpcg(v1)"),
          what="values", anywhere="lobpcg|ormqr"),
    Known("PyTorch computes trigamma, the gradient of digamma, to about ten digits.",
          ("v1 = torch.tensor(2, dtype=torch.float64, requires_grad=True)",
           "v2 = torch.digamma(v1)", "v2.backward()"),
          what="grad values", anywhere="digamma|polygamma|lgamma", ends=False),
    Known("A remainder of 0 has the sign of the divisor, as in Python and NumPy.",
          ("v1 = torch.tensor(1)", "v2 = v1 % -0.5", "v3 = 1 / v2"),
          what="values", anywhere="%|remainder", ours="inf", theirs="inf"),
    Known("The gradient of what is not reached is None in PyTorch, and a hook fails on it.",
          ("v1 = torch.tensor(0.0, requires_grad=True)", "v2, v3 = torch.var_mean(v1)",
           "v2.register_hook(lambda g: g * 2)", "v3.backward()"),
          anywhere="register_hook", theirs="'NoneType'"),
    Known("PyTorch divides gradients of embedding_bag by the frequency of other indices.",
          ("v1 = torch.tensor([[1, 2], [1, 0]])",
           "v2 = torch.tensor([[1], [1], [0.0]], requires_grad=True)",
           "v3 = torch.nn.functional.embedding_bag(v1, v2, scale_grad_by_freq=True)",
           "weighted_sum(v3).backward()"),
          what="grad values", anywhere="scale_grad_by_freq=True", ends=False),
    Known("PyTorch repeats the first row where an image of width 1 is resized with antialias.",
          ("v1 = torch.tensor([[[[0], [2.0]]]])",
           "v2 = torch.nn.functional.interpolate(v1, (3, 1), mode='bicubic', antialias=True)"),
          what="values", line="antialias=True"),
    Known("(-0.0)**-0.5 is inf, as in C; PyTorch takes it for 1 / sqrt(-0.0).",
          ("v1 = torch.tensor(-0.0)", "v1.pow_(-0.5)"),
          what="values", anywhere="pow|\\*\\*", ours="inf", theirs="-inf"),
    Known("beta=0 leaves the input out, and so out of the graph; PyTorch gives it zeros.",
          ("v1 = torch.tensor([[[0.0]]])", "v2 = torch.tensor(0.0, requires_grad=True)",
           "v3 = torch.tensor([[[0.0]]], requires_grad=True)",
           "v4 = torch.addbmm(v2, v1, v3, beta=0.0)", "v4.backward()"),
          what="grad type", anywhere="beta=0", ours="None", ends=False),
    Known("A pooling window of size 0 is an error here.",
          ("v1 = torch.tensor([[1]])", "v2 = torch.nn.functional.max_unpool1d(v1, v1, 0)"),
          line="max_unpool", ours="stride must be positive|does not lie within an output of"),
    Known("After a negative pad, a circular one goes around what is left; PyTorch's goes on.",
          ("v1 = torch.tensor(1).expand(2, 3)",
           "v2 = torch.nn.functional.pad(v1, (-1, 3), 'circular')"),
          line="circular", ours="would go around"),
    Known("Attention computes its weights again in backward, so its mask may not be overwritten.",
          ("v1 = torch.ones(1, 2, 4, requires_grad=True)", "v2 = torch.zeros(2, 2)",
           "v3 = torch.nn.functional.scaled_dot_product_attention(v1, v1, v1, v2)", "v2.sin_()",
           "weighted_sum(v3).backward()"),
          anywhere="scaled_dot_product_attention", ours="attention .* needs its `mask`"),
    Known("PyTorch computes parts of local_response_norm of integers in integers.",
          ("v1 = torch.tensor([[[1]]])", "v2 = torch.nn.functional.local_response_norm(v1, 2)"),
          what="values", line="local_response_norm"),
    Known("What cholesky_ex gives for a matrix that has no factor is not defined: NaN here.",
          ("v1 = torch.tensor([[0.0]])", "v2, v3 = torch.linalg.cholesky_ex(v1)"),
          what="values", line="cholesky_ex", ours="nan"),
    Known("geqrf has no gradient. PyTorch's result requires grad, and its backward raises.",
          ("v1 = torch.tensor([[0.0]], requires_grad=True)", "v2, v3 = v1.geqrf()"),
          what="requires_grad", line=r"geqrf\("),
    Known("A view made under no_grad says that it requires grad, but no gradient reaches it.",
          ("v1 = torch.ones(3, requires_grad=True)", "with torch.no_grad(): v2 = v1.view(3)"),
          what="requires_grad", line=r"no_grad\(\)"),
    Known("A view says that it requires grad as soon as its base does; no gradient reaches it.",
          ("v1 = torch.ones(3)", "v2 = v1.view(3)", "v1.requires_grad_()"),
          what="requires_grad", anywhere=r"requires_grad_\(\)", ours=r"^(?!.*requires_grad)",
          theirs="requires_grad"),
    Known("A backward from such a view is an error; PyTorch's reaches nothing.",
          ("v1 = torch.tensor([0.0])", "v2 = v1.view(1)", "v1.requires_grad_()",
           "weighted_sum(v2).backward()"),
          anywhere=r"requires_grad_\(\)", ours="does not require grad"),
    Known("PyTorch returns the Tensor itself, not a view.",
          ("v1 = torch.ones(3, requires_grad=True)", "v2 = v1.flatten()"),
          what="is_leaf|^type",
          anywhere=r"\b(flatten|reshape|contiguous|adjoint|cartesian_prod)\("),
    Known("PyTorch has no derivative of it, or says so only in backward.",
          ("v1 = torch.zeros(2, requires_grad=True)", "v2 = torch.heaviside(v1, v1)"),
          what="requires_grad|is_leaf", anywhere=r"heaviside"),
    Known("A float does not fit among integers; PyTorch cuts it off.",
          ("v1 = torch.tensor(1)", "v1.addcmul_(v1, v1, value=0.5)"),
          ours="is a float, the operands are integers"),
    Known("Running statistics are updated in place, and here they are weights too.",
          ("v1 = torch.tensor([[1., 2.], [3., 5.]])", "v2 = torch.ones(2)",
           "v3 = torch.nn.functional.batch_norm(v1, v2, v2, v2, v2, True)"),
          what="values|error", anywhere=r"_norm\(.*(\bv\d+\b).*\b\1\b"),
    Known("The backward needs an input that was written to; PyTorch happened to save a copy of it.",
          ("v1 = torch.ones(1, 2, 2, dtype=torch.float64).transpose(0, 2)",
           "v2 = torch.ones(1, dtype=torch.float64, requires_grad=True)",
           "v3 = torch.nn.functional.linear(v1, v2)", "v1.relu_()", "v3.sum().backward()"),
          ours=r"backward: (linear|matmul|mv|bmm|einsum|conv\w*|standardize) \("),
    Known("Our rules save other values, which were not written to.",
          ("v1 = torch.zeros(2, 1, requires_grad=True)", "v2 = torch.zeros(1)",
           "v3 = torch.nn.functional.batch_norm(v1, v2, v2 + 1)", "v2.add_(1)",
           "v3.sum().backward()"),
          theirs="has been modified by an inplace operation"),
    Known("PyTorch calls the hook of an output that has no gradient, with None.",
          ("v1 = torch.ones(2, requires_grad=True)", "v2, v3 = v1.unbind()", "v4 = []",
           "v3.register_hook(v4.append)", "v2.backward()"),
          what="numbers|type", line="register_hook"),
    Known("Writing through `.data` is not noticed, and which values a rule saves is not specified.",
          ("v1 = torch.tensor(2., requires_grad=True)", "v2 = v1 * 1", "v3 = 2 / v2",
           "v2.data.mul_(0.5)", "v3.backward()"),
          what="grad values", anywhere=r"\.data\b"),
    Known("What is written through `.data` may have no derivative.",
          ("v1 = torch.eye(2).requires_grad_()", "v2 = torch.linalg.solve(v1, torch.ones(2))",
           "v1.data.zero_()", "v2.sum().backward()"), ours="is singular", anywhere=r"\.data\b"),
    Known("Which of several equal elements is chosen is not specified.",
          ("v1 = torch.tensor(1).expand(3)", "v2, v3 = v1.kthvalue(1)"),
          what="values", line=r"\b(topk|kthvalue|mode|median|nanmedian|sort|argsort)\("),
    Known("PyTorch writes an element several times, in an order that is not specified.",
          ("v1 = torch.tensor([1, 2]).expand(2, 2)", "v1.triu_()"),
          ours="shows an element several times"),
    Known("What is not recorded can be detached in place; PyTorch refuses all views.",
          ("v1 = torch.zeros(2)[:1]", "v1.detach_()"), theirs="Can't detach views in-place"),
    Known("PyTorch refuses memory that overlaps.",
          ("v1 = torch.ones(2, 2)", "v1.t().add_(v1)"), theirs="refer to a single memory location"),
    Known("Checked also if the input is empty.",
          ("v1 = torch.tensor(1.)",
           "v2 = torch.nn.functional.batch_norm(torch.zeros(0, 0), v1, v1)"),
          ours="interpolate: sizes must be|batch_norm: weight has shape|trapezoid: |"
               "batch_norm: running_(mean|var) has shape|local_response_norm: size must be|"
               "only the batch may be empty|adaptive_avg_pool.d: expects|"
               "repeat: repeats|max_unpool.d: indices from|"
               "^cumprod_: a result"),
    Known("PyTorch returns the Tensor itself, whose shape then changes too.",
          ("v1 = torch.tensor([1])", "v2 = v1.flatten()", "v2.unsqueeze_(1)"),
          what="shape", anywhere=r"(flatten|reshape|contiguous)\([\s\S]*_\("),
    Known("Counts and distinct values have no gradient.",
          ("v1 = torch.zeros(2, requires_grad=True)", "v2 = v1.unique()"),
          what="requires_grad", line="unique|bincount"),
    Known("Gradients may share memory.",
          ("v1 = torch.eye(3).add(1).requires_grad_()", "v2 = v1.t().reshape(9)",
           "v3, v4 = torch.autograd.grad((v2 * v2).sum(), [v1, v2])"),
          what="memory", line="autograd.grad"),
    Known("PyTorch forgets the hooks of a view that is written to.",
          ("v1 = torch.zeros(2, requires_grad=True)[::2]", "v2 = []",
           "v1.register_hook(v2.append)", "v1.detach().add_(0)", "v1.sum().backward()"),
          what="numbers", line="register_hook"),
    Known("A quotient saves its operands, as programs write to results; PyTorch's 2 / x does not.",
          ("v1 = torch.tensor(1., requires_grad=True)", "v2 = v1 * 1", "v3 = 2 / v2",
           "v2.mul_(2)", "v3.backward()"), ours=r"backward: div \(.* needs its `other`"),
    Known("Cross entropy saves its scores, not a second array of their logarithms.",
          ("v1 = torch.ones(1, 2, requires_grad=True)", "v2 = v1 * 1",
           "v3 = torch.nn.functional.cross_entropy(v2, torch.tensor([1]))", "v2.mul_(2)",
           "v3.backward()"), ours=r"backward: label_cross_entropy \(.* needs its `input`"),
    Known("An input without elements counts as overwritten too.",
          ("v1 = torch.ones(1, 3, requires_grad=True)", "v2 = torch.zeros(0, 3)",
           "v3 = torch.nn.functional.scaled_dot_product_attention(v1, v2, v2)", "v2.zero_()",
           "v3.sum().backward()"), ours=r"backward: .*of shape \((\d+, )*0[,)].*overwritten"),
    Known("Attention of 4 dims saves its result, as PyTorch's does where it computes in one pass.",
          ("v1 = torch.ones(1, 1, 1, 4)", "v2 = torch.ones(1, 4, requires_grad=True)",
           "v3 = torch.nn.functional.scaled_dot_product_attention(v1, v2, v2)", "v3.mul_(2)",
           "v3.sum().backward()"), ours=r"backward: attention \(.* needs its result"),
    Known("PyTorch does not notice that an input of kron was overwritten: its gradient is wrong.",
          ("v1 = torch.tensor(1., requires_grad=True)", "v2 = torch.tensor(3.)",
           "v3 = torch.kron(v1, v2)", "v2.mul_(2)", "v3.backward()"),
          ours=r"backward: mul \(", anywhere="kron"),
    Known("PyTorch's float16 has fewer operations.",
          ("v1 = torch.ones(1, 1, dtype=torch.float16)", "v2 = torch.pinverse(v1)"),
          theirs="Half|Float16|bfloat16"),
    Known("Inputs of different dtypes are promoted.",
          ("v1 = torch.tensor(1)", "v2 = torch.ones(1, 1, 1)", "v3 = torch.baddbmm(v1, v2, v2)"),
          theirs="must have the same dtype|destination dtypes match|"
                 "Input dtypes must be the same|mixed dtype|"
                 "can't be cast to the desired output|to have the same type as tensor"),
    Known("Some of PyTorch's operations are for fewer dtypes.",
          ("v1 = torch.tensor([1])", "v2 = torch.linalg.vecdot(v1, v1)"),
          theirs="Expected a floating point or complex tensor|types other than float and double|"
                 "Autograd not support dtype"),
    Known("Inputs of different dtypes are refused.",
          ("v1 = torch.ones(1, 1)", "v2 = torch.tensor([[0]])",
           "v3 = torch.linalg.solve_triangular(v1, v2, upper=False)"),
          ours="must have one dtype|they must be equal: convert|positions must be int64 or int32"),
    Known("A gradient of zeros is one; PyTorch has None.",
          ("v1 = torch.ones(1, 1, requires_grad=True)", "v2, v3 = torch.slogdet(v1)",
           "v2.backward()"), what="type", theirs="None"),
    Known("The shapes of a loss's arguments must be equal.",
          ("v1 = torch.tensor([1.0])",
           "v2 = torch.nn.functional.soft_margin_loss(v1, torch.tensor(0))"),
          ours="they must be equal"),
    Known("Positions may be of any integer dtype.",
          ("v1 = torch.take(torch.tensor([1, 1]), torch.tensor(1, dtype=torch.int32))",),
          theirs="should be type int64|Expected a long tensor|indices should be Long|"
                 "expected scalar type|Expected dtype int|should be Int64"),
    Known("A result's layout is not specified, and `flatten` copies where it must.",
          ("v1 = torch.tensor([[1.0, 1.0], [1.0, 0.0]])",
           "v2 = torch.linalg.solve_triangular(v1, v1, upper=False, unitriangular=True)",
           "v2.flatten().add_(1)"), what="values|numbers|error",
          anywhere=r"\.(flatten|reshape|ravel|contiguous|reshape_as)\([^\n]*_\("),
    Known("A result's layout is not specified, and `reshape` copies where it must.",
          ("v1 = torch.tensor([[1., 2.], [1., 0.]])", "v2 = torch.inverse(v1)",
           "v3 = v2.flatten()"),
          what="memory", line=r"\b(reshape|flatten|ravel|contiguous|reshape_as)\("),
    Known("Empty positions must be integers too.",
          ("v1 = torch.ones(1, 1)", "v2 = torch.gather(v1, 1, torch.zeros(0))"),
          ours="positions must be integers"),
    Known("PyTorch has no derivative by this argument.",
          ("v1 = torch.zeros(2, requires_grad=True)",
           "torch.nn.functional.binary_cross_entropy_with_logits(v1, v1, v1)"),
          theirs="is not differentiable with respect to argument"),
    Known("PyTorch's gradient counts the triangle that is not read.",
          ("v1 = torch.tensor([[2., 0.], [0., 1.]], requires_grad=True)",
           "v2 = v1.cholesky_inverse()", "weighted_sum(v2).backward()"),
          what="grad values", line="cholesky_"),
    Known("Counts have no gradient.",
          ("v1 = torch.zeros(2, requires_grad=True)", "v2, v3 = v1.histogram(3)"),
          what="requires_grad", line="histogram"),
    Known("A gradient that depends on nothing that requires grad does not require it.",
          ("v1 = torch.tensor([[0., 1.]], requires_grad=True)",
           "v2, v3 = torch.nn.functional.adaptive_max_pool1d(v1, 1, return_indices=True)",
           "v4 = torch.autograd.grad(v2.sum(), [v1], create_graph=True)"),
          what="requires_grad", line="create_graph=True"),
    Known("PyTorch hands an empty input on.",
          ("v1 = torch.zeros(0, 0, 2, requires_grad=True)",
           "v2 = torch.nn.functional.local_response_norm(v1, 1)"),
          what="is_leaf", line="local_response_norm"),
    Known("PyTorch captures a gradient before or after the hooks of its Tensor.",
          ("v1 = torch.tensor(1., requires_grad=True)", "v2 = v1 * 1",
           "v2.register_hook(lambda g: g * 2)",
           "v3, v4 = torch.autograd.grad(v2, [v1, v2])"),
          what="values", line="register_hook|autograd.grad"),
    Known("Where inf and NaN meet in linear algebra, the order of operations decides.",
          ("v1 = torch.tensor([[1., inf], [0., 1.]])", "v2 = torch.linalg.svdvals(v1)"),
          what="values|error", anywhere=r"inf|nan|/ v\d",
          line="cholesky|solve|inv|det|matrix_|lstsq|svd|eig|cond|lu|norm|multilabel"),
    Known("Weights of 0 times inf or NaN: which products are formed is not specified.",
          ("v1 = torch.tensor([[[inf, inf]]])",
           "v2 = torch.nn.functional.interpolate(v1, 4, mode='linear')"),
          what="values", anywhere="inf|nan",
          line="conv|grid_sample|interpolate|upsample|scaled_dot_product_attention|matmul|einsum"),
    Known("NaN is no number: a margin or a distance of it is NaN.",
          ("v1 = torch.tensor([[nan, 1.]])",
           "v2 = torch.nn.functional.multi_margin_loss(v1, torch.tensor([1]))"),
          what="values", ours="nan", line="multi_margin_loss|cdist|pdist|pairwise_distance"),
    Known("NaN differs from every number, and cdist with p = 0 counts what differs.",
          ("v1 = torch.tensor([[nan]])", "v2 = torch.cdist(v1, torch.zeros(1, 1), 0.0)"),
          what="values", theirs="nan", line=r"cdist\(.*0"),
    Known("(-0.0) ** -0.5 and (-inf) ** -0.5 are IEEE 754's; PyTorch's are 1 / sqrt.",
          ("v1 = torch.tensor(-inf)", "v2 = v1 ** -0.5"), what="values",
          line=r"\*\*|pow|__rpow__"),
    Known("The derivative of cosine_similarity at norms below eps is that of its formula.",
          ("v1 = torch.tensor([1.], requires_grad=True)",
           "v2 = torch.cosine_similarity(v1, torch.ones(1), 0, 2.0)", "v2.backward()"),
          what="grad values", anywhere="cosine_similarity"),
    Known("PyTorch's slope of hardsigmoid is 1/6 in float32, also for float64.",
          ("v1 = torch.tensor(1., dtype=torch.float64, requires_grad=True)",
           "v2 = torch.nn.functional.hardsigmoid(v1)", "v2.backward()"),
          what="grad values", anywhere="hardsigmoid"),
    Known("PyTorch computes with a numpy.float32 in float32, also for float64.",
          ("v1 = torch.tensor([[2.]], dtype=torch.float64)",
           "v2 = torch.nn.functional.lp_pool1d(v1, np.float32(1.5), 1)"),
          what="values", line=r"float32\("),
    Known("A NumPy scalar is a number in every place; PyTorch refuses some.",
          ("v1 = torch.tensor([1])", "v2 = v1.split(np.int64(1))"), anywhere=r"np\.\w+\(",
          theirs=r"numpy|has no len\(\)|expects dims to be int|Expected bool"),
    Known("With beta = 0 the input has no part in the result.",
          ("v1 = torch.ones(1, 1, requires_grad=True)", "v2 = torch.ones(1, 1)",
           "v3 = torch.addmm(v1, v2, v2, beta=0)"), what="requires_grad", line="beta=(0|np)"),
    Known("GELU far below 0 is the smallest number of its formula; PyTorch's is -0.0.",
          ("v1 = torch.nn.functional.gelu(torch.tensor([-10.0, 1.0]))", "v2 = v1 / 0"),
          what="values", anywhere="gelu", line="/|atan2|sign"),
    Known("The norm with p = 0 is no root; PyTorch divides by a NumPy scalar that is 0.",
          ("v1 = torch.tensor([[1.0]])", "v2 = torch.nn.functional.lp_pool1d(v1, np.int32(0), 1)"),
          ours="division by zero", line="lp_pool"),
    Known("The exponential of an integer has the digits of the default dtype.",
          ("v1 = torch.tensor(2)", "v2 = torch.tensor(1, dtype=torch.float64)",
           "v3 = torch.nn.functional.poisson_nll_loss(v1, v2)"), what="values",
          line="poisson_nll_loss"),
    Known("`eps` above 0.5 leaves logit nothing to clamp to.",
          ("v1 = torch.tensor(0.0)", "v2 = torch.logit(v1, 1.0)"), what="values", line="logit"),
    Known("The sign of a zero is not specified.",
          ("v1 = torch.tensor(-0.0)", "v2 = torch.nn.functional.softshrink(v1)",
           "v3 = torch.atan2(v2, torch.tensor(-1.0))"), what="values",
          anywhere="-0.0|softshrink", line="atan2|copysign|signbit|/|reciprocal|sqrt|pow"),
    Known("The sign of a NaN is not specified.",
          ("v1 = torch.log2(torch.tensor(-2.0))", "v2 = torch.signbit(v1)"),
          what="values", anywhere="inf|nan", line="signbit|copysign"),
    Known("PyTorch's cross product of a vector with itself is not 0: it rounds one product only.",
          ("v1 = torch.tensor([0.6, 0.8, 1.], dtype=torch.float64)",
           "v2 = torch.linalg.cross(v1, v1)", "v3 = v2.count_nonzero()"),
          what="values|numbers", anywhere=r"cross\("),
    Known("PyTorch's layout of some inputs and results has no such view.",
          ("v1 = torch.tensor([[0, 0]]).expand(2, 2)", "v2 = torch.isin(0, v1)"),
          theirs="view size is not compatible"),
    Known("The dims of samples decide; PyTorch broadcasts them against the positions.",
          ("v1 = torch.tensor([1])", "v2 = torch.cumulative_trapezoid(v1, torch.tensor([[1]]))"),
          what="shape", line="trapezoid"),
    Known("Without elements PyTorch does not compare the dtypes.",
          ("v1 = torch.zeros(0, 2, 1, 1)", "v2 = torch.zeros(0, 2, 2, 2, dtype=torch.float64)",
           "v3 = torch.nn.functional.grid_sample(v1, v2)"), what="dtype", line="grid_sample"),
    Known("After a write under no_grad PyTorch gives a view another place in the graph.",
          ("v1 = torch.tensor([1.0], requires_grad=True)[:1]", "v2 = v1 * 2",
           "with torch.no_grad(): v1.mul_(2)",
           "v3 = torch.autograd.grad(v2.sum(), [v1], allow_unused=True)"),
          what="type", anywhere="no_grad", line="autograd.grad"),
    Known("In-place sums of bool are refused, as other results of integers are.",
          ("v1 = torch.tensor(True)", "v1.cumsum_(0)"),
          ours=r"cum(sum|prod)_: a result of .*int64 cannot be written into a Tensor of .*bool"),
    Known("PyTorch has written a part before it raises.",
          ("v1 = torch.tensor([1])", "v1.scatter_(0, torch.tensor([0, 1]), 0)"),
          what="values|numbers", anywhere=r"(scatter|index|put)\w*_\("),
    Known("Singular matrices: the condition is a constant, infinite.",
          ("v1 = torch.zeros(1, 1, requires_grad=True)", "v2 = torch.linalg.cond(v1, 'fro')"),
          what="requires_grad|values", line="cond"),
    Known("PyTorch's norm of nothing does not require grad.",
          ("v1 = torch.zeros(1, 0, requires_grad=True)", "v2 = torch.linalg.norm(v1, 1)"),
          what="requires_grad", line=r"norm\("),
    Known("einsum gives a result with memory of its own.",
          ("v1 = torch.ones(1, 1, dtype=torch.float16)", "v2 = torch.einsum('ij->ji', v1)"),
          what="memory", line="einsum"),
    Known("repeat_interleave() of a method is that of the function.",
          ("v1 = torch.tensor([1])", "v2 = v1.repeat_interleave()"), line="repeat_interleave",
          theirs="invalid combination of arguments"),
    Known("label_smoothing is checked.",
          ("v1 = torch.tensor([0.0])",
           "v2 = torch.nn.functional.cross_entropy(v1, v1, label_smoothing=-2)"),
          ours="label_smoothing must be in"),
    Known("A fraction is no integer: PyTorch refuses, or cuts off, or wraps around.",
          ("v1 = torch.tensor(2, dtype=torch.uint8)", "v2 = v1.new_tensor([-0.5])"),
          theirs="cannot be converted to type \\w+ without overflow"),
    Known("Inputs without elements are matrices too.",
          ("v1 = torch.zeros(0, 2)", "v2 = torch.cholesky(v1)"),
          ours="the matrices must be square"),
    Known("A dim is checked also if there are no elements.",
          ("v1 = torch.zeros(0)", "v2, v3 = torch.cummin(v1, 1)"),
          ours=r"is out of range for \d+ dim", line="cummin|cummax"),
    Known("The gradient at a singular matrix is infinite or NaN, which of them is arbitrary.",
          ("v1 = torch.zeros(2, 2, requires_grad=True)", "v2 = v1.logdet()", "v2.backward()"),
          what="values", anywhere="det"),
    Known("The integral over a single point is 0; PyTorch subtracts infinities.",
          ("v1 = torch.tensor([inf])", "v2 = torch.trapezoid(v1)"),
          what="values", line="trapezoid", theirs="nan"),
    Known("`permute` of a number needs no dims.",
          ("v1 = torch.tensor(1)", "v2 = v1.permute()"), theirs="permute.. missing"),
    Known("Positions are checked.",
          ("v1 = torch.tensor([1])", "v2 = torch.take_along_dim(v1, v1, -1)"),
          ours="is out of range for dimension"),
    Known("No elements, so nothing to divide by 0.",
          ("v1 = torch.zeros(0, dtype=torch.int64)", "v2 = v1 % 0"),
          ours="integers are divided by 0"),
    Known("Shapes must fit also if there are no elements.",
          ("v1 = torch.ones(1, 1)",
           "v2 = torch.nn.functional.scaled_dot_product_attention(torch.zeros(0, 0), v1, v1)"),
          ours="attention: query"),
    Known("The mean of an infinity is infinite; PyTorch subtracts it from itself.",
          ("v1 = torch.tensor([inf, 1])", "v2, v3 = torch.std_mean(v1)"),
          what="values", line="(std|var)_mean", theirs="nan"),
    Known("PyTorch counts a tie with the element that is not included.",
          ("v1 = torch.tensor(0.0, requires_grad=True)",
           "v2 = v1.scatter_reduce(0, torch.tensor(0), v1, 'amin', include_self=False)",
           "v2.backward()"), what="grad values", anywhere="scatter_reduce.*include_self=False"),
    Known("PyTorch keeps no account of writes to memory that NumPy holds too.",
          ("v1 = torch.ones(2, requires_grad=True)", "v2 = v1 * 2",
           "v3 = torch.from_numpy(v2.detach().numpy())", "v2.mul_(v3)", "v2.sum().backward()"),
          ours="has overwritten it in place", anywhere="from_numpy"),
    Known("Only floating point Tensors require grad.",
          ("v1 = torch.tensor([True])", "v2 = torch.tensor(0., requires_grad=True)",
           "v1.masked_fill_(v1, v2)"),
          what="requires_grad|is_leaf", theirs=r"\((bool|u?int\d+),.*requires_grad"),
    Known("Only floating point Tensors require grad.",
          ("v1 = torch.tensor([True])", "v2 = torch.tensor(0., requires_grad=True)",
           "v1.masked_fill_(v1, v2)", "v1.register_hook(lambda g: None)"),
          ours="this Tensor does not require grad", anywhere="dtype=torch.(bool|u?int)|True|False"),
    Known("The memory of an expanded Tensor cannot be described by one step a dim.",
          ("v1 = torch.tensor(1).expand(2)", "v2 = torch.as_strided(v1, (), ())"),
          ours="as_strided: the input"),
    Known("PyTorch pools integers in passing.",
          ("v1 = torch.tensor([[0, 0]])", "v2 = torch.nn.functional.lp_pool1d(v1, 2, 2)"),
          ours="needs a floating point Tensor|needs floating point"),
    Known("PyTorch's result has the dtype of one input.",
          ("v1 = torch.ones(1, dtype=torch.float64)", "v2 = torch.zeros(1)",
           "v3 = torch.nn.functional.huber_loss(v2, v1)"),
          what="^dtype", line="binary_cross_entropy|_norm|_loss|conv_transpose|block_diag"),
    Known("PyTorch does not differentiate bessel_j0 and bessel_j1.",
          ("v1 = torch.tensor(0., requires_grad=True)", "v2 = torch.special.bessel_j1(v1)"),
          what="requires_grad|is_leaf", anywhere="bessel_j"),
    Known("float_power_ computes in float64, and rounds what it writes.",
          ("v1 = torch.tensor(0.)", "v1.float_power_(v1)"), theirs="the base given to float_power"),
    Known("The outputs of an operation with several views can be written to.",
          ("v1 = torch.ones(2, requires_grad=True)", "v2, v3 = torch.sigmoid(v1).split(1)",
           "v3.sub_(1)"), theirs="This view is the output of a function that returns multiple"),
    Known("A matrix has two dims.", ("v1 = torch.zeros(0)", "v2 = torch.cholesky(v1)"),
          ours="needs at least 2 dimensions"),
]


OVERLAP = Known("What is read and what is written overlap, so the order of the elements decides.",
                ("v1 = torch.tensor([1., 2., 3.])", "v2 = v1[:2]", "v3 = v1[1:]",
                 "v3.masked_scatter_(v3 > 0, v2)"), what="values")


def meant(program: tuple[str, ...], difference: Any) -> Known | None:
    """The entry that excuses a difference, or None."""
    found = next((known for known in KNOWN if known.covers(program, difference)), None)
    if found is None and re.search("values|numbers", difference.what) \
            and overlaps(program[:difference.line + 1]):
        return OVERLAP
    return found


@functools.lru_cache(8)
def is_infinite(program: tuple[str, ...]) -> bool:
    """Whether a number is infinite or NaN at some line."""
    done = run(program, torch)
    arrays = [x.array for made in (*done.assigned, done.state) for x in flat(list(made.values()))
              if isinstance(x, Seen)]
    return any(not numpy.isfinite(array).all() for array in arrays)


ASSIGNS = re.compile(r"(?:with .*: )?v\d+(, v\d+)*,? = ")
WRITES = re.compile(r"(?:with .*: )?(v\d+)(.*?)(?:\w_\(| \W?\W?= )")
# Operations that read other elements than the one that they write.
ELSEWHERE = re.compile(r"masked_scatter|unfold|put_|mm_|mv_|addr_|\.t\(\)|index|\[")


def overlaps(program: tuple[str, ...]) -> bool:
    """Whether a line writes to memory that it also reads at other positions."""
    names = namespace(torch)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for line in program:
            written = WRITES.match(line)
            if written and not ASSIGNS.match(line):
                read = [x for v in variables(line) if isinstance(x := names.get(v), torch.Tensor)]
                same = [x for x in read if x is names.get(written[1])]
                if ELSEWHERE.search(line) and (line.count(written[1]) > 1 or len(same) > 1):
                    return True
                storages = {x.untyped_storage().data_ptr() for x in read if x.numel()}
                if len({(x.data_ptr(), x.shape, x.stride()) for x in read if x.numel()}) \
                        > len(storages):
                    return True
            execute(line, names)
    return False
