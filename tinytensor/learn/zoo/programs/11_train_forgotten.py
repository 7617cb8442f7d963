"""Points of three classes, evaluated before every step. Batch normalisation does not seem to do
anything.

Question: in which mode is the model when the loss is computed?
"""

import tinytensor as tt
from tinytensor import nn, optim
from tinytensor.learn.zoo.data import points
from tinytensor.nn import functional as F

x, y = points(seed=0)
held_x, held_y = points(seed=1)  # not trained on
right: list[float] = []  # the share of held-out points right, before each step
batch = x, y


def build():
    tt.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Linear(24, 3))
    return model, optim.SGD(model.parameters(), lr=0.3)


def criterion(output, y):
    return F.cross_entropy(output, y)


def step(model, optimizer, x, y):
    right.append(evaluate(model))
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


def evaluate(model):
    model.eval()
    with tt.no_grad():
        return (model(held_x).argmax(1) == held_y).float().mean().item()


def train():
    model, optimizer = build()
    for i in range(100):
        loss = step(model, optimizer, *batch)
        if i % 20 == 0:
            print(f"step {i:3}  loss {loss.item():.3f}")
    return model


def score(model):
    """How far the running mean of the batch norm has followed the data, from 0 to 1."""
    mean = model[0](x).mean(0)
    return 1 - ((model[1].running_mean - mean).norm() / mean.norm()).item()


if __name__ == "__main__":
    print(f"score {score(train()):.2f}")
