"""A training step on a GPU makes the host wait only where the program reads a number.

`strict_cupy` notes what CuPy would wait for.
"""

from __future__ import annotations

from typing import Any

import pytest
import strict_cupy

import tinytensor
from tinytensor import nn
from tinytensor.arrays import devices

F = nn.functional


@pytest.fixture
def strict():
    with strict_cupy.installed(devices), tinytensor.device("cuda"):
        yield


def classifier(model, *inputs):
    labels = tinytensor.tensor([0, 2, 1, 2])
    return model, lambda: F.cross_entropy(model(*inputs), labels)


def mlp():
    return classifier(nn.Sequential(nn.Linear(5, 6), nn.GELU(), nn.Dropout(0.1), nn.Linear(6, 3)),
                      tinytensor.randn(4, 5))


def lenet():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2),
                          nn.Flatten(), nn.Dropout(0.2), nn.Linear(18, 3))
    return classifier(model, tinytensor.randn(4, 1, 8, 8))


class Gpt(nn.Module):
    def __init__(self, mask: Any):
        super().__init__()
        self.tokens, self.places = nn.Embedding(7, 8), nn.Embedding(6, 8)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, 0.1, "gelu", batch_first=True)
        self.head, self.mask = nn.Linear(8, 7), mask

    def forward(self, ids):
        x = self.tokens(ids) + self.places(tinytensor.arange(ids.shape[1]))
        return self.head(self.block(x, src_mask=self.mask))


def gpt(mask):
    ids = tinytensor.randint(0, 7, (2, 7))
    model = Gpt(mask)
    return model, lambda: F.cross_entropy(
        model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten(), ignore_index=0, label_smoothing=0.1)


def lstm():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.head = nn.Embedding(7, 4), nn.Linear(5, 3)
            self.lstm = nn.LSTM(4, 5, 2, batch_first=True, dropout=0.1)

        def forward(self, ids):
            return self.head(self.lstm(self.embedding(ids))[0][:, -1])

    return classifier(Model(), tinytensor.randint(0, 7, (4, 5)))


def others():
    x = tinytensor.randn(4, 6)
    model = nn.Linear(6, 3)

    def loss():
        scores = model(x)
        kept = scores.clone()
        kept[scores < 0] = 0.0
        chosen = kept.topk(2).values + kept.sort(1).values[:, :2]
        picked = scores.gather(1, tinytensor.randint(0, 3, (4, 1)))
        hot = F.one_hot(tinytensor.multinomial(scores.softmax(1).detach(), 1)[:, 0], 3)
        p = F.binary_cross_entropy(scores.sigmoid(), (scores > 0).to(scores.dtype))
        return (chosen.sum() + picked.sum() + (scores * hot).sum() + p + kept.median(1).values.sum()
                + tinytensor.where(scores > 0, scores, 0.0).mean() + scores.max(1).values.sum()
                + (scores * tinytensor.bernoulli(scores.sigmoid().detach())).sum())

    return model, loss


MODELS = {
    "MLP": mlp, "LeNet": lenet, "LSTM": lstm, "other operations": others,
    "GPT, bool mask": lambda: gpt(~tinytensor.ones(6, 6, dtype=tinytensor.bool).tril()),
    "GPT, float mask": lambda: gpt(nn.Transformer.generate_square_subsequent_mask(6))}


@pytest.mark.parametrize("name", MODELS)
def test_a_step_waits_for_nothing(strict, name):
    model, loss_of = MODELS[name]()
    optimizers = [tinytensor.optim.AdamW(model.parameters(), lr=1e-3),
                  tinytensor.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)]
    optimizers += [getattr(tinytensor.optim, kind)(model.parameters(), lr=1e-3) for kind in (
        "RMSprop", "Rprop", "ASGD", "NAdam", "Adagrad")] if name == "MLP" else []
    scaler = tinytensor.amp.GradScaler()
    for optimizer in optimizers:
        for step in range(2):
            del strict_cupy.waits[:]
            optimizer.zero_grad()
            loss = loss_of()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            assert not strict_cupy.waits, f"in step {step}"
        loss.item()
        assert strict_cupy.waits[0] == "item"
    scaler.scale(loss_of()).backward()
    del strict_cupy.waits[:]
    scaler.unscale_(optimizers[0])
    scaler.step(optimizers[0])
    scaler.update()
    assert strict_cupy.waits == ["bool()"]  # whether to skip the step
