"""Programs that once differed from PyTorch and must not differ again, as the fuzzer shrank them."""

from __future__ import annotations

from .programs import Program

MENDED: list[Program] = [
    # numbers beside Tensors of integers
    ("v1 = torch.xlogy(torch.tensor(1), 1.4)", "v2 = torch.xlogy(1.4, torch.tensor(3))"),
    ("v1 = torch.tensor(1, dtype=torch.uint8)", "v1.fill_(-1)", "v1.fill_(256)",
     "v2 = torch.full((1,), -1, dtype=torch.uint8)", "v3 = v2.new_full((1,), -2)",
     "v2[0] = -3", "v4 = v2.index_fill(0, torch.tensor([0]), -1)",
     "v5 = v2.masked_fill(v2 > 0, 300)",
     "v6 = v2.scatter(0, torch.tensor([0]), -1)", "v7 = torch.full((1,), 128, dtype=torch.int8)"),
    ("v1 = torch.tensor([[1, 2], [3, 4]])", "v2 = v1.matrix_power(0)", "v3 = v1.matrix_power(3)",
     "v4 = v1.matrix_power(-1)"),
    ("v1 = torch.tensor([])", "v2 = v1.log_softmax(1)"),
    # dtypes
    ("v1 = torch.bincount(torch.tensor([1]), torch.tensor([1.], dtype=torch.float16))",),
    ("v1 = torch.tensor([[1., 2., 4.], [1., 1., 2.]], dtype=torch.float16)",
     "v2 = torch.cov(v1, aweights=torch.tensor([0.5, 2., 1.]))",
     "v3 = torch.cov(v1.long(), aweights=torch.tensor([0.5, 2., 1.], dtype=torch.float64))",
     "v4 = torch.cov(v1.double(), fweights=torch.tensor([5, 2, 1]))"),
    ("v1 = torch.tensor([True, False])", "v2 = torch.tensor([0.5, 1.])",
     "v3 = torch.nn.functional.smooth_l1_loss(v1, v2)",
     "v4 = torch.nn.functional.mse_loss(v2, v1)",
     "v5 = torch.nn.functional.huber_loss(v2, v1)"),
    ("v1 = torch.tensor([1., 1., 0.])", "v2 = torch.tensor(2, dtype=torch.uint8)",
     "v3 = torch.nn.functional.cross_entropy(v1, v2, weight=v1 + 1)"),
    ("v1 = torch.tensor([[0.], [0.], [0.], [2.]], dtype=torch.float64).expand(1, 2, 4, 1)",
     "v2 = torch.nn.functional.interpolate(v1, scale_factor=(np.float32(1.7), 2.0), "
     "mode='bilinear')"),
    # values
    ("v1 = torch.tensor([1., -1., 3., -3.], requires_grad=True)", "v2 = torch.celu(v1, -2)",
     "weighted_sum(v2).backward()"),
    ("v1 = torch.tensor(inf)", "v2 = torch.nn.functional.soft_margin_loss(v1, v1)"),
    ("v1 = torch.tensor([1.0, 2.0])", "v2 = v1.cov(aweights=-v1)",
     "v3 = v1.cov(aweights=v1.long())", "v4 = v1.cov(fweights=v1)"),
    # shapes
    ("v1 = torch.zeros(0, requires_grad=True)", "v2 = torch.nn.functional.glu(v1)"),
    ("v1 = torch.zeros(0, requires_grad=True)",
     "v2 = torch.autograd.grad(v1.dot(v1), [v1], create_graph=True)"),
    ("v1 = torch.tensor([0.0])",
     "v2 = torch.nn.functional.kl_div(torch.tensor(0.0), v1, reduction='batchmean')"),
    ("v1 = torch.tensor(1)", "v1.copy_(torch.tensor([2]))"),
    ("v1 = torch.tensor([[[[1]]]])", "v2 = torch.nn.functional.max_unpool3d(v1, v1, 2, -1)"),
    # memory and writes in place
    ("v1 = torch.tensor([0, 0, 0]).expand(2, 3)", "v2 = v1.type(torch.int16)", "v3 = v2.view(-1)"),
    ("v1 = torch.ones(1, requires_grad=True)", "v1.mean().backward()", "v1.sum().backward()"),
    ("v1 = torch.ones(3, dtype=torch.float16).expand(2, 3)", "v2 = v1.sqrt()", "v3 = v2.view(-1)"),
    ("v1 = torch.zeros(0, 0, requires_grad=True)", "v2 = torch.linalg.pinv(v1)", "v2.exp_()"),
    ("v1 = torch.tensor([0.0])[0].requires_grad_()", "v1 += 1"),
    ("v1 = torch.tensor([[0.0]]).t().requires_grad_()", "v2 = v1.diagonal()", "v2 += 1"),
    ("v1 = torch.tensor([1., 0.], requires_grad=True)",
     "v2, = torch.autograd.grad(v1.mean(), [v1])", "v2 *= 2",
     "v3, = torch.autograd.grad(v1.mean(), [v1], create_graph=True)", "v3 *= 2"),
]
