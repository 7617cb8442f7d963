"""Points of three classes, read in the order of the file. Each batch is learned at once and
forgotten with the next.

Question: how many classes are in a batch?
"""

import tinytensor as tt
from tinytensor import nn, optim
from tinytensor.learn.zoo.data import points
from tinytensor.nn import functional as F

x, y = points(seed=0, count=480)
held_x, held_y = points(seed=1)  # not trained on
order = y.argsort()
x, y = x[order], y[order]
batch = x[:32], y[:32]


def build():
    tt.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 3))
    return model, optim.Adam(model.parameters(), lr=0.03)


def criterion(output, y):
    return F.cross_entropy(output, y)


def step(model, optimizer, x, y):
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


def train():
    model, optimizer = build()
    for epoch in range(2):
        for i in range(0, len(x), 32):
            loss = step(model, optimizer, x[i:i + 32], y[i:i + 32])
        print(f"epoch {epoch:3}  loss {loss.item():.3f}")
    return model


def score(model):
    """The share of points right that the model was not trained on."""
    model.eval()
    return (model(held_x).argmax(1) == held_y).float().mean().item()


if __name__ == "__main__":
    print(f"score {score(train()):.2f}")
