"""The generative examples and the agent: losses equal to PyTorch's, physics, metrics.

The PyTorch versions use the papers' formulas or torch.distributions. They start from the same
weights, data and noise as the examples.
"""

from __future__ import annotations

import copy
import importlib
import math
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

import tinytensor as tt

EXAMPLES = Path(__file__).parent.parent / "examples"
sys.path.insert(0, str(EXAMPLES))
digits = importlib.import_module("digits")
trainer = importlib.import_module("trainer")
vae = importlib.import_module("07_vae")
gan = importlib.import_module("08_gan")
diffusion = importlib.import_module("09_diffusion")
policy = importlib.import_module("11_policy_gradient")
sys.path.remove(str(EXAMPLES))

TOLERANCE = 1e-9  # relative


@pytest.fixture(autouse=True)
def _seeded() -> None:
    tt.manual_seed(0)
    torch.manual_seed(0)


def normal(*shape: int, seed: int = 0) -> Any:
    return numpy.random.default_rng(seed).normal(size=shape)


def counts(n: int, seed: int = 0) -> Any:
    """Random integers (n, 64) from 0 to 16. Many are 0 or 16, as in images of digits."""
    return numpy.clip(numpy.round(8 + 8 * normal(n, 64, seed=seed)), 0, 16)


def both(array: Any) -> tuple[Any, Any]:
    return tt.tensor(array), torch.tensor(array)


def same_weights(theirs: Any, mine: Any) -> Any:
    """Copies our weights to PyTorch's module, in float64."""
    theirs.double().load_state_dict(
        {name: torch.tensor(value.numpy()) for name, value in mine.state_dict().items()})
    return theirs


def step(optimizer: Any, loss: Any) -> float:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def assert_same_curves(mine: list[float], theirs: list[float]) -> None:
    assert len(set(mine)) == len(mine), "nothing was learnt"
    numpy.testing.assert_allclose(mine, theirs, rtol=TOLERANCE)


# ---------------------------------------------------------------- the same losses as in PyTorch


def test_vae_trains_as_in_pytorch() -> None:
    model = vae.VAE(latent=3, width=16).double()

    class Twin(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = (torch.nn.Sequential(
                torch.nn.Linear(i, 16), torch.nn.SiLU(), torch.nn.Linear(16, 16), torch.nn.SiLU(),
                torch.nn.Linear(16, o)) for i, o in ((64, 6), (3, 64)))

        def loss(self, x: Any, noise: Any) -> Any:
            mean, log_variance = self.encoder(x / 8 - 1).chunk(2, -1)
            q = torch.distributions.Normal(mean, (log_variance / 2).exp())
            pixels = torch.distributions.Binomial(16, logits=self.decoder(
                q.loc + q.scale * noise))
            prior = torch.distributions.Normal(torch.zeros(3).double(), torch.ones(3).double())
            kl = torch.distributions.kl_divergence(q, prior).sum(-1)
            return (kl - pixels.log_prob(x).sum(-1)).mean()

    twin = same_weights(Twin(), model)
    mine, theirs = (optim.Adam(m.parameters(), lr=1e-2)
                    for optim, m in ((tt.optim, model), (torch.optim, twin)))
    curves: tuple[list[float], list[float]] = ([], [])
    for i in range(8):
        (x, x_torch), (noise, noise_torch) = both(counts(10, i)), both(normal(10, 3, seed=i))
        likelihood, kl = vae.bound(model, x, noise)
        curves[0].append(step(mine, kl - likelihood))
        curves[1].append(step(theirs, twin.loss(x_torch, noise_torch)))
    assert_same_curves(*curves)


def test_gan_with_gradient_penalty_trains_as_in_pytorch() -> None:
    make, score = gan.build_generator(12).double(), gan.build_critic(12).double()
    nn = torch.nn
    make_torch = same_weights(nn.Sequential(
        nn.Linear(32, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 12), nn.BatchNorm1d(12),
        nn.ReLU(), nn.Linear(12, 64), nn.Sigmoid()), make)
    score_torch = same_weights(nn.Sequential(
        nn.Linear(64, 12), nn.LeakyReLU(0.2), nn.Linear(12, 12), nn.LeakyReLU(0.2),
        nn.Linear(12, 1)), score)

    def critic_loss(real: Any, made: Any, share: Any) -> Any:
        between = torch.lerp(made, real, share).requires_grad_()
        slope = torch.autograd.grad(score_torch(between).sum(), between, create_graph=True)[0]
        penalty = (slope.square().sum(1).sqrt() - 1).square().mean()
        return score_torch(made).mean() - score_torch(real).mean() + 3 * penalty

    mine, mine_critic = (tt.optim.Adam(m.parameters(), lr=1e-2, betas=(0.0, 0.9))
                         for m in (make, score))
    theirs, theirs_critic = (torch.optim.Adam(m.parameters(), lr=1e-2, betas=(0.0, 0.9))
                             for m in (make_torch, score_torch))
    curves: tuple[list[float], list[float]] = ([], [])
    for i in range(6):
        for j in range(2):
            (real, real_torch), (noise, noise_torch), (share, share_torch) = (
                both(counts(9, i) / 16), both(normal(9, 32, seed=2 * i + j)),
                both(numpy.random.default_rng(i).random((9, 1))))
            with tt.no_grad(), torch.no_grad():
                made, made_torch = make(noise), make_torch(noise_torch)
            curves[0].append(step(mine_critic, gan.critic_loss(score, real, made, share, 3.0)[0]))
            curves[1].append(step(theirs_critic, critic_loss(real_torch, made_torch, share_torch)))
        noise, noise_torch = both(normal(9, 32, seed=100 + i))
        curves[0].append(step(mine, gan.generator_loss(score, make(noise))))
        curves[1].append(step(theirs, -score_torch(make_torch(noise_torch)).mean()))
    assert_same_curves(*curves)


class TorchBlock(torch.nn.Module):
    def __init__(self, channels: int, out: int, condition: int):
        super().__init__()
        self.norm1, self.norm2 = torch.nn.GroupNorm(8, channels), torch.nn.GroupNorm(8, out)
        self.conv1 = torch.nn.Conv2d(channels, out, 3, padding=1)
        self.conv2 = torch.nn.Conv2d(out, out, 3, padding=1)
        self.condition = torch.nn.Linear(condition, out)
        self.skip = torch.nn.Identity() if channels == out else torch.nn.Conv2d(channels, out, 1)

    def forward(self, x: Any, condition: Any) -> Any:
        silu = torch.nn.functional.silu
        inner = self.conv1(silu(self.norm1(x))) + self.condition(condition)[..., None, None]
        return self.skip(x) + self.conv2(silu(self.norm2(inner)))


class TorchUNet(torch.nn.Module):
    def __init__(self, c: int, condition: int):
        super().__init__()
        nn = torch.nn
        self.time = nn.Sequential(nn.Linear(condition, condition), nn.SiLU(),
                                  nn.Linear(condition, condition))
        self.digit = nn.Embedding(11, condition)
        self.enter, self.leave = nn.Conv2d(1, c, 3, padding=1), nn.Conv2d(c, 1, 3, padding=1)
        self.fine, self.joined = TorchBlock(c, c, condition), TorchBlock(2 * c, c, condition)
        self.coarse1 = TorchBlock(c, 2 * c, condition)
        self.coarse2 = TorchBlock(2 * c, 2 * c, condition)
        self.down = nn.Conv2d(c, c, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(2 * c, c, 2, stride=2)
        self.norm = nn.GroupNorm(8, c)

    def forward(self, x: Any, time: Any, digit: Any) -> Any:
        size = self.digit.embedding_dim
        rates = 1000 ** (-torch.arange(size // 2).double() / (size // 2 - 1))
        angles = torch.outer(time.double(), rates)
        silu = torch.nn.functional.silu
        condition = silu(self.time(torch.cat([angles.sin(), angles.cos()], 1)) + self.digit(digit))
        fine = self.fine(self.enter(x), condition)
        coarse = self.coarse2(self.coarse1(self.down(fine), condition), condition)
        joined = self.joined(torch.cat([self.up(coarse), fine], 1), condition)
        return self.leave(silu(self.norm(joined)))


def left_at(time: int, times: int) -> float:
    """ā, the product of 1 - beta. The betas are 1e-4 to 0.02 for a thousand time steps."""
    betas = numpy.linspace(1e-4, 0.02, times) * 1000 / times
    return math.prod(1 - betas[:time + 1])


def test_diffusion_trains_as_in_pytorch() -> None:
    model = diffusion.UNet(channels=8, condition=16).double()
    twin = same_weights(TorchUNet(8, 16), model)
    process = diffusion.Diffusion(50, dtype=tt.float64)
    mean = copy.deepcopy(model)
    mean_torch = {name: p.detach().clone() for name, p in twin.named_parameters()}
    mine, theirs = (optim.Adam(m.parameters(), lr=1e-2)
                    for optim, m in ((tt.optim, model), (torch.optim, twin)))
    curves: tuple[list[float], list[float]] = ([], [])
    for i in range(4):
        rng = numpy.random.default_rng(i)
        (time, time_torch), (digit, digit_torch) = (
            both(rng.integers(0, 50, 5)), both(rng.integers(0, 11, 5)))
        (x, x_torch), (noise, noise_torch) = (
            both(rng.normal(size=(5, 1, 8, 8))) for _ in range(2))
        curves[0].append(step(mine, process.loss(model, x, digit, time, noise)))
        diffusion.average(mean, model, i + 1)
        left = torch.tensor([left_at(int(t), 50) for t in time_torch]).double()[:, None, None, None]
        guess = twin(left.sqrt() * x_torch + (1 - left).sqrt() * noise_torch, time_torch,
                     digit_torch)
        curves[1].append(step(theirs, (guess - noise_torch).square().mean()))
        kept = (i + 1) / (i + 11)
        for name, p in twin.named_parameters():
            mean_torch[name] = kept * mean_torch[name] + (1 - kept) * p.detach()
    assert_same_curves(*curves)
    for name, p in mean.named_parameters():
        numpy.testing.assert_allclose(p.detach().numpy(), mean_torch[name].numpy(), rtol=1e-7,
                                      atol=1e-9)


@pytest.mark.parametrize("time", [0, 1, 17, 39])
def test_a_step_back_is_the_posterior_of_bayes(time: int) -> None:
    """q(x_(t-1)|x_t, x_0) is proportional to the product of two Gaussian densities."""
    times = 40
    process = diffusion.Diffusion(times, dtype=tt.float64)
    image, noise, fresh = (normal(2, 1, 8, 8, seed=seed) for seed in range(3))
    image = numpy.tanh(image)  # within [-1, 1], so the clamp has no effect
    left = left_at(time, times)
    x = math.sqrt(left) * image + math.sqrt(1 - left) * noise
    stepped, predicted = process.reverse_step(
        lambda *_: tt.tensor(noise), tt.tensor(x), time, tt.zeros(2, dtype=tt.int64),
        tt.tensor(fresh))
    numpy.testing.assert_allclose(predicted.numpy(), image, rtol=1e-9, atol=1e-9)
    if time == 0:
        numpy.testing.assert_allclose(stepped.numpy(), image, rtol=1e-9, atol=1e-9)
        return
    before = left_at(time - 1, times)
    kept = left / before  # 1 - beta
    precision = kept / (1 - kept) + 1 / (1 - before)
    mean = (math.sqrt(kept) / (1 - kept) * x + math.sqrt(before) / (1 - before) * image) / precision
    numpy.testing.assert_allclose(stepped.numpy(), mean + fresh / math.sqrt(precision),
                                  rtol=1e-8, atol=1e-9)


def test_diffusion_ends_in_noise_and_samples_images() -> None:
    assert left_at(249, 250) < 1e-4
    last = diffusion.Diffusion(250).alpha_bars[-1]
    assert last.item() == pytest.approx(left_at(249, 250), rel=1e-4)
    with pytest.raises(ValueError, match="more than 20"):
        diffusion.Diffusion(20)
    process = diffusion.Diffusion(21)
    steps = list(process.sample(diffusion.UNet(8, 16), tt.arange(4)))
    assert [time for time, *_ in steps] == list(range(20, -1, -1))
    _, x, image = steps[-1]
    assert x.shape == (4, 1, 8, 8) and not x.requires_grad
    assert tt.allclose(x, image, atol=1e-4), "the last step adds no noise"


def test_policy_gradient_trains_as_in_pytorch() -> None:
    agent = policy.Agent(width=8).double()

    class Twin(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.actor, self.critic = (torch.nn.Sequential(
                torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, o)) for o in (2, 1))
            self.register_buffer("scales", torch.zeros(4))

    twin = same_weights(Twin(), agent)
    mine, theirs = (optim.Adam(m.parameters(), lr=1e-2)
                    for optim, m in ((tt.optim, agent), (torch.optim, twin)))
    curves: tuple[list[float], list[float]] = ([], [])
    for i in range(8):
        rng = numpy.random.default_rng(i)
        (states, states_torch), (actions, actions_torch), (returns, returns_torch) = (
            both(rng.normal(size=(20, 4))), both(rng.integers(0, 2, 20)), both(rng.random(20)))
        curves[0].append(step(mine, sum(policy.losses(agent, states, actions, returns))))
        scaled = states_torch / torch.tensor([2.4, 2.0, 0.2, 2.0]).double()
        error = returns_torch - twin.critic(scaled)[:, 0]
        chosen = torch.distributions.Categorical(logits=twin.actor(scaled)).log_prob(actions_torch)
        curves[1].append(step(theirs, error.square().mean() - (chosen * error.detach()).mean()))
    # In both, the scales are rounded to float32, because double() is called after they are set.
    assert_same_curves(*curves)


def test_returns_are_sums_of_discounted_rewards() -> None:
    rng = numpy.random.default_rng(0)
    rewards, values = rng.random((6, 3)), rng.random((6, 3))
    ends = numpy.zeros((6, 3), bool)
    ends[2, 0] = ends[5, 1] = ends[0, 2] = ends[3, 2] = True
    returns = policy.discounted(rewards, ends, values, 0.9)
    for cart in range(3):
        for start in range(6):
            last = next((t for t in range(start, 6) if ends[t, cart]), 5)
            wanted = sum(0.9 ** (t - start) * rewards[t, cart] for t in range(start, last + 1))
            wanted += 0.9 ** (last + 1 - start) * values[last, cart]
            assert returns[start, cart] == pytest.approx(wanted, rel=1e-12)


# ---------------------------------------------------------------- the cart and its pole


def carts(states: Any, ages: Any = None, limit: int = 500) -> Any:
    simulated = policy.CartPole(len(states), numpy.random.default_rng(0), limit)
    simulated.load_state_dict({"states": states, "ages": ages or [0] * len(states)})
    return simulated


def test_a_push_to_the_right_by_hand() -> None:
    """A push of 10 N on 1.1 kg, upright and at rest. The pole tips to the left.

    angular = -(10 / 1.1) / (0.5 (4/3 - 0.1 / 1.1)) = -600 / 41
    linear  = 10 / 1.1 + 0.05 / 1.1 * 600 / 41      =  400 / 41
    """
    both_ways = carts([[0.0, 0.0, 0.0, 0.0]] * 2)
    failed, ran_out = both_ways.step(numpy.array([1, 0]))
    wanted = 0.02 * numpy.array([0, 400 / 41, 0, -600 / 41])
    numpy.testing.assert_allclose(both_ways.states, [wanted, -wanted], rtol=1e-12)
    assert not failed.any() and not ran_out.any()
    both_ways.step(numpy.array([1, 0]))  # positions change by the speeds of the previous step
    numpy.testing.assert_allclose(both_ways.states[0, [0, 2]], 0.02 * wanted[[1, 3]], rtol=1e-12)


@pytest.mark.parametrize("state", [[0.5, -1.0, 0.1, 0.5], [-2.0, 2.0, -0.2, -1.5]])
@pytest.mark.parametrize("push", [0, 1])
def test_the_accelerations_solve_the_equations_of_motion(state: Any, push: int) -> None:
    """Newton's laws for the system and for the pole around its hinge, as a linear system."""
    _, speed, angle, turning = state
    cart, pole, half, gravity = 1.0, 0.1, 0.5, 9.8
    linear, angular = numpy.linalg.solve(
        [[cart + pole, pole * half * math.cos(angle)], [math.cos(angle), 4 / 3 * half]],
        [(10 if push else -10) + pole * half * turning**2 * math.sin(angle),
         gravity * math.sin(angle)])
    moved = carts([state])
    moved.step(numpy.array([push]))
    wanted = numpy.array(state) + 0.02 * numpy.array([speed, linear, turning, angular])
    numpy.testing.assert_allclose(moved.states[0], wanted, rtol=1e-12)


def test_how_episodes_end() -> None:
    lean = math.radians(12)
    simulated = carts([[2.39, 1.0, 0, 0], [-2.39, -1.0, 0, 0], [0, 0, lean - 1e-3, 1.0],
                       [0, 0, 0, 0], [2.39, 1.0, 0, 0]], ages=[7, 8, 9, 19, 19], limit=20)
    failed, ran_out = simulated.step(numpy.ones(5, int))
    assert failed.tolist() == [True, True, True, False, True]
    assert ran_out.tolist() == [False, False, False, True, False], "a failure does not run out"
    before = simulated.states.copy()
    assert simulated.restart(numpy.array([True, False, False, True, False])).tolist() == [8, 20]
    assert simulated.ages.tolist() == [0, 9, 10, 0, 20]
    assert (abs(simulated.states[[0, 3]]) <= 0.05).all()
    assert (simulated.states[[1, 2, 4]] == before[[1, 2, 4]]).all()


def test_balanced_counts_the_ticks_of_each_episode() -> None:
    class Right(policy.Agent):
        def policy(self, states: Any) -> Any:
            return policy.Categorical(probs=tt.tensor([[0.0, 1.0]]).expand(len(states), 2))

    lengths = policy.balanced(Right(), 5, 50, numpy.random.default_rng(0), "cpu")
    for i, state in enumerate(policy.CartPole(5, numpy.random.default_rng(0)).states):
        alone = carts([state.tolist()])
        ticks = 1
        while not alone.step(numpy.array([1]))[0][0]:
            ticks += 1
        assert lengths[i] == ticks


# ---------------------------------------------------------------- metrics, and resumed runs


def test_frechet_distance_of_known_gaussians() -> None:
    a = normal(500, 4)
    assert digits.frechet(a, a) == pytest.approx(0, abs=1e-6)
    shift = numpy.array([1.0, 2.0, 0.0, -2.0])
    assert digits.frechet(a + shift, a) == pytest.approx(9, rel=1e-9)
    root = digits.frechet(3 * a, a)  # means differ by 2 mean; tr(9 C + C - 2 sqrt(9 C C)) = 4 tr C
    assert root == pytest.approx(4 * (a.mean(0)**2).sum() + 4 * numpy.trace(numpy.cov(a.T)))


def test_nearest_is_the_nearest() -> None:
    a, b = normal(7, 64), normal(9, 64, seed=1)
    distances, index = digits.nearest(a, b)
    every = numpy.linalg.norm(a[:, None] - b, axis=2)
    numpy.testing.assert_allclose(distances, every.min(1), rtol=1e-9)
    assert (index == every.argmin(1)).all()


def test_the_metrics_tell_digits_from_other_images() -> None:
    x, y, x_held_out, y_held_out = digits.load()
    assert len(x) + len(x_held_out) == 1797 and x.max() == digits.LEVELS
    before = tt.rand(3)
    tt.manual_seed(0)
    evaluator = digits.Evaluator(x, y, epochs=12)
    assert tt.equal(tt.rand(3), before), "the evaluator must not change the random state"
    real = x_held_out / digits.LEVELS
    assert (evaluator.probabilities(real).argmax(1) == y_held_out).mean() > 0.93
    good, copied = evaluator(real), evaluator(x[:100] / digits.LEVELS)
    shuffled = evaluator(numpy.random.default_rng(0).permuted(real, axis=1))
    one_digit = evaluator(x[y == 3] / digits.LEVELS)
    assert copied.nearest < 0.01 < good.nearest < shuffled.nearest
    assert good.recognized > shuffled.recognized
    assert good.distance < min(shuffled.distance, one_digit.distance)
    assert one_digit.shares[3] > 0.95


@pytest.mark.parametrize("example", [vae, gan, diffusion, policy], ids=lambda m: m.__name__)
def test_an_interrupted_run_goes_on_to_the_same_bits(
        example: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(trainer.Run):
        def log(self, **metrics: Any) -> None:
            super().log(**metrics)
            if self.step == 3 and not self.args.resume:
                raise KeyboardInterrupt

    def run(folder: str, *options: str) -> None:
        monkeypatch.setattr(sys, "argv", ["example", "--smoke", "--checkpoint-every", "1",
                                          "--output", str(tmp_path / folder), *options])
        example.main()

    monkeypatch.setattr(example, "report", lambda *_: None)
    run("whole")
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "Run", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            run("parts")
    run("parts", "--resume")
    whole, parts = (tt.load(tmp_path / folder / "checkpoint.safetensors")
                    for folder in ("whole", "parts"))
    for state in (whole, parts):
        for name in ("seconds", "metrics", "record"):
            state["run"].pop(name)
    assert_same(whole, parts)


def assert_same(a: Any, b: Any, place: str = "") -> None:
    assert type(a) is type(b), place
    if isinstance(a, dict):
        assert a.keys() == b.keys(), place
        for key in a:
            assert_same(a[key], b[key], f"{place}/{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), place
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{place}/{i}")
    elif isinstance(a, tt.Tensor):
        assert tt.equal(a, b), place
    else:
        assert a == b, place
