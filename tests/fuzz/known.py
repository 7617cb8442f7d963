"""Intended differences from PyTorch, each with a program that shows it."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Any

import torch

from .programs import execute, namespace, variables


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
        line = program[difference.line] if difference.line < len(program) else "\n".join(program)
        return all(re.search(pattern, text) for pattern, text in (
            (self.anywhere, "\n".join(program)), (self.what, difference.what), (self.line, line),
            (self.ours, str(difference.ours)), (self.theirs, str(difference.theirs))))


KNOWN = [
    Known("A view made under no_grad says that it requires grad, but no gradient reaches it.",
          ("v1 = torch.ones(3, requires_grad=True)", "with torch.no_grad(): v2 = v1.view(3)"),
          what="requires_grad", line=r"no_grad\(\)"),
    Known("A view says that it requires grad as soon as its base does; no gradient reaches it.",
          ("v1 = torch.ones(3)", "v2 = v1.view(3)", "v1.requires_grad_()"),
          what="requires_grad", line=r"requires_grad_\(\)"),
    Known("PyTorch returns the Tensor itself, not a view.",
          ("v1 = torch.ones(3, requires_grad=True)", "v2 = v1.flatten()"),
          what="is_leaf|^type", anywhere=r"\b(flatten|reshape|contiguous|adjoint)\("),
    Known("PyTorch has no derivative of it, or says so only in backward.",
          ("v1 = torch.zeros(2, requires_grad=True)", "v2 = torch.heaviside(v1, v1)"),
          what="requires_grad", line=r"heaviside"),
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
          ours=r"backward: (linear|matmul|mv|bmm|einsum|conv\w*) \("),
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
          what="grad values", line=r"\.data\."),
    Known("Which of several equal elements is chosen is not specified.",
          ("v1 = torch.tensor(1).expand(3)", "v2, v3 = v1.kthvalue(1)"),
          what="values", line=r"\b(topk|kthvalue|mode|median|nanmedian|sort|argsort)\("),
    Known("PyTorch refuses memory that overlaps.",
          ("v1 = torch.ones(2, 2)", "v1.t().add_(v1)"), theirs="refer to a single memory location"),
    Known("Checked also if the input is empty.",
          ("v1 = torch.tensor(1.)",
           "v2 = torch.nn.functional.batch_norm(torch.zeros(0, 0), v1, v1)"),
          ours="batch_norm: running_(mean|var) has shape|local_response_norm: size must be|"
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
    Known("PyTorch's float16 has fewer operations.",
          ("v1 = torch.ones(1, 1, dtype=torch.float16)", "v2 = torch.pinverse(v1)"),
          theirs="Half|Float16|bfloat16"),
    Known("Inputs of different dtypes are refused.",
          ("v1 = torch.ones(1, 1)", "v2 = torch.tensor([[0]])",
           "v3 = torch.linalg.solve_triangular(v1, v2, upper=False)"),
          ours="must have one dtype|they must be equal: convert|positions must be int64 or int32"),
    Known("A gradient of zeros is one; PyTorch has None.",
          ("v1 = torch.ones(1, 1, requires_grad=True)", "v2, v3 = torch.slogdet(v1)",
           "v2.backward()"), what="grad type"),
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
           "v2.flatten().add_(1)"), what="values",
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
          what="values|error", anywhere="inf|nan",
          line="cholesky|solve|inv|det|matrix_|lstsq|svd|eig|cond|lu|norm|multilabel"),
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
           "v3 = torch.nn.functional.binary_cross_entropy_with_logits(v1, v2)"),
          what="^dtype", line="binary_cross_entropy|_norm|_loss|conv_transpose|block_diag"),
    Known("float_power_ computes in float64, and rounds what it writes.",
          ("v1 = torch.tensor(0.)", "v1.float_power_(v1)"), theirs="the base given to float_power"),
    Known("The outputs of an operation with several views can be written to.",
          ("v1 = torch.ones(2, requires_grad=True)", "v2, v3 = torch.sigmoid(v1).split(1)",
           "v3.sub_(1)"), theirs="This view is the output of a function that returns multiple"),
    Known("A matrix has two dims.", ("v1 = torch.zeros(0)", "v2 = torch.cholesky(v1)"),
          ours="needs at least 2 dimensions"),
]


# Faults that are not fixed yet. The fuzzer ignores them, and this list should be empty.
# `python -m tests.fuzz --mended` prints those that no longer differ.
FAULTS = [
    Known("pinv of an empty matrix is a view.",
          ("v1 = torch.zeros(0, 0, requires_grad=True)", "v2 = torch.linalg.pinv(v1)",
           "v2.exp_()"), ours="a view of a leaf that requires grad", anywhere="pinv"),
    Known("matrix_power of integers.", ("v1 = torch.tensor([[1]])", "v2 = v1.matrix_power(0)"),
          ours="linalg.matrix_power: needs"),
    Known("A conversion of an expanded Tensor is not in C order.",
          ("v1 = torch.tensor([0, 0, 0]).expand(2, 3)", "v2 = v1.type(torch.int16)",
           "v3 = v2.view(-1)"), ours="has no view of shape"),
    Known("A view that is a leaf and requires grad may be written to.",
          ("v1 = torch.tensor([0.0])[0].requires_grad_()", "v1 += 1"),
          theirs="a view of a leaf Variable that requires grad"),
    Known("multilabel_soft_margin_loss does not refuse shapes that differ.",
          ("v1 = torch.tensor([0.0])", "v2 = torch.tensor([[1], [1]])",
           "v3 = torch.nn.functional.multilabel_soft_margin_loss(v1, v2)"),
          what="values|shape", line="multilabel_soft_margin_loss"),
    Known("A number out of the range of uint8 does not wrap around.",
          ("v1 = torch.tensor(1, dtype=torch.uint8)", "v1.fill_(-1)"), ours="out of bounds for"),
]

OVERLAP = Known("What is read and what is written overlap, so the order of the elements decides.",
                ("v1 = torch.tensor([1., 2., 3.])", "v2 = v1[:2]", "v3 = v1[1:]",
                 "v3.masked_scatter_(v3 > 0, v2)"), what="values")


def meant(program: tuple[str, ...], difference: Any) -> Known | None:
    """The entry that excuses a difference, or None."""
    found = next((known for known in KNOWN + FAULTS if known.covers(program, difference)), None)
    if found is None and "values" in difference.what and overlaps(program[:difference.line + 1]):
        return OVERLAP
    return found


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
                if line.count(written[1]) > 1 and ELSEWHERE.search(line):
                    return True
                read = [x for v in variables(line) if isinstance(x := names.get(v), torch.Tensor)]
                storages = {x.untyped_storage().data_ptr() for x in read if x.numel()}
                if len({(x.data_ptr(), x.shape, x.stride()) for x in read if x.numel()}) \
                        > len(storages):
                    return True
            execute(line, names)
    return False
