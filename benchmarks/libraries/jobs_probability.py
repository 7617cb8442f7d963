"""Jobs of libraries for probability and differential equations."""

import numpy as np
import torch
from jobs_tools import fill, numbers, step
from torch import nn


def zuko():
    import zuko

    x = numbers(16, 3)
    results = []
    for flow in (zuko.flows.NSF(3, 2, transforms=2, hidden_features=(16,)),
                 zuko.flows.MAF(3, 2, transforms=2, hidden_features=(16,)),
                 zuko.flows.NICE(3, 2, transforms=2, hidden_features=(16,))):
        model = fill(flow.double())
        results += step(model, numbers(16, 2, seed=3), loss=lambda d: -d.log_prob(x).mean())
        torch.manual_seed(0)
        results.append(model(numbers(2, seed=3)).sample((4,)))
    return results


def nflows():
    from nflows.distributions.normal import StandardNormal
    from nflows.flows.base import Flow
    from nflows.transforms import (
        CompositeTransform,
        MaskedAffineAutoregressiveTransform,
        ReversePermutation,
    )

    flow = fill(Flow(CompositeTransform(
        [t for _ in range(2) for t in (ReversePermutation(3), MaskedAffineAutoregressiveTransform(
            features=3, hidden_features=8))]), StandardNormal([3])))
    results = []
    optimizer = torch.optim.Adam(flow.parameters(), 1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        loss = -flow.log_prob(numbers(16, 3).float()).mean()
        loss.backward()
        optimizer.step()
        results.append(loss.item())
    torch.manual_seed(0)
    return [*results, flow.sample(4)]


def normflows():
    import normflows as nf

    torch.manual_seed(0)
    layers = []
    for _ in range(3):
        layers += [nf.flows.AffineCouplingBlock(nf.nets.MLP([1, 8, 2], init_zeros=False)),
                   nf.flows.Permute(2, mode="swap")]
    model = fill(nf.NormalizingFlow(nf.distributions.DiagGaussian(2), layers).double())
    return step(_Called(model, "forward_kld"), numbers(16, 2), loss=lambda y: y, steps=3)


class _Called(nn.Module):
    """Calls another method of a module than forward."""

    def __init__(self, module, name):
        super().__init__()
        self.module, self.name = module, name

    def forward(self, *args):
        return getattr(self.module, self.name)(*args)


def pyro():
    import pyro as p
    import pyro.distributions as dist
    from pyro.infer import SVI, Trace_ELBO
    from pyro.infer.autoguide import AutoDiagonalNormal

    data = numbers(20) + 2
    p.clear_param_store()
    p.set_rng_seed(0)

    def model():
        loc = p.sample("loc", dist.Normal(torch.tensor(0.0).double(), 10.0))
        scale = p.sample("scale", dist.LogNormal(torch.tensor(0.0).double(), 1.0))
        with p.plate("data", len(data)):
            p.sample("obs", dist.Normal(loc, scale), obs=data)

    def guide():
        m = p.param("m", torch.tensor(0.0).double())
        s = p.param("s", torch.tensor(1.0).double(), constraint=dist.constraints.positive)
        p.sample("loc", dist.Normal(m, s))
        p.sample("scale", dist.LogNormal(p.param("l", torch.tensor(0.1).double()), 0.1))

    svi = SVI(model, guide, p.optim.Adam({"lr": 0.05}), Trace_ELBO())
    losses = [svi.step() for _ in range(20)]
    fitted = [p.param("m"), p.param("s"), p.param("l")]
    p.clear_param_store()
    automatic = AutoDiagonalNormal(model)
    svi = SVI(model, automatic, p.optim.Adam({"lr": 0.05}), Trace_ELBO())
    losses += [svi.step() for _ in range(20)]
    return [np.array(losses), *fitted, automatic.loc, automatic.scale]


def sbi():
    from sbi.inference import NPE

    torch.manual_seed(0)
    theta = numbers(60, 2).float()
    x = theta + 0.1 * numbers(60, 2, seed=8).float()
    inference = NPE(density_estimator="maf", show_progress_bars=False)
    estimator = inference.append_simulations(theta, x).train(max_num_epochs=2)
    return [estimator.log_prob(theta[:5].unsqueeze(0), x[:5])]


def gpytorch():
    import gpytorch as gp

    class Model(gp.models.ExactGP):
        def __init__(self, x, y, likelihood):
            super().__init__(x, y, likelihood)
            self.mean_module = gp.means.ConstantMean()
            self.covar_module = gp.kernels.ScaleKernel(gp.kernels.RBFKernel())

        def forward(self, x):
            return gp.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))

    x = torch.linspace(0, 1, 20).double()
    y = (6 * x).sin()
    likelihood = gp.likelihoods.GaussianLikelihood()
    model = Model(x, y, likelihood).double()
    objective = gp.mlls.ExactMarginalLogLikelihood(likelihood, model)
    results = step(model, x, loss=lambda out: -objective(out, y), steps=5, lr=0.1)
    model.eval()
    likelihood.eval()
    with torch.no_grad():
        prediction = likelihood(model(torch.linspace(0, 1.5, 7).double()))
    return [*results, prediction.mean, prediction.variance]


def botorch():
    from botorch.acquisition import LogExpectedImprovement, UpperConfidenceBound
    from botorch.models import SingleTaskGP

    x = torch.from_numpy(np.random.RandomState(0).uniform(size=(8, 2)))
    model = SingleTaskGP(x, (x.sum(-1, keepdim=True) * 3).sin()).eval()
    test = torch.from_numpy(np.random.RandomState(1).uniform(size=(5, 1, 2))).requires_grad_()
    values = [UpperConfidenceBound(model, 0.2)(test), LogExpectedImprovement(model, 0.5)(test)]
    sum(v.sum() for v in values).backward()
    return [*values, test.grad, model.posterior(x).mean]


def laplace():
    from laplace import Laplace

    model = fill(nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 2)))
    data = torch.utils.data.TensorDataset(numbers(20, 2).float(), torch.arange(20) % 2)
    approximation = Laplace(model, "classification", "last_layer", hessian_structure="full")
    approximation.fit(torch.utils.data.DataLoader(data, 10))
    return [approximation(numbers(4, 2).float(), link_approx="probit"),
            approximation.log_marginal_likelihood()]


def backpack():
    import backpack as b
    from backpack.extensions import BatchGrad, DiagGGNExact, Variance

    model = b.extend(fill(nn.Sequential(nn.Linear(4, 5), nn.Sigmoid(), nn.Linear(5, 3)).double()))
    loss = b.extend(nn.CrossEntropyLoss())(model(numbers(6, 4)), torch.arange(6) % 3)
    with b.backpack(BatchGrad(), Variance(), DiagGGNExact()):
        loss.backward()
    return [x for p in model.parameters() for x in (p.grad_batch, p.variance, p.diag_ggn_exact)]


def torchdiffeq():
    from torchdiffeq import odeint, odeint_adjoint

    field = fill(nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2)).double())

    class Field(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = field

        def forward(self, t, y):
            return self.net(y) * torch.cos(t)

    times, start = torch.linspace(0, 2, 5).double(), numbers(3, 2)
    y = odeint(Field(), start, times, method="dopri5")
    z = odeint_adjoint(Field(), start, times, method="rk4", options={"step_size": 0.1})
    (z ** 2).sum().backward()
    return [y, z, *(p.grad for p in field.parameters())]


def torchsde():
    import torchsde as t

    class Equation(nn.Module):
        noise_type, sde_type = "diagonal", "ito"

        def __init__(self):
            super().__init__()
            self.drift = fill(nn.Linear(3, 3).double())

        def f(self, time, y):
            return self.drift(y).tanh()

        def g(self, time, y):
            return 0.1 * torch.ones_like(y)

    equation, times = Equation(), torch.linspace(0, 1, 4, dtype=torch.float64)
    path = t.BrownianInterval(0.0, 1.0, size=(2, 3), dtype=torch.float64, entropy=3)
    y = t.sdeint(equation, numbers(2, 3), times, bm=path, dt=0.1, method="euler")
    (y ** 2).sum().backward()
    return [y, *(p.grad for p in equation.parameters())]


def torchcde():
    import torchcde as t

    data = numbers(2, 8, 3).float()
    path = t.CubicSpline(t.hermite_cubic_coefficients_with_backward_differences(data))

    class Field(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = fill(nn.Linear(4, 12))

        def forward(self, time, z):
            return self.net(z).tanh().view(*z.shape[:-1], 4, 3)

    field = Field()
    z = t.cdeint(X=path, func=field, z0=numbers(2, 4).float(), t=path.interval, method="rk4",
                 options={"step_size": 0.5}, adjoint=False)
    (z ** 2).sum().backward()
    return [z, *(p.grad for p in field.parameters())]


def torchode():
    import torchode as to

    term = to.ODETerm(lambda t, y: -y * (1 + t[:, None]))
    solver = to.AutoDiffAdjoint(to.Dopri5(term), to.IntegralController(1e-6, 1e-6, term=term))
    times = torch.linspace(0, 1, 5).double().repeat(2, 1)
    start = numbers(2, 3).requires_grad_()
    solution = solver.solve(to.InitialValueProblem(y0=start, t_eval=times))
    solution.ys.sum().backward()
    return [solution.ys, start.grad]


def torchdyn():
    from torchdyn.core import NeuralODE

    field = fill(nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2)))
    model = NeuralODE(field, solver="rk4", sensitivity="autograd")
    _, y = model(numbers(4, 2).float(), torch.linspace(0, 1, 5))
    (y ** 2).sum().backward()
    return [y, *(p.grad for p in field.parameters())]


def torchquad():
    from torchquad import Boole, Simpson

    def integrand(x):
        return torch.sin(x[:, 0]) + torch.exp(x[:, 1])

    domain = torch.tensor([[0.0, 1.0], [-1.0, 1.0]]).double()
    return [kind().integrate(integrand, dim=2, N=2601, integration_domain=domain)
            for kind in (Simpson, Boole)]


def geoopt():
    import geoopt as g

    ball = g.PoincareBall(c=torch.tensor(1.0).double())
    x, y = (ball.expmap0(numbers(4, 3, seed=i) * 0.3) for i in range(2))
    point = g.ManifoldParameter(x.clone(), manifold=ball)
    optimizer, losses = g.optim.RiemannianAdam([point], lr=1e-1), []
    for _ in range(5):
        optimizer.zero_grad()
        loss = (ball.dist(point, y) ** 2).sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return [np.array(losses), point, ball.mobius_add(x, y)]
