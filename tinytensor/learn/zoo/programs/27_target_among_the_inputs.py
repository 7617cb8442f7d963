"""A table with an answer column. The training loss goes to 0, and on new data, where the answer is
not known yet, the score is poor.

Question: what does the model look at?
"""

import tinytensor as tt
from tinytensor import nn, optim
from tinytensor.learn.zoo.data import points
from tinytensor.nn import functional as F

x, y = points(seed=0)
held_x, held_y = points(seed=1)  # not trained on
x = tt.cat([x, 10.0 * y[:, None]], 1)
held_x = tt.cat([held_x, tt.zeros(len(held_x), 1)], 1)  # the answer is not known yet
batch = x, y


def build():
    tt.manual_seed(0)
    model = nn.Sequential(nn.Linear(x.shape[1], 24), nn.ReLU(), nn.Linear(24, 3))
    return model, optim.SGD(model.parameters(), lr=0.3)


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
    for i in range(150):
        loss = step(model, optimizer, *batch)
        if i % 30 == 0:
            print(f"step {i:3}  loss {loss.item():.3f}")
    return model


def score(model):
    """The share of points right that the model was not trained on."""
    model.eval()
    return (model(held_x).argmax(1) == held_y).float().mean().item()


if __name__ == "__main__":
    print(f"score {score(train()):.2f}")
