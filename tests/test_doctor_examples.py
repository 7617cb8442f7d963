"""The doctor has no false finding on the models of the examples, as they are trained there."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy
import pytest
import test_doctor as healthy

import tinytensor as tt
from tinytensor import nn, optim
from tinytensor.learn import doctor
from tinytensor.nn import functional as F  # noqa: N812

example = importlib.import_module  # examples/ is on the path
EXAMPLES = Path(__file__).parent.parent / "examples"


def moons():
    from sklearn.datasets import make_moons
    x, y = make_moons(n_samples=100, noise=0.1, random_state=1337)
    model = nn.MLP(2, [16, 16, 1])
    return (model, (tt.tensor(x, dtype=tt.float32), tt.tensor(2.0 * y - 1, dtype=tt.float32)),
            F.hinge_loss, optim.SGD(model.parameters(), lr=1.0))


def digits():
    x, y, _, _ = example("03_digits").load(0)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    return (model, (tt.tensor(x[:96], dtype=tt.float32), tt.tensor(y[:96])), F.cross_entropy,
            optim.Adam(model.parameters(), lr=0.01))


def trained_by_adamw(make, lr=0.003):
    model, batch, loss = make()
    return model, batch, loss, optim.AdamW(model.parameters(), lr=lr)


def convolutional():
    return trained_by_adamw(healthy.convolutional, 5e-3)


def char_rnn(cell):
    module = example("05_char_rnn")
    model = module.CharRNN(cell, 20, 32, 1)
    return (model, healthy.tokens(), lambda output, y: module.loss_of(output[0], y),
            optim.Adam(model.parameters(), lr=4e-3))


def gpt():
    return trained_by_adamw(healthy.gpt)


def vae():
    return trained_by_adamw(healthy.vae, 2e-3)


def critic():
    """Scores of real images against noise, with the penalty. Its last bias has no effect, which the
    doctor says.
    """
    module = example("08_gan")
    model = module.build_critic()
    real = healthy.images()[0].flatten(1)[:48]
    share = tt.rand(48, 1)

    def loss(scores, is_real):
        return (scores * (1 - 2 * is_real)).mean() * 2 + module.gradient_penalty(
            model, real, fake, share)
    fake = tt.rand(48, 64)
    return (model, (tt.cat([real, fake]), tt.cat([tt.ones(48, 1), tt.zeros(48, 1)])), loss,
            optim.Adam(model.parameters(), lr=1e-3, betas=(0.0, 0.9)))


def generator():
    module = example("08_gan")
    model, judge = module.build_generator(), module.build_critic()
    judge.requires_grad_(False)
    return (model, (tt.randn(64, module.NOISE), tt.zeros(64, 1)),
            lambda fake, _: module.generator_loss(judge, fake),
            optim.Adam(model.parameters(), lr=1e-3, betas=(0.0, 0.9)))


def unet():
    return trained_by_adamw(healthy.unet, 2e-3)


def names():
    """The GPT of example 10 on names of modules, in tensor mode."""
    module = example("10_scalar_gpt")
    tokenizer = module.text.CharTokenizer(module.END + "abcdefghijklmnopqrstuvwxyz")
    rows = [tokenizer.encode((module.END + name + module.END).ljust(12, module.END))
            for name in module.names_of_modules(10)[:48]]
    ids = tt.tensor(rows)
    config = module.gpt.Config(len(tokenizer), context=11, layers=1, heads=2, width=16)
    model = module.gpt.GPT(config)
    return (model, (ids[:, :-1], ids[:, 1:]), healthy.by_token,
            optim.Adam(model.parameters(), lr=0.02))


def per_sample():
    module = example("13_per_sample_gradients")
    counts, true, _, _ = module.digits.load(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    return (model, (tt.tensor(counts[:96]) / module.digits.LEVELS, tt.tensor(true[:96])),
            F.cross_entropy, optim.Adam(model.parameters(), lr=3e-3))


def agent():
    """The actor and the critic on states of carts, with random actions and returns."""
    module = example("11_policy_gradient")
    rng = numpy.random.default_rng(0)

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.agent = module.Agent()

        def forward(self, states):
            return self.agent.policy(states).logits, self.agent.value(states)

    def loss(output, targets):
        (logits, values), (actions, returns) = output, targets
        chosen = F.log_softmax(logits, -1).gather(1, actions[:, None]).squeeze(1)
        advantage = (returns - values).detach()
        return -(chosen * advantage).mean() + ((returns - values) ** 2).mean()
    states = tt.tensor(rng.normal(size=(96, 4)) * module.Agent.SCALES, dtype=tt.float32) / 2
    targets = (tt.tensor((states.numpy()[:, 2] > 0).astype(int)),
               tt.tensor(rng.uniform(0, 1, 96), dtype=tt.float32))
    model = Both()
    return model, (states, targets), loss, optim.Adam(model.parameters(), lr=3e-3)


# The number of the example, and its models. 12 trains those of 04 and 06; 01 has no Module.
MODELS = [("02", moons), ("03", digits), ("04", convolutional), ("05", lambda: char_rnn("lstm")),
          ("05", lambda: char_rnn("gru")), ("06", gpt), ("07", vae), ("08", critic),
          ("08", generator), ("09", unet), ("10", names), ("11", agent), ("13", per_sample)]


@pytest.mark.long
@pytest.mark.parametrize(("number", "make"), MODELS)
def test_no_finding(number, make):
    tt.manual_seed(0)
    model, batch, loss, optimizer = make()
    diagnosis = doctor(model, batch, loss, optimizer, seconds=60)
    found = [(finding.name, finding.what.split()[0]) for finding in diagnosis.findings]
    # A constant that is added to all scores of the critic cancels in their difference.
    assert found == ([("gradient zero", "4.bias")] if make is critic else []), diagnosis
    assert not diagnosis.skipped, diagnosis


def test_every_example_with_a_model():
    numbers = {path.name[:2] for path in EXAMPLES.glob("[0-9]*.py")}
    assert numbers - {"01", "12"} == {number for number, _ in MODELS}
